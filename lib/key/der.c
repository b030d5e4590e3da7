/*
 * The DER that keys come in, and the little of it that is written.
 */
#include "key/der_priv.h"

/* 1.2.840.113549.1.1.1 (RFC 8017 appendix C) */
const uint8_t onward_key__oid_rsa[9] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
                                        0x0d, 0x01, 0x01, 0x01};
/* 1.3.101.112 (RFC 8410 section 3) */
const uint8_t onward_key__oid_ed25519[3] = {0x2b, 0x65, 0x70};

int onward_key__der_bad(struct onward_key__why *why, size_t offset,
                        const char *text)
{
    why->offset = offset;
    why->text = text;
    return ONWARD_ESYNTAX;
}

void onward_key__fault_set(struct onward_key_fault *fault,
                           const struct onward_key__why *why)
{
    struct onward_key_fault ours = {
        .offset = why->offset, .bits = why->bits, .text = why->text};
    size_t size;

    if (fault == NULL)
        return;
    size = fault->size;
    ours.size = size;
    if (size < sizeof(ours)) {
        memcpy(fault, &ours, size);
    } else {
        memcpy(fault, &ours, sizeof(ours));
        memset((char *)fault + sizeof(ours), 0, size - sizeof(ours));
    }
}

uint8_t onward_key__der_peek(const struct onward_key__der *in)
{
    return in->len == 0 ? 0 : in->data[0];
}

/* Length octets after the tag (X.690 section 10.1: shortest form only). Four
 * octets of length are more than any key needs. */
static int read_length(const struct onward_key__der *in, size_t *head,
                       size_t *len)
{
    size_t count, value = 0;

    if (in->len < 2)
        return ONWARD_ESYNTAX;
    if (in->data[1] < 0x80) {
        *head = 2;
        *len = in->data[1];
        return 0;
    }
    count = in->data[1] & 0x7fU;
    if (count == 0 || count > 4 || in->len - 2 < count)
        return ONWARD_ESYNTAX;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | in->data[2 + i];
    if (value < 0x80 || in->data[2] == 0)
        return ONWARD_ESYNTAX;
    *head = 2 + count;
    *len = value;
    return 0;
}

int onward_key__der_take(struct onward_key__der *in, uint8_t tag,
                         struct onward_key__der *content,
                         struct onward_key__why *why, const char *what)
{
    size_t head, len;

    if (onward_key__der_peek(in) != tag)
        return onward_key__der_bad(why, in->offset, what);
    if (read_length(in, &head, &len) != 0)
        return onward_key__der_bad(why, in->offset,
                                   "DER length, expected a definite one in "
                                   "its shortest form");
    if (len > in->len - head)
        return onward_key__der_bad(why, in->offset,
                                   "DER length past the end of what holds "
                                   "it, expected less");
    *content = (struct onward_key__der){
        .data = in->data + head, .len = len, .offset = in->offset + head};
    in->data += head + len;
    in->len -= head + len;
    in->offset += head + len;
    return 0;
}

int onward_key__der_uint(struct onward_key__der *in,
                         struct onward_key__der *content,
                         struct onward_key__why *why, const char *what)
{
    struct onward_key__der body;
    int ret = onward_key__der_take(in, ONWARD_DER_INTEGER, &body, why, what);

    if (ret != 0)
        return ret;
    if (body.len == 0)
        return onward_key__der_bad(why, body.offset,
                                   "empty INTEGER, expected octets");
    if (body.data[0] >= 0x80)
        return onward_key__der_bad(why, body.offset,
                                   "negative INTEGER, expected a positive "
                                   "one");
    if (body.data[0] == 0) {
        if (body.len > 1 && body.data[1] < 0x80)
            return onward_key__der_bad(why, body.offset,
                                       "INTEGER with a needless leading zero, "
                                       "expected its shortest form");
        body.data++;
        body.len--;
        body.offset++;
    }
    *content = body;
    return 0;
}

