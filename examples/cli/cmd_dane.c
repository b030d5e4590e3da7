/*
 * onward dane check: what a sender demands of the mail servers of a domain, and
 * why. onward dane record: what a server publishes so that it does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onward/dane.h>

#include "cli.h"
#include "host.h"
#include "json.h"
#include "options.h"
#include "results.h"
#include "style.h"
#include "world.h"

enum {
    SERVERS_MAX = 64, /* that are looked at */
    NAME_MAX_LEN = 255
};

/* In A-labels; it goes into a question, or a zone file. */
static bool is_host(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len < NAME_MAX_LEN && name[0] != '.' &&
           strstr(name, "..") == NULL &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] ==
               '\0';
}

/* ---- dane check --------------------------------------------------------- */

struct check {
    const struct command *command;
    struct world world;
    struct onward_str domain;
    size_t port;
    bool is_json;
    bool is_all_usable;
    bool is_done;
};

static const char *const origins[] = {
    [ONWARD_DANE_MX_INSECURE] = "insecure",
    [ONWARD_DANE_MX_SECURE] = "secure",
    [ONWARD_DANE_NO_MX] = "none",
};

/* What it comes to, in the words of the library's levels. */
static const char *demand_of(const struct onward_dane_lookup *l)
{
    switch (onward_dane_lookup_result(l)) {
    case ONWARD_DANE_RESULT_NONE:
        return "opportunistic";
    case ONWARD_DANE_RESULT_USABLE:
        return "dane";
    case ONWARD_DANE_RESULT_UNUSABLE:
        return "encrypted";
    default:
        return "no-delivery";
    }
}

static const char *demand_text(const struct onward_dane_lookup *l)
{
    switch (onward_dane_lookup_result(l)) {
    case ONWARD_DANE_RESULT_NONE:
        return "TLS when it works, any certificate";
    case ONWARD_DANE_RESULT_USABLE:
        return "TLS, a certificate that one of the records vouches for";
    case ONWARD_DANE_RESULT_UNUSABLE:
        return "TLS, any certificate";
    default:
        return "do not deliver there now";
    }
}

static bool counts(const struct onward_dane_lookup *l, struct onward_str rdata)
{
    for (size_t i = 0; i < onward_dane_lookup_count(l); i++) {
        struct onward_str r = onward_dane_lookup_record(l, i);

        if (r.len == rdata.len && memcmp(r.data, rdata.data, r.len) == 0)
            return true;
    }
    return false;
}

/* Usable, but another digest is stronger, or it is one too many. */
static const char *verdict_on(const struct onward_dane_lookup *l,
                              struct onward_str rdata,
                              const struct onward_dane_record *r)
{
    if (r->problem != ONWARD_DANE_PROBLEM_NONE)
        return onward_dane_problem_name((int)r->problem);
    return counts(l, rdata) ? "counts" : "not needed";
}

/* free() it. */
static char *hex_of(struct onward_str data)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(data.len * 2 + 1);

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < data.len; i++) {
        text[2 * i] = digits[(unsigned char)data.data[i] >> 4];
        text[2 * i + 1] = digits[(unsigned char)data.data[i] & 15];
    }
    text[data.len * 2] = '\0';
    return text;
}

static void print_record(struct json *j, const struct onward_dane_lookup *l,
                         size_t i)
{
    struct onward_str rdata = onward_dane_lookup_answer(l, i);
    struct onward_dane_record r = {.size = sizeof(r)};
    const char *verdict;
    char *hex;

    (void)onward_dane_record_parse(rdata, &r);
    hex = hex_of(r.data);
    verdict = verdict_on(l, rdata, &r);
    if (hex == NULL)
        return;
    if (j != NULL) {
        json_open(j, NULL, '{');
        json_number(j, "usage", r.usage);
        json_number(j, "selector", r.selector);
        json_number(j, "matching", r.matching);
        json_text(j, "data", hex);
        json_bool(j, "counts", strcmp(verdict, "counts") == 0);
        json_text_or_null(j, "problem",
                          r.problem == ONWARD_DANE_PROBLEM_NONE ? "" : verdict);
        json_close(j, '}');
    } else if (r.problem == ONWARD_DANE_PROBLEM_SHORT) {
        printf("record: too short: unusable\n");
    } else {
        printf("record: %zu %zu %zu %s: %s%s\n", r.usage, r.selector,
               r.matching, hex, verdict,
               r.problem == ONWARD_DANE_PROBLEM_NONE ? "" : " is unusable");
    }
    free(hex);
}

