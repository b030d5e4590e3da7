/*
 * Limits of the parser, the tree, failures, and what memory costs.
 */
#include "mime/trace.h"

#define MIME "MIME-Version: 1.0\r\n"

static struct onward_mime_part part_of(struct onward_mime_tree *tree, size_t i)
{
    struct onward_mime_part part = {.size = sizeof(part)};

    assert_int_equal(onward_mime_tree_part(tree, i, &part), 0);
    return part;
}

/* ---- The tree ---------------------------------------------------------- */

static const char message[] =
    "From: a@example.org\r\n" MIME
    "Content-Type: multipart/mixed; boundary=b\r\n"
    "\r\n--b\r\n"
    "Content-Type: text/plain; charset=iso-8859-1; format=flowed\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "caf=E9 =\r\n\r\nb\r\n"
    "\r\n--b\r\n"
    "Content-Type: application/pdf; name=x\r\n"
    "Content-Disposition: ATTACHMENT; filename=\"../a b.pdf\"\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "Content-ID: <id@x>\r\n"
    "\r\n"
    "QUJD\r\n"
    "--b\r\n"
    "Content-Type: message/rfc822\r\n\r\n"
    "Subject: in\r\n\r\nbody\r\n"
    "--b--\r\n";

static void test_tree(void **state)
{
    struct onward_mime_opts opts = {.size = sizeof(opts),
                                    .flags = ONWARD_MIME_DECODE};
    struct onward_mime_part part;
    struct onward_mime_tree *tree = NULL;
    struct onward_header *header = NULL;
    struct onward_text *text = NULL;
    struct onward_str body;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_mime_tree_new(w.ctx, onward_str_of(message), &opts,
                                          &tree),
                     0);
    assert_int_equal(onward_mime_tree_count(tree), 5);
    assert_int_equal(onward_mime_tree_anomaly_count(tree), 0);
    part = part_of(tree, 0);
    assert_int_equal(part.kind, ONWARD_MIME_MULTIPART);
    assert_int_equal(part.first_child, 1);
    assert_int_equal(part.end, sizeof(message) - 1);
    t_assert_str(part.boundary, "b");
    assert_int_equal(onward_mime_tree_text(tree, 0, &text), ONWARD_ENOENT);

    part = part_of(tree, 1);
    assert_int_equal(part.next, 2);
    assert_int_equal(part.parent, 0);
    t_assert_str(part.charset, "iso-8859-1");
    t_assert_str(part.format, "flowed");
    assert_int_equal(onward_mime_tree_text(tree, 1, &text), 0);
    t_assert_str(onward_text_str(text), "caf\xc3\xa9 b\r\n");
    onward_text_free(text);

    part = part_of(tree, 2);
    t_assert_str(part.type, "application");
    t_assert_str(part.disposition, "attachment");
    t_assert_str(part.name, "../a b.pdf");
    t_assert_str(part.content_id, "id@x");
    assert_int_equal(part.encoding, ONWARD_ENCODING_BASE64);
    assert_int_equal(part.decoded_len, 3);
    assert_int_equal(onward_mime_tree_body(tree, 2, &body), 0);
    t_assert_str(body, "ABC");
    t_assert_str(onward_mime_tree_raw(tree, 2, 0), "QUJD");
    assert_int_equal(onward_mime_tree_header(tree, 2, &header), 0);
    assert_int_equal(onward_header_count(header), 4);

    part = part_of(tree, 3);
    assert_int_equal(part.kind, ONWARD_MIME_MESSAGE);
    assert_int_equal(part.first_child, 4);
    assert_int_equal(part.next, ONWARD_MIME_NONE);
    t_assert_str(onward_mime_tree_raw(tree, 4, 1), "Subject: in\r\n\r\nbody");
    assert_int_equal(part_of(tree, 4).depth, 2);
    assert_int_equal(onward_mime_tree_part(tree, 5, &part), ONWARD_ENOENT);
    assert_int_equal(onward_mime_tree_header(tree, 5, &header), ONWARD_ENOENT);
    assert_int_equal(onward_mime_tree_body(tree, 5, &body), ONWARD_ENOENT);
    assert_int_equal(onward_mime_tree_raw(tree, 5, 1).len, 0);
    onward_mime_tree_free(tree);
    t_world_clear(&w);
}

