#include "support/support.h"

#include "dkim/dkim_shared.h"

/* Keys of RFC 8463 appendix A.2 and of RFC 6376 appendix C, and one of 512
 * bits. */
#define ED "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RSA                                                                    \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1" \
    "fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR" \
    "+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
#define PKCS1                                                                  \
    "MIGJAoGBAPAhE/9QLdIGwSYapn1klbf8OQygZ4udCDV9afv/Ni0jE3ZKcUKPE4Iob2/dviNh" \
    "9xM2HmKNKyrrfW4Ei0truh36/9G10LZTMnWVZP3jupH5FxpzaBu2j80yonR/N9WMfg64qGK1" \
    "1j21/qZzAaNo0FxZOggyY9I8N1A81RhyRxDZAgMBAAE="

enum { TEST = 1, STRICT = 2 };

static const struct row {
    const char *name;
    const char *record;
    enum onward_dkim_reason reason; /* NONE: usable */
    uint32_t type;                  /* when usable */
    int flags;
    bool is_record;
} rows[] = {
    {"RSA in SubjectPublicKeyInfo", "v=DKIM1; p=" RSA, ONWARD_DKIM_REASON_NONE,
     ONWARD_KEY_RSA, 0, true},
    {"RSA as RSAPublicKey", "v=DKIM1; p=" PKCS1, ONWARD_DKIM_REASON_NONE,
     ONWARD_KEY_RSA, 0, true},
    {"Ed25519", "v=DKIM1; k=ed25519; p=" ED, ONWARD_DKIM_REASON_NONE,
     ONWARD_KEY_ED25519, 0, true},
    {"all defaults", "p=" RSA, ONWARD_DKIM_REASON_NONE, ONWARD_KEY_RSA, 0,
     true},
    {"all tags", "v=DKIM1;h=sha1:sha256;k=rsa;n=x=20y;s=x:email;t=y:s:z;p=" RSA,
     ONWARD_DKIM_REASON_NONE, ONWARD_KEY_RSA, TEST | STRICT, true},
    {"service star", "v=DKIM1; s=*; p=" RSA, ONWARD_DKIM_REASON_NONE,
     ONWARD_KEY_RSA, 0, true},
    {"unknown tag", "v=DKIM1; g=*; q=1; p=" RSA, ONWARD_DKIM_REASON_NONE,
     ONWARD_KEY_RSA, 0, true},
    {"empty p", "v=DKIM1; t=y; p=", ONWARD_DKIM_REASON_KEY_REVOKED, 0, TEST,
     true},
    {"no p", "v=DKIM1; k=rsa", ONWARD_DKIM_REASON_KEY_SYNTAX, 0, 0, true},
    {"other version", "v=DKIM2; p=" RSA, ONWARD_DKIM_REASON_KEY_SYNTAX, 0, 0,
     false},
    {"version 1.0", "v=DKIM1.0; p=" RSA, ONWARD_DKIM_REASON_KEY_SYNTAX, 0, 0,
     false},
    {"version not first", "p=" RSA "; v=DKIM1", ONWARD_DKIM_REASON_KEY_SYNTAX,
     0, 0, false},
    {"SPF", "v=spf1 ip4:192.0.2.1 -all", ONWARD_DKIM_REASON_KEY_SYNTAX, 0, 0,
     false},
    {"nothing", "", ONWARD_DKIM_REASON_KEY_SYNTAX, 0, 0, false},
    {"text", "hello world", ONWARD_DKIM_REASON_KEY_SYNTAX, 0, 0, false},
    {"unknown type", "k=dsa; p=" RSA, ONWARD_DKIM_REASON_KEY_TYPE, 0, 0, true},
    {"type in capitals", "k=RSA; p=" RSA, ONWARD_DKIM_REASON_KEY_TYPE, 0, 0,
     true},
    {"Ed25519 key named RSA", "k=rsa; p=" ED, ONWARD_DKIM_REASON_KEY_SYNTAX, 0,
     0, true},
    {"RSA key named Ed25519", "k=ed25519; p=" RSA,
     ONWARD_DKIM_REASON_KEY_SYNTAX, 0, 0, true},
    {"sha1 only", "h=sha1; p=" RSA, ONWARD_DKIM_REASON_KEY_HASH, 0, 0, true},
    {"other service", "s=tlsrpt; p=" RSA, ONWARD_DKIM_REASON_KEY_SERVICE, 0, 0,
     true},
    {"p not base64", "p=!!!!", ONWARD_DKIM_REASON_KEY_SYNTAX, 0, 0, true},
    {"p not DER", "p=AAAA", ONWARD_DKIM_REASON_KEY_SYNTAX, 0, 0, true},
    {"512 bits",
     "p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKVYTbdyeFjQR9FWqSy5wM9Py4HPUlSNyH"
     "cjL+45YpfvWjOokfh7cmN6RIgjh5MWevrT6KkG6qDTugSOCalzacsCAwEAAQ==",
     ONWARD_DKIM_REASON_KEY_SIZE, 0, 0, true},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dkim__key key;
    struct t_world w;

    t_world_init(&w);
    assert_int_equal(
        onward_dkim__key_parse(w.ctx, onward_str_of(row->record), &key), 0);
    assert_int_equal(key.verdict.reason, row->reason);
    assert_int_equal(key.verdict.result, row->reason == ONWARD_DKIM_REASON_NONE
                                             ? ONWARD_DKIM_PENDING
                                             : ONWARD_DKIM_PERMERROR);
    assert_int_equal(key.is_record, row->is_record);
    assert_int_equal(key.is_test, (row->flags & TEST) != 0);
    assert_int_equal(key.is_strict, (row->flags & STRICT) != 0);
    if (row->reason == ONWARD_DKIM_REASON_NONE)
        assert_int_equal(onward_pubkey_type(key.pub), row->type);
    if (row->reason == ONWARD_DKIM_REASON_KEY_SIZE)
        assert_int_equal(key.bits, 512);
    onward_dkim__key_clear(&key);
    t_world_clear(&w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    struct onward_dkim__key key;
    int err =
        onward_dkim__key_parse(w->ctx, ONWARD_STR("v=DKIM1; p=" RSA), &key);

    (void)arg;
    assert_true(err == 0 || err == ONWARD_ENOMEM);
    if (err == 0)
        assert_int_equal(key.verdict.reason, ONWARD_DKIM_REASON_NONE);
    onward_dkim__key_clear(&key);
    return err == 0;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0]) + 1] = {
        cmocka_unit_test(test_out_of_memory)};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tests[1 + i] = (struct CMUnitTest){.name = rows[i].name,
                                           .test_func = test_row,
                                           .initial_state = (void *)&rows[i]};
    }
    return _cmocka_run_group_tests("dkim key records", tests,
                                   sizeof(tests) / sizeof(tests[0]), NULL,
                                   NULL);
}
