/* The SPF test suite of RFC 7208 (203 cases), where it is at hand. */
#include <onward/spf.h>

#include "support/json.h"

/* The octets of s as a quoted string of the records format. */
static void add_quoted(struct onward_buf *out, struct onward_str s)
{
    struct onward_buf raw;

    onward_core__buf_init(&raw, out->ctx, 1 << 20);
    t_add_octets(&raw, s);
    onward_core__buf_add_byte(out, '"');
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = raw.data[i];
        char text[8];

        snprintf(text, sizeof(text), "\\%03u", c);
        onward_core__buf_add_text(out, text);
    }
    onward_core__buf_add_text(out, "\" ");
    onward_core__buf_clear(&raw);
}

/* A name of the zone; labels may hold any visible octet. */
static void add_name(struct onward_buf *out, struct onward_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == ' ')
            onward_core__buf_add_text(out, "\\032");
        else
            onward_core__buf_add_byte(out, (unsigned char)name.data[i]);
    }
    onward_core__buf_add_byte(out, ' ');
}

static void add_records(struct onward_buf *out, struct onward_str name,
                        const struct onward_json *list)
{
    for (const struct onward_json *r = list->first; r != NULL; r = r->next) {
        add_name(out, name);
        onward_core__buf_add_str(out, list->key);
        onward_core__buf_add_byte(out, ' ');
        if (onward_core__str_eq(list->key, ONWARD_STR("TXT"))) {
            if (r->first == NULL)
                onward_core__buf_add_text(out, "\"\"");
            for (const struct onward_json *t = r->first; t != NULL; t = t->next)
                add_quoted(out, t->text);
        } else if (r->type == ONWARD_JSON_OBJECT) {
            struct onward_str host = t_member(r, "exchange");

            onward_core__buf_add_str(out, t_member(r, "preference"));
            onward_core__buf_add_byte(out, ' ');
            onward_core__buf_add_str(out,
                                     host.len == 0 ? ONWARD_STR(".") : host);
        } else {
            onward_core__buf_add_str(out, r->text);
        }
        onward_core__buf_add_byte(out, '\n');
    }
}

static void add_zone(struct onward_buf *out, const struct onward_json *zone)
{
    for (const struct onward_json *e = zone->first; e != NULL; e = e->next) {
        struct onward_str name = t_member(e, "name");
        const struct onward_json *timeout = onward_json__get(e, "timeout");

        for (const struct onward_json *l = e->first; l != NULL; l = l->next) {
            if (l->type == ONWARD_JSON_ARRAY)
                add_records(out, name, l);
            else if (onward_core__str_eq(l->key, ONWARD_STR("CNAME"))) {
                add_name(out, name);
                onward_core__buf_add_text(out, "CNAME ");
                onward_core__buf_add_str(out, l->text);
                onward_core__buf_add_byte(out, '\n');
            }
        }
        if (timeout != NULL && timeout->type == ONWARD_JSON_TRUE) {
            add_name(out, name);
            onward_core__buf_add_text(out, "ANY !TIMEOUT\n");
        }
    }
}

static void load_zone(struct t_world *w, struct onward_resolver *resolver,
                      const struct onward_json *zone)
{
    struct onward_dns_fault fault = {.size = sizeof(fault)};
    struct onward_buf text;

    onward_core__buf_init(&text, w->ctx, 1 << 20);
    add_zone(&text, zone);
    assert_int_equal(text.err, 0);
    if (onward_resolver_load(resolver, onward_core__buf_str(&text), &fault) !=
        0)
        fail_msg("zone line %zu: %.*s", fault.line, (int)fault.text.len,
                 fault.text.data);
    onward_core__buf_clear(&text);
}

static void run_case(void **state)
{
    const struct onward_json *test = *state;
    const struct onward_json *scenario = test->parent->parent;
    struct onward_resolver_opts ro = {.size = sizeof(ro),
                                      .allow_only_loaded = 1};
    struct onward_spf_opts o = {.size = sizeof(o)};
    struct onward_ip ip;
    struct t_world w;
    struct onward_desk *desk = NULL;
    struct onward_resolver *resolver = NULL;
    struct onward_spf_check *check = NULL;
    const struct onward_json *accepted, *explanation;
    const char *got;
    bool ok = false;
    struct onward_buf from;

    t_world_init(&w);
    assert_int_equal(onward_desk_new(w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_resolver_new(desk, &ro, NULL, &resolver), 0);
    load_zone(&w, resolver, onward_json__get(scenario, "zone"));
    assert_int_equal(onward_ip_parse(t_member(test, "host"), &ip), 0);
    onward_core__buf_init(&from, w.ctx, 4096);
    t_add_octets(&from, t_member(test, "mailfrom"));
    o.client_ip = &ip;
    o.mail_from = onward_core__buf_str(&from);
    o.helo = t_member(test, "helo");
    assert_int_equal(onward_spf_check_new(resolver, &o, NULL, &check), 0);
    for (int64_t now = 0;
         onward_spf_check_result(check) == ONWARD_SPF_PENDING && now < 30000;
         now += 1000)
        while (onward_desk_run(desk, now) == 1)
            continue;
    got = onward_spf_result_name(onward_spf_check_result(check));
    accepted = onward_json__get(test, "result");
    for (const struct onward_json *r = accepted->first; r != NULL; r = r->next)
        ok = ok || onward_core__str_eq(r->text, onward_str_of(got));
    if (!ok)
        fail_msg("%s, wanted %.*s", got, (int)accepted->first->text.len,
                 accepted->first->text.data);
    explanation = onward_json__get(test, "explanation");
    if (explanation != NULL &&
        !onward_core__str_eq(explanation->text, ONWARD_STR("DEFAULT")))
        t_assert_str_n(onward_spf_check_explanation(check),
                       explanation->text.data, explanation->text.len);
    else if (explanation != NULL)
        t_assert_str(onward_spf_check_explanation(check), "");
    onward_spf_check_free(check);
    onward_core__buf_clear(&from);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    t_world_clear(&w);
}

enum { CASES = 203 };

int main(void)
{
    static struct CMUnitTest tests[256];
    struct t_vectors v;
    size_t count = 0;
    int failed;

    if (!t_vectors_open(&v, "spf/rfc7208-tests.json"))
        return 0;
    for (const struct onward_json *s =
             onward_json__get(v.root, "scenarios")->first;
         s != NULL; s = s->next)
        count = t_add_cases(&v, tests, count, 256, onward_json__get(s, "tests"),
                            run_case);
    failed = _cmocka_run_group_tests("SPF suite", tests, count, NULL, NULL);
    t_vectors_close(&v);
    if (count != CASES)
        print_message("%zu cases, not %d\n", count, CASES);
    return failed + (count != CASES);
}
