/*
 * lib/smtp/client_push.c: messages by BDAT (RFC 3030), as dialogues that are
 * played whole and at all cuts.
 */
#include "smtp/play.h"

#define CHUNKING                                                               \
    "S 220 mx.example ESMTP\n"                                                 \
    "C EHLO client.example\n"                                                  \
    "S 250-mx.example\n"                                                       \
    "S 250-8BITMIME\n"                                                         \
    "S 250-BINARYMIME\n"                                                       \
    "S 250 CHUNKING\n"                                                         \
    "TOLD ready\n"
#define PIPE                                                                   \
    "S 220 mx.example ESMTP\n"                                                 \
    "C EHLO client.example\n"                                                  \
    "S 250-mx.example\n"                                                       \
    "S 250-PIPELINING\n"                                                       \
    "S 250-BINARYMIME\n"                                                       \
    "S 250 CHUNKING\n"                                                         \
    "TOLD ready\n"
#define IN_STEP                                                                \
    "C MAIL FROM:<>\n"                                                         \
    "S 250 ok\n"                                                               \
    "C RCPT TO:<b@mx.example>\n"                                               \
    "N\n"                                                                      \
    "S 250 ok\n"
#define GROUP                                                                  \
    "C MAIL FROM:<>\n"                                                         \
    "C RCPT TO:<b@mx.example>\n"                                               \
    "N\n"                                                                      \
    "S 250 ok\n"                                                               \
    "S 250 ok\n"
#define BYE                                                                    \
    "QUIT\n"                                                                   \
    "C QUIT\n"                                                                 \
    "S 221 bye\n"                                                              \
    "CLOSE\n"                                                                  \
    "TOLD closed\n"

static const struct t_play_mail text[] = {
    {.from = "", .to = "b@mx.example", .text = {".a\r\n.\r\n", 7}},
    {.from = "", .to = "b@mx.example", .text = {"x\r\n", 3}}};
static const struct t_play_mail no_end[] = {
    {.from = "", .to = "b@mx.example", .text = {"a\r\nbc", 5}}};
static const struct t_play_mail bare[] = {
    {.from = "", .to = "b@mx.example", .text = {"a\nb\r\n", 5}}};
static const struct t_play_mail bare_unchecked[] = {{.from = "",
                                                     .to = "b@mx.example",
                                                     .text = {"a\nb\r\n", 5},
                                                     .allow_unchecked = 1}};
static const struct t_play_mail empty[] = {
    {.from = "", .to = "b@mx.example", .text = {"", 0}}};
static const struct t_play_mail held[] = {
    {.from = "", .to = "b@mx.example", .text = {"x\r\n", 3}, .hold_dot = 1}};
static const struct t_play_mail binary[] = {
    {.from = "",
     .to = "b@mx.example",
     .text = {"\x80\r.\x01\r", 5},
     .body = ONWARD_SMTP_BODY_BINARYMIME}};

enum { PREFER = ONWARD_SMTP_CLIENT_PREFER_BDAT };

