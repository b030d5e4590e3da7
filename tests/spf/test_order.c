/*
 * The DNS answers in any order and at any time: the verdict is the same. And
 * what is asked early: together, but nothing behind the limit or a decision.
 */
#include <onward/spf.h>

#include "support/support.h"

enum { QUESTIONS_MAX = 64 };

/* A host that holds the questions, to answer from a zone when it likes. */
struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_spf_check *check;
    int64_t now_ms;
    size_t count;
    struct question {
        uint64_t token;
        uint32_t type;
        char name[256];
        bool is_answered;
    } questions[QUESTIONS_MAX];
    int done, cancelled;
    bool frees_in_cancel;
};

static int hold(void *user, uint64_t token, const char *name, size_t name_len,
                uint32_t type)
{
    struct world *x = user;
    struct question *q = &x->questions[x->count++];

    assert_true(x->count <= QUESTIONS_MAX);
    assert_true(name_len < sizeof(q->name));
    q->token = token;
    q->type = type;
    memcpy(q->name, name, name_len);
    q->name[name_len] = '\0';
    return 0;
}

static void count_cancel(void *user, uint64_t token)
{
    struct world *x = user;

    (void)token;
    x->cancelled++;
    if (x->frees_in_cancel) {
        struct onward_spf_check *check = x->check;

        x->check = NULL;
        onward_spf_check_free(check);
    }
}

static void count_done(void *user, struct onward_spf_check *check)
{
    (void)check;
    ((struct world *)user)->done++;
}

static void run(struct world *x)
{
    while (onward_desk_run(x->desk, x->now_ms) == 1)
        continue;
}

static void begin(struct world *x, const char *ip)
{
    const struct onward_resolver_host host = {
        .size = sizeof(host), .user = x, .query = hold, .cancel = count_cancel};
    const struct onward_spf_host done = {
        .size = sizeof(done), .user = x, .done = count_done};
    struct onward_ip client;
    struct onward_spf_opts o = {.size = sizeof(o),
                                .client_ip = &client,
                                .mail_from = ONWARD_STR("a@e.example")};

    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    assert_int_equal(onward_ip_parse(onward_str_of(ip), &client), 0);
    assert_int_equal(onward_desk_new(x->w.ctx, NULL, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, NULL, &host, &x->resolver),
                     0);
    assert_int_equal(onward_spf_check_new(x->resolver, &o, &done, &x->check),
                     0);
    run(x);
}

