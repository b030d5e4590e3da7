/*
 * Whatever a field holds, written again by us it reads as the same results; and
 * the input as a value of ours never becomes more than one value.
 */
#include "fuzz.h"

#include "authres/authres_shared.h"

static void check_same(const struct onward_authres *a,
                       const struct onward_authres *b)
{
    FUZZ_CHECK(onward_authres_fault(b, NULL) == NULL);
    FUZZ_CHECK(onward_authres_count(a) == onward_authres_count(b));
    for (size_t i = 0; i < onward_authres_count(a); i++) {
        FUZZ_CHECK(onward_str_equal(onward_authres_method(a, i),
                                    onward_authres_method(b, i)));
        FUZZ_CHECK(onward_str_equal(onward_authres_result(a, i),
                                    onward_authres_result(b, i)));
        FUZZ_CHECK(onward_authres_property_count(a, i) ==
                   onward_authres_property_count(b, i));
    }
}

static void write_again(const struct onward_authres *a)
{
    struct onward_authres_builder *builder;
    struct onward_authres *back;
    struct onward_str value, field;

    if (onward_authres_builder_new(fuzz_ctx(), onward_authres_authserv_id(a),
                                   &builder) != 0)
        return;
    for (size_t i = 0; i < onward_authres_count(a); i++) {
        struct onward_str ptype, property;

        FUZZ_CHECK(onward_authres_builder_result(
                       builder, onward_authres_method(a, i),
                       onward_authres_result(a, i),
                       onward_authres_reason(a, i)) != ONWARD_EINVAL);
        for (size_t j = 0;
             onward_authres_property(a, i, j, &ptype, &property, &value); j++)
            FUZZ_CHECK(onward_authres_builder_property(builder, ptype, property,
                                                       value) != ONWARD_EINVAL);
    }
    if (onward_authres_builder_value(builder, &field) == 0) {
        FUZZ_CHECK(onward_authres_parse(fuzz_ctx(), field, NULL, &back) == 0);
        check_same(a, back);
        onward_authres_free(back);
    }
    onward_authres_builder_free(builder);
}

/* Copied as it is written, it reads as the same, folded or not. */
static void copy_again(const struct onward_authres *a, int keep_folds)
{
    struct onward_authres_builder *builder;
    struct onward_authres *back;
    struct onward_str field;
    int ret = 0;

    if (onward_authres_builder_new(fuzz_ctx(), ONWARD_STR("a.example"),
                                   &builder) != 0)
        return;
    for (size_t i = 0; i < onward_authres_count(a) && ret == 0; i++)
        ret = onward_authres_builder_copy(builder, a, i, keep_folds);
    if (ret == 0 && onward_authres_builder_value(builder, &field) == 0) {
        size_t column = 0;

        for (size_t i = 0; i < field.len; i++) {
            column = field.data[i] == '\n' ? 0 : column + 1;
            FUZZ_CHECK(column <= 998);
        }
        FUZZ_CHECK(onward_authres_parse(fuzz_ctx(), field, NULL, &back) == 0);
        check_same(a, back);
        onward_authres_free(back);
    }
    onward_authres_builder_free(builder);
}

static void write_as_value(struct onward_str in)
{
    struct onward_authres_builder *builder;
    struct onward_authres *back;
    struct onward_str value;

    FUZZ_CHECK(onward_authres_builder_new(fuzz_ctx(), ONWARD_STR("a.example"),
                                          &builder) == 0);
    FUZZ_CHECK(onward_authres_builder_result(builder, ONWARD_STR("x"),
                                             ONWARD_STR("y"), in) == 0);
    FUZZ_CHECK(onward_authres_builder_comment(builder, in) == 0);
    FUZZ_CHECK(onward_authres_builder_property(builder, ONWARD_STR("a"),
                                               ONWARD_STR("b"), in) == 0);
    FUZZ_CHECK(onward_authres_builder_value(builder, &value) == 0);
    FUZZ_CHECK(onward_authres_parse(fuzz_ctx(), value, NULL, &back) == 0);
    FUZZ_CHECK(onward_authres_fault(back, NULL) == NULL);
    FUZZ_CHECK(onward_authres_count(back) == 1);
    FUZZ_CHECK(onward_authres_property_count(back, 0) == 1);
    onward_authres_free(back);
    onward_authres_builder_free(builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_str in = onward_core__str(data, size);
    struct onward_authres *a;
    struct onward_arena arena;

    write_as_value(in);
    if (onward_authres_parse(fuzz_ctx(), in, NULL, &a) != 0)
        return 0;
    onward_core__arena_init(&arena, fuzz_ctx(), 1 << 20);
    if (onward_authres_fault(a, NULL) == NULL) {
        /* What we read as a field of some id, we also see as claiming it. */
        FUZZ_CHECK(onward_authres__claims_authserv_id(
                       &arena, in, onward_authres_authserv_id(a)) == 1);
        write_again(a);
        copy_again(a, 0);
        copy_again(a, 1);
    }
    onward_core__arena_clear(&arena);
    onward_authres_free(a);
    return 0;
}
