/* The rooms of dmarc: records, the tree walk, the public suffix list, the check
 * and how it ended. */
#ifndef ONWARD_DMARC_PRIV_H
#define ONWARD_DMARC_PRIV_H

#include <onward/dmarc.h>

#include "core/domain_shared.h"
#include "core/text_shared.h"
#include "dns/dns_shared.h"

enum { ONWARD_DMARC__WALK_MAX = 8 }; /* questions of one walk (4.10) */

/* Tags that we know, for finding one that stands twice. */
enum onward_dmarc__tag {
    TAG_V,
    TAG_P,
    TAG_SP,
    TAG_NP,
    TAG_PSD,
    TAG_T,
    TAG_ADKIM,
    TAG_ASPF,
    TAG_FO,
    TAG_RUA,
    TAG_RUF,
    TAG_PCT,
    TAG_COUNT
};

/* Of one part between semicolons: tag and value, trimmed; false: it has none.
 */
bool onward_dmarc__split_tag(struct onward_str part, struct onward_str *tag,
                             struct onward_str *value);
/* TAG_COUNT: not one of ours. */
enum onward_dmarc__tag onward_dmarc__tag_of(struct onward_str name);
/* dmarc-version: "v", white space, "=", white space, exactly "DMARC1". */
bool onward_dmarc__is_version(struct onward_str part);
/* enum onward_dmarc_policy; UNKNOWN: another word. */
size_t onward_dmarc__read_policy(struct onward_str value);
/* dmarc-fo: each of 0, 1, d, s once, 0 and 1 not together. */
bool onward_dmarc__are_failure_options(struct onward_str value);

/* One name of a walk. */
struct onward_dmarc__stop {
    struct onward_str domain;
    struct onward_dns__query query; /* TXT at _dmarc.domain */
};

/*
 * A DNS tree walk from one domain (RFC 9989 4.10). All its questions go out
 * together; what a psd= tag would have stopped is not looked at.
 */
struct onward_dmarc__walk {
    struct onward_dmarc__walk *next; /* of the check's identifiers */
    struct onward_str domain;        /* start; A-labels, lower case */
    struct onward_dmarc__stop stops[ONWARD_DMARC__WALK_MAX];
    size_t count;
    bool is_spf, is_dkim;                 /* what the identifier comes from */
    bool is_unknown_spf, is_unknown_dkim; /* what could not be checked */
    bool is_failed;                       /* could not ask */
    bool is_legacy; /* RFC 7489: the name, then its organization */
};

/* What a walk found, once nothing it needs is pending. */
struct onward_dmarc__found {
    struct onward_str org_domain;
    struct onward_str own; /* the record at the start itself */
    struct onward_str org; /* the record at the org domain */
    struct onward_str psd; /* the psd=y record above it */
    struct onward_str psd_domain;
};

enum onward_dmarc__walk_state { WALK_PENDING, WALK_FAILED, WALK_DONE };

/* One evaluation. */
struct onward_dmarc_check {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_dmarc_host host;
    struct onward_core__guard guard;
    struct onward_core__task task;
    struct onward_arena arena;
    struct onward_dmarc__walk author;
    struct onward_dmarc__walk *identifiers;
    size_t identifier_count;
    struct onward_dns__query exists; /* of the author domain, for np= */
    bool asks_exists;
    bool is_legacy;  /* RFC 7489: by the public suffix list */
    bool is_suspect; /* the host knows of other reasons to refuse */
    bool is_drawn, is_sampled_out; /* pct=: decided; let off */
    bool is_draw_failed;           /* no random number for that */
    size_t reject_policy;
    bool is_started, is_finished, is_trusted, is_done;
    bool is_org_unknown; /* a look-up above the author's own record failed */

    enum onward_dmarc_result result;
    enum onward_dmarc_reason reason;
    enum onward_dmarc_policy policy;
    enum onward_dmarc_policy published; /* before t= and pct= */
    struct onward_str policy_domain, org_domain, record;
    bool is_spf_aligned, is_dkim_aligned;
    bool is_unknown_aligned; /* what could not be checked would be */
};

/* The organizational domain of RFC 7489 section 3.2: one label below the public
 * suffix; the name itself when it is one. A part of domain. */
struct onward_str onward_dmarc__suffix_org(struct onward_str domain);

/* Ask; domain must live as long as the walk. 0 or an error of the ask. */
ONWARD_USE_RESULT int onward_dmarc__walk_start(struct onward_dmarc__walk *walk,
                                               struct onward_resolver *resolver,
                                               struct onward_core__task *task);
void onward_dmarc__walk_clear(struct onward_dmarc__walk *walk);
/* found's texts are borrowed from the walk's answers. */
enum onward_dmarc__walk_state
onward_dmarc__walk_look(const struct onward_dmarc__walk *walk,
                        struct onward_dmarc__found *found);

#endif
