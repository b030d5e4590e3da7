/* What the minter's files share. */
#ifndef ONWARD_TOKEN_PRIV_H
#define ONWARD_TOKEN_PRIV_H

#include <onward/token.h>

#include <stdatomic.h>

#include "key/key_shared.h"

enum {
    ONWARD_TOKEN__HEAD = 6, /* version, key, expiry */
    ONWARD_TOKEN__MAC_MAX = 32,
    ONWARD_TOKEN__RAW_MAX =
        ONWARD_TOKEN__HEAD + ONWARD_TOKEN_PAYLOAD_MAX + ONWARD_TOKEN__MAC_MAX
};

struct onward_token__secret {
    uint8_t id; /* says which one it is likely to be, and nothing else */
    size_t len;
    char data[ONWARD_TOKEN_SECRET_MAX];
};

struct onward_token_minter {
    struct onward_ctx *ctx;
    atomic_size_t refs;
    size_t count;
    struct onward_token__secret secrets[];
};

static inline struct onward_str
onward_token__secret_str(const struct onward_token__secret *secret)
{
    return onward_core__str(secret->data, secret->len);
}

/* Characters of a text for len octets. */
size_t onward_token__text_len(enum onward_token_form form, size_t len);
void onward_token__write(enum onward_token_form form, const uint8_t *data,
                         size_t len, char *out);
/* The only octets that this text stands for; false: none, or over cap. */
bool onward_token__read(enum onward_token_form form, struct onward_str text,
                        uint8_t *out, size_t cap, size_t *len);

#endif
