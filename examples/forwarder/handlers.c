/* Handlers: which there are, and the events that wait for one. */
#define _GNU_SOURCE
#include "handlers.h"

#include <stdlib.h>
#include <string.h>

#include "handler_exec.h"
#include "handler_json.h"
#include "handler_unix.h"
#include "host.h"
#include "sending.h"

enum { COMMANDS_MAX = 100, GRACE_MS = 2000, ASKED_MAX = 1000 };
enum { HELD_MAX = 64 * 1024 * 1024 };

/* A process behind a socket. */
struct peer {
    struct peer *next;
    struct handlers *all;
    char *path;
    struct handler_unix *socket;
};

/* An action that its handler wants to hear of, as soon as it has ended. */
struct told {
    struct told *next;
    uint64_t number; /* the handler's, of the step */
    struct handler_step step;
};

/* An event in the hands of a handler. */
struct asked {
    struct asked *next, **prev;
    struct handlers *all;
    uint64_t token;
    struct onward_event *event;
    const struct onward_binding *binding; /* of the setup of its session */
    int64_t deadline_ms;
    size_t limit_s;
    struct handler_exec *exec; /* or */
    struct peer *peer;
    uint64_t id; /* there */
    struct told *told;
};

struct handlers {
    struct forwarder *fwd;
    const struct setup *setup; /* that the peers were looked through for */
    bool has_strays;           /* of an older setup, or may have */
    struct asked *asked;
    size_t asked_count, command_count;
    uint64_t last_id;
    struct peer *peers;
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
    /* Longer paths have no place in the address of a socket. */
    if (strncmp(place, "unix:/", 6) == 0 && strlen(place + 5) < 108)
        return NULL;
    return "NAME exec:COMMAND or NAME unix:/PATH, as in tickets "
           "exec:/usr/local/bin/tickets";
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
    struct asked *a =
        all->asked_count < ASKED_MAX ? calloc(1, sizeof(*a)) : NULL;

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
    all->asked_count++;
    return a;
}

