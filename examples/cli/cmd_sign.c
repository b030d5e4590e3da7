/* onward sign: put a DKIM-Signature on top of a message. */
#include <stdio.h>
#include <string.h>

#include <onward/dkim.h>

#include "cli.h"
#include "load.h"
#include "message.h"
#include "options.h"
#include "signing.h"
#include "world.h"

struct signing_options {
    const char *algorithm, *identity, *headers, *canon;
};

struct outcome {
    bool is_done;
    int status;
};

static void done(void *user, struct onward_dkim_signer *signer, int status)
{
    struct outcome *o = user;

    (void)signer;
    o->is_done = true;
    o->status = status;
}

static int check_algorithm(const struct command *command,
                           const struct signing *s, const char *algorithm,
                           size_t i)
{
    static const char *const names[] = {[ONWARD_KEY_RSA] = "rsa-sha256",
                                        [ONWARD_KEY_ED25519] =
                                            "ed25519-sha256"};
    const char *own =
        names[onward_pubkey_type(onward_signer_public(signing_key(s, i)))];

    if (algorithm == NULL || strcmp(algorithm, own) == 0)
        return -1;
    if (strcmp(algorithm, names[ONWARD_KEY_RSA]) != 0 &&
        strcmp(algorithm, names[ONWARD_KEY_ED25519]) != 0)
        return cli_usage(command,
                         "--algorithm \"%s\", expected rsa-sha256 or "
                         "ed25519-sha256",
                         algorithm);
    return cli_broken(command, "%s: a key for %s, expected one for %s",
                      signing_key_file(s, i), own, algorithm);
}

/* c=: header/body; a header alone means a simple body (RFC 6376 3.5). */
static bool read_canon(const char *text, struct onward_dkim_signer_opts *opts)
{
    static const struct row {
        const char *name;
        size_t header, body; /* is it simple? */
    } rows[] = {
        {"relaxed/relaxed", 0, 0}, {"relaxed/simple", 0, 1},
        {"simple/relaxed", 1, 0},  {"simple/simple", 1, 1},
        {"relaxed", 0, 1},         {"simple", 1, 1},
    };

    if (text == NULL)
        return true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, text) == 0) {
            opts->use_simple_header = rows[i].header;
            opts->use_simple_body = rows[i].body;
            return true;
        }
    }
    return false;
}

/* Which option was it? The one without which the rest would do. */
static int blame(const struct command *command, const struct signing *s,
                 struct onward_dkim_signer_opts opts, size_t i)
{
    const struct onward_dkim_signer_host host = {.size = sizeof(host),
                                                 .done = done};
    struct onward_signer *key = signing_key(s, i);
    struct onward_dkim_signer *signer = NULL;
    struct onward_str headers = opts.fields;
    struct onward_str identity = opts.identity;

    opts.fields = (struct onward_str){0};
    if (headers.len != 0 &&
        onward_dkim_signer_new(key, &opts, &host, &signer) == 0) {
        onward_dkim_signer_free(signer);
        return cli_usage(command,
                         "--headers \"%.*s\", expected names of fields with "
                         "colons between, and from among them",
                         (int)headers.len, headers.data);
    }
    opts.identity = (struct onward_str){0};
    if (identity.len != 0 &&
        onward_dkim_signer_new(key, &opts, &host, &signer) == 0) {
        onward_dkim_signer_free(signer);
        return cli_usage(command,
                         "--identity \"%.*s\", expected an address in %s or "
                         "below it",
                         (int)identity.len, identity.data,
                         signing_domain(s, i));
    }
    return cli_usage(command,
                     "--domain \"%s\" --selector \"%s\", expected domain "
                     "names in A-labels",
                     signing_domain(s, i), signing_selector(s, i));
}

/* All signatures of one reading. -1: go on; else the exit status. */
static int make_signers(const struct command *command, const struct signing *s,
                        struct onward_dkim_signer_opts opts,
                        const struct onward_dkim_signer_host *host,
                        struct onward_dkim_signer **signer)
{
    size_t count = signing_count(s);
    int err = 0;

