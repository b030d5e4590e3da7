/*
 * JSON (RFC 8259) from people and programs that nobody trusts: read whole,
 * bounded in depth, duplicate keys refused. What json.h writes, this reads.
 */
#ifndef JSON_READ_H
#define JSON_READ_H

#include <stdbool.h>
#include <stddef.h>

#include <onward/core.h>

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_value {
    enum json_type type;
    bool truth;
    double number;
    struct onward_str key;  /* of a member; ends in NUL */
    struct onward_str text; /* a string, decoded; NULs inside are data */
    struct json_value *first, *next;
};

struct json_document;

/*
 * One value, and nothing behind it but white space. NULL: why says what was
 * found at which octet; or no memory.
 */
struct json_document *json_read(struct onward_str text, char *why,
                                size_t why_size);
const struct json_value *json_root(const struct json_document *document);
void json_free(struct json_document *document);
/* A member; NULL: there is none, or value is no object. */
const struct json_value *json_get(const struct json_value *value,
                                  const char *key);

#endif