int onward_key__der_end(const struct onward_key__der *in,
                        struct onward_key__why *why, const char *what)
{
    return in->len == 0 ? 0 : onward_key__der_bad(why, in->offset, what);
}

static bool is_oid(const struct onward_key__der *oid, const uint8_t *want,
                   size_t len)
{
    return oid->len == len && memcmp(oid->data, want, len) == 0;
}

int onward_key__der_algorithm(struct onward_key__der *in, uint32_t *type,
                              struct onward_key__why *why)
{
    struct onward_key__der algorithm, oid, none;
    int ret = onward_key__der_take(in, ONWARD_DER_SEQUENCE, &algorithm, why,
                                   "key algorithm, expected SEQUENCE");

    if (ret != 0)
        return ret;
    ret = onward_key__der_take(&algorithm, ONWARD_DER_OID, &oid, why,
                               "key algorithm, expected OBJECT IDENTIFIER");
    if (ret != 0)
        return ret;
    if (is_oid(&oid, onward_key__oid_rsa, sizeof(onward_key__oid_rsa))) {
        *type = ONWARD_KEY_RSA;
        /* RFC 3279 section 2.3.1 wants NULL; some writers leave it out. */
        if (algorithm.len != 0) {
            ret = onward_key__der_take(&algorithm, ONWARD_DER_NULL, &none, why,
                                       "RSA parameters, expected NULL");
            if (ret == 0)
                ret = onward_key__der_end(&none, why,
                                          "NULL with content, expected none");
            if (ret != 0)
                return ret;
        }
    } else if (is_oid(&oid, onward_key__oid_ed25519,
                      sizeof(onward_key__oid_ed25519))) {
        *type = ONWARD_KEY_ED25519;
    } else {
        return onward_key__der_bad(why, oid.offset,
                                   "key algorithm, expected rsaEncryption or "
                                   "Ed25519");
    }
    /* RFC 8410 section 3: Ed25519 has no parameters. */
    return onward_key__der_end(&algorithm, why,
                               "octets after the key algorithm, expected none");
}

size_t onward_key__der_head_len(size_t len)
{
    return len < 0x80 ? 2 : len < 0x100 ? 3 : 4;
}

/* len is below 65536: the longest key has some 2400 octets. */
size_t onward_key__der_head(uint8_t *out, uint8_t tag, size_t len)
{
    size_t head = onward_key__der_head_len(len);

    out[0] = tag;
    if (head == 2) {
        out[1] = (uint8_t)len;
    } else {
        out[1] = (uint8_t)(0x80 + head - 2);
        if (head == 4)
            out[2] = (uint8_t)(len >> 8);
        out[head - 1] = (uint8_t)(len & 0xff);
    }
    return head;
}

static size_t skip_zeros(const uint8_t *number, size_t len)
{
    size_t zeros = 0;

    while (zeros < len && number[zeros] == 0)
        zeros++;
    return zeros;
}

/* Content octets: one zero in front where the top bit is set, or for 0. */
static size_t uint_content_len(const uint8_t *number, size_t len)
{
    size_t zeros = skip_zeros(number, len);

    if (zeros == len)
        return 1;
    return len - zeros + (number[zeros] >= 0x80 ? 1 : 0);
}

size_t onward_key__der_uint_len(const uint8_t *number, size_t len)
{
    size_t content = uint_content_len(number, len);

    return onward_key__der_head_len(content) + content;
}

size_t onward_key__der_put_uint(uint8_t *out, const uint8_t *number, size_t len)
{
    size_t zeros = skip_zeros(number, len);
    size_t content = uint_content_len(number, len);
    size_t at = onward_key__der_head(out, ONWARD_DER_INTEGER, content);

    if (content > len - zeros)
        out[at++] = 0;
    for (size_t i = zeros; i < len; i++)
        out[at++] = number[i];
    return at;
}
