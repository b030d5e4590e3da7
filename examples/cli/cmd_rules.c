/* onward rules check, diff and compile: files of rules as files. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <onward/ruleset.h>

#include "cli.h"
#include "json.h"
#include "load.h"
#include "options.h"
#include "progress.h"
#include "results.h"
#include "style.h"
#include "world.h"

static int begin(const struct command *command, struct option *options,
                 struct args *args, struct world *world)
{
    const struct world_choice choice = {0};
    int status = cli_options(command, options, args);

    return status >= 0 ? status : world_new_ctx(command, &choice, world);
}

enum { MANY_RULES = 10000 /* an image worth a line of progress */ };

/* ---- check ------------------------------------------------------------- */

static void print_counts(const char *path, const struct onward_ruleset *rules,
                         bool is_json)
{
    size_t zones = onward_ruleset_zone_count(rules);
    unsigned long long count = onward_ruleset_rule_count(rules);
    struct json j = {0};

    if (is_json) {
        json_open(&j, NULL, '{');
        json_number(&j, "v", 1);
        json_text(&j, "file", path);
        json_number(&j, "zones", zones);
        json_number(&j, "rules", count);
        json_close(&j, '}');
        json_end(&j);
        return;
    }
    results_put(onward_str_of(path));
    printf(": %zu zone%s, %llu rule%s\n", zones, zones == 1 ? "" : "s", count,
           count == 1 ? "" : "s");
}

/* Reading takes its time and says nothing on the way: its size has to do. */
static struct onward_ruleset *
read_rules(struct onward_ctx *ctx, const char *path, struct load_fault *fault)
{
    struct onward_ruleset *rules;
    struct progress progress = {.is_on = false};
    char what[64];
    struct stat st;

    if (stat(path, &st) == 0 && st.st_size >= PROGRESS_OCTETS) {
        snprintf(what, sizeof(what), "reading %.48s", path);
        progress_begin(&progress, what, NULL, 0, 0, true);
        progress_at(&progress, (uint64_t)st.st_size);
    }
    rules = load_rules(ctx, path, fault);
    progress_end(&progress);
    return rules;
}

static int check_one(const struct command *command, struct onward_ctx *ctx,
                     const char *path, bool is_full, bool is_json)
{
    struct load_fault fault;
    struct onward_ruleset *rules = read_rules(ctx, path, &fault);

    if (rules == NULL)
        return cli_broken(command, "%s", fault.text);
    if (is_full && load_check_image(ctx, path, &fault) != 0) {
        onward_ruleset_free(rules);
        return cli_broken(command, "%s", fault.text);
    }
    print_counts(path, rules, is_json);
    onward_ruleset_free(rules);
    return CLI_DONE;
}

static int run_check(const struct command *command, struct args args)
{
    struct world world = {0};
    bool is_full = false, is_json = false;
    struct option options[] = {
        {"full", OPTION_FLAG, &is_full, NULL, "look at every octet of an image",
         false, false},
        {"json", OPTION_FLAG, &is_json, NULL, "print one JSON object a line",
         false, false},
        OPTIONS_END,
    };
    int status = begin(command, options, &args, &world);

    if (status >= 0)
        return status;
    if (args.count == 0)
        return cli_usage(command, "no file, expected one or more");
    status = CLI_DONE;
    for (int i = 0; i < args.count; i++) {
        int one =
            check_one(command, world.ctx, args.items[i], is_full, is_json);

        status = one > status ? one : status;
    }
    world_clear(&world);
    return status;
}

const struct command command_rules_check = {
    .name = "rules check",
    .operands = "FILE...",
    .summary = "Is a file of rules, or an image of them, sound?",
    .details = "",
    .examples = "onward rules check rules.json\n"
                "onward rules check --full rules.image\n",
    .run = run_check,
};

/* ---- diff -------------------------------------------------------------- */

struct diffing {
    bool is_json;
    bool has_any;
};

