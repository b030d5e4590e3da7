#include "unpack.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>
#include <zlib.h>

#include <onward/mime.h>
#include <onward/mime_text.h>

#include "message.h"

enum {
    PIECE = 65536,
    MEMBERS_MAX = 100, /* of an archive */
    PARTS_DEPTH = 5,   /* of multiparts in multiparts */
    GZIP = 16 + MAX_WBITS
};

static bool begins(struct onward_str s, const char *with, size_t len)
{
    return s.len >= len && memcmp(s.data, with, len) == 0;
}

static bool is_gzip(struct onward_str s)
{
    return begins(s, "\x1f\x8b", 2);
}

static bool is_zip(struct onward_str s)
{
    return begins(s, "PK\x03\x04", 4) || begins(s, "PK\x05\x06", 4);
}

/* JSON, or XML, in UTF-8, perhaps behind white space or a byte order mark; or
 * XML in UTF-16. */
static bool is_report(struct onward_str s)
{
    size_t at = begins(s, "\xef\xbb\xbf", 3) ? 3 : 0;

    while (at < s.len && strchr(" \t\r\n", s.data[at]) != NULL &&
           s.data[at] != '\0')
        at++;
    return (at < s.len && (s.data[at] == '<' || s.data[at] == '{')) ||
           begins(s, "\xff\xfe", 2) || begins(s, "\xfe\xff", 2);
}

static int fail(const char **fault, const char *text)
{
    *fault = text;
    return -1;
}

static int plain(struct onward_str s, const struct unpack_sink *sink)
{
    int err = sink->begin(sink->user, "");

    if (err == 0)
        err = sink->take(sink->user, s.data, s.len);
    return err == 0 ? sink->end(sink->user) : err;
}

/* ---- gzip (RFC 1952) --------------------------------------------------- */

static int inflate_all(z_stream *z, const struct unpack_sink *sink,
                       const char **fault)
{
    static unsigned char out[PIECE];

    for (;;) {
        int done, err;

        z->next_out = out;
        z->avail_out = sizeof(out);
        done = inflate(z, Z_NO_FLUSH);
        if (done == Z_BUF_ERROR)
            return fail(fault, "the gzip data is cut off");
        if (done != Z_OK && done != Z_STREAM_END)
            return fail(fault, "the gzip data is damaged");
        err = sink->take(sink->user, out, sizeof(out) - z->avail_out);
        if (err != 0)
            return err;
        if (done == Z_OK)
            continue;
        /* Members may follow each other (RFC 1952 section 2.2); what is none
         * behind the last is padding. */
        if (z->avail_in < 2 || z->next_in[0] != 0x1f || z->next_in[1] != 0x8b)
            return 0;
        if (inflateReset(z) != Z_OK)
            return fail(fault, "the gzip data is damaged");
    }
}

static int gunzip(struct onward_str s, const struct unpack_sink *sink,
                  const char **fault)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)s.data,
                  .avail_in = (unsigned)s.len};
    int err;

    if (s.len > (unsigned)-1 || inflateInit2(&z, GZIP) != Z_OK)
        return fail(fault, "the gzip data cannot be read");
    err = sink->begin(sink->user, "");
    if (err == 0)
        err = inflate_all(&z, sink, fault);
    inflateEnd(&z);
    return err == 0 ? sink->end(sink->user) : err;
}

/* ---- zip --------------------------------------------------------------- */

static int unzip_member(zip_t *zip, zip_uint64_t i,
                        const struct unpack_sink *sink, const char **fault)
{
    static unsigned char out[PIECE];
    const char *name = zip_get_name(zip, i, 0);
    zip_file_t *file;
    zip_int64_t len = 0;
    int err;

    if (name == NULL || (name[0] != '\0' && name[strlen(name) - 1] == '/'))
        return 0; /* a folder */
    file = zip_fopen_index(zip, i, 0);
    if (file == NULL)
        return fail(fault, "a member of the zip archive cannot be read");
    err = sink->begin(sink->user, name);
    while (err == 0 && (len = zip_fread(file, out, sizeof(out))) > 0)
        err = sink->take(sink->user, out, (size_t)len);
    zip_fclose(file);
    if (err == 0 && len < 0)
        err = fail(fault, "a member of the zip archive is damaged");
    return err == 0 ? sink->end(sink->user) : err;
}

