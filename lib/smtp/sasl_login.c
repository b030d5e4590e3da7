/*
 * LOGIN (draft-murchison-sasl-login): the server asks for the name, then for
 * the password. Clients do not look at how it asks, and neither do we; many
 * send the name with AUTH.
 */
#include "smtp/sasl_priv.h"

int onward_smtp__login_client(struct onward_smtp__sasl *x,
                              struct onward_str challenge,
                              struct onward_buf *out)
{
    (void)challenge;
    switch (x->step++) {
    case 0: /* AUTH without an initial response: the server speaks first */
        return 0;
    case 1:
        return onward_core__buf_add_str(out, x->authcid);
    case 2:
        x->is_proven = true;
        return onward_core__buf_add_str(out, x->password);
    default:
        return ONWARD_ESYNTAX;
    }
}

int onward_smtp__login_server(struct onward_smtp__sasl *x,
                              struct onward_str response,
                              struct onward_buf *out)
{
    x->authzid = onward_core__str("", 0);
    if (response.data == NULL)
        return onward_core__buf_add_text(out, "Username:");
    switch (x->step++) {
    case 0:
        if (response.len == 0 || !onward_smtp__sasl_is_name(response))
            return ONWARD_SASL_SYNTAX;
        if (onward_smtp__sasl_keep(x, response, &x->authcid) < 0)
            return ONWARD_ENOMEM;
        return onward_core__buf_add_text(out, "Password:");
    case 1:
        if (response.len == 0 ||
            onward_core__str_find(response, 0) != response.len)
            return ONWARD_SASL_SYNTAX;
        if (onward_smtp__sasl_keep(x, response, &x->password) < 0)
            return ONWARD_ENOMEM;
        return ONWARD_SASL_ASK;
    default:
        return ONWARD_SASL_SYNTAX;
    }
}
