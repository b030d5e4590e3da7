/* onward lint spf|dkim|dmarc|mta-sts|tlsrpt: what is wrong with a record, and
 * where.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <onward/dkim.h>
#include <onward/dmarc.h>
#include <onward/mtasts.h>
#include <onward/spf.h>
#include <onward/tlsrpt.h>

#include "cli.h"
#include "host.h"
#include "json.h"
#include "options.h"
#include "results.h"
#include "style.h"
#include "world.h"

enum { NAME_ROOM = 512 };

struct fault {
    size_t offset;
    const char *text;
    bool is_void; /* nobody can use the record */
};

struct kind {
    const struct command *command;
    const char *title; /* "SPF" */
    /* As the linters of the library return. */
    int (*lint)(struct onward_ctx *ctx, struct onward_str record,
                struct fault *fault);
};

struct linting {
    const struct kind *kind;
    struct world world;
    const char *operand, *selector;
    char name[NAME_ROOM]; /* where the record stands, or the file */
    bool is_json;
    int status;
};

static int lint_spf(struct onward_ctx *ctx, struct onward_str record,
                    struct fault *fault)
{
    struct onward_spf_fault f = {.size = sizeof(f)};
    int err = onward_spf_lint(ctx, record, &f);

    *fault = (struct fault){f.offset, f.text, true};
    return err;
}

static int lint_dkim(struct onward_ctx *ctx, struct onward_str record,
                     struct fault *fault)
{
    struct onward_dkim_fault f = {.size = sizeof(f)};
    int err = onward_dkim_lint(ctx, record, &f);

    *fault = (struct fault){f.offset, f.text, f.is_void != 0};
    return err;
}

static int lint_dmarc(struct onward_ctx *ctx, struct onward_str record,
                      struct fault *fault)
{
    struct onward_dmarc_fault f = {.size = sizeof(f)};
    int err = onward_dmarc_lint(record, &f);

    (void)ctx;
    *fault = (struct fault){f.offset, f.text, f.is_void != 0};
    return err;
}

static int lint_mta_sts(struct onward_ctx *ctx, struct onward_str record,
                        struct fault *fault)
{
    struct onward_mtasts_fault f = {.size = sizeof(f)};
    int err = onward_mtasts_record_lint(record, &f);

    (void)ctx;
    *fault = (struct fault){f.offset, f.text, f.is_void != 0};
    return err;
}

static int lint_tlsrpt(struct onward_ctx *ctx, struct onward_str record,
                       struct fault *fault)
{
    struct onward_tlsrpt_fault f = {.size = sizeof(f)};
    int err = onward_tlsrpt_record_lint(record, &f);

    (void)ctx;
    *fault = (struct fault){f.offset, f.text, f.is_void != 0};
    return err;
}

/* ---- Output ------------------------------------------------------------ */

static void print_json(const struct linting *l, struct onward_str record,
                       const struct fault *fault)
{
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "name", l->name);
    json_str_or_null(&j, "record", record);
    if (fault == NULL) {
        json_null(&j, "fault");
    } else {
        json_open(&j, "fault", '{');
        json_number(&j, "offset", fault->offset);
        json_text(&j, "text", fault->text);
        json_bool(&j, "void", fault->is_void);
        json_close(&j, '}');
    }
    json_close(&j, '}');
    json_end(&j);
}

/* The record with a mark under the octet: of a long one only what is near. */
static void print_near(struct onward_str record, size_t offset)
{
    const size_t before = 50, behind = 26;
    size_t from = offset > before ? offset - before : 0;
    size_t to = record.len - offset > behind ? offset + behind : record.len;

    printf("  ");
    results_put((struct onward_str){record.data + from, to - from});
    printf("\n  %*s^\n", (int)(offset - from), "");
}

static void print(struct linting *l, struct onward_str record,
                  const struct fault *fault)
{
    if (fault != NULL)
        l->status = CLI_NOT_PASS;
    if (l->is_json) {
        print_json(l, record, fault);
    } else if (fault == NULL) {
        style_line(l->name, "no fault");
    } else {
        printf("%s: octet %zu: %s%s%s%s\n", l->name, fault->offset,
               style_on(stdout, fault->is_void ? STYLE_BAD : STYLE_WARN),
               fault->text, style_off(stdout),
               fault->is_void ? "" : " (the rest holds)");
        print_near(record, fault->offset);
    }
}

