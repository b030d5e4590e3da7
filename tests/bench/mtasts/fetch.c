/*
 * bench_mtasts_fetch PORT FETCHES CA: fetch that many policies at once, in this
 * one thread, from a server on loopback that answers nobody before all have
 * asked. Prints how many were under way at once, nanoseconds of CPU time and
 * octets of heap for each.
 *
 * bench_mtasts_fetch floor PORT FETCHES CA: the same number of requests
 * over GnuTLS alone, one after the other; nanoseconds for each.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/worker.h"
#include "conn.h"
#include "host.h"
#include "loop.h"
#include "world.h"

struct fetcher {
    struct bench_world w;
    struct loop *loop;
    struct conn_list conns;
    struct onward_mtasts *mtasts;
    unsigned port;
    size_t most;
    size_t base_bytes, most_bytes;
};

struct connection {
    struct conn conn;
    struct onward_mtasts_fetch *fetch;
};

static struct sockaddr_in server(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static void closed(struct conn *conn)
{
    struct connection *c = (struct connection *)(void *)conn;

    onward_mtasts_fetch_free(c->fetch);
    free(c);
}

/* Loopback answers connect() at once. */
static int on_connect(void *user, uint64_t token,
                      const struct onward_mtasts_request *request)
{
    struct fetcher *f = user;
    struct sockaddr_in sa = server(f->port);
    struct connection *c = calloc(1, sizeof(*c));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)request;
    if (c == NULL || fd < 0 ||
        connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        onward_mtasts_fetch_new(f->w.desk, token, &c->fetch) != 0)
        bench_die("no connection");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
        conn_open(&c->conn, &f->conns, f->loop, fd,
                  onward_mtasts_fetch_channel(c->fetch), closed) != 0)
        bench_die("no connection");
    return 0;
}

static int allow_any(void *user, const struct onward_ip *ip)
{
    (void)user, (void)ip;
    return 1;
}

static void turn(struct fetcher *f)
{
    int64_t now;
    size_t count, bytes;

    loop_turn(f->loop, conn_list_is_busy(&f->conns) ? 0 : 10);
    do {
        now = host_now_ms();
        onward_desk_run(f->w.desk, now);
        conn_list_refresh(&f->conns);
    } while (onward_desk_deadline(f->w.desk) <= now);
    count = onward_mtasts_fetch_count(f->mtasts);
    if (count > f->most)
        f->most = count;
    bytes = mallinfo2().uordblks;
    if (bytes > f->most_bytes)
        f->most_bytes = bytes;
}

static struct onward_tls_config *trust(struct onward_ctx *ctx, const char *path)
{
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_CLIENT};
    struct onward_tls_config *tls = NULL;
    char *pem = host_read_file(path, &opts.trust_pem.len);

    opts.trust_pem.data = pem;
    if (pem == NULL || onward_tls_config_new(ctx, &opts, &tls) != 0)
        bench_die("no authority");
    free(pem);
    return tls;
}

static void fetch_all(unsigned port, size_t fetches, const char *ca)
{
    struct fetcher f = {.port = port};
    struct onward_memstore *mem;
    struct onward_mtasts_opts opts = {.size = sizeof(opts),
                                      .max_fetches = fetches};
    const struct onward_mtasts_host host = {.size = sizeof(host),
                                            .user = &f,
                                            .connect = on_connect,
                                            .allow_address = allow_any};
    struct onward_mtasts_lookup **lookups = calloc(fetches, sizeof(*lookups));
    int64_t start;

    bench_world_init(&f.w);
    f.loop = loop_new();
    opts.resolver = f.w.resolver;
    opts.tls = trust(f.w.ctx, ca);
    if (lookups == NULL || conn_list_open(&f.conns, f.w.desk) != 0 ||
        onward_memstore_new(f.w.ctx, NULL, &mem) != 0 ||
        onward_memstore_open(mem, f.w.desk, NULL, &opts.store) != 0 ||
        onward_mtasts_new(&opts, &host, &f.mtasts) != 0)
        bench_die("cannot set up our side");
    f.base_bytes = mallinfo2().uordblks;
    start = bench_cpu_ns();
    for (size_t i = 0; i < fetches; i++)
        lookups[i] = bench_lookup(&f.w, f.mtasts, i);
    while (f.w.done < fetches)
        turn(&f);
    printf("%zu %" PRId64 " %zu\n", f.most,
           (bench_cpu_ns() - start) / (int64_t)fetches,
           (f.most_bytes - f.base_bytes) / fetches);
    for (size_t i = 0; i < fetches; i++)
        onward_mtasts_lookup_free(lookups[i]);
    /* The process ends here; what waits for its close goes with it. */
}

