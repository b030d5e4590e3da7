/*
 * What became of a message, in the words and fields that the service we follow
 * has for its log.
 */
#include "relay/relay_priv.h"

_Static_assert(offsetof(struct onward_relay_summary, reserved) +
                       sizeof(size_t) ==
                   sizeof(struct onward_relay_summary),
               "no tail padding");

/* ---- Status ------------------------------------------------------------ */

static enum onward_relay_status status_of(const struct onward_relay *r)
{
    if (r->stage != ONWARD_RELAY__END)
        return ONWARD_RELAY_STATUS_NONE;
    switch (r->reason) {
    case ONWARD_RELAY_REASON_DELIVERED:
        return ONWARD_RELAY_STATUS_FORWARDED;
    case ONWARD_RELAY_REASON_HANDLED:
    case ONWARD_RELAY_REASON_QUARANTINED:
        return ONWARD_RELAY_STATUS_HANDLED;
    case ONWARD_RELAY_REASON_DROP:
        return ONWARD_RELAY_STATUS_DROPPED;
    case ONWARD_RELAY_REASON_NEXT_HOP:
        return ONWARD_RELAY_STATUS_DELIVERY_FAILED;
    case ONWARD_RELAY_REASON_NONE:
    case ONWARD_RELAY_REASON_MALFORMED:
    case ONWARD_RELAY_REASON_DMARC:
    case ONWARD_RELAY_REASON_DMARC_UNKNOWN:
    case ONWARD_RELAY_REASON_UNAUTHENTICATED:
    case ONWARD_RELAY_REASON_AUTH_UNKNOWN:
    case ONWARD_RELAY_REASON_HOPS:
    case ONWARD_RELAY_REASON_LOOP:
    case ONWARD_RELAY_REASON_SENDER:
    case ONWARD_RELAY_REASON_ALIGNMENT:
    case ONWARD_RELAY_REASON_ALIGNMENT_UNKNOWN:
    case ONWARD_RELAY_REASON_LEDGER:
    case ONWARD_RELAY_REASON_SEAL:
    case ONWARD_RELAY_REASON_CHAIN:
    case ONWARD_RELAY_REASON_MEMORY:
    case ONWARD_RELAY_REASON_STORE:
    case ONWARD_RELAY_REASON_RULES:
    case ONWARD_RELAY_REASON_REJECT:
    case ONWARD_RELAY_REASON_HANDLER:
    case ONWARD_RELAY_REASON_SUBMIT:
        break;
    }
    return r->reply.code >= 500 ? ONWARD_RELAY_STATUS_REJECTED
                                : ONWARD_RELAY_STATUS_ERROR;
}

const char *onward_relay_status_name(int status)
{
    switch ((enum onward_relay_status)status) {
    case ONWARD_RELAY_STATUS_NONE:
        return "";
    case ONWARD_RELAY_STATUS_FORWARDED:
        return "Forwarded";
    case ONWARD_RELAY_STATUS_HANDLED:
        return "Handled";
    case ONWARD_RELAY_STATUS_DROPPED:
        return "Dropped";
    case ONWARD_RELAY_STATUS_REJECTED:
        return "Rejected";
    case ONWARD_RELAY_STATUS_DELIVERY_FAILED:
        return "Delivery failed";
    case ONWARD_RELAY_STATUS_ERROR:
        return "Error";
    }
    return "unknown";
}

const char *onward_relay_fate_event(int fate)
{
    switch ((enum onward_relay_fate)fate) {
    case ONWARD_RELAY_FATE_PENDING:
        return "message.pending";
    case ONWARD_RELAY_FATE_DELIVERED:
    case ONWARD_RELAY_FATE_BEFORE:
        return "message.delivered";
    case ONWARD_RELAY_FATE_TEMPORARY:
        return "message.deferred";
    case ONWARD_RELAY_FATE_PERMANENT:
        return "message.bounced";
    case ONWARD_RELAY_FATE_SPARE:
        return "message.spared";
    }
    return "unknown";
}

/* ---- The rest ---------------------------------------------------------- */

static struct onward_str action_of(const struct onward_relay *r)
{
    const struct onward_str none = {0};

    if (r->way == ONWARD_RELAY__NOWHERE)
        return none;
    if (r->way == ONWARD_RELAY__BOUNCE)
        return ONWARD_STR("bounce");
    if (r->event_count != 0)
        return ONWARD_STR("handler");
    if (r->destination_count != 0)
        return ONWARD_STR("forward");
    if (r->submission_count != 0)
        return ONWARD_STR("quarantine");
    if (r->rule_reject != NULL)
        return ONWARD_STR("reject");
    return r->rcpts->decision.kind == ONWARD_RULESET_DROP ? ONWARD_STR("drop")
                                                          : none;
}

static struct onward_str first_value(const struct onward_header *h,
                                     struct onward_str name)
{
    const struct onward_str none = {0};
    size_t i = onward_header_first(h, name);

    return i == ONWARD_HEADER_NONE
               ? none
               : onward_core__str_trim_crlf(onward_mime__value(h, i));
}

static struct onward_str word(const struct onward_relay *r, const char *name)
{
    return onward_str_of(onward_relay__verdict_word(r, onward_str_of(name)));
}

static void read_message(const struct onward_relay *r,
                         struct onward_relay_summary *s)
{
    const struct onward_header *h = onward_verifier_header(r->verifier);

    s->message_id = onward_handler__one_id(h, ONWARD_STR("Message-ID"));
    s->subject = first_value(h, ONWARD_STR("Subject"));
    s->spf = word(r, "spf");
    s->dkim = word(r, "dkim");
    s->dmarc = word(r, "dmarc");
    s->arc = word(r, "arc");
}

static const struct onward_ruleset_action *
find_tag(const struct onward_relay *r, size_t i, size_t *count)
{
    const struct onward_ruleset_action *a =
        r->rcpts == NULL || r->way != ONWARD_RELAY__RULES
            ? NULL
            : r->rcpts->decision.actions;

    for (*count = 0; a != NULL; a = a->next) {
        if (a->kind == ONWARD_RULESET_TAG && (*count)++ == i)
            return a;
    }
    return NULL;
}

int onward_relay_summarize(const struct onward_relay *relay,
                           struct onward_relay_summary *out)
{
    struct onward_relay_summary s = {.size = sizeof(s)};

    s.status = status_of(relay);
    s.action = action_of(relay);
    s.from = relay->reverse_path;
    if (relay->verifier != NULL)
        read_message(relay, &s);
    if (relay->reply.code >= 400)
        s.error = relay->reply.text;
    s.is_ndr = relay->reverse_path.len == 0;
    (void)find_tag(relay, SIZE_MAX, &s.tag_count);
    return onward_core__out_store(out, &s, sizeof(s));
}

struct onward_str onward_relay_tag(const struct onward_relay *relay, size_t i)
{
    const struct onward_str none = {0};
    size_t count;
    const struct onward_ruleset_action *a = find_tag(relay, i, &count);

    return a == NULL ? none : a->name;
}
