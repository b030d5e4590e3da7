/* onward tlsrpt report: how others' TLS to our servers went, from their reports
 * (RFC 8460). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onward/tlsrpt.h>

#include "cli.h"
#include "incoming.h"
#include "json.h"
#include "options.h"
#include "progress.h"
#include "results.h"
#include "world.h"

enum { BYTES_MAX = 10 * 1024 * 1024 /* of one report's JSON: no bomb */ };

struct reporting {
    struct incoming in;
    struct world world;
    char *text;
    size_t len, room;
    bool is_json;
};

/* ---- Output ------------------------------------------------------------ */

static void json_failure(struct json *j, const struct onward_tlsrpt_failure *f)
{
    json_open(j, NULL, '{');
    json_str(j, "result_type", f->result_type);
    json_number(j, "sessions", f->count);
    json_str_or_null(j, "sending_ip", f->sending_ip);
    json_str_or_null(j, "receiving_mx", f->receiving_mx);
    json_str_or_null(j, "receiving_ip", f->receiving_ip);
    json_str_or_null(j, "receiving_helo", f->receiving_helo);
    json_str_or_null(j, "reason_code", f->reason_code);
    json_str_or_null(j, "info_uri", f->info_uri);
    json_close(j, '}');
}

static void json_policy(struct json *j, const struct onward_tlsrpt_report *t,
                        size_t i)
{
    struct onward_tlsrpt_failure f = {.size = sizeof(f)};
    struct onward_tlsrpt_policy p = {.size = sizeof(p)};

    onward_tlsrpt_report_policy(t, i, &p);
    json_open(j, NULL, '{');
    json_str(j, "domain", p.domain);
    json_text_or_null(j, "type", onward_tlsrpt_type_name((int)p.type));
    json_number(j, "successes", p.successes);
    json_number(j, "failures", p.failures);
    json_open(j, "details", '[');
    for (size_t k = 0; onward_tlsrpt_report_failure(t, i, k, &f) == 0; k++)
        json_failure(j, &f);
    json_close(j, ']');
    json_close(j, '}');
}

static void print_json(const struct reporting *r,
                       const struct onward_tlsrpt_report *t,
                       const struct onward_tlsrpt_facts *f)
{
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "file", r->in.name);
    json_str(&j, "organization", f->organization);
    json_str(&j, "report_id", f->report_id);
    json_number(&j, "begin", f->begin_s > 0 ? (uint64_t)f->begin_s : 0);
    json_number(&j, "end", f->end_s > 0 ? (uint64_t)f->end_s : 0);
    json_open(&j, "policies", '[');
    for (size_t i = 0; i < f->policy_count; i++)
        json_policy(&j, t, i);
    json_close(&j, ']');
    results_json_oddities(&j, f->oddities, onward_tlsrpt_oddity_name);
    json_close(&j, '}');
    json_end(&j);
}

static void print_text(const struct reporting *r,
                       const struct onward_tlsrpt_report *t,
                       const struct onward_tlsrpt_facts *f)
{
    char from[40], to[40];

    results_date(f->begin_s, from, sizeof(from));
    results_date(f->end_s, to, sizeof(to));
    printf("%s: %s to %s, by ", r->in.name, from, to);
    results_put(f->organization);
    putchar('\n');
    for (size_t i = 0; i < f->policy_count; i++) {
        struct onward_tlsrpt_failure row = {.size = sizeof(row)};
        struct onward_tlsrpt_policy p = {.size = sizeof(p)};

        onward_tlsrpt_report_policy(t, i, &p);
        printf("    ");
        results_put(p.domain);
        printf(" (%s): %" PRIu64 " good, %" PRIu64 " failed\n",
               p.type == 0 ? "?" : onward_tlsrpt_type_name((int)p.type),
               p.successes, p.failures);
        for (size_t k = 0; onward_tlsrpt_report_failure(t, i, k, &row) == 0;
             k++) {
            printf("%14" PRIu64 " ", row.count);
            results_put(row.result_type);
            results_part(", at ", row.receiving_mx);
            results_part(" ", row.receiving_ip);
            results_part(", from ", row.sending_ip);
            results_part(": ", row.reason_code);
            putchar('\n');
        }
    }
    results_oddities(f->oddities, onward_tlsrpt_oddity_name);
}

/* ---- Reading ----------------------------------------------------------- */

static int begin(void *user, const char *member)
{
    struct reporting *r = user;

    incoming_name(&r->in, member);
    r->len = 0;
    return 0;
}

static int take(void *user, const void *data, size_t len)
{
    struct reporting *r = user;

    if (len > BYTES_MAX - r->len)
        return incoming_fail(&r->in, ": the report is too long");
    if (r->len + len > r->room) {
        size_t room = (r->len + len) * 2;
        char *text = realloc(r->text, room);

        if (text == NULL)
            return incoming_fail(&r->in, ": out of memory");
        r->text = text;
        r->room = room;
    }
    if (len > 0)
        memcpy(r->text + r->len, data, len);
    r->len += len;
    return 0;
}

static int end(void *user)
{
    struct reporting *r = user;
    struct onward_tlsrpt_report_fault fault = {.size = sizeof(fault)};
    struct onward_tlsrpt_facts facts = {.size = sizeof(facts)};
    struct onward_tlsrpt_report *t = NULL;
    int err = onward_tlsrpt_report_parse(
        r->world.ctx, NULL, (struct onward_str){r->text, r->len}, &t, &fault);

    if (err != 0 && fault.line != 0)
        return incoming_fail(&r->in, ":%zu: %s", fault.line, fault.text);
    if (err != 0)
        return incoming_fail(&r->in, ": %s", onward_strerror(err));
    onward_tlsrpt_report_facts(t, &facts);
    if (r->is_json)
        print_json(r, t, &facts);
    else
        print_text(r, t, &facts);
    onward_tlsrpt_report_free(t);
    return 0;
}

static int run(const struct command *command, struct args args)
{
    struct reporting r = {.in = {.command = command}};
    const struct unpack_sink sink = {&r, begin, take, end};
    struct world_choice choice = {0};
    struct option options[] = {
        {"json", OPTION_FLAG, &r.is_json, NULL, "print one JSON object a line",
         false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count == 0)
        return cli_usage(command, "no file, expected reports");
    status = world_new_ctx(command, &choice, &r.world);
    if (status < 0) {
        struct progress progress;

        progress_begin(&progress, "reading reports", "files",
                       (uint64_t)args.count, PROGRESS_FILES, false);
        for (int i = 0; i < args.count; i++) {
            incoming_read(&r.in, r.world.ctx, args.items[i], &sink);
            progress_at(&progress, (uint64_t)i + 1);
        }
        progress_end(&progress);
        status = r.in.status;
    }
    free(r.text);
    world_clear(&r.world);
    return status;
}

const struct command command_tlsrpt_report = {
    .name = "tlsrpt report",
    .operands = "FILE...",
    .summary = "Read TLS reports of others (RFC 8460)",
    .details = "A file is JSON or gzip, or a mail with gzip attached; \"-\" is "
               "standard input.\n",
    .examples = "onward tlsrpt report tls-report.json\n"
                "onward tlsrpt report --json tls-report.json\n",
    .run = run,
};
