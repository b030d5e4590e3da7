#include "dkim/vectors.h"

#include <onward/dkim.h>

/* One verification: desk, resolver, verifier, and what became of it. */
struct world {
    struct t_world *w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_dkim_verifier *v;
    struct onward_dkim_verifier_opts opts;
    int done_count;
    bool free_in_done;
};

static void done(void *user, struct onward_dkim_verifier *verifier)
{
    struct world *x = user;

    assert_ptr_equal(verifier, x->v);
    x->done_count++;
    if (x->free_in_done) {
        onward_dkim_verifier_free(x->v);
        x->v = NULL;
    }
}

static int open_world(struct world *x, struct t_world *w, const char *records,
                      const struct onward_resolver_host *host)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .allow_only_loaded = host == NULL};
    int err;

    memset(x, 0, sizeof(*x));
    x->w = w;
    x->opts.size = sizeof(x->opts);
    err = onward_desk_new(w->ctx, NULL, &x->desk);
    if (err == 0)
        err = onward_resolver_new(x->desk, &opts, host, &x->resolver);
    if (err == 0 && records != NULL)
        err = onward_resolver_load(x->resolver, onward_str_of(records), NULL);
    return err;
}

static int make_verifier(struct world *x)
{
    struct onward_dkim_verifier_host host = {
        .size = sizeof(host), .user = x, .done = done};

    return onward_dkim_verifier_new(x->resolver, &x->opts, &host, &x->v);
}

static void run_desk(struct world *x)
{
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}

static void close_world(struct world *x)
{
    onward_dkim_verifier_free(x->v);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    memset(x, 0, sizeof(*x));
}

static struct onward_dkim_signature signature(const struct world *x, size_t i)
{
    struct onward_dkim_signature s = {.size = sizeof(s)};

    assert_int_equal(onward_dkim_verifier_signature(x->v, i, &s), 0);
    return s;
}

static const char *result(const struct world *x, size_t i)
{
    if (i >= onward_dkim_verifier_count(x->v))
        return "none";
    return onward_dkim_result_name((int)signature(x, i).result);
}

static void verify(struct world *x, const void *data, size_t len)
{
    assert_int_equal(make_verifier(x), 0);
    assert_int_equal(onward_dkim_verifier_feed(x->v, data, len), 0);
    assert_int_equal(onward_dkim_verifier_finish(x->v), 0);
    assert_int_equal(x->done_count, 0);
    run_desk(x);
    assert_int_equal(x->done_count, 1);
}

/* ---- The conformance vectors ------------------------------------------- */

/* The dns member as a text of records. */
static char *zone_text(struct v_file *f, const struct onward_json *t)
{
    char *text = calloc(1, V_ZONE_CAP);
    char line[300];

    assert_non_null(text);
    for (struct onward_json *n = onward_json__get(t, "dns")->first; n != NULL;
         n = n->next) {
        struct onward_json *rr = onward_json__get(n, "rr");
        const char *rcode = v_text(f, n, "rcode");

        line[0] = '\0';
        if (rcode != NULL && strcmp(rcode, "NXDOMAIN") != 0)
            snprintf(line, sizeof(line), "%.*s ANY !%s\n", (int)n->key.len,
                     n->key.data, rcode);
        if (rr != NULL && rr->first == NULL)
            snprintf(line, sizeof(line), "%.*s TXT !NODATA\n", (int)n->key.len,
                     n->key.data);
        strcat(text, line);
        for (rr = rr == NULL ? NULL : rr->first; rr != NULL; rr = rr->next)
            v_add_txt(text, n->key, rr);
    }
    return text;
}

/* also_accept is one list of results for all fields, or a list of lists. */
static bool also_accepts(const struct onward_json *t, size_t i, const char *got)
{
    const struct onward_json *also = onward_json__get(t, "also_accept");

    if (also == NULL || also->first == NULL)
        return false;
    if (also->first->type != ONWARD_JSON_ARRAY)
        return v_has(also, got);
    also = also->first;
    if (also->next == NULL)
        return v_has(also, got);
    while (i-- > 0)
        also = also->next;
    return v_has(also, got);
}

