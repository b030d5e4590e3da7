/*
 * Templates of addresses. A compiled one:
 *
 *     0  4  "owtm"
 *     4  1  version: 1
 *     5  1  captures that it puts in
 *     6  2  octets behind the head (little-endian)
 *     8     pieces: what (a value, or one of the two below), and for a text its
 *           length and its octets; AT once
 */
#include "ruleset/template_priv.h"

#include "address/address_shared.h"

enum {
    HEAD = 8,
    VERSION = 1,
    TEXT = 0x40,
    AT = 0x41,
    LOCAL_RAW_MAX = 64, /* quoting makes none shorter */
    DOMAIN_RAW_MAX = 255
};

static const char *const names[] = {"local", "user", "tag", "domain", "sub"};

/* ---- Making ------------------------------------------------------------ */

struct reader {
    struct onward_str text;
    size_t at;
    struct onward_buf *out;
    struct onward_ruleset__template_fault *fault;
    size_t capture_count;
    size_t piece; /* where the open text begins in out; 0: none is open */
    bool is_domain;
};

bool onward_ruleset__is_template(struct onward_str text)
{
    return onward_core__str_find(text, '{') < text.len;
}

static int refuse(struct reader *r, size_t at, const char *what)
{
    r->fault->at = at;
    r->fault->what = what;
    return ONWARD_ESYNTAX;
}

static int add_text(struct reader *r, unsigned char octet)
{
    if (r->piece == 0 || r->out->data[r->piece + 1] == 0xff) {
        r->piece = r->out->len;
        onward_core__buf_add_byte(r->out, TEXT);
        onward_core__buf_add_byte(r->out, 0);
    }
    if (onward_core__buf_add_byte(r->out, octet) == 0)
        r->out->data[r->piece + 1]++;
    return r->out->err;
}

static int add_piece(struct reader *r, unsigned what)
{
    r->piece = 0;
    return onward_core__buf_add_byte(r->out, (unsigned char)what);
}

/* r->at is behind the '{'. */
static int read_value(struct reader *r)
{
    const size_t start = r->at;
    const struct onward_str rest =
        onward_core__sub(r->text, start, r->text.len);
    const size_t len = onward_core__str_find(rest, '}');
    const struct onward_str name = onward_core__sub(rest, 0, len);

    if (len >= rest.len)
        return refuse(r, start - 1, "a { without its }");
    r->at = start + len + 1;
    if (name.len == 1 && onward_ascii_is_digit((unsigned char)name.data[0])) {
        const size_t number = (size_t)(name.data[0] - '0');

        if (number >= r->capture_count)
            r->capture_count = number + 1;
        return add_piece(r, ONWARD_RULESET__CAPTURE + (unsigned)number);
    }
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (onward_core__str_eq(name, onward_str_of(names[i])))
            return add_piece(r, i);
    }
    return refuse(r, start - 1,
                  "expected {local}, {user}, {tag}, {domain}, {sub} or {0} to "
                  "{9}");
}

/* One octet that stands for itself, or what is put in. */
static int read_piece(struct reader *r)
{
    const unsigned char c = (unsigned char)r->text.data[r->at];
    const struct onward_str one = onward_core__sub(r->text, r->at, r->at + 1);
    const bool is_doubled =
        r->at + 1 < r->text.len && (unsigned char)r->text.data[r->at + 1] == c;

    r->at++;
    if (c == '{' && !is_doubled)
        return read_value(r);
    if (c == '{' || c == '}') {
        r->at++;
        return is_doubled ? add_text(r, c)
                          : refuse(r, r->at - 2, "a } without its {");
    }
    if (c == '@' && r->is_domain)
        return refuse(r, r->at - 1, "a second @");
    if (c == '@') {
        r->is_domain = true;
        return add_piece(r, AT);
    }
    /* Quotes come by themselves where they are needed. */
    if (!r->is_domain && c != '.' && !onward_address__is_dot_string(one))
        return refuse(r, r->at - 1, "this cannot stand in a local part");
    return add_text(r, c);
}

