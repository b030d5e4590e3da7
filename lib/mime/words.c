/*
 * Encoded words (RFC 2047): one pass over a header value. Octets of neighbours
 * in one charset are joined before they are converted; a charset that nobody
 * knows leaves the words as they stand.
 */
#include "mime/text_priv.h"

#include "core/text_shared.h"
#include "mime/decode_priv.h"

struct word {
    struct onward_str charset; /* without the language */
    struct onward_str text;
    bool is_base64;
    size_t end; /* behind "?=" */
};

struct reader {
    struct onward_buf *out;
    struct onward_str s;
    int place;
    const struct onward_mime__text_opts *opts;
    uint64_t *notes;
    /* Words that wait to be converted: their octets, and where they stand. */
    struct onward_buf octets;
    struct onward_str charset;
    size_t words_start, words_end;
    bool has_words;
    bool wants_space; /* NAME: before whatever comes next */
};

/* ---- Finding words ----------------------------------------------------- */

/* Does c end a run of text in a structured place? */
static bool is_delimiter(int place, unsigned char c)
{
    switch (place) {
    case ONWARD_WORDS_COMMENT:
        return c == '(' || c == ')';
    case ONWARD_WORDS_PHRASE:
    case ONWARD_WORDS_NAME:
        return memchr("()<>,;:\"", c, 8) != NULL;
    default:
        return false;
    }
}

/* =?charset*language?encoding?text?= at `at`, with nothing glued behind. */
static bool find_word(const struct reader *r, size_t at, struct word *w)
{
    struct onward_str rest = onward_core__sub(r->s, at, r->s.len);
    size_t charset, text;

    if (!onward_core__str_starts(rest, ONWARD_STR("=?")))
        return false;
    rest = onward_core__sub(rest, 2, rest.len);
    charset = onward_core__str_find(rest, '?');
    if (charset == 0 || rest.len - charset < 3 || rest.data[charset + 2] != '?')
        return false;
    w->charset = onward_core__sub(rest, 0, charset);
    for (size_t i = 0; i < charset; i++) {
        if ((unsigned char)rest.data[i] <= ' ')
            return false;
    }
    w->charset.len = onward_core__str_find(w->charset, '*');
    switch (rest.data[charset + 1]) {
    case 'b':
    case 'B':
        w->is_base64 = true;
        break;
    case 'q':
    case 'Q':
        w->is_base64 = false;
        break;
    default:
        return false;
    }
    rest = onward_core__sub(rest, charset + 3, rest.len);
    for (text = 0; text < rest.len && rest.data[text] != '?'; text++) {
        if ((unsigned char)rest.data[text] <= ' ')
            return false;
    }
    if (rest.len - text < 2 || rest.data[text + 1] != '=')
        return false;
    w->text = onward_core__sub(rest, 0, text);
    w->end = (size_t)(rest.data - r->s.data) + text + 2;
    return w->end == r->s.len ||
           onward_mime__is_lwsp((unsigned char)r->s.data[w->end]) ||
           is_delimiter(r->place, (unsigned char)r->s.data[w->end]);
}

/* ---- Putting out ------------------------------------------------------- */

/* Line ends of folds go, all else stays. */
static int add_text(struct reader *r, size_t from, size_t to)
{
    int err = 0;

    if (r->place == ONWARD_WORDS_NAME && r->wants_space && to > from)
        err = onward_core__buf_add_byte(r->out, ' ');
    if (to > from)
        r->wants_space = false;
    while (err == 0 && from < to) {
        size_t end = from;

        while (end < to &&
               !(r->s.data[end] == '\r' && end + 2 < r->s.len &&
                 r->s.data[end + 1] == '\n' &&
                 onward_ascii_is_wsp((unsigned char)r->s.data[end + 2])))
            end++;
        err = onward_mime__add_raw(r->out, onward_core__sub(r->s, from, end),
                                   r->opts, r->notes);
        from = end < to ? end + 2 : end;
    }
    return err;
}

/* White space between two things that are not both words. */
static int add_space(struct reader *r, size_t from, size_t to)
{
    if (to == from)
        return 0;
    if (r->place != ONWARD_WORDS_NAME)
        return add_text(r, from, to);
    r->wants_space = r->out->len > 0;
    return 0;
}

/* Convert the words that wait. */
static int flush(struct reader *r)
{
    int err;

    if (!r->has_words)
        return 0;
    r->has_words = false;
    if (r->wants_space && r->place == ONWARD_WORDS_NAME)
        onward_core__buf_add_byte(r->out, ' ');
    r->wants_space = false;
    err = onward_mime__convert_all(r->out, r->charset,
                                   onward_core__buf_str(&r->octets),
                                   &r->opts->charsets, r->notes);
    onward_core__buf_reset(&r->octets);
    if (err != ONWARD_ENOENT)
        return err;
    *r->notes |= ONWARD_TEXT_UNKNOWN_CHARSET;
    return add_text(r, r->words_start, r->words_end);
}

static int decode_q(struct reader *r, struct onward_str text)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        int high = -1, low = -1;

        if (c == '=' && text.len - i > 2) {
            high = onward_ascii_hex((unsigned char)text.data[i + 1]);
            low = onward_ascii_hex((unsigned char)text.data[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            c = (unsigned char)(high << 4 | low);
            i += 2;
        } else if (c == '=') {
            *r->notes |= ONWARD_TEXT_DAMAGED;
        } else if (c == '_') {
            c = ' ';
        }
        err = onward_core__buf_add_byte(&r->octets, c);
    }
    return err;
}

