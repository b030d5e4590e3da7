/*
 * Whose field is it? Asked of fields that came in, to remove those that pretend
 * to be ours. In doubt the answer is yes: a forged field that stays is believed
 * by whoever reads the message behind us (CVE-2022-48521).
 */
#include "address/address_shared.h"
#include "authres/syntax_priv.h"
#include "core/domain_shared.h"

/* The authserv-id, as far as it can be read; 1, 0 when it cannot, or
 * ONWARD_ENOMEM. */
static int read_id(struct onward_arena *scratch, struct onward_str value,
                   struct onward_str *id)
{
    struct onward_address__fault fault;
    size_t start, at = 0;

    if (onward_address__read_cfws(value, &at, &fault) != 0)
        return 0;
    start = at;
    if (at < value.len && value.data[at] == '"') {
        if (onward_address__read_quoted_string(value, &at, &fault) != 0)
            return 0;
        return onward_authres__unquote(
                   scratch, onward_core__sub(value, start, at), id) == 0
                   ? 1
                   : ONWARD_ENOMEM;
    }
    while (at < value.len &&
           onward_authres__is_token_octet((unsigned char)value.data[at]))
        at++;
    *id = onward_core__sub(value, start, at);
    return at > start;
}

static bool occurs_in(struct onward_str value, struct onward_str id)
{
    for (size_t at = 0; at < value.len; at++) {
        if (onward_core__str_istarts(onward_core__sub(value, at, value.len),
                                     id))
            return true;
    }
    return false;
}

/* The form in which ids compare: A-labels where it is a domain, else as it
 * is. */
static int normalize(struct onward_arena *scratch, struct onward_str id,
                     struct onward_str *out)
{
    int ret = onward_core__domain_to_ascii(scratch, id, out);

    if (ret == ONWARD_ENOMEM)
        return ret;
    if (ret != 0)
        *out = id;
    return 0;
}

int onward_authres__claims_authserv_id(struct onward_arena *scratch,
                                       struct onward_str value,
                                       struct onward_str id)
{
    struct onward_str found, claimed, own;
    int ret = read_id(scratch, value, &found);

    if (ret < 0)
        return ret;
    if (ret == 0)
        return id.len > 0 && occurs_in(value, id);
    ret = normalize(scratch, found, &claimed);
    if (ret == 0)
        ret = normalize(scratch, id, &own);
    return ret == 0 ? onward_core__str_ieq(claimed, own) : ret;
}

int onward_authres_claims(struct onward_ctx *ctx, struct onward_str value,
                          struct onward_str authserv_id)
{
    struct onward_arena scratch;
    int ret;

    if (ctx == NULL || authserv_id.len == 0)
        return ONWARD_EINVAL;
    onward_core__arena_init(&scratch, ctx,
                            4 * (value.len + authserv_id.len) + 4096);
    ret = onward_authres__claims_authserv_id(&scratch, value, authserv_id);
    onward_core__arena_clear(&scratch);
    return ret;
}
