/*
 * onward-sink: a mail server that keeps what it is given. It offers everything
 * that the library's server session can do, as SMTP, submission or LMTP, and
 * writes each message as it came with a line of JSON about its envelope: what
 * a client really sent. main.c has the options and the listening socket,
 * session.c is one client, users.c who may log in, record.c what is written.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <onward/smtp.h>

#include "conn.h"
#include "loop.h"
#include "options.h"

struct user {
    struct onward_str name, secret; /* borrowed from the command line */
    unsigned char salt[16];
    struct onward_smtp_scram_keys scram; /* of a password */
};

struct sink {
    /* From the command line. */
    const char *folder, *name;
    struct option_list refused; /* addresses that have no mailbox */
    size_t mode;                /* enum onward_smtp_server_mode */
    size_t flags;               /* enum onward_smtp_server_flag */
    struct user *passwords, *tokens;
    size_t password_count, token_count;

    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_tls_config *tls;
    struct loop *loop;
    struct conn_list conns;
    struct session *sessions;
    FILE *log;     /* messages.jsonl */
    size_t serial; /* of the last message */
    bool is_draining;
};

/* ---- session.c --------------------------------------------------------- */

/* Take over a connection from that address. */
void session_open(struct sink *sink, int fd, const struct onward_ip *ip,
                  size_t port);
/* Say 421 to all that wait for a command. */
void session_shutdown_all(struct sink *sink);
void session_free_all(struct sink *sink);
/* Is this an address without mailbox (--refuse)? */
bool session_refuses(const struct sink *sink, struct onward_str address);

/* ---- users.c ----------------------------------------------------------- */

/* "NAME:SECRET" texts to users. is_password: make what SCRAM needs. 0, or -1
 * with the text that is wrong in fault (NULL: no memory). */
int users_read(struct onward_ctx *ctx, const struct option_list *list,
               bool is_password, struct user **users, const char **fault);
/* The mechanisms that these users can use. */
size_t users_mechanisms(const struct sink *sink);
/* For struct onward_smtp_server_host.auth. */
int users_answer(const struct sink *sink, uint64_t token,
                 const struct onward_smtp_auth_request *request);

/* ---- record.c ---------------------------------------------------------- */

/* Open messages.jsonl, and find the first number that is free. 0 or -1 with
 * errno. */
int record_open(struct sink *sink);
/* Begin a message: its file, NULL with errno. */
FILE *record_begin(struct sink *sink, size_t serial);
/* It is whole: write file and envelope out. 0, or -1: nothing is promised. */
int record_end(struct sink *sink, const struct onward_smtp_server *server,
               size_t serial, FILE *file);
/* It will never be whole. */
void record_drop(struct sink *sink, size_t serial, FILE *file);

#endif
