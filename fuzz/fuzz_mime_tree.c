/* The events are the same for any cut, and their data is the message; the tree
 * is made of parts that lie in one another. The first octet chooses flags. */
#include "fuzz.h"

#include <onward/mime_parser.h>

#include "core/core_shared.h"

struct seen {
    struct onward_buf octets, text, anomalies;
    size_t last;
};

static void add_number(struct onward_buf *b, uint64_t n)
{
    onward_core__buf_add_u64(b, n);
    onward_core__buf_add_byte(b, ' ');
}

static int on_event(void *user, const struct onward_mime_event *e)
{
    struct seen *s = user;

    if (e->kind != ONWARD_MIME_DECODED && e->kind != ONWARD_MIME_ANOMALY) {
        FUZZ_CHECK(e->offset == s->octets.len);
        onward_core__buf_add_str(&s->octets, e->data);
        if (e->kind != s->last || e->kind < ONWARD_MIME_PREAMBLE ||
            e->kind == ONWARD_MIME_DELIMITER || e->kind > ONWARD_MIME_EPILOGUE)
            add_number(&s->text, e->offset);
        s->last = e->kind;
    }
    if (e->kind == ONWARD_MIME_ANOMALY && (e->code < ONWARD_MIME_BODY_NUL)) {
        /* Told between pieces of a body, so on their own. */
        add_number(&s->anomalies, (uint64_t)e->code);
        add_number(&s->anomalies, e->offset);
    }
    if (e->kind == ONWARD_MIME_PART_END) {
        add_number(&s->text, e->part->decoded_len);
        onward_core__buf_add_str(&s->text, e->part->type);
    }
    return 0;
}

static void parse(struct seen *s, const struct onward_mime_opts *opts,
                  const uint8_t *data, size_t size, size_t step)
{
    const struct onward_mime_handler handler = {
        .size = sizeof(handler), .user = s, .event = on_event};
    struct onward_mime_parser *p = NULL;

    memset(s, 0, sizeof(*s));
    onward_core__buf_init(&s->octets, fuzz_ctx(), SIZE_MAX);
    onward_core__buf_init(&s->text, fuzz_ctx(), SIZE_MAX);
    onward_core__buf_init(&s->anomalies, fuzz_ctx(), SIZE_MAX);
    FUZZ_CHECK(onward_mime_parser_new(fuzz_ctx(), &handler, opts, &p) == 0);
    for (size_t at = 0; at < size; at += step)
        FUZZ_CHECK(onward_mime_parser_feed(
                       p, data + at, size - at < step ? size - at : step) == 0);
    FUZZ_CHECK(onward_mime_parser_finish(p) == 0);
    FUZZ_CHECK(s->octets.len == size &&
               (size == 0 || memcmp(s->octets.data, data, size) == 0));
    onward_mime_parser_free(p);
}

static void clear(struct seen *s)
{
    onward_core__buf_clear(&s->octets);
    onward_core__buf_clear(&s->text);
    onward_core__buf_clear(&s->anomalies);
}

static void check_tree(const struct onward_mime_opts *opts,
                       struct onward_str message)
{
    struct onward_mime_tree *tree = NULL;

    FUZZ_CHECK(onward_mime_tree_new(fuzz_ctx(), message, opts, &tree) == 0);
    for (size_t i = 0; i < onward_mime_tree_count(tree); i++) {
        struct onward_mime_part part = {.size = sizeof(part)}, above = part;
        struct onward_header *header;
        struct onward_text *text;
        struct onward_str body;

        FUZZ_CHECK(onward_mime_tree_part(tree, i, &part) == 0);
        FUZZ_CHECK(part.offset <= part.body_offset &&
                   part.body_offset <= part.end && part.end <= message.len);
        FUZZ_CHECK(part.next == ONWARD_MIME_NONE || part.next > i);
        if (i > 0) {
            FUZZ_CHECK(onward_mime_tree_part(tree, part.parent, &above) == 0);
            FUZZ_CHECK(part.parent < i && part.offset >= above.body_offset &&
                       part.end <= above.end);
        }
        FUZZ_CHECK(onward_mime_tree_body(tree, i, &body) == 0);
        if (onward_mime_tree_text(tree, i, &text) == 0)
            onward_text_free(text);
        if (onward_mime_tree_header(tree, i, &header) == 0)
            FUZZ_CHECK(onward_header_body_offset(header) ==
                       part.body_offset - part.offset);
    }
    onward_mime_tree_free(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_mime_opts opts = {.size = sizeof(opts)};
    struct seen whole, cut;

    if (size == 0)
        return 0;
    opts.flags = data[0] & 31;
    if ((data[0] & 32) != 0) {
        opts.max_depth = 3;
        opts.max_parts = 5;
        opts.header_bytes = 200;
    }
    data++;
    size--;
    parse(&whole, &opts, data, size, size == 0 ? 1 : size);
    for (size_t step = 1; step <= 11; step += 5) {
        parse(&cut, &opts, data, size, step);
        FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&whole.text),
                                       onward_core__buf_str(&cut.text)));
        FUZZ_CHECK(onward_core__str_eq(onward_core__buf_str(&whole.anomalies),
                                       onward_core__buf_str(&cut.anomalies)));
        clear(&cut);
    }
    clear(&whole);
    check_tree(&opts, onward_core__str(data, size));
    return 0;
}
