/*
 * A report as octets: kind, version, then numbers of eight octets, little
 * endian, and texts with their length of four before them.
 */
#include "tlsrpt/tlsrpt_priv.h"

static const unsigned char kind[4] = {'T', 'R', 'P', 'T'};

enum { VERSION = 1 };

/* ---- Writing ----------------------------------------------------------- */

static void put(struct onward_buf *out, uint64_t value, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        onward_core__buf_add_byte(out, (unsigned char)(value >> (8 * i)));
}

static void put_text(struct onward_buf *out, struct onward_str s)
{
    put(out, s.len, 4); /* max_bytes is far below */
    onward_core__buf_add_str(out, s);
}

static void put_policy(struct onward_buf *out,
                       const struct onward_tlsrpt__policy *p)
{
    put(out, p->type, 4);
    put(out, p->successes, 8);
    put(out, p->failures, 8);
    put_text(out, p->domain);
    put_text(out, p->text);
    put_text(out, p->mx);
    put(out, p->row_count, 4);
    for (const struct onward_tlsrpt__row *row = p->first; row != NULL;
         row = row->next) {
        put(out, row->count, 8);
        for (size_t i = 0; i < ONWARD_TLSRPT__TEXTS; i++)
            put_text(out, row->texts[i]);
    }
}

int onward_tlsrpt_report_save(struct onward_tlsrpt_report *report,
                              struct onward_str *bytes)
{
    struct onward_buf *out = &report->out;

    onward_core__buf_reset(out);
    onward_core__buf_add(out, kind, sizeof(kind));
    put(out, VERSION, 4);
    put(out, (uint64_t)report->opts.begin_s, 8);
    put(out, (uint64_t)report->opts.end_s, 8);
    put(out, report->lost, 8);
    put(out, report->oddities, 4);
    put_text(out, report->opts.organization);
    put_text(out, report->opts.contact);
    put_text(out, report->opts.report_id);
    put_text(out, report->opts.policy_domain);
    put(out, report->policy_count, 4);
    for (const struct onward_tlsrpt__policy *p = report->first; p != NULL;
         p = p->next)
        put_policy(out, p);
    if (out->err == 0)
        *bytes = onward_core__buf_str(out);
    return out->err;
}

/* ---- Reading ----------------------------------------------------------- */

/* A cursor; once cut it gives zeros and empty texts. */
struct cursor {
    struct onward_str rest;
    bool is_cut;
};

static uint64_t take(struct cursor *c, size_t octets)
{
    uint64_t value = 0;

    if (c->rest.len < octets) {
        c->is_cut = true;
        c->rest.len = 0;
        return 0;
    }
    for (size_t i = 0; i < octets; i++)
        value |= (uint64_t)(unsigned char)c->rest.data[i] << (8 * i);
    c->rest = onward_core__sub(c->rest, octets, c->rest.len);
    return value;
}

static struct onward_str take_text(struct cursor *c)
{
    size_t len = (size_t)take(c, 4);
    struct onward_str s = onward_core__sub(c->rest, 0, len);

    c->is_cut = c->is_cut || len > c->rest.len;
    c->rest = onward_core__sub(c->rest, s.len, c->rest.len);
    return s;
}

static int take_rows(struct onward_tlsrpt_report *r, struct cursor *c,
                     struct onward_tlsrpt__policy *p)
{
    int err = 0;

    for (uint64_t n = take(c, 4); err == 0 && n > 0; n--) {
        struct onward_tlsrpt__row row = {.count = take(c, 8)};
        uint64_t hash = 0;

        for (size_t i = 0; i < ONWARD_TLSRPT__TEXTS; i++) {
            row.texts[i] = take_text(c);
            hash = hash * 31 + onward_core__hash(r->ctx, row.texts[i].data,
                                                 row.texts[i].len);
        }
        row.hash = hash;
        err = c->is_cut ? ONWARD_ESYNTAX : onward_tlsrpt__add_row(r, p, &row);
    }
    return err;
}

static int take_policies(struct onward_tlsrpt_report *r, struct cursor *c)
{
    int err = 0;

    for (uint64_t n = take(c, 4); err == 0 && n > 0; n--) {
        struct onward_tlsrpt__policy policy = {0}, *p = NULL;

        policy.type = (size_t)take(c, 4);
        policy.successes = take(c, 8);
        policy.failures = take(c, 8);
        policy.domain = take_text(c);
        policy.text = take_text(c);
        policy.mx = take_text(c);
        if (c->is_cut || policy.type > ONWARD_TLSRPT_NO_POLICY)
            return ONWARD_ESYNTAX;
        err = onward_tlsrpt__add_policy(r, &policy, &p);
        if (err == 0)
            err = take_rows(r, c, p);
    }
    return err != 0 || (!c->is_cut && c->rest.len == 0) ? err : ONWARD_ESYNTAX;
}

static int take_report(struct onward_tlsrpt_report *r, struct cursor *c)
{
    int err;

    r->opts.begin_s = (int64_t)take(c, 8);
    r->opts.end_s = (int64_t)take(c, 8);
    r->lost = take(c, 8);
    r->oddities = (size_t)take(c, 4);
    err = onward_tlsrpt__keep(r, take_text(c), &r->opts.organization);
    if (err == 0)
        err = onward_tlsrpt__keep(r, take_text(c), &r->opts.contact);
    if (err == 0)
        err = onward_tlsrpt__keep(r, take_text(c), &r->opts.report_id);
    if (err == 0)
        err = onward_tlsrpt__keep(r, take_text(c), &r->opts.policy_domain);
    /* Domain and address go into file names and fields. */
    if (err == 0 && onward_tlsrpt__is_ours(r) &&
        onward_tlsrpt__check(&r->opts) != 0)
        err = ONWARD_ESYNTAX;
    return err == 0 ? take_policies(r, c) : err;
}

int onward_tlsrpt_report_load(struct onward_ctx *ctx,
                              const struct onward_tlsrpt_report_opts *opts,
                              struct onward_str bytes,
                              struct onward_tlsrpt_report **report)
{
    struct cursor c = {.rest = onward_core__sub(bytes, 4, bytes.len)};
    struct onward_tlsrpt_report *r = NULL;
    int err;

    if (bytes.len < 8 || memcmp(bytes.data, kind, sizeof(kind)) != 0)
        return ONWARD_ESYNTAX;
    if (take(&c, 4) != VERSION)
        return ONWARD_EVERSION;
    err = onward_tlsrpt__make(ctx, opts, &r);
    if (err != 0)
        return err;
    err = take_report(r, &c);
    if (err != 0) {
        onward_tlsrpt_report_free(r);
        return err;
    }
    *report = r;
    return 0;
}
