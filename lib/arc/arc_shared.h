/*
 * What verify uses of arc: the chain of a header, and its validation over a
 * parsed header and a shared body hash set.
 */
#ifndef ONWARD_ARC_SHARED_H
#define ONWARD_ARC_SHARED_H

#include <onward/arc.h>

#include "dkim/dkim_shared.h"

enum { ONWARD_ARC__SETS_MAX = 50 }; /* RFC 8617 section 4.2.1 */

/* ---- The chain as it stands in a header -------------------------------- */

struct onward_arc__set {
    size_t aar;                      /* item, or ONWARD_HEADER_NONE */
    struct onward_str results;       /* of aar, behind "i=N;" */
    struct onward_dkim__check *ams;  /* NULL: missing */
    struct onward_dkim__check *seal; /* NULL: missing */
};

/* What is wrong with a chain, without looking at keys. */
struct onward_arc__chain {
    size_t count; /* the highest instance; sets[0] is instance 1 */
    struct onward_arc__set *sets;
    enum onward_arc_reason reason;
    size_t instance; /* where, or 0 */
    const char *detail;
    bool has_fields;   /* any ARC field, readable or not */
    bool ends_in_fail; /* the highest seal says cv=fail */
};

/*
 * Collect the sets (RFC 8617 section 5.2 steps 1 to 3); all of it lives in the
 * arena. 0 or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_arc__collect(
    struct onward_arena *arena, const struct onward_header *header,
    const struct onward_dkim__policy *policy, struct onward_arc__chain *chain);
/* "i=N;" at the start of an AAR's value: N, or 0; *results is what follows. */
unsigned onward_arc__parse_aar(struct onward_str value,
                               struct onward_str *results);
/* What the texts made of an arc header take at most. */
size_t onward_arc__arena_max(struct onward_ctx *ctx);
/* Add a whole set in the order of RFC 8617 section 5.1.1, up to its seal. */
void onward_arc__hash_set(struct sha256_ctx *sha,
                          const struct onward_header *header,
                          const struct onward_arc__set *set);

/* ---- Validation -------------------------------------------------------- */

/* Zero-filled is idle. Must not move between _begin and _clear. */
struct onward_arc__validate {
    struct onward_ctx *ctx;
    const struct onward_header *header;
    struct onward_dkim__body *body;
    struct onward_dkim__policy policy;
    struct onward_arena arena;
    struct onward_arc__chain chain;
    unsigned char (*digests)[ONWARD_DKIM__HASH_SIZE]; /* of the seals */
    enum onward_arc_result result;
    enum onward_dkim_reason signature_reason;
    size_t checked; /* steps of the walk behind us */
    size_t oldest_pass;
    bool has_oldest_pass;
    bool wants_oldest_pass;
    bool is_temporary;
    bool is_done;
};

ONWARD_USE_RESULT int onward_arc__policy_load(
    struct onward_ctx *ctx, const struct onward_arc_validator_opts *opts,
    struct onward_dkim__policy *policy, bool *wants_oldest_pass);
/*
 * The header is complete: collect the chain, register body hashes, ask for the
 * keys; task is made ready when one comes. header and body must outlive it. 0,
 * ONWARD_ENOMEM or ONWARD_ESTATE: clear it then.
 */
ONWARD_USE_RESULT int onward_arc__validate_begin(
    struct onward_arc__validate *v, const struct onward_header *header,
    struct onward_dkim__body *body, const struct onward_dkim__policy *policy,
    bool wants_oldest_pass, struct onward_resolver *resolver,
    struct onward_core__task *task);
/* Go on, inside the task: true when the verdict is known. Before
 * body->is_finished it does nothing. May call the resolver's cancel. */
bool onward_arc__validate_step(struct onward_arc__validate *v);
int onward_arc__validate_verdict(const struct onward_arc__validate *v,
                                 struct onward_arc_verdict *verdict);
int onward_arc__validate_set(const struct onward_arc__validate *v,
                             size_t instance, struct onward_arc_set *set);
void onward_arc__validate_clear(struct onward_arc__validate *v);

#endif
