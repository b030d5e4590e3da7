/*
 * The push parser: the structure it tells, the anomalies, and that it is the
 * same for any cut and gives the message back.
 */
#include "support/json.h"

#include "mime/trace.h"

#define S(literal) {literal, sizeof(literal) - 1}
#define MIME "MIME-Version: 1.0\r\n"
#define MIXED(b) "Content-Type: multipart/mixed; boundary=" b "\r\n"
#define CT "Content-Type: "

/* ---- Rows -------------------------------------------------------------- */

static const struct row {
    const char *name;
    struct onward_str in;
    const char *want;
    const char *anomalies;
    size_t flags;
} rows[] = {
    {"no MIME", S("A: b\r\n\r\nx\r\n"), "(0 text/plain#1 b:x\r\n)", ""},
    {"empty message", S(""), "(0 text/plain#1)", "no-empty-line@0/0 "},
    {"empty body", S("A: b\r\n\r\n"), "(0 text/plain#1)", ""},
    {"one part",
     S(MIME MIXED("b") "\r\npre\r\n--b\r\n\r\none\r\n--b--\r\nepi"),
     "(0 multipart/mixed#2 p:pre -:\r\n--b\r\n(1 text/plain#1 b:one) "
     "-:\r\n--b--\r\n e:epi)",
     ""},
    {"no CRLF after the end",
     S(MIME MIXED("b") "\r\n--b\r\n\r\none\r\n--b--"),
     "(0 multipart/mixed#2 -:--b\r\n(1 text/plain#1 b:one) -:\r\n--b--)", ""},
    {"part without a blank line",
     S(MIME MIXED("b") "\r\n--b\r\nA: b\r\n--b\r\n\r\nx\r\n--b--"),
     "(0 multipart/mixed#2 -:--b\r\n(1 text/plain#1) -:--b\r\n"
     "(2 text/plain#1 b:x) -:\r\n--b--)",
     "no-empty-line@75/1 "},
    {"delimiters in a row", S(MIME MIXED("b") "\r\n--b\r\n--b\r\n--b--\r\n"),
     "(0 multipart/mixed#2 -:--b\r\n(1 text/plain#1) -:--b\r\n"
     "(2 text/plain#1) -:--b--\r\n)",
     "no-empty-line@69/1 no-empty-line@74/2 "},
    {"message in a message",
     S(MIME CT "message/rfc822\r\n\r\nB: c\r\n\r\nx"),
     "(0 message/rfc822#3(1 text/plain#1 b:x))", ""},
    {"message/global", S(MIME CT "message/global\r\n\r\nB: c\r\n\r\nx"),
     "(0 message/global#3(1 text/plain#1 b:x))", ""},
    {"flat messages", S(MIME CT "message/rfc822\r\n\r\nB: c\r\n\r\nx"),
     "(0 message/rfc822#1 b:B: c\r\n\r\nx)", "", ONWARD_MIME_FLAT_MESSAGES},
    {"digest",
     S(MIME CT "multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nB: c\r\n\r\nx"
               "\r\n--b--"),
     "(0 multipart/digest#2 -:--b\r\n(1 message/rfc822#3(2 text/plain#1 b:x)) "
     "-:\r\n--b--)",
     ""},
    {"message/partial is a leaf",
     S(MIME CT "message/partial; id=a; number=1\r\n\r\nB: c\r\n\r\nx"),
     "(0 message/partial#1 b:B: c\r\n\r\nx)", ""},
    {"message/external-body is a leaf",
     S(MIME CT "message/external-body; access-type=x\r\n\r\nB: c\r\n\r\nx"),
     "(0 message/external-body#1 b:B: c\r\n\r\nx)", ""},
    {"file name",
     S(MIME CT "a/b; name=x\r\nContent-Disposition: attachment; "
               "filename*=utf-8''%C3%A9\r\n\r\n"),
     "(0 a/b#1\"\xc3\xa9\")", ""},

    /* A086: one reading, flagged. */
    {"A086 two types", S(MIME CT "text/html\r\n" CT "text/plain\r\n\r\n"),
     "(0 text/html#1)", "duplicate-content-field@44/0 "},
    {"A086 two encodings",
     S(MIME "Content-Transfer-Encoding: base64\r\n"
            "content-transfer-encoding : 8bit\r\n\r\nQQ=="),
     "(0 text/plain#1 b:QQ==)",
     "wsp-before-colon@79/0 duplicate-content-field@54/0 "},
    {"A086 two boundaries",
     S(MIME CT "multipart/mixed; boundary=a; boundary=b\r\n\r\n--b\r\n\r\nx"
               "\r\n--a--\r\n"),
     "(0 multipart/mixed#2 p:--b\r\n\r\nx -:\r\n--a--\r\n)",
     "odd-parameters@19/0 two-boundaries@19/0 "},
    {"A086 boundary in two forms",
     S(MIME CT "multipart/mixed; boundary=b; boundary*0=a\r\n\r\n--a--\r\n"),
     "(0 multipart/mixed#2 -:--a--\r\n)", ""},
    {"A086 NUL in a name", S(MIME "Con\0tent-Type: a/b\r\n\r\n"),
     "(0 text/plain#1)", "bad-name@19/0 nul@22/0 "},
    {"A086 NUL in a value", S(MIME CT "a/b\0c\r\n\r\n"), "(0 a/b#1)",
     "nul@36/0 odd-parameters@19/0 "},
    {"A086 From twice", S("From: a@b\r\nFrom: c@d\r\n\r\n"),
     "(0 text/plain#1)", "duplicate-field@11/0 "},
    {"bad type", S(MIME CT "oops\r\n\r\nx"), "(0 text/plain#1 b:x)",
     "bad-type@19/0 "},
    {"no boundary", S(MIME CT "multipart/mixed\r\n\r\n--b\r\n"),
     "(0 multipart/mixed#1 b:--b\r\n)", "no-boundary@19/0 "},
    {"no delimiter", S(MIME MIXED("b") "\r\nx\r\n"),
     "(0 multipart/mixed#2 p:x\r\n)", "no-delimiter@64/0 "},
    {"no close", S(MIME MIXED("b") "\r\n--b\r\n\r\nx\r\n"),
     "(0 multipart/mixed#2 -:--b\r\n(1 text/plain#1 b:x\r\n))",
     "no-close-delimiter@74/0 "},
    {"no version", S(CT "text/html\r\n\r\n"), "(0 text/html#1)",
     "no-mime-version@0/0 "},
    {"empty boundary", S(MIME MIXED("\"\"") "\r\n--\r\n\r\nx\r\n----\r\n"),
     "(0 multipart/mixed#2 -:--\r\n(1 text/plain#1 b:x) -:\r\n----\r\n)",
     "odd-boundary@19/0 "},
    {"boundary with a blank at its end",
     S(MIME MIXED("\"b \"") "\r\n--b\r\n\r\nx\r\n--b--\r\n"),
     "(0 multipart/mixed#2 -:--b\r\n(1 text/plain#1 b:x) -:\r\n--b--\r\n)",
     "odd-boundary@19/0 "},
    {"encoded multipart",
     S(MIME MIXED("b") "Content-Transfer-Encoding: base64\r\n\r\n--b--\r\n"),
     "(0 multipart/mixed#2 -:--b--\r\n)", "encoded-multipart@19/0 "},
    {"encoded message",
     S(MIME CT "message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ"),
     "(0 message/rfc822#1 b:QQ)", "encoded-message@19/0 "},
    {"unknown encoding",
     S(MIME "Content-Transfer-Encoding: rot13\r\n\r\nQQ"),
     "(0 text/plain#1 b:QQ)", "unknown-encoding@19/0 "},

    /* A087: whole lines. */
    {"A087 line begins with a delimiter",
     S(MIME MIXED("b") "\r\n--b\r\n\r\n--bb\r\n--bx--\r\n--b x\r\n--b-\r\n"
                       "--b--"),
     "(0 multipart/mixed#2 -:--b\r\n(1 text/plain#1 b:--bb\r\n--bx--\r\n"
     "--b x\r\n--b-) -:\r\n--b--)",
     ""},
    {"A087 padding", S(MIME MIXED("b") "\r\n--b \t\r\n\r\nx\r\n--b-- \r\n"),
     "(0 multipart/mixed#2 -:--b \t\r\n(1 text/plain#1 b:x) -:\r\n--b-- \r\n)",
     ""},
    {"A087 inner boundary begins with the outer",
     S(MIME MIXED("x") "\r\n--x\r\n" MIXED("xy") "\r\n--xy\r\n\r\nin\r\n--xy--"
                                                  "\r\n--x--\r\n"),
     "(0 multipart/mixed#2 -:--x\r\n(1 multipart/mixed#2 -:--xy\r\n"
     "(2 text/plain#1 b:in) -:\r\n--xy--\r\n) -:--x--\r\n)",
     ""},
    {"A087 inner boundary is the outer and --",
     S(MIME MIXED("x") "\r\n--x\r\n" MIXED("x--") "\r\n--x--\r\n\r\nin\r\n"
                                                    "--x----\r\n--x--\r\n"),
     "(0 multipart/mixed#2 -:--x\r\n(1 multipart/mixed#2 -:--x--\r\n"
     "(2 text/plain#1 b:in) -:\r\n--x----\r\n) -:--x--\r\n)",
     ""},
    {"A087 the same boundary inside",
     S(MIME MIXED("b") "\r\n--b\r\n" MIXED("b") "\r\n--b\r\n\r\nin\r\n--b--"
                                                "\r\n--b\r\n\r\nout\r\n--b--"),
     "(0 multipart/mixed#2 -:--b\r\n(1 multipart/mixed#2 -:--b\r\n"
     "(2 text/plain#1 b:in) -:\r\n--b--\r\n) -:--b\r\n"
     "(3 text/plain#1 b:out) -:\r\n--b--)",
     "same-boundary@69/1 "},
    {"A087 outer delimiter ends the inner",
     S(MIME MIXED("o") "\r\n--o\r\n" MIXED("i") "\r\n--i\r\n\r\nx\r\n--o--\r\n"),
     "(0 multipart/mixed#2 -:--o\r\n(1 multipart/mixed#2 -:--i\r\n"
     "(2 text/plain#1 b:x)) -:\r\n--o--\r\n)",
     "no-close-delimiter@122/1 "},
    {"A087 a delimiter has two hyphens",
     S(MIME MIXED("b") "\r\n-xb\r\n--b\r\n-xb\r\n\r\n-xb\r\n--b--"),
     "(0 multipart/mixed#2 p:-xb -:\r\n--b\r\n(1 text/plain#1 b:-xb) "
     "-:\r\n--b--)",
     "no-colon@74/1 "},
    {"A087 a part behind the end",
     S(MIME MIXED("b") "\r\n--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--"),
     "(0 multipart/mixed#2 -:--b\r\n(1 text/plain#1 b:x) -:\r\n--b--\r\n "
     "e:--b\r\n\r\ny\r\n--b--)",
     "late-delimiter@81/0 late-delimiter@91/0 "},
    {"A087 a delimiter of bare LF",
     S(MIME MIXED("b") "\r\n--b\r\n\r\nx\n--b--\r\ny\r\n--b--\r\n"),
     "(0 multipart/mixed#2 -:--b\r\n(1 text/plain#1 b:x\n--b--\r\ny) "
     "-:\r\n--b--\r\n)",
     "lf-delimiter@73/0 "},
    {"A087 a delimiter that ends in LF",
     S(MIME MIXED("b") "\r\n--b\r\n\r\nx\r\n--b--\ny\r\n--b--\r\n"),
     "(0 multipart/mixed#2 -:--b\r\n(1 text/plain#1 b:x\r\n--b--\ny) "
     "-:\r\n--b--\r\n)",
     "lf-delimiter@74/0 "},
    {"LF where it is allowed",
     S("MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=\"b\"\n\n"
       "--b\n\none\n--b--\n"),
     "(0 multipart/mixed#2 -:--b\n(1 text/plain#1 b:one) -:\n--b--\n)", "",
     ONWARD_MIME_ALLOW_LF},

    {"A089 damage is told",
     S(MIME "Content-Transfer-Encoding: base64\r\n\r\nQ!Q\r\n"),
     "(0 text/plain#1 b:Q!Q\r\n)", "damaged-body@56/0 ", ONWARD_MIME_DECODE},
    {"bodies are looked at",
     S("A: b\r\n\r\na\rb\nc\xe9\r\n\r"),
     "(0 text/plain#1 b:a\rb\nc\xe9\r\n\r)",
     "body-bare-cr@9/0 body-bare-lf@11/0 body-8bit@13/0 ",
     ONWARD_MIME_CHECK_BODIES},
    {"CR ends the body", S("A: b\r\n\r\n\r"), "(0 text/plain#1 b:\r)",
     "body-bare-cr@8/0 ", ONWARD_MIME_CHECK_BODIES},
    {"NUL in a body", S("A: b\r\n\r\n\0"), "(0 text/plain#1 b:",
     "body-nul@8/0 ", ONWARD_MIME_CHECK_BODIES},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_mime_opts opts = {.size = sizeof(opts), .flags = row->flags};
    struct t_world w = {0};
    struct trace whole;

    t_world_init(&w);
    trace_init(&whole, w.ctx);
    assert_int_equal(trace_run(&whole, w.ctx, &opts, row->in, SIZE_MAX), 0);
    onward_core__buf_add_byte(&whole.text, 0);
    onward_core__buf_add_byte(&whole.anomalies, 0);
    assert_string_equal((char *)whole.text.data, row->want);
    assert_string_equal((char *)whole.anomalies.data, row->anomalies);
    t_assert_str_n(onward_core__buf_str(&whole.octets), row->in.data,
                   row->in.len);
    for (size_t step = 1; step < row->in.len; step++) {
        struct trace cut;

        trace_init(&cut, w.ctx);
        assert_int_equal(trace_run(&cut, w.ctx, &opts, row->in, step), 0);
        onward_core__buf_add_byte(&cut.text, 0);
        onward_core__buf_add_byte(&cut.anomalies, 0);
        assert_string_equal((char *)cut.text.data, (char *)whole.text.data);
        assert_string_equal((char *)cut.anomalies.data,
                            (char *)whole.anomalies.data);
        t_assert_str_n(onward_core__buf_str(&cut.octets), row->in.data,
                       row->in.len);
        trace_clear(&cut);
    }
    trace_clear(&whole);
    t_world_clear(&w);
}

