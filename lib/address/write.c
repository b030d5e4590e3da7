/*
 * Mailboxes written and compared.
 */
#include "address/lex_priv.h"

bool onward_address__is_dot_string(struct onward_str s)
{
    bool want_atom = true;

    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '.') {
            if (want_atom)
                return false;
            want_atom = true;
        } else if (onward_address__is_atext((unsigned char)s.data[i])) {
            want_atom = false;
        } else {
            return false;
        }
    }
    return !want_atom;
}

int onward_address__write_local_part(struct onward_buf *out,
                                     struct onward_str local_part)
{
    if (onward_address__is_dot_string(local_part))
        return onward_core__buf_add_str(out, local_part);
    onward_core__buf_add_byte(out, '"');
    for (size_t i = 0; i < local_part.len; i++) {
        unsigned char octet = (unsigned char)local_part.data[i];

        if (octet == '"' || octet == '\\')
            onward_core__buf_add_byte(out, '\\');
        onward_core__buf_add_byte(out, octet);
    }
    return onward_core__buf_add_byte(out, '"');
}

int onward_address__write(struct onward_buf *out,
                          const struct onward_address__mailbox *mailbox,
                          enum onward_address__form form)
{
    bool as_written =
        form == ONWARD_ADDRESS_AS_WRITTEN || mailbox->domain_ascii.len == 0;

    if (mailbox->is_null)
        return out->err;
    onward_address__write_local_part(out, mailbox->local_part);
    if (mailbox->is_bare_postmaster)
        return out->err;
    onward_core__buf_add_byte(out, '@');
    return onward_core__buf_add_str(out, as_written ? mailbox->domain
                                                    : mailbox->domain_ascii);
}

static bool same_domain(const struct onward_address__mailbox *a,
                        const struct onward_address__mailbox *b)
{
    if (a->domain_ascii.len != 0 || b->domain_ascii.len != 0)
        return onward_core__str_eq(a->domain_ascii, b->domain_ascii);
    if (a->literal.family != 0 || b->literal.family != 0)
        return memcmp(&a->literal, &b->literal, sizeof(a->literal)) == 0;
    return onward_core__str_ieq(a->domain, b->domain);
}

bool onward_address__equal(const struct onward_address__mailbox *a,
                           const struct onward_address__mailbox *b,
                           bool fold_local)
{
    if (a->is_null != b->is_null ||
        a->is_bare_postmaster != b->is_bare_postmaster || !same_domain(a, b))
        return false;
    /* RFC 5321 section 4.5.1: this name is the same in any case. */
    if (fold_local || a->is_bare_postmaster)
        return onward_core__str_ieq(a->local_part, b->local_part);
    return onward_core__str_eq(a->local_part, b->local_part);
}
