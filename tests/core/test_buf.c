/* Buffers, arenas, escapes. */
#include "core/core_shared.h"
#include "core/text_shared.h"
#include "support/support.h"

static void test_first_error_sticks(void **state)
{
    struct t_world w;
    struct onward_buf b;

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&b, w.ctx, 5);
    assert_int_equal(onward_core__buf_add_text(&b, "1234"), 0);
    assert_int_equal(onward_core__buf_add_text(&b, "56"), ONWARD_ELIMIT);
    assert_int_equal(onward_core__buf_add_text(&b, "5"), ONWARD_ELIMIT);
    t_assert_str(onward_core__buf_str(&b), "1234");
    onward_core__buf_reset(&b);
    assert_int_equal(onward_core__buf_add_text(&b, "56789"), 0);
    onward_core__buf_consume(&b, 2);
    t_assert_str(onward_core__buf_str(&b), "789");
    onward_core__buf_clear(&b);
    t_world_clear(&w);
}

static void test_numbers(void **state)
{
    struct t_world w;
    struct onward_buf b;

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&b, w.ctx, 100);
    onward_core__buf_add_u64(&b, UINT64_MAX);
    onward_core__buf_add_byte(&b, ' ');
    onward_core__buf_add_i64(&b, INT64_MIN);
    onward_core__buf_add_byte(&b, ' ');
    onward_core__buf_add_u64(&b, 0);
    t_assert_str(onward_core__buf_str(&b),
                 "18446744073709551615 -9223372036854775808 0");
    onward_core__buf_clear(&b);
    t_world_clear(&w);
}

static const struct escape_row {
    const char *name;
    struct onward_str in;
    size_t max;
    const char *want;
} escape_rows[] = {
    {"plain", {"abc", 3}, 10, "abc"},
    {"controls", {"a\r\n\0\x1b", 5}, 100, "a\\x0D\\x0A\\x00\\x1B"},
    {"backslash", {"\\", 1}, 10, "\\x5C"},
    {"8-bit", {"\xff", 1}, 10, "\\xFF"},
    {"exactly max", {"abcdef", 6}, 6, "abcdef"},
    {"one past max", {"abcdefg", 7}, 6, "abc..."},
    {"never half an escape", {"ab\n\n", 4}, 9, "ab\\x0A..."},
};

static void test_escape_row(void **state)
{
    const struct escape_row *row = *state;
    struct t_world w;
    struct onward_buf b;

    t_world_init(&w);
    onward_core__buf_init(&b, w.ctx, 1000);
    assert_int_equal(onward_core__escape(&b, row->in, row->max), 0);
    t_assert_str(onward_core__buf_str(&b), row->want);
    onward_core__buf_clear(&b);
    t_world_clear(&w);
}

static void test_arena_ceiling(void **state)
{
    struct t_world w;
    struct onward_arena a;
    size_t got = 0;

    (void)state;
    t_world_init(&w);
    onward_core__arena_init(&a, w.ctx, 4096);
    while (onward_core__arena_alloc(&a, 100) != NULL)
        got += 100;
    assert_in_range(got, 3000, 4096);
    assert_true(w.live_bytes <= 4096 + 512); /* the context beside it */
    assert_null(onward_core__arena_array(&a, SIZE_MAX / 2, 3));
    onward_core__arena_reset(&a);
    assert_non_null(onward_core__arena_alloc(&a, 100));
    onward_core__arena_clear(&a);
    t_world_clear(&w);
}

static void test_arena_memory_is_zero_after_reset(void **state)
{
    struct t_world w;
    struct onward_arena a;
    unsigned char *p;

    (void)state;
    t_world_init(&w);
    onward_core__arena_init(&a, w.ctx, 4096);
    p = onward_core__arena_alloc(&a, 64);
    memset(p, 0xff, 64);
    onward_core__arena_reset(&a);
    p = onward_core__arena_alloc(&a, 64);
    for (int i = 0; i < 64; i++)
        assert_int_equal(p[i], 0);
    onward_core__arena_clear(&a);
    t_world_clear(&w);
}

int main(void)
{
    enum { ROWS = sizeof(escape_rows) / sizeof(escape_rows[0]) };
    struct CMUnitTest tests[ROWS + 4] = {
        cmocka_unit_test(test_first_error_sticks),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_arena_ceiling),
        cmocka_unit_test(test_arena_memory_is_zero_after_reset),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[4 + i] = (struct CMUnitTest){
            .name = escape_rows[i].name,
            .test_func = test_escape_row,
            .initial_state = (void *)(uintptr_t)&escape_rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