static const char *change_name(size_t change)
{
    static const char *const names[] = {"?", "added", "updated", "deleted",
                                        "conflict"};

    return names[change < sizeof(names) / sizeof(names[0]) ? change : 0];
}

static void json_rule(struct json *j, const char *key, size_t rule)
{
    if (rule == ONWARD_RULESET_NO_RULE)
        json_null(j, key);
    else if (rule == ONWARD_RULESET_CATCH_ALL)
        json_text(j, key, "catch-all");
    else
        json_number(j, key, rule);
}

static void print_json(const struct onward_ruleset_difference *d)
{
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "change", change_name(d->change));
    json_str(&j, "what", d->what);
    json_str_or_null(&j, "zone", d->zone);
    json_str_or_null(&j, "address", d->address);
    json_rule(&j, "old_rule", d->old_rule);
    json_rule(&j, "new_rule", d->new_rule);
    json_str_or_null(&j, "rule_name", d->rule_name);
    json_close(&j, '}');
    json_end(&j);
}

static void print_text(const struct onward_ruleset_difference *d)
{
    size_t rule =
        d->new_rule != ONWARD_RULESET_NO_RULE ? d->new_rule : d->old_rule;

    style_verdict(change_name(d->change));
    printf(" %.*s", (int)d->what.len, d->what.data);
    if (rule == ONWARD_RULESET_CATCH_ALL)
        printf(" catch-all");
    else if (rule != ONWARD_RULESET_NO_RULE)
        printf(" %zu", rule);
    if (d->rule_name.len > 0) {
        fputs(" \"", stdout);
        results_put(d->rule_name);
        putchar('"');
    }
    if (d->zone.len > 0)
        printf(" of %.*s", (int)d->zone.len, d->zone.data);
    if (d->address.len > 0) {
        fputs(": ", stdout);
        results_put(d->address);
    }
    putchar('\n');
}

static int print_difference(void *user,
                            const struct onward_ruleset_difference *d)
{
    struct diffing *diffing = user;

    diffing->has_any = true;
    if (diffing->is_json)
        print_json(d);
    else
        print_text(d);
    return 0;
}

static int diff(const struct command *command, struct onward_ctx *ctx,
                const char *before, const char *after, struct diffing *diffing)
{
    const struct onward_ruleset_differences to = {
        .size = sizeof(to), .user = diffing, .difference = print_difference};
    struct load_fault fault;
    struct onward_ruleset *old_rules = read_rules(ctx, before, &fault);
    struct onward_ruleset *new_rules =
        old_rules == NULL ? NULL : read_rules(ctx, after, &fault);
    int status = CLI_DONE;
    int err;

    if (new_rules == NULL) {
        status = cli_broken(command, "%s", fault.text);
    } else {
        err = onward_ruleset_diff(old_rules, new_rules, &to);
        if (err != 0)
            status = cli_broken(command, "%s", onward_strerror(err));
    }
    onward_ruleset_free(old_rules);
    onward_ruleset_free(new_rules);
    return status;
}

static int run_diff(const struct command *command, struct args args)
{
    struct diffing diffing = {0};
    struct world world = {0};
    bool does_check = false;
    struct option options[] = {
        {"json", OPTION_FLAG, &diffing.is_json, NULL,
         "print one JSON object a line", false, false},
        {"check", OPTION_FLAG, &does_check, NULL,
         "exit with 1 when there is a difference", false, false},
        OPTIONS_END,
    };
    int status = begin(command, options, &args, &world);

    if (status >= 0)
        return status;
    if (args.count != 2)
        return cli_usage(command, "%d files, expected OLD and NEW", args.count);
    status = diff(command, world.ctx, args.items[0], args.items[1], &diffing);
    if (status == CLI_DONE && !diffing.has_any && !diffing.is_json)
        puts("no difference");
    if (status == CLI_DONE && does_check && diffing.has_any)
        status = CLI_NOT_PASS;
    world_clear(&world);
    return status;
}

