/*
 * TXT records of the shape "v=STSv1; name=value; name=value;": those of MTA-STS
 * (RFC 8461 section 3.1) and of TLS reporting (RFC 8460 section 3).
 */
#ifndef ONWARD_RECORD_SHARED_H
#define ONWARD_RECORD_SHARED_H

#include "core/core_shared.h"

/* One field, white space around it taken off. */
struct onward_core__field {
    size_t at;               /* where it begins in the record */
    size_t value_at;         /* where its value begins; 0: it has no "=" */
    struct onward_str name;  /* up to "=", or all of it */
    struct onward_str value; /* behind "=" */
};

/* Behind version *WSP ";"; 0: the record does not begin so. */
size_t onward_core__record_begin(struct onward_str record,
                                 struct onward_str version);
/*
 * The one record that begins with version; the others are for something else.
 * 0, ONWARD_ENOENT (there is none) or ONWARD_ESYNTAX (there are several).
 */
ONWARD_USE_RESULT int
onward_core__record_choose(const struct onward_str *records, size_t count,
                           struct onward_str version, struct onward_str *found);
/* The next field from octet *at; false: there is none left. One delimiter may
 * stand behind the last field. */
bool onward_core__record_next(struct onward_str record, size_t *at,
                              struct onward_core__field *field);
/* A letter or digit and at most 31 more, or '_', '-', '.'. */
bool onward_core__record_is_name(struct onward_str s);
/* The first octet that is not visible, or one of two more; or its length. */
size_t onward_core__record_find_foreign(struct onward_str s, char one,
                                        char other);

#endif
