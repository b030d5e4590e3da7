/*
 * AUTH in the server session (RFC 4954), without and with TLS: what is offered,
 * each reply, what the host is asked, and what stays secret.
 */
#include "smtp/server_host.h"

#include "core/text_shared.h"
#include "smtp/sasl_priv.h"

enum {
    PASSWORDS = ONWARD_SMTP_AUTH_PLAIN | ONWARD_SMTP_AUTH_LOGIN,
    BEARER = ONWARD_SMTP_AUTH_BEARER,
    SCRAM = ONWARD_SMTP_AUTH_SCRAM_SHA_256,
    ALL = 63,
    CLEAR = ONWARD_SMTP_SERVER_ALLOW_CLEAR_AUTH
};

#define GREET "220 mx.test ESMTP\r\n"
#define HELLO(auth)                                                            \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"       \
    "250-ENHANCEDSTATUSCODES\r\n250 AUTH " auth "\r\n"
#define HELLO_PLAIN GREET HELLO("PLAIN LOGIN")
#define EHLO "EHLO c.test\r\n"
#define YES "235 2.7.0 Authentication succeeded\r\n"
#define NO "535 5.7.8 Authentication credentials invalid\r\n"
#define LATER "454 4.7.0 Temporary authentication failure\r\n"
#define BAD64 "501 5.5.2 Cannot decode that base64\r\n"
#define BAD "501 5.5.2 Cannot make sense of that response\r\n"
#define TWICE "503 5.5.1 Authenticated already\r\n"
#define EV "connect\nehlo c.test\n"
/* tim, tanstaaf; tim, wrong; fail, x; gone, x */
#define TIM "AHRpbQB0YW5zdGFhZg=="
#define WRONG "AHRpbQB3cm9uZw=="
#define FAIL "AGZhaWwAeA=="
#define GONE "AGdvbmUAeA=="
#define EV_TIM EV "auth 1 PLAIN [tim] [] [tanstaaf]\n"

/* ---- The host ---------------------------------------------------------- */

static const unsigned char salt[16] = "sixteen octets!";

static struct {
    struct onward_smtp_scram_keys keys;
    bool is_made;
    bool defers;
    uint64_t token; /* that is to be answered */
    struct onward_smtp_reply reply;
    bool is_scram, is_known;
} host;

static void answer(struct t_server *t)
{
    const struct onward_smtp_scram_credentials known = {
        .size = sizeof(known),
        .iterations = 4096,
        .salt = {(const char *)salt, sizeof(salt)},
        .stored_key = {(const char *)host.keys.stored_key, 32},
        .server_key = {(const char *)host.keys.server_key, 32}};
    uint64_t token = host.token;

    host.token = 0;
    if (host.is_scram)
        assert_int_equal(onward_smtp_auth_scram(t->desk, token,
                                                host.is_known ? &known : NULL),
                         0);
    else
        assert_int_equal(onward_smtp_reply_answer(t->desk, token, &host.reply),
                         0);
    /* A second answer is late. */
    assert_int_equal(onward_smtp_auth_scram(t->desk, token, NULL),
                     ONWARD_ESTALE);
}