static void test_tree_anomaly(void **state)
{
    struct onward_mime_anomaly a = {.size = sizeof(a)};
    struct onward_mime_tree *tree = NULL;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_mime_tree_new(w.ctx,
                             ONWARD_STR("Subject: a\r\nSubject: b\r\n\r\n"),
                             NULL, &tree),
        0);
    assert_int_equal(onward_mime_tree_anomaly_count(tree), 1);
    assert_int_equal(onward_mime_tree_anomaly_at(tree, 0, &a), 0);
    assert_int_equal(a.code, ONWARD_MIME_DUPLICATE_FIELD);
    assert_int_equal(a.severity, ONWARD_HEADER_MALFORMED);
    assert_int_equal(a.offset, 12);
    assert_int_equal(part_of(tree, 0).severity, ONWARD_HEADER_MALFORMED);
    assert_int_equal(onward_mime_tree_anomaly_at(tree, 1, &a), ONWARD_ENOENT);
    a.size = 1;
    assert_int_equal(onward_mime_tree_anomaly_at(tree, 0, &a), ONWARD_EINVAL);
    onward_mime_tree_free(tree);
    for (int code = 1; code < 110; code++) {
        bool is_known = strcmp(onward_mime_anomaly_name(code), "unknown") != 0;

        assert_int_equal(onward_mime_anomaly_severity(code) != 0, is_known);
    }
    t_world_clear(&w);
}

/* ---- Limits: A088, row 85 ---------------------------------------------- */

struct nest {
    struct onward_buf buf;
    size_t depth;
};

/* depth multiparts, each in the one before it. */
static void add_nest(struct onward_buf *b, size_t depth)
{
    onward_core__buf_add_text(b, MIME);
    for (size_t i = 0; i < depth; i++) {
        onward_core__buf_add_text(b, "Content-Type: multipart/mixed; "
                                     "boundary=b");
        onward_core__buf_add_u64(b, i);
        onward_core__buf_add_text(b, "\r\n\r\n--b");
        onward_core__buf_add_u64(b, i);
        onward_core__buf_add_text(b, "\r\n");
    }
    onward_core__buf_add_text(b, "\r\nleaf\r\n");
}

static bool has_anomaly(struct onward_mime_tree *tree, int code)
{
    for (size_t i = 0; i < onward_mime_tree_anomaly_count(tree); i++) {
        struct onward_mime_anomaly a = {.size = sizeof(a)};

        assert_int_equal(onward_mime_tree_anomaly_at(tree, i, &a), 0);
        if (a.code == code)
            return true;
    }
    return false;
}

/* The tree of a message, and that its events give the message back. */
static struct onward_mime_tree *read_whole(struct t_world *w,
                                           const struct onward_buf *b,
                                           const struct onward_mime_opts *opts)
{
    struct onward_mime_tree *tree = NULL;

    for (size_t step = 1000; step < 100000; step *= 9) {
        struct trace t;

        trace_init(&t, w->ctx);
        assert_int_equal(
            trace_run(&t, w->ctx, opts, onward_core__buf_str(b), step), 0);
        t_assert_str_n(onward_core__buf_str(&t.octets), b->data, b->len);
        trace_clear(&t);
    }
    assert_int_equal(
        onward_mime_tree_new(w->ctx, onward_core__buf_str(b), opts, &tree), 0);
    return tree;
}

/* Row 85: nesting up to 256 can be had; the default is lower. */
static void test_depth_row_85(void **state)
{
    struct onward_mime_opts opts = {.size = sizeof(opts)};
    struct onward_mime_tree *tree;
    struct onward_buf b;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&b, w.ctx, SIZE_MAX);
    add_nest(&b, 300);
    tree = read_whole(&w, &b, &opts);
    assert_int_equal(onward_mime_tree_count(tree), 101);
    assert_true(has_anomaly(tree, ONWARD_MIME_DEPTH_LIMIT));
    assert_int_equal(part_of(tree, 100).kind, ONWARD_MIME_LEAF);
    assert_int_equal(part_of(tree, 100).end, b.len);
    onward_mime_tree_free(tree);
    opts.max_depth = 256;
    tree = read_whole(&w, &b, &opts);
    assert_int_equal(onward_mime_tree_count(tree), 257);
    onward_mime_tree_free(tree);
    opts.max_depth = ONWARD_LIMIT_NONE;
    tree = read_whole(&w, &b, &opts);
    assert_int_equal(onward_mime_tree_count(tree), 301);
    onward_mime_tree_free(tree);
    opts.max_depth = ONWARD_LIMIT_ZERO;
    tree = read_whole(&w, &b, &opts);
    assert_int_equal(onward_mime_tree_count(tree), 1);
    onward_mime_tree_free(tree);
    onward_core__buf_clear(&b);
    t_world_clear(&w);
}

