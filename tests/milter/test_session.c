/* A mail server's connection, as octets in and octets out. */
#define _GNU_SOURCE
#include "session.h"

#include "filter_world.h"

#define BASE "hostname = mx.fwd.example\ndns = dns.txt\n"
#define SRS                                                                    \
    "srs_domain = fwd.example\nsrs_secret = srs.txt\nforward = b.example\n"

/* ---- Scripts ----------------------------------------------------------- */

/* A frame as a string literal: length, command, payload. */
struct script {
    char data[8192];
    size_t len;
};

static void say(struct script *s, char command, const char *payload, size_t len)
{
    unsigned char head[5] = {0, 0, (unsigned char)((len + 1) >> 8),
                             (unsigned char)(len + 1), (unsigned char)command};

    assert_true(sizeof(s->data) - s->len >= sizeof(head) + len);
    memcpy(s->data + s->len, head, sizeof(head));
    if (len > 0)
        memcpy(s->data + s->len + sizeof(head), payload, len);
    s->len += sizeof(head) + len;
}

#define SAY(s, command, literal) say(s, command, literal, sizeof(literal) - 1)

static void negotiate(struct script *s)
{
    SAY(s, 'O', "\0\0\0\6\0\0\1\377\0\37\377\377");
}

static void connect_from(struct script *s)
{
    SAY(s, 'D', "Cj\0mx.fwd.example\0");
    SAY(s, 'C',
        "client.example\0"
        "4\0\031192.0.2.9\0");
    SAY(s, 'H', "client.a.example\0");
}

static void header(struct script *s)
{
    SAY(s, 'L', "From\0 u@a.example\0");
    SAY(s, 'L', "X-Fold\0 one\n two\0");
    SAY(s, 'N', "");
}

static void envelope(struct script *s)
{
    SAY(s, 'D', "Mi\0ABC\0");
    SAY(s, 'M', "<u@a.example>\0SIZE=1\0");
    SAY(s, 'R', "<v@b.example>\0");
}

static void message(struct script *s)
{
    envelope(s);
    header(s);
    SAY(s, 'B', "hello\r\n");
    SAY(s, 'E', "");
}

static void start(struct script *s)
{
    s->len = 0;
    negotiate(s);
    connect_from(s);
}

/* ---- A session --------------------------------------------------------- */

struct run {
    struct filter_world x;
    struct milter_session *session;
    size_t decided, ended;
    const char *why;   /* the connection was ended */
    char answers[400]; /* their letters; text behind y */
};

static void decided(void *user)
{
    ((struct run *)user)->decided++;
}

static void ended(void *user, const struct filter *f, const char *id)
{
    struct run *r = user;
    struct json j = {.out = fopen("/dev/null", "w")};

    (void)id;
    r->ended++;
    /* The log may be written of whatever it is. */
    assert_non_null(j.out);
    json_open(&j, NULL, '{');
    filter_log(f, &j);
    json_close(&j, '}');
    fclose(j.out);
}

/* The answers so far, as a line. */
static void collect(struct run *r)
{
    struct milter_out *out = milter_session_out(r->session);

    while (out->at < out->len && !out->has_failed) {
        const unsigned char *s = (const unsigned char *)out->data + out->at;
        size_t len = (size_t)s[2] << 8 | s[3], used = strlen(r->answers);

        assert_true(s[0] == 0 && s[1] == 0 && len > 0 &&
                    len <= out->len - out->at - 4);
        if (s[4] == 'y')
            snprintf(r->answers + used, sizeof(r->answers) - used, "y(%.3s)",
                     s + 5);
        else
            snprintf(r->answers + used, sizeof(r->answers) - used, "%c", s[4]);
        out->at += 4 + len;
    }
    out->at = out->len = 0;
}

static void feed(void *arg, const void *data, size_t len)
{
    struct run *r = arg;
    const char *at = data;

    while (len > 0 && r->why == NULL) {
        size_t taken = 0;

        r->why = milter_session_feed(r->session, at, len, &taken);
        at += taken;
        len -= taken;
        filter_world_run(&r->x);
        collect(r);
        assert_true(taken > 0 || r->why != NULL ||
                    !milter_session_is_busy(r->session));
    }
}

