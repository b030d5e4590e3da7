/*
 * Aliases: a rule that forwards to an address of our own zones has that
 * address's rules followed here, at once, instead of a delivery to ourselves;
 * and so on, to a depth. What comes out is one list of actions without such
 * addresses, or the answer that stands against it: a loop (RFC 5321 section
 * 6.3), or what the address in the end is told.
 *
 * Each address is followed once, however many lead there, so that no set of
 * rules makes more work than it has addresses.
 */
#include "relay/relay_priv.h"
#include "ruleset/ruleset_shared.h"

enum { ADDRESSES_MAX = 1000 };

/* An address on the way down. */
struct level {
    const struct level *above;
    struct onward_str address;
};

/* One that was followed. */
struct seen {
    struct seen *next;
    struct onward_str address;
};

/* What comes out. */
struct made {
    struct made *next;
    struct onward_ruleset_action action;
};

struct expansion {
    struct onward_relay *r;
    struct onward_ruleset_router *router;
    struct made *first, **last;
    size_t count, followed;
    struct seen *seen;
    bool is_stopped; /* answer says why */
    struct onward_ruleset_decision answer;
};

static int walk(struct expansion *x, const struct onward_ruleset_action *a,
                const struct level *above, size_t depth);

/* ---- What comes out ---------------------------------------------------- */

/* In the scratch arena, as most lists turn out to be what they were. */
static int add(struct expansion *x, const struct onward_ruleset_action *a,
               const struct onward_str *destinations, size_t count)
{
    struct made *m = onward_core__arena_alloc(&x->r->scratch, sizeof(*m));

    if (m == NULL)
        return ONWARD_ENOMEM;
    m->action = *a;
    m->action.destinations = destinations;
    m->action.destination_count = count;
    *x->last = m;
    x->last = &m->next;
    x->count++;
    return 0;
}

/* What was made, for as long as the relay lives. */
static int keep(struct expansion *x, struct onward_ruleset_decision *decision)
{
    struct onward_ruleset_action *list =
        onward_core__arena_array(&x->r->arena, x->count + 1, sizeof(*list));
    size_t i = 0;

    if (list == NULL)
        return ONWARD_ENOMEM;
    for (const struct made *m = x->first; m != NULL; m = m->next, i++) {
        struct onward_str *destinations = onward_core__arena_array(
            &x->r->arena, m->action.destination_count + 1,
            sizeof(*destinations));

        if (destinations == NULL)
            return ONWARD_ENOMEM;
        if (m->action.destination_count != 0)
            memcpy(destinations, m->action.destinations,
                   m->action.destination_count * sizeof(*destinations));
        list[i] = m->action;
        list[i].destinations = destinations;
        list[i].next = m->next == NULL ? NULL : &list[i + 1];
    }
    decision->actions = x->count == 0 ? NULL : list;
    decision->action_count = x->count;
    return 0;
}

static int stop(struct expansion *x, int kind, int code,
                struct onward_str enhanced, struct onward_str text)
{
    x->is_stopped = true;
    x->answer.kind = kind;
    x->answer.reply_code = code;
    x->answer.reply_enhanced = enhanced;
    x->answer.reply_text = text;
    return 0;
}

static int stop_loop(struct expansion *x, struct onward_str text)
{
    return stop(x, ONWARD_RULESET_REJECT, 550, ONWARD_STR("5.4.6"), text);
}

/* ---- An address -------------------------------------------------------- */

/* Local parts that differ in case are the same, as everywhere in relay. */
static bool is_above(const struct level *level, struct onward_str address)
{
    for (; level != NULL; level = level->above) {
        if (onward_core__str_ieq(level->address, address))
            return true;
    }
    return false;
}

static bool is_seen(const struct expansion *x, struct onward_str address)
{
    for (const struct seen *s = x->seen; s != NULL; s = s->next) {
        if (onward_core__str_ieq(s->address, address))
            return true;
    }
    return false;
}

static int remember(struct expansion *x, struct onward_str address)
{
    struct seen *s = onward_core__arena_alloc(&x->r->scratch, sizeof(*s));

    if (s == NULL)
        return ONWARD_ENOMEM;
    s->address = address;
    s->next = x->seen;
    x->seen = s;
    return 0;
}

