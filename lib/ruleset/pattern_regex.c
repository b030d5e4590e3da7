/*
 * Regular expressions. Code is written as the text is read; an operator that
 * comes behind its operand makes room in front of the code of the operand.
 * Groups are a stack of their own, so that depth costs no call.
 */
#include "ruleset/code_priv.h"

enum {
    COUNT_MAX = 1000, /* of {m,n}; the size of the program bites earlier */
    NO_END = -1
};

/* A group that is open, or (the first) the pattern as a whole. */
struct level {
    size_t opened;    /* in the text */
    size_t start;     /* its first instruction */
    size_t branch;    /* the first one of the branch that is read */
    size_t last_jump; /* of a finished branch, to the end of the group */
    unsigned slot;    /* where its start is saved; 0: no capture */
    bool has_jump;
    bool can_be_empty;        /* a finished branch can */
    bool branch_can_be_empty; /* but for the last atom */
};

/* What a repetition would repeat: insts[start] to the end. */
struct atom {
    size_t start;
    bool is_there;
    bool can_be_empty;
};

struct parser {
    struct onward_ruleset__code *c;
    struct atom atom;
    size_t depth;
    struct level levels[ONWARD_RULESET__PATTERN_DEPTH_MAX];
};

static void fail(struct onward_ruleset__code *c, size_t at, const char *what)
{
    onward_ruleset__code_fail(c, ONWARD_ESYNTAX, at, what);
}

/* ---- Atoms ------------------------------------------------------------- */

/* What came before this atom is now a part of its branch. */
static void begin_atom(struct parser *p)
{
    struct level *level = &p->levels[p->depth];

    if (p->atom.is_there && !p->atom.can_be_empty)
        level->branch_can_be_empty = false;
    p->atom = (struct atom){.start = p->c->count, .is_there = true};
}

/* Behind it nothing can be repeated. */
static void end_atoms(struct parser *p)
{
    begin_atom(p);
    p->atom.is_there = false;
}

static void add_assertion(struct parser *p, enum onward_ruleset__op op)
{
    end_atoms(p);
    onward_ruleset__code_add(p->c, op, 0, 0);
}

/* ---- Groups ------------------------------------------------------------ */

static void open_level(struct parser *p, size_t opened, unsigned slot)
{
    struct onward_ruleset__code *c = p->c;
    struct level *level;

    if (p->depth + 1 == ONWARD_RULESET__PATTERN_DEPTH_MAX) {
        onward_ruleset__code_fail(c, ONWARD_ELIMIT, opened,
                                  "groups nested too deep");
        return;
    }
    level = &p->levels[++p->depth];
    *level = (struct level){.opened = opened,
                            .start = c->count,
                            .slot = slot,
                            .branch_can_be_empty = true};
    if (slot != 0)
        onward_ruleset__code_add(c, ONWARD_RULESET__OP_SAVE, slot, 0);
    level->branch = c->count;
    p->atom.is_there = false;
}

/* Behind the '('. */
static void open_group(struct parser *p)
{
    struct onward_ruleset__code *c = p->c;
    const size_t opened = c->at - 1;
    unsigned slot = 0;

    begin_atom(p);
    p->atom.is_there = false;
    if (onward_ruleset__take_text(c, "?:")) {
        open_level(p, opened, 0);
        return;
    }
    if (onward_ruleset__peek(c, 0) == '?') {
        fail(c, opened, "only (?: and, at the start, (?i) are known");
        return;
    }
    if (c->capture_count == ONWARD_RULESET__PATTERN_CAPTURES) {
        onward_ruleset__code_fail(c, ONWARD_ELIMIT, opened,
                                  "more than 9 captures: use (?:");
        return;
    }
    slot = (unsigned)(2 * c->capture_count++);
    open_level(p, opened, slot);
}

static void end_branch(struct parser *p)
{
    struct level *level = &p->levels[p->depth];

    end_atoms(p);
    if (level->branch_can_be_empty)
        level->can_be_empty = true;
    level->branch_can_be_empty = true;
}

/* Behind the '|': what was read is tried first, then what comes. */
static void add_branch(struct parser *p)
{
    struct onward_ruleset__code *c = p->c;
    struct level *level = &p->levels[p->depth];
    const size_t branch = level->branch;

    end_branch(p);
    onward_ruleset__code_insert(c, branch, ONWARD_RULESET__OP_SPLIT, 0);
    /* Until the group ends, each jump says how far the one before it is. */
    onward_ruleset__code_add(
        c, ONWARD_RULESET__OP_JUMP, 0,
        level->has_jump ? (int)(c->count - level->last_jump) : 0);
    if (c->err != 0)
        return;
    level->has_jump = true;
    level->last_jump = c->count - 1;
    level->branch = c->count;
    c->insts[branch].x = (int16_t)(c->count - branch);
}

