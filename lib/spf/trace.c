/*
 * The trace: which terms were looked at, what they asked, and what became of
 * them.
 */
#include "spf/check_priv.h"

enum { STEPS_MAX = 200 };

_Static_assert(offsetof(struct onward_spf_step, void_lookups) +
                       sizeof(size_t) ==
                   sizeof(struct onward_spf_step),
               "no tail padding");

void onward_spf__trace(struct onward_spf_check *c, struct onward_str term)
{
    struct onward_spf__frame *frame = c->frame;
    struct onward_spf__step *step = frame->step;

    /* Back from the client's names: the same term again. */
    if (step != NULL && step->facts.outcome == ONWARD_SPF_OUTCOME_OPEN)
        return;
    frame->step = NULL;
    if (c->step_count == STEPS_MAX)
        return;
    step = onward_core__arena_alloc(&c->arena, sizeof(*step));
    if (step == NULL)
        return; /* a trace with a gap is no reason to fail */
    step->facts.size = sizeof(step->facts);
    step->facts.domain = frame->domain;
    step->facts.term = term;
    step->facts.offset = (size_t)(term.data - frame->record.text.data);
    for (const struct onward_spf__frame *f = frame->parent; f != NULL;
         f = f->parent)
        step->facts.depth++;
    if (c->last_step == NULL)
        c->first_step = step;
    else
        c->last_step->next = step;
    c->last_step = frame->step = step;
    c->step_count++;
}

void onward_spf__trace_outcome(struct onward_spf__frame *frame,
                               enum onward_spf_outcome outcome)
{
    struct onward_spf__step *step = frame->step;

    if (step != NULL && step->facts.outcome == ONWARD_SPF_OUTCOME_OPEN)
        step->facts.outcome = outcome;
}

size_t onward_spf_check_step_count(const struct onward_spf_check *check)
{
    return check->step_count;
}

int onward_spf_check_step_at(const struct onward_spf_check *check, size_t i,
                             struct onward_spf_step *step)
{
    const struct onward_spf__step *s = check->first_step;

    if (i >= check->step_count)
        return ONWARD_ENOENT;
    while (i-- > 0)
        s = s->next;
    return onward_core__out_store(step, &s->facts, sizeof(s->facts));
}

const char *onward_spf_outcome_name(int outcome)
{
    static const char *const names[] = {"open", "no-match", "match", "followed",
                                        "error"};

    if (outcome < 0 || outcome > ONWARD_SPF_OUTCOME_ERROR)
        return "";
    return names[outcome];
}
