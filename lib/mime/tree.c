/*
 * A tree over a message that the host keeps: the parser's events, kept as
 * places; headers and bodies are read again when they are asked for.
 */
#include "mime/parser_priv.h"

#include "core/text_shared.h"

struct record {
    struct onward_mime_part part;
    size_t last_child;
    struct onward_header *header; /* once it was asked for */
    struct onward_buf body;       /* decoded, once it was asked for */
    bool has_body;
};

struct onward_mime_tree {
    struct onward_ctx *ctx;
    struct onward_str message;
    struct onward_mime__text_opts text;
    size_t flags;
    struct onward_arena arena; /* of the parts' texts */
    struct record *records;
    size_t count, cap;
    struct onward_mime_anomaly *anomalies;
    size_t anomaly_count, anomaly_cap;
    int err; /* of building: the parser only knows that we failed */
};

/* ---- Building ---------------------------------------------------------- */

static int grow(struct onward_ctx *ctx, void **array, size_t count, size_t *cap,
                size_t item_size)
{
    size_t want = *cap == 0 ? 8 : *cap * 2;
    void *moved;

    if (count < *cap)
        return 0;
    if (want > SIZE_MAX / 2 / item_size)
        return ONWARD_ENOMEM;
    moved = onward_core__realloc(ctx, *array, want * item_size);
    if (moved == NULL)
        return ONWARD_ENOMEM;
    *array = moved;
    *cap = want;
    return 0;
}

static int add_part(struct onward_mime_tree *t,
                    const struct onward_mime_part *part)
{
    void *array = t->records;
    int err = grow(t->ctx, &array, t->count, &t->cap, sizeof(*t->records));
    struct record *r;

    t->records = array;
    if (err != 0)
        return err;
    r = &t->records[t->count++];
    memset(r, 0, sizeof(*r));
    r->part = *part;
    r->last_child = ONWARD_MIME_NONE;
    if (part->parent == ONWARD_MIME_NONE)
        return 0;
    if (t->records[part->parent].last_child == ONWARD_MIME_NONE)
        t->records[part->parent].part.first_child = part->index;
    else
        t->records[t->records[part->parent].last_child].part.next = part->index;
    t->records[part->parent].last_child = part->index;
    return 0;
}

