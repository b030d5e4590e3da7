/* The inside of a verifier: verifier.c streams and waits, author.c finds the
 * authors, dmarc.c decides, results.c writes Authentication-Results, explain.c
 * says how it all came. */
#ifndef ONWARD_VERIFY_PRIV_H
#define ONWARD_VERIFY_PRIV_H

#include <onward/verify.h>

#include "address/address_shared.h"
#include "arc/arc_shared.h"
#include "core/domain_shared.h"
#include "dkim/dkim_shared.h"
#include "mime/mime_shared.h"

/* A sealer that the host trusts. */
struct onward_verify__sealer {
    struct onward_verify__sealer *next;
    struct onward_str domain; /* A-labels */
};

struct onward_verifier {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_verifier_host host;
    struct onward_core__guard guard;
    struct onward_core__task task;
    struct onward_arena arena;

    struct onward_str authserv_id, mail_from, helo;
    struct onward_ip client_ip;
    size_t max_signatures, timeout_ms, max_authors;
    size_t dmarc_reject_policy, dmarc_discovery, iprev, results;
    struct onward_str iprev_name;
    bool has_client, allow_no_author, omit_remote_ip, is_suspect;
    bool is_trusted_forwarder;
    struct onward_verify__sealer *sealers;

    struct onward_dkim__intake intake;
    size_t body_index; /* of the relaxed hash of the whole body */
    struct onward_dkim__verify dkim;
    struct onward_arc__validate arc;
    struct onward_spf_check *spf_mail_from, *spf_helo;
    struct onward_dmarc_check *dmarcs[ONWARD_VERIFIER_AUTHORS_MAX];
    size_t dmarc_count;
    struct onward_dmarc_check *dmarc; /* the one that decides, once known */

    bool is_finished; /* the message is whole */
    bool is_decided;  /* DMARC has all its identifiers */
    bool is_done;
    int64_t deadline_ms; /* 0: not running yet */

    /* Without a single author, the verdict that stands for DMARC's. */
    int author_result, author_reason;
    struct onward_str author_domain;
    struct onward_buf authres, explanation;
    unsigned char fingerprint[ONWARD_DKIM__HASH_SIZE];
};

/* The domains of From, each once. */
struct onward_verify__authors {
    struct onward_str domains[ONWARD_VERIFIER_AUTHORS_MAX];
    size_t count;
};

/*
 * The authors' domains (RFC 9989 5.3.1). 0 with them, or with none and
 * author_result set when there is none or there are too many; ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int
onward_verify__find_authors(struct onward_verifier *v,
                            struct onward_verify__authors *authors);

/* ---- dmarc.c ----------------------------------------------------------- */

/* Begin a check for each author. 0 or an error. */
ONWARD_USE_RESULT int onward_verify__dmarc_begin(struct onward_verifier *v);
/* All else is known: give the checks what they need. 0 or an error. */
ONWARD_USE_RESULT int onward_verify__dmarc_decide(struct onward_verifier *v);
/* Are all of them done? Then v->dmarc is the strictest. */
bool onward_verify__dmarc_known(struct onward_verifier *v);
/* No verdict that anybody may trust: temperror, for enum onward_dmarc_reason.
 */
void onward_verify__dmarc_give_up(struct onward_verifier *v, int reason);
void onward_verify__dmarc_clear(struct onward_verifier *v);
/* May this signature stand for its domain? */
bool onward_verify__dkim_counts(const struct onward_dkim_signature *s);
/* Write v->authres from all that was found. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_verify__write_results(struct onward_verifier *v);

#endif
