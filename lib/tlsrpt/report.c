/* A report: policies with their totals and rows, counted up or read. */
#include "tlsrpt/tlsrpt_priv.h"

#include "core/domain_shared.h"

_Static_assert(offsetof(struct onward_tlsrpt_report_opts, end_s) +
                       sizeof(int64_t) ==
                   sizeof(struct onward_tlsrpt_report_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_tlsrpt_session, reason_code) +
                       sizeof(struct onward_str) ==
                   sizeof(struct onward_tlsrpt_session),
               "no tail padding");

enum {
    POLICIES_DEFAULT = 100,
    FAILURES_DEFAULT = 1000,
    BYTES_DEFAULT = 1024 * 1024,
    JSON_DEFAULT = 10 * 1024 * 1024,
    DAY_S = 86400
};

const char *onward_tlsrpt_type_name(int type)
{
    static const char *const names[] = {"", "tlsa", "sts", "no-policy-found"};

    return type > 0 && type <= ONWARD_TLSRPT_NO_POLICY ? names[type] : "";
}

const char *onward_tlsrpt_oddity_name(int oddity)
{
    switch (oddity) {
    case ONWARD_TLSRPT_ODDITY_MISSING:
        return "missing";
    case ONWARD_TLSRPT_ODDITY_TYPE:
        return "type";
    case ONWARD_TLSRPT_ODDITY_VALUE:
        return "value";
    case ONWARD_TLSRPT_ODDITY_MANY:
        return "many";
    case ONWARD_TLSRPT_ODDITY_LEADING:
        return "leading";
    default:
        return "";
    }
}

uint64_t onward_tlsrpt__plus(uint64_t a, uint64_t b)
{
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

/* ---- Life -------------------------------------------------------------- */

int onward_tlsrpt__make(struct onward_ctx *ctx,
                        const struct onward_tlsrpt_report_opts *opts,
                        struct onward_tlsrpt_report **report)
{
    const struct onward_str none = {0};
    struct onward_tlsrpt_report_opts o;
    struct onward_tlsrpt_report *r;
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err != 0)
        return err;
    if (ctx == NULL || report == NULL)
        return ONWARD_EINVAL;
    r = onward_core__zalloc(ctx, sizeof(*r));
    if (r == NULL)
        return ONWARD_ENOMEM;
    o.max_policies = onward_core__limit(o.max_policies, POLICIES_DEFAULT);
    o.max_failures = onward_core__limit(o.max_failures, FAILURES_DEFAULT);
    o.max_bytes = onward_core__limit(o.max_bytes, BYTES_DEFAULT);
    o.max_json = onward_core__limit(o.max_json, JSON_DEFAULT);
    o.organization = o.contact = o.report_id = o.policy_domain = none;
    r->ctx = onward_ctx_ref(ctx);
    r->opts = o;
    r->bytes_left = o.max_bytes;
    onward_core__arena_init(&r->arena, ctx, SIZE_MAX);
    onward_core__buf_init(&r->out, ctx, SIZE_MAX);
    *report = r;
    return 0;
}

int onward_tlsrpt__keep(struct onward_tlsrpt_report *r, struct onward_str s,
                        struct onward_str *out)
{
    if (s.len > r->bytes_left)
        return ONWARD_ELIMIT;
    r->bytes_left -= s.len;
    return onward_core__arena_dup(&r->arena, s, out);
}

static bool is_visible(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] >= 0x7f || s.data[i] == '<' ||
            s.data[i] == '>')
            return false;
    }
    return s.len > 0;
}

/* local@domain, the domain fit for a file's name. */
static bool is_contact(struct onward_str s)
{
    size_t at = onward_core__str_rfind(s, '@');

    return at > 0 && at < s.len && is_visible(s) &&
           onward_core__domain_is_hostname(onward_core__sub(s, at + 1, s.len));
}

int onward_tlsrpt__check(const struct onward_tlsrpt_report_opts *o)
{
    if (o->begin_s < 0 || o->begin_s > INT64_MAX - DAY_S ||
        (o->end_s != 0 && o->end_s < o->begin_s))
        return ONWARD_EINVAL;
    if (o->organization.len == 0 || !is_contact(o->contact) ||
        !is_visible(o->report_id) ||
        !onward_core__domain_is_hostname(o->policy_domain))
        return ONWARD_ESYNTAX;
    return 0;
}

