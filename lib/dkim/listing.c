/*
 * Which fields a signature of ours covers.
 */
#include "dkim/dkim_shared.h"

enum { LISTED_MAX = 500 }; /* names in h= that verifiers take by default */

enum listing {
    ONCE_MORE,    /* as often as it occurs and once more: none can be added */
    IF_ONCE_MORE, /* the same, unless there is none */
    IF_THERE      /* as often as it occurs */
};

/* RFC 6376 section 5.4.1, RFC 8058 section 4, RFC 8460 section 5.3. */
static const struct rule {
    const char *name;
    enum listing listing;
} rules[] = {
    {"from", ONCE_MORE},
    {"to", ONCE_MORE},
    {"cc", ONCE_MORE},
    {"subject", ONCE_MORE},
    {"reply-to", ONCE_MORE},
    {"sender", IF_ONCE_MORE},
    {"date", IF_ONCE_MORE},
    {"message-id", IF_ONCE_MORE},
    {"mime-version", IF_ONCE_MORE},
    {"content-type", IF_ONCE_MORE},
    {"content-transfer-encoding", IF_THERE},
    {"in-reply-to", IF_THERE},
    {"references", IF_THERE},
    {"resent-date", IF_THERE},
    {"resent-from", IF_THERE},
    {"resent-to", IF_THERE},
    {"resent-cc", IF_THERE},
    {"resent-message-id", IF_THERE},
    {"list-id", IF_THERE},
    {"list-help", IF_THERE},
    {"list-unsubscribe", IF_THERE},
    {"list-unsubscribe-post", IF_THERE},
    {"list-subscribe", IF_THERE},
    {"list-post", IF_THERE},
    {"list-owner", IF_THERE},
    {"list-archive", IF_THERE},
    {"tls-report-domain", IF_THERE},
    {"tls-report-submitter", IF_THERE},
};

/* 0, ONWARD_ELIMIT (a message made of a thousand To fields) or ONWARD_ENOMEM.
 */
int onward_dkim__list_default(const struct onward_header *header,
                              struct onward_buf *out)
{
    size_t listed = 0;

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        size_t count =
            onward_header_count_named(header, onward_str_of(rules[i].name));

        if (rules[i].listing == ONCE_MORE ||
            (rules[i].listing == IF_ONCE_MORE && count > 0))
            count++;
        listed += count;
        if (listed > LISTED_MAX)
            return ONWARD_ELIMIT;
        for (; count > 0; count--) {
            if (out->len > 0)
                onward_core__buf_add_byte(out, ':');
            onward_core__buf_add_text(out, rules[i].name);
        }
    }
    return out->err;
}

bool onward_dkim__is_list(struct onward_str list, struct onward_str required)
{
    struct onward_str name;
    bool is_there = required.len == 0;
    size_t count = 0;

    while (onward_dkim__list_next(&list, &name)) {
        if (!onward_mime__is_field_name(name) || ++count > LISTED_MAX)
            return false;
        if (onward_core__str_ieq(name, required))
            is_there = true;
    }
    return is_there && count > 0;
}
