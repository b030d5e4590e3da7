/* onward route: what the rules do with an address. */
#include <stdio.h>
#include <string.h>

#include <onward/address.h>
#include <onward/ruleset.h>

#include "cli.h"
#include "json.h"
#include "load.h"
#include "options.h"
#include "results.h"
#include "route_facts.h"
#include "style.h"
#include "world.h"

struct routing {
    struct onward_ctx *ctx;
    struct onward_ruleset *rules;
    struct onward_ruleset_router *router;
    struct onward_ruleset_facts facts;
    bool is_json;
    bool does_trace;
};

static const char *match_name(int32_t match)
{
    switch (match) {
    case ONWARD_RULESET_MATCH_EXACT:
        return "exact";
    case ONWARD_RULESET_MATCH_BASE:
        return "base";
    case ONWARD_RULESET_MATCH_CATCH_ALL:
        return "catch-all";
    case ONWARD_RULESET_MATCH_PATTERN:
        return "pattern";
    default:
        return "none";
    }
}

/* A number, "catch-all", or null when there is no rule. */
static void json_rule(struct json *j, const char *key, size_t rule)
{
    if (rule == ONWARD_RULESET_NO_RULE)
        json_null(j, key);
    else if (rule == ONWARD_RULESET_CATCH_ALL)
        json_text(j, key, "catch-all");
    else
        json_number(j, key, rule);
}

static void json_reply(struct json *j, const struct onward_ruleset_decision *d)
{
    if (d->kind != ONWARD_RULESET_REJECT) {
        json_null(j, "reply");
        return;
    }
    json_open(j, "reply", '{');
    json_number(j, "code", (uint64_t)d->reply_code);
    json_str(j, "enhanced", d->reply_enhanced);
    json_str(j, "text", d->reply_text);
    json_close(j, '}');
}

