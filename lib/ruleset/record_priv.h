/*
 * A zone as it is looked up: one block of octets that says all about the zone,
 * at any address, in memory of ours or in a file that others wrote. All that a
 * record points to is checked when it is followed.
 *
 *      0  4  octets of the record, a multiple of 8 (little-endian, as all)
 *      4  1  flags
 *      5  1  length of the zone's name
 *      6  1  length of the separators of subaddresses
 *      7  1  bits: 0, literals is a list; else it is a hash table of 2^bits
 *      8  4  literal rules
 *     12  4  filters: rules with patterns or conditions, and no literal address
 *     16  4  catch-alls
 *     20  4  domains that the zone covers besides its own
 *     24     name, separators, and 0 up to a multiple of 4
 *            offsets (4 octets each, from the start of the record) of the
 *            literals, filters, catch-alls and domains
 *            domains: texts
 *            rules and bodies
 *
 * Rules of a list stand in the order in which they are tried. In a hash table
 * an empty slot is 0, and those of one address follow each other in that order.
 * Domains are sorted.
 *
 * A rule:
 *
 *     flags (1), local part (text; of a literal), domain (number: 0 the zone's
 *     own, 1 any below it, n + 2 the covered one n; for filters 0), place in
 *     the file (number; 0 "catch_all", else one more than its index), body
 *     (number: offset); then by flags: name (text), priority (signed),
 *     condition (text: a program, condition_priv.h), owner (text)
 *
 * A body, once for all rules of the zone with the same actions:
 *
 *     number of actions; of each its enum onward_ruleset_kind (1), and
 *       FORWARD, FAILOVER   number of destinations, of each flags (1), text
 *       HANDLER, WEBHOOK, QUARANTINE, TAG   name (text)
 *       ADD_FIELD           name, value (texts)
 *       REJECT              code (number), enhanced code, text (texts)
 */
#ifndef ONWARD_RULESET_RECORD_PRIV_H
#define ONWARD_RULESET_RECORD_PRIV_H

#include <onward/ruleset.h>

#include "ruleset/bytes_priv.h"

enum {
    ONWARD_RULESET__RECORD_HEAD = 24,
    ONWARD_RULESET__LIST_MAX = 8, /* literals, before they get a hash table */
    ONWARD_RULESET__BITS_MAX = 28
};

enum onward_ruleset__zone_flag {
    ONWARD_RULESET__ZONE_ENABLED = 1,
    ONWARD_RULESET__ZONE_SUBADDRESS = 2,
    ONWARD_RULESET__ZONE_FOLD = 4,
    ONWARD_RULESET__ZONE_ALL = 8,      /* match mode */
    ONWARD_RULESET__ZONE_WILDCARD = 16 /* takes any domain below it */
};

enum onward_ruleset__rule_flag {
    ONWARD_RULESET__RULE_ENABLED = 1,
    ONWARD_RULESET__RULE_NAME = 2,
    ONWARD_RULESET__RULE_PRIORITY = 4,
    ONWARD_RULESET__RULE_CONDITION = 8,
    ONWARD_RULESET__RULE_OWNER = 16,
    ONWARD_RULESET__RULE_GOES_ON = 32, /* rules behind it are tried, too */
    ONWARD_RULESET__RULE_USES_TO = 64  /* its condition looks at the address */
};

enum onward_ruleset__destination_flag {
    ONWARD_RULESET__DESTINATION_VERIFIED = 1,
    ONWARD_RULESET__DESTINATION_TEMPLATE = 2
};

/* Domain numbers of rules. */
enum {
    ONWARD_RULESET__OWN = 0,
    ONWARD_RULESET__BELOW = 1,
    ONWARD_RULESET__COVERED = 2 /* and up */
};

/* A record whose head and tables lie inside of it. */
struct onward_ruleset__record {
    const unsigned char *data;
    uint32_t size;
    unsigned flags, bits;
    uint32_t literal_count, filter_count, catch_count, domain_count;
    uint32_t slot_count; /* of literals */
    const unsigned char *literals, *filters, *catches, *domains;
    struct onward_str name, separators;
};

struct onward_ruleset__rule {
    const unsigned char *at; /* names it */
    unsigned flags;
    size_t index; /* as a decision has it */
    uint64_t domain;
    int64_t priority; /* INT64_MAX for "catch_all": always last */
    struct onward_str local_part, name, condition, owner;
    const unsigned char *body;
};

/* The record at data, which holds no more than len octets. 0 or
 * ONWARD_ELIMIT. Inline, as each look-up begins with it. */
