/*
 * The life of an image, and looking things up in it.
 */
#include "ruleset/image_priv.h"

#include "core/domain_shared.h"

/* ---- Life -------------------------------------------------------------- */

struct onward_ruleset__image *
onward_ruleset__image_ref(struct onward_ruleset__image *image)
{
    atomic_fetch_add_explicit(&image->owners, 1, memory_order_relaxed);
    return image;
}

void onward_ruleset__image_free(struct onward_ruleset__image *image)
{
    struct onward_ctx *ctx;

    if (image == NULL || atomic_fetch_sub_explicit(&image->owners, 1,
                                                   memory_order_acq_rel) != 1)
        return;
    ctx = image->ctx;
    if (image->is_mapped && image->host.release != NULL)
        image->host.release(image->host.user);
    for (size_t i = 0; !image->is_mapped && i < ONWARD_RULESET__SECTIONS; i++)
        onward_core__free(ctx, (void *)(uintptr_t)image->sections[i].data);
    onward_core__free(ctx, image);
    onward_ctx_free(ctx);
}

/* ---- Zones ------------------------------------------------------------- */

static int open_at(const struct onward_ruleset__image *image, uint64_t at,
                   struct onward_ruleset__record *rec)
{
    const struct onward_ruleset__span *zones =
        &image->sections[ONWARD_RULESET__ZONES];

    if (at >= zones->len)
        return ONWARD_ELIMIT;
    return onward_ruleset__record_open(rec, zones->data + at, zones->len - at);
}

/* A small record is a few lines of cache; they come together instead of one
 * after the other. */
static void expect_record(const struct onward_ruleset__span *zones,
                          uint64_t place)
{
    if (zones->len <= 256 || zones->len - 256 <= place)
        return;
    ONWARD_PREFETCH(zones->data + place);
    ONWARD_PREFETCH(zones->data + place + 64);
    ONWARD_PREFETCH(zones->data + place + 128);
    ONWARD_PREFETCH(zones->data + place + 192);
}

static void probe_zone(struct onward_ruleset__probe *probe,
                       const struct onward_ruleset__image *image,
                       uint64_t hash)
{
    onward_ruleset__probe_init(
        probe, image->sections[ONWARD_RULESET__ZONE_INDEX].data,
        image->zone_bits, hash);
}

void onward_ruleset__image_expect_slot(
    const struct onward_ruleset__image *image, uint64_t hash)
{
    struct onward_ruleset__probe probe;

    probe_zone(&probe, image, hash);
    ONWARD_PREFETCH(probe.slots + 8 * (size_t)probe.at);
}

void onward_ruleset__image_expect_zone(
    const struct onward_ruleset__image *image, uint64_t hash)
{
    struct onward_ruleset__probe probe;
    uint64_t place;

    probe_zone(&probe, image, hash);
    place = onward_ruleset__probe_next(&probe);
    if (place != 0)
        expect_record(&image->sections[ONWARD_RULESET__ZONES], place);
}

int onward_ruleset__image_zone(const struct onward_ruleset__image *image,
                               struct onward_str name, uint64_t hash,
                               struct onward_ruleset__record *rec,
                               uint64_t *number)
{
    const struct onward_ruleset__span *zones =
        &image->sections[ONWARD_RULESET__ZONES];
    struct onward_ruleset__probe probe;
    uint64_t place;

    probe_zone(&probe, image, hash);
    while ((place = onward_ruleset__probe_next(&probe)) != 0) {
        int err;

        expect_record(zones, place);
        err = open_at(image, place, rec);
        if (err != 0)
            return err;
        if (onward_ruleset__record_has(rec, name, number))
            return 1;
    }
    return 0;
}

int onward_ruleset__image_next(const struct onward_ruleset__image *image,
                               uint64_t *at,
                               struct onward_ruleset__record *rec)
{
    uint64_t len = image->sections[ONWARD_RULESET__ZONES].len;
    int err;

    *at = *at == 0 ? 8 : *at;
    if (*at >= len)
        return 0;
    err = open_at(image, *at, rec);
    if (err != 0 || rec->size % 8 != 0)
        return ONWARD_ELIMIT;
    *at += rec->size;
    return 1;
}

/* ---- Addresses --------------------------------------------------------- */

static struct onward_ruleset__reader
address_at(const struct onward_ruleset__image *image, uint64_t at)
{
    const struct onward_ruleset__span *span =
        &image->sections[ONWARD_RULESET__ADDRESSES];

    if (at >= span->len)
        return (struct onward_ruleset__reader){NULL, NULL, true};
    return (struct onward_ruleset__reader){span->data + at,
                                           span->data + span->len, false};
}

