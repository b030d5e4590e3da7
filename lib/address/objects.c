/*
 * The public objects: a value of the parser, with the memory it points into.
 */
#include "address/address_shared.h"

#include "core/domain_shared.h"

enum {
    MAILBOX_BYTES = 8192, /* one address with all of its forms */
    DEFAULT_MAX_MAILBOXES = 1000
};

struct onward_mailbox {
    struct onward_arena arena; /* of one on its own; else unused */
    struct onward_address__mailbox value;
    struct onward_str text;
    struct onward_str domain_unicode;
};

struct named_mailbox {
    struct onward_mailbox mailbox;
    struct onward_str display_name, group;
};

struct onward_address_list {
    struct onward_arena arena;
    struct named_mailbox *items;
    size_t count;
    const char *fault;
    size_t fault_at;
};

/* The address as text and its domain in U-labels, in arena. */
static int make_text(struct onward_arena *arena, struct onward_mailbox *mailbox)
{
    struct onward_buf text;
    int ret;

    onward_core__buf_init(&text, arena->ctx, SIZE_MAX);
    ret = onward_address__write(&text, &mailbox->value,
                                ONWARD_ADDRESS_AS_WRITTEN);
    if (ret == 0)
        ret = onward_core__arena_dup(arena, onward_core__buf_str(&text),
                                     &mailbox->text);
    onward_core__buf_clear(&text);
    if (ret != 0)
        return ret;
    return onward_core__domain_to_unicode(arena, mailbox->value.domain_ascii,
                                          &mailbox->domain_unicode);
}

static int fill_mailbox(struct onward_mailbox *m, struct onward_str text,
                        unsigned flags)
{
    struct onward_str copy;
    int ret;

    /* Too long for any address: no copy of it is needed to say so. */
    if (text.len > ONWARD_ADDRESS_PATH_MAX)
        return ONWARD_ELIMIT;
    ret = onward_core__arena_dup(&m->arena, text, &copy);
    if (ret == 0)
        ret = onward_address__parse_mailbox(&m->arena, copy, flags, &m->value,
                                            NULL);
    return ret == 0 ? make_text(&m->arena, m) : ret;
}

int onward_mailbox_parse(struct onward_ctx *ctx, struct onward_str text,
                         uint64_t flags, struct onward_mailbox **mailbox)
{
    bool allow_utf8 = (flags & ONWARD_MAILBOX_ALLOW_UTF8) != 0;
    struct onward_mailbox *m = onward_core__zalloc(ctx, sizeof(*m));
    int ret;

    if (m == NULL)
        return ONWARD_ENOMEM;
    onward_core__arena_init(&m->arena, onward_ctx_ref(ctx), MAILBOX_BYTES);
    ret = fill_mailbox(m, text, allow_utf8 ? ONWARD_ADDRESS_ALLOW_UTF8 : 0);
    if (ret != 0) {
        onward_mailbox_free(m);
        return ret;
    }
    *mailbox = m;
    return 0;
}

void onward_mailbox_free(struct onward_mailbox *mailbox)
{
    struct onward_ctx *ctx;

    if (mailbox == NULL)
        return;
    ctx = mailbox->arena.ctx;
    onward_core__arena_clear(&mailbox->arena);
    onward_core__free(ctx, mailbox);
    onward_ctx_free(ctx);
}

struct onward_str
onward_mailbox_local_part(const struct onward_mailbox *mailbox)
{
    return mailbox->value.local_part;
}

struct onward_str onward_mailbox_domain(const struct onward_mailbox *mailbox)
{
    return mailbox->value.domain;
}

struct onward_str
onward_mailbox_domain_ascii(const struct onward_mailbox *mailbox)
{
    return mailbox->value.domain_ascii;
}

struct onward_str
onward_mailbox_domain_unicode(const struct onward_mailbox *mailbox)
{
    return mailbox->domain_unicode;
}

int onward_mailbox_literal(const struct onward_mailbox *mailbox,
                           struct onward_ip *ip)
{
    if (mailbox->value.literal.family == 0)
        return 0;
    *ip = mailbox->value.literal;
    return 1;
}

