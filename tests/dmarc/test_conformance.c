/* DMARC records, organizational domains and evaluations (RFC 9989), from the
 * test vectors where they are at hand. */
#include <onward/dmarc.h>

#include "core/domain_shared.h"
#include "support/json.h"

static const char *letter(size_t strict)
{
    return strict ? "s" : "r";
}

/* null in the vectors is our UNKNOWN, whose text is "". */
static bool same_text(const struct onward_json *want, const char *got)
{
    return want != NULL && onward_core__str_eq(want->text, onward_str_of(got));
}

static bool same_list(struct onward_str list, const struct onward_json *want)
{
    const struct onward_json *w = want->first;
    struct onward_str uri;

    for (; onward_dmarc_uri_next(&list, &uri) == 1; w = w->next) {
        if (w == NULL || !onward_core__str_eq(uri, w->text))
            return false;
    }
    return w == NULL;
}

static bool same_options(struct onward_str got, const struct onward_json *want)
{
    for (const struct onward_json *w = want->first; w != NULL; w = w->next) {
        if (got.len == 0 || got.data[0] != w->text.data[0])
            return false;
        got = onward_core__sub(got, 2, got.len);
    }
    return got.len == 0;
}

static bool same_record(const struct onward_dmarc_record *r,
                        const struct onward_json *want)
{
    const char psd[2] = {(char)r->psd, '\0'};

    return same_text(onward_json__get(want, "p"),
                     onward_dmarc_policy_name((int)r->policy)) &&
           same_text(onward_json__get(want, "sp"),
                     onward_dmarc_policy_name((int)r->subdomain_policy)) &&
           same_text(onward_json__get(want, "np"),
                     onward_dmarc_policy_name((int)r->nonexistent_policy)) &&
           same_text(onward_json__get(want, "adkim"),
                     letter(r->is_dkim_strict)) &&
           same_text(onward_json__get(want, "aspf"),
                     letter(r->is_spf_strict)) &&
           same_text(onward_json__get(want, "psd"), psd) &&
           same_text(onward_json__get(want, "t"), r->is_testing ? "y" : "n") &&
           t_is_true(want, "p_valid") == (r->is_policy_valid != 0) &&
           same_list(r->rua, onward_json__get(want, "rua")) &&
           same_list(r->ruf, onward_json__get(want, "ruf")) &&
           same_options(r->failure_options, onward_json__get(want, "fo"));
}

static void run_record(void **state)
{
    const struct onward_json *t = *state;
    struct onward_dmarc_record r = {.size = sizeof(r)};
    const struct onward_json *tags = onward_json__get(t, "tags");
    int ret = onward_dmarc_record_parse(t_member(t, "txt"), &r);

    if (tags == NULL) {
        assert_int_equal(ret, ONWARD_ENOENT);
        return;
    }
    assert_int_equal(ret, 0);
    assert_true(same_record(&r, tags));
}

/* ---- With a resolver --------------------------------------------------- */

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
};

static void world_init(struct world *x, const struct onward_json *records,
                       const struct onward_json *nonexistent,
                       struct onward_str author)
{
    struct onward_resolver_opts ro = {.size = sizeof(ro),
                                      .allow_only_loaded = 1};
    struct onward_dns_fault fault = {.size = sizeof(fault)};
    struct onward_buf zone;
    bool exists = true;

    t_world_init(&x->w);
    assert_int_equal(onward_desk_new(x->w.ctx, NULL, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, &ro, NULL, &x->resolver), 0);
    onward_core__buf_init(&zone, x->w.ctx, 1 << 20);
    for (const struct onward_json *r = records->first; r != NULL; r = r->next) {
        for (const struct onward_json *s = r->first; s != NULL; s = s->next) {
            onward_core__buf_add_text(&zone, "_dmarc.");
            onward_core__buf_add_str(&zone, r->key);
            onward_core__buf_add_text(&zone, " TXT ");
            onward_json__write_string(&zone, s->text);
            onward_core__buf_add_byte(&zone, '\n');
        }
        if (r->type == ONWARD_JSON_STRING) { /* TEMPFAIL */
            onward_core__buf_add_text(&zone, "_dmarc.");
            onward_core__buf_add_str(&zone, r->key);
            onward_core__buf_add_text(&zone, " TXT !SERVFAIL\n");
        }
    }
    if (nonexistent != NULL) {
        for (const struct onward_json *n = nonexistent->first; n != NULL;
             n = n->next)
            exists = exists && !onward_core__str_ieq(n->text, author);
    }
    if (exists) {
        onward_core__buf_add_str(&zone, author);
        onward_core__buf_add_text(&zone, " A 192.0.2.1\n");
    }
    if (onward_resolver_load(x->resolver, onward_core__buf_str(&zone),
                             &fault) != 0)
        fail_msg("zone line %zu: %.*s", fault.line, (int)fault.text.len,
                 fault.text.data);
    onward_core__buf_clear(&zone);
}

