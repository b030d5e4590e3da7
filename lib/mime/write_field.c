/*
 * Header fields as they are written: folds, encoded words (RFC 2047), display
 * names.
 */
#include "mime/write_priv.h"

#include "mime/text_priv.h"

enum {
    LINE = 78,                    /* RFC 5322 section 2.1.1 */
    LINE_MOST = 998,              /* the same */
    WORD_LINE = 76,               /* with an encoded word: RFC 2047 section 2 */
    WORD_MAX = 75,                /* an encoded word */
    WORD_FRAME = 12,              /* =?UTF-8?Q? and ?= */
    WORD_LEAST = WORD_FRAME + 12, /* of a first word, else fold before it */
    BREAK_LEN = 900, /* a run without blanks that is better encoded */
    PIECE_MAX = 960, /* that goes unbroken where encoding is no way out */
    BLANKS_MAX = 30  /* between two words, in front of a fold */
};

bool onward_mime__is_writable(struct onward_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return onward_core__is_utf8(text);
}

static void put(struct onward_mime__writer *w, struct onward_str s)
{
    onward_core__buf_add_str(w->out, s);
    w->column += s.len;
}

static void fold(struct onward_mime__writer *w)
{
    onward_core__buf_add_text(w->out, "\r\n");
    w->column = 0;
    w->has_word = false;
}

void onward_mime__write_name(struct onward_mime__writer *w,
                             struct onward_str name)
{
    w->column = 0;
    w->has_word = false;
    w->is_first = true;
    put(w, name);
    put(w, ONWARD_STR(":"));
}

void onward_mime__write_end(struct onward_mime__writer *w)
{
    fold(w);
}

void onward_mime__write_tail(struct onward_mime__writer *w, const char *text)
{
    put(w, onward_str_of(text));
}

/* blanks stand before the piece, behind the fold if there is one. */
static void put_blank_piece(struct onward_mime__writer *w,
                            struct onward_str blanks, struct onward_str piece)
{
    size_t line = w->has_word ? WORD_LINE : LINE;
    size_t len = blanks.len + piece.len;
    /* No line of a name alone, which some take for an empty field, where the
     * next one would be too long as well. */
    bool stays = w->is_first && len > line && w->column + len <= LINE_MOST;

    w->is_first = false;
    if (w->column > 1 && w->column + len > line && !stays)
        fold(w);
    put(w, blanks);
    put(w, piece);
}

void onward_mime__write_piece(struct onward_mime__writer *w,
                              struct onward_str piece)
{
    put_blank_piece(w, ONWARD_STR(" "), piece);
}

/* ---- Encoded words ----------------------------------------------------- */

/* As itself in a Q-encoded word, wherever one may stand (RFC 2047 5 (3)). */
static bool is_q_plain(unsigned char c)
{
    return onward_ascii_is_alnum(c) || c == '!' || c == '*' || c == '+' ||
           c == '-' || c == '/';
}

static size_t q_cost(struct onward_str s)
{
    size_t cost = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        cost += c == ' ' || is_q_plain(c) ? 1 : 3;
    }
    return cost;
}

