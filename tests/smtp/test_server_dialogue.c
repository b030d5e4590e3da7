/*
 * Dialogues with the server session, as tables: what the client sends, what it
 * reads, what the host was told. Each runs whole, octet by octet and at every
 * cut, with answers inside the callbacks and deferred ones.
 */
#include "smtp/server_rows.h"

static const struct t_row rows[] = {
    {"greeting alone", NONE, GREET, "connect\n", NONE, 0},
    {"QUIT", IN("QUIT\r\n"), GREET BYE, "connect\nclose ONWARD_OK\n", NONE, 0},
    {"nothing is run behind QUIT", IN("QUIT\r\nNOOP\r\n"), GREET BYE,
     "connect\nclose ONWARD_OK\n", NONE, 0},
    {"one message", IN(OPEN "DATA\r\nSubject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n"),
     OPENED GO TAKEN BYE, EV_OPEN "data\nend 18\nreset 1\nclose ONWARD_OK\n",
     IN("Subject: x\r\n\r\nhi\r\n"), 0},
    {"two messages",
     IN(OPEN "DATA\r\na\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<d@mx.test>\r\n"
             "DATA\r\nb\r\n.\r\nQUIT\r\n"),
     OPENED GO TAKEN SENDER RCPT GO TAKEN BYE,
     EV_OPEN "data\nend 3\nreset 1\nmail [] size 0 body 0 utf8 0\n"
             "rcpt 0 [d@mx.test]\ndata\nend 3\nreset 1\nclose ONWARD_OK\n",
     IN("a\r\nb\r\n"), 0},
    {"HELO gets no extensions", IN("HELO c.test\r\n"), GREET "250 mx.test\r\n",
     "connect\nhelo c.test\n", NONE, 0},
    {"lower case", IN("ehlo c.test\r\nmail from:<a@b.test>\r\nquit\r\n"),
     GREET HELLO SENDER BYE, NULL, NONE, 0},
    {"EHLO without a name", IN("EHLO\r\n"),
     GREET "501 A domain or an address literal is required\r\n", NULL, NONE, 0},
    {"EHLO with a parenthesis", IN("EHLO a(b\r\n"),
     GREET "501 A domain or an address literal is required\r\n", NULL, NONE, 0},
    {"EHLO with an address literal", IN("EHLO [IPv6:2001:db8::1]\r\n"),
     GREET HELLO, "connect\nehlo [IPv6:2001:db8::1]\n", NONE, 0},
    {"EHLO refused by the host leaves what was",
     IN("EHLO no\r\nMAIL FROM:<a@b.test>\r\nEHLO c.test\r\n"
        "MAIL FROM:<a@b.test>\r\nEHLO no\r\nRCPT TO:<c@mx.test>\r\n"),
     GREET "550 No such user\r\n503 5.5.1 Send EHLO first\r\n" HELLO SENDER
           "550 No such user\r\n" RCPT,
     NULL, NONE, 0},
    {"EHLO ends a transaction", IN(OPEN "EHLO d.test\r\nDATA\r\n"),
     OPENED HELLO "503 5.5.1 Need MAIL first\r\n",
     EV_OPEN "ehlo d.test\nreset 4\n", NONE, 0},
    {"RSET ends a transaction", IN(OPEN "RSET\r\nRCPT TO:<c@mx.test>\r\n"),
     OPENED OK "503 5.5.1 Need MAIL first\r\n", EV_OPEN "reset 3\n", NONE, 0},
    {"NOOP, VRFY and HELP do not",
     IN(OPEN "NOOP x\r\nVRFY c\r\nHELP\r\nDATA\r\n.\r\n"),
     OPENED OK
     "252 2.0.0 Cannot verify the user, but will take the "
     "message\r\n"
     "214 2.0.0 Commands: EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP "
     "QUIT\r\n" GO TAKEN,
     EV_OPEN "vrfy [c]\ndata\nend 0\nreset 1\n", NONE, 0},
    {"parameters where none belong",
     IN("EHLO c.test\r\nRSET x\r\nQUIT x\r\nVRFY\r\nEXPN x\r\n"),
     GREET HELLO "501 5.5.4 RSET takes no parameters\r\n"
                 "501 5.5.4 QUIT takes no parameters\r\n"
                 "501 5.5.4 Syntax: VRFY name\r\n"
                 "502 5.5.1 EXPN is not available\r\n",
     NULL, NONE, 0},
    {"order of commands",
     IN("MAIL FROM:<a@b.test>\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n"
        "EHLO c.test\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n"
        "MAIL FROM:<a@b.test>\r\nMAIL FROM:<a@b.test>\r\nDATA\r\n"),
     GREET "503 5.5.1 Send EHLO first\r\n503 5.5.1 Need MAIL first\r\n"
           "503 5.5.1 Need MAIL first\r\n" HELLO
           "503 5.5.1 Need MAIL first\r\n503 5.5.1 Need MAIL first\r\n" SENDER
           "503 5.5.1 Nested MAIL command\r\n"
           "554 5.5.1 No valid recipients\r\n",
     NULL, NONE, 0},
    {"DATA with a parameter", IN(OPEN "DATA x\r\n"),
     OPENED "501 5.5.4 DATA takes no parameters\r\n", NULL, NONE, 0},
    {"unknown commands", IN("FOO\r\n\r\n \r\nMAILX\r\nSTARTTLS\r\n"),
     GREET "500 5.5.1 Command not recognized\r\n"
           "500 5.5.1 Command not recognized\r\n"
           "500 5.5.1 Command not recognized\r\n"
           "500 5.5.1 Command not recognized\r\n"
           "502 5.5.1 TLS is not offered\r\n",
     NULL, NONE, 0},

    /* What the host decides. */
    {"recipients refused",
     IN("EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<no@mx.test>\r\n"
        "RCPT TO:<busy@mx.test>\r\nRCPT TO:<fail@mx.test>\r\nDATA\r\n"
        "RCPT TO:<c@mx.test>\r\nDATA\r\nx\r\n.\r\n"),
     GREET HELLO SENDER "550 5.1.1 No such user\r\n451 4.2.0 Come again\r\n"
                        "451 4.3.0 Local error, try again later\r\n"
                        "554 5.5.1 No valid recipients\r\n" RCPT GO TAKEN,
     NULL, IN("x\r\n"), 0},
    {"sender refused, RCPT is out of order",
     IN("EHLO c.test\r\nMAIL FROM:<no@b.test>\r\nRCPT TO:<c@mx.test>\r\n"
        "MAIL FROM:<a@b.test>\r\n"),
     GREET HELLO
     "550 5.1.1 No such user\r\n503 5.5.1 Need MAIL first\r\n" SENDER,
     NULL, NONE, 0},
    {"421 of the host closes",
     IN("EHLO c.test\r\nMAIL FROM:<gone@b.test>\r\nNOOP\r\n"),
     GREET HELLO "421 4.3.0 Go away\r\n",
     "connect\nehlo c.test\nmail [gone@b.test] size 0 body 0 utf8 0\n"
     "close ONWARD_OK\n",
     NONE, 0},
    {"A011: a refused message ends the transaction",
     IN(OPEN "DATA\r\nREJECT\r\n.\r\nRCPT TO:<c@mx.test>\r\nDATA\r\n"
             "MAIL FROM:<a@b.test>\r\n"),
     OPENED GO
     "550-5.7.1 Not wanted\r\n550 5.7.1 not at all\r\n"
     "503 5.5.1 Need MAIL first\r\n503 5.5.1 Need MAIL first\r\n" SENDER,
     NULL, IN("REJECT\r\n"), 0},
    {"a deferred message ends the transaction",
     IN(OPEN "DATA\r\nDEFER\r\n.\r\nDATA\r\n"),
     OPENED GO "450 4.0.0 Mailbox not available now\r\n"
               "503 5.5.1 Need MAIL first\r\n",
     EV_OPEN "data\nend 7\nreset 2\n", IN("DEFER\r\n"), 0},

    /* Parameters of MAIL. */
    {"SIZE, BODY and SMTPUTF8",
     IN("EHLO c.test\r\nMAIL FROM:<a@b.test> SIZE=999 body=8bitmime "
        "SMTPUTF8\r\n"),
     GREET HELLO_UTF8 SENDER,
     "connect\nehlo c.test\nmail [a@b.test] size 999 body 2 utf8 1\n", NONE,
     ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8},
    {"BODY=7BIT", IN("EHLO c.test\r\nMAIL FROM:<> BODY=7BIT\r\n"),
     GREET HELLO SENDER, "connect\nehlo c.test\nmail [] size 0 body 1 utf8 0\n",
     NONE, 0},
    {"SIZE at the limit and past it",
     IN("EHLO c.test\r\nMAIL FROM:<> SIZE=1001\r\nMAIL FROM:<> "
        "SIZE=18446744073709551616\r\nMAIL FROM:<> "
        "SIZE=99999999999999999999\r\nMAIL FROM:<> SIZE=1000\r\n"),
     GREET HELLO "552 5.3.4 Message too big\r\n552 5.3.4 Message too big\r\n"
                 "552 5.3.4 Message too big\r\n" SENDER,
     NULL, NONE, 0},
    {"parameters that are wrong",
     IN("EHLO c.test\r\nMAIL FROM:<> SIZE=\r\nMAIL FROM:<> SIZE\r\n"
        "MAIL FROM:<> SIZE=+1\r\nMAIL FROM:<> SIZE=123456789012345678901\r\n"
        "MAIL FROM:<> BODY=9BIT\r\nMAIL FROM:<> BODY=BINARYMIME\r\n"
        "MAIL FROM:<> SIZE=1 SIZE=2\r\nMAIL FROM:<> =1\r\n"
        "MAIL FROM:<> -A=1\r\nMAIL FROM:<>  SIZE=1\r\n"),
     GREET HELLO
     "501 5.5.4 Bad parameter syntax\r\n501 5.5.4 Bad parameter syntax\r\n"
     "501 5.5.4 Bad parameter syntax\r\n501 5.5.4 Bad parameter syntax\r\n"
     "501 5.5.4 Bad parameter syntax\r\n501 5.5.4 Bad parameter syntax\r\n"
     "501 5.5.4 Bad parameter syntax\r\n501 5.5.4 Bad parameter syntax\r\n"
     "501 5.5.4 Bad parameter syntax\r\n501 5.5.4 Bad parameter syntax\r\n",
     NULL, NONE, 0},
    {"parameters that were not offered",
     IN("EHLO c.test\r\nMAIL FROM:<> FOO=1\r\nMAIL FROM:<> SMTPUTF8\r\n"
        "MAIL FROM:<>\r\nRCPT TO:<c@mx.test> NOTIFY=NEVER\r\n"),
     GREET HELLO "555 5.5.4 Parameter not recognized\r\n"
                 "555 5.5.4 Parameter not recognized\r\n" SENDER
                 "555 5.5.4 Parameter not recognized\r\n",
     NULL, NONE, 0},
    {"no parameters after HELO", IN("HELO c.test\r\nMAIL FROM:<> SIZE=1\r\n"),
     GREET "250 mx.test\r\n555 5.5.4 Parameter not recognized\r\n", NULL, NONE,
     0},

    /* Addresses. */
    {"A017: paths outside of the grammar",
     IN("EHLO c.test\r\nMAIL FROM:a@b.test\r\nMAIL FROM:<a@b.test>x\r\n"
        "MAIL FROM:<a@b@c.test>\r\nMAIL FROM:<a (b)@c.test>\r\n"
        "MAIL FROM: <a@b.test>\r\nMAIL <a@b.test>\r\nMAIL\r\n"
        "MAIL FROM:<postmaster>\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\n"
        "RCPT TO:<postMaster>\r\n"),
     GREET HELLO "501 5.1.7 Bad sender address syntax\r\n"
                 "501 5.1.7 Bad sender address syntax\r\n"
                 "501 5.1.7 Bad sender address syntax\r\n"
                 "501 5.1.7 Bad sender address syntax\r\n"
                 "501 5.1.7 Bad sender address syntax\r\n"
                 "501 5.5.4 Syntax: MAIL FROM:<address>\r\n"
                 "501 5.5.4 Syntax: MAIL FROM:<address>\r\n"
                 "501 5.1.7 Bad sender address syntax\r\n" SENDER
                 "501 5.1.3 Bad recipient address syntax\r\n" RCPT,
     NULL, NONE, 0},
    {"A018: quoted local parts and source routes",
     IN("EHLO c.test\r\nMAIL FROM:<\"a b>,@\"@b.test>\r\n"
        "RCPT TO:<@x.test,@[IPv6:2001:db8::1]:\"d\\\"e\"@mx.test>\r\n"
        "RCPT TO:<@x.test:f@[192.0.2.1]>\r\n"),
     GREET HELLO SENDER RCPT RCPT,
     "connect\nehlo c.test\nmail [\"a b>,@\"@b.test] size 0 body 0 utf8 0\n"
     "rcpt 0 [\"d\\\"e\"@mx.test]\nrcpt 1 [f@[192.0.2.1]]\n",
     NONE, 0},
    {"UTF-8 without SMTPUTF8 offered",
     IN("EHLO c.test\r\nMAIL FROM:<j\xc3\xb8@b.test>\r\n"),
     GREET HELLO "553 5.6.7 Addresses that are not ASCII are not taken\r\n",
     NULL, NONE, 0},
    {"UTF-8 without SMTPUTF8 asked for",
     IN("EHLO c.test\r\nMAIL FROM:<j\xc3\xb8@b.test>\r\nMAIL FROM:<>\r\n"
        "RCPT TO:<j\xc3\xb8@mx.test>\r\n"),
     GREET HELLO_UTF8
     "553 5.6.7 SMTPUTF8 is required for that address\r\n" SENDER
     "553 5.6.7 SMTPUTF8 is required for that address\r\n",
     NULL, NONE, ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8},
    {"UTF-8 with SMTPUTF8",
     IN("EHLO c.test\r\nMAIL FROM:<j\xc3\xb8@b.test> SMTPUTF8\r\n"
        "RCPT TO:<gr\xc3\xbc\xc3\x9f@mx.test>\r\n"),
     GREET HELLO_UTF8 SENDER RCPT,
     "connect\nehlo c.test\nmail [j\xc3\xb8@b.test] size 0 body 0 utf8 1\n"
     "rcpt 0 [gr\xc3\xbc\xc3\x9f@mx.test]\n",
     NONE, ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8},
    {"A015: NUL and controls",
     IN("EHLO c\0.test\r\nEHLO c.test\r\nMAIL FROM:<a\0@b.test>\r\n"
        "MAIL FROM:<a@b.test>\tSIZE=5\r\nMAIL FROM:<a\x7f@b.test>\r\n"
        "NOOP \x1b[0m\r\nNOOP a\rb\r\n"),
     GREET "501 5.5.2 Control characters in a command\r\n" HELLO
           "501 5.5.2 Control characters in a command\r\n"
           "501 5.5.2 Control characters in a command\r\n"
           "501 5.5.2 Control characters in a command\r\n"
           "501 5.5.2 Control characters in a command\r\n"
           "501 5.5.2 Control characters in a command\r\n",
     NULL, NONE, 0},

    /* Framing. */
    {"A001: LF dot LF is no end and dooms the message",
     IN(OPEN "DATA\r\na\n.\nMAIL FROM:<evil@x.test>\r\n.\r\nNOOP\r\n"),
     OPENED GO "550 5.6.0 Bare CR or LF in the message\r\n" OK, NULL, NONE, 0},
    {"A001: LF dot CRLF",
     IN(OPEN "DATA\r\na\n.\r\nMAIL FROM:<evil@x.test>\r\n.\r\nNOOP\r\n"),
     OPENED GO "550 5.6.0 Bare CR or LF in the message\r\n" OK, NULL, NONE, 0},
    {"A001: CRLF dot LF",
     IN(OPEN "DATA\r\na\r\n.\nMAIL FROM:<evil@x.test>\r\n.\r\nNOOP\r\n"),
     OPENED GO "550 5.6.0 Bare CR or LF in the message\r\n" OK, NULL, NONE, 0},
    {"A002: CR dot CR",
     IN(OPEN "DATA\r\na\r.\rMAIL FROM:<evil@x.test>\r\n.\r\nNOOP\r\n"),
     OPENED GO "550 5.6.0 Bare CR or LF in the message\r\n" OK, NULL, NONE, 0},
    {"A002: CRLF dot CR CR LF",
     IN(OPEN "DATA\r\na\r\n.\r\r\nMAIL FROM:<evil@x.test>\r\n.\r\nNOOP\r\n"),
     OPENED GO "550 5.6.0 Bare CR or LF in the message\r\n" OK, NULL, NONE, 0},
    {"a bare CR outdoes the size, wherever it stands",
     IN(OPEN "DATA\r\n" X1000 "x\ra\r\n.\r\n" OPEN2 "DATA\r\nx\ra" X1000
             "\r\n.\r\n"),
     OPENED GO "550 5.6.0 Bare CR or LF in the message\r\n" SENDER RCPT GO
               "550 5.6.0 Bare CR or LF in the message\r\n",
     NULL, NONE, 0},
    {"bare LF and CR are data where the host wants that",
     IN(OPEN "DATA\r\na\n.\nb\r.\rc\r\n.\rd\r\n.\ne\r\n..\r\n.\r\nNOOP\r\n"),
     OPENED GO TAKEN OK, NULL, IN("a\n.\nb\r.\rc\r\n\rd\r\n\ne\r\n.\r\n"),
     ONWARD_SMTP_SERVER_ALLOW_BARE_LF},
    {"A004: transparency",
     IN(OPEN "DATA\r\n..\r\n...a\r\n.b\r\nc.\r\n..\r\n.\r\n"), OPENED GO TAKEN,
     NULL, IN(".\r\n..a\r\nb\r\nc.\r\n.\r\n"), 0},
    {"A003: the end mark with a command behind it",
     IN(OPEN "DATA\r\na\r\n.\r\nNOOP\r\nNOOP\r\n"), OPENED GO TAKEN OK OK, NULL,
     IN("a\r\n"), 0},
    {"an empty message", IN(OPEN "DATA\r\n.\r\nNOOP\r\n"), OPENED GO TAKEN OK,
     NULL, NONE, 0},
    {"NUL in a message is data", IN(OPEN "DATA\r\n\0.\r\n.\0\r\n.\r\n"),
     OPENED GO TAKEN, NULL, IN("\0.\r\n\0\r\n"), 0},
    {"a bare LF in a command closes", IN("EHLO c.test\nNOOP\r\n"),
     GREET "521 5.5.2 Lines end with CRLF\r\n",
     "connect\nclose ONWARD_ESYNTAX\n", NONE, 0},
    {"LF alone closes", IN("\n"), GREET "521 5.5.2 Lines end with CRLF\r\n",
     NULL, NONE, 0},

    /* A012 */
    {"an HTTP client", IN("POST / HTTP/1.1\r\nEHLO c.test\r\n"),
     GREET "521 5.5.1 SMTP is spoken here\r\n",
     "connect\nclose ONWARD_ESYNTAX\n", NONE, 0},
    {"an SSH client", IN("SSH-2.0-x\r\nEHLO c.test\r\n"),
     GREET "521 5.5.1 SMTP is spoken here\r\n",
     "connect\nclose ONWARD_ESYNTAX\n", NONE, 0},
    {"a TLS client on a plain port", IN("\x16\x03\x01\x02\nEHLO x\r\n"),
     GREET "521 5.5.1 SMTP is spoken here, TLS begins with STARTTLS\r\n",
     "connect\nclose ONWARD_ESYNTAX\n", NONE, 0},
    {"0x16 in a line is just a control", IN("NOOP \x16\r\n"),
     GREET "501 5.5.2 Control characters in a command\r\n", NULL, NONE, 0},

    {"TLS is required",
     IN("EHLO c.test\r\nMAIL FROM:<>\r\nNOOP\r\nRSET\r\nQUIT\r\n"),
     GREET "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
           "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n"
           "530 5.7.0 Must issue a STARTTLS command first\r\n" OK
           "530 5.7.0 Must issue a STARTTLS command first\r\n" BYE,
     NULL, NONE, ONWARD_SMTP_SERVER_REQUIRE_TLS | ONWARD_SMTP_SERVER_HOST_TLS},
};

int main(void)
{
    return t_rows_run(rows, sizeof(rows) / sizeof(rows[0]));
}
