/*
 * Next hops of the host's choosing, answers in any order, and what a plan tells
 * of itself.
 */
#include "world.h"

#define ZONE                                                                   \
    "relay.example A 192.0.2.1\n"                                              \
    "relay.example AAAA 2001:db8::1\n"                                         \
    "store.example A 192.0.2.2\n"                                              \
    "inside.example A 10.0.0.1\n"                                              \
    "far.example MX 10 mx1.far.example\n"                                      \
    "far.example MX 20 mx2.far.example\n"                                      \
    "mx1.far.example A 192.0.2.3\n"                                            \
    "mx2.far.example A 192.0.2.1\n"                                            \
    "null.example MX 0 .\n"                                                    \
    "slow.example MX !SERVFAIL\n"

static const struct row {
    const char *title;
    const char *zone; /* NULL: ZONE */
    const char *policy;
    struct {
        const char *host;
        size_t port, protocol, level, by_mx, allow_private;
    } targets[3];
    const char *want; /* server, port, protocol; then the end */
} rows[] = {
    {.title = "one after the other, each with port and protocol",
     .targets = {{.host = "relay.example", .port = 587},
                 {.host = "store.example", .protocol = ONWARD_EGRESS_LMTP},
                 {.host = "[192.0.2.9]", .port = 2525}},
     .want = "relay.example 2001:db8::1 587; relay.example 192.0.2.1 587; "
             "store.example 192.0.2.2 24 lmtp; [192.0.2.9] 192.0.2.9 2525; "
             "451 4.4.1"},
    {.title = "the servers of another domain",
     .targets = {{.host = "far.example", .by_mx = 1},
                 {.host = "relay.example"}},
     .want = "mx1.far.example 192.0.2.3 25; mx2.far.example 192.0.2.1 25; "
             "relay.example 2001:db8::1 25; 451 4.4.1"},
    {.title = "the same address, another port",
     .targets = {{.host = "far.example", .by_mx = 1},
                 {.host = "relay.example", .port = 26}},
     .want = "mx1.far.example 192.0.2.3 25; mx2.far.example 192.0.2.1 25; "
             "relay.example 2001:db8::1 26; relay.example 192.0.2.1 26; "
             "451 4.4.1"},
    {.title = "the same address, another name to prove",
     .targets = {{.host = "relay.example", .level = ONWARD_TLS_VERIFIED},
                 {.host = "far.example",
                  .by_mx = 1,
                  .level = ONWARD_TLS_VERIFIED}},
     .want = "relay.example 2001:db8::1 25 verified; "
             "relay.example 192.0.2.1 25 verified; "
             "mx1.far.example 192.0.2.3 25 verified; "
             "mx2.far.example 192.0.2.1 25 verified; 451 4.4.1"},
    {.title = "A036 a private address, not allowed",
     .targets = {{.host = "inside.example"}},
     .want = "550 5.4.4"},
    {.title = "a private address, allowed",
     .targets = {{.host = "inside.example", .allow_private = 1},
                 {.host = "[127.0.0.1]", .allow_private = 1}},
     .want = "inside.example 10.0.0.1 25; [127.0.0.1] 127.0.0.1 25; "
             "451 4.4.1"},
    {.title = "one takes no mail, the next does",
     .targets = {{.host = "null.example", .by_mx = 1},
                 {.host = "store.example"}},
     .want = "store.example 192.0.2.2 25; 451 4.4.1"},
    {.title = "one takes no mail, the other cannot be looked up",
     .targets = {{.host = "null.example", .by_mx = 1},
                 {.host = "slow.example", .by_mx = 1}},
     .want = "451 4.4.3"},
    {.title = "ourselves among others",
     .targets = {{.host = "our.example"}, {.host = "store.example"}},
     .want = "store.example 192.0.2.2 25; 451 4.4.1"},
    {.title = "ourselves alone",
     .targets = {{.host = "[192.0.2.99]"}},
     .want = "554 5.4.6"},
    {.title = "the policy of the target's own name",
     .zone = ZONE "_mta-sts.relay.example TXT \"v=STSv1; id=1;\"\n"
                  "mta-sts.relay.example A 192.0.2.80\n"
                  "_mta-sts.a.example TXT \"v=STSv1; id=1;\"\n"
                  "mta-sts.a.example A 192.0.2.80\n",
     .policy = "version: STSv1\nmode: enforce\nmx: relay.example\n"
               "max_age: 86400\n",
     .targets = {{.host = "relay.example"}, {.host = "store.example"}},
     .want = "relay.example 2001:db8::1 25 verified; "
             "relay.example 192.0.2.1 25 verified; "
             "store.example 192.0.2.2 25; 451 4.4.1"},
};