static size_t char_len(struct onward_str s, size_t at)
{
    size_t n = 1;

    while (at + n < s.len && ((unsigned char)s.data[at + n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* The octets from `at` that fit into one word, whole characters. */
static size_t word_octets(struct onward_str s, size_t at, size_t room, bool q)
{
    size_t end = at, cost = 0;

    while (end < s.len) {
        size_t n = char_len(s, end);
        size_t next;

        if (q)
            next = cost + q_cost(onward_core__sub(s, end, end + n));
        else
            next = onward_core__base64_encoded_len(end + n - at);
        if (next + WORD_FRAME > room && end > at)
            break;
        cost = next;
        end += n;
    }
    return end - at;
}

static void put_word(struct onward_mime__writer *w, struct onward_str s, bool q)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t before = w->out->len;

    onward_core__buf_add_text(w->out, q ? "=?UTF-8?Q?" : "=?UTF-8?B?");
    if (!q)
        onward_core__base64_encode(w->out, s.data, s.len);
    for (size_t i = 0; q && i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        char escape[3] = {'=', hex[c >> 4], hex[c & 15]};

        if (c == ' ')
            onward_core__buf_add_byte(w->out, '_');
        else if (is_q_plain(c))
            onward_core__buf_add_byte(w->out, c);
        else
            onward_core__buf_add(w->out, escape, 3);
    }
    onward_core__buf_add_text(w->out, "?=");
    w->column += w->out->len - before;
    w->has_word = true;
    w->is_first = false;
}

/* blanks, and s as encoded words, one a line but for the first. */
static void put_words(struct onward_mime__writer *w, struct onward_str blanks,
                      struct onward_str s)
{
    /* Q while most of it can be read with the naked eye. */
    bool q = 3 * q_cost(s) <= 7 * s.len;

    for (size_t at = 0; at < s.len;) {
        size_t room, n;

        if (at > 0 || w->column + blanks.len + WORD_LEAST > WORD_LINE)
            fold(w);
        put(w, at > 0 ? ONWARD_STR(" ") : blanks);
        room = w->column < WORD_LINE ? WORD_LINE - w->column : 0;
        n = word_octets(s, at, room < WORD_MAX ? room : WORD_MAX, q);
        put_word(w, onward_core__sub(s, at, at + n), q);
        at += n;
    }
}

/* ---- Text -------------------------------------------------------------- */

static bool must_encode(const struct onward_mime__writer *w,
                        struct onward_str word)
{
    if (!w->allow_utf8 && !onward_core__is_ascii(word))
        return true;
    if (word.len > BREAK_LEN)
        return true;
    for (size_t i = 0; i + 1 < word.len; i++) {
        if (word.data[i] == '=' && word.data[i + 1] == '?')
            return true;
    }
    return false;
}

static size_t skip(struct onward_str s, size_t at, bool blanks)
{
    while (at < s.len &&
           onward_ascii_is_wsp((unsigned char)s.data[at]) == blanks)
        at++;
    return at;
}

/* From the first word that must be encoded to the last; none: from == to. */
static void find_span(const struct onward_mime__writer *w,
                      struct onward_str text, size_t *from, size_t *to)
{
    size_t at = 0, before = 0; /* before: the word in front of the blanks */

    *from = text.len;
    *to = 0;
    while (at < text.len) {
        size_t word = skip(text, at, true);
        size_t end = skip(text, word, false);
        size_t start = word;
        bool is_needy = must_encode(w, onward_core__sub(text, word, end));

        /* Blanks at the ends vanish unless they are inside of a word, and more
         * blanks than a line holds are no better. */
        if (word > at && (at == 0 || end == word || word - at > BLANKS_MAX)) {
            is_needy = true;
            start = before;
        }
        if (is_needy) {
            *from = start < *from ? start : *from;
            *to = end;
        }
        before = word;
        at = end;
    }
    if (*from >= *to)
        *from = *to = text.len;
}

static void put_plain(struct onward_mime__writer *w, struct onward_str blanks,
                      struct onward_str text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t start = skip(text, at, true);
        size_t end = skip(text, start, false);

        if (start > at)
            blanks = onward_core__sub(text, at, start);
        if (end > start)
            put_blank_piece(w, blanks, onward_core__sub(text, start, end));
        at = end;
    }
}

void onward_mime__write_text(struct onward_mime__writer *w,
                             struct onward_str text)
{
    struct onward_str blanks = ONWARD_STR(" ");
    size_t from, to, gap;

    find_span(w, text, &from, &to);
    gap = from;
    while (gap > 0 && onward_ascii_is_wsp((unsigned char)text.data[gap - 1]))
        gap--;
    put_plain(w, blanks, onward_core__sub(text, 0, gap));
    if (from == to)
        return;
    if (gap > 0)
        blanks = onward_core__sub(text, gap, from);
    put_words(w, blanks, onward_core__sub(text, from, to));
    put_plain(w, blanks, onward_core__sub(text, to, text.len));
}

/* ---- Fields with a form of their own ----------------------------------- */

/* May this word, which is not ASCII, become an encoded word in a phrase? */
static bool is_phrase_word(struct onward_str word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (strchr("<>@,;:\\\"()[]", word.data[i]) != NULL)
            return false;
    }
    return true;
}

bool onward_mime__is_structured_text(struct onward_str text, bool allow_utf8)
{
    for (size_t at = 0; at < text.len;) {
        size_t start = skip(text, at, true);
        size_t end = skip(text, start, false);
        struct onward_str word = onward_core__sub(text, start, end);

        if (word.len > PIECE_MAX || start - at > BLANKS_MAX ||
            (!allow_utf8 && !onward_core__is_ascii(word) &&
             !is_phrase_word(word)))
            return false;
        at = end;
    }
    return true;
}

void onward_mime__write_structured(struct onward_mime__writer *w,
                                   struct onward_str text)
{
    size_t words_from = 0, words_to = 0; /* a run of words to be encoded */
    struct onward_str blank = ONWARD_STR(" ");

    text = onward_core__str_trim(text);
    for (size_t at = 0; at < text.len;) {
        size_t start = skip(text, at, true);
        size_t end = skip(text, start, false);
        struct onward_str word = onward_core__sub(text, start, end);

        if (!w->allow_utf8 && !onward_core__is_ascii(word)) {
            words_from = words_to == 0 ? start : words_from;
            words_to = end;
        } else {
            if (words_to > 0)
                put_words(w, blank,
                          onward_core__sub(text, words_from, words_to));
            words_to = 0;
            put_blank_piece(
                w, at == 0 ? blank : onward_core__sub(text, at, start), word);
        }
        at = end;
    }
    if (words_to > 0)
        put_words(w, blank, onward_core__sub(text, words_from, words_to));
}

/* ---- Display names ----------------------------------------------------- */

static bool is_atext(unsigned char c)
{
    return onward_ascii_is_alnum(c) || c >= 0x80 ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Atoms parted by single blanks. */
static bool is_atoms(struct onward_str s)
{
    bool was_blank = true;

    for (size_t i = 0; i < s.len; i++) {
        bool is_blank = s.data[i] == ' ';

        if (is_blank ? was_blank : !is_atext((unsigned char)s.data[i]))
            return false;
        was_blank = is_blank;
    }
    return s.len > 0 && !was_blank;
}

void onward_mime__write_phrase(struct onward_mime__writer *w,
                               struct onward_str text)
{
    struct onward_str blank = ONWARD_STR(" ");
    size_t from, to, len = text.len + 2;

    find_span(w, text, &from, &to);
    if (from < to && (must_encode(w, text) || text.len > LINE)) {
        put_words(w, blank, text);
        return;
    }
    if (is_atoms(text)) {
        put_plain(w, blank, text);
        return;
    }
    for (size_t i = 0; i < text.len; i++)
        len += text.data[i] == '"' || text.data[i] == '\\';
    if (len > LINE - 2) {
        put_words(w, blank, text);
        return;
    }
    if (w->column > 1 && w->column + 1 + len > LINE)
        fold(w);
    put(w, ONWARD_STR(" \""));
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            put(w, ONWARD_STR("\\"));
        put(w, onward_core__sub(text, i, i + 1));
    }
    put(w, ONWARD_STR("\""));
}

/* ---- Parameters -------------------------------------------------------- */

static bool is_token_char(unsigned char c)
{
    return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* RFC 2231 section 7. */
static bool is_attribute_char(unsigned char c)
{
    return is_token_char(c) && c != '*' && c != '\'' && c != '%';
}

bool onward_mime__is_token(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_token_char((unsigned char)s.data[i]))
            return false;
    }
    return s.len > 0;
}

