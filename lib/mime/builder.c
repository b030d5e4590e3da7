/*
 * What a builder is told: checked at once, kept in its arena.
 */
#include "mime/builder_priv.h"

#include "core/domain_shared.h"
#include "mime/params_priv.h"

enum { MAX_BYTES = 64 << 20, SCAN = 4096, TEXT_LINE = 998 };

_Static_assert(offsetof(struct onward_builder_opts, log_id) +
                       sizeof(uint64_t) ==
                   sizeof(struct onward_builder_opts),
               "no tail padding");

int onward_builder_new(struct onward_ctx *ctx,
                       const struct onward_builder_opts *opts,
                       struct onward_builder **builder)
{
    struct onward_builder_opts o;
    struct onward_builder *b;
    size_t max;
    int err;

    if (ctx == NULL || builder == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err != 0)
        return err;
    b = onward_core__zalloc(ctx, sizeof(*b));
    if (b == NULL)
        return ONWARD_ENOMEM;
    b->ctx = onward_ctx_ref(ctx);
    b->opts = o;
    max = onward_core__limit(o.max_bytes, MAX_BYTES);
    onward_core__arena_init(&b->arena, ctx, max);
    onward_core__buf_init(&b->text, ctx, max);
    if (o.id_domain.len > 0)
        err =
            onward_core__domain_to_ascii(&b->arena, o.id_domain, &b->id_domain);
    b->opts.id_domain = (struct onward_str){0};
    if (err != 0) {
        onward_builder_free(b);
        return err;
    }
    *builder = b;
    return 0;
}

void onward_builder_free(struct onward_builder *b)
{
    struct onward_ctx *ctx;

    if (b == NULL)
        return;
    ctx = b->ctx;
    for (struct onward_builder__part *p = b->parts; p != NULL; p = p->next)
        onward_params_free(p->type);
    onward_params_free(b->report_type);
    onward_builder__unbuild(b);
    onward_core__arena_clear(&b->arena);
    onward_core__free(ctx, b->rcpts);
    onward_core__free(ctx, b);
    onward_ctx_free(ctx);
}

/* A copy for good; the arena's bound is max_bytes. */
static int keep(struct onward_builder *b, struct onward_str s,
                struct onward_str *copy)
{
    if (s.len > b->arena.max - b->arena.used)
        return ONWARD_ELIMIT;
    return onward_core__arena_dup(&b->arena, s, copy);
}

/* Zero-filled, for good. */
static int keep_struct(struct onward_builder *b, size_t size, void **kept)
{
    if (size > b->arena.max - b->arena.used)
        return ONWARD_ELIMIT;
    *kept = onward_core__arena_alloc(&b->arena, size);
    return *kept == NULL ? ONWARD_ENOMEM : 0;
}

/* A value of one line. */
static int keep_line(struct onward_builder *b, struct onward_str s,
                     struct onward_str *copy)
{
    return onward_mime__is_writable(s) ? keep(b, s, copy) : ONWARD_ESYNTAX;
}

/* ---- Addresses --------------------------------------------------------- */

/* The address in the form that the header and the envelope take. */
static int write_mailbox(struct onward_builder *b, struct onward_str address,
                         struct onward_str *text)
{
    struct onward_mailbox *mailbox = NULL;
    struct onward_str whole, domain;
    struct onward_buf buf;
    size_t at;
    int err = onward_mailbox_parse(b->ctx, address, ONWARD_MAILBOX_ALLOW_UTF8,
                                   &mailbox);

    if (err != 0)
        return err == ONWARD_ELIMIT ? ONWARD_ESYNTAX : err;
    whole = onward_mailbox_text(mailbox);
    domain = onward_mailbox_domain_ascii(mailbox);
    at = onward_core__str_rfind(whole, '@');
    onward_core__buf_init(&buf, b->ctx, SIZE_MAX);
    if (b->opts.allow_utf8 != 0 || domain.len == 0) {
        onward_core__buf_add_str(&buf, whole);
    } else {
        onward_core__buf_add_str(&buf, onward_core__sub(whole, 0, at + 1));
        onward_core__buf_add_str(&buf, domain);
    }
    err = buf.err;
    if (err == 0 && b->opts.allow_utf8 == 0 &&
        !onward_core__is_ascii(onward_core__buf_str(&buf)))
        err = ONWARD_ESYNTAX;
    if (err == 0)
        err = keep(b, onward_core__buf_str(&buf), text);
    onward_core__buf_clear(&buf);
    onward_mailbox_free(mailbox);
    return err;
}

