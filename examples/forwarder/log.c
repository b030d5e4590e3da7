/* The log: one line of JSON for each message and each event. */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "forwarder.h"

/* A JSON string. Octets that are not ASCII are taken as UTF-8 where they are,
 * else written as U+FFFD; the library's texts are printable ASCII anyway. */
static void put_string(FILE *f, struct onward_str s)
{
    fputc('"', f);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(f, "\\u%04x", c);
        else if (c < 0x80)
            fputc(c, f);
        else
            fprintf(f, "\\u%04x", 0xfffd);
    }
    fputc('"', f);
}

static void put_member(FILE *f, const char *name, struct onward_str s)
{
    fprintf(f, ",\"%s\":", name);
    put_string(f, s);
}

static void put_text(FILE *f, const char *name, const char *text)
{
    put_member(f, name, onward_str_of(text));
}

static void put_time(FILE *f)
{
    char text[32];
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    fprintf(f, "{\"time\":\"%s\"", text);
}

static void put_verdicts(FILE *f, const struct onward_verifier *v)
{
    struct onward_arc_verdict arc = {.size = sizeof(arc)};
    const struct onward_spf_check *spf =
        onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM);

    if (!onward_verifier_is_done(v))
        return;
    if (spf != NULL)
        put_text(f, "spf",
                 onward_spf_result_name(onward_spf_check_result(spf)));
    fputs(",\"dkim\":[", f);
    for (size_t i = 0; i < onward_verifier_dkim_count(v); i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        if (onward_verifier_dkim(v, i, &s) != 0)
            continue;
        fprintf(f, "%s{\"result\":\"%s\"", i == 0 ? "" : ",",
                onward_dkim_result_name((int)s.result));
        put_member(f, "d", s.domain_ascii);
        put_member(f, "s", s.selector);
        fputc('}', f);
    }
    fputc(']', f);
    if (onward_verifier_arc(v, &arc) == 0) {
        put_text(f, "arc", onward_arc_result_name((int)arc.result));
        fprintf(f, ",\"arc_instances\":%zu", arc.instances);
    }
    put_text(f, "dmarc",
             onward_dmarc_result_name(onward_verifier_dmarc_result(v)));
    put_member(f, "author_domain", onward_verifier_author_domain(v));
}

static void put_recipients(FILE *f, const struct onward_smtp_server *server)
{
    bool is_first = true;

    fputs(",\"to\":[", f);
    for (size_t i = 0; i < onward_smtp_server_rcpt_count(server); i++) {
        if (!onward_smtp_server_rcpt_accepted(server, i))
            continue;
        if (!is_first)
            fputc(',', f);
        is_first = false;
        put_string(f, onward_smtp_server_rcpt_address(server, i));
    }
    fputc(']', f);
}

static void put_deliveries(FILE *f, const struct message_log *m)
{
    fputs(",\"deliveries\":[", f);
    for (size_t i = 0; i < m->delivery_count; i++) {
        const struct delivery_log *d = &m->deliveries[i];
        struct onward_relay_delivery facts = {.size = sizeof(facts)};

        if (i != 0)
            fputc(',', f);
        fputs("{\"fate\":", f);
        if (onward_relay_delivery_at(m->relay, i, &facts) == 0)
            put_string(f,
                       onward_str_of(onward_relay_fate_name((int)facts.fate)));
        else
            fputs("null", f);
        put_member(f, "to", facts.recipient);
        put_member(f, "from", facts.reverse_path);
        if (d->is_known) {
            put_text(f, "host", d->host);
            put_text(f, "ip", d->ip);
            put_text(f, "tls", d->tls);
        }
        fprintf(f, ",\"code\":%zu", d->code);
        put_text(f, "enhanced", d->enhanced);
        put_text(f, "text", d->text);
        fprintf(f, ",\"ms\":%lld}", (long long)d->ms);
    }
    fputc(']', f);
}

void log_message(struct forwarder *fwd, const struct message_log *m)
{
    const struct onward_tls_facts *tls = onward_smtp_server_tls(m->server);
    FILE *f = fwd->log;

    put_time(f);
    fputs(",\"event\":\"message\"", f);
    put_text(f, "id", m->id);
    put_member(f, "client", m->client);
    put_member(f, "helo", m->helo);
    put_member(f, "tls", tls == NULL ? onward_str_of("") : tls->version);
    put_member(f, "from", m->from);
    put_recipients(f, m->server);
    fprintf(f, ",\"size\":%llu", (unsigned long long)m->size);
    if (m->verifier != NULL)
        put_verdicts(f, m->verifier);
    if (m->relay != NULL) {
        put_text(f, "route",
                 onward_relay_reason_name(onward_relay_reason(m->relay)));
        put_deliveries(f, m);
    }
    fprintf(f, ",\"code\":%zu", m->reply->code);
    put_member(f, "enhanced", m->reply->enhanced);
    put_member(f, "text", m->reply->text);
    fprintf(f, ",\"ms\":%lld}\n", (long long)m->ms);
    fflush(f);
}

void log_event(struct forwarder *fwd, const char *event, const char *detail)
{
    FILE *f = fwd->log;

    put_time(f);
    put_text(f, "event", event);
    put_text(f, "detail", detail);
    fputs("}\n", f);
    fflush(f);
}