/* Sections of whole characters, each on a line of its own. */
static void put_extended(struct onward_mime__writer *w, const char *name,
                         struct onward_str value, bool in_sections)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t at = 0;
    uint64_t section = 0;

    do {
        struct onward_buf *out = w->out;
        size_t start = at;

        onward_core__buf_add_text(out, ";\r\n ");
        w->column = 1;
        put(w, onward_str_of(name));
        if (in_sections) {
            size_t before = out->len;

            onward_core__buf_add_byte(out, '*');
            onward_core__buf_add_u64(out, section);
            w->column += out->len - before;
        }
        put(w, section == 0 ? ONWARD_STR("*=UTF-8''") : ONWARD_STR("*="));
        while (at < value.len) {
            size_t n = char_len(value, at);

            /* A section has one character at least, whatever its name. */
            if (in_sections && at > start && w->column + 3 * n > LINE - 2)
                break;
            for (; n > 0; n--, at++) {
                unsigned char c = (unsigned char)value.data[at];
                char escape[3] = {'%', hex[c >> 4], hex[c & 15]};

                if (is_attribute_char(c))
                    put(w, onward_core__sub(value, at, at + 1));
                else
                    put(w, onward_core__str(escape, 3));
            }
        }
        section++;
    } while (at < value.len);
}

