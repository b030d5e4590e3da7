/*
 * lib/smtp/client_plan.c, client_limits.c, client_tls_host.c: what a message
 * asks for and what a server offers, as dialogues played at all cuts.
 */
#include "smtp/play.h"

#define HELLO                                                                  \
    "S 220 mx.example ESMTP\n"                                                 \
    "C EHLO client.example\n"
#define OFFER(lines) HELLO "S 250-mx.example\n" lines "TOLD ready\n"
#define BYE                                                                    \
    "QUIT\n"                                                                   \
    "C QUIT\n"                                                                 \
    "S 221 bye\n"                                                              \
    "CLOSE\n"                                                                  \
    "TOLD closed\n"
/* QUIT said by the client itself. */
#define LEAVES                                                                 \
    "C QUIT\n"                                                                 \
    "S 221 bye\n"                                                              \
    "CLOSE\n"                                                                  \
    "TOLD closed\n"
#define DATA                                                                   \
    "C DATA\n"                                                                 \
    "S 354 go\n"                                                               \
    "C x\n"                                                                    \
    "C .\n"
#define RCPT(who)                                                              \
    "C RCPT TO:<" who ">\n"                                                    \
    "S 250 ok\n"
#define MAIL                                                                   \
    "C MAIL FROM:<>\n"                                                         \
    "S 250 ok\n"
#define HANDSHAKE                                                              \
    HELLO "S 250-mx.example\n"                                                 \
          "S 250-REQUIRETLS\n"                                                 \
          "S 250 STARTTLS\n"                                                   \
          "C STARTTLS\n"                                                       \
          "S 220 go\n"                                                         \
          "TOLD starttls\n"                                                    \
          "N\n"

#define X .text = {"x\r\n", 3}

static const struct t_play_mail dsn[] = {
    {.from = "a@client.example",
     .to = "b@mx.example c@mx.example",
     X,
     .ret = ONWARD_SMTP_RET_HDRS,
     .envid = {"Q+Q =1", 6},
     .notify = ONWARD_SMTP_NOTIFY_SUCCESS | ONWARD_SMTP_NOTIFY_DELAY,
     .orcpt = {"rfc822;B+b@mx.example", 21}}};
static const struct t_play_mail never[] = {
    {.from = "",
     .to = "b@mx.example",
     X,
     .ret = ONWARD_SMTP_RET_FULL,
     .notify = ONWARD_SMTP_NOTIFY_NEVER}};
static const struct t_play_mail two[] = {{.from = "", .to = "b@mx.example", X},
                                         {.from = "", .to = "c@mx.example", X}};
static const struct t_play_mail five[] = {
    {.from = "",
     .to = "b@x.example c@x.example d@y.example e@X.example f@z.example",
     X},
    {.from = "", .to = "g@y.example", X}};
static const struct t_play_mail five_held[] = {
    {.from = "", .to = "b@x.example c@x.example", X, .hold_dot = 1}};
static const struct t_play_mail demanding[] = {
    {.from = "", .to = "b@mx.example", X, .require_tls = 1},
    {.from = "", .to = "b@mx.example", X}};