static void begin(void *arg)
{
    struct run *r = arg;
    struct milter_session_opts o = {.setup = r->x.setup,
                                    .settings = &r->x.settings,
                                    .user = r,
                                    .decided = decided,
                                    .ended = ended};

    milter_session_free(r->session);
    r->session = milter_session_new(&o);
    r->why = NULL;
    r->decided = r->ended = 0;
    r->answers[0] = '\0';
}

static const char *wanted;

static void check(void *arg)
{
    struct run *r = arg;

    if (r->why != NULL && strcmp(r->answers, wanted) != 0)
        print_message("%s\n", r->why);
    assert_string_equal(r->answers, wanted);
    assert_int_equal(r->decided, r->ended);
}

static void run_script(const char *config, const struct script *s,
                       const char *answers, bool is_ended)
{
    const struct t_cut cut = {begin, feed, check};
    struct t_world w;
    struct run r = {0};

    t_world_init(&w);
    if (!filter_world_begin(&r.x, &w, config))
        fail_msg("%s", r.x.fault);
    wanted = answers;
    t_cut_everywhere(&cut, &r, s->data, s->len);
    assert_int_equal(r.why != NULL, is_ended);
    milter_session_free(r.session);
    filter_world_end(&r.x);
    t_world_clear(&w);
}

/* ---- What goes well ---------------------------------------------------- */

static void test_message(void **state)
{
    struct script s;

    (void)state;
    start(&s);
    message(&s);
    run_script(BASE, &s, "Occic", false);
}

static void test_every_command(void **state)
{
    struct script s;

    (void)state;
    start(&s);
    SAY(&s, 'U', "NONSENSE\0");
    SAY(&s, 'H', "again.example\0");
    SAY(&s, 'D', "M{auth_type}\0PLAIN\0{auth_authen}\0ann\0");
    SAY(&s, 'M', "<u@a.example>\0");
    SAY(&s, 'D', "R{rcpt_addr}\0v@b.example\0");
    SAY(&s, 'R', "<v@b.example>\0");
    SAY(&s, 'R', "w@b.example\0NOTIFY=NEVER\0");
    SAY(&s, 'D', "Ti\0ABC\0");
    SAY(&s, 'T', "");
    SAY(&s, 'D', "L");
    header(&s);
    SAY(&s, 'B', "one\r\n");
    SAY(&s, 'B', "");
    SAY(&s, 'E', "two\r\n");
    SAY(&s, 'Q', "");
    /* No results on top: it is ours. */
    run_script(BASE, &s, "Occcccc", true);
}

static void test_servers_that_want_answers(void **state)
{
    struct script s = {.len = 0};

    (void)state;
    SAY(&s, 'O', "\0\0\0\2\0\0\0\77\0\0\0\177");
    connect_from(&s);
    message(&s);
    run_script(BASE, &s, "Occccccccic", false);
}

static void test_several_messages(void **state)
{
    struct script s;

    (void)state;
    start(&s);
    message(&s);
    message(&s);
    SAY(&s, 'K', "");
    connect_from(&s);
    message(&s);
    run_script(BASE, &s, "Occicccicccic", false);
}

static void test_empty_message(void **state)
{
    struct script s;

    (void)state;
    start(&s);
    envelope(&s);
    SAY(&s, 'N', "");
    SAY(&s, 'E', "");
    envelope(&s);
    SAY(&s, 'E', "");
    run_script(BASE "enforce_dmarc = no\n", &s, "Occicccic", false);
}

/* ---- The next one starts clean (A123) ---------------------------------- */

