/*
 * What no parser can be cheaper than: memchr() from line to line, and, decoding,
 * a bare base64 decoder of four tables over the lines. Building: Nettle's base64 encoder.
 */
#include <nettle/base64.h>

#include "bench/mime/jobs.h"

static uint32_t placed[4][256];
static unsigned char out[1 << 16];
static size_t sum;

static void make_tables(void)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (unsigned place = 0; place < 4; place++) {
        for (unsigned i = 0; i < 64; i++)
            placed[place][(unsigned char)alphabet[i]] = i << (18 - 6 * place);
    }
}

static size_t decode_line(const unsigned char *in, size_t len, unsigned char *to)
{
    unsigned char *start = to;

    for (; len >= 4; len -= 4, in += 4, to += 3) {
        uint32_t bits = placed[0][in[0]] | placed[1][in[1]] |
                        placed[2][in[2]] | placed[3][in[3]];

        to[0] = (unsigned char)(bits >> 16);
        to[1] = (unsigned char)(bits >> 8);
        to[2] = (unsigned char)bits;
    }
    return (size_t)(to - start);
}

static void walk(const struct bench_message *m, int does_decode)
{
    const char *at = m->data, *end = m->data + m->len;
    size_t put = 0;

    sum = 0;
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        size_t len = lf == NULL ? (size_t)(end - at) : (size_t)(lf - at);

        sum += len;
        if (does_decode && len < 2000) {
            if (sizeof(out) - put < 2000)
                put = 0;
            put += decode_line((const unsigned char *)at, len, out + put);
        }
        at += len + 1;
    }
    if (sum < 4000)
        bench_die("lines");
}

static void parse(void *arg)
{
    walk(arg, 0);
}

static void decode(void *arg)
{
    walk(arg, 1);
}

/* Nettle's encoder, line by line. */
static void build(void *arg)
{
    const struct bench_message *file = arg;
    const unsigned char *in = (const unsigned char *)file->data;
    size_t put = 0, all = sizeof(BENCH_MIME_TEXT);

    for (size_t at = 0; at < file->len; at += 57) {
        size_t n = file->len - at < 57 ? file->len - at : 57;

        if (sizeof(out) - put < 100)
            put = 0;
        base64_encode_raw((char *)out + put, n, in + at);
        put += BASE64_ENCODE_RAW_LENGTH(n);
        out[put++] = '\r';
        out[put++] = '\n';
        all += BASE64_ENCODE_RAW_LENGTH(n) + 2;
    }
    bench_mime_check_built(file, all);
}

int main(int argc, char **argv)
{
    static const struct bench_mime_side side = {
        .parse = parse, .decode = decode, .build = build};

    if (argc != 2)
        bench_die("floor FOLDER");
    make_tables();
    return bench_mime_serve(argv[1], &side);
}
