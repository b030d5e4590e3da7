/* One evaluation: failures, trust, life, memory, order of answers. */
#include <onward/dmarc.h>

#include "core/core_shared.h"
#include "support/support.h"

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    int done;
    bool frees;
};

static void world_init(struct world *x, const char *zone)
{
    struct onward_resolver_opts o = {.size = sizeof(o), .allow_only_loaded = 1};
    struct onward_desk_opts single = {.size = sizeof(single), .run_steps = 1};

    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    assert_int_equal(onward_desk_new(x->w.ctx, &single, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, &o, NULL, &x->resolver), 0);
    assert_int_equal(
        onward_resolver_load(x->resolver, onward_str_of(zone), NULL), 0);
}

static void world_clear(struct world *x)
{
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static void count_done(void *user, struct onward_dmarc_check *check)
{
    struct world *x = user;

    x->done++;
    if (x->frees)
        onward_dmarc_check_free(check);
}

static struct onward_dmarc_check *start(struct world *x, const char *author)
{
    struct onward_dmarc_host host = {
        .size = sizeof(host), .user = x, .done = count_done};
    struct onward_dmarc_opts o = {.size = sizeof(o),
                                  .author_domain = onward_str_of(author)};
    struct onward_dmarc_check *c = NULL;

    assert_int_equal(onward_dmarc_check_new(x->resolver, &o, &host, &c), 0);
    return c;
}

static void run(struct world *x)
{
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}

static const struct row {
    const char *name, *zone, *author, *spf, *dkim;
    int trusted, result, reason, policy, disposition;
} rows[] = {
    {"reject alone is no reason to reject",
     "_dmarc.e.example TXT \"v=DMARC1; p=reject\"", "e.example", "", "", 0,
     ONWARD_DMARC_FAIL, ONWARD_DMARC_REASON_NOT_ALIGNED,
     ONWARD_DMARC_POLICY_REJECT, ONWARD_DMARC_POLICY_QUARANTINE},
    {"a trusted forwarder asks for nothing",
     "_dmarc.e.example TXT \"v=DMARC1; p=reject\"", "e.example", "", "", 1,
     ONWARD_DMARC_FAIL, ONWARD_DMARC_REASON_TRUSTED_FORWARDER,
     ONWARD_DMARC_POLICY_REJECT, ONWARD_DMARC_POLICY_NONE},
    {"testing lowers by one", "_dmarc.e.example TXT \"v=DMARC1;p=reject;t=y\"",
     "e.example", "", "", 0, ONWARD_DMARC_FAIL, ONWARD_DMARC_REASON_NOT_ALIGNED,
     ONWARD_DMARC_POLICY_QUARANTINE, ONWARD_DMARC_POLICY_QUARANTINE},
    {"a failure to know is not a failure", "_dmarc.e.example TXT !SERVFAIL",
     "e.example", "", "", 0, ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_DNS,
     ONWARD_DMARC_POLICY_UNKNOWN, ONWARD_DMARC_POLICY_NONE},
    {"bogus is not trusted", "_dmarc.e.example TXT !BOGUS", "e.example",
     "e.example", "", 0, ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_DNS,
     ONWARD_DMARC_POLICY_UNKNOWN, ONWARD_DMARC_POLICY_NONE},
    {"a failure above the own record does not hide equality",
     "_dmarc.e.example TXT \"v=DMARC1; p=reject\"\n_dmarc.example TXT !TIMEOUT",
     "e.example", "", "E.example", 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_REASON_ALIGNED, ONWARD_DMARC_POLICY_REJECT,
     ONWARD_DMARC_POLICY_NONE},
    {"but hides relaxed alignment",
     "_dmarc.e.example TXT \"v=DMARC1; p=reject\"\n_dmarc.example TXT !TIMEOUT",
     "e.example", "", "a.e.example", 0, ONWARD_DMARC_TEMPERROR,
     ONWARD_DMARC_REASON_DNS, ONWARD_DMARC_POLICY_REJECT,
     ONWARD_DMARC_POLICY_NONE},
    {"A051 an identifier that could not be checked and would be aligned",
     "_dmarc.e.example TXT \"v=DMARC1; p=reject\"", "e.example", "",
     "?e.example", 0, ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_DNS,
     ONWARD_DMARC_POLICY_REJECT, ONWARD_DMARC_POLICY_NONE},
    {"A051 relaxed", "_dmarc.e.example TXT \"v=DMARC1; p=reject\"", "e.example",
     "?mail.e.example", "", 0, ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_DNS,
     ONWARD_DMARC_POLICY_REJECT, ONWARD_DMARC_POLICY_NONE},
    {"A051 which strict alignment does not take",
     "_dmarc.e.example TXT \"v=DMARC1; p=reject; aspf=s\"", "e.example",
     "?mail.e.example", "", 0, ONWARD_DMARC_FAIL,
     ONWARD_DMARC_REASON_NOT_ALIGNED, ONWARD_DMARC_POLICY_REJECT,
     ONWARD_DMARC_POLICY_QUARANTINE},
    {"A051 of a stranger", "_dmarc.e.example TXT \"v=DMARC1; p=reject\"",
     "e.example", "?f.example", "?g.example", 0, ONWARD_DMARC_FAIL,
     ONWARD_DMARC_REASON_NOT_ALIGNED, ONWARD_DMARC_POLICY_REJECT,
     ONWARD_DMARC_POLICY_QUARANTINE},
    {"A051 beside one that passes",
     "_dmarc.e.example TXT \"v=DMARC1; p=reject\"", "e.example", "?e.example",
     "e.example", 0, ONWARD_DMARC_PASS, ONWARD_DMARC_REASON_ALIGNED,
     ONWARD_DMARC_POLICY_REJECT, ONWARD_DMARC_POLICY_NONE},
    {"U-label author", "_dmarc.xn--bcher-kva.example TXT \"v=DMARC1;p=none\"",
     "B\xc3\xbc"
     "cher.example",
     "xn--bcher-kva.example", "", 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_REASON_ALIGNED, ONWARD_DMARC_POLICY_NONE,
     ONWARD_DMARC_POLICY_NONE},
    {"no domain name", "", "a b.example", "", "", 0, ONWARD_DMARC_PERMERROR,
     ONWARD_DMARC_REASON_BAD_DOMAIN, ONWARD_DMARC_POLICY_UNKNOWN,
     ONWARD_DMARC_POLICY_NONE},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dmarc_check *c;
    struct world x;

    world_init(&x, row->zone);
    c = start(&x, row->author);
    run(&x);
    assert_int_equal(x.done, 0); /* identifiers may still come */
    /* "?" before what could not be checked */
    if (row->spf[0] == '?')
        onward_dmarc_check_add_unknown_spf(c, onward_str_of(row->spf + 1));
    else if (row->spf[0] != '\0')
        onward_dmarc_check_add_spf(c, onward_str_of(row->spf));
    if (row->dkim[0] == '?')
        onward_dmarc_check_add_unknown_dkim(c, onward_str_of(row->dkim + 1));
    else if (row->dkim[0] != '\0')
        onward_dmarc_check_add_dkim(c, onward_str_of(row->dkim));
    assert_int_equal(onward_dmarc_check_finish(c, row->trusted), 0);
    assert_int_equal(onward_dmarc_check_finish(c, row->trusted), ONWARD_ESTATE);
    assert_int_equal(onward_dmarc_check_add_spf(c, ONWARD_STR("late.example")),
                     ONWARD_ESTATE);
    run(&x);
    assert_int_equal(x.done, 1);
    assert_string_equal(onward_dmarc_result_name(onward_dmarc_check_result(c)),
                        onward_dmarc_result_name(row->result));
    assert_string_equal(onward_dmarc_reason_text(onward_dmarc_check_reason(c)),
                        onward_dmarc_reason_text(row->reason));
    assert_int_equal(onward_dmarc_check_policy(c), row->policy);
    assert_int_equal(onward_dmarc_check_disposition(c), row->disposition);
    onward_dmarc_check_free(c);
    world_clear(&x);
}

static const char zone[] =
    "_dmarc.example.com TXT \"v=DMARC1; p=reject; np=none; sp=quarantine\"\n"
    "a.example.com A 192.0.2.1\n";

static void test_free_inside_done(void **state)
{
    struct onward_dmarc_check *c;
    struct world x;

    (void)state;
    world_init(&x, zone);
    x.frees = true;
    c = start(&x, "a.example.com");
    onward_dmarc_check_finish(c, 0);
    run(&x);
    assert_int_equal(x.done, 1);
    world_clear(&x);
}

static void test_free_before_done(void **state)
{
    struct onward_dmarc_check *c;
    struct world x;

    (void)state;
    world_init(&x, zone);
    c = start(&x, "a.example.com");
    onward_dmarc_check_finish(c, 0);
    onward_desk_run(x.desk, 0);
    onward_dmarc_check_free(c);
    run(&x);
    assert_int_equal(x.done, 0);
    world_clear(&x);
}

/* Questions answered by hand, in every order. */
struct asked {
    struct {
        uint64_t token;
        char name[300];
    } questions[16];
    size_t count;
};

static int keep_question(void *user, uint64_t token, const char *name,
                         size_t name_len, uint32_t type)
{
    struct asked *a = user;

    (void)type;
    assert_true(a->count < 16 && name_len < 300);
    a->questions[a->count].token = token;
    memcpy(a->questions[a->count].name, name, name_len);
    a->questions[a->count].name[name_len] = '\0';
    a->count++;
    return 0;
}

static void run_order(void *arg, const size_t *order, size_t n)
{
    static const char record[] =
        "_dmarc.example.com TXT \"v=DMARC1; p=reject\"";
    struct asked asked = {0};
    struct onward_resolver_host host = {
        .size = sizeof(host), .user = &asked, .query = keep_question};
    struct onward_resolver *resolver = NULL;
    struct onward_dmarc_check *c;
    struct world x;

    (void)arg;
    world_init(&x, "");
    onward_resolver_free(x.resolver);
    assert_int_equal(onward_resolver_new(x.desk, NULL, &host, &resolver), 0);
    x.resolver = resolver;
    c = start(&x, "a.example.com");
    onward_dmarc_check_add_dkim(c, ONWARD_STR("b.example.com"));
    onward_dmarc_check_finish(c, 0);
    run(&x);
    assert_int_equal(asked.count, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t token = asked.questions[order[i]].token;

        if (strcmp(asked.questions[order[i]].name, "_dmarc.example.com") == 0)
            assert_int_equal(
                onward_dns_answer_text(x.desk, token, onward_str_of(record), 0),
                0);
        else
            assert_int_equal(
                onward_dns_answer_error(x.desk, token, ONWARD_DNS_NXDOMAIN), 0);
        run(&x);
    }
    /* The identifier's own name is the one question of its walk not shared. */
    assert_int_equal(asked.count, n + 1);
    assert_string_equal(asked.questions[n].name, "_dmarc.b.example.com");
    assert_int_equal(onward_dns_answer_error(x.desk, asked.questions[n].token,
                                             ONWARD_DNS_NXDOMAIN),
                     0);
    run(&x);
    assert_int_equal(x.done, 1);
    assert_int_equal(onward_dmarc_check_result(c), ONWARD_DMARC_PASS);
    onward_dmarc_check_free(c);
    world_clear(&x);
}

static void test_every_order_of_answers(void **state)
{
    (void)state;
    t_every_order(3, run_order, NULL);
}

static bool whole_check(struct t_world *w, void *arg)
{
    struct onward_resolver_opts ro = {.size = sizeof(ro),
                                      .allow_only_loaded = 1};
    struct onward_dmarc_opts o = {.size = sizeof(o),
                                  .author_domain = ONWARD_STR("a.example.com")};
    struct onward_resolver *resolver = NULL;
    struct onward_dmarc_check *c = NULL;
    struct onward_desk *desk = NULL;
    bool ok = false;

    (void)arg;
    if (onward_desk_new(w->ctx, NULL, &desk) == 0 &&
        onward_resolver_new(desk, &ro, NULL, &resolver) == 0 &&
        onward_resolver_load(resolver, onward_str_of(zone), NULL) == 0 &&
        onward_dmarc_check_new(resolver, &o, NULL, &c) == 0 &&
        onward_dmarc_check_add_spf(c, ONWARD_STR("x.example.com")) == 0 &&
        onward_dmarc_check_finish(c, 0) == 0) {
        while (onward_desk_run(desk, 0) == 1)
            continue;
        ok = onward_dmarc_check_result(c) == ONWARD_DMARC_PASS;
        if (!ok)
            assert_int_equal(onward_dmarc_check_result(c),
                             ONWARD_DMARC_TEMPERROR);
    }
    onward_dmarc_check_free(c);
    onward_resolver_free(resolver);
    if (desk != NULL)
        onward_desk_free(desk);
    return ok;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(whole_check, NULL);
}

static void test_reason_names(void **state)
{
    (void)state;
    assert_string_equal(onward_dmarc_reason_name(ONWARD_DMARC_REASON_NONE), "");
    assert_string_equal(
        onward_dmarc_reason_name(ONWARD_DMARC_REASON_NOT_ALIGNED),
        "not-aligned");
    assert_string_equal(
        onward_dmarc_reason_name(ONWARD_DMARC_REASON_MANY_AUTHORS),
        "many-authors");
    assert_string_equal(onward_dmarc_reason_name(ONWARD_DMARC_REASON_RANDOM),
                        "random");
    assert_string_equal(onward_dmarc_reason_name(-1), "");
    assert_string_equal(onward_dmarc_reason_name(99), "");
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[5 + ROWS] = {
        cmocka_unit_test(test_reason_names),
        cmocka_unit_test(test_free_inside_done),
        cmocka_unit_test(test_free_before_done),
        cmocka_unit_test(test_every_order_of_answers),
        cmocka_unit_test(test_out_of_memory),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[5 + i] = (struct CMUnitTest){
            .name = rows[i].name,
            .test_func = test_row,
            .initial_state = (void *)(uintptr_t)&rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
