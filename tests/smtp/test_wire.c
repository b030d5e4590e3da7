/*
 * The SMTP wire vectors: what follows 354, command lines, and replies, each
 * through the whole server session or the reply parser.
 */
#include "smtp/server_host.h"
#include "smtp/smtp_shared.h"
#include "support/json.h"

static struct {
    struct t_world w;
    struct t_server t;
} f;

static void begin(size_t flags)
{
    memset(&f, 0, sizeof(f));
    t_world_init(&f.w);
    t_server_prepare(&f.t, &f.w);
    f.t.opts.flags = flags | ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8;
    assert_int_equal(t_server_start(&f.t), 0);
    t_server_say(&f.t, "EHLO c.test\r\n");
}

static void end(void)
{
    t_server_stop(&f.t);
    t_world_clear(&f.w);
}

/* ---- After 354 --------------------------------------------------------- */

static bool has_bare(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_crlf =
            s.data[i] == '\r' && i + 1 < s.len && s.data[i + 1] == '\n';

        if (s.data[i] == '\n' || (s.data[i] == '\r' && !is_crlf))
            return true;
        i += is_crlf;
    }
    return false;
}

static void begin_data(size_t flags)
{
    begin(flags);
    t_server_say(&f.t, "MAIL FROM:<>\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n");
    t_server_forget(&f.t);
    f.t.defers = true; /* the answer at the end shows where it ended */
}

static void test_data(void **state)
{
    const struct onward_json *test = *state;
    struct onward_str stream = t_member(test, "stream");
    bool ends = onward_str_equal(t_member(test, "status"), ONWARD_STR("end"));
    struct onward_str message = t_member(test, "message");
    size_t want = stream.len - t_member(test, "rest").len;
    size_t taken = 0;

    begin_data(ONWARD_SMTP_SERVER_ALLOW_BARE_LF);
    assert_int_equal(t_server_feed_only(&f.t, stream.data, stream.len), want);
    assert_int_equal(f.t.token_count, ends);
    if (ends)
        t_assert_str_n(onward_core__str(f.t.message, f.t.message_len),
                       message.data, message.len);
    end();
    /* The default: refused at the same place, where it is not clean. */
    begin_data(0);
    while (taken < want)
        taken += t_server_feed_only(&f.t, stream.data + taken, 1);
    t_server_drain(&f.t);
    assert_int_equal(f.t.token_count, ends && !has_bare(message));
    if (ends && has_bare(message))
        t_server_assert_out(&f.t, "550 5.6.0 Bare CR or LF in the message\r\n");
    end();
}

/* ---- Command lines ----------------------------------------------------- */

/* Parameters of extensions that the session does not offer (yet). */
static bool is_offered(const struct onward_json *params)
{
    for (const struct onward_json *p = params == NULL ? NULL : params->first;
         p != NULL; p = p->next) {
        if (!onward_str_equal(p->key, ONWARD_STR("SIZE")) &&
            !onward_str_equal(p->key, ONWARD_STR("BODY")) &&
            !onward_str_equal(p->key, ONWARD_STR("SMTPUTF8")))
            return false;
    }
    return true;
}

/* Is what the session did what this answer says? */
static bool is_as(const struct onward_json *answer, bool is_mail)
{
    struct onward_str path = t_member(answer, "path");
    bool taken = memcmp(f.t.out, "250", 3) == 0;

    if (answer->type == ONWARD_JSON_STRING ||
        onward_json__get(answer, "expect") != NULL)
        return f.t.out[0] == '5';
    if (!is_offered(onward_json__get(answer, "params")))
        return memcmp(f.t.out, "555", 3) == 0;
    return taken &&
           onward_str_equal(
               path, is_mail ? onward_smtp_server_mail_address(f.t.session)
                             : onward_smtp_server_rcpt_address(f.t.session, 0));
}

static void test_command(void **state)
{
    const struct onward_json *test = *state;
    const struct onward_json *also = onward_json__get(test, "also_accept");
    struct onward_str line = t_member(test, "line");
    bool is_mail = onward_ascii_lower((unsigned char)line.data[0]) == 'm';
    bool fits;

    begin(0);
    if (!is_mail)
        t_server_say(&f.t, "MAIL FROM:<>\r\n");
    t_server_forget(&f.t);
    t_server_feed(&f.t, line.data, line.len);
    t_server_say(&f.t, "\r\n");
    fits = is_as(test, is_mail);
    for (also = also == NULL ? NULL : also->first; also != NULL && !fits;
         also = also->next)
        fits = is_as(also, is_mail);
    if (!fits)
        fail_msg("%.*s", (int)f.t.out_len, f.t.out);
    end();
}

/* ---- Replies ----------------------------------------------------------- */

static void test_reply(void **state)
{
    const struct onward_json *test = *state;
    struct onward_str stream = t_member(test, "stream");
    struct onward_str expect = t_member(test, "expect");
    const struct onward_json *lines = onward_json__get(test, "lines");
    struct onward_smtp__reply_parser p;
    struct onward_smtp_reply reply;
    struct t_world w;
    size_t taken;
    int64_t code;
    int got;

    t_world_init(&w);
    onward_smtp__reply_parser_init(&p, w.ctx, 0, 0);
    got = onward_smtp__reply_parser_take(&p, stream.data, stream.len, &taken);
    if (expect.len > 0) {
        assert_int_equal(got, expect.data[0] == 'n' ? 0 : (int)ONWARD_ESYNTAX);
    } else {
        struct onward_str text;

        assert_int_equal(got, 1);
        onward_smtp__reply_parser_get(&p, &reply);
        assert_int_equal(
            onward_json__int(onward_json__get(test, "code"), &code), 0);
        assert_int_equal(reply.code, code);
        assert_true(
            onward_str_equal(reply.enhanced, t_member(test, "enhanced")));
        text = reply.text;
        for (lines = lines->first; lines != NULL; lines = lines->next) {
            size_t at = onward_core__str_find(text, '\n');

            assert_true(
                onward_str_equal(onward_core__sub(text, 0, at), lines->text));
            text = onward_core__sub(text, at + 1, text.len);
        }
    }
    onward_smtp__reply_parser_clear(&p);
    t_world_clear(&w);
}

enum { TESTS_MAX = 200 };

int main(void)
{
    static struct CMUnitTest tests[TESTS_MAX];
    struct t_vectors v;
    size_t count = 0;
    int failed;

    if (!t_vectors_open(&v, "smtp/wire.json"))
        return 77;
    count = t_add_cases(&v, tests, count, TESTS_MAX,
                        onward_json__get(v.root, "data_tests"), test_data);
    count =
        t_add_cases(&v, tests, count, TESTS_MAX,
                    onward_json__get(v.root, "command_tests"), test_command);
    count = t_add_cases(&v, tests, count, TESTS_MAX,
                        onward_json__get(v.root, "reply_tests"), test_reply);
    failed = _cmocka_run_group_tests("smtp_wire", tests, count, NULL, NULL);
    t_vectors_close(&v);
    return failed;
}
