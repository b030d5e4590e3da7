/* Where to deliver: servers, their order, and what failures mean. */
#include <onward/egress.h>

#include "support/support.h"

static const char zone[] = "two.example MX 20 mx2.two.example\n"
                           "two.example MX 10 mx1.two.example\n"
                           "mx1.two.example A 192.0.2.1\n"
                           "mx1.two.example AAAA 2001:db8::1\n"
                           "mx2.two.example A 192.0.2.2\n"
                           "mx2.two.example A 192.0.2.3\n"
                           "null.example MX 0 .\n"
                           "null.example A 192.0.2.1\n"
                           "halfnull.example MX 0 .\n"
                           "halfnull.example MX 5 mx1.two.example\n"
                           "implicit.example A 192.0.2.4\n"
                           "implicit.example AAAA 2001:db8::4\n"
                           "bare.example TXT \"no server\"\n"
                           "alias.example CNAME two.example\n"
                           "ialias.example CNAME implicit.example\n"
                           "mxalias.example MX 10 www.mxalias.example\n"
                           "www.mxalias.example CNAME mx1.two.example\n"
                           "fail.example MX !SERVFAIL\n"
                           "fail.example A 192.0.2.1\n"
                           "slow.example ANY !TIMEOUT\n"
                           "bogus.example MX !BOGUS\n"
                           "gone.example MX 10 nowhere.gone.example\n"
                           "tempaddr.example MX 10 mx.tempaddr.example\n"
                           "tempaddr.example MX 20 nowhere.tempaddr.example\n"
                           "mx.tempaddr.example ANY !SERVFAIL\n"
                           "half.example MX 10 mx.half.example\n"
                           "mx.half.example A 192.0.2.5\n"
                           "mx.half.example AAAA !SERVFAIL\n"
                           "part.example MX 10 mx.tempaddr.example\n"
                           "part.example MX 20 mx2.two.example\n"
                           "inside.example MX 10 mx.inside.example\n"
                           "mx.inside.example A 127.0.0.1\n"
                           "mx.inside.example AAAA ::1\n"
                           "mixed.example MX 10 mx.inside.example\n"
                           "mixed.example MX 20 mx2.two.example\n"
                           "odd.example MX 10 a\\032b.odd.example\n"
                           "three.example MX 10 mx1.two.example\n"
                           "three.example MX 20 our.example\n"
                           "three.example MX 20 mx2.two.example\n"
                           "three.example MX 30 mx.half.example\n"
                           "our.example A 192.0.2.99\n"
                           "best.example MX 5 OUR.example\n"
                           "best.example MX 10 mx1.two.example\n"
                           "byaddr.example MX 10 mx1.two.example\n"
                           "byaddr.example MX 20 nat.example\n"
                           "byaddr.example MX 30 mx2.two.example\n"
                           "nat.example A 192.0.2.99\n"
                           "same.example MX 10 mx2.two.example\n"
                           "same.example MX 20 twin.example\n"
                           "twin.example A 192.0.2.2\n"
                           "many.example MX 10 many.example\n"
                           "many.example A 192.0.2.11\n"
                           "many.example A 192.0.2.12\n"
                           "many.example A 192.0.2.13\n"
                           "many.example A 192.0.2.14\n"
                           "many.example A 192.0.2.15\n"
                           "xn--bcher-kva.example MX 10 mx2.two.example\n"
                           "relay.example A 10.0.0.1\n"
                           "sec.example MX 10 mx.sec.example\n"
                           "sec.example MX !SECURE\n"
                           "mx.sec.example A 192.0.2.6\n"
                           "mx.sec.example A !SECURE\n"
                           "mx.sec.example AAAA 2001:db8::6\n";

struct fixture {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_egress *plan;
    struct onward_egress_opts opts;
    struct onward_egress_host host;
    size_t done_count;
    bool free_in_done, free_in_filter;
    char text[4000];
};

static void note_done(void *user, struct onward_egress *plan)
{
    struct fixture *f = user;

    f->done_count++;
    if (f->free_in_done) {
        onward_egress_free(plan);
        f->plan = NULL;
    }
}

