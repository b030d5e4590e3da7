/*
 * Verdicts as JSON, in the field names that scripts know; the same wherever
 * they occur. A text that is not there is null. And lines for people.
 */
#ifndef RESULTS_H
#define RESULTS_H

#include <onward/spf.h>
#include <onward/verify.h>

#include "json.h"

/* {"result","reason","explanation","mechanism","lookups","void_lookups"} */
void results_spf(struct json *j, const char *key,
                 const struct onward_spf_check *check);
/* The same without braces. */
void results_spf_members(struct json *j, const struct onward_spf_check *check);
/* "spf", "dkim", "arc", "dmarc", "authres" */
void results_message(struct json *j, const struct onward_verifier *verifier);

/* "2020-02-13T16:01:02Z", of seconds since 1970. */
void results_date(int64_t seconds, char *text, size_t room);
/* The names of the bits that are set, as "oddities", or on a line of its own.
 */
void results_json_oddities(struct json *j, size_t bits,
                           const char *(*name)(int bit));
void results_oddities(size_t bits, const char *(*name)(int bit));

/* Results as a field has them, in the line ends of a terminal. */
void results_authres(struct onward_str value);
/* Somebody else's text: what a terminal could obey is shown as "?". */
void results_put(struct onward_str text);
/* With something before it, or nothing when it is empty. */
void results_part(const char *before, struct onward_str text);
/* "name: value", or nothing when there is no value. */
void results_line(const char *name, struct onward_str value);

#endif
