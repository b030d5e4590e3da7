/*
 * Building an image: records and addresses are appended, and their indexes
 * grow along; each domain is taken once.
 */
#include "ruleset/image_priv.h"

int onward_ruleset__build_init(struct onward_ruleset__build *build,
                               struct onward_ctx *ctx, const uint64_t *key)
{
    static const unsigned char nothing[8];
    int err = 0;

    *build = (struct onward_ruleset__build){.ctx = ctx};
    onward_core__buf_init(&build->zones, ctx, SIZE_MAX);
    onward_core__buf_init(&build->addresses, ctx, SIZE_MAX);
    if (key != NULL)
        memcpy(build->key, key, sizeof(build->key));
    else
        err = onward_core__random(ctx, build->key, sizeof(build->key));
    if (err == 0)
        err = onward_ruleset__index_init(&build->zone_index, ctx);
    if (err == 0)
        err = onward_ruleset__index_init(&build->address_index, ctx);
    if (err == 0)
        err = onward_core__buf_add(&build->zones, nothing, sizeof(nothing));
    if (err == 0)
        err = onward_core__buf_add(&build->addresses, nothing, sizeof(nothing));
    if (err != 0)
        onward_ruleset__build_clear(build);
    return err;
}

void onward_ruleset__build_clear(struct onward_ruleset__build *build)
{
    if (build->ctx == NULL)
        return;
    onward_core__buf_clear(&build->zones);
    onward_core__buf_clear(&build->addresses);
    onward_ruleset__index_clear(&build->zone_index);
    onward_ruleset__index_clear(&build->address_index);
    *build = (struct onward_ruleset__build){0};
}

/* Looks like an image, for a look-up. Not to be freed. */
static void view(const struct onward_ruleset__build *build,
                 struct onward_ruleset__image *image)
{
    *image = (struct onward_ruleset__image){
        .sections = {{build->zone_index.slots, UINT64_C(8)
                                                   << build->zone_index.bits},
                     {build->zones.data, build->zones.len},
                     {build->address_index.slots,
                      UINT64_C(8) << build->address_index.bits},
                     {build->addresses.data, build->addresses.len}},
        .zone_bits = build->zone_index.bits,
        .address_bits = build->address_index.bits,
        .key = {build->key[0], build->key[1]}};
}

static int take_domain(struct onward_ruleset__build *build, size_t start,
                       struct onward_str name,
                       struct onward_ruleset__record *by)
{
    uint64_t hash = onward_core__siphash(build->key, name.data, name.len);
    struct onward_ruleset__image image;
    uint64_t number;
    int ret;

    view(build, &image);
    ret = onward_ruleset__image_zone(&image, name, hash, by, &number);
    if (ret != 0)
        return ret == 1 ? ONWARD_ESTATE : ret;
    return onward_ruleset__index_add(&build->zone_index, hash, start);
}

int onward_ruleset__build_zone(struct onward_ruleset__build *build,
                               size_t start, struct onward_str *taken,
                               struct onward_ruleset__record *by)
{
    struct onward_ruleset__record rec;
    int err = onward_ruleset__record_open(&rec, build->zones.data + start,
                                          build->zones.len - start);

    if (err != 0)
        return err;
    *taken = rec.name;
    err = take_domain(build, start, rec.name, by);
    for (uint32_t i = 0; err == 0 && i < rec.domain_count; i++) {
        *taken = onward_ruleset__record_domain(&rec, i);
        err = take_domain(build, start, *taken, by);
    }
    if (err != 0)
        return err;
    build->zone_count++;
    build->rule_count +=
        (uint64_t)rec.literal_count + rec.filter_count + rec.catch_count;
    if ((rec.flags & ONWARD_RULESET__ZONE_WILDCARD) != 0)
        build->has_wildcard = true;
    return 0;
}

int onward_ruleset__build_address(struct onward_ruleset__build *build,
                                  struct onward_str address,
                                  enum onward_ruleset_state state)
{
    uint64_t hash =
        onward_core__siphash(build->key, address.data, address.len);
    size_t start = build->addresses.len;
    struct onward_ruleset__image image;
    struct onward_ruleset__probe probe;
    uint64_t place;

    view(build, &image);
    onward_ruleset__probe_init(&probe, build->address_index.slots,
                               build->address_index.bits, hash);
    while ((place = onward_ruleset__probe_next(&probe)) != 0) {
        enum onward_ruleset_state before;
        struct onward_str text;

        if (onward_ruleset__image_next_address(&image, &place, &text,
                                               &before) == 1 &&
            onward_core__str_eq(text, address))
            return ONWARD_ESTATE;
    }
    onward_core__buf_add_byte(&build->addresses, (unsigned char)state);
    onward_ruleset__put_str(&build->addresses, address);
    while (build->addresses.err == 0 && build->addresses.len % 8 != 0)
        onward_core__buf_add_byte(&build->addresses, 0);
    if (build->addresses.err != 0)
        return build->addresses.err;
    return onward_ruleset__index_add(&build->address_index, hash, start);
}

/* What was reserved for more is given back. */
static unsigned char *settle(struct onward_buf *buf)
{
    unsigned char *data = onward_core__realloc(buf->ctx, buf->data, buf->len);

    if (data != NULL)
        buf->data = data;
    data = buf->data;
    buf->data = NULL;
    buf->len = buf->cap = 0;
    return data;
}

static void verify_all(struct onward_ruleset__image *image)
{
    unsigned char *zones =
        (unsigned char *)(uintptr_t)image->sections[ONWARD_RULESET__ZONES].data;
    struct onward_ruleset__record rec;
    uint64_t at = 0;

    while (onward_ruleset__image_next(image, &at, &rec) == 1)
        onward_ruleset__verify_record(image, &rec, zones + (rec.data - zones));
}

int onward_ruleset__build_end(struct onward_ruleset__build *build,
                              struct onward_ruleset__image **image)
{
    struct onward_ruleset__image *made =
        onward_core__zalloc(build->ctx, sizeof(*made));

    if (made == NULL) {
        onward_ruleset__build_clear(build);
        return ONWARD_ENOMEM;
    }
    view(build, made);
    made->ctx = onward_ctx_ref(build->ctx);
    atomic_init(&made->owners, 1);
    made->zone_count = build->zone_count;
    made->rule_count = build->rule_count;
    made->has_wildcard = build->has_wildcard;
    made->sections[ONWARD_RULESET__ZONES].data = settle(&build->zones);
    made->sections[ONWARD_RULESET__ADDRESSES].data = settle(&build->addresses);
    build->zone_index.slots = build->address_index.slots = NULL;
    *build = (struct onward_ruleset__build){0};
    if (made->sections[ONWARD_RULESET__ADDRESSES].len > 8)
        verify_all(made);
    *image = made;
    return 0;
}
