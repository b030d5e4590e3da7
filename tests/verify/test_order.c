/*
 * Any order and time of DNS answers, and of the octets between them: one
 * verdict. Messages with SPF includes, three DKIM signatures, an ARC chain of
 * three and a DMARC walk; answers at random (but by seed) moments, inside the
 * question or later, twice, or, one of them, never or too late.
 */
#include <onward/verify.h>

#include "support/support.h"

enum {
    ORDERS = 300,        /* seeds a message */
    ORDERS_MISSING = 24, /* seeds for each question that is not answered */
    QUESTIONS_MAX = 96,
    TEXT_MAX = 16384,
    PEOPLE = 4
};

struct question {
    uint64_t token;
    char name[264];
    uint32_t type;
};

struct world {
    struct t_world w;
    uint64_t seed; /* xorshift; 0: everything in the order of asking */
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_verifier *verifier;
    const char *zone;
    const char *missing; /* "name/type" that is not answered in time */
    struct question open[QUESTIONS_MAX];
    size_t open_count;
    struct question late; /* the missing one, once it was asked */
    uint64_t answered;    /* a token that was answered before */
    char asked[QUESTIONS_MAX][280];
    size_t asked_count;
    int done;
};

static char zone[TEXT_MAX];

static uint64_t draw(struct world *x, uint64_t below)
{
    x->seed ^= x->seed << 13;
    x->seed ^= x->seed >> 7;
    x->seed ^= x->seed << 17;
    return x->seed % below;
}

/* One time in n; never without a seed. */
static bool now_and_then(struct world *x, uint64_t n)
{
    return x->seed != 0 && draw(x, n) == 0;
}

/* ---- Answers ----------------------------------------------------------- */

static const char *type_name(uint32_t type)
{
    switch (type) {
    case ONWARD_DNS_A:
        return "A";
    case ONWARD_DNS_AAAA:
        return "AAAA";
    case ONWARD_DNS_MX:
        return "MX";
    case ONWARD_DNS_PTR:
        return "PTR";
    default:
        return "TXT";
    }
}

/* From all lines of that name and type; *exists when there is any of it. */
static size_t find_records(const struct question *q, char *out, bool *exists)
{
    size_t used = 0, len = strlen(q->name);
    size_t type_len = strlen(type_name(q->type));

    for (const char *at = zone; *at != '\0';) {
        size_t line = strcspn(at, "\n") + 1;

        if (strncmp(at, q->name, len) == 0 && at[len] == ' ') {
            *exists = true;
            if (strncmp(at + len + 1, type_name(q->type), type_len) == 0 &&
                at[len + 1 + type_len] == ' ') {
                memcpy(out + used, at, line);
                used += line;
            }
        }
        at += line;
    }
    return used;
}

static int answer(struct world *x, const struct question *q)
{
    char lines[2048];
    bool exists = false;
    size_t used = find_records(q, lines, &exists);

    if (!exists)
        return onward_dns_answer_error(x->desk, q->token, ONWARD_DNS_NXDOMAIN);
    return onward_dns_answer_text(x->desk, q->token,
                                  (struct onward_str){lines, used}, 0);
}

static int query(void *user, uint64_t token, const char *name, size_t len,
                 uint32_t type)
{
    struct world *x = user;
    struct question q = {.token = token, .type = type};

    assert_true(len < sizeof(q.name) && x->asked_count < QUESTIONS_MAX &&
                x->open_count < QUESTIONS_MAX);
    memcpy(q.name, name, len);
    snprintf(x->asked[x->asked_count++], sizeof(x->asked[0]), "%s/%s", q.name,
             type_name(type));
    if (x->missing != NULL &&
        strcmp(x->missing, x->asked[x->asked_count - 1]) == 0) {
        x->late = q;
        return 0;
    }
    if (now_and_then(x, 4)) {
        assert_int_equal(answer(x, &q), 0);
        x->answered = token;
        return 0;
    }
    x->open[x->open_count++] = q;
    return 0;
}

/* Nobody waits for it: not answered any more, or answered all the same. */
static void cancel(void *user, uint64_t token)
{
    struct world *x = user;

    for (size_t i = 0; i < x->open_count; i++) {
        if (x->open[i].token != token)
            continue;
        x->open[i] = x->open[--x->open_count];
        return;
    }
}

