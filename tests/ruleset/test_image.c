/*
 * Compiled rules as a file: written, opened where they lie, damaged, shared by
 * threads; zones set and removed; what differs.
 */
#include "ruleset/rules.h"

#include <pthread.h>
#include <stdatomic.h>

#define LITERAL(rest, value, action)                                           \
    "{" rest "\"matchers\":[{\"type\":\"literal\",\"field\":\"to\","           \
    "\"value\":\"" value "\"}],\"actions\":[" action "]}"
#define ALL(rest, action)                                                      \
    "{" rest "\"matchers\":[{\"type\":\"all\"}],\"actions\":[" action "]}"
#define IF(matcher, action)                                                    \
    "{\"matchers\":[" matcher "],\"actions\":[" action "]}"
#define FORWARD(to) "{\"type\":\"forward\",\"value\":[" to "]}"
#define WORKER(name) "{\"type\":\"worker\",\"value\":[\"" name "\"]}"
#define DROP "{\"type\":\"drop\"}"
#define TEN(n)                                                                 \
    LITERAL("", "u" #n "0@b.example", WORKER("0")) ","                         \
    LITERAL("", "u" #n "1@b.example", WORKER("1")) ","                         \
    LITERAL("", "u" #n "2@b.example", DROP)

/* Something of everything, and small. */
static const char rules[] =
    "{\"version\":1,\"zones\":["
    "{\"name\":\"a.example\",\"settings\":{\"subaddress_separators\":\"+-\","
    "\"subdomains\":[\"eu.a.example\"]},\"rules\":["
    LITERAL("\"name\":\"me\",\"source\":\"api\",", "me@a.example",
            FORWARD("\"v@ok.example\"")) ","
    LITERAL("\"priority\":3,", "me@eu.a.example", FORWARD("\"{user}@ok.example\""))
    "," IF("{\"type\":\"regex\",\"field\":\"to\",\"value\":\"^x([0-9]+)@\"}",
           FORWARD("\"n{1}@ok.example\"")) ","
    IF("{\"type\":\"or\",\"matchers\":[{\"type\":\"at_least\",\"field\":"
       "\"size\",\"value\":77},{\"type\":\"not\",\"matchers\":[{\"type\":"
       "\"network\",\"field\":\"client\",\"value\":\"192.0.2.0/24\"}]},"
       "{\"type\":\"glob\",\"field\":\"from\",\"value\":\"*@x.example\"}]}",
       "{\"type\":\"reject\",\"text\":\"no\"}")
    "],\"catch_all\":" ALL("", DROP) "},"
    "{\"name\":\"b.example\",\"rules\":[" TEN(1) "," TEN(2) "," TEN(3) "," TEN(4)
    "]},"
    "{\"name\":\"c.example\",\"rules\":["
    LITERAL("", "*@*.c.example", "{\"type\":\"tag\",\"value\":\"t\"},"
            "{\"type\":\"add_field\",\"name\":\"X-A\",\"value\":\"b\"},"
            WORKER("w")) "]}],"
    "\"addresses\":[{\"email\":\"v@ok.example\",\"verified\":true},"
    "{\"email\":\"*@ok.example\",\"verified\":true},"
    "{\"email\":\"p@ok.example\",\"verified\":null}]}";

static const char *const asked[] = {
    "me@a.example",   "me+x@a.example", "me-x@eu.a.example", "x42@a.example",
    "you@a.example",  "u10@b.example",  "u42@b.example",     "u43@b.example",
    "q@deep.in.c.example", "q@c.example", "q@d.example"};
enum { ASKED = sizeof(asked) / sizeof(asked[0]) };

/* ---- Files ------------------------------------------------------------- */

struct file {
    unsigned char *data;
    size_t len;
    size_t fail_after; /* 0: never */
};

static int put(void *user, const void *data, size_t len)
{
    struct file *f = user;
    unsigned char *more;

    if (f->fail_after != 0 && f->len + len > f->fail_after)
        return -1;
    more = realloc(f->data, f->len + len);
    assert_non_null(more);
    memcpy(more + f->len, data, len);
    f->data = more;
    f->len += len;
    return 0;
}

static struct file compile(struct onward_ruleset *rs)
{
    struct file f = {0};
    const struct onward_ruleset_image_sink sink = {
        .size = sizeof(sink), .user = &f, .write = put};

    assert_int_equal(onward_ruleset_write_image(rs, &sink), 0);
    return f;
}

static struct onward_str str(const struct file *f)
{
    return (struct onward_str){(const char *)f->data, f->len};
}

static struct onward_ruleset *open_file(struct onward_ctx *ctx,
                                        const struct file *f)
{
    struct onward_ruleset *rs = NULL;

    assert_int_equal(onward_ruleset_open_image(ctx, str(f), NULL, NULL, &rs),
                     0);
    return rs;
}

/* All answers of a ruleset as one text. */
static void answers(struct onward_ctx *ctx, const struct onward_ruleset *rs,
                    char *out, size_t cap)
{
    struct rules_facts facts = {.size = 1, .score = 0, .tls = 0,
                                .sender = "s@y.example",
                                .client = "192.0.2.1", .is_whole = true};
    const struct onward_ruleset_facts table = rules_facts(&facts);
    size_t len = 0;

    for (size_t i = 0; i < ASKED; i++) {
        char one[512];

        rules_decide(ctx, rs, asked[i], &table, one, sizeof(one));
        len += (size_t)snprintf(out + len, cap - len, "%s: %s\n", asked[i],
                                one);
    }
}

static const char right[] =
    "me@a.example: forward rule exact a.example/me v@ok.example\n"
    "me+x@a.example: forward rule base a.example/me v@ok.example\n"
    "me-x@eu.a.example: forward rule base a.example/ me@ok.example\n"
    "x42@a.example: forward rule pattern a.example/ n42@ok.example\n"
    "you@a.example: drop rule catch-all a.example/\n"
    "u10@b.example: handler rule exact b.example/ 0\n"
    "u42@b.example: drop rule exact b.example/\n"
    "u43@b.example: reject no-address none b.example/ 550 5.1.1 No such "
    "address\n"
    "q@deep.in.c.example: handler rule catch-all c.example/ w + tag t + "
    "add-field X-A: b + handler w\n"
    "q@c.example: reject no-address none c.example/ 550 5.1.1 No such address\n"
    "q@d.example: reject no-zone none / 550 5.7.1 Relaying denied\n";

static void test_image_answers_as_the_text_does(void **state)
{
    struct onward_ruleset *rs, *again;
    struct file f, twice;
    struct t_world w;
    char got[4096];

    (void)state;
    t_world_init(&w);
    rs = rules_load(w.ctx, rules);
    answers(w.ctx, rs, got, sizeof(got));
    assert_string_equal(got, right);
    f = compile(rs);
    assert_int_equal(onward_ruleset_check_image(w.ctx, str(&f), NULL), 0);
    again = open_file(w.ctx, &f);
    answers(w.ctx, again, got, sizeof(got));
    assert_string_equal(got, right);
    assert_int_equal(onward_ruleset_zone_count(again), 3);
    assert_int_equal(onward_ruleset_rule_count(again), 18);
    twice = compile(again);
    assert_int_equal(twice.len, f.len);
    assert_memory_equal(twice.data, f.data, f.len);
    onward_ruleset_free(rs);
    onward_ruleset_free(again);
    free(f.data);
    free(twice.data);
    t_world_clear(&w);
}

/* ---- Owners ------------------------------------------------------------ */

static void count(void *user)
{
    ++*(int *)user;
}

static void test_image_is_released_once_by_its_last_owner(void **state)
{
    int released = 0;
    const struct onward_ruleset_image_owner owner = {
        .size = sizeof(owner), .user = &released, .release = count};
    struct onward_ruleset *rs, *other;
    struct file f;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = rules_load(w.ctx, rules);
    f = compile(rs);
    onward_ruleset_free(rs);
    assert_int_equal(
        onward_ruleset_open_image(w.ctx, str(&f), &owner, NULL, &rs), 0);
    assert_int_equal(onward_ruleset_without_zone(rs, ONWARD_STR("b.example"),
                                                 &other),
                     0);
    onward_ruleset_free(rs);
    assert_int_equal(released, 0);
    onward_ruleset_free(other);
    assert_int_equal(released, 1);
    f.data[0] ^= 1;
    assert_int_equal(
        onward_ruleset_open_image(w.ctx, str(&f), &owner, NULL, &rs),
        ONWARD_ESYNTAX);
    assert_int_equal(released, 1);
    free(f.data);
    t_world_clear(&w);
}

static void test_sink_that_gives_up(void **state)
{
    struct file f = {.fail_after = 500};
    const struct onward_ruleset_image_sink sink = {
        .size = sizeof(sink), .user = &f, .write = put};
    const struct onward_ruleset_image_sink none = {.size = sizeof(none)};
    struct onward_ruleset *rs;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = rules_load(w.ctx, rules);
    assert_int_equal(onward_ruleset_write_image(rs, &sink), ONWARD_ECALLBACK);
    assert_int_equal(onward_ruleset_write_image(rs, &none), ONWARD_EINVAL);
    onward_ruleset_free(rs);
    free(f.data);
    t_world_clear(&w);
}

/* ---- Damage ------------------------------------------------------------ */

enum { HEAD = 160 };

static void test_head_is_checked_on_opening(void **state)
{
    struct onward_ruleset *rs;
    struct file f;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = rules_load(w.ctx, rules);
    f = compile(rs);
    onward_ruleset_free(rs);
    for (size_t i = 0; i < 8 * HEAD; i++) {
        struct onward_ruleset_fault fault = {.size = sizeof(fault)};
        int want = i / 8 >= 4 && i / 8 < 8 ? ONWARD_EVERSION : ONWARD_ESYNTAX;

        f.data[i / 8] ^= (unsigned char)(1u << i % 8);
        rs = NULL;
        assert_int_equal(
            onward_ruleset_open_image(w.ctx, str(&f), NULL, &fault, &rs), want);
        assert_null(rs);
        assert_true(fault.text[0] != '\0');
        f.data[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    for (size_t len = 0; len < f.len; len++) {
        const struct onward_str cut = {(const char *)f.data, len};

        assert_int_equal(
            onward_ruleset_open_image(w.ctx, cut, NULL, NULL, &rs),
            ONWARD_ESYNTAX);
    }
    free(f.data);
    t_world_clear(&w);
}

/* Under ASan the copy ends where the file ends. */
static void test_any_flipped_octet_is_harmless_and_found(void **state)
{
    static const unsigned char flips[] = {0x01, 0x80, 0xff};
    struct onward_ruleset *rs;
    struct file f;
    struct t_world w;
    char got[8192];

    (void)state;
    t_world_init(&w);
    rs = rules_load(w.ctx, rules);
    f = compile(rs);
    onward_ruleset_free(rs);
    for (size_t i = HEAD; i < f.len; i++) {
        for (size_t k = 0; k < sizeof(flips); k++) {
            struct onward_ruleset_fault fault = {.size = sizeof(fault)};
            struct onward_ruleset *whole = NULL;
            struct file copy = {malloc(f.len), f.len, 0};

            assert_non_null(copy.data);
            memcpy(copy.data, f.data, f.len);
            copy.data[i] ^= flips[k];
            rs = open_file(w.ctx, &copy);
            answers(w.ctx, rs, got, sizeof(got));
            assert_int_equal(
                onward_ruleset_check_image(w.ctx, str(&copy), &fault),
                ONWARD_ESYNTAX);
            assert_true(strncmp(fault.text, "damaged ", 8) == 0);
            if (onward_ruleset_compact(rs, &whole) == 0)
                onward_ruleset_free(whole);
            onward_ruleset_free(rs);
            free(copy.data);
        }
    }
    free(f.data);
    t_world_clear(&w);
}

/* ---- Snapshots --------------------------------------------------------- */

#define B_ZONE "{\"name\":\"b.example\",\"rules\":["                           \
    LITERAL("", "new@b.example", FORWARD("\"v@ok.example\"")) ","              \
    LITERAL("", "new@sub.b.example", FORWARD("\"x@no.example\"")) "]}"

static struct onward_ruleset *with(struct onward_ruleset *rs, const char *zone)
{
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_ruleset *made = NULL;
    int ret = onward_ruleset_with_zone(rs, onward_str_of(zone), NULL, &fault,
                                       &made);

    if (ret != 0)
        print_error("%zu: %s: %s\n", fault.line, fault.path, fault.text);
    assert_int_equal(ret, 0);
    return made;
}

static void expect(struct onward_ctx *ctx, const struct onward_ruleset *rs,
                   const char *to, const char *want)
{
    char got[512];

    rules_decide(ctx, rs, to, NULL, got, sizeof(got));
    assert_string_equal(got, want);
}

static void test_a_zone_changes_and_the_old_rules_stay(void **state)
{
    static const char verified[] =
        "forward rule exact b.example/ v@ok.example";
    struct onward_ruleset *rs, *changed, *gone, *whole;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = rules_load(w.ctx, rules);
    changed = with(rs, B_ZONE);
    expect(w.ctx, rs, "u10@b.example", "handler rule exact b.example/ 0");
    expect(w.ctx, rs, "new@sub.b.example",
           "reject no-zone none / 550 5.7.1 Relaying denied");
    expect(w.ctx, changed, "new@b.example", verified);
    expect(w.ctx, changed, "new@sub.b.example",
           "reject not-verified exact b.example/ 550 5.2.1 Destination of this "
           "address is not verified");
    expect(w.ctx, changed, "u10@b.example",
           "reject no-address none b.example/ 550 5.1.1 No such address");
    assert_int_equal(onward_ruleset_zone_count(changed), 3);
    assert_int_equal(onward_ruleset_rule_count(changed), 8);
    assert_int_equal(onward_ruleset_without_zone(
                         changed, ONWARD_STR("b.example"), &gone),
                     0);
    expect(w.ctx, gone, "new@sub.b.example",
           "reject no-zone none / 550 5.7.1 Relaying denied");
    expect(w.ctx, changed, "new@b.example", verified);
    assert_int_equal(onward_ruleset_zone_count(gone), 2);
    onward_ruleset_free(rs);
    assert_int_equal(onward_ruleset_compact(changed, &whole), 0);
    onward_ruleset_free(changed);
    expect(w.ctx, whole, "new@b.example", verified);
    expect(w.ctx, whole, "you@a.example", "need-message not-known none a.example/");
    assert_int_equal(onward_ruleset_without_zone(gone, ONWARD_STR("b.example"),
                                                 &changed),
                     ONWARD_ENOENT);
    assert_int_equal(onward_ruleset_without_zone(
                         gone, ONWARD_STR("eu.a.example"), &changed),
                     ONWARD_ENOENT);
    onward_ruleset_free(gone);
    onward_ruleset_free(whole);
    t_world_clear(&w);
}

static void test_a_zone_cannot_take_the_domain_of_another(void **state)
{
    static const struct {
        const char *zone, *text;
    } cases[] = {
        {"{\"name\":\"eu.a.example\"}",
         "eu.a.example is taken by the zone a.example"},
        {"{\"name\":\"example\",\"rules\":[" LITERAL("", "x@b.example", DROP) "]}",
         "b.example is taken by the zone b.example"},
    };
    struct onward_ruleset *rs, *made = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    rs = rules_load(w.ctx, rules);
    for (size_t i = 0; i < 2; i++) {
        struct onward_ruleset_fault fault = {.size = sizeof(fault)};

        assert_int_equal(
            onward_ruleset_with_zone(rs, onward_str_of(cases[i].zone), NULL,
                                     &fault, &made),
            ONWARD_ESYNTAX);
        assert_string_equal(fault.text, cases[i].text);
        assert_null(made);
    }
    onward_ruleset_free(rs);
    t_world_clear(&w);
}

/* Against a plain model: which worker has zone i, or none. */
static void test_thousands_of_changes(void **state)
{
    enum { ZONES = 500, STEPS = 4000 };
    static int model[ZONES];
    struct onward_ruleset *rs, *next;
    struct t_world w;
    char text[256], to[64], want[64];
    size_t zones = 0;
    unsigned x = 1;

    (void)state;
    t_world_init(&w);
    rs = rules_load(w.ctx, "{\"version\":1}");
    for (int step = 1; step <= STEPS; step++) {
        int i = (int)((x = x * 1103515245u + 12345u) >> 16) % ZONES;
        int len = snprintf(to, sizeof(to), "z%d.example", i);

        if (x >> 30 == 0) {
            int ret = onward_ruleset_without_zone(
                rs, (struct onward_str){to, (size_t)len}, &next);

            assert_int_equal(ret, model[i] == 0 ? ONWARD_ENOENT : 0);
            zones -= model[i] != 0;
            model[i] = 0;
            if (ret != 0)
                continue;
        } else {
            snprintf(text, sizeof(text),
                     "{\"name\":\"z%d.example\",\"catch_all\":{\"matchers\":[{"
                     "\"type\":\"all\"}],\"actions\":[{\"type\":\"worker\","
                     "\"value\":[\"%d\"]}]}}",
                     i, step);
            next = with(rs, text);
            zones += model[i] == 0;
            model[i] = step;
        }
        onward_ruleset_free(rs);
        rs = next;
        if (step % 1500 == 0) {
            assert_int_equal(onward_ruleset_compact(rs, &next), 0);
            onward_ruleset_free(rs);
            rs = next;
        }
    }
    assert_int_equal(onward_ruleset_zone_count(rs), zones);
    for (int i = 0; i < ZONES; i++) {
        snprintf(to, sizeof(to), "x@z%d.example", i);
        snprintf(want, sizeof(want), "handler rule catch-all z%d.example/ %d",
                 i, model[i]);
        expect(w.ctx, rs, to,
               model[i] != 0
                   ? want
                   : "reject no-zone none / 550 5.7.1 Relaying denied");
    }
    onward_ruleset_free(rs);
    t_world_clear(&w);
}

static bool oom_scenario(struct t_world *w, void *arg)
{
    struct onward_ruleset *rs = NULL, *changed = NULL, *gone = NULL;
    struct onward_ruleset *whole = NULL;
    int ret =
        onward_ruleset_new(w->ctx, onward_str_of(rules), NULL, NULL, &rs);

    (void)arg;
    if (ret == 0)
        ret = onward_ruleset_with_zone(rs, onward_str_of(B_ZONE), NULL, NULL,
                                       &changed);
    if (ret == 0)
        ret = onward_ruleset_without_zone(changed, ONWARD_STR("a.example"),
                                          &gone);
    if (ret == 0)
        ret = onward_ruleset_compact(gone, &whole);
    onward_ruleset_free(rs);
    onward_ruleset_free(changed);
    onward_ruleset_free(gone);
    onward_ruleset_free(whole);
    if (ret == ONWARD_ENOMEM)
        return false;
    assert_int_equal(ret, 0);
    return true;
}

static void test_survives_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(oom_scenario, NULL);
}

/* ---- Threads ----------------------------------------------------------- */

/* As a host shares rules: the lock is for the pointer, not for the rules. */
static struct sharing {
    pthread_mutex_t lock;
    struct onward_ruleset *rules;
    struct onward_ctx *ctx;
    atomic_int is_over;
    atomic_int wrong;
} sharing = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *read_rules(void *user)
{
    struct onward_ruleset_router *router = NULL;
    struct onward_mailbox *to = NULL;

    (void)user;
    if (onward_ruleset_router_new(sharing.ctx, &router) != 0 ||
        onward_mailbox_parse(sharing.ctx, ONWARD_STR("x@z.example"), 0, &to) !=
            0)
        atomic_store(&sharing.wrong, 1);
    while (!atomic_load(&sharing.is_over) && !atomic_load(&sharing.wrong)) {
        struct onward_ruleset_decision d = {.size = sizeof(d)};
        struct onward_ruleset *rs;

        pthread_mutex_lock(&sharing.lock);
        rs = onward_ruleset_ref(sharing.rules);
        pthread_mutex_unlock(&sharing.lock);
        if (onward_ruleset_route(rs, router, to, NULL, NULL, &d) != 0 ||
            d.kind != ONWARD_RULESET_HANDLER || d.handler.len == 0)
            atomic_store(&sharing.wrong, 1);
        onward_ruleset_router_reset(router);
        onward_ruleset_free(rs);
    }
    onward_mailbox_free(to);
    onward_ruleset_router_free(router);
    return NULL;
}

/* The allocator of a test's world is for one thread. */
static void *plain_alloc(void *user, size_t bytes)
{
    (void)user;
    return malloc(bytes);
}

static void *plain_realloc(void *user, void *block, size_t bytes)
{
    (void)user;
    return realloc(block, bytes);
}

static void plain_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static int64_t no_time(void *user)
{
    (void)user;
    return 0;
}

static int no_chance(void *user, void *data, size_t len)
{
    (void)user;
    memset(data, 4, len);
    return 0;
}

static void test_readers_go_on_while_zones_change(void **state)
{
    const struct onward_allocator allocator = {.size = sizeof(allocator),
                                               .alloc = plain_alloc,
                                               .realloc = plain_realloc,
                                               .free = plain_free};
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = no_time};
    const struct onward_random random = {.size = sizeof(random),
                                         .fill = no_chance};
    const struct onward_ctx_opts opts = {.size = sizeof(opts),
                                         .allocator = &allocator,
                                         .clock = &clock,
                                         .random = &random};
    pthread_t readers[3];
    char text[256];

    (void)state;
    assert_int_equal(onward_ctx_new(&opts, &sharing.ctx), 0);
    sharing.rules = rules_load(
        sharing.ctx, "{\"version\":1,\"zones\":[{\"name\":\"z.example\","
                     "\"catch_all\":" ALL("", WORKER("0")) "}]}");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            pthread_create(&readers[i], NULL, read_rules, NULL), 0);
    for (int step = 1; step <= 2000; step++) {
        struct onward_ruleset *old = sharing.rules;
        struct onward_ruleset *next;

        snprintf(text, sizeof(text),
                 "{\"name\":\"%s.example\",\"catch_all\":{\"matchers\":[{"
                 "\"type\":\"all\"}],\"actions\":[{\"type\":\"worker\","
                 "\"value\":[\"%d\"]}]}}",
                 step % 2 == 0 ? "z" : "other", step);
        next = with(old, text);
        pthread_mutex_lock(&sharing.lock);
        sharing.rules = next;
        pthread_mutex_unlock(&sharing.lock);
        onward_ruleset_free(old);
    }
    atomic_store(&sharing.is_over, 1);
    for (size_t i = 0; i < 3; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&sharing.wrong), 0);
    onward_ruleset_free(sharing.rules);
    onward_ctx_free(sharing.ctx);
}

/* ---- Differences ------------------------------------------------------- */

static int collect(void *user, const struct onward_ruleset_difference *d)
{
    static const char *const changes[] = {"?", "added", "updated", "deleted",
                                          "conflict"};
    char *out = user;
    size_t len = strlen(out);

    snprintf(out + len, 2048 - len, "%s %.*s %.*s %.*s\n", changes[d->change],
             (int)d->what.len, d->what.data, (int)d->zone.len,
             d->zone.data == NULL ? "" : d->zone.data, (int)d->address.len,
             d->address.data == NULL ? "" : d->address.data);
    return 0;
}

#define ONE(rules) "{\"version\":1,\"zones\":[{\"name\":\"a.example\"," rules "}]}"
#define MINE "\"source\":\"wrangler\",\"owner_worker_tag\":\"mine\","

static void test_row_16_differences(void **state)
{
    static const struct {
        const char *before, *after, *want;
    } cases[] = {
        {ONE("\"rules\":[" LITERAL("", "x@a.example", DROP) "]"),
         ONE("\"rules\":[" LITERAL("", "x@A.example", DROP) "]"), ""},
        {ONE("\"rules\":[]"), ONE("\"rules\":[" LITERAL("", "x@a.example", DROP)
                                  "]"), "added rule a.example x@a.example\n"},
        {ONE("\"rules\":[" LITERAL("", "x@a.example", DROP) "]"),
         ONE("\"rules\":[" LITERAL("", "x@a.example", WORKER("w")) "]"),
         "updated rule a.example x@a.example\n"},
        {ONE("\"rules\":[" LITERAL("", "x@a.example", DROP) "]"),
         ONE("\"rules\":[" LITERAL("\"enabled\":false,", "x@a.example", DROP)
             "]"), "updated rule a.example x@a.example\n"},
        {ONE("\"rules\":[" LITERAL("", "x@a.example", DROP) ","
             LITERAL("", "y@a.example", DROP) "]"),
         ONE("\"rules\":[" LITERAL("", "y@a.example", DROP) "]"),
         "deleted rule a.example x@a.example\n"},
        {ONE("\"rules\":[" LITERAL("\"source\":\"api\",", "x@a.example", DROP)
             "]"),
         ONE("\"rules\":[" LITERAL(MINE, "x@a.example", WORKER("w")) "]"),
         "conflict rule a.example x@a.example\n"},
        {ONE("\"rules\":[" LITERAL(MINE, "x@a.example", DROP) "]"),
         ONE("\"rules\":[" LITERAL(MINE, "x@a.example", WORKER("w")) "]"),
         "updated rule a.example x@a.example\n"},
        {ONE("\"catch_all\":" ALL("", DROP)),
         ONE("\"settings\":{\"fold_local\":true},\"catch_all\":"
             ALL("", WORKER("w"))),
         "updated settings a.example \nupdated rule a.example *@a.example\n"},
        {"{\"version\":1,\"zones\":[{\"name\":\"old.example\"}],\"addresses\":"
         "[{\"email\":\"a@x.example\"},{\"email\":\"b@x.example\"}]}",
         "{\"version\":1,\"zones\":[{\"name\":\"new.example\"}],\"addresses\":"
         "[{\"email\":\"b@x.example\",\"verified\":true},{\"email\":"
         "\"c@x.example\"}]}",
         "deleted zone old.example \nadded zone new.example \n"
         "deleted address  a@x.example\nupdated address  b@x.example\n"
         "added address  c@x.example\n"},
        {rules, rules, ""},
    };
    char got[2048];
    const struct onward_ruleset_differences to = {
        .size = sizeof(to), .user = got, .difference = collect};
    struct t_world w;

    (void)state;
    t_world_init(&w);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct onward_ruleset *before = rules_load(w.ctx, cases[i].before);
        struct onward_ruleset *after = rules_load(w.ctx, cases[i].after);

        got[0] = '\0';
        assert_int_equal(onward_ruleset_diff(before, after, &to), 0);
        assert_string_equal(got, cases[i].want);
        onward_ruleset_free(before);
        onward_ruleset_free(after);
    }
    t_world_clear(&w);
}

