/* The fields that code may put on a message: rows 23 and 45 to 47. */
#include <onward/handler.h>

#include "support/support.h"

static char *repeat(char c, size_t n)
{
    char *text = malloc(n + 1);

    assert_non_null(text);
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

static struct onward_field_list *make(struct t_world *w, size_t policy)
{
    const struct onward_field_list_opts o = {.size = sizeof(o),
                                             .policy = policy};
    struct onward_field_list *list = NULL;

    assert_int_equal(onward_field_list_new(w->ctx, &o, &list), 0);
    return list;
}

static int add(struct onward_field_list *list, const char *name,
               const char *value)
{
    struct onward_refusal why = {.size = sizeof(why)};
    int ret = onward_field_list_add(list, onward_str_of(name),
                                    onward_str_of(value), &why);

    if (ret == 1)
        return ONWARD_REFUSAL_NONE;
    assert_int_equal(ret, 0);
    return (int)why.code;
}

static const struct row {
    const char *name, *field, *value;
    int on_copy, on_send; /* enum onward_refusal_code */
} rows[] = {
    {"row 23: an X field", "X-Seen", "yes", 0, 0},
    {"row 46: digits, hyphen, underscore", "x-A_1-b", "yes", 0, 0},
    {"row 46: another character", "X-A.b", "yes", ONWARD_REFUSAL_FIELD_NAME,
     ONWARD_REFUSAL_FIELD_NAME},
    {"row 46: X- alone", "X-", "yes", ONWARD_REFUSAL_FIELD_NAME,
     ONWARD_REFUSAL_FIELD_NAME},
    {"no name", "", "yes", ONWARD_REFUSAL_FIELD_NAME,
     ONWARD_REFUSAL_FIELD_NAME},
    {"A092: a name with a line in it", "X-A: b\r\nX-B", "yes",
     ONWARD_REFUSAL_FIELD_NAME, ONWARD_REFUSAL_FIELD_NAME},
    {"A092: a name with a blank", "X-A b", "yes", ONWARD_REFUSAL_FIELD_NAME,
     ONWARD_REFUSAL_FIELD_NAME},
    {"A083: CR LF in a value", "X-A", "b\r\nX-B: c", ONWARD_REFUSAL_FIELD_VALUE,
     ONWARD_REFUSAL_FIELD_VALUE},
    {"A083: even as a fold", "X-A", "b\r\n c", ONWARD_REFUSAL_FIELD_VALUE,
     ONWARD_REFUSAL_FIELD_VALUE},
    {"A083: LF", "X-A", "b\nc", ONWARD_REFUSAL_FIELD_VALUE,
     ONWARD_REFUSAL_FIELD_VALUE},
    {"A083: CR", "X-A", "b\rc", ONWARD_REFUSAL_FIELD_VALUE,
     ONWARD_REFUSAL_FIELD_VALUE},
    {"a control", "X-A", "b\x01", ONWARD_REFUSAL_FIELD_VALUE,
     ONWARD_REFUSAL_FIELD_VALUE},
    {"not UTF-8", "X-A", "b\xff", ONWARD_REFUSAL_FIELD_VALUE,
     ONWARD_REFUSAL_FIELD_VALUE},
    {"row 47: empty", "X-A", "", ONWARD_REFUSAL_FIELD_VALUE,
     ONWARD_REFUSAL_FIELD_VALUE},
    {"row 47: blanks", "X-A", " \t ", ONWARD_REFUSAL_FIELD_VALUE,
     ONWARD_REFUSAL_FIELD_VALUE},
    {"row 23: not X on a copy", "Keywords", "a",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, 0},
    {"row 46: Auto-Submitted", "auto-submitted", "auto-generated",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, 0},
    {"row 46: Subject has a function", "Subject", "a",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_USE_API},
    {"row 46: Bcc has", "Bcc", "a@b.example", ONWARD_REFUSAL_FIELD_NOT_ALLOWED,
     ONWARD_REFUSAL_FIELD_USE_API},
    {"row 46: Date is the platform's", "Date", "now",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"row 46: Content-Type", "Content-Type", "text/html",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"row 46: TLS-Report-Domain", "TLS-Report-Domain", "a",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"row 46: CFBL-Address", "CFBL-Address", "a",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"row 46: one that nobody knows", "Foo", "a",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"A104: Received", "Received", "by me", ONWARD_REFUSAL_FIELD_NOT_ALLOWED,
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"A104: Authentication-Results", "authentication-results", "me; spf=pass",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"A104: ARC-Seal", "ARC-Seal", "i=1", ONWARD_REFUSAL_FIELD_NOT_ALLOWED,
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"A104: Delivered-To", "Delivered-To", "a@b.example",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"A104: Resent-From", "Resent-From", "a@b.example",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"A104: ours, X or not", "X-Forwarded-To", "a@b.example",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"A104: results under X", "X-Authentication-Results", "me; spf=pass",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
    {"row 47: an https and a mailto URI", "List-Unsubscribe",
     "<https://a.example/u>, <mailto:u@a.example>",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, 0},
    {"row 47: another scheme", "List-Unsubscribe", "<javascript:alert(1)>",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_VALUE},
    {"row 47: http", "List-Unsubscribe", "<http://a.example/>",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_VALUE},
    {"row 47: no brackets", "List-Unsubscribe", "https://a.example/",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_VALUE},
    {"row 47: one click without a URI", "List-Unsubscribe-Post",
     "List-Unsubscribe=One-Click", ONWARD_REFUSAL_FIELD_NOT_ALLOWED,
     ONWARD_REFUSAL_FIELD_VALUE},
    {"row 46: Precedence bulk", "Precedence", "Bulk",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, 0},
    {"row 46: Precedence other", "Precedence", "first-class",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, ONWARD_REFUSAL_FIELD_VALUE},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_field_list *list;
    struct t_world w;

    t_world_init(&w);
    list = make(&w, ONWARD_FIELD_POLICY_X);
    assert_int_equal(add(list, row->field, row->value), row->on_copy);
    assert_int_equal(onward_field_list_count(list), row->on_copy == 0);
    onward_field_list_free(list);
    list = make(&w, ONWARD_FIELD_POLICY_SEND);
    assert_int_equal(add(list, row->field, row->value), row->on_send);
    assert_int_equal(onward_field_list_text(list).len != 0, row->on_send == 0);
    onward_field_list_free(list);
    t_world_clear(&w);
}

static void test_row_45_sizes(void **state)
{
    struct onward_field_list *list;
    char *name = repeat('a', 101), *value = repeat('v', 2049);
    struct t_world w;

    (void)state;
    t_world_init(&w);
    list = make(&w, ONWARD_FIELD_POLICY_SEND);
    memcpy(name, "X-", 2);
    assert_int_equal(add(list, name, "v"), ONWARD_REFUSAL_FIELD_TOO_LONG);
    name[100] = '\0';
    assert_int_equal(add(list, name, "v"), 0);
    assert_int_equal(add(list, "X-V", value), ONWARD_REFUSAL_FIELD_TOO_LONG);
    value[2048] = '\0';
    assert_int_equal(add(list, "X-V", value), 0);
    /* 16384 octets of names, values and 4 each; 105 + 2055 are there. */
    for (char c = 'a'; c < 'a' + 6; c++) {
        const char x[] = {'X', '-', c, '\0'};

        assert_int_equal(add(list, x, value), 0);
    }
    value[16384 - 105 - 7 * 2055 + 1 - 7] = '\0';
    assert_int_equal(add(list, "X-W", value), ONWARD_REFUSAL_FIELDS_TOO_LARGE);
    value[16384 - 105 - 7 * 2055 - 7] = '\0';
    assert_int_equal(add(list, "X-W", value), 0);
    onward_field_list_free(list);
    free(name);
    free(value);
    t_world_clear(&w);
}

static void test_row_45_numbers(void **state)
{
    static const char *const names[] = {"In-Reply-To",
                                        "References",
                                        "List-Help",
                                        "List-Unsubscribe",
                                        "List-Subscribe",
                                        "List-Post",
                                        "List-Owner",
                                        "List-Archive",
                                        "List-Id",
                                        "Precedence",
                                        "Auto-Submitted",
                                        "Content-Language",
                                        "Keywords",
                                        "Comments",
                                        "Importance",
                                        "Priority",
                                        "Sensitivity",
                                        "Organization",
                                        "Require-Recipient-Valid-Since",
                                        "Expires"};
    struct onward_field_list *list;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    list = make(&w, ONWARD_FIELD_POLICY_SEND);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(
            add(list, names[i], i == 9 ? "bulk" : "<https://a.example/>"), 0);
    assert_int_equal(add(list, "Reply-By", "soon"),
                     ONWARD_REFUSAL_FIELDS_TOO_MANY);
    assert_int_equal(add(list, "X-More", "yes"), 0);
    assert_int_equal(add(list, "x-more", "no"), ONWARD_REFUSAL_FIELD_TWICE);
    assert_int_equal(onward_field_list_count(list), 21);
    onward_field_list_free(list);
    t_world_clear(&w);
}

/* A104: fields of one's own have a limit of their own. */
static void test_how_many_x_fields(void **state)
{
    const struct onward_field_list_opts o = {
        .size = sizeof(o), .policy = ONWARD_FIELD_POLICY_X, .max_x_fields = 3};
    struct onward_field_list *list = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_field_list_new(w.ctx, &o, &list), 0);
    assert_int_equal(add(list, "X-A", "1"), 0);
    assert_int_equal(add(list, "X-B", "2"), 0);
    assert_int_equal(add(list, "X-C", "3"), 0);
    assert_int_equal(add(list, "X-D", "4"), ONWARD_REFUSAL_FIELDS_TOO_MANY);
    assert_int_equal(onward_field_list_count(list), 3);
    onward_field_list_free(list);
    t_world_clear(&w);
}

/* Folded at 78 columns, encoded where it is not ASCII (row 47). */
static void test_row_47_how_it_is_written(void **state)
{
    struct onward_field_list *list;
    struct onward_str text;
    size_t column = 0;
    char value[600];
    struct t_world w;

    (void)state;
    t_world_init(&w);
    list = make(&w, ONWARD_FIELD_POLICY_X);
    for (size_t i = 0; i < sizeof(value) - 1; i++)
        value[i] = i % 7 == 6 ? ' ' : 'w';
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(add(list, "X-Long", value), 0);
    assert_int_equal(add(list, "X-Name", "J\xc3\xbcrgen"), 0);
    text = onward_field_list_text(list);
    for (size_t i = 0; i < text.len; i++) {
        assert_true((unsigned char)text.data[i] < 0x80);
        if (text.data[i] == '\n') {
            assert_true(column <= 79);
            assert_true(i + 1 == text.len || text.data[i + 1] == ' ' ||
                        text.data[i + 1] == 'X');
            column = 0;
        } else {
            column++;
        }
    }
    onward_field_list_free(list);
    list = make(&w, ONWARD_FIELD_POLICY_X);
    assert_int_equal(add(list, "X-Name", "J\xc3\xbcrgen"), 0);
    t_assert_str(onward_field_list_text(list),
                 "X-Name: =?UTF-8?Q?J=C3=BCrgen?=\r\n");
    onward_field_list_free(list);
    t_world_clear(&w);
}

static void test_contract(void **state)
{
    struct onward_field_list_opts o = {.size = sizeof(o)};
    struct onward_refusal why = {.size = sizeof(size_t)};
    struct onward_field_list *list = NULL;
    struct {
        size_t size, code;
        char what[8];
    } small = {.size = sizeof(small)};
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_field_list_new(w.ctx, &o, &list), ONWARD_EINVAL);
    assert_int_equal(onward_field_list_new(w.ctx, NULL, &list), ONWARD_EINVAL);
    o.policy = ONWARD_FIELD_POLICY_X;
    assert_int_equal(onward_field_list_new(w.ctx, &o, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_field_list_new(w.ctx, &o, &list), 0);
    assert_int_equal(
        onward_field_list_add(list, ONWARD_STR("X-A"), ONWARD_STR("b"), &why),
        ONWARD_EINVAL);
    assert_int_equal(
        onward_field_list_add(list, ONWARD_STR("A"), ONWARD_STR("b"), NULL), 0);
    /* Of a caller with a smaller struct: cut, and ended. */
    assert_int_equal(
        onward_field_list_add(list, ONWARD_STR("A-long-name"), ONWARD_STR("b"),
                              (struct onward_refusal *)(void *)&small),
        0);
    assert_int_equal(small.code, ONWARD_REFUSAL_FIELD_NOT_ALLOWED);
    assert_string_equal(small.what, "A-long-");
    onward_field_list_free(list);
    onward_field_list_free(NULL);
    t_world_clear(&w);
}

/* Each code has a word and a text of its own. */
static void test_names(void **state)
{
    size_t count = 0;

    (void)state;
    for (int code = 1; code < 100; code++) {
        const char *name = onward_refusal_name(code);

        if (strcmp(name, "E_UNKNOWN") == 0)
            continue;
        assert_memory_equal(name, "E_", 2);
        assert_true(strlen(onward_refusal_text(code)) > 8);
        for (int other = 1; other < code; other++)
            assert_string_not_equal(name, onward_refusal_name(other));
        count++;
    }
    assert_int_equal(count, 54);
    assert_string_equal(onward_refusal_name(ONWARD_REFUSAL_NONE), "");
    assert_string_equal(onward_refusal_text(-1), "unknown");
}

/* The words of the product, and what we call so. */
static void test_row_48_codes(void **state)
{
    static const struct {
        const char *name;
        enum onward_refusal_code code;
    } codes[] = {
        {"E_VALIDATION_ERROR", ONWARD_REFUSAL_VALIDATION},
        {"E_FIELD_MISSING", ONWARD_REFUSAL_FIELD_MISSING},
        {"E_TOO_MANY_RECIPIENTS", ONWARD_REFUSAL_TOO_MANY_RECIPIENTS},
        {"E_TOO_MANY_ATTACHMENTS", ONWARD_REFUSAL_TOO_MANY_ATTACHMENTS},
        {"E_SENDER_NOT_VERIFIED", ONWARD_REFUSAL_SENDER_NOT_VERIFIED},
        {"E_RECIPIENT_NOT_ALLOWED", ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED},
        {"E_RECIPIENT_SUPPRESSED", ONWARD_REFUSAL_RECIPIENT_SUPPRESSED},
        {"E_SENDER_DOMAIN_NOT_AVAILABLE", ONWARD_REFUSAL_SENDER_DOMAIN},
        {"E_CONTENT_TOO_LARGE", ONWARD_REFUSAL_TOO_LARGE},
        {"E_DELIVERY_FAILED", ONWARD_REFUSAL_DELIVERY_FAILED},
        {"E_RATE_LIMIT_EXCEEDED", ONWARD_REFUSAL_RATE_LIMIT},
        {"E_DAILY_LIMIT_EXCEEDED", ONWARD_REFUSAL_DAILY_LIMIT},
        {"E_INTERNAL_SERVER_ERROR", ONWARD_REFUSAL_INTERNAL},
        {"E_HEADER_NOT_ALLOWED", ONWARD_REFUSAL_FIELD_NOT_ALLOWED},
        {"E_HEADER_USE_API_FIELD", ONWARD_REFUSAL_FIELD_USE_API},
        {"E_HEADER_VALUE_INVALID", ONWARD_REFUSAL_FIELD_VALUE},
        {"E_HEADER_VALUE_TOO_LONG", ONWARD_REFUSAL_FIELD_TOO_LONG},
        {"E_HEADER_NAME_INVALID", ONWARD_REFUSAL_FIELD_NAME},
        {"E_HEADERS_TOO_LARGE", ONWARD_REFUSAL_FIELDS_TOO_LARGE},
        {"E_HEADERS_TOO_MANY", ONWARD_REFUSAL_FIELDS_TOO_MANY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        assert_string_equal(onward_refusal_name((int)codes[i].code),
                            codes[i].name);
}

static bool scenario(struct t_world *w, void *arg)
{
    const struct onward_field_list_opts o = {
        .size = sizeof(o), .policy = ONWARD_FIELD_POLICY_SEND};
    struct onward_field_list *list = NULL;
    bool ok = onward_field_list_new(w->ctx, &o, &list) == 0;

    (void)arg;
    for (int i = 0; i < 10 && ok; i++) {
        const char name[] = {'X', '-', (char)('a' + i), '\0'};

        ok = onward_field_list_add(list, onward_str_of(name),
                                   ONWARD_STR("a value of some length"),
                                   NULL) == 1;
        assert_int_equal(onward_field_list_count(list),
                         (size_t)i + (ok ? 1 : 0));
    }
    onward_field_list_free(list);
    return ok;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(scenario, NULL);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[ROWS + 8] = {
        cmocka_unit_test(test_how_many_x_fields),
        cmocka_unit_test(test_row_48_codes),
        cmocka_unit_test(test_row_45_sizes),
        cmocka_unit_test(test_row_45_numbers),
        cmocka_unit_test(test_row_47_how_it_is_written),
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_oom),
    };

    for (size_t i = 0; i < ROWS; i++) {
        tests[8 + i] = (struct CMUnitTest)cmocka_unit_test(test_row);
        tests[8 + i].name = rows[i].name;
        tests[8 + i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
