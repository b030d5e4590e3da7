/*
 * Reports for machines: structs into fields that are safe to send.
 */
#include <onward/mime_report.h>

#include "mime/builder_priv.h"

enum {
    VALUE_MAX = 900, /* octets of a value: one line */
    LIST_MAX = 1000,
    CANONICAL_MAX = 65536,
    BASE64_LINE = 54 /* octets of it on a line */
};

static bool is_token(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] <= ' ')
            return false;
    }
    return true;
}

static void begin(struct onward_buf *out, const char *name)
{
    onward_core__buf_add_text(out, name);
    onward_core__buf_add_text(out, ": ");
}

static void put(struct onward_buf *out, const char *name, const char *before,
                struct onward_str value, const char *after)
{
    value = onward_core__str_trim(value);
    if (value.len == 0)
        return;
    begin(out, name);
    onward_core__buf_add_text(out, before);
    onward_core__escape(out, value, VALUE_MAX);
    onward_core__buf_add_text(out, after);
    onward_core__buf_add_text(out, "\r\n");
}

static void put_text(struct onward_buf *out, const char *name, const char *text)
{
    put(out, name, "", onward_str_of(text), "");
}

static void put_number(struct onward_buf *out, const char *name, uint64_t n)
{
    if (n == 0)
        return;
    begin(out, name);
    onward_core__buf_add_u64(out, n);
    onward_core__buf_add_text(out, "\r\n");
}

static int set(struct onward_builder *b, struct onward_buf *fields,
               const char *report_type, const char *fields_type,
               struct onward_str original, size_t is_header_only)
{
    const struct onward_builder_report report = {
        .size = sizeof(report),
        .report_type = onward_str_of(report_type),
        .fields_type = onward_str_of(fields_type),
        .fields = onward_core__buf_str(fields),
        .original = original,
        .is_header_only = is_header_only};
    int err = fields->err;

    if (err == 0)
        err = onward_builder_set_report(b, &report);
    onward_core__buf_clear(fields);
    return err;
}

/* ---- Disposition notifications ----------------------------------------- */

static void put_ua(struct onward_buf *out, const struct onward_report_mdn *mdn)
{
    size_t semicolon = onward_core__str_find(mdn->reporting_ua, ';');
    struct onward_str name = onward_core__str_trim(
        onward_core__sub(mdn->reporting_ua, 0, semicolon));

    if (name.len == 0)
        return;
    begin(out, "Reporting-UA");
    onward_core__escape(out, name, VALUE_MAX / 2);
    if (mdn->product.len > 0) {
        onward_core__buf_add_text(out, "; ");
        onward_core__escape(out, mdn->product, VALUE_MAX / 2);
    }
    onward_core__buf_add_text(out, "\r\n");
}

int onward_builder_set_mdn(struct onward_builder *builder,
                           const struct onward_report_mdn *mdn)
{
    static const char *const names[] = {
        [ONWARD_REPORT_DISPLAYED] = "displayed",
        [ONWARD_REPORT_DELETED] = "deleted",
        [ONWARD_REPORT_DISPATCHED] = "dispatched",
        [ONWARD_REPORT_PROCESSED] = "processed"};
    struct onward_report_mdn o;
    struct onward_buf out;
    int err = onward_core__opts_load(&o, sizeof(o), mdn);

    if (err != 0)
        return err;
    if (mdn == NULL || o.disposition < ONWARD_REPORT_DISPLAYED ||
        o.disposition > ONWARD_REPORT_PROCESSED ||
        onward_core__str_trim(o.final_recipient).len == 0)
        return ONWARD_EINVAL;
    onward_core__buf_init(&out, builder->ctx, SIZE_MAX);
    put_ua(&out, &o);
    put(&out, "Original-Recipient", "rfc822; ", o.original_recipient, "");
    put(&out, "Final-Recipient", "rfc822; ", o.final_recipient, "");
    put(&out, "Original-Message-ID", "<", o.original_message_id, ">");
    begin(&out, "Disposition");
    onward_core__buf_add_text(&out, o.is_manual != 0 ? "manual-action/"
                                                     : "automatic-action/");
    onward_core__buf_add_text(&out, o.is_sent_manually != 0
                                        ? "MDN-sent-manually; "
                                        : "MDN-sent-automatically; ");
    onward_core__buf_add_text(&out, names[o.disposition]);
    onward_core__buf_add_text(&out, o.error.len > 0 ? "/error\r\n" : "\r\n");
    put(&out, "Error", "", o.error, "");
    return set(builder, &out, "disposition-notification",
               "message/disposition-notification", o.original,
               o.is_header_only);
}

/* ---- Authentication ---------------------------------------------------- */

