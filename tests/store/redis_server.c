#define _GNU_SOURCE
#include "redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static unsigned free_port(void)
{
    struct sockaddr_in sa = loopback(0);
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    close(fd);
    return ntohs(sa.sin_port);
}

static int dial(unsigned port)
{
    struct sockaddr_in sa = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    close(fd);
    return -1;
}

bool redis_server_start(struct redis_server *server)
{
    char port[16];
    int fd = -1, status;

    if (server->port == 0)
        server->port = free_port();
    snprintf(port, sizeof(port), "%u", server->port);
    snprintf(server->url, sizeof(server->url), "redis://127.0.0.1:%u/3",
             server->port);
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen("/dev/null", "w", stdout) == NULL)
            _exit(127);
        /* The package redis-server would start one for the whole machine; the
         * same program is in redis-tools, and goes by its name. */
        execlp("redis-check-rdb", "redis-server", "--port", port, "--bind",
               "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/tmp",
               NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000 && fd < 0; i++) {
        usleep(10000);
        fd = dial(server->port);
        if (fd < 0 && waitpid(server->pid, &status, WNOHANG) != 0) {
            server->pid = 0;
            return false;
        }
    }
    assert_true(fd >= 0);
    close(fd);
    return true;
}

void redis_server_stop(struct redis_server *server)
{
    int status;

    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, &status, 0);
    server->pid = 0;
}

void redis_server_say(const struct redis_server *server, const char *line,
                      const char *want)
{
    char got[200] = "";
    size_t len = 0;
    int fd = dial(server->port);

    assert_true(fd >= 0);
    assert_true(write(fd, line, strlen(line)) == (ssize_t)strlen(line));
    assert_true(write(fd, "\r\n", 2) == 2);
    while (len < strlen(want)) {
        ssize_t more = read(fd, got + len, sizeof(got) - 1 - len);

        assert_true(more > 0);
        len += (size_t)more;
    }
    assert_memory_equal(got, want, strlen(want));
    close(fd);
}

void redis_server_flush(const struct redis_server *server)
{
    redis_server_say(server, "FLUSHALL", "+OK");
}
