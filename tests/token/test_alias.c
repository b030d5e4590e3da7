/*
 * Reverse aliases: their octets (as Python's hmac and base64 make them), and
 * what of them is refused.
 */
#include <onward/token.h>

#include "support/support.h"

#define S(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ALIAS "ra-vjed4ri6vrpdfszffjqd2t5u@fwd.example"
#define KEY "onward/token/1/alias/vjed4ri6vrpdfszf"
#define OWNER "me@example.net"
#define CONTACT "\"a b\"@contact.example"
#define VALUE "owra\1\0\0\0\016\0" OWNER CONTACT

static struct onward_token_minter *new_minter(struct t_world *w)
{
    const struct onward_str secrets[] = {S("0123456789abcdef"),
                                         S("fedcba9876543210")};
    struct onward_token_minter *minter = NULL;

    assert_int_equal(onward_token_minter_new(w->ctx, secrets, 2, &minter), 0);
    return minter;
}

static void test_there_and_back(void **state)
{
    struct onward_token_alias alias = {.size = sizeof(alias)};
    char out[ONWARD_TOKEN_ADDRESS_MAX];
    struct onward_token_minter *minter;
    struct onward_str owner, contact;
    struct t_world w = {0};
    int verdict;

    (void)state;
    t_world_init(&w);
    minter = new_minter(&w);
    assert_int_equal(onward_token_alias_make(
                         minter, ONWARD_STR(OWNER), ONWARD_STR(CONTACT),
                         ONWARD_STR("Fwd.Example"), out, sizeof(out), &alias),
                     sizeof(ALIAS) - 1);
    assert_string_equal(out, ALIAS);
    t_assert_str((struct onward_str){alias.key, alias.key_len}, KEY);
    t_assert_str_n((struct onward_str){alias.value, alias.value_len}, VALUE,
                   sizeof(VALUE) - 1);
    assert_int_equal(onward_token_alias_key(minter, ONWARD_STR(ALIAS), out,
                                            sizeof(out), &verdict),
                     sizeof(KEY) - 1);
    assert_string_equal(out, KEY);
    assert_int_equal(onward_token_alias_read(
                         minter,
                         (struct onward_str){alias.value, alias.value_len},
                         &owner, &contact),
                     0);
    t_assert_str(owner, OWNER);
    t_assert_str(contact, CONTACT);
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

/* Each other letter in each place, and all that is shorter or longer. */
static void test_neighbours(void **state)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567 18@";
    char text[] = ALIAS "x", out[ONWARD_TOKEN_ADDRESS_MAX];
    const size_t len = sizeof(ALIAS) - 1;
    struct onward_token_minter *minter;
    struct t_world w = {0};
    int verdict;

    (void)state;
    t_world_init(&w);
    minter = new_minter(&w);
    for (size_t i = 0; i < len; i++) {
        const char old = text[i];

        for (const char *c = letters; *c != '\0'; c++) {
            text[i] = *c;
            if (*c == old)
                continue;
            assert_int_equal(
                onward_token_alias_key(minter, (struct onward_str){text, len},
                                       out, sizeof(out), &verdict),
                0);
            assert_int_not_equal(verdict, ONWARD_TOKEN_OK);
        }
        text[i] = old;
    }
    for (size_t i = 0; i <= len + 1; i++) {
        onward_token_alias_key(minter, (struct onward_str){text, i}, out,
                               sizeof(out), &verdict);
        assert_int_equal(verdict == ONWARD_TOKEN_OK, i == len);
    }
    /* Mailers fold case. */
    for (size_t i = 0; i < len; i++)
        text[i] =
            (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 32 : text[i]);
    onward_token_alias_key(minter, (struct onward_str){text, len}, out,
                           sizeof(out), &verdict);
    assert_int_equal(verdict, ONWARD_TOKEN_OK);
    assert_string_equal(out, KEY);
    assert_int_equal(onward_token_alias_key(minter, ONWARD_STR(ALIAS), out,
                                            sizeof(out) - 1, &verdict),
                     ONWARD_EINVAL);
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

static const struct make_row {
    const char *name;
    struct onward_str owner, contact, domain;
    int want;
} make_rows[] = {
    {"make: no owner", S(""), S("a@b.example"), S("c.example"), ONWARD_ESYNTAX},
    {"make: no contact", S("a@b.example"), S(""), S("c.example"),
     ONWARD_ESYNTAX},
    {"make: two contacts", S("a@b.example"), S("a@b.example> <c@d.example"),
     S("c.example"), ONWARD_ESYNTAX},
    {"make: line end", S("a@b.example\r\n"), S("a@b.example"), S("c.example"),
     ONWARD_ESYNTAX},
    {"make: no domain", S("a@b.example"), S("a@b.example"), S(""),
     ONWARD_EINVAL},
    {"make: domain with an @", S("a@b.example"), S("a@b.example"), S("c@d"),
     ONWARD_EINVAL},
    {"make: 64 octets and more",
     S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
       "@b.example"),
     S("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
       "@b.example"),
     S("c.example"), 37},
};

