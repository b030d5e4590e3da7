/*
 * Senders that do not fit into 64 octets, or that cannot stand in the middle of
 * another local part: the host keeps them, and the address has the key,
 *
 *     SRS0=HASH=TT=ID@fwd.example.net
 *
 * ID stands for one sender and cannot be guessed without a secret, so a sender
 * who writes often has one entry, and nobody can find another's.
 */
#include "srs/srs_priv.h"

#include "address/address_shared.h"

#define KEY_PREFIX "onward/srs/1/kept/"

enum {
    ID_OCTETS = 10,
    HEAD = 8, /* of a value: kind, version: "srsk", u32, little-endian */
    VERSION = 1,
    DAY_S = 86400
};

static const unsigned char head[HEAD] = {'s', 'r', 's', 'k', VERSION};

_Static_assert(ID_OCTETS * 8 == ONWARD_SRS__ID_LEN * 5, "an id is whole");
_Static_assert(sizeof(KEY_PREFIX) + ONWARD_SRS__ID_LEN <=
                   sizeof(((struct onward_srs_kept *)0)->key),
               "a key fits");
_Static_assert(offsetof(struct onward_srs_kept, value) +
                       sizeof(((struct onward_srs_kept *)0)->value) ==
                   sizeof(struct onward_srs_kept),
               "no tail padding");

/* ---- There ------------------------------------------------------------- */

static void write_id(const struct onward_srs *srs, struct onward_str sender,
                     char id[ONWARD_SRS__ID_LEN])
{
    const struct onward_str parts[] = {ONWARD_STR("onward-srs-kept"), sender};
    uint8_t mac[32];
    uint32_t held = 0;
    unsigned bits = 0;
    size_t n = 0;

    onward_key__hmac_sha256(
        onward_core__str(srs->secrets[0].data, srs->secrets[0].len), parts, 2,
        mac);
    for (size_t i = 0; i < ID_OCTETS; i++) {
        held = held << 8 | mac[i];
        for (bits += 8; bits >= 5; bits -= 5)
            id[n++] = onward_srs__base32(held >> (bits - 5));
    }
}

/* Is it one mailbox that may be given out again? */
static int check_mailbox(const struct onward_srs *srs, struct onward_str text)
{
    struct onward_address__mailbox mailbox;
    struct onward_arena arena;
    int err;

    onward_core__arena_init(&arena, srs->ctx, 16384);
    err = onward_address__parse_mailbox(&arena, text, ONWARD_ADDRESS_ALLOW_UTF8,
                                        &mailbox, NULL);
    onward_core__arena_clear(&arena);
    return err;
}

static void fill(const struct onward_srs *srs, struct onward_str sender,
                 const char id[ONWARD_SRS__ID_LEN],
                 struct onward_srs_kept *kept)
{
    *kept = (struct onward_srs_kept){.size = sizeof(*kept)};
    memcpy(kept->key, KEY_PREFIX, sizeof(KEY_PREFIX) - 1);
    memcpy(kept->key + sizeof(KEY_PREFIX) - 1, id, ONWARD_SRS__ID_LEN);
    kept->key_len = sizeof(KEY_PREFIX) - 1 + ONWARD_SRS__ID_LEN;
    memcpy(kept->value, head, HEAD);
    memcpy(kept->value + HEAD, sender.data, sender.len);
    kept->value_len = HEAD + sender.len;
    /* The address is good for the whole of its last day. */
    kept->expires_s = onward_core__now_s(srs->ctx) +
                      (int64_t)(srs->opts.max_age_days + 1) * DAY_S;
}

int onward_srs_keep(const struct onward_srs *srs, struct onward_str sender,
                    struct onward_str alias, char *out, size_t cap,
                    struct onward_srs_kept *kept)
{
    struct onward_srs__covered c = {.count = 0};
    struct onward_srs__writer w = {.len = 0};
    struct onward_srs_kept made;
    char stamp[ONWARD_SRS__STAMP_LEN], id[ONWARD_SRS__ID_LEN];
    struct onward_str domain;
    int ret;

    if (srs == NULL || out == NULL || cap < ONWARD_SRS_TEXT_MAX ||
        kept == NULL || kept->size < sizeof(kept->size) ||
        !onward_srs__alias_domain(alias, &domain))
        return ONWARD_EINVAL;
    ret = check_mailbox(srs, sender);
    if (ret != 0)
        return ret == ONWARD_ENOMEM ? ret : ONWARD_ESYNTAX;
    write_id(srs, sender, id);
    onward_srs__write_stamp(srs, stamp);
    (void)onward_srs__cover(&c, onward_core__str(stamp, sizeof(stamp)));
    (void)onward_srs__cover(&c, onward_core__str(NULL, 0));
    (void)onward_srs__cover(&c, onward_core__str(id, sizeof(id)));
    onward_srs__put_tag(srs, &w, "SRS0", &c);
    onward_srs__put(&w, onward_core__str(stamp, sizeof(stamp)));
    onward_srs__put(&w, ONWARD_STR("="));
    onward_srs__put(&w, onward_core__str(id, sizeof(id)));
    ret = onward_srs__write_out(&w, domain, out);
    if (ret < 0)
        return ret;
    fill(srs, sender, id, &made);
    (void)onward_core__out_store(kept, &made, sizeof(made));
    return ret;
}

/* ---- Back -------------------------------------------------------------- */

static bool is_base32(unsigned char c)
{
    return onward_ascii_is_alpha(c) || (c >= '2' && c <= '7');
}

int onward_srs__reverse_kept(const struct onward_srs__srs0 *parts,
                             struct onward_srs__writer *w)
{
    char id[ONWARD_SRS__ID_LEN];

    for (size_t i = 0; i < sizeof(id); i++) {
        const unsigned char c = (unsigned char)parts->local.data[i];

        if (!is_base32(c))
            return ONWARD_SRS_MALFORMED;
        id[i] = (char)(c >= 'a' ? c - 32 : c);
    }
    onward_srs__put(w, ONWARD_STR(KEY_PREFIX));
    onward_srs__put(w, onward_core__str(id, sizeof(id)));
    return ONWARD_SRS_KEPT;
}

int onward_srs_kept_sender(const struct onward_srs *srs,
                           struct onward_str value, char *out, size_t cap)
{
    const struct onward_str sender = onward_core__sub(value, HEAD, value.len);
    int err;

    if (srs == NULL || out == NULL || cap < ONWARD_SRS_TEXT_MAX)
        return ONWARD_EINVAL;
    if (value.len <= HEAD || sender.len >= ONWARD_SRS_TEXT_MAX ||
        memcmp(value.data, head, 4) != 0)
        return ONWARD_ESYNTAX;
    if (memcmp(value.data, head, HEAD) != 0)
        return ONWARD_EVERSION;
    err = check_mailbox(srs, sender);
    if (err != 0)
        return err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
    memcpy(out, sender.data, sender.len);
    out[sender.len] = '\0';
    return (int)sender.len;
}
