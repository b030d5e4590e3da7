/*
 * A ruleset's life: from a text, from an image, to an image.
 */
#include "ruleset/ruleset_priv.h"

enum { TEXT_MAX = 64 * 1024 * 1024, DEPTH_MAX = 32 };

_Static_assert(offsetof(struct onward_ruleset_opts, max_depth) +
                       sizeof(((struct onward_ruleset_opts *)0)->max_depth) ==
                   sizeof(struct onward_ruleset_opts),
               "no tail padding");

/* ---- Life -------------------------------------------------------------- */

int onward_ruleset__wrap(struct onward_ruleset__image *image,
                         struct onward_ruleset **rs)
{
    struct onward_ruleset *made =
        onward_core__zalloc(image->ctx, sizeof(*made));

    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = onward_ctx_ref(image->ctx);
    atomic_init(&made->owners, 1);
    made->image = image;
    made->zone_count = image->zone_count;
    made->rule_count = image->rule_count;
    made->has_wildcard = image->has_wildcard;
    *rs = made;
    return 0;
}

struct onward_ruleset *onward_ruleset_ref(struct onward_ruleset *rs)
{
    atomic_fetch_add_explicit(&rs->owners, 1, memory_order_relaxed);
    return rs;
}

void onward_ruleset_free(struct onward_ruleset *rs)
{
    struct onward_ctx *ctx;

    if (rs == NULL ||
        atomic_fetch_sub_explicit(&rs->owners, 1, memory_order_acq_rel) != 1)
        return;
    ctx = rs->ctx;
    onward_ruleset__changes_free(ctx, rs->changes);
    onward_ruleset__image_free(rs->image);
    onward_core__free(ctx, rs);
    onward_ctx_free(ctx);
}

size_t onward_ruleset_zone_count(const struct onward_ruleset *rs)
{
    return rs->zone_count;
}

uint64_t onward_ruleset_rule_count(const struct onward_ruleset *rs)
{
    return rs->rule_count;
}

int onward_ruleset_destination(const struct onward_ruleset *rs,
                               struct onward_str address)
{
    return (int)onward_ruleset__image_address(rs->image, address);
}

bool onward_ruleset__is_verified(const struct onward_ruleset *rs,
                                 struct onward_str address)
{
    return onward_ruleset__image_address(rs->image, address) ==
           ONWARD_RULESET_STATE_VERIFIED;
}

/* ---- From a text ------------------------------------------------------- */

static void loader_init(struct loader *l, struct onward_ctx *ctx,
                        struct onward_ruleset_fault *fault)
{
    *l = (struct loader){.ctx = ctx, .fault = fault};
    onward_core__arena_init(&l->json, ctx, SIZE_MAX);
    onward_core__arena_init(&l->items, ctx, SIZE_MAX);
    l->items.first = 16 * 1024;
    onward_ruleset__draft_init(&l->draft, ctx);
}

static void loader_clear(struct loader *l)
{
    onward_core__arena_clear(&l->json);
    onward_core__arena_clear(&l->items);
    onward_ruleset__draft_clear(&l->draft);
}

static void hand_out(struct onward_ruleset_fault *out,
                     struct onward_ruleset_fault *found)
{
    found->size = sizeof(*found);
    (void)onward_core__out_store(out, found, sizeof(*found));
}

/* Options and fault are sound; the text is not too long. */
static int check_text(struct onward_str text,
                      const struct onward_ruleset_opts *opts,
                      struct onward_ruleset_fault *fault,
                      struct onward_ruleset_opts *o,
                      struct onward_ruleset_fault *found)
{
    static const char what[] = "text over the limit of max_bytes";
    int err = onward_core__opts_load(o, sizeof(*o), opts);

    if (err == 0 && fault != NULL && fault->size < sizeof(fault->size))
        err = ONWARD_EINVAL;
    if (err != 0)
        return err;
    o->max_bytes = onward_core__limit(o->max_bytes, TEXT_MAX);
    o->max_depth = onward_core__limit(o->max_depth, DEPTH_MAX);
    if (text.len <= o->max_bytes)
        return 0;
    memcpy(found->text, what, sizeof(what));
    if (fault != NULL)
        hand_out(fault, found);
    return ONWARD_ELIMIT;
}