static size_t check_results(struct v_file *f, struct onward_json *t,
                            const struct world *x)
{
    size_t wrong = 0, i = 0;

    for (struct onward_json *e = onward_json__get(t, "expect")->first;
         e != NULL; e = e->next, i++) {
        const char *got = result(x, i);

        if (onward_core__str_eq(e->text, onward_str_of(got)) ||
            also_accepts(t, i, got))
            continue;
        print_message("%s [%zu]: %s, wanted %s (%s)\n", v_text(f, t, "id"), i,
                      got, v_text(f, e, NULL),
                      i < onward_dkim_verifier_count(x->v)
                          ? signature(x, i).detail.data
                          : "");
        wrong++;
    }
    return wrong;
}

static void test_conformance_vectors(void **state)
{
    struct v_file f;
    size_t count = 0, wrong = 0;

    (void)state;
    if (!v_open(&f, "dkim/verify.json"))
        skip();
    for (struct onward_json *t = onward_json__get(f.root, "tests")->first;
         t != NULL; t = t->next, count++) {
        struct onward_str message = v_octets(&f, t, "message");
        char *zone = zone_text(&f, t);
        struct world x;

        f.world.now_s = v_int(t, "now");
        assert_int_equal(open_world(&x, &f.world, zone, NULL), 0);
        verify(&x, message.data, message.len);
        wrong += check_results(&f, t, &x);
        close_world(&x);
        free(zone);
    }
    assert_int_equal(count, 154);
    assert_int_equal(wrong, 0);
    v_close(&f);
}

/* ---- The message of RFC 8463 appendix A.3: two signatures -------------- */

static const char zone[] =
    "brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; "
    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
    "test._domainkey.football.example.com TXT \"v=DKIM1; k=rsa; "
    "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5"
    "qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lx"
    "j+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2\" "
    "\"EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\"\n";

static const char rfc8463[] =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
    " date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
    " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    "\r\n"
    "Hi.\r\n"
    "\r\n"
    "We lost the game.  Are you hungry yet?\r\n"
    "\r\n"
    "Joe.\r\n";

static void test_what_is_told_of_a_signature(void **state)
{
    struct onward_dkim_signature s;
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, zone, NULL), 0);
    verify(&x, rfc8463, sizeof(rfc8463) - 1);
    assert_int_equal(onward_dkim_verifier_count(x.v), 2);
    assert_int_equal(onward_dkim_verifier_skipped(x.v), 0);
    assert_int_equal(onward_dkim_verifier_is_done(x.v), 1);
    s = signature(&x, 0);
    assert_int_equal(s.result, ONWARD_DKIM_PASS);
    assert_int_equal(s.reason, ONWARD_DKIM_REASON_NONE);
    assert_int_equal(s.algorithm, ONWARD_DKIM_ED25519_SHA256);
    t_assert_str(s.domain, "football.example.com");
    t_assert_str(s.selector, "brisbane");
    t_assert_str(s.identity, "@football.example.com");
    t_assert_str(s.algorithm_text, "ed25519-sha256");
    t_assert_str(s.signed_fields,
                 "from:to:subject:date:message-id:from:subject:date");
    t_assert_str(s.exposed_fields, "");
    t_assert_str(s.header_b, "/gCrinpc");
    assert_int_equal(s.b.len, 88);
    /* By sha256sum. */
    t_assert_str(s.digest, "478d56fda23b02645014497e4f361e9ac65de2fa9ede148d824"
                           "2433d25f94de7");
    assert_int_equal(s.key_bits, 256);
    assert_int_equal(s.is_secure, 0);
    assert_int_equal(s.is_test, 0);
    assert_int_equal(s.is_from_exposed, 0);
    assert_int_equal(s.has_time, 1);
    assert_int_equal(s.has_expiry, 0);
    assert_int_equal(s.time_s, 1528637909);
    assert_int_equal(s.age_s, 1600000000 - 1528637909);
    assert_int_equal(s.unsigned_body_octets, 0);
    s = signature(&x, 1);
    assert_int_equal(s.result, ONWARD_DKIM_PASS);
    assert_int_equal(s.field, 1);
    assert_int_equal(s.key_bits, 1024);
    s.size = 4;
    assert_int_equal(onward_dkim_verifier_signature(x.v, 0, &s), ONWARD_EINVAL);
    s.size = sizeof(s);
    assert_int_equal(onward_dkim_verifier_signature(x.v, 2, &s), ONWARD_ENOENT);
    close_world(&x);
    t_world_clear(&w);
}