/* Addresses for documentation are public here. */
static int allow(void *user, const struct onward_ip *ip)
{
    struct fixture *f = user;

    if (f->free_in_filter) {
        onward_egress_free(f->plan);
        f->plan = NULL;
    }
    return (ip->family == 4 && ip->octets[0] == 192) ||
           (ip->family == 6 && ip->octets[0] == 0x20);
}

static int own_rule(void *user, const char *host, size_t len)
{
    (void)user;
    if (len == 15 && memcmp(host, "mx1.two.example", 15) == 0)
        return ONWARD_TLS_VERIFIED;
    if (len == 15 && memcmp(host, "mx2.two.example", 15) == 0)
        return -1;
    return 0;
}

static void setup(struct fixture *f)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .allow_only_loaded = 1};

    memset(f, 0, sizeof(*f));
    t_world_init(&f->w);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
    assert_int_equal(onward_resolver_new(f->desk, &opts, NULL, &f->resolver),
                     0);
    assert_int_equal(
        onward_resolver_load(f->resolver, onward_str_of(zone), NULL), 0);
    f->opts.size = sizeof(f->opts);
    f->host = (struct onward_egress_host){.size = sizeof(f->host),
                                          .user = f,
                                          .done = note_done,
                                          .allow_address = allow};
}

static void teardown(struct fixture *f)
{
    onward_egress_free(f->plan);
    onward_resolver_free(f->resolver);
    onward_desk_free(f->desk);
    t_world_clear(&f->w);
}

static void run(struct fixture *f)
{
    while (onward_desk_run(f->desk, 1000) == 1)
        continue;
}

static void start(struct fixture *f, const char *domain)
{
    f->opts.domain = onward_str_of(domain);
    assert_int_equal(
        onward_egress_new(f->resolver, &f->opts, &f->host, &f->plan), 0);
    assert_int_equal(f->done_count, 0);
    run(f);
}

static void put(struct fixture *f, const char *text, size_t len)
{
    size_t at = strlen(f->text);

    assert_true(at + len < sizeof(f->text));
    memcpy(f->text + at, text, len);
    f->text[at + len] = '\0';
}

/* "mx.example 192.0.2.1; ", then "451 4.4.1" when all are passed over. */
static const char *all(struct fixture *f)
{
    struct onward_egress_attempt attempt = {.size = sizeof(attempt)};
    struct onward_egress_verdict result = {.size = sizeof(result)};
    struct onward_egress_outcome outcome = {.size = sizeof(outcome),
                                            .fate = ONWARD_EGRESS_PENDING};
    char text[100];
    int r;

    f->text[0] = '\0';
    while ((r = onward_egress_next(f->plan, &attempt)) == 1) {
        put(f, attempt.host.data, attempt.host.len);
        put(f, " ", 1);
        assert_true(onward_ip_format(attempt.ip, text, sizeof(text)) > 0);
        put(f, text, strlen(text));
        put(f, "; ", 2);
        assert_int_equal(onward_egress_result(f->plan, &result), 0);
        assert_int_equal(result.fate, ONWARD_EGRESS_PENDING);
        assert_int_equal(result.code, 0);
        assert_true(onward_egress_report(f->plan, &outcome) >= 0);
    }
    assert_int_equal(r, 0);
    assert_int_equal(onward_egress_result(f->plan, &result), 0);
    snprintf(text, sizeof(text), "%zu %.*s", result.code,
             (int)result.enhanced.len, result.enhanced.data);
    put(f, text, strlen(text));
    assert_int_equal(result.fate, result.code < 500 ? ONWARD_EGRESS_TEMPORARY
                                                    : ONWARD_EGRESS_PERMANENT);
    assert_true(result.text.len > 0);
    return f->text;
}

