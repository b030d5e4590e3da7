/*
 * A finished header block as its readers see it: slices, look-ups by name,
 * unfolded text and anomalies.
 */
#include "mime/mime_priv.h"

/* ---- Names ------------------------------------------------------------- */

/* The name's slot, or the free one where it would be. Linear probing; the
 * table is at most half full, and the hash is keyed, so runs stay short. */
static struct onward_mime__name *name_slot(const struct onward_header *h,
                                           struct onward_str name,
                                           uint64_t hash)
{
    size_t mask = h->name_slots - 1;

    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        struct onward_mime__name *slot = &h->names[at];

        if (slot->count == 0)
            return slot;
        if (slot->hash == hash &&
            onward_core__str_ieq(onward_mime__name(h, slot->first), name))
            return slot;
    }
}

static void index_item(struct onward_header *h, size_t i)
{
    struct onward_str name = onward_mime__name(h, i);
    uint64_t hash = onward_core__hash_lower(h->ctx, name.data, name.len);
    struct onward_mime__name *slot = name_slot(h, name, hash);

    if (slot->count == 0) {
        slot->hash = hash;
        slot->first = i;
    } else {
        h->items[slot->last].below = i;
        h->items[i].above = slot->last;
    }
    slot->last = i;
    slot->count++;
}

int onward_mime__index_names(struct onward_header *h)
{
    size_t slots = 16;

    while (slots / 2 < h->count)
        slots *= 2;
    if (slots > h->name_cap) {
        onward_core__free(h->ctx, h->names);
        h->name_cap = 0;
        h->names = onward_core__alloc(h->ctx, slots * sizeof(*h->names));
        if (h->names == NULL)
            return ONWARD_ENOMEM;
        h->name_cap = slots;
    }
    memset(h->names, 0, slots * sizeof(*h->names));
    h->name_slots = slots;
    for (size_t i = 0; i < h->count; i++) {
        if (h->items[i].name_len != 0)
            index_item(h, i);
    }
    return 0;
}

static const struct onward_mime__name *look_up(const struct onward_header *h,
                                               struct onward_str name)
{
    const struct onward_mime__name *slot;

    if (!h->is_done || name.len == 0)
        return NULL;
    slot = name_slot(h, name,
                     onward_core__hash_lower(h->ctx, name.data, name.len));
    return slot->count == 0 ? NULL : slot;
}

size_t onward_header_first(const struct onward_header *header,
                           struct onward_str name)
{
    const struct onward_mime__name *found = look_up(header, name);

    return found == NULL ? ONWARD_HEADER_NONE : found->first;
}

size_t onward_header_last(const struct onward_header *header,
                          struct onward_str name)
{
    const struct onward_mime__name *found = look_up(header, name);

    return found == NULL ? ONWARD_HEADER_NONE : found->last;
}

size_t onward_header_count_named(const struct onward_header *header,
                                 struct onward_str name)
{
    const struct onward_mime__name *found = look_up(header, name);

    return found == NULL ? 0 : found->count;
}

/* Is i an item that may be looked at? */
static bool has_item(const struct onward_header *h, size_t i)
{
    return h->is_done && i < h->count;
}

size_t onward_header_below(const struct onward_header *header, size_t i)
{
    return has_item(header, i) ? header->items[i].below : ONWARD_HEADER_NONE;
}

size_t onward_header_above(const struct onward_header *header, size_t i)
{
    return has_item(header, i) ? header->items[i].above : ONWARD_HEADER_NONE;
}

bool onward_mime__is_field_name(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c <= ' ' || c >= 0x7f || c == ':')
            return false;
    }
    return s.len > 0;
}

/* ---- Items ------------------------------------------------------------- */

int onward_header_is_done(const struct onward_header *header)
{
    return header->is_done;
}

uint64_t onward_header_body_offset(const struct onward_header *header)
{
    return header->body;
}

struct onward_str onward_header_block(const struct onward_header *header)
{
    if (!header->is_done)
        return onward_core__str(NULL, 0);
    return onward_core__buf_str(&header->block);
}

size_t onward_header_count(const struct onward_header *header)
{
    return header->is_done ? header->count : 0;
}

struct onward_str onward_header_raw(const struct onward_header *header,
                                    size_t i)
{
    if (!has_item(header, i))
        return onward_core__str(NULL, 0);
    return onward_mime__raw(header, i);
}

struct onward_str onward_header_name(const struct onward_header *header,
                                     size_t i)
{
    if (!has_item(header, i))
        return onward_core__str(NULL, 0);
    return onward_mime__name(header, i);
}

struct onward_str onward_header_value(const struct onward_header *header,
                                      size_t i)
{
    if (!has_item(header, i))
        return onward_core__str(NULL, 0);
    return onward_mime__value(header, i);
}

uint64_t onward_header_offset(const struct onward_header *header, size_t i)
{
    return has_item(header, i) ? header->items[i].offset : header->body;
}

/* ---- Unfolding --------------------------------------------------------- */

