/*
 * Dialogues with the server session as rows: what the client sends, what it
 * reads, what the host was told. Each runs whole, octet by octet and at every
 * cut, with answers by default, inside the callbacks, and deferred.
 */
#ifndef ONWARD_TESTS_SERVER_ROWS_H
#define ONWARD_TESTS_SERVER_ROWS_H

#include "smtp/server_host.h"

#define GREET "220 mx.test ESMTP\r\n"
#define HELLO                                                                  \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"       \
    "250 ENHANCEDSTATUSCODES\r\n"
#define HELLO_UTF8                                                             \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n"       \
    "250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8\r\n"
#define BYE "221 2.0.0 Bye\r\n"
#define SENDER "250 2.1.0 Sender OK\r\n"
#define RCPT "250 2.1.5 Recipient OK\r\n"
#define OK "250 2.0.0 OK\r\n"
#define GO "354 End data with <CR><LF>.<CR><LF>\r\n"
#define TAKEN "250 2.0.0 Message accepted\r\n"
#define OPEN "EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@mx.test>\r\n"
#define OPEN2 "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@mx.test>\r\n"
#define X100                                                                   \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100
#define OPENED GREET HELLO SENDER RCPT
#define EV_OPEN                                                                \
    "connect\nehlo c.test\nmail [a@b.test] size 0 body 0 utf8 0\n"             \
    "rcpt 0 [c@mx.test]\n"

struct t_row {
    const char *name;
    struct onward_str in;
    const char *out;
    const char *events; /* NULL: not looked at */
    struct onward_str message;
    size_t flags, mode;
};

#define IN(text)                                                               \
    {                                                                          \
        "" text "", sizeof(text) - 1                                           \
    }
#define NONE                                                                   \
    {                                                                          \
        NULL, 0                                                                \
    }

/* Each row as a test of its own; what main() returns. */
int t_rows_run(const struct t_row *rows, size_t count);

#endif
