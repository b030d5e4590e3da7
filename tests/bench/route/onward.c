/*
 * Our side: whole decisions over the mapped image, with all that a relay reads
 * of them; -many tells some addresses beforehand, -text parses the address,
 * too, which the maps do not.
 */
#include "bench/route/data.h"
#include "bench/route/rules.h"

struct job {
    enum question question;
    unsigned at;
    struct onward_mailbox **to;
    char (*texts)[48];
    struct onward_str *parsed; /* where each mailbox has its texts */
    int *want; /* length of the destination; -1 none */
};

/* A server has just read the address that it asks for; ours were read long ago,
 * so they are brought back into the cache beforehand. What is asked for is
 * not. */
static void warm(const struct job *job, unsigned ahead)
{
    unsigned next = (job->at + ahead) % ASKED;
    const char *mailbox = (const char *)job->to[next];
    const char *texts = job->parsed[next].data;

    __builtin_prefetch(mailbox);
    __builtin_prefetch(mailbox + 64);
    __builtin_prefetch(mailbox + 128);
    __builtin_prefetch(mailbox + 192);
    __builtin_prefetch(texts - 64);
    __builtin_prefetch(texts);
    __builtin_prefetch(texts + 64);
}

static struct onward_ctx *ctx;
static struct onward_ruleset *rules;
static struct onward_ruleset_router *router;

static void decide(struct job *job, const struct onward_mailbox *to)
{
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    int want = job->want[job->at];

    onward_ruleset_router_reset(router);
    if (onward_ruleset_route(rules, router, to, NULL, NULL, &d) != 0 ||
        (want < 0 ? d.kind != ONWARD_RULESET_REJECT
                  : d.kind != ONWARD_RULESET_FORWARD ||
                        d.destinations[0].len != (size_t)want))
        bench_die("wrong decision");
    job->at = (job->at + 1) % ASKED;
}

static void run(void *arg)
{
    struct job *job = arg;

    warm(job, 4);
    decide(job, job->to[job->at]);
}

/* Addresses that are told beforehand, as those of one message would be; ASKED
 * is a multiple of it. */
enum { TOGETHER = 32 };

static void run_many(void *arg)
{
    struct job *job = arg;

    if (job->at % TOGETHER == 0) {
        const struct onward_mailbox *to[TOGETHER];

        for (unsigned i = 0; i < TOGETHER; i++)
            to[i] = job->to[job->at + i];
        onward_ruleset_expect(rules, to, TOGETHER);
    }
    warm(job, 2 * TOGETHER);
    decide(job, job->to[job->at]);
}

static void run_text(void *arg)
{
    struct job *job = arg;
    struct onward_mailbox *to;

    if (onward_mailbox_parse(ctx, onward_str_of(job->texts[job->at]), 0, &to) !=
        0)
        bench_die("address");
    decide(job, to);
    onward_mailbox_free(to);
}

static void parse(void *arg)
{
    struct job *job = arg;
    struct onward_mailbox *to;

    if (onward_mailbox_parse(ctx, onward_str_of(job->texts[job->at]), 0, &to) !=
        0)
        bench_die("address");
    job->at = (job->at + 1) % ASKED;
    onward_mailbox_free(to);
}

static void fill_job(struct job *job, enum question q)
{
    job->question = q;
    job->to = calloc(ASKED, sizeof(*job->to));
    job->texts = calloc(ASKED, sizeof(*job->texts));
    job->want = calloc(ASKED, sizeof(*job->want));
    job->parsed = calloc(ASKED, sizeof(*job->parsed));
    if (job->to == NULL || job->texts == NULL || job->want == NULL ||
        job->parsed == NULL)
        bench_die("no memory");
    for (unsigned n = 0; n < ASKED; n++) {
        char local[TEXT], domain[TEXT], value[TEXT];
        unsigned zone;
        int rule;

        put_question(q, n, local, domain, &zone, &rule);
        snprintf(job->texts[n], sizeof(job->texts[n]), "%.20s@%.24s", local,
                 domain);
        if (onward_mailbox_parse(ctx, onward_str_of(job->texts[n]), 0,
                                 &job->to[n]) != 0)
            bench_die("address");
        job->parsed[n] = onward_mailbox_domain_ascii(job->to[n]);
        job->want[n] =
            rule < 0 ? -1 : put_destination(value, zone, (unsigned)rule);
    }
}

int main(int argc, char **argv)
{
    static struct job jobs[QUESTIONS];
    static char many[QUESTIONS][32];
    struct bench_job list[2 * QUESTIONS + 2];

    if (argc != 2)
        bench_die("onward FOLDER");
    ctx = rules_ctx();
    rules = rules_open(ctx, rules_map(argv[1], "rules.image"));
    if (onward_ruleset_router_new(ctx, &router) != 0)
        bench_die("no memory");
    for (unsigned q = 0; q < QUESTIONS; q++) {
        fill_job(&jobs[q], (enum question)q);
        snprintf(many[q], sizeof(many[q]), "%s-many", questions[q]);
        list[2 * q] = (struct bench_job){questions[q], run, &jobs[q]};
        list[2 * q + 1] = (struct bench_job){many[q], run_many, &jobs[q]};
    }
    list[2 * QUESTIONS] = (struct bench_job){"hit-text", run_text, &jobs[HIT]};
    list[2 * QUESTIONS + 1] = (struct bench_job){"parse", parse, &jobs[HIT]};
    return bench_serve(list, 2 * QUESTIONS + 2);
}
