/*
 * A disk that fails, for the tests of the spool: preloaded, it stands before
 * what the program does below a folder called "spool".
 *
 *     FAULT_KILL=N,WHEN   the Nth step is the last: SIGKILL "before" it, "after"
 *                         it, or with half of its octets written ("half")
 *     FAULT_FILE=PATH     while that file is there, the calls that it names fail
 *                         with the number behind them, so many times in all:
 *                         "pwrite 28 1000\n"; in one folder: "fsync@new 5 1\n"
 *     FAULT_TRACE=PATH    a line for each step
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum when { NEVER, BEFORE, HALF, AFTER };

static long steps;

/* With large files the names in the C library end in 64; the compiler has seen
 * to that for ours. */
static void *real(const char *name)
{
    char large[32];
    void *call;

    snprintf(large, sizeof(large), "%s64", name);
    call = dlsym(RTLD_NEXT, large);
    return call != NULL ? call : dlsym(RTLD_NEXT, name);
}

static int is_spool(int fd)
{
    char link[64], path[4096];
    ssize_t len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    if (len <= 0)
        return 0;
    path[len] = '\0';
    return strstr(path, "/spool") != NULL;
}

static void trace(const char *call, int fd, const char *name)
{
    const char *path = getenv("FAULT_TRACE");
    char link[64], where[4096], line[4400];
    const char *folder;
    ssize_t len;
    int out;

    if (path == NULL)
        return;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, where, sizeof(where) - 1);
    where[len > 0 ? len : 0] = '\0';
    folder = strstr(where, "/spool");
    snprintf(line, sizeof(line), "%s %s %s\n", call,
             folder != NULL ? folder + 1 : where, name);
    out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out >= 0) {
        if (write(out, line, strlen(line)) < 0)
            abort();
        close(out);
    }
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    pause();
}

/* Is that step the last one? */
static enum when last(void)
{
    const char *text = getenv("FAULT_KILL");
    const char *comma = text == NULL ? NULL : strchr(text, ',');

    steps++;
    if (comma == NULL || atol(text) != steps)
        return NEVER;
    return comma[1] == 'b' ? BEFORE : comma[1] == 'h' ? HALF : AFTER;
}

static int is_in(int fd, const char *folder)
{
    char link[64], path[4096];
    ssize_t len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    path[len > 0 ? len : 0] = '\0';
    return strstr(path, folder) != NULL;
}

/* What a call is to fail with now; 0: nothing. */
static int failing(const char *call, int fd)
{
    static int failed;
    const char *path = getenv("FAULT_FILE");
    FILE *f = path == NULL ? NULL : fopen(path, "re");
    char name[64], *at;
    int error, times, found = 0;

    if (f == NULL)
        failed = 0;
    while (f != NULL && fscanf(f, "%63s %d %d", name, &error, &times) == 3) {
        at = strchr(name, '@');
        if (at != NULL)
            *at = '\0';
        if (strcmp(name, call) == 0 && failed < times &&
            (at == NULL || is_in(fd, at + 1)))
            found = error;
    }
    if (f != NULL)
        fclose(f);
    failed += found != 0;
    return found;
}

/* -1: it fails, with errno. Else when to die. */
static int begin(const char *call, int fd, const char *name, enum when *when)
{
    int error;

    *when = NEVER;
    if (!is_spool(fd))
        return 0;
    error = failing(call, fd);
    if (error != 0) {
        errno = error;
        return -1;
    }
    trace(call, fd, name);
    *when = last();
    if (*when == BEFORE)
        die();
    return 0;
}

static int end(enum when when, int ret)
{
    if (when != NEVER)
        die();
    return ret;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    ssize_t (*call)(int, const void *, size_t, off_t);
    enum when when;
    ssize_t ret;

    *(void **)&call = real("pwrite");
    if (begin("pwrite", fd, "", &when) != 0)
        return -1;
    ret = call(fd, data, when == HALF ? len / 2 : len, at);
    if (when != NEVER)
        die();
    return ret;
}

int fsync(int fd)
{
    int (*call)(int);
    enum when when;

    *(void **)&call = real("fsync");
    return begin("fsync", fd, "", &when) != 0 ? -1 : end(when, call(fd));
}

int fdatasync(int fd)
{
    int (*call)(int);
    enum when when;

    *(void **)&call = real("fdatasync");
    return begin("fdatasync", fd, "", &when) != 0 ? -1 : end(when, call(fd));
}

int ftruncate(int fd, off_t len)
{
    int (*call)(int, off_t);
    enum when when;

    *(void **)&call = real("ftruncate");
    return begin("ftruncate", fd, "", &when) != 0 ? -1
                                                  : end(when, call(fd, len));
}

int linkat(int from, const char *a, int to, const char *b, int flags)
{
    int (*call)(int, const char *, int, const char *, int);
    enum when when;

    *(void **)&call = real("linkat");
    return begin("linkat", to, b, &when) != 0
               ? -1
               : end(when, call(from, a, to, b, flags));
}

int unlinkat(int fd, const char *name, int flags)
{
    int (*call)(int, const char *, int);
    enum when when;

    *(void **)&call = real("unlinkat");
    return begin("unlinkat", fd, name, &when) != 0
               ? -1
               : end(when, call(fd, name, flags));
}

int openat(int fd, const char *name, int flags, ...)
{
    int (*call)(int, const char *, int, ...);
    enum when when = NEVER;
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if (flags & O_CREAT)
        mode = va_arg(args, mode_t);
    va_end(args);
    *(void **)&call = real("openat");
    if (flags & O_CREAT) {
        if (begin("openat", fd, name, &when) != 0)
            return -1;
    } else if (is_spool(fd)) {
        int error = failing("openat", fd);

        if (error != 0) {
            errno = error;
            return -1;
        }
    }
    return end(when, call(fd, name, flags, mode));
}
