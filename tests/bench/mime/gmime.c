/* GMime: parse from memory; decoded, each leaf goes to a null stream. */
#include <gmime/gmime.h>

#include "bench/mime/jobs.h"

static size_t parts;

static void count_part(GMimeObject *parent, GMimeObject *part, gpointer sink)
{
    (void)parent;
    parts++;
    if (sink != NULL && GMIME_IS_PART(part)) {
        GMimeDataWrapper *content =
            g_mime_part_get_content(GMIME_PART(part));

        if (g_mime_data_wrapper_write_to_stream(content, sink) < 0)
            bench_die("content");
    }
}

static void run(const struct bench_message *m, GMimeStream *sink)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer("", 0);
    GByteArray octets = {.data = (guint8 *)m->data, .len = (guint)m->len};
    GMimeParser *parser;
    GMimeMessage *message;

    /* Borrowed: no copy that the other sides do not make. */
    g_mime_stream_mem_set_byte_array(GMIME_STREAM_MEM(stream), &octets);
    parser = g_mime_parser_new_with_stream(stream);
    message = g_mime_parser_construct_message(parser, NULL);
    if (message == NULL)
        bench_die("message");
    parts = 0;
    g_mime_message_foreach(message, count_part, sink);
    if (parts < 3)
        bench_die("parts");
    g_object_unref(message);
    g_object_unref(parser);
    g_object_unref(stream);
}

static void parse(void *arg)
{
    run(arg, NULL);
}

static void decode(void *arg)
{
    GMimeStream *sink = g_mime_stream_null_new();

    run(arg, sink);
    g_object_unref(sink);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        bench_die("gmime FOLDER");
    g_mime_init();
    return bench_mime_serve(argv[1], parse, decode);
}
