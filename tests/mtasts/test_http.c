/* The answer of a policy host: what counts, at any cut (RFC 9112, A032). */
#include "mtasts/http_priv.h"
#include "support/support.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define TEXT "Content-Type: text/plain\r\n"
#define WHOLE ONWARD_MTASTS_REASON_NONE
#define NO(reason) ONWARD_MTASTS_REASON_##reason

enum end { STAYS, CLEAN, CUT };

static const struct row {
    const char *name, *input;
    enum onward_mtasts_reason reason;
    const char *body;
    enum end end;
} rows[] = {
    {"a length", OK TEXT "Content-Length: 3\r\n\r\nabc", WHOLE, "abc", STAYS},
    {"octets behind it", OK TEXT "Content-Length: 3\r\n\r\nabcHTTP/1.1 500\r\n",
     WHOLE, "abc", STAYS},
    {"chunks",
     OK TEXT "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n00A;x=\"y\"\r\n"
             "0123456789\r\n0\r\n\r\n",
     WHOLE, "abc0123456789", STAYS},
    {"trailers",
     OK TEXT "transfer-encoding: Chunked\r\n\r\n1 \r\na\r\n0\r\nX: y\r\n\r\n",
     WHOLE, "a", STAYS},
    {"up to the end", OK TEXT "\r\nabc", WHOLE, "abc", CLEAN},
    {"parameters",
     OK "CONTENT-TYPE:\tText/Plain ; charset=utf-8\r\nContent-Length: 1\r\n"
        "\r\na",
     WHOLE, "a", STAYS},
    {"no phrase", "HTTP/1.1 200\r\n" TEXT "Content-Length: 1\r\n\r\na", WHOLE,
     "a", STAYS},
    {"an older server", "HTTP/1.0 200 OK\r\n" TEXT "\r\na", WHOLE, "a", CLEAN},
    {"hints before it",
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 7\r\n\r\n" OK TEXT
     "Content-Length: 1\r\n\r\na",
     WHOLE, "a", STAYS},
    {"twice the same length",
     OK TEXT "Content-Length: 1\r\ncontent-length: 1\r\n\r\na", WHOLE, "a",
     STAYS},
    {"identity",
     OK TEXT "Content-Encoding: identity\r\nContent-Length: 1\r\n\r\na", WHOLE,
     "a", STAYS},
    {"an empty body", OK TEXT "Content-Length: 0\r\n\r\n", WHOLE, "", STAYS},

    {"moved", "HTTP/1.1 301 x\r\nLocation: https://e.example/\r\n\r\n",
     NO(STATUS), "", STAYS},
    {"found", "HTTP/1.1 302 x\r\n" TEXT "\r\nabc", NO(STATUS), "", STAYS},
    {"not found", "HTTP/1.1 404 x\r\n" TEXT "Content-Length: 1\r\n\r\na",
     NO(STATUS), "", STAYS},
    {"no content", "HTTP/1.1 204 x\r\n\r\n", NO(STATUS), "", STAYS},
    {"partial", "HTTP/1.1 206 x\r\n" TEXT "\r\na", NO(STATUS), "", STAYS},
    {"not modified", "HTTP/1.1 304 x\r\n\r\n", NO(STATUS), "", STAYS},
    {"switching", "HTTP/1.1 101 x\r\n\r\n", NO(STATUS), "", STAYS},
    {"a page", OK "Content-Type: text/html\r\n\r\na", NO(MEDIA_TYPE), "",
     STAYS},
    {"no type", OK "Content-Length: 1\r\n\r\na", NO(MEDIA_TYPE), "", STAYS},
    {"a longer type", OK "Content-Type: text/plainer\r\n\r\na", NO(MEDIA_TYPE),
     "", STAYS},
    {"two types", OK TEXT TEXT "\r\na", NO(MEDIA_TYPE), "", STAYS},
    {"gzip", OK TEXT "Content-Encoding: gzip\r\n\r\na", NO(ENCODING), "",
     STAYS},
    {"too long", OK TEXT "Content-Length: 65537\r\n\r\n", NO(TOO_LONG), "",
     STAYS},
    {"much too long", OK TEXT "Content-Length: 99999999999999999\r\n\r\n",
     NO(TOO_LONG), "", STAYS},
    {"a chunk too long", OK TEXT "Transfer-Encoding: chunked\r\n\r\n10001\r\n",
     NO(TOO_LONG), "", STAYS},
    {"chunks too long together",
     OK TEXT "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n10000\r\n",
     NO(TOO_LONG), "", STAYS},

    {"cut in the head", OK TEXT, NO(CUT), "", CLEAN},
    {"nothing", "", NO(CUT), "", CLEAN},
    {"cut in the length", OK TEXT "Content-Length: 4\r\n\r\nabc", NO(CUT), "",
     CLEAN},
    {"cut in a chunk", OK TEXT "Transfer-Encoding: chunked\r\n\r\n4\r\nabc",
     NO(CUT), "", CLEAN},
    {"cut before the last chunk",
     OK TEXT "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", NO(CUT), "",
     CLEAN},
    {"an end that an attacker can make", OK TEXT "\r\nabc", NO(CUT), "", CUT},

    {"no HTTP", "220 mail.example ESMTP\r\n", NO(HTTP), "", STAYS},
    {"HTTP/2", "HTTP/2 200\r\n", NO(HTTP), "", STAYS},
    {"a status of two digits", "HTTP/1.1 20 OK\r\n", NO(HTTP), "", STAYS},
    {"a status of four", "HTTP/1.1 2000 OK\r\n", NO(HTTP), "", STAYS},
    {"a status below 100", "HTTP/1.1 099 OK\r\n", NO(HTTP), "", STAYS},
    {"bare LF", "HTTP/1.1 200 OK\n", NO(HTTP), "", STAYS},
    {"a folded field", OK "X: a\r\n b\r\n", NO(HTTP), "", STAYS},
    {"a blank before the colon", OK "Content-Length : 1\r\n", NO(HTTP), "",
     STAYS},
    {"a bare CR in a field", OK "X: a\rb\r\n", NO(HTTP), "", STAYS},
    {"two lengths", OK TEXT "Content-Length: 1\r\nContent-Length: 2\r\n",
     NO(HTTP), "", STAYS},
    {"a signed length", OK TEXT "Content-Length: +1\r\n", NO(HTTP), "", STAYS},
    {"no length", OK TEXT "Content-Length:\r\n", NO(HTTP), "", STAYS},
    {"length and chunks",
     OK TEXT "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     NO(HTTP), "", STAYS},
    {"another coding", OK TEXT "Transfer-Encoding: gzip, chunked\r\n", NO(HTTP),
     "", STAYS},
    {"chunked twice",
     OK TEXT "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
     NO(HTTP), "", STAYS},
    {"chunks of an older server",
     "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n", NO(HTTP), "", STAYS},
    {"no size", OK TEXT "Transfer-Encoding: chunked\r\n\r\n\r\n", NO(HTTP), "",
     STAYS},
    {"a size of nine digits",
     OK TEXT "Transfer-Encoding: chunked\r\n\r\n000000001\r\n", NO(HTTP), "",
     STAYS},
    {"0x", OK TEXT "Transfer-Encoding: chunked\r\n\r\n0x3\r\n", NO(HTTP), "",
     STAYS},
    {"a chunk longer than its size",
     OK TEXT "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", NO(HTTP), "",
     STAYS},
};

struct run {
    struct t_world w;
    struct onward_mtasts__http h;
    const struct row *row;
};

static void begin(void *arg)
{
    struct run *r = arg;

    onward_mtasts__http_clear(&r->h);
    onward_mtasts__http_init(&r->h, r->w.ctx);
}

static void feed(void *arg, const void *data, size_t len)
{
    onward_mtasts__http_feed(&((struct run *)arg)->h, data, len);
}

static void end(void *arg)
{
    struct run *r = arg;

    if (r->row->end != STAYS)
        onward_mtasts__http_end(&r->h, r->row->end == CLEAN);
    if (!onward_mtasts__http_is_done(&r->h))
        fail_msg("state %d", (int)r->h.state);
    if (r->h.reason != r->row->reason)
        fail_msg("%s", onward_mtasts_reason_name((int)r->h.reason));
    if (r->row->reason == WHOLE)
        t_assert_str(onward_core__buf_str(&r->h.body), r->row->body);
}

static void test_row(void **state)
{
    static const struct t_cut cut = {begin, feed, end};
    struct run r = {.row = *state};

    t_world_init(&r.w);
    onward_mtasts__http_init(&r.h, r.w.ctx);
    t_cut_everywhere(&cut, &r, r.row->input, strlen(r.row->input));
    onward_mtasts__http_clear(&r.h);
    t_world_clear(&r.w);
}

/* Feed text over and over until the reader has enough; octets fed. */
static size_t flood(struct onward_mtasts__http *h, const char *text)
{
    size_t fed = 0;

    while (!onward_mtasts__http_is_done(h) && fed < (size_t)1 << 24) {
        onward_mtasts__http_feed(h, text, strlen(text));
        fed += strlen(text);
    }
    return fed;
}

/* However a server goes on and on, there is an end, and a ceiling. */
static void endless_answers_end(void **state)
{
    static const struct {
        const char *head, *more;
        enum onward_mtasts_reason reason;
    } floods[] = {
        {"", "HTTP/1.1 ", NO(HTTP)},
        {"", "HTTP/1.1 100 Continue\r\n\r\n", NO(HTTP)},
        {OK, "X-Field: value\r\n", NO(HTTP)},
        {OK, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NO(HTTP)},
        {OK TEXT "\r\n", "mx: a.example\r\n", NO(TOO_LONG)},
        {OK TEXT "Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n",
         NO(TOO_LONG)},
        {OK TEXT "Transfer-Encoding: chunked\r\n\r\n",
         "1;extension=aaaaaaaaaaaaaaaaaaaa\r\na\r\n", NO(HTTP)},
        {OK TEXT "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n",
         NO(HTTP)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        struct onward_mtasts__http h;
        struct t_world w;
        size_t base;

        t_world_init(&w);
        base = w.live_bytes;
        w.peak_bytes = base;
        onward_mtasts__http_init(&h, w.ctx);
        onward_mtasts__http_feed(&h, floods[i].head, strlen(floods[i].head));
        if (flood(&h, floods[i].more) >= (size_t)1 << 20)
            fail_msg("flood %zu does not end", i);
        if (h.reason != floods[i].reason)
            fail_msg("flood %zu: %s", i,
                     onward_mtasts_reason_name((int)h.reason));
        assert_true(w.peak_bytes - base < (size_t)256 * 1024);
        onward_mtasts__http_clear(&h);
        t_world_clear(&w);
    }
}

static bool oom(struct t_world *w, void *arg)
{
    struct onward_mtasts__http h;
    bool ok;

    (void)arg;
    onward_mtasts__http_init(&h, w->ctx);
    onward_mtasts__http_feed(&h, rows[0].input, strlen(rows[0].input));
    ok = h.state == ONWARD_MTASTS__WHOLE;
    assert_true(ok || h.reason == ONWARD_MTASTS_REASON_INTERNAL);
    onward_mtasts__http_clear(&h);
    return ok;
}

static void out_of_memory_is_a_reason(void **state)
{
    (void)state;
    t_oom_sweep(oom, NULL);
}

int main(void)
{
    static struct CMUnitTest tests[128];
    const struct CMUnitTest more[] = {
        cmocka_unit_test(endless_answers_end),
        cmocka_unit_test(out_of_memory_is_a_reason),
    };
    size_t count = sizeof(rows) / sizeof(rows[0]);

    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    return _cmocka_run_group_tests("rows", tests, count, NULL, NULL) +
           cmocka_run_group_tests(more, NULL, NULL);
}
