/*
 * What a host that keeps messages may tell the sender later, and what it passes
 * on of what the sender said about notices (RFC 3461 section 5.2.7).
 */
#include "relay/relay_priv.h"

#include "core/domain_shared.h"

/* ---- Whom to tell ------------------------------------------------------ */

/* A sender of ours that comes back is turned back: else the notice would run
 * through us again. One that is forged, or too old, stays nobody. */
static int turn_back(struct onward_relay *r, struct onward_str domain)
{
    char out[ONWARD_SRS_TEXT_MAX];
    int verdict = ONWARD_SRS_NONE;
    int len = 0;

    if (r->opts.srs != NULL && onward_core__str_ieq(domain, r->opts.srs_domain))
        len = onward_srs_reverse(r->opts.srs, r->reverse_path, out, sizeof(out),
                                 &verdict);
    if (len < 0)
        return 0;
    if (verdict == ONWARD_SRS_NONE)
        r->notice_path = r->reverse_path;
    else if (verdict == ONWARD_SRS_OK)
        return onward_core__arena_dup(
            &r->arena, onward_core__str(out, (size_t)len), &r->notice_path);
    return 0;
}

/*
 * Has the domain of the sender said that this mail is its own? By SPF for MAIL
 * FROM, or a signature of that domain or of one above it. One of a domain below
 * is not enough: who has a name there need not speak for all of it.
 */
static bool is_proven(const struct onward_verifier *v, struct onward_str domain)
{
    struct onward_dkim_signature sig = {.size = sizeof(sig)};
    const struct onward_spf_check *spf =
        onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM);

    if (spf != NULL && onward_spf_check_result(spf) == ONWARD_SPF_PASS)
        return true;
    for (size_t i = 0; onward_verifier_dkim(v, i, &sig) == 0; i++) {
        if (sig.result == ONWARD_DKIM_PASS && !sig.is_test &&
            onward_core__domain_is_within(domain, sig.domain_ascii))
            return true;
    }
    return false;
}

int onward_relay__set_notice_path(struct onward_relay *r)
{
    struct onward_address__mailbox mailbox;
    int err;

    if (r->reverse_path.len == 0)
        return 0;
    err = onward_address__parse_mailbox(&r->scratch, r->reverse_path,
                                        ONWARD_ADDRESS_ALLOW_UTF8, &mailbox,
                                        NULL);
    if (err == 0 && is_proven(r->verifier, mailbox.domain_ascii))
        err = turn_back(r, mailbox.domain_ascii);
    onward_core__arena_reset(&r->scratch);
    return err == ONWARD_ENOMEM ? err : 0;
}

/* ---- What to pass on --------------------------------------------------- */

/* 0 is failures and delays, when the next hop thinks so. */
static size_t as_asked(size_t notify)
{
    return notify == 0 ? ONWARD_SMTP_NOTIFY_FAILURE | ONWARD_SMTP_NOTIFY_DELAY
                       : notify & ~(size_t)ONWARD_SMTP_NOTIFY_NEVER;
}

/*
 * One recipient that goes to one destination: all as it came. Else the copy is
 * one of several, or for several: success is the host's to tell ("expanded"),
 * the rest is what any of them asked for.
 */
static void pass_on(const struct onward_relay *r,
                    struct onward_relay_delivery *d)
{
    size_t asked = 0;
    bool is_stated = false;

    if (r->rcpt_count == 1 && r->destination_count == 1) {
        d->notify = r->rcpts->notify;
        d->orcpt = r->rcpts->orcpt;
        return;
    }
    for (const struct onward_relay__rcpt *rcpt = r->rcpts; rcpt != NULL;
         rcpt = rcpt->next) {
        asked |= as_asked(rcpt->notify);
        is_stated = is_stated || rcpt->notify != 0;
    }
    asked &= ~(size_t)ONWARD_SMTP_NOTIFY_SUCCESS;
    if (is_stated)
        d->notify = asked == 0 ? (size_t)ONWARD_SMTP_NOTIFY_NEVER : asked;
    if (r->rcpt_count == 1)
        d->orcpt = r->rcpts->orcpt;
}

void onward_relay__tell_notices(const struct onward_relay *r,
                                struct onward_relay_delivery *d)
{
    d->notice_path = r->notice_path;
    d->ret = r->ret;
    d->envid = r->envid;
    pass_on(r, d);
}

int onward_relay_rcpt_at(const struct onward_relay *relay, size_t index,
                         struct onward_relay_rcpt *out)
{
    const struct onward_relay__rcpt *rcpt = relay->rcpts;
    struct onward_relay_rcpt told = {.size = sizeof(told)};

    for (; rcpt != NULL && index > 0; index--)
        rcpt = rcpt->next;
    if (rcpt == NULL)
        return ONWARD_ENOENT;
    told.address = rcpt->text;
    told.notify = rcpt->notify;
    told.orcpt = rcpt->orcpt;
    return onward_core__out_store(out, &told, sizeof(told));
}
