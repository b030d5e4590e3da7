/*
 * All DKIM signatures of one message (RFC 6376 section 6): from a complete
 * header and the shared body hash set to their verdicts.
 */
#include "dkim/dkim_priv.h"

int onward_dkim__policy_load(struct onward_ctx *ctx,
                             const struct onward_dkim_verifier_opts *opts,
                             struct onward_dkim__policy *policy,
                             size_t *max_signatures)
{
    struct onward_dkim_verifier_opts o;
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err != 0)
        return err;
    if (o.reserved != 0)
        return ONWARD_EINVAL;
    memset(policy, 0, sizeof(*policy));
    *max_signatures = onward_core__limit(o.max_signatures, 10);
    policy->max_signed_fields = onward_core__limit(o.max_signed_fields, 500);
    policy->min_rsa_bits =
        onward_core__limit(o.min_rsa_bits, ONWARD_KEY_RSA_BITS_MIN);
    policy->max_rsa_bits =
        onward_core__limit(o.max_rsa_bits, ONWARD_KEY_RSA_BITS_MAX);
    /* RFC 8301 section 3.2: shorter keys never pass, these always can. */
    if (policy->min_rsa_bits < ONWARD_KEY_RSA_BITS_MIN ||
        policy->min_rsa_bits > policy->max_rsa_bits ||
        policy->max_rsa_bits > ONWARD_KEY_RSA_BITS_MAX)
        return ONWARD_EINVAL;
    policy->clock_skew_s =
        (int64_t)(onward_core__limit(o.clock_skew_s, 300) & INT32_MAX);
    policy->now_s = onward_core__now_s(ctx);
    policy->allow_partial_body = o.allow_partial_body != 0;
    policy->log_id = o.log_id;
    return 0;
}

/* Octets of text made of the fields, h= lists and all, at most. */
static size_t arena_max(struct onward_ctx *ctx, size_t max_signatures)
{
    size_t header = onward_core__limits(ctx)->header_bytes;

    if (header > SIZE_MAX / 8 || max_signatures > SIZE_MAX / 65536)
        return SIZE_MAX;
    return header * 5 + max_signatures * 8192 + 65536;
}

static size_t count_fields(const struct onward_header *header, size_t max,
                           size_t *skipped)
{
    size_t all =
        onward_header_count_named(header, ONWARD_STR("DKIM-Signature"));
    size_t count = all < max ? all : max;

    *skipped = all - count;
    return count;
}

int onward_dkim__verify_begin(struct onward_dkim__verify *v,
                              const struct onward_header *header,
                              struct onward_dkim__body *body,
                              const struct onward_dkim__policy *policy,
                              size_t max_signatures,
                              struct onward_resolver *resolver,
                              struct onward_core__task *task)
{
    size_t count, item;
    int err;

    memset(v, 0, sizeof(*v));
    v->ctx = header->ctx;
    v->header = header;
    v->body = body;
    v->policy = *policy;
    onward_core__arena_init(&v->arena, v->ctx,
                            arena_max(v->ctx, max_signatures));
    count = count_fields(header, max_signatures, &v->skipped);
    if (count == 0)
        return 0;
    v->checks = onward_core__arena_array(&v->arena, count, sizeof(*v->checks));
    v->facts = onward_core__arena_array(&v->arena, count, sizeof(*v->facts));
    if (v->checks == NULL || v->facts == NULL)
        return ONWARD_ENOMEM;
    item = onward_header_first(header, ONWARD_STR("DKIM-Signature"));
    for (size_t i = 0; i < count; i++) {
        struct onward_dkim__check *check = &v->checks[i];

        v->count = i + 1;
        err = onward_dkim__signature_parse(&v->arena, ONWARD_DKIM__DKIM, header,
                                           item, policy, &check->sig);
        if (err == 0)
            err = onward_dkim__check_begin(check, body, resolver, task);
        if (err != 0)
            return err;
        item = header->items[item].below;
    }
    return onward_dkim__describe(v);
}

/* Fields by h=, then the signature itself (RFC 6376 section 3.7). */
static int hash_header(const struct onward_dkim__verify *v,
                       const struct onward_dkim__signature *sig,
                       unsigned char *digest)
{
    struct sha256_ctx sha;
    int err;

    sha256_init(&sha);
    err = onward_dkim__hash_fields(&sha, sig->header_canon, v->header,
                                   sig->signed_fields, sig->item);
    if (err != 0)
        return err;
    onward_dkim__hash_field(&sha, sig->header_canon, sig->field, sig->hole,
                            false);
    sha256_digest(&sha, ONWARD_DKIM__HASH_SIZE, digest);
    return 0;
}

static void step_one(struct onward_dkim__verify *v,
                     struct onward_dkim__check *check)
{
    unsigned char digest[ONWARD_DKIM__HASH_SIZE];

    if (check->query.answer == NULL)
        return;
    if (hash_header(v, &check->sig, digest) != 0) {
        check->sig.verdict = (struct onward_dkim__verdict){
            ONWARD_DKIM_TEMPERROR, ONWARD_DKIM_REASON_MEMORY, "out of memory"};
        onward_dkim__check_clear(check);
        return;
    }
    onward_dkim__check_key(check, v->ctx, digest, &v->policy);
}

/* One line a signature for whoever counts them. */
static void log_results(const struct onward_dkim__verify *v)
{
    struct onward_buf detail;

    if (!onward_core__has_log(v->ctx))
        return;
    for (size_t i = 0; i < v->count; i++) {
        const struct onward_dkim__signature *sig = &v->checks[i].sig;

        onward_core__buf_init(&detail, v->ctx, 1024);
        onward_core__buf_add_text(&detail, "d=");
        onward_core__buf_add_str(&detail, sig->domain_ascii);
        onward_core__buf_add_text(&detail, " ");
        onward_core__buf_add_text(
            &detail, onward_dkim_reason_name((int)sig->verdict.reason));
        onward_core__log(v->ctx, ONWARD_LOG_INFO, "dkim",
                         onward_dkim_result_name((int)sig->verdict.result),
                         v->policy.log_id, onward_core__buf_str(&detail));
        onward_core__buf_clear(&detail);
    }
    if (v->skipped > 0)
        onward_core__log(v->ctx, ONWARD_LOG_WARN, "dkim", "skipped",
                         v->policy.log_id,
                         ONWARD_STR("more signatures than max_signatures"));
}

bool onward_dkim__verify_step(struct onward_dkim__verify *v)
{
    bool is_done = true;

    /* Verdicts wait for the body, so that they never depend on which came
     * first, the last octet or an answer. */
    if (v->is_done || !v->body->is_finished)
        return v->is_done;
    for (size_t i = 0; i < v->count && !v->is_body_done; i++)
        onward_dkim__check_body(&v->checks[i], v->body);
    v->is_body_done = true;
    for (size_t i = 0; i < v->count; i++) {
        if (v->checks[i].sig.verdict.result == ONWARD_DKIM_PENDING)
            step_one(v, &v->checks[i]);
        if (v->checks[i].sig.verdict.result == ONWARD_DKIM_PENDING)
            is_done = false;
    }
    v->is_done = is_done;
    if (is_done)
        log_results(v);
    return is_done;
}

void onward_dkim__verify_clear(struct onward_dkim__verify *v)
{
    for (size_t i = 0; i < v->count; i++)
        onward_dkim__check_clear(&v->checks[i]);
    if (v->ctx != NULL)
        onward_core__arena_clear(&v->arena);
    memset(v, 0, sizeof(*v));
}
