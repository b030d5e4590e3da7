/*
 * Received-SPF (RFC 7208 section 9.1, erratum 5436): written so that no value
 * of a peer can end its place, read as hostile.
 */
#include "address/address_shared.h"
#include "spf/check_priv.h"

enum {
    VALUE_MAX = 320, /* doubled by backslashes it still fits a line of 998 */
    LINE_COLUMNS = 78,
    ARENA_BYTES = 256 * 1024,
    PAIRS_MAX = 32
};

/* ---- Writing ----------------------------------------------------------- */

/* Append s with a backslash before each of specials; what a field cannot hold
 * as ASCII becomes "?". */
static void add_clean(struct onward_buf *out, struct onward_str s,
                      const char *specials)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (i == VALUE_MAX) {
            onward_core__buf_add_text(out, "...");
            return;
        }
        if (c < 0x20 || c > 0x7e)
            c = '?';
        if (strchr(specials, c) != NULL)
            onward_core__buf_add_byte(out, '\\');
        onward_core__buf_add_byte(out, c);
    }
}

/* dot-atom / quoted-string */
static void add_value(struct onward_buf *out, struct onward_str value)
{
    if (value.len != 0 && value.len <= VALUE_MAX &&
        onward_core__is_ascii(value) && onward_address__is_dot_string(value)) {
        onward_core__buf_add_str(out, value);
        return;
    }
    onward_core__buf_add_byte(out, '"');
    add_clean(out, value, "\"\\");
    onward_core__buf_add_byte(out, '"');
}

struct writer {
    struct onward_buf out;
    size_t line; /* where the last line begins */
    bool has_pair;
};

/* On a line of its own when this one gets too long. */
static void put_pair(struct writer *w, const char *key, struct onward_str value)
{
    struct onward_buf piece;

    onward_core__buf_init(&piece, w->out.ctx, w->out.max);
    onward_core__buf_add_text(&piece, key);
    onward_core__buf_add_byte(&piece, '=');
    add_value(&piece, value);
    if (w->has_pair)
        onward_core__buf_add_byte(&w->out, ';');
    if (!w->has_pair || w->out.len - w->line + piece.len + 2 > LINE_COLUMNS) {
        onward_core__buf_add_text(&w->out, "\r\n");
        w->line = w->out.len;
    }
    onward_core__buf_add_byte(&w->out, ' ');
    onward_core__buf_add_str(&w->out, onward_core__buf_str(&piece));
    if (piece.err != 0 && w->out.err == 0)
        w->out.err = piece.err;
    w->has_pair = true;
    onward_core__buf_clear(&piece);
}

static void add_comment(struct writer *w, const struct onward_spf_check *c)
{
    struct onward_str receiver = c->values.receiver;

    onward_core__buf_add_text(&w->out, "\r\n (");
    w->line = w->out.len - 2;
    if (receiver.len != 0) {
        add_clean(&w->out, receiver, "()\\");
        onward_core__buf_add_text(&w->out, ": ");
    }
    onward_core__buf_add_text(&w->out, onward_spf_reason_text((int)c->reason));
    onward_core__buf_add_byte(&w->out, ')');
}

static void add_field(struct writer *w, const struct onward_spf_check *c)
{
    char text[ONWARD_IP_TEXT_MAX];
    int len = onward_ip_format(&c->ip, text, sizeof(text));

    onward_core__buf_add_text(&w->out, "Received-SPF: ");
    onward_core__buf_add_text(&w->out, onward_spf_result_name((int)c->result));
    add_comment(w, c);
    put_pair(w, "identity",
             c->is_helo ? ONWARD_STR("helo") : ONWARD_STR("mailfrom"));
    if (len > 0)
        put_pair(w, "client-ip", onward_core__str(text, (size_t)len));
    put_pair(w, "helo", c->values.helo);
    if (!c->is_helo)
        put_pair(w, "envelope-from", c->reverse_path);
    if (c->values.receiver.len != 0)
        put_pair(w, "receiver", c->values.receiver);
    if (c->reason == ONWARD_SPF_REASON_MATCH)
        put_pair(w, "mechanism", onward_spf_check_mechanism(c));
    else if (c->reason == ONWARD_SPF_REASON_DEFAULT)
        put_pair(w, "mechanism", ONWARD_STR("default"));
    else if (c->result == ONWARD_SPF_TEMPERROR ||
             c->result == ONWARD_SPF_PERMERROR)
        put_pair(w, "problem",
                 onward_str_of(onward_spf_reason_text((int)c->reason)));
    onward_core__buf_add_text(&w->out, "\r\n");
}

int onward_spf_check_received(const struct onward_spf_check *check, char *text,
                              size_t cap)
{
    struct writer w = {0};
    int ret;

    if (check->phase != PHASE_DONE)
        return ONWARD_ESTATE;
    onward_core__buf_init(&w.out, check->ctx, ONWARD_SPF_RECEIVED_MAX);
    add_field(&w, check);
    ret = w.out.err;
    if (ret == 0 && w.out.len > cap)
        ret = ONWARD_ELIMIT;
    if (ret == 0) {
        memcpy(text, w.out.data, w.out.len);
        ret = (int)w.out.len;
    }
    onward_core__buf_clear(&w.out);
    return ret;
}

/* ---- Reading ----------------------------------------------------------- */

struct pair {
    struct pair *next;
    struct onward_str key, value;
};

struct onward_spf_received {
    struct onward_ctx *ctx;
    struct onward_arena arena;
    int result;
    struct pair *pairs; /* the first of a key counts */
};

