/* edit FILE: a list's prefix and footer, without a part that is no text; what
 * is changed, and what breaks by it, is said before. */
#include "host.h"

static const char *const kinds[] = {
    [ONWARD_EDIT_FIELD_ADDED] = "field added",
    [ONWARD_EDIT_FIELD_CUT] = "field cut",
    [ONWARD_EDIT_FIELD_REPLACED] = "field replaced",
    [ONWARD_EDIT_PART_DROPPED] = "part dropped",
    [ONWARD_EDIT_PART_REPLACED] = "part replaced",
    [ONWARD_EDIT_PART_ADDED] = "part added",
    [ONWARD_EDIT_TEXT_EXTENDED] = "text extended",
    [ONWARD_EDIT_WRAPPED] = "wrapped",
};

static int change(struct onward_edit *e)
{
    const struct onward_edit_footer footer = {
        .size = sizeof(footer),
        .text = ONWARD_STR("-- \nLeave: list-leave@example.net\n")};
    /* What a signature covers: h= and l= of DKIM-Signature, say. */
    const struct onward_edit_signature signature = {
        .size = sizeof(signature), .fields = ONWARD_STR("From:Date")};
    int err = onward_edit_add_signature(e, &signature);

    if (err == 0)
        err = onward_edit_prefix_subject(e, ONWARD_STR("[list]"));
    if (err == 0)
        err = onward_edit_add(e, ONWARD_STR("List-Id"),
                              ONWARD_STR("<list.example.net>"));
    if (err == 0) /* parts are found by reading the message once */
        err = onward_edit_read_parts(e);
    if (err == 0)
        err = onward_edit_add_footer(e, &footer);
    return err;
}

static void print_log(const struct onward_edit *e)
{
    size_t by = onward_edit_broken_by(e, 0);

    for (size_t i = 0; i < onward_edit_change_count(e); i++) {
        struct onward_edit_change c = {.size = sizeof(c)};

        onward_edit_change_at(e, i, &c);
        fprintf(stderr, "%zu: %s %.*s, %d octets for %d\n", i, kinds[c.kind],
                (int)c.name.len, c.name.data, (int)c.added, (int)c.removed);
    }
    if (by != ONWARD_HEADER_NONE)
        fprintf(stderr, "change %zu breaks the signature\n", by);
}

int main(int argc, char **argv)
{
    struct onward_memory_source *memory = NULL;
    const struct onward_source *source = NULL;
    struct onward_header *header = NULL;
    struct onward_edit *e = NULL;
    struct onward_str message;
    struct host host;
    char chunk[4096];
    size_t got;
    int err;

    if (argc != 2)
        return 2;
    message = host_read(argv[1]);
    err = host_open(&host, NULL);
    if (err == 0) /* or a table of yours, over a file */
        err = onward_memory_source_new(host.ctx, message.data, message.len,
                                       &memory);
    if (err == 0)
        err = onward_header_new(host.ctx, &header);
    if (err == 0)
        err = onward_header_feed(header, message.data, message.len, &got);
    if (err >= 0)
        err = onward_header_finish(header);
    if (err == 0)
        err = onward_edit_new(host.ctx, onward_memory_source_table(memory),
                              header, NULL, &e);
    if (err == 0)
        err = change(e);
    if (err == 0) {
        print_log(e); /* nothing has happened yet */
        err = onward_edit_source(e, &source);
    }
    for (uint64_t at = 0; err == 0 && at < source->len; at += got) {
        err = source->read(source->user, at, chunk, sizeof(chunk), &got);
        if (err == 0)
            fwrite(chunk, 1, got, stdout);
    }
    onward_edit_free(e);
    onward_header_free(header);
    onward_memory_source_free(memory);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