/* The next CRLF that a fold puts before white space, or s.len. */
static size_t find_fold(struct onward_str s, size_t from)
{
    for (size_t i = from; s.len >= 3 && i < s.len - 2; i++) {
        if (s.data[i] == '\r' && s.data[i + 1] == '\n' &&
            onward_ascii_is_wsp((unsigned char)s.data[i + 2]))
            return i;
    }
    return s.len;
}

/* In a header whose lines may end in LF each LF in a value is a fold's: copy
 * the value without them. Returns the octets put at room. */
static size_t unfold_lf(char *room, struct onward_str value)
{
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '\n')
            continue;
        if (value.data[i] == '\r' && i + 1 < value.len &&
            value.data[i + 1] == '\n')
            continue;
        room[len++] = value.data[i];
    }
    return len;
}

static bool has_fold(const struct onward_header *h, struct onward_str value)
{
    if (h->allow_lf)
        return value.len > 0 && memchr(value.data, '\n', value.len) != NULL;
    return find_fold(value, 0) != value.len;
}

int onward_mime__unfold(struct onward_buf *out, struct onward_str value)
{
    size_t from = 0;
    int err = 0;

    while (err == 0 && from < value.len) {
        size_t fold = find_fold(value, from);

        err = onward_core__buf_add_str(out,
                                       onward_core__sub(value, from, fold));
        from = fold == value.len ? fold : fold + 2;
    }
    return err;
}

int onward_header_text(struct onward_header *header, size_t i,
                       struct onward_str *text)
{
    struct onward_mime__item *item;
    struct onward_str value;

    if (!has_item(header, i) || header->items[i].name_len == 0)
        return ONWARD_ENOENT;
    item = &header->items[i];
    value = onward_mime__value(header, i);
    if (!has_fold(header, value)) {
        *text = onward_core__str_trim(value);
        return 0;
    }
    if (item->text == NULL) {
        /* The unfolded value is shorter, so it fits where the value would. */
        char *room = onward_core__arena_alloc(&header->texts, value.len);
        size_t len = 0;

        if (room == NULL)
            return ONWARD_ENOMEM;
        if (header->allow_lf)
            len = unfold_lf(room, value);
        for (size_t from = 0; !header->allow_lf && from < value.len;) {
            size_t fold = find_fold(value, from);

            memcpy(room + len, value.data + from, fold - from);
            len += fold - from;
            from = fold == value.len ? fold : fold + 2;
        }
        item->text = room;
        item->text_len = len;
    }
    *text = onward_core__str_trim(
        onward_core__str(item->text, item->text_len));
    return 0;
}

/* ---- Anomalies --------------------------------------------------------- */

int onward_header_is_malformed(const struct onward_header *header)
{
    return header->is_malformed;
}

size_t onward_header_anomaly_count(const struct onward_header *header)
{
    return header->is_done ? header->anomaly_count : 0;
}

int onward_header_anomaly_at(const struct onward_header *header, size_t i,
                          struct onward_header_anomaly *anomaly)
{
    struct onward_header_anomaly out = {.size = anomaly->size};
    const struct onward_mime__anomaly *found;

    if (anomaly->size < sizeof(anomaly->size))
        return ONWARD_EINVAL;
    if (i >= onward_header_anomaly_count(header))
        return ONWARD_ENOENT;
    found = &header->anomalies[i];
    out.item = found->item;
    out.offset = found->offset;
    out.code = found->code;
    out.severity = onward_mime__is_malformed_code(found->code)
                       ? ONWARD_HEADER_MALFORMED
                       : ONWARD_HEADER_ODD;
    if (anomaly->size > sizeof(out))
        memset((char *)anomaly + sizeof(out), 0, anomaly->size - sizeof(out));
    memcpy(anomaly, &out,
           anomaly->size < sizeof(out) ? anomaly->size : sizeof(out));
    return 0;
}

const char *onward_header_anomaly_name(int code)
{
    switch (code) {
    case ONWARD_HEADER_NO_COLON:
        return "no-colon";
    case ONWARD_HEADER_EMPTY_NAME:
        return "empty-name";
    case ONWARD_HEADER_BAD_NAME:
        return "bad-name";
    case ONWARD_HEADER_LEADING_FOLD:
        return "leading-fold";
    case ONWARD_HEADER_FOLDED_NAME:
        return "folded-name";
    case ONWARD_HEADER_BARE_CR:
        return "bare-cr";
    case ONWARD_HEADER_BARE_LF:
        return "bare-lf";
    case ONWARD_HEADER_WSP_COLON:
        return "wsp-before-colon";
    case ONWARD_HEADER_BLANK_FOLD:
        return "blank-fold";
    case ONWARD_HEADER_NUL:
        return "nul";
    case ONWARD_HEADER_CONTROL:
        return "control";
    case ONWARD_HEADER_BAD_UTF8:
        return "bad-utf8";
    case ONWARD_HEADER_LONG_LINE:
        return "long-line";
    case ONWARD_HEADER_NO_END:
        return "no-empty-line";
    case ONWARD_HEADER_CUT_LINE:
        return "cut-line";
    }
    return "unknown";
}
