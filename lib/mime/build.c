/*
 * The message that a builder was told: its header, and the parts in the
 * multiparts that they need.
 */
#include "core/domain_shared.h"
#include "mime/builder_priv.h"

enum { STEM_TRIES = 8 };

static struct onward_str str(const char *text)
{
    return onward_str_of(text);
}

void onward_builder__unbuild(struct onward_builder *b)
{
    onward_core__buf_clear(&b->text);
    onward_core__free(b->ctx, b->segments);
    b->segments = NULL;
    b->segment_count = b->segment_cap = 0;
    b->needs = 0;
}

/* ---- Segments ---------------------------------------------------------- */

static struct onward_builder__segment *add_segment(struct onward_builder *b)
{
    struct onward_builder__segment *grown, *s;

    if (b->segment_count == b->segment_cap) {
        size_t cap = b->segment_cap == 0 ? 8 : b->segment_cap * 2;

        grown = onward_core__realloc(b->ctx, b->segments, cap * sizeof(*s));
        if (grown == NULL) {
            b->text.err = ONWARD_ENOMEM;
            return NULL;
        }
        b->segments = grown;
        b->segment_cap = cap;
    }
    s = &b->segments[b->segment_count++];
    *s = (struct onward_builder__segment){0};
    return s;
}

/* The text that no segment has yet. */
static void end_text(struct onward_builder *b)
{
    struct onward_builder__segment *s;
    size_t from = 0;

    for (size_t i = 0; i < b->segment_count; i++) {
        if (b->segments[i].part == NULL)
            from = b->segments[i].from + (size_t)b->segments[i].len;
    }
    if (from == b->text.len)
        return;
    s = add_segment(b);
    if (s != NULL) {
        s->from = from;
        s->len = b->text.len - from;
    }
}

/* ---- The header -------------------------------------------------------- */

static struct onward_mime__writer writer(struct onward_builder *b)
{
    return (struct onward_mime__writer){.out = &b->text,
                                        .allow_utf8 = b->opts.allow_utf8 != 0};
}

static void write_address(struct onward_mime__writer *w,
                          const struct onward_builder__address *a,
                          struct onward_buf *piece)
{
    onward_core__buf_reset(piece);
    if (a->name.len > 0) {
        onward_mime__write_phrase(w, a->name);
        onward_core__buf_add_byte(piece, '<');
    }
    onward_core__buf_add_str(piece, a->text);
    if (a->name.len > 0)
        onward_core__buf_add_byte(piece, '>');
    if (a->next != NULL)
        onward_core__buf_add_byte(piece, ',');
    if (piece->err != 0)
        w->out->err = piece->err;
    onward_mime__write_piece(w, onward_core__buf_str(piece));
}

static void write_addresses(struct onward_builder *b, int role,
                            const char *name)
{
    const struct onward_builder__address *a = b->lists[role - 1];
    struct onward_mime__writer w = writer(b);
    struct onward_buf piece;

    if (a == NULL)
        return;
    onward_core__buf_init(&piece, b->ctx, SIZE_MAX);
    onward_mime__write_name(&w, str(name));
    for (; a != NULL; a = a->next)
        write_address(&w, a, &piece);
    onward_mime__write_end(&w);
    onward_core__buf_clear(&piece);
}

static void write_text_field(struct onward_builder *b, struct onward_str name,
                             struct onward_str value)
{
    struct onward_mime__writer w = writer(b);

    onward_mime__write_name(&w, name);
    onward_mime__write_text(&w, value);
    onward_mime__write_end(&w);
}

static void write_structured_field(struct onward_builder *b,
                                   struct onward_str name,
                                   struct onward_str value)
{
    struct onward_mime__writer w = writer(b);

    onward_mime__write_name(&w, name);
    onward_mime__write_structured(&w, value);
    onward_mime__write_end(&w);
}