static void end(struct world *x)
{
    onward_spf_check_free(x->check);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static const char *type_name(uint32_t type)
{
    switch (type) {
    case ONWARD_DNS_A:
        return "A";
    case ONWARD_DNS_MX:
        return "MX";
    case ONWARD_DNS_PTR:
        return "PTR";
    default:
        return type == ONWARD_DNS_TXT ? "TXT" : "AAAA";
    }
}

/* Answer from the lines of the zone that begin "name type ". */
static int answer(struct world *x, size_t i, const char *zone)
{
    struct question *q = &x->questions[i];
    char key[300], text[4096] = "";
    size_t len = 0;

    q->is_answered = true;
    snprintf(key, sizeof(key), "%s %s ", q->name, type_name(q->type));
    while (*zone != '\0') {
        size_t line = strcspn(zone, "\n") + 1;

        if (strncmp(zone, key, strlen(key)) == 0) {
            memcpy(text + len, zone, line);
            len += line;
        }
        zone += line;
    }
    if (strstr(text, "!") != NULL)
        return onward_dns_answer_error(x->desk, q->token, ONWARD_DNS_SERVFAIL);
    if (len == 0)
        return onward_dns_answer_error(x->desk, q->token, ONWARD_DNS_NXDOMAIN);
    return onward_dns_answer_text(x->desk, q->token,
                                  (struct onward_str){text, len}, 0);
}

static bool was_asked(const struct world *x, const char *name)
{
    for (size_t i = 0; i < x->count; i++) {
        if (strcmp(x->questions[i].name, name) == 0)
            return true;
    }
    return false;
}

/* ---- The same verdict -------------------------------------------------- */

static const struct row {
    const char *name, *ip, *zone;
    int result;
    const char *mechanism;
    size_t lookups, voids;
} rows[] = {
    {"match in the second include", "192.0.2.9",
     "e.example TXT \"v=spf1 include:i.example mx include:j.example -all\"\n"
     "i.example TXT \"v=spf1 a:h.example -all\"\n"
     "j.example TXT \"v=spf1 a:k.example -all\"\n"
     "h.example A 198.51.100.7\n"
     "k.example A 192.0.2.9\n"
     "e.example MX 10 m.example\nm.example A 198.51.100.1\n",
     ONWARD_SPF_PASS, "include:j.example", 5, 0},
    {"a match before a failure", "192.0.2.9",
     "e.example TXT \"v=spf1 a:h.example a:broken.example -all\"\n"
     "h.example A 192.0.2.9\nbroken.example A !SERVFAIL\n",
     ONWARD_SPF_PASS, "a:h.example", 1, 0},
    {"a failure before a match", "192.0.2.9",
     "e.example TXT \"v=spf1 a:broken.example a:h.example -all\"\n"
     "h.example A 192.0.2.9\nbroken.example A !SERVFAIL\n",
     ONWARD_SPF_TEMPERROR, "", 1, 0},
    {"a broken include behind a match", "192.0.2.9",
     "e.example TXT \"v=spf1 a:h.example include:i.example -all\"\n"
     "h.example A 192.0.2.9\ni.example TXT \"v=spf1 nonsense\"\n",
     ONWARD_SPF_PASS, "a:h.example", 1, 0},
    {"names, redirect and an explanation", "192.0.2.9",
     "e.example TXT \"v=spf1 ptr:e.example redirect=r.example\"\n"
     "9.2.0.192.in-addr.arpa PTR p.example\np.example A 192.0.2.9\n"
     "r.example TXT \"v=spf1 exists:%{p}.x.example -all exp=w.example\"\n"
     "p.example.x.example A 192.0.2.200\n",
     ONWARD_SPF_PASS, "exists:%{p}.x.example", 3, 0},
    {"IPv6", "2001:db8::9",
     "e.example TXT \"v=spf1 a:h.example mx -all\"\n"
     "h.example A 192.0.2.9\nh.example AAAA 2001:db8::1\n"
     "e.example MX 10 m.example\nm.example AAAA 2001:db8::9\n",
     ONWARD_SPF_PASS, "mx", 2, 0},
    {"the third void", "192.0.2.9",
     "e.example TXT \"v=spf1 a:1.example a:2.example a:3.example a:4.example "
     "+all\"\n4.example A 192.0.2.9\n",
     ONWARD_SPF_PERMERROR, "", 3, 3},
};

/* Answer the open question that `pick` says until the check is done. */
static void go(struct world *x, const struct row *row, size_t seed,
               bool is_late, bool is_twice)
{
    uint64_t state = seed;

    while (onward_spf_check_result(x->check) == ONWARD_SPF_PENDING) {
        size_t open[QUESTIONS_MAX], count = 0, i;

        for (i = 0; i < x->count; i++) {
            if (!x->questions[i].is_answered)
                open[count++] = i;
        }
        assert_true(count != 0);
        state = state * 6364136223846793005u + 1442695040888963407u;
        i = open[seed == 0   ? 0
                 : seed == 1 ? count - 1
                             : (size_t)(state >> 33) % count];
        x->now_ms += is_late ? 700 : 0;
        assert_int_equal(answer(x, i, row->zone), 0);
        if (is_twice)
            assert_int_equal(answer(x, i, row->zone), ONWARD_ESTALE);
        /* Often several are there before the desk runs. */
        if ((state >> 60) % 2 == 0 || count == 1)
            run(x);
    }
}

static void same(const struct world *x, const struct row *row)
{
    assert_int_equal(x->done, 1);
    assert_string_equal(
        onward_spf_result_name(onward_spf_check_result(x->check)),
        onward_spf_result_name(row->result));
    t_assert_str(onward_spf_check_mechanism(x->check), row->mechanism);
    assert_int_equal(onward_spf_check_lookups(x->check), row->lookups);
    assert_int_equal(onward_spf_check_void_lookups(x->check), row->voids);
}

static void test_any_order_gives_the_same_verdict(void **state)
{
    const struct row *row = *state;

    for (size_t seed = 0; seed < 60; seed++) {
        struct world x;

        begin(&x, row->ip);
        go(&x, row, seed, seed % 3 == 1, seed % 2 == 1);
        same(&x, row);
        end(&x);
    }
}

/* Without one of the answers: the verdict, or temperror when it was needed. */
static void test_one_missing_is_temperror_or_the_same(void **state)
{
    const struct row *row = *state;

    for (size_t missing = 0; missing < 12; missing++) {
        struct world x;
        bool is_open = true;

        begin(&x, row->ip);
        while (is_open && x.done == 0) {
            is_open = false;
            for (size_t i = 0; i < x.count; i++) {
                if (i == missing || x.questions[i].is_answered)
                    continue;
                assert_int_equal(answer(&x, i, row->zone), 0);
                is_open = true;
            }
            run(&x);
        }
        if (x.done == 0) {
            x.now_ms = 20000;
            run(&x);
            assert_int_equal(x.done, 1);
            assert_int_equal(onward_spf_check_result(x.check),
                             ONWARD_SPF_TEMPERROR);
        } else {
            same(&x, row);
        }
        /* Later than late: nothing happens. */
        if (missing < x.count && !x.questions[missing].is_answered) {
            onward_spf_check_free(x.check);
            x.check = NULL;
            (void)answer(&x, missing, row->zone);
            run(&x);
            assert_int_equal(x.done, 1);
        }
        end(&x);
    }
}

/* ---- What is asked early ----------------------------------------------- */

static void test_what_can_be_known_is_asked_together(void **state)
{
    const char *zone = "e.example TXT \"v=spf1 a:1.example mx:2.example "
                       "exists:%{i}.3.example ptr include:4.example -all\"\n"
                       "4.example TXT \"v=spf1 a:5.example a:%{p}.6.example "
                       "redirect=7.example\"\n";
    struct world x;

    (void)state;
    begin(&x, "192.0.2.9");
    assert_int_equal(x.count, 1);
    answer(&x, 0, zone);
    run(&x);
    assert_int_equal(x.count, 6);
    assert_true(was_asked(&x, "1.example"));
    assert_true(was_asked(&x, "2.example"));
    assert_true(was_asked(&x, "192.0.2.9.3.example"));
    assert_true(was_asked(&x, "9.2.0.192.in-addr.arpa"));
    assert_true(was_asked(&x, "4.example"));
    /* The include's own terms do not wait for the terms before it. */
    for (size_t i = 1; i < 6; i++) {
        if (strcmp(x.questions[i].name, "4.example") == 0)
            answer(&x, i, zone);
    }
    run(&x);
    assert_int_equal(x.count, 8);
    assert_true(was_asked(&x, "5.example"));
    assert_true(was_asked(&x, "7.example"));
    end(&x);
}

static const struct early {
    const char *name, *zone;
    const char *not_asked;
    size_t count;
} earlies[] = {
    {"nothing behind all",
     "e.example TXT \"v=spf1 a:1.example ?all a:2.example\"\n", "2.example", 2},
    {"nothing behind a network that matches",
     "e.example TXT \"v=spf1 a:1.example -ip4:192.0.2.0/24 a:2.example\"\n",
     "2.example", 2},
    {"behind a network of others",
     "e.example TXT \"v=spf1 ip4:198.51.100.0/24 a:1.example -all\"\n",
     "2.example", 2},
    {"no redirect beside all",
     "e.example TXT \"v=spf1 a:1.example redirect=2.example -all\"\n",
     "2.example", 2},
    {"never the eleventh",
     "e.example TXT \"v=spf1 a:1.example a:2.example a:3.example a:4.example "
     "a:5.example a:6.example a:7.example a:8.example a:9.example "
     "a:10.example a:11.example -all\"\n",
     "11.example", 11},
    {"never the eleventh, counted over an include",
     "e.example TXT \"v=spf1 include:i.example a:7.example a:8.example "
     "a:9.example a:10.example a:11.example -all\"\n"
     "i.example TXT \"v=spf1 a:1.example a:2.example a:3.example a:4.example "
     "a:5.example ?all a:6.example\"\n",
     "11.example", 11},
    {"nothing behind an include whose terms are not known yet",
     "e.example TXT \"v=spf1 include:%{p}.example a:2.example -all\"\n",
     "2.example", 2},
    {"an include without a match ahead is no match",
     "e.example TXT \"v=spf1 include:i.example a:2.example\"\n"
     "i.example TXT \"v=spf1 ~ip4:192.0.2.9 a:1.example\"\n",
     "1.example", 3},
    {"an include that passes ends it",
     "e.example TXT \"v=spf1 a:1.example include:i.example a:2.example\"\n"
     "i.example TXT \"v=spf1 ip4:192.0.2.9\"\n",
     "2.example", 3},
};

static void test_early(void **state)
{
    const struct early *row = *state;
    struct world x;

    begin(&x, "192.0.2.9");
    /* Answer policies alone, so that only the early walk goes on. */
    for (size_t i = 0; i < x.count; i++) {
        if (x.questions[i].type == ONWARD_DNS_TXT)
            answer(&x, i, row->zone);
        run(&x);
    }
    assert_int_equal(x.count, row->count);
    assert_false(was_asked(&x, row->not_asked));
    end(&x);
}

/* What was asked ahead and is not needed is cancelled; the host may free the
 * check there. */
static void test_what_is_not_needed_is_cancelled(void **state)
{
    const char *zone = "e.example TXT \"v=spf1 a:1.example a:2.example "
                       "a:3.example -all\"\n1.example A 192.0.2.9\n";
    struct world x;

    (void)state;
    for (int frees = 0; frees < 2; frees++) {
        begin(&x, "192.0.2.9");
        answer(&x, 0, zone);
        run(&x);
        x.frees_in_cancel = frees == 1;
        answer(&x, 1, zone);
        run(&x);
        assert_int_equal(x.cancelled, 2);
        assert_int_equal(x.done, frees == 0 ? 1 : 0);
        assert_int_equal(answer(&x, 2, zone), ONWARD_ESTALE);
        end(&x);
    }
}

int main(void)
{
    enum {
        ROWS = sizeof(rows) / sizeof(rows[0]),
        EARLIES = sizeof(earlies) / sizeof(earlies[0]),
        PLAIN = 2
    };
    struct CMUnitTest tests[PLAIN + 2 * ROWS + EARLIES] = {
        cmocka_unit_test(test_what_is_not_needed_is_cancelled),
        cmocka_unit_test(test_what_can_be_known_is_asked_together),
    };

    for (size_t i = 0; i < ROWS; i++) {
        tests[PLAIN + 2 * i] = (struct CMUnitTest){
            .name = rows[i].name,
            .test_func = test_any_order_gives_the_same_verdict,
            .initial_state = (void *)(uintptr_t)&rows[i],
        };
        tests[PLAIN + 1 + 2 * i] = (struct CMUnitTest){
            .name = rows[i].name,
            .test_func = test_one_missing_is_temperror_or_the_same,
            .initial_state = (void *)(uintptr_t)&rows[i],
        };
    }
    for (size_t i = 0; i < EARLIES; i++)
        tests[PLAIN + 2 * ROWS + i] = (struct CMUnitTest){
            .name = earlies[i].name,
            .test_func = test_early,
            .initial_state = (void *)(uintptr_t)&earlies[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
