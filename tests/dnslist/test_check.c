/*
 * Lists of addresses (RFC 5782): the names that are asked for, the answers that
 * count, and what becomes of a client whatever the lists do.
 */
#include <onward/dnslist.h>

#include "support/support.h"

/* ---- Names and lists --------------------------------------------------- */

static const struct name_row {
    const char *name, *ip, *zone, *want; /* want NULL: refused */
} name_rows[] = {
    {"RFC 5782 section 2.1", "192.0.2.99", "bad.example.com",
     "99.2.0.192.bad.example.com"},
    {"RFC 5782 section 2.4", "2001:db8:1:2:3:4:567:89ab", "ugly.example.com",
     "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2."
     "ugly.example.com"},
    {"three digits", "100.255.10.0", "l.example", "0.10.255.100.l.example"},
    {"IPv4-mapped", "::ffff:192.0.2.99", "l.example", "99.2.0.192.l.example"},
    {"no zone", "192.0.2.99", "", NULL},
};

static void test_name(void **state)
{
    const struct name_row *row = *state;
    struct onward_ip ip;
    char name[254] = "untouched";
    int ret;

    assert_int_equal(onward_ip_parse(onward_str_of(row->ip), &ip), 0);
    ret =
        onward_dnslist_name(&ip, onward_str_of(row->zone), name, sizeof(name));
    if (row->want == NULL) {
        assert_int_equal(ret, ONWARD_ELIMIT);
        assert_string_equal(name, "untouched");
        return;
    }
    assert_string_equal(name, row->want);
    assert_int_equal(ret, (int)strlen(row->want));
    assert_int_equal(
        onward_dnslist_name(&ip, onward_str_of(row->zone), name, (size_t)ret),
        ONWARD_ELIMIT);
    assert_int_equal(onward_dnslist_name(&ip, onward_str_of(row->zone), name,
                                         (size_t)ret + 1),
                     ret);
}

static void test_name_limits(void **state)
{
    struct onward_ip ip = {.family = 5};
    char zone[260], name[400];

    (void)state;
    memset(zone, 'a', sizeof(zone));
    assert_int_equal(
        onward_dnslist_name(&ip, ONWARD_STR("l.example"), name, sizeof(name)),
        ONWARD_EINVAL);
    ip.family = 6;
    assert_int_equal(onward_dnslist_name(&ip, (struct onward_str){zone, 189},
                                         name, sizeof(name)),
                     253);
    assert_int_equal(onward_dnslist_name(&ip, (struct onward_str){zone, 190},
                                         name, sizeof(name)),
                     ONWARD_ELIMIT);
    assert_int_equal(onward_dnslist_name(&ip,
                                         (struct onward_str){zone, SIZE_MAX},
                                         name, sizeof(name)),
                     ONWARD_ELIMIT);
}

/* As postconf(5) has them under reject_rbl_client. */
static const struct list_row {
    const char *list;
    int want;
} list_rows[] = {
    {"bl.example", 1},
    {"bl.example.", 1},
    {"BL_1.example", 1},
    {"bl.example=127.0.0.2", 1},
    {"bl.example=127.0.0.[2;4;6..8]", 1},
    {"bl.example=127.0.[0..255].[1..3]", 1},
    {"bl.example=[127].0.0.0", 1},
    {"", 0},
    {".", 0},
    {"bl example", 0},
    {"b\303\274.example", 0},
    {"bl..example", 0},
    {"bl.example=", 0},
    {"bl.example=127.0.0", 0},
    {"bl.example=127.0.0.2.3", 0},
    {"bl.example=127.0.0.256", 0},
    {"bl.example=127.0.0.99999999999999999999", 0},
    {"bl.example=127.0.0.-1", 0},
    {"bl.example=127.0.0.2 ", 0},
    {"bl.example=127.0.0.[]", 0},
    {"bl.example=127.0.0.[2", 0},
    {"bl.example=127.0.0.[2;]", 0},
    {"bl.example=127.0.0.[4..2]", 0},
    {"bl.example=127.0.0.[2...4]", 0},
    {"bl.example=127.0.0.2..4", 0},
    {"bl.example=127.0.0.2=127.0.0.3", 0},
};

