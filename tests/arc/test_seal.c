#include "dkim/vectors.h"

#include <onward/arc.h>

#include "core/text_shared.h"
#include "dkim/dkim_shared.h"

static const char message[] = "From: A <a@example.net>\r\n"
                              "To: b@example.org\r\n"
                              "DKIM-Signature: v=1; x=y\r\n"
                              "Subject: hello\r\n"
                              "\r\n"
                              "Body.\r\n";

struct world {
    struct t_world *w;
    struct onward_desk *desk;
    struct onward_key *key;
    struct onward_signer *signer;
    struct onward_arc_sealer *s;
    int done_count;
    int status;
    bool free_in_done;
};

static void done(void *user, struct onward_arc_sealer *sealer, int status)
{
    struct world *x = user;

    assert_ptr_equal(sealer, x->s);
    x->done_count++;
    x->status = status;
    if (x->free_in_done) {
        onward_arc_sealer_free(x->s);
        x->s = NULL;
    }
}

/* pem NULL: the key of RFC 8463 appendix A.2. */
static int open_world(struct world *x, struct t_world *w, const char *pem)
{
    static const unsigned char seed[32] = {
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
        0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
        0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
    int err;

    memset(x, 0, sizeof(*x));
    x->w = w;
    err = onward_desk_new(w->ctx, NULL, &x->desk);
    if (err == 0 && pem == NULL)
        err = onward_key_from_ed25519_seed(w->ctx, seed, 32, &x->key);
    else if (err == 0)
        err = onward_key_from_pem(w->ctx, onward_str_of(pem), NULL, &x->key);
    if (err == 0)
        err = onward_signer_new(x->desk, x->key, NULL, &x->signer);
    return err;
}

static void close_world(struct world *x)
{
    onward_arc_sealer_free(x->s);
    onward_signer_free(x->signer);
    onward_key_free(x->key);
    onward_desk_free(x->desk);
    memset(x, 0, sizeof(*x));
}

static void set(struct onward_str *text, const char *value)
{
    *text = onward_str_of(value);
}

static struct onward_arc_sealer_opts plain_opts(void)
{
    struct onward_arc_sealer_opts o = {.size = sizeof(o),
                                       .chain_result = ONWARD_ARC_NONE};

    set(&o.domain, "example.org");
    set(&o.selector, "dummy");
    set(&o.authserv_id, "lists.example.org");
    return o;
}

static int make_sealer(struct world *x, const struct onward_arc_sealer_opts *o)
{
    struct onward_arc_sealer_host host = {
        .size = sizeof(host), .user = x, .done = done};

    return onward_arc_sealer_new(x->signer, o, &host, &x->s);
}

static void run_desk(struct world *x)
{
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}

static int seal(struct world *x, const struct onward_arc_sealer_opts *o,
                struct onward_str text)
{
    int err;

    onward_arc_sealer_free(x->s);
    x->s = NULL;
    x->done_count = 0;
    assert_int_equal(make_sealer(x, o), 0);
    assert_int_equal(onward_arc_sealer_feed(x->s, text.data, text.len), 0);
    err = onward_arc_sealer_finish(x->s);
    run_desk(x);
    assert_int_equal(x->done_count, err == 0);
    return err;
}

/* ---- The conformance suite --------------------------------------------- */

/*
 * What the suite's host knows of the message: the results in its own
 * Authentication-Results fields, joined, and the arc result among them. A toy
 * reader, enough for the suite's fields.
 */
struct host_facts {
    char results[1000];
    size_t chain_result;
};

static void read_facts(struct v_file *f, struct onward_str text,
                       const char *authserv_id, struct host_facts *facts)
{
    static const char name[] = "Authentication-Results";
    struct onward_header *h;
    size_t taken, len = 0;
    const char *arc;

    assert_int_equal(onward_header_new(f->world.ctx, &h), 0);
    assert_true(onward_header_feed(h, text.data, text.len, &taken) >= 0);
    assert_int_equal(onward_header_finish(h), 0);
    for (size_t i = onward_header_first(h, onward_str_of(name));
         i != ONWARD_HEADER_NONE; i = onward_header_below(h, i)) {
        struct onward_str value;
        size_t id_len = strlen(authserv_id);

        assert_int_equal(onward_header_text(h, i, &value), 0);
        if (value.len < id_len + 1 ||
            memcmp(value.data, authserv_id, id_len) != 0)
            continue;
        value = onward_core__str_trim(
            onward_core__sub(value, id_len + 1, value.len));
        len += (size_t)snprintf(
            facts->results + len, sizeof(facts->results) - len, "%s%.*s",
            len > 0 ? "; " : "", (int)value.len, value.data);
    }
    onward_header_free(h);
    arc = strstr(facts->results, "arc=");
    facts->chain_result = arc == NULL                        ? ONWARD_ARC_FAIL
                          : strncmp(arc + 4, "none", 4) == 0 ? ONWARD_ARC_NONE
                          : strncmp(arc + 4, "pass", 4) == 0 ? ONWARD_ARC_PASS
                                                             : ONWARD_ARC_FAIL;
}

static const struct onward_str empty = {0};

/* The value of a field of the set that came out. */
static struct onward_str out_field(struct onward_header *h, const char *name)
{
    size_t item = onward_header_first(h, onward_str_of(name));

    assert_true(item != ONWARD_HEADER_NONE);
    return onward_header_value(h, item);
}

/* Are the tags of the field exactly those of the object? */
static bool same_tags(struct v_file *f, struct onward_str field,
                      const struct onward_json *want)
{
    struct onward_dkim__tags tags;
    size_t at;

    assert_int_equal(onward_dkim__tags_parse(field, &tags, &at), 0);
    if (tags.count != want->count)
        return false;
    for (const struct onward_json *w = want->first; w != NULL; w = w->next) {
        char name[16];
        const struct onward_dkim__tag *tag;

        snprintf(name, sizeof(name), "%.*s", (int)w->key.len, w->key.data);
        tag = onward_dkim__tags_find(&tags, name);
        if (tag == NULL || !onward_core__str_eq(tag->value, w->text)) {
            print_message("%s: %.*s\nwant %s\n", name,
                          tag == NULL ? 0 : (int)tag->value.len,
                          tag == NULL ? "" : tag->value.data,
                          v_text(f, w, NULL));
            return false;
        }
    }
    return true;
}

static bool same_but_blanks(struct onward_str a, const char *b)
{
    size_t i = 0;

    for (; *b != '\0'; b++) {
        if (*b == ' ')
            continue;
        while (i < a.len && strchr(" \t\r\n", a.data[i]) != NULL)
            i++;
        if (i == a.len || a.data[i++] != *b)
            return false;
    }
    return onward_core__str_trim_crlf(onward_core__sub(a, i, a.len)).len == 0;
}

static bool check_out(struct v_file *f, const struct onward_json *t,
                      struct onward_str fields)
{
    struct onward_header *h;
    size_t taken;
    bool ok;

    assert_int_equal(onward_header_new(f->world.ctx, &h), 0);
    assert_int_equal(onward_header_feed(h, fields.data, fields.len, &taken), 0);
    assert_int_equal(onward_header_finish(h), 0);
    assert_int_equal(onward_header_count(h), 3);
    ok = same_tags(f, out_field(h, "ARC-Message-Signature"),
                   onward_json__get(t, "expect_AMS")) &&
         same_tags(f, out_field(h, "ARC-Seal"),
                   onward_json__get(t, "expect_AS")) &&
         same_but_blanks(out_field(h, "ARC-Authentication-Results"),
                         v_text(f, t, "expect_AAR"));
    onward_header_free(h);
    return ok;
}

/* The highest i= of a message of the suite. */
static size_t count_sets(struct onward_str text)
{
    size_t count = 0;

    for (const char *p = text.data; (p = strstr(p, "ARC-Seal:")) != NULL; p++)
        count++;
    return count;
}

static bool check_case(struct v_file *f, const struct onward_json *scenario,
                       const struct onward_json *t)
{
    struct onward_str text = v_octets(f, t, "message");
    struct onward_arc_sealer_opts o = plain_opts();
    struct host_facts facts = {0};
    char names[300] = "";
    struct world x;
    bool ok;
    int err;

    set(&o.domain, v_text(f, scenario, "domain"));
    set(&o.selector, v_text(f, scenario, "selector"));
    set(&o.authserv_id, v_text(f, t, "srv_id"));
    read_facts(f, text, v_text(f, t, "srv_id"), &facts);
    set(&o.results, facts.results);
    for (struct onward_json *n = onward_json__get(t, "sign_headers")->first;
         n != NULL; n = n->next) {
        strcat(names, names[0] != '\0' ? ":" : "");
        strcat(names, v_text(f, n, NULL));
    }
    set(&o.fields, names);
    o.time_s = v_int(t, "t");
    o.chain_result = facts.chain_result;
    o.chain_instances = count_sets(text);
    assert_int_equal(
        open_world(&x, &f->world, v_text(f, scenario, "private_key_pem")), 0);
    err = seal(&x, &o, text);
    if (onward_json__get(t, "expect_no_arc_set")->type == ONWARD_JSON_TRUE)
        ok = err == ONWARD_ENOENT;
    else
        ok = err == 0 && x.status == 0 &&
             check_out(f, t, onward_arc_sealer_fields(x.s));
    if (!ok)
        print_message("%s: wrong (%s)\n", v_text(f, t, "id"),
                      onward_error_name(err));
    close_world(&x);
    return ok;
}

static void test_conformance_suite(void **state)
{
    struct v_file f;
    size_t count = 0, wrong = 0;

    (void)state;
    if (!v_open(&f, "arc/arc-sign.json"))
        skip();
    for (struct onward_json *s = onward_json__get(f.root, "scenarios")->first;
         s != NULL; s = s->next) {
        for (struct onward_json *t = onward_json__get(s, "tests")->first;
             t != NULL; t = t->next, count++)
            wrong += !check_case(&f, s, t);
    }
    assert_int_equal(count, 17);
    assert_int_equal(wrong, 0);
    v_close(&f);
}

/* ---- Sealing by hand --------------------------------------------------- */

static void test_layout_of_a_set(void **state)
{
    static const char seal_start[] = "ARC-Seal: a=ed25519-sha256;\r\n b=";
    static const char seal_end[] =
        ";\r\n cv=none; d=example.org; i=1; s=dummy; t=1600000000\r\n"
        "ARC-Message-Signature: a=ed25519-sha256;\r\n b=";
    static const char ams_end[] =
        "; c=relaxed/relaxed;\r\n d=example.org;"
        " h=from:from:to:to:cc:subject:subject:reply-to:dkim-signature;\r\n"
        " i=1; s=dummy; t=1600000000\r\n"
        "ARC-Authentication-Results: i=1; lists.example.org;\r\n none\r\n";
    struct onward_arc_sealer_opts o = plain_opts();
    struct onward_str out;
    struct t_world w;
    struct world x;
    char text[2000];

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, NULL), 0);
    assert_int_equal(seal(&x, &o, onward_str_of(message)), 0);
    out = onward_arc_sealer_fields(x.s);
    snprintf(text, sizeof(text), "%.*s", (int)out.len, out.data);
    assert_memory_equal(text, seal_start, sizeof(seal_start) - 1);
    assert_non_null(strstr(text, seal_end));
    if (strstr(text, ams_end) == NULL)
        print_message("%s\n", text);
    assert_non_null(strstr(text, ams_end));
    close_world(&x);
    t_world_clear(&w);
}

