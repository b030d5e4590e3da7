/*
 * What a builder is told: checked at once, kept in its arena.
 */
#include "mime/builder_priv.h"

#include "core/domain_shared.h"

enum { MAX_BYTES = 64 << 20 };

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

int onward_builder__keep(struct onward_builder *b, struct onward_str s,
                         struct onward_str *copy)
{
    if (s.len > b->arena.max - b->arena.used)
        return ONWARD_ELIMIT;
    return onward_core__arena_dup(&b->arena, s, copy);
}

int onward_builder__keep_struct(struct onward_builder *b, size_t size,
                                void **kept)
{
    if (size > b->arena.max - b->arena.used)
        return ONWARD_ELIMIT;
    *kept = onward_core__arena_alloc(&b->arena, size);
    return *kept == NULL ? ONWARD_ENOMEM : 0;
}

int onward_builder__keep_line(struct onward_builder *b, struct onward_str s,
                              struct onward_str *copy)
{
    return onward_mime__is_writable(s) ? onward_builder__keep(b, s, copy)
                                       : ONWARD_ESYNTAX;
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
        err = onward_builder__keep(b, onward_core__buf_str(&buf), text);
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
    err = onward_builder__keep_struct(b, sizeof(*a), &kept);
    if (err != 0)
        return err;
    a = kept;
    err = onward_builder__keep_line(b, onward_core__str_trim(name), &a->name);
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
    int err = b->is_built ? ONWARD_ESTATE
                          : onward_builder__keep_line(b, subject, &copy);

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
    err = onward_builder__keep_struct(b, sizeof(*f), &kept);
    if (err != 0)
        return err;
    f = kept;
    f->is_structured = is_structured(name);
    if (f->is_structured && !onward_mime__is_structured_text(
                                value, b->opts.allow_utf8 != 0))
        return ONWARD_ESYNTAX;
    err = onward_builder__keep_line(b, value, &f->value);
    if (err == 0)
        err = onward_builder__keep(b, name, &f->name);
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
bool onward_builder__is_id(struct onward_str id)
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
    return onward_builder__is_id(id)
               ? onward_builder__keep(b, id, &b->message_id)
               : ONWARD_ESYNTAX;
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
    if (!onward_builder__is_id(id))
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
        !onward_builder__is_id(onward_angle_list_item(own, 0)))
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
        err = onward_builder__keep(b, onward_core__buf_str(&text),
                                   &b->references);
    onward_core__buf_reset(&text);
    add_id(&text, onward_angle_list_item(own, 0));
    if (err == 0)
        err = text.err;
    if (err == 0)
        err = onward_builder__keep(b, onward_core__buf_str(&text),
                                   &b->in_reply_to);
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
