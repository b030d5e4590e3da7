#include "dkim/vectors.h"

#include <onward/arc.h>

#include "arc/arc_shared.h"

struct world {
    struct t_world *w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_arc_validator *v;
    struct onward_arc_validator_opts opts;
    int done_count;
    bool free_in_done;
};

static void done(void *user, struct onward_arc_validator *validator)
{
    struct world *x = user;

    assert_ptr_equal(validator, x->v);
    x->done_count++;
    if (x->free_in_done) {
        onward_arc_validator_free(x->v);
        x->v = NULL;
    }
}

static int open_world(struct world *x, struct t_world *w, const char *records,
                      const struct onward_resolver_host *host)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .allow_only_loaded = host == NULL};
    int err;

    memset(x, 0, sizeof(*x));
    x->w = w;
    x->opts.size = sizeof(x->opts);
    err = onward_desk_new(w->ctx, NULL, &x->desk);
    if (err == 0)
        err = onward_resolver_new(x->desk, &opts, host, &x->resolver);
    if (err == 0 && records != NULL)
        err = onward_resolver_load(x->resolver, onward_str_of(records), NULL);
    return err;
}

static int make_validator(struct world *x)
{
    struct onward_arc_validator_host host = {
        .size = sizeof(host), .user = x, .done = done};

    return onward_arc_validator_new(x->resolver, &x->opts, &host, &x->v);
}

static void run_desk(struct world *x)
{
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}

static void close_world(struct world *x)
{
    onward_arc_validator_free(x->v);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    memset(x, 0, sizeof(*x));
}

static struct onward_arc_verdict verdict(const struct world *x)
{
    struct onward_arc_verdict v = {.size = sizeof(v)};

    assert_int_equal(onward_arc_validator_verdict(x->v, &v), 0);
    return v;
}

static void validate(struct world *x, struct onward_str message)
{
    assert_int_equal(make_validator(x), 0);
    assert_int_equal(onward_arc_validator_feed(x->v, message.data, message.len),
                     0);
    assert_int_equal(onward_arc_validator_finish(x->v), 0);
    assert_int_equal(verdict(x).result, ONWARD_ARC_PENDING);
    run_desk(x);
    assert_int_equal(x->done_count, 1);
}

static char *zone_text(const struct onward_json *scenario)
{
    char *zone = calloc(1, V_ZONE_CAP);

    assert_non_null(zone);
    for (struct onward_json *n = onward_json__get(scenario, "dns_txt")->first;
         n != NULL; n = n->next)
        v_add_txt(zone, n->key, n);
    return zone;
}

/* ---- The conformance suite --------------------------------------------- */

static bool check_case(struct v_file *f, const struct onward_json *t,
                       const char *zone)
{
    const char *want = v_text(f, t, "expect");
    const struct onward_json *disputed = onward_json__get(t, "disputed");
    struct world x;
    const char *got;
    bool is_right;

    assert_int_equal(open_world(&x, &f->world, zone, NULL), 0);
    validate(&x, v_octets(f, t, "message"));
    got = onward_arc_result_name((int)verdict(&x).result);
    is_right = strcmp(got, want) == 0 ||
               (disputed != NULL &&
                v_has(onward_json__get(disputed, "also_accept"), got));
    if (!is_right)
        print_message("%s: %s, wanted %s (%s: %s)\n", v_text(f, t, "id"), got,
                      want, onward_arc_reason_name((int)verdict(&x).reason),
                      verdict(&x).detail.data);
    close_world(&x);
    return is_right;
}

static void test_conformance_suite(void **state)
{
    struct v_file f;
    size_t count = 0, wrong = 0;

    (void)state;
    if (!v_open(&f, "arc/arc-validation.json"))
        skip();
    for (struct onward_json *s = onward_json__get(f.root, "scenarios")->first;
         s != NULL; s = s->next) {
        char *zone = zone_text(s);

        for (struct onward_json *t = onward_json__get(s, "tests")->first;
             t != NULL; t = t->next, count++)
            wrong += !check_case(&f, t, zone);
        free(zone);
    }
    assert_int_equal(count, 171);
    assert_int_equal(wrong, 0);
    v_close(&f);
}

/* One message of the suite, to look closer at. */
struct sample {
    struct v_file f;
    char *zone;
    struct onward_str message;
};