static void end_level(struct parser *p)
{
    struct onward_ruleset__code *c = p->c;
    struct level *level = &p->levels[p->depth];
    size_t at = level->last_jump;

    end_branch(p);
    while (level->has_jump && c->err == 0) {
        const size_t before = (size_t)c->insts[at].x;

        c->insts[at].x = (int16_t)(c->count - at);
        level->has_jump = before != 0;
        at -= before;
    }
    if (level->slot != 0)
        onward_ruleset__code_add(c, ONWARD_RULESET__OP_SAVE, level->slot + 1,
                                 0);
}

static void close_group(struct parser *p)
{
    const struct level *level = &p->levels[p->depth];

    if (p->depth == 0) {
        fail(p->c, p->c->at - 1, "a ) without its (");
        return;
    }
    end_level(p);
    p->atom = (struct atom){.start = level->start,
                            .is_there = true,
                            .can_be_empty = level->can_be_empty};
    p->depth--;
}

/* ---- Repetition -------------------------------------------------------- */

struct repeat {
    int min, max; /* or NO_END */
    bool is_lazy;
};

static enum onward_ruleset__op stay_or_skip(const struct repeat *r)
{
    return r->is_lazy ? ONWARD_RULESET__OP_SPLIT_FAR : ONWARD_RULESET__OP_SPLIT;
}

/* The last `len` instructions once or more. */
static void add_plus(struct onward_ruleset__code *c, const struct repeat *r,
                     size_t len)
{
    onward_ruleset__code_add(
        c, r->is_lazy ? ONWARD_RULESET__OP_SPLIT : ONWARD_RULESET__OP_SPLIT_FAR,
        0, -(int)len);
}

static void add_star(struct parser *p, const struct repeat *r)
{
    struct onward_ruleset__code *c = p->c;
    const size_t start = p->atom.start, len = c->count - start;

    /* What can be empty is tried once before it is left: a loop that comes back
     * to where it was ends there, and would not have been taken at all. */
    if (p->atom.can_be_empty) {
        add_plus(c, r, len);
        onward_ruleset__code_insert(c, start, stay_or_skip(r), (int)len + 2);
        return;
    }
    onward_ruleset__code_insert(c, start, stay_or_skip(r), (int)len + 2);
    onward_ruleset__code_add(c, ONWARD_RULESET__OP_JUMP, 0, -(int)len - 1);
}

/* x{m,n} is m times x, and then n - m times, each inside the one before:
 * (x(x(x)?)?)?, which all end at the same place. */
static void add_times(struct parser *p, const struct repeat *r)
{
    struct onward_ruleset__code *c = p->c;
    const size_t start = p->atom.start, len = c->count - start;
    const int optional = r->max - r->min;

    for (int i = 1; i < r->min && c->err == 0; i++)
        onward_ruleset__code_copy(c, start, start + len);
    if (r->max == NO_END) {
        add_plus(c, r, len);
        return;
    }
    for (int i = 0; i < optional && c->err == 0; i++) {
        const int end = (optional - i) * ((int)len + 1);

        /* Of the first one, the code is there already. */
        if (i == 0 && r->min == 0) {
            onward_ruleset__code_insert(c, start, stay_or_skip(r), end);
            continue;
        }
        onward_ruleset__code_add(c, stay_or_skip(r), 0, end);
        onward_ruleset__code_copy(c, r->min == 0 ? start + 1 : start,
                                  (r->min == 0 ? start + 1 : start) + len);
    }
}

/* How many instructions {m,n} makes of `len`. */
static size_t size_of(const struct repeat *r, size_t len)
{
    const size_t min = (size_t)r->min;

    if (r->max == NO_END)
        return (min > 0 ? min : 1) * len + 2;
    return min * len + ((size_t)r->max - min) * (len + 1);
}

static void add_repeat(struct parser *p, const struct repeat *r)
{
    struct onward_ruleset__code *c = p->c;

    /* Looked at before, since a jump has 16 bits. */
    if (size_of(r, c->count - p->atom.start) >
        ONWARD_RULESET__PATTERN_INSTS_MAX)
        onward_ruleset__code_fail(c, ONWARD_ELIMIT, c->at,
                                  "the pattern is too large");
    else if (r->max == 0)
        c->count = p->atom.start;
    else if (r->min == 0 && r->max == NO_END)
        add_star(p, r);
    else
        add_times(p, r);
    if (r->min == 0)
        p->atom.can_be_empty = true;
}

static bool read_number(struct onward_ruleset__code *c, int *number)
{
    const size_t start = c->at;

    *number = 0;
    while (onward_ascii_is_digit(onward_ruleset__peek(c, 0)) &&
           *number <= COUNT_MAX) {
        *number = *number * 10 + (onward_ruleset__peek(c, 0) - '0');
        c->at++;
    }
    return c->at > start;
}

