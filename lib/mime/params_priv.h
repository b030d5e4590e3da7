/*
 * Parameters as the files of mime read them: one field into an arena.
 */
#ifndef ONWARD_MIME_PARAMS_PRIV_H
#define ONWARD_MIME_PARAMS_PRIV_H

#include "mime/text_priv.h"

enum { ONWARD_MIME__PARAMS_MAX = 256 };

/* One parameter, or, while they are read, one section of it. */
struct onward_mime__param {
    struct onward_str name;     /* lower case, without "*" */
    struct onward_str octets;   /* quotes undone; of results: all undone */
    struct onward_str text;     /* UTF-8; made by _params_decode() */
    struct onward_str charset, language;
    uint64_t notes;
    int32_t section; /* -1: none, -2: badly numbered */
    bool is_extended;
};

struct onward_mime__params {
    struct onward_str value;     /* before the first semicolon, trimmed */
    struct onward_str tokens[2]; /* type and subtype, lower case */
    struct onward_mime__param *items;
    size_t count;
    uint64_t notes;
};

/* Everything but the texts; value must live as long as the arena. 0 or
 * ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_mime__params_read(struct onward_arena *arena,
                                               struct onward_str value,
                                               struct onward_mime__params *p);
/* The text of one of them. */
ONWARD_USE_RESULT int
onward_mime__param_decode(struct onward_arena *arena,
                          struct onward_mime__param *param,
                          const struct onward_mime__text_opts *opts);
/* NULL when there is none of that lower-case name. */
struct onward_mime__param *
onward_mime__params_find(const struct onward_mime__params *p,
                         struct onward_str name);

#endif
