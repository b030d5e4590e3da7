/*
 * BDAT and BINARYMIME (RFC 3030), and LMTP (RFC 2033), whose replies come once
 * for each recipient.
 */
#include "smtp/server_rows.h"

#define CHUNKS ONWARD_SMTP_SERVER_ALLOW_CHUNKING
#define BINARY ONWARD_SMTP_SERVER_ALLOW_BINARYMIME
#define LMTP ONWARD_SMTP_SERVER_MODE_LMTP
#define HELLO_CHUNKS                                                           \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"       \
    "250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n"
#define HELLO_BINARY                                                           \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"       \
    "250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250 BINARYMIME\r\n"
#define OPENED_CHUNKS GREET HELLO_CHUNKS SENDER RCPT
#define CHUNK "250 2.0.0 Chunk taken\r\n"
#define BARE "550 5.6.0 Bare CR or LF in the message\r\n"
#define NO_MAIL "503 5.5.1 Need MAIL first\r\n"
#define BIG "552 5.3.4 Message too big\r\n"
#define OPEN_BINARY                                                            \
    "EHLO c.test\r\nMAIL FROM:<a@b.test> BODY=BINARYMIME\r\n"                  \
    "RCPT TO:<c@mx.test>\r\n"
#define LOPEN "LHLO c.test\r\nMAIL FROM:<a@b.test>\r\n"
#define LGREET "220 mx.test LMTP\r\n"
#define LOPENED LGREET HELLO SENDER
#define TO(who) "RCPT TO:<" who "@mx.test>\r\n"

