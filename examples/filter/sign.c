/* Signatures: by DKIM of what is ours, by ARC of what has come to us. */
#define _GNU_SOURCE
#include <string.h>

#include "filter_priv.h"

static int feed_signer(void *user, const void *data, size_t len)
{
    return onward_dkim_signer_feed(user, data, len);
}

static int feed_sealer(void *user, const void *data, size_t len)
{
    return onward_arc_sealer_feed(user, data, len);
}

/* What cannot be signed or sealed goes without, as it came. */
static bool is_unsignable(int err)
{
    return err == ONWARD_ENOENT || err == ONWARD_ESYNTAX ||
           err == ONWARD_ELIMIT;
}

/* ---- DKIM -------------------------------------------------------------- */

/*
 * The domain of the one author, in A-labels. 1; 0: there is none or are
 * several, of which no table says who signs; or negative. list has to be freed.
 */
static int find_author(const struct filter *f,
                       struct onward_address_list **list,
                       struct onward_str *domain)
{
    const struct onward_header *h = f->own;
    const struct onward_str name = ONWARD_STR("From");
    int err;

    if (onward_header_count_named(h, name) != 1)
        return 0;
    err = onward_address_list_parse(
        f->setup->ctx, onward_header_value(h, onward_header_first(h, name)),
        NULL, list);
    if (err != 0)
        return err == ONWARD_ELIMIT ? 0 : err;
    if (onward_address_list_count(*list) != 1)
        return 0;
    *domain =
        onward_mailbox_domain_ascii(onward_address_list_mailbox(*list, 0));
    return domain->len != 0;
}

/* Who signs for that author: as the first row that takes it says; else the
 * domain itself, or the nearest above it that has a key. */
static struct onward_str signs_for(const struct filter_setup *setup,
                                   struct onward_str author)
{
    const struct config_list *list = &setup->settings->dkim_for;

    for (size_t i = 0; i < list->count; i++) {
        const char *row = list->items[i];
        size_t len = strcspn(row, " \t");
        char pattern[260] = "";

        memcpy(pattern, row, len < sizeof(pattern) ? len : 0);
        if (filter_matches(pattern, author))
            return onward_str_of(filter_second(row));
    }
    while (author.len > 0 && !filter_has_key(setup, author)) {
        const char *dot = memchr(author.data, '.', author.len);
        size_t gone =
            dot == NULL ? author.len : (size_t)(dot - author.data) + 1;

        author.data += gone;
        author.len -= gone;
    }
    return author;
}

static void signed_all(void *user, struct onward_dkim_signer *signer,
                       int status)
{
    struct filter *f = user;

    if (status == 0 &&
        filter_put_fields(f, onward_dkim_signer_field(signer)) != 0)
        status = ONWARD_ENOMEM;
    filter_signed(f, status);
}

static int add_key(struct filter *f, const struct filter_key *key)
{
    const struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = f, .done = signed_all};
    const struct onward_dkim_signer_opts o = {
        .size = sizeof(o),
        .domain = onward_str_of(key->domain),
        .selector = onward_str_of(key->selector)};

    f->signed_by = key->domain;
    return f->signer == NULL
               ? onward_dkim_signer_new(key->signer, &o, &host, &f->signer)
               : onward_dkim_signer_add(f->signer, key->signer, &o);
}

static int add_keys(struct filter *f, struct onward_str domain)
{
    const struct filter_setup *setup = f->setup;
    int err = 0;

    for (size_t i = 0; i < setup->key_count && err == 0; i++) {
        struct onward_str d = onward_str_of(setup->keys[i].domain);

        if (d.len == domain.len && strncasecmp(d.data, domain.data, d.len) == 0)
            err = add_key(f, &setup->keys[i]);
    }
    return err;
}

/* Without these a message is no less ours. */
static int go_unsigned(struct filter *f, const char *why)
{
    onward_dkim_signer_free(f->signer);
    f->signer = NULL;
    f->signed_by = NULL;
    f->unsigned_why = why;
    return 0;
}

int filter_sign_begin(struct filter *f)
{
    struct onward_address_list *list = NULL;
    struct onward_str author;
    int ret;

    if (f->setup->key_count == 0)
        return 0;
    ret = find_author(f, &list, &author);
    if (ret == 1)
        ret = add_keys(f, signs_for(f->setup, author));
    else if (ret == 0)
        f->unsigned_why = "not one author";
    onward_address_list_free(list);
    if (ret == 0 && f->signer != NULL)
        ret = filter_feed_header(f, feed_signer, f->signer);
    if (ret == ONWARD_ELIMIT)
        return go_unsigned(f, "too long");
    if (ret == 0 && f->signer == NULL && f->unsigned_why == NULL)
        f->unsigned_why = "no key for the author's domain";
    return ret < 0 ? ret : f->signer != NULL;
}

int filter_sign_finish(struct filter *f)
{
    int err = onward_dkim_signer_finish(f->signer);

    if (is_unsignable(err))
        return go_unsigned(f, err == ONWARD_ESYNTAX ? "malformed" : "too long");
    return err == 0 ? 1 : err;
}

/* ---- ARC --------------------------------------------------------------- */

static void sealed(void *user, struct onward_arc_sealer *sealer, int status)
{
    struct filter *f = user;

    if (status == 0 &&
        filter_put_fields(f, onward_arc_sealer_fields(sealer)) != 0)
        status = ONWARD_ENOMEM;
    f->is_sealed = status == 0;
    filter_signed(f, status);
}

int filter_seal(struct filter *f)
{
    const struct filter_settings *s = f->setup->settings;
    struct onward_arc_sealer_opts o = {.size = sizeof(o),
                                       .domain = onward_str_of(s->seal_domain),
                                       .selector =
                                           onward_str_of(s->seal_selector)};
    const struct onward_arc_sealer_host host = {
        .size = sizeof(host), .user = f, .done = sealed};
    int err;

    if (f->setup->sealer == NULL)
        return 0;
    err = onward_verifier_sealing(f->verifier, &o);
    if (err != 0)
        return err;
    o.authserv_id = f->setup->authserv_id; /* as it was written */
    err = onward_arc_sealer_new(f->setup->sealer, &o, &host, &f->sealer);
    if (err == 0)
        err = filter_feed_header(f, feed_sealer, f->sealer);
    if (err == 0)
        err = onward_arc_sealer_finish(f->sealer);
    if (is_unsignable(err))
        return 0;
    return err == 0 ? 1 : err;
}
