/*
 * What a sender has to do at a server, for each state that its DNS can be in
 * (RFC 7672 section 2.2).
 */
#include <onward/dane.h>

#include "support/support.h"

/* Digests of 32 and 64 octets, in hex. */
#define D32 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define E32 "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define D64 D32 D32

/* mx.example is signed, with an address. */
#define HOST                                                                   \
    "mx.example A 192.0.2.1\n"                                                 \
    "mx.example ANY !SECURE\n"
#define AT "_25._tcp.mx.example"
#define SIGNED(name) name " ANY !SECURE\n"
#define RECORD(rdata) AT " TLSA " rdata "\n" SIGNED(AT)
/* mx.example is another name for real.example. */
#define ALIAS                                                                  \
    "mx.example CNAME real.example\n"                                          \
    "mx.example ANY !SECURE\n"                                                 \
    "real.example A 192.0.2.1\n"
#define AT_REAL "_25._tcp.real.example"

static const struct row {
    const char *name;
    const char *zone;
    /* result reason [base [names]: records], as tell() writes it */
    const char *want;
    size_t origin; /* ONWARD_DANE_MX_SECURE unless said */
    const char *host;
    size_t port;
    const char *next_hop, *next_hop_canonical;
    size_t skip;
} rows[] = {
    /* Records of a signed host. */
    {.name = "one record",
     .zone = HOST RECORD("3 1 1 " D32),
     .want = "usable records mx.example [mx.example] 311"},
    {.name = "two records",
     .zone = HOST RECORD("3 1 1 " D32) RECORD("2 0 1 " D32),
     .want = "usable records mx.example [mx.example] 311 201"},
    {.name = "twice the same",
     .zone = HOST RECORD("3 1 1 " D32) RECORD("3 1 1 " D32),
     .want = "usable records mx.example [mx.example] 311"},
    {.name = "all six that are digests or keys",
     .zone = HOST RECORD("3 0 1 " D32) RECORD("3 1 2 " D64) RECORD("2 0 2 " D64)
         RECORD("2 1 1 " D32),
     .want = "usable records mx.example [mx.example] 301 312 202 211"},
    {.name = "strongest digest only",
     .zone = HOST RECORD("3 1 1 " D32) RECORD("3 1 2 " D64),
     .want = "usable records mx.example [mx.example] 312"},
    {.name = "strongest for each usage and selector",
     .zone = HOST RECORD("3 1 1 " D32) RECORD("3 0 1 " D32) RECORD("3 1 2 " D64)
         RECORD("2 1 1 " D32),
     .want = "usable records mx.example [mx.example] 301 312 211"},
    {.name = "a broken strong digest does not count against a weak one",
     .zone = HOST RECORD("3 1 1 " D32) RECORD("3 1 2 " D32),
     .want = "usable records mx.example [mx.example] 311"},
    {.name = "usable beside unusable",
     .zone = HOST RECORD("0 0 1 " D32) RECORD("1 1 1 " D32) RECORD("3 1 1 " D32)
         RECORD("3 1 1 00"),
     .want = "usable records mx.example [mx.example] 311"},
    {.name = "PKIX-TA",
     .zone = HOST RECORD("0 0 1 " D32),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "PKIX-EE",
     .zone = HOST RECORD("1 1 1 " D32),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "private usage",
     .zone = HOST RECORD("255 1 1 " D32),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "unknown selector",
     .zone = HOST RECORD("3 2 1 " D32),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "unknown matching type",
     .zone = HOST RECORD("3 1 3 " D32),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "A039: digest too short",
     .zone = HOST RECORD("3 1 1 00112233"),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "A039: digest too long",
     .zone = HOST RECORD("3 1 1 " D32 "00"),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "A039: SHA2-512 with the length of SHA2-256",
     .zone = HOST RECORD("3 1 2 " D32),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "A039: rdata of one octet",
     .zone = HOST AT " TYPE52 \\# 1 03\n" SIGNED(AT),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "A039: rdata without data",
     .zone = HOST AT " TYPE52 \\# 3 030101\n" SIGNED(AT),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "A039: no rdata",
     .zone = HOST AT " TYPE52 \\# 0\n" SIGNED(AT),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "full, but no certificate",
     .zone = HOST RECORD("3 0 0 " D32),
     .want = "unusable bad-records mx.example [mx.example]"},
    {.name = "full, but no key",
     .zone = HOST RECORD("2 1 0 " D32),
     .want = "unusable bad-records mx.example [mx.example]"},
    /* No records. */
    {.name = "NXDOMAIN", .zone = HOST, .want = "none no-records"},
    {.name = "NODATA, signed",
     .zone = HOST AT " TXT \"x\"\n" SIGNED(AT),
     .want = "none no-records"},
    {.name = "NODATA, not signed",
     .zone = HOST AT " TXT \"x\"\n",
     .want = "none no-records"},
    {.name = "A038: records that are not signed",
     .zone = HOST AT " TLSA 3 1 1 " D32 "\n",
     .want = "none insecure-records"},
    {.name = "records of another port",
     .zone = HOST RECORD("3 1 1 " D32),
     .port = 2525,
     .want = "none no-records"},
    {.name = "records of that port",
     .zone = HOST "_2525._tcp.mx.example TLSA 3 1 1 " D32
                  "\n" SIGNED("_2525._tcp.mx.example"),
     .port = 2525,
     .want = "usable records mx.example [mx.example] 311"},
    /* A037: questions that fail. */
    {.name = "SERVFAIL",
     .zone = HOST AT " TLSA !SERVFAIL\n",
     .want = "failed records-failed"},
    {.name = "time-out",
     .zone = HOST AT " TLSA !TIMEOUT\n",
     .want = "failed records-failed"},
    {.name = "bogus",
     .zone = HOST AT " TLSA !BOGUS\n",
     .want = "failed records-bogus"},
    {.name = "a failure beats records",
     .zone = HOST AT " TLSA 3 1 1 " D32 "\n" AT " TLSA !SERVFAIL\n",
     .want = "failed records-failed"},
    {.name = "CNAMEs without end",
     .zone = HOST AT " CNAME a.example\na.example CNAME " AT "\n",
     .want = "failed records-failed"},
    /* Hosts. */
    {.name = "A038: a host that is not signed is not asked further",
     .zone = "mx.example A 192.0.2.1\n" RECORD("3 1 1 " D32),
     .want = "none insecure-host"},
    {.name = "not even when the question would fail",
     .zone = "mx.example A 192.0.2.1\n" AT " TLSA !SERVFAIL\n",
     .want = "none insecure-host"},
    {.name = "no address",
     .zone = "mx.example TXT \"x\"\n" SIGNED("mx.example") RECORD("3 1 1 " D32),
     .want = "failed no-address"},
    {.name = "no such name",
     .zone = "x.example A 192.0.2.1\n",
     .want = "failed no-address"},
    {.name = "addresses cannot be asked for",
     .zone = "mx.example ANY !SERVFAIL\n" RECORD("3 1 1 " D32),
     .want = "failed address-failed"},
    {.name = "addresses take too long",
     .zone = "mx.example ANY !TIMEOUT\n",
     .want = "failed address-failed"},
    {.name = "no IPv4, and IPv6 fails",
     .zone = "mx.example TXT \"x\"\nmx.example AAAA !SERVFAIL\n",
     .want = "failed address-failed"},
    {.name = "addresses are bogus",
     .zone = "mx.example ANY !BOGUS\n" RECORD("3 1 1 " D32),
     .want = "failed address-bogus"},
    {.name = "one family is bogus",
     .zone = "mx.example A 192.0.2.1\nmx.example AAAA !BOGUS\n",
     .want = "failed address-bogus"},
    {.name = "one family fails",
     .zone = "mx.example A 192.0.2.1\nmx.example A !SECURE\n"
             "mx.example AAAA !SERVFAIL\n" RECORD("3 1 1 " D32),
     .want = "usable records mx.example [mx.example] 311"},
    {.name = "one family fails, the other is not signed",
     .zone = "mx.example A 192.0.2.1\nmx.example AAAA !SERVFAIL\n",
     .want = "none insecure-host"},
    {.name = "IPv6 only",
     .zone = "mx.example AAAA 2001:db8::1\n" SIGNED("mx.example")
         RECORD("3 1 1 " D32),
     .want = "usable records mx.example [mx.example] 311"},
    {.name = "one family is signed",
     .zone = "mx.example A 192.0.2.1\nmx.example AAAA 2001:db8::1\n"
             "mx.example A !SECURE\n" RECORD("3 1 1 " D32),
     .want = "usable records mx.example [mx.example] 311"},
    /* Aliases. */
    {.name = "alias, records behind it",
     .zone = ALIAS SIGNED("real.example") AT_REAL " TLSA 3 1 1 " D32
                                                  "\n" SIGNED(AT_REAL),
     .want = "usable records real.example [real.example] 311"},
    {.name = "alias, records at both",
     .zone = ALIAS SIGNED("real.example") AT_REAL
     " TLSA 3 1 1 " D32 "\n" SIGNED(AT_REAL) RECORD("2 0 1 " D32),
     .want = "usable records real.example [real.example] 311"},
    {.name = "alias, records at the name itself",
     .zone = ALIAS SIGNED("real.example") RECORD("2 0 1 " D32),
     .want = "usable records mx.example [mx.example] 201"},
    {.name = "alias, insecure records behind it",
     .zone = ALIAS SIGNED("real.example") AT_REAL " TLSA 3 1 1 " D32
                                                  "\n" RECORD("2 0 1 " D32),
     .want = "usable records mx.example [mx.example] 201"},
    {.name = "alias, insecure records behind it, none at the name",
     .zone = ALIAS SIGNED("real.example") AT_REAL " TLSA 3 1 1 " D32 "\n",
     .want = "none insecure-records"},
    {.name = "alias, unusable records behind it end the search",
     .zone = ALIAS SIGNED("real.example") AT_REAL
     " TLSA 1 1 1 " D32 "\n" SIGNED(AT_REAL) RECORD("2 0 1 " D32),
     .want = "unusable bad-records real.example [real.example]"},
    {.name = "alias, no records",
     .zone = ALIAS SIGNED("real.example"),
     .want = "none no-records"},
    {.name = "alias, failure behind it",
     .zone = ALIAS SIGNED("real.example") AT_REAL
     " TLSA !SERVFAIL\n" RECORD("2 0 1 " D32),
     .want = "failed records-failed"},
    {.name = "alias, failure at the name itself",
     .zone = ALIAS SIGNED("real.example") AT " TLSA !BOGUS\n",
     .want = "failed records-bogus"},
    {.name = "signed alias into a zone that is not",
     .zone = ALIAS RECORD("2 0 1 " D32) AT_REAL " TLSA 3 1 1 " D32 "\n",
     .want = "usable records mx.example [mx.example] 201"},
    {.name = "alias that is not signed, into a zone that is",
     .zone = "mx.example CNAME real.example\nreal.example A 192.0.2.1\n" SIGNED(
         "real.example") RECORD("2 0 1 " D32),
     .want = "none insecure-host"},
    {.name = "alias that is asked for in vain",
     .zone = "mx.example CNAME real.example\nreal.example A 192.0.2.1\n"
             "mx.example CNAME !SERVFAIL\n" RECORD("2 0 1 " D32),
     .want = "failed alias-failed"},
    {.name = "records behind an alias of their own",
     .zone = HOST AT " CNAME tlsa.example\n" SIGNED(
         AT) "tlsa.example TLSA 2 0 1 " D32 "\n" SIGNED("tlsa.example"),
     .want = "usable records mx.example [mx.example] 201"},
    {.name = "records behind an alias that leaves DNSSEC",
     .zone = HOST AT
     " CNAME tlsa.example\n" SIGNED(AT) "tlsa.example TLSA 2 0 1 " D32 "\n",
     .want = "none insecure-records"},
    /* Names that a certificate may have. */
    {.name = "secure MX: the next hop too",
     .zone = HOST RECORD("2 0 1 " D32),
     .next_hop = "Example.ORG",
     .next_hop_canonical = "example.net",
     .want = "usable records mx.example [mx.example example.org example.net] "
             "201"},
    {.name = "secure MX: the same name once",
     .zone = HOST RECORD("2 0 1 " D32),
     .next_hop = "MX.example",
     .next_hop_canonical = "mx.example",
     .want = "usable records mx.example [mx.example] 201"},
    {.name = "secure MX, alias: the base domain, not the MX name",
     .zone = ALIAS SIGNED("real.example") AT_REAL " TLSA 2 0 1 " D32
                                                  "\n" SIGNED(AT_REAL),
     .next_hop = "example.org",
     .want = "usable records real.example [real.example example.org] 201"},
    {.name = "A030: insecure MX: the server alone",
     .zone = HOST RECORD("2 0 1 " D32),
     .origin = ONWARD_DANE_MX_INSECURE + 100,
     .next_hop = "example.org",
     .next_hop_canonical = "example.net",
     .want = "usable records mx.example [mx.example] 201"},
    {.name = "insecure MX, not wanted",
     .zone = HOST RECORD("2 0 1 " D32),
     .origin = ONWARD_DANE_MX_INSECURE + 100,
     .skip = 1,
     .want = "none insecure-mx"},
    {.name = "secure MX is wanted",
     .zone = HOST RECORD("2 0 1 " D32),
     .skip = 1,
     .want = "usable records mx.example [mx.example] 201"},
    {.name = "no MX",
     .zone = HOST RECORD("2 0 1 " D32),
     .origin = ONWARD_DANE_NO_MX,
     .want = "usable records mx.example [mx.example] 201"},
    {.name = "no MX, alias: both names",
     .zone = ALIAS SIGNED("real.example") AT_REAL " TLSA 2 0 1 " D32
                                                  "\n" SIGNED(AT_REAL),
     .origin = ONWARD_DANE_NO_MX,
     .want = "usable records real.example [real.example mx.example] 201"},
    {.name = "no MX, behind the domain's alias",
     .zone = HOST RECORD("2 0 1 " D32),
     .origin = ONWARD_DANE_NO_MX,
     .next_hop = "example.org",
     .want = "usable records mx.example [mx.example example.org] 201"},
    /* Odd hosts. */
    {.name = "upper case and a final dot",
     .zone = HOST RECORD("3 1 1 " D32),
     .host = "MX.Example.",
     .want = "usable records mx.example [mx.example] 311"},
    {.name = "U-labels",
     .zone = "xn--bcher-kva.example A 192.0.2.1\n" SIGNED(
         "xn--bcher-kva.example") "_25._tcp.xn--bcher-kva.example TLSA 3 1 "
                                  "1 " D32
                                  "\n" SIGNED("_25._tcp.xn--bcher-kva.example"),
     .host = "b\303\274cher.example",
     .want = "usable records xn--bcher-kva.example [xn--bcher-kva.example] "
             "311"},
    {.name = "address",
     .zone = HOST,
     .host = "192.0.2.1",
     .want = "none literal"},
    {.name = "address literal",
     .zone = HOST,
     .host = "[IPv6:2001:db8::1]",
     .want = "none literal"},
    {.name = "no name",
     .zone = HOST,
     .host = "mx example",
     .want = "failed bad-host"},
    {.name = "no name either",
     .zone = HOST,
     .host = "mx..example",
     .want = "failed bad-host"},
};

