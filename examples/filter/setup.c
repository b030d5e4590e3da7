/* What the settings name, loaded: records, keys, secrets. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_priv.h"
#include "load.h"

struct loader {
    const struct filter_setup_opts *o;
    struct filter_setup *setup;
    struct config_fault fault;
};

static int wrong_key(struct loader *l, const char *key, const char *found,
                     const char *expected)
{
    return config_wrong(&l->fault, EXIT_CONFIG,
                        "%s:%zu: %s \"%s\", expected %s", l->o->path,
                        config_line(l->o->keys, key), key, found, expected);
}

static int no_memory(struct loader *l)
{
    return config_wrong(&l->fault, EXIT_UNUSABLE, "out of memory");
}

/* ---- What only the file as a whole can show ---------------------------- */

static int check_together(struct loader *l, const char *const *names,
                          const char *expected)
{
    const char *there = NULL;
    bool is_whole = true;

    for (; *names != NULL; names++) {
        if (config_line(l->o->keys, *names) == 0)
            is_whole = false;
        else if (there == NULL)
            there = *names;
    }
    if (there == NULL || is_whole)
        return 0;
    return config_wrong(&l->fault, EXIT_CONFIG, "%s:%zu: %s alone, expected %s",
                        l->o->path, config_line(l->o->keys, there), there,
                        expected);
}

static int check(struct loader *l)
{
    static const char *const srs[] = {"srs_domain", "srs_secret", NULL};
    static const char *const seal[] = {"seal_key", "seal_domain",
                                       "seal_selector", NULL};
    const struct filter_settings *s = l->o->settings;

    if (check_together(l, srs, "srs_domain and srs_secret") != 0 ||
        check_together(l, seal, "seal_key, seal_domain and seal_selector") != 0)
        return -1;
    if (s->forward.count != 0 && s->srs_domain == NULL)
        return wrong_key(l, "forward", s->forward.items[0],
                         "srs_domain beside it");
    if (s->seal_key != NULL && !s->verify)
        return wrong_key(l, "seal_key", s->seal_key,
                         "verify = yes: a seal says what was found");
    if (s->dns != NULL && s->resolver != NULL)
        return wrong_key(l, "resolver", s->resolver, "either resolver or dns");
    if (s->dns != NULL && s->resolver_anchor != NULL)
        return wrong_key(l, "resolver_anchor", s->resolver_anchor,
                         "either resolver_anchor or dns");
    return 0;
}

/* ---- Parts ------------------------------------------------------------- */

static int set_networks(struct loader *l)
{
    const struct config_list *list = &l->o->settings->internal;
    struct filter_setup *setup = l->setup;

    setup->networks = calloc(list->count + 2, sizeof(*setup->networks));
    if (setup->networks == NULL)
        return no_memory(l);
    if (list->count == 0) {
        filter_read_network("127.0.0.0/8", &setup->networks[0]);
        filter_read_network("::1", &setup->networks[1]);
        setup->network_count = 2;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (filter_read_network(list->items[i],
                                &setup->networks[setup->network_count]))
            setup->network_count++;
        else if (list->count > 1)
            return wrong_key(l, "internal", list->items[i],
                             "it alone, or networks");
    }
    return 0;
}

static int set_dns(struct loader *l)
{
    const struct filter_settings *s = l->o->settings;
    const struct resolve_opts o = {
        .records = s->dns, .server = s->resolver, .anchor = s->resolver_anchor};
    int err = resolve_open(&l->setup->names, l->o->desk, l->o->loop, &o,
                           l->fault.text, l->fault.size);

    l->fault.status = err == RESOLVE_WRONG ? EXIT_CONFIG : EXIT_UNUSABLE;
    return err == 0 ? 0 : -1;
}

static int load_signer(struct loader *l, const char *path,
                       struct onward_signer **signer)
{
    struct load_fault fault;
    struct onward_key *key = load_key(l->o->ctx, path, &fault);
    int err;

    if (key == NULL)
        return config_wrong(&l->fault, EXIT_UNUSABLE, "%s", fault.text);
    err = onward_signer_new(l->o->desk, key, NULL, signer);
    onward_key_free(key);
    return err == 0 ? 0
                    : config_wrong(&l->fault, EXIT_UNUSABLE, "signer: %s",
                                   onward_strerror(err));
}

