/* How a check ended, in numbers and in words. */
#include "spf/check_priv.h"

int onward_spf_check_result(const struct onward_spf_check *check)
{
    return check->phase == PHASE_DONE ? (int)check->result : ONWARD_SPF_PENDING;
}

int onward_spf_check_reason(const struct onward_spf_check *check)
{
    return (int)check->reason;
}

struct onward_str onward_spf_check_domain(const struct onward_spf_check *check)
{
    return check->domain;
}

struct onward_str
onward_spf_check_mechanism(const struct onward_spf_check *check)
{
    /* A parsed term is visible ASCII; what broke the parser may be anything. */
    for (size_t i = 0; i < check->mechanism.len; i++) {
        unsigned char c = (unsigned char)check->mechanism.data[i];

        if (c < 0x21 || c > 0x7e)
            return onward_core__sub(check->mechanism, 0, i);
    }
    return check->mechanism;
}

struct onward_str
onward_spf_check_explanation(const struct onward_spf_check *check)
{
    return check->explanation;
}

size_t onward_spf_check_lookups(const struct onward_spf_check *check)
{
    return check->lookups;
}

size_t onward_spf_check_void_lookups(const struct onward_spf_check *check)
{
    return check->void_lookups;
}

const char *onward_spf_result_name(int result)
{
    static const char *const texts[] = {"none",      "none",     "neutral",
                                        "pass",      "fail",     "softfail",
                                        "temperror", "permerror"};

    if (result < 0 || result > ONWARD_SPF_PERMERROR)
        return "none";
    return texts[result];
}

const char *onward_spf_enhanced_status(int result)
{
    switch (result) {
    case ONWARD_SPF_FAIL:
        return "5.7.23";
    case ONWARD_SPF_TEMPERROR:
        return "4.7.24";
    case ONWARD_SPF_PERMERROR:
        return "5.7.24";
    default:
        return "";
    }
}

const char *onward_spf_reason_text(int reason)
{
    static const char *const texts[] = {
        "no reason",
        "a mechanism matched",
        "no mechanism matched",
        "the identity has no usable domain",
        "the domain has no SPF record",
        "the domain has more than one SPF record",
        "the SPF record is malformed",
        "too many terms need DNS look-ups",
        "too many look-ups found nothing",
        "too many MX names",
        "an included domain has no SPF record",
        "the redirect domain has no SPF record",
        "a DNS look-up failed",
        "the check took too long",
        "out of memory",
    };

    if (reason < 0 || reason > ONWARD_SPF_REASON_MEMORY)
        return texts[0];
    return texts[reason];
}

const char *onward_spf_reason_name(int reason)
{
    static const char *const names[] = {
        "",           "match",        "default", "no-domain",
        "no-record",  "many-records", "syntax",  "term-limit",
        "void-limit", "name-limit",   "include", "redirect",
        "dns",        "timeout",      "memory",
    };

    if (reason < 0 || reason > ONWARD_SPF_REASON_MEMORY)
        return names[0];
    return names[reason];
}