/* ---- Running ----------------------------------------------------------- */

struct fixture {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_dane_lookup *lookup;
    size_t done_count;
    bool free_in_done;
    char text[4000];
};

static void note(void *user, struct onward_dane_lookup *lookup)
{
    struct fixture *f = user;

    f->done_count++;
    if (f->free_in_done) {
        onward_dane_lookup_free(lookup);
        f->lookup = NULL;
    }
}

static void begin(struct fixture *f, const struct onward_resolver_opts *opts)
{
    t_world_init(&f->w);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
    assert_int_equal(onward_resolver_new(f->desk, opts, NULL, &f->resolver), 0);
}

static void begin_loaded(struct fixture *f, const char *zone)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .allow_only_loaded = 1};
    struct onward_dns_fault fault = {.size = sizeof(fault)};

    begin(f, &opts);
    if (onward_resolver_load(f->resolver, onward_str_of(zone), &fault) != 0)
        fail_msg("line %zu: %.*s", fault.line, (int)fault.text.len,
                 fault.text.data);
}

static void finish(struct fixture *f)
{
    onward_dane_lookup_free(f->lookup);
    onward_resolver_free(f->resolver);
    onward_desk_free(f->desk);
    t_world_clear(&f->w);
}

static void run(struct fixture *f)
{
    while (onward_desk_run(f->desk, 0) == 1)
        continue;
}

