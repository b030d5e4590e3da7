/*
 * LMTP (RFC 2033) in the client session: LHLO, and a final reply for each
 * recipient that was accepted; as dialogues played at all cuts.
 */
#include "smtp/play.h"

#define HELLO                                                                  \
    "S 220 mx.example LMTP\n"                                                  \
    "C LHLO client.example\n"                                                  \
    "S 250-mx.example\n"                                                       \
    "S 250-CHUNKING\n"                                                         \
    "S 250 PIPELINING\n"                                                       \
    "TOLD ready\n"
#define GROUP                                                                  \
    "C MAIL FROM:<>\n"                                                         \
    "C RCPT TO:<b@mx.example>\n"                                               \
    "C RCPT TO:<c@mx.example>\n"                                               \
    "C RCPT TO:<d@mx.example>\n"                                               \
    "C DATA\n"                                                                 \
    "S 250 ok\n"                                                               \
    "S 250 ok\n"                                                               \
    "S 550 5.1.1 unknown\n"                                                    \
    "S 250 ok\n"
#define SENT                                                                   \
    "S 354 go\n"                                                               \
    "C x\n"                                                                    \
    "C .\n"
#define CHUNK                                                                  \
    "C MAIL FROM:<>\n"                                                         \
    "C RCPT TO:<b@mx.example>\n"                                               \
    "C RCPT TO:<c@mx.example>\n"                                               \
    "C RCPT TO:<d@mx.example>\n"                                               \
    "S 250 ok\n"                                                               \
    "S 250 ok\n"                                                               \
    "S 550 5.1.1 unknown\n"                                                    \
    "S 250 ok\n"
#define BYE                                                                    \
    "QUIT\n"                                                                   \
    "C QUIT\n"                                                                 \
    "S 221 bye\n"                                                              \
    "CLOSE\n"                                                                  \
    "TOLD closed\n"

static const struct t_play_mail mails[] = {
    {.from = "",
     .to = "b@mx.example c@mx.example d@mx.example",
     .text = {"x\r\n", 3}},
    {.from = "", .to = "e@mx.example", .text = {"x\r\n", 3}}};