static void world_clear(struct world *x)
{
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static void run_org_domain(void **state)
{
    const struct onward_json *t = *state;
    struct onward_dmarc_opts o = {.size = sizeof(o),
                                  .author_domain = t_member(t, "domain")};
    struct onward_dmarc_check *c = NULL;
    struct onward_str want = t_member(t, "organizational_domain");
    struct world x;

    world_init(&x, onward_json__get(t, "records"), NULL, t_member(t, "domain"));
    assert_int_equal(onward_dmarc_check_new(x.resolver, &o, NULL, &c), 0);
    assert_int_equal(onward_dmarc_check_finish(c, 0), 0);
    while (onward_desk_run(x.desk, 0) == 1)
        continue;
    assert_int_not_equal(onward_dmarc_check_result(c), ONWARD_DMARC_PENDING);
    t_assert_str_n(onward_dmarc_check_org_domain(c), want.data, want.len);
    onward_dmarc_check_free(c);
    world_clear(&x);
}

/* By public suffix list, where the vectors say that it differs; tests of the
 * list itself are in test_suffix.c. */
static void run_legacy_org_domain(void **state)
{
    const struct onward_json *t = *state;
    struct onward_dmarc_opts o = {.size = sizeof(o),
                                  .author_domain = t_member(t, "domain"),
                                  .discovery = ONWARD_DMARC_DISCOVERY_RFC7489};
    struct onward_dmarc_check *c = NULL;
    struct onward_str want = t_member(t, "rfc7489_psl");
    struct world x;

    world_init(&x, onward_json__get(t, "records"), NULL, t_member(t, "domain"));
    assert_int_equal(onward_dmarc_check_new(x.resolver, &o, NULL, &c), 0);
    assert_int_equal(onward_dmarc_check_finish(c, 0), 0);
    while (onward_desk_run(x.desk, 0) == 1)
        continue;
    t_assert_str_n(onward_dmarc_check_org_domain(c), want.data, want.len);
    onward_dmarc_check_free(c);
    world_clear(&x);
}

/* ---- The questions of the walk ----------------------------------------- */

struct asked {
    char names[16][300];
    size_t count;
};

static int note_question(void *user, uint64_t token, const char *name,
                         size_t name_len, uint32_t type)
{
    struct asked *a = user;

    (void)token;
    assert_int_equal(type, ONWARD_DNS_TXT);
    assert_true(a->count < 16);
    snprintf(a->names[a->count++], sizeof(a->names[0]), "%.*s", (int)name_len,
             name);
    return 0;
}

/* All at once, so also those that a walk one by one would not come to. */
static void run_questions(void **state)
{
    const struct onward_json *t = *state;
    struct onward_dmarc_opts o = {.size = sizeof(o),
                                  .author_domain = t_member(t, "domain")};
    struct asked asked = {.count = 0};
    struct onward_resolver_host host = {
        .size = sizeof(host), .user = &asked, .query = note_question};
    struct onward_resolver *resolver = NULL;
    struct onward_dmarc_check *c = NULL;
    struct onward_desk *desk = NULL;
    struct t_world w;
    size_t i = 0;

    t_world_init(&w);
    assert_int_equal(onward_desk_new(w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_resolver_new(desk, NULL, &host, &resolver), 0);
    assert_int_equal(onward_dmarc_check_new(resolver, &o, NULL, &c), 0);
    while (onward_desk_run(desk, 0) == 1)
        continue;
    assert_true(asked.count <= 8);
    for (const struct onward_json *q = onward_json__get(t, "queries")->first;
         q != NULL; q = q->next, i++)
        t_assert_str(q->text, asked.names[i]);
    onward_dmarc_check_free(c);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    t_world_clear(&w);
}

static bool is_pass(const struct onward_json *v)
{
    return v != NULL && v->type == ONWARD_JSON_OBJECT &&
           onward_core__str_eq(t_member(v, "result"), ONWARD_STR("pass"));
}

static void add_identifiers(struct onward_dmarc_check *c,
                            const struct onward_json *t)
{
    const struct onward_json *spf = onward_json__get(t, "spf");

    if (is_pass(spf))
        assert_int_equal(onward_dmarc_check_add_spf(c, t_member(spf, "domain")),
                         0);
    for (const struct onward_json *d = onward_json__get(t, "dkim")->first;
         d != NULL; d = d->next) {
        if (is_pass(d))
            assert_int_equal(onward_dmarc_check_add_dkim(c, t_member(d, "d")),
                             0);
    }
}

/* A member of the first that has it. */
static struct onward_str newer(const struct onward_json *differs,
                               const struct onward_json *want, const char *name)
{
    return t_member(onward_json__get(differs, name) != NULL ? differs : want,
                    name);
}

static bool matches(const struct onward_json *want,
                    const struct onward_dmarc_check *c)
{
    int result = onward_dmarc_check_result(c);
    const struct onward_json *policy = onward_json__get(want, "policy");

    if (!same_text(onward_json__get(want, "result"),
                   onward_dmarc_result_name(result)))
        return false;
    if (policy != NULL && policy->type == ONWARD_JSON_STRING &&
        !same_text(policy,
                   onward_dmarc_policy_name(onward_dmarc_check_policy(c))))
        return false;
    return true;
}

static void run_evaluation(void **state)
{
    const struct onward_json *t = *state;
    const struct onward_json *want = onward_json__get(t, "expect");
    const struct onward_json *also = onward_json__get(t, "also_accept");
    struct onward_dmarc_opts o = {
        .size = sizeof(o), .author_domain = t_member(t, "author_domain")};
    struct onward_dmarc_check *c = NULL;
    struct world x;
    bool ok;

    world_init(&x, onward_json__get(t, "records"),
               onward_json__get(t, "nonexistent"), o.author_domain);
    assert_int_equal(onward_dmarc_check_new(x.resolver, &o, NULL, &c), 0);
    add_identifiers(c, t);
    assert_int_equal(onward_dmarc_check_finish(c, 0), 0);
    while (onward_desk_run(x.desk, 0) == 1)
        continue;
    ok = matches(want, c);
    for (const struct onward_json *a = also == NULL ? NULL : also->first;
         a != NULL; a = a->next)
        ok = ok || matches(a, c);
    if (!ok)
        fail_msg("%s, policy %s",
                 onward_dmarc_result_name(onward_dmarc_check_result(c)),
                 onward_dmarc_policy_name(onward_dmarc_check_policy(c)));
    if (onward_dmarc_check_result(c) == ONWARD_DMARC_PASS ||
        onward_dmarc_check_result(c) == ONWARD_DMARC_FAIL) {
        struct onward_str domain = t_member(want, "policy_domain");

        t_assert_str_n(onward_dmarc_check_policy_domain(c), domain.data,
                       domain.len);
        assert_int_equal(onward_dmarc_check_is_spf_aligned(c),
                         t_is_true(want, "spf_aligned"));
        assert_int_equal(onward_dmarc_check_is_dkim_aligned(c),
                         t_is_true(want, "dkim_aligned"));
    }
    onward_dmarc_check_free(c);
    world_clear(&x);
}

/* The older RFC, where it differs; what its member does not say stays. */
static void run_legacy_evaluation(void **state)
{
    const struct onward_json *t = *state;
    const struct onward_json *want = onward_json__get(t, "expect");
    const struct onward_json *differs = onward_json__get(t, "rfc7489");
    struct onward_dmarc_opts o = {.size = sizeof(o),
                                  .author_domain = t_member(t, "author_domain"),
                                  .discovery = ONWARD_DMARC_DISCOVERY_RFC7489};
    struct onward_dmarc_check *c = NULL;
    const char *result;
    struct world x;

    world_init(&x, onward_json__get(t, "records"),
               onward_json__get(t, "nonexistent"), o.author_domain);
    assert_int_equal(onward_dmarc_check_new(x.resolver, &o, NULL, &c), 0);
    add_identifiers(c, t);
    assert_int_equal(onward_dmarc_check_finish(c, 0), 0);
    while (onward_desk_run(x.desk, 0) == 1)
        continue;
    result = onward_dmarc_result_name(onward_dmarc_check_result(c));
    t_assert_str(newer(differs, want, "result"), result);
    if (strcmp(result, "none") != 0) {
        t_assert_str(newer(differs, want, "policy"),
                     onward_dmarc_policy_name(onward_dmarc_check_policy(c)));
        assert_true(onward_core__str_eq(newer(differs, want, "policy_domain"),
                                        onward_dmarc_check_policy_domain(c)));
        assert_int_equal(onward_dmarc_check_is_spf_aligned(c),
                         t_is_true(differs, "spf_aligned") ||
                             t_is_true(want, "spf_aligned"));
    }
    onward_dmarc_check_free(c);
    world_clear(&x);
}

/* All cases of a file, or those with a member of that name; `want` of them. */
static int run_file(const char *name, const char *member, size_t want,
                    void (*run)(void **state))
{
    static struct CMUnitTest all[128], tests[128];
    struct t_vectors v;
    size_t count, chosen = 0;
    int failed;

    if (!t_vectors_open(&v, name))
        return 0;
    count =
        t_add_cases(&v, all, 0, 128, onward_json__get(v.root, "tests"), run);
    for (size_t i = 0; i < count; i++) {
        if (member == NULL ||
            onward_json__get(all[i].initial_state, member) != NULL)
            tests[chosen++] = all[i];
    }
    failed = _cmocka_run_group_tests(name, tests, chosen, NULL, NULL);
    t_vectors_close(&v);
    if (chosen != want)
        print_message("%s: %zu cases, not %zu\n", name, chosen, want);
    return failed + (chosen != want);
}

int main(void)
{
    const char *const org = "dmarc/orgdomain.json";
    const char *const all = "dmarc/evaluate.json";

    return run_file("dmarc/records.json", NULL, 53, run_record) +
           run_file(org, NULL, 23, run_org_domain) +
           run_file(org, "queries", 23, run_questions) +
           run_file(org, "rfc7489_psl", 7, run_legacy_org_domain) +
           run_file(all, NULL, 49, run_evaluation) +
           run_file(all, "rfc7489", 5, run_legacy_evaluation);
}
