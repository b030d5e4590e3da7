/*
 * What is not known of a message, as the floors above have to tell it from what
 * is wrong with it.
 */
#ifndef ONWARD_VERIFY_SHARED_H
#define ONWARD_VERIFY_SHARED_H

#include <stdbool.h>

#include <onward/verify.h>

/* Could a later try know more of SPF or DKIM? What the verifier did not wait
 * for is pending. */
bool onward_verify__is_unsure(const struct onward_verifier *v);

/* ARC that could not be checked may be what a trusted sealer said. */
bool onward_verify__is_arc_unsure(const struct onward_verifier *v);

/*
 * A record that cannot be looked up may ask to reject, and nothing shows that
 * it does not matter. Whoever floods the resolver until the look-up fails, with
 * mail that authenticates a domain of his own, must not come through with the
 * name of another.
 */
bool onward_verify__is_dmarc_unknown(const struct onward_verifier *v);

#endif