/* "<id>", made when there is none. */
static int make_message_id(struct onward_builder *b)
{
    unsigned char random[16];
    struct onward_str domain = b->id_domain;
    struct onward_buf id;
    int err = 0;

    if (b->message_id.len > 0)
        return 0;
    if (domain.len == 0) {
        domain = b->lists[ONWARD_BUILDER_FROM - 1]->text;
        domain = onward_core__sub(
            domain, onward_core__str_rfind(domain, '@') + 1, domain.len);
        if (!onward_core__is_ascii(domain))
            err = onward_core__domain_to_ascii(&b->arena, domain, &domain);
    }
    if (err != 0)
        return err;
    err = onward_core__random(b->ctx, random, sizeof(random));
    if (err != 0)
        return err;
    onward_core__buf_init(&id, b->ctx, SIZE_MAX);
    for (size_t i = 0; i < sizeof(random); i++) {
        onward_core__buf_add_byte(
            &id, (unsigned char)"abcdefghijklmnop"[random[i] & 15]);
        onward_core__buf_add_byte(
            &id, (unsigned char)"abcdefghijklmnop"[random[i] >> 4]);
    }
    onward_core__buf_add_byte(&id, '@');
    onward_core__buf_add_str(&id, domain);
    err = id.err;
    if (err == 0)
        err = onward_core__arena_dup(&b->arena, onward_core__buf_str(&id),
                                     &b->message_id);
    onward_core__buf_clear(&id);
    return err;
}

static void write_date(struct onward_builder *b)
{
    int64_t at = b->opts.date_s;

    onward_core__buf_add_text(&b->text, "Date: ");
    onward_core__date_rfc5322(&b->text,
                              at != 0 ? at : onward_core__now_s(b->ctx));
    onward_core__buf_add_text(&b->text, "\r\n");
}

static void write_id(struct onward_builder *b, const char *name,
                     struct onward_str id)
{
    onward_core__buf_add_text(&b->text, name);
    onward_core__buf_add_text(&b->text, ": <");
    onward_core__buf_add_str(&b->text, id);
    onward_core__buf_add_text(&b->text, ">\r\n");
}

static bool is_ascii_envelope(const struct onward_builder *b)
{
    for (size_t i = 0; i < b->rcpt_count; i++) {
        if (!onward_core__is_ascii(b->rcpts[i]))
            return false;
    }
    return true;
}

static void write_header(struct onward_builder *b)
{
    const struct onward_builder__field *f;

    write_date(b);
    write_addresses(b, ONWARD_BUILDER_FROM, "From");
    write_addresses(b, ONWARD_BUILDER_SENDER, "Sender");
    write_addresses(b, ONWARD_BUILDER_REPLY_TO, "Reply-To");
    write_addresses(b, ONWARD_BUILDER_TO, "To");
    write_addresses(b, ONWARD_BUILDER_CC, "Cc");
    write_id(b, "Message-ID", b->message_id);
    if (b->has_reply) {
        write_structured_field(b, str("In-Reply-To"), b->in_reply_to);
        write_structured_field(b, str("References"), b->references);
    }
    if (b->has_subject)
        write_text_field(b, str("Subject"), b->subject);
    for (f = b->fields; f != NULL; f = f->next) {
        if (f->is_structured)
            write_structured_field(b, f->name, f->value);
        else
            write_text_field(b, f->name, f->value);
    }
    if (!onward_core__is_ascii(onward_core__buf_str(&b->text)) ||
        !is_ascii_envelope(b))
        b->needs |= ONWARD_BUILDER_NEEDS_SMTPUTF8;
    onward_core__buf_add_text(&b->text, "MIME-Version: 1.0\r\n");
}

/* ---- Parts ------------------------------------------------------------- */

/* A text of ours: its header, its body. */
static void write_form(struct onward_builder *b, const char *type,
                       struct onward_str text)
{
    struct onward_buf body;
    int encoding;

    onward_core__buf_init(&body, b->ctx, b->text.max);
    encoding = onward_mime__write_body(&body, text, b->opts.allow_8bit != 0);
    if (encoding == ONWARD_ENCODING_8BIT)
        b->needs |= ONWARD_BUILDER_NEEDS_8BITMIME;
    onward_core__buf_add_text(&b->text, "Content-Type: ");
    onward_core__buf_add_text(&b->text, type);
    onward_core__buf_add_text(&b->text, "; charset=utf-8\r\n"
                                        "Content-Transfer-Encoding: ");
    onward_core__buf_add_text(&b->text, onward_encoding_name(encoding));
    onward_core__buf_add_text(&b->text, "\r\n\r\n");
    onward_core__buf_add_str(&b->text, onward_core__buf_str(&body));
    if (body.err != 0)
        b->text.err = body.err;
    onward_core__buf_clear(&body);
}

