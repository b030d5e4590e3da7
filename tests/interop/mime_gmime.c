/*
 * GMime's reading of messages, in the form of mime_tool.c: for mime_corpus.py.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <gmime/gmime.h>

static uint64_t fnv(const guint8 *octets, size_t len)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ octets[i]) * UINT64_C(1099511628211);
    return hash;
}

static void print_leaf(GMimeObject *parent, GMimeObject *part, gpointer unused)
{
    GMimeContentType *type = g_mime_object_get_content_type(part);
    GMimeDataWrapper *content;
    GMimeStream *sink;
    GByteArray *octets;
    gchar *name, *spelt;

    (void)parent;
    (void)unused;
    if (GMIME_IS_MESSAGE_PART(part)) {
        GMimeMessage *inner =
            g_mime_message_part_get_message(GMIME_MESSAGE_PART(part));

        if (inner != NULL)
            g_mime_message_foreach(inner, print_leaf, NULL);
        return;
    }
    if (!GMIME_IS_PART(part))
        return;
    content = g_mime_part_get_content(GMIME_PART(part));
    sink = g_mime_stream_mem_new();
    if (content != NULL)
        g_mime_data_wrapper_write_to_stream(content, sink);
    octets = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(sink));
    spelt = g_mime_content_type_get_mime_type(type);
    name = g_ascii_strdown(spelt, -1); /* RFC 2045 section 5.1 */
    g_strdelimit(name, " ", '_');
    printf(" %s:%u:%016llx", name, octets->len,
           (unsigned long long)fnv(octets->data, octets->len));
    g_free(name);
    g_free(spelt);
    g_object_unref(sink);
}

int main(void)
{
    char line[40];

    g_mime_init();
    while (fgets(line, sizeof(line), stdin) != NULL) {
        size_t len = (size_t)strtoull(line, NULL, 10);
        char *octets = malloc(len + 1);
        GMimeStream *stream;
        GMimeParser *parser;
        GMimeMessage *message;

        if (octets == NULL || fread(octets, 1, len, stdin) != len)
            return 1;
        stream = g_mime_stream_mem_new_with_buffer(octets, len);
        parser = g_mime_parser_new_with_stream(stream);
        message = g_mime_parser_construct_message(parser, NULL);
        fputs("same", stdout);
        if (message != NULL) {
            g_mime_message_foreach(message, print_leaf, NULL);
            g_object_unref(message);
        }
        putchar('\n');
        g_object_unref(parser);
        g_object_unref(stream);
        free(octets);
    }
    return 0;
}