static const char *all(struct t_egress *x)
{
    const struct onward_egress_outcome none = {.size = sizeof(none)};
    struct onward_egress_attempt a = {.size = sizeof(a)};
    struct onward_egress_verdict v = {.size = sizeof(v)};
    size_t len = 0;

    x->text[0] = '\0';
    while (onward_egress_next(x->plan, &a) == 1) {
        char ip[ONWARD_IP_TEXT_MAX];

        assert_true(onward_ip_format(a.ip, ip, sizeof(ip)) > 0);
        len += (size_t)snprintf(
            x->text + len, sizeof(x->text) - len, "%.*s %s %zu%s%s; ",
            (int)a.host.len, a.host.data, ip, a.port,
            a.protocol == ONWARD_EGRESS_LMTP ? " lmtp" : "",
            a.tls->level == ONWARD_TLS_VERIFIED ? " verified" : "");
        assert_true(onward_egress_report(x->plan, &none) >= 0);
    }
    assert_int_equal(onward_egress_result(x->plan, &v), 0);
    snprintf(x->text + len, sizeof(x->text) - len, "%zu %.*s", v.code,
             (int)v.enhanced.len, v.enhanced.data);
    return x->text;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    const struct onward_str own[] = {ONWARD_STR("our.example"),
                                     ONWARD_STR("[192.0.2.99]")};
    static struct t_egress x;

    t_egress_init(&x, row->zone == NULL ? ZONE : row->zone);
    x.policy = row->policy;
    x.opts.own_names = own;
    x.opts.own_name_count = 2;
    t_egress_new(&x, "a.example");
    for (size_t i = 0; i < 3 && row->targets[i].host != NULL; i++) {
        const struct onward_egress_target_opts o = {
            .size = sizeof(o),
            .host = onward_str_of(row->targets[i].host),
            .port = row->targets[i].port,
            .protocol = row->targets[i].protocol,
            .tls_level = row->targets[i].level,
            .by_mx = row->targets[i].by_mx,
            .allow_private = row->targets[i].allow_private};

        assert_int_equal(onward_egress_add_target(x.plan, &o), 0);
    }
    t_egress_run(&x);
    assert_int_equal(x.done_count, 1);
    assert_string_equal(all(&x), row->want);
    t_egress_clear(&x);
}

