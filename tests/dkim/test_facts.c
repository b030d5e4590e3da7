/*
 * What is told of a signature: l=, z=, i= and d= in UTF-8, a second From. The
 * messages were signed with Python's cryptography and the key of RFC 8463
 * appendix A.2.
 */
#include <onward/dkim.h>

#include "support/support.h"

static const char zone[] =
    "s._domainkey.a.example TXT \"v=DKIM1; k=ed25519; "
    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
    "xn--s-bga._domainkey.xn--bcher-kva.example TXT \"v=DKIM1; k=ed25519; "
    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";

#define START "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; "
#define WHOLE_BODY " bh=1VyKRPsGpVb9B1gyHx1XBJciBtwT660iMnd//LLkMrU=; "
#define REST                                                                   \
    "From: Ann <ann@a.example>\r\n"                                            \
    "To: b@b.example\r\n"                                                      \
    "Subject: hello\r\n"                                                       \
    " world\r\n"                                                               \
    "\r\n"                                                                     \
    "Hello.\r\n"                                                               \
    "More.\r\n"
#define PLAIN                                                                  \
    START "d=a.example; s=s;\r\n h=from:to:subject;\r\n" WHOLE_BODY            \
          "b=+HHymZ9vG8LU3/8H9XsNG6hBlKix18EEIF82nVQzeRo79hci90GUC2HQqXzEdeMB" \
          "FTKC6U37cvM0Uv++ATM1Dg==\r\n" REST

static const struct row {
    const char *name, *message;
    size_t allow_partial_body;
    int result, reason;
    uint64_t unsigned_octets;
    const char *exposed;
    bool is_from_exposed;
    const char *changed;
} rows[] = {
    {"all is signed", PLAIN, 0, ONWARD_DKIM_PASS, ONWARD_DKIM_REASON_NONE, 0,
     "", false, ""},
    {"l= leaves a line out",
     START "d=a.example; s=s; l=8;\r\n"
           " h=from:to:subject;\r\n"
           " bh=yZQq1c8wjBl0fZ4Wc/oraMCAG1mZJv5v/hlvyFy+t6A=; "
           "b=SRsEodgoWnvkWeDE8X5urmaEwDwDsjXY8xy+Cmklp0zu7Qi3RohPHl8DLpYJX1Z+"
           "aTvspgQkAzykv91RkLNjAg==\r\n" REST,
     0, ONWARD_DKIM_POLICY, ONWARD_DKIM_REASON_PARTIAL_BODY, 7, "", false, ""},
    {"l= leaves a line out, which the host allows",
     START "d=a.example; s=s; l=8;\r\n"
           " h=from:to:subject;\r\n"
           " bh=yZQq1c8wjBl0fZ4Wc/oraMCAG1mZJv5v/hlvyFy+t6A=; "
           "b=SRsEodgoWnvkWeDE8X5urmaEwDwDsjXY8xy+Cmklp0zu7Qi3RohPHl8DLpYJX1Z+"
           "aTvspgQkAzykv91RkLNjAg==\r\n" REST,
     1, ONWARD_DKIM_PASS, ONWARD_DKIM_REASON_NONE, 7, "", false, ""},
    {"l= is one above the body",
     START "d=a.example; s=s; l=16;\r\n"
           " h=from:to:subject;\r\n" WHOLE_BODY
           "b=4KoTdENxYn1M7XADRx6Mhmp7DXodAVyl3amcwpD4Tiqa/hBVvoIo59MqS9mSHA0O"
           "jb3W34XRaSRmReZd0uZECg==\r\n" REST,
     0, ONWARD_DKIM_PERMERROR, ONWARD_DKIM_REASON_BODY_LENGTH, 0, "", false,
     ""},
    {"A054 another From on top", "From: boss@bank.example\r\n" PLAIN, 0,
     ONWARD_DKIM_PASS, ONWARD_DKIM_REASON_NONE, 0, "from", true, ""},
    {"A054 one more of some", "Subject: buy\r\nReply-To: x@x.example\r\n" PLAIN,
     0, ONWARD_DKIM_PASS, ONWARD_DKIM_REASON_NONE, 0, "reply-to:subject", false,
     ""},
    {"z= tells what was changed",
     START "d=a.example; s=s;\r\n"
           " z=From:=20Ann=20<ann@a.example>|To:b@b.example\r\n"
           " |Subject:hello=0D=0A=20=7Cworld\r\n"
           " |Cc:c@c.exam\r\n"
           " ple|nonsense|Subject:=20old;\r\n"
           " h=from;\r\n" WHOLE_BODY
           "b=L/4tAl3I60r6da1uteQGCPUBIop2jBGqr228GE7IZQ2SeVZB+u340vrcgwx7i7Ow"
           "/J1mA3jP+pZeitUucku/Ag==\r\n" REST,
     0, ONWARD_DKIM_PASS, ONWARD_DKIM_REASON_NONE, 0, "to:subject", false,
     "subject:cc:subject"},
};

struct world {
    struct t_world *w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_dkim_verifier *v;
    int done;
};

static void done(void *user, struct onward_dkim_verifier *verifier)
{
    (void)verifier;
    ((struct world *)user)->done++;
}

