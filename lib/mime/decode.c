/*
 * Transfer encodings (RFC 2045 section 6) and uuencode, undone as octets pass
 * by. Damage is read by the rules that enum onward_damage has, the same for any
 * cut: what is not decided at the end of a piece is held.
 */
#include "mime/decode_priv.h"

#include "core/text_shared.h"

struct run {
    const unsigned char *in;
    size_t len, at;
    unsigned char *out;
    size_t cap, put;
};

static size_t room(const struct run *r)
{
    return r->cap - r->put;
}

/* ---- base64 ------------------------------------------------------------ */

enum { B64_DATA, B64_ENDED };

static bool is_base64(unsigned char c)
{
    return onward_ascii_is_alnum(c) || c == '+' || c == '/';
}

/* A group is full. */
static void put_quad(struct onward_mime__decoder *d, struct run *r)
{
    (void)onward_core__base64_run(r->out + r->put, d->quad, 4);
    r->put += 3;
    d->have = 0;
}

/* The data ends inside a group: whole octets count. */
static void end_base64(struct onward_mime__decoder *d, struct run *r)
{
    unsigned char last[3] = {0};
    unsigned whole = d->have > 0 ? d->have - 1 : 0;

    memset(d->quad + d->have, 'A', sizeof(d->quad) - d->have);
    (void)onward_core__base64_run(last, d->quad, 4);
    memcpy(r->out + r->put, last, whole);
    r->put += whole;
    if (whole < 3 && d->have > 0 && last[whole] != 0 && d->have > 1)
        d->damage |= ONWARD_DAMAGE_BASE64_BITS;
    if (d->have == 1)
        d->damage |= ONWARD_DAMAGE_BASE64_PADDING;
    d->have = 0;
}

static void base64_octet(struct onward_mime__decoder *d, struct run *r,
                         unsigned char c)
{
    if (onward_ascii_is_wsp(c) || c == '\r' || c == '\n')
        return;
    if (d->state == B64_ENDED) {
        /* held counts the equal signs that may still come. */
        if (c == '=' && d->held > 0)
            d->held--;
        else if (c == '=')
            d->damage |= ONWARD_DAMAGE_BASE64_PADDING;
        else
            d->damage |= is_base64(c) ? ONWARD_DAMAGE_BASE64_AFTER_END
                                      : ONWARD_DAMAGE_BASE64_JUNK;
        return;
    }
    if (c == '=') {
        if (d->have < 2)
            d->damage |= ONWARD_DAMAGE_BASE64_PADDING;
        d->state = B64_ENDED;
        d->held = d->have == 2 ? 1 : 0;
        end_base64(d, r);
        return;
    }
    if (!is_base64(c)) {
        d->damage |= ONWARD_DAMAGE_BASE64_JUNK;
        return;
    }
    d->quad[d->have++] = c;
    if (d->have == 4)
        put_quad(d, r);
}

static void run_base64(struct onward_mime__decoder *d, struct run *r)
{
    while (r->at < r->len && room(r) >= 3) {
        if (d->have == 0 && d->state == B64_DATA) {
            size_t left = r->len - r->at, fits = room(r) / 3 * 4;
            size_t taken = onward_core__base64_run(
                r->out + r->put, r->in + r->at, left < fits ? left : fits);

            r->at += taken;
            r->put += taken / 4 * 3;
            if (r->at == r->len || room(r) < 3)
                return;
            /* The end of a clean line. */
            if (r->len - r->at >= 2 && r->in[r->at] == '\r' &&
                r->in[r->at + 1] == '\n') {
                r->at += 2;
                continue;
            }
        }
        base64_octet(d, r, r->in[r->at++]);
    }
}

static void finish_base64(struct onward_mime__decoder *d, struct run *r)
{
    if (d->have > 1 || d->held > 0)
        d->damage |= ONWARD_DAMAGE_BASE64_PADDING;
    end_base64(d, r);
}

/* ---- quoted-printable -------------------------------------------------- */

/* What stands in hold: nothing; blanks and perhaps CR; "=" and what may make it
 * a soft line break or an escape. LITERAL: a run of blanks too long to hold. */
enum { QP_TEXT, QP_BLANKS, QP_EQUALS, QP_LITERAL };

enum { QP_HOLD_MAX = 120 };

