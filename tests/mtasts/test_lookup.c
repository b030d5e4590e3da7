/* What policy is in force: fetched, kept, refreshed, and when there is none. */
#include "world.h"

#include "mtasts/mtasts_priv.h"

#define HOST "mta-sts.example.com A 192.0.2.1\n"
#define ID(id) "_mta-sts.example.com TXT \"v=STSv1; id=" id ";\"\n"
#define ZONE HOST ID("1")
#define NONE ONWARD_MTASTS_NO_POLICY
#define POLICY ONWARD_MTASTS_POLICY
#define WHY(reason) ONWARD_MTASTS_REASON_##reason

static void free_mtasts(struct t_sts *x)
{
    onward_mtasts_free(x->mtasts);
    x->mtasts = NULL;
}

static void a_policy_is_fetched_once(void **state)
{
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    t_sts_ask(&x, "Example.COM");
    t_sts_expect(&x, POLICY, WHY(NONE));
    assert_string_equal(x.name, "mta-sts.example.com");
    assert_int_equal(x.v.policy->mode, ONWARD_MTASTS_MODE_ENFORCE);
    assert_int_equal(x.v.policy->max_age_s, 604800);
    t_assert_str(x.v.policy->text, T_POLICY);
    t_assert_str(x.v.id, "1");
    assert_int_equal(x.v.is_cached, 0);
    assert_true(x.v.fetched_s == x.w.now_s);
    assert_true(x.v.expires_s == x.w.now_s + 604800);
    assert_int_equal(
        onward_mtasts_mx_matches(x.v.policy, ONWARD_STR("mx1.example.net")), 1);
    t_sts_wait(&x, 3600);
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, POLICY, WHY(NONE));
    assert_int_equal(x.v.is_cached, 1);
    assert_int_equal(x.connects, 1);
    assert_int_equal(onward_mtasts_fetch_count(x.mtasts), 0);
    t_sts_clear(&x);
}

