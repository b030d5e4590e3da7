/*
 * One transaction, and what its files do with it: route.c answers RCPT,
 * expand.c follows aliases, plan.c
 * turns what the rules say into destinations, events and submissions (facts.c
 * has what their conditions look at), policy.c decides about the message,
 * kept.c has senders that are too long,
 * edit.c and top.c put fields on top, seal.c has them sealed and signed, where
 * vouch.c lets it,
 * ledger.c remembers what was delivered, deliver.c asks the host, event*.c are
 * handlers and what they do, submit.c is what leaves on its own, apart.c where
 * what is put apart would go, reply.c makes
 * the answer, notice.c what may be told later, summary.c the record for logs.
 * relay.c owns the object and calls them in order.
 */
#ifndef ONWARD_RELAY_PRIV_H
#define ONWARD_RELAY_PRIV_H

#include <onward/relay_event.h>

#include "address/address_shared.h"
#include "core/desk_shared.h"
#include "handler/handler_shared.h"
#include "mime/mime_shared.h"
#include "store/store_shared.h"

enum {
    ONWARD_RELAY__KEY_MAX = 96,   /* of a ledger key */
    ONWARD_RELAY__TEXT_MAX = 512, /* kept of what a next hop says */
    ONWARD_RELAY__MARKS_MAX = 10, /* Delivered-To fields */
    ONWARD_RELAY__SIGNATURES_MAX = 8 /* as of onward_dkim_signer_add() */
};

/* In this order. */
enum onward_relay__stage {
    ONWARD_RELAY__ROUTE,   /* takes recipients */
    ONWARD_RELAY__CHECK,   /* policy that is known at once */
    ONWARD_RELAY__ALIGN,   /* would a copy pass DMARC? */
    ONWARD_RELAY__VOUCH,   /* or would it by our signatures? */
    ONWARD_RELAY__HANDLE,  /* handlers, until there is something to deliver */
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
    ONWARD_RELAY__RULES,       /* as the rules say */
    ONWARD_RELAY__BOUNCE       /* back to the sender inside an SRS address */
};

struct onward_relay__rcpt {
    struct onward_relay__rcpt *next; /* in the order of text */
    struct onward_str text;          /* domain in A-labels */
    size_t notify;
    struct onward_str orcpt;
    struct onward_ruleset_decision decision; /* RULES: what is done */
};

/* A message with fields of one copy on top: a source of its own. */
struct onward_relay__top {
    struct onward_str fields;
    struct onward_source below, table;
};

struct onward_relay__destination {
    struct onward_core__ask ask; /* open while the host delivers */
    struct onward_store__query query;
    struct onward_relay *relay;
    struct onward_str recipient; /* domain in A-labels */
    struct onward_str domain;
    struct onward_str rcpt;                 /* who it was sent to */
    struct onward_str fields;               /* of a handler: whole lines */
    struct onward_relay__destination *heir; /* tried when this one fails */
    struct onward_relay__top top;
    enum onward_relay_fate fate;
    size_t reply_code;
    struct onward_str reply_enhanced, reply_text;
    char key[ONWARD_RELAY__KEY_MAX];
    size_t key_len;
    bool is_utf8;
    bool is_held;     /* an heir whose turn has not come */
    bool is_forgiven; /* its failure does not count */
    bool is_known;    /* the ledger was asked */
    bool is_asked;    /* the ledger or the host is, or was */
    bool is_recorded; /* or was tried to be */
    bool is_over;     /* and it is in the ledger */
    bool is_handlers; /* no rule asked for it */
};

enum onward_relay__submission_state {
    ONWARD_RELAY__CLAIM, /* nobody else may send it */
    ONWARD_RELAY__LOOK,  /* somebody has: is it done? */
    ONWARD_RELAY__READY,
    ONWARD_RELAY__ASKED,
    ONWARD_RELAY__RECORD,  /* the host has it: nobody need send it any more */
    ONWARD_RELAY__RELEASE, /* it failed: somebody may try again */
    ONWARD_RELAY__SUBMITTED,
    ONWARD_RELAY__SUBMITTED_BEFORE,
    ONWARD_RELAY__NOT_SUBMITTED
};

struct onward_relay__submission {
    struct onward_core__ask ask; /* open while the host keeps it */
    struct onward_store__query query;
    struct onward_relay *relay;
    struct onward_event *event; /* NULL: quarantine */
    size_t index;
    enum onward_relay_submission_kind kind;
    enum onward_relay__submission_state state;
    enum onward_refusal_code refusal;
    struct onward_str reverse_path, place, message_id;
    struct onward_str *rcpts;
    size_t rcpt_count;
    /* Of a quarantine: where it would go without it. */
    struct onward_relay__destination **ways;
    size_t way_count, way_cap;
    /* The message of a handler; all NULL for a quarantine. */
    struct onward_header *header;
    struct onward_memory_source *memory;
    struct onward_edit *edit;
    const struct onward_source *source;
    int64_t deadline_ms;
    char key[ONWARD_RELAY__KEY_MAX];
    size_t key_len;   /* 0: nothing to claim */
    uint64_t version; /* of our claim */
    bool is_forgiven;
    bool was_free; /* once: another's claim was gone when we looked */
};