static int unzip(struct onward_str s, const struct unpack_sink *sink,
                 const char **fault)
{
    zip_source_t *source = zip_source_buffer_create(s.data, s.len, 0, NULL);
    zip_t *zip = NULL;
    zip_int64_t count;
    int err = 0;

    if (source != NULL)
        zip = zip_open_from_source(source, ZIP_RDONLY, NULL);
    if (zip == NULL) {
        zip_source_free(source);
        return fail(fault, "the zip archive is damaged or cut off");
    }
    count = zip_get_num_entries(zip, 0);
    if (count < 1)
        err = fail(fault, "the zip archive is empty");
    else if (count > MEMBERS_MAX)
        err = fail(fault, "the zip archive has more members than a report");
    for (zip_int64_t i = 0; i < count && err == 0; i++)
        err = unzip_member(zip, (zip_uint64_t)i, sink, fault);
    zip_discard(zip);
    return err;
}

static int unpack_one(struct onward_str s, const struct unpack_sink *sink,
                      const char **fault)
{
    if (is_gzip(s))
        return gunzip(s, sink, fault);
    if (is_zip(s))
        return unzip(s, sink, fault);
    return plain(s, sink);
}

/* ---- Mail -------------------------------------------------------------- */

struct mail {
    struct onward_ctx *ctx;
    const struct unpack_sink *sink;
    const char **fault;
    int found;
};

static int walk(struct mail *m, struct onward_str part, int depth);

/* The decoded body: to be taken when it is packed, or said to be XML. */
static int attachment(struct mail *m, struct onward_str body, int encoding,
                      bool is_said_xml)
{
    struct onward_decoder *decoder = NULL;
    size_t cap = body.len + ONWARD_TEXT_ROOM, put = 0, more = 0, taken = 0;
    struct onward_str data;
    char *out = malloc(cap);
    int err = 0;

    /* No encoding makes it longer. */
    if (out == NULL || onward_decoder_new(m->ctx, encoding, &decoder) != 0 ||
        onward_decoder_feed(decoder, body.data, body.len, &taken, out, cap,
                            &put) != 0 ||
        taken != body.len || cap - put < ONWARD_TEXT_ROOM ||
        onward_decoder_finish(decoder, out + put, cap - put, &more) != 0) {
        err = fail(m->fault, "an attachment cannot be decoded");
    } else {
        data = (struct onward_str){out, put + more};
        if (is_gzip(data) || is_zip(data) || (is_said_xml && is_report(data))) {
            m->found++;
            err = unpack_one(data, m->sink, m->fault);
        }
    }
    onward_decoder_free(decoder);
    free(out);
    return err;
}

/* The next line that is "--boundary" and perhaps more; its start, or len. */
static size_t find_line(struct onward_str s, size_t from,
                        struct onward_str boundary, size_t *next)
{
    while (from < s.len) {
        const char *eol = memchr(s.data + from, '\n', s.len - from);
        size_t end = eol != NULL ? (size_t)(eol - s.data) + 1 : s.len;

        if (end - from >= boundary.len + 2 &&
            memcmp(s.data + from, "--", 2) == 0 &&
            memcmp(s.data + from + 2, boundary.data, boundary.len) == 0) {
            *next = end;
            return from;
        }
        from = end;
    }
    *next = s.len;
    return s.len;
}

static int multipart(struct mail *m, struct onward_str body,
                     struct onward_str boundary, int depth)
{
    size_t next = 0, at;
    int err = 0;

