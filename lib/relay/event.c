/*
 * The life of an event: a handler is asked, answers or does not, and is told
 * what became of its actions. What it can read of the message is here too.
 */
#include "relay/relay_priv.h"

enum { FAILURE_MAX = 512 };

/* ---- Asking ------------------------------------------------------------ */

static void end(struct onward_event *e, enum onward_event_state state)
{
    onward_core__ask_close(&e->ask);
    e->state = state;
    e->deadline_ms = ONWARD_NEVER;
}

void onward_relay__cancel_event(struct onward_event *e)
{
    struct onward_relay *r = e->relay;
    uint64_t token = e->ask.token;

    if (e->ask.desk == NULL)
        return;
    end(e, ONWARD_EVENT_LATE);
    if (r->host.cancel != NULL && !onward_core__desk_is_dead(r->desk))
        r->host.cancel(r->host.user, token);
}

static int64_t deadline(const struct onward_relay *r, size_t timeout_ms)
{
    int64_t now_ms = onward_core__desk_now(r->desk);

    if (timeout_ms == ONWARD_LIMIT_NONE ||
        timeout_ms >= (uint64_t)(INT64_MAX - now_ms))
        return ONWARD_NEVER;
    return now_ms + (int64_t)timeout_ms;
}

static void ask(struct onward_relay *r, struct onward_event *e)
{
    int ret = onward_core__ask_open(r->desk, &e->ask, ONWARD_ASK_HANDLER);

    e->state = ONWARD_EVENT_OPEN;
    e->deadline_ms = deadline(r, r->opts.handler_timeout_ms);
    if (ret == 0)
        ret = r->host.handle(r->host.user, e->ask.token, e);
    if (ret >= 0 || onward_relay__is_dead(r) || e->state != ONWARD_EVENT_OPEN)
        return;
    end(e, ret == ONWARD_ENOENT ? ONWARD_EVENT_ABSENT : ONWARD_EVENT_BROKEN);
}

void onward_relay__run_events(struct onward_relay *r)
{
    int64_t now_ms = onward_core__desk_now(r->desk);

    for (size_t i = 0; i < r->event_count && !onward_relay__is_dead(r); i++) {
        struct onward_event *e = r->events[i];

        if (e->state == ONWARD_EVENT_WAITING)
            ask(r, e);
        else if (e->state == ONWARD_EVENT_OPEN && now_ms >= e->deadline_ms)
            onward_relay__cancel_event(e);
    }
}

bool onward_relay__are_events_over(const struct onward_relay *r)
{
    for (size_t i = 0; i < r->event_count; i++) {
        if (r->events[i]->state <= ONWARD_EVENT_OPEN)
            return false;
    }
    return true;
}

int64_t onward_relay__next_deadline(const struct onward_relay *r)
{
    int64_t next = ONWARD_NEVER;

    for (size_t i = 0; i < r->event_count; i++) {
        if (r->events[i]->state == ONWARD_EVENT_OPEN &&
            r->events[i]->deadline_ms < next)
            next = r->events[i]->deadline_ms;
    }
    for (size_t i = 0; i < r->submission_count; i++) {
        if (r->submissions[i]->state == ONWARD_RELAY__ASKED &&
            r->submissions[i]->deadline_ms < next)
            next = r->submissions[i]->deadline_ms;
    }
    return next;
}

/* ---- Answers ----------------------------------------------------------- */

struct onward_event *onward_event_find(struct onward_desk *desk, uint64_t token)
{
    struct onward_core__ask *ask =
        onward_core__ask_find(desk, token, ONWARD_ASK_HANDLER);

    return ask == NULL ? NULL : ONWARD_CONTAINER(ask, struct onward_event, ask);
}

static int answer(struct onward_desk *desk, uint64_t token,
                  enum onward_event_state state, struct onward_str why)
{
    struct onward_event *e = onward_event_find(desk, token);

    if (e == NULL)
        return ONWARD_ESTALE;
    /* Without memory the word is missing, and the answer counts. */
    if (onward_core__arena_dup(&e->relay->arena,
                               onward_core__sub(why, 0, FAILURE_MAX),
                               &e->failure) != 0)
        e->failure = onward_core__str(NULL, 0);
    end(e, state);
    onward_core__task_ready(&e->relay->task);
    return 0;
}

int onward_event_done(struct onward_desk *desk, uint64_t token)
{
    return answer(desk, token, ONWARD_EVENT_ANSWERED,
                  onward_core__str(NULL, 0));
}

int onward_event_fail(struct onward_desk *desk, uint64_t token,
                      struct onward_str why)
{
    return answer(desk, token, ONWARD_EVENT_BROKEN, why);
}

/* ---- Actions ----------------------------------------------------------- */

struct onward_relay__action *
onward_relay__add_action(struct onward_event *e,
                         enum onward_event_action_kind kind)
{
    struct onward_relay__action *a;

    if (e->action_count == e->action_cap) {
        size_t cap = e->action_cap == 0 ? 4 : e->action_cap * 2;
        struct onward_relay__action *more =
            onward_core__arena_array(&e->relay->arena, cap, sizeof(*more));

        if (more == NULL)
            return NULL;
        if (e->action_count != 0)
            memcpy(more, e->actions, e->action_count * sizeof(*more));
        e->actions = more;
        e->action_cap = cap;
    }
    a = &e->actions[e->action_count++];
    *a = (struct onward_relay__action){.kind = kind};
    return a;
}

