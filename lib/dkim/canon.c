/*
 * Canonical forms of a header field and of a body (RFC 6376 section 3.4). What
 * need not change is passed on in place, in the longest runs that there are;
 * only the octets around white space and the tail of each feed are looked at
 * one by one.
 */
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "dkim/dkim_shared.h"

/* ---- Scanning ---------------------------------------------------------- */

/*
 * The first octet from p that relaxed body canonicalization may change: a HTAB,
 * or a SP that WSP, CR or the end of what we have follows. end when there is
 * none.
 */
static const unsigned char *scan_slow(const unsigned char *p,
                                      const unsigned char *end)
{
    for (; p < end; p++) {
        if (*p == '\t')
            return p;
        if (*p == ' ' &&
            (p + 1 == end || p[1] == ' ' || p[1] == '\t' || p[1] == '\r'))
            return p;
    }
    return end;
}

#if defined(__SSE2__)
static __m128i load(const unsigned char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Octets of p[0..15] that scan_change() looks for; reads p[16], too. */
static __m128i changes(const unsigned char *p)
{
    const __m128i sp = _mm_set1_epi8(' ');
    const __m128i ht = _mm_set1_epi8('\t');
    const __m128i cr = _mm_set1_epi8('\r');
    __m128i a = load(p), b = load(p + 1);
    __m128i next =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(b, sp), _mm_cmpeq_epi8(b, ht)),
                     _mm_cmpeq_epi8(b, cr));

    return _mm_or_si128(_mm_cmpeq_epi8(a, ht),
                        _mm_and_si128(_mm_cmpeq_epi8(a, sp), next));
}

static unsigned mask_of(__m128i hits)
{
    return (unsigned)_mm_movemask_epi8(hits);
}

/* Is there SP or HTAB in p[0..63]? In base64 there is none. */
static bool has_wsp64(const unsigned char *p)
{
    const __m128i sp = _mm_set1_epi8(' ');
    const __m128i ht = _mm_set1_epi8('\t');
    __m128i hits = _mm_setzero_si128();

    for (int i = 0; i < 4; i++) {
        __m128i a = load(p + 16 * i);

        hits = _mm_or_si128(
            hits, _mm_or_si128(_mm_cmpeq_epi8(a, sp), _mm_cmpeq_epi8(a, ht)));
    }
    return mask_of(hits) != 0;
}

static const unsigned char *scan_change(const unsigned char *p,
                                        const unsigned char *end)
{
    while (end - p > 64) {
        __m128i hits;

        if (!has_wsp64(p)) {
            p += 64;
            continue;
        }
        hits = _mm_or_si128(_mm_or_si128(changes(p), changes(p + 16)),
                            _mm_or_si128(changes(p + 32), changes(p + 48)));
        if (mask_of(hits) != 0)
            break;
        p += 64;
    }
    while (end - p > 16) {
        unsigned mask = mask_of(changes(p));

        if (mask != 0) {
            while ((mask & 1u) == 0) {
                mask >>= 1;
                p++;
            }
            return p;
        }
        p += 16;
    }
    return scan_slow(p, end);
}
#else
/* High bit of each octet of word that equals c. Exact below the first match,
 * which is all that the caller asks. */
static uint64_t octets_equal(uint64_t word, unsigned char c)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = word ^ (ones * c);

    return (x - ones) & ~x & (ones << 7);
}

static const unsigned char *scan_change(const unsigned char *p,
                                        const unsigned char *end)
{
    while (end - p > 8) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        if (octets_equal(word, ' ') | octets_equal(word, '\t')) {
            const unsigned char *q = scan_slow(p, p + 9);

            if (q < p + 8)
                return q;
        }
        p += 8;
    }
    return scan_slow(p, end);
}
#endif

/* ---- Header fields ----------------------------------------------------- */

/* Pieces of one field on their way through the relaxed form. */
struct relaxed_header {
    struct onward_dkim__sink sink;
    bool is_value; /* past the colon */
    bool is_empty; /* nothing of the value was passed on yet */
    bool has_wsp;  /* white space that stands for one SP if more comes */
};

/* Names are short: they go out through a small copy. */
static void emit_lower(const struct onward_dkim__sink *sink,
                       const unsigned char *data, size_t len)
{
    unsigned char copy[64];

    while (len > 0) {
        size_t n = len < sizeof(copy) ? len : sizeof(copy);

        for (size_t i = 0; i < n; i++)
            copy[i] = onward_ascii_lower(data[i]);
        sink->emit(sink->user, copy, n);
        data += n;
        len -= n;
    }
}

static bool is_header_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void relaxed_value(struct relaxed_header *r, const unsigned char *p,
                          const unsigned char *end)
{
    while (p < end) {
        const unsigned char *from = p;

        if (is_header_blank(*p)) {
            r->has_wsp = true;
            p++;
            continue;
        }
        if (r->has_wsp && !r->is_empty)
            r->sink.emit(r->sink.user, " ", 1);
        r->has_wsp = false;
        r->is_empty = false;
        /* A single SP between words stands in both forms. */
        while (p < end && (!is_header_blank(*p) || (*p == ' ' && p + 1 < end &&
                                                    !is_header_blank(p[1]))))
            p++;
        r->sink.emit(r->sink.user, from, (size_t)(p - from));
    }
}

