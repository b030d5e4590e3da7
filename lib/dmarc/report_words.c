/* The closed lists of words in reports, and how others write them. */
#include "dmarc/report_priv.h"

const char *onward_dmarc_disposition_name(int disposition)
{
    static const char *const names[] = {"", "none", "quarantine", "reject",
                                        "pass"};

    if (disposition < 0 || disposition > ONWARD_DMARC_DISPOSITION_PASS)
        return names[0];
    return names[disposition];
}

struct onward_dmarc__word onward_dmarc__read_disposition(struct onward_str text)
{
    for (int i = 1; i <= ONWARD_DMARC_DISPOSITION_PASS; i++) {
        struct onward_str name =
            onward_str_of(onward_dmarc_disposition_name(i));

        if (onward_core__str_ieq(text, name))
            return (struct onward_dmarc__word){
                (size_t)i, !onward_core__str_eq(text, name)};
    }
    return (struct onward_dmarc__word){0};
}

/* list ends with NULL. */
static const char *find(const char *const *list, struct onward_str text)
{
    for (; *list != NULL; list++) {
        if (onward_core__str_ieq(text, onward_str_of(*list)))
            return *list;
    }
    return NULL;
}

const char *onward_dmarc__dkim_word(struct onward_str text)
{
    static const char *const words[] = {"none",      "pass",    "fail",
                                        "policy",    "neutral", "temperror",
                                        "permerror", NULL};

    return find(words, text);
}

const char *onward_dmarc__spf_word(struct onward_str text)
{
    static const char *const words[] = {"none",      "pass",      "fail",
                                        "softfail",  "policy",    "neutral",
                                        "temperror", "permerror", NULL};

    return find(words, text);
}

const char *onward_dmarc__reason_word(struct onward_str text, bool is_old)
{
    static const char *const words[] = {
        "local_policy",      "mailing_list",     "other",
        "trusted_forwarder", "policy_test_mode", NULL};
    static const char *const old[] = {"forwarded", "sampled_out", NULL};
    const char *word = find(words, text);

    return word == NULL && is_old ? find(old, text) : word;
}

const char *onward_dmarc_oddity_name(int oddity)
{
    static const char *const names[] = {
        "unknown-element", "namespace",     "version",   "case",
        "value",           "missing",       "long-text", "many-results",
        "leading-space",   "element-twice",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (oddity == 1 << i)
            return names[i];
    }
    return "";
}