struct onward_relay__action {
    enum onward_event_action_kind kind;
    struct onward_relay__destination *destination; /* of a forward */
    struct onward_relay__submission *submission;   /* of the others */
    size_t index;                                  /* of either */
    bool is_forgiven;
    bool is_told;
};

struct onward_event {
    struct onward_core__ask ask; /* open while the handler has it */
    struct onward_relay *relay;
    const struct onward_relay__rcpt *rcpt;
    struct onward_str name;
    void *user;
    enum onward_event_state state;
    struct onward_str failure;
    struct onward_relay__action *actions;
    size_t action_count, action_cap;
    size_t forwards, sends;
    int64_t deadline_ms;
    bool is_webhook;
    bool has_replied;
    bool is_rejected;
    size_t reject_code;
    struct onward_str reject_enhanced, reject_text;
};

struct onward_relay {
    struct onward_ctx *ctx;
    struct onward_desk *desk; /* in memory by the task */
    struct onward_core__task task;
    struct onward_core__guard guard;
    struct onward_arena arena;
    struct onward_arena scratch;   /* of one RCPT or one field */
    struct onward_arena told;      /* to conditions, while rules decide */
    struct onward_relay_opts opts; /* texts in the arena, limits resolved */
    struct onward_ruleset_facts facts;
    struct onward_send_facts send_facts;
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
    uint64_t group; /* of the ruleset, for RULES */
    bool is_alone;  /* no other recipient joins */
    bool skips_quarantine; /* rules with it say nothing just now */
    struct onward_relay__rcpt *rcpts;
    size_t rcpt_count;
    struct onward_relay__destination **destinations;
    size_t destination_count, destination_cap;
    struct onward_event **events;
    size_t event_count, event_cap;
    struct onward_relay__submission **submissions;
    size_t submission_count, submission_cap;
    struct onward_str rule_fields; /* whole lines, on each copy */
    const struct onward_ruleset_action *rule_reject; /* of a late decision */

