/*
 * What of a session's message goes into the spool: its copies, with
 * `relay = spool`; what handlers write about it; and the notices of success
 * that its sender asked for and nobody behind us will send.
 */
#define _GNU_SOURCE
#include "kept.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"
#include "quarantine.h"
#include "queue.h"

/* A message of the spool that is not there yet, over what the relay knows. */
struct draft {
    struct spool_message m;
    struct spool_rcpt *rcpts;
    struct spool_state state;     /* of the first */
    struct spool_name names[100]; /* more are not told of */
    char from[ONWARD_IP_TEXT_MAX + 300];
};

/* The client as Received has it: its name, else its address. */
static struct onward_str client_name(struct draft *d, struct session *session)
{
    const struct message_log facts = session_facts(session, NULL);
    struct onward_str helo = onward_smtp_server_helo(facts.server);

    snprintf(d->from, sizeof(d->from), "%.*s", (int)helo.len, helo.data);
    return onward_str_of(d->from);
}

static void set_names(struct draft *d, const struct onward_relay *relay)
{
    struct spool_envelope *e = &d->m.envelope;
    struct onward_relay_rcpt rcpt = {.size = sizeof(rcpt)};

    e->names = d->names;
    while (e->name_count < sizeof(d->names) / sizeof(d->names[0]) &&
           onward_relay_rcpt_at(relay, e->name_count, &rcpt) == 0) {
        struct spool_name *name = &d->names[e->name_count++];

        name->address = rcpt.address;
        name->orcpt = rcpt.orcpt;
        name->notify = rcpt.notify;
    }
}

static struct draft *new_draft(void)
{
    return calloc(1, sizeof(struct draft));
}

static void free_draft(struct draft *d)
{
    if (d != NULL)
        free(d->rcpts);
    free(d);
}

static void set_envelope(struct draft *d, struct session *session,
                         const struct onward_relay *relay,
                         const struct onward_relay_delivery *facts)
{
    struct spool_envelope *e = &d->m.envelope;

    e->origin = SPOOL_RELAYED;
    e->reverse_path = facts->reverse_path;
    e->notice_path = facts->notice_path;
    e->envid = facts->envid;
    e->received_from = client_name(d, session);
    e->log_id = onward_str_of(session_facts(session, NULL).id);
    e->ret = facts->ret;
    e->body = facts->body;
    e->require_tls = facts->require_tls;
    e->tls_optional = facts->tls_optional;
    e->arrival_s = (int64_t)time(NULL);
    set_names(d, relay);
    d->m.states = &d->state;
    d->m.content = *facts->source;
}

/* One place more to go to. 0 or -1. */
static int add_rcpt(struct draft *d, const struct onward_relay_delivery *facts,
                    bool is_heir)
{
    struct spool_envelope *e = &d->m.envelope;
    struct spool_rcpt *more =
        realloc(d->rcpts, (e->rcpt_count + 1) * sizeof(*more));

    if (more == NULL)
        return -1;
    e->rcpts = d->rcpts = more;
    more[e->rcpt_count++] = (struct spool_rcpt){.address = facts->recipient,
                                                .domain = facts->domain,
                                                .orcpt = facts->orcpt,
                                                .notify = facts->notify,
                                                .is_heir = is_heir};
    e->smtputf8 |= facts->smtputf8;
    return 0;
}

/* A copy, and where it goes if it is not taken there: the relay hears that it
 * is delivered, so the rest of a list to fail over is ours to try. */
static int make_draft(struct draft *d, struct session *session,
                      const struct onward_relay *relay, size_t index)
{
    struct onward_relay_delivery facts = {.size = sizeof(facts)};

    if (onward_relay_delivery_at(relay, index, &facts) != 0 ||
        spool_new_id(d->m.id) != 0 || add_rcpt(d, &facts, false) != 0)
        return -1;
    set_envelope(d, session, relay, &facts);
    while (facts.heir != 0 && d->m.envelope.rcpt_count < SPOOL_RCPTS_MAX) {
        if (onward_relay_delivery_at(relay, facts.heir - 1, &facts) != 0 ||
            add_rcpt(d, &facts, true) != 0)
            return -1;
    }
    return 0;
}

int kept_copy(struct session *session, uint64_t token,
              const struct onward_relay *relay, size_t index,
              struct delivery_log *log)
{
    struct forwarder *fwd = session_forwarder(session);
    int64_t began_ms = host_now_ms();
    struct draft *d = new_draft();
    int ret = d == NULL ? -1 : make_draft(d, session, relay, index);

    if (ret == 0)
        ret = queue_submit_as(fwd, d->m.id, &d->m.envelope, &d->m.content);
    if (ret == 0) {
        struct onward_smtp_reply reply = {.size = sizeof(reply),
                                          .code = 250,
                                          .enhanced = ONWARD_STR("2.0.0")};

        log->code = 250;
        strcpy(log->enhanced, "2.0.0");
        snprintf(log->text, sizeof(log->text), "queued as %s", d->m.id);
        log->ms = host_now_ms() - began_ms;
        reply.text = onward_str_of(log->text);
        onward_relay_delivery_answer(fwd->desk, token, &reply);
    }
    free_draft(d);
    return ret;
}