static void test_abort_everywhere(void **state)
{
    struct script whole;
    struct t_world w;
    struct run r = {0};

    (void)state;
    t_world_init(&w);
    assert_true(filter_world_begin(&r.x, &w, BASE));
    start(&whole);
    SAY(&whole, 'D', "M{auth_type}\0PLAIN\0");
    envelope(&whole);
    header(&whole);
    SAY(&whole, 'B', "Subject: of another message\r\n");
    for (size_t at = 0; at < whole.len;) {
        size_t len = (size_t)(unsigned char)whole.data[at + 2] << 8 |
                     (unsigned char)whole.data[at + 3];
        struct script rest = {.len = 0};

        at += 4 + len;
        begin(&r);
        feed(&r, whole.data, at);
        if (strncmp(r.answers, "O", 1) != 0)
            continue;
        SAY(&rest, 'A', "");
        if (at < 160) /* who the client is was not said yet, or is said anew */
            SAY(&rest, 'K', "");
        if (at < 160)
            connect_from(&rest);
        r.answers[0] = '\0';
        feed(&r, rest.data, rest.len);
        rest.len = 0;
        /* No macros: what those of the last message said is gone. */
        SAY(&rest, 'M', "<u@a.example>\0");
        SAY(&rest, 'R', "<v@b.example>\0");
        header(&rest);
        SAY(&rest, 'E', "");
        feed(&r, rest.data, rest.len);
        /* From a stranger again: verified, and passes. */
        assert_null(r.why);
        assert_string_equal(r.answers, "ccic");
        assert_int_equal(r.ended, 1);
    }
    milter_session_free(r.session);
    filter_world_end(&r.x);
    t_world_clear(&w);
}

static void test_refused_then_clean(void **state)
{
    struct script s;

    (void)state;
    start(&s);
    SAY(&s, 'D', "M");
    SAY(&s, 'M', "<u@z.example>\0");
    SAY(&s, 'R', "<v@b.example>\0");
    header(&s);
    SAY(&s, 'E', "");
    message(&s);
    run_script(BASE, &s, "Occy(550)ccic", false);
}

static void test_bounce_to_a_stranger(void **state)
{
    struct script s;

    (void)state;
    start(&s);
    SAY(&s, 'M', "<>\0");
    SAY(&s, 'R', "<SRS0=aaaa=bb=a.example=u@fwd.example>\0");
    SAY(&s, 'A', "");
    message(&s);
    /* Results, and another sender. */
    run_script(BASE SRS, &s, "Ocy(550)cciec", false);
}

static void test_header_octets(void **state)
{
    struct script s;

    (void)state;
    start(&s);
    envelope(&s);
    SAY(&s, 'L', "From\0 u@a.example\0");
    /* An LF that is no fold would be another field to others. */
    SAY(&s, 'L', "X\0 a\nBcc: x\0");
    SAY(&s, 'N', "");
    SAY(&s, 'E', "");
    SAY(&s, 'M', "<u@a.example>\0");
    SAY(&s, 'L', "From\0 u@a.example\0");
    SAY(&s, 'L', "X\0 a\r\n\tb\n c\0");
    SAY(&s, 'N', "");
    SAY(&s, 'E', "");
    run_script(BASE, &s, "Occy(550)cic", false);
}

/* ---- What ends the connection (A122) ----------------------------------- */

static const struct bad {
    const char *name;
    char command;
    const char *payload;
    size_t len;
    int before; /* 0: nothing; 1: negotiated; 2: a client; 3: a message */
} bads[] = {
    {"nothing negotiated", 'C', "mx\0U", 4, 0},
    {"a macro before that", 'D', "C", 1, 0},
    {"options that are cut", 'O', "\0\0\0\6\0\0\1\377", 8, 0},
    {"a version of long ago", 'O', "\0\0\0\1\0\0\1\377\0\37\377\377", 12, 0},
    {"a server that lets nothing change", 'O', "\0\0\0\6\0\0\0\0\0\37\377\377",
     12, 0},
    {"negotiated twice", 'O', "\0\0\0\6\0\0\1\377\0\37\377\377", 12, 1},
    {"HELO before the client", 'H', "x\0", 2, 1},
    {"MAIL before the client", 'M', "<>\0", 3, 1},
    {"a client without NUL", 'C', "mx", 2, 1},
    {"two clients", 'C', "mx\0U", 4, 2},
    {"HELO without NUL", 'H', "x", 1, 2},
    {"HELO of two strings", 'H', "x\0y\0", 4, 2},
    {"empty HELO", 'H', "", 0, 2},
    {"MAIL without NUL", 'M', "<u@a.example>", 13, 2},
    {"empty MAIL", 'M', "", 0, 2},
    {"RCPT before MAIL", 'R', "<v@b.example>\0", 14, 2},
    {"a field before MAIL", 'L', "A\0b\0", 4, 2},
    {"a body before MAIL", 'B', "x", 1, 2},
    {"an end before MAIL", 'E', "", 0, 2},
    {"macros that are cut", 'D', "Mi\0", 3, 2},
    {"a second MAIL", 'M', "<>\0", 3, 3},
    {"HELO in a message", 'H', "x\0", 2, 3},
    {"RCPT without NUL", 'R', "<v@b.example>", 13, 3},
    {"a field without value", 'L', "A\0", 2, 3},
    {"a field without NUL", 'L', "A\0b", 3, 3},
    {"a field of three strings", 'L', "A\0b\0c\0", 6, 3},
    {"a field without name", 'L', "\0b\0", 3, 3},
    {"a name with a colon", 'L', "A:b\0c\0", 6, 3},
    {"a name with a line end", 'L', "A\nB\0c\0", 6, 3},
    {"an end of the header with something", 'N', "x", 1, 3},
    {"a body before the header's end", 'B', "x", 1, 3},
    {"a last piece before it", 'E', "x", 1, 3},
    {"an unknown command", '!', "", 0, 3},
    {"command NUL", '\0', "", 0, 3},
    {"ABORT with something", 'A', "x", 1, 3},
    {"QUIT with something", 'Q', "x", 1, 3},
};

