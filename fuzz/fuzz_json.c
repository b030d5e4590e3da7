/* What is parsed, written, and parsed again is written the same way. */
#include "fuzz.h"

#include "core/json_shared.h"

enum { DEPTH = 32, ARENA_MAX = 1 << 26 };

/* The writer takes text that ends in NUL for keys, so a key is written as a
 * string with its colon. */
static void write_item(struct onward_json_writer *w,
                       const struct onward_json *v)
{
    if (v->parent == NULL || v->parent->type != ONWARD_JSON_OBJECT)
        return;
    onward_json__string(w, v->key);
    onward_core__buf_add_byte(w->out, ':');
    w->after_key = true;
}

static void write_scalar(struct onward_json_writer *w,
                         const struct onward_json *v)
{
    int64_t value;

    switch (v->type) {
    case ONWARD_JSON_NULL:
        onward_json__null(w);
        return;
    case ONWARD_JSON_FALSE:
    case ONWARD_JSON_TRUE:
        onward_json__bool(w, v->type == ONWARD_JSON_TRUE);
        return;
    case ONWARD_JSON_NUMBER:
        if (onward_json__int(v, &value) == 0)
            onward_json__number(w, value);
        else
            onward_json__string(w, v->text);
        return;
    case ONWARD_JSON_STRING:
        onward_json__string(w, v->text);
        return;
    case ONWARD_JSON_ARRAY:
        onward_json__open_array(w);
        return;
    case ONWARD_JSON_OBJECT:
        onward_json__open_object(w);
        return;
    }
}

static void write_tree(struct onward_buf *out, const struct onward_json *root)
{
    struct onward_json_writer w = {.out = out};
    const struct onward_json *v = root;

    while (v != NULL) {
        write_item(&w, v);
        write_scalar(&w, v);
        if (v->first != NULL) {
            v = v->first;
            continue;
        }
        for (bool is_up = false; v != NULL; v = v->parent, is_up = true) {
            if (v->type == ONWARD_JSON_ARRAY && (is_up || v->first == NULL))
                onward_json__close_array(&w);
            if (v->type == ONWARD_JSON_OBJECT && (is_up || v->first == NULL))
                onward_json__close_object(&w);
            if (v->next != NULL)
                break;
        }
        if (v != NULL)
            v = v->next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_json_fault fault = {0};
    struct onward_json *root;
    struct onward_arena arena;
    struct onward_buf first, second;
    int ret;

    onward_core__arena_init(&arena, fuzz_ctx(), ARENA_MAX);
    onward_core__buf_init(&first, fuzz_ctx(), ARENA_MAX);
    onward_core__buf_init(&second, fuzz_ctx(), ARENA_MAX);
    ret = onward_json__parse(&arena, onward_core__str(data, size), DEPTH, &root,
                             &fault);
    if (ret == 0) {
        write_tree(&first, root);
        FUZZ_CHECK(first.err == 0);
        FUZZ_CHECK(onward_json__parse(&arena, onward_core__buf_str(&first),
                                      DEPTH, &root, &fault) == 0);
        write_tree(&second, root);
        FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&first),
                                       onward_core__buf_str(&second)));
    } else {
        FUZZ_CHECK(fault.line >= 1 && fault.what != NULL);
    }
    onward_core__buf_clear(&first);
    onward_core__buf_clear(&second);
    onward_core__arena_clear(&arena);
    return 0;
}
