/* The way of questions: joined, cached, timed out, pulled, given up. */
#include "dns/asker.h"

/* An address for whatever was asked by that token, with a TTL in seconds. */
static int answer_a(struct t_asker *a, uint64_t token, unsigned ttl_s,
                    unsigned last_octet)
{
    for (size_t i = 0; i < a->asked_count; i++) {
        char text[400];
        int n;

        if (a->asked[i].token != token)
            continue;
        n = snprintf(text, sizeof(text), "%s %u A 192.0.2.%u\n",
                     a->asked[i].name, ttl_s, last_octet);
        return onward_dns_answer_text(a->desk, token,
                                      (struct onward_str){text, (size_t)n}, 0);
    }
    return onward_dns_answer_text(a->desk, token, ONWARD_STR(""), 0);
}

static void assert_status(const struct onward_dns_lookup *lookup,
                          enum onward_dns_status want)
{
    assert_int_equal(onward_dns_lookup_status(lookup), want);
}

/* ---- Asking ------------------------------------------------------------ */

static void test_asks_in_run_only(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    lookup = t_asker_ask(&a, "A.Example.", ONWARD_DNS_A);
    assert_int_equal(a.asked_count, 0);
    t_asker_run(&a);
    assert_int_equal(a.asked_count, 1);
    assert_string_equal(a.asked[0].name, "a.example");
    assert_int_equal(a.asked[0].type, ONWARD_DNS_A);
    assert_int_equal(answer_a(&a, a.asked[0].token, 60, 1), 0);
    assert_status(lookup, ONWARD_DNS_STATUS_OK);
    assert_int_equal(a.done_count, 0);
    t_asker_run(&a);
    assert_int_equal(a.done_count, 1);
    t_asker_run(&a);
    assert_int_equal(a.done_count, 1);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_equal_questions_are_joined(void **state)
{
    struct onward_dns_lookup *lookups[4];
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    lookups[0] = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    lookups[1] = t_asker_ask(&a, "A.EXAMPLE.", ONWARD_DNS_A);
    t_asker_run(&a);
    lookups[2] = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    lookups[3] = t_asker_ask(&a, "a.example", ONWARD_DNS_TXT);
    t_asker_run(&a);
    assert_int_equal(a.asked_count, 2);
    onward_dns_lookup_free(lookups[1]);
    assert_int_equal(a.canceled_count, 0);
    assert_int_equal(answer_a(&a, a.asked[0].token, 60, 1), 0);
    t_asker_run(&a);
    assert_int_equal(a.done_count, 2);
    assert_status(lookups[0], ONWARD_DNS_STATUS_OK);
    assert_status(lookups[2], ONWARD_DNS_STATUS_OK);
    assert_status(lookups[3], ONWARD_DNS_STATUS_PENDING);
    onward_dns_lookup_free(lookups[0]);
    onward_dns_lookup_free(lookups[2]);
    onward_dns_lookup_free(lookups[3]);
    assert_int_equal(a.canceled_count, 1);
    assert_int_equal(a.canceled[0], a.asked[1].token);
    assert_int_equal(answer_a(&a, a.asked[1].token, 60, 1), ONWARD_ESTALE);
    t_asker_clear(&a);
}

static void in_order(void *arg, const size_t *order, size_t n)
{
    struct onward_dns_lookup *lookups[5];
    struct t_asker a;

    (void)arg;
    t_asker_init(&a, NULL);
    for (size_t i = 0; i < n; i++) {
        char name[32];

        snprintf(name, sizeof(name), "n%zu.example", i);
        lookups[i] = t_asker_ask(&a, name, ONWARD_DNS_A);
    }
    t_asker_run(&a);
    assert_int_equal(a.asked_count, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(
            answer_a(&a, a.asked[order[i]].token, 60, (unsigned)order[i]), 0);
        if (i % 2 == 0)
            t_asker_run(&a);
    }
    t_asker_run(&a);
    assert_int_equal(a.done_count, n);
    for (size_t i = 0; i < n; i++) {
        struct onward_str data = onward_dns_lookup_data(lookups[i], 0);

        assert_int_equal(data.len, 4);
        assert_int_equal(data.data[3], i);
        onward_dns_lookup_free(lookups[i]);
    }
    t_asker_clear(&a);
}

static void test_answers_in_every_order(void **state)
{
    (void)state;
    t_every_order(5, in_order, NULL);
}

static void answer_at_once(struct t_asker *a, uint64_t token)
{
    assert_int_equal(answer_a(a, token, 60, 1), 0);
    assert_int_equal(answer_a(a, token, 60, 1), ONWARD_ESTALE);
    assert_int_equal(
        onward_dns_answer_error(a->desk, token, ONWARD_DNS_SERVFAIL),
        ONWARD_ESTALE);
    assert_int_equal(onward_desk_run(a->desk, a->now_ms), ONWARD_ESTATE);
}

static void test_answer_inside_query(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    a.in_query = answer_at_once;
    lookup = t_asker_get(&a, "a.example", ONWARD_DNS_A);
    assert_status(lookup, ONWARD_DNS_STATUS_OK);
    assert_int_equal(a.done_count, 1);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_answer_inside_failing_query(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    a.in_query = answer_at_once;
    a.query_returns = -1; /* too late to say so */
    lookup = t_asker_get(&a, "a.example", ONWARD_DNS_A);
    assert_status(lookup, ONWARD_DNS_STATUS_OK);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_failing_query(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    a.query_returns = -5;
    lookup = t_asker_get(&a, "a.example", ONWARD_DNS_A);
    assert_status(lookup, ONWARD_DNS_STATUS_TEMP);
    assert_int_equal(answer_a(&a, a.asked[0].token, 60, 1), ONWARD_ESTALE);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_bad_answers(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;
    uint64_t token;

    (void)state;
    t_asker_init(&a, NULL);
    lookup = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    t_asker_run(&a);
    token = a.asked[0].token;
    assert_int_equal(onward_dns_answer_wire(NULL, token, "", 0, 0),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dns_answer_wire(a.desk, token, NULL, 0, 0),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dns_answer_wire(a.desk, token, "", 0, 2),
                     ONWARD_EINVAL);
    assert_int_equal(
        onward_dns_answer_text(a.desk, token, (struct onward_str){NULL, 1}, 0),
        ONWARD_EINVAL);
    assert_int_equal(onward_dns_answer_error(a.desk, token, 0), ONWARD_EINVAL);
    assert_int_equal(onward_dns_answer_error(a.desk, token, 7), ONWARD_EINVAL);
    assert_int_equal(onward_dns_answer_error(a.desk, token + 1, 1),
                     ONWARD_ESTALE);
    assert_int_equal(onward_dns_answer_error(a.desk, 0, 1), ONWARD_ESTALE);
    /* none of these spent the token */
    assert_int_equal(answer_a(&a, token, 60, 1), 0);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static const struct error_row {
    int failure;
    enum onward_dns_status want;
} error_rows[] = {
    {ONWARD_DNS_SERVFAIL, ONWARD_DNS_STATUS_TEMP},
    {ONWARD_DNS_TIMEOUT, ONWARD_DNS_STATUS_TEMP},
    {ONWARD_DNS_BOGUS, ONWARD_DNS_STATUS_BOGUS},
    {ONWARD_DNS_REFUSED, ONWARD_DNS_STATUS_TEMP},
    {ONWARD_DNS_NODATA, ONWARD_DNS_STATUS_NODATA},
    {ONWARD_DNS_NXDOMAIN, ONWARD_DNS_STATUS_NXDOMAIN},
};

static void test_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(error_rows) / sizeof(error_rows[0]); i++) {
        struct onward_dns_lookup *lookup;
        struct t_asker a;

        t_asker_init(&a, NULL);
        lookup = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
        t_asker_run(&a);
        assert_int_equal(onward_dns_answer_error(a.desk, a.asked[0].token,
                                                 error_rows[i].failure),
                         0);
        t_asker_run(&a);
        assert_status(lookup, error_rows[i].want);
        assert_int_equal(onward_dns_lookup_count(lookup), 0);
        onward_dns_lookup_free(lookup);
        t_asker_clear(&a);
    }
}

/* ---- Deadlines --------------------------------------------------------- */

static void test_unanswered_times_out(void **state)
{
    struct onward_dns_lookup *first, *second;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    t_asker_run(&a);
    a.now_ms += 3600000; /* idle for an hour: the clock starts at the run */
    first = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    t_asker_run(&a);
    assert_int_equal(onward_desk_deadline(a.desk), a.now_ms + 20000);
    a.now_ms += 5000;
    second = t_asker_ask(&a, "b.example", ONWARD_DNS_A);
    t_asker_run(&a);
    a.now_ms += 14999;
    t_asker_run(&a);
    assert_status(first, ONWARD_DNS_STATUS_PENDING);
    a.now_ms += 1;
    t_asker_run(&a);
    assert_status(first, ONWARD_DNS_STATUS_TEMP);
    assert_int_equal(a.done_count, 1);
    assert_int_equal(a.canceled_count, 1);
    assert_int_equal(answer_a(&a, a.asked[0].token, 60, 1), ONWARD_ESTALE);
    assert_status(second, ONWARD_DNS_STATUS_PENDING);
    assert_int_equal(onward_desk_deadline(a.desk), a.now_ms + 5000);
    onward_dns_lookup_free(first);
    onward_dns_lookup_free(second);
    t_asker_clear(&a);
}

static void test_in_flight_is_bounded(void **state)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts), .in_flight = 2};
    struct onward_dns_lookup *lookups[4];
    struct t_asker a;

    (void)state;
    t_asker_init(&a, &opts);
    for (size_t i = 0; i < 4; i++) {
        char name[32];

        snprintf(name, sizeof(name), "n%zu.example", i);
        lookups[i] = t_asker_ask(&a, name, ONWARD_DNS_A);
    }
    t_asker_run(&a);
    assert_int_equal(a.asked_count, 2);
    assert_int_equal(answer_a(&a, a.asked[1].token, 60, 1), 0);
    t_asker_run(&a);
    assert_int_equal(a.asked_count, 3);
    assert_string_equal(a.asked[2].name, "n2.example");
    onward_dns_lookup_free(lookups[0]); /* makes room too */
    t_asker_run(&a);
    assert_int_equal(a.asked_count, 4);
    a.now_ms += 20000;
    t_asker_run(&a);
    assert_int_equal(a.done_count, 3);
    for (size_t i = 1; i < 4; i++)
        onward_dns_lookup_free(lookups[i]);
    t_asker_clear(&a);
}

