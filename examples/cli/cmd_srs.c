/* onward srs forward, onward srs reverse: sender rewriting. */
#include <stdio.h>
#include <string.h>

#include <onward/srs.h>

#include "cli.h"
#include "json.h"
#include "load.h"
#include "options.h"
#include "world.h"

struct rewriting {
    struct world_choice choice;
    struct world world;
    const char *secret_file;
    const char *domain;
    bool is_sha1, is_json;
    struct onward_srs *srs;
};

/* Read the command line and make the rewriter. */
static int begin(const struct command *command, struct rewriting *r,
                 struct args *args)
{
    struct option options[] = {
        {"secret-file", OPTION_TEXT, &r->secret_file, "FILE",
         "secrets, one a line: the first signs, all verify", true, false},
        {"domain", OPTION_TEXT, &r->domain, "DOMAIN", "the forwarder's domain",
         true, false},
        WORLD_OPTION_TIME(&r->choice),
        {"sha1", OPTION_FLAG, &r->is_sha1, NULL,
         "sign with SHA-1, for those who share the secrets (postsrsd); it is "
         "read in any case",
         false, false},
        {"json", OPTION_FLAG, &r->is_json, NULL, "print one JSON object a line",
         false, false},
        OPTIONS_END,
    };
    struct onward_srs_opts opts = {.size = sizeof(opts)};
    struct load_fault fault;
    int status = cli_options(command, options, args);

    if (status >= 0)
        return status;
    if (args->count == 0)
        return cli_usage(command, "no address, expected one");
    status = world_new_ctx(command, &r->choice, &r->world);
    if (status >= 0)
        return status;
    if (r->is_sha1)
        opts.hash = ONWARD_SRS_SHA1;
    r->srs = load_srs(r->world.ctx, r->secret_file, &opts, &fault);
    if (r->srs == NULL)
        return cli_broken(command, "%s", fault.text);
    return -1;
}

static void end(struct rewriting *r)
{
    onward_srs_free(r->srs);
    world_clear(&r->world);
}

static void print(const struct rewriting *r, const char *address,
                  const char *result)
{
    struct json j = {0};

    if (!r->is_json) {
        printf("%s\n", result);
        return;
    }
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "address", address);
    json_text(&j, "result", result);
    json_close(&j, '}');
    json_end(&j);
}

static int forward(const struct command *command, const struct rewriting *r,
                   const char *address)
{
    char out[ONWARD_SRS_TEXT_MAX];
    int len = onward_srs_forward(r->srs, onward_str_of(address),
                                 onward_str_of(r->domain), out, sizeof(out));

    switch (len) {
    case ONWARD_EINVAL:
        return cli_broken(command, "--domain \"%s\", expected a domain",
                          r->domain);
    case ONWARD_ESYNTAX:
        return cli_broken(command,
                          "\"%s\", expected a mailbox that can be rewritten",
                          address);
    case ONWARD_ELIMIT:
        return cli_broken(command,
                          "\"%s\": too long when rewritten, expected at most "
                          "64 octets before the @",
                          address);
    default:
        print(r, address, out);
        return CLI_DONE;
    }
}

static bool is_in_domain(const char *address, const char *domain)
{
    const char *at = strrchr(address, '@');

    if (at == NULL)
        return false;
    for (at++; *at != '\0' || *domain != '\0'; at++, domain++) {
        char a = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
        char b =
            *domain >= 'A' && *domain <= 'Z' ? (char)(*domain + 32) : *domain;

        if (a != b)
            return false;
    }
    return true;
}

static int reverse(const struct command *command, const struct rewriting *r,
                   const char *address)
{
    static const char *const expected[] = {
        [ONWARD_SRS_NONE] = "an address that begins with SRS0 or SRS1",
        [ONWARD_SRS_MALFORMED] = "all parts of an SRS address",
        [ONWARD_SRS_FORGED] = "a hash that one of the secrets gives",
        [ONWARD_SRS_EXPIRED] = "one that is younger",
    };
    char out[ONWARD_SRS_TEXT_MAX];
    int verdict = ONWARD_SRS_NONE;
    int len;

    if (!is_in_domain(address, r->domain))
        return cli_broken(command, "\"%s\", expected an address in %s", address,
                          r->domain);
    len = onward_srs_reverse(r->srs, onward_str_of(address), out, sizeof(out),
                             &verdict);
    if (len < 0)
        return cli_broken(command, "\"%s\": %s", address, onward_strerror(len));
    if (verdict == ONWARD_SRS_KEPT)
        return cli_broken(command,
                          "\"%s\": its sender is in the forwarder's store, at "
                          "%s",
                          address, out);
    if (verdict != ONWARD_SRS_OK)
        return cli_broken(command, "\"%s\" is %s, expected %s", address,
                          verdict == ONWARD_SRS_NONE
                              ? "not rewritten"
                              : onward_srs_verdict_name(verdict),
                          expected[verdict]);
    print(r, address, out);
    return CLI_DONE;
}

static int run(const struct command *command, struct args args)
{
    struct rewriting r = {0};
    int status = begin(command, &r, &args);

    if (status < 0) {
        status = CLI_DONE;
        for (int i = 0; i < args.count; i++) {
            int one = command == &command_srs_forward
                          ? forward(command, &r, args.items[i])
                          : reverse(command, &r, args.items[i]);

            if (one > status)
                status = one;
        }
    }
    end(&r);
    return status;
}

const struct command command_srs_forward = {
    .name = "srs forward",
    .operands = "ADDRESS...",
    .summary = "Rewrite an envelope sender for the next hop",
    .details = "Prints one address a line. An empty ADDRESS is the null "
               "reverse-path, which stays.\n",
    .examples = "onward srs forward --secret-file secrets.txt "
                "--domain fwd.example.net alice@example.com\n",
    .run = run,
};

const struct command command_srs_reverse = {
    .name = "srs reverse",
    .operands = "ADDRESS...",
    .summary = "Find out where a bounce goes",
    .details =
        "Prints one address a line. An ADDRESS that no secret of ours made, or "
        "that\nis too old, is an input error.\n",
    .examples = "onward srs reverse --secret-file secrets.txt "
                "--domain fwd.example.net --time 1700000000 "
                "SRS0=Qt3v=G3=example.com=alice@fwd.example.net\n",
    .run = run,
};
