/*
 * Reverse aliases: ra-LETTERS@domain, 24 letters of base32 for
 *
 *     0 10  the first octets of HMAC-SHA256 over owner and contact
 *    10  5  the first octets of another over that and the domain
 *
 * The store's value: "owra", version (u32), length of the owner (u16), owner,
 * contact; little-endian.
 */
#include "token/token_priv.h"

#include "address/address_shared.h"

#define KEY_PREFIX "onward/token/1/alias/"
#define PREFIX "ra-"

enum {
    ID = 10,
    MAC = 5,
    LETTERS = (ID + MAC) * 8 / 5,
    ID_LETTERS = ID * 8 / 5,
    HEAD = 10,
    ADDRESS_MAX = 254,
    VERSION = 1
};

static const unsigned char head[8] = {'o', 'w', 'r', 'a', VERSION};

_Static_assert(sizeof(KEY_PREFIX) + ID_LETTERS <=
                   sizeof(((struct onward_token_alias *)0)->key),
               "a key fits");
_Static_assert(HEAD + 2 * ADDRESS_MAX <=
                   sizeof(((struct onward_token_alias *)0)->value),
               "a value fits");
_Static_assert(offsetof(struct onward_token_alias, value) +
                       sizeof(((struct onward_token_alias *)0)->value) ==
                   sizeof(struct onward_token_alias),
               "no tail padding");

/* ---- Pieces ------------------------------------------------------------ */

static void hash(const struct onward_token__secret *secret, const char *what,
                 struct onward_str a, struct onward_str b, uint8_t *out,
                 size_t len)
{
    const struct onward_str parts[] = {onward_str_of(what), a,
                                       onward_core__str("", 1), b};
    uint8_t mac[32];

    onward_key__hmac_sha256(onward_token__secret_str(secret), parts,
                            sizeof(parts) / sizeof(parts[0]), mac);
    memcpy(out, mac, len);
}

static bool lower_domain(struct onward_str domain, char out[ADDRESS_MAX])
{
    if (domain.len == 0 || domain.len > ADDRESS_MAX)
        return false;
    for (size_t i = 0; i < domain.len; i++) {
        const unsigned char c = (unsigned char)domain.data[i];

        if (!onward_ascii_is_alnum(c) && c != '-' && c != '.')
            return false;
        out[i] = (char)onward_ascii_lower(c);
    }
    return true;
}

static void sign(const struct onward_token__secret *secret, const uint8_t *id,
                 struct onward_str domain, uint8_t mac[MAC])
{
    hash(secret, "onward-alias-mac", onward_core__str(id, ID), domain, mac,
         MAC);
}

static int write_key(const uint8_t *id, char *out)
{
    memcpy(out, KEY_PREFIX, sizeof(KEY_PREFIX) - 1);
    onward_token__write(ONWARD_TOKEN_BASE32, id, ID,
                        out + sizeof(KEY_PREFIX) - 1);
    return (int)sizeof(KEY_PREFIX) - 1 + ID_LETTERS;
}

/* An address that may be given out again: 0, ONWARD_ESYNTAX or
 * ONWARD_ENOMEM. */
static int check_mailbox(const struct onward_token_minter *minter,
                         struct onward_str text)
{
    struct onward_address__mailbox mailbox;
    struct onward_arena arena;
    int err;

    if (text.len > ADDRESS_MAX)
        return ONWARD_ESYNTAX;
    onward_core__arena_init(&arena, minter->ctx, 16384);
    err = onward_address__parse_mailbox(&arena, text, ONWARD_ADDRESS_ALLOW_UTF8,
                                        &mailbox, NULL);
    onward_core__arena_clear(&arena);
    return err == 0 || err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
}

/* ---- There ------------------------------------------------------------- */

static void fill(const uint8_t *id, struct onward_str owner,
                 struct onward_str contact, struct onward_token_alias *alias)
{
    *alias = (struct onward_token_alias){.size = sizeof(*alias)};
    alias->key_len = (size_t)write_key(id, alias->key);
    memcpy(alias->value, head, sizeof(head));
    alias->value[8] = (char)(owner.len & 0xff);
    alias->value[9] = (char)(owner.len >> 8);
    memcpy(alias->value + HEAD, owner.data, owner.len);
    memcpy(alias->value + HEAD + owner.len, contact.data, contact.len);
    alias->value_len = HEAD + owner.len + contact.len;
}

