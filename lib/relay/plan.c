/*
 * What the rules say, as work: destinations, events, submissions. Decisions
 * that need the message are made here once it is there.
 */
#include "relay/relay_priv.h"

#include "core/text_shared.h"
#include "ruleset/ruleset_shared.h"

bool onward_relay__grow(struct onward_relay *r, void *list, size_t count,
                        size_t *cap)
{
    void ***items = list;
    size_t wanted = *cap == 0 ? 4 : *cap * 2;
    void **more;

    if (count < *cap)
        return true;
    more = onward_core__arena_array(&r->arena, wanted, sizeof(*more));
    if (more == NULL)
        return false;
    if (count != 0)
        memcpy(more, *items, count * sizeof(*more));
    *items = more;
    *cap = wanted;
    return true;
}

/* ---- Destinations ------------------------------------------------------ */

static size_t find(const struct onward_relay *r, struct onward_str recipient)
{
    for (size_t i = 0; i < r->destination_count; i++) {
        if (onward_core__str_ieq(r->destinations[i]->recipient, recipient))
            return i;
    }
    return r->destination_count;
}

int onward_relay__read_destination(struct onward_relay *r,
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
    d->relay = r;
    /* An A-label domain needs no SMTPUTF8, a UTF-8 local part does. */
    d->is_utf8 = !onward_core__is_ascii(d->recipient);
    return err == 0 || err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
}

int onward_relay__add_destination(struct onward_relay *r,
                                  struct onward_str address, size_t *index,
                                  bool *is_new)
{
    struct onward_relay__destination *d =
        onward_core__arena_alloc(&r->arena, sizeof(*d));
    int err = d == NULL ? ONWARD_ENOMEM
                        : onward_relay__read_destination(r, d, address);

    if (err != 0)
        return err;
    *index = find(r, d->recipient);
    *is_new = *index == r->destination_count;
    if (!*is_new)
        return 0;
    if (!onward_relay__grow(r, &r->destinations, r->destination_count,
                            &r->destination_cap))
        return ONWARD_ENOMEM;
    r->destinations[r->destination_count++] = d;
    return 0;
}

static int add_destinations(struct onward_relay *r,
                            const struct onward_relay__rcpt *rcpt,
                            const struct onward_ruleset_action *a)
{
    struct onward_relay__destination *before = NULL;

    for (size_t i = 0; i < a->destination_count; i++) {
        bool is_new = false;
        size_t index;
        int err = onward_relay__add_destination(r, a->destinations[i], &index,
                                                &is_new);

        if (err != 0)
            return err;
        if (!is_new)
            continue;
        r->destinations[index]->rcpt = rcpt->text;
        if (a->kind == ONWARD_RULESET_FAILOVER && before != NULL) {
            before->heir = r->destinations[index];
            before->heir->is_held = true;
        }
        before = r->destinations[index];
    }
    return 0;
}

/* ---- The rest ---------------------------------------------------------- */

static int add_event(struct onward_relay *r,
                     const struct onward_relay__rcpt *rcpt,
                     const struct onward_ruleset_action *a)
{
    struct onward_event *e = onward_core__arena_alloc(&r->arena, sizeof(*e));

    if (e == NULL ||
        !onward_relay__grow(r, &r->events, r->event_count, &r->event_cap))
        return ONWARD_ENOMEM;
    e->relay = r;
    e->rcpt = rcpt;
    e->name = a->name;
    e->is_webhook = a->kind == ONWARD_RULESET_WEBHOOK;
    r->events[r->event_count++] = e;
    return 0;
}

static int add_quarantine(struct onward_relay *r,
                          const struct onward_ruleset_action *a)
{
    struct onward_relay__submission *s =
        onward_relay__add_submission(r, ONWARD_RELAY_SUBMISSION_QUARANTINE);

    if (s == NULL)
        return ONWARD_ENOMEM;
    s->place = a->name;
    return 0;
}

/* A field that a rule wants on the copies. What cannot be written, or speaks
 * for a hop, is left out: the mail is worth more. */
