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

/* Somebody else's text: what a terminal could obey is shown as "?". */
void results_put(struct onward_str text);
/* "name: value", or nothing when there is no value. */
void results_line(const char *name, struct onward_str value);

#endif