static const struct row {
    const char *title;
    const char *domain;
    const char *want;
} rows[] = {
    {"by preference, IPv6 first", "two.example",
     "mx1.two.example 2001:db8::1; mx1.two.example 192.0.2.1; "
     "mx2.two.example 192.0.2.2; mx2.two.example 192.0.2.3; 451 4.4.1"},
    {"any case, final dot", "TWO.example.",
     "mx1.two.example 2001:db8::1; mx1.two.example 192.0.2.1; "
     "mx2.two.example 192.0.2.2; mx2.two.example 192.0.2.3; 451 4.4.1"},
    {"null MX", "null.example", "556 5.1.10"},
    {"a dot among others is no null MX", "halfnull.example",
     "mx1.two.example 2001:db8::1; mx1.two.example 192.0.2.1; 451 4.4.1"},
    {"implicit MX", "implicit.example",
     "implicit.example 2001:db8::4; implicit.example 192.0.2.4; 451 4.4.1"},
    {"no server, no address", "bare.example", "550 5.1.2"},
    {"no such domain", "none.example", "550 5.1.2"},
    {"not a domain", "a..example", "550 5.1.2"},
    {"comment in the domain", "(x)two.example", "550 5.1.2"},
    {"alias of a domain", "alias.example",
     "mx1.two.example 2001:db8::1; mx1.two.example 192.0.2.1; "
     "mx2.two.example 192.0.2.2; mx2.two.example 192.0.2.3; 451 4.4.1"},
    {"alias of an implicit MX", "ialias.example",
     "implicit.example 2001:db8::4; implicit.example 192.0.2.4; 451 4.4.1"},
    {"MX to an alias is tolerated", "mxalias.example",
     "www.mxalias.example 2001:db8::1; www.mxalias.example 192.0.2.1; "
     "451 4.4.1"},
    {"MX look-up fails: never the address", "fail.example", "451 4.4.3"},
    {"MX look-up takes too long", "slow.example", "451 4.4.3"},
    {"MX answer is bogus", "bogus.example", "451 4.4.3"},
    {"MX without address", "gone.example", "550 5.4.4"},
    {"address look-up fails", "tempaddr.example", "451 4.4.3"},
    {"one family fails", "half.example",
     "mx.half.example 192.0.2.5; "
     "451 4.4.1"},
    {"one server cannot be looked up", "part.example",
     "mx2.two.example 192.0.2.2; mx2.two.example 192.0.2.3; 451 4.4.1"},
    {"private addresses only", "inside.example", "550 5.4.4"},
    {"private addresses are left out", "mixed.example",
     "mx2.two.example 192.0.2.2; mx2.two.example 192.0.2.3; 451 4.4.1"},
    {"MX name that no host has", "odd.example", "550 5.4.4"},
    {"an address is tried once", "same.example",
     "mx2.two.example 192.0.2.2; mx2.two.example 192.0.2.3; 451 4.4.1"},
    {"four addresses of one family", "many.example",
     "many.example 192.0.2.11; many.example 192.0.2.12; "
     "many.example 192.0.2.13; many.example 192.0.2.14; 451 4.4.1"},
    {"U-labels", "b\303\274cher.example",
     "mx2.two.example 192.0.2.2; mx2.two.example 192.0.2.3; 451 4.4.1"},
    {"address literal", "[192.0.2.1]", "[192.0.2.1] 192.0.2.1; 451 4.4.1"},
    {"IPv6 literal", "[IPv6:2001:db8::7]",
     "[IPv6:2001:db8::7] 2001:db8::7; 451 4.4.1"},
    {"private literal", "[127.0.0.1]", "550 5.4.4"},
    {"literal that is no address", "[foo:bar]", "550 5.1.2"},
    {"address without brackets", "192.0.2.1", NULL},
    {"ourselves and worse are left out", "three.example",
     "mx1.two.example 2001:db8::1; mx1.two.example 192.0.2.1; 451 4.4.1"},
    {"we are the best", "best.example", "554 5.4.6"},
    {"we are the only one", "our.example", "554 5.4.6"},
    {"ourselves by address", "byaddr.example",
     "mx1.two.example 2001:db8::1; mx1.two.example 192.0.2.1; 451 4.4.1"},
    {"ourselves by literal", "[192.0.2.99]", "554 5.4.6"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    const struct onward_str own[] = {ONWARD_STR("Our.Example"),
                                     ONWARD_STR("[192.0.2.99]")};
    struct fixture f;

    setup(&f);
    f.opts.own_names = own;
    f.opts.own_name_count = 2;
    start(&f, row->domain);
    assert_int_equal(f.done_count, 1);
    if (row->want != NULL)
        assert_string_equal(all(&f), row->want);
    else
        assert_non_null(strstr(all(&f), "550 "));
    teardown(&f);
}

static void test_default_filter(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    f.host.allow_address = NULL;
    start(&f, "two.example"); /* documentation ranges are not public */
    assert_string_equal(all(&f), "550 5.4.4");
    onward_egress_free(f.plan);
    f.done_count = 0;
    start(&f, "[9.9.9.9]");
    assert_string_equal(all(&f), "[9.9.9.9] 9.9.9.9; 451 4.4.1");
    teardown(&f);
}

static void add_targets(struct fixture *f, const char *domain,
                        size_t allow_private)
{
    static const char *const hosts[] = {"relay.example", "[127.0.0.1]",
                                        "mx2.two.example"};

    f->opts.domain = onward_str_of(domain);
    assert_int_equal(
        onward_egress_new(f->resolver, &f->opts, &f->host, &f->plan), 0);
    for (size_t i = 0; i < 3; i++) {
        const struct onward_egress_target_opts target = {
            .size = sizeof(target),
            .host = onward_str_of(hosts[i]),
            .allow_private = allow_private};

        assert_int_equal(onward_egress_add_target(f->plan, &target), 0);
    }
    run(f);
}

static void test_smart_hosts(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    add_targets(&f, "null.example", 0);
    assert_string_equal(all(&f), "mx2.two.example 192.0.2.2; "
                                 "mx2.two.example 192.0.2.3; 451 4.4.1");
    onward_egress_free(f.plan);
    f.done_count = 0;
    f.opts.max_attempts = 3;
    add_targets(&f, "", 1);
    assert_string_equal(all(&f),
                        "relay.example 10.0.0.1; [127.0.0.1] 127.0.0.1; "
                        "mx2.two.example 192.0.2.2; 451 4.4.1");
    teardown(&f);
}

/* Equal preference: each comes first at times, and none gets lost. */
static void test_equals_are_shuffled(void **state)
{
    static const char records[] = "eq.example MX 10 a.eq.example\n"
                                  "eq.example MX 10 b.eq.example\n"
                                  "eq.example MX 10 c.eq.example\n"
                                  "eq.example MX 5 d.eq.example\n"
                                  "a.eq.example A 192.0.2.1\n"
                                  "b.eq.example A 192.0.2.2\n"
                                  "c.eq.example A 192.0.2.3\n"
                                  "d.eq.example A 192.0.2.4\n";
    int second[3] = {0, 0, 0};
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(
        onward_resolver_load(f.resolver, onward_str_of(records), NULL), 0);
    for (int i = 0; i < 60; i++) {
        const char *text;

        f.done_count = 0;
        start(&f, "eq.example");
        text = all(&f);
        assert_int_equal(strncmp(text, "d.eq.example 192.0.2.4; ", 24), 0);
        assert_true(text[24] >= 'a' && text[24] <= 'c');
        second[text[24] - 'a']++;
        for (const char *c = "abc"; *c != '\0'; c++) {
            char name[16];

            snprintf(name, sizeof(name), " %c.eq", *c);
            assert_non_null(strstr(text, name));
        }
        onward_egress_free(f.plan);
        f.plan = NULL;
    }
    assert_true(second[0] > 5 && second[1] > 5 && second[2] > 5);
    /* Without randomness there is no order that could be made up (A125). */
    f.w.random_fails = true;
    f.done_count = 0;
    start(&f, "eq.example");
    assert_string_equal(all(&f), "451 4.3.0");
    teardown(&f);
}

static void test_host_limit(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    f.opts.max_hosts = 1;
    start(&f, "two.example");
    assert_string_equal(all(&f), "mx1.two.example 2001:db8::1; "
                                 "mx1.two.example 192.0.2.1; 451 4.4.1");
    teardown(&f);
}

static void test_attempt_facts(void **state)
{
    struct onward_egress_attempt attempt = {.size = sizeof(attempt)};
    struct onward_egress_outcome outcome = {.size = sizeof(outcome)};
    struct fixture f;

    (void)state;
    setup(&f);
    start(&f, "sec.example");
    assert_int_equal(onward_egress_next(f.plan, &attempt), 1);
    assert_int_equal(attempt.ip->family, 6);
    assert_int_equal(attempt.is_secure, 0); /* its AAAA answer is not */
    assert_int_equal(onward_egress_report(f.plan, &outcome), 1);
    assert_int_equal(onward_egress_next(f.plan, &attempt), 1);
    assert_int_equal(attempt.is_secure, 1);
    assert_int_equal(attempt.port, 25);
    assert_int_equal(attempt.preference, 10);
    assert_int_equal(attempt.tls->level, ONWARD_TLS_OPPORTUNISTIC);
    assert_int_equal(attempt.tls->name_count, 1);
    t_assert_str(attempt.tls->names[0], "mx.sec.example");
    onward_egress_free(f.plan);
    f.opts.port = 2525;
    f.opts.tls_level = ONWARD_TLS_VERIFIED;
    f.done_count = 0;
    start(&f, "[IPv6:2001:db8:0::7]");
    assert_int_equal(onward_egress_next(f.plan, &attempt), 1);
    assert_int_equal(attempt.port, 2525);
    assert_int_equal(attempt.tls->level, ONWARD_TLS_VERIFIED);
    t_assert_str(attempt.tls->names[0], "2001:db8::7");
    teardown(&f);
}

static void test_own_tls_rule(void **state)
{
    struct onward_egress_attempt attempt = {.size = sizeof(attempt)};
    struct onward_egress_outcome outcome = {
        .size = sizeof(outcome), .tls_failure = ONWARD_TLS_UNTRUSTED};
    struct onward_egress_verdict result = {.size = sizeof(result)};
    struct fixture f;

    (void)state;
    setup(&f);
    f.host.tls_level = own_rule;
    start(&f, "two.example");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(onward_egress_next(f.plan, &attempt), 1);
        t_assert_str(attempt.host, "mx1.two.example");
        assert_int_equal(attempt.tls->level, ONWARD_TLS_VERIFIED);
        /* demanded TLS failed: never the same again in the clear */
        assert_int_equal(onward_egress_report(f.plan, &outcome), i == 0);
    }
    onward_egress_free(f.plan);
    f.done_count = 0;
    start(&f, "same.example"); /* both names have the same address */
    assert_int_equal(onward_egress_next(f.plan, &attempt), 1);
    t_assert_str(attempt.host, "twin.example");
    onward_egress_free(f.plan);
    f.done_count = 0;
    start(&f, "xn--bcher-kva.example"); /* mx2 alone: put off, not bounced */
    assert_int_equal(onward_egress_next(f.plan, &attempt), 0);
    assert_int_equal(onward_egress_result(f.plan, &result), 0);
    assert_int_equal(result.fate, ONWARD_EGRESS_TEMPORARY);
    t_assert_str(result.enhanced, "4.7.0");
    teardown(&f);
}

