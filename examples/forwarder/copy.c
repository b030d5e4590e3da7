/*
 * The copies of a session's message on their way: between the relay, which asks
 * for each and hears what became of it, and the deliveries; or the spool, with
 * which a copy is as good as delivered.
 */
#include <stdlib.h>

#include "forwarder.h"
#include "kept.h"

struct copy {
    struct copy *next, **prev;
    struct session *session;
    const struct onward_relay *relay;
    size_t index;
    struct delivery_log *log;
    struct forwarder *fwd;
    uint64_t token;
    struct delivery *delivery;
};

static void free_copy(struct copy *c)
{
    *c->prev = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    free(c);
}

/* Is there still somebody to tell? */
static bool is_wanted(void *user)
{
    return !session_peer_is_gone(((const struct copy *)user)->session);
}

static void delivered(void *user, const struct delivery_result *got)
{
    struct copy *c = user;
    struct onward_smtp_reply reply = got->reply;

    if (got->fate == ONWARD_EGRESS_DELIVERED &&
        (got->notes & ONWARD_SMTP_NOTE_NO_DSN))
        kept_tell_relayed(c->session, c->relay, c->index, c->log);
    if (onward_relay_delivery_answer(c->fwd->desk, c->token, &reply) != 0) {
        /* A reply that the relay cannot take, of a server that is odd. */
        reply = (struct onward_smtp_reply){
            .size = sizeof(reply),
            .code = got->fate == ONWARD_EGRESS_PERMANENT   ? 554
                    : got->fate == ONWARD_EGRESS_DELIVERED ? 250
                                                           : 451};
        onward_relay_delivery_answer(c->fwd->desk, c->token, &reply);
    }
    free_copy(c);
}

static int start(struct copy *c)
{
    const struct delivery_host host = {
        .user = c, .is_wanted = is_wanted, .done = delivered};
    struct onward_relay_delivery facts = {.size = sizeof(facts)};
    struct delivery_job job = {.setup = session_setup(c->session),
                               .log = c->log};

    if (onward_relay_delivery_at(c->relay, c->index, &facts) != 0)
        return -1;
    job.reverse_path = facts.reverse_path;
    job.recipient = facts.recipient;
    job.domain = facts.domain;
    job.source = facts.source;
    job.smtputf8 = facts.smtputf8;
    job.require_tls = facts.require_tls;
    job.tls_optional = facts.tls_optional;
    /* Nobody here has promised anything where there is no spool. */
    if (queue_is_open(c->fwd)) {
        job.notify = facts.notify;
        job.orcpt = facts.orcpt;
        job.ret = facts.ret;
        job.envid = facts.envid;
    }
    c->delivery = delivery_start(c->fwd, &job, &host);
    return c->delivery == NULL ? -1 : 0;
}

int copy_start(struct session *session, uint64_t token,
               const struct onward_relay *relay, size_t index,
               struct delivery_log *log)
{
    struct forwarder *fwd = session_forwarder(session);
    struct copy *c;

    if (session_setup(session)->settings.relay == RELAY_SPOOL &&
        queue_is_open(fwd))
        return kept_copy(session, token, relay, index, log);
    c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -1;
    c->session = session;
    c->fwd = fwd;
    c->token = token;
    c->relay = relay;
    c->index = index;
    c->log = log;
    c->next = fwd->copies;
    c->prev = &fwd->copies;
    if (c->next != NULL)
        c->next->prev = &c->next;
    fwd->copies = c;
    if (start(c) != 0) {
        free_copy(c);
        return -1;
    }
    return 0;
}

void copy_cancel(struct forwarder *fwd, uint64_t token)
{
    for (struct copy *c = fwd->copies; c != NULL; c = c->next) {
        if (c->token == token) {
            delivery_cancel(c->delivery);
            free_copy(c);
            return;
        }
    }
}