/* The facts of a part whose header has ended; its texts are copied. */
static int set_facts(struct onward_mime_tree *t,
                     const struct onward_mime_part *part)
{
    struct onward_mime_part *own = &t->records[part->index].part;
    size_t first_child = own->first_child, next = own->next;
    struct onward_str *texts[] = {
        &own->type,       &own->subtype, &own->boundary,
        &own->charset,    &own->name,    &own->disposition,
        &own->content_id, &own->format,  &own->report_type};
    int err = 0;

    *own = *part;
    own->first_child = first_child;
    own->next = next;
    for (size_t i = 0; err == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
        err = onward_core__arena_dup(&t->arena, *texts[i], texts[i]);
    return err;
}

static int add_anomaly(struct onward_mime_tree *t,
                       const struct onward_mime_event *event)
{
    void *array = t->anomalies;
    int err = grow(t->ctx, &array, t->anomaly_count, &t->anomaly_cap,
                   sizeof(*t->anomalies));

    t->anomalies = array;
    if (err != 0)
        return err;
    t->anomalies[t->anomaly_count++] = (struct onward_mime_anomaly){
        .size = sizeof(*t->anomalies),
        .part = event->part->index,
        .offset = event->offset,
        .detail = event->detail,
        .code = event->code,
        .severity = event->severity,
    };
    return 0;
}

static int on_event(void *user, const struct onward_mime_event *event)
{
    struct onward_mime_tree *t = user;

    switch (event->kind) {
    case ONWARD_MIME_PART_BEGIN:
        t->err = add_part(t, event->part);
        break;
    case ONWARD_MIME_HEADER_END:
        t->err = set_facts(t, event->part);
        break;
    case ONWARD_MIME_PART_END: {
        struct onward_mime_part *own = &t->records[event->part->index].part;

        own->end = event->part->end;
        own->decoded_len = event->part->decoded_len;
        own->severity = event->part->severity;
        break;
    }
    case ONWARD_MIME_ANOMALY:
        t->err = add_anomaly(t, event);
        break;
    default:
        break;
    }
    return t->err;
}

static int build(struct onward_mime_tree *t,
                 const struct onward_mime_opts *opts)
{
    const struct onward_mime_handler handler = {
        .size = sizeof(handler), .user = t, .event = on_event};
    struct onward_mime_parser *parser = NULL;
    int err = onward_mime_parser_new(t->ctx, &handler, opts, &parser);

    if (err != 0)
        return err;
    t->text = parser->text;
    t->flags = parser->opts.flags;
    err = onward_core__arena_dup(&t->arena, parser->text.raw_charset,
                                 &t->text.raw_charset);
    if (err == 0)
        err = onward_mime_parser_feed(parser, t->message.data, t->message.len);
    if (err == 0)
        err = onward_mime_parser_finish(parser);
    onward_mime_parser_free(parser);
    return t->err != 0 ? t->err : err;
}

int onward_mime_tree_new(struct onward_ctx *ctx, struct onward_str message,
                         const struct onward_mime_opts *opts,
                         struct onward_mime_tree **tree)
{
    struct onward_mime_tree *made = onward_core__zalloc(ctx, sizeof(*made));
    int err;

    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_ctx_ref(ctx);
    made->message = message;
    onward_core__arena_init(&made->arena, ctx, SIZE_MAX);
    err = build(made, opts);
    if (err != 0) {
        onward_mime_tree_free(made);
        return err;
    }
    *tree = made;
    return 0;
}

void onward_mime_tree_free(struct onward_mime_tree *tree)
{
    struct onward_ctx *ctx;

    if (tree == NULL)
        return;
    ctx = tree->ctx;
    for (size_t i = 0; i < tree->count; i++) {
        onward_header_free(tree->records[i].header);
        if (tree->records[i].has_body)
            onward_core__buf_clear(&tree->records[i].body);
    }
    onward_core__free(ctx, tree->records);
    onward_core__free(ctx, tree->anomalies);
    onward_core__arena_clear(&tree->arena);
    onward_core__free(ctx, tree);
    onward_ctx_free(ctx);
}

/* ---- Reading ----------------------------------------------------------- */

size_t onward_mime_tree_count(const struct onward_mime_tree *tree)
{
    return tree->count;
}

int onward_mime_tree_part(const struct onward_mime_tree *tree, size_t i,
                          struct onward_mime_part *part)
{
    if (i >= tree->count)
        return ONWARD_ENOENT;
    return onward_core__out_store(part, &tree->records[i].part,
                                  sizeof(tree->records[i].part));
}

static struct onward_str range(const struct onward_mime_tree *tree,
                               uint64_t from, uint64_t to)
{
    return onward_core__sub(tree->message, (size_t)from, (size_t)to);
}

int onward_mime_tree_header(struct onward_mime_tree *tree, size_t i,
                            struct onward_header **header)
{
    struct onward_header *made;
    struct onward_str block;
    size_t taken;
    int err;

    if (i >= tree->count || tree->records[i].part.kind == ONWARD_MIME_UNREAD)
        return ONWARD_ENOENT;
    if (tree->records[i].header != NULL) {
        *header = tree->records[i].header;
        return 0;
    }
    err = onward_header_new(tree->ctx, &made);
    if (err != 0)
        return err;
    made->allow_lf = (tree->flags & ONWARD_MIME_ALLOW_LF) != 0;
    block = range(tree, tree->records[i].part.offset,
                  tree->records[i].part.body_offset);
    err = onward_header_feed(made, block.data, block.len, &taken);
    if (err >= 0)
        err = onward_header_finish(made);
    if (err != 0) {
        onward_header_free(made);
        return err;
    }
    tree->records[i].header = made;
    *header = made;
    return 0;
}

struct onward_str onward_mime_tree_raw(const struct onward_mime_tree *tree,
                                       size_t i, int with_header)
{
    const struct onward_mime_part *part;

    if (i >= tree->count)
        return onward_core__str(NULL, 0);
    part = &tree->records[i].part;
    return range(tree, with_header != 0 ? part->offset : part->body_offset,
                 part->end);
}

static bool is_decoded(const struct onward_mime_tree *tree,
                       const struct onward_mime_part *part)
{
    if (part->kind != ONWARD_MIME_LEAF)
        return false;
    return part->encoding == ONWARD_ENCODING_BASE64 ||
           part->encoding == ONWARD_ENCODING_QUOTED_PRINTABLE ||
           (part->encoding == ONWARD_ENCODING_UUENCODE &&
            (tree->flags & ONWARD_MIME_ALLOW_UUENCODE) != 0);
}

int onward_mime_tree_body(struct onward_mime_tree *tree, size_t i,
                          struct onward_str *body)
{
    struct record *r;
    uint32_t damage = 0;
    int err;

    if (i >= tree->count)
        return ONWARD_ENOENT;
    r = &tree->records[i];
    if (!is_decoded(tree, &r->part)) {
        *body = onward_mime_tree_raw(tree, i, 0);
        return 0;
    }
    if (!r->has_body) {
        onward_core__buf_init(&r->body, tree->ctx, SIZE_MAX);
        err =
            onward_mime__decode_all(&r->body, r->part.encoding,
                                    onward_mime_tree_raw(tree, i, 0), &damage);
        if (err != 0) {
            onward_core__buf_clear(&r->body);
            return err;
        }
        r->has_body = true;
    }
    *body = onward_core__buf_str(&r->body);
    return 0;
}

int onward_mime_tree_text(struct onward_mime_tree *tree, size_t i,
                          struct onward_text **text)
{
    const struct onward_mime_part *part;
    struct onward_text *made, *joined;
    struct onward_str body;
    uint64_t notes;
    int err;

    if (i >= tree->count ||
        tree->records[i].part.kind == ONWARD_MIME_MULTIPART ||
        tree->records[i].part.kind == ONWARD_MIME_MESSAGE)
        return ONWARD_ENOENT;
    part = &tree->records[i].part;
    err = onward_mime_tree_body(tree, i, &body);
    if (err == 0)
        err = onward_mime__text_new(tree->ctx, SIZE_MAX, &made);
    if (err != 0)
        return err;
    if (part->charset.len == 0)
        err = onward_mime__add_raw(&made->buf, body, &tree->text, &made->notes);
    else
        err = onward_mime__convert_all(&made->buf, part->charset, body,
                                       &tree->text.charsets, &made->notes);
    err = onward_mime__text_end(made, err, &made);
    if (err != 0 || !onward_core__str_eq(part->format, ONWARD_STR("flowed"))) {
        if (err == 0)
            *text = made;
        return err;
    }
    notes = made->notes;
    err = onward_flowed_decode(tree->ctx, onward_text_str(made), part->is_delsp,
                               &joined);
    onward_text_free(made);
    if (err != 0)
        return err;
    joined->notes |= notes;
    *text = joined;
    return 0;
}

size_t onward_mime_tree_anomaly_count(const struct onward_mime_tree *tree)
{
    return tree->anomaly_count;
}

int onward_mime_tree_anomaly_at(const struct onward_mime_tree *tree, size_t i,
                                struct onward_mime_anomaly *anomaly)
{
    if (i >= tree->anomaly_count)
        return ONWARD_ENOENT;
    return onward_core__out_store(anomaly, &tree->anomalies[i],
                                  sizeof(tree->anomalies[i]));
}
