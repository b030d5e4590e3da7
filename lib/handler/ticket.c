/*
 * Tickets: what has to be known of a message to answer it later, signed. Inside
 * a token: "rtkt", a version, then three texts with their lengths (u16, little
 * endian).
 */
#include "handler/ticket_priv.h"

#include <nettle/sha2.h>

#define PURPOSE "onward reply ticket"
#define KEY_PREFIX "onward/reply/1/"

enum {
    VERSION = 1,
    HEAD = 8, /* kind and version */
    ID_MAX = 900,
    ADDRESS_MAX = 254,
    PAYLOAD_MAX = HEAD + 3 * 2 + ID_MAX + 2 * ADDRESS_MAX
};

_Static_assert(PAYLOAD_MAX <= ONWARD_TOKEN_PAYLOAD_MAX, "fits into a token");
_Static_assert(PAYLOAD_MAX * 4 / 3 + 64 <= ONWARD_TICKET_TEXT_MAX, "has room");
_Static_assert(sizeof(KEY_PREFIX) + 2 * SHA256_DIGEST_SIZE <=
                   ONWARD_TICKET_KEY_MAX,
               "a key fits");

static const unsigned char head[HEAD] = {'r', 't', 'k', 't', VERSION};

static struct onward_token_opts token_opts(void)
{
    return (struct onward_token_opts){.size = sizeof(struct onward_token_opts),
                                      .purpose = ONWARD_STR(PURPOSE)};
}

/* ---- Writing ----------------------------------------------------------- */

static size_t put(unsigned char *out, size_t at, struct onward_str text)
{
    out[at] = (unsigned char)(text.len & 255);
    out[at + 1] = (unsigned char)(text.len >> 8);
    memcpy(out + at + 2, text.data, text.len);
    return at + 2 + text.len;
}

int onward_ticket_mint(const struct onward_token_minter *minter,
                       struct onward_str message_id, struct onward_str sender,
                       struct onward_str recipient, int64_t expires_s,
                       char *out, size_t cap)
{
    const struct onward_token_opts opts = token_opts();
    unsigned char payload[PAYLOAD_MAX];
    size_t len = HEAD;

    if (minter == NULL || out == NULL || cap < ONWARD_TICKET_TEXT_MAX ||
        expires_s <= 0 || message_id.len == 0 || sender.len == 0 ||
        recipient.len == 0)
        return ONWARD_EINVAL;
    if (message_id.len > ID_MAX || sender.len > ADDRESS_MAX ||
        recipient.len > ADDRESS_MAX)
        return ONWARD_ELIMIT;
    memcpy(payload, head, HEAD);
    len = put(payload, len, message_id);
    len = put(payload, len, sender);
    len = put(payload, len, recipient);
    return onward_token_mint(minter, &opts, onward_core__str(payload, len),
                             expires_s, out, cap);
}

/* ---- Reading ----------------------------------------------------------- */

/* Signed by us, and read as if it were not: a secret may have got out. */
static bool take(struct onward_str payload, size_t *at, size_t max,
                 struct onward_str *text)
{
    size_t len;

    if (payload.len - *at < 2)
        return false;
    len = (size_t)(unsigned char)payload.data[*at] |
          (size_t)(unsigned char)payload.data[*at + 1] << 8;
    *at += 2;
    if (len == 0 || len > max || len > payload.len - *at)
        return false;
    *text = onward_core__sub(payload, *at, *at + len);
    *at += len;
    return true;
}

static bool read_payload(struct onward_str payload, struct onward_str texts[3])
{
    size_t at = HEAD;

    return payload.len >= HEAD && memcmp(payload.data, head, HEAD) == 0 &&
           take(payload, &at, ID_MAX, &texts[0]) &&
           take(payload, &at, ADDRESS_MAX, &texts[1]) &&
           take(payload, &at, ADDRESS_MAX, &texts[2]) && at == payload.len;
}

