/*
 * AUTH in the client session, with servers that are scripts: what is chosen,
 * what is said, and how each end is told. Logins under TLS, and those by SCRAM
 * to their end, are in test_auth_pair.c.
 */
#include "smtp/play.h"

#define START(offer)                                                           \
    "S 220 mx.example ESMTP\n"                                                 \
    "C EHLO client.example\n"                                                  \
    "S 250-mx.example\n"                                                       \
    "S 250 " offer "\n"
#define GOES_ON                                                                \
    "TOLD ready\n"                                                             \
    "C MAIL FROM:<>\n"                                                         \
    "S 450 enough\n"                                                           \
    "TOLD done\n"                                                              \
    "m: temporary mail reply 450 enough\n"
#define GOODBYE                                                                \
    "C QUIT\n"                                                                 \
    "S 221 bye\n"                                                              \
    "CLOSE\n"                                                                  \
    "TOLD done\n"                                                              \
    "TOLD closed\n"
/* NUL tim NUL tanstaaf */
#define PLAIN "C AUTH PLAIN AHRpbQB0YW5zdGFhZg==\n"
#define NO_AUTH "m: temporary auth no-auth 4.7.0\n"
#define BROKEN "m: temporary auth auth 4.7.0\n"
#define STR(text) {(text), sizeof(text) - 1}

static const struct t_play_mail one[] = {
    {.from = "", .to = "b@mx.example", .text = {"x\r\n", 3}}};

static const struct onward_smtp_client_login
    tim = {.size = sizeof(tim), .user = STR("tim"),
           .password = STR("tanstaaf"), .allow_clear = 1},
    tim_under_tls = {.size = sizeof(tim), .user = STR("tim"),
                     .password = STR("tanstaaf")},
    tim_as_ursel = {.size = sizeof(tim), .user = STR("tim"),
                    .password = STR("tanstaaf"),
                    .authorization_id = STR("Ursel"), .allow_clear = 1},
    tim_by_scram = {.size = sizeof(tim), .user = STR("tim"),
                    .password = STR("tanstaaf"), .allow_clear = 1,
                    .mechanisms = ONWARD_SMTP_AUTH_SCRAM_SHA_256},
    bearer = {.size = sizeof(tim), .user = STR("tim"), .token = STR("abc"),
              .allow_clear = 1},
    both = {.size = sizeof(tim), .user = STR("tim"), .token = STR("abc"),
            .password = STR("tanstaaf"), .allow_clear = 1};

