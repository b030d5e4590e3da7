/*
 * DKIM: who signs what. A copy is signed for the domain that the message came
 * to, and what a handler writes for that of its author; a domain without a key
 * of its own takes that of the nearest one above it. dkim_domain signs all of
 * it besides, on top. Whether a copy may be signed at all is for the relay: it
 * never lends the author's name to a message that fails DMARC.
 */
#define _GNU_SOURCE
#include "dkim.h"

#include <stdlib.h>
#include <string.h>

#include "load.h"

enum { SIGNATURES_MAX = 8 };

struct dkim_key {
    char *domain, *selector;
    struct onward_signer *signer;
};

struct dkim_keys {
    size_t count;
    struct dkim_key items[];
};

/* ---- The configuration ------------------------------------------------- */

/* The words of a value, in place of it; false: there are not three. */
static bool cut(char *value, char *words[3])
{
    for (size_t i = 0; i < 3; i++) {
        words[i] = value;
        if (i == 2)
            return value[0] != '\0';
        value += strcspn(value, " \t");
        if (value[0] == '\0')
            return false;
        *value++ = '\0';
        value += strspn(value, " \t");
    }
    return false;
}

const char *dkim_judge(const char *value)
{
    char *copy = strdup(value), *words[3];
    bool is_good = copy != NULL && cut(copy, words) &&
                   config_host_name(words[0]) == NULL &&
                   strchr(words[0], '.') != NULL &&
                   config_host_name(words[1]) == NULL;

    free(copy);
    return is_good ? NULL
                   : "DOMAIN SELECTOR FILE, as in example.com s1 "
                     "example.com.pem";
}

static int read_key(struct forwarder *fwd, const char *value,
                    struct dkim_key *out, char *fault, size_t fault_size)
{
    char *copy = strdup(value), *words[3];
    struct onward_key *key = NULL;
    struct load_fault why;
    int err = copy != NULL && cut(copy, words) ? 0 : ONWARD_ENOMEM;

    if (err == 0) {
        key = load_key(fwd->ctx, words[2], &why);
        if (key == NULL) {
            snprintf(fault, fault_size, "%s", why.text);
            free(copy);
            return -1;
        }
        out->domain = strdup(words[0]);
        out->selector = strdup(words[1]);
        err = onward_signer_new(fwd->desk, key, NULL, &out->signer);
    }
    onward_key_free(key);
    free(copy);
    if (err == 0 && out->domain != NULL && out->selector != NULL)
        return 0;
    snprintf(fault, fault_size, "dkim_key: out of memory");
    return -1;
}

int dkim_open(struct forwarder *fwd, struct setup *setup, char *fault,
              size_t fault_size)
{
    const struct config_list *list = &setup->settings.dkim_keys;
    struct dkim_keys *keys;

    if (list->count == 0)
        return 0;
    keys = calloc(1, sizeof(*keys) + list->count * sizeof(keys->items[0]));
    setup->dkim = keys;
    if (keys == NULL) {
        snprintf(fault, fault_size, "dkim_key: out of memory");
        return -1;
    }
    for (; keys->count < list->count; keys->count++) {
        if (read_key(fwd, list->items[keys->count], &keys->items[keys->count],
                     fault, fault_size) != 0) {
            keys->count++; /* its half is freed as well */
            return -1;
        }
    }
    return 0;
}

void dkim_close(struct dkim_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->count; i++) {
        onward_signer_free(keys->items[i].signer);
        free(keys->items[i].domain);
        free(keys->items[i].selector);
    }
    free(keys);
}

/* ---- Which sign -------------------------------------------------------- */

static bool is_domain(const struct dkim_key *key, struct onward_str domain)
{
    return strlen(key->domain) == domain.len &&
           strncasecmp(key->domain, domain.data, domain.len) == 0;
}

bool dkim_has(const struct dkim_keys *keys, const char *domain)
{
    for (size_t i = 0; keys != NULL && i < keys->count; i++) {
        if (is_domain(&keys->items[i], onward_str_of(domain)))
            return true;
    }
    return false;
}

/* Add the keys of a domain to a list. */
static void add_keys(const struct dkim_keys *keys, struct onward_str domain,
                     const struct dkim_key *list[SIGNATURES_MAX], size_t *count)
{
    for (size_t i = 0; i < keys->count && *count < SIGNATURES_MAX; i++) {
        bool is_there = !is_domain(&keys->items[i], domain);

        for (size_t n = 0; n < *count; n++)
            is_there = is_there || list[n] == &keys->items[i];
        if (!is_there)
            list[(*count)++] = &keys->items[i];
    }
}

static struct onward_str domain_of(struct onward_str address)
{
    size_t at = address.len;

