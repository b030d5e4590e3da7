/* onward keygen: a new DKIM key, and the record that publishes it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <onward/dkim.h>

#include "cli.h"
#include "json.h"
#include "options.h"
#include "world.h"

enum { PEM_MAX = 4096, RECORD_MAX = 1000, STRINGS_MAX = 4100 };

struct generation {
    const char *domain, *selector, *out, *bits;
    bool is_test, is_json;
};

static const char *const type_names[] = {"rsa", "ed25519", NULL};
/* In the same order. */
static const struct row {
    uint32_t type;
    size_t bits; /* by default */
} types[] = {{ONWARD_KEY_RSA, 2048}, {ONWARD_KEY_ED25519, 0}};

/* 0: not one of them. */
static size_t read_bits(const char *text)
{
    static const struct {
        const char *name;
        size_t bits;
    } sizes[] = {{"2048", 2048}, {"3072", 3072}, {"4096", 4096}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        if (strcmp(sizes[i].name, text) == 0)
            return sizes[i].bits;
    }
    return 0;
}

/* A key that is there is never written over: mail may be signed with it. */
static int save(const struct command *command, const char *path,
                const char *pem, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool is_written;

    if (fd < 0)
        return cli_broken(command, "%s: %s, expected a name for a new file",
                          path, strerror(errno));
    is_written = write(fd, pem, len) == (ssize_t)len;
    if (close(fd) != 0 || !is_written) {
        unlink(path);
        return cli_broken(command, "%s: could not be written", path);
    }
    return CLI_DONE;
}

static void print_json(const struct generation *g, const char *record)
{
    struct json j = {0};
    char name[600];

    snprintf(name, sizeof(name), "%s._domainkey.%s", g->selector, g->domain);
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "name", name);
    json_text(&j, "type", "TXT");
    json_text(&j, "record", record);
    json_text(&j, "file", g->out);
    json_close(&j, '}');
    json_end(&j);
}

static int publish(const struct command *command, const struct generation *g,
                   struct onward_key *key)
{
    const struct onward_dkim_record_opts opts = {.size = sizeof(opts),
                                                 .is_test = g->is_test};
    char record[RECORD_MAX], strings[STRINGS_MAX], pem[PEM_MAX];
    int status = CLI_DONE;
    int len =
        onward_dkim_record(onward_key_public(key), &opts, record, RECORD_MAX);

    if (len >= 0)
        len =
            onward_dns_txt_strings(onward_str_of(record), strings, STRINGS_MAX);
    if (len >= 0)
        len = onward_key_to_pem(key, pem, PEM_MAX);
    if (len < 0)
        return cli_broken(command, "%s", onward_strerror(len));
    status = save(command, g->out, pem, (size_t)len);
    explicit_bzero(pem, sizeof(pem));
    if (status == CLI_DONE && g->is_json)
        print_json(g, record);
    else if (status == CLI_DONE)
        printf("%s._domainkey.%s. 3600 IN TXT %s\n", g->selector, g->domain,
               strings);
    return status;
}

static void ignore(void *user, struct onward_dkim_signer *signer, int status)
{
    (void)user;
    (void)signer;
    (void)status;
}

/* Names that a signature can carry: whoever will sign with them knows. */
static int try_names(struct world *world, struct onward_key *key,
                     const struct generation *g)
{
    const struct onward_dkim_signer_opts opts = {
        .size = sizeof(opts),
        .domain = onward_str_of(g->domain),
        .selector = onward_str_of(g->selector)};
    const struct onward_dkim_signer_host host = {.size = sizeof(host),
                                                 .done = ignore};
    struct onward_dkim_signer *signer = NULL;
    struct onward_signer *signing = NULL;
    int err = onward_signer_new(world->desk, key, NULL, &signing);

    if (err == 0)
        err = onward_dkim_signer_new(signing, &opts, &host, &signer);
    onward_dkim_signer_free(signer);
    onward_signer_free(signing);
    return err;
}

static int generate(const struct command *command, const struct generation *g,
                    uint32_t type, size_t bits)
{
    const struct world_choice choice = {0};
    struct onward_key *key = NULL;
    struct world world;
    int status = world_new_desk(command, &choice, &world);
    int err;

    if (status < 0) {
        err = onward_key_generate(world.ctx, type, bits, &key);
        if (err == 0)
            err = try_names(&world, key, g);
        if (err == ONWARD_EINVAL)
            status = cli_usage(command,
                               "--domain \"%s\" --selector \"%s\", expected "
                               "domain names in A-labels",
                               g->domain, g->selector);
        else if (err != 0)
            status = cli_broken(command, "%s", onward_strerror(err));
        else
            status = publish(command, g, key);
    }
    onward_key_free(key);
    world_clear(&world);
    return status;
}

static int run(const struct command *command, struct args args)
{
    struct generation g = {0};
    struct option_choice named = {.words = type_names};
    struct option options[] = {
        {"domain", OPTION_TEXT, &g.domain, "DOMAIN", "the domain that signs",
         true, false},
        {"selector", OPTION_TEXT, &g.selector, "NAME",
         "where below the domain the public key will stand", true, false},
        {"out", OPTION_TEXT, &g.out, "FILE",
         "the private key goes there, readable by you alone; a\n"
         "file that is there is left as it is",
         true, false},
        {"type", OPTION_CHOICE, &named, "NAME", "rsa (the default) or ed25519",
         false, false},
        {"bits", OPTION_TEXT, &g.bits, "NUMBER",
         "of an RSA key: 2048 (the default), 3072 or 4096", false, false},
        {"test", OPTION_FLAG, &g.is_test, NULL,
         "publish it as a test: mail counts as not signed", false, false},
        {"json", OPTION_FLAG, &g.is_json, NULL, "print one JSON object", false,
         false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);
    const struct row *type;
    size_t bits;

    if (status >= 0)
        return status;
    if (args.count != 0)
        return cli_usage(command, "\"%s\", expected options alone",
                         args.items[0]);
    type = &types[named.picked];
    bits = g.bits == NULL ? type->bits : read_bits(g.bits);
    if (g.bits != NULL && (bits == 0 || type->type != ONWARD_KEY_RSA))
        return cli_usage(command,
                         "--bits \"%s\", expected 2048, 3072 or 4096, for an "
                         "RSA key",
                         g.bits);
    return generate(command, &g, type->type, bits);
}

const struct command command_keygen = {
    .name = "keygen",
    .operands = "",
    .summary = "Make a DKIM key and the record that publishes it",
    .details = "The record is printed as a line of a zone file.\n",
    .examples = "onward keygen --domain example.com --selector new "
                "--out new.pem\n"
                "onward keygen --domain example.com --selector ed "
                "--type ed25519 --test --out ed.pem\n",
    .run = run,
};