/* An error only without memory. */
static int verify(struct world *x, struct t_world *w, const char *message,
                  size_t allow_partial_body)
{
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    const struct onward_dkim_verifier_opts o = {
        .size = sizeof(o), .allow_partial_body = allow_partial_body};
    const struct onward_dkim_verifier_host host = {
        .size = sizeof(host), .user = x, .done = done};
    int err;

    memset(x, 0, sizeof(*x));
    x->w = w;
    err = onward_desk_new(w->ctx, NULL, &x->desk);
    if (err == 0)
        err = onward_resolver_new(x->desk, &ro, NULL, &x->resolver);
    if (err == 0)
        err = onward_resolver_load(x->resolver, onward_str_of(zone), NULL);
    if (err == 0)
        err = onward_dkim_verifier_new(x->resolver, &o, &host, &x->v);
    if (err == 0)
        err = onward_dkim_verifier_feed(x->v, message, strlen(message));
    if (err == 0)
        err = onward_dkim_verifier_finish(x->v);
    while (err == 0 && onward_desk_run(x->desk, 0) == 1)
        continue;
    return err;
}

static void clear(struct world *x)
{
    onward_dkim_verifier_free(x->v);
    onward_resolver_free(x->resolver);
    if (x->desk != NULL)
        onward_desk_free(x->desk);
}

static struct onward_dkim_signature signature(const struct world *x)
{
    struct onward_dkim_signature s = {.size = sizeof(s)};

    assert_int_equal(x->done, 1);
    assert_int_equal(onward_dkim_verifier_signature(x->v, 0, &s), 0);
    return s;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dkim_signature s;
    struct t_world w = {0};
    struct world x;

    t_world_init(&w);
    assert_int_equal(verify(&x, &w, row->message, row->allow_partial_body), 0);
    s = signature(&x);
    assert_string_equal(onward_dkim_reason_name((int)s.reason),
                        onward_dkim_reason_name(row->reason));
    assert_int_equal(s.result, row->result);
    assert_true(s.unsigned_body_octets == row->unsigned_octets);
    t_assert_str(s.exposed_fields, row->exposed);
    assert_int_equal(s.is_from_exposed, row->is_from_exposed);
    t_assert_str(s.changed_fields, row->changed);
    clear(&x);
    t_world_clear(&w);
}

/* RFC 8616 section 5: names as U-labels are hashed as they are written. */
static void test_names_in_utf8(void **state)
{
    static const char message[] = START
        "d=b\xc3\xbc"
        "cher.example; s=s\xc3\xa9;\r\n"
        " i=j\xc3\xb6rg@sub.b\xc3\xbc"
        "cher.example;\r\n"
        " h=from:to:subject;\r\n" WHOLE_BODY
        "b=DY5fBEn3NXDATmxAhmqdaTx9KrGB5C+0cGA0IHNxxKFpjAk9g/WCNv6PgUu6P721"
        "aOg2E/sQC+8Rdo7gUelzCw==\r\n" REST;
    struct onward_dkim_signature s;
    struct t_world w = {0};
    struct world x;

    (void)state;
    t_world_init(&w);
    assert_int_equal(verify(&x, &w, message, 0), 0);
    s = signature(&x);
    assert_int_equal(s.result, ONWARD_DKIM_PASS);
    t_assert_str(s.domain, "b\xc3\xbc"
                           "cher.example");
    t_assert_str(s.domain_ascii, "xn--bcher-kva.example");
    t_assert_str(s.selector, "s\xc3\xa9");
    t_assert_str(s.identity, "j\xc3\xb6rg@sub.b\xc3\xbc"
                             "cher.example");
    clear(&x);
    t_world_clear(&w);
}

static void test_copies_as_they_are(void **state)
{
    struct onward_dkim_signature s;
    struct t_world w = {0};
    struct world x;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        verify(&x, &w, rows[sizeof(rows) / sizeof(rows[0]) - 1].message, 0), 0);
    s = signature(&x);
    t_assert_str(s.copied_fields,
                 "From:=20Ann=20<ann@a.example>|To:b@b.example|"
                 "Subject:hello=0D=0A=20=7Cworld|Cc:c@c.example|nonsense|"
                 "Subject:=20old");
    clear(&x);
    t_world_clear(&w);
}

/* Copies that mean nothing, without end: no time, no more than 500 of them. */
static void test_hostile_copies(void **state)
{
    static char message[250000];
    static const char *const pieces[] = {"X:=|", "X:|", "|", "=", ":", "a:=4"};
    struct t_world w = {0};
    struct world x;

    (void)state;
    t_world_init(&w);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        size_t used = (size_t)snprintf(
            message, sizeof(message),
            START "d=a.example; s=s;\r\n h=from;\r\n" WHOLE_BODY "b=AAAA; z=");
        struct onward_dkim_signature s;

        for (size_t n = 0; used < sizeof(message) - 1000; n++)
            used +=
                (size_t)snprintf(message + used, sizeof(message) - used, "%s%s",
                                 pieces[i], n % 100 == 99 ? "\r\n " : "");
        snprintf(message + used, sizeof(message) - used, "\r\n" REST);
        assert_int_equal(verify(&x, &w, message, 0), 0);
        s = signature(&x);
        assert_true(s.changed_fields.len <= 1000);
        clear(&x);
    }
    t_world_clear(&w);
}

static bool whole(struct t_world *w, void *arg)
{
    struct world x;
    bool ok = verify(&x, w, arg, 0) == 0 && x.done == 1;

    if (ok) {
        struct onward_dkim_signature s = signature(&x);

        ok = s.result == ONWARD_DKIM_PASS;
        t_assert_str(s.changed_fields, "subject:cc:subject");
        if (!ok)
            assert_int_equal(s.result, ONWARD_DKIM_TEMPERROR);
    }
    clear(&x);
    return ok;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(
        whole,
        (void *)(uintptr_t)rows[sizeof(rows) / sizeof(rows[0]) - 1].message);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_names_in_utf8),
        cmocka_unit_test(test_copies_as_they_are),
        cmocka_unit_test(test_hostile_copies),
        cmocka_unit_test(test_out_of_memory),
    };
    struct CMUnitTest tests[ROWS + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    memcpy(tests + ROWS, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
