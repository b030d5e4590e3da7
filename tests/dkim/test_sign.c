#include "dkim/vectors.h"

#include <onward/dkim.h>

#include "core/desk_shared.h"
#include "core/text_shared.h"
#include "dkim/dkim_shared.h"
#include "key/key_shared.h"

/* The key of RFC 8463 appendix A.2. */
static const char seed_text[] = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

static const char message[] = "From: A <a@example.net>\r\n"
                              "To: b@example.org\r\n"
                              "Subject: hello\r\n"
                              "Date: Fri, 11 Jul 2003 21:00:37 -0700\r\n"
                              "\r\n"
                              "Body.\r\n";

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_key *key;
    struct onward_signer *signer;
    struct onward_dkim_signer *s;
    int done_count;
    int status;
    bool free_in_done;
};

static int make_key(struct t_world *w, struct onward_key **key)
{
    struct onward_buf seed;
    int err;

    onward_core__buf_init(&seed, w->ctx, 32);
    err = onward_core__base64_decode(&seed, onward_str_of(seed_text), false);
    if (err == 0)
        err = onward_key_from_ed25519_seed(w->ctx, seed.data, seed.len, key);
    onward_core__buf_clear(&seed);
    return err;
}

static void done(void *user, struct onward_dkim_signer *signer, int status)
{
    struct world *x = user;

    assert_ptr_equal(signer, x->s);
    x->done_count++;
    x->status = status;
    if (x->free_in_done) {
        onward_dkim_signer_free(x->s);
        x->s = NULL;
    }
}

static int open_world(struct world *x)
{
    int err = onward_desk_new(x->w.ctx, NULL, &x->desk);

    if (err == 0)
        err = make_key(&x->w, &x->key);
    if (err == 0)
        err = onward_signer_new(x->desk, x->key, NULL, &x->signer);
    return err;
}

static void setup(struct world *x)
{
    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    assert_int_equal(open_world(x), 0);
}

static void teardown(struct world *x)
{
    onward_dkim_signer_free(x->s);
    onward_signer_free(x->signer);
    onward_key_free(x->key);
    onward_desk_free(x->desk);
}

static struct onward_dkim_signer_opts plain_opts(void)
{
    return (struct onward_dkim_signer_opts){
        .size = sizeof(struct onward_dkim_signer_opts),
        .domain = ONWARD_STR("example.net"),
        .selector = ONWARD_STR("sel")};
}

static int make_signer(struct world *x,
                       const struct onward_dkim_signer_opts *opts)
{
    struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = x, .done = done};

    return onward_dkim_signer_new(x->signer, opts, &host, &x->s);
}

static void run_desk(struct world *x)
{
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}

/* ---- Vectors: hash input and signature, octet for octet ---------------- */

static struct onward_key *vector_key(struct v_file *f,
                                     const struct onward_json *t)
{
    const struct onward_json *k = onward_json__get(
        onward_json__get(f->root, "keys"), v_text(f, t, "key"));
    const char *pem = v_text(f, k, "pem");
    struct onward_key *key = NULL;

    if (pem == NULL)
        assert_int_equal(make_key(&f->world, &key), 0);
    else
        assert_int_equal(
            onward_key_from_pem(f->world.ctx, onward_str_of(pem), NULL, &key),
            0);
    return key;
}

/* The header hash of a case, checked against the input it should be of. */
static void vector_digest(struct v_file *f, const struct onward_json *t,
                          unsigned char *digest)
{
    const char *c = v_text(f, t, "canonicalization");
    enum onward_dkim__canon canon = strncmp(c, "relaxed", 7) == 0
                                        ? ONWARD_DKIM__RELAXED
                                        : ONWARD_DKIM__SIMPLE;
    struct onward_str field = v_octets(f, t, "signature_field_b_empty");
    struct onward_str input = v_octets(f, t, "header_hash_input");
    unsigned char want[ONWARD_DKIM__HASH_SIZE];
    struct onward_header *header;
    struct sha256_ctx sha;
    size_t taken;

    assert_int_equal(onward_header_new(f->world.ctx, &header), 0);
    for (struct onward_json *h = onward_json__get(t, "headers")->first;
         h != NULL; h = h->next) {
        assert_int_equal(
            onward_header_feed(header, h->text.data, h->text.len, &taken), 0);
        assert_int_equal(onward_header_feed(header, "\r\n", 2, &taken), 0);
    }
    assert_int_equal(onward_header_finish(header), 0);
    sha256_init(&sha);
    assert_int_equal(onward_dkim__hash_fields(&sha, canon, header,
                                              v_octets(f, t, "h"),
                                              ONWARD_HEADER_NONE),
                     0);
    onward_dkim__hash_field(&sha, canon, field, (struct onward_str){0}, false);
    sha256_digest(&sha, ONWARD_DKIM__HASH_SIZE, digest);
    sha256_update(&sha, input.len, (const uint8_t *)input.data);
    sha256_digest(&sha, sizeof(want), want);
    assert_memory_equal(digest, want, sizeof(want));
    onward_header_free(header);
}