static const struct row {
    const char *name;
    const struct onward_smtp_client_login *login;
    const char *script;
} rows[] = {
    {"PLAIN", &tim,
     START("AUTH PLAIN LOGIN") PLAIN "S 235 2.7.0 welcome\n" GOES_ON},
    {"keywords in any case", &tim,
     START("auth login Plain") PLAIN "S 235 welcome\n" GOES_ON},
    {"PLAIN, asked for once more", &tim,
     START("AUTH PLAIN") PLAIN
     "S 334 \n"
     "C *\n"
     "S 501 cancelled\n" GOODBYE BROKEN},
    {"LOGIN", &tim,
     START("AUTH LOGIN") "C AUTH LOGIN\n"
                         "S 334 VXNlcm5hbWU6\n"
                         "C dGlt\n"
                         "S 334 UGFzc3dvcmQ6\n"
                         "C dGFuc3RhYWY=\n"
                         "S 235 welcome\n" GOES_ON},
    {"LOGIN without words", &tim,
     START("AUTH LOGIN") "C AUTH LOGIN\n"
                         "S 334 \n"
                         "C dGlt\n"
                         "S 334 \n"
                         "C dGFuc3RhYWY=\n"
                         "S 235 welcome\n" GOES_ON},
    {"LOGIN that is welcome too soon", &tim,
     START("AUTH LOGIN") "C AUTH LOGIN\n"
                         "S 235 welcome\n" GOODBYE BROKEN},
    {"somebody else", &tim_as_ursel,
     START("AUTH PLAIN LOGIN") "C AUTH PLAIN VXJzZWwAdGltAHRhbnN0YWFm\n"
                               "S 235 welcome\n" GOES_ON},
    {"LOGIN cannot tell of somebody else", &tim_as_ursel,
     START("AUTH LOGIN") GOODBYE NO_AUTH},
    {"wrong", &tim,
     START("AUTH PLAIN LOGIN") PLAIN
     "S 535 5.7.8 go away\n" GOODBYE
     "m: temporary auth reply 535 5.7.8 go away\n"
     "0: temporary auth reply 535 5.7.8 go away\n"
     "s: temporary auth reply 535 5.7.8 go away\n"},
    {"not now", &tim,
     START("AUTH PLAIN") PLAIN "S 454 4.7.0 later\n" GOODBYE
                               "m: temporary auth reply 454 4.7.0 later\n"},
    {"another yes is none", &tim,
     START("AUTH PLAIN") PLAIN "S 250 2.0.0 ok\n" GOODBYE
                               "m: temporary auth reply 250 2.0.0 ok\n"},
    {"going away", &tim,
     START("AUTH PLAIN") PLAIN "S 421 4.3.2 bye\n"
                               "CLOSE\n"
                               "TOLD done\n"
                               "TOLD closed\n"
                               "m: temporary auth reply 421 4.3.2 bye\n"},
    {"lost", &tim,
     START("AUTH PLAIN") PLAIN "CUT\n"
                               "CLOSE\n"
                               "TOLD done\n"
                               "TOLD closed\n"
                               "m: temporary auth lost 4.4.2\n"},
    {"never an answer", &tim,
     START("AUTH PLAIN") PLAIN "T 299999\n"
                               "N\n"
                               "T 1\n"
                               "CLOSE\n"
                               "TOLD done\n"
                               "TOLD closed\n"
                               "m: temporary auth timeout 4.4.2\n"},
    {"nothing offered", &tim, START("SIZE") GOODBYE NO_AUTH},
    {"offered with an equals sign, as before RFC 2554", &tim,
     START("AUTH=PLAIN") GOODBYE NO_AUTH},
    {"nothing known offered", &tim,
     START("AUTH CRAM-MD5 GSSAPI") GOODBYE NO_AUTH},
    {"no password without TLS", &tim_under_tls,
     START("AUTH PLAIN LOGIN OAUTHBEARER XOAUTH2") GOODBYE NO_AUTH},
    {"no AUTH after HELO", &tim,
     "S 220 mx.example\n"
     "C EHLO client.example\n"
     "S 502 what?\n"
     "C HELO client.example\n"
     "S 250 mx.example\n" GOODBYE NO_AUTH},
    {"nothing weaker than is allowed", &tim_by_scram,
     START("AUTH PLAIN LOGIN SCRAM-SHA-1") GOODBYE NO_AUTH},
    {"OAUTHBEARER before XOAUTH2", &bearer,
     START("AUTH XOAUTH2 PLAIN OAUTHBEARER")
         "C AUTH OAUTHBEARER bixhPXRpbSwBYXV0aD1CZWFyZXIgYWJjAQE=\n"
         "S 235 welcome\n" GOES_ON},
    {"RFC 7628: refused with a reason", &bearer,
     START("AUTH OAUTHBEARER")
         "C AUTH OAUTHBEARER bixhPXRpbSwBYXV0aD1CZWFyZXIgYWJjAQE=\n"
         "S 334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\n"
         "C AQ==\n"
         "S 535 5.7.1 no\n" GOODBYE
         "m: temporary auth reply 535 5.7.1 no\n"},
    {"XOAUTH2, refused with a reason", &bearer,
     START("AUTH XOAUTH2")
         "C AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgYWJjAQE=\n"
         "S 334 eyJzdGF0dXMiOiI0MDEifQ==\n"
         "C \n"
         "S 535 5.7.1 no\n" GOODBYE
         "m: temporary auth reply 535 5.7.1 no\n"},
    {"a token before a password in PLAIN", &both,
     START("AUTH PLAIN XOAUTH2")
         "C AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgYWJjAQE=\n"
         "S 235 welcome\n" GOES_ON},
    {"a challenge that is no base64", &tim,
     START("AUTH LOGIN") "C AUTH LOGIN\n"
                         "S 334 user name?\n"
                         "C *\n"
                         "S 501 cancelled\n" GOODBYE BROKEN},
    {"a server that does not stop", &tim,
     START("AUTH LOGIN") "C AUTH LOGIN\n"
                         "S 334 =\n"
                         "C *\n"
                         "S 334 VXNlcm5hbWU6\n" GOODBYE BROKEN},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    const struct t_play play = {.mails = one, .opts = {.login = row->login}};

    t_play_all(&play, row->script);
}

/* ---- A token that does not fit into the command ------------------------- */

static void long_tokens_come_in_a_line_of_their_own(void **state)
{
    static char token[600];
    struct onward_smtp_client_login login = bearer;
    struct t_play *play = calloc(1, sizeof(*play));
    struct t_world w;

    (void)state;
    assert_non_null(play);
    t_world_init(&w);
    for (size_t len = 348; len < 352; len++) {
        bool fits;

        memset(token, 'a', sizeof(token));
        login.token = (struct onward_str){token, len};
        memset(play, 0, sizeof(*play));
        play->world = &w;
        play->mails = one;
        play->opts.login = &login;
        assert_true(t_play_begin(play));
        t_play_settle(play);
        t_play_feed(play, "220 x\r\n", 7);
        t_play_settle(play);
        play->out_len = 0;
        t_play_feed(play, "250-x\r\n250 AUTH XOAUTH2\r\n", 25);
        t_play_settle(play);
        /* RFC 5321 section 4.5.3.1.4: 512 octets with CRLF. */
        assert_true(play->out_len <= 512);
        fits = play->out_len > 15;
        if (!fits) {
            assert_memory_equal(play->out, "AUTH XOAUTH2\r\n", 14);
            play->out_len = 0;
            t_play_feed(play, "334 \r\n", 6);
            t_play_settle(play);
            assert_true(play->out_len > 490);
        }
        assert_true(fits == (len <= 349));
        t_play_end(play);
    }
    t_world_clear(&w);
    free(play);
}

