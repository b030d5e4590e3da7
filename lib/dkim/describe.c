/*
 * What a host is told of a signature beside its verdict: texts for
 * Authentication-Results and for policy, made once the header is complete.
 */
#include "dkim/dkim_priv.h"

/*
 * Fields that a reader is shown, or that change what the body means. One more
 * of them than is signed may have been put on top by anybody (RFC 6376 section
 * 8.15).
 */
static const struct onward_str shown_fields[] = {
    {"from", 4},
    {"sender", 6},
    {"reply-to", 8},
    {"to", 2},
    {"cc", 2},
    {"subject", 7},
    {"date", 4},
    {"message-id", 10},
    {"mime-version", 12},
    {"content-type", 12},
    {"content-transfer-encoding", 25},
};

/* Without white space. */
static int squeeze(struct onward_arena *arena, struct onward_str text,
                   struct onward_str *out)
{
    char *copy;

    *out = (struct onward_str){0};
    if (text.len == 0)
        return 0;
    copy = onward_core__arena_alloc(arena, text.len);
    if (copy == NULL)
        return ONWARD_ENOMEM;
    *out = onward_core__str(copy, onward_dkim__strip_fws(copy, text));
    return 0;
}

static int copy_list(struct onward_arena *arena, struct onward_str list,
                     struct onward_str *out)
{
    char *text;
    size_t len;

    *out = (struct onward_str){0};
    if (list.len == 0)
        return 0;
    text = onward_core__arena_alloc(arena, list.len);
    if (text == NULL)
        return ONWARD_ENOMEM;
    len = onward_dkim__strip_fws(text, list);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)onward_ascii_lower((unsigned char)text[i]);
    *out = onward_core__str(text, len);
    return 0;
}

enum { SHOWN = sizeof(shown_fields) / sizeof(shown_fields[0]) };

/* How often a list in lower case has each of them. */
static void count_shown(struct onward_str list, size_t counts[SHOWN])
{
    struct onward_str item;

    memset(counts, 0, SHOWN * sizeof(*counts));
    while (onward_dkim__list_next(&list, &item)) {
        for (size_t i = 0; i < SHOWN; i++)
            counts[i] += onward_core__str_eq(item, shown_fields[i]);
    }
}

/* How often the header has each of them: by its index, which knows each name
 * once. */
static void count_there(const struct onward_header *header,
                        size_t counts[SHOWN])
{
    memset(counts, 0, SHOWN * sizeof(*counts));
    for (size_t at = 0; at < header->name_slots; at++) {
        const struct onward_mime__name *name = &header->names[at];

        for (size_t i = 0; i < SHOWN && name->count != 0; i++) {
            if (onward_core__str_ieq(onward_mime__name(header, name->first),
                                     shown_fields[i]))
                counts[i] = name->count;
        }
    }
}

static int find_exposed(struct onward_dkim__verify *v,
                        const size_t there[SHOWN],
                        struct onward_dkim__facts *facts)
{
    char text[256]; /* all names of the table with their colons fit */
    size_t counts[SHOWN];
    size_t len = 0;

    count_shown(facts->signed_fields, counts);
    for (size_t i = 0; i < SHOWN; i++) {
        struct onward_str name = shown_fields[i];

        if (there[i] <= counts[i])
            continue;
        if (i == 0)
            facts->is_from_exposed = true;
        if (len > 0)
            text[len++] = ':';
        memcpy(text + len, name.data, name.len);
        len += name.len;
    }
    return onward_core__arena_dup(&v->arena, onward_core__str(text, len),
                                  &facts->exposed_fields);
}

static int make_digest(struct onward_arena *arena, struct onward_str b,
                       struct onward_str *out)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char octets[ONWARD_DKIM__HASH_SIZE];
    char text[2 * ONWARD_DKIM__HASH_SIZE];
    struct sha256_ctx sha;

    if (b.len == 0)
        return 0;
    sha256_init(&sha);
    sha256_update(&sha, b.len, (const uint8_t *)b.data);
    sha256_digest(&sha, sizeof(octets), octets);
    for (size_t i = 0; i < sizeof(octets); i++) {
        text[2 * i] = hex[octets[i] >> 4];
        text[2 * i + 1] = hex[octets[i] & 15];
    }
    return onward_core__arena_dup(arena, onward_core__str(text, sizeof(text)),
                                  out);
}

