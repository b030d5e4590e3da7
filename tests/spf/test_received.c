/* Received-SPF: what is written, what is read, and that one reads the other. */
#include <onward/spf.h>

#include "support/support.h"

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_spf_check *check;
};

static const char zone[] = "e.example TXT \"v=spf1 ip4:192.0.2.0/24 ~all\"\n"
                           "d.example TXT \"v=spf1 ip4:198.51.100.1\"\n"
                           "b.example TXT \"v=spf1 nonsense\"\n";

static void begin(struct world *x, const char *ip, struct onward_str mail_from,
                  struct onward_str helo, size_t identity)
{
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    struct onward_ip client;
    const struct onward_spf_opts o = {.size = sizeof(o),
                                      .identity = identity,
                                      .client_ip = &client,
                                      .mail_from = mail_from,
                                      .helo = helo,
                                      .receiver = ONWARD_STR("mx.example.org")};

    t_world_init(&x->w);
    assert_int_equal(onward_ip_parse(onward_str_of(ip), &client), 0);
    assert_int_equal(onward_desk_new(x->w.ctx, NULL, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, &ro, NULL, &x->resolver), 0);
    assert_int_equal(
        onward_resolver_load(x->resolver, onward_str_of(zone), NULL), 0);
    assert_int_equal(onward_spf_check_new(x->resolver, &o, NULL, &x->check), 0);
}

static void run(struct world *x)
{
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}