static enum onward_event_action_state
state_of(const struct onward_relay__action *a)
{
    if (a->destination != NULL) {
        if (!a->destination->is_over)
            return ONWARD_EVENT_PENDING;
        switch (a->destination->fate) {
        case ONWARD_RELAY_FATE_DELIVERED:
            return ONWARD_EVENT_DONE;
        case ONWARD_RELAY_FATE_BEFORE:
        case ONWARD_RELAY_FATE_SPARE:
            return ONWARD_EVENT_BEFORE;
        case ONWARD_RELAY_FATE_PENDING:
        case ONWARD_RELAY_FATE_TEMPORARY:
        case ONWARD_RELAY_FATE_PERMANENT:
            break;
        }
        return ONWARD_EVENT_FAILED;
    }
    switch (a->submission->state) {
    case ONWARD_RELAY__SUBMITTED:
        return ONWARD_EVENT_DONE;
    case ONWARD_RELAY__SUBMITTED_BEFORE:
        return ONWARD_EVENT_BEFORE;
    case ONWARD_RELAY__NOT_SUBMITTED:
        return ONWARD_EVENT_FAILED;
    case ONWARD_RELAY__CLAIM:
    case ONWARD_RELAY__LOOK:
    case ONWARD_RELAY__READY:
    case ONWARD_RELAY__ASKED:
    case ONWARD_RELAY__RECORD:
    case ONWARD_RELAY__RELEASE:
        break;
    }
    return ONWARD_EVENT_PENDING;
}

static void tell(struct onward_relay *r, struct onward_event *e)
{
    for (size_t i = 0; i < e->action_count && !onward_relay__is_dead(r); i++) {
        struct onward_relay__action *a = &e->actions[i];

        if (a->is_told || state_of(a) == ONWARD_EVENT_PENDING)
            continue;
        a->is_told = true;
        if (r->host.acted != NULL)
            r->host.acted(r->host.user, e, i);
    }
}

void onward_relay__tell_actions(struct onward_relay *r)
{
    for (size_t i = 0; i < r->event_count && !onward_relay__is_dead(r); i++)
        tell(r, r->events[i]);
}

size_t onward_event_action_count(const struct onward_event *event)
{
    return event->action_count;
}

static enum onward_refusal_code refusal_of(const struct onward_relay__action *a)
{
    if (state_of(a) != ONWARD_EVENT_FAILED)
        return ONWARD_REFUSAL_NONE;
    if (a->destination == NULL)
        return a->submission->refusal;
    return a->destination->fate == ONWARD_RELAY_FATE_TEMPORARY
               ? ONWARD_REFUSAL_TRANSIENT
               : ONWARD_REFUSAL_PERMANENT;
}

int onward_event_action_at(const struct onward_event *event, size_t i,
                           struct onward_event_action *out)
{
    struct onward_event_action action = {.size = sizeof(action)};
    const struct onward_relay__action *a;

    if (i >= event->action_count)
        return ONWARD_ENOENT;
    a = &event->actions[i];
    action.kind = a->kind;
    action.state = state_of(a);
    action.refusal = refusal_of(a);
    action.index = a->index;
    action.is_forgiven = a->is_forgiven;
    if (a->destination != NULL) {
        action.to = a->destination->recipient;
        action.reply_code = a->destination->reply_code;
        action.reply_enhanced = a->destination->reply_enhanced;
        action.reply_text = a->destination->reply_text;
    } else {
        action.to = a->submission->rcpts[0];
        action.message_id = a->submission->message_id;
    }
    return onward_core__out_store(out, &action, sizeof(action));
}

int onward_event_forgive(struct onward_event *event, size_t i)
{
    if (i >= event->action_count)
        return ONWARD_ENOENT;
    event->actions[i].is_forgiven = true;
    if (event->actions[i].submission != NULL)
        event->actions[i].submission->is_forgiven = true;
    else if (event->actions[i].destination->is_handlers)
        event->actions[i].destination->is_forgiven = true;
    return 0;
}

/* ---- What it is about -------------------------------------------------- */

struct onward_relay *onward_event_relay(const struct onward_event *event)
{
    return event->relay;
}

struct onward_str onward_event_handler(const struct onward_event *event)
{
    return event->name;
}

int onward_event_is_webhook(const struct onward_event *event)
{
    return event->is_webhook;
}

struct onward_str onward_event_from(const struct onward_event *event)
{
    return event->relay->reverse_path;
}

struct onward_str onward_event_to(const struct onward_event *event)
{
    return event->rcpt->text;
}

const struct onward_header *
onward_event_header(const struct onward_event *event)
{
    return onward_verifier_header(event->relay->verifier);
}

const struct onward_source *
onward_event_source(const struct onward_event *event)
{
    return &event->relay->source;
}

const struct onward_verifier *
onward_event_verifier(const struct onward_event *event)
{
    return event->relay->verifier;
}

int onward_event_can_be_forwarded(const struct onward_event *event)
{
    return event->relay->block == ONWARD_RELAY_REASON_NONE;
}

void onward_event_set_user(struct onward_event *event, void *user)
{
    event->user = user;
}

void *onward_event_user(const struct onward_event *event)
{
    return event->user;
}

int onward_event_state(const struct onward_event *event)
{
    return (int)event->state;
}

struct onward_str onward_event_failure(const struct onward_event *event)
{
    return event->failure;
}

size_t onward_relay_event_count(const struct onward_relay *relay)
{
    return relay->event_count;
}

struct onward_event *onward_relay_event_at(const struct onward_relay *relay,
                                           size_t i)
{
    return i < relay->event_count ? relay->events[i] : NULL;
}