static void write_type(struct onward_builder *b,
                       const struct onward_params *type,
                       struct onward_str file_name)
{
    struct onward_mime__writer w = writer(b);
    char text[2 * ONWARD_BUILDER__TYPE + 1];
    struct onward_str main = onward_params_token(type, 0);
    struct onward_str sub = onward_params_token(type, 1);

    memcpy(text, main.data, main.len);
    text[main.len] = '/';
    memcpy(text + main.len + 1, sub.data, sub.len);
    onward_mime__write_name(&w, str("Content-Type"));
    onward_mime__write_piece(&w,
                             onward_core__str(text, main.len + 1 + sub.len));
    for (size_t i = 0; i < onward_params_count(type); i++) {
        char name[ONWARD_BUILDER__PARAM_NAME + 1];
        struct onward_str word = onward_params_name(type, i);

        /* The file name is ours to write. */
        if (file_name.len > 0 && onward_core__str_eq(word, ONWARD_STR("name")))
            continue;
        memcpy(name, word.data, word.len);
        name[word.len] = '\0';
        onward_mime__write_param(&w, name, onward_params_text(type, i));
    }
    if (file_name.len > 0 && b->opts.allow_name_fallback != 0) {
        if (onward_core__is_ascii(file_name))
            onward_mime__write_param(&w, "name", file_name);
        else
            onward_mime__write_param_words(&w, "name", file_name);
    }
    onward_mime__write_end(&w);
}

static void write_disposition(struct onward_builder *b,
                              const struct onward_builder__part *p)
{
    struct onward_mime__writer w = writer(b);

    if (p->place == ONWARD_BUILDER_ALTERNATIVE && p->file_name.len == 0)
        return;
    onward_mime__write_name(&w, str("Content-Disposition"));
    onward_mime__write_piece(
        &w, str(p->place == ONWARD_BUILDER_ATTACHED ? "attachment" : "inline"));
    if (p->file_name.len > 0)
        onward_mime__write_param(&w, "filename", p->file_name);
    onward_mime__write_end(&w);
}

static void write_part(struct onward_builder *b,
                       const struct onward_builder__part *p)
{
    struct onward_builder__segment *s;
    uint64_t len = p->source.read != NULL ? p->source.len : p->data.len;

    write_type(b, p->type, p->file_name);
    write_disposition(b, p);
    if (p->content_id.len > 0)
        write_id(b, "Content-ID", p->content_id);
    if (p->description.len > 0) {
        write_text_field(b, str("Content-Description"), p->description);
        if (b->opts.allow_utf8 != 0 && !onward_core__is_ascii(p->description))
            b->needs |= ONWARD_BUILDER_NEEDS_SMTPUTF8;
    }
    onward_core__buf_add_text(&b->text, "Content-Transfer-Encoding: ");
    onward_core__buf_add_text(&b->text, !p->goes_as_it_is ? "base64"
                                        : p->is_8bit      ? "8bit"
                                                          : "7bit");
    onward_core__buf_add_text(&b->text, "\r\n\r\n");
    if (p->goes_as_it_is && p->is_8bit)
        b->needs |= ONWARD_BUILDER_NEEDS_8BITMIME;
    end_text(b);
    s = add_segment(b);
    if (s != NULL) {
        s->part = p;
        s->len = p->goes_as_it_is ? len : onward_mime__base64_lines_len(len);
    }
}

/* ---- Multiparts -------------------------------------------------------- */

/* One on the way: which, and whether it is there at all. */
struct multipart {
    struct onward_builder *b;
    char boundary[28];
};