static void test_bad_targets(void **state)
{
    static const struct {
        struct onward_egress_target_opts o;
        const char *host;
        int want;
    } cases[] = {
        {{.port = 65536}, "a.example", ONWARD_EINVAL},
        {{.protocol = 2}, "a.example", ONWARD_EINVAL},
        {{.tls_level = 6}, "a.example", ONWARD_EINVAL},
        {{.protocol = ONWARD_EGRESS_LMTP, .port = 25},
         "a.example",
         ONWARD_EINVAL},
        {{.by_mx = 1, .allow_private = 1}, "a.example", ONWARD_EINVAL},
        {{0}, "", ONWARD_ESYNTAX},
        {{0}, "a b", ONWARD_ESYNTAX},
        {{0}, "a.example", 0},
        {{0}, "b.example", ONWARD_ELIMIT},
    };
    static struct t_egress x;

    (void)state;
    t_egress_init(&x, ZONE);
    x.opts.max_hosts = 1;
    t_egress_new(&x, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct onward_egress_target_opts o = cases[i].o;

        o.size = sizeof(o);
        o.host = onward_str_of(cases[i].host);
        assert_int_equal(onward_egress_add_target(x.plan, &o), cases[i].want);
    }
    t_egress_run(&x);
    {
        const struct onward_egress_target_opts late = {
            .size = sizeof(late), .host = ONWARD_STR("a.example")};

        assert_int_equal(onward_egress_add_target(x.plan, &late),
                         ONWARD_ESTATE);
    }
    t_egress_clear(&x);
    /* Neither a domain nor a target. */
    t_egress_init(&x, ZONE);
    t_egress_start(&x, "");
    assert_string_equal(all(&x), "550 5.1.2");
    t_egress_clear(&x);
    /* Options that contradict each other. */
    t_egress_init(&x, ZONE);
    x.opts.domain = ONWARD_STR("a.example");
    x.opts.protocol = ONWARD_EGRESS_LMTP;
    x.opts.port = 25;
    assert_int_equal(onward_egress_new(x.resolver, &x.opts, &x.host, &x.plan),
                     ONWARD_EINVAL);
    x.opts.protocol = 2;
    x.opts.port = 0;
    assert_int_equal(onward_egress_new(x.resolver, &x.opts, &x.host, &x.plan),
                     ONWARD_EINVAL);
    x.opts.protocol = 0;
    x.opts.tls_level = ONWARD_TLS_DANE;
    x.opts.skip_dane = 1;
    assert_int_equal(onward_egress_new(x.resolver, &x.opts, &x.host, &x.plan),
                     ONWARD_EINVAL);
    t_egress_clear(&x);
}

/* ---- Any order --------------------------------------------------------- */

static const char policy[] = "version: STSv1\nmode: enforce\n"
                             "mx: mx.a.example\nmax_age: 86400\n";

static const struct answer {
    const char *name, *text;
    uint32_t type;
    uint32_t flags;
} answers[] = {
    {"a.example", "a.example MX 10 mx.a.example", ONWARD_DNS_MX, 0},
    {"_mta-sts.a.example", "_mta-sts.a.example TXT \"v=STSv1; id=1;\"",
     ONWARD_DNS_TXT, 0},
    {"mta-sts.a.example", "mta-sts.a.example A 192.0.2.80", ONWARD_DNS_A, 0},
    {"mta-sts.a.example", NULL, ONWARD_DNS_AAAA, 0},
    {"mx.a.example", "mx.a.example A 192.0.2.1", ONWARD_DNS_A,
     ONWARD_DNS_SECURE},
    {"mx.a.example", NULL, ONWARD_DNS_AAAA, ONWARD_DNS_SECURE},
    {"_25._tcp.mx.a.example", "_25._tcp.mx.a.example TLSA 3 1 1 " D32,
     ONWARD_DNS_TLSA, ONWARD_DNS_SECURE},
};

enum { OPEN_MAX = 8 };

struct open_question {
    uint64_t token;
    const struct answer *answer;
};

static size_t collect(struct t_egress *x, struct open_question *open,
                      size_t count)
{
    struct onward_dns_question q = {.size = sizeof(q)};

    while (onward_resolver_next(x->resolver, &q) == 1) {
        size_t i = 0;

        while (answers[i].type != q.type ||
               strlen(answers[i].name) != q.name.len ||
               memcmp(answers[i].name, q.name.data, q.name.len) != 0)
            i++;
        assert_true(i < sizeof(answers) / sizeof(answers[0]));
        assert_true(count < OPEN_MAX);
        open[count++] = (struct open_question){q.token, &answers[i]};
    }
    return count;
}

static void give(struct t_egress *x, const struct open_question *q)
{
    if (q->answer->text == NULL)
        assert_int_equal(
            onward_dns_answer_error(x->desk, q->token, ONWARD_DNS_NODATA), 0);
    else
        assert_int_equal(onward_dns_answer_text(x->desk, q->token,
                                                onward_str_of(q->answer->text),
                                                q->answer->flags),
                         0);
}