/* Behind the '{'. */
static void read_counts(struct onward_ruleset__code *c, struct repeat *r)
{
    const size_t start = c->at - 1;

    if (!read_number(c, &r->min)) {
        fail(c, start, "a { begins a count; escape it to mean itself");
        return;
    }
    r->max = r->min;
    if (onward_ruleset__take_text(c, ",") && !read_number(c, &r->max))
        r->max = NO_END;
    if (r->min > COUNT_MAX || r->max > COUNT_MAX)
        onward_ruleset__code_fail(c, ONWARD_ELIMIT, start,
                                  "a count above 1000");
    else if (!onward_ruleset__take_text(c, "}"))
        fail(c, start, "a count without its }");
    else if (r->max != NO_END && r->max < r->min)
        fail(c, start, "a count that ends before it begins");
}

static void read_repeat(struct parser *p)
{
    struct onward_ruleset__code *c = p->c;
    const size_t start = c->at;
    struct repeat r = {.min = 0, .max = NO_END};

    switch (c->text.data[c->at++]) {
    case '*':
        break;
    case '+':
        r.min = 1;
        break;
    case '?':
        r.max = 1;
        break;
    default:
        read_counts(c, &r);
        break;
    }
    if (!p->atom.is_there) {
        fail(c, start, "nothing to repeat");
        return;
    }
    r.is_lazy = onward_ruleset__take_text(c, "?");
    if (c->err == 0)
        add_repeat(p, &r);
    switch (onward_ruleset__peek(c, 0)) {
    case '+':
        fail(c, c->at, "no possessive repetition");
        break;
    case '*':
    case '?':
    case '{':
        fail(c, c->at, "a repetition of a repetition: use (?:");
        break;
    default:
        break;
    }
}

/* ---- All --------------------------------------------------------------- */

/* A character that stands for itself: all of its octets are one atom. */
static void read_literal(struct parser *p)
{
    struct onward_ruleset__code *c = p->c;

    begin_atom(p);
    do {
        onward_ruleset__code_octet(c, onward_ruleset__peek(c, 0));
        c->at++;
    } while ((onward_ruleset__peek(c, 0) & 0xc0) == 0x80);
}

static void read_escape(struct parser *p)
{
    struct onward_ruleset__code *c = p->c;
    struct onward_ruleset__set set = {.bits = {0}};

    switch (onward_ruleset__peek(c, 0)) {
    case 'b':
        c->at++;
        add_assertion(p, ONWARD_RULESET__OP_WORD);
        return;
    case 'B':
        c->at++;
        add_assertion(p, ONWARD_RULESET__OP_NOT_WORD);
        return;
    default:
        break;
    }
    begin_atom(p);
    if (onward_ruleset__read_class_escape(onward_ruleset__peek(c, 0), &set)) {
        c->at++;
        onward_ruleset__code_set(c, &set, false);
        return;
    }
    onward_ruleset__code_octet(
        c, (unsigned char)onward_ruleset__read_octet_escape(c));
}

static void add_dot(struct parser *p)
{
    struct onward_ruleset__set set = {.bits = {0}};

    begin_atom(p);
    onward_ruleset__set_add(&set, '\n');
    onward_ruleset__code_set(p->c, &set, true);
}

static void read_one(struct parser *p)
{
    struct onward_ruleset__code *c = p->c;

    switch (onward_ruleset__peek(c, 0)) {
    case '*':
    case '+':
    case '?':
    case '{':
        read_repeat(p);
        return;
    default:
        break;
    }
    switch (c->text.data[c->at++]) {
    case '\\':
        read_escape(p);
        return;
    case '[':
        begin_atom(p);
        onward_ruleset__read_class(c);
        return;
    case '(':
        open_group(p);
        return;
    case ')':
        close_group(p);
        return;
    case '|':
        add_branch(p);
        return;
    case '.':
        add_dot(p);
        return;
    case '^':
        add_assertion(p, ONWARD_RULESET__OP_START);
        return;
    case '$':
        add_assertion(p, ONWARD_RULESET__OP_END);
        return;
    default:
        c->at--;
        read_literal(p);
        return;
    }
}

void onward_ruleset__read_regex(struct onward_ruleset__code *c)
{
    struct parser p = {.c = c};

    if (onward_ruleset__take_text(c, "(?i)"))
        c->flags |= ONWARD_RULESET__FOLD;
    p.levels[0] = (struct level){
        .start = c->count, .branch = c->count, .branch_can_be_empty = true};
    while (!onward_ruleset__at_end(c) && c->err == 0)
        read_one(&p);
    if (p.depth > 0)
        fail(c, p.levels[p.depth].opened, "a ( without its )");
    end_level(&p);
}