static void check_body_hash(struct v_file *f, const struct onward_json *t)
{
    struct onward_str body_text = v_octets(f, t, "body");
    struct onward_dkim__body body;
    struct onward_buf text;
    size_t index;

    onward_dkim__body_init(&body);
    assert_int_equal(
        onward_dkim__body_want(
            &body,
            strstr(v_text(f, t, "canonicalization"), "/relaxed") != NULL
                ? ONWARD_DKIM__RELAXED
                : ONWARD_DKIM__SIMPLE,
            false, 0, &index),
        0);
    onward_dkim__body_feed(&body, body_text.data, body_text.len);
    onward_dkim__body_finish(&body);
    onward_core__buf_init(&text, f->world.ctx, 100);
    onward_core__base64_encode(&text, onward_dkim__body_digest(&body, index),
                               ONWARD_DKIM__HASH_SIZE);
    t_assert_str(onward_core__buf_str(&text),
                 v_text(f, t, "body_canonical_sha256_base64"));
    onward_core__buf_clear(&text);
}

static void nothing(struct onward_core__task *task, int64_t now_ms)
{
    (void)task;
    (void)now_ms;
}

static void check_signature(struct v_file *f, const struct onward_json *t,
                            const unsigned char *digest)
{
    struct onward_key *key = vector_key(f, t);
    struct onward_key__signing signing = {0};
    struct onward_core__task task = {0};
    struct onward_signer *signer;
    struct onward_desk *desk;
    struct onward_buf text;

    assert_int_equal(onward_desk_new(f->world.ctx, NULL, &desk), 0);
    assert_int_equal(onward_signer_new(desk, key, NULL, &signer), 0);
    onward_core__task_init(&task, desk, nothing);
    assert_int_equal(onward_key__sign(signer, &signing, digest, &task), 0);
    while (onward_desk_run(desk, 0) == 1)
        continue;
    assert_int_equal(signing.status, 0);
    onward_core__buf_init(&text, f->world.ctx, 2000);
    onward_core__base64_encode(&text, signing.signature, signing.len);
    t_assert_str(onward_core__buf_str(&text), v_text(f, t, "b"));
    onward_core__buf_clear(&text);
    onward_key__signing_clear(&signing);
    onward_core__task_clear(&task);
    onward_signer_free(signer);
    onward_key_free(key);
    onward_desk_free(desk);
}

static void test_conformance_vectors(void **state)
{
    unsigned char digest[ONWARD_DKIM__HASH_SIZE];
    struct v_file f;
    size_t count = 0;

    (void)state;
    if (!v_open(&f, "dkim/sign.json"))
        skip();
    for (struct onward_json *t = onward_json__get(f.root, "tests")->first;
         t != NULL; t = t->next, count++) {
        check_body_hash(&f, t);
        vector_digest(&f, t, digest);
        check_signature(&f, t, digest);
    }
    assert_int_equal(count, 18);
    v_close(&f);
}

/* ---- The field --------------------------------------------------------- */

/* The octets of b= are another test's: cut the field there. */
static void assert_field_start(struct world *x, const char *want)
{
    struct onward_str field = onward_dkim_signer_field(x->s);
    size_t len = strlen(want);

    assert_true(field.len > len + 2);
    t_assert_str_n(onward_core__sub(field, 0, len), want, len);
    assert_memory_equal(field.data + field.len - 2, "\r\n", 2);
}

static void sign_message(struct world *x, const char *text)
{
    assert_int_equal(onward_dkim_signer_feed(x->s, text, strlen(text)), 0);
    assert_int_equal(onward_dkim_signer_finish(x->s), 0);
    assert_int_equal(x->done_count, 0);
    run_desk(x);
    assert_int_equal(x->done_count, 1);
    assert_int_equal(x->status, 0);
}

static void test_default_field_oversigns(void **state)
{
    struct onward_dkim_signer_opts opts = plain_opts();
    struct world x;

    (void)state;
    setup(&x);
    assert_int_equal(make_signer(&x, &opts), 0);
    sign_message(&x, message);
    assert_field_start(
        &x, "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; "
            "d=example.net;\r\n"
            " s=sel; t=1600000000; "
            "h=from:from:to:to:cc:subject:subject:reply-to:date:date;\r\n"
            " bh=");
    teardown(&x);
    t_world_clear(&x.w);
}

