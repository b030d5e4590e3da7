#define _GNU_SOURCE
#include "https.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_unbound.h"
#include "endpoint.h"
#include "host.h"
#include "pump.h"

/* ---- The library asks -------------------------------------------------- */

static int on_connect(void *user, uint64_t token,
                      const struct onward_mtasts_request *request)
{
    struct https *h = user;
    const struct onward_mtasts_reply reply = {
        .size = sizeof(reply),
        .status = 200,
        .content_type = ONWARD_STR("text/plain"),
        .body = {h->policy, h->policy_len}};

    if (h->policy != NULL)
        return onward_mtasts_answer_reply(h->desk, token, &reply);
    h->token = token;
    h->ip_at = 0;
    if (h->elsewhere.family != 0) {
        h->ips[0] = h->elsewhere;
        h->ip_count = 1;
        return 0;
    }
    h->port = request->port;
    h->ip_count = request->ip_count;
    if (h->ip_count > sizeof(h->ips) / sizeof(h->ips[0]))
        h->ip_count = sizeof(h->ips) / sizeof(h->ips[0]);
    memcpy(h->ips, request->ips, h->ip_count * sizeof(h->ips[0]));
    return 0;
}

static void on_cancel(void *user, uint64_t token)
{
    struct https *h = user;

    if (h->token == token)
        h->token = 0;
}

/* Where nothing is connected to, or only where the user said. */
static int allow_all(void *user, const struct onward_ip *ip)
{
    (void)user, (void)ip;
    return 1;
}

/* ---- The socket -------------------------------------------------------- */

static void hang_up(struct https *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
    h->is_connecting = false;
    onward_mtasts_fetch_free(h->fetch);
    h->fetch = NULL;
}

