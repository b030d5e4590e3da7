/* Records loaded as text: what they answer, and how a line is refused. */
#include "dns/asker.h"

static const char zone[] =
    "; a comment\n"
    "\n"
    "example.com. 300 IN A 192.0.2.1\r\n"
    "example.com A 192.0.2.2 ; with a comment\n"
    "Example.COM IN 60 AAAA 2001:db8::1\n"
    "example.com\tMX\t10 Mail.Example.com.\n"
    "example.com 5 MX 0 .\n"
    "example.com NS ns.example.com\n"
    "example.com SOA ns.example.com. host.example.com. 1 2 3 4 5\n"
    "example.com TXT \"v=spf1 ip4:192.0.2.0/24\" \" -all\"\n"
    "example.com TXT \"semi;colon \\\"q\\\" \\000\\255\\\\ end\"\n"
    "example.com SPF \"v=spf1\"\n"
    "empty.example.com TXT \"\"\n"
    "a.deep.example.com A 192.0.2.3\n"
    "www.example.com CNAME example.com\n"
    "www2.example.com CNAME www.example.com.\n"
    "gone.example.com CNAME nowhere.example.com\n"
    "away.example.com CNAME other.example\n"
    "loop.example.com CNAME loop.example.com\n"
    "1.2.0.192.in-addr.arpa PTR host.example.com.\n"
    "_25._tcp.example.com TLSA 3 1 1 00ff AA bb\n"
    "raw.example.com TYPE65280 \\# 4 0a00 0001\n"
    "raw.example.com A \\# 4 c0000209\n"
    "odd.example.com MX 5 a\\046b.x\\032y.example.com\n"
    "*.wild.example.com TXT \"star\"\n"
    "*.wild.example.com A 192.0.2.7\n"
    "host.wild.example.com A 192.0.2.8\n"
    "sub.ent.wild.example.com A 192.0.2.9\n"
    "*.alias.example.com CNAME example.com\n"
    "fail.example.com A !SERVFAIL\n"
    "fail.example.com TXT !timeout\n"
    "fail.example.com MX !NODATA\n"
    "fail.example.com AAAA !BOGUS\n"
    "any.example.com ANY !SERVFAIL\n"
    "any.example.com A 192.0.2.4\n"
    "both.example.com A 192.0.2.5\n"
    "both.example.com A !TIMEOUT\n"
    "secure.example.com A 192.0.2.6\n"
    "secure.example.com A !SECURE\n"
    "secure.example.com TXT !SECURE\n"
    "salias.example.com CNAME secure.example.com\n"
    "salias.example.com CNAME !SECURE\n"
    "ualias.example.com CNAME secure.example.com\n"
    "nosuch.example.com A !SECURE\n"
    "c1.example.com CNAME c2.example.com\n"
    "c2.example.com CNAME c3.example.com\n"
    "c3.example.com CNAME c4.example.com\n"
    "c4.example.com CNAME c5.example.com\n"
    "c5.example.com CNAME c6.example.com\n"
    "c6.example.com CNAME c7.example.com\n"
    "c7.example.com CNAME c8.example.com\n"
    "c8.example.com CNAME c9.example.com\n"
    "c9.example.com A 192.0.2.10\n"
    "c0.example.com CNAME c1.example.com\n";

