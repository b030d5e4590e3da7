/* The log: one line of JSON for each message and each event. */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "forwarder.h"
#include "log_line.h"

int log_open(struct forwarder *fwd, char *fault, size_t fault_size)
{
    return log_line_open(&fwd->log, fwd->setup->settings.log, fault,
                         fault_size);
}

static void put_reply(struct json *j, const struct onward_smtp_reply *reply)
{
    json_number(j, "code", reply->code);
    json_str(j, "enhanced", reply->enhanced);
    json_str(j, "text", reply->text);
}

/* ---- A message --------------------------------------------------------- */

static void put_dkim(struct json *j, const struct onward_verifier *v)
{
    json_open(j, "dkim", '[');
    for (size_t i = 0; i < onward_verifier_dkim_count(v); i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        if (onward_verifier_dkim(v, i, &s) != 0)
            continue;
        json_open(j, NULL, '{');
        json_text(j, "result", onward_dkim_result_name((int)s.result));
        json_str(j, "d", s.domain_ascii);
        json_str(j, "s", s.selector);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_verdicts(struct json *j, const struct onward_verifier *v)
{
    struct onward_arc_verdict arc = {.size = sizeof(arc)};
    const struct onward_spf_check *spf =
        onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM);

    if (spf != NULL)
        json_text(j, "spf",
                  onward_spf_result_name(onward_spf_check_result(spf)));
    put_dkim(j, v);
    if (onward_verifier_arc(v, &arc) == 0) {
        json_text(j, "arc", onward_arc_result_name((int)arc.result));
        json_number(j, "arc_instances", arc.instances);
    }
    json_text(j, "dmarc",
              onward_dmarc_result_name(onward_verifier_dmarc_result(v)));
    json_str(j, "author_domain", onward_verifier_author_domain(v));
}

static void put_recipients(struct json *j,
                           const struct onward_smtp_server *server)
{
    json_open(j, "to", '[');
    for (size_t i = 0; i < onward_smtp_server_rcpt_count(server); i++) {
        if (onward_smtp_server_rcpt_accepted(server, i))
            json_str(j, NULL, onward_smtp_server_rcpt_address(server, i));
    }
    json_close(j, ']');
}

/* Lines as an array of them. */
static void put_lines(struct json *j, const char *name, const char *lines)
{
    json_open(j, name, '[');
    for (const char *end; (end = strchr(lines, '\n')) != NULL; lines = end + 1)
        json_str(j, NULL, (struct onward_str){lines, (size_t)(end - lines)});
    json_close(j, ']');
}

/* Where it went, and how. */
static void put_way(struct json *j, const struct delivery_log *tried)
{
    json_text_or_null(j, "host", tried->host);
    json_text_or_null(j, "ip", tried->ip);
    json_text_or_null(j, "tls", tried->tls);
    json_text_or_null(j, "tls_reason", tried->demand);
    put_lines(j, "tls_results", tried->tls_results);
}

/* tried: NULL, or what became of it by our own word. */
static void put_delivery(struct json *j,
                         const struct onward_relay_delivery *facts,
                         const struct delivery_log *tried)
{
    json_open(j, NULL, '{');
    json_str(j, "to", facts->recipient);
    json_str(j, "from", facts->reverse_path);
    json_text(j, "fate", onward_relay_fate_name((int)facts->fate));
    if (tried != NULL) {
        put_way(j, tried);
        json_number(j, "code", tried->code);
        json_text(j, "enhanced", tried->enhanced);
        json_text(j, "text", tried->text);
        json_number(j, "attempts", tried->attempts);
        json_number(j, "ms", (uint64_t)tried->ms);
    }
    json_close(j, '}');
}

static void put_deliveries(struct json *j, const struct message_log *m)
{
    struct onward_relay_delivery facts = {.size = sizeof(facts)};

    json_open(j, "deliveries", '[');
    for (size_t i = 0; onward_relay_delivery_at(m->relay, i, &facts) == 0; i++)
        put_delivery(j, &facts,
                     i < m->delivery_count ? m->deliveries[i] : NULL);
    json_close(j, ']');
}

void log_message(struct forwarder *fwd, const struct message_log *m)
{
    const struct onward_tls_facts *tls = onward_smtp_server_tls(m->server);
    struct json j;

    log_line_begin(&j, fwd->log, "message");
    json_text(&j, "id", m->id);
    json_text(&j, "sessionId", m->session_id);
    json_text(&j, "client", m->client);
    json_str(&j, "helo", onward_smtp_server_helo(m->server));
    json_str_or_null(&j, "tls", tls == NULL ? onward_str_of("") : tls->version);
    json_str(&j, "from", onward_smtp_server_mail_address(m->server));
    put_recipients(&j, m->server);
    json_number(&j, "size", onward_smtp_server_message_size(m->server));
    if (m->verifier != NULL && onward_verifier_is_done(m->verifier))
        put_verdicts(&j, m->verifier);
    if (m->relay != NULL) {
        json_text(&j, "route",
                  onward_relay_reason_name(onward_relay_reason(m->relay)));
        put_deliveries(&j, m);
    }
    put_reply(&j, m->reply);
    log_summary(&j, fwd, m);
    json_number(&j, "ms", (uint64_t)m->ms);
    log_line_end(&j);
}

/* ---- The rest ---------------------------------------------------------- */

static void put_refused(struct json *j, const struct message_log *m)
{
    json_text(j, "id", m->id);
    json_text(j, "sessionId", m->session_id);
    json_text(j, "client", m->client);
    json_str(j, "helo", onward_smtp_server_helo(m->server));
    json_str(j, "from", onward_smtp_server_mail_address(m->server));
}

void log_refused(struct forwarder *fwd, const struct message_log *m,
                 struct onward_str to)
{
    struct json j;

    log_line_begin(&j, fwd->log, "recipient-refused");
    put_refused(&j, m);
    json_str(&j, "to", to);
    put_reply(&j, m->reply);
    log_summary_refused(&j, m);
    log_line_end(&j);
}

void log_queued(struct forwarder *fwd, const char *id,
                const struct spool_envelope *envelope, uint64_t size)
{
    struct json j;

    log_line_begin(&j, fwd->log, "queued");
    json_text(&j, "id", id);
    json_text(&j, "origin", spool_origin_name(envelope->origin));
    json_str_or_null(&j, "of", envelope->log_id);
    json_str(&j, "from", envelope->reverse_path);
    json_open(&j, "to", '[');
    for (size_t i = 0; i < envelope->rcpt_count; i++)
        json_str(&j, NULL, envelope->rcpts[i].address);
    json_close(&j, ']');
    json_number(&j, "size", size);
    log_line_end(&j);
}

void log_queue(struct forwarder *fwd, const char *event,
               const struct spool_message *m, size_t rcpt,
               const struct delivery_log *tried)
{
    const struct spool_state *s = &m->states[rcpt];
    struct json j;

    log_line_begin(&j, fwd->log, event);
    json_text(&j, "id", m->id);
    json_text(&j, "origin", spool_origin_name(m->envelope.origin));
    json_str(&j, "from", m->envelope.reverse_path);
    json_str(&j, "to", m->envelope.rcpts[rcpt].address);
    put_way(&j, tried);
    json_number(&j, "code", tried->code);
    json_text(&j, "enhanced", tried->enhanced);
    json_text(&j, "text", tried->text);
    json_number(&j, "attempts", s->attempts);
    if (strcmp(event, "queue-delivered") == 0)
        json_text(&j, "status", "Forwarded");
    if (strcmp(event, "queue-failed") == 0)
        json_text(&j, "status", "Delivery failed");
    if (s->fate == SPOOL_WAITING && s->next_s > 0)
        json_number(&j, "next", (uint64_t)s->next_s);
    json_number(&j, "ms", (uint64_t)tried->ms);
    log_line_end(&j);
}

void log_refused_sender(struct forwarder *fwd, const struct message_log *m)
{
    struct json j;

    log_line_begin(&j, fwd->log, "sender-refused");
    put_refused(&j, m);
    put_reply(&j, m->reply);
    log_summary_refused(&j, m);
    log_line_end(&j);
}

void log_event(struct forwarder *fwd, const char *event, const char *detail)
{
    log_line_event(fwd->log, event, detail);
}