static void test_opportunistic_tls_fails(void **state)
{
    struct onward_egress_attempt attempt = {.size = sizeof(attempt)};
    struct onward_egress_outcome outcome = {
        .size = sizeof(outcome), .tls_failure = ONWARD_TLS_HANDSHAKE};
    struct fixture f;

    (void)state;
    setup(&f);
    start(&f, "half.example");
    assert_int_equal(onward_egress_next(f.plan, &attempt), 1);
    assert_int_equal(attempt.tls->level, ONWARD_TLS_OPPORTUNISTIC);
    assert_int_equal(onward_egress_report(f.plan, &outcome), 1);
    assert_int_equal(onward_egress_next(f.plan, &attempt), 1);
    assert_int_equal(attempt.ip->octets[3], 5);
    assert_int_equal(attempt.tls->level, ONWARD_TLS_NONE);
    assert_int_equal(onward_egress_report(f.plan, &outcome), 0);
    teardown(&f);
}

/* ---- Outcomes ---------------------------------------------------------- */

struct said {
    size_t fate, code;
    const char *enhanced, *text;
};

static const struct outcome_row {
    const char *title;
    struct said said[2]; /* at the two addresses of mx2.two.example */
    int attempts;        /* that were made */
    size_t fate, code;
    const char *enhanced, *text;
} outcome_rows[] = {
    {"delivered",
     {{ONWARD_EGRESS_DELIVERED, 250, "2.6.0", "queued"}},
     1,
     ONWARD_EGRESS_DELIVERED,
     250,
     "2.6.0",
     "queued"},
    {"delivered at the second",
     {{ONWARD_EGRESS_TEMPORARY, 421, "4.3.2", "closing"},
      {ONWARD_EGRESS_DELIVERED, 250, "", "ok"}},
     2,
     ONWARD_EGRESS_DELIVERED,
     250,
     "2.0.0",
     "ok"},
    {"a 5xx is final",
     {{ONWARD_EGRESS_PERMANENT, 550, "5.1.1", "no such user"}},
     1,
     ONWARD_EGRESS_PERMANENT,
     550,
     "5.1.1",
     "no such user"},
    {"permanent without a reply",
     {{ONWARD_EGRESS_PERMANENT, 0, "5.3.4", "too large"}},
     1,
     ONWARD_EGRESS_PERMANENT,
     554,
     "5.3.4",
     "too large"},
    {"4xx at both",
     {{ONWARD_EGRESS_TEMPORARY, 450, "4.2.1", "first"},
      {ONWARD_EGRESS_TEMPORARY, 451, "", "second"}},
     2,
     ONWARD_EGRESS_TEMPORARY,
     451,
     "4.0.0",
     "second"},
    {"a reply beats silence",
     {{ONWARD_EGRESS_TEMPORARY, 450, "4.2.1", "greylisted"},
      {ONWARD_EGRESS_PENDING, 0, "", ""}},
     2,
     ONWARD_EGRESS_TEMPORARY,
     450,
     "4.2.1",
     "greylisted"},
    {"nobody there",
     {{ONWARD_EGRESS_PENDING, 0, "", ""}, {ONWARD_EGRESS_PENDING, 0, "", ""}},
     2,
     ONWARD_EGRESS_TEMPORARY,
     451,
     "4.4.1",
     "no mail server answers"},
    {"lost after a good reply",
     {{ONWARD_EGRESS_TEMPORARY, 354, "2.0.0", "lost"},
      {ONWARD_EGRESS_TEMPORARY, 250, "", "lost"}},
     2,
     ONWARD_EGRESS_TEMPORARY,
     451,
     "4.4.1",
     "lost"},
    {"enhanced code of another class, control in the text",
     {{ONWARD_EGRESS_PERMANENT, 550, "4.1.1", "a\r\n250 b"}},
     1,
     ONWARD_EGRESS_PERMANENT,
     550,
     "5.0.0",
     "a??250 b"},
    {"enhanced code that is none",
     {{ONWARD_EGRESS_PERMANENT, 550, "5.1 1", "x"}},
     1,
     ONWARD_EGRESS_PERMANENT,
     550,
     "5.0.0",
     "x"},
};