static void without_a_record_nothing_is_asked(void **state)
{
    static const struct {
        const char *zone;
        size_t reason, flaw;
    } rows[] = {
        {HOST, WHY(NO_RECORD), 0},
        {HOST "_mta-sts.example.com A 192.0.2.1\n", WHY(NO_RECORD), 0},
        {HOST "_mta-sts.example.com TXT \"v=spf1 -all\"\n", WHY(NO_RECORD), 0},
        {HOST "_mta-sts.example.com TXT \"v=STSv1; id=;\"\n", WHY(BAD_RECORD),
         ONWARD_MTASTS_FLAW_ID},
        {HOST ID("1") ID("2"), WHY(MANY_RECORDS), ONWARD_MTASTS_FLAW_SEVERAL},
        {HOST "_mta-sts.example.com TXT !\n", WHY(DNS), 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct t_sts x = {.zone = rows[i].zone};

        t_sts_init(&x, NULL);
        t_sts_ask(&x, "example.com");
        t_sts_expect(&x, NONE, rows[i].reason);
        assert_int_equal(x.v.flaw, rows[i].flaw);
        assert_int_equal(x.connects, 0);
        t_sts_clear(&x);
    }
}

static void domains_as_people_write_them(void **state)
{
    static const struct {
        const char *domain;
        size_t reason;
    } rows[] = {
        {"[192.0.2.1]", WHY(BAD_DOMAIN)},
        {"", WHY(BAD_DOMAIN)},
        {"a..b", WHY(BAD_DOMAIN)},
        {"a b", WHY(BAD_DOMAIN)},
        {"_a.example", WHY(BAD_DOMAIN)},
        {"example.com.", WHY(NONE)},
        {"m\xc3\xbcller.example", WHY(NONE)},
        {"sub.example.com", WHY(NO_RECORD)}, /* RFC 8461 section 3.4 */
    };
    struct t_sts x = {
        .zone = ZONE "mta-sts.xn--mller-kva.example A 192.0.2.1\n"
                     "_mta-sts.xn--mller-kva.example TXT \"v=STSv1; id=1;\"\n"};

    (void)state;
    t_sts_init(&x, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        t_sts_ask(&x, rows[i].domain);
        t_sts_expect(&x, rows[i].reason == WHY(NONE) ? POLICY : NONE,
                     rows[i].reason);
    }
    assert_string_equal(x.name, "mta-sts.xn--mller-kva.example");
    t_sts_clear(&x);
}

/* ---- Addresses --------------------------------------------------------- */

/* A036: nothing is connected to that the filter does not let pass. */
static void addresses_in_order_behind_the_filter(void **state)
{
    static const struct {
        const char *zone, *first;
        size_t count, reason;
    } rows[] = {
        {ID("1") HOST "mta-sts.example.com AAAA 2001:db8::1\n"
                      "mta-sts.example.com AAAA fe80::1\n"
                      "mta-sts.example.com A 127.0.0.1\n",
         "2001:db8::1", 2, WHY(NONE)},
        {ID("1") "mta-sts.example.com A 10.0.0.1\n"
                 "mta-sts.example.com AAAA ::1\n",
         "", 0, WHY(ADDRESS)},
        {ID("1"), "", 0, WHY(NO_HOST)},
        {ID("1") "mta-sts.example.com A !\n", "", 0, WHY(HOST_DNS)},
        {ID("1") "mta-sts.example.com AAAA !\n" HOST, "192.0.2.1", 1,
         WHY(NONE)},
        {ID("1") "mta-sts.example.com CNAME sts.example.org\n"
                 "sts.example.org A 192.0.2.7\n",
         "192.0.2.7", 1, WHY(NONE)},
        {ID("1") HOST "mta-sts.example.com A 192.0.2.2\n"
                      "mta-sts.example.com A 192.0.2.3\n"
                      "mta-sts.example.com A 192.0.2.4\n"
                      "mta-sts.example.com A 192.0.2.5\n",
         "192.0.2.1", 4, WHY(NONE)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct t_sts x = {.zone = rows[i].zone};
        char text[ONWARD_IP_TEXT_MAX] = "";

        t_sts_init(&x, NULL);
        t_sts_ask(&x, "example.com");
        t_sts_expect(&x, rows[i].reason == WHY(NONE) ? POLICY : NONE,
                     rows[i].reason);
        assert_int_equal(x.ip_count, rows[i].count);
        if (x.ip_count != 0)
            assert_true(onward_ip_format(&x.ips[0], text, sizeof(text)) > 0);
        assert_string_equal(text, rows[i].first);
        t_sts_clear(&x);
    }
}

static void by_default_only_public_addresses(void **state)
{
    struct t_sts x = {.zone = ZONE};
    struct onward_mtasts_opts o = {.size = sizeof(o)};
    struct onward_mtasts_host h = {.size = sizeof(h)};
    struct onward_mtasts_lookup *lookup = NULL;
    struct onward_mtasts *m = NULL;
    struct onward_mtasts_verdict v = {.size = sizeof(v)};

    (void)state;
    t_sts_init(&x, NULL);
    o.resolver = x.resolver;
    o.store = x.store;
    /* Never called: 192.0.2.0/24 is for documentation. */
    h.connect =
        (int (*)(void *, uint64_t, const struct onward_mtasts_request *))1;
    assert_int_equal(onward_mtasts_new(&o, &h, &m), 0);
    assert_int_equal(
        onward_mtasts_lookup_new(m, ONWARD_STR("example.com"), NULL, &lookup),
        0);
    assert_int_equal(onward_mtasts_lookup_verdict(lookup, &v), 0);
    assert_int_equal(v.status, ONWARD_MTASTS_PENDING);
    t_sts_run(&x);
    assert_int_equal(onward_mtasts_lookup_verdict(lookup, &v), 0);
    assert_int_equal(v.reason, WHY(ADDRESS));
    onward_mtasts_lookup_free(lookup);
    onward_mtasts_free(m);
    t_sts_clear(&x);
}

/* ---- A031: what is kept stays ------------------------------------------ */

static const struct onward_mtasts_reply not_found = {.size = sizeof(not_found),
                                                     .status = 404};
static const struct onward_mtasts_reply broken = {
    .size = sizeof(broken),
    .status = 200,
    .content_type = {"text/plain", 10},
    .body = {"version: STSv1\r\nmode: none\r\n", 28}};

/* Until its time is over, and not a second longer. */
static void a_policy_outlives_record_and_host(void **state)
{
    static const struct {
        const char *name, *zone;
        const struct onward_mtasts_reply *reply;
        int tls_failure;
        size_t reason;
    } rows[] = {
        {"no record", HOST, &not_found, -1, WHY(NO_RECORD)},
        {"no answer", HOST "_mta-sts.example.com TXT !\n", &not_found, -1,
         WHY(DNS)},
        {"two records", HOST ID("1") ID("2"), &not_found, -1,
         WHY(MANY_RECORDS)},
        {"a broken record", HOST "_mta-sts.example.com TXT \"v=STSv1;\"\n",
         &not_found, -1, WHY(BAD_RECORD)},
        {"a new id, no host", ID("2"), &not_found, -1, WHY(NO_HOST)},
        {"a new id, another host", ID("2") "mta-sts.example.com A 10.0.0.1\n",
         &not_found, -1, WHY(ADDRESS)},
        {"a new id, 404", HOST ID("2"), &not_found, -1, WHY(STATUS)},
        {"a new id, a broken policy", HOST ID("2"), &broken, -1,
         WHY(BAD_POLICY)},
        {"a new id, no connection", HOST ID("2"), NULL, 0, WHY(CONNECT)},
        {"a new id, a forged certificate", HOST ID("2"), NULL,
         ONWARD_TLS_UNTRUSTED, WHY(TLS)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct t_sts x = {.zone = ZONE};

        t_sts_init(&x, NULL);
        t_sts_ask(&x, "example.com");
        t_sts_expect(&x, POLICY, WHY(NONE));
        x.zone = rows[i].zone;
        x.reply = rows[i].reply;
        x.tls_failure = rows[i].tls_failure;
        for (int day = 0; day < 7; day++) {
            t_sts_wait(&x, day == 0 ? 1 : 86400);
            t_sts_ask(&x, "example.com");
            if (x.v.status != POLICY)
                fail_msg("%s, day %d", rows[i].name, day);
            assert_int_equal(x.v.policy->mode, ONWARD_MTASTS_MODE_ENFORCE);
            t_assert_str(x.v.id, "1");
            assert_int_equal(x.v.is_cached, 1);
            if (day == 0 && x.v.reason != rows[i].reason)
                fail_msg("%s: %s", rows[i].name,
                         onward_mtasts_reason_name((int)x.v.reason));
        }
        x.w.now_s = 1600000000 + 604799;
        t_sts_wait(&x, 0);
        t_sts_ask(&x, "example.com");
        assert_int_equal(x.v.status, POLICY);
        t_sts_wait(&x, 1);
        t_sts_ask(&x, "example.com");
        if (x.v.status != NONE)
            fail_msg("%s: longer than its time", rows[i].name);
        t_sts_clear(&x);
    }
}

/* The process ends, all else is taken away, another begins. */
static void a_policy_outlives_the_process(void **state)
{
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, POLICY, WHY(NONE));
    t_sts_end(&x);
    x.zone = "";
    x.now_ms = 0;
    assert_true(t_sts_try(&x, NULL));
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, POLICY, WHY(NO_RECORD));
    assert_int_equal(
        onward_mtasts_mx_matches(x.v.policy, ONWARD_STR("mx.evil.example")), 0);
    t_sts_clear(&x);
}

/* It is in the store before anybody is told. */
static void what_is_told_is_kept(void **state)
{
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    t_sts_ask(&x, "example.com");
    assert_int_equal(onward_memstore_count(x.mem), 1);
    t_sts_clear(&x);
}

/* ---- Newer ones -------------------------------------------------------- */

static const struct onward_mtasts_reply none = {
    .size = sizeof(none),
    .status = 200,
    .content_type = {"text/plain; charset=utf-8", 25},
    .body = {"version: STSv1\nmode: none\nmax_age: 86400\n", 41}};

static void a_new_id_brings_a_new_policy(void **state)
{
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    t_sts_ask(&x, "example.com");
    x.zone = HOST ID("2");
    x.reply = &none;
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, POLICY, WHY(NONE));
    assert_int_equal(x.v.policy->mode, ONWARD_MTASTS_MODE_NONE);
    t_assert_str(x.v.id, "2");
    assert_int_equal(x.connects, 2);
    t_sts_ask(&x, "example.com");
    assert_int_equal(x.connects, 2);
    assert_int_equal(x.v.policy->mode, ONWARD_MTASTS_MODE_NONE);
    t_sts_clear(&x);
}

