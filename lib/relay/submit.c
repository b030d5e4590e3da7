/*
 * What leaves on its own: claimed in the ledger, so that the retry of a sender
 * or another machine does not send it again; then the host keeps it, which is
 * confirmed there; and when it cannot, the claim is given back.
 */
#include "relay/relay_priv.h"

struct onward_relay__submission *
onward_relay__add_submission(struct onward_relay *r,
                             enum onward_relay_submission_kind kind)
{
    struct onward_relay__submission *s =
        onward_core__arena_alloc(&r->arena, sizeof(*s));

    if (s == NULL ||
        !onward_relay__grow(r, &r->submissions, r->submission_count,
                            &r->submission_cap))
        return NULL;
    s->relay = r;
    s->kind = kind;
    s->index = r->submission_count;
    s->state = ONWARD_RELAY__CLAIM;
    r->submissions[r->submission_count++] = s;
    return s;
}

void onward_relay__clear_submission(struct onward_relay__submission *s)
{
    onward_edit_free(s->edit);
    onward_memory_source_free(s->memory);
    onward_header_free(s->header);
    s->edit = NULL;
    s->memory = NULL;
    s->header = NULL;
}

void onward_relay__cancel_submission(struct onward_relay__submission *s)
{
    struct onward_relay *r = s->relay;
    uint64_t token = s->ask.token;

    onward_store__query_clear(&s->query);
    if (s->ask.desk == NULL)
        return;
    onward_core__ask_close(&s->ask);
    if (r->host.cancel != NULL && !onward_core__desk_is_dead(r->desk))
        r->host.cancel(r->host.user, token);
}

/* ---- The ledger -------------------------------------------------------- */

static bool is_claimed(const struct onward_relay__submission *s)
{
    return s->key_len != 0 && s->relay->opts.store != NULL;
}

static void fail(struct onward_relay__submission *s,
                 enum onward_refusal_code refusal)
{
    s->refusal = refusal;
    s->state =
        is_claimed(s) ? ONWARD_RELAY__RELEASE : ONWARD_RELAY__NOT_SUBMITTED;
}

static void give_up(struct onward_relay__submission *s)
{
    s->state = ONWARD_RELAY__NOT_SUBMITTED;
    s->refusal = ONWARD_REFUSAL_INTERNAL;
}

static bool is_idle(const struct onward_relay__submission *s)
{
    return s->query.store == NULL;
}

static void claim(struct onward_relay *r, struct onward_relay__submission *s)
{
    if (r->opts.store == NULL || s->key_len == 0) {
        s->state = ONWARD_RELAY__READY;
        return;
    }
    if (is_idle(s)) {
        if (onward_relay__claim(s) != 0)
            give_up(s);
        return;
    }
    if (s->query.status == ONWARD_AGAIN)
        return;
    if (s->query.status != 0)
        give_up(s);
    else
        s->state = s->query.is_done ? ONWARD_RELAY__READY : ONWARD_RELAY__LOOK;
    s->version = s->query.version;
    onward_store__query_clear(&s->query);
}

/* Done by somebody, or begun: then nobody knows how that will end, and the
 * sender is to ask again. What a later version or another program put there
 * counts as done. */
static void look(struct onward_relay__submission *s)
{
    int status;

    if (is_idle(s)) {
        if (onward_relay__look_at_claim(s) != 0)
            give_up(s);
        return;
    }
    status = s->query.status;
    if (status == ONWARD_AGAIN)
        return;
    if (status == 0 && !onward_relay__is_claim(s->query.value)) {
        s->state = ONWARD_RELAY__SUBMITTED_BEFORE;
    } else if (status == ONWARD_ENOENT && !s->was_free) {
        s->was_free = true;
        s->state = ONWARD_RELAY__CLAIM;
    } else {
        give_up(s);
    }
    onward_store__query_clear(&s->query);
}

/* Whether it works or not: the message is safe. */
static void record(struct onward_relay *r, struct onward_relay__submission *s)
{
    int err = 0;

    if (is_idle(s))
        err = onward_relay__confirm(s);
    if (onward_relay__is_dead(r))
        return;
    if (err == 0)
        err = s->query.status;
    if (err == ONWARD_AGAIN)
        return;
    if (err != 0)
        onward_relay__warn_of_ledger(r, err);
    onward_store__query_clear(&s->query);
    s->state = ONWARD_RELAY__SUBMITTED;
}

/* Whether it works or not: then the claim stands until it expires. */
static void release(struct onward_relay *r, struct onward_relay__submission *s)
{
    if (is_idle(s) && onward_store__remove(r->opts.store, &s->query,
                                           onward_core__str(s->key, s->key_len),
                                           s->version, &r->task) == 0)
        return;
    if (onward_relay__is_dead(r) ||
        (!is_idle(s) && s->query.status == ONWARD_AGAIN))
        return;
    onward_store__query_clear(&s->query);
    s->state = ONWARD_RELAY__NOT_SUBMITTED;
}

/* ---- The host ---------------------------------------------------------- */

static int64_t deadline(const struct onward_relay *r)
{
    int64_t now_ms = onward_core__desk_now(r->desk);
    size_t timeout_ms = r->opts.delivery_timeout_ms;

    if (timeout_ms == ONWARD_LIMIT_NONE ||
        timeout_ms >= (uint64_t)(INT64_MAX - now_ms))
        return ONWARD_NEVER;
    return now_ms + (int64_t)timeout_ms;
}

