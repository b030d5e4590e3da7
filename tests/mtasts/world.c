#include "world.h"

const struct onward_mtasts_reply t_sts_good = {
    .size = sizeof(t_sts_good),
    .status = 200,
    .content_type = {"text/plain", 10},
    .body = {T_POLICY, sizeof(T_POLICY) - 1},
};

static const char *type_name(uint32_t type)
{
    return type == ONWARD_DNS_TXT    ? "TXT"
           : type == ONWARD_DNS_AAAA ? "AAAA"
                                     : "A";
}

/* Is that line for name and type? The rest of it, behind the type. */
static const char *match(const char *line, const char *name, const char *type)
{
    size_t len = strlen(name);

    if (strncmp(line, name, len) != 0 || line[len] != ' ')
        return NULL;
    line += len + 1;
    len = strlen(type);
    return strncmp(line, type, len) == 0 && line[len] == ' ' ? line + len + 1
                                                             : NULL;
}

static int query(void *user, uint64_t token, const char *name, size_t name_len,
                 uint32_t type)
{
    struct t_sts *x = user;
    char text[8192] = "", wanted[300];
    bool exists = false;

    x->questions++;
    snprintf(wanted, sizeof(wanted), "%.*s", (int)name_len, name);
    for (const char *line = x->zone; line != NULL && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        const char *rdata = match(line, wanted, type_name(type));
        const char *cname = match(line, wanted, "CNAME");

        exists = exists || (strncmp(line, wanted, name_len) == 0 &&
                            line[name_len] == ' ');
        if (rdata != NULL && *rdata == '!') {
            (void)onward_dns_answer_error(x->desk, token, ONWARD_DNS_SERVFAIL);
            return 0;
        }
        if (rdata != NULL || cname != NULL)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s\n",
                     (int)len, line);
        line += len + (line[len] == '\n');
    }
    if (text[0] != '\0')
        (void)onward_dns_answer_text(x->desk, token, onward_str_of(text), 0);
    else
        (void)onward_dns_answer_error(
            x->desk, token, exists ? ONWARD_DNS_NODATA : ONWARD_DNS_NXDOMAIN);
    return 0;
}

static int on_connect(void *user, uint64_t token,
                      const struct onward_mtasts_request *request)
{
    struct t_sts *x = user;

    x->connects++;
    x->token = token;
    snprintf(x->name, sizeof(x->name), "%.*s", (int)request->name.len,
             request->name.data);
    assert_int_equal(request->port, 443);
    t_assert_str(request->path, "/.well-known/mta-sts.txt");
    assert_true(request->ip_count >= 1 && request->ip_count <= 8);
    memcpy(x->ips, request->ips, request->ip_count * sizeof(x->ips[0]));
    x->ip_count = request->ip_count;
    if (x->in_connect != NULL) {
        x->in_connect(x);
        return 0;
    }
    if (x->reply != NULL)
        (void)onward_mtasts_answer_reply(x->desk, token, x->reply);
    else if (x->tls_failure >= 0)
        (void)onward_mtasts_answer_error(x->desk, token, x->tls_failure);
    return x->reply != NULL ? 0 : x->connect_error;
}

static void on_cancel(void *user, uint64_t token)
{
    struct t_sts *x = user;

    assert_true(token == x->token);
    x->cancels++;
}

/* Documentation addresses, which no public filter lets pass, stand for public
 * ones here. */
static int allow_address(void *user, const struct onward_ip *ip)
{
    struct t_sts *x = user;

    if (x->in_allow != NULL)
        x->in_allow(x);
    return (ip->family == 4 && ip->octets[0] == 192 && ip->octets[1] == 0) ||
           (ip->family == 6 && ip->octets[0] == 0x20);
}

static void on_done(void *user, struct onward_mtasts_lookup *lookup)
{
    struct t_sts *x = user;

    assert_ptr_equal(lookup, x->lookup);
    x->done++;
}

