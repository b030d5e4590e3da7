/*
 * Parts dropped and replaced, a prefix and a footer, on any message: the log
 * accounts for each octet, any piece size reads the same, and what was dropped
 * is gone when the result is read again. The first four octets of the input
 * choose the changes.
 */
#include "fuzz.h"

#include <onward/mime_parser.h>

static size_t count_parts(struct onward_str message)
{
    struct onward_mime_tree *tree;
    size_t count;

    FUZZ_CHECK(onward_mime_tree_new(fuzz_ctx(), message, NULL, &tree) == 0);
    count = onward_mime_tree_count(tree);
    onward_mime_tree_free(tree);
    return count;
}

static struct onward_str read_all(const struct onward_source *s, size_t step)
{
    char *text = malloc((size_t)s->len + 1);
    uint64_t at = 0;

    FUZZ_CHECK(text != NULL);
    while (at < s->len) {
        size_t want = s->len - at < step ? (size_t)(s->len - at) : step;
        size_t got = 0;

        FUZZ_CHECK(s->read(s->user, at, text + at, want, &got) == 0);
        FUZZ_CHECK(got > 0 && got <= want);
        at += got;
    }
    return (struct onward_str){text, (size_t)at};
}

static void change(struct onward_edit *e, const uint8_t *choice)
{
    const struct onward_edit_footer footer = {
        .size = sizeof(footer),
        .text = ONWARD_STR("-- \nfoot\n"),
        .is_html = choice[3] >> 1 & 1};

    for (size_t i = 0; i < 16; i++) {
        if (((choice[0] | choice[1] << 8) >> i & 1) != 0)
            (void)onward_edit_drop_part(e, i);
    }
    (void)onward_edit_replace_part(e, choice[2] % 16,
                                   ONWARD_STR("A: b\r\n\r\nnew"));
    if ((choice[3] & 1) != 0)
        (void)onward_edit_add_footer(e, &footer);
    if ((choice[3] & 4) != 0)
        (void)onward_edit_prefix_subject(e, ONWARD_STR("[l\u00e9]"));
}

/* What the log says the message has grown by, and how many parts went. */
static uint64_t sum(struct onward_edit *e, size_t *dropped)
{
    uint64_t grown = 0;

    for (size_t i = 0; i < onward_edit_change_count(e); i++) {
        struct onward_edit_change c = {.size = sizeof(c)};

        FUZZ_CHECK(onward_edit_change_at(e, i, &c) == 0);
        grown += c.added - c.removed;
        *dropped += c.kind == ONWARD_EDIT_PART_DROPPED;
    }
    return grown;
}

static void run(struct onward_edit *e, const uint8_t *choice,
                struct onward_str message)
{
    const struct onward_source *source;
    struct onward_str once, again;
    size_t dropped = 0;

    FUZZ_CHECK(onward_edit_read_parts(e) == 0);
    change(e, choice);
    FUZZ_CHECK(onward_edit_source(e, &source) == 0);
    FUZZ_CHECK(source->len == message.len + sum(e, &dropped));
    once = read_all(source, (size_t)choice[2] + 1);
    again = read_all(source, 65536);
    FUZZ_CHECK(onward_str_equal(once, again));
    if (dropped > 0 && onward_edit_change_count(e) == dropped)
        FUZZ_CHECK(count_parts(again) < count_parts(message));
    free((char *)(uintptr_t)once.data);
    free((char *)(uintptr_t)again.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onward_memory_source *memory;
    struct onward_header *h;
    struct onward_edit *e;
    struct onward_str message;
    size_t taken;

    if (size < 4)
        return 0;
    message = (struct onward_str){(const char *)data + 4, size - 4};
    FUZZ_CHECK(onward_memory_source_new(fuzz_ctx(), message.data, message.len,
                                        &memory) == 0);
    FUZZ_CHECK(onward_header_new(fuzz_ctx(), &h) == 0);
    if (onward_header_feed(h, message.data, message.len, &taken) >= 0 &&
        onward_header_finish(h) == 0) {
        FUZZ_CHECK(onward_edit_new(fuzz_ctx(),
                                   onward_memory_source_table(memory), h, NULL,
                                   &e) == 0);
        run(e, data, message);
        onward_edit_free(e);
    }
    onward_header_free(h);
    onward_memory_source_free(memory);
    return 0;
}
