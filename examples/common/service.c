#define _GNU_SOURCE
#include "service.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host.h"

int service_read_args(const char *program, const char *usage, int argc,
                      char **argv, struct service_args *args)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            args->config_path = argv[++i];
        } else if (strcmp(argv[i], "--check") == 0) {
            args->is_check = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            puts(onward_version());
            return 0;
        } else if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        } else {
            host_complain(program, "\"%s\", expected --config FILE or --check",
                          argv[i]);
            return EXIT_CONFIG;
        }
    }
    if (args->config_path != NULL)
        return -1;
    fputs(usage, stderr);
    return EXIT_CONFIG;
}

const char *service_judge_listen(const char *value)
{
    struct onward_ip ip;
    size_t port;

    return endpoint_parse(value, &ip, &port)
               ? NULL
               : "ADDRESS:PORT, as in 192.0.2.1:25 or [2001:db8::1]:25";
}

static const char *local_path(const char *text)
{
    return strncmp(text, "unix:", 5) == 0 ? text + 5 : NULL;
}

const char *service_judge_listen_local(const char *value)
{
    const char *path = local_path(value);

    if (path != NULL && path[0] == '/' &&
        strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path))
        return NULL;
    return path == NULL && service_judge_listen(value) == NULL
               ? NULL
               : "ADDRESS:PORT, or unix:/PATH of at most 107 octets";
}

const char *service_judge_user(const char *value)
{
    return getpwnam(value) != NULL ? NULL : "a user of this machine";
}

/* Is there a socket that nobody listens on? */
static bool is_left_over(const struct sockaddr_un *sun)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct stat st;
    bool ret = fd >= 0 && lstat(sun->sun_path, &st) == 0 &&
               S_ISSOCK(st.st_mode) &&
               connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0 &&
               errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return ret;
}

static int listen_local(const char *path, char *fault, size_t fault_size)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0117); /* as it is made, nobody may come before */
    int ret = -1;

    memcpy(sun.sun_path, path, strlen(path) + 1);
    if (fd >= 0) {
        if (is_left_over(&sun))
            unlink(path);
        ret = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
    }
    umask(mask);
    if (ret == 0 && listen(fd, 512) == 0)
        return fd;
    snprintf(fault, fault_size, "unix:%s: %s, expected a path that is free",
             path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

int service_listen(const char *text, char address[ENDPOINT_MAX], char *fault,
                   size_t fault_size)
{
    struct sockaddr_storage sa;
    struct onward_ip ip;
    socklen_t len;
    size_t port;
    int fd, on = 1;

    if (local_path(text) != NULL && service_judge_listen_local(text) == NULL) {
        snprintf(address, ENDPOINT_MAX, "%s", text);
        return listen_local(local_path(text), fault, fault_size);
    }
    if (!endpoint_parse(text, &ip, &port)) {
        snprintf(fault, fault_size, "%s: expected ADDRESS:PORT", text);
        return -1;
    }
    len = endpoint_to(&ip, port, &sa);
    fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (ip.family == 6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) != 0 ||
        listen(fd, 512) != 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &len) != 0) {
        snprintf(fault, fault_size, "%s: %s, expected a free address and port",
                 text, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    endpoint_from(&sa, &ip, &port);
    endpoint_write(&ip, port, address, ENDPOINT_MAX);
    return fd;
}

/* Which is one datagram. */
static void signalled(struct loop_watch *watch, uint32_t events)
{
    struct service_signals *s =
        (struct service_signals *)(void *)((char *)watch -
                                           offsetof(struct service_signals,
                                                    watch));
    struct signalfd_siginfo info;

    (void)events;
    while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            s->reload(s->user);
        } else if (!s->is_ended) {
            s->is_ended = true;
            s->end(s->user);
        }
    }
}

int service_catch(struct service_signals *s, struct loop *loop, char *fault,
                  size_t fault_size)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->watch.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    s->watch.ready = signalled;
    if (s->watch.fd >= 0 && loop_add(loop, &s->watch, EPOLLIN) == 0)
        return 0;
    snprintf(fault, fault_size, "signals: %s", strerror(errno));
    return -1;
}

void service_uncatch(struct service_signals *s)
{
    if (s->watch.ready != NULL && s->watch.fd >= 0)
        close(s->watch.fd);
    s->watch.ready = NULL;
}

void service_tell_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    size_t len = path == NULL ? 0 : strlen(path);
    int fd;

    if (len == 0 || len >= sizeof(sun.sun_path))
        return;
    memcpy(sun.sun_path, path, len);
    if (path[0] == '@')
        sun.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                 (struct sockaddr *)&sun,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

int service_drop_root(const char *user, char *fault, size_t fault_size)
{
    const struct passwd *pw = getpwnam(user);

    if (pw == NULL) {
        snprintf(fault, fault_size,
                 "user \"%s\", expected a user of this machine", user);
        return -1;
    }
    if (geteuid() != 0)
        return 0; /* nothing to drop */
    if (initgroups(user, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 ||
        setuid(pw->pw_uid) != 0) {
        snprintf(fault, fault_size, "user \"%s\": %s", user, strerror(errno));
        return -1;
    }
    return 0;
}
