/*
 * GMime's reading of built messages, for mime_build_peers.py: a line for each
 * thing, octets in hex, an empty line behind each message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>

static void put_octets(const void *data, size_t len)
{
    const unsigned char *octets = data;

    putchar(' ');
    for (size_t i = 0; i < len; i++)
        printf("%02x", octets[i]);
    if (len == 0)
        putchar('-');
}

static void put_text(const char *text)
{
    put_octets(text, text == NULL ? 0 : strlen(text));
}

static void put_addresses(const char *what, InternetAddressList *list)
{
    for (int i = 0; list != NULL && i < internet_address_list_length(list);
         i++) {
        InternetAddress *a = internet_address_list_get_address(list, i);

        fputs(what, stdout);
        put_text(internet_address_get_name(a));
        put_text(internet_address_mailbox_get_idn_addr(
            INTERNET_ADDRESS_MAILBOX(a)));
        putchar('\n');
    }
}

static void put_part(GMimeObject *parent, GMimeObject *object, gpointer unused)
{
    GMimeContentType *type = g_mime_object_get_content_type(object);
    GMimeStream *sink;
    GByteArray *octets;
    gchar *name;

    (void)parent;
    (void)unused;
    if (!GMIME_IS_PART(object))
        return;
    sink = g_mime_stream_mem_new();
    g_mime_data_wrapper_write_to_stream(
        g_mime_part_get_content(GMIME_PART(object)), sink);
    octets = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(sink));
    name = g_mime_content_type_get_mime_type(type);
    printf("part %s", name);
    put_text(g_mime_part_get_filename(GMIME_PART(object)));
    put_text(g_mime_object_get_content_id(object));
    put_octets(octets->data, octets->len);
    putchar('\n');
    g_free(name);
    g_object_unref(sink);
}

static void read_one(const char *path)
{
    GMimeStream *stream = g_mime_stream_file_open(path, "rb", NULL);
    GMimeParser *parser;
    GMimeMessage *message;

    if (stream == NULL)
        exit(1);
    parser = g_mime_parser_new_with_stream(stream);
    message = g_mime_parser_construct_message(parser, NULL);
    fputs("subject", stdout);
    put_text(g_mime_message_get_subject(message));
    fputs("\nfield", stdout);
    put_text(g_mime_object_get_header(GMIME_OBJECT(message), "X-Text"));
    putchar('\n');
    put_addresses("from", g_mime_message_get_from(message));
    put_addresses("to", g_mime_message_get_to(message));
    g_mime_message_foreach(message, put_part, NULL);
    putchar('\n');
    g_object_unref(message);
    g_object_unref(parser);
    g_object_unref(stream);
}

int main(int argc, char **argv)
{
    g_mime_init();
    for (int i = 1; i < argc; i++)
        read_one(argv[i]);
    g_mime_shutdown();
    return 0;
}
