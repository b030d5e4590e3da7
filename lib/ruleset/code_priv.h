/*
 * A program while it is made. The parsers of globs and regular expressions
 * write instructions in the order of their text. Jumps are relative until the
 * end, so that a piece of code can be copied, and moved to make room in front.
 */
#ifndef ONWARD_RULESET_CODE_PRIV_H
#define ONWARD_RULESET_CODE_PRIV_H

#include "ruleset/pattern_priv.h"

struct onward_ruleset__inst {
    uint8_t op;
    uint8_t arg;
    int16_t x; /* jumps: from here; else a number of a class */
};

/* A set of octets. */
struct onward_ruleset__set {
    uint8_t bits[ONWARD_RULESET__PATTERN_CLASS];
};

struct onward_ruleset__code {
    struct onward_str text; /* of the pattern */
    size_t at;              /* read so far */
    unsigned flags;
    struct onward_ruleset__pattern_fault *fault;
    int err; /* the first error stays, as in a buffer */
    size_t count, class_count, capture_count;
    struct onward_ruleset__inst insts[ONWARD_RULESET__PATTERN_INSTS_MAX];
    struct onward_ruleset__set classes[ONWARD_RULESET__PATTERN_CLASSES_MAX];
};

/* Says why at that place, unless something was wrong before. Returns err. */
int onward_ruleset__code_fail(struct onward_ruleset__code *c, int err,
                              size_t at, const char *what);

void onward_ruleset__code_add(struct onward_ruleset__code *c,
                              enum onward_ruleset__op op, unsigned arg, int x);
/* Room for one instruction at `at`; what stood there moves behind it. */
void onward_ruleset__code_insert(struct onward_ruleset__code *c, size_t at,
                                 enum onward_ruleset__op op, int x);
/* Another copy of insts[from] to insts[to - 1] at the end. */
void onward_ruleset__code_copy(struct onward_ruleset__code *c, size_t from,
                               size_t to);
/* One octet, in any case with ONWARD_RULESET__FOLD. */
void onward_ruleset__code_octet(struct onward_ruleset__code *c,
                                unsigned char octet);
/* One octet of a set, which gets the other case with ONWARD_RULESET__FOLD and
 * is then negated. */
void onward_ruleset__code_set(struct onward_ruleset__code *c,
                              struct onward_ruleset__set *set, bool is_negated);

static inline void onward_ruleset__set_add(struct onward_ruleset__set *set,
                                           unsigned octet)
{
    set->bits[octet >> 3 & 31] |= (uint8_t)(1u << (octet & 7));
}

/* ---- Reading the text (pattern_class.c) -------------------------------- */

static inline bool onward_ruleset__at_end(const struct onward_ruleset__code *c)
{
    return c->at >= c->text.len;
}

/* NUL behind the end. */
static inline unsigned char
onward_ruleset__peek(const struct onward_ruleset__code *c, size_t ahead)
{
    return ahead < c->text.len - c->at
               ? (unsigned char)c->text.data[c->at + ahead]
               : '\0';
}

bool onward_ruleset__take_text(struct onward_ruleset__code *c,
                               const char *text);
/* \d \w \s and their opposites; false: another letter. */
bool onward_ruleset__read_class_escape(unsigned char letter,
                                       struct onward_ruleset__set *set);
/* An escape that stands for one octet; c->at is behind the backslash. */
unsigned onward_ruleset__read_octet_escape(struct onward_ruleset__code *c);
/* Behind the '['. A ']' that comes first is one of the class. */
void onward_ruleset__read_class(struct onward_ruleset__code *c);

/* Both: all of c->text, from c->at on. */
void onward_ruleset__read_glob(struct onward_ruleset__code *c);
void onward_ruleset__read_regex(struct onward_ruleset__code *c);

#endif
