/*
 * Signature fields: DKIM-Signature (RFC 6376 section 3.5), and ARC's two, which
 * borrow its tags (RFC 8617 sections 4.1.2 and 4.1.3). Everything that can be
 * said of a signature before its key is known is said here.
 */
#include "dkim/dkim_shared.h"

#include "core/domain_shared.h"
#include "core/text_shared.h"

/* Octets of the longest b= that any key we verify with makes. */
enum { B_MAX = ONWARD_KEY_SIGNATURE_MAX };

struct parser {
    struct onward_arena *arena;
    const struct onward_dkim__policy *policy;
    struct onward_dkim__tags tags;
    struct onward_dkim__signature *sig;
};

/* The first thing found against a signature stays. */
static void refuse(struct parser *p, enum onward_dkim_reason reason,
                   const char *detail)
{
    if (p->sig->verdict.result != ONWARD_DKIM_PENDING)
        return;
    p->sig->verdict =
        (struct onward_dkim__verdict){ONWARD_DKIM_PERMERROR, reason, detail};
}

static struct onward_str value_of(struct parser *p, const char *name)
{
    const struct onward_dkim__tag *tag = onward_dkim__tags_find(&p->tags, name);

    return tag == NULL ? (struct onward_str){0} : tag->value;
}

/* A copy of a tag's value without white space, as base64 values have it. */
static int squeeze(struct parser *p, struct onward_str text,
                   struct onward_str *out)
{
    char *copy;

    *out = (struct onward_str){0};
    if (text.len == 0)
        return 0;
    copy = onward_core__arena_alloc(p->arena, text.len);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    *out = onward_core__str(copy, onward_dkim__strip_fws(copy, text));
    return 0;
}

/* ---- Presence ---------------------------------------------------------- */

static void need(struct parser *p, const char *name, const char *missing)
{
    if (onward_dkim__tags_find(&p->tags, name) == NULL)
        refuse(p, ONWARD_DKIM_REASON_MISSING, missing);
}

static void check_presence(struct parser *p)
{
    if (p->sig->kind == ONWARD_DKIM__DKIM)
        need(p, "v", "v= is missing");
    else
        need(p, "i", "i= is missing");
    need(p, "a", "a= is missing");
    need(p, "b", "b= is missing");
    need(p, "d", "d= is missing");
    need(p, "s", "s= is missing");
    if (p->sig->kind == ONWARD_DKIM__AS) {
        need(p, "cv", "cv= is missing");
        /* The seal's scope is fixed; a list would claim another one. */
        if (onward_dkim__tags_find(&p->tags, "h") != NULL)
            refuse(p, ONWARD_DKIM_REASON_VALUE, "h= stands in a seal");
        return;
    }
    need(p, "bh", "bh= is missing");
    need(p, "h", "h= is missing");
}

/* ---- Algorithm and canonical forms ------------------------------------- */

static void parse_algorithm(struct parser *p)
{
    struct onward_str a = value_of(p, "a");

    p->sig->algorithm_text = a;
    if (onward_core__str_eq(a, ONWARD_STR("rsa-sha256")))
        p->sig->algorithm = ONWARD_KEY_RSA;
    else if (onward_core__str_eq(a, ONWARD_STR("ed25519-sha256")))
        p->sig->algorithm = ONWARD_KEY_ED25519;
    else if (onward_core__str_eq(a, ONWARD_STR("rsa-sha1")))
        refuse(p, ONWARD_DKIM_REASON_ALGORITHM, "rsa-sha1 must not be used");
    else
        refuse(p, ONWARD_DKIM_REASON_ALGORITHM, "a= is not known");
}

static bool parse_form(struct onward_str s, enum onward_dkim__canon *canon)
{
    if (onward_core__str_eq(s, ONWARD_STR("simple")))
        *canon = ONWARD_DKIM__SIMPLE;
    else if (onward_core__str_eq(s, ONWARD_STR("relaxed")))
        *canon = ONWARD_DKIM__RELAXED;
    else
        return false;
    return true;
}

