/* onward-opensmtpd-filter: start, listen to smtpd, reload, stop. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "log_line.h"
#include "smtpd_filter.h"

enum { FAULT_MAX = 1100, READ_MAX = 65536 };

static const char usage[] =
    "usage: onward-opensmtpd-filter --config FILE [--check]\n"
    "\n"
    "  --config FILE  read settings from FILE (see "
    "onward-opensmtpd-filter(8))\n"
    "  --check        only look whether the configuration can be used\n"
    "  --version      print the version\n"
    "  --help         print this\n"
    "\n"
    "example, in smtpd.conf:\n"
    "  filter onward proc-exec \"/usr/bin/onward-opensmtpd-filter --config "
    "/etc/onward/opensmtpd-filter.conf\"\n";

/* ---- Log --------------------------------------------------------------- */

static int log_open(struct program *p, char *fault, size_t fault_size)
{
    return log_line_open(&p->log, p->setup->settings.log, fault, fault_size);
}

void log_event(const struct program *p, const char *event, const char *detail)
{
    if (p->log != NULL)
        log_line_event(p->log, event, detail);
}

void log_message(const struct program *p, const struct filter *f, uint64_t id)
{
    char text[24];
    struct json j;

    snprintf(text, sizeof(text), "%016llx", (unsigned long long)id);
    log_line_begin(&j, p->log, "message");
    json_text(&j, "id", text);
    filter_log(f, &j);
    log_line_end(&j);
}

static void library_log(void *user, const struct onward_log_event *e)
{
    char text[700];

    if (e->level > ONWARD_LOG_WARN)
        return;
    snprintf(text, sizeof(text), "%s %s %.*s", e->module, e->code,
             (int)e->detail.len, e->detail.data);
    log_event(user, "library", text);
}

/* ---- What smtpd says --------------------------------------------------- */

static void sign_on(struct program *p)
{
    static const char *const wanted[] = {"report|smtp-in|link-connect",
                                         "report|smtp-in|link-identify",
                                         "report|smtp-in|link-auth",
                                         "report|smtp-in|link-disconnect",
                                         "report|smtp-in|tx-mail",
                                         "report|smtp-in|tx-rcpt",
                                         "report|smtp-in|tx-rollback",
                                         "report|smtp-in|tx-reset",
                                         "filter|smtp-in|data-line",
                                         "filter|smtp-in|commit",
                                         "ready"};

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        fprintf(p->out, "register|%s\n", wanted[i]);
    p->is_ready = true;
}

static void broken(struct program *p, const char *why)
{
    log_event(p, "bad-input", why);
    p->is_broken = p->is_over = true;
}

static void take_line(struct program *p, struct onward_str text)
{
    struct line line;

    line_read(text, &line);
    switch (line.kind) {
    case LINE_CONFIG:
        if (!p->is_ready && line_is(line.name, "ready"))
            sign_on(p);
        return;
    case LINE_REPORT:
    case LINE_FILTER:
        if (p->is_ready)
            session_line(p, &line);
        else
            broken(p, "events before \"config|ready\"");
        return;
    case LINE_BROKEN:
        /* Whose message the next line belongs to cannot be known. */
        broken(p, "not a line of the protocol 0.6 or later");
        return;
    }
}

static int make_room(struct program *p)
{
    struct input *in = &p->line;
    size_t room = in->room == 0 ? 2 * READ_MAX : in->room * 2;
    char *data;

    if (in->room - in->len >= READ_MAX)
        return 0;
    if (in->len > LINE_MAX_LEN) {
        broken(p, "a line without an end");
        return -1;
    }
    data = realloc(in->data, room);
    if (data == NULL) {
        broken(p, "out of memory");
        return -1;
    }
    in->data = data;
    in->room = room;
    return 0;
}

static void take_lines(struct program *p, size_t from)
{
    struct input *in = &p->line;
    size_t start = 0;
    char *lf;

    while (!p->is_over && from < in->len &&
           (lf = memchr(in->data + from, '\n', in->len - from)) != NULL) {
        size_t stop = (size_t)(lf - in->data);

        take_line(p, (struct onward_str){in->data + start, stop - start});
        start = from = stop + 1;
    }
    in->len -= start;
    memmove(in->data, in->data + start, in->len);
}