/* Nobody waits for a policy whose id is known; it is fetched all the same,
 * with or without a record, long before its time is over. */
static void a_policy_is_refreshed_before_its_end(void **state)
{
    static const char *const zones[] = {ZONE, HOST};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct t_sts x = {.zone = ZONE};
        int64_t first_s;

        t_sts_init(&x, NULL);
        first_s = x.w.now_s;
        t_sts_ask(&x, "example.com");
        x.zone = zones[i];
        t_sts_wait(&x, 86399);
        t_sts_ask(&x, "example.com");
        assert_int_equal(x.connects, 1);
        t_sts_wait(&x, 1);
        t_sts_ask(&x, "example.com");
        assert_int_equal(x.v.status, POLICY);
        assert_true(x.v.fetched_s == first_s);
        assert_int_equal(x.connects, 2);
        t_sts_ask(&x, "example.com");
        assert_true(x.v.fetched_s == first_s + 86400);
        assert_int_equal(x.connects, 2);
        t_sts_clear(&x);
    }
}

/* Domains that nobody writes to, more than a page of them. */
static void what_is_kept_is_refreshed(void **state)
{
    enum { DOMAINS = 70 };
    static char zone[DOMAINS * 128];
    struct t_sts x = {.zone = zone};
    char domain[32];

    (void)state;
    for (int i = 0; i < DOMAINS; i++)
        snprintf(zone + strlen(zone), sizeof(zone) - strlen(zone),
                 "_mta-sts.d%d.example TXT \"v=STSv1; id=1\"\n"
                 "mta-sts.d%d.example A 192.0.2.1\n",
                 i, i);
    t_sts_init(&x, NULL);
    for (int i = 0; i < DOMAINS; i++) {
        snprintf(domain, sizeof(domain), "d%d.example", i);
        t_sts_ask(&x, domain);
    }
    assert_int_equal(x.connects, DOMAINS);
    t_sts_wait(&x, 80000);
    assert_int_equal(onward_mtasts_refresh(x.mtasts), 0);
    assert_int_equal(onward_mtasts_refresh(x.mtasts), ONWARD_ESTATE);
    t_sts_run(&x);
    assert_int_equal(x.connects, DOMAINS); /* nothing is due */
    t_sts_wait(&x, 6400);
    assert_int_equal(onward_mtasts_refresh(x.mtasts), 0);
    t_sts_run(&x);
    assert_int_equal(x.connects, 2 * DOMAINS);
    /* The host's connections come to nothing, a few at a time. */
    t_sts_wait(&x, 86400);
    x.reply = NULL;
    assert_int_equal(onward_mtasts_refresh(x.mtasts), 0);
    t_sts_run(&x);
    assert_true(onward_mtasts_fetch_count(x.mtasts) > 0);
    assert_true(onward_mtasts_fetch_count(x.mtasts) <= 32);
    assert_int_equal(onward_mtasts_refresh(x.mtasts), ONWARD_ESTATE);
    /* Freed in the middle of it. */
    onward_mtasts_free(x.mtasts);
    x.mtasts = NULL;
    t_sts_clear(&x);
}

