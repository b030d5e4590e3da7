/*
 * onward egress: where mail to a domain goes, what each server must prove and
 * why, and why others are left out. Nothing is connected to but the host of the
 * domain's policy.
 */
#include <stdio.h>
#include <string.h>

#include <onward/dane.h>
#include <onward/egress.h>

#include "cli.h"
#include "https.h"
#include "json.h"
#include "options.h"
#include "results.h"
#include "world.h"

struct planning {
    const struct command *command;
    struct world world;
    struct https https;
    struct https_choice https_choice;
    const char *domain;
    struct option_choice level;
    size_t port; /* 0: the usual one */
    bool is_json, is_done, allows_private;
    bool require_tls, tls_optional, no_mta_sts, no_dane;
    struct onward_egress *plan;
};

/* As enum onward_tls_level, and as --tls takes them. */
static const char *const levels[] = {"none",     "opportunistic", "encrypted",
                                     "verified", "dane",          NULL};

static const char *level_name(size_t level)
{
    return level == 0 ? "" : levels[level - 1];
}

static const char *level_text(const struct onward_egress_server_facts *f)
{
    switch (f->level) {
    case ONWARD_TLS_NONE:
        return "no TLS";
    case ONWARD_TLS_OPPORTUNISTIC:
        return "TLS when it works, any certificate";
    case ONWARD_TLS_ENCRYPTED:
        return "TLS, any certificate";
    case ONWARD_TLS_VERIFIED:
        return "TLS, a certificate of its name by a trusted authority";
    default:
        return f->reason == ONWARD_EGRESS_REASON_BOTH
                   ? "TLS, a certificate that a TLSA record and a trusted "
                     "authority vouch for"
                   : "TLS, a certificate that a TLSA record vouches for";
    }
}

static const char *protocol_name(size_t protocol)
{
    return protocol == ONWARD_EGRESS_LMTP ? "lmtp" : "smtp";
}

/* ---- JSON -------------------------------------------------------------- */

static void json_policy(struct json *j,
                        const struct onward_egress_server_facts *f)
{
    json_open(j, "mta_sts", '{');
    json_text_or_null(j, "mode", onward_mtasts_mode_name((int)f->policy_mode));
    json_str_or_null(j, "id", f->policy_id);
    if (f->policy_mode == 0)
        json_null(j, "matches");
    else
        json_bool(j, "matches", f->is_in_policy != 0);
    json_text_or_null(j, "reason",
                      onward_mtasts_reason_name((int)f->policy_reason));
    json_close(j, '}');
}

static void json_dane(struct json *j,
                      const struct onward_egress_server_facts *f)
{
    if (f->dane_result == 0) {
        json_null(j, "dane");
        return;
    }
    json_open(j, "dane", '{');
    json_text(j, "result", onward_dane_result_name((int)f->dane_result));
    json_text(j, "reason", onward_dane_reason_name((int)f->dane_reason));
    json_number(j, "records", f->tlsa_count);
    json_str_or_null(j, "base_domain", f->base_domain);
    json_close(j, '}');
}