/* 0: passes as it is and ends nothing. */
enum { QP_PLAIN, QP_SPECIAL };

static bool is_qp_special(unsigned char c)
{
    return c < '!' || c == '=' || c > '~';
}

static void put_held(struct onward_mime__decoder *d, struct run *r)
{
    memcpy(r->out + r->put, d->hold, d->held);
    r->put += d->held;
    d->held = 0;
    d->state = QP_TEXT;
}

/* Blanks, and CR at most as the last, are held; c is next. False: c is not
 * used up. */
static bool qp_blanks(struct onward_mime__decoder *d, struct run *r,
                      unsigned char c)
{
    bool has_cr = d->hold[d->held - 1] == '\r';

    if (c == '\n') {
        if (d->held > (has_cr ? 1u : 0u))
            d->damage |= ONWARD_DAMAGE_QP_BLANKS;
        if (has_cr)
            r->out[r->put++] = '\r';
        r->out[r->put++] = '\n';
        d->held = 0;
        d->state = QP_TEXT;
        return true;
    }
    if (has_cr) {
        d->damage |= ONWARD_DAMAGE_QP_RAW;
        put_held(d, r);
        return false;
    }
    if (c == '\r' || onward_ascii_is_wsp(c)) {
        if (d->held < QP_HOLD_MAX) {
            d->hold[d->held++] = c;
            return true;
        }
        put_held(d, r);
        d->state = QP_LITERAL;
        d->damage |= ONWARD_DAMAGE_QP_BLANKS;
        return false;
    }
    put_held(d, r);
    return false;
}

/* "=" is held, and perhaps more. */
static bool qp_equals(struct onward_mime__decoder *d, struct run *r,
                      unsigned char c)
{
    unsigned char last = d->hold[d->held - 1];
    bool is_blank = onward_ascii_is_wsp(c);

    if (c == '\n') {
        if (d->held == 1 || onward_ascii_is_wsp(last) || last == '\r') {
            d->held = 0;
            d->state = QP_TEXT;
            return true;
        }
    } else if (d->held == 1 && onward_ascii_hex(c) >= 0) {
        d->hold[d->held++] = c;
        return true;
    } else if (d->held == 2 && onward_ascii_hex(last) >= 0 &&
               onward_ascii_hex(c) >= 0) {
        if ((last >= 'a' && last <= 'f') || (c >= 'a' && c <= 'f'))
            d->damage |= ONWARD_DAMAGE_QP_LOWER;
        r->out[r->put++] =
            (unsigned char)(onward_ascii_hex(last) << 4 | onward_ascii_hex(c));
        d->held = 0;
        d->state = QP_TEXT;
        return true;
    } else if ((is_blank || c == '\r') && d->held < QP_HOLD_MAX &&
               (last == '=' || onward_ascii_is_wsp(last))) {
        d->hold[d->held++] = c;
        return true;
    }
    /* "=" stays; what was held behind it is text again, but hex digits, the
     * only other octets there, are plain. */
    d->damage |= ONWARD_DAMAGE_QP_ESCAPE;
    r->out[r->put++] = '=';
    d->held--;
    memmove(d->hold, d->hold + 1, d->held);
    if (d->held == 0 || onward_ascii_hex(d->hold[0]) >= 0)
        put_held(d, r);
    else
        d->state = QP_BLANKS;
    return false;
}

static void qp_text(struct onward_mime__decoder *d, struct run *r,
                    unsigned char c)
{
    if (onward_ascii_is_wsp(c) || c == '\r') {
        d->hold[d->held++] = c;
        d->state = QP_BLANKS;
    } else if (c == '=') {
        d->hold[d->held++] = c;
        d->state = QP_EQUALS;
    } else {
        if (c != '\n' && is_qp_special(c))
            d->damage |= ONWARD_DAMAGE_QP_RAW;
        r->out[r->put++] = c;
    }
}