static void refreshing_may_be_ended_by_the_host(void **state)
{
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    t_sts_ask(&x, "example.com");
    t_sts_wait(&x, 90000);
    x.in_connect = free_mtasts;
    assert_int_equal(onward_mtasts_refresh(x.mtasts), 0);
    t_sts_run(&x);
    assert_null(x.mtasts);
    assert_int_equal(onward_mtasts_refresh(NULL), ONWARD_EINVAL);
    t_sts_clear(&x);
}

/* RFC 8461 section 3.3: unless the mode is "none". */
static void a_failed_refresh_is_logged(void **state)
{
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    t_sts_ask(&x, "example.com");
    x.reply = &not_found;
    t_sts_wait(&x, 90000);
    t_sts_ask(&x, "example.com");
    assert_string_equal(x.w.last_log,
                        "mtasts fetch-failed example.com id=1 status 404");
    t_sts_clear(&x);
}

/* ---- Failures ---------------------------------------------------------- */

/* A032: a fetch that failed is no policy, least of all an empty one. */
static void what_is_no_policy(void **state)
{
    static const struct {
        size_t status;
        const char *type, *encoding, *body;
        size_t reason;
    } rows[] = {
        {204, "text/plain", "", "", WHY(STATUS)},
        {301, "text/plain", "", T_POLICY, WHY(STATUS)},
        {404, "text/plain", "", T_POLICY, WHY(STATUS)},
        {500, "text/plain", "", T_POLICY, WHY(STATUS)},
        {200, "text/html", "", T_POLICY, WHY(MEDIA_TYPE)},
        {200, "", "", T_POLICY, WHY(MEDIA_TYPE)},
        {200, "text/plain", "gzip", T_POLICY, WHY(ENCODING)},
        {200, "text/plain", "", "", WHY(BAD_POLICY)},
        {200, "text/plain", "", "<html>", WHY(BAD_POLICY)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct onward_mtasts_reply reply = {
            .size = sizeof(reply),
            .status = rows[i].status,
            .content_type = onward_str_of(rows[i].type),
            .content_encoding = onward_str_of(rows[i].encoding),
            .body = onward_str_of(rows[i].body)};
        struct t_sts x = {.zone = ZONE};

        t_sts_init(&x, NULL);
        x.reply = &reply;
        t_sts_ask(&x, "example.com");
        t_sts_expect(&x, NONE, rows[i].reason);
        assert_int_equal(x.v.is_remembered, 0);
        t_sts_ask(&x, "example.com");
        t_sts_expect(&x, NONE, rows[i].reason);
        assert_int_equal(x.v.is_remembered, 1);
        assert_int_equal(x.v.http_status, rows[i].status);
        assert_int_equal(x.connects, 1);
        t_sts_clear(&x);
    }
}

static void a_long_policy_is_none(void **state)
{
    static char body[ONWARD_MTASTS_POLICY_MAX + 1];
    const struct onward_mtasts_reply reply = {.size = sizeof(reply),
                                              .status = 200,
                                              .content_type =
                                                  ONWARD_STR("text/plain"),
                                              .body = {body, sizeof(body)}};
    struct t_sts x = {.zone = ZONE, .reply = &reply};

    (void)state;
    t_sts_init(&x, NULL);
    x.reply = &reply;
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, NONE, WHY(TOO_LONG));
    t_sts_clear(&x);
}

