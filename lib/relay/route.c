/*
 * RCPT: what the rules do with an address, and whether it goes where the
 * recipients before it go.
 */
#include "relay/relay_priv.h"

#include "core/text_shared.h"

/* One RCPT while it is answered. */
struct question {
    struct onward_relay *relay;
    struct onward_address__mailbox mailbox; /* in the scratch arena */
    struct onward_str text;                 /* there too */
    size_t notify;
    struct onward_str orcpt;
    struct onward_ruleset_decision decision;
    struct onward_relay__rcpt *rcpt; /* once it was added */
    size_t code;
    struct onward_str enhanced, reply_text;
};

static int answer(struct question *q, size_t code, struct onward_str enhanced,
                  struct onward_str text)
{
    q->code = code;
    q->enhanced = enhanced;
    q->reply_text = text;
    return code < 300;
}

static int accept(struct question *q)
{
    return answer(q, 250, ONWARD_STR("2.1.5"), ONWARD_STR("Recipient OK"));
}

/* ---- The address ------------------------------------------------------- */

int onward_relay__write(struct onward_relay *r, struct onward_arena *arena,
                        const struct onward_address__mailbox *mailbox,
                        struct onward_str *text)
{
    struct onward_buf out;
    int err;

    onward_core__buf_init(&out, r->ctx, 2048);
    err = onward_address__write(&out, mailbox, ONWARD_ADDRESS_ASCII);
    if (err == 0)
        err = onward_core__arena_dup(arena, onward_core__buf_str(&out), text);
    onward_core__buf_clear(&out);
    return err == 0 ? 0 : ONWARD_ENOMEM;
}

/* "Postmaster" alone is that of our own name (RFC 5321 section 4.5.1). */
static int complete(struct onward_relay *r, struct onward_str address,
                    struct onward_str *whole)
{
    struct onward_buf out;
    int err;

    *whole = address;
    if (!onward_core__str_ieq(address, ONWARD_STR("postmaster")))
        return 0;
    onward_core__buf_init(&out, r->ctx, ONWARD_ADDRESS_PATH_MAX);
    onward_core__buf_add_text(&out, "postmaster@");
    err = onward_core__buf_add_str(&out, r->opts.hostname);
    if (err == 0)
        err = onward_core__arena_dup(&r->scratch, onward_core__buf_str(&out),
                                     whole);
    onward_core__buf_clear(&out);
    return err == ONWARD_ELIMIT ? 0 : err;
}

static int read_address(struct question *q, struct onward_str address)
{
    struct onward_relay *r = q->relay;
    struct onward_str whole;
    int err = complete(r, address, &whole);

    if (err == 0)
        err = onward_address__parse_mailbox(
            &r->scratch, whole, r->is_smtputf8 ? ONWARD_ADDRESS_ALLOW_UTF8 : 0,
            &q->mailbox, NULL);
    if (err == 0)
        err = onward_relay__write(r, &r->scratch, &q->mailbox, &q->text);
    return err;
}

/* What was asked for it first counts. */
static bool is_known(const struct question *q)
{
    for (const struct onward_relay__rcpt *rcpt = q->relay->rcpts; rcpt != NULL;
         rcpt = rcpt->next) {
        if (onward_core__str_eq(rcpt->text, q->text))
            return true;
    }
    return false;
}

/* ---- Acceptance -------------------------------------------------------- */

static int add_rcpt(struct question *q)
{
    struct onward_relay *r = q->relay;
    struct onward_relay__rcpt **at = &r->rcpts;
    struct onward_relay__rcpt *rcpt =
        onward_core__arena_alloc(&r->arena, sizeof(*rcpt));

    if (rcpt == NULL ||
        onward_core__arena_dup(&r->arena, q->text, &rcpt->text) != 0 ||
        onward_core__arena_dup(&r->arena, q->orcpt, &rcpt->orcpt) != 0)
        return ONWARD_ENOMEM;
    rcpt->notify = q->notify;
    /* Sorted, so that a ledger key does not depend on the order in which a
     * sender names them. */
    while (*at != NULL && onward_core__str_cmp((*at)->text, rcpt->text) < 0)
        at = &(*at)->next;
    rcpt->next = *at;
    *at = rcpt;
    rcpt->decision = q->decision;
    q->rcpt = rcpt;
    r->rcpt_count++;
    return 0;
}

static void remove_rcpt(struct question *q)
{
    struct onward_relay__rcpt **at = &q->relay->rcpts;

    while (*at != q->rcpt)
        at = &(*at)->next;
    *at = q->rcpt->next;
    q->relay->rcpt_count--;
}

/* Code may decide otherwise for each recipient, a rewritten sender is a way of
 * its own: one reply would not be true for two of them. */
