/*
 * One line of records as text, as `dig +noall +answer` prints it: name, TTL,
 * class, type; or a mark that begins with `!`. The rdata is read in
 * rdata_text.c.
 */
#include "core/text_shared.h"
#include "dns/dns_priv.h"

enum { DEFAULT_TTL_S = 3600 };

static const struct {
    const char *name;
    uint16_t type;
} type_names[] = {{"A", ONWARD_DNS_A},         {"AAAA", ONWARD_DNS_AAAA},
                  {"MX", ONWARD_DNS_MX},       {"TXT", ONWARD_DNS_TXT},
                  {"PTR", ONWARD_DNS_PTR},     {"CNAME", ONWARD_DNS_CNAME},
                  {"NS", ONWARD_DNS_NS},       {"SOA", ONWARD_DNS_SOA},
                  {"TLSA", ONWARD_DNS_TLSA},   {"SPF", ONWARD_DNS_TYPE_SPF},
                  {"ANY", ONWARD_DNS_TYPE_ANY}};

static const struct {
    const char *name;
    enum onward_dns__mark mark;
} mark_names[] = {{"!SERVFAIL", ONWARD_DNS__MARK_SERVFAIL},
                  {"!TIMEOUT", ONWARD_DNS__MARK_TIMEOUT},
                  {"!NODATA", ONWARD_DNS__MARK_NODATA},
                  {"!BOGUS", ONWARD_DNS__MARK_BOGUS},
                  {"!SECURE", ONWARD_DNS__MARK_SECURE}};

void onward_dns__line_init(struct onward_dns__line *line,
                           struct onward_ctx *ctx)
{
    memset(line, 0, sizeof(*line));
    onward_core__buf_init(&line->rdata, ctx, ONWARD_DNS_RDATA_MAX);
}

void onward_dns__line_clear(struct onward_dns__line *line)
{
    onward_core__buf_clear(&line->rdata);
}

/* ---- Faults ------------------------------------------------------------ */

static size_t put(struct onward_dns__line *line, size_t at,
                  struct onward_str text)
{
    for (size_t i = 0; i < text.len && at < sizeof(line->fault) - 1; i++) {
        unsigned char c = (unsigned char)text.data[i];

        line->fault[at++] = (char)(c >= ' ' && c < 0x7f ? c : '?');
    }
    line->fault[at] = '\0';
    return at;
}

int onward_dns__line_fault(struct onward_dns__line *line, const char *what,
                           struct onward_str found, const char *expected)
{
    size_t at = put(line, 0, onward_str_of(what));

    if (found.len != 0) {
        at = put(line, at, ONWARD_STR(" \""));
        at = put(line, at, onward_core__sub(found, 0, 40));
        at = put(line, at,
                 found.len > 40 ? ONWARD_STR("...\"") : ONWARD_STR("\""));
    }
    at = put(line, at, ONWARD_STR(", expected "));
    put(line, at, onward_str_of(expected));
    return ONWARD_ESYNTAX;
}

/* ---- Words ------------------------------------------------------------- */

bool onward_dns__line_next(struct onward_str *text, struct onward_str *line)
{
    size_t end = onward_core__str_find(*text, '\n');
    size_t len = end;

    if (text->len == 0)
        return false;
    if (len > 0 && text->data[len - 1] == '\r')
        len--;
    *line = onward_core__sub(*text, 0, len);
    *text = onward_core__sub(*text, end + 1, text->len);
    return true;
}

struct onward_str onward_dns__line_word(struct onward_dns__line *line)
{
    struct onward_str rest = line->rest;
    size_t from = 0;
    size_t to;

    while (from < rest.len &&
           onward_ascii_is_wsp((unsigned char)rest.data[from]))
        from++;
    for (to = from; to < rest.len; to++) {
        unsigned char c = (unsigned char)rest.data[to];

        if (onward_ascii_is_wsp(c) || c == ';')
            break;
        if (c == '\\' && to + 1 < rest.len)
            to++;
    }
    /* A comment ends the line. */
    line->rest = to < rest.len && rest.data[to] == ';'
                     ? onward_core__sub(rest, to, to)
                     : onward_core__sub(rest, to, rest.len);
    return onward_core__sub(rest, from, to);
}

/* ---- Name, TTL, class, type -------------------------------------------- */

