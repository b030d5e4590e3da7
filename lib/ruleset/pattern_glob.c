/*
 * Globs: `*`, `?`, classes, and a backslash that takes their meaning away.
 */
#include "ruleset/code_priv.h"

/* A wildcard's capture; those past the last go without. */
static bool open_capture(struct onward_ruleset__code *c, unsigned *slot)
{
    if (c->capture_count == ONWARD_RULESET__PATTERN_CAPTURES)
        return false;
    *slot = (unsigned)(2 * c->capture_count++);
    onward_ruleset__code_add(c, ONWARD_RULESET__OP_SAVE, *slot, 0);
    return true;
}

static unsigned char octet_at(const struct onward_ruleset__code *c, size_t at)
{
    return at < c->text.len ? (unsigned char)c->text.data[at] : '\0';
}

/* `c->at` is at what may be a backslash before an octet. */
static unsigned char read_octet(struct onward_ruleset__code *c)
{
    if (octet_at(c, c->at) == '\\') {
        c->at++;
        if (c->at >= c->text.len) {
            onward_ruleset__code_fail(c, ONWARD_ESYNTAX, c->at - 1,
                                      "nothing behind the backslash");
            return '\0';
        }
    }
    return octet_at(c, c->at++);
}

static void read_range(struct onward_ruleset__code *c,
                       struct onward_ruleset__set *set)
{
    const size_t start = c->at;
    unsigned from = read_octet(c), to = from;

    if (octet_at(c, c->at) == '-' && c->at + 1 < c->text.len &&
        octet_at(c, c->at + 1) != ']') {
        c->at++;
        to = read_octet(c);
    }
    if (from >= 0x80 || to >= 0x80)
        onward_ruleset__code_fail(c, ONWARD_ESYNTAX, start,
                                  "only ASCII can stand in a class");
    else if (from > to)
        onward_ruleset__code_fail(c, ONWARD_ESYNTAX, start,
                                  "a range that ends before it begins");
    for (unsigned octet = from; octet <= to; octet++)
        onward_ruleset__set_add(set, octet);
}

/* Behind the '['. A ']' that comes first is one of the class. */
static void read_class(struct onward_ruleset__code *c)
{
    const size_t start = c->at - 1;
    struct onward_ruleset__set set = {.bits = {0}};
    bool is_negated = octet_at(c, c->at) == '!' || octet_at(c, c->at) == '^';

    c->at += is_negated;
    do {
        if (c->at >= c->text.len) {
            onward_ruleset__code_fail(c, ONWARD_ESYNTAX, start,
                                      "a class without its ]");
            return;
        }
        read_range(c, &set);
    } while (c->err == 0 && octet_at(c, c->at) != ']');
    c->at++;
    onward_ruleset__code_set(c, &set, is_negated);
}

/* Any number of octets, as few as will do. */
static void add_star(struct onward_ruleset__code *c)
{
    onward_ruleset__code_add(c, ONWARD_RULESET__OP_SPLIT_FAR, 0, 3);
    onward_ruleset__code_add(c, ONWARD_RULESET__OP_ANY, 0, 0);
    onward_ruleset__code_add(c, ONWARD_RULESET__OP_JUMP, 0, -2);
}

static void read_wildcard(struct onward_ruleset__code *c)
{
    const unsigned char what = octet_at(c, c->at++);
    unsigned slot = 0;
    const bool has_capture = open_capture(c, &slot);

    if (what == '*')
        add_star(c);
    else if (what == '?')
        onward_ruleset__code_add(c, ONWARD_RULESET__OP_ANY, 0, 0);
    else
        read_class(c);
    if (has_capture)
        onward_ruleset__code_add(c, ONWARD_RULESET__OP_SAVE, slot + 1, 0);
}

void onward_ruleset__read_glob(struct onward_ruleset__code *c)
{
    while (c->at < c->text.len && c->err == 0) {
        const unsigned char next = octet_at(c, c->at);

        if (next == '*' || next == '?' || next == '[')
            read_wildcard(c);
        else
            onward_ruleset__code_octet(c, read_octet(c));
    }
}