static void test_outcome(void **state)
{
    const struct outcome_row *row = *state;
    struct onward_egress_attempt attempt = {.size = sizeof(attempt)};
    struct onward_egress_verdict result = {.size = sizeof(result)};
    struct fixture f;
    int i;

    setup(&f);
    start(&f, "xn--bcher-kva.example");
    for (i = 0; onward_egress_next(f.plan, &attempt) == 1; i++) {
        const struct said *said = &row->said[i];
        struct onward_egress_outcome outcome = {
            .size = sizeof(outcome),
            .fate = said->fate,
            .code = said->code,
            .enhanced = onward_str_of(said->enhanced),
            .text = onward_str_of(said->text)};

        assert_int_equal(onward_egress_report(f.plan, &outcome),
                         i + 1 < row->attempts);
        assert_int_equal(onward_egress_report(f.plan, &outcome), ONWARD_ESTATE);
    }
    assert_int_equal(i, row->attempts);
    assert_int_equal(onward_egress_result(f.plan, &result), 0);
    assert_int_equal(result.fate, row->fate);
    assert_int_equal(result.code, row->code);
    t_assert_str(result.enhanced, row->enhanced);
    t_assert_str(result.text, row->text);
    teardown(&f);
}

/* ---- Life -------------------------------------------------------------- */