/* Whenever there are open questions, order says which is answered next. */
static void run_order(void *arg, const size_t *order, size_t n)
{
    static struct t_egress x;
    struct open_question open[OPEN_MAX];
    size_t count = 0, step = 0;

    (void)arg;
    t_egress_init(&x, NULL);
    x.policy = policy;
    t_egress_new(&x, "a.example");
    t_egress_run(&x);
    while (x.done_count == 0) {
        size_t pick;

        count = collect(&x, open, count);
        assert_true(count > 0);
        pick = order[step++ % n] % count;
        give(&x, &open[pick]);
        open[pick] = open[--count];
        t_egress_run(&x);
    }
    assert_string_equal(t_egress_servers(&x),
                        "mx.a.example dane(dane-and-mtasts)");
    t_egress_clear(&x);
}

static void test_any_order_gives_the_same_plan(void **state)
{
    (void)state;
    t_every_order(6, run_order, NULL);
}

/* MX and policy are asked for at once, and then all of the server at once. */
static void test_what_is_asked_together(void **state)
{
    static struct t_egress x;
    struct open_question open[OPEN_MAX];
    size_t count;

    (void)state;
    t_egress_init(&x, NULL);
    t_egress_new(&x, "a.example");
    t_egress_run(&x);
    count = collect(&x, open, 0);
    assert_int_equal(count, 2); /* MX, TXT */
    for (size_t i = 0; i < 2; i++) {
        if (open[i].answer->type == ONWARD_DNS_MX)
            give(&x, &open[i]);
    }
    t_egress_run(&x);
    assert_int_equal(collect(&x, open, 0), 2); /* A, AAAA, shared with DANE */
    t_egress_clear(&x);
}

/* ---- Explained --------------------------------------------------------- */

