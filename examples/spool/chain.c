/*
 * Lists to fail over: a recipient that is an heir is tried when the one before
 * it was and has not taken the message; once one of them has, the others are
 * not asked any more.
 */
#include "spool.h"

/* The list that holds rcpt: from *first up to, and not with, *end. */
static void bounds(const struct spool_message *m, size_t rcpt, size_t *first,
                   size_t *end)
{
    const struct spool_envelope *e = &m->envelope;

    *first = rcpt;
    while (*first > 0 && e->rcpts[*first].is_heir)
        (*first)--;
    *end = rcpt + 1;
    while (*end < e->rcpt_count && e->rcpts[*end].is_heir)
        (*end)++;
}

bool spool_is_waiting(const struct spool_message *m, size_t rcpt)
{
    size_t first, end;

    if (m->states[rcpt].fate != SPOOL_WAITING)
        return false;
    bounds(m, rcpt, &first, &end);
    for (size_t i = first; i < end; i++) {
        if (m->states[i].fate == SPOOL_DELIVERED ||
            (i < rcpt && m->states[i].attempts == 0))
            return false;
    }
    return true;
}

bool spool_has_others(const struct spool_message *m, size_t rcpt)
{
    size_t first, end;

    bounds(m, rcpt, &first, &end);
    for (size_t i = first; i < end; i++) {
        if (i != rcpt && m->states[i].fate == SPOOL_WAITING)
            return true;
    }
    return false;
}
