/*
 * Key records for their owner: the text that publishes a key, and what is wrong
 * with one that is published.
 */
#include "dkim/dkim_shared.h"

#include "core/text_shared.h"

enum { P_MAX = 800, GOOD_RSA_BITS = 2048 };

_Static_assert(offsetof(struct onward_dkim_fault, is_void) + sizeof(size_t) ==
                   sizeof(struct onward_dkim_fault),
               "no tail padding");
_Static_assert(offsetof(struct onward_dkim_record_opts, is_strict) +
                       sizeof(size_t) ==
                   sizeof(struct onward_dkim_record_opts),
               "no tail padding");

int onward_dkim_record(const struct onward_pubkey *pub,
                       const struct onward_dkim_record_opts *opts, char *text,
                       size_t cap)
{
    static const char *const flags[] = {"", " t=y;", " t=s;", " t=y:s;"};
    struct onward_dkim_record_opts o;
    struct onward_str parts[4] = {ONWARD_STR("v=DKIM1; k=rsa;")};
    char p[P_MAX];
    size_t len = 0;
    int p_len;
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err != 0)
        return err;
    p_len = onward_pubkey_to_p(pub, p, sizeof(p));
    if (p_len < 0)
        return p_len;
    if (onward_pubkey_type(pub) == ONWARD_KEY_ED25519)
        parts[0] = ONWARD_STR("v=DKIM1; k=ed25519;");
    parts[1] = onward_str_of(flags[(o.is_test != 0) + 2 * (o.is_strict != 0)]);
    parts[2] = ONWARD_STR(" p=");
    parts[3] = (struct onward_str){p, (size_t)p_len};
    for (size_t i = 0; i < 4; i++)
        len += parts[i].len;
    if (len >= cap)
        return ONWARD_ELIMIT;
    for (size_t i = 0; i < 4; i++) {
        memcpy(text, parts[i].data, parts[i].len);
        text += parts[i].len;
    }
    *text = '\0';
    return (int)len;
}

/* ---- Lint -------------------------------------------------------------- */

static int wrong(struct onward_dkim_fault *fault, size_t at,
                 enum onward_dkim_reason reason, const char *what)
{
    fault->offset = at;
    fault->reason = reason;
    fault->text = what;
    return ONWARD_ESYNTAX;
}

/* As far as it can be read: does it mean to be a key record? */
static bool is_key_record(const struct onward_dkim__tags *tags)
{
    const struct onward_dkim__tag *v = onward_dkim__tags_find(tags, "v");

    if (v != NULL)
        return onward_core__str_starts(v->value, ONWARD_STR("DKIM"));
    return onward_dkim__tags_find(tags, "p") != NULL;
}

/* What a verifier does not mind, in the order of the record. */
static int check_tag(struct onward_str record,
                     const struct onward_dkim__tag *tag, size_t rsa_bits,
                     struct onward_dkim_fault *fault)
{
    size_t at = (size_t)(tag->value.data - record.data);
    size_t name_at = (size_t)(tag->name.data - record.data);

    if (onward_core__str_eq(tag->name, ONWARD_STR("g")))
        return wrong(fault, name_at, ONWARD_DKIM_REASON_KEY_SYNTAX,
                     "g= is obsolete: leave it out");
    if (onward_core__str_eq(tag->name, ONWARD_STR("h")) &&
        onward_dkim__list_has(tag->value, "sha1"))
        return wrong(fault, at, ONWARD_DKIM_REASON_KEY_HASH,
                     "sha1 must not be used: name sha256 alone");
    if (onward_core__str_eq(tag->name, ONWARD_STR("t")) &&
        onward_dkim__list_has(tag->value, "y"))
        return wrong(fault, at, ONWARD_DKIM_REASON_NONE,
                     "t=y is for tests: the mail counts as not signed");
    if (onward_core__str_eq(tag->name, ONWARD_STR("p")) &&
        rsa_bits < GOOD_RSA_BITS)
        return wrong(fault, at, ONWARD_DKIM_REASON_KEY_SIZE,
                     "RSA key below 2048 bits: make a longer one");
    return 0;
}

static int check(struct onward_str record, const struct onward_dkim__tags *tags,
                 const struct onward_dkim__key *key,
                 struct onward_dkim_fault *fault)
{
    size_t rsa_bits = GOOD_RSA_BITS;

    if (key->verdict.result != ONWARD_DKIM_PENDING) {
        fault->is_void = 1;
        return wrong(fault, key->fault_at, key->verdict.reason,
                     key->verdict.detail);
    }
    if (onward_dkim__tags_find(tags, "v") == NULL)
        return wrong(fault, 0, ONWARD_DKIM_REASON_KEY_SYNTAX,
                     "expected v=DKIM1 in front");
    if (onward_pubkey_type(key->pub) == ONWARD_KEY_RSA)
        rsa_bits = onward_pubkey_bits(key->pub);
    for (size_t i = 0; i < tags->count; i++) {
        int err = check_tag(record, &tags->items[i], rsa_bits, fault);

        if (err != 0)
            return err;
    }
    return 0;
}

int onward_dkim_lint(struct onward_ctx *ctx, struct onward_str record,
                     struct onward_dkim_fault *fault)
{
    struct onward_dkim_fault found = {.size = sizeof(found)};
    struct onward_dkim__tags tags;
    struct onward_dkim__key key;
    size_t at;
    int err = onward_dkim__tags_parse(record, &tags, &at);

    if (!is_key_record(&tags))
        return ONWARD_ENOENT;
    /* A fault of the list comes again as the key's verdict. */
    err = onward_dkim__key_parse(ctx, record, &key);
    if (err != 0)
        return err;
    err = check(record, &tags, &key, &found);
    onward_dkim__key_clear(&key);
    if (err == ONWARD_ESYNTAX && fault != NULL)
        onward_core__out_store(fault, &found, sizeof(found));
    return err;
}
