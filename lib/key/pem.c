/*
 * PEM (RFC 7468) around private keys, read and written.
 */
#include "key/key_priv.h"

#include "core/text_shared.h"

static const struct onward_str begin_mark = {"-----BEGIN ", 11};
static const struct onward_str end_mark = {"-----END ", 9};
static const struct onward_str dashes = {"-----", 5};

static int bad(struct onward_key__why *why, struct onward_str pem,
               const char *at, const char *text)
{
    return onward_key__der_bad(why, (size_t)(at - pem.data), text);
}

/* The line at the front of *in, without its end; *in moves past it. */
static struct onward_str take_line(struct onward_str *in)
{
    size_t len = onward_core__str_find(*in, '\n');
    struct onward_str line = onward_core__sub(*in, 0, len);

    *in = onward_core__sub(*in, len < in->len ? len + 1 : len, in->len);
    return onward_core__str_trim_crlf(line);
}

/* "-----BEGIN label-----" gives label; NULL data: the line is another. */
static struct onward_str label_of(struct onward_str line,
                                  struct onward_str mark)
{
    struct onward_str none = {NULL, 0};

    if (!onward_core__str_starts(line, mark) ||
        line.len < mark.len + dashes.len ||
        !onward_core__str_eq(
            onward_core__sub(line, line.len - dashes.len, line.len), dashes))
        return none;
    return onward_core__sub(line, mark.len, line.len - dashes.len);
}

static int form_of(struct onward_str pem, struct onward_str label,
                   enum onward_key__form *form, struct onward_key__why *why)
{
    static const struct {
        struct onward_str label;
        const char *text; /* NULL: it is taken */
        enum onward_key__form form;
    } known[] = {
        {{"PRIVATE KEY", 11}, NULL, ONWARD_KEY__FORM_PKCS8},
        {{"RSA PRIVATE KEY", 15}, NULL, ONWARD_KEY__FORM_PKCS1},
        {{"ENCRYPTED PRIVATE KEY", 21},
         "encrypted private key, expected one without a password",
         0},
        {{"EC PRIVATE KEY", 14},
         "elliptic curve key, expected RSA or Ed25519",
         0},
        {{"DSA PRIVATE KEY", 15}, "DSA key, expected RSA or Ed25519", 0},
        {{"OPENSSH PRIVATE KEY", 19},
         "OpenSSH key file, expected PKCS#8 (PRIVATE KEY)",
         0},
        {{"PUBLIC KEY", 10}, "public key, expected a private key", 0},
        {{"RSA PUBLIC KEY", 14}, "public key, expected a private key", 0},
        {{"CERTIFICATE", 11}, "certificate, expected a private key", 0},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!onward_core__str_eq(label, known[i].label))
            continue;
        *form = known[i].form;
        return known[i].text == NULL ? 0
                                     : bad(why, pem, label.data, known[i].text);
    }
    return bad(why, pem, label.data,
               "PEM label, expected PRIVATE KEY or RSA PRIVATE KEY");
}

/* The first block: its label, and the lines up to its end. */
static int find_block(struct onward_str pem, struct onward_str *label,
                      struct onward_str *body, struct onward_key__why *why)
{
    struct onward_str rest = pem, line, found = {NULL, 0};
    const char *start;

    while (rest.len != 0 && found.data == NULL)
        found = label_of(take_line(&rest), begin_mark);
    if (found.data == NULL)
        return bad(why, pem, pem.data,
                   "no PEM block, expected -----BEGIN "
                   "PRIVATE KEY-----");
    start = rest.data;
    while (rest.len != 0) {
        line = take_line(&rest);
        if (!onward_core__str_starts(line, end_mark))
            continue;
        if (!onward_core__str_eq(label_of(line, end_mark), found))
            return bad(why, pem, line.data,
                       "PEM end line, expected the label of the begin line");
        *label = found;
        *body = onward_core__str(start, (size_t)(line.data - start));
        return 0;
    }
    return bad(why, pem, pem.data + pem.len,
               "PEM without an end line, expected -----END");
}

/* The first octet that base64 text does not have, else the start: the whole is
 * too short or too long then. */
static const char *not_base64(struct onward_str body)
{
    for (size_t i = 0; i < body.len; i++) {
        unsigned char c = (unsigned char)body.data[i];

        if (!onward_ascii_is_alpha(c) && !onward_ascii_is_digit(c) &&
            c != '+' && c != '/' && c != '=' && c > ' ')
            return body.data + i;
    }
    return body.data;
}

static int read_block(struct onward_ctx *ctx, struct onward_str pem,
                      struct onward_str body, enum onward_key__form form,
                      struct onward_key__why *why, struct onward_key **key)
{
    struct onward_key__der in;
    struct onward_buf der;
    int ret;

    /* RFC 1421 headers stand in front of old encrypted keys only. */
    if (onward_core__str_find(body, ':') < body.len)
        return bad(why, pem, body.data,
                   "PEM headers (an encrypted key has them), expected base64 "
                   "of a key without a password");
    /* All room at once: a buffer that grows leaves copies behind. */
    onward_core__buf_init(&der, ctx, body.len + 1);
    ret = onward_core__buf_reserve(&der, body.len + 1);
    if (ret == 0)
        ret = onward_core__base64_decode(&der, body, false);
    if (ret == ONWARD_ESYNTAX) {
        ret = bad(why, pem, not_base64(body), "PEM text, expected base64");
    } else if (ret == 0) {
        in = (struct onward_key__der){.data = der.data, .len = der.len};
        ret = onward_key__read(ctx, in, form, why, key);
        /* Offsets inside the DER mean nothing to who sees base64. */
        if (ret == ONWARD_ESYNTAX || ret == ONWARD_ELIMIT)
            why->offset = (size_t)(body.data - pem.data);
    }
    if (der.data != NULL)
        onward_core__wipe(der.data, der.cap);
    onward_core__buf_clear(&der);
    return ret;
}

int onward_key_from_pem(struct onward_ctx *ctx, struct onward_str pem,
                        struct onward_key_fault *fault, struct onward_key **key)
{
    struct onward_str label = {NULL, 0}, body = {NULL, 0};
    struct onward_key__why why = {0};
    enum onward_key__form form = ONWARD_KEY__FORM_ANY;
    int ret;

    if (ctx == NULL || key == NULL || (pem.data == NULL && pem.len != 0))
        return ONWARD_EINVAL;
    ret = find_block(pem, &label, &body, &why);
    if (ret == 0)
        ret = form_of(pem, label, &form, &why);
    if (ret == 0)
        ret = read_block(ctx, pem, body, form, &why, key);
    if (ret == ONWARD_ESYNTAX || ret == ONWARD_ELIMIT)
        onward_key__fault_set(fault, &why);
    return ret;
}
