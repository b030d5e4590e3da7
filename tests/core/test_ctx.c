/* The context, options of other releases, errors, borrowed text. */
#include "core/core_shared.h"
#include "support/support.h"

static int64_t zero_now(void *user)
{
    (void)user;
    return 0;
}

static int good_fill(void *user, void *data, size_t len)
{
    (void)user;
    memset(data, 7, len);
    return 0;
}

static int bad_fill(void *user, void *data, size_t len)
{
    (void)user;
    memset(data, 7, len / 2);
    return -1;
}

static const struct onward_clock clock_table = {.size = sizeof(clock_table),
                                                .now_s = zero_now};
static const struct onward_random random_table = {.size = sizeof(random_table),
                                                  .fill = good_fill};

static void test_defaults(void **state)
{
    struct onward_ctx_opts o = {
        .size = sizeof(o), .clock = &clock_table, .random = &random_table};
    struct onward_ctx *ctx = NULL;

    (void)state;
    assert_int_equal(onward_ctx_new(&o, &ctx), 0);
    assert_int_equal(onward_core__limits(ctx)->header_bytes, 262144);
    assert_int_equal(onward_core__limits(ctx)->header_fields, 1000);
    assert_int_equal(onward_core__limits(ctx)->message_bytes, 26214400);
    assert_ptr_equal(onward_ctx_ref(ctx), ctx);
    onward_ctx_free(ctx);
    onward_ctx_free(ctx);
    onward_ctx_free(NULL);
}

static void test_what_is_required(void **state)
{
    struct onward_ctx_opts no_clock = {.size = sizeof(no_clock),
                                       .random = &random_table};
    struct onward_ctx_opts no_random = {.size = sizeof(no_random),
                                        .clock = &clock_table};
    struct onward_clock empty = {.size = sizeof(empty)};
    struct onward_ctx_opts no_function = {
        .size = sizeof(no_function), .clock = &empty, .random = &random_table};
    struct onward_allocator half = {.size = sizeof(half)};
    struct onward_ctx_opts half_allocator = {.size = sizeof(half_allocator),
                                             .allocator = &half,
                                             .clock = &clock_table,
                                             .random = &random_table};
    struct onward_ctx *ctx = NULL;

    (void)state;
    assert_int_equal(onward_ctx_new(NULL, &ctx), ONWARD_EINVAL);
    assert_int_equal(onward_ctx_new(&no_clock, &ctx), ONWARD_EINVAL);
    assert_int_equal(onward_ctx_new(&no_random, &ctx), ONWARD_EINVAL);
    assert_int_equal(onward_ctx_new(&no_function, &ctx), ONWARD_EINVAL);
    assert_int_equal(onward_ctx_new(&half_allocator, &ctx), ONWARD_EINVAL);
    assert_null(ctx);
}

/* A125: nothing falls back to a constant. */
static void test_random_failure(void **state)
{
    struct onward_random bad = {.size = sizeof(bad), .fill = bad_fill};
    struct onward_ctx_opts o = {
        .size = sizeof(o), .clock = &clock_table, .random = &bad};
    struct onward_ctx *ctx = NULL;

    (void)state;
    assert_int_equal(onward_ctx_new(&o, &ctx), ONWARD_ERANDOM);
    assert_null(ctx);
}

static void test_options_of_other_releases(void **state)
{
    struct {
        size_t size;
        size_t known;
        size_t unknown;
    } newer = {sizeof(newer), 5, 0};
    struct {
        size_t size;
        size_t known;
    } loaded = {0, 0};
    size_t older = sizeof(older);

    (void)state;
    assert_int_equal(onward_core__opts_load(&loaded, sizeof(loaded), &newer),
                     0);
    assert_int_equal(loaded.known, 5);
    newer.unknown = 1;
    loaded.known = 6;
    assert_int_equal(onward_core__opts_load(&loaded, sizeof(loaded), &newer),
                     ONWARD_EVERSION);
    assert_int_equal(loaded.known, 6);
    assert_int_equal(onward_core__opts_load(&loaded, sizeof(loaded), &older),
                     0);
    assert_int_equal(loaded.known, 0);
    older = sizeof(size_t) - 1;
    assert_int_equal(onward_core__opts_load(&loaded, sizeof(loaded), &older),
                     ONWARD_EINVAL);
    assert_int_equal(onward_core__opts_load(&loaded, sizeof(loaded), NULL), 0);
    assert_int_equal(loaded.size, sizeof(loaded));
}

