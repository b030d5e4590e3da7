#define _GNU_SOURCE
#include "handler_unix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "handler_json.h"

enum { PREFIX = 4, PIECE = 65536 };

/* What is to be written: the prefix, the header, the message. */
struct frame {
    struct frame *next;
    uint64_t id;
    size_t len, at;
    char octets[];
};

struct handler_unix {
    struct handler_unix_opts opts;
    char *path;
    struct loop_watch watch; /* fd -1: not connected */
    struct frame *first, **last;
    size_t held;
    char *in;
    size_t len, cap;
};

#define UNIX_OF(ptr)                                                           \
    ((struct handler_unix *)(void *)((char *)(ptr)-offsetof(                   \
        struct handler_unix, watch)))

/* ---- The connection ---------------------------------------------------- */

static void pop(struct handler_unix *u, struct frame **at)
{
    struct frame *f = *at;

    *at = f->next;
    if (f->next == NULL)
        u->last = at;
    u->held -= f->len;
    free(f);
}

static void hang_up(struct handler_unix *u)
{
    if (u->watch.fd >= 0) {
        loop_remove(u->opts.loop, &u->watch);
        close(u->watch.fd);
    }
    u->watch.fd = -1;
    while (u->first != NULL)
        pop(u, &u->first);
    free(u->in);
    u->in = NULL;
    u->len = u->cap = 0;
}

static void lose(struct handler_unix *u, const char *why)
{
    hang_up(u);
    u->opts.lost(u->opts.user, why);
}

/* ---- What it hears ----------------------------------------------------- */

/* 0; or -1 with errno: the connection is broken. */
static int put(struct handler_unix *u)
{
    while (u->first != NULL) {
        struct frame *f = u->first;
        ssize_t n =
            send(u->watch.fd, f->octets + f->at, f->len - f->at, MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0)
            return -1;
        f->at += (size_t)n;
        if (f->at == f->len)
            pop(u, &u->first);
    }
    return loop_want(u->opts.loop, &u->watch,
                     (uint32_t)EPOLLIN |
                         (u->first != NULL ? (uint32_t)EPOLLOUT : 0));
}

/* ---- What it says ------------------------------------------------------ */

static uint32_t length_of(const char *in)
{
    const unsigned char *s = (const unsigned char *)in;

    return (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 |
           s[3];
}

/* Grows with what has come, not with what was announced. */
static bool make_room(struct handler_unix *u)
{
    size_t cap = u->cap == 0 ? PIECE : u->cap * 2;
    char *more;

    if (u->cap - u->len >= PIECE / 2)
        return true;
    more = realloc(u->in, cap);
    if (more == NULL)
        return false;
    u->in = more;
    u->cap = cap;
    return true;
}

/* One answer, whole. false: it is none. */
static bool follow(struct handler_unix *u, struct onward_str text, char *why,
                   size_t why_size)
{
    struct json_document *d = json_read(text, why, why_size);
    const struct json_value *id;
    bool is_good;

    if (d == NULL)
        return false;
    id = json_get(json_root(d), "id");
    is_good = id != NULL && id->type == JSON_NUMBER && id->number >= 0 &&
              id->number < 9007199254740992.0 &&
              id->number == (double)(uint64_t)id->number;
    if (is_good)
        u->opts.answered(u->opts.user, (uint64_t)id->number, json_root(d));
    else
        snprintf(why, why_size, "an answer without an id");
    json_free(d);
    return is_good;
}

static bool follow_all(struct handler_unix *u, char *why, size_t why_size)
{
    size_t at = 0;

    while (u->len - at >= PREFIX) {
        size_t len = length_of(u->in + at);
        const struct onward_str text = {u->in + at + PREFIX, len};

        if (len > u->opts.answer_max) {
            snprintf(why, why_size, "the answer is too long");
            return false;
        }
        if (u->len - at - PREFIX < len)
            break;
        if (!follow(u, text, why, why_size))
            return false;
        at += PREFIX + len;
    }
    memmove(u->in, u->in + at, u->len - at);
    u->len -= at;
    return true;
}

/* 1: there may be more; 0: not now; -1: it is lost. */
static int get(struct handler_unix *u)
{
    char why[400] = "no memory";
    ssize_t n;

    if (!make_room(u)) {
        lose(u, why);
        return -1;
    }
    n = recv(u->watch.fd, u->in + u->len, u->cap - u->len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        lose(u, n == 0 ? "the handler has hung up" : strerror(errno));
        return -1;
    }
    u->len += (size_t)n;
    if (follow_all(u, why, sizeof(why)))
        return 1;
    lose(u, why);
    return -1;
}

static void ready(struct loop_watch *watch, uint32_t events)
{
    struct handler_unix *u = UNIX_OF(watch);

    if ((events & EPOLLOUT) != 0 && put(u) != 0) {
        lose(u, strerror(errno));
        return;
    }
    /* Not for ever: others want to be heard. */
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        for (int i = 0; i < 16 && get(u) == 1; i++) {
        }
    }
}

