/*
 * Notices of the queue: what became of a recipient is told to whom the envelope
 * says may be told (the relay decided that: never a null sender, and nobody
 * whose address may be forged).
 *
 * Automatic mail: a failure is told to it as to any other, because RFC 5321
 * section 6.1 asks for that without exception and mailing lists strike dead
 * members by it; RFC 3834 speaks of replies, and a notice has a null sender, so
 * nothing answers it in turn. That something is late is told to people only:
 * nothing demands it (RFC 3461 section 5.2.5), and no list can use it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "queue.h"

struct notice {
    struct queue *q;
    const struct spool_message *m;
    size_t rcpt;
    enum onward_dsn_action action;
    struct onward_dsn *dsn;
    struct onward_header *header; /* of the message; NULL: none was read */
    int unwanted;
    char status[16], diagnostic[SPOOL_TEXT_MAX + 32];
};

/* ---- Is it wanted? ----------------------------------------------------- */

/* What can be read of it is enough to tell automatic mail. */
static struct onward_header *read_header(struct onward_ctx *ctx,
                                         const struct onward_source *content)
{
    struct onward_header *header = NULL;
    char piece[8192];
    uint64_t at = 0;
    size_t got = 0, taken = 0;
    int ret = onward_header_new(ctx, &header);

    while (ret == 0 && at < content->len) {
        if (content->read(content->user, at, piece, sizeof(piece), &got) != 0)
            break;
        ret = onward_header_feed(header, piece, got, &taken);
        at += got;
    }
    if (ret >= 0 && header != NULL && onward_header_finish(header) == 0)
        return header;
    onward_header_free(header);
    return NULL;
}

static bool is_wanted(struct notice *n, size_t notify)
{
    const struct onward_dsn_question question = {
        .size = sizeof(question),
        .reverse_path = n->m->envelope.notice_path,
        .action = n->action,
        .notify = notify,
        .original = n->header,
        .allow_automatic = n->action != ONWARD_DSN_DELAYED};

    return onward_dsn_is_wanted(&question, &n->unwanted) == 1;
}

/* ---- What it says ------------------------------------------------------ */

/* A status whose class fits the action; what the server said, where it does. */
static void set_status(struct notice *n)
{
    const struct spool_state *s = &n->m->states[n->rcpt];
    const char *status = "2.0.0";
    char class = '2';

    if (n->action == ONWARD_DSN_DELAYED) {
        status = "4.4.7";
        class = '4';
    } else if (n->action == ONWARD_DSN_FAILED) {
        /* One that was tried for too long (RFC 3463 section 3.5). */
        status = s->code >= 500 ? "5.0.0" : "4.4.7";
        class = s->code >= 500 ? '5' : '\0';
    }
    if (s->enhanced[0] == class)
        status = s->enhanced;
    snprintf(n->status, sizeof(n->status), "%s", status);
    if (s->code != 0)
        snprintf(n->diagnostic, sizeof(n->diagnostic), "%u %s%s%s", s->code,
                 s->enhanced, s->enhanced[0] == '\0' ? "" : " ", s->text);
}

static int add(struct notice *n, struct onward_str recipient,
               struct onward_str orcpt, size_t notify)
{
    const struct spool_state *s = &n->m->states[n->rcpt];
    const struct settings *set = &n->q->fwd->setup->settings;
    struct onward_dsn_outcome o = {.size = sizeof(o),
                                   .action = n->action,
                                   .notify = notify,
                                   .recipient = recipient,
                                   .orcpt = orcpt,
                                   .status = onward_str_of(n->status),
                                   .remote_mta = onward_str_of(s->host),
                                   .diagnostic = onward_str_of(n->diagnostic),
                                   .log_id = onward_str_of(n->m->id),
                                   .last_attempt_s = s->last_s};
    int ret;

    if (!is_wanted(n, notify))
        return 0;
    if (n->action == ONWARD_DSN_DELAYED)
        o.will_retry_until_s =
            n->m->envelope.arrival_s + (int64_t)set->queue_life_s;
    ret = onward_dsn_add(n->dsn, &o);
    if (ret != ONWARD_ESYNTAX)
        return ret;
    /* What a server is called, or the sender's own words for a recipient, must
     * not keep the news from him. */
    o.remote_mta = o.orcpt = (struct onward_str){0};
    return onward_dsn_add(n->dsn, &o);
}

/* The sender hears of whom he wrote to, not of where we forward to. */
static int add_all(struct notice *n)
{
    const struct spool_envelope *e = &n->m->envelope;
    const struct spool_rcpt *r = &e->rcpts[n->rcpt];
    int ret = 0;

    for (size_t i = 0; i < e->name_count && ret >= 0; i++)
        ret =
            add(n, e->names[i].address, e->names[i].orcpt, e->names[i].notify);
    if (e->name_count == 0)
        ret = add(n, r->address, r->orcpt, r->notify);
    return ret;
}

static bool is_ascii(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] > 126)
            return false;
    }
    return true;
}

