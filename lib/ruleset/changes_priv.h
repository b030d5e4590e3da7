/*
 * What changed since an image was made: a tree from domains to the zones that
 * take them now. It is immutable: a change copies the few nodes on the way to
 * it, and shares the rest with the tree before. All parts are counted.
 */
#ifndef ONWARD_RULESET_CHANGES_PRIV_H
#define ONWARD_RULESET_CHANGES_PRIV_H

#include <stdatomic.h>

#include "ruleset/record_priv.h"

/* A record that is in no image. */
struct onward_ruleset__zone {
    struct onward_ctx *ctx;
    atomic_size_t owners;
    size_t len;
    unsigned char data[]; /* its multiple of 8 begins at one */
};

/* Takes a copy. NULL without memory. */
struct onward_ruleset__zone *
onward_ruleset__zone_new(struct onward_ctx *ctx, struct onward_str record);
void onward_ruleset__zone_free(struct onward_ruleset__zone *zone);

/* A domain and its zone now: NULL, none. */
struct onward_ruleset__change {
    atomic_size_t owners;
    uint64_t hash;
    struct onward_ruleset__zone *zone;
    struct onward_ruleset__change *other; /* the next of the same hash */
    size_t len;
    char name[];
};

struct onward_ruleset__twig;

/* NULL is the empty tree. hash is that of name under the image's key. NULL: the
 * domain did not change. */
const struct onward_ruleset__change *
onward_ruleset__changes_find(const struct onward_ruleset__twig *root,
                             struct onward_str name, uint64_t hash);
/* *root becomes another tree, in which name belongs to zone; the old one is
 * freed. Counts the zone. 0, or ONWARD_ENOMEM and *root as it was. */
ONWARD_USE_RESULT int
onward_ruleset__changes_set(struct onward_ctx *ctx,
                            struct onward_ruleset__twig **root,
                            struct onward_str name, uint64_t hash,
                            struct onward_ruleset__zone *zone);
struct onward_ruleset__twig *
onward_ruleset__changes_ref(struct onward_ruleset__twig *root);
void onward_ruleset__changes_free(struct onward_ctx *ctx,
                                  struct onward_ruleset__twig *root);
/* Each change, in some order; ends with what each returned, if not 0. */
int onward_ruleset__changes_each(
    const struct onward_ruleset__twig *root,
    int (*each)(void *user, const struct onward_ruleset__change *change),
    void *user);

#endif
