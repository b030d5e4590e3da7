/*
 * Adversaries, each at 64 KiB to 4 MiB in doubling steps: twice the octets may
 * cost at most 2.4 times the time. Prints the worst step of each, or "-" when
 * no step is long enough to measure: a limit ends the work, or it is as quick
 * as reading memory. Exit status 1 with --check when one is above.
 */
#define _POSIX_C_SOURCE 200809L
#include <malloc.h>
#include <time.h>

#include <sys/random.h>

#include <onward/address.h>
#include <onward/mime_builder.h>
#include <onward/mime_parser.h>

#include "bench/worker.h"

enum { SMALL = 64 << 10, STEPS = 6, LARGE = SMALL << STEPS, ROUNDS = 5 };

static struct onward_ctx *ctx;
static struct onward_ctx *wide; /* without limits */

static int64_t now_s(void *user)
{
    (void)user;
    return 1600000000;
}

static int fill_random(void *user, void *data, size_t len)
{
    (void)user;
    return getrandom(data, len, 0) == (ssize_t)len ? 0 : -1;
}

static int on_event(void *user, const struct onward_mime_event *event)
{
    (void)user;
    (void)event;
    return 0;
}

static void parse_as(struct onward_str in, size_t flags)
{
    const struct onward_mime_handler handler = {.size = sizeof(handler),
                                                .event = on_event};
    const struct onward_mime_opts opts = {.size = sizeof(opts), .flags = flags};
    struct onward_mime_parser *p = NULL;

    if (onward_mime_parser_new(ctx, &handler, &opts, &p) != 0 ||
        onward_mime_parser_feed(p, in.data, in.len) != 0 ||
        onward_mime_parser_finish(p) != 0)
        bench_die("parse");
    onward_mime_parser_free(p);
}

static void parse(struct onward_str in)
{
    parse_as(in, ONWARD_MIME_CHECK_BODIES);
}

/* As a slow client sends it. */
static void parse_pieces(struct onward_str in)
{
    const struct onward_mime_handler handler = {.size = sizeof(handler),
                                                .event = on_event};
    struct onward_mime_parser *p = NULL;

    if (onward_mime_parser_new(ctx, &handler, NULL, &p) != 0)
        bench_die("parser");
    for (size_t at = 0; at < in.len; at += 7) {
        if (onward_mime_parser_feed(p, in.data + at,
                                    in.len - at < 7 ? in.len - at : 7) != 0)
            bench_die("feed");
    }
    if (onward_mime_parser_finish(p) != 0)
        bench_die("finish");
    onward_mime_parser_free(p);
}

static void decode(struct onward_str in)
{
    parse_as(in, ONWARD_MIME_DECODE | ONWARD_MIME_ALLOW_UUENCODE);
}

static void tree(struct onward_str in)
{
    struct onward_mime_tree *made = NULL;

    if (onward_mime_tree_new(ctx, in, NULL, &made) != 0)
        bench_die("tree");
    onward_mime_tree_free(made);
}

static void words(struct onward_str in)
{
    const struct onward_text_opts opts = {.size = sizeof(opts),
                                          .max_bytes = ONWARD_LIMIT_NONE};

    for (int place = 1; place <= 4; place++) {
        struct onward_text *text = NULL;

        if (onward_words_decode(ctx, in, place, &opts, &text) != 0)
            bench_die("words");
        onward_text_free(text);
    }
}

static void params(struct onward_str in)
{
    struct onward_params *made = NULL;

    if (onward_params_parse(ctx, in, NULL, &made) != 0)
        bench_die("params");
    onward_params_free(made);
}

static void flowed(struct onward_str in)
{
    struct onward_text *text = NULL;

    if (onward_flowed_decode(ctx, in, 0, &text) != 0)
        bench_die("flowed");
    onward_text_free(text);
}