static int add_field(struct onward_relay *r,
                     const struct onward_ruleset_action *a)
{
    struct onward_buf out;
    int err;

    if (!onward_mime__is_field_name(a->name) ||
        !onward_mime__is_writable(a->value) ||
        onward_handler__class_of(a->name) == ONWARD_FIELD__TRACE) {
        onward_core__log(r->ctx, ONWARD_LOG_WARN, "relay", "rule-field",
                         r->log_id, a->name);
        return 0;
    }
    onward_core__buf_init(&out, r->ctx, 65536);
    onward_core__buf_add_str(&out, r->rule_fields);
    err = onward_mime__write_field(&out, a->name, a->value, false);
    if (err == 0)
        err = onward_core__arena_dup(&r->arena, onward_core__buf_str(&out),
                                     &r->rule_fields);
    onward_core__buf_clear(&out);
    return err == ONWARD_ENOMEM ? err : 0;
}

static int plan_action(struct onward_relay *r,
                       const struct onward_relay__rcpt *rcpt,
                       const struct onward_ruleset_action *a, bool is_first)
{
    enum onward_ruleset_kind kind = (enum onward_ruleset_kind)a->kind;

    if (kind == ONWARD_RULESET_HANDLER || kind == ONWARD_RULESET_WEBHOOK)
        return add_event(r, rcpt, a);
    if (!is_first)
        return 0;
    switch (kind) {
    case ONWARD_RULESET_FORWARD:
    case ONWARD_RULESET_FAILOVER:
        return add_destinations(r, rcpt, a);
    case ONWARD_RULESET_QUARANTINE:
        return add_quarantine(r, a);
    case ONWARD_RULESET_ADD_FIELD:
        return add_field(r, a);
    case ONWARD_RULESET_DROP:
    case ONWARD_RULESET_HANDLER:
    case ONWARD_RULESET_WEBHOOK:
    case ONWARD_RULESET_REJECT:
    case ONWARD_RULESET_NEED_MESSAGE:
    case ONWARD_RULESET_TAG: /* for who reads onward_relay_summarize() */
        break;
    }
    return 0;
}

int onward_relay__plan(struct onward_relay *r,
                       const struct onward_relay__rcpt *rcpt, bool is_first)
{
    const struct onward_ruleset_action *a = rcpt->decision.actions;
    int err = 0;

    /* What stands behind a rejection would be done for mail that we refuse. */
    for (; a != NULL && a->kind != ONWARD_RULESET_REJECT && err == 0;
         a = a->next)
        err = plan_action(r, rcpt, a, is_first);
    return err;
}

void onward_relay__unplan(struct onward_relay *r)
{
    r->destination_count = 0;
    r->event_count = 0;
    r->submission_count = 0;
    r->rule_fields.len = 0;
}

bool onward_relay__has_copies(const struct onward_relay *r)
{
    for (size_t i = 0; i < r->submission_count; i++) {
        if (r->submissions[i]->kind == ONWARD_RELAY_SUBMISSION_QUARANTINE)
            return true;
    }
    return r->destination_count != 0 || r->kept_key.len != 0;
}

bool onward_relay__has_work(const struct onward_relay *r)
{
    return onward_relay__has_copies(r) || r->event_count != 0;
}

/* ---- With the message -------------------------------------------------- */

int onward_relay__route_once(struct onward_relay *r,
                             struct onward_ruleset_router *router,
                             const struct onward_address__mailbox *to,
                             struct onward_ruleset_decision *decision)
{
    const struct onward_ruleset_facts facts = onward_relay__facts(r);
    int err;

    decision->size = sizeof(*decision);
    err = onward_ruleset__route(r->opts.ruleset, router, to, &facts, NULL,
                                decision);
    onward_core__arena_reset(&r->told);
    return err;
}

int onward_relay__route(struct onward_relay *r,
                        struct onward_ruleset_router *router,
                        const struct onward_address__mailbox *to,
                        struct onward_ruleset_decision *decision)
{
    int err = onward_relay__route_once(r, router, to, decision);

    if (err != 0 || onward_relay__is_dead(r))
        return err;
    return onward_relay__expand(r, router, to, decision);
}

