/* onward spf check: one evaluation of SPF. */
#include <stdio.h>
#include <string.h>

#include <onward/spf.h>

#include "cli.h"
#include "json.h"
#include "options.h"
#include "results.h"
#include "world.h"

static void done(void *user, struct onward_spf_check *check)
{
    bool *is_done = user;

    (void)check;
    *is_done = true;
}

static void print(const struct onward_spf_check *check, bool is_json)
{
    struct json j = {0};
    int reason = onward_spf_check_reason(check);

    if (is_json) {
        results_spf(&j, NULL, check);
        json_end(&j);
        return;
    }
    printf("result: %s\n",
           onward_spf_result_name(onward_spf_check_result(check)));
    printf("reason: %s\n", onward_spf_reason_text(reason));
    results_line("domain", onward_spf_check_domain(check));
    results_line("mechanism", onward_spf_check_mechanism(check));
    results_line("explanation", onward_spf_check_explanation(check));
    printf("lookups: %zu, %zu of them void\n", onward_spf_check_lookups(check),
           onward_spf_check_void_lookups(check));
}

static int check_it(const struct command *command, struct world *world,
                    const struct onward_spf_opts *opts, bool is_json,
                    bool does_check)
{
    bool is_done = false;
    const struct onward_spf_host host = {
        .size = sizeof(host), .user = &is_done, .done = done};
    struct onward_spf_check *check = NULL;
    int err = onward_spf_check_new(world->resolver, opts, &host, &check);
    int status = CLI_DONE;

    if (err != 0)
        return cli_broken(command, "%s", onward_strerror(err));
    world_run(world, &is_done);
    if (!is_done)
        status = cli_broken(command, "no result: %s",
                            onward_strerror(ONWARD_ECANCELED));
    else
        print(check, is_json);
    if (is_done && does_check &&
        onward_spf_check_result(check) != ONWARD_SPF_PASS)
        status = CLI_NOT_PASS;
    onward_spf_check_free(check);
    return status;
}

static int run(const struct command *command, struct args args)
{
    struct world_choice choice = {0};
    struct world world;
    struct onward_ip ip = {0};
    const char *mail_from = NULL, *helo = NULL, *receiver = NULL;
    bool is_json = false, does_check = false;
    struct option options[] = {
        {"ip", OPTION_IP, &ip, "ADDRESS", "the SMTP client's address", true,
         false},
        {"mail-from", OPTION_TEXT, &mail_from, "SENDER",
         "the envelope sender; empty for the null reverse-path,\n"
         "which is checked as postmaster@ the HELO name",
         false, false},
        {"helo", OPTION_TEXT, &helo, "NAME",
         "what the client said in EHLO or HELO; checked itself\n"
         "when there is no --mail-from",
         false, false},
        {"receiver", OPTION_TEXT, &receiver, "NAME",
         "our host name, for explanations", false, false},
        WORLD_OPTIONS_DNS(&choice),
        WORLD_OPTION_TIME(&choice),
        {"json", OPTION_FLAG, &is_json, NULL, "print one JSON object", false,
         false},
        {"check", OPTION_FLAG, &does_check, NULL,
         "exit with 1 when the result is not pass", false, false},
        OPTIONS_END,
    };
    int status = options_read(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 0)
        return cli_usage(command, "\"%s\", expected options alone",
                         args.items[0]);
    if (mail_from == NULL && helo == NULL)
        return cli_usage(command,
                         "no --mail-from, expected --mail-from SENDER");
    status = world_new(command, &choice, &world);
    if (status < 0) {
        const struct onward_spf_opts opts = {
            .size = sizeof(opts),
            .identity =
                mail_from != NULL ? ONWARD_SPF_MAIL_FROM : ONWARD_SPF_HELO,
            .client_ip = &ip,
            .mail_from = onward_str_of(mail_from),
            .helo = onward_str_of(helo),
            .receiver = onward_str_of(receiver)};

        status = check_it(command, &world, &opts, is_json, does_check);
    }
    world_clear(&world);
    return status;
}

const struct command command_spf_check = {
    .name = "spf check",
    .operands = "",
    .summary = "May this address send mail for that domain? (RFC 7208)",
    .details = "",
    .examples = "onward spf check --ip 192.0.2.1 --mail-from alice@example.com "
                "--dns zone.txt\n"
                "onward spf check --ip 2001:db8::1 --helo mail.example.com "
                "--dns zone.txt --json\n",
    .run = run,
};