/* ---- The vectors ------------------------------------------------------- */

static size_t faults;

static void check_text(const char *id, const char *what, struct onward_str got,
                       struct onward_str want)
{
    if (onward_str_equal(got, want))
        return;
    fprintf(stderr, "%s: %s \"%.*s\", expected \"%.*s\"\n", id, what,
            (int)got.len, got.data, (int)want.len, want.data);
    faults++;
}

/* The preamble and the epilogue are what the children leave. */
static void check_tree(const char *id, struct onward_mime_tree *tree, size_t i,
                       const struct onward_json *want)
{
    struct onward_mime_part part = {.size = sizeof(part)};
    const struct onward_json *parts = onward_json__get(want, "parts");
    const struct onward_json *message = onward_json__get(want, "message");
    char type[200];

    assert_int_equal(onward_mime_tree_part(tree, i, &part), 0);
    snprintf(type, sizeof(type), "%.*s/%.*s", (int)part.type.len,
             part.type.data, (int)part.subtype.len, part.subtype.data);
    check_text(id, "type", onward_str_of(type), t_member(want, "type"));
    if (message != NULL) {
        assert_int_equal(part.kind, ONWARD_MIME_MESSAGE);
        check_tree(id, tree, part.first_child, message);
    } else if (parts != NULL) {
        size_t child = part.first_child;

        for (const struct onward_json *p = parts->first; p != NULL;
             p = p->next) {
            struct onward_mime_part one = {.size = sizeof(one)};

            if (onward_mime_tree_part(tree, child, &one) != 0) {
                fprintf(stderr, "%s: a part is missing\n", id);
                faults++;
                return;
            }
            check_tree(id, tree, child, p);
            child = one.next;
        }
        if (child != ONWARD_MIME_NONE) {
            fprintf(stderr, "%s: a part too many\n", id);
            faults++;
        }
    } else {
        check_text(id, "body", onward_mime_tree_raw(tree, i, 0),
                   t_member(want, "body"));
    }
}