/* True: it was a record of this kind. */
static bool lint(struct linting *l, struct onward_str record)
{
    struct fault fault = {0};
    int err = l->kind->lint(l->world.ctx, record, &fault);

    if (err == ONWARD_ENOENT)
        return false;
    if (err == ONWARD_ENOMEM)
        l->status = cli_broken(l->kind->command, "%s", onward_strerror(err));
    else
        print(l, record, err == 0 ? NULL : &fault);
    return true;
}

static void tell(struct linting *l, const char *text)
{
    const struct fault fault = {0, text, true};

    l->status = CLI_NOT_PASS;
    if (l->is_json)
        print_json(l, (struct onward_str){0}, &fault);
    else
        printf("%s: %s%s%s\n", l->name, style_on(stdout, STYLE_BAD), text,
               style_off(stdout));
}

/* ---- Records from DNS -------------------------------------------------- */

static void lint_all(struct linting *l, const struct onward_dns_lookup *lookup)
{
    size_t count = 0;
    char text[64];

    for (size_t i = 0; i < onward_dns_lookup_count(lookup); i++)
        count += lint(l, onward_dns_lookup_data(lookup, i)) ? 1 : 0;
    if (count == 1)
        return;
    snprintf(text, sizeof(text), "%s, expected one %s record",
             count == 0 ? "none there" : "more than one", l->kind->title);
    tell(l, text);
}

static void done(void *user, struct onward_dns_lookup *lookup)
{
    (void)lookup;
    *(bool *)user = true;
}

static bool is_failure(int status)
{
    return status == ONWARD_DNS_STATUS_TEMP ||
           status == ONWARD_DNS_STATUS_BOGUS;
}

static void ask(struct linting *l)
{
    bool is_done = false;
    const struct onward_dns_lookup_host host = {
        .size = sizeof(host), .user = &is_done, .done = done};
    struct onward_dns_lookup *lookup = NULL;
    int err = onward_dns_lookup_new(l->world.resolver, onward_str_of(l->name),
                                    ONWARD_DNS_TXT, &host, &lookup);

    if (err == 0)
        world_run(&l->world, &is_done);
    if (err != 0 || !is_done)
        l->status =
            cli_broken(l->kind->command, "%s: %s", l->name,
                       onward_strerror(err != 0 ? err : ONWARD_ECANCELED));
    else if (is_failure(onward_dns_lookup_status(lookup)))
        l->status =
            cli_broken(l->kind->command, "%s: no answer from DNS", l->name);
    else
        lint_all(l, lookup);
    onward_dns_lookup_free(lookup);
}

/* ---- Records from files ------------------------------------------------ */

/* "..." "..." of a zone file becomes the text, in place. */
static struct onward_str join(char *text, size_t len)
{
    size_t out = 0;
    bool is_inside = false;

    while (len != 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (len == 0 || text[0] != '"')
        return (struct onward_str){text, len};
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            is_inside = !is_inside;
        else if (text[i] == '\\' && i + 1 < len)
            text[out++] = text[++i];
        else if (is_inside)
            text[out++] = text[i];
    }
    return (struct onward_str){text, out};
}

/* False: there is no such file. */
static bool lint_file(struct linting *l)
{
    size_t len;
    char *text = NULL;

    if (strcmp(l->operand, "-") == 0 || access(l->operand, R_OK) == 0)
        text = host_read_file(l->operand, &len);
    if (text == NULL)
        return false;
    snprintf(l->name, sizeof(l->name), "%s", l->operand);
    if (!lint(l, join(text, len))) {
        char none[64];

        snprintf(none, sizeof(none), "expected a %s record", l->kind->title);
        tell(l, none);
    }
    free(text);
    return true;
}

/* ---- The commands ------------------------------------------------------ */

/* Where the record of the operand stands. */
static bool find_name(struct linting *l)
{
    const char *before = "", *between = "";
    int len;

    if (l->kind->command == &command_lint_dmarc)
        before = "_dmarc.";
    if (l->kind->command == &command_lint_mta_sts)
        before = "_mta-sts.";
    if (l->kind->command == &command_lint_tlsrpt)
        before = "_smtp._tls.";
    if (l->selector != NULL) {
        before = l->selector;
        between = "._domainkey.";
    }
    len = snprintf(l->name, sizeof(l->name), "%s%s%s", before, between,
                   l->operand);
    return len > 0 && (size_t)len < sizeof(l->name);
}

