/*
 * A builder with one author and a fixed id, and its octets.
 */
#ifndef ONWARD_TESTS_MIME_BUILT_H
#define ONWARD_TESTS_MIME_BUILT_H

#include "support/support.h"

#include <onward/mime_builder.h>

#define T_STR(literal) {literal, sizeof(literal) - 1}

static inline struct onward_builder *
t_begin(struct t_world *w, const struct onward_builder_opts *opts)
{
    struct onward_builder *b = NULL;

    t_world_init(w);
    assert_int_equal(onward_builder_new(w->ctx, opts, &b), 0);
    assert_int_equal(onward_builder_add_address(b, ONWARD_BUILDER_FROM,
                                                ONWARD_STR("Al"),
                                                ONWARD_STR("a@example.com")),
                     0);
    assert_int_equal(
        onward_builder_set_message_id(b, ONWARD_STR("1@example.com")), 0);
    return b;
}

static inline void t_end(struct t_world *w, struct onward_builder *b)
{
    onward_builder_free(b);
    t_world_clear(w);
}

/* All of a source, in pieces of at most step octets, NUL added. */
static inline size_t t_read_source(const struct onward_source *s, char *text,
                                   size_t step)
{
    uint64_t at = 0;

    while (at < s->len) {
        size_t got = 0;

        assert_int_equal(s->read(s->user, at, text + at, step, &got), 0);
        assert_true(got > 0 && got <= step);
        at += got;
    }
    text[at] = '\0';
    return (size_t)at;
}

/* The whole message; free() it. */
static inline char *t_message(struct onward_builder *b)
{
    const struct onward_source *source;
    char *text;

    assert_int_equal(onward_builder_source(b, &source), 0);
    text = malloc((size_t)source->len + 1);
    assert_non_null(text);
    t_read_source(source, text, (size_t)source->len);
    return text;
}

#endif
