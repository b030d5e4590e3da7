/*
 * Charsets into UTF-8: the built-in ones by table or rule, others by the
 * host's callbacks. What is no character becomes U+FFFD, one for each octet, so
 * that no octet makes its neighbours vanish.
 */
#include "mime/charset_priv.h"

#include <unistr.h>

#include "core/text_shared.h"

enum { REPLACEMENT = 0xfffd, NAME_MAX_OCTETS = 63 };

/* ---- Names ------------------------------------------------------------- */

static const struct onward_mime__charset_name *find_name(struct onward_str name)
{
    const struct onward_mime__charset_name *n = onward_mime__charset_names;

    if (name.len == 0)
        return NULL;
    /* Each encoded word asks: most names differ in their first letter. */
    for (; n->name != NULL; n++) {
        if (n->name[0] ==
                (char)onward_ascii_lower((unsigned char)name.data[0]) &&
            onward_core__str_ieq(name, onward_str_of(n->name)))
            return n;
    }
    return NULL;
}

int onward_charset_is_built_in(struct onward_str name)
{
    return find_name(onward_core__str_trim(name)) != NULL;
}

int onward_mime__charsets_load(struct onward_charsets *host,
                               const struct onward_charsets *src)
{
    int err;

    memset(host, 0, sizeof(*host));
    if (src == NULL)
        return 0;
    err = onward_core__opts_load(host, sizeof(*host), src);
    if (err == 0 &&
        (host->open == NULL || host->convert == NULL || host->close == NULL))
        err = ONWARD_EINVAL;
    return err;
}

static bool is_fit_for_host(struct onward_str name)
{
    if (name.len == 0 || name.len > NAME_MAX_OCTETS)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.data[i] <= ' ' ||
            (unsigned char)name.data[i] >= 0x7f)
            return false;
    }
    return true;
}

int onward_mime__converter_open(struct onward_mime__converter *c,
                                struct onward_str charset,
                                const struct onward_charsets *host)
{
    const struct onward_mime__charset_name *n;
    int err;

    memset(c, 0, sizeof(*c));
    charset = onward_core__str_trim(charset);
    n = find_name(charset);
    if (n != NULL) {
        c->kind = n->kind;
        c->upper = onward_mime__charset_upper[n->table];
        c->is_swapped = n->kind == ONWARD_MIME__UTF16LE;
        c->saw_start = n->kind != ONWARD_MIME__UTF16;
        return 0;
    }
    if (host == NULL || host->open == NULL || !is_fit_for_host(charset))
        return ONWARD_ENOENT;
    c->kind = ONWARD_MIME__HOST;
    c->host = *host;
    err = host->open(host->user, charset, &c->state);
    c->is_open = err == 0;
    if (err == 0 || err == ONWARD_ENOENT)
        return err;
    return ONWARD_ECALLBACK;
}

void onward_mime__converter_close(struct onward_mime__converter *c)
{
    if (c->is_open)
        c->host.close(c->host.user, c->state);
    c->is_open = false;
}

/* ---- Pieces ------------------------------------------------------------ */

/* One run of octets on its way. Every step takes whole characters while there
 * is room, and leaves the start of a character that is cut. */
struct run {
    const unsigned char *in;
    size_t len, at;
    unsigned char *out;
    size_t cap, put;
};

/* Room for one more character, and for what a step may add to it. */
static bool has_room(const struct run *r)
{
    return r->cap - r->put >= 16;
}

static void put_code(struct onward_mime__converter *c, struct run *r,
                     uint32_t code)
{
    int n = u8_uctomb(r->out + r->put, code, (ptrdiff_t)(r->cap - r->put));

    if (code == REPLACEMENT)
        c->notes |= ONWARD_TEXT_BAD_OCTETS;
    ONWARD_ASSERT(n > 0);
    if (n > 0)
        r->put += (size_t)n;
}

