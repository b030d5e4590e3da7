/*
 * RCPT: what the rules do with an address, and whether it goes where the
 * recipients before it go.
 */
#include "relay/relay_priv.h"

#include "core/text_shared.h"
#include "ruleset/ruleset_shared.h"

/* One RCPT while it is answered. */
struct question {
    struct onward_relay *relay;
    struct onward_address__mailbox mailbox; /* in the scratch arena */
    struct onward_str text;                 /* there too */
    size_t notify;
    struct onward_str orcpt;
    size_t code;
    struct onward_str enhanced, reply_text;
};

/* Where the address goes. */
struct target {
    enum onward_relay__way way;
    uint64_t group;
    const struct onward_str *addresses;
    size_t count;
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

/* 0, ONWARD_ESYNTAX or ONWARD_ENOMEM. */
static int add_destination(struct onward_relay *r,
                           struct onward_relay__destination *d,
                           struct onward_str address)
{
    struct onward_address__mailbox mailbox;
    int err = onward_address__parse_mailbox(
        &r->arena, address, ONWARD_ADDRESS_ALLOW_UTF8, &mailbox, NULL);

    if (err == 0)
        err = onward_relay__write(r, &r->arena, &mailbox, &d->recipient);
    if (err == 0)
        err = onward_core__arena_dup(&r->arena,
                                     mailbox.domain_ascii.len != 0
                                         ? mailbox.domain_ascii
                                         : mailbox.domain,
                                     &d->domain);
    if (err != 0)
        return err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
    d->relay = r;
    d->is_utf8 = !onward_core__is_ascii(d->recipient);
    return 0;
}

/* Local parts that differ in case are the same here: a second copy to the one
 * mailbox, or a loop, is worse than one copy for two. */
static bool is_destination(const struct onward_relay__destination *list,
                           size_t count, struct onward_str recipient)
{
    for (size_t i = 0; i < count; i++) {
        if (onward_core__str_ieq(list[i].recipient, recipient))
            return true;
    }
    return false;
}

/* The first recipient brings the destinations with it. */
static int set_destinations(struct onward_relay *r, const struct target *t)
{
    struct onward_relay__destination *list;
    size_t count = 0;

    if (t->count == 0)
        return 0;
    list = onward_core__arena_array(&r->arena, t->count, sizeof(*list));
    if (list == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < t->count; i++) {
        int err = add_destination(r, &list[count], t->addresses[i]);

        if (err != 0)
            return err;
        if (!is_destination(list, count, list[count].recipient))
            count++;
    }
    r->destinations = list;
    r->destination_count = count;
    return 0;
}

int onward_relay__set_destination(struct onward_relay *r,
                                  struct onward_str address)
{
    const struct target t = {.addresses = &address, .count = 1};

    return set_destinations(r, &t);
}

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
    r->rcpt_count++;
    return 0;
}

static bool is_same_way(const struct onward_relay *r, const struct target *t)
{
    /* Each rewritten sender is a way of its own. */
    return r->way == t->way && t->way != ONWARD_RELAY__BOUNCE &&
           r->group == t->group;
}

/* 0, an error, or ONWARD_ELIMIT when q was answered. */
static int join(struct question *q, const struct target *t)
{
    struct onward_relay *r = q->relay;
    int err = 0;

    if (r->way == ONWARD_RELAY__NOWHERE)
        err = set_destinations(r, t);
    if (err == ONWARD_ESYNTAX) {
        (void)answer(q, 451, ONWARD_STR("4.3.5"),
                     ONWARD_STR("Destination is no address"));
        return ONWARD_ELIMIT;
    }
    if (err == 0 &&
        is_destination(r->destinations, r->destination_count, q->text)) {
        (void)answer(q, 550, ONWARD_STR("5.4.6"),
                     ONWARD_STR("This address is forwarded to itself"));
        return ONWARD_ELIMIT;
    }
    return err != 0 ? err : add_rcpt(q);
}

