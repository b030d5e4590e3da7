/* Handlers: which there are, and the events that wait for one. */
#define _GNU_SOURCE
#include "handlers.h"

#include <stdlib.h>
#include <string.h>

#include "handler_exec.h"
#include "handler_json.h"
#include "host.h"

enum { COMMANDS_MAX = 100, GRACE_MS = 2000 };

/* An event in the hands of a handler. */
struct asked {
    struct asked *next, **prev;
    struct handlers *all;
    uint64_t token;
    struct onward_event *event;
    int64_t deadline_ms;
    size_t limit_s;
    struct handler_exec *exec;
};

struct handlers {
    struct forwarder *fwd;
    struct asked *asked;
    size_t command_count;
    struct handler_exec *execs; /* those too that only have to end */
};

/* ---- Which there are --------------------------------------------------- */

static const char *place_of(const char *value)
{
    const char *blank = strpbrk(value, " \t");

    return blank == NULL ? "" : blank + strspn(blank, " \t");
}

const char *handler_judge(const char *value)
{
    const char *place = place_of(value);

    if (strncmp(place, "exec:", 5) == 0 &&
        place[5 + strspn(place + 5, " \t")] != '\0')
        return NULL;
    return "NAME exec:COMMAND, as in tickets exec:/usr/local/bin/tickets";
}

static const char *find_place(const struct settings *set,
                              struct onward_str name)
{
    for (size_t i = 0; i < set->handlers.count; i++) {
        const char *item = set->handlers.items[i];

        if (strcspn(item, " \t") == name.len &&
            memcmp(item, name.data, name.len) == 0)
            return place_of(item);
    }
    return NULL;
}

/* ---- Those that wait --------------------------------------------------- */

static struct handlers *open_all(struct forwarder *fwd)
{
    if (fwd->handlers == NULL)
        fwd->handlers = calloc(1, sizeof(*fwd->handlers));
    if (fwd->handlers != NULL)
        fwd->handlers->fwd = fwd;
    return fwd->handlers;
}

static struct asked *add(struct handlers *all, const struct settings *set,
                         uint64_t token, struct onward_event *event)
{
    struct asked *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->all = all;
    a->token = token;
    a->event = event;
    a->limit_s = set->handler_timeout_s;
    a->deadline_ms = host_now_ms() + (int64_t)a->limit_s * 1000;
    a->next = all->asked;
    a->prev = &all->asked;
    if (a->next != NULL)
        a->next->prev = &a->next;
    all->asked = a;
    return a;
}

static void drop(struct asked *a)
{
    *a->prev = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
    free(a);
}

static void fail(struct asked *a, const char *why)
{
    struct onward_str name = onward_event_handler(a->event);
    char text[700];

    snprintf(text, sizeof(text), "%.*s: %s", (int)name.len, name.data, why);
    log_event(a->all->fwd, "handler-failed", text);
    onward_event_fail(a->all->fwd->desk, a->token, onward_str_of(why));
}

/* It has answered, or (why) has not. */
static void take_answer(struct asked *a, struct onward_str answer,
                        const char *why)
{
    struct forwarder *fwd = a->all->fwd;
    char text[512];

    if (why == NULL && handler_apply(fwd->ctx, a->event, NULL, answer, text,
                                     sizeof(text)) != 0)
        why = text;
    if (why != NULL)
        fail(a, why);
    else
        onward_event_done(fwd->desk, a->token);
    drop(a);
}

/* ---- Commands ---------------------------------------------------------- */

static void command_ended(void *user, struct onward_str output, const char *why)
{
    struct asked *a = user;

    a->all->command_count--;
    take_answer(a, output, why);
}

static char *event_text(struct onward_event *event)
{
    char *text = NULL;
    size_t len = 0;
    struct json j = {.out = open_memstream(&text, &len)};

    if (j.out == NULL)
        return NULL;
    handler_write_event(&j, NULL, event);
    if (fclose(j.out) == 0)
        return text;
    free(text);
    return NULL;
}

/* Environments have no NUL in them, nor has an address. */
static char *copy(struct onward_str s)
{
    return s.len == 0 ? calloc(1, 1) : strndup(s.data, s.len);
}

static int run_command(struct asked *a, const char *command)
{
    char *from = copy(onward_event_from(a->event));
    char *to = copy(onward_event_to(a->event));
    char *name = copy(onward_event_handler(a->event));
    char *event = event_text(a->event);
    const struct handler_exec_opts o = {.loop = a->all->fwd->loop,
                                        .command = command,
                                        .from = from,
                                        .to = to,
                                        .handler = name,
                                        .event = event,
                                        .source = onward_event_source(a->event),
                                        .output_max = HANDLER_OUTPUT_MAX,
                                        .grace_ms = GRACE_MS,
                                        .list = &a->all->execs,
                                        .done = command_ended,
                                        .user = a};

    if (a->all->command_count < COMMANDS_MAX && from != NULL && to != NULL &&
        name != NULL && event != NULL)
        a->exec = handler_exec_start(&o);
    free(from);
    free(to);
    free(name);
    free(event);
    if (a->exec == NULL)
        return -1;
    a->all->command_count++;
    return 0;
}

/* ---- All of them ------------------------------------------------------- */

/* It need not go on: nobody hears what it says. */
static void stop(struct asked *a)
{
    if (a->exec != NULL) {
        a->all->command_count--;
        handler_exec_cancel(a->exec);
    }
    a->exec = NULL;
}

int handler_ask(struct forwarder *fwd, const struct setup *setup,
                uint64_t token, struct onward_event *event)
{
    const char *place =
        find_place(&setup->settings, onward_event_handler(event));
    struct handlers *all;
    struct asked *a;

    if (place == NULL)
        return ONWARD_ENOENT;
    all = open_all(fwd);
    a = all == NULL ? NULL : add(all, &setup->settings, token, event);
    if (a == NULL)
        return -1;
    if (run_command(a, place + strlen("exec:")) == 0)
        return 0;
    log_event(fwd, "handler-failed", "a command cannot be started");
    drop(a);
    return -1;
}

void handler_cancel(struct forwarder *fwd, uint64_t token)
{
    struct asked *a = fwd->handlers == NULL ? NULL : fwd->handlers->asked;

    while (a != NULL && a->token != token)
        a = a->next;
    if (a == NULL)
        return;
    stop(a);
    drop(a);
}

int64_t handlers_deadline(const struct forwarder *fwd)
{
    int64_t at = ONWARD_NEVER;

    if (fwd->handlers == NULL)
        return at;
    for (const struct asked *a = fwd->handlers->asked; a != NULL; a = a->next) {
        if (a->deadline_ms < at)
            at = a->deadline_ms;
    }
    return at;
}

void handlers_time(struct forwarder *fwd, int64_t now_ms)
{
    struct asked *a = fwd->handlers == NULL ? NULL : fwd->handlers->asked;
    char why[64];

    while (a != NULL) {
        struct asked *next = a->next;

        if (a->deadline_ms <= now_ms) {
            snprintf(why, sizeof(why), "took longer than %zu seconds",
                     a->limit_s);
            stop(a);
            fail(a, why);
            drop(a);
        }
        a = next;
    }
}

void handlers_close(struct forwarder *fwd)
{
    struct handlers *all = fwd->handlers;

    if (all == NULL)
        return;
    while (all->asked != NULL) {
        stop(all->asked);
        drop(all->asked);
    }
    handler_exec_end_all(&all->execs);
    free(all);
    fwd->handlers = NULL;
}