/* Ed25519 signs the same octets the same way. */
static void test_a_given_body_hash_seals_as_the_body_does(void **state)
{
    const struct onward_str whole = onward_str_of(message);
    const size_t header_len = whole.len - strlen("Body.\r\n");
    struct onward_arc_sealer_opts o = plain_opts();
    unsigned char hash[SHA256_DIGEST_SIZE];
    struct onward_str out;
    struct sha256_ctx sha;
    struct t_world w;
    struct world x;
    char text[2000];

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, NULL), 0);
    assert_int_equal(seal(&x, &o, whole), 0);
    out = onward_arc_sealer_fields(x.s);
    snprintf(text, sizeof(text), "%.*s", (int)out.len, out.data);
    sha256_init(&sha);
    sha256_update(&sha, 7, (const uint8_t *)"Body.\r\n");
    sha256_digest(&sha, sizeof(hash), hash);
    o.body_hash = (struct onward_str){(const char *)hash, sizeof(hash)};
    assert_int_equal(seal(&x, &o, onward_core__sub(whole, 0, header_len)), 0);
    t_assert_str(onward_arc_sealer_fields(x.s), text);
    /* What is fed of the body does not count then. */
    assert_int_equal(seal(&x, &o, whole), 0);
    t_assert_str(onward_arc_sealer_fields(x.s), text);
    close_world(&x);
    t_world_clear(&w);
}