/* ---- The floor --------------------------------------------------------- */

static void one_request(gnutls_certificate_credentials_t trusted,
                        gnutls_priority_t priority, unsigned port,
                        const char *host)
{
    struct sockaddr_in sa = server(port);
    gnutls_session_t session;
    char request[200], answer[1000];
    size_t got = 0;
    ssize_t more;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

    snprintf(request, sizeof(request),
             "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: %s\r\n"
             "Connection: close\r\n\r\n",
             host);
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        gnutls_init(&session, GNUTLS_CLIENT) != 0)
        bench_die("the floor has no connection");
    gnutls_priority_set(session, priority);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, trusted);
    gnutls_server_name_set(session, GNUTLS_NAME_DNS, host, strlen(host));
    gnutls_session_set_verify_cert(session, host, 0);
    gnutls_transport_set_int(session, fd);
    do {
        ret = gnutls_handshake(session);
    } while (ret < 0 && gnutls_error_is_fatal(ret) == 0);
    if (ret < 0)
        bench_die(gnutls_strerror(ret));
    gnutls_record_send(session, request, strlen(request));
    do {
        more = gnutls_record_recv(session, answer + got, sizeof(answer) - got);
        got += more > 0 ? (size_t)more : 0;
    } while (more > 0 || more == GNUTLS_E_AGAIN ||
             more == GNUTLS_E_INTERRUPTED);
    if (got < sizeof(BENCH_POLICY))
        bench_die("the floor got no policy");
    gnutls_deinit(session);
    close(fd);
}

static void fetch_plainly(unsigned port, size_t fetches, const char *ca)
{
    gnutls_certificate_credentials_t trusted;
    gnutls_priority_t priority;
    int64_t start;

    if (gnutls_priority_init2(&priority, NULL, NULL, 0) != 0 ||
        gnutls_certificate_allocate_credentials(&trusted) != 0 ||
        gnutls_certificate_set_x509_trust_file(trusted, ca,
                                               GNUTLS_X509_FMT_PEM) != 1)
        bench_die("the floor has no authority");
    start = bench_cpu_ns();
    for (size_t i = 0; i < fetches; i++) {
        char domain[40], host[60];

        bench_domain(i, domain);
        snprintf(host, sizeof(host), "mta-sts.%s", domain);
        one_request(trusted, priority, port, host);
    }
    printf("%" PRId64 "\n", (bench_cpu_ns() - start) / (int64_t)fetches);
    gnutls_certificate_free_credentials(trusted);
    gnutls_priority_deinit(priority);
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    bool is_floor = argc > 1 && strcmp(argv[1], "floor") == 0;

    if (argc != (is_floor ? 5 : 4))
        return 2;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    argv += is_floor ? 2 : 1;
    if (is_floor)
        fetch_plainly((unsigned)strtoul(argv[0], NULL, 10),
                      (size_t)strtoul(argv[1], NULL, 10), argv[2]);
    else
        fetch_all((unsigned)strtoul(argv[0], NULL, 10),
                  (size_t)strtoul(argv[1], NULL, 10), argv[2]);
    return 0;
}
