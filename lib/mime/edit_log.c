/*
 * What an edit has changed, and which signatures break by it.
 */
#include "mime/edit_priv.h"

int onward_mime__edit_note(struct onward_edit *e,
                           const struct onward_edit_change *change)
{
    int err = onward_mime__edit_grow(e, (void **)&e->changes, e->change_count,
                                     &e->change_cap, sizeof(*e->changes));

    if (err == 0)
        e->changes[e->change_count++] = *change;
    return err;
}

size_t onward_edit_change_count(const struct onward_edit *edit)
{
    return edit->change_count + edit->cut_count;
}

/* What was cut stands in is_cut, behind all else. */
static struct onward_edit_change cut_of(const struct onward_edit *e, size_t i)
{
    return (struct onward_edit_change){
        .kind = ONWARD_EDIT_FIELD_CUT,
        .item = i,
        .offset = e->header->items[i].offset,
        .removed = e->header->items[i].len,
        .name = onward_mime__name(e->header, i)};
}

int onward_edit_change_at(const struct onward_edit *edit, size_t i,
                          struct onward_edit_change *change)
{
    struct onward_edit_change out;

    if (i >= edit->change_count + edit->cut_count)
        return ONWARD_ENOENT;
    if (i < edit->change_count) {
        out = edit->changes[i];
    } else {
        size_t item = 0;

        for (i -= edit->change_count; i > 0 || !edit->is_cut[item]; item++)
            i -= edit->is_cut[item];
        out = cut_of(edit, item);
    }
    out.size = sizeof(out);
    return onward_core__out_store(change, &out, sizeof(out));
}

/* ---- Signatures -------------------------------------------------------- */

int onward_edit_add_signature(struct onward_edit *edit,
                              const struct onward_edit_signature *signature)
{
    struct onward_edit_signature o;
    struct onward_mime__signed s = {0};
    int err = onward_core__opts_load(&o, sizeof(o), signature);

    if (err == 0 && signature == NULL)
        err = ONWARD_EINVAL;
    if (err == 0)
        err = onward_core__arena_dup(&edit->arena, o.fields, &s.fields);
    if (err == 0)
        err = onward_mime__edit_grow(
            edit, (void **)&edit->signatures, edit->signature_count,
            &edit->signature_cap, sizeof(*edit->signatures));
    if (err != 0)
        return err;
    s.body_len = o.has_body_len != 0 ? o.body_len : UINT64_MAX;
    edit->signatures[edit->signature_count++] = s;
    return 0;
}

/* How often a list with colons names the field. */
static size_t count_named(struct onward_str list, struct onward_str name)
{
    size_t count = 0;

    for (size_t at = 0; at <= list.len;) {
        struct onward_str rest = onward_core__sub(list, at, list.len);
        size_t end = onward_core__str_find(rest, ':');

        count += onward_core__str_ieq(
            onward_core__str_trim(onward_core__sub(rest, 0, end)), name);
        at += end + 1;
    }
    return count;
}

/* How many fields of its name stand below item i, as the message came. */
static size_t below_of(const struct onward_header *h, size_t i)
{
    size_t count = 0;

    for (i = h->items[i].below; i != ONWARD_HEADER_NONE;
         i = h->items[i].below)
        count++;
    return count;
}

/* A signature takes fields from below, and one that it names more often than it
 * is there must not come (RFC 6376 section 5.4.2). */
static bool breaks_header(const struct onward_edit *e,
                          const struct onward_mime__signed *s,
                          const struct onward_edit_change *c)
{
    size_t named = count_named(s->fields, c->name);

    if (c->item == ONWARD_HEADER_NONE)
        return named > onward_header_count_named(e->header, c->name);
    return named > below_of(e->header, c->item);
}

static bool breaks(const struct onward_edit *e,
                   const struct onward_mime__signed *s,
                   const struct onward_edit_change *c)
{
    uint64_t body = e->header->body;

    switch ((enum onward_edit_change_kind)c->kind) {
    case ONWARD_EDIT_FIELD_ADDED:
    case ONWARD_EDIT_FIELD_CUT:
    case ONWARD_EDIT_FIELD_REPLACED:
        return breaks_header(e, s, c);
    case ONWARD_EDIT_PART_DROPPED:
    case ONWARD_EDIT_PART_REPLACED:
    case ONWARD_EDIT_PART_ADDED:
    case ONWARD_EDIT_TEXT_EXTENDED:
    case ONWARD_EDIT_WRAPPED:
        break;
    }
    return c->offset < body || c->offset - body < s->body_len;
}

size_t onward_edit_broken_by(const struct onward_edit *edit, size_t signature)
{
    if (signature >= edit->signature_count)
        return ONWARD_HEADER_NONE;
    for (size_t i = 0; i < edit->change_count; i++) {
        if (breaks(edit, &edit->signatures[signature], &edit->changes[i]))
            return i;
    }
    for (size_t item = 0, i = edit->change_count; item < edit->header->count;
         item++) {
        struct onward_edit_change cut;

        if (!edit->is_cut[item])
            continue;
        cut = cut_of(edit, item);
        if (breaks(edit, &edit->signatures[signature], &cut))
            return i;
        i++;
    }
    return ONWARD_HEADER_NONE;
}
