/*
 * What both sides of SCRAM-SHA-256 compute (RFC 5802, RFC 7677), the small
 * grammar of its messages, and channel bindings (RFC 5929, RFC 9266).
 */
#include "smtp/sasl_priv.h"

#include "core/text_shared.h"

enum { KEY_LEN = ONWARD_SASL__KEY_LEN, NONCE_OCTETS = 18 };

/* ---- Hashes ------------------------------------------------------------ */

void onward_smtp__scram_hmac(const unsigned char *key, struct onward_str text,
                             unsigned char *out)
{
    struct hmac_sha256_ctx hmac;

    hmac_sha256_set_key(&hmac, KEY_LEN, key);
    hmac_sha256_update(&hmac, text.len, (const uint8_t *)text.data);
    hmac_sha256_digest(&hmac, KEY_LEN, out);
    onward_core__wipe(&hmac, sizeof(hmac));
}

void onward_smtp__scram_hash(const unsigned char *key, unsigned char *out)
{
    struct sha256_ctx sha;

    sha256_init(&sha);
    sha256_update(&sha, KEY_LEN, key);
    sha256_digest(&sha, KEY_LEN, out);
    onward_core__wipe(&sha, sizeof(sha));
}

/* Hi() is PBKDF2 with one block. It is kept in the open, so that a session can
 * do it piece by piece: a million rounds are half a second, in which no other
 * session of the thread would move. */
void onward_smtp__scram_hi_begin(struct onward_smtp__scram *s,
                                 struct onward_str password,
                                 struct onward_str salt, size_t iterations)
{
    static const uint8_t one[4] = {0, 0, 0, 1};

    hmac_sha256_set_key(&s->password, password.len,
                        (const uint8_t *)password.data);
    hmac_sha256_update(&s->password, salt.len, (const uint8_t *)salt.data);
    hmac_sha256_update(&s->password, sizeof(one), one);
    hmac_sha256_digest(&s->password, KEY_LEN, s->u);
    memcpy(s->salted, s->u, KEY_LEN);
    s->iterations = iterations;
    s->done = 1;
}

bool onward_smtp__scram_hi_go(struct onward_smtp__scram *s, size_t rounds)
{
    for (; rounds > 0 && s->done < s->iterations; rounds--, s->done++) {
        hmac_sha256_update(&s->password, KEY_LEN, s->u);
        hmac_sha256_digest(&s->password, KEY_LEN, s->u);
        for (size_t i = 0; i < KEY_LEN; i++)
            s->salted[i] ^= s->u[i];
    }
    if (s->done < s->iterations)
        return false;
    onward_core__wipe(&s->password, sizeof(s->password));
    onward_core__wipe(s->u, sizeof(s->u));
    return true;
}

void onward_smtp__scram_keys(const struct onward_smtp__scram *s,
                             unsigned char *client_key,
                             unsigned char *stored_key,
                             unsigned char *server_key)
{
    unsigned char key[KEY_LEN];

    onward_smtp__scram_hmac(s->salted, ONWARD_STR("Client Key"), key);
    onward_smtp__scram_hash(key, stored_key);
    if (client_key != NULL)
        memcpy(client_key, key, KEY_LEN);
    onward_core__wipe(key, sizeof(key));
    onward_smtp__scram_hmac(s->salted, ONWARD_STR("Server Key"), server_key);
}

/* ---- Messages ---------------------------------------------------------- */

bool onward_smtp__scram_attr(struct onward_str *rest, char name,
                             struct onward_str *value)
{
    size_t end = onward_core__str_find(*rest, ',');

    if (rest->len < 2 || rest->data[0] != name || rest->data[1] != '=')
        return false;
    *value = onward_core__sub(*rest, 2, end);
    *rest = onward_core__sub(*rest, end < rest->len ? end + 1 : end, rest->len);
    return true;
}

bool onward_smtp__scram_is_nonce(struct onward_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c <= ' ' || c > '~' || c == ',')
            return false;
    }
    return text.len > 0 && text.len <= 1024;
}

int onward_smtp__scram_add_nonce(struct onward_smtp__sasl *x,
                                 struct onward_buf *out)
{
    unsigned char raw[NONCE_OCTETS];
    int err;

