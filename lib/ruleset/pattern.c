/*
 * Programs of patterns: made from a text, opened, and checked as a whole.
 */
#include "ruleset/code_priv.h"

/* ---- Making ------------------------------------------------------------ */

int onward_ruleset__code_fail(struct onward_ruleset__code *c, int err,
                              size_t at, const char *what)
{
    if (c->err == 0) {
        c->err = err;
        c->fault->at = at;
        c->fault->what = what;
    }
    return err;
}

static bool has_room(struct onward_ruleset__code *c, size_t more)
{
    if (more <= ONWARD_RULESET__PATTERN_INSTS_MAX - c->count)
        return true;
    onward_ruleset__code_fail(c, ONWARD_ELIMIT, c->at,
                              "the pattern is too large");
    return false;
}

void onward_ruleset__code_add(struct onward_ruleset__code *c,
                              enum onward_ruleset__op op, unsigned arg, int x)
{
    if (!has_room(c, 1))
        return;
    c->insts[c->count++] = (struct onward_ruleset__inst){
        .op = (uint8_t)op, .arg = (uint8_t)arg, .x = (int16_t)x};
}

void onward_ruleset__code_insert(struct onward_ruleset__code *c, size_t at,
                                 enum onward_ruleset__op op, int x)
{
    if (!has_room(c, 1))
        return;
    /* Nothing in front jumps further than to `at`, where it now meets what is
     * put in; all jumps behind stay behind, and move together. */
    memmove(&c->insts[at + 1], &c->insts[at],
            (c->count - at) * sizeof(c->insts[0]));
    c->count++;
    c->insts[at] =
        (struct onward_ruleset__inst){.op = (uint8_t)op, .x = (int16_t)x};
}

void onward_ruleset__code_copy(struct onward_ruleset__code *c, size_t from,
                               size_t to)
{
    if (!has_room(c, to - from))
        return;
    memcpy(&c->insts[c->count], &c->insts[from],
           (to - from) * sizeof(c->insts[0]));
    c->count += to - from;
}

void onward_ruleset__code_octet(struct onward_ruleset__code *c,
                                unsigned char octet)
{
    if ((c->flags & ONWARD_RULESET__FOLD) != 0 && onward_ascii_is_alpha(octet))
        onward_ruleset__code_add(c, ONWARD_RULESET__OP_FOLD,
                                 onward_ascii_lower(octet), 0);
    else
        onward_ruleset__code_add(c, ONWARD_RULESET__OP_CHAR, octet, 0);
}

static bool has_octet(const struct onward_ruleset__set *set, unsigned octet)
{
    return (set->bits[octet >> 3] >> (octet & 7) & 1) != 0;
}

static void fold_set(struct onward_ruleset__set *set)
{
    for (unsigned low = 'a'; low <= 'z'; low++) {
        if (has_octet(set, low))
            onward_ruleset__set_add(set, low - 32);
        else if (has_octet(set, low - 32))
            onward_ruleset__set_add(set, low);
    }
}

void onward_ruleset__code_set(struct onward_ruleset__code *c,
                              struct onward_ruleset__set *set, bool is_negated)
{
    size_t i = 0;

    if ((c->flags & ONWARD_RULESET__FOLD) != 0)
        fold_set(set);
    for (size_t k = 0; is_negated && k < sizeof(set->bits); k++)
        set->bits[k] = (uint8_t)~set->bits[k];
    while (i < c->class_count && memcmp(&c->classes[i], set, sizeof(*set)) != 0)
        i++;
    if (i == ONWARD_RULESET__PATTERN_CLASSES_MAX) {
        onward_ruleset__code_fail(c, ONWARD_ELIMIT, c->at,
                                  "too many different classes");
        return;
    }
    if (i == c->class_count)
        c->classes[c->class_count++] = *set;
    onward_ruleset__code_add(c, ONWARD_RULESET__OP_CLASS, 0, (int)i);
}

static void put_u16(unsigned char *out, size_t value)
{
    out[0] = (unsigned char)(value & 0xff);
    out[1] = (unsigned char)(value >> 8 & 0xff);
}

static bool is_jump(unsigned op)
{
    return op == ONWARD_RULESET__OP_JUMP || op == ONWARD_RULESET__OP_SPLIT ||
           op == ONWARD_RULESET__OP_SPLIT_FAR;
}

static void write_inst(unsigned char *out, size_t at,
                       const struct onward_ruleset__inst *inst)
{
    int x = inst->x + (is_jump(inst->op) ? (int)at : 0);

    out[0] = inst->op;
    out[1] = inst->arg;
    put_u16(out + 2, (size_t)x);
}

static int write_program(const struct onward_ruleset__code *c,
                         struct onward_buf *out)
{
    const size_t insts = c->count * ONWARD_RULESET__PATTERN_INST;
    const size_t classes = c->class_count * ONWARD_RULESET__PATTERN_CLASS;
    unsigned char *at;
    int err = onward_core__buf_reserve(out, ONWARD_RULESET__PATTERN_HEAD +
                                                insts + classes);

    if (err != 0)
        return err;
    at = out->data + out->len;
    memset(at, 0, ONWARD_RULESET__PATTERN_HEAD);
    memcpy(at, "owpt", 4);
    at[4] = ONWARD_RULESET__PATTERN_VERSION;
    at[5] = (unsigned char)c->capture_count;
    put_u16(at + 6, c->count);
    put_u16(at + 8, c->class_count);
    at += ONWARD_RULESET__PATTERN_HEAD;
    for (size_t i = 0; i < c->count; i++)
        write_inst(at + i * ONWARD_RULESET__PATTERN_INST, i, &c->insts[i]);
    if (classes > 0)
        memcpy(at + insts, c->classes, classes);
    out->len += ONWARD_RULESET__PATTERN_HEAD + insts + classes;
    return 0;
}

