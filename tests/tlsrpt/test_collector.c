/* Counting for reports: what lasts, who gets it, what a store can do to it. */
#include <onward/tlsrpt_collector.h>

#include "store/store_shared.h"
#include "support/support.h"

#define S(text) ONWARD_STR(text)

enum { DAY = 86400, TODAY = 1599955200 /* 2020-09-13, t_world's day */ };

/* Sees what goes to the store in memory, and can refuse it. */
struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_memstore *mem;
    struct onward_store *store;
    struct onward_tlsrpt_collector *c;
    int64_t now_ms;

    int answer;      /* to each report; 0: later */
    uint64_t token;  /* of the last one */
    char given[600]; /* "domain begin good bad\n" of each */
    size_t reports, sent;
    int sent_err;
    bool frees;         /* the collector, in report */
    size_t max_entries; /* of the store; 0: many */
};

static void on_report(void *user, uint64_t token,
                      struct onward_tlsrpt_report *report)
{
    struct world *t = user;
    struct onward_tlsrpt_facts facts = {.size = sizeof(facts)};
    uint64_t good = 0, bad = 0;
    size_t len = strlen(t->given);

    assert_int_equal(onward_tlsrpt_report_facts(report, &facts), 0);
    for (size_t i = 0; i < facts.policy_count; i++) {
        struct onward_tlsrpt_policy p = {.size = sizeof(p)};

        assert_int_equal(onward_tlsrpt_report_policy(report, i, &p), 0);
        good += p.successes;
        bad += p.failures;
    }
    snprintf(t->given + len, sizeof(t->given) - len, "%.*s %d %d %d\n",
             (int)facts.policy_domain.len, facts.policy_domain.data,
             (int)((facts.begin_s - TODAY) / DAY), (int)good, (int)bad);
    t->reports++;
    t->token = token;
    if (t->answer != 0)
        assert_int_equal(
            onward_tlsrpt_collector_answer(t->desk, token, t->answer), 0);
    if (t->frees) {
        onward_tlsrpt_collector_free(t->c);
        t->c = NULL;
    }
}

static void on_sent(void *user, int err)
{
    struct world *t = user;

    t->sent++;
    t->sent_err = err;
}

static int make(struct world *t, struct onward_tlsrpt_collector **c)
{
    const struct onward_tlsrpt_collector_opts o = {.size = sizeof(o),
                                                   .store = t->store,
                                                   .organization = S("Us"),
                                                   .contact =
                                                       S("tls@us.example"),
                                                   .max_domains = 3};
    const struct onward_tlsrpt_collector_host host = {
        .size = sizeof(host), .user = t, .report = on_report, .sent = on_sent};

    return onward_tlsrpt_collector_new(&o, &host, c);
}

static int open_parts(struct world *t)
{
    const struct onward_memstore_opts o = {.size = sizeof(o),
                                           .max_entries = t->max_entries};
    int err = onward_desk_new(t->w.ctx, NULL, &t->desk);

    if (err == 0)
        err = onward_memstore_new(t->w.ctx, &o, &t->mem);
    if (err == 0)
        err = onward_memstore_open(t->mem, t->desk, NULL, &t->store);
    return err == 0 ? make(t, &t->c) : err;
}

static void open_world(struct world *t)
{
    memset(t, 0, sizeof(*t));
    t_world_init(&t->w);
    t->answer = ONWARD_TLSRPT_SENT;
    assert_int_equal(open_parts(t), 0);
}

static void close_parts(struct world *t)
{
    onward_tlsrpt_collector_free(t->c);
    onward_store_free(t->store);
    onward_memstore_free(t->mem);
    onward_desk_free(t->desk);
}

static void close_world(struct world *t)
{
    close_parts(t);
    t_world_clear(&t->w);
}

static void turn(struct world *t)
{
    for (int i = 0; i < 200 && onward_desk_run(t->desk, t->now_ms) != 0; i++)
        continue;
}

static int count(struct onward_tlsrpt_collector *c, const char *domain,
                 const char *failure)
{
    const struct onward_tlsrpt_session s = {
        .size = sizeof(s),
        .type = ONWARD_TLSRPT_STS,
        .policy = S("version: STSv1\nmode: enforce\nmx: mx.example\n"),
        .result_type = onward_str_of(failure),
        .receiving_mx = S("mx.example")};

    return onward_tlsrpt_collector_add(c, onward_str_of(domain), &s);
}

static void next_day(struct world *t)
{
    t->w.now_s += DAY;
}

static void send(struct world *t)
{
    t->given[0] = '\0';
    assert_int_equal(onward_tlsrpt_collector_send(t->c, t->w.now_s), 0);
    turn(t);
}