/* One more than the value of a digit; others are 0. */
static const unsigned char capital_hex[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
    ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12,
    ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

/* An escape in capitals, or a soft line break, whole and right: 3 octets are
 * done with. */
static bool qp_escape(struct run *r)
{
    const unsigned char *at = r->in + r->at;
    unsigned high, low;

    if (r->len - r->at < 3)
        return false;
    high = capital_hex[at[1]];
    low = capital_hex[at[2]];
    if (high != 0 && low != 0)
        r->out[r->put++] = (unsigned char)((high - 1) << 4 | (low - 1));
    else if (at[1] != '\r' || at[2] != '\n')
        return false;
    r->at += 3;
    return true;
}

/* Of p[0..7], from the first: octets that are themselves whatever follows. A
 * blank is, when something else than a blank follows among them. */
static size_t qp_plain8(const unsigned char *p)
{
    const uint64_t ones = UINT64_MAX / 255, tops = ones * 0x80;
    uint64_t x = 0, equals, dels, odd;
    size_t plain = 8;

    for (unsigned i = 0; i < 8; i++) /* compilers make one load of it */
        x |= (uint64_t)p[i] << (8 * i);
    /* The lowest top bit that is set belongs to the first odd octet. */
    equals = x ^ ones * '=';
    dels = x ^ ones * 0x7f;
    odd = (x | ((x - ones * ' ') & ~x) | ((equals - ones) & ~equals) |
           ((dels - ones) & ~dels)) &
          tops;
    if (odd != 0)
        plain = (size_t)__builtin_ctzll(odd) / 8;
    while (plain > 0 && p[plain - 1] == ' ')
        plain--;
    return plain;
}

/* What is decided by the octets at hand: no need to hold. */
static void qp_fast(struct run *r)
{
    while (r->at < r->len && room(r) >= 2 * ONWARD_MIME__QP_HOLD) {
        const unsigned char *at = r->in + r->at;
        size_t left = r->len - r->at;

        if (left >= 8) {
            size_t plain = qp_plain8(at);

            memcpy(r->out + r->put, at, 8);
            r->at += plain;
            r->put += plain;
            if (plain > 0)
                continue;
        }
        if (*at == '=') {
            if (!qp_escape(r))
                return;
            continue;
        }
        if (left >= 2 && at[0] == '\r' && at[1] == '\n') {
            memcpy(r->out + r->put, at, 2);
            r->at += 2;
            r->put += 2;
            continue;
        }
        /* A blank before something visible is itself. */
        if (is_qp_special(*at) &&
            (*at != ' ' || left < 2 || (at[1] <= ' ' || at[1] > '~')))
            return;
        r->out[r->put++] = *at;
        r->at++;
    }
}

static void run_qp(struct onward_mime__decoder *d, struct run *r)
{
    while (r->at < r->len && room(r) >= ONWARD_MIME__QP_HOLD + 8) {
        unsigned char c;

        if (d->state == QP_TEXT) {
            qp_fast(r);
            if (r->at == r->len || room(r) < ONWARD_MIME__QP_HOLD + 8)
                return;
        }
        c = r->in[r->at];
        switch (d->state) {
        case QP_TEXT:
            qp_text(d, r, c);
            r->at++;
            break;
        case QP_BLANKS:
            r->at += qp_blanks(d, r, c);
            break;
        case QP_EQUALS:
            r->at += qp_equals(d, r, c);
            break;
        default: /* QP_LITERAL */
            if (onward_ascii_is_wsp(c)) {
                r->out[r->put++] = c;
                r->at++;
            } else {
                d->state = QP_TEXT;
            }
            break;
        }
    }
}

static void finish_qp(struct onward_mime__decoder *d, struct run *r)
{
    bool has_cr = d->held > 0 && d->hold[d->held - 1] == '\r';

    if (d->state == QP_BLANKS && !has_cr) {
        d->damage |= ONWARD_DAMAGE_QP_BLANKS;
        d->held = 0;
    } else if (d->state == QP_EQUALS &&
               (d->held == 1 || onward_ascii_hex(d->hold[1]) < 0)) {
        d->damage |= ONWARD_DAMAGE_QP_CUT;
        d->held = 0;
    } else if (d->state == QP_EQUALS) {
        d->damage |= ONWARD_DAMAGE_QP_ESCAPE;
    } else if (d->state == QP_BLANKS) {
        d->damage |= ONWARD_DAMAGE_QP_RAW;
    }
    put_held(d, r);
}

/* ---- uuencode ---------------------------------------------------------- */

enum { UU_BEFORE, UU_DATA, UU_AFTER };

static unsigned uu_value(unsigned char c)
{
    return (unsigned)(c - ' ') & 63;
}

static void uu_data(struct onward_mime__decoder *d, struct run *r, size_t len)
{
    size_t octets = len == 0 ? 0 : uu_value(d->hold[0]);
    size_t chars = (octets + 2) / 3 * 4;
    size_t at = 1, done = 0;

    if (octets == 0) { /* "`" stands before "end" */
        if (len > 1)
            d->damage |= ONWARD_DAMAGE_UUENCODE;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (d->hold[i] < ' ' || d->hold[i] > '`')
            d->damage |= ONWARD_DAMAGE_UUENCODE;
    }
    /* Some writers add a checksum letter; blanks at the end get lost. */
    if (len - 1 > chars + 1 || len - 1 < chars)
        d->damage |= ONWARD_DAMAGE_UUENCODE;
    memset(d->hold + len, ' ', sizeof(d->hold) - len);
    for (; done < octets && at + 4 <= sizeof(d->hold); at += 4) {
        uint32_t bits =
            uu_value(d->hold[at]) << 18 | uu_value(d->hold[at + 1]) << 12 |
            uu_value(d->hold[at + 2]) << 6 | uu_value(d->hold[at + 3]);

        for (unsigned shift = 24; shift > 0 && done < octets; done++) {
            shift -= 8;
            r->out[r->put++] = (unsigned char)(bits >> shift);
        }
    }
}

/* A whole line is in hold, without its line end. */
static void uu_line(struct onward_mime__decoder *d, struct run *r)
{
    size_t len = d->held;
    struct onward_str line;

    while (len > 0 && d->hold[len - 1] == '\r')
        len--;
    line = onward_core__str(d->hold, len);
    d->held = 0;
    if (d->state == UU_BEFORE) {
        if (onward_core__str_starts(line, ONWARD_STR("begin ")))
            d->state = UU_DATA;
    } else if (d->state == UU_DATA) {
        if (onward_core__str_eq(onward_core__str_trim(line), ONWARD_STR("end")))
            d->state = UU_AFTER;
        else
            uu_data(d, r, len);
    }
}

static void run_uu(struct onward_mime__decoder *d, struct run *r)
{
    while (r->at < r->len && room(r) >= 64) {
        unsigned char c = r->in[r->at++];

        if (c == '\n')
            uu_line(d, r);
        else if (d->held < ONWARD_MIME__UU_LINE - 1)
            d->hold[d->held++] = c;
        else if (d->state == UU_DATA)
            d->damage |= ONWARD_DAMAGE_UUENCODE;
    }
}

static void finish_uu(struct onward_mime__decoder *d, struct run *r)
{
    if (d->held > 0)
        uu_line(d, r);
    if (d->state != UU_AFTER)
        d->damage |= ONWARD_DAMAGE_UUENCODE;
}

/* ---- Any --------------------------------------------------------------- */

void onward_mime__decoder_init(struct onward_mime__decoder *d, int encoding)
{
    memset(d, 0, offsetof(struct onward_mime__decoder, hold));
    d->encoding = encoding;
}

void onward_mime__decoder_feed(struct onward_mime__decoder *d, const void *data,
                               size_t len, size_t *taken, void *out, size_t cap,
                               size_t *put)
{
    struct run r = {.in = data, .len = len, .out = out, .cap = cap};

    switch (d->encoding) {
    case ONWARD_ENCODING_BASE64:
        run_base64(d, &r);
        break;
    case ONWARD_ENCODING_QUOTED_PRINTABLE:
        run_qp(d, &r);
        break;
    case ONWARD_ENCODING_UUENCODE:
        run_uu(d, &r);
        break;
    default:
        r.at = r.put = len < cap ? len : cap;
        if (r.at > 0)
            memcpy(out, data, r.at);
        break;
    }
    *taken = r.at;
    *put = r.put;
}

void onward_mime__decoder_finish(struct onward_mime__decoder *d, void *out,
                                 size_t cap, size_t *put)
{
    struct run r = {.out = out, .cap = cap};
    uint32_t damage;

    switch (d->encoding) {
    case ONWARD_ENCODING_BASE64:
        finish_base64(d, &r);
        break;
    case ONWARD_ENCODING_QUOTED_PRINTABLE:
        finish_qp(d, &r);
        break;
    case ONWARD_ENCODING_UUENCODE:
        finish_uu(d, &r);
        break;
    default:
        break;
    }
    *put = r.put;
    damage = d->damage;
    onward_mime__decoder_init(d, d->encoding);
    d->damage = damage;
}

int onward_mime__decode_all(struct onward_buf *out, int encoding,
                            struct onward_str encoded, uint32_t *damage)
{
    struct onward_mime__decoder d;
    size_t put = 0;
    int err = 0;

    onward_mime__decoder_init(&d, encoding);
    /* No encoding here makes more octets of less; one reserve is enough. */
    err = onward_core__buf_reserve(out, (encoding == ONWARD_ENCODING_BASE64
                                             ? encoded.len / 4 * 3
                                             : encoded.len) +
                                            ONWARD_TEXT_ROOM);
    for (size_t at = 0; err == 0 && at < encoded.len;) {
        size_t taken = 0;

        onward_mime__decoder_feed(&d, encoded.data + at, encoded.len - at,
                                  &taken, out->data + out->len,
                                  out->cap - out->len, &put);
        out->len += put;
        at += taken;
        if (at < encoded.len)
            err = onward_core__buf_reserve(out, ONWARD_TEXT_ROOM);
    }
    if (err == 0)
        err = onward_core__buf_reserve(out, ONWARD_TEXT_ROOM);
    if (err != 0)
        return err;
    onward_mime__decoder_finish(&d, out->data + out->len, out->cap - out->len,
                                &put);
    out->len += put;
    *damage |= d.damage;
    return 0;
}

/* ---- Public ------------------------------------------------------------ */

struct onward_decoder {
    struct onward_ctx *ctx;
    struct onward_mime__decoder d;
    bool is_finished;
};

static const struct {
    const char *name;
    int encoding;
} names[] = {
    /* The first of a number is its name. */
    {"7bit", ONWARD_ENCODING_7BIT},
    {"8bit", ONWARD_ENCODING_8BIT},
    {"binary", ONWARD_ENCODING_BINARY},
    {"quoted-printable", ONWARD_ENCODING_QUOTED_PRINTABLE},
    {"base64", ONWARD_ENCODING_BASE64},
    {"x-uuencode", ONWARD_ENCODING_UUENCODE},
    {"uuencode", ONWARD_ENCODING_UUENCODE},
    {"x-uue", ONWARD_ENCODING_UUENCODE},
    {"uue", ONWARD_ENCODING_UUENCODE},
};

int onward_encoding_of(struct onward_str name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (onward_core__str_ieq(name, onward_str_of(names[i].name)))
            return names[i].encoding;
    }
    return ONWARD_ENCODING_UNKNOWN;
}

