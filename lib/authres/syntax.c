/*
 * Character classes and quoted strings of Authentication-Results.
 */
#include "authres/syntax_priv.h"

bool onward_authres__is_token_octet(unsigned char octet)
{
    return octet > 0x20 && octet != 0x7f &&
           memchr("()<>@,;:\\\"/[]?=", octet, 15) == NULL;
}

bool onward_authres__is_keyword_octet(unsigned char octet)
{
    return onward_ascii_is_alnum(octet) || octet == '-' || octet == '_';
}

bool onward_authres__is_keyword(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!onward_authres__is_keyword_octet((unsigned char)s.data[i]))
            return false;
    }
    return s.len > 0;
}

int onward_authres__unquote(struct onward_arena *arena,
                            struct onward_str quoted, struct onward_str *out)
{
    char *copy = onward_core__arena_alloc(arena, quoted.len);
    size_t used = 0;

    if (copy == NULL)
        return ONWARD_ENOMEM;
    for (size_t at = 1; at + 1 < quoted.len; at++) {
        if (quoted.data[at] == '\r' || quoted.data[at] == '\n')
            continue;
        if (quoted.data[at] == '\\')
            at++;
        copy[used++] = quoted.data[at];
    }
    *out = onward_core__str(copy, used);
    return 0;
}
