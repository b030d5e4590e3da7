/*
 * onward doctor: everything a domain needs for mail, what is wrong with it, and
 * what to publish. This file reads what to look at and prints the findings;
 * doctor_*.c look.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <onward/mtasts.h>

#include "config.h"
#include "doctor.h"
#include "endpoint.h"
#include "json.h"
#include "results.h"
#include "style.h"

enum { WARNED = 4 /* exit status: nothing worse than a warning */ };

static const char *const severities[] = {
    [DOCTOR_OK] = "ok",           [DOCTOR_NOTE] = "note",
    [DOCTOR_WARNING] = "warning", [DOCTOR_UNKNOWN] = "unknown",
    [DOCTOR_ERROR] = "error",
};

/* What the forwarder's configuration knows. */
struct setup {
    struct config_list listen;
    char *hostname, *srs_domain, *certificate;
    char *seal_key, *seal_domain, *seal_selector;
    char *dns, *resolver, *anchor;
    struct config_key keys[11];
};

/* ---- Output ------------------------------------------------------------ */

static size_t count_of(const struct doctor *d, enum doctor_severity severity)
{
    size_t count = 0;

    for (size_t i = 0; i < d->count; i++)
        count += d->findings[i].severity == severity;
    return count;
}

static enum doctor_severity worst(const struct doctor *d)
{
    enum doctor_severity found = DOCTOR_OK;

    for (size_t i = 0; i < d->count; i++) {
        if (d->findings[i].severity > found)
            found = d->findings[i].severity;
    }
    return found;
}

static void json_finding(struct json *j, const struct doctor_finding *f)
{
    json_open(j, NULL, '{');
    json_text(j, "severity", severities[f->severity]);
    json_text(j, "check", f->check);
    json_text(j, "code", f->code);
    json_text(j, "name", f->name);
    json_text(j, "found", f->found);
    json_text_or_null(j, "fix", f->fix == NULL ? "" : f->fix);
    json_text_or_null(j, "record", f->record == NULL ? "" : f->record);
    json_text_or_null(j, "file", f->file == NULL ? "" : f->file);
    json_close(j, '}');
}

static void print_json(const struct doctor *d)
{
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "domain", d->domain);
    json_text(&j, "worst", severities[worst(d)]);
    json_number(&j, "errors", count_of(d, DOCTOR_ERROR));
    json_number(&j, "unknown", count_of(d, DOCTOR_UNKNOWN));
    json_number(&j, "warnings", count_of(d, DOCTOR_WARNING));
    json_number(&j, "notes", count_of(d, DOCTOR_NOTE));
    json_open(&j, "findings", '[');
    for (size_t i = 0; i < d->count; i++)
        json_finding(&j, &d->findings[i]);
    json_close(&j, ']');
    json_close(&j, '}');
    json_end(&j);
}

/* "  fix: ..." under the finding. */
static void print_under(const char *what, const char *text)
{
    if (text == NULL)
        return;
    printf("           %s%s:%s ", style_on(stdout, STYLE_FAINT), what,
           style_off(stdout));
    results_put(onward_str_of(text));
    putchar('\n');
}

static void print_file(const char *text)
{
    if (text == NULL)
        return;
    printf("           %sfile:%s\n", style_on(stdout, STYLE_FAINT),
           style_off(stdout));
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        printf("             ");
        results_put((struct onward_str){text, len});
        putchar('\n');
        text += len + (text[len] == '\n');
    }
}

