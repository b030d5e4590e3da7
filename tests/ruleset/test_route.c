/*
 * Routing: which rule an address meets, and what comes of it.
 */
#include "support/support.h"

#include <onward/ruleset.h>

#define LITERAL(rest, value, action)                                           \
    "{" rest "\"matchers\":[{\"type\":\"literal\",\"field\":\"to\","           \
    "\"value\":\"" value "\"}],\"actions\":[" action "]}"
#define ALL(rest, action)                                                      \
    "{" rest "\"matchers\":[{\"type\":\"all\"}],\"actions\":[" action "]}"
#define FORWARD(to) "{\"type\":\"forward\",\"value\":[" to "]}"
#define WORKER(name) "{\"type\":\"worker\",\"value\":[\"" name "\"]}"
#define DROP "{\"type\":\"drop\"}"

static const char rules[] =
    "{\"version\":1,\"zones\":["
    /* plain: exact local parts, no subaddresses, no catch-all */
    "{\"name\":\"plain.example\",\"rules\":["
    LITERAL("\"name\":\"one\",", "me@plain.example", FORWARD("\"v@ok.example\""))
    "," LITERAL("", "many@plain.example",
                FORWARD("\"v@ok.example\",\"w@ok.example\""))
    "," LITERAL("", "half@plain.example",
                FORWARD("\"v@ok.example\",\"u@no.example\""))
    "," LITERAL("", "other.half@plain.example",
                FORWARD("\"u@no.example\",\"v@ok.example\""))
    "," LITERAL("", "unlisted@plain.example", FORWARD("\"x@no.example\""))
    "," LITERAL("", "hook@plain.example", WORKER("hook"))
    "," LITERAL("", "gone@plain.example", DROP)
    "," LITERAL("", "no@plain.example",
                "{\"type\":\"reject\",\"code\":450,\"enhanced\":\"4.2.1\","
                "\"text\":\"not today\"}")
    "," LITERAL("", "never@plain.example", "{\"type\":\"reject\"}")
    "," LITERAL("\"name\":\"off\",\"enabled\":false,", "off@plain.example", DROP)
    "," LITERAL("\"name\":\"late\",\"priority\":5,", "order@plain.example",
                WORKER("late"))
    "," LITERAL("\"name\":\"first\",\"priority\":-1,\"enabled\":false,",
                "order@plain.example", WORKER("first"))
    "," LITERAL("\"name\":\"second\",", "order@plain.example", WORKER("second"))
    "," LITERAL("\"name\":\"third\",\"priority\":0,", "order@plain.example",
                WORKER("third"))
    "," LITERAL("", "me+tag@plain.example", WORKER("tag"))
    "," LITERAL("", "me@Covered.plain.example", WORKER("covered"))
    "," LITERAL("", "\\\"a b\\\"@plain.example", WORKER("quoted"))
    "]},"
    /* full: subaddresses, folded local parts, catch-alls in order */
    "{\"name\":\"Full.Example\",\"settings\":{\"support_subaddress\":true,"
    "\"fold_local\":true},\"catch_all\":" ALL("\"name\":\"all\",", WORKER("all"))
    ",\"rules\":["
    ALL("\"name\":\"early\",\"priority\":9,\"enabled\":false,", DROP) ","
    LITERAL("", "Me@full.example", WORKER("me")) ","
    LITERAL("", "me+Exact@full.example", WORKER("exact")) ","
    LITERAL("\"enabled\":false,", "me+off@full.example", WORKER("off")) ","
    LITERAL("", "me@covered.full.example", WORKER("covered"))
    "]},"
    "{\"name\":\"sub.full.example\",\"catch_all\":" ALL("", DROP) "},"
    "{\"name\":\"closed.example\",\"enabled\":false,\"catch_all\":" ALL("", DROP)
    "},"
    "{\"settings\":{\"name\":\"shut.example\",\"enabled\":false},"
    "\"catch_all\":" ALL("", DROP) "},"
    "{\"name\":\"b\xc3\xbc" "cher.example\",\"catch_all\":" ALL("", DROP) "}"
    "],\"addresses\":[{\"email\":\"v@OK.example\",\"verified\":true},"
    "{\"email\":\"w@ok.example\",\"verified\":\"2026-01-02T03:04:05Z\"},"
    "{\"email\":\"u@no.example\",\"verified\":null}]}";

