/*
 * One signature from its field to its verdict: body hash, key, comparison (RFC
 * 6376 sections 6.1.2 and 6.1.3). DKIM and ARC differ only in what the header
 * hash covers, which their callers bring.
 */
#include "dkim/dkim_shared.h"

static void decide(struct onward_dkim__check *check,
                   enum onward_dkim_result result,
                   enum onward_dkim_reason reason, const char *detail)
{
    check->sig.verdict = (struct onward_dkim__verdict){result, reason, detail};
}

static bool is_open(const struct onward_dkim__check *check)
{
    return check->sig.verdict.result == ONWARD_DKIM_PENDING;
}

int onward_dkim__check_begin(struct onward_dkim__check *check,
                             struct onward_dkim__body *body,
                             struct onward_resolver *resolver,
                             struct onward_core__task *task)
{
    const struct onward_dkim__signature *sig = &check->sig;
    int err;

    if (!is_open(check))
        return 0;
    if (sig->kind != ONWARD_DKIM__AS) {
        err = onward_dkim__body_want(body, sig->body_canon, sig->has_limit,
                                     sig->limit, &check->body_index);
        if (err == ONWARD_ELIMIT) {
            decide(check, ONWARD_DKIM_PERMERROR, ONWARD_DKIM_REASON_LIMIT,
                   "too many different body hashes");
            return 0;
        }
        if (err != 0)
            return err;
    }
    return onward_dns__ask(resolver, &check->query, sig->key_name,
                           ONWARD_DNS_TXT, task);
}

void onward_dkim__check_body(struct onward_dkim__check *check,
                             const struct onward_dkim__body *body)
{
    const struct onward_dkim__signature *sig = &check->sig;
    uint64_t octets;

    if (!is_open(check))
        return;
    octets = onward_dkim__body_octets(body, sig->body_canon);
    if (sig->has_limit && sig->limit > octets) {
        decide(check, ONWARD_DKIM_PERMERROR, ONWARD_DKIM_REASON_BODY_LENGTH,
               "l= is above the body's length");
    } else if (memcmp(onward_dkim__body_digest(body, check->body_index),
                      sig->body_hash, ONWARD_DKIM__HASH_SIZE) != 0) {
        /* Whatever the key says, this body was not signed: no need to wait. */
        decide(check, ONWARD_DKIM_FAIL, ONWARD_DKIM_REASON_BODY_HASH,
               "body hash did not verify");
    }
    if (sig->has_limit && sig->limit < octets)
        check->unsigned_octets = octets - sig->limit;
    if (!is_open(check))
        onward_dns__query_clear(&check->query);
}

bool onward_dkim__check_has_key(const struct onward_dkim__check *check)
{
    return !is_open(check) || check->query.answer != NULL;
}

/* Is there an answer with records? If not, that is the verdict. */
static bool check_answer(struct onward_dkim__check *check,
                         const struct onward_dns__answer *answer)
{
    switch (answer->status) {
    case ONWARD_DNS__OK:
        return true;
    case ONWARD_DNS__NODATA:
    case ONWARD_DNS__NXDOMAIN:
        decide(check, ONWARD_DKIM_PERMERROR, ONWARD_DKIM_REASON_KEY_NONE,
               "no key for signature");
        return false;
    case ONWARD_DNS__PENDING:
    case ONWARD_DNS__TEMP:
        decide(check, ONWARD_DKIM_TEMPERROR, ONWARD_DKIM_REASON_KEY_UNREACHABLE,
               "key cannot be looked up");
        return false;
    case ONWARD_DNS__BOGUS:
        decide(check, ONWARD_DKIM_TEMPERROR, ONWARD_DKIM_REASON_KEY_UNREACHABLE,
               "key record fails DNSSEC validation");
        return false;
    }
    return false;
}