static int look(struct fixture *f, const struct onward_dane_opts *opts)
{
    struct onward_dane_lookup_host host = {
        .size = sizeof(host), .user = f, .done = note};

    return onward_dane_lookup_new(f->resolver, opts, &host, &f->lookup);
}

static void add(struct fixture *f, struct onward_str s)
{
    size_t at = strlen(f->text);

    assert_true(s.len < sizeof(f->text) - at);
    memcpy(f->text + at, s.data, s.len);
    f->text[at + s.len] = '\0';
}

static const char *tell(struct fixture *f)
{
    const struct onward_dane_lookup *l = f->lookup;

    f->text[0] = '\0';
    add(f,
        onward_str_of(onward_dane_result_name(onward_dane_lookup_result(l))));
    add(f, onward_str_of(" "));
    add(f,
        onward_str_of(onward_dane_reason_name(onward_dane_lookup_reason(l))));
    if (onward_dane_lookup_base_domain(l).len > 0) {
        add(f, onward_str_of(" "));
        add(f, onward_dane_lookup_base_domain(l));
        for (size_t i = 0; i < onward_dane_lookup_name_count(l); i++) {
            add(f, onward_str_of(i == 0 ? " [" : " "));
            add(f, onward_dane_lookup_name(l, i));
        }
        add(f, onward_str_of("]"));
    }
    for (size_t i = 0; i < onward_dane_lookup_count(l); i++) {
        struct onward_str rdata = onward_dane_lookup_record(l, i);
        char text[5] = {' ', (char)('0' + rdata.data[0]),
                        (char)('0' + rdata.data[1]),
                        (char)('0' + rdata.data[2]), '\0'};

        add(f, onward_str_of(text));
    }
    return f->text;
}