    while (at > 0 && address.data[at - 1] != '@')
        at--;
    return (struct onward_str){address.data + at, address.len - at};
}

/* Up by one label; empty: there is no more. */
static struct onward_str above(struct onward_str domain)
{
    const char *dot =
        domain.len == 0 ? NULL : memchr(domain.data, '.', domain.len);
    size_t skip = dot == NULL ? domain.len : (size_t)(dot - domain.data) + 1;

    return (struct onward_str){domain.data + skip, domain.len - skip};
}

static size_t choose(const struct setup *setup, struct onward_str address,
                     const struct dkim_key *list[SIGNATURES_MAX])
{
    struct onward_str domain = domain_of(address);
    size_t count = 0, of_all;

    if (setup->dkim == NULL)
        return 0;
    if (setup->settings.dkim_domain != NULL)
        add_keys(setup->dkim, onward_str_of(setup->settings.dkim_domain), list,
                 &count);
    of_all = count;
    for (; domain.len > 0 && count == of_all; domain = above(domain))
        add_keys(setup->dkim, domain, list, &count);
    return count;
}

bool dkim_signs_for(const struct setup *setup, const char *domain)
{
    for (struct onward_str d = onward_str_of(domain); d.len > 0; d = above(d)) {
        for (size_t i = 0; setup->dkim != NULL && i < setup->dkim->count; i++) {
            if (is_domain(&setup->dkim->items[i], d))
                return true;
        }
    }
    return false;
}

static struct onward_dkim_signer_opts opts_of(const struct dkim_key *key)
{
    return (struct onward_dkim_signer_opts){
        .size = sizeof(struct onward_dkim_signer_opts),
        .domain = onward_str_of(key->domain),
        .selector = onward_str_of(key->selector)};
}

/* ---- Signing ----------------------------------------------------------- */

static int read_signed(void *user, uint64_t offset, void *buf, size_t cap,
                       size_t *got)
{
    const struct dkim_signed *m = user;
    size_t left;

    if (offset >= m->fields.len)
        return m->below->read(m->below->user, offset - m->fields.len, buf, cap,
                              got);
    left = m->fields.len - (size_t)offset;
    *got = cap < left ? cap : left;
    memcpy(buf, m->fields.data + offset, *got);
    return 0;
}

void dkim_put_on_top(struct dkim_signed *message, struct onward_str fields)
{
    message->fields = fields;
    message->table =
        (struct onward_source){.size = sizeof(message->table),
                               .user = message,
                               .len = fields.len + message->below->len,
                               .read = read_signed};
}

int dkim_sign_copies(const struct setup *setup, struct onward_relay *relay)
{
    struct onward_relay_rcpt rcpt = {.size = sizeof(rcpt)};
    const struct dkim_key *list[SIGNATURES_MAX];
    size_t count;

    if (onward_relay_rcpt_at(relay, 0, &rcpt) != 0)
        return -1;
    count = choose(setup, rcpt.address, list);
    for (size_t i = 0; i < count; i++) {
        const struct onward_dkim_signer_opts o = opts_of(list[i]);

        if (onward_relay_add_signature(relay, list[i]->signer, &o) != 0)
            return -1;
    }
    return 0;
}

static int feed(struct onward_dkim_signer *signer,
                const struct onward_source *content)
{
    char piece[16384];
    size_t got = 0;
    int err = 0;

    for (uint64_t at = 0; at < content->len && err == 0; at += got) {
        err = content->read(content->user, at, piece, sizeof(piece), &got);
        if (err == 0 && got == 0)
            err = ONWARD_ECALLBACK;
        if (err == 0)
            err = onward_dkim_signer_feed(signer, piece, got);
    }
    return err == 0 ? onward_dkim_signer_finish(signer) : err;
}

int dkim_sign_ours(const struct setup *setup, struct onward_str address,
                   const struct onward_source *content,
                   const struct onward_dkim_signer_host *host,
                   struct onward_dkim_signer **signer)
{
    const struct dkim_key *list[SIGNATURES_MAX];
    size_t count = choose(setup, address, list);
    int err = 0;

    if (count == 0)
        return 0;
    for (size_t i = 0; i < count && err == 0; i++) {
        const struct onward_dkim_signer_opts o = opts_of(list[i]);

        err = i == 0 ? onward_dkim_signer_new(list[0]->signer, &o, host, signer)
                     : onward_dkim_signer_add(*signer, list[i]->signer, &o);
    }
    if (err == 0)
        err = feed(*signer, content);
    if (err == 0)
        return 1;
    onward_dkim_signer_free(*signer);
    *signer = NULL;
    return -1;
}
