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

static const char *status(const struct message_log *m,
                          const struct onward_relay_summary *s)
{
    switch ((enum onward_relay_status)s->status) {
    case ONWARD_RELAY_STATUS_NONE: /* it did not get so far */
        if (m->is_reverse && m->reply->code == 250)
            return "Queued";
        return status_of_code(m->reply->code);
    case ONWARD_RELAY_STATUS_FORWARDED:
        if (m->setup->settings.relay == RELAY_SPOOL)
            return "Queued";
        break;
    case ONWARD_RELAY_STATUS_HANDLED:
    case ONWARD_RELAY_STATUS_DROPPED:
    case ONWARD_RELAY_STATUS_REJECTED:
    case ONWARD_RELAY_STATUS_DELIVERY_FAILED:
    case ONWARD_RELAY_STATUS_ERROR:
        break;
    }
    return onward_relay_status_name((int)s->status);
}

/* A webhook is asked as a handler is, and has a word of its own. */
static struct onward_str action(const struct message_log *m,
                                const struct onward_relay_summary *s)
{
    const struct onward_event *event =
        m->relay == NULL ? NULL : onward_relay_event_at(m->relay, 0);

    if (m->is_reverse)
        return ONWARD_STR("reverse-alias");
    return event != NULL && onward_event_is_webhook(event)
               ? ONWARD_STR("webhook")
               : s->action;
}

static void put_tags(struct json *j, const struct message_log *m, size_t count)
{
    json_open(j, "tags", '[');
    for (size_t i = 0; i < count; i++)
        json_str(j, NULL, onward_relay_tag(m->relay, i));
    json_close(j, ']');
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
    struct onward_relay_summary s = {.size = sizeof(s)};

    if (m->relay != NULL)
        (void)onward_relay_summarize(m->relay, &s);
    put_field(j, fwd, "messageId", field(m, "Message-ID"));
    if (m->setup->settings.log_subject)
        put_field(j, fwd, "subject", field(m, "Subject"));
    json_text(j, "status", status(m, &s));
    json_str_or_null(j, "action", action(m, &s));
    put_error(j, m->reply);
    put_tags(j, m, s.tag_count);
    /* What is sent from the null path answers some other message. */
    json_bool(j, "isNDR", onward_smtp_server_mail_address(m->server).len == 0);
}

void log_summary_refused(struct json *j, const struct message_log *m)
{
    json_text(j, "status", status_of_code(m->reply->code));
    put_error(j, m->reply);
    json_bool(j, "isNDR", onward_smtp_server_mail_address(m->server).len == 0);
}