/* The shortest start of b=, 8 octets or more, that no other signature of the
 * message has (RFC 6008 section 3); all of it when there is none. */
static struct onward_str distinct_start(const struct onward_dkim__verify *v,
                                        size_t own)
{
    struct onward_str b = v->checks[own].sig.b_text;
    size_t need = 8;

    for (size_t i = 0; i < v->count; i++) {
        struct onward_str other = v->checks[i].sig.b_text;
        size_t same = 0;

        if (i == own)
            continue;
        while (same < b.len && same < other.len &&
               b.data[same] == other.data[same])
            same++;
        if (same >= need)
            need = same + 1;
    }
    return onward_core__sub(b, 0, need);
}

int onward_dkim__describe(struct onward_dkim__verify *v)
{
    size_t there[SHOWN];
    int err = 0;

    count_there(v->header, there);
    for (size_t i = 0; i < v->count && err == 0; i++) {
        const struct onward_dkim__signature *sig = &v->checks[i].sig;
        struct onward_dkim__facts *facts = &v->facts[i];

        facts->header_b = distinct_start(v, i);
        err = make_digest(&v->arena, sig->b, &facts->digest);
        if (err == 0)
            err =
                copy_list(&v->arena, sig->signed_fields, &facts->signed_fields);
        if (err == 0)
            err = find_exposed(v, there, facts);
        if (err == 0)
            err = squeeze(&v->arena, sig->copied_fields, &facts->copied_fields);
        if (err == 0 && facts->copied_fields.len != 0)
            err = onward_dkim__compare_copies(&v->arena, v->header,
                                              facts->copied_fields,
                                              &facts->changed_fields);
    }
    return err;
}

/* ---- For the host ------------------------------------------------------ */

static void fill(const struct onward_dkim__verify *v, size_t i,
                 struct onward_dkim_signature *out)
{
    const struct onward_dkim__check *check = &v->checks[i];
    const struct onward_dkim__signature *sig = &check->sig;
    const struct onward_dkim__facts *facts = &v->facts[i];

    out->result = (size_t)sig->verdict.result;
    out->reason = (size_t)sig->verdict.reason;
    out->algorithm = sig->algorithm;
    out->detail = onward_str_of(sig->verdict.detail);
    out->domain = sig->domain;
    out->domain_ascii = sig->domain_ascii;
    out->selector = sig->selector;
    out->identity = sig->identity;
    out->algorithm_text = sig->algorithm_text;
    out->b = sig->b_text;
    out->header_b = facts->header_b;
    out->signed_fields = facts->signed_fields;
    out->exposed_fields = facts->exposed_fields;
    out->digest = facts->digest;
    out->field = i;
    out->key_bits = check->key_bits;
    out->is_secure = check->is_secure;
    out->is_test = check->is_test;
    out->is_from_exposed = facts->is_from_exposed;
    out->has_time = sig->has_time;
    out->has_expiry = sig->has_expiry;
    out->time_s = sig->time_s;
    out->expiry_s = sig->expiry_s;
    out->age_s = sig->has_time ? v->policy.now_s - sig->time_s : 0;
    out->unsigned_body_octets = check->unsigned_octets;
    out->copied_fields = facts->copied_fields;
    out->changed_fields = facts->changed_fields;
}

int onward_dkim__verify_signature(const struct onward_dkim__verify *v, size_t i,
                                  struct onward_dkim_signature *signature)
{
    struct onward_dkim_signature out = {.size = signature->size};
    size_t size = signature->size;

    if (size < sizeof(size))
        return ONWARD_EINVAL;
    if (i >= v->count)
        return ONWARD_ENOENT;
    fill(v, i, &out);
    memset(signature, 0, size);
    memcpy(signature, &out, size < sizeof(out) ? size : sizeof(out));
    signature->size = size;
    return 0;
}
