/*
 * A question to the store: read what is kept, judge it, put what is to be kept
 * instead, if nobody was faster; else read anew. A client is looked up in two
 * steps for greylisting: is it known, else has it been here with that.
 */
#include <nettle/sha2.h>

#include "core/desk_shared.h"
#include "store/store_shared.h"
#include "throttle/throttle_priv.h"

#define KEY_PREFIX "onward/throttle/1/"

enum {
    KEY_MAX = sizeof(KEY_PREFIX) + 2 * SHA256_DIGEST_SIZE,
    OPTION_MAX = 1000000000,
    TRIES = 8 /* lost against others; then they go on without us */
};

enum kind { KIND_RATE, KIND_GREYLIST };

enum stage {
    STAGE_GET,   /* ask for the value at key */
    STAGE_READ,  /* asked */
    STAGE_WRITE, /* put was asked for */
    STAGE_KNOW,  /* the client passed; it is being remembered */
    STAGE_DONE
};

_Static_assert(offsetof(struct onward_throttle_rate_opts, amount) +
                       sizeof(size_t) ==
                   sizeof(struct onward_throttle_rate_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_throttle_greylist_opts, life_s) +
                       sizeof(size_t) ==
                   sizeof(struct onward_throttle_greylist_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_throttle_host, done) + sizeof(void *) ==
                   sizeof(struct onward_throttle_host),
               "no tail padding");

struct onward_throttle {
    struct onward_ctx *ctx;
    struct onward_store *store;
    struct onward_throttle_host host;
    struct onward_core__task task;
    struct onward_core__guard guard;
    struct onward_store__query query;
    enum kind kind;
    enum stage stage;
    bool is_known_asked; /* greylisting: the first step is over */
    size_t tries;
    struct onward_throttle__judgement judgement;
    union {
        struct onward_throttle_rate_opts rate;
        struct onward_throttle_greylist_opts greylist;
    } opts; /* without the texts */
    char key[KEY_MAX], known_key[KEY_MAX];
};

/* ---- Keys -------------------------------------------------------------- */

/* With its length, so that no two lists of texts read the same. */
static void hash_text(struct sha256_ctx *sha, struct onward_str s)
{
    uint8_t octets[64];

    for (size_t i = 0; i < 8; i++)
        octets[i] = (uint8_t)((uint64_t)s.len >> (8 * i));
    sha256_update(sha, 8, octets);
    for (size_t at = 0; at < s.len;) {
        size_t n = 0;

        for (; n < sizeof(octets) && at < s.len; n++, at++)
            octets[n] = onward_ascii_lower((unsigned char)s.data[at]);
        sha256_update(sha, n, octets);
    }
}

/* Addresses may be longer than a key, and need not be read in a store. */
static void make_key(char key[KEY_MAX], const struct onward_str *texts,
                     size_t count)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sha;
    size_t at = sizeof(KEY_PREFIX) - 1;

    sha256_init(&sha);
    for (size_t i = 0; i < count; i++)
        hash_text(&sha, texts[i]);
    sha256_digest(&sha, sizeof(digest), digest);
    memcpy(key, KEY_PREFIX, at);
    for (size_t i = 0; i < sizeof(digest); i++) {
        key[at++] = digits[digest[i] >> 4];
        key[at++] = digits[digest[i] & 15];
    }
    key[at] = '\0';
}

/* ---- Steps ------------------------------------------------------------- */

static int end(struct onward_throttle *t, int verdict)
{
    t->judgement.verdict = verdict;
    t->stage = STAGE_DONE;
    return 0;
}

static const char *key_now(const struct onward_throttle *t)
{
    return t->kind == KIND_GREYLIST &&
                   (!t->is_known_asked || t->stage == STAGE_KNOW)
               ? t->known_key
               : t->key;
}

static int get(struct onward_throttle *t)
{
    t->stage = STAGE_READ;
    return onward_store__get(t->store, &t->query, onward_str_of(key_now(t)),
                             &t->task);
}

