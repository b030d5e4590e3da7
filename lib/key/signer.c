/*
 * Signers: one path for keys in memory and hosts that sign. What a signing is
 * and who frees whom is in key_shared.h.
 */
#include "key/key_shared.h"
#include "key/reveal_priv.h"
#include "key/rsa_priv.h"

#include <nettle/eddsa.h>

#define TIMEOUT_MS_DEFAULT 10000
#define LABEL_MAX 255

struct onward_signer {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    size_t refs; /* the host's, and one for each holder */
    bool is_freed;
    struct onward_pubkey *pub;
    struct onward_key *key;      /* NULL: ask the host */
    struct onward_key__rsa *rsa; /* NULL: not RSA, or ask the host */
    struct onward_signer_host host;
    struct onward_key__signing *pending;
    size_t timeout_ms;
    uint64_t log_id;
    struct onward_str label;
    uint8_t key_id[32];
};

/* ---- Life -------------------------------------------------------------- */

static int load_opts(const struct onward_signer_opts *given,
                     struct onward_signer_opts *opts)
{
    int ret = onward_core__opts_load(opts, sizeof(*opts), given);

    if (ret != 0)
        return ret;
    if (opts->label.len > LABEL_MAX ||
        (opts->label.data == NULL && opts->label.len != 0))
        return ONWARD_EINVAL;
    return 0;
}

/* The label lies behind the struct. */
static int new_signer(struct onward_desk *desk, struct onward_pubkey *pub,
                      const struct onward_signer_opts *opts,
                      struct onward_signer **out)
{
    struct onward_ctx *ctx;
    struct onward_signer *signer;

    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    ctx = onward_core__desk_ctx(desk);
    signer = onward_core__zalloc(ctx, sizeof(*signer) + opts->label.len);
    if (signer == NULL)
        return ONWARD_ENOMEM;
    onward_core__desk_hold(desk);
    signer->ctx = ctx;
    signer->desk = desk;
    signer->refs = 1;
    signer->pub = onward_pubkey_ref(pub);
    signer->timeout_ms =
        onward_core__limit(opts->timeout_ms, TIMEOUT_MS_DEFAULT);
    signer->log_id =
        opts->log_id != 0 ? opts->log_id : onward_core__desk_log_id(desk);
    if (opts->label.len != 0)
        memcpy(signer + 1, opts->label.data, opts->label.len);
    signer->label =
        onward_core__str((const char *)(signer + 1), opts->label.len);
    onward_pubkey_id(pub, signer->key_id);
    *out = signer;
    return 0;
}

static void destroy(struct onward_signer *signer)
{
    struct onward_desk *desk = signer->desk;

    onward_key__rsa_free(signer->rsa);
    onward_key_free(signer->key);
    onward_pubkey_free(signer->pub);
    onward_core__free(signer->ctx, signer);
    onward_core__desk_release(desk); /* the context may go with it */
}

struct onward_signer *onward_key__signer_hold(struct onward_signer *signer)
{
    signer->refs++;
    return signer;
}

void onward_key__signer_release(struct onward_signer *signer)
{
    if (--signer->refs == 0)
        destroy(signer);
}

int onward_signer_new(struct onward_desk *desk, struct onward_key *key,
                      const struct onward_signer_opts *given,
                      struct onward_signer **out)
{
    struct onward_signer_opts opts;
    struct onward_signer *signer;
    int ret;

    if (desk == NULL || key == NULL || out == NULL)
        return ONWARD_EINVAL;
    ret = load_opts(given, &opts);
    if (ret == 0)
        ret = new_signer(desk, onward_key_public(key), &opts, &signer);
    if (ret != 0)
        return ret;
    signer->key = onward_key_ref(key);
    if (onward_pubkey_type(signer->pub) == ONWARD_KEY_RSA)
        ret = onward_key__rsa_new(key, &signer->rsa);
    if (ret != 0) {
        onward_key__signer_release(signer);
        return ret;
    }
    *out = signer;
    return 0;
}

int onward_signer_new_host(struct onward_desk *desk, struct onward_pubkey *pub,
                           const struct onward_signer_host *host,
                           const struct onward_signer_opts *given,
                           struct onward_signer **out)
{
    struct onward_signer_host table;
    struct onward_signer_opts opts;
    struct onward_signer *signer;
    int ret;

