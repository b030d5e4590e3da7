/* The keys of the configuration, and what they name. */
#define _GNU_SOURCE
#include <grp.h>
#include <stdlib.h>
#include <string.h>

#include "milter.h"

static const char *judge_group(const char *value)
{
    return getgrnam(value) != NULL ? NULL : "a group of this machine";
}

static void begin(struct settings *s)
{
    const struct config_key keys[] = {
        {.name = "listen",
         .type = CONFIG_LIST,
         .value = &s->listen,
         .judge = service_judge_listen_local,
         .is_required = true},
        {.name = "socket_group",
         .type = CONFIG_TEXT,
         .value = &s->socket_group,
         .judge = judge_group},
        {.name = "user",
         .type = CONFIG_TEXT,
         .value = &s->user,
         .judge = service_judge_user},
        {.name = "log", .type = CONFIG_FILE, .value = &s->log},
        {.name = "max_connections",
         .type = CONFIG_NUMBER,
         .value = &s->max_connections,
         .min = 1,
         .max = 100000},
        {.name = "timeout_s",
         .type = CONFIG_NUMBER,
         .value = &s->timeout_s,
         .min = 1,
         .max = 86400},
        {.name = "drain_s",
         .type = CONFIG_NUMBER,
         .value = &s->drain_s,
         .max = 3600},
        {.name = NULL},
    };

    _Static_assert(sizeof(keys) / sizeof(keys[0]) + FILTER_KEYS <= MILTER_KEYS,
                   "room for all keys");
    memcpy(s->keys + filter_keys(&s->filter, s->keys), keys, sizeof(keys));
    s->max_connections = 1000;
    s->timeout_s = 7200;
    s->drain_s = 30;
}

struct setup *setup_new(struct milter *m, char *fault, size_t fault_size,
                        int *status)
{
    struct setup *setup = calloc(1, sizeof(*setup));
    struct filter_setup_opts o = {.ctx = m->ctx,
                                  .desk = m->desk,
                                  .loop = m->loop,
                                  .path = m->config_path};

    if (setup == NULL) {
        snprintf(fault, fault_size, "out of memory");
        *status = EXIT_UNUSABLE;
        return NULL;
    }
    setup->owners = 1;
    begin(&setup->settings);
    o.settings = &setup->settings.filter;
    o.keys = setup->settings.keys;
    *status = EXIT_CONFIG;
    if (config_read(m->config_path, setup->settings.keys, fault, fault_size) ==
        0)
        setup->filter = filter_setup_new(&o, fault, fault_size, status);
    if (setup->filter != NULL)
        return setup;
    setup_free(setup);
    return NULL;
}

struct setup *setup_ref(struct setup *setup)
{
    setup->owners++;
    return setup;
}

void setup_free(struct setup *setup)
{
    if (setup == NULL || --setup->owners > 0)
        return;
    filter_setup_free(setup->filter);
    config_clear(setup->settings.keys);
    free(setup);
}