static bool is_rcpt(const struct onward_builder *b, struct onward_str text)
{
    for (size_t i = 0; i < b->rcpt_count; i++) {
        if (onward_core__str_eq(b->rcpts[i], text))
            return true;
    }
    return false;
}

/* Room for one recipient more. */
static int grow_rcpts(struct onward_builder *b)
{
    struct onward_str *grown;

    if (b->rcpt_count % 16 != 0)
        return 0;
    grown = onward_core__realloc(b->ctx, b->rcpts,
                                 (b->rcpt_count + 16) * sizeof(*grown));
    if (grown == NULL)
        return ONWARD_ENOMEM;
    b->rcpts = grown;
    return 0;
}

int onward_builder_add_address(struct onward_builder *b, int role,
                               struct onward_str name,
                               struct onward_str address)
{
    struct onward_builder__address *a;
    void *kept;
    size_t list = (size_t)role - 1;
    int err;

    if (role < ONWARD_BUILDER_FROM || role > ONWARD_BUILDER_BCC)
        return ONWARD_EINVAL;
    if (b->is_built)
        return ONWARD_ESTATE;
    if (b->counts[list] == ONWARD_BUILDER__LIST_MAX ||
        (role == ONWARD_BUILDER_SENDER && b->counts[list] == 1))
        return ONWARD_ELIMIT;
    err = keep_struct(b, sizeof(*a), &kept);
    if (err != 0)
        return err;
    a = kept;
    err = keep_line(b, onward_core__str_trim(name), &a->name);
    if (err == 0)
        err = write_mailbox(b, address, &a->text);
    if (err == 0 && role >= ONWARD_BUILDER_TO && !is_rcpt(b, a->text)) {
        err = grow_rcpts(b);
        if (err == 0)
            b->rcpts[b->rcpt_count++] = a->text;
    }
    if (err != 0)
        return err;
    if (b->last[list] != NULL)
        b->last[list]->next = a;
    else
        b->lists[list] = a;
    b->last[list] = a;
    b->counts[list]++;
    return 0;
}

struct onward_str onward_builder_mail_from(const struct onward_builder *b)
{
    const struct onward_builder__address *a =
        b->lists[ONWARD_BUILDER_SENDER - 1];

    if (a == NULL)
        a = b->lists[ONWARD_BUILDER_FROM - 1];
    return a == NULL ? onward_core__str(NULL, 0) : a->text;
}

size_t onward_builder_rcpt_count(const struct onward_builder *b)
{
    return b->rcpt_count;
}

struct onward_str onward_builder_rcpt_at(const struct onward_builder *b,
                                         size_t i)
{
    return i < b->rcpt_count ? b->rcpts[i] : onward_core__str(NULL, 0);
}

/* ---- Fields ------------------------------------------------------------ */

int onward_builder_set_subject(struct onward_builder *b,
                               struct onward_str subject)
{
    struct onward_str copy;
    int err = b->is_built ? ONWARD_ESTATE : keep_line(b, subject, &copy);

    if (err == 0) {
        b->subject = copy;
        b->has_subject = true;
    }
    return err;
}

static bool is_written_by_us(struct onward_str name)
{
    static const char *const names[] = {
        "From",       "Sender",      "Reply-To",   "To",
        "Cc",         "Bcc",         "Subject",    "Date",
        "Message-ID", "In-Reply-To", "References", "MIME-Version"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (onward_core__str_ieq(name, onward_str_of(names[i])))
            return true;
    }
    return onward_core__str_istarts(name, ONWARD_STR("Content-"));
}

/*
 * Has the field a form in which no encoded word may replace any text? Of the
 * registered fields; X- fields and all others are text.
 */
static bool is_structured(struct onward_str name)
{
    static const char *const prefixes[] = {
        "List-", "Resent-", "ARC-", "DKIM-", "Disposition-Notification-",
        "Received", "Original-", "Authentication-Results"};
    static const char *const names[] = {
        "Archived-At",     "Auto-Submitted",  "Autocrypt",  "BIMI-Selector",
        "Delivered-To",    "DL-Expansion-History", "Expires",
        "Face",            "Feedback-ID",     "Importance", "Language",
        "Mail-Followup-To", "Mail-Reply-To",  "Precedence", "Priority",
        "Return-Path",     "Sensitivity",     "TLS-Required", "X-Face"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (onward_core__str_istarts(name, onward_str_of(prefixes[i])))
            return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (onward_core__str_ieq(name, onward_str_of(names[i])))
            return true;
    }
    return false;
}

