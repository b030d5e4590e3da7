/* Sender rewriting: what the reference implementations give, and what they
 * should refuse. */
#include <onward/srs.h>

#include "core/json_shared.h"
#include "support/support.h"

#define NOW 1700000000 /* day stamp G3 */

static const struct onward_str secret = {"tops3cr3t", 9};
static const struct onward_str alias = {"fwd.example.net", 15};

/* ---- Conformance ------------------------------------------------------- */

static struct onward_str member(const struct onward_json *of, const char *name)
{
    struct onward_json *value = onward_json__get(of, name);

    assert_non_null(value);
    return value->text;
}

static size_t number(const struct onward_json *of, const char *name)
{
    int64_t value;

    assert_int_equal(onward_json__int(onward_json__get(of, name), &value), 0);
    return (size_t)value;
}

static void run_case(struct t_world *w, const struct onward_json *t)
{
    struct onward_srs_opts opts = {
        .size = sizeof(opts),
        .hash_len = number(t, "hash_length"),
        .hash_min = number(t, "hash_min"),
        .max_age_days = number(t, "max_age"),
        .separator = (unsigned char)member(t, "separator").data[0],
        .always_rewrite =
            onward_json__get(t, "always_rewrite")->type == ONWARD_JSON_TRUE,
        .allow_folded_hash = 1,
        .hash = ONWARD_SRS_SHA1,
    };
    struct onward_str secrets[4], input = member(t, "input");
    struct onward_str want = member(t, "expect");
    char out[ONWARD_SRS_TEXT_MAX];
    int verdict = ONWARD_SRS_OK;
    struct onward_srs *srs;
    size_t count = 0;
    int ret;

    for (struct onward_json *s = onward_json__get(t, "secrets")->first;
         s != NULL; s = s->next)
        secrets[count++] = s->text;
    w->now_s = (int64_t)number(t, "now");
    assert_int_equal(onward_srs_new(w->ctx, secrets, count, &opts, &srs), 0);
    if (onward_core__str_eq(member(t, "op"), ONWARD_STR("forward")))
        ret = onward_srs_forward(srs, input, member(t, "alias"), out,
                                 sizeof(out));
    else
        ret = onward_srs_reverse(srs, input, out, sizeof(out), &verdict);
    if (onward_core__str_eq(want, ONWARD_STR("error"))) {
        if (ret > 0)
            fail_msg("%.*s: took it", (int)member(t, "id").len,
                     member(t, "id").data);
        assert_true(ret < 0 || verdict != ONWARD_SRS_OK);
    } else {
        if (ret < 0 || verdict != ONWARD_SRS_OK)
            fail_msg("%.*s: %d, verdict %d", (int)member(t, "id").len,
                     member(t, "id").data, ret, verdict);
        t_assert_str_n(want, out, (size_t)ret);
        assert_int_equal(out[ret], '\0');
    }
    onward_srs_free(srs);
}

static void test_conformance(void **state)
{
    const char *path = t_conformance("srs/srs.json");
    struct t_world w = {0};
    struct onward_arena arena;
    struct onward_json_fault fault;
    struct onward_json *root;
    size_t len, cases = 0;
    char *text;

    (void)state;
    if (path == NULL)
        skip();
    t_world_init(&w);
    text = t_read_file(path, &len);
    assert_non_null(text);
    onward_core__arena_init(&arena, w.ctx, (size_t)1 << 20);
    assert_int_equal(onward_json__parse(&arena, onward_core__str(text, len), 16,
                                        &root, &fault),
                     0);
    for (struct onward_json *t = onward_json__get(root, "tests")->first;
         t != NULL; t = t->next, cases++)
        run_case(&w, t);
    assert_int_equal(cases, 66);
    onward_core__arena_clear(&arena);
    free(text);
    t_world_clear(&w);
}

/* ---- Rows -------------------------------------------------------------- */

static struct onward_srs *new_srs(struct t_world *w,
                                  const struct onward_srs_opts *opts)
{
    struct onward_srs *srs = NULL;

    w->now_s = NOW;
    assert_int_equal(onward_srs_new(w->ctx, &secret, 1, opts, &srs), 0);
    return srs;
}

/* ONWARD_STR() is no constant for gcc -Wpedantic. */
#define S(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }
#define LONG_LOCAL "a123456789b123456789c123456789d1234567"