static void a_report_comes_when_its_day_is_over(void **state)
{
    struct world t;

    (void)state;
    open_world(&t);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    assert_int_equal(count(t.c, "a.example", "certificate-expired"), 0);
    assert_int_equal(count(t.c, "b.example", ""), 0);
    send(&t);
    assert_string_equal(t.given, "");
    assert_int_equal(t.sent, 1);
    next_day(&t);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    send(&t);
    assert_int_equal(t.reports, 2);
    assert_non_null(strstr(t.given, "a.example 0 1 1\n"));
    assert_non_null(strstr(t.given, "b.example 0 1 0\n"));
    assert_int_equal(t.sent_err, 0);
    /* Once: what was sent is gone, today's waits. */
    send(&t);
    assert_string_equal(t.given, "");
    next_day(&t);
    send(&t);
    assert_string_equal(t.given, "a.example 1 1 0\n");
    close_world(&t);
}

/* Others choose how many domains we deliver to, and how long their policies
 * are: rows must not take the place of what mail goes by. */
static void rows_give_way_to_what_must_be_kept(void **state)
{
    struct onward_store__query query = {0};
    struct world t;

    (void)state;
    memset(&t, 0, sizeof(t));
    t_world_init(&t.w);
    t.max_entries = 2;
    assert_int_equal(open_parts(&t), 0);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    assert_int_equal(count(t.c, "b.example", ""), 0);
    assert_int_equal(onward_tlsrpt_collector_save(t.c), 0);
    turn(&t);
    assert_int_equal(onward_memstore_count(t.mem), 2);
    assert_int_equal(onward_store__put(t.store, &query, S("ledger"), S("x"), 0,
                                       0, ONWARD_STORE_KEEP, NULL),
                     0);
    assert_int_equal(query.status, 0);
    onward_store__query_clear(&query);
    close_world(&t);
}

static void what_is_not_sent_comes_again(void **state)
{
    struct world t;

    (void)state;
    open_world(&t);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    next_day(&t);
    t.answer = ONWARD_TLSRPT_NOT_NOW;
    send(&t);
    send(&t);
    assert_int_equal(t.reports, 2);
    t.answer = ONWARD_TLSRPT_SENT;
    send(&t);
    assert_string_equal(t.given, "a.example 0 1 0\n");
    send(&t);
    assert_string_equal(t.given, "");
    close_world(&t);
}

static void counts_outlast_their_collector(void **state)
{
    struct world t;

    (void)state;
    open_world(&t);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    assert_int_equal(onward_tlsrpt_collector_unsaved(t.c), 1);
    assert_int_equal(onward_tlsrpt_collector_save(t.c), 0);
    turn(&t);
    assert_int_equal(onward_tlsrpt_collector_unsaved(t.c), 0);
    onward_tlsrpt_collector_free(t.c);
    assert_int_equal(make(&t, &t.c), 0);
    assert_int_equal(count(t.c, "a.example", "starttls-not-supported"), 0);
    /* Three days nothing ran: the rows of both are one report. */
    t.w.now_s += 3 * DAY;
    send(&t);
    assert_string_equal(t.given, "a.example 0 1 1\n");
    assert_int_equal(onward_memstore_count(t.mem), 1); /* the claim */
    close_world(&t);
}

static void counts_are_saved_in_time(void **state)
{
    struct world t;

    (void)state;
    open_world(&t);
    turn(&t);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    turn(&t);
    t.now_ms += 59999;
    turn(&t);
    assert_int_equal(onward_tlsrpt_collector_unsaved(t.c), 1);
    t.now_ms += 1;
    turn(&t);
    assert_int_equal(onward_tlsrpt_collector_unsaved(t.c), 0);
    close_world(&t);
}

static void one_of_several_gives_a_report(void **state)
{
    struct onward_tlsrpt_collector *other = NULL;
    struct world t;

    (void)state;
    open_world(&t);
    assert_int_equal(make(&t, &other), 0);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    assert_int_equal(count(other, "a.example", ""), 0);
    assert_int_equal(onward_tlsrpt_collector_save(other), 0);
    turn(&t);
    next_day(&t);
    t.answer = 0;
    send(&t);
    assert_string_equal(t.given, "a.example 0 2 0\n");
    /* While it is under way the other has nothing to give. */
    assert_int_equal(onward_tlsrpt_collector_send(other, t.w.now_s), 0);
    turn(&t);
    assert_int_equal(t.reports, 1);
    assert_int_equal(t.sent, 1);
    assert_int_equal(onward_tlsrpt_collector_send(t.c, t.w.now_s),
                     ONWARD_ESTATE);
    assert_int_equal(
        onward_tlsrpt_collector_answer(t.desk, t.token, ONWARD_TLSRPT_SENT), 0);
    assert_int_equal(
        onward_tlsrpt_collector_answer(t.desk, t.token, ONWARD_TLSRPT_SENT),
        ONWARD_ESTALE);
    turn(&t);
    assert_int_equal(t.sent, 2);
    onward_tlsrpt_collector_free(other);
    close_world(&t);
}

