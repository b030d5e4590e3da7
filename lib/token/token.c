/*
 * A token:
 *
 *     0  1  version: 1
 *     1  1  which secret
 *     2  4  when it expires, seconds since 1970, big-endian; 0: never
 *     6     payload
 *           the first mac_len octets of HMAC-SHA256 over: "onward-token", the
 *           length of the signature, purpose and bound_to (each with its
 *           length in front), and all of the above
 */
#include "token/token_priv.h"

enum { VERSION = 1, SECRET_MIN = 16, MAC_DEFAULT = 16, MAC_MIN = 8 };

/* ---- Life -------------------------------------------------------------- */

/* A secret is known by what is derived of it, so that a list of secrets needs
 * no numbers, and its order can change. */
static uint8_t id_of(struct onward_str secret)
{
    const struct onward_str part = ONWARD_STR("onward-token-id");
    uint8_t mac[32];

    onward_key__hmac_sha256(secret, &part, 1, mac);
    return mac[0];
}

int onward_token_minter_new(struct onward_ctx *ctx,
                            const struct onward_str *secrets, size_t count,
                            struct onward_token_minter **out)
{
    struct onward_token_minter *minter;

    if (ctx == NULL || secrets == NULL || count == 0 ||
        count > ONWARD_TOKEN_SECRETS_MAX || out == NULL)
        return ONWARD_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (secrets[i].len < SECRET_MIN ||
            secrets[i].len > ONWARD_TOKEN_SECRET_MAX)
            return ONWARD_EINVAL;
    }
    minter = onward_core__zalloc(ctx, sizeof(*minter) +
                                          count * sizeof(minter->secrets[0]));
    if (minter == NULL)
        return ONWARD_ENOMEM;
    minter->ctx = onward_ctx_ref(ctx);
    atomic_init(&minter->refs, 1);
    minter->count = count;
    for (size_t i = 0; i < count; i++) {
        minter->secrets[i].id = id_of(secrets[i]);
        minter->secrets[i].len = secrets[i].len;
        memcpy(minter->secrets[i].data, secrets[i].data, secrets[i].len);
    }
    *out = minter;
    return 0;
}

struct onward_token_minter *
onward_token_minter_ref(struct onward_token_minter *minter)
{
    atomic_fetch_add_explicit(&minter->refs, 1, memory_order_relaxed);
    return minter;
}

void onward_token_minter_free(struct onward_token_minter *minter)
{
    struct onward_ctx *ctx;

    if (minter == NULL ||
        atomic_fetch_sub_explicit(&minter->refs, 1, memory_order_acq_rel) != 1)
        return;
    ctx = minter->ctx;
    onward_core__wipe(minter, sizeof(*minter) +
                                  minter->count * sizeof(minter->secrets[0]));
    onward_core__free(ctx, minter);
    onward_ctx_free(ctx);
}

/* ---- Signatures -------------------------------------------------------- */

static int load_opts(const struct onward_token_opts *given,
                     struct onward_token_opts *opts)
{
    int ret;

    if (given == NULL)
        return ONWARD_EINVAL;
    ret = onward_core__opts_load(opts, sizeof(*opts), given);
    if (ret != 0)
        return ret;
    if (opts->mac_len == 0)
        opts->mac_len = MAC_DEFAULT;
    if (opts->purpose.len == 0 ||
        opts->purpose.len > ONWARD_TOKEN_PURPOSE_MAX ||
        opts->form > ONWARD_TOKEN_BASE32 || opts->mac_len < MAC_MIN ||
        opts->mac_len > ONWARD_TOKEN__MAC_MAX)
        return ONWARD_EINVAL;
    return 0;
}

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static void sign(const struct onward_token__secret *secret,
                 const struct onward_token_opts *opts, const uint8_t *body,
                 size_t len, uint8_t out[ONWARD_TOKEN__MAC_MAX])
{
    uint8_t lengths[3][8] = {{0}};
    const struct onward_str parts[] = {
        ONWARD_STR("onward-token"),      onward_core__str(lengths[0], 8),
        onward_core__str(lengths[1], 8), opts->purpose,
        onward_core__str(lengths[2], 8), opts->bound_to,
        onward_core__str(body, len)};

    put_u64(lengths[0], opts->mac_len);
    put_u64(lengths[1], opts->purpose.len);
    put_u64(lengths[2], opts->bound_to.len);
    onward_key__hmac_sha256(onward_token__secret_str(secret), parts,
                            sizeof(parts) / sizeof(parts[0]), out);
}

