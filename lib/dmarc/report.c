/* An aggregate report while it is counted: rows that are alike become one. A
 * row is kept as the text that it will be written as, so that what is equal in
 * the report is equal here. */
#include "dmarc/report_priv.h"

#include "core/domain_shared.h"
#include "dmarc/dmarc_priv.h"

enum {
    MAX_ROWS = 50000,
    MAX_BYTES = 32 * 1024 * 1024,
    MAX_DESTINATIONS = 5,
    ID_MAX = 200,
    OPTION_BYTES = 256 * 1024,
    /* A row at its limits; each octet may become a reference of five. */
    ROW_BYTES = 2 * 1024 * 1024,
    XML_BYTES = 1 << 30,
    LINE_BYTES = 2048
};

/* ---- Options ----------------------------------------------------------- */

/* RFC 5322 section 3.2.3. */
static bool is_atext(unsigned char c)
{
    return onward_ascii_is_alnum(c) ||
           (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_dot_atom(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_dot = s.data[i] == '.';

        if (!is_dot && !is_atext((unsigned char)s.data[i]))
            return false;
        if (is_dot && (i == 0 || i + 1 == s.len || s.data[i - 1] == '.'))
            return false;
    }
    return s.len != 0;
}

/* ridfmt of RFC 9990 section 3.5.1. */
static bool is_report_id(struct onward_str s)
{
    size_t at = onward_core__str_find(s, '@');

    return s.len <= ID_MAX && is_dot_atom(onward_core__sub(s, 0, at)) &&
           (at == s.len || is_dot_atom(onward_core__sub(s, at + 1, s.len)));
}

static bool is_there(const struct onward_dmarc_report_opts *o)
{
    return o->org_name.len != 0 && o->email.len != 0 && o->report_id.len != 0 &&
           o->receiver.len != 0 && o->policy_domain.len != 0 &&
           o->record.len != 0 && o->begin_s >= 0 && o->end_s >= o->begin_s &&
           o->reserved == 0 && o->discovery <= ONWARD_DMARC_DISCOVERY_RFC7489;
}

static int load_domain(struct onward_dmarc_report *r, struct onward_str *name)
{
    int err = onward_core__domain_to_ascii(&r->texts, *name, name);

    if (err == 0 && !onward_core__domain_is_dns_name(*name, 1))
        err = ONWARD_ESYNTAX;
    return err;
}

static int load_texts(struct onward_dmarc_report *r)
{
    struct onward_dmarc_report_opts *o = &r->opts;
    struct onward_str *const texts[] = {
        &o->org_name,  &o->email, &o->extra_contact_info,
        &o->report_id, &o->error, &o->generator,
        &o->record};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int err = 0;

        if (texts[i]->len > ONWARD_DMARC_ROW_TEXT_MAX)
            return ONWARD_ELIMIT;
        err = onward_core__arena_dup(&r->texts, *texts[i], texts[i]);
        if (err != 0)
            return err;
    }
    return 0;
}

static bool is_known(const struct onward_dmarc_report *r, struct onward_str uri)
{
    for (size_t i = 0; i < r->destination_count; i++) {
        if (onward_core__str_eq(r->destinations[i], uri))
            return true;
    }
    return false;
}

/* A record may name hundreds: a report is not a way to send them mail (A076).
 */
static int load_destinations(struct onward_dmarc_report *r)
{
    size_t max = onward_core__limit(r->opts.max_destinations, MAX_DESTINATIONS);
    struct onward_str list = r->record.rua, uri;

    /* No URI is shorter than a comma and "mailto:". */
    if (max > list.len / 8 + 1)
        max = list.len / 8 + 1;
    r->destinations = onward_core__arena_array(&r->texts, max + 1, sizeof(uri));
    if (r->destinations == NULL)
        return ONWARD_ENOMEM;
    while (r->destination_count < max &&
           onward_dmarc_uri_next(&list, &uri) == 1) {
        if (!is_known(r, uri))
            r->destinations[r->destination_count++] = uri;
    }
    return 0;
}

static int load(struct onward_dmarc_report *r)
{
    int err = load_texts(r);

    if (err == 0)
        err = load_domain(r, &r->opts.receiver);
    if (err == 0)
        err = load_domain(r, &r->opts.policy_domain);
    if (err == 0 &&
        (!is_report_id(r->opts.report_id) ||
         onward_dmarc_record_parse(r->opts.record, &r->record) != 0))
        err = ONWARD_ESYNTAX;
    if (err == 0)
        err = load_destinations(r);
    return err;
}

/* ---- Life -------------------------------------------------------------- */

int onward_dmarc_report_new(struct onward_ctx *ctx,
                            const struct onward_dmarc_report_opts *opts,
                            struct onward_dmarc_report **report)
{
    struct onward_dmarc_report_opts o;
    struct onward_dmarc_report *r;
    int err;

