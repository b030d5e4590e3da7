/*
 * Loading rules: what a text may hold, and what is said about one that holds
 * something else.
 */
#include "support/support.h"

#include <onward/ruleset.h>

/* A text with one rule in one zone, and one address. */
#define FILE_OF(zone_extra, rule, address)                                     \
    "{\"version\":1,\n\"zones\":[\n{\"name\":\"example.com\"" zone_extra       \
    ",\n\"rules\":[\n" rule "\n]}],\n\"addresses\":[\n" address "\n]}"
#define ZONES(zones) "{\"version\":1,\"zones\":[" zones "]}"
#define TO_ME                                                                  \
    "\"matchers\":[{\"type\":\"literal\",\"field\":\"to\","                    \
    "\"value\":\"me@example.com\"}]"
#define DROP "\"actions\":[{\"type\":\"drop\"}]"
#define RULE(rest) FILE_OF("", "{" rest "}", "")
#define MATCHER(m) RULE("\"matchers\":[" m "]," DROP)
#define VALUE(v)                                                               \
    MATCHER("{\"type\":\"literal\",\"field\":\"to\",\"value\":" v "}")
#define ACTION(a) RULE(TO_ME ",\"actions\":[" a "]")
#define ADDRESS(a) FILE_OF("", "", a)

