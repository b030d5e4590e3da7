/*
 * The words for TLS failures: for logs, for people, for TLS reports.
 */
#include <onward/tls.h>

#include "core/compiler.h"

static const struct words {
    const char *name;
    const char *text;
    const char *report; /* RFC 8460 section 4.3 */
} words[] = {
    [ONWARD_TLS_OK] = {"ok", "TLS is in order", ""},
    [ONWARD_TLS_NOT_OFFERED] = {"not-offered",
                                "The server does not offer STARTTLS",
                                "starttls-not-supported"},
    [ONWARD_TLS_REFUSED] = {"refused",
                            "The server offers STARTTLS but refuses it",
                            "starttls-not-supported"},
    [ONWARD_TLS_EARLY_INPUT] =
        {"early-input",
         "Octets came in the clear after STARTTLS, before the handshake",
         "validation-failure"},
    [ONWARD_TLS_HANDSHAKE] = {"handshake",
                              "The peer does not follow the TLS protocol",
                              "validation-failure"},
    [ONWARD_TLS_NO_COMMON] =
        {"no-common", "The peer has no TLS version or cipher in common with us",
         "validation-failure"},
    [ONWARD_TLS_PEER_ALERT] = {"peer-alert",
                               "The peer ended the TLS handshake with an alert",
                               "validation-failure"},
    [ONWARD_TLS_LOST] = {"lost",
                         "The connection ended during the TLS handshake",
                         "validation-failure"},
    [ONWARD_TLS_TIMEOUT] = {"timeout", "The TLS handshake took too long",
                            "validation-failure"},
    [ONWARD_TLS_NO_CERT] = {"no-cert", "The peer showed no certificate",
                            "validation-failure"},
    [ONWARD_TLS_BAD_CERT] =
        {"bad-cert",
         "The certificate cannot be read, is for another use, or is weak",
         "validation-failure"},
    [ONWARD_TLS_EXPIRED] = {"expired", "The certificate has expired",
                            "certificate-expired"},
    [ONWARD_TLS_NOT_YET_VALID] = {"not-yet-valid",
                                  "The certificate is not valid yet",
                                  "validation-failure"},
    [ONWARD_TLS_NAME_MISMATCH] = {"name-mismatch",
                                  "The certificate is for another name",
                                  "certificate-host-mismatch"},
    [ONWARD_TLS_UNTRUSTED] = {"untrusted",
                              "No trusted authority vouches for the "
                              "certificate",
                              "certificate-not-trusted"},
    [ONWARD_TLS_REVOKED] = {"revoked", "The certificate was revoked",
                            "certificate-not-trusted"},
    [ONWARD_TLS_INTERNAL] = {"internal", "TLS failed on our own side",
                             "validation-failure"},
    [ONWARD_TLS_TLSA_MISMATCH] = {"tlsa-mismatch",
                                  "The certificate is that of no TLSA record",
                                  "validation-failure"},
    [ONWARD_TLS_TLSA_INVALID] = {"tlsa-invalid",
                                 "None of the TLSA records is usable",
                                 "tlsa-invalid"},
    [ONWARD_TLS_DNSSEC_INVALID] =
        {"dnssec-invalid",
         "DNS gave no answer about TLSA records that could be validated",
         "dnssec-invalid"},
    [ONWARD_TLS_DANE_REQUIRED] =
        {"dane-required",
         "DANE is demanded, but there are no validated TLSA records",
         "dane-required"},
};

static const struct words unknown = {"unknown", "Unknown TLS failure",
                                     "validation-failure"};

static const struct words *words_of(int failure)
{
    if (failure < 0 || (size_t)failure >= sizeof(words) / sizeof(words[0]))
        return &unknown;
    return &words[failure];
}

const char *onward_tls_failure_name(int failure)
{
    return words_of(failure)->name;
}

const char *onward_tls_failure_text(int failure)
{
    return words_of(failure)->text;
}

const char *onward_tls_failure_report(int failure)
{
    return words_of(failure)->report;
}
