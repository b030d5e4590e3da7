/*
 * What all sides are filled with: ZONES zones with two addresses and a
 * catch-all each, every one forwarded to a destination that many share.
 */
#ifndef ONWARD_BENCH_ROUTE_DATA_H
#define ONWARD_BENCH_ROUTE_DATA_H

#include "bench/worker.h"

enum {
    ZONES = 1000000,
    RULES = 3,          /* a zone */
    DESTINATIONS = 1000,
    ASKED = 300000,     /* different addresses that a job asks for */
    TEXT = 64           /* octets of the longest of all texts, with NUL */
};

/* Where the zones stand in the alphabet is not where they stand in the file. */
static inline unsigned zone_number(unsigned i)
{
    return (unsigned)(((uint64_t)i * 2654435761u) % ZONES);
}

static inline int put_zone(char *out, unsigned i)
{
    return snprintf(out, TEXT, "site-%06u.example", zone_number(i));
}

static inline int put_destination(char *out, unsigned i, unsigned rule)
{
    return snprintf(out, TEXT, "box%03u@mail.example.net",
                    (i * RULES + rule) % DESTINATIONS);
}

static const char *const locals[RULES] = {"info", "sales", "*"};

enum question { HIT, CATCH_ALL, SUBADDRESS, MISS_USER, MISS_ZONE, QUESTIONS };
static const char *const questions[QUESTIONS] = {
    "hit", "catch-all", "subaddress", "miss-user", "miss-zone"};

/* Every hundredth zone has no catch-all, for MISS_USER. */
static inline int has_catch_all(unsigned i)
{
    return i % 100 != 0;
}

/* Question n of a kind, and which zone and rule answer it (-1: none). */
static inline void put_question(enum question q, unsigned n, char *local,
                                char *domain, unsigned *zone, int *rule)
{
    unsigned i = (unsigned)(((uint64_t)n * 40503u * 7919u + 12345) % ZONES);

    *rule = (int)(n % 2);
    if (q == MISS_USER)
        i -= i % 100;
    else
        i += !has_catch_all(i);
    *zone = i;
    put_zone(domain, i);
    snprintf(local, TEXT, "%s", locals[*rule]);
    if (q == SUBADDRESS)
        snprintf(local, TEXT, "%s+n%u", locals[*rule], n);
    if (q == CATCH_ALL || q == MISS_USER)
        snprintf(local, TEXT, "someone.%u", n);
    if (q == CATCH_ALL)
        *rule = 2;
    if (q == MISS_ZONE)
        snprintf(domain, TEXT, "other-%06u.example", i);
    if (q == MISS_ZONE || q == MISS_USER)
        *rule = -1;
}

/*
 * How a map of addresses is asked, as Postfix's virtual(5) does: the address,
 * without its extension, and the domain; find() gives the length of the value.
 */
struct pairs {
    void *map;
    int (*find)(void *map, const char *key, size_t len);
};

static inline int ask_pairs(const struct pairs *p, const char *local,
                            const char *domain, size_t domain_len)
{
    char key[2 * TEXT];
    const char *plus = strchr(local, '+');
    size_t len = strlen(local);
    int found;

    memcpy(key, local, len);
    key[len] = '@';
    memcpy(key + len + 1, domain, domain_len);
    found = p->find(p->map, key, len + 1 + domain_len);
    if (found < 0 && plus != NULL) {
        len = (size_t)(plus - local);
        key[len] = '@';
        memcpy(key + len + 1, domain, domain_len);
        found = p->find(p->map, key, len + 1 + domain_len);
    }
    if (found < 0) {
        key[0] = '@';
        memcpy(key + 1, domain, domain_len);
        found = p->find(p->map, key, 1 + domain_len);
    }
    return found;
}

/* One side's jobs over pairs: they differ in their question alone. */
struct pairs_job {
    struct pairs pairs;
    enum question question;
    unsigned at;
    struct asked {
        char local[32], domain[32];
        size_t domain_len;
        int want;
    } *asked;
};

static inline void ask_next(void *arg)
{
    struct pairs_job *job = arg;
    const struct asked *a = &job->asked[job->at];

    if (ask_pairs(&job->pairs, a->local, a->domain, a->domain_len) != a->want)
        bench_die("wrong answer");
    job->at = (job->at + 1) % ASKED;
}

static inline int serve_pairs(const struct pairs *pairs)
{
    static struct pairs_job jobs[QUESTIONS];
    struct bench_job list[QUESTIONS];

    for (unsigned q = 0; q < QUESTIONS; q++) {
        struct asked *a = calloc(ASKED, sizeof(*a));

        if (a == NULL)
            bench_die("no memory");
        jobs[q] = (struct pairs_job){*pairs, (enum question)q, 0, a};
        list[q] = (struct bench_job){questions[q], ask_next, &jobs[q]};
        for (unsigned n = 0; n < ASKED; n++, a++) {
            char local[TEXT], domain[TEXT], value[TEXT];
            unsigned zone;
            int rule;

            put_question((enum question)q, n, local, domain, &zone, &rule);
            snprintf(a->local, sizeof(a->local), "%.31s", local);
            snprintf(a->domain, sizeof(a->domain), "%.31s", domain);
            a->domain_len = strlen(a->domain);
            a->want =
                rule < 0 ? -1 : put_destination(value, zone, (unsigned)rule);
        }
    }
    return bench_serve(list, QUESTIONS);
}

/* Every pair of the map, in the order of the file. */
static inline void each_pair(void *user,
                             void (*put)(void *user, const char *key,
                                         size_t key_len, const char *value,
                                         size_t value_len))
{
    char key[2 * TEXT], zone[TEXT], value[TEXT];

    for (unsigned i = 0; i < ZONES; i++) {
        put_zone(zone, i);
        for (unsigned rule = 0; rule < RULES; rule++) {
            int is_all = rule == RULES - 1;
            int len = snprintf(key, sizeof(key), "%s@%s",
                               is_all ? "" : locals[rule], zone);

            if (!is_all || has_catch_all(i))
                put(user, key, (size_t)len, value,
                    (size_t)put_destination(value, i, rule));
        }
    }
}

#endif
