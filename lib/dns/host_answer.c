/*
 * What the host answers, by token. Answers only record: evaluators go on at
 * the next onward_desk_run().
 */
#include "dns/resolver_priv.h"

static struct onward_dns__entry *find_open(struct onward_desk *desk,
                                           uint64_t token)
{
    struct onward_core__ask *ask =
        onward_core__ask_find(desk, token, ONWARD_ASK_DNS);

    if (ask == NULL)
        return NULL;
    return ONWARD_CONTAINER(ask, struct onward_dns__entry, ask);
}

typedef int read_fn(struct onward_ctx *ctx, struct onward_str reply,
                    const struct onward_dns__name *name, uint16_t type,
                    struct onward_dns__builder *b,
                    struct onward_dns__found *found);

static int read_packet(struct onward_ctx *ctx, struct onward_str reply,
                       const struct onward_dns__name *name, uint16_t type,
                       struct onward_dns__builder *b,
                       struct onward_dns__found *found)
{
    (void)ctx;
    return onward_dns__read_wire(reply.data, reply.len, name, type, b, found);
}

static void log_bad_reply(const struct onward_resolver *r, int err,
                          const struct onward_dns__name *name)
{
    char text[ONWARD_DNS_NAME_TEXT_MAX];
    size_t len = onward_dns__name_to_text(name->octets, name->len, text);

    if (err != ONWARD_ENOMEM)
        onward_core__log(r->ctx, ONWARD_LOG_WARN, "dns",
                         err == ONWARD_ELIMIT ? "reply-too-much"
                                              : "reply-malformed",
                         r->opts.log_id, onward_core__str(text, len));
}

static int answer(struct onward_desk *desk, uint64_t token,
                  struct onward_str reply, uint64_t flags, read_fn *parse)
{
    struct onward_dns__found found = {.is_secure =
                                          (flags & ONWARD_DNS_SECURE) != 0};
    struct onward_dns__entry *entry;
    struct onward_dns__builder b;
    struct onward_dns__name name;
    struct onward_ctx *ctx;
    int err;

    if (desk == NULL || (reply.data == NULL && reply.len != 0) ||
        (flags & ~(uint64_t)ONWARD_DNS_SECURE) != 0)
        return ONWARD_EINVAL;
    entry = find_open(desk, token);
    if (entry == NULL)
        return ONWARD_ESTALE;
    ctx = onward_core__desk_ctx(desk);
    onward_dns__entry_name(entry, &name);
    onward_dns__builder_init(&b, ctx);
    err = parse(ctx, reply, &name, entry->type, &b, &found);
    if (err == 0 && found.status == ONWARD_DNS__TEMP)
        onward_dns__entry_fail(entry, &onward_dns__answer_temp);
    else if (err == 0)
        err = onward_dns__entry_conclude(entry, &found, &b, true);
    onward_dns__builder_clear(&b);
    if (err < 0) {
        log_bad_reply(entry->resolver, err, &name);
        onward_dns__entry_fail(entry, &onward_dns__answer_temp);
    }
    return err;
}

int onward_dns_answer_wire(struct onward_desk *desk, uint64_t token,
                           const void *packet, size_t len, uint64_t flags)
{
    if (packet == NULL)
        return ONWARD_EINVAL;
    return answer(desk, token, onward_core__str(packet, len), flags,
                  read_packet);
}

int onward_dns_answer_text(struct onward_desk *desk, uint64_t token,
                           struct onward_str text, uint64_t flags)
{
    return answer(desk, token, text, flags, onward_dns__read_text);
}

/* NODATA or NXDOMAIN, of the CNAME's target when one is being followed. */
static int answer_negative(struct onward_dns__entry *entry,
                           enum onward_dns__status status)
{
    struct onward_dns__found found = {.status = status, .ttl_s = 0};
    struct onward_dns__builder b;
    int err;

    onward_dns__entry_name(entry, &found.name);
    onward_dns__builder_init(&b, entry->resolver->ctx);
    err = onward_dns__entry_conclude(entry, &found, &b, true);
    onward_dns__builder_clear(&b);
    if (err < 0) /* without memory it can still be said */
        onward_dns__entry_fail(entry, status == ONWARD_DNS__NXDOMAIN
                                          ? &onward_dns__answer_nxdomain
                                          : &onward_dns__answer_nodata);
    return 0;
}

int onward_dns_answer_error(struct onward_desk *desk, uint64_t token,
                            int failure)
{
    struct onward_dns__entry *entry;

    if (desk == NULL || failure < ONWARD_DNS_SERVFAIL ||
        failure > ONWARD_DNS_NXDOMAIN)
        return ONWARD_EINVAL;
    entry = find_open(desk, token);
    if (entry == NULL)
        return ONWARD_ESTALE;
    if (failure == ONWARD_DNS_NODATA)
        return answer_negative(entry, ONWARD_DNS__NODATA);
    if (failure == ONWARD_DNS_NXDOMAIN)
        return answer_negative(entry, ONWARD_DNS__NXDOMAIN);
    onward_dns__entry_fail(entry, failure == ONWARD_DNS_BOGUS
                                      ? &onward_dns__answer_bogus
                                      : &onward_dns__answer_temp);
    return 0;
}
