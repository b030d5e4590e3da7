/*
 * Tagged senders (draft-levine-smtp-batv-01): prvs=KDDDSSSSSS=local@domain.
 */
#include "token/token_priv.h"

enum {
    PREFIX_LEN = 5,
    TAG_LEN = 10, /* KDDDSSSSSS */
    LOCAL_MAX = 64,
    DOMAIN_MAX = 255,
    DAYS = 1000,
    LIFE_MAX = 100
};

struct halves {
    struct onward_str local, domain;
};

static bool is_plain(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.data[i];

        if (c <= ' ' || c == 0x7f || strchr("\"<>()[]:;,\\@", c) != NULL)
            return false;
    }
    return s.len > 0;
}

static bool split(struct onward_str address, struct halves *out)
{
    const size_t at = onward_core__str_rfind(address, '@');

    if (at >= address.len)
        return false;
    out->local = onward_core__sub(address, 0, at);
    out->domain = onward_core__sub(address, at + 1, address.len);
    return is_plain(out->local) && is_plain(out->domain) &&
           out->domain.len <= DOMAIN_MAX && out->local.len <= LOCAL_MAX;
}

static bool has_tag(struct onward_str local)
{
    return local.len > PREFIX_LEN + TAG_LEN + 1 &&
           onward_core__str_istarts(local, ONWARD_STR("prvs=")) &&
           local.data[PREFIX_LEN + TAG_LEN] == '=';
}

static unsigned today(const struct onward_token_minter *minter)
{
    const int64_t now_s = onward_core__now_s(minter->ctx);

    return now_s < 0 ? 0 : (unsigned)(now_s / 86400 % DAYS);
}

/* Mailers fold case, so what is signed has none. */
static void add_lower(char *out, size_t *len, struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++)
        out[(*len)++] = (char)onward_ascii_lower((unsigned char)s.data[i]);
}

/* The whole tag, of which the first four characters are given. */
static void write_tag(const struct onward_token__secret *secret,
                      const char *day, const struct halves *address,
                      char tag[TAG_LEN])
{
    static const char hex[] = "0123456789abcdef";
    char text[4 + LOCAL_MAX + 1 + DOMAIN_MAX];
    size_t len = 4;
    uint8_t mac[32];
    struct onward_str parts[2];

    memcpy(text, day, 4);
    add_lower(text, &len, address->local);
    text[len++] = '@';
    add_lower(text, &len, address->domain);
    parts[0] = ONWARD_STR("onward-prvs");
    parts[1] = onward_core__str(text, len);
    onward_key__hmac_sha256(onward_token__secret_str(secret), parts, 2, mac);
    memcpy(tag, day, 4);
    for (size_t i = 0; i < 3; i++) {
        tag[4 + 2 * i] = hex[mac[i] >> 4];
        tag[5 + 2 * i] = hex[mac[i] & 15];
    }
}

static int give_back(struct onward_str address, char *out)
{
    if (address.len >= ONWARD_TOKEN_ADDRESS_MAX)
        return ONWARD_ELIMIT;
    if (address.len > 0)
        memcpy(out, address.data, address.len);
    out[address.len] = '\0';
    return (int)address.len;
}

int onward_token_tag_sender(const struct onward_token_minter *minter,
                            struct onward_str sender, size_t life_days,
                            char *out, size_t cap)
{
    const size_t added = PREFIX_LEN + TAG_LEN + 1;
    struct halves address;
    unsigned day;
    char number[4];

    if (minter == NULL || out == NULL || cap < ONWARD_TOKEN_ADDRESS_MAX ||
        life_days == 0 || life_days > LIFE_MAX)
        return ONWARD_EINVAL;
    if (sender.len == 0)
        return give_back(sender, out);
    if (!split(sender, &address))
        return ONWARD_ESYNTAX;
    if (has_tag(address.local))
        return give_back(sender, out);
    if (address.local.len > LOCAL_MAX - added)
        return ONWARD_ELIMIT;
    day = (today(minter) + (unsigned)life_days) % DAYS;
    number[0] = (char)('0' + minter->secrets[0].id % 10);
    number[1] = (char)('0' + day / 100);
    number[2] = (char)('0' + day / 10 % 10);
    number[3] = (char)('0' + day % 10);
    memcpy(out, "prvs=", PREFIX_LEN);
    write_tag(&minter->secrets[0], number, &address, out + PREFIX_LEN);
    out[PREFIX_LEN + TAG_LEN] = '=';
    memcpy(out + added, sender.data, sender.len);
    out[added + sender.len] = '\0';
    return (int)(added + sender.len);
}

static enum onward_token_verdict judge(const struct onward_token_minter *minter,
                                       const struct halves *address,
                                       const char tag[TAG_LEN])
{
    char got[TAG_LEN], want[TAG_LEN];
    bool fits = false;
    unsigned day = 0;

    for (size_t i = 0; i < TAG_LEN; i++)
        got[i] = (char)onward_ascii_lower((unsigned char)tag[i]);
    for (size_t i = 0; i < 4; i++) {
        if (!onward_ascii_is_digit((unsigned char)got[i]))
            return ONWARD_TOKEN_FORGED;
        if (i > 0)
            day = day * 10 + (unsigned)(got[i] - '0');
    }
    for (size_t i = 0; i < minter->count; i++) {
        if (got[0] != '0' + minter->secrets[i].id % 10)
            continue;
        write_tag(&minter->secrets[i], got, address, want);
        fits |= onward_core__equal_secret(want, got, TAG_LEN);
    }
    if (!fits)
        return ONWARD_TOKEN_FORGED;
    /* Days count in a circle: what expires in more days than any life has
     * expired. */
    return (day + DAYS - today(minter)) % DAYS <= LIFE_MAX
               ? ONWARD_TOKEN_OK
               : ONWARD_TOKEN_EXPIRED;
}

int onward_token_untag_sender(const struct onward_token_minter *minter,
                              struct onward_str recipient, char *out,
                              size_t cap, int *verdict)
{
    const size_t added = PREFIX_LEN + TAG_LEN + 1;
    struct halves address;

    if (minter == NULL || out == NULL || verdict == NULL ||
        cap < ONWARD_TOKEN_ADDRESS_MAX)
        return ONWARD_EINVAL;
    *verdict = ONWARD_TOKEN_MALFORMED;
    if (!split(recipient, &address) || !has_tag(address.local))
        return 0;
    address.local = onward_core__sub(address.local, added, address.local.len);
    *verdict = (int)judge(minter, &address, recipient.data + PREFIX_LEN);
    if (*verdict != ONWARD_TOKEN_OK)
        return 0;
    return give_back(onward_core__sub(recipient, added, recipient.len), out);
}