static inline ONWARD_USE_RESULT int
onward_ruleset__record_open(struct onward_ruleset__record *rec,
                            const unsigned char *data, uint64_t len)
{
    uint64_t at;

    if (len < ONWARD_RULESET__RECORD_HEAD)
        return ONWARD_ELIMIT;
    rec->data = data;
    rec->size = onward_ruleset__load32(data);
    rec->flags = data[4];
    rec->bits = data[7];
    if (rec->size > len || rec->size < ONWARD_RULESET__RECORD_HEAD ||
        rec->bits > ONWARD_RULESET__BITS_MAX)
        return ONWARD_ELIMIT;
    rec->literal_count = onward_ruleset__load32(data + 8);
    rec->filter_count = onward_ruleset__load32(data + 12);
    rec->catch_count = onward_ruleset__load32(data + 16);
    rec->domain_count = onward_ruleset__load32(data + 20);
    rec->slot_count =
        rec->bits == 0 ? rec->literal_count : UINT32_C(1) << rec->bits;
    at = ONWARD_RULESET__RECORD_HEAD + (uint64_t)data[5] + data[6];
    at = (at + 3) & ~UINT64_C(3);
    /* Five numbers of 32 bits: no sum of them passes 64. */
    if (at + 4 * ((uint64_t)rec->slot_count + rec->filter_count +
                  rec->catch_count + rec->domain_count) >
        rec->size)
        return ONWARD_ELIMIT;
    rec->name = onward_core__str(data + ONWARD_RULESET__RECORD_HEAD, data[5]);
    rec->separators = onward_core__str(
        data + ONWARD_RULESET__RECORD_HEAD + data[5], data[6]);
    rec->literals = data + at;
    rec->filters = rec->literals + 4 * (size_t)rec->slot_count;
    rec->catches = rec->filters + 4 * (size_t)rec->filter_count;
    rec->domains = rec->catches + 4 * (size_t)rec->catch_count;
    return 0;
}

/* Domain n of its list. Empty: damaged. */
struct onward_str
onward_ruleset__record_domain(const struct onward_ruleset__record *rec,
                              uint32_t n);
/* Is the domain (lower case) one by name that the zone takes? Then *number is
 * its number in rules. */
bool onward_ruleset__record_covers(const struct onward_ruleset__record *rec,
                                   struct onward_str domain, uint64_t *number);

static inline bool
onward_ruleset__record_has(const struct onward_ruleset__record *rec,
                           struct onward_str domain, uint64_t *number)
{
    *number = ONWARD_RULESET__OWN;
    return onward_core__str_eq(domain, rec->name) ||
           (rec->domain_count > 0 &&
            onward_ruleset__record_covers(rec, domain, number));
}

/* The rule at that offset. 0 or ONWARD_ELIMIT. */
ONWARD_USE_RESULT int
onward_ruleset__record_rule(const struct onward_ruleset__record *rec,
                            uint32_t offset,
                            struct onward_ruleset__rule *rule);
/* Rule i of one of the lists, filters or catches. */
ONWARD_USE_RESULT int
onward_ruleset__record_at(const struct onward_ruleset__record *rec,
                          const unsigned char *list, uint32_t i,
                          struct onward_ruleset__rule *rule);
/* Is a tried before b? */
static inline bool
onward_ruleset__is_before(const struct onward_ruleset__rule *a,
                          const struct onward_ruleset__rule *b)
{
    return a->priority != b->priority ? a->priority < b->priority
                                      : a->index < b->index;
}

/* The literal rules of one address, one after the other. */
struct onward_ruleset__literals {
    const struct onward_ruleset__record *rec;
    struct onward_str local_part;
    uint64_t domain;
    uint32_t slot, left;
};

void onward_ruleset__literals_find(struct onward_ruleset__literals *it,
                                   const struct onward_ruleset__record *rec,
                                   const uint64_t key[2],
                                   struct onward_str local_part,
                                   uint64_t domain);
/* 1 the next one, 0 no more, or ONWARD_ELIMIT. */
ONWARD_USE_RESULT int
onward_ruleset__literals_next(struct onward_ruleset__literals *it,
                              struct onward_ruleset__rule *rule);
/* Where the table of a record has the rules of an address begin. */
uint32_t onward_ruleset__literal_slot(const uint64_t key[2], unsigned bits,
                                      bool does_fold,
                                      struct onward_str local_part,
                                      uint64_t domain);

/* One action of a body. destinations is a reader over them. */
struct onward_ruleset__deed {
    enum onward_ruleset_kind kind;
    size_t destination_count;
    struct onward_ruleset__reader destinations;
    struct onward_str name, value, enhanced, text;
    int code;
};

/* The actions of a body, one after the other. */
struct onward_ruleset__body {
    struct onward_ruleset__reader in;
    uint64_t left;
};

void onward_ruleset__body_open(struct onward_ruleset__body *body,
                               const struct onward_ruleset__record *rec,
                               const struct onward_ruleset__rule *rule);
/* 1 the next one, 0 no more, or ONWARD_ELIMIT. */
ONWARD_USE_RESULT int
onward_ruleset__body_next(struct onward_ruleset__body *body,
                          struct onward_ruleset__deed *deed);
/* Does it decide what becomes of the mail? */
static inline bool onward_ruleset__decides(enum onward_ruleset_kind kind)
{
    return kind != ONWARD_RULESET_ADD_FIELD && kind != ONWARD_RULESET_TAG;
}

/* All of a record: every rule, body and condition can be read, and each stands
 * where it is found. 0 or ONWARD_ELIMIT, ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_ruleset__record_check(const struct onward_ruleset__record *rec,
                             const uint64_t key[2]);

#endif