/* ASCII runs pass eight octets at a time. */
static void copy_ascii(struct run *r)
{
    while (r->len - r->at >= 8 && r->cap - r->put >= 24) {
        uint64_t word;

        memcpy(&word, r->in + r->at, sizeof(word));
        if ((word & 0x8080808080808080u) != 0)
            return;
        memcpy(r->out + r->put, &word, sizeof(word));
        r->at += 8;
        r->put += 8;
    }
}

static void run_single(struct onward_mime__converter *c, struct run *r)
{
    while (copy_ascii(r), r->at < r->len && has_room(r)) {
        unsigned char octet = r->in[r->at++];

        if (octet < 0x80)
            r->out[r->put++] = octet;
        else
            put_code(c, r,
                     c->kind == ONWARD_MIME__ASCII ? REPLACEMENT
                                                   : c->upper[octet - 0x80]);
    }
}

static void run_utf8(struct onward_mime__converter *c, struct run *r)
{
    while (copy_ascii(r), r->at < r->len && has_room(r)) {
        ucs4_t code;
        int n = u8_mbtoucr(&code, r->in + r->at, r->len - r->at);

        if (n == -2)
            return;
        if (n < 0) {
            put_code(c, r, REPLACEMENT);
            r->at++;
        } else {
            memcpy(r->out + r->put, r->in + r->at, (size_t)n);
            r->put += (size_t)n;
            r->at += (size_t)n;
        }
    }
}

/* A unit of UTF-16; surrogates wait for their other half. */
static void put_unit(struct onward_mime__converter *c, struct run *r,
                     uint32_t unit)
{
    bool is_low = unit >= 0xdc00 && unit <= 0xdfff;

    if (c->high != 0 && is_low) {
        put_code(c, r, 0x10000 + ((c->high - 0xd800) << 10) + (unit - 0xdc00));
        c->high = 0;
        return;
    }
    if (c->high != 0)
        put_code(c, r, REPLACEMENT);
    c->high = unit >= 0xd800 && unit <= 0xdbff ? unit : 0;
    if (c->high == 0)
        put_code(c, r, is_low ? REPLACEMENT : unit);
}

static void run_utf16(struct onward_mime__converter *c, struct run *r)
{
    for (; r->len - r->at >= 2 && has_room(r); r->at += 2) {
        uint32_t first = r->in[r->at], second = r->in[r->at + 1];
        uint32_t unit =
            c->is_swapped ? second << 8 | first : first << 8 | second;

        if (!c->saw_start) {
            c->saw_start = true;
            if (unit == 0xfeff || unit == 0xfffe) {
                c->is_swapped = unit == 0xfffe;
                continue;
            }
        }
        put_unit(c, r, unit);
    }
}