static void test_list(void **state)
{
    const struct list_row *row = *state;

    assert_int_equal(onward_dnslist_is_list(onward_str_of(row->list)),
                     row->want);
}

/* ---- Verdicts ---------------------------------------------------------- */

#define AT(zone) "99.2.0.192." zone

static const struct row {
    const char *name, *zone;
    const char *lists; /* blanks between; "+" before an allow list */
    /* verdict, then ZONE=CODE for each hit */
    const char *want;
    const char *text; /* NULL: "" */
} rows[] = {
    {.name = "not listed", .lists = "bl.example", .want = "none"},
    {.name = "no list at all", .lists = "", .want = "none"},
    {.name = "row 59: listed, with the list's name",
     .zone = AT("bl.example") " A 127.0.0.2\n",
     .lists = "bl.example",
     .want = "blocked bl.example=127.0.0.2",
     .text = "192.0.2.99 found on one or more DNSBLs (bl.example)"},
    {.name = "listed, with a reason",
     .zone = AT("bl.example") " A 127.0.0.2\n" AT(
         "bl.example") " TXT \"Dynamic address, see https://bl.example\"\n",
     .lists = "bl.example",
     .want = "blocked bl.example=127.0.0.2",
     .text = "192.0.2.99 found on one or more DNSBLs (bl.example): Dynamic "
             "address, see https://bl.example"},
    {.name = "a reason is one line of printable ASCII",
     .zone = AT("bl.example") " A 127.0.0.2\n" AT(
         "bl.example") " TXT \"\\013\\010250 ok \\009 b\\195\\188d\\127\"\n",
     .lists = "bl.example",
     .want = "blocked bl.example=127.0.0.2",
     .text = "192.0.2.99 found on one or more DNSBLs (bl.example): 250 ok "
             "b??d?"},
    {.name = "two of three, and the first reason there is",
     .zone = AT("a.example") " A 127.0.0.4\n" AT(
         "c.example") " A 127.0.0.2\n" AT("c.example") " TXT \"spam\"\n",
     .lists = "a.example b.example c.example",
     .want = "blocked a.example=127.0.0.4 c.example=127.0.0.2",
     .text = "192.0.2.99 found on one or more DNSBLs (a.example, c.example): "
             "spam"},
    {.name = "an allow list wins",
     .zone =
         AT("bl.example") " A 127.0.0.2\n" AT("wl.example") " A 127.0.3.1\n",
     .lists = "bl.example +wl.example",
     .want = "allowed bl.example=127.0.0.2 wl.example=127.0.3.1"},
    {.name = "an allow list alone",
     .zone = AT("wl.example") " A 127.0.3.1\n",
     .lists = "+wl.example",
     .want = "allowed wl.example=127.0.3.1"},
    {.name = "an allow list that does not want to be asked",
     .zone =
         AT("bl.example") " A 127.0.0.2\n" AT("wl.example") " A 127.0.0.255\n",
     .lists = "bl.example +wl.example",
     .want = "blocked bl.example=127.0.0.2",
     .text = "192.0.2.99 found on one or more DNSBLs (bl.example)"},
    {.name = "a code that is asked for",
     .zone = AT("bl.example") " A 127.0.0.10\n",
     .lists = "bl.example=127.0.0.[2;4..9]",
     .want = "none"},
    {.name = "one of several codes",
     .zone =
         AT("bl.example") " A 127.0.0.10\n" AT("bl.example") " A 127.0.0.4\n",
     .lists = "bl.example=127.0.0.[2;4..9]",
     .want = "blocked bl.example=127.0.0.4",
     .text = "192.0.2.99 found on one or more DNSBLs (bl.example)"},
    {.name = "a domain that was given up answers everything",
     .zone = "*.bl.example A 203.0.113.7\n",
     .lists = "bl.example",
     .want = "none"},
    {.name = "the same, though the code says so",
     .zone = "*.bl.example A 203.0.113.7\n",
     .lists = "bl.example=203.0.113.7",
     .want = "none"},
    {.name = "a list that does not want to be asked",
     .zone = AT("bl.example") " A 127.255.255.254\n",
     .lists = "bl.example bl.example=127.[0..255].[0..255].[0..255]",
     .want = "none"},
    {.name = "a failure blocks nobody",
     .zone = AT("bl.example") " A !SERVFAIL\n",
     .lists = "bl.example",
     .want = "none"},
    {.name = "nor does a forged answer",
     .zone = AT("bl.example") " A 127.0.0.2\n" AT("bl.example") " A !BOGUS\n",
     .lists = "bl.example",
     .want = "none"},
    {.name = "a failure hides no other list",
     .zone = AT("a.example") " A !TIMEOUT\n" AT("b.example") " A 127.0.0.2\n",
     .lists = "a.example b.example",
     .want = "blocked b.example=127.0.0.2",
     .text = "192.0.2.99 found on one or more DNSBLs (b.example)"},
    {.name = "no reason for lack of an answer",
     .zone =
         AT("bl.example") " A 127.0.0.2\n" AT("bl.example") " TXT !SERVFAIL\n",
     .lists = "bl.example",
     .want = "blocked bl.example=127.0.0.2",
     .text = "192.0.2.99 found on one or more DNSBLs (bl.example)"},
};