static int set_key(struct loader *l, const char *row, struct filter_key *key)
{
    char *words[3];

    key->text = strdup(row);
    if (key->text == NULL)
        return no_memory(l);
    filter_words(key->text, words, 3); /* judged before */
    key->domain = words[0];
    key->selector = words[1];
    return load_signer(l, words[2], &key->signer);
}

bool filter_has_key(const struct filter_setup *setup, struct onward_str domain)
{
    for (size_t i = 0; i < setup->key_count; i++) {
        if (strlen(setup->keys[i].domain) == domain.len &&
            strncasecmp(setup->keys[i].domain, domain.data, domain.len) == 0)
            return true;
    }
    return false;
}

static int set_keys(struct loader *l)
{
    const struct filter_settings *s = l->o->settings;
    struct filter_setup *setup = l->setup;

    setup->keys = calloc(s->dkim_keys.count + 1, sizeof(*setup->keys));
    if (setup->keys == NULL)
        return no_memory(l);
    for (size_t i = 0; i < s->dkim_keys.count; i++) {
        setup->key_count++;
        if (set_key(l, s->dkim_keys.items[i], &setup->keys[i]) != 0)
            return -1;
    }
    for (size_t i = 0; i < s->dkim_for.count; i++) {
        const char *row = s->dkim_for.items[i];

        if (!filter_has_key(setup, onward_str_of(filter_second(row))))
            return wrong_key(l, "dkim_for", row, "dkim_key for that domain");
    }
    return 0;
}

static int set_srs(struct loader *l)
{
    const struct onward_srs_opts o = {.size = sizeof(o),
                                      .allow_folded_hash = 1};
    struct load_fault fault;

    if (l->o->settings->srs_secret == NULL)
        return 0;
    l->setup->srs = load_srs(l->o->ctx, l->o->settings->srs_secret, &o, &fault);
    return l->setup->srs == NULL
               ? config_wrong(&l->fault, EXIT_UNUSABLE, "%s", fault.text)
               : 0;
}

static int set_seal(struct loader *l)
{
    const char *path = l->o->settings->seal_key;

    return path == NULL ? 0 : load_signer(l, path, &l->setup->sealer);
}

/* ---- The whole --------------------------------------------------------- */

struct filter_setup *filter_setup_new(const struct filter_setup_opts *o,
                                      char *fault, size_t fault_size,
                                      int *status)
{
    const struct filter_settings *s = o->settings;
    struct loader l = {.o = o,
                       .setup = calloc(1, sizeof(*l.setup)),
                       .fault = {fault, fault_size, 0}};

    if (l.setup == NULL) {
        (void)no_memory(&l);
        *status = l.fault.status;
        return NULL;
    }
    l.setup->ctx = o->ctx;
    l.setup->desk = o->desk;
    l.setup->settings = s;
    l.setup->authserv_id =
        onward_str_of(s->authserv_id == NULL ? s->hostname : s->authserv_id);
    l.setup->names.watch.fd = -1;
    if (check(&l) == 0 && set_networks(&l) == 0 && set_dns(&l) == 0 &&
        set_keys(&l) == 0 && set_srs(&l) == 0 && set_seal(&l) == 0)
        return l.setup;
    *status = l.fault.status;
    filter_setup_free(l.setup);
    return NULL;
}

void filter_setup_free(struct filter_setup *setup)
{
    if (setup == NULL)
        return;
    for (size_t i = 0; i < setup->key_count; i++) {
        onward_signer_free(setup->keys[i].signer);
        free(setup->keys[i].text);
    }
    free(setup->keys);
    free(setup->networks);
    onward_signer_free(setup->sealer);
    onward_srs_free(setup->srs);
    resolve_close(&setup->names);
    free(setup);
}

static bool is_in(const struct onward_ip *ip,
                  const struct filter_network *network)
{
    size_t whole = network->bits / 8, rest = network->bits % 8;

    if (ip->family != network->ip.family ||
        memcmp(ip->octets, network->ip.octets, whole) != 0)
        return false;
    return rest == 0 ||
           (ip->octets[whole] ^ network->ip.octets[whole]) >> (8 - rest) == 0;
}

bool filter_is_internal(const struct filter_setup *setup,
                        const struct onward_ip *ip)
{
    for (size_t i = 0; ip->family != 0 && i < setup->network_count; i++) {
        if (is_in(ip, &setup->networks[i]))
            return true;
    }
    return false;
}
