/* What the host may choose: several authors, what is refused, what is written;
 * and what a verifier takes of memory. */
#include <onward/verify.h>

#include "core/json_shared.h"
#include "support/support.h"

#define AUTHSERV .authserv_id = ONWARD_STR("mx.b.example")

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_verifier *verifier;
    struct onward_ip ip;
};

static const char zone[] =
    "a.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
    "mail.a.example TXT \"v=spf1 a -all\"\nmail.a.example A 192.0.2.9\n"
    "_dmarc.a.example TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.q.example TXT \"v=DMARC1; p=quarantine\"\n"
    "_dmarc.n.example TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.t.example TXT !SERVFAIL\nt.example TXT !SERVFAIL\n"
    "s._domainkey.t.example TXT !SERVFAIL\n"
    "ta.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
    "_dmarc.ta.example TXT !SERVFAIL\n";

static void begin(struct world *x)
{
    const struct onward_resolver_opts o = {.size = sizeof(o),
                                           .allow_only_loaded = 1};

    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    assert_int_equal(onward_desk_new(x->w.ctx, NULL, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, &o, NULL, &x->resolver), 0);
    assert_int_equal(
        onward_resolver_load(x->resolver, onward_str_of(zone), NULL), 0);
    assert_int_equal(onward_ip_parse(ONWARD_STR("192.0.2.9"), &x->ip), 0);
}

