/*
 * What a check asks of the DNS: questions for policies and terms, the addresses
 * of many hosts together, and the client's validated names (RFC 7208 5.5).
 */
#include "spf/check_priv.h"

enum {
    NAME_ROOM = 4096,         /* a macro may grow before it is cut to 253 */
    POLICY_BYTES = 512 * 1024 /* of all that a check has parsed */
};

static bool out_of_memory(struct onward_spf_check *c)
{
    onward_spf__end(c, ONWARD_SPF_TEMPERROR, ONWARD_SPF_REASON_MEMORY);
    return false;
}

/* A name as it can be asked: no final dot, left labels cut over 253 octets. */
static struct onward_str cut_name(struct onward_str text)
{
    if (text.len != 0 && text.data[text.len - 1] == '.')
        text.len--;
    while (text.len > ONWARD_DOMAIN_MAX) {
        struct onward_str shorter = onward_core__domain_parent(text);

        if (shorter.len == 0)
            break; /* one huge label: no such name */
        text = shorter;
    }
    return text;
}

int onward_spf__target(struct onward_spf_check *c, struct onward_str domain,
                       struct onward_str spec, struct onward_str *target)
{
    struct onward_buf name;
    int err;

    if (spec.len == 0) {
        *target = domain;
        return 0;
    }
    /* Most have no macro: the record's own text, checked when it was read. */
    if (onward_core__str_find(spec, '%') == spec.len) {
        *target = cut_name(spec);
        return 0;
    }
    c->values.domain = domain;
    c->values.validated = onward_spf__best_name(c, domain);
    onward_core__buf_init(&name, c->ctx, NAME_ROOM);
    err = onward_spf__macro_expand(&name, spec, MACRO_DOMAIN, &c->values);
    if (err == 0)
        err = onward_core__arena_dup(
            &c->arena, cut_name(onward_core__buf_str(&name)), target);
    else if (err == ONWARD_ELIMIT || err == ONWARD_ESYNTAX)
        err = 0, *target = ONWARD_STR(".."); /* is never asked: no such name */
    onward_core__buf_clear(&name);
    return err;
}

bool onward_spf__never_matches(const struct onward_spf_check *c,
                               struct onward_str spec)
{
    return !onward_core__is_ascii(c->values.local) &&
           (onward_spf__macro_uses(spec, 's') ||
            onward_spf__macro_uses(spec, 'l'));
}

uint16_t onward_spf__type_of(const struct onward_spf_check *c,
                             enum onward_spf__mechanism mechanism)
{
    switch (mechanism) {
    case MECHANISM_INCLUDE:
        return ONWARD_DNS_TXT;
    case MECHANISM_A:
        return c->ip.family == 4 ? ONWARD_DNS_A : ONWARD_DNS_AAAA;
    case MECHANISM_MX:
        return ONWARD_DNS_MX;
    case MECHANISM_EXISTS: /* type A also for an IPv6 client (5.7) */
        return ONWARD_DNS_A;
    case MECHANISM_PTR:
    case MECHANISM_ALL:
    case MECHANISM_IP4:
    case MECHANISM_IP6:
        break;
    }
    return 0;
}

/* ---- Questions --------------------------------------------------------- */

struct onward_spf__question *onward_spf__put(struct onward_spf_check *c,
                                             struct onward_str name,
                                             uint16_t type)
{
    struct onward_spf__question *q = c->questions;

    while (q != NULL &&
           (q->type != type || !onward_core__str_ieq(q->name, name)))
        q = q->next;
    if (q == NULL) {
        q = onward_core__arena_alloc(&c->arena, sizeof(*q));
        if (q == NULL || onward_core__arena_dup(&c->arena, name, &q->name) != 0)
            return NULL;
        q->type = type;
        q->next = c->questions;
        c->questions = q;
    }
    /* Idle: new, or let go after its answer was used. */
    if (q->query.entry == NULL && q->query.answer == NULL &&
        q->policy == POLICY_UNREAD &&
        onward_dns__ask(c->resolver, &q->query, name, type, &c->task) != 0)
        return NULL;
    return q;
}

/* The last answer was used; the resolver's cache has it, should it be needed
 * again. So a check holds no more answers than it asked ahead. */
static void let_go(struct onward_spf_check *c)
{
    if (c->question != NULL)
        onward_dns__query_clear(&c->question->query);
    c->question = NULL;
}

bool onward_spf__ask(struct onward_spf_check *c, struct onward_str name,
                     uint16_t type, enum onward_spf__phase phase)
{
    struct onward_spf__question *q = onward_spf__put(c, name, type);

    if (q == NULL)
        return out_of_memory(c);
    if (q != c->question)
        let_go(c);
    c->question = q;
    c->phase = phase;
    return true;
}

/* ---- Policies ---------------------------------------------------------- */

static const char kept_kind[1]; /* its address is what counts */

void onward_spf__kept_release(struct onward_spf__kept *kept)
{
    struct onward_ctx *ctx;

    if (kept == NULL || --kept->refs != 0)
        return;
    ctx = kept->ctx;
    onward_core__arena_clear(&kept->arena);
    onward_core__free(ctx, kept);
}