/* ---- Asking ------------------------------------------------------------ */

static int dial(struct handler_unix *u)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (u->watch.fd >= 0)
        return 0;
    if (strlen(u->path) >= sizeof(to.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(to.sun_path, u->path);
    u->watch.fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (u->watch.fd < 0)
        return -1;
    if (connect(u->watch.fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
        loop_add(u->opts.loop, &u->watch, EPOLLIN) == 0)
        return 0;
    close(u->watch.fd);
    u->watch.fd = -1;
    return -1;
}

static char *header_text(uint64_t id, struct onward_event *event, size_t *len)
{
    char *text = NULL;
    struct json j = {.out = open_memstream(&text, len)};

    if (j.out == NULL)
        return NULL;
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_number(&j, "id", id);
    json_number(&j, "size", onward_event_source(event)->len);
    handler_write_event(&j, "event", event);
    json_close(&j, '}');
    if (fclose(j.out) == 0)
        return text;
    free(text);
    return NULL;
}

/* One with room for the message. */
static struct frame *begin_frame(uint64_t id, struct onward_str header,
                                 size_t message_len)
{
    struct frame *f = malloc(sizeof(*f) + PREFIX + header.len + message_len);

    if (f == NULL)
        return NULL;
    *f = (struct frame){.id = id, .len = PREFIX + header.len};
    for (size_t i = 0; i < PREFIX; i++)
        f->octets[i] = (char)(unsigned char)(header.len >> (24 - 8 * i) & 0xff);
    memcpy(f->octets + PREFIX, header.data, header.len);
    return f;
}

static struct frame *make_frame(uint64_t id, struct onward_event *event)
{
    const struct onward_source *source = onward_event_source(event);
    size_t len = 0, at, got = 0;
    char *header = header_text(id, event, &len);
    struct frame *f =
        header == NULL
            ? NULL
            : begin_frame(id, (struct onward_str){header, len},
                          (size_t)source->len);

    if (f != NULL) {
        for (at = 0; at < source->len; at += got, f->len += got) {
            if (source->read(source->user, at, f->octets + f->len,
                             (size_t)source->len - at, &got) != 0 ||
                got == 0)
                break;
        }
        if (at < source->len) {
            free(f);
            f = NULL;
        }
    }
    free(header);
    return f;
}

static void push(struct handler_unix *u, struct frame *f)
{
    *u->last = f;
    u->last = &f->next;
    u->held += f->len;
}

void handler_unix_tell(struct handler_unix *u, uint64_t id,
                       struct onward_str header)
{
    struct frame *f = u->watch.fd < 0 || u->held > u->opts.held_max
                          ? NULL
                          : begin_frame(id, header, 0);

    if (f == NULL)
        return;
    push(u, f);
    (void)loop_want(u->opts.loop, &u->watch, EPOLLIN | EPOLLOUT);
}

int handler_unix_ask(struct handler_unix *u, uint64_t id,
                     struct onward_event *event, char *why, size_t why_size)
{
    struct frame *f;

    if (dial(u) != 0) {
        snprintf(why, why_size, "%s: %s", u->path, strerror(errno));
        return -1;
    }
    if (u->held > 0 &&
        u->held + onward_event_source(event)->len > u->opts.held_max) {
        snprintf(why, why_size, "%s: does not read what it is given", u->path);
        return -1;
    }
    f = make_frame(id, event);
    if (f == NULL) {
        snprintf(why, why_size, "the message cannot be read");
        return -1;
    }
    push(u, f);
    /* Written from the loop: a broken connection is found there, too. */
    if (loop_want(u->opts.loop, &u->watch, EPOLLIN | EPOLLOUT) == 0)
        return 0;
    snprintf(why, why_size, "%s: %s", u->path, strerror(errno));
    handler_unix_forget(u, id, false);
    return -1;
}

void handler_unix_forget(struct handler_unix *u, uint64_t id, bool is_late)
{
    for (struct frame **at = &u->first; *at != NULL; at = &(*at)->next) {
        if ((*at)->id != id)
            continue;
        if ((*at)->at == 0)
            pop(u, at);
        else if (is_late)
            lose(u, "the handler does not read");
        return;
    }
}

struct handler_unix *handler_unix_new(const struct handler_unix_opts *opts)
{
    struct handler_unix *u = calloc(1, sizeof(*u));

    if (u == NULL)
        return NULL;
    u->opts = *opts;
    u->path = strdup(opts->path);
    u->watch = (struct loop_watch){.fd = -1, .ready = ready};
    u->last = &u->first;
    if (u->path != NULL)
        return u;
    free(u);
    return NULL;
}

void handler_unix_free(struct handler_unix *u)
{
    if (u == NULL)
        return;
    hang_up(u);
    free(u->path);
    free(u);
}
