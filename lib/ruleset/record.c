/*
 * Reading a record: its head, its rules, the literal rules of an address, the
 * actions of a body.
 */
#include "ruleset/record_priv.h"

static struct onward_ruleset__reader
reader_at(const struct onward_ruleset__record *rec, uint64_t offset)
{
    if (offset < ONWARD_RULESET__RECORD_HEAD || offset >= rec->size)
        return (struct onward_ruleset__reader){NULL, NULL, true};
    return (struct onward_ruleset__reader){rec->data + offset,
                                           rec->data + rec->size, false};
}

/* ---- Domains ----------------------------------------------------------- */

struct onward_str
onward_ruleset__record_domain(const struct onward_ruleset__record *rec,
                              uint32_t n)
{
    struct onward_ruleset__reader in = reader_at(
        rec, onward_ruleset__load32(rec->domains + 4 * (size_t)n));

    return onward_ruleset__read_str(&in);
}

bool onward_ruleset__record_covers(const struct onward_ruleset__record *rec,
                                   struct onward_str domain, uint64_t *number)
{
    uint32_t from = 0;
    uint32_t to = rec->domain_count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int order = onward_core__str_cmp(
            domain, onward_ruleset__record_domain(rec, middle));

        if (order == 0) {
            *number = ONWARD_RULESET__COVERED + (uint64_t)middle;
            return true;
        }
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return false;
}

/* ---- Rules ------------------------------------------------------------- */

/* What stands in front, by which others are passed over. */
static void read_front(struct onward_ruleset__reader *in,
                       struct onward_ruleset__rule *rule)
{
    rule->at = in->at;
    rule->flags = onward_ruleset__read_u8(in);
    rule->local_part = onward_ruleset__read_str(in);
    rule->domain = onward_ruleset__read_number(in);
}

static int read_rest(const struct onward_ruleset__record *rec,
                     struct onward_ruleset__reader in,
                     struct onward_ruleset__rule *rule)
{
    uint64_t place = onward_ruleset__read_number(&in);
    uint64_t body = onward_ruleset__read_number(&in);

    rule->index = ONWARD_RULESET_CATCH_ALL;
    rule->priority = INT64_MAX;
    if (place != 0) {
        rule->index = (size_t)(place - 1);
        rule->priority = 0;
    }
    rule->name = rule->condition = rule->owner = (struct onward_str){0};
    if ((rule->flags & ONWARD_RULESET__RULE_NAME) != 0)
        rule->name = onward_ruleset__read_str(&in);
    if ((rule->flags & ONWARD_RULESET__RULE_PRIORITY) != 0)
        rule->priority = onward_ruleset__read_signed(&in);
    if ((rule->flags & ONWARD_RULESET__RULE_CONDITION) != 0)
        rule->condition = onward_ruleset__read_str(&in);
    if ((rule->flags & ONWARD_RULESET__RULE_OWNER) != 0)
        rule->owner = onward_ruleset__read_str(&in);
    if (in.is_bad || body < ONWARD_RULESET__RECORD_HEAD || body >= rec->size)
        return ONWARD_ELIMIT;
    rule->body = rec->data + body;
    return 0;
}

int onward_ruleset__record_rule(const struct onward_ruleset__record *rec,
                                uint32_t offset,
                                struct onward_ruleset__rule *rule)
{
    struct onward_ruleset__reader in = reader_at(rec, offset);

    read_front(&in, rule);
    return read_rest(rec, in, rule);
}

int onward_ruleset__record_at(const struct onward_ruleset__record *rec,
                              const unsigned char *list, uint32_t i,
                              struct onward_ruleset__rule *rule)
{
    return onward_ruleset__record_rule(
        rec, onward_ruleset__load32(list + 4 * (size_t)i), rule);
}

/* ---- Literals ---------------------------------------------------------- */

uint32_t onward_ruleset__literal_slot(const uint64_t key[2], unsigned bits,
                                      bool does_fold,
                                      struct onward_str local_part,
                                      uint64_t domain)
{
    uint64_t hash =
        does_fold
            ? onward_core__siphash_lower(key, local_part.data, local_part.len)
            : onward_core__siphash(key, local_part.data, local_part.len);

    /* An odd factor: the same user of many covered domains is spread. */
    hash += domain * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash >> (64 - bits));
}

