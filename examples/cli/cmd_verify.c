/* onward verify: SPF, DKIM, ARC and DMARC of messages. */
#include <stdio.h>

#include "checking.h"
#include "cli.h"
#include "json.h"
#include "message.h"
#include "options.h"
#include "results.h"
#include "world.h"

struct verification {
    const struct command *command;
    struct world world;
    struct checking checking;
    bool is_json, is_raw, does_check;
    bool names_files; /* more than one: say which */
};

/* Results as a field, in the line ends of a terminal. */
static void print(const struct verification *v, const char *path,
                  const struct onward_verifier *verifier)
{
    struct onward_str value = onward_verifier_authres(verifier);

    if (v->names_files)
        printf("%s:\n", path);
    fputs("Authentication-Results: ", stdout);
    results_authres(value);
    putchar('\n');
}

static int fail(const struct verification *v, const char *path, const char *why)
{
    struct json j = {0};

    if (v->is_json) {
        json_open(&j, NULL, '{');
        json_number(&j, "v", 1);
        json_text(&j, "file", path);
        json_text(&j, "error", why);
        json_close(&j, '}');
        json_end(&j);
    }
    return cli_broken(v->command, "%s: %s, expected a readable message", path,
                      why);
}

static void print_json(const char *path, const struct onward_verifier *verifier)
{
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "file", path);
    results_message(&j, verifier);
    json_close(&j, '}');
    json_end(&j);
}

static int verify(void *user, const char *path)
{
    struct verification *v = user;
    struct onward_verifier *verifier = NULL;
    struct message message;
    const char *fault = NULL;
    int status = CLI_DONE;
    int err;

    if (message_read(v->command, path, v->is_raw, &message, &fault) != 0)
        return fail(v, path, fault);
    err = checking_run(&v->world, &v->checking, message.wire, &verifier);
    message_clear(&message);
    if (err != 0)
        return fail(v, path, onward_strerror(err));
    if (v->is_json)
        print_json(path, verifier);
    else
        print(v, path, verifier);
    if (v->does_check &&
        onward_verifier_dmarc_result(verifier) != ONWARD_DMARC_PASS)
        status = CLI_NOT_PASS;
    onward_verifier_free(verifier);
    return status;
}

static int run(const struct command *command, struct args args)
{
    struct world_choice choice = {0};
    struct verification v = {.command = command};
    struct option options[] = {
        CHECKING_OPTIONS(&v.checking, false),
        WORLD_OPTIONS_DNS(&choice),
        WORLD_OPTION_TIME(&choice),
        {"json", OPTION_FLAG, &v.is_json, NULL, "print one JSON object a line",
         false, false},
        {"check", OPTION_FLAG, &v.does_check, NULL,
         "exit with 1 when DMARC of a message is not pass", false, false},
        {"raw", OPTION_FLAG, &v.is_raw, NULL,
         "take messages as they are, LF too", false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    v.names_files = args.count > 1;
    status = world_new(command, &choice, &v.world);
    if (status < 0)
        status = checking_test(command, &v.world, &v.checking);
    if (status < 0)
        status = cli_each(args, verify, &v);
    world_clear(&v.world);
    return status;
}

const struct command command_verify = {
    .name = "verify",
    .operands = "[MESSAGE]...",
    .summary = "Check SPF, DKIM, ARC and DMARC of messages",
    .details =
        "Messages are files, or standard input. A file with LF and no CR is "
        "read as CRLF.\nAll messages are read, whatever comes of one.\n",
    .examples =
        "onward verify --dns zone.txt signed.eml\n"
        "onward verify --ip 192.0.2.1 --helo mail.example.com "
        "--mail-from alice@example.com --dns zone.txt --json < signed.eml\n"
        "onward verify --dns zone.txt --authserv-id mx.example.net --check "
        "signed.eml signed.eml\n",
    .run = run,
};
