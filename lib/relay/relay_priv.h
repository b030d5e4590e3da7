/*
 * One transaction, and what its files do with it: route.c answers RCPT,
 * policy.c decides about the message, kept.c has senders that are too long,
 * edit.c puts fields on top, seal.c has
 * them sealed and signed, ledger.c remembers what was delivered, deliver.c asks
 * the host, reply.c makes the answer, notice.c what may be told later. relay.c
 * owns the object and calls them in order.
 */
#ifndef ONWARD_RELAY_PRIV_H
#define ONWARD_RELAY_PRIV_H

#include <onward/relay.h>

#include "address/address_shared.h"
#include "core/desk_shared.h"
#include "mime/mime_shared.h"
#include "store/store_shared.h"

enum {
    ONWARD_RELAY__KEY_MAX = 96,   /* of a ledger key */
    ONWARD_RELAY__TEXT_MAX = 512, /* kept of what a next hop says */
    ONWARD_RELAY__MARKS_MAX = 10  /* Delivered-To fields */
};

/* In this order. */
enum onward_relay__stage {
    ONWARD_RELAY__ROUTE,   /* takes recipients */
    ONWARD_RELAY__CHECK,   /* policy that is known at once */
    ONWARD_RELAY__ALIGN,   /* would a copy pass DMARC? */
    ONWARD_RELAY__KEEP,    /* a sender that does not fit, or its address */
    ONWARD_RELAY__LOOK_UP, /* which destinations have it already? */
    ONWARD_RELAY__SEAL,
    ONWARD_RELAY__SIGN,
    ONWARD_RELAY__DELIVER, /* until the ledger has what was taken */
    ONWARD_RELAY__END
};

/* Where the accepted recipients go. */
enum onward_relay__way {
    ONWARD_RELAY__NOWHERE = 0, /* none accepted */
    ONWARD_RELAY__FORWARD,
    ONWARD_RELAY__DROP,
    ONWARD_RELAY__BOUNCE /* back to the sender inside an SRS address */
};

struct onward_relay__rcpt {
    struct onward_relay__rcpt *next; /* in the order of text */
    struct onward_str text;          /* domain in A-labels */
    size_t notify;
    struct onward_str orcpt;
};

struct onward_relay__destination {
    struct onward_core__ask ask; /* open while the host delivers */
    struct onward_store__query query;
    struct onward_relay *relay;
    struct onward_str recipient; /* domain in A-labels */
    struct onward_str domain;
    enum onward_relay_fate fate;
    size_t reply_code;
    struct onward_str reply_enhanced, reply_text;
    char key[ONWARD_RELAY__KEY_MAX];
    size_t key_len;
    bool is_utf8;
    bool is_asked;    /* the host was */
    bool is_recorded; /* or was tried to be */
};

struct onward_relay {
    struct onward_ctx *ctx;
    struct onward_desk *desk; /* in memory by the task */
    struct onward_core__task task;
    struct onward_core__guard guard;
    struct onward_arena arena;
    struct onward_arena scratch;   /* of one RCPT or one field */
    struct onward_relay_opts opts; /* texts in the arena, limits resolved */
    struct onward_ruleset_facts facts;
    struct onward_ruleset_router *router; /* decisions of all recipients */
    struct onward_relay_host host;
    struct onward_str reverse_path; /* as it came */
    bool is_smtputf8;
    size_t body;
    bool requires_tls;    /* REQUIRETLS */
    bool is_tls_optional; /* TLS-Required: No */
    size_t ret;
    struct onward_str envid;
    struct onward_str notice_path; /* empty: nobody may be told */
    uint64_t log_id;

    enum onward_relay__stage stage;
    enum onward_relay__way way;
    uint64_t group; /* of the ruleset, for FORWARD and DROP */
    struct onward_relay__rcpt *rcpts;
    size_t rcpt_count;
    struct onward_relay__destination *destinations;
    size_t destination_count;

    const struct onward_verifier *verifier;
    struct onward_str sender;     /* reverse path of the copies */
    struct onward_srs_kept *kept; /* to be put into the store; or NULL */
    struct onward_str kept_key;   /* where a BOUNCE goes; or empty */
    struct onward_store__query kept_query;
    struct onward_dmarc_check *check;
    struct onward_edit *edit;
    const struct onward_source *edited; /* once sealed */
    struct onward_arc_sealer *sealer;
    int seal_status;
    bool is_seal_done;
    struct onward_dkim_signer *dkim; /* NULL: the host wants no signature */
    int sign_status;
    bool is_signing, is_sign_done;
    int64_t deadline_ms;

    struct onward_smtp_reply reply; /* the final one */
    enum onward_relay_reason reason;
    bool is_done;
};

/* Did the host free it, or its desk, in a callback? Then nothing more happens.
 */
static inline bool onward_relay__is_dead(const struct onward_relay *r)
{
    return r->guard.is_dead || onward_core__desk_is_dead(r->desk);
}

/* The verdict is there: nothing more happens. Texts are static or in the
 * arena. */
void onward_relay__end(struct onward_relay *r, enum onward_relay_reason reason,
                       size_t code, struct onward_str enhanced,
                       struct onward_str text);
/* Our own failure: 451 4.3.0. */
void onward_relay__fail(struct onward_relay *r,
                        enum onward_relay_reason reason);
/* End of a call in which callbacks ran: frees the relay when one of them did.
 */
void onward_relay__leave(struct onward_relay *r);
/* a, b and c in one text in the arena; b alone when there is no memory. */
struct onward_str onward_relay__join(struct onward_relay *r, const char *a,
                                     struct onward_str b, const char *c);
/* The address in the arena, as all of relay compares and writes it. 0 or
 * ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_relay__write(struct onward_relay *r, struct onward_arena *arena,
                    const struct onward_address__mailbox *mailbox,
                    struct onward_str *text);

/* The one destination of a BOUNCE. 0, ONWARD_ESYNTAX or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_relay__set_destination(struct onward_relay *r,
                                                    struct onward_str address);

/*
 * The stages. Each does what it can, calls onward_relay__end() when it decides,
 * and returns true when the next stage may begin. Callbacks of the host run
 * inside.
 */
bool onward_relay__check(struct onward_relay *r);
bool onward_relay__align(struct onward_relay *r);
bool onward_relay__keep(struct onward_relay *r);
bool onward_relay__look_up(struct onward_relay *r);
bool onward_relay__seal(struct onward_relay *r);
bool onward_relay__sign(struct onward_relay *r);
bool onward_relay__deliver(struct onward_relay *r);
/* All destinations are settled. */
void onward_relay__conclude(struct onward_relay *r);

/* Who may be told of a failure later; known once the message is verified. 0 or
 * ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_relay__set_notice_path(struct onward_relay *r);
/* The fields of a delivery that are about notices. */
void onward_relay__tell_notices(const struct onward_relay *r,
                                struct onward_relay_delivery *d);

/* Cut what claims to be ours, put our fields on top. 0, ONWARD_ENOMEM or
 * ONWARD_ELIMIT. */
ONWARD_USE_RESULT int onward_relay__write_fields(struct onward_relay *r);
/* Enter a destination in the ledger; false while that is under way. */
bool onward_relay__record(struct onward_relay *r,
                          struct onward_relay__destination *d);
/* Close what is open at the host and tell it. */
void onward_relay__cancel(struct onward_relay *r,
                          struct onward_relay__destination *d);

#endif
