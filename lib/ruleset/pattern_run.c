/*
 * Running a program: all its threads go over the subject together, one octet at
 * a time (Pike's machine). Threads stand in the order in which a backtracking
 * matcher would try them; of two that are at the same instruction only the
 * first can win, so there are never more threads than instructions, and the
 * time is at most instructions x octets.
 *
 * The program may have come from a damaged file: each instruction is read once
 * where it is needed, and what it points to is checked before it is followed.
 */
#include "ruleset/pattern_priv.h"

#define UNSET UINT32_MAX
#define SUBJECT_MAX ((size_t)1 << 31)
#define NO_SLOT 0xff

/* What is still to be followed at this place, or (slot) undone before that. */
struct pending {
    uint32_t old;
    uint16_t at;
    uint16_t slot;
};

/* Threads in their order; each has its own slots. */
struct threads {
    size_t count;
    uint32_t *slots;
    uint16_t *at;
};

struct machine {
    struct onward_ruleset__program p;
    const unsigned char *subject;
    size_t len;
    size_t slot_count; /* of each thread */
    struct threads now, next;
    uint32_t *slots; /* of the thread that is followed */
    uint32_t *best;  /* of the match */
    /* Where an instruction was met last, plus one. */
    uint32_t *met;
    struct pending *pending;
    bool is_match;
    bool is_damaged;
};

/* ---- Scratch ----------------------------------------------------------- */

static size_t slots_of(const struct onward_ruleset__program *p, size_t want)
{
    return 2 * (want < p->capture_count ? want : p->capture_count);
}

static size_t scratch_of(const struct onward_ruleset__program *p, size_t want)
{
    const size_t n = p->inst_count;

    return n * sizeof(uint32_t) + (n + 1) * sizeof(struct pending) +
           (2 * n + 2) * slots_of(p, want) * sizeof(uint32_t) +
           2 * n * sizeof(uint16_t);
}

size_t onward_ruleset__pattern_scratch(struct onward_str program, size_t want)
{
    struct onward_ruleset__program p;

    if (!onward_ruleset__program_open(program, &p))
        return 0;
    return scratch_of(&p, want);
}

static void lay_out(struct machine *m, void *scratch)
{
    const size_t n = m->p.inst_count;

    m->met = scratch;
    memset(m->met, 0, n * sizeof(m->met[0]));
    m->pending = (void *)(m->met + n);
    m->now.slots = (void *)(m->pending + n + 1);
    m->next.slots = m->now.slots + n * m->slot_count;
    m->slots = m->next.slots + n * m->slot_count;
    m->best = m->slots + m->slot_count;
    m->now.at = (void *)(m->best + m->slot_count);
    m->next.at = m->now.at + n;
}

/* ---- Following --------------------------------------------------------- */

static bool is_boundary(const struct machine *m, size_t place)
{
    const bool before =
        place > 0 && onward_ruleset__is_word(m->subject[place - 1]);
    const bool behind =
        place < m->len && onward_ruleset__is_word(m->subject[place]);

    return before != behind;
}

static void add_thread(struct machine *m, struct threads *list, size_t at)
{
    const size_t i = list->count++;

    list->at[i] = (uint16_t)at;
    if (m->slot_count > 0)
        memcpy(list->slots + i * m->slot_count, m->slots,
               m->slot_count * sizeof(m->slots[0]));
}

static size_t x_of(const unsigned char *inst)
{
    return (size_t)inst[2] | (size_t)inst[3] << 8;
}

static void save(struct machine *m, size_t slot, size_t place,
                 size_t *pending_count)
{
    if (slot < 2 || slot >= 2 * m->p.capture_count) {
        m->is_damaged = true;
        return;
    }
    if (slot >= m->slot_count)
        return; /* nobody wants it */
    m->pending[(*pending_count)++] =
        (struct pending){.old = m->slots[slot], .slot = (uint16_t)slot};
    m->slots[slot] = (uint32_t)place;
}

/* From one instruction on to all that take an octet. Each that is met for the
 * first time leaves at most one thing pending, so there is room for all. */
static void follow_one(struct machine *m, struct threads *list, size_t at,
                       size_t place, size_t *pending_count)
{
    while (!m->is_damaged) {
        const unsigned char *inst;
        size_t x;

        if (at >= m->p.inst_count) {
            m->is_damaged = true;
            return;
        }
        if (m->met[at] == place + 1)
            return;
        m->met[at] = (uint32_t)place + 1;
        inst = m->p.insts + at * ONWARD_RULESET__PATTERN_INST;
        x = x_of(inst);
        switch (inst[0]) {
        case ONWARD_RULESET__OP_JUMP:
            at = x;
            continue;
        case ONWARD_RULESET__OP_SPLIT:
            m->pending[(*pending_count)++] =
                (struct pending){.at = (uint16_t)x, .slot = NO_SLOT};
            break;
        case ONWARD_RULESET__OP_SPLIT_FAR:
            m->pending[(*pending_count)++] =
                (struct pending){.at = (uint16_t)(at + 1), .slot = NO_SLOT};
            at = x;
            continue;
        case ONWARD_RULESET__OP_SAVE:
            save(m, inst[1], place, pending_count);
            break;
        case ONWARD_RULESET__OP_START:
            if (place != 0)
                return;
            break;
        case ONWARD_RULESET__OP_END:
            if (place != m->len)
                return;
            break;
        case ONWARD_RULESET__OP_WORD:
        case ONWARD_RULESET__OP_NOT_WORD:
            if (is_boundary(m, place) != (inst[0] == ONWARD_RULESET__OP_WORD))
                return;
            break;
        default:
            add_thread(m, list, at);
            return;
        }
        at++;
    }
}