static const struct forward_row {
    const char *name;
    struct onward_str sender, alias;
    int want;
} forward_rows[] = {
    {"null path stays", S(""), S("fwd.example.net"), 0},
    {"alias that is no domain", S("u@example.com"), S("fwd example"),
     ONWARD_EINVAL},
    {"empty alias", S("u@example.com"), S(""), ONWARD_EINVAL},
    {"empty local part", S("@example.com"), S("fwd.example.net"),
     ONWARD_ESYNTAX},
    {"empty domain", S("user@"), S("fwd.example.net"), ONWARD_ESYNTAX},
    {"quoted local part", S("\"a b\"@example.com"), S("fwd.example.net"),
     ONWARD_ESYNTAX},
    {"address literal", S("user@[192.0.2.1]"), S("fwd.example.net"),
     ONWARD_ESYNTAX},
    {"CR in the local part", S("us\rer@example.com"), S("fwd.example.net"),
     ONWARD_ESYNTAX},
    {"NUL in the domain", S("user@exam\0ple.com"), S("fwd.example.net"),
     ONWARD_ESYNTAX},
    {"angle bracket", S("us>er@example.com"), S("fwd.example.net"),
     ONWARD_ESYNTAX},
    /* 5 + 5 + 3 + 11 + 1 + 39 = 64 octets of local part */
    {"64 octets of local part", S(LONG_LOCAL "x@example.com"),
     S("fwd.example.net"), 80},
    {"65 octets of local part", S(LONG_LOCAL "xy@example.com"),
     S("fwd.example.net"), ONWARD_ELIMIT},
};

static void test_forward_row(void **state)
{
    const struct forward_row *row = *state;
    struct t_world w = {0};
    struct onward_srs *srs;
    char out[ONWARD_SRS_TEXT_MAX] = "untouched";

    t_world_init(&w);
    srs = new_srs(&w, NULL);
    assert_int_equal(
        onward_srs_forward(srs, row->sender, row->alias, out, sizeof(out)),
        row->want);
    if (row->want < 0)
        assert_string_equal(out, "untouched");
    onward_srs_free(srs);
    t_world_clear(&w);
}

static const struct reverse_row {
    const char *name;
    struct onward_str address;
    uint32_t want;
} reverse_rows[] = {
    {"ours", S("SRS0=TonQ=G3=example.com=user@fwd.example.net"), ONWARD_SRS_OK},
    {"plain", S("user@fwd.example.net"), ONWARD_SRS_NONE},
    {"tag without a separator", S("SRS0x@fwd.example.net"), ONWARD_SRS_NONE},
    {"no domain", S("SRS0=TonQ=G3=example.com=user"), ONWARD_SRS_NONE},
    {"folded hash where that is not allowed",
     S("srs0=tonq=g3=example.com=user@fwd.example.net"), ONWARD_SRS_FORGED},
    {"hash cut short", S("SRS0=Ton=G3=example.com=user@f.example"),
     ONWARD_SRS_FORGED},
    {"empty hash", S("SRS0==G3=example.com=user@f.example"), ONWARD_SRS_FORGED},
    {"another user", S("SRS0=TonQ=G3=example.com=root@f.example"),
     ONWARD_SRS_FORGED},
    {"stamp of three characters", S("SRS0=TonQ=AG3=example.com=user@f.example"),
     ONWARD_SRS_MALFORMED},
    {"stamp outside base32", S("SRS0=TonQ=G0=example.com=user@f.example"),
     ONWARD_SRS_MALFORMED},
    {"no local part", S("SRS0=TonQ=G3=example.com=@f.example"),
     ONWARD_SRS_MALFORMED},
    {"space in the local part", S("SRS0=TonQ=G3=example.com=us er@f.example"),
     ONWARD_SRS_MALFORMED},
    {"too old", S("SRS0=bHRM=GF=example.com=user@fwd.example.net"),
     ONWARD_SRS_EXPIRED},
    {"from tomorrow", S("SRS0=OrZx=G5=example.com=user@fwd.example.net"),
     ONWARD_SRS_EXPIRED},
    /* Python's hmac: SHA-256 over the fields with a NUL behind each. */
    {"ours, SHA-256", S("SRS0=lR42=G3=example.com=user@fwd.example.net"),
     ONWARD_SRS_OK},
    {"a domain that took from the local part",
     S("SRS0=lR42=G3=example.co=muser@fwd.example.net"), ONWARD_SRS_FORGED},
    {"kept, but another stamp", S("SRS0=J8ok=G4=FTARK5XJ63DS2Z7M@f.net"),
     ONWARD_SRS_FORGED},
    {"kept, another id", S("SRS0=J8ok=G3=FTARK5XJ63DS2Z7N@f.net"),
     ONWARD_SRS_FORGED},
    {"kept, a short id", S("SRS0=J8ok=G3=FTARK5XJ63DS2Z7@f.net"),
     ONWARD_SRS_MALFORMED},
    {"SRS1 to another host",
     S("SRS1=hKbV=evil.example.org==AeES=G3=example.com=user@f.net"),
     ONWARD_SRS_FORGED},
    {"SRS1 without an inner separator",
     S("SRS1=hKbV=first.example.org=AeES=G3=example.com=user@f.net"),
     ONWARD_SRS_MALFORMED},
};