static void print_json(const struct check *c, const struct onward_dane_opts *o,
                       const struct onward_dane_lookup *l)
{
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_str(&j, "host", o->host);
    json_number(&j, "port", c->port);
    json_text(&j, "mx", origins[o->origin]);
    json_text(&j, "result",
              onward_dane_result_name(onward_dane_lookup_result(l)));
    json_text(&j, "reason",
              onward_dane_reason_name(onward_dane_lookup_reason(l)));
    json_text(&j, "tls", demand_of(l));
    json_str_or_null(&j, "base_domain", onward_dane_lookup_base_domain(l));
    json_str_or_null(&j, "asked", onward_dane_lookup_asked(l));
    json_open(&j, "names", '[');
    for (size_t i = 0; i < onward_dane_lookup_name_count(l); i++)
        json_str(&j, NULL, onward_dane_lookup_name(l, i));
    json_close(&j, ']');
    json_open(&j, "records", '[');
    for (size_t i = 0; i < onward_dane_lookup_answer_count(l); i++)
        print_record(&j, l, i);
    json_close(&j, ']');
    json_close(&j, '}');
    json_end(&j);
}

static void print(const struct onward_dane_opts *o,
                  const struct onward_dane_lookup *l)
{
    results_line("server", o->host);
    printf("mx: %s\n", origins[o->origin]);
    style_line("result", onward_dane_result_name(onward_dane_lookup_result(l)));
    printf("reason: %s\n",
           onward_dane_reason_text(onward_dane_lookup_reason(l)));
    printf("demand: %s\n", demand_text(l));
    results_line("asked", onward_dane_lookup_asked(l));
    results_line("base domain", onward_dane_lookup_base_domain(l));
    for (size_t i = 0; i < onward_dane_lookup_name_count(l); i++)
        results_line("name", onward_dane_lookup_name(l, i));
    for (size_t i = 0; i < onward_dane_lookup_answer_count(l); i++)
        print_record(NULL, l, i);
}

static void dane_done(void *user, struct onward_dane_lookup *lookup)
{
    (void)lookup;
    *(bool *)user = true;
}

static int check_server(struct check *c, struct onward_str host, size_t origin,
                        struct onward_str canonical)
{
    const struct onward_dane_opts opts = {.size = sizeof(opts),
                                          .host = host,
                                          .port = c->port,
                                          .origin = origin,
                                          .next_hop = c->domain,
                                          .next_hop_canonical = canonical};
    const struct onward_dane_lookup_host done = {
        .size = sizeof(done), .user = &c->is_done, .done = dane_done};
    struct onward_dane_lookup *l = NULL;
    int err;

    c->is_done = false;
    err = onward_dane_lookup_new(c->world.resolver, &opts, &done, &l);
    if (err == 0)
        world_run(&c->world, &c->is_done);
    if (err == 0 && !c->is_done)
        err = ONWARD_ECANCELED;
    if (err == 0) {
        if (c->is_json)
            print_json(c, &opts, l);
        else
            print(&opts, l);
        if (onward_dane_lookup_result(l) != ONWARD_DANE_RESULT_USABLE)
            c->is_all_usable = false;
    }
    onward_dane_lookup_free(l);
    if (err != 0)
        return cli_broken(c->command, "no result: %s", onward_strerror(err));
    return CLI_DONE;
}

static void mx_done(void *user, struct onward_dns_lookup *lookup)
{
    (void)lookup;
    *(bool *)user = true;
}