/* ---- The cache --------------------------------------------------------- */

static void ask_and_answer(struct t_asker *a, const char *name, unsigned ttl_s)
{
    struct onward_dns_lookup *lookup = t_asker_ask(a, name, ONWARD_DNS_A);
    size_t before = a->asked_count;

    t_asker_run(a);
    if (a->asked_count != before) {
        assert_int_equal(
            answer_a(a, a->asked[a->asked_count - 1].token, ttl_s, 1), 0);
        t_asker_run(a);
    }
    assert_status(lookup, ONWARD_DNS_STATUS_OK);
    onward_dns_lookup_free(lookup);
}

static void test_cache_by_ttl(void **state)
{
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    ask_and_answer(&a, "a.example", 10);
    a.now_ms += 9999;
    ask_and_answer(&a, "a.example", 10);
    assert_int_equal(a.asked_count, 1);
    a.now_ms += 1;
    ask_and_answer(&a, "a.example", 10);
    assert_int_equal(a.asked_count, 2);
    ask_and_answer(&a, "b.example", 0);
    ask_and_answer(&a, "b.example", 0);
    assert_int_equal(a.asked_count, 4);
    t_asker_clear(&a);
}

static void test_ttl_is_capped(void **state)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts), .ttl_max_s = 30};
    struct t_asker a;

    (void)state;
    t_asker_init(&a, &opts);
    ask_and_answer(&a, "a.example", 86400);
    a.now_ms += 30000;
    ask_and_answer(&a, "a.example", 86400);
    assert_int_equal(a.asked_count, 2);
    t_asker_clear(&a);
}