/* The answer is judged before the query that holds it is cleared. */
static int put(struct onward_throttle *t, bool was_there)
{
    const struct onward_throttle__judgement *j = &t->judgement;
    uint64_t version = t->query.version;

    onward_store__query_clear(&t->query);
    if (t->guard.is_dead)
        return 0;
    return onward_store__put(t->store, &t->query, onward_str_of(key_now(t)),
                             onward_core__str(j->value, j->len), j->expires_s,
                             version,
                             t->stage == STAGE_KNOW ? 0
                             : was_there            ? ONWARD_STORE_IF_VERSION
                                                    : ONWARD_STORE_IF_ABSENT,
                             &t->task);
}

static int read_value(struct onward_throttle *t)
{
    const bool was_there = t->query.status == 0;
    const int64_t now_s = onward_core__now_s(t->ctx);
    struct onward_throttle__judgement *j = &t->judgement;

    if (!was_there && t->query.status != ONWARD_ENOENT)
        return t->query.status;
    if (t->kind == KIND_RATE) {
        onward_throttle__judge_rate(&t->opts.rate, t->query.value, now_s, j);
    } else if (!t->is_known_asked) {
        onward_throttle__judge_known(&t->opts.greylist, t->query.value, now_s,
                                     j);
        if (j->verdict != ONWARD_THROTTLE_PASS) {
            t->is_known_asked = true;
            t->stage = STAGE_GET;
            return 0;
        }
        if (j->len != 0)
            t->stage = STAGE_KNOW;
    } else {
        onward_throttle__judge_greylist(&t->opts.greylist, t->query.value,
                                        now_s, j);
        if (j->verdict == ONWARD_THROTTLE_PASS) {
            onward_throttle__know(&t->opts.greylist, now_s, j);
            t->stage = STAGE_KNOW;
        }
    }
    if (j->len == 0)
        return end(t, j->verdict);
    if (t->stage != STAGE_KNOW)
        t->stage = STAGE_WRITE;
    return put(t, was_there);
}

static int wrote(struct onward_throttle *t)
{
    if (t->query.status != 0)
        return t->query.status;
    if (t->query.is_done)
        return end(t, t->judgement.verdict);
    if (++t->tries >= TRIES)
        return ONWARD_ELIMIT;
    t->stage = STAGE_GET;
    return 0;
}

/* One step; negative: the store failed. */
static int advance(struct onward_throttle *t)
{
    switch (t->stage) {
    case STAGE_GET:
        onward_store__query_clear(&t->query);
        return t->guard.is_dead ? 0 : get(t);
    case STAGE_READ:
        return read_value(t);
    case STAGE_WRITE:
        return wrote(t);
    case STAGE_KNOW:
        /* It passes, remembered or not. */
        return end(t, ONWARD_THROTTLE_PASS);
    case STAGE_DONE:
        break;
    }
    return 0;
}

static bool waits(const struct onward_throttle *t)
{
    return t->guard.is_dead || t->stage == STAGE_DONE ||
           (t->stage != STAGE_GET && t->query.status == ONWARD_AGAIN);
}

static void destroy(struct onward_throttle *t)
{
    struct onward_store *store = t->store;

    onward_core__free(t->ctx, t);
    onward_store__release(store);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_throttle *t =
        ONWARD_CONTAINER(task, struct onward_throttle, task);
    int err = 0;

    (void)now_ms;
    if (t->stage == STAGE_DONE)
        return;
    /* The store's functions run inside, and may free us. */
    onward_core__guard_enter(&t->guard);
    while (err == 0 && !waits(t))
        err = advance(t);
    if (err != 0 && !t->guard.is_dead) {
        onward_core__log(t->ctx, ONWARD_LOG_WARN, "throttle", "store", 0,
                         onward_str_of(onward_error_name(err)));
        end(t, ONWARD_THROTTLE_UNKNOWN);
    }
    if (t->stage == STAGE_DONE && !t->guard.is_dead)
        t->host.done(t->host.user, t);
    if (onward_core__guard_leave(&t->guard))
        destroy(t);
}

/* ---- Life -------------------------------------------------------------- */

static int make(struct onward_store *store,
                const struct onward_throttle_host *host,
                struct onward_throttle **out)
{
    struct onward_throttle_host h;
    struct onward_throttle *t;
    struct onward_desk *desk;
    int err;