static void test_what_a_plan_tells(void **state)
{
    static const char zone[] = "a.example MX 10 mx1.a.example\n"
                               "a.example MX 20 our.example\n"
                               "a.example MX 20 mx2.a.example\n"
                               "a.example MX 30 mx3.a.example\n"
                               "a.example MX 5 a\\032b.example\n"
                               "mx1.a.example A 192.0.2.1\n"
                               "mx1.a.example A 10.0.0.1\n"
                               "mx1.a.example ANY !SECURE\n"
                               "_25._tcp.mx1.a.example TLSA 3 1 1 " D32 "\n"
                               "_25._tcp.mx1.a.example ANY !SECURE\n";
    const struct onward_str own = ONWARD_STR("our.example");
    struct onward_egress_server_facts f = {.size = sizeof(f)};
    struct onward_egress_server_facts small = {.size = 1};
    struct onward_egress_address_facts a = {.size = sizeof(a)};
    struct onward_egress_address_facts small_address = {.size = 1};
    static struct t_egress x;

    (void)state;
    t_egress_init(&x, zone);
    x.opts.own_names = &own;
    x.opts.own_name_count = 1;
    t_egress_new(&x, "a.example");
    assert_int_equal(onward_egress_server_count(x.plan), 0);
    assert_int_equal(onward_egress_address_count(x.plan), 0);
    assert_int_equal(onward_egress_server_at(x.plan, 0, &f), ONWARD_ENOENT);
    t_egress_run(&x);
    assert_int_equal(onward_egress_server_count(x.plan), 5);
    assert_int_equal(onward_egress_server_at(x.plan, 0, &f), 0);
    assert_int_equal(f.use, ONWARD_EGRESS_USE_BAD_NAME);
    assert_int_equal(onward_egress_server_at(x.plan, 1, &f), 0);
    t_assert_str(f.host, "mx1.a.example");
    t_assert_str(f.next_hop, "a.example");
    t_assert_str(f.base_domain, "mx1.a.example");
    assert_int_equal(f.port, 25);
    assert_int_equal(f.preference, 10);
    assert_int_equal(f.is_mx, 1);
    assert_int_equal(f.is_mx_secure, 0);
    assert_int_equal(f.use, ONWARD_EGRESS_USE_YES);
    assert_int_equal(f.level, ONWARD_TLS_DANE);
    assert_int_equal(f.reason, ONWARD_EGRESS_REASON_DANE);
    assert_int_equal(f.own_level, ONWARD_TLS_OPPORTUNISTIC);
    assert_int_equal(f.tlsa_count, 1);
    assert_int_equal(f.dane_result, ONWARD_DANE_RESULT_USABLE);
    assert_int_equal(f.policy_mode, 0);
    assert_int_equal(f.policy_reason, ONWARD_MTASTS_REASON_NO_RECORD);
    /* Two of the same preference, in any order, and one behind them. */
    for (size_t i = 2; i < 5; i++) {
        assert_int_equal(onward_egress_server_at(x.plan, i, &f), 0);
        assert_int_equal(f.use, (f.host.len == 11 &&
                                 memcmp(f.host.data, "our.example", 11) == 0)
                                    ? ONWARD_EGRESS_USE_OURSELVES
                                    : ONWARD_EGRESS_USE_BEHIND_US);
        assert_int_equal(f.level, 0);
    }
    assert_int_equal(onward_egress_server_at(x.plan, 5, &f), ONWARD_ENOENT);
    assert_int_equal(onward_egress_server_at(x.plan, 0, &small), ONWARD_EINVAL);
    assert_int_equal(onward_egress_server_at(x.plan, 0, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_egress_address_count(x.plan), 2);
    assert_int_equal(onward_egress_address_at(x.plan, 0, &a), 0);
    assert_int_equal(a.use, ONWARD_EGRESS_USE_YES);
    assert_int_equal(a.server, 1);
    assert_int_equal(onward_egress_address_at(x.plan, 1, &a), 0);
    assert_int_equal(a.use, ONWARD_EGRESS_USE_REFUSED);
    assert_int_equal(a.ip->octets[0], 10);
    assert_int_equal(onward_egress_address_at(x.plan, 2, &a), ONWARD_ENOENT);
    assert_int_equal(onward_egress_address_at(x.plan, 0, &small_address),
                     ONWARD_EINVAL);
    assert_int_equal(onward_egress_address_at(x.plan, 0, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_egress_server_count(NULL), 0);
    t_egress_clear(&x);
}

/* Each number has words of its own, others have "unknown". */
static void test_words(void **state)
{
    (void)state;
    for (int i = -1; i <= 16; i++) {
        bool is_known = i >= 0 && i <= ONWARD_EGRESS_USE_NAME_UNPROVEN;

        assert_int_equal(strcmp(onward_egress_use_name(i), "unknown") != 0,
                         is_known);
        assert_true(*onward_egress_use_text(i) != '\0');
        for (int j = 0; j < i && is_known; j++)
            assert_string_not_equal(onward_egress_use_name(i),
                                    onward_egress_use_name(j));
    }
    for (int i = -1; i <= 12; i++) {
        bool is_known = i >= 0 && i <= ONWARD_EGRESS_REASON_CLEAR;

        assert_int_equal(strcmp(onward_egress_reason_name(i), "unknown") != 0,
                         is_known);
        assert_true(*onward_egress_reason_text(i) != '\0');
        for (int j = 0; j < i && is_known; j++)
            assert_string_not_equal(onward_egress_reason_name(i),
                                    onward_egress_reason_name(j));
    }
}

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

int main(void)
{
    const struct CMUnitTest single[] = {
        cmocka_unit_test(test_bad_targets),
        cmocka_unit_test(test_any_order_gives_the_same_plan),
        cmocka_unit_test(test_what_is_asked_together),
        cmocka_unit_test(test_what_a_plan_tells),
        cmocka_unit_test(test_words),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(single)];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].title,
                                         .test_func = test_row,
                                         .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < COUNT(single); i++)
        tests[n++] = single[i];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
