/* onward tlsrpt send --dry-run: the reports that the forwarder has not sent
 * yet (RFC 8460). */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <onward/tlsrpt_collector.h>

#include "cli.h"
#include "host.h"
#include "keeping.h"
#include "options.h"
#include "world.h"

struct showing {
    const struct command *command;
    struct world world;
    struct keeping keeping;
    int64_t day_s; /* -1: all */
    size_t shown;
    bool is_over;
    int err;
};

static void show(void *user, uint64_t token,
                 struct onward_tlsrpt_report *report)
{
    struct showing *s = user;
    struct onward_tlsrpt_facts facts = {.size = sizeof(facts)};
    struct onward_str json;

    onward_tlsrpt_report_facts(report, &facts);
    if (s->day_s < 0 || s->day_s == facts.begin_s) {
        s->err = onward_tlsrpt_report_json(report, &json);
        if (s->err == 0)
            printf("%.*s\n", (int)json.len, json.data);
        s->shown++;
    }
    onward_tlsrpt_collector_answer(s->world.desk, token, ONWARD_TLSRPT_NOT_NOW);
}

static void all_shown(void *user, int err)
{
    struct showing *s = user;

    s->is_over = true;
    if (err != 0)
        s->err = err;
}

static int collect(struct showing *s)
{
    const struct keeping *k = &s->keeping;
    const struct onward_tlsrpt_collector_opts o = {
        .size = sizeof(o),
        .store = k->lmdb != NULL ? lmdb_store_handle(k->lmdb)
                                 : redis_store_handle(k->shelf.redis),
        .organization = ONWARD_STR("(the forwarder)"),
        .contact = ONWARD_STR("postmaster@localhost")};
    const struct onward_tlsrpt_collector_host host = {
        .size = sizeof(host), .user = s, .report = show, .sent = all_shown};
    struct onward_tlsrpt_collector *collector = NULL;
    int err = onward_tlsrpt_collector_new(&o, &host, &collector);

    if (err == 0)
        err = onward_tlsrpt_collector_look(collector, INT64_MAX);
    /* LMDB answers within each question; a Redis answers, or is down. */
    while (err == 0 && !s->is_over) {
        int more = onward_desk_run(s->world.desk, host_now_ms());

        if (more == 0 && k->shelf.loop != NULL && !s->is_over)
            loop_turn(k->shelf.loop, 1000);
    }
    onward_tlsrpt_collector_free(collector);
    return err != 0 ? err : s->err;
}

static bool read_day(const char *text, int64_t *day_s)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%d", &tm);

    *day_s = (int64_t)timegm(&tm);
    return end != NULL && *end == '\0' && *day_s >= 0;
}

/* Where there is one: made here it would belong to who looks, root, and no
 * forwarder could open it. 1; 0: there is none; -1: errno says why. */
static int has_store(const char *state)
{
    char *file = NULL;
    int ret;

    if (asprintf(&file, "%s/store/data.mdb", state) < 0) {
        errno = ENOMEM;
        return -1;
    }
    ret = access(file, R_OK) == 0 ? 1 : -1;
    /* Of a forwarder that has not run yet. */
    if (ret < 0 && errno == ENOENT && access(state, R_OK) == 0)
        ret = 0;
    free(file);
    return ret;
}

static int show_all(struct showing *s)
{
    struct keeping *k = &s->keeping;
    int err, status = keeping_find(k, s->command);

    if (status >= 0)
        return status;
    if (!keeping_is_elsewhere(k)) {
        int ret = has_store(k->folder);

        if (ret < 0)
            return cli_broken(s->command,
                              "%s: %s, expected the state of a forwarder",
                              k->folder, strerror(errno));
        if (ret == 0)
            return CLI_DONE;
    }
    status = keeping_open(k, s->command, s->world.desk);
    if (status >= 0)
        return status;
    err = collect(s);
    return err == 0 ? CLI_DONE
                    : cli_broken(s->command, "%s", onward_strerror(err));
}

static int run(const struct command *command, struct args args)
{
    struct showing s = {.command = command, .day_s = -1};
    struct world_choice choice = {0};
    const char *day = NULL;
    bool is_dry = false, is_json = false;
    struct option options[] = {
        {"dry-run", OPTION_FLAG, &is_dry, NULL,
         "print them; sending is for the forwarder", false, false},
        {"day", OPTION_TEXT, &day, "YYYY-MM-DD", "of that day only, in UTC",
         false, false},
        {"json", OPTION_FLAG, &is_json, NULL,
         "print nothing but JSON, if there is nothing, nothing", false, false},
        KEEPING_OPTIONS(&s.keeping),
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 0)
        return cli_usage(command, "\"%s\", expected options alone",
                         args.items[0]);
    if (!is_dry)
        return cli_usage(command, "no --dry-run: the forwarder sends");
    if (day != NULL && !read_day(day, &s.day_s))
        return cli_usage(command, "--day %s, expected YYYY-MM-DD", day);
    status = world_new_desk(command, &choice, &s.world);
    if (status < 0)
        status = show_all(&s);
    if (status == CLI_DONE && s.shown == 0 && !is_json)
        puts("no report waits");
    keeping_close(&s.keeping);
    world_clear(&s.world);
    return status;
}

const struct command command_tlsrpt_send = {
    .name = "tlsrpt send",
    .operands = "",
    .summary = "Show the TLS reports that wait to be sent (RFC 8460)",
    .details = "Of days that are over, one JSON object a line, as the "
               "forwarder will send\nthem. Nothing is changed.\n",
    .examples = "onward tlsrpt send --dry-run --state state --day 2026-11-21\n",
    .run = run,
};