static void test_make(void **state)
{
    const struct make_row *row = *state;
    struct onward_token_alias alias = {.size = sizeof(alias)};
    char out[ONWARD_TOKEN_ADDRESS_MAX];
    struct onward_token_minter *minter;
    struct t_world w = {0};

    t_world_init(&w);
    minter = new_minter(&w);
    assert_int_equal(onward_token_alias_make(minter, row->owner, row->contact,
                                             row->domain, out, sizeof(out),
                                             &alias),
                     row->want);
    alias.size = 1;
    assert_int_equal(onward_token_alias_make(minter, row->owner, row->contact,
                                             row->domain, out, sizeof(out),
                                             &alias),
                     ONWARD_EINVAL);
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

static const struct read_row {
    const char *name;
    struct onward_str value;
    int want;
} read_rows[] = {
    {"read: whole", S(VALUE), 0},
    {"read: empty", S(""), ONWARD_ESYNTAX},
    {"read: head alone", S("owra\1\0\0\0\0\0"), ONWARD_ESYNTAX},
    {"read: another kind", S("srsk\1\0\0\0\016\0" OWNER CONTACT),
     ONWARD_ESYNTAX},
    {"read: a later version", S("owra\2\0\0\0\016\0" OWNER CONTACT),
     ONWARD_EVERSION},
    {"read: a length beyond it", S("owra\1\0\0\0\377\377" OWNER CONTACT),
     ONWARD_ESYNTAX},
    {"read: a border that moved", S("owra\1\0\0\0\003\0" OWNER CONTACT),
     ONWARD_ESYNTAX},
    {"read: two contacts", S(VALUE "> <x@y.example"), ONWARD_ESYNTAX},
};

static void test_read(void **state)
{
    const struct read_row *row = *state;
    struct onward_token_minter *minter;
    struct onward_str owner, contact;
    struct t_world w = {0};

    t_world_init(&w);
    minter = new_minter(&w);
    assert_int_equal(
        onward_token_alias_read(minter, row->value, &owner, &contact),
        row->want);
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

static bool make_one(struct t_world *w, void *arg)
{
    const struct onward_str secret = ONWARD_STR("0123456789abcdef");
    struct onward_token_alias alias = {.size = sizeof(alias)};
    struct onward_token_minter *minter = NULL;
    char out[ONWARD_TOKEN_ADDRESS_MAX];
    int ret = onward_token_minter_new(w->ctx, &secret, 1, &minter);

    (void)arg;
    if (ret == 0)
        ret = onward_token_alias_make(
            minter, ONWARD_STR(OWNER), ONWARD_STR(CONTACT),
            ONWARD_STR("fwd.example"), out, sizeof(out), &alias);
    onward_token_minter_free(minter);
    return ret > 0;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(make_one, NULL);
}

int main(void)
{
    static struct CMUnitTest tests[COUNT(make_rows) + COUNT(read_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_no_memory),
    };
    size_t n = 0;

    for (size_t i = 0; i < COUNT(make_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = make_rows[i].name,
                                .test_func = test_make,
                                .initial_state = (void *)&make_rows[i]};
    for (size_t i = 0; i < COUNT(read_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = read_rows[i].name,
                                .test_func = test_read,
                                .initial_state = (void *)&read_rows[i]};
    return cmocka_run_group_tests_name("rows", tests, NULL, NULL) +
           cmocka_run_group_tests_name("others", others, NULL, NULL);
}