void onward_ruleset__literals_find(struct onward_ruleset__literals *it,
                                   const struct onward_ruleset__record *rec,
                                   const uint64_t key[2],
                                   struct onward_str local_part,
                                   uint64_t domain)
{
    it->rec = rec;
    it->local_part = local_part;
    it->domain = domain;
    it->left = rec->slot_count;
    it->slot = 0;
    if (rec->bits != 0)
        it->slot = onward_ruleset__literal_slot(
            key, rec->bits, (rec->flags & ONWARD_RULESET__ZONE_FOLD) != 0,
            local_part, domain);
}

static bool is_local(const struct onward_ruleset__literals *it,
                     struct onward_str local_part)
{
    return (it->rec->flags & ONWARD_RULESET__ZONE_FOLD) != 0
               ? onward_core__str_ieq(it->local_part, local_part)
               : onward_core__str_eq(it->local_part, local_part);
}

int onward_ruleset__literals_next(struct onward_ruleset__literals *it,
                                  struct onward_ruleset__rule *rule)
{
    const struct onward_ruleset__record *rec = it->rec;

    while (it->left > 0) {
        uint32_t offset =
            onward_ruleset__load32(rec->literals + 4 * (size_t)it->slot);
        struct onward_ruleset__reader in = reader_at(rec, offset);

        if (offset == 0 && rec->bits != 0)
            break;
        it->left--;
        if (++it->slot == rec->slot_count)
            it->slot = 0;
        read_front(&in, rule);
        if (in.is_bad)
            return ONWARD_ELIMIT;
        if (rule->domain == it->domain && is_local(it, rule->local_part)) {
            int err = read_rest(rec, in, rule);

            return err == 0 ? 1 : err;
        }
    }
    it->left = 0;
    return 0;
}

/* ---- Bodies ------------------------------------------------------------ */

void onward_ruleset__body_open(struct onward_ruleset__body *body,
                               const struct onward_ruleset__record *rec,
                               const struct onward_ruleset__rule *rule)
{
    body->in = (struct onward_ruleset__reader){rule->body,
                                               rec->data + rec->size, false};
    body->left = onward_ruleset__read_number(&body->in);
}

static void read_destinations(struct onward_ruleset__reader *in,
                              struct onward_ruleset__deed *deed)
{
    uint64_t count = onward_ruleset__read_number(in);

    deed->destinations = *in;
    /* Each takes two octets at least, so this is no large number. */
    if (count == 0 || count > (uint64_t)(in->end - in->at) / 2) {
        onward_ruleset__go_bad(in);
        return;
    }
    deed->destination_count = (size_t)count;
    for (; count > 0 && !in->is_bad; count--) {
        (void)onward_ruleset__read_u8(in);
        (void)onward_ruleset__read_str(in);
    }
}

int onward_ruleset__body_next(struct onward_ruleset__body *body,
                              struct onward_ruleset__deed *deed)
{
    struct onward_ruleset__reader *in = &body->in;
    uint64_t code;

    if (body->left == 0)
        return in->is_bad ? ONWARD_ELIMIT : 0;
    body->left--;
    deed->kind = (enum onward_ruleset_kind)onward_ruleset__read_u8(in);
    deed->destination_count = 0;
    deed->name = deed->value = deed->enhanced = deed->text =
        (struct onward_str){0};
    deed->code = 0;
    switch (deed->kind) {
    case ONWARD_RULESET_FORWARD:
    case ONWARD_RULESET_FAILOVER:
        read_destinations(in, deed);
        break;
    case ONWARD_RULESET_DROP:
        break;
    case ONWARD_RULESET_HANDLER:
    case ONWARD_RULESET_WEBHOOK:
    case ONWARD_RULESET_QUARANTINE:
    case ONWARD_RULESET_TAG:
        deed->name = onward_ruleset__read_str(in);
        break;
    case ONWARD_RULESET_ADD_FIELD:
        deed->name = onward_ruleset__read_str(in);
        deed->value = onward_ruleset__read_str(in);
        break;
    case ONWARD_RULESET_REJECT:
        code = onward_ruleset__read_number(in);
        deed->enhanced = onward_ruleset__read_str(in);
        deed->text = onward_ruleset__read_str(in);
        /* What goes on the wire is looked at again. */
        if (code < 400 || code > 599)
            onward_ruleset__go_bad(in);
        deed->code = (int)code;
        break;
    case ONWARD_RULESET_NEED_MESSAGE:
    default:
        onward_ruleset__go_bad(in);
        break;
    }
    return in->is_bad ? ONWARD_ELIMIT : 1;
}