static bool has_dkim(const struct onward_report_auth *a)
{
    return a->dkim_domain.len > 0 && a->dkim_identity.len > 0 &&
           a->dkim_selector.len > 0;
}

static bool has_spf(const struct onward_report_auth *a)
{
    return a->spf_domain.len > 0 && a->spf_record.len > 0;
}

/* Is all there that the RFCs demand? */
static bool is_whole(const struct onward_report_auth *a)
{
    switch ((enum onward_report_auth_type)a->type) {
    case ONWARD_REPORT_AUTH_BODYHASH:
    case ONWARD_REPORT_AUTH_REVOKED:
    case ONWARD_REPORT_AUTH_SIGNATURE:
        return has_dkim(a);
    case ONWARD_REPORT_AUTH_SPF:
        return has_spf(a);
    case ONWARD_REPORT_AUTH_DMARC:
        return ((a->alignment & ONWARD_REPORT_ALIGNED_DKIM) == 0 ||
                has_dkim(a)) &&
               ((a->alignment & ONWARD_REPORT_ALIGNED_SPF) == 0 || has_spf(a));
    }
    return false;
}

static void put_base64(struct onward_buf *out, const char *name,
                       struct onward_str octets)
{
    if (octets.len == 0 || octets.len > CANONICAL_MAX)
        return;
    onward_core__buf_add_text(out, name);
    onward_core__buf_add_text(out, ":");
    for (size_t at = 0; at < octets.len; at += BASE64_LINE) {
        struct onward_str line = onward_core__sub(octets, at, octets.len);

        onward_core__buf_add_text(out, at == 0 ? " " : "\r\n ");
        onward_core__base64_encode(
            out, line.data, line.len < BASE64_LINE ? line.len : BASE64_LINE);
    }
    onward_core__buf_add_text(out, "\r\n");
}

/* "txt : domain : "record"", its quotes and backslashes as quoted pairs. */
static void put_spf(struct onward_buf *out, const struct onward_report_auth *a)
{
    struct onward_str record = a->spf_record;

    if (!has_spf(a))
        return;
    begin(out, "SPF-DNS");
    onward_core__buf_add_text(out, "txt : ");
    onward_core__escape(out, a->spf_domain, VALUE_MAX / 3);
    onward_core__buf_add_text(out, " :\r\n \"");
    for (size_t i = 0; i < record.len && i < VALUE_MAX / 2; i++) {
        unsigned char c = (unsigned char)record.data[i];

        if (c == '"' || c == '\\')
            onward_core__buf_add_byte(out, '\\');
        onward_core__buf_add_byte(out, c >= ' ' && c < 0x7f ? c : '?');
    }
    onward_core__buf_add_text(out, "\"\r\n");
}

static void put_alignment(struct onward_buf *out, size_t alignment)
{
    static const char *const names[] = {"none", "dkim", "spf", "dkim, spf"};

    put_text(out, "Identity-Alignment", names[alignment & 3]);
}

static void put_auth(struct onward_buf *out, const struct onward_report_auth *a)
{
    static const char *const types[] = {
        [ONWARD_REPORT_AUTH_BODYHASH] = "bodyhash",
        [ONWARD_REPORT_AUTH_REVOKED] = "revoked",
        [ONWARD_REPORT_AUTH_SIGNATURE] = "signature",
        [ONWARD_REPORT_AUTH_SPF] = "spf",
        [ONWARD_REPORT_AUTH_DMARC] = "dmarc"};
    static const char *const deliveries[] = {
        "", "delivered", "spam", "policy", "reject", "other"};

    put_text(out, "Auth-Failure", types[a->type]);
    put_text(out, "Delivery-Result", deliveries[a->delivery]);
    if (a->type == ONWARD_REPORT_AUTH_DMARC)
        put_alignment(out, a->alignment);
    put(out, "DKIM-Domain", "", a->dkim_domain, "");
    put(out, "DKIM-Identity", "", a->dkim_identity, "");
    put(out, "DKIM-Selector", "", a->dkim_selector, "");
    put_base64(out, "DKIM-Canonicalized-Header", a->dkim_canonical_header);
    put_base64(out, "DKIM-Canonicalized-Body", a->dkim_canonical_body);
    put_spf(out, a);
}

/* ---- Feedback ---------------------------------------------------------- */

static void put_list(struct onward_buf *out, const char *name,
                     const char *before, const struct onward_str *items,
                     size_t count, const char *after)
{
    for (size_t i = 0; i < count; i++)
        put(out, name, before, items[i], after);
}

static void put_address(struct onward_buf *out, const char *name,
                        struct onward_str address)
{
    bool is_null = onward_core__str_eq(address, ONWARD_STR("<>"));