static int take(struct question *q, const struct target *t)
{
    struct onward_relay *r = q->relay;
    int err;

    if (r->rcpt_count >= r->opts.max_rcpts)
        return answer(q, 452, ONWARD_STR("4.5.3"),
                      ONWARD_STR("Too many recipients"));
    if (r->way != ONWARD_RELAY__NOWHERE && !is_same_way(r, t))
        return answer(q, 452, ONWARD_STR("4.5.3"),
                      ONWARD_STR("Other destination: send this recipient in a "
                                 "transaction of its own"));
    err = join(q, t);
    if (err != 0) {
        if (r->way == ONWARD_RELAY__NOWHERE)
            r->destination_count = 0;
        return err == ONWARD_ELIMIT ? 0 : err;
    }
    r->way = t->way;
    r->group = t->group;
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
    const struct target t = {.way = ONWARD_RELAY__BOUNCE};
    struct onward_relay *r = q->relay;
    struct onward_str kept = r->kept_key;
    int ret = 0;

    if (r->opts.store == NULL)
        return answer(q, 550, ONWARD_STR("5.7.1"),
                      ONWARD_STR("This address is not one of ours"));
    if (r->way == ONWARD_RELAY__NOWHERE)
        ret = onward_core__arena_dup(&r->arena, key, &kept);
    if (ret == 0)
        ret = take(q, &t);
    if (ret == 1)
        r->kept_key = kept;
    return ret;
}

/* ONWARD_AGAIN: no rewritten sender, the rules know. */
static int take_bounce(struct question *q)
{
    struct target t = {.way = ONWARD_RELAY__BOUNCE, .count = 1};
    int verdict = ONWARD_SRS_NONE;
    char out[ONWARD_SRS_TEXT_MAX];
    struct onward_str sender;
    int len = onward_srs_reverse(q->relay->opts.srs, q->text, out, sizeof(out),
                                 &verdict);

    if (len < 0 || verdict == ONWARD_SRS_NONE)
        return ONWARD_AGAIN;
    if (q->relay->reverse_path.len != 0)
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
    sender = onward_core__str(out, (size_t)len);
    t.addresses = &sender;
    return take(q, &t);
}

/* ---- The rules --------------------------------------------------------- */

static int follow(struct question *q,
                  const struct onward_ruleset_decision *decision)
{
    struct target t = {.group = decision->group};

    switch ((enum onward_ruleset_kind)decision->kind) {
    case ONWARD_RULESET_FORWARD:
        t.way = ONWARD_RELAY__FORWARD;
        t.addresses = decision->destinations;
        t.count = decision->destination_count;
        return take(q, &t);
    case ONWARD_RULESET_DROP:
        t.way = ONWARD_RELAY__DROP;
        return take(q, &t);
    case ONWARD_RULESET_HANDLER:
        return answer(q, 451, ONWARD_STR("4.3.5"),
                      ONWARD_STR("The handler of this address is not here"));
    case ONWARD_RULESET_REJECT:
        return answer(q, (size_t)decision->reply_code, decision->reply_enhanced,
                      decision->reply_text);
    case ONWARD_RULESET_FAILOVER:
    case ONWARD_RULESET_QUARANTINE:
    case ONWARD_RULESET_WEBHOOK:
    case ONWARD_RULESET_NEED_MESSAGE:
    case ONWARD_RULESET_ADD_FIELD:
    case ONWARD_RULESET_TAG:
        break;
    }
    return answer(q, 451, ONWARD_STR("4.3.5"), ONWARD_STR("Unknown action"));
}

static int decide(struct question *q, struct onward_str address)
{
    struct onward_ruleset_decision decision = {.size = sizeof(decision)};
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
    ret = onward_ruleset__route(r->opts.ruleset, r->router, &q->mailbox,
                                r->opts.facts == NULL ? NULL : &r->facts, NULL,
                                &decision);
    if (ret < 0)
        return ret;
    return r->guard.is_dead ? ONWARD_ESTATE : follow(q, &decision);
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
