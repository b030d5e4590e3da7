/*
 * Tokens and tagged senders: their octets (as Python's hmac and base64 make
 * them), and what of them is refused.
 */
#include <onward/token.h>

#include "support/support.h"

#define NOW 1600000000
#define S(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct onward_str secret = S("0123456789abcdef");
static const struct onward_str other = S("fedcba9876543210");

static struct onward_token_minter *
new_minter(struct t_world *w, const struct onward_str *secrets, size_t count)
{
    struct onward_token_minter *minter = NULL;

    assert_int_equal(onward_token_minter_new(w->ctx, secrets, count, &minter),
                     0);
    return minter;
}

static struct onward_token_opts opts_for(struct onward_str purpose)
{
    return (struct onward_token_opts){.size = sizeof(struct onward_token_opts),
                                      .purpose = purpose};
}

/* ---- Octets ------------------------------------------------------------ */

static const struct row {
    const char *name;
    struct onward_str purpose, bound_to, payload;
    int64_t expires_s;
    size_t mac_len, form;
    const char *want;
} rows[] = {
    {"a link", S("verify"), S(""), S("me@example.com"), NOW + 3600, 0,
     ONWARD_TOKEN_BASE64URL,
     "ATFfXh4QbWVAZXhhbXBsZS5jb23Rt8GHg4M-2FkQ7L1sSt4n"},
    {"nothing, for ever", S("verify"), S(""), S(""), 0, 16,
     ONWARD_TOKEN_BASE64URL, "ATEAAAAAjVIc9ZpbQ6HZe4OxE8dTNg"},
    {"base32, bound", S("bounce"), S("example.org"),
     S("\0\xff"
       "12"),
     NOW + 3600, 10, ONWARD_TOKEN_BASE32, "aeyv6xq6caap6mjsiquy6kqnnyyufwvd"},
    {"the last second", S("x"), S(""), S("abc"), 4294967295, 32,
     ONWARD_TOKEN_BASE32,
     "aey7777775qwey7mlw2sabxwpto3nadmoldzezoqgi25hl4xple7cq3hsic4c7o4fq"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct t_world w = {0};
    struct onward_token_minter *minter;
    struct onward_token_opts opts = opts_for(row->purpose);
    char text[ONWARD_TOKEN_TEXT_MAX], payload[64];
    int64_t expires_s = -1;
    int verdict = -1, len;

    t_world_init(&w);
    minter = new_minter(&w, &secret, 1);
    opts.bound_to = row->bound_to;
    opts.mac_len = row->mac_len;
    opts.form = row->form;
    len = onward_token_mint(minter, &opts, row->payload, row->expires_s, text,
                            sizeof(text));
    assert_string_equal(text, row->want);
    assert_int_equal(len, strlen(row->want));
    /* Exactly that much room. */
    assert_int_equal(onward_token_mint(minter, &opts, row->payload,
                                       row->expires_s, text, (size_t)len + 1),
                     len);
    assert_int_equal(onward_token_mint(minter, &opts, row->payload,
                                       row->expires_s, text, (size_t)len),
                     ONWARD_ELIMIT);
    len = onward_token_check(minter, &opts, onward_str_of(row->want), payload,
                             sizeof(payload), &expires_s, &verdict);
    assert_int_equal(verdict, ONWARD_TOKEN_OK);
    assert_int_equal(expires_s, row->expires_s);
    t_assert_str_n(row->payload, payload, (size_t)len);
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

/* ---- Refusals ---------------------------------------------------------- */

static int verdict_of(struct onward_token_minter *minter,
                      const struct onward_token_opts *opts,
                      struct onward_str text)
{
    char payload[64];
    int verdict = -1;

    (void)onward_token_check(minter, opts, text, payload, sizeof(payload), NULL,
                             &verdict);
    return verdict;
}

/* Every other text of the same length that differs in one letter, and every
 * shorter one, is no token. */
static void check_neighbours(struct onward_token_minter *minter,
                             const struct onward_token_opts *opts,
                             const char *token, const char *letters)
{
    char text[128];
    const size_t len = strlen(token);

    memcpy(text, token, len + 1);
    for (size_t i = 0; i < len; i++) {
        for (const char *c = letters; *c != '\0'; c++) {
            if (*c == token[i])
                continue;
            text[i] = *c;
            assert_int_not_equal(verdict_of(minter, opts, onward_str_of(text)),
                                 ONWARD_TOKEN_OK);
        }
        text[i] = token[i];
    }
    for (size_t i = 0; i < len; i++)
        assert_int_not_equal(
            verdict_of(minter, opts, (struct onward_str){text, i}),
            ONWARD_TOKEN_OK);
    text[len] = 'A';
    assert_int_not_equal(
        verdict_of(minter, opts, (struct onward_str){text, len + 1}),
        ONWARD_TOKEN_OK);
}

static void test_neighbours(void **state)
{
    struct t_world w = {0};
    struct onward_token_minter *minter;

    (void)state;
    t_world_init(&w);
    minter = new_minter(&w, &secret, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct onward_token_opts opts = opts_for(rows[i].purpose);

        opts.bound_to = rows[i].bound_to;
        opts.mac_len = rows[i].mac_len;
        opts.form = rows[i].form;
        assert_int_equal(verdict_of(minter, &opts, onward_str_of(rows[i].want)),
                         ONWARD_TOKEN_OK);
        check_neighbours(minter, &opts, rows[i].want,
                         rows[i].form == ONWARD_TOKEN_BASE32
                             ? "abcdefghijklmnopqrstuvwxyz234567=+ \n018"
                             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                               "uvwxyz0123456789-_=+/ \n");
    }
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

static void test_bindings(void **state)
{
    const struct onward_str token = onward_str_of(rows[2].want);
    struct t_world w = {0};
    struct onward_token_minter *minter;
    struct onward_token_opts good = opts_for(rows[2].purpose), bad;
    char upper[64];

    (void)state;
    t_world_init(&w);
    minter = new_minter(&w, &secret, 1);
    good.bound_to = rows[2].bound_to;
    good.mac_len = 10;
    good.form = ONWARD_TOKEN_BASE32;
    assert_int_equal(verdict_of(minter, &good, token), ONWARD_TOKEN_OK);
    /* Base32 may have lost its case. */
    for (size_t i = 0; i <= token.len; i++)
        upper[i] =
            (char)(token.data[i] >= 'a' ? token.data[i] - 32 : token.data[i]);
    assert_int_equal(verdict_of(minter, &good, onward_str_of(upper)),
                     ONWARD_TOKEN_OK);
    bad = good;
    bad.purpose = ONWARD_STR("verify");
    assert_int_equal(verdict_of(minter, &bad, token), ONWARD_TOKEN_FORGED);
    bad = good;
    bad.bound_to = ONWARD_STR("example.com");
    assert_int_equal(verdict_of(minter, &bad, token), ONWARD_TOKEN_FORGED);
    /* What is cut shorter is not signed for that. */
    bad = good;
    bad.mac_len = 8;
    assert_int_equal(verdict_of(minter, &bad, token), ONWARD_TOKEN_FORGED);
    /* The border between purpose and bound_to is signed. */
    bad = good;
    bad.purpose = ONWARD_STR("bouncee");
    bad.bound_to = ONWARD_STR("xample.org");
    assert_int_equal(verdict_of(minter, &bad, token), ONWARD_TOKEN_FORGED);
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

static void test_life(void **state)
{
    const struct onward_str token = onward_str_of(rows[0].want);
    struct t_world w = {0};
    struct onward_token_opts opts = opts_for(rows[0].purpose);
    struct onward_token_minter *minter;
    int64_t expires_s = 0;
    char payload[64];
    int verdict;

    (void)state;
    t_world_init(&w);
    minter = new_minter(&w, &secret, 1);
    w.now_s = NOW + 3600;
    assert_int_equal(verdict_of(minter, &opts, token), ONWARD_TOKEN_OK);
    w.now_s = NOW + 3601;
    assert_int_equal(onward_token_check(minter, &opts, token, payload,
                                        sizeof(payload), &expires_s, &verdict),
                     0);
    assert_int_equal(verdict, ONWARD_TOKEN_EXPIRED);
    assert_int_equal(expires_s, NOW + 3600);
    assert_int_equal(verdict_of(minter, &opts,
                                ONWARD_STR("ATEAAAAAjVIc9ZpbQ6HZ"
                                           "e4OxE8dTNg")),
                     ONWARD_TOKEN_OK); /* never */
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

static void test_rotation(void **state)
{
    const struct onward_str both[] = {other, secret};
    const struct onward_str token = onward_str_of(rows[0].want);
    struct onward_token_opts opts = opts_for(rows[0].purpose);
    char text[ONWARD_TOKEN_TEXT_MAX];
    struct onward_token_minter *minter;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    minter = new_minter(&w, both, 2);
    assert_int_equal(verdict_of(minter, &opts, token), ONWARD_TOKEN_OK);
    assert_true(onward_token_mint(minter, &opts, ONWARD_STR("x"), 0, text,
                                  sizeof(text)) > 0);
    onward_token_minter_free(onward_token_minter_ref(minter));
    onward_token_minter_free(minter);
    minter = new_minter(&w, &other, 1);
    assert_int_equal(verdict_of(minter, &opts, onward_str_of(text)),
                     ONWARD_TOKEN_OK);
    assert_int_equal(verdict_of(minter, &opts, token), ONWARD_TOKEN_FORGED);
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

static void test_arguments(void **state)
{
    static char big[ONWARD_TOKEN_PAYLOAD_MAX + 1];
    static char text[ONWARD_TOKEN_TEXT_MAX], back[ONWARD_TOKEN_PAYLOAD_MAX];
    const struct onward_str weak = ONWARD_STR("fifteen octets.");
    struct onward_token_minter *minter = NULL;
    struct onward_token_opts opts;
    struct t_world w = {0};
    int verdict, len;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_token_minter_new(w.ctx, &weak, 1, &minter),
                     ONWARD_EINVAL);
    assert_int_equal(onward_token_minter_new(w.ctx, &secret, 0, &minter),
                     ONWARD_EINVAL);
    assert_int_equal(onward_token_minter_new(w.ctx, &secret, 17, &minter),
                     ONWARD_EINVAL);
    minter = new_minter(&w, &secret, 1);
    opts = opts_for(ONWARD_STR(""));
    assert_int_equal(
        onward_token_mint(minter, &opts, ONWARD_STR(""), 0, text, sizeof(text)),
        ONWARD_EINVAL);
    opts = opts_for(ONWARD_STR("p"));
    assert_int_equal(onward_token_mint(minter, &opts, ONWARD_STR(""), -1, text,
                                       sizeof(text)),
                     ONWARD_EINVAL);
    assert_int_equal(onward_token_mint(minter, &opts, ONWARD_STR(""),
                                       INT64_C(4294967296), text, sizeof(text)),
                     ONWARD_EINVAL);
    opts.mac_len = 7;
    assert_int_equal(
        onward_token_mint(minter, &opts, ONWARD_STR(""), 0, text, sizeof(text)),
        ONWARD_EINVAL);
    opts.mac_len = 32;
    opts.form = 2;
    assert_int_equal(
        onward_token_mint(minter, &opts, ONWARD_STR(""), 0, text, sizeof(text)),
        ONWARD_EINVAL);
    opts.form = ONWARD_TOKEN_BASE32;
    assert_int_equal(onward_token_mint(minter, &opts,
                                       (struct onward_str){big, sizeof(big)}, 0,
                                       text, sizeof(text)),
                     ONWARD_ELIMIT);
    /* The longest one. */
    len = onward_token_mint(minter, &opts,
                            (struct onward_str){big, sizeof(big) - 1}, 0, text,
                            sizeof(text));
    assert_true(len > 0 && len < ONWARD_TOKEN_TEXT_MAX);
    assert_int_equal(onward_token_check(minter, &opts,
                                        (struct onward_str){text, (size_t)len},
                                        back, sizeof(back), NULL, &verdict),
                     sizeof(back));
    assert_int_equal(onward_token_check(minter, &opts,
                                        (struct onward_str){text, (size_t)len},
                                        back, 10, NULL, &verdict),
                     ONWARD_ELIMIT);
    assert_string_equal(onward_token_verdict_name(ONWARD_TOKEN_FORGED),
                        "forged");
    assert_string_equal(onward_token_verdict_name(4), "unknown");
    onward_token_minter_free(minter);
    onward_token_minter_free(NULL);
    t_world_clear(&w);
}

static bool make_one(struct t_world *w, void *arg)
{
    struct onward_token_minter *minter = NULL;
    int ret = onward_token_minter_new(w->ctx, &secret, 1, &minter);

    (void)arg;
    onward_token_minter_free(minter);
    return ret == 0;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(make_one, NULL);
}

static void test_wiped(void **state)
{
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    w.secret = secret.data;
    onward_token_minter_free(new_minter(&w, &secret, 1));
    assert_int_equal(w.leaks, 0);
    t_world_clear(&w);
}

/* ---- Tagged senders ---------------------------------------------------- */

#define TAGGED "prvs=9525f46e17=User@Example.com"

static const struct untag_row {
    const char *name;
    const char *recipient;
    int64_t day; /* from the one it was made on */
    int want;
} untag_rows[] = {
    {"untag: as it was made", TAGGED, 0, ONWARD_TOKEN_OK},
    {"untag: folded", "PRVS=9525F46E17=user@example.COM", 0, ONWARD_TOKEN_OK},
    {"untag: on its last day", TAGGED, 7, ONWARD_TOKEN_OK},
    {"untag: a day late", TAGGED, 8, ONWARD_TOKEN_EXPIRED},
    {"untag: years late", TAGGED, 900, ONWARD_TOKEN_EXPIRED},
    {"untag: other user", "prvs=9525f46e17=root@Example.com", 0,
     ONWARD_TOKEN_FORGED},
    {"untag: other domain", "prvs=9525f46e17=User@Example.org", 0,
     ONWARD_TOKEN_FORGED},
    {"untag: other day", "prvs=9526f46e17=User@Example.com", 0,
     ONWARD_TOKEN_FORGED},
    {"untag: other key", "prvs=8525f46e17=User@Example.com", 0,
     ONWARD_TOKEN_FORGED},
    {"untag: other signature", "prvs=9525f46e18=User@Example.com", 0,
     ONWARD_TOKEN_FORGED},
    {"untag: no number", "prvs=x525f46e17=User@Example.com", 0,
     ONWARD_TOKEN_FORGED},
    {"untag: cut", "prvs=9525f46e1=User@Example.com", 0,
     ONWARD_TOKEN_MALFORMED},
    {"untag: nobody", "prvs=9525f46e17=@Example.com", 0,
     ONWARD_TOKEN_MALFORMED},
    {"untag: no tag", "User@Example.com", 0, ONWARD_TOKEN_MALFORMED},
    {"untag: no address", "prvs=9525f46e17=User", 0, ONWARD_TOKEN_MALFORMED},
    {"untag: empty", "", 0, ONWARD_TOKEN_MALFORMED},
};

static void test_untag(void **state)
{
    const struct untag_row *row = *state;
    char out[ONWARD_TOKEN_ADDRESS_MAX] = "untouched";
    struct onward_token_minter *minter;
    struct t_world w = {0};
    int verdict = -1, len;

    t_world_init(&w);
    minter = new_minter(&w, &secret, 1);
    w.now_s += row->day * 86400;
    len = onward_token_untag_sender(minter, onward_str_of(row->recipient), out,
                                    sizeof(out), &verdict);
    assert_int_equal(verdict, row->want);
    assert_int_equal(len > 0, verdict == ONWARD_TOKEN_OK);
    if (len > 0)
        assert_string_equal(out, row->recipient + 16);
    else
        assert_string_equal(out, "untouched");
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

#define A48 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct tag_row {
    const char *name;
    const char *sender;
    size_t days;
    int want; /* 0: any length */
} tag_rows[] = {
    {"tag: 64 octets", A48 "@example.com", 7, 0},
    {"tag: 65 octets", A48 "a@example.com", 7, ONWARD_ELIMIT},
    {"tag: quoted", "\"a b\"@example.com", 7, ONWARD_ESYNTAX},
    {"tag: line end", "a\r\n@example.com", 7, ONWARD_ESYNTAX},
    {"tag: no domain", "user", 7, ONWARD_ESYNTAX},
    {"tag: no life", "user@example.com", 0, ONWARD_EINVAL},
    {"tag: long life", "user@example.com", 101, ONWARD_EINVAL},
};

static void test_tag(void **state)
{
    const struct tag_row *row = *state;
    char out[ONWARD_TOKEN_ADDRESS_MAX];
    struct onward_token_minter *minter;
    struct t_world w = {0};
    int ret;

    t_world_init(&w);
    minter = new_minter(&w, &secret, 1);
    ret = onward_token_tag_sender(minter, onward_str_of(row->sender), row->days,
                                  out, sizeof(out));
    if (row->want == 0)
        assert_int_equal(ret, strlen(row->sender) + 16);
    else
        assert_int_equal(ret, row->want);
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

static void test_tag_sender(void **state)
{
    char out[ONWARD_TOKEN_ADDRESS_MAX];
    struct onward_token_minter *minter;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    minter = new_minter(&w, &secret, 1);
    assert_int_equal(onward_token_tag_sender(minter,
                                             ONWARD_STR("User@Example.com"), 7,
                                             out, sizeof(out)),
                     strlen(TAGGED));
    assert_string_equal(out, TAGGED);
    /* Once only, and never the null path. */
    assert_int_equal(onward_token_tag_sender(minter, ONWARD_STR(TAGGED), 7, out,
                                             sizeof(out)),
                     strlen(TAGGED));
    assert_string_equal(out, TAGGED);
    assert_int_equal(
        onward_token_tag_sender(minter, ONWARD_STR(""), 7, out, sizeof(out)),
        0);
    assert_int_equal(onward_token_tag_sender(minter, ONWARD_STR(""), 7, out,
                                             sizeof(out) - 1),
                     ONWARD_EINVAL);
    onward_token_minter_free(minter);
    t_world_clear(&w);
}

/* ---- A list of all of them --------------------------------------------- */

#define ADD(table, function)                                                   \
    for (size_t i = 0; i < COUNT(table); i++)                                  \
        tests[n++] = (struct CMUnitTest)                                       \
        {                                                                      \
            .name = table[i].name, .test_func = function,                      \
            .initial_state = (void *)&table[i]                                 \
        }

int main(void)
{
    static struct CMUnitTest
        tests[COUNT(rows) + COUNT(untag_rows) + COUNT(tag_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_neighbours), cmocka_unit_test(test_bindings),
        cmocka_unit_test(test_life),       cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_arguments),  cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_wiped),      cmocka_unit_test(test_tag_sender),
    };
    size_t n = 0;

    ADD(rows, test_row);
    ADD(untag_rows, test_untag);
    ADD(tag_rows, test_tag);
    return cmocka_run_group_tests_name("rows", tests, NULL, NULL) +
           cmocka_run_group_tests_name("others", others, NULL, NULL);
}
