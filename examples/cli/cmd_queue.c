/*
 * onward queue list, show, retry, hold, release, delete: what waits in the
 * spool of a forwarder, and changes to it. While a forwarder works on the spool
 * it is asked to make them; else they are made here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "host.h"
#include "json.h"
#include "progress.h"
#include "queue_run.h"
#include "results.h"
#include "spool.h"
#include "style.h"

static const char default_path[] = "/var/lib/onward-forwarder/spool";

struct view {
    const struct command *command;
    struct spool *spool;
    const char *path;
    bool is_json, with_content, is_apart;
    char *own_path; /* where path is made */
    char (*ids)[SPOOL_ID_MAX];
    size_t count, cap;
    int status;
};

/* ---- One message, shown ------------------------------------------------ */

static const char *fate_name(enum spool_fate fate)
{
    return fate == SPOOL_DELIVERED ? "delivered"
           : fate == SPOOL_FAILED  ? "failed"
                                   : "waiting";
}

static void json_date(struct json *j, const char *key, int64_t s)
{
    char text[40];

    if (s == 0) {
        json_null(j, key);
        return;
    }
    results_date(s, text, sizeof(text));
    json_text(j, key, text);
}

static void json_rcpt(struct json *j, const struct spool_rcpt *r,
                      const struct spool_state *s)
{
    json_open(j, NULL, '{');
    json_str(j, "address", r->address);
    json_text(j, "fate", fate_name(s->fate));
    json_bool(j, "failover", r->is_heir != 0);
    json_number(j, "attempts", s->attempts);
    json_date(j, "last", s->last_s);
    json_date(j, "next", s->next_s);
    json_number(j, "code", s->code);
    json_text_or_null(j, "enhanced", s->enhanced);
    json_text_or_null(j, "text", s->text);
    json_text_or_null(j, "host", s->host);
    json_close(j, '}');
}

static void print_json(const struct spool_message *m)
{
    const struct spool_envelope *e = &m->envelope;
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "id", m->id);
    json_text(&j, "origin", spool_origin_name(e->origin));
    json_str_or_null(&j, "of", e->log_id);
    json_str(&j, "from", e->reverse_path);
    json_str_or_null(&j, "notices_to", e->notice_path);
    json_number(&j, "size", m->content.len);
    json_date(&j, "arrived", e->arrival_s);
    json_bool(&j, "held", m->is_held);
    json_str_or_null(&j, "place", e->place);
    json_bool(&j, "requires_tls", e->require_tls != 0);
    json_open(&j, "recipients", '[');
    for (size_t i = 0; i < e->rcpt_count; i++)
        json_rcpt(&j, &e->rcpts[i], &m->states[i]);
    json_close(&j, ']');
    json_close(&j, '}');
    json_end(&j);
}

static void print_rcpt(const struct spool_rcpt *r, const struct spool_state *s)
{
    char text[40];

    printf("    ");
    style_verdict(fate_name(s->fate));
    putchar(' ');
    results_put(r->address);
    if (r->is_heir)
        printf(", if the one before does not take it");
    if (s->attempts > 0)
        printf(", %u attempt%s", s->attempts, s->attempts == 1 ? "" : "s");
    if (s->fate == SPOOL_WAITING && s->next_s > 0) {
        results_date(s->next_s, text, sizeof(text));
        printf(", next %s", text);
    }
    if (s->code != 0)
        printf(", %u", s->code);
    results_part(" ", onward_str_of(s->enhanced));
    results_part(" ", onward_str_of(s->text));
    results_part(" by ", onward_str_of(s->host));
    putchar('\n');
}

static void print_text(const struct spool_message *m)
{
    const struct spool_envelope *e = &m->envelope;
    char text[40];

    results_date(e->arrival_s, text, sizeof(text));
    printf("%s %s %s, %llu octets, from <", m->id, text,
           spool_origin_name(e->origin), (unsigned long long)m->content.len);
    results_put(e->reverse_path);
    printf(">%s", m->is_held ? ", held" : "");
    results_part(", put apart as ", e->place);
    printf("%s\n", e->has_no_way ? ", with nowhere to go" : "");
    for (size_t i = 0; i < e->rcpt_count; i++)
        print_rcpt(&e->rcpts[i], &m->states[i]);
}