static void read_text(struct onward_ruleset__code *c,
                      enum onward_ruleset__pattern_kind kind)
{
    const bool is_whole =
        kind == ONWARD_RULESET__GLOB || (c->flags & ONWARD_RULESET__WHOLE) != 0;

    if (c->text.len > ONWARD_RULESET__PATTERN_TEXT_MAX) {
        onward_ruleset__code_fail(c, ONWARD_ELIMIT,
                                  ONWARD_RULESET__PATTERN_TEXT_MAX,
                                  "the pattern is too long");
        return;
    }
    c->capture_count = 1;
    if (is_whole)
        onward_ruleset__code_add(c, ONWARD_RULESET__OP_START, 0, 0);
    if (kind == ONWARD_RULESET__GLOB)
        onward_ruleset__read_glob(c);
    else
        onward_ruleset__read_regex(c);
    if (is_whole)
        onward_ruleset__code_add(c, ONWARD_RULESET__OP_END, 0, 0);
    onward_ruleset__code_add(c, ONWARD_RULESET__OP_MATCH, 0, 0);
}

int onward_ruleset__pattern_compile(struct onward_buf *out,
                                    enum onward_ruleset__pattern_kind kind,
                                    struct onward_str text, unsigned flags,
                                    struct onward_ruleset__pattern_fault *fault)
{
    struct onward_ruleset__code *c = onward_core__zalloc(out->ctx, sizeof(*c));
    int err;

    *fault = (struct onward_ruleset__pattern_fault){.what = "no memory"};
    if (c == NULL)
        return ONWARD_ENOMEM;
    c->text = text;
    c->flags = flags;
    c->fault = fault;
    read_text(c, kind);
    err = c->err;
    if (err == 0) {
        err = write_program(c, out);
        fault->what =
            err == ONWARD_ELIMIT ? "no room for the program" : fault->what;
    }
    onward_core__free(out->ctx, c);
    return err;
}

/* ---- Opening and checking ---------------------------------------------- */

static size_t get_u16(const unsigned char *at)
{
    return (size_t)at[0] | (size_t)at[1] << 8;
}

bool onward_ruleset__program_open(struct onward_str bytes,
                                  struct onward_ruleset__program *p)
{
    static const unsigned char none[6];
    const unsigned char *at = (const unsigned char *)bytes.data;

    if (bytes.len < ONWARD_RULESET__PATTERN_HEAD ||
        memcmp(at, "owpt", 4) != 0 ||
        at[4] != ONWARD_RULESET__PATTERN_VERSION ||
        memcmp(at + 10, none, sizeof(none)) != 0)
        return false;
    p->capture_count = at[5];
    p->inst_count = get_u16(at + 6);
    p->class_count = get_u16(at + 8);
    p->insts = at + ONWARD_RULESET__PATTERN_HEAD;
    p->classes = p->insts + p->inst_count * ONWARD_RULESET__PATTERN_INST;
    return p->capture_count >= 1 &&
           p->capture_count <= ONWARD_RULESET__PATTERN_CAPTURES &&
           p->inst_count >= 1 &&
           p->inst_count <= ONWARD_RULESET__PATTERN_INSTS_MAX &&
           p->class_count <= ONWARD_RULESET__PATTERN_CLASSES_MAX &&
           bytes.len == ONWARD_RULESET__PATTERN_HEAD +
                            p->inst_count * ONWARD_RULESET__PATTERN_INST +
                            p->class_count * ONWARD_RULESET__PATTERN_CLASS;
}

/* Can it be followed? What a run looks at, and not less. */
static bool is_sound(const struct onward_ruleset__program *p, size_t at)
{
    const unsigned char *inst = p->insts + at * ONWARD_RULESET__PATTERN_INST;
    const size_t x = get_u16(inst + 2);
    const bool has_next = at + 1 < p->inst_count;

    switch ((enum onward_ruleset__op)inst[0]) {
    case ONWARD_RULESET__OP_MATCH:
        return true;
    case ONWARD_RULESET__OP_CHAR:
    case ONWARD_RULESET__OP_FOLD:
    case ONWARD_RULESET__OP_ANY:
    case ONWARD_RULESET__OP_START:
    case ONWARD_RULESET__OP_END:
    case ONWARD_RULESET__OP_WORD:
    case ONWARD_RULESET__OP_NOT_WORD:
        return has_next;
    case ONWARD_RULESET__OP_CLASS:
        return has_next && x < p->class_count;
    case ONWARD_RULESET__OP_JUMP:
        return x < p->inst_count;
    case ONWARD_RULESET__OP_SPLIT:
    case ONWARD_RULESET__OP_SPLIT_FAR:
        return has_next && x < p->inst_count;
    case ONWARD_RULESET__OP_SAVE:
        return has_next && inst[1] >= 2 && inst[1] < 2 * p->capture_count;
    }
    return false;
}

int onward_ruleset__pattern_check(struct onward_str program)
{
    struct onward_ruleset__program p;

    if (!onward_ruleset__program_open(program, &p))
        return ONWARD_ELIMIT;
    for (size_t i = 0; i < p.inst_count; i++) {
        if (!is_sound(&p, i))
            return ONWARD_ELIMIT;
    }
    return 0;
}

size_t onward_ruleset__pattern_captures(struct onward_str program)
{
    struct onward_ruleset__program p;

    return onward_ruleset__program_open(program, &p) ? p.capture_count : 0;
}
