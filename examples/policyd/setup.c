/* The keys of the configuration, and what they name. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "policyd.h"

static const char *const modes[] = {"none", "testing", "enforce", NULL};
static const size_t mode_of[] = {ONWARD_MTASTS_MODE_NONE,
                                 ONWARD_MTASTS_MODE_TESTING,
                                 ONWARD_MTASTS_MODE_ENFORCE};

static const char *judge_mx(const char *value)
{
    const struct onward_str mx = onward_str_of(value);
    const struct onward_mtasts_policy_opts opts = {
        .size = sizeof(opts),
        .mode = ONWARD_MTASTS_MODE_ENFORCE,
        .mx = &mx,
        .mx_count = 1};
    char out[400];

    return onward_mtasts_policy_write(&opts, out, sizeof(out)) >= 0
               ? NULL
               : "a host name in A-labels, or \"*.\" and one";
}

static const char *judge_store(const char *value)
{
    return strcmp(value, "lmdb") == 0 || redis_store_judge(value)
               ? NULL
               : "lmdb or redis://HOST[:PORT][/DB]";
}

static void begin(struct settings *s)
{
    const struct config_key keys[] = {
        {.name = "listen",
         .type = CONFIG_LIST,
         .value = &s->listen,
         .judge = service_judge_listen,
         .is_required = true},
        {.name = "rules",
         .type = CONFIG_FILE,
         .value = &s->rules,
         .is_required = true},
        {.name = "mode",
         .type = CONFIG_CHOICE,
         .value = &s->mode,
         .choices = modes,
         .is_required = true},
        {.name = "mx", .type = CONFIG_LIST, .value = &s->mx, .judge = judge_mx},
        {.name = "max_age_s",
         .type = CONFIG_NUMBER,
         .value = &s->max_age_s,
         .max = ONWARD_MTASTS_MAX_AGE_MAX},
        {.name = "tls_certificate",
         .type = CONFIG_FILE,
         .value = &s->tls_certificate},
        {.name = "tls_key", .type = CONFIG_FILE, .value = &s->tls_key},
        {.name = "certificates",
         .type = CONFIG_FILE,
         .value = &s->certificates},
        {.name = "user",
         .type = CONFIG_TEXT,
         .value = &s->user,
         .judge = service_judge_user},
        {.name = "log", .type = CONFIG_FILE, .value = &s->log},
        {.name = "state", .type = CONFIG_FILE, .value = &s->state},
        {.name = "store",
         .type = CONFIG_TEXT,
         .value = &s->store,
         .judge = judge_store},
        {.name = "max_connections_client",
         .type = CONFIG_NUMBER,
         .value = &s->max_connections_client,
         .min = 1,
         .max = 1000},
        {.name = NULL},
    };

    _Static_assert(sizeof(keys) <= sizeof(s->keys), "room for all keys");
    memcpy(s->keys, keys, sizeof(keys));
    s->max_age_s = 604800;
    s->max_connections_client = 20;
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
    size_t chain = config_line(keys, "tls_certificate");
    size_t key = config_line(keys, "tls_key");

    if ((chain == 0) != (key == 0))
        return config_wrong(
            &l->fault, EXIT_CONFIG,
            "%s:%zu: %s alone, expected tls_certificate and tls_key", l->path,
            chain == 0 ? key : chain,
            chain == 0 ? "tls_key" : "tls_certificate");
    if (chain == 0 && s->certificates == NULL)
        return config_wrong(&l->fault, EXIT_CONFIG,
                            "%s: no certificate, expected tls_certificate and "
                            "tls_key, or certificates",
                            l->path);
    if (s->mx.count == 0 && mode_of[s->mode] != ONWARD_MTASTS_MODE_NONE)
        return config_wrong(&l->fault, EXIT_CONFIG,
                            "%s:%zu: mode \"%s\", expected mx beside it",
                            l->path, config_line(keys, "mode"), modes[s->mode]);
    return 0;
}

static int write_policy(struct loader *l)
{
    struct setup *setup = l->setup;
    const struct settings *s = &setup->settings;
    struct onward_str *mx = calloc(s->mx.count + 1, sizeof(*mx));
    const struct onward_mtasts_policy_opts opts = {
        .size = sizeof(opts),
        .mode = mode_of[s->mode],
        .max_age_s = s->max_age_s == 0 ? ONWARD_LIMIT_ZERO : s->max_age_s,
        .mx = mx,
        .mx_count = s->mx.count};
    int len = ONWARD_ENOMEM;

    for (size_t i = 0; mx != NULL && i < s->mx.count; i++)
        mx[i] = onward_str_of(s->mx.items[i]);
    if (mx != NULL)
        len = onward_mtasts_policy_write(&opts, setup->policy,
                                         sizeof(setup->policy));
    free(mx);
    if (len < 0)
        return config_wrong(&l->fault, EXIT_CONFIG, "%s: policy: %s", l->path,
                            onward_strerror(len));
    setup->policy_len = (size_t)len;
    return 0;
}

static int load(struct loader *l, struct onward_ctx *ctx)
{
    struct setup *setup = l->setup;
    const struct settings *s = &setup->settings;
    struct load_fault fault;

    if (config_read(l->path, setup->settings.keys, l->fault.text,
                    l->fault.size) != 0) {
        l->fault.status = EXIT_CONFIG;
        return -1;
    }
    if (check(l) != 0 || write_policy(l) != 0)
        return -1;
    setup->ruleset = load_rules(ctx, s->rules, &fault);
    if (setup->ruleset == NULL)
        return config_wrong(&l->fault, EXIT_CONFIG, "%s", fault.text);
    l->fault.status = EXIT_UNUSABLE;
    setup->certs = certs_new(s->tls_certificate, s->tls_key, s->certificates,
                             l->fault.text, l->fault.size);
    return setup->certs == NULL ? -1 : 0;
}

struct setup *setup_new(struct onward_ctx *ctx, const char *path, char *fault,
                        size_t fault_size, int *status)
{
    struct loader l = {.setup = calloc(1, sizeof(*l.setup)),
                       .path = path,
                       .fault = {fault, fault_size, EXIT_UNUSABLE}};

    if (l.setup == NULL) {
        (void)config_wrong(&l.fault, EXIT_UNUSABLE, "out of memory");
        *status = l.fault.status;
        return NULL;
    }
    l.setup->ctx = ctx;
    begin(&l.setup->settings);
    if (load(&l, ctx) == 0)
        return l.setup;
    *status = l.fault.status;
    setup_free(l.setup);
    return NULL;
}

void setup_free(struct setup *setup)
{
    if (setup == NULL)
        return;
    onward_ruleset_free(setup->ruleset);
    certs_free(setup->certs);
    config_clear(setup->settings.keys);
    free(setup);
}