static void fields(struct onward_str in)
{
    struct onward_angle_list *list = NULL;
    struct onward_received *received = NULL;

    if (onward_angle_list_parse(ctx, in, &list) != 0 ||
        onward_received_parse(ctx, in, &received) != 0)
        bench_die("fields");
    onward_angle_list_free(list);
    onward_received_free(received);
}

static void addresses(struct onward_str in)
{
    const struct onward_address_list_opts opts = {
        .size = sizeof(opts), .max_mailboxes = ONWARD_LIMIT_NONE};
    struct onward_address_list *list = NULL;

    if (onward_address_list_parse(ctx, in, &opts, &list) != 0)
        bench_die("addresses");
    onward_address_list_free(list);
}

static void date(struct onward_str in)
{
    int64_t s;
    int32_t east;

    if (onward_date_parse(in, &s, &east) == 0)
        bench_die("date");
}

static void name(struct onward_str in)
{
    struct onward_text *text = NULL;

    if (onward_safe_name(ctx, in, &text) != 0)
        bench_die("name");
    onward_text_free(text);
}

static void convert(struct onward_str in, const char *charset)
{
    const struct onward_text_opts opts = {.size = sizeof(opts),
                                          .max_bytes = ONWARD_LIMIT_NONE};
    struct onward_text *text = NULL;

    if (onward_charset_decode(ctx, onward_str_of(charset), in, &opts, &text) !=
        0)
        bench_die("charset");
    onward_text_free(text);
}

static void utf8(struct onward_str in)
{
    convert(in, "utf-8");
}

static void utf16(struct onward_str in)
{
    convert(in, "utf-16be");
}

static int read_back(void *user, uint64_t offset, void *buf, size_t cap,
                     size_t *got)
{
    const struct onward_str *in = user;
    size_t left = in->len - (size_t)offset;

    *got = left < cap ? left : cap;
    memcpy(buf, in->data + offset, *got);
    return 0;
}

static void read_all(const struct onward_source *source)
{
    static char buf[BENCH_CHUNK];

    for (uint64_t at = 0; at < source->len;) {
        size_t got = 0;

        if (source->read(source->user, at, buf, sizeof(buf), &got) != 0)
            bench_die("read");
        at += got;
    }
}

/* A header without limits: every item looked at, looked up, and cut. */
static void header(struct onward_str in)
{
    const struct onward_source source = {
        .size = sizeof(source), .user = &in, .len = in.len, .read = read_back};
    const struct onward_source *left;
    struct onward_header *h = NULL;
    struct onward_edit *edit = NULL;
    size_t taken, end;

    if (onward_header_new(wide, &h) != 0 ||
        onward_header_feed(h, in.data, in.len, &taken) < 0 ||
        onward_header_finish(h) != 0 ||
        onward_edit_new(wide, &source, h, NULL, &edit) != 0)
        bench_die("header");
    end = onward_header_count(h);
    for (size_t i = 0; i < end; i++) {
        struct onward_str text;

        int err = onward_header_text(h, i, &text);

        if ((err != 0 && err != ONWARD_ENOENT) ||
            onward_header_below(h, i) == i || onward_edit_cut(edit, i) != 0)
            bench_die("item");
    }
    if (onward_edit_source(edit, &left) != 0)
        bench_die("edit");
    read_all(left);
    onward_edit_free(edit);
    onward_header_free(h);
}

static void build(struct onward_str in)
{
    struct onward_builder *builder = NULL;
    const struct onward_source *message;

    if (onward_builder_new(ctx, NULL, &builder) != 0 ||
        onward_builder_add_address(builder, ONWARD_BUILDER_FROM,
                                   onward_str_of(""),
                                   onward_str_of("a@example.com")) != 0 ||
        onward_builder_set_text(builder, in) != 0)
        bench_die("builder");
    /* Lines have no place in these. */
    if (memchr(in.data, '\n', in.len) == NULL &&
        (onward_builder_set_subject(builder, in) != 0 ||
         onward_builder_add_field(builder, onward_str_of("X-Long"), in) != 0))
        bench_die("field");
    if (onward_builder_source(builder, &message) != 0)
        bench_die("source");
    read_all(message);
    onward_builder_free(builder);
}

