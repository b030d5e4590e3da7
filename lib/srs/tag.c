/* Day stamps and hashes: what makes an address ours, and for how long. */
#include "srs/srs_priv.h"

#include <nettle/base64.h>

enum {
    DAYS = 1024, /* two characters of base32 */
    MAC_MAX = 32,
    TEXT_MAX = BASE64_ENCODE_RAW_LENGTH(MAC_MAX)
};

/* ---- Day stamps -------------------------------------------------------- */

char onward_srs__base32(unsigned digit)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[digit & 31];
}

static unsigned today(const struct onward_srs *srs)
{
    int64_t now_s = onward_core__now_s(srs->ctx);

    return now_s < 0 ? 0 : (unsigned)(now_s / 86400 % DAYS);
}

void onward_srs__write_stamp(const struct onward_srs *srs,
                             char out[ONWARD_SRS__STAMP_LEN])
{
    const unsigned day = today(srs);

    out[0] = onward_srs__base32(day >> 5);
    out[1] = onward_srs__base32(day);
}

static int digit_of(char c)
{
    unsigned char low = onward_ascii_lower((unsigned char)c);

    if (low >= 'a' && low <= 'z')
        return low - 'a';
    if (low >= '2' && low <= '7')
        return low - '2' + 26;
    return -1;
}

bool onward_srs__stamp_age(const struct onward_srs *srs,
                           struct onward_str stamp, unsigned *age_days)
{
    int high, low;

    if (stamp.len != ONWARD_SRS__STAMP_LEN)
        return false;
    high = digit_of(stamp.data[0]);
    low = digit_of(stamp.data[1]);
    if (high < 0 || low < 0)
        return false;
    /* Days count in a circle: tomorrow is 1023 days ago. */
    *age_days = (today(srs) + DAYS - (unsigned)(high << 5 | low)) % DAYS;
    return true;
}

/* ---- Hashes ------------------------------------------------------------ */

bool onward_srs__cover(struct onward_srs__covered *c, struct onward_str field)
{
    size_t len = c->count == 0 ? 0 : c->ends[c->count - 1];

    if (c->count == sizeof(c->ends) / sizeof(c->ends[0]) ||
        field.len >= sizeof(c->data) - len)
        return false;
    for (size_t i = 0; i < field.len; i++)
        c->data[len++] = (char)onward_ascii_lower((unsigned char)field.data[i]);
    c->data[len++] = '\0';
    c->ends[c->count++] = len;
    return true;
}

/*
 * SHA-1 goes over the fields as all implementations have it, one behind the
 * other. So a character can move from the end of one to the start of the next:
 * SHA-256, which nobody else reads, takes the NULs in.
 */
static void hash_text(const struct onward_srs__secret *secret,
                      enum onward_srs_hash hash,
                      const struct onward_srs__covered *c, char out[TEXT_MAX])
{
    const struct onward_str key = onward_core__str(secret->data, secret->len);
    const bool is_sha1 = hash == ONWARD_SRS_SHA1;
    struct onward_str fields[sizeof(c->ends) / sizeof(c->ends[0])];
    uint8_t mac[MAC_MAX] = {0};
    size_t start = 0;

    for (size_t i = 0; i < c->count; i++) {
        fields[i] = onward_core__str(c->data + start,
                                     c->ends[i] - start - (is_sha1 ? 1 : 0));
        start = c->ends[i];
    }
    if (is_sha1)
        onward_key__hmac_sha1(key, fields, c->count, mac);
    else
        onward_key__hmac_sha256(key, fields, c->count, mac);
    base64_encode_raw(out, is_sha1 ? 20 : 32, mac);
}

struct onward_str onward_srs__hash(const struct onward_srs *srs,
                                   const struct onward_srs__covered *c,
                                   char out[ONWARD_SRS__HASH_MAX])
{
    char text[TEXT_MAX];

    hash_text(&srs->secrets[0], (enum onward_srs_hash)srs->opts.hash, c, text);
    memcpy(out, text, srs->opts.hash_len);
    return onward_core__str(out, srs->opts.hash_len);
}

static void fold(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = (char)onward_ascii_lower((unsigned char)text[i]);
}

static bool fits_one(const struct onward_srs *srs,
                     const struct onward_srs__secret *secret,
                     enum onward_srs_hash hash, const char *got, size_t len,
                     const struct onward_srs__covered *c)
{
    char want[TEXT_MAX];

    hash_text(secret, hash, c, want);
    if (srs->opts.allow_folded_hash)
        fold(want, ONWARD_SRS__HASH_MAX);
    return onward_core__equal_secret(want, got, len);
}

/* The given hash may be a prefix as short as hash_min (a longer one was cut
 * on the way), or longer than ours (signed before hash_len was lowered). All
 * secrets are tried, so that the time does not tell which one fits. */
bool onward_srs__check_hash(const struct onward_srs *srs,
                            struct onward_str given,
                            const struct onward_srs__covered *c)
{
    const bool takes_sha1 =
        srs->opts.hash == ONWARD_SRS_SHA1 || !srs->opts.refuse_sha1;
    char got[ONWARD_SRS__HASH_MAX];
    bool fits = false;

    if (given.len < srs->opts.hash_min || given.len > sizeof(got))
        return false;
    memcpy(got, given.data, given.len);
    if (srs->opts.allow_folded_hash)
        fold(got, given.len);
    for (size_t i = 0; i < srs->count; i++) {
        fits |= fits_one(srs, &srs->secrets[i], ONWARD_SRS_SHA256, got,
                         given.len, c);
        if (takes_sha1)
            fits |= fits_one(srs, &srs->secrets[i], ONWARD_SRS_SHA1, got,
                             given.len, c);
    }
    return fits;
}