static int begin(struct notice *n)
{
    const struct spool_envelope *e = &n->m->envelope;
    struct onward_dsn_opts o = {
        .size = sizeof(o),
        .reporting_mta = onward_str_of(n->q->fwd->setup->settings.hostname),
        .reverse_path = e->notice_path,
        .envid = e->envid,
        .received_from = e->received_from,
        /* RFC 8689 section 5: as if RET=HDRS had been there. */
        .ret = e->require_tls ? ONWARD_SMTP_RET_HDRS : e->ret,
        .arrival_s = e->arrival_s,
        .allow_utf8 = !is_ascii(e->notice_path)};
    int ret = onward_dsn_new(n->q->fwd->ctx, &o, &n->dsn);

    if (ret != ONWARD_ESYNTAX)
        return ret;
    /* A client may call itself anything: that is no reason to keep still. */
    o.received_from = (struct onward_str){0};
    return onward_dsn_new(n->q->fwd->ctx, &o, &n->dsn);
}

/* ---- Into the queue ---------------------------------------------------- */

/* Made of what it is about: after a kill it is the same again. */
static void make_id(const struct spool_message *m, size_t rcpt,
                    enum onward_dsn_action action, char id[SPOOL_ID_MAX])
{
    const char *word = onward_dsn_action_name((int)action);

    /* "delayed" and "delivered" begin alike. */
    snprintf(id, SPOOL_ID_MAX, "%.40s-%zu%.3s", m->id, rcpt, word);
}

bool notice_is_there(struct queue *q, const struct spool_message *m,
                     size_t rcpt, enum onward_dsn_action action)
{
    char id[SPOOL_ID_MAX];

    make_id(m, rcpt, action, id);
    return spool_has(q->spool, id);
}

static int submit(struct notice *n, struct onward_builder *builder)
{
    const struct spool_envelope *about = &n->m->envelope;
    struct spool_rcpt rcpt = {.address = onward_builder_rcpt_at(builder, 0),
                              /* RFC 3461 section 6.1 */
                              .notify = ONWARD_SMTP_NOTIFY_NEVER};
    struct spool_envelope e = {.origin = SPOOL_NOTICE,
                               .log_id = onward_str_of(n->m->id),
                               .require_tls = about->require_tls,
                               .rcpts = &rcpt,
                               .rcpt_count = 1};
    const struct onward_source *source;
    char id[SPOOL_ID_MAX];
    uint64_t needs;

    if (onward_builder_source(builder, &source) != 0 || rcpt.address.len == 0)
        return -1;
    needs = onward_builder_needs(builder);
    e.smtputf8 = (needs & ONWARD_BUILDER_NEEDS_SMTPUTF8) != 0;
    e.body = needs & ONWARD_BUILDER_NEEDS_8BITMIME ? ONWARD_SMTP_BODY_8BITMIME
                                                   : ONWARD_SMTP_BODY_7BIT;
    make_id(n->m, n->rcpt, n->action, id);
    e.arrival_s = n->m->states[n->rcpt].last_s;
    if (queue_submit_as(n->q->fwd, id, &e, source) == 0)
        return 0;
    return errno == EEXIST ? 0 : -1;
}

static int write_it(struct notice *n)
{
    struct onward_builder *builder = NULL;
    int ret = onward_dsn_set_original(n->dsn, &n->m->content);

    if (ret == 0)
        ret = onward_dsn_build(n->dsn, &builder);
    if (ret != 0)
        return ret;
    ret = submit(n, builder);
    onward_builder_free(builder);
    return ret;
}

/* Nobody hears of it but who reads the log. */
static void say_untold(struct notice *n, const char *why)
{
    char text[SPOOL_ID_MAX + 80];

    snprintf(text, sizeof(text), "%s %s: %s", n->m->id,
             onward_dsn_action_name((int)n->action), why);
    log_event(n->q->fwd, "queue-untold", text);
}

static const char *why_untold(const struct notice *n)
{
    if (n->m->envelope.reverse_path.len == 0)
        return "null-sender";
    if (n->m->envelope.notice_path.len == 0)
        return "sender-not-proven";
    return onward_dsn_unwanted_name(n->unwanted);
}

static int make(struct notice *n)
{
    int ret;

    set_status(n);
    n->header = read_header(n->q->fwd->ctx, &n->m->content);
    ret = begin(n);
    if (ret == 0)
        ret = add_all(n);
    if (ret >= 0 && onward_dsn_count(n->dsn) == 0) {
        say_untold(n, why_untold(n));
        return 0;
    }
    return ret >= 0 ? write_it(n) : ret;
}

int notice_send(struct queue *q, const struct spool_message *m, size_t rcpt,
                enum onward_dsn_action action)
{
    struct notice n = {.q = q, .m = m, .rcpt = rcpt, .action = action};
    int ret;

    if (m->envelope.notice_path.len == 0) {
        say_untold(&n, why_untold(&n));
        return 0;
    }
    ret = make(&n);
    onward_dsn_free(n.dsn);
    onward_header_free(n.header);
    /* What cannot be written at all never can: then the log has it. */
    if (ret == ONWARD_ESYNTAX || ret == ONWARD_EINVAL) {
        say_untold(&n, onward_strerror(ret));
        return 0;
    }
    return ret < 0 ? -1 : 0;
}
