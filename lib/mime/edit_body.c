/*
 * The body as it leaves: runs of the message below, and text in between.
 */
#include "mime/edit_priv.h"

int onward_mime__edit_grow(struct onward_edit *e, void **items, size_t count,
                           size_t *cap, size_t size)
{
    size_t want = *cap == 0 ? 8 : *cap * 2;
    void *moved;

    if (count < *cap)
        return 0;
    moved = onward_core__realloc(e->ctx, *items, want * size);
    if (moved == NULL)
        return ONWARD_ENOMEM;
    *items = moved;
    *cap = want;
    return 0;
}

static void add_run(struct onward_edit *e, uint64_t *at, uint64_t from,
                    uint64_t len, const char *text)
{
    if (len == 0)
        return;
    e->runs[e->run_count++] = (struct onward_mime__run){
        .offset = *at, .len = len, .from = from, .text = text};
    *at += len;
}

/* The runs that the splices make. */
static int make_runs(struct onward_edit *e)
{
    size_t most = 2 * e->splice_count + 1;
    uint64_t at = 0, from = e->header->body;
    void *moved =
        onward_core__realloc(e->ctx, e->runs, most * sizeof(*e->runs));

    if (moved == NULL)
        return ONWARD_ENOMEM;
    e->runs = moved;
    e->run_count = 0;
    for (size_t i = 0; i < e->splice_count; i++) {
        const struct onward_mime__splice *s = &e->splices[i];

        add_run(e, &at, from, s->from - from, NULL);
        add_run(e, &at, 0, s->text.len, s->text.data);
        from = s->to;
    }
    add_run(e, &at, from, e->below.len - from, NULL);
    e->body.len = at;
    return 0;
}

int onward_mime__edit_splice(struct onward_edit *e, uint64_t from, uint64_t to,
                             struct onward_str text)
{
    struct onward_mime__splice splice = {.from = from, .to = to};
    size_t i = e->splice_count;
    int err;

    while (i > 0 && e->splices[i - 1].from > from)
        i--;
    /* Behind another one at the same place, in the order of the calls. */
    if ((i > 0 && e->splices[i - 1].to > from) ||
        (i < e->splice_count && e->splices[i].from < to))
        return ONWARD_EINVAL;
    err = onward_core__arena_dup(&e->arena, text, &splice.text);
    if (err == 0)
        err = onward_mime__edit_grow(e, (void **)&e->splices, e->splice_count,
                                     &e->splice_cap, sizeof(*e->splices));
    if (err != 0)
        return err;
    memmove(&e->splices[i + 1], &e->splices[i],
            (e->splice_count - i) * sizeof(*e->splices));
    e->splices[i] = splice;
    e->splice_count++;
    err = make_runs(e);
    if (err != 0) {
        e->splice_count--;
        memmove(&e->splices[i], &e->splices[i + 1],
                (e->splice_count - i) * sizeof(*e->splices));
    }
    return err;
}

int onward_mime__edit_read_below(struct onward_edit *e, uint64_t offset,
                                 void *buf, size_t cap, size_t *got)
{
    if (cap > e->below.len - offset)
        cap = (size_t)(e->below.len - offset);
    return e->below.read(e->below.user, offset, buf, cap, got);
}

int onward_mime__edit_body_read(void *user, uint64_t offset, void *buf,
                                size_t cap, size_t *got)
{
    struct onward_edit *e = user;
    size_t low = 0, high = e->run_count;
    const struct onward_mime__run *run;

    if (offset >= e->body.len) {
        *got = 0;
        return 0;
    }
    if (e->run_count == 0)
        return onward_mime__edit_read_below(e, e->header->body + offset, buf,
                                            cap, got);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (e->runs[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    run = &e->runs[low];
    offset -= run->offset;
    if (cap > run->len - offset)
        cap = (size_t)(run->len - offset);
    if (run->text == NULL)
        return onward_mime__edit_read_below(e, run->from + offset, buf, cap,
                                            got);
    memcpy(buf, run->text + offset, cap);
    *got = cap;
    return 0;
}