static void print_details(const struct spool_message *m)
{
    const struct spool_envelope *e = &m->envelope;

    results_line("    notices to", e->notice_path);
    results_line("    envelope id", e->envid);
    results_line("    came from", e->received_from);
    results_line("    log id", e->log_id);
    for (size_t i = 0; i < e->name_count; i++)
        results_line("    was for", e->names[i].address);
}

static int print_content(const struct spool_message *m)
{
    const struct onward_source *c = &m->content;
    char piece[65536];
    size_t got;

    for (uint64_t at = 0; at < c->len; at += got) {
        if (c->read(c->user, at, piece, sizeof(piece), &got) != 0)
            return -1;
        fwrite(piece, 1, got, stdout);
    }
    return 0;
}

static int broken(const struct view *v, const char *id)
{
    return cli_broken(v->command, "%s: %s", id,
                      errno == ENOENT    ? "no such message in the spool"
                      : errno == EBADMSG ? "the file is damaged"
                                         : strerror(errno));
}

static int show(const struct view *v, const char *id, bool is_list)
{
    struct spool_message *m = spool_read(v->spool, id);
    int ret = 0;

    if (m == NULL) {
        /* Gone since the list was read: delivered. */
        return is_list && errno == ENOENT ? CLI_DONE : broken(v, id);
    }
    if (v->with_content) {
        ret = print_content(m);
    } else if (v->is_json) {
        print_json(m);
    } else {
        print_text(m);
        if (!is_list)
            print_details(m);
    }
    spool_message_free(m);
    return ret == 0 ? CLI_DONE : broken(v, id);
}

/* ---- All of them ------------------------------------------------------- */

static bool keep_id(void *user, const char *id)
{
    struct view *v = user;

    if (v->count == v->cap) {
        size_t cap = v->cap == 0 ? 256 : v->cap * 2;
        void *more = realloc(v->ids, cap * sizeof(*v->ids));

        if (more == NULL) {
            v->status = cli_broken(v->command, "out of memory");
            return false;
        }
        v->ids = more;
        v->cap = cap;
    }
    snprintf(v->ids[v->count++], SPOOL_ID_MAX, "%s", id);
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The oldest first: an id begins with its time. */
static int list(struct view *v)
{
    struct progress progress;

    if (spool_each(v->spool, keep_id, v) != 0)
        return cli_broken(v->command, "%s: %s", v->path, strerror(errno));
    if (v->count > 1)
        qsort(v->ids, v->count, sizeof(*v->ids), compare);
    progress_begin(&progress, "reading the spool", "messages", v->count,
                   PROGRESS_MESSAGES, false);
    for (size_t i = 0; i < v->count; i++) {
        int one = show(v, v->ids[i], true);

        v->status = one > v->status ? one : v->status;
        progress_at(&progress, i + 1);
    }
    progress_end(&progress);
    if (!v->is_json)
        printf("%zu message%s\n", v->count, v->count == 1 ? "" : "s");
    return v->status;
}

/* ---- Changes ----------------------------------------------------------- */

enum { WAIT_MS = 5000, LOCKED_MS = 1000 };

/* state: "done", "asked" (and not answered yet) or "later"; more: the same for
 * people. */
static void print_change(const struct view *v, const char *id,
                         enum spool_what what, const char *state,
                         const char *more)
{
    struct json j = {0};

    if (!v->is_json) {
        printf("%s: %s%s%s\n", id, spool_what_name(what),
               more == NULL ? "" : " ", more == NULL ? "" : more);
        return;
    }
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "id", id);
    json_text(&j, "change", spool_what_name(what));
    json_text(&j, "state", state);
    json_close(&j, '}');
    json_end(&j);
}

