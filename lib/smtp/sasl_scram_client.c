/*
 * The client of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802 section 5). It
 * believes nothing of the server before the server has shown that it has the
 * user's keys too.
 */
#include "smtp/sasl_priv.h"

#include "core/text_shared.h"

enum { FIRST, FINAL, WORK, VERIFY, DONE };
enum { KEY_LEN = ONWARD_SASL__KEY_LEN };

static bool is_plus(const struct onward_smtp__sasl *x)
{
    return x->mech->id == ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS;
}

/* ---- client-first-message ---------------------------------------------- */

/* "y" says: I could bind, but you do not offer it. A server that does knows
 * then that somebody took its offer away. */
static int add_gs2(struct onward_smtp__sasl *x, struct onward_buf *out)
{
    const char *type = onward_smtp__scram_binding_type(x->tls);

    if (is_plus(x)) {
        if (type == NULL)
            return ONWARD_EINVAL;
        onward_core__buf_add_text(out, "p=");
        onward_core__buf_add_text(out, type);
    } else {
        onward_core__buf_add_byte(
            out, type != NULL && !x->plus_offered ? 'y' : 'n');
    }
    onward_core__buf_add_byte(out, ',');
    if (x->authzid.len > 0) {
        onward_core__buf_add_text(out, "a=");
        onward_smtp__gs2_write_name(out, x->authzid);
    }
    return onward_core__buf_add_byte(out, ',');
}

static int first(struct onward_smtp__sasl *x, struct onward_buf *out)
{
    struct onward_smtp__scram *s = &x->scram;
    size_t start = out->len, gs2_end, nonce_at;
    struct onward_str all;
    int err = add_gs2(x, out);

    if (err < 0)
        return err;
    gs2_end = out->len - start;
    onward_core__buf_add_text(out, "n=");
    onward_smtp__gs2_write_name(out, x->authcid);
    onward_core__buf_add_text(out, ",r=");
    nonce_at = out->len - start;
    err = onward_smtp__scram_add_nonce(x, out);
    if (err < 0)
        return err;
    err = onward_core__arena_dup(
        &x->arena, onward_core__sub(onward_core__buf_str(out), start, out->len),
        &all);
    s->gs2 = onward_core__sub(all, 0, gs2_end);
    s->first_bare = onward_core__sub(all, gs2_end, all.len);
    s->nonce = onward_core__sub(all, nonce_at, all.len);
    return err;
}

/* ---- server-first-message ---------------------------------------------- */

static int read_salt(struct onward_smtp__sasl *x, struct onward_str text)
{
    struct onward_buf salt;
    int err;

    onward_core__buf_init(&salt, x->ctx, 1024);
    err = onward_smtp__sasl_base64(&salt, text);
    if (err == 0 && salt.len == 0)
        err = ONWARD_ESYNTAX;
    if (err == 0)
        err = onward_core__arena_dup(&x->arena, onward_core__buf_str(&salt),
                                     &x->scram.salt);
    onward_core__buf_clear(&salt);
    return err;
}

/* [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions] */
static int read_server_first(struct onward_smtp__sasl *x,
                             struct onward_str challenge, uint64_t *iterations)
{
    struct onward_smtp__scram *s = &x->scram;
    struct onward_str rest, nonce, salt, count;
    int err = onward_core__arena_dup(&x->arena, challenge, &s->server_first);

    rest = s->server_first;
    if (err < 0)
        return err;
    if (!onward_smtp__scram_attr(&rest, 'r', &nonce) ||
        !onward_smtp__scram_attr(&rest, 's', &salt) ||
        !onward_smtp__scram_attr(&rest, 'i', &count))
        return ONWARD_ESYNTAX;
    /* Ours at its start, and something of the server behind it. */
    if (!onward_smtp__scram_is_nonce(nonce) || nonce.len <= s->nonce.len ||
        !onward_core__str_starts(nonce, s->nonce))
        return ONWARD_ECRYPTO;
    s->nonce = nonce;
    if (onward_core__parse_u64(count, 10, iterations) < 0)
        return ONWARD_ESYNTAX;
    return read_salt(x, salt);
}

/* Fewer rounds than RFC 7677 allows make the proof a cheap riddle for whoever
 * plays the server; many more make us work for him. */
static int begin_key(struct onward_smtp__sasl *x, struct onward_str challenge)
{
    struct onward_str password;
    uint64_t iterations;
    int err = read_server_first(x, challenge, &iterations);

    if (err < 0)
        return err;
    if (iterations < ONWARD_SASL__ITERATIONS_MIN ||
        iterations > x->iterations_max)
        return ONWARD_ELIMIT;
    err = onward_smtp__saslprep(&x->arena, x->password, ONWARD_PREP_STORED,
                                &password);
    if (err < 0)
        return err;
    onward_smtp__scram_hi_begin(&x->scram, password, x->scram.salt,
                                (size_t)iterations);
    x->step = WORK;
    return ONWARD_SASL_BUSY;
}

