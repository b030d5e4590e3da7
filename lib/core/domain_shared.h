/*
 * Domain names as text: shape, U-labels to A-labels (IDNA2008 by libidn2),
 * comparison, and organizational steps. Names have no final dot inside the
 * library unless a function says that it takes one off.
 */
#ifndef ONWARD_DOMAIN_SHARED_H
#define ONWARD_DOMAIN_SHARED_H

#include "core/core_shared.h"

enum {
    ONWARD_DOMAIN_MAX = 253, /* octets of a name in text, no final dot */
    ONWARD_LABEL_MAX = 63
};

/*
 * A name fit for DNS look-ups: labels of 1 to 63 octets, 253 in all, letters,
 * digits, hyphens and underscores only. min_labels 2 refuses "com".
 */
bool onward_core__domain_is_dns_name(struct onward_str s, size_t min_labels);
/* The host name rules of RFC 5321 section 4.1.2 (Domain): letters, digits,
 * inner hyphens; no underscore, no dot at an end. A-labels included. */
bool onward_core__domain_is_hostname(struct onward_str s);
/*
 * The lower-case A-label form of a name that may hold U-labels (UTF-8), one
 * final dot taken off. 0, ONWARD_ESYNTAX (not a name; also an A-label that
 * does not encode back to itself), ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_core__domain_to_ascii(struct onward_arena *arena,
                                                   struct onward_str name,
                                                   struct onward_str *ascii);
/*
 * The other way: a name that domain_to_ascii() gave, with U-labels where it has
 * A-labels, for people to read. 0, ONWARD_ESYNTAX or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_core__domain_to_unicode(
    struct onward_arena *arena, struct onward_str ascii,
    struct onward_str *unicode);
size_t onward_core__domain_label_count(struct onward_str s);
/* The last n labels; the whole name when it has no more than n. */
struct onward_str onward_core__domain_last_labels(struct onward_str s,
                                                  size_t n);
/* Everything behind the first dot; empty when there is none. */
struct onward_str onward_core__domain_parent(struct onward_str s);
/* Equal to, or below, `parent`? ASCII case does not matter. */
bool onward_core__domain_is_within(struct onward_str s,
                                   struct onward_str parent);

#endif
