/*
 * The client session as dialogues: each row is played whole, cut at every octet
 * of what the server says, and octet by octet both ways.
 */
#include "smtp/play.h"

#define HELLO                                                                  \
    "S 220 mx.example ESMTP\n"                                                 \
    "C EHLO client.example\n"
#define PLAIN                                                                  \
    HELLO "S 250 mx.example\n"                                                 \
          "TOLD ready\n"
#define PIPE                                                                   \
    HELLO "S 250-mx.example\n"                                                 \
          "S 250-SIZE 1000\n"                                                  \
          "S 250-8BITMIME\n"                                                   \
          "S 250-SMTPUTF8\n"                                                   \
          "S 250 PIPELINING\n"                                                 \
          "TOLD ready\n"
#define BYE                                                                    \
    "QUIT\n"                                                                   \
    "C QUIT\n"                                                                 \
    "S 221 bye\n"                                                              \
    "CLOSE\n"                                                                  \
    "TOLD closed\n"                                                            \
    "s: not-tried quit none\n"

#define TEXT "Subject: x\r\n\r\nhi\r\n"
#define SENT                                                                   \
    "C Subject: x\n"                                                           \
    "C \n"                                                                     \
    "C hi\n"                                                                   \
    "C .\n"

static const struct t_play_mail one[] = {
    {.from = "a@client.example", .to = "b@mx.example", .text = {TEXT, 18}},
    {.from = "", .to = "c@mx.example", .text = {"x\r\n", 3}}};
static const struct t_play_mail three[] = {{.from = "a@client.example",
                                            .to = "b@mx.example c@mx.example "
                                                  "d@mx.example",
                                            .text = {TEXT, 18}}};
static const struct t_play_mail eight_bit[] = {
    {.from = "", .to = "b@mx.example", .text = {"\xc3\xa4\r\n", 4}}};
static const struct t_play_mail utf8_path[] = {
    {.from = "", .to = "\xc3\xa4@mx.example", .text = {"x\r\n", 3}}};
static const struct t_play_mail utf8_header[] = {
    {.from = "", .to = "b@mx.example", .text = {"x\r\n", 3}, .smtputf8 = 1}};
static const struct t_play_mail dots[] = {
    {.from = "", .to = "b@mx.example", .text = {".\r\n..a\r\n.", 9}}};
static const struct t_play_mail bare[] = {
    {.from = "", .to = "b@mx.example", .text = {"a\nb\rc\r", 6}}};
static const struct t_play_mail bare_unchecked[] = {{.from = "",
                                                     .to = "b@mx.example",
                                                     .text = {"a\r\nb\nc", 6},
                                                     .allow_unchecked = 1}};
static const struct t_play_mail vouched[] = {{.from = "",
                                              .to = "b@mx.example",
                                              .text = {"\xe4\r\n", 3},
                                              .allow_unchecked = 1,
                                              .body = 2}};
static const struct t_play_mail empty[] = {
    {.from = "", .to = "b@mx.example", .text = {"", 0}}};
static const struct t_play_mail held[] = {{.from = "a@client.example",
                                           .to = "b@mx.example",
                                           .text = {TEXT, 18},
                                           .hold_dot = 1}};