    find_line(body, 0, boundary, &next);
    while (err == 0 && next < body.len) {
        size_t from = next;

        at = find_line(body, from, boundary, &next);
        err = walk(m, (struct onward_str){body.data + from, at - from},
                   depth + 1);
    }
    return err;
}

static struct onward_str field(const struct onward_header *header,
                               struct onward_str name)
{
    size_t i = onward_header_first(header, name);

    return i < onward_header_count(header) ? onward_header_value(header, i)
                                           : (struct onward_str){0};
}

static struct onward_str trim(struct onward_str s)
{
    while (s.len != 0 && strchr(" \t\r\n", s.data[s.len - 1]) != NULL)
        s.len--;
    while (s.len != 0 && strchr(" \t\r\n", s.data[0]) != NULL) {
        s.data++;
        s.len--;
    }
    return s;
}

static bool is(struct onward_str a, const char *b)
{
    return onward_str_equal(a, onward_str_of(b)) != 0;
}

static int walk_body(struct mail *m, const struct onward_header *header,
                     struct onward_str body, int depth)
{
    struct onward_str encoding =
        field(header, ONWARD_STR("Content-Transfer-Encoding"));
    struct onward_params *type = NULL;
    struct onward_str boundary = {0}, sub;
    size_t i;
    int err;

    if (onward_params_parse(m->ctx, field(header, ONWARD_STR("Content-Type")),
                            NULL, &type) != 0)
        return fail(m->fault, "a Content-Type field cannot be read");
    sub = onward_params_token(type, 1);
    i = onward_params_find(type, ONWARD_STR("boundary"));
    if (i < onward_params_count(type))
        boundary = onward_params_raw(type, i);
    if (is(onward_params_token(type, 0), "multipart") && boundary.len != 0)
        err = depth < PARTS_DEPTH
                  ? multipart(m, body, boundary, depth)
                  : fail(m->fault, "multiparts nested too deeply");
    else
        err = attachment(m, body, onward_encoding_of(trim(encoding)),
                         is(sub, "xml"));
    onward_params_free(type);
    return err;
}

static int walk(struct mail *m, struct onward_str part, int depth)
{
    struct onward_header *header = NULL;
    size_t taken = 0;
    int err = -1;

    if (onward_header_new(m->ctx, &header) != 0 ||
        onward_header_feed(header, part.data, part.len, &taken) < 0 ||
        (onward_header_is_done(header) == 0 &&
         onward_header_finish(header) != 0))
        fail(m->fault, "the header of a mail cannot be read");
    else
        err = walk_body(
            m, header, (struct onward_str){part.data + taken, part.len - taken},
            depth);
    onward_header_free(header);
    return err;
}

/* As messages are read: LF alone is taken as CRLF. */
static int walk_file(struct mail *m, struct onward_str file)
{
    size_t len = 0;
    char *wire;
    int err;

    if (memchr(file.data, '\r', file.len) != NULL)
        return walk(m, file, 0);
    wire = message_add_cr(file.data, file.len, &len);
    if (wire == NULL)
        return fail(m->fault, "out of memory");
    err = walk(m, (struct onward_str){wire, len}, 0);
    free(wire);
    return err;
}

int unpack(struct onward_ctx *ctx, struct onward_str file,
           const struct unpack_sink *sink, const char **fault)
{
    struct mail mail = {ctx, sink, fault, 0};
    const char *colon, *eol;
    int err;

    if (is_gzip(file) || is_zip(file) || is_report(file))
        return unpack_one(file, sink, fault);
    /* A mail begins with a field; anything else is for who reads it to say what
     * is wrong. */
    colon = file.len != 0 ? memchr(file.data, ':', file.len) : NULL;
    eol = file.len != 0 ? memchr(file.data, '\n', file.len) : NULL;
    if (colon == NULL || eol == NULL || colon > eol)
        return plain(file, sink);
    err = walk_file(&mail, file);
    if (err == 0 && mail.found == 0)
        return fail(fault, "a mail without a report attached");
    return err;
}