static bool holds(struct onward_str text, struct onward_str part)
{
    while (text.len >= part.len) {
        const char *at =
            memchr(text.data, part.data[0], text.len - part.len + 1);

        if (at == NULL)
            return false;
        if (memcmp(at, part.data, part.len) == 0)
            return true;
        text.len -= (size_t)(at + 1 - text.data);
        text.data = at + 1;
    }
    return false;
}

/*
 * The stem has 126 random bits, drawn after the content was given, and "=_",
 * which neither base64 nor quoted-printable can hold (RFC 2045 section 6.7).
 */
static int draw_stem(struct onward_builder *b)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEF"
                                  "GHIJKLMNOPQRSTUVWXYZ0123456789+-";
    unsigned char random[22];
    int err = onward_core__random(b->ctx, random, sizeof(random));

    if (err != 0)
        return err;
    memcpy(b->stem, "=_", 2);
    for (size_t i = 0; i < 21; i++)
        b->stem[2 + i] = letters[random[i] & 63];
    b->stem[23] = '\0';
    return 0;
}

/* Does the stem stand in what goes unencoded? Not if the octets are random, but
 * a host's generator may be anything. */
static bool stem_occurs(const struct onward_builder *b)
{
    struct onward_str stem = str(b->stem);

    if (holds(b->forms[0], stem) || holds(b->forms[1], stem) ||
        holds(b->report.fields, stem) || holds(b->report.original, stem))
        return true;
    for (const struct onward_builder__part *p = b->parts; p != NULL;
         p = p->next) {
        if (p->goes_as_it_is && holds(p->data, stem))
            return true;
    }
    return false;
}

static int choose_stem(struct onward_builder *b)
{
    for (int i = 0; i < STEM_TRIES; i++) {
        int err = draw_stem(b);

        if (err != 0 || !stem_occurs(b))
            return err;
    }
    return ONWARD_ERANDOM;
}

static struct multipart begin_multipart(struct onward_builder *b,
                                        const char *subtype, char which,
                                        const char *param,
                                        struct onward_str value)
{
    struct multipart m = {.b = b};
    struct onward_mime__writer w = writer(b);

    memcpy(m.boundary, b->stem, 23);
    m.boundary[23] = which;
    onward_mime__write_name(&w, str("Content-Type"));
    onward_mime__write_piece(&w, str(subtype));
    if (param != NULL)
        onward_mime__write_param(&w, param, value);
    onward_mime__write_param(&w, "boundary", str(m.boundary));
    onward_mime__write_end(&w);
    return m;
}

static void delimiter(const struct multipart *m, const char *end)
{
    struct onward_buf *out = &m->b->text;

    onward_core__buf_add_text(out, "\r\n--");
    onward_core__buf_add_text(out, m->boundary);
    onward_core__buf_add_text(out, end);
    onward_core__buf_add_text(out, "\r\n");
}

static bool has_place(const struct onward_builder *b, size_t place)
{
    for (const struct onward_builder__part *p = b->parts; p != NULL;
         p = p->next) {
        if (p->place == place)
            return true;
    }
    return false;
}

/* Parts of a place in m, each behind its delimiter. */
static void write_place(const struct multipart *m, size_t place)
{
    for (const struct onward_builder__part *p = m->b->parts; p != NULL;
         p = p->next) {
        if (p->place != place)
            continue;
        delimiter(m, "");
        write_part(m->b, p);
    }
}

/* HTML, with what it shows. */
static void write_html(struct onward_builder *b)
{
    struct multipart m;

    if (!has_place(b, ONWARD_BUILDER_INLINE)) {
        write_form(b, "text/html", b->forms[1]);
        return;
    }
    m = begin_multipart(b, "multipart/related", 'r', "type",
                        ONWARD_STR("text/html")); /* RFC 2387 section 3.1 */
    delimiter(&m, "");
    write_form(b, "text/html", b->forms[1]);
    write_place(&m, ONWARD_BUILDER_INLINE);
    delimiter(&m, "--");
}