static void test_structs_for_older_and_newer_callers(void **state)
{
    struct {
        size_t size, a, b;
    } ours = {sizeof(ours), 1, 2},
      newer[2] = {{sizeof(newer), 9, 9}, {9, 9, 9}};
    size_t older[3] = {2 * sizeof(size_t), 9, 9};

    (void)state;
    assert_int_equal(onward_core__out_store(older, &ours, sizeof(ours)), 0);
    assert_int_equal(older[0], 2 * sizeof(size_t));
    assert_int_equal(older[1], 1);
    assert_int_equal(older[2], 9); /* beyond its size: not ours to touch */
    assert_int_equal(onward_core__out_store(newer, &ours, sizeof(ours)), 0);
    assert_int_equal(newer[0].b, 2);
    assert_int_equal(newer[1].size, 0);
    assert_int_equal(newer[1].b, 0);
    older[0] = 1;
    assert_int_equal(onward_core__out_store(older, &ours, sizeof(ours)),
                     ONWARD_EINVAL);
}

static void test_errors_have_names(void **state)
{
    (void)state;
    assert_string_equal(onward_error_name(ONWARD_ENOMEM), "ONWARD_ENOMEM");
    assert_string_equal(onward_error_name(ONWARD_AGAIN), "ONWARD_AGAIN");
    assert_string_equal(onward_error_name(ONWARD_ESTALE), "ONWARD_ESTALE");
    assert_string_equal(onward_error_name(3), "ONWARD_OK");
    assert_string_equal(onward_error_name(-14), "ONWARD_E?");
    assert_string_equal(onward_error_name(INT32_MIN), "ONWARD_E?");
    assert_string_equal(onward_strerror(INT32_MIN), "unknown error");
    assert_string_equal(onward_version(), "0.1.0");
}

static void test_slices(void **state)
{
    (void)state;
    t_assert_str(onward_core__str_trim(ONWARD_STR(" \ta b\t ")), "a b");
    t_assert_str(onward_core__str_trim_crlf(ONWARD_STR("\r\n a\r\n")), "a");
    t_assert_str(onward_core__str_trim(ONWARD_STR(" ")), "");
    t_assert_str(onward_core__sub(ONWARD_STR("abcd"), 1, 3), "bc");
    t_assert_str(onward_core__sub(ONWARD_STR("abcd"), 3, 99), "d");
    t_assert_str(onward_core__sub(ONWARD_STR("abcd"), 3, 1), "");
    assert_int_equal(onward_core__str_find(ONWARD_STR("a@b@c"), '@'), 1);
    assert_int_equal(onward_core__str_rfind(ONWARD_STR("a@b@c"), '@'), 3);
    assert_int_equal(onward_core__str_rfind(ONWARD_STR("abc"), '@'), 3);
    assert_true(onward_core__str_ieq(ONWARD_STR("aBc"), ONWARD_STR("AbC")));
    assert_false(onward_core__str_ieq(ONWARD_STR("a["), ONWARD_STR("a{")));
    assert_true(
        onward_core__str_iends(ONWARD_STR("x.COM"), ONWARD_STR(".com")));
    assert_true(onward_str_equal(onward_str_of(NULL), ONWARD_STR("")));
    assert_true(onward_core__str_cmp(ONWARD_STR("a"), ONWARD_STR("ab")) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_what_is_required),
        cmocka_unit_test(test_random_failure),
        cmocka_unit_test(test_options_of_other_releases),
        cmocka_unit_test(test_structs_for_older_and_newer_callers),
        cmocka_unit_test(test_errors_have_names),
        cmocka_unit_test(test_slices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
