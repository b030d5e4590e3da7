/*
 * What of a regular expression stands for one octet: escapes, and classes.
 */
#include "ruleset/code_priv.h"

static void fail(struct onward_ruleset__code *c, size_t at, const char *what)
{
    onward_ruleset__code_fail(c, ONWARD_ESYNTAX, at, what);
}

/* ---- Text -------------------------------------------------------------- */

bool onward_ruleset__take_text(struct onward_ruleset__code *c, const char *text)
{
    struct onward_str rest = onward_core__sub(c->text, c->at, c->text.len);

    if (!onward_core__str_starts(rest, onward_str_of(text)))
        return false;
    c->at += strlen(text);
    return true;
}

/* ---- Escapes ----------------------------------------------------------- */

static void add_range(struct onward_ruleset__set *set, unsigned from,
                      unsigned to)
{
    for (unsigned octet = from; octet <= to; octet++)
        onward_ruleset__set_add(set, octet);
}

static void add_set(struct onward_ruleset__set *set,
                    const struct onward_ruleset__set *more, bool is_negated)
{
    for (size_t i = 0; i < sizeof(set->bits); i++)
        set->bits[i] |= (uint8_t)(is_negated ? ~more->bits[i] : more->bits[i]);
}

/* \d \w \s and their opposites. */
bool onward_ruleset__read_class_escape(unsigned char letter,
                                       struct onward_ruleset__set *set)
{
    struct onward_ruleset__set one = {.bits = {0}};

    switch (onward_ascii_lower(letter)) {
    case 'd':
        add_range(&one, '0', '9');
        break;
    case 'w':
        add_range(&one, '0', '9');
        add_range(&one, 'A', 'Z');
        add_range(&one, 'a', 'z');
        onward_ruleset__set_add(&one, '_');
        break;
    case 's':
        add_range(&one, '\t', '\r');
        onward_ruleset__set_add(&one, ' ');
        break;
    default:
        return false;
    }
    add_set(set, &one, letter < 'a');
    return true;
}

/* \xHH, behind the x. */
static unsigned read_hex(struct onward_ruleset__code *c)
{
    const int high = onward_ascii_hex(onward_ruleset__peek(c, 0));
    const int low = onward_ascii_hex(onward_ruleset__peek(c, 1));

    if (high < 0 || low < 0) {
        fail(c, c->at - 2, "two hex digits belong behind \\x");
        return 0;
    }
    c->at += 2;
    return (unsigned)(high << 4 | low);
}

/* An escape that stands for one octet; c->at is behind the backslash. */
unsigned onward_ruleset__read_octet_escape(struct onward_ruleset__code *c)
{
    static const char letters[] = "tnrfv";
    static const char octets[] = "\t\n\r\f\v";
    const size_t start = c->at - 1;
    unsigned char letter = onward_ruleset__peek(c, 0);
    const char *known;

    if (onward_ruleset__at_end(c)) {
        fail(c, start, "nothing behind the backslash");
        return 0;
    }
    c->at++;
    if (letter == 'x')
        return read_hex(c);
    known = letter == '\0' ? NULL : strchr(letters, letter);
    if (known != NULL)
        return (unsigned char)octets[known - letters];
    if (letter >= '1' && letter <= '9')
        fail(c, start, "no back references: their time has no bound");
    else if (onward_ascii_is_alnum(letter) || letter >= 0x80)
        fail(c, start, "no such escape");
    return letter;
}

/* ---- Classes ----------------------------------------------------------- */

/* One end of a range, or (256) a set was added instead. */
static unsigned read_class_item(struct onward_ruleset__code *c,
                                struct onward_ruleset__set *set)
{
    const unsigned char first = onward_ruleset__peek(c, 0);

    if (first == '[' && (onward_ruleset__peek(c, 1) == ':' ||
                         onward_ruleset__peek(c, 1) == '.' ||
                         onward_ruleset__peek(c, 1) == '='))
        fail(c, c->at, "no [:names:] of classes; escape the [");
    if (first >= 0x80)
        fail(c, c->at, "only ASCII can stand in a class");
    c->at++;
    if (first != '\\')
        return first;
    if (onward_ruleset__read_class_escape(onward_ruleset__peek(c, 0), set)) {
        c->at++;
        return 256;
    }
    return onward_ruleset__read_octet_escape(c);
}

static void read_class_range(struct onward_ruleset__code *c,
                             struct onward_ruleset__set *set)
{
    const size_t start = c->at;
    const unsigned from = read_class_item(c, set);
    unsigned to = from;

    if (onward_ruleset__peek(c, 0) == '-' &&
        onward_ruleset__peek(c, 1) != ']' && c->text.len - c->at > 1) {
        c->at++;
        to = read_class_item(c, set);
        if (from == 256 || to == 256 || from > to)
            fail(c, start, "not a range");
    }
    if (c->err == 0 && from < 256)
        add_range(set, from, to);
}

/* Behind the '['. A ']' that comes first is one of the class. */
void onward_ruleset__read_class(struct onward_ruleset__code *c)
{
    const size_t start = c->at - 1;
    struct onward_ruleset__set set = {.bits = {0}};
    const bool is_negated = onward_ruleset__take_text(c, "^");

    do {
        if (onward_ruleset__at_end(c)) {
            fail(c, start, "a class without its ]");
            return;
        }
        read_class_range(c, &set);
    } while (c->err == 0 &&
             (onward_ruleset__at_end(c) || onward_ruleset__peek(c, 0) != ']'));
    c->at++;
    onward_ruleset__code_set(c, &set, is_negated);
}