static void parse_canon(struct parser *p)
{
    const struct onward_dkim__tag *tag = onward_dkim__tags_find(&p->tags, "c");
    struct onward_str c;
    size_t slash;

    if (p->sig->kind == ONWARD_DKIM__AS) {
        p->sig->header_canon = ONWARD_DKIM__RELAXED;
        return;
    }
    if (tag == NULL) {
        /* ARC sealers that leave c= out mean relaxed/relaxed; the ARC test
         * suite has it so, though RFC 6376's default is simple/simple. */
        if (p->sig->kind == ONWARD_DKIM__AMS) {
            p->sig->header_canon = ONWARD_DKIM__RELAXED;
            p->sig->body_canon = ONWARD_DKIM__RELAXED;
        }
        return;
    }
    c = tag->value;
    slash = onward_core__str_find(c, '/');
    if (!parse_form(onward_core__sub(c, 0, slash), &p->sig->header_canon) ||
        (slash < c.len && !parse_form(onward_core__sub(c, slash + 1, c.len),
                                      &p->sig->body_canon)))
        refuse(p, ONWARD_DKIM_REASON_VALUE, "c= is not known");
}

/* ---- Names ------------------------------------------------------------- */

/*
 * The name in A-labels and lower case. U-labels may stand in d= and s= (RFC
 * 8616 section 5); whatever else is no DNS name never reaches a resolver.
 */
static int to_name(struct parser *p, struct onward_str s, size_t min_labels,
                   struct onward_str *out)
{
    struct onward_str ascii;
    char *lower;

    if (!onward_core__is_ascii(s)) {
        int err = onward_core__domain_to_ascii(p->arena, s, &ascii);

        if (err != 0)
            return err;
        s = ascii;
    }
    if (!onward_core__domain_is_dns_name(s, min_labels))
        return ONWARD_ESYNTAX;
    lower = onward_core__arena_alloc(p->arena, s.len);
    if (lower == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < s.len; i++)
        lower[i] = (char)onward_ascii_lower((unsigned char)s.data[i]);
    *out = onward_core__str(lower, s.len);
    return 0;
}

static int parse_names(struct parser *p)
{
    static const char part[] = "._domainkey.";
    const size_t part_len = sizeof(part) - 1;
    struct onward_str selector = {0};
    char *name;
    size_t len;
    int err;

    p->sig->domain = value_of(p, "d");
    p->sig->selector = value_of(p, "s");
    err = to_name(p, p->sig->domain, 2, &p->sig->domain_ascii);
    if (err == ONWARD_ESYNTAX)
        refuse(p, ONWARD_DKIM_REASON_DOMAIN, "d= is no domain name");
    else if (err != 0)
        return err;
    err = to_name(p, p->sig->selector, 1, &selector);
    if (err == ONWARD_ESYNTAX)
        refuse(p, ONWARD_DKIM_REASON_DOMAIN, "s= is no selector");
    else if (err != 0)
        return err;
    if (selector.len == 0 || p->sig->domain_ascii.len == 0)
        return 0;
    len = selector.len + part_len + p->sig->domain_ascii.len;
    if (len > ONWARD_DOMAIN_MAX) {
        refuse(p, ONWARD_DKIM_REASON_DOMAIN, "s= and d= are too long");
        return 0;
    }
    name = onward_core__arena_alloc(p->arena, len);
    if (name == NULL)
        return ONWARD_ENOMEM;
    memcpy(name, selector.data, selector.len);
    memcpy(name + selector.len, part, part_len);
    memcpy(name + selector.len + part_len, p->sig->domain_ascii.data,
           p->sig->domain_ascii.len);
    p->sig->key_name = onward_core__str(name, len);
    return 0;
}

/* i= of DKIM: its domain is d= or below it (RFC 6376 section 6.1.1). */
static int parse_identity(struct parser *p)
{
    const struct onward_dkim__tag *tag = onward_dkim__tags_find(&p->tags, "i");
    struct onward_str domain;
    size_t at;
    int err;

    if (tag == NULL)
        return 0;
    p->sig->identity = tag->value;
    at = onward_core__str_rfind(tag->value, '@');
    if (at == tag->value.len) {
        refuse(p, ONWARD_DKIM_REASON_VALUE, "i= has no @");
        return 0;
    }
    err = to_name(p, onward_core__sub(tag->value, at + 1, tag->value.len), 1,
                  &domain);
    if (err == ONWARD_ESYNTAX) {
        refuse(p, ONWARD_DKIM_REASON_VALUE, "i= holds no domain name");
        return 0;
    }
    if (err != 0)
        return err;
    if (p->sig->domain_ascii.len > 0 &&
        !onward_core__domain_is_within(domain, p->sig->domain_ascii))
        refuse(p, ONWARD_DKIM_REASON_IDENTITY, "i= is not in d=");
    p->sig->is_identity_below = domain.len > p->sig->domain_ascii.len;
    return 0;
}