static void test_bad_calls(void **state)
{
    const struct onward_str bad = ONWARD_STR("not a name");
    struct onward_egress_attempt attempt = {.size = sizeof(attempt)};
    struct onward_egress_attempt small = {.size = 1};
    struct onward_egress_outcome outcome = {.size = sizeof(outcome)};
    struct onward_egress_verdict result = {.size = 1};
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(onward_egress_new(NULL, &f.opts, &f.host, &f.plan),
                     ONWARD_EINVAL);
    assert_int_equal(onward_egress_new(f.resolver, NULL, &f.host, &f.plan),
                     ONWARD_EINVAL);
    assert_int_equal(onward_egress_new(f.resolver, &f.opts, NULL, &f.plan),
                     ONWARD_EINVAL);
    f.opts.domain = ONWARD_STR("two.example");
    f.opts.port = 65536;
    assert_int_equal(onward_egress_new(f.resolver, &f.opts, &f.host, &f.plan),
                     ONWARD_EINVAL);
    f.opts.port = 0;
    f.opts.tls_level = 6;
    assert_int_equal(onward_egress_new(f.resolver, &f.opts, &f.host, &f.plan),
                     ONWARD_EINVAL);
    f.opts.tls_level = 0;
    f.opts.own_names = &bad;
    f.opts.own_name_count = 1;
    assert_int_equal(onward_egress_new(f.resolver, &f.opts, &f.host, &f.plan),
                     ONWARD_ESYNTAX);
    f.opts.own_name_count = 0;
    assert_null(f.plan);

    assert_int_equal(onward_egress_new(f.resolver, &f.opts, &f.host, &f.plan),
                     0);
    assert_int_equal(onward_egress_next(f.plan, &attempt), ONWARD_ESTATE);
    assert_int_equal(onward_egress_report(f.plan, &outcome), ONWARD_ESTATE);
    run(&f);
    assert_int_equal(onward_egress_next(f.plan, &small), ONWARD_EINVAL);
    assert_int_equal(onward_egress_next(NULL, &attempt), ONWARD_EINVAL);
    assert_int_equal(onward_egress_report(f.plan, &outcome), ONWARD_ESTATE);
    assert_int_equal(onward_egress_next(f.plan, &attempt), 1);
    assert_int_equal(onward_egress_next(f.plan, &attempt), ONWARD_ESTATE);
    outcome.fate = 4;
    assert_int_equal(onward_egress_report(f.plan, &outcome), ONWARD_EINVAL);
    assert_int_equal(onward_egress_result(f.plan, &result), ONWARD_EINVAL);
    onward_egress_free(NULL);
    teardown(&f);
}

