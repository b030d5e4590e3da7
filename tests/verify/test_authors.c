/*
 * Who the author is: From fields of the conformance data, where it is at hand,
 * through a whole verifier that allows five authors.
 */
#include <onward/verify.h>

#include "core/text_shared.h"
#include "support/json.h"

enum { CASES = 21 };

/* Where we take less than the data: never more, and never another domain. */
static const struct stricter {
    const char *id;
    int reason;
} stricter[] = {
    /* No field is the one that counts (RFC 5322 section 3.6). */
    {"two-from-fields", ONWARD_DMARC_REASON_MANY_AUTHORS},
    /* No mailbox of the grammar: the field is malformed. */
    {"display-name-unquoted-at", ONWARD_DMARC_REASON_NO_AUTHOR},
};

static const struct stricter *find_stricter(struct onward_str id)
{
    for (size_t i = 0; i < sizeof(stricter) / sizeof(stricter[0]); i++) {
        if (onward_core__str_eq(id, onward_str_of(stricter[i].id)))
            return &stricter[i];
    }
    return NULL;
}

static void feed(struct onward_verifier *v, struct onward_str s)
{
    assert_int_equal(onward_verifier_feed(v, s.data, s.len), 0);
}

static void run_case(void **state)
{
    const struct onward_json *t = *state;
    const struct onward_json *want = onward_json__get(t, "author_domains");
    const struct stricter *exception = find_stricter(t_member(t, "id"));
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    const struct onward_verifier_opts o = {
        .size = sizeof(o),
        .authserv_id = ONWARD_STR("mx.example"),
        .max_authors = ONWARD_VERIFIER_AUTHORS_MAX};
    struct onward_resolver *resolver = NULL;
    struct onward_verifier *v = NULL;
    struct onward_desk *desk = NULL;
    struct t_world w;
    size_t i = 0;

    t_world_init(&w);
    assert_int_equal(onward_desk_new(w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_resolver_new(desk, &ro, NULL, &resolver), 0);
    assert_int_equal(onward_verifier_new(resolver, &o, NULL, &v), 0);
    for (const struct onward_json *f =
             onward_json__get(t, "from_fields")->first;
         f != NULL; f = f->next) {
        feed(v, ONWARD_STR("From: "));
        feed(v, f->text);
        feed(v, ONWARD_STR("\r\n"));
    }
    feed(v, ONWARD_STR("Subject: x\r\nSender: s@sender.example\r\n\r\n"));
    assert_int_equal(onward_verifier_finish(v), 0);
    while (onward_desk_run(desk, 0) == 1)
        continue;
    assert_int_not_equal(onward_verifier_dmarc_result(v), ONWARD_DMARC_PASS);
    if (exception != NULL || want->first == NULL) {
        assert_int_equal(onward_verifier_author_count(v), 0);
        assert_int_equal(onward_verifier_dmarc_reason(v),
                         exception != NULL ? exception->reason
                                           : ONWARD_DMARC_REASON_NO_AUTHOR);
        assert_int_equal(onward_verifier_dmarc_disposition(v),
                         ONWARD_DMARC_POLICY_REJECT);
    } else {
        for (const struct onward_json *d = want->first; d != NULL; d = d->next)
            t_assert_str_n(onward_dmarc_check_author_domain(
                               onward_verifier_dmarc_at(v, i++)),
                           d->text.data, d->text.len);
        assert_int_equal(onward_verifier_author_count(v), i);
    }
    onward_verifier_free(v);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    t_world_clear(&w);
}

int main(void)
{
    static struct CMUnitTest tests[32];
    struct t_vectors v;
    size_t count;
    int failed;

    if (!t_vectors_open(&v, "dmarc/evaluate.json"))
        return 0;
    count = t_add_cases(&v, tests, 0, 32,
                        onward_json__get(v.root, "from_tests"), run_case);
    failed = _cmocka_run_group_tests("From fields", tests, count, NULL, NULL);
    t_vectors_close(&v);
    return failed + (count != CASES);
}