const char *onward_encoding_name(int encoding)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].encoding == encoding)
            return names[i].name;
    }
    return "unknown";
}

int onward_decoder_new(struct onward_ctx *ctx, int encoding,
                       struct onward_decoder **decoder)
{
    struct onward_decoder *made;

    if (encoding < ONWARD_ENCODING_7BIT || encoding > ONWARD_ENCODING_UNKNOWN)
        return ONWARD_EINVAL;
    made = onward_core__zalloc(ctx, sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_ctx_ref(ctx);
    onward_mime__decoder_init(&made->d, encoding);
    *decoder = made;
    return 0;
}

int onward_decoder_feed(struct onward_decoder *decoder, const void *data,
                        size_t len, size_t *taken, void *out, size_t cap,
                        size_t *put)
{
    if (cap < ONWARD_TEXT_ROOM)
        return ONWARD_EINVAL;
    if (decoder->is_finished)
        decoder->d.damage = 0;
    decoder->is_finished = false;
    onward_mime__decoder_feed(&decoder->d, data, len, taken, out, cap, put);
    return 0;
}

int onward_decoder_finish(struct onward_decoder *decoder, void *out, size_t cap,
                          size_t *put)
{
    if (cap < ONWARD_TEXT_ROOM)
        return ONWARD_EINVAL;
    onward_mime__decoder_finish(&decoder->d, out, cap, put);
    decoder->is_finished = true;
    return 0;
}

uint64_t onward_decoder_damage(const struct onward_decoder *decoder)
{
    return decoder->d.damage;
}

void onward_decoder_free(struct onward_decoder *decoder)
{
    struct onward_ctx *ctx;

    if (decoder == NULL)
        return;
    ctx = decoder->ctx;
    onward_core__free(ctx, decoder);
    onward_ctx_free(ctx);
}