static void end(struct world *x)
{
    onward_spf_check_free(x->check);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static const struct write_row {
    const char *name;
    const char *ip, *mail_from, *helo;
    size_t identity;
    const char *want;
} write_rows[] = {
    {"pass", "192.0.2.9", "a@e.example", "m.e.example", ONWARD_SPF_MAIL_FROM,
     "Received-SPF: pass\r\n"
     " (mx.example.org: a mechanism matched)\r\n"
     " identity=mailfrom; client-ip=192.0.2.9; helo=m.e.example;\r\n"
     " envelope-from=\"a@e.example\"; receiver=mx.example.org;\r\n"
     " mechanism=\"ip4:192.0.2.0/24\"\r\n"},
    {"HELO, IPv6, no match", "2001:db8::1", "a@e.example", "d.example",
     ONWARD_SPF_HELO,
     "Received-SPF: neutral\r\n"
     " (mx.example.org: no mechanism matched)\r\n"
     " identity=helo; client-ip=\"2001:db8::1\"; helo=d.example;\r\n"
     " receiver=mx.example.org; mechanism=default\r\n"},
    {"null reverse-path, broken record", "192.0.2.9", "", "b.example",
     ONWARD_SPF_MAIL_FROM,
     "Received-SPF: permerror\r\n"
     " (mx.example.org: the SPF record is malformed)\r\n"
     " identity=mailfrom; client-ip=192.0.2.9; helo=b.example; "
     "envelope-from=\"\";\r\n"
     " receiver=mx.example.org; problem=\"the SPF record is malformed\"\r\n"},
    {"hostile names stay in their quotes", "192.0.2.9",
     "\"a\\\"; x=y\r\nBcc: b\"@e.example", "h\r\n (x", 0,
     "Received-SPF: pass\r\n"
     " (mx.example.org: a mechanism matched)\r\n"
     " identity=mailfrom; client-ip=192.0.2.9; helo=\"h?? (x\";\r\n"
     " envelope-from=\"\\\"a\\\\\\\"; x=y??Bcc: b\\\"@e.example\"; "
     "receiver=mx.example.org;\r\n"
     " mechanism=\"ip4:192.0.2.0/24\"\r\n"},
};

static void test_write(void **state)
{
    const struct write_row *row = *state;
    char text[ONWARD_SPF_RECEIVED_MAX] = "";
    struct world x;
    int len;

    begin(&x, row->ip, onward_str_of(row->mail_from), onward_str_of(row->helo),
          row->identity);
    assert_int_equal(onward_spf_check_received(x.check, text, sizeof(text)),
                     ONWARD_ESTATE);
    run(&x);
    len = onward_spf_check_received(x.check, text, sizeof(text));
    assert_true(len > 0);
    t_assert_str_n((struct onward_str){.data = text, .len = (size_t)len},
                   row->want, strlen(row->want));
    assert_int_equal(onward_spf_check_received(x.check, text, (size_t)len - 1),
                     ONWARD_ELIMIT);
    end(&x);
}

/* Any octets, any length: it is one field, and our reader gets them back. */
static void test_what_is_written_can_be_read(void **state)
{
    char path[2000], helo[1000];
    uint64_t random = 7;

    (void)state;
    for (size_t round = 0; round < 200; round++) {
        struct onward_str value = {.data = path, .len = round * 10 % 2000};
        struct onward_spf_received *got = NULL;
        char text[ONWARD_SPF_RECEIVED_MAX];
        struct world x;
        int len;

        for (size_t i = 0; i < sizeof(path); i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            path[i] = (char)(random >> 40);
            helo[i % sizeof(helo)] = "\"\\();= a\r\n"[(random >> 50) % 10];
        }
        begin(&x, "192.0.2.9", value,
              (struct onward_str){.data = helo, .len = sizeof(helo)}, 0);
        run(&x);
        len = onward_spf_check_received(x.check, text, sizeof(text));
        assert_true(len > 0);
        for (int i = 0, line = 0; i < len; i++, line++) {
            if (text[i] == '\n')
                line = 0;
            assert_true(line < 998);
            assert_true(text[i] != '\n' || text[i - 1] == '\r');
            assert_true(text[i] != '\n' || i + 1 == len || text[i + 1] == ' ');
            assert_true((unsigned char)text[i] < 0x7f);
        }
        assert_int_equal(
            onward_spf_received_parse(
                x.w.ctx,
                (struct onward_str){.data = text + 13, .len = (size_t)len - 13},
                &got),
            0);
        assert_int_equal(onward_spf_received_result(got),
                         onward_spf_check_result(x.check));
        t_assert_str(onward_spf_received_value(got, ONWARD_STR("client-ip")),
                     "192.0.2.9");
        t_assert_str(onward_spf_received_value(got, ONWARD_STR("identity")),
                     "mailfrom");
        for (size_t i = 0; i < sizeof(helo) && i < 320; i++) {
            char want = helo[i] == '\r' || helo[i] == '\n' ? '?' : helo[i];

            assert_int_equal(
                onward_spf_received_value(got, ONWARD_STR("helo")).data[i],
                want);
        }
        onward_spf_received_free(got);
        end(&x);
    }
}

static const struct read_row {
    const char *name, *value;
    int ret, result;
    const char *key, *want;
} read_rows[] = {
    /* RFC 7208 section 9.1, as printed. */
    {"read: RFC 7208, first example",
     " pass (mybox.example.org: domain of\r\n"
     " myname@example.com designates 192.0.2.1 as permitted sender)\r\n"
     "    receiver=mybox.example.org; client-ip=192.0.2.1;\r\n"
     "    envelope-from=\"myname@example.com\"; helo=foo.example.com;\r\n",
     0, ONWARD_SPF_PASS, "envelope-from", "myname@example.com"},
    {"read: RFC 7208, second example",
     " fail (mybox.example.org: domain of\r\n"
     "                  myname@example.com does not designate\r\n"
     "                  192.0.2.1 as permitted sender)\r\n"
     "                  identity=mailfrom; client-ip=192.0.2.1;\r\n"
     "                  envelope-from=\"myname@example.com\";\r\n",
     0, ONWARD_SPF_FAIL, "IDENTITY", "mailfrom"},
    {"read: RFC 7208, third example",
     " pass (mybox.example.org: domain of\r\n"
     " myname@example.com designates 192.0.2.1 as permitted sender)\r\n"
     "    receiver=mybox.example.org; client-ip=192.0.2.1;\r\n"
     "    mechanism=ip4:192.0.2.1; envelope-from=\"myname@example.com\";\r\n"
     "    helo=foo.example.com;\r\n",
     0, ONWARD_SPF_PASS, "mechanism", "ip4:192.0.2.1"},
    {"read: erratum 5436, a comment and no more", " none (no record)", 0,
     ONWARD_SPF_NONE, "helo", ""},
    {"read: the result alone", "SoftFail", 0, ONWARD_SPF_SOFTFAIL, "helo", ""},
    {"read: quoted pairs", "pass x=\"a\\\"b\\\\;=\"", 0, ONWARD_SPF_PASS, "x",
     "a\"b\\;="},
    {"read: no semicolons", "pass a=b c=d", 0, ONWARD_SPF_PASS, "c", "d"},
    {"read: the first of two counts", "pass a=b; A=c", 0, ONWARD_SPF_PASS, "a",
     "b"},
    {"read: empty quotes", "pass envelope-from=\"\"", 0, ONWARD_SPF_PASS,
     "envelope-from", ""},
    {"read: no result", "(comment)", ONWARD_ESYNTAX, 0, "", ""},
    {"read: another word", "great", ONWARD_ESYNTAX, 0, "", ""},
    {"read: open quotes", "pass a=\"b", ONWARD_ESYNTAX, 0, "", ""},
    {"read: open comment", "pass (a=b", ONWARD_ESYNTAX, 0, "", ""},
    {"read: a key alone", "pass a", ONWARD_ESYNTAX, 0, "", ""},
    {"read: no value", "pass a=; b=c", ONWARD_ESYNTAX, 0, "", ""},
    {"read: nothing", "", ONWARD_ESYNTAX, 0, "", ""},
};

static void test_read(void **state)
{
    const struct read_row *row = *state;
    struct onward_spf_received *got = NULL;
    struct t_world w;

    t_world_init(&w);
    assert_int_equal(
        onward_spf_received_parse(w.ctx, onward_str_of(row->value), &got),
        row->ret);
    if (row->ret == 0) {
        assert_int_equal(onward_spf_received_result(got), row->result);
        t_assert_str(onward_spf_received_value(got, onward_str_of(row->key)),
                     row->want);
    } else {
        assert_null(got);
    }
    onward_spf_received_free(got);
    t_world_clear(&w);
}

static void test_read_is_bounded(void **state)
{
    struct onward_spf_received *got = NULL;
    static char text[100000] = "pass ";
    struct t_world w;

    (void)state;
    t_world_init(&w);
    for (size_t i = 5; i + 4 < sizeof(text); i += 4)
        memcpy(text + i, "a=b;", 4);
    assert_int_equal(
        onward_spf_received_parse(w.ctx, onward_str_of(text), &got),
        ONWARD_ESYNTAX);
    memset(text + 5, '(', sizeof(text) - 6);
    assert_int_equal(
        onward_spf_received_parse(w.ctx, onward_str_of(text), &got),
        ONWARD_ESYNTAX);
    assert_int_equal(onward_spf_received_parse(NULL, ONWARD_STR("pass"), &got),
                     ONWARD_EINVAL);
    assert_true(w.peak_bytes < 300000);
    onward_spf_received_free(NULL);
    t_world_clear(&w);
}

static bool read_one(struct t_world *w, void *arg)
{
    struct onward_spf_received *got = NULL;
    int err = onward_spf_received_parse(
        w->ctx, ONWARD_STR("pass helo=\"h h\"; client-ip=192.0.2.1"), &got);

    (void)arg;
    assert_true(err == 0 || err == ONWARD_ENOMEM);
    onward_spf_received_free(got);
    return err == 0;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(read_one, NULL);
}

int main(void)
{
    enum {
        WRITES = sizeof(write_rows) / sizeof(write_rows[0]),
        READS = sizeof(read_rows) / sizeof(read_rows[0]),
        PLAIN = 3
    };
    struct CMUnitTest tests[PLAIN + WRITES + READS] = {
        cmocka_unit_test(test_what_is_written_can_be_read),
        cmocka_unit_test(test_read_is_bounded),
        cmocka_unit_test(test_out_of_memory),
    };

    for (size_t i = 0; i < WRITES; i++)
        tests[PLAIN + i] = (struct CMUnitTest){
            .name = write_rows[i].name,
            .test_func = test_write,
            .initial_state = (void *)(uintptr_t)&write_rows[i],
        };
    for (size_t i = 0; i < READS; i++)
        tests[PLAIN + WRITES + i] = (struct CMUnitTest){
            .name = read_rows[i].name,
            .test_func = test_read,
            .initial_state = (void *)(uintptr_t)&read_rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