/* A caller built against a shorter struct gets no octet more. */
static void test_short_struct_is_filled_as_far_as_it_goes(void **state)
{
    struct onward_dkim_signature s;
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, zone, NULL), 0);
    verify(&x, rfc8463, sizeof(rfc8463) - 1);
    memset(&s, 0x5a, sizeof(s));
    s.size = offsetof(struct onward_dkim_signature, algorithm);
    assert_int_equal(onward_dkim_verifier_signature(x.v, 0, &s), 0);
    assert_int_equal(s.result, ONWARD_DKIM_PASS);
    assert_int_equal(s.algorithm & 0xff, 0x5a);
    close_world(&x);
    t_world_clear(&w);
}

static void cut_begin(void *arg)
{
    struct world *x = arg;

    x->done_count = 0;
    assert_int_equal(make_verifier(x), 0);
}

static void cut_feed(void *arg, const void *data, size_t len)
{
    struct world *x = arg;

    assert_int_equal(onward_dkim_verifier_feed(x->v, data, len), 0);
}

static void cut_end(void *arg)
{
    struct world *x = arg;

    assert_int_equal(onward_dkim_verifier_finish(x->v), 0);
    run_desk(x);
    assert_int_equal(x->done_count, 1);
    assert_string_equal(result(x, 0), "pass");
    assert_string_equal(result(x, 1), "pass");
    onward_dkim_verifier_free(x->v);
    x->v = NULL;
}

static void test_cut_everywhere(void **state)
{
    static const struct t_cut cut = {cut_begin, cut_feed, cut_end};
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, zone, NULL), 0);
    t_cut_everywhere(&cut, &x, rfc8463, sizeof(rfc8463) - 1);
    close_world(&x);
    t_world_clear(&w);
}

/* ---- Calls, order, life ------------------------------------------------ */

static uint64_t tokens[4];
static size_t token_count;
static size_t cancel_count;

static int keep_token(void *user, uint64_t token, const char *name,
                      size_t name_len, uint32_t type)
{
    (void)user;
    (void)name;
    (void)name_len;
    assert_int_equal(type, ONWARD_DNS_TXT);
    assert_true(token_count < 4);
    tokens[token_count++] = token;
    return 0;
}

static void count_cancel(void *user, uint64_t token)
{
    (void)user;
    (void)token;
    cancel_count++;
}

static const struct onward_resolver_host asking = {
    .size = sizeof(asking), .query = keep_token, .cancel = count_cancel};

/* Each answer, and the end of the message, in any order. */
static void in_order(void *arg, const size_t *order, size_t n)
{
    struct t_world *w = arg;
    struct world x;

    token_count = 0;
    assert_int_equal(open_world(&x, w, NULL, &asking), 0);
    assert_int_equal(make_verifier(&x), 0);
    assert_int_equal(
        onward_dkim_verifier_feed(x.v, rfc8463, sizeof(rfc8463) - 1), 0);
    run_desk(&x);
    assert_int_equal(token_count, 2);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(x.done_count, 0);
        if (order[i] == 2)
            assert_int_equal(onward_dkim_verifier_finish(x.v), 0);
        else if (order[i] == 1)
            assert_int_equal(
                onward_dns_answer_error(x.desk, tokens[1], ONWARD_DNS_TIMEOUT),
                0);
        else
            assert_int_equal(
                onward_dns_answer_text(
                    x.desk, tokens[0],
                    onward_core__str(zone,
                                     (size_t)(strchr(zone, '\n') - zone) + 1),
                    ONWARD_DNS_SECURE),
                0);
        run_desk(&x);
    }
    assert_int_equal(x.done_count, 1);
    assert_string_equal(result(&x, 0), "pass");
    assert_int_equal(signature(&x, 0).is_secure, 1);
    assert_string_equal(result(&x, 1), "temperror");
    assert_int_equal(signature(&x, 1).reason,
                     ONWARD_DKIM_REASON_KEY_UNREACHABLE);
    close_world(&x);
}

