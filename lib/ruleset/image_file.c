/*
 * Images as files: opening one that is already in memory, writing one, and
 * looking at every octet of one.
 */
#include "ruleset/ruleset_priv.h"

enum {
    AT_VERSION = 4,
    AT_SIZE = 8,
    AT_KEY = 16,
    AT_ZONES = 32,
    AT_FLAGS = 36,
    AT_RULES = 40,
    AT_SECTIONS = 48,
    AT_TABLE = 56,
    AT_CHECK = 152,
    ENTRY = 24 /* octets of the section table */
};

static const unsigned char kind[4] = {'o', 'w', 'r', 's'};
static const uint64_t no_key[2];

static uint64_t checksum(const void *data, uint64_t len)
{
    return onward_core__siphash(no_key, data, (size_t)len);
}

/* ---- Opening ----------------------------------------------------------- */

static int check_head(const unsigned char *head, uint64_t len)
{
    if (len < ONWARD_RULESET__IMAGE_HEAD ||
        memcmp(head, kind, sizeof(kind)) != 0)
        return ONWARD_ESYNTAX;
    if (onward_ruleset__load32(head + AT_VERSION) !=
        ONWARD_RULESET__IMAGE_VERSION)
        return ONWARD_EVERSION;
    if (onward_ruleset__load64(head + AT_CHECK) != checksum(head, AT_CHECK) ||
        onward_ruleset__load64(head + AT_SIZE) != len ||
        onward_ruleset__load32(head + AT_SECTIONS) != ONWARD_RULESET__SECTIONS)
        return ONWARD_ESYNTAX;
    return 0;
}

/* Bits of an index of that many octets, or -1. */
static int bits_of(uint64_t len)
{
    for (int bits = 0; bits < 32; bits++) {
        if (len == UINT64_C(8) << bits)
            return bits;
    }
    return -1;
}

/* They follow each other from the head to the end. */
static int read_sections(struct onward_ruleset__image *image,
                         const unsigned char *file, uint64_t len)
{
    uint64_t at = ONWARD_RULESET__IMAGE_HEAD;
    int zone_bits, address_bits;

    for (size_t i = 0; i < ONWARD_RULESET__SECTIONS; i++) {
        const unsigned char *entry = file + AT_TABLE + ENTRY * i;
        uint64_t octets = onward_ruleset__load64(entry + 8);

        if (onward_ruleset__load64(entry) != at || octets > len - at ||
            octets < 8 || octets % 8 != 0)
            return ONWARD_ESYNTAX;
        image->sections[i].data = file + at;
        image->sections[i].len = octets;
        at += octets;
    }
    zone_bits = bits_of(image->sections[ONWARD_RULESET__ZONE_INDEX].len);
    address_bits = bits_of(image->sections[ONWARD_RULESET__ADDRESS_INDEX].len);
    if (at != len || zone_bits < 0 || address_bits < 0)
        return ONWARD_ESYNTAX;
    image->zone_bits = (unsigned)zone_bits;
    image->address_bits = (unsigned)address_bits;
    return 0;
}

int onward_ruleset__image_open(struct onward_ctx *ctx, struct onward_str file,
                               const struct onward_ruleset_image_owner *host,
                               struct onward_ruleset__image **image)
{
    const unsigned char *head = (const unsigned char *)file.data;
    struct onward_ruleset__image *made;
    int err = check_head(head, file.len);

