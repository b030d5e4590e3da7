/*
 * The words of results and reasons, and where the standard has them.
 */
#include "dkim/dkim_shared.h"

static const struct reason {
    enum onward_dkim_reason reason;
    const char *name;
    const char *section;
} reasons[] = {
    {ONWARD_DKIM_REASON_NONE, "", "RFC 6376 6.1.3"},
    {ONWARD_DKIM_REASON_HEADER, "header", "RFC 5322 2.2"},
    {ONWARD_DKIM_REASON_SYNTAX, "syntax", "RFC 6376 3.2"},
    {ONWARD_DKIM_REASON_MISSING, "missing", "RFC 6376 3.5"},
    {ONWARD_DKIM_REASON_VALUE, "value", "RFC 6376 3.5"},
    {ONWARD_DKIM_REASON_VERSION, "version", "RFC 6376 6.1.1"},
    {ONWARD_DKIM_REASON_ALGORITHM, "algorithm", "RFC 8301 3.1"},
    {ONWARD_DKIM_REASON_DOMAIN, "domain", "RFC 6376 3.5"},
    {ONWARD_DKIM_REASON_IDENTITY, "identity", "RFC 6376 6.1.1"},
    {ONWARD_DKIM_REASON_FROM, "from", "RFC 6376 5.4"},
    {ONWARD_DKIM_REASON_QUERY, "query", "RFC 6376 3.5"},
    {ONWARD_DKIM_REASON_TIMES, "times", "RFC 6376 3.5"},
    {ONWARD_DKIM_REASON_LIMIT, "limit", "RFC 6376 8.4"},
    {ONWARD_DKIM_REASON_EXPIRED, "expired", "RFC 6376 3.5"},
    {ONWARD_DKIM_REASON_BODY_LENGTH, "body-length", "RFC 6376 3.5"},
    {ONWARD_DKIM_REASON_KEY_UNREACHABLE, "key-unreachable", "RFC 6376 6.1.2"},
    {ONWARD_DKIM_REASON_KEY_NONE, "key-none", "RFC 6376 6.1.2"},
    {ONWARD_DKIM_REASON_KEY_SYNTAX, "key-syntax", "RFC 6376 3.6.1"},
    {ONWARD_DKIM_REASON_KEY_REVOKED, "key-revoked", "RFC 6376 3.6.1"},
    {ONWARD_DKIM_REASON_KEY_TYPE, "key-type", "RFC 6376 3.6.1"},
    {ONWARD_DKIM_REASON_KEY_HASH, "key-hash", "RFC 6376 3.6.1"},
    {ONWARD_DKIM_REASON_KEY_SERVICE, "key-service", "RFC 6376 3.6.1"},
    {ONWARD_DKIM_REASON_KEY_IDENTITY, "key-identity", "RFC 6376 3.6.1"},
    {ONWARD_DKIM_REASON_KEY_SIZE, "key-size", "RFC 8301 3.2"},
    {ONWARD_DKIM_REASON_BODY_HASH, "body-hash", "RFC 6376 6.1.3"},
    {ONWARD_DKIM_REASON_SIGNATURE, "signature", "RFC 6376 6.1.3"},
    {ONWARD_DKIM_REASON_PARTIAL_BODY, "partial-body", "RFC 6376 8.2"},
    {ONWARD_DKIM_REASON_MEMORY, "memory", ""},
};

static const struct reason *find(int code)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if ((int)reasons[i].reason == code)
            return &reasons[i];
    }
    return &reasons[0];
}

const char *onward_dkim_reason_name(int reason)
{
    return find(reason)->name;
}

const char *onward_dkim_reason_section(int reason)
{
    return find(reason)->section;
}

const char *onward_dkim_result_name(int result)
{
    switch (result) {
    case ONWARD_DKIM_PASS:
        return "pass";
    case ONWARD_DKIM_FAIL:
        return "fail";
    case ONWARD_DKIM_POLICY:
        return "policy";
    case ONWARD_DKIM_NEUTRAL:
        return "neutral";
    case ONWARD_DKIM_TEMPERROR:
        return "temperror";
    case ONWARD_DKIM_PERMERROR:
        return "permerror";
    default:
        return "none";
    }
}