    const struct onward_verifier *verifier;
    struct onward_source source; /* as it came */
    /* What attachments there are, once a condition wants to know. */
    struct onward_str *attachments; /* name, type, name, type, ... */
    size_t attachment_count;
    int attachment_status;          /* ONWARD_AGAIN: not looked at */
    enum onward_relay_reason block; /* why handlers cannot forward; 0: can */
    struct onward_str sender;       /* reverse path of the copies */
    struct onward_srs_kept *kept;   /* to be put into the store; or NULL */
    struct onward_str kept_key;     /* where a BOUNCE goes; or empty */
    struct onward_store__query kept_query;
    struct onward_dmarc_check *check;
    struct onward_edit *edit;
    const struct onward_source *edited; /* once sealed */
    struct onward_arc_sealer *sealer;
    int seal_status;
    bool is_seal_done;
    struct onward_dkim_signer *dkim; /* NULL: the host wants no signature */
    struct onward_str dkim_domains[ONWARD_RELAY__SIGNATURES_MAX];
    size_t dkim_count;
    struct onward_dmarc_check *vouch;
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

/*
 * The stages. Each does what it can, calls onward_relay__end() when it decides,
 * and returns true when the next stage may begin. Callbacks of the host run
 * inside.
 */
bool onward_relay__check(struct onward_relay *r);
bool onward_relay__align(struct onward_relay *r);
bool onward_relay__vouch(struct onward_relay *r);
bool onward_relay__handle(struct onward_relay *r);
bool onward_relay__keep(struct onward_relay *r);
bool onward_relay__look_up(struct onward_relay *r);
bool onward_relay__seal(struct onward_relay *r);
bool onward_relay__sign(struct onward_relay *r);
bool onward_relay__deliver(struct onward_relay *r);
/* All is settled. */
void onward_relay__conclude(struct onward_relay *r);

/* Who may be told of a failure later; known once the message is verified. 0 or
 * ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_relay__set_notice_path(struct onward_relay *r);
/* The fields of a delivery that are about notices. */
void onward_relay__tell_notices(const struct onward_relay *r,
                                struct onward_relay_delivery *d);

/* ---- Plan -------------------------------------------------------------- */

/*
 * What the rules say for a recipient. is_first: destinations and all else; a
 * recipient that joins has events only. 0, ONWARD_ENOMEM, ONWARD_ESYNTAX (a
 * destination is no address).
 */
ONWARD_USE_RESULT int onward_relay__plan(struct onward_relay *r,
                                         const struct onward_relay__rcpt *rcpt,
                                         bool is_first);
/* Forget it: the first recipient was not accepted after all. */
void onward_relay__unplan(struct onward_relay *r);
/* With the message at hand, what could not be decided before. 0 or
 * ONWARD_ENOMEM; what stands against it ends the relay in
 * onward_relay__check_rules(). */
ONWARD_USE_RESULT int onward_relay__plan_late(struct onward_relay *r);
bool onward_relay__check_rules(struct onward_relay *r);
/* Is there a copy that the rules ask for; is there anything to do? */
bool onward_relay__has_copies(const struct onward_relay *r);
bool onward_relay__has_work(const struct onward_relay *r);
/* Add one, or find it; *is_new says which. 0, ONWARD_ESYNTAX or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_relay__add_destination(struct onward_relay *r,
                                                    struct onward_str address,
                                                    size_t *index,
                                                    bool *is_new);
/* The same, outside of the list. */
ONWARD_USE_RESULT int
onward_relay__read_destination(struct onward_relay *r,
                               struct onward_relay__destination *d,
                               struct onward_str address);
/* What is known of one for onward_relay_delivery_at(), but for its heir. */
void onward_relay__describe(const struct onward_relay *r,
                            const struct onward_relay__destination *from,
                            struct onward_relay_delivery *d);
/* Room for one more pointer in a list of the arena; false: no memory. */
bool onward_relay__grow(struct onward_relay *r, void *list, size_t count,
                        size_t *cap);
/* What conditions look at, for onward_ruleset__route(). */
struct onward_ruleset_facts onward_relay__facts(struct onward_relay *r);
/* The word that conditions and logs have for "spf", "dkim", "dmarc", "arc";
 * NULL for another name. With a verifier only. */
const char *onward_relay__verdict_word(const struct onward_relay *r,
                                       struct onward_str name);
/* Route an address, and what it leads to in our own zones; decision lives as
 * long as relay and router. Texts may stay in the scratch arena. */
ONWARD_USE_RESULT int
onward_relay__route(struct onward_relay *r,
                    struct onward_ruleset_router *router,
                    const struct onward_address__mailbox *to,
                    struct onward_ruleset_decision *decision);

/* The same for this address alone. */
ONWARD_USE_RESULT int
onward_relay__route_once(struct onward_relay *r,
                         struct onward_ruleset_router *router,
                         const struct onward_address__mailbox *to,
                         struct onward_ruleset_decision *decision);
/* Follow what a decision forwards to our own zones. 0 or an error of
 * onward_relay__route_once(). */
ONWARD_USE_RESULT int
onward_relay__expand(struct onward_relay *r,
                     struct onward_ruleset_router *router,
                     const struct onward_address__mailbox *to,
                     struct onward_ruleset_decision *decision);

/* ---- Events ------------------------------------------------------------ */

/* Ask handlers that were not asked; end what took too long. */
void onward_relay__run_events(struct onward_relay *r);
bool onward_relay__are_events_over(const struct onward_relay *r);
/* Tell handlers what became of their actions. */
void onward_relay__tell_actions(struct onward_relay *r);
/* Close what is open at the host and tell it. */
void onward_relay__cancel_event(struct onward_event *e);
/* The next moment that an event or a submission waits for. */
int64_t onward_relay__next_deadline(const struct onward_relay *r);
/* One more action; NULL: no memory. */
struct onward_relay__action *
onward_relay__add_action(struct onward_event *e,
                         enum onward_event_action_kind kind);

/* ---- Submissions ------------------------------------------------------- */

/* Where a message that is put apart would go. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_relay__find_ways(struct onward_relay *r,
                        struct onward_relay__submission *s);
/* One more, in the arena; NULL: no memory. */
struct onward_relay__submission *
onward_relay__add_submission(struct onward_relay *r,
                             enum onward_relay_submission_kind kind);
/* Ask for what can be asked; true when all are over. */
bool onward_relay__run_submissions(struct onward_relay *r);
bool onward_relay__are_submissions_over(const struct onward_relay *r);
void onward_relay__cancel_submission(struct onward_relay__submission *s);
void onward_relay__clear_submission(struct onward_relay__submission *s);

/* ---- Fields on top ----------------------------------------------------- */

/* The source of a copy. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_relay__write_top(struct onward_relay *r,
                        struct onward_relay__destination *d);
const struct onward_source *
onward_relay__top_source(const struct onward_relay *r,
                         const struct onward_relay__destination *d);

/* ---- The ledger -------------------------------------------------------- */

/* The key of a message that is sent, the number-th one of its event. */
void onward_relay__send_key(struct onward_relay__submission *s, size_t number);
/*
 * Once only, of a submission: claim it, if nobody has, for as long as bringing
 * it to the host may take; look at what is there instead; and once it is safe,
 * say so for all of its life. 0: the task becomes ready.
 */
ONWARD_USE_RESULT int onward_relay__claim(struct onward_relay__submission *s);
ONWARD_USE_RESULT int
onward_relay__look_at_claim(struct onward_relay__submission *s);
ONWARD_USE_RESULT int onward_relay__confirm(struct onward_relay__submission *s);
/* Is that value only a claim? */
bool onward_relay__is_claim(struct onward_str value);
/* What went well cannot be written down; a retry may double it. */
void onward_relay__warn_of_ledger(struct onward_relay *r, int err);

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