static const struct row {
    const char *name;
    const struct t_play_mail *mails;
    const char *script;
    size_t flags, chunk;
    size_t repair;
} rows[] = {
    {"not asked for, so by DATA", text,
     CHUNKING IN_STEP "C DATA\n"
                      "S 354 go\n"
                      "C ..a\n"
                      "C ..\n"
                      "C .\n"
                      "S 250 ok\n"
                      "TOLD done\n" BYE,
     0, 0, 0},
    {"not offered, so by DATA", empty,
     "S 220 mx\n"
     "C EHLO client.example\n"
     "S 250 mx\n"
     "TOLD ready\n" IN_STEP "C DATA\n"
     "S 354 go\n"
     "C .\n"
     "S 250 ok\n"
     "TOLD done\n" BYE,
     PREFER, 0, 0},
    {"one chunk, dots as they are", text,
     CHUNKING IN_STEP "C BDAT 7 LAST\n"
                      "C .a\n"
                      "C .\n"
                      "N\n"
                      "S 250 2.0.0 queued\n"
                      "TOLD done\n"
                      "m: delivered final reply 250 2.0.0 queued\n"
                      "0: delivered final reply 250 2.0.0 queued\n" BYE,
     PREFER, 0, 0},
    {"chunks in step", text,
     CHUNKING IN_STEP "C BDAT 3\n"
                      "R .a\r\n"
                      "N\n"
                      "S 250 ok\n"
                      "C BDAT 3\n"
                      "R ~.\r\n"
                      "N\n"
                      "S 250 ok\n"
                      "C BDAT 1 LAST\n"
                      "R ~\n"
                      "N\n"
                      "S 250 ok\n"
                      "TOLD done\n"
                      "m: delivered final reply 250 ok\n" BYE,
     PREFER, 3, 0},
    {"the line end that the message lacks", no_end,
     CHUNKING IN_STEP "C BDAT 7 LAST\n"
                      "C a\n"
                      "C bc\n"
                      "N\n"
                      "S 250 ok\n"
                      "TOLD done\n" BYE,
     PREFER, 0, 0},
    {"and in chunks of its own", no_end,
     PIPE GROUP "C BDAT 6\n"
                "C a\n"
                "R bc\r\n"
                "C BDAT 1 LAST\n"
                "R ~\n"
                "S 250 ok\n"
                "S 250 ok\n"
                "TOLD done\n" BYE,
     PREFER, 6, 0},
    {"nothing", empty,
     CHUNKING IN_STEP "C BDAT 0 LAST\n"
                      "N\n"
                      "S 250 ok\n"
                      "TOLD done\n"
                      "m: delivered final reply 250 ok\n" BYE,
     PREFER, 0, 0},
    {"held", held,
     CHUNKING IN_STEP "C BDAT 3\n"
                      "C x\n"
                      "TOLD held\n"
                      "N\n"
                      "S 250 ok\n"
                      "N\n"
                      "RELEASE\n"
                      "C BDAT 0 LAST\n"
                      "N\n"
                      "S 250 queued\n"
                      "TOLD done\n"
                      "m: delivered final reply 250 queued\n" BYE,
     PREFER, 0, 0},
    {"released before the chunk is answered", held,
     CHUNKING IN_STEP "C BDAT 3\n"
                      "C x\n"
                      "TOLD held\n"
                      "RELEASE\n"
                      "N\n"
                      "S 250 ok\n"
                      "C BDAT 0 LAST\n"
                      "S 250 queued\n"
                      "TOLD done\n"
                      "m: delivered final reply 250 queued\n" BYE,
     PREFER, 0, 0},
    {"refused while held", held,
     CHUNKING IN_STEP "C BDAT 3\n"
                      "C x\n"
                      "TOLD held\n"
                      "S 452 4.3.1 full\n"
                      "N\n"
                      "TOLD done\n"
                      "m: temporary content reply 452 4.3.1 full\n" BYE,
     PREFER, 0, 0},
    {"BINARYMIME, octet for octet", binary,
     CHUNKING "C MAIL FROM:<> BODY=BINARYMIME\n"
              "S 250 ok\n"
              "C RCPT TO:<b@mx.example>\n"
              "S 250 ok\n"
              "C BDAT 5 LAST\n"
              "R \x80\r.\x01\r\n"
              "N\n"
              "S 250 ok\n"
              "TOLD done\n" BYE,
     0, 0, 0},
    {"BINARYMIME without CHUNKING", binary,
     "S 220 mx\n"
     "C EHLO client.example\n"
     "S 250-mx\n"
     "S 250-8BITMIME\n"
     "S 250 BINARYMIME\n"
     "TOLD ready\n"
     "N\n"
     "TOLD done\n"
     "m: permanent check no-binary 5.6.3\n"
     "0: permanent check no-binary 5.6.3\n" BYE,
     0, 0, 0},
    {"CHUNKING without BINARYMIME", binary,
     "S 220 mx\n"
     "C EHLO client.example\n"
     "S 250-mx\n"
     "S 250 CHUNKING\n"
     "TOLD ready\n"
     "N\n"
     "TOLD done\n"
     "m: permanent check no-binary 5.6.3\n" BYE,
     PREFER, 0, 0},
    /* A005, A006: the same rule as for DATA. */
    {"bare newline", bare,
     "TOLD done\n"
     "m: permanent check bare-newline 5.6.0\n" CHUNKING "N\n" BYE,
     PREFER, 0, 0},
    {"bare newline met on the way", bare_unchecked,
     CHUNKING IN_STEP "N\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "CLOSE\n"
                      "m: permanent content bare-newline 5.6.0\n",
     PREFER, 0, 0},
    {"repaired, so by DATA", bare,
     CHUNKING IN_STEP "C DATA\n"
                      "S 354 go\n"
                      "C a\n"
                      "C b\n"
                      "C .\n"
                      "S 250 ok\n"
                      "TOLD done\n" BYE,
     PREFER, 0, 1},
    {"perhaps to be repaired, so by DATA", bare_unchecked,
     CHUNKING IN_STEP "C DATA\n"
                      "S 354 go\n"
                      "C a\n"
                      "C b\n"
                      "C .\n"
                      "S 250 ok\n"
                      "TOLD done\n" BYE,
     PREFER, 0, 1},
    {"the first chunk waits for the recipients", text,
     PIPE "C MAIL FROM:<>\n"
          "C RCPT TO:<b@mx.example>\n"
          "N\n"
          "S 250 ok\n"
          "N\n"
          "S 550 5.1.1 unknown\n"
          "N\n"
          "TOLD done\n"
          "m: permanent rcpt recipients\n" BYE,
     PREFER, 0, 0},
    {"the last chunk refused", text,
     "MAIL 0\n" CHUNKING IN_STEP "C BDAT 7 LAST\n"
     "C .a\n"
     "C .\n"
     "S 554 5.6.0 no\n"
     "TOLD done\n"
     "m: permanent final reply 554 5.6.0 no\n"
     "MAIL 1\n"
     "C RSET\n"
     "S 250 ok\n" IN_STEP "C BDAT 3 LAST\n"
     "C x\n"
     "S 250 ok\n"
     "TOLD done\n" BYE,
     PREFER, 0, 0},
    {"no RSET after one that was taken", text,
     "MAIL 0\n" CHUNKING IN_STEP "C BDAT 7 LAST\n"
     "C .a\n"
     "C .\n"
     "S 250 ok\n"
     "TOLD done\n"
     "MAIL 1\n" IN_STEP "C BDAT 3 LAST\n"
     "C x\n"
     "S 250 ok\n"
     "TOLD done\n" BYE,
     PREFER, 0, 0},
    {"chunks in a row, the first refused", text,
     PIPE GROUP "C BDAT 4\n"
                "C .a\n"
                "C BDAT 3 LAST\n"
                "C .\n"
                "N\n"
                "S 452 4.3.1 full\n"
                "N\n"
                "S 503 no\n"
                "TOLD done\n"
                "m: temporary content reply 452 4.3.1 full\n" BYE,
     PREFER, 4, 0},
    {"chunks in a row, taken", text,
     PIPE GROUP "C BDAT 4\n"
                "C .a\n"
                "C BDAT 3 LAST\n"
                "C .\n"
                "S 250 ok\n"
                "N\n"
                "S 250 queued\n"
                "TOLD done\n"
                "m: delivered final reply 250 queued\n" BYE,
     PREFER, 4, 0},
    {"pipelining turned off", text,
     PIPE "C MAIL FROM:<>\n"
          "N\n"
          "S 250 ok\n"
          "C RCPT TO:<b@mx.example>\n"
          "S 250 ok\n"
          "C BDAT 4\n"
          "C .a\n"
          "N\n"
          "S 250 ok\n"
          "C BDAT 3 LAST\n"
          "C .\n"
          "S 250 ok\n"
          "TOLD done\n" BYE,
     PREFER | ONWARD_SMTP_CLIENT_IN_STEP, 4, 0},
    {"354 to a chunk", text,
     CHUNKING IN_STEP "C BDAT 4\n"
                      "C .a\n"
                      "S 354 go\n"
                      "N\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "CLOSE\n"
                      "m: temporary content protocol 4.5.0\n",
     PREFER, 4, 0},
    {"354 to the last chunk", text,
     CHUNKING IN_STEP "C BDAT 7 LAST\n"
                      "C .a\n"
                      "C .\n"
                      "S 354 go\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "CLOSE\n"
                      "m: temporary final protocol 4.5.0\n",
     PREFER, 0, 0},
    {"one reply more than chunks", held,
     CHUNKING IN_STEP "C BDAT 3\n"
                      "C x\n"
                      "TOLD held\n"
                      "S 250 ok\n"
                      "S 250 queued\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "CLOSE\n"
                      "m: temporary content protocol 250 queued\n",
     PREFER, 0, 0},
    {"lost behind the last chunk", text,
     CHUNKING IN_STEP "C BDAT 7 LAST\n"
                      "C .a\n"
                      "C .\n"
                      "EOF\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "m: temporary final lost 4.4.2\n",
     PREFER, 0, 0},
    {"no reply to a chunk", text,
     CHUNKING IN_STEP "C BDAT 4\n"
                      "C .a\n"
                      "T 179999\n"
                      "N\n"
                      "T 1\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "m: temporary content timeout 4.4.2\n",
     PREFER, 4, 0},
    {"no reply to the last chunk", text,
     CHUNKING IN_STEP "C BDAT 7 LAST\n"
                      "C .a\n"
                      "C .\n"
                      "T 599999\n"
                      "N\n"
                      "T 1\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "m: temporary final timeout 4.4.2\n",
     PREFER, 0, 0},
    {"canceled between chunks", text,
     CHUNKING IN_STEP "C BDAT 4\n"
                      "C .a\n"
                      "CANCEL\n"
                      "N\n"
                      "CLOSE\n"
                      "TOLD done\n"
                      "TOLD closed\n"
                      "m: temporary content canceled 4.3.0\n",
     PREFER, 4, 0},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct t_play play = {.mails = row->mails,
                          .opts = {.allow_bare_newline_repair = row->repair,
                                   .flags = row->flags,
                                   .chunk_bytes = row->chunk}};

    t_play_oom(&play, row->script);
    t_play_all(&play, row->script);
    /* The same from a source that gives an octet at a time, after waiting. */
    play.source_waits = 1;
    play.read_cap = 1;
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
    return cmocka_run_group_tests_name("smtp client BDAT", tests, NULL, NULL);
}
