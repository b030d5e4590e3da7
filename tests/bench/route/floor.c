/*
 * What a decision cannot be cheaper than: one look-up of the domain in a plain
 * hash table (FNV-1a, open addressing, names beside it) and one look at the
 * value. No local part, no rules.
 */
#include "bench/route/data.h"

enum { BITS = 21 };

struct cell {
    char *name;
    uint32_t hash, len;
};

static struct cell *cells;

static uint32_t hash_of(const char *s, size_t len)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h;
}

static int find(void *map, const char *key, size_t len)
{
    uint32_t hash = hash_of(key, len);

    (void)map;
    for (uint32_t at = hash & ((1u << BITS) - 1); cells[at].name != NULL;
         at = (at + 1) & ((1u << BITS) - 1)) {
        if (cells[at].hash == hash && cells[at].len == len &&
            memcmp(cells[at].name, key, len) == 0)
            return cells[at].name[len]; /* the value stands behind the name */
    }
    return -1;
}

struct job {
    enum question question;
    unsigned at;
    struct asked *asked;
};

static void ask(void *arg)
{
    struct job *job = arg;
    const struct asked *a = &job->asked[job->at];

    if ((find(NULL, a->domain, a->domain_len) < 0) != (a->want < 0))
        bench_die("wrong answer");
    job->at = (job->at + 1) % ASKED;
}

static void fill(void)
{
    cells = calloc((size_t)1 << BITS, sizeof(*cells));
    if (cells == NULL)
        bench_die("no memory");
    for (unsigned i = 0; i < ZONES; i++) {
        char zone[TEXT];
        int len = put_zone(zone, i);
        uint32_t hash = hash_of(zone, (size_t)len);
        uint32_t at = hash & ((1u << BITS) - 1);

        while (cells[at].name != NULL)
            at = (at + 1) & ((1u << BITS) - 1);
        cells[at].name = malloc((size_t)len + 1);
        if (cells[at].name == NULL)
            bench_die("no memory");
        memcpy(cells[at].name, zone, (size_t)len);
        cells[at].name[len] = 1;
        cells[at].hash = hash;
        cells[at].len = (uint32_t)len;
    }
}

int main(void)
{
    static const enum question asked[] = {HIT, MISS_ZONE};
    static struct job jobs[2];
    struct bench_job list[2];

    fill();
    for (unsigned q = 0; q < 2; q++) {
        struct asked *a = calloc(ASKED, sizeof(*a));

        if (a == NULL)
            bench_die("no memory");
        jobs[q] = (struct job){asked[q], 0, a};
        list[q] = (struct bench_job){q == 0 ? "domain" : "no-domain", ask,
                                     &jobs[q]};
        for (unsigned n = 0; n < ASKED; n++, a++) {
            char local[TEXT], domain[TEXT];
            unsigned zone;

            put_question(asked[q], n, local, domain, &zone, &a->want);
            snprintf(a->domain, sizeof(a->domain), "%.31s", domain);
            a->domain_len = strlen(a->domain);
        }
    }
    return bench_serve(list, 2);
}