static const struct row {
    const char *name;
    const struct t_play_mail *mails;
    const char *script;
    size_t repair;
} rows[] = {
    {"in step", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "N\n"
           "S 250 2.1.0 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "N\n"
           "S 250 2.1.5 ok\n"
           "C DATA\n"
           "N\n"
           "S 354 go\n" SENT "N\n"
           "S 250 2.0.0 queued as 7\n"
           "TOLD done\n"
           "m: delivered final reply 250 2.0.0 queued as 7\n"
           "0: delivered final reply 250 2.0.0 queued as 7\n" BYE,
     0},
    {"pipelined", three,
     PIPE "C MAIL FROM:<a@client.example> SIZE=18\n"
          "C RCPT TO:<b@mx.example>\n"
          "C RCPT TO:<c@mx.example>\n"
          "C RCPT TO:<d@mx.example>\n"
          "C DATA\n"
          "N\n"
          "S 250 ok\n"
          "S 250 ok\n"
          "S 550 5.1.1 no such user\n"
          "S 451 4.3.0 later\n"
          "S 354 go\n" SENT "S 250 ok\n"
          "TOLD done\n"
          "m: delivered final reply 250 ok\n"
          "0: delivered final reply 250 ok\n"
          "1: permanent rcpt reply 550 5.1.1 no such user\n"
          "2: temporary rcpt reply 451 4.3.0 later\n" BYE,
     0},
    {"two messages", one,
     "MAIL 0\n" PLAIN "C MAIL FROM:<a@client.example>\n"
     "S 250 ok\n"
     "C RCPT TO:<b@mx.example>\n"
     "S 250 ok\n"
     "C DATA\n"
     "S 354 go\n" SENT "S 250 first\n"
     "TOLD done\n"
     "m: delivered final reply 250 first\n"
     "MAIL 1\n"
     "C MAIL FROM:<>\n"
     "S 250 ok\n"
     "C RCPT TO:<c@mx.example>\n"
     "S 250 ok\n"
     "C DATA\n"
     "S 354 go\n"
     "C x\n"
     "C .\n"
     "S 554 5.6.0 second\n"
     "TOLD done\n"
     "m: permanent final reply 554 5.6.0 second\n"
     "0: permanent final reply 554 5.6.0 second\n" BYE,
     0},
    {"RSET after a failure", one,
     "MAIL 0\n" PLAIN "C MAIL FROM:<a@client.example>\n"
     "S 250 ok\n"
     "C RCPT TO:<b@mx.example>\n"
     "S 450 busy\n"
     "N\n"
     "TOLD done\n"
     "m: temporary rcpt recipients\n"
     "0: temporary rcpt reply 450 busy\n"
     "MAIL 1\n"
     "C RSET\n"
     "N\n"
     "S 250 ok\n"
     "C MAIL FROM:<>\n"
     "S 250 ok\n"
     "C RCPT TO:<c@mx.example>\n"
     "S 250 ok\n"
     "C DATA\n"
     "S 354 go\n"
     "C x\n"
     "C .\n"
     "S 250 ok\n"
     "TOLD done\n"
     "m: delivered final reply 250 ok\n" BYE,
     0},
    {"RSET refused", one,
     "MAIL 0\n" PIPE "C MAIL FROM:<a@client.example> SIZE=18\n"
     "C RCPT TO:<b@mx.example>\n"
     "C DATA\n"
     "S 250 ok\n"
     "S 550 no\n"
     "S 503 no\n"
     "TOLD done\n"
     "m: permanent rcpt recipients\n"
     "0: permanent rcpt reply 550 no\n"
     "MAIL 1\n"
     "C RSET\n"
     "C MAIL FROM:<> SIZE=3\n"
     "C RCPT TO:<c@mx.example>\n"
     "C DATA\n"
     "S 500 what?\n"
     "TOLD done\n"
     "TOLD closed\n"
     "CLOSE\n"
     "m: temporary rset reply 500 what?\n"
     "s: temporary rset reply 500 what?\n",
     0},
    {"MAIL refused in step", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 550-5.7.1 not\n"
           "S 550 5.7.1 you\n"
           "N\n"
           "TOLD done\n"
           "m: permanent mail reply 550 5.7.1 not you\n"
           "0: permanent mail reply 550 5.7.1 not you\n" BYE,
     0},
    {"MAIL refused, pipelined", three,
     PIPE "C MAIL FROM:<a@client.example> SIZE=18\n"
          "C RCPT TO:<b@mx.example>\n"
          "C RCPT TO:<c@mx.example>\n"
          "C RCPT TO:<d@mx.example>\n"
          "C DATA\n"
          "S 452 4.3.1 full\n"
          "S 503 no mail\n"
          "S 250 ok\n"
          "S 503 no mail\n"
          "N\n"
          "S 503 no mail\n"
          "TOLD done\n"
          "m: temporary mail reply 452 4.3.1 full\n"
          "1: temporary mail reply 452 4.3.1 full\n"
          "2: temporary mail reply 452 4.3.1 full\n" BYE,
     0},
    /* RFC 2920 section 3.1: the lone dot, whose reply counts for nothing. */
    {"354 without recipients", one,
     PIPE "C MAIL FROM:<a@client.example> SIZE=18\n"
          "C RCPT TO:<b@mx.example>\n"
          "C DATA\n"
          "S 250 ok\n"
          "S 550 5.1.1 unknown\n"
          "S 354 go\n"
          "C .\n"
          "S 250 ok\n"
          "TOLD done\n"
          "m: permanent rcpt recipients\n"
          "0: permanent rcpt reply 550 5.1.1 unknown\n" BYE,
     0},
    {"354 although MAIL was refused", one,
     PIPE "C MAIL FROM:<a@client.example> SIZE=18\n"
          "C RCPT TO:<b@mx.example>\n"
          "C DATA\n"
          "S 450 no\n"
          "S 250 ok\n"
          "S 354 go\n"
          "C .\n"
          "S 250 ok\n"
          "TOLD done\n"
          "m: temporary mail reply 450 no\n"
          "0: temporary mail reply 450 no\n" BYE,
     0},
    {"DATA refused", three,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<c@mx.example>\n"
           "S 551 5.1.6 moved\n"
           "C RCPT TO:<d@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 451 4.7.1 wait\n"
           "TOLD done\n"
           "m: temporary data reply 451 4.7.1 wait\n"
           "0: temporary data reply 451 4.7.1 wait\n"
           "1: permanent rcpt reply 551 5.1.6 moved\n"
           "2: temporary data reply 451 4.7.1 wait\n" BYE,
     0},
    /* RFC 5321 section 4.5.3.1.10 */
    {"552 for too many recipients", three,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<c@mx.example>\n"
           "S 552 too many\n"
           "C RCPT TO:<d@mx.example>\n"
           "S 552 5.2.2 mailbox full\n"
           "C DATA\n"
           "S 354 go\n" SENT "S 250 ok\n"
           "TOLD done\n"
           "0: delivered final reply 250 ok\n"
           "1: temporary rcpt reply 552 too many\n"
           "2: permanent rcpt reply 552 5.2.2 mailbox full\n" BYE,
     0},
    {"greeting in lines", one,
     "S 220-mx.example\n"
     "S 220-be good\n"
     "S 220 ESMTP\n"
     "C EHLO client.example\n"
     "S 421 4.3.2 going down\n"
     "TOLD done\n"
     "TOLD closed\n"
     "CLOSE\n"
     "m: temporary ehlo reply 421 4.3.2 going down\n"
     "s: temporary ehlo reply 421 4.3.2 going down\n",
     0},
    {"octets that no EHLO line has", one,
     HELLO "S 250-mx.example \xff\x80 \x01\n"
           "S 250-\xc3\xa4\xff\n"
           "S 250-SI\x80ZE 1\n"
           "S 250-SIZE \xff\n"
           "S 250- PIPELINING\n"
           "S 250-8BITMIME\xa0\n"
           "S 250 \n"
           "TOLD ready\n"
           "C MAIL FROM:<a@client.example> SIZE=18\n"
           "N\n"
           "S 550 no\n"
           "TOLD done\n"
           "m: permanent mail reply 550 no\n" BYE,
     0},
    {"greeting 554", one,
     "S 554 no mail here\n"
     "C QUIT\n"
     "TOLD done\n"
     "S 221 bye\n"
     "TOLD closed\n"
     "CLOSE\n"
     "m: permanent greeting reply 554 no mail here\n"
     "0: permanent greeting reply 554 no mail here\n"
     "s: permanent greeting reply 554 no mail here\n",
     0},
    {"greeting 521", one,
     "S 521 mx.example does not accept mail\n"
     "C QUIT\n"
     "EOF\n"
     "TOLD done\n"
     "TOLD closed\n"
     "m: permanent greeting reply 521 mx.example does not accept mail\n",
     0},
    {"greeting 421", one,
     "S 421 busy\n"
     "N\n"
     "TOLD done\n"
     "TOLD closed\n"
     "CLOSE\n"
     "m: temporary greeting reply 421 busy\n",
     0},
    {"HELO where EHLO is not known", one,
     HELLO "S 502 what?\n"
           "C HELO client.example\n"
           "S 250 mx.example\n"
           "TOLD ready\n"
           "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 251 will forward\n"
           "C DATA\n"
           "S 354 go\n" SENT "S 250 ok\n"
           "TOLD done\n"
           "m: delivered final reply 250 ok\n" BYE,
     0},
    {"HELO refused too", one,
     HELLO "S 550 5.7.1 no\n"
           "C HELO client.example\n"
           "S 550 5.7.1 no\n"
           "C QUIT\n"
           "S 221 bye\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: permanent ehlo reply 550 5.7.1 no\n",
     0},
    {"EHLO put off", one,
     HELLO "S 450 later\n"
           "C QUIT\n"
           "S 221 bye\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary ehlo reply 450 later\n",
     0},
    {"421 to RCPT", three,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 550 5.1.1 unknown\n"
           "C RCPT TO:<c@mx.example>\n"
           "S 421 4.7.0 bye\n"
           "TOLD done\n"
           "TOLD closed\n"
           "CLOSE\n"
           "m: temporary rcpt reply 421 4.7.0 bye\n"
           "0: permanent rcpt reply 550 5.1.1 unknown\n"
           "1: temporary rcpt reply 421 4.7.0 bye\n"
           "2: temporary rcpt reply 421 4.7.0 bye\n",
     0},
    {"dots", dots,
     PLAIN "C MAIL FROM:<>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 354 go\n"
           "C ..\n"
           "C ...a\n"
           "C ..\n"
           "C .\n"
           "S 250 ok\n"
           "TOLD done\n" BYE,
     0},
    {"an empty message", empty,
     PLAIN "C MAIL FROM:<>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 354 go\n"
           "C .\n"
           "S 250 ok\n"
           "TOLD done\n"
           "m: delivered final reply 250 ok\n" BYE,
     0},
    {"8-bit", eight_bit,
     PIPE "C MAIL FROM:<> SIZE=4 BODY=8BITMIME\n"
          "C RCPT TO:<b@mx.example>\n"
          "C DATA\n"
          "S 250 ok\n"
          "S 250 ok\n"
          "S 354 go\n"
          "C \xc3\xa4\n"
          "C .\n"
          "S 250 ok\n"
          "TOLD done\n" BYE,
     0},
    {"8-bit, not taken", eight_bit,
     PLAIN "N\n"
           "TOLD done\n"
           "m: permanent check no-8bit 5.6.3\n"
           "0: permanent check no-8bit 5.6.3\n" BYE,
     0},
    {"8-bit by the caller's word", vouched,
     PIPE "C MAIL FROM:<> SIZE=3 BODY=8BITMIME\n"
          "C RCPT TO:<b@mx.example>\n"
          "C DATA\n"
          "S 250 ok\n"
          "S 250 ok\n"
          "S 354 go\n"
          "C \xe4\n"
          "C .\n"
          "S 250 ok\n"
          "TOLD done\n" BYE,
     0},
    {"SMTPUTF8 by a recipient", utf8_path,
     PIPE "C MAIL FROM:<> SIZE=3 SMTPUTF8\n"
          "C RCPT TO:<\xc3\xa4@mx.example>\n"
          "C DATA\n"
          "S 250 ok\n"
          "S 250 ok\n"
          "S 354 go\n"
          "C x\n"
          "C .\n"
          "S 250 \xc3\xa4\n"
          "TOLD done\n"
          "m: delivered final reply 250 \\xC3\\xA4\n" BYE,
     0},
    {"SMTPUTF8 not offered", utf8_header,
     HELLO "S 250-mx.example\n"
           "S 250 8BITMIME\n"
           "TOLD ready\n"
           "N\n"
           "TOLD done\n"
           "m: permanent check no-utf8 5.6.7\n" BYE,
     0},
    {"SMTPUTF8 without 8BITMIME", utf8_header,
     HELLO "S 250-mx.example\n"
           "S 250 SMTPUTF8\n"
           "TOLD ready\n"
           "N\n"
           "TOLD done\n"
           "m: permanent check no-utf8 5.6.7\n" BYE,
     0},
    {"SIZE announced and too small", one,
     HELLO "S 250-mx.example\n"
           "S 250 SIZE 17\n"
           "TOLD ready\n"
           "N\n"
           "TOLD done\n"
           "m: permanent check size 5.3.4\n" BYE,
     0},
    {"SIZE just large enough", one,
     HELLO "S 250-mx.example\n"
           "S 250 SIZE 18\n"
           "TOLD ready\n"
           "C MAIL FROM:<a@client.example> SIZE=18\n"
           "S 552 5.3.4 no\n"
           "TOLD done\n"
           "m: permanent mail reply 552 5.3.4 no\n" BYE,
     0},
    {"bare newlines", bare,
     "TOLD done\n"
     "m: permanent check bare-newline 5.6.0\n"
     "0: permanent check bare-newline 5.6.0\n" PLAIN "N\n" BYE,
     0},
    {"bare newlines repaired", bare,
     PIPE "C MAIL FROM:<> SIZE=9\n"
          "C RCPT TO:<b@mx.example>\n"
          "C DATA\n"
          "S 250 ok\n"
          "S 250 ok\n"
          "S 354 go\n"
          "C a\n"
          "C b\n"
          "C c\n"
          "C .\n"
          "S 250 ok\n"
          "TOLD done\n" BYE,
     1},
    {"bare newline met on the way", bare_unchecked,
     PLAIN "C MAIL FROM:<>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 354 go\n"
           "N\n"
           "TOLD done\n"
           "TOLD closed\n"
           "CLOSE\n"
           "m: permanent content bare-newline 5.6.0\n",
     0},
    {"held and released", held,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 354 go\n"
           "C Subject: x\n"
           "C \n"
           "C hi\n"
           "N\n"
           "TOLD held\n"
           "T 3000000\n"
           "N\n"
           "RELEASE\n"
           "C .\n"
           "S 250 ok\n"
           "TOLD done\n"
           "m: delivered final reply 250 ok\n" BYE,
     0},
    {"held and canceled", held,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 354 go\n"
           "C Subject: x\n"
           "C \n"
           "C hi\n"
           "TOLD held\n"
           "CANCEL\n"
           "N\n"
           "CLOSE\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary content canceled 4.3.0\n",
     0},
    {"released before it is held", held,
     "MAIL 0\n"
     "RELEASE\n" PLAIN "C MAIL FROM:<a@client.example>\n"
     "S 250 ok\n"
     "C RCPT TO:<b@mx.example>\n"
     "S 250 ok\n"
     "C DATA\n"
     "S 354 go\n" SENT "S 250 ok\n"
     "TOLD done\n" BYE,
     0},
    {"canceled before MAIL: the session stays", one,
     "S 220 mx\n"
     "C EHLO client.example\n"
     "MAIL 0\n"
     "CANCEL\n"
     "TOLD done\n"
     "m: not-tried check canceled 4.3.0\n"
     "S 250 mx\n"
     "TOLD ready\n"
     "N\n"
     "MAIL 1\n"
     "C MAIL FROM:<>\n"
     "CUT\n"
     "TOLD done\n"
     "TOLD closed\n"
     "m: temporary mail lost 4.4.2\n",
     0},
    {"QUIT said early waits for the message", one,
     "MAIL 0\n"
     "QUIT\n" PLAIN "C MAIL FROM:<a@client.example>\n"
     "S 550 no\n"
     "C QUIT\n"
     "TOLD done\n"
     "S 221 bye\n"
     "TOLD closed\n",
     0},
    /* ---- Hostile or broken servers ---- */
    {"no SMTP at all", one,
     "S SSH-2.0-x\n"
     "TOLD done\n"
     "TOLD closed\n"
     "CLOSE\n"
     "m: temporary greeting protocol 4.5.0\n",
     0},
    {"changing codes", one,
     "S 220-a\n"
     "S 221 b\n"
     "TOLD done\n"
     "TOLD closed\n"
     "m: temporary greeting protocol 4.5.0\n",
     0},
    {"250 before the final dot", held,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 354 go\n"
           "C Subject: x\n"
           "C \n"
           "C hi\n"
           "TOLD held\n"
           "S 250 2.0.0 queued\n"
           "N\n"
           "CLOSE\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary content protocol 250 2.0.0 queued\n",
     0},
    {"421 before the final dot", held,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 354 go\n"
           "C Subject: x\n"
           "C \n"
           "C hi\n"
           "TOLD held\n"
           "S 421 4.4.2 too slow\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary content reply 421 4.4.2 too slow\n",
     0},
    {"421 when idle", one,
     "MAIL 0\n" PLAIN "C MAIL FROM:<a@client.example>\n"
     "S 450 no\n"
     "TOLD done\n"
     "S 421 idle too long\n"
     "TOLD closed\n"
     "CLOSE\n"
     "s: temporary idle reply 421 idle too long\n",
     0},
    {"250 to DATA", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 250 ok\n"
           "N\n"
           "TOLD done\n"
           "TOLD closed\n"
           "CLOSE\n"
           "m: temporary data protocol 4.5.0\n",
     0},
    {"354 to MAIL", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 354 go\n"
           "N\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary mail protocol 4.5.0\n",
     0},
    {"controls in a reply are told escaped", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 550-a\x1b[1m\tb\\\n"
           "S 550\n"
           "TOLD done\n"
           "m: permanent mail reply 550 a\\x1B[1m\\x09b\\x5C\n" BYE,
     0},
    {"lost before the greeting", one,
     "EOF\n"
     "TOLD done\n"
     "TOLD closed\n"
     "m: temporary greeting lost 4.4.2\n"
     "s: temporary greeting lost 4.4.2\n",
     0},
    {"lost before the dot", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "CUT\n"
           "TOLD done\n"
           "TOLD closed\n"
           "CLOSE\n"
           "m: temporary data lost 4.4.2\n"
           "0: temporary data lost 4.4.2\n",
     0},
    {"lost after the dot", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 354 go\n" SENT "S 250-ok\n"
           "EOF\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary final lost 4.4.2\n"
           "0: temporary final lost 4.4.2\n",
     0},
    /* ---- Deadlines, RFC 5321 section 4.5.3.2 ---- */
    {"no greeting", one,
     "T 299999\n"
     "N\n"
     "T 1\n"
     "TOLD done\n"
     "TOLD closed\n"
     "CLOSE\n"
     "m: temporary greeting timeout 4.4.2\n",
     0},
    {"no reply to MAIL", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "T 299999\n"
           "S 250-o\n"
           "T 1\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary mail timeout 4.4.2\n",
     0},
    {"no reply to DATA", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "T 119999\n"
           "N\n"
           "T 1\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary data timeout 4.4.2\n",
     0},
    {"no reply to the dot", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 354 go\n" SENT "T 599999\n"
           "N\n"
           "T 1\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary final timeout 4.4.2\n",
     0},
    {"no reply to QUIT", one,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 450 no\n"
           "TOLD done\n"
           "QUIT\n"
           "C QUIT\n"
           "T 300000\n"
           "TOLD closed\n"
           "CLOSE\n",
     0},
    {"the delivery as a whole", held,
     PLAIN "C MAIL FROM:<a@client.example>\n"
           "S 250 ok\n"
           "C RCPT TO:<b@mx.example>\n"
           "S 250 ok\n"
           "C DATA\n"
           "S 354 go\n"
           "C Subject: x\n"
           "C \n"
           "C hi\n"
           "TOLD held\n"
           "T 3599999\n"
           "T 1\n"
           "TOLD done\n"
           "TOLD closed\n"
           "m: temporary content deadline 4.4.2\n",
     0},
};

/*
 * Here the moment counts: what comes before the host has looked at a command
 * cannot answer it. Once the host has looked, no client can tell.
 */
static const struct row early_rows[] = {
    {"a reply nobody asked for, in one piece with one", one,
     HELLO "S 250 mx\n"
           "S 250 ok\n"
           "TOLD done\n"
           "TOLD closed\n"
           "CLOSE\n"
           "m: temporary mail protocol 250 ok\n",
     0},
    {"replies before the commands", one,
     "S 220 mx\n"
     "S 250 mx\n"
     "S 250 ok\n"
     "C EHLO client.example\n"
     "CLOSE\n"
     "TOLD done\n"
     "TOLD closed\n"
     "m: temporary ehlo protocol 250 mx\n",
     0},
    {"one reply more than commands in a group", one,
     PIPE "C MAIL FROM:<a@client.example> SIZE=18\n"
          "C RCPT TO:<b@mx.example>\n"
          "C DATA\n"
          "S 250 ok\n"
          "S 250 ok\n"
          "S 354 go\n"
          "S 250 queued\n"
          "TOLD done\n"
          "TOLD closed\n"
          "CLOSE\n"
          "m: temporary final protocol 250 queued\n",
     0},
};

static void test_early(void **state)
{
    const struct row *row = *state;
    struct t_play play = {.mails = row->mails};

    t_play_whole(&play, row->script);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct t_play play = {.mails = row->mails,
                          .opts = {.allow_bare_newline_repair = row->repair}};

    t_play_all(&play, row->script);
    /* The same from a source that gives an octet at a time, after waiting. */
    play.source_waits = 1;
    play.read_cap = 1;
    t_play_all(&play, row->script);
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
        tests[i].test_func = i < ROWS ? test_row : test_early;
        tests[i].initial_state = (void *)(uintptr_t)row;
    }
    return cmocka_run_group_tests_name("smtp client dialogues", tests, NULL,
                                       NULL);
}