    if (err != 0)
        return err;
    made = onward_core__zalloc(ctx, sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    atomic_init(&made->owners, 1);
    made->is_mapped = true;
    made->key[0] = onward_ruleset__load64(head + AT_KEY);
    made->key[1] = onward_ruleset__load64(head + AT_KEY + 8);
    made->zone_count = onward_ruleset__load32(head + AT_ZONES);
    made->rule_count = onward_ruleset__load64(head + AT_RULES);
    made->has_wildcard = (onward_ruleset__load32(head + AT_FLAGS) &
                          ONWARD_RULESET__IMAGE_WILDCARD) != 0;
    err = read_sections(made, head, file.len);
    if (err != 0) {
        onward_core__free(ctx, made);
        return err;
    }
    made->ctx = onward_ctx_ref(ctx);
    if (host != NULL)
        made->host = *host;
    *image = made;
    return 0;
}

/* ---- Writing ----------------------------------------------------------- */

static void make_head(const struct onward_ruleset__image *image,
                      unsigned char *head)
{
    uint64_t at = ONWARD_RULESET__IMAGE_HEAD;

    memcpy(head, kind, sizeof(kind));
    onward_ruleset__store32(head + AT_VERSION, ONWARD_RULESET__IMAGE_VERSION);
    onward_ruleset__store64(head + AT_KEY, image->key[0]);
    onward_ruleset__store64(head + AT_KEY + 8, image->key[1]);
    onward_ruleset__store32(head + AT_ZONES, image->zone_count);
    onward_ruleset__store32(
        head + AT_FLAGS,
        image->has_wildcard ? ONWARD_RULESET__IMAGE_WILDCARD : 0);
    onward_ruleset__store64(head + AT_RULES, image->rule_count);
    onward_ruleset__store32(head + AT_SECTIONS, ONWARD_RULESET__SECTIONS);
    for (size_t i = 0; i < ONWARD_RULESET__SECTIONS; i++) {
        const struct onward_ruleset__span *s = &image->sections[i];
        unsigned char *entry = head + AT_TABLE + ENTRY * i;

        onward_ruleset__store64(entry, at);
        onward_ruleset__store64(entry + 8, s->len);
        onward_ruleset__store64(entry + 16, checksum(s->data, s->len));
        at += s->len;
    }
    onward_ruleset__store64(head + AT_SIZE, at);
    onward_ruleset__store64(head + AT_CHECK, checksum(head, AT_CHECK));
}

int onward_ruleset__image_write(const struct onward_ruleset__image *image,
                                const struct onward_ruleset_image_sink *sink)
{
    enum { PIECE = 1 << 20 };
    unsigned char head[ONWARD_RULESET__IMAGE_HEAD] = {0};
    int ret;

    make_head(image, head);
    ret = sink->write(sink->user, head, sizeof(head));
    for (size_t i = 0; i < ONWARD_RULESET__SECTIONS; i++) {
        const struct onward_ruleset__span *s = &image->sections[i];

        for (uint64_t at = 0; ret >= 0 && at < s->len; at += PIECE)
            ret = sink->write(sink->user, s->data + at,
                              (size_t)(s->len - at < PIECE ? s->len - at
                                                           : PIECE));
    }
    return ret < 0 ? ONWARD_ECALLBACK : 0;
}

/* ---- Checking ---------------------------------------------------------- */

static const char *const section_names[ONWARD_RULESET__SECTIONS] = {
    "damaged zone index", "damaged zones", "damaged address index",
    "damaged addresses"};

static int check_sections(const unsigned char *file,
                          const struct onward_ruleset__image *image,
                          const char **what)
{
    for (size_t i = 0; i < ONWARD_RULESET__SECTIONS; i++) {
        const struct onward_ruleset__span *s = &image->sections[i];

        if (onward_ruleset__load64(file + AT_TABLE + ENTRY * i + 16) !=
            checksum(s->data, s->len)) {
            *what = section_names[i];
            return ONWARD_ESYNTAX;
        }
    }
    return 0;
}

/* By its own name and by those that it covers. */
static bool is_found(const struct onward_ruleset__image *image,
                     const struct onward_ruleset__record *rec,
                     struct onward_str name)
{
    struct onward_ruleset__record found;
    uint64_t number;

