/* onward dsn parse: what a delivery status notification says (RFC 3464). */
#include <stdio.h>

#include <onward/dsn.h>

#include "cli.h"
#include "json.h"
#include "message.h"
#include "options.h"
#include "results.h"
#include "world.h"

struct parsing {
    const struct command *command;
    struct world world;
    bool is_json;
};

static void print_json_recipient(struct json *j,
                                 const struct onward_dsn_recipient *r)
{
    json_open(j, NULL, '{');
    json_text_or_null(j, "action", onward_dsn_action_name((int)r->action));
    json_str_or_null(j, "status", r->status);
    json_str_or_null(j, "final_recipient", r->final_recipient);
    json_str_or_null(j, "final_type", r->final_type);
    json_str_or_null(j, "original_recipient", r->original_recipient);
    json_str_or_null(j, "original_type", r->original_type);
    json_str_or_null(j, "remote_mta", r->remote_mta);
    json_str_or_null(j, "diagnostic", r->diagnostic);
    results_json_oddities(j, r->oddities, onward_dsn_oddity_name);
    json_close(j, '}');
}

static void print_json(const char *path, const struct onward_dsn_notice *n,
                       const struct onward_dsn_facts *facts)
{
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "file", path);
    json_str_or_null(&j, "reporting_mta", facts->reporting_mta);
    json_str_or_null(&j, "envelope_id", facts->envid);
    json_bool(&j, "has_original", facts->original.len > 0);
    json_open(&j, "recipients", '[');
    for (size_t i = 0; i < facts->count; i++) {
        struct onward_dsn_recipient r = {.size = sizeof(r)};

        onward_dsn_notice_recipient(n, i, &r);
        print_json_recipient(&j, &r);
    }
    json_close(&j, ']');
    results_json_oddities(&j, facts->oddities, onward_dsn_oddity_name);
    json_close(&j, '}');
    json_end(&j);
}

static void print_text(const char *path, const struct onward_dsn_notice *n,
                       const struct onward_dsn_facts *facts)
{
    printf("%s: ", path);
    results_part("by ", facts->reporting_mta);
    results_part(", of envelope ", facts->envid);
    putchar('\n');
    for (size_t i = 0; i < facts->count; i++) {
        struct onward_dsn_recipient r = {.size = sizeof(r)};
        const char *action;

        onward_dsn_notice_recipient(n, i, &r);
        action = onward_dsn_action_name((int)r.action);
        printf("    %s", action[0] != '\0' ? action : "(no action)");
        results_part(" ", r.status);
        results_part(" ", r.final_recipient);
        results_part(", was ", r.original_recipient);
        results_part(", at ", r.remote_mta);
        results_part(": ", r.diagnostic);
        putchar('\n');
    }
    results_oddities(facts->oddities, onward_dsn_oddity_name);
}

static int parse(void *user, const char *path)
{
    const struct parsing *p = user;
    struct onward_dsn_facts facts = {.size = sizeof(facts)};
    struct onward_dsn_notice *notice = NULL;
    struct message message;
    const char *fault = NULL;
    int err;

    if (message_read(p->command, path, false, &message, &fault) != 0)
        return cli_broken(p->command, "%s: %s, expected a readable message",
                          path, fault);
    err = onward_dsn_parse(p->world.ctx, message.wire, NULL, &notice);
    if (err == 0) {
        onward_dsn_notice_facts(notice, &facts);
        if (p->is_json)
            print_json(path, notice, &facts);
        else
            print_text(path, notice, &facts);
    }
    onward_dsn_notice_free(notice);
    message_clear(&message);
    if (err == 0)
        return CLI_DONE;
    return cli_broken(p->command, "%s: %s", path,
                      err == ONWARD_ENOENT
                          ? "expected a delivery status notification"
                          : onward_strerror(err));
}

static int run(const struct command *command, struct args args)
{
    struct world_choice choice = {0};
    struct parsing p = {.command = command};
    struct option options[] = {
        {"json", OPTION_FLAG, &p.is_json, NULL, "print one JSON object a line",
         false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    status = world_new_ctx(command, &choice, &p.world);
    if (status < 0)
        status = cli_each(args, parse, &p);
    world_clear(&p.world);
    return status;
}

const struct command command_dsn_parse = {
    .name = "dsn parse",
    .operands = "[MESSAGE]...",
    .summary = "Show what delivery status notifications say (RFC 3464)",
    .details = "One recipient a line: what became of it, status, address, "
               "server and its words.\nWhat a notice says is not proven: "
               "anyone can write one.\n",
    .examples = "onward dsn parse bounce.eml\n"
                "onward dsn parse --json < bounce.eml\n",
    .run = run,
};