const struct command command_rules_diff = {
    .name = "rules diff",
    .operands = "OLD NEW",
    .summary = "What differs between two files of rules",
    .details = "",
    .examples = "onward rules diff rules.json rules-new.json\n"
                "onward rules diff --json rules.image rules-new.json\n",
    .run = run_diff,
};

/* ---- compile ----------------------------------------------------------- */

struct writing {
    FILE *file;
    uint64_t done;
    struct progress progress;
};

static int put(void *user, const void *data, size_t len)
{
    struct writing *w = user;

    w->done += len;
    progress_at(&w->progress, w->done);
    return fwrite(data, 1, len, w->file) == len ? 0 : -1;
}

/* As any file that a program makes, not as a secret one. */
static int open_up(int fd)
{
    mode_t mask = umask(0);

    umask(mask);
    return fchmod(fd, 0666 & ~mask);
}

/* Who has the old file mapped keeps it: the new one takes its name, whole. */
static int write_image(const struct command *command,
                       struct onward_ruleset *rules, const char *path)
{
    struct onward_ruleset_image_sink sink = {.size = sizeof(sink),
                                             .write = put};
    size_t len = strlen(path);
    char *temporary = malloc(len + sizeof(".new-XXXXXX"));
    int err = ONWARD_ENOMEM;
    FILE *f = NULL;
    int fd = -1;

    if (temporary != NULL) {
        memcpy(temporary, path, len);
        memcpy(temporary + len, ".new-XXXXXX", sizeof(".new-XXXXXX"));
        fd = mkstemp(temporary);
        f = fd < 0 ? NULL : fdopen(fd, "wb");
        err = ONWARD_ECALLBACK;
    }
    if (f != NULL) {
        struct writing w = {.file = f};

        sink.user = &w;
        if (onward_ruleset_rule_count(rules) >= MANY_RULES)
            progress_begin(&w.progress, "writing", NULL, 0, 0, true);
        err = onward_ruleset_write_image(rules, &sink);
        progress_end(&w.progress);
        if (err == 0 && (fflush(f) != 0 || open_up(fd) != 0 || fsync(fd) != 0))
            err = ONWARD_ECALLBACK;
        if (fclose(f) != 0 || (err == 0 && rename(temporary, path) != 0))
            err = ONWARD_ECALLBACK;
    }
    if (err != 0 && fd >= 0)
        unlink(temporary);
    free(temporary);
    if (err == ONWARD_ECALLBACK)
        return cli_broken(command, "%s: %s, expected a file to write", path,
                          strerror(errno));
    return err == 0 ? CLI_DONE
                    : cli_broken(command, "%s", onward_strerror(err));
}

static int run_compile(const struct command *command, struct args args)
{
    struct world world = {0};
    bool is_json = false;
    struct option options[] = {
        {"json", OPTION_FLAG, &is_json, NULL, "print one JSON object", false,
         false},
        OPTIONS_END,
    };
    struct onward_ruleset *rules;
    struct load_fault fault;
    int status = begin(command, options, &args, &world);

    if (status >= 0)
        return status;
    if (args.count != 2)
        return cli_usage(command, "%d files, expected IN and OUT", args.count);
    rules = read_rules(world.ctx, args.items[0], &fault);
    status = rules == NULL ? cli_broken(command, "%s", fault.text)
                           : write_image(command, rules, args.items[1]);
    if (status == CLI_DONE)
        print_counts(args.items[1], rules, is_json);
    onward_ruleset_free(rules);
    world_clear(&world);
    return status;
}

const struct command command_rules_compile = {
    .name = "rules compile",
    .operands = "IN OUT",
    .summary = "Make an image of a file of rules",
    .details = "The image is for this release and machines of any kind; it is "
               "mapped, not\nread. OUT is replaced as a whole.\n",
    .examples = "onward rules compile rules.json rules.image\n",
    .run = run_compile,
};