/* want: "KIND REASON MATCH zone/rule-name WHAT", WHAT being the destinations,
 * the handler or the reply. */
static const struct row {
    const char *name;
    const char *to;
    const char *want;
} rows[] = {
    {"forward", "me@plain.example",
     "forward rule exact plain.example/one v@ok.example"},
    {"forward, domain in capitals", "me@PLAIN.Example",
     "forward rule exact plain.example/one v@ok.example"},
    {"local part is exact", "Me@plain.example",
     "reject no-address none plain.example/ 550 5.1.1 No such address"},
    {"several destinations", "many@plain.example",
     "forward rule exact plain.example/ v@ok.example w@ok.example"},
    {"one of two not verified", "half@plain.example",
     "reject not-verified exact plain.example/ 550 5.2.1 Destination of this "
     "address is not verified"},
    {"the other of two not verified", "other.half@plain.example",
     "reject not-verified exact plain.example/ 550 5.2.1 Destination of this "
     "address is not verified"},
    {"destination not listed", "unlisted@plain.example",
     "reject not-verified exact plain.example/ 550 5.2.1 Destination of this "
     "address is not verified"},
    {"worker", "hook@plain.example", "handler rule exact plain.example/ hook"},
    {"drop", "gone@plain.example", "drop rule exact plain.example/"},
    {"reject", "no@plain.example",
     "reject rule exact plain.example/ 450 4.2.1 not today"},
    {"reject by default", "never@plain.example",
     "reject rule exact plain.example/ 550 5.7.1 Rejected by the recipient's "
     "rules"},
    {"disabled rule", "off@plain.example",
     "reject no-address none plain.example/ 550 5.1.1 No such address"},
    {"priority, then the order of the text", "order@plain.example",
     "handler rule exact plain.example/second second"},
    {"detail as written", "me+tag@plain.example",
     "handler rule exact plain.example/ tag"},
    {"detail is not taken off", "me+other@plain.example",
     "reject no-address none plain.example/ 550 5.1.1 No such address"},
    {"covered subdomain", "me@covered.plain.example",
     "handler rule exact plain.example/ covered"},
    {"nobody in a covered subdomain", "you@covered.plain.example",
     "reject no-address none plain.example/ 550 5.1.1 No such address"},
    {"subdomain that no rule names", "me@other.plain.example",
     "reject no-zone none / 550 5.7.1 Relaying denied"},
    {"quoted local part", "\"a b\"@plain.example",
     "handler rule exact plain.example/ quoted"},
    {"needless quotes", "\"me\"@plain.example",
     "forward rule exact plain.example/one v@ok.example"},
    {"foreign domain", "me@elsewhere.example",
     "reject no-zone none / 550 5.7.1 Relaying denied"},
    {"address literal", "me@[192.0.2.1]",
     "reject no-zone none / 550 5.7.1 Relaying denied"},
    {"folded local part", "ME@full.example",
     "handler rule exact full.example/ me"},
    {"exact before base", "me+exact@full.example",
     "handler rule exact full.example/ exact"},
    {"base", "mE+x+y@full.example", "handler rule base full.example/ me"},
    {"base behind a disabled rule", "me+off@full.example",
     "handler rule base full.example/ me"},
    {"no base before the plus", "+x@full.example",
     "handler rule catch-all full.example/all all"},
    {"catch-all", "anyone@full.example",
     "handler rule catch-all full.example/all all"},
    {"catch-all is not for covered subdomains", "you@covered.full.example",
     "reject no-address none full.example/ 550 5.1.1 No such address"},
    {"catch-all of a subdomain", "x@sub.full.example",
     "drop rule catch-all sub.full.example/"},
    {"disabled zone", "x@closed.example",
     "reject zone-disabled none closed.example/ 550 5.7.1 Relaying denied"},
    {"zone disabled by its settings", "x@shut.example",
     "reject zone-disabled none shut.example/ 550 5.7.1 Relaying denied"},
    {"U-label", "x@B\xc3\xbc" "cher.example",
     "drop rule catch-all xn--bcher-kva.example/"},
    {"A-label", "x@XN--BCHER-KVA.example",
     "drop rule catch-all xn--bcher-kva.example/"},
};

static struct onward_ruleset *load(struct onward_ctx *ctx, const char *text)
{
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_ruleset *rs = NULL;
    int ret =
        onward_ruleset_new(ctx, onward_str_of(text), NULL, &fault, &rs);