/* What is to be done, where that is more than the decision itself says. */
static void json_actions(struct json *j,
                         const struct onward_ruleset_decision *d)
{
    json_open(j, "actions", '[');
    for (const struct onward_ruleset_action *a = d->actions; a != NULL;
         a = a->next) {
        json_open(j, NULL, '{');
        json_text(j, "action", onward_ruleset_kind_name(a->kind));
        json_rule(j, "rule", a->rule);
        json_open(j, "destinations", '[');
        for (size_t i = 0; i < a->destination_count; i++)
            json_str(j, NULL, a->destinations[i]);
        json_close(j, ']');
        json_str_or_null(j, "name", a->name);
        json_str_or_null(j, "value", a->value);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_decision(struct json *j,
                          const struct onward_ruleset_decision *d)
{
    json_text(j, "action", onward_ruleset_kind_name(d->kind));
    json_open(j, "destinations", '[');
    for (size_t i = 0; i < d->destination_count; i++)
        json_str(j, NULL, d->destinations[i]);
    json_close(j, ']');
    json_str_or_null(j, "handler", d->handler);
    json_str_or_null(j, "zone", d->zone);
    json_rule(j, "rule", d->rule);
    json_str_or_null(j, "rule_name", d->rule_name);
    json_text(j, "match", match_name(d->match));
    json_text(j, "reason", onward_ruleset_reason_name(d->reason));
    json_reply(j, d);
    json_actions(j, d);
}

/* "rule 1 "me" of example.com", or less when less is known. */
static void print_rule(size_t rule, struct onward_str zone,
                       struct onward_str name)
{
    if (rule == ONWARD_RULESET_CATCH_ALL)
        printf("catch-all");
    else if (rule != ONWARD_RULESET_NO_RULE)
        printf("rule %zu", rule);
    if (name.len != 0) {
        fputs(" \"", stdout);
        results_put(name);
        putchar('"');
    }
    if (zone.len != 0)
        printf("%s%.*s", rule != ONWARD_RULESET_NO_RULE ? " of " : "",
               (int)zone.len, zone.data);
}

/* Actions beside the one that decides. */
static void print_more(const struct onward_ruleset_decision *d)
{
    for (const struct onward_ruleset_action *a = d->actions;
         a != NULL && d->action_count > 1; a = a->next) {
        printf("  %s", onward_ruleset_kind_name(a->kind));
        for (size_t i = 0; i < a->destination_count; i++) {
            fputs(i == 0 ? " to " : ", ", stdout);
            results_put(a->destinations[i]);
        }
        if (a->name.len > 0) {
            putchar(' ');
            results_put(a->name);
        }
        if (a->value.len > 0) {
            fputs(": ", stdout);
            results_put(a->value);
        }
        putchar('\n');
    }
}

static void print(const char *address, const struct onward_ruleset_decision *d)
{
    results_put(onward_str_of(address));
    printf(": ");
    style_verdict(onward_ruleset_kind_name(d->kind));
    for (size_t i = 0; i < d->destination_count; i++) {
        fputs(i == 0 ? " to " : ", ", stdout);
        results_put(d->destinations[i]);
    }
    if (d->handler.len != 0) {
        putchar(' ');
        results_put(d->handler);
    }
    if (d->kind == ONWARD_RULESET_REJECT) {
        printf(" %d %.*s ", (int)d->reply_code, (int)d->reply_enhanced.len,
               d->reply_enhanced.data);
        results_put(d->reply_text);
    }
    fputs(" (", stdout);
    if (d->reason != ONWARD_RULESET_RULE)
        printf("%s%s", onward_ruleset_reason_name(d->reason),
               d->zone.len != 0 ? ", " : "");
    print_rule(d->rule, d->zone, d->rule_name);
    puts(")");
    print_more(d);
}

static void print_step(void *user, const struct onward_ruleset_step *step)
{
    (void)user;
    printf("  %.*s", (int)step->what.len, step->what.data);
    if (step->zone.len != 0)
        fputs(": ", stdout);
    print_rule(step->rule, step->zone, step->rule_name);
    if (step->detail.len != 0) {
        fputs(": ", stdout);
        results_put(step->detail);
    }
    putchar('\n');
}

static void json_step(void *user, const struct onward_ruleset_step *step)
{
    struct json *j = user;

    json_open(j, NULL, '{');
    json_str(j, "what", step->what);
    json_str_or_null(j, "zone", step->zone);
    json_rule(j, "rule", step->rule);
    json_str_or_null(j, "rule_name", step->rule_name);
    if (step->detail.len != 0)
        json_str(j, "detail", step->detail);
    json_close(j, '}');
}

/* What is no address has no decision; that is said in both forms. */
static int refuse(const struct command *command, const struct routing *r,
                  const char *address, int err)
{
    const char *why = err == ONWARD_ESYNTAX  ? "not a mail address"
                      : err == ONWARD_ELIMIT ? "too long for a mail address"
                                             : onward_strerror(err);
    struct json j = {0};

    if (r->is_json) {
        json_open(&j, NULL, '{');
        json_number(&j, "v", 1);
        json_text(&j, "address", address);
        json_text(&j, "error", why);
        json_close(&j, '}');
        json_end(&j);
    }
    return cli_broken(command, "\"%s\" is %s, expected local@domain", address,
                      why);
}

static int route(const struct command *command, const struct routing *r,
                 const char *address, bool *is_accepted)
{
    struct json j = {0};
    const struct onward_ruleset_trace trace = {.size = sizeof(trace),
                                               .user = &j,
                                               .step = r->is_json ? json_step
                                                                  : print_step};
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_mailbox *to = NULL;
    int err = onward_mailbox_parse(r->ctx, onward_str_of(address),
                                   ONWARD_MAILBOX_ALLOW_UTF8, &to);

    if (err != 0)
        return refuse(command, r, address, err);
    if (r->is_json) {
        json_open(&j, NULL, '{');
        json_number(&j, "v", 1);
        json_text(&j, "address", address);
        if (r->does_trace)
            json_open(&j, "steps", '[');
    }
    onward_ruleset_router_reset(r->router);
    err = onward_ruleset_route(r->rules, r->router, to, &r->facts,
                               r->does_trace ? &trace : NULL, &d);
    onward_mailbox_free(to);
    if (r->is_json && r->does_trace)
        json_close(&j, ']');
    if (r->is_json && err == 0)
        json_decision(&j, &d);
    if (r->is_json) {
        json_close(&j, '}');
        json_end(&j);
    } else if (err == 0) {
        print(address, &d);
    }
    if (err != 0)
        return cli_broken(command, "\"%s\": %s", address, onward_strerror(err));
    *is_accepted = d.kind != ONWARD_RULESET_REJECT;
    return CLI_DONE;
}

static int run(const struct command *command, struct args args)
{
    static const char *const tls_words[] = {"unknown", "on", "off", NULL};
    const struct world_choice choice = {0};
    struct route_facts facts = {.tls = {.words = tls_words}};
    struct world world = {0};
    struct routing r = {0};
    struct load_fault fault;
    const char *rules = NULL;
    bool does_check = false;
    bool does_explain = false;
    struct option options[] = {
        {"rules", OPTION_TEXT, &rules, "FILE",
         "the rules, in JSON or as an image", true, false},
        {"explain", OPTION_FLAG, &does_explain, NULL,
         "print each rule that was considered, and why it was not taken", false,
         false},
        {"trace", OPTION_FLAG, &r.does_trace, NULL, "the same", false, false},
        {"from", OPTION_TEXT, &facts.from, "ADDRESS",
         "the sender, for rules that ask for it; empty: the null path", false,
         false},
        {"ip", OPTION_IP, &facts.ip, "ADDRESS",
         "where the client connects from", false, false},
        {"tls", OPTION_CHOICE, &facts.tls, "WORD", "TLS: unknown, on or off",
         false, false},
        {"size", OPTION_TEXT, &facts.size, "OCTETS", "of the message", false,
         false},
        {"score", OPTION_TEXT, &facts.score, "NUMBER", "of a spam filter",
         false, false},
        {"header", OPTION_LIST, &facts.headers, "FIELD",
         "a field of the message, \"Name: value\"", false, false},
        {"auth", OPTION_LIST, &facts.auth, "METHOD=RESULT",
         "spf, dkim, dmarc or arc", false, false},
        {"attachment", OPTION_LIST, &facts.names, "NAME",
         "the name of an attachment", false, false},
        {"attachment-type", OPTION_LIST, &facts.types, "TYPE",
         "the media type of one", false, false},
        {"message", OPTION_FLAG, &facts.is_whole, NULL,
         "the message is there: what is not given is not in it", false, false},
        {"json", OPTION_FLAG, &r.is_json, NULL, "print one JSON object a line",
         false, false},
        {"check", OPTION_FLAG, &does_check, NULL,
         "exit with 1 when an address is rejected", false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count == 0)
        return cli_usage(command, "no address, expected one or more");
    if (route_facts_check(&facts) != NULL)
        return cli_usage(command, "%s", route_facts_check(&facts));
    r.does_trace = r.does_trace || does_explain;
    r.facts = route_facts_table(&facts);
    status = world_new_ctx(command, &choice, &world);
    if (status >= 0)
        return status;
    r.ctx = world.ctx;
    r.rules = load_rules(world.ctx, rules, &fault);
    if (r.rules == NULL)
        status = cli_broken(command, "%s", fault.text);
    else if (onward_ruleset_router_new(world.ctx, &r.router) != 0)
        status = cli_broken(command, "out of memory");
    else
        status = CLI_DONE;
    for (int i = 0; r.router != NULL && i < args.count; i++) {
        bool is_accepted = true;
        int one = route(command, &r, args.items[i], &is_accepted);

        if (one == CLI_DONE && does_check && !is_accepted)
            one = CLI_NOT_PASS;
        if (one > status)
            status = one;
    }
    onward_ruleset_router_free(r.router);
    onward_ruleset_free(r.rules);
    world_clear(&world);
    return status;
}

const struct command command_route = {
    .name = "route",
    .operands = "ADDRESS...",
    .summary = "What the rules do with an address",
    .details = "",
    .examples =
        "onward route --rules rules.json sales@example.com\n"
        "onward route --rules rules.json --explain me+news@example.com\n"
        "onward route --rules rules.json --json a@example.com b@example.com\n",
    .run = run,
};
