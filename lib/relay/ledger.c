/*
 * The ledger: which destination has taken which message. It is asked before a
 * delivery and written after it, so that a sender who has to try again, because
 * another destination failed, does not double what went well.
 *
 * What leaves on its own is claimed there before, and confirmed after. A claim
 * lasts as long as the host may take and no longer: when whoever made it has
 * crashed, the next try sends it. When the crash was between the host's yes and
 * the confirmation, it is sent twice; it is never lost.
 */
#include "relay/relay_priv.h"

#include <nettle/sha2.h>

#include "core/text_shared.h"

#define DELIVERY_PREFIX "onward/relay/1/"
#define SEND_PREFIX "onward/send/1/"

enum {
    VALUE_LEN = 16, /* kind, version, when: "rlgd", u32, i64, little-endian */
    VALUE_VERSION = 1
};

static const unsigned char kind_done[4] = {'r', 'l', 'g', 'd'};
static const unsigned char kind_claim[4] = {'r', 'l', 'g', 'c'};

/* ---- Keys -------------------------------------------------------------- */

static void hash_u64(struct sha256_ctx *sha, uint64_t value)
{
    uint8_t octets[8];

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)(value >> (8 * i));
    sha256_update(sha, sizeof(octets), octets);
}

/* With its length, so that no two lists of texts read the same. */
static void hash_text(struct sha256_ctx *sha, struct onward_str s)
{
    hash_u64(sha, s.len);
    if (s.len != 0)
        sha256_update(sha, s.len, (const uint8_t *)s.data);
}

/* The prefix and the digest in hexadecimal; returns the length. */
static size_t write_key(char *key, const char *prefix, struct sha256_ctx *sha)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    size_t at = strlen(prefix);

    sha256_digest(sha, sizeof(digest), digest);
    memcpy(key, prefix, at);
    for (size_t i = 0; i < sizeof(digest); i++) {
        key[at++] = digits[digest[i] >> 4];
        key[at++] = digits[digest[i] & 15];
    }
    return at;
}

_Static_assert(sizeof(DELIVERY_PREFIX) + 2 * SHA256_DIGEST_SIZE <=
                       ONWARD_RELAY__KEY_MAX &&
                   ONWARD_RELAY__KEY_MAX >= ONWARD_TICKET_KEY_MAX &&
                   sizeof(SEND_PREFIX) <= sizeof(DELIVERY_PREFIX),
               "a key fits");

static void make_key(const struct onward_relay *r,
                     struct onward_relay__destination *d)
{
    struct sha256_ctx sha;

    sha256_init(&sha);
    hash_text(&sha, onward_verifier_fingerprint(r->verifier));
    hash_text(&sha, r->reverse_path);
    hash_u64(&sha, r->rcpt_count);
    for (const struct onward_relay__rcpt *rcpt = r->rcpts; rcpt != NULL;
         rcpt = rcpt->next)
        hash_text(&sha, rcpt->text);
    hash_text(&sha, d->recipient);
    d->key_len = write_key(d->key, DELIVERY_PREFIX, &sha);
}

/* Among the events of that recipient for that handler: which is it? */
static uint64_t turn_of(const struct onward_event *event)
{
    const struct onward_relay *r = event->relay;
    uint64_t turn = 0;

    for (size_t i = 0; i < r->event_count && r->events[i] != event; i++) {
        if (r->events[i]->rcpt == event->rcpt &&
            onward_core__str_eq(r->events[i]->name, event->name))
            turn++;
    }
    return turn;
}

/* A handler that is asked again sends the same messages in the same order; two
 * of one recipient send one each. */
void onward_relay__send_key(struct onward_relay__submission *s, size_t number)
{
    const struct onward_relay *r = s->relay;
    struct sha256_ctx sha;

    sha256_init(&sha);
    hash_text(&sha, onward_verifier_fingerprint(r->verifier));
    hash_text(&sha, r->reverse_path);
    hash_text(&sha, s->event->rcpt->text);
    hash_text(&sha, s->event->name);
    hash_u64(&sha, turn_of(s->event));
    hash_u64(&sha, number);
    s->key_len = write_key(s->key, SEND_PREFIX, &sha);
}

/* ---- Values ------------------------------------------------------------ */

static void write_value(unsigned char *out, const unsigned char *kind,
                        int64_t now_s)
{
    uint64_t when = (uint64_t)now_s;

    memcpy(out, kind, sizeof(kind_done));
    memset(out + 4, 0, 4);
    out[4] = VALUE_VERSION;
    for (size_t i = 0; i < 8; i++)
        out[8 + i] = (unsigned char)(when >> (8 * i));
}

/* What another program put there says nothing of a delivery. */
static bool is_value(struct onward_str v, const unsigned char *kind)
{
    static const unsigned char version[4] = {VALUE_VERSION, 0, 0, 0};

    return v.len == VALUE_LEN && memcmp(v.data, kind, sizeof(kind_done)) == 0 &&
           memcmp(v.data + 4, version, sizeof(version)) == 0;
}

/* ---- Before ------------------------------------------------------------ */

static bool ask(struct onward_relay *r, struct onward_relay__destination *d)
{
    make_key(r, d);
    d->is_asked = true;
    return onward_store__get(r->opts.store, &d->query,
                             onward_core__str(d->key, d->key_len),
                             &r->task) == 0;
}

