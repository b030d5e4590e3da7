/*
 * A message as JSON, and signatures: the values of the signatures are those of
 * the specification and of Python's hmac; the forwarder's tests read the JSON
 * with Python.
 */
#include <onward/webhook.h>

#include "core/json_shared.h"
#include "support/support.h"

#define HEAD                                                                   \
    "From: =?utf-8?q?J=C3=BCrgen?= <j@a.example>, \"B, b\" <b@a.example>\r\n"  \
    "To: me@b.example\r\n"                                                     \
    "Subject: =?iso-8859-1?q?gr=FC=DFe?=\r\n an dich\r\n"                      \
    "Message-ID: <1@a.example>\r\n"                                            \
    "MIME-Version: 1.0\r\n"

#define MIXED                                                                  \
    HEAD "Content-Type: multipart/mixed; boundary=o\r\n\r\n"                   \
         "--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"      \
         "--i\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"             \
         "Content-Transfer-Encoding: quoted-printable\r\n\r\nf=FCr\r\n"        \
         "--i\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n--i--\r\n"         \
         "--o\r\nContent-Type: application/pdf; name=\"a \\\"b\\\".pdf\"\r\n"  \
         "Content-Disposition: attachment\r\nContent-ID: <c@a.example>\r\n"    \
         "Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n"               \
         "--o\r\nContent-Type: message/rfc822\r\n\r\n"                         \
         "Subject: in it\r\n\r\nhello\r\n--o--\r\n"

/* A path into the JSON text, and what stands there: text, or a word for what is
 * no text. */
static const struct row {
    const char *name, *message, *path, *want;
} rows[] = {
    {"the version", HEAD "\r\nx", "version", "1"},
    {"the time", HEAD "\r\nx", "time", "2020-09-13T12:26:40Z"},
    {"the hook", HEAD "\r\nx", "hook", "tickets"},
    {"the sender", HEAD "\r\nx", "envelope.from", "ann@a.example"},
    {"the recipient", HEAD "\r\nx", "envelope.to", "me@b.example"},
    {"the client", HEAD "\r\nx", "client.ip", "192.0.2.1"},
    {"its name", HEAD "\r\nx", "client.helo", "mx.a.example"},
    {"no verdict", HEAD "\r\nx", "verdict", "null"},
    {"can be forwarded", HEAD "\r\nx", "canBeForwarded", "true"},
    {"octets as they came", "A: b\r\n\r\n\1", "raw", "QTogYg0KDQoB"},
    {"their number", "A: b\r\n\r\n\1", "rawSize", "9"},
    {"a field", HEAD "\r\nx", "headers.1.name", "To"},
    {"a value, decoded on one line", HEAD "\r\nx", "headers.2.value",
     "gr\303\274\303\237e an dich"},
    {"the subject", HEAD "\r\nx", "subject", "gr\303\274\303\237e an dich"},
    {"the id", HEAD "\r\nx", "messageId", "<1@a.example>"},
    {"none", HEAD "\r\nx", "inReplyTo", "null"},
    {"an author's name", HEAD "\r\nx", "from.0.name", "J\303\274rgen"},
    {"an author", HEAD "\r\nx", "from.0.address", "j@a.example"},
    {"another's, without quotes", HEAD "\r\nx", "from.1.name", "B, b"},
    {"no name", HEAD "\r\nx", "to.0.name", "null"},
    {"nobody", HEAD "\r\nx", "cc", "[]"},
    {"what is no list of addresses", "To: a b c <\r\n\r\nx", "to", "[]"},
    {"plain text", HEAD "\r\nhello\r\n", "text", "hello\r\n"},
    {"no HTML", HEAD "\r\nhello\r\n", "html", "null"},
    {"no attachment", HEAD "\r\nhello\r\n", "attachments", "[]"},
    {"text of a part", MIXED, "text", "f\303\274r"},
    {"HTML of a part", MIXED, "html", "<b>x</b>"},
    {"a file", MIXED, "attachments.0.filename", "a \"b\".pdf"},
    {"its type", MIXED, "attachments.0.type", "application/pdf"},
    {"its disposition", MIXED, "attachments.0.disposition", "attachment"},
    {"its id", MIXED, "attachments.0.contentId", "c@a.example"},
    {"its size", MIXED, "attachments.0.size", "4"},
    {"its octets", MIXED, "attachments.0.content", "JVBERg=="},
    {"a message in it", MIXED, "attachments.1.type", "message/rfc822"},
    {"all of that", MIXED, "attachments.1.content",
     "U3ViamVjdDogaW4gaXQNCg0KaGVsbG8="},
    {"no more", MIXED, "attachments.2", "missing"},
    {"well-formed", MIXED, "malformed", "false"},
    {"HTML alone", "Content-Type: text/html\r\n\r\n<p>", "text", "null"},
    {"an attached text is no text", "Content-Disposition: attachment\r\n\r\nx",
     "text", "null"},
    {"it is an attachment", "Content-Disposition: attachment\r\n\r\nx",
     "attachments.0.content", "eA=="},
    {"a charset that nobody knows",
     "Content-Type: text/plain; charset=x-none\r\n\r\na\377b", "text",
     "a\357\277\275b"},
    {"two readings",
     "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx",
     "malformed", "true"},
    {"no header", "\r\nx", "text", "x"},
    {"only a header", "Subject: x", "subject", "x"},
    {"no field at all", "x", "headers", "[]"},
};

