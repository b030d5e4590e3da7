/*
 * The parts of a message below an edit: read once, dropped, replaced.
 */
#include "mime/edit_priv.h"

enum { CHUNK = 16384 };

/* ---- Reading them ------------------------------------------------------ */

static int keep(struct onward_edit *e, struct onward_str s,
                struct onward_str *copy)
{
    return onward_core__arena_dup(&e->arena, s, copy);
}

static int begin(struct onward_edit *e, const struct onward_mime_part *part)
{
    struct onward_mime__place place = {.offset = part->offset,
                                       .parent = part->parent,
                                       .before = ONWARD_MIME_NONE,
                                       .next = ONWARD_MIME_NONE,
                                       .last_child = ONWARD_MIME_NONE};
    size_t i = e->place_count;
    int err = onward_mime__edit_grow(e, (void **)&e->places, i, &e->place_cap,
                                     sizeof(*e->places));

    if (err != 0)
        return err;
    if (part->parent != ONWARD_MIME_NONE) {
        struct onward_mime__place *parent = &e->places[part->parent];

        place.before = parent->last_child;
        if (place.before != ONWARD_MIME_NONE)
            e->places[place.before].next = i;
        parent->last_child = i;
    }
    e->places[i] = place;
    e->place_count++;
    return 0;
}

static int read_facts(struct onward_edit *e,
                      const struct onward_mime_part *part)
{
    struct onward_mime__place *place = &e->places[part->index];
    int err = keep(e, part->type, &place->type);

    place->body_offset = part->body_offset;
    place->kind = part->kind;
    place->encoding = part->encoding;
    if (err == 0)
        err = keep(e, part->subtype, &place->subtype);
    if (err == 0)
        err = keep(e, part->boundary, &place->boundary);
    return err == 0 ? keep(e, part->charset, &place->charset) : err;
}

/* The end of a body, over its pieces. */
static void look_at_end(struct onward_mime__place *place, struct onward_str s)
{
    for (size_t i = s.len > 3 ? s.len - 3 : 0; i < s.len; i++) {
        memmove(place->tail, place->tail + 1, 2);
        place->tail[2] = s.data[i];
    }
}

static int on_event(void *user, const struct onward_mime_event *event)
{
    struct onward_edit *e = user;

    switch ((enum onward_mime_event_kind)event->kind) {
    case ONWARD_MIME_PART_BEGIN:
        return begin(e, event->part);
    case ONWARD_MIME_HEADER_END:
        return read_facts(e, event->part);
    case ONWARD_MIME_BODY:
        look_at_end(&e->places[event->part->index], event->data);
        return 0;
    case ONWARD_MIME_DELIMITER:
        e->places[event->part->index].is_closed = event->is_close != 0;
        return 0;
    case ONWARD_MIME_PART_END:
        e->places[event->part->index].end = event->part->end;
        return 0;
    case ONWARD_MIME_FIELD:
    case ONWARD_MIME_PREAMBLE:
    case ONWARD_MIME_DECODED:
    case ONWARD_MIME_EPILOGUE:
    case ONWARD_MIME_ANOMALY:
        break;
    }
    return 0;
}

static int start(struct onward_edit *e)
{
    const struct onward_mime_handler handler = {
        .size = sizeof(handler), .user = e, .event = on_event};

    if (e->parser != NULL)
        return 0;
    return onward_mime_parser_new(e->ctx, &handler, NULL, &e->parser);
}

int onward_edit_read_parts(struct onward_edit *edit)
{
    char buf[CHUNK];
    int err;

    if (edit->has_parts)
        return 0;
    err = start(edit);
    while (err == 0 && edit->parsed < edit->below.len) {
        size_t got = 0;

        err = onward_mime__edit_read_below(edit, edit->parsed, buf,
                                           sizeof(buf), &got);
        if (err == ONWARD_AGAIN && edit->below.wait != NULL)
            return err;
        if (err != 0 || got == 0 || got > sizeof(buf))
            return ONWARD_ECALLBACK;
        err = onward_mime_parser_feed(edit->parser, buf, got);
        edit->parsed += got;
    }
    if (err == 0)
        err = onward_mime_parser_finish(edit->parser);
    if (err != 0)
        return err == ONWARD_ECALLBACK ? ONWARD_ENOMEM : err;
    onward_mime_parser_free(edit->parser);
    edit->parser = NULL;
    edit->has_parts = true;
    return 0;
}

/* ---- Changing them ----------------------------------------------------- */

/* A part that may be changed: of a multipart, known, nothing around it or in
 * it changed yet. */
