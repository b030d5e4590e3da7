/* The inside of a verifier: verifier.c streams and waits, author.c finds the
 * author, results.c writes Authentication-Results. */
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
    size_t max_signatures, timeout_ms;
    struct onward_verify__sealer *sealers;

    struct onward_dkim__intake intake;
    size_t body_index; /* of the relaxed hash of the whole body */
    struct onward_dkim__verify dkim;
    struct onward_arc__validate arc;
    struct onward_spf_check *spf_mail_from, *spf_helo;
    struct onward_dmarc_check *dmarc;

    bool is_finished; /* the message is whole */
    bool is_decided;  /* DMARC has all its identifiers */
    bool is_done;
    int64_t deadline_ms; /* 0: not running yet */

    /* Without a single author, the verdict that stands for DMARC's. */
    int author_result, author_reason;
    struct onward_str author_domain;
    struct onward_buf authres;
    unsigned char fingerprint[ONWARD_DKIM__HASH_SIZE];
};

/*
 * The author's domain from From (RFC 9989 5.3.1). 0 with the domain, or with
 * author_result set when there is none or more than one; ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_verify__find_author(struct onward_verifier *v);
/* Write v->authres from all that was found. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_verify__write_results(struct onward_verifier *v);

#endif
