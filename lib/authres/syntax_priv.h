/*
 * The words of RFC 8601 section 2.2, for reader and writer alike.
 */
#ifndef ONWARD_AUTHRES_SYNTAX_PRIV_H
#define ONWARD_AUTHRES_SYNTAX_PRIV_H

#include "authres/authres_shared.h"

/* token of RFC 2045 section 5.1; octets above 127 count (RFC 6532). */
bool onward_authres__is_token_octet(unsigned char octet);
/* Ldh-str of RFC 5321 section 4.1.2; some write underscores. */
bool onward_authres__is_keyword_octet(unsigned char octet);
/* Non-empty, and each octet is. */
bool onward_authres__is_keyword(struct onward_str s);
/* The octets of a quoted string that was read with its quotes: without these,
 * backslashes and folds. */
ONWARD_USE_RESULT int onward_authres__unquote(struct onward_arena *arena,
                                              struct onward_str quoted,
                                              struct onward_str *out);

#endif
