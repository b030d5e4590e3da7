/*
 * onward-send: one message to one server, with everything that the library's
 * client session can do as an option, and what became of each recipient.
 * main.c has the options, connect.c finds the server, send.c is the session,
 * report.c prints the outcomes.
 */
#ifndef SEND_H
#define SEND_H

#include <stdbool.h>
#include <stddef.h>

#include <onward/smtp.h>

#include "options.h"

enum send_status {
    SEND_DONE = 0,
    SEND_NOT_ALL = 1, /* some recipient did not get it */
    SEND_USAGE = 2,
    SEND_BROKEN = 3 /* input or system error, nothing was tried */
};

/* What the command line asks for. */
struct order {
    const char *host, *port; /* of the server */
    const char *tls_name;    /* the name that its certificate must have */
    const char *from;
    struct option_list to, orcpt;
    size_t notify; /* enum onward_smtp_notify */
    size_t flags;  /* enum onward_smtp_client_flag */
    size_t timeout_s;
    bool is_json;
    struct onward_tls_demand demand;
    struct onward_smtp_envelope envelope;
    struct onward_smtp_client_login login; /* no user, no token: no login */
    const char *ehlo;
    char *trust, *message; /* free() */
    size_t trust_len, message_len;
};

extern const struct program send_program;

/* A socket that is connected and does not block, -1 with the reason printed. */
int connect_to(const char *host, const char *port, size_t timeout_s);

/* Do it, and print the outcome. enum send_status. */
int send_order(const struct order *order);

/* Print what became of it, as text or as JSON; are all delivered? */
bool report_print(const struct order *order,
                  const struct onward_smtp_client *client);

#endif