    if (x->challenge.len > 0)
        return onward_core__buf_add_str(out, x->challenge);
    err = onward_core__random(x->ctx, raw, sizeof(raw));
    if (err < 0)
        return err;
    return onward_core__base64_encode(out, raw, sizeof(raw));
}

int onward_smtp__scram_message(struct onward_smtp__sasl *x,
                               struct onward_str final,
                               struct onward_str *message)
{
    const struct onward_str parts[] = {
        x->scram.first_bare, ONWARD_STR(","), x->scram.server_first,
        ONWARD_STR(","),     final,
    };
    size_t len = 0, at = 0;
    char *text;

    for (size_t i = 0; i < 5; i++)
        len += parts[i].len; /* each is bounded by a line */
    text = onward_core__arena_alloc(&x->arena, len);
    if (text == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < 5; i++) {
        memcpy(text + at, parts[i].data, parts[i].len);
        at += parts[i].len;
    }
    *message = onward_core__str(text, len);
    return 0;
}

/* ---- Channel bindings -------------------------------------------------- */

bool onward_smtp__scram_binding(const struct onward_tls_facts *tls,
                                struct onward_str type, struct onward_str *data)
{
    if (tls == NULL)
        return false;
    if (onward_core__str_eq(type, ONWARD_STR("tls-exporter")))
        *data = tls->binding_exporter;
    else if (onward_core__str_eq(type, ONWARD_STR("tls-unique")))
        *data = tls->binding_unique;
    else if (onward_core__str_eq(type, ONWARD_STR("tls-server-end-point")))
        *data = tls->binding_end_point;
    else
        return false;
    return data->len > 0;
}

/* tls-unique is the default of RFC 5802 section 6.1 where there is one, and all
 * that older servers know; TLS 1.3 has the exporter alone (RFC 9266). */
const char *onward_smtp__scram_binding_type(const struct onward_tls_facts *tls)
{
    if (tls == NULL)
        return NULL;
    if (tls->binding_unique.len > 0)
        return "tls-unique";
    if (tls->binding_exporter.len > 0)
        return "tls-exporter";
    return tls->binding_end_point.len > 0 ? "tls-server-end-point" : NULL;
}

/* ---- For hosts --------------------------------------------------------- */

int onward_smtp__scram_check(const struct onward_smtp_scram_credentials *c)
{
    return c->iterations >= ONWARD_SASL__ITERATIONS_MIN &&
                   c->iterations <= ONWARD_SASL__ITERATIONS_TOP &&
                   c->salt.len >= ONWARD_SASL__SALT_MIN &&
                   c->salt.len <= ONWARD_SASL__SALT_MAX &&
                   c->stored_key.len == KEY_LEN && c->server_key.len == KEY_LEN
               ? 0
               : ONWARD_EINVAL;
}

int onward_smtp_scram_derive(struct onward_ctx *ctx, struct onward_str password,
                             struct onward_str salt, size_t iterations,
                             struct onward_smtp_scram_keys *keys)
{
    struct onward_smtp_scram_keys full = {.size = sizeof(full)};
    struct onward_smtp__scram s = {.done = 0};
    struct onward_arena arena;
    int err;

    if (ctx == NULL || keys == NULL || keys->size < sizeof(keys->size) ||
        iterations < ONWARD_SASL__ITERATIONS_MIN ||
        iterations > ONWARD_SASL__ITERATIONS_TOP ||
        salt.len < ONWARD_SASL__SALT_MIN || salt.len > ONWARD_SASL__SALT_MAX)
        return ONWARD_EINVAL;
    onward_core__arena_init(&arena, ctx, ONWARD_SASL__ARENA_MAX);
    err = onward_smtp__saslprep(&arena, password, ONWARD_PREP_STORED, &password);
    if (err == 0) {
        onward_smtp__scram_hi_begin(&s, password, salt, iterations);
        (void)onward_smtp__scram_hi_go(&s, iterations);
        onward_smtp__scram_keys(&s, NULL, full.stored_key, full.server_key);
        err = onward_core__out_store(keys, &full, sizeof(full));
    }
    onward_core__arena_wipe(&arena);
    onward_core__wipe(&s, sizeof(s));
    onward_core__wipe(&full, sizeof(full));
    return err;
}