static bool is_field_name(struct onward_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];

        if (c <= ' ' || c >= 0x7f || c == ':')
            return false;
    }
    return name.len > 0 && name.len <= 76;
}

int onward_builder_add_field(struct onward_builder *b, struct onward_str name,
                             struct onward_str value)
{
    struct onward_builder__field *f;
    void *kept;
    int err;

    if (b->is_built)
        return ONWARD_ESTATE;
    if (!is_field_name(name))
        return ONWARD_ESYNTAX;
    if (is_written_by_us(name))
        return ONWARD_EINVAL;
    err = keep_struct(b, sizeof(*f), &kept);
    if (err != 0)
        return err;
    f = kept;
    f->is_structured = is_structured(name);
    if (f->is_structured && !onward_mime__is_structured_text(
                                value, b->opts.allow_utf8 != 0))
        return ONWARD_ESYNTAX;
    err = keep_line(b, value, &f->value);
    if (err == 0)
        err = keep(b, name, &f->name);
    if (err != 0)
        return err;
    if (b->last_field != NULL)
        b->last_field->next = f;
    else
        b->fields = f;
    b->last_field = f;
    return 0;
}

/* id-left "@" id-right of dot-atoms or a literal (RFC 5322 section 3.6.4), and
 * what is near enough: visible, no brackets, one @ inside. */
static bool is_id(struct onward_str id)
{
    size_t at = onward_core__str_find(id, '@');

    if (at == 0 || at + 1 >= id.len || id.len > 250)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.data[i];

        if (c <= ' ' || c >= 0x7f || c == '<' || c == '>' ||
            (c == '@' && i != at))
            return false;
    }
    return true;
}

int onward_builder_set_message_id(struct onward_builder *b,
                                  struct onward_str id)
{
    if (b->is_built)
        return ONWARD_ESTATE;
    return is_id(id) ? keep(b, id, &b->message_id) : ONWARD_ESYNTAX;
}

struct onward_str onward_builder_message_id(const struct onward_builder *b)
{
    return b->is_built ? b->message_id : onward_core__str(NULL, 0);
}

/* ---- Answering --------------------------------------------------------- */

/* The ids of the topmost field of that name; NULL is none. */
static int read_ids(struct onward_builder *b,
                    const struct onward_header *original,
                    struct onward_str name, struct onward_angle_list **ids)
{
    size_t i = onward_header_first(original, name);

    *ids = NULL;
    if (i == ONWARD_HEADER_NONE)
        return 0;
    return onward_angle_list_parse(b->ctx, onward_mime__value(original, i),
                                   ids);
}

static size_t id_count(const struct onward_angle_list *ids)
{
    return ids == NULL ? 0 : onward_angle_list_count(ids);
}

static void add_id(struct onward_buf *out, struct onward_str id)
{
    if (!is_id(id))
        return;
    if (out->len > 0)
        onward_core__buf_add_byte(out, ' ');
    onward_core__buf_add_byte(out, '<');
    onward_core__buf_add_str(out, id);
    onward_core__buf_add_byte(out, '>');
}

int onward_builder_set_reply_to_message(struct onward_builder *b,
                                        const struct onward_header *original)
{
    struct onward_angle_list *own = NULL, *refs = NULL;
    struct onward_buf text;
    size_t count;
    int err;

    if (b->is_built || b->has_reply || !original->is_done)
        return ONWARD_ESTATE;
    onward_core__buf_init(&text, b->ctx, SIZE_MAX);
    err = read_ids(b, original, ONWARD_STR("Message-ID"), &own);
    if (err == 0)
        err = read_ids(b, original, ONWARD_STR("References"), &refs);
    if (err == 0 && id_count(refs) == 0) {
        onward_angle_list_free(refs);
        err = read_ids(b, original, ONWARD_STR("In-Reply-To"), &refs);
        /* Several cannot be put in an order (RFC 5322 section 3.6.4). */
        if (err == 0 && id_count(refs) != 1) {
            onward_angle_list_free(refs);
            refs = NULL;
        }
    }
    if (err != 0 || id_count(own) == 0 ||
        !is_id(onward_angle_list_item(own, 0)))
        goto out;
    count = id_count(refs);
    for (size_t i = 0; i < count; i++) {
        /* The first, and the last ones. */
        if (i > 0 && count - i > ONWARD_BUILDER__IDS_MAX - 2)
            continue;
        add_id(&text, onward_angle_list_item(refs, i));
    }
    add_id(&text, onward_angle_list_item(own, 0));
    err = text.err;
    if (err == 0)
        err = keep(b, onward_core__buf_str(&text), &b->references);
    onward_core__buf_reset(&text);
    add_id(&text, onward_angle_list_item(own, 0));
    if (err == 0)
        err = text.err;
    if (err == 0)
        err = keep(b, onward_core__buf_str(&text), &b->in_reply_to);
    if (err != 0)
        b->references = (struct onward_str){0};
    else
        b->has_reply = true;
out:
    onward_angle_list_free(own);
    onward_angle_list_free(refs);
    onward_core__buf_clear(&text);
    return err;
}