struct reader {
    struct onward_spf_received *field;
    struct onward_address__fault fault;
    struct onward_str text;
    size_t at;
};

static int skip(struct reader *r)
{
    return onward_address__read_cfws(r->text, &r->at, &r->fault);
}

static bool is_at_end(const struct reader *r)
{
    return r->at == r->text.len;
}

/* The octets up to a blank, "=", ";" or a comment. Some write an address or a
 * mechanism without the quotes that its colon or "@" asks for. */
static struct onward_str read_word(struct reader *r)
{
    size_t from = r->at;

    while (r->at < r->text.len) {
        unsigned char c = (unsigned char)r->text.data[r->at];

        if (c <= 0x20 || c == 0x7f || strchr("=;()\"", c) != NULL)
            break;
        r->at++;
    }
    return onward_core__sub(r->text, from, r->at);
}

/* What stands between the quotes, without backslashes and folds. */
static int read_quoted(struct reader *r, struct onward_str *value)
{
    size_t from = r->at + 1;
    char *out;
    size_t len = 0;

    if (onward_address__read_quoted_string(r->text, &r->at, &r->fault) != 0)
        return ONWARD_ESYNTAX;
    if (r->at - 1 == from) {
        *value = onward_core__str("", 0);
        return 0;
    }
    out = onward_core__arena_alloc(&r->field->arena, r->at - 1 - from);
    if (out == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = from; i < r->at - 1; i++) {
        char c = r->text.data[i];

        if (c == '\\')
            c = r->text.data[++i]; /* the closing quote is behind a pair */
        else if (c == '\r' || c == '\n')
            continue;
        out[len++] = c;
    }
    *value = onward_core__str(out, len);
    return 0;
}

static int read_pair(struct reader *r, struct pair *pair)
{
    struct onward_str key = read_word(r);
    struct onward_str value;
    int err;

    if (key.len == 0 || skip(r) != 0 || is_at_end(r) ||
        r->text.data[r->at] != '=')
        return ONWARD_ESYNTAX;
    r->at++;
    if (skip(r) != 0 || is_at_end(r))
        return ONWARD_ESYNTAX;
    if (r->text.data[r->at] == '"') {
        err = read_quoted(r, &pair->value);
    } else {
        value = read_word(r);
        err = value.len == 0 ? ONWARD_ESYNTAX
                             : onward_core__arena_dup(&r->field->arena, value,
                                                      &pair->value);
    }
    if (err == 0)
        err = onward_core__arena_dup(&r->field->arena, key, &pair->key);
    return err;
}

/* key-value-list; some leave the semicolons out. */
static int read_pairs(struct reader *r)
{
    struct pair **last = &r->field->pairs;

    for (size_t count = 0;; count++) {
        struct pair *pair;
        int err = skip(r);

        while (err == 0 && !is_at_end(r) && r->text.data[r->at] == ';') {
            r->at++;
            err = skip(r);
        }
        if (err != 0 || is_at_end(r))
            return err;
        if (count == PAIRS_MAX)
            return ONWARD_ESYNTAX;
        pair = onward_core__arena_alloc(&r->field->arena, sizeof(*pair));
        if (pair == NULL)
            return ONWARD_ENOMEM;
        err = read_pair(r, pair);
        if (err != 0)
            return err;
        *last = pair;
        last = &pair->next;
    }
}

static int read_result(struct reader *r)
{
    struct onward_str word;

    if (skip(r) != 0)
        return ONWARD_ESYNTAX;
    word = read_word(r);
    for (int i = ONWARD_SPF_NONE; i <= ONWARD_SPF_PERMERROR; i++) {
        if (onward_core__str_ieq(word,
                                 onward_str_of(onward_spf_result_name(i)))) {
            r->field->result = i;
            return 0;
        }
    }
    return ONWARD_ESYNTAX;
}

int onward_spf_received_parse(struct onward_ctx *ctx, struct onward_str value,
                              struct onward_spf_received **received)
{
    struct reader r = {.text = onward_core__str_trim_crlf(value)};
    int err;

    if (ctx == NULL || received == NULL)
        return ONWARD_EINVAL;
    r.field = onward_core__zalloc(ctx, sizeof(*r.field));
    if (r.field == NULL)
        return ONWARD_ENOMEM;
    r.field->ctx = onward_ctx_ref(ctx);
    onward_core__arena_init(&r.field->arena, ctx, ARENA_BYTES);
    err = r.text.len > ARENA_BYTES / 2 ? ONWARD_ESYNTAX : read_result(&r);
    if (err == 0)
        err = read_pairs(&r);
    if (err != 0) {
        onward_spf_received_free(r.field);
        return err;
    }
    *received = r.field;
    return 0;
}

void onward_spf_received_free(struct onward_spf_received *received)
{
    struct onward_ctx *ctx;

    if (received == NULL)
        return;
    ctx = received->ctx;
    onward_core__arena_clear(&received->arena);
    onward_core__free(ctx, received);
    onward_ctx_free(ctx);
}

int onward_spf_received_result(const struct onward_spf_received *received)
{
    return received->result;
}

struct onward_str
onward_spf_received_value(const struct onward_spf_received *received,
                          struct onward_str key)
{
    for (const struct pair *p = received->pairs; p != NULL; p = p->next) {
        if (onward_core__str_ieq(p->key, key))
            return p->value;
    }
    return onward_core__str("", 0);
}
