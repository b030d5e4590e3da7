/* Our side: the event parser, fed in pieces as a relay does. */
#include <sys/random.h>

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

int main(int argc, char **argv)
{
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
    return bench_mime_serve(argv[1], parse, decode);
}
