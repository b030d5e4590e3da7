/*
 * The bodies: the text and the HTML that a reader would show, and all else as
 * attachments. Messages in the message are not opened, they are attachments.
 */
#include <onward/mime_parser.h>

#include "webhook/webhook_priv.h"

struct reader {
    struct onward_mime_tree *tree;
    struct onward_json_writer *w;
    size_t text, html; /* parts; ONWARD_MIME_NONE */
};

static bool is_leaf(const struct onward_mime_part *p)
{
    return p->kind == ONWARD_MIME_LEAF || p->kind == ONWARD_MIME_UNREAD;
}

static bool is_shown(const struct onward_mime_part *p,
                     struct onward_str subtype)
{
    return p->kind == ONWARD_MIME_LEAF &&
           onward_core__str_eq(p->type, ONWARD_STR("text")) &&
           onward_core__str_eq(p->subtype, subtype) &&
           !onward_core__str_eq(p->disposition, ONWARD_STR("attachment"));
}

static void choose(struct reader *r)
{
    r->text = r->html = ONWARD_MIME_NONE;
    for (size_t i = 0; i < onward_mime_tree_count(r->tree); i++) {
        struct onward_mime_part p = {.size = sizeof(p)};

        if (onward_mime_tree_part(r->tree, i, &p) != 0)
            continue;
        if (r->text == ONWARD_MIME_NONE && is_shown(&p, ONWARD_STR("plain")))
            r->text = i;
        else if (r->html == ONWARD_MIME_NONE &&
                 is_shown(&p, ONWARD_STR("html")))
            r->html = i;
    }
}

/* In a charset that nobody knows: octets that are no UTF-8 become U+FFFD. */
static int write_shown(struct reader *r, const char *key, size_t part)
{
    struct onward_text *text = NULL;
    struct onward_str body = {0};
    int err;

    onward_json__key(r->w, key);
    if (part == ONWARD_MIME_NONE) {
        onward_json__null(r->w);
        return 0;
    }
    err = onward_mime_tree_text(r->tree, part, &text);
    if (err == 0)
        body = onward_text_str(text);
    else if (err == ONWARD_ENOENT)
        err = onward_mime_tree_body(r->tree, part, &body);
    onward_json__string(r->w, body);
    onward_text_free(text);
    return err;
}

static int write_type(struct reader *r, const struct onward_mime_part *p)
{
    struct onward_buf type;
    int err;

    onward_core__buf_init(&type, r->w->out->ctx, 1024);
    onward_core__buf_add_str(&type, p->type);
    onward_core__buf_add_text(&type, "/");
    err = onward_core__buf_add_str(&type, p->subtype);
    onward_json__key(r->w, "type");
    onward_json__string(r->w, err == 0
                                  ? onward_core__buf_str(&type)
                                  : ONWARD_STR("application/octet-stream"));
    onward_core__buf_clear(&type);
    return err == ONWARD_ENOMEM ? err : 0;
}

static int write_attachment(struct reader *r, size_t i,
                            const struct onward_mime_part *p)
{
    struct onward_str body;
    int err = onward_mime_tree_body(r->tree, i, &body);

    if (err != 0)
        return err;
    onward_json__open_object(r->w);
    onward_json__key(r->w, "filename");
    onward_webhook__write_or_null(r->w, p->name);
    err = write_type(r, p);
    onward_json__key(r->w, "disposition");
    onward_webhook__write_or_null(r->w, p->disposition);
    onward_json__key(r->w, "contentId");
    onward_webhook__write_or_null(r->w, p->content_id);
    onward_json__key(r->w, "size");
    onward_json__number(r->w, (int64_t)body.len);
    onward_json__key(r->w, "content");
    onward_json__base64(r->w, body);
    onward_json__close_object(r->w);
    return err;
}

static int write_attachments(struct reader *r)
{
    int err = 0;

    onward_json__key(r->w, "attachments");
    onward_json__open_array(r->w);
    for (size_t i = 0; i < onward_mime_tree_count(r->tree) && err == 0; i++) {
        struct onward_mime_part p = {.size = sizeof(p)};

        err = onward_mime_tree_part(r->tree, i, &p);
        if (err == 0 && is_leaf(&p) && i != r->text && i != r->html)
            err = write_attachment(r, i, &p);
    }
    onward_json__close_array(r->w);
    return err;
}

static bool is_malformed(const struct onward_mime_tree *tree)
{
    for (size_t i = 0; i < onward_mime_tree_anomaly_count(tree); i++) {
        struct onward_mime_anomaly a = {.size = sizeof(a)};

        if (onward_mime_tree_anomaly_at(tree, i, &a) == 0 &&
            a.severity >= ONWARD_HEADER_MALFORMED)
            return true;
    }
    return false;
}

int onward_webhook__write_parts(struct onward_ctx *ctx,
                                struct onward_json_writer *w,
                                struct onward_str message)
{
    const struct onward_mime_opts o = {.size = sizeof(o),
                                       .flags = ONWARD_MIME_FLAT_MESSAGES};
    struct reader r = {.w = w};
    int err = onward_mime_tree_new(ctx, message, &o, &r.tree);

    if (err != 0)
        return err;
    choose(&r);
    onward_json__key(w, "malformed");
    onward_json__bool(w, is_malformed(r.tree));
    err = write_shown(&r, "text", r.text);
    if (err == 0)
        err = write_shown(&r, "html", r.html);
    if (err == 0)
        err = write_attachments(&r);
    onward_mime_tree_free(r.tree);
    return err;
}
