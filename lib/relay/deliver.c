/*
 * Deliveries: the host is asked for each destination, its answers are kept, and
 * what was taken is entered in the ledger.
 */
#include "relay/relay_priv.h"

#include "core/text_shared.h"
#include "smtp/smtp_shared.h"

/* ---- Outcomes ---------------------------------------------------------- */

static void settle(struct onward_relay__destination *d, size_t code,
                   struct onward_str enhanced, struct onward_str text)
{
    d->reply_code = code;
    d->reply_enhanced = enhanced;
    d->reply_text = text;
    d->fate = code < 300   ? ONWARD_RELAY_FATE_DELIVERED
              : code < 500 ? ONWARD_RELAY_FATE_TEMPORARY
                           : ONWARD_RELAY_FATE_PERMANENT;
}

/* The next hop's words are for people; without memory its code is enough. */
static void keep_texts(struct onward_relay__destination *d,
                       const struct onward_smtp_reply *reply)
{
    struct onward_arena *arena = &d->relay->arena;

    if (onward_core__arena_dup(arena, reply->enhanced, &d->reply_enhanced) != 0)
        d->reply_enhanced = onward_core__str(NULL, 0);
    if (onward_core__arena_dup(
            arena, onward_core__sub(reply->text, 0, ONWARD_RELAY__TEXT_MAX),
            &d->reply_text) != 0)
        d->reply_text = onward_core__str(NULL, 0);
}

int onward_relay_delivery_answer(struct onward_desk *desk, uint64_t token,
                                 const struct onward_smtp_reply *reply)
{
    struct onward_core__ask *ask =
        onward_core__ask_find(desk, token, ONWARD_ASK_DELIVERY);
    struct onward_relay__destination *d;
    struct onward_smtp_reply r;
    int err;

    if (ask == NULL)
        return ONWARD_ESTALE;
    err = onward_smtp__reply_load(&r, reply);
    if (err != 0)
        return err;
    if (r.code >= 300 && r.code < 400)
        return ONWARD_EINVAL;
    d = ONWARD_CONTAINER(ask, struct onward_relay__destination, ask);
    settle(d, r.code, onward_core__str(NULL, 0), onward_core__str(NULL, 0));
    keep_texts(d, &r);
    onward_core__ask_close(ask);
    onward_core__task_ready(&d->relay->task);
    return 0;
}

/* ---- Asking ------------------------------------------------------------ */

void onward_relay__cancel(struct onward_relay *r,
                          struct onward_relay__destination *d)
{
    uint64_t token = d->ask.token;

    if (d->ask.desk == NULL)
        return;
    onward_core__ask_close(&d->ask);
    if (r->host.cancel != NULL && !onward_core__desk_is_dead(r->desk))
        r->host.cancel(r->host.user, token);
}

static void ask(struct onward_relay *r, size_t index)
{
    struct onward_relay__destination *d = r->destinations[index];
    int ret = onward_relay__write_top(r, d);

    d->is_asked = true;
    if (ret == 0)
        ret = onward_core__ask_open(r->desk, &d->ask, ONWARD_ASK_DELIVERY);
    if (ret == 0)
        ret = r->host.deliver(r->host.user, d->ask.token, r, index);
    if (ret >= 0 || onward_relay__is_dead(r) ||
        d->fate != ONWARD_RELAY_FATE_PENDING)
        return;
    onward_core__ask_close(&d->ask);
    settle(d, 451, ONWARD_STR("4.3.0"), ONWARD_STR("Cannot be delivered now"));
}

static void ask_all(struct onward_relay *r)
{
    for (size_t i = 0; i < r->destination_count && !onward_relay__is_dead(r);
         i++) {
        const struct onward_relay__destination *d = r->destinations[i];

        if (d->is_known && !d->is_asked && !d->is_held &&
            d->fate == ONWARD_RELAY_FATE_PENDING)
            ask(r, i);
    }
}

/* ---- Failover ---------------------------------------------------------- */

static bool has_it(const struct onward_relay__destination *d)
{
    return d->fate == ONWARD_RELAY_FATE_DELIVERED ||
           d->fate == ONWARD_RELAY_FATE_BEFORE;
}

static bool has_failed(const struct onward_relay__destination *d)
{
    return d->fate == ONWARD_RELAY_FATE_TEMPORARY ||
           d->fate == ONWARD_RELAY_FATE_PERMANENT;
}

static bool is_untried(const struct onward_relay__destination *d)
{
    return d->fate == ONWARD_RELAY_FATE_PENDING && !d->is_asked;
}

