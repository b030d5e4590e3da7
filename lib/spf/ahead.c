/*
 * Asking ahead: what the terms of the records at hand will ask is asked at
 * once, so that a check takes about as long as its deepest include, not as the
 * sum of its terms. Nothing is asked behind a term that decides without the
 * DNS, nor behind the term limit. The evaluation in check.c does not
 * know of it: it finds its answers there.
 */
#include "spf/check_priv.h"

/* Nothing more can be known. */
static bool over(struct onward_spf_check *c)
{
    c->ahead.is_over = true;
    return false;
}

static bool next_term(struct onward_spf_check *c)
{
    c->ahead.frame->term = c->ahead.frame->term->next;
    return true;
}

/* The frame's result without the DNS: as in an include (RFC 7208 5.2). */
static bool frame_result(struct onward_spf_check *c,
                         enum onward_spf_result result)
{
    while (c->ahead.frame->parent != NULL) {
        c->ahead.frame = c->ahead.frame->parent;
        if (result != ONWARD_SPF_PASS)
            return next_term(c);
        result = c->ahead.frame->term->qualifier;
    }
    return over(c);
}

static bool count_term(struct onward_spf_check *c)
{
    return c->ahead.terms++ < c->max_terms;
}

static bool enter(struct onward_spf_check *c, struct onward_spf__question *q)
{
    struct onward_spf__frame *frame =
        onward_core__arena_alloc(&c->arena, sizeof(*frame));

    if (frame == NULL)
        return over(c);
    frame->parent = c->ahead.frame;
    frame->domain = q->name;
    frame->question = q;
    c->ahead.frame = frame;
    return true;
}

static bool ask(struct onward_spf_check *c, const struct onward_spf__term *term)
{
    uint16_t type = onward_spf__type_of(c, term->mechanism);
    struct onward_spf__question *q;
    struct onward_str target;

    if (term->mechanism == MECHANISM_PTR ||
        onward_spf__macro_uses(term->domain_spec, 'p')) {
        if (!c->has_names && onward_spf__put_names(c) == NULL)
            return over(c);
        /* How many terms are in there depends on these names. */
        return type == ONWARD_DNS_TXT ? over(c) : next_term(c);
    }
    if (onward_spf__never_matches(c, term->domain_spec))
        return next_term(c);
    if (onward_spf__target(c, c->ahead.frame->domain, term->domain_spec,
                           &target) != 0)
        return over(c);
    q = onward_spf__put(c, target, type);
    if (q == NULL)
        return over(c);
    return type == ONWARD_DNS_TXT ? enter(c, q) : next_term(c);
}

static bool after_terms(struct onward_spf_check *c)
{
    struct onward_spf__frame *frame = c->ahead.frame;
    struct onward_str spec = frame->record.redirect;
    struct onward_str target;

    if (spec.len == 0 || frame->record.has_all)
        return frame_result(c, ONWARD_SPF_NEUTRAL);
    if (!count_term(c) || onward_spf__macro_uses(spec, 'p') ||
        onward_spf__target(c, frame->domain, spec, &target) != 0)
        return over(c);
    frame->domain = target;
    frame->record = (struct onward_spf__record){0};
    frame->question = onward_spf__put(c, target, ONWARD_DNS_TXT);
    return frame->question == NULL ? over(c) : true;
}

static bool pass_term(struct onward_spf_check *c)
{
    const struct onward_spf__term *term = c->ahead.frame->term;

    switch (term->mechanism) {
    case MECHANISM_ALL:
        return frame_result(c, term->qualifier);
    case MECHANISM_IP4:
    case MECHANISM_IP6:
        if (onward_spf__ip_within(&c->ip, &term->ip,
                                  c->ip.family == 4 ? term->cidr4
                                                    : term->cidr6))
            return frame_result(c, term->qualifier);
        return next_term(c);
    case MECHANISM_INCLUDE:
    case MECHANISM_A:
    case MECHANISM_MX:
    case MECHANISM_PTR:
    case MECHANISM_EXISTS:
        break;
    }
    return count_term(c) ? ask(c, term) : over(c);
}

/* One step; false: wait for a record, or over. */
static bool advance(struct onward_spf_check *c)
{
    struct onward_spf__frame *frame = c->ahead.frame;

    if (frame->question != NULL) {
        if (!onward_spf__read_policy(c, frame->question))
            return false;
        if (frame->question->policy != POLICY_READ)
            return over(c);
        frame->record = frame->question->record;
        frame->term = frame->record.first;
        frame->question = NULL;
    }
    return frame->term == NULL ? after_terms(c) : pass_term(c);
}

void onward_spf__look_ahead(struct onward_spf_check *c)
{
    struct onward_spf__ahead *a = &c->ahead;

    if (a->frame == NULL) {
        if (c->phase != PHASE_RECORD || !enter(c, c->question))
            return;
    }
    while (!a->is_over && advance(c))
        continue;
}
