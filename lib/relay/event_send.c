/*
 * What a handler writes: an answer to the sender, and messages of its own. Each
 * is looked at whole, as it would leave; then it waits for the host to keep it.
 */
#include "relay/relay_priv.h"

#include "core/text_shared.h"

_Static_assert(offsetof(struct onward_event_message, builder) +
                       sizeof(struct onward_builder *) ==
                   sizeof(struct onward_event_message),
               "no tail padding");

enum {
    REPLY_BYTES = 25 * 1024 * 1024, /* as of a message that is sent */
    WORK_BYTES = 16 * 1024 * 1024,
    REFERENCES_MAX = 50,
    PIECE = 16384
};

static const struct onward_str nothing;

/* A message while it is looked at. */
struct letter {
    struct onward_event *event;
    struct onward_relay *r;
    struct onward_event_message given;
    struct onward_buf copy; /* of what the builder has */
    struct onward_str data;
    struct onward_header *header;
    struct onward_arena work;
    struct onward_handler__send send; /* in work */
    enum onward_relay_submission_kind kind;
    struct onward_refusal *refusal;
};

static int refuse(struct letter *l, enum onward_refusal_code code,
                  struct onward_str what)
{
    return onward_handler__refuse(l->refusal, code, what);
}

/* ---- Reading it -------------------------------------------------------- */

/* A builder knows neither whom it answers nor how. */
static int complete(struct letter *l)
{
    struct onward_builder *b = l->given.builder;
    int err = 0;

    if (l->kind != ONWARD_RELAY_SUBMISSION_REPLY)
        return 0;
    if (onward_builder_rcpt_count(b) == 0)
        err = onward_builder_add_address(b, ONWARD_BUILDER_TO, nothing,
                                         l->r->reverse_path);
    if (err == 0) {
        err = onward_builder_set_reply_to_message(
            b, onward_verifier_header(l->r->verifier));
        if (err == ONWARD_ESTATE) /* the handler did it */
            err = 0;
    }
    return err == ONWARD_ESTATE ? 0 : err;
}

/* 1, 0 or an error. */
static int read_builder(struct letter *l)
{
    const struct onward_source *source = NULL;
    uint64_t at = 0;
    int err = complete(l);

    if (err == 0)
        err = onward_builder_source(l->given.builder, &source);
    if (err != 0)
        return err;
    if (source->len > REPLY_BYTES)
        return refuse(l, ONWARD_REFUSAL_TOO_LARGE, nothing);
    err = onward_core__buf_reserve(&l->copy, (size_t)source->len);
    while (err == 0 && at < source->len) {
        size_t got = 0;

        err = source->read(source->user, at, l->copy.data + l->copy.len,
                           (size_t)(source->len - at), &got);
        if (err != 0 || got == 0)
            return ONWARD_ECALLBACK;
        l->copy.len += got;
        at += got;
    }
    if (err != 0)
        return err;
    l->data = onward_core__buf_str(&l->copy);
    if (l->given.from.len == 0)
        l->given.from = onward_builder_mail_from(l->given.builder);
    return 1;
}

static int read_header(struct letter *l)
{
    size_t taken;
    int err = onward_header_new(l->r->ctx, &l->header);

    if (err == 0)
        err = onward_header_feed(l->header, l->data.data, l->data.len, &taken);
    if (err >= 0)
        err = onward_header_finish(l->header);
    if (err == ONWARD_ELIMIT)
        return refuse(l, ONWARD_REFUSAL_PARSE, nothing);
    return err < 0 ? err : 1;
}

static int read_letter(struct letter *l)
{
    int ret = 1;

    l->data = l->given.data;
    if (l->given.builder != NULL)
        ret = read_builder(l);
    if (ret == 1 && l->data.len > REPLY_BYTES)
        return refuse(l, ONWARD_REFUSAL_TOO_LARGE, nothing);
    return ret == 1 ? read_header(l) : ret;
}

/* ---- May it go? -------------------------------------------------------- */

static struct onward_reply_question question(const struct onward_event *e)
{
    const struct onward_verifier *v = e->relay->verifier;

