/*
 * onward mta-sts check, parse and publish: which policy a domain has and where
 * it goes wrong, what a policy file says, what to publish.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <onward/mtasts.h>

#include "cli.h"
#include "endpoint.h"
#include "host.h"
#include "https.h"
#include "json.h"
#include "options.h"
#include "results.h"
#include "style.h"
#include "world.h"

/* ---- What is printed --------------------------------------------------- */

static void json_policy(struct json *j,
                        const struct onward_mtasts_policy *policy)
{
    struct onward_str rest, pattern;

    if (policy == NULL) {
        json_null(j, "mode");
        json_null(j, "max_age");
    } else {
        json_text(j, "mode", onward_mtasts_mode_name((int)policy->mode));
        json_number(j, "max_age", policy->max_age_s);
    }
    json_open(j, "mx", '[');
    if (policy != NULL) {
        rest = policy->text;
        while (onward_mtasts_mx_next(&rest, &pattern) == 1)
            json_str(j, NULL, pattern);
    }
    json_close(j, ']');
}

static void print_policy(const struct onward_mtasts_policy *policy)
{
    struct onward_str rest = policy->text, pattern;

    printf("mode: %s\nmax age: %zu s\n",
           onward_mtasts_mode_name((int)policy->mode), policy->max_age_s);
    while (onward_mtasts_mx_next(&rest, &pattern) == 1)
        results_line("mx", pattern);
}

static void json_fault(struct json *j, const struct onward_mtasts_fault *fault)
{
    if (fault->flaw == ONWARD_MTASTS_FLAW_NONE) {
        json_null(j, "fault");
        return;
    }
    json_open(j, "fault", '{');
    json_number(j, "offset", fault->offset);
    json_text(j, "text", fault->text);
    json_bool(j, "void", fault->is_void != 0);
    json_close(j, '}');
}

/* ---- check ------------------------------------------------------------- */

struct checking {
    const struct command *command;
    struct world world;
    const char *domain, *mx;
    bool is_json, is_done;
    bool has_policy, matches;             /* outlive the verdict */
    struct onward_mtasts_verdict verdict; /* borrowed from the lookup */
};

static void done(void *user, struct onward_mtasts_lookup *lookup)
{
    (void)lookup;
    ((struct checking *)user)->is_done = true;
}

/* Of a host behind no policy nothing is known. */
static bool does_match(const struct checking *c)
{
    return c->verdict.policy != NULL && c->mx != NULL &&
           onward_mtasts_mx_matches(c->verdict.policy, onward_str_of(c->mx));
}

static void print_check_json(const struct checking *c)
{
    const struct onward_mtasts_verdict *v = &c->verdict;
    int reason = (int)v->reason;
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "domain", c->domain);
    json_text(&j, "result", v->policy != NULL ? "policy" : "none");
    json_text_or_null(&j, "reason", onward_mtasts_reason_name(reason));
    json_str_or_null(&j, "id", v->id);
    json_policy(&j, v->policy);
    if (reason == ONWARD_MTASTS_REASON_STATUS)
        json_number(&j, "http_status", v->http_status);
    else
        json_null(&j, "http_status");
    json_text_or_null(&j, "tls_failure",
                      v->tls_failure == 0
                          ? ""
                          : onward_tls_failure_name((int)v->tls_failure));
    if (c->mx == NULL || v->policy == NULL)
        json_null(&j, "mx_matches");
    else
        json_bool(&j, "mx_matches", does_match(c));
    json_close(&j, '}');
    json_end(&j);
}

static void print_check(const struct checking *c)
{
    const struct onward_mtasts_verdict *v = &c->verdict;

    style_line("result", v->policy != NULL ? "policy" : "none");
    if (v->reason != 0)
        printf("reason: %s\n", onward_mtasts_reason_text((int)v->reason));
    if (v->reason == ONWARD_MTASTS_REASON_STATUS)
        printf("status: %zu\n", v->http_status);
    if (v->tls_failure != 0)
        printf("TLS: %s\n", onward_tls_failure_text((int)v->tls_failure));
    if (v->reason == ONWARD_MTASTS_REASON_BAD_POLICY ||
        v->reason == ONWARD_MTASTS_REASON_BAD_RECORD)
        printf("at octet: %zu\n", v->offset);
    results_line("id", v->id);
    if (v->policy != NULL) {
        print_policy(v->policy);
        if (c->mx != NULL) {
            results_put(onward_str_of(c->mx));
            printf(": %s\n",
                   does_match(c) ? "is in the policy" : "is not in the policy");
        }
    }
}

