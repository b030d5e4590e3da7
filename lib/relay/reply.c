/*
 * The one reply for all destinations, and the names for logs.
 */
#include "relay/relay_priv.h"

static const struct onward_relay__destination *
find(const struct onward_relay *r, enum onward_relay_fate fate)
{
    for (size_t i = 0; i < r->destination_count; i++) {
        if (r->destinations[i]->fate == fate &&
            !r->destinations[i]->is_forgiven)
            return r->destinations[i];
    }
    return NULL;
}

/*
 * The next hop's code in our answer to the message. Codes that mean something
 * else there (421 would end the session, 551 names another address) become the
 * general one of their class.
 */
static size_t final_code(size_t code)
{
    switch (code) {
    case 450:
    case 451:
    case 452:
    case 550:
    case 552:
    case 553:
    case 554:
        return code;
    default:
        return code < 300 ? 250 : code < 500 ? 451 : 554;
    }
}

static void pass_on(struct onward_relay *r, enum onward_relay_reason reason,
                    const struct onward_relay__destination *d)
{
    onward_relay__end(r, reason, final_code(d->reply_code), d->reply_enhanced,
                      d->reply_text);
}

static void say_all_have_it(struct onward_relay *r)
{
    const struct onward_relay__destination *d =
        find(r, ONWARD_RELAY_FATE_DELIVERED);
    struct onward_str text = ONWARD_STR("Delivered");

    if (d != NULL && r->destination_count == 1) {
        pass_on(r, ONWARD_RELAY_REASON_DELIVERED, d);
        return;
    }
    if (d == NULL)
        text = ONWARD_STR("Delivered before");
    else
        text = ONWARD_STR("Delivered to all destinations");
    onward_relay__end(r, ONWARD_RELAY_REASON_DELIVERED, 250,
                      ONWARD_STR("2.0.0"), text);
}

static const struct onward_event *find_broken(const struct onward_relay *r)
{
    for (size_t i = 0; i < r->event_count; i++) {
        if (r->events[i]->state != ONWARD_EVENT_ANSWERED)
            return r->events[i];
    }
    return NULL;
}

static const struct onward_event *find_rejected(const struct onward_relay *r,
                                                bool is_temporary)
{
    for (size_t i = 0; i < r->event_count; i++) {
        if (r->events[i]->is_rejected &&
            (r->events[i]->reject_code < 500) == is_temporary)
            return r->events[i];
    }
    return NULL;
}

static bool has_lost_a_letter(const struct onward_relay *r)
{
    for (size_t i = 0; i < r->submission_count; i++) {
        if (r->submissions[i]->state == ONWARD_RELAY__NOT_SUBMITTED &&
            !r->submissions[i]->is_forgiven)
            return true;
    }
    return false;
}

static void say_handler(struct onward_relay *r, const struct onward_event *e)
{
    if (e->state == ONWARD_EVENT_ABSENT)
        onward_relay__end(r, ONWARD_RELAY_REASON_HANDLER, 451,
                          ONWARD_STR("4.3.5"),
                          ONWARD_STR("The handler of this address is not "
                                     "here"));
    else
        onward_relay__end(r, ONWARD_RELAY_REASON_HANDLER, 451,
                          ONWARD_STR("4.3.0"),
                          ONWARD_STR("The handler of this address has failed, "
                                     "try again later"));
}

static void say_rejected(struct onward_relay *r, const struct onward_event *e)
{
    onward_relay__end(r, ONWARD_RELAY_REASON_REJECT, e->reject_code,
                      e->reject_enhanced, e->reject_text);
}

static void say_good(struct onward_relay *r)
{
    enum onward_relay_reason reason = ONWARD_RELAY_REASON_HANDLED;

    if (r->destination_count != 0) {
        say_all_have_it(r);
        return;
    }
    if (r->event_count == 0)
        reason = ONWARD_RELAY_REASON_QUARANTINED;
    onward_relay__end(r, reason, 250, ONWARD_STR("2.0.0"), ONWARD_STR("OK"));
}