/* ---- Options ----------------------------------------------------------- */

/* A098, and what contradicts itself. */
static void logins_are_checked(void **state)
{
    static const struct {
        struct onward_smtp_client_login login;
        int want;
    } bad[] = {
        {{.user = STR("a\r\nb"), .password = STR("p")}, ONWARD_ESYNTAX},
        {{.user = STR("a\0b"), .password = STR("p")}, ONWARD_ESYNTAX},
        {{.user = STR("a"), .password = STR("p\r\nQUIT")}, ONWARD_ESYNTAX},
        {{.user = STR("a"), .password = STR("p\0q")}, ONWARD_ESYNTAX},
        {{.user = STR("a"), .token = STR("p q")}, ONWARD_ESYNTAX},
        {{.user = STR("\xe0"), .password = STR("p")}, ONWARD_ESYNTAX},
        {{.user = STR("\xe2\x81\xa0"), .password = STR("p")}, ONWARD_ESYNTAX},
        {{.user = STR("a"), .authorization_id = STR("b\n"),
          .password = STR("p")},
         ONWARD_ESYNTAX},
        {{.user = STR("a")}, ONWARD_EINVAL},
        {{.password = STR("p")}, ONWARD_EINVAL},
        {{.user = STR("a"), .password = STR("p"), .mechanisms = 64},
         ONWARD_EINVAL},
        {{.user = STR("a"), .password = STR("p"), .allow_clear = 2},
         ONWARD_EINVAL},
        {{.user = STR("a"), .password = STR("p"), .iterations_max = 4095},
         ONWARD_EINVAL},
        {{.user = STR("a"), .password = STR("p"), .iterations_max = 10000001},
         ONWARD_EINVAL},
    };
    static const struct onward_tls_demand none = {.size = sizeof(none),
                                                  .level = ONWARD_TLS_NONE};
    const struct onward_smtp_client_host host = {.size = sizeof(host)};
    struct onward_smtp_client_opts opts = {.size = sizeof(opts),
                                           .ehlo_name = STR("c.example"),
                                           .tls_demand = &none};
    struct onward_smtp_client *client = NULL;
    struct onward_smtp_client_login login;
    struct onward_desk *desk;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_desk_new(w.ctx, NULL, &desk), 0);
    opts.login = &login;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        login = bad[i].login;
        login.size = sizeof(login);
        assert_int_equal(onward_smtp_client_new(desk, &opts, &host, &client),
                         bad[i].want);
        assert_null(client);
    }
    onward_desk_free(desk);
    t_world_clear(&w);
}

/* A126: whatever becomes of the login, no block goes back with the password. */
static void secrets_are_wiped(void **state)
{
    static const char *const secrets[] = {"tanstaaf", "YW5zdGFhZg",
                                          "Fuc3RhYWY"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t j = 0; j < 3; j++) {
            struct t_play play = {.mails = one,
                                  .opts = {.login = rows[i].login}};
            struct t_play *p = malloc(sizeof(*p));
            struct t_world w;

            assert_non_null(p);
            *p = play;
            t_world_init(&w);
            p->world = &w;
            assert_true(t_play_begin(p));
            w.secret = secrets[j];
            assert_true(t_play_script(p, rows[i].script));
            t_play_end(p);
            w.secret = NULL;
            assert_int_equal(w.leaks, 0);
            t_world_clear(&w);
            free(p);
        }
    }
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    const struct row *row = arg;
    struct t_play *p = calloc(1, sizeof(*p));
    bool through;

    assert_non_null(p);
    p->world = w;
    p->mails = one;
    p->opts.login = row->login;
    through = t_play_begin(p) && t_play_script(p, row->script);
    t_play_end(p);
    free(p);
    return through;
}

static void it_lives_without_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++)
        t_oom_sweep(oom_scenario, (void *)(uintptr_t)&rows[i]);
}

int main(void)
{
    enum { COUNT = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[COUNT + 4] = {
        [COUNT] = cmocka_unit_test(long_tokens_come_in_a_line_of_their_own),
        cmocka_unit_test(logins_are_checked),
        cmocka_unit_test(secrets_are_wiped),
        cmocka_unit_test(it_lives_without_memory)};

    for (size_t i = 0; i < COUNT; i++) {
        tests[i].name = rows[i].name;
        tests[i].test_func = test_row;
        tests[i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    return cmocka_run_group_tests_name("smtp client AUTH", tests, NULL, NULL);
}