static int run(const struct kind *kind, struct args args)
{
    struct linting l = {.kind = kind};
    struct world_choice choice = {0};
    bool does_check = false;
    struct option options[] = {
        WORLD_OPTIONS_DNS(&choice),
        {"json", OPTION_FLAG, &l.is_json, NULL, "print one JSON object", false,
         false},
        {"check", OPTION_FLAG, &does_check, NULL,
         "exit with 1 when there is a fault, or no record", false, false},
        {"selector", OPTION_TEXT, &l.selector, "NAME",
         "the key's name: NAME._domainkey.DOMAIN is asked for", false, false},
        OPTIONS_END,
    };
    bool is_dkim = kind->command == &command_lint_dkim;
    int status;

    if (!is_dkim) /* the last row is for keys alone */
        options[sizeof(options) / sizeof(options[0]) - 2] =
            (struct option)OPTIONS_END;
    status = cli_options(kind->command, options, &args);
    if (status >= 0)
        return status;
    if (args.count != 1)
        return cli_usage(kind->command,
                         "%d operands, expected one domain or "
                         "file",
                         args.count);
    l.operand = args.items[0];
    status = world_new(kind->command, &choice, &l.world);
    if (status < 0) {
        status = CLI_DONE;
        if (lint_file(&l))
            status = CLI_DONE;
        else if (is_dkim && l.selector == NULL &&
                 strstr(l.operand, "._domainkey.") == NULL)
            status = cli_usage(kind->command,
                               "\"%s\", expected --selector with a domain, "
                               "or a file",
                               l.operand);
        else if (!find_name(&l))
            status = cli_usage(kind->command, "\"%s\", expected a domain",
                               l.operand);
        else
            ask(&l);
    }
    world_clear(&l.world);
    if (status == CLI_DONE && (l.status != CLI_NOT_PASS || does_check))
        status = l.status;
    return status;
}

static int run_spf(const struct command *command, struct args args)
{
    const struct kind kind = {command, "SPF", lint_spf};

    return run(&kind, args);
}

static int run_dkim(const struct command *command, struct args args)
{
    const struct kind kind = {command, "DKIM key", lint_dkim};

    return run(&kind, args);
}

static int run_dmarc(const struct command *command, struct args args)
{
    const struct kind kind = {command, "DMARC", lint_dmarc};

    return run(&kind, args);
}

static int run_tlsrpt(const struct command *command, struct args args)
{
    const struct kind kind = {command, "TLSRPT", lint_tlsrpt};

    return run(&kind, args);
}

static int run_mta_sts(const struct command *command, struct args args)
{
    const struct kind kind = {command, "MTA-STS", lint_mta_sts};

    return run(&kind, args);
}

#define DETAILS                                                                \
    "A file that is there is read (\"-\": standard input): the record's "      \
    "text, "                                                                   \
    "or\nits strings in quotes. Else the record of the domain is asked for.\n"

const struct command command_lint_spf = {
    .name = "lint spf",
    .operands = "DOMAIN|FILE",
    .summary = "Find the first fault of an SPF record",
    .details = DETAILS,
    .examples = "onward lint spf example.com --dns zone.txt\n"
                "echo 'v=spf1 ipv4:192.0.2.1 -all' | onward lint spf -\n",
    .run = run_spf,
};

const struct command command_lint_dkim = {
    .name = "lint dkim",
    .operands = "DOMAIN|FILE",
    .summary = "Find the first fault of a DKIM key record",
    .details = DETAILS,
    .examples = "onward lint dkim example.com --selector sel --dns zone.txt\n"
                "onward lint dkim sel._domainkey.example.com --dns zone.txt "
                "--json\n",
    .run = run_dkim,
};

const struct command command_lint_dmarc = {
    .name = "lint dmarc",
    .operands = "DOMAIN|FILE",
    .summary = "Find the first fault of a DMARC record",
    .details = DETAILS,
    .examples = "onward lint dmarc example.com --dns zone.txt\n"
                "echo 'v=DMARC1; p=rejct' | onward lint dmarc - --json\n",
    .run = run_dmarc,
};

const struct command command_lint_mta_sts = {
    .name = "lint mta-sts",
    .operands = "DOMAIN|FILE",
    .summary = "Find the first fault of an MTA-STS record",
    .details = DETAILS,
    .examples = "onward lint mta-sts example.com --dns zone.txt\n"
                "echo 'v=STSv1; id=2026-01-01' | onward lint mta-sts -\n",
    .run = run_mta_sts,
};

const struct command command_lint_tlsrpt = {
    .name = "lint tlsrpt",
    .operands = "DOMAIN|FILE",
    .summary = "Find the first fault of a TLSRPT record",
    .details = DETAILS,
    .examples = "echo 'v=TLSRPTv1; rua=mailto:a' | onward lint tlsrpt -\n",
    .run = run_tlsrpt,
};