static void test_free_inside_callbacks(void **state)
{
    struct fixture f;

    (void)state;
    setup(&f);
    f.free_in_done = true;
    start(&f, "two.example");
    assert_int_equal(f.done_count, 1);
    assert_null(f.plan);
    f.free_in_done = false;
    f.free_in_filter = true;
    f.done_count = 0;
    start(&f, "two.example");
    assert_int_equal(f.done_count, 0);
    assert_null(f.plan);
    teardown(&f);
}

static void test_freed_while_asking(void **state)
{
    struct onward_resolver *open = NULL;
    struct onward_dns_question q = {.size = sizeof(q)};
    struct fixture f;

    (void)state;
    setup(&f);
    assert_int_equal(onward_resolver_new(f.desk, NULL, NULL, &open), 0);
    f.opts.domain = ONWARD_STR("two.example");
    assert_int_equal(onward_egress_new(open, &f.opts, &f.host, &f.plan), 0);
    run(&f);
    assert_int_equal(onward_resolver_next(open, &q), 1);
    assert_int_equal(
        onward_dns_answer_text(f.desk, q.token,
                               ONWARD_STR("two.example MX 1 mx.example"), 0),
        0);
    run(&f);
    assert_int_equal(onward_resolver_next(open, &q), 1);
    onward_egress_free(f.plan);
    f.plan = NULL;
    assert_int_equal(
        onward_dns_answer_error(f.desk, q.token, ONWARD_DNS_SERVFAIL),
        ONWARD_ESTALE);
    run(&f);
    assert_int_equal(f.done_count, 0);

    /* The resolver first: nothing can be asked, so it is for later. */
    assert_int_equal(onward_egress_new(open, &f.opts, &f.host, &f.plan), 0);
    onward_resolver_free(open);
    run(&f);
    assert_int_equal(f.done_count, 1);
    assert_string_equal(all(&f), "451 4.3.0");
    teardown(&f);
}

