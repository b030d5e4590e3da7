/*
 * Zones and clocks on the side of a forger: what must not turn a reject into
 * anything weaker, what must not reject without knowing, and hosts that free
 * things at the worst moment.
 */
#include <onward/verify.h>

#include "support/support.h"

enum { HELD_MAX = 64 };

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_ip ip;
    int64_t now_ms;
    const char *zone;      /* "name TYPE rdata" lines, as answers */
    const char *held;      /* a question whose name has this is not answered */
    const char *held_more; /* nor this */
    uint64_t tokens[HELD_MAX];
    char names[HELD_MAX][80];
    size_t asked;
    struct onward_verifier *verifier;
    struct onward_spf_check *spf;
    bool frees_in_cancel;
    int canceled, done;
};

/* ---- The resolver's host ----------------------------------------------- */

static bool has(const char *name, size_t len, const char *part)
{
    size_t n = part == NULL ? 0 : strlen(part);

    for (size_t i = 0; n != 0 && i + n <= len; i++) {
        if (memcmp(name + i, part, n) == 0)
            return true;
    }
    return false;
}

/* Answers inside the question, from all lines that begin with the name. */
static int query(void *user, uint64_t token, const char *name, size_t len,
                 uint32_t type)
{
    struct world *x = user;
    char lines[4096];
    size_t used = 0;

    if (x->asked < HELD_MAX) {
        x->tokens[x->asked] = token;
        snprintf(x->names[x->asked++], sizeof(x->names[0]), "%.*s/%u", (int)len,
                 name, (unsigned)type);
    }
    if (has(name, len, x->held) || has(name, len, x->held_more))
        return 0;
    for (const char *at = x->zone; at != NULL && *at != '\0';) {
        size_t line = strcspn(at, "\n") + 1;

        if (strncmp(at, name, len) == 0 && at[len] == ' ') {
            if (at[len + 1] == '!')
                return onward_dns_answer_error(x->desk, token,
                                               ONWARD_DNS_SERVFAIL);
            memcpy(lines + used, at, line);
            used += line;
        }
        at += line;
    }
    if (used == 0)
        return onward_dns_answer_error(x->desk, token, ONWARD_DNS_NXDOMAIN);
    return onward_dns_answer_text(x->desk, token,
                                  (struct onward_str){lines, used}, 0);
}

static void cancel(void *user, uint64_t token)
{
    struct world *x = user;

    (void)token;
    x->canceled++;
    if (x->frees_in_cancel) {
        struct onward_verifier *v = x->verifier;
        struct onward_spf_check *spf = x->spf;

        x->verifier = NULL;
        x->spf = NULL;
        onward_verifier_free(v);
        onward_spf_check_free(spf);
    }
}

static void world_init(struct world *x, const char *zone)
{
    const struct onward_resolver_host host = {
        .size = sizeof(host), .user = x, .query = query, .cancel = cancel};

    memset(x, 0, sizeof(*x));
    x->zone = zone;
    t_world_init(&x->w);
    assert_int_equal(onward_desk_new(x->w.ctx, NULL, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, NULL, &host, &x->resolver),
                     0);
    assert_int_equal(onward_ip_parse(ONWARD_STR("192.0.2.9"), &x->ip), 0);
}

