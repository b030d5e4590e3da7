/*
 * What a program that runs all the time does beside its work: listen, say that
 * it does, become a user, be told to end.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "endpoint.h"
#include "loop.h"

/* The exit status of a configuration that is wrong, and of a machine that does
 * not give what it asks for. */
enum { EXIT_CONFIG = 2, EXIT_UNUSABLE = 3 };

/* What such a program is told: --config FILE [--check]. */
struct service_args {
    const char *config_path;
    bool is_check;
};

/* Read the command line. -1: go on; else the exit status, and all is said. */
int service_read_args(const char *program, const char *usage, int argc,
                      char **argv, struct service_args *args);

/* For a key of the configuration: config_key.judge. */
const char *service_judge_listen(const char *value);
/* The same, or unix:PATH. */
const char *service_judge_listen_local(const char *value);
const char *service_judge_user(const char *value);

/* A socket that listens there; address gets it with the real port. One of
 * unix:PATH is for its user and group, and takes the place of one that nobody
 * listens on any more. -1: fault has one line. */
int service_listen(const char *text, char address[ENDPOINT_MAX], char *fault,
                   size_t fault_size);
/* Signals as calls between the turns of a loop; lives until service_uncatch().
 */
struct service_signals {
    struct loop_watch watch; /* ours */
    bool is_ended;           /* ours */
    void *user;
    void (*reload)(void *user); /* SIGHUP */
    void (*end)(void *user);    /* SIGTERM or SIGINT, the first of them */
};

/* 0, or -1 with one line. Nobody dies of SIGPIPE from here on. */
int service_catch(struct service_signals *s, struct loop *loop, char *fault,
                  size_t fault_size);
/* Also one that was not caught. */
void service_uncatch(struct service_signals *s);
/* sd_notify(3). */
void service_tell_systemd(const char *state);
/* Become that user, if we are root. 0, or -1 with one line. */
int service_drop_root(const char *user, char *fault, size_t fault_size);

#endif