static void test_desk_freed_first(void **state)
{
    struct onward_egress *late = NULL;
    struct fixture f;

    (void)state;
    setup(&f);
    f.opts.domain = ONWARD_STR("two.example");
    assert_int_equal(onward_egress_new(f.resolver, &f.opts, &f.host, &f.plan),
                     0);
    onward_desk_free(f.desk);
    f.desk = NULL;
    assert_int_equal(onward_egress_new(f.resolver, &f.opts, &f.host, &late),
                     ONWARD_ESTATE);
    assert_int_equal(f.done_count, 0);
    teardown(&f);
}

static bool plan_all(struct t_world *w, void *arg)
{
    struct onward_resolver_opts resolver_opts = {.size = sizeof(resolver_opts),
                                                 .allow_only_loaded = 1};
    const struct onward_str own = ONWARD_STR("our.example");
    static struct fixture f;
    bool ok;

    (void)arg;
    memset(&f, 0, sizeof(f));
    f.opts.size = sizeof(f.opts);
    f.opts.domain = ONWARD_STR("b\303\274cher.example");
    f.opts.own_names = &own;
    f.opts.own_name_count = 1;
    f.host = (struct onward_egress_host){.size = sizeof(f.host),
                                         .user = &f,
                                         .done = note_done,
                                         .allow_address = allow};
    ok = onward_desk_new(w->ctx, NULL, &f.desk) == 0 &&
         onward_resolver_new(f.desk, &resolver_opts, NULL, &f.resolver) == 0 &&
         onward_resolver_load(f.resolver, onward_str_of(zone), NULL) == 0 &&
         onward_egress_new(f.resolver, &f.opts, &f.host, &f.plan) == 0;
    if (ok) {
        run(&f);
        assert_int_equal(f.done_count, 1);
        /* Without memory it is for later, or an address is missing: never a
         * refusal. */
        ok = strcmp(all(&f), "mx2.two.example 192.0.2.2; "
                             "mx2.two.example 192.0.2.3; 451 4.4.1") == 0;
        assert_non_null(strstr(f.text, "451 4."));
    }
    onward_egress_free(f.plan);
    onward_resolver_free(f.resolver);
    onward_desk_free(f.desk);
    return ok;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(plan_all, NULL);
}

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

int main(void)
{
    const struct CMUnitTest single[] = {
        cmocka_unit_test(test_default_filter),
        cmocka_unit_test(test_smart_hosts),
        cmocka_unit_test(test_equals_are_shuffled),
        cmocka_unit_test(test_host_limit),
        cmocka_unit_test(test_attempt_facts),
        cmocka_unit_test(test_own_tls_rule),
        cmocka_unit_test(test_opportunistic_tls_fails),
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_free_inside_callbacks),
        cmocka_unit_test(test_freed_while_asking),
        cmocka_unit_test(test_desk_freed_first),
        cmocka_unit_test(test_oom),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(outcome_rows) + COUNT(single)];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].title,
                                         .test_func = test_row,
                                         .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < COUNT(outcome_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = outcome_rows[i].title,
                                .test_func = test_outcome,
                                .initial_state = (void *)&outcome_rows[i]};
    for (size_t i = 0; i < COUNT(single); i++)
        tests[n++] = single[i];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