/* ---- Texts ------------------------------------------------------------- */

static int set_form(struct onward_builder *b, size_t form,
                    struct onward_str text)
{
    int err;

    if (b->is_built || b->has_form[form])
        return ONWARD_ESTATE;
    if (!onward_core__is_utf8(text) ||
        (text.len > 0 && memchr(text.data, '\0', text.len) != NULL))
        return ONWARD_ESYNTAX;
    err = keep(b, text, &b->forms[form]);
    b->has_form[form] = err == 0;
    return err;
}

int onward_builder_set_text(struct onward_builder *b, struct onward_str text)
{
    return set_form(b, 0, text);
}

int onward_builder_set_html(struct onward_builder *b, struct onward_str html)
{
    return set_form(b, 1, html);
}

/* ---- Parts ------------------------------------------------------------- */

bool onward_builder__is_message(const struct onward_params *type)
{
    return onward_core__str_eq(onward_params_token(type, 0),
                               ONWARD_STR("message"));
}

/* What a decoded parameter holds may be anything: `%0D%0A`, say. */
static bool has_writable_params(const struct onward_params *type)
{
    for (size_t i = 0; i < onward_params_count(type); i++) {
        struct onward_str name = onward_params_name(type, i);

        if (name.len > ONWARD_BUILDER__PARAM_NAME ||
            !onward_mime__is_token(name) ||
            !onward_mime__is_writable(onward_params_text(type, i)))
            return false;
    }
    return true;
}

static int read_type(struct onward_builder *b, struct onward_str type,
                     struct onward_params **params)
{
    struct onward_str main, sub;
    int err;

    if (type.len == 0)
        type = ONWARD_STR("application/octet-stream");
    if (!onward_mime__is_writable(type))
        return ONWARD_ESYNTAX;
    err = onward_params_parse(b->ctx, type, NULL, params);
    if (err != 0)
        return err;
    main = onward_params_token(*params, 0);
    sub = onward_params_token(*params, 1);
    if (main.len > 0 && sub.len > 0 && main.len <= ONWARD_BUILDER__TYPE &&
        sub.len <= ONWARD_BUILDER__TYPE && has_writable_params(*params) &&
        onward_params_notes(*params, SIZE_MAX) == 0 &&
        !onward_core__str_eq(main, ONWARD_STR("multipart")))
        return 0;
    onward_params_free(*params);
    *params = NULL;
    return ONWARD_ESYNTAX;
}

/* State of looking at a message that goes as it is. */
struct scan {
    size_t line;
    bool was_cr;
    bool is_8bit;
};

static int scan_octets(struct scan *s, const unsigned char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = data[i];

        if (s->was_cr != (c == '\n') || c == '\0')
            return ONWARD_ESYNTAX;
        s->was_cr = c == '\r';
        s->is_8bit = s->is_8bit || c >= 0x80;
        if (c == '\n')
            s->line = 0;
        else if (c != '\r' && ++s->line > TEXT_LINE)
            return ONWARD_ESYNTAX;
    }
    return 0;
}

static int scan_message(struct onward_builder__part *p)
{
    unsigned char buf[SCAN];
    struct scan scan = {0};
    uint64_t at = 0;
    int err = 0;

    if (p->source.read == NULL)
        err = scan_octets(&scan, (const unsigned char *)p->data.data,
                          p->data.len);
    while (err == 0 && at < p->source.len) {
        size_t got = 0;

        if (p->source.read(p->source.user, at, buf, sizeof(buf), &got) != 0 ||
            got == 0 || got > sizeof(buf))
            return ONWARD_ECALLBACK;
        err = scan_octets(&scan, buf, got);
        at += got;
    }
    if (err == 0 && (scan.was_cr || scan.line > 0))
        err = ONWARD_ESYNTAX;
    p->is_8bit = scan.is_8bit;
    return err;
}

static int fill_part(struct onward_builder *b,
                     const struct onward_builder_part *from,
                     struct onward_builder__part *p)
{
    int err = 0;