/* RFC 8461 section 3.3: five minutes for each version. */
static void a_host_that_failed_is_left_alone(void **state)
{
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    x.reply = NULL;
    x.tls_failure = ONWARD_TLS_EXPIRED;
    for (int i = 0; i < 10; i++) {
        t_sts_ask(&x, "example.com");
        t_sts_expect(&x, NONE, WHY(TLS));
        assert_int_equal(x.v.tls_failure, ONWARD_TLS_EXPIRED);
    }
    assert_int_equal(x.connects, 1);
    x.zone = HOST ID("2");
    t_sts_ask(&x, "example.com");
    assert_int_equal(x.connects, 2);
    t_sts_wait(&x, 299);
    t_sts_ask(&x, "example.com");
    assert_int_equal(x.connects, 2);
    t_sts_wait(&x, 1);
    x.reply = &t_sts_good;
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, POLICY, WHY(NONE));
    assert_int_equal(x.connects, 3);
    t_sts_clear(&x);
}

/* A first delivery waits, but not for ever. */
static void a_fetch_has_a_minute(void **state)
{
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    x.reply = NULL;
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, ONWARD_MTASTS_PENDING, WHY(NONE));
    assert_int_equal(onward_mtasts_fetch_count(x.mtasts), 1);
    assert_true(onward_desk_deadline(x.desk) == x.now_ms + 60000);
    t_sts_wait(&x, 59);
    t_sts_look(&x);
    t_sts_expect(&x, ONWARD_MTASTS_PENDING, WHY(NONE));
    t_sts_wait(&x, 1);
    t_sts_look(&x);
    t_sts_expect(&x, NONE, WHY(TIMEOUT));
    assert_int_equal(x.cancels, 1);
    assert_int_equal(onward_mtasts_fetch_count(x.mtasts), 0);
    assert_int_equal(onward_mtasts_answer_reply(x.desk, x.token, &t_sts_good),
                     ONWARD_ESTALE);
    assert_int_equal(onward_mtasts_answer_error(x.desk, x.token, 0),
                     ONWARD_ESTALE);
    t_sts_clear(&x);
}

static void the_host_may_refuse(void **state)
{
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    x.reply = NULL;
    x.connect_error = ONWARD_ECALLBACK;
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, NONE, WHY(CONNECT));
    t_sts_clear(&x);
}

static void wrong_answers_change_nothing(void **state)
{
    struct t_sts x = {.zone = ZONE};
    struct onward_mtasts_reply reply = t_sts_good;
    struct onward_mtasts_fetch *fetch = NULL;

    (void)state;
    t_sts_init(&x, NULL);
    x.reply = NULL;
    t_sts_ask(&x, "example.com");
    assert_int_equal(onward_mtasts_answer_error(x.desk, x.token, 99),
                     ONWARD_EINVAL);
    assert_int_equal(onward_mtasts_answer_error(x.desk, x.token, -1),
                     ONWARD_EINVAL);
    assert_int_equal(onward_mtasts_answer_reply(x.desk, x.token, NULL),
                     ONWARD_EINVAL);
    reply.status = 0;
    assert_int_equal(onward_mtasts_answer_reply(x.desk, x.token, &reply),
                     ONWARD_EINVAL);
    assert_int_equal(onward_mtasts_answer_reply(x.desk, 4711, &t_sts_good),
                     ONWARD_ESTALE);
    /* Without trust anchors there is no connection of ours. */
    assert_int_equal(onward_mtasts_fetch_new(x.desk, x.token, &fetch),
                     ONWARD_ESTATE);
    assert_int_equal(onward_mtasts_answer_reply(x.desk, x.token, &t_sts_good),
                     0);
    assert_int_equal(onward_mtasts_answer_reply(x.desk, x.token, &t_sts_good),
                     ONWARD_ESTALE);
    t_sts_run(&x);
    t_sts_look(&x);
    t_sts_expect(&x, POLICY, WHY(NONE));
    t_sts_clear(&x);
}