/* The preferred first; equals as they came. */
static size_t order(const struct onward_dns_lookup *mx, size_t *at)
{
    size_t count = 0;

    for (size_t i = 0; i < onward_dns_lookup_count(mx) && count < SERVERS_MAX;
         i++) {
        size_t j = count++;

        for (; j > 0 && onward_dns_lookup_preference(mx, at[j - 1]) >
                            onward_dns_lookup_preference(mx, i);
             j--)
            at[j] = at[j - 1];
        at[j] = i;
    }
    return count;
}

static int check_mx(struct check *c, const struct onward_dns_lookup *mx)
{
    size_t origin = onward_dns_lookup_is_secure(mx) ? ONWARD_DANE_MX_SECURE
                                                    : ONWARD_DANE_MX_INSECURE;
    size_t at[SERVERS_MAX], count = order(mx, at);
    int status = CLI_DONE;

    for (size_t i = 0; i < count && status == CLI_DONE; i++) {
        struct onward_str host = onward_dns_lookup_data(mx, at[i]);

        if (host.len == 0) /* null MX (RFC 7505) */
            return cli_broken(c->command, "the domain takes no mail (null MX)");
        if (i > 0 && !c->is_json)
            putchar('\n');
        status = check_server(c, host, origin, onward_dns_lookup_canonical(mx));
    }
    return status;
}

static int check_domain(struct check *c)
{
    const struct onward_dns_lookup_host host = {
        .size = sizeof(host), .user = &c->is_done, .done = mx_done};
    struct onward_dns_lookup *mx = NULL;
    int status;
    int err = onward_dns_lookup_new(c->world.resolver, c->domain, ONWARD_DNS_MX,
                                    &host, &mx);

    if (err == 0)
        world_run(&c->world, &c->is_done);
    switch (onward_dns_lookup_status(mx)) {
    case ONWARD_DNS_STATUS_OK:
        status = check_mx(c, mx);
        break;
    case ONWARD_DNS_STATUS_NODATA:
    case ONWARD_DNS_STATUS_NXDOMAIN:
        /* Without MX it is a server itself; one that does not exist is told
         * by its address. */
        status = check_server(c, c->domain, ONWARD_DANE_NO_MX,
                              (struct onward_str){NULL, 0});
        break;
    case ONWARD_DNS_STATUS_BOGUS:
        status = cli_broken(c->command, "MX: DNSSEC validation failed");
        break;
    default:
        status = cli_broken(c->command, "MX: no answer");
        break;
    }
    onward_dns_lookup_free(mx);
    return status;
}

static int run_check(const struct command *command, struct args args)
{
    struct world_choice choice = {0};
    struct check c = {.command = command, .port = 25, .is_all_usable = true};
    const char *port = NULL;
    bool does_check = false;
    struct option options[] = {
        {"port", OPTION_TEXT, &port, "NUMBER", "of the server; 25 by default",
         false, false},
        WORLD_OPTIONS_DNS(&choice),
        {"json", OPTION_FLAG, &c.is_json, NULL,
         "print one JSON object for each server", false, false},
        {"check", OPTION_FLAG, &does_check, NULL,
         "exit with 1 when a server has no usable records", false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 1)
        return cli_usage(command, "%d operands, expected one domain or server",
                         args.count);
    if (!is_host(args.items[0]))
        return cli_usage(command, "\"%s\", expected a domain name in A-labels",
                         args.items[0]);
    if (!cli_port(port, &c.port))
        return cli_usage(command, "--port \"%s\", expected 1 to 65535", port);
    c.domain = onward_str_of(args.items[0]);
    status = world_new(command, &choice, &c.world);
    if (status < 0)
        status = check_domain(&c);
    if (status == CLI_DONE && does_check && !c.is_all_usable)
        status = CLI_NOT_PASS;
    world_clear(&c.world);
    return status;
}

const struct command command_dane_check = {
    .name = "dane check",
    .operands = "DOMAIN",
    .summary = "Say what a domain's TLSA records demand of TLS (RFC 7672)",
    .details = "DOMAIN may be a mail server too. Records count only where the "
               "resolver\nvalidated them by DNSSEC.\n",
    .examples = "onward dane check example.com --dns zone.txt\n"
                "onward dane check mail.example.com --port 587 --dns zone.txt "
                "--json\n",
    .run = run_check,
};

/* ---- dane record -------------------------------------------------------- */

static void print_made(size_t port, const char *host, const char *text,
                       bool is_json)
{
    size_t len = strlen(host);
    char name[NAME_MAX_LEN + 16];
    struct json j = {0};

    if (host[len - 1] == '.')
        len--;
    snprintf(name, sizeof(name), "_%zu._tcp.%.*s", port, (int)len, host);
    if (!is_json) {
        printf("%s. 3600 IN TLSA %s\n", name, text);
        return;
    }
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "name", name);
    json_text(&j, "type", "TLSA");
    json_text(&j, "record", text);
    json_close(&j, '}');
    json_end(&j);
}

