/*
 * A message as it leaves: fields on top, the kept items of the header, then the
 * rest of the source as it is. Head and rest are read where they lie; nothing
 * is written anew.
 */
#include "mime/edit_priv.h"

_Static_assert(offsetof(struct onward_edit_opts, added_bytes) +
                       sizeof(((struct onward_edit_opts *)0)->added_bytes) ==
                   sizeof(struct onward_edit_opts),
               "no tail padding");

enum {
    ADDED_FIELDS = 100,
    ADDED_BYTES = 65536,
    LINE_MAX_OCTETS = 998 /* RFC 5322 section 2.1.1 */
};

/* ---- Life -------------------------------------------------------------- */

static void pass_wait(void *user, uint64_t token);

static int load(struct onward_edit *e, const struct onward_source *source,
                const struct onward_edit_opts *opts)
{
    struct onward_edit_opts o;
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err == 0)
        err = onward_core__opts_load(&e->below, sizeof(e->below), source);
    if (err != 0)
        return err;
    if (e->below.read == NULL || e->below.len < e->header->body)
        return ONWARD_EINVAL;
    e->added_max = onward_core__limit(o.added_fields, ADDED_FIELDS);
    e->added_bytes_max = onward_core__limit(o.added_bytes, ADDED_BYTES);
    e->body = (struct onward_source){
        .size = sizeof(e->body),
        .user = e,
        .len = e->below.len - e->header->body,
        .read = onward_mime__edit_body_read,
        .wait = e->below.wait == NULL ? NULL : pass_wait};
    e->is_cut = onward_core__zalloc(e->ctx,
                                    e->header->count * sizeof(*e->is_cut));
    return e->is_cut == NULL && e->header->count > 0 ? ONWARD_ENOMEM : 0;
}

int onward_edit_new(struct onward_ctx *ctx, const struct onward_source *source,
                    const struct onward_header *header,
                    const struct onward_edit_opts *opts,
                    struct onward_edit **edit)
{
    struct onward_edit *e;
    int err;

    if (!header->is_done)
        return ONWARD_ESTATE;
    e = onward_core__zalloc(ctx, sizeof(*e));
    if (e == NULL)
        return ONWARD_ENOMEM;
    e->ctx = onward_ctx_ref(ctx);
    e->header = header;
    onward_core__arena_init(&e->arena, ctx, SIZE_MAX);
    err = load(e, source, opts);
    if (err != 0) {
        onward_edit_free(e);
        return err;
    }
    *edit = e;
    return 0;
}

void onward_edit_free(struct onward_edit *edit)
{
    struct onward_ctx *ctx;

    if (edit == NULL)
        return;
    ctx = edit->ctx;
    onward_core__arena_clear(&edit->arena);
    onward_core__free(ctx, edit->added);
    onward_core__free(ctx, edit->is_cut);
    onward_core__free(ctx, edit->pieces);
    onward_core__free(ctx, edit->replaced);
    onward_core__free(ctx, edit->splices);
    onward_core__free(ctx, edit->runs);
    onward_core__free(ctx, edit->places);
    onward_core__free(ctx, edit->changes);
    onward_core__free(ctx, edit->signatures);
    onward_mime_parser_free(edit->parser);
    onward_core__free(ctx, edit);
    onward_ctx_free(ctx);
}

/* ---- Changes ----------------------------------------------------------- */

/*
 * Is line (without its CRLF) safe in a field that we write? No control may
 * stand in it, bare CR and LF least of all, and no continuation may look like
 * the empty line that ends the header.
 */