    if (desk == NULL || pub == NULL || host == NULL || out == NULL)
        return ONWARD_EINVAL;
    ret = onward_core__opts_load(&table, sizeof(table), host);
    if (ret == 0 && table.sign == NULL)
        ret = ONWARD_EINVAL;
    if (ret == 0)
        ret = load_opts(given, &opts);
    if (ret == 0)
        ret = new_signer(desk, pub, &opts, &signer);
    if (ret != 0)
        return ret;
    signer->host = table;
    *out = signer;
    return 0;
}

struct onward_pubkey *onward_signer_public(const struct onward_signer *signer)
{
    return signer->pub;
}

struct onward_desk *onward_key__signer_desk(const struct onward_signer *signer)
{
    return signer->desk;
}

/* ---- Signings ---------------------------------------------------------- */

static void unlink_pending(struct onward_key__signing *signing)
{
    struct onward_signer *signer = signing->signer;

    if (signing->prev != NULL)
        signing->prev->next = signing->next;
    else if (signer->pending == signing)
        signer->pending = signing->next;
    if (signing->next != NULL)
        signing->next->prev = signing->prev;
    signing->prev = signing->next = NULL;
}

/* The answer, whatever it is: recorded, and the asker woken. */
static void settle(struct onward_key__signing *signing, int status)
{
    unlink_pending(signing);
    onward_core__ask_close(&signing->ask);
    onward_core__task_clear(&signing->timer);
    signing->status = status;
    signing->len =
        status == 0 ? onward_pubkey_signature_len(signing->signer->pub) : 0;
    if (signing->task != NULL)
        onward_core__task_ready(signing->task);
}

void onward_signer_free(struct onward_signer *signer)
{
    if (signer == NULL || signer->is_freed)
        return;
    signer->is_freed = true;
    while (signer->pending != NULL)
        settle(signer->pending, ONWARD_ECANCELED);
    onward_key__signer_release(signer);
}

static void cancel_at_host(struct onward_signer *signer, uint64_t token)
{
    if (signer->host.cancel == NULL || signer->is_freed ||
        onward_core__desk_is_dead(signer->desk))
        return;
    signer->host.cancel(signer->host.user, token);
}

static void on_timeout(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_key__signing *signing =
        ONWARD_CONTAINER(task, struct onward_key__signing, timer);
    struct onward_signer *signer = signing->signer;
    uint64_t token = signing->ask.token;

    (void)now_ms;
    onward_core__log(signer->ctx, ONWARD_LOG_WARN, "key", "sign-timeout",
                     signer->log_id, signer->label);
    onward_key__signer_hold(signer);
    settle(signing, ONWARD_ECANCELED);
    cancel_at_host(signer, token); /* may free the signing's owner */
    onward_key__signer_release(signer);
}

/*
 * Ed25519 takes its nonce from the message: of two signatures of one digest,
 * one of them made with a fault after the nonce, the key can be computed. A
 * sender can make us sign a digest twice, so each signature is verified before
 * it leaves. Signing twice and comparing is cheaper, but does not see a key
 * that changed in memory.
 */
static int sign_ed25519(const struct onward_signer *signer,
                        const uint8_t *digest, uint8_t *out)
{
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    int ret = ONWARD_ECRYPTO;

    ed25519_sha512_sign(signer->pub->ed25519, signer->key->seed,
                        ONWARD_KEY_DIGEST_LEN, digest, signature);
    onward_key__publish(signature, sizeof(signature));
    if (onward_key__ed25519_verify(signer->pub, digest, ONWARD_KEY_DIGEST_LEN,
                                   signature, sizeof(signature))) {
        memcpy(out, signature, sizeof(signature));
        ret = 0;
    }
    onward_core__wipe(signature, sizeof(signature));
    return ret;
}

static void sign_here(struct onward_key__signing *signing)
{
    struct onward_signer *signer = signing->signer;
    int ret;

    if (signer->rsa != NULL)
        ret = onward_key__rsa_sign(signer->rsa, signing->digest,
                                   signing->signature);
    else
        ret = sign_ed25519(signer, signing->digest, signing->signature);
    if (ret == ONWARD_ECRYPTO)
        onward_core__log(signer->ctx, ONWARD_LOG_ERROR, "key",
                         "sign-result-wrong", signer->log_id, signer->label);
    settle(signing, ret);
}

