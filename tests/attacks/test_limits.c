/*
 * Messages made to cost much: at the limit and one past it. Each is verified
 * whole, within a ceiling of memory and in time that nobody notices.
 */
#include <time.h>

#include <onward/verify.h>

#include "support/support.h"

enum {
    MIB = 1024 * 1024,
    HEADER_MAX = 256 * 1024,
    MEMORY_MAX = 3 * MIB / 2, /* of a pass, the world around it and all */
    SECONDS_MAX = 4           /* under sanitizers, on a busy machine */
};

struct text {
    char *data;
    size_t len, cap;
};

static void add(struct text *t, const char *s, size_t len)
{
    while (t->len + len + 1 > t->cap) {
        t->cap = t->cap == 0 ? 65536 : t->cap * 2;
        t->data = realloc(t->data, t->cap);
        assert_non_null(t->data);
    }
    memcpy(t->data + t->len, s, len);
    t->len += len;
    t->data[t->len] = '\0';
}

static void put(struct text *t, const char *s)
{
    add(t, s, strlen(s));
}

/* s as often as it fits below `most` octets in all. */
static void fill(struct text *t, const char *s, size_t most)
{
    size_t len = strlen(s);

    while (t->len + len <= most)
        add(t, s, len);
}

/* The same, with a fold now and then. */
static void fill_folded(struct text *t, const char *s, size_t most)
{
    size_t len = strlen(s);

    for (size_t line = 0; t->len + len + 3 <= most; line += len) {
        if (line > 900) {
            put(t, "\r\n ");
            line = 0;
        }
        add(t, s, len);
    }
}

/* ---- The messages ------------------------------------------------------ */

#define FROM "From: ann@a.example\r\n"
#define BH "bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;"
#define B "b=" B64 B64 "AAAAAAAAAAAAAAAAAAAAAA=="
#define B64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void from_comments(struct text *t)
{
    put(t, "From: ");
    fill_folded(t, "(", HEADER_MAX - 64);
    put(t, "\r\n");
}

static void from_many(struct text *t)
{
    put(t, "From: ");
    fill_folded(t, "a@a.example, ", HEADER_MAX - 64);
    put(t, "a@a.example\r\n");
}

static void from_long(struct text *t)
{
    put(t, "From: ");
    fill_folded(t, "abc.", HEADER_MAX - 64);
    put(t, "x@a.example\r\n");
}

static void from_long_domain(struct text *t)
{
    put(t, "From: x@");
    fill_folded(t, "abc.", HEADER_MAX - 64);
    put(t, "a.example\r\n");
}

static void from_phrases(struct text *t)
{
    for (int i = 0; i < 100; i++) {
        put(t, i == 0 ? "From: \"" : ",\r\n \"");
        for (int k = 0; k < 500; k++)
            put(t, "\\x");
        put(t, "\"\r\n <a@a.example>");
    }
    put(t, "\r\n");
}

static void folds(struct text *t)
{
    put(t, FROM "Subject: x");
    fill(t, "\r\n x", HEADER_MAX - 16);
    put(t, "\r\n");
}

/* In both forms. */
static void signed_folds(struct text *t)
{
    static const char *const forms[] = {"relaxed", "simple"};

    for (size_t i = 0; i < 2; i++) {
        put(t, "DKIM-Signature: v=1; a=ed25519-sha256; d=a.example; s=s; c=");
        put(t, forms[i]);
        put(t, ";\r\n h=from:subject; " BH "\r\n " B "\r\n");
    }
    folds(t);
}

static void fields_1000(struct text *t)
{
    put(t, FROM);
    for (int i = 1; i < 1000; i++)
        put(t, "X: y\r\n");
}

static void fields_1001(struct text *t)
{
    fields_1000(t);
    put(t, "X: y\r\n");
}

static void bytes_at_limit(struct text *t)
{
    put(t, FROM "X:");
    fill(t, "x", HEADER_MAX - 2);
    put(t, "\r\n");
}

static void bytes_over_limit(struct text *t)
{
    put(t, FROM "X:");
    fill(t, "x", HEADER_MAX - 1);
    put(t, "\r\n");
}

/* Signatures whose h= names the same field again and again. */
static void signatures(struct text *t, int count, int names, int fields)
{
    char line[200];

    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof(line),
                 "DKIM-Signature: v=1; a=ed25519-sha256; d=d%d.example; s=s;"
                 "\r\n " BH "\r\n h=from",
                 i);
        put(t, line);
        for (int k = 1; k < names; k++)
            put(t, k % 60 == 0 ? ":\r\n x" : ":x");
        put(t, ";\r\n " B "\r\n");
    }
    put(t, FROM);
    for (int i = 0; i < fields; i++)
        put(t, "X: y\r\n");
}

static void signatures_500(struct text *t)
{
    signatures(t, 10, 500, 980);
}

static void signatures_501(struct text *t)
{
    signatures(t, 10, 501, 980);
}

static void signatures_many(struct text *t)
{
    signatures(t, 900, 2, 50);
}

