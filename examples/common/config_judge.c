/* Values that several programs have in their configuration. */
#define _GNU_SOURCE
#include <string.h>

#include <onward/dmarc.h>

#include "config.h"

const char *config_host_name(const char *value)
{
    static const char expected[] = "a host name in ASCII";
    size_t start = 0;

    if (strlen(value) > 253)
        return expected;
    for (size_t at = 0;; at++) {
        char c = value[at];

        if (c == '.' || c == '\0') {
            if (at == start || at - start > 63 || value[start] == '-' ||
                value[at - 1] == '-')
                return expected;
            start = at + 1;
        } else if (c != '-' && !(c >= '0' && c <= '9') &&
                   !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')) {
            return expected;
        }
        if (c == '\0')
            return NULL;
    }
}

const char *config_resolver(const char *value)
{
    const char *at = strchr(value, '@');
    size_t len = at == NULL ? strlen(value) : (size_t)(at - value);
    struct onward_ip ip;

    if (onward_ip_parse((struct onward_str){value, len}, &ip) != 0 ||
        (at != NULL && (at[1] == '\0' || strlen(at) > 6 ||
                        at[1 + strspn(at + 1, "0123456789")] != '\0')))
        return "an IP address, with @PORT behind it if that is not 53";
    return NULL;
}

const char *config_authserv_id(const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value <= ' ' || *value > '~' ||
            strchr("()<>@,;:\\\"/[]?=", *value))
            return "a name without spaces, as in mx.example.com";
    }
    return NULL;
}

const char *config_selector(const char *value)
{
    return config_host_name(value) == NULL
               ? NULL
               : "a selector: letters, digits and hyphens, with dots between";
}

const char *config_dmarc_reject(const char *value)
{
    if (strcmp(value, "service") == 0 || strcmp(value, "rfc9989") == 0 ||
        strcmp(value, "never") == 0)
        return NULL;
    return "service, rfc9989 or never";
}

size_t config_dmarc_reject_policy(const char *word)
{
    if (word != NULL && strcmp(word, "rfc9989") == 0)
        return ONWARD_DMARC_REJECT_RFC9989;
    if (word != NULL && strcmp(word, "never") == 0)
        return ONWARD_DMARC_REJECT_NEVER;
    return ONWARD_DMARC_REJECT_SERVICE;
}
