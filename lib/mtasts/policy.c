/*
 * The policy file (RFC 8461 section 3.2) and its patterns (section 4.1).
 */
#include "mtasts/mtasts_priv.h"

#include "core/domain_shared.h"
#include "core/text_shared.h"
#include "tls/tls_shared.h"

_Static_assert(offsetof(struct onward_mtasts_policy, text) +
                       sizeof(struct onward_str) ==
                   sizeof(struct onward_mtasts_policy),
               "no tail padding");

enum { DAY_S = 86400, MAX_AGE_DIGITS = 10 };

enum field { VERSION, MODE, MAX_AGE, MX, EXTENSION };

struct reader {
    struct onward_str text;
    struct onward_mtasts_policy out;
    struct onward_mtasts_fault *fault;
    bool is_lint;
    bool has[EXTENSION];
    size_t max_age_at;
};

/* ---- Lines ------------------------------------------------------------- */

/*
 * The line at octet *at, without its end and the white space before that; *at
 * goes behind it. A CR counts as a line's end with its LF only.
 */
static struct onward_str next_line(struct onward_str text, size_t *at)
{
    struct onward_str rest = onward_core__sub(text, *at, text.len);
    size_t len = onward_core__str_find(rest, '\n');
    bool has_end = len < rest.len;

    *at += has_end ? len + 1 : len;
    if (has_end && len > 0 && rest.data[len - 1] == '\r')
        len--;
    while (len > 0 && onward_ascii_is_wsp((unsigned char)rest.data[len - 1]))
        len--;
    return onward_core__sub(rest, 0, len);
}

/* Key and value of a line; false: no delimiter. */
static bool split(struct onward_str line, struct onward_str *key,
                  struct onward_str *value)
{
    size_t colon = onward_core__str_find(line, ':');
    size_t at = colon + 1;

    if (colon == line.len)
        return false;
    while (at < line.len && onward_ascii_is_wsp((unsigned char)line.data[at]))
        at++;
    *key = onward_core__sub(line, 0, colon);
    *value = onward_core__str(line.data + at, line.len - at);
    return true;
}

/* The first octet that no line has, or its length. */
static size_t find_foreign(struct onward_str line)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return i;
    }
    if (onward_core__is_utf8(line))
        return line.len;
    /* Which one it is nobody needs to know exactly: the first beyond ASCII. */
    for (size_t i = 0; i < line.len; i++) {
        if ((unsigned char)line.data[i] > 0x7f)
            return i;
    }
    return line.len;
}

/* ---- Values ------------------------------------------------------------ */

static const struct {
    struct onward_str name;
    size_t mode;
} modes[] = {
    {{"none", 4}, ONWARD_MTASTS_MODE_NONE},
    {{"testing", 7}, ONWARD_MTASTS_MODE_TESTING},
    {{"enforce", 7}, ONWARD_MTASTS_MODE_ENFORCE},
};

static size_t read_mode(struct onward_str value)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (onward_core__str_eq(modes[i].name, value))
            return modes[i].mode;
    }
    return ONWARD_MTASTS_MODE_UNKNOWN;
}

const char *onward_mtasts_mode_name(int mode)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if ((int)modes[i].mode == mode)
            return modes[i].name.data;
    }
    return "";
}

bool onward_mtasts__is_pattern(struct onward_str s)
{
    if (onward_core__str_starts(s, ONWARD_STR("*.")))
        s = onward_core__sub(s, 2, s.len);
    return s.len <= ONWARD_DOMAIN_MAX && onward_core__domain_is_hostname(s);
}

static enum field field_of(struct onward_str key)
{
    if (onward_core__str_eq(key, ONWARD_STR("version")))
        return VERSION;
    if (onward_core__str_eq(key, ONWARD_STR("mode")))
        return MODE;
    if (onward_core__str_eq(key, ONWARD_STR("max_age")))
        return MAX_AGE;
    return onward_core__str_eq(key, ONWARD_STR("mx")) ? MX : EXTENSION;
}

/* The flaw of a value that counts, or FLAW_NONE. */
static enum onward_mtasts_flaw read_value(struct reader *r, enum field field,
                                          struct onward_str value)
{
    uint64_t number;

    switch (field) {
    case VERSION:
        return onward_core__str_eq(value, ONWARD_STR("STSv1"))
                   ? ONWARD_MTASTS_FLAW_NONE
                   : ONWARD_MTASTS_FLAW_VERSION;
    case MODE:
        r->out.mode = read_mode(value);
        return r->out.mode != ONWARD_MTASTS_MODE_UNKNOWN
                   ? ONWARD_MTASTS_FLAW_NONE
                   : ONWARD_MTASTS_FLAW_MODE;
    case MAX_AGE:
        if (onward_core__parse_u64(value, MAX_AGE_DIGITS, &number) != 0 ||
            number > ONWARD_MTASTS_MAX_AGE_MAX)
            return ONWARD_MTASTS_FLAW_MAX_AGE;
        r->out.max_age_s = (size_t)number;
        r->max_age_at = (size_t)(value.data - r->text.data);
        return ONWARD_MTASTS_FLAW_NONE;
    case MX:
        r->out.mx_count++;
        return onward_mtasts__is_pattern(value) ? ONWARD_MTASTS_FLAW_NONE
                                                : ONWARD_MTASTS_FLAW_MX;
    case EXTENSION:
        break;
    }
    return r->is_lint && value.len == 0 ? ONWARD_MTASTS_FLAW_VALUE
                                        : ONWARD_MTASTS_FLAW_NONE;
}

