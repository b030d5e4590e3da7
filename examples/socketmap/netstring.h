/*
 * Netstrings: `LENGTH:OCTETS,` with the length in decimal. What Postfix's
 * socketmap clients send and get; socketmap_table(5) and
 * https://cr.yp.to/proto/netstrings.txt.
 */
#ifndef NETSTRING_H
#define NETSTRING_H

#include <stddef.h>
#include <stdint.h>

#include <onward/core.h>

enum {
    NETSTRING_BROKEN = -1,
    NETSTRING_HEAD = 24 /* octets of a length and its colon, at most */
};

/*
 * The first netstring in data. Its length in all, when it is whole: text points
 * into data. 0: more is needed. NETSTRING_BROKEN: it is none, or is longer than
 * max; whatever comes behind it. Said as early as it is known: no length beyond
 * max is waited for.
 */
int64_t netstring_read(struct onward_str data, size_t max,
                       struct onward_str *text);
/* The head for a text of that length; the text and "," follow. Returns the
 * head's length. */
size_t netstring_head(size_t len, char out[NETSTRING_HEAD]);

#endif
