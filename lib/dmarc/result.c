/* How a check ended, in numbers and in words. */
#include "dmarc/dmarc_priv.h"

int onward_dmarc_check_result(const struct onward_dmarc_check *check)
{
    return check->is_done ? (int)check->result : ONWARD_DMARC_PENDING;
}

int onward_dmarc_check_reason(const struct onward_dmarc_check *check)
{
    return (int)check->reason;
}

int onward_dmarc_check_policy(const struct onward_dmarc_check *check)
{
    return (int)check->policy;
}

/* RFC 9989 section 7.4: a receiver MUST NOT reject on p=reject alone. */
static bool may_reject(const struct onward_dmarc_check *check)
{
    switch (check->reject_policy) {
    case ONWARD_DMARC_REJECT_SERVICE:
        return true;
    case ONWARD_DMARC_REJECT_NEVER:
        return false;
    default: /* ONWARD_DMARC_REJECT_RFC9989 */
        return check->is_suspect;
    }
}

int onward_dmarc_check_disposition(const struct onward_dmarc_check *check)
{
    if (check->result != ONWARD_DMARC_FAIL ||
        check->reason == ONWARD_DMARC_REASON_TRUSTED_FORWARDER)
        return ONWARD_DMARC_POLICY_NONE;
    if (check->policy == ONWARD_DMARC_POLICY_REJECT && !may_reject(check))
        return ONWARD_DMARC_POLICY_QUARANTINE;
    return (int)check->policy;
}

int onward_dmarc_check_override(const struct onward_dmarc_check *check)
{
    if (check->result != ONWARD_DMARC_FAIL)
        return ONWARD_DMARC_OVERRIDE_NONE;
    if (check->reason == ONWARD_DMARC_REASON_TRUSTED_FORWARDER)
        return check->published > ONWARD_DMARC_POLICY_NONE
                   ? ONWARD_DMARC_OVERRIDE_TRUSTED_FORWARDER
                   : ONWARD_DMARC_OVERRIDE_NONE;
    if (onward_dmarc_check_disposition(check) != (int)check->policy)
        return ONWARD_DMARC_OVERRIDE_LOCAL_POLICY;
    if (check->published == check->policy)
        return ONWARD_DMARC_OVERRIDE_NONE;
    return check->is_sampled_out ? ONWARD_DMARC_OVERRIDE_SAMPLED_OUT
                                 : ONWARD_DMARC_OVERRIDE_POLICY_TEST_MODE;
}

struct onward_str
onward_dmarc_check_author_domain(const struct onward_dmarc_check *check)
{
    return check->author.domain;
}

struct onward_str
onward_dmarc_check_policy_domain(const struct onward_dmarc_check *check)
{
    return check->policy_domain;
}

struct onward_str
onward_dmarc_check_org_domain(const struct onward_dmarc_check *check)
{
    return check->org_domain;
}

struct onward_str
onward_dmarc_check_record(const struct onward_dmarc_check *check)
{
    return check->record;
}

int onward_dmarc_check_is_spf_aligned(const struct onward_dmarc_check *check)
{
    return check->is_spf_aligned;
}

int onward_dmarc_check_is_dkim_aligned(const struct onward_dmarc_check *check)
{
    return check->is_dkim_aligned;
}

const char *onward_dmarc_result_name(int result)
{
    static const char *const texts[] = {"none", "none",      "pass",
                                        "fail", "temperror", "permerror"};

    if (result < 0 || result > ONWARD_DMARC_PERMERROR)
        return "none";
    return texts[result];
}

const char *onward_dmarc_policy_name(int policy)
{
    static const char *const texts[] = {"", "none", "quarantine", "reject"};

    if (policy < 0 || policy > ONWARD_DMARC_POLICY_REJECT)
        return "";
    return texts[policy];
}

const char *onward_dmarc_reason_text(int reason)
{
    static const char *const texts[] = {
        "no reason",
        "an aligned identifier passed",
        "no aligned identifier passed",
        "the domain has no DMARC record",
        "the DMARC record has no usable policy",
        "a DNS look-up failed",
        "the author domain is not a domain name",
        "out of memory",
        "a trusted forwarder saw it pass",
        "the message has no readable author",
        "the message has several authors",
        "no random numbers",
    };

    if (reason < 0 || reason > ONWARD_DMARC_REASON_RANDOM)
        return texts[0];
    return texts[reason];
}

const char *onward_dmarc_reason_name(int reason)
{
    static const char *const names[] = {
        "",           "aligned",      "not-aligned",
        "no-record",  "no-policy",    "dns",
        "bad-domain", "memory",       "trusted-forwarder",
        "no-author",  "many-authors", "random",
    };

    if (reason < 0 || reason > ONWARD_DMARC_REASON_RANDOM)
        return names[0];
    return names[reason];
}

const char *onward_dmarc_override_name(int override)
{
    /* As PolicyOverrideType of RFC 9990 (RFC 7489 Appendix C) has them. */
    static const char *const names[] = {"", "local_policy", "trusted_forwarder",
                                        "policy_test_mode", "sampled_out"};

    if (override < 0 || override > ONWARD_DMARC_OVERRIDE_SAMPLED_OUT)
        return names[0];
    return names[override];
}
