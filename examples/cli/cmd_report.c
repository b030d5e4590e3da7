/* onward dmarc report: who sent in our name, and how it went, from the
 * aggregate reports of others (RFC 9990, RFC 7489). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onward/dmarc_report.h>

#include "cli.h"
#include "incoming.h"
#include "json.h"
#include "options.h"
#include "progress.h"
#include "results.h"
#include "world.h"

enum {
    SOURCE_ROOM = 64,            /* of an address, or what stands for one */
    BYTES_MAX = 64 * 1024 * 1024 /* of one report's XML: no bomb */
};

struct source {
    char ip[SOURCE_ROOM];
    uint64_t count, spf, dkim, dmarc;
    uint64_t done[ONWARD_DMARC_DISPOSITION_PASS + 1];
};

struct sources {
    struct source *items;
    size_t count, room;
};

struct reporting {
    struct incoming in;
    struct world world;
    bool is_json;
    struct onward_dmarc_reader *reader;
    struct sources all, own; /* own: of the report that is read */
    uint64_t reports, messages;
};

/* ---- Sources ----------------------------------------------------------- */

static int by_ip(const void *a, const void *b)
{
    return strcmp(((const struct source *)a)->ip,
                  ((const struct source *)b)->ip);
}

static int by_count(const void *a, const void *b)
{
    const struct source *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->ip, y->ip);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

static void join(struct source *to, const struct source *from)
{
    to->count = plus(to->count, from->count);
    to->spf = plus(to->spf, from->spf);
    to->dkim = plus(to->dkim, from->dkim);
    to->dmarc = plus(to->dmarc, from->dmarc);
    for (size_t i = 0; i <= ONWARD_DMARC_DISPOSITION_PASS; i++)
        to->done[i] = plus(to->done[i], from->done[i]);
}

static void merge(struct sources *s)
{
    size_t kept = 0;

    if (s->count == 0)
        return;
    qsort(s->items, s->count, sizeof(s->items[0]), by_ip);
    for (size_t i = 1; i < s->count; i++) {
        if (strcmp(s->items[i].ip, s->items[kept].ip) == 0)
            join(&s->items[kept], &s->items[i]);
        else
            s->items[++kept] = s->items[i];
    }
    s->count = kept + 1;
}

/* Room is made by joining equal sources first. False: no memory. */
static bool add(struct sources *s, const struct source *source)
{
    if (s->count == s->room) {
        merge(s);
        if (s->count >= s->room / 2) {
            size_t room = s->room == 0 ? 256 : s->room * 2;
            struct source *items = realloc(s->items, room * sizeof(*items));

            if (items == NULL)
                return false;
            s->items = items;
            s->room = room;
        }
    }
    s->items[s->count++] = *source;
    return true;
}

/* ---- Reading ----------------------------------------------------------- */

static int on_row(void *user, const struct onward_dmarc_row *row)
{
    struct reporting *r = user;
    struct onward_dmarc_row_facts f = {.size = sizeof(f)};
    struct source s = {0};
    struct onward_ip ip;

    if (onward_dmarc_row_get(row, &f) != 0)
        return -1;
    /* In one form, so that a source has one line. */
    if (onward_ip_parse(f.source_ip, &ip) != 0 ||
        onward_ip_format(&ip, s.ip, sizeof(s.ip)) < 0)
        snprintf(s.ip, sizeof(s.ip), "(no address)");
    s.count = f.count;
    s.spf = f.is_spf_aligned ? f.count : 0;
    s.dkim = f.is_dkim_aligned ? f.count : 0;
    s.dmarc = f.is_spf_aligned || f.is_dkim_aligned ? f.count : 0;
    s.done[f.disposition] = f.count;
    return add(&r->own, &s) ? 0 : -1;
}

static int broken(struct reporting *r, int err)
{
    struct onward_dmarc_report_fault fault = {.size = sizeof(fault)};

    if (onward_dmarc_reader_fault(r->reader, &fault) == 0)
        return incoming_fail(&r->in, ":%zu:%zu: %s", fault.line, fault.column,
                             fault.text);
    return incoming_fail(&r->in, ": %s", onward_strerror(err));
}

static int begin(void *user, const char *member)
{
    struct reporting *r = user;
    const struct onward_dmarc_reader_opts opts = {.size = sizeof(opts),
                                                  .max_bytes = BYTES_MAX};
    const struct onward_dmarc_reader_host host = {
        .size = sizeof(host), .user = r, .row = on_row};
    int err;

    incoming_name(&r->in, member);
    r->own.count = 0;
    err = onward_dmarc_reader_new(r->world.ctx, &opts, &host, &r->reader);
    if (err == 0)
        return 0;
    return incoming_fail(&r->in, ": %s",
                         err == ONWARD_ENOENT
                             ? "the library was built without libexpat, which "
                               "reads reports"
                             : onward_strerror(err));
}

static int take(void *user, const void *data, size_t len)
{
    struct reporting *r = user;
    int err = onward_dmarc_reader_feed(r->reader, data, len);

    return err == 0 ? 0 : broken(r, err);
}

static void print_report_json(const struct reporting *r,
                              const struct onward_dmarc_report_facts *f,
                              uint64_t messages)
{
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "type", "report");
    json_text(&j, "file", r->in.name);
    json_str(&j, "org_name", f->org_name);
    json_str(&j, "report_id", f->report_id);
    json_number(&j, "begin", (uint64_t)f->begin_s);
    json_number(&j, "end", (uint64_t)f->end_s);
    json_str(&j, "policy_domain", f->policy_domain);
    json_text_or_null(&j, "policy", onward_dmarc_policy_name((int)f->policy));
    json_number(&j, "rows", f->rows);
    json_number(&j, "messages", messages);
    results_json_oddities(&j, f->oddities, onward_dmarc_oddity_name);
    json_close(&j, '}');
    json_end(&j);
}