static void test_bad_options_are_refused(void **state)
{
    struct onward_arc_sealer_opts o;
    struct onward_arc_sealer_host no_done = {.size = sizeof(no_done)};
    static const char *const bad_results[] = {
        "a\x7f", "spf=pass\r\nX-Evil: 1", "a\nb", "a\rb", "a\r\n", "a\x01"};
    static const char *const bad_fields[] = {
        "from:arc-seal",         "from:Authentication-Results",     ":",
        "ARC-Message-Signature", "from:arc-authentication-results", "a b"};
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, NULL), 0);
    for (size_t i = 0; i < 6; i++) {
        o = plain_opts();
        set(&o.results, bad_results[i]);
        assert_int_equal(make_sealer(&x, &o), ONWARD_EINVAL);
        o = plain_opts();
        set(&o.fields, bad_fields[i]);
        assert_int_equal(make_sealer(&x, &o), ONWARD_EINVAL);
    }
    o = plain_opts();
    o.chain_result = ONWARD_ARC_PENDING;
    assert_int_equal(make_sealer(&x, &o), ONWARD_EINVAL);
    o = plain_opts();
    set(&o.authserv_id, "a; b");
    assert_int_equal(make_sealer(&x, &o), ONWARD_EINVAL);
    set(&o.authserv_id, "");
    assert_int_equal(make_sealer(&x, &o), ONWARD_EINVAL);
    o = plain_opts();
    set(&o.domain, "org");
    assert_int_equal(make_sealer(&x, &o), ONWARD_EINVAL);
    o = plain_opts();
    set(&o.body_hash, "31 octets, one less than needed");
    assert_int_equal(make_sealer(&x, &o), ONWARD_EINVAL);
    o = plain_opts();
    o.expire_s = -1;
    assert_int_equal(make_sealer(&x, &o), ONWARD_EINVAL);
    o.time_s = INT64_C(999999999999);
    o.expire_s = 1;
    assert_int_equal(make_sealer(&x, &o), ONWARD_EINVAL);
    o = plain_opts();
    o.listing = 2;
    assert_int_equal(make_sealer(&x, &o), ONWARD_EINVAL);
    o = plain_opts();
    assert_int_equal(onward_arc_sealer_new(x.signer, &o, &no_done, &x.s),
                     ONWARD_EINVAL);
    close_world(&x);
    t_world_clear(&w);
}

