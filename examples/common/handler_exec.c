#define _GNU_SOURCE
#include "handler_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 65536 };

struct handler_exec {
    struct handler_exec *next, **prev; /* of opts.list */
    struct handler_exec_opts opts;
    struct onward_source source;
    struct loop_watch in, out, process, timer; /* fd -1: closed */
    pid_t pid;
    uint64_t sent;
    char *output;
    size_t len, cap;
    bool is_over; /* who asked has heard, or does not want to */
    bool is_dead; /* waited for */
    int status;
    const char *fault; /* ours */
    char piece[PIECE];
    size_t piece_at, piece_len;
};

#define EXEC_OF(watch, member)                                                 \
    ((struct handler_exec *)(void *)((char *)(watch)-offsetof(                 \
        struct handler_exec, member)))

static void stop(struct handler_exec *x, struct loop_watch *watch)
{
    if (watch->fd < 0)
        return;
    loop_remove(x->opts.loop, watch);
    close(watch->fd);
    watch->fd = -1;
}

static void destroy(struct handler_exec *x)
{
    stop(x, &x->in);
    stop(x, &x->out);
    stop(x, &x->process);
    stop(x, &x->timer);
    if (x->prev != NULL)
        *x->prev = x->next;
    if (x->next != NULL)
        x->next->prev = x->prev;
    free(x->output);
    free(x);
}

/* ---- Its end, when we want it ------------------------------------------ */

static void check_end(struct handler_exec *x);

/* What it left behind is of no use to anybody, and may hold the pipe. Not
 * waited for before, so that the number of the group is still its own. */
static void bury(struct handler_exec *x)
{
    kill(-x->pid, SIGKILL);
    waitpid(x->pid, &x->status, 0);
    x->is_dead = true;
    stop(x, &x->process);
    stop(x, &x->timer);
    stop(x, &x->in);
    check_end(x);
}

static void is_overdue(struct loop_watch *watch, uint32_t events)
{
    struct handler_exec *x = EXEC_OF(watch, timer);

    (void)events;
    stop(x, &x->timer);
    if (x->process.fd < 0)
        bury(x);
    else
        kill(-x->pid, SIGKILL);
}

static bool set_timer(struct handler_exec *x)
{
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(x->opts.grace_ms / 1000),
                     .tv_nsec = (long)(x->opts.grace_ms % 1000) * 1000000}};

    if (x->opts.grace_ms == 0 || x->timer.fd >= 0)
        return x->timer.fd >= 0;
    x->timer = (struct loop_watch){
        .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
        .ready = is_overdue};
    if (x->timer.fd < 0)
        return false;
    if (timerfd_settime(x->timer.fd, 0, &when, NULL) == 0 &&
        loop_add(x->opts.loop, &x->timer, EPOLLIN) == 0)
        return true;
    close(x->timer.fd);
    x->timer.fd = -1;
    return false;
}

/* The group, with all that the command has started and did not take out. */
static void kill_all(struct handler_exec *x)
{
    if (!x->is_dead)
        kill(-x->pid, set_timer(x) ? SIGTERM : SIGKILL);
}

static const char *outcome(struct handler_exec *x, char *text, size_t size)
{
    if (x->fault != NULL)
        return x->fault;
    if (WIFSIGNALED(x->status)) {
        snprintf(text, size, "killed by signal %d", WTERMSIG(x->status));
        return text;
    }
    if (WEXITSTATUS(x->status) != 0) {
        snprintf(text, size, "exit status %d", WEXITSTATUS(x->status));
        return text;
    }
    return NULL;
}

static void tell(struct handler_exec *x)
{
    char text[64];
    const char *why = outcome(x, text, sizeof(text));

    x->is_over = true;
    x->opts.done(x->opts.user, (struct onward_str){x->output, x->len}, why);
}

/* Has the command ended, and nobody holds its output any more? */
static void check_end(struct handler_exec *x)
{
    if (!x->is_over && x->is_dead && x->out.fd < 0)
        tell(x);
    if (x->is_over && x->is_dead)
        destroy(x);
}

/* By our own fault or its own: who asked need not wait until it is dead. */
static void give_up(struct handler_exec *x, const char *fault)
{
    x->fault = fault;
    kill_all(x);
    stop(x, &x->in);
    stop(x, &x->out);
    tell(x);
    check_end(x);
}

/* ---- Its input --------------------------------------------------------- */

/* 1; 0: that was all; -1: it cannot be read. */
static int read_piece(struct handler_exec *x)
{
    size_t got = 0;

    if (x->sent >= x->source.len)
        return 0;
    if (x->source.read(x->source.user, x->sent, x->piece, PIECE, &got) != 0 ||
        got == 0)
        return -1;
    x->sent += got;
    x->piece_at = 0;
    x->piece_len = got;
    return 1;
}