    p->place = from->place;
    if (from->source != NULL) {
        err =
            onward_core__opts_load(&p->source, sizeof(p->source), from->source);
        if (err == 0 && p->source.read == NULL)
            err = ONWARD_EINVAL;
    }
    if (err == 0)
        err = read_type(b, from->type, &p->type);
    if (err == 0)
        err = keep_line(b, from->file_name, &p->file_name);
    if (err == 0)
        err = keep_line(b, from->description, &p->description);
    if (err == 0 && from->content_id.len > 0)
        err = is_id(from->content_id)
                  ? keep(b, from->content_id, &p->content_id)
                  : ONWARD_ESYNTAX;
    if (err == 0)
        err = keep(b, from->data, &p->data);
    if (err == 0 && onward_builder__is_message(p->type)) {
        p->goes_as_it_is = true;
        err = scan_message(p);
    }
    return err;
}

int onward_builder_add_part(struct onward_builder *b,
                            const struct onward_builder_part *part)
{
    struct onward_builder_part o;
    struct onward_builder__part *p;
    void *kept;
    int err = onward_core__opts_load(&o, sizeof(o), part);

    if (err != 0)
        return err;
    if (part == NULL || o.place > ONWARD_BUILDER_ALTERNATIVE ||
        (o.source != NULL && o.data.len > 0))
        return ONWARD_EINVAL;
    if (b->is_built)
        return ONWARD_ESTATE;
    if (b->part_count == ONWARD_BUILDER__LIST_MAX)
        return ONWARD_ELIMIT;
    err = keep_struct(b, sizeof(*p), &kept);
    if (err != 0)
        return err;
    p = kept;
    err = fill_part(b, &o, p);
    if (err != 0) {
        onward_params_free(p->type);
        return err;
    }
    if (b->last_part != NULL)
        b->last_part->next = p;
    else
        b->parts = p;
    b->last_part = p;
    b->part_count++;
    return 0;
}

/* ---- Reports ----------------------------------------------------------- */

/* Lines of printable ASCII, or of UTF-8, that end in CRLF. */
static bool is_report_text(struct onward_str s, bool is_global)
{
    size_t line = 0;

    if (is_global && !onward_core__is_utf8(s))
        return false;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c == '\r') {
            if (++i == s.len || s.data[i] != '\n')
                return false;
            line = 0;
        } else if ((c < ' ' && c != '\t') || c == 0x7f ||
                   (c > 0x7f && !is_global) || ++line > TEXT_LINE) {
            return false;
        }
    }
    return s.len > 0 && line == 0;
}

int onward_builder_set_report(struct onward_builder *b,
                              const struct onward_builder_report *report)
{
    struct onward_builder__part original = {0};
    struct onward_builder_report o;
    struct onward_params *type = NULL;
    bool has_fields;
    int err = onward_core__opts_load(&o, sizeof(o), report);

    if (err != 0)
        return err;
    if (report == NULL)
        return ONWARD_EINVAL;
    if (b->is_built || b->has_report)
        return ONWARD_ESTATE;
    has_fields = o.fields.len > 0 || o.fields_type.len > 0;
    if ((has_fields && !is_report_text(o.fields, o.is_global != 0)) ||
        !onward_mime__is_token(o.report_type) ||
        o.report_type.len > ONWARD_BUILDER__TYPE)
        return ONWARD_ESYNTAX;
    original.data = o.original;
    if (o.original.len > 0) {
        err = scan_message(&original);
        if (err != 0)
            return err;
    }
    err = keep(b, o.report_type, &o.report_type);
    if (err == 0)
        err = keep(b, o.fields, &o.fields);
    if (err == 0)
        err = keep(b, o.original, &o.original);
    if (err == 0 && has_fields)
        err = read_type(b, o.fields_type, &type);
    if (err != 0)
        return err;
    o.fields_type = (struct onward_str){0};
    b->report = o;
    b->report_type = type;
    b->report_is_8bit = original.is_8bit;
    b->has_report = true;
    return 0;
}

/* ---- The message ------------------------------------------------------- */

int onward_builder_source(struct onward_builder *b,
                          const struct onward_source **source)
{
    if (!b->is_built) {
        int err = onward_builder__build(b);

        if (err != 0) {
            onward_builder__unbuild(b);
            return err;
        }
        b->is_built = true;
    }
    *source = &b->whole;
    return 0;
}

uint64_t onward_builder_needs(const struct onward_builder *b)
{
    return b->needs;
}
