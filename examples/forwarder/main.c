/* onward-forwarder: start, run, reload, stop. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "endpoint.h"
#include "forwarder.h"
#include "handlers.h"
#include "host.h"
#include "log_line.h"
#include "quarantine.h"
#include "sending.h"
#include "webhook.h"

enum { FAULT_MAX = 1100, SETTLE_MS = 3000 };

static const char usage[] =
    "usage: onward-forwarder --config FILE [--check]\n"
    "\n"
    "  --config FILE  read settings from FILE (see onward-forwarder(8))\n"
    "  --check        only look whether the configuration can be used\n"
    "  --version      print the version\n"
    "  --help         print this\n"
    "\n"
    "example: onward-forwarder --config /etc/onward/forwarder.conf --check\n";

static void library_log(void *user, const struct onward_log_event *e)
{
    struct forwarder *fwd = user;
    char text[700];

    if (e->level > ONWARD_LOG_WARN || fwd->log == NULL)
        return;
    snprintf(text, sizeof(text), "%s %s %.*s", e->module, e->code,
             (int)e->detail.len, e->detail.data);
    log_event(fwd, "library", text);
}

/* ---- Signals ----------------------------------------------------------- */

/* What goes with a setup once there is a store. */
static int open_policies(struct forwarder *fwd, char *fault, size_t fault_size)
{
    if (policies_open(fwd, fwd->setup) == 0)
        return 0;
    snprintf(fault, fault_size, "out of memory");
    return -1;
}

static void reload(struct forwarder *fwd)
{
    char fault[FAULT_MAX];
    int status;
    struct setup *old = fwd->setup;
    struct file_identity rules = watch_identify(old->settings.rules);
    struct setup *fresh =
        setup_new(fwd, fwd->config_path, fault, sizeof(fault), &status);

    if (fresh != NULL) {
        fwd->setup = fresh;
        if (open_policies(fwd, fault, sizeof(fault)) != 0 ||
            log_open(fwd, fault, sizeof(fault)) != 0) {
            fwd->setup = old;
            setup_free(fresh);
            fresh = NULL;
        }
    }
    if (fresh == NULL) {
        watch_pass_over(fwd, &rules);
        log_event(fwd, "reload-failed", fault);
        return;
    }
    log_event(fwd, "reloaded", fwd->config_path);
    audit_rules(fwd, old->ruleset, fresh->ruleset);
    /* Sessions under way hold the old one. */
    setup_free(old);
    watch_follow(fwd);
}

/* systemd's Type=notify-reload wants both words. */
static void reload_and_tell(void *user)
{
    struct forwarder *fwd = user;
    char state[64];

    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)host_now_ms() * 1000);
    service_tell_systemd(state);
    reload(fwd);
    service_tell_systemd("READY=1");
}

static void drain(void *user)
{
    struct forwarder *fwd = user;
    fwd->is_draining = true;
    service_tell_systemd("STOPPING=1");
    listen_close(&fwd->listeners);
    queue_stop(fwd);
    for (struct session *s = fwd->sessions; s != NULL; s = session_next(s))
        session_shutdown(s);
}

/* ---- Running ----------------------------------------------------------- */

static int wait_ms(const struct forwarder *fwd, int64_t now, int64_t give_up)
{
    const int64_t deadlines[] = {
        give_up,
        fwd->listeners.again_ms,
        delivery_deadline(fwd),
        queue_deadline(fwd),
        quarantine_deadline(fwd),
        webhook_deadline(fwd),
        handlers_deadline(fwd),
        watch_deadline(fwd),
        follow_deadline(fwd),
        policies_deadline(fwd),
        tlsreport_deadline(fwd),
    };
    int64_t at = onward_desk_deadline(fwd->desk);

    if (conn_list_is_busy(&fwd->conns))
        return 0;
    for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
        if (deadlines[i] < at)
            at = deadlines[i];
    }
    if (at == ONWARD_NEVER)
        return -1;
    if (at <= now)
        return 0;
    return at - now > 60000 ? 60000 : (int)(at - now);
}

static void turn(struct forwarder *fwd, int timeout_ms)
{
    int64_t now;

    loop_turn(fwd->loop, timeout_ms);
    now = host_now_ms();
    delivery_time(fwd, now);
    policies_time(fwd, now);
    quarantine_time(fwd, now);
    queue_time(fwd, now);
    listen_time(&fwd->listeners, now);
    watch_time(fwd, now);
    follow_time(fwd, now);
    tlsreport_time(fwd);
    webhook_time(fwd, now);
    handlers_time(fwd, now);
    /* What the desk decides may be written at once, and what is written may
     * wake the desk: until both are quiet. */
    do {
        onward_desk_run(fwd->desk, now);
        conn_list_refresh(&fwd->conns);
    } while (onward_desk_deadline(fwd->desk) <= now);
}

static void run(struct forwarder *fwd)
{
    int64_t give_up = ONWARD_NEVER;

    while (!fwd->is_draining || fwd->sessions != NULL || queue_is_busy(fwd)) {
        int64_t now = host_now_ms();

        if (fwd->is_draining && give_up == ONWARD_NEVER)
            give_up = now + (int64_t)fwd->setup->settings.drain_s * 1000;
        if (now >= give_up)
            break;
        turn(fwd, wait_ms(fwd, now, give_up));
    }
    if (fwd->sessions == NULL && !queue_is_busy(fwd))
        return;
    fwd->is_cut = true;
    for (struct session *s = fwd->sessions; s != NULL; s = session_next(s))
        session_cut(s);
    turn(fwd, 0);
}