static void feed(struct loop_watch *watch, uint32_t events)
{
    struct handler_exec *x = EXEC_OF(watch, in);

    (void)events;
    for (;;) {
        int more = x->piece_at < x->piece_len ? 1 : read_piece(x);
        ssize_t n;

        if (more < 0) {
            give_up(x, "the message cannot be read");
            return;
        }
        if (more == 0)
            break;
        n = write(x->in.fd, x->piece + x->piece_at, x->piece_len - x->piece_at);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        /* It does not want to read all of it: that is its choice. */
        if (n < 0)
            break;
        x->piece_at += (size_t)n;
    }
    stop(x, &x->in);
}

/* ---- Its output -------------------------------------------------------- */

static bool make_room(struct handler_exec *x)
{
    size_t cap = x->cap == 0 ? 16384 : x->cap * 2;
    char *more;

    if (x->len < x->cap)
        return true;
    if (cap > x->opts.output_max)
        cap = x->opts.output_max;
    more = cap <= x->cap ? NULL : realloc(x->output, cap);
    if (more == NULL)
        return false;
    x->output = more;
    x->cap = cap;
    return true;
}

static void take(struct loop_watch *watch, uint32_t events)
{
    struct handler_exec *x = EXEC_OF(watch, out);

    (void)events;
    for (;;) {
        ssize_t n;

        if (!make_room(x)) {
            give_up(x, "the answer is too long");
            return;
        }
        n = read(x->out.fd, x->output + x->len, x->cap - x->len);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0)
            break;
        x->len += (size_t)n;
    }
    stop(x, &x->out);
    check_end(x);
}

/* ---- Its life ---------------------------------------------------------- */

static void ended(struct loop_watch *watch, uint32_t events)
{
    struct handler_exec *x = EXEC_OF(watch, process);
    siginfo_t info = {0};

    (void)events;
    if (waitid(P_PID, (id_t)x->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid != x->pid)
        return;
    /* The shell obeys at once; what it has started may still put its things in
     * order. */
    if (x->timer.fd >= 0)
        stop(x, &x->process);
    else
        bury(x);
}

static void run_child(const struct handler_exec_opts *o, int in, int out)
{
    sigset_t none;

    sigemptyset(&none);
    setpgid(0, 0);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
        _exit(126);
    close_range(3, ~0U, 0);
    setenv("ONWARD_FROM", o->from, 1);
    setenv("ONWARD_TO", o->to, 1);
    setenv("ONWARD_HANDLER", o->handler, 1);
    setenv("ONWARD_EVENT", o->event, 1);
    execl("/bin/sh", "sh", "-c", o->command, (char *)NULL);
    _exit(127);
}

static bool watch(struct handler_exec *x, int in, int out, int process)
{
    x->in = (struct loop_watch){.fd = in, .ready = feed};
    x->out = (struct loop_watch){.fd = out, .ready = take};
    x->process = (struct loop_watch){.fd = process, .ready = ended};
    return fcntl(in, F_SETFL, O_NONBLOCK) == 0 &&
           fcntl(out, F_SETFL, O_NONBLOCK) == 0 &&
           loop_add(x->opts.loop, &x->in, EPOLLOUT) == 0 &&
           loop_add(x->opts.loop, &x->out, EPOLLIN) == 0 &&
           loop_add(x->opts.loop, &x->process, EPOLLIN) == 0;
}

static bool start(struct handler_exec *x)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    int process = -1;

    if (pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0)
        x->pid = fork();
    if (x->pid == 0 && in[0] >= 0 && out[0] >= 0)
        run_child(&x->opts, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    if (x->pid > 0) {
        setpgid(x->pid, x->pid); /* whoever is first */
        process = (int)syscall(SYS_pidfd_open, x->pid, 0);
        if (process >= 0 && watch(x, in[1], out[0], process))
            return true;
        kill(-x->pid, SIGKILL);
        waitpid(x->pid, &x->status, 0);
        x->is_dead = true;
    }
    close(in[1]);
    close(out[0]);
    if (process >= 0)
        close(process);
    return false;
}

struct handler_exec *handler_exec_start(const struct handler_exec_opts *opts)
{
    struct handler_exec *x = calloc(1, sizeof(*x));

    if (x == NULL)
        return NULL;
    x->opts = *opts;
    x->source = *opts->source;
    x->pid = -1;
    x->timer.fd = -1;
    if (!start(x)) {
        free(x);
        return NULL;
    }
    if (opts->list != NULL) {
        x->next = *opts->list;
        x->prev = opts->list;
        if (x->next != NULL)
            x->next->prev = &x->next;
        *opts->list = x;
    }
    return x;
}

void handler_exec_cancel(struct handler_exec *x)
{
    x->is_over = true;
    kill_all(x);
    stop(x, &x->in);
    stop(x, &x->out);
    check_end(x);
}

void handler_exec_end_all(struct handler_exec **list)
{
    while (*list != NULL) {
        struct handler_exec *x = *list;

        if (!x->is_dead) {
            kill(-x->pid, SIGKILL);
            waitpid(x->pid, NULL, 0);
        }
        destroy(x);
    }
}