    if (ret != 0)
        print_error("%zu: %s: %s\n", fault.line, fault.path, fault.text);
    assert_int_equal(ret, 0);
    return rs;
}

/* One at a time: what it says lives until the next one. */
static struct onward_ruleset_router *router;

static struct onward_ruleset_decision
route(struct onward_ctx *ctx, const struct onward_ruleset *rs, const char *to,
      const struct onward_ruleset_facts *facts,
      const struct onward_ruleset_trace *trace)
{
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_mailbox *mailbox;

    assert_int_equal(onward_mailbox_parse(ctx, onward_str_of(to),
                                          ONWARD_MAILBOX_ALLOW_UTF8, &mailbox),
                     0);
    if (router == NULL)
        assert_int_equal(onward_ruleset_router_new(ctx, &router), 0);
    assert_int_equal(
        onward_ruleset_route(rs, router, mailbox, facts, trace, &d), 0);
    onward_mailbox_free(mailbox);
    return d;
}

static void forget(void)
{
    onward_ruleset_router_free(router);
    router = NULL;
}

static void print(const struct onward_ruleset_decision *d, char *out,
                  size_t cap)
{
    static const char *const kinds[] = {"?", "forward", "drop", "handler",
                                        "reject"};
    static const char *const matches[] = {"none", "exact", "base",
                                          "catch-all"};
    size_t len = (size_t)snprintf(
        out, cap, "%s %s %s %.*s/%.*s", kinds[d->kind],
        onward_ruleset_reason_name(d->reason), matches[d->match],
        (int)d->zone.len, d->zone.data == NULL ? "" : d->zone.data,
        (int)d->rule_name.len,
        d->rule_name.data == NULL ? "" : d->rule_name.data);

    for (size_t i = 0; i < d->destination_count; i++)
        len += (size_t)snprintf(out + len, cap - len, " %.*s",
                                (int)d->destinations[i].len,
                                d->destinations[i].data);
    if (d->kind == ONWARD_RULESET_HANDLER)
        snprintf(out + len, cap - len, " %.*s", (int)d->handler.len,
                 d->handler.data);
    if (d->kind == ONWARD_RULESET_REJECT)
        snprintf(out + len, cap - len, " %d %.*s %.*s", d->reply_code,
                 (int)d->reply_enhanced.len, d->reply_enhanced.data,
                 (int)d->reply_text.len, d->reply_text.data);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_ruleset_decision d;
    struct onward_ruleset *rs;
    struct t_world w;
    char got[512];

    t_world_init(&w);
    rs = load(w.ctx, rules);
    d = route(w.ctx, rs, row->to, NULL, NULL);
    print(&d, got, sizeof(got));
    assert_string_equal(got, row->want);
    assert_true((d.kind == ONWARD_RULESET_REJECT) == (d.group == 0));
    onward_ruleset_free(rs);
    forget();
    t_world_clear(&w);
}

/* ---- Facts ------------------------------------------------------------- */

struct word {
    int ret;
    char asked[64];
};

static int say(void *user, const char *address, size_t len)
{
    struct word *word = user;

    snprintf(word->asked, sizeof(word->asked), "%.*s", (int)len, address);
    return word->ret;
}

static void test_the_hosts_word_wins(void **state)
{
    static const struct {
        int word;
        const char *to;
        int reason;
        int code;
    } cases[] = {
        {0, "me@plain.example", ONWARD_RULESET_RULE, 0},
        {1, "me@plain.example", ONWARD_RULESET_RULE, 0},
        {2, "me@plain.example", ONWARD_RULESET_NOT_VERIFIED, 550},
        {-1, "me@plain.example", ONWARD_RULESET_NOT_NOW, 451},
        {0, "unlisted@plain.example", ONWARD_RULESET_NOT_VERIFIED, 550},
        {1, "unlisted@plain.example", ONWARD_RULESET_RULE, 0},
        {-1, "half@plain.example", ONWARD_RULESET_NOT_NOW, 451},
    };
    struct word word;
    struct onward_ruleset_facts facts = {
        .size = sizeof(facts), .user = &word, .destination = say};
    struct onward_ruleset *rs;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = load(w.ctx, rules);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct onward_ruleset_decision d;

        word.ret = cases[i].word;
        d = route(w.ctx, rs, cases[i].to, &facts, NULL);
        assert_int_equal(d.reason, cases[i].reason);
        assert_int_equal(d.reply_code, cases[i].code);
    }
    route(w.ctx, rs, "me@plain.example", &facts, NULL);
    assert_string_equal(word.asked, "v@ok.example");
    onward_ruleset_free(rs);
    forget();
    t_world_clear(&w);
}