static size_t extended_len(const char *name, struct onward_str value)
{
    size_t len = strlen(name) + sizeof("*=UTF-8''");

    for (size_t i = 0; i < value.len; i++)
        len += is_attribute_char((unsigned char)value.data[i]) ? 1 : 3;
    return len;
}

/* "; name="value"" with quotes, of len octets. */
static void put_quoted(struct onward_mime__writer *w, const char *name,
                       struct onward_str value, size_t len)
{
    put(w, ONWARD_STR(";"));
    if (w->column + 1 + len > LINE)
        fold(w);
    put(w, ONWARD_STR(" "));
    put(w, onward_str_of(name));
    put(w, ONWARD_STR("=\""));
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '"' || value.data[i] == '\\')
            put(w, ONWARD_STR("\\"));
        put(w, onward_core__sub(value, i, i + 1));
    }
    put(w, ONWARD_STR("\""));
}

/* A token that nobody takes for a form of RFC 2231: `'` and `*` are quoted. */
static bool is_plain_token(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_attribute_char((unsigned char)s.data[i]))
            return false;
    }
    return s.len > 0;
}

/* Visible ASCII that nobody takes for an encoded word. */
static bool is_plain_value(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c < ' ' || c >= 0x7f ||
            (c == '=' && i + 1 < s.len && s.data[i + 1] == '?'))
            return false;
    }
    return true;
}

void onward_mime__write_param(struct onward_mime__writer *w, const char *name,
                              struct onward_str value)
{
    size_t len = strlen(name) + 3 + value.len;

    for (size_t i = 0; i < value.len; i++)
        len += value.data[i] == '"' || value.data[i] == '\\';
    if (len < LINE - 2 && is_plain_value(value)) {
        if (!is_plain_token(value)) {
            put_quoted(w, name, value, len);
            return;
        }
        put(w, ONWARD_STR(";"));
        if (w->column + len > LINE)
            fold(w);
        put(w, ONWARD_STR(" "));
        put(w, onward_str_of(name));
        put(w, ONWARD_STR("="));
        put(w, value);
        return;
    }
    put_extended(w, name, value, extended_len(name, value) > LINE - 2);
}

void onward_mime__write_param_words(struct onward_mime__writer *w,
                                    const char *name, struct onward_str value)
{
    put(w, ONWARD_STR(";"));
    fold(w);
    put(w, ONWARD_STR(" "));
    put(w, onward_str_of(name));
    put(w, ONWARD_STR("=\""));
    put_words(w, ONWARD_STR(""), value);
    put(w, ONWARD_STR("\""));
}

/* ---- A whole field ----------------------------------------------------- */

int onward_mime__write_field(struct onward_buf *out, struct onward_str name,
                             struct onward_str text, bool is_structured)
{
    struct onward_mime__writer w = {.out = out};

    if (is_structured && !onward_mime__is_structured_text(text, false))
        return ONWARD_ESYNTAX;
    onward_mime__write_name(&w, name);
    if (is_structured)
        onward_mime__write_structured(&w, text);
    else
        onward_mime__write_text(&w, text);
    onward_mime__write_end(&w);
    return out->err;
}
