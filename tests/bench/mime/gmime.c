/* GMime: parse from memory; decoded, each leaf goes to a null stream. A
 * message is built over borrowed octets and written to a null stream. */
#include <gmime/gmime.h>

#include "bench/mime/jobs.h"

static size_t parts;
static GMimeFormatOptions *crlf;

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

/* A part of these octets, borrowed. */
static GMimeObject *make_part(const char *type, const char *subtype,
                              GByteArray *octets, GMimeContentEncoding encoding)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer("", 0);
    GMimePart *part = g_mime_part_new_with_type(type, subtype);
    GMimeDataWrapper *content;

    g_mime_stream_mem_set_byte_array(GMIME_STREAM_MEM(stream), octets);
    content = g_mime_data_wrapper_new_with_stream(
        stream, GMIME_CONTENT_ENCODING_DEFAULT);
    g_mime_part_set_content(part, content);
    g_mime_part_set_content_encoding(part, encoding);
    g_object_unref(content);
    g_object_unref(stream);
    return GMIME_OBJECT(part);
}

static void add_header(GMimeMessage *message)
{
    GDateTime *now = g_date_time_new_now_utc();
    char *id = g_mime_utils_generate_message_id("example.com");

    g_mime_message_add_mailbox(message, GMIME_ADDRESS_TYPE_FROM,
                               BENCH_MIME_FROM_NAME, BENCH_MIME_FROM);
    g_mime_message_add_mailbox(message, GMIME_ADDRESS_TYPE_TO, NULL,
                               BENCH_MIME_TO);
    g_mime_message_set_subject(message, BENCH_MIME_SUBJECT, "utf-8");
    g_mime_message_set_date(message, now);
    g_mime_message_set_message_id(message, id);
    g_free(id);
    g_date_time_unref(now);
}

/* Written to a null stream, which counts. */
static void build(void *arg)
{
    static const char text[] = BENCH_MIME_TEXT;
    const struct bench_message *file = arg;
    GByteArray words = {.data = (guint8 *)text, .len = sizeof(text) - 1};
    GByteArray octets = {.data = (guint8 *)file->data, .len = (guint)file->len};
    GMimeMessage *message = g_mime_message_new(FALSE);
    GMimeMultipart *mixed = g_mime_multipart_new_with_subtype("mixed");
    GMimeObject *first = make_part("text", "plain", &words,
                                   GMIME_CONTENT_ENCODING_7BIT);
    GMimeObject *second = make_part("application", "octet-stream", &octets,
                                    GMIME_CONTENT_ENCODING_BASE64);
    GMimeStream *sink = g_mime_stream_null_new();

    add_header(message);
    g_mime_object_set_content_type_parameter(first, "charset", "utf-8");
    g_mime_part_set_filename(GMIME_PART(second), BENCH_MIME_FILE_NAME);
    g_mime_multipart_add(mixed, first);
    g_mime_multipart_add(mixed, second);
    g_mime_message_set_mime_part(message, GMIME_OBJECT(mixed));
    if (g_mime_object_write_to_stream(GMIME_OBJECT(message), crlf, sink) < 0)
        bench_die("write");
    bench_mime_check_built(file, GMIME_STREAM_NULL(sink)->written);
    g_object_unref(sink);
    g_object_unref(first);
    g_object_unref(second);
    g_object_unref(mixed);
    g_object_unref(message);
}

int main(int argc, char **argv)
{
    static const struct bench_mime_side side = {
        .parse = parse, .decode = decode, .build = build};

    if (argc != 2)
        bench_die("gmime FOLDER");
    g_mime_init();
    crlf = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(crlf, GMIME_NEWLINE_FORMAT_DOS);
    return bench_mime_serve(argv[1], &side);
}