static void free_memo(struct onward_ctx *ctx, struct onward_dns__memo *memo)
{
    (void)ctx;
    onward_spf__kept_release(
        ONWARD_CONTAINER(memo, struct onward_spf__kept, memo));
}

static void use(struct onward_spf__question *q, struct onward_spf__kept *kept)
{
    kept->refs++;
    q->kept = kept;
    q->record = kept->record;
}

/* Parse into memory of its own, which the answer keeps if it can. */
static enum onward_spf__policy
parse_policy(struct onward_spf_check *c,
             const struct onward_dns__answer *answer, struct onward_str text,
             struct onward_spf__question *q)
{
    struct onward_spf_fault fault = {.size = sizeof(fault)};
    struct onward_spf__kept *kept = onward_core__zalloc(c->ctx, sizeof(*kept));
    enum onward_spf__policy policy = POLICY_READ;
    int err;

    if (kept == NULL)
        return POLICY_NO_MEMORY;
    kept->ctx = c->ctx;
    kept->refs = 1;
    onward_core__arena_init(&kept->arena, c->ctx,
                            POLICY_BYTES - c->policy_bytes);
    err = onward_core__arena_dup(&kept->arena, text, &text);
    if (err == 0)
        err = onward_spf__parse(&kept->arena, text, &kept->record, &fault);
    c->policy_bytes += kept->arena.used;
    if (err == 0) {
        use(q, kept);
        kept->memo =
            (struct onward_dns__memo){.kind = kept_kind,
                                      .bytes = sizeof(*kept) + kept->arena.used,
                                      .free = free_memo};
        kept->refs += onward_dns__answer_keep(answer, &kept->memo);
    } else if (err == ONWARD_ENOMEM) {
        policy = POLICY_NO_MEMORY;
    } else {
        text = onward_core__sub(text, fault.offset, text.len);
        text.len = onward_core__str_find(text, ' ');
        policy = onward_core__arena_dup(&c->arena, text, &q->fault) == 0
                     ? POLICY_BROKEN
                     : POLICY_NO_MEMORY;
    }
    onward_spf__kept_release(kept);
    return policy;
}

/* The one SPF record of an answer (RFC 7208 4.5), parsed whole. */
static enum onward_spf__policy
find_policy(struct onward_spf_check *c, const struct onward_dns__answer *answer,
            struct onward_spf__question *q)
{
    struct onward_dns__memo *memo = onward_dns__answer_memo(answer, kept_kind);
    struct onward_str text = {0};
    size_t found = 0;

    if (memo != NULL) {
        use(q, ONWARD_CONTAINER(memo, struct onward_spf__kept, memo));
        return POLICY_READ;
    }
    if (answer->status == ONWARD_DNS__TEMP ||
        answer->status == ONWARD_DNS__BOGUS)
        return POLICY_FAILED;
    for (size_t i = 0; i < answer->count; i++) {
        if (onward_spf__is_record(answer->records[i].data)) {
            text = answer->records[i].data;
            found++;
        }
    }
    if (found != 1)
        return found == 0 ? POLICY_NONE : POLICY_MANY;
    return parse_policy(c, answer, text, q);
}

bool onward_spf__read_policy(struct onward_spf_check *c,
                             struct onward_spf__question *q)
{
    if (q->policy != POLICY_UNREAD)
        return true;
    if (q->query.answer == NULL)
        return false;
    q->policy = find_policy(c, q->query.answer, q);
    onward_dns__query_clear(&q->query);
    return true;
}

void onward_spf__clear_policies(struct onward_spf_check *c)
{
    for (struct onward_spf__question *q = c->questions; q != NULL;
         q = q->next) {
        onward_spf__kept_release(q->kept);
        q->kept = NULL;
    }
}

/* ---- Hosts ------------------------------------------------------------- */

static void clear_hosts(struct onward_spf__hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++)
        onward_dns__query_clear(&hosts->queries[i]);
    hosts->count = 0;
}

void onward_spf__clear_queries(struct onward_spf_check *c)
{
    for (struct onward_spf__question *q = c->questions; q != NULL; q = q->next)
        onward_dns__query_clear(&q->query);
    clear_hosts(&c->mx);
    clear_hosts(&c->ptr);
}

bool onward_spf__ask_hosts(struct onward_spf_check *c,
                           struct onward_spf__hosts *hosts)
{
    uint16_t type = c->ip.family == 4 ? ONWARD_DNS_A : ONWARD_DNS_AAAA;
    size_t count = hosts->count;

    hosts->count = 0;
    for (size_t i = 0; i < count; i++) {
        hosts->queries[i] = (struct onward_dns__query){0};
        hosts->count = i + 1;
        if (onward_dns__ask(c->resolver, &hosts->queries[i], hosts->names[i],
                            type, &c->task) != 0)
            return out_of_memory(c);
    }
    return true;
}

