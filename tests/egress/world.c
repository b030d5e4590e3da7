#include "world.h"

const char *const t_egress_levels[] = {"default",   "none",     "opportunistic",
                                       "encrypted", "verified", "dane"};

static void put(char *text, size_t cap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void put(char *text, size_t cap, const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;
    int made;

    va_start(args, format);
    made = vsnprintf(text + len, cap - len, format, args);
    va_end(args);
    assert_true(made >= 0 && (size_t)made < cap - len);
}

/* ---- The host ---------------------------------------------------------- */

static void called(struct t_egress *x)
{
    if (++x->calls == x->free_at) {
        onward_egress_free(x->plan);
        x->plan = NULL;
    }
}

static void on_done(void *user, struct onward_egress *plan)
{
    struct t_egress *x = user;

    (void)plan;
    x->done_count++;
    called(x);
}

/* Addresses for documentation are public here. */
static int on_allow(void *user, const struct onward_ip *ip)
{
    called(user);
    return (ip->family == 4 && ip->octets[0] == 192) ||
           (ip->family == 6 && ip->octets[0] == 0x20);
}

static int on_level(void *user, const char *host, size_t len)
{
    struct t_egress *x = user;
    int level = 0;

    if (len > 3 && host[0] == 'm' && host[1] == 'x')
        level = host[2] == '1' ? x->levels[0] : x->levels[1];
    /* Last: with the plan its names are gone. */
    called(x);
    return level;
}

static void on_result(void *user, const char *domain, size_t len,
                      const struct onward_tlsrpt_session *s)
{
    struct t_egress *x = user;

    assert_int_equal(s->size, sizeof(*s));
    assert_true(s->count <= 1);
    put(x->results, sizeof(x->results), "%.*s %s %.*s %.*s %s%s%.*s%s%.*s%s; ",
        (int)len, domain, onward_tlsrpt_type_name((int)s->type),
        (int)s->receiving_mx.len, s->receiving_mx.data,
        (int)s->receiving_ip.len, s->receiving_ip.data,
        s->result_type.len == 0 ? "ok" : "", s->result_type.len == 0 ? "" : "",
        (int)s->result_type.len, s->result_type.data,
        s->reason_code.len == 0 ? "" : " ", (int)s->reason_code.len,
        s->reason_code.data, s->is_further != 0 ? " further" : "");
    called(x);
}

/* ---- The policy host --------------------------------------------------- */

static int on_connect(void *user, uint64_t token,
                      const struct onward_mtasts_request *request)
{
    struct t_egress *x = user;
    const struct onward_mtasts_reply reply = {
        .size = sizeof(reply),
        .status = 200,
        .content_type = ONWARD_STR("text/plain"),
        .body = onward_str_of(x->policy == NULL ? "" : x->policy)};

    (void)request;
    if (x->is_slow)
        return 0;
    if (x->policy == NULL)
        return -1;
    return onward_mtasts_answer_reply(x->desk, token, &reply);
}

static int allow_all(void *user, const struct onward_ip *ip)
{
    (void)user, (void)ip;
    return 1;
}

/* ---- Life -------------------------------------------------------------- */

static bool open_dns(struct t_egress *x, const char *zone)
{
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = zone != NULL};
    const struct onward_mtasts_host mh = {.size = sizeof(mh),
                                          .user = x,
                                          .connect = on_connect,
                                          .allow_address = allow_all};
    struct onward_mtasts_opts mo = {.size = sizeof(mo), .store = x->store};

    if (onward_resolver_new(x->desk, &ro, NULL, &x->resolver) != 0 ||
        (zone != NULL &&
         onward_resolver_load(x->resolver, onward_str_of(zone), NULL) != 0))
        return false;
    mo.resolver = x->resolver;
    return onward_mtasts_new(&mo, &mh, &x->mtasts) == 0;
}

bool t_egress_try(struct t_egress *x, const char *zone)
{
    if (onward_desk_new(x->w.ctx, NULL, &x->desk) != 0 ||
        onward_memstore_new(x->w.ctx, NULL, &x->mem) != 0 ||
        onward_memstore_open(x->mem, x->desk, NULL, &x->store) != 0 ||
        !open_dns(x, zone))
        return false;
    x->opts.size = sizeof(x->opts);
    x->opts.mtasts = x->mtasts;
    x->host = (struct onward_egress_host){.size = sizeof(x->host),
                                          .user = x,
                                          .done = on_done,
                                          .allow_address = on_allow,
                                          .tls_level = on_level,
                                          .tls_result = on_result};
    return true;
}