static void test_answers_in_any_order(void **state)
{
    struct t_world w;

    (void)state;
    t_world_init(&w);
    t_every_order(3, in_order, &w);
    t_world_clear(&w);
}

static void test_changed_body_needs_no_key(void **state)
{
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init(&w);
    token_count = cancel_count = 0;
    assert_int_equal(open_world(&x, &w, NULL, &asking), 0);
    assert_int_equal(make_verifier(&x), 0);
    assert_int_equal(
        onward_dkim_verifier_feed(x.v, rfc8463, sizeof(rfc8463) - 1), 0);
    run_desk(&x);
    assert_int_equal(onward_dkim_verifier_feed(x.v, "more\r\n", 6), 0);
    assert_int_equal(onward_dkim_verifier_finish(x.v), 0);
    run_desk(&x);
    assert_int_equal(x.done_count, 1);
    assert_int_equal(cancel_count, 2);
    assert_int_equal(signature(&x, 0).result, ONWARD_DKIM_FAIL);
    assert_int_equal(signature(&x, 0).reason, ONWARD_DKIM_REASON_BODY_HASH);
    close_world(&x);
    t_world_clear(&w);
}

static void test_free_in_done_and_before(void **state)
{
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, zone, NULL), 0);
    x.free_in_done = true;
    verify(&x, rfc8463, sizeof(rfc8463) - 1);
    assert_null(x.v);
    for (int stage = 0; stage < 3; stage++) {
        x.done_count = 0;
        assert_int_equal(make_verifier(&x), 0);
        if (stage > 0)
            assert_int_equal(
                onward_dkim_verifier_feed(x.v, rfc8463, sizeof(rfc8463) - 1),
                0);
        if (stage > 1)
            assert_int_equal(onward_dkim_verifier_finish(x.v), 0);
        onward_dkim_verifier_free(x.v);
        x.v = NULL;
        run_desk(&x);
        assert_int_equal(x.done_count, 0);
    }
    close_world(&x);
    t_world_clear(&w);
}

static void test_freed_desk_and_resolver_fire_nothing(void **state)
{
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, zone, NULL), 0);
    assert_int_equal(make_verifier(&x), 0);
    onward_resolver_free(x.resolver);
    onward_desk_free(x.desk);
    x.resolver = NULL;
    x.desk = NULL;
    assert_int_equal(
        onward_dkim_verifier_feed(x.v, rfc8463, sizeof(rfc8463) - 1),
        ONWARD_ESTATE);
    assert_int_equal(onward_dkim_verifier_finish(x.v), ONWARD_ESTATE);
    close_world(&x);
    t_world_clear(&w);
}

