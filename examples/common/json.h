/*
 * JSON, one object a line, as it is written: nothing is kept. key is NULL
 * inside an array and at the top.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <onward/core.h>

struct json {
    FILE *out; /* NULL: standard output */
    bool needs_comma;
};

void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
/* Octets that are no UTF-8 become U+FFFD. */
void json_str(struct json *j, const char *key, struct onward_str value);
void json_text(struct json *j, const char *key, const char *value);
/* null for the empty text: "not there". */
void json_str_or_null(struct json *j, const char *key, struct onward_str value);
void json_text_or_null(struct json *j, const char *key, const char *value);
void json_number(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
/* The line's end. */
void json_end(struct json *j);

#endif