/* ---- Groups ------------------------------------------------------------ */

static void test_groups_join_what_goes_the_same_way(void **state)
{
    static const char text[] =
        "{\"version\":1,\"zones\":[{\"name\":\"a.example\",\"rules\":["
        LITERAL("", "1@a.example", FORWARD("\"v@ok.example\"")) ","
        LITERAL("", "2@a.example", FORWARD("\"v@OK.example\"")) ","
        LITERAL("", "3@a.example", FORWARD("\"w@ok.example\"")) ","
        LITERAL("", "4@a.example", WORKER("h")) ","
        LITERAL("", "5@a.example", WORKER("h")) ","
        LITERAL("", "6@a.example", DROP)
        "]},{\"name\":\"b.example\",\"rules\":["
        LITERAL("", "1@b.example", FORWARD("\"v@ok.example\""))
        "]}],\"addresses\":[{\"email\":\"v@ok.example\",\"verified\":true},"
        "{\"email\":\"w@ok.example\",\"verified\":true}]}";
    static const char *const to[] = {"1@a.example", "2@a.example",
                                     "3@a.example", "4@a.example",
                                     "5@a.example", "6@a.example",
                                     "1@b.example"};
    static const int want[] = {1, 1, 2, 3, 3, 4, 5};
    uint64_t group[7];
    struct onward_ruleset *rs;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = load(w.ctx, text);
    for (size_t i = 0; i < 7; i++)
        group[i] = route(w.ctx, rs, to[i], NULL, NULL).group;
    for (size_t i = 0; i < 7; i++) {
        for (size_t k = 0; k < 7; k++)
            assert_true((group[i] == group[k]) == (want[i] == want[k]));
        assert_true(group[i] != 0);
    }
    onward_ruleset_free(rs);
    forget();
    t_world_clear(&w);
}

/* ---- Trace ------------------------------------------------------------- */

static void collect(void *user, const struct onward_ruleset_step *step)
{
    char *out = user;
    size_t len = strlen(out);

    snprintf(out + len, 512 - len, "%.*s:%.*s ", (int)step->what.len,
             step->what.data, (int)step->rule_name.len,
             step->rule_name.data == NULL ? "" : step->rule_name.data);
}

static void test_trace_tells_the_steps(void **state)
{
    static const struct {
        const char *to;
        const char *want;
    } cases[] = {
        {"order@plain.example",
         "zone: rule-disabled:first match-exact:second "},
        {"off@plain.example", "zone: rule-disabled:off no-address: "},
        {"half@plain.example", "zone: match-exact: not-verified: "},
        {"x@full.example", "zone: rule-disabled:early match-catch-all:all "},
        {"me+x@full.example", "zone: match-base: "},
        {"x@y.example", "no-zone: "},
        {"x@closed.example", "zone-disabled: "},
    };
    char out[512];
    struct onward_ruleset_trace trace = {
        .size = sizeof(trace), .user = out, .step = collect};
    struct onward_ruleset *rs;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = load(w.ctx, rules);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        out[0] = '\0';
        route(w.ctx, rs, cases[i].to, NULL, &trace);
        assert_string_equal(out, cases[i].want);
    }
    onward_ruleset_free(rs);
    forget();
    t_world_clear(&w);
}

/* ---- Life -------------------------------------------------------------- */

static void test_decision_fits_its_caller(void **state)
{
    struct {
        struct onward_ruleset_decision d;
        uint64_t newer;
    } out = {.d = {.size = sizeof(out)}, .newer = 7};
    struct onward_ruleset_facts facts = {.size = 1};
    struct onward_mailbox *to;
    struct onward_ruleset *rs;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = load(w.ctx, rules);
    assert_int_equal(onward_ruleset_router_new(w.ctx, &router), 0);
    assert_int_equal(onward_mailbox_parse(
                         w.ctx, ONWARD_STR("me@plain.example"), 0, &to),
                     0);
    assert_int_equal(onward_ruleset_route(rs, router, to, NULL, NULL, &out.d), 0);
    assert_true(out.newer == 0);
    assert_int_equal(out.d.rule, 0);
    out.newer = 7;
    out.d.rule = 7;
    out.d.destination_count = 7;
    out.d.size = 2 * sizeof(size_t);
    assert_int_equal(onward_ruleset_route(rs, router, to, NULL, NULL, &out.d), 0);
    assert_int_equal(out.d.rule, 0);
    assert_int_equal(out.d.destination_count, 7);
    out.d.size = 1;
    assert_int_equal(onward_ruleset_route(rs, router, to, NULL, NULL, &out.d),
                     ONWARD_EINVAL);
    out.d.size = sizeof(out.d);
    assert_int_equal(onward_ruleset_route(rs, router, to, &facts, NULL, &out.d),
                     ONWARD_EINVAL);
    onward_mailbox_free(to);
    onward_ruleset_free(rs);
    forget();
    t_world_clear(&w);
}