struct fixture {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_dnslist *dnslist;
    size_t done_count;
    bool free_in_done;
    char text[1000];
};

static void note(void *user, struct onward_dnslist *dnslist)
{
    struct fixture *f = user;

    f->done_count++;
    if (f->free_in_done) {
        onward_dnslist_free(dnslist);
        f->dnslist = NULL;
    }
}

static int look(struct fixture *f, size_t timeout_ms)
{
    struct onward_ip ip;
    struct onward_dnslist_opts o = {
        .size = sizeof(o), .ip = &ip, .timeout_ms = timeout_ms};
    struct onward_dnslist_host host = {
        .size = sizeof(host), .user = f, .done = note};

    onward_ip_parse(ONWARD_STR("192.0.2.99"), &ip);
    return onward_dnslist_new(f->resolver, &o, &host, &f->dnslist);
}

static int add_lists(struct fixture *f, const char *lists)
{
    int err = 0;

    while (*lists != '\0' && err == 0) {
        size_t len = strcspn(lists, " ");
        bool is_allow = *lists == '+';

        err = onward_dnslist_add(
            f->dnslist, is_allow ? ONWARD_DNSLIST_ALLOW : ONWARD_DNSLIST_BLOCK,
            (struct onward_str){lists + is_allow, len - is_allow});
        lists += len + (lists[len] == ' ');
    }
    return err;
}

static void run(struct fixture *f, int64_t now_ms)
{
    while (onward_desk_run(f->desk, now_ms) == 1)
        continue;
}

static void begin(struct fixture *f, const struct onward_resolver_opts *opts,
                  const struct onward_resolver_host *host)
{
    t_world_init(&f->w);
    assert_int_equal(onward_desk_new(f->w.ctx, NULL, &f->desk), 0);
    assert_int_equal(onward_resolver_new(f->desk, opts, host, &f->resolver), 0);
}

static void finish(struct fixture *f)
{
    onward_dnslist_free(f->dnslist);
    onward_resolver_free(f->resolver);
    onward_desk_free(f->desk);
    t_world_clear(&f->w);
}

static const char *tell(struct fixture *f)
{
    int len = snprintf(
        f->text, sizeof(f->text), "%s",
        onward_dnslist_verdict_name(onward_dnslist_result(f->dnslist)));

    for (size_t i = 0; i < onward_dnslist_hit_count(f->dnslist); i++) {
        struct onward_dnslist_hit h = {.size = sizeof(h)};

        assert_int_equal(onward_dnslist_hit_at(f->dnslist, i, &h), 0);
        len += snprintf(f->text + len, sizeof(f->text) - (size_t)len,
                        " %.*s=%d.%d.%d.%d", (int)h.zone.len, h.zone.data,
                        h.code[0], h.code[1], h.code[2], h.code[3]);
    }
    return f->text;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    const struct onward_resolver_opts opts = {.size = sizeof(opts),
                                              .allow_only_loaded = 1};
    struct fixture f = {0};

    begin(&f, &opts, NULL);
    if (row->zone != NULL)
        assert_int_equal(
            onward_resolver_load(f.resolver, onward_str_of(row->zone), NULL),
            0);
    assert_int_equal(look(&f, 0), 0);
    assert_int_equal(add_lists(&f, row->lists), 0);
    assert_int_equal(onward_dnslist_result(f.dnslist), ONWARD_DNSLIST_PENDING);
    run(&f, 0);
    assert_int_equal(f.done_count, 1);
    assert_string_equal(tell(&f), row->want);
    t_assert_str(onward_dnslist_text(f.dnslist),
                 row->text == NULL ? "" : row->text);
    finish(&f);
}