    return (struct onward_reply_question){
        .size = sizeof(struct onward_reply_question),
        .original = onward_verifier_header(v),
        .original_from = e->relay->reverse_path,
        .original_to = e->rcpt->text,
        .dmarc_result = (size_t)onward_verifier_dmarc_result(v),
        .is_answered = e->has_replied};
}

int onward_event_can_be_replied(const struct onward_event *event,
                                struct onward_refusal *refusal)
{
    const struct onward_reply_question q = question(event);

    return onward_reply_check(&q, refusal);
}

/* The author's address, where the handler names no envelope. */
static int fill_from(struct letter *l)
{
    struct onward_str author;
    int ret;

    if (l->given.from.len != 0)
        return 1;
    ret = onward_handler__check_message(&l->work, l->header, nothing, &author,
                                        l->refusal);
    if (ret == 1)
        l->given.from = author;
    return ret;
}

static int check_reply(struct letter *l)
{
    struct onward_reply_question q = question(l->event);
    struct onward_str *to;
    int ret = onward_reply_check(&q, l->refusal); /* before its words */

    if (ret == 1)
        ret = fill_from(l);
    if (ret != 1)
        return ret;
    if (l->given.to.len == 0)
        l->given.to = l->r->reverse_path;
    q.reply = l->header;
    q.reply_from = l->given.from;
    q.reply_to = l->given.to;
    ret = onward_reply_check(&q, l->refusal);
    if (ret != 1)
        return ret;
    to = onward_core__arena_array(&l->work, 1, sizeof(*to));
    if (to == NULL)
        return ONWARD_ENOMEM;
    *to = l->r->reverse_path;
    l->send.from = l->given.from;
    l->send.to = to;
    l->send.to_count = 1;
    return 1;
}

static int check_send(struct letter *l, const struct onward_binding *binding)
{
    const struct onward_relay_opts *o = &l->r->opts;
    const struct onward_send_question q = {
        .size = sizeof(q),
        .binding = binding,
        .ruleset = o->ruleset,
        .facts = o->send_facts == NULL ? NULL : &l->r->send_facts,
        .message = l->data,
        .from = l->given.from,
        .to = l->given.to,
        .allow_unverified = o->allow_unverified_sends,
        .builder = l->given.builder};

    return onward_handler__send_check(&l->work, &q, &l->send, l->refusal);
}

static int ask_limit(struct letter *l)
{
    const struct onward_relay_host *host = &l->r->host;

    for (size_t i = 0; host->may_send != NULL && i < l->send.to_count; i++) {
        int word = host->may_send(host->user, l->event, l->kind,
                                  l->send.to[i].data, l->send.to[i].len);

        if (onward_relay__is_dead(l->r))
            return refuse(l, ONWARD_REFUSAL_OVER, nothing);
        if (word == 1)
            return refuse(l, ONWARD_REFUSAL_RATE_LIMIT, l->send.to[i]);
        if (word == 2)
            return refuse(l, ONWARD_REFUSAL_DAILY_LIMIT, l->send.to[i]);
        if (word != 0)
            return refuse(l, ONWARD_REFUSAL_INTERNAL, l->send.to[i]);
    }
    return 1;
}

/* ---- As it leaves ------------------------------------------------------ */

static int add_date(struct onward_relay__submission *s, struct onward_ctx *ctx)
{
    struct onward_buf out;
    int err;

    if (onward_header_count_named(s->header, ONWARD_STR("Date")) != 0)
        return 0;
    onward_core__buf_init(&out, ctx, 100);
    err = onward_core__date_rfc5322(&out, onward_core__now_s(ctx));
    if (err == 0)
        err = onward_edit_add(s->edit, ONWARD_STR("Date"),
                              onward_core__buf_str(&out));
    onward_core__buf_clear(&out);
    return err;
}

static int add_references(struct letter *l, struct onward_relay__submission *s)
{
    struct onward_buf out;
    int err;

    if (onward_header_count_named(s->header, ONWARD_STR("References")) != 0)
        return 0;
    onward_core__buf_init(&out, l->r->ctx, 65536);
    err = onward_handler__write_references(
        &out, onward_verifier_header(l->r->verifier), REFERENCES_MAX);
    if (err == 0)
        err = onward_edit_add(s->edit, ONWARD_STR("References"),
                              onward_core__buf_str(&out));
    onward_core__buf_clear(&out);
    return err;
}

