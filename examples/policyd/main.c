/* onward-policyd: start, serve, reload, stop. */
#define _GNU_SOURCE
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "log_line.h"
#include "loop.h"
#include "policyd.h"
#include "state.h"

enum {
    FAULT_MAX = 1100,
    CONNECTIONS_MAX = 1000,
    IDLE_S = 30,
    MEMORY_BYTES = 8192, /* of a connection: a request has a line and a Host */
    DRAIN_MS = 5000
};

static const char usage[] =
    "usage: onward-policyd --config FILE [--check]\n"
    "\n"
    "  --config FILE  read settings from FILE (see onward-policyd(8))\n"
    "  --check        only look whether the configuration can be used\n"
    "  --version      print the version\n"
    "  --help         print this\n"
    "\n"
    "example: onward-policyd --config /etc/onward/policyd.conf --check\n";

/* One address: libmicrohttpd has a daemon for each. */
struct door {
    struct door *next;
    struct policyd *policyd;
    struct MHD_Daemon *http;
    struct loop_watch watch; /* of its epoll */
    char address[ENDPOINT_MAX];
    int listener; /* until http has it, and when it stopped; else -1 */
};

struct policyd {
    const char *config_path;
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_ruleset_router *router;
    struct lmdb_store *lmdb; /* behind store, if that is here */
    struct shelf store;
    bool has_store;
    struct loop_watch redis; /* the loop of store */
    struct loop *loop;
    struct service_signals signals;
    struct door *doors;
    struct setup *setup;
    /* Those that were replaced: a handshake may have its certificate still. */
    struct setup *old;
    FILE *log;
    bool is_draining;
};

/* GnuTLS hands over nothing of ours with its question for a certificate. */
static const struct setup *current;

/* ---- Log --------------------------------------------------------------- */

static void log_event(const struct policyd *p, const char *event,
                      const char *detail)
{
    log_line_event(p->log, event, detail);
}

/* ---- Requests ---------------------------------------------------------- */

static int choose_certificate(gnutls_session_t session,
                              const gnutls_datum_t *ca, int ca_count,
                              const gnutls_pk_algorithm_t *algorithms,
                              int algorithm_count, gnutls_pcert_st **chain,
                              unsigned *count, gnutls_privkey_t *key)
{
    char name[256] = "";
    size_t len = sizeof(name) - 1;
    unsigned type = GNUTLS_NAME_DNS;

    (void)ca, (void)ca_count, (void)algorithms, (void)algorithm_count;
    if (gnutls_server_name_get(session, name, &len, &type, 0) != 0 ||
        type != GNUTLS_NAME_DNS || strlen(name) > len)
        name[0] = '\0';
    return certs_find(current->certs, name, chain, count, key);
}