/* 1: known; 0: not yet; ONWARD_EVERSION or an error of the store. */
static int look(struct onward_relay__destination *d)
{
    int status = d->query.status;

    if (status == ONWARD_AGAIN)
        return 0;
    if (status == 0 && is_value(d->query.value, kind_done))
        d->fate = ONWARD_RELAY_FATE_BEFORE;
    else if (status == 0)
        return ONWARD_EVERSION;
    return status == 0 || status == ONWARD_ENOENT ? 1 : status;
}

static void forget(struct onward_relay__destination *d)
{
    onward_store__query_clear(&d->query);
    d->is_asked = false;
    d->is_known = true;
}

/*
 * True: the rest goes on. With one destination the ledger only keeps a sender
 * that did not hear our answer from bringing a message twice; with several it
 * is what makes a second try safe at all.
 */
static bool fail(struct onward_relay *r, struct onward_relay__destination *d,
                 int err)
{
    bool goes_on = r->opts.allow_no_ledger != 0 && r->destination_count == 1;

    onward_core__log(r->ctx, goes_on ? ONWARD_LOG_WARN : ONWARD_LOG_ERROR,
                     "relay", "ledger-get", r->log_id,
                     onward_str_of(onward_error_name(err)));
    if (goes_on)
        return true;
    if (r->stage != ONWARD_RELAY__DELIVER) {
        onward_relay__fail(r, ONWARD_RELAY_REASON_LEDGER);
        return false;
    }
    /* Of a handler, while others are on their way: this one alone waits. */
    d->fate = ONWARD_RELAY_FATE_TEMPORARY;
    d->reply_code = 451;
    d->reply_enhanced = ONWARD_STR("4.3.0");
    d->reply_text = ONWARD_STR("Local error, try again later");
    return true;
}

/* False: nothing more can be done for now. */
static bool look_up(struct onward_relay *r, struct onward_relay__destination *d,
                    bool *is_pending)
{
    int ret;

    if (!d->is_asked && !ask(r, d)) {
        if (onward_relay__is_dead(r) || !fail(r, d, ONWARD_ECANCELED))
            return false;
        forget(d);
        return true;
    }
    if (onward_relay__is_dead(r))
        return false;
    ret = look(d);
    if (ret < 0 && !fail(r, d, ret))
        return false;
    if (ret == 0)
        *is_pending = true;
    else
        forget(d);
    return true;
}

bool onward_relay__look_up(struct onward_relay *r)
{
    bool is_pending = false;

    for (size_t i = 0; i < r->destination_count; i++) {
        struct onward_relay__destination *d = r->destinations[i];

        if (r->opts.store == NULL)
            d->is_known = true;
        if (!d->is_known && !look_up(r, d, &is_pending))
            return false;
    }
    return !is_pending;
}

/* ---- After ------------------------------------------------------------- */

/* It went well and cannot be taken back: the message is delivered all the same,
 * only a retry would double it. */
void onward_relay__warn_of_ledger(struct onward_relay *r, int err)
{
    onward_core__log(r->ctx, ONWARD_LOG_WARN, "relay", "ledger-put", r->log_id,
                     onward_str_of(onward_error_name(err)));
}

bool onward_relay__record(struct onward_relay *r,
                          struct onward_relay__destination *d)
{
    unsigned char value[VALUE_LEN];
    int64_t now_s = onward_core__now_s(r->ctx);
    int err;

    if (r->opts.store == NULL || d->is_recorded)
        return true;
    if (d->query.store != NULL) {
        err = d->query.status;
        if (err == ONWARD_AGAIN)
            return false;
        if (err != 0)
            onward_relay__warn_of_ledger(r, err);
        d->is_recorded = true;
        onward_store__query_clear(&d->query);
        return true;
    }
    write_value(value, kind_done, now_s);
    err = onward_store__put(
        r->opts.store, &d->query, onward_core__str(d->key, d->key_len),
        onward_core__str(value, sizeof(value)),
        now_s + (int64_t)r->opts.ledger_life_s, 0,
        ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT, &r->task);
    if (onward_relay__is_dead(r) || err == 0)
        return false;
    onward_relay__warn_of_ledger(r, err);
    d->is_recorded = true;
    return true;
}

/* ---- Once only --------------------------------------------------------- */

static struct onward_str key_of(const struct onward_relay__submission *s)
{
    return onward_core__str(s->key, s->key_len);
}

static int put(struct onward_relay__submission *s, const unsigned char *kind,
               size_t life_s, uint64_t version, uint32_t flag)
{
    struct onward_relay *r = s->relay;
    int64_t now_s = onward_core__now_s(r->ctx);
    unsigned char value[VALUE_LEN];

    write_value(value, kind, now_s);
    return onward_store__put(r->opts.store, &s->query, key_of(s),
                             onward_core__str(value, sizeof(value)),
                             now_s + (int64_t)life_s, version,
                             (uint32_t)ONWARD_STORE_KEEP | flag, &r->task);
}

int onward_relay__claim(struct onward_relay__submission *s)
{
    return put(s, kind_claim, s->relay->opts.claim_life_s, 0,
               ONWARD_STORE_IF_ABSENT);
}

int onward_relay__look_at_claim(struct onward_relay__submission *s)
{
    return onward_store__get(s->relay->opts.store, &s->query, key_of(s),
                             &s->relay->task);
}

int onward_relay__confirm(struct onward_relay__submission *s)
{
    size_t life_s = s->kind == ONWARD_RELAY_SUBMISSION_REPLY
                        ? s->relay->opts.reply_life_s
                        : s->relay->opts.ledger_life_s;

    return put(s, kind_done, life_s, s->version, ONWARD_STORE_IF_VERSION);
}

bool onward_relay__is_claim(struct onward_str value)
{
    return is_value(value, kind_claim);
}
