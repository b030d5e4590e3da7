/* To whom, and as whom, a handler may send. */
#include "handler/binding_priv.h"

enum { MAX_ADDRESSES = 10000, ARENA_BYTES = 16 * 1024 * 1024 };

struct address {
    struct onward_core__node node;
    struct onward_str text;
};

int onward_binding_new(struct onward_ctx *ctx, struct onward_binding **binding)
{
    struct onward_binding *b;

    if (ctx == NULL || binding == NULL)
        return ONWARD_EINVAL;
    b = onward_core__zalloc(ctx, sizeof(*b));
    if (b == NULL)
        return ONWARD_ENOMEM;
    b->ctx = onward_ctx_ref(ctx);
    onward_core__arena_init(&b->arena, ctx, ARENA_BYTES);
    if (onward_core__table_init(&b->destinations, ctx) != 0 ||
        onward_core__table_init(&b->senders, ctx) != 0) {
        onward_binding_free(b);
        return ONWARD_ENOMEM;
    }
    *binding = b;
    return 0;
}

void onward_binding_free(struct onward_binding *binding)
{
    struct onward_ctx *ctx;

    if (binding == NULL)
        return;
    ctx = binding->ctx;
    onward_core__table_clear(&binding->destinations);
    onward_core__table_clear(&binding->senders);
    onward_core__arena_clear(&binding->arena);
    onward_core__free(ctx, binding);
    onward_ctx_free(ctx);
}

static int read_text(struct onward_binding *b, struct onward_str in,
                     struct onward_str *text)
{
    struct onward_address__mailbox mailbox;
    int err = onward_handler__address(&b->arena, in, &mailbox, text);

    return err == 0 || err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
}

static bool has(const struct onward_binding *b,
                const struct onward_core__table *t, struct onward_str text)
{
    struct onward_core__node *n = onward_core__table_find(
        t, onward_core__hash(b->ctx, text.data, text.len));

    for (; n != NULL; n = onward_core__table_find_next(n)) {
        if (onward_core__str_eq(ONWARD_CONTAINER(n, struct address, node)->text,
                                text))
            return true;
    }
    return false;
}

static int add(struct onward_binding *b, struct onward_core__table *t,
               struct onward_str in)
{
    struct address *a;
    int err;

    if (t->count >= MAX_ADDRESSES)
        return ONWARD_ELIMIT;
    a = onward_core__arena_alloc(&b->arena, sizeof(*a));
    if (a == NULL)
        return ONWARD_ENOMEM;
    err = read_text(b, in, &a->text);
    if (err == 0 && !has(b, t, a->text))
        onward_core__table_add(
            t, &a->node, onward_core__hash(b->ctx, a->text.data, a->text.len));
    return err;
}

int onward_binding_set_destination(struct onward_binding *binding,
                                   struct onward_str address)
{
    if (binding->one.len != 0 || binding->destinations.count != 0)
        return ONWARD_ESTATE;
    return read_text(binding, address, &binding->one);
}

int onward_binding_allow_destination(struct onward_binding *binding,
                                     struct onward_str address)
{
    if (binding->one.len != 0)
        return ONWARD_ESTATE;
    return add(binding, &binding->destinations, address);
}

int onward_binding_allow_sender(struct onward_binding *binding,
                                struct onward_str address)
{
    return add(binding, &binding->senders, address);
}

bool onward_handler__may_send_to(const struct onward_binding *b,
                                 struct onward_str text)
{
    if (b == NULL)
        return true;
    if (b->one.len != 0)
        return onward_core__str_eq(b->one, text);
    return b->destinations.count == 0 || has(b, &b->destinations, text);
}

bool onward_handler__may_send_as(const struct onward_binding *b,
                                 struct onward_str text)
{
    return b == NULL || b->senders.count == 0 || has(b, &b->senders, text);
}
