/*
 * LIMITS (RFC 9422): what a server says that it will take, and how much of it
 * the session has used up.
 */
#include "smtp/client_priv.h"

#include "core/text_shared.h"

/* %x31-39 0*5DIGIT; 0: it is none. */
static size_t read_value(struct onward_str value)
{
    uint64_t number;

    if (value.len == 0 || value.data[0] == '0' ||
        onward_core__parse_u64(value, 6, &number) < 0)
        return 0;
    return (size_t)number;
}

static void read_limit(struct onward_smtp__limits *limits,
                       struct onward_str param)
{
    size_t at = onward_core__str_find(param, '=');
    struct onward_str name = onward_core__sub(param, 0, at);
    size_t value = read_value(onward_core__sub(param, at + 1, param.len));

    /* Unknown or ill-formed: only this one is ignored (section 3.7). */
    if (value == 0)
        return;
    if (onward_core__str_ieq(name, ONWARD_STR("MAILMAX")))
        limits->mails = value;
    else if (onward_core__str_ieq(name, ONWARD_STR("RCPTMAX")))
        limits->rcpts = value;
    else if (onward_core__str_ieq(name, ONWARD_STR("RCPTDOMAINMAX")))
        limits->domains = value;
}

void onward_smtp__limits_read(struct onward_smtp__limits *limits,
                              struct onward_str params)
{
    while (params.len != 0) {
        size_t end = onward_core__str_find(params, ' ');

        read_limit(limits, onward_core__sub(params, 0, end));
        params = onward_core__sub(params, end + 1, params.len);
    }
}

/* ---- Domains ----------------------------------------------------------- */

static struct onward_str domain_of(struct onward_str path)
{
    size_t at = path.len;

    while (at > 0 && path.data[at - 1] != '@')
        at--;
    /* "postmaster" alone has none. */
    return at == 0 ? onward_core__str(NULL, 0)
                   : onward_core__sub(path, at, path.len);
}

/* 1 or ONWARD_ENOMEM. */
static int add_domain(struct onward_smtp_client *c, uint64_t hash)
{
    struct onward_smtp__domains *d = &c->domains;

    if (d->count == d->cap) {
        size_t cap = d->cap == 0 ? 8 : d->cap * 2;
        uint64_t *hashes =
            onward_core__realloc(c->ctx, d->hashes, cap * sizeof(*hashes));

        if (hashes == NULL)
            return ONWARD_ENOMEM;
        d->hashes = hashes;
        d->cap = cap;
    }
    d->hashes[d->count++] = hash;
    return 1;
}

/* By keyed hash: two domains that were the same to it would cost one refusal by
 * the server. The list is no longer than what the host has named. */
int onward_smtp__domains_admit(struct onward_smtp_client *c,
                               struct onward_str path)
{
    struct onward_str domain = domain_of(path);
    uint64_t hash;

    if (c->offers.limits.domains == 0)
        return 1;
    hash = onward_core__hash_lower(c->ctx, domain.data, domain.len);
    for (size_t i = 0; i < c->domains.count; i++) {
        if (c->domains.hashes[i] == hash)
            return 1;
    }
    if (c->domains.count >= c->offers.limits.domains)
        return 0;
    return add_domain(c, hash);
}
