/* The XML of a report (RFC 9990 Appendix A): the form of a row, which is also
 * what tells rows apart, and the frame around all of them. */
#include <unistr.h>

#include "core/text_shared.h"
#include "dmarc/dmarc_priv.h"
#include "dmarc/report_priv.h"

enum { XML_BYTES = 1 << 30 };

/* ---- Text -------------------------------------------------------------- */

/* Char of XML 1.0 section 2.2, without the controls that it only discourages:
 * nobody who reads a report wants them. */
static bool is_char(ucs4_t c)
{
    if (c < 0x20)
        return c == '\t' || c == '\n';
    return (c < 0x7f || c > 0x9f) && c != 0xfffe && c != 0xffff;
}

static const char *reference(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    default:
        return NULL;
    }
}

void onward_dmarc__xml_text(struct onward_buf *out, struct onward_str text)
{
    size_t plain = 0, i = 0;

    while (i < text.len) {
        const char *instead = reference((unsigned char)text.data[i]);
        ucs4_t c;
        int len = u8_mbtoucr(&c, (const uint8_t *)text.data + i, text.len - i);

        if (len <= 0 || !is_char(c)) {
            instead = "\xef\xbf\xbd";
            if (len <= 0)
                len = 1;
        }
        if (instead != NULL) {
            onward_core__buf_add(out, text.data + plain, i - plain);
            onward_core__buf_add_text(out, instead);
            plain = i + (size_t)len;
        }
        i += (size_t)len;
    }
    if (plain < text.len)
        onward_core__buf_add(out, text.data + plain, text.len - plain);
}

void onward_dmarc__xml_element(struct onward_buf *out, const char *name,
                               struct onward_str text)
{
    onward_core__buf_add_byte(out, '<');
    onward_core__buf_add_text(out, name);
    onward_core__buf_add_byte(out, '>');
    onward_dmarc__xml_text(out, text);
    onward_core__buf_add_text(out, "</");
    onward_core__buf_add_text(out, name);
    onward_core__buf_add_text(out, ">\n");
}

static void element(struct onward_buf *out, const char *name, const char *text)
{
    onward_dmarc__xml_element(out, name, onward_str_of(text));
}

static void optional(struct onward_buf *out, const char *name,
                     struct onward_str text)
{
    if (text.len != 0)
        onward_dmarc__xml_element(out, name, text);
}

static void tag(struct onward_buf *out, const char *text)
{
    onward_core__buf_add_text(out, text);
}

/* ---- Rows -------------------------------------------------------------- */

/* RFC 9990 section 3.1.6: what it has no word for is "other", and the comment
 * says what. */
static void reason(struct onward_buf *out, const struct onward_dmarc__reason *r)
{
    const char *word = onward_dmarc__reason_word(r->type, false);

    tag(out, "<reason>\n");
    if (word != NULL) {
        element(out, "type", word);
        optional(out, "comment", r->comment);
    } else {
        element(out, "type", "other");
        tag(out, "<comment>");
        onward_dmarc__xml_text(out, r->type);
        if (r->comment.len != 0)
            tag(out, ": ");
        onward_dmarc__xml_text(out, r->comment);
        tag(out, "</comment>\n");
    }
    tag(out, "</reason>\n");
}

static int dkim(struct onward_buf *out, const struct onward_dmarc__auth *a)
{
    const char *word = onward_dmarc__dkim_word(a->result);

    if (word == NULL)
        return ONWARD_ESYNTAX;
    tag(out, "<dkim>\n");
    onward_dmarc__xml_element(out, "domain", a->domain);
    onward_dmarc__xml_element(out, "selector", a->selector);
    element(out, "result", word);
    optional(out, "human_result", a->human_result);
    tag(out, "</dkim>\n");
    return 0;
}

/* The one of MAIL FROM: "mfrom" is the only scope that there is. */
static const struct onward_dmarc__auth *
find_spf(const struct onward_dmarc_row *row)
{
    const struct onward_dmarc__auth *a = row->spf.first;

    while (a != NULL && a->scope.len != 0 &&
           !onward_core__str_ieq(a->scope, ONWARD_STR("mfrom")))
        a = a->next;
    return a;
}

