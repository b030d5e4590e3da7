/*
 * Reads messages, each as its length in a line and its octets, and prints one
 * line a message: "same" when the events' data gave the message back, for the
 * whole and in pieces, and each leaf as TYPE/SUBTYPE:LENGTH:HASH of its decoded
 * octets (FNV-1a, 64 bits). For mime_corpus.py.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <onward/mime_parser.h>

struct reading {
    const char *message;
    size_t len, at;
    uint64_t hash; /* of the structure: kinds, offsets, types */
    int is_same;
};

static int64_t now_s(void *user)
{
    (void)user;
    return 1600000000;
}

static int fill(void *user, void *data, size_t len)
{
    (void)user;
    return getrandom(data, len, 0) == (ssize_t)len ? 0 : -1;
}

static uint64_t fnv(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *octets = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ octets[i]) * UINT64_C(1099511628211);
    return hash;
}

static const uint64_t basis = UINT64_C(14695981039346656037);

static int on_event(void *user, const struct onward_mime_event *e)
{
    struct reading *r = user;

    if (e->kind == ONWARD_MIME_ANOMALY || e->kind == ONWARD_MIME_DECODED)
        return 0;
    if (e->offset != r->at || e->data.len > r->len - r->at ||
        (e->data.len > 0 &&
         memcmp(e->data.data, r->message + r->at, e->data.len) != 0))
        r->is_same = 0;
    else
        r->at += e->data.len;
    if (e->kind == ONWARD_MIME_HEADER_END || e->kind == ONWARD_MIME_PART_END ||
        e->kind == ONWARD_MIME_DELIMITER) {
        r->hash = fnv(r->hash, &e->offset, sizeof(e->offset));
        r->hash = fnv(r->hash, e->part->subtype.data, e->part->subtype.len);
    }
    return 0;
}

static uint64_t parse(struct onward_ctx *ctx, struct reading *r, size_t step)
{
    const struct onward_mime_handler handler = {
        .size = sizeof(handler), .user = r, .event = on_event};
    struct onward_mime_parser *p = NULL;
    int err = onward_mime_parser_new(ctx, &handler, NULL, &p);

    r->at = 0;
    r->hash = basis;
    for (size_t at = 0; err == 0 && at < r->len; at += step)
        err = onward_mime_parser_feed(p, r->message + at,
                                      r->len - at < step ? r->len - at : step);
    if (err == 0)
        err = onward_mime_parser_finish(p);
    if (err != 0 || r->at != r->len)
        r->is_same = 0;
    onward_mime_parser_free(p);
    return r->hash;
}

static void print_leaves(struct onward_mime_tree *tree)
{
    for (size_t i = 0; i < onward_mime_tree_count(tree); i++) {
        struct onward_mime_part part = {.size = sizeof(part)};
        struct onward_str body;

        onward_mime_tree_part(tree, i, &part);
        if (part.kind != ONWARD_MIME_LEAF ||
            onward_mime_tree_body(tree, i, &body) != 0)
            continue;
        printf(" %.*s/%.*s:%zu:%016llx", (int)part.type.len, part.type.data,
               (int)part.subtype.len, part.subtype.data, body.len,
               (unsigned long long)fnv(basis, body.data, body.len));
    }
}

int main(void)
{
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = now_s};
    const struct onward_random source = {.size = sizeof(source), .fill = fill};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &source};
    struct onward_ctx *ctx = NULL;
    char line[40];

    if (onward_ctx_new(&opts, &ctx) != 0)
        return 1;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        size_t len = (size_t)strtoull(line, NULL, 10);
        char *message = malloc(len + 1);
        struct reading r = {.message = message, .len = len, .is_same = 1};
        struct onward_mime_tree *tree = NULL;
        uint64_t whole;

        if (message == NULL || fread(message, 1, len, stdin) != len)
            return 1;
        whole = parse(ctx, &r, len + 1);
        if (parse(ctx, &r, 7) != whole || parse(ctx, &r, 1000) != whole)
            r.is_same = 0;
        fputs(r.is_same ? "same" : "DIFFERENT", stdout);
        if (onward_mime_tree_new(ctx, (struct onward_str){message, len}, NULL,
                                 &tree) == 0)
            print_leaves(tree);
        putchar('\n');
        onward_mime_tree_free(tree);
        free(message);
    }
    onward_ctx_free(ctx);
    return 0;
}