static bool wants_success(const struct draft *d)
{
    for (size_t i = 0; i < d->m.envelope.name_count; i++) {
        if (d->names[i].notify & ONWARD_SMTP_NOTIFY_SUCCESS)
            return true;
    }
    return false;
}

static void tell(struct session *session, const struct onward_relay *relay,
                 size_t index, const struct delivery_log *log,
                 enum onward_dsn_action action)
{
    struct forwarder *fwd = session_forwarder(session);
    struct draft *d = fwd->queue == NULL ? NULL : new_draft();

    if (d == NULL)
        return;
    if (make_draft(d, session, relay, index) == 0 && wants_success(d)) {
        d->state.last_s = d->m.envelope.arrival_s;
        if (log != NULL) {
            d->state.code = (uint32_t)log->code;
            snprintf(d->state.host, sizeof(d->state.host), "%s", log->host);
        }
        /* Lost when the disk is full: the message itself is not held up. */
        notice_send(fwd->queue, &d->m, 0, action);
    }
    free_draft(d);
}

void kept_tell_relayed(struct session *session,
                       const struct onward_relay *relay, size_t index,
                       const struct delivery_log *log)
{
    /* Of several it was told, or will be, by one notice: "expanded". */
    if (onward_relay_rcpt_count(relay) == 1 &&
        onward_relay_delivery_count(relay) == 1)
        tell(session, relay, index, log, ONWARD_DSN_RELAYED);
}

void kept_tell_expanded(struct session *session,
                        const struct onward_relay *relay)
{
    if (onward_relay_reason(relay) == ONWARD_RELAY_REASON_DELIVERED &&
        (onward_relay_rcpt_count(relay) > 1 ||
         onward_relay_delivery_count(relay) > 1))
        tell(session, relay, 0, NULL, ONWARD_DSN_EXPANDED);
}

static bool is_ascii(struct onward_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] > 0x7f)
            return false;
    }
    return true;
}

int kept_submission(struct session *session, const struct onward_relay *relay,
                    size_t index, const struct onward_source *content)
{
    struct onward_relay_submission s = {.size = sizeof(s)};
    struct spool_envelope e = {
        .origin = SPOOL_MADE,
        .log_id = onward_str_of(session_facts(session, NULL).id)};
    char id[SPOOL_ID_MAX];
    int ret;

    if (onward_relay_submission_at(relay, index, &s) != 0 || s.rcpt_count == 0)
        return -1;
    e.reverse_path = s.reverse_path;
    /* That a reply fails is told to nobody: a robot wrote it. */
    if (s.kind == ONWARD_RELAY_SUBMISSION_SEND)
        e.notice_path = s.reverse_path;
    e.rcpts = calloc(s.rcpt_count, sizeof(*e.rcpts));
    if (e.rcpts == NULL)
        return -1;
    e.rcpt_count = s.rcpt_count;
    e.smtputf8 = !is_ascii(s.reverse_path);
    for (size_t i = 0; i < s.rcpt_count; i++) {
        e.rcpts[i].address = onward_relay_submission_rcpt(relay, index, i);
        if (!is_ascii(e.rcpts[i].address))
            e.smtputf8 = 1;
    }
    ret = queue_submit(session_forwarder(session), &e, content, id);
    free(e.rcpts);
    return ret;
}

/* For the file and for people: what is not plain text is not their word. */
static struct onward_str place_of(struct onward_str place)
{
    for (size_t i = 0; i < place.len; i++) {
        if ((unsigned char)place.data[i] < ' ' || place.data[i] == 127)
            place.len = 0;
    }
    return place.len > 0 && place.len <= 200 ? place : ONWARD_STR("quarantine");
}

/* Where it would go; when the rules know no way, whom it was for. */
static int add_ways(struct draft *d, struct session *session,
                    const struct onward_relay *relay, size_t index,
                    const struct onward_relay_submission *s)
{
    struct onward_relay_delivery facts = {.size = sizeof(facts)};
    size_t heir = 0;

    for (size_t i = 0; i < SPOOL_RCPTS_MAX && onward_relay_submission_delivery(
                                                  relay, index, i, &facts) == 0;
         i++) {
        if (add_rcpt(d, &facts, heir == i + 1) != 0)
            return -1;
        heir = facts.heir;
    }
    d->m.envelope.has_no_way = d->m.envelope.rcpt_count == 0;
    if (d->m.envelope.has_no_way) {
        facts.recipient = onward_relay_submission_rcpt(relay, index, 0);
        facts.reverse_path = s->reverse_path;
        facts.source = s->source;
        if (add_rcpt(d, &facts, false) != 0)
            return -1;
    }
    set_envelope(d, session, relay, &facts);
    d->m.envelope.place = place_of(s->place);
    return 0;
}

int kept_apart(struct session *session, const struct onward_relay *relay,
               size_t index)
{
    struct onward_relay_submission s = {.size = sizeof(s)};
    struct draft *d = new_draft();
    int ret = -1;

    if (d != NULL && onward_relay_submission_at(relay, index, &s) == 0)
        ret = add_ways(d, session, relay, index, &s);
    if (ret == 0)
        ret = quarantine_keep(session_forwarder(session), &d->m.envelope,
                              &d->m.content);
    free_draft(d);
    return ret;
}