static void judge(struct onward_dkim__check *check,
                  const struct onward_dkim__key *key,
                  const unsigned char *digest,
                  const struct onward_dkim__policy *policy)
{
    const struct onward_dkim__signature *sig = &check->sig;

    check->is_test = key->is_test;
    check->key_bits =
        key->pub != NULL ? onward_pubkey_bits(key->pub) : key->bits;
    if (key->verdict.result != ONWARD_DKIM_PENDING) {
        check->sig.verdict = key->verdict;
        return;
    }
    if (onward_pubkey_type(key->pub) != sig->algorithm)
        decide(check, ONWARD_DKIM_PERMERROR, ONWARD_DKIM_REASON_KEY_TYPE,
               "key type is not the one of a=");
    else if (key->is_strict && sig->is_identity_below)
        decide(check, ONWARD_DKIM_PERMERROR, ONWARD_DKIM_REASON_KEY_IDENTITY,
               "key has t=s, but i= is below d=");
    else if (sig->algorithm == ONWARD_KEY_RSA &&
             (check->key_bits < policy->min_rsa_bits ||
              check->key_bits > policy->max_rsa_bits))
        decide(check, ONWARD_DKIM_PERMERROR, ONWARD_DKIM_REASON_KEY_SIZE,
               "RSA key is too short or too long for us");
    else if (onward_pubkey_verify(key->pub, sig->algorithm, digest, sig->b.data,
                                  sig->b.len) != 1)
        decide(check, ONWARD_DKIM_FAIL, ONWARD_DKIM_REASON_SIGNATURE,
               "signature did not verify");
    else if (check->unsigned_octets > 0 && !policy->allow_partial_body)
        decide(check, ONWARD_DKIM_POLICY, ONWARD_DKIM_REASON_PARTIAL_BODY,
               "l= leaves a part of the body unsigned");
    else
        decide(check, ONWARD_DKIM_PASS, ONWARD_DKIM_REASON_NONE, "");
}

/*
 * What several records at one name mean is undefined (RFC 6376 section
 * 3.6.2.2); section 6.1.2 lets us try one after the other. Records of something
 * else are passed over; the first key that does not pass names the reason.
 */
static int try_records(struct onward_dkim__check *check, struct onward_ctx *ctx,
                       const struct onward_dns__answer *answer,
                       const unsigned char *digest,
                       const struct onward_dkim__policy *policy)
{
    struct onward_dkim__verdict verdict = {0};
    size_t key_bits = 0;
    size_t tried = 0;
    bool is_test = false;

    for (size_t i = 0;
         i < answer->count && tried < ONWARD_DKIM__KEY_RECORDS_MAX; i++) {
        const struct onward_dkim__key *key;
        struct onward_dkim__key room;
        bool is_first;
        int err = onward_dkim__key_of(ctx, answer, i, &room, &key);

        if (err != 0)
            return err;
        is_first = i == 0 || (key->is_record && tried == 0);
        tried += key->is_record;
        judge(check, key, digest, policy);
        onward_dkim__key_clear(&room);
        if (check->sig.verdict.result == ONWARD_DKIM_PASS ||
            check->sig.verdict.result == ONWARD_DKIM_POLICY)
            return 0;
        if (is_first) {
            verdict = check->sig.verdict;
            key_bits = check->key_bits;
            is_test = check->is_test;
        }
    }
    check->sig.verdict = verdict;
    check->key_bits = key_bits;
    check->is_test = is_test;
    return 0;
}

void onward_dkim__check_key(struct onward_dkim__check *check,
                            struct onward_ctx *ctx, const unsigned char *digest,
                            const struct onward_dkim__policy *policy)
{
    const struct onward_dns__answer *answer = check->query.answer;

    if (!is_open(check) || answer == NULL)
        return;
    check->is_secure = answer->is_secure;
    if (check_answer(check, answer) &&
        try_records(check, ctx, answer, digest, policy) != 0)
        decide(check, ONWARD_DKIM_TEMPERROR, ONWARD_DKIM_REASON_MEMORY,
               "out of memory");
    onward_dns__query_clear(&check->query);
}

void onward_dkim__check_clear(struct onward_dkim__check *check)
{
    onward_dns__query_clear(&check->query);
}