static int base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (onward_ascii_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* A shifted run of UTF-7 is over: nothing but 0 bits may be left. */
static void end_shift(struct onward_mime__converter *c, struct run *r)
{
    if (c->high != 0 || c->bit_count >= 6 ||
        (c->bits & ((1u << c->bit_count) - 1)) != 0)
        put_code(c, r, REPLACEMENT);
    c->in_shift = false;
    c->high = 0;
    c->bits = 0;
    c->bit_count = 0;
}

static void shifted_octet(struct onward_mime__converter *c, struct run *r,
                          unsigned char octet)
{
    int value = base64_value(octet);

    if (value >= 0) {
        c->shift_is_empty = false;
        c->bits = (c->bits << 6 | (uint32_t)value) & 0x3fffff;
        c->bit_count += 6;
        if (c->bit_count >= 16) {
            c->bit_count -= 16;
            put_unit(c, r, c->bits >> c->bit_count & 0xffff);
        }
        return;
    }
    end_shift(c, r);
    if (octet == '-') {
        if (c->shift_is_empty)
            put_code(c, r, '+');
        return;
    }
    put_code(c, r, octet < 0x80 ? octet : REPLACEMENT);
}

static void run_utf7(struct onward_mime__converter *c, struct run *r)
{
    while (r->at < r->len && has_room(r)) {
        unsigned char octet = r->in[r->at++];

        if (c->in_shift) {
            shifted_octet(c, r, octet);
        } else if (octet == '+') {
            c->in_shift = true;
            c->shift_is_empty = true;
        } else {
            put_code(c, r, octet < 0x80 ? octet : REPLACEMENT);
        }
    }
}

static int run_host(struct onward_mime__converter *c, struct run *r)
{
    while (r->at < r->len && has_room(r)) {
        size_t taken = 0, put = 0;
        size_t left = r->len - r->at, room = r->cap - r->put;
        int err = c->host.convert(c->host.user, c->state, r->in + r->at, left,
                                  &taken, r->out + r->put, room, &put);

        if (taken > left || put > room)
            return ONWARD_ECALLBACK;
        if (err != 0 && err != ONWARD_ESYNTAX)
            return ONWARD_ECALLBACK;
        r->at += taken;
        r->put += put;
        if (err == ONWARD_ESYNTAX && r->at < r->len) {
            if (!has_room(r))
                return 0;
            put_code(c, r, REPLACEMENT);
            r->at++;
        } else if (taken == 0 && put == 0) {
            /* Room was there, so a character is not whole; but none is as long
             * as what a converter may hold back. */
            if (left < sizeof(c->held))
                return 0;
            put_code(c, r, REPLACEMENT);
            r->at++;
        }
    }
    return 0;
}

static int run_any(struct onward_mime__converter *c, struct run *r)
{
    switch (c->kind) {
    case ONWARD_MIME__ASCII:
    case ONWARD_MIME__SINGLE:
        run_single(c, r);
        return 0;
    case ONWARD_MIME__UTF8:
        run_utf8(c, r);
        return 0;
    case ONWARD_MIME__UTF16:
    case ONWARD_MIME__UTF16BE:
    case ONWARD_MIME__UTF16LE:
        run_utf16(c, r);
        return 0;
    case ONWARD_MIME__UTF7:
        run_utf7(c, r);
        return 0;
    case ONWARD_MIME__HOST:
        return run_host(c, r);
    }
    return ONWARD_EINVAL;
}

/* The held start of a character with as many octets as complete it. */
static int run_held(struct onward_mime__converter *c, const unsigned char *data,
                    size_t len, struct run *r, size_t *taken)
{
    unsigned char piece[sizeof(c->held) + 8];
    size_t held = c->held_len, more = len < 8 ? len : 8;
    struct run small = {
        .in = piece, .len = held + more, .out = r->out, .cap = r->cap};
    int err;

    memcpy(piece, c->held, held);
    memcpy(piece + held, data, more);
    err = run_any(c, &small);
    r->put = small.put;
    if (small.at >= held) {
        c->held_len = 0;
        *taken = small.at - held;
        return err;
    }
    /* Still not whole, or bad octets took the room: keep what is left. */
    *taken = small.len - small.at <= sizeof(c->held) ? more : 0;
    c->held_len = (*taken == more ? small.len : held) - small.at;
    memcpy(c->held, piece + small.at, c->held_len);
    return err;
}

int onward_mime__converter_feed(struct onward_mime__converter *c,
                                const void *data, size_t len, size_t *taken,
                                void *out, size_t cap, size_t *put)
{
    struct run r = {.in = data, .len = len, .out = out, .cap = cap};
    int err = 0;

    if (c->held_len > 0 && len > 0)
        err = run_held(c, r.in, len, &r, &r.at);
    if (err == 0 && c->held_len == 0)
        err = run_any(c, &r);
    if (err != 0)
        return err;
    /* The start of a character stays here, so that the caller need not. */
    if (c->held_len == 0 && r.at < len && len - r.at < sizeof(c->held) &&
        has_room(&r)) {
        c->held_len = len - r.at;
        memcpy(c->held, r.in + r.at, c->held_len);
        r.at = len;
    }
    *taken = r.at;
    *put = r.put;
    return 0;
}

int onward_mime__converter_finish(struct onward_mime__converter *c, void *out,
                                  size_t cap, size_t *put)
{
    struct run r = {.out = out, .cap = cap};

    for (size_t i = 0; i < c->held_len && has_room(&r); i++)
        put_code(c, &r, REPLACEMENT);
    c->held_len = 0;
    if (c->in_shift)
        end_shift(c, &r);
    if (c->high != 0)
        put_code(c, &r, REPLACEMENT);
    c->high = 0;
    *put = r.put;
    return 0;
}

int onward_mime__convert_all(struct onward_buf *out, struct onward_str charset,
                             struct onward_str octets,
                             const struct onward_charsets *host,
                             uint64_t *notes)
{
    struct onward_mime__converter c;
    int err = onward_mime__converter_open(&c, charset, host);

    if (err != 0)
        return err;
    for (size_t at = 0; err == 0 && at < octets.len;) {
        size_t taken = 0, put = 0;
        size_t room = octets.len - at;

        room = room < 4096 ? ONWARD_TEXT_ROOM + room : 4096;
        err = onward_core__buf_reserve(out, ONWARD_TEXT_ROOM);
        if (err == 0 && onward_core__buf_reserve(out, room) != 0)
            out->err = 0; /* less will do */
        if (err == 0)
            err = onward_mime__converter_feed(
                &c, octets.data + at, octets.len - at, &taken,
                out->data + out->len, out->cap - out->len, &put);
        if (err == 0) {
            out->len += put;
            at += taken;
        }
    }
    if (err == 0)
        err = onward_core__buf_reserve(out, ONWARD_TEXT_ROOM);
    if (err == 0) {
        size_t put = 0;

        err = onward_mime__converter_finish(&c, out->data + out->len,
                                            out->cap - out->len, &put);
        out->len += put;
    }
    *notes |= c.notes;
    onward_mime__converter_close(&c);
    return err;
}

/* ---- Public ------------------------------------------------------------ */

struct onward_converter {
    struct onward_ctx *ctx;
    struct onward_mime__converter c;
};

int onward_converter_new(struct onward_ctx *ctx, struct onward_str charset,
                         const struct onward_charsets *charsets,
                         struct onward_converter **converter)
{
    struct onward_charsets host;
    struct onward_converter *made;
    int err = onward_mime__charsets_load(&host, charsets);

    if (err != 0)
        return err;
    made = onward_core__zalloc(ctx, sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    err = onward_mime__converter_open(&made->c, charset, &host);
    if (err != 0) {
        onward_core__free(ctx, made);
        return err;
    }
    made->ctx = onward_ctx_ref(ctx);
    *converter = made;
    return 0;
}

int onward_converter_feed(struct onward_converter *converter, const void *data,
                          size_t len, size_t *taken, void *out, size_t cap,
                          size_t *put)
{
    if (cap < ONWARD_TEXT_ROOM)
        return ONWARD_EINVAL;
    return onward_mime__converter_feed(&converter->c, data, len, taken, out,
                                       cap, put);
}

int onward_converter_finish(struct onward_converter *converter, void *out,
                            size_t cap, size_t *put)
{
    if (cap < ONWARD_TEXT_ROOM)
        return ONWARD_EINVAL;
    return onward_mime__converter_finish(&converter->c, out, cap, put);
}

uint64_t onward_converter_notes(const struct onward_converter *converter)
{
    return converter->c.notes;
}

void onward_converter_free(struct onward_converter *converter)
{
    struct onward_ctx *ctx;

    if (converter == NULL)
        return;
    ctx = converter->ctx;
    onward_mime__converter_close(&converter->c);
    onward_core__free(ctx, converter);
    onward_ctx_free(ctx);
}
