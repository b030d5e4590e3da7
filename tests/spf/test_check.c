/* One check: limits on both sides, explanations, life, memory, lint. */
#include <onward/spf.h>

#include "core/core_shared.h"
#include "support/support.h"

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_ip ip;
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
    assert_int_equal(onward_ip_parse(ONWARD_STR("192.0.2.9"), &x->ip), 0);
}

static void world_clear(struct world *x)
{
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static void count_done(void *user, struct onward_spf_check *check)
{
    struct world *x = user;

    x->done++;
    if (x->frees)
        onward_spf_check_free(check);
}

static struct onward_spf_check *start(struct world *x, const char *mail_from)
{
    struct onward_spf_host host = {
        .size = sizeof(host), .user = x, .done = count_done};
    struct onward_spf_opts o = {.size = sizeof(o),
                                .client_ip = &x->ip,
                                .mail_from = onward_str_of(mail_from),
                                .helo = ONWARD_STR("mail.example.org")};
    struct onward_spf_check *c = NULL;

    assert_int_equal(onward_spf_check_new(x->resolver, &o, &host, &c), 0);
    return c;
}

static void run(struct world *x)
{
    for (int64_t now = 0; now <= 30000; now += 500)
        while (onward_desk_run(x->desk, now) == 1)
            continue;
}

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X250 X50 X50 X50 X50 X50

/* ---- Verdicts ---------------------------------------------------------- */

static const struct row {
    const char *name;
    const char *zone;
    const char *mail_from;
    int result, reason;
    const char *mechanism, *explanation;
    size_t lookups, voids;
} rows[] = {
    {"ip4 passes", "e.example TXT \"v=spf1 ip4:192.0.2.0/24 -all\"",
     "a@e.example", ONWARD_SPF_PASS, ONWARD_SPF_REASON_MATCH,
     "ip4:192.0.2.0/24", "", 0, 0},
    {"no record", "e.example A 192.0.2.1", "a@e.example", ONWARD_SPF_NONE,
     ONWARD_SPF_REASON_NO_RECORD, "", "", 0, 0},
    {"null reverse-path asks HELO",
     "mail.example.org TXT \"v=spf1 ip4:192.0.2.9 -all\"", "", ONWARD_SPF_PASS,
     ONWARD_SPF_REASON_MATCH, "ip4:192.0.2.9", "", 0, 0},
    {"address literal has no domain", "", "a@[192.0.2.1]", ONWARD_SPF_NONE,
     ONWARD_SPF_REASON_NO_DOMAIN, "", "", 0, 0},
    {"ten terms are evaluated",
     "e.example TXT \"v=spf1 a:1.e.example a:2.e.example a:3.e.example "
     "a:4.e.example a:5.e.example a:6.e.example a:7.e.example a:8.e.example "
     "a:9.e.example a:10.e.example ?all\"\n*.e.example A 198.51.100.1",
     "a@e.example", ONWARD_SPF_NEUTRAL, ONWARD_SPF_REASON_MATCH, "?all", "", 10,
     0},
    {"the eleventh is permerror, not -all",
     "e.example TXT \"v=spf1 a:1.e.example a:2.e.example a:3.e.example "
     "a:4.e.example a:5.e.example a:6.e.example a:7.e.example a:8.e.example "
     "a:9.e.example a:10.e.example a:11.e.example -all\"\n"
     "*.e.example A 198.51.100.1",
     "a@e.example", ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_TERM_LIMIT, "", "",
     10, 0},
    {"include loop ends in permerror",
     "e.example TXT \"v=spf1 include:e.example -all\"", "a@e.example",
     ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_TERM_LIMIT, "", "", 10, 0},
    {"redirect loop ends in permerror",
     "e.example TXT \"v=spf1 redirect=e.example\"", "a@e.example",
     ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_TERM_LIMIT, "", "", 10, 0},
    {"two void look-ups are fine",
     "e.example TXT \"v=spf1 a:x.example a:y.example ?all\"", "a@e.example",
     ONWARD_SPF_NEUTRAL, ONWARD_SPF_REASON_MATCH, "?all", "", 2, 2},
    {"the third as last term of an include is permerror",
     "e.example TXT \"v=spf1 a:x.example include:i.example ?all\"\n"
     "i.example TXT \"v=spf1 a:y.example mx:z.example\"",
     "a@e.example", ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_VOID_LIMIT, "", "",
     4, 3},
    {"a failed look-up is temperror",
     "e.example TXT \"v=spf1 a:x.example -all\"\nx.example A !SERVFAIL",
     "a@e.example", ONWARD_SPF_TEMPERROR, ONWARD_SPF_REASON_DNS, "", "", 1, 0},
    {"a bogus answer is temperror", "e.example TXT !BOGUS", "a@e.example",
     ONWARD_SPF_TEMPERROR, ONWARD_SPF_REASON_DNS, "", "", 0, 0},
    {"an error behind a match is permerror",
     "e.example TXT \"v=spf1 ip4:192.0.2.9 ip4:300.1.1.1\"", "a@e.example",
     ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_SYNTAX, "300.1.1.1", "", 0, 0},
    {"two records in any case",
     "e.example TXT \"v=spf1 -all\"\ne.example TXT \"V=SPF1 +all\"",
     "a@e.example", ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_MANY_RECORDS, "",
     "", 0, 0},
    {"v=spf10 is no record", "e.example TXT \"v=spf10 -all\"", "a@e.example",
     ONWARD_SPF_NONE, ONWARD_SPF_REASON_NO_RECORD, "", "", 0, 0},
    {"explanation with macros",
     "e.example TXT \"v=spf1 -all exp=why.e.example\"\n"
     "why.e.example TXT \"%{c} may not send for %{d}, %{l}%{_}!\"",
     "a@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH, "-all", "", 0, 0},
    {"explanation of a good one",
     "e.example TXT \"v=spf1 -all exp=why.e.example\"\n"
     "why.e.example TXT \"%{c} may not send for %{d}\"",
     "a@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH, "-all",
     "192.0.2.9 may not send for e.example", 0, 0},
    {"explanation with a line end is none",
     "e.example TXT \"v=spf1 -all exp=why.e.example\"\n"
     "why.e.example TXT \"no\\013\\010550 ok\"",
     "a@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH, "-all", "", 0, 0},
    {"explanation of an include is not ours",
     "e.example TXT \"v=spf1 -include:i.example exp=why.e.example\"\n"
     "i.example TXT \"v=spf1 +all exp=why.i.example\"\n"
     "why.e.example TXT \"outside\"\nwhy.i.example TXT \"inside\"",
     "a@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH,
     "-include:i.example", "outside", 1, 0},
    {"explanation of an include alone is none",
     "e.example TXT \"v=spf1 -include:i.example\"\n"
     "i.example TXT \"v=spf1 +all exp=why.i.example\"\n"
     "why.i.example TXT \"inside\"",
     "a@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH,
     "-include:i.example", "", 1, 0},
    {"explanation of 500 octets",
     "e.example TXT \"v=spf1 -all exp=why.e.example\"\n"
     "why.e.example TXT \"" X250 "\" \"" X250 "\"",
     "a@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH, "-all", X250 X250,
     0, 0},
    {"explanation of 501 octets is none",
     "e.example TXT \"v=spf1 -all exp=why.e.example\"\n"
     "why.e.example TXT \"" X250 "\" \"" X250 "\" \"x\"",
     "a@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH, "-all", "", 0, 0},
    {"octets above ASCII in a URL",
     "e.example TXT \"v=spf1 -all exp=why.e.example\"\n"
     "why.e.example TXT \"http://x.example/?%{L}&%{S2r+.}\"",
     "\xc3\xa9+/~\xff@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH,
     "-all", "http://x.example/?%C3%A9%2B%2F~%FF&%2F~%FF%40e.%C3%A9", 0, 0},
    {"a control from the sender in one",
     "e.example TXT \"v=spf1 -all exp=why.e.example\"\n"
     "why.e.example TXT \"%{l} is not here\"",
     "a\rb@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH, "-all", "", 0,
     0},
    {"octets above ASCII outside of one",
     "e.example TXT \"v=spf1 -all exp=why.e.example\"\n"
     "why.e.example TXT \"%{l} is not here\"",
     "\xc3\xa9@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH, "-all", "",
     0, 0},
    {"U-labels are asked as A-labels",
     "xn--bcher-kva.example TXT \"v=spf1 exists:%{o}.%{d}.x.example "
     "-all\"\n"
     "xn--bcher-kva.example.xn--bcher-kva.example.x.example A 127.0.0.2",
     "a@B\xc3\xbc"
     "cher.example",
     ONWARD_SPF_PASS, ONWARD_SPF_REASON_MATCH, "exists:%{o}.%{d}.x.example", "",
     1, 0},
    {"a broken U-label has no domain", "", "a@b\xc3\xbc\xe2\x89\xa0.example",
     ONWARD_SPF_NONE, ONWARD_SPF_REASON_NO_DOMAIN, "", "", 0, 0},
    {"ptr without any name is void",
     "e.example TXT \"v=spf1 ptr:a.example ptr:b.example ptr:c.example -all\"",
     "a@e.example", ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_VOID_LIMIT, "", "",
     3, 3},
    {"ptr whose names lead elsewhere is not",
     "e.example TXT \"v=spf1 ptr:a.example ptr:b.example ptr:c.example -all\"\n"
     "9.2.0.192.in-addr.arpa PTR a.example\na.example A 192.0.2.1",
     "a@e.example", ONWARD_SPF_FAIL, ONWARD_SPF_REASON_MATCH, "-all", "", 3, 0},
    {"a local part that is not ASCII never matches a macro of it",
     "e.example TXT \"v=spf1 exists:%{l}.e.example ?all\"\n"
     "*.e.example A 127.0.0.2",
     "\xc3\xa9@e.example", ONWARD_SPF_NEUTRAL, ONWARD_SPF_REASON_MATCH, "?all",
     "", 1, 0},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_spf_check *c;
    struct world x;

    world_init(&x, row->zone);
    c = start(&x, row->mail_from);
    assert_int_equal(onward_spf_check_result(c), ONWARD_SPF_PENDING);
    run(&x);
    assert_int_equal(x.done, 1);
    assert_string_equal(onward_spf_result_name(onward_spf_check_result(c)),
                        onward_spf_result_name(row->result));
    assert_string_equal(onward_spf_reason_text(onward_spf_check_reason(c)),
                        onward_spf_reason_text(row->reason));
    t_assert_str(onward_spf_check_mechanism(c), row->mechanism);
    t_assert_str(onward_spf_check_explanation(c), row->explanation);
    assert_int_equal(onward_spf_check_lookups(c), row->lookups);
    assert_int_equal(onward_spf_check_void_lookups(c), row->voids);
    onward_spf_check_free(c);
    world_clear(&x);
}

/* ---- Limits on names, and the trace ------------------------------------ */

static const char names_zone[] =
    "e.example TXT \"v=spf1 mx ptr:p.example -all\"\n"
    "e.example MX 10 m1.example\ne.example MX 20 m2.example\n"
    "*.example A 198.51.100.1\n"
    "9.2.0.192.in-addr.arpa PTR a.p.example\n"
    "9.2.0.192.in-addr.arpa PTR b.p.example\n"
    "a.p.example A 192.0.2.1\nb.p.example A 192.0.2.9\n";

static const struct names_row {
    const char *name;
    size_t max_mx_names, max_ptr_names;
    int result, reason;
} names_rows[] = {
    {"two MX names, two PTR names", 2, 2, ONWARD_SPF_PASS,
     ONWARD_SPF_REASON_MATCH},
    {"one MX name too many", 1, 2, ONWARD_SPF_PERMERROR,
     ONWARD_SPF_REASON_NAME_LIMIT},
    {"one PTR name too many is not looked at", 2, 1, ONWARD_SPF_FAIL,
     ONWARD_SPF_REASON_MATCH},
};

static void test_names_row(void **state)
{
    const struct names_row *row = *state;
    struct onward_spf_check *c = NULL;
    struct world x;
    struct onward_spf_opts o = {.size = sizeof(o),
                                .client_ip = &x.ip,
                                .mail_from = ONWARD_STR("a@e.example"),
                                .max_mx_names = row->max_mx_names,
                                .max_ptr_names = row->max_ptr_names};

    world_init(&x, names_zone);
    assert_int_equal(onward_spf_check_new(x.resolver, &o, NULL, &c), 0);
    run(&x);
    assert_int_equal(onward_spf_check_result(c), row->result);
    assert_int_equal(onward_spf_check_reason(c), row->reason);
    onward_spf_check_free(c);
    world_clear(&x);
}

/* ---- Each limit by itself, and its default ------------------------------ */

static const struct limit_row {
    const char *name;
    size_t max_terms, max_void, mx_names, ptr_names;
    int result, reason;
} limit_rows[] = {
    {"10 MX names, 10 PTR names", 0, 0, 10, 10, ONWARD_SPF_PASS,
     ONWARD_SPF_REASON_MATCH},
    {"11 MX names", 0, 0, 11, 10, ONWARD_SPF_PERMERROR,
     ONWARD_SPF_REASON_NAME_LIMIT},
    {"the 11th PTR name is not looked at", 0, 0, 10, 11, ONWARD_SPF_FAIL,
     ONWARD_SPF_REASON_MATCH},
    {"four terms", 4, 0, 1, 1, ONWARD_SPF_PASS, ONWARD_SPF_REASON_MATCH},
    {"three terms", 3, 0, 1, 1, ONWARD_SPF_PERMERROR,
     ONWARD_SPF_REASON_TERM_LIMIT},
    {"one void look-up", 0, 1, 1, 1, ONWARD_SPF_PERMERROR,
     ONWARD_SPF_REASON_VOID_LIMIT},
    {"no limit at all", ONWARD_LIMIT_NONE, ONWARD_LIMIT_NONE, 1, 1,
     ONWARD_SPF_PASS, ONWARD_SPF_REASON_MATCH},
};

/* The last of the client's names is the one that is below p.example. */
static void test_limit_row(void **state)
{
    const struct limit_row *row = *state;
    struct onward_spf_check *c = NULL;
    char zone[4096];
    size_t used;
    struct world x;
    struct onward_spf_opts o = {.size = sizeof(o),
                                .client_ip = &x.ip,
                                .mail_from = ONWARD_STR("a@e.example"),
                                .max_terms = row->max_terms,
                                .max_void = row->max_void};

    used = (size_t)snprintf(zone, sizeof(zone),
                            "e.example TXT \"v=spf1 a:v.example a:w.example mx "
                            "ptr:p.example -all\"\n*.h.example A 192.0.2.1\n"
                            "*.p.example A 192.0.2.9\n"
                            "n.example A 192.0.2.9\n");
    for (size_t i = 0; i < row->mx_names; i++)
        used += (size_t)snprintf(zone + used, sizeof(zone) - used,
                                 "e.example MX %zu m%zu.h.example\n", i, i);
    for (size_t i = 1; i < row->ptr_names; i++)
        used +=
            (size_t)snprintf(zone + used, sizeof(zone) - used,
                             "9.2.0.192.in-addr.arpa PTR n%zu.h.example\n", i);
    snprintf(zone + used, sizeof(zone) - used,
             "9.2.0.192.in-addr.arpa PTR z.p.example\n");
    world_init(&x, zone);
    assert_int_equal(onward_spf_check_new(x.resolver, &o, NULL, &c), 0);
    run(&x);
    assert_string_equal(onward_spf_reason_text(onward_spf_check_reason(c)),
                        onward_spf_reason_text(row->reason));
    assert_int_equal(onward_spf_check_result(c), row->result);
    onward_spf_check_free(c);
    world_clear(&x);
}

/* RFC 7208 section 5: an IPv4 address written as an IPv6 one is IPv4. */
static void test_mapped_address_is_ipv4(void **state)
{
    struct onward_spf_check *c;
    struct world x;

    (void)state;
    world_init(&x, "e.example TXT \"v=spf1 ip6:::ffff:0:0/96 a -all\"\n"
                   "e.example A 192.0.2.9\n");
    assert_int_equal(onward_ip_parse(ONWARD_STR("::ffff:192.0.2.9"), &x.ip), 0);
    c = start(&x, "a@e.example");
    run(&x);
    assert_int_equal(onward_spf_check_result(c), ONWARD_SPF_PASS);
    t_assert_str(onward_spf_check_mechanism(c), "a");
    onward_spf_check_free(c);
    world_clear(&x);
}

static void assert_step(const struct onward_spf_check *c, size_t i,
                        const char *want)
{
    struct onward_spf_step s = {.size = sizeof(s)};
    char got[300];

    assert_int_equal(onward_spf_check_step_at(c, i, &s), 0);
    snprintf(got, sizeof(got), "%zu %.*s@%zu %.*s %.*s %s lookup=%zu void=%zu",
             s.depth, (int)s.domain.len, s.domain.data, s.offset,
             (int)s.term.len, s.term.data, (int)s.target.len, s.target.data,
             onward_spf_outcome_name((int)s.outcome), s.lookup, s.void_lookups);
    assert_string_equal(got, want);
}

static void test_trace(void **state)
{
    struct onward_spf_step s = {.size = 4};
    struct onward_spf_check *c;
    struct world x;

    (void)state;
    world_init(&x, "e.example TXT \"v=spf1 ip4:198.51.100.1 include:i.example "
                   "a:%{l}.x.example redirect=r.example\"\n"
                   "i.example TXT \"v=spf1 mx -all\"\n"
                   "r.example TXT \"v=spf1 ?exists:%{ir}.x.example\"\n"
                   "9.2.0.192.x.example A 127.0.0.1\n");
    c = start(&x, "a@e.example");
    assert_int_equal(onward_spf_check_step_count(c), 0);
    run(&x);
    assert_int_equal(onward_spf_check_step_count(c), 7);
    assert_step(c, 0,
                "0 e.example@7 ip4:198.51.100.1  no-match lookup=0 void=0");
    assert_step(c, 1,
                "0 e.example@24 include:i.example i.example no-match lookup=1 "
                "void=0");
    assert_step(c, 2, "1 i.example@7 mx i.example no-match lookup=2 void=1");
    assert_step(c, 3, "1 i.example@10 -all  match lookup=0 void=0");
    assert_step(c, 4,
                "0 e.example@42 a:%{l}.x.example a.x.example no-match lookup=3 "
                "void=1");
    assert_step(c, 5,
                "0 e.example@59 redirect=r.example r.example followed lookup=4 "
                "void=0");
    assert_step(c, 6,
                "0 r.example@7 ?exists:%{ir}.x.example 9.2.0.192.x.example "
                "match lookup=5 void=0");
    assert_int_equal(onward_spf_check_step_at(c, 7, &s), ONWARD_ENOENT);
    assert_int_equal(onward_spf_check_step_at(c, 0, &s), ONWARD_EINVAL);
    assert_string_equal(onward_spf_outcome_name(9), "");
    assert_string_equal(x.w.last_log, "spf neutral mailfrom=e.example match");
    onward_spf_check_free(c);
    world_clear(&x);
}

/* ---- Time -------------------------------------------------------------- */

static int swallow(void *user, uint64_t token, const char *name,
                   size_t name_len, uint32_t type)
{
    (void)name;
    (void)name_len;
    (void)type;
    *(uint64_t *)user = token;
    return 0;
}

static void test_a_silent_resolver_is_temperror_at_20_s(void **state)
{
    uint64_t token = 0;
    struct onward_resolver_host host = {
        .size = sizeof(host), .user = &token, .query = swallow};
    struct onward_resolver_opts o = {.size = sizeof(o), .timeout_ms = 60000};
    struct onward_resolver *resolver = NULL;
    struct onward_spf_check *c;
    struct world x;

    (void)state;
    world_init(&x, "");
    assert_int_equal(onward_resolver_new(x.desk, &o, &host, &resolver), 0);
    onward_resolver_free(x.resolver);
    x.resolver = resolver;
    c = start(&x, "a@e.example");
    while (onward_desk_run(x.desk, 1000) == 1)
        continue;
    assert_true(token != 0);
    onward_desk_run(x.desk, 20999);
    assert_int_equal(onward_spf_check_result(c), ONWARD_SPF_PENDING);
    onward_desk_run(x.desk, 21000);
    assert_int_equal(onward_spf_check_result(c), ONWARD_SPF_TEMPERROR);
    assert_int_equal(onward_spf_check_reason(c), ONWARD_SPF_REASON_TIMEOUT);
    assert_int_equal(x.done, 1);
    onward_spf_check_free(c);
    world_clear(&x);
}

/* ---- Life -------------------------------------------------------------- */

static const char include_zone[] =
    "e.example TXT \"v=spf1 include:i.example mx ptr -all exp=w.example\"\n"
    "i.example TXT \"v=spf1 a:h.example -all\"\n"
    "h.example A 198.51.100.7\n"
    "e.example MX 10 m1.example\ne.example MX 20 m2.example\n"
    "m1.example A 198.51.100.1\nm2.example A 198.51.100.2\n"
    "9.2.0.192.in-addr.arpa PTR p.example\np.example A 192.0.2.9\n"
    "w.example TXT \"%{p} is not e.example\"\n";

static void test_free_inside_done(void **state)
{
    struct world x;

    (void)state;
    world_init(&x, include_zone);
    x.frees = true;
    start(&x, "a@e.example");
    run(&x);
    assert_int_equal(x.done, 1);
    world_clear(&x);
}

static void test_free_before_done_fires_nothing(void **state)
{
    struct onward_spf_check *c;
    struct world x;

    (void)state;
    world_init(&x, include_zone);
    c = start(&x, "a@e.example");
    onward_desk_run(x.desk, 0);
    onward_spf_check_free(c);
    run(&x);
    onward_spf_check_free(NULL);
    assert_int_equal(x.done, 0);
    world_clear(&x);
}

static void test_outlives_resolver_and_desk(void **state)
{
    struct onward_spf_check *c;
    struct world x;

    (void)state;
    world_init(&x, include_zone);
    c = start(&x, "a@e.example");
    onward_desk_run(x.desk, 0);
    onward_desk_free(x.desk);
    onward_resolver_free(x.resolver);
    onward_spf_check_free(c);
    assert_int_equal(x.done, 0);
    t_world_clear(&x.w);
}

static void test_contract(void **state)
{
    struct onward_spf_opts no_ip = {.size = sizeof(no_ip)};
    struct onward_spf_opts odd = {.size = sizeof(odd), .identity = 3};
    struct onward_spf_check *c = NULL;
    struct world x;

    (void)state;
    assert_string_equal(onward_spf_reason_name(ONWARD_SPF_REASON_NONE), "");
    assert_string_equal(onward_spf_enhanced_status(ONWARD_SPF_FAIL), "5.7.23");
    assert_string_equal(onward_spf_enhanced_status(ONWARD_SPF_TEMPERROR),
                        "4.7.24");
    assert_string_equal(onward_spf_enhanced_status(ONWARD_SPF_PERMERROR),
                        "5.7.24");
    assert_string_equal(onward_spf_enhanced_status(ONWARD_SPF_SOFTFAIL), "");
    assert_string_equal(onward_spf_reason_name(ONWARD_SPF_REASON_VOID_LIMIT),
                        "void-limit");
    assert_string_equal(onward_spf_reason_name(ONWARD_SPF_REASON_MEMORY),
                        "memory");
    assert_string_equal(onward_spf_reason_name(-1), "");
    assert_string_equal(onward_spf_reason_name(99), "");
    world_init(&x, "");
    odd.client_ip = &x.ip;
    assert_int_equal(onward_spf_check_new(x.resolver, &no_ip, NULL, &c),
                     ONWARD_EINVAL);
    assert_int_equal(onward_spf_check_new(x.resolver, &odd, NULL, &c),
                     ONWARD_EINVAL);
    odd.identity = ONWARD_SPF_HELO;
    onward_desk_free(x.desk);
    assert_int_equal(onward_spf_check_new(x.resolver, &odd, NULL, &c),
                     ONWARD_ESTATE);
    assert_null(c);
    onward_resolver_free(x.resolver);
    t_world_clear(&x.w);
}

static bool whole_check(struct t_world *w, void *arg)
{
    struct onward_resolver_opts ro = {.size = sizeof(ro),
                                      .allow_only_loaded = 1};
    struct onward_spf_opts o = {.size = sizeof(o),
                                .mail_from = ONWARD_STR("a@e.example")};
    struct onward_resolver *resolver = NULL;
    struct onward_spf_check *c = NULL;
    struct onward_desk *desk = NULL;
    struct onward_ip ip = {.family = 4, .octets = {192, 0, 2, 9}};
    bool ok = false;

    (void)arg;
    o.client_ip = &ip;
    if (onward_desk_new(w->ctx, NULL, &desk) == 0 &&
        onward_resolver_new(desk, &ro, NULL, &resolver) == 0 &&
        onward_resolver_load(resolver, onward_str_of(include_zone), NULL) ==
            0 &&
        onward_spf_check_new(resolver, &o, NULL, &c) == 0) {
        while (onward_desk_run(desk, 0) == 1)
            continue;
        /* Never a pass or a fail that was not earned. */
        ok = onward_spf_check_result(c) == ONWARD_SPF_FAIL;
        if (!ok)
            assert_int_equal(onward_spf_check_result(c), ONWARD_SPF_TEMPERROR);
    }
    onward_spf_check_free(c);
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

/* ---- Lint -------------------------------------------------------------- */

static const struct lint_row {
    const char *name;
    const char *record;
    int ret;
    size_t offset;
    const char *what;
} lint_rows[] = {
    {"lint: good", "v=spf1 a mx/24//64 include:%{d}.e.example -all", 0, 0, ""},
    {"lint: no record", "v=spf2 a", ONWARD_ENOENT, 0, ""},
    {"lint: unknown mechanism", "v=spf1 ipv4:1.2.3.4", ONWARD_ESYNTAX, 7,
     "unknown mechanism"},
    {"lint: address", "v=spf1 a ip4:1.2.3", ONWARD_ESYNTAX, 13,
     "expected an IPv4 address"},
    {"lint: prefix", "v=spf1 a/33", ONWARD_ESYNTAX, 9,
     "expected a prefix length from 0 to 32"},
    {"lint: macro", "v=spf1 exists:%{q}.e.example", ONWARD_ESYNTAX, 14,
     "expected a macro or a visible ASCII character"},
    {"lint: zero digits", "v=spf1 exists:%{d0}.e.example", ONWARD_ESYNTAX, 14,
     "expected a macro or a visible ASCII character"},
    {"lint: twice", "v=spf1 redirect=a.example redirect=b.example",
     ONWARD_ESYNTAX, 26, "this modifier stands here already"},
};

static void test_lint_row(void **state)
{
    const struct lint_row *row = *state;
    struct onward_spf_fault fault = {.size = sizeof(fault)};
    struct t_world w;

    t_world_init(&w);
    assert_int_equal(onward_spf_lint(w.ctx, onward_str_of(row->record), &fault),
                     row->ret);
    if (row->ret == ONWARD_ESYNTAX) {
        assert_int_equal(fault.offset, row->offset);
        assert_string_equal(fault.text, row->what);
    }
    t_world_clear(&w);
}

int main(void)
{
    enum {
        ROWS = sizeof(rows) / sizeof(rows[0]),
        LINTS = sizeof(lint_rows) / sizeof(lint_rows[0]),
        NAMES = sizeof(names_rows) / sizeof(names_rows[0]),
        LIMITS = sizeof(limit_rows) / sizeof(limit_rows[0]),
        PLAIN = 8
    };
    struct CMUnitTest tests[PLAIN + ROWS + LINTS + NAMES + LIMITS] = {
        cmocka_unit_test(test_mapped_address_is_ipv4),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_a_silent_resolver_is_temperror_at_20_s),
        cmocka_unit_test(test_free_inside_done),
        cmocka_unit_test(test_free_before_done_fires_nothing),
        cmocka_unit_test(test_outlives_resolver_and_desk),
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_out_of_memory),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[PLAIN + i] = (struct CMUnitTest){
            .name = rows[i].name,
            .test_func = test_row,
            .initial_state = (void *)(uintptr_t)&rows[i],
        };
    for (size_t i = 0; i < LINTS; i++)
        tests[PLAIN + ROWS + i] = (struct CMUnitTest){
            .name = lint_rows[i].name,
            .test_func = test_lint_row,
            .initial_state = (void *)(uintptr_t)&lint_rows[i],
        };
    for (size_t i = 0; i < NAMES; i++)
        tests[PLAIN + ROWS + LINTS + i] = (struct CMUnitTest){
            .name = names_rows[i].name,
            .test_func = test_names_row,
            .initial_state = (void *)(uintptr_t)&names_rows[i],
        };
    for (size_t i = 0; i < LIMITS; i++)
        tests[PLAIN + ROWS + LINTS + NAMES + i] = (struct CMUnitTest){
            .name = limit_rows[i].name,
            .test_func = test_limit_row,
            .initial_state = (void *)(uintptr_t)&limit_rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