static const struct answer_row {
    const char *title;
    const char *name;
    uint32_t type;
    const char *want;
    const char *canonical;
    int secure;
} answers[] = {
    {"two addresses", "example.com", ONWARD_DNS_A, "OK 192.0.2.1 192.0.2.2",
     "example.com", 0},
    {"any case, final dot", "eXample.com.", ONWARD_DNS_AAAA, "OK 2001:db8::1",
     "example.com", 0},
    {"mx names in lower case, root is empty", "example.com", ONWARD_DNS_MX,
     "OK 10:mail.example.com 0:", "example.com", 0},
    {"ns", "example.com", ONWARD_DNS_NS, "OK ns.example.com", "example.com", 0},
    {"ptr", "1.2.0.192.in-addr.arpa", ONWARD_DNS_PTR, "OK host.example.com",
     "1.2.0.192.in-addr.arpa", 0},
    {"tlsa, hex with blanks", "_25._tcp.example.com", ONWARD_DNS_TLSA,
     "OK 03010100ffaabb", "_25._tcp.example.com", 0},
    {"empty text is a record", "empty.example.com", ONWARD_DNS_TXT, "OK ",
     "empty.example.com", 0},
    {"type SPF", "example.com", 99, "OK v=spf1", "example.com", 0},
    {"generic type", "raw.example.com", 65280, "OK 0a000001", "raw.example.com",
     0},
    {"generic rdata of a known type", "raw.example.com", ONWARD_DNS_A,
     "OK 192.0.2.9", "raw.example.com", 0},
    {"odd octets of a name stay escaped", "odd.example.com", ONWARD_DNS_MX,
     "OK 5:a\\046b.x\\032y.example.com", "odd.example.com", 0},
    {"other types only", "www.example.com", ONWARD_DNS_TXT, NULL, "example.com",
     0},
    {"other type is no data", "empty.example.com", ONWARD_DNS_A, "NODATA",
     "empty.example.com", 0},
    {"names below only", "deep.example.com", ONWARD_DNS_A, "NODATA",
     "deep.example.com", 0},
    {"names far above exist", "com", ONWARD_DNS_A, "NODATA", "com", 0},
    {"no such name", "none.example.com", ONWARD_DNS_A, "NXDOMAIN",
     "none.example.com", 0},
    {"below a name that exists", "x.www.example.com", ONWARD_DNS_A, "NXDOMAIN",
     "x.www.example.com", 0},
    {"not a name", "a..example.com", ONWARD_DNS_A, "NXDOMAIN", "", 0},
    {"empty name", "", ONWARD_DNS_A, "NXDOMAIN", "", 0},
    {"alias", "www.example.com", ONWARD_DNS_AAAA, "OK 2001:db8::1",
     "example.com", 0},
    {"alias of an alias", "www2.example.com", ONWARD_DNS_AAAA, "OK 2001:db8::1",
     "example.com", 0},
    {"the alias itself", "www2.example.com", ONWARD_DNS_CNAME,
     "OK www.example.com", "www2.example.com", 0},
    {"alias to nothing", "gone.example.com", ONWARD_DNS_A, "NXDOMAIN",
     "nowhere.example.com", 0},
    {"alias out of the records", "away.example.com", ONWARD_DNS_A, "NXDOMAIN",
     "other.example", 0},
    {"alias to itself", "loop.example.com", ONWARD_DNS_A, "TEMP", "", 0},
    {"eight aliases", "c1.example.com", ONWARD_DNS_A, "OK 192.0.2.10",
     "c9.example.com", 0},
    {"nine aliases", "c0.example.com", ONWARD_DNS_A, "TEMP", "", 0},
    {"wildcard", "x.wild.example.com", ONWARD_DNS_TXT, "OK star",
     "x.wild.example.com", 0},
    {"wildcard, deeper", "x.y.wild.example.com", ONWARD_DNS_A, "OK 192.0.2.7",
     "x.y.wild.example.com", 0},
    {"wildcard without the type", "x.wild.example.com", ONWARD_DNS_MX, "NODATA",
     "x.wild.example.com", 0},
    {"a name stops the wildcard", "host.wild.example.com", ONWARD_DNS_TXT,
     "NODATA", "host.wild.example.com", 0},
    {"a name stops it for those below", "x.host.wild.example.com",
     ONWARD_DNS_TXT, "NXDOMAIN", "x.host.wild.example.com", 0},
    {"an empty non-terminal stops it", "ent.wild.example.com", ONWARD_DNS_TXT,
     "NODATA", "ent.wild.example.com", 0},
    {"and below it too", "x.ent.wild.example.com", ONWARD_DNS_TXT, "NXDOMAIN",
     "x.ent.wild.example.com", 0},
    {"the asterisk itself", "*.wild.example.com", ONWARD_DNS_TXT, "OK star",
     "*.wild.example.com", 0},
    {"wildcard alias", "x.alias.example.com", ONWARD_DNS_AAAA, "OK 2001:db8::1",
     "example.com", 0},
    {"servfail", "fail.example.com", ONWARD_DNS_A, "TEMP", NULL, 0},
    {"timeout", "fail.example.com", ONWARD_DNS_TXT, "TEMP", NULL, 0},
    {"nodata", "fail.example.com", ONWARD_DNS_MX, "NODATA", NULL, 0},
    {"bogus", "fail.example.com", ONWARD_DNS_AAAA, "BOGUS", NULL, 0},
    {"no line of its own", "fail.example.com", ONWARD_DNS_PTR, "NODATA", NULL,
     0},
    {"any, a line of its own", "any.example.com", ONWARD_DNS_A, "OK 192.0.2.4",
     NULL, 0},
    {"any, no line of its own", "any.example.com", ONWARD_DNS_TXT, "TEMP", NULL,
     0},
    {"failure beats records", "both.example.com", ONWARD_DNS_A, "TEMP", NULL,
     0},
    {"secure", "secure.example.com", ONWARD_DNS_A, "OK 192.0.2.6", NULL, 1},
    {"secure, nothing there", "secure.example.com", ONWARD_DNS_TXT, "NODATA",
     NULL, 1},
    {"secure is by type", "secure.example.com", ONWARD_DNS_MX, "NODATA", NULL,
     0},
    {"secure through an alias", "salias.example.com", ONWARD_DNS_A,
     "OK 192.0.2.6", NULL, 1},
    {"insecure alias", "ualias.example.com", ONWARD_DNS_A, "OK 192.0.2.6", NULL,
     0},
    {"secure, no such name", "nosuch.example.com", ONWARD_DNS_A, "NXDOMAIN",
     NULL, 1},
};