unsigned onward_dkim__parse_instance(struct onward_str s)
{
    uint64_t value;

    if (s.len == 0 || s.data[0] == '0' ||
        onward_core__parse_u64(s, 2, &value) != 0 || value > 50)
        return 0;
    return (unsigned)value;
}

/* ---- Lists, numbers ---------------------------------------------------- */

/* h=: counted before anything is made of it. */
static void parse_fields(struct parser *p)
{
    struct onward_str rest = value_of(p, "h");
    struct onward_str name;
    bool has_from = false;
    size_t count = 0;

    if (p->sig->kind == ONWARD_DKIM__AS || rest.data == NULL)
        return;
    p->sig->signed_fields = rest;
    while (onward_dkim__list_next(&rest, &name)) {
        if (++count > p->policy->max_signed_fields) {
            refuse(p, ONWARD_DKIM_REASON_LIMIT, "h= names too many fields");
            return;
        }
        if (onward_core__str_ieq(name, ONWARD_STR("from")))
            has_from = true;
        /* RFC 8617 section 4.1.2 forbids all ARC fields here; sealers in use
         * list the other two, which does no harm. A seal is made later. */
        if (p->sig->kind == ONWARD_DKIM__AMS &&
            onward_core__str_ieq(name, ONWARD_STR("arc-seal")))
            refuse(p, ONWARD_DKIM_REASON_VALUE, "h= names ARC-Seal");
    }
    if (p->sig->kind == ONWARD_DKIM__DKIM && !has_from)
        refuse(p, ONWARD_DKIM_REASON_FROM, "h= lacks From");
}

/* 1*12DIGIT, as t= and x= have it. */
static bool parse_time(struct parser *p, const char *name, int64_t *out,
                       bool *is_there)
{
    const struct onward_dkim__tag *tag = onward_dkim__tags_find(&p->tags, name);
    uint64_t value;

    if (tag == NULL)
        return true;
    if (onward_core__parse_u64(tag->value, 12, &value) != 0)
        return false;
    *out = (int64_t)value;
    *is_there = true;
    return true;
}

static void parse_numbers(struct parser *p)
{
    struct onward_dkim__signature *sig = p->sig;
    const struct onward_dkim__tag *l = onward_dkim__tags_find(&p->tags, "l");

    if (!parse_time(p, "t", &sig->time_s, &sig->has_time))
        refuse(p, ONWARD_DKIM_REASON_VALUE, "t= is no time");
    if (sig->kind == ONWARD_DKIM__AS)
        return;
    if (!parse_time(p, "x", &sig->expiry_s, &sig->has_expiry))
        refuse(p, ONWARD_DKIM_REASON_VALUE, "x= is no time");
    if (sig->has_time && sig->has_expiry && sig->expiry_s <= sig->time_s)
        refuse(p, ONWARD_DKIM_REASON_TIMES, "x= is not after t=");
    if (l != NULL) {
        /* 76 digits are allowed; no body has more than 64 bits of octets. */
        if (onward_core__parse_u64(l->value, 76, &sig->limit) != 0)
            refuse(p, ONWARD_DKIM_REASON_VALUE, "l= is no length");
        sig->has_limit = true;
    }
}

static void check_query(struct parser *p)
{
    const struct onward_dkim__tag *q = onward_dkim__tags_find(&p->tags, "q");

    if (q != NULL && !onward_dkim__list_has(q->value, "dns/txt"))
        refuse(p, ONWARD_DKIM_REASON_QUERY, "q= lacks dns/txt");
}

/* ---- Base64 values ----------------------------------------------------- */

/* 0, ONWARD_ESYNTAX or ONWARD_ENOMEM. */
static int decode(struct parser *p, struct onward_str text, size_t max,
                  struct onward_str *out)
{
    struct onward_buf octets;
    int err;

    onward_core__buf_init(&octets, p->arena->ctx, max);
    err = onward_core__base64_decode(&octets, text, false);
    if (err == 0)
        err = onward_core__arena_dup(p->arena, onward_core__buf_str(&octets),
                                     out);
    onward_core__buf_clear(&octets);
    return err == 0 || err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
}

/* Does a b= of that length fit the algorithm? For RSA the key says exactly;
 * this keeps out what no key that we take could have made. */
