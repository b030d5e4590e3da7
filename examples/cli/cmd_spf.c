/* onward spf check: one evaluation of SPF. */
#include <stdio.h>
#include <string.h>

#include <onward/spf.h>

#include "cli.h"
#include "json.h"
#include "options.h"
#include "results.h"
#include "style.h"
#include "world.h"

static void done(void *user, struct onward_spf_check *check)
{
    bool *is_done = user;

    (void)check;
    *is_done = true;
}

struct output {
    bool is_json, does_check, has_trace, has_received;
};

/* A line a term: what became of it, whose it is, what it asked and counted. */
static void print_trace(const struct onward_spf_check *check)
{
    struct onward_spf_step s = {.size = sizeof(s)};

    for (size_t i = 0; onward_spf_check_step_at(check, i, &s) == 0; i++) {
        printf("%*s%s: ", (int)(2 + 2 * s.depth), "",
               onward_spf_outcome_name((int)s.outcome));
        results_put(s.term);
        printf(" of ");
        results_put(s.domain);
        if (s.target.len != 0) {
            printf(", asked ");
            results_put(s.target);
        }
        if (s.lookup != 0)
            printf(", counted %zu", s.lookup);
        if (s.void_lookups != 0)
            printf(", void %zu", s.void_lookups);
        putchar('\n');
    }
}

static void json_trace(struct json *j, const struct onward_spf_check *check)
{
    struct onward_spf_step s = {.size = sizeof(s)};

    json_open(j, "steps", '[');
    for (size_t i = 0; onward_spf_check_step_at(check, i, &s) == 0; i++) {
        json_open(j, NULL, '{');
        json_str(j, "domain", s.domain);
        json_number(j, "offset", s.offset);
        json_number(j, "depth", s.depth);
        json_str(j, "term", s.term);
        json_str_or_null(j, "target", s.target);
        json_text(j, "outcome", onward_spf_outcome_name((int)s.outcome));
        json_number(j, "lookup", s.lookup);
        json_number(j, "void_lookups", s.void_lookups);
        json_close(j, '}');
    }
    json_close(j, ']');
}

/* The field, in the line ends of a terminal or on one line. */
static struct onward_str received(const struct onward_spf_check *check,
                                  char *text, bool on_one_line)
{
    int len = onward_spf_check_received(check, text, ONWARD_SPF_RECEIVED_MAX);
    struct onward_str field = {text, 0};

    for (int i = 0; i < len; i++) {
        if (text[i] != '\r' && !(text[i] == '\n' && on_one_line))
            text[field.len++] = text[i];
    }
    return field;
}

static void print(const struct onward_spf_check *check,
                  const struct output *output)
{
    static char field[ONWARD_SPF_RECEIVED_MAX];
    struct json j = {0};
    int reason = onward_spf_check_reason(check);

    if (output->is_json) {
        json_open(&j, NULL, '{');
        json_number(&j, "v", 1);
        results_spf_members(&j, check);
        if (output->has_trace)
            json_trace(&j, check);
        if (output->has_received)
            json_str(&j, "received_spf", received(check, field, true));
        json_close(&j, '}');
        json_end(&j);
        return;
    }
    if (output->has_received) {
        struct onward_str text = received(check, field, false);

        fwrite(text.data, 1, text.len, stdout);
        return;
    }
    style_line("result",
               onward_spf_result_name(onward_spf_check_result(check)));
    printf("reason: %s\n", onward_spf_reason_text(reason));
    results_line("domain", onward_spf_check_domain(check));
    results_line("mechanism", onward_spf_check_mechanism(check));
    results_line("explanation", onward_spf_check_explanation(check));
    printf("lookups: %zu, %zu of them void\n", onward_spf_check_lookups(check),
           onward_spf_check_void_lookups(check));
    if (output->has_trace)
        print_trace(check);
}

static int check_it(const struct command *command, struct world *world,
                    const struct onward_spf_opts *opts,
                    const struct output *output)
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
        print(check, output);
    if (is_done && output->does_check &&
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
    struct output output = {0};
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
        {"trace", OPTION_FLAG, &output.has_trace, NULL,
         "say which terms were looked at, what they asked, what\n"
         "became of them and what counted against the limits",
         false, false},
        {"received-spf", OPTION_FLAG, &output.has_received, NULL,
         "print the Received-SPF field for the message", false, false},
        {"json", OPTION_FLAG, &output.is_json, NULL, "print one JSON object",
         false, false},
        {"check", OPTION_FLAG, &output.does_check, NULL,
         "exit with 1 when the result is not pass", false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 0)
        return cli_usage(command, "\"%s\", expected options alone",
                         args.items[0]);
    if (output.has_trace && output.has_received && !output.is_json)
        return cli_usage(command,
                         "--trace and --received-spf, expected one of them, "
                         "or --json");
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

        status = check_it(command, &world, &opts, &output);
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
                "--dns zone.txt --json\n"
                "onward spf check --ip 2001:db8::5 --mail-from "
                "alice@example.com --dns zone.txt --trace\n"
                "onward spf check --ip 192.0.2.1 --mail-from alice@example.com "
                "--receiver mx.example.net --dns zone.txt --received-spf\n",
    .run = run,
};