static int check_it(struct checking *c, struct https *https)
{
    const struct onward_mtasts_lookup_host host = {
        .size = sizeof(host), .user = c, .done = done};
    struct onward_mtasts_lookup *lookup = NULL;
    int err = onward_mtasts_lookup_new(https->mtasts, onward_str_of(c->domain),
                                       &host, &lookup);

    if (err == 0)
        https_run(https, &c->world, &c->is_done);
    if (err == 0 && !c->is_done)
        err = ONWARD_ECANCELED;
    if (err != 0) {
        onward_mtasts_lookup_free(lookup);
        return cli_broken(c->command, "no result: %s", onward_strerror(err));
    }
    c->verdict.size = sizeof(c->verdict);
    (void)onward_mtasts_lookup_verdict(lookup, &c->verdict);
    if (c->is_json)
        print_check_json(c);
    else
        print_check(c);
    c->has_policy = c->verdict.policy != NULL;
    c->matches = does_match(c);
    onward_mtasts_lookup_free(lookup);
    return CLI_DONE;
}

static int run_check(const struct command *command, struct args args)
{
    struct checking c = {.command = command};
    struct https_choice choice = {.trust = HTTPS_TRUST};
    struct world_choice dns = {0};
    struct https https;
    bool does_check = false;
    struct option options[] = {
        {"mx", OPTION_TEXT, &c.mx, "HOST", "is this mail server in the policy?",
         false, false},
        {"policy", OPTION_TEXT, &choice.policy, "FILE",
         "take this for what the policy host gives; connect to nothing", false,
         false},
        {"connect", OPTION_TEXT, &choice.connect, "ADDRESS:PORT",
         "connect there, not to the addresses of the policy host", false,
         false},
        {"trust", OPTION_TEXT, &choice.trust, "FILE",
         "certificates of authorities in PEM; default " HTTPS_TRUST, false,
         false},
        WORLD_OPTIONS_DNS(&dns),
        {"json", OPTION_FLAG, &c.is_json, NULL, "print one JSON object", false,
         false},
        {"check", OPTION_FLAG, &does_check, NULL,
         "exit with 1 when there is no policy, or the mail server is not\n"
         "in it",
         false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 1)
        return cli_usage(command, "%d operands, expected one domain",
                         args.count);
    c.domain = args.items[0];
    status = world_new(command, &dns, &c.world);
    https = (struct https){.fd = -1};
    if (status < 0)
        status = https_new(&https, command, &choice, &c.world);
    if (status < 0)
        status = check_it(&c, &https);
    if (status == CLI_DONE && does_check &&
        (!c.has_policy || (c.mx != NULL && !c.matches)))
        status = CLI_NOT_PASS;
    https_clear(&https);
    world_clear(&c.world);
    return status;
}

/* ---- parse ------------------------------------------------------------- */

static void print_parsed(const char *file,
                         const struct onward_mtasts_policy *policy,
                         const struct onward_mtasts_fault *fault, bool is_json)
{
    struct json j = {0};

    if (is_json) {
        json_open(&j, NULL, '{');
        json_number(&j, "v", 1);
        json_text(&j, "file", file);
        json_policy(&j, policy);
        json_fault(&j, fault);
        json_close(&j, '}');
        json_end(&j);
        return;
    }
    if (fault->flaw != ONWARD_MTASTS_FLAW_NONE)
        printf("%s: octet %zu: %s%s\n", file, fault->offset, fault->text,
               fault->is_void != 0 ? "" : " (the rest holds)");
    else
        printf("%s: no fault\n", file);
    if (policy != NULL)
        print_policy(policy);
}

static int run_parse(const struct command *command, struct args args)
{
    struct onward_mtasts_policy policy = {.size = sizeof(policy)};
    struct onward_mtasts_fault fault = {.size = sizeof(fault), .text = ""};
    bool is_json = false, does_check = false;
    struct option options[] = {
        {"json", OPTION_FLAG, &is_json, NULL, "print one JSON object", false,
         false},
        {"check", OPTION_FLAG, &does_check, NULL,
         "exit with 1 when there is a fault", false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);
    struct onward_str text;
    char *octets;

    if (status >= 0)
        return status;
    if (args.count != 1)
        return cli_usage(command, "%d operands, expected one file", args.count);
    octets = host_read_file(args.items[0], &text.len);
    if (octets == NULL)
        return cli_broken(command, "%s: cannot be read", args.items[0]);
    text.data = octets;
    status = CLI_DONE;
    if (onward_mtasts_policy_lint(text, &fault) != 0 && does_check)
        status = CLI_NOT_PASS;
    print_parsed(args.items[0],
                 onward_mtasts_policy_parse(text, &policy, NULL) == 0 ? &policy
                                                                      : NULL,
                 &fault, is_json);
    free(octets);
    return status;
}

/* ---- publish ----------------------------------------------------------- */

struct publishing {
    const char *domain;
    struct option_list mx;
    struct option_choice mode;
    struct option_seconds max_age, time;
    const char *id;
    bool is_json;
    char made_id[32], record[64];
    char policy[ONWARD_MTASTS_POLICY_MAX];
    size_t policy_len;
};

/* A new one each second, as RFC 8461 section 3.1 shows it. */
static void make_id(struct publishing *p)
{
    time_t now = p->time.is_given ? (time_t)p->time.s : time(NULL);
    struct tm tm;

    if (p->id != NULL || gmtime_r(&now, &tm) == NULL)
        return;
    if (strftime(p->made_id, sizeof(p->made_id), "%Y%m%d%H%M%SZ", &tm) != 0)
        p->id = p->made_id;
}

static void print_published(const struct publishing *p)
{
    struct json j = {0};
    char name[300], url[300];

    snprintf(name, sizeof(name), "_mta-sts.%s", p->domain);
    snprintf(url, sizeof(url), "https://mta-sts.%s/.well-known/mta-sts.txt",
             p->domain);
    if (p->is_json) {
        json_open(&j, NULL, '{');
        json_number(&j, "v", 1);
        json_text(&j, "name", name);
        json_text(&j, "record", p->record);
        json_text(&j, "url", url);
        json_str(&j, "policy", (struct onward_str){p->policy, p->policy_len});
        json_close(&j, '}');
        json_end(&j);
        return;
    }
    printf("; The record; with each change of the policy it needs a new id.\n"
           "%s. IN TXT \"%s\"\n"
           "; The policy's host, with a certificate for mta-sts.%s. Where "
           "somebody\n"
           "; else keeps both, publish aliases instead:\n"
           ";   %s. IN CNAME _mta-sts.PROVIDER.\n"
           ";   mta-sts.%s. IN CNAME mta-sts.PROVIDER.\n"
           "; Publish the policy first, as text/plain without a redirect, at\n"
           "; %s\n",
           name, p->record, p->domain, name, p->domain, url);
    fwrite(p->policy, 1, p->policy_len, stdout);
}

static int publish(const struct command *command, struct publishing *p)
{
    static const size_t modes[] = {ONWARD_MTASTS_MODE_ENFORCE,
                                   ONWARD_MTASTS_MODE_TESTING,
                                   ONWARD_MTASTS_MODE_NONE};
    struct onward_str mx[OPTION_LIST_MAX];
    struct onward_mtasts_policy_opts opts = {.size = sizeof(opts),
                                             .mode = modes[p->mode.picked],
                                             .mx = mx,
                                             .mx_count = p->mx.count};
    int len;

    /* A pattern without a star is a host name, and covers itself. */
    if (strchr(p->domain, '*') != NULL || strlen(p->domain) > 244 ||
        onward_mtasts_pattern_matches(onward_str_of(p->domain),
                                      onward_str_of(p->domain)) != 1)
        return cli_usage(command, "\"%s\", expected a domain in A-labels",
                         p->domain);
    for (size_t i = 0; i < p->mx.count; i++) {
        mx[i] = onward_str_of(p->mx.items[i]);
        opts.mx_count = 1;
        opts.mx = &mx[i];
        if (onward_mtasts_policy_write(&opts, p->policy, sizeof(p->policy)) < 0)
            return cli_usage(command,
                             "--mx \"%s\", expected a host name in A-labels, "
                             "or \"*.\" and one",
                             p->mx.items[i]);
    }
    opts.mx = mx;
    opts.mx_count = p->mx.count;
    if (p->mx.count == 0 && opts.mode != ONWARD_MTASTS_MODE_NONE)
        return cli_usage(command, "--mx is missing, and the mode is not none");
    if (p->max_age.is_given) {
        if (p->max_age.s > ONWARD_MTASTS_MAX_AGE_MAX || p->max_age.s < 0)
            return cli_usage(command,
                             "--max-age is more than a year, expected at most "
                             "%d",
                             ONWARD_MTASTS_MAX_AGE_MAX);
        opts.max_age_s =
            p->max_age.s == 0 ? ONWARD_LIMIT_ZERO : (size_t)p->max_age.s;
    }
    len = onward_mtasts_policy_write(&opts, p->policy, sizeof(p->policy));
    if (len < 0)
        return cli_broken(command, "%s", onward_strerror(len));
    p->policy_len = (size_t)len;
    make_id(p);
    len = onward_mtasts_record_write(onward_str_of(p->id), p->record,
                                     sizeof(p->record) - 1);
    if (len < 0)
        return cli_usage(
            command, "--id \"%s\", expected 1 to 32 letters and digits", p->id);
    p->record[len] = '\0';
    print_published(p);
    return CLI_DONE;
}

static int run_publish(const struct command *command, struct args args)
{
    static const char *const modes[] = {"enforce", "testing", "none", NULL};
    static struct publishing p;
    struct option options[] = {
        {"mx", OPTION_LIST, &p.mx, "PATTERN",
         "a mail server, or \"*.\" and a domain for all right below it; "
         "again\nfor more",
         false, false},
        {"mode", OPTION_CHOICE, &p.mode, "MODE",
         "enforce, testing or none; begin with testing", true, false},
        {"max-age", OPTION_SECONDS, &p.max_age, "SECONDS",
         "how long senders keep the policy; default 604800, a week", false,
         false},
        {"id", OPTION_TEXT, &p.id, "ID",
         "1 to 32 letters and digits; default: made of the time", false, false},
        WORLD_OPTION_TIME(&p),
        {"json", OPTION_FLAG, &p.is_json, NULL, "print one JSON object", false,
         false},
        OPTIONS_END,
    };
    int status;

    p = (struct publishing){.mode = {.words = modes}};
    status = cli_options(command, options, &args);
    if (status >= 0)
        return status;
    if (args.count != 1)
        return cli_usage(command, "%d operands, expected one domain",
                         args.count);
    p.domain = args.items[0];
    return publish(command, &p);
}

const struct command command_mta_sts_check = {
    .name = "mta-sts check",
    .operands = "DOMAIN",
    .summary = "Find the MTA-STS policy of a domain (RFC 8461)",
    .details = "The policy is fetched over HTTPS, unless --policy gives it.\n",
    .examples =
        "onward mta-sts check example.com --dns zone.txt --policy "
        "mta-sts.txt\n"
        "onward mta-sts check example.com --dns zone.txt --policy mta-sts.txt "
        "--mx mx1.example.net --json\n",
    .run = run_check,
};

const struct command command_mta_sts_parse = {
    .name = "mta-sts parse",
    .operands = "FILE",
    .summary = "Read an MTA-STS policy file, and find its first fault",
    .details = "\"-\" is standard input.\n",
    .examples = "onward mta-sts parse mta-sts.txt\n"
                "printf 'version: STSv1\\nmode: none\\n' | onward mta-sts "
                "parse - --json\n",
    .run = run_parse,
};

const struct command command_mta_sts_publish = {
    .name = "mta-sts publish",
    .operands = "DOMAIN",
    .summary = "Print the record and the policy file to publish",
    .details = "",
    .examples =
        "onward mta-sts publish --mx 'mx1.example.com' --mx '*.example.net' "
        "--mode testing example.com\n"
        "onward mta-sts publish --mode none --id 20260101 example.com --json\n",
    .run = run_publish,
};