static void json_addresses(struct json *j, const struct onward_egress *plan,
                           size_t server)
{
    json_open(j, "addresses", '[');
    for (size_t i = 0; i < onward_egress_address_count(plan); i++) {
        struct onward_egress_address_facts f = {.size = sizeof(f)};
        char ip[ONWARD_IP_TEXT_MAX];

        if (onward_egress_address_at(plan, i, &f) != 0 || f.server != server)
            continue;
        onward_ip_format(f.ip, ip, sizeof(ip));
        json_open(j, NULL, '{');
        json_text(j, "ip", ip);
        json_text(j, "use", onward_egress_use_name((int)f.use));
        json_bool(j, "secure", f.is_secure != 0);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_server(struct json *j, const struct onward_egress *plan,
                        size_t i)
{
    struct onward_egress_server_facts f = {.size = sizeof(f)};

    if (onward_egress_server_at(plan, i, &f) != 0)
        return;
    json_open(j, NULL, '{');
    json_str(j, "host", f.host);
    json_number(j, "preference", f.preference);
    json_number(j, "port", f.port);
    json_text(j, "protocol", protocol_name(f.protocol));
    json_bool(j, "mx", f.is_mx != 0);
    json_bool(j, "mx_secure", f.is_mx_secure != 0);
    json_text(j, "use", onward_egress_use_name((int)f.use));
    json_text_or_null(j, "tls", level_name(f.level));
    json_text_or_null(j, "reason",
                      f.level == 0 ? ""
                                   : onward_egress_reason_name((int)f.reason));
    json_bool(j, "require_tls", f.require_tls != 0);
    json_policy(j, &f);
    json_dane(j, &f);
    json_addresses(j, plan, i);
    json_close(j, '}');
}

static void print_json(const struct planning *p)
{
    struct onward_egress_verdict v = {.size = sizeof(v)};
    struct json j = {0};

    (void)onward_egress_result(p->plan, &v);
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "domain", p->domain);
    json_open(&j, "servers", '[');
    for (size_t i = 0; i < onward_egress_server_count(p->plan); i++)
        json_server(&j, p->plan, i);
    json_close(&j, ']');
    if (v.fate == ONWARD_EGRESS_PENDING) {
        json_null(&j, "result");
    } else {
        json_open(&j, "result", '{');
        json_number(&j, "code", v.code);
        json_str(&j, "enhanced", v.enhanced);
        json_str(&j, "text", v.text);
        json_close(&j, '}');
    }
    json_close(&j, '}');
    json_end(&j);
}

/* ---- Lines ------------------------------------------------------------- */

static void print_policy(const struct onward_egress_server_facts *f)
{
    if (f->policy_mode != 0) {
        printf("  MTA-STS: %s, id ",
               onward_mtasts_mode_name((int)f->policy_mode));
        results_put(f->policy_id);
        printf(", %s\n", f->is_in_policy != 0 ? "it is in the policy"
                                              : "it is not in the policy");
    }
    if (f->policy_reason != 0)
        printf("  MTA-STS: %s\n",
               onward_mtasts_reason_text((int)f->policy_reason));
}

static void print_dane(const struct onward_egress_server_facts *f)
{
    if (f->dane_result == 0)
        return;
    printf("  DANE: %s", onward_dane_reason_text((int)f->dane_reason));
    if (f->base_domain.len != 0) {
        printf(" (%zu at ", f->tlsa_count);
        results_put(f->base_domain);
        putchar(')');
    }
    putchar('\n');
}

static void print_addresses(const struct onward_egress *plan, size_t server)
{
    for (size_t i = 0; i < onward_egress_address_count(plan); i++) {
        struct onward_egress_address_facts f = {.size = sizeof(f)};
        char ip[ONWARD_IP_TEXT_MAX];

        if (onward_egress_address_at(plan, i, &f) != 0 || f.server != server)
            continue;
        onward_ip_format(f.ip, ip, sizeof(ip));
        printf("  address: %s", ip);
        if (f.use != ONWARD_EGRESS_USE_YES)
            printf(" (%s)", onward_egress_use_name((int)f.use));
        putchar('\n');
    }
}

static void print_server(const struct onward_egress *plan, size_t i)
{
    struct onward_egress_server_facts f = {.size = sizeof(f)};

    if (onward_egress_server_at(plan, i, &f) != 0)
        return;
    printf("server: ");
    results_put(f.host);
    printf(" port %zu", f.port);
    if (f.is_mx != 0)
        printf(", preference %zu, %s", f.preference,
               f.is_mx_secure != 0 ? "validated" : "not validated");
    putchar('\n');
    if (f.use != ONWARD_EGRESS_USE_YES)
        printf("  left out: %s\n", onward_egress_use_text((int)f.use));
    else
        printf("  demand: %s%s\n  because: %s\n", level_text(&f),
               f.require_tls != 0 ? ", and REQUIRETLS" : "",
               onward_egress_reason_text((int)f.reason));
    print_policy(&f);
    print_dane(&f);
    print_addresses(plan, i);
}

static void print_plan(const struct planning *p)
{
    struct onward_egress_verdict v = {.size = sizeof(v)};

    for (size_t i = 0; i < onward_egress_server_count(p->plan); i++)
        print_server(p->plan, i);
    (void)onward_egress_result(p->plan, &v);
    if (v.fate == ONWARD_EGRESS_PENDING)
        return;
    printf("result: %zu ", v.code);
    results_put(v.enhanced);
    putchar(' ');
    results_put(v.text);
    putchar('\n');
}

/* ---- The plan ---------------------------------------------------------- */

static void planned(void *user, struct onward_egress *plan)
{
    (void)plan;
    ((struct planning *)user)->is_done = true;
}

static int allow_any(void *user, const struct onward_ip *ip)
{
    (void)user, (void)ip;
    return 1;
}

static int plan_it(struct planning *p)
{
    const struct onward_egress_host host = {
        .size = sizeof(host),
        .user = p,
        .done = planned,
        .allow_address = p->allows_private ? allow_any : NULL};
    const struct onward_egress_opts o = {.size = sizeof(o),
                                         .domain = onward_str_of(p->domain),
                                         .mtasts = p->https.mtasts,
                                         .port = p->port,
                                         .tls_level = p->level.picked + 1,
                                         .skip_dane = p->no_dane,
                                         .require_tls = p->require_tls,
                                         .tls_optional = p->tls_optional};
    int err = onward_egress_new(p->world.resolver, &o, &host, &p->plan);

    if (err == 0)
        https_run(&p->https, &p->world, &p->is_done);
    if (err == 0 && !p->is_done)
        err = ONWARD_ECANCELED;
    if (err != 0)
        return cli_broken(p->command, "no result: %s", onward_strerror(err));
    if (p->is_json)
        print_json(p);
    else
        print_plan(p);
    return CLI_DONE;
}

static int start(struct planning *p, const struct world_choice *dns)
{
    int status = world_new(p->command, dns, &p->world);

    if (status < 0 && p->no_mta_sts)
        p->https.desk = p->world.desk;
    else if (status < 0)
        status = https_new(&p->https, p->command, &p->https_choice, &p->world);
    return status;
}

static bool has_attempts(const struct planning *p)
{
    struct onward_egress_verdict v = {.size = sizeof(v)};

    return onward_egress_result(p->plan, &v) == 0 &&
           v.fate == ONWARD_EGRESS_PENDING;
}

static int check(const struct planning *p)
{
    if (p->require_tls && p->tls_optional)
        return cli_usage(p->command,
                         "--require-tls and --tls-optional, expected one of "
                         "the two");
    if (p->no_dane && p->level.picked + 1 == ONWARD_TLS_DANE)
        return cli_usage(p->command,
                         "--tls dane and --no-dane, expected one of the two");
    if (p->no_mta_sts &&
        (p->https_choice.policy != NULL || p->https_choice.connect != NULL))
        return cli_usage(p->command,
                         "--no-mta-sts with --policy or --connect, expected "
                         "one of the two");
    return -1;
}

static int run_egress(const struct command *command, struct args args)
{
    struct planning p = {.command = command,
                         .https_choice = {.trust = HTTPS_TRUST},
                         .level = {levels, ONWARD_TLS_OPPORTUNISTIC - 1},
                         .https = {.fd = -1}};
    struct world_choice dns = {0};
    const char *port = NULL;
    bool does_check = false;
    struct option options[] = {
        {"port", OPTION_TEXT, &port, "NUMBER", "of the servers; 25 by default",
         false, false},
        {"tls", OPTION_CHOICE, &p.level, "LEVEL",
         "what we demand ourselves: none, opportunistic (the\n"
         "default), encrypted, verified or dane",
         false, false},
        {"require-tls", OPTION_FLAG, &p.require_tls, NULL,
         "for a message with REQUIRETLS (RFC 8689)", false, false},
        {"tls-optional", OPTION_FLAG, &p.tls_optional, NULL,
         "for a message with \"TLS-Required: No\"", false, false},
        {"no-mta-sts", OPTION_FLAG, &p.no_mta_sts, NULL,
         "do not look for a policy", false, false},
        {"no-dane", OPTION_FLAG, &p.no_dane, NULL,
         "do not look for TLSA records", false, false},
        {"allow-private", OPTION_FLAG, &p.allows_private, NULL,
         "take addresses too that are not public", false, false},
        {"policy", OPTION_TEXT, &p.https_choice.policy, "FILE",
         "take this for what the policy host gives; connect to nothing", false,
         false},
        {"connect", OPTION_TEXT, &p.https_choice.connect, "ADDRESS:PORT",
         "connect there, not to the addresses of the policy host", false,
         false},
        {"trust", OPTION_TEXT, &p.https_choice.trust, "FILE",
         "certificates of authorities in PEM; default " HTTPS_TRUST, false,
         false},
        WORLD_OPTIONS_DNS(&dns),
        {"json", OPTION_FLAG, &p.is_json, NULL, "print one JSON object", false,
         false},
        {"check", OPTION_FLAG, &does_check, NULL,
         "exit with 1 when there is no server to try", false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 1)
        return cli_usage(command, "%d operands, expected one domain",
                         args.count);
    if (!cli_port(port, &p.port))
        return cli_usage(command, "--port \"%s\", expected 1 to 65535", port);
    p.domain = args.items[0];
    status = check(&p);
    if (status < 0)
        status = start(&p, &dns);
    if (status < 0)
        status = plan_it(&p);
    if (status == CLI_DONE && does_check && !has_attempts(&p))
        status = CLI_NOT_PASS;
    onward_egress_free(p.plan);
    https_clear(&p.https);
    world_clear(&p.world);
    return status;
}

const struct command command_egress = {
    .name = "egress",
    .operands = "DOMAIN",
    .summary = "Where mail to a domain goes, and what servers must prove",
    .details =
        "Servers stand in the order in which they are tried, each with the "
        "TLS that\nit must come up to and what demands that: TLSA records "
        "(DANE), the domain's\npolicy (MTA-STS), the message, or nothing. "
        "DOMAIN may be an address literal.\n",
    .examples = "onward egress example.com --dns zone.txt --allow-private\n"
                "onward egress example.com --dns zone.txt --policy mta-sts.txt "
                "--allow-private --require-tls --json\n",
    .run = run_egress,
};
