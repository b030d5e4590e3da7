/* What code may send, as whom and to whom: rows 41 to 48 of the product. */
#include <onward/handler.h>

#include "support/support.h"

#define HEAD                                                                   \
    "From: robot@example.com\r\nMessage-ID: <m@example.com>\r\n"               \
    "Date: Sun, 13 Sep 2020 12:26:40 +0000\r\nSubject: hi\r\n"
#define TO "To: One <one@dest.example>\r\n"

static const char rules_text[] =
    "{\"version\":1,\"zones\":[{\"name\":\"example.com\"},"
    "{\"name\":\"off.example\",\"enabled\":false}],\"addresses\":["
    "{\"email\":\"one@dest.example\",\"verified\":true},"
    "{\"email\":\"two@dest.example\",\"verified\":true},"
    "{\"email\":\"new@dest.example\",\"verified\":null}]}";

struct row {
    const char *name;
    const char *message; /* header; a body is put behind */
    int want;
    const char *from, *to;
    const char *one;     /* binding: the one destination */
    const char *allowed; /* binding: of a list */
    const char *sender;  /* binding: of a list */
    size_t allow_unverified;
};

static const struct row rows[] = {
    {"a message", HEAD TO, 0, NULL, NULL, NULL, NULL, NULL, 0},
    {"with envelope", HEAD TO, 0, "robot@example.com", "two@dest.example", NULL,
     NULL, NULL, 0},
    {"row 41: not verified", HEAD "To: new@dest.example\r\n",
     ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, NULL, NULL, NULL, NULL, NULL, 0},
    {"a host that sends to anybody", HEAD "To: new@dest.example\r\n", 0, NULL,
     NULL, NULL, NULL, NULL, 1},
    {"row 41: the one destination", HEAD TO, 0, NULL, NULL, "one@DEST.example",
     NULL, NULL, 0},
    {"row 41: it is filled in", HEAD, 0, NULL, NULL, "one@dest.example", NULL,
     NULL, 0},
    {"row 41: another one", HEAD TO, ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, NULL,
     NULL, "two@dest.example", NULL, NULL, 0},
    {"row 41: case of a local part", HEAD TO,
     ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, NULL, NULL, "One@dest.example", NULL,
     NULL, 0},
    {"row 41: of the list", HEAD TO, 0, NULL, NULL, NULL, "one@dest.example",
     NULL, 0},
    {"row 41: not of the list", HEAD "To: two@dest.example\r\n",
     ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, NULL, NULL, NULL, "one@dest.example",
     NULL, 0},
    {"row 41: a list makes nobody verified", HEAD "To: new@dest.example\r\n",
     ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, NULL, NULL, NULL, "new@dest.example",
     NULL, 0},
    {"row 42: Cc counts", HEAD TO "Cc: two@dest.example\r\n",
     ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, NULL, NULL, NULL, "one@dest.example",
     NULL, 0},
    {"row 42: Bcc counts", HEAD TO "Bcc: a <two@dest.example>\r\n",
     ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, NULL, NULL, NULL, "one@dest.example",
     NULL, 0},
    {"row 42: those in a group count",
     HEAD TO "Cc: g: one@dest.example, two@dest.example;\r\n",
     ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, NULL, NULL, NULL, "one@dest.example",
     NULL, 0},
    {"row 42: a second To counts", HEAD TO "To: two@dest.example\r\n",
     ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, NULL, NULL, NULL, "one@dest.example",
     NULL, 0},
    {"row 42: also where the envelope goes elsewhere",
     HEAD "To: two@dest.example\r\n", ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED,
     NULL, "one@dest.example", NULL, "one@dest.example", NULL, 0},
    {"row 42: the sender is not of the list", HEAD TO,
     ONWARD_REFUSAL_SENDER_NOT_VERIFIED, NULL, NULL, NULL, NULL,
     "other@example.com", 0},
    {"row 41: the sender is", HEAD TO, 0, NULL, NULL, NULL, NULL,
     "robot@Example.com", 0},
    {"row 43: no zone of ours",
     "From: a@other.example\r\nMessage-ID: <m@x.y>\r\n" TO,
     ONWARD_REFUSAL_SENDER_DOMAIN, NULL, NULL, NULL, NULL, NULL, 0},
    {"row 43: a zone that is off",
     "From: a@off.example\r\nMessage-ID: <m@x.y>\r\n" TO,
     ONWARD_REFUSAL_SENDER_DOMAIN, NULL, NULL, NULL, NULL, NULL, 0},
    {"row 43: cannot be read", HEAD TO "nothing\r\n", ONWARD_REFUSAL_PARSE,
     NULL, NULL, NULL, NULL, NULL, 0},
    {"row 43: From is not the envelope's", HEAD TO, ONWARD_REFUSAL_FROM,
     "a@example.com", NULL, NULL, NULL, NULL, 0},
    {"row 43: no Message-ID", "From: robot@example.com\r\n" TO,
     ONWARD_REFUSAL_NO_MESSAGE_ID, NULL, NULL, NULL, NULL, NULL, 0},
    {"row 43: Received", HEAD TO "Received: by me\r\n",
     ONWARD_REFUSAL_TRACE_FIELD, NULL, NULL, NULL, NULL, NULL, 0},
    {"A104: ARC", HEAD TO "ARC-Seal: i=1\r\n", ONWARD_REFUSAL_TRACE_FIELD, NULL,
     NULL, NULL, NULL, NULL, 0},
    {"row 44: nobody to send to", HEAD, ONWARD_REFUSAL_FIELD_MISSING, NULL,
     NULL, NULL, NULL, NULL, 0},
    {"row 44: no author", "Message-ID: <m@x.y>\r\n" TO,
     ONWARD_REFUSAL_FIELD_MISSING, NULL, NULL, NULL, NULL, NULL, 0},
    {"row 44: To is no list of addresses", HEAD "To: one@@dest.example\r\n",
     ONWARD_REFUSAL_VALIDATION, NULL, NULL, NULL, NULL, NULL, 0},
    {"the envelope is no address", HEAD TO, ONWARD_REFUSAL_VALIDATION, NULL,
     "one", NULL, NULL, NULL, 0},
    {"row 46: a field that senders may write", HEAD TO "Precedence: bulk\r\n",
     0, NULL, NULL, NULL, NULL, NULL, 0},
    {"row 46: one that they may not", HEAD TO "Feedback-ID: a\r\n",
     ONWARD_REFUSAL_FIELD_NOT_ALLOWED, NULL, NULL, NULL, NULL, NULL, 0},
    {"row 46: a name", HEAD TO "X-A$: a\r\n", ONWARD_REFUSAL_FIELD_NAME, NULL,
     NULL, NULL, NULL, NULL, 0},
    {"row 47: twice", HEAD TO "X-A: a\r\nx-a: b\r\n",
     ONWARD_REFUSAL_FIELD_TWICE, NULL, NULL, NULL, NULL, NULL, 0},
    {"row 47: empty", HEAD TO "X-A:\r\n", ONWARD_REFUSAL_FIELD_VALUE, NULL,
     NULL, NULL, NULL, NULL, 0},
};