    put(out, name, is_null ? "" : "<", address, is_null ? "" : ">");
}

static void put_source(struct onward_buf *out,
                       const struct onward_report_feedback *f)
{
    char text[ONWARD_IP_TEXT_MAX];

    if (f->source_ip == NULL ||
        onward_ip_format(f->source_ip, text, sizeof(text)) < 0)
        return;
    put_text(out, "Source-IP", text);
    put_number(out, "Source-Port", f->source_port);
}

/* The value may come with its folds. */
static void put_results(struct onward_buf *out, struct onward_str value)
{
    struct onward_buf line;

    onward_core__buf_init(&line, out->ctx, SIZE_MAX);
    onward_mime__unfold(&line, value);
    if (line.err != 0)
        out->err = line.err;
    put(out, "Authentication-Results", "", onward_core__buf_str(&line), "");
    onward_core__buf_clear(&line);
}

static void put_feedback(struct onward_buf *out,
                         const struct onward_report_feedback *f)
{
    static const char *const types[] = {
        [ONWARD_REPORT_ABUSE] = "abuse",
        [ONWARD_REPORT_FRAUD] = "fraud",
        [ONWARD_REPORT_VIRUS] = "virus",
        [ONWARD_REPORT_OTHER] = "other",
        [ONWARD_REPORT_NOT_SPAM] = "not-spam",
        [ONWARD_REPORT_AUTH_FAILURE] = "auth-failure"};

    put_text(out, "Feedback-Type", types[f->type]);
    put(out, "User-Agent", "", f->user_agent, "");
    put_text(out, "Version", "1");
    put(out, "Original-Envelope-Id", "", f->envelope_id, "");
    put_address(out, "Original-Mail-From", f->mail_from);
    if (f->arrival_s != 0) {
        begin(out, "Arrival-Date");
        onward_core__date_rfc5322(out, f->arrival_s);
        onward_core__buf_add_text(out, "\r\n");
    }
    put(out, "Reporting-MTA", "dns; ", f->reporting_mta, "");
    put_source(out, f);
    put_number(out, "Incidents", f->incidents);
    put_results(out, f->authentication_results);
    put_list(out, "Original-Rcpt-To", "<", f->rcpts, f->rcpt_count, ">");
    put_list(out, "Reported-Domain", "", f->domains, f->domain_count, "");
    put_list(out, "Reported-URI", "", f->uris, f->uri_count, "");
}

/* A list may hold what is no single word: that is left to the escape; of
 * domains and URIs it would be another value. */
static bool are_tokens(const struct onward_str *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_token(items[i]))
            return false;
    }
    return true;
}

static int check_feedback(const struct onward_report_feedback *f,
                          const struct onward_report_auth *a)
{
    bool is_auth = f->type == ONWARD_REPORT_AUTH_FAILURE;

    if (f->rcpt_count > LIST_MAX || f->domain_count > LIST_MAX ||
        f->uri_count > LIST_MAX)
        return ONWARD_ELIMIT;
    if (f->type < ONWARD_REPORT_ABUSE || f->type > ONWARD_REPORT_AUTH_FAILURE ||
        onward_core__str_trim(f->user_agent).len == 0 ||
        is_auth != (f->auth != NULL) || f->source_port > 65535 ||
        f->incidents > UINT32_MAX)
        return ONWARD_EINVAL;
    if (is_auth && (!is_whole(a) || a->delivery > ONWARD_REPORT_ELSE ||
                    f->original.len == 0 || f->authentication_results.len == 0))
        return ONWARD_EINVAL;
    if (!are_tokens(f->domains, f->domain_count) ||
        !are_tokens(f->uris, f->uri_count))
        return ONWARD_ESYNTAX;
    return 0;
}

int onward_builder_set_feedback(struct onward_builder *builder,
                                const struct onward_report_feedback *feedback)
{
    struct onward_report_feedback o;
    struct onward_report_auth auth = {0};
    struct onward_buf out;
    int err = onward_core__opts_load(&o, sizeof(o), feedback);

    if (err == 0 && feedback == NULL)
        err = ONWARD_EINVAL;
    if (err == 0 && o.auth != NULL)
        err = onward_core__opts_load(&auth, sizeof(auth), o.auth);
    if (err == 0)
        err = check_feedback(&o, &auth);
    if (err != 0)
        return err;
    onward_core__buf_init(&out, builder->ctx, SIZE_MAX);
    put_feedback(&out, &o);
    if (o.auth != NULL)
        put_auth(&out, &auth);
    return set(builder, &out, "feedback-report", "message/feedback-report",
               o.original, o.is_header_only);
}
