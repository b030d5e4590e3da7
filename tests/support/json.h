/*
 * Test vectors in JSON: the file parsed once, a table of cases made from it.
 */
#ifndef ONWARD_TESTS_JSON_H
#define ONWARD_TESTS_JSON_H

#include "core/json_shared.h"
#include "support/support.h"

struct t_vectors {
    struct t_world world;
    struct onward_arena arena;
    struct onward_json *root;
    char *text;
};

/* false, with a message, when the conformance data is not there. */
static inline bool t_vectors_open(struct t_vectors *v, const char *name)
{
    const char *path = t_conformance(name);
    struct onward_json_fault fault = {0};
    size_t len = 0;

    if (path == NULL)
        return false;
    v->text = t_read_file(path, &len);
    t_world_init(&v->world);
    onward_core__arena_init(&v->arena, v->world.ctx, (size_t)64 << 20);
    if (onward_json__parse(&v->arena, onward_core__str(v->text, len), 32,
                           &v->root, &fault) != 0) {
        fprintf(stderr, "%s:%zu: %s\n", path, fault.line, fault.what);
        exit(1);
    }
    return true;
}

static inline void t_vectors_close(struct t_vectors *v)
{
    onward_core__arena_clear(&v->arena);
    free(v->text);
    t_world_clear(&v->world);
}

static inline struct onward_str t_member(const struct onward_json *v,
                                         const char *name)
{
    const struct onward_json *m = onward_json__get(v, name);

    return m == NULL ? onward_core__str("", 0) : m->text;
}

static inline bool t_is_true(const struct onward_json *v, const char *name)
{
    const struct onward_json *m = onward_json__get(v, name);

    return m != NULL && m->type == ONWARD_JSON_TRUE;
}

/* Append s with every code point as one octet (README of the vectors). */
static inline void t_add_octets(struct onward_buf *out, struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c >= 0xc0)
            c = (unsigned char)((c & 3) << 6 |
                                ((unsigned char)s.data[++i] & 0x3f));
        onward_core__buf_add_byte(out, c);
    }
}

/* Add the members of list as tests named by their id; the new count. */
static inline size_t t_add_cases(struct t_vectors *v, struct CMUnitTest *tests,
                                 size_t count, size_t max,
                                 const struct onward_json *list,
                                 void (*run)(void **state))
{
    if (list == NULL)
        return count;
    for (struct onward_json *t = list->first; t != NULL && count < max;
         t = t->next) {
        struct onward_str id = t_member(t, "id");
        char *name = onward_core__arena_alloc(&v->arena, id.len + 1);

        memcpy(name, id.data, id.len);
        tests[count++] = (struct CMUnitTest){
            .name = name, .test_func = run, .initial_state = t};
    }
    return count;
}

#endif
