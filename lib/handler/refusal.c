/* Refusals: their words, their texts, and how one is handed out. */
#include "handler/handler_shared.h"

#include "core/text_shared.h"

_Static_assert(offsetof(struct onward_refusal, what) +
                       sizeof(((struct onward_refusal *)0)->what) ==
                   sizeof(struct onward_refusal),
               "no tail padding");

static const struct refusal {
    enum onward_refusal_code code;
    const char *name, *text;
} refusals[] = {
    {ONWARD_REFUSAL_NONE, "", ""},
    {ONWARD_REFUSAL_INTERNAL, "E_INTERNAL_SERVER_ERROR",
     "local error, try again later"},
    {ONWARD_REFUSAL_OVER, "E_EVENT_OVER", "the event has been answered"},
    {ONWARD_REFUSAL_TOO_MANY, "E_TOO_MANY_ACTIONS",
     "too many actions of this kind for one message"},
    {ONWARD_REFUSAL_DESTINATION, "E_DESTINATION_INVALID",
     "destination address is invalid"},
    {ONWARD_REFUSAL_NOT_VERIFIED, "E_DESTINATION_NOT_VERIFIED",
     "destination address not verified"},
    {ONWARD_REFUSAL_DUPLICATE, "E_DUPLICATE",
     "message already forwarded to this destination"},
    {ONWARD_REFUSAL_LOOP, "E_LOOP", "cannot forward email to same worker"},
    {ONWARD_REFUSAL_NOT_FORWARDABLE, "E_NOT_FORWARDABLE",
     "message cannot be forwarded"},
    {ONWARD_REFUSAL_TRANSIENT, "E_TRANSIENT",
     "could not send email: transient error (4xx)"},
    {ONWARD_REFUSAL_PERMANENT, "E_PERMANENT",
     "could not send email: permanent error (5xx)"},
    {ONWARD_REFUSAL_NOT_NOW, "E_NOT_NOW",
     "destination address cannot be checked now"},
    {ONWARD_REFUSAL_OWN_ZONE, "E_DESTINATION_OWN_ZONE",
     "destination address is in a zone of ours: forward to where it leads"},
    {ONWARD_REFUSAL_FIELD_NAME, "E_HEADER_NAME_INVALID",
     "header name is invalid"},
    {ONWARD_REFUSAL_FIELD_NOT_ALLOWED, "E_HEADER_NOT_ALLOWED",
     "header is not allowed"},
    {ONWARD_REFUSAL_FIELD_USE_API, "E_HEADER_USE_API_FIELD",
     "header has a function of its own"},
    {ONWARD_REFUSAL_FIELD_VALUE, "E_HEADER_VALUE_INVALID",
     "header value is invalid"},
    {ONWARD_REFUSAL_FIELD_TOO_LONG, "E_HEADER_VALUE_TOO_LONG",
     "header is too long"},
    {ONWARD_REFUSAL_FIELD_TWICE, "E_HEADER_DUPLICATE",
     "header is there already"},
    {ONWARD_REFUSAL_FIELDS_TOO_LARGE, "E_HEADERS_TOO_LARGE",
     "headers are too large"},
    {ONWARD_REFUSAL_FIELDS_TOO_MANY, "E_HEADERS_TOO_MANY", "too many headers"},
    {ONWARD_REFUSAL_PARSE, "E_PARSE", "could not parse email"},
    {ONWARD_REFUSAL_FROM, "E_FROM_MISMATCH",
     "From: header does not match mail from"},
    {ONWARD_REFUSAL_NO_MESSAGE_ID, "E_NO_MESSAGE_ID", "invalid message-id"},
    {ONWARD_REFUSAL_TRACE_FIELD, "E_TRACE_HEADER", "invalid headers set"},
    {ONWARD_REFUSAL_REPLY_DMARC, "E_REPLY_DMARC",
     "original email did not pass DMARC"},
    {ONWARD_REFUSAL_REPLY_TWICE, "E_REPLY_TWICE",
     "original email has been replied to"},
    {ONWARD_REFUSAL_REPLY_NULL_SENDER, "E_REPLY_NULL_SENDER",
     "original email has no sender to reply to"},
    {ONWARD_REFUSAL_REPLY_AUTO_SUBMITTED, "E_REPLY_AUTO_SUBMITTED",
     "original email is not replyable: it is automatic"},
    {ONWARD_REFUSAL_REPLY_SUPPRESSED, "E_REPLY_SUPPRESSED",
     "original email is not replyable: it asks for no response"},
    {ONWARD_REFUSAL_REPLY_PRECEDENCE, "E_REPLY_PRECEDENCE",
     "original email is not replyable: it is bulk"},
    {ONWARD_REFUSAL_REPLY_LIST, "E_REPLY_LIST",
     "original email is not replyable: it comes from a list"},
    {ONWARD_REFUSAL_REPLY_ROBOT, "E_REPLY_ROBOT",
     "original email is not replyable: its sender is a program"},
    {ONWARD_REFUSAL_REPLY_CHAIN_SHAPE, "E_REPLY_CHAIN_SHAPE",
     "original email is not replyable: it has one of In-Reply-To and "
     "References only"},
    {ONWARD_REFUSAL_REPLY_CHAIN_LENGTH, "E_REPLY_CHAIN_LENGTH",
     "original email is not replyable: it has too many References"},
    {ONWARD_REFUSAL_REPLY_NO_ORIGINAL_ID, "E_REPLY_NO_ORIGINAL_ID",
     "original email has no Message-ID"},
    {ONWARD_REFUSAL_REPLY_NO_IN_REPLY_TO, "E_REPLY_NO_IN_REPLY_TO",
     "no In-Reply-To header found in reply message"},
    {ONWARD_REFUSAL_REPLY_IN_REPLY_TO, "E_REPLY_IN_REPLY_TO",
     "In-Reply-To does not match original Message-ID"},
    {ONWARD_REFUSAL_REPLY_REFERENCES, "E_REPLY_REFERENCES",
     "provided References header is invalid"},
    {ONWARD_REFUSAL_REPLY_RECIPIENT, "E_REPLY_RECIPIENT",
     "reply recipient is not the original sender"},
    {ONWARD_REFUSAL_REPLY_DOMAIN, "E_REPLY_DOMAIN",
     "reply sender is not in the domain that was written to"},
    {ONWARD_REFUSAL_TICKET_INVALID, "E_TICKET_INVALID", "ticket is invalid"},
    {ONWARD_REFUSAL_TICKET_EXPIRED, "E_TICKET_EXPIRED", "ticket has expired"},
    {ONWARD_REFUSAL_VALIDATION, "E_VALIDATION_ERROR", "message is invalid"},
    {ONWARD_REFUSAL_FIELD_MISSING, "E_FIELD_MISSING",
     "required field is missing"},
    {ONWARD_REFUSAL_TOO_MANY_RECIPIENTS, "E_TOO_MANY_RECIPIENTS",
     "too many recipients"},
    {ONWARD_REFUSAL_TOO_MANY_ATTACHMENTS, "E_TOO_MANY_ATTACHMENTS",
     "too many attachments"},
    {ONWARD_REFUSAL_SENDER_NOT_VERIFIED, "E_SENDER_NOT_VERIFIED",
     "email from this sender not allowed"},
    {ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, "E_RECIPIENT_NOT_ALLOWED",
     "email to this recipient not allowed"},
    {ONWARD_REFUSAL_RECIPIENT_SUPPRESSED, "E_RECIPIENT_SUPPRESSED",
     "recipient is on the suppression list"},
    {ONWARD_REFUSAL_SENDER_DOMAIN, "E_SENDER_DOMAIN_NOT_AVAILABLE",
     "sender domain is not a zone here"},
    {ONWARD_REFUSAL_TOO_LARGE, "E_CONTENT_TOO_LARGE", "message is too large"},
    {ONWARD_REFUSAL_DELIVERY_FAILED, "E_DELIVERY_FAILED",
     "message could not be taken for delivery"},
    {ONWARD_REFUSAL_RATE_LIMIT, "E_RATE_LIMIT_EXCEEDED", "rate limit exceeded"},
    {ONWARD_REFUSAL_DAILY_LIMIT, "E_DAILY_LIMIT_EXCEEDED",
     "daily limit exceeded"},
};