static const struct row {
    const char *name;
    const struct t_play_mail *mails;
    const char *script;
    size_t flags, level;
} rows[] = {
    {"DSN", dsn,
     OFFER("S 250 DSN\n") "C MAIL FROM:<a@client.example> RET=HDRS "
                          "ENVID=Q+2BQ+20+3D1\n"
                          "S 250 ok\n"
                          "C RCPT TO:<b@mx.example> NOTIFY=SUCCESS,DELAY "
                          "ORCPT=rfc822;B+2Bb@mx.example\n"
                          "S 250 ok\n"
                          "C RCPT TO:<c@mx.example>\n"
                          "S 250 ok\n" DATA "S 250 ok\n"
                          "TOLD done\n"
                          "m: delivered final reply 250 ok\n"
                          "0: delivered final reply 250 ok\n" BYE,
     0, 0},
    {"DSN, never and all", never,
     OFFER("S 250 DSN\n") "C MAIL FROM:<> RET=FULL\n"
                          "S 250 ok\n"
                          "C RCPT TO:<b@mx.example> NOTIFY=NEVER\n"
                          "S 250 ok\n" DATA "S 250 ok\n"
                          "TOLD done\n" BYE,
     0, 0},
    {"DSN not offered: said, for whom it was wanted", dsn,
     OFFER("S 250 SIZE\n") "C MAIL FROM:<a@client.example> SIZE=3\n"
                           "S 250 ok\n" RCPT("b@mx.example")
                               RCPT("c@mx.example") DATA
     "S 250 ok\n"
     "TOLD done\n"
     "m: delivered final reply 250 no-dsn ok\n"
     "0: delivered final reply 250 no-dsn ok\n"
     "1: delivered final reply 250 ok\n"
     "s: not-tried check none\n" BYE,
     0, 0},
    /* ---- LIMITS, RFC 9422 ---- */
    {"MAILMAX counts refused ones too", two,
     "MAIL 0\n" OFFER(
         "S 250 LIMITS MAILMAX=1\n") "C MAIL FROM:<>\n"
                                     "S 450 no\n"
                                     "TOLD done\n"
                                     "m: temporary mail reply 450 no\n"
                                     "MAIL 1\n"
                                     "C QUIT\n"
                                     "TOLD done\n"
                                     "m: not-tried check limit 4.5.3\n"
                                     "0: not-tried check limit 4.5.3\n"
                                     "S 221 bye\n"
                                     "CLOSE\n"
                                     "TOLD closed\n",
     0, 0},
    {"RCPTMAX: one message in several transactions", five,
     OFFER("S 250 LIMITS RCPTMAX=2\n") MAIL RCPT("b@x.example")
         RCPT("c@x.example") DATA "S 250 first\n" MAIL RCPT(
             "d@y.example") "C RCPT TO:<e@X.example>\n"
                            "S 550 no\n" DATA
                            "S 451 second\n" MAIL RCPT("f@z.example") DATA
     "S 554 third\n"
     "TOLD done\n"
     "m: delivered final reply 250 first\n"
     "0: delivered final reply 250 first\n"
     "1: delivered final reply 250 first\n"
     "2: temporary final reply 451 second\n"
     "3: permanent rcpt reply 550 no\n"
     "4: permanent final reply 554 third\n" BYE,
     0, 0},
    {"RCPTMAX: RSET between", five,
     OFFER("S 250-PIPELINING\nS 250 LIMITS RCPTMAX=3\n") "C MAIL FROM:<>\n"
                                                         "C RCPT "
                                                         "TO:<b@x.example>\n"
                                                         "C RCPT "
                                                         "TO:<c@x.example>\n"
                                                         "C RCPT "
                                                         "TO:<d@y.example>\n"
                                                         "C DATA\n"
                                                         "S 250 ok\n"
                                                         "S 550 1\n"
                                                         "S 550 2\n"
                                                         "S 450 3\n"
                                                         "S 503 no\n"
                                                         "C RSET\n"
                                                         "C MAIL FROM:<>\n"
                                                         "C RCPT "
                                                         "TO:<e@X.example>\n"
                                                         "C RCPT "
                                                         "TO:<f@z.example>\n"
                                                         "C DATA\n"
                                                         "S 250 ok\n"
                                                         "S 250 ok\n"
                                                         "S 550 4\n"
                                                         "S 550 5\n"
                                                         "S 503 no\n"
                                                         "TOLD done\n"
                                                         "m: temporary rcpt "
                                                         "recipients\n"
                                                         "0: permanent rcpt "
                                                         "reply 550 1\n"
                                                         "2: temporary rcpt "
                                                         "reply 450 3\n"
                                                         "4: permanent rcpt "
                                                         "reply 550 5\n" BYE,
     0, 0},
    {"RCPTMAX: MAIL refused is not asked again", five,
     OFFER("S 250 LIMITS RCPTMAX=2\n") "C MAIL FROM:<>\n"
                                       "S 550 5.7.1 no\n"
                                       "TOLD done\n"
                                       "m: permanent mail reply 550 5.7.1 no\n"
                                       "4: permanent mail reply 550 5.7.1 "
                                       "no\n" BYE,
     0, 0},
    {"RCPTMAX and MAILMAX", five,
     OFFER("S 250 LIMITS RCPTMAX=2 MAILMAX=2\n") MAIL RCPT("b@x.example")
         RCPT("c@x.example") DATA "S 450 first\n" MAIL RCPT("d@y.example")
             RCPT("e@X.example") DATA "S 250 second\n"
                                      "TOLD done\n"
                                      "m: delivered final reply 250 second\n"
                                      "0: temporary final reply 450 first\n"
                                      "2: delivered final reply 250 second\n"
                                      "4: not-tried check limit 4.5.3\n" LEAVES,
     0, 0},
    {"RCPTMAX: the session ends between", five,
     OFFER("S 250 LIMITS RCPTMAX=2\n") MAIL RCPT("b@x.example")
         RCPT("c@x.example") DATA "S 250 first\n" MAIL RCPT(
             "d@y.example") "C RCPT TO:<e@X.example>\n"
                            "S 421 bye\n"
                            "TOLD done\n"
                            "TOLD closed\n"
                            "CLOSE\n"
                            "m: delivered final reply 250 first\n"
                            "1: delivered final reply 250 first\n"
                            "2: temporary rcpt reply 421 bye\n"
                            "4: temporary rcpt reply 421 bye\n"
                            "s: temporary rcpt reply 421 bye\n",
     0, 0},
    {"RCPTMAX: one dot to hold, one transaction", five_held,
     OFFER("S 250 LIMITS RCPTMAX=1\n")
         MAIL RCPT("b@x.example") "C DATA\n"
                                  "S 354 go\n"
                                  "C x\n"
                                  "TOLD held\n"
                                  "RELEASE\n"
                                  "C .\n"
                                  "S 250 ok\n"
                                  "TOLD done\n"
                                  "0: delivered final reply 250 ok\n"
                                  "1: not-tried check limit 4.5.3\n" BYE,
     0, 0},
    {"RCPTDOMAINMAX, of a session", five,
     "MAIL 0\n" OFFER(
         "S 250-PIPELINING\nS 250 LIMITS RCPTDOMAINMAX=1\n") "C MAIL FROM:<>\n"
                                                             "C RCPT "
                                                             "TO:<b@x.example>"
                                                             "\n"
                                                             "C RCPT "
                                                             "TO:<c@x.example>"
                                                             "\n"
                                                             "C RCPT "
                                                             "TO:<e@X.example>"
                                                             "\n"
                                                             "C DATA\n"
                                                             "S 250 ok\n"
                                                             "S 550 no\n"
                                                             "S 250 ok\n"
                                                             "S 250 ok\n"
                                                             "S 354 go\n"
                                                             "C x\n"
                                                             "C .\n"
                                                             "S 250 ok\n"
                                                             "TOLD done\n"
                                                             "0: permanent "
                                                             "rcpt reply 550 "
                                                             "no\n"
                                                             "1: delivered "
                                                             "final reply 250 "
                                                             "ok\n"
                                                             "2: not-tried "
                                                             "check limit "
                                                             "4.5.3\n"
                                                             "3: delivered "
                                                             "final reply 250 "
                                                             "ok\n"
                                                             "4: not-tried "
                                                             "check limit "
                                                             "4.5.3\n"
                                                             "MAIL 1\n"
                                                             "N\n"
                                                             "TOLD done\n"
                                                             "m: not-tried "
                                                             "check limit "
                                                             "4.5.3\n" BYE,
     0, 0},
    {"limits that are none are ignored, one by one", two,
     OFFER("S 250 LIMITS MAILMAX=0 RCPTMAX=1000000 RCPTMAX MAILMAX=-1 "
           "MAILMAX=+1 MAILMAX= =1 UNKNOWN=1 RCPTDOMAINMAX=0x1\n")
         MAIL RCPT("b@mx.example") DATA "S 250 ok\n"
                                        "TOLD done\n" BYE,
     0, 0},
    /* ---- REQUIRETLS, RFC 8689 ---- */
    {"REQUIRETLS in the clear", demanding,
     "MAIL 0\n" OFFER(
         "S 250 REQUIRETLS\n") "N\n"
                               "TOLD done\n"
                               "m: permanent check unverified 5.7.10\n"
                               "0: permanent check unverified 5.7.10\n"
                               "MAIL 1\n" MAIL RCPT("b@mx.example") DATA
     "S 250 ok\n"
     "TOLD done\n" BYE,
     0, 0},
    {"REQUIRETLS with anybody", demanding,
     HANDSHAKE "TLS up\n"
               "C EHLO client.example\n"
               "S 250-mx.example\n"
               "S 250 REQUIRETLS\n"
               "TOLD ready\n"
               "N\n"
               "TOLD done\n"
               "m: permanent check unverified 5.7.10\n" BYE,
     ONWARD_SMTP_CLIENT_HOST_TLS, ONWARD_TLS_ENCRYPTED},
    {"REQUIRETLS offered only in the clear", demanding,
     HANDSHAKE "TLS verified\n"
               "C EHLO client.example\n"
               "S 250 mx.example\n"
               "TOLD ready\n"
               "N\n"
               "TOLD done\n"
               "m: permanent check no-requiretls 5.7.30\n" BYE,
     ONWARD_SMTP_CLIENT_HOST_TLS, ONWARD_TLS_ENCRYPTED},
    {"REQUIRETLS", demanding,
     HANDSHAKE "TLS verified\n"
               "C EHLO client.example\n"
               "S 250-mx.example\n"
               "S 250 REQUIRETLS\n"
               "TOLD ready\n"
               "C MAIL FROM:<> REQUIRETLS\n"
               "S 250 ok\n" RCPT("b@mx.example") DATA "S 250 ok\n"
                                                      "TOLD done\n" BYE,
     ONWARD_SMTP_CLIENT_HOST_TLS, ONWARD_TLS_VERIFIED},
    /* ---- TLS of the host ---- */
    {"the host's TLS is not what is demanded", two,
     HANDSHAKE "TLS up\n"
               "N\n"
               "TOLD done\n"
               "TOLD closed\n"
               "CLOSE\n"
               "m: temporary tls tls 4.7.5 tls:expired\n",
     ONWARD_SMTP_CLIENT_HOST_TLS, ONWARD_TLS_VERIFIED},
    {"the host's handshake fails", two,
     HANDSHAKE "TLS failed\n"
               "TOLD done\n"
               "TOLD closed\n"
               "CLOSE\n"
               "m: temporary tls tls 4.7.5 tls:no-common\n"
               "s: temporary tls tls 4.7.5 tls:no-common\n",
     ONWARD_SMTP_CLIENT_HOST_TLS, ONWARD_TLS_OPPORTUNISTIC},
    {"the host's handshake is lost", two,
     HANDSHAKE "CUT\n"
               "TOLD done\n"
               "TOLD closed\n"
               "m: temporary tls lost 4.4.2 tls:lost\n",
     ONWARD_SMTP_CLIENT_HOST_TLS, ONWARD_TLS_ENCRYPTED},
    {"the host's handshake takes too long", two,
     HANDSHAKE "T 300000\n"
               "TOLD done\n"
               "TOLD closed\n"
               "m: temporary tls timeout 4.4.2 tls:timeout\n",
     ONWARD_SMTP_CLIENT_HOST_TLS, ONWARD_TLS_ENCRYPTED},
    {"the host's TLS from the first octet", two,
     "N\n"
     "TLS verified\n"
     "N\n" OFFER("S 250 STARTTLS\n") MAIL RCPT("b@mx.example") DATA
     "S 250 ok\n"
     "TOLD done\n" BYE,
     ONWARD_SMTP_CLIENT_HOST_TLS | ONWARD_SMTP_CLIENT_IMPLICIT_TLS,
     ONWARD_TLS_VERIFIED},
};

