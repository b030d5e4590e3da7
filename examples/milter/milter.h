/*
 * onward-milter: one process, one thread, one loop. codec.c reads and writes
 * the protocol, session.c follows what a mail server says on one connection,
 * examples/filter decides about messages; link.c moves the octets, setup.c has
 * the settings, main.c starts, reloads and ends it.
 */
#ifndef MILTER_H
#define MILTER_H

#include <stdio.h>

#include "filter.h"
#include "listen.h"
#include "loop.h"
#include "service.h"

enum { MILTER_KEYS = FILTER_KEYS + 9 };

struct settings {
    struct filter_settings filter;
    struct config_list listen; /* ADDRESS:PORT or unix:PATH */
    char *socket_group, *user, *log;
    size_t max_connections, timeout_s, drain_s;
    struct config_key keys[MILTER_KEYS];
};

/* What the settings name, loaded; replaced as a whole by SIGHUP. Counted: a
 * connection keeps the one that it began with. */
struct setup {
    size_t owners;
    struct settings settings;
    struct filter_setup *filter;
};

struct link;
struct listener;

struct milter {
    const char *config_path;
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct loop *loop;
    struct service_signals signals;
    struct setup *setup;
    struct listeners listeners;
    struct link *links;
    struct link *ready; /* those whose messages were decided in this turn */
    size_t link_count;
    int64_t look_ms;         /* when to look who has been silent too long */
    FILE *log;               /* NULL: not yet */
    bool is_draining;
};

/* ---- setup.c ----------------------------------------------------------- */

/* NULL: fault has one line, *status is EXIT_CONFIG or EXIT_UNUSABLE. */
struct setup *setup_new(struct milter *m, char *fault, size_t fault_size,
                        int *status);
struct setup *setup_ref(struct setup *setup);
void setup_free(struct setup *setup);

/* ---- link.c ------------------------------------------------------------ */

/* A connection that was taken; it owns fd. */
void link_open(struct milter *m, int fd);
/* Those that have something to say since the desk has run. */
void link_service_ready(struct milter *m);
/* Close those that have been silent too long. */
void link_time(struct milter *m, int64_t now_ms);
/* Close those without a message, and the others when theirs is decided. */
void link_drain(struct milter *m);
void link_close_all(struct milter *m);

/* ---- log.c ------------------------------------------------------------- */

int log_open(struct milter *m, char *fault, size_t fault_size);
void log_event(struct milter *m, const char *event, const char *detail);
void log_message(struct milter *m, const struct filter *f, const char *id);

#endif