/*
 * One place of a failover list. Once a later one has the message, perhaps since
 * an earlier try of the sender, those before it are not asked, and their
 * failures do not count. When all fail, all count: a list with a temporary
 * failure in it is worth another try.
 */
static void run_place(struct onward_relay__destination *d)
{
    struct onward_relay__destination *later = d->heir;
    bool is_taken = false;

    for (; later != NULL; later = later->heir) {
        is_taken = is_taken || has_it(later);
        if (has_it(d) && is_untried(later))
            later->fate = ONWARD_RELAY_FATE_SPARE;
    }
    if (is_taken && is_untried(d))
        d->fate = ONWARD_RELAY_FATE_SPARE;
    if (has_failed(d) || d->fate == ONWARD_RELAY_FATE_SPARE)
        d->heir->is_held = false;
    d->is_forgiven = d->is_forgiven || (is_taken && has_failed(d));
}

static void run_failover(struct onward_relay *r)
{
    for (size_t i = 0; i < r->destination_count; i++) {
        if (r->destinations[i]->heir != NULL)
            run_place(r->destinations[i]);
    }
}

/* ---- Time -------------------------------------------------------------- */

static void set_deadline(struct onward_relay *r)
{
    size_t timeout_ms = r->opts.delivery_timeout_ms;
    int64_t now_ms = onward_core__desk_now(r->desk);

    r->deadline_ms = ONWARD_NEVER;
    if (timeout_ms != ONWARD_LIMIT_NONE &&
        timeout_ms < (uint64_t)(INT64_MAX - now_ms))
        r->deadline_ms = now_ms + (int64_t)timeout_ms;
}

static void time_out(struct onward_relay *r)
{
    if (onward_core__desk_now(r->desk) < r->deadline_ms)
        return;
    for (size_t i = 0; i < r->destination_count && !onward_relay__is_dead(r);
         i++) {
        struct onward_relay__destination *d = r->destinations[i];

        if (d->fate != ONWARD_RELAY_FATE_PENDING)
            continue;
        settle(d, 451, ONWARD_STR("4.4.7"),
               ONWARD_STR("Delivery takes too long"));
        onward_relay__cancel(r, d);
    }
}

/* ---- The stage --------------------------------------------------------- */

static bool is_settled(struct onward_relay *r,
                       struct onward_relay__destination *d)
{
    if (d->fate == ONWARD_RELAY_FATE_PENDING)
        return false;
    d->is_over = d->is_over || d->fate != ONWARD_RELAY_FATE_DELIVERED ||
                 onward_relay__record(r, d);
    return d->is_over;
}

static bool are_settled(struct onward_relay *r)
{
    bool are_over = true;

    for (size_t i = 0; i < r->destination_count && !onward_relay__is_dead(r);
         i++)
        are_over &= is_settled(r, r->destinations[i]);
    return are_over;
}

/* Callbacks above may have brought more to do. */
static bool is_quiet(const struct onward_relay *r)
{
    for (size_t i = 0; i < r->destination_count; i++) {
        if (!r->destinations[i]->is_over)
            return false;
    }
    return onward_relay__are_submissions_over(r) &&
           onward_relay__are_events_over(r);
}

/* What handlers ask for while others are on their way comes here late, and
 * passes through the same steps. */
bool onward_relay__deliver(struct onward_relay *r)
{
    bool is_over;

    if (r->deadline_ms == 0)
        set_deadline(r);
    onward_relay__run_events(r);
    is_over = !onward_relay__is_dead(r) && onward_relay__look_up(r);
    if (!onward_relay__is_dead(r)) {
        run_failover(r);
        ask_all(r);
    }
    if (!onward_relay__is_dead(r)) {
        time_out(r);
        run_failover(r);
        is_over &= are_settled(r);
    }
    if (!onward_relay__is_dead(r))
        is_over &= onward_relay__run_submissions(r);
    if (!onward_relay__is_dead(r))
        onward_relay__tell_actions(r);
    if (is_over && !onward_relay__is_dead(r) && is_quiet(r))
        onward_relay__conclude(r);
    return false;
}

/* Handlers alone, until they forward something or are through. */
bool onward_relay__handle(struct onward_relay *r)
{
    bool is_over;

    onward_relay__run_events(r);
    if (onward_relay__is_dead(r))
        return false;
    if (onward_relay__has_copies(r))
        return true;
    is_over = onward_relay__run_submissions(r);
    if (!onward_relay__is_dead(r))
        onward_relay__tell_actions(r);
    if (onward_relay__is_dead(r))
        return false;
    if (onward_relay__has_copies(r))
        return true;
    if (is_over && is_quiet(r))
        onward_relay__conclude(r);
    return false;
}