static bool open_sample(struct sample *s, const char *id)
{
    if (!v_open(&s->f, "arc/arc-validation.json"))
        return false;
    for (struct onward_json *sc =
             onward_json__get(s->f.root, "scenarios")->first;
         sc != NULL; sc = sc->next) {
        for (struct onward_json *t = onward_json__get(sc, "tests")->first;
             t != NULL; t = t->next) {
            if (strcmp(v_text(&s->f, t, "id"), id) != 0)
                continue;
            s->zone = zone_text(sc);
            s->message = v_octets(&s->f, t, "message");
            return true;
        }
    }
    fail_msg("no case %s", id);
    return false;
}

static void close_sample(struct sample *s)
{
    free(s->zone);
    v_close(&s->f);
}

static void test_what_is_told_of_a_chain(void **state)
{
    struct onward_arc_set set = {.size = sizeof(set)};
    struct sample s;
    struct world x;

    (void)state;
    if (!open_sample(&s, "cv_pass_i2_1"))
        skip();
    assert_int_equal(open_world(&x, &s.f.world, s.zone, NULL), 0);
    validate(&x, s.message);
    assert_int_equal(verdict(&x).result, ONWARD_ARC_PASS);
    assert_int_equal(verdict(&x).reason, ONWARD_ARC_REASON_NONE);
    assert_int_equal(verdict(&x).instances, 2);
    assert_int_equal(verdict(&x).has_oldest_pass, 1);
    assert_int_equal(verdict(&x).oldest_pass, 0);
    assert_int_equal(verdict(&x).is_temporary, 0);
    assert_int_equal(onward_arc_validator_set(x.v, 1, &set), 0);
    t_assert_str(set.domain, "example.org");
    t_assert_str(set.selector, "dummy");
    t_assert_str(set.message_domain, "example.org");
    t_assert_str(set.cv, "none");
    assert_true(set.results.len > 17);
    t_assert_str_n(onward_core__sub(set.results, 0, 17), "lists.example.org",
                   17);
    assert_int_equal(set.seal_result, ONWARD_DKIM_PASS);
    assert_int_equal(set.message_result, ONWARD_DKIM_PASS);
    assert_int_equal(set.has_time, 1);
    assert_int_equal(set.time_s, 12345);
    assert_int_equal(onward_arc_validator_set(x.v, 3, &set), ONWARD_ENOENT);
    assert_int_equal(onward_arc_validator_set(x.v, 0, &set), ONWARD_ENOENT);
    set.size = 3;
    assert_int_equal(onward_arc_validator_set(x.v, 1, &set), ONWARD_EINVAL);
    close_world(&x);
    close_sample(&s);
}

static void test_oldest_pass_is_where_the_message_changed(void **state)
{
    struct sample s;
    struct world x;

    (void)state;
    if (!open_sample(&s, "cv_pass_i2_1_ams1_invalid"))
        skip();
    assert_int_equal(open_world(&x, &s.f.world, s.zone, NULL), 0);
    validate(&x, s.message);
    assert_int_equal(verdict(&x).result, ONWARD_ARC_PASS);
    assert_int_equal(verdict(&x).oldest_pass, 2);
    onward_arc_validator_free(x.v);
    x.done_count = 0;
    x.opts.skip_oldest_pass = 1;
    validate(&x, s.message);
    assert_int_equal(verdict(&x).result, ONWARD_ARC_PASS);
    assert_int_equal(verdict(&x).has_oldest_pass, 0);
    close_world(&x);
    close_sample(&s);
}

static void test_unreachable_key_is_temporary(void **state)
{
    struct sample s;
    struct world x;

    (void)state;
    if (!open_sample(&s, "cv_pass_i2_1"))
        skip();
    assert_int_equal(open_world(&x, &s.f.world,
                                "dummy._domainkey.example.org ANY !SERVFAIL\n",
                                NULL),
                     0);
    validate(&x, s.message);
    assert_int_equal(verdict(&x).result, ONWARD_ARC_FAIL);
    assert_int_equal(verdict(&x).reason, ONWARD_ARC_REASON_MESSAGE);
    assert_int_equal(verdict(&x).signature_reason,
                     ONWARD_DKIM_REASON_KEY_UNREACHABLE);
    assert_int_equal(verdict(&x).instance, 2);
    assert_int_equal(verdict(&x).is_temporary, 1);
    close_world(&x);
    close_sample(&s);
}

/* ---- Structure, without keys ------------------------------------------- */

#define SET(i, cv)                                                             \
    "ARC-Seal: i=" i "; a=rsa-sha256; cv=" cv "; d=a.example; s=s; b=AAAA\r\n" \
    "ARC-Message-Signature: i=" i "; a=rsa-sha256; d=a.example; s=s; h=from; " \
    "bh=AAAA; b=AAAA\r\n"                                                      \
    "ARC-Authentication-Results: i=" i "; a.example; none\r\n"