/* ---- The whole --------------------------------------------------------- */

static int read_line(struct reader *r, struct onward_str line, size_t at)
{
    struct onward_str key, value;
    enum onward_mtasts_flaw flaw;
    enum field field;
    size_t foreign = find_foreign(line);

    if (foreign < line.len)
        return onward_mtasts__flaw(r->fault, ONWARD_MTASTS_FLAW_OCTET,
                                   at + foreign);
    if (line.len == 0)
        return r->is_lint ? onward_mtasts__flaw(
                                r->fault, ONWARD_MTASTS_FLAW_BLANK_LINE, at)
                          : 0;
    if (!split(line, &key, &value))
        return onward_mtasts__flaw(r->fault, ONWARD_MTASTS_FLAW_NO_DELIMITER,
                                   at);
    if (!onward_core__record_is_name(key))
        return onward_mtasts__flaw(r->fault, ONWARD_MTASTS_FLAW_KEY, at);
    field = field_of(key);
    if (field < MX && r->has[field])
        return r->is_lint ? onward_mtasts__flaw(r->fault,
                                                ONWARD_MTASTS_FLAW_REPEATED, at)
                          : 0;
    if (field < EXTENSION)
        r->has[field] = true;
    flaw = read_value(r, field, value);
    if (flaw != ONWARD_MTASTS_FLAW_NONE)
        return onward_mtasts__flaw(r->fault, flaw,
                                   (size_t)(value.data - r->text.data));
    return 0;
}

static int find_missing(struct reader *r)
{
    static const enum onward_mtasts_flaw flaws[] = {
        [VERSION] = ONWARD_MTASTS_FLAW_NO_VERSION,
        [MODE] = ONWARD_MTASTS_FLAW_NO_MODE,
        [MAX_AGE] = ONWARD_MTASTS_FLAW_NO_MAX_AGE,
        [MX] = ONWARD_MTASTS_FLAW_NO_MX,
    };

    for (size_t i = 0; i < EXTENSION; i++) {
        if (!r->has[i] && (i != MX || r->out.mode != ONWARD_MTASTS_MODE_NONE))
            return onward_mtasts__flaw(r->fault, flaws[i], r->text.len);
    }
    return 0;
}

static int read_policy(struct reader *r)
{
    size_t at = 0;
    int err = 0;

    if (r->text.len > ONWARD_MTASTS_POLICY_MAX)
        return onward_mtasts__flaw(r->fault, ONWARD_MTASTS_FLAW_TOO_LONG,
                                   ONWARD_MTASTS_POLICY_MAX);
    while (err == 0 && at < r->text.len) {
        size_t begin = at;
        struct onward_str line = next_line(r->text, &at);

        err = read_line(r, line, begin);
    }
    if (err == 0)
        err = find_missing(r);
    if (err == 0 && r->is_lint && r->out.max_age_s < DAY_S)
        err = onward_mtasts__flaw(r->fault, ONWARD_MTASTS_FLAW_SHORT_LIFE,
                                  r->max_age_at);
    return err;
}

int onward_mtasts_policy_parse(struct onward_str text,
                               struct onward_mtasts_policy *policy,
                               struct onward_mtasts_fault *fault)
{
    struct reader r = {.text = text, .out = {.size = sizeof(r.out)}};
    int err;

    if (policy == NULL)
        return ONWARD_EINVAL;
    r.fault = fault;
    r.out.text = text;
    err = read_policy(&r);
    return err != 0 ? err
                    : onward_core__out_store(policy, &r.out, sizeof(r.out));
}

/* A fault that voids the policy is told before one that only a linter sees. */
int onward_mtasts_policy_lint(struct onward_str text,
                              struct onward_mtasts_fault *fault)
{
    struct reader r = {.text = text};
    int err;

    r.fault = fault;
    err = read_policy(&r);
    if (err != 0)
        return err;
    r = (struct reader){.text = text, .is_lint = true};
    r.fault = fault;
    return read_policy(&r);
}

/* ---- Patterns ---------------------------------------------------------- */

int onward_mtasts_mx_next(struct onward_str *rest, struct onward_str *pattern)
{
    size_t at = 0;

    while (at < rest->len) {
        struct onward_str line = next_line(*rest, &at), key, value;

        if (split(line, &key, &value) && field_of(key) == MX) {
            *rest = onward_core__sub(*rest, at, rest->len);
            *pattern = value;
            return 1;
        }
    }
    *rest = onward_core__str(NULL, 0);
    return 0;
}

int onward_mtasts_pattern_matches(struct onward_str pattern,
                                  struct onward_str host)
{
    if (host.len > 0 && host.data[host.len - 1] == '.')
        host.len--;
    return onward_mtasts__is_pattern(pattern) &&
           onward_tls__name_covers(pattern, host);
}

int onward_mtasts_mx_matches(const struct onward_mtasts_policy *policy,
                             struct onward_str host)
{
    struct onward_str rest, pattern;

    if (policy == NULL)
        return 0;
    rest = policy->text;
    while (onward_mtasts_mx_next(&rest, &pattern) == 1) {
        if (onward_mtasts_pattern_matches(pattern, host))
            return 1;
    }
    return 0;
}