static int spf(struct onward_buf *out, const struct onward_dmarc__auth *a)
{
    const char *word = onward_dmarc__spf_word(a->result);

    if (word == NULL)
        return ONWARD_ESYNTAX;
    tag(out, "<spf>\n");
    onward_dmarc__xml_element(out, "domain", a->domain);
    element(out, "scope", "mfrom");
    element(out, "result", word);
    optional(out, "human_result", a->human_result);
    tag(out, "</spf>\n");
    return 0;
}

static int auth_results(struct onward_buf *out,
                        const struct onward_dmarc_row *row)
{
    const struct onward_dmarc__auth *a;
    int err = 0;

    tag(out, "<auth_results>\n");
    for (a = row->dkim.first; a != NULL && err == 0; a = a->next)
        err = dkim(out, a);
    a = find_spf(row);
    if (a != NULL && err == 0)
        err = spf(out, a);
    tag(out, "</auth_results>\n");
    return err;
}

static void identifiers(struct onward_buf *out,
                        const struct onward_dmarc_row_facts *f)
{
    tag(out, "<identifiers>\n");
    onward_dmarc__xml_element(out, "header_from", f->header_from);
    if (f->has_envelope_from || f->envelope_from.len != 0)
        onward_dmarc__xml_element(out, "envelope_from", f->envelope_from);
    optional(out, "envelope_to", f->envelope_to);
    tag(out, "</identifiers>\n");
}

int onward_dmarc__xml_record(struct onward_buf *out,
                             const struct onward_dmarc_row *row,
                             size_t *count_at)
{
    const struct onward_dmarc_row_facts *f = &row->facts;
    struct onward_ip ip;
    char address[ONWARD_IP_TEXT_MAX];
    int err;

    /* In one form, or one source would have several rows. */
    if (onward_ip_parse(f->source_ip, &ip) != 0 || f->header_from.len == 0 ||
        onward_ip_format(&ip, address, sizeof(address)) < 0)
        return ONWARD_ESYNTAX;
    tag(out, "<record>\n<row>\n");
    element(out, "source_ip", address);
    tag(out, "<count>");
    *count_at = out->len;
    tag(out, "</count>\n<policy_evaluated>\n");
    element(out, "disposition",
            onward_dmarc_disposition_name((int)f->disposition));
    element(out, "dkim", f->is_dkim_aligned ? "pass" : "fail");
    element(out, "spf", f->is_spf_aligned ? "pass" : "fail");
    for (const struct onward_dmarc__reason *r = row->reasons; r != NULL;
         r = r->next)
        reason(out, r);
    tag(out, "</policy_evaluated>\n</row>\n");
    identifiers(out, f);
    err = auth_results(out, row);
    tag(out, "</record>\n");
    return err != 0 ? err : out->err;
}

/* ---- The frame --------------------------------------------------------- */

static void number(struct onward_buf *out, const char *name, int64_t value)
{
    onward_core__buf_add_byte(out, '<');
    tag(out, name);
    onward_core__buf_add_byte(out, '>');
    onward_core__buf_add_i64(out, value);
    tag(out, "</");
    tag(out, name);
    tag(out, ">\n");
}

static void error(struct onward_buf *out, const struct onward_dmarc_report *r)
{
    if (r->opts.error.len == 0 && r->lost == 0)
        return;
    tag(out, "<error>");
    onward_dmarc__xml_text(out, r->opts.error);
    if (r->lost != 0) {
        tag(out, r->opts.error.len != 0 ? "; messages not counted: "
                                        : "messages not counted: ");
        onward_core__buf_add_u64(out, r->lost);
    }
    tag(out, "</error>\n");
}

static void metadata(struct onward_buf *out,
                     const struct onward_dmarc_report *r)
{
    tag(out, "<report_metadata>\n");
    onward_dmarc__xml_element(out, "org_name", r->opts.org_name);
    onward_dmarc__xml_element(out, "email", r->opts.email);
    optional(out, "extra_contact_info", r->opts.extra_contact_info);
    onward_dmarc__xml_element(out, "report_id", r->opts.report_id);
    tag(out, "<date_range>\n");
    number(out, "begin", r->opts.begin_s);
    number(out, "end", r->opts.end_s);
    tag(out, "</date_range>\n");
    error(out, r);
    if (r->opts.generator.len != 0) {
        onward_dmarc__xml_element(out, "generator", r->opts.generator);
    } else {
        tag(out, "<generator>libonward ");
        tag(out, onward_version());
        tag(out, "</generator>\n");
    }
    tag(out, "</report_metadata>\n");
}

