/* Reports of others from their JSON: bounded, and lenient with flags. */
#include "core/json_shared.h"
#include "core/text_shared.h"
#include "tlsrpt/tlsrpt_priv.h"

enum {
    DEPTH_MAX = 16,
    TREE_MAX = 256 * 1024 * 1024 /* of the values of max_json octets */
};

/* ---- Values ------------------------------------------------------------ */

/* A member that is a string; another type is odd and reads as empty. */
static struct onward_str text_of(struct onward_tlsrpt_report *r,
                                 const struct onward_json *v, const char *name,
                                 bool is_needed)
{
    const struct onward_json *m = onward_json__get(v, name);
    const struct onward_str none = {0};

    if (m == NULL || m->type == ONWARD_JSON_NULL) {
        if (is_needed)
            r->oddities |= ONWARD_TLSRPT_ODDITY_MISSING;
        return none;
    }
    if (m->type != ONWARD_JSON_STRING) {
        r->oddities |= ONWARD_TLSRPT_ODDITY_TYPE;
        return none;
    }
    return m->text;
}

static int keep_text(struct onward_tlsrpt_report *r,
                     const struct onward_json *v, const char *name,
                     struct onward_str *out)
{
    return onward_tlsrpt__keep(r, text_of(r, v, name, true), out);
}

static uint64_t count_of(struct onward_tlsrpt_report *r,
                         const struct onward_json *v, const char *name)
{
    const struct onward_json *m = onward_json__get(v, name);
    uint64_t count = 0;

    if (m == NULL) {
        r->oddities |= ONWARD_TLSRPT_ODDITY_MISSING;
        return 0;
    }
    if (m->type != ONWARD_JSON_NUMBER)
        r->oddities |= ONWARD_TLSRPT_ODDITY_TYPE;
    /* "12" of some, too. */
    if ((m->type != ONWARD_JSON_NUMBER && m->type != ONWARD_JSON_STRING) ||
        onward_core__parse_u64(m->text, 20, &count) != 0)
        r->oddities |= ONWARD_TLSRPT_ODDITY_VALUE;
    return count;
}

/* count digits at s[at]; -1: not there. */
static int digits(struct onward_str s, size_t at, size_t count)
{
    int value = 0;

    if (at + count > s.len)
        return -1;
    for (size_t i = at; i < at + count; i++) {
        if (!onward_ascii_is_digit((unsigned char)s.data[i]))
            return -1;
        value = value * 10 + (s.data[i] - '0');
    }
    return value;
}

/* Days since 1970-01-01 in the calendar of Gregory. */
static int64_t days_from(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           719468;
}

/* "2016-04-01T00:00:00Z" (RFC 3339 section 5.6); false: none. */
static bool read_date(struct onward_str s, int64_t *unix_s)
{
    int year = digits(s, 0, 4), month = digits(s, 5, 2), day = digits(s, 8, 2);
    int hour = digits(s, 11, 2), minute = digits(s, 14, 2);
    int second = digits(s, 17, 2), east = 0;
    size_t at = 19;

    if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31 ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
        second > 60 || s.data[4] != '-' || s.data[7] != '-' ||
        s.data[13] != ':' || s.data[16] != ':' ||
        (s.data[10] != 'T' && s.data[10] != 't' && s.data[10] != ' '))
        return false;
    if (at < s.len && s.data[at] == '.') {
        while (++at < s.len && onward_ascii_is_digit((unsigned char)s.data[at]))
            ;
    }
    if (at + 6 == s.len && (s.data[at] == '+' || s.data[at] == '-') &&
        s.data[at + 3] == ':') {
        int hours = digits(s, at + 1, 2), minutes = digits(s, at + 4, 2);

        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
            return false;
        east = (hours * 60 + minutes) * (s.data[at] == '-' ? -60 : 60);
    } else if (at + 1 != s.len || (s.data[at] != 'Z' && s.data[at] != 'z')) {
        return false;
    }
    *unix_s = days_from(year, month, day) * 86400 + hour * 3600 + minute * 60 +
              second - east;
    return true;
}

static void take_date(struct onward_tlsrpt_report *r,
                      const struct onward_json *range, const char *name,
                      int64_t *unix_s)
{
    struct onward_str s = text_of(r, range, name, true);

    if (s.len > 0 && !read_date(s, unix_s))
        r->oddities |= ONWARD_TLSRPT_ODDITY_VALUE;
}