static void test_errors_are_told(void **state)
{
    const struct onward_limits limits = {.size = sizeof(limits),
                                         .header_bytes = 200};
    struct onward_dkim_verifier_host no_done = {.size = sizeof(no_done)};
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init_limits(&w, &limits);
    assert_int_equal(open_world(&x, &w, zone, NULL), 0);
    assert_int_equal(onward_dkim_verifier_new(x.resolver, NULL, &no_done, &x.v),
                     ONWARD_EINVAL);
    x.opts.min_rsa_bits = 512;
    assert_int_equal(make_verifier(&x), ONWARD_EINVAL);
    x.opts.min_rsa_bits = 0;
    x.opts.max_rsa_bits = 8192;
    assert_int_equal(make_verifier(&x), ONWARD_EINVAL);
    x.opts.max_rsa_bits = 0;
    assert_int_equal(make_verifier(&x), 0);
    assert_int_equal(
        onward_dkim_verifier_feed(x.v, rfc8463, sizeof(rfc8463) - 1),
        ONWARD_ELIMIT);
    assert_int_equal(onward_dkim_verifier_feed(x.v, "x", 1), ONWARD_ESTATE);
    assert_int_equal(onward_dkim_verifier_finish(x.v), ONWARD_ESTATE);
    run_desk(&x);
    assert_int_equal(x.done_count, 0);
    close_world(&x);
    t_world_clear(&w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    struct world x;
    bool ok;

    (void)arg;
    ok = open_world(&x, w, zone, NULL) == 0 && make_verifier(&x) == 0 &&
         onward_dkim_verifier_feed(x.v, rfc8463, sizeof(rfc8463) - 1) == 0 &&
         onward_dkim_verifier_finish(x.v) == 0;
    if (ok) {
        run_desk(&x);
        assert_int_equal(x.done_count, 1);
        for (size_t i = 0; i < 2; i++) {
            const char *got = result(&x, i);

            if (strcmp(got, "pass") != 0) {
                /* Our own trouble never reads as the message's fault. */
                assert_string_equal(got, "temperror");
                ok = false;
            }
        }
    }
    close_world(&x);
    return ok;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

/* ---- Limits and policy ------------------------------------------------- */

/* A message made of pieces, verified against the zone above. */
static void verify_text(struct world *x, struct t_world *w, const char *text)
{
    t_world_init(w);
    assert_int_equal(open_world(x, w, zone, NULL), 0);
    verify(x, text, strlen(text));
}

static void test_only_so_many_signatures_cost_anything(void **state)
{
    static char text[4000];
    struct t_world w;
    struct world x;

    (void)state;
    text[0] = '\0';
    for (int i = 0; i < 12; i++)
        strcat(text, "DKIM-Signature: nonsense\r\n");
    strcat(text, rfc8463);
    verify_text(&x, &w, text);
    assert_int_equal(onward_dkim_verifier_count(x.v), 10);
    assert_int_equal(onward_dkim_verifier_skipped(x.v), 4);
    assert_int_equal(w.log_count, 11);
    assert_string_equal(w.last_log,
                        "dkim skipped more signatures than max_signatures");
    assert_string_equal(result(&x, 9), "permerror");
    close_world(&x);
    t_world_clear(&w);
}

static void test_long_h_is_refused(void **state)
{
    static char text[8000];
    struct t_world w;
    struct world x;

    (void)state;
    strcpy(text, "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; bh=; "
                 "b=; h=from");
    for (int i = 0; i < 500; i++)
        strcat(text, i % 80 == 79 ? ":\r\n " : ":");
    strcat(text, "\r\nFrom: a@a.example\r\n\r\n");
    verify_text(&x, &w, text);
    assert_int_equal(signature(&x, 0).reason, ONWARD_DKIM_REASON_LIMIT);
    close_world(&x);
    t_world_clear(&w);
}

static const struct field_row {
    const char *name;
    const char *tags; /* replaces those of a signature that is else complete */
    enum onward_dkim_reason reason;
} field_rows[] = {
    {"NUL-like name in d=", "d=a%00.example; s=s", ONWARD_DKIM_REASON_DOMAIN},
    {"parenthesis in d=", "d=a(.example; s=s", ONWARD_DKIM_REASON_DOMAIN},
    {"quote in s=", "d=a.example; s=\"s\"", ONWARD_DKIM_REASON_DOMAIN},
    {"blank in s=", "d=a.example; s=s t", ONWARD_DKIM_REASON_DOMAIN},
    {"one label in d=", "d=example; s=s", ONWARD_DKIM_REASON_DOMAIN},
    {"empty label in s=", "d=a.example; s=s..t", ONWARD_DKIM_REASON_DOMAIN},
    {"label of 64 octets",
     "d=a.example; "
     "s=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     ONWARD_DKIM_REASON_DOMAIN},
    {"i= elsewhere", "d=a.example; s=s; i=@b.example",
     ONWARD_DKIM_REASON_IDENTITY},
    {"l= over 64 bits", "d=a.example; s=s; l=18446744073709551616",
     ONWARD_DKIM_REASON_VALUE},
    {"l= with a sign", "d=a.example; s=s; l=+1", ONWARD_DKIM_REASON_VALUE},
    {"x= equal to t=", "d=a.example; s=s; t=5; x=5", ONWARD_DKIM_REASON_TIMES},
    {"case of a tag's value", "d=a.example; s=s; c=Relaxed",
     ONWARD_DKIM_REASON_VALUE},
};

static void test_field(void **state)
{
    const struct field_row *row = *state;
    char text[1000];
    struct t_world w;
    struct world x;

    snprintf(text, sizeof(text),
             "DKIM-Signature: v=1; a=ed25519-sha256; h=from; %s;\r\n"
             " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
             " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
             " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
             "From: a@a.example\r\n\r\n",
             row->tags);
    verify_text(&x, &w, text);
    assert_string_equal(result(&x, 0), "permerror");
    assert_int_equal(signature(&x, 0).reason, row->reason);
    close_world(&x);
    t_world_clear(&w);
}

/* A052, A056, A057: each tag that must be there, lengths, old algorithms. */
#define V "v=1; "
#define A "a=ed25519-sha256; "
#define DS "d=a.example; s=s; "
#define H "h=from; "
#define BH "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; "
#define B                                                                      \
    "b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7"  \
    "ZbnKELq+eXdp1Q1Dw=="

static const struct whole_row {
    const char *name, *tags;
    enum onward_dkim_reason reason;
} whole_rows[] = {
    {"no v=", A DS H BH B, ONWARD_DKIM_REASON_MISSING},
    {"no a=", V DS H BH B, ONWARD_DKIM_REASON_MISSING},
    {"no d=", V A "s=s; " H BH B, ONWARD_DKIM_REASON_MISSING},
    {"no s=", V A "d=a.example; " H BH B, ONWARD_DKIM_REASON_MISSING},
    {"no h=", V A DS BH B, ONWARD_DKIM_REASON_MISSING},
    {"no bh=", V A DS H B, ONWARD_DKIM_REASON_MISSING},
    {"no b=", V A DS H BH, ONWARD_DKIM_REASON_MISSING},
    {"h= without From", V A DS "h=to:subject; " BH B, ONWARD_DKIM_REASON_FROM},
    {"v=2", "v=2; " A DS H BH B, ONWARD_DKIM_REASON_VERSION},
    {"rsa-sha1", V "a=rsa-sha1; " DS H BH B, ONWARD_DKIM_REASON_ALGORITHM},
    {"b= of 63 octets for Ed25519",
     V A DS H BH
     "b=gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7Z"
     "bnKELq+eXdp1Q1D",
     ONWARD_DKIM_REASON_VALUE},
    {"b= of 64 octets for RSA", V "a=rsa-sha256; " DS H BH B,
     ONWARD_DKIM_REASON_VALUE},
    {"bh= of 20 octets", V A DS H "bh=2jmj7l5rSw0yVb/vlWAYkK/YBwk=; " B,
     ONWARD_DKIM_REASON_VALUE},
    {"bh= of 33 octets",
     V A DS H "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8A; " B,
     ONWARD_DKIM_REASON_VALUE},
    {"a tag twice", V A DS H H BH B, ONWARD_DKIM_REASON_SYNTAX},
    {"i= without @", V A DS H BH "i=a.example; " B, ONWARD_DKIM_REASON_VALUE},
    {"q= of another kind", V A DS H BH "q=http; " B, ONWARD_DKIM_REASON_QUERY},
};

static void test_whole(void **state)
{
    const struct whole_row *row = *state;
    char text[1000];
    struct t_world w;
    struct world x;

    snprintf(text, sizeof(text),
             "DKIM-Signature: %s\r\nFrom: a@a.example\r\n\r\n", row->tags);
    verify_text(&x, &w, text);
    assert_string_equal(result(&x, 0), "permerror");
    assert_string_equal(onward_dkim_reason_name((int)signature(&x, 0).reason),
                        onward_dkim_reason_name((int)row->reason));
    close_world(&x);
    t_world_clear(&w);
}

/* Whose wish it is to read further than the line that is no field? */
static void test_doubtful_header_never_passes(void **state)
{
    static char text[4000];
    struct t_world w;
    struct world x;

    (void)state;
    strcpy(text, "X-Junk line without a colon\r\n");
    strcat(text, rfc8463);
    verify_text(&x, &w, text);
    assert_string_equal(result(&x, 0), "permerror");
    assert_int_equal(signature(&x, 0).reason, ONWARD_DKIM_REASON_HEADER);
    close_world(&x);
    t_world_clear(&w);
}

static void test_fields_put_on_top_are_told(void **state)
{
    static char text[4000];
    struct t_world w;
    struct world x;

    (void)state;
    strcpy(text, "To: other@example.org\r\nCc: more@example.org\r\n");
    strcat(text, rfc8463);
    verify_text(&x, &w, text);
    assert_string_equal(result(&x, 0), "pass");
    t_assert_str(signature(&x, 0).exposed_fields, "to:cc");
    close_world(&x);
    t_world_clear(&w);
    strcpy(text, "Subject: other\r\n");
    strcat(text, rfc8463);
    verify_text(&x, &w, text);
    assert_int_equal(signature(&x, 0).reason, ONWARD_DKIM_REASON_SIGNATURE);
    close_world(&x);
    t_world_clear(&w);
}

static void test_names_of_results_and_reasons(void **state)
{
    (void)state;
    assert_string_equal(onward_dkim_result_name(0), "none");
    assert_string_equal(onward_dkim_result_name(ONWARD_DKIM_POLICY), "policy");
    assert_string_equal(
        onward_dkim_reason_name(ONWARD_DKIM_REASON_PARTIAL_BODY),
        "partial-body");
    assert_string_equal(onward_dkim_reason_section(ONWARD_DKIM_REASON_KEY_SIZE),
                        "RFC 8301 3.2");
    assert_string_equal(onward_dkim_reason_name(-1), "");
}

int main(void)
{
    const struct CMUnitTest fixed[] = {
        cmocka_unit_test(test_conformance_vectors),
        cmocka_unit_test(test_what_is_told_of_a_signature),
        cmocka_unit_test(test_short_struct_is_filled_as_far_as_it_goes),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_answers_in_any_order),
        cmocka_unit_test(test_changed_body_needs_no_key),
        cmocka_unit_test(test_free_in_done_and_before),
        cmocka_unit_test(test_freed_desk_and_resolver_fire_nothing),
        cmocka_unit_test(test_errors_are_told),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_only_so_many_signatures_cost_anything),
        cmocka_unit_test(test_long_h_is_refused),
        cmocka_unit_test(test_doubtful_header_never_passes),
        cmocka_unit_test(test_fields_put_on_top_are_told),
        cmocka_unit_test(test_names_of_results_and_reasons),
    };
    const size_t n = sizeof(fixed) / sizeof(fixed[0]);
    const size_t m = sizeof(field_rows) / sizeof(field_rows[0]);
    const size_t k = sizeof(whole_rows) / sizeof(whole_rows[0]);
    struct CMUnitTest tests[64];

    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < m; i++) {
        tests[n + i] =
            (struct CMUnitTest){.name = field_rows[i].name,
                                .test_func = test_field,
                                .initial_state = (void *)&field_rows[i]};
    }
    for (size_t i = 0; i < k; i++)
        tests[n + m + i] =
            (struct CMUnitTest){.name = whole_rows[i].name,
                                .test_func = test_whole,
                                .initial_state = (void *)&whole_rows[i]};
    return _cmocka_run_group_tests("dkim verify", tests, n + m + k, NULL, NULL);
}
