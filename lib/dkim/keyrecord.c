/*
 * Key records: the TXT record at SELECTOR._domainkey.DOMAIN (RFC 6376 section
 * 3.6.1, RFC 8463 section 4) becomes a public key, or the reason why not.
 */
#include "dkim/dkim_shared.h"

#include "core/text_shared.h"
#include "key/key_shared.h"

/* The largest key that we verify with has 600 octets of DER. */
enum { KEY_OCTETS_MAX = 1024 };

/* Where it shows in the record is fault_at, which the caller has set. */
static void refuse(struct onward_dkim__key *key, enum onward_dkim_reason reason,
                   const char *detail)
{
    key->verdict =
        (struct onward_dkim__verdict){ONWARD_DKIM_PERMERROR, reason, detail};
}

/* An absent tag has its default, which always fits. */
static bool allows(const struct onward_dkim__tag *t, const char *one,
                   const char *other)
{
    return t == NULL || onward_dkim__list_has(t->value, one) ||
           (other != NULL && onward_dkim__list_has(t->value, other));
}

/* Octets before the first one that is neither base64 nor FWS. */
static size_t base64_span(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) && c != '+' && c != '/' && c != '=' &&
            c != '\r' && c != '\n' && !onward_ascii_is_wsp(c))
            return i;
    }
    return s.len;
}

static int read_public_key(struct onward_ctx *ctx, struct onward_str p,
                           uint32_t type, struct onward_dkim__key *key)
{
    struct onward_key_fault fault = {.size = sizeof(fault)};
    struct onward_buf der;
    int err;

    onward_core__buf_init(&der, ctx, KEY_OCTETS_MAX);
    err = onward_core__base64_decode(&der, p, true);
    if (err == ONWARD_ENOMEM)
        goto out;
    if (err != 0) {
        key->fault_at += base64_span(p);
        refuse(key, ONWARD_DKIM_REASON_KEY_SYNTAX, "p= is not base64");
        err = 0;
        goto out;
    }
    if (type == ONWARD_KEY_ED25519)
        err = onward_pubkey_from_ed25519(ctx, der.data, der.len, &key->pub);
    else
        err = onward_pubkey_from_der(ctx, der.data, der.len, &fault, &key->pub);
    if (err == ONWARD_ELIMIT) {
        key->bits = fault.bits;
        refuse(key, ONWARD_DKIM_REASON_KEY_SIZE,
               "RSA key outside of 1024 to 4096 bits");
    } else if (err != 0 && err != ONWARD_ENOMEM) {
        refuse(key, ONWARD_DKIM_REASON_KEY_SYNTAX, "p= holds no such key");
    } else if (err == 0 && onward_pubkey_type(key->pub) != type) {
        refuse(key, ONWARD_DKIM_REASON_KEY_TYPE,
               "p= holds a key of another type than k=");
    }
    if (err != ONWARD_ENOMEM)
        err = 0;
out:
    onward_core__buf_clear(&der);
    return err;
}

/* key->fault_at goes to the value that is looked at. */
static void look_at(struct onward_dkim__key *key, struct onward_str record,
                    const struct onward_dkim__tag *tag)
{
    const char *at = tag->value.len != 0 ? tag->value.data : tag->raw.data;

    key->fault_at = (size_t)(at - record.data);
}

static int read_tags(struct onward_ctx *ctx, struct onward_str record,
                     const struct onward_dkim__tags *tags,
                     struct onward_dkim__key *key)
{
    const struct onward_dkim__tag *v = onward_dkim__tags_find(tags, "v");
    const struct onward_dkim__tag *p = onward_dkim__tags_find(tags, "p");
    const struct onward_dkim__tag *k = onward_dkim__tags_find(tags, "k");
    const struct onward_dkim__tag *t = onward_dkim__tags_find(tags, "t");
    const struct onward_dkim__tag *h = onward_dkim__tags_find(tags, "h");
    const struct onward_dkim__tag *s = onward_dkim__tags_find(tags, "s");
    uint32_t type = ONWARD_KEY_RSA;