struct fixture {
    struct t_world w;
    struct onward_webhook *hook;
};

static int make(struct fixture *f, struct onward_str message, size_t max_bytes)
{
    struct onward_ip ip = {.family = 4, .octets = {192, 0, 2, 1}};
    const struct onward_webhook_facts facts = {
        .size = sizeof(facts),
        .message = message,
        .hook = ONWARD_STR("tickets"),
        .from = ONWARD_STR("ann@a.example"),
        .to = ONWARD_STR("me@b.example"),
        .helo = ONWARD_STR("mx.a.example"),
        .client_ip = &ip,
        .can_be_forwarded = 1,
        .max_bytes = max_bytes};

    return onward_webhook_new(f->w.ctx, &facts, &f->hook);
}

static const struct onward_json *follow(const struct onward_json *v,
                                        const char *path)
{
    while (v != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        char name[40];

        snprintf(name, sizeof(name), "%.*s", (int)len, path);
        if (v->type == ONWARD_JSON_ARRAY) {
            v = v->first;
            for (int i = atoi(name); v != NULL && i > 0; i--)
                v = v->next;
        } else {
            v = onward_json__get(v, name);
        }
        path += len + (path[len] == '.');
    }
    return v;
}

static void check_value(const struct onward_json *v, const char *want)
{
    if (v == NULL) {
        assert_string_equal("missing", want);
        return;
    }
    switch (v->type) {
    case ONWARD_JSON_NULL:
        assert_string_equal("null", want);
        break;
    case ONWARD_JSON_FALSE:
        assert_string_equal("false", want);
        break;
    case ONWARD_JSON_TRUE:
        assert_string_equal("true", want);
        break;
    case ONWARD_JSON_NUMBER:
    case ONWARD_JSON_STRING:
        t_assert_str(v->text, want);
        break;
    case ONWARD_JSON_ARRAY:
        assert_string_equal(v->count == 0 ? "[]" : "[...]", want);
        break;
    case ONWARD_JSON_OBJECT:
        assert_string_equal("{...}", want);
        break;
    }
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_json_fault fault = {0};
    struct onward_arena arena;
    struct onward_json *root = NULL;
    struct fixture f = {.hook = NULL};

    t_world_init(&f.w);
    onward_core__arena_init(&arena, f.w.ctx, SIZE_MAX);
    assert_int_equal(make(&f, onward_str_of(row->message), 0), 0);
    assert_int_equal(onward_json__parse(&arena, onward_webhook_body(f.hook), 10,
                                        &root, &fault),
                     0);
    check_value(follow(root, row->path), row->want);
    check_value(follow(root, "id"), onward_webhook_id(f.hook).data);
    onward_core__arena_clear(&arena);
    onward_webhook_free(f.hook);
    t_world_clear(&f.w);
}

static void test_ids(void **state)
{
    struct fixture f = {.hook = NULL}, g = {.hook = NULL};

    (void)state;
    t_world_init(&f.w);
    g.w.ctx = f.w.ctx;
    assert_int_equal(make(&f, ONWARD_STR("A: b\r\n\r\nx"), 0), 0);
    f.w.now_s += 100;
    assert_int_equal(make(&g, ONWARD_STR("A: b\r\n\r\nx"), 0), 0);
    assert_string_equal(onward_webhook_id(f.hook).data,
                        onward_webhook_id(g.hook).data);
    assert_int_equal(onward_webhook_id(f.hook).len, 36);
    onward_webhook_free(g.hook);
    assert_int_equal(make(&g, ONWARD_STR("A: b\r\n\r\ny"), 0), 0);
    assert_string_not_equal(onward_webhook_id(f.hook).data,
                            onward_webhook_id(g.hook).data);
    onward_webhook_free(g.hook);
    onward_webhook_free(f.hook);
    t_world_clear(&f.w);
}

static void test_errors(void **state)
{
    struct onward_webhook_facts facts = {.size = sizeof(facts)};
    struct fixture f = {.hook = NULL};

    (void)state;
    t_world_init(&f.w);
    assert_int_equal(onward_webhook_new(f.w.ctx, &facts, &f.hook),
                     ONWARD_EINVAL);
    facts.size = 1;
    assert_int_equal(onward_webhook_new(f.w.ctx, &facts, &f.hook),
                     ONWARD_EINVAL);
    assert_int_equal(onward_webhook_new(f.w.ctx, NULL, &f.hook), ONWARD_EINVAL);
    assert_int_equal(make(&f, ONWARD_STR(MIXED), 1000), ONWARD_ELIMIT);
    assert_null(f.hook);
    onward_webhook_free(NULL);
    t_world_clear(&f.w);
}

