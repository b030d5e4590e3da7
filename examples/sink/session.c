/* One client: its connection, its session, and the message that it brings. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "sink.h"

struct session {
    struct session *next, **prev;
    struct sink *sink;
    struct conn conn;
    struct onward_smtp_server *server;
    FILE *file;    /* of the message under way; NULL: there is none */
    size_t serial; /* its number */
    bool is_kept;  /* LMTP asks for each recipient, it is written once */
};

#define SESSION_OF(conn_ptr)                                                   \
    ((struct session *)(void *)((char *)(conn_ptr)-offsetof(struct session,    \
                                                            conn)))

bool session_refuses(const struct sink *sink, struct onward_str address)
{
    for (size_t i = 0; i < sink->refused.count; i++) {
        const char *item = sink->refused.items[i];

        if (strlen(item) == address.len &&
            memcmp(item, address.data, address.len) == 0)
            return true;
    }
    return false;
}

/* ---- What the session asks --------------------------------------------- */

static int refuse(const struct session *s, uint64_t token)
{
    const struct onward_smtp_reply reply = {
        .size = sizeof(reply),
        .code = 550,
        .enhanced = ONWARD_STR("5.1.1"),
        .text = ONWARD_STR("there is no such mailbox here")};

    return onward_smtp_reply_answer(s->sink->desk, token, &reply);
}

/* With LMTP a mailbox may also be found missing when the message is there,
 * which is what a client has to be tested with. */
static int ask_rcpt(void *user, uint64_t token, size_t index)
{
    const struct session *s = user;

    if (s->sink->mode != ONWARD_SMTP_SERVER_MODE_LMTP &&
        session_refuses(s->sink,
                        onward_smtp_server_rcpt_address(s->server, index)))
        return refuse(s, token);
    return ONWARD_SMTP_DEFAULT;
}

/* Also for an empty message, which is never told by data. */
static int begin_message(struct session *s)
{
    if (s->file != NULL)
        return 0;
    s->serial = ++s->sink->serial;
    s->file = record_begin(s->sink, s->serial);
    if (s->file == NULL)
        host_complain("onward-sink", "%s: %s", s->sink->folder,
                      strerror(errno));
    return s->file == NULL ? -1 : 0;
}

static int take_data(void *user, const void *data, size_t len)
{
    struct session *s = user;

    if (begin_message(s) != 0)
        return -1; /* 451 */
    return fwrite(data, 1, len, s->file) == len ? 0 : -1;
}

static int keep_message(struct session *s)
{
    int err;

    if (s->is_kept)
        return 0;
    if (begin_message(s) != 0)
        return -1;
    err = record_end(s->sink, s->server, s->serial, s->file);
    s->file = NULL;
    s->is_kept = err == 0;
    return err;
}

static int ask_end(void *user, uint64_t token)
{
    (void)token;
    return keep_message(user) == 0 ? ONWARD_SMTP_DEFAULT : -1;
}

static int ask_end_for(void *user, uint64_t token, size_t index)
{
    struct session *s = user;

    if (keep_message(s) != 0)
        return -1;
    if (session_refuses(s->sink,
                        onward_smtp_server_rcpt_address(s->server, index)))
        return refuse(s, token);
    return ONWARD_SMTP_DEFAULT;
}

static int ask_auth(void *user, uint64_t token,
                    const struct onward_smtp_auth_request *request)
{
    return users_answer(((struct session *)user)->sink, token, request);
}

static void transaction_gone(void *user, int why)
{
    struct session *s = user;

    (void)why;
    if (s->file != NULL)
        record_drop(s->sink, s->serial, s->file);
    s->file = NULL;
    s->is_kept = false;
}

/* ---- The connection ---------------------------------------------------- */

static void free_session(struct session *s)
{
    conn_close(&s->conn);
    onward_smtp_server_free(s->server);
    transaction_gone(s, ONWARD_SMTP_RESET_CLOSED);
    *s->prev = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    free(s);
}

static void closed(struct conn *conn)
{
    free_session(SESSION_OF(conn));
}

static int new_server(struct session *s, const struct onward_ip *ip,
                      size_t port)
{
    const struct sink *sink = s->sink;
    const struct onward_smtp_server_host host = {.size = sizeof(host),
                                                 .user = s,
                                                 .rcpt = ask_rcpt,
                                                 .message_data = take_data,
                                                 .message_end = ask_end,
                                                 .message_rcpt = ask_end_for,
                                                 .reset = transaction_gone,
                                                 .auth = ask_auth};
    const struct onward_smtp_server_opts o = {
        .size = sizeof(o),
        .flags = sink->flags,
        .hostname = onward_str_of(sink->name),
        .client_ip = ip,
        .client_port = port,
        .tls = sink->tls,
        .mode = sink->mode,
        .auth_mechanisms = users_mechanisms(sink)};

    return onward_smtp_server_new(sink->desk, &o, &host, &s->server);
}

void session_open(struct sink *sink, int fd, const struct onward_ip *ip,
                  size_t port)
{
    struct session *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        close(fd);
        return;
    }
    s->sink = sink;
    s->next = sink->sessions;
    s->prev = &sink->sessions;
    if (s->next != NULL)
        s->next->prev = &s->next;
    sink->sessions = s;
    s->conn.is_closed = true; /* until it is open */
    if (new_server(s, ip, port) != 0) {
        close(fd);
        free_session(s);
    } else if (conn_open(&s->conn, &sink->conns, sink->loop, fd,
                         onward_smtp_server_channel(s->server), closed) != 0) {
        free_session(s);
    } else {
        conn_service(&s->conn);
    }
}

void session_shutdown_all(struct sink *sink)
{
    for (struct session *s = sink->sessions; s != NULL; s = s->next)
        onward_smtp_server_shutdown(s->server);
}

void session_free_all(struct sink *sink)
{
    while (sink->sessions != NULL)
        free_session(sink->sessions);
}