static void test_reverse_row(void **state)
{
    const struct reverse_row *row = *state;
    struct t_world w = {0};
    struct onward_srs *srs;
    char out[ONWARD_SRS_TEXT_MAX] = "untouched";
    int verdict = 4711;
    int ret;

    t_world_init(&w);
    srs = new_srs(&w, NULL);
    ret = onward_srs_reverse(srs, row->address, out, sizeof(out), &verdict);
    assert_int_equal(verdict, row->want);
    if (verdict == ONWARD_SRS_OK) {
        assert_string_equal(out, "user@example.com");
        assert_int_equal(ret, 16);
    } else {
        assert_int_equal(ret, 0);
        assert_string_equal(out, "untouched");
    }
    onward_srs_free(srs);
    t_world_clear(&w);
}

/* ---- SHA-256, and senders that the host keeps -------------------------- */

#define KEPT "SRS0=J8ok=G3=FTARK5XJ63DS2Z7M@fwd.example.net"
#define LONG                                                                   \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.com"

static void test_sha256(void **state)
{
    struct onward_srs_opts opts = {.size = sizeof(opts)};
    char out[ONWARD_SRS_TEXT_MAX];
    struct t_world w = {0};
    struct onward_srs *srs;
    int verdict;

    (void)state;
    t_world_init(&w);
    srs = new_srs(&w, NULL);
    assert_true(onward_srs_forward(srs, ONWARD_STR("user@example.com"), alias,
                                   out, sizeof(out)) > 0);
    assert_string_equal(out, "SRS0=lR42=G3=example.com=user@fwd.example.net");
    assert_true(onward_srs_forward(
                    srs,
                    ONWARD_STR("SRS0=AeES=G3=example.com=user@first.example."
                               "org"),
                    alias, out, sizeof(out)) > 0);
    assert_string_equal(out, "SRS1=xASf=first.example.org==AeES=G3=example.com="
                             "user@fwd.example.net");
    onward_srs_free(srs);
    opts.hash_len = 27;
    srs = new_srs(&w, &opts);
    assert_true(onward_srs_forward(srs, ONWARD_STR("user@example.com"), alias,
                                   out, sizeof(out)) > 0);
    assert_string_equal(out, "SRS0=lR42d0ZoSSA8baO1HiCtHA0IFGh=G3=example.com="
                             "user@fwd.example.net");
    onward_srs_free(srs);
    /* What SHA-1 signed is read until somebody says no. */
    opts = (struct onward_srs_opts){.size = sizeof(opts), .refuse_sha1 = 1};
    srs = new_srs(&w, &opts);
    onward_srs_reverse(srs, ONWARD_STR("SRS0=TonQ=G3=example.com=user@fwd.net"),
                       out, sizeof(out), &verdict);
    assert_int_equal(verdict, ONWARD_SRS_FORGED);
    onward_srs_reverse(srs, ONWARD_STR("SRS0=lR42=G3=example.com=user@fwd.net"),
                       out, sizeof(out), &verdict);
    assert_int_equal(verdict, ONWARD_SRS_OK);
    onward_srs_free(srs);
    /* Then there is nothing to refuse. */
    opts.hash = ONWARD_SRS_SHA1;
    srs = new_srs(&w, &opts);
    onward_srs_reverse(srs, ONWARD_STR("SRS0=TonQ=G3=example.com=user@fwd.net"),
                       out, sizeof(out), &verdict);
    assert_int_equal(verdict, ONWARD_SRS_OK);
    onward_srs_free(srs);
    t_world_clear(&w);
}