static void print_finding(const struct doctor_finding *f)
{
    printf("  ");
    style_verdict(severities[f->severity]);
    printf("%*s%-8s ", (int)(9 - strlen(severities[f->severity])), "",
           f->check);
    results_put(onward_str_of(f->name));
    printf(": ");
    results_put(onward_str_of(f->found));
    putchar('\n');
    print_under("fix", f->fix);
    print_file(f->file);
    print_under("publish", f->record);
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void print(const struct doctor *d)
{
    size_t errors = count_of(d, DOCTOR_ERROR);
    size_t warnings = count_of(d, DOCTOR_WARNING);
    size_t unknown = count_of(d, DOCTOR_UNKNOWN);
    size_t notes = count_of(d, DOCTOR_NOTE);

    printf("%s", style_on(stdout, STYLE_HEAD));
    results_put(onward_str_of(d->domain));
    printf("%s: %zu error%s, %zu warning%s, %zu note%s", style_off(stdout),
           errors, plural(errors), warnings, plural(warnings), notes,
           plural(notes));
    if (unknown > 0)
        printf(", %zu not known", unknown);
    putchar('\n');
    for (size_t i = 0; i < d->count; i++)
        print_finding(&d->findings[i]);
}

/* ---- What to look at --------------------------------------------------- */

static void add_egress(struct doctor *d, const struct onward_ip *ip)
{
    size_t len = ip->family == 4 ? 4 : 16;

    for (size_t i = 0; i < d->egress_count; i++) {
        if (d->egress[i].family == ip->family &&
            memcmp(d->egress[i].octets, ip->octets, len) == 0)
            return;
    }
    if (d->egress_count < DOCTOR_EGRESS)
        d->egress[d->egress_count++] = *ip;
}

static int read_setup(const struct command *command, const char *path,
                      struct setup *s)
{
    const struct config_key keys[] = {
        {.name = "listen", .type = CONFIG_LIST, .value = &s->listen},
        {.name = "hostname",
         .type = CONFIG_TEXT,
         .value = &s->hostname,
         .judge = config_host_name,
         .is_required = true},
        {.name = "srs_domain",
         .type = CONFIG_TEXT,
         .value = &s->srs_domain,
         .judge = config_host_name},
        {.name = "tls_certificate",
         .type = CONFIG_FILE,
         .value = &s->certificate},
        {.name = "seal_key", .type = CONFIG_FILE, .value = &s->seal_key},
        {.name = "seal_domain",
         .type = CONFIG_TEXT,
         .value = &s->seal_domain,
         .judge = config_host_name},
        {.name = "seal_selector",
         .type = CONFIG_TEXT,
         .value = &s->seal_selector,
         .judge = config_host_name},
        {.name = "dns", .type = CONFIG_FILE, .value = &s->dns},
        {.name = "resolver", .type = CONFIG_TEXT, .value = &s->resolver},
        {.name = "resolver_anchor", .type = CONFIG_FILE, .value = &s->anchor},
        {.name = NULL},
    };
    char fault[1024];

    _Static_assert(sizeof(keys) == sizeof(s->keys), "room for all keys");
    memcpy(s->keys, keys, sizeof(keys));
    if (path == NULL)
        return -1;
    if (config_read_some(path, s->keys, fault, sizeof(fault)) != 0)
        return cli_broken(command, "%s", fault);
    return -1;
}

/* Names, and the DNS that the forwarder asks unless the command line has
 * another. */
static void take_setup(struct doctor *d, const struct setup *s,
                       struct world_choice *choice)
{
    d->hostname = s->hostname;
    d->srs_domain = s->srs_domain;
    d->certificate = s->certificate;
    if (s->seal_domain != NULL && s->seal_selector != NULL &&
        d->key_count < DOCTOR_KEYS)
        d->keys[d->key_count++] =
            (struct doctor_key){s->seal_selector, s->seal_domain, s->seal_key};
    if (choice->dns == NULL && choice->resolver == NULL) {
        choice->dns = s->dns;
        if (s->dns == NULL)
            choice->resolver = s->resolver;
        if (s->dns == NULL && choice->anchor == NULL)
            choice->anchor = s->anchor;
    }
}

/* Mail leaves from where the forwarder listens, if it says where, and from the
 * addresses of its name. */
static void find_egress(struct doctor *d, const struct setup *s)
{
    struct onward_ip ips[16];
    size_t port, count;
    int status;

    if (s->hostname == NULL)
        return;
    for (size_t i = 0; i < s->listen.count; i++) {
        if (endpoint_parse(s->listen.items[i], &ips[0], &port) &&
            doctor_is_public(&ips[0]))
            add_egress(d, &ips[0]);
    }
    count = doctor_addresses(d, s->hostname, ips, 16, &status);
    for (size_t i = 0; i < count; i++)
        add_egress(d, &ips[i]);
}

/* A resolver that has nothing to say of a large signed domain would make every
 * domain look ill. */
static int try_resolver(struct doctor *d)
{
    struct onward_dns_lookup *lookup = doctor_ask(d, "org", ONWARD_DNS_NS);
    int status = onward_dns_lookup_status(lookup);

    onward_dns_lookup_free(lookup);
    if (status == ONWARD_DNS_STATUS_BOGUS)
        return cli_broken(d->command,
                          "the resolver gives answers that DNSSEC does not "
                          "confirm, expected one that does; see --resolver");
    if (status == ONWARD_DNS_STATUS_TEMP)
        return cli_broken(d->command,
                          "the resolver does not answer, expected one that "
                          "does; see --resolver");
    return -1;
}

static void examine(struct doctor *d, size_t given)
{
    bool has_srs =
        d->srs_domain != NULL && strcasecmp(d->srs_domain, d->domain) != 0;

    doctor_examine_mx(d);
    if (d->is_gone || d->err != 0)
        return;
    doctor_examine_egress(d);
    /* What the forwarder passes on has senders of its own domain. */
    doctor_examine_spf(d, d->domain, has_srs ? given : d->egress_count);
    if (has_srs)
        doctor_examine_spf(d, d->srs_domain, d->egress_count);
    doctor_examine_dkim(d);
    doctor_examine_dmarc(d);
    doctor_examine_mta_sts(d);
    doctor_examine_tlsrpt(d);
    doctor_examine_dane(d);
}

static int status_of(const struct doctor *d)
{
    switch (worst(d)) {
    case DOCTOR_ERROR:
        return CLI_NOT_PASS;
    case DOCTOR_UNKNOWN:
        return CLI_BROKEN;
    case DOCTOR_WARNING:
        return WARNED;
    default:
        return CLI_DONE;
    }
}

static void clear(struct doctor *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->findings[i].name);
        free(d->findings[i].found);
        free(d->findings[i].fix);
        free(d->findings[i].record);
        free(d->findings[i].file);
    }
    free(d->findings);
    for (size_t i = 0; i < d->server_count; i++)
        free(d->servers[i].name);
    https_clear(&d->https);
    world_clear(&d->world);
}