static void answer_one(struct world *x)
{
    size_t i = x->seed == 0 ? 0 : draw(x, x->open_count);
    struct question q = x->open[i];

    memmove(&x->open[i], &x->open[i + 1],
            (--x->open_count - i) * sizeof(x->open[0]));
    assert_int_equal(answer(x, &q), 0);
    if (now_and_then(x, 3))
        assert_int_equal(answer(x, &q), ONWARD_ESTALE);
    x->answered = q.token;
}

/* ---- One run ----------------------------------------------------------- */

struct verdict {
    char text[TEXT_MAX];
};

struct message {
    const char *name;
    char text[TEXT_MAX];
    const char *mail_from, *client;
};

static void count_done(void *user, struct onward_verifier *verifier)
{
    (void)verifier;
    ((struct world *)user)->done++;
}

static void begin(struct world *x, const struct message *m, uint64_t seed,
                  const char *missing, size_t resolver_timeout_ms)
{
    struct onward_resolver_host rh = {
        .size = sizeof(rh), .user = x, .query = query, .cancel = cancel};
    struct onward_resolver_opts ro = {.size = sizeof(ro),
                                      .timeout_ms = resolver_timeout_ms};
    struct onward_desk_opts one = {.size = sizeof(one),
                                   .run_steps = seed % 2 == 0 ? 1 : 64};
    struct onward_verifier_host vh = {
        .size = sizeof(vh), .user = x, .done = count_done};
    struct onward_verifier_opts o = {.size = sizeof(o),
                                     .authserv_id = ONWARD_STR("mx.b.example"),
                                     .helo = ONWARD_STR("mail.a.example"),
                                     .mail_from = onward_str_of(m->mail_from),
                                     .dmarc_reject_policy =
                                         ONWARD_DMARC_REJECT_SERVICE};
    struct onward_ip ip;

    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    x->seed = seed;
    x->missing = missing;
    assert_int_equal(onward_ip_parse(onward_str_of(m->client), &ip), 0);
    o.client_ip = &ip;
    assert_int_equal(onward_desk_new(x->w.ctx, &one, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, &ro, &rh, &x->resolver), 0);
    assert_int_equal(onward_verifier_new(x->resolver, &o, &vh, &x->verifier),
                     0);
    assert_int_equal(
        onward_verifier_trust_sealer(x->verifier, ONWARD_STR("s3.example")), 0);
}

static void take(const struct world *x, struct verdict *out)
{
    struct onward_str authres = onward_verifier_authres(x->verifier);
    struct onward_str json = {0};

    assert_int_equal(onward_verifier_explain(x->verifier, &json), 0);
    snprintf(out->text, sizeof(out->text), "%.*s\ndmarc %d %d %d\n%.*s",
             (int)authres.len, authres.data,
             onward_verifier_dmarc_result(x->verifier),
             onward_verifier_dmarc_reason(x->verifier),
             onward_verifier_dmarc_disposition(x->verifier), (int)json.len,
             json.data);
}