static void a_look_changes_nothing(void **state)
{
    struct world t;

    (void)state;
    open_world(&t);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    assert_int_equal(onward_tlsrpt_collector_save(t.c), 0);
    turn(&t);
    next_day(&t);
    for (int answer = 1; answer <= 2; answer++) {
        t.given[0] = '\0';
        t.answer = answer;
        assert_int_equal(onward_tlsrpt_collector_look(t.c, t.w.now_s), 0);
        turn(&t);
        assert_string_equal(t.given, "a.example 0 1 0\n");
        assert_int_equal(onward_memstore_count(t.mem), 1); /* no claim */
    }
    t.answer = ONWARD_TLSRPT_SENT;
    send(&t);
    assert_string_equal(t.given, "a.example 0 1 0\n");
    close_world(&t);
}

static void a_claim_that_led_to_nothing_ends(void **state)
{
    struct world t;

    (void)state;
    open_world(&t);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    next_day(&t);
    t.answer = 0;
    send(&t);
    /* The process dies with the report in its hands. */
    onward_tlsrpt_collector_free(t.c);
    assert_int_equal(make(&t, &t.c), 0);
    t.answer = ONWARD_TLSRPT_SENT;
    send(&t);
    assert_string_equal(t.given, "");
    t.w.now_s += 3600;
    send(&t);
    assert_string_equal(t.given, "a.example 0 1 0\n");
    close_world(&t);
}

static void limits_and_wrong_arguments(void **state)
{
    struct onward_tlsrpt_collector_opts o = {.size = sizeof(o)};
    struct onward_tlsrpt_collector_host host = {.size = sizeof(host)};
    struct onward_tlsrpt_collector *none = NULL;
    struct world t;

    (void)state;
    open_world(&t);
    assert_int_equal(onward_tlsrpt_collector_new(&o, &host, &none),
                     ONWARD_EINVAL);
    o.store = t.store;
    o.organization = S("Us");
    o.contact = S("no address");
    host.report = on_report;
    assert_int_equal(onward_tlsrpt_collector_new(&o, &host, &none),
                     ONWARD_ESYNTAX);
    o.contact = S("tls@us.example");
    t.w.random_fails = true;
    assert_int_equal(onward_tlsrpt_collector_new(&o, &host, &none),
                     ONWARD_ERANDOM);
    t.w.random_fails = false;
    assert_null(none);
    assert_int_equal(count(t.c, "no domain", ""), ONWARD_ESYNTAX);
    assert_int_equal(count(t.c, "../../x", ""), ONWARD_ESYNTAX);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    assert_int_equal(count(t.c, "b.example", ""), 0);
    assert_int_equal(count(t.c, "c.example", ""), 0);
    assert_int_equal(count(t.c, "d.example", ""), ONWARD_ELIMIT);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    /* Another day: what is saved makes room. */
    next_day(&t);
    assert_int_equal(onward_tlsrpt_collector_save(t.c), 0);
    turn(&t);
    assert_int_equal(count(t.c, "d.example", ""), 0);
    assert_int_equal(onward_tlsrpt_collector_answer(t.desk, 1, 3),
                     ONWARD_EINVAL);
    assert_int_equal(onward_tlsrpt_collector_answer(t.desk, 1, 1),
                     ONWARD_ESTALE);
    close_world(&t);
}

static void the_host_may_free_it_in_report(void **state)
{
    struct world t;

    (void)state;
    open_world(&t);
    assert_int_equal(count(t.c, "a.example", ""), 0);
    next_day(&t);
    t.frees = true;
    send(&t);
    assert_int_equal(t.reports, 1);
    assert_int_equal(t.sent, 0);
    close_world(&t);
}

/* A store that fails at the n-th question and all after it. */
struct failing {
    struct world t;
    struct onward_store *door;
    size_t asked, fail_from;
};

static int refuse(struct failing *f)
{
    return ++f->asked >= f->fail_from ? -1 : 0;
}

static int no_get(void *user, uint64_t token, const char *key, size_t key_len)
{
    (void)user;
    (void)token;
    (void)key;
    (void)key_len;
    return -1;
}

static int slow_put(void *user, uint64_t token, const char *key, size_t key_len,
                    const void *value, size_t value_len, int64_t expires_s,
                    uint64_t version, uint32_t flags)
{
    struct failing *f = user;

    (void)key;
    (void)key_len;
    (void)value;
    (void)value_len;
    (void)expires_s;
    (void)version;
    (void)flags;
    return refuse(f) == 0
               ? onward_store_answer_done(f->t.desk, token, 1, f->asked)
               : -1;
}