/* The text in all its forms, the plainest first (RFC 2046 section 5.1.4). */
static void write_forms(struct onward_builder *b)
{
    bool has_other = has_place(b, ONWARD_BUILDER_ALTERNATIVE);
    struct multipart m;

    if (!has_other && !b->has_form[1]) {
        write_form(b, "text/plain", b->forms[0]);
        return;
    }
    if (!has_other && !b->has_form[0]) {
        write_html(b);
        return;
    }
    m = begin_multipart(b, "multipart/alternative", 'a', NULL,
                        (struct onward_str){0});
    if (b->has_form[0]) {
        delimiter(&m, "");
        write_form(b, "text/plain", b->forms[0]);
    }
    if (b->has_form[1]) {
        delimiter(&m, "");
        write_html(b);
    }
    write_place(&m, ONWARD_BUILDER_ALTERNATIVE);
    delimiter(&m, "--");
}

static void write_8bit(struct onward_builder *b)
{
    onward_core__buf_add_text(&b->text, "Content-Transfer-Encoding: 8bit\r\n");
    b->needs |= ONWARD_BUILDER_NEEDS_8BITMIME;
}

static void write_report(struct onward_builder *b, const struct multipart *m)
{
    /* By is_global and is_header_only (RFC 6522 section 3, RFC 6533). */
    static const char *const types[2][2] = {
        {"message/rfc822", "text/rfc822-headers"},
        {"message/global", "message/global-headers"}};
    struct onward_buf *out = &b->text;

    if (b->report.fields.len > 0) {
        delimiter(m, "");
        write_type(b, b->report_type, (struct onward_str){0});
        if (!onward_core__is_ascii(b->report.fields))
            write_8bit(b);
        onward_core__buf_add_text(out, "\r\n");
        onward_core__buf_add_str(out, b->report.fields);
    }
    if (b->report.original.len == 0)
        return;
    delimiter(m, "");
    onward_core__buf_add_text(out, "Content-Type: ");
    onward_core__buf_add_text(out, types[b->report.is_global != 0]
                                        [b->report.is_header_only != 0]);
    onward_core__buf_add_text(out, "\r\n");
    if (b->report_is_8bit)
        write_8bit(b);
    onward_core__buf_add_text(out, "\r\n");
    onward_core__buf_add_str(out, b->report.original);
}

static void write_content(struct onward_builder *b)
{
    bool has_text = b->has_form[0] || b->has_form[1] ||
                    has_place(b, ONWARD_BUILDER_ALTERNATIVE);
    /* Nothing to show them in: they are files. */
    bool has_loose = !b->has_form[1] && has_place(b, ONWARD_BUILDER_INLINE);
    bool has_files = has_place(b, ONWARD_BUILDER_ATTACHED) || has_loose;
    struct multipart m;

    if (!b->has_report && !has_files) {
        write_forms(b);
        return;
    }
    if (b->has_report)
        m = begin_multipart(b, "multipart/report", 'm', "report-type",
                            b->report.report_type);
    else
        m = begin_multipart(b, "multipart/mixed", 'm', NULL,
                            (struct onward_str){0});
    if (has_text || b->has_report) {
        delimiter(&m, "");
        write_forms(b);
    }
    if (b->has_report)
        write_report(b, &m);
    if (has_loose)
        write_place(&m, ONWARD_BUILDER_INLINE);
    write_place(&m, ONWARD_BUILDER_ATTACHED);
    delimiter(&m, "--");
}

/* ---- The whole --------------------------------------------------------- */

int onward_builder__build(struct onward_builder *b)
{
    uint64_t at = 0;
    int err;

    if (b->counts[ONWARD_BUILDER_FROM - 1] == 0 ||
        (b->counts[ONWARD_BUILDER_FROM - 1] > 1 &&
         b->counts[ONWARD_BUILDER_SENDER - 1] == 0))
        return ONWARD_EINVAL;
    err = make_message_id(b);
    if (err == 0)
        err = choose_stem(b);
    if (err != 0)
        return err;
    write_header(b);
    write_content(b);
    end_text(b);
    if (b->text.err != 0)
        return b->text.err;
    for (size_t i = 0; i < b->segment_count; i++) {
        b->segments[i].offset = at;
        at += b->segments[i].len;
    }
    onward_builder__make_source(b);
    return 0;
}