static int add_word(struct reader *r, size_t at, const struct word *w)
{
    uint32_t damage = 0;
    int err = 0;

    if (r->has_words && !onward_core__str_ieq(r->charset, w->charset))
        err = flush(r);
    if (err != 0)
        return err;
    if (!r->has_words)
        r->words_start = at;
    r->has_words = true;
    r->charset = w->charset;
    r->words_end = w->end;
    if (w->text.len == 0 || w->end - at > 75)
        *r->notes |= ONWARD_TEXT_LOOSE;
    if (!w->is_base64)
        return decode_q(r, w->text);
    err = onward_mime__decode_all(&r->octets, ONWARD_ENCODING_BASE64, w->text,
                                  &damage);
    if (damage != 0)
        *r->notes |= ONWARD_TEXT_DAMAGED;
    return err;
}

/* ---- Text that is no word ---------------------------------------------- */

/* The inside of a quoted string without its backslashes. */
static int add_unquoted(struct reader *r, size_t from, size_t to)
{
    int err = add_text(r, from, from);

    while (err == 0 && from < to) {
        size_t end = from;

        while (end < to && r->s.data[end] != '\\')
            end++;
        err = add_text(r, from, end);
        from = end;
        if (err == 0 && from < to && ++from < to) {
            err = add_text(r, from, from + 1);
            from++;
        }
    }
    return err;
}

/* One run of text at `at`, which is no white space and no word. */
static int add_other(struct reader *r, size_t *at)
{
    unsigned char c = (unsigned char)r->s.data[*at];
    bool is_structured = r->place != ONWARD_WORDS_UNSTRUCTURED;
    size_t start = *at, end = start + 1;
    bool is_open = false;

    if (is_structured && c == '"' && r->place != ONWARD_WORDS_COMMENT) {
        end = onward_mime__quoted_end(r->s, start, &is_open);
        *at = end;
        if (is_open)
            *r->notes |= ONWARD_TEXT_LOOSE;
        if (r->place == ONWARD_WORDS_NAME)
            return add_unquoted(r, start + 1, is_open ? end : end - 1);
        return add_text(r, start, end);
    }
    if (r->place == ONWARD_WORDS_NAME && c == '(') {
        *at = onward_mime__comment_end(r->s, start, &is_open);
        r->wants_space = r->out->len > 0;
        return 0;
    }
    if (!is_delimiter(r->place, c)) {
        end = start;
        while (end < r->s.len &&
               !onward_mime__is_lwsp((unsigned char)r->s.data[end]) &&
               !is_delimiter(r->place, (unsigned char)r->s.data[end]))
            end += is_structured && r->s.data[end] == '\\' ? 2 : 1;
        if (end > r->s.len)
            end = r->s.len;
        if (end == start) /* a bare CR or LF */
            end++;
    }
    *at = end;
    return add_text(r, start, end);
}

/* Behind white space; a CR or LF that is no fold is text. */
static size_t skip_space(struct onward_str s, size_t at)
{
    while (at < s.len) {
        if (onward_ascii_is_wsp((unsigned char)s.data[at]))
            at++;
        else if (s.data[at] == '\r' && s.len - at > 2 &&
                 s.data[at + 1] == '\n' &&
                 onward_ascii_is_wsp((unsigned char)s.data[at + 2]))
            at += 3;
        else
            break;
    }
    return at;
}

static int read_all(struct reader *r)
{
    size_t at = 0;
    bool after_word = false, may_begin = true;
    int err = 0;

    while (err == 0 && at < r->s.len) {
        size_t space = at;
        struct word w;

        at = skip_space(r->s, at);
        may_begin = may_begin || at > space;
        if (at < r->s.len && may_begin && find_word(r, at, &w)) {
            if (!after_word)
                err = add_space(r, space, at);
            if (err == 0)
                err = add_word(r, at, &w);
            at = w.end;
            after_word = true;
        } else {
            err = flush(r);
            if (err == 0)
                err = add_space(r, space, at);
            if (err == 0 && at < r->s.len)
                err = add_other(r, &at);
            after_word = false;
        }
        may_begin =
            at > 0 && is_delimiter(r->place, (unsigned char)r->s.data[at - 1]);
    }
    return err == 0 ? flush(r) : err;
}

int onward_mime__add_words(struct onward_buf *out, struct onward_str value,
                           int place, const struct onward_mime__text_opts *opts,
                           uint64_t *notes)
{
    struct reader r = {.out = out,
                       .s = onward_core__str_trim_crlf(value),
                       .place = place,
                       .opts = opts,
                       .notes = notes};
    int err;

    onward_core__buf_init(&r.octets, out->ctx, SIZE_MAX);
    err = read_all(&r);
    onward_core__buf_clear(&r.octets);
    return err;
}

int onward_words_decode(struct onward_ctx *ctx, struct onward_str value,
                        int place, const struct onward_text_opts *opts,
                        struct onward_text **text)
{
    struct onward_mime__text_opts o;
    struct onward_text *made;
    int err;

    if (place < ONWARD_WORDS_UNSTRUCTURED || place > ONWARD_WORDS_NAME)
        return ONWARD_EINVAL;
    err = onward_mime__text_opts_load(&o, opts);
    if (err == 0)
        err = onward_mime__text_new(ctx, o.max_bytes, &made);
    if (err != 0)
        return err;
    err = onward_mime__add_words(&made->buf, value, place, &o, &made->notes);
    return onward_mime__text_end(made, err, text);
}
