/*
 * Policies over HTTPS for a program that asks for one domain: the fetches of
 * the library, a socket, and a file in place of both.
 */
#ifndef HTTPS_H
#define HTTPS_H

#include <onward/mtasts.h>

#include "cli.h"
#include "world.h"

#define HTTPS_TRUST "/etc/ssl/certs/ca-certificates.crt"

struct https_choice {
    const char *policy;  /* file; NULL: connect */
    const char *connect; /* "ADDRESS:PORT"; NULL: where the host is */
    const char *trust;   /* file */
};

struct https {
    struct onward_desk *desk; /* of the world */
    struct onward_memstore *mem;
    struct onward_store *store;
    struct onward_tls_config *tls;
    struct onward_mtasts *mtasts;
    char *policy;
    size_t policy_len;
    struct onward_ip elsewhere;
    uint64_t token; /* 0: nobody waits for a connection */
    struct onward_ip ips[16];
    size_t ip_count, ip_at, port;
    int fd; /* -1: none */
    bool is_connecting;
    struct onward_mtasts_fetch *fetch;
};

/* -1: go on; else the exit status. Call https_clear() in any case. */
int https_new(struct https *https, const struct command *command,
              const struct https_choice *choice, struct world *world);
/* Run the desk and the connection until *is_done. */
void https_run(struct https *https, struct world *world, const bool *is_done);
/* Before the world. */
void https_clear(struct https *https);

#endif
