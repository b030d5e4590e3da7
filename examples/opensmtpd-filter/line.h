/*
 * Lines of OpenSMTPD's filter protocol, smtpd-filters(7), taken apart:
 *
 *     report|0.6|TIME|smtp-in|EVENT|SESSION|REST
 *     filter|0.6|TIME|smtp-in|PHASE|SESSION|TOKEN|REST
 *
 * What is in REST may come from a client, and may have any octet but a line
 * feed in it, "|" too.
 */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <onward/core.h>

enum line_kind {
    LINE_BROKEN, /* not of the protocol, or of one that we do not know */
    LINE_CONFIG,
    LINE_REPORT,
    LINE_FILTER
};

struct line {
    enum line_kind kind;
    unsigned minor;         /* of the protocol's version, 0.N */
    struct onward_str name; /* of the event or phase; of a config the rest */
    uint64_t session, token;
    struct onward_str rest;
};

/* text: without the line feed, borrowed by out. */
void line_read(struct onward_str text, struct line *out);
bool line_is(struct onward_str text, const char *word);
/* What stands before the first "|" is taken off rest, and the "|" too. False:
 * there is none, and all of rest is taken. */
bool line_next(struct onward_str *rest, struct onward_str *field);
/* The nth field from the end, 1 is the last; empty: there is none, or nothing
 * stands before it. For what is behind a text of others, which may have bars.
 */
struct onward_str line_back(struct onward_str rest, size_t nth);
/* Who a client is, as a report of link-connect has it. Family 0: not known. */
void line_address(struct onward_str text, struct onward_ip *ip, bool *is_local);
/* Was a client authenticated, as the rest of a report of link-auth says? */
bool line_is_authenticated(struct onward_str rest, unsigned minor);

#endif