static void count_done(void *user, struct onward_mtasts_lookup *lookup)
{
    struct onward_mtasts_verdict v = {.size = sizeof(v)};

    assert_int_equal(onward_mtasts_lookup_verdict(lookup, &v), 0);
    assert_int_equal(v.status, POLICY);
    ++*(size_t *)user;
}

static void lookups_share_a_fetch(void **state)
{
    struct t_sts x = {.zone = ZONE};
    struct onward_mtasts_lookup *lookups[5];
    size_t done = 0;
    struct onward_mtasts_lookup_host h = {
        .size = sizeof(h), .user = &done, .done = count_done};

    (void)state;
    t_sts_init(&x, NULL);
    x.reply = NULL;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(onward_mtasts_lookup_new(x.mtasts,
                                                  ONWARD_STR("example.com"), &h,
                                                  &lookups[i]),
                         0);
    t_sts_run(&x);
    assert_int_equal(x.connects, 1);
    /* Whoever goes, first, in the middle or last, the others stay. */
    onward_mtasts_lookup_free(lookups[0]);
    onward_mtasts_lookup_free(lookups[2]);
    onward_mtasts_lookup_free(lookups[4]);
    assert_int_equal(onward_mtasts_answer_reply(x.desk, x.token, &t_sts_good),
                     0);
    assert_int_equal(done, 0);
    t_sts_run(&x);
    assert_int_equal(done, 2);
    onward_mtasts_lookup_free(lookups[1]);
    onward_mtasts_lookup_free(lookups[3]);
    t_sts_clear(&x);
}

static void more_fetches_than_allowed(void **state)
{
    struct onward_mtasts_opts o = {.size = sizeof(o), .max_fetches = 1};
    struct t_sts x = {.zone =
                          ZONE "mta-sts.b.example A 192.0.2.1\n"
                               "_mta-sts.b.example TXT \"v=STSv1; id=1\"\n"};
    struct onward_mtasts_lookup *lookup = NULL;

    (void)state;
    t_sts_init(&x, &o);
    x.reply = NULL;
    t_sts_ask(&x, "example.com");
    lookup = x.lookup;
    x.lookup = NULL;
    t_sts_ask(&x, "b.example");
    t_sts_expect(&x, NONE, WHY(BUSY));
    onward_mtasts_lookup_free(lookup);
    t_sts_clear(&x);
}

static void a_policy_without_life_is_for_now(void **state)
{
    static const struct onward_mtasts_reply brief = {
        .size = sizeof(brief),
        .status = 200,
        .content_type = {"text/plain", 10},
        .body = {"version: STSv1\nmode: enforce\nmx: a.b\nmax_age: 0\n", 48}};
    struct t_sts x = {.zone = ZONE};

    (void)state;
    t_sts_init(&x, NULL);
    x.reply = &brief;
    t_sts_ask(&x, "example.com");
    t_sts_expect(&x, POLICY, WHY(NONE));
    assert_int_equal(onward_memstore_count(x.mem), 0);
    t_sts_clear(&x);
}

/* ---- Freeing, memory, errors ------------------------------------------- */

static void free_lookup(struct t_sts *x)
{
    onward_mtasts_lookup_free(x->lookup);
    x->lookup = NULL;
}

static void free_desk(struct t_sts *x)
{
    free_lookup(x);
    onward_desk_free(x->desk);
    x->desk = NULL;
}

static void callbacks_may_free(void **state)
{
    void (*const frees[])(struct t_sts * x) = {free_mtasts, free_lookup,
                                               free_desk};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct t_sts x = {.zone = ZONE};
        struct onward_desk *desk;

        t_sts_init(&x, NULL);
        if (i < 3)
            x.in_connect = frees[i];
        else
            x.in_allow = frees[i - 3];
        assert_int_equal(onward_mtasts_lookup_new(x.mtasts,
                                                  ONWARD_STR("example.com"),
                                                  NULL, &x.lookup),
                         0);
        desk = x.desk;
        while (x.desk != NULL && onward_desk_run(desk, 1) == 1)
            continue;
        if (i % 3 == 0) {
            t_sts_look(&x);
            t_sts_expect(&x, NONE, WHY(CANCELED));
        }
        t_sts_clear(&x);
    }
}

static void free_all(void *user, struct onward_mtasts_lookup *lookup)
{
    struct t_sts *x = user;

    onward_mtasts_lookup_free(lookup);
    x->lookup = NULL;
    free_mtasts(x);
    x->done++;
}