/* Row 85: messages in messages count as depth, too. */
static void test_messages_row_85(void **state)
{
    struct onward_mime_opts opts = {.size = sizeof(opts), .max_depth = 10};
    struct onward_mime_tree *tree;
    struct onward_buf b;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&b, w.ctx, SIZE_MAX);
    for (size_t i = 0; i < 50; i++)
        onward_core__buf_add_text(&b, MIME
                                  "Content-Type: message/rfc822\r\n\r\n");
    tree = read_whole(&w, &b, &opts);
    assert_int_equal(onward_mime_tree_count(tree), 11);
    assert_true(has_anomaly(tree, ONWARD_MIME_DEPTH_LIMIT));
    onward_mime_tree_free(tree);
    opts.flags = ONWARD_MIME_FLAT_MESSAGES;
    tree = read_whole(&w, &b, &opts);
    assert_int_equal(onward_mime_tree_count(tree), 1);
    onward_mime_tree_free(tree);
    onward_core__buf_clear(&b);
    t_world_clear(&w);
}

static void add_wide(struct onward_buf *b, size_t parts, const char *field)
{
    onward_core__buf_add_text(b, MIME
                              "Content-Type: multipart/mixed; boundary=b\r\n"
                              "\r\n");
    for (size_t i = 0; i < parts; i++) {
        onward_core__buf_add_text(b, "--b\r\n");
        onward_core__buf_add_text(b, field);
        onward_core__buf_add_text(b, "\r\nx\r\n");
    }
    onward_core__buf_add_text(b, "--b--\r\n");
}

/* Row 85: breadth is limited here. */
static void test_parts_row_85(void **state)
{
    struct onward_mime_opts opts = {.size = sizeof(opts), .max_parts = 100};
    struct onward_mime_tree *tree;
    struct onward_buf b;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&b, w.ctx, SIZE_MAX);
    add_wide(&b, 500, "");
    tree = read_whole(&w, &b, &opts);
    assert_int_equal(onward_mime_tree_count(tree), 101);
    assert_true(has_anomaly(tree, ONWARD_MIME_PARTS_LIMIT));
    assert_int_equal(part_of(tree, 100).kind, ONWARD_MIME_UNREAD);
    assert_int_equal(part_of(tree, 100).end, b.len);
    onward_mime_tree_free(tree);
    onward_core__buf_clear(&b);
    t_world_clear(&w);
}

/* Row 85: header octets over all parts; parts go on being found. */
static void test_header_bytes_row_85(void **state)
{
    struct onward_mime_opts opts = {.size = sizeof(opts),
                                    .header_bytes = 2000};
    struct onward_mime_tree *tree;
    struct onward_buf b;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&b, w.ctx, SIZE_MAX);
    add_wide(&b, 200, "A: 0123456789012345678901234567890123456789\r\n");
    tree = read_whole(&w, &b, &opts);
    assert_int_equal(onward_mime_tree_count(tree), 201);
    assert_true(has_anomaly(tree, ONWARD_MIME_HEADER_LIMIT));
    assert_int_equal(part_of(tree, 10).kind, ONWARD_MIME_LEAF);
    assert_int_equal(part_of(tree, 100).kind, ONWARD_MIME_UNREAD);
    t_assert_str(onward_mime_tree_raw(tree, 100, 0),
                 "A: 0123456789012345678901234567890123456789\r\n\r\nx");
    onward_mime_tree_free(tree);
    onward_core__buf_clear(&b);
    t_world_clear(&w);
}