static int read_all(struct reader *r)
{
    int err = 0;

    if (r->text.len > ONWARD_RULESET__TEMPLATE_TEXT_MAX) {
        (void)refuse(r, ONWARD_RULESET__TEMPLATE_TEXT_MAX,
                     "the template is too long");
        return ONWARD_ELIMIT;
    }
    while (r->at < r->text.len && err == 0)
        err = read_piece(r);
    if (err == 0 && !r->is_domain)
        err = refuse(r, r->text.len, "no @");
    return err;
}

/* With a letter for each value it has to be an address, else it never will. */
static int try_out(struct reader *r, size_t start)
{
    struct onward_str values[ONWARD_RULESET__VALUE_COUNT], text;
    struct onward_arena arena;
    int err;

    for (size_t i = 0; i < ONWARD_RULESET__VALUE_COUNT; i++)
        values[i] = ONWARD_STR("x");
    onward_core__arena_init(&arena, r->out->ctx, 16384);
    err = onward_ruleset__template_expand(
        onward_core__str(r->out->data + start, r->out->len - start), values,
        &arena, &text);
    onward_core__arena_clear(&arena);
    if (err == ONWARD_ESYNTAX)
        return refuse(r, 0, "not an address, whatever is put in");
    if (err == ONWARD_ELIMIT)
        (void)refuse(r, 0, "too long for an address");
    return err;
}

int onward_ruleset__template_compile(
    struct onward_buf *out, struct onward_str text,
    struct onward_ruleset__template_fault *fault)
{
    static const unsigned char head[HEAD] = {'o', 'w', 't', 'm', VERSION};
    const size_t start = out->len;
    struct reader r = {.text = text, .out = out, .fault = fault};
    int err = onward_core__buf_add(out, head, sizeof(head));

    *fault = (struct onward_ruleset__template_fault){.what = "no room"};
    if (err == 0)
        err = read_all(&r);
    if (err == 0) {
        const size_t len = out->len - start - HEAD;

        out->data[start + 5] = (unsigned char)r.capture_count;
        out->data[start + 6] = (unsigned char)(len & 0xff);
        out->data[start + 7] = (unsigned char)(len >> 8 & 0xff);
        err = try_out(&r, start);
    }
    if (err != 0 && out->len > start)
        out->len = start;
    return err;
}

/* ---- Reading ----------------------------------------------------------- */

struct piece {
    unsigned what;
    struct onward_str text;
};

static bool open_pieces(struct onward_str bytes, struct onward_str *pieces)
{
    const unsigned char *at = (const unsigned char *)bytes.data;

    if (bytes.len < HEAD || memcmp(at, "owtm", 4) != 0 || at[4] != VERSION ||
        at[5] > 10 || bytes.len != HEAD + ((size_t)at[6] | (size_t)at[7] << 8))
        return false;
    *pieces = onward_core__sub(bytes, HEAD, bytes.len);
    return true;
}

static bool next_piece(struct onward_str *rest, struct piece *piece)
{
    size_t len;

    piece->what = (unsigned char)rest->data[0];
    *rest = onward_core__sub(*rest, 1, rest->len);
    if (piece->what != TEXT)
        return piece->what == AT || piece->what < ONWARD_RULESET__VALUE_COUNT;
    if (rest->len == 0)
        return false;
    len = (unsigned char)rest->data[0];
    if (len == 0 || len > rest->len - 1)
        return false;
    piece->text = onward_core__sub(*rest, 1, 1 + len);
    *rest = onward_core__sub(*rest, 1 + len, rest->len);
    return true;
}

int onward_ruleset__template_check(struct onward_str bytes)
{
    struct onward_str rest;
    struct piece piece;
    size_t ats = 0, captures = 0;

    if (!open_pieces(bytes, &rest))
        return ONWARD_ELIMIT;
    while (rest.len > 0) {
        if (!next_piece(&rest, &piece))
            return ONWARD_ELIMIT;
        ats += piece.what == AT;
        if (piece.what >= ONWARD_RULESET__CAPTURE &&
            piece.what < ONWARD_RULESET__VALUE_COUNT &&
            piece.what - ONWARD_RULESET__CAPTURE + 1 > captures)
            captures = piece.what - ONWARD_RULESET__CAPTURE + 1;
    }
    return ats == 1 && captures == (unsigned char)bytes.data[5] ? 0
                                                                : ONWARD_ELIMIT;
}