/* ---- Start and end ----------------------------------------------------- */

/* A session takes a descriptor, and each of its deliveries one. */
static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The parts that live as long as the process. */
static int set_up(struct forwarder *fwd)
{
    const struct onward_log log = {
        .size = sizeof(log), .user = fwd, .event = library_log};
    int err;

    /* Not the same ids after a restart, nor after a reboot. */
    fwd->next_id = (uint64_t)time(NULL) << 20;
    fwd->loop = loop_new();
    fwd->ctx = host_ctx_new(&log);
    if (fwd->loop == NULL || fwd->ctx == NULL)
        return -1;
    err = onward_desk_new(fwd->ctx, NULL, &fwd->desk);
    if (err == 0 && conn_list_open(&fwd->conns, fwd->desk) != 0)
        err = ONWARD_ENOMEM;
    return err;
}

static void tear_down(struct forwarder *fwd)
{
    listen_close(&fwd->listeners);
    while (fwd->sessions != NULL)
        session_free(fwd->sessions);
    if (fwd->desk != NULL)
        tlsreport_close(fwd);
    queue_close(fwd);
    delivery_free_all(fwd);
    watch_close(fwd);
    webhook_close(fwd);
    handlers_close(fwd);
    sending_counts_free(fwd->sending_counts);
    setup_free(fwd->setup);
    storage_close(fwd);
    conn_list_close(&fwd->conns);
    if (fwd->desk != NULL)
        onward_desk_free(fwd->desk);
    onward_ctx_free(fwd->ctx);
    loop_free(fwd->loop);
    log_line_close(&fwd->log);
}

static int open_reports(struct forwarder *fwd, char *fault, size_t fault_size)
{
    if (tlsreport_open(fwd) == 0)
        return 0;
    snprintf(fault, fault_size, "tls_reports: out of memory");
    return -1;
}

/* What others know, or have changed while we were away, is here in a moment:
 * better before the first mail. */
static void settle(struct forwarder *fwd)
{
    int64_t give_up = host_now_ms() + SETTLE_MS;

    while (!follow_is_settled(fwd) && host_now_ms() < give_up)
        turn(fwd, 100);
}

static void accepted(void *user, int fd, const struct sockaddr_storage *from)
{
    struct onward_ip ip;
    size_t port;

    endpoint_from(from, &ip, &port);
    session_open(user, fd, &ip, port);
}

static void cannot_accept(void *user, const char *why)
{
    log_event(user, "cannot-accept", why);
}

static int serve(struct forwarder *fwd, char *fault, size_t fault_size)
{
    const struct settings *s = &fwd->setup->settings;
    struct service_signals signals = {
        .user = fwd, .reload = reload_and_tell, .end = drain};

    allow_descriptors();
    /* Store and log are opened as who will write to them; the log again at
     * SIGHUP. */
    fwd->listeners = (struct listeners){.loop = fwd->loop,
                                        .user = fwd,
                                        .accepted = accepted,
                                        .resting = cannot_accept};
    if (listen_open(&fwd->listeners, &s->listen, fault, fault_size) != 0 ||
        storage_prepare(fwd, fault, fault_size) != 0 ||
        (s->user != NULL &&
         service_drop_root(s->user, fault, fault_size) != 0) ||
        log_open(fwd, fault, fault_size) != 0 ||
        storage_open(fwd, fault, fault_size) != 0 ||
        open_policies(fwd, fault, fault_size) != 0 ||
        queue_open(fwd, fault, fault_size) != 0 ||
        open_reports(fwd, fault, fault_size) != 0 || watch_open(fwd) != 0)
        return EXIT_UNUSABLE;
    if (service_catch(&signals, fwd->loop, fault, fault_size) != 0)
        return EXIT_UNUSABLE;
    settle(fwd);
    listen_announce(&fwd->listeners);
    service_tell_systemd("READY=1");
    run(fwd);
    service_uncatch(&signals);
    return 0;
}

static int check(struct forwarder *fwd, char *fault, size_t fault_size)
{
    return storage_check(fwd, fault, fault_size) == 0 ? 0 : EXIT_UNUSABLE;
}

static int start(struct forwarder *fwd, bool is_check)
{
    char fault[FAULT_MAX] = "out of memory";
    int status = EXIT_UNUSABLE;

    if (set_up(fwd) == 0)
        fwd->setup =
            setup_new(fwd, fwd->config_path, fault, sizeof(fault), &status);
    if (fwd->setup != NULL)
        status = is_check ? check(fwd, fault, sizeof(fault))
                          : serve(fwd, fault, sizeof(fault));
    if (status != 0)
        host_complain("onward-forwarder", "%s", fault);
    tear_down(fwd);
    return status;
}

int main(int argc, char **argv)
{
    struct service_args args = {0};
    int status =
        service_read_args("onward-forwarder", usage, argc, argv, &args);
    struct forwarder fwd = {.config_path = args.config_path};

    return status >= 0 ? status : start(&fwd, args.is_check);
}