/* What the result makes of TLS. */
static void check_demand(const struct onward_dane_lookup *l)
{
    struct onward_tls_demand demand = {.size = sizeof(demand)};
    int ret = onward_dane_lookup_demand(l, &demand);

    switch ((enum onward_dane_result)onward_dane_lookup_result(l)) {
    case ONWARD_DANE_RESULT_PENDING:
    case ONWARD_DANE_RESULT_FAILED:
        assert_int_equal(ret, ONWARD_ESTATE);
        return;
    case ONWARD_DANE_RESULT_NONE:
        assert_int_equal(ret, 0);
        assert_int_equal(demand.level, ONWARD_TLS_OPPORTUNISTIC);
        assert_int_equal(demand.tlsa_count, 0);
        return;
    case ONWARD_DANE_RESULT_USABLE:
        assert_int_equal(ret, 0);
        assert_int_equal(demand.level, ONWARD_TLS_DANE);
        assert_int_equal(demand.tlsa_count, onward_dane_lookup_count(l));
        assert_true(demand.tlsa_count > 0);
        break;
    case ONWARD_DANE_RESULT_UNUSABLE:
        assert_int_equal(ret, 0);
        assert_int_equal(demand.level, ONWARD_TLS_ENCRYPTED);
        assert_int_equal(demand.tlsa_count, 0);
        break;
    }
    /* SNI is the base domain (RFC 7672 section 8.1). */
    t_assert_str_n(demand.server_name, onward_dane_lookup_base_domain(l).data,
                   onward_dane_lookup_base_domain(l).len);
    assert_int_equal(demand.name_count, onward_dane_lookup_name_count(l));
}