static void test_cache_is_bounded(void **state)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .cache_entries = 2};
    struct t_asker a;

    (void)state;
    t_asker_init(&a, &opts);
    ask_and_answer(&a, "a.example", 60);
    ask_and_answer(&a, "b.example", 60);
    ask_and_answer(&a, "a.example", 60); /* used: b is the older one now */
    ask_and_answer(&a, "c.example", 60);
    assert_int_equal(a.asked_count, 3);
    ask_and_answer(&a, "a.example", 60);
    assert_int_equal(a.asked_count, 3);
    ask_and_answer(&a, "b.example", 60);
    assert_int_equal(a.asked_count, 4);
    t_asker_clear(&a);
}

static void test_cache_octets_are_bounded(void **state)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts), .cache_bytes = 1};
    struct t_asker a;

    (void)state;
    t_asker_init(&a, &opts);
    ask_and_answer(&a, "a.example", 60);
    ask_and_answer(&a, "a.example", 60);
    assert_int_equal(a.asked_count, 2);
    t_asker_clear(&a);
}

static void test_no_cache(void **state)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .cache_entries = ONWARD_LIMIT_ZERO};
    struct t_asker a;

    (void)state;
    t_asker_init(&a, &opts);
    ask_and_answer(&a, "a.example", 60);
    ask_and_answer(&a, "a.example", 60);
    assert_int_equal(a.asked_count, 2);
    t_asker_clear(&a);
}

