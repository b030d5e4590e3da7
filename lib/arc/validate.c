/*
 * Validation of a chain (RFC 8617 section 5.2): the newest message signature,
 * then every seal from the newest to the oldest, then how far back the message
 * is unchanged.
 */
#include "arc/arc_shared.h"

int onward_arc__policy_load(struct onward_ctx *ctx,
                            const struct onward_arc_validator_opts *opts,
                            struct onward_dkim__policy *policy,
                            bool *wants_oldest_pass)
{
    struct onward_dkim_verifier_opts dkim = {.size = sizeof(dkim)};
    struct onward_arc_validator_opts o;
    size_t unused;
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err != 0)
        return err;
    *wants_oldest_pass = o.skip_oldest_pass == 0;
    dkim.max_signed_fields = o.max_signed_fields;
    dkim.min_rsa_bits = o.min_rsa_bits;
    dkim.max_rsa_bits = o.max_rsa_bits;
    dkim.clock_skew_s = o.clock_skew_s;
    dkim.log_id = o.log_id;
    return onward_dkim__policy_load(ctx, &dkim, policy, &unused);
}

/* ---- Begin ------------------------------------------------------------- */

/*
 * The hashes of all seals: a seal covers the sets below it whole, and its own
 * up to its empty b=. What they share is hashed once.
 */
static int hash_seals(struct onward_arc__validate *v)
{
    struct sha256_ctx sha, seal;

    v->digests = onward_core__arena_array(&v->arena, v->chain.count,
                                          sizeof(*v->digests));
    if (v->digests == NULL)
        return ONWARD_ENOMEM;
    sha256_init(&sha);
    for (size_t i = 0; i < v->chain.count; i++) {
        const struct onward_arc__set *set = &v->chain.sets[i];
        const struct onward_dkim__signature *sig = &set->seal->sig;

        onward_arc__hash_set(&sha, v->header, set);
        seal = sha;
        onward_dkim__hash_field(&seal, ONWARD_DKIM__RELAXED, sig->field,
                                sig->hole, false);
        sha256_digest(&seal, ONWARD_DKIM__HASH_SIZE, v->digests[i]);
        onward_dkim__hash_field(&sha, ONWARD_DKIM__RELAXED, sig->field,
                                (struct onward_str){0}, true);
    }
    return 0;
}

static int ask_all(struct onward_arc__validate *v,
                   struct onward_resolver *resolver,
                   struct onward_core__task *task)
{
    size_t n = v->chain.count;
    int err = 0;

    for (size_t i = n; i-- > 0 && err == 0;) {
        struct onward_arc__set *set = &v->chain.sets[i];

        if (i + 1 == n || v->wants_oldest_pass)
            err = onward_dkim__check_begin(set->ams, v->body, resolver, task);
        if (err == 0)
            err = onward_dkim__check_begin(set->seal, NULL, resolver, task);
    }
    return err;
}

int onward_arc__validate_begin(struct onward_arc__validate *v,
                               const struct onward_header *header,
                               struct onward_dkim__body *body,
                               const struct onward_dkim__policy *policy,
                               bool wants_oldest_pass,
                               struct onward_resolver *resolver,
                               struct onward_core__task *task)
{
    int err;

    memset(v, 0, sizeof(*v));
    v->ctx = header->ctx;
    v->header = header;
    v->body = body;
    v->policy = *policy;
    v->wants_oldest_pass = wants_oldest_pass;
    onward_core__arena_init(&v->arena, v->ctx, onward_arc__arena_max(v->ctx));
    err = onward_arc__collect(&v->arena, header, policy, &v->chain);
    if (err != 0)
        return err;
    if (!v->chain.has_fields) {
        v->result = ONWARD_ARC_NONE;
        return 0;
    }
    if (v->chain.reason != ONWARD_ARC_REASON_NONE) {
        v->result = ONWARD_ARC_FAIL;
        return 0;
    }
    err = hash_seals(v);
    if (err == 0)
        err = ask_all(v, resolver, task);
    return err;
}

/* ---- The walk ---------------------------------------------------------- */

static int hash_message(const struct onward_arc__validate *v,
                        const struct onward_dkim__signature *sig,
                        unsigned char *digest)
{
    struct sha256_ctx sha;
    int err;

    sha256_init(&sha);
    err = onward_dkim__hash_fields(&sha, sig->header_canon, v->header,
                                   sig->signed_fields, sig->item);
    onward_dkim__hash_field(&sha, sig->header_canon, sig->field, sig->hole,
                            false);
    sha256_digest(&sha, ONWARD_DKIM__HASH_SIZE, digest);
    return err;
}

/* The result of one message signature; PENDING: its key is not there yet. */
static enum onward_dkim_result check_message(struct onward_arc__validate *v,
                                             struct onward_dkim__check *check)
{
    unsigned char digest[ONWARD_DKIM__HASH_SIZE];

