/*
 * A ruleset inside, and what its loader's files share.
 *
 *     load*.c       a text becomes drafts of zones
 *     draft.c       a draft becomes a record: record_priv.h
 *     build.c       records become an image: image_priv.h
 *     changes.c     records that came later: changes_priv.h
 *     snapshot.c    the zone of a domain in both; zones set and removed
 *     route.c       from an address to a decision
 */
#ifndef ONWARD_RULESET_PRIV_H
#define ONWARD_RULESET_PRIV_H

#include "core/domain_shared.h"
#include "core/json_shared.h"
#include "core/text_shared.h"
#include "ruleset/changes_priv.h"
#include "ruleset/draft_priv.h"
#include "ruleset/image_priv.h"
#include "ruleset/ruleset_shared.h"

struct onward_ruleset {
    struct onward_ctx *ctx;
    atomic_size_t owners;
    struct onward_ruleset__image *image;
    struct onward_ruleset__twig *changes; /* wins over the image */
    size_t zone_count;
    uint64_t rule_count;
    bool has_wildcard; /* some zone had one; never goes back */
};

struct onward_ruleset_router {
    struct onward_ctx *ctx;
    struct onward_arena arena; /* of the decisions since the last reset */
    void *scratch;             /* of patterns */
    size_t scratch_bytes;
};

/* ---- Rulesets (ruleset.c, snapshot.c) ---------------------------------- */

/* A ruleset over the image, which it takes over on success. 0 or
 * ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_ruleset__wrap(struct onward_ruleset__image *image,
                     struct onward_ruleset **rs);
/* The zone that takes this domain by name; as onward_ruleset__image_zone(). */
ONWARD_USE_RESULT int
onward_ruleset__zone_of(const struct onward_ruleset *rs, struct onward_str name,
                        struct onward_ruleset__record *rec, uint64_t *number);
/* Every zone once; ends with what each returned, if not 0; or
 * ONWARD_ELIMIT. */
ONWARD_USE_RESULT int onward_ruleset__each_zone(
    const struct onward_ruleset *rs,
    int (*each)(void *user, const struct onward_ruleset__record *rec),
    void *user);

/* rs with that record in place of the zone of its name. 0, ONWARD_ENOMEM,
 * ONWARD_ESYNTAX (a domain of it is another zone's; fault says so) or
 * ONWARD_ELIMIT. */
ONWARD_USE_RESULT int
onward_ruleset__set_zone(struct onward_ruleset *rs, struct onward_str record,
                         struct onward_ruleset_fault *fault,
                         struct onward_ruleset **made);

/* ---- Loading (load*.c) ------------------------------------------------- */

struct loader {
    struct onward_ctx *ctx;
    struct onward_arena json;  /* the parsed text, and scratch */
    struct onward_arena items; /* of one zone */
    struct onward_ruleset__draft draft;
    struct onward_ruleset__build *build;
    struct onward_ruleset_fault *fault;
    bool has_fault; /* and it says all */
    bool does_fold; /* of the zone that is read */
};

/* Says "found, expected expected" at a value; expected may be NULL. Returns
 * ONWARD_ESYNTAX, or ONWARD_ENOMEM. */
int onward_ruleset__fail(struct loader *l, const struct onward_json *at,
                         const char *found, const char *expected);
/* The same where no value is at hand. */
int onward_ruleset__fail_text(struct loader *l, size_t line, const char *text);
/* Refuses members that are in neither list (both end in NULL). */
ONWARD_USE_RESULT int onward_ruleset__check_keys(struct loader *l,
                                                 const struct onward_json *v,
                                                 const char *const *known,
                                                 const char *const *ignored);
/* 0, or refuses another type. */
ONWARD_USE_RESULT int onward_ruleset__want(struct loader *l,
                                           const struct onward_json *v,
                                           enum onward_json_type type);
/* A member that may be absent: *out stays then. Strings live as long as v. */
ONWARD_USE_RESULT int onward_ruleset__get_bool(struct loader *l,
                                               const struct onward_json *v,
                                               const char *key, bool *out);
ONWARD_USE_RESULT int onward_ruleset__get_string(struct loader *l,
                                                 const struct onward_json *v,
                                                 const char *key,
                                                 struct onward_str *out);
/* A member of that type that must be there. */
ONWARD_USE_RESULT int
onward_ruleset__require(struct loader *l, const struct onward_json *v,
                        const char *key, enum onward_json_type type,
                        const struct onward_json **out);
/* The "result" when v is an API response, else v itself. */
ONWARD_USE_RESULT int onward_ruleset__unwrap(struct loader *l,
                                             const struct onward_json *v,
                                             const struct onward_json **out);
/* The address in a string; its texts are in the draft's arena. */
ONWARD_USE_RESULT int
onward_ruleset__mailbox(struct loader *l, const struct onward_json *v,
                        struct onward_address__mailbox *mailbox);
/* The same with its domain in lower-case A-labels, as one text. */
ONWARD_USE_RESULT int
onward_ruleset__read_destination(struct loader *l, const struct onward_json *v,
                                 struct onward_str *out);
/* A domain in lower-case A-labels. */
ONWARD_USE_RESULT int onward_ruleset__read_domain(struct loader *l,
                                                  const struct onward_json *v,
                                                  struct onward_str text,
                                                  struct onward_str *out);
/* Printable ASCII, 1 to max characters, for a line of a reply or a field. */
bool onward_ruleset__is_line(struct onward_str s, size_t max);

/* One of a zone's "rules", or (index ONWARD_RULESET_CATCH_ALL) its "catch_all",
 * into the draft. */
ONWARD_USE_RESULT int onward_ruleset__read_rule(struct loader *l,
                                                const struct onward_json *v,
                                                size_t index);

/* What the matchers of a rule come to. */
struct onward_ruleset__matchers {
    struct onward_ruleset__draft_rule *rule; /* class, address, condition */
    size_t capture_count; /* of its first pattern on the address, or 0 */
};
ONWARD_USE_RESULT int
onward_ruleset__read_matchers(struct loader *l, const struct onward_json *v,
                              struct onward_ruleset__matchers *m);
/* The array "actions": sets body and GOES_ON of the rule. */
ONWARD_USE_RESULT int
onward_ruleset__read_actions(struct loader *l, const struct onward_json *v,
                             const struct onward_ruleset__matchers *m);

/* The whole text, into l->build. */
ONWARD_USE_RESULT int onward_ruleset__read(struct loader *l,
                                           struct onward_str text,
                                           size_t max_depth);
/* One zone, as a record behind what is in out. *name is its name, in the
 * draft. */
ONWARD_USE_RESULT int onward_ruleset__read_zone(struct loader *l,
                                                const struct onward_json *v,
                                                const uint64_t key[2],
                                                struct onward_buf *out);

#endif