static void end(struct world *x)
{
    onward_verifier_free(x->verifier);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

/* The next octets, or the end, of the message. */
static bool feed_more(struct world *x, const char *text, size_t *at,
                      bool *ended)
{
    size_t left = strlen(text) - *at;
    size_t n = x->seed == 0 || left == 0 ? left : 1 + draw(x, left);

    if (*ended)
        return false;
    if (left == 0) {
        *ended = true;
        assert_int_equal(onward_verifier_finish(x->verifier), 0);
        return true;
    }
    assert_int_equal(onward_verifier_feed(x->verifier, text + *at, n), 0);
    *at += n;
    return true;
}

static void run_one(struct world *x, const struct message *m,
                    struct verdict *out)
{
    static struct verdict again;
    int64_t now = 0;
    size_t at = 0;
    bool ended = false;
    int ret;

    while (x->done == 0) {
        bool moved = false;

        if (x->seed == 0 || now_and_then(x, 3))
            moved = feed_more(x, m->text, &at, &ended);
        if (x->open_count != 0 && (x->seed == 0 || !now_and_then(x, 3))) {
            answer_one(x);
            moved = true;
        }
        if (x->answered != 0 && now_and_then(x, 5))
            assert_int_equal(onward_dns_answer_error(x->desk, x->answered,
                                                     ONWARD_DNS_SERVFAIL),
                             ONWARD_ESTALE);
        if (now_and_then(x, 2))
            now += (int64_t)draw(x, 10);
        if (x->seed == 0 || !now_and_then(x, 3)) {
            while (onward_desk_run(x->desk, now) == 1 && x->seed == 0)
                continue;
        }
        /* Only what never comes is left. */
        if (!moved && ended && x->open_count == 0 && x->done == 0 &&
            x->seed % 4 == 0)
            now += 500;
        assert_true(now < 100000);
    }
    assert_int_equal(x->done, 1);
    take(x, out);
    if (x->late.token == 0)
        return;
    /* Too late for anything, even if a check that needed it no more had not let
     * go of it yet. */
    ret = answer(x, &x->late);
    assert_true(ret == 0 || ret == ONWARD_ESTALE);
    while (onward_desk_run(x->desk, now + 1000) == 1)
        continue;
    assert_int_equal(x->done, 1);
    take(x, &again);
    assert_string_equal(again.text, out->text);
}

static void verify(const struct message *m, uint64_t seed, const char *missing,
                   size_t resolver_timeout_ms, struct verdict *out,
                   struct world *keep)
{
    static struct world x;

    begin(&x, m, seed, missing, resolver_timeout_ms);
    run_one(&x, m, out);
    if (keep != NULL)
        *keep = x; /* for the names that were asked only */
    end(&x);
}

/* ---- Messages ---------------------------------------------------------- */

struct maker {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_signer *signer;
    char p[200];
    int status;
};

static void signed_now(void *user, struct onward_dkim_signer *signer,
                       int status)
{
    (void)signer;
    ((struct maker *)user)->status = status;
}

static void sealed_now(void *user, struct onward_arc_sealer *sealer, int status)
{
    (void)sealer;
    ((struct maker *)user)->status = status;
}

static void put_on_top(char *text, struct onward_str fields)
{
    assert_true(strlen(text) + fields.len < TEXT_MAX);
    memmove(text + fields.len, text, strlen(text) + 1);
    memcpy(text, fields.data, fields.len);
}

static void sign(struct maker *k, char *text, const char *domain)
{
    struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = k, .done = signed_now};
    struct onward_dkim_signer_opts o = {.size = sizeof(o),
                                        .domain = onward_str_of(domain),
                                        .selector = ONWARD_STR("k")};
    struct onward_dkim_signer *s = NULL;

    k->status = 1;
    assert_int_equal(onward_dkim_signer_new(k->signer, &o, &host, &s), 0);
    assert_int_equal(onward_dkim_signer_feed(s, text, strlen(text)), 0);
    assert_int_equal(onward_dkim_signer_finish(s), 0);
    while (onward_desk_run(k->desk, 0) == 1)
        continue;
    assert_int_equal(k->status, 0);
    put_on_top(text, onward_dkim_signer_field(s));
    onward_dkim_signer_free(s);
}

static void seal(struct maker *k, char *text, size_t instance)
{
    struct onward_arc_sealer_host host = {
        .size = sizeof(host), .user = k, .done = sealed_now};
    char domain[] = "s0.example";
    struct onward_arc_sealer_opts o = {
        .size = sizeof(o),
        .chain_result = instance == 1 ? ONWARD_ARC_NONE : ONWARD_ARC_PASS,
        .chain_instances = instance - 1,
        .selector = ONWARD_STR("k"),
        .results = ONWARD_STR("dmarc=pass header.from=deep.sub.a.example")};
    struct onward_arc_sealer *s = NULL;

    domain[1] = (char)('0' + instance);
    o.domain = o.authserv_id = onward_str_of(domain);
    k->status = 1;
    assert_int_equal(onward_arc_sealer_new(k->signer, &o, &host, &s), 0);
    assert_int_equal(onward_arc_sealer_feed(s, text, strlen(text)), 0);
    assert_int_equal(onward_arc_sealer_finish(s), 0);
    while (onward_desk_run(k->desk, 0) == 1)
        continue;
    assert_int_equal(k->status, 0);
    put_on_top(text, onward_arc_sealer_fields(s));
    onward_arc_sealer_free(s);
}