#define OLD_SET(i, cv)                                                         \
    "ARC-Seal: i=" i "; a=rsa-sha256; cv=" cv "; d=a.example; s=s; b=AAAA\r\n" \
    "ARC-Message-Signature: i=" i "; a=rsa-sha256; d=a.example; s=s; h=from; " \
    "bh=AAAA; b=AAAA\r\n"                                                      \
    "ARC-Authentication-Results: i=" i "; a.example; none\r\n"
#define REST "From: a@example.net\r\n\r\nx\r\n"

static const struct row {
    const char *name;
    const char *text;
    size_t chain_result, chain_instances;
    int want;
} rows[] = {
    {"none, but there is a chain", OLD_SET("1", "none") REST, ONWARD_ARC_NONE,
     0, ONWARD_EINVAL},
    {"pass, but there is no chain", REST, ONWARD_ARC_PASS, 1, ONWARD_EINVAL},
    {"pass, but a set was taken off", OLD_SET("1", "none") REST,
     ONWARD_ARC_PASS, 2, ONWARD_EINVAL},
    {"pass, but the chain has a gap", OLD_SET("2", "pass") REST,
     ONWARD_ARC_PASS, 2, ONWARD_EINVAL},
    {"fail, but there is no chain", REST, ONWARD_ARC_FAIL, 0, ONWARD_EINVAL},
    {"chain had ended with fail",
     OLD_SET("2", "fail") OLD_SET("1", "none") REST, ONWARD_ARC_FAIL, 2,
     ONWARD_ENOENT},
    {"fifty sets", OLD_SET("50", "pass") REST, ONWARD_ARC_FAIL, 50,
     ONWARD_ELIMIT},
    {"malformed header", "nonsense\r\n" REST, ONWARD_ARC_NONE, 0,
     ONWARD_ESYNTAX},
    {"failed chain is sealed", OLD_SET("3", "pass") REST, ONWARD_ARC_FAIL, 3,
     0},
    {"chain goes on", OLD_SET("1", "none") REST, ONWARD_ARC_PASS, 1, 0},
};