static struct onward_dane_opts opts_of(const struct row *row)
{
    struct onward_dane_opts opts = {
        .size = sizeof(opts),
        .host = onward_str_of(row->host == NULL ? "mx.example" : row->host),
        .port = row->port,
        .origin = row->origin == 0     ? ONWARD_DANE_MX_SECURE
                  : row->origin >= 100 ? ONWARD_DANE_MX_INSECURE
                                       : row->origin,
        .skip_insecure_mx = row->skip};

    if (row->next_hop != NULL)
        opts.next_hop = onward_str_of(row->next_hop);
    if (row->next_hop_canonical != NULL)
        opts.next_hop_canonical = onward_str_of(row->next_hop_canonical);
    return opts;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dane_opts opts = opts_of(row);
    struct fixture f = {.done_count = 0};

    begin_loaded(&f, row->zone);
    assert_int_equal(look(&f, &opts), 0);
    check_demand(f.lookup);
    assert_int_equal(f.done_count, 0);
    run(&f);
    assert_int_equal(f.done_count, 1);
    assert_string_equal(tell(&f), row->want);
    check_demand(f.lookup);
    finish(&f);
}

/* ---- Bounds ------------------------------------------------------------ */

static void test_many_records(void **state)
{
    static char zone[200000];
    struct onward_dane_opts opts = {.size = sizeof(opts),
                                    .host = ONWARD_STR("mx.example")};
    struct fixture f = {.done_count = 0};
    size_t len = (size_t)snprintf(zone, sizeof(zone), HOST SIGNED(AT));

    (void)state;
    /* Unusable ones first: they take no room from those that count. */
    for (int i = 0; i < 700; i++)
        len += (size_t)snprintf(zone + len, sizeof(zone) - len,
                                AT " TLSA 3 1 1 %04x" D32 "\n", (unsigned)i);
    for (int i = 0; i < 100; i++)
        len +=
            (size_t)snprintf(zone + len, sizeof(zone) - len,
                             AT " TLSA 3 1 1 %02x%s\n", (unsigned)i, &D32[2]);
    begin_loaded(&f, zone);
    assert_int_equal(look(&f, &opts), 0);
    run(&f);
    assert_int_equal(onward_dane_lookup_result(f.lookup),
                     ONWARD_DANE_RESULT_USABLE);
    assert_int_equal(onward_dane_lookup_count(f.lookup), 32);
    assert_int_equal(onward_dane_lookup_answer_count(f.lookup), 800);
    assert_int_equal(onward_dane_lookup_record(f.lookup, 32).len, 0);
    assert_int_equal(onward_dane_lookup_answer(f.lookup, 800).len, 0);
    check_demand(f.lookup);
    finish(&f);
}

