/*
 * Which records of an answer count, and which names a certificate may have.
 */
#include "dane/dane_priv.h"

/* The strongest digest among the usable records, by usage and selector. */
struct strongest {
    uint8_t matching[2][2];
};

static uint8_t *strongest_of(struct strongest *s,
                             const struct onward_tls__tlsa *t)
{
    return &s->matching[t->usage - ONWARD_TLS__TLSA_TA][t->selector];
}

static void find_strongest(const struct onward_dns__answer *answer,
                           struct strongest *s)
{
    *s = (struct strongest){0};
    for (size_t i = 0; i < answer->count; i++) {
        struct onward_tls__tlsa t;
        uint8_t *best;

        /* The matching types grow with their strength. */
        if (onward_tls__tlsa_read(answer->records[i].data, &t) !=
            ONWARD_TLS__TLSA_OK)
            continue;
        best = strongest_of(s, &t);
        if (t.matching > *best)
            *best = t.matching;
    }
}

static bool has_record(const struct onward_dane_lookup *lookup,
                       struct onward_str rdata)
{
    for (size_t i = 0; i < lookup->record_count; i++) {
        if (onward_core__str_eq(lookup->records[i], rdata))
            return true;
    }
    return false;
}

/*
 * Unusable records go first, weaker digests then (RFC 7671 section 9). What
 * goes beyond the bounds can only make a server fail that published too much:
 * where one record is usable, at least one stays.
 */
int onward_dane__records_choose(struct onward_dane_lookup *lookup,
                                const struct onward_dns__answer *answer)
{
    size_t left = ONWARD_TLS__TLSA_OCTETS_MAX;
    struct strongest s;

    lookup->records = onward_core__arena_array(
        &lookup->arena, ONWARD_TLS__TLSA_MAX, sizeof(*lookup->records));
    if (lookup->records == NULL)
        return ONWARD_ENOMEM;
    find_strongest(answer, &s);
    for (size_t i = 0; i < answer->count; i++) {
        struct onward_str rdata = answer->records[i].data;
        struct onward_tls__tlsa t;

        if (lookup->record_count == ONWARD_TLS__TLSA_MAX)
            break;
        if (rdata.len > left ||
            onward_tls__tlsa_read(rdata, &t) != ONWARD_TLS__TLSA_OK ||
            (t.matching != ONWARD_TLS__TLSA_FULL &&
             t.matching != *strongest_of(&s, &t)) ||
            has_record(lookup, rdata))
            continue;
        left -= rdata.len;
        lookup->records[lookup->record_count++] = rdata;
    }
    return 0;
}

static void add_name(struct onward_dane_lookup *lookup, struct onward_str name)
{
    for (size_t i = 0; i < lookup->name_count; i++) {
        if (onward_core__str_ieq(lookup->names[i], name))
            return;
    }
    if (name.len > 0 && lookup->name_count < ONWARD_DANE__NAMES_MAX)
        lookup->names[lookup->name_count++] = name;
}

/* RFC 7672 section 3.2.2. */
void onward_dane__names_choose(struct onward_dane_lookup *lookup)
{
    lookup->name_count = 0;
    add_name(lookup, lookup->bases[lookup->base_at]);
    if (lookup->origin == ONWARD_DANE_MX_INSECURE)
        return;
    /* Without MX the server's own name is the next hop, if the host does not
     * say otherwise. */
    if (lookup->origin == ONWARD_DANE_NO_MX && lookup->next_hop.len == 0)
        add_name(lookup, lookup->name);
    add_name(lookup, lookup->next_hop);
    add_name(lookup, lookup->next_hop_canonical);
}
