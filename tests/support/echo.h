/*
 * The least engine on a channel: a server that echoes lines, and a client that
 * only records them. "PAUSE" stops a server until the test says resume,
 * "STARTTLS" (to a server) and "READY" (to a client) plug TLS in, "BYE" closes.
 */
#ifndef ONWARD_TESTS_ECHO_H
#define ONWARD_TESTS_ECHO_H

#include "channel/channel_shared.h"
#include "tls/tls_shared.h"

#include "support.h"

enum t_echo_role { T_ECHO_SERVER, T_ECHO_CLIENT };

struct t_echo {
    struct onward_channel channel;
    struct onward_ctx *ctx;
    enum t_echo_role role;
    struct onward_tls_config *config;       /* counted */
    const struct onward_tls_demand *demand; /* borrowed */
    struct onward_tls__filter *tls;
    /* Called for each line before anything else. May be NULL. */
    void (*hook)(struct t_echo *e, struct onward_str line);
    struct onward_buf line;
    /* What happened: one line for each event. */
    struct onward_buf seen;
    int secured; /* 0: not told, 1: up, negative: failed */
    int eof;
    size_t timeouts, drains;
    bool *gone;          /* set when the engine's memory goes */
    const char *free_at; /* on this line the "host" frees the engine */
    int fail_with;       /* feed returns this on the line FAIL */
    size_t burst;        /* octets that a drain may still ask for */
};

struct t_echo *t_echo_new(struct onward_ctx *ctx, enum t_echo_role role,
                          struct onward_tls_config *config,
                          const struct onward_tls_demand *demand);
void t_echo_free(struct t_echo *e);
int t_echo_send(struct t_echo *e, const char *text);
/* TLS from the first octet. */
int t_echo_plug(struct t_echo *e);

#endif
