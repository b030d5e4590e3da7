/*
 * Signatures as Standard Webhooks 1.0 has them: "v1," and base64 of
 * HMAC-SHA256 over ID, time and body with dots between; several with blanks.
 */
#include "webhook/webhook_priv.h"

#include "core/text_shared.h"
#include "key/key_shared.h"

enum { SECRET_MAX = 256, MAC_LEN = 32, TEXT_LEN = 44, TIME_MAX = 24 };

static const char prefix[] = "whsec_";

/* Decimal digits without memory of our own. */
static struct onward_str write_time(int64_t time_s, char out[TIME_MAX])
{
    uint64_t rest = time_s < 0 ? 0 : (uint64_t)time_s;
    size_t at = TIME_MAX;

    do {
        out[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    return onward_core__str(out + at, TIME_MAX - at);
}

/* The octets of a secret in key. Their number, or an error. */
static int read_secret(struct onward_str secret, uint8_t key[SECRET_MAX])
{
    struct onward_str text =
        onward_core__sub(secret, sizeof(prefix) - 1, secret.len);
    unsigned char padded[SECRET_MAX / 3 * 4 + 8];
    size_t len = 0, taken;

    if (!onward_core__str_starts(secret, onward_str_of(prefix))) {
        if (secret.len == 0 || secret.len > SECRET_MAX)
            return secret.len == 0 ? ONWARD_EINVAL : ONWARD_ELIMIT;
        memcpy(key, secret.data, secret.len);
        return (int)secret.len;
    }
    while (text.len > 0 && text.data[text.len - 1] == '=')
        text.len--;
    if (text.len == 0 || text.len % 4 == 1)
        return text.len == 0 ? ONWARD_EINVAL : ONWARD_ESYNTAX;
    if (text.len / 4 * 3 + 3 > SECRET_MAX)
        return ONWARD_ELIMIT;
    /* Full groups only, the last one filled with zeros. */
    memcpy(padded, text.data, text.len);
    memset(padded + text.len, 'A', 3);
    taken = (text.len + 3) / 4 * 4;
    if (onward_core__base64_run(key, padded, taken) != taken)
        return ONWARD_ESYNTAX;
    len = text.len * 3 / 4;
    onward_core__wipe(padded, sizeof(padded));
    return (int)len;
}

int onward_webhook_sign(struct onward_str id, int64_t time_s,
                        struct onward_str body,
                        const struct onward_str *secrets, size_t count,
                        char *out, size_t cap)
{
    char time[TIME_MAX];
    const struct onward_str parts[] = {
        id, ONWARD_STR("."), write_time(time_s, time), ONWARD_STR("."), body};
    uint8_t key[SECRET_MAX], mac[MAC_LEN];
    size_t at = 0;
    int len = 0;

    if (secrets == NULL || count == 0 || out == NULL)
        return ONWARD_EINVAL;
    if (count > cap / ONWARD_WEBHOOK_SIGNATURE_MAX)
        return ONWARD_ELIMIT;
    for (size_t i = 0; i < count && len >= 0; i++) {
        len = read_secret(secrets[i], key);
        if (len < 0)
            break;
        onward_key__hmac_sha256(onward_core__str(key, (size_t)len), parts,
                                sizeof(parts) / sizeof(parts[0]), mac);
        if (i > 0)
            out[at++] = ' ';
        memcpy(out + at, "v1,", 3);
        at += 3;
        at += onward_core__base64_write((unsigned char *)out + at, mac,
                                        sizeof(mac));
    }
    onward_core__wipe(key, sizeof(key));
    out[len < 0 ? 0 : at] = '\0';
    return len < 0 ? len : (int)at;
}
