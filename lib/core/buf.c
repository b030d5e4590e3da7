/* Growing buffers with a ceiling and a sticky first error. */
#include "core/core_shared.h"

enum { FIRST_CAP = 64 };

void onward_core__buf_init(struct onward_buf *b, struct onward_ctx *ctx,
                           size_t max)
{
    *b = (struct onward_buf){.ctx = ctx, .max = max};
}

void onward_core__buf_clear(struct onward_buf *b)
{
    bool is_secret = b->is_secret;

    if (is_secret && b->data != NULL)
        onward_core__wipe(b->data, b->cap);
    onward_core__free(b->ctx, b->data);
    onward_core__buf_init(b, b->ctx, b->max);
    b->is_secret = is_secret;
}

void onward_core__buf_reset(struct onward_buf *b)
{
    b->len = 0;
    b->err = 0;
}

/* The allocator's own move would leave the old octets behind. */
static void *move_secret(struct onward_buf *b, size_t cap)
{
    void *data = onward_core__alloc(b->ctx, cap);

    if (data == NULL || b->data == NULL)
        return data;
    memcpy(data, b->data, b->len);
    onward_core__wipe(b->data, b->cap);
    onward_core__free(b->ctx, b->data);
    return data;
}

int onward_core__buf_reserve(struct onward_buf *b, size_t more)
{
    size_t cap;
    void *data;

    if (b->err != 0)
        return b->err;
    if (more <= b->cap - b->len)
        return 0;
    if (b->len > b->max || more > b->max - b->len)
        return b->err = ONWARD_ELIMIT;
    cap = b->cap == 0 ? FIRST_CAP : b->cap;
    while (cap - b->len < more && cap <= b->max / 2)
        cap *= 2;
    if (cap > b->max || cap - b->len < more)
        cap = b->max;
    data = b->is_secret ? move_secret(b, cap)
                        : onward_core__realloc(b->ctx, b->data, cap);
    if (data == NULL)
        return b->err = ONWARD_ENOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

int onward_core__buf_add(struct onward_buf *b, const void *data, size_t len)
{
    int err = onward_core__buf_reserve(b, len);

    if (err != 0 || len == 0)
        return err;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return 0;
}

int onward_core__buf_add_str(struct onward_buf *b, struct onward_str s)
{
    return onward_core__buf_add(b, s.data, s.len);
}

int onward_core__buf_add_text(struct onward_buf *b, const char *text)
{
    return onward_core__buf_add(b, text, strlen(text));
}

int onward_core__buf_add_byte(struct onward_buf *b, unsigned char byte)
{
    return onward_core__buf_add(b, &byte, 1);
}

int onward_core__buf_add_u64(struct onward_buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return onward_core__buf_add(b, digits + at, sizeof(digits) - at);
}

int onward_core__buf_add_i64(struct onward_buf *b, int64_t value)
{
    if (value >= 0)
        return onward_core__buf_add_u64(b, (uint64_t)value);
    if (onward_core__buf_add_byte(b, '-') != 0)
        return b->err;
    /* 0 - x in unsigned: right for INT64_MIN too. */
    return onward_core__buf_add_u64(b, 0 - (uint64_t)value);
}

void onward_core__buf_consume(struct onward_buf *b, size_t n)
{
    ONWARD_ASSERT(n <= b->len);
    if (n > b->len)
        n = b->len;
    b->len -= n;
    if (b->len != 0 && n != 0)
        memmove(b->data, b->data + n, b->len);
}