int onward_token_alias_make(const struct onward_token_minter *minter,
                            struct onward_str owner, struct onward_str contact,
                            struct onward_str domain, char *out, size_t cap,
                            struct onward_token_alias *alias)
{
    const size_t prefix_len = sizeof(PREFIX) - 1;
    const size_t local_len = prefix_len + LETTERS;
    struct onward_token_alias made;
    char lower[ADDRESS_MAX];
    uint8_t raw[ID + MAC];
    int err;

    if (minter == NULL || out == NULL || cap < ONWARD_TOKEN_ADDRESS_MAX ||
        alias == NULL || alias->size < sizeof(alias->size) ||
        !lower_domain(domain, lower))
        return ONWARD_EINVAL;
    err = check_mailbox(minter, owner);
    if (err == 0)
        err = check_mailbox(minter, contact);
    if (err != 0)
        return err;
    hash(&minter->secrets[0], "onward-alias", owner, contact, raw, ID);
    sign(&minter->secrets[0], raw, onward_core__str(lower, domain.len),
         raw + ID);
    memcpy(out, PREFIX, prefix_len);
    onward_token__write(ONWARD_TOKEN_BASE32, raw, sizeof(raw),
                        out + prefix_len);
    out[local_len] = '@';
    memcpy(out + local_len + 1, lower, domain.len);
    out[local_len + 1 + domain.len] = '\0';
    fill(raw, owner, contact, &made);
    (void)onward_core__out_store(alias, &made, sizeof(made));
    return (int)(local_len + 1 + domain.len);
}

/* ---- Back -------------------------------------------------------------- */

int onward_token_alias_key(const struct onward_token_minter *minter,
                           struct onward_str address, char *out, size_t cap,
                           int *verdict)
{
    const size_t prefix_len = sizeof(PREFIX) - 1;
    const size_t at = onward_core__str_rfind(address, '@');
    const struct onward_str domain =
        onward_core__sub(address, at + 1, address.len);
    char lower[ADDRESS_MAX];
    uint8_t raw[ID + MAC], want[MAC];
    bool fits = false;
    size_t len;

    if (minter == NULL || out == NULL || verdict == NULL ||
        cap < ONWARD_TOKEN_ADDRESS_MAX)
        return ONWARD_EINVAL;
    *verdict = ONWARD_TOKEN_MALFORMED;
    if (at != prefix_len + LETTERS || at >= address.len ||
        !onward_core__str_istarts(address, ONWARD_STR(PREFIX)) ||
        !lower_domain(domain, lower) ||
        !onward_token__read(ONWARD_TOKEN_BASE32,
                            onward_core__sub(address, prefix_len, at), raw,
                            sizeof(raw), &len))
        return 0;
    for (size_t i = 0; i < minter->count; i++) {
        sign(&minter->secrets[i], raw, onward_core__str(lower, domain.len),
             want);
        fits |= onward_core__equal_secret(want, raw + ID, MAC);
    }
    *verdict = fits ? ONWARD_TOKEN_OK : ONWARD_TOKEN_FORGED;
    if (!fits)
        return 0;
    len = (size_t)write_key(raw, out);
    out[len] = '\0';
    return (int)len;
}

int onward_token_alias_read(const struct onward_token_minter *minter,
                            struct onward_str value, struct onward_str *owner,
                            struct onward_str *contact)
{
    struct onward_str who, whom;
    size_t len;
    int err;

    if (minter == NULL || owner == NULL || contact == NULL)
        return ONWARD_EINVAL;
    if (value.len < HEAD || memcmp(value.data, head, 4) != 0)
        return ONWARD_ESYNTAX;
    if (memcmp(value.data, head, sizeof(head)) != 0)
        return ONWARD_EVERSION;
    len = (size_t)(unsigned char)value.data[8] |
          (size_t)(unsigned char)value.data[9] << 8;
    if (len > value.len - HEAD)
        return ONWARD_ESYNTAX;
    who = onward_core__sub(value, HEAD, HEAD + len);
    whom = onward_core__sub(value, HEAD + len, value.len);
    err = check_mailbox(minter, who);
    if (err == 0)
        err = check_mailbox(minter, whom);
    if (err != 0)
        return err;
    *owner = who;
    *contact = whom;
    return 0;
}