/* The callback may answer, and may free the signing with what holds it. */
static void ask_host(struct onward_key__signing *signing)
{
    struct onward_signer *signer = signing->signer;
    uint64_t token = signing->ask.token;
    uint8_t digest[ONWARD_KEY_DIGEST_LEN];
    uint8_t info[ONWARD_KEY__DIGEST_INFO_LEN];
    struct onward_sign_question question = {
        .size = sizeof(question),
        .type = onward_pubkey_type(signer->pub),
        .token = token,
        .digest = digest,
        .digest_len = sizeof(digest),
        .input = digest,
        .input_len = sizeof(digest),
        .key_id = signer->key_id,
        .key_id_len = sizeof(signer->key_id),
        .label = signer->label,
    };

    memcpy(digest, signing->digest, sizeof(digest));
    if (question.type == ONWARD_KEY_RSA) {
        onward_key__digest_info(info, digest);
        question.input = info;
        question.input_len = sizeof(info);
    }
    onward_key__signer_hold(signer);
    if (signer->host.sign(signer->host.user, &question) < 0)
        (void)onward_sign_answer_error(signer->desk, token, ONWARD_ECALLBACK);
    onward_key__signer_release(signer);
}

static int open_host(struct onward_key__signing *signing)
{
    struct onward_signer *signer = signing->signer;
    int ret =
        onward_core__ask_open(signer->desk, &signing->ask, ONWARD_ASK_SIGN);

    if (ret != 0)
        return ret;
    signing->next = signer->pending;
    if (signing->next != NULL)
        signing->next->prev = signing;
    signer->pending = signing;
    onward_core__task_init(&signing->timer, signer->desk, on_timeout);
    onward_core__task_after(&signing->timer, signer->timeout_ms);
    return 0;
}

int onward_key__sign(struct onward_signer *signer,
                     struct onward_key__signing *signing, const uint8_t *digest,
                     struct onward_core__task *task)
{
    int ret;

    if (signer->is_freed || onward_core__desk_is_dead(signer->desk))
        return ONWARD_ESTATE;
    memset(signing, 0, sizeof(*signing));
    signing->signer = onward_key__signer_hold(signer);
    signing->task = task;
    signing->status = ONWARD_AGAIN;
    memcpy(signing->digest, digest, sizeof(signing->digest));
    if (signer->key != NULL) {
        sign_here(signing);
        return 0;
    }
    ret = open_host(signing);
    if (ret != 0) {
        onward_key__signing_clear(signing);
        return ret;
    }
    ask_host(signing);
    return 0;
}

void onward_key__signing_clear(struct onward_key__signing *signing)
{
    struct onward_signer *signer = signing->signer;
    bool was_open = signing->ask.desk != NULL;
    uint64_t token = signing->ask.token;

    if (signer == NULL)
        return;
    unlink_pending(signing);
    onward_core__ask_close(&signing->ask);
    onward_core__task_clear(&signing->timer);
    memset(signing, 0, sizeof(*signing));
    if (was_open)
        cancel_at_host(signer, token);
    onward_key__signer_release(signer);
}

/* ---- Answers ----------------------------------------------------------- */

static struct onward_key__signing *find(struct onward_desk *desk,
                                        uint64_t token)
{
    struct onward_core__ask *ask =
        desk == NULL ? NULL
                     : onward_core__ask_find(desk, token, ONWARD_ASK_SIGN);

    return ask == NULL ? NULL
                       : ONWARD_CONTAINER(ask, struct onward_key__signing, ask);
}

int onward_sign_answer(struct onward_desk *desk, uint64_t token,
                       const void *signature, size_t len)
{
    struct onward_key__signing *signing = find(desk, token);
    struct onward_signer *signer;

    if (signing == NULL)
        return ONWARD_ESTALE;
    signer = signing->signer;
    /* A host may mix up keys or paddings; what does not verify here would fail
     * at every receiver. */
    if (!onward_pubkey_verify(signer->pub, onward_pubkey_type(signer->pub),
                              signing->digest, signature, len)) {
        onward_core__log(signer->ctx, ONWARD_LOG_ERROR, "key",
                         "sign-answer-wrong", signer->log_id, signer->label);
        settle(signing, ONWARD_ECRYPTO);
        return ONWARD_ECRYPTO;
    }
    memcpy(signing->signature, signature, len);
    settle(signing, 0);
    return 0;
}

int onward_sign_answer_error(struct onward_desk *desk, uint64_t token,
                             int error)
{
    struct onward_key__signing *signing = find(desk, token);

    if (signing == NULL)
        return ONWARD_ESTALE;
    if (error > ONWARD_ENOMEM || error <= ONWARD_AGAIN)
        error = ONWARD_ECALLBACK;
    settle(signing, error);
    return 0;
}