    if (store == NULL || host == NULL || out == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&h, sizeof(h), host);
    if (err < 0)
        return err;
    if (h.done == NULL)
        return ONWARD_EINVAL;
    desk = onward_store__desk(store);
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    t = onward_core__zalloc(onward_core__desk_ctx(desk), sizeof(*t));
    if (t == NULL)
        return ONWARD_ENOMEM;
    t->ctx = onward_core__desk_ctx(desk);
    t->store = onward_store__hold(store);
    t->host = h;
    onward_core__task_init(&t->task, desk, run);
    onward_core__task_ready(&t->task);
    *out = t;
    return 0;
}

static bool is_option(size_t value)
{
    return value >= 1 && value <= OPTION_MAX;
}

int onward_throttle_rate(const struct onward_throttle_rate_opts *opts,
                         const struct onward_throttle_host *host,
                         struct onward_throttle **throttle)
{
    struct onward_throttle_rate_opts o;
    struct onward_throttle *t = NULL;
    int err;

    if (opts == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err < 0)
        return err;
    o.burst = o.burst == 0 ? o.count : o.burst;
    o.amount = o.amount == 0 ? 1 : o.amount;
    if (o.name.len == 0 || !is_option(o.count) || !is_option(o.period_s) ||
        !is_option(o.burst) || o.amount > o.burst)
        return ONWARD_EINVAL;
    err = make(o.store, host, &t);
    if (err < 0)
        return err;
    t->kind = KIND_RATE;
    make_key(t->key,
             (const struct onward_str[]){ONWARD_STR("rate"), o.name, o.key}, 3);
    t->opts.rate = o;
    *throttle = t;
    return 0;
}

int onward_throttle_greylist(const struct onward_throttle_greylist_opts *opts,
                             const struct onward_throttle_host *host,
                             struct onward_throttle **throttle)
{
    struct onward_throttle_greylist_opts o;
    struct onward_throttle *t = NULL;
    int err;

    if (opts == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err < 0)
        return err;
    o.delay_s = o.delay_s == 0 ? 300 : o.delay_s;
    o.retry_s = o.retry_s == 0 ? 172800 : o.retry_s;
    o.life_s = o.life_s == 0 ? 3024000 : o.life_s;
    if (o.client.len == 0 || !is_option(o.delay_s) || !is_option(o.retry_s) ||
        !is_option(o.life_s) || o.retry_s <= o.delay_s)
        return ONWARD_EINVAL;
    err = make(o.store, host, &t);
    if (err < 0)
        return err;
    t->kind = KIND_GREYLIST;
    make_key(t->known_key,
             (const struct onward_str[]){ONWARD_STR("known"), o.client}, 2);
    make_key(t->key,
             (const struct onward_str[]){ONWARD_STR("new"), o.client, o.sender,
                                         o.recipient},
             4);
    t->opts.greylist = o;
    *throttle = t;
    return 0;
}

void onward_throttle_free(struct onward_throttle *t)
{
    if (t == NULL || t->guard.is_dead)
        return;
    t->guard.is_dead = true;
    onward_core__guard_enter(&t->guard);
    onward_core__task_clear(&t->task);
    onward_store__query_clear(&t->query);
    if (onward_core__guard_leave(&t->guard))
        destroy(t);
}

/* ---- What came of it --------------------------------------------------- */

int onward_throttle_result(const struct onward_throttle *t)
{
    return t == NULL || t->stage != STAGE_DONE ? ONWARD_THROTTLE_PENDING
                                               : t->judgement.verdict;
}

int64_t onward_throttle_wait_s(const struct onward_throttle *t)
{
    return onward_throttle_result(t) == ONWARD_THROTTLE_WAIT
               ? t->judgement.wait_s
               : 0;
}

const char *onward_throttle_verdict_name(int verdict)
{
    switch (verdict) {
    case ONWARD_THROTTLE_PENDING:
        return "pending";
    case ONWARD_THROTTLE_PASS:
        return "pass";
    case ONWARD_THROTTLE_WAIT:
        return "wait";
    }
    return "unknown";
}
