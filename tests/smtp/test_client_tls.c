/*
 * STARTTLS in the client session, as far as the server stays in the clear:
 * what it offers, refuses, or slips in. Sessions under TLS are in test_pair.c.
 */
#include "smtp/play.h"

#define HELLO                                                                  \
    "S 220 mx.example ESMTP\n"                                                 \
    "C EHLO client.example\n"
#define OFFER                                                                  \
    HELLO "S 250-mx.example\n"                                                 \
          "S 250 STARTTLS\n"                                                   \
          "C STARTTLS\n"
#define GOODBYE                                                                \
    "C QUIT\n"                                                                 \
    "S 221 bye\n"                                                              \
    "CLOSE\n"                                                                  \
    "TOLD done\n"                                                              \
    "TOLD closed\n"
#define GOES_ON                                                                \
    "TOLD ready\n"                                                             \
    "C MAIL FROM:<>\n"                                                         \
    "S 450 enough\n"                                                           \
    "TOLD done\n"                                                              \
    "m: temporary mail reply 450 enough\n"

static const struct t_play_mail one[] = {
    {.from = "", .to = "b@mx.example", .text = {"x\r\n", 3}}};

static const struct row {
    const char *name;
    enum onward_tls_level level;
    bool is_whole; /* the moment counts: not for all cuts */
    const char *script;
} rows[] = {
    {"not offered, demanded", ONWARD_TLS_ENCRYPTED, false,
     HELLO "S 250 mx.example\n" GOODBYE
           "m: temporary ehlo no-tls 4.7.4 tls:not-offered\n"
           "0: temporary ehlo no-tls 4.7.4 tls:not-offered\n"
           "s: temporary ehlo no-tls 4.7.4 tls:not-offered\n"},
    {"not offered, wanted verified", ONWARD_TLS_VERIFIED, false,
     HELLO "S 250-mx.example STARTTLS\n"
           "S 250 STARTTLSX\n" GOODBYE
           "m: temporary ehlo no-tls 4.7.4 tls:not-offered\n"},
    {"not offered, opportunistic", ONWARD_TLS_OPPORTUNISTIC, false,
     HELLO "S 250 mx.example\n" GOES_ON},
    {"offered, not to be used", ONWARD_TLS_NONE, false,
     HELLO "S 250-mx.example\n"
           "S 250 STARTTLS\n" GOES_ON},
    {"refused, demanded", ONWARD_TLS_ENCRYPTED, false,
     OFFER "S 454 4.7.0 no TLS now\n" GOODBYE
           "m: temporary starttls no-tls 454 4.7.0 tls:refused no TLS now\n"},
    {"refused for good, demanded", ONWARD_TLS_ENCRYPTED, false,
     OFFER "S 501 what?\n" GOODBYE
           "m: temporary starttls no-tls 501 tls:refused what?\n"},
    {"250 is no go-ahead", ONWARD_TLS_ENCRYPTED, false,
     OFFER "S 250 ok\n" GOODBYE
           "m: temporary starttls no-tls 250 tls:refused ok\n"},
    {"refused, opportunistic", ONWARD_TLS_OPPORTUNISTIC, false,
     OFFER "S 454 4.7.0 no TLS now\n" GOES_ON},
    {"EHLO unknown, demanded", ONWARD_TLS_ENCRYPTED, false,
     HELLO "S 502 what?\n" GOODBYE
           "m: temporary ehlo no-tls 4.7.4 tls:not-offered\n"},
    {"EHLO refused, demanded", ONWARD_TLS_ENCRYPTED, false,
     HELLO "S 550 5.7.1 go away\n" GOODBYE
           "m: permanent ehlo reply 550 5.7.1 go away\n"},
    {"EHLO unknown, opportunistic", ONWARD_TLS_OPPORTUNISTIC, false,
     HELLO "S 502 what?\n"
           "C HELO client.example\n"
           "S 250 mx\n" GOES_ON},
    /* A026: what is slipped in behind the 220 never answers a command. */
    {"a reply behind the 220", ONWARD_TLS_OPPORTUNISTIC, true,
     OFFER "S 220 go\n"
           "S 250 mx.example\n"
           "DROP\n"
           "TOLD done\n"
           "TOLD closed\n"
           "CLOSE\n"
           "m: temporary tls tls 4.7.5 tls:early-input\n"
           "s: temporary tls tls 4.7.5 tls:early-input\n"},
    {"no TLS behind the 220", ONWARD_TLS_ENCRYPTED, false,
     OFFER "S 220 go\n"
           "DROP\n"
           "S 250 mx.example and many more octets\n"
           "DROP\n"
           "TOLD done\n"
           "TOLD closed\n"
           "CLOSE\n"
           "m: temporary tls tls 4.7.5 tls:handshake\n"},
    {"lost in the handshake", ONWARD_TLS_ENCRYPTED, false,
     OFFER "S 220 go\n"
           "DROP\n"
           "EOF\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary tls tls 4.7.5 tls:lost\n"},
    {"no handshake", ONWARD_TLS_ENCRYPTED, false,
     OFFER "S 220 go\n"
           "DROP\n"
           "T 299999\n"
           "N\n"
           "T 1\n"
           "DROP\n"
           "TOLD done\n"
           "TOLD closed\n"
           "CLOSE\n"
           "m: temporary tls timeout 4.4.2 tls:timeout\n"},
    {"lost before the reply to STARTTLS", ONWARD_TLS_ENCRYPTED, false,
     OFFER "EOF\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary starttls lost 4.4.2\n"},
};

static struct t_world tls_world;
static struct onward_tls_config *config;

static int make_config(void **state)
{
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_CLIENT};

    (void)state;
    t_world_init(&tls_world);
    return onward_tls_config_new(tls_world.ctx, &opts, &config);
}

static int free_config(void **state)
{
    (void)state;
    onward_tls_config_free(config);
    t_world_clear(&tls_world);
    return 0;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_str name = ONWARD_STR("mx.example");
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = row->level,
                                       .names = &name,
                                       .name_count = 1};
    struct t_play play = {.mails = one,
                          .opts = {.tls = config, .tls_demand = &demand}};

    if (row->is_whole)
        t_play_whole(&play, row->script);
    else
        t_play_all(&play, row->script);
}

/* A025: what was offered in the clear is gone with the 220. */
static void test_forgets(void **state)
{
    struct t_world w;
    struct onward_tls_demand demand = {.size = sizeof(demand),
                                       .level = ONWARD_TLS_ENCRYPTED};
    struct t_play *play = calloc(1, sizeof(*play));

    (void)state;
    assert_non_null(play);
    t_world_init(&w);
    play->world = &w;
    play->mails = one;
    play->opts.tls = config;
    play->opts.tls_demand = &demand;
    assert_true(t_play_begin(play));
    assert_true(t_play_script(play, OFFER));
    assert_true(onward_smtp_client_extensions(play->client) ==
                ONWARD_SMTP_EXT_STARTTLS);
    t_play_feed(play, "220 go\r\n", 8);
    assert_true(onward_smtp_client_extensions(play->client) == 0);
    t_play_end(play);
    t_world_clear(&w);
    free(play);
}

int main(void)
{
    enum { COUNT = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[COUNT + 1] = {[COUNT] =
                                              cmocka_unit_test(test_forgets)};

    for (size_t i = 0; i < COUNT; i++) {
        tests[i].name = rows[i].name;
        tests[i].test_func = test_row;
        tests[i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    return cmocka_run_group_tests_name("smtp client STARTTLS", tests,
                                       make_config, free_config);
}
