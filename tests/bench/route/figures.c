/*
 * Figures that are no ratios: loading, size, opening, changing, and looking up
 * while zones change. figures FOLDER [--check].
 */
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench/route/data.h"
#include "bench/route/rules.h"

static int has_missed;

static void tell(const char *what, double value, const char *unit, double limit)
{
    int is_missed = limit > 0 && value > limit;

    printf("%-34s%12.2f %-8s", what, value, unit);
    if (limit > 0)
        printf("at most %g%s", limit, is_missed ? "  MISSED" : "");
    putchar('\n');
    has_missed |= is_missed;
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (f == NULL || fscanf(f, "%*s %ld", &pages) != 1)
        bench_die("statm");
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Octets of names, local parts and destinations, once where they stand. */
static double strings(void)
{
    char text[TEXT];
    double sum = 0;

    for (unsigned i = 0; i < ZONES; i++) {
        sum += put_zone(text, i);
        for (unsigned rule = 0; rule < RULES; rule++) {
            if (rule == 2 && !has_catch_all(i))
                continue;
            sum += rule == 2 ? 0 : (double)strlen(locals[rule]);
            sum += put_destination(text, i, rule);
        }
    }
    return sum;
}

/* ---- Changes ----------------------------------------------------------- */

static int put_changed(char *out, size_t cap, unsigned i, unsigned round)
{
    char zone[TEXT];

    put_zone(zone, i);
    return snprintf(out, cap,
                    "{\"name\":\"%s\",\"rules\":[{\"matchers\":[{\"type\":"
                    "\"literal\",\"field\":\"to\",\"value\":\"info@%s\"}],"
                    "\"actions\":[{\"type\":\"forward\",\"value\":["
                    "\"box%03u@mail.example.net\"]}]},{\"matchers\":[{\"type\":"
                    "\"literal\",\"field\":\"to\",\"value\":\"sales@%s\"}],"
                    "\"actions\":[{\"type\":\"drop\"}]}],\"catch_all\":{"
                    "\"matchers\":[{\"type\":\"all\"}],\"actions\":[{\"type\":"
                    "\"forward\",\"value\":[\"box%03u@mail.example.net\"]}]}}",
                    zone, zone, round % DESTINATIONS, zone,
                    (round + 1) % DESTINATIONS);
}

/* rs with that zone changed; rs is freed. */
static struct onward_ruleset *change(struct onward_ruleset *rs, unsigned i,
                                     unsigned round)
{
    struct onward_ruleset *next;
    char zone[2048];
    int len = put_changed(zone, sizeof(zone), i, round);

    if (onward_ruleset_with_zone(
            rs, (struct onward_str){zone, (size_t)len}, NULL, NULL, &next) != 0)
        bench_die("with_zone");
    return next;
}

static void measure_changes(struct onward_ctx *ctx, struct onward_str image)
{
    enum { CHANGES = 20000 };
    static double took[CHANGES];
    struct onward_ruleset *rs = rules_open(ctx, image);
    double start, sum = 0, worst = 0;

    for (unsigned n = 0; n < CHANGES; n++) {
        struct onward_ruleset *next;

        start = seconds(CLOCK_THREAD_CPUTIME_ID);
        next = change(rs, n * 37 % ZONES, n);
        onward_ruleset_free(rs);
        took[n] = seconds(CLOCK_THREAD_CPUTIME_ID) - start;
        sum += took[n];
        worst = took[n] > worst ? took[n] : worst;
        rs = next;
    }
    tell("a zone's change, mean", sum / CHANGES * 1e6, "us", 100);
    tell("a zone's change, worst of 20000", worst * 1e6, "us", 0);
    start = seconds(CLOCK_MONOTONIC);
    {
        struct onward_ruleset *whole;

        if (onward_ruleset_compact(rs, &whole) != 0)
            bench_die("compact");
        onward_ruleset_free(whole);
    }
    tell("compaction with 20000 changes", seconds(CLOCK_MONOTONIC) - start, "s",
         0);
    onward_ruleset_free(rs);
}

/* ---- Looking up while zones change ------------------------------------- */

/* How a host with threads shares the newest rules: a reader looks at a number,
 * and takes the lock for a new reference only when it moved. */
static struct shared {
    pthread_mutex_t lock;
    struct onward_ruleset *rules;
    atomic_uint number;
    atomic_int is_over;
    unsigned changes;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *write_changes(void *user)
{
    (void)user;
    while (!atomic_load(&shared.is_over)) {
        unsigned n = shared.changes++;
        struct onward_ruleset *old = shared.rules;
        struct onward_ruleset *next = NULL;
        char zone[2048];
        int len = put_changed(zone, sizeof(zone), n * 37 % ZONES, n);

        if (onward_ruleset_with_zone(
                old, (struct onward_str){zone, (size_t)len}, NULL, NULL,
                &next) != 0)
            bench_die("with_zone");
        pthread_mutex_lock(&shared.lock);
        shared.rules = next;
        pthread_mutex_unlock(&shared.lock);
        atomic_fetch_add(&shared.number, 1);
        onward_ruleset_free(old);
        usleep(1000);
    }
    return NULL;
}

static struct onward_mailbox **parse_questions(struct onward_ctx *ctx)
{
    struct onward_mailbox **to = calloc(ASKED, sizeof(struct onward_mailbox *));

    for (unsigned n = 0; to != NULL && n < ASKED; n++) {
        char local[TEXT], domain[TEXT], text[2 * TEXT + 1];
        unsigned zone;
        int rule;

        put_question(HIT, n, local, domain, &zone, &rule);
        snprintf(text, sizeof(text), "%s@%s", local, domain);
        if (onward_mailbox_parse(ctx, onward_str_of(text), 0, &to[n]) != 0)
            bench_die("address");
    }
    if (to == NULL)
        bench_die("no memory");
    return to;
}

static double look_up(struct onward_ctx *ctx, struct onward_mailbox **to,
                      double for_s)
{
    struct onward_ruleset_router *router;
    struct onward_ruleset *rs = NULL;
    unsigned seen = atomic_load(&shared.number) - 1;
    double start = seconds(CLOCK_THREAD_CPUTIME_ID), now = start;
    uint64_t count = 0;

    if (onward_ruleset_router_new(ctx, &router) != 0)
        bench_die("no memory");
    while (now - start < for_s) {
        for (unsigned n = 0; n < 10000; n++, count++) {
            struct onward_ruleset_decision d = {.size = sizeof(d)};
            unsigned number = atomic_load(&shared.number);

            if (number != seen) {
                onward_ruleset_free(rs);
                pthread_mutex_lock(&shared.lock);
                rs = onward_ruleset_ref(shared.rules);
                pthread_mutex_unlock(&shared.lock);
                seen = number;
            }
            onward_ruleset_router_reset(router);
            if (onward_ruleset_route(rs, router, to[count % ASKED], NULL, NULL,
                                     &d) != 0 ||
                (d.kind != ONWARD_RULESET_FORWARD &&
                 d.kind != ONWARD_RULESET_DROP))
                bench_die("wrong decision");
        }
        now = seconds(CLOCK_THREAD_CPUTIME_ID);
    }
    onward_ruleset_free(rs);
    onward_ruleset_router_free(router);
    return (double)count / (now - start);
}

static void measure_threads(struct onward_ctx *ctx, struct onward_str image)
{
    struct onward_mailbox **to = parse_questions(ctx);
    double alone, beside;
    pthread_t writer;

    shared.rules = rules_open(ctx, image);
    (void)look_up(ctx, to, 0.2);
    alone = look_up(ctx, to, 2);
    if (pthread_create(&writer, NULL, write_changes, NULL) != 0)
        bench_die("thread");
    beside = look_up(ctx, to, 2);
    atomic_store(&shared.is_over, 1);
    pthread_join(writer, NULL);
    onward_ruleset_free(shared.rules);
    tell("hits, nothing changes", alone / 1e6, "M/s", 0);
    tell("hits, about 1000 changes a second", beside / 1e6, "M/s", 0);
    tell("slower by", alone / beside, "times", 1.5);
}

/* ---- Loading ----------------------------------------------------------- */

static void measure_load(struct onward_ctx *ctx, const char *folder)
{
    double before = resident(), start = seconds(CLOCK_MONOTONIC);
    struct onward_ruleset *rs = rules_load(ctx, folder);
    double took = seconds(CLOCK_MONOTONIC) - start;
    double rules = (double)onward_ruleset_rule_count(rs);

    tell("JSON, octets", (double)rules_map(folder, "rules.json").len / 1e6,
         "MB", 0);
    tell("loading the JSON", took, "s", 0);
    tell("resident after it, a rule", (resident() - before) / rules, "octets",
         0);
    onward_ruleset_free(rs);
}

static void measure_image(struct onward_ctx *ctx, struct onward_str image)
{
    struct onward_ruleset *rs;
    double start, took, rules;

    start = seconds(CLOCK_MONOTONIC);
    for (unsigned n = 0; n < 100; n++) {
        rs = rules_open(ctx, image);
        onward_ruleset_free(rs);
    }
    took = (seconds(CLOCK_MONOTONIC) - start) / 100;
    rs = rules_open(ctx, image);
    rules = (double)onward_ruleset_rule_count(rs);
    onward_ruleset_free(rs);
    tell("image, octets", (double)image.len / 1e6, "MB", 0);
    tell("opening the image", took * 1e3, "ms", 1);
    tell("a rule, strings included", (double)image.len / rules, "octets", 0);
    tell("a rule beyond its strings", ((double)image.len - strings()) / rules,
         "octets", 48);
    start = seconds(CLOCK_MONOTONIC);
    if (onward_ruleset_check_image(ctx, image, NULL) != 0)
        bench_die("check");
    tell("checking all of the image", seconds(CLOCK_MONOTONIC) - start, "s", 0);
}

int main(int argc, char **argv)
{
    struct onward_ctx *ctx = rules_ctx();
    struct onward_str image;

    if (argc < 2)
        bench_die("figures FOLDER [--check]");
    measure_load(ctx, argv[1]);
    image = rules_map(argv[1], "rules.image");
    measure_image(ctx, image);
    measure_changes(ctx, image);
    measure_threads(ctx, image);
    return argc > 2 && has_missed;
}