static void make_zone(const char *p)
{
    static const char *const signers[] = {"x.a.example",   "list.example",
                                          "other.example", "s1.example",
                                          "s2.example",    "s3.example"};
    size_t used = (size_t)snprintf(
        zone, sizeof(zone),
        "deep.sub.a.example A 192.0.2.1\n"
        "_dmarc.a.example TXT \"v=DMARC1; p=reject; np=quarantine\"\n"
        "deep.sub.a.example TXT \"v=spf1 include:i1.a.example "
        "include:i2.a.example mx exists:%%{ir}.%%{d} ~ptr -all "
        "exp=why.a.example\"\n"
        "i1.a.example TXT \"v=spf1 a:h1.a.example a:void.a.example -all\"\n"
        "i2.a.example TXT \"v=spf1 include:i3.a.example ?all\"\n"
        "i3.a.example TXT \"v=spf1 mx:m.a.example -all\"\n"
        "h1.a.example A 198.51.100.1\n"
        "m.a.example MX 10 m1.a.example.\nm.a.example MX 20 m2.a.example.\n"
        "m1.a.example A 198.51.100.2\nm2.a.example A 192.0.2.9\n"
        "deep.sub.a.example MX 10 m3.a.example.\nm3.a.example A 192.0.2.8\n"
        "why.a.example TXT \"%%{i} is not of %%{d}\"\n"
        "mail.a.example TXT \"v=spf1 a:m2.a.example -all\"\n"
        "7.2.0.192.in-addr.arpa PTR n.else.example.\n"
        "n.else.example A 192.0.2.7\n");

    for (size_t i = 0; i < sizeof(signers) / sizeof(signers[0]); i++)
        used += (size_t)snprintf(
            zone + used, sizeof(zone) - used,
            "k._domainkey.%s TXT \"v=DKIM1; k=ed25519; p=%s\"\n", signers[i],
            p);
    assert_true(used < sizeof(zone));
}

static struct message messages[PEOPLE] = {
    {.name = "all of it passes",
     .mail_from = "ann@deep.sub.a.example",
     .client = "192.0.2.9"},
    {.name = "the body was changed",
     .mail_from = "ann@deep.sub.a.example",
     .client = "192.0.2.8"},
    {.name = "SPF fails, and says why",
     .mail_from = "ann@deep.sub.a.example",
     .client = "192.0.2.7"},
    {.name = "null reverse-path", .mail_from = "", .client = "192.0.2.9"},
};

static void make_messages(void)
{
    static struct maker k;
    unsigned char seed[32];
    struct onward_key *key = NULL;

    t_world_init(&k.w);
    memset(seed, 9, sizeof(seed));
    assert_int_equal(onward_desk_new(k.w.ctx, NULL, &k.desk), 0);
    assert_int_equal(
        onward_key_from_ed25519_seed(k.w.ctx, seed, sizeof(seed), &key), 0);
    onward_pubkey_to_p(onward_key_public(key), k.p, sizeof(k.p));
    assert_int_equal(onward_signer_new(k.desk, key, NULL, &k.signer), 0);
    make_zone(k.p);
    for (size_t i = 0; i < PEOPLE; i++) {
        char *text = messages[i].text;

        snprintf(text, TEXT_MAX,
                 "From: Ann <ann@deep.sub.a.example>\r\nTo: b@b.example\r\n"
                 "Subject: hi\r\nDate: Sun, 13 Sep 2020 12:26:40 +0000\r\n"
                 "Message-ID: <1@a.example>\r\n\r\nHello.\r\n");
        sign(&k, text, "other.example");
        sign(&k, text, "x.a.example");
        sign(&k, text, "list.example");
        for (size_t n = 1; n <= 3; n++)
            seal(&k, text, n);
        if (i == 1)
            strcat(text, "More.\r\n");
    }
    onward_signer_free(k.signer);
    onward_key_free(key);
    onward_desk_free(k.desk);
    t_world_clear(&k.w);
}

