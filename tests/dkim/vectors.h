/*
 * Conformance files in JSON, for the tests of dkim and arc: cases, and octets
 * out of text in which a code point stands for one octet.
 */
#ifndef ONWARD_TESTS_DKIM_VECTORS_H
#define ONWARD_TESTS_DKIM_VECTORS_H

#include "support/support.h"

#include "core/json_shared.h"

struct v_file {
    struct t_world world;
    struct onward_arena arena;
    struct onward_json *root;
    char *text;
};

/* false: the file is not there, and the test is to be skipped. */
bool v_open(struct v_file *f, const char *name);
void v_close(struct v_file *f);
/* The member's text, NUL-ended, in the arena; NULL when there is none. */
const char *v_text(struct v_file *f, const struct onward_json *v,
                   const char *key);
/* The same as octets, one a code point. */
struct onward_str v_octets(struct v_file *f, const struct onward_json *v,
                           const char *key);
int64_t v_int(const struct onward_json *v, const char *key);
/* Is text an item of the array (or the string itself)? */
bool v_has(const struct onward_json *v, const char *text);

/* Append one TXT record to a text of records (cap 60000): an array of strings.
 */
void v_add_txt(char *zone, struct onward_str name,
               const struct onward_json *strings);
enum { V_ZONE_CAP = 60000 };

#endif