/* The id only saves work: it may be wrong in what was forged, and two secrets
 * may have the same. */
static bool is_signed(const struct onward_token_minter *minter,
                      const struct onward_token_opts *opts, const uint8_t *body,
                      size_t len)
{
    uint8_t want[ONWARD_TOKEN__MAC_MAX];
    bool fits = false;

    for (size_t i = 0; i < minter->count; i++) {
        if (minter->secrets[i].id != body[1])
            continue;
        sign(&minter->secrets[i], opts, body, len, want);
        fits |= onward_core__equal_secret(want, body + len, opts->mac_len);
    }
    onward_core__wipe(want, sizeof(want));
    return fits;
}

/* ---- Minting and checking ---------------------------------------------- */

int onward_token_mint(const struct onward_token_minter *minter,
                      const struct onward_token_opts *given,
                      struct onward_str payload, int64_t expires_s, char *out,
                      size_t cap)
{
    struct onward_token_opts opts;
    uint8_t raw[ONWARD_TOKEN__RAW_MAX], mac[ONWARD_TOKEN__MAC_MAX];
    size_t len = ONWARD_TOKEN__HEAD + payload.len, text_len;
    int ret = load_opts(given, &opts);

    if (ret != 0)
        return ret;
    if (minter == NULL || out == NULL || expires_s < 0 ||
        expires_s > (int64_t)UINT32_MAX)
        return ONWARD_EINVAL;
    if (payload.len > ONWARD_TOKEN_PAYLOAD_MAX)
        return ONWARD_ELIMIT;
    text_len = onward_token__text_len((enum onward_token_form)opts.form,
                                      len + opts.mac_len);
    if (text_len >= cap)
        return ONWARD_ELIMIT;
    raw[0] = VERSION;
    raw[1] = minter->secrets[0].id;
    for (size_t i = 0; i < 4; i++)
        raw[2 + i] = (uint8_t)((uint64_t)expires_s >> (24 - 8 * i));
    if (payload.len > 0)
        memcpy(raw + ONWARD_TOKEN__HEAD, payload.data, payload.len);
    sign(&minter->secrets[0], &opts, raw, len, mac);
    memcpy(raw + len, mac, opts.mac_len);
    onward_token__write((enum onward_token_form)opts.form, raw,
                        len + opts.mac_len, out);
    out[text_len] = '\0';
    return (int)text_len;
}

static int64_t expiry_of(const uint8_t *raw)
{
    return (int64_t)((uint32_t)raw[2] << 24 | (uint32_t)raw[3] << 16 |
                     (uint32_t)raw[4] << 8 | (uint32_t)raw[5]);
}

int onward_token_check(const struct onward_token_minter *minter,
                       const struct onward_token_opts *given,
                       struct onward_str text, void *payload, size_t cap,
                       int64_t *expires_s, int *verdict)
{
    struct onward_token_opts opts;
    uint8_t raw[ONWARD_TOKEN__RAW_MAX];
    size_t len;
    int64_t expires;
    int ret = load_opts(given, &opts);

    if (ret != 0)
        return ret;
    if (minter == NULL || verdict == NULL || (payload == NULL && cap > 0))
        return ONWARD_EINVAL;
    *verdict = ONWARD_TOKEN_MALFORMED;
    if (!onward_token__read((enum onward_token_form)opts.form, text, raw,
                            sizeof(raw), &len) ||
        len < ONWARD_TOKEN__HEAD + opts.mac_len || raw[0] != VERSION)
        return 0;
    len -= opts.mac_len;
    *verdict = ONWARD_TOKEN_FORGED;
    if (!is_signed(minter, &opts, raw, len))
        return 0;
    expires = expiry_of(raw);
    if (expires_s != NULL)
        *expires_s = expires;
    *verdict = ONWARD_TOKEN_EXPIRED;
    if (expires != 0 && onward_core__now_s(minter->ctx) > expires)
        return 0;
    *verdict = ONWARD_TOKEN_OK;
    len -= ONWARD_TOKEN__HEAD;
    if (len > cap)
        return ONWARD_ELIMIT;
    if (len > 0)
        memcpy(payload, raw + ONWARD_TOKEN__HEAD, len);
    return (int)len;
}

const char *onward_token_verdict_name(int verdict)
{
    static const char *const names[] = {"ok", "malformed", "forged", "expired"};

    if (verdict < 0 || (size_t)verdict >= sizeof(names) / sizeof(names[0]))
        return "unknown";
    return names[verdict];
}