static void test_answer(void **state)
{
    const struct answer_row *row = *state;
    struct onward_dns_lookup *lookup;
    struct t_asker a;
    char *text;

    t_asker_init_loaded(&a, zone);
    lookup = t_asker_get(&a, row->name, row->type);
    text = t_lookup_text(lookup, row->type);
    if (row->want != NULL)
        assert_string_equal(text, row->want);
    if (row->canonical != NULL)
        t_assert_str(onward_dns_lookup_canonical(lookup), row->canonical);
    assert_int_equal(onward_dns_lookup_is_secure(lookup), row->secure);
    assert_int_equal(a.done_count, 1);
    assert_int_equal(a.asked_count, 0);
    free(text);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_text_octets(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;

    (void)state;
    t_asker_init_loaded(&a, zone);
    lookup = t_asker_get(&a, "example.com", ONWARD_DNS_TXT);
    assert_int_equal(onward_dns_lookup_count(lookup), 2);
    t_assert_str(onward_dns_lookup_data(lookup, 0),
                 "v=spf1 ip4:192.0.2.0/24 -all");
    t_assert_str_n(onward_dns_lookup_data(lookup, 1),
                   "semi;colon \"q\" \0\377\\ end", 22);
    t_assert_str(onward_dns_lookup_data(lookup, 2), "");
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_least_ttl(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;

    (void)state;
    t_asker_init_loaded(&a, "a.example 20 CNAME b.example\n"
                            "b.example 10 IN A 192.0.2.1\n"
                            "b.example IN 30 A 192.0.2.2\n"
                            "c.example A 192.0.2.3\n");
    lookup = t_asker_get(&a, "a.example", ONWARD_DNS_A);
    assert_int_equal(onward_dns_lookup_ttl_s(lookup), 10);
    onward_dns_lookup_free(lookup);
    lookup = t_asker_get(&a, "c.example", ONWARD_DNS_A);
    assert_int_equal(onward_dns_lookup_ttl_s(lookup), 3600);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

/* ---- Faults ------------------------------------------------------------ */

static const struct fault_row {
    const char *title;
    const char *text;
    size_t line;
    const char *message;
} faults[] = {
    {"bad name", "a..b A 192.0.2.1", 1,
     "name \"a..b\", expected a domain name"},
    {"long label",
     "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg A "
     "1.2.3.4",
     1,
     "name \"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd...\", expected a domain "
     "name"},
    {"name alone", "\n\nexample.com", 3,
     "type, expected A, AAAA, MX, TXT, PTR, CNAME, NS, SOA, TLSA, SPF or "
     "TYPEnnn"},
    {"unknown type", "; one\na.example SRV 0 0 25 b.example", 2,
     "type \"SRV\", expected A, AAAA, MX, TXT, PTR, CNAME, NS, SOA, TLSA, SPF "
     "or TYPEnnn"},
    {"type 0", "a.example TYPE0 \\# 0", 1,
     "type \"TYPE0\", expected A, AAAA, MX, TXT, PTR, CNAME, NS, SOA, TLSA, "
     "SPF or TYPEnnn"},
    {"type too large", "a.example TYPE65536 \\# 0", 1,
     "type \"TYPE65536\", expected A, AAAA, MX, TXT, PTR, CNAME, NS, SOA, "
     "TLSA, SPF or TYPEnnn"},
    {"other class", "a.example 60 CH TXT \"x\"", 1,
     "class \"CH\", expected IN"},
    {"ttl too large", "a.example 2147483648 A 192.0.2.1", 1,
     "TTL \"2147483648\", expected seconds up to 2147483647"},
    {"ttl with unit", "a.example 1h A 192.0.2.1", 1,
     "TTL \"1h\", expected seconds up to 2147483647"},
    {"no address", "a.example A", 1, "address, expected an IPv4 address"},
    {"wrong family", "a.example A ::1", 1,
     "address \"::1\", expected an IPv4 address"},
    {"bad IPv6", "a.example AAAA 192.0.2.1", 1,
     "address \"192.0.2.1\", expected an IPv6 address"},
    {"preference too large", "a.example MX 65536 b.example", 1,
     "number \"65536\", expected 0 to 65535"},
    {"mx without name", "a.example MX 10", 1, "name, expected a domain name"},
    {"text after", "a.example A 192.0.2.1 192.0.2.2", 1,
     "text after the record \"192.0.2.2\", expected the end of the line"},
    {"text without quotes", "a.example TXT v=spf1 -all", 1,
     "text \"v=spf1 -all\", expected a quoted string"},
    {"second string without quotes", "a.example TXT \"a\" b", 1,
     "text \"b\", expected a quoted string"},
    {"no text", "a.example TXT", 1, "text, expected a quoted string"},
    {"open quote", "a.example TXT \"abc", 1,
     "text \"\"abc\", expected a closing quote"},
    {"quote escaped at the end", "a.example TXT \"abc\\\"", 1,
     "text \"\"abc\\\"\", expected a closing quote"},
    {"escape too large", "a.example TXT \"\\256\"", 1,
     "escape \"\\256\", expected \\DDD up to 255 or \\X"},
    {"escape too short", "a.example TXT \"\\25\"", 1,
     "escape \"\\25\"\", expected \\DDD up to 255 or \\X"},
    {"tlsa number", "a.example TLSA 256 1 1 00", 1,
     "number \"256\", expected 0 to 255"},
    {"tlsa hex", "a.example TLSA 3 1 1 0g", 1,
     "data \"0g\", expected hexadecimal digits"},
    {"tlsa half an octet", "a.example TLSA 3 1 1 012", 1,
     "an odd number of digits, expected two for each octet"},
    {"soa cut off", "a.example SOA b c 1 2 3 4", 1,
     "number, expected 0 to 4294967295"},
    {"generic length", "a.example TYPE65280 \\# 3 0a00", 1,
     "length \"3\", expected as many octets as follow"},
    {"generic shape", "a.example A \\# 3 0a0000", 1,
     "data, expected the shape of that type"},
    {"generic type without", "a.example TYPE65280 abc", 1,
     "data \" abc\", expected \\# length hex, as in RFC 3597"},
    {"any record", "a.example ANY 192.0.2.1", 1,
     "ANY with \"192.0.2.1\", expected a mark as !TIMEOUT"},
    {"unknown mark", "a.example A !NXDOMAIN", 1,
     "mark \"!NXDOMAIN\", expected !SERVFAIL, !TIMEOUT, !NODATA, !BOGUS or "
     "!SECURE"},
    {"text after mark", "a.example A !BOGUS now", 1,
     "text after the mark \"now\", expected the end of the line"},
};

static void test_fault(void **state)
{
    const struct fault_row *row = *state;
    struct onward_dns_fault fault = {.size = sizeof(fault)};
    struct onward_dns_lookup *lookup;
    char text[400];
    struct t_asker a;

    t_asker_init_loaded(&a, "");
    snprintf(text, sizeof(text), "%s\nok.example A 192.0.2.1\n", row->text);
    assert_int_equal(
        onward_resolver_load(a.resolver, onward_str_of(text), &fault),
        ONWARD_ESYNTAX);
    assert_int_equal(fault.line, row->line);
    t_assert_str(fault.text, row->message);
    assert_int_equal(
        onward_resolver_load(a.resolver, onward_str_of(text), NULL),
        ONWARD_ESYNTAX);
    /* nothing of it was loaded */
    lookup = t_asker_get(&a, "ok.example", ONWARD_DNS_A);
    assert_int_equal(onward_dns_lookup_status(lookup),
                     ONWARD_DNS_STATUS_NXDOMAIN);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

static void test_long_string(void **state)
{
    struct onward_dns_fault fault = {.size = sizeof(fault)};
    char text[600];
    struct t_asker a;
    int n;

    (void)state;
    t_asker_init_loaded(&a, "");
    n = snprintf(text, sizeof(text), "a.example TXT \"%0255d\"", 0);
    assert_int_equal(onward_resolver_load(a.resolver,
                                          (struct onward_str){text, (size_t)n},
                                          &fault),
                     0);
    n = snprintf(text, sizeof(text), "b.example TXT \"%0256d\"", 0);
    assert_int_equal(onward_resolver_load(a.resolver,
                                          (struct onward_str){text, (size_t)n},
                                          &fault),
                     ONWARD_ESYNTAX);
    t_assert_str(fault.text,
                 "a string over 255 octets, expected several quoted strings");
    t_asker_clear(&a);
}

static void test_load_bad_call(void **state)
{
    struct onward_dns_fault fault = {.size = 0};
    struct t_asker a;

    (void)state;
    t_asker_init_loaded(&a, "");
    assert_int_equal(onward_resolver_load(NULL, ONWARD_STR(""), NULL),
                     ONWARD_EINVAL);
    assert_int_equal(
        onward_resolver_load(a.resolver, (struct onward_str){NULL, 1}, NULL),
        ONWARD_EINVAL);
    assert_int_equal(onward_resolver_load(a.resolver, ONWARD_STR(""), &fault),
                     ONWARD_EINVAL);
    assert_int_equal(
        onward_resolver_load(a.resolver, (struct onward_str){0}, NULL), 0);
    t_asker_clear(&a);
}

static bool load_and_ask(struct t_world *w, void *arg)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .allow_only_loaded = 1};
    struct onward_dns_lookup *lookup = NULL;
    struct onward_dns_lookup_host host;
    struct onward_resolver *resolver = NULL;
    struct onward_desk *desk = NULL;
    struct t_asker a = {.done_count = 0};
    bool ok;

    (void)arg;
    t_asker_lookup_host(&a, &host);
    ok = onward_desk_new(w->ctx, NULL, &desk) == 0 &&
         onward_resolver_new(desk, &opts, NULL, &resolver) == 0 &&
         onward_resolver_load(resolver, onward_str_of(zone), NULL) == 0 &&
         onward_dns_lookup_new(resolver, ONWARD_STR("www2.example.com"),
                               ONWARD_DNS_TXT, &host, &lookup) == 0;
    if (ok) {
        while (onward_desk_run(desk, 0) == 1)
            continue;
        assert_int_equal(a.done_count, 1);
        ok = onward_dns_lookup_count(lookup) == 2;
        if (!ok)
            assert_int_equal(onward_dns_lookup_status(lookup),
                             ONWARD_DNS_STATUS_TEMP);
    }
    onward_dns_lookup_free(lookup);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    return ok;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(load_and_ask, NULL);
}

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

int main(void)
{
    struct CMUnitTest tests[COUNT(answers) + COUNT(faults) + 5];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(answers); i++)
        tests[n++] = (struct CMUnitTest){.name = answers[i].title,
                                         .test_func = test_answer,
                                         .initial_state = (void *)&answers[i]};
    for (size_t i = 0; i < COUNT(faults); i++)
        tests[n++] = (struct CMUnitTest){.name = faults[i].title,
                                         .test_func = test_fault,
                                         .initial_state = (void *)&faults[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_text_octets);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_least_ttl);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_long_string);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_load_bad_call);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_oom);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