static bool is(struct onward_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

static int on_auth(void *user, uint64_t token,
                   const struct onward_smtp_auth_request *r)
{
    struct t_server *t = user;
    struct onward_str secret =
        r->kind == ONWARD_SMTP_AUTH_ASK_TOKEN ? r->token : r->password;

    t_server_note(t, "auth %zu %s [%.*s] [%.*s] [%.*s]\n", r->kind,
                  onward_smtp_auth_name((int)r->mechanism),
                  (int)r->authentication_id.len, r->authentication_id.data,
                  (int)r->authorization_id.len, r->authorization_id.data,
                  (int)secret.len, secret.data);
    if (is(r->authentication_id, "fail"))
        return -1;
    if (is(r->authentication_id, "free")) {
        onward_smtp_server_free(t->session);
        t->session = NULL;
        return 0;
    }
    host.is_scram = r->kind == ONWARD_SMTP_AUTH_ASK_SCRAM;
    host.is_known = is(r->authentication_id, "tim");
    host.reply = (struct onward_smtp_reply){.size = sizeof(host.reply)};
    if (is(r->authentication_id, "gone")) {
        host.reply.code = 421;
        host.is_scram = false;
    } else if (is(secret, "tanstaaf")) {
        host.reply.code = 235;
        host.reply.enhanced = ONWARD_STR("2.7.0");
        host.reply.text = ONWARD_STR("Authentication succeeded");
    } else if (!host.is_scram) {
        return ONWARD_SMTP_DEFAULT;
    } else if (!host.is_known && !host.defers) {
        return ONWARD_SMTP_DEFAULT;
    }
    host.token = token;
    if (!host.defers)
        answer(t);
    return ONWARD_SMTP_HANDLED;
}

static void on_auth_done(void *user, const struct onward_smtp_auth_request *r,
                         int is_accepted)
{
    struct t_server *t = user;

    assert_int_equal(r->password.len + r->token.len, 0);
    t_server_note(t, "auth %s [%.*s]\n", is_accepted ? "yes" : "no",
                  (int)r->authentication_id.len, r->authentication_id.data);
    if (is(r->authentication_id, "end")) {
        onward_smtp_server_free(t->session);
        t->session = NULL;
    }
}

static int begin(struct t_server *t, struct t_world *w, size_t mechanisms,
                 size_t flags)
{
    if (!host.is_made) {
        host.keys.size = sizeof(host.keys);
        assert_int_equal(onward_smtp_scram_derive(
                             w->ctx, ONWARD_STR("tanstaaf"),
                             onward_core__str(salt, sizeof(salt)), 4096,
                             &host.keys),
                         0);
        host.is_made = true;
    }
    host.token = 0;
    memset(t, 0, sizeof(*t));
    t_server_prepare(t, w);
    t->opts.flags = flags;
    t->opts.auth_mechanisms = mechanisms;
    t->opts.scram_iterations = 4096;
    t->opts.message_bytes = 1000;
    t->auth = on_auth;
    t->auth_done = on_auth_done;
    return t_server_start(t);
}

static void feed(struct t_server *t, const void *data, size_t len)
{
    const char *at = data;
    bool moves = true;

    while (moves) {
        size_t taken;

        t_server_feed(t, NULL, 0);
        taken = t_server_feed_only(t, at, len);
        at += taken;
        len -= taken;
        t_server_feed(t, NULL, 0);
        moves = taken > 0;
        if (host.token != 0 && t->session != NULL) {
            answer(t);
            moves = true;
        }
    }
}

/* ---- Dialogues --------------------------------------------------------- */

static const struct row {
    const char *name, *in, *out, *events; /* events NULL: not looked at */
    size_t mechanisms, flags;
} rows[] = {
    {"PLAIN with an initial response", EHLO "AUTH PLAIN " TIM "\r\nNOOP\r\n",
     HELLO_PLAIN YES "250 2.0.0 OK\r\n", EV_TIM "auth yes [tim]\n", PASSWORDS,
     CLEAR},
    {"PLAIN without", EHLO "auth plain\r\n" TIM "\r\n",
     HELLO_PLAIN "334 \r\n" YES, EV_TIM "auth yes [tim]\n", PASSWORDS, CLEAR},
    {"LOGIN", EHLO "AUTH LOGIN\r\ndGlt\r\ndGFuc3RhYWY=\r\n",
     HELLO_PLAIN "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n" YES,
     EV "auth 1 LOGIN [tim] [] [tanstaaf]\nauth yes [tim]\n", PASSWORDS, CLEAR},
    {"LOGIN with the name in its first line",
     EHLO "AUTH LOGIN dGlt\r\ndGFuc3RhYWY=\r\n",
     HELLO_PLAIN "334 UGFzc3dvcmQ6\r\n" YES, NULL, PASSWORDS, CLEAR},
    {"another identity", EHLO "AUTH PLAIN VXJzZWwAdGltAHRhbnN0YWFm\r\n",
     HELLO_PLAIN YES,
     EV "auth 1 PLAIN [tim] [Ursel] [tanstaaf]\nauth yes [tim]\n", PASSWORDS,
     CLEAR},
    {"a wrong password, then the right one",
     EHLO "AUTH PLAIN " WRONG "\r\nAUTH PLAIN " TIM "\r\n", HELLO_PLAIN NO YES,
     EV "auth 1 PLAIN [tim] [] [wrong]\nauth no [tim]\n"
        "auth 1 PLAIN [tim] [] [tanstaaf]\nauth yes [tim]\n",
     PASSWORDS, CLEAR},
    {"three wrong passwords",
     EHLO "AUTH PLAIN " WRONG "\r\nAUTH PLAIN " WRONG "\r\nAUTH PLAIN " WRONG
          "\r\nAUTH PLAIN " TIM "\r\n",
     HELLO_PLAIN NO NO NO "421 4.7.0 Too many failed logins\r\n", NULL,
     PASSWORDS, CLEAR},
    {"the host fails, which is no failed login",
     EHLO "AUTH PLAIN " FAIL "\r\nAUTH PLAIN " FAIL "\r\nAUTH PLAIN " FAIL
          "\r\nAUTH PLAIN " TIM "\r\n",
     HELLO_PLAIN LATER LATER LATER YES, NULL, PASSWORDS, CLEAR},
    {"the host has enough", EHLO "AUTH PLAIN " GONE "\r\nNOOP\r\n",
     HELLO_PLAIN "421 4.0.0 Service not available, closing the connection\r\n", NULL, PASSWORDS, CLEAR},
    {"cancelled", EHLO "AUTH PLAIN\r\n*\r\nNOOP\r\n",
     HELLO_PLAIN "334 \r\n501 5.7.0 Authentication cancelled\r\n"
                 "250 2.0.0 OK\r\n",
     EV, PASSWORDS, CLEAR},
    {"an empty initial response is none of PLAIN", EHLO "AUTH PLAIN =\r\n",
     HELLO_PLAIN BAD, EV "auth no []\n", PASSWORDS, CLEAR},
    {"an empty line is none of PLAIN", EHLO "AUTH PLAIN\r\n\r\n",
     HELLO_PLAIN "334 \r\n" BAD, EV "auth no []\n", PASSWORDS, CLEAR},
    {"A021: bad base64", EHLO "AUTH PLAIN =AAA\r\nAUTH PLAIN AAA=BBB\r\n",
     HELLO_PLAIN BAD64 BAD64, EV "auth no []\nauth no []\n", PASSWORDS, CLEAR},
    {"A021: blanks in base64", EHLO "AUTH PLAIN AHRp bQB0YW5zdGFhZg==\r\n",
     HELLO_PLAIN BAD64, EV "auth no []\n", PASSWORDS, CLEAR},
    {"A021: a field is missing", EHLO "AUTH PLAIN AHRpbQ==\r\n",
     HELLO_PLAIN BAD, EV "auth no []\n", PASSWORDS, CLEAR},
    {"A021: CR LF in a name", EHLO "AUTH PLAIN AHRpDQptAHg=\r\n",
     HELLO_PLAIN BAD, EV "auth no []\n", PASSWORDS, CLEAR},
    {"A021: an escape in the name of a token's user",
     EHLO "AUTH XOAUTH2 dXNlcj10aRttAWF1dGg9QmVhcmVyIGFiYwEB\r\n",
     GREET HELLO("OAUTHBEARER XOAUTH2") BAD, EV "auth no []\n", BEARER, CLEAR},
    {"A021: and in SCRAM", EHLO "AUTH SCRAM-SHA-256 biwsbj10aRttLHI9YWJj\r\n",
     GREET HELLO("SCRAM-SHA-256") BAD, EV "auth no []\n",
     ONWARD_SMTP_AUTH_SCRAM_SHA_256, CLEAR},
    {"a mechanism that nobody knows", EHLO "AUTH CRAM-MD5\r\n",
     HELLO_PLAIN "504 5.5.4 Mechanism not available\r\n", EV, PASSWORDS, CLEAR},
    {"a mechanism that the host does not want", EHLO "AUTH LOGIN\r\n",
     GREET HELLO("PLAIN") "504 5.5.4 Mechanism not available\r\n", EV,
     ONWARD_SMTP_AUTH_PLAIN, CLEAR},
    {"no mechanism", EHLO "AUTH\r\nAUTH \r\n",
     HELLO_PLAIN "501 5.5.4 Syntax: AUTH mechanism [response]\r\n"
                 "501 5.5.4 Syntax: AUTH mechanism [response]\r\n",
     EV, PASSWORDS, CLEAR},
    {"before EHLO", "AUTH PLAIN " TIM "\r\n",
     GREET "503 5.5.1 Send EHLO first\r\n", "connect\n", PASSWORDS, CLEAR},
    {"after HELO", "HELO c.test\r\nAUTH PLAIN " TIM "\r\n",
     GREET "250 mx.test\r\n503 5.5.1 Send EHLO first\r\n",
     "connect\nhelo c.test\n", PASSWORDS, CLEAR},
    {"not twice; and it is offered no more",
     EHLO "AUTH PLAIN " TIM "\r\nAUTH PLAIN " TIM "\r\n" EHLO,
     HELLO_PLAIN YES TWICE
     "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"
     "250 ENHANCEDSTATUSCODES\r\n",
     EV_TIM "auth yes [tim]\nehlo c.test\n", PASSWORDS, CLEAR},
    {"not in a transaction",
     EHLO "MAIL FROM:<>\r\nAUTH PLAIN " TIM "\r\nRSET\r\nAUTH PLAIN " TIM
          "\r\n",
     HELLO_PLAIN "250 2.1.0 Sender OK\r\n503 5.5.1 Not in a transaction\r\n"
                 "250 2.0.0 OK\r\n" YES,
     NULL, PASSWORDS, CLEAR},
    {"A021: without TLS nothing that shows a password",
     EHLO "AUTH PLAIN " TIM "\r\nAUTH LOGIN\r\nAUTH XOAUTH2 =\r\n",
     GREET HELLO("SCRAM-SHA-256")
         "538 5.7.11 Encryption required for that mechanism\r\n"
         "538 5.7.11 Encryption required for that mechanism\r\n"
         "538 5.7.11 Encryption required for that mechanism\r\n",
     EV, ALL, 0},
    {"and nothing at all when there is nothing else", EHLO "AUTH PLAIN " TIM
                                                           "\r\n",
     GREET "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"
           "250 ENHANCEDSTATUSCODES\r\n"
           "538 5.7.11 Encryption required for that mechanism\r\n",
     EV, PASSWORDS, 0},
    {"not offered at all", EHLO "AUTH PLAIN " TIM "\r\n",
     GREET "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"
           "250 ENHANCEDSTATUSCODES\r\n502 5.5.1 AUTH is not offered\r\n",
     EV, 0, CLEAR},
    {"AUTH is a must",
     EHLO "MAIL FROM:<>\r\nVRFY a\r\nAUTH PLAIN " TIM "\r\nMAIL FROM:<>\r\n",
     HELLO_PLAIN "530 5.7.0 Authentication required\r\n"
                 "530 5.7.0 Authentication required\r\n" YES
                 "250 2.1.0 Sender OK\r\n",
     NULL, PASSWORDS, CLEAR | ONWARD_SMTP_SERVER_REQUIRE_AUTH},
    {"a bearer token",
     EHLO "AUTH OAUTHBEARER "
          "bixhPXRpbSwBYXV0aD1CZWFyZXIgdGFuc3RhYWYBAQ==\r\n",
     GREET HELLO("OAUTHBEARER XOAUTH2") YES,
     EV "auth 2 OAUTHBEARER [tim] [] [tanstaaf]\nauth yes [tim]\n", BEARER,
     CLEAR},
    {"RFC 7628: a token that is refused",
     EHLO "AUTH OAUTHBEARER bixhPXRpbSwBYXV0aD1CZWFyZXIgYWJjAQE=\r\nAQ==\r\n"
          "NOOP\r\n",
     GREET HELLO("OAUTHBEARER XOAUTH2")
         "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n" NO "250 2.0.0 OK\r\n",
     EV "auth 2 OAUTHBEARER [tim] [] [abc]\nauth no [tim]\n", BEARER, CLEAR},
    {"XOAUTH2, refused, and the client says nothing",
     EHLO "AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgYWJjAQE=\r\n\r\nNOOP\r\n",
     GREET HELLO("OAUTHBEARER XOAUTH2")
         "334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n" NO
         "250 2.0.0 OK\r\n",
     NULL, BEARER, CLEAR},
    {"a control in a line", EHLO "AUTH PLAIN\r\nAA\001A\r\nNOOP\r\n",
     HELLO_PLAIN "334 \r\n501 5.5.2 Control characters in a line\r\n"
                 "250 2.0.0 OK\r\n",
     EV, PASSWORDS, CLEAR},
    {"QUIT is base64 here", EHLO "AUTH PLAIN\r\nQUIT\r\n",
     HELLO_PLAIN "334 \r\n" BAD, EV "auth no []\n", PASSWORDS, CLEAR},
};

struct run {
    const struct row *row;
    struct t_world w;
    struct t_server t;
};

static void run_begin(void *arg)
{
    struct run *run = arg;

    assert_int_equal(
        begin(&run->t, &run->w, run->row->mechanisms, run->row->flags), 0);
    feed(&run->t, NULL, 0);
}

static void run_feed(void *arg, const void *data, size_t len)
{
    struct run *run = arg;

    feed(&run->t, data, len);
}

static void run_end(void *arg)
{
    struct run *run = arg;

    t_server_assert_out(&run->t, run->row->out);
    if (run->row->events != NULL && run->row->events[0] != '\0')
        t_server_assert_events(&run->t, run->row->events);
    t_server_stop(&run->t);
}

static const struct t_cut cut = {run_begin, run_feed, run_end};

static void test_row(void **state)
{
    static struct run run; /* big */

    memset(&run, 0, sizeof(run));
    run.row = *state;
    t_world_init(&run.w);
    for (int defers = 0; defers < 2; defers++) {
        host.defers = defers == 1;
        t_cut_everywhere(&cut, &run, run.row->in, strlen(run.row->in));
    }
    host.defers = false;
    t_world_clear(&run.w);
}

/* ---- SCRAM, with a client that answers --------------------------------- */

/* The last line of the output, decoded behind "334 ". */
static bool last_challenge(struct t_server *t, struct onward_buf *out)
{
    size_t start = t->out_len - 2, end = t->out_len - 2;

    assert_true(t->out_len > 4);
    while (start > 0 && t->out[start - 1] != '\n')
        start--;
    if (memcmp(t->out + start, "334 ", 4) != 0)
        return false;
    onward_core__buf_reset(out);
    return onward_smtp__sasl_base64(
               out, onward_core__str(t->out + start + 4, end - start - 4)) == 0;
}

static void say64(struct t_server *t, const char *before,
                  const struct onward_buf *message)
{
    struct onward_buf line;

    onward_core__buf_init(&line, t->w->ctx, 20000);
    onward_core__buf_add_text(&line, before);
    onward_core__base64_encode(&line, message->data, message->len);
    onward_core__buf_add_text(&line, "\r\n");
    assert_int_equal(line.err, 0);
    feed(t, line.data, line.len);
    onward_core__buf_clear(&line);
}

/* The last line that the server said. */
static const char *play_scram(struct t_server *t, const char *user,
                              const char *password, struct onward_str *salt_out)
{
    const struct onward_smtp__sasl_login login = {
        .authcid = onward_str_of(user), .password = onward_str_of(password)};
    struct onward_smtp__sasl c;
    struct onward_buf in, out;
    static char last[200], salt_copy[64];
    int ret;

    onward_core__buf_init(&in, t->w->ctx, 20000);
    onward_core__buf_init(&out, t->w->ctx, 20000);
    onward_smtp__sasl_init(&c, t->w->ctx,
                           onward_smtp__sasl_find(ONWARD_STR("SCRAM-SHA-256")));
    c.iterations_max = 10000;
    assert_int_equal(onward_smtp__sasl_login(&c, &login), 0);
    assert_int_equal(
        onward_smtp__sasl_client(&c, onward_core__str(NULL, 0), &out), 0);
    say64(t, "AUTH SCRAM-SHA-256 ", &out);
    while (t->session != NULL && last_challenge(t, &in)) {
        onward_core__buf_reset(&out);
        ret = onward_smtp__sasl_client(&c, onward_core__buf_str(&in), &out);
        while (ret == ONWARD_SASL_BUSY)
            ret = onward_smtp__sasl_work(&c, 5000, &out);
        assert_int_equal(ret, 0);
        say64(t, "", &out);
    }
    memcpy(salt_copy, c.scram.salt.data, c.scram.salt.len);
    *salt_out = onward_core__str(salt_copy, c.scram.salt.len);
    t->out[t->out_len] = '\0';
    t->out[t->out_len - 2] = '\0';
    snprintf(last, sizeof(last), "%s", strrchr(t->out, '\n') + 1);
    if (strncmp(last, "235", 3) == 0)
        assert_true(c.is_proven);
    onward_smtp__sasl_clear(&c);
    onward_core__buf_clear(&in);
    onward_core__buf_clear(&out);
    return last;
}

static void scram_by_deferred_answers(void **state)
{
    struct onward_str got;
    struct t_world w;
    struct t_server t;

    (void)state;
    t_world_init(&w);
    for (int defers = 0; defers < 2; defers++) {
        host.defers = defers == 1;
        assert_int_equal(begin(&t, &w, SCRAM, 0), 0);
        feed(&t, EHLO, strlen(EHLO));
        assert_string_equal(play_scram(&t, "tim", "tanstaaf", &got),
                            "235 2.7.0 Authentication succeeded");
        t_assert_str_n(got, salt, sizeof(salt));
        assert_int_equal(onward_smtp_server_is_authenticated(t.session), 1);
        assert_int_equal(onward_smtp_server_auth_mechanism(t.session), SCRAM);
        t_assert_str(onward_smtp_server_authentication_id(t.session), "tim");
        t_assert_str(onward_smtp_server_authorization_id(t.session), "tim");
        t_server_assert_events(&t, EV "auth 3 SCRAM-SHA-256 [tim] [] []\n"
                                      "auth yes [tim]\n");
        t_server_stop(&t);
    }
    host.defers = false;
    t_world_clear(&w);
}

/* A user who is not there looks like one with another password, each time. */
static void scram_hides_who_is_there(void **state)
{
    struct onward_str got;
    struct t_world w;
    struct t_server t;
    char first[64];
    size_t first_len;

    (void)state;
    t_world_init(&w);
    assert_int_equal(begin(&t, &w, SCRAM, 0), 0);
    feed(&t, EHLO, strlen(EHLO));
    assert_string_equal(play_scram(&t, "tim", "wrong", &got),
                        "535 5.7.8 Authentication credentials invalid");
    assert_string_equal(play_scram(&t, "tom", "tanstaaf", &got),
                        "535 5.7.8 Authentication credentials invalid");
    first_len = got.len;
    memcpy(first, got.data, got.len);
    assert_int_equal(first_len, 16);
    t_server_stop(&t);
    assert_int_equal(begin(&t, &w, SCRAM, 0), 0);
    feed(&t, EHLO, strlen(EHLO));
    play_scram(&t, "tom", "x", &got);
    t_assert_str_n(got, first, first_len);
    play_scram(&t, "ton", "x", &got);
    assert_memory_not_equal(got.data, first, first_len);
    t_server_stop(&t);
    t_world_clear(&w);
}

/* ---- Lengths ----------------------------------------------------------- */

/* A014: a line of 12288 octets with its CRLF is taken, one more is not. */
static void continuation_lines_are_bounded(void **state)
{
    static char line[12400];
    struct t_world w;
    struct t_server t;

    (void)state;
    t_world_init(&w);
    memset(line, 'A', sizeof(line));
    for (size_t extra = 0; extra < 2; extra++) {
        size_t len = 12286 + extra;

        assert_int_equal(begin(&t, &w, PASSWORDS, CLEAR), 0);
        feed(&t, EHLO "AUTH PLAIN\r\n", strlen(EHLO "AUTH PLAIN\r\n"));
        t_server_forget(&t);
        w.peak_bytes = w.live_bytes;
        feed(&t, line, len);
        assert_true(w.peak_bytes - w.live_bytes < 65536);
        feed(&t, "\r\nNOOP\r\n", 8);
        /* 12286 is no multiple of 4. */
        t_server_assert_out(&t, extra == 0
                                    ? BAD64 "250 2.0.0 OK\r\n"
                                    : "500 5.5.6 Line too long\r\n"
                                      "250 2.0.0 OK\r\n");
        t_server_stop(&t);
    }
    t_world_clear(&w);
}

/* ---- Secrets (A126) ---------------------------------------------------- */

static const char *const secret_dialogues[] = {
    EHLO "AUTH PLAIN " TIM "\r\n",
    EHLO "AUTH PLAIN\r\n" TIM "\r\n",
    EHLO "AUTH LOGIN\r\ndGlt\r\ndGFuc3RhYWY=\r\n",
    EHLO "AUTH LOGIN\r\ndGlt\r\ndGFuc3RhYWY=",
    EHLO "AUTH OAUTHBEARER bixhPXRpbSwBYXV0aD1CZWFyZXIgdGFuc3RhYWYBAQ==\r\n",
    EHLO "AUTH PLAIN AGVuZAB0YW5zdGFhZg==\r\n",
    EHLO "AUTH PLAIN AGZyZWUAdGFuc3RhYWY=\r\n",
};

static void no_block_goes_back_with_a_password(void **state)
{
    static const char *const secrets[] = {"tanstaaf", "dGFuc3RhYWY",
                                          "YW5zdGFhZg", "Fuc3RhYWY"};
    struct t_world w;
    struct t_server t;

    (void)state;
    t_world_init(&w);
    for (size_t i = 0;
         i < sizeof(secret_dialogues) / sizeof(secret_dialogues[0]); i++) {
        for (size_t j = 0; j < 4; j++) {
            for (size_t step = 1; step < 100; step += 41) {
                const char *text = secret_dialogues[i];
                size_t len = strlen(text);

                host.defers = step > 50;
                assert_int_equal(begin(&t, &w, ALL, CLEAR), 0);
                w.secret = secrets[j];
                for (size_t at = 0; at < len; at += step)
                    feed(&t, text + at, len - at < step ? len - at : step);
                t_server_stop(&t);
                w.secret = NULL;
                assert_int_equal(w.leaks, 0);
                assert_null(strstr(w.last_log, secrets[j]));
            }
        }
    }
    host.defers = false;
    t_world_clear(&w);
}

/* ---- Hosts ------------------------------------------------------------- */

static void wrong_answers_are_refused(void **state)
{
    const struct onward_smtp_scram_credentials bad = {.size = sizeof(bad)};
    struct onward_smtp_reply reply = {.size = sizeof(reply), .code = 235};
    struct t_world w;
    struct t_server t;
    uint64_t token;

    (void)state;
    t_world_init(&w);
    host.defers = true;
    assert_int_equal(begin(&t, &w, ALL, CLEAR), 0);
    t_server_say(&t, EHLO "AUTH SCRAM-SHA-256 bixhPXgsbj10aW0scj1hYmM=\r\n");
    token = host.token;
    assert_true(token != 0);
    /* Nobody is logged in by a word where a proof is due. */
    assert_int_equal(onward_smtp_reply_answer(t.desk, token, &reply),
                     ONWARD_EINVAL);
    reply.code = 334;
    assert_int_equal(onward_smtp_reply_answer(t.desk, token, &reply),
                     ONWARD_EINVAL);
    assert_int_equal(onward_smtp_auth_scram(t.desk, token, &bad),
                     ONWARD_EINVAL);
    answer(&t);
    t_server_say(&t, "*\r\nAUTH PLAIN " TIM "\r\n");
    token = host.token;
    assert_int_equal(onward_smtp_auth_scram(t.desk, token, NULL),
                     ONWARD_EINVAL);
    reply.code = 250;
    assert_int_equal(onward_smtp_reply_answer(t.desk, token, &reply),
                     ONWARD_EINVAL);
    answer(&t);
    t_server_say(&t, "");
    assert_int_equal(onward_smtp_server_is_authenticated(t.session), 1);
    t_server_stop(&t);
    /* Gone while the answer is due. */
    assert_int_equal(begin(&t, &w, ALL, CLEAR), 0);
    t_server_say(&t, EHLO "AUTH PLAIN " TIM "\r\n");
    token = host.token;
    t_server_eof(&t, ONWARD_EOF_CUT);
    assert_int_equal(onward_smtp_reply_answer(t.desk, token, &reply),
                     ONWARD_ESTALE);
    host.token = 0;
    t_server_stop(&t);
    host.defers = false;
    t_world_clear(&w);
}

static void options_are_checked(void **state)
{
    struct t_world w;
    struct t_server t;

    (void)state;
    t_world_init(&w);
    memset(&t, 0, sizeof(t));
    assert_int_equal(begin(&t, &w, 64, 0), ONWARD_EINVAL);
    t_server_stop(&t);
    t_server_prepare(&t, &w);
    t.opts.auth_mechanisms = ALL;
    t.auth = NULL;
    assert_int_equal(t_server_start(&t), ONWARD_EINVAL);
    t.auth = on_auth;
    t.opts.scram_iterations = 4095;
    assert_int_equal(t_server_start(&t), ONWARD_EINVAL);
    t.opts.scram_iterations = 10000001;
    assert_int_equal(t_server_start(&t), ONWARD_EINVAL);
    t.opts.scram_iterations = 0;
    assert_int_equal(t_server_start(&t), 0);
    t_server_stop(&t);
    t_world_clear(&w);
}

static void received_tells_of_it(void **state)
{
    struct onward_str field;
    struct t_world w;
    struct t_server t;

    (void)state;
    t_world_init(&w);
    assert_int_equal(begin(&t, &w, PASSWORDS, CLEAR), 0);
    feed(&t, EHLO "AUTH PLAIN " TIM "\r\nMAIL FROM:<a@b.test>\r\n",
         strlen(EHLO "AUTH PLAIN " TIM "\r\nMAIL FROM:<a@b.test>\r\n"));
    assert_int_equal(onward_smtp_server_received(
                         t.session, onward_core__str(NULL, 0), &field),
                     0);
    t_assert_str(field, "Received: from c.test\r\n\tby mx.test with ESMTPA;"
                        "\r\n\tSun, 13 Sep 2020 12:26:40 +0000\r\n");
    t_server_stop(&t);
    t_world_clear(&w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    const char *text = arg;
    struct t_server t;
    int err = begin(&t, w, ALL, CLEAR);

    if (err == 0)
        feed(&t, text, strlen(text));
    err = err == 0 && t.session != NULL && t.close_count == 0 ? 0 : -1;
    if (w->failed == 0)
        assert_int_equal(err, 0);
    host.token = 0;
    t_server_stop(&t);
    return err == 0 && w->failed == 0;
}

static void auth_lives_without_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++)
        t_oom_sweep(oom_scenario, (void *)(uintptr_t)secret_dialogues[i]);
}