int onward_mailbox_is_utf8(const struct onward_mailbox *mailbox)
{
    return mailbox->value.is_utf8;
}

struct onward_str onward_mailbox_text(const struct onward_mailbox *mailbox)
{
    return mailbox->text;
}

int onward_mailbox_equal(const struct onward_mailbox *a,
                         const struct onward_mailbox *b, uint64_t flags)
{
    return onward_address__equal(&a->value, &b->value,
                                 (flags & ONWARD_MAILBOX_FOLD_LOCAL) != 0);
}

const struct onward_address__mailbox *
onward_address__value(const struct onward_mailbox *mailbox)
{
    return &mailbox->value;
}

static int keep_items(struct onward_address_list *l,
                      const struct onward_address__list *found)
{
    const struct onward_address__item *from = found->first;

    if (found->count == 0)
        return 0;
    l->items =
        onward_core__arena_array(&l->arena, found->count, sizeof(l->items[0]));
    if (l->items == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < found->count; i++, from = from->next) {
        int ret;

        l->items[i].mailbox.value = from->mailbox;
        l->items[i].display_name = from->display_name;
        l->items[i].group = from->group;
        ret = make_text(&l->arena, &l->items[i].mailbox);
        if (ret != 0)
            return ret;
    }
    l->count = found->count;
    return 0;
}

static int fill_list(struct onward_address_list *l, struct onward_str body,
                     size_t max_mailboxes)
{
    struct onward_address__fault fault = {0};
    struct onward_address__list found;
    struct onward_str copy;
    int ret = onward_core__arena_dup(&l->arena, body, &copy);

    if (ret != 0)
        return ret;
    ret = onward_address__parse_list(&l->arena, copy, max_mailboxes, &found,
                                     &fault);
    if (ret == ONWARD_ESYNTAX) {
        l->fault = fault.what;
        l->fault_at = fault.at;
        return 0;
    }
    return ret == 0 ? keep_items(l, &found) : ret;
}

int onward_address_list_parse(struct onward_ctx *ctx, struct onward_str body,
                              const struct onward_address_list_opts *opts,
                              struct onward_address_list **list)
{
    struct onward_address_list_opts o;
    struct onward_address_list *l;
    int ret = onward_core__opts_load(&o, sizeof(o), opts);

    if (ret != 0)
        return ret;
    l = onward_core__zalloc(ctx, sizeof(*l));
    if (l == NULL)
        return ONWARD_ENOMEM;
    onward_core__arena_init(&l->arena, onward_ctx_ref(ctx), SIZE_MAX);
    ret = fill_list(l, body,
                    onward_core__limit(o.max_mailboxes, DEFAULT_MAX_MAILBOXES));
    if (ret != 0) {
        onward_address_list_free(l);
        return ret;
    }
    *list = l;
    return 0;
}

void onward_address_list_free(struct onward_address_list *list)
{
    struct onward_ctx *ctx;

    if (list == NULL)
        return;
    ctx = list->arena.ctx;
    onward_core__arena_clear(&list->arena);
    onward_core__free(ctx, list);
    onward_ctx_free(ctx);
}

const char *onward_address_list_fault(const struct onward_address_list *list,
                                      size_t *offset)
{
    if (list->fault != NULL && offset != NULL)
        *offset = list->fault_at;
    return list->fault;
}

size_t onward_address_list_count(const struct onward_address_list *list)
{
    return list->count;
}

const struct onward_mailbox *
onward_address_list_mailbox(const struct onward_address_list *list, size_t i)
{
    return i < list->count ? &list->items[i].mailbox : NULL;
}

struct onward_str
onward_address_list_display_name(const struct onward_address_list *list,
                                 size_t i)
{
    return i < list->count ? list->items[i].display_name
                           : (struct onward_str){0};
}

struct onward_str
onward_address_list_group(const struct onward_address_list *list, size_t i)
{
    return i < list->count ? list->items[i].group : (struct onward_str){0};
}
