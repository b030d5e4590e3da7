/* build FILE: a message with text, HTML that shows a picture, and the file. */
#include "host.h"

static int fill(struct onward_builder *b, struct onward_str name,
                struct onward_str data)
{
    struct onward_builder_part picture = {
        .size = sizeof(picture),
        .place = ONWARD_BUILDER_INLINE,
        .type = ONWARD_STR("image/svg+xml"),
        .content_id = ONWARD_STR("dot@example.com"),
        .data = ONWARD_STR("<svg xmlns=\"http://www.w3.org/2000/svg\"/>")};
    struct onward_builder_part file = {
        .size = sizeof(file),
        .type = ONWARD_STR("text/csv; charset=utf-8"),
        .file_name = name,
        .data = data}; /* or .source: it is then read when the message is */
    int err =
        onward_builder_add_address(b, ONWARD_BUILDER_FROM, ONWARD_STR("Zoë"),
                                   ONWARD_STR("zoe@example.com"));

    if (err == 0)
        err = onward_builder_add_address(b, ONWARD_BUILDER_TO,
                                         ONWARD_STR("Smith, John"),
                                         ONWARD_STR("john@example.net"));
    if (err == 0) /* in the envelope, and nowhere else */
        err = onward_builder_add_address(b, ONWARD_BUILDER_BCC, ONWARD_STR(""),
                                         ONWARD_STR("boss@example.com"));
    if (err == 0)
        err = onward_builder_set_subject(b, ONWARD_STR("Figures for März"));
    if (err == 0)
        err = onward_builder_set_text(b, ONWARD_STR("See the file.\n"));
    if (err == 0)
        err = onward_builder_set_html(
            b, ONWARD_STR("<p>See the file. "
                          "<img src=\"cid:dot@example.com\" alt=\"\"></p>\n"));
    if (err == 0)
        err = onward_builder_add_part(b, &picture);
    if (err == 0)
        err = onward_builder_add_part(b, &file);
    return err;
}

int main(int argc, char **argv)
{
    const struct onward_source *source = NULL;
    struct onward_builder *b = NULL;
    struct host host;
    char chunk[4096];
    size_t got;
    int err;

    if (argc != 2)
        return 2;
    err = host_open(&host, NULL);
    if (err == 0)
        err = onward_builder_new(host.ctx, NULL, &b);
    if (err == 0)
        err = fill(b, onward_str_of(argv[1]), host_read(argv[1]));
    if (err == 0)
        err = onward_builder_source(b, &source);
    /* DKIM signers and SMTP clients take the source as it is. */
    for (uint64_t at = 0; err == 0 && at < source->len; at += got) {
        err = source->read(source->user, at, chunk, sizeof(chunk), &got);
        if (err == 0)
            fwrite(chunk, 1, got, stdout);
    }
    for (size_t i = 0; err == 0 && i < onward_builder_rcpt_count(b); i++) {
        struct onward_str rcpt = onward_builder_rcpt_at(b, i);

        fprintf(stderr, "to %.*s\n", (int)rcpt.len, rcpt.data);
    }
    onward_builder_free(b);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
