/*
 * A rewriter: no I/O and no state but its secrets; the context's clock gives
 * the day.
 */
#include "srs/srs_priv.h"

/* ---- Life -------------------------------------------------------------- */

static size_t or_default(size_t given, size_t dflt)
{
    return given == 0 ? dflt : given;
}

static int load_opts(const struct onward_srs_opts *given,
                     struct onward_srs_opts *opts)
{
    int ret = onward_core__opts_load(opts, sizeof(*opts), given);

    if (ret != 0)
        return ret;
    opts->hash_len = or_default(opts->hash_len, 4);
    opts->hash_min = or_default(opts->hash_min, opts->hash_len);
    opts->max_age_days = or_default(opts->max_age_days, 21);
    opts->separator = or_default(opts->separator, '=');
    if (opts->hash_len > ONWARD_SRS__HASH_MAX || opts->hash_min < 2 ||
        opts->hash_min > opts->hash_len || opts->max_age_days > 1000 ||
        opts->always_rewrite > 1 || opts->allow_folded_hash > 1 ||
        opts->hash > ONWARD_SRS_SHA1 || opts->refuse_sha1 > 1)
        return ONWARD_EINVAL;
    if (opts->separator != '=' && opts->separator != '+' &&
        opts->separator != '-')
        return ONWARD_EINVAL;
    return 0;
}

int onward_srs_new(struct onward_ctx *ctx, const struct onward_str *secrets,
                   size_t count, const struct onward_srs_opts *given,
                   struct onward_srs **out)
{
    struct onward_srs_opts opts;
    struct onward_srs *srs;
    int ret;

    if (ctx == NULL || out == NULL || secrets == NULL || count == 0 ||
        count > ONWARD_SRS_SECRETS_MAX)
        return ONWARD_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (secrets[i].len == 0 || secrets[i].len > ONWARD_SRS_SECRET_MAX)
            return ONWARD_EINVAL;
    }
    ret = load_opts(given, &opts);
    if (ret != 0)
        return ret;
    srs = onward_core__zalloc(ctx,
                              sizeof(*srs) + count * sizeof(srs->secrets[0]));
    if (srs == NULL)
        return ONWARD_ENOMEM;
    srs->ctx = onward_ctx_ref(ctx);
    atomic_init(&srs->refs, 1);
    srs->opts = opts;
    srs->count = count;
    for (size_t i = 0; i < count; i++) {
        srs->secrets[i].len = secrets[i].len;
        memcpy(srs->secrets[i].data, secrets[i].data, secrets[i].len);
    }
    *out = srs;
    return 0;
}

struct onward_srs *onward_srs_ref(struct onward_srs *srs)
{
    atomic_fetch_add_explicit(&srs->refs, 1, memory_order_relaxed);
    return srs;
}

void onward_srs_free(struct onward_srs *srs)
{
    struct onward_ctx *ctx;

    if (srs == NULL ||
        atomic_fetch_sub_explicit(&srs->refs, 1, memory_order_acq_rel) != 1)
        return;
    ctx = srs->ctx;
    onward_core__wipe(srs, sizeof(*srs) +
                               srs->count * sizeof(struct onward_srs__secret));
    onward_core__free(ctx, srs);
    onward_ctx_free(ctx);
}

/* ---- Names ------------------------------------------------------------- */

const char *onward_srs_verdict_name(int verdict)
{
    static const char *const names[] = {"ok",     "none",    "malformed",
                                        "forged", "expired", "kept"};

    if (verdict < 0 || (size_t)verdict >= sizeof(names) / sizeof(names[0]))
        return "unknown";
    return names[verdict];
}