static void cut(struct onward_relay__submission *s, struct onward_str name)
{
    size_t i = onward_header_first(s->header, name);

    for (; i != ONWARD_HEADER_NONE; i = s->header->items[i].below)
        (void)onward_edit_cut(s->edit, i);
}

/* What the handler says of Auto-Submitted does not count: it is a program. */
static int edit(struct letter *l, struct onward_relay__submission *s)
{
    int err;

    cut(s, ONWARD_STR("Bcc"));
    err = add_date(s, l->r->ctx);
    if (l->kind != ONWARD_RELAY_SUBMISSION_REPLY)
        return err;
    if (err == 0)
        err = add_references(l, s);
    cut(s, ONWARD_STR("Auto-Submitted"));
    return err != 0 ? err
                    : onward_edit_add(s->edit, ONWARD_STR("Auto-Submitted"),
                                      ONWARD_STR("auto-replied"));
}

static int copy_envelope(struct letter *l, struct onward_relay__submission *s)
{
    struct onward_arena *arena = &l->r->arena;
    int err = onward_core__arena_dup(arena, l->send.from, &s->reverse_path);

    s->rcpts =
        onward_core__arena_array(arena, l->send.to_count, sizeof(*s->rcpts));
    if (s->rcpts == NULL)
        return ONWARD_ENOMEM;
    for (; s->rcpt_count < l->send.to_count && err == 0; s->rcpt_count++)
        err = onward_core__arena_dup(arena, l->send.to[s->rcpt_count],
                                     &s->rcpts[s->rcpt_count]);
    return err;
}

static void make_key(struct letter *l, struct onward_relay__submission *s)
{
    if (l->kind != ONWARD_RELAY_SUBMISSION_REPLY) {
        onward_relay__send_key(s, l->event->sends);
        return;
    }
    s->key_len = onward_handler__reply_key(
        s->key,
        onward_handler__one_id(onward_verifier_header(l->r->verifier),
                               ONWARD_STR("Message-ID")),
        l->r->reverse_path, l->event->rcpt->text);
}

static int fill(struct letter *l, struct onward_relay__submission *s)
{
    const struct onward_edit_opts opts = {.size = sizeof(opts)};
    int err = copy_envelope(l, s);

    s->event = l->event;
    s->header = l->header; /* freed with it from now on */
    l->header = NULL;
    s->message_id = onward_handler__one_id(s->header, ONWARD_STR("Message-ID"));
    if (err == 0)
        err = onward_memory_source_new(l->r->ctx, l->data.data, l->data.len,
                                       &s->memory);
    if (err == 0)
        err = onward_edit_new(l->r->ctx, onward_memory_source_table(s->memory),
                              s->header, &opts, &s->edit);
    if (err == 0)
        err = edit(l, s);
    if (err == 0)
        err = onward_edit_source(s->edit, &s->source);
    make_key(l, s);
    return err == 0 || err == ONWARD_ENOMEM ? err : ONWARD_ENOMEM;
}

static int submit(struct letter *l)
{
    struct onward_relay__submission *s =
        onward_relay__add_submission(l->r, l->kind);
    struct onward_relay__action *a;
    int err;

    if (s == NULL)
        return ONWARD_ENOMEM;
    err = fill(l, s);
    a = err != 0 ? NULL
                 : onward_relay__add_action(
                       l->event, l->kind == ONWARD_RELAY_SUBMISSION_REPLY
                                     ? ONWARD_EVENT_REPLY
                                     : ONWARD_EVENT_SEND);
    if (a == NULL) {
        l->r->submission_count--;
        onward_relay__clear_submission(s);
        return ONWARD_ENOMEM;
    }
    a->submission = s;
    a->index = s->index;
    if (l->kind == ONWARD_RELAY_SUBMISSION_REPLY)
        l->event->has_replied = true;
    else
        l->event->sends++;
    onward_core__task_ready(&l->r->task);
    return 0;
}

/* ---- Both -------------------------------------------------------------- */