/* XCLIENT LOGIN= is no mechanism of ours, whatever was used before it. */
static void xclient_has_no_mechanism(void **state)
{
    struct t_server t;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        begin(&t, &w, PASSWORDS, CLEAR | ONWARD_SMTP_SERVER_TRUST_XCLIENT), 0);
    t_server_say(&t, EHLO "AUTH PLAIN " TIM "\r\n");
    assert_int_equal(onward_smtp_server_auth_mechanism(t.session),
                     ONWARD_SMTP_AUTH_PLAIN);
    t_server_say(&t, "XCLIENT LOGIN=bob\r\n");
    t_assert_str(onward_smtp_server_authentication_id(t.session), "bob");
    assert_int_equal(onward_smtp_server_auth_mechanism(t.session),
                     ONWARD_SMTP_AUTH_NONE);
    t_server_stop(&t);
    t_world_clear(&w);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    static struct CMUnitTest tests[ROWS + 20];
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(scram_by_deferred_answers),
        cmocka_unit_test(scram_hides_who_is_there),
        cmocka_unit_test(continuation_lines_are_bounded),
        cmocka_unit_test(no_block_goes_back_with_a_password),
        cmocka_unit_test(wrong_answers_are_refused),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(received_tells_of_it),
        cmocka_unit_test(xclient_has_no_mechanism),
        cmocka_unit_test(auth_lives_without_memory),
    };
    size_t n = 0;

    for (; n < ROWS; n++)
        tests[n] = (struct CMUnitTest){
            .name = rows[n].name,
            .test_func = test_row,
            .initial_state = (void *)(uintptr_t)&rows[n]};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        tests[n++] = others[i];
    return _cmocka_run_group_tests("smtp_server_auth", tests, n, NULL, NULL);
}