/* What the host knows of recipients. */
static int know(void *user, const char *address, size_t len)
{
    (void)user;
    if (memcmp(address, "stop@", 5) == 0)
        return 3;
    if (memcmp(address, "gone@", 5) == 0)
        return 2;
    if (memcmp(address, "slow@", 5) == 0)
        return -1;
    return len > 5 && memcmp(address, "yes@", 4) == 0;
}

struct bench {
    struct onward_ruleset *rules;
    struct onward_binding *binding;
};

static bool open_bench(struct bench *b, struct t_world *w,
                       const struct row *row)
{
    *b = (struct bench){0};
    return onward_ruleset_new(w->ctx, onward_str_of(rules_text), NULL, NULL,
                              &b->rules) == 0 &&
           onward_binding_new(w->ctx, &b->binding) == 0 &&
           (row->one == NULL ||
            onward_binding_set_destination(b->binding,
                                           onward_str_of(row->one)) == 0) &&
           (row->allowed == NULL ||
            onward_binding_allow_destination(
                b->binding, onward_str_of(row->allowed)) == 0) &&
           (row->sender == NULL ||
            onward_binding_allow_sender(b->binding,
                                        onward_str_of(row->sender)) == 0);
}

static void close_bench(struct bench *b)
{
    onward_binding_free(b->binding);
    onward_ruleset_free(b->rules);
}

static struct onward_str maybe(const char *s)
{
    return onward_str_of(s == NULL ? "" : s);
}