static int check(struct letter *l, const struct onward_binding *binding)
{
    int ret = read_letter(l);

    if (ret == 1)
        ret = l->kind == ONWARD_RELAY_SUBMISSION_REPLY ? check_reply(l)
                                                       : check_send(l, binding);
    return ret == 1 ? ask_limit(l) : ret;
}

static int take(struct letter *l, const struct onward_event_message *message,
                const struct onward_binding *binding, size_t *action)
{
    struct onward_event *e = l->event;
    int ret;

    if (message == NULL || !onward_handler__can_refuse(l->refusal))
        return ONWARD_EINVAL;
    ret = onward_core__opts_load(&l->given, sizeof(l->given), message);
    if (ret != 0)
        return ret;
    if ((l->given.data.len != 0) == (l->given.builder != NULL))
        return ONWARD_EINVAL;
    if (l->r->host.submit == NULL)
        return ONWARD_ESTATE;
    if (e->state != ONWARD_EVENT_OPEN || onward_relay__is_dead(l->r))
        return refuse(l, ONWARD_REFUSAL_OVER, nothing);
    if (l->kind == ONWARD_RELAY_SUBMISSION_SEND &&
        e->sends >= l->r->opts.max_sends)
        return refuse(l, ONWARD_REFUSAL_TOO_MANY, nothing);
    ret = check(l, binding);
    if (ret == 1) {
        ret = submit(l);
        if (ret == 0 && action != NULL)
            *action = e->action_count - 1;
        if (ret == 0)
            ret = 1;
    }
    return ret;
}

static int write_letter(struct onward_event *event,
                        enum onward_relay_submission_kind kind,
                        const struct onward_binding *binding,
                        const struct onward_event_message *message,
                        size_t *action, struct onward_refusal *refusal)
{
    struct onward_relay *r = event->relay;
    struct letter l = {
        .event = event, .r = r, .kind = kind, .refusal = refusal};
    int ret;

    onward_core__guard_enter(&r->guard);
    onward_core__buf_init(&l.copy, r->ctx, REPLY_BYTES);
    onward_core__arena_init(&l.work, r->ctx, WORK_BYTES);
    ret = take(&l, message, binding, action);
    onward_header_free(l.header);
    onward_core__arena_clear(&l.work);
    onward_core__buf_clear(&l.copy);
    onward_relay__leave(r);
    return ret;
}

int onward_event_reply(struct onward_event *event,
                       const struct onward_event_message *message,
                       size_t *action, struct onward_refusal *refusal)
{
    return write_letter(event, ONWARD_RELAY_SUBMISSION_REPLY, NULL, message,
                        action, refusal);
}

int onward_event_send(struct onward_event *event,
                      const struct onward_binding *binding,
                      const struct onward_event_message *message,
                      size_t *action, struct onward_refusal *refusal)
{
    return write_letter(event, ONWARD_RELAY_SUBMISSION_SEND, binding, message,
                        action, refusal);
}

/* ---- Later ------------------------------------------------------------- */

int onward_event_ticket(struct onward_event *event, struct onward_str *ticket,
                        struct onward_refusal *refusal)
{
    struct onward_relay *r = event->relay;
    char text[ONWARD_TICKET_TEXT_MAX];
    int ret;

    if (r->opts.minter == NULL)
        return ONWARD_ESTATE;
    ret = ticket == NULL ? ONWARD_EINVAL
                         : onward_event_can_be_replied(event, refusal);
    if (ret != 1)
        return ret;
    ret = onward_ticket_mint(
        r->opts.minter,
        onward_handler__one_id(onward_verifier_header(r->verifier),
                               ONWARD_STR("Message-ID")),
        r->reverse_path, event->rcpt->text,
        onward_core__now_s(r->ctx) + (int64_t)r->opts.ticket_life_s, text,
        sizeof(text));
    if (ret < 0)
        return ret == ONWARD_ELIMIT
                   ? onward_handler__refuse(
                         refusal, ONWARD_REFUSAL_REPLY_NO_ORIGINAL_ID, nothing)
                   : ret;
    ret = onward_core__arena_dup(&r->arena, onward_core__str(text, (size_t)ret),
                                 ticket);
    return ret == 0 ? 1 : ret;
}