static void ask(struct onward_relay *r, struct onward_relay__submission *s)
{
    int ret;

    if (s->kind == ONWARD_RELAY_SUBMISSION_QUARANTINE) {
        if (r->edited == NULL)
            return;
        s->source = r->edited;
        s->reverse_path = r->reverse_path;
        if (onward_relay__find_ways(r, s) != 0) {
            fail(s, ONWARD_REFUSAL_INTERNAL);
            return;
        }
        if (onward_relay__is_dead(r))
            return;
    }
    s->state = ONWARD_RELAY__ASKED;
    s->deadline_ms = deadline(r);
    ret = onward_core__ask_open(r->desk, &s->ask, ONWARD_ASK_SUBMISSION);
    if (ret == 0)
        ret = r->host.submit(r->host.user, s->ask.token, r, s->index);
    if (ret >= 0 || onward_relay__is_dead(r) || s->state != ONWARD_RELAY__ASKED)
        return;
    onward_core__ask_close(&s->ask);
    fail(s, ONWARD_REFUSAL_DELIVERY_FAILED);
}

int onward_relay_submission_answer(struct onward_desk *desk, uint64_t token,
                                   int status)
{
    struct onward_core__ask *ask =
        onward_core__ask_find(desk, token, ONWARD_ASK_SUBMISSION);
    struct onward_relay__submission *s;

    if (ask == NULL)
        return ONWARD_ESTALE;
    s = ONWARD_CONTAINER(ask, struct onward_relay__submission, ask);
    onward_core__ask_close(ask);
    if (status < 0)
        fail(s, ONWARD_REFUSAL_DELIVERY_FAILED);
    else
        s->state =
            is_claimed(s) ? ONWARD_RELAY__RECORD : ONWARD_RELAY__SUBMITTED;
    onward_core__task_ready(&s->relay->task);
    return 0;
}

static void time_out(struct onward_relay *r, struct onward_relay__submission *s)
{
    if (onward_core__desk_now(r->desk) < s->deadline_ms)
        return;
    onward_relay__cancel_submission(s);
    fail(s, ONWARD_REFUSAL_DELIVERY_FAILED);
}

/* ---- All of them ------------------------------------------------------- */

static void run(struct onward_relay *r, struct onward_relay__submission *s)
{
    enum onward_relay__submission_state before;

    do {
        before = s->state;
        switch (s->state) {
        case ONWARD_RELAY__CLAIM:
            claim(r, s);
            break;
        case ONWARD_RELAY__LOOK:
            look(s);
            break;
        case ONWARD_RELAY__RECORD:
            record(r, s);
            break;
        case ONWARD_RELAY__READY:
            ask(r, s);
            break;
        case ONWARD_RELAY__ASKED:
            time_out(r, s);
            break;
        case ONWARD_RELAY__RELEASE:
            release(r, s);
            break;
        case ONWARD_RELAY__SUBMITTED:
        case ONWARD_RELAY__SUBMITTED_BEFORE:
        case ONWARD_RELAY__NOT_SUBMITTED:
            return;
        }
    } while (!onward_relay__is_dead(r) && s->state != before);
}

bool onward_relay__are_submissions_over(const struct onward_relay *r)
{
    for (size_t i = 0; i < r->submission_count; i++) {
        if (r->submissions[i]->state < ONWARD_RELAY__SUBMITTED)
            return false;
    }
    return true;
}

bool onward_relay__run_submissions(struct onward_relay *r)
{
    for (size_t i = 0; i < r->submission_count; i++) {
        run(r, r->submissions[i]);
        if (onward_relay__is_dead(r))
            return false;
    }
    return onward_relay__are_submissions_over(r);
}

/* ---- Facts ------------------------------------------------------------- */

size_t onward_relay_submission_count(const struct onward_relay *relay)
{
    return relay->submission_count;
}

int onward_relay_submission_at(const struct onward_relay *relay, size_t index,
                               struct onward_relay_submission *out)
{
    struct onward_relay_submission s = {.size = sizeof(s)};
    const struct onward_relay__submission *from;

    if (index >= relay->submission_count)
        return ONWARD_ENOENT;
    from = relay->submissions[index];
    s.kind = from->kind;
    s.reverse_path = from->reverse_path;
    s.rcpt_count = from->kind == ONWARD_RELAY_SUBMISSION_QUARANTINE
                       ? relay->rcpt_count
                       : from->rcpt_count;
    s.source = from->source;
    s.message_id = from->message_id;
    s.place = from->place;
    s.event = from->event;
    return onward_core__out_store(out, &s, sizeof(s));
}

struct onward_str onward_relay_submission_rcpt(const struct onward_relay *relay,
                                               size_t index, size_t i)
{
    const struct onward_str none = {0};
    const struct onward_relay__submission *s;
    const struct onward_relay__rcpt *rcpt = relay->rcpts;

    if (index >= relay->submission_count)
        return none;
    s = relay->submissions[index];
    if (s->kind != ONWARD_RELAY_SUBMISSION_QUARANTINE)
        return i < s->rcpt_count ? s->rcpts[i] : none;
    while (rcpt != NULL && i-- > 0)
        rcpt = rcpt->next;
    return rcpt == NULL ? none : rcpt->text;
}