static void world_clear(struct world *x)
{
    x->frees_in_cancel = false;
    onward_verifier_free(x->verifier);
    onward_spf_check_free(x->spf);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static void run(struct world *x)
{
    while (onward_desk_run(x->desk, x->now_ms) == 1)
        continue;
}

/* ---- One message ------------------------------------------------------- */

static void verified(void *user, struct onward_verifier *verifier)
{
    (void)verifier;
    ((struct world *)user)->done++;
}

static void verify(struct world *x, const char *from, const char *message)
{
    const struct onward_verifier_host host = {
        .size = sizeof(host), .user = x, .done = verified};
    const struct onward_verifier_opts o = {
        .size = sizeof(o),
        .authserv_id = ONWARD_STR("mx.b.example"),
        .client_ip = &x->ip,
        .helo = ONWARD_STR("mail.evil.com"),
        .mail_from = onward_str_of(from),
        .dmarc_reject_policy = ONWARD_DMARC_REJECT_SERVICE};

    assert_int_equal(onward_verifier_new(x->resolver, &o, &host, &x->verifier),
                     0);
    assert_int_equal(
        onward_verifier_feed(x->verifier, message, strlen(message)), 0);
    assert_int_equal(onward_verifier_finish(x->verifier), 0);
    run(x);
}

#define EVIL                                                                   \
    "evil.com TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"                             \
    "mail.evil.com A 192.0.2.9\n"
#define BANK "_dmarc.bank.com TXT \"v=DMARC1; p=reject\"\n"
#define FORGED "From: boss@bank.com\r\nSubject: x\r\n\r\nPay.\r\n"

/*
 * A051, A101: the forger authenticates a domain of his own and breaks whatever
 * of it DMARC could look at. That domain is not below the one in From, so
 * nothing in its zone can matter.
 */
static const struct forged_row {
    const char *name, *zone;
} forged_rows[] = {
    {"A101 his zone has no DMARC record", EVIL BANK},
    {"A051 his DMARC record fails", EVIL BANK "_dmarc.evil.com !\n"},
    {"A051 all above it fails too",
     EVIL BANK "_dmarc.evil.com !\n_dmarc.com !\n"},
    {"A075 his record says that all of com is his",
     EVIL BANK "_dmarc.evil.com TXT \"v=DMARC1; p=none; psd=y\"\n"},
};

static void test_forged(void **state)
{
    const struct forged_row *row = *state;
    struct world x;

    world_init(&x, row->zone);
    verify(&x, "ann@evil.com", FORGED);
    assert_int_equal(x.done, 1);
    assert_int_equal(onward_verifier_is_authenticated(x.verifier), 1);
    assert_string_equal(
        onward_dmarc_result_name(onward_verifier_dmarc_result(x.verifier)),
        strstr(row->zone, "_dmarc.com !") != NULL ? "temperror" : "fail");
    assert_int_equal(onward_verifier_dmarc_disposition(x.verifier),
                     strstr(row->zone, "_dmarc.com !") != NULL
                         ? ONWARD_DMARC_POLICY_NONE
                         : ONWARD_DMARC_POLICY_REJECT);
    world_clear(&x);
}

/* A050: HELO that passes aligns nothing while MAIL FROM has a domain. */
static void test_helo_does_not_align(void **state)
{
    struct world x;

    (void)state;
    world_init(&x, "mail.evil.com TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
                   "_dmarc.mail.evil.com TXT \"v=DMARC1; p=reject\"\n"
                   "other.org TXT \"v=spf1 -all\"\n");
    verify(&x, "ann@other.org", "From: a@mail.evil.com\r\n\r\n");
    assert_int_equal(onward_verifier_dmarc_result(x.verifier),
                     ONWARD_DMARC_FAIL);
    assert_int_equal(onward_verifier_is_authenticated(x.verifier), 0);
    world_clear(&x);
}

/* ---- Time -------------------------------------------------------------- */

#define SIGNED                                                                 \
    "DKIM-Signature: v=1; a=ed25519-sha256; d=slow.net; s=s; h=from;\r\n"      \
    " bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\r\n"                    \
    " b=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"  \
    "AAAAAAAAAAAAAAAAAA==\r\n"

#define EMPTY "From: boss@bank.com\r\n\r\n"

/* A070: a key that never comes does not make two From fields less wrong. */
static void test_deadline_keeps_many_authors(void **state)
{
    struct world x;

    (void)state;
    world_init(&x, EVIL BANK);
    x.held = "slow.net";
    verify(&x, "ann@evil.com",
           SIGNED "From: boss@bank.com\r\nFrom: ann@evil.com\r\n\r\n");
    assert_int_equal(x.done, 0);
    for (; x.now_ms < 100000 && x.done == 0; x.now_ms += 1000)
        run(&x);
    assert_int_equal(x.done, 1);
    assert_int_equal(onward_verifier_dmarc_result(x.verifier),
                     ONWARD_DMARC_PERMERROR);
    assert_int_equal(onward_verifier_dmarc_disposition(x.verifier),
                     ONWARD_DMARC_POLICY_REJECT);
    world_clear(&x);
}

/* A043, A051: what never came is written as what it is, not as "none". */
static void test_deadline_is_temperror(void **state)
{
    struct onward_resolver_opts slow = {.size = sizeof(slow),
                                        .timeout_ms = ONWARD_LIMIT_NONE};
    const struct onward_resolver_host host = {
        .size = sizeof(host), .query = query, .cancel = cancel};
    struct onward_resolver_host h = host;
    struct onward_str got;
    struct world x;
    char text[2048];

    (void)state;
    world_init(&x, EVIL BANK);
    onward_resolver_free(x.resolver);
    h.user = &x;
    assert_int_equal(onward_resolver_new(x.desk, &slow, &h, &x.resolver), 0);
    x.held = "slow.net";
    x.held_more = "evil.com";
    /* SPF has a limit of its own; the verifier's shall come first. */
    {
        const struct onward_verifier_opts o = {
            .size = sizeof(o),
            .authserv_id = ONWARD_STR("mx.b.example"),
            .client_ip = &x.ip,
            .helo = ONWARD_STR("mail.evil.com"),
            .mail_from = ONWARD_STR("ann@evil.com"),
            .timeout_ms = 5000};
        const struct onward_verifier_host vh = {
            .size = sizeof(vh), .user = &x, .done = verified};

        assert_int_equal(onward_verifier_new(x.resolver, &o, &vh, &x.verifier),
                         0);
    }
    assert_int_equal(
        onward_verifier_feed(x.verifier, SIGNED EMPTY, strlen(SIGNED EMPTY)),
        0);
    assert_int_equal(onward_verifier_finish(x.verifier), 0);
    for (; x.now_ms <= 5000; x.now_ms += 500)
        run(&x);
    assert_int_equal(x.done, 1);
    got = onward_verifier_authres(x.verifier);
    snprintf(text, sizeof(text), "%.*s", (int)got.len, got.data);
    assert_non_null(strstr(text, "spf=temperror"));
    assert_null(strstr(text, "spf=none"));
    assert_null(strstr(text, "dkim=none"));
    assert_null(strstr(text, "pending"));
    assert_non_null(strstr(text, "dmarc=temperror"));
    world_clear(&x);
}

/* ---- Memory ------------------------------------------------------------ */

static void alone(void *user, struct onward_dmarc_check *check)
{
    (void)check;
    ++*(int *)user;
}

/*
 * A124, A043: identifiers that come one by one, no memory for the questions of
 * one of them: the check ends all the same.
 */
static bool walk_without_memory(struct t_world *w, void *arg)
{
    static const char records[] = "_dmarc.bank.com TXT \"v=DMARC1; p=reject\"\n"
                                  "_dmarc.c.bank.com TXT \"v=DMARC1; psd=n\"\n";
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    const struct onward_dmarc_opts o = {
        .size = sizeof(o), .author_domain = ONWARD_STR("a.bank.com")};
    int done = 0;
    const struct onward_dmarc_host host = {
        .size = sizeof(host), .user = &done, .done = alone};
    struct onward_desk *desk = NULL;
    struct onward_resolver *resolver = NULL;
    struct onward_dmarc_check *check = NULL;
    bool ok = false;

    (void)arg;
    if (onward_desk_new(w->ctx, NULL, &desk) == 0 &&
        onward_resolver_new(desk, &ro, NULL, &resolver) == 0 &&
        onward_resolver_load(resolver, onward_str_of(records), NULL) == 0 &&
        onward_dmarc_check_new(resolver, &o, &host, &check) == 0) {
        while (onward_desk_run(desk, 0) == 1)
            continue;
        if (onward_dmarc_check_add_spf(check, ONWARD_STR("x.bank.com")) == 0 &&
            onward_dmarc_check_add_dkim(check, ONWARD_STR("c.bank.com")) == 0) {
            while (onward_desk_run(desk, 0) == 1)
                continue;
            assert_int_equal(onward_dmarc_check_finish(check, 0), 0);
            while (onward_desk_run(desk, 0) == 1)
                continue;
            assert_int_equal(done, 1);
            ok = onward_dmarc_check_result(check) == ONWARD_DMARC_PASS;
            if (!ok)
                assert_int_equal(onward_dmarc_check_result(check),
                                 ONWARD_DMARC_TEMPERROR);
        }
    }
    onward_dmarc_check_free(check);
    onward_resolver_free(resolver);
    if (desk != NULL)
        onward_desk_free(desk);
    return ok;
}

static void test_walk_without_memory(void **state)
{
    (void)state;
    t_oom_sweep(walk_without_memory, NULL);
}

/* ---- Freed while a question is cancelled ------------------------------- */

static void spf_done(void *user, struct onward_spf_check *check)
{
    (void)check;
    ((struct world *)user)->done++;
}

/*
 * A042: the first MX host matches, the others are not needed any more, and the
 * host takes the cancel as the moment to free the check.
 */
static void test_spf_freed_in_cancel(void **state)
{
    const struct onward_spf_host host = {
        .size = sizeof(host), .user = NULL, .done = spf_done};
    struct onward_spf_host h = host;
    struct world x;
    struct onward_spf_opts o = {.size = sizeof(o),
                                .mail_from = ONWARD_STR("a@evil.com"),
                                .helo = ONWARD_STR("mail.evil.com")};

    (void)state;
    world_init(&x, "evil.com TXT \"v=spf1 mx -all exp=slow.evil.com\"\n"
                   "evil.com MX 1 a.evil.com.\n"
                   "evil.com MX 2 slow1.evil.com.\n"
                   "evil.com MX 3 slow2.evil.com.\n"
                   "a.evil.com A 192.0.2.9\n");
    o.client_ip = &x.ip;
    h.user = &x;
    x.held = "slow";
    x.frees_in_cancel = true;
    assert_int_equal(onward_spf_check_new(x.resolver, &o, &h, &x.spf), 0);
    run(&x);
    assert_true(x.canceled >= 1);
    assert_int_equal(x.done, 0);
    assert_null(x.spf);
    world_clear(&x);
}

static void test_spf_freed_at_its_deadline(void **state)
{
    struct onward_spf_host h = {.size = sizeof(h), .done = spf_done};
    struct world x;
    struct onward_spf_opts o = {.size = sizeof(o),
                                .mail_from = ONWARD_STR("a@evil.com"),
                                .timeout_ms = 1000};

    (void)state;
    world_init(&x, "");
    o.client_ip = &x.ip;
    h.user = &x;
    x.held = "evil";
    x.frees_in_cancel = true;
    assert_int_equal(onward_spf_check_new(x.resolver, &o, &h, &x.spf), 0);
    run(&x);
    x.now_ms = 2000;
    run(&x);
    assert_int_equal(x.canceled, 1);
    assert_int_equal(x.done, 0);
    assert_null(x.spf);
    world_clear(&x);
}

/* The verifier's own deadline lets go of DMARC, whose cancel frees it. */
static void test_verifier_freed_at_its_deadline(void **state)
{
    struct world x;

    (void)state;
    world_init(&x, EVIL);
    x.held = "bank.com";
    x.frees_in_cancel = true;
    {
        const struct onward_verifier_host host = {
            .size = sizeof(host), .user = &x, .done = verified};
        const struct onward_verifier_opts o = {.size = sizeof(o),
                                               .authserv_id =
                                                   ONWARD_STR("mx.b.example"),
                                               .timeout_ms = 1000};

        assert_int_equal(
            onward_verifier_new(x.resolver, &o, &host, &x.verifier), 0);
    }
    assert_int_equal(onward_verifier_feed(x.verifier, FORGED, strlen(FORGED)),
                     0);
    assert_int_equal(onward_verifier_finish(x.verifier), 0);
    run(&x);
    x.now_ms = 2000;
    run(&x);
    assert_true(x.canceled >= 1);
    assert_int_equal(x.done, 0);
    assert_null(x.verifier);
    world_clear(&x);
}

/* ---- Ways to answer ---------------------------------------------------- */

#define PLAIN                                                                  \
    "DKIM-Signature: v=1; a=ed25519-sha256; d=bank.com; s=s; h=from;\r\n"      \
    " bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\r\n"                    \
    " b=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"  \
    "AAAAAAAAAAAAAAAAAA==\r\n" EMPTY

/* The first question that is still open, or the last, is answered next. */
static void answer_all(struct world *x, bool is_last_first)
{
    while (x->asked != 0) {
        size_t i = is_last_first ? x->asked - 1 : 0;
        uint64_t token = x->tokens[i];
        char name[80];
        unsigned type = 0;
        size_t len;

        memcpy(name, x->names[i], sizeof(name));
        len = strcspn(name, "/");
        sscanf(name + len + 1, "%u", &type);
        memmove(&x->tokens[i], &x->tokens[i + 1],
                (x->asked - i - 1) * sizeof(x->tokens[0]));
        memmove(&x->names[i], &x->names[i + 1],
                (x->asked - i - 1) * sizeof(x->names[0]));
        x->asked--;
        x->held = x->held_more = NULL;
        (void)query(x, token, name, len, type);
        x->asked--; /* query() notes what it is asked */
        x->held = ".";
        run(x);
    }
}

/* Pulled by the host instead of pushed at it. */
static void pull_all(struct world *x)
{
    struct onward_dns_question q = {.size = sizeof(q)};

    for (;;) {
        run(x);
        if (onward_resolver_next(x->resolver, &q) != 1)
            return;
        assert_true(
            query(x, q.token, q.name.data, q.name.len, (uint32_t)q.type) >= 0);
    }
}

/* A051: a key that might have made it pass, and one that could not have. */
static void test_unreachable_key(void **state)
{
    static const struct {
        const char *zone, *message;
        int result, disposition;
    } cases[] = {
        {EVIL BANK "s._domainkey.bank.com !\n", PLAIN, ONWARD_DMARC_TEMPERROR,
         ONWARD_DMARC_POLICY_NONE},
        {EVIL BANK "s._domainkey.slow.net !\n", SIGNED EMPTY, ONWARD_DMARC_FAIL,
         ONWARD_DMARC_POLICY_REJECT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};
        struct world x;

        world_init(&x, cases[i].zone);
        verify(&x, "ann@evil.com", cases[i].message);
        assert_int_equal(x.done, 1);
        assert_int_equal(onward_verifier_dkim(x.verifier, 0, &s), 0);
        assert_int_equal(s.result, ONWARD_DKIM_TEMPERROR);
        assert_int_equal(onward_verifier_dmarc_result(x.verifier),
                         cases[i].result);
        assert_int_equal(onward_verifier_dmarc_disposition(x.verifier),
                         cases[i].disposition);
        world_clear(&x);
    }
}

enum way { AT_ONCE, FIRST_FIRST, LAST_FIRST, PULLED, WAYS };

static void verify_by(enum way way, char *out, size_t cap)
{
    struct onward_str got;
    struct world x;

    world_init(&x, "bank.com TXT \"v=spf1 include:a.bank.com mx -all\"\n"
                   "a.bank.com TXT \"v=spf1 exists:%{i}.bank.com ?all\"\n"
                   "bank.com MX 1 m.bank.com.\n"
                   "m.bank.com A 192.0.2.9\n" BANK
                   "s._domainkey.bank.com TXT \"v=DKIM1; k=ed25519; "
                   "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n");
    if (way == PULLED) {
        onward_resolver_free(x.resolver);
        assert_int_equal(onward_resolver_new(x.desk, NULL, NULL, &x.resolver),
                         0);
    }
    if (way == FIRST_FIRST || way == LAST_FIRST)
        x.held = ".";
    verify(&x, "ann@bank.com", PLAIN);
    if (way == PULLED)
        pull_all(&x);
    else
        answer_all(&x, way == LAST_FIRST);
    assert_int_equal(x.done, 1);
    got = onward_verifier_authres(x.verifier);
    snprintf(out, cap, "%.*s", (int)got.len, got.data);
    world_clear(&x);
}

/* A042, A127: inside the question, later in either order, or pulled. */
static void test_ways_to_answer(void **state)
{
    char want[2048], got[2048];

    (void)state;
    verify_by(AT_ONCE, want, sizeof(want));
    assert_non_null(strstr(want, "spf=pass"));
    assert_non_null(strstr(want, "dmarc=pass"));
    for (int way = FIRST_FIRST; way < WAYS; way++) {
        verify_by((enum way)way, got, sizeof(got));
        assert_string_equal(got, want);
    }
}

/* A042: the resolver goes first; what was open is not known. */
static void test_resolver_goes_first(void **state)
{
    struct world x;

    (void)state;
    world_init(&x, EVIL BANK);
    x.held = ".";
    verify(&x, "ann@evil.com", FORGED);
    assert_int_equal(x.done, 0);
    onward_resolver_free(x.resolver);
    x.resolver = NULL;
    run(&x);
    assert_int_equal(x.done, 1);
    assert_int_equal(onward_verifier_dmarc_result(x.verifier),
                     ONWARD_DMARC_TEMPERROR);
    assert_int_equal(onward_verifier_is_authenticated(x.verifier), 0);
    world_clear(&x);
}

/* The desk goes first: nothing fires, and all can still be freed. */
static void test_desk_goes_first(void **state)
{
    struct world x;

    (void)state;
    world_init(&x, EVIL BANK);
    x.held = ".";
    verify(&x, "ann@evil.com", FORGED);
    onward_desk_free(x.desk);
    for (size_t i = 0; i < x.asked; i++)
        assert_int_equal(onward_verifier_is_done(x.verifier), 0);
    onward_verifier_free(x.verifier);
    onward_resolver_free(x.resolver);
    assert_int_equal(x.done, 0);
    assert_int_equal(x.canceled, 0);
    t_world_clear(&x.w);
}

int main(void)
{
    enum { ROWS = sizeof(forged_rows) / sizeof(forged_rows[0]), FIXED = 11 };
    struct CMUnitTest tests[FIXED + ROWS] = {
        cmocka_unit_test(test_helo_does_not_align),
        cmocka_unit_test(test_deadline_keeps_many_authors),
        cmocka_unit_test(test_deadline_is_temperror),
        cmocka_unit_test(test_walk_without_memory),
        cmocka_unit_test(test_spf_freed_in_cancel),
        cmocka_unit_test(test_spf_freed_at_its_deadline),
        cmocka_unit_test(test_verifier_freed_at_its_deadline),
        cmocka_unit_test(test_unreachable_key),
        cmocka_unit_test(test_ways_to_answer),
        cmocka_unit_test(test_resolver_goes_first),
        cmocka_unit_test(test_desk_goes_first),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[FIXED + i] = (struct CMUnitTest){
            .name = forged_rows[i].name,
            .test_func = test_forged,
            .initial_state = (void *)(uintptr_t)&forged_rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