static void follow(struct machine *m, struct threads *list, size_t at,
                   size_t place)
{
    size_t pending_count = 0;

    follow_one(m, list, at, place, &pending_count);
    while (pending_count > 0) {
        const struct pending last = m->pending[--pending_count];

        if (last.slot != NO_SLOT)
            m->slots[last.slot] = last.old;
        else
            follow_one(m, list, last.at, place, &pending_count);
    }
}

/* ---- Octets ------------------------------------------------------------ */

static bool is_in_class(struct machine *m, size_t number, unsigned char octet)
{
    if (number >= m->p.class_count) {
        m->is_damaged = true;
        return false;
    }
    return (m->p.classes[number * ONWARD_RULESET__PATTERN_CLASS +
                         (octet >> 3)] >>
                (octet & 7) &
            1) != 0;
}

static bool takes(struct machine *m, const unsigned char *inst,
                  unsigned char octet)
{
    switch (inst[0]) {
    case ONWARD_RULESET__OP_CHAR:
        return octet == inst[1];
    case ONWARD_RULESET__OP_FOLD:
        return onward_ascii_lower(octet) == inst[1];
    case ONWARD_RULESET__OP_ANY:
        return true;
    case ONWARD_RULESET__OP_CLASS:
        return is_in_class(m, x_of(inst), octet);
    default:
        m->is_damaged = true;
        return false;
    }
}

static void keep_match(struct machine *m, const uint32_t *slots, size_t place)
{
    m->is_match = true;
    if (m->slot_count == 0)
        return;
    memcpy(m->best, slots, m->slot_count * sizeof(slots[0]));
    m->best[1] = (uint32_t)place;
}

/* All threads take the octet at place, or stop. */
static void step(struct machine *m, size_t place)
{
    m->next.count = 0;
    for (size_t i = 0; i < m->now.count && !m->is_damaged; i++) {
        const size_t at = m->now.at[i];
        const unsigned char *inst =
            m->p.insts + at * ONWARD_RULESET__PATTERN_INST;
        const uint32_t *slots = m->now.slots + i * m->slot_count;

        if (inst[0] == ONWARD_RULESET__OP_MATCH) {
            keep_match(m, slots, place);
            return; /* those behind it come second */
        }
        if (place == m->len || !takes(m, inst, m->subject[place]))
            continue;
        if (m->slot_count > 0)
            memcpy(m->slots, slots, m->slot_count * sizeof(slots[0]));
        follow(m, &m->next, at + 1, place + 1);
    }
}

static void begin(struct machine *m, size_t place)
{
    for (size_t i = 0; i < m->slot_count; i++)
        m->slots[i] = UNSET;
    if (m->slot_count > 0)
        m->slots[0] = (uint32_t)place;
    follow(m, &m->now, 0, place);
}

static void run(struct machine *m)
{
    const bool is_anchored = m->p.insts[0] == ONWARD_RULESET__OP_START;

    for (size_t place = 0; place <= m->len && !m->is_damaged; place++) {
        struct threads done;

        if (!m->is_match && (place == 0 || !is_anchored))
            begin(m, place);
        if (m->now.count == 0 && (m->is_match || is_anchored))
            return;
        step(m, place);
        if (m->is_match && m->slot_count == 0)
            return;
        done = m->now;
        m->now = m->next;
        m->next = done;
    }
}

static void give(const struct machine *m, struct onward_str *captures,
                 size_t want)
{
    for (size_t i = 0; i < want; i++) {
        const size_t slot = 2 * i;

        captures[i] = onward_core__str(NULL, 0);
        /* A damaged program may end what it never began. */
        if (slot < m->slot_count && m->best[slot] != UNSET &&
            m->best[slot + 1] != UNSET && m->best[slot] <= m->best[slot + 1])
            captures[i] =
                onward_core__str(m->subject + m->best[slot],
                                 (size_t)m->best[slot + 1] - m->best[slot]);
    }
}

int onward_ruleset__pattern_run(struct onward_str program,
                                struct onward_str subject,
                                struct onward_str *captures, size_t want,
                                void *scratch, size_t scratch_len)
{
    static const unsigned char nothing[1];
    struct machine m = {.len = subject.len};

    if (!onward_ruleset__program_open(program, &m.p) ||
        scratch_len < scratch_of(&m.p, want) || subject.len >= SUBJECT_MAX)
        return ONWARD_ELIMIT;
    m.subject =
        subject.data == NULL ? nothing : (const unsigned char *)subject.data;
    m.slot_count = slots_of(&m.p, want);
    lay_out(&m, scratch);
    run(&m);
    if (m.is_damaged)
        return ONWARD_ELIMIT;
    if (m.is_match)
        give(&m, captures, want);
    return m.is_match;
}