static bool is_alone(const struct question *q, enum onward_relay__way way)
{
    const struct onward_ruleset_action *a = q->decision.actions;

    if (way == ONWARD_RELAY__BOUNCE)
        return true;
    for (; a != NULL && !q->relay->opts.share_events; a = a->next) {
        if (a->kind == ONWARD_RULESET_HANDLER ||
            a->kind == ONWARD_RULESET_WEBHOOK)
            return true;
    }
    return false;
}

static bool is_destination(const struct onward_relay *r,
                           struct onward_str recipient)
{
    for (size_t i = 0; i < r->destination_count; i++) {
        if (onward_core__str_ieq(r->destinations[i]->recipient, recipient))
            return true;
    }
    return false;
}

/* The first recipient brings the destinations with it. sender: of BOUNCE; empty
 * when the store has it. */
static int plan(struct question *q, enum onward_relay__way way,
                struct onward_str sender)
{
    bool is_first = q->relay->way == ONWARD_RELAY__NOWHERE;
    bool is_new;
    size_t index;

    if (way == ONWARD_RELAY__RULES)
        return onward_relay__plan(q->relay, q->rcpt, is_first);
    if (sender.len == 0)
        return 0;
    return onward_relay__add_destination(q->relay, sender, &index, &is_new);
}

/* 0, an error, or ONWARD_ELIMIT when q was answered. */
static int join(struct question *q, enum onward_relay__way way,
                struct onward_str sender)
{
    int err = plan(q, way, sender);

    if (err == ONWARD_ESYNTAX) {
        (void)answer(q, 451, ONWARD_STR("4.3.5"),
                     ONWARD_STR("Destination is no address"));
        return ONWARD_ELIMIT;
    }
    if (err == 0 && is_destination(q->relay, q->text)) {
        (void)answer(q, 550, ONWARD_STR("5.4.6"),
                     ONWARD_STR("This address is forwarded to itself"));
        return ONWARD_ELIMIT;
    }
    return err;
}

static int take(struct question *q, enum onward_relay__way way,
                struct onward_str sender)
{
    struct onward_relay *r = q->relay;
    size_t events = r->event_count;
    int err;

    if (r->rcpt_count >= r->opts.max_rcpts)
        return answer(q, 452, ONWARD_STR("4.5.3"),
                      ONWARD_STR("Too many recipients"));
    if (r->way != ONWARD_RELAY__NOWHERE &&
        (r->way != way || r->is_alone || is_alone(q, way) ||
         r->group != q->decision.group))
        return answer(q, 452, ONWARD_STR("4.5.3"),
                      ONWARD_STR("Other destination: send this recipient in a "
                                 "transaction of its own"));
    err = add_rcpt(q);
    if (err != 0)
        return err;
    err = join(q, way, sender);
    if (err != 0) {
        remove_rcpt(q);
        r->event_count = events;
        if (r->way == ONWARD_RELAY__NOWHERE)
            onward_relay__unplan(r);
        return err == ONWARD_ELIMIT ? 0 : err;
    }
    r->way = way;
    r->group = q->decision.group;
    r->is_alone = is_alone(q, way);
    return accept(q);
}

/* ---- A sender of ours, on its way back --------------------------------- */

static bool is_srs_domain(const struct question *q)
{
    const struct onward_relay_opts *o = &q->relay->opts;

    return o->srs != NULL &&
           onward_core__str_ieq(q->mailbox.domain_ascii, o->srs_domain);
}

/* The address is ours; who the sender was is looked up when the message is
 * there, so that RCPT does not wait. */
static int take_kept(struct question *q, struct onward_str key)
{
    const struct onward_str later = {0};
    struct onward_relay *r = q->relay;
    struct onward_str kept = r->kept_key;
    int ret = 0;

    if (r->opts.store == NULL)
        return answer(q, 550, ONWARD_STR("5.7.1"),
                      ONWARD_STR("This address is not one of ours"));
    if (r->way == ONWARD_RELAY__NOWHERE)
        ret = onward_core__arena_dup(&r->arena, key, &kept);
    if (ret == 0)
        ret = take(q, ONWARD_RELAY__BOUNCE, later);
    if (ret == 1)
        r->kept_key = kept;
    return ret;
}