static int route_late(struct onward_relay *r, struct onward_relay__rcpt *rcpt)
{
    struct onward_address__mailbox mailbox;
    int err = onward_address__parse_mailbox(
        &r->scratch, rcpt->text, ONWARD_ADDRESS_ALLOW_UTF8, &mailbox, NULL);

    if (err == 0)
        err = onward_relay__route(r, r->router, &mailbox, &rcpt->decision);
    onward_core__arena_reset(&r->scratch);
    return err;
}

static const struct onward_ruleset_action *
make_reject(struct onward_relay *r, const struct onward_ruleset_decision *d)
{
    struct onward_ruleset_action *a =
        onward_core__arena_alloc(&r->arena, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->kind = ONWARD_RULESET_REJECT;
    a->reply_code = d->reply_code;
    a->reply_enhanced = d->reply_enhanced;
    a->reply_text = d->reply_text;
    return a;
}

int onward_relay__plan_late(struct onward_relay *r)
{
    bool is_first = true;

    for (struct onward_relay__rcpt *rcpt = r->rcpts; rcpt != NULL;
         rcpt = rcpt->next) {
        int err;

        if (r->way != ONWARD_RELAY__RULES ||
            rcpt->decision.kind != ONWARD_RULESET_NEED_MESSAGE)
            continue;
        err = route_late(r, rcpt);
        if (onward_relay__is_dead(r))
            return 0;
        if (err == ONWARD_ENOMEM)
            return err;
        if (err != 0) /* a damaged image: 451 by check_rules() */
            rcpt->decision.kind = ONWARD_RULESET_NEED_MESSAGE;
        if (err == 0 && rcpt->decision.kind == ONWARD_RULESET_REJECT) {
            r->rule_reject = make_reject(r, &rcpt->decision);
            if (r->rule_reject == NULL)
                return ONWARD_ENOMEM;
            continue;
        }
        err = onward_relay__plan(r, rcpt, is_first);
        if (err == ONWARD_ESYNTAX)
            rcpt->decision.kind = ONWARD_RULESET_NEED_MESSAGE;
        else if (err != 0)
            return err;
        is_first = false;
    }
    return 0;
}

static bool is_own_destination(const struct onward_relay *r)
{
    for (const struct onward_relay__rcpt *rcpt = r->rcpts; rcpt != NULL;
         rcpt = rcpt->next) {
        if (find(r, rcpt->text) < r->destination_count)
            return true;
    }
    return false;
}

/* Can the host do what the rules ask for? */
static bool is_missing(const struct onward_relay *r)
{
    if (r->event_count != 0 && r->host.handle == NULL)
        return true;
    return r->submission_count != 0 && r->host.submit == NULL;
}

bool onward_relay__check_rules(struct onward_relay *r)
{
    const struct onward_ruleset_action *a = r->rule_reject;

    if (r->way != ONWARD_RELAY__RULES)
        return true;
    for (const struct onward_relay__rcpt *rcpt = r->rcpts; rcpt != NULL;
         rcpt = rcpt->next) {
        if (rcpt->decision.kind == ONWARD_RULESET_NEED_MESSAGE) {
            onward_relay__end(r, ONWARD_RELAY_REASON_RULES, 451,
                              ONWARD_STR("4.3.0"),
                              ONWARD_STR("Destination cannot be told now"));
            return false;
        }
    }
    if (a != NULL) {
        onward_relay__end(r, ONWARD_RELAY_REASON_REJECT, (size_t)a->reply_code,
                          a->reply_enhanced, a->reply_text);
        return false;
    }
    if (is_own_destination(r)) {
        onward_relay__end(r, ONWARD_RELAY_REASON_LOOP, 554, ONWARD_STR("5.4.6"),
                          ONWARD_STR("This address is forwarded to itself"));
        return false;
    }
    if (is_missing(r)) {
        onward_relay__end(r, ONWARD_RELAY_REASON_RULES, 451,
                          ONWARD_STR("4.3.5"),
                          ONWARD_STR("The handler of this address is not "
                                     "here"));
        return false;
    }
    return true;
}