int onward_ruleset_new(struct onward_ctx *ctx, struct onward_str text,
                       const struct onward_ruleset_opts *opts,
                       struct onward_ruleset_fault *fault,
                       struct onward_ruleset **rs)
{
    struct onward_ruleset_fault found = {0};
    struct onward_ruleset__image *image;
    struct onward_ruleset__build build;
    struct onward_ruleset_opts o;
    struct loader l;
    int err = check_text(text, opts, fault, &o, &found);

    if (err != 0)
        return err;
    err = onward_ruleset__build_init(&build, ctx, NULL);
    if (err != 0)
        return err;
    loader_init(&l, ctx, &found);
    l.build = &build;
    err = onward_ruleset__read(&l, text, o.max_depth);
    loader_clear(&l);
    if (err == 0)
        err = onward_ruleset__build_end(&build, &image);
    else
        onward_ruleset__build_clear(&build);
    if (err == 0) {
        err = onward_ruleset__wrap(image, rs);
        if (err != 0)
            onward_ruleset__image_free(image);
    }
    if (fault != NULL && (err == ONWARD_ESYNTAX || err == ONWARD_ELIMIT))
        hand_out(fault, &found);
    return err;
}

/* ---- One zone ---------------------------------------------------------- */

static int read_record(struct onward_ruleset *rs, struct onward_str text,
                       size_t max_depth, struct onward_ruleset_fault *found,
                       struct onward_buf *out)
{
    struct onward_json_fault json_fault;
    struct onward_json *root;
    struct loader l;
    int err;

    loader_init(&l, rs->ctx, found);
    err = onward_json__parse(&l.json, text, max_depth, &root, &json_fault);
    if (err == 0)
        err = onward_ruleset__read_zone(&l, root, rs->image->key, out);
    else if (err != ONWARD_ENOMEM && json_fault.at != NULL)
        (void)onward_ruleset__fail(&l, json_fault.at, json_fault.what, NULL);
    else if (err != ONWARD_ENOMEM)
        (void)onward_ruleset__fail_text(&l, json_fault.line, json_fault.what);
    loader_clear(&l);
    return err;
}

int onward_ruleset_with_zone(struct onward_ruleset *rs, struct onward_str zone,
                             const struct onward_ruleset_opts *opts,
                             struct onward_ruleset_fault *fault,
                             struct onward_ruleset **made)
{
    struct onward_ruleset_fault found = {0};
    struct onward_ruleset_opts o;
    struct onward_buf record;
    int err = check_text(zone, opts, fault, &o, &found);

    if (err != 0)
        return err;
    onward_core__buf_init(&record, rs->ctx, UINT32_MAX);
    err = read_record(rs, zone, o.max_depth, &found, &record);
    if (err == 0)
        err = onward_ruleset__set_zone(rs, onward_core__buf_str(&record),
                                       &found, made);
    onward_core__buf_clear(&record);
    if (fault != NULL && (err == ONWARD_ESYNTAX || err == ONWARD_ELIMIT))
        hand_out(fault, &found);
    return err;
}

/* ---- To an image ------------------------------------------------------- */

int onward_ruleset_write_image(struct onward_ruleset *rs,
                               const struct onward_ruleset_image_sink *sink)
{
    struct onward_ruleset_image_sink s;
    struct onward_ruleset *whole = NULL;
    int err = onward_core__opts_load(&s, sizeof(s), sink);

    if (err != 0)
        return err;
    if (s.write == NULL)
        return ONWARD_EINVAL;
    if (rs->changes == NULL)
        return onward_ruleset__image_write(rs->image, &s);
    err = onward_ruleset_compact(rs, &whole);
    if (err == 0)
        err = onward_ruleset__image_write(whole->image, &s);
    onward_ruleset_free(whole);
    return err;
}