int onward_tlsrpt_report_new(struct onward_ctx *ctx,
                             const struct onward_tlsrpt_report_opts *opts,
                             struct onward_tlsrpt_report **report)
{
    struct onward_tlsrpt_report_opts o;
    struct onward_tlsrpt_report *r = NULL;
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err == 0)
        err = opts == NULL ? ONWARD_EINVAL : onward_tlsrpt__check(&o);
    if (err == 0)
        err = onward_tlsrpt__make(ctx, opts, &r);
    if (err != 0)
        return err;
    if (o.end_s == 0)
        r->opts.end_s = o.begin_s + DAY_S - 1;
    err = onward_tlsrpt__keep(r, o.organization, &r->opts.organization);
    if (err == 0)
        err = onward_tlsrpt__keep(r, o.contact, &r->opts.contact);
    if (err == 0)
        err = onward_tlsrpt__keep(r, o.report_id, &r->opts.report_id);
    if (err == 0)
        err = onward_tlsrpt__keep(r, o.policy_domain, &r->opts.policy_domain);
    if (err != 0) {
        onward_tlsrpt_report_free(r);
        return err;
    }
    *report = r;
    return 0;
}

void onward_tlsrpt_report_free(struct onward_tlsrpt_report *r)
{
    struct onward_ctx *ctx;

    if (r == NULL)
        return;
    ctx = r->ctx;
    onward_core__buf_clear(&r->out);
    onward_core__arena_clear(&r->arena);
    onward_core__free(ctx, r);
    onward_ctx_free(ctx);
}

bool onward_tlsrpt__is_ours(const struct onward_tlsrpt_report *r)
{
    return r->opts.policy_domain.len > 0;
}

/* ---- Counting ---------------------------------------------------------- */

bool onward_tlsrpt__next_line(struct onward_str *rest, struct onward_str *line)
{
    size_t end = onward_core__str_find(*rest, '\n');

    if (rest->len == 0)
        return false;
    *line = onward_core__sub(*rest, 0, end);
    if (line->len > 0 && line->data[line->len - 1] == '\r')
        line->len--;
    *rest = onward_core__sub(*rest, end + 1, rest->len);
    return true;
}

/* Lines, each ending in LF; with only_mx the values of those that begin with
 * "mx:". */
static void add_lines(struct onward_buf *out, struct onward_str text,
                      bool only_mx)
{
    struct onward_str line;

    while (onward_tlsrpt__next_line(&text, &line)) {
        if (only_mx) {
            if (!onward_core__str_starts(line, ONWARD_STR("mx:")))
                continue;
            line = onward_core__str_trim(onward_core__sub(line, 3, line.len));
        }
        if (line.len == 0)
            continue;
        onward_core__buf_add_str(out, line);
        onward_core__buf_add_byte(out, '\n');
    }
}

int onward_tlsrpt__add_policy(struct onward_tlsrpt_report *r,
                              const struct onward_tlsrpt__policy *policy,
                              struct onward_tlsrpt__policy **out)
{
    struct onward_tlsrpt__policy *p;
    int err;

    if (r->policy_count == r->opts.max_policies)
        return ONWARD_ELIMIT;
    p = onward_core__arena_alloc(&r->arena, sizeof(*p));
    if (p == NULL)
        return ONWARD_ENOMEM;
    p->type = policy->type;
    p->successes = policy->successes;
    p->failures = policy->failures;
    err = onward_tlsrpt__keep(r, policy->domain, &p->domain);
    if (err == 0)
        err = onward_tlsrpt__keep(r, policy->text, &p->text);
    if (err == 0)
        err = onward_tlsrpt__keep(r, policy->mx, &p->mx);
    if (err != 0)
        return err;
    if (r->last != NULL)
        r->last->next = p;
    else
        r->first = p;
    r->last = p;
    r->policy_count++;
    *out = p;
    return 0;
}

int onward_tlsrpt__add_row(struct onward_tlsrpt_report *r,
                           struct onward_tlsrpt__policy *policy,
                           const struct onward_tlsrpt__row *row)
{
    struct onward_tlsrpt__row *kept;

    if (r->row_count == r->opts.max_failures)
        return ONWARD_ELIMIT;
    kept = onward_core__arena_alloc(&r->arena, sizeof(*kept));
    if (kept == NULL)
        return ONWARD_ENOMEM;
    kept->count = row->count;
    kept->hash = row->hash;
    for (size_t i = 0; i < ONWARD_TLSRPT__TEXTS; i++) {
        int err = onward_tlsrpt__keep(r, row->texts[i], &kept->texts[i]);

        if (err != 0)
            return err;
    }
    if (policy->last != NULL)
        policy->last->next = kept;
    else
        policy->first = kept;
    policy->last = kept;
    policy->row_count++;
    r->row_count++;
    return 0;
}