static void relaxed_piece(struct relaxed_header *r, struct onward_str piece)
{
    const unsigned char *p = (const unsigned char *)piece.data;
    struct onward_str name;
    size_t colon;

    if (piece.len == 0)
        return;
    if (!r->is_value) {
        colon = onward_core__str_find(piece, ':');
        name = onward_core__str_trim_crlf(onward_core__sub(piece, 0, colon));
        emit_lower(&r->sink, (const unsigned char *)name.data, name.len);
        if (colon == piece.len)
            return;
        r->sink.emit(r->sink.user, ":", 1);
        r->is_value = true;
        p += colon + 1;
    }
    relaxed_value(r, p, (const unsigned char *)piece.data + piece.len);
}

void onward_dkim__canon_header(enum onward_dkim__canon canon,
                               struct onward_str field, struct onward_str hole,
                               const struct onward_dkim__sink *sink)
{
    struct relaxed_header r = {.sink = *sink, .is_empty = true};
    struct onward_str before = field;
    struct onward_str after = {0};

    if (hole.len > 0) {
        before.len = (size_t)(hole.data - field.data);
        after = onward_core__sub(field, before.len + hole.len, field.len);
    }
    if (canon == ONWARD_DKIM__RELAXED) {
        relaxed_piece(&r, before);
        relaxed_piece(&r, after);
        return;
    }
    if (before.len > 0)
        sink->emit(sink->user, before.data, before.len);
    if (after.len > 0)
        sink->emit(sink->user, after.data, after.len);
}

/* ---- Bodies ------------------------------------------------------------ */

static void emit(struct onward_dkim__canon_body *b, const void *data,
                 size_t len)
{
    if (len == 0)
        return;
    b->octets += len;
    b->sink.emit(b->sink.user, data, len);
}

/* Line ends that were held back because they might have been the last. */
static void emit_line_ends(struct onward_dkim__canon_body *b)
{
    static const char many[] =
        "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
        "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    const uint64_t most = (sizeof(many) - 1) / 2;

    while (b->line_ends > 0) {
        uint64_t n = b->line_ends < most ? b->line_ends : most;

        emit(b, many, (size_t)n * 2);
        b->line_ends -= n;
    }
}

/* All that is held back, for something stands behind it on the same line. */
static void emit_held(struct onward_dkim__canon_body *b)
{
    emit_line_ends(b);
    if (b->has_wsp)
        emit(b, " ", 1);
    if (b->has_cr)
        emit(b, "\r", 1); /* a bare one: an octet like any other */
    b->has_wsp = false;
    b->has_cr = false;
}

/*
 * Octets that go on as they are, but for the line ends behind the last of them.
 * is_last: nothing of this feed follows, so a final CR may be half a line end.
 */
static void emit_run(struct onward_dkim__canon_body *b,
                     const unsigned char *from, const unsigned char *end,
                     bool is_last)
{
    uint64_t line_ends = 0;
    bool has_cr = false;

    if (is_last && end > from && end[-1] == '\r') {
        has_cr = true;
        end--;
    }
    while (end - from >= 2 && end[-1] == '\n' && end[-2] == '\r') {
        line_ends++;
        end -= 2;
    }
    if (end > from) {
        emit_held(b);
        emit(b, from, (size_t)(end - from));
    }
    b->line_ends += line_ends;
    b->has_cr = has_cr;
}

/* Settle a CR that ended the last feed; the new position. */
static const unsigned char *settle_cr(struct onward_dkim__canon_body *b,
                                      const unsigned char *p)
{
    if (*p == '\n') {
        b->has_cr = false;
        b->has_wsp = false; /* WSP at the end of a line vanishes */
        b->line_ends++;
        return p + 1;
    }
    emit_held(b);
    return p;
}

static void feed_relaxed(struct onward_dkim__canon_body *b,
                         const unsigned char *p, const unsigned char *end)
{
    while (p < end) {
        const unsigned char *q;

        if (b->has_cr) {
            p = settle_cr(b, p);
            continue;
        }
        if (b->has_wsp && (onward_ascii_is_wsp(*p) || *p == '\r')) {
            b->has_cr = *p == '\r';
            p++;
            continue;
        }
        q = scan_change(p, end);
        if (q == p) {
            b->has_wsp = true;
            p++;
            continue;
        }
        emit_run(b, p, q, q == end);
        p = q;
    }
}

static void feed_simple(struct onward_dkim__canon_body *b,
                        const unsigned char *p, const unsigned char *end)
{
    if (b->has_cr)
        p = settle_cr(b, p);
    emit_run(b, p, end, true);
}

void onward_dkim__canon_body_feed(struct onward_dkim__canon_body *b,
                                  const void *data, size_t len)
{
    const unsigned char *p = data;

    if (len == 0)
        return;
    if (b->canon == ONWARD_DKIM__RELAXED)
        feed_relaxed(b, p, p + len);
    else
        feed_simple(b, p, p + len);
}

void onward_dkim__canon_body_finish(struct onward_dkim__canon_body *b)
{
    if (b->has_cr)
        emit_held(b);
    b->has_wsp = false;
    b->line_ends = 0;
    /* Without a line end a last line gets one; an empty body is one empty line
     * in the simple form (RFC 6376 section 3.4.3) and nothing in the relaxed
     * one (section 3.4.4). */
    if (b->octets > 0 || b->canon == ONWARD_DKIM__SIMPLE)
        emit(b, "\r\n", 2);
}
