/*
 * Where a message that is put apart would go: what the rules say without those
 * that put mail apart. It is told to the host, which keeps it beside the
 * message for the day on which somebody lets it go.
 */
#include "relay/relay_priv.h"

static int add_way(struct onward_relay *r, struct onward_relay__submission *s,
                   struct onward_str address, size_t *before)
{
    struct onward_relay__destination *d =
        onward_core__arena_alloc(&r->arena, sizeof(*d));
    int err = d == NULL ? ONWARD_ENOMEM
                        : onward_relay__read_destination(r, d, address);

    if (err == ONWARD_ESYNTAX) /* a rule that cannot be followed */
        return 0;
    for (size_t i = 0; err == 0 && i < s->way_count; i++) {
        if (onward_core__str_ieq(s->ways[i]->recipient, d->recipient))
            return 0;
    }
    if (err == 0 && !onward_relay__grow(r, &s->ways, s->way_count, &s->way_cap))
        err = ONWARD_ENOMEM;
    if (err != 0)
        return err;
    s->ways[s->way_count] = d;
    if (*before < s->way_count)
        s->ways[*before]->heir = d;
    *before = s->way_count++;
    return 0;
}

static int add_ways(struct onward_relay *r, struct onward_relay__submission *s,
                    const struct onward_ruleset_action *a)
{
    int err = 0;

    for (; a != NULL && err == 0; a = a->next) {
        size_t before = SIZE_MAX;

        if (a->kind != ONWARD_RULESET_FORWARD &&
            a->kind != ONWARD_RULESET_FAILOVER)
            continue;
        for (size_t i = 0; i < a->destination_count && err == 0; i++) {
            if (a->kind == ONWARD_RULESET_FORWARD)
                before = SIZE_MAX;
            err = add_way(r, s, a->destinations[i], &before);
        }
    }
    return err;
}

static int find_way(struct onward_relay *r, struct onward_relay__submission *s,
                    const struct onward_relay__rcpt *rcpt)
{
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_address__mailbox mailbox;
    int err = onward_address__parse_mailbox(
        &r->scratch, rcpt->text, ONWARD_ADDRESS_ALLOW_UTF8, &mailbox, NULL);

    if (err == 0)
        err = onward_relay__route(r, r->router, &mailbox, &d);
    if (err == 0 && !onward_relay__is_dead(r) &&
        d.kind != ONWARD_RULESET_REJECT &&
        d.kind != ONWARD_RULESET_NEED_MESSAGE)
        err = add_ways(r, s, d.actions);
    onward_core__arena_reset(&r->scratch);
    return err;
}

int onward_relay__find_ways(struct onward_relay *r,
                            struct onward_relay__submission *s)
{
    int err = 0;

    if (s->way_count != 0)
        return 0;
    r->skips_quarantine = true;
    for (const struct onward_relay__rcpt *rcpt = r->rcpts;
         rcpt != NULL && err != ONWARD_ENOMEM && !onward_relay__is_dead(r);
         rcpt = rcpt->next)
        err = find_way(r, s, rcpt);
    r->skips_quarantine = false;
    /* Rules that cannot be read now are none: it was taken by others. */
    return err == ONWARD_ENOMEM ? err : 0;
}

int onward_relay_submission_delivery(const struct onward_relay *relay,
                                     size_t index, size_t i,
                                     struct onward_relay_delivery *out)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};
    const struct onward_relay__submission *s;

    if (index >= relay->submission_count ||
        i >= relay->submissions[index]->way_count)
        return ONWARD_ENOENT;
    s = relay->submissions[index];
    onward_relay__describe(relay, s->ways[i], &d);
    d.source = s->source;
    for (size_t n = 0; n < s->way_count; n++) {
        if (s->ways[n] == s->ways[i]->heir)
            d.heir = n + 1;
    }
    return onward_core__out_store(out, &d, sizeof(d));
}