static struct onward_tlsrpt__policy *
find_policy(const struct onward_tlsrpt_report *r,
            const struct onward_tlsrpt__policy *want)
{
    struct onward_tlsrpt__policy *p = r->first;

    while (p != NULL && (p->type != want->type ||
                         !onward_core__str_eq(p->domain, want->domain) ||
                         !onward_core__str_eq(p->text, want->text) ||
                         !onward_core__str_eq(p->mx, want->mx)))
        p = p->next;
    return p;
}

static bool is_alike(const struct onward_tlsrpt__row *a,
                     const struct onward_tlsrpt__row *b)
{
    for (size_t i = 0; i < ONWARD_TLSRPT__TEXTS; i++) {
        if (!onward_core__str_eq(a->texts[i], b->texts[i]))
            return false;
    }
    return true;
}

static uint64_t hash_of(const struct onward_tlsrpt_report *r,
                        const struct onward_tlsrpt__row *row)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < ONWARD_TLSRPT__TEXTS; i++)
        hash = hash * 31 +
               onward_core__hash(r->ctx, row->texts[i].data, row->texts[i].len);
    return hash;
}

static int count_row(struct onward_tlsrpt_report *r,
                     struct onward_tlsrpt__policy *policy,
                     struct onward_tlsrpt__row *row)
{
    row->hash = hash_of(r, row);
    for (struct onward_tlsrpt__row *i = policy->first; i != NULL; i = i->next) {
        if (i->hash == row->hash && is_alike(i, row)) {
            i->count = onward_tlsrpt__plus(i->count, row->count);
            return 0;
        }
    }
    return onward_tlsrpt__add_row(r, policy, row);
}

static bool is_ip(struct onward_str s)
{
    struct onward_ip ip;

    return s.len == 0 || onward_ip_parse(s, &ip) == 0;
}

static int count(struct onward_tlsrpt_report *r,
                 const struct onward_tlsrpt_session *s,
                 const struct onward_tlsrpt__policy *want)
{
    struct onward_tlsrpt__row row = {.count = s->count == 0 ? 1 : s->count,
                                     .texts = {s->result_type, s->sending_ip,
                                               s->receiving_ip, s->receiving_mx,
                                               s->receiving_helo, s->info_uri,
                                               s->reason_code}};
    struct onward_tlsrpt__policy *p = find_policy(r, want);
    int err = p != NULL ? 0 : onward_tlsrpt__add_policy(r, want, &p);

    if (err == ONWARD_ELIMIT)
        r->lost = onward_tlsrpt__plus(r->lost, row.count);
    if (err != 0)
        return err;
    if (s->result_type.len == 0) {
        p->successes = onward_tlsrpt__plus(p->successes, row.count);
        return 0;
    }
    err = count_row(r, p, &row);
    if (s->is_further == 0 && (err == 0 || err == ONWARD_ELIMIT))
        p->failures = onward_tlsrpt__plus(p->failures, row.count);
    return err;
}

int onward_tlsrpt_report_add(struct onward_tlsrpt_report *report,
                             const struct onward_tlsrpt_session *session)
{
    struct onward_tlsrpt__policy want = {0};
    struct onward_tlsrpt_session s;
    struct onward_buf text, mx;
    int err;

    if (session == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&s, sizeof(s), session);
    if (err != 0)
        return err;
    if (s.type == ONWARD_TLSRPT_UNKNOWN || s.type > ONWARD_TLSRPT_NO_POLICY)
        return ONWARD_EINVAL;
    if (!is_ip(s.sending_ip) || !is_ip(s.receiving_ip))
        return ONWARD_ESYNTAX;
    onward_core__buf_init(&text, report->ctx, report->opts.max_bytes);
    onward_core__buf_init(&mx, report->ctx, report->opts.max_bytes);
    add_lines(&text, s.policy, false);
    add_lines(&mx, s.mx.len > 0 ? s.mx : s.policy, s.mx.len == 0);
    want.type = s.type;
    want.domain = report->opts.policy_domain;
    want.text = onward_core__buf_str(&text);
    want.mx = onward_core__buf_str(&mx);
    err = text.err != 0 ? text.err : mx.err;
    if (err == ONWARD_ELIMIT)
        report->lost =
            onward_tlsrpt__plus(report->lost, s.count == 0 ? 1 : s.count);
    if (err == 0)
        err = count(report, &s, &want);
    onward_core__buf_clear(&text);
    onward_core__buf_clear(&mx);
    return err;
}

