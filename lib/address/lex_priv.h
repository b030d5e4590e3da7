/*
 * What the two grammars of addresses, SMTP's and the header's, have in common:
 * a cursor, character classes, faults, and the last steps of a mailbox.
 */
#ifndef ONWARD_ADDRESS_LEX_PRIV_H
#define ONWARD_ADDRESS_LEX_PRIV_H

#include "address/address_shared.h"

/* Where a parser stands. Functions that take one return 0 and move it on, or
 * return the error that they put into fault. */
struct cursor {
    struct onward_arena *arena;
    struct onward_str text;
    size_t at;
    struct onward_address__fault *fault;
};

/* The octet at the cursor, or -1 at the end. */
static inline int peek(const struct cursor *c)
{
    return c->at < c->text.len ? (unsigned char)c->text.data[c->at] : -1;
}

/* Put kind and text into fault, at the cursor; ONWARD_ELIMIT for a length,
 * else ONWARD_ESYNTAX. */
int onward_address__refuse(const struct cursor *c,
                           enum onward_address__fault_kind kind,
                           const char *what);
int onward_address__syntax(const struct cursor *c, const char *what);

/* Comments and folding white space, as much as there is. */
int onward_address__skip_cfws(struct cursor *c);
/* The opening quote is next. */
int onward_address__skip_quoted_string(struct cursor *c);

/* atext of RFC 5322 section 3.2.3; octets above 127 count, as RFC 6532 has
 * it. */
bool onward_address__is_atext(int octet);

/*
 * Check an address that was read: UTF-8, no invisible characters, and give
 * mailbox its domain, name or literal. start and end bound the address in the
 * cursor's text, for faults. A strict domain is one of RFC 5321; else a DNS
 * name, a final dot, and any literal will do.
 */
int onward_address__finish(struct cursor *c, size_t start,
                           struct onward_str local_part,
                           struct onward_str domain, bool strict_domain,
                           struct onward_address__mailbox *mailbox);

#endif