void t_egress_init(struct t_egress *x, const char *zone)
{
    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    assert_true(t_egress_try(x, zone));
}

void t_egress_end(struct t_egress *x)
{
    onward_egress_free(x->plan);
    onward_mtasts_free(x->mtasts);
    onward_store_free(x->store);
    onward_memstore_free(x->mem);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
}

void t_egress_clear(struct t_egress *x)
{
    t_egress_end(x);
    t_world_clear(&x->w);
}

void t_egress_rezone(struct t_egress *x, const char *zone)
{
    onward_egress_free(x->plan);
    x->plan = NULL;
    onward_mtasts_free(x->mtasts);
    onward_resolver_free(x->resolver);
    assert_true(open_dns(x, zone));
    x->opts.mtasts = x->mtasts;
}

void t_egress_run(struct t_egress *x)
{
    while (onward_desk_run(x->desk, 1000) == 1)
        continue;
}

void t_egress_new(struct t_egress *x, const char *domain)
{
    x->opts.domain = onward_str_of(domain);
    assert_int_equal(
        onward_egress_new(x->resolver, &x->opts, &x->host, &x->plan), 0);
}

void t_egress_start(struct t_egress *x, const char *domain)
{
    t_egress_new(x, domain);
    t_egress_run(x);
    assert_int_equal(x->done_count, 1);
}

/* ---- What it came to --------------------------------------------------- */

const char *t_egress_servers(struct t_egress *x)
{
    x->text[0] = '\0';
    for (size_t i = 0; i < onward_egress_server_count(x->plan); i++) {
        struct onward_egress_server_facts f = {.size = sizeof(f)};

        assert_int_equal(onward_egress_server_at(x->plan, i, &f), 0);
        put(x->text, sizeof(x->text), "%s%.*s %s", i == 0 ? "" : "; ",
            (int)f.host.len, f.host.data,
            f.use == ONWARD_EGRESS_USE_YES
                ? t_egress_levels[f.level]
                : onward_egress_use_name((int)f.use));
        if (f.use == ONWARD_EGRESS_USE_YES)
            put(x->text, sizeof(x->text), "(%s)%s",
                onward_egress_reason_name((int)f.reason),
                f.require_tls != 0 ? " requiretls" : "");
    }
    return x->text;
}

static void put_attempt(struct t_egress *x,
                        const struct onward_egress_attempt *a)
{
    char ip[ONWARD_IP_TEXT_MAX];

    assert_true(onward_ip_format(a->ip, ip, sizeof(ip)) > 0);
    put(x->text, sizeof(x->text), "%.*s %s %s(%s)%s; ", (int)a->host.len,
        a->host.data, ip, t_egress_levels[a->tls->level],
        onward_egress_reason_name((int)a->reason),
        a->require_tls != 0 ? " requiretls" : "");
}

const char *t_egress_attempts(struct t_egress *x,
                              const struct onward_egress_outcome *outcomes,
                              size_t count)
{
    struct onward_egress_outcome none = {.size = sizeof(none)};
    struct onward_egress_attempt a = {.size = sizeof(a)};
    struct onward_egress_verdict v = {.size = sizeof(v)};
    size_t i = 0;
    int ret;

    x->text[0] = '\0';
    while ((ret = onward_egress_next(x->plan, &a)) == 1) {
        struct onward_egress_outcome o =
            count == 0 ? none : outcomes[i < count ? i : count - 1];

        i++;
        assert_true(i < 200);
        put_attempt(x, &a);
        o.size = sizeof(o);
        assert_int_equal(onward_egress_result(x->plan, &v), 0);
        assert_int_equal(v.fate, ONWARD_EGRESS_PENDING);
        assert_true(onward_egress_report(x->plan, &o) >= 0);
    }
    assert_int_equal(ret, 0);
    assert_int_equal(onward_egress_result(x->plan, &v), 0);
    put(x->text, sizeof(x->text), "%zu %.*s", v.code, (int)v.enhanced.len,
        v.enhanced.data);
    assert_int_equal(v.fate, v.code < 300   ? ONWARD_EGRESS_DELIVERED
                             : v.code < 500 ? ONWARD_EGRESS_TEMPORARY
                                            : ONWARD_EGRESS_PERMANENT);
    assert_true(v.text.len > 0);
    return x->text;
}