    if (ctx == NULL || opts == NULL || report == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err != 0)
        return err;
    if (!is_there(&o))
        return ONWARD_EINVAL;
    r = onward_core__zalloc(ctx, sizeof(*r));
    if (r == NULL)
        return ONWARD_ENOMEM;
    r->ctx = onward_ctx_ref(ctx);
    r->opts = o;
    r->opts.max_rows = onward_core__limit(o.max_rows, MAX_ROWS);
    r->record.size = sizeof(r->record);
    r->end = &r->first;
    onward_core__arena_init(&r->texts, ctx, OPTION_BYTES);
    r->opts.max_bytes = onward_core__limit(o.max_bytes, MAX_BYTES);
    onward_core__arena_init(&r->rows, ctx, SIZE_MAX); /* row_bytes counts */
    onward_core__buf_init(&r->scratch, ctx, ROW_BYTES);
    onward_core__buf_init(&r->xml, ctx, XML_BYTES);
    onward_core__buf_init(&r->line, ctx, LINE_BYTES);
    err = onward_core__table_init(&r->table, ctx);
    if (err == 0)
        err = load(r);
    if (err != 0) {
        onward_dmarc_report_free(r);
        return err;
    }
    *report = r;
    return 0;
}

void onward_dmarc_report_free(struct onward_dmarc_report *report)
{
    struct onward_ctx *ctx;

    if (report == NULL)
        return;
    ctx = report->ctx;
    if (report->table.slots != NULL)
        onward_core__table_clear(&report->table);
    onward_core__buf_clear(&report->scratch);
    onward_core__buf_clear(&report->xml);
    onward_core__buf_clear(&report->line);
    onward_core__arena_clear(&report->rows);
    onward_core__arena_clear(&report->texts);
    onward_core__free(ctx, report);
    onward_ctx_free(ctx);
}

/* ---- Counting ---------------------------------------------------------- */

static bool is_same(const struct onward_dmarc__entry *e, struct onward_str head,
                    struct onward_str tail)
{
    return onward_core__str_eq(e->head, head) &&
           onward_core__str_eq(e->tail, tail);
}

static struct onward_dmarc__entry *find(const struct onward_dmarc_report *r,
                                        uint64_t hash, struct onward_str head,
                                        struct onward_str tail)
{
    struct onward_core__node *n = onward_core__table_find(&r->table, hash);

    for (; n != NULL; n = onward_core__table_find_next(n)) {
        struct onward_dmarc__entry *e =
            ONWARD_CONTAINER(n, struct onward_dmarc__entry, node);

        if (is_same(e, head, tail))
            return e;
    }
    return NULL;
}

static int add_entry(struct onward_dmarc_report *r, uint64_t hash,
                     size_t count_at, struct onward_dmarc__entry **entry)
{
    struct onward_str text = onward_core__buf_str(&r->scratch);
    size_t bytes = sizeof(struct onward_dmarc__entry) + text.len;
    struct onward_dmarc__entry *e;
    char *copy;

    if (r->table.count >= r->opts.max_rows ||
        bytes > r->opts.max_bytes - r->row_bytes)
        return ONWARD_ELIMIT;
    e = onward_core__arena_alloc(&r->rows, bytes);
    if (e == NULL)
        return ONWARD_ENOMEM;
    r->row_bytes += bytes;
    copy = (char *)(e + 1);
    memcpy(copy, text.data, text.len);
    e->head = onward_core__str(copy, count_at);
    e->tail = onward_core__str(copy + count_at, text.len - count_at);
    onward_core__table_add(&r->table, &e->node, hash);
    *r->end = e;
    r->end = &e->next;
    *entry = e;
    return 0;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

int onward_dmarc_report_add(struct onward_dmarc_report *report,
                            const struct onward_dmarc_row *row)
{
    struct onward_dmarc__entry *e;
    struct onward_str head, tail;
    size_t count_at = 0;
    uint64_t count, hash;
    int err;

    if (report == NULL || row == NULL ||
        row->facts.disposition == ONWARD_DMARC_DISPOSITION_UNKNOWN)
        return ONWARD_EINVAL;
    onward_core__buf_reset(&report->scratch);
    err = onward_dmarc__xml_record(&report->scratch, row, &count_at);
    if (err != 0 && err != ONWARD_ELIMIT)
        return err;
    count = row->facts.count != 0 ? row->facts.count : 1;
    e = NULL;
    if (err == 0) {
        head = onward_core__sub(onward_core__buf_str(&report->scratch), 0,
                                count_at);
        tail = onward_core__sub(onward_core__buf_str(&report->scratch),
                                count_at, report->scratch.len);
        hash = onward_core__hash(report->ctx, report->scratch.data,
                                 report->scratch.len);
        e = find(report, hash, head, tail);
        if (e == NULL)
            err = add_entry(report, hash, count_at, &e);
    }
    if (err == ONWARD_ELIMIT)
        report->lost = sum(report->lost, count);
    if (err != 0)
        return err;
    e->count = sum(e->count, count);
    report->messages = sum(report->messages, count);
    return 0;
}

size_t onward_dmarc_report_row_count(const struct onward_dmarc_report *report)
{
    return report->table.count;
}

uint64_t
onward_dmarc_report_message_count(const struct onward_dmarc_report *report)
{
    return report->messages;
}

uint64_t
onward_dmarc_report_lost_count(const struct onward_dmarc_report *report)
{
    return report->lost;
}