static void done_may_free_all(void **state)
{
    struct t_sts x = {.zone = ZONE};
    struct onward_mtasts_lookup_host h = {
        .size = sizeof(h), .user = &x, .done = free_all};

    (void)state;
    t_sts_init(&x, NULL);
    assert_int_equal(onward_mtasts_lookup_new(
                         x.mtasts, ONWARD_STR("example.com"), &h, &x.lookup),
                     0);
    t_sts_run(&x);
    assert_int_equal(x.done, 1);
    t_sts_clear(&x);
}

static void freed_before_its_lookups(void **state)
{
    struct t_sts x = {.zone = ZONE};
    struct onward_mtasts_lookup *late = NULL;

    (void)state;
    t_sts_init(&x, NULL);
    x.reply = NULL;
    t_sts_ask(&x, "example.com");
    onward_mtasts_free(x.mtasts);
    t_sts_run(&x);
    t_sts_look(&x);
    t_sts_expect(&x, NONE, WHY(CANCELED));
    assert_int_equal(x.cancels, 0);
    assert_int_equal(onward_mtasts_answer_error(x.desk, x.token, 0),
                     ONWARD_ESTALE);
    assert_int_equal(
        onward_mtasts_lookup_new(x.mtasts, ONWARD_STR("a.b"), NULL, &late),
        ONWARD_ESTATE);
    x.mtasts = NULL;
    t_sts_clear(&x);
}

static bool oom(struct t_world *w, void *arg)
{
    struct t_sts x = {.zone = ZONE, .tls_failure = -1};
    bool ok;

    x.reply = arg;
    x.w = *w;
    /* The world is the sweep's: its counters are to be seen there. */
    x.w.ctx = w->ctx;
    ok = t_sts_try(&x, NULL) &&
         onward_mtasts_lookup_new(x.mtasts, ONWARD_STR("example.com"), NULL,
                                  &x.lookup) == 0;
    if (ok) {
        t_sts_run(&x);
        t_sts_look(&x);
        assert_true(x.v.status != ONWARD_MTASTS_PENDING);
        ok = x.v.reason ==
             (arg == &t_sts_good ? WHY(NONE) : (size_t)WHY(STATUS));
        /* What went well is kept, or it is known that it is not. */
        if (ok && arg == &t_sts_good)
            assert_int_equal(x.v.status, POLICY);
        ok = ok && onward_memstore_count(x.mem) == 1;
        x.w.now_s += 90000;
        if (onward_mtasts_refresh(x.mtasts) != 0)
            ok = false;
        t_sts_run(&x);
    }
    t_sts_end(&x);
    onward_memstore_free(x.mem);
    return ok;
}

static void out_of_memory_anywhere(void **state)
{
    (void)state;
    t_oom_sweep(oom, (void *)&t_sts_good);
    t_oom_sweep(oom, (void *)&not_found);
}