static const struct t_row rows[] = {
    {"one chunk", IN(OPEN "BDAT 6 LAST\r\nhi\r\n\r\nNOOP\r\n"),
     OPENED_CHUNKS TAKEN OK, EV_OPEN "data\nend 6\nreset 1\n", IN("hi\r\n\r\n"),
     CHUNKS, 0},
    {"several chunks, an empty one at the end",
     IN(OPEN "BDAT 3\r\nhi\rBDAT 1\r\n\nbdat 0\r\nBdAt 0 last\r\nNOOP\r\n"),
     OPENED_CHUNKS CHUNK CHUNK CHUNK TAKEN OK, EV_OPEN "data\nend 4\nreset 1\n",
     IN("hi\r\n"), CHUNKS, 0},
    {"an empty message", IN(OPEN "BDAT 0 LAST\r\n"), OPENED_CHUNKS TAKEN,
     EV_OPEN "data\nend 0\nreset 1\n", NONE, CHUNKS, 0},
    {"A007: nothing in a chunk is a command or an end",
     IN(OPEN "BDAT 23 LAST\r\na\r\n.\r\nQUIT\r\nBDAT 0 L\r\nXNOOP\r\n"),
     OPENED_CHUNKS TAKEN OK, NULL, IN("a\r\n.\r\nQUIT\r\nBDAT 0 L\r\nX"),
     CHUNKS, 0},
    {"dots stay", IN(OPEN "BDAT 7 LAST\r\n..\r\n.\r\n"), OPENED_CHUNKS TAKEN,
     NULL, IN("..\r\n.\r\n"), CHUNKS, 0},
    {"a message by DATA after one by BDAT",
     IN(OPEN "BDAT 3 LAST\r\na\r\n" OPEN2 "DATA\r\nb\r\n.\r\n"),
     OPENED_CHUNKS TAKEN SENDER RCPT GO TAKEN, NULL, IN("a\r\nb\r\n"), CHUNKS,
     0},
    {"BDAT after LAST",
     IN(OPEN "BDAT 0 LAST\r\nBDAT 6 LAST\r\nNOOP\r\nNOOP\r\n"),
     OPENED_CHUNKS TAKEN NO_MAIL OK, NULL, NONE, CHUNKS, 0},
    {"DATA after BDAT, then on with BDAT",
     IN(OPEN "BDAT 3\r\na\r\nDATA\r\nBDAT 3 LAST\r\nb\r\n"),
     OPENED_CHUNKS CHUNK "503 5.5.1 BDAT has begun the message\r\n" TAKEN, NULL,
     IN("a\r\nb\r\n"), CHUNKS, 0},
    {"RCPT after BDAT",
     IN(OPEN "BDAT 3\r\na\r\nRCPT TO:<d@mx.test>\r\nRSET\r\n"),
     OPENED_CHUNKS CHUNK "503 5.5.1 The message has begun\r\n" OK,
     EV_OPEN "data\nreset 3\n", IN("a\r\n"), CHUNKS, 0},
    {"RSET between chunks",
     IN(OPEN "BDAT 3\r\na\r\nRSET\r\nBDAT 3 LAST\r\nb\r\n" OPEN2
             "BDAT 3 LAST\r\nc\r\n"),
     OPENED_CHUNKS CHUNK OK NO_MAIL SENDER RCPT TAKEN,
     EV_OPEN "data\nreset 3\nmail [a@b.test] size 0 body 0 utf8 0\n"
             "rcpt 0 [c@mx.test]\ndata\nend 3\nreset 1\n",
     IN("a\r\nc\r\n"), CHUNKS, 0},
    {"EHLO between chunks",
     IN(OPEN "BDAT 3\r\na\r\nEHLO d.test\r\nBDAT 3 LAST\r\nb\r\n"),
     OPENED_CHUNKS CHUNK HELLO_CHUNKS NO_MAIL, NULL, IN("a\r\n"), CHUNKS, 0},
    {"QUIT between chunks", IN(OPEN "BDAT 3\r\na\r\nQUIT\r\n"),
     OPENED_CHUNKS CHUNK BYE, EV_OPEN "data\nreset 6\nclose ONWARD_OK\n",
     IN("a\r\n"), CHUNKS, 0},

    /* What is refused is swallowed. */
    {"not offered", IN(OPEN "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"),
     OPENED "502 5.5.1 CHUNKING is not offered\r\n" OK, EV_OPEN "reset 2\n",
     NONE, 0, 0},
    {"A009: without MAIL, then everything needs it",
     IN("EHLO c.test\r\nBDAT 6\r\nQUIT\r\nBDAT 0 LAST\r\nRCPT "
        "TO:<c@mx.test>\r\n"
        "DATA\r\n"),
     GREET HELLO_CHUNKS NO_MAIL NO_MAIL NO_MAIL NO_MAIL, NULL, NONE, CHUNKS, 0},
    {"before EHLO", IN("BDAT 6\r\nQUIT\r\nNOOP\r\n"),
     GREET "502 5.5.1 CHUNKING is not offered\r\n" OK, NULL, NONE, CHUNKS, 0},
    {"A009: without a recipient, and none can follow",
     IN("EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<no@mx.test>\r\n"
        "BDAT 6 LAST\r\nQUIT\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n"),
     GREET HELLO_CHUNKS SENDER
     "550 5.1.1 No such user\r\n"
     "554 5.5.1 No valid recipients\r\n" NO_MAIL NO_MAIL,
     NULL, NONE, CHUNKS, 0},
    {"A008: sizes that are none close",
     IN(OPEN "BDAT -1 LAST\r\nMAIL FROM:<evil@x.test>\r\n"),
     OPENED_CHUNKS "501 5.5.4 Syntax: BDAT size [LAST]\r\n",
     EV_OPEN "reset 6\nclose ONWARD_ESYNTAX\n", NONE, CHUNKS, 0},
    {"A008: no size", IN(OPEN "BDAT\r\nNOOP\r\n"),
     OPENED_CHUNKS "501 5.5.4 Syntax: BDAT size [LAST]\r\n", NULL, NONE, CHUNKS,
     0},
    {"A008: hex", IN(OPEN "BDAT 0x10 LAST\r\nNOOP\r\n"),
     OPENED_CHUNKS "501 5.5.4 Syntax: BDAT size [LAST]\r\n", NULL, NONE, CHUNKS,
     0},
    {"A008: past 64 bits", IN(OPEN "BDAT 18446744073709551616\r\nNOOP\r\n"),
     OPENED_CHUNKS "501 5.5.4 Syntax: BDAT size [LAST]\r\n", NULL, NONE, CHUNKS,
     0},
    {"A008: 64 bits: nobody can send that",
     IN(OPEN "BDAT 18446744073709551615 LAST\r\nNOOP\r\n"), OPENED_CHUNKS BIG,
     EV_OPEN "reset 6\nclose ONWARD_ELIMIT\n", NONE, CHUNKS, 0},
    {"another word than LAST",
     IN(OPEN "BDAT 6 LASTT\r\nQUIT\r\nBDAT 6 LAST x\r\nQUIT\r\nNOOP\r\n"),
     OPENED_CHUNKS "501 5.5.4 Syntax: BDAT size [LAST]\r\n"
                   "501 5.5.4 Syntax: BDAT size [LAST]\r\n" OK,
     NULL, NONE, CHUNKS, 0},
    {"A023: one chunk past the limit",
     IN(OPEN "BDAT 1001 LAST\r\n" X1000 "xNOOP\r\n"), OPENED_CHUNKS BIG OK,
     EV_OPEN "reset 2\n", NONE, CHUNKS, 0},
    {"A023: at the limit, then past it",
     IN(OPEN "BDAT 1000\r\n" X1000 "BDAT 1\r\nxBDAT 2 LAST\r\nxxNOOP\r\n"),
     OPENED_CHUNKS CHUNK BIG NO_MAIL OK, EV_OPEN "data\nreset 2\n", IN(X1000),
     CHUNKS, 0},
    {"A023: SIZE= does not count",
     IN("EHLO c.test\r\nMAIL FROM:<> SIZE=1\r\nRCPT TO:<c@mx.test>\r\n"
        "BDAT 1001 LAST\r\n" X1000 "xNOOP\r\n"),
     GREET HELLO_CHUNKS SENDER RCPT BIG OK, NULL, NONE, CHUNKS, 0},
    {"the host refuses the message",
     IN(OPEN "BDAT 7\r\nREJECT\nBDAT 0 LAST\r\nNOOP\r\n"),
     OPENED_CHUNKS BARE NO_MAIL OK, NULL, NONE, CHUNKS, 0},
    {"the host refuses the whole message",
     IN(OPEN "BDAT 6\r\nREJECTBDAT 2 LAST\r\n\r\nBDAT 0 LAST\r\n"),
     OPENED_CHUNKS CHUNK
     "550-5.7.1 Not wanted\r\n550 5.7.1 not at all\r\n" NO_MAIL,
     EV_OPEN "data\nend 8\nreset 2\n", IN("REJECT\r\n"), CHUNKS, 0},

    /* Lines. */
    {"A001: bare LF in a chunk", IN(OPEN "BDAT 5 LAST\r\na\n.\r\nNOOP\r\n"),
     OPENED_CHUNKS BARE OK, NULL, NONE, CHUNKS, 0},
    {"A002: bare CR in a chunk", IN(OPEN "BDAT 5 LAST\r\na\r.\r\nNOOP\r\n"),
     OPENED_CHUNKS BARE OK, NULL, NONE, CHUNKS, 0},
    {"CR CR LF", IN(OPEN "BDAT 4 LAST\r\na\r\r\nNOOP\r\n"),
     OPENED_CHUNKS BARE OK, NULL, NONE, CHUNKS, 0},
    {"CR at the end of a chunk, no LF in the next",
     IN(OPEN "BDAT 2\r\na\rBDAT 1 LAST\r\nbNOOP\r\n"),
     OPENED_CHUNKS CHUNK BARE OK, NULL, NONE, CHUNKS, 0},
    {"LF at the start of a message", IN(OPEN "BDAT 2 LAST\r\n\naNOOP\r\n"),
     OPENED_CHUNKS BARE OK, NULL, NONE, CHUNKS, 0},
    {"CR at the end of all", IN(OPEN "BDAT 2\r\na\rBDAT 0 LAST\r\nNOOP\r\n"),
     OPENED_CHUNKS CHUNK BARE OK, NULL, NONE, CHUNKS, 0},
    {"a doomed chunk ends the transaction",
     IN(OPEN "BDAT 2\r\n\naBDAT 1 LAST\r\nbDATA\r\n"),
     OPENED_CHUNKS BARE NO_MAIL NO_MAIL, NULL, NONE, CHUNKS, 0},
    {"bare ones where the host wants them",
     IN(OPEN "BDAT 5 LAST\r\na\n.\r\nNOOP\r\n"), OPENED_CHUNKS TAKEN OK, NULL,
     IN("a\n.\r\n"), CHUNKS | ONWARD_SMTP_SERVER_ALLOW_BARE_LF, 0},
    {"no CRLF at the end is no fault", IN(OPEN "BDAT 1 LAST\r\naNOOP\r\n"),
     OPENED_CHUNKS TAKEN OK, NULL, IN("a"), CHUNKS, 0},

    /* BINARYMIME */
    {"binary is what it is",
     IN(OPEN_BINARY "BDAT 9 LAST\r\n\0\n.\r\r\n\xff\n.NOOP\r\n"),
     GREET HELLO_BINARY SENDER RCPT TAKEN OK,
     "connect\nehlo c.test\nmail [a@b.test] size 0 body 3 utf8 0\n"
     "rcpt 0 [c@mx.test]\ndata\nend 9\nreset 1\n",
     IN("\0\n.\r\r\n\xff\n."), BINARY, 0},
    {"binary by DATA", IN(OPEN_BINARY "DATA\r\nBDAT 1 LAST\r\n\n"),
     GREET HELLO_BINARY SENDER RCPT "503 5.5.1 BINARYMIME needs BDAT\r\n" TAKEN,
     NULL, IN("\n"), BINARY, 0},
    {"BINARYMIME where only chunks are offered",
     IN("EHLO c.test\r\nMAIL FROM:<> BODY=BINARYMIME\r\n"),
     GREET HELLO_CHUNKS "501 5.5.4 Bad parameter syntax\r\n", NULL, NONE,
     CHUNKS, 0},

    /* LMTP */
    {"LMTP: one reply for each accepted recipient, in their order",
     IN(LOPEN TO("a") TO("no") TO("quota")
            TO("b") "DATA\r\nhi\r\n.\r\nNOOP\r\n"),
     LOPENED RCPT "550 5.1.1 No such user\r\n" RCPT RCPT GO TAKEN
                  "452 4.2.2 Mailbox full\r\n" TAKEN OK,
     "connect\nehlo c.test\nmail [a@b.test] size 0 body 0 utf8 0\n"
     "rcpt 0 [a@mx.test]\nrcpt 1 [no@mx.test]\nrcpt 2 [quota@mx.test]\n"
     "rcpt 3 [b@mx.test]\ndata\nend 4 for 0\nend 4 for 2\nend 4 for 3\n"
     "reset 1\n",
     IN("hi\r\n"), 0, LMTP},
    {"LMTP: refused for all",
     IN(LOPEN TO("quota") TO("quota") "DATA\r\n.\r\nRCPT TO:<a@mx.test>\r\n"),
     LOPENED RCPT RCPT GO "452 4.2.2 Mailbox full\r\n"
                          "452 4.2.2 Mailbox full\r\n" NO_MAIL,
     "connect\nehlo c.test\nmail [a@b.test] size 0 body 0 utf8 0\n"
     "rcpt 0 [quota@mx.test]\nrcpt 1 [quota@mx.test]\ndata\nend 0 for 0\n"
     "end 0 for 1\nreset 2\n",
     NONE, 0, LMTP},
    {"LMTP: refused by the session",
     IN(LOPEN TO("a") TO("no") TO("b") "DATA\r\na\n.\r\n.\r\nNOOP\r\n"),
     LOPENED RCPT "550 5.1.1 No such user\r\n" RCPT GO BARE BARE OK, NULL, NONE,
     0, LMTP},
    {"LMTP: no recipients", IN(LOPEN TO("no") "DATA\r\n"),
     LOPENED "550 5.1.1 No such user\r\n503 5.5.1 No valid recipients\r\n",
     NULL, NONE, 0, LMTP},
    {"LMTP: EHLO and HELO are not known, MAIL needs LHLO",
     IN("EHLO c.test\r\nHELO c.test\r\nMAIL FROM:<>\r\nLHLO c.test\r\n"),
     LGREET "500 5.5.1 Command not recognized\r\n"
            "500 5.5.1 Command not recognized\r\n"
            "503 5.5.1 Send LHLO first\r\n" HELLO,
     NULL, NONE, 0, LMTP},
    {"LHLO is not known to SMTP", IN("LHLO c.test\r\n"),
     GREET "500 5.5.1 Command not recognized\r\n", NULL, NONE, 0, 0},
    {"LMTP: each of the last chunk, one of those before",
     IN(LOPEN TO("a") TO("quota") "BDAT 3\r\nx\r\nBDAT 0 LAST\r\nNOOP\r\n"),
     LGREET HELLO_CHUNKS SENDER RCPT RCPT CHUNK TAKEN
     "452 4.2.2 Mailbox full\r\n" OK,
     NULL, IN("x\r\n"), CHUNKS, LMTP},
    {"LMTP: a chunk that fails before the last",
     IN(LOPEN TO("a") TO("b") "BDAT 2\r\n\naBDAT 0 LAST\r\nNOOP\r\n"),
     LGREET HELLO_CHUNKS SENDER RCPT RCPT BARE NO_MAIL OK, NULL, NONE, CHUNKS,
     LMTP},
    {"LMTP: a last chunk that fails",
     IN(LOPEN TO("a") TO("b") "BDAT 2 LAST\r\n\naNOOP\r\n"),
     LGREET HELLO_CHUNKS SENDER RCPT RCPT BARE BARE OK, NULL, NONE, CHUNKS,
     LMTP},
};

int main(void)
{
    return t_rows_run(rows, sizeof(rows) / sizeof(rows[0]));
}
