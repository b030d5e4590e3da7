/* The keys of the configuration, and what they name. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "endpoint.h"
#include "host.h"
#include "load.h"
#include "socketmap.h"

enum { REFRESH_MS = 3600000 };

static const char *judge_local_domain(const char *value)
{
    const char *name = strncmp(value, "*.", 2) == 0 ? value + 2 : value;

    return config_host_name(name) == NULL
               ? NULL
               : "a domain in A-labels, or \"*.\" and one";
}

static void begin(struct settings *s)
{
    const struct config_key keys[] = {
        {.name = "listen",
         .type = CONFIG_LIST,
         .value = &s->listen,
         .judge = service_judge_listen,
         .is_required = true},
        {.name = "state", .type = CONFIG_FILE, .value = &s->state},
        {.name = "store_bytes",
         .type = CONFIG_NUMBER,
         .value = &s->store_bytes,
         .min = 1048576,
         .max = (size_t)1 << 40},
        {.name = "mta_sts", .type = CONFIG_YES_NO, .value = &s->mta_sts},
        {.name = "dane", .type = CONFIG_YES_NO, .value = &s->dane},
        {.name = "exact", .type = CONFIG_YES_NO, .value = &s->exact},
        {.name = "trust", .type = CONFIG_FILE, .value = &s->trust},
        {.name = "policy_port",
         .type = CONFIG_NUMBER,
         .value = &s->policy_port,
         .min = 1,
         .max = 65535},
        {.name = "max_fetches",
         .type = CONFIG_NUMBER,
         .value = &s->max_fetches,
         .min = 1,
         .max = 100000},
        {.name = "allow_private_addresses",
         .type = CONFIG_YES_NO,
         .value = &s->allow_private_addresses},
        {.name = "srs_domain",
         .type = CONFIG_TEXT,
         .value = &s->srs_domain,
         .judge = config_host_name},
        {.name = "srs_secret", .type = CONFIG_FILE, .value = &s->srs_secret},
        {.name = "local_domain",
         .type = CONFIG_LIST,
         .value = &s->local_domains,
         .judge = judge_local_domain},
        {.name = "resolver",
         .type = CONFIG_TEXT,
         .value = &s->resolver,
         .judge = config_resolver},
        {.name = "resolver_anchor",
         .type = CONFIG_FILE,
         .value = &s->resolver_anchor},
        {.name = "dns", .type = CONFIG_FILE, .value = &s->dns},
        {.name = "user",
         .type = CONFIG_TEXT,
         .value = &s->user,
         .judge = service_judge_user},
        {.name = "log", .type = CONFIG_FILE, .value = &s->log},
        {.name = NULL},
    };

    _Static_assert(sizeof(keys) <= sizeof(s->keys), "room for all keys");
    memcpy(s->keys, keys, sizeof(keys));
    s->mta_sts = true;
    s->policy_port = 443;
    s->max_fetches = 256;
    s->store_bytes = 1073741824;
}

struct loader {
    struct setup *setup;
    const char *path;
    struct config_fault fault;
};

/* What only the file as a whole can show. */
static int check(struct loader *l)
{
    const struct settings *s = &l->setup->settings;
    const struct config_key *keys = s->keys;
    size_t domain = config_line(keys, "srs_domain");
    size_t secret = config_line(keys, "srs_secret");

    if ((domain == 0) != (secret == 0))
        return config_wrong(
            &l->fault, EXIT_CONFIG,
            "%s:%zu: %s alone, expected srs_domain and srs_secret", l->path,
            domain == 0 ? secret : domain,
            domain == 0 ? "srs_secret" : "srs_domain");
    if (domain == 0 && !s->mta_sts)
        return config_wrong(
            &l->fault, EXIT_CONFIG,
            "%s:%zu: mta_sts \"no\", expected srs_domain beside it, "
            "or there is nothing to do",
            l->path, config_line(keys, "mta_sts"));
    if (s->dns != NULL && (s->resolver != NULL || s->resolver_anchor != NULL))
        return config_wrong(&l->fault, EXIT_CONFIG,
                            "%s:%zu: dns, expected either resolver and "
                            "resolver_anchor, or dns",
                            l->path, config_line(keys, "dns"));
    return 0;
}

/* Where systems keep the authorities of the Web; NULL: this one does not. */
static const char *system_trust(void)
{
    static const char *const paths[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/cert.pem"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (access(paths[i], R_OK) == 0)
            return paths[i];
    }
    return NULL;
}

