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

/* What forwarding services list. Without Message-ID, MIME-Version and
 * Content-Type, and From no more often than it occurs. */
static const struct service_name {
    const char *name;
    bool is_in_ams; /* listed by ARC-Message-Signature too */
} service_names[] = {
    {"to", true},
    {"subject", true},
    {"from", true},
    {"date", true},
    {"feedback-id", false},
    {"reply-to", true},
    {"cc", true},
    {"resent-date", true},
    {"resent-from", true},
    {"resent-to", true},
    {"resent-cc", true},
    {"in-reply-to", true},
    {"references", true},
    {"list-id", true},
    {"list-help", true},
    {"list-unsubscribe", false},
    {"list-unsubscribe-post", false},
    {"list-subscribe", true},
    {"list-post", true},
    {"list-owner", true},
    {"list-archive", true},
};

static int list_name(struct onward_buf *out, struct onward_str name)
{
    if (out->len > 0)
        onward_core__buf_add_byte(out, ':');
    return onward_core__buf_add_str(out, name);
}

static bool is_service_name(struct onward_str name, bool is_ams)
{
    for (size_t i = 0; i < sizeof(service_names) / sizeof(service_names[0]);
         i++) {
        if (onward_core__str_ieq(name, onward_str_of(service_names[i].name)))
            return service_names[i].is_in_ams || !is_ams;
    }
    return false;
}

/* What is there as it stands in the message, then what is not there, so that
 * none can be added. */
static int list_service(const struct onward_header *header, bool is_ams,
                        struct onward_buf *out)
{
    size_t listed = 0;

    for (size_t i = 0; i < header->count; i++) {
        struct onward_str name = onward_mime__name(header, i);

        if (!is_service_name(name, is_ams))
            continue;
        if (++listed >
            LISTED_MAX - sizeof(service_names) / sizeof(*service_names))
            return ONWARD_ELIMIT;
        list_name(out, name);
    }
    for (size_t i = 0; i < sizeof(service_names) / sizeof(service_names[0]);
         i++) {
        struct onward_str name = onward_str_of(service_names[i].name);

        if (is_service_name(name, is_ams) &&
            onward_header_count_named(header, name) == 0)
            list_name(out, name);
    }
    return out->err;
}

static int list_guarded(const struct onward_header *header,
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
        for (; count > 0; count--)
            list_name(out, onward_str_of(rules[i].name));
    }
    return out->err;
}

int onward_dkim__list(const struct onward_header *header, size_t listing,
                      bool is_ams, struct onward_buf *out)
{
    size_t count =
        onward_header_count_named(header, ONWARD_STR("DKIM-Signature"));
    int err;

    if (listing == ONWARD_DKIM_LISTING_SERVICE)
        return list_service(header, is_ams, out);
    err = list_guarded(header, out);
    for (; is_ams && count > 0 && err == 0; count--)
        err = list_name(out, ONWARD_STR("dkim-signature"));
    return err;
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
