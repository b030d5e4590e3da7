/* The keys of the configuration, and what they name. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smtpd_filter.h"

static void begin(struct settings *s)
{
    const struct config_key keys[] = {
        {.name = "temporary", .type = CONFIG_FILE, .value = &s->temporary},
        {.name = "log", .type = CONFIG_FILE, .value = &s->log},
        {.name = NULL},
    };

    _Static_assert(sizeof(keys) / sizeof(keys[0]) + FILTER_KEYS <= KEYS,
                   "room for all keys");
    memcpy(s->keys + filter_keys(&s->filter, s->keys), keys, sizeof(keys));
}

/* What the others' filters do, and smtpd does itself. */
static int check(const struct program *p, const struct settings *s, char *fault,
                 size_t fault_size)
{
    static const char *const of_smtpd[] = {"srs_domain", "srs_secret",
                                           "forward"};
    struct stat st;

    for (size_t i = 0; i < sizeof(of_smtpd) / sizeof(of_smtpd[0]); i++) {
        size_t line = config_line(s->keys, of_smtpd[i]);

        if (line == 0)
            continue;
        snprintf(fault, fault_size,
                 "%s:%zu: %s, expected \"srs\" in smtpd.conf, which rewrites "
                 "senders itself",
                 p->config_path, line, of_smtpd[i]);
        return EXIT_CONFIG;
    }
    if (stat(s->temporary, &st) == 0 && S_ISDIR(st.st_mode) &&
        access(s->temporary, W_OK) == 0)
        return 0;
    snprintf(fault, fault_size,
             "%s: expected a folder to write to, see "
             "temporary",
             s->temporary);
    return EXIT_UNUSABLE;
}

static int load(struct program *p, struct setup *setup, char *fault,
                size_t fault_size)
{
    struct settings *s = &setup->settings;
    const struct filter_setup_opts o = {.ctx = p->ctx,
                                        .desk = p->desk,
                                        .loop = p->loop,
                                        .settings = &s->filter,
                                        .keys = s->keys,
                                        .path = p->config_path};
    int status = EXIT_CONFIG;

    if (config_read(p->config_path, s->keys, fault, fault_size) != 0)
        return status;
    if (s->temporary == NULL) {
        const char *folder = getenv("TMPDIR");

        s->temporary = strdup(folder == NULL ? "/tmp" : folder);
        if (s->temporary == NULL) {
            snprintf(fault, fault_size, "out of memory");
            return EXIT_UNUSABLE;
        }
    }
    status = check(p, s, fault, fault_size);
    if (status == 0)
        setup->filter = filter_setup_new(&o, fault, fault_size, &status);
    return status;
}

struct setup *setup_new(struct program *p, char *fault, size_t fault_size,
                        int *status)
{
    struct setup *setup = calloc(1, sizeof(*setup));

    if (setup == NULL) {
        snprintf(fault, fault_size, "out of memory");
        *status = EXIT_UNUSABLE;
        return NULL;
    }
    setup->owners = 1;
    begin(&setup->settings);
    *status = load(p, setup, fault, fault_size);
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
    if (config_line(setup->settings.keys, "temporary") == 0)
        free(setup->settings.temporary);
    config_clear(setup->settings.keys);
    free(setup);
}