static enum onward_ruleset_state
read_state(struct onward_ruleset__reader *in)
{
    unsigned state = onward_ruleset__read_u8(in);

    return state == ONWARD_RULESET_STATE_VERIFIED ||
                   state == ONWARD_RULESET_STATE_REVOKED
               ? (enum onward_ruleset_state)state
               : ONWARD_RULESET_STATE_PENDING;
}

enum onward_ruleset_state
onward_ruleset__image_entry(const struct onward_ruleset__image *image,
                            struct onward_str text)
{
    struct onward_ruleset__probe probe;
    uint64_t place;

    onward_ruleset__probe_init(
        &probe, image->sections[ONWARD_RULESET__ADDRESS_INDEX].data,
        image->address_bits,
        onward_core__siphash(image->key, text.data, text.len));
    while ((place = onward_ruleset__probe_next(&probe)) != 0) {
        struct onward_ruleset__reader in = address_at(image, place);
        enum onward_ruleset_state state = read_state(&in);

        if (onward_core__str_eq(onward_ruleset__read_str(&in), text) &&
            !in.is_bad)
            return state;
    }
    return ONWARD_RULESET_STATE_UNKNOWN;
}

enum onward_ruleset_state
onward_ruleset__image_address(const struct onward_ruleset__image *image,
                              struct onward_str address)
{
    char any[2 + ONWARD_DOMAIN_MAX] = "*@";
    size_t at = onward_core__str_rfind(address, '@');
    enum onward_ruleset_state state;
    size_t len;

    if (image->sections[ONWARD_RULESET__ADDRESSES].len <= 8)
        return ONWARD_RULESET_STATE_UNKNOWN;
    state = onward_ruleset__image_entry(image, address);
    if (state != ONWARD_RULESET_STATE_UNKNOWN || at == address.len)
        return state;
    len = address.len - at - 1;
    if (len > ONWARD_DOMAIN_MAX)
        return state;
    memcpy(any + 2, address.data + at + 1, len);
    return onward_ruleset__image_entry(image, onward_core__str(any, 2 + len));
}

int onward_ruleset__image_next_address(
    const struct onward_ruleset__image *image, uint64_t *at,
    struct onward_str *address, enum onward_ruleset_state *state)
{
    struct onward_ruleset__reader in;
    uint64_t len = image->sections[ONWARD_RULESET__ADDRESSES].len;

    *at = *at == 0 ? 8 : *at;
    if (*at >= len)
        return 0;
    in = address_at(image, *at);
    *state = read_state(&in);
    *address = onward_ruleset__read_str(&in);
    if (in.is_bad)
        return ONWARD_ELIMIT;
    *at = len - (uint64_t)(in.end - in.at);
    *at = (*at + 7) & ~UINT64_C(7);
    return 1;
}

/* ---- Verified destinations --------------------------------------------- */

static void verify_body(const struct onward_ruleset__image *image,
                        const struct onward_ruleset__record *rec,
                        const struct onward_ruleset__rule *rule,
                        unsigned char *data)
{
    struct onward_ruleset__body body;
    struct onward_ruleset__deed deed;

    onward_ruleset__body_open(&body, rec, rule);
    while (onward_ruleset__body_next(&body, &deed) == 1) {
        struct onward_ruleset__reader *in = &deed.destinations;

        for (size_t i = 0; i < deed.destination_count; i++) {
            unsigned char *flags = data + (in->at - rec->data);
            struct onward_str text;

            (void)onward_ruleset__read_u8(in);
            text = onward_ruleset__read_str(in);
            if ((*flags & ONWARD_RULESET__DESTINATION_TEMPLATE) != 0)
                continue;
            *flags &= (unsigned char)~ONWARD_RULESET__DESTINATION_VERIFIED;
            if (onward_ruleset__image_address(image, text) ==
                ONWARD_RULESET_STATE_VERIFIED)
                *flags |= ONWARD_RULESET__DESTINATION_VERIFIED;
        }
    }
}

void onward_ruleset__verify_record(const struct onward_ruleset__image *image,
                                   const struct onward_ruleset__record *rec,
                                   unsigned char *data)
{
    const unsigned char *end = rec->domains;

    for (const unsigned char *slot = rec->literals; slot < end; slot += 4) {
        uint32_t offset = onward_ruleset__load32(slot);
        struct onward_ruleset__rule rule;

        if (offset != 0 &&
            onward_ruleset__record_rule(rec, offset, &rule) == 0)
            verify_body(image, rec, &rule, data);
    }
}
