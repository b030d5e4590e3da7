/*
 * The copies of a session's message on their way: between the relay, which asks
 * for each and hears what became of it, and the deliveries.
 */
#include <stdlib.h>

#include "forwarder.h"

struct copy {
    struct copy *next, **prev;
    struct session *session;
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

static int start(struct copy *c, const struct onward_relay *relay, size_t index,
                 struct delivery_log *log)
{
    const struct delivery_host host = {
        .user = c, .is_wanted = is_wanted, .done = delivered};
    struct onward_relay_delivery facts = {.size = sizeof(facts)};
    struct delivery_job job = {.setup = session_setup(c->session), .log = log};

    if (onward_relay_delivery_at(relay, index, &facts) != 0)
        return -1;
    job.reverse_path = facts.reverse_path;
    job.recipient = facts.recipient;
    job.domain = facts.domain;
    job.source = facts.source;
    job.smtputf8 = facts.smtputf8;
    c->delivery = delivery_start(c->fwd, &job, &host);
    return c->delivery == NULL ? -1 : 0;
}

int copy_start(struct session *session, uint64_t token,
               const struct onward_relay *relay, size_t index,
               struct delivery_log *log)
{
    struct forwarder *fwd = session_forwarder(session);
    struct copy *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return -1;
    c->session = session;
    c->fwd = fwd;
    c->token = token;
    c->next = fwd->copies;
    c->prev = &fwd->copies;
    if (c->next != NULL)
        c->next->prev = &c->next;
    fwd->copies = c;
    if (start(c, relay, index, log) != 0) {
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
