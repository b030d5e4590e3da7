/* What a handler does with the message itself: reject it, forward it. */
#include "relay/relay_priv.h"

#include "core/text_shared.h"
#include "ruleset/ruleset_shared.h"
#include "smtp/smtp_shared.h"

_Static_assert(offsetof(struct onward_event_action, is_forgiven) +
                       sizeof(size_t) ==
                   sizeof(struct onward_event_action),
               "no tail padding");

static const struct onward_str nothing;

/* ---- Reject ------------------------------------------------------------ */

/* Cut by the octet, but never inside a character. */
static struct onward_str cap(struct onward_str text)
{
    size_t len = ONWARD_RELAY__TEXT_MAX;

    if (text.len <= len)
        return text;
    while (len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--;
    return onward_core__sub(text, 0, len);
}

int onward_event_set_reject(struct onward_event *event,
                            const struct onward_smtp_reply *reply)
{
    struct onward_arena *arena = &event->relay->arena;
    struct onward_smtp_reply r, given;
    struct onward_str enhanced, text;
    int err;

    if (reply == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&given, sizeof(given), reply);
    if (err != 0)
        return err;
    if (given.code == 0)
        given.code = 550;
    if (given.enhanced.len == 0)
        given.enhanced =
            given.code < 500 ? ONWARD_STR("4.7.1") : ONWARD_STR("5.7.1");
    err = onward_smtp__reply_load(&r, &given);
    if (err != 0)
        return err;
    if (r.code < 400)
        return ONWARD_EINVAL;
    if (r.text.len == 0)
        r.text = ONWARD_STR("Message refused");
    if (event->state != ONWARD_EVENT_OPEN)
        return 0;
    if (onward_core__arena_dup(arena, r.enhanced, &enhanced) != 0 ||
        onward_core__arena_dup(arena, cap(r.text), &text) != 0)
        return ONWARD_ENOMEM;
    event->is_rejected = true;
    event->reject_code = r.code;
    event->reject_enhanced = enhanced;
    event->reject_text = text;
    return 1;
}

int onward_event_reject(const struct onward_event *event,
                        struct onward_smtp_reply *reply)
{
    const struct onward_smtp_reply r = {.size = sizeof(r),
                                        .code = event->reject_code,
                                        .enhanced = event->reject_enhanced,
                                        .text = event->reject_text};
    int err;