/* Somebody works on the spool: he is asked, and mostly answers at once. */
static int ask(const struct view *v, const char *id, enum spool_what what)
{
    struct spool_message *m = spool_read(v->spool, id);

    if (m == NULL && errno != EBADMSG)
        return broken(v, id);
    spool_message_free(m);
    if (spool_ask(v->spool, id, what) != 0)
        return broken(v, id);
    for (int i = 0; i < WAIT_MS / 20 && spool_is_asked(v->spool, id, what); i++)
        usleep(20000);
    if (spool_is_asked(v->spool, id, what))
        print_change(v, id, what, "asked",
                     "was asked for, the forwarder is busy");
    else if (v->is_apart && spool_has(v->spool, id))
        return cli_broken(v->command,
                          "%s: not done, the forwarder's log has "
                          "why",
                          id);
    else
        print_change(v, id, what, "done", NULL);
    return CLI_DONE;
}

/* Only a forwarder knows whether its destinations are verified still. */
static int ask_for_later(const struct view *v, const char *id)
{
    struct spool_message *m = spool_read(v->spool, id);

    if (m == NULL)
        return broken(v, id);
    spool_message_free(m);
    if (spool_ask(v->spool, id, SPOOL_RELEASE) != 0)
        return broken(v, id);
    if (v->is_json)
        print_change(v, id, SPOOL_RELEASE, "later", NULL);
    else
        printf("%s: released as soon as a forwarder runs\n", id);
    return CLI_DONE;
}

static int change(const struct view *v, struct spool *own, const char *id,
                  enum spool_what what)
{
    if (own == NULL)
        return ask(v, id, what);
    if (!spool_is_id(id)) {
        errno = ENOENT;
        return broken(v, id);
    }
    if (v->is_apart && what == SPOOL_RELEASE)
        return ask_for_later(v, id);
    if (spool_do(own, id, what) != 0)
        return broken(v, id);
    print_change(v, id, what, "done", NULL);
    return CLI_DONE;
}

/* As long as somebody changes them here no forwarder can start: not for long at
 * a time. One that has started meanwhile is asked. */
static int change_some(struct view *v, const struct args *args, int *at,
                       enum spool_what what)
{
    const int64_t end_ms = host_now_ms() + LOCKED_MS;
    char fault[600];
    struct spool *own = spool_open(v->path, SPOOL_WORK, fault, sizeof(fault));

    if (own == NULL && errno != EWOULDBLOCK)
        return cli_broken(v->command, "%s", fault);
    do {
        int one = change(v, own, args->items[(*at)++], what);

        v->status = one > v->status ? one : v->status;
    } while (*at < args->count && host_now_ms() < end_ms);
    spool_close(own);
    return CLI_DONE;
}

static int change_all(struct view *v, const struct args *args,
                      enum spool_what what)
{
    for (int at = 0; at < args->count;) {
        int status = change_some(v, args, &at, what);

        if (status != CLI_DONE)
            return status;
    }
    return v->status;
}

/* ---- The subcommands --------------------------------------------------- */

/* Of the spool, or of the quarantine in it. */
static int open_view(struct view *v)
{
    char fault[600], path[4096];
    int len = snprintf(path, sizeof(path), "%s/quarantine", v->path);

    if (len < 0 || (size_t)len >= sizeof(path))
        return cli_broken(v->command, "%s: too long", v->path);
    if (v->is_apart)
        v->path = v->own_path = strdup(path);
    if (v->path == NULL)
        return cli_broken(v->command, "out of memory");
    v->spool = spool_open(v->path, SPOOL_LOOK, fault, sizeof(fault));
    return v->spool == NULL ? cli_broken(v->command, "%s", fault) : CLI_DONE;
}

int queue_run(const struct command *command, struct args args,
              enum spool_what what, bool is_list, bool is_apart)
{
    struct view v = {
        .command = command, .path = default_path, .is_apart = is_apart};
    struct option change_options[] = {
        {"spool", OPTION_TEXT, &v.path, "DIR", "the folder of the spool", false,
         false},
        {"json", OPTION_FLAG, &v.is_json, NULL, "print one JSON object a line",
         false, false},
        OPTIONS_END,
    };
    struct option show_options[] = {
        {"spool", OPTION_TEXT, &v.path, "DIR", "the folder of the spool", false,
         false},
        {"json", OPTION_FLAG, &v.is_json, NULL, "print one JSON object a line",
         false, false},
        {is_list ? NULL : "content", OPTION_FLAG, &v.with_content, NULL,
         "print the message itself, and nothing else", false, false},
        OPTIONS_END,
    };
    int status = cli_options(
        command, what == SPOOL_NOTHING ? show_options : change_options, &args);

