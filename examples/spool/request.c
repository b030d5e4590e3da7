/*
 * Changes that somebody asks for who does not hold the lock. A request is an
 * empty file whose name says all, so there is none that is half written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "folders.h"

static const char *const names[] = {"", "retry", "hold", "release", "delete"};

enum { WHATS = sizeof(names) / sizeof(names[0]) };

const char *spool_what_name(enum spool_what what)
{
    return (int)what > 0 && (int)what < WHATS ? names[what] : "";
}

static void name_of(char name[SPOOL_ID_MAX + 16], const char *id,
                    enum spool_what what)
{
    snprintf(name, SPOOL_ID_MAX + 16, "%s.%s", id, spool_what_name(what));
}

int spool_ask(struct spool *spool, const char *id, enum spool_what what)
{
    char name[SPOOL_ID_MAX + 16];
    int fd;

    name_of(name, id, what);
    fd = openat(spool->folders[FOLDER_REQUESTS], name,
                O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

bool spool_is_asked(struct spool *spool, const char *id, enum spool_what what)
{
    char name[SPOOL_ID_MAX + 16];

    name_of(name, id, what);
    return faccessat(spool->folders[FOLDER_REQUESTS], name, F_OK, 0) == 0;
}

/* ---- Who holds the lock ------------------------------------------------ */

struct found {
    char *id;
    enum spool_what what;
};

/* "ID.retry"; false ends the search. */
static bool look(void *user, const char *name)
{
    struct found *f = user;
    const char *dot = strchr(name, '.');
    size_t len = dot == NULL ? 0 : (size_t)(dot - name);

    if (len == 0 || len >= SPOOL_ID_MAX)
        return true;
    memcpy(f->id, name, len);
    f->id[len] = '\0';
    for (int i = 1; i < WHATS && spool_is_id(f->id); i++) {
        if (strcmp(dot + 1, names[i]) == 0) {
            f->what = (enum spool_what)i;
            return false;
        }
    }
    return true;
}

int spool_next_request(struct spool *spool, char id[SPOOL_ID_MAX],
                       enum spool_what *what)
{
    struct found f = {.id = id};

    if (spool_each_name(spool, FOLDER_REQUESTS, look, &f) != 0)
        return -1;
    *what = f.what;
    return f.what == SPOOL_NOTHING ? 0 : 1;
}

int spool_end_request(struct spool *spool, const char *id, enum spool_what what)
{
    char name[SPOOL_ID_MAX + 16];

    name_of(name, id, what);
    return unlinkat(spool->folders[FOLDER_REQUESTS], name, 0);
}

static int set_hold(struct spool_message *m, bool is_held)
{
    if (m->is_held == is_held)
        return 0;
    m->is_held = is_held;
    return spool_append(m, SIZE_MAX, true);
}

static int set_due(struct spool_message *m)
{
    int ret = 0;

    for (size_t i = 0; i < m->envelope.rcpt_count && ret == 0; i++) {
        struct spool_state *s = &m->states[i];

        if (s->fate != SPOOL_WAITING || s->next_s == 0)
            continue;
        s->next_s = 0;
        ret = spool_append(m, i, false);
    }
    return ret;
}

int spool_change(struct spool_message *message, enum spool_what what)
{
    int ret = set_hold(message, what == SPOOL_HOLD);

    return ret == 0 && what == SPOOL_RETRY ? set_due(message) : ret;
}

int spool_do(struct spool *spool, const char *id, enum spool_what what)
{
    struct spool_message *m;
    int ret, error;

    if (what == SPOOL_DELETE)
        return spool_remove(spool, id);
    m = spool_read(spool, id);
    if (m == NULL)
        return -1;
    ret = spool_change(m, what);
    error = errno;
    spool_message_free(m);
    errno = error;
    return ret;
}

int spool_request_fd(struct spool *spool)
{
    char path[64];

    if (spool->watch >= 0)
        return spool->watch;
    snprintf(path, sizeof(path), "/proc/self/fd/%d",
             spool->folders[FOLDER_REQUESTS]);
    spool->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (spool->watch >= 0 &&
        inotify_add_watch(spool->watch, path, IN_CREATE | IN_MOVED_TO) < 0) {
        close(spool->watch);
        spool->watch = -1;
    }
    return spool->watch;
}
