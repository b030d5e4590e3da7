/* server COUNT FILE: take mail on a free port of 127.0.0.1, which is written
 * into FILE, and print it; end after COUNT sessions. */
#define _GNU_SOURCE
#include <string.h>

#include "socket.h"

enum { SESSIONS = 64 };

static struct session {
    int fd;
    struct onward_smtp_server *smtp; /* NULL: a free place */
    struct onward_channel *channel;
    FILE *mail; /* what has come of a message, as text */
    char *text;
    size_t len;
    uint64_t token; /* of a whole message that nobody keeps yet; 0: none */
} sessions[SESSIONS];
static struct host host;
static struct onward_channel_set *set;
static int left; /* sessions to come, and under way */

static int say(uint64_t token, size_t code, const char *status, const char *why)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply),
                                      .code = code,
                                      .enhanced = onward_str_of(status),
                                      .text = onward_str_of(why)};

    return onward_smtp_reply_answer(host.desk, token, &reply);
}

/* ---- What the session asks ---------------------------------------------- */

static int on_rcpt(void *user, uint64_t token, size_t i)
{
    struct session *s = user;
    struct onward_str who = onward_smtp_server_rcpt_local_part(s->smtp, i);

    if (who.len == 6 && memcmp(who.data, "nobody", 6) == 0)
        return say(token, 550, "5.1.1", "No such mailbox here");
    return ONWARD_SMTP_DEFAULT; /* 250 */
}

/* The transaction is gone, whatever the reason. */
static void on_reset(void *user, int why)
{
    struct session *s = user;

    (void)why;
    if (s->mail != NULL)
        fclose(s->mail);
    free(s->text);
    s->mail = NULL;
    s->text = NULL;
    s->token = 0;
}

static int on_data(void *user, uint64_t token)
{
    struct session *s = user;
    struct onward_str received;

    (void)token;
    on_reset(s, 0); /* DATA may have failed before */
    s->mail = open_memstream(&s->text, &s->len);
    if (s->mail == NULL ||
        onward_smtp_server_received(s->smtp, ONWARD_STR("1"), &received) < 0)
        return -1; /* 451 */
    fwrite(received.data, 1, received.len, s->mail);
    return ONWARD_SMTP_DEFAULT; /* 354 */
}

static int on_message_data(void *user, const void *data, size_t len)
{
    struct session *s = user;

    return fwrite(data, 1, len, s->mail) == len ? 0 : -1;
}

/* Not answered here: keep_mail() does, for all sessions at once. */
static int on_message_end(void *user, uint64_t token)
{
    struct session *s = user;

    s->token = token;
    return fflush(s->mail) == 0 ? ONWARD_SMTP_HANDLED : -1;
}

/* ---- The host ----------------------------------------------------------- */

/* Print all messages that are whole, have them on disk by one call, and only
 * then say 250: from then on they are ours. */
static void keep_mail(void)
{
    int err;

    for (struct session *s = sessions; s < sessions + SESSIONS; s++) {
        if (s->token != 0)
            fwrite(s->text, 1, s->len, stdout);
    }
    err = fflush(stdout); /* and fsync(2), were it a queue */
    for (struct session *s = sessions; s < sessions + SESSIONS; s++) {
        if (s->token != 0 && err == 0)
            say(s->token, 250, "2.0.0", "It is kept");
        else if (s->token != 0)
            say(s->token, 452, "4.3.1", "No room");
        s->token = 0;
    }
}

static struct session *free_place(void)
{
    for (struct session *s = sessions; s < sessions + SESSIONS; s++) {
        if (s->smtp == NULL)
            return s;
    }
    return NULL;
}

static int begin(struct session *s, int fd)
{
    struct onward_smtp_server_opts opts = {
        .size = sizeof(opts), .hostname = ONWARD_STR("mx.example.net")};
    struct onward_smtp_server_host asked = {.size = sizeof(asked),
                                            .user = s,
                                            .rcpt = on_rcpt,
                                            .data = on_data,
                                            .message_data = on_message_data,
                                            .message_end = on_message_end,
                                            .reset = on_reset};
    int err = onward_smtp_server_new(host.desk, &opts, &asked, &s->smtp);

    if (err < 0)
        return err;
    s->fd = fd;
    s->channel = onward_smtp_server_channel(s->smtp);
    return onward_channel_set_add(set, s->channel, s);
}

static void turn(struct session *s)
{
    socket_pump(s->fd, s->channel);
    if (onward_channel_wants(s->channel) != ONWARD_WANT_CLOSE)
        return;
    onward_smtp_server_free(s->smtp); /* takes it out of the set, too */
    s->smtp = NULL;
    close(s->fd);
    left--;
}

/* First what was answered or came due, then the sockets. */
static int go_round(int listener)
{
    struct pollfd fds[SESSIONS + 1];
    struct session *place;
    void *user;

    keep_mail();
    while (onward_desk_run(host.desk, socket_now_ms()) == 1)
        continue;
    while (onward_channel_set_next(set, &user) == 1)
        turn(user);
    for (int i = 0; i < SESSIONS; i++)
        fds[i] = sessions[i].smtp == NULL
                     ? (struct pollfd){.fd = -1}
                     : socket_wish(sessions[i].fd, sessions[i].channel);
    place = free_place();
    fds[SESSIONS] =
        (struct pollfd){.fd = place != NULL ? listener : -1, .events = POLLIN};
    if (left == 0 || poll(fds, SESSIONS + 1,
                          socket_wait_ms(onward_desk_deadline(host.desk))) < 0)
        return 0;
    for (int i = 0; i < SESSIONS; i++) {
        if (fds[i].revents != 0)
            turn(&sessions[i]);
    }
    if (fds[SESSIONS].revents == 0)
        return 0;
    return begin(place, accept(listener, NULL, NULL));
}

int main(int argc, char **argv)
{
    int listener = argc == 3 ? socket_listen(argv[2]) : -1;
    int err = listener < 0 ? ONWARD_EINVAL : host_open(&host, NULL);

    if (err == 0)
        err = onward_channel_set_new(host.desk, &set);
    left = argc == 3 ? atoi(argv[1]) : 0;
    while (err == 0 && left > 0)
        err = go_round(listener);
    onward_channel_set_free(set);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
