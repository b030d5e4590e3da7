/*
 * Answers to Postfix's socketmap look-ups: the TLS policy of a domain by
 * MTA-STS, and senders rewritten by SRS, there and back. One process, one
 * thread. setup.c reads the configuration and what it names; netstring.c is the
 * form of what is said; answer.c decides what a request gets; client.c is one
 * connection; main.c ties them to the loop.
 */
#ifndef SOCKETMAP_H
#define SOCKETMAP_H

#include <stdbool.h>
#include <stdio.h>

#include <onward.h>

#include "config.h"
#include "fetches.h"
#include "json.h"
#include "listen.h"
#include "lmdb_store.h"
#include "loop.h"
#include "resolve.h"
#include "service.h"

enum {
    REQUEST_MAX = 1024, /* octets: a map's name and an address are less */
    /* Postfix takes replies of 100000 octets; a policy has at most 65536, and
     * what we make of it is shorter. */
    REPLY_MAX = 99000
};

struct settings {
    struct config_list listen, local_domains;
    char *dns, *resolver, *resolver_anchor;
    char *state, *trust, *user, *log;
    size_t policy_port, store_bytes, max_fetches;
    bool mta_sts, dane, exact, allow_private_addresses;
    char *srs_domain, *srs_secret;
    struct config_key keys[24];
};

/* What the settings name, loaded; replaced as a whole by SIGHUP. */
struct setup {
    struct onward_ctx *ctx; /* borrowed, as desk, loop and conns */
    struct onward_desk *desk;
    struct loop *loop;
    struct settings settings;
    struct resolve resolve;
    struct onward_tls_config *tls;
    struct onward_srs *srs; /* NULL: no SRS */
    struct fetcher fetcher;
    struct onward_mtasts *mtasts; /* NULL: no MTA-STS */
    int64_t refresh_ms;
    size_t clients; /* that use it; the last one frees a replaced one */
    bool is_replaced;
};

struct client;

/* The process. */
struct server {
    const char *config_path;
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct loop *loop;
    struct conn_list conns; /* to policy hosts */
    struct fetch *fetches;
    struct service_signals signals;
    struct listeners listeners;
    struct client *clients;
    size_t client_count;
    struct setup *setup;
    struct lmdb_store *store;
    FILE *log;
    bool is_draining;
};

/* ---- setup.c ----------------------------------------------------------- */

/* NULL: fault has one line, *status is EXIT_CONFIG or EXIT_UNUSABLE. */
struct setup *setup_new(struct server *server, char *fault, size_t fault_size,
                        int *status);
/* Once there is a store. 0 or -1. */
int setup_open(struct setup *setup, struct server *server);
/* Now and then: look for new policies. */
void setup_time(struct setup *setup, int64_t now_ms);
void setup_free(struct setup *setup);

/* ---- answer.c ---------------------------------------------------------- */

/* One request and what it waits for. Zero-filled is idle. */
struct question {
    struct server *server;
    struct setup *setup; /* held while it waits */
    struct onward_mtasts_lookup *policy;
    struct onward_dns_lookup *mx;
    struct onward_dane_lookup *dane;
    size_t mx_at;
    char map[24];
    char key[REQUEST_MAX];
    char *reply; /* REPLY_MAX octets, while there is one */
    size_t reply_len;
    /* The reply is there. Inside question_ask() or onward_desk_run(); may
     * clear the question. */
    void (*done)(struct question *q);
};

/* text: `MAP KEY`. */
void question_ask(struct question *q, struct onward_str text);
/* Idle again; what was asked is given up. */
void question_clear(struct question *q);

/* ---- client.c ---------------------------------------------------------- */

/* The socket belongs to the client from now on. */
void client_open(struct server *server, int fd);
void client_free(struct client *client);
/* Ends those that wait for nothing: all, or those that are idle for too long;
 * and tells when the next of these will be. */
void client_end_idle(struct server *server, int64_t now_ms, bool all);
int64_t client_deadline(const struct server *server);

/* ---- main.c ------------------------------------------------------------ */

void log_event(const struct server *server, const char *event,
               const char *detail);
void log_answer(const struct server *server, const char *map, const char *key,
                struct onward_str reply);

#endif