static void test_bad(void **state)
{
    static const char *const answers[] = {"", "O", "O", "Oc"};
    const struct bad *bad = *state;
    struct script s = {.len = 0};

    if (bad->before >= 1)
        negotiate(&s);
    if (bad->before >= 2)
        connect_from(&s);
    if (bad->before >= 3)
        SAY(&s, 'M', "<u@a.example>\0");
    say(&s, bad->command, bad->payload, bad->len);
    SAY(&s, 'M', "<after@a.example>\0"); /* nothing is taken any more */
    run_script(BASE, &s, answers[bad->before], true);
}

static void test_wants_what_settings_want(void **state)
{
    struct script s = {.len = 0};

    (void)state;
    /* Fields may be changed, the sender not. */
    SAY(&s, 'O', "\0\0\0\6\0\0\0\77\0\37\377\377");
    run_script(BASE, &s, "O", false);
    run_script(BASE SRS, &s, "", true);
    s.len = 0;
    SAY(&s, 'O', "\0\0\0\6\0\0\0\37\0\37\377\377");
    run_script(BASE, &s, "O", false);
    run_script(BASE "dmarc_quarantine = hold\n", &s, "", true);
}

/* ---- Memory ------------------------------------------------------------ */

static bool scenario(struct t_world *w, void *arg)
{
    struct script s;
    struct run r = {0};
    bool ok = filter_world_begin(&r.x, w, arg);

    start(&s);
    message(&s);
    filter_world_watch(w);
    if (ok) {
        begin(&r);
        ok = r.session != NULL;
    }
    if (ok) {
        feed(&r, s.data, s.len);
        ok = strcmp(r.answers, "Occice") == 0 ||
             strcmp(r.answers, "Occiec") == 0;
        /* It ends, or waits for no one; nothing is lost half way. */
        assert_true(ok || r.why != NULL || strchr(r.answers, 't') != NULL ||
                    strstr(r.answers, "y(451)") != NULL ||
                    strcmp(r.answers, "Occic") == 0);
    }
    milter_session_free(r.session);
    filter_world_watch(NULL);
    filter_world_end(&r.x);
    return ok;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(scenario, (void *)(uintptr_t)(BASE SRS));
}

int main(void)
{
    enum { BADS = sizeof(bads) / sizeof(bads[0]) };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_every_command),
        cmocka_unit_test(test_servers_that_want_answers),
        cmocka_unit_test(test_several_messages),
        cmocka_unit_test(test_empty_message),
        cmocka_unit_test(test_abort_everywhere),
        cmocka_unit_test(test_refused_then_clean),
        cmocka_unit_test(test_bounce_to_a_stranger),
        cmocka_unit_test(test_header_octets),
        cmocka_unit_test(test_wants_what_settings_want),
        cmocka_unit_test(test_no_memory),
    };
    struct CMUnitTest tests[BADS + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < BADS; i++)
        tests[i] =
            (struct CMUnitTest){.name = bads[i].name,
                                .test_func = test_bad,
                                .initial_state = (void *)(uintptr_t)&bads[i]};
    memcpy(tests + BADS, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
