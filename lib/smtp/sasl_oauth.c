/*
 * Bearer tokens: OAUTHBEARER (RFC 7628) and the older XOAUTH2. A server that
 * refuses says why in a challenge; the client answers it with nothing (^A in
 * OAUTHBEARER), and only then is the exchange over.
 */
#include "smtp/sasl_priv.h"

#include "core/text_shared.h"

enum { SEPARATOR = 1, TOKEN_STEP = 0, ERROR_STEP = 1 };

static bool is_rfc(const struct onward_smtp__sasl *x)
{
    return x->mech->id == ONWARD_SMTP_AUTH_OAUTHBEARER;
}

/* ---- Client ------------------------------------------------------------ */

static void add_pair(struct onward_buf *out, const char *key,
                     struct onward_str value)
{
    onward_core__buf_add_text(out, key);
    onward_core__buf_add_str(out, value);
    onward_core__buf_add_byte(out, SEPARATOR);
}

int onward_smtp__oauth_client(struct onward_smtp__sasl *x,
                              struct onward_str challenge,
                              struct onward_buf *out)
{
    unsigned step = x->step;

    if (step == TOKEN_STEP && challenge.len == 0) {
        x->step = ERROR_STEP;
        x->is_proven = true;
        if (is_rfc(x)) {
            onward_core__buf_add_text(out, x->authcid.len > 0 ? "n,a=" : "n,");
            onward_smtp__gs2_write_name(out, x->authcid);
            onward_core__buf_add_text(out, ",\001");
            if (x->host.len > 0)
                add_pair(out, "host=", x->host);
            if (x->port > 0) {
                onward_core__buf_add_text(out, "port=");
                onward_core__buf_add_u64(out, x->port);
                onward_core__buf_add_byte(out, SEPARATOR);
            }
        } else {
            add_pair(out, "user=", x->authcid);
        }
        add_pair(out, "auth=Bearer ", x->token);
        return onward_core__buf_add_byte(out, SEPARATOR);
    }
    if (step != ERROR_STEP)
        return ONWARD_ESYNTAX;
    x->step++;
    x->is_proven = false; /* a yes after that would be no yes */
    return is_rfc(x) ? onward_core__buf_add_byte(out, SEPARATOR) : 0;
}

/* ---- Server ------------------------------------------------------------ */

/* "Bearer" SP token, the token in characters of RFC 6750 section 2.1 and some
 * more that issuers use. */
static bool take_auth(struct onward_smtp__sasl *x, struct onward_str value)
{
    struct onward_str bearer = ONWARD_STR("Bearer ");

    if (!onward_core__str_istarts(value, bearer) || x->token.len > 0)
        return false;
    x->token = onward_core__sub(value, bearer.len, value.len);
    return x->token.len > 0 && onward_smtp__sasl_is_token(x->token);
}

static bool take_port(struct onward_smtp__sasl *x, struct onward_str value)
{
    uint64_t port;

    if (onward_core__parse_u64(value, 5, &port) < 0 || port > 65535)
        return false;
    x->port = (size_t)port;
    return true;
}

/* key "=" *(VCHAR / SP / HTAB / CR / LF) of RFC 7628 section 3.1; keys that are
 * not known are passed over. */
static bool take_pair(struct onward_smtp__sasl *x, struct onward_str pair)
{
    struct onward_str key, value = pair;

    if (!onward_smtp__sasl_split(&value, '=', &key) || key.len == 0)
        return false;
    for (size_t i = 0; i < key.len; i++) {
        if (!onward_ascii_is_alpha((unsigned char)key.data[i]))
            return false;
    }
    if (onward_core__str_eq(key, ONWARD_STR("auth")))
        return take_auth(x, value);
    if (!is_rfc(x))
        return true;
    if (onward_core__str_eq(key, ONWARD_STR("host"))) {
        x->host = value;
        return onward_smtp__sasl_is_name(value);
    }
    if (onward_core__str_eq(key, ONWARD_STR("port")))
        return take_port(x, value);
    return true;
}

static int parse_token(struct onward_smtp__sasl *x, struct onward_str response)
{
    struct onward_str rest, pair, user = ONWARD_STR("user=");
    struct onward_smtp__gs2 gs2;
    int err = onward_smtp__sasl_keep(x, response, &rest);

    if (err < 0)
        return err;
    if (is_rfc(x)) {
        err = onward_smtp__gs2_parse(x, &rest, &gs2);
        if (err < 0)
            return err;
        if (gs2.flag == 'p' || !onward_smtp__sasl_split(&rest, SEPARATOR, &pair)
            || pair.len != 0)
            return ONWARD_ESYNTAX;
        x->authcid = x->authzid;
        x->authzid = onward_core__str("", 0);
    } else {
        if (!onward_smtp__sasl_split(&rest, SEPARATOR, &pair) ||
            !onward_core__str_starts(pair, user))
            return ONWARD_ESYNTAX;
        x->authcid = onward_core__sub(pair, user.len, pair.len);
        if (x->authcid.len == 0 || !onward_smtp__sasl_is_name(x->authcid))
            return ONWARD_ESYNTAX;
    }
    while (onward_smtp__sasl_split(&rest, SEPARATOR, &pair) && pair.len > 0) {
        if (!take_pair(x, pair))
            return ONWARD_ESYNTAX;
    }
    return pair.len == 0 && rest.len == 0 && x->token.len > 0 ? 0
                                                              : ONWARD_ESYNTAX;
}

int onward_smtp__oauth_server(struct onward_smtp__sasl *x,
                              struct onward_str response,
                              struct onward_buf *out)
{
    int err;

    (void)out;
    if (x->step == ERROR_STEP)
        return ONWARD_SASL_REFUSE;
    if (response.data == NULL)
        return ONWARD_SASL_CHALLENGE;
    err = parse_token(x, response);
    if (err == 0)
        return ONWARD_SASL_ASK;
    return err == ONWARD_ENOMEM ? err : ONWARD_SASL_SYNTAX;
}

/* RFC 7628 section 3.2.2; XOAUTH2 has its own words. */
int onward_smtp__oauth_refuse(struct onward_smtp__sasl *x,
                              struct onward_buf *out)
{
    x->step = ERROR_STEP;
    return onward_core__buf_add_text(
        out, is_rfc(x) ? "{\"status\":\"invalid_token\"}"
                       : "{\"status\":\"401\",\"schemes\":\"bearer\"}");
}
