/* TXT records, policies as they are fetched, and patterns (RFC 8461), from the
 * test vectors where they are at hand. */
#include <onward/mtasts.h>

#include "mtasts/http_priv.h"
#include "support/json.h"

enum { MAX = 128 };

static const struct onward_json *accepted(const struct onward_json *t)
{
    const struct onward_json *also = onward_json__get(t, "also_accept");

    return also == NULL ? NULL : also->first;
}

static size_t list(const struct onward_json *array, struct onward_str *out)
{
    size_t count = 0;

    for (const struct onward_json *i = array->first; i != NULL; i = i->next) {
        assert_true(count < MAX);
        out[count++] = i->text;
    }
    return count;
}

/* ---- Records ----------------------------------------------------------- */

static bool is_id(const struct onward_json *want, struct onward_str id)
{
    if (want->type != ONWARD_JSON_STRING)
        return id.len == 0;
    return onward_core__str_eq(want->text, id);
}

static void run_txt(void **state)
{
    const struct onward_json *t = *state;
    struct onward_mtasts_record record = {.size = sizeof(record)};
    struct onward_str texts[MAX];
    size_t count = list(onward_json__get(t, "txt"), texts);
    int ret = onward_mtasts_records_parse(texts, count, &record, NULL);
    bool ok = is_id(onward_json__get(t, "policy_id"), record.id);

    assert_true((ret == 0) == (record.id.len != 0));
    for (const struct onward_json *a = accepted(t); a != NULL; a = a->next)
        ok = ok || is_id(a, record.id);
    if (!ok)
        fail_msg("%s: id %.*s", onward_error_name(ret), (int)record.id.len,
                 record.id.data);
}

/* ---- Policies ---------------------------------------------------------- */

/* The answer of the policy host, octet by octet. */
static void serve(struct onward_mtasts__http *h, const struct onward_json *t)
{
    struct onward_str body = t_member(t, "body");
    char head[512];
    int len = snprintf(head, sizeof(head),
                       "HTTP/1.1 %.*s x\r\nContent-Type: %.*s\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       (int)t_member(t, "http_status").len,
                       t_member(t, "http_status").data,
                       (int)t_member(t, "content_type").len,
                       t_member(t, "content_type").data, body.len);

    for (int i = 0; i < len; i++)
        onward_mtasts__http_feed(h, head + i, 1);
    for (size_t i = 0; i < body.len; i++)
        onward_mtasts__http_feed(h, body.data + i, 1);
    assert_true(onward_mtasts__http_is_done(h));
}

static bool is_policy(const struct onward_json *want, int ret,
                      const struct onward_mtasts_policy *policy)
{
    struct onward_str rest, pattern;
    const struct onward_json *mx;

    if (onward_json__get(want, "expect") != NULL)
        return ret != 0;
    if (ret != 0 ||
        !onward_core__str_eq(
            t_member(want, "mode"),
            onward_str_of(onward_mtasts_mode_name((int)policy->mode))) ||
        policy->max_age_s != strtoul(t_member(want, "max_age").data, NULL, 10))
        return false;
    rest = policy->text;
    mx = onward_json__get(want, "mx")->first;
    for (; onward_mtasts_mx_next(&rest, &pattern) == 1; mx = mx->next) {
        if (mx == NULL || !onward_core__str_eq(mx->text, pattern))
            return false;
    }
    return mx == NULL;
}

static void run_policy(void **state)
{
    const struct onward_json *t = *state;
    struct onward_mtasts_policy policy = {.size = sizeof(policy)};
    struct onward_mtasts_fault fault = {.size = sizeof(fault), .text = ""};
    struct onward_mtasts__http h;
    struct t_world w;
    int ret = ONWARD_ESYNTAX;
    bool ok;

    t_world_init(&w);
    onward_mtasts__http_init(&h, w.ctx);
    serve(&h, t);
    if (h.state == ONWARD_MTASTS__WHOLE)
        ret = onward_mtasts_policy_parse(onward_core__buf_str(&h.body), &policy,
                                         &fault);
    ok = is_policy(t, ret, &policy);
    for (const struct onward_json *a = accepted(t); a != NULL; a = a->next)
        ok = ok || is_policy(a, ret, &policy);
    onward_mtasts__http_clear(&h);
    t_world_clear(&w);
    if (!ok)
        fail_msg("%s, mode %zu, at %zu: %s", onward_error_name(ret),
                 policy.mode, fault.offset, fault.text);
}

/* ---- Patterns ---------------------------------------------------------- */

static void run_match(void **state)
{
    const struct onward_json *t = *state;
    struct onward_str patterns[MAX];
    size_t count = list(onward_json__get(t, "patterns"), patterns);
    int got = 0;

    for (size_t i = 0; i < count; i++)
        got |=
            onward_mtasts_pattern_matches(patterns[i], t_member(t, "mx_host"));
    assert_int_equal(got, t_is_true(t, "match"));
}

static int run_list(struct t_vectors *v, const char *member, size_t want,
                    void (*run)(void **state))
{
    static struct CMUnitTest tests[MAX];
    size_t count =
        t_add_cases(v, tests, 0, MAX, onward_json__get(v->root, member), run);

    if (count != want)
        print_message("%s: %zu cases, not %zu\n", member, count, want);
    return _cmocka_run_group_tests(member, tests, count, NULL, NULL) +
           (count != want);
}

int main(void)
{
    struct t_vectors v;
    int failed;

    if (!t_vectors_open(&v, "mta-sts/mta-sts.json"))
        return 0;
    failed = run_list(&v, "txt_tests", 25, run_txt) +
             run_list(&v, "policy_tests", 53, run_policy) +
             run_list(&v, "match_tests", 14, run_match);
    t_vectors_close(&v);
    return failed;
}
