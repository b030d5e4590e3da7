/* The words of reasons. */
#include "mtasts/mtasts_priv.h"

#define FETCH "sts-policy-fetch-error"
#define INVALID "sts-policy-invalid"

static const struct reason {
    const char *name, *text, *report;
} reasons[] = {
    [ONWARD_MTASTS_REASON_NONE] = {"", "", ""},
    [ONWARD_MTASTS_REASON_NO_RECORD] = {"no-record",
                                        "the domain has no _mta-sts record",
                                        ""},
    [ONWARD_MTASTS_REASON_BAD_RECORD] = {"bad-record",
                                         "the _mta-sts record is faulty",
                                         INVALID},
    [ONWARD_MTASTS_REASON_MANY_RECORDS] = {"many-records",
                                           "there are several _mta-sts records",
                                           INVALID},
    [ONWARD_MTASTS_REASON_DNS] = {"dns",
                                  "the _mta-sts record cannot be looked up",
                                  FETCH},
    [ONWARD_MTASTS_REASON_HOST_DNS] = {"host-dns",
                                       "the policy host cannot be looked up",
                                       FETCH},
    [ONWARD_MTASTS_REASON_NO_HOST] = {"no-host",
                                      "the policy host has no address", FETCH},
    [ONWARD_MTASTS_REASON_ADDRESS] =
        {"address", "the policy host has no address that may be connected to",
         FETCH},
    [ONWARD_MTASTS_REASON_CONNECT] = {"connect",
                                      "the policy host cannot be reached",
                                      FETCH},
    [ONWARD_MTASTS_REASON_TLS] = {"tls",
                                  "the policy host does not prove its name",
                                  "sts-webpki-invalid"},
    [ONWARD_MTASTS_REASON_TIMEOUT] = {"timeout", "the policy host is too slow",
                                      FETCH},
    [ONWARD_MTASTS_REASON_CUT] =
        {"cut", "the connection ended before the policy was whole", FETCH},
    [ONWARD_MTASTS_REASON_HTTP] = {"http",
                                   "the policy host gives no sound HTTP answer",
                                   FETCH},
    [ONWARD_MTASTS_REASON_STATUS] =
        {"status", "the policy host answers with another status than 200",
         FETCH},
    [ONWARD_MTASTS_REASON_MEDIA_TYPE] = {"media-type",
                                         "the policy is not text/plain", FETCH},
    [ONWARD_MTASTS_REASON_ENCODING] = {"encoding",
                                       "the policy has a content coding",
                                       FETCH},
    [ONWARD_MTASTS_REASON_TOO_LONG] = {"too-long",
                                       "the policy has more than 65536 octets",
                                       FETCH},
    [ONWARD_MTASTS_REASON_BAD_POLICY] = {"bad-policy", "the policy is faulty",
                                         INVALID},
    [ONWARD_MTASTS_REASON_BUSY] = {"busy",
                                   "too many policies are being fetched",
                                   FETCH},
    [ONWARD_MTASTS_REASON_STORE] =
        {"store", "what was kept of the domain cannot be read", ""},
    [ONWARD_MTASTS_REASON_BAD_DOMAIN] =
        {"bad-domain", "that is no domain that can have a policy", ""},
    [ONWARD_MTASTS_REASON_CANCELED] = {"canceled", "it was given up", ""},
    [ONWARD_MTASTS_REASON_INTERNAL] = {"internal", "out of memory", ""},
};

static const struct reason *find(int code)
{
    size_t count = sizeof(reasons) / sizeof(reasons[0]);

    return &reasons[code > 0 && (size_t)code < count ? code : 0];
}

const char *onward_mtasts_reason_name(int reason)
{
    return find(reason)->name;
}

const char *onward_mtasts_reason_text(int reason)
{
    return find(reason)->text;
}

const char *onward_mtasts_reason_report(int reason)
{
    return find(reason)->report;
}