size_t onward_ruleset__template_captures(struct onward_str bytes)
{
    struct onward_str rest;

    return open_pieces(bytes, &rest) ? (unsigned char)bytes.data[5] : 0;
}

/* ---- Putting in -------------------------------------------------------- */

/* An address while it is put together, both halves as they are meant. */
struct halves {
    char local[LOCAL_RAW_MAX], domain[DOMAIN_RAW_MAX];
    size_t local_len, domain_len;
    bool is_domain, has_value; /* has_value: in the domain */
};

static int put(struct halves *h, struct onward_str s)
{
    char *out =
        h->is_domain ? h->domain + h->domain_len : h->local + h->local_len;
    const size_t room = h->is_domain ? sizeof(h->domain) - h->domain_len
                                     : sizeof(h->local) - h->local_len;

    if (s.len > room)
        return ONWARD_ELIMIT;
    if (s.len > 0)
        memcpy(out, s.data, s.len);
    if (h->is_domain)
        h->domain_len += s.len;
    else
        h->local_len += s.len;
    return 0;
}

static int put_together(struct onward_str rest, const struct onward_str *values,
                        struct halves *h)
{
    int err = 0;

    while (rest.len > 0 && err == 0) {
        struct piece piece;

        if (!next_piece(&rest, &piece) || (piece.what == AT && h->is_domain))
            return ONWARD_ELIMIT;
        if (piece.what == AT) {
            h->is_domain = true;
        } else if (piece.what == TEXT) {
            err = put(h, piece.text);
        } else {
            h->has_value |= h->is_domain;
            err = put(h, values[piece.what]);
        }
    }
    if (err == 0 && !h->is_domain)
        return ONWARD_ELIMIT;
    return err;
}

static bool has_control(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.data[i];

        if (c < 0x20 || c == 0x7f)
            return true;
    }
    return false;
}

/* A domain into which something was put is a name, and no literal. */
static bool is_name(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) && c != '-' && c != '.' && c < 0x80)
            return false;
    }
    return s.len > 0;
}

static int write_text(const struct halves *h, struct onward_arena *arena,
                      struct onward_str *text)
{
    struct onward_buf out;
    int err;

    onward_core__buf_init(&out, arena->ctx, ONWARD_ADDRESS_PATH_MAX + 256);
    onward_address__write_local_part(&out,
                                     onward_core__str(h->local, h->local_len));
    onward_core__buf_add_byte(&out, '@');
    err = onward_core__buf_add(&out, h->domain, h->domain_len);
    if (err == 0)
        err = onward_core__arena_dup(arena, onward_core__buf_str(&out), text);
    onward_core__buf_clear(&out);
    return err;
}

int onward_ruleset__template_expand(
    struct onward_str bytes,
    const struct onward_str values[ONWARD_RULESET__VALUE_COUNT],
    struct onward_arena *arena, struct onward_str *text)
{
    struct onward_address__mailbox mailbox;
    struct halves h = {.local_len = 0};
    struct onward_str rest, made, local, domain;
    int err = open_pieces(bytes, &rest) ? put_together(rest, values, &h)
                                        : ONWARD_ELIMIT;

    if (err != 0)
        return err;
    local = onward_core__str(h.local, h.local_len);
    domain = onward_core__str(h.domain, h.domain_len);
    if (local.len == 0 || has_control(local) || has_control(domain) ||
        (h.has_value && !is_name(domain)))
        return ONWARD_ESYNTAX;
    err = write_text(&h, arena, &made);
    if (err == 0)
        err = onward_address__parse_mailbox(
            arena, made, ONWARD_ADDRESS_ALLOW_UTF8, &mailbox, NULL);
    if (err != 0)
        return err;
    /* Nothing has moved from one half to the other. */
    if (!onward_core__str_eq(mailbox.local_part, local) ||
        !onward_core__str_eq(mailbox.domain, domain))
        return ONWARD_ESYNTAX;
    *text = made;
    return 0;
}
