#include "support/support.h"

#include <onward/dkim.h>

/* Keys of RFC 8463 appendix A.2 and of RFC 6376 appendix C (1024 bits), and one
 * of 512 bits. */
#define ED "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RSA                                                                    \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1" \
    "fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR" \
    "+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
#define SHORT                                                                  \
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKVYTbdyeFjQR9FWqSy5wM9Py4HPUlSNyH"       \
    "cjL+45YpfvWjOokfh7cmN6RIgjh5MWevrT6KkG6qDTugSOCalzacsCAwEAAQ=="

static const struct row {
    const char *name;
    const char *record; /* ^ stands in front of the octet of the fault */
    int want;
    size_t reason;
    size_t is_void;
} rows[] = {
    {"good", "v=DKIM1; k=ed25519; p=" ED, 0, 0, 0},
    {"all that is good", "v=DKIM1;h=sha256;k=ed25519;n=x;s=email;t=s;p=" ED, 0,
     0, 0},
    {"unknown tags", "v=DKIM1; k=ed25519; zz=1; p=" ED "; y=", 0, 0, 0},
    {"white space in the key",
     "v=DKIM1; k=ed25519; p= 11qYAYKxCrfVS/7TyWQHOg "
     "7hcvPapiMlrwIaaPcHURo= ; ",
     0, 0, 0},
    {"SPF", "v=spf1 -all", ONWARD_ENOENT, 0, 0},
    {"DMARC", "v=DMARC1; p=none", ONWARD_ENOENT, 0, 0},
    {"text", "hello world", ONWARD_ENOENT, 0, 0},
    {"nothing", "", ONWARD_ENOENT, 0, 0},
    /* Void. */
    {"no tag list behind the version", "v=DKIM1; k ^ed25519; p=" ED,
     ONWARD_ESYNTAX, ONWARD_DKIM_REASON_KEY_SYNTAX, 1},
    {"a tag twice", "v=DKIM1; k=ed25519; p=" ED "; ^k=ed25519", ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SYNTAX, 1},
    {"version 2", "v=^DKIM2; p=" RSA, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SYNTAX, 1},
    {"escaped semicolon", "v=^DKIM1\\; k=ed25519; p=" ED, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SYNTAX, 1},
    {"version not first", "k=ed25519; v=^DKIM1; p=" ED, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SYNTAX, 1},
    {"no key", "v=DKIM1; k=rsa;^", ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SYNTAX, 1},
    {"revoked", "v=DKIM1; p=^", ONWARD_ESYNTAX, ONWARD_DKIM_REASON_KEY_REVOKED,
     1},
    {"unknown type", "v=DKIM1; k=^dsa; p=" ED, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_TYPE, 1},
    {"sha1 alone", "v=DKIM1; h=^sha1; p=" RSA, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_HASH, 1},
    {"other service", "v=DKIM1; s= ^tlsrpt; p=" RSA, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SERVICE, 1},
    {"quotes in the key", "v=DKIM1; k=ed25519; p=11qYAYKxCrfV^\"S/7TyWQHOg",
     ONWARD_ESYNTAX, ONWARD_DKIM_REASON_KEY_SYNTAX, 1},
    {"key cut short", "v=DKIM1; k=ed25519; p=^11qYAYKxCrfVS/7TyWQH",
     ONWARD_ESYNTAX, ONWARD_DKIM_REASON_KEY_SYNTAX, 1},
    {"one base64 octet too many", "v=DKIM1; k=ed25519; p=11qYAYKxC^",
     ONWARD_ESYNTAX, ONWARD_DKIM_REASON_KEY_SYNTAX, 1},
    {"RSA key for Ed25519", "v=DKIM1; k=ed25519; p=^" RSA, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SYNTAX, 1},
    {"512 bits", "v=DKIM1; p=^" SHORT, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SIZE, 1},
    /* Better changed. */
    {"no version", "^k=ed25519; p=" ED, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SYNTAX, 0},
    {"1024 bits", "v=DKIM1; p=^" RSA, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SIZE, 0},
    {"test mode", "v=DKIM1; t=^s:y; k=ed25519; p=" ED, ONWARD_ESYNTAX, 0, 0},
    {"sha1 too", "v=DKIM1; h=^sha256:sha1; p=" RSA, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_HASH, 0},
    {"granularity", "v=DKIM1; ^g=*; k=ed25519; p=" ED, ONWARD_ESYNTAX,
     ONWARD_DKIM_REASON_KEY_SYNTAX, 0},
    {"what is void comes first", "v=DKIM1; g=*; h=sha1:sha256; p=^",
     ONWARD_ESYNTAX, ONWARD_DKIM_REASON_KEY_REVOKED, 1},
};

/* The record without its mark, and where that stood. */
static struct onward_str unmark(const char *text, char *out, size_t *at)
{
    size_t len = strlen(text);
    const char *mark = strchr(text, '^');