/* Strings of an array, or one alone (erratum 6241), as lines. */
static void add_lines(struct onward_tlsrpt_report *r, struct onward_buf *out,
                      const struct onward_json *m)
{
    const struct onward_json *i = m;

    if (m == NULL || m->type == ONWARD_JSON_NULL)
        return;
    if (m->type == ONWARD_JSON_ARRAY)
        i = m->first;
    else if (m->type != ONWARD_JSON_STRING)
        r->oddities |= ONWARD_TLSRPT_ODDITY_TYPE;
    for (; i != NULL; i = i == m ? NULL : i->next) {
        struct onward_str rest = i->text, line;

        if (i->type != ONWARD_JSON_STRING) {
            r->oddities |= ONWARD_TLSRPT_ODDITY_TYPE;
            continue;
        }
        while (onward_tlsrpt__next_line(&rest, &line)) {
            onward_core__buf_add_str(out, line);
            onward_core__buf_add_byte(out, '\n');
        }
    }
}

/* ---- The report -------------------------------------------------------- */

static int read_row(struct onward_tlsrpt_report *r,
                    struct onward_tlsrpt__policy *p,
                    const struct onward_json *v)
{
    struct onward_tlsrpt__row row = {0};
    struct onward_ip ip;

    if (v->type != ONWARD_JSON_OBJECT) {
        r->oddities |= ONWARD_TLSRPT_ODDITY_TYPE;
        return 0;
    }
    row.count = count_of(r, v, "failed-session-count");
    row.texts[0] = text_of(r, v, "result-type", true);
    row.texts[1] = text_of(r, v, "sending-mta-ip", false);
    row.texts[2] = text_of(r, v, "receiving-ip", false);
    row.texts[3] = text_of(r, v, "receiving-mx-hostname", false);
    row.texts[4] = text_of(r, v, "receiving-mx-helo", false);
    row.texts[5] = text_of(r, v, "additional-information", false);
    row.texts[6] = text_of(r, v, "failure-reason-code", false);
    for (size_t i = 1; i <= 2; i++) {
        if (row.texts[i].len > 0 && onward_ip_parse(row.texts[i], &ip) != 0)
            r->oddities |= ONWARD_TLSRPT_ODDITY_VALUE;
    }
    return onward_tlsrpt__add_row(r, p, &row);
}

static int read_rows(struct onward_tlsrpt_report *r,
                     struct onward_tlsrpt__policy *p,
                     const struct onward_json *list)
{
    int err = 0;

    if (list == NULL || list->type == ONWARD_JSON_NULL)
        return 0;
    if (list->type != ONWARD_JSON_ARRAY) {
        r->oddities |= ONWARD_TLSRPT_ODDITY_TYPE;
        return 0;
    }
    for (const struct onward_json *v = list->first; err == 0 && v != NULL;
         v = v->next)
        err = read_row(r, p, v);
    return err;
}

static size_t type_of(struct onward_tlsrpt_report *r, struct onward_str word)
{
    for (int type = ONWARD_TLSRPT_TLSA; type <= ONWARD_TLSRPT_NO_POLICY;
         type++) {
        if (onward_core__str_ieq(word,
                                 onward_str_of(onward_tlsrpt_type_name(type))))
            return (size_t)type;
    }
    if (word.len > 0)
        r->oddities |= ONWARD_TLSRPT_ODDITY_VALUE;
    return ONWARD_TLSRPT_UNKNOWN;
}

static int read_policy(struct onward_tlsrpt_report *r,
                       const struct onward_json *v)
{
    const struct onward_json *inner = onward_json__get(v, "policy");
    const struct onward_json *summary = onward_json__get(v, "summary");
    struct onward_tlsrpt__policy policy = {0}, *p = NULL;
    struct onward_buf text, mx;
    int err;

    if (inner == NULL || inner->type != ONWARD_JSON_OBJECT) {
        r->oddities |= v->type == ONWARD_JSON_OBJECT && inner == NULL
                           ? ONWARD_TLSRPT_ODDITY_MISSING
                           : ONWARD_TLSRPT_ODDITY_TYPE;
        return 0;
    }
    policy.type = type_of(r, text_of(r, inner, "policy-type", true));
    policy.domain = text_of(r, inner, "policy-domain", true);
    policy.successes =
        count_of(r, summary, "total-successful-session-count");
    policy.failures = count_of(r, summary, "total-failure-session-count");
    onward_core__buf_init(&text, r->ctx, SIZE_MAX);
    onward_core__buf_init(&mx, r->ctx, SIZE_MAX);
    add_lines(r, &text, onward_json__get(inner, "policy-string"));
    add_lines(r, &mx, onward_json__get(inner, "mx-host"));
    policy.text = onward_core__buf_str(&text);
    policy.mx = onward_core__buf_str(&mx);
    err = text.err != 0 ? text.err : mx.err;
    if (err == 0)
        err = onward_tlsrpt__add_policy(r, &policy, &p);
    onward_core__buf_clear(&text);
    onward_core__buf_clear(&mx);
    return err != 0 ? err
                    : read_rows(r, p, onward_json__get(v, "failure-details"));
}