static const struct row {
    const char *name;
    const char *header;
    enum onward_arc_reason reason;
    size_t instance;
} rows[] = {
    {"gap", SET("2", "pass"), ONWARD_ARC_REASON_GAP, 1},
    {"instance 0", SET("0", "none"), ONWARD_ARC_REASON_INSTANCE, 0},
    {"instance 51", SET("51", "pass"), ONWARD_ARC_REASON_INSTANCE, 0},
    {"leading zero", SET("01", "none"), ONWARD_ARC_REASON_INSTANCE, 0},
    {"sign", SET("+1", "none"), ONWARD_ARC_REASON_INSTANCE, 0},
    {"a whole set twice", SET("1", "none") SET("1", "none"),
     ONWARD_ARC_REASON_DUPLICATE, 1},
    {"first says pass", SET("1", "pass"), ONWARD_ARC_REASON_CV, 1},
    {"second says none", SET("2", "none") SET("1", "none"),
     ONWARD_ARC_REASON_CV, 2},
    {"newest says fail", SET("2", "fail") SET("1", "none"),
     ONWARD_ARC_REASON_FAILED, 2},
    {"newest says fail above a gap", SET("3", "fail") SET("1", "none"),
     ONWARD_ARC_REASON_FAILED, 3},
    {"lower one says fail", SET("2", "pass") SET("1", "fail"),
     ONWARD_ARC_REASON_CV, 1},
    {"cv in capitals", SET("1", "None"), ONWARD_ARC_REASON_CV, 1},
    {"results alone", "ARC-Authentication-Results: i=1; a; none\r\n",
     ONWARD_ARC_REASON_GAP, 1},
    {"broken signature", SET("1", "none"), ONWARD_ARC_REASON_MESSAGE, 1},
};

static void test_structure(void **state)
{
    const struct row *row = *state;
    struct t_world w;
    struct world x;

    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, NULL, NULL), 0);
    validate(&x, onward_str_of(row->header));
    assert_int_equal(verdict(&x).result, ONWARD_ARC_FAIL);
    assert_int_equal(verdict(&x).reason, row->reason);
    assert_int_equal(verdict(&x).instance, row->instance);
    close_world(&x);
    t_world_clear(&w);
}

static void test_above_fifty_sets_fail(void **state)
{
    static char text[60000];
    struct t_world w;
    struct world x;

    (void)state;
    for (int i = 51; i > 0; i--) {
        char aar[80];

        snprintf(aar, sizeof(aar),
                 "ARC-Authentication-Results: i=%d; a; none\r\n", i);
        strcat(text, aar);
    }
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, NULL, NULL), 0);
    validate(&x, onward_str_of(text));
    assert_int_equal(verdict(&x).result, ONWARD_ARC_FAIL);
    close_world(&x);
    t_world_clear(&w);
}

static void test_results_begin_with_the_instance(void **state)
{
    struct onward_str results;

    (void)state;
    assert_int_equal(onward_arc__parse_aar(
                         ONWARD_STR(" i=3; a.example; spf=pass"), &results),
                     3);
    t_assert_str(results, "a.example; spf=pass");
    assert_int_equal(
        onward_arc__parse_aar(
            ONWARD_STR("(c (d) \\) ) i (x)=\r\n 50 (y) ;z ( "), &results),
        50);
    t_assert_str(results, "z (");
    assert_int_equal(onward_arc__parse_aar(ONWARD_STR("a; i=1;"), &results), 0);
    assert_int_equal(onward_arc__parse_aar(ONWARD_STR("i=1"), &results), 0);
    assert_int_equal(onward_arc__parse_aar(ONWARD_STR("(i=1;"), &results), 0);
    assert_int_equal(onward_arc__parse_aar(ONWARD_STR("i=1(;"), &results), 0);
    assert_int_equal(onward_arc__parse_aar(ONWARD_STR("I=1;"), &results), 0);
    assert_int_equal(onward_arc__parse_aar(ONWARD_STR(""), &results), 0);
}

/* ---- Cuts, life, memory ------------------------------------------------ */

static void cut_begin(void *arg)
{
    struct world *x = arg;

    x->done_count = 0;
    assert_int_equal(make_validator(x), 0);
}

static void cut_feed(void *arg, const void *data, size_t len)
{
    struct world *x = arg;

    assert_int_equal(onward_arc_validator_feed(x->v, data, len), 0);
}