static void log_request(const struct policyd *p, struct MHD_Connection *c,
                        const char *host, const char *path, unsigned status)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[ONWARD_IP_TEXT_MAX] = "";
    struct onward_ip ip;
    size_t port;
    struct json j;

    if (info != NULL) {
        struct sockaddr_storage sa = {0};

        memcpy(&sa, info->client_addr,
               info->client_addr->sa_family == AF_INET6
                   ? sizeof(struct sockaddr_in6)
                   : sizeof(struct sockaddr_in));
        endpoint_from(&sa, &ip, &port);
        onward_ip_format(&ip, text, sizeof(text));
    }
    log_line_begin(&j, p->log, "request");
    json_text(&j, "client", text);
    json_text_or_null(&j, "host", host == NULL ? "" : host);
    json_text(&j, "path",
              strncmp(path, VERIFY_PATH, strlen(VERIFY_PATH)) == 0 ? VERIFY_PATH
                                                                   : path);
    json_number(&j, "status", status);
    log_line_end(&j);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *c,
                                  const char *path, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_len, void **state)
{
    static char seen;
    struct policyd *p = ((struct door *)user)->policyd;
    const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
    struct MHD_Response *response;
    struct verified verified = {0};
    char page[PAGE_MAX];
    struct answer a;
    enum MHD_Result ret;

    (void)version, (void)upload;
    /* First with the header, then with each piece of a body, which is nothing
     * to us. */
    if (*state == NULL && strcmp(method, "GET") != 0 &&
        strcmp(method, "HEAD") != 0) {
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_len != 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    a = answer_to(p->setup, p->router, p->has_store ? &p->store : NULL, page,
                  method, host, path, &verified);
    if (verified.address[0] != '\0')
        destination_audit(p->log, "policyd", onward_str_of(verified.address),
                          &verified.before, DESTINATION_VERIFIED);
    response = MHD_create_response_from_buffer(
        a.body.len, (void *)(uintptr_t)a.body.data, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type",
                            a.is_private ? "text/html; charset=utf-8"
                                         : "text/plain");
    if (a.is_private) {
        MHD_add_response_header(response, "Cache-Control", "no-store");
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
        MHD_add_response_header(response, "Content-Security-Policy",
                                "default-src 'none'; form-action 'self'; "
                                "frame-ancestors 'none'");
    }
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (a.allow != NULL)
        MHD_add_response_header(response, "Allow", a.allow);
    ret = MHD_queue_response(c, a.status, response);
    MHD_destroy_response(response);
    log_request(p, c, host, path, a.status);
    return ret;
}

/* Other spellings of the path are other paths. */
static size_t keep_path(void *user, struct MHD_Connection *c, char *path)
{
    (void)user, (void)c;
    return strlen(path);
}

/* Its faults are those of its clients. */
static void say_nothing(void *user, const char *format, va_list args)
{
    (void)user, (void)format, (void)args;
}

/* ---- Doors ------------------------------------------------------------- */

static void door_ready(struct loop_watch *watch, uint32_t events)
{
    struct door *d =
        (struct door *)(void *)((char *)watch - offsetof(struct door, watch));

    (void)events;
    MHD_run(d->http);
}

static int open_doors(struct policyd *p, char *fault, size_t fault_size)
{
    const struct config_list *list = &p->setup->settings.listen;

    for (size_t i = list->count; i > 0; i--) {
        struct door *d = calloc(1, sizeof(*d));

        if (d == NULL) {
            snprintf(fault, fault_size, "out of memory");
            return -1;
        }
        d->next = p->doors;
        d->policyd = p;
        d->watch.fd = -1;
        p->doors = d;
        d->listener =
            service_listen(list->items[i - 1], d->address, fault, fault_size);
        if (d->listener < 0)
            return -1;
    }
    return 0;
}

static int start_doors(struct policyd *p, char *fault, size_t fault_size)
{
    for (struct door *d = p->doors; d != NULL; d = d->next) {
        const union MHD_DaemonInfo *info;

        d->http = MHD_start_daemon(
            MHD_USE_EPOLL | MHD_USE_TLS | MHD_USE_ERROR_LOG, 0, NULL, NULL,
            on_request, d, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
            MHD_OPTION_LISTEN_SOCKET, d->listener,
            MHD_OPTION_HTTPS_CERT_CALLBACK, choose_certificate,
            MHD_OPTION_HTTPS_PRIORITIES,
            "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
            MHD_OPTION_UNESCAPE_CALLBACK, keep_path, NULL,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
            MHD_OPTION_PER_IP_CONNECTION_LIMIT,
            (unsigned)p->setup->settings.max_connections_client,
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
            MHD_OPTION_END);
        if (d->http == NULL) {
            snprintf(fault, fault_size, "%s: libmicrohttpd cannot be used",
                     d->address);
            return -1;
        }
        d->listener = -1;
        info = MHD_get_daemon_info(d->http, MHD_DAEMON_INFO_EPOLL_FD);
        d->watch.ready = door_ready;
        d->watch.fd = info == NULL ? -1 : info->epoll_fd;
        if (d->watch.fd < 0 || loop_add(p->loop, &d->watch, EPOLLIN) != 0) {
            snprintf(fault, fault_size, "%s: %s", d->address, strerror(errno));
            return -1;
        }
    }
    return 0;
}

static void announce(const struct policyd *p)
{
    fputs("ready", stdout);
    for (const struct door *d = p->doors; d != NULL; d = d->next)
        printf(" %s", d->address);
    putchar('\n');
    fflush(stdout);
}

static void close_doors(struct policyd *p)
{
    while (p->doors != NULL) {
        struct door *d = p->doors;

        p->doors = d->next;
        if (d->watch.fd >= 0)
            loop_remove(p->loop, &d->watch);
        if (d->http != NULL)
            MHD_stop_daemon(d->http);
        if (d->listener >= 0)
            close(d->listener);
        free(d);
    }
}

/* ---- Destinations ------------------------------------------------------ */

static void warn(void *user, const char *what)
{
    log_event(user, "store", what);
}

static void redis_ready(struct loop_watch *watch, uint32_t events)
{
    struct policyd *p =
        (struct policyd *)(void *)((char *)watch -
                                   offsetof(struct policyd, redis));

    (void)events;
    loop_turn(p->store.loop, 0);
}

static int open_redis(struct policyd *p, char *fault, size_t fault_size)
{
    if (shelf_open_redis(&p->store, p->desk, p->setup->settings.store, warn, p,
                         fault, fault_size) != 0)
        return -1;
    p->has_store = true;
    p->redis.fd = loop_fd(p->store.loop);
    p->redis.ready = redis_ready;
    if (loop_add(p->loop, &p->redis, EPOLLIN) == 0)
        return 0;
    snprintf(fault, fault_size, "epoll: %s", strerror(errno));
    return -1;
}

static int open_store(struct policyd *p, char *fault, size_t fault_size)
{
    const char *store = p->setup->settings.store;
    const char *state = p->setup->settings.state;
    char home[DESTINATION_HOME_MAX];
    /* What there is too much of goes by the forwarder's limit, not by ours. */
    struct lmdb_store_opts o = {
        .max_bytes = (size_t)1 << 37, .warn = warn, .user = p};
    char *folder;

    if (store != NULL && strcmp(store, "lmdb") != 0)
        return open_redis(p, fault, fault_size);
    if (state == NULL)
        return 0;
    folder = state_folder(state, "store", fault, fault_size);
    if (folder == NULL)
        return -1;
    o.folder = folder;
    p->lmdb = lmdb_store_new(p->desk, &o, fault, fault_size);
    free(folder);
    if (p->lmdb == NULL)
        return -1;
    if (destination_home(p->lmdb, home) != 0) {
        snprintf(fault, fault_size,
                 "%.400s: a copy of %.400s, expected that as the store", state,
                 home);
        return -1;
    }
    p->store.lmdb = p->lmdb;
    p->has_store = true;
    return 0;
}

/* ---- Signals ----------------------------------------------------------- */

static void reload(void *user)
{
    struct policyd *p = user;
    char fault[FAULT_MAX];
    int status;
    struct setup *fresh =
        setup_new(p->ctx, p->config_path, fault, sizeof(fault), &status);

    if (fresh == NULL || log_line_open(&p->log, fresh->settings.log, fault,
                                       sizeof(fault)) != 0) {
        setup_free(fresh);
        log_event(p, "reload-failed", fault);
        return;
    }
    p->setup->older = p->old;
    p->setup->replaced_ms = host_now_ms();
    p->old = p->setup;
    current = p->setup = fresh;
    log_event(p, "reloaded", p->config_path);
}

/* Those that no handshake can have any more; INT64_MAX: all. */
static void forget_old(struct policyd *p, int64_t now_ms)
{
    struct setup **at = &p->old;

    while (*at != NULL) {
        struct setup *setup = *at;

        if (now_ms - setup->replaced_ms <= (int64_t)IDLE_S * 1000) {
            at = &setup->older;
            continue;
        }
        *at = setup->older;
        setup_free(setup);
    }
}

static void drain(void *user)
{
    struct policyd *p = user;
    p->is_draining = true;
    service_tell_systemd("STOPPING=1");
    for (struct door *d = p->doors; d != NULL; d = d->next) {
        if (d->listener < 0)
            d->listener = MHD_quiesce_daemon(d->http);
        if (d->listener >= 0)
            close(d->listener);
        d->listener = -1;
    }
}

/* ---- Running ----------------------------------------------------------- */

static unsigned connections(const struct policyd *p)
{
    unsigned count = 0;

    for (const struct door *d = p->doors; d != NULL; d = d->next) {
        const union MHD_DaemonInfo *info =
            MHD_get_daemon_info(d->http, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

        count += info == NULL ? 0 : info->num_connections;
    }
    return count;
}

static int wait_ms(const struct policyd *p)
{
    int64_t ms = p->is_draining ? 100 : 60000;

    for (const struct door *d = p->doors; d != NULL; d = d->next) {
        MHD_UNSIGNED_LONG_LONG wanted;

        if (MHD_get_timeout(d->http, &wanted) == MHD_YES &&
            (int64_t)wanted < ms)
            ms = (int64_t)wanted;
    }
    return (int)ms;
}

static void run(struct policyd *p)
{
    int64_t give_up = INT64_MAX;

    while (!p->is_draining || (connections(p) > 0 && host_now_ms() < give_up)) {
        loop_turn(p->loop, wait_ms(p));
        for (struct door *d = p->doors; d != NULL; d = d->next)
            MHD_run(d->http);
        forget_old(p, host_now_ms());
        if (p->is_draining && give_up == INT64_MAX)
            give_up = host_now_ms() + DRAIN_MS;
    }
}

static int serve(struct policyd *p, char *fault, size_t fault_size)
{
    const struct settings *s = &p->setup->settings;

    current = p->setup;
    if (open_doors(p, fault, fault_size) != 0 ||
        (s->user != NULL &&
         service_drop_root(s->user, fault, fault_size) != 0) ||
        log_line_open(&p->log, p->setup->settings.log, fault, fault_size) !=
            0 ||
        open_store(p, fault, fault_size) != 0)
        return EXIT_UNUSABLE;
    p->signals =
        (struct service_signals){.user = p, .reload = reload, .end = drain};
    if (service_catch(&p->signals, p->loop, fault, fault_size) != 0)
        return EXIT_UNUSABLE;
    if (start_doors(p, fault, fault_size) != 0)
        return EXIT_UNUSABLE;
    announce(p);
    service_tell_systemd("READY=1");
    run(p);
    return 0;
}

static int start(struct policyd *p, bool is_check)
{
    char fault[FAULT_MAX] = "out of memory";
    int status = EXIT_UNUSABLE;

    p->loop = loop_new();
    p->ctx = host_ctx_new(NULL);
    if (p->loop != NULL && p->ctx != NULL &&
        onward_desk_new(p->ctx, NULL, &p->desk) == 0 &&
        onward_ruleset_router_new(p->ctx, &p->router) == 0)
        p->setup =
            setup_new(p->ctx, p->config_path, fault, sizeof(fault), &status);
    if (p->setup != NULL)
        status = is_check ? 0 : serve(p, fault, sizeof(fault));
    if (status != 0)
        host_complain("onward-policyd", "%s", fault);
    close_doors(p);
    forget_old(p, INT64_MAX);
    setup_free(p->setup);
    onward_ruleset_router_free(p->router);
    if (p->store.redis != NULL) {
        loop_remove(p->loop, &p->redis);
        shelf_close(&p->store);
    }
    lmdb_store_free(p->lmdb);
    if (p->desk != NULL)
        onward_desk_free(p->desk);
    onward_ctx_free(p->ctx);
    loop_free(p->loop);
    service_uncatch(&p->signals);
    log_line_close(&p->log);
    return status;
}

int main(int argc, char **argv)
{
    struct service_args args = {0};
    int status = service_read_args("onward-policyd", usage, argc, argv, &args);
    struct policyd policyd = {.config_path = args.config_path};

    return status >= 0 ? status : start(&policyd, args.is_check);
}