    return onward_ruleset__image_zone(
               image, name,
               onward_core__siphash(image->key, name.data, name.len), &found,
               &number) == 1 &&
           found.data == rec->data;
}

/* What was compiled wrong has right checksums. */
static int check_zones(const struct onward_ruleset__image *image,
                       const char **what)
{
    struct onward_ruleset__record rec;
    uint64_t at = 0, zones = 0, rules = 0;
    int ret;

    while ((ret = onward_ruleset__image_next(image, &at, &rec)) == 1) {
        bool is_sound = is_found(image, &rec, rec.name);

        for (uint32_t i = 0; is_sound && i < rec.domain_count; i++)
            is_sound =
                is_found(image, &rec, onward_ruleset__record_domain(&rec, i));
        if (!is_sound || onward_ruleset__record_check(&rec, image->key) != 0)
            break;
        zones++;
        rules += (uint64_t)rec.literal_count + rec.filter_count +
                 rec.catch_count;
    }
    if (ret == 0 && zones == image->zone_count && rules == image->rule_count)
        return 0;
    *what = "a zone that cannot be read";
    return ONWARD_ESYNTAX;
}

static int check_addresses(const struct onward_ruleset__image *image,
                           const char **what)
{
    enum onward_ruleset_state state, found;
    struct onward_str address;
    uint64_t at = 0;
    int ret;

    while ((ret = onward_ruleset__image_next_address(image, &at, &address,
                                                     &state)) == 1) {
        found = onward_ruleset__image_address(image, address);
        if (found != state)
            break;
    }
    if (ret == 0)
        return 0;
    *what = "an address that cannot be read";
    return ONWARD_ESYNTAX;
}

static void say(struct onward_ruleset_fault *fault, const char *what)
{
    struct onward_ruleset_fault found = {.size = sizeof(found)};

    if (fault == NULL)
        return;
    memcpy(found.text, what, strlen(what));
    (void)onward_core__out_store(fault, &found, sizeof(found));
}

static const char *opening_fault(int err)
{
    return err == ONWARD_EVERSION
               ? "an image of another version, expected it compiled anew"
               : "no image, or one that is cut or has a damaged head";
}

int onward_ruleset_check_image(struct onward_ctx *ctx, struct onward_str file,
                               struct onward_ruleset_fault *fault)
{
    struct onward_ruleset__image *image;
    const char *what = NULL;
    int err = fault != NULL && fault->size < sizeof(fault->size)
                  ? ONWARD_EINVAL
                  : 0;

    if (err != 0)
        return err;
    err = onward_ruleset__image_open(ctx, file, NULL, &image);
    if (err == ONWARD_ENOMEM)
        return err;
    if (err != 0) {
        say(fault, opening_fault(err));
        return err;
    }
    err = check_sections((const unsigned char *)file.data, image, &what);
    if (err == 0)
        err = check_zones(image, &what);
    if (err == 0)
        err = check_addresses(image, &what);
    if (err != 0)
        say(fault, what);
    onward_ruleset__image_free(image);
    return err;
}

int onward_ruleset_open_image(struct onward_ctx *ctx, struct onward_str file,
                              const struct onward_ruleset_image_owner *owner,
                              struct onward_ruleset_fault *fault,
                              struct onward_ruleset **rs)
{
    struct onward_ruleset_image_owner loaded;
    struct onward_ruleset__image *image;
    int err = onward_core__opts_load(&loaded, sizeof(loaded), owner);

    if (err == 0 && fault != NULL && fault->size < sizeof(fault->size))
        err = ONWARD_EINVAL;
    if (err != 0)
        return err;
    err = onward_ruleset__image_open(ctx, file, &loaded, &image);
    if (err == ONWARD_ESYNTAX || err == ONWARD_EVERSION)
        say(fault, opening_fault(err));
    if (err != 0)
        return err;
    err = onward_ruleset__wrap(image, rs);
    if (err != 0) {
        image->host.release = NULL; /* the memory is still the caller's */
        onward_ruleset__image_free(image);
    }
    return err;
}