static int give_up(void *user, const struct onward_ruleset_difference *d)
{
    (void)user;
    (void)d;
    return -1;
}

static void test_differences_can_be_given_up(void **state)
{
    const struct onward_ruleset_differences to = {.size = sizeof(to),
                                                  .difference = give_up};
    const struct onward_ruleset_differences none = {.size = sizeof(none)};
    struct onward_ruleset *before, *after;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    before = rules_load(w.ctx, "{\"version\":1}");
    after = rules_load(w.ctx, rules);
    assert_int_equal(onward_ruleset_diff(before, after, &to),
                     ONWARD_ECALLBACK);
    assert_int_equal(onward_ruleset_diff(before, after, &none), ONWARD_EINVAL);
    onward_ruleset_free(before);
    onward_ruleset_free(after);
    t_world_clear(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image_answers_as_the_text_does),
        cmocka_unit_test(test_image_is_released_once_by_its_last_owner),
        cmocka_unit_test(test_sink_that_gives_up),
        cmocka_unit_test(test_head_is_checked_on_opening),
        cmocka_unit_test(test_any_flipped_octet_is_harmless_and_found),
        cmocka_unit_test(test_a_zone_changes_and_the_old_rules_stay),
        cmocka_unit_test(test_a_zone_cannot_take_the_domain_of_another),
        cmocka_unit_test(test_thousands_of_changes),
        cmocka_unit_test(test_survives_no_memory),
        cmocka_unit_test(test_readers_go_on_while_zones_change),
        cmocka_unit_test(test_row_16_differences),
        cmocka_unit_test(test_differences_can_be_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