static int check(struct t_world *w, const struct row *row, int *code)
{
    static const struct onward_send_facts facts = {.size = sizeof(facts),
                                                   .recipient = know};
    struct onward_refusal why = {.size = sizeof(why)};
    char message[16384];
    struct bench b;
    int ret = ONWARD_ENOMEM;

    snprintf(message, sizeof(message), "%s\r\nHello.\r\n", row->message);
    if (open_bench(&b, w, row)) {
        const struct onward_send_question q = {
            .size = sizeof(q),
            .binding = b.binding,
            .ruleset = b.rules,
            .facts = &facts,
            .message = onward_str_of(message),
            .from = maybe(row->from),
            .to = maybe(row->to),
            .allow_unverified = row->allow_unverified};

        ret = onward_send_check(w->ctx, &q, &why);
    }
    close_bench(&b);
    *code = (int)why.code;
    return ret;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct t_world w;
    int code = 0;

    t_world_init(&w);
    assert_int_equal(check(&w, row, &code), row->want == 0);
    assert_int_equal(code, row->want);
    t_world_clear(&w);
}

static int send(const char *message, size_t unverified)
{
    const struct row row = {.message = message, .allow_unverified = unverified};
    struct t_world w;
    int code = 0, ret;

    t_world_init(&w);
    ret = check(&w, &row, &code);
    assert_int_equal(ret, code == 0);
    t_world_clear(&w);
    return code;
}

static void test_what_the_host_knows(void **state)
{
    (void)state;
    assert_int_equal(send(HEAD "To: yes@x.example\r\n", 0), 0);
    assert_int_equal(send(HEAD "To: stop@x.example\r\n", 1),
                     ONWARD_REFUSAL_RECIPIENT_SUPPRESSED);
    assert_int_equal(send(HEAD "To: gone@x.example\r\n", 0),
                     ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED);
    assert_int_equal(send(HEAD "To: slow@x.example\r\n", 1),
                     ONWARD_REFUSAL_NOT_NOW);
}

static void test_row_45_recipients_and_subject(void **state)
{
    char message[8192];
    size_t at;

    (void)state;
    for (int count = 50; count <= 51; count++) {
        at = (size_t)snprintf(message, sizeof(message), "%s", HEAD "To: ");
        for (int i = 0; i < count; i++)
            at += (size_t)snprintf(message + at, sizeof(message) - at,
                                   "%syes@d%d.example", i == 0 ? "" : ",\r\n ",
                                   i);
        /* Nobody is counted twice. */
        snprintf(message + at, sizeof(message) - at,
                 "\r\nCc: yes@D0.example\r\n");
        assert_int_equal(send(message, 0),
                         count == 50 ? 0 : ONWARD_REFUSAL_TOO_MANY_RECIPIENTS);
    }
    for (int len = 998; len <= 999; len++) {
        at = (size_t)snprintf(message, sizeof(message), "%s",
                              "From: robot@example.com\r\n"
                              "Message-ID: <m@example.com>\r\n" TO "Subject: ");
        for (int i = 0; i < len; i++)
            message[at++] = i % 90 == 89 ? ' ' : 's';
        for (size_t i = at - (size_t)len; i < at; i++) {
            if (message[i] == ' ') {
                memmove(message + i + 2, message + i, at - i);
                memcpy(message + i, "\r\n", 2);
                at += 2;
                i += 2;
            }
        }
        strcpy(message + at, "\r\n");
        assert_int_equal(send(message, 0),
                         len == 998 ? 0 : ONWARD_REFUSAL_FIELD_TOO_LONG);
    }
}

static void test_row_45_attachments(void **state)
{
    char message[16384];

    (void)state;
    for (int count = 32; count <= 33; count++) {
        size_t at = (size_t)snprintf(
            message, sizeof(message), "%s",
            HEAD TO "MIME-Version: 1.0\r\n"
                    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                    "--b\r\n\r\ntext\r\n");

        for (int i = 0; i < count; i++)
            at += (size_t)snprintf(
                message + at, sizeof(message) - at,
                "--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n");
        snprintf(message + at, sizeof(message) - at, "--b--\r\n");
        assert_int_equal(send(message, 0),
                         count == 32 ? 0 : ONWARD_REFUSAL_TOO_MANY_ATTACHMENTS);
    }
}