int t_sts_again(struct t_sts *x, const struct onward_mtasts_opts *opts)
{
    struct onward_mtasts_opts o = {.size = sizeof(o)};
    struct onward_mtasts_host h = {.size = sizeof(h),
                                   .user = x,
                                   .connect = on_connect,
                                   .cancel = on_cancel,
                                   .allow_address = allow_address};

    if (opts != NULL)
        o = *opts;
    o.resolver = x->resolver;
    o.store = x->store;
    o.tls = x->tls;
    return onward_mtasts_new(&o, &h, &x->mtasts);
}

bool t_sts_try(struct t_sts *x, const struct onward_mtasts_opts *opts)
{
    struct onward_resolver_opts ro = {.size = sizeof(ro),
                                      .ttl_max_s = ONWARD_LIMIT_ZERO,
                                      .negative_ttl_max_s = ONWARD_LIMIT_ZERO,
                                      .failure_ttl_s = ONWARD_LIMIT_ZERO};
    struct onward_resolver_host rh = {
        .size = sizeof(rh), .user = x, .query = query};

    x->now_ms += 1;
    if (onward_desk_new(x->w.ctx, NULL, &x->desk) != 0 ||
        (x->mem == NULL && onward_memstore_new(x->w.ctx, NULL, &x->mem) != 0))
        return false;
    if (x->store == NULL &&
        onward_memstore_open(x->mem, x->desk, NULL, &x->store) != 0)
        return false;
    if (onward_resolver_new(x->desk, &ro, &rh, &x->resolver) != 0)
        return false;
    return t_sts_again(x, opts) == 0;
}

void t_sts_init(struct t_sts *x, const struct onward_mtasts_opts *opts)
{
    t_world_init(&x->w);
    x->tls_failure = -1;
    x->reply = &t_sts_good;
    assert_true(t_sts_try(x, opts));
}

void t_sts_end(struct t_sts *x)
{
    onward_mtasts_lookup_free(x->lookup);
    onward_mtasts_free(x->mtasts);
    onward_resolver_free(x->resolver);
    onward_store_free(x->store);
    onward_desk_free(x->desk);
    x->lookup = NULL;
    x->mtasts = NULL;
    x->resolver = NULL;
    x->store = NULL;
    x->desk = NULL;
}

void t_sts_clear(struct t_sts *x)
{
    t_sts_end(x);
    onward_memstore_free(x->mem);
    x->mem = NULL;
    t_world_clear(&x->w);
}

void t_sts_run(struct t_sts *x)
{
    while (x->desk != NULL && onward_desk_run(x->desk, x->now_ms) == 1)
        continue;
}

void t_sts_look(struct t_sts *x)
{
    memset(&x->v, 0, sizeof(x->v));
    x->v.size = sizeof(x->v);
    assert_int_equal(onward_mtasts_lookup_verdict(x->lookup, &x->v), 0);
}

void t_sts_ask(struct t_sts *x, const char *domain)
{
    struct onward_mtasts_lookup_host h = {
        .size = sizeof(h), .user = x, .done = on_done};

    onward_mtasts_lookup_free(x->lookup);
    x->lookup = NULL;
    x->done = 0;
    assert_int_equal(onward_mtasts_lookup_new(x->mtasts, onward_str_of(domain),
                                              &h, &x->lookup),
                     0);
    t_sts_run(x);
    t_sts_look(x);
    assert_int_equal(x->done, x->v.status != ONWARD_MTASTS_PENDING);
}

void t_sts_wait(struct t_sts *x, int64_t seconds)
{
    x->w.now_s += seconds;
    x->now_ms += seconds * 1000;
    t_sts_run(x);
}

void t_sts_expect(struct t_sts *x, size_t status, size_t reason)
{
    if (x->v.status != status || x->v.reason != reason)
        fail_msg("status %zu, reason %zu (%s)", x->v.status, x->v.reason,
                 onward_mtasts_reason_name((int)x->v.reason));
    assert_true((x->v.policy != NULL) == (status == ONWARD_MTASTS_POLICY));
}