static int follow(struct expansion *x, struct onward_str address,
                  const struct onward_ruleset_decision *d,
                  const struct level *above, size_t depth)
{
    const struct level here = {.above = above, .address = address};

    if (is_above(above, address))
        return stop_loop(x, ONWARD_STR("This address is forwarded to itself"));
    if (is_seen(x, address))
        return 0;
    if (depth >= x->r->opts.max_expansion || ++x->followed > ADDRESSES_MAX)
        return stop_loop(x, ONWARD_STR("This address is forwarded too often"));
    if (remember(x, address) != 0)
        return ONWARD_ENOMEM;
    if (d->kind == ONWARD_RULESET_REJECT)
        return stop(x, d->kind, d->reply_code, d->reply_enhanced,
                    d->reply_text);
    if (d->kind == ONWARD_RULESET_NEED_MESSAGE)
        return stop(x, d->kind, 0, d->reply_enhanced, d->reply_text);
    return walk(x, d->actions, &here, depth + 1);
}

/* 1: it is ours, and was followed; 0: it is not; or an error. */
static int try_own(struct expansion *x, struct onward_str destination,
                   const struct level *above, size_t depth)
{
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_relay *r = x->r;
    struct onward_address__mailbox mailbox;
    struct onward_str address;
    int err = onward_address__parse_mailbox(
        &r->scratch, destination, ONWARD_ADDRESS_ALLOW_UTF8, &mailbox, NULL);

    if (err != 0) /* for the plan to say */
        return err == ONWARD_ENOMEM ? err : 0;
    err = onward_relay__write(r, &r->scratch, &mailbox, &address);
    if (err == 0)
        err = onward_relay__route_once(r, x->router, &mailbox, &d);
    if (err != 0 || onward_relay__is_dead(r))
        return err;
    if (d.reason == ONWARD_RULESET_NO_ZONE)
        return 0;
    err = follow(x, address, &d, above, depth);
    return err == 0 ? 1 : err;
}

/* ---- Actions ----------------------------------------------------------- */

static int walk_forward(struct expansion *x,
                        const struct onward_ruleset_action *a,
                        const struct level *above, size_t depth)
{
    struct onward_str *others = onward_core__arena_array(
        &x->r->scratch, a->destination_count + 1, sizeof(*others));
    size_t count = 0;

    if (others == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < a->destination_count; i++) {
        int ret = try_own(x, a->destinations[i], above, depth);

        if (ret < 0 || x->is_stopped || onward_relay__is_dead(x->r))
            return ret < 0 ? ret : 0;
        if (ret == 0)
            others[count++] = a->destinations[i];
    }
    return count == 0 ? 0 : add(x, a, others, count);
}

/* A list to fail over stays as it is: which of it fails is known only when it
 * was tried. */
static int walk(struct expansion *x, const struct onward_ruleset_action *a,
                const struct level *above, size_t depth)
{
    int err = 0;

    for (; a != NULL && err == 0 && !x->is_stopped &&
           !onward_relay__is_dead(x->r);
         a = a->next)
        err = a->kind == ONWARD_RULESET_FORWARD
                  ? walk_forward(x, a, above, depth)
                  : add(x, a, a->destinations, a->destination_count);
    return err;
}

static bool has_forward(const struct onward_ruleset_action *a)
{
    for (; a != NULL; a = a->next) {
        if (a->kind == ONWARD_RULESET_FORWARD)
            return true;
    }
    return false;
}

int onward_relay__expand(struct onward_relay *r,
                         struct onward_ruleset_router *router,
                         const struct onward_address__mailbox *to,
                         struct onward_ruleset_decision *decision)
{
    struct expansion x = {.r = r, .router = router, .answer = *decision};
    struct level top = {.above = NULL};
    int err;

    if (r->opts.max_expansion == 0 || decision->kind == ONWARD_RULESET_REJECT ||
        !has_forward(decision->actions))
        return 0;
    x.last = &x.first;
    err = onward_relay__write(r, &r->scratch, to, &top.address);
    if (err == 0)
        err = walk(&x, decision->actions, &top, 0);
    if (err != 0 || onward_relay__is_dead(r))
        return err;
    if (x.is_stopped) {
        *decision = x.answer;
        decision->actions = NULL;
        decision->action_count = 0;
        decision->destination_count = 0;
        return 0;
    }
    /* Nothing was ours: the list of the rules will do. */
    return x.followed == 0 ? 0 : keep(&x, decision);
}