bool onward_spf__ip_within(const struct onward_ip *ip,
                           const struct onward_ip *net, unsigned prefix)
{
    size_t whole = prefix / 8;
    unsigned rest = prefix % 8;

    if (ip->family != net->family)
        return false;
    if (memcmp(ip->octets, net->octets, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    return ((ip->octets[whole] ^ net->octets[whole]) >> (8 - rest)) == 0;
}

bool onward_spf__answer_matches(const struct onward_spf_check *c,
                                const struct onward_dns__answer *answer,
                                const struct onward_spf__term *term)
{
    size_t len = c->ip.family == 4 ? 4 : 16;
    unsigned prefix = c->ip.family == 4 ? 32 : 128;

    if (term != NULL)
        prefix = c->ip.family == 4 ? term->cidr4 : term->cidr6;
    for (size_t i = 0; i < answer->count; i++) {
        struct onward_ip net = {.family = c->ip.family};

        if (answer->records[i].data.len != len)
            continue;
        memcpy(net.octets, answer->records[i].data.data, len);
        if (onward_spf__ip_within(&c->ip, &net, prefix))
            return true;
    }
    return false;
}

/* ---- The client's names ------------------------------------------------ */

struct onward_spf__question *onward_spf__put_names(struct onward_spf_check *c)
{
    static const char hex[] = "0123456789abcdef";
    struct onward_spf__question *q = NULL;
    struct onward_buf name;

    onward_core__buf_init(&name, c->ctx, 128);
    if (c->ip.family == 4) {
        for (size_t i = 4; i-- > 0;) {
            onward_core__buf_add_u64(&name, c->ip.octets[i]);
            onward_core__buf_add_byte(&name, '.');
        }
        onward_core__buf_add_text(&name, "in-addr.arpa");
    } else {
        for (size_t i = 16; i-- > 0;) {
            unsigned char octet = c->ip.octets[i];
            const unsigned char nibbles[4] = {
                (unsigned char)hex[octet & 15], '.',
                (unsigned char)hex[octet >> 4], '.'};

            onward_core__buf_add(&name, nibbles, sizeof(nibbles));
        }
        onward_core__buf_add_text(&name, "ip6.arpa");
    }
    if (name.err == 0)
        q = onward_spf__put(c, onward_core__buf_str(&name), ONWARD_DNS_PTR);
    onward_core__buf_clear(&name);
    return q;
}

bool onward_spf__start_names(struct onward_spf_check *c,
                             enum onward_spf__phase after)
{
    struct onward_spf__question *q = onward_spf__put_names(c);

    c->after_names = after;
    return q != NULL ? onward_spf__ask(c, q->name, q->type, PHASE_PTR)
                     : out_of_memory(c);
}

static bool names_known(struct onward_spf_check *c)
{
    let_go(c);
    c->has_names = true;
    c->phase = c->after_names;
    return true;
}

bool onward_spf__step_ptr(struct onward_spf_check *c)
{
    const struct onward_dns__answer *answer = c->question->query.answer;
    size_t count;

    if (answer == NULL)
        return false;
    /* A failed look-up here means no names, not temperror (5.5). */
    c->is_names_void = answer->status == ONWARD_DNS__NODATA ||
                       answer->status == ONWARD_DNS__NXDOMAIN;
    if (answer->status != ONWARD_DNS__OK)
        return names_known(c);
    count = answer->count < c->max_ptr_names ? answer->count : c->max_ptr_names;
    c->ptr.queries =
        onward_core__arena_array(&c->arena, count, sizeof(*c->ptr.queries));
    c->ptr.names =
        onward_core__arena_array(&c->arena, count, sizeof(*c->ptr.names));
    c->validated =
        onward_core__arena_array(&c->arena, count, sizeof(*c->validated));
    if (c->ptr.queries == NULL || c->ptr.names == NULL || c->validated == NULL)
        return out_of_memory(c);
    for (size_t i = 0; i < count; i++) {
        if (onward_core__arena_dup(&c->arena, answer->records[i].data,
                                   &c->ptr.names[i]) != 0)
            return out_of_memory(c);
    }
    c->ptr.count = count;
    c->phase = PHASE_PTR_HOSTS;
    return onward_spf__ask_hosts(c, &c->ptr);
}

bool onward_spf__step_ptr_hosts(struct onward_spf_check *c)
{
    for (size_t i = 0; i < c->ptr.count; i++) {
        if (c->ptr.queries[i].answer == NULL)
            return false;
    }
    c->validated_count = 0;
    for (size_t i = 0; i < c->ptr.count; i++) {
        if (onward_spf__answer_matches(c, c->ptr.queries[i].answer, NULL))
            c->validated[c->validated_count++] = c->ptr.names[i];
    }
    return names_known(c);
}

struct onward_str onward_spf__best_name(const struct onward_spf_check *c,
                                        struct onward_str domain)
{
    for (size_t i = 0; i < c->validated_count; i++) {
        if (onward_core__str_ieq(c->validated[i], domain))
            return c->validated[i];
    }
    for (size_t i = 0; i < c->validated_count; i++) {
        if (onward_core__domain_is_within(c->validated[i], domain))
            return c->validated[i];
    }
    return c->validated_count != 0 ? c->validated[0] : ONWARD_STR("unknown");
}
