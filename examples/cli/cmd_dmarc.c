/*
 * onward dmarc check: which DMARC policy a domain has, and where it comes from.
 * No message is judged, so "found" and "none" are all the results that there
 * are when DNS answers.
 */
#include <stdio.h>
#include <string.h>

#include <onward/dmarc.h>

#include "cli.h"
#include "json.h"
#include "options.h"
#include "results.h"
#include "style.h"
#include "world.h"

static void done(void *user, struct onward_dmarc_check *check)
{
    bool *is_done = user;

    (void)check;
    *is_done = true;
}

static const char *result_of(const struct onward_dmarc_check *check)
{
    switch (onward_dmarc_check_result(check)) {
    case ONWARD_DMARC_TEMPERROR:
        return "temperror";
    case ONWARD_DMARC_PERMERROR:
        return "permerror";
    case ONWARD_DMARC_NONE:
        return "none";
    default:
        return "found";
    }
}

/* Only why there is none; "not aligned" says nothing about a domain. */
static bool has_reason(const struct onward_dmarc_check *check)
{
    return strcmp(result_of(check), "found") != 0;
}

static void print_json(const struct onward_dmarc_check *check)
{
    struct onward_dmarc_record record = {.size = sizeof(record)};
    struct onward_str text = onward_dmarc_check_record(check);
    struct onward_str uri;
    struct json j = {0};
    int reason = onward_dmarc_check_reason(check);

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "result", result_of(check));
    json_text_or_null(&j, "reason",
                      has_reason(check) ? onward_dmarc_reason_name(reason)
                                        : "");
    json_str(&j, "author_domain", onward_dmarc_check_author_domain(check));
    json_str_or_null(&j, "policy_domain",
                     onward_dmarc_check_policy_domain(check));
    json_str_or_null(&j, "organizational_domain",
                     onward_dmarc_check_org_domain(check));
    json_text_or_null(
        &j, "policy",
        onward_dmarc_policy_name(onward_dmarc_check_policy(check)));
    json_str_or_null(&j, "record", text);
    json_open(&j, "rua", '[');
    if (onward_dmarc_record_parse(text, &record) == 0) {
        while (onward_dmarc_uri_next(&record.rua, &uri) == 1)
            json_str(&j, NULL, uri);
    }
    json_close(&j, ']');
    json_close(&j, '}');
    json_end(&j);
}

static void print(const struct onward_dmarc_check *check)
{
    int policy = onward_dmarc_check_policy(check);
    int reason = onward_dmarc_check_reason(check);

    style_line("result", result_of(check));
    if (has_reason(check))
        printf("reason: %s\n", onward_dmarc_reason_text(reason));
    results_line("author domain", onward_dmarc_check_author_domain(check));
    results_line("policy domain", onward_dmarc_check_policy_domain(check));
    results_line("organizational domain", onward_dmarc_check_org_domain(check));
    results_line("policy", onward_str_of(onward_dmarc_policy_name(policy)));
    results_line("record", onward_dmarc_check_record(check));
}

static int check_it(const struct command *command, struct world *world,
                    const char *domain, bool is_json, bool does_check)
{
    bool is_done = false;
    const struct onward_dmarc_opts opts = {
        .size = sizeof(opts), .author_domain = onward_str_of(domain)};
    const struct onward_dmarc_host host = {
        .size = sizeof(host), .user = &is_done, .done = done};
    struct onward_dmarc_check *check = NULL;
    int err = onward_dmarc_check_new(world->resolver, &opts, &host, &check);
    int status = CLI_DONE;

    if (err == 0)
        err = onward_dmarc_check_finish(check, 0);
    if (err == 0)
        world_run(world, &is_done);
    if (err == 0 && !is_done)
        err = ONWARD_ECANCELED;
    if (err != 0) {
        status = cli_broken(command, "no result: %s", onward_strerror(err));
    } else {
        if (is_json)
            print_json(check);
        else
            print(check);
        if (does_check && has_reason(check))
            status = CLI_NOT_PASS;
    }
    onward_dmarc_check_free(check);
    return status;
}

static int run(const struct command *command, struct args args)
{
    struct world_choice choice = {0};
    struct world world;
    const char *domain = NULL;
    bool is_json = false, does_check = false;
    struct option options[] = {
        {"from", OPTION_TEXT, &domain, "DOMAIN",
         "the author's domain, as it stands in From", true, false},
        WORLD_OPTIONS_DNS(&choice),
        {"json", OPTION_FLAG, &is_json, NULL, "print one JSON object", false,
         false},
        {"check", OPTION_FLAG, &does_check, NULL,
         "exit with 1 when no policy was found", false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 0)
        return cli_usage(command, "\"%s\", expected options alone",
                         args.items[0]);
    status = world_new(command, &choice, &world);
    if (status < 0)
        status = check_it(command, &world, domain, is_json, does_check);
    world_clear(&world);
    return status;
}

const struct command command_dmarc_check = {
    .name = "dmarc check",
    .operands = "",
    .summary = "Find the DMARC policy of a domain (RFC 9989)",
    .details = "",
    .examples = "onward dmarc check --from example.com --dns zone.txt\n"
                "onward dmarc check --from news.example.com --dns zone.txt "
                "--json\n",
    .run = run,
};
