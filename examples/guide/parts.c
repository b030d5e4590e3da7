/* parts FILE: the parts of a message, its subject, its texts. */
#include "host.h"

static void print_part(struct onward_mime_tree *tree, size_t i)
{
    struct onward_mime_part part = {.size = sizeof(part)};
    struct onward_text *text = NULL;

    onward_mime_tree_part(tree, i, &part);
    printf("%zu: %.*s/%.*s", i, (int)part.type.len, part.type.data,
           (int)part.subtype.len, part.subtype.data);
    if (part.name.len > 0) /* as sent; for a file use onward_safe_name() */
        printf(" \"%.*s\"", (int)part.name.len, part.name.data);
    printf(", %llu octets\n", (unsigned long long)(part.end - part.offset));
    if (onward_str_equal(part.type, ONWARD_STR("text")) &&
        onward_mime_tree_text(tree, i, &text) == 0) {
        struct onward_str s = onward_text_str(text);

        printf("%.*s", (int)s.len, s.data); /* UTF-8, flowed lines joined */
        onward_text_free(text);
    }
}

static void print_subject(struct onward_ctx *ctx, struct onward_mime_tree *tree)
{
    struct onward_header *header = NULL;
    struct onward_text *text = NULL;
    size_t i = ONWARD_HEADER_NONE;

    if (onward_mime_tree_header(tree, 0, &header) == 0)
        i = onward_header_first(header, ONWARD_STR("Subject"));
    if (i == ONWARD_HEADER_NONE ||
        onward_words_decode(ctx, onward_header_value(header, i),
                            ONWARD_WORDS_UNSTRUCTURED, NULL, &text) != 0)
        return;
    printf("Subject: %.*s\n", (int)onward_text_str(text).len,
           onward_text_str(text).data);
    onward_text_free(text);
}

int main(int argc, char **argv)
{
    struct onward_mime_tree *tree = NULL;
    struct onward_str message;
    struct host host;
    int err;

    if (argc != 2)
        return 2;
    message = host_read(argv[1]); /* kept while the tree lives */
    err = host_open(&host, NULL);
    if (err == 0)
        err = onward_mime_tree_new(host.ctx, message, NULL, &tree);
    if (err == 0) {
        print_subject(host.ctx, tree);
        for (size_t i = 0; i < onward_mime_tree_count(tree); i++)
            print_part(tree, i);
        for (size_t i = 0; i < onward_mime_tree_anomaly_count(tree); i++) {
            struct onward_mime_anomaly a = {.size = sizeof(a)};

            onward_mime_tree_anomaly_at(tree, i, &a);
            printf("at %llu: %s\n", (unsigned long long)a.offset,
                   onward_mime_anomaly_name(a.code));
        }
    }
    onward_mime_tree_free(tree);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