    for (size_t i = 0; i < count && err == 0; i++) {
        opts.domain = onward_str_of(signing_domain(s, i));
        opts.selector = onward_str_of(signing_selector(s, i));
        err =
            i == 0
                ? onward_dkim_signer_new(signing_key(s, i), &opts, host, signer)
                : onward_dkim_signer_add(*signer, signing_key(s, i), &opts);
        if (err == ONWARD_EINVAL)
            return blame(command, s, opts, i);
    }
    return err == 0 ? -1 : cli_broken(command, "%s", onward_strerror(err));
}

static int sign(const struct command *command, struct signing *s,
                const struct onward_dkim_signer_opts *opts)
{
    struct outcome o = {0};
    const struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = &o, .done = done};
    struct onward_dkim_signer *signer = NULL;
    struct onward_str problem = {0};
    int status = make_signers(command, s, *opts, &host, &signer);
    int err;

    if (status >= 0) {
        onward_dkim_signer_free(signer);
        return status;
    }
    status = CLI_DONE;
    err = onward_dkim_signer_feed(signer, s->message.wire.data,
                                  s->message.wire.len);
    if (err == 0)
        err = onward_dkim_signer_finish(signer);
    if (err == 0) {
        world_run(&s->world, &o.is_done);
        err = o.is_done ? o.status : ONWARD_ECANCELED;
    } else if (err == ONWARD_ESYNTAX) {
        problem = onward_dkim_signer_fault(signer);
    }
    if (problem.len != 0)
        status = cli_broken(command, "%s: %.*s, expected a message to sign",
                            s->message.path, (int)problem.len, problem.data);
    else if (err != 0)
        status = cli_broken(command, "%s: %s", s->message.path,
                            onward_strerror(err));
    else
        message_write(&s->message, onward_dkim_signer_field(signer));
    onward_dkim_signer_free(signer);
    return status;
}

static int run(const struct command *command, struct args args)
{
    struct signing s = {0};
    struct signing_options o = {0};
    struct option options[] = {
        SIGNING_OPTIONS(&s),
        {"algorithm", OPTION_TEXT, &o.algorithm, "NAME",
         "rsa-sha256 or ed25519-sha256: insist on a key for it", false, false},
        {"identity", OPTION_TEXT, &o.identity, "IDENTITY",
         "i=, such as @news.example.com; not written by default", false, false},
        {"headers", OPTION_TEXT, &o.headers, "NAME:NAME...",
         "h= exactly, From among them; by default what RFC 6376\n"
         "section 5.4 recommends, guarded against additions",
         false, false},
        {"canon", OPTION_TEXT, &o.canon, "C/C",
         "canonical form of header and body, relaxed or simple;\n"
         "default relaxed/relaxed",
         false, false},
        SIGNING_OPTION_EXPIRE(&s),
        WORLD_OPTION_TIME(&s.choice),
        SIGNING_OPTION_RAW(&s),
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status < 0)
        status = signing_begin(command, &s, &args);
    for (size_t i = 0; i < s.key_files.count && status < 0; i++)
        status = check_algorithm(command, &s, o.algorithm, i);
    if (status < 0) {
        struct onward_dkim_signer_opts opts = {
            .size = sizeof(opts),
            .expire_s = s.expire.s,
            .identity = onward_str_of(o.identity),
            .fields = onward_str_of(o.headers)};

        if (!read_canon(o.canon, &opts))
            status = cli_usage(command,
                               "--canon \"%s\", expected relaxed or simple, a "
                               "slash, relaxed or simple",
                               o.canon);
        else
            status = sign(command, &s, &opts);
    }
    signing_end(&s);
    return status;
}

const struct command command_sign = {
    .name = "sign",
    .operands = "[MESSAGE]",
    .summary = "Put a DKIM-Signature on top of a message (RFC 6376)",
    .details = SIGNING_DETAILS
    "With --key, --domain and --selector again there are several "
    "signatures, in\nthat order; what is given once is for all of them.\n",
    .examples =
        "onward sign --key key.pem --domain example.com --selector sel "
        "< message.eml\n"
        "onward sign --domain example.com --key key.pem --selector sel "
        "--key ed25519.pem --selector ed --expire 604800 message.eml\n"
        "onward sign --key ed25519.pem --domain example.com --selector ed "
        "--canon relaxed/simple --headers from:to:subject message.eml\n",
    .run = run,
};