/* A065: once more than they occur, or once more where they occur. */
static void test_what_is_oversigned(void **state)
{
    static const struct {
        const char *name;
        size_t when_absent, when_there;
    } wanted[] = {
        {"from", 2, 2},         {"to", 1, 2},         {"cc", 1, 2},
        {"subject", 1, 2},      {"reply-to", 1, 2},   {"sender", 0, 2},
        {"date", 0, 2},         {"message-id", 0, 2}, {"mime-version", 0, 2},
        {"content-type", 0, 2}, {"references", 0, 1}, {"x-other", 0, 0},
    };

    (void)state;
    for (size_t there = 0; there < 2; there++) {
        struct onward_dkim_signer_opts opts = plain_opts();
        struct onward_str field, list, item;
        char text[600];
        size_t used;
        struct world x;

        setup(&x);
        used = (size_t)snprintf(text, sizeof(text), "From: a@example.net\r\n");
        for (size_t i = 1; there && i < sizeof(wanted) / sizeof(*wanted); i++)
            used += (size_t)snprintf(text + used, sizeof(text) - used,
                                     "%s: x\r\n", wanted[i].name);
        snprintf(text + used, sizeof(text) - used, "\r\nBody.\r\n");
        assert_int_equal(make_signer(&x, &opts), 0);
        sign_message(&x, text);
        field = onward_dkim_signer_field(x.s);
        snprintf(text, sizeof(text), "%.*s", (int)field.len, field.data);
        assert_null(strstr(text, " l="));
        list = onward_str_of(strstr(text, "h=") + 2);
        list.len = onward_core__str_find(list, ';');
        for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
            struct onward_str rest = list;
            size_t count = 0;

            while (onward_dkim__list_next(&rest, &item))
                count +=
                    onward_core__str_eq(item, onward_str_of(wanted[i].name));
            assert_int_equal(count, there ? wanted[i].when_there
                                          : wanted[i].when_absent);
        }
        teardown(&x);
        t_world_clear(&x.w);
    }
}

static void test_options_are_written(void **state)
{
    struct onward_dkim_signer_opts opts = plain_opts();
    struct world x;

    (void)state;
    setup(&x);
    opts.fields = ONWARD_STR("From:Subject");
    opts.identity = ONWARD_STR("@mail.example.net");
    opts.time_s = 1528637909;
    opts.expire_s = 100;
    opts.use_simple_header = opts.use_simple_body = 1;
    assert_int_equal(make_signer(&x, &opts), 0);
    sign_message(&x, message);
    assert_field_start(&x, "DKIM-Signature: v=1; a=ed25519-sha256; "
                           "c=simple/simple; d=example.net; s=sel;\r\n"
                           " i=@mail.example.net; t=1528637909; "
                           "x=1528638009; h=From:Subject;\r\n"
                           " bh=");
    teardown(&x);
    t_world_clear(&x.w);
}

static void test_lines_stay_short(void **state)
{
    struct onward_dkim_signer_opts opts = plain_opts();
    struct onward_str field;
    size_t column = 0;
    struct world x;

    (void)state;
    setup(&x);
    assert_int_equal(make_signer(&x, &opts), 0);
    sign_message(&x, "From: a@example.net\r\nTo: a@b\r\nCc: a@b\r\n"
                     "Sender: a@b\r\nMessage-ID: <a@b>\r\nDate: x\r\n"
                     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
                     "List-Id: <a.b>\r\nReferences: <a@b>\r\n\r\n");
    field = onward_dkim_signer_field(x.s);
    for (size_t i = 0; i < field.len; i++) {
        column = field.data[i] == '\n' ? 0 : column + 1;
        assert_true(column <= 79); /* CR included */
    }
    teardown(&x);
    t_world_clear(&x.w);
}

