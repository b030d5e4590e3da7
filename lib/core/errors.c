/* Names and sentences for what calls return, and the version. */
#include "core/core_shared.h"

static const struct {
    const char *name;
    const char *sentence;
} errors[] = {
    {"ONWARD_OK", "success"},
    {"ONWARD_ENOMEM", "out of memory"},
    {"ONWARD_EINVAL", "the caller broke the contract"},
    {"ONWARD_ESTATE", "the call is not allowed at this moment"},
    {"ONWARD_ESYNTAX", "the input does not follow its grammar"},
    {"ONWARD_ELIMIT", "a limit was reached"},
    {"ONWARD_ECALLBACK", "a callback of the host failed"},
    {"ONWARD_EVERSION", "made by a version that this one cannot read"},
    {"ONWARD_ESTALE", "the answer is late, unknown or a second one"},
    {"ONWARD_ENOENT", "there is no such thing"},
    {"ONWARD_ERANDOM", "the random source failed"},
    {"ONWARD_ECRYPTO", "a cryptographic operation failed"},
    {"ONWARD_ECANCELED", "ended before it was done"},
    {"ONWARD_AGAIN", "would block"},
};

enum { ERROR_COUNT = sizeof(errors) / sizeof(errors[0]) };

const char *onward_strerror(int error)
{
    if (error >= 0)
        return errors[0].sentence;
    if (error <= -ERROR_COUNT)
        return "unknown error";
    return errors[-error].sentence;
}

const char *onward_error_name(int error)
{
    if (error >= 0)
        return errors[0].name;
    if (error <= -ERROR_COUNT)
        return "ONWARD_E?";
    return errors[-error].name;
}

const char *onward_version(void)
{
    return "0.1.0";
}