static const struct refusal *find(int code)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if ((int)refusals[i].code == code)
            return &refusals[i];
    }
    return NULL;
}

const char *onward_refusal_name(int code)
{
    const struct refusal *r = find(code);

    return r == NULL ? "E_UNKNOWN" : r->name;
}

const char *onward_refusal_text(int code)
{
    const struct refusal *r = find(code);

    return r == NULL ? "unknown" : r->text;
}

bool onward_handler__can_refuse(const struct onward_refusal *out)
{
    return out == NULL || out->size >= offsetof(struct onward_refusal, what);
}

/* No buffer: a refusal must come out without memory too. */
static void print(char *out, size_t cap, struct onward_str what)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;

    for (size_t i = 0; i < what.len && cap - at > 4; i++) {
        unsigned char c = (unsigned char)what.data[i];

        if (c >= ' ' && c < 0x7f && c != '\\') {
            out[at++] = (char)c;
            continue;
        }
        out[at++] = '\\';
        out[at++] = 'x';
        out[at++] = digits[c >> 4];
        out[at++] = digits[c & 15];
    }
    out[at] = '\0';
}

int onward_handler__refuse(struct onward_refusal *out,
                           enum onward_refusal_code code,
                           struct onward_str what)
{
    struct onward_refusal r = {.size = sizeof(r), .code = code};

    if (out == NULL)
        return 0;
    print(r.what, sizeof(r.what), what);
    (void)onward_core__out_store(out, &r, sizeof(r));
    if (out->size < sizeof(r)) /* cut: the text still ends */
        ((char *)out)[out->size - 1] = '\0';
    return 0;
}
