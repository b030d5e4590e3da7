/*
 * Parameters of MAIL and RCPT: DSN (RFC 3461, its examples in section 10;
 * RFC 6533), REQUIRETLS (RFC 8689), DELIVERBY (RFC 2852), LIMITS (RFC 9422).
 */
#include "smtp/server_rows.h"

#define DSN ONWARD_SMTP_SERVER_ALLOW_DSN
#define UTF8 ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8
#define BY ONWARD_SMTP_SERVER_ALLOW_DELIVERBY
#define START                                                                  \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"
#define HELLO_DSN START "250-ENHANCEDSTATUSCODES\r\n250 DSN\r\n"
#define HELLO_DSN_UTF8                                                         \
    START "250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250 DSN\r\n"
#define HELLO_BY START "250-ENHANCEDSTATUSCODES\r\n250 DELIVERBY\r\n"
#define BAD "501 5.5.4 Bad parameter syntax\r\n"
#define UNKNOWN "555 5.5.4 Parameter not recognized\r\n"
#define EHLO "EHLO c.test\r\n"
#define MAIL(rest) "MAIL FROM:<a@b.test> " rest "\r\nRSET\r\n"
#define TO(rest) "RCPT TO:<c@mx.test> " rest "\r\n"
#define EV "connect\nehlo c.test\n"
#define EV_MAIL "mail [a@b.test] size 0 body 0 utf8 "
#define FULL EHLO "MAIL FROM:<a@b.test>\r\n"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct t_row rows[] = {
    /* RFC 3461 section 10.1 and 10.2. */
    {"DSN: the RFC's own example",
     IN("EHLO Example.ORG\r\n"
        "MAIL FROM:<Alice@Example.ORG> RET=HDRS ENVID=QQ314159\r\n"
        "RCPT TO:<Bob@Example.COM> NOTIFY=SUCCESS "
        "ORCPT=rfc822;Bob@Example.COM\r\n"
        "RCPT TO:<Carol@Ivory.EDU> NOTIFY=FAILURE "
        "ORCPT=rfc822;Carol@Ivory.EDU\r\n"
        "RCPT TO:<Dana@Ivory.EDU> NOTIFY=SUCCESS,FAILURE "
        "ORCPT=rfc822;Dana@Ivory.EDU\r\n"
        "RCPT TO:<Eric@Bombs.AF.MIL> NOTIFY=FAILURE "
        "ORCPT=rfc822;Eric@Bombs.AF.MIL\r\n"
        "RCPT TO:<Fred@Bombs.AF.MIL> NOTIFY=NEVER\r\n"
        "RCPT TO:<George@Tax-ME.GOV> NOTIFY=FAILURE "
        "ORCPT=rfc822;George@Tax-ME.GOV\r\n"),
     GREET HELLO_DSN SENDER RCPT RCPT RCPT RCPT RCPT RCPT,
     "connect\nehlo Example.ORG\n"
     "mail [Alice@Example.ORG] size 0 body 0 utf8 0 ret 2 envid [QQ314159]\n"
     "rcpt 0 [Bob@Example.COM] notify 2 orcpt [rfc822;Bob@Example.COM]\n"
     "rcpt 1 [Carol@Ivory.EDU] notify 4 orcpt [rfc822;Carol@Ivory.EDU]\n"
     "rcpt 2 [Dana@Ivory.EDU] notify 6 orcpt [rfc822;Dana@Ivory.EDU]\n"
     "rcpt 3 [Eric@Bombs.AF.MIL] notify 4 orcpt [rfc822;Eric@Bombs.AF.MIL]\n"
     "rcpt 4 [Fred@Bombs.AF.MIL] notify 1\n"
     "rcpt 5 [George@Tax-ME.GOV] notify 4 orcpt [rfc822;George@Tax-ME.GOV]\n",
     NONE, DSN, 0},
    {"DSN: letter case, order, xtext",
     IN(EHLO MAIL("envid=a+2Bb+3Dc+20d ret=full") FULL TO(
         "notify=delay,SUCCESS,Failure") TO("ORCPT=RFC822;+22a+20b+22@c.test")),
     GREET HELLO_DSN SENDER OK HELLO_DSN SENDER RCPT RCPT,
     EV EV_MAIL "0 ret 1 envid [a+b=c d]\nreset 3\nehlo c.test\n" EV_MAIL
                "0\nrcpt 0 [c@mx.test] notify 14\n"
                "rcpt 1 [c@mx.test] orcpt [RFC822;\"a b\"@c.test]\n",
     NONE, DSN, 0},
    {"DSN: the longest ENVID and one more",
     IN(EHLO MAIL("ENVID=" X50 X50) "MAIL FROM:<> ENVID=" X50 X50 "x\r\n"),
     GREET HELLO_DSN SENDER OK BAD, NULL, NONE, DSN, 0},
    {"DSN: values of MAIL that are none",
     IN(EHLO "MAIL FROM:<> RET\r\nMAIL FROM:<> RET=ALL\r\n"
             "MAIL FROM:<> ENVID\r\nMAIL FROM:<> ENVID=\r\n"
             "MAIL FROM:<> ENVID=a+2\r\nMAIL FROM:<> ENVID=a+\r\n"
             "MAIL FROM:<> ENVID=a+GG\r\nMAIL FROM:<> ENVID=a=b\r\n"
             "MAIL FROM:<> RET=FULL RET=FULL\r\n"),
     GREET HELLO_DSN BAD BAD BAD BAD BAD BAD BAD BAD BAD, NULL, NONE, DSN, 0},
    {"A016: what decodes to a control",
     IN(EHLO
        "MAIL FROM:<> ENVID=a+0D+0AMAIL\r\nMAIL FROM:<> ENVID=a+00\r\n"
        "MAIL FROM:<> ENVID=a+7F\r\nMAIL FROM:<> ENVID=a+80\r\n" FULL TO(
            "ORCPT=rfc822;a+0A@b.test") TO("ORCPT=rfc822;a+00@b.test")
            TO("ORCPT=rfc822;a+ff@b.test") TO("ORCPT=utf-8;a\\x{0A}@b.test") TO(
                "ORCPT=utf-8;a\\x{7F}@b.test") TO("ORCPT=utf-8;a\\x{85}@b.test")
                TO("ORCPT=utf-8;a\\x{10}@b.test")),
     GREET HELLO_DSN BAD BAD BAD BAD HELLO_DSN SENDER BAD BAD BAD BAD BAD BAD
         BAD,
     EV "ehlo c.test\n" EV_MAIL "0\n", NONE, DSN, 0},
    {"DSN: values of RCPT that are none",
     IN(FULL TO("NOTIFY") TO("NOTIFY=") TO("NOTIFY=NEVER,SUCCESS")
            TO("NOTIFY=SUCCESS,") TO("NOTIFY=,SUCCESS") TO("NOTIFY=OFTEN")
                TO("ORCPT=a@b.test") TO("ORCPT=rfc822;") TO("ORCPT=;a@b.test")
                    TO("ORCPT=rf(c;a@b.test")),
     GREET HELLO_DSN SENDER BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD, NULL, NONE,
     DSN, 0},
    {"DSN: ORCPT past 500",
     IN(FULL TO("ORCPT=rfc822;" X50 X50 X50 X50 X50 X50 X50 X50 X50
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
            TO("ORCPT=rfc822;" X50 X50 X50 X50 X50 X50 X50 X50 X50
               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")),
     GREET HELLO_DSN SENDER RCPT BAD, NULL, NONE, DSN, 0},
    {"DSN: addresses of type utf-8 in seven bits",
     IN(FULL TO("ORCPT=utf-8;gr\\x{FC}\\x{DF}@\\x{4F8B}.test") TO(
         "ORCPT=utf-8;a\\x{5C}b@b.test") TO("ORCPT=utf-8;a\\x{D800}@b.test")
            TO("ORCPT=utf-8;a\\x{110000}@b.test") TO("ORCPT=utf-8;a\\x{}@b")
                TO("ORCPT=utf-8;a\\xFC@b.test") TO("ORCPT=utf-8;a\\x{FC")
                    TO("ORCPT=utf-8;a+40b.test")),
     GREET HELLO_DSN SENDER RCPT RCPT BAD BAD BAD BAD BAD BAD,
     EV EV_MAIL "0\nrcpt 0 [c@mx.test] orcpt "
                "[utf-8;gr\\x{FC}\\x{DF}@\\x{4F8B}.test]\n"
                "rcpt 1 [c@mx.test] orcpt [utf-8;a\\x{5C}b@b.test]\n",
     NONE, DSN, 0},
    {"DSN: raw UTF-8 with SMTPUTF8, kept in seven bits",
     IN(EHLO "MAIL FROM:<a@b.test> SMTPUTF8\r\n" TO(
         "ORCPT=utf-8;gr\xc3\xbc@\xe4\xbe\x8b.\xf0\x9f\x98\x80")
            TO("ORCPT=rfc822;gr\xc3\xbc@b.test") TO("ORCPT=utf-8;\xc2\x85@b")
                TO("ORCPT=utf-8;\xc3@b.test")),
     GREET HELLO_DSN_UTF8 SENDER RCPT BAD BAD BAD,
     EV EV_MAIL "1\nrcpt 0 [c@mx.test] orcpt "
                "[utf-8;gr\\x{FC}@\\x{4F8B}.\\x{1F600}]\n",
     NONE, DSN | UTF8, 0},
    {"DSN: UTF-8 in xtext as Postfix writes it, kept as type utf-8",
     IN(EHLO
        "MAIL FROM:<a@b.test> SMTPUTF8\r\n" TO("ORCPT=rfc822;gr+C3+BC@b.test")
            TO("ORCPT=RFC822;+C3+BC+2B+5C+3D+20+F0+9F+98+80@b")
                TO("ORCPT=rfc822;+C3+BC+0A@b") TO("ORCPT=rfc822;+C2+85@b")
                    TO("ORCPT=rfc822;+C3@b") TO("ORCPT=x400;+C3+BC@b")
                        TO("ORCPT=rfc822;+C3\xbc@b")),
     GREET HELLO_DSN_UTF8 SENDER RCPT RCPT BAD BAD BAD BAD BAD,
     EV EV_MAIL "1\nrcpt 0 [c@mx.test] orcpt [utf-8;gr\\x{FC}@b.test]\n"
                "rcpt 1 [c@mx.test] orcpt [utf-8;\\x{FC}\\x{2B}\\x{5C}"
                "\\x{3D}\\x{20}\\x{1F600}@b]\n",
     NONE, DSN | UTF8, 0},
    {"DSN: raw UTF-8 without", IN(FULL TO("ORCPT=utf-8;gr\xc3\xbc@b.test")),
     GREET HELLO_DSN SENDER BAD, NULL, NONE, DSN, 0},
    {"DSN: not offered",
     IN(EHLO "MAIL FROM:<> RET=FULL\r\nMAIL FROM:<> ENVID=x\r\n"
             "MAIL FROM:<>\r\n" TO("ORCPT=rfc822;a@b")),
     GREET HELLO UNKNOWN UNKNOWN SENDER UNKNOWN, NULL, NONE, 0, 0},

    /* RFC 2852 */
    {"DELIVERBY",
     IN(EHLO MAIL("BY=120;R") MAIL("by=-5;n") MAIL("BY=+999999999;NT")
            MAIL("BY=0;N") MAIL("BY=1;rt")),
     GREET HELLO_BY SENDER OK SENDER OK SENDER OK SENDER OK SENDER OK,
     EV EV_MAIL
     "0 by 2 in 120\nreset 3\n" EV_MAIL "0 by 1 in -5\nreset 3\n" EV_MAIL
     "0 by 5 in 999999999\nreset 3\n" EV_MAIL "0 by 1\nreset 3\n" EV_MAIL
     "0 by 6 in 1\nreset 3\n",
     NONE, BY, 0},
    {"DELIVERBY: values that are none",
     IN(EHLO "MAIL FROM:<> BY\r\nMAIL FROM:<> BY=120\r\nMAIL FROM:<> BY=;R\r\n"
             "MAIL FROM:<> BY=1234567890;R\r\nMAIL FROM:<> BY=1;\r\n"
             "MAIL FROM:<> BY=1;X\r\nMAIL FROM:<> BY=1;RTT\r\n"
             "MAIL FROM:<> BY=1;RX\r\nMAIL FROM:<> BY=0;R\r\n"
             "MAIL FROM:<> BY=-1;R\r\nMAIL FROM:<> BY=+-1;N\r\n"),
     GREET HELLO_BY BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD BAD, NULL, NONE, BY,
     0},
    {"DELIVERBY: not offered", IN(EHLO "MAIL FROM:<> BY=1;R\r\n"),
     GREET HELLO UNKNOWN, NULL, NONE, 0, 0},

    {"REQUIRETLS is not offered in plaintext",
     IN(EHLO "MAIL FROM:<> REQUIRETLS\r\n"), GREET HELLO UNKNOWN, NULL, NONE,
     ONWARD_SMTP_SERVER_ALLOW_REQUIRETLS, 0},
    {"AUTH= is not known without AUTH", IN(EHLO "MAIL FROM:<> AUTH=<>\r\n"),
     GREET HELLO UNKNOWN, NULL, NONE, 0, 0},
    {"LIMITS", IN(EHLO),
     GREET START "250-ENHANCEDSTATUSCODES\r\n250 LIMITS RCPTMAX=1000\r\n", NULL,
     NONE, ONWARD_SMTP_SERVER_OFFER_LIMITS, 0},
    {"no extensions after HELO", IN("HELO c.test\r\nMAIL FROM:<> RET=FULL\r\n"),
     GREET "250 mx.test\r\n" UNKNOWN, NULL, NONE, DSN, 0},

    /* Submission without AUTH to be had: the demand alone. */
    {"submission: MAIL and VRFY need AUTH, the rest does not",
     IN(EHLO "MAIL FROM:<>\r\nVRFY a\r\nRCPT TO:<c@mx.test>\r\nNOOP\r\nRSET\r\n"
             "HELO c.test\r\nMAIL FROM:<>\r\nLHLO c.test\r\nQUIT\r\n"),
     GREET HELLO "530 5.7.0 Authentication required\r\n"
                 "530 5.7.0 Authentication required\r\n"
                 "503 5.5.1 Need MAIL first\r\n" OK OK "250 mx.test\r\n"
                 "530 5.7.0 Authentication required\r\n"
                 "500 5.5.1 Command not recognized\r\n" BYE,
     NULL, NONE, 0, ONWARD_SMTP_SERVER_MODE_SUBMISSION},
    {"submission from clients that are known otherwise",
     IN(EHLO "MAIL FROM:<>\r\n"), GREET HELLO SENDER, NULL, NONE,
     ONWARD_SMTP_SERVER_ALLOW_UNAUTHENTICATED,
     ONWARD_SMTP_SERVER_MODE_SUBMISSION},
    {"AUTH required of a server", IN(EHLO "MAIL FROM:<>\r\n"),
     GREET HELLO "530 5.7.0 Authentication required\r\n", NULL, NONE,
     ONWARD_SMTP_SERVER_REQUIRE_AUTH, 0},
};

int main(void)
{
    return t_rows_run(rows, sizeof(rows) / sizeof(rows[0]));
}