/* ---- Signatures -------------------------------------------------------- */

#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define BODY "{\"test\": 2432232314}"
#define STANDARD "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STANDARD_WANT "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static const struct sign_row {
    const char *name, *secrets[3];
    int ret;
    const char *want;
} sign_rows[] = {
    {"the specification's example", {STANDARD}, 0, STANDARD_WANT},
    {"octets as they are",
     {"a secret"},
     0,
     "v1,erSEI+Imfi9Cxkkf1dTb8weVmcNQOMUMzaeKy1OUry0="},
    {"padding",
     {"whsec_c2VjcmV0MQ=="},
     0,
     "v1,C+CwFh5LCkFBJ/MohB61q7tDaghDhw98zB9vBxYka/o="},
    {"padding left out",
     {"whsec_c2VjcmV0MQ"},
     0,
     "v1,C+CwFh5LCkFBJ/MohB61q7tDaghDhw98zB9vBxYka/o="},
    {"two while they change",
     {STANDARD, "a secret"},
     0,
     STANDARD_WANT " v1,erSEI+Imfi9Cxkkf1dTb8weVmcNQOMUMzaeKy1OUry0="},
    {"none", {NULL}, ONWARD_EINVAL, NULL},
    {"an empty one", {""}, ONWARD_EINVAL, NULL},
    {"an empty one behind another", {STANDARD, ""}, ONWARD_EINVAL, NULL},
    {"empty base64", {"whsec_"}, ONWARD_EINVAL, NULL},
    {"no base64", {"whsec_c2V*cmV0"}, ONWARD_ESYNTAX, NULL},
    {"half a group", {"whsec_c2Vjc"}, ONWARD_ESYNTAX, NULL},
};

static void test_sign(void **state)
{
    const struct sign_row *row = *state;
    struct onward_str secrets[3];
    char out[3 * ONWARD_WEBHOOK_SIGNATURE_MAX];
    size_t count = 0;
    int ret;

    for (; count < 3 && row->secrets[count] != NULL; count++)
        secrets[count] = onward_str_of(row->secrets[count]);
    ret = onward_webhook_sign(ONWARD_STR(ID), 1614265330, ONWARD_STR(BODY),
                              secrets, count, out, sizeof(out));
    if (row->want == NULL) {
        assert_int_equal(ret, row->ret);
        return;
    }
    assert_string_equal(out, row->want);
    assert_int_equal(ret, (int)strlen(row->want));
    assert_int_equal(
        onward_webhook_sign(ONWARD_STR(ID), 0, ONWARD_STR(BODY), secrets, count,
                            out, count * ONWARD_WEBHOOK_SIGNATURE_MAX - 1),
        ONWARD_ELIMIT);
}

static void test_long_secrets(void **state)
{
    char out[ONWARD_WEBHOOK_SIGNATURE_MAX], text[700];
    struct onward_str secret = {text, 256};

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(onward_webhook_sign(ONWARD_STR(ID), 0, ONWARD_STR(BODY),
                                         &secret, 1, out, sizeof(out)),
                     47);
    secret.len = 257;
    assert_int_equal(onward_webhook_sign(ONWARD_STR(ID), 0, ONWARD_STR(BODY),
                                         &secret, 1, out, sizeof(out)),
                     ONWARD_ELIMIT);
    memcpy(text, "whsec_", 6);
    for (secret.len = 7; secret.len <= sizeof(text); secret.len++) {
        int ret = onward_webhook_sign(ONWARD_STR(ID), 0, ONWARD_STR(BODY),
                                      &secret, 1, out, sizeof(out));

        assert_true(ret == 47 || ret == ONWARD_ELIMIT || ret == ONWARD_ESYNTAX);
    }
}

/* ---- Out of memory ----------------------------------------------------- */

static bool scenario(struct t_world *w, void *arg)
{
    struct fixture f = {.w = *w};
    bool ok = make(&f, ONWARD_STR(MIXED), 0) == 0;

    (void)arg;
    onward_webhook_free(f.hook);
    return ok;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(scenario, NULL);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void)
{
    static struct CMUnitTest tests[80];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    for (size_t i = 0; i < COUNT(sign_rows); i++)
        tests[n++] = (struct CMUnitTest){.name = sign_rows[i].name,
                                         .test_func = test_sign,
                                         .initial_state =
                                             (void *)(uintptr_t)&sign_rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_ids);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_errors);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_long_secrets);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_oom);
    return _cmocka_run_group_tests("webhook", tests, n, NULL, NULL);
}
