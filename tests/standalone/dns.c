/* dns alone: a question answered from records given as text. */
#include <onward/dns.h>

#include "host.h"

static void note(void *user, struct onward_dns_lookup *lookup)
{
    *(size_t *)user = onward_dns_lookup_count(lookup);
}

int main(void)
{
    static const char records[] = "a.example A 192.0.2.1\n";
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .allow_only_loaded = 1};
    size_t count = 0;
    struct onward_dns_lookup_host host = {
        .size = sizeof(host), .user = &count, .done = note};
    struct onward_ctx *ctx = host_ctx();
    struct onward_dns_lookup *lookup = NULL;
    struct onward_resolver *resolver = NULL;
    struct onward_desk *desk = NULL;

    if (ctx != NULL && onward_desk_new(ctx, NULL, &desk) == 0 &&
        onward_resolver_new(desk, &opts, NULL, &resolver) == 0 &&
        onward_resolver_load(resolver, onward_str_of(records), NULL) == 0 &&
        onward_dns_lookup_new(resolver, ONWARD_STR("a.example"), ONWARD_DNS_A,
                              &host, &lookup) == 0)
        while (onward_desk_run(desk, 0) == 1)
            continue;
    onward_dns_lookup_free(lookup);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return count == 1 ? 0 : 1;
}
