/* Addresses, taken apart. */
#include "srs/srs_priv.h"

/* What may stand bare in a local part or a domain: atext and dots (RFC 5321
 * section 4.1.2), and UTF-8 (RFC 6531). A quoted string would end up in the
 * middle of the new local part, where it cannot stand. */
static bool is_bare(struct onward_str s, const char *others)
{
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) && c < 0x80 &&
            (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return true;
}

bool onward_srs__is_domain(struct onward_str s)
{
    return s.len <= ONWARD_SRS__DOMAIN_MAX && is_bare(s, "-._");
}

bool onward_srs__is_local(struct onward_str s)
{
    return is_bare(s, "!#$%&'*+-/=?^_`{|}~.");
}

/* At the last @: an earlier one is in a quoted local part, refused later. */
bool onward_srs__split(struct onward_str address,
                       struct onward_srs__mailbox *out)
{
    size_t at = onward_core__str_rfind(address, '@');

    if (at >= address.len)
        return false;
    out->local = onward_core__sub(address, 0, at);
    out->domain = onward_core__sub(address, at + 1, address.len);
    return onward_srs__is_domain(out->domain);
}

/* Up to the next '='; *rest moves past it. */
static bool take_field(struct onward_str *rest, struct onward_str *field)
{
    size_t end = onward_core__str_find(*rest, '=');

    if (end >= rest->len)
        return false;
    *field = onward_core__sub(*rest, 0, end);
    *rest = onward_core__sub(*rest, end + 1, rest->len);
    return true;
}

static bool is_separator(char c)
{
    return c == '=' || c == '+' || c == '-';
}

/* "SRS0" or "SRS1" in any case and a separator. */
bool onward_srs__has_tag(struct onward_str local, const char *tag)
{
    return local.len > 4 &&
           onward_core__str_istarts(local, onward_str_of(tag)) &&
           is_separator(local.data[4]);
}

bool onward_srs__split_srs1(struct onward_str local,
                            struct onward_srs__srs1 *out)
{
    out->rest = onward_core__sub(local, 5, local.len);
    return take_field(&out->rest, &out->hash) &&
           take_field(&out->rest, &out->host) &&
           onward_srs__is_domain(out->host) && out->rest.len > 1 &&
           is_separator(out->rest.data[0]) && onward_srs__is_local(out->rest);
}

static bool is_id(struct onward_str s)
{
    return s.len == ONWARD_SRS__ID_LEN && onward_srs__is_local(s) &&
           onward_core__str_find(s, '=') == s.len;
}

bool onward_srs__split_srs0(struct onward_str local,
                            struct onward_srs__srs0 *out)
{
    out->local = onward_core__sub(local, 5, local.len);
    out->domain = onward_core__str(NULL, 0);
    if (!take_field(&out->local, &out->hash) ||
        !take_field(&out->local, &out->stamp))
        return false;
    if (is_id(out->local))
        return true;
    return take_field(&out->local, &out->domain) &&
           onward_srs__is_domain(out->domain) &&
           onward_srs__is_local(out->local);
}