static const struct refused {
    const char *name;
    const char *text;
    const char *problem;
} refused[] = {
    {"no From", "To: a@b\r\n\r\nx\r\n", "no From field"},
    {"empty message", "", "no From field"},
    {"two From", "From: a@b\r\nFrom: c@d\r\n\r\n", "several From fields"},
    {"a line that is no field", "From: a@b\r\nnonsense\r\n\r\n",
     "a header line that is no field, or a bare CR or LF in one"},
    {"bare LF in the header", "From: a@b\r\nX: a\nb\r\n\r\n",
     "a header line that is no field, or a bare CR or LF in one"},
    {"control in a value", "From: a@b\r\nX: a\x01\r\n\r\n",
     "a control octet in a header field"},
    {"header cut inside a line", "From: a@b\r\nX: a",
     "the message ends inside a header line"},
    {"bare LF in the body", "From: a@b\r\n\r\na\r\nb\nc\r\n",
     "a bare CR or LF in the body"},
    {"bare LF first", "From: a@b\r\n\r\n\nc\r\n",
     "a bare CR or LF in the body"},
    {"bare CR in the body", "From: a@b\r\n\r\na\rb\r\n",
     "a bare CR or LF in the body"},
    {"CR CR LF in the body", "From: a@b\r\n\r\na\r\r\n",
     "a bare CR or LF in the body"},
    {"bare CR last", "From: a@b\r\n\r\na\r", "a bare CR or LF in the body"},
};

static void test_refused(void **state)
{
    const struct refused *row = *state;
    struct onward_dkim_signer_opts opts = plain_opts();
    size_t len = strlen(row->text);
    struct world x;

    setup(&x);
    for (size_t cut = 0; cut <= len; cut++) {
        assert_int_equal(make_signer(&x, &opts), 0);
        assert_int_equal(onward_dkim_signer_feed(x.s, row->text, cut), 0);
        assert_int_equal(
            onward_dkim_signer_feed(x.s, row->text + cut, len - cut), 0);
        t_assert_str(onward_dkim_signer_fault(x.s), "");
        assert_int_equal(onward_dkim_signer_finish(x.s), ONWARD_ESYNTAX);
        t_assert_str(onward_dkim_signer_fault(x.s), row->problem);
        assert_int_equal(onward_dkim_signer_finish(x.s), ONWARD_ESTATE);
        assert_int_equal(onward_dkim_signer_feed(x.s, "x", 1), ONWARD_ESTATE);
        onward_dkim_signer_free(x.s);
        x.s = NULL;
    }
    run_desk(&x);
    assert_int_equal(x.done_count, 0);
    teardown(&x);
    t_world_clear(&x.w);
}

static void set(struct onward_str *text, const char *value)
{
    *text = onward_str_of(value);
}

static int sign_fed(struct world *x, const struct onward_dkim_signer_opts *o,
                    struct onward_str text)
{
    int err;

    onward_dkim_signer_free(x->s);
    x->s = NULL;
    assert_int_equal(make_signer(x, o), 0);
    assert_int_equal(onward_dkim_signer_feed(x->s, text.data, text.len), 0);
    err = onward_dkim_signer_finish(x->s);
    run_desk(x);
    return err;
}

static void test_a_given_body_hash_signs_as_the_body_does(void **state)
{
    const struct onward_str whole = onward_str_of(message);
    const size_t header_len = whole.len - strlen("Body.\r\n");
    struct onward_dkim_signer_opts o = plain_opts();
    unsigned char hash[SHA256_DIGEST_SIZE];
    struct onward_str out;
    struct sha256_ctx sha;
    struct world x;
    char text[2000];

    (void)state;
    setup(&x);
    assert_int_equal(sign_fed(&x, &o, whole), 0);
    out = onward_dkim_signer_field(x.s);
    snprintf(text, sizeof(text), "%.*s", (int)out.len, out.data);
    sha256_init(&sha);
    sha256_update(&sha, 7, (const uint8_t *)"Body.\r\n");
    sha256_digest(&sha, sizeof(hash), hash);
    o.body_hash = (struct onward_str){(const char *)hash, sizeof(hash)};
    assert_int_equal(sign_fed(&x, &o, onward_core__sub(whole, 0, header_len)),
                     0);
    t_assert_str(onward_dkim_signer_field(x.s), text);
    /* It is for the relaxed form, and of 32 octets. */
    onward_dkim_signer_free(x.s);
    x.s = NULL;
    o.use_simple_body = 1;
    assert_int_equal(make_signer(&x, &o), ONWARD_EINVAL);
    o.use_simple_body = 0;
    o.body_hash.len = 31;
    assert_int_equal(make_signer(&x, &o), ONWARD_EINVAL);
    teardown(&x);
    t_world_clear(&x.w);
}