/* What is not in the record has its default (RFC 9990 section 3.1.1.5): sp= is
 * p=, np= is sp= (RFC 9989 section 4.7). */
static void policy(struct onward_buf *out, const struct onward_dmarc_report *r)
{
    const struct onward_dmarc_record *d = &r->record;
    bool is_psl = r->opts.discovery == ONWARD_DMARC_DISCOVERY_RFC7489;
    size_t sp = d->subdomain_policy, np = d->nonexistent_policy;

    if (sp == ONWARD_DMARC_POLICY_UNKNOWN)
        sp = d->policy;
    if (np == ONWARD_DMARC_POLICY_UNKNOWN)
        np = sp;
    tag(out, "<policy_published>\n");
    onward_dmarc__xml_element(out, "domain", r->opts.policy_domain);
    element(out, "discovery_method", is_psl ? "psl" : "treewalk");
    element(out, "p", onward_dmarc_policy_name((int)d->policy));
    element(out, "sp", onward_dmarc_policy_name((int)sp));
    element(out, "np", onward_dmarc_policy_name((int)np));
    onward_dmarc__xml_element(out, "fo", d->failure_options);
    element(out, "adkim", d->is_dkim_strict ? "s" : "r");
    element(out, "aspf", d->is_spf_strict ? "s" : "r");
    element(out, "testing", d->is_testing ? "y" : "n");
    tag(out, "</policy_published>\n");
}

static int head(struct onward_buf *out, const struct onward_dmarc_report *r)
{
    tag(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
             "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n");
    element(out, "version", "1.0");
    metadata(out, r);
    policy(out, r);
    return out->err;
}

/* ---- Out --------------------------------------------------------------- */

static int give(const struct onward_dmarc_report_host *host, const void *data,
                size_t len)
{
    return host->write(host->user, data, len) < 0 ? ONWARD_ECALLBACK : 0;
}

static int write_entry(const struct onward_dmarc_report_host *host,
                       struct onward_buf *piece,
                       const struct onward_dmarc__entry *e)
{
    onward_core__buf_reset(piece);
    onward_core__buf_add_str(piece, e->head);
    onward_core__buf_add_u64(piece, e->count);
    onward_core__buf_add_str(piece, e->tail);
    return piece->err != 0 ? piece->err : give(host, piece->data, piece->len);
}

int onward_dmarc_report_write(const struct onward_dmarc_report *report,
                              const struct onward_dmarc_report_host *host)
{
    static const char end[] = "</feedback>\n";
    struct onward_dmarc_report_host h;
    struct onward_buf piece;
    int err;

    if (report == NULL || host == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&h, sizeof(h), host);
    if (err != 0)
        return err;
    if (h.write == NULL)
        return ONWARD_EINVAL;
    if (report->first == NULL)
        return ONWARD_ESTATE;
    onward_core__buf_init(&piece, report->ctx, XML_BYTES);
    err = head(&piece, report);
    if (err == 0)
        err = give(&h, piece.data, piece.len);
    for (const struct onward_dmarc__entry *e = report->first;
         e != NULL && err == 0; e = e->next)
        err = write_entry(&h, &piece, e);
    onward_core__buf_clear(&piece);
    return err != 0 ? err : give(&h, end, sizeof(end) - 1);
}

static int collect(void *user, const void *data, size_t len)
{
    return onward_core__buf_add(user, data, len);
}

int onward_dmarc_report_xml(struct onward_dmarc_report *report,
                            struct onward_str *xml)
{
    struct onward_dmarc_report_host host = {.size = sizeof(host),
                                            .write = collect};
    int err;

    if (report == NULL || xml == NULL)
        return ONWARD_EINVAL;
    onward_core__buf_reset(&report->xml);
    host.user = &report->xml;
    err = onward_dmarc_report_write(report, &host);
    if (err == ONWARD_ECALLBACK)
        err = report->xml.err;
    if (err == 0)
        *xml = onward_core__buf_str(&report->xml);
    return err;
}