static void readable(struct loop_watch *watch, uint32_t events)
{
    struct program *p =
        (struct program *)(void *)((char *)watch -
                                   offsetof(struct program, input));
    struct input *in = &p->line;
    size_t before = in->len;
    ssize_t n;

    (void)events;
    if (make_room(p) != 0)
        return;
    do {
        n = read(watch->fd, in->data + in->len, READ_MAX);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        p->is_over = true;
        return;
    }
    in->len += (size_t)n;
    take_lines(p, before);
}

/* ---- Signals ----------------------------------------------------------- */

static void reload(void *user)
{
    struct program *p = user;
    char fault[FAULT_MAX];
    int status;
    struct setup *old = p->setup;
    struct setup *fresh = setup_new(p, fault, sizeof(fault), &status);

    if (fresh != NULL) {
        p->setup = fresh;
        if (log_open(p, fault, sizeof(fault)) != 0) {
            p->setup = old;
            setup_free(fresh);
            fresh = NULL;
        }
    }
    if (fresh == NULL) {
        log_event(p, "reload-failed", fault);
        return;
    }
    /* Messages under way hold the old one. */
    setup_free(old);
    log_event(p, "reloaded", p->config_path);
}

static void end(void *user)
{
    struct program *p = user;

    p->is_over = true;
}

/* ---- Running ----------------------------------------------------------- */

static void run(struct program *p)
{
    while (!p->is_over) {
        int64_t now = host_now_ms();
        int64_t at = onward_desk_deadline(p->desk);

        if (at > now + 60000)
            at = now + 60000;
        loop_turn(p->loop, at <= now ? 0 : (int)(at - now));
        onward_desk_run(p->desk, host_now_ms());
        /* What was decided in this turn; smtpd reads without waiting for us. */
        if (fflush(p->out) != 0)
            p->is_over = true;
    }
}

static int serve(struct program *p, char *fault, size_t fault_size)
{
    if (log_open(p, fault, fault_size) != 0)
        return EXIT_UNUSABLE;
    p->input = (struct loop_watch){.fd = STDIN_FILENO, .ready = readable};
    p->signals =
        (struct service_signals){.user = p, .reload = reload, .end = end};
    if (service_catch(&p->signals, p->loop, fault, fault_size) != 0)
        return EXIT_UNUSABLE;
    if (loop_add(p->loop, &p->input, EPOLLIN) != 0) {
        snprintf(fault, fault_size,
                 "standard input: %s, expected a pipe from OpenSMTPD",
                 strerror(errno));
        return EXIT_UNUSABLE;
    }
    run(p);
    if (!p->is_broken)
        return 0;
    snprintf(fault, fault_size, "what smtpd says is not understood");
    return EXIT_UNUSABLE;
}

/* ---- Start and end ----------------------------------------------------- */

static void tear_down(struct program *p)
{
    session_free_all(p);
    setup_free(p->setup);
    if (p->desk != NULL)
        onward_desk_free(p->desk);
    onward_ctx_free(p->ctx);
    loop_free(p->loop);
    free(p->line.data);
    service_uncatch(&p->signals);
    if (p->log != NULL && p->log != stderr)
        fclose(p->log);
}

static int start(struct program *p, bool is_check)
{
    const struct onward_log log = {
        .size = sizeof(log), .user = p, .event = library_log};
    char fault[FAULT_MAX] = "out of memory";
    int status = EXIT_UNUSABLE;

    p->out = stdout;
    p->loop = loop_new();
    p->ctx = host_ctx_new(&log);
    if (p->loop != NULL && p->ctx != NULL &&
        onward_desk_new(p->ctx, NULL, &p->desk) == 0)
        p->setup = setup_new(p, fault, sizeof(fault), &status);
    if (p->setup != NULL)
        status = is_check ? 0 : serve(p, fault, sizeof(fault));
    if (status != 0)
        host_complain("onward-opensmtpd-filter", "%s", fault);
    tear_down(p);
    return status;
}

int main(int argc, char **argv)
{
    struct service_args args = {0};
    int status =
        service_read_args("onward-opensmtpd-filter", usage, argc, argv, &args);
    struct program p = {.config_path = args.config_path};

    return status >= 0 ? status : start(&p, args.is_check);
}