static void drop(struct asked *a)
{
    if (a->peer != NULL)
        a->all->has_strays = true;
    *a->prev = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
    a->all->asked_count--;
    while (a->told != NULL) {
        struct told *t = a->told;

        a->told = t->next;
        free(t);
    }
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

/* It is over; why is NULL when all was done. */
static void end(struct asked *a, const char *why)
{
    if (why != NULL)
        fail(a, why);
    else
        onward_event_done(a->all->fwd->desk, a->token);
    drop(a);
}

/* ---- Commands ---------------------------------------------------------- */

static void command_ended(void *user, struct onward_str output, const char *why)
{
    struct asked *a = user;
    char text[512];

    a->all->command_count--;
    if (why == NULL && handler_apply(a->all->fwd->ctx, a->event, a->binding,
                                     output, text, sizeof(text)) != 0)
        why = text;
    end(a, why);
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

/* ---- Sockets ----------------------------------------------------------- */

/* How a step has ended; why: it could not begin. */
static void tell(struct asked *a, uint64_t number,
                 const struct handler_step *step, const char *why)
{
    char *text = NULL;
    size_t len = 0;
    struct json j = {.out = open_memstream(&text, &len)};

    if (j.out == NULL)
        return;
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_number(&j, "id", a->id);
    json_number(&j, "size", 0);
    json_number(&j, "step", number);
    if (why != NULL) {
        json_text(&j, "state", "wrong");
        json_text(&j, "text", why);
    } else {
        handler_write_outcome(&j, a->event, step);
    }
    json_close(&j, '}');
    if (fclose(j.out) == 0)
        handler_unix_tell(a->peer->socket, a->id,
                          (struct onward_str){text, len});
    free(text);
}

/* One action, and the event goes on. */
static void take_step(struct asked *a, uint64_t number,
                      const struct json_value *answer)
{
    const struct json_value *action = json_get(answer, "action");
    struct told *t = calloc(1, sizeof(*t));
    char why[512] = "action: expected an object";

    if (t == NULL)
        return; /* it is told by its time being up */
    t->number = number;
    if (action == NULL ||
        handler_begin_step(a->all->fwd->ctx, a->event, a->binding, action,
                           &t->step, why, sizeof(why)) != 0) {
        tell(a, number, NULL, why);
        free(t);
    } else if (t->step.is_refused || t->step.is_over) {
        tell(a, number, &t->step, NULL);
        free(t);
    } else {
        t->next = a->told;
        a->told = t;
    }
}

void handler_acted(struct forwarder *fwd, struct onward_event *event,
                   size_t action)
{
    struct asked *a = fwd->handlers == NULL ? NULL : fwd->handlers->asked;
    struct told **at, *t;

    while (a != NULL && a->event != event)
        a = a->next;
    if (a == NULL || a->peer == NULL)
        return;
    for (at = &a->told; *at != NULL && (*at)->step.action != action;)
        at = &(*at)->next;
    t = *at;
    if (t == NULL)
        return;
    *at = t->next;
    tell(a, t->number, &t->step, NULL);
    free(t);
}

/* Those that were over before have gone from the list. */
static void answered(void *user, uint64_t id, const struct json_value *answer)
{
    const struct peer *p = user;
    const struct json_value *step = json_get(answer, "step");
    struct asked *a = p->all->asked;
    char why[512];

    while (a != NULL && (a->peer != p || a->id != id))
        a = a->next;
    if (a == NULL)
        return;
    if (step != NULL && step->type == JSON_NUMBER && step->number >= 0 &&
        step->number < 9007199254740992.0) {
        take_step(a, (uint64_t)step->number, answer);
        return;
    }
    end(a, handler_follow(p->all->fwd->ctx, a->event, a->binding, answer, why,
                          sizeof(why)) == 0
               ? NULL
               : why);
}

static void lost(void *user, const char *why)
{
    const struct peer *p = user;
    struct asked *next;

    for (struct asked *a = p->all->asked; a != NULL; a = next) {
        next = a->next;
        if (a->peer == p)
            end(a, why);
    }
}

/* One connection a path, whoever names it. */
static struct peer *find_peer(struct handlers *all, const char *path)
{
    struct handler_unix_opts o = {.loop = all->fwd->loop,
                                  .path = path,
                                  .answer_max = HANDLER_OUTPUT_MAX,
                                  .held_max = HELD_MAX,
                                  .answered = answered,
                                  .lost = lost};
    struct peer *p = all->peers;

    while (p != NULL && strcmp(p->path, path) != 0)
        p = p->next;
    if (p != NULL)
        return p;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    o.user = p;
    p->all = all;
    p->path = strdup(path);
    p->socket = handler_unix_new(&o);
    if (p->path == NULL || p->socket == NULL) {
        handler_unix_free(p->socket);
        free(p->path);
        free(p);
        return NULL;
    }
    p->next = all->peers;
    all->peers = p;
    return p;
}

static bool is_asked(const struct handlers *all, const struct peer *p)
{
    const struct asked *a = all->asked;

    while (a != NULL && a->peer != p)
        a = a->next;
    return a != NULL;
}

static bool is_named(const struct settings *set, const struct peer *p)
{
    for (size_t i = 0; i < set->handlers.count; i++) {
        const char *place = place_of(set->handlers.items[i]);

        if (strncmp(place, "unix:", 5) == 0 && strcmp(place + 5, p->path) == 0)
            return true;
    }
    return false;
}

static void free_peer(struct peer *p)
{
    handler_unix_free(p->socket);
    free(p->path);
    free(p);
}

/* Those that no configuration names any more, once nobody waits for them. */
static void free_strays(struct handlers *all)
{
    struct peer **at = &all->peers;

    all->setup = all->fwd->setup;
    all->has_strays = false;
    while (*at != NULL) {
        struct peer *p = *at;

        if (is_named(&all->setup->settings, p) || is_asked(all, p)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        free_peer(p);
    }
}

static int ask_peer(struct asked *a, const char *path, char *why,
                    size_t why_size)
{
    struct peer *p = find_peer(a->all, path);

    snprintf(why, why_size, "out of memory");
    if (p == NULL)
        return -1;
    a->id = ++a->all->last_id;
    if (handler_unix_ask(p->socket, a->id, a->event, why, why_size) != 0)
        return -1;
    a->peer = p;
    return 0;
}

/* ---- All of them ------------------------------------------------------- */

/* It need not go on: nobody hears what it says. */
static void stop(struct asked *a, bool is_late)
{
    struct peer *p = a->peer;

    if (a->exec != NULL) {
        a->all->command_count--;
        handler_exec_cancel(a->exec);
    }
    a->exec = NULL;
    a->peer = NULL;
    if (p != NULL)
        handler_unix_forget(p->socket, a->id, is_late);
}

int handler_ask(struct forwarder *fwd, const struct setup *setup,
                uint64_t token, struct onward_event *event)
{
    const char *place =
        find_place(&setup->settings, onward_event_handler(event));
    struct handlers *all;
    char why[400] = "too many commands, or none can be started";
    struct asked *a;
    int ret;

    if (place == NULL)
        return ONWARD_ENOENT;
    all = open_all(fwd);
    a = all == NULL ? NULL : add(all, &setup->settings, token, event);
    if (a == NULL)
        return -1;
    a->binding = sending_binding(setup, onward_event_handler(event));
    if (strncmp(place, "unix:", 5) == 0)
        ret = ask_peer(a, place + 5, why, sizeof(why));
    else
        ret = run_command(a, place + 5);
    if (ret != 0)
        end(a, why);
    return 0;
}

void handler_cancel(struct forwarder *fwd, uint64_t token)
{
    struct asked *a = fwd->handlers == NULL ? NULL : fwd->handlers->asked;

    while (a != NULL && a->token != token)
        a = a->next;
    if (a == NULL)
        return;
    stop(a, false);
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
    struct handlers *all = fwd->handlers;
    char why[64];

    /* Not inside what a peer says, which would be freed with it. */
    if (all != NULL && (all->has_strays || all->setup != fwd->setup))
        free_strays(all);
    while (all != NULL) {
        struct asked *a = all->asked;

        /* Anew each time: with one others may be lost. */
        while (a != NULL && a->deadline_ms > now_ms)
            a = a->next;
        if (a == NULL)
            return;
        snprintf(why, sizeof(why), "took longer than %zu seconds", a->limit_s);
        stop(a, true);
        end(a, why);
    }
}

void handlers_close(struct forwarder *fwd)
{
    struct handlers *all = fwd->handlers;

    if (all == NULL)
        return;
    while (all->asked != NULL) {
        stop(all->asked, false);
        drop(all->asked);
    }
    while (all->peers != NULL) {
        struct peer *p = all->peers;

        all->peers = p->next;
        free_peer(p);
    }
    handler_exec_end_all(&all->execs);
    free(all);
    fwd->handlers = NULL;
}
