/*
 * A bounded JSON reader and writer (RFC 8259). Ours because the C libraries
 * that Debian has take a process-wide allocator only.
 */
#ifndef ONWARD_JSON_SHARED_H
#define ONWARD_JSON_SHARED_H

#include "core/core_shared.h"

enum onward_json_type {
    ONWARD_JSON_NULL,
    ONWARD_JSON_FALSE,
    ONWARD_JSON_TRUE,
    ONWARD_JSON_NUMBER,
    ONWARD_JSON_STRING,
    ONWARD_JSON_ARRAY,
    ONWARD_JSON_OBJECT
};

/* One value of a parsed text, in the arena it was parsed into. */
struct onward_json {
    enum onward_json_type type;
    size_t line;               /* 1-based line of its first octet */
    struct onward_str key;     /* the member's name, decoded; empty in arrays */
    struct onward_str text;    /* string: decoded UTF-8; number: as written */
    struct onward_json *first; /* of array or object, in file order */
    struct onward_json *next;  /* the next sibling */
    struct onward_json *parent;
    size_t count; /* of array or object */
    size_t index; /* among its parent's items, from 0 */
};

struct onward_json_fault {
    size_t line;      /* 1-based */
    const char *what; /* static text: what was found, what was expected */
    /* The member at fault, for its path: a key that is there twice. NULL when
     * the text cannot be read at all. Lives in the arena. */
    const struct onward_json *at;
};

/*
 * Parse one JSON text. Duplicate keys, bad escapes, lone surrogates, invalid
 * UTF-8, octets after the value and nesting over max_depth are errors. 0,
 * ONWARD_ESYNTAX or ONWARD_ELIMIT (fault says where), ONWARD_ENOMEM. No
 * recursion; linear in the text (duplicate keys by hash).
 */
ONWARD_USE_RESULT int onward_json__parse(struct onward_arena *arena,
                                         struct onward_str text,
                                         size_t max_depth,
                                         struct onward_json **root,
                                         struct onward_json_fault *fault);
/*
 * The same for a text with one array of many items: they are handed over one
 * after the other, as each is whole, and its memory is used for the next.
 */
struct onward_json_taker {
    void *user;
    /* For the items; the caller's, as a fault may point into it. */
    struct onward_arena *items;
    /* Is this the array? Asked for each one that opens outside of it. */
    bool (*wants)(void *user, const struct onward_json *array);
    /* item lives until this returns. 0, or an error that ends the reading. The
     * array keeps its count, but no items. */
    int (*take)(void *user, const struct onward_json *item);
};
ONWARD_USE_RESULT int
onward_json__parse_taking(struct onward_arena *arena, struct onward_str text,
                          size_t max_depth,
                          const struct onward_json_taker *taker,
                          struct onward_json **root,
                          struct onward_json_fault *fault);
/* The member of that name; NULL when there is none or v is no object. */
struct onward_json *onward_json__get(const struct onward_json *v,
                                     const char *name);
/* The path of a value, "zones[0].rules[2].priority"; "" for the root. */
int onward_json__path(struct onward_buf *out, const struct onward_json *v);
/* 0 or ONWARD_ESYNTAX: not an integer, or outside int64_t. */
ONWARD_USE_RESULT int onward_json__int(const struct onward_json *v,
                                       int64_t *out);

/* Append s as a JSON string with its quotes; octets that are not UTF-8 become
 * U+FFFD. */
int onward_json__write_string(struct onward_buf *out, struct onward_str s);

/* A writer that puts the commas. Zero-filled but for out. */
struct onward_json_writer {
    struct onward_buf *out;
    size_t depth;
    uint64_t has_item; /* one bit a level; at most 64 levels */
    bool after_key;
};
void onward_json__open_object(struct onward_json_writer *w);
void onward_json__close_object(struct onward_json_writer *w);
void onward_json__open_array(struct onward_json_writer *w);
void onward_json__close_array(struct onward_json_writer *w);
void onward_json__key(struct onward_json_writer *w, const char *name);
void onward_json__string(struct onward_json_writer *w, struct onward_str s);
void onward_json__text(struct onward_json_writer *w, const char *text);
/* Octets as a string of base64. */
void onward_json__base64(struct onward_json_writer *w, struct onward_str data);
void onward_json__number(struct onward_json_writer *w, int64_t value);
void onward_json__bool(struct onward_json_writer *w, bool value);
void onward_json__null(struct onward_json_writer *w);

#endif