static bool is_signature_len(uint32_t algorithm, size_t len)
{
    if (algorithm == ONWARD_KEY_ED25519)
        return len == 64;
    return len >= ONWARD_KEY_RSA_BITS_MIN / 8 && len <= B_MAX;
}

static int parse_octets(struct parser *p)
{
    const struct onward_dkim__tag *b = onward_dkim__tags_find(&p->tags, "b");
    struct onward_str hash;
    int err;

    if (b != NULL) {
        p->sig->hole = b->raw;
        err = squeeze(p, b->value, &p->sig->b_text);
        if (err == 0)
            err = decode(p, p->sig->b_text, B_MAX, &p->sig->b);
        if (err == ONWARD_ENOMEM)
            return err;
        if (err != 0 || p->sig->b.len == 0)
            refuse(p, ONWARD_DKIM_REASON_VALUE, "b= is no signature");
        else if (p->sig->algorithm != 0 &&
                 !is_signature_len(p->sig->algorithm, p->sig->b.len))
            refuse(p, ONWARD_DKIM_REASON_VALUE,
                   "b= has a length that a= cannot have");
    }
    if (p->sig->kind == ONWARD_DKIM__AS)
        return 0;
    err = decode(p, value_of(p, "bh"), ONWARD_DKIM__HASH_SIZE, &hash);
    if (err == ONWARD_ENOMEM)
        return err;
    if (err != 0 || hash.len != ONWARD_DKIM__HASH_SIZE) {
        refuse(p, ONWARD_DKIM_REASON_VALUE, "bh= is no SHA-256 hash");
        return 0;
    }
    memcpy(p->sig->body_hash, hash.data, hash.len);
    return 0;
}

/* ---- The whole --------------------------------------------------------- */

static void check_expiry(struct parser *p)
{
    struct onward_dkim__signature *sig = p->sig;

    if (sig->verdict.result == ONWARD_DKIM_PENDING && sig->has_expiry &&
        p->policy->now_s > sig->expiry_s &&
        p->policy->now_s - sig->expiry_s > p->policy->clock_skew_s)
        sig->verdict = (struct onward_dkim__verdict){
            ONWARD_DKIM_FAIL, ONWARD_DKIM_REASON_EXPIRED, "x= is past"};
}

static int parse_tags(struct parser *p)
{
    struct onward_dkim__signature *sig = p->sig;
    int err;

    check_presence(p);
    if (sig->kind == ONWARD_DKIM__DKIM) {
        if (!onward_core__str_eq(value_of(p, "v"), ONWARD_STR("1")))
            refuse(p, ONWARD_DKIM_REASON_VERSION, "v= is not 1");
    } else {
        sig->instance = onward_dkim__parse_instance(value_of(p, "i"));
        if (sig->instance == 0)
            refuse(p, ONWARD_DKIM_REASON_VALUE, "i= is not 1 to 50");
        sig->cv = value_of(p, "cv");
    }
    parse_algorithm(p);
    parse_canon(p);
    err = parse_names(p);
    if (err == 0 && sig->kind == ONWARD_DKIM__DKIM)
        err = parse_identity(p);
    if (err != 0)
        return err;
    parse_fields(p);
    if (sig->kind == ONWARD_DKIM__DKIM)
        sig->copied_fields = value_of(p, "z");
    parse_numbers(p);
    check_query(p);
    err = parse_octets(p);
    check_expiry(p);
    return err;
}

int onward_dkim__signature_parse(struct onward_arena *arena,
                                 enum onward_dkim__kind kind,
                                 const struct onward_header *header,
                                 size_t item,
                                 const struct onward_dkim__policy *policy,
                                 struct onward_dkim__signature *sig)
{
    struct parser p = {.arena = arena, .policy = policy, .sig = sig};
    size_t fault_at;
    int err;

    memset(sig, 0, sizeof(*sig));
    sig->kind = kind;
    sig->item = item;
    sig->field = onward_dkim__field(header, item);
    if (onward_header_is_malformed(header))
        refuse(&p, ONWARD_DKIM_REASON_HEADER, "the header is malformed");
    err = onward_dkim__tags_parse(onward_mime__value(header, item), &p.tags,
                                  &fault_at);
    if (err != 0) {
        refuse(&p,
               err == ONWARD_ELIMIT ? ONWARD_DKIM_REASON_LIMIT
                                    : ONWARD_DKIM_REASON_SYNTAX,
               err == ONWARD_ELIMIT ? "too many tags" : "no tag list");
        return 0;
    }
    return parse_tags(&p);
}
