/* onward-socketmap: start, serve, reload, stop. */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"
#include "log_line.h"
#include "socketmap.h"
#include "state.h"

enum { FAULT_MAX = 1100, DRAIN_MS = 5000, KEY_SHOWN = 400 };

static const char usage[] =
    "usage: onward-socketmap --config FILE [--check]\n"
    "\n"
    "  --config FILE  read settings from FILE (see onward-socketmap(8))\n"
    "  --check        only look whether the configuration can be used\n"
    "  --version      print the version\n"
    "  --help         print this\n"
    "\n"
    "example: onward-socketmap --config /etc/onward/socketmap.conf --check\n";

/* ---- Log --------------------------------------------------------------- */

/* Before the log is open: to standard error. */
static FILE *log_of(const struct server *server)
{
    return server->log == NULL ? stderr : server->log;
}

void log_event(const struct server *server, const char *event,
               const char *detail)
{
    log_line_event(log_of(server), event, detail);
}

void log_answer(const struct server *server, const char *map, const char *key,
                struct onward_str reply)
{
    struct json j;

    if (reply.len > KEY_SHOWN)
        reply.len = KEY_SHOWN;
    log_line_begin(&j, log_of(server), "answer");
    json_text_or_null(&j, "map", map);
    json_text_or_null(&j, "key", key);
    json_str(&j, "reply", reply);
    log_line_end(&j);
}

/* ---- The store --------------------------------------------------------- */

static void warn(void *user, const char *what)
{
    log_event(user, "store", what);
}

/* The folder of state; free() it. */
static char *find_state(const struct server *server)
{
    return state_path(server->setup->settings.state,
                      "/var/lib/onward-socketmap");
}

static int make_state(const struct server *server, char *fault,
                      size_t fault_size)
{
    char *state = find_state(server);
    int ret = -1;

    if (state != NULL)
        ret =
            state_make(state, server->setup->settings.user, fault, fault_size);
    free(state);
    return ret;
}

static int open_store(struct server *server, char *fault, size_t fault_size)
{
    char *state = find_state(server);
    struct lmdb_store_opts o = {.max_bytes =
                                    server->setup->settings.store_bytes,
                                .loop = server->loop,
                                .warn = warn,
                                .user = server};
    char *folder = NULL;

    if (state != NULL)
        folder = state_folder(state, "store", fault, fault_size);
    if (folder != NULL) {
        o.folder = folder;
        server->store = lmdb_store_new(server->desk, &o, fault, fault_size);
    }
    free(folder);
    free(state);
    return server->store == NULL ? -1 : 0;
}

/* ---- Signals ----------------------------------------------------------- */

static void let_go(struct setup *setup)
{
    setup->is_replaced = true;
    if (setup->clients == 0)
        setup_free(setup);
}

static void reload(void *user)
{
    struct server *server = user;
    char fault[FAULT_MAX] = "out of memory";
    int status;
    struct setup *fresh = setup_new(server, fault, sizeof(fault), &status);

    if (fresh == NULL || setup_open(fresh, server) != 0 ||
        log_line_open(&server->log, fresh->settings.log, fault,
                      sizeof(fault)) != 0) {
        setup_free(fresh);
        log_event(server, "reload-failed", fault);
        return;
    }
    let_go(server->setup);
    server->setup = fresh;
    log_event(server, "reloaded", server->config_path);
}

static void drain(void *user)
{
    struct server *server = user;

    server->is_draining = true;
    service_tell_systemd("STOPPING=1");
    listen_close(&server->listeners);
    client_end_idle(server, host_now_ms(), true);
}

/* ---- Running ----------------------------------------------------------- */

static int wait_ms(const struct server *server, int64_t now, int64_t give_up)
{
    const int64_t deadlines[] = {
        give_up, server->listeners.again_ms, onward_desk_deadline(server->desk),
        client_deadline(server), fetches_deadline(server->fetches)};
    int64_t at = now + 60000;

    if (conn_list_is_busy(&server->conns))
        return 0;
    for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
        if (deadlines[i] < at)
            at = deadlines[i];
    }
    return at <= now ? 0 : (int)(at - now);
}

