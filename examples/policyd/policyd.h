/*
 * Policies of MTA-STS over HTTPS, for all domains that have rules, and the
 * pages by which destinations are verified: one process, one thread. setup.c
 * reads the configuration and what it names; certs.c chooses a certificate by
 * the name that a client wants; answer.c decides what a request gets; main.c
 * ties them to libmicrohttpd and the loop.
 */
#ifndef POLICYD_H
#define POLICYD_H

#include <stdbool.h>
#include <stdio.h>

#include <onward.h>

#include "certs.h"
#include "config.h"
#include "destinations.h"
#include "service.h"

struct settings {
    struct config_list listen, mx;
    char *rules, *tls_certificate, *tls_key, *certificates, *user, *log;
    /* Of the forwarder; the start of the process decides. */
    char *state, *store;
    size_t mode, max_age_s, max_connections_client;
    struct config_key keys[14];
};

/* What the settings name, loaded: replaced as a whole by SIGHUP. */
struct setup {
    struct onward_ctx *ctx; /* borrowed */
    struct settings settings;
    struct onward_ruleset *ruleset;
    struct certs *certs;
    char policy[ONWARD_MTASTS_POLICY_MAX];
    size_t policy_len;
    struct setup *older; /* one that was replaced before, and when */
    int64_t replaced_ms;
};

/* ---- setup.c ----------------------------------------------------------- */

/* NULL: fault has one line, *status is EXIT_CONFIG or EXIT_UNUSABLE. */
struct setup *setup_new(struct onward_ctx *ctx, const char *path, char *fault,
                        size_t fault_size, int *status);
void setup_free(struct setup *setup);

/* ---- answer.c ---------------------------------------------------------- */

/* What a request gets. */
struct answer {
    unsigned status;
    struct onward_str body;
    const char *allow; /* the field, with 405; else NULL */
    bool is_private;   /* HTML, for one reader alone */
};

/* What a request did to a destination, to be told. */
struct verified {
    char address[DESTINATION_TEXT_MAX]; /* empty: nothing */
    struct destination before;
};

/* Room for a page that is made for one request. */
enum { PAGE_MAX = 3000 };

/* The path of links that verify; what follows is a secret. */
#define VERIFY_PATH "/verify/"

/*
 * store: of destinations, NULL: there is none. page: gets what has to be made;
 * verified: what was done.
 * Host is as the field has it, NULL: there was none; path is decoded. What can
 * be asked for stands in a table in there.
 */
struct answer answer_to(const struct setup *setup,
                        struct onward_ruleset_router *router,
                        const struct shelf *store, char page[PAGE_MAX],
                        const char *method, const char *host, const char *path,
                        struct verified *verified);

#endif