/* ---- A host that answers when it likes --------------------------------- */

enum { QUESTIONS_MAX = 8 };

struct asked {
    struct fixture f;
    uint64_t tokens[QUESTIONS_MAX];
    char names[QUESTIONS_MAX][80];
    uint32_t types[QUESTIONS_MAX];
    size_t count, cancelled;
    bool free_in_cancel;
};

static int query(void *user, uint64_t token, const char *name, size_t len,
                 uint32_t type)
{
    struct asked *a = user;

    assert_true(a->count < QUESTIONS_MAX && len < sizeof(a->names[0]));
    a->tokens[a->count] = token;
    a->types[a->count] = type;
    snprintf(a->names[a->count++], sizeof(a->names[0]), "%.*s", (int)len, name);
    return 0;
}

static void cancel(void *user, uint64_t token)
{
    struct asked *a = user;

    (void)token;
    a->cancelled++;
    if (a->free_in_cancel) {
        onward_dnslist_free(a->f.dnslist);
        a->f.dnslist = NULL;
    }
}

static void begin_asked(struct asked *a, const char *lists, size_t timeout_ms)
{
    const struct onward_resolver_host host = {
        .size = sizeof(host), .user = a, .query = query, .cancel = cancel};

    begin(&a->f, NULL, &host);
    assert_int_equal(look(&a->f, timeout_ms), 0);
    assert_int_equal(add_lists(&a->f, lists), 0);
    run(&a->f, 1000);
}

static void reply(struct asked *a, size_t i, const char *rdata)
{
    char line[200];

    snprintf(line, sizeof(line), "%s. 60 IN %s\n", a->names[i], rdata);
    assert_int_equal(
        onward_dns_answer_text(a->f.desk, a->tokens[i], onward_str_of(line), 0),
        0);
    run(&a->f, 1001);
}

static void in_order(void *arg, const size_t *order, size_t n)
{
    static const char *const answers[] = {"A 127.0.0.2", "A 127.0.0.3",
                                          "A 127.0.3.1", "A 192.0.2.1"};
    struct asked a = {.count = 0};

    (void)arg;
    begin_asked(&a, "a.example b.example +w.example c.example", 0);
    assert_int_equal(a.count, 4);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a.f.done_count, 0);
        reply(&a, order[i], answers[order[i]]);
    }
    assert_int_equal(a.f.done_count, 1);
    assert_string_equal(tell(&a.f),
                        "allowed a.example=127.0.0.2 b.example=127.0.0.3 "
                        "w.example=127.0.3.1");
    finish(&a.f);
}

static void test_any_order(void **state)
{
    (void)state;
    t_every_order(4, in_order, NULL);
}

static void test_late_list(void **state)
{
    struct asked a = {.count = 0};

    (void)state;
    begin_asked(&a, "a.example b.example", 500);
    reply(&a, 1, "A 127.0.0.2");
    assert_int_equal(a.f.done_count, 0);
    run(&a.f, 1499);
    assert_int_equal(a.f.done_count, 0);
    run(&a.f, 1500);
    assert_int_equal(a.f.done_count, 1);
    assert_int_equal(a.cancelled, 1);
    assert_string_equal(tell(&a.f), "blocked b.example=127.0.0.2");
    assert_int_equal(
        onward_dns_answer_text(a.f.desk, a.tokens[0], ONWARD_STR(""), 0),
        ONWARD_ESTALE);
    finish(&a.f);
}