/* ---- Properties -------------------------------------------------------- */

static uint64_t seed_of(size_t i)
{
    return (i + 1) * 0x9e3779b97f4a7c15u | 1;
}

static void compare(const struct verdict *got, const struct verdict *want,
                    size_t seed, const char *missing)
{
    if (strcmp(got->text, want->text) != 0)
        fail_msg("order %zu, without %s:\n%s\nand in order:\n%s", seed,
                 missing == NULL ? "nothing" : missing, got->text, want->text);
}

static void test_any_order(void **state)
{
    const struct message *m = *state;
    static struct verdict want, got;

    verify(m, 0, NULL, 5000, &want, NULL);
    for (size_t i = 0; i < ORDERS; i++) {
        verify(m, seed_of(i), NULL, 5000, &got, NULL);
        compare(&got, &want, i, NULL);
    }
}

/* Each question in turn has no answer before the resolver gives it up. */
static void test_one_missing(void **state)
{
    const struct message *m = *state;
    static struct verdict want, got;
    static struct world names;

    verify(m, 0, NULL, 5000, &want, &names);
    assert_true(names.asked_count > 10);
    for (size_t n = 0; n < names.asked_count; n++) {
        verify(m, 0, names.asked[n], 5000, &want, NULL);
        for (size_t i = 0; i < ORDERS_MISSING; i++) {
            verify(m, seed_of(i), names.asked[n], 5000, &got, NULL);
            compare(&got, &want, i, names.asked[n]);
        }
    }
}

/* The resolver waits for ever: the deadlines of SPF and of the verifier end it,
 * and the answer comes after them. */
static void test_one_late(void **state)
{
    const struct message *m = *state;
    static struct verdict want, got;
    static struct world names;

    verify(m, 0, NULL, ONWARD_LIMIT_NONE, &want, &names);
    for (size_t n = 0; n < names.asked_count; n++) {
        verify(m, 0, names.asked[n], ONWARD_LIMIT_NONE, &want, NULL);
        for (size_t i = 0; i < ORDERS_MISSING; i++) {
            verify(m, seed_of(i), names.asked[n], ONWARD_LIMIT_NONE, &got,
                   NULL);
            compare(&got, &want, i, names.asked[n]);
        }
    }
}

/* What the runs are about: without this, all could be equal and empty. */
static void test_the_verdicts_themselves(void **state)
{
    static const char *const wanted[PEOPLE][5] = {
        {"spf=pass", "dkim=pass header.d=x.a.example", "arc=pass", "dmarc=pass",
         "\"steps\""},
        {"spf=pass", "dkim=fail", "arc=fail", "dmarc=pass", "\"lookups\""},
        {"spf=fail", "dkim=pass", "arc=pass", "dmarc=pass",
         "192.0.2.7 is not of deep.sub.a.example"},
        {"spf=pass", "dkim=pass", "arc=pass", "dmarc=pass",
         "smtp.helo=mail.a.example"},
    };
    static struct verdict got;

    (void)state;
    for (size_t i = 0; i < PEOPLE; i++) {
        verify(&messages[i], 0, NULL, 5000, &got, NULL);
        for (size_t j = 0; j < 5; j++) {
            if (strstr(got.text, wanted[i][j]) == NULL)
                fail_msg("no %s in\n%s", wanted[i][j], got.text);
        }
    }
}

int main(void)
{
    static void (*const properties[])(void **state) = {
        test_any_order, test_one_missing, test_one_late};
    static const char *const names[] = {"any order", "one missing", "one late"};
    enum { PROPERTIES = 3 };
    struct CMUnitTest tests[1 + PROPERTIES * PEOPLE] = {
        cmocka_unit_test(test_the_verdicts_themselves)};
    static char labels[PROPERTIES * PEOPLE][80];

    make_messages();
    for (size_t i = 0; i < PROPERTIES * PEOPLE; i++) {
        snprintf(labels[i], sizeof(labels[0]), "%s: %s", names[i / PEOPLE],
                 messages[i % PEOPLE].name);
        tests[i + 1] =
            (struct CMUnitTest){.name = labels[i],
                                .test_func = properties[i / PEOPLE],
                                .initial_state = &messages[i % PEOPLE]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