static int write_record(const struct command *command, const char *path,
                        size_t usage, size_t selector, size_t matching,
                        const char *host, size_t port, bool is_json)
{
    const struct world_choice choice = {0};
    struct world world;
    size_t cert_len = 0, cap;
    char *cert = host_read_file(path, &cert_len), *text;
    int status, len;

    if (cert == NULL)
        return cli_broken(command, "%s: %s", path, strerror(errno));
    cap = 136 + 2 * cert_len;
    text = malloc(cap);
    status = world_new_ctx(command, &choice, &world);
    if (status < 0) {
        len = text == NULL
                  ? ONWARD_ENOMEM
                  : onward_dane_record_write(
                        world.ctx, usage, selector, matching,
                        (struct onward_str){cert, cert_len}, text, cap);
        status = CLI_DONE;
        if (len == ONWARD_ESYNTAX)
            status = cli_broken(command, "%s: no certificate", path);
        else if (len < 0)
            status = cli_broken(command, "%s: %s", path, onward_strerror(len));
        else
            print_made(port, host, text, is_json);
    }
    world_clear(&world);
    free(text);
    free(cert);
    return status;
}

static int run_record(const struct command *command, struct args args)
{
    static const char *const usages[] = {"2", "3", NULL};
    static const char *const selectors[] = {"0", "1", NULL};
    static const char *const matchings[] = {"0", "1", "2", NULL};
    struct option_choice usage = {usages, 1}, selector = {selectors, 1},
                         matching = {matchings, 1};
    const char *cert = NULL, *port_text = NULL;
    size_t port = 25;
    bool is_json = false;
    struct option options[] = {
        {"cert", OPTION_TEXT, &cert, "FILE",
         "the certificate, PEM or DER: of the server, or with\n"
         "--usage 2 that of its authority",
         true, false},
        {"usage", OPTION_CHOICE, &usage, "NUMBER",
         "2: an authority that the server's chain leads to;\n"
         "3 (the default): the server's own certificate",
         false, false},
        {"selector", OPTION_CHOICE, &selector, "NUMBER",
         "0: the whole certificate; 1 (the default): its key", false, false},
        {"matching", OPTION_CHOICE, &matching, "NUMBER",
         "0: all of it; 1 (the default): SHA2-256; 2: SHA2-512", false, false},
        {"port", OPTION_TEXT, &port_text, "NUMBER",
         "of the server; 25 by default", false, false},
        {"json", OPTION_FLAG, &is_json, NULL, "print one JSON object", false,
         false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 1)
        return cli_usage(command, "%d operands, expected one server",
                         args.count);
    if (!is_host(args.items[0]))
        return cli_usage(command, "\"%s\", expected a host name in A-labels",
                         args.items[0]);
    if (!cli_port(port_text, &port))
        return cli_usage(command, "--port \"%s\", expected 1 to 65535",
                         port_text);
    return write_record(command, cert, usage.picked + 2, selector.picked,
                        matching.picked, args.items[0], port, is_json);
}

const struct command command_dane_record = {
    .name = "dane record",
    .operands = "HOST",
    .summary = "Make the TLSA record of a server's certificate",
    .details = "It is printed as a line of a zone file, which must be signed "
               "(DNSSEC).\n",
    .examples = "onward dane record --cert server.pem mail.example.com\n"
                "onward dane record --cert server.pem --usage 2 --selector 0 "
                "mail.example.com --json\n",
    .run = run_record,
};
