/*
 * Adversaries, each at 64 KiB to 4 MiB in doubling steps: twice the octets may
 * cost at most 2.4 times the time. Prints the worst step of each; exit status 1
 * with --check when one is above.
 */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include <sys/random.h>

#include <onward/mime_parser.h>

#include "bench/worker.h"

enum { SMALL = 64 << 10, LARGE = 4 << 20 };

static struct onward_ctx *ctx;

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
    const struct onward_mime_opts opts = {.size = sizeof(opts),
                                          .flags = flags};
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

#define MIXED                                                                  \
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
#define ENCODED(name)                                                          \
    "MIME-Version: 1.0\r\nContent-Transfer-Encoding: " name "\r\n\r\n"

/* head once, then piece again and again. */
static const struct {
    const char *name, *head, *piece;
    void (*run)(struct onward_str in);
} rows[] = {
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

static double seconds(void (*run)(struct onward_str in), struct onward_str in)
{
    double best = 1e9;

    for (int i = 0; i < 5; i++) {
        struct timespec a, b;
        double spent;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        run(in);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        spent = (double)(b.tv_sec - a.tv_sec) +
                (double)(b.tv_nsec - a.tv_nsec) / 1e9;
        best = spent < best ? spent : best;
    }
    return best;
}

/* The worst step of one row; steps below 20 microseconds say nothing. */
static double worst_step(size_t row, char *text, double *last)
{
    size_t head = strlen(rows[row].head), piece = strlen(rows[row].piece);
    double before = 0, worst = 0;

    memcpy(text, rows[row].head, head);
    for (size_t at = head; at < LARGE; at++)
        text[at] = rows[row].piece[(at - head) % piece];
    for (size_t len = SMALL; len <= LARGE; len *= 2) {
        double now = seconds(rows[row].run, (struct onward_str){text, len});

        if (before > 20e-6 && now / before > worst)
            worst = now / before;
        before = *last = now;
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
    char *text = malloc(LARGE);
    int missed = 0;

    if (text == NULL || onward_ctx_new(&opts, &ctx) != 0)
        bench_die("context");
    printf("%-28s%8s%10s\n", "adversary", "ratio", "4 MiB");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double last = 0, worst = worst_step(i, text, &last);

        /* What stopped the machine for a while is no property of the code. */
        if (worst > 2.4)
            worst = worst_step(i, text, &last);
        printf("%-28s%8.2f%7.2f ms%s\n", rows[i].name, worst, last * 1e3,
               worst > 2.4 ? "  MISSED" : "");
        missed += worst > 2.4;
    }
    free(text);
    onward_ctx_free(ctx);
    return missed != 0 && argc > 1 && strcmp(argv[1], "--check") == 0;
}