static int check_part(const struct onward_edit *e, size_t part)
{
    if (e->is_sealed || !e->has_parts)
        return ONWARD_ESTATE;
    if (part >= e->place_count)
        return ONWARD_ENOENT;
    if (e->places[part].parent == ONWARD_MIME_NONE ||
        e->places[e->places[part].parent].kind != ONWARD_MIME_MULTIPART)
        return ONWARD_EINVAL;
    return 0;
}

static int note(struct onward_edit *e, int kind, size_t part, uint64_t from,
                uint64_t to, size_t added)
{
    const struct onward_edit_change change = {.kind = (size_t)kind,
                                              .item = part,
                                              .offset = from,
                                              .removed = to - from,
                                              .added = added};

    return onward_mime__edit_note(e, &change);
}

static int change(struct onward_edit *e, int kind, size_t part, uint64_t from,
                  uint64_t to, struct onward_str text)
{
    int err = onward_mime__edit_splice(e, from, to, text);

    return err == 0 ? note(e, kind, part, from, to, text.len) : err;
}

/* Of those that are left, the first: the delimiter of the next one goes, and
 * all between is gone before. */
static int drop_first(struct onward_edit *e, size_t part)
{
    const struct onward_mime__place *p = &e->places[part];
    size_t next = p->next;
    int err;

    while (next != ONWARD_MIME_NONE && e->places[next].is_dropped)
        next = e->places[next].next;
    if (next == ONWARD_MIME_NONE) /* a multipart has one part at least */
        return ONWARD_EINVAL;
    if (next == p->next)
        return change(e, ONWARD_EDIT_PART_DROPPED, part, p->offset,
                      e->places[next].offset, ONWARD_STR(""));
    err = change(e, ONWARD_EDIT_PART_DROPPED, part,
                 e->places[e->places[next].before].end, e->places[next].offset,
                 ONWARD_STR(""));
    return err != 0 ? err
                    : change(e, ONWARD_EDIT_PART_DROPPED, part, p->offset,
                             p->end, ONWARD_STR(""));
}

int onward_edit_drop_part(struct onward_edit *edit, size_t part)
{
    const struct onward_mime__place *p;
    size_t kept;
    int err = check_part(edit, part);

    if (err != 0)
        return err;
    p = &edit->places[part];
    /* With the delimiter above it, or the one below it when all above are
     * gone: so no delimiter goes twice. */
    if (p->is_dropped)
        return 0;
    kept = p->before;
    while (kept != ONWARD_MIME_NONE && edit->places[kept].is_dropped)
        kept = edit->places[kept].before;
    if (kept != ONWARD_MIME_NONE)
        err = change(edit, ONWARD_EDIT_PART_DROPPED, part,
                     edit->places[p->before].end, p->end, ONWARD_STR(""));
    else
        err = drop_first(edit, part);
    if (err == 0)
        edit->places[part].is_dropped = true;
    return err;
}

/* Would a line of text be a delimiter of a multipart around the part? */
static bool holds_delimiter(const struct onward_edit *e, size_t part,
                            struct onward_str text)
{
    for (size_t up = e->places[part].parent; up != ONWARD_MIME_NONE;
         up = e->places[up].parent) {
        struct onward_str boundary = e->places[up].boundary;

        for (size_t at = 0; boundary.len > 0 && at + 2 < text.len; at++) {
            struct onward_str rest = onward_core__sub(text, at, text.len);

            if ((at == 0 || text.data[at - 1] == '\n') &&
                onward_core__str_starts(rest, ONWARD_STR("--")) &&
                onward_core__str_starts(onward_core__sub(rest, 2, rest.len),
                                        boundary))
                return true;
        }
    }
    return false;
}

/* Lines of at most 998 octets that end in CRLF; the last one may not. */
static bool is_safe_octets(struct onward_str s)
{
    size_t line = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (c == '\r' && i + 1 < s.len && s.data[i + 1] == '\n') {
            i++;
            line = 0;
        } else if (c == '\r' || c == '\n' || c == '\0' || ++line > 998) {
            return false;
        }
    }
    return true;
}

int onward_edit_replace_part(struct onward_edit *edit, size_t part,
                             struct onward_str octets)
{
    int err = check_part(edit, part);

    if (err != 0)
        return err;
    if (!is_safe_octets(octets) || holds_delimiter(edit, part, octets))
        return ONWARD_ESYNTAX;
    return change(edit, ONWARD_EDIT_PART_REPLACED, part,
                  edit->places[part].offset, edit->places[part].end, octets);
}