static void end(struct world *x)
{
    onward_verifier_free(x->verifier);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static void verify(struct world *x, const struct onward_verifier_opts *o,
                   const char *message)
{
    assert_int_equal(onward_verifier_new(x->resolver, o, NULL, &x->verifier),
                     0);
    assert_int_equal(
        onward_verifier_feed(x->verifier, message, strlen(message)), 0);
    assert_int_equal(onward_verifier_finish(x->verifier), 0);
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
    assert_int_equal(onward_verifier_is_done(x->verifier), 1);
}

/* ---- Authors ----------------------------------------------------------- */

static const struct author_row {
    const char *name, *from;
    size_t max_authors;
    int result, reason, disposition;
    const char *author;
    size_t count;
} author_rows[] = {
    {"two authors are too many by default", "u@a.example, u@n.example", 0,
     ONWARD_DMARC_PERMERROR, ONWARD_DMARC_REASON_MANY_AUTHORS,
     ONWARD_DMARC_POLICY_REJECT, "", 0},
    {"the one that fails counts", "u@a.example, u@n.example", 2,
     ONWARD_DMARC_FAIL, ONWARD_DMARC_REASON_NOT_ALIGNED,
     ONWARD_DMARC_POLICY_NONE, "n.example", 2},
    {"whichever comes first", "u@n.example, u@a.example", 2, ONWARD_DMARC_FAIL,
     ONWARD_DMARC_REASON_NOT_ALIGNED, ONWARD_DMARC_POLICY_NONE, "n.example", 2},
    {"the strictest policy", "u@n.example, u@q.example, u@a.example", 5,
     ONWARD_DMARC_FAIL, ONWARD_DMARC_REASON_NOT_ALIGNED,
     ONWARD_DMARC_POLICY_QUARANTINE, "q.example", 3},
    {"no policy beside a pass is no pass", "u@a.example, u@z.example", 2,
     ONWARD_DMARC_NONE, ONWARD_DMARC_REASON_NO_RECORD, ONWARD_DMARC_POLICY_NONE,
     "z.example", 2},
    {"not known beside a pass is not known", "u@a.example, u@t.example", 2,
     ONWARD_DMARC_TEMPERROR, ONWARD_DMARC_REASON_DNS, ONWARD_DMARC_POLICY_NONE,
     "t.example", 2},
    {"the same domain is one", "u@a.example, v@A.example", 2, ONWARD_DMARC_PASS,
     ONWARD_DMARC_REASON_ALIGNED, ONWARD_DMARC_POLICY_NONE, "a.example", 1},
    {"one more than allowed",
     "u@a.example, u@n.example, u@q.example, u@z.example, u@t.example, "
     "u@y.example",
     5, ONWARD_DMARC_PERMERROR, ONWARD_DMARC_REASON_MANY_AUTHORS,
     ONWARD_DMARC_POLICY_REJECT, "", 0},
};

static void test_author_row(void **state)
{
    const struct author_row *row = *state;
    struct onward_verifier_opts o = {.size = sizeof(o),
                                     AUTHSERV,
                                     .mail_from = ONWARD_STR("u@a.example"),
                                     .dmarc_reject_policy =
                                         ONWARD_DMARC_REJECT_SERVICE,
                                     .max_authors = row->max_authors};
    char message[300];
    struct world x;

    begin(&x);
    o.client_ip = &x.ip;
    snprintf(message, sizeof(message), "From: %s\r\n\r\n", row->from);
    verify(&x, &o, message);
    assert_int_equal(onward_verifier_dmarc_result(x.verifier), row->result);
    assert_int_equal(onward_verifier_dmarc_reason(x.verifier), row->reason);
    assert_int_equal(onward_verifier_dmarc_disposition(x.verifier),
                     row->disposition);
    t_assert_str(onward_verifier_author_domain(x.verifier), row->author);
    assert_int_equal(onward_verifier_author_count(x.verifier), row->count);
    for (size_t i = 0; i < row->count; i++)
        assert_non_null(onward_verifier_dmarc_at(x.verifier, i));
    assert_null(onward_verifier_dmarc_at(x.verifier, row->count));
    end(&x);
}

/* ---- What to do -------------------------------------------------------- */

/* a.example asks to reject, and passes by SPF of u@a.example. */
static const struct advice_row {
    const char *name, *header, *mail_from;
    int advice;
} advice_rows[] = {
    {"advice: what passes", "From: u@a.example\r\n", "u@a.example",
     ONWARD_VERIFIER_ADVICE_TAKE},
    {"advice: p=none", "From: u@n.example\r\n", "u@z.example",
     ONWARD_VERIFIER_ADVICE_TAKE},
    {"advice: p=quarantine", "From: u@q.example\r\n", "u@z.example",
     ONWARD_VERIFIER_ADVICE_QUARANTINE},
    {"advice: p=reject", "From: u@a.example\r\n", "u@z.example",
     ONWARD_VERIFIER_ADVICE_REJECT},
    {"advice: no author", "Subject: x\r\n", "u@a.example",
     ONWARD_VERIFIER_ADVICE_REJECT},
    {"advice: no author, and SPF not known", "Subject: x\r\n", "u@t.example",
     ONWARD_VERIFIER_ADVICE_REJECT},
    {"advice: SPF that might pass", "From: u@a.example\r\n",
     "u@t.example", ONWARD_VERIFIER_ADVICE_DEFER},
    {"advice: a key that might be there",
     "DKIM-Signature: v=1; a=ed25519-sha256; d=t.example; s=s; h=from;"
     " bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b="
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\r\nFrom: u@a.example\r\n",
     "u@z.example", ONWARD_VERIFIER_ADVICE_DEFER},
    {"advice: a policy that might reject", "From: u@t.example\r\n",
     "u@a.example", ONWARD_VERIFIER_ADVICE_DEFER},
    {"advice: the same, of a domain that is authenticated",
     "From: u@ta.example\r\n", "u@ta.example", ONWARD_VERIFIER_ADVICE_TAKE},
};

static void test_advice_row(void **state)
{
    const struct advice_row *row = *state;
    struct onward_verifier_opts o = {
        .size = sizeof(o),
        AUTHSERV,
        .mail_from = onward_str_of(row->mail_from),
        .dmarc_reject_policy = ONWARD_DMARC_REJECT_SERVICE};
    char message[400];
    struct world x;

    begin(&x);
    o.client_ip = &x.ip;
    snprintf(message, sizeof(message), "%s\r\n", row->header);
    assert_int_equal(onward_verifier_new(x.resolver, &o, NULL, &x.verifier), 0);
    assert_int_equal(onward_verifier_advice(x.verifier),
                     ONWARD_VERIFIER_ADVICE_TAKE);
    onward_verifier_free(x.verifier);
    verify(&x, &o, message);
    assert_int_equal(onward_verifier_advice(x.verifier), row->advice);
    end(&x);
}

/* ---- What is refused --------------------------------------------------- */

static void test_reject_is_the_hosts_choice(void **state)
{
    static const char message[] = "From: u@a.example\r\n\r\n";
    struct onward_verifier_opts o = {.size = sizeof(o), AUTHSERV};
    const struct {
        size_t reject_policy;
        bool is_suspect;
        int disposition;
    } rows[] = {
        {ONWARD_DMARC_REJECT_RFC9989, false, ONWARD_DMARC_POLICY_QUARANTINE},
        {ONWARD_DMARC_REJECT_RFC9989, true, ONWARD_DMARC_POLICY_REJECT},
        {ONWARD_DMARC_REJECT_SERVICE, false, ONWARD_DMARC_POLICY_REJECT},
        {ONWARD_DMARC_REJECT_NEVER, true, ONWARD_DMARC_POLICY_QUARANTINE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world x;

        begin(&x);
        o.dmarc_reject_policy = rows[i].reject_policy;
        verify(&x, &o, message);
        if (rows[i].is_suspect)
            onward_verifier_suspect(x.verifier);
        assert_int_equal(onward_verifier_dmarc_result(x.verifier),
                         ONWARD_DMARC_FAIL);
        assert_int_equal(onward_verifier_dmarc_disposition(x.verifier),
                         rows[i].disposition);
        end(&x);
    }
}

static void test_no_author_may_be_let_in(void **state)
{
    struct onward_verifier_opts o = {
        .size = sizeof(o), AUTHSERV, .allow_no_author = 1};
    struct world x;

    (void)state;
    begin(&x);
    verify(&x, &o, "From: nobody\r\n\r\n");
    assert_int_equal(onward_verifier_dmarc_result(x.verifier),
                     ONWARD_DMARC_PERMERROR);
    assert_int_equal(onward_verifier_dmarc_disposition(x.verifier),
                     ONWARD_DMARC_POLICY_NONE);
    end(&x);
}

static void test_options_out_of_range(void **state)
{
    struct onward_verifier_opts o[4] = {{.size = sizeof(o[0]), AUTHSERV},
                                        {.size = sizeof(o[0]), AUTHSERV},
                                        {.size = sizeof(o[0]), AUTHSERV},
                                        {.size = sizeof(o[0]), AUTHSERV}};
    struct world x;

    (void)state;
    begin(&x);
    o[0].max_authors = 6;
    o[1].dmarc_reject_policy = 3;
    o[2].dmarc_discovery = 2;
    o[3].iprev = 5;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            onward_verifier_new(x.resolver, &o[i], NULL, &x.verifier),
            ONWARD_EINVAL);
    end(&x);
}

/* ---- What is written --------------------------------------------------- */

#define DMARC " dmarc=pass header.from=a.example policy.dmarc=reject;\r\n"
#define MAIL_FROM                                                              \
    " spf=pass (mx.b.example: domain of u@a.example designates 192.0.2.9 "     \
    "as\r\n"                                                                   \
    " permitted sender) smtp.mailfrom=u@a.example;\r\n"

static const struct written_row {
    const char *name, *mail_from, *helo;
    size_t omit_remote_ip, iprev;
    const char *iprev_name, *want;
} written_rows[] = {
    {"two identities of SPF, and who brought it", "u@a.example",
     "mail.a.example", 0, 0, "",
     "mx.b.example;\r\n" DMARC
     " spf=pass (mx.b.example: domain of postmaster@mail.a.example "
     "designates\r\n 192.0.2.9 as permitted sender) "
     "smtp.helo=mail.a.example;\r\n" MAIL_FROM
     " arc=none smtp.remote-ip=192.0.2.9"},
    {"the null sender is postmaster at HELO", "", "mail.a.example", 0, 0, "",
     "mx.b.example;\r\n" DMARC
     " spf=pass (mx.b.example: domain of postmaster@mail.a.example "
     "designates\r\n 192.0.2.9 as permitted sender) "
     "smtp.helo=mail.a.example;\r\n"
     " arc=none smtp.remote-ip=192.0.2.9"},
    {"of which nothing may be known", "", "mail.z.example", 0, 0, "",
     "mx.b.example;\r\n"
     " dmarc=fail reason=\"no aligned identifier passed\" "
     "header.from=a.example\r\n"
     " policy.dmarc=reject;\r\n"
     " spf=none (mx.b.example: no SPF records found for "
     "postmaster@mail.z.example)\r\n smtp.helo=mail.z.example;\r\n"
     " arc=none smtp.remote-ip=192.0.2.9"},
    {"an address for a name has no policy", "", "[192.0.2.9]", 0, 0, "",
     "mx.b.example;\r\n"
     " dmarc=fail reason=\"no aligned identifier passed\" "
     "header.from=a.example\r\n"
     " policy.dmarc=reject;\r\n"
     " spf=none (mx.b.example: the identity has no usable domain)\r\n"
     " smtp.helo=\"[192.0.2.9]\";\r\n"
     " arc=none smtp.remote-ip=192.0.2.9"},
    {"the reverse name", "u@a.example", "mail.z.example", 0,
     ONWARD_VERIFIER_IPREV_PASS, "mail.a.example",
     "mx.b.example;\r\n"
     " iprev=pass (mail.a.example) policy.iprev=192.0.2.9;\r\n" DMARC
     " spf=none (mx.b.example: no SPF records found for "
     "postmaster@mail.z.example)\r\n smtp.helo=mail.z.example;\r\n" MAIL_FROM
     " arc=none smtp.remote-ip=192.0.2.9"},
    {"not the address", "u@a.example", "mail.z.example", 1,
     ONWARD_VERIFIER_IPREV_PASS, "mail.a.example",
     "mx.b.example;\r\n" DMARC
     " spf=none (mx.b.example: no SPF records found for "
     "postmaster@mail.z.example)\r\n smtp.helo=mail.z.example;\r\n"
     " spf=pass (mx.b.example: domain of u@a.example designates the client "
     "as\r\n permitted sender) smtp.mailfrom=u@a.example;\r\n"
     " arc=none"},
    {"a comment ends where it ends", "\"a) spf=pass (\"@a.example",
     "mail.z.example", 0, 0, "",
     "mx.b.example;\r\n" DMARC
     " spf=none (mx.b.example: no SPF records found for "
     "postmaster@mail.z.example)\r\n smtp.helo=mail.z.example;\r\n"
     " spf=pass (mx.b.example: domain of \"a\\) spf=pass \\(\"@a.example "
     "designates\r\n 192.0.2.9 as permitted sender) "
     "smtp.mailfrom=\"\\\"a) spf=pass (\\\"@a.example\";\r\n"
     " arc=none smtp.remote-ip=192.0.2.9"},
};

/* The rest that can be asked for: dkim=none, and all of a signature. */
static void test_more_results(void **state)
{
    struct onward_verifier_opts o = {.size = sizeof(o),
                                     AUTHSERV,
                                     .results =
                                         ONWARD_VERIFIER_RESULTS_DKIM_NONE |
                                         ONWARD_VERIFIER_RESULTS_DKIM_DETAIL};
    struct world x;

    (void)state;
    begin(&x);
    verify(&x, &o, "From: u@a.example\r\n\r\n");
    t_assert_str(onward_verifier_authres(x.verifier),
                 "mx.b.example;\r\n dkim=none;\r\n"
                 " dmarc=fail reason=\"no aligned identifier passed\" "
                 "header.from=a.example\r\n policy.dmarc=reject;\r\n"
                 " arc=none");
    end(&x);
    begin(&x);
    verify(&x, &o,
           "DKIM-Signature: v=1; a=rsa-sha256; d=q.example; s=s;\r\n"
           " i=u@q.example; b=AAAA\r\nFrom: u@a.example\r\n\r\n");
    t_assert_str(onward_verifier_authres(x.verifier),
                 "mx.b.example;\r\n"
                 " dkim=permerror reason=\"bh= is missing\" "
                 "header.d=q.example header.s=s\r\n"
                 " header.b=AAAA header.a=rsa-sha256 "
                 "header.i=u@q.example;\r\n"
                 " dmarc=fail reason=\"no aligned identifier passed\" "
                 "header.from=a.example\r\n policy.dmarc=reject;\r\n"
                 " arc=none");
    end(&x);
    o.results = 4;
    begin(&x);
    assert_int_equal(onward_verifier_new(x.resolver, &o, NULL, &x.verifier),
                     ONWARD_EINVAL);
    end(&x);
}

static void test_written_row(void **state)
{
    const struct written_row *row = *state;
    struct onward_verifier_opts o = {.size = sizeof(o),
                                     AUTHSERV,
                                     .mail_from = onward_str_of(row->mail_from),
                                     .helo = onward_str_of(row->helo),
                                     .omit_remote_ip = row->omit_remote_ip,
                                     .iprev = row->iprev,
                                     .iprev_name =
                                         onward_str_of(row->iprev_name)};
    struct world x;

    begin(&x);
    o.client_ip = &x.ip;
    verify(&x, &o, "From: u@a.example\r\n\r\n");
    t_assert_str(onward_verifier_authres(x.verifier), row->want);
    end(&x);
}

/* ---- Why --------------------------------------------------------------- */

static void test_explain(void **state)
{
    struct onward_verifier_opts o = {.size = sizeof(o),
                                     AUTHSERV,
                                     .mail_from = ONWARD_STR("u@a.example"),
                                     .helo = ONWARD_STR("h\"\x01\xff")};
    struct onward_str json = {0};
    struct world x;

    (void)state;
    begin(&x);
    o.client_ip = &x.ip;
    assert_int_equal(onward_verifier_new(x.resolver, &o, NULL, &x.verifier), 0);
    assert_int_equal(onward_verifier_explain(x.verifier, &json), ONWARD_ESTATE);
    onward_verifier_free(x.verifier);
    verify(&x, &o,
           "DKIM-Signature: v=1; a=rsa-sha256; d=q.example; s=s; b=AAAA\r\n"
           "From: u@q.example\r\n\r\n");
    assert_int_equal(onward_verifier_explain(x.verifier, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_verifier_explain(x.verifier, &json), 0);
    t_assert_str(
        json,
        "{\"v\":1,\"authenticated\":true,\"spf\":{\"mailfrom\":{\"result\":"
        "\"pass\",\"reason\":\"match\",\"text\":\"a mechanism matched\","
        "\"domain\":\"a.example\",\"mechanism\":\"ip4:192.0.2.9\","
        "\"explanation\":\"\",\"lookups\":0,\"void_lookups\":0,\"steps\":[{"
        "\"domain\":\"a.example\",\"offset\":7,\"depth\":0,\"term\":\"ip4:192."
        "0."
        "2.9\",\"target\":\"\",\"outcome\":\"match\",\"lookup\":0,"
        "\"void_lookups\":0}]},\"helo\":{\"result\":\"none\",\"reason\":\"no-"
        "domain\",\"text\":\"the identity has no usable "
        "domain\",\"domain\":\"h\\\"\\u0001\xef\xbf\xbd\",\"mechanism\":\"\","
        "\"explanation\":\"\",\"lookups\":0,\"void_lookups\":0,\"steps\":[]}},"
        "\"dkim\":[{\"result\":\"permerror\",\"reason\":\"missing\","
        "\"text\":\"bh= is "
        "missing\",\"d\":\"q.example\",\"s\":\"s\",\"i\":\"\","
        "\"a\":\"rsa-sha256\",\"b\":\"AAAA\",\"exposed_fields\":\"from\","
        "\"changed_fields\":\"\","
        "\"key_bits\":0,\"test\":false,\"counts\":false}],\"arc\":{\"result\":"
        "\"none\",\"reason\":\"\",\"text\":\"\",\"instances\":0,\"instance\":0,"
        "\"trusted\":false},\"dmarc\":{\"result\":\"fail\",\"reason\":\"not-"
        "aligned\",\"text\":\"no aligned identifier passed\",\"disposition\":"
        "\"quarantine\",\"author_domain\":\"q.example\",\"authors\":[{"
        "\"result\":\"fail\",\"reason\":\"not-aligned\",\"text\":\"no aligned "
        "identifier "
        "passed\",\"author_domain\":\"q.example\",\"org_domain\":\"q.example\","
        "\"policy_domain\":\"q.example\",\"record\":\"v=DMARC1; "
        "p=quarantine\",\"policy\":\"quarantine\",\"disposition\":"
        "\"quarantine\",\"override\":\"\",\"spf_aligned\":false,\"dkim_"
        "aligned\":false}]}}");
    end(&x);
}

/* Long words everywhere: it stays a whole JSON text within its bound. */
static void test_explain_is_bounded(void **state)
{
    static char message[60000], helo[5000];
    struct onward_verifier_opts o = {.size = sizeof(o),
                                     AUTHSERV,
                                     .max_signatures = 10,
                                     .mail_from = ONWARD_STR("u@a.example"),
                                     .helo = {helo, sizeof(helo)}};
    struct onward_json_fault fault;
    struct onward_json *root = NULL;
    struct onward_str json = {0};
    struct onward_arena arena;
    size_t at = 0;
    struct world x;

    (void)state;
    memset(helo, '\x01', sizeof(helo));
    begin(&x);
    o.client_ip = &x.ip;
    for (int i = 0; i < 10; i++) {
        at += (size_t)snprintf(message + at, sizeof(message) - at,
                               "DKIM-Signature: v=1; a=rsa-sha256; d=q.example;"
                               " s=");
        for (int j = 0; j < 3000; j++)
            message[at++] = "\x02\""[j % 2];
        at += (size_t)snprintf(message + at, sizeof(message) - at, "\r\n");
    }
    snprintf(message + at, sizeof(message) - at, "From: u@q.example\r\n\r\n");
    verify(&x, &o, message);
    assert_int_equal(onward_verifier_explain(x.verifier, &json), 0);
    assert_true(json.len <= 64 * 1024);
    onward_core__arena_init(&arena, x.w.ctx, ONWARD_LIMIT_NONE);
    assert_int_equal(onward_json__parse(&arena, json, 16, &root, &fault), 0);
    onward_core__arena_clear(&arena);
    end(&x);
}

/* ---- Memory ------------------------------------------------------------ */

static void test_25_mib_take_less_than_1_mib(void **state)
{
    static const char signature[] =
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=a.example;\r\n"
        " s=s; h=From; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\r\n"
        " b=AAAA\r\n";
    static char line[1024];
    struct onward_verifier_opts o = {
        .size = sizeof(o), AUTHSERV, .mail_from = ONWARD_STR("u@a.example")};
    struct world x;

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line + 998, "\r\n", 2);
    begin(&x);
    o.client_ip = &x.ip;
    assert_int_equal(onward_verifier_new(x.resolver, &o, NULL, &x.verifier), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(
            onward_verifier_feed(x.verifier, signature, sizeof(signature) - 1),
            0);
    assert_int_equal(
        onward_verifier_feed(x.verifier, "From: u@a.example\r\n", 19), 0);
    /* A header of 200 KiB, a body of 25 MiB. */
    memcpy(line, "X-Long: ", 8);
    for (int i = 0; i < 200; i++)
        assert_int_equal(onward_verifier_feed(x.verifier, line, 1000), 0);
    assert_int_equal(onward_verifier_feed(x.verifier, "\r\n", 2), 0);
    for (int i = 0; i < 25 * 1024 * 1024 / 1000; i++)
        assert_int_equal(onward_verifier_feed(x.verifier, line, 1000), 0);
    assert_int_equal(onward_verifier_finish(x.verifier), 0);
    while (onward_desk_run(x.desk, 0) == 1)
        continue;
    assert_int_equal(onward_verifier_is_done(x.verifier), 1);
    assert_true(x.w.peak_bytes < 1024 * 1024);
    end(&x);
}

int main(void)
{
    enum {
        AUTHORS = sizeof(author_rows) / sizeof(author_rows[0]),
        WRITTEN = sizeof(written_rows) / sizeof(written_rows[0]),
        ADVICE = sizeof(advice_rows) / sizeof(advice_rows[0]),
        PLAIN = 7
    };
    struct CMUnitTest tests[PLAIN + AUTHORS + WRITTEN + ADVICE] = {
        cmocka_unit_test(test_reject_is_the_hosts_choice),
        cmocka_unit_test(test_no_author_may_be_let_in),
        cmocka_unit_test(test_options_out_of_range),
        cmocka_unit_test(test_more_results),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_explain_is_bounded),
        cmocka_unit_test(test_25_mib_take_less_than_1_mib),
    };

    for (size_t i = 0; i < AUTHORS; i++)
        tests[PLAIN + i] = (struct CMUnitTest){
            .name = author_rows[i].name,
            .test_func = test_author_row,
            .initial_state = (void *)(uintptr_t)&author_rows[i],
        };
    for (size_t i = 0; i < WRITTEN; i++)
        tests[PLAIN + AUTHORS + i] = (struct CMUnitTest){
            .name = written_rows[i].name,
            .test_func = test_written_row,
            .initial_state = (void *)(uintptr_t)&written_rows[i],
        };
    for (size_t i = 0; i < ADVICE; i++)
        tests[PLAIN + AUTHORS + WRITTEN + i] = (struct CMUnitTest){
            .name = advice_rows[i].name,
            .test_func = test_advice_row,
            .initial_state = (void *)(uintptr_t)&advice_rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