static bool is_safe_line(struct onward_str line, bool is_first)
{
    if (line.len > LINE_MAX_OCTETS)
        return false;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.data[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    if (is_first)
        return true;
    return line.len > 0 && onward_ascii_is_wsp((unsigned char)line.data[0]) &&
           onward_core__str_trim(line).len > 0;
}

bool onward_mime__edit_is_safe(struct onward_str raw)
{
    size_t from = 0;

    if (!onward_core__is_utf8(raw))
        return false;
    while (from < raw.len) {
        struct onward_str rest = onward_core__sub(raw, from, raw.len);
        size_t cr = onward_core__str_find(rest, '\r');

        if (rest.len - cr < 2 || rest.data[cr + 1] != '\n' ||
            !is_safe_line(onward_core__sub(rest, 0, cr), from == 0))
            return false;
        from += cr + 2;
    }
    return true;
}

static int reserve_added(struct onward_edit *e)
{
    size_t want = e->added_cap == 0 ? 8 : e->added_cap * 2;
    void *moved;

    if (e->added_count < e->added_cap)
        return 0;
    moved = onward_core__realloc(e->ctx, e->added, want * sizeof(*e->added));
    if (moved == NULL)
        return ONWARD_ENOMEM;
    e->added = moved;
    e->added_cap = want;
    return 0;
}

/* May raw_len octets more go on top? */
static int check_room(const struct onward_edit *e, size_t raw_len)
{
    if (e->is_sealed)
        return ONWARD_ESTATE;
    if (e->added_count == e->added_max ||
        raw_len > e->added_bytes_max - e->added_bytes)
        return ONWARD_ELIMIT;
    return 0;
}

int onward_mime__edit_add_raw(struct onward_edit *edit, struct onward_str raw)
{
    size_t colon = onward_core__str_find(raw, ':');
    struct added field = {.name_len = colon, .value_offset = colon + 1};
    int err = check_room(edit, raw.len);

    if (err != 0)
        return err;
    if (!onward_mime__is_field_name(onward_core__sub(raw, 0, colon)) ||
        colon == raw.len || !onward_mime__edit_is_safe(raw))
        return ONWARD_ESYNTAX;
    err = reserve_added(edit);
    if (err == 0)
        err = onward_core__arena_dup(&edit->arena, raw, &field.raw);
    if (err == 0) {
        const struct onward_edit_change change = {
            .kind = ONWARD_EDIT_FIELD_ADDED,
            .item = ONWARD_HEADER_NONE,
            .added = raw.len,
            .name = onward_core__sub(field.raw, 0, colon)};

        err = onward_mime__edit_note(edit, &change);
    }
    if (err != 0)
        return err;
    edit->added[edit->added_count++] = field;
    edit->added_bytes += raw.len;
    return 0;
}

int onward_edit_add(struct onward_edit *edit, struct onward_str name,
                    struct onward_str value)
{
    struct onward_buf raw;
    int err = edit->is_sealed ? ONWARD_ESTATE : 0;

    if (err != 0)
        return err;
    if (!onward_mime__is_field_name(name))
        return ONWARD_ESYNTAX;
    onward_core__buf_init(&raw, edit->ctx,
                          edit->added_bytes_max - edit->added_bytes);
    onward_core__buf_add(&raw, name.data, name.len);
    onward_core__buf_add_byte(&raw, ':');
    if (value.len > 0 && value.data[0] != '\r' &&
        !onward_ascii_is_wsp((unsigned char)value.data[0]))
        onward_core__buf_add_byte(&raw, ' ');
    onward_core__buf_add(&raw, value.data, value.len);
    err = onward_core__buf_add_text(&raw, "\r\n");
    if (err == 0)
        err = onward_mime__edit_add_raw(edit, onward_core__buf_str(&raw));
    onward_core__buf_clear(&raw);
    return err;
}

int onward_edit_cut(struct onward_edit *edit, size_t i)
{
    if (edit->is_sealed)
        return ONWARD_ESTATE;
    if (i >= edit->header->count)
        return ONWARD_ENOENT;
    /* No memory is needed: callers that cut forgeries rely on it. */
    edit->cut_count += !edit->is_cut[i];
    edit->is_cut[i] = true;
    return 0;
}

/* ---- Fields ------------------------------------------------------------ */

bool onward_mime__edit_field(const struct onward_edit *edit, size_t slot,
                             struct onward_mime__field *field)
{
    const struct onward_header *h = edit->header;
    const struct added *top;

    if (slot < h->count) {
        if (edit->is_cut[slot])
            return false;
        field->raw = onward_mime__raw(h, slot);
        field->name = onward_mime__name(h, slot);
        field->value = onward_mime__value(h, slot);
        if (edit->replaced != NULL && edit->replaced[slot].len > 0) {
            field->raw = edit->replaced[slot];
            field->name = onward_core__sub(field->raw, 0, field->name.len);
            field->value = onward_core__sub(field->raw, field->name.len + 1,
                                            field->raw.len - 2);
        }
        return true;
    }
    if (slot - h->count >= edit->added_count)
        return false;
    top = &edit->added[slot - h->count];
    field->raw = top->raw;
    field->name = onward_core__sub(top->raw, 0, top->name_len);
    field->value =
        onward_core__sub(top->raw, top->value_offset, top->raw.len - 2);
    return true;
}

/* The first item from i on downwards that is not cut. */
static size_t kept_from(const struct onward_edit *edit, size_t i)
{
    while (i < edit->header->count && edit->is_cut[i])
        i++;
    return i < edit->header->count ? i : ONWARD_HEADER_NONE;
}

size_t onward_mime__edit_top(const struct onward_edit *edit)
{
    if (edit->added_count > 0)
        return edit->header->count + edit->added_count - 1;
    return kept_from(edit, 0);
}

size_t onward_mime__edit_below(const struct onward_edit *edit, size_t slot)
{
    size_t items = edit->header->count;

    if (slot > items && slot - items < edit->added_count)
        return slot - 1;
    if (slot == items && edit->added_count > 0)
        return kept_from(edit, 0);
    return slot < items ? kept_from(edit, slot + 1) : ONWARD_HEADER_NONE;
}

/* The lowest added field of that name from number `from` on upwards. They are
 * few, so they are looked through. */
static size_t added_from(const struct onward_edit *edit, size_t from,
                         struct onward_str name)
{
    for (size_t k = from; k < edit->added_count; k++) {
        const struct added *a = &edit->added[k];

        if (onward_core__str_ieq(onward_core__sub(a->raw, 0, a->name_len),
                                 name))
            return edit->header->count + k;
    }
    return ONWARD_HEADER_NONE;
}

/* Item i, or the next higher one of its name that is not cut; none left: the
 * lowest added field of that name. */
static size_t kept_above(const struct onward_edit *edit, size_t i,
                         struct onward_str name)
{
    while (i != ONWARD_HEADER_NONE && edit->is_cut[i])
        i = edit->header->items[i].above;
    return i != ONWARD_HEADER_NONE ? i : added_from(edit, 0, name);
}

size_t onward_mime__edit_last(const struct onward_edit *edit,
                              struct onward_str name)
{
    return kept_above(edit, onward_header_last(edit->header, name), name);
}

size_t onward_mime__edit_above_named(const struct onward_edit *edit,
                                     size_t slot)
{
    struct onward_mime__field field;
    size_t items = edit->header->count;

    if (!onward_mime__edit_field(edit, slot, &field) || field.name.len == 0)
        return ONWARD_HEADER_NONE;
    if (slot < items)
        return kept_above(edit, edit->header->items[slot].above, field.name);
    return added_from(edit, slot - items + 1, field.name);
}

size_t onward_mime__edit_count_named(const struct onward_edit *edit,
                                     struct onward_str name)
{
    size_t count = 0;

    for (size_t slot = onward_mime__edit_last(edit, name);
         slot != ONWARD_HEADER_NONE;
         slot = onward_mime__edit_above_named(edit, slot))
        count++;
    return count;
}

const struct onward_header *
onward_mime__edit_header(const struct onward_edit *edit)
{
    return edit->header;
}

/* ---- Reading ----------------------------------------------------------- */

static void pass_wait(void *user, uint64_t token)
{
    struct onward_edit *e = user;

    e->below.wait(e->below.user, token);
}

const struct onward_source *onward_mime__edit_body(const struct onward_edit *e)
{
    return &e->body;
}

/* The piece that holds that octet of the head. */
static size_t find_piece(const struct onward_edit *e, uint64_t offset)
{
    size_t low = 0;
    size_t high = e->piece_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (e->pieces[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static int whole_read(void *user, uint64_t offset, void *buf, size_t cap,
                      size_t *got)
{
    struct onward_edit *e = user;
    char *out = buf;
    size_t done = 0;

    if (offset >= e->whole.len) {
        *got = 0;
        return 0;
    }
    if (offset >= e->head_len) {
        uint64_t at = offset - e->head_len + e->header->block.len;

        if (e->run_count == 0)
            return onward_mime__edit_read_below(e, at, buf, cap, got);
        if (at >= e->header->body)
            return onward_mime__edit_body_read(e, at - e->header->body, buf,
                                               cap, got);
        if (cap > e->header->body - at)
            cap = (size_t)(e->header->body - at);
        return onward_mime__edit_read_below(e, at, buf, cap, got);
    }
    for (size_t i = find_piece(e, offset); i < e->piece_count && done < cap;
         i++) {
        const struct piece *p = &e->pieces[i];
        struct onward_str rest = onward_core__sub(
            p->text, (size_t)(offset + done - p->offset), p->text.len);
        size_t n = rest.len < cap - done ? rest.len : cap - done;

        memcpy(out + done, rest.data, n);
        done += n;
    }
    *got = done;
    return 0;
}

/* Append text to the head; neighbours in the block become one piece. */
static void add_piece(struct onward_edit *e, struct onward_str text)
{
    struct piece *last =
        e->piece_count == 0 ? NULL : &e->pieces[e->piece_count - 1];

    if (last != NULL && last->text.data + last->text.len == text.data)
        last->text.len += text.len;
    else
        e->pieces[e->piece_count++] =
            (struct piece){.text = text, .offset = e->head_len};
    e->head_len += text.len;
}

int onward_edit_source(struct onward_edit *edit,
                       const struct onward_source **table)
{
    struct onward_mime__field field;
    size_t most = edit->added_count + edit->header->count;

    if (!edit->is_sealed && most > 0) {
        edit->pieces =
            onward_core__alloc(edit->ctx, most * sizeof(*edit->pieces));
        if (edit->pieces == NULL)
            return ONWARD_ENOMEM;
        for (size_t slot = onward_mime__edit_top(edit);
             slot != ONWARD_HEADER_NONE;
             slot = onward_mime__edit_below(edit, slot)) {
            onward_mime__edit_field(edit, slot, &field);
            add_piece(edit, field.raw);
        }
    }
    edit->is_sealed = true;
    edit->whole = (struct onward_source){
        .size = sizeof(edit->whole),
        .user = edit,
        .len = edit->head_len + (edit->header->body - edit->header->block.len) +
               edit->body.len,
        .read = whole_read,
        .wait = edit->below.wait == NULL ? NULL : pass_wait};
    *table = &edit->whole;
    return 0;
}
