/*
 * An image: all zones and addresses of a ruleset, as they are looked up, in
 * memory of ours or in a file that the host mapped. A file is
 *
 *      0   4  "owrs"
 *      4   4  version: 1 (little-endian, as all numbers)
 *      8   8  octets of the file
 *     16  16  key of all hashes
 *     32   4  zones
 *     36   4  flags: 1 some zone takes any domain below it
 *     40   8  rules
 *     48   4  sections: 4
 *     52   4  0
 *     56      of each section in order: where (8), octets (8), checksum (8)
 *    152   8  checksum of the 152 octets before
 *    160      the sections: zone index, zones, address index, addresses
 *
 * Checksums are SipHash-2-4 with a key of zeros: against damage, not against
 * people, whose files nobody should map. Sections follow each other without
 * gaps, and are multiples of 8. An index is a hash table of 2^n slots: the
 * upper half of a hash (4), and where the item is in the other section, in
 * units of 8 (4); 0 is an empty slot, as no item is at 0.
 *
 * zones holds records (record_priv.h), one behind the other from 8 on. An
 * address is its state (1) and its text, up to a multiple of 8.
 */
#ifndef ONWARD_RULESET_IMAGE_PRIV_H
#define ONWARD_RULESET_IMAGE_PRIV_H

#include <stdatomic.h>

#include "ruleset/record_priv.h"

enum {
    ONWARD_RULESET__IMAGE_VERSION = 1,
    ONWARD_RULESET__IMAGE_HEAD = 160,
    ONWARD_RULESET__SECTIONS = 4,
    ONWARD_RULESET__IMAGE_WILDCARD = 1 /* flags */
};

enum onward_ruleset__section {
    ONWARD_RULESET__ZONE_INDEX,
    ONWARD_RULESET__ZONES,
    ONWARD_RULESET__ADDRESS_INDEX,
    ONWARD_RULESET__ADDRESSES
};

struct onward_ruleset__span {
    const unsigned char *data;
    uint64_t len;
};

struct onward_ruleset__image {
    struct onward_ctx *ctx;
    atomic_size_t owners;
    struct onward_ruleset__span sections[ONWARD_RULESET__SECTIONS];
    unsigned zone_bits, address_bits;
    uint64_t key[2];
    uint32_t zone_count;
    uint64_t rule_count;
    bool has_wildcard;
    bool is_mapped; /* the sections are the host's, else ours */
    struct onward_ruleset_image_owner host;
};

/* Takes the host's memory only on success. */
ONWARD_USE_RESULT int
onward_ruleset__image_open(struct onward_ctx *ctx, struct onward_str file,
                           const struct onward_ruleset_image_owner *host,
                           struct onward_ruleset__image **image);
struct onward_ruleset__image *
onward_ruleset__image_ref(struct onward_ruleset__image *image);
void onward_ruleset__image_free(struct onward_ruleset__image *image);
/* Write the file. 0, ONWARD_ECALLBACK. */
ONWARD_USE_RESULT int
onward_ruleset__image_write(const struct onward_ruleset__image *image,
                            const struct onward_ruleset_image_sink *sink);

/* ---- Indexes ----------------------------------------------------------- */

/* Where items of a hash may be. */
struct onward_ruleset__probe {
    const unsigned char *slots;
    uint32_t hash, at, mask;
    uint64_t left;
};

static inline void onward_ruleset__probe_init(
    struct onward_ruleset__probe *p, const unsigned char *slots, unsigned bits,
    uint64_t hash)
{
    p->slots = slots;
    p->hash = (uint32_t)(hash >> 32);
    p->left = UINT64_C(1) << bits;
    p->mask = (uint32_t)(p->left - 1);
    p->at = (uint32_t)((uint64_t)p->hash << bits >> 32);
}

/* The place of the next one; 0: there are no more. */
static inline uint64_t
onward_ruleset__probe_next(struct onward_ruleset__probe *p)
{
    for (; p->left > 0; p->left--) {
        const unsigned char *slot = p->slots + 8 * (size_t)p->at;
        uint64_t both = onward_ruleset__load64(slot);

        p->at = (p->at + 1) & p->mask;
        if (both == 0)
            break;
        if ((uint32_t)both == p->hash) {
            p->left--;
            return (both >> 32) * 8;
        }
    }
    p->left = 0;
    return 0;
}

