/* A post office for the tests of relay: rules, DNS, a key, a store, and a host
 * that answers deliveries as it was told. */
#ifndef ONWARD_TESTS_RELAY_POST_H
#define ONWARD_TESTS_RELAY_POST_H

#include <onward/relay_event.h>

#include "support/support.h"

enum { T_POST_MAX = 8 };

struct t_post {
    struct t_world *w;
    bool owns_world;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_ruleset *rules;
    struct onward_srs *srs;
    struct onward_memstore *mem;
    struct onward_store *store;
    struct onward_signer *signer;
    struct onward_verifier *verifier;
    struct onward_memory_source *memory;
    struct onward_relay *relay;
    int64_t now_ms;

    /* Before t_post_mail(). */
    struct onward_relay_opts opts;
    struct onward_ruleset_facts facts;
    const char *client_ip; /* 192.0.2.9 passes SPF of a.example */
    size_t smtputf8, require_tls;
    const struct onward_source *source; /* instead of the message in memory */
    const struct onward_dkim_signer_opts *dkim; /* signs with signer, twice */

    /* How the host delivers: by index, "250 2.0.0 OK" at once, NULL later. */
    const char *answers[T_POST_MAX];
    int deliver_returns;
    bool frees_in_deliver, frees_in_cancel, frees_in_done;
    bool frees_desk_in_deliver; /* after the answer */

    /* The handler; NULL: there is none. Returns what handle does. */
    int (*handler)(struct t_post *x, uint64_t token,
                   struct onward_event *event);
    /* An action of it has ended; may be NULL. */
    void (*acted)(struct t_post *x, struct onward_event *event, size_t action);
    bool takes_submissions;
    int submit_returns, submit_status; /* ONWARD_AGAIN: answered later */
    int may_send;
    struct onward_send_facts send_facts;

    /* What happened. */
    uint64_t tokens[T_POST_MAX]; /* by index */
    size_t asked_count, canceled_count;
    size_t handled_count, acted_count, submitted_count;
    uint64_t handler_token, submission_token;
    struct onward_event *event; /* the last one */
    uint64_t canceled[T_POST_MAX];
    int done;
    char reply[1024]; /* of RCPT: "250 2.1.5 Recipient OK" */
    char *sent;       /* what t_post_sent() has read */
};

/* A world with all of it. The second takes a world that may fail; false: it
 * did. */
void t_post_open(struct t_post *x);
bool t_post_open_in(struct t_post *x, struct t_world *w);
void t_post_close(struct t_post *x);
/* End the transaction; the rest stays, for the next one. */
void t_post_reset(struct t_post *x);

/* 0 or an error each. */
int t_post_mail(struct t_post *x, const char *from);
int t_post_rcpt(struct t_post *x, const char *to);
/* The whole message, verified; then the relay is started and the desk run. */
int t_post_data(struct t_post *x, const char *message);
int t_post_data_n(struct t_post *x, const char *message, size_t len);
void t_post_run(struct t_post *x);
/* All of the above; the final reply as text. */
const char *t_post_send(struct t_post *x, const char *from, const char *to,
                        const char *message);
/* "250 2.0.0 OK", of the whole message. */
const char *t_post_reply(struct t_post *x);
/* "450 4.2.1 Busy" to a delivery. */
int t_post_answer(struct t_post *x, size_t index, const char *reply);
/* The message as it leaves, read in pieces. */
const char *t_post_sent(struct t_post *x);
/* Of a delivery, and of a submission. */
const char *t_post_sent_to(struct t_post *x, size_t index);
const char *t_post_submitted(struct t_post *x, size_t index);
/* Destination i: "me@dest.example delivered". */
const char *t_post_fate(struct t_post *x, size_t i);

#define T_POST_RECEIVED                                                        \
    "Received: from mail.a.example ([192.0.2.9])\r\n"                          \
    "\tby mx.example.com with ESMTP; Sun, 13 Sep 2020 12:26:40 +0000\r\n"

/* From a.example (p=reject), with SPF pass when it comes from 192.0.2.9. */
extern const char t_post_plain[];

#endif