/* The moment counts. */
static const struct row early_rows[] = {
    {"A026: a reply behind the 220, before the host's handshake", two,
     HELLO "S 250-mx.example\n"
           "S 250 STARTTLS\n"
           "C STARTTLS\n"
           "S 220 go\n"
           "S 250 mx.example\n"
           "TOLD done\n"
           "TOLD closed\n"
           "CLOSE\n"
           "m: temporary tls tls 4.7.5 tls:early-input\n",
     ONWARD_SMTP_CLIENT_HOST_TLS, ONWARD_TLS_OPPORTUNISTIC},
    {"a greeting in the clear where TLS comes first", two,
     "S 220 mx.example\n"
     "TOLD done\n"
     "TOLD closed\n"
     "CLOSE\n"
     "m: temporary tls tls 4.7.5 tls:early-input\n",
     ONWARD_SMTP_CLIENT_HOST_TLS | ONWARD_SMTP_CLIENT_IMPLICIT_TLS,
     ONWARD_TLS_ENCRYPTED},
};

static struct t_play play_of(const struct row *row,
                             const struct onward_tls_demand *demand)
{
    return (struct t_play){
        .mails = row->mails,
        .opts = {.flags = row->flags,
                 .tls_demand = demand->level == 0 ? NULL : demand}};
}

static void test_row(void **state)
{
    const struct row *row = *state;
    const struct onward_str name = ONWARD_STR("mx.example");
    const struct onward_tls_demand demand = {.size = sizeof(demand),
                                             .level = row->level,
                                             .names = &name,
                                             .name_count = 1};
    struct t_play play = play_of(row, &demand);

    if (row >= early_rows &&
        row < early_rows + sizeof(early_rows) / sizeof(early_rows[0]))
        t_play_whole(&play, row->script);
    else
        t_play_all(&play, row->script);
    t_play_oom(&play, row->script);
}

int main(void)
{
    enum {
        ROWS = sizeof(rows) / sizeof(rows[0]),
        EARLY_ROWS = sizeof(early_rows) / sizeof(early_rows[0])
    };
    struct CMUnitTest tests[ROWS + EARLY_ROWS] = {{0}};

    for (size_t i = 0; i < ROWS + EARLY_ROWS; i++) {
        const struct row *row = i < ROWS ? &rows[i] : &early_rows[i - ROWS];

        tests[i].name = row->name;
        tests[i].test_func = test_row;
        tests[i].initial_state = (void *)(uintptr_t)row;
    }
    return cmocka_run_group_tests_name("smtp client plan", tests, NULL, NULL);
}