static void cut_end(void *arg)
{
    struct world *x = arg;

    assert_int_equal(onward_arc_validator_finish(x->v), 0);
    run_desk(x);
    assert_int_equal(x->done_count, 1);
    assert_int_equal(verdict(x).result, ONWARD_ARC_PASS);
    onward_arc_validator_free(x->v);
    x->v = NULL;
}

static void test_cut_everywhere(void **state)
{
    static const struct t_cut cut = {cut_begin, cut_feed, cut_end};
    struct sample s;
    struct world x;

    (void)state;
    if (!open_sample(&s, "cv_pass_i2_1"))
        skip();
    assert_int_equal(open_world(&x, &s.f.world, s.zone, NULL), 0);
    t_cut_everywhere(&cut, &x, s.message.data, s.message.len);
    close_world(&x);
    close_sample(&s);
}

static void test_free_in_done_and_before(void **state)
{
    struct sample s;
    struct world x;

    (void)state;
    if (!open_sample(&s, "cv_pass_i1_1"))
        skip();
    assert_int_equal(open_world(&x, &s.f.world, s.zone, NULL), 0);
    x.free_in_done = true;
    validate(&x, s.message);
    assert_null(x.v);
    x.done_count = 0;
    assert_int_equal(make_validator(&x), 0);
    assert_int_equal(
        onward_arc_validator_feed(x.v, s.message.data, s.message.len), 0);
    assert_int_equal(onward_arc_validator_finish(x.v), 0);
    assert_int_equal(onward_arc_validator_finish(x.v), ONWARD_ESTATE);
    assert_int_equal(onward_arc_validator_feed(x.v, "x", 1), ONWARD_ESTATE);
    onward_arc_validator_free(x.v);
    x.v = NULL;
    run_desk(&x);
    assert_int_equal(x.done_count, 0);
    close_world(&x);
    close_sample(&s);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    struct sample *s = arg;
    struct world x;
    bool ok;

    ok = open_world(&x, w, s->zone, NULL) == 0 && make_validator(&x) == 0 &&
         onward_arc_validator_feed(x.v, s->message.data, s->message.len) == 0 &&
         onward_arc_validator_finish(x.v) == 0;
    if (ok) {
        run_desk(&x);
        assert_int_equal(x.done_count, 1);
        if (verdict(&x).result != ONWARD_ARC_PASS) {
            assert_int_equal(verdict(&x).is_temporary, 1);
            ok = false;
        } else if (verdict(&x).oldest_pass != 0) {
            ok = false;
        }
    }
    close_world(&x);
    return ok;
}

static void test_out_of_memory(void **state)
{
    struct sample s;

    (void)state;
    if (!open_sample(&s, "cv_pass_i2_1"))
        skip();
    t_oom_sweep(oom_scenario, &s);
    close_sample(&s);
}

static void test_errors_are_told(void **state)
{
    struct onward_arc_validator_host no_done = {.size = sizeof(no_done)};
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, NULL, NULL), 0);
    assert_int_equal(onward_arc_validator_new(x.resolver, NULL, &no_done, &x.v),
                     ONWARD_EINVAL);
    x.opts.min_rsa_bits = 100;
    assert_int_equal(make_validator(&x), ONWARD_EINVAL);
    assert_string_equal(onward_arc_result_name(99), "none");
    assert_string_equal(onward_arc_reason_name(ONWARD_ARC_REASON_SEAL), "seal");
    assert_string_equal(onward_arc_reason_section(-5), "RFC 8617 5.2");
    close_world(&x);
    t_world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest fixed[] = {
        cmocka_unit_test(test_conformance_suite),
        cmocka_unit_test(test_what_is_told_of_a_chain),
        cmocka_unit_test(test_oldest_pass_is_where_the_message_changed),
        cmocka_unit_test(test_unreachable_key_is_temporary),
        cmocka_unit_test(test_above_fifty_sets_fail),
        cmocka_unit_test(test_results_begin_with_the_instance),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_free_in_done_and_before),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_errors_are_told),
    };
    const size_t n = sizeof(fixed) / sizeof(fixed[0]);
    const size_t m = sizeof(rows) / sizeof(rows[0]);
    struct CMUnitTest tests[32];

    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < m; i++) {
        tests[n + i] = (struct CMUnitTest){.name = rows[i].name,
                                           .test_func = test_structure,
                                           .initial_state = (void *)&rows[i]};
    }
    return _cmocka_run_group_tests("arc validate", tests, n + m, NULL, NULL);
}