/* ONWARD_AGAIN: no rewritten sender, the rules know. */
static int take_bounce(struct question *q)
{
    int verdict = ONWARD_SRS_NONE;
    char out[ONWARD_SRS_TEXT_MAX];
    int len = onward_srs_reverse(q->relay->opts.srs, q->text, out, sizeof(out),
                                 &verdict);

    if (len < 0 || verdict == ONWARD_SRS_NONE)
        return ONWARD_AGAIN;
    if (q->relay->reverse_path.len != 0 &&
        (!q->relay->opts.allow_srs_senders || verdict == ONWARD_SRS_KEPT))
        return answer(q, 550, ONWARD_STR("5.7.1"),
                      ONWARD_STR("Only bounces are taken for this address"));
    switch ((enum onward_srs_verdict)verdict) {
    case ONWARD_SRS_EXPIRED:
        return answer(q, 550, ONWARD_STR("5.7.1"),
                      ONWARD_STR("This address has expired"));
    case ONWARD_SRS_NONE:
    case ONWARD_SRS_MALFORMED:
    case ONWARD_SRS_FORGED:
        return answer(q, 550, ONWARD_STR("5.7.1"),
                      ONWARD_STR("This address is not one of ours"));
    case ONWARD_SRS_KEPT:
        return take_kept(q, onward_core__str(out, (size_t)len));
    case ONWARD_SRS_OK:
        break;
    }
    return take(q, ONWARD_RELAY__BOUNCE, onward_core__str(out, (size_t)len));
}

/* ---- The rules --------------------------------------------------------- */

/* Can the host do all of it? */
static bool is_missing(const struct question *q)
{
    const struct onward_relay_host *host = &q->relay->host;
    const struct onward_ruleset_action *a = q->decision.actions;

    for (; a != NULL; a = a->next) {
        if ((a->kind == ONWARD_RULESET_HANDLER ||
             a->kind == ONWARD_RULESET_WEBHOOK) &&
            host->handle == NULL)
            return true;
        if (a->kind == ONWARD_RULESET_QUARANTINE && host->submit == NULL)
            return true;
    }
    return false;
}

static int follow(struct question *q)
{
    const struct onward_str none = {0};

    if (q->decision.kind == ONWARD_RULESET_REJECT)
        return answer(q, (size_t)q->decision.reply_code,
                      q->decision.reply_enhanced, q->decision.reply_text);
    if (is_missing(q))
        return answer(q, 451, ONWARD_STR("4.3.5"),
                      ONWARD_STR("The handler of this address is not here"));
    return take(q, ONWARD_RELAY__RULES, none);
}

static int decide(struct question *q, struct onward_str address)
{
    struct onward_relay *r = q->relay;
    int ret = read_address(q, address);

    if (ret == ONWARD_ENOMEM)
        return ret;
    if (ret != 0)
        return answer(q, 501, ONWARD_STR("5.1.3"),
                      ONWARD_STR("Not an address"));
    if (is_known(q))
        return accept(q);
    if (is_srs_domain(q)) {
        ret = take_bounce(q);
        if (ret != ONWARD_AGAIN)
            return ret;
    }
    ret = onward_relay__route(r, r->router, &q->mailbox, &q->decision);
    if (ret == ONWARD_ELIMIT) /* a damaged image */
        return answer(q, 451, ONWARD_STR("4.3.5"),
                      ONWARD_STR("The rules cannot be read"));
    if (ret < 0)
        return ret;
    return r->guard.is_dead ? ONWARD_ESTATE : follow(q);
}

static bool is_notify(size_t notify)
{
    return notify == ONWARD_SMTP_NOTIFY_NEVER ||
           (notify &
            ~(size_t)(ONWARD_SMTP_NOTIFY_SUCCESS | ONWARD_SMTP_NOTIFY_FAILURE |
                      ONWARD_SMTP_NOTIFY_DELAY)) == 0;
}

int onward_relay_rcpt(struct onward_relay *relay, struct onward_str address,
                      struct onward_smtp_reply *reply)
{
    const struct onward_relay_rcpt rcpt = {.size = sizeof(rcpt),
                                           .address = address};

    return onward_relay_add_rcpt(relay, &rcpt, reply);
}

int onward_relay_add_rcpt(struct onward_relay *relay,
                          const struct onward_relay_rcpt *rcpt,
                          struct onward_smtp_reply *reply)
{
    struct question q = {.relay = relay};
    struct onward_relay_rcpt given;
    int ret = onward_core__opts_load(&given, sizeof(given), rcpt);

    if (ret != 0)
        return ret;
    if (reply->size < sizeof(reply->size) || !is_notify(given.notify))
        return ONWARD_EINVAL;
    q.notify = given.notify;
    q.orcpt = given.orcpt;
    if (relay->stage != ONWARD_RELAY__ROUTE ||
        onward_core__desk_is_dead(relay->desk))
        return ONWARD_ESTATE;
    /* The host is asked about destinations inside, and may free us there. */
    onward_core__guard_enter(&relay->guard);
    ret = decide(&q, given.address);
    onward_core__arena_reset(&relay->scratch);
    if (ret >= 0) {
        const struct onward_smtp_reply made = {.size = sizeof(made),
                                               .code = q.code,
                                               .enhanced = q.enhanced,
                                               .text = q.reply_text};

        (void)onward_core__out_store(reply, &made, sizeof(made));
    }
    onward_relay__leave(relay);
    return ret;
}