static int read_policies(struct onward_tlsrpt_report *r,
                         const struct onward_json *list)
{
    int err = 0;

    if (list == NULL) {
        r->oddities |= ONWARD_TLSRPT_ODDITY_MISSING;
        return 0;
    }
    if (list->type != ONWARD_JSON_ARRAY) {
        r->oddities |= ONWARD_TLSRPT_ODDITY_TYPE;
        return list->type == ONWARD_JSON_OBJECT ? read_policy(r, list) : 0;
    }
    for (const struct onward_json *v = list->first; err == 0 && v != NULL;
         v = v->next)
        err = read_policy(r, v);
    return err;
}

static int read_report(struct onward_tlsrpt_report *r,
                       const struct onward_json *root)
{
    const struct onward_json *range = onward_json__get(root, "date-range");
    int err;

    take_date(r, range, "start-datetime", &r->opts.begin_s);
    take_date(r, range, "end-datetime", &r->opts.end_s);
    err = keep_text(r, root, "organization-name", &r->opts.organization);
    if (err == 0)
        err = keep_text(r, root, "contact-info", &r->opts.contact);
    if (err == 0)
        err = keep_text(r, root, "report-id", &r->opts.report_id);
    if (err == 0)
        err = read_policies(r, onward_json__get(root, "policies"));
    if (err == ONWARD_ELIMIT) {
        r->oddities |= ONWARD_TLSRPT_ODDITY_MANY;
        err = 0;
    }
    return err;
}

static int fail(struct onward_tlsrpt_report_fault *fault, size_t line,
                const char *text, int err)
{
    const struct onward_tlsrpt_report_fault out = {
        .size = sizeof(out), .line = line, .text = text};

    if (fault != NULL)
        onward_core__out_store(fault, &out, sizeof(out));
    return err;
}

/* Is it such a report at all? Other JSON has neither. */
static bool is_report(const struct onward_json *root)
{
    return root->type == ONWARD_JSON_OBJECT &&
           (onward_json__get(root, "policies") != NULL ||
            onward_json__get(root, "date-range") != NULL);
}

static int read_json(struct onward_tlsrpt_report *r, struct onward_str json,
                     struct onward_tlsrpt_report_fault *fault)
{
    const struct onward_str bom = ONWARD_STR("\xef\xbb\xbf");
    struct onward_json_fault why = {.what = ""};
    struct onward_json *root = NULL;
    struct onward_arena tree;
    int err;

    if (json.len > r->opts.max_json)
        return fail(fault, 1, "the report is too long", ONWARD_ELIMIT);
    if (onward_core__str_starts(json, bom)) {
        json = onward_core__sub(json, bom.len, json.len);
        r->oddities |= ONWARD_TLSRPT_ODDITY_LEADING;
    }
    onward_core__arena_init(&tree, r->ctx, TREE_MAX);
    err = onward_json__parse(&tree, json, DEPTH_MAX, &root, &why);
    if (err == ONWARD_ESYNTAX || err == ONWARD_ELIMIT)
        err = fail(fault, why.line, why.what, err);
    else if (err == 0 && !is_report(root))
        err = fail(fault, 1, "expected a TLS report", ONWARD_ESYNTAX);
    else if (err == 0)
        err = read_report(r, root);
    onward_core__arena_clear(&tree);
    return err;
}

int onward_tlsrpt_report_parse(struct onward_ctx *ctx,
                               const struct onward_tlsrpt_report_opts *opts,
                               struct onward_str json,
                               struct onward_tlsrpt_report **report,
                               struct onward_tlsrpt_report_fault *fault)
{
    struct onward_tlsrpt_report *r = NULL;
    int err = onward_tlsrpt__make(ctx, opts, &r);

    if (err != 0)
        return err;
    r->opts.begin_s = r->opts.end_s = 0;
    err = read_json(r, json, fault);
    if (err != 0) {
        onward_tlsrpt_report_free(r);
        return err;
    }
    *report = r;
    return 0;
}