static const struct row {
    const char *name;
    const char *text;
    int want;
    size_t line;
    const char *path;
    const char *fault;
} rows[] = {
    /* ---- Sound ---- */
    {"least", "{\"version\":1}", 0, 0, NULL, NULL},
    {"empty lists", "{\"version\":1,\"zones\":[],\"addresses\":[]}", 0, 0, NULL,
     NULL},
    {"zone without rules", ZONES("{\"name\":\"example.com\"}"), 0, 0, NULL,
     NULL},
    {"comments everywhere",
     "{\"version\":1,\"comment\":[1,{\"x\":2}],\"zones\":[{\"comment\":\"\","
     "\"name\":\"a.example\",\"settings\":{\"comment\":0},\"rules\":["
     "{\"comment\":\"\",\"matchers\":[{\"type\":\"all\",\"comment\":\"\"}],"
     "\"actions\":[{\"type\":\"drop\",\"comment\":\"\"}]}]}]}",
     0, 0, NULL, NULL},
    {"rule as the API returns it",
     FILE_OF("",
             "{\"id\":\"a7e6fb77503c41d8a7f3113c6918f10c\",\"tag\":\"a7e6\","
             "\"name\":\"Send to x\",\"enabled\":true,\"priority\":0," TO_ME
             ",\"actions\":[{\"type\":\"forward\",\"value\":[\"x@example.net\"]"
             "}],\"source\":\"api\"}",
             "{\"id\":\"ea95\",\"tag\":\"ea95\",\"email\":\"x@example.net\","
             "\"created\":\"2014-01-02T02:20:00Z\","
             "\"modified\":\"2014-01-02T02:20:00Z\","
             "\"verified\":\"2014-01-02T02:20:00Z\"}"),
     0, 0, NULL, NULL},
    {"API responses",
     "{\"version\":1,\"zones\":{\"success\":true,\"errors\":[],"
     "\"messages\":[],\"result\":[{\"id\":\"x\",\"name\":\"example.com\","
     "\"enabled\":true,\"status\":\"ready\",\"skip_wizard\":true,"
     "\"support_subaddress\":true,\"created\":\"\",\"modified\":\"\","
     "\"tag\":\"\","
     "\"rules\":{\"success\":true,\"result\":[],\"result_info\":{\"page\":1}},"
     "\"catch_all\":{\"success\":true,\"result\":{\"id\":\"\",\"name\":\"\","
     "\"enabled\":false,\"matchers\":[{\"type\":\"all\"}],"
     "\"actions\":[{\"type\":\"drop\"}]}}}]},"
     "\"addresses\":{\"success\":true,\"result\":[]}}",
     0, 0, NULL, NULL},
    {"settings as the API returns them",
     ZONES("{\"settings\":{\"success\":true,\"result\":{\"id\":\"x\","
           "\"name\":\"Example.COM\",\"enabled\":true,\"status\":\"ready\"}},"
           "\"name\":\"example.com\"}"),
     0, 0, NULL, NULL},
    {"name in the settings only",
     ZONES("{\"settings\":{\"name\":\"example.com\"}}"), 0, 0, NULL, NULL},
    {"subdomain of the zone", VALUE("\"me@a.b.example.com\""), 0, 0, NULL,
     NULL},
    {"reject in full",
     ACTION("{\"type\":\"reject\",\"code\":450,\"enhanced\":\"4.2.1\","
            "\"text\":\"not today\"}"),
     0, 0, NULL, NULL},
    {"drop with an empty value", ACTION("{\"type\":\"drop\",\"value\":[]}"), 0,
     0, NULL, NULL},
    {"lowest priority",
     RULE("\"priority\":-9223372036854775808," TO_ME "," DROP), 0, 0, NULL,
     NULL},

    /* ---- The text as a whole ---- */
    {"no JSON", "{\"version\":1,\n}", ONWARD_ESYNTAX, 2, "",
     "no key in quotes, expected one"},
    {"duplicate key", "{\"version\":1,\n\"version\":1}", ONWARD_ESYNTAX, 2,
     "version", "key that this object already has, expected each once"},
    {"no object", "[]", ONWARD_ESYNTAX, 1, "", "an array, expected an object"},
    {"no version", "{}", ONWARD_ESYNTAX, 1, "",
     "no key \"version\", expected a number"},
    {"version of another type", "{\"version\":\"1\"}", ONWARD_ESYNTAX, 1,
     "version", "a string, expected a number"},
    {"another version", "{\n\"version\":2}", ONWARD_ESYNTAX, 2, "version",
     "another version, expected 1"},
    {"unknown key on top", "{\"version\":1,\n\"zone\":[]}", ONWARD_ESYNTAX, 2,
     "zone", "unknown key, expected version, zones, addresses or comment"},
    {"zones of another type", "{\"version\":1,\"zones\":{}}", ONWARD_ESYNTAX, 1,
     "zones", "an object, expected an array"},

    /* ---- API responses ---- */
    {"failed response",
     "{\"version\":1,\"zones\":{\"success\":false,\"result\":[]}}",
     ONWARD_ESYNTAX, 1, "zones.success", "false, expected true"},
    {"unknown key in a response",
     "{\"version\":1,\"zones\":{\"success\":true,\"result\":[],\"x\":1}}",
     ONWARD_ESYNTAX, 1, "zones.x",
     "unknown key, expected success, errors, messages, result or "
     "result_info"},
    {"fault inside a response",
     "{\"version\":1,\"zones\":{\"success\":true,\"result\":[1]}}",
     ONWARD_ESYNTAX, 1, "zones.result[0]", "a number, expected an object"},

    /* ---- Zones ---- */
    {"zone without a name", ZONES("{}"), ONWARD_ESYNTAX, 1, "zones[0]",
     "no key \"name\", expected a string"},
    {"zone with no domain", ZONES("{\"name\":\"a..b\"}"), ONWARD_ESYNTAX, 1,
     "zones[0].name", "not a domain, expected a domain name"},
    {"zone twice",
     ZONES("{\"name\":\"example.com\"},\n{\"name\":\"EXAMPLE.com.\"}"),
     ONWARD_ESYNTAX, 2, "zones[1].name",
     "a zone for the second time, expected each once"},
    {"two names",
     ZONES("{\"name\":\"a.example\",\"settings\":{\"name\":\"b.example\"}}"),
     ONWARD_ESYNTAX, 1, "zones[0].settings.name",
     "another name, expected the name of the zone"},
    {"unknown setting",
     ZONES("{\"name\":\"a.example\",\"settings\":{\"foldlocal\":true}}"),
     ONWARD_ESYNTAX, 1, "zones[0].settings.foldlocal",
     "unknown key, expected support_subaddress, subaddress_separators, "
     "fold_local, match, subdomains, name, enabled or comment"},
    {"setting of another type",
     ZONES("{\"name\":\"a.example\",\"settings\":{\"fold_local\":1}}"),
     ONWARD_ESYNTAX, 1, "zones[0].settings.fold_local",
     "a number, expected true or false"},
    {"catch-all with a literal",
     ZONES("{\"name\":\"example.com\",\"catch_all\":{" TO_ME "," DROP "}}"),
     ONWARD_ESYNTAX, 1, "zones[0].catch_all.matchers",
     "other matchers, expected one of the type all"},

    /* ---- Rules ---- */
    {"unknown key in a rule", RULE("\"prio\":1," TO_ME "," DROP),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].prio",
     "unknown key, expected name, enabled, priority, matchers, actions or "
     "comment"},
    {"enabled of another type", RULE("\"enabled\":\"yes\"," TO_ME "," DROP),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].enabled",
     "a string, expected true or false"},
    {"priority that is no integer", RULE("\"priority\":1.5," TO_ME "," DROP),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].priority",
     "not a whole number in 64 bits, expected an integer"},
    {"no matchers", RULE(DROP), ONWARD_ESYNTAX, 5, "zones[0].rules[0]",
     "no key \"matchers\", expected an array"},
    {"no actions", RULE(TO_ME), ONWARD_ESYNTAX, 5, "zones[0].rules[0]",
     "no key \"actions\", expected an array"},
    {"empty matchers", RULE("\"matchers\":[]," DROP), ONWARD_ESYNTAX, 5,
     "zones[0].rules[0].matchers",
     "an empty array, expected one matcher or more"},
    {"two actions",
     RULE(TO_ME ",\"actions\":[{\"type\":\"drop\"},{\"type\":\"drop\"}]"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].actions[1]",
     "a second action that decides, expected drop, reject and defer without "
     "another"},

    /* ---- Matchers ---- */
    {"unknown matcher", MATCHER("{\"type\":\"regexp\",\"value\":\"x\"}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].matchers[0].type",
     "unknown matcher, expected literal, all, prefix, suffix, contains, glob, "
     "regex, domain, exists, at_least, at_most, is, network, and, or, not"},
    {"unknown field",
     MATCHER("{\"type\":\"literal\",\"field\":\"cc\",\"value\":\"x\"}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].matchers[0].field",
     "unknown field, expected to, from, header, attachment_name, "
     "attachment_type, size, score, client, tls, spf, dkim, dmarc or arc"},
    {"literal without a value",
     MATCHER("{\"type\":\"literal\",\"field\":\"to\"}"), ONWARD_ESYNTAX, 5,
     "zones[0].rules[0].matchers[0]", "no key \"value\", expected a string"},
    {"star elsewhere", VALUE("\"*@example.net\""), ONWARD_ESYNTAX, 5,
     "zones[0].rules[0].matchers[0].value",
     "an address outside the zone, expected one in it or in a subdomain"},
    {"wildcard elsewhere", VALUE("\"*@*.example.net\""), ONWARD_ESYNTAX, 5,
     "zones[0].rules[0].matchers[0].value",
     "a wildcard outside the zone, expected *. and the name of the zone"},
    {"address of a foreign domain", VALUE("\"me@example.net\""), ONWARD_ESYNTAX,
     5, "zones[0].rules[0].matchers[0].value",
     "an address outside the zone, expected one in it or in a subdomain"},
    {"domain that only ends alike", VALUE("\"me@notexample.com\""),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].matchers[0].value",
     "an address outside the zone, expected one in it or in a subdomain"},
    {"address literal", VALUE("\"me@[192.0.2.1]\""), ONWARD_ESYNTAX, 5,
     "zones[0].rules[0].matchers[0].value",
     "an address outside the zone, expected one in it or in a subdomain"},
    {"address of a zone further down",
     "{\"version\":1,\"zones\":[{\"name\":\"example.com\",\"rules\":[{"
     "\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
     "\"me@sub.example.com\"}]," DROP "}]},{\"name\":\"sub.example.com\"}]}",
     ONWARD_ESYNTAX, 1, "zones[1]",
     "sub.example.com, which the zone example.com takes, expected each domain "
     "in one zone"},

    /* ---- Actions ---- */
    {"unknown action", ACTION("{\"type\":\"copy\"}"), ONWARD_ESYNTAX, 5,
     "zones[0].rules[0].actions[0].type",
     "unknown action, expected forward, failover, handler, worker, webhook, drop, "
     "reject, defer, quarantine, add_field, tag, continue or stop"},
    {"forward to nobody", ACTION("{\"type\":\"forward\",\"value\":[]}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].actions[0].value",
     "an empty array, expected one address or more"},
    {"forward twice to one",
     ACTION("{\"type\":\"forward\",\"value\":[\"a@b.example\","
            "\"a@B.example\"]}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].actions[0].value[1]",
     "an address for the second time, expected each once"},
    {"forward to a number", ACTION("{\"type\":\"forward\",\"value\":[1]}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].actions[0].value[0]",
     "a number, expected a string"},
    {"forward to an address literal",
     ACTION("{\"type\":\"forward\",\"value\":[\"a@[192.0.2.1]\"]}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].actions[0].value[0]",
     "an address literal, expected an address with a domain"},
    {"worker without a name", ACTION("{\"type\":\"worker\",\"value\":[\"\"]}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].actions[0].value[0]",
     "an empty string, expected the name of one handler"},
    {"two workers", ACTION("{\"type\":\"worker\",\"value\":[\"a\",\"b\"]}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].actions[0].value",
     "not one item, expected the name of one handler"},
    {"drop with a value", ACTION("{\"type\":\"drop\",\"value\":[\"x\"]}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].actions[0].value",
     "a value, expected none for the action drop"},
    {"reject with 250", ACTION("{\"type\":\"reject\",\"code\":250}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].actions[0].code",
     "a number outside the range, expected a reply code from 400 to 599"},
    {"reject with 600", ACTION("{\"type\":\"reject\",\"code\":600}"),
     ONWARD_ESYNTAX, 5, "zones[0].rules[0].actions[0].code",
     "a number outside the range, expected a reply code from 400 to 599"},
    {"enhanced code of another class",
     ACTION("{\"type\":\"reject\",\"enhanced\":\"4.7.1\"}"), ONWARD_ESYNTAX, 5,
     "zones[0].rules[0].actions[0].enhanced",
     "no enhanced code of that class, expected one like 5.7.1"},
    {"enhanced code of four parts",
     ACTION("{\"type\":\"reject\",\"enhanced\":\"5.7.1.1\"}"), ONWARD_ESYNTAX,
     5, "zones[0].rules[0].actions[0].enhanced",
     "no enhanced code of that class, expected one like 5.7.1"},
    {"reply that would be two lines",
     ACTION("{\"type\":\"reject\",\"text\":\"a\\r\\nb\"}"), ONWARD_ESYNTAX, 5,
     "zones[0].rules[0].actions[0].text",
     "text that no reply can hold, expected 1 to 400 printable ASCII "
     "characters"},

    /* ---- Addresses ---- */
    {"address twice",
     ADDRESS("{\"email\":\"a@b.example\"},\n{\"email\":\"a@B.example\"}"),
     ONWARD_ESYNTAX, 9, "addresses[1].email",
     "an address for the second time, expected each once"},
    {"verified by a word",
     ADDRESS("{\"email\":\"a@b.example\",\"verified\":\"yes\"}"),
     ONWARD_ESYNTAX, 8, "addresses[0].verified",
     "no state of verification, expected null, false, true or a time stamp"},
    {"unknown key in an address",
     ADDRESS("{\"email\":\"a@b.example\",\"x\\u0001\":1}"), ONWARD_ESYNTAX, 8,
     "addresses[0].x\\x01", "unknown key, expected email, verified, status or "
     "comment"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_ruleset *rs = NULL;
    struct t_world w;
    int ret;

    t_world_init(&w);
    ret =
        onward_ruleset_new(w.ctx, onward_str_of(row->text), NULL, &fault, &rs);
    if (row->want != 0) {
        assert_string_equal(fault.text, row->fault);
        assert_string_equal(fault.path, row->path);
        assert_int_equal(fault.line, row->line);
        assert_null(rs);
    } else if (ret != 0) {
        print_error("%zu: %s: %s\n", fault.line, fault.path, fault.text);
    }
    assert_int_equal(ret, row->want);
    onward_ruleset_free(rs);
    t_world_clear(&w);
}

/* Of an address fault the reason is that of the address parser. */
static void test_broken_address_says_why(void **state)
{
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_ruleset *rs = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_ruleset_new(w.ctx, onward_str_of(VALUE("\"me\"")),
                                        NULL, &fault, &rs),
                     ONWARD_ESYNTAX);
    assert_string_equal(fault.path, "zones[0].rules[0].matchers[0].value");
    assert_string_equal(fault.text,
                        "not an address, expected @ behind the local part");
    assert_int_equal(
        onward_ruleset_new(w.ctx, onward_str_of(VALUE("\"\\\"me@a.example\"")),
                           NULL, &fault, &rs),
        ONWARD_ESYNTAX);
    assert_string_equal(fault.text,
                        "quoted string without an end, expected an address");
    t_world_clear(&w);
}

static void test_limits(void **state)
{
    const char *text = "{\"version\":1,\"comment\":[[[]]]}";
    struct onward_ruleset_opts opts = {
        .size = sizeof(opts), .max_bytes = strlen(text), .max_depth = 4};
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_ruleset *rs = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_ruleset_new(w.ctx, onward_str_of(text), &opts, &fault, &rs), 0);
    onward_ruleset_free(rs);
    rs = NULL;
    opts.max_depth = 3;
    assert_int_equal(
        onward_ruleset_new(w.ctx, onward_str_of(text), &opts, &fault, &rs),
        ONWARD_ELIMIT);
    assert_int_equal(fault.line, 1);
    opts.max_depth = 4;
    opts.max_bytes--;
    assert_int_equal(
        onward_ruleset_new(w.ctx, onward_str_of(text), &opts, &fault, &rs),
        ONWARD_ELIMIT);
    assert_string_equal(fault.text, "text over the limit of max_bytes");
    assert_int_equal(fault.line, 0);
    opts.size = 1;
    assert_int_equal(
        onward_ruleset_new(w.ctx, onward_str_of(text), &opts, NULL, &rs),
        ONWARD_EINVAL);
    assert_null(rs);
    t_world_clear(&w);
}

static void test_fault_fits_its_caller(void **state)
{
    struct onward_ruleset_fault fault;
    struct onward_ruleset *rs = NULL;
    char long_key[600];
    struct t_world w;

    (void)state;
    t_world_init(&w);
    memset(&fault, 'x', sizeof(fault));
    fault.size = 2 * sizeof(size_t);
    assert_int_equal(
        onward_ruleset_new(w.ctx, onward_str_of("[]"), NULL, &fault, &rs),
        ONWARD_ESYNTAX);
    assert_int_equal(fault.line, 1);
    assert_int_equal(fault.path[0], 'x');
    fault.size = 1;
    assert_int_equal(
        onward_ruleset_new(w.ctx, onward_str_of("[]"), NULL, &fault, &rs),
        ONWARD_EINVAL);
    assert_int_equal(
        onward_ruleset_new(w.ctx, onward_str_of("[]"), NULL, NULL, &rs),
        ONWARD_ESYNTAX);
    fault.size = sizeof(fault);
    memset(long_key, 'k', sizeof(long_key));
    memcpy(long_key, "{\"", 2);
    memcpy(long_key + 590, "\":1}", 5);
    assert_int_equal(
        onward_ruleset_new(w.ctx, onward_str_of(long_key), NULL, &fault, &rs),
        ONWARD_ESYNTAX);
    assert_true(strlen(fault.path) < sizeof(fault.path));
    t_world_clear(&w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    const struct row *row = arg;
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_ruleset *rs = NULL;
    int ret =
        onward_ruleset_new(w->ctx, onward_str_of(row->text), NULL, &fault, &rs);

    onward_ruleset_free(rs);
    if (ret == ONWARD_ENOMEM)
        return false;
    /* Never another error, nor success on half a text. */
    assert_int_equal(ret, row->want);
    return true;
}

static void test_survives_no_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        t_oom_sweep(oom_scenario, (void *)&rows[i]);
}

int main(void)
{
    static const struct CMUnitTest singles[] = {
        cmocka_unit_test(test_broken_address_says_why),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_fault_fits_its_caller),
        cmocka_unit_test(test_survives_no_memory),
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
