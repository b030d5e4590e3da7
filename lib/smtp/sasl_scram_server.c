/*
 * The server of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802 section 5). A
 * user that is not there is taken through all of it, so that nobody can ask for
 * names.
 */
#include "smtp/sasl_priv.h"

#include "core/text_shared.h"

enum { FIRST, FINAL, ACKNOWLEDGE };
enum { KEY_LEN = ONWARD_SASL__KEY_LEN };

static bool is_plus(const struct onward_smtp__sasl *x)
{
    return x->mech->id == ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS;
}

/* ---- client-first-message ---------------------------------------------- */

/* Does the flag fit the mechanism, and what we offer? "y" where we do offer
 * channel binding: somebody took the offer away. */
static bool is_fit(const struct onward_smtp__sasl *x,
                   const struct onward_smtp__gs2 *gs2)
{
    struct onward_str data;

    if (is_plus(x) || gs2->flag == 'p')
        return is_plus(x) && gs2->flag == 'p' &&
               onward_smtp__scram_binding(x->tls, gs2->type, &data);
    return gs2->flag == 'n' || !x->plus_offered;
}

static int parse_first(struct onward_smtp__sasl *x, struct onward_str response,
                       struct onward_smtp__gs2 *gs2)
{
    struct onward_smtp__scram *s = &x->scram;
    struct onward_str rest, name;
    int err = onward_smtp__sasl_keep(x, response, &rest);

    if (err == 0)
        err = onward_smtp__gs2_parse(x, &rest, gs2);
    if (err < 0)
        return err;
    s->gs2 = gs2->header;
    s->first_bare = rest;
    /* "m=" would stand here: an extension that we must know. */
    if (!onward_smtp__scram_attr(&rest, 'n', &name) ||
        !onward_smtp__scram_attr(&rest, 'r', &s->nonce) ||
        !onward_smtp__scram_is_nonce(s->nonce))
        return ONWARD_ESYNTAX;
    return onward_smtp__gs2_read_name(x, name, &x->authcid);
}

static int first(struct onward_smtp__sasl *x, struct onward_str response)
{
    struct onward_smtp__gs2 gs2;
    int err;

    if (response.data == NULL)
        return ONWARD_SASL_CHALLENGE;
    err = parse_first(x, response, &gs2);
    if (err == ONWARD_ENOMEM)
        return err;
    if (err < 0)
        return ONWARD_SASL_SYNTAX;
    if (!is_fit(x, &gs2))
        return ONWARD_SASL_REFUSE;
    x->step = FINAL;
    return ONWARD_SASL_ASK;
}

/* ---- server-first-message ---------------------------------------------- */

int onward_smtp__sasl_scram(struct onward_smtp__sasl *x,
                            const struct onward_smtp_scram_credentials *known,
                            struct onward_str salt, size_t iterations,
                            struct onward_buf *out)
{
    struct onward_smtp__scram *s = &x->scram;
    size_t start = out->len, nonce_at;
    struct onward_str all;
    int err;

    s->is_known = known != NULL;
    if (known != NULL) {
        memcpy(s->stored_key, known->stored_key.data, KEY_LEN);
        memcpy(s->server_key, known->server_key.data, KEY_LEN);
        salt = known->salt;
        iterations = known->iterations;
    }
    onward_core__buf_add_text(out, "r=");
    nonce_at = out->len - start;
    onward_core__buf_add_str(out, s->nonce);
    err = onward_smtp__scram_add_nonce(x, out);
    if (err < 0)
        return err;
    s->nonce.len = out->len - start - nonce_at;
    onward_core__buf_add_text(out, ",s=");
    onward_core__base64_encode(out, salt.data, salt.len);
    onward_core__buf_add_text(out, ",i=");
    err = onward_core__buf_add_u64(out, iterations);
    if (err == 0)
        err = onward_core__arena_dup(
            &x->arena,
            onward_core__sub(onward_core__buf_str(out), start, out->len), &all);
    if (err < 0)
        return err;
    s->server_first = all;
    s->nonce = onward_core__sub(all, nonce_at, nonce_at + s->nonce.len);
    return ONWARD_SASL_CHALLENGE;
}

/* ---- client-final-message ---------------------------------------------- */