static void print_report(const struct reporting *r,
                         const struct onward_dmarc_report_facts *f,
                         uint64_t messages)
{
    char from[40], to[40];

    results_date(f->begin_s, from, sizeof(from));
    results_date(f->end_s, to, sizeof(to));
    printf("%s: ", r->in.name);
    results_put(f->policy_domain);
    printf(", %s to %s, by ", from, to);
    results_put(f->org_name);
    printf(": %" PRIu64 " messages\n", messages);
    results_oddities(f->oddities, onward_dmarc_oddity_name);
}

/* A report counts when all of it could be read. */
static int end(void *user)
{
    struct reporting *r = user;
    struct onward_dmarc_report_facts f = {.size = sizeof(f)};
    uint64_t messages = 0;
    int err = onward_dmarc_reader_finish(r->reader);

    if (err != 0)
        return broken(r, err);
    merge(&r->own);
    for (size_t i = 0; i < r->own.count; i++) {
        messages = plus(messages, r->own.items[i].count);
        if (!add(&r->all, &r->own.items[i]))
            return broken(r, ONWARD_ENOMEM);
    }
    r->reports++;
    r->messages = plus(r->messages, messages);
    onward_dmarc_reader_facts(r->reader, &f);
    if (r->is_json)
        print_report_json(r, &f, messages);
    else
        print_report(r, &f, messages);
    onward_dmarc_reader_free(r->reader);
    r->reader = NULL;
    return 0;
}

static void read_file(struct reporting *r, const char *path)
{
    const struct unpack_sink sink = {r, begin, take, end};

    incoming_read(&r->in, r->world.ctx, path, &sink);
    onward_dmarc_reader_free(r->reader);
    r->reader = NULL;
}

/* ---- The table --------------------------------------------------------- */

static void print_source_json(const struct source *s, const char *type)
{
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "type", type);
    if (s->ip[0] != '\0')
        json_text(&j, "source_ip", s->ip);
    json_number(&j, "messages", s->count);
    json_number(&j, "spf_pass", s->spf);
    json_number(&j, "dkim_pass", s->dkim);
    json_number(&j, "dmarc_pass", s->dmarc);
    for (int i = 1; i <= ONWARD_DMARC_DISPOSITION_PASS; i++)
        json_number(&j, onward_dmarc_disposition_name(i), s->done[i]);
    json_number(&j, "other", s->done[0]);
    json_close(&j, '}');
    json_end(&j);
}

/* In percent, and never 100 where one failed. */
static unsigned rate(uint64_t part, uint64_t all)
{
    if (all == 0)
        return 0;
    return (unsigned)((long double)part * 100 / (long double)all);
}

static void print_source(const struct source *s, const char *name)
{
    printf("%-39s %10" PRIu64 " %3u%% %3u%% %4u%% %10" PRIu64 " %10" PRIu64
           " %10" PRIu64 "\n",
           name, s->count, rate(s->spf, s->count), rate(s->dkim, s->count),
           rate(s->dmarc, s->count),
           plus(plus(s->done[ONWARD_DMARC_DISPOSITION_NONE],
                     s->done[ONWARD_DMARC_DISPOSITION_PASS]),
                s->done[0]),
           s->done[ONWARD_DMARC_DISPOSITION_QUARANTINE],
           s->done[ONWARD_DMARC_DISPOSITION_REJECT]);
}

static void print_table(struct reporting *r)
{
    struct source total = {0};

    merge(&r->all);
    if (r->all.count != 0)
        qsort(r->all.items, r->all.count, sizeof(r->all.items[0]), by_count);
    if (!r->is_json)
        printf("\n%-39s %10s %4s %4s %5s %10s %10s %10s\n", "source",
               "messages", "SPF", "DKIM", "DMARC", "let in", "quarantine",
               "reject");
    for (size_t i = 0; i < r->all.count; i++) {
        join(&total, &r->all.items[i]);
        if (r->is_json)
            print_source_json(&r->all.items[i], "source");
        else
            print_source(&r->all.items[i], r->all.items[i].ip);
    }
    if (r->is_json)
        print_source_json(&total, "total");
    else
        print_source(&total, "total");
}

static int run(const struct command *command, struct args args)
{
    struct reporting r = {.in = {.command = command}};
    struct world_choice choice = {0};
    struct option options[] = {
        {"json", OPTION_FLAG, &r.is_json, NULL,
         "print one JSON object a line: each report, each source, the total",
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
            read_file(&r, args.items[i]);
            progress_at(&progress, (uint64_t)i + 1);
        }
        progress_end(&progress);
        if (r.reports != 0)
            print_table(&r);
        status = r.in.status;
    }
    free(r.all.items);
    free(r.own.items);
    world_clear(&r.world);
    return status;
}

const struct command command_dmarc_report = {
    .name = "dmarc report",
    .operands = "FILE...",
    .summary = "Read DMARC aggregate reports (RFC 9990, RFC 7489)",
    .details = "A file is XML, gzip, zip, or a mail with one of these "
               "attached; \"-\" is\nstandard input. Rates are those of "
               "results that DMARC takes (aligned).\n",
    .examples = "onward dmarc report report.xml\n"
                "onward dmarc report --json report.xml old-report.xml\n",
    .run = run,
};