static void test_chain_in_the_message(void **state)
{
    const struct row *row = *state;
    struct onward_arc_sealer_opts o = plain_opts();
    struct t_world w;
    struct world x;

    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, NULL), 0);
    o.chain_result = row->chain_result;
    o.chain_instances = row->chain_instances;
    assert_int_equal(seal(&x, &o, onward_str_of(row->text)), row->want);
    assert_int_equal(onward_arc_sealer_fields(x.s).len > 0, row->want == 0);
    assert_int_equal(onward_arc_sealer_finish(x.s), ONWARD_ESTATE);
    assert_int_equal(onward_arc_sealer_feed(x.s, "x", 1), ONWARD_ESTATE);
    close_world(&x);
    t_world_clear(&w);
}

/* ---- What we seal, we take --------------------------------------------- */

struct round_trip {
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_arc_verdict verdict;
    struct onward_arc_validator *v;
    bool is_done;
};

static void validated(void *user, struct onward_arc_validator *validator)
{
    (void)validator;
    ((struct round_trip *)user)->is_done = true;
}

static struct onward_arc_verdict validate(struct world *x, const char *text)
{
    static const char zone[] =
        "dummy._domainkey.example.org TXT \"v=DKIM1; k=ed25519; "
        "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .allow_only_loaded = 1};
    struct round_trip r = {.verdict = {.size = sizeof(r.verdict)}};
    struct onward_arc_validator_host host = {
        .size = sizeof(host), .user = &r, .done = validated};

    assert_int_equal(onward_resolver_new(x->desk, &opts, NULL, &r.resolver), 0);
    assert_int_equal(
        onward_resolver_load(r.resolver, onward_str_of(zone), NULL), 0);
    assert_int_equal(onward_arc_validator_new(r.resolver, NULL, &host, &r.v),
                     0);
    assert_int_equal(onward_arc_validator_feed(r.v, text, strlen(text)), 0);
    assert_int_equal(onward_arc_validator_finish(r.v), 0);
    run_desk(x);
    assert_true(r.is_done);
    assert_int_equal(onward_arc_validator_verdict(r.v, &r.verdict), 0);
    r.verdict.detail = empty; /* borrowed from what is freed now */
    onward_arc_validator_free(r.v);
    onward_resolver_free(r.resolver);
    return r.verdict;
}

