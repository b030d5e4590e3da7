/*
 * onward seal: verify a message, and put an ARC set on top of it that says what
 * was found.
 */
#include <stdio.h>
#include <string.h>

#include <onward/arc.h>

#include "checking.h"
#include "cli.h"
#include "message.h"
#include "options.h"
#include "signing.h"
#include "world.h"

struct outcome {
    bool is_done;
    int status;
};

static void done(void *user, struct onward_arc_sealer *sealer, int status)
{
    struct outcome *o = user;

    (void)sealer;
    o->is_done = true;
    o->status = status;
}

static int make_sealer(const struct signing *s,
                       const struct onward_verifier *verifier,
                       const char *headers,
                       const struct onward_arc_sealer_host *host,
                       struct onward_arc_sealer **sealer)
{
    struct onward_arc_sealer_opts opts = {
        .size = sizeof(opts),
        .domain = onward_str_of(signing_domain(s, 0)),
        .selector = onward_str_of(signing_selector(s, 0)),
        .fields = onward_str_of(headers),
        .expire_s = s->expire.s};
    int err = onward_verifier_sealing(verifier, &opts);

    if (err != 0)
        return err;
    return onward_arc_sealer_new(signing_key(s, 0), &opts, host, sealer);
}

static int seal(const struct command *command, struct signing *s,
                const char *headers, const struct onward_verifier *verifier)
{
    struct outcome o = {0};
    const struct onward_arc_sealer_host host = {
        .size = sizeof(host), .user = &o, .done = done};
    struct onward_arc_sealer *sealer = NULL;
    int status = CLI_DONE;
    int err = make_sealer(s, verifier, headers, &host, &sealer);

    if (err == ONWARD_EINVAL)
        return cli_usage(command,
                         "--domain, --selector, --authserv-id or --headers, "
                         "expected names in A-labels, and no ARC field or "
                         "Authentication-Results among the headers");
    /* A seal would say cv=fail and break the chain for good. */
    if (err == ONWARD_AGAIN)
        return cli_broken(command,
                          "%s: DNS gave no answer for a key of the chain, "
                          "try again later",
                          s->message.path);
    if (err == 0)
        err = onward_arc_sealer_feed(sealer, s->message.wire.data,
                                     s->message.wire.len);
    if (err == 0)
        err = onward_arc_sealer_finish(sealer);
    if (err == 0) {
        world_run(&s->world, &o.is_done);
        err = o.is_done ? o.status : ONWARD_ECANCELED;
    }
    if (err == ONWARD_ENOENT) {
        /* RFC 8617 section 5.1 step 2: a chain that was sealed as failed gets
         * no more sets; the message goes on as it is. */
        cli_note(command, "%s: the chain ended with cv=fail, nothing added",
                 s->message.path);
        message_write(&s->message, (struct onward_str){0});
    } else if (err != 0) {
        status = cli_broken(command, "%s: %s", s->message.path,
                            err == ONWARD_ESYNTAX
                                ? "a malformed header, expected one that can "
                                  "be signed"
                                : onward_strerror(err));
    } else {
        message_write(&s->message, onward_arc_sealer_fields(sealer));
    }
    onward_arc_sealer_free(sealer);
    return status;
}

static int verify_and_seal(const struct command *command, struct signing *s,
                           const struct checking *c, const char *headers)
{
    struct onward_verifier *verifier = NULL;
    int err = checking_run(&s->world, c, s->message.wire, &verifier);
    int status;

    if (err != 0)
        return cli_broken(command, "%s: %s", s->message.path,
                          onward_strerror(err));
    status = seal(command, s, headers, verifier);
    onward_verifier_free(verifier);
    return status;
}

static int run(const struct command *command, struct args args)
{
    struct signing s = {.key_files.max = 1,
                        .domains.max = 1,
                        .selectors.max = 1,
                        .needs_resolver = true};
    struct checking c = {0};
    const char *headers = NULL;
    struct option options[] = {
        SIGNING_OPTIONS(&s),
        CHECKING_OPTIONS(&c, true),
        {"headers", OPTION_TEXT, &headers, "NAME:NAME...",
         "h= of ARC-Message-Signature exactly; by default as\n"
         "onward sign has it, and DKIM-Signature",
         false, false},
        SIGNING_OPTION_EXPIRE(&s),
        WORLD_OPTIONS_DNS(&s.choice),
        WORLD_OPTION_TIME(&s.choice),
        SIGNING_OPTION_RAW(&s),
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status < 0)
        status = signing_begin(command, &s, &args);
    if (status < 0)
        status = checking_test(command, &s.world, &c);
    if (status < 0)
        status = verify_and_seal(command, &s, &c, headers);
    signing_end(&s);
    return status;
}

const struct command command_seal = {
    .name = "seal",
    .operands = "[MESSAGE]",
    .summary = "Verify a message and put an ARC set on top (RFC 8617)",
    .details = SIGNING_DETAILS,
    .examples =
        "onward seal --key key.pem --domain fwd.example.net --selector arc "
        "--authserv-id mx.example.net --dns zone.txt < signed.eml\n"
        "onward seal --key key.pem --domain fwd.example.net --selector arc "
        "--authserv-id mx.example.net --ip 192.0.2.1 "
        "--mail-from alice@example.com --dns zone.txt signed.eml\n",
    .run = run,
};