static int find_outer(void *user, const struct onward_mime_event *e)
{
    struct trace *t = user;

    if (e->part->index == 0 && e->kind == ONWARD_MIME_PREAMBLE)
        onward_core__buf_add_str(&t->text, e->data);
    if (e->part->index == 0 && e->kind == ONWARD_MIME_EPILOGUE)
        onward_core__buf_add_str(&t->octets, e->data);
    return 0;
}

static void check_outer(const char *id, struct onward_ctx *ctx,
                        const struct onward_mime_opts *opts,
                        struct onward_str message,
                        const struct onward_json *want)
{
    struct trace t;
    const struct onward_mime_handler handler = {
        .size = sizeof(handler), .user = &t, .event = find_outer};
    struct onward_mime_parser *p = NULL;

    trace_init(&t, ctx);
    assert_int_equal(onward_mime_parser_new(ctx, &handler, opts, &p), 0);
    assert_int_equal(onward_mime_parser_feed(p, message.data, message.len), 0);
    assert_int_equal(onward_mime_parser_finish(p), 0);
    onward_mime_parser_free(p);
    if (onward_json__get(want, "parts") != NULL) {
        check_text(id, "preamble", onward_core__buf_str(&t.text),
                   t_member(want, "preamble"));
        check_text(id, "epilogue", onward_core__buf_str(&t.octets),
                   t_member(want, "epilogue"));
    }
    trace_clear(&t);
}

