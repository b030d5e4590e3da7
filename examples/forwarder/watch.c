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

struct watch {
    struct loop_watch watch;
    struct forwarder *fwd;
    struct file_identity read;
    int64_t look_ms, first_ms; /* ONWARD_NEVER: nothing has happened */
};

struct file_identity watch_identify(const char *path)
{
    struct file_identity id = {0};
    struct stat st;

    if (stat(path, &st) == 0)
        id = (struct file_identity){.dev = st.st_dev,
                                    .ino = st.st_ino,
                                    .size = st.st_size,
                                    .modified_s = st.st_mtim.tv_sec,
                                    .modified_ns = st.st_mtim.tv_nsec,
                                    .changed_s = st.st_ctim.tv_sec,
                                    .changed_ns = st.st_ctim.tv_nsec};
    return id;
}

static bool is_same(const struct file_identity *a,
                    const struct file_identity *b)
{
    return memcmp(a, b, sizeof(*a)) == 0; /* no padding */
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

static void follow(struct watch *w)
{
    const char *path = w->fwd->setup->settings.rules;
    char *real = realpath(path, NULL);

    if (follow_folder(w, path) < 0 ||
        (real != NULL && follow_folder(w, real) < 0))
        log_event(w->fwd, "cannot-watch", path);
    free(real);
}

void watch_follow(struct forwarder *fwd)
{
    struct watch *w = fwd->watch;
    struct file_identity id;

    if (w == NULL)
        return;
    follow(w);
    w->read = fwd->setup->rules_file;
    /* Between its reading and our watching it may have changed. */
    id = watch_identify(fwd->setup->settings.rules);
    if (!is_same(&id, &w->read)) {
        w->first_ms = host_now_ms();
        w->look_ms = w->first_ms + QUIET_MS;
    }
}

void watch_pass_over(struct forwarder *fwd, const struct file_identity *file)
{
    if (fwd->watch != NULL)
        fwd->watch->read = *file;
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
    struct file_identity id;
    const char *path;

    if (w == NULL || now_ms < w->look_ms)
        return;
    w->look_ms = ONWARD_NEVER;
    path = fwd->setup->settings.rules;
    id = watch_identify(path);
    if (is_same(&id, &w->read))
        return;
    follow(w); /* a link may lead elsewhere now */
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
    fwd->setup->rules_file = id;
}