    if (status >= 0)
        return status;
    if (!is_list && args.count == 0)
        return cli_usage(command, "no ID, expected one that %s list shows",
                         is_apart ? "quarantine" : "queue");
    if (is_list && args.count > 0)
        return cli_usage(command, "\"%s\", expected no operand", args.items[0]);
    v.status = open_view(&v);
    if (v.status != CLI_DONE) {
        free(v.own_path);
        return v.status;
    }
    if (is_list) {
        v.status = list(&v);
    } else if (what != SPOOL_NOTHING) {
        v.status = change_all(&v, &args, what);
    } else {
        for (int i = 0; i < args.count; i++) {
            status = show(&v, args.items[i], false);
            v.status = status > v.status ? status : v.status;
        }
    }
    spool_close(v.spool);
    free(v.own_path);
    free(v.ids);
    return v.status;
}

static int run_list(const struct command *command, struct args args)
{
    return queue_run(command, args, SPOOL_NOTHING, true, false);
}

static int run_show(const struct command *command, struct args args)
{
    return queue_run(command, args, SPOOL_NOTHING, false, false);
}

static int run_retry(const struct command *command, struct args args)
{
    return queue_run(command, args, SPOOL_RETRY, false, false);
}

static int run_hold(const struct command *command, struct args args)
{
    return queue_run(command, args, SPOOL_HOLD, false, false);
}

static int run_release(const struct command *command, struct args args)
{
    return queue_run(command, args, SPOOL_RELEASE, false, false);
}

static int run_delete(const struct command *command, struct args args)
{
    return queue_run(command, args, SPOOL_DELETE, false, false);
}

#define WHERE                                                                  \
    "The spool is that of onward-forwarder(8), by default "                    \
    "/var/lib/onward-forwarder/spool.\n"
#define ASKS                                                                   \
    WHERE "A forwarder that works on it is asked to do so; else it is done "   \
          "at once.\n"

const struct command command_queue_list = {
    .name = "queue list",
    .operands = "",
    .summary = "List the messages that wait in a forwarder's spool",
    .details = "The oldest first, its recipients below it: how far each has "
               "come, and what was\nsaid to it last.\n" WHERE,
    .examples = "onward queue list --spool spool\n"
                "onward queue list --spool spool --json\n",
    .run = run_list,
};

const struct command command_queue_show = {
    .name = "queue show",
    .operands = "ID...",
    .summary = "Show a message that waits, and its envelope",
    .details = WHERE,
    .examples =
        "onward queue show --spool spool 0658d4f3e6a800-1f2e3d4c\n"
        "onward queue show --spool spool --content 0658d4f3e6a800-1f2e3d4c\n",
    .run = run_show,
};

const struct command command_queue_retry = {
    .name = "queue retry",
    .operands = "ID...",
    .summary = "Try a message now, also one that is held",
    .details = ASKS,
    .examples = "onward queue retry --spool spool 0658d4f3e6a800-1f2e3d4c\n",
    .run = run_retry,
};

const struct command command_queue_hold = {
    .name = "queue hold",
    .operands = "ID...",
    .summary = "Keep a message from being tried",
    .details = ASKS,
    .examples = "onward queue hold --spool spool 0658d4f3e6a800-1f2e3d4c\n",
    .run = run_hold,
};

const struct command command_queue_release = {
    .name = "queue release",
    .operands = "ID...",
    .summary = "Let a message that is held be tried in its time again",
    .details = ASKS,
    .examples = "onward queue release --spool spool 0658d4f3e6a800-1f2e3d4c\n",
    .run = run_release,
};

const struct command command_queue_delete = {
    .name = "queue delete",
    .operands = "ID...",
    .summary = "Delete a message; nobody is told",
    .details = ASKS,
    .examples = "onward queue delete --spool spool 0658d4f3e6a800-1f2e3d4c\n",
    .run = run_delete,
};