static void turn(struct server *server, int timeout_ms)
{
    int64_t now;

    loop_turn(server->loop, timeout_ms);
    now = host_now_ms();
    listen_time(&server->listeners, now);
    fetches_time(server->fetches, now);
    client_end_idle(server, now, false);
    setup_time(server->setup, now);
    /* What the desk decides may be written at once, and what is written may
     * wake the desk: until both are quiet. */
    do {
        onward_desk_run(server->desk, now);
        conn_list_refresh(&server->conns);
    } while (onward_desk_deadline(server->desk) <= now);
}

static void run(struct server *server)
{
    int64_t give_up = ONWARD_NEVER;

    while (!server->is_draining || server->clients != NULL) {
        int64_t now = host_now_ms();

        if (server->is_draining && give_up == ONWARD_NEVER)
            give_up = now + DRAIN_MS;
        if (now >= give_up)
            break;
        turn(server, wait_ms(server, now, give_up));
    }
}

static void accepted(void *user, int fd, const struct sockaddr_storage *from)
{
    (void)from;
    client_open(user, fd);
}

static void cannot_accept(void *user, const char *why)
{
    log_event(user, "cannot-accept", why);
}

static int serve(struct server *server, char *fault, size_t fault_size)
{
    const struct settings *s = &server->setup->settings;

    server->listeners = (struct listeners){.loop = server->loop,
                                           .user = server,
                                           .accepted = accepted,
                                           .resting = cannot_accept};
    if (listen_open(&server->listeners, &s->listen, fault, fault_size) != 0 ||
        make_state(server, fault, fault_size) != 0 ||
        (s->user != NULL &&
         service_drop_root(s->user, fault, fault_size) != 0) ||
        log_line_open(&server->log, server->setup->settings.log, fault,
                      fault_size) != 0 ||
        open_store(server, fault, fault_size) != 0)
        return EXIT_UNUSABLE;
    if (setup_open(server->setup, server) != 0) {
        snprintf(fault, fault_size, "out of memory");
        return EXIT_UNUSABLE;
    }
    server->signals = (struct service_signals){
        .user = server, .reload = reload, .end = drain};
    if (service_catch(&server->signals, server->loop, fault, fault_size) != 0)
        return EXIT_UNUSABLE;
    listen_announce(&server->listeners);
    service_tell_systemd("READY=1");
    run(server);
    return 0;
}

static int check(const struct server *server, char *fault, size_t fault_size)
{
    char *state = find_state(server);
    int ret = -1;

    if (state != NULL)
        ret =
            state_check(state, server->setup->settings.user, fault, fault_size);
    free(state);
    return ret == 0 ? 0 : EXIT_UNUSABLE;
}

static void tear_down(struct server *server)
{
    listen_close(&server->listeners);
    while (server->clients != NULL)
        client_free(server->clients);
    setup_free(server->setup);
    lmdb_store_free(server->store);
    conn_list_close(&server->conns);
    if (server->desk != NULL)
        onward_desk_free(server->desk);
    onward_ctx_free(server->ctx);
    loop_free(server->loop);
    service_uncatch(&server->signals);
    log_line_close(&server->log);
}

static int start(struct server *server, bool is_check)
{
    char fault[FAULT_MAX] = "out of memory";
    int status = EXIT_UNUSABLE;

    server->loop = loop_new();
    server->ctx = host_ctx_new(NULL);
    if (server->loop != NULL && server->ctx != NULL &&
        onward_desk_new(server->ctx, NULL, &server->desk) == 0 &&
        conn_list_open(&server->conns, server->desk) == 0)
        server->setup = setup_new(server, fault, sizeof(fault), &status);
    if (server->setup != NULL)
        status = is_check ? check(server, fault, sizeof(fault))
                          : serve(server, fault, sizeof(fault));
    if (status != 0)
        host_complain("onward-socketmap", "%s", fault);
    tear_down(server);
    return status;
}

int main(int argc, char **argv)
{
    struct service_args args = {0};
    int status =
        service_read_args("onward-socketmap", usage, argc, argv, &args);
    struct server server = {.config_path = args.config_path};

    return status >= 0 ? status : start(&server, args.is_check);
}
