/* The outcome as the library's own client tells it: in a file of its own, so
 * that a host with another client does not link ours. */
#include <onward/smtp_client.h>

#include "egress/egress_priv.h"

int onward_egress_report_client(struct onward_egress *plan,
                                const struct onward_smtp_client *client,
                                size_t rcpt)
{
    struct onward_smtp_outcome got = {.size = sizeof(got)};
    struct onward_tls_facts facts = {.size = sizeof(facts)};
    struct onward_egress_outcome o = {.size = sizeof(o)};
    int err;

    if (plan == NULL || client == NULL)
        return ONWARD_EINVAL;
    err = onward_smtp_client_outcome(client, rcpt, &got);
    if (err < 0)
        return err;
    if (onward_smtp_client_tls_facts(client, &facts) == 0)
        o.tls = &facts;
    o.fate = got.fate;
    o.code = got.code;
    o.enhanced = got.enhanced;
    o.text = got.text;
    o.tls_failure = got.tls_failure;
    o.phase = got.phase;
    o.cause = got.cause;
    return onward_egress_report(plan, &o);
}