static int make(struct onward_ctx *ctx, const struct onward_str texts[3],
                int64_t expires_s, struct onward_ticket **ticket)
{
    struct onward_ticket *t = onward_core__zalloc(ctx, sizeof(*t));

    if (t == NULL)
        return ONWARD_ENOMEM;
    t->ctx = onward_ctx_ref(ctx);
    t->expires_s = expires_s;
    onward_core__arena_init(&t->arena, ctx, 8192);
    if (onward_core__arena_dup(&t->arena, texts[0], &t->message_id) != 0 ||
        onward_core__arena_dup(&t->arena, texts[1], &t->sender) != 0 ||
        onward_core__arena_dup(&t->arena, texts[2], &t->recipient) != 0) {
        onward_ticket_free(t);
        return ONWARD_ENOMEM;
    }
    *ticket = t;
    return 1;
}

int onward_ticket_open(struct onward_ctx *ctx,
                       const struct onward_token_minter *minter,
                       struct onward_str text, struct onward_ticket **ticket,
                       struct onward_refusal *refusal)
{
    const struct onward_token_opts opts = token_opts();
    const struct onward_str none = {0};
    unsigned char payload[PAYLOAD_MAX];
    struct onward_str texts[3];
    int64_t expires_s = 0;
    int verdict = ONWARD_TOKEN_MALFORMED;
    int len;

    if (ctx == NULL || minter == NULL || ticket == NULL ||
        !onward_handler__can_refuse(refusal))
        return ONWARD_EINVAL;
    len = onward_token_check(minter, &opts, text, payload, sizeof(payload),
                             &expires_s, &verdict);
    if (len < 0 && len != ONWARD_ELIMIT)
        return len;
    if (verdict == ONWARD_TOKEN_EXPIRED)
        return onward_handler__refuse(refusal, ONWARD_REFUSAL_TICKET_EXPIRED,
                                      none);
    if (len < 0 || verdict != ONWARD_TOKEN_OK || expires_s == 0 ||
        !read_payload(onward_core__str(payload, (size_t)len), texts))
        return onward_handler__refuse(refusal, ONWARD_REFUSAL_TICKET_INVALID,
                                      none);
    return make(ctx, texts, expires_s, ticket);
}

void onward_ticket_free(struct onward_ticket *ticket)
{
    struct onward_ctx *ctx;

    if (ticket == NULL)
        return;
    ctx = ticket->ctx;
    onward_core__arena_clear(&ticket->arena);
    onward_core__free(ctx, ticket);
    onward_ctx_free(ctx);
}

struct onward_str onward_ticket_message_id(const struct onward_ticket *ticket)
{
    return ticket->message_id;
}

struct onward_str onward_ticket_sender(const struct onward_ticket *ticket)
{
    return ticket->sender;
}

struct onward_str onward_ticket_recipient(const struct onward_ticket *ticket)
{
    return ticket->recipient;
}

int64_t onward_ticket_expires_s(const struct onward_ticket *ticket)
{
    return ticket->expires_s;
}

/* ---- The ledger -------------------------------------------------------- */

/* With its length, so that no two lists of texts read the same. */
static void hash_text(struct sha256_ctx *sha, struct onward_str s)
{
    uint8_t octets[8];

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)((uint64_t)s.len >> (8 * i));
    sha256_update(sha, sizeof(octets), octets);
    if (s.len != 0)
        sha256_update(sha, s.len, (const uint8_t *)s.data);
}

size_t onward_handler__reply_key(char *key, struct onward_str message_id,
                                 struct onward_str sender,
                                 struct onward_str recipient)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    size_t at = sizeof(KEY_PREFIX) - 1;
    struct sha256_ctx sha;

    sha256_init(&sha);
    hash_text(&sha, message_id);
    hash_text(&sha, sender);
    hash_text(&sha, recipient);
    sha256_digest(&sha, sizeof(digest), digest);
    memcpy(key, KEY_PREFIX, at);
    for (size_t i = 0; i < sizeof(digest); i++) {
        key[at++] = digits[digest[i] >> 4];
        key[at++] = digits[digest[i] & 15];
    }
    return at;
}

int onward_ticket_key(const struct onward_ticket *ticket, char *out, size_t cap)
{
    size_t len;

    if (out == NULL || cap < ONWARD_TICKET_KEY_MAX)
        return ONWARD_EINVAL;
    len = onward_handler__reply_key(out, ticket->message_id, ticket->sender,
                                    ticket->recipient);
    out[len] = '\0';
    return (int)len;
}