static void ask_and_packet(struct t_asker *a, const struct t_packet *p,
                           enum onward_dns_status want)
{
    struct onward_dns_lookup *lookup =
        t_asker_ask(a, "a.example", ONWARD_DNS_A);
    size_t before = a->asked_count;

    t_asker_run(a);
    if (a->asked_count != before) {
        assert_int_equal(onward_dns_answer_wire(a->desk, a->asked[before].token,
                                                p->data, p->len, 0),
                         0);
        t_asker_run(a);
    }
    assert_status(lookup, want);
    onward_dns_lookup_free(lookup);
}

static void test_negative_cache(void **state)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .negative_ttl_max_s = 20};
    static struct t_packet p;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, &opts);
    t_packet_begin(&p, "a.example", ONWARD_DNS_A, 3);
    t_packet_soa(&p, "example", 600, 10);
    ask_and_packet(&a, &p, ONWARD_DNS_STATUS_NXDOMAIN);
    a.now_ms += 9999;
    ask_and_packet(&a, &p, ONWARD_DNS_STATUS_NXDOMAIN);
    assert_int_equal(a.asked_count, 1);
    a.now_ms += 1;
    t_packet_begin(&p, "a.example", ONWARD_DNS_A, 0);
    t_packet_soa(&p, "example", 600, 600);
    ask_and_packet(&a, &p, ONWARD_DNS_STATUS_NODATA);
    assert_int_equal(a.asked_count, 2);
    a.now_ms += 20000; /* the cap */
    ask_and_packet(&a, &p, ONWARD_DNS_STATUS_NODATA);
    assert_int_equal(a.asked_count, 3);
    t_asker_clear(&a);
}

static void test_failures_are_kept_shortly(void **state)
{
    static struct t_packet p;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    t_packet_begin(&p, "a.example", ONWARD_DNS_A, 2);
    ask_and_packet(&a, &p, ONWARD_DNS_STATUS_TEMP);
    a.now_ms += 4999;
    ask_and_packet(&a, &p, ONWARD_DNS_STATUS_TEMP);
    assert_int_equal(a.asked_count, 1);
    a.now_ms += 1;
    ask_and_packet(&a, &p, ONWARD_DNS_STATUS_TEMP);
    assert_int_equal(a.asked_count, 2);
    t_asker_clear(&a);
}

/* An answer in use outlives its place in the cache. */
static void test_answer_outlives_cache(void **state)
{
    struct onward_dns_lookup *held;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    held = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    t_asker_run(&a);
    assert_int_equal(answer_a(&a, a.asked[0].token, 1, 77), 0);
    t_asker_run(&a);
    a.now_ms += 1000;
    ask_and_answer(&a, "a.example", 1);
    assert_int_equal(a.asked_count, 2);
    onward_resolver_free(a.resolver);
    a.resolver = NULL;
    assert_int_equal(onward_dns_lookup_data(held, 0).data[3], 77);
    onward_dns_lookup_free(held);
    t_asker_clear(&a);
}