/* ---- Questions and answers --------------------------------------------- */

struct asked {
    uint64_t token;
    size_t type;
};

/* The questions that are open now. */
static size_t pull(struct fixture *f, struct asked *asked, size_t cap)
{
    struct onward_dns_question q = {.size = sizeof(q)};
    size_t n = 0;

    run(f);
    while (n < cap && onward_resolver_next(f->resolver, &q) == 1)
        asked[n++] = (struct asked){q.token, q.type};
    return n;
}

static void answer(struct fixture *f, const struct asked *asked)
{
    const char *text = asked->type == ONWARD_DNS_A ? "mx.example A 192.0.2.1\n"
                       : asked->type == ONWARD_DNS_AAAA
                           ? "mx.example AAAA 2001:db8::1\n"
                           : AT " TLSA 3 1 1 " D32 "\n";

    assert_int_equal(onward_dns_answer_text(f->desk, asked->token,
                                            onward_str_of(text),
                                            ONWARD_DNS_SECURE),
                     0);
}

static void in_order(void *arg, const size_t *order, size_t n)
{
    struct onward_dane_opts opts = {.size = sizeof(opts),
                                    .host = ONWARD_STR("mx.example")};
    struct fixture f = {.free_in_done = *(bool *)arg};
    struct asked asked[4];

    begin(&f, NULL);
    assert_int_equal(look(&f, &opts), 0);
    assert_int_equal(pull(&f, asked, 4), 2);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(onward_dane_lookup_result(f.lookup),
                         ONWARD_DANE_RESULT_PENDING);
        /* TLSA only once both are known (RFC 7672 section 2.2.2). */
        assert_int_equal(pull(&f, asked + 2, 2), 0);
        answer(&f, &asked[order[i]]);
    }
    assert_int_equal(pull(&f, asked, 4), 1);
    assert_int_equal(asked[0].type, ONWARD_DNS_TLSA);
    t_assert_str(onward_dane_lookup_asked(f.lookup), AT);
    answer(&f, &asked[0]);
    run(&f);
    assert_int_equal(f.done_count, 1);
    if (!f.free_in_done)
        assert_string_equal(tell(&f),
                            "usable records mx.example [mx.example] 311");
    finish(&f);
}

