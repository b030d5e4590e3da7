/* The JSON of a report (RFC 8460 section 4.4). */
#include "core/json_shared.h"
#include "core/text_shared.h"
#include "tlsrpt/tlsrpt_priv.h"

static void put(struct onward_json_writer *w, const char *key,
                struct onward_str text)
{
    onward_json__key(w, key);
    onward_json__string(w, text);
}

/* I-JSON's readers may keep numbers in a double (RFC 7493 section 2.2). */
static void put_count(struct onward_json_writer *w, const char *key,
                      uint64_t count)
{
    const uint64_t max = (UINT64_C(1) << 53) - 1;

    onward_json__key(w, key);
    onward_json__number(w, (int64_t)(count < max ? count : max));
}

static void put_date(struct onward_json_writer *w, const char *key,
                     int64_t unix_s)
{
    onward_json__key(w, key);
    /* The writer puts commas by values: an empty string, and its inside. */
    onward_json__text(w, "");
    if (w->out->err == 0)
        w->out->len--;
    onward_core__date_rfc3339(w->out, unix_s);
    onward_core__buf_add_byte(w->out, '"');
}

static void put_lines(struct onward_json_writer *w, const char *key,
                      struct onward_str lines)
{
    struct onward_str line;

    if (lines.len == 0)
        return;
    onward_json__key(w, key);
    onward_json__open_array(w);
    while (onward_tlsrpt__next_line(&lines, &line))
        onward_json__string(w, line);
    onward_json__close_array(w);
}

static void put_row(struct onward_json_writer *w,
                    const struct onward_tlsrpt__row *row)
{
    static const char *const names[ONWARD_TLSRPT__TEXTS] = {
        "result-type",       "sending-mta-ip",         "receiving-ip",
        "receiving-mx-hostname", "receiving-mx-helo", "additional-information",
        "failure-reason-code"};

    onward_json__open_object(w);
    for (size_t i = 0; i < ONWARD_TLSRPT__TEXTS; i++) {
        if (row->texts[i].len > 0)
            put(w, names[i], row->texts[i]);
    }
    put_count(w, "failed-session-count", row->count);
    onward_json__close_object(w);
}

static void put_policy(struct onward_json_writer *w,
                       const struct onward_tlsrpt__policy *p)
{
    onward_json__open_object(w);
    onward_json__key(w, "policy");
    onward_json__open_object(w);
    onward_json__key(w, "policy-type");
    onward_json__text(w, onward_tlsrpt_type_name((int)p->type));
    put_lines(w, "policy-string", p->text);
    put(w, "policy-domain", p->domain);
    put_lines(w, "mx-host", p->mx);
    onward_json__close_object(w);
    onward_json__key(w, "summary");
    onward_json__open_object(w);
    put_count(w, "total-successful-session-count", p->successes);
    put_count(w, "total-failure-session-count", p->failures);
    onward_json__close_object(w);
    if (p->first != NULL) {
        onward_json__key(w, "failure-details");
        onward_json__open_array(w);
        for (const struct onward_tlsrpt__row *row = p->first; row != NULL;
             row = row->next)
            put_row(w, row);
        onward_json__close_array(w);
    }
    onward_json__close_object(w);
}

int onward_tlsrpt_report_json(struct onward_tlsrpt_report *report,
                              struct onward_str *json)
{
    struct onward_json_writer w = {.out = &report->out};

    if (report->first == NULL)
        return ONWARD_ESTATE;
    onward_core__buf_reset(&report->out);
    onward_json__open_object(&w);
    put(&w, "organization-name", report->opts.organization);
    onward_json__key(&w, "date-range");
    onward_json__open_object(&w);
    put_date(&w, "start-datetime", report->opts.begin_s);
    put_date(&w, "end-datetime", report->opts.end_s);
    onward_json__close_object(&w);
    put(&w, "contact-info", report->opts.contact);
    put(&w, "report-id", report->opts.report_id);
    onward_json__key(&w, "policies");
    onward_json__open_array(&w);
    for (const struct onward_tlsrpt__policy *p = report->first; p != NULL;
         p = p->next)
        put_policy(&w, p);
    onward_json__close_array(&w);
    onward_json__close_object(&w);
    if (report->out.err == 0)
        *json = onward_core__buf_str(&report->out);
    return report->out.err;
}