/* ---- Looking up -------------------------------------------------------- */

/* It will soon be looked up: bring its slot of the index into the cache, then,
 * when that came, its record. */
void onward_ruleset__image_expect_slot(
    const struct onward_ruleset__image *image, uint64_t hash);
void onward_ruleset__image_expect_zone(
    const struct onward_ruleset__image *image, uint64_t hash);
/* The zone that takes this domain by name: 1, 0 none, or ONWARD_ELIMIT. hash
 * is that of name under the image's key. */
ONWARD_USE_RESULT int
onward_ruleset__image_zone(const struct onward_ruleset__image *image,
                           struct onward_str name, uint64_t hash,
                           struct onward_ruleset__record *rec,
                           uint64_t *number);
/* Every record in order: *at is 0 first. 1, 0 at the end, or ONWARD_ELIMIT. */
ONWARD_USE_RESULT int
onward_ruleset__image_next(const struct onward_ruleset__image *image,
                           uint64_t *at, struct onward_ruleset__record *rec);
/* enum onward_ruleset_destination of the address itself, or of "*@" and its
 * domain; UNKNOWN when neither is there. */
enum onward_ruleset_state
onward_ruleset__image_address(const struct onward_ruleset__image *image,
                              struct onward_str address);
/* The same of the address itself alone. */
enum onward_ruleset_state
onward_ruleset__image_entry(const struct onward_ruleset__image *image,
                            struct onward_str address);
/* Every address in order, as above. */
ONWARD_USE_RESULT int
onward_ruleset__image_next_address(const struct onward_ruleset__image *image,
                                   uint64_t *at, struct onward_str *address,
                                   enum onward_ruleset_state *state);

/* ---- Building ---------------------------------------------------------- */

/* An index while it grows. */
struct onward_ruleset__index {
    struct onward_ctx *ctx;
    unsigned char *slots;
    unsigned bits;
    uint64_t count;
};

ONWARD_USE_RESULT int
onward_ruleset__index_init(struct onward_ruleset__index *index,
                           struct onward_ctx *ctx);
void onward_ruleset__index_clear(struct onward_ruleset__index *index);
/* 0, ONWARD_ENOMEM, or ONWARD_ELIMIT: place cannot be kept. */
ONWARD_USE_RESULT int
onward_ruleset__index_add(struct onward_ruleset__index *index, uint64_t hash,
                          uint64_t place);

struct onward_ruleset__build {
    struct onward_ctx *ctx;
    uint64_t key[2];
    struct onward_ruleset__index zone_index, address_index;
    struct onward_buf zones, addresses;
    uint32_t zone_count;
    uint64_t rule_count;
    bool has_wildcard;
};

/* key NULL: a new one. */
ONWARD_USE_RESULT int
onward_ruleset__build_init(struct onward_ruleset__build *build,
                           struct onward_ctx *ctx, const uint64_t *key);
void onward_ruleset__build_clear(struct onward_ruleset__build *build);
/*
 * Take in the record that was appended to build->zones. 0, ONWARD_ENOMEM,
 * ONWARD_ELIMIT, or ONWARD_ESTATE: a domain of it is another zone's; *taken is
 * that domain, *by the other zone, until build->zones changes.
 */
ONWARD_USE_RESULT int onward_ruleset__build_zone(
    struct onward_ruleset__build *build, size_t start,
    struct onward_str *taken, struct onward_ruleset__record *by);
/* 0, ONWARD_ENOMEM, ONWARD_ELIMIT, ONWARD_ESTATE: it is there already. */
ONWARD_USE_RESULT int
onward_ruleset__build_address(struct onward_ruleset__build *build,
                              struct onward_str address,
                              enum onward_ruleset_state state);
/* Makes an image of it; build is empty then, on failure too. */
ONWARD_USE_RESULT int
onward_ruleset__build_end(struct onward_ruleset__build *build,
                          struct onward_ruleset__image **image);

/* Set the flag of each destination of a record that is verified by address
 * index and addresses of the image. */
void onward_ruleset__verify_record(const struct onward_ruleset__image *image,
                                   const struct onward_ruleset__record *rec,
                                   unsigned char *data);

#endif