static void test_any_order(void **state)
{
    bool frees[] = {false, true};

    (void)state;
    t_every_order(2, in_order, &frees[0]);
    t_every_order(2, in_order, &frees[1]);
}

/* A037: a reply that is none. */
static void test_malformed_reply(void **state)
{
    struct onward_dane_opts opts = {.size = sizeof(opts),
                                    .host = ONWARD_STR("mx.example")};
    struct fixture f = {.done_count = 0};
    struct asked asked[2];

    (void)state;
    begin(&f, NULL);
    assert_int_equal(look(&f, &opts), 0);
    assert_int_equal(pull(&f, asked, 2), 2);
    answer(&f, &asked[0]);
    answer(&f, &asked[1]);
    assert_int_equal(pull(&f, asked, 2), 1);
    assert_int_equal(onward_dns_answer_wire(f.desk, asked[0].token, "broken", 6,
                                            ONWARD_DNS_SECURE),
                     ONWARD_ESYNTAX);
    run(&f);
    assert_string_equal(tell(&f), "failed records-failed");
    assert_int_equal(onward_dane_lookup_failure(f.lookup),
                     ONWARD_TLS_DNSSEC_INVALID);
    finish(&f);
}

/* A resolver that never answers is no answer "no". */
static void test_no_answer(void **state)
{
    struct onward_dane_opts opts = {.size = sizeof(opts),
                                    .host = ONWARD_STR("mx.example")};
    struct fixture f = {.done_count = 0};
    struct asked asked[2];

    (void)state;
    begin(&f, NULL);
    assert_int_equal(look(&f, &opts), 0);
    assert_int_equal(pull(&f, asked, 2), 2);
    answer(&f, &asked[0]);
    answer(&f, &asked[1]);
    assert_int_equal(pull(&f, asked, 2), 1);
    while (onward_desk_run(f.desk, 3600000) == 1)
        continue;
    assert_string_equal(tell(&f), "failed records-failed");
    assert_int_equal(f.done_count, 1);
    assert_int_equal(
        onward_dns_answer_error(f.desk, asked[0].token, ONWARD_DNS_NXDOMAIN),
        ONWARD_ESTALE);
    run(&f);
    assert_int_equal(f.done_count, 1);
    finish(&f);
}

static void test_freed_early(void **state)
{
    struct onward_dane_opts opts = {.size = sizeof(opts),
                                    .host = ONWARD_STR("mx.example")};

    (void)state;
    for (size_t steps = 0; steps < 4; steps++) {
        struct fixture f = {.done_count = 0};
        struct asked asked[4] = {{0, 0}};

        begin(&f, NULL);
        assert_int_equal(look(&f, &opts), 0);
        if (steps > 0)
            assert_int_equal(pull(&f, asked, 4), 2);
        for (size_t i = 0; i < 2 && steps > 1; i++)
            answer(&f, &asked[i]);
        if (steps > 2)
            assert_int_equal(pull(&f, asked, 4), 1);
        onward_dane_lookup_free(f.lookup);
        f.lookup = NULL;
        run(&f);
        assert_int_equal(f.done_count, 0);
        finish(&f);
    }
}

