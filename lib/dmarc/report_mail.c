/* How a report travels: file name, subject, and to whom (RFC 9990 section 3.5).
 * Nothing of a DMARC record gets into a header but a checked mailbox. */
#include "address/address_shared.h"
#include "dmarc/report_priv.h"

enum { MAILBOX_ARENA = 16 * 1024 };

static int give(const struct onward_dmarc_report *r, struct onward_str *out)
{
    if (r->line.err == 0)
        *out = onward_core__buf_str(&r->line);
    return r->line.err;
}

int onward_dmarc_report_file_name(struct onward_dmarc_report *report,
                                  struct onward_str unique, int is_gzip,
                                  struct onward_str *name)
{
    struct onward_core__report_name parts = {
        .unique = unique, .extension = is_gzip ? ".xml.gz" : ".xml"};
    int err;

    if (report == NULL || name == NULL)
        return ONWARD_EINVAL;
    parts.submitter = report->opts.receiver;
    parts.policy_domain = report->opts.policy_domain;
    parts.begin_s = report->opts.begin_s;
    parts.end_s = report->opts.end_s;
    onward_core__buf_reset(&report->line);
    err = onward_core__report_name(&report->line, &parts);
    return err != 0 ? err : give(report, name);
}

int onward_dmarc_report_subject(struct onward_dmarc_report *report,
                                struct onward_str *subject)
{
    struct onward_buf *b;

    if (report == NULL || subject == NULL)
        return ONWARD_EINVAL;
    b = &report->line;
    onward_core__buf_reset(b);
    onward_core__buf_add_text(b, "Report Domain: ");
    onward_core__buf_add_str(b, report->opts.policy_domain);
    onward_core__buf_add_text(b, "\r\n Submitter: ");
    onward_core__buf_add_str(b, report->opts.receiver);
    onward_core__buf_add_text(b, "\r\n Report-ID: <");
    onward_core__buf_add_str(b, report->opts.report_id);
    onward_core__buf_add_byte(b, '>');
    return give(report, subject);
}

struct onward_str
onward_dmarc_report_destination(const struct onward_dmarc_report *report,
                                size_t i)
{
    return i < report->destination_count ? report->destinations[i]
                                         : onward_core__str("", 0);
}

/* The first "to" of a mailto: URI (RFC 6068 section 2) without its percent
 * signs. */
static int decode(struct onward_str uri, char *out, size_t *out_len)
{
    struct onward_str s;
    size_t len = 0;

    if (!onward_core__str_istarts(uri, ONWARD_STR("mailto:")))
        return ONWARD_ESYNTAX;
    s = onward_core__sub(uri, 7, uri.len);
    s.len = onward_core__str_find(s, '?');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c == '%') {
            int high = i + 2 < s.len
                           ? onward_ascii_hex((unsigned char)s.data[i + 1])
                           : -1;
            int low =
                high >= 0 ? onward_ascii_hex((unsigned char)s.data[i + 2]) : -1;

            if (low < 0)
                return ONWARD_ESYNTAX;
            c = (unsigned char)(high * 16 + low);
            i += 2;
        }
        if (c <= 0x20 || c >= 0x7f || len + 1 >= ONWARD_DMARC_MAILBOX_MAX)
            return ONWARD_ESYNTAX;
        out[len++] = (char)c;
    }
    *out_len = len;
    return 0;
}

/* The consent was asked of the host behind the last "@" as it stands in the
 * URI: it has to be the one that the mail goes to. */
static bool is_of_host(struct onward_str uri,
                       const struct onward_address__mailbox *mailbox)
{
    struct onward_str host;

    uri.len = onward_core__str_find(uri, '?');
    host = onward_core__sub(uri, onward_core__str_rfind(uri, '@') + 1, uri.len);
    return mailbox->domain_ascii.len != 0 &&
           onward_core__str_eq(host, mailbox->domain);
}

int onward_dmarc_uri_mailbox(struct onward_ctx *ctx, struct onward_str uri,
                             char *text, size_t cap)
{
    struct onward_address__mailbox mailbox;
    char decoded[ONWARD_DMARC_MAILBOX_MAX];
    struct onward_arena arena;
    size_t len = 0;
    int err;

    if (ctx == NULL || text == NULL)
        return ONWARD_EINVAL;
    err = decode(uri, decoded, &len);
    if (err != 0)
        return err;
    onward_core__arena_init(&arena, ctx, MAILBOX_ARENA);
    err = onward_address__parse_mailbox(&arena, onward_core__str(decoded, len),
                                        0, &mailbox, NULL);
    if (err == 0 && !is_of_host(uri, &mailbox))
        err = ONWARD_ESYNTAX;
    onward_core__arena_clear(&arena);
    if (err != 0)
        return err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
    if (len >= cap)
        return ONWARD_ELIMIT;
    memcpy(text, decoded, len);
    text[len] = '\0';
    return (int)len;
}