static void test_bad_options_are_refused(void **state)
{
    struct onward_dkim_signer_opts o;
    struct onward_dkim_signer_host no_done = {.size = sizeof(no_done)};
    struct world x;

    (void)state;
    setup(&x);
    for (int i = 0; i < 12; i++) {
        o = plain_opts();
        if (i == 0)
            set(&o.domain, "com");
        else if (i == 1)
            set(&o.domain, "a b.example");
        else if (i == 2)
            set(&o.domain, "x.example; l=0");
        else if (i == 3)
            set(&o.selector, "");
        else if (i == 4)
            set(&o.identity, "@example.org");
        else if (i == 5)
            set(&o.identity, "a;b@example.net");
        else if (i == 6)
            set(&o.fields, "to:subject");
        else if (i == 7)
            set(&o.fields, "from::to");
        else if (i == 8)
            set(&o.fields, "from;l=0:to");
        else if (i == 9)
            o.time_s = INT64_C(1000000000000);
        else if (i == 10)
            o.expire_s = -1;
        else
            o.listing = 2;
        assert_int_equal(make_signer(&x, &o), ONWARD_EINVAL);
    }
    o = plain_opts();
    assert_int_equal(onward_dkim_signer_new(x.signer, &o, &no_done, &x.s),
                     ONWARD_EINVAL);
    o.size = sizeof(size_t) - 1;
    assert_int_equal(make_signer(&x, &o), ONWARD_EINVAL);
    teardown(&x);
    t_world_clear(&x.w);
}

static void test_free_in_done_and_before(void **state)
{
    struct onward_dkim_signer_opts opts = plain_opts();
    struct world x;

    (void)state;
    setup(&x);
    x.free_in_done = true;
    assert_int_equal(make_signer(&x, &opts), 0);
    sign_message(&x, message);
    assert_null(x.s);
    assert_int_equal(make_signer(&x, &opts), 0);
    assert_int_equal(onward_dkim_signer_feed(x.s, message, sizeof(message) - 1),
                     0);
    assert_int_equal(onward_dkim_signer_finish(x.s), 0);
    onward_dkim_signer_free(x.s);
    x.s = NULL;
    run_desk(&x);
    assert_int_equal(x.done_count, 1);
    teardown(&x);
    t_world_clear(&x.w);
}

/* ---- A host that signs ------------------------------------------------- */

static uint64_t asked;

static int never_sign(void *user, const struct onward_sign_question *q)
{
    (void)user;
    asked = q->token;
    return 0;
}

static void test_failed_signing_is_told(void **state)
{
    struct onward_signer_host host = {.size = sizeof(host), .sign = never_sign};
    struct onward_dkim_signer_opts opts = plain_opts();
    struct world x;

    (void)state;
    setup(&x);
    onward_signer_free(x.signer);
    assert_int_equal(onward_signer_new_host(x.desk, onward_key_public(x.key),
                                            &host, NULL, &x.signer),
                     0);
    assert_int_equal(make_signer(&x, &opts), 0);
    assert_int_equal(onward_dkim_signer_feed(x.s, message, sizeof(message) - 1),
                     0);
    assert_int_equal(onward_dkim_signer_finish(x.s), 0);
    run_desk(&x);
    assert_int_equal(x.done_count, 0);
    assert_int_equal(onward_sign_answer_error(x.desk, asked, ONWARD_ECALLBACK),
                     0);
    run_desk(&x);
    assert_int_equal(x.done_count, 1);
    assert_int_equal(x.status, ONWARD_ECALLBACK);
    t_assert_str(onward_dkim_signer_field(x.s), "");
    teardown(&x);
    t_world_clear(&x.w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    struct onward_dkim_signer_opts opts = plain_opts();
    struct world x = {.w = *w};
    bool ok;

    (void)arg;
    x.w.ctx = w->ctx;
    ok = open_world(&x) == 0 && make_signer(&x, &opts) == 0 &&
         onward_dkim_signer_feed(x.s, message, sizeof(message) - 1) == 0 &&
         onward_dkim_signer_finish(x.s) == 0;
    if (ok) {
        run_desk(&x);
        assert_int_equal(x.done_count, 1);
        ok = x.status == 0;
        assert_true(ok || x.status == ONWARD_ENOMEM);
    }
    teardown(&x);
    return ok;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(refused) / sizeof(refused[0]) + 8] = {
        cmocka_unit_test(test_conformance_vectors),
        cmocka_unit_test(test_default_field_oversigns),
        cmocka_unit_test(test_what_is_oversigned),
        cmocka_unit_test(test_options_are_written),
        cmocka_unit_test(test_lines_stay_short),
        cmocka_unit_test(test_a_given_body_hash_signs_as_the_body_does),
        cmocka_unit_test(test_bad_options_are_refused),
        cmocka_unit_test(test_free_in_done_and_before),
        cmocka_unit_test(test_failed_signing_is_told),
        cmocka_unit_test(test_out_of_memory),
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        tests[8 + i] =
            (struct CMUnitTest){.name = refused[i].name,
                                .test_func = test_refused,
                                .initial_state = (void *)&refused[i]};
    }
    return _cmocka_run_group_tests(
        "dkim sign", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
