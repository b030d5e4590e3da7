/*
 * bench_smtp_floor [CERT KEY]: the least that looks like a server. Each line
 * gets 250, DATA ends at CRLF . CRLF, nothing is checked and nothing is kept.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum phase { COMMANDS, DATA, HANDSHAKE };

struct session {
    int fd;
    enum phase phase;
    gnutls_session_t tls;
    char tail[512]; /* the last octets, where a line or the end may begin */
    size_t tail_len;
};

static gnutls_certificate_credentials_t credentials;
static int epoll;

static void end(struct session *s)
{
    if (s->tls != NULL)
        gnutls_deinit(s->tls);
    close(s->fd);
    free(s);
}

static void say(struct session *s, const char *text)
{
    if (s->tls != NULL && s->phase != HANDSHAKE)
        gnutls_record_send(s->tls, text, strlen(text));
    else
        (void)!send(s->fd, text, strlen(text), MSG_NOSIGNAL);
}

static void start_tls(struct session *s)
{
    say(s, "220 go\r\n");
    s->phase = HANDSHAKE;
    gnutls_init(&s->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK);
    gnutls_set_default_priority(s->tls);
    gnutls_credentials_set(s->tls, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(s->tls, s->fd);
}

/* False: the session is over. */
static bool command(struct session *s, const char *line)
{
    if (strncasecmp(line, "DATA", 4) == 0) {
        s->phase = DATA;
        say(s, "354 go\r\n");
    } else if (strncasecmp(line, "QUIT", 4) == 0) {
        say(s, "221 bye\r\n");
        return false;
    } else if (strncasecmp(line, "STARTTLS", 8) == 0) {
        start_tls(s);
    } else if (strncasecmp(line, "EHLO", 4) == 0 && credentials != NULL) {
        say(s, "250-floor\r\n250 STARTTLS\r\n");
    } else {
        say(s, "250 ok\r\n");
    }
    return true;
}

static bool take(struct session *s, char *data, size_t len)
{
    while (len > 0) {
        char *found = s->phase == DATA ? memmem(data, len, "\r\n.\r\n", 5)
                                       : memchr(data, '\n', len);
        size_t used;

        if (found == NULL)
            break;
        used = (size_t)(found - data) + (s->phase == DATA ? 5 : 1);
        if (s->phase == DATA) {
            s->phase = COMMANDS;
            say(s, "250 taken\r\n");
        } else if (!command(s, data)) {
            return false;
        }
        data += used;
        len -= used;
    }
    if (s->phase == DATA && len > 4) {
        data += len - 4;
        len = 4;
    }
    s->tail_len = len < sizeof(s->tail) ? len : sizeof(s->tail);
    memcpy(s->tail, data, s->tail_len);
    return true;
}

static bool serve(struct session *s)
{
    char buf[16384 + sizeof(s->tail)];
    ssize_t got;
    int ret;

    do {
        if (s->phase == HANDSHAKE) {
            ret = gnutls_handshake(s->tls);
            if (ret < 0)
                return !gnutls_error_is_fatal(ret);
            s->phase = COMMANDS;
        }
        memcpy(buf, s->tail, s->tail_len);
        if (s->tls == NULL) {
            got = recv(s->fd, buf + s->tail_len, 16384, MSG_DONTWAIT);
            if (got <= 0)
                return false;
        } else {
            got = gnutls_record_recv(s->tls, buf + s->tail_len, 16384);
            if (got <= 0)
                return got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED;
        }
        if (!take(s, buf, s->tail_len + (size_t)got))
            return false;
    } while (s->tls != NULL && gnutls_record_check_pending(s->tls) > 0);
    return true;
}

int main(int argc, char **argv)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    struct epoll_event e = {.events = EPOLLIN}, events[64];
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

    epoll = epoll_create1(0);
    if (argc == 3 &&
        (gnutls_certificate_allocate_credentials(&credentials) < 0 ||
         gnutls_certificate_set_x509_key_file(credentials, argv[1], argv[2],
                                              GNUTLS_X509_FMT_PEM) < 0))
        return 1;
    if (bind(door, (struct sockaddr *)&sin, len) != 0 ||
        listen(door, 512) != 0 ||
        getsockname(door, (struct sockaddr *)&sin, &len) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, door, &e) != 0)
        return 1;
    printf("ready 127.0.0.1:%u\n", (unsigned)ntohs(sin.sin_port));
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(epoll, events, 64, -1);

        for (int i = 0; i < n; i++) {
            struct session *s = events[i].data.ptr;
            int fd;

            if (s != NULL) {
                if (!serve(s))
                    end(s);
                continue;
            }
            while ((fd = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                s = calloc(1, sizeof(*s));
                if (s == NULL)
                    return 1;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                s->fd = fd;
                e.data.ptr = s;
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
                say(s, "220 floor\r\n");
            }
        }
    }
}
