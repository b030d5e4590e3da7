/* Hash tables: growth, removal, and failing to grow. */
#include "core/core_shared.h"
#include "support/support.h"

struct item {
    struct onward_core__node node;
    size_t value;
};

enum { ITEMS = 1000 };

static uint64_t hash_of(const struct t_world *w, size_t value)
{
    return onward_core__hash(w->ctx, &value, sizeof(value));
}

static struct item *find(const struct t_world *w,
                         const struct onward_core__table *t, size_t value)
{
    struct onward_core__node *n = onward_core__table_find(t, hash_of(w, value));

    for (; n != NULL; n = onward_core__table_find_next(n)) {
        struct item *item = ONWARD_CONTAINER(n, struct item, node);

        if (item->value == value)
            return item;
    }
    return NULL;
}

static void fill_and_empty(struct t_world *w, struct onward_core__table *t)
{
    static struct item items[ITEMS];

    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = (struct item){.value = i};
        onward_core__table_add(t, &items[i].node, hash_of(w, i));
    }
    for (size_t i = 0; i < ITEMS; i++)
        assert_ptr_equal(find(w, t, i), &items[i]);
    assert_null(find(w, t, ITEMS));
    for (size_t i = 0; i < ITEMS; i += 2)
        onward_core__table_remove(t, &items[i].node);
    for (size_t i = 0; i < ITEMS; i++)
        assert_ptr_equal(find(w, t, i), i % 2 == 0 ? NULL : &items[i]);
    assert_int_equal(t->count, ITEMS / 2);
    while (onward_core__table_any(t) != NULL)
        onward_core__table_remove(t, onward_core__table_any(t));
    assert_int_equal(t->count, 0);
}

static void test_fill_and_empty(void **state)
{
    struct t_world w;
    struct onward_core__table t;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_core__table_init(&t, w.ctx), 0);
    fill_and_empty(&w, &t);
    onward_core__table_clear(&t);
    t_world_clear(&w);
}

static void test_works_without_memory_to_grow(void **state)
{
    struct t_world w;
    struct onward_core__table t;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_core__table_init(&t, w.ctx), 0);
    w.fail_at = w.alloc_count + 1;
    w.fail_from_then = true;
    fill_and_empty(&w, &t);
    w.fail_at = 0;
    onward_core__table_clear(&t);
    t_world_clear(&w);
}

/* The vectors of the SipHash paper, appendix A: key 00..0f. */
static int paper_key(void *user, void *data, size_t len)
{
    unsigned char *out = data;

    (void)user;
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)i;
    return 0;
}

static int64_t zero_now(void *user)
{
    (void)user;
    return 0;
}

static void test_siphash_of_the_paper(void **state)
{
    struct onward_clock clock = {.size = sizeof(clock), .now_s = zero_now};
    struct onward_random key = {.size = sizeof(key), .fill = paper_key};
    struct onward_ctx_opts o = {
        .size = sizeof(o), .clock = &clock, .random = &key};
    struct onward_ctx *ctx = NULL;
    unsigned char in[15];

    (void)state;
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (unsigned char)i;
    assert_int_equal(onward_ctx_new(&o, &ctx), 0);
    assert_true(onward_core__hash(ctx, in, sizeof(in)) == 0xa129ca6149be45e5u);
    assert_true(onward_core__hash_lower(ctx, "AbC", 3) ==
                onward_core__hash(ctx, "abc", 3));
    onward_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill_and_empty),
        cmocka_unit_test(test_works_without_memory_to_grow),
        cmocka_unit_test(test_siphash_of_the_paper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
