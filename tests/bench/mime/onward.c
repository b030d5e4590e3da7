/* Our side: the event parser, fed in pieces as a relay does; and the builder,
 * read in such pieces. */
#include <sys/random.h>

#include <onward/mime_builder.h>
#include <onward/mime_parser.h>

#include "bench/mime/jobs.h"

static struct onward_ctx *ctx;
static struct onward_mime_parser *parsers[2];
static size_t parts, decoded;

static int64_t now_s(void *user)
{
    (void)user;
    return 1600000000;
}

static int fill(void *user, void *data, size_t len)
{
    (void)user;
    return getrandom(data, len, 0) == (ssize_t)len ? 0 : -1;
}

static int on_event(void *user, const struct onward_mime_event *event)
{
    (void)user;
    if (event->kind == ONWARD_MIME_PART_END)
        parts++;
    else if (event->kind == ONWARD_MIME_DECODED)
        decoded += event->data.len;
    return 0;
}

static void run(struct onward_mime_parser *parser,
                const struct bench_message *m)
{
    parts = decoded = 0;
    onward_mime_parser_reset(parser);
    for (size_t at = 0; at < m->len; at += BENCH_CHUNK) {
        size_t len = m->len - at < BENCH_CHUNK ? m->len - at : BENCH_CHUNK;

        if (onward_mime_parser_feed(parser, m->data + at, len) != 0)
            bench_die("feed");
    }
    if (onward_mime_parser_finish(parser) != 0 || parts < 5)
        bench_die("parts");
}

static void parse(void *arg)
{
    run(parsers[0], arg);
}

static void decode(void *arg)
{
    run(parsers[1], arg);
    if (decoded < 4000)
        bench_die("decoded");
}

/* A small file is copied, a large one read from where it is. */
static int read_file(void *user, uint64_t offset, void *buf, size_t cap,
                     size_t *got)
{
    const struct bench_message *file = user;
    size_t left = file->len - (size_t)offset;

    *got = left < cap ? left : cap;
    memcpy(buf, file->data + offset, *got);
    return 0;
}

static void fill_builder(struct onward_builder *builder,
                         struct bench_message *file)
{
    const struct onward_source source = {.size = sizeof(source),
                                         .user = file,
                                         .len = file->len,
                                         .read = read_file};
    struct onward_builder_part part = {
        .size = sizeof(part), .file_name = onward_str_of(BENCH_MIME_FILE_NAME)};

    if (file->len < BENCH_CHUNK)
        part.data = (struct onward_str){file->data, file->len};
    else
        part.source = &source;
    if (onward_builder_add_address(builder, ONWARD_BUILDER_FROM,
                                   onward_str_of(BENCH_MIME_FROM_NAME),
                                   onward_str_of(BENCH_MIME_FROM)) != 0 ||
        onward_builder_add_address(builder, ONWARD_BUILDER_TO,
                                   onward_str_of(""),
                                   onward_str_of(BENCH_MIME_TO)) != 0 ||
        onward_builder_set_subject(builder,
                                   onward_str_of(BENCH_MIME_SUBJECT)) != 0 ||
        onward_builder_set_text(builder, onward_str_of(BENCH_MIME_TEXT)) != 0 ||
        onward_builder_add_part(builder, &part) != 0)
        bench_die("builder");
}

static void build(void *arg)
{
    static char out[BENCH_CHUNK];
    struct bench_message *file = arg;
    const struct onward_source *message;
    struct onward_builder *builder;
    uint64_t at = 0;

    if (onward_builder_new(ctx, NULL, &builder) != 0)
        bench_die("builder");
    fill_builder(builder, file);
    if (onward_builder_source(builder, &message) != 0)
        bench_die("source");
    while (at < message->len) {
        size_t got = 0;

        if (message->read(message->user, at, out, sizeof(out), &got) != 0)
            bench_die("read");
        at += got;
    }
    bench_mime_check_built(file, (size_t)at);
    onward_builder_free(builder);
}

int main(int argc, char **argv)
{
    static const struct bench_mime_side side = {
        .parse = parse, .decode = decode, .build = build};

    const struct onward_clock clock = {.size = sizeof(clock), .now_s = now_s};
    const struct onward_random random = {.size = sizeof(random), .fill = fill};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &random};
    const struct onward_mime_handler handler = {.size = sizeof(handler),
                                                .event = on_event};

    if (argc != 2 || onward_ctx_new(&opts, &ctx) != 0)
        bench_die("onward FOLDER");
    for (size_t i = 0; i < 2; i++) {
        const struct onward_mime_opts mime = {
            .size = sizeof(mime), .flags = i == 0 ? 0 : ONWARD_MIME_DECODE};

        if (onward_mime_parser_new(ctx, &handler, &mime, &parsers[i]) != 0)
            bench_die("parser");
    }
    return bench_mime_serve(argv[1], &side);
}