static void test_what_we_seal_validates_at_each_hop(void **state)
{
    static char text[20000];
    struct onward_arc_sealer_opts o = plain_opts();
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init(&w);
    strcpy(text, message);
    for (size_t hop = 1; hop <= 4; hop++) {
        struct onward_arc_verdict v;
        struct onward_str out;
        char copy[10000];

        assert_int_equal(open_world(&x, &w, NULL), 0);
        v = validate(&x, text);
        assert_int_equal(v.result,
                         hop == 1 ? ONWARD_ARC_NONE : ONWARD_ARC_PASS);
        assert_int_equal(v.instances, hop - 1);
        o.chain_result = v.result;
        o.chain_instances = v.instances;
        set(&o.results, "spf=pass smtp.mailfrom=a@b;\r\n arc=x");
        assert_int_equal(seal(&x, &o, onward_str_of(text)), 0);
        out = onward_arc_sealer_fields(x.s);
        strcpy(copy, text);
        snprintf(text, sizeof(text), "%.*s%s", (int)out.len, out.data, copy);
        close_world(&x);
    }
    /* A body that is changed now fails the chain; its seal tells the next. */
    strcat(text, "changed\r\n");
    assert_int_equal(open_world(&x, &w, NULL), 0);
    assert_int_equal(validate(&x, text).result, ONWARD_ARC_FAIL);
    assert_int_equal(validate(&x, text).reason, ONWARD_ARC_REASON_MESSAGE);
    close_world(&x);
    t_world_clear(&w);
}

/* ---- Life and memory --------------------------------------------------- */

static void test_free_in_done_and_before(void **state)
{
    struct onward_arc_sealer_opts o = plain_opts();
    struct t_world w;
    struct world x;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_world(&x, &w, NULL), 0);
    x.free_in_done = true;
    assert_int_equal(seal(&x, &o, onward_str_of(message)), 0);
    assert_null(x.s);
    assert_int_equal(make_sealer(&x, &o), 0);
    assert_int_equal(onward_arc_sealer_feed(x.s, message, sizeof(message) - 1),
                     0);
    assert_int_equal(onward_arc_sealer_finish(x.s), 0);
    onward_arc_sealer_free(x.s);
    x.s = NULL;
    run_desk(&x);
    assert_int_equal(x.done_count, 1);
    close_world(&x);
    t_world_clear(&w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    struct onward_arc_sealer_opts o = plain_opts();
    struct world x;
    bool ok;

    (void)arg;
    o.chain_result = ONWARD_ARC_PASS;
    o.chain_instances = 1;
    ok = open_world(&x, w, NULL) == 0 && make_sealer(&x, &o) == 0 &&
         onward_arc_sealer_feed(x.s, rows[9].text, strlen(rows[9].text)) == 0 &&
         onward_arc_sealer_finish(x.s) == 0;
    if (ok) {
        run_desk(&x);
        assert_int_equal(x.done_count, 1);
        ok = x.status == 0;
        assert_true(ok || x.status == ONWARD_ENOMEM);
    }
    close_world(&x);
    return ok;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest fixed[] = {
        cmocka_unit_test(test_conformance_suite),
        cmocka_unit_test(test_layout_of_a_set),
        cmocka_unit_test(test_a_given_body_hash_seals_as_the_body_does),
        cmocka_unit_test(test_bad_options_are_refused),
        cmocka_unit_test(test_what_we_seal_validates_at_each_hop),
        cmocka_unit_test(test_free_in_done_and_before),
        cmocka_unit_test(test_out_of_memory),
    };
    const size_t n = sizeof(fixed) / sizeof(fixed[0]);
    const size_t m = sizeof(rows) / sizeof(rows[0]);
    struct CMUnitTest tests[20];

    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < m; i++) {
        tests[n + i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_chain_in_the_message,
                                .initial_state = (void *)&rows[i]};
    }
    return _cmocka_run_group_tests("arc seal", tests, n + m, NULL, NULL);
}