static int slow_remove(void *user, uint64_t token, const char *key,
                       size_t key_len, uint64_t version)
{
    struct failing *f = user;

    (void)key;
    (void)key_len;
    (void)version;
    return refuse(f) == 0 ? onward_store_answer_done(f->t.desk, token, 1, 0)
                          : -1;
}

/* Always one row, cut off. */
static int slow_walk(void *user, uint64_t token, const char *prefix,
                     size_t prefix_len, const char *cursor, size_t cursor_len,
                     size_t max_items)
{
    static const char key[] = "onward/tlsrpt/1/rows/1599868800/x.example/0";
    struct failing *f = user;

    (void)prefix;
    (void)prefix_len;
    (void)cursor;
    (void)cursor_len;
    (void)max_items;
    if (refuse(f) != 0)
        return -1;
    onward_store_answer_item(f->t.desk, token, key, sizeof(key) - 1,
                             "TRPT\1\0\0\0\1", 9, 1);
    return onward_store_answer_page(f->t.desk, token, "", 0);
}

static void a_store_that_fails_is_told_of(void **state)
{
    struct failing f = {.fail_from = SIZE_MAX};
    const struct onward_store_ops ops = {.size = sizeof(ops),
                                         .user = &f,
                                         .get = no_get,
                                         .put = slow_put,
                                         .remove = slow_remove,
                                         .walk = slow_walk};

    (void)state;
    for (size_t i = 1; i <= 4; i++) {
        open_world(&f.t);
        f.asked = 0;
        f.fail_from = i;
        onward_tlsrpt_collector_free(f.t.c);
        onward_store_free(f.t.store);
        assert_int_equal(onward_store_new(f.t.desk, &ops, NULL, &f.t.store), 0);
        assert_int_equal(make(&f.t, &f.t.c), 0);
        assert_int_equal(count(f.t.c, "a.example", ""), 0);
        send(&f.t);
        assert_int_equal(f.t.sent, 1);
        assert_int_equal(f.t.reports, 0);
        /* The fourth question is none that is asked. */
        assert_int_equal(f.t.sent_err, i < 4 ? ONWARD_ECALLBACK : 0);
        if (i == 4)
            assert_string_equal(f.t.w.last_log,
                                "tlsrpt not-readable ONWARD_ESYNTAX");
        assert_int_equal(onward_tlsrpt_collector_unsaved(f.t.c), i == 1);
        close_world(&f.t);
    }
}

static bool all_of_it(struct t_world *w, void *arg)
{
    struct world *t = arg;
    bool is_well;

    memset(t, 0, sizeof(*t));
    t->w = *w;
    t->answer = ONWARD_TLSRPT_SENT;
    is_well = open_parts(t) == 0 && count(t->c, "a.example", "") == 0 &&
              count(t->c, "a.example", "certificate-expired") == 0;
    if (is_well) {
        /* t->w is a copy: its clock does not move. */
        w->now_s += DAY;
        is_well = onward_tlsrpt_collector_send(t->c, w->now_s) == 0;
        turn(t);
        is_well = is_well && t->reports == 1 && t->sent_err == 0;
        w->now_s -= DAY;
    }
    close_parts(t);
    return is_well;
}

static void every_allocation_may_fail(void **state)
{
    struct world t;

    (void)state;
    t_oom_sweep(all_of_it, &t);
}

static void sending_is_spread_over_four_hours(void **state)
{
    (void)state;
    assert_true(onward_tlsrpt_send_time(TODAY + 5, 0) == TODAY + DAY + 1);
    assert_true(onward_tlsrpt_send_time(TODAY, 14399) == TODAY + DAY + 14400);
    assert_true(onward_tlsrpt_send_time(TODAY + DAY - 1, 14400) ==
                TODAY + DAY + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_comes_when_its_day_is_over),
        cmocka_unit_test(rows_give_way_to_what_must_be_kept),
        cmocka_unit_test(what_is_not_sent_comes_again),
        cmocka_unit_test(counts_outlast_their_collector),
        cmocka_unit_test(counts_are_saved_in_time),
        cmocka_unit_test(one_of_several_gives_a_report),
        cmocka_unit_test(a_claim_that_led_to_nothing_ends),
        cmocka_unit_test(a_look_changes_nothing),
        cmocka_unit_test(limits_and_wrong_arguments),
        cmocka_unit_test(the_host_may_free_it_in_report),
        cmocka_unit_test(a_store_that_fails_is_told_of),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(sending_is_spread_over_four_hours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