static void test_late_reason(void **state)
{
    struct asked a = {.count = 0};

    (void)state;
    begin_asked(&a, "a.example", 500);
    reply(&a, 0, "A 127.0.0.2");
    assert_int_equal(a.count, 2);
    assert_int_equal(a.types[1], ONWARD_DNS_TXT);
    run(&a.f, 1500);
    assert_int_equal(a.f.done_count, 1);
    t_assert_str(onward_dnslist_text(a.f.dnslist),
                 "192.0.2.99 found on one or more DNSBLs (a.example)");
    finish(&a.f);
}

static void test_free_inside(void **state)
{
    struct asked a = {.count = 0};

    (void)state;
    a.f.free_in_done = true;
    begin_asked(&a, "a.example", 500);
    reply(&a, 0, "A 203.0.113.1");
    assert_int_equal(a.f.done_count, 1);
    finish(&a.f);

    a = (struct asked){.free_in_cancel = true};
    begin_asked(&a, "a.example b.example", 500);
    run(&a.f, 1500);
    assert_int_equal(a.f.done_count, 0);
    finish(&a.f);

    a = (struct asked){.count = 0};
    begin_asked(&a, "a.example", 500);
    onward_dnslist_free(a.f.dnslist);
    a.f.dnslist = NULL;
    run(&a.f, 2000);
    assert_int_equal(a.f.done_count, 0);
    finish(&a.f);
}

static void test_objects_go_in_any_order(void **state)
{
    struct asked a = {.count = 0};

    (void)state;
    begin_asked(&a, "a.example", 500);
    onward_desk_free(a.f.desk);
    onward_resolver_free(a.f.resolver);
    onward_dnslist_free(a.f.dnslist);
    t_world_clear(&a.f.w);
}

/* ---- Errors ------------------------------------------------------------ */

static void test_errors(void **state)
{
    struct onward_ip ip = {.family = 4};
    struct onward_dnslist_opts o = {
        .size = sizeof(o), .ip = &ip, .max_lists = 2};
    struct onward_dnslist_host host = {.size = sizeof(host), .done = note};
    struct {
        struct onward_dnslist_opts o;
        uint64_t more;
    } wide; /* of a caller that knows more than we */
    struct onward_dnslist_hit hit = {.size = 1};
    struct fixture f = {0};

    (void)state;
    host.user = &f;
    begin(&f, NULL, NULL);
    host.done = NULL;
    assert_int_equal(onward_dnslist_new(f.resolver, &o, &host, &f.dnslist),
                     ONWARD_EINVAL);
    host.done = note;
    ip.family = 0;
    assert_int_equal(onward_dnslist_new(f.resolver, &o, &host, &f.dnslist),
                     ONWARD_EINVAL);
    o.ip = NULL;
    assert_int_equal(onward_dnslist_new(f.resolver, &o, &host, &f.dnslist),
                     ONWARD_EINVAL);
    o.ip = &ip;
    ip.family = 4;
    wide.o = o;
    wide.more = 1;
    wide.o.size = sizeof(wide);
    assert_int_equal(onward_dnslist_new(f.resolver, &wide.o, &host, &f.dnslist),
                     ONWARD_EVERSION);
    assert_int_equal(onward_dnslist_new(f.resolver, &o, &host, &f.dnslist), 0);
    assert_int_equal(onward_dnslist_add(f.dnslist, 3, ONWARD_STR("a.example")),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dnslist_add(f.dnslist, 1, ONWARD_STR("a b")),
                     ONWARD_ESYNTAX);
    assert_int_equal(onward_dnslist_add(f.dnslist, 1, ONWARD_STR("a.example")),
                     0);
    assert_int_equal(onward_dnslist_add(f.dnslist, 1, ONWARD_STR("b.example")),
                     0);
    assert_int_equal(onward_dnslist_add(f.dnslist, 1, ONWARD_STR("c.example")),
                     ONWARD_ELIMIT);
    run(&f, 0);
    assert_int_equal(onward_dnslist_add(f.dnslist, 1, ONWARD_STR("c.example")),
                     ONWARD_ESTATE);
    assert_int_equal(onward_dnslist_hit_at(f.dnslist, 0, &hit), ONWARD_ENOENT);
    assert_int_equal(onward_dnslist_hit_count(f.dnslist), 0);
    onward_dnslist_free(NULL);
    onward_dnslist_free(f.dnslist);
    onward_desk_free(f.desk);
    assert_int_equal(onward_dnslist_new(f.resolver, &o, &host, &f.dnslist),
                     ONWARD_ESTATE);
    onward_resolver_free(f.resolver);
    t_world_clear(&f.w);
}