#define MIXED                                                                  \
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
#define ENCODED(name)                                                          \
    "MIME-Version: 1.0\r\nContent-Transfer-Encoding: " name "\r\n\r\n"

/* 99 multiparts in each other, each boundary the start of the next. */
static char prefixes[16384];

static void write_prefixes(void)
{
    char boundary[100] = "";
    size_t at = (size_t)sprintf(prefixes, "MIME-Version: 1.0\r\n");

    for (size_t i = 0; i < sizeof(boundary) - 1; i++) {
        boundary[i] = 'b';
        at += (size_t)sprintf(
            prefixes + at,
            "Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n",
            boundary, boundary);
    }
}

/* head once, then piece again and again; an empty piece is its NUL. */
static const struct {
    const char *name, *head, *piece;
    void (*run)(struct onward_str in);
} rows[] = {
    {"boundaries, one in another", prefixes, "\r\n--bbx", parse},
    {"nearly, seven octets at once", MIXED, "\r\n--bb", parse_pieces},
    {"CRLF, seven octets at once", MIXED, "\r\n", parse_pieces},
    {"NULs", MIXED "--b\r\n\r\n", "", parse},
    {"NULs in a header", "", "", header},
    {"fields without limit", "", "a:\r\n", header},
    {"lines that are no fields", "", "a\r\n", header},
    {"folds", "a: x", "\r\n x", header},
    {"bare CR in a header", "a: x", "\r", header},
    {"addresses", "", "a@example.com,", addresses},
    {"open comments, addresses", "", "(", addresses},
    {"open quotes, addresses", "", "\"", addresses},
    {"routes", "<", "@a,", addresses},
    {"groups", "", "a:;,", addresses},
    {"words, no address", "", "a ", addresses},
    {"open comments in a date", "", "(", date},
    {"comments in a date", "", "() ", date},
    {"dots in a file name", "", ".", name},
    {"folders in a file name", "", "a/", name},
    {"broken UTF-8", "", "\xe2\x82", utf8},
    {"half characters of UTF-16", "", "\xd8!", utf16},
    {"text to write", "", "\xc3\xa9 = ", build},
    {"lines to write", "", "\xc3\xa9 \n", build},
    {"one word to write", "", "\xf0\x9f\x98\x80", build},
    {"hyphens", MIXED, "-", parse},
    {"lines of hyphens", MIXED, "--\r\n", parse},
    {"lines that nearly delimit", MIXED, "\r\n--bb", parse},
    {"LF and hyphen", MIXED, "\n-", parse},
    {"CR", MIXED, "\r", parse},
    {"delimiters", MIXED, "--b\r\n", tree},
    {"delimiters behind the end", MIXED "--b--\r\n", "--b\r\n", tree},
    {"multiparts in multiparts", "MIME-Version: 1.0\r\n",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", tree},
    {"messages in messages", "", "Content-Type: message/rfc822\r\n\r\n", tree},
    {"header fields", "", "a:\r\n", tree},
    {"header without an end", "a: ", "x", tree},
    {"base64 junk", ENCODED("base64"), "*", decode},
    {"base64 ends", ENCODED("base64"), "QQ==", decode},
    {"quoted-printable signs", ENCODED("quoted-printable"), "=", decode},
    {"quoted-printable blanks", ENCODED("quoted-printable"), " ", decode},
    {"uuencode", ENCODED("x-uuencode") "begin 644 a\r\n", "M!\n", decode},
    {"word starts", "", "=?", words},
    {"words", "", "=?utf-8?q?a?= ", words},
    {"words of two charsets", "", "=?utf-8?q?a?= =?koi8-r?q?a?= ", words},
    {"unknown charsets", "", "=?x?q?a?= ", words},
    {"open comments", "", "(", words},
    {"open quotes", "", "\"", words},
    {"parameters", "a/b", ";a=b", params},
    {"sections", "a/b", ";a*1*=%41", params},
    {"comments in parameters", "a/b;a=", "(", params},
    {"quotes in parameters", "a/b;a=", "\"", params},
    {"quote marks", "", ">", flowed},
    {"flowed lines", "", "> a \n>> b \n", flowed},
    {"open angles", "", "<", fields},
    {"comments", "", "(", fields},
    {"clauses", "", "from a ", fields},
};

static double now_cpu(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of one run; a short one is done often enough to be measured. */
static double seconds(void (*run)(struct onward_str in), struct onward_str in)
{
    double start = now_cpu(), spent = 0;
    size_t count = 0;

    for (; spent < 500e-6; count++) {
        run(in);
        spent = now_cpu() - start;
    }
    return spent / (double)count;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void fill(size_t row, char *text)
{
    size_t head = strlen(rows[row].head), piece = strlen(rows[row].piece);

    piece += piece == 0; /* the NUL */
    memcpy(text, rows[row].head, head);
    for (size_t at = head; at < LARGE; at++)
        text[at] = rows[row].piece[(at - head) % piece];
}

/*
 * The worst step of one row. All sizes run in each round, and a step is the
 * median of its rounds: what slows the machine for a while slows both sizes.
 */
static double worst_step(size_t row, char *text, double *last)
{
    size_t head = strlen(rows[row].head), piece = strlen(rows[row].piece);
    double steps[STEPS][ROUNDS], worst = 0;

    piece += piece == 0;
    fill(row, text);
    for (size_t round = 0; round < ROUNDS; round++) {
        double before = 0;

        for (size_t i = 0; i <= STEPS; i++) {
            size_t len = (size_t)SMALL << i;
            double now;

            /* Whole pieces: half a character is no text. */
            len -= (len - head) % piece;
            now = seconds(rows[row].run, (struct onward_str){text, len});
            /* Shorter than that, caches count for more than the code. */
            if (i > 0)
                steps[i - 1][round] = before > 100e-6 ? now / before : 0;
            before = *last = now;
        }
    }
    for (size_t i = 0; i < STEPS; i++) {
        qsort(steps[i], ROUNDS, sizeof(steps[i][0]), compare);
        if (steps[i][ROUNDS / 2] > worst)
            worst = steps[i][ROUNDS / 2];
    }
    return worst;
}

int main(int argc, char **argv)
{
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = now_s};
    const struct onward_random source = {.size = sizeof(source),
                                         .fill = fill_random};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &source};
    const struct onward_limits limits = {.size = sizeof(limits),
                                         .header_bytes = ONWARD_LIMIT_NONE,
                                         .header_fields = ONWARD_LIMIT_NONE};
    const struct onward_ctx_opts without = {.size = sizeof(without),
                                            .clock = &clock,
                                            .random = &source,
                                            .limits = &limits};
    char *text = malloc(LARGE);
    int missed = 0;

    if (text == NULL || onward_ctx_new(&opts, &ctx) != 0 ||
        onward_ctx_new(&without, &wide) != 0)
        bench_die("context");
    /* Pages fetched anew for each large block are not the library's time. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    write_prefixes();
    printf("%-30s%8s%10s\n", "adversary", "ratio", "4 MiB");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double last = 0, worst = worst_step(i, text, &last);

        /* Once more: a busy machine is no property of the code. */
        if (worst > 2.4)
            worst = worst_step(i, text, &last);
        if (worst > 0)
            printf("%-30s%8.2f%7.2f ms%s\n", rows[i].name, worst, last * 1e3,
                   worst > 2.4 ? "  MISSED" : "");
        else
            printf("%-30s%8s%7.2f ms\n", rows[i].name, "-", last * 1e3);
        fflush(stdout);
        missed += worst > 2.4;
    }
    free(text);
    onward_ctx_free(ctx);
    onward_ctx_free(wide);
    return missed != 0 && argc > 1 && strcmp(argv[1], "--check") == 0;
}