/* ---- Aliases without their target -------------------------------------- */

static void test_target_is_asked_for(void **state)
{
    static struct t_packet p;
    struct onward_dns_lookup *lookup;
    struct t_asker a;
    char *text;

    (void)state;
    t_asker_init(&a, NULL);
    lookup = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    t_asker_run(&a);
    t_packet_begin(&p, "a.example", ONWARD_DNS_A, 0);
    t_packet_cname(&p, "a.example", 7, "B.example");
    assert_int_equal(onward_dns_answer_wire(a.desk, a.asked[0].token, p.data,
                                            p.len, ONWARD_DNS_SECURE),
                     0);
    assert_int_equal(onward_dns_answer_error(a.desk, a.asked[0].token, 1),
                     ONWARD_ESTALE);
    t_asker_run(&a);
    assert_int_equal(a.asked_count, 2);
    assert_string_equal(a.asked[1].name, "b.example");
    assert_int_equal(answer_a(&a, a.asked[1].token, 60, 3), 0);
    t_asker_run(&a);
    text = t_lookup_text(lookup, ONWARD_DNS_A);
    assert_string_equal(text, "OK 192.0.2.3");
    free(text);
    t_assert_str(onward_dns_lookup_canonical(lookup), "b.example");
    assert_int_equal(onward_dns_lookup_ttl_s(lookup), 7);
    /* the alias was validated, its target was not */
    assert_int_equal(onward_dns_lookup_is_secure(lookup), 0);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_target_from_cache(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    ask_and_answer(&a, "b.example", 60);
    lookup = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    t_asker_run(&a);
    assert_int_equal(
        onward_dns_answer_text(a.desk, a.asked[1].token,
                               ONWARD_STR("a.example 90 CNAME b.example"), 0),
        0);
    t_asker_run(&a);
    assert_int_equal(a.asked_count, 2);
    assert_status(lookup, ONWARD_DNS_STATUS_OK);
    assert_int_equal(onward_dns_lookup_ttl_s(lookup), 60);
    t_assert_str(onward_dns_lookup_canonical(lookup), "b.example");
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

/* A server that answers each alias with the next one. */
static void answer_next_alias(struct t_asker *a, uint64_t token)
{
    char text[100];
    int n = snprintf(text, sizeof(text), "%s CNAME n%zu.example\n",
                     a->asked[a->asked_count - 1].name, a->asked_count);

    assert_true(onward_dns_answer_text(a->desk, token,
                                       (struct onward_str){text, (size_t)n},
                                       0) <= 0);
}

static void test_endless_aliases(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    a.in_query = answer_next_alias;
    lookup = t_asker_get(&a, "a.example", ONWARD_DNS_A);
    assert_status(lookup, ONWARD_DNS_STATUS_TEMP);
    assert_int_equal(a.asked_count, 9); /* and eight aliases followed */
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_loaded_and_asked(void **state)
{
    static const char records[] = "a.example CNAME far.example\n"
                                  "b.example A 192.0.2.1\n";
    struct onward_dns_lookup *lookup;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    assert_int_equal(
        onward_resolver_load(a.resolver, onward_str_of(records), NULL), 0);
    lookup = t_asker_get(&a, "b.example", ONWARD_DNS_A);
    assert_status(lookup, ONWARD_DNS_STATUS_OK);
    onward_dns_lookup_free(lookup);
    lookup = t_asker_get(&a, "b.example", ONWARD_DNS_TXT);
    assert_status(lookup, ONWARD_DNS_STATUS_NODATA);
    onward_dns_lookup_free(lookup);
    assert_int_equal(a.asked_count, 0);
    lookup = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    t_asker_run(&a);
    assert_int_equal(a.asked_count, 1);
    assert_string_equal(a.asked[0].name, "far.example");
    assert_int_equal(answer_a(&a, a.asked[0].token, 60, 1), 0);
    t_asker_run(&a);
    assert_status(lookup, ONWARD_DNS_STATUS_OK);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

/* ---- Pulling ----------------------------------------------------------- */

static void test_pull(void **state)
{
    struct onward_dns_question q = {.size = sizeof(q)};
    struct onward_dns_question small = {.size = 1};
    struct onward_dns_lookup *one, *two;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    assert_int_equal(onward_resolver_next(a.resolver, &q), 0);
    onward_resolver_free(a.resolver);
    assert_int_equal(onward_resolver_new(a.desk, NULL, NULL, &a.resolver), 0);
    one = t_asker_ask(&a, "a.example", ONWARD_DNS_MX);
    two = t_asker_ask(&a, "b.example", ONWARD_DNS_A);
    assert_int_equal(onward_resolver_next(a.resolver, &q), 0);
    t_asker_run(&a);
    assert_int_equal(onward_resolver_next(a.resolver, &small), ONWARD_EINVAL);
    assert_int_equal(onward_resolver_next(a.resolver, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_resolver_next(a.resolver, &q), 1);
    t_assert_str(q.name, "a.example");
    assert_int_equal(q.type, ONWARD_DNS_MX);
    assert_int_equal(
        onward_dns_answer_error(a.desk, q.token, ONWARD_DNS_NODATA), 0);
    assert_int_equal(onward_resolver_next(a.resolver, &q), 1);
    t_assert_str(q.name, "b.example");
    assert_int_equal(onward_resolver_next(a.resolver, &q), 0);
    t_asker_run(&a);
    assert_int_equal(a.done_count, 1);
    a.now_ms += 20000;
    t_asker_run(&a);
    assert_status(two, ONWARD_DNS_STATUS_TEMP);
    onward_dns_lookup_free(one);
    onward_dns_lookup_free(two);
    t_asker_clear(&a);
}

/* ---- Freeing ----------------------------------------------------------- */

static struct onward_dns_lookup *to_free;

static void free_lookup(struct t_asker *a, uint64_t token)
{
    (void)a;
    (void)token;
    onward_dns_lookup_free(to_free);
}

static void free_resolver(struct t_asker *a, uint64_t token)
{
    (void)token;
    onward_resolver_free(a->resolver);
    a->resolver = NULL;
}

static void free_desk(struct t_asker *a, uint64_t token)
{
    (void)token;
    onward_desk_free(a->desk);
    a->desk = NULL;
}

static void test_free_lookup_inside_query(void **state)
{
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    a.in_query = free_lookup;
    a.query_returns = -1;
    to_free = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    t_asker_run(&a);
    assert_int_equal(a.done_count, 0);
    assert_int_equal(a.canceled_count, 1);
    t_asker_clear(&a);
}

static void test_free_resolver_inside_query(void **state)
{
    struct onward_dns_lookup *one, *two;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    a.in_query = free_resolver;
    one = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    two = t_asker_ask(&a, "b.example", ONWARD_DNS_A);
    t_asker_run(&a);
    assert_int_equal(a.asked_count, 1);
    assert_int_equal(a.done_count, 2);
    assert_status(one, ONWARD_DNS_STATUS_TEMP);
    assert_status(two, ONWARD_DNS_STATUS_TEMP);
    onward_dns_lookup_free(one);
    onward_dns_lookup_free(two);
    t_asker_clear(&a);
}

static void test_free_desk_inside_query(void **state)
{
    struct onward_dns_lookup *one, *two;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    a.in_query = free_desk;
    one = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    two = t_asker_ask(&a, "b.example", ONWARD_DNS_A);
    onward_desk_run(a.desk, a.now_ms);
    assert_int_equal(a.asked_count, 1);
    assert_int_equal(a.done_count, 0);
    onward_dns_lookup_free(one);
    onward_dns_lookup_free(two);
    t_asker_clear(&a);
}

static void free_in_done(struct t_asker *a, struct onward_dns_lookup *lookup)
{
    onward_dns_lookup_free(lookup);
    onward_dns_lookup_free(to_free);
    to_free = NULL;
    onward_resolver_free(a->resolver);
    a->resolver = NULL;
}

static void test_free_all_inside_done(void **state)
{
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    a.in_query = answer_at_once;
    a.in_done = free_in_done;
    (void)t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    to_free = t_asker_ask(&a, "b.example", ONWARD_DNS_A);
    t_asker_run(&a);
    assert_int_equal(a.done_count, 1);
    t_asker_clear(&a);
}

static void ask_again(struct t_asker *a, struct onward_dns_lookup *lookup)
{
    (void)lookup;
    a->in_done = NULL;
    to_free = t_asker_ask(a, "a.example", ONWARD_DNS_A);
}

static void test_ask_again_inside_done(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    a.in_query = answer_at_once;
    a.in_done = ask_again;
    lookup = t_asker_get(&a, "a.example", ONWARD_DNS_A);
    assert_int_equal(a.done_count, 2);
    assert_int_equal(a.asked_count, 1);
    onward_dns_lookup_free(lookup);
    onward_dns_lookup_free(to_free);
    t_asker_clear(&a);
}

static void test_resolver_freed_first(void **state)
{
    struct onward_dns_lookup_host host;
    struct onward_dns_lookup *lookup, *late = NULL;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    lookup = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    t_asker_run(&a);
    onward_resolver_free(a.resolver);
    assert_int_equal(a.canceled_count, 1);
    assert_int_equal(answer_a(&a, a.asked[0].token, 60, 1), ONWARD_ESTALE);
    t_asker_lookup_host(&a, &host);
    /* its memory is still there: the lookup keeps it */
    assert_int_equal(
        onward_dns_lookup_new(a.resolver, ONWARD_STR("b"), 1, &host, &late),
        ONWARD_ESTATE);
    a.resolver = NULL;
    t_asker_run(&a);
    assert_int_equal(a.done_count, 1);
    assert_status(lookup, ONWARD_DNS_STATUS_TEMP);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_desk_freed_first(void **state)
{
    struct onward_dns_question q = {.size = sizeof(q)};
    struct onward_dns_lookup_host host;
    struct onward_dns_lookup *lookup, *late = NULL;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    lookup = t_asker_ask(&a, "a.example", ONWARD_DNS_A);
    t_asker_run(&a);
    onward_desk_free(a.desk);
    a.desk = NULL;
    t_asker_lookup_host(&a, &host);
    assert_int_equal(
        onward_dns_lookup_new(a.resolver, ONWARD_STR("b"), 1, &host, &late),
        ONWARD_ESTATE);
    assert_int_equal(onward_resolver_next(a.resolver, &q), ONWARD_ESTATE);
    onward_resolver_free(a.resolver);
    a.resolver = NULL;
    assert_int_equal(a.canceled_count, 0);
    assert_int_equal(a.done_count, 0);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_bad_calls(void **state)
{
    struct onward_resolver_opts opts = {.size = 4};
    struct onward_dns_lookup_host host;
    struct onward_dns_lookup *lookup = NULL;
    struct onward_resolver *resolver = NULL;
    struct t_asker a;

    (void)state;
    t_asker_init(&a, NULL);
    t_asker_lookup_host(&a, &host);
    assert_int_equal(onward_resolver_new(NULL, NULL, NULL, &resolver),
                     ONWARD_EINVAL);
    assert_int_equal(onward_resolver_new(a.desk, NULL, NULL, NULL),
                     ONWARD_EINVAL);
    assert_int_equal(onward_resolver_new(a.desk, &opts, NULL, &resolver),
                     ONWARD_EINVAL);
    assert_int_equal(
        onward_dns_lookup_new(NULL, ONWARD_STR("a"), 1, &host, &lookup),
        ONWARD_EINVAL);
    assert_int_equal(
        onward_dns_lookup_new(a.resolver, ONWARD_STR("a"), 0, &host, &lookup),
        ONWARD_EINVAL);
    assert_int_equal(onward_dns_lookup_new(a.resolver, ONWARD_STR("a"), 65536,
                                           &host, &lookup),
                     ONWARD_EINVAL);
    assert_int_equal(
        onward_dns_lookup_new(a.resolver, ONWARD_STR("a"), 1, NULL, &lookup),
        ONWARD_EINVAL);
    host.done = NULL;
    assert_int_equal(
        onward_dns_lookup_new(a.resolver, ONWARD_STR("a"), 1, &host, &lookup),
        ONWARD_EINVAL);
    assert_null(lookup);
    assert_null(resolver);
    onward_dns_lookup_free(NULL);
    onward_resolver_free(NULL);
    assert_int_equal(onward_dns_lookup_status(NULL), 0);
    assert_int_equal(onward_dns_lookup_count(NULL), 0);
    t_asker_clear(&a);
}

/* ---- Memory ------------------------------------------------------------ */

static bool alias_and_cache(struct t_world *w, void *arg)
{
    static struct t_asker a;
    struct onward_dns_lookup_host lookup_host;
    struct onward_resolver_host host;
    struct onward_dns_lookup *lookups[3] = {NULL, NULL, NULL};
    const char *const names[] = {"a.example", "b.example", "a.example"};
    size_t started = 0;
    bool ok;

    (void)arg;
    memset(&a, 0, sizeof(a));
    t_asker_resolver_host(&a, &host);
    t_asker_lookup_host(&a, &lookup_host);
    ok = onward_desk_new(w->ctx, NULL, &a.desk) == 0 &&
         onward_resolver_new(a.desk, NULL, &host, &a.resolver) == 0;
    for (size_t i = 0; ok && i < 3; i++) {
        ok =
            onward_dns_lookup_new(a.resolver, onward_str_of(names[i]),
                                  ONWARD_DNS_A, &lookup_host, &lookups[i]) == 0;
        started += ok;
        while (onward_desk_run(a.desk, 0) == 1)
            continue;
        if (ok && i == 0)
            (void)onward_dns_answer_text(
                a.desk, a.asked[0].token,
                ONWARD_STR("a.example 9 CNAME b.example"), 0);
        while (onward_desk_run(a.desk, 0) == 1)
            continue;
        if (a.asked_count > 1)
            (void)answer_a(&a, a.asked[a.asked_count - 1].token, 60, 1);
        while (onward_desk_run(a.desk, 0) == 1)
            continue;
    }
    /* every question that could be asked was answered, once */
    assert_int_equal(a.done_count, started);
    for (size_t i = 0; i < 3; i++) {
        ok = ok && onward_dns_lookup_count(lookups[i]) == 1;
        onward_dns_lookup_free(lookups[i]);
    }
    onward_resolver_free(a.resolver);
    onward_desk_free(a.desk);
    return ok;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(alias_and_cache, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks_in_run_only),
        cmocka_unit_test(test_equal_questions_are_joined),
        cmocka_unit_test(test_answers_in_every_order),
        cmocka_unit_test(test_answer_inside_query),
        cmocka_unit_test(test_answer_inside_failing_query),
        cmocka_unit_test(test_failing_query),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_unanswered_times_out),
        cmocka_unit_test(test_in_flight_is_bounded),
        cmocka_unit_test(test_cache_by_ttl),
        cmocka_unit_test(test_ttl_is_capped),
        cmocka_unit_test(test_cache_is_bounded),
        cmocka_unit_test(test_cache_octets_are_bounded),
        cmocka_unit_test(test_no_cache),
        cmocka_unit_test(test_negative_cache),
        cmocka_unit_test(test_failures_are_kept_shortly),
        cmocka_unit_test(test_answer_outlives_cache),
        cmocka_unit_test(test_target_is_asked_for),
        cmocka_unit_test(test_target_from_cache),
        cmocka_unit_test(test_endless_aliases),
        cmocka_unit_test(test_loaded_and_asked),
        cmocka_unit_test(test_pull),
        cmocka_unit_test(test_free_lookup_inside_query),
        cmocka_unit_test(test_free_resolver_inside_query),
        cmocka_unit_test(test_free_desk_inside_query),
        cmocka_unit_test(test_free_all_inside_done),
        cmocka_unit_test(test_ask_again_inside_done),
        cmocka_unit_test(test_resolver_freed_first),
        cmocka_unit_test(test_desk_freed_first),
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