    if (!event->is_rejected)
        return 0;
    err = onward_core__out_store(reply, &r, sizeof(r));
    return err == 0 ? 1 : err;
}

/* ---- Forward ----------------------------------------------------------- */

/* A forward while it is looked at. */
struct wish {
    struct onward_event *event;
    struct onward_address__mailbox mailbox; /* in the scratch arena */
    struct onward_str text;                 /* there too */
    struct onward_refusal *refusal;
};

static int refuse(const struct wish *w, enum onward_refusal_code code,
                  struct onward_str what)
{
    return onward_handler__refuse(w->refusal, code, what);
}

/* 1, 0 or ONWARD_ENOMEM. */
static int check_address(struct wish *w, struct onward_str to)
{
    struct onward_relay *r = w->event->relay;
    int err = onward_handler__address(&r->scratch, to, &w->mailbox, &w->text);

    if (err == ONWARD_ENOMEM)
        return err;
    return err == 0 ? 1 : refuse(w, ONWARD_REFUSAL_DESTINATION, to);
}

static int check_verified(struct wish *w)
{
    struct onward_relay *r = w->event->relay;
    int word = 0;

    if (r->facts.destination != NULL)
        word = r->facts.destination(r->facts.user, w->text.data, w->text.len);
    if (onward_relay__is_dead(r))
        return refuse(w, ONWARD_REFUSAL_OVER, nothing);
    if (word < 0)
        return refuse(w, ONWARD_REFUSAL_NOT_NOW, w->text);
    if (word == 0)
        word = onward_ruleset__is_verified(r->opts.ruleset, w->text);
    return word == 1 ? 1 : refuse(w, ONWARD_REFUSAL_NOT_VERIFIED, w->text);
}

static bool names_handler(const struct onward_ruleset_decision *d,
                          struct onward_str handler)
{
    for (const struct onward_ruleset_action *a = d->actions; a != NULL;
         a = a->next) {
        if ((a->kind == ONWARD_RULESET_HANDLER ||
             a->kind == ONWARD_RULESET_WEBHOOK) &&
            onward_core__str_eq(a->name, handler))
            return true;
    }
    return false;
}

/* Would the copy come to this handler again, or to this very address? */
static int check_loop(struct wish *w)
{
    struct onward_relay *r = w->event->relay;
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_ruleset_router *router = NULL;
    bool is_loop, is_ours;
    int err = onward_ruleset_router_new(r->ctx, &router);

    if (err != 0)
        return err;
    err = onward_relay__route(r, router, &w->mailbox, &d);
    is_loop = onward_core__str_ieq(w->text, w->event->rcpt->text) ||
              (err == 0 && names_handler(&d, w->event->name));
    is_ours = err == 0 && d.reason != ONWARD_RULESET_NO_ZONE;
    onward_ruleset_router_free(router);
    if (err == ONWARD_ENOMEM)
        return err;
    if (is_loop)
        return refuse(w, ONWARD_REFUSAL_LOOP, w->text);
    /* Rules were asked when it came; a second time, by ourselves as the next
     * hop, would be a loop for the egress. */
    return is_ours ? refuse(w, ONWARD_REFUSAL_OWN_ZONE, w->text) : 1;
}

static int check_duplicate(struct wish *w)
{
    const struct onward_event *e = w->event;

    for (size_t i = 0; i < e->action_count; i++) {
        const struct onward_relay__destination *d = e->actions[i].destination;

        if (d != NULL && onward_core__str_ieq(d->recipient, w->text))
            return refuse(w, ONWARD_REFUSAL_DUPLICATE, w->text);
    }
    return 1;
}

static int check(struct wish *w, struct onward_str to)
{
    struct onward_event *e = w->event;
    int ret = 1;

    if (e->state != ONWARD_EVENT_OPEN || onward_relay__is_dead(e->relay))
        return refuse(w, ONWARD_REFUSAL_OVER, nothing);
    if (e->relay->block != ONWARD_RELAY_REASON_NONE)
        return refuse(
            w, ONWARD_REFUSAL_NOT_FORWARDABLE,
            onward_str_of(onward_relay_reason_name((int)e->relay->block)));
    ret = check_address(w, to);
    if (ret == 1)
        ret = check_duplicate(w);
    if (ret == 1 && e->forwards >= e->relay->opts.max_forwards)
        ret = refuse(w, ONWARD_REFUSAL_TOO_MANY, nothing);
    if (ret == 1)
        ret = check_loop(w);
    return ret == 1 ? check_verified(w) : ret;
}

/* A destination that a rule or another recipient's handler has brought gets
 * one copy all the same. 0 or ONWARD_ENOMEM. */
static int add(struct wish *w, const struct onward_field_list *fields)
{
    struct onward_event *e = w->event;
    struct onward_relay *r = e->relay;
    struct onward_relay__destination *d;
    struct onward_relay__action *a;
    struct onward_str text = {0};
    bool is_new = false;
    size_t index;
    int err = 0;

    if (fields != NULL)
        err = onward_core__arena_dup(&r->arena, onward_field_list_text(fields),
                                     &text);
    a = err != 0 ? NULL : onward_relay__add_action(e, ONWARD_EVENT_FORWARD);
    if (a == NULL)
        return ONWARD_ENOMEM;
    err = onward_relay__add_destination(r, w->text, &index, &is_new);
    if (err != 0) {
        e->action_count--;
        return ONWARD_ENOMEM;
    }
    d = r->destinations[index];
    if (is_new) {
        d->rcpt = e->rcpt->text;
        d->fields = text;
        d->is_handlers = true;
    }
    a->destination = d;
    a->index = index;
    e->forwards++;
    onward_core__task_ready(&r->task);
    return 0;
}

int onward_event_forward(struct onward_event *event, struct onward_str to,
                         const struct onward_field_list *fields, size_t *action,
                         struct onward_refusal *refusal)
{
    struct wish w = {.event = event, .refusal = refusal};
    struct onward_relay *r = event->relay;
    int ret;

    if (!onward_handler__can_refuse(refusal) ||
        (fields != NULL &&
         onward_handler__policy(fields) != ONWARD_FIELD_POLICY_X))
        return ONWARD_EINVAL;
    onward_core__guard_enter(&r->guard);
    ret = check(&w, to);
    if (ret == 1 && (ret = add(&w, fields)) == 0) {
        if (action != NULL)
            *action = event->action_count - 1;
        ret = 1;
    }
    onward_core__arena_reset(&r->scratch);
    onward_relay__leave(r);
    return ret;
}