    if (v != NULL)
        look_at(key, record, v);
    /* A record of something else (v=spf1 also parses) is no key record. */
    if (v != NULL && !onward_core__str_eq(v->value, ONWARD_STR("DKIM1"))) {
        refuse(key, ONWARD_DKIM_REASON_KEY_SYNTAX, "v= is not DKIM1");
        return 0;
    }
    if (v != NULL && v != &tags->items[0]) {
        refuse(key, ONWARD_DKIM_REASON_KEY_SYNTAX, "v= is not the first tag");
        return 0;
    }
    key->is_record = v != NULL || p != NULL;
    if (p == NULL) {
        key->fault_at = record.len;
        refuse(key, ONWARD_DKIM_REASON_KEY_SYNTAX, "p= is missing");
        return 0;
    }
    if (t != NULL) {
        key->is_test = onward_dkim__list_has(t->value, "y");
        key->is_strict = onward_dkim__list_has(t->value, "s");
    }
    look_at(key, record, p);
    if (p->value.len == 0) {
        refuse(key, ONWARD_DKIM_REASON_KEY_REVOKED, "key is revoked");
        return 0;
    }
    if (k != NULL)
        look_at(key, record, k);
    if (k != NULL && onward_core__str_eq(k->value, ONWARD_STR("ed25519"))) {
        type = ONWARD_KEY_ED25519;
    } else if (k != NULL && !onward_core__str_eq(k->value, ONWARD_STR("rsa"))) {
        refuse(key, ONWARD_DKIM_REASON_KEY_TYPE, "k= is not known");
        return 0;
    }
    if (!allows(h, "sha256", NULL)) {
        look_at(key, record, h);
        refuse(key, ONWARD_DKIM_REASON_KEY_HASH, "key's h= lacks sha256");
        return 0;
    }
    if (!allows(s, "email", "*")) {
        look_at(key, record, s);
        refuse(key, ONWARD_DKIM_REASON_KEY_SERVICE, "key's s= lacks email");
        return 0;
    }
    look_at(key, record, p);
    return read_public_key(ctx, p->value, type, key);
}

int onward_dkim__key_parse(struct onward_ctx *ctx, struct onward_str record,
                           struct onward_dkim__key *key)
{
    struct onward_dkim__tags tags;

    memset(key, 0, sizeof(*key));
    if (onward_dkim__tags_parse(record, &tags, &key->fault_at) != 0) {
        refuse(key, ONWARD_DKIM_REASON_KEY_SYNTAX, "key record is no tag list");
        return 0;
    }
    return read_tags(ctx, record, &tags, key);
}

void onward_dkim__key_clear(struct onward_dkim__key *key)
{
    onward_pubkey_free(key->pub);
    key->pub = NULL;
}

/* ---- Kept with the answer ---------------------------------------------- */

struct kept_key {
    struct onward_dns__memo memo;
    struct onward_dkim__key key;
};

static const char kept_kind[1]; /* its address is what counts */

static void free_kept(struct onward_ctx *ctx, struct onward_dns__memo *memo)
{
    struct kept_key *kept = ONWARD_CONTAINER(memo, struct kept_key, memo);

    onward_dkim__key_clear(&kept->key);
    onward_core__free(ctx, kept);
}

/* The key moves to the answer, if that can be; without memory it is read again
 * the next time. */
static const struct onward_dkim__key *
keep(struct onward_ctx *ctx, const struct onward_dns__answer *answer,
     struct onward_dkim__key *key)
{
    struct kept_key *kept = onward_core__zalloc(ctx, sizeof(*kept));

    if (kept == NULL)
        return key;
    kept->memo = (struct onward_dns__memo){
        .kind = kept_kind, .bytes = sizeof(*kept), .free = free_kept};
    if (key->pub != NULL)
        kept->memo.bytes += onward_key__pubkey_bytes(key->pub);
    kept->key = *key;
    if (!onward_dns__answer_keep(answer, &kept->memo)) {
        onward_core__free(ctx, kept);
        return key;
    }
    key->pub = NULL;
    return &kept->key;
}

int onward_dkim__key_of(struct onward_ctx *ctx,
                        const struct onward_dns__answer *answer, size_t i,
                        struct onward_dkim__key *room,
                        const struct onward_dkim__key **key)
{
    struct onward_dns__memo *memo = onward_dns__answer_memo(answer, kept_kind);
    int err;

    if (memo != NULL) {
        memset(room, 0, sizeof(*room));
        *key = &ONWARD_CONTAINER(memo, struct kept_key, memo)->key;
        return 0;
    }
    err = onward_dkim__key_parse(ctx, answer->records[i].data, room);
    if (err != 0)
        return err;
    *key = answer->count == 1 ? keep(ctx, answer, room) : room;
    return 0;
}