static void test_kept(void **state)
{
    struct onward_srs_kept kept = {.size = sizeof(kept)};
    char out[ONWARD_SRS_TEXT_MAX];
    struct t_world w = {0};
    struct onward_srs *srs;
    int verdict;

    (void)state;
    t_world_init(&w);
    srs = new_srs(&w, NULL);
    assert_int_equal(
        onward_srs_forward(srs, ONWARD_STR(LONG), alias, out, sizeof(out)),
        ONWARD_ELIMIT);
    assert_int_equal(
        onward_srs_keep(srs, ONWARD_STR(LONG), alias, out, sizeof(out), &kept),
        sizeof(KEPT) - 1);
    assert_string_equal(out, KEPT);
    t_assert_str((struct onward_str){kept.key, kept.key_len},
                 "onward/srs/1/kept/FTARK5XJ63DS2Z7M");
    t_assert_str_n((struct onward_str){kept.value, kept.value_len},
                   "srsk\1\0\0\0" LONG, 8 + sizeof(LONG) - 1);
    assert_int_equal(kept.expires_s, NOW + 22 * 86400);
    assert_int_equal(
        onward_srs_reverse(srs, ONWARD_STR(KEPT), out, sizeof(out), &verdict),
        kept.key_len);
    assert_int_equal(verdict, ONWARD_SRS_KEPT);
    assert_memory_equal(out, kept.key, kept.key_len);
    assert_int_equal(onward_srs_kept_sender(
                         srs, (struct onward_str){kept.value, kept.value_len},
                         out, sizeof(out)),
                     sizeof(LONG) - 1);
    assert_string_equal(out, LONG);
    /* The next forwarder wraps it as it wraps any SRS0, and it fits there. */
    assert_true(onward_srs_forward(srs, ONWARD_STR(KEPT),
                                   ONWARD_STR("second.example"), out,
                                   sizeof(out)) > 0);
    assert_memory_equal(out, "SRS1=", 5);
    assert_string_equal(out + 9, "=fwd.example.net==J8ok=G3=FTARK5XJ63DS2Z7M"
                                 "@second.example");
    onward_srs_free(srs);
    t_world_clear(&w);
}

static void test_kept_folded(void **state)
{
    const struct onward_srs_opts opts = {.size = sizeof(opts),
                                         .allow_folded_hash = 1};
    char out[ONWARD_SRS_TEXT_MAX];
    struct t_world w = {0};
    struct onward_srs *srs;
    int verdict;

    (void)state;
    t_world_init(&w);
    srs = new_srs(&w, &opts);
    onward_srs_reverse(srs, ONWARD_STR("srs0=j8ok=g3=ftark5xj63ds2z7m@fwd.net"),
                       out, sizeof(out), &verdict);
    assert_int_equal(verdict, ONWARD_SRS_KEPT);
    assert_string_equal(out, "onward/srs/1/kept/FTARK5XJ63DS2Z7M");
    w.now_s += 22 * 86400;
    onward_srs_reverse(srs, ONWARD_STR(KEPT), out, sizeof(out), &verdict);
    assert_int_equal(verdict, ONWARD_SRS_EXPIRED);
    onward_srs_free(srs);
    t_world_clear(&w);
}

static const struct keep_row {
    const char *name;
    struct onward_str sender;
    int want; /* 0: any length */
} keep_rows[] = {
    {"keep: quoted", S("\"a b\"@example.com"), 0},
    {"keep: an address literal", S("user@[192.0.2.1]"), 0},
    {"keep: the null path", S(""), ONWARD_ESYNTAX},
    {"keep: two addresses", S("a@example.com> <b@example.com"), ONWARD_ESYNTAX},
    {"keep: a line end", S("a@example.com\r\n"), ONWARD_ESYNTAX},
    {"keep: 65 octets before the @",
     S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
       "@example.com"),
     ONWARD_ESYNTAX},
};