static void errors_of_new(void **state)
{
    struct t_sts x = {.zone = ZONE};
    struct onward_mtasts_opts o = {.size = sizeof(o)};
    struct onward_mtasts_host h = {.size = sizeof(h)};
    struct onward_mtasts *m = NULL;
    struct onward_mtasts_lookup *l = NULL;
    struct onward_mtasts_verdict v = {.size = 1};
    struct onward_store *other = NULL;
    struct onward_desk *desk = NULL;

    (void)state;
    t_sts_init(&x, NULL);
    o.resolver = x.resolver;
    o.store = x.store;
    assert_int_equal(onward_mtasts_new(&o, &h, &m), ONWARD_EINVAL);
    h.connect =
        (int (*)(void *, uint64_t, const struct onward_mtasts_request *))1;
    assert_int_equal(onward_mtasts_new(NULL, &h, &m), ONWARD_EINVAL);
    assert_int_equal(onward_mtasts_new(&o, NULL, &m), ONWARD_EINVAL);
    assert_int_equal(onward_mtasts_new(&o, &h, NULL), ONWARD_EINVAL);
    o.store = NULL;
    assert_int_equal(onward_mtasts_new(&o, &h, &m), ONWARD_EINVAL);
    assert_int_equal(onward_desk_new(x.w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_memstore_open(x.mem, desk, NULL, &other), 0);
    o.store = other;
    assert_int_equal(onward_mtasts_new(&o, &h, &m), ONWARD_EINVAL);
    onward_store_free(other);
    onward_desk_free(desk);
    assert_int_equal(
        onward_mtasts_lookup_new(NULL, ONWARD_STR("a.b"), NULL, &l),
        ONWARD_EINVAL);
    assert_int_equal(
        onward_mtasts_lookup_new(x.mtasts, ONWARD_STR("a.b"), NULL, NULL),
        ONWARD_EINVAL);
    t_sts_ask(&x, "a.example");
    assert_int_equal(onward_mtasts_lookup_verdict(x.lookup, &v), ONWARD_EINVAL);
    assert_int_equal(onward_mtasts_lookup_verdict(NULL, &v), ONWARD_EINVAL);
    assert_int_equal(onward_mtasts_fetch_count(NULL), 0);
    onward_mtasts_free(NULL);
    onward_mtasts_lookup_free(NULL);
    onward_mtasts_fetch_free(NULL);
    assert_null(onward_mtasts_fetch_channel(NULL));
    t_sts_clear(&x);
}

/* ---- Product row 74 ---------------------------------------------------- */

/* Record and policy as a large forwarding service announces them, the record
 * through its customer's CNAME: a day of life, so it is fetched each half. */
static void row_74(void **state)
{
    static const char text[] = "version: STSv1\nmode: enforce\n"
                               "mx: *.mx.cloudflare.net\nmax_age: 86400\n";
    const struct onward_mtasts_reply reply = {.size = sizeof(reply),
                                              .status = 200,
                                              .content_type =
                                                  ONWARD_STR("text/plain"),
                                              .body = {text, sizeof(text) - 1}};
    struct t_sts x = {
        .zone = "_mta-sts.customer.example CNAME _mta-sts.mx.cloudflare.net\n"
                "_mta-sts.mx.cloudflare.net TXT "
                "\"v=STSv1; id=20230615T153000;\"\n"
                "mta-sts.customer.example A 192.0.2.1\n"};

    (void)state;
    t_sts_init(&x, NULL);
    x.reply = &reply;
    t_sts_ask(&x, "customer.example");
    t_sts_expect(&x, POLICY, WHY(NONE));
    assert_string_equal(x.name, "mta-sts.customer.example");
    t_assert_str(x.v.id, "20230615T153000");
    assert_int_equal(x.v.policy->mode, ONWARD_MTASTS_MODE_ENFORCE);
    assert_true(x.v.expires_s == x.w.now_s + 86400);
    assert_int_equal(onward_mtasts_mx_matches(
                         x.v.policy, ONWARD_STR("route1.mx.cloudflare.net")),
                     1);
    assert_int_equal(onward_mtasts_mx_matches(
                         x.v.policy, ONWARD_STR("a.b.mx.cloudflare.net")),
                     0);
    assert_int_equal(
        onward_mtasts_mx_matches(x.v.policy, ONWARD_STR("mx.cloudflare.net")),
        0);
    for (int i = 0; i < 10; i++) {
        t_sts_wait(&x, 43200);
        t_sts_ask(&x, "customer.example");
        t_sts_expect(&x, POLICY, WHY(NONE));
    }
    assert_int_equal(x.connects, 11);
    t_sts_clear(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_is_fetched_once),
        cmocka_unit_test(without_a_record_nothing_is_asked),
        cmocka_unit_test(domains_as_people_write_them),
        cmocka_unit_test(addresses_in_order_behind_the_filter),
        cmocka_unit_test(by_default_only_public_addresses),
        cmocka_unit_test(a_policy_outlives_record_and_host),
        cmocka_unit_test(a_policy_outlives_the_process),
        cmocka_unit_test(what_is_told_is_kept),
        cmocka_unit_test(a_new_id_brings_a_new_policy),
        cmocka_unit_test(a_policy_is_refreshed_before_its_end),
        cmocka_unit_test(what_is_kept_is_refreshed),
        cmocka_unit_test(refreshing_may_be_ended_by_the_host),
        cmocka_unit_test(a_failed_refresh_is_logged),
        cmocka_unit_test(what_is_no_policy),
        cmocka_unit_test(a_long_policy_is_none),
        cmocka_unit_test(a_host_that_failed_is_left_alone),
        cmocka_unit_test(a_fetch_has_a_minute),
        cmocka_unit_test(the_host_may_refuse),
        cmocka_unit_test(wrong_answers_change_nothing),
        cmocka_unit_test(lookups_share_a_fetch),
        cmocka_unit_test(more_fetches_than_allowed),
        cmocka_unit_test(a_policy_without_life_is_for_now),
        cmocka_unit_test(callbacks_may_free),
        cmocka_unit_test(done_may_free_all),
        cmocka_unit_test(freed_before_its_lookups),
        cmocka_unit_test(out_of_memory_anywhere),
        cmocka_unit_test(errors_of_new),
        cmocka_unit_test(row_74),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
