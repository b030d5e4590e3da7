/*
 * What is cut from the message and what goes on top of it, but for the ARC set.
 * Received is there already.
 */
#include "relay/relay_priv.h"

#include "authres/authres_shared.h"

/*
 * Results that claim to be ours are not (RFC 8601 section 5): each of them
 * goes, wherever it stands.
 */
static int cut_claims(struct onward_relay *r)
{
    const struct onward_header *h = onward_verifier_header(r->verifier);
    size_t i = onward_header_first(h, ONWARD_STR("Authentication-Results"));

    for (; i != ONWARD_HEADER_NONE; i = h->items[i].below) {
        int ret = onward_authres__claims_authserv_id(
            &r->scratch, onward_mime__value(h, i), r->opts.authserv_id);

        onward_core__arena_reset(&r->scratch);
        if (ret < 0)
            return ret;
        if (ret == 1)
            (void)onward_edit_cut(r->edit, i);
    }
    return 0;
}

static bool names(struct onward_str value, struct onward_str id)
{
    for (size_t at = 0; at < value.len; at++) {
        if (onward_core__str_istarts(onward_core__sub(value, at, value.len),
                                     id))
            return true;
    }
    return false;
}

/* The same for the older form (RFC 7208 section 9.1), which we never write:
 * what has our name in it is not ours. */
static void cut_received_spf(struct onward_relay *r)
{
    const struct onward_header *h = onward_verifier_header(r->verifier);
    size_t i = onward_header_first(h, ONWARD_STR("Received-SPF"));

    for (; i != ONWARD_HEADER_NONE; i = h->items[i].below) {
        struct onward_str value = onward_mime__value(h, i);

        if (names(value, r->opts.hostname) || names(value, r->opts.authserv_id))
            (void)onward_edit_cut(r->edit, i);
    }
}

static int add(struct onward_relay *r, const char *name,
               struct onward_str value)
{
    return onward_edit_add(r->edit, onward_str_of(name), value);
}

/* The mark by which we know the message when it comes again. */
static int add_marks(struct onward_relay *r)
{
    const struct onward_relay__rcpt *rcpt = r->rcpts;
    int err = 0;

    for (int n = 0; rcpt != NULL && n < ONWARD_RELAY__MARKS_MAX && err == 0;
         rcpt = rcpt->next, n++)
        err = add(r, "Delivered-To", rcpt->text);
    return err;
}

int onward_relay__write_fields(struct onward_relay *r)
{
    int err = cut_claims(r);

    if (err == 0)
        cut_received_spf(r);
    if (err == 0)
        err = add_marks(r);
    if (err == 0 && r->opts.feedback_id.len != 0)
        err = add(r, "Feedback-ID", r->opts.feedback_id);
    if (err == 0)
        err = add(r, "Authentication-Results",
                  onward_verifier_authres(r->verifier));
    return err;
}

struct onward_edit *onward_relay_edit(struct onward_relay *relay)
{
    return relay->stage == ONWARD_RELAY__CHECK &&
                   !onward_relay__is_dead(relay)
               ? relay->edit
               : NULL;
}