static int add_lists(struct doctor *d, const struct option_list *egress,
                     const struct option_list *selectors,
                     const struct option_list *keys)
{
    for (size_t i = 0; i < egress->count; i++) {
        struct onward_ip ip;

        if (onward_ip_parse(onward_str_of(egress->items[i]), &ip) != 0)
            return cli_usage(d->command,
                             "--egress \"%s\", expected an IPv4 or IPv6 "
                             "address",
                             egress->items[i]);
        add_egress(d, &ip);
    }
    if (keys->count > selectors->count)
        return cli_usage(d->command,
                         "--key %zu times, expected a --selector for each",
                         keys->count);
    for (size_t i = 0; i < selectors->count; i++) {
        if (config_host_name(selectors->items[i]) != NULL)
            return cli_usage(d->command,
                             "--selector \"%s\", expected the name of a key: "
                             "letters, digits and hyphens",
                             selectors->items[i]);
        d->keys[d->key_count++] =
            (struct doctor_key){selectors->items[i], d->domain,
                                i < keys->count ? keys->items[i] : NULL};
    }
    return -1;
}

static int run(const struct command *command, struct args args)
{
    struct world_choice choice = {0};
    struct https_choice https = {.trust = HTTPS_TRUST};
    struct option_list egress = {.max = DOCTOR_EGRESS},
                       selectors = {.max = DOCTOR_KEYS - 1},
                       keys = {.max = DOCTOR_KEYS - 1};
    const char *config = NULL;
    bool is_json = false;
    struct setup setup = {0};
    static struct doctor d;
    size_t given;
    struct option options[] = {
        {"egress", OPTION_LIST, &egress, "ADDRESS",
         "mail of the domain leaves from here; again for more", false, false},
        {"selector", OPTION_LIST, &selectors, "NAME",
         "of a DKIM key that signs for it; again for more", false, false},
        {"key", OPTION_LIST, &keys, "FILE",
         "the private key of the selector: is it the one that is\n"
         "published?",
         false, false},
        {"config", OPTION_TEXT, &config, "FILE",
         "the forwarder's configuration: takes its name, addresses,\n"
         "SRS domain, seal key and DNS from there",
         false, false},
        {"policy", OPTION_TEXT, &https.policy, "FILE",
         "take this for the MTA-STS policy; connect to nothing", false, false},
        {"connect", OPTION_TEXT, &https.connect, "ADDRESS:PORT",
         "fetch the policy there, not at the addresses of its host", false,
         false},
        {"trust", OPTION_TEXT, &https.trust, "FILE",
         "certificates of authorities in PEM; default " HTTPS_TRUST, false,
         false},
        WORLD_OPTIONS_DNS(&choice),
        WORLD_OPTION_TIME(&choice),
        {"json", OPTION_FLAG, &is_json, NULL, "print one JSON object", false,
         false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    d = (struct doctor){.command = command, .https = {.fd = -1}};
    if (args.count != 1)
        return cli_usage(command, "%d operands, expected one domain",
                         args.count);
    d.domain = args.items[0];
    if (config_host_name(d.domain) != NULL)
        return cli_usage(command, "\"%s\", expected a domain in A-labels",
                         d.domain);
    status = add_lists(&d, &egress, &selectors, &keys);
    given = d.egress_count;
    if (status < 0)
        status = read_setup(command, config, &setup);
    if (status < 0) {
        take_setup(&d, &setup, &choice);
        status = world_new(command, &choice, &d.world);
    }
    if (https.policy == NULL && https.connect == NULL && choice.dns != NULL)
        d.no_fetch = "DNS is a file";
    else if (https.policy == NULL && strcmp(https.trust, HTTPS_TRUST) == 0 &&
             access(HTTPS_TRUST, R_OK) != 0)
        d.no_fetch = "there is no " HTTPS_TRUST;
    if (status < 0 && choice.dns == NULL)
        status = try_resolver(&d);
    if (status < 0 && d.no_fetch == NULL)
        status = https_new(&d.https, command, &https, &d.world);
    if (status < 0) {
        d.time_s = choice.time.is_given ? choice.time.s : (int64_t)time(NULL);
        find_egress(&d, &setup);
        examine(&d, given);
        if (d.err != 0) {
            status =
                cli_broken(command, "no result: %s", onward_strerror(d.err));
        } else {
            if (is_json)
                print_json(&d);
            else
                print(&d);
            status = status_of(&d);
        }
    }
    clear(&d);
    config_clear(setup.keys);
    return status;
}

const struct command command_doctor = {
    .name = "doctor",
    .operands = "DOMAIN",
    .summary = "Check all that a domain needs for mail, and say what to fix",
    .details =
        "It looks at MX and addresses, the names of the addresses that mail\n"
        "leaves from, SPF, DKIM, DMARC, MTA-STS, TLSRPT and DANE. Each "
        "finding\n"
        "says what to do and which record to publish. Exit status: 0 when\n"
        "there is nothing worse than a note, 4 with a warning, 3 when DNS "
        "gave\n"
        "no answer, 1 with an error.\n",
    .examples = "onward doctor example.com --dns zone.txt --selector sel\n"
                "onward doctor example.com --dns zone.txt --policy mta-sts.txt "
                "--egress 192.0.2.1 --selector sel --key key.pem --json\n",
    .run = run,
};
