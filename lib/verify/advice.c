/*
 * What is not known, and what a host that can defer makes of it.
 */
#include "verify/verify_shared.h"

#include "core/text_shared.h"

bool onward_verify__is_unsure(const struct onward_verifier *v)
{
    struct onward_dkim_signature sig = {.size = sizeof(sig)};
    const struct onward_spf_check *spf =
        onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM);
    int result = spf == NULL ? ONWARD_SPF_NONE : onward_spf_check_result(spf);

    if (result == ONWARD_SPF_TEMPERROR || result == ONWARD_SPF_PENDING)
        return true;
    for (size_t i = 0; onward_verifier_dkim(v, i, &sig) == 0; i++) {
        if (sig.result == ONWARD_DKIM_TEMPERROR ||
            sig.result == ONWARD_DKIM_PENDING)
            return true;
    }
    return false;
}

bool onward_verify__is_arc_unsure(const struct onward_verifier *v)
{
    struct onward_arc_verdict chain = {.size = sizeof(chain)};

    return onward_verifier_arc(v, &chain) == 0 &&
           (chain.is_temporary != 0 || chain.result == ONWARD_ARC_PENDING);
}

/* Does something authenticate the very domain in From? Then no record of it
 * could make DMARC fail. */
static bool is_author_authenticated(const struct onward_verifier *v)
{
    struct onward_str author = onward_verifier_author_domain(v);
    struct onward_dkim_signature sig = {.size = sizeof(sig)};
    const struct onward_spf_check *spf =
        onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM);

    if (author.len == 0)
        return false;
    if (spf != NULL && onward_spf_check_result(spf) == ONWARD_SPF_PASS &&
        onward_core__str_ieq(onward_spf_check_domain(spf), author))
        return true;
    for (size_t i = 0; onward_verifier_dkim(v, i, &sig) == 0; i++) {
        if (sig.result == ONWARD_DKIM_PASS && !sig.is_test &&
            !sig.is_from_exposed &&
            onward_core__str_ieq(sig.domain_ascii, author))
            return true;
    }
    return false;
}

bool onward_verify__is_dmarc_unknown(const struct onward_verifier *v)
{
    const struct onward_dmarc_check *check = onward_verifier_dmarc(v);
    int policy = check == NULL ? ONWARD_DMARC_POLICY_UNKNOWN
                               : onward_dmarc_check_policy(check);

    if (onward_verifier_dmarc_result(v) != ONWARD_DMARC_TEMPERROR)
        return false;
    /* What the policy asks for is known, and it is not to reject: whether the
     * message passes does not matter. */
    if (policy == ONWARD_DMARC_POLICY_NONE ||
        policy == ONWARD_DMARC_POLICY_QUARANTINE)
        return false;
    return !is_author_authenticated(v);
}

int onward_verifier_advice(const struct onward_verifier *verifier)
{
    int disposition;

    if (!onward_verifier_is_done(verifier))
        return ONWARD_VERIFIER_ADVICE_TAKE;
    disposition = onward_verifier_dmarc_disposition(verifier);
    if (onward_verify__is_dmarc_unknown(verifier))
        return ONWARD_VERIFIER_ADVICE_DEFER;
    if (disposition != ONWARD_DMARC_POLICY_REJECT)
        return disposition == ONWARD_DMARC_POLICY_QUARANTINE
                   ? ONWARD_VERIFIER_ADVICE_QUARANTINE
                   : ONWARD_VERIFIER_ADVICE_TAKE;
    /* Without one author no answer would help. */
    if (onward_verifier_author_domain(verifier).len != 0 &&
        (onward_verify__is_unsure(verifier) ||
         onward_verify__is_arc_unsure(verifier)))
        return ONWARD_VERIFIER_ADVICE_DEFER;
    return ONWARD_VERIFIER_ADVICE_REJECT;
}