    onward_dkim__check_body(check, v->body);
    if (!onward_dkim__check_has_key(check))
        return ONWARD_DKIM_PENDING;
    if (check->sig.verdict.result == ONWARD_DKIM_PENDING &&
        hash_message(v, &check->sig, digest) != 0) {
        check->sig.verdict = (struct onward_dkim__verdict){
            ONWARD_DKIM_TEMPERROR, ONWARD_DKIM_REASON_MEMORY, "out of memory"};
        onward_dkim__check_clear(check);
    }
    onward_dkim__check_key(check, v->ctx, digest, &v->policy);
    return check->sig.verdict.result;
}

static enum onward_dkim_result check_seal(struct onward_arc__validate *v,
                                          size_t i)
{
    struct onward_dkim__check *check = v->chain.sets[i].seal;

    if (!onward_dkim__check_has_key(check))
        return ONWARD_DKIM_PENDING;
    onward_dkim__check_key(check, v->ctx, v->digests[i], &v->policy);
    return check->sig.verdict.result;
}

static void drop_questions(struct onward_arc__validate *v)
{
    for (size_t i = 0; i < v->chain.count; i++) {
        if (v->chain.sets[i].ams != NULL)
            onward_dkim__check_clear(v->chain.sets[i].ams);
        if (v->chain.sets[i].seal != NULL)
            onward_dkim__check_clear(v->chain.sets[i].seal);
    }
}

/* All errors are permanent, also those of DNS (RFC 8617 section 5.2.1). */
static void fail(struct onward_arc__validate *v, enum onward_arc_reason reason,
                 size_t i, const struct onward_dkim__check *check)
{
    v->result = ONWARD_ARC_FAIL;
    v->chain.reason = reason;
    v->chain.instance = i + 1;
    v->chain.detail = check->sig.verdict.detail;
    v->signature_reason = check->sig.verdict.reason;
    v->is_temporary = check->sig.verdict.result == ONWARD_DKIM_TEMPERROR;
    drop_questions(v);
}

/* Steps 4 and 6; true when there is a verdict or nothing left to check. */
static bool walk_chain(struct onward_arc__validate *v)
{
    const size_t n = v->chain.count;
    enum onward_dkim_result result;

    /* Step 0 is the newest message signature, step k the k-th seal from the
     * top. One waits for the other, so that the reason given does not depend
     * on which answer came first. */
    for (; v->checked <= n; v->checked++) {
        size_t i = v->checked == 0 ? n - 1 : n - v->checked;

        if (v->checked == 0)
            result = check_message(v, v->chain.sets[i].ams);
        else
            result = check_seal(v, i);
        if (result == ONWARD_DKIM_PENDING)
            return false;
        if (result == ONWARD_DKIM_PASS)
            continue;
        if (v->checked == 0)
            fail(v, ONWARD_ARC_REASON_MESSAGE, i, v->chain.sets[i].ams);
        else
            fail(v, ONWARD_ARC_REASON_SEAL, i, v->chain.sets[i].seal);
        return true;
    }
    return true;
}

/* Step 5; last, for it says nothing of a chain that fails. */
static bool walk_back(struct onward_arc__validate *v)
{
    const size_t n = v->chain.count;

    while (v->wants_oldest_pass && v->checked < 2 * n) {
        size_t i = 2 * n - 1 - v->checked; /* n - 2 first */
        enum onward_dkim_result result = check_message(v, v->chain.sets[i].ams);

        if (result == ONWARD_DKIM_PENDING)
            return false;
        if (result != ONWARD_DKIM_PASS) {
            v->oldest_pass = i + 2;
            break;
        }
        v->checked++;
    }
    v->has_oldest_pass = v->wants_oldest_pass;
    v->result = ONWARD_ARC_PASS;
    drop_questions(v);
    return true;
}

bool onward_arc__validate_step(struct onward_arc__validate *v)
{
    if (v->is_done || !v->body->is_finished)
        return v->is_done;
    if (v->result == ONWARD_ARC_PENDING &&
        (!walk_chain(v) || (v->result == ONWARD_ARC_PENDING && !walk_back(v))))
        return false;
    v->is_done = true;
    onward_core__log(
        v->ctx, ONWARD_LOG_INFO, "arc", onward_arc_result_name((int)v->result),
        v->policy.log_id,
        onward_str_of(onward_arc_reason_name((int)v->chain.reason)));
    return true;
}

void onward_arc__validate_clear(struct onward_arc__validate *v)
{
    drop_questions(v);
    if (v->ctx != NULL)
        onward_core__arena_clear(&v->arena);
    memset(v, 0, sizeof(*v));
}