/* The next address; none left: say so. */
static void dial(struct https *h)
{
    while (h->token != 0 && h->fd < 0 && h->ip_at < h->ip_count) {
        struct sockaddr_storage sa;
        const struct onward_ip *ip = &h->ips[h->ip_at++];
        socklen_t len = endpoint_to(ip, h->port, &sa);

        h->fd = socket(ip->family == 6 ? AF_INET6 : AF_INET,
                       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (h->fd < 0)
            continue;
        h->is_connecting = true;
        if (connect(h->fd, (struct sockaddr *)&sa, len) != 0 &&
            errno != EINPROGRESS)
            hang_up(h);
    }
    if (h->token != 0 && h->fd < 0) {
        (void)onward_mtasts_answer_error(h->desk, h->token, 0);
        h->token = 0;
    }
}

static void connected(struct https *h)
{
    int error = 0;
    socklen_t len = sizeof(error);

    h->is_connecting = false;
    if (getsockopt(h->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ||
        error != 0) {
        hang_up(h);
        dial(h);
        return;
    }
    if (onward_mtasts_fetch_new(h->desk, h->token, &h->fetch) != 0)
        hang_up(h);
    h->token = 0;
}

static void move(struct https *h)
{
    struct onward_channel *channel = onward_mtasts_fetch_channel(h->fetch);

    if (channel == NULL)
        return;
    while (pump_socket(h->fd, channel) == 1)
        continue;
    if (onward_channel_wants(channel) == ONWARD_WANT_CLOSE)
        hang_up(h);
}

/* ---- The loop ---------------------------------------------------------- */

static short events_of(const struct https *h)
{
    struct onward_channel *channel = onward_mtasts_fetch_channel(h->fetch);
    int wants = channel == NULL ? 0 : onward_channel_wants(channel);
    int events = 0;

    if (h->is_connecting || (wants & ONWARD_WANT_WRITE) != 0)
        events |= POLLOUT;
    if ((wants & ONWARD_WANT_READ) != 0)
        events |= POLLIN;
    return (short)events;
}

/* False: nothing will ever come. */
static bool wait(struct https *h, struct world *world)
{
    int64_t deadline = onward_desk_deadline(world->desk);
    int64_t left = deadline - host_now_ms();
    int timeout = left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
    struct pollfd fds[2] = {
        {.fd = -1, .events = POLLIN},
        {.fd = h->fd, .events = events_of(h)},
    };

    if (world->unbound != NULL)
        fds[0].fd = unbound_dns_fd(world->unbound);
    if (deadline == ONWARD_NEVER && fds[0].fd < 0 && h->fd < 0)
        return false;
    if (poll(fds, 2, deadline == ONWARD_NEVER ? -1 : timeout) <= 0)
        return true;
    if (fds[0].revents != 0)
        unbound_dns_ready(world->unbound);
    if (fds[1].revents != 0 && h->is_connecting)
        connected(h);
    return true;
}

void https_run(struct https *https, struct world *world, const bool *is_done)
{
    for (;;) {
        int more = onward_desk_run(world->desk, host_now_ms());

        if (*is_done || more < 0)
            return;
        if (https->fd < 0)
            dial(https);
        else if (https->is_connecting && https->token == 0)
            hang_up(https);
        move(https);
        if (more == 0 && onward_desk_deadline(world->desk) > host_now_ms() &&
            !wait(https, world))
            return;
    }
}

/* ---- Life -------------------------------------------------------------- */

static int read_trust(struct https *h, const struct command *command,
                      const char *path, struct world *world)
{
    struct onward_tls_config_opts opts = {.size = sizeof(opts),
                                          .role = ONWARD_TLS_CLIENT};
    char *pem = host_read_file(path, &opts.trust_pem.len);
    int err;

    if (pem == NULL)
        return cli_broken(command, "%s: %s", path, strerror(errno));
    opts.trust_pem.data = pem;
    err = onward_tls_config_new(world->ctx, &opts, &h->tls);
    free(pem);
    if (err == ONWARD_ESYNTAX)
        return cli_broken(command, "%s: expected certificates in PEM", path);
    return err == 0 ? -1 : cli_broken(command, "%s", onward_strerror(err));
}

int https_new(struct https *https, const struct command *command,
              const struct https_choice *choice, struct world *world)
{
    struct onward_mtasts_opts opts = {.size = sizeof(opts),
                                      .resolver = world->resolver};
    struct onward_mtasts_host host = {.size = sizeof(host),
                                      .user = https,
                                      .connect = on_connect,
                                      .cancel = on_cancel};
    int status = -1;

    *https = (struct https){.fd = -1, .desk = world->desk};
    if (choice->policy != NULL && choice->connect != NULL)
        return cli_usage(command,
                         "--policy and --connect, expected one of the two");
    if (choice->connect != NULL &&
        !endpoint_parse(choice->connect, &https->elsewhere, &https->port))
        return cli_usage(command, "--connect \"%s\", expected ADDRESS:PORT",
                         choice->connect);
    if (choice->policy != NULL || choice->connect != NULL)
        host.allow_address = allow_all;
    if (choice->policy != NULL) {
        https->policy = host_read_file(choice->policy, &https->policy_len);
        if (https->policy == NULL)
            return cli_broken(command, "%s: %s", choice->policy,
                              strerror(errno));
    } else {
        status = read_trust(https, command, choice->trust, world);
    }
    if (status >= 0)
        return status;
    if (onward_memstore_new(world->ctx, NULL, &https->mem) != 0 ||
        onward_memstore_open(https->mem, world->desk, NULL, &https->store) != 0)
        return cli_broken(command, "%s", onward_strerror(ONWARD_ENOMEM));
    opts.store = https->store;
    opts.tls = https->tls;
    if (onward_mtasts_new(&opts, &host, &https->mtasts) != 0)
        return cli_broken(command, "%s", onward_strerror(ONWARD_ENOMEM));
    return -1;
}

void https_clear(struct https *https)
{
    hang_up(https);
    onward_mtasts_free(https->mtasts);
    onward_tls_config_free(https->tls);
    onward_store_free(https->store);
    onward_memstore_free(https->mem);
    free(https->policy);
}
