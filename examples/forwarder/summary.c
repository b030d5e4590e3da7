/*
 * What became of a message in the words of the service that the forwarder
 * follows, beside what the log says in its own: status, action, errorDetail,
 * isNDR, and what of the header people look for.
 */
#include <string.h>

#include "forwarder.h"
#include "json.h"

/* ---- Of the header ----------------------------------------------------- */

static struct onward_str field(const struct message_log *m, const char *name)
{
    const struct onward_header *header =
        m->verifier == NULL ? NULL : onward_verifier_header(m->verifier);
    size_t i = header == NULL
                   ? ONWARD_HEADER_NONE
                   : onward_header_first(header, onward_str_of(name));

    return i == ONWARD_HEADER_NONE ? onward_str_of("")
                                   : onward_header_value(header, i);
}

/* Decoded and on one line; null when there is none. */
static void put_field(struct json *j, const struct forwarder *fwd,
                      const char *key, struct onward_str value)
{
    struct onward_text *text = NULL;
    struct onward_str shown = {0};

    if (onward_words_decode(fwd->ctx, value, ONWARD_WORDS_UNSTRUCTURED, NULL,
                            &text) == 0)
        shown = onward_text_str(text);
    while (shown.len > 0 && strchr(" \t\r\n", shown.data[0]) != NULL) {
        shown.data++;
        shown.len--;
    }
    while (shown.len > 0 &&
           strchr(" \t\r\n", shown.data[shown.len - 1]) != NULL)
        shown.len--;
    json_str_or_null(j, key, shown);
    onward_text_free(text);
}

/* ---- Of the outcome ---------------------------------------------------- */

/* 4yz is our failure, or somebody else's that may pass; 5yz a decision. */
static const char *status_of_code(size_t code)
{
    return code >= 500 ? "Rejected" : "Error";
}

static const char *status(const struct message_log *m)
{
    switch (m->relay == NULL ? ONWARD_RELAY_REASON_NONE
                             : onward_relay_reason(m->relay)) {
    case ONWARD_RELAY_REASON_DELIVERED:
        return m->setup->settings.relay == RELAY_SPOOL ? "Queued" : "Forwarded";
    case ONWARD_RELAY_REASON_DROP:
        return "Dropped";
    case ONWARD_RELAY_REASON_HANDLED:
    case ONWARD_RELAY_REASON_QUARANTINED:
        return "Handled";
    case ONWARD_RELAY_REASON_NEXT_HOP:
        return "Delivery failed";
    default:
        return status_of_code(m->reply->code);
    }
}

static const char *action(const struct message_log *m)
{
    struct onward_event *event;

    if (m->relay == NULL)
        return "";
    event = onward_relay_event_at(m->relay, 0);
    if (event != NULL)
        return onward_event_is_webhook(event) ? "webhook" : "handler";
    if (onward_relay_reason(m->relay) == ONWARD_RELAY_REASON_DROP)
        return "drop";
    if (onward_relay_reason(m->relay) == ONWARD_RELAY_REASON_QUARANTINED)
        return "quarantine";
    return onward_relay_delivery_count(m->relay) > 0 ? "forward" : "";
}

/* Who is told no has heard why; who has gone has not. */
static void put_error(struct json *j, const struct onward_smtp_reply *reply)
{
    char text[700];

    if (reply->code >= 200 && reply->code < 300) {
        json_null(j, "errorDetail");
        return;
    }
    if (reply->code == 0)
        snprintf(text, sizeof(text), "the client has gone");
    else
        snprintf(text, sizeof(text), "%zu %.*s%s%.*s", reply->code,
                 (int)reply->enhanced.len, reply->enhanced.data,
                 reply->enhanced.len > 0 ? " " : "", (int)reply->text.len,
                 reply->text.data);
    json_text(j, "errorDetail", text);
}

void log_summary(struct json *j, const struct forwarder *fwd,
                 const struct message_log *m)
{
    put_field(j, fwd, "messageId", field(m, "Message-ID"));
    if (m->setup->settings.log_subject)
        put_field(j, fwd, "subject", field(m, "Subject"));
    json_text(j, "status", status(m));
    json_text_or_null(j, "action", action(m));
    put_error(j, m->reply);
    /* What is sent from the null path answers some other message. */
    json_bool(j, "isNDR", onward_smtp_server_mail_address(m->server).len == 0);
}

void log_summary_refused(struct json *j, const struct message_log *m)
{
    json_text(j, "status", status_of_code(m->reply->code));
    put_error(j, m->reply);
    json_bool(j, "isNDR", onward_smtp_server_mail_address(m->server).len == 0);
}
