/*
 * PLAIN (RFC 4616): authzid NUL authcid NUL passwd, in one message.
 */
#include "smtp/sasl_priv.h"

int onward_smtp__plain_client(struct onward_smtp__sasl *x,
                              struct onward_str challenge,
                              struct onward_buf *out)
{
    /* An empty challenge asks for what the server did not take with AUTH; for
     * anything else there is no answer. */
    if (challenge.len != 0 || x->step++ != 0)
        return ONWARD_ESYNTAX;
    onward_core__buf_add_str(out, x->authzid);
    onward_core__buf_add_byte(out, 0);
    onward_core__buf_add_str(out, x->authcid);
    onward_core__buf_add_byte(out, 0);
    onward_core__buf_add_str(out, x->password);
    x->is_proven = true; /* the server has nothing to prove */
    return out->err;
}

int onward_smtp__plain_server(struct onward_smtp__sasl *x,
                              struct onward_str response,
                              struct onward_buf *out)
{
    struct onward_str rest;

    (void)out;
    if (response.data == NULL && x->step == 0)
        return ONWARD_SASL_CHALLENGE;
    if (x->step++ != 0)
        return ONWARD_SASL_SYNTAX;
    if (onward_smtp__sasl_keep(x, response, &rest) < 0)
        return ONWARD_ENOMEM;
    if (!onward_smtp__sasl_split(&rest, 0, &x->authzid) ||
        !onward_smtp__sasl_split(&rest, 0, &x->authcid))
        return ONWARD_SASL_SYNTAX;
    x->password = rest;
    if (x->authcid.len == 0 || x->password.len == 0 ||
        onward_core__str_find(rest, 0) != rest.len ||
        !onward_smtp__sasl_is_name(x->authzid) ||
        !onward_smtp__sasl_is_name(x->authcid))
        return ONWARD_SASL_SYNTAX;
    return ONWARD_SASL_ASK;
}