/* Is c= the header that came first, with the binding that we see? */
static int check_binding(struct onward_smtp__sasl *x, struct onward_str text)
{
    struct onward_str gs2 = x->scram.gs2, data = {NULL, 0}, flag;
    struct onward_buf got;
    int ret;

    if (gs2.data[0] == 'p') {
        flag = onward_core__sub(gs2, 2, onward_core__str_find(gs2, ','));
        if (!onward_smtp__scram_binding(x->tls, flag, &data))
            return ONWARD_SASL_REFUSE;
    }
    onward_core__buf_init(&got, x->ctx, ONWARD_SASL__LINE_MAX);
    got.is_secret = true;
    ret = onward_smtp__sasl_base64(&got, text);
    if (ret != 0)
        ret = ret == ONWARD_ENOMEM ? ret : ONWARD_SASL_SYNTAX;
    else if (got.len != gs2.len + data.len ||
             memcmp(got.data, gs2.data, gs2.len) != 0 ||
             (data.len > 0 &&
              !onward_core__equal_secret(got.data + gs2.len, data.data,
                                         data.len)))
        ret = ONWARD_SASL_REFUSE;
    onward_core__buf_clear(&got);
    return ret;
}

/* ClientKey is the proof without the signature; its hash is what we keep. */
static bool is_proof(const struct onward_smtp__sasl *x,
                     const unsigned char *proof, struct onward_str message)
{
    unsigned char key[KEY_LEN], stored[KEY_LEN];
    bool is_equal;

    onward_smtp__scram_hmac(x->scram.stored_key, message, key);
    for (size_t i = 0; i < KEY_LEN; i++)
        key[i] ^= proof[i];
    onward_smtp__scram_hash(key, stored);
    is_equal =
        onward_core__equal_secret(stored, x->scram.stored_key, KEY_LEN);
    onward_core__wipe(key, sizeof(key));
    return is_equal && x->scram.is_known;
}

static int answer(struct onward_smtp__sasl *x, struct onward_str message,
                  struct onward_buf *out)
{
    unsigned char signature[KEY_LEN];

    onward_smtp__scram_hmac(x->scram.server_key, message, signature);
    onward_core__buf_add_text(out, "v=");
    x->step = ACKNOWLEDGE;
    return onward_core__base64_encode(out, signature, KEY_LEN);
}

static int check_proof(struct onward_smtp__sasl *x, struct onward_str text,
                       struct onward_str without, struct onward_buf *out)
{
    struct onward_buf proof;
    struct onward_str message;
    int ret;

    onward_core__buf_init(&proof, x->ctx, ONWARD_SASL__LINE_MAX);
    ret = onward_smtp__sasl_base64(&proof, text);
    if (ret == 0)
        ret = onward_smtp__scram_message(x, without, &message);
    if (ret < 0)
        ret = ret == ONWARD_ENOMEM ? ret : ONWARD_SASL_SYNTAX;
    else if (proof.len != KEY_LEN)
        ret = ONWARD_SASL_SYNTAX;
    else if (!is_proof(x, proof.data, message))
        ret = ONWARD_SASL_REFUSE;
    else
        ret = answer(x, message, out);
    onward_core__buf_clear(&proof);
    return ret;
}

/* channel-binding "," nonce ["," extensions] "," proof */
static int final(struct onward_smtp__sasl *x, struct onward_str response,
                 struct onward_buf *out)
{
    struct onward_str rest = response, binding, nonce, proof, without;
    size_t at = onward_core__str_rfind(response, ',');
    int ret;

    if (!onward_smtp__scram_attr(&rest, 'c', &binding) ||
        !onward_smtp__scram_attr(&rest, 'r', &nonce) || at == response.len)
        return ONWARD_SASL_SYNTAX;
    without = onward_core__sub(response, 0, at);
    rest = onward_core__sub(response, at + 1, response.len);
    if (!onward_smtp__scram_attr(&rest, 'p', &proof))
        return ONWARD_SASL_SYNTAX;
    if (!onward_core__str_eq(nonce, x->scram.nonce))
        return ONWARD_SASL_REFUSE;
    ret = check_binding(x, binding);
    return ret != 0 ? ret : check_proof(x, proof, without, out);
}

int onward_smtp__scram_server(struct onward_smtp__sasl *x,
                              struct onward_str response,
                              struct onward_buf *out)
{
    switch (x->step) {
    case FIRST:
        return first(x, response);
    case FINAL:
        return final(x, response, out);
    case ACKNOWLEDGE:
        /* SMTP has no place for v= in its 235 (RFC 4954 section 4): the client
         * has seen it in a challenge, and says nothing more. */
        if (response.len != 0)
            return ONWARD_SASL_SYNTAX;
        x->is_proven = true;
        return ONWARD_SASL_ACCEPT;
    default:
        return ONWARD_SASL_SYNTAX;
    }
}
