/*
 * Whether signatures that the host has asked for would speak for the author: a
 * message that does not pass DMARC must not pass it as a copy of ours because
 * the forwarder has a key of the domain in From. Whoever may receive such a
 * copy could send it on to anybody, with a signature of the name that it
 * borrowed.
 */
#include "relay/relay_priv.h"

#include "core/domain_shared.h"

static bool is_same_end(struct onward_str a, struct onward_str b, size_t labels)
{
    return onward_core__str_ieq(onward_core__domain_last_labels(a, labels),
                                onward_core__domain_last_labels(b, labels));
}

/* Do any of them end as the author's domain does, in that many labels? */
static bool is_any_near(const struct onward_relay *r, size_t labels)
{
    struct onward_str author = onward_verifier_author_domain(r->verifier);

    for (size_t i = 0; i < r->dkim_count; i++) {
        if (is_same_end(r->dkim_domains[i], author, labels))
            return true;
    }
    return false;
}

static void checked(void *user, struct onward_dmarc_check *check)
{
    struct onward_relay *r = user;

    (void)check;
    onward_core__task_ready(&r->task);
}

static int begin(struct onward_relay *r)
{
    const struct onward_dmarc_opts opts = {
        .size = sizeof(opts),
        .author_domain = onward_verifier_author_domain(r->verifier)};
    const struct onward_dmarc_host host = {
        .size = sizeof(host), .user = r, .done = checked};
    int err = onward_dmarc_check_new(r->opts.resolver, &opts, &host, &r->vouch);

    for (size_t i = 0; i < r->dkim_count && err == 0; i++)
        err = onward_dmarc_check_add_dkim(r->vouch, r->dkim_domains[i]);
    return err == 0 ? onward_dmarc_check_finish(r->vouch, 0) : err;
}

/* Without a record nothing says where the author's organization ends: then two
 * labels have to do. What cannot be told counts as said. */
static bool speaks_for_author(const struct onward_relay *r)
{
    switch ((enum onward_dmarc_result)onward_dmarc_check_result(r->vouch)) {
    case ONWARD_DMARC_FAIL:
        return false;
    case ONWARD_DMARC_NONE:
        return is_any_near(r, 2);
    case ONWARD_DMARC_PENDING:
    case ONWARD_DMARC_PASS:
    case ONWARD_DMARC_TEMPERROR:
    case ONWARD_DMARC_PERMERROR:
        break;
    }
    return true;
}

static void leave_off(struct onward_relay *r)
{
    onward_core__log(r->ctx, ONWARD_LOG_INFO, "relay", "unsigned", r->log_id,
                     onward_verifier_author_domain(r->verifier));
    if (onward_relay__is_dead(r))
        return;
    onward_dkim_signer_free(r->dkim);
    r->dkim = NULL;
}

bool onward_relay__vouch(struct onward_relay *r)
{
    if (r->dkim == NULL ||
        onward_verifier_dmarc_result(r->verifier) == ONWARD_DMARC_PASS)
        return true;
    if (onward_verifier_author_domain(r->verifier).len == 0) {
        leave_off(r);
        return true;
    }
    if (r->vouch == NULL) {
        if (!is_any_near(r, 1))
            return true;
        if (begin(r) == 0)
            return false;
        onward_relay__fail(r, ONWARD_RELAY_REASON_MEMORY);
        return false;
    }
    if (onward_dmarc_check_result(r->vouch) == ONWARD_DMARC_PENDING)
        return false;
    if (speaks_for_author(r))
        leave_off(r);
    return true;
}