    assert_true(len < 1000);
    *at = mark == NULL ? SIZE_MAX : (size_t)(mark - text);
    if (mark == NULL) {
        memcpy(out, text, len);
        return (struct onward_str){out, len};
    }
    memcpy(out, text, *at);
    memcpy(out + *at, mark + 1, len - *at - 1);
    return (struct onward_str){out, len - 1};
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dkim_fault fault = {.size = sizeof(fault), .offset = 4711};
    struct t_world w;
    char text[1000];
    size_t at;
    struct onward_str record = unmark(row->record, text, &at);

    t_world_init(&w);
    assert_int_equal(onward_dkim_lint(w.ctx, record, NULL), row->want);
    assert_int_equal(onward_dkim_lint(w.ctx, record, &fault), row->want);
    if (row->want == ONWARD_ESYNTAX) {
        assert_int_equal(fault.offset, at);
        assert_int_equal(fault.reason, row->reason);
        assert_int_equal(fault.is_void, row->is_void);
        assert_true(strlen(fault.text) > 0);
    } else {
        assert_int_equal(fault.offset, 4711);
    }
    t_world_clear(&w);
}

static void test_a_shorter_fault(void **state)
{
    struct onward_dkim_fault fault = {
        .size = offsetof(struct onward_dkim_fault, text), .reason = 4711};
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_dkim_lint(w.ctx, ONWARD_STR("v=DKIM1; p="), &fault),
                     ONWARD_ESYNTAX);
    assert_int_equal(fault.offset, 11);
    assert_int_equal(fault.reason, 4711);
    t_world_clear(&w);
}

/* ---- The text of a record ---------------------------------------------- */

static void check_record(struct onward_key *key,
                         const struct onward_dkim_record_opts *opts,
                         const char *want)
{
    const struct onward_pubkey *pub = onward_key_public(key);
    char text[1000] = "untouched";
    int len = (int)strlen(want);

    assert_int_equal(onward_dkim_record(pub, opts, text, (size_t)len),
                     ONWARD_ELIMIT);
    assert_string_equal(text, "untouched");
    assert_int_equal(onward_dkim_record(pub, opts, text, (size_t)len + 1), len);
    assert_string_equal(text, want);
}

/* RFC 8463 appendix A.2. */
static void test_record(void **state)
{
    static const unsigned char seed[32] = {
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
        0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
        0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
    struct onward_dkim_record_opts opts = {.size = sizeof(opts)};
    struct {
        struct onward_dkim_record_opts known;
        size_t unknown;
    } newer = {.known = {.size = sizeof(newer)}, .unknown = 1};
    struct onward_key *key = NULL;
    struct t_world w;
    char text[1000];

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_key_from_ed25519_seed(w.ctx, seed, sizeof(seed), &key), 0);
    check_record(key, NULL, "v=DKIM1; k=ed25519; p=" ED);
    check_record(key, &opts, "v=DKIM1; k=ed25519; p=" ED);
    opts.is_test = 1;
    check_record(key, &opts, "v=DKIM1; k=ed25519; t=y; p=" ED);
    opts.is_strict = 1;
    check_record(key, &opts, "v=DKIM1; k=ed25519; t=y:s; p=" ED);
    opts.is_test = 0;
    check_record(key, &opts, "v=DKIM1; k=ed25519; t=s; p=" ED);
    assert_int_equal(onward_dkim_record(onward_key_public(key), &newer.known,
                                        text, sizeof(text)),
                     ONWARD_EVERSION);
    onward_key_free(key);
    t_world_clear(&w);
}

/* What we write for a new key has no fault, in one string or in several. */
static void test_record_of_a_new_key(void **state)
{
    struct onward_key *key = NULL;
    struct t_world w;
    char text[1000], strings[4100];
    int len;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_key_generate(w.ctx, ONWARD_KEY_RSA, 2048, &key), 0);
    len = onward_dkim_record(onward_key_public(key), NULL, text, sizeof(text));
    assert_true(len > 390 && len < 430);
    assert_memory_equal(text, "v=DKIM1; k=rsa; p=MII", 21);
    assert_int_equal(
        onward_dkim_lint(w.ctx, (struct onward_str){text, (size_t)len}, NULL),
        0);
    /* Two strings: four quotes and a space. */
    assert_int_equal(
        onward_dns_txt_strings((struct onward_str){text, (size_t)len}, strings,
                               sizeof(strings)),
        len + 5);
    onward_key_free(key);
    t_world_clear(&w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    int err =
        onward_dkim_lint(w->ctx, ONWARD_STR("v=DKIM1; k=ed25519; p=" ED), NULL);

    (void)arg;
    assert_true(err == 0 || err == ONWARD_ENOMEM);
    return err == 0;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0]) + 4] = {
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_a_shorter_fault), cmocka_unit_test(test_record),
        cmocka_unit_test(test_record_of_a_new_key)};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tests[4 + i] = (struct CMUnitTest){.name = rows[i].name,
                                           .test_func = test_row,
                                           .initial_state = (void *)&rows[i]};
    }
    return _cmocka_run_group_tests(
        "dkim lint", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