/* A failure beats success: the sender has to hear of it, and the ledger keeps
 * its retry from doubling the rest. A temporary one beats a permanent one,
 * because 5yz would end the retries. */
void onward_relay__conclude(struct onward_relay *r)
{
    const struct onward_relay__destination *temporary =
        find(r, ONWARD_RELAY_FATE_TEMPORARY);
    const struct onward_relay__destination *permanent =
        find(r, ONWARD_RELAY_FATE_PERMANENT);
    const struct onward_event *broken = find_broken(r);

    if (broken != NULL)
        say_handler(r, broken);
    else if (temporary != NULL)
        pass_on(r, ONWARD_RELAY_REASON_NEXT_HOP, temporary);
    else if (has_lost_a_letter(r))
        onward_relay__fail(r, ONWARD_RELAY_REASON_SUBMIT);
    else if (find_rejected(r, true) != NULL)
        say_rejected(r, find_rejected(r, true));
    else if (find_rejected(r, false) != NULL)
        say_rejected(r, find_rejected(r, false));
    else if (permanent != NULL)
        pass_on(r, ONWARD_RELAY_REASON_NEXT_HOP, permanent);
    else
        say_good(r);
}

/* ---- Names ------------------------------------------------------------- */

const char *onward_relay_reason_name(int reason)
{
    switch ((enum onward_relay_reason)reason) {
    case ONWARD_RELAY_REASON_NONE:
        return "none";
    case ONWARD_RELAY_REASON_DELIVERED:
        return "delivered";
    case ONWARD_RELAY_REASON_NEXT_HOP:
        return "next-hop";
    case ONWARD_RELAY_REASON_DROP:
        return "drop";
    case ONWARD_RELAY_REASON_MALFORMED:
        return "malformed";
    case ONWARD_RELAY_REASON_DMARC:
        return "dmarc";
    case ONWARD_RELAY_REASON_DMARC_UNKNOWN:
        return "dmarc-unknown";
    case ONWARD_RELAY_REASON_UNAUTHENTICATED:
        return "unauthenticated";
    case ONWARD_RELAY_REASON_AUTH_UNKNOWN:
        return "auth-unknown";
    case ONWARD_RELAY_REASON_HOPS:
        return "hops";
    case ONWARD_RELAY_REASON_LOOP:
        return "loop";
    case ONWARD_RELAY_REASON_SENDER:
        return "sender";
    case ONWARD_RELAY_REASON_ALIGNMENT:
        return "alignment";
    case ONWARD_RELAY_REASON_ALIGNMENT_UNKNOWN:
        return "alignment-unknown";
    case ONWARD_RELAY_REASON_LEDGER:
        return "ledger";
    case ONWARD_RELAY_REASON_SEAL:
        return "seal";
    case ONWARD_RELAY_REASON_CHAIN:
        return "chain";
    case ONWARD_RELAY_REASON_MEMORY:
        return "memory";
    case ONWARD_RELAY_REASON_STORE:
        return "store";
    case ONWARD_RELAY_REASON_RULES:
        return "rules";
    case ONWARD_RELAY_REASON_REJECT:
        return "reject";
    case ONWARD_RELAY_REASON_HANDLED:
        return "handled";
    case ONWARD_RELAY_REASON_HANDLER:
        return "handler";
    case ONWARD_RELAY_REASON_SUBMIT:
        return "submit";
    case ONWARD_RELAY_REASON_QUARANTINED:
        return "quarantined";
    }
    return "unknown";
}

const char *onward_relay_fate_name(int fate)
{
    switch ((enum onward_relay_fate)fate) {
    case ONWARD_RELAY_FATE_PENDING:
        return "pending";
    case ONWARD_RELAY_FATE_DELIVERED:
        return "delivered";
    case ONWARD_RELAY_FATE_BEFORE:
        return "before";
    case ONWARD_RELAY_FATE_TEMPORARY:
        return "temporary";
    case ONWARD_RELAY_FATE_PERMANENT:
        return "permanent";
    case ONWARD_RELAY_FATE_SPARE:
        return "spare";
    }
    return "unknown";
}