/* One header over the context's limit: cut at every place, all is body. */
static void test_one_header(void **state)
{
    static const char text[] =
        "Content-Type: multipart/mixed; boundary=b\r\nA: "
        "01234567890123456789\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n";
    struct onward_limits limits = {.size = sizeof(limits), .header_bytes = 60};
    struct onward_mime_opts opts = {.size = sizeof(opts)};
    struct t_world w = {0};

    (void)state;
    for (limits.header_bytes = 1; limits.header_bytes < 70;
         limits.header_bytes++) {
        struct trace whole;

        t_world_init_limits(&w, &limits);
        trace_init(&whole, w.ctx);
        assert_int_equal(
            trace_run(&whole, w.ctx, &opts, onward_str_of(text), SIZE_MAX), 0);
        for (size_t step = 1; step < sizeof(text); step++) {
            struct trace cut;

            trace_init(&cut, w.ctx);
            assert_int_equal(
                trace_run(&cut, w.ctx, &opts, onward_str_of(text), step), 0);
            t_assert_str_n(onward_core__buf_str(&cut.text), whole.text.data,
                           whole.text.len);
            trace_clear(&cut);
        }
        trace_clear(&whole);
        t_world_clear(&w);
    }
}

static void test_long_boundary(void **state)
{
    struct t_world w = {0};
    struct onward_mime_tree *tree;
    struct onward_buf b;

    (void)state;
    t_world_init(&w);
    for (size_t len = 249; len <= 251; len++) {
        onward_core__buf_init(&b, w.ctx, SIZE_MAX);
        onward_core__buf_add_text(&b, MIME
                                  "Content-Type: multipart/mixed; boundary=");
        for (size_t i = 0; i < len; i++)
            onward_core__buf_add_byte(&b, 'b');
        onward_core__buf_add_text(&b, "\r\n\r\n--");
        for (size_t i = 0; i < len; i++)
            onward_core__buf_add_byte(&b, 'b');
        onward_core__buf_add_text(&b, "\r\n\r\nx\r\n");
        tree = read_whole(&w, &b, NULL);
        assert_int_equal(onward_mime_tree_count(tree), len > 250 ? 1 : 2);
        assert_int_equal(has_anomaly(tree, ONWARD_MIME_BOUNDARY_LIMIT),
                         len > 250);
        onward_mime_tree_free(tree);
        onward_core__buf_clear(&b);
    }
    t_world_clear(&w);
}

/* A delimiter of 998 octets is one, of 999 none, for any cut. */
static void test_long_delimiter(void **state)
{
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    for (size_t len = 997; len <= 1001; len++) {
        struct trace whole;
        struct onward_buf b;

        onward_core__buf_init(&b, w.ctx, SIZE_MAX);
        onward_core__buf_add_text(
            &b, MIME "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                     "\r\nx\r\n--b");
        for (size_t i = 3; i < len; i++)
            onward_core__buf_add_byte(&b, ' ');
        onward_core__buf_add_text(&b, "\r\n\r\ny\r\n--b--\r\n");
        trace_init(&whole, w.ctx);
        assert_int_equal(trace_run(&whole, w.ctx, NULL,
                                   onward_core__buf_str(&b), SIZE_MAX),
                         0);
        onward_core__buf_add_byte(&whole.anomalies, 0);
        assert_string_equal((char *)whole.anomalies.data,
                            len > 998 ? "long-delimiter@74/0 " : "");
        for (size_t step = 1; step < b.len; step += step < 9 ? 1 : 97) {
            struct trace cut;

            trace_init(&cut, w.ctx);
            assert_int_equal(trace_run(&cut, w.ctx, NULL,
                                       onward_core__buf_str(&b), step),
                             0);
            onward_core__buf_add_byte(&cut.anomalies, 0);
            t_assert_str_n(onward_core__buf_str(&cut.text), whole.text.data,
                           whole.text.len);
            assert_string_equal((char *)cut.anomalies.data,
                                (char *)whole.anomalies.data);
            trace_clear(&cut);
        }
        trace_clear(&whole);
        onward_core__buf_clear(&b);
    }
    t_world_clear(&w);
}

static void test_many_anomalies(void **state)
{
    struct onward_mime_opts opts = {.size = sizeof(opts), .max_anomalies = 3};
    struct onward_mime_tree *tree;
    struct onward_buf b;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&b, w.ctx, SIZE_MAX);
    add_wide(&b, 20, "Content-Type: oops\r\n");
    tree = read_whole(&w, &b, &opts);
    assert_int_equal(onward_mime_tree_anomaly_count(tree), 4);
    assert_true(has_anomaly(tree, ONWARD_MIME_MANY_ANOMALIES));
    onward_mime_tree_free(tree);
    onward_core__buf_clear(&b);
    t_world_clear(&w);
}

/* ---- Failures ---------------------------------------------------------- */