static void test_row_45_size(void **state)
{
    const size_t most = 25 * 1024 * 1024, more = 5 * 1024 * 1024;
    struct onward_refusal why = {.size = sizeof(why)};
    char *message = malloc(most + 1);
    struct bench b;
    struct t_world w;
    struct onward_send_question q = {.size = sizeof(q)};
    const char *const heads[] = {HEAD TO "\r\n",
                                 HEAD "To: x@any.example\r\n\r\n"};
    const struct row row = {0};

    (void)state;
    t_world_init(&w);
    assert_true(open_bench(&b, &w, &row));
    q.ruleset = b.rules;
    q.allow_unverified = 1;
    memset(message, 'x', most + 1);
    for (size_t i = 78; i < most; i += 80)
        memcpy(message + i, "\r\n", 2);
    for (int i = 0; i < 2; i++) {
        size_t limit = i == 0 ? most : more;

        memcpy(message, heads[i], strlen(heads[i]));
        q.message = (struct onward_str){message, limit};
        assert_int_equal(onward_send_check(w.ctx, &q, &why), 1);
        q.message.len++;
        assert_int_equal(onward_send_check(w.ctx, &q, &why), 0);
        assert_int_equal(why.code, ONWARD_REFUSAL_TOO_LARGE);
    }
    close_bench(&b);
    free(message);
    t_world_clear(&w);
}

static void test_row_41_the_two_destinations_exclude_each_other(void **state)
{
    struct onward_binding *b = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_binding_new(NULL, &b), ONWARD_EINVAL);
    assert_int_equal(onward_binding_new(w.ctx, &b), 0);
    assert_int_equal(
        onward_binding_allow_destination(b, ONWARD_STR("a@b.example")), 0);
    assert_int_equal(
        onward_binding_allow_destination(b, ONWARD_STR("a@B.example")), 0);
    assert_int_equal(
        onward_binding_set_destination(b, ONWARD_STR("a@b.example")),
        ONWARD_ESTATE);
    assert_int_equal(onward_binding_allow_destination(b, ONWARD_STR("a")),
                     ONWARD_ESYNTAX);
    onward_binding_free(b);
    assert_int_equal(onward_binding_new(w.ctx, &b), 0);
    assert_int_equal(
        onward_binding_set_destination(b, ONWARD_STR("a@b.example")), 0);
    assert_int_equal(
        onward_binding_set_destination(b, ONWARD_STR("a@b.example")),
        ONWARD_ESTATE);
    assert_int_equal(
        onward_binding_allow_destination(b, ONWARD_STR("a@b.example")),
        ONWARD_ESTATE);
    assert_int_equal(onward_binding_allow_sender(b, ONWARD_STR("a@b\r\n")),
                     ONWARD_ESYNTAX);
    onward_binding_free(b);
    onward_binding_free(NULL);
    t_world_clear(&w);
}

static void test_contract(void **state)
{
    const struct onward_send_question q = {.size = sizeof(q)};
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_send_check(w.ctx, NULL, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_send_check(NULL, &q, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_send_check(w.ctx, &q, NULL), ONWARD_EINVAL);
    t_world_clear(&w);
}

static bool scenario(struct t_world *w, void *arg)
{
    int code;
    int ret = check(w, arg, &code);

    assert_true(ret == 1 || ret == ONWARD_ENOMEM);
    return ret == 1;
}

static void test_oom(void **state)
{
    static const struct row row = {.message = HEAD TO
                                   "Cc: two@dest.example\r\nX-A: b\r\n",
                                   .allowed = "one@dest.example",
                                   .sender = "robot@example.com"};
    struct row both = row;

    (void)state;
    both.allowed = NULL;
    t_oom_sweep(scenario, &both);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[ROWS + 7] = {
        cmocka_unit_test(test_what_the_host_knows),
        cmocka_unit_test(test_row_45_recipients_and_subject),
        cmocka_unit_test(test_row_45_attachments),
        cmocka_unit_test(test_row_45_size),
        cmocka_unit_test(test_row_41_the_two_destinations_exclude_each_other),
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_oom),
    };

    for (size_t i = 0; i < ROWS; i++) {
        tests[7 + i] = (struct CMUnitTest)cmocka_unit_test(test_row);
        tests[7 + i].name = rows[i].name;
        tests[7 + i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