/* TYPEnnn, RFC 3597 section 5. */
static bool generic_type(struct onward_str word, uint16_t *type)
{
    uint64_t value;

    if (!onward_core__str_istarts(word, ONWARD_STR("TYPE")) ||
        onward_core__parse_u64(onward_core__sub(word, 4, word.len), 5, &value) <
            0 ||
        value == 0 || value > UINT16_MAX || value == ONWARD_DNS_TYPE_ANY)
        return false;
    *type = (uint16_t)value;
    return true;
}

static int read_type(struct onward_dns__line *line, struct onward_str word)
{
    for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
        if (onward_core__str_ieq(word, onward_str_of(type_names[i].name))) {
            line->type = type_names[i].type;
            return 0;
        }
    }
    if (generic_type(word, &line->type))
        return 0;
    onward_dns__line_fault(line, "type", word,
                           "A, AAAA, MX, TXT, PTR, CNAME, NS, SOA, TLSA, SPF "
                           "or TYPEnnn");
    return word.len == 0 ? ONWARD_ESYNTAX : ONWARD_ENOENT;
}

static int read_ttl(struct onward_dns__line *line, struct onward_str word)
{
    uint64_t value;

    if (onward_core__parse_u64(word, 10, &value) < 0 || value > INT32_MAX)
        return onward_dns__line_fault(line, "TTL", word,
                                      "seconds up to 2147483647");
    line->ttl_s = (uint32_t)value;
    return 0;
}

static bool is_other_class(struct onward_str word)
{
    return onward_core__str_ieq(word, ONWARD_STR("CH")) ||
           onward_core__str_ieq(word, ONWARD_STR("HS")) ||
           onward_core__str_ieq(word, ONWARD_STR("CS")) ||
           onward_core__str_istarts(word, ONWARD_STR("CLASS"));
}

/* [ttl] [class] type, the first two in either order (RFC 1035 section 5.1) */
static int read_middle(struct onward_dns__line *line)
{
    bool has_ttl = false;
    bool has_class = false;

    for (;;) {
        struct onward_str word = onward_dns__line_word(line);

        if (!has_ttl && word.len != 0 &&
            onward_ascii_is_digit((unsigned char)word.data[0])) {
            int r = read_ttl(line, word);

            if (r < 0)
                return r;
            has_ttl = true;
        } else if (!has_class && onward_core__str_ieq(word, ONWARD_STR("IN"))) {
            has_class = true;
        } else if (is_other_class(word)) {
            return onward_dns__line_fault(line, "class", word, "IN");
        } else {
            return read_type(line, word);
        }
    }
}

static int read_mark(struct onward_dns__line *line)
{
    struct onward_str word = onward_dns__line_word(line);
    struct onward_str more;

    for (size_t i = 0; i < sizeof(mark_names) / sizeof(mark_names[0]); i++) {
        if (!onward_core__str_ieq(word, onward_str_of(mark_names[i].name)))
            continue;
        line->mark = mark_names[i].mark;
        more = onward_dns__line_word(line);
        return more.len == 0
                   ? 1
                   : onward_dns__line_fault(line, "text after the mark", more,
                                            "the end of the line");
    }
    return onward_dns__line_fault(
        line, "mark", word, "!SERVFAIL, !TIMEOUT, !NODATA, !BOGUS or !SECURE");
}

int onward_dns__line_parse(struct onward_dns__line *line,
                           struct onward_str text)
{
    struct onward_str word, trimmed;
    int r;

    line->rest = text;
    line->ttl_s = DEFAULT_TTL_S;
    line->mark = ONWARD_DNS__MARK_NONE;
    line->fault[0] = '\0';
    onward_core__buf_reset(&line->rdata);

    word = onward_dns__line_word(line);
    if (word.len == 0)
        return 0;
    if (!onward_dns__name_from_text(word, &line->owner))
        return onward_dns__line_fault(line, "name", word, "a domain name");
    r = read_middle(line);
    if (r < 0)
        return r;
    trimmed = onward_core__str_trim(line->rest);
    if (trimmed.len != 0 && trimmed.data[0] == '!')
        return read_mark(line);
    if (line->type == ONWARD_DNS_TYPE_ANY)
        return onward_dns__line_fault(line, "ANY with", trimmed,
                                      "a mark as !TIMEOUT");
    r = onward_dns__line_rdata(line);
    return r < 0 ? r : 1;
}