static void test_vectors(void **state)
{
    struct t_vectors v = {0};
    size_t cases = 0;

    (void)state;
    faults = 0;
    if (!t_vectors_open(&v, "mime/multipart.json"))
        return;
    for (const struct onward_json *t =
             onward_json__get(v.root, "tests")->first;
         t != NULL; t = t->next, cases++) {
        struct onward_str message = t_member(t, "message");
        struct onward_str name = t_member(t, "id");
        struct onward_mime_opts opts = {.size = sizeof(opts)};
        struct onward_mime_tree *tree = NULL;
        char id[100];

        snprintf(id, sizeof(id), "%.*s", (int)name.len, name.data);
        /* A file of LF: the caller sees that, and says so. */
        if (memchr(message.data, '\r', message.len) == NULL)
            opts.flags = ONWARD_MIME_ALLOW_LF;
        assert_int_equal(
            onward_mime_tree_new(v.world.ctx, message, &opts, &tree), 0);
        check_tree(id, tree, 0, onward_json__get(t, "tree"));
        onward_mime_tree_free(tree);
        check_outer(id, v.world.ctx, &opts, message,
                    onward_json__get(t, "tree"));
    }
    assert_int_equal(cases, 26);
    t_vectors_close(&v);
    assert_int_equal(faults, 0);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0]) + 1];
    size_t count = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        tests[count++] = (struct CMUnitTest){.name = rows[i].name,
                                             .test_func = test_row,
                                             .initial_state =
                                                 (void *)(uintptr_t)&rows[i]};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_vectors);
    return _cmocka_run_group_tests("mime_parser", tests, count, NULL, NULL);
}
