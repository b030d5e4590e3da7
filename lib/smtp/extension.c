/*
 * The names of the service extensions (RFC 5321 section 4.1.1.1).
 */
#include "smtp/smtp_shared.h"

static const struct extension {
    const char *keyword;
    enum onward_smtp_extension bit;
} extensions[] = {
    {"PIPELINING", ONWARD_SMTP_EXT_PIPELINING},
    {"SIZE", ONWARD_SMTP_EXT_SIZE},
    {"8BITMIME", ONWARD_SMTP_EXT_8BITMIME},
    {"ENHANCEDSTATUSCODES", ONWARD_SMTP_EXT_ENHANCEDSTATUSCODES},
    {"STARTTLS", ONWARD_SMTP_EXT_STARTTLS},
    {"SMTPUTF8", ONWARD_SMTP_EXT_SMTPUTF8},
    {"CHUNKING", ONWARD_SMTP_EXT_CHUNKING},
    {"BINARYMIME", ONWARD_SMTP_EXT_BINARYMIME},
    {"DSN", ONWARD_SMTP_EXT_DSN},
    {"AUTH", ONWARD_SMTP_EXT_AUTH},
    {"REQUIRETLS", ONWARD_SMTP_EXT_REQUIRETLS},
    {"LIMITS", ONWARD_SMTP_EXT_LIMITS},
    {"VRFY", ONWARD_SMTP_EXT_VRFY},
    {"HELP", ONWARD_SMTP_EXT_HELP},
    {"DELIVERBY", ONWARD_SMTP_EXT_DELIVERBY},
    {"XCLIENT", ONWARD_SMTP_EXT_XCLIENT},
    {"XFORWARD", ONWARD_SMTP_EXT_XFORWARD},
};

enum { EXTENSION_COUNT = sizeof(extensions) / sizeof(extensions[0]) };

uint64_t onward_smtp__extension_of(struct onward_str keyword)
{
    for (size_t i = 0; i < EXTENSION_COUNT; i++) {
        if (onward_core__str_ieq(keyword, onward_str_of(extensions[i].keyword)))
            return (uint64_t)extensions[i].bit;
    }
    return 0;
}

const char *onward_smtp__extension_name(uint64_t bit)
{
    for (size_t i = 0; i < EXTENSION_COUNT; i++) {
        if ((uint64_t)extensions[i].bit == bit)
            return extensions[i].keyword;
    }
    return NULL;
}