static void test_texts_have_an_end(void **state)
{
    const struct onward_resolver_opts opts = {.size = sizeof(opts),
                                              .allow_only_loaded = 1};
    struct fixture f = {0};
    char zone[8192] = "", lists[2048] = "";

    (void)state;
    begin(&f, &opts, NULL);
    for (int i = 0; i < 20; i++) {
        snprintf(zone + strlen(zone), 400,
                 "99.2.0.192.%c%039d.example A 127.0.0.2\n"
                 "99.2.0.192.%c%039d.example TXT \"%0210d\"\n",
                 'a' + i, 0, 'a' + i, 0, 7);
        snprintf(lists + strlen(lists), 60, "%s%c%039d.example",
                 i == 0 ? "" : " ", 'a' + i, 0);
    }
    assert_int_equal(
        onward_resolver_load(f.resolver, onward_str_of(zone), NULL), 0);
    assert_int_equal(look(&f, 0), 0);
    assert_int_equal(add_lists(&f, lists), 0);
    run(&f, 0);
    assert_int_equal(onward_dnslist_hit_count(f.dnslist), 20);
    assert_in_range(onward_dnslist_text(f.dnslist).len, 400, 500);
    assert_non_null(strstr(onward_dnslist_text(f.dnslist).data, ", ...): 0"));
    finish(&f);
}

/* ---- Out of memory ----------------------------------------------------- */

static bool scenario(struct t_world *w, void *arg)
{
    const struct onward_resolver_opts opts = {.size = sizeof(opts),
                                              .allow_only_loaded = 1};
    struct fixture f = {.w = *w};
    bool got_through = false;
    int verdict;

    (void)arg;
    if (onward_desk_new(w->ctx, NULL, &f.desk) == 0 &&
        onward_resolver_new(f.desk, &opts, NULL, &f.resolver) == 0 &&
        onward_resolver_load(f.resolver,
                             ONWARD_STR(AT("a.example") " A 127.0.0.2\n" AT(
                                 "a.example") " TXT \"why\"\n"),
                             NULL) == 0 &&
        look(&f, 0) == 0 && add_lists(&f, "a.example b.example") == 0) {
        run(&f, 0);
        verdict = onward_dnslist_result(f.dnslist);
        /* A wrong word is never said, and never none. */
        assert_int_equal(f.done_count, 1);
        assert_true(verdict == ONWARD_DNSLIST_NONE ||
                    onward_dnslist_text(f.dnslist).len > 0);
        got_through = onward_dnslist_text(f.dnslist).len ==
                      strlen("192.0.2.99 found on one or more DNSBLs "
                             "(a.example): why");
    }
    onward_dnslist_free(f.dnslist);
    onward_resolver_free(f.resolver);
    onward_desk_free(f.desk);
    return got_through;
}

static void test_oom(void **state)
{
    (void)state;
    t_oom_sweep(scenario, NULL);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void)
{
    static struct CMUnitTest tests[100];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(name_rows); i++)
        tests[n++] = (struct CMUnitTest){.name = name_rows[i].name,
                                         .test_func = test_name,
                                         .initial_state =
                                             (void *)(uintptr_t)&name_rows[i]};
    for (size_t i = 0; i < COUNT(list_rows); i++)
        tests[n++] = (struct CMUnitTest){.name = list_rows[i].list,
                                         .test_func = test_list,
                                         .initial_state =
                                             (void *)(uintptr_t)&list_rows[i]};
    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_name_limits);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_any_order);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_late_list);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_late_reason);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_free_inside);
    tests[n++] =
        (struct CMUnitTest)cmocka_unit_test(test_objects_go_in_any_order);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_errors);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_texts_have_an_end);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_oom);
    return _cmocka_run_group_tests("dnslist_check", tests, n, NULL, NULL);
}
