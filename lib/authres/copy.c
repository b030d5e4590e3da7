/*
 * A result of a field that was read, written again with its comments and in its
 * own letter case: word by word, so that no fold of another can break a line.
 */
#include "authres/builder_priv.h"

enum { WORD_MAX = 900 }; /* octets of a word that a line holds for sure */

struct words {
    struct onward_str text;
    size_t at;
    struct onward_str blank; /* what stands before the word */
    struct onward_str word;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A word ends at white space that is in no quoted string. */
static bool next_word(struct words *w)
{
    bool is_quoted = false;
    size_t depth = 0, start = w->at;

    while (w->at < w->text.len && is_blank(w->text.data[w->at]))
        w->at++;
    w->blank = onward_core__sub(w->text, start, w->at);
    start = w->at;
    for (; w->at < w->text.len; w->at++) {
        char c = w->text.data[w->at];

        if (is_blank(c) && !is_quoted)
            break;
        if (c == '\\')
            w->at++;
        else if (c == '"' && depth == 0)
            is_quoted = !is_quoted;
        else if (c == '(' && !is_quoted)
            depth++;
        else if (c == ')' && !is_quoted && depth > 0)
            depth--;
    }
    w->word = onward_core__sub(w->text, start, w->at);
    return w->word.len != 0;
}

/* The white space without its CRLFs. */
static void add_unfolded(struct onward_buf *out, struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] != '\r' && s.data[i] != '\n')
            onward_core__buf_add_byte(out, (unsigned char)s.data[i]);
    }
}

/* As the other had it, but never a line of nothing but white space. */
static int put_kept(struct onward_authres_builder *b, const struct words *w)
{
    size_t fold = onward_core__str_rfind(w->blank, '\n');

    if (fold < w->blank.len) {
        onward_core__buf_add_text(&b->text, "\r\n");
        b->column = 0;
        fold++;
    } else {
        fold = 0;
    }
    onward_core__buf_add_str(&b->text,
                             onward_core__sub(w->blank, fold, w->blank.len));
    onward_core__buf_add_str(&b->text, onward_core__buf_str(&b->piece));
    b->column += w->blank.len - fold + b->piece.len;
    return b->text.err;
}

/* Can it be written in lines that can be sent? */
static bool is_writable(struct onward_str text, bool keep_folds)
{
    struct words w = {.text = text};
    size_t column = 0;

    if (text.len == 0 || !onward_core__is_utf8(text))
        return false;
    while (next_word(&w)) {
        if (onward_core__str_find(w.blank, '\n') < w.blank.len)
            column = 0;
        column += w.blank.len + w.word.len;
        if (w.word.len > WORD_MAX || (keep_folds && column > WORD_MAX))
            return false;
    }
    return true;
}

int onward_authres_builder_copy(struct onward_authres_builder *builder,
                                const struct onward_authres *authres, size_t i,
                                int keep_folds)
{
    struct words w = {.text = onward_authres_result_text(authres, i)};
    bool is_first = true;
    int ret = 0;

    if (i >= onward_authres_count(authres))
        return ONWARD_ENOENT;
    if (!is_writable(w.text, keep_folds != 0))
        return ONWARD_EINVAL;
    if (builder->has_result)
        onward_core__buf_add_byte(&builder->text, ';');
    while (ret == 0 && next_word(&w)) {
        onward_core__buf_reset(&builder->piece);
        add_unfolded(&builder->piece, w.word);
        if (is_first || keep_folds == 0)
            ret = onward_authres__put_piece(builder, is_first);
        else
            ret = put_kept(builder, &w);
        is_first = false;
    }
    builder->has_result = true;
    return ret;
}
