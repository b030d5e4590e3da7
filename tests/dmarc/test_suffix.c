/*
 * Organizational domains by public suffix list (RFC 7489 section 3.2), against
 * the list's own vectors where they are at hand: libpsl with the list that
 * belongs to them, and a check in RFC 7489 mode with the list that libpsl was
 * built with.
 */
#include <onward/dmarc.h>

#include <libpsl.h>

#include "core/domain_shared.h"
#include "support/json.h"

enum { CASES = 78 };

/* Of a name; NULL: it has none. `name` keeps what is returned. */
static const char *registrable(const psl_ctx_t *list, struct onward_str input,
                               char *name)
{
    for (size_t i = 0; i < input.len; i++)
        name[i] = (char)onward_ascii_lower((unsigned char)input.data[i]);
    name[input.len] = '\0';
    return name[0] == '.' ? NULL : psl_registrable_domain(list, name);
}

static void test_libpsl_with_the_list_of_the_vectors(void **state)
{
    const char *path = t_conformance("psl/public_suffix_list.dat");
    struct t_vectors v;
    psl_ctx_t *list;
    size_t cases = 0;

    (void)state;
    if (path == NULL)
        skip();
    list = psl_load_file(path);
    assert_non_null(list);
    assert_true(psl_suffix_count(list) > 9000);
    assert_true(t_vectors_open(&v, "psl/psl.json"));
    for (struct onward_json *t = onward_json__get(v.root, "tests")->first;
         t != NULL; t = t->next, cases++) {
        struct onward_str want = t_member(t, "ascii_registrable");
        char name[300];
        const char *got = registrable(list, t_member(t, "ascii_input"), name);

        t_assert_str_n(onward_str_of(got == NULL ? "" : got), want.data,
                       want.len);
    }
    assert_int_equal(cases, CASES);
    psl_free(list);
    t_vectors_close(&v);
}

/* U-labels and A-labels, through the whole of a check. */
static void check_case(struct t_world *w, struct onward_str input,
                       struct onward_str want)
{
    struct onward_resolver_opts ro = {.size = sizeof(ro),
                                      .allow_only_loaded = 1};
    struct onward_dmarc_opts o = {.size = sizeof(o),
                                  .author_domain = input,
                                  .discovery = ONWARD_DMARC_DISCOVERY_RFC7489};
    struct onward_resolver *resolver = NULL;
    struct onward_dmarc_check *c = NULL;
    struct onward_desk *desk = NULL;

    assert_int_equal(onward_desk_new(w->ctx, NULL, &desk), 0);
    assert_int_equal(onward_resolver_new(desk, &ro, NULL, &resolver), 0);
    assert_int_equal(onward_dmarc_check_new(resolver, &o, NULL, &c), 0);
    assert_int_equal(onward_dmarc_check_finish(c, 0), 0);
    while (onward_desk_run(desk, 0) == 1)
        continue;
    if (input.len == 0 || input.data[0] == '.')
        assert_int_equal(onward_dmarc_check_reason(c),
                         ONWARD_DMARC_REASON_BAD_DOMAIN);
    else if (want.len == 0) /* a public suffix stands for itself */
        t_assert_str_n(onward_dmarc_check_org_domain(c),
                       onward_dmarc_check_author_domain(c).data,
                       onward_dmarc_check_author_domain(c).len);
    else
        t_assert_str_n(onward_dmarc_check_org_domain(c), want.data, want.len);
    onward_dmarc_check_free(c);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
}

static void test_a_check_in_rfc7489_mode(void **state)
{
    struct t_vectors v;
    size_t cases = 0;

    (void)state;
    if (!t_vectors_open(&v, "psl/psl.json"))
        skip();
    for (struct onward_json *t = onward_json__get(v.root, "tests")->first;
         t != NULL; t = t->next, cases++) {
        struct onward_str want = t_member(t, "ascii_registrable");

        check_case(&v.world, t_member(t, "ascii_input"), want);
        check_case(&v.world, t_member(t, "input"), want);
    }
    assert_int_equal(cases, CASES);
    t_vectors_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_libpsl_with_the_list_of_the_vectors),
        cmocka_unit_test(test_a_check_in_rfc7489_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