/* ---- client-final-message ---------------------------------------------- */

/* c=, the base64 of the header and the binding that the header names. */
static int add_binding(struct onward_smtp__sasl *x, struct onward_buf *out)
{
    const char *type = onward_smtp__scram_binding_type(x->tls);
    struct onward_str data = {NULL, 0};
    struct onward_buf input;
    int err;

    if (is_plus(x) && (type == NULL || !onward_smtp__scram_binding(
                                           x->tls, onward_str_of(type), &data)))
        return ONWARD_EINVAL;
    onward_core__buf_init(&input, x->ctx, ONWARD_LIMIT_NONE);
    input.is_secret = true;
    onward_core__buf_add_str(&input, x->scram.gs2);
    err = onward_core__buf_add_str(&input, data);
    onward_core__buf_add_text(out, "c=");
    if (err == 0)
        err = onward_core__base64_encode(out, input.data, input.len);
    onward_core__buf_clear(&input);
    return err;
}

static int final(struct onward_smtp__sasl *x, struct onward_buf *out)
{
    struct onward_smtp__scram *s = &x->scram;
    unsigned char key[KEY_LEN], signature[KEY_LEN];
    struct onward_str message;
    size_t start = out->len;
    int err = add_binding(x, out);

    onward_core__buf_add_text(out, ",r=");
    if (err == 0)
        err = onward_core__buf_add_str(out, s->nonce);
    if (err == 0)
        err = onward_smtp__scram_message(
            x, onward_core__sub(onward_core__buf_str(out), start, out->len),
            &message);
    if (err < 0)
        return err;
    onward_smtp__scram_keys(s, key, s->stored_key, s->server_key);
    onward_smtp__scram_hmac(s->stored_key, message, signature);
    for (size_t i = 0; i < KEY_LEN; i++)
        key[i] ^= signature[i];
    onward_smtp__scram_hmac(s->server_key, message, signature);
    memcpy(s->server_key, signature, KEY_LEN);
    onward_core__buf_add_text(out, ",p=");
    err = onward_core__base64_encode(out, key, KEY_LEN);
    onward_core__wipe(key, sizeof(key));
    onward_core__wipe(signature, sizeof(signature));
    onward_core__wipe(s->salted, sizeof(s->salted));
    x->step = VERIFY;
    return err;
}

int onward_smtp__scram_client_work(struct onward_smtp__sasl *x, size_t rounds,
                                   struct onward_buf *out)
{
    if (x->step != WORK)
        return ONWARD_ESTATE;
    return onward_smtp__scram_hi_go(&x->scram, rounds) ? final(x, out)
                                                       : ONWARD_SASL_BUSY;
}

/* ---- server-final-message ---------------------------------------------- */

/* (e= / v=) ["," extensions] */
static int verify(struct onward_smtp__sasl *x, struct onward_str challenge)
{
    struct onward_str rest = challenge, value;
    struct onward_buf signature;
    int err;

    if (!onward_smtp__scram_attr(&rest, 'v', &value))
        return onward_smtp__scram_attr(&rest, 'e', &value) ? ONWARD_ECANCELED
                                                           : ONWARD_ESYNTAX;
    onward_core__buf_init(&signature, x->ctx, 1024);
    err = onward_smtp__sasl_base64(&signature, value);
    if (err == ONWARD_ELIMIT)
        err = ONWARD_ESYNTAX;
    if (err == 0 &&
        (signature.len != KEY_LEN ||
         !onward_core__equal_secret(signature.data, x->scram.server_key,
                                    KEY_LEN)))
        err = ONWARD_ECRYPTO;
    onward_core__buf_clear(&signature);
    if (err < 0)
        return err;
    x->step = DONE;
    x->is_proven = true;
    return ONWARD_SASL_REPLY;
}

int onward_smtp__scram_client(struct onward_smtp__sasl *x,
                              struct onward_str challenge,
                              struct onward_buf *out)
{
    switch (x->step) {
    case FIRST:
        if (challenge.len != 0)
            return ONWARD_ESYNTAX;
        x->step = FINAL;
        return first(x, out);
    case FINAL:
        return begin_key(x, challenge);
    case VERIFY:
        return verify(x, challenge);
    default:
        return ONWARD_ESYNTAX;
    }
}