static const struct row {
    const char *name;
    const char *script;
    bool is_bdat;
    size_t chunk;
} rows[] = {
    {"a final reply each",
     HELLO GROUP SENT "S 250 2.1.5 b has it\n"
                      "N\n"
                      "S 452-4.2.2 d is\n"
                      "S 452 4.2.2 full\n"
                      "TOLD done\n"
                      "m: delivered final reply 250 2.1.5 b has it\n"
                      "0: delivered final reply 250 2.1.5 b has it\n"
                      "1: permanent rcpt reply 550 5.1.1 unknown\n"
                      "2: temporary final reply 452 4.2.2 d is full\n" BYE,
     false, 0},
    {"the message's fate is the best",
     HELLO GROUP SENT "S 550 no\n"
                      "S 450 wait\n"
                      "TOLD done\n"
                      "m: temporary final reply 450 wait\n"
                      "0: permanent final reply 550 no\n"
                      "2: temporary final reply 450 wait\n" BYE,
     false, 0},
    {"two messages",
     "MAIL 0\n" HELLO GROUP SENT "S 250 1\n"
     "S 250 2\n"
     "TOLD done\n"
     "MAIL 1\n"
     "C MAIL FROM:<>\n"
     "C RCPT TO:<e@mx.example>\n"
     "C DATA\n"
     "S 250 ok\n"
     "S 250 ok\n" SENT "S 250 3\n"
     "TOLD done\n"
     "0: delivered final reply 250 3\n" BYE,
     false, 0},
    {"replies to the last chunk",
     HELLO CHUNK "C BDAT 3 LAST\n"
                 "C x\n"
                 "S 250 1\n"
                 "S 550 2\n"
                 "TOLD done\n"
                 "0: delivered final reply 250 1\n"
                 "1: permanent rcpt reply 550 5.1.1 unknown\n"
                 "2: permanent final reply 550 2\n" BYE,
     true, 0},
    {"one reply to any other chunk",
     HELLO CHUNK "C BDAT 2\n"
                 "R x\r\n"
                 "C BDAT 1 LAST\n"
                 "R ~\n"
                 "S 250 ok\n"
                 "S 250 1\n"
                 "S 250 2\n"
                 "TOLD done\n"
                 "0: delivered final reply 250 1\n"
                 "2: delivered final reply 250 2\n" BYE,
     true, 2},
    {"a chunk refused with the last on its way",
     HELLO CHUNK "C BDAT 2\n"
                 "R x\r\n"
                 "C BDAT 1 LAST\n"
                 "R ~\n"
                 "S 452 full\n"
                 "TOLD done\n"
                 "TOLD closed\n"
                 "CLOSE\n"
                 "m: temporary content reply 452 full\n"
                 "0: temporary content reply 452 full\n"
                 "1: permanent rcpt reply 550 5.1.1 unknown\n"
                 "2: temporary content reply 452 full\n",
     true, 2},
    {"too few: the connection ends",
     HELLO GROUP SENT "S 250 1\n"
                      "EOF\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "m: delivered final reply 250 1\n"
                      "0: delivered final reply 250 1\n"
                      "1: permanent rcpt reply 550 5.1.1 unknown\n"
                      "2: temporary final lost 4.4.2\n",
     false, 0},
    {"too few: time passes",
     HELLO GROUP SENT "S 250 1\n"
                      "T 599999\n"
                      "N\n"
                      "T 1\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "0: delivered final reply 250 1\n"
                      "2: temporary final timeout 4.4.2\n",
     false, 0},
    {"421 between them",
     HELLO GROUP SENT "S 250 1\n"
                      "S 421 going down\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "0: delivered final reply 250 1\n"
                      "2: temporary final reply 421 going down\n",
     false, 0},
    {"354 between them",
     HELLO GROUP SENT "S 250 1\n"
                      "S 354 go\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "0: delivered final reply 250 1\n"
                      "2: temporary final protocol 4.5.0\n",
     false, 0},
    {"one for each that was named, so one too many",
     HELLO GROUP SENT "S 250 1\n"
                      "S 250 2\n"
                      "S 250 3\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "CLOSE\n"
                      "0: delivered final reply 250 1\n"
                      "1: permanent rcpt reply 550 5.1.1 unknown\n"
                      "2: delivered final reply 250 2\n"
                      "s: temporary idle protocol 250 3\n",
     false, 0},
    {"354 without recipients",
     "MAIL 1\n" HELLO "C MAIL FROM:<>\n"
     "C RCPT TO:<e@mx.example>\n"
     "C DATA\n"
     "S 250 ok\n"
     "S 550 no\n"
     "S 354 go\n"
     "N\n"
     "TOLD done\n"
     "TOLD closed\n"
     "CLOSE\n"
     "0: permanent rcpt reply 550 no\n",
     false, 0},
    {"no HELO",
     "S 220 mx.example\n"
     "C LHLO client.example\n"
     "S 500 what?\n"
     "C QUIT\n"
     "S 221 bye\n"
     "TOLD done\n"
     "TOLD closed\n"
     "m: permanent ehlo reply 500 what?\n",
     false, 0},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct t_play play = {
        .mails = mails,
        .opts = {.flags = ONWARD_SMTP_CLIENT_LMTP, .chunk_bytes = row->chunk}};

    if (row->is_bdat)
        play.opts.flags |= ONWARD_SMTP_CLIENT_PREFER_BDAT;
    t_play_oom(&play, row->script);
    t_play_all(&play, row->script);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[ROWS] = {{0}};

    for (size_t i = 0; i < ROWS; i++) {
        tests[i].name = rows[i].name;
        tests[i].test_func = test_row;
        tests[i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    return cmocka_run_group_tests_name("smtp client LMTP", tests, NULL, NULL);
}