static void test_keep_row(void **state)
{
    const struct keep_row *row = *state;
    struct onward_srs_kept kept = {.size = sizeof(kept), .key_len = 4711};
    char out[ONWARD_SRS_TEXT_MAX] = "untouched";
    struct t_world w = {0};
    struct onward_srs *srs;
    int ret;

    t_world_init(&w);
    srs = new_srs(&w, NULL);
    ret = onward_srs_keep(srs, row->sender, alias, out, sizeof(out), &kept);
    if (row->want == 0) {
        assert_true(ret > 0 && ret - (int)alias.len - 1 <= 64);
        assert_int_equal(kept.value_len, 8 + row->sender.len);
    } else {
        assert_int_equal(ret, row->want);
        assert_string_equal(out, "untouched");
        assert_int_equal(kept.key_len, 4711);
    }
    kept.size = 1;
    assert_int_equal(
        onward_srs_keep(srs, row->sender, alias, out, sizeof(out), &kept),
        ONWARD_EINVAL);
    onward_srs_free(srs);
    t_world_clear(&w);
}

static const struct value_row {
    const char *name;
    struct onward_str value;
    int want;
} value_rows[] = {
    {"value: whole", S("srsk\1\0\0\0a@b.example"), 11},
    {"value: empty", S(""), ONWARD_ESYNTAX},
    {"value: its head alone", S("srsk\1\0\0\0"), ONWARD_ESYNTAX},
    {"value: another kind", S("rlgd\1\0\0\0a@b.example"), ONWARD_ESYNTAX},
    {"value: a later version", S("srsk\2\0\0\0a@b.example"), ONWARD_EVERSION},
    {"value: no address", S("srsk\1\0\0\0a"), ONWARD_ESYNTAX},
    {"value: NUL", S("srsk\1\0\0\0a\0@b.example"), ONWARD_ESYNTAX},
};

static void test_value_row(void **state)
{
    const struct value_row *row = *state;
    char out[ONWARD_SRS_TEXT_MAX];
    struct t_world w = {0};
    struct onward_srs *srs;

    t_world_init(&w);
    srs = new_srs(&w, NULL);
    assert_int_equal(onward_srs_kept_sender(srs, row->value, out, sizeof(out)),
                     row->want);
    assert_int_equal(
        onward_srs_kept_sender(srs, row->value, out, sizeof(out) - 1),
        ONWARD_EINVAL);
    onward_srs_free(srs);
    t_world_clear(&w);
}

/* Rows 63 and 65: BATV senders go through unchanged inside, the alias may be
 * the recipient's domain, and the early form is nothing of ours. The day stands
 * in the order of all other implementations: high digit first. */
static void test_row_63_and_65(void **state)
{
    const struct onward_str batv =
        ONWARD_STR("prvs=1234567890=user@example.com");
    char out[ONWARD_SRS_TEXT_MAX], back[ONWARD_SRS_TEXT_MAX];
    struct t_world w = {0};
    struct onward_srs *srs;
    int verdict;

    (void)state;
    t_world_init(&w);
    srs = new_srs(&w, NULL);
    assert_true(onward_srs_forward(srs, batv, ONWARD_STR("me@rcpt.example"),
                                   out, sizeof(out)) > 0);
    assert_string_equal(out + 9,
                        "=G3=example.com=prvs=1234567890=user@rcpt.example");
    assert_true(onward_srs_reverse(srs, onward_str_of(out), back, sizeof(back),
                                   &verdict) > 0);
    t_assert_str_n(batv, back, strlen(back));
    onward_srs_reverse(srs, ONWARD_STR("user=example.com@rcpt.example"), back,
                       sizeof(back), &verdict);
    assert_int_equal(verdict, ONWARD_SRS_NONE);
    onward_srs_free(srs);
    t_world_clear(&w);
}

/* Ten hops: from the second on the address keeps its length. */
static void test_no_growth(void **state)
{
    static const char *const hops[] = {"h1.example", "h2.example", "h3.example",
                                       "h4.example"};
    char a[ONWARD_SRS_TEXT_MAX], b[ONWARD_SRS_TEXT_MAX] = "u@example.com";
    struct t_world w = {0};
    struct onward_srs *srs;
    int len = 0;

    (void)state;
    t_world_init(&w);
    srs = new_srs(&w, NULL);
    for (int i = 0; i < 10; i++) {
        int now;

        memcpy(a, b, sizeof(a));
        now = onward_srs_forward(srs, onward_str_of(a),
                                 onward_str_of(hops[i % 4]), b, sizeof(b));
        assert_true(now > 0);
        if (i > 1)
            assert_int_equal(now, len);
        len = now;
    }
    onward_srs_free(srs);
    t_world_clear(&w);
}