static void test_errors(void **state)
{
    struct onward_dane_opts opts = {.size = sizeof(opts),
                                    .host = ONWARD_STR("mx.example")};
    struct onward_dane_lookup_host host = {.size = sizeof(host), .done = NULL};
    struct onward_tls_demand demand = {
        .size = offsetof(struct onward_tls_demand, tlsa)};
    struct fixture f = {.done_count = 0};

    (void)state;
    begin_loaded(&f, HOST);
    assert_int_equal(
        onward_dane_lookup_new(f.resolver, &opts, &host, &f.lookup),
        ONWARD_EINVAL);
    host.done = note;
    assert_int_equal(onward_dane_lookup_new(NULL, &opts, &host, &f.lookup),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dane_lookup_new(f.resolver, NULL, &host, &f.lookup),
                     ONWARD_EINVAL);
    opts.port = 65536;
    assert_int_equal(look(&f, &opts), ONWARD_EINVAL);
    opts.port = 0;
    opts.origin = ONWARD_DANE_NO_MX + 1;
    assert_int_equal(look(&f, &opts), ONWARD_EINVAL);
    opts.origin = 0;
    opts.host.len = 0;
    assert_int_equal(look(&f, &opts), ONWARD_EINVAL);
    opts.host = onward_str_of("mx.example");
    opts.size = 1;
    assert_int_equal(look(&f, &opts), ONWARD_EINVAL);
    opts.size = sizeof(opts);
    assert_int_equal(look(&f, &opts), 0);
    run(&f);
    /* A caller who knows no records would take them for nothing. */
    assert_int_equal(onward_dane_lookup_demand(f.lookup, &demand),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dane_lookup_demand(f.lookup, NULL), ONWARD_EINVAL);
    onward_dane_lookup_free(f.lookup);
    f.lookup = NULL;
    onward_desk_free(f.desk);
    f.desk = NULL;
    assert_int_equal(look(&f, &opts), ONWARD_ESTATE);
    onward_dane_lookup_free(NULL);
    finish(&f);
}

static void test_words(void **state)
{
    (void)state;
    for (int i = 0; i <= ONWARD_DANE_REASON_INTERNAL; i++) {
        assert_string_not_equal(onward_dane_reason_name(i), "unknown");
        assert_true(strlen(onward_dane_reason_text(i)) > 10);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(onward_dane_reason_name(i),
                                    onward_dane_reason_name(j));
    }
    assert_string_equal(onward_dane_reason_name(-1), "unknown");
    assert_string_equal(onward_dane_reason_name(99), "unknown");
    assert_string_equal(onward_dane_result_name(99), "unknown");
    assert_string_equal(onward_dane_result_name(-1), "unknown");
    assert_string_equal(onward_dane_problem_name(99), "unknown");
    assert_int_equal(onward_dane_lookup_result(NULL), 0);
    assert_int_equal(onward_dane_lookup_count(NULL), 0);
}

/* ---- Memory ------------------------------------------------------------ */

static bool scenario(struct t_world *w, void *arg)
{
    const struct row *row = arg;
    struct onward_resolver_opts resolver_opts = {.size = sizeof(resolver_opts),
                                                 .allow_only_loaded = 1};
    struct onward_dane_opts opts = opts_of(row);
    struct fixture f = {.done_count = 0};
    bool is_good = false;

    if (onward_desk_new(w->ctx, NULL, &f.desk) == 0 &&
        onward_resolver_new(f.desk, &resolver_opts, NULL, &f.resolver) == 0 &&
        onward_resolver_load(f.resolver, onward_str_of(row->zone), NULL) == 0 &&
        look(&f, &opts) == 0) {
        run(&f);
        assert_int_equal(f.done_count, 1);
        is_good = strcmp(tell(&f), row->want) == 0;
        /* Short of memory is "not now", and nothing else. */
        if (!is_good)
            assert_int_equal(onward_dane_lookup_result(f.lookup),
                             ONWARD_DANE_RESULT_FAILED);
    }
    onward_dane_lookup_free(f.lookup);
    onward_resolver_free(f.resolver);
    onward_desk_free(f.desk);
    return is_good;
}

static void test_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i += 7) {
        struct row row = rows[i];

        t_oom_sweep(scenario, &row);
    }
}

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_many_records),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_malformed_reply),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_freed_early),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_memory),
    };
    enum { OTHERS = sizeof(others) / sizeof(others[0]) };
    struct CMUnitTest tests[ROWS + OTHERS];

    memset(tests, 0, sizeof(tests));
    for (size_t i = 0; i < ROWS; i++) {
        tests[i].name = rows[i].name;
        tests[i].test_func = test_row;
        tests[i].initial_state = (void *)(uintptr_t)&rows[i];
    }
    memcpy(tests + ROWS, others, sizeof(others));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
