/*
 * A filter with a configuration, keys and records in a folder of its own, for
 * the tests of what stands on it. Its memory may be made to fail: malloc() and
 * its like have other names there (see meson.build).
 */
#ifndef FILTER_WORLD_H
#define FILTER_WORLD_H

#include "filter.h"
#include "host.h"
#include "support/support.h"

struct filter_world {
    struct t_world *w;
    struct onward_desk *desk;
    struct loop *loop;
    char folder[64];
    struct filter_settings settings;
    struct config_key keys[FILTER_KEYS + 1];
    struct filter_setup *setup;
    char fault[1100];
    int status; /* of a setup that is not there */
};

/*
 * Write config, records ("dns.txt"), secrets ("srs.txt") and keys: "a.pem" is
 * Ed25519, published at s1._domainkey of a.example, b.example and
 * fwd.example. false: no memory, or the configuration is wrong; end it all the
 * same.
 */
bool filter_world_begin(struct filter_world *x, struct t_world *w,
                        const char *config);
void filter_world_end(struct filter_world *x);
/* Everything that is ready. */
void filter_world_run(struct filter_world *x);

/* From now on the C library's memory fails where the world's does. NULL: it
 * does not. */
void filter_world_watch(struct t_world *w);

#endif
