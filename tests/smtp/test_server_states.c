/*
 * Each verb in each state: the code of the reply, as RFC 5321, 2033, 3030,
 * 3207, 4954 and 6409 and Postfix's XCLIENT_README have it. 0: nothing is said,
 * since the line is no command there, or waits.
 */
#include "smtp/server_host.h"

#include "smtp/server_priv.h"

#define CHUNKS ONWARD_SMTP_SERVER_ALLOW_CHUNKING
#define CLEAR_AUTH ONWARD_SMTP_SERVER_ALLOW_CLEAR_AUTH
#define HOST_TLS ONWARD_SMTP_SERVER_HOST_TLS
#define REQUIRE_TLS ONWARD_SMTP_SERVER_REQUIRE_TLS
#define TRUST                                                                  \
    (ONWARD_SMTP_SERVER_TRUST_XCLIENT | ONWARD_SMTP_SERVER_TRUST_XFORWARD)
#define LMTP ONWARD_SMTP_SERVER_MODE_LMTP
#define SUBMISSION ONWARD_SMTP_SERVER_MODE_SUBMISSION
#define EHLO "EHLO c.test\r\n"
#define MAIL "MAIL FROM:<a@b.test>\r\n"
#define TO "RCPT TO:<c@mx.test>\r\n"