static int set_tls(struct loader *l)
{
    struct setup *setup = l->setup;
    struct onward_tls_config_opts o = {.size = sizeof(o),
                                       .role = ONWARD_TLS_CLIENT};
    const char *path = setup->settings.trust;
    char *pem;
    int err;

    if (!setup->settings.mta_sts)
        return 0;
    if (path == NULL)
        path = system_trust();
    if (path == NULL)
        return config_wrong(
            &l->fault, EXIT_UNUSABLE,
            "this system has no authorities, expected trust = FILE");
    pem = host_read_file(path, &o.trust_pem.len);
    if (pem == NULL)
        return config_wrong(&l->fault, EXIT_UNUSABLE, "%s: %s", path,
                            strerror(errno));
    o.trust_pem.data = pem;
    err = onward_tls_config_new(setup->ctx, &o, &setup->tls);
    free(pem);
    if (err == ONWARD_ESYNTAX)
        return config_wrong(
            &l->fault, EXIT_CONFIG,
            "%s: no readable certificate, expected certificates in "
            "PEM",
            path);
    return err == 0 ? 0
                    : config_wrong(&l->fault, EXIT_UNUSABLE, "TLS: %s",
                                   onward_strerror(err));
}

static int set_srs(struct loader *l)
{
    const struct settings *s = &l->setup->settings;
    /* Postfix folds the case of what it looks up. */
    const struct onward_srs_opts o = {.size = sizeof(o),
                                      .allow_folded_hash = 1};
    struct load_fault fault;

    if (s->srs_secret == NULL)
        return 0;
    l->setup->srs = load_srs(l->setup->ctx, s->srs_secret, &o, &fault);
    return l->setup->srs == NULL
               ? config_wrong(&l->fault, EXIT_UNUSABLE, "%s", fault.text)
               : 0;
}

static int set_dns(struct loader *l)
{
    struct setup *setup = l->setup;
    const struct settings *s = &setup->settings;
    const struct resolve_opts o = {
        .records = s->dns, .server = s->resolver, .anchor = s->resolver_anchor};
    int ret = resolve_open(&setup->resolve, setup->desk, setup->loop, &o,
                           l->fault.text, l->fault.size);

    if (ret == 0)
        return 0;
    l->fault.status = ret == RESOLVE_WRONG ? EXIT_CONFIG : EXIT_UNUSABLE;
    return -1;
}

static int load(struct loader *l)
{
    if (config_read(l->path, l->setup->settings.keys, l->fault.text,
                    l->fault.size) != 0) {
        l->fault.status = EXIT_CONFIG;
        return -1;
    }
    if (check(l) != 0 || set_tls(l) != 0 || set_srs(l) != 0)
        return -1;
    return set_dns(l);
}

struct setup *setup_new(struct server *server, char *fault, size_t fault_size,
                        int *status)
{
    struct loader l = {.setup = calloc(1, sizeof(*l.setup)),
                       .path = server->config_path,
                       .fault = {fault, fault_size, EXIT_UNUSABLE}};

    if (l.setup == NULL) {
        (void)config_wrong(&l.fault, EXIT_UNUSABLE, "out of memory");
        *status = l.fault.status;
        return NULL;
    }
    l.setup->ctx = server->ctx;
    l.setup->desk = server->desk;
    l.setup->loop = server->loop;
    begin(&l.setup->settings);
    if (load(&l) == 0)
        return l.setup;
    *status = l.fault.status;
    setup_free(l.setup);
    return NULL;
}

int setup_open(struct setup *setup, struct server *server)
{
    const struct onward_mtasts_opts o = {
        .size = sizeof(o),
        .resolver = setup->resolve.resolver,
        .store = lmdb_store_handle(server->store),
        .tls = setup->tls,
        .max_fetches = setup->settings.max_fetches};
    struct onward_mtasts_host host;

    if (!setup->settings.mta_sts)
        return 0;
    setup->fetcher = (struct fetcher){.desk = server->desk,
                                      .loop = server->loop,
                                      .conns = &server->conns,
                                      .list = &server->fetches,
                                      .port = setup->settings.policy_port};
    setup->refresh_ms = host_now_ms() + REFRESH_MS;
    fetcher_host(&setup->fetcher, setup->settings.allow_private_addresses,
                 &host);
    return onward_mtasts_new(&o, &host, &setup->mtasts);
}

void setup_time(struct setup *setup, int64_t now_ms)
{
    if (setup->mtasts == NULL || now_ms < setup->refresh_ms)
        return;
    setup->refresh_ms = now_ms + REFRESH_MS;
    onward_mtasts_refresh(setup->mtasts);
}

void setup_free(struct setup *setup)
{
    if (setup == NULL)
        return;
    onward_mtasts_free(setup->mtasts);
    if (setup->fetcher.list != NULL)
        fetcher_close(&setup->fetcher);
    onward_tls_config_free(setup->tls);
    onward_srs_free(setup->srs);
    resolve_close(&setup->resolve);
    config_clear(setup->settings.keys);
    free(setup);
}