static void arc_sets(struct text *t, int count)
{
    char field[900];

    for (int i = count; i > 0; i--) {
        snprintf(field, sizeof(field),
                 "ARC-Seal: i=%d; a=ed25519-sha256; d=d%d.example; s=s; "
                 "cv=%s;\r\n " B "\r\n"
                 "ARC-Message-Signature: i=%d; a=ed25519-sha256; "
                 "d=d%d.example; s=s;\r\n h=from; " BH "\r\n " B "\r\n"
                 "ARC-Authentication-Results: i=%d; x; spf=pass\r\n",
                 i, i, i == 1 ? "none" : "pass", i, i, i);
        put(t, field);
    }
    put(t, FROM);
}

static void arc_50(struct text *t)
{
    arc_sets(t, 50);
}

static void arc_51(struct text *t)
{
    arc_sets(t, 51);
}

static void arc_300(struct text *t)
{
    arc_sets(t, 300);
}

static void results(struct text *t)
{
    put(t, FROM "Authentication-Results: mx.b.example");
    fill_folded(t, "; a=b", HEADER_MAX - 64);
    put(t, "\r\n");
}

static void aar(struct text *t)
{
    put(t, FROM "ARC-Authentication-Results: i=1; mx.b.example ");
    fill_folded(t, "(", HEADER_MAX - 64);
    put(t, "\r\n");
}

static const struct row {
    const char *name;
    void (*make)(struct text *t);
    int err, result, disposition;
} rows[] = {
    {"A080 comments that never close", from_comments, 0, ONWARD_DMARC_PERMERROR,
     ONWARD_DMARC_POLICY_REJECT},
    {"A081 twenty thousand authors", from_many, 0, ONWARD_DMARC_PERMERROR,
     ONWARD_DMARC_POLICY_REJECT},
    {"A081 an author of 250 KB", from_long, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A081 a domain of 250 KB", from_long_domain, 0, ONWARD_DMARC_PERMERROR,
     ONWARD_DMARC_POLICY_REJECT},
    {"A081 a hundred authors with names", from_phrases, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A060 a field of 60,000 lines", folds, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A060 a signed one", signed_folds, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A081 1,000 fields", fields_1000, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A081 1,001 fields", fields_1001, ONWARD_ELIMIT, 0, 0},
    {"A081 256 KiB", bytes_at_limit, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A081 256 KiB and one octet", bytes_over_limit, ONWARD_ELIMIT, 0, 0},
    {"A059 ten signatures of 500 fields", signatures_500, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A059 ten signatures of 501 fields", signatures_501, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A058 900 signatures", signatures_many, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A067 50 ARC sets", arc_50, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A067 51 ARC sets", arc_51, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A067 300 ARC sets", arc_300, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A078 50,000 results", results, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
    {"A080 comments in an ARC set", aar, 0, ONWARD_DMARC_PASS,
     ONWARD_DMARC_POLICY_NONE},
};

static const char zone[] = "a.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
                           "_dmarc.a.example TXT \"v=DMARC1; p=reject\"\n";

/* The verdict, or the error of feeding. */
static int pass(struct onward_verifier *v, const struct text *t)
{
    int err = 0;

    for (size_t at = 0; at < t->len && err == 0; at += 4096)
        err = onward_verifier_feed(v, t->data + at,
                                   t->len - at < 4096 ? t->len - at : 4096);
    return err == 0 ? onward_verifier_finish(v) : err;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    struct onward_verifier_opts o = {.size = sizeof(o),
                                     .authserv_id = ONWARD_STR("mx.b.example"),
                                     .helo = ONWARD_STR("mail.a.example"),
                                     .mail_from = ONWARD_STR("ann@a.example")};
    struct onward_desk *desk = NULL;
    struct onward_resolver *resolver = NULL;
    struct onward_verifier *v = NULL;
    struct text t = {0};
    struct t_world w = {0};
    struct onward_ip ip;
    clock_t began;

    t_world_init(&w);
    row->make(&t);
    put(&t, "\r\n");
    assert_int_equal(onward_ip_parse(ONWARD_STR("192.0.2.9"), &ip), 0);
    o.client_ip = &ip;
    assert_int_equal(onward_desk_new(w.ctx, NULL, &desk), 0);
    assert_int_equal(onward_resolver_new(desk, &ro, NULL, &resolver), 0);
    assert_int_equal(onward_resolver_load(resolver, onward_str_of(zone), NULL),
                     0);
    began = clock();
    assert_int_equal(onward_verifier_new(resolver, &o, NULL, &v), 0);
    assert_int_equal(pass(v, &t), row->err);
    while (onward_desk_run(desk, 0) == 1)
        continue;
    assert_in_range((clock() - began) / CLOCKS_PER_SEC, 0, SECONDS_MAX);
    assert_int_equal(onward_verifier_is_done(v), row->err == 0);
    if (row->err == 0) {
        assert_string_equal(
            onward_dmarc_result_name(onward_verifier_dmarc_result(v)),
            onward_dmarc_result_name(row->result));
        assert_int_equal(onward_verifier_dmarc_disposition(v),
                         row->disposition);
        assert_true(onward_verifier_authres(v).len != 0);
        assert_true(onward_verifier_dkim_count(v) <= 10);
    }
    if (w.peak_bytes > MEMORY_MAX)
        print_message("%zu octets\n", w.peak_bytes);
    assert_true(w.peak_bytes <= MEMORY_MAX);
    onward_verifier_free(v);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    free(t.data);
    t_world_clear(&w);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[ROWS];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