static void test_broken_contract(void **state)
{
    static const struct onward_srs_opts bad[] = {
        {.size = sizeof(bad[0]), .hash_len = 28},
        {.size = sizeof(bad[0]), .hash_len = 1},
        {.size = sizeof(bad[0]), .hash_len = 4, .hash_min = 5},
        {.size = sizeof(bad[0]), .max_age_days = 1001},
        {.size = sizeof(bad[0]), .separator = '/'},
        {.size = sizeof(bad[0]), .always_rewrite = 2},
        {.size = sizeof(bad[0]), .hash = 2},
        {.size = sizeof(bad[0]), .refuse_sha1 = 2},
    };
    char big[ONWARD_SRS_SECRET_MAX + 1] = {0}, out[ONWARD_SRS_TEXT_MAX];
    struct onward_str none = {NULL, 0};
    struct onward_str much = {big, sizeof(big)};
    struct t_world w = {0};
    struct onward_srs *srs;
    int verdict;

    (void)state;
    t_world_init(&w);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(onward_srs_new(w.ctx, &secret, 1, &bad[i], &srs),
                         ONWARD_EINVAL);
    assert_int_equal(onward_srs_new(w.ctx, &none, 1, NULL, &srs),
                     ONWARD_EINVAL);
    assert_int_equal(onward_srs_new(w.ctx, &much, 1, NULL, &srs),
                     ONWARD_EINVAL);
    assert_int_equal(onward_srs_new(w.ctx, &secret, 0, NULL, &srs),
                     ONWARD_EINVAL);
    srs = new_srs(&w, NULL);
    assert_int_equal(
        onward_srs_forward(srs, secret, alias, out, sizeof(out) - 1),
        ONWARD_EINVAL);
    assert_int_equal(
        onward_srs_reverse(srs, secret, out, sizeof(out) - 1, &verdict),
        ONWARD_EINVAL);
    onward_srs_free(onward_srs_ref(srs));
    onward_srs_free(srs);
    onward_srs_free(NULL);
    t_world_clear(&w);
}

static bool make_one(struct t_world *w, void *arg)
{
    struct onward_srs *srs = NULL;
    bool made = onward_srs_new(w->ctx, &secret, 1, NULL, &srs) == 0;

    (void)arg;
    onward_srs_free(srs);
    return made;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(make_one, NULL);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(onward_srs_verdict_name(ONWARD_SRS_EXPIRED), "expired");
    assert_string_equal(onward_srs_verdict_name(99), "unknown");
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int main(void)
{
    struct CMUnitTest tests[80] = {cmocka_unit_test(test_conformance),
                                   cmocka_unit_test(test_no_growth),
                                   cmocka_unit_test(test_broken_contract),
                                   cmocka_unit_test(test_oom),
                                   cmocka_unit_test(test_names),
                                   cmocka_unit_test(test_sha256),
                                   cmocka_unit_test(test_kept),
                                   cmocka_unit_test(test_kept_folded),
                                   cmocka_unit_test(test_row_63_and_65)};
    size_t n = 9;

    for (size_t i = 0; i < COUNT(forward_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = forward_rows[i].name,
                                .test_func = test_forward_row,
                                .initial_state = (void *)&forward_rows[i]};
    for (size_t i = 0; i < COUNT(reverse_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = reverse_rows[i].name,
                                .test_func = test_reverse_row,
                                .initial_state = (void *)&reverse_rows[i]};
    for (size_t i = 0; i < COUNT(keep_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = keep_rows[i].name,
                                .test_func = test_keep_row,
                                .initial_state = (void *)&keep_rows[i]};
    for (size_t i = 0; i < COUNT(value_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = value_rows[i].name,
                                .test_func = test_value_row,
                                .initial_state = (void *)&value_rows[i]};
    return _cmocka_run_group_tests("srs", tests, n, NULL, NULL);
}