int onward_tlsrpt__join(struct onward_tlsrpt_report *into,
                        const struct onward_tlsrpt_report *from)
{
    int err = 0;

    into->lost = onward_tlsrpt__plus(into->lost, from->lost);
    for (const struct onward_tlsrpt__policy *p = from->first;
         err == 0 && p != NULL; p = p->next) {
        struct onward_tlsrpt__policy *same = find_policy(into, p);
        struct onward_tlsrpt__policy empty = *p;

        empty.successes = empty.failures = 0;
        if (same == NULL)
            err = onward_tlsrpt__add_policy(into, &empty, &same);
        if (err == ONWARD_ELIMIT)
            into->lost = onward_tlsrpt__plus(
                into->lost, onward_tlsrpt__plus(p->successes, p->failures));
        if (err == 0) {
            same->successes =
                onward_tlsrpt__plus(same->successes, p->successes);
            same->failures = onward_tlsrpt__plus(same->failures, p->failures);
        }
        for (const struct onward_tlsrpt__row *i = p->first;
             err == 0 && i != NULL; i = i->next) {
            struct onward_tlsrpt__row row = *i;

            err = count_row(into, same, &row);
        }
        /* Over a limit: what is lost is counted, the rest goes on. */
        if (err == ONWARD_ELIMIT)
            err = 0;
    }
    return err;
}

/* ---- What is in it ----------------------------------------------------- */

int onward_tlsrpt_report_facts(const struct onward_tlsrpt_report *r,
                               struct onward_tlsrpt_facts *facts)
{
    const struct onward_tlsrpt_facts out = {
        .size = sizeof(out),
        .oddities = r->oddities,
        .policy_count = r->policy_count,
        .begin_s = r->opts.begin_s,
        .end_s = r->opts.end_s,
        .lost = r->lost,
        .organization = r->opts.organization,
        .contact = r->opts.contact,
        .report_id = r->opts.report_id,
        .policy_domain = r->opts.policy_domain,
    };

    if (facts == NULL)
        return ONWARD_EINVAL;
    return onward_core__out_store(facts, &out, sizeof(out));
}

static const struct onward_tlsrpt__policy *
policy_at(const struct onward_tlsrpt_report *r, size_t i)
{
    const struct onward_tlsrpt__policy *p = r->first;

    while (p != NULL && i-- > 0)
        p = p->next;
    return p;
}

int onward_tlsrpt_report_policy(const struct onward_tlsrpt_report *r, size_t i,
                                struct onward_tlsrpt_policy *policy)
{
    const struct onward_tlsrpt__policy *p = policy_at(r, i);
    struct onward_tlsrpt_policy out = {.size = sizeof(out)};

    if (policy == NULL)
        return ONWARD_EINVAL;
    if (p == NULL)
        return ONWARD_ENOENT;
    out.type = p->type;
    out.failure_count = p->row_count;
    out.successes = p->successes;
    out.failures = p->failures;
    out.domain = p->domain;
    out.text = p->text;
    out.mx = p->mx;
    return onward_core__out_store(policy, &out, sizeof(out));
}

int onward_tlsrpt_report_failure(const struct onward_tlsrpt_report *r, size_t i,
                                 size_t j,
                                 struct onward_tlsrpt_failure *failure)
{
    const struct onward_tlsrpt__policy *p = policy_at(r, i);
    const struct onward_tlsrpt__row *row = p == NULL ? NULL : p->first;
    struct onward_tlsrpt_failure out = {.size = sizeof(out)};

    if (failure == NULL)
        return ONWARD_EINVAL;
    while (row != NULL && j-- > 0)
        row = row->next;
    if (row == NULL)
        return ONWARD_ENOENT;
    out.count = row->count;
    out.result_type = row->texts[0];
    out.sending_ip = row->texts[1];
    out.receiving_ip = row->texts[2];
    out.receiving_mx = row->texts[3];
    out.receiving_helo = row->texts[4];
    out.info_uri = row->texts[5];
    out.reason_code = row->texts[6];
    return onward_core__out_store(failure, &out, sizeof(out));
}
