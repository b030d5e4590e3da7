/*
 * The rules as their file changes: the folder is watched (inotify(7)), and when
 * it has been quiet for a moment the file is read, if it is another one. A file
 * that cannot be used changes nothing. The next message goes by the new rules,
 * those under way by what they began with.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forwarder.h"
#include "host.h"
#include "load.h"

/* Editors write, rename and touch; one reading is enough for all of that. But
 * a folder that is never quiet is looked at too. */
enum { QUIET_MS = 150, PATIENCE_MS = 2000 };

/* Which file was read; all zeros: none. */
struct identity {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec modified, changed;
};

struct watch {
    struct loop_watch watch;
    struct forwarder *fwd;
    struct identity read;
    int64_t look_ms, first_ms; /* ONWARD_NEVER: nothing has happened */
};

static struct identity identify(const char *path)
{
    struct identity id = {0};
    struct stat st;

    if (stat(path, &st) == 0)
        id = (struct identity){st.st_dev, st.st_ino, st.st_size, st.st_mtim,
                               st.st_ctim};
    return id;
}

static bool is_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           is_time(a->modified, b->modified) && is_time(a->changed, b->changed);
}

/* ---- Events ------------------------------------------------------------ */

/* A file that was just made will be written yet, and then closed; a link is
 * there at once. */
static bool is_whole(const struct watch *w, uint32_t mask)
{
    struct stat st;

    return (mask & IN_CREATE) == 0 ||
           (lstat(w->fwd->setup->settings.rules, &st) == 0 &&
            (S_ISLNK(st.st_mode) || st.st_nlink > 1));
}

static void happened(struct loop_watch *watch, uint32_t events)
{
    struct watch *w =
        (struct watch *)(void *)((char *)watch - offsetof(struct watch, watch));
    _Alignas(struct inotify_event) char buf[4096];
    ssize_t len;
    bool may_be = false;
    int64_t now;

    (void)events;
    while ((len = read(watch->fd, buf, sizeof(buf))) > 0) {
        for (ssize_t at = 0; at < len;) {
            const struct inotify_event *e = (const void *)(buf + at);

            may_be = may_be || is_whole(w, e->mask);
            at += (ssize_t)sizeof(*e) + (ssize_t)e->len;
        }
    }
    if (!may_be)
        return;
    now = host_now_ms();
    if (w->look_ms == ONWARD_NEVER)
        w->first_ms = now;
    w->look_ms = now + QUIET_MS;
    if (w->look_ms > w->first_ms + PATIENCE_MS)
        w->look_ms = w->first_ms + PATIENCE_MS;
}

static int follow_folder(const struct watch *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];

    if (slash == NULL)
        snprintf(folder, sizeof(folder), ".");
    else
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path + 1), path);
    return inotify_add_watch(w->watch.fd, folder,
                             IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE);
}

/* ---- What it is for ---------------------------------------------------- */

void watch_follow(struct forwarder *fwd)
{
    struct watch *w = fwd->watch;
    const char *path = fwd->setup->settings.rules;
    char *real;

    if (w == NULL)
        return;
    real = realpath(path, NULL);
    if (follow_folder(w, path) < 0 ||
        (real != NULL && follow_folder(w, real) < 0))
        log_event(fwd, "cannot-watch", path);
    free(real);
    w->read = identify(path);
}

int watch_open(struct forwarder *fwd)
{
    struct watch *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return -1;
    w->fwd = fwd;
    w->look_ms = ONWARD_NEVER;
    w->watch.ready = happened;
    w->watch.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->watch.fd < 0 || loop_add(fwd->loop, &w->watch, EPOLLIN) != 0) {
        /* SIGHUP is there without it. */
        log_event(fwd, "cannot-watch", strerror(errno));
        if (w->watch.fd >= 0)
            close(w->watch.fd);
        free(w);
        return 0;
    }
    fwd->watch = w;
    watch_follow(fwd);
    return 0;
}

void watch_close(struct forwarder *fwd)
{
    struct watch *w = fwd->watch;

    if (w == NULL)
        return;
    loop_remove(fwd->loop, &w->watch);
    close(w->watch.fd);
    free(w);
    fwd->watch = NULL;
}

int64_t watch_deadline(const struct forwarder *fwd)
{
    return fwd->watch == NULL ? ONWARD_NEVER : fwd->watch->look_ms;
}

void watch_time(struct forwarder *fwd, int64_t now_ms)
{
    struct watch *w = fwd->watch;
    struct onward_ruleset *fresh;
    struct load_fault fault;
    struct identity id;
    const char *path;

    if (w == NULL || now_ms < w->look_ms)
        return;
    w->look_ms = ONWARD_NEVER;
    path = fwd->setup->settings.rules;
    id = identify(path);
    if (is_same(&id, &w->read))
        return;
    /* As it was before: what changes while it is read is read again. */
    watch_follow(fwd);
    w->read = id;
    fresh = load_rules(fwd->ctx, path, &fault);
    if (fresh == NULL) {
        log_event(fwd, "rules-failed", fault.text);
        return;
    }
    log_event(fwd, "rules-reloaded", path);
    audit_rules(fwd, fwd->setup->ruleset, fresh);
    onward_ruleset_free(fwd->setup->ruleset);
    fwd->setup->ruleset = fresh;
}
