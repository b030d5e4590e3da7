/*
 * The policies of those that mail goes to (MTA-STS), for a setup. What is found
 * lasts in the store.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "fetches.h"
#include "forwarder.h"
#include "host.h"

enum { REFRESH_MS = 3600000 };

struct policies {
    struct fetcher fetcher;
    struct onward_mtasts *mtasts;
    int64_t refresh_ms;
};

int policies_open(struct forwarder *fwd, struct setup *setup)
{
    const struct onward_mtasts_opts o = {.size = sizeof(o),
                                         .resolver = setup->resolver,
                                         .store = fwd->store_lasting,
                                         .tls = setup->tls_client};
    struct onward_mtasts_host host;
    struct policies *p;

    if (!setup->settings.mta_sts)
        return 0;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -1;
    p->fetcher = (struct fetcher){.desk = fwd->desk,
                                  .loop = fwd->loop,
                                  .conns = &fwd->conns,
                                  .list = &fwd->fetches,
                                  .port = setup->settings.policy_port};
    p->refresh_ms = host_now_ms() + REFRESH_MS;
    fetcher_host(&p->fetcher, setup->settings.allow_private_addresses, &host);
    if (onward_mtasts_new(&o, &host, &p->mtasts) != 0) {
        free(p);
        return -1;
    }
    setup->policies = p;
    return 0;
}

void policies_close(struct policies *p)
{
    if (p == NULL)
        return;
    onward_mtasts_free(p->mtasts);
    fetcher_close(&p->fetcher);
    free(p);
}

struct onward_mtasts *policies_handle(const struct setup *setup)
{
    return setup->policies == NULL ? NULL : setup->policies->mtasts;
}

int64_t policies_deadline(const struct forwarder *fwd)
{
    const struct policies *p = fwd->setup->policies;
    int64_t fetches = fetches_deadline(fwd->fetches);

    return p == NULL || fetches < p->refresh_ms ? fetches : p->refresh_ms;
}

void policies_time(struct forwarder *fwd, int64_t now_ms)
{
    struct policies *p = fwd->setup->policies;

    fetches_time(fwd->fetches, now_ms);
    if (p != NULL && p->refresh_ms <= now_ms) {
        p->refresh_ms = now_ms + REFRESH_MS;
        onward_mtasts_refresh(p->mtasts);
    }
}
