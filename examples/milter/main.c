/* onward-milter: start, serve, reload, stop. */
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include "host.h"
#include "log_line.h"
#include "milter.h"

enum { FAULT_MAX = 1100 };

static const char usage[] =
    "usage: onward-milter --config FILE [--check]\n"
    "\n"
    "  --config FILE  read settings from FILE (see onward-milter(8))\n"
    "  --check        only look whether the configuration can be used\n"
    "  --version      print the version\n"
    "  --help         print this\n"
    "\n"
    "example: onward-milter --config /etc/onward/milter.conf --check\n";

static void library_log(void *user, const struct onward_log_event *e)
{
    struct milter *m = user;
    char text[700];

    if (e->level > ONWARD_LOG_WARN || m->log == NULL)
        return;
    snprintf(text, sizeof(text), "%s %s %.*s", e->module, e->code,
             (int)e->detail.len, e->detail.data);
    log_event(m, "library", text);
}

/* ---- Signals ----------------------------------------------------------- */

static void reload(void *user)
{
    struct milter *m = user;
    char fault[FAULT_MAX];
    int status;
    struct setup *old = m->setup;
    struct setup *fresh = setup_new(m, fault, sizeof(fault), &status);

    if (fresh != NULL) {
        m->setup = fresh;
        if (log_open(m, fault, sizeof(fault)) != 0) {
            m->setup = old;
            setup_free(fresh);
            fresh = NULL;
        }
    }
    if (fresh == NULL) {
        log_event(m, "reload-failed", fault);
        return;
    }
    log_event(m, "reloaded", m->config_path);
    /* Connections under way hold the old one. */
    setup_free(old);
}

static void drain(void *user)
{
    struct milter *m = user;
    m->is_draining = true;
    service_tell_systemd("STOPPING=1");
    listen_close(&m->listeners);
    link_drain(m);
}

/* ---- Running ----------------------------------------------------------- */

static int wait_ms(const struct milter *m, int64_t now, int64_t give_up)
{
    int64_t at = onward_desk_deadline(m->desk);

    if (m->look_ms < at)
        at = m->look_ms;
    if (m->listeners.again_ms < at)
        at = m->listeners.again_ms;
    if (give_up < at)
        at = give_up;
    return at <= now ? 0 : (int)(at - now);
}

static void turn(struct milter *m, int timeout_ms)
{
    int64_t now;

    loop_turn(m->loop, timeout_ms);
    now = host_now_ms();
    listen_time(&m->listeners, now);
    link_time(m, now);
    do {
        onward_desk_run(m->desk, now);
        link_service_ready(m);
    } while (onward_desk_deadline(m->desk) <= now);
}

static void run(struct milter *m)
{
    int64_t give_up = ONWARD_NEVER;

    while (!m->is_draining || m->links != NULL) {
        int64_t now = host_now_ms();

        if (m->is_draining && give_up == ONWARD_NEVER)
            give_up = now + (int64_t)m->setup->settings.drain_s * 1000;
        if (now >= give_up)
            return;
        turn(m, wait_ms(m, now, give_up));
    }
}

/* ---- Start and end ----------------------------------------------------- */

static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void accepted(void *user, int fd, const struct sockaddr_storage *from)
{
    (void)from;
    link_open(user, fd);
}

static void cannot_accept(void *user, const char *why)
{
    log_event(user, "cannot-accept", why);
}

static int serve(struct milter *m, char *fault, size_t fault_size)
{
    const struct settings *s = &m->setup->settings;

    allow_descriptors();
    m->listeners = (struct listeners){.loop = m->loop,
                                      .user = m,
                                      .accepted = accepted,
                                      .resting = cannot_accept,
                                      .group = s->socket_group};
    if (listen_open(&m->listeners, &s->listen, fault, fault_size) != 0 ||
        (s->user != NULL &&
         service_drop_root(s->user, fault, fault_size) != 0) ||
        log_open(m, fault, fault_size) != 0)
        return EXIT_UNUSABLE;
    m->signals =
        (struct service_signals){.user = m, .reload = reload, .end = drain};
    if (service_catch(&m->signals, m->loop, fault, fault_size) != 0)
        return EXIT_UNUSABLE;
    listen_announce(&m->listeners);
    service_tell_systemd("READY=1");
    run(m);
    return 0;
}

static int start(struct milter *m, bool is_check)
{
    const struct onward_log log = {
        .size = sizeof(log), .user = m, .event = library_log};
    char fault[FAULT_MAX] = "out of memory";
    int status = EXIT_UNUSABLE;

    m->loop = loop_new();
    m->ctx = host_ctx_new(&log);
    if (m->loop != NULL && m->ctx != NULL &&
        onward_desk_new(m->ctx, NULL, &m->desk) == 0)
        m->setup = setup_new(m, fault, sizeof(fault), &status);
    if (m->setup != NULL)
        status = is_check ? 0 : serve(m, fault, sizeof(fault));
    if (status != 0)
        host_complain("onward-milter", "%s", fault);
    listen_close(&m->listeners);
    link_close_all(m);
    setup_free(m->setup);
    if (m->desk != NULL)
        onward_desk_free(m->desk);
    onward_ctx_free(m->ctx);
    loop_free(m->loop);
    service_uncatch(&m->signals);
    log_line_close(&m->log);
    return status;
}

int main(int argc, char **argv)
{
    struct milter milter = {0};
    struct service_args args = {0};
    int status = service_read_args("onward-milter", usage, argc, argv, &args);

    if (status >= 0)
        return status;
    milter.config_path = args.config_path;
    return start(&milter, args.is_check);
}