static void test_lives_as_long_as_its_last_owner(void **state)
{
    struct onward_ruleset *rs;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = load(w.ctx, rules);
    assert_ptr_equal(onward_ruleset_ref(rs), rs);
    onward_ruleset_free(rs);
    assert_int_equal(onward_ruleset_zone_count(rs), 6);
    onward_ruleset_free(rs);
    onward_ruleset_free(NULL);
    forget();
    t_world_clear(&w);
}

/* Decisions do not depend on it: more than are under way at once, known and
 * not, none, and an address without a domain. */
static void tell_beforehand(struct onward_ctx *ctx,
                            const struct onward_ruleset *rs)
{
    enum { TOLD = 41 };
    struct onward_mailbox *to[TOLD];
    const struct onward_mailbox *told[TOLD];
    char text[TOLD][32];

    for (int i = 0; i < TOLD; i++) {
        snprintf(text[i], sizeof(text[i]), "x@d%d.%s", i,
                 i % 2 == 0 ? "example" : "absent");
        if (i == TOLD - 1)
            snprintf(text[i], sizeof(text[i]), "x@[192.0.2.1]");
        assert_int_equal(
            onward_mailbox_parse(ctx, onward_str_of(text[i]), 0, &to[i]), 0);
        told[i] = to[i];
    }
    onward_ruleset_expect(rs, told, TOLD);
    onward_ruleset_expect(rs, NULL, 0);
    for (int i = 0; i < TOLD; i++) {
        assert_int_equal(route(ctx, rs, text[i], NULL, NULL).kind,
                         i % 2 == 0 && i < TOLD - 1 ? ONWARD_RULESET_DROP
                                                    : ONWARD_RULESET_REJECT);
        onward_mailbox_free(to[i]);
    }
}

static void test_many_domains(void **state)
{
    enum { ZONES = 20000 };
    struct onward_ruleset *rs;
    struct t_world w;
    char to[64];
    size_t cap = 128 + ZONES * 128;
    char *text = malloc(cap);
    size_t len = 0;

    (void)state;
    assert_non_null(text);
    len += (size_t)snprintf(text, cap, "{\"version\":1,\"zones\":[");
    for (int i = 0; i < ZONES; i++)
        len += (size_t)snprintf(
            text + len, cap - len,
            "%s{\"name\":\"d%d.example\",\"catch_all\":" ALL("", DROP) "}",
            i == 0 ? "" : ",", i);
    snprintf(text + len, cap - len, "]}");
    t_world_init(&w);
    rs = load(w.ctx, text);
    assert_int_equal(onward_ruleset_zone_count(rs), ZONES);
    for (int i = 0; i < ZONES; i += 97) {
        snprintf(to, sizeof(to), "x@d%d.example", i);
        assert_int_equal(route(w.ctx, rs, to, NULL, NULL).kind,
                         ONWARD_RULESET_DROP);
    }
    tell_beforehand(w.ctx, rs);
    onward_ruleset_free(rs);
    forget();
    t_world_clear(&w);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest singles[] = {
        cmocka_unit_test(test_the_hosts_word_wins),
        cmocka_unit_test(test_groups_join_what_goes_the_same_way),
        cmocka_unit_test(test_trace_tells_the_steps),
        cmocka_unit_test(test_decision_fits_its_caller),
        cmocka_unit_test(test_lives_as_long_as_its_last_owner),
        cmocka_unit_test(test_many_domains),
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    return _cmocka_run_group_tests("rows", tests, ROWS, NULL, NULL) +
           cmocka_run_group_tests(singles, NULL, NULL);
}