static void test_handler_fails(void **state)
{
    struct t_world w = {0};
    size_t events;

    (void)state;
    t_world_init(&w);
    for (events = 1;; events++) {
        struct trace t;
        int err;

        trace_init(&t, w.ctx);
        t.fail_at = events;
        err = trace_run(&t, w.ctx, NULL, onward_str_of(message), SIZE_MAX);
        trace_clear(&t);
        if (err == 0)
            break;
        assert_int_equal(err, ONWARD_ECALLBACK);
    }
    assert_true(events > 30);
    t_world_clear(&w);
}

static int no_event(void *user, const struct onward_mime_event *event)
{
    (void)user;
    (void)event;
    return 0;
}

static void test_states(void **state)
{
    struct onward_mime_handler handler = {.size = sizeof(handler)};
    struct onward_mime_parser *p = NULL;
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_mime_parser_new(w.ctx, &handler, NULL, &p),
                     ONWARD_EINVAL);
    handler.event = no_event;
    assert_int_equal(onward_mime_parser_new(w.ctx, &handler, NULL, &p), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            onward_mime_parser_feed(p, message, sizeof(message) - 1), 0);
        assert_int_equal(onward_mime_parser_finish(p), 0);
        assert_int_equal(onward_mime_parser_feed(p, "a", 1), ONWARD_ESTATE);
        assert_int_equal(onward_mime_parser_finish(p), ONWARD_ESTATE);
        onward_mime_parser_reset(p);
    }
    onward_mime_parser_free(p);
    onward_mime_parser_free(NULL);
    onward_mime_tree_free(NULL);
    t_world_clear(&w);
}

static bool scenario(struct t_world *w, void *arg)
{
    struct onward_mime_opts opts = {.size = sizeof(opts),
                                    .flags = ONWARD_MIME_DECODE};
    struct onward_mime_tree *tree = NULL;
    struct onward_header *header = NULL;
    struct onward_text *text = NULL;
    struct onward_str body;
    bool ok = onward_mime_tree_new(w->ctx, onward_str_of(message), &opts,
                                   &tree) == 0 &&
              onward_mime_tree_header(tree, 0, &header) == 0 &&
              onward_mime_tree_body(tree, 2, &body) == 0 &&
              onward_mime_tree_text(tree, 1, &text) == 0;

    (void)arg;
    onward_text_free(text);
    onward_mime_tree_free(tree);
    return ok;
}

static void test_memory(void **state)
{
    (void)state;
    t_oom_sweep(scenario, NULL);
}

/* A big message costs the parser no more than a small one. */
static void test_bounded(void **state)
{
    struct onward_mime_opts opts = {.size = sizeof(opts),
                                    .flags = ONWARD_MIME_DECODE |
                                             ONWARD_MIME_CHECK_BODIES};
    const struct onward_mime_handler handler = {.size = sizeof(handler),
                                                .event = no_event};
    static const char head[] =
        MIME "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
             "Content-Transfer-Encoding: base64\r\n\r\n";
    struct onward_mime_parser *p = NULL;
    struct t_world w = {0};
    char line[78];

    (void)state;
    t_world_init(&w);
    memset(line, 'A', 76);
    memcpy(line + 76, "\r\n", 2);
    w.peak_bytes = 0;
    assert_int_equal(onward_mime_parser_new(w.ctx, &handler, &opts, &p), 0);
    assert_int_equal(onward_mime_parser_feed(p, head, sizeof(head) - 1), 0);
    for (size_t i = 0; i < 25 * 1048576 / 78; i++)
        assert_int_equal(onward_mime_parser_feed(p, line, sizeof(line)), 0);
    assert_int_equal(onward_mime_parser_finish(p), 0);
    onward_mime_parser_free(p);
    print_message("peak of 25 MiB: %zu octets\n", w.peak_bytes);
    assert_true(w.peak_bytes < (size_t)256 * 1024);
    t_world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_tree_anomaly),
        cmocka_unit_test(test_depth_row_85),
        cmocka_unit_test(test_messages_row_85),
        cmocka_unit_test(test_parts_row_85),
        cmocka_unit_test(test_header_bytes_row_85),
        cmocka_unit_test(test_one_header),
        cmocka_unit_test(test_long_boundary),
        cmocka_unit_test(test_long_delimiter),
        cmocka_unit_test(test_many_anomalies),
        cmocka_unit_test(test_handler_fails),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
