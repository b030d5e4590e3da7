#include "key/vectors.h"

#include <nettle/sha2.h>

bool vectors_open(struct vectors *v, struct t_world *w, const char *name)
{
    const char *path = t_conformance(name);
    struct onward_json_fault fault;
    size_t len;

    if (path == NULL)
        return false;
    v->text = t_read_file(path, &len);
    assert_non_null(v->text);
    onward_core__arena_init(&v->arena, w->ctx, (size_t)64 << 20);
    assert_int_equal(onward_json__parse(&v->arena,
                                        onward_core__str(v->text, len), 32,
                                        &v->root, &fault),
                     0);
    return true;
}

void vectors_close(struct vectors *v)
{
    onward_core__arena_clear(&v->arena);
    free(v->text);
}

struct onward_str vectors_text(const struct onward_json *of, const char *member)
{
    struct onward_json *value = onward_json__get(of, member);

    assert_non_null(value);
    return value->text;
}

static int digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = strchr(digits, c);

    assert_true(c != '\0' && at != NULL);
    return (int)(at - digits);
}

struct onward_str vectors_hex(struct vectors *v, const struct onward_json *of,
                              const char *member)
{
    struct onward_str hex = vectors_text(of, member);
    uint8_t *out = onward_core__arena_alloc(&v->arena, hex.len / 2 + 1);

    assert_non_null(out);
    for (size_t i = 0; i < hex.len / 2; i++)
        out[i] =
            (uint8_t)(digit(hex.data[2 * i]) << 4 | digit(hex.data[2 * i + 1]));
    return onward_core__str(out, hex.len / 2);
}

void vectors_sha256(struct onward_str data, uint8_t digest[32])
{
    struct sha256_ctx hash;

    sha256_init(&hash);
    sha256_update(&hash, data.len,
                  (const uint8_t *)(data.len == 0 ? "" : data.data));
    sha256_digest(&hash, 32, digest);
}