static const char *const verbs[] = {
    "EHLO d.test",
    "HELO d.test",
    "LHLO d.test",
    "STARTTLS",
    "AUTH PLAIN",
    "MAIL FROM:<e@f.test>",
    "RCPT TO:<g@mx.test>",
    "DATA",
    "BDAT 0",
    "BDAT 0 LAST",
    "RSET",
    "NOOP",
    "VRFY h",
    "EXPN h",
    "HELP",
    "QUIT",
    "XCLIENT ADDR=192.0.2.1",
    "XFORWARD ADDR=192.0.2.1",
    "FROB",
    "GET / HTTP/1.1",
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

/* What brings a session there besides what is said. */
enum way { SAID, UNDER_TLS, EXCHANGE, DEFERRED, GREETING };

static const struct state {
    const char *name;
    const char *said;
    size_t flags, mode;
    enum way way;
    int want[VERBS];
} states[] = {
    /*  EHLO HELO LHLO STLS AUTH MAIL RCPT DATA BDAT LAST
     *  RSET NOOP VRFY EXPN HELP QUIT XCLI XFWD FROB GET */
    {"before the greeting",
     "",
     CHUNKS | HOST_TLS,
     0,
     GREETING,
     {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"greeted", "", CHUNKS | HOST_TLS, 0, SAID, {250, 250, 500, 220, 502,
                                                 503, 503, 503, 502, 502,
                                                 250, 250, 252, 502, 214,
                                                 221, 550, 550, 500, 521}},
    {"EHLO", EHLO, CHUNKS | HOST_TLS, 0, SAID, {250, 250, 500, 220, 502,
                                                250, 503, 503, 503, 503,
                                                250, 250, 252, 502, 214,
                                                221, 550, 550, 500, 521}},
    {"HELO",
     "HELO c.test\r\n",
     CHUNKS | HOST_TLS,
     0,
     SAID,
     {250, 250, 500, 220, 502, 250, 503, 503, 502, 502,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"EHLO, nothing offered", EHLO, 0, 0, SAID, {250, 250, 500, 502, 502,
                                                 250, 503, 503, 502, 502,
                                                 250, 250, 252, 502, 214,
                                                 221, 550, 550, 500, 521}},
    {"EHLO of a trusted peer",
     EHLO,
     CHUNKS | TRUST,
     0,
     SAID,
     {250, 250, 500, 502, 502, 250, 503, 503, 503, 503,
      250, 250, 252, 502, 214, 221, 220, 250, 500, 521}},
    {"MAIL", EHLO MAIL, CHUNKS | HOST_TLS, 0, SAID, {250, 250, 500, 220, 502,
                                                     503, 250, 554, 554, 554,
                                                     250, 250, 252, 502, 214,
                                                     221, 550, 550, 500, 521}},
    {"MAIL of a trusted peer",
     EHLO MAIL,
     CHUNKS | TRUST,
     0,
     SAID,
     {250, 250, 500, 502, 502, 503, 250, 554, 554, 554,
      250, 250, 252, 502, 214, 221, 503, 503, 500, 521}},
    {"RCPT refused",
     EHLO MAIL "RCPT TO:<no@mx.test>\r\n",
     CHUNKS | HOST_TLS,
     0,
     SAID,
     {250, 250, 500, 220, 502, 503, 250, 554, 554, 554,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"RCPT", EHLO MAIL TO, CHUNKS | HOST_TLS, 0, SAID, {250, 250, 500, 220,
                                                        502, 503, 250, 354,
                                                        250, 250, 250, 250,
                                                        252, 502, 214, 221,
                                                        550, 550, 500, 521}},
    {"RCPT, binary",
     EHLO "MAIL FROM:<> BODY=BINARYMIME\r\n" TO,
     ONWARD_SMTP_SERVER_ALLOW_BINARYMIME,
     0,
     SAID,
     {250, 250, 500, 502, 502, 503, 250, 503, 250, 250,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"in DATA",
     EHLO MAIL TO "DATA\r\n",
     CHUNKS | HOST_TLS,
     0,
     SAID,
     {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"in a chunk",
     EHLO MAIL TO "BDAT 100\r\n",
     CHUNKS | HOST_TLS,
     0,
     SAID,
     {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"between chunks",
     EHLO MAIL TO "BDAT 2\r\nab",
     CHUNKS | HOST_TLS,
     0,
     SAID,
     {250, 250, 500, 220, 502, 503, 503, 503, 250, 250,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"after a message",
     EHLO MAIL TO "DATA\r\n.\r\n",
     CHUNKS | HOST_TLS,
     0,
     SAID,
     {250, 250, 500, 220, 502, 250, 503, 503, 503, 503,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"after the last chunk",
     EHLO MAIL TO "BDAT 0 LAST\r\n",
     CHUNKS,
     0,
     SAID,
     {250, 250, 500, 502, 502, 250, 503, 503, 503, 503,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"after a failed chunk",
     EHLO MAIL TO "BDAT 2\r\n\nx",
     CHUNKS,
     0,
     SAID,
     {250, 250, 500, 502, 502, 250, 503, 503, 503, 503,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"TLS, before EHLO",
     EHLO "STARTTLS\r\n",
     CHUNKS | HOST_TLS,
     0,
     UNDER_TLS,
     {250, 250, 500, 503, 502, 503, 503, 503, 502, 502,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"TLS is required",
     EHLO,
     CHUNKS | HOST_TLS | REQUIRE_TLS,
     0,
     SAID,
     {250, 530, 500, 220, 530, 530, 530, 530, 503, 503,
      530, 250, 530, 530, 530, 221, 530, 530, 500, 521}},
    {"submission, nobody logged in",
     EHLO,
     CHUNKS | HOST_TLS,
     SUBMISSION,
     SAID,
     {250, 250, 500, 220, 502, 530, 503, 503, 503, 503,
      250, 250, 530, 502, 214, 221, 550, 550, 500, 521}},
    {"in an exchange",
     EHLO,
     CHUNKS | HOST_TLS,
     0,
     EXCHANGE,
     {501, 501, 501, 501, 501, 501, 501, 501, 501, 501,
      501, 501, 501, 501, 501, 501, 501, 501, 501, 501}},
    {"MAIL waits for the host",
     EHLO,
     CHUNKS | HOST_TLS,
     0,
     DEFERRED,
     {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {"LMTP, greeted", "", CHUNKS | HOST_TLS, LMTP, SAID, {500, 500, 250, 220,
                                                          502, 503, 503, 503,
                                                          502, 502, 250, 250,
                                                          252, 502, 214, 221,
                                                          550, 550, 500, 521}},
    {"LMTP, LHLO",
     "LHLO c.test\r\n",
     CHUNKS | HOST_TLS,
     LMTP,
     SAID,
     {500, 500, 250, 220, 502, 250, 503, 503, 503, 503,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"LMTP, RCPT",
     "LHLO c.test\r\n" MAIL TO,
     CHUNKS | HOST_TLS,
     LMTP,
     SAID,
     {500, 500, 250, 220, 502, 503, 250, 354, 250, 250,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"AUTH offered, greeted", "", CLEAR_AUTH, 0, SAID, {250, 250, 500, 502,
                                                        503, 503, 503, 503,
                                                        502, 502, 250, 250,
                                                        252, 502, 214, 221,
                                                        550, 550, 500, 521}},
    {"AUTH offered, EHLO",
     EHLO,
     CLEAR_AUTH | CHUNKS,
     0,
     SAID,
     {250, 250, 500, 502, 334, 250, 503, 503, 503, 503,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"AUTH offered, HELO",
     "HELO c.test\r\n",
     CLEAR_AUTH,
     0,
     SAID,
     {250, 250, 500, 502, 503, 250, 503, 503, 502, 502,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"AUTH offered, MAIL",
     EHLO MAIL,
     CLEAR_AUTH | CHUNKS,
     0,
     SAID,
     {250, 250, 500, 502, 503, 503, 250, 554, 554, 554,
      250, 250, 252, 502, 214, 221, 550, 550, 500, 521}},
    {"AUTH offered, submission",
     EHLO,
     CLEAR_AUTH | CHUNKS,
     SUBMISSION,
     SAID,
     {250, 250, 500, 502, 334, 530, 503, 503, 503, 503,
      250, 250, 530, 502, 214, 221, 550, 550, 500, 521}},
    {"too many errors",
     EHLO "X\r\nX\r\n",
     CHUNKS | HOST_TLS,
     0,
     SAID,
     {421, 421, 421, 421, 421, 421, 421, 421, 421, 421,
      421, 421, 421, 421, 421, 221, 421, 421, 421, 421}},
    {"too much junk",
     EHLO "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n",
     CHUNKS | HOST_TLS,
     0,
     SAID,
     {421, 421, 421, 220, 502, 250, 503, 503, 421, 503,
      421, 421, 421, 421, 421, 221, 421, 421, 421, 521}},
    {"ended", "QUIT\r\n", CHUNKS | HOST_TLS, 0, SAID, {0, 0, 0, 0, 0, 0, 0,
                                                       0, 0, 0, 0, 0, 0, 0,
                                                       0, 0, 0, 0, 0, 0}},
};

static int refuse_login(void *user, uint64_t token,
                        const struct onward_smtp_auth_request *request)
{
    (void)user;
    (void)token;
    (void)request;
    return ONWARD_SMTP_DEFAULT;
}

static int line_taken(struct onward_smtp_server *s, struct onward_str line)
{
    (void)line;
    return server_say(s, 501, "5.5.4", "");
}

static const struct server_exchange exchange = {.line = line_taken};

static void go_there(struct t_server *t, const struct state *state)
{
    t->opts.flags = state->flags;
    t->opts.mode = state->mode;
    if ((state->flags & CLEAR_AUTH) != 0) {
        t->opts.auth_mechanisms = ONWARD_SMTP_AUTH_PLAIN;
        t->auth = refuse_login;
    }
    t->opts.errors = 2;
    t->opts.junk = 6;
    t->defers = state->way == GREETING;
    assert_int_equal(t_server_start(t), 0);
    if (state->way == GREETING) {
        onward_desk_run(t->desk, t->now_ms);
        return;
    }
    t_server_say(t, state->said);
    if (state->way == UNDER_TLS)
        assert_int_equal(onward_smtp_server_tls_done(t->session, NULL), 0);
    if (state->way == EXCHANGE)
        server_exchange_begin(t->session, &exchange);
    if (state->way == DEFERRED) {
        t->defers = true;
        t_server_feed_only(t, MAIL, sizeof(MAIL) - 1);
    }
}

/* The code of the first reply; 0: there is none. */
static int reply_to(const struct state *state, const char *verb)
{
    static struct t_server t; /* big */
    struct t_world w = {.now_s = 0};
    int code = 0;

    memset(&t, 0, sizeof(t));
    t_world_init(&w);
    t_server_prepare(&t, &w);
    go_there(&t, state);
    t_server_drain(&t);
    t.out_len = 0;
    t_server_feed_only(&t, verb, strlen(verb));
    t_server_feed_only(&t, "\r\n", 2);
    t_server_drain(&t);
    if (t.out_len >= 3)
        code = (t.out[0] - '0') * 100 + (t.out[1] - '0') * 10 + t.out[2] - '0';
    t_server_stop(&t);
    t_world_clear(&w);
    return code;
}

static void test_state(void **arg)
{
    const struct state *state = *arg;
    int wrong = 0;

    for (size_t i = 0; i < VERBS; i++) {
        int code = reply_to(state, verbs[i]);

        if (code == state->want[i])
            continue;
        print_error("%s: %s: got %d, want %d\n", state->name, verbs[i], code,
                    state->want[i]);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    enum { STATES = sizeof(states) / sizeof(states[0]) };
    struct CMUnitTest tests[STATES];

    for (size_t i = 0; i < STATES; i++) {
        tests[i] =
            (struct CMUnitTest){.name = states[i].name,
                                .test_func = test_state,
                                .initial_state = (void *)(uintptr_t)&states[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
