/*
 * onward-opensmtpd-filter: one process, one thread, all sessions of an smtpd.
 * line.c takes lines of the protocol apart, session.c follows what clients do,
 * keep.c has their messages until examples/filter has decided, setup.c has the
 * settings, main.c starts, reloads and ends it.
 */
#ifndef SMTPD_FILTER_H
#define SMTPD_FILTER_H

#include <stdbool.h>
#include <stdio.h>

#include "filter.h"
#include "line.h"
#include "loop.h"
#include "service.h"

enum {
    KEYS = FILTER_KEYS + 3,
    LINE_MAX_LEN = 1 << 20, /* smtpd's own limit is far below */
    SESSION_BUCKETS = 1024
};

struct settings {
    struct filter_settings filter;
    char *temporary, *log;
    struct config_key keys[KEYS];
};

/* What the settings name, loaded; replaced as a whole by SIGHUP. Counted: a
 * message keeps the one that it began with. */
struct setup {
    size_t owners;
    struct settings settings;
    struct filter_setup *filter;
};

struct session;

/* Of smtpd, until it is a line. */
struct input {
    char *data;
    size_t len, room;
};

struct program {
    const char *config_path;
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct loop *loop;
    struct service_signals signals;
    struct loop_watch input;
    struct input line;
    struct setup *setup;
    struct session *sessions[SESSION_BUCKETS]; /* by their numbers */
    FILE *out;                                 /* to smtpd */
    FILE *log;                                 /* NULL: not yet */
    bool is_ready;  /* smtpd has said all of its configuration */
    bool is_over;   /* smtpd has gone, or we are to */
    bool is_broken; /* what it says is not the protocol */
};

/* ---- setup.c ----------------------------------------------------------- */

/* NULL: fault has one line, *status is EXIT_CONFIG or EXIT_UNUSABLE. */
struct setup *setup_new(struct program *p, char *fault, size_t fault_size,
                        int *status);
struct setup *setup_ref(struct setup *setup);
void setup_free(struct setup *setup);

/* ---- session.c --------------------------------------------------------- */

/* One line of smtpd, not of its configuration. */
void session_line(struct program *p, const struct line *line);
void session_free_all(struct program *p);

/* ---- main.c ------------------------------------------------------------ */

void log_event(const struct program *p, const char *event, const char *detail);
void log_message(const struct program *p, const struct filter *f, uint64_t id);

#endif
