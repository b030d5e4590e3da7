/*
 * What is built from sources and of many parts: any offset, waiting, memory;
 * answers, reports, limits, and each error once.
 */
#include "mime/built.h"

#include <onward/mime_parser.h>

static struct onward_str str_n(const char *data, size_t len)
{
    return (struct onward_str){data, len};
}

/* A source that waits before each read, and gives few octets a time. */
struct slow {
    struct onward_source table;
    const char *data;
    size_t step;
    bool is_ready, fails, never_waits;
    size_t waits;
};

static int slow_read(void *user, uint64_t offset, void *buf, size_t cap,
                     size_t *got)
{
    struct slow *s = user;
    size_t n = (size_t)(s->table.len - offset);

    if (s->fails)
        return ONWARD_ERANDOM;
    if (!s->never_waits && !s->is_ready)
        return ONWARD_AGAIN;
    s->is_ready = false;
    n = n < cap ? n : cap;
    n = n < s->step ? n : s->step;
    if (s->data != NULL)
        memcpy(buf, s->data + offset, n);
    else
        memset(buf, 'x', n);
    *got = n;
    return 0;
}

static void slow_wait(void *user, uint64_t token)
{
    struct slow *s = user;

    assert_int_equal(token, 7);
    s->is_ready = true;
    s->waits++;
}

static void make_slow(struct slow *s, const char *data, size_t len, size_t step)
{
    *s = (struct slow){.data = data, .step = step};
    s->table = (struct onward_source){.size = sizeof(s->table),
                                      .user = s,
                                      .len = len,
                                      .read = slow_read,
                                      .wait = slow_wait};
}

static struct onward_builder *with_source(struct t_world *w, struct slow *s)
{
    struct onward_builder_part part = {.size = sizeof(part),
                                       .file_name = ONWARD_STR("f"),
                                       .source = &s->table};
    struct onward_builder *b = t_begin(w, NULL);

    assert_int_equal(onward_builder_set_text(b, ONWARD_STR("hello\n")), 0);
    assert_int_equal(onward_builder_add_part(b, &part), 0);
    return b;
}

/* ---- Waiting ----------------------------------------------------------- */

static void test_a_source_that_waits(void **state)
{
    static const size_t steps[] = {1, 3, 56, 57, 58, 200, 5000};
    char data[4000], want[12000], got[12000];
    struct t_world w = {0};
    struct slow s;
    struct onward_builder *b;
    const struct onward_source *source;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        make_slow(&s, data, sizeof(data), steps[i]);
        b = with_source(&w, &s);
        assert_int_equal(onward_builder_source(b, &source), 0);
        assert_non_null(source->wait);
        s.never_waits = true;
        len = t_read_source(source, want, 1000);
        s.never_waits = false;
        for (size_t step = 1; step < 6000; step = step * 3 + 1) {
            uint64_t at = 0;
            size_t asked = 0;

            while (at < len) {
                size_t n = 0;
                int err = source->read(source->user, at, got + at, step, &n);

                if (err == ONWARD_AGAIN) {
                    source->wait(source->user, 7);
                    assert_true(++asked < 20 * len); /* it gets on */
                    continue;
                }
                assert_int_equal(err, 0);
                assert_true(n > 0 && n <= step);
                at += n;
            }
            assert_memory_equal(got, want, len);
        }
        assert_true(s.waits > 0);
        t_end(&w, b);
    }
}

static void test_any_offset(void **state)
{
    char data[300], want[2000], got[2000];
    struct t_world w = {0};
    struct slow s;
    struct onward_builder *b;
    const struct onward_source *source;
    size_t len, n;

    (void)state;
    memset(data, 0xa5, sizeof(data));
    make_slow(&s, data, sizeof(data), 1000);
    s.never_waits = true;
    b = with_source(&w, &s);
    assert_int_equal(onward_builder_source(b, &source), 0);
    len = t_read_source(source, want, 1000);
    for (size_t at = len; at-- > 0;) {
        for (size_t cap = 1; cap < 400; cap += 33) {
            assert_int_equal(source->read(source->user, at, got, cap, &n), 0);
            assert_true(n > 0 && n <= cap && at + n <= len);
            assert_memory_equal(got, want + at, n);
        }
    }
    assert_int_equal(source->read(source->user, len, got, 9, &n), 0);
    assert_int_equal(n, 0);
    t_end(&w, b);
}

static void test_a_source_that_fails(void **state)
{
    struct t_world w = {0};
    struct slow s;
    struct onward_builder *b;
    const struct onward_source *source;
    char got[4000];
    uint64_t at = 0;
    size_t n;
    int err = 0;

    (void)state;
    make_slow(&s, "abc", 3, 9);
    b = with_source(&w, &s);
    s.fails = true;
    assert_int_equal(onward_builder_source(b, &source), 0);
    while (err == 0 && at < source->len) {
        err = source->read(source->user, at, got, sizeof(got), &n);
        at += n;
    }
    assert_true(err < 0 && err != ONWARD_AGAIN);
    t_end(&w, b);
}

/* ---- Memory ------------------------------------------------------------ */

static void test_25_mib_need_little_memory(void **state)
{
    const size_t most = (size_t)25 << 20;
    struct t_world w = {0};
    struct slow s;
    struct onward_builder *b;
    const struct onward_source *source;
    static char buf[65536];
    uint64_t at = 0;
    size_t n, before;

    (void)state;
    make_slow(&s, NULL, most, 65536);
    s.never_waits = true;
    b = with_source(&w, &s);
    before = w.peak_bytes;
    assert_int_equal(onward_builder_source(b, &source), 0);
    while (at < source->len) {
        assert_int_equal(source->read(source->user, at, buf, sizeof(buf), &n),
                         0);
        at += n;
    }
    assert_true(source->len > most / 57 * 78);
    print_message("memory: %zu bytes\n", w.peak_bytes);
    assert_true(before < 65536 && w.peak_bytes < 65536);
    t_end(&w, b);
}

/* ---- Structure --------------------------------------------------------- */

static void add(struct onward_builder *b, size_t place, const char *type,
                const char *data)
{
    struct onward_builder_part part = {.size = sizeof(part),
                                       .place = place,
                                       .type = onward_str_of(type),
                                       .data = onward_str_of(data)};

    assert_int_equal(onward_builder_add_part(b, &part), 0);
}

/* "type/subtype" of each part, indented by depth. */
static void expect_tree(struct t_world *w, struct onward_builder *b,
                        const char *want)
{
    const struct onward_mime_opts opts = {.size = sizeof(opts),
                                          .flags = ONWARD_MIME_FLAT_MESSAGES |
                                                   ONWARD_MIME_DECODE |
                                                   ONWARD_MIME_CHECK_BODIES};
    struct onward_mime_tree *tree = NULL;
    char *message = t_message(b), got[4096];
    size_t len = 0;

    assert_int_equal(onward_mime_tree_new(w->ctx, onward_str_of(message), &opts,
                                          &tree),
                     0);
    for (size_t i = 0; i < onward_mime_tree_count(tree); i++) {
        struct onward_mime_part part = {.size = sizeof(part)};

        onward_mime_tree_part(tree, i, &part);
        len += (size_t)snprintf(
            got + len, sizeof(got) - len, "%*s%.*s/%.*s%s\n", (int)part.depth,
            "", (int)part.type.len, part.type.data, (int)part.subtype.len,
            part.subtype.data,
            part.encoding == ONWARD_ENCODING_BASE64 ? " base64" : "");
    }
    assert_string_equal(got, want);
    assert_int_equal(onward_mime_tree_anomaly_count(tree), 0);
    onward_mime_tree_free(tree);
    free(message);
}

static void test_structures(void **state)
{
    static const struct {
        const char *name;
        bool has_text, has_html;
        const char *parts; /* a(ttached), i(nline), c(alendar), m(essage) */
        const char *want;
    } rows[] = {
        {"nothing", false, false, "", "text/plain\n"},
        {"html alone", false, true, "", "text/html\n"},
        {"both", true, true, "",
         "multipart/alternative\n text/plain\n text/html\n"},
        {"inline without HTML is a file", true, false, "i",
         "multipart/mixed\n text/plain\n image/png base64\n"},
        {"file alone", false, false, "a",
         "multipart/mixed\n image/png base64\n"},
        {"calendar", true, true, "c",
         "multipart/alternative\n text/plain\n text/html\n"
         " text/calendar base64\n"},
        {"calendar alone", false, false, "c",
         "multipart/alternative\n text/calendar base64\n"},
        {"message as it is", true, false, "m",
         "multipart/mixed\n text/plain\n message/rfc822\n"},
        {"all", true, true, "aicm",
         "multipart/mixed\n multipart/alternative\n  text/plain\n"
         "  multipart/related\n   text/html\n   image/png base64\n"
         "  text/calendar base64\n image/png base64\n message/rfc822\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct t_world w = {0};
        struct onward_builder *b = t_begin(&w, NULL);

        print_message("%s\n", rows[i].name);
        if (rows[i].has_text)
            assert_int_equal(onward_builder_set_text(b, ONWARD_STR("x")), 0);
        if (rows[i].has_html)
            assert_int_equal(onward_builder_set_html(b, ONWARD_STR("x")), 0);
        for (const char *p = rows[i].parts; *p != '\0'; p++) {
            if (*p == 'a' || *p == 'i')
                add(b, *p == 'i', "image/png", *p == 'i' ? "" : "x");
            else if (*p == 'c')
                add(b, ONWARD_BUILDER_ALTERNATIVE,
                    "text/calendar; method=REQUEST", "BEGIN:VCALENDAR\r\n");
            else
                add(b, ONWARD_BUILDER_ATTACHED, "message/rfc822",
                    "From: x@example.com\r\n\r\n\r\nFrom x\r\n");
        }
        expect_tree(&w, b, rows[i].want);
        t_end(&w, b);
    }
}

/* A generator that gives the same octets twice, then others. */
static void test_a_boundary_that_is_in_the_text(void **state)
{
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);
    char *message, *at, stem[24];
    uint64_t random;

    (void)state;
    random = w.random;
    assert_int_equal(onward_builder_set_html(b, ONWARD_STR("x")), 0);
    assert_int_equal(onward_builder_set_text(b, ONWARD_STR("x")), 0);
    message = t_message(b);
    at = strstr(message, "=_");
    memcpy(stem, at, 23);
    stem[23] = '\0';
    free(message);
    t_end(&w, b);

    b = t_begin(&w, NULL);
    w.random = random;
    assert_int_equal(onward_builder_set_html(b, onward_str_of(stem)), 0);
    assert_int_equal(onward_builder_set_text(b, ONWARD_STR("x")), 0);
    message = t_message(b);
    at = strstr(message, "boundary=");
    assert_int_not_equal(strncmp(at + 10, stem, 23), 0);
    free(message);
    t_end(&w, b);
}

/* ---- Answers ----------------------------------------------------------- */

static struct onward_header *header_of(struct t_world *w, const char *text)
{
    struct onward_header *h = NULL;
    size_t taken;

    assert_int_equal(onward_header_new(w->ctx, &h), 0);
    assert_true(onward_header_feed(h, text, strlen(text), &taken) >= 0);
    assert_int_equal(onward_header_finish(h), 0);
    return h;
}

static void test_answers(void **state)
{
    static const struct {
        const char *name, *original, *written;
    } rows[] = {
        {"no id", "Subject: x\r\n\r\n", ""},
        {"an id alone", "Message-ID: <m@x>\r\n\r\n",
         "In-Reply-To: <m@x>\r\nReferences: <m@x>\r\n"},
        {"references", "Message-ID: <m@x>\r\nReferences: <a@x>\r\n <b@x>\r\n\r\n",
         "In-Reply-To: <m@x>\r\nReferences: <a@x> <b@x> <m@x>\r\n"},
        {"one parent", "Message-ID: <m@x>\r\nIn-Reply-To: <p@x>\r\n\r\n",
         "In-Reply-To: <m@x>\r\nReferences: <p@x> <m@x>\r\n"},
        {"two parents", "Message-ID: <m@x>\r\nIn-Reply-To: <p@x> <q@x>\r\n\r\n",
         "In-Reply-To: <m@x>\r\nReferences: <m@x>\r\n"},
        {"junk among them",
         "Message-ID: (c) <m@x> trailing\r\n"
         "References: junk <a@x> <no-at> <@> <b\x80@x> <c@=?x>\r\n\r\n",
         "In-Reply-To: <m@x>\r\nReferences: <a@x> <c@=?x> <m@x>\r\n"},
        {"an id that is none", "Message-ID: <no-at>\r\n\r\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct t_world w = {0};
        struct onward_builder *b = t_begin(&w, NULL);
        struct onward_header *h = header_of(&w, rows[i].original);
        char *message, *from, *to;

        print_message("%s\n", rows[i].name);
        assert_int_equal(onward_builder_set_reply_to_message(b, h), 0);
        message = t_message(b);
        from = strstr(message, "Message-ID: <1@example.com>\r\n") + 29;
        to = strstr(message, "MIME-Version");
        *to = '\0';
        assert_string_equal(from, rows[i].written);
        free(message);
        onward_header_free(h);
        t_end(&w, b);
    }
}

static void test_200_references(void **state)
{
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);
    struct onward_header *h;
    char text[8000];
    size_t len = 0, count = 0;
    char *message, *refs;

    (void)state;
    len += (size_t)snprintf(text, sizeof(text),
                            "Message-ID: <own@x>\r\nReferences:");
    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "\r\n <r%d@example.com>", i);
    snprintf(text + len, sizeof(text) - len, "\r\n\r\n");
    h = header_of(&w, text);
    assert_int_equal(onward_builder_set_reply_to_message(b, h), 0);
    assert_int_equal(onward_builder_set_reply_to_message(b, h), ONWARD_ESTATE);
    message = t_message(b);
    refs = strstr(message, "References:");
    for (char *c = refs; strncmp(c, "\r\nMIME", 6) != 0; c++)
        count += *c == '<';
    assert_int_equal(count, 50);
    assert_non_null(strstr(refs, "References: <r0@example.com>"));
    assert_null(strstr(refs, "<r1@example.com>"));
    assert_non_null(strstr(refs, "<r199@example.com>"));
    assert_non_null(strstr(refs, "<own@x>\r\n"));
    free(message);
    onward_header_free(h);
    t_end(&w, b);
}

/* ---- Limits and errors ------------------------------------------------- */

static void test_max_bytes(void **state)
{
    struct t_world w = {0};
    struct onward_builder_opts opts = {.size = sizeof(opts),
                                       .max_bytes = 6000};
    struct onward_builder *b = t_begin(&w, &opts);
    static char big[6001];
    struct onward_builder_part part = {.size = sizeof(part)};
    const struct onward_source *source;

    (void)state;
    memset(big, 'x', sizeof(big));
    part.data = str_n(big, sizeof(big));
    assert_int_equal(onward_builder_set_text(b, part.data), ONWARD_ELIMIT);
    assert_int_equal(onward_builder_set_subject(b, part.data), ONWARD_ELIMIT);
    assert_int_equal(onward_builder_add_part(b, &part), ONWARD_ELIMIT);
    assert_int_equal(
        onward_builder_add_field(b, ONWARD_STR("X"), part.data), ONWARD_ELIMIT);
    assert_int_equal(onward_builder_source(b, &source), 0);
    t_end(&w, b);
    /* What is kept fits, encoded it does not. */
    b = t_begin(&w, &opts);
    memset(big, '\x01', sizeof(big));
    assert_int_equal(onward_builder_set_text(b, str_n(big, 4800)), 0);
    assert_int_equal(onward_builder_source(b, &source), ONWARD_ELIMIT);
    assert_int_equal(onward_builder_source(b, &source), ONWARD_ELIMIT);
    assert_int_equal(onward_builder_needs(b), 0);
    t_end(&w, b);
}

static void test_lists_end(void **state)
{
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);
    struct onward_builder_part part = {.size = sizeof(part)};
    char address[64];

    (void)state;
    for (int i = 0; i <= 1000; i++) {
        snprintf(address, sizeof(address), "u%d@example.com", i);
        assert_int_equal(
            onward_builder_add_address(b, ONWARD_BUILDER_TO, ONWARD_STR(""),
                                       onward_str_of(address)),
            i < 1000 ? 0 : ONWARD_ELIMIT);
        assert_int_equal(onward_builder_add_part(b, &part),
                         i < 1000 ? 0 : ONWARD_ELIMIT);
    }
    assert_int_equal(onward_builder_rcpt_count(b), 1000);
    t_end(&w, b);
}

static void test_errors(void **state)
{
    const struct onward_str x = ONWARD_STR("x@example.com");
    const struct onward_str none = ONWARD_STR("");
    struct onward_builder_part part = {.size = sizeof(part)};
    struct onward_builder_report report = {
        .size = sizeof(report),
        .report_type = ONWARD_STR("delivery-status"),
        .fields_type = ONWARD_STR("message/delivery-status"),
        .fields = ONWARD_STR("A: b\r\n")};
    struct onward_builder_opts opts = {.size = sizeof(opts),
                                       .id_domain = ONWARD_STR("a b")};
    const struct onward_source *source;
    struct t_world w = {0};
    struct onward_builder *b = NULL;
    struct onward_header *h;
    struct slow s;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_builder_new(w.ctx, &opts, &b), ONWARD_ESYNTAX);
    opts.id_domain = none;
    opts.size = 1;
    assert_int_equal(onward_builder_new(w.ctx, &opts, &b), ONWARD_EINVAL);
    assert_int_equal(onward_builder_new(w.ctx, NULL, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_builder_new(w.ctx, NULL, &b), 0);
    t_assert_str(onward_builder_mail_from(b), "");
    t_assert_str(onward_builder_rcpt_at(b, 0), "");
    t_assert_str(onward_builder_message_id(b), "");
    assert_int_equal(onward_builder_source(b, &source), ONWARD_EINVAL);
    assert_int_equal(onward_builder_add_address(b, 0, none, x), ONWARD_EINVAL);
    assert_int_equal(onward_builder_add_address(b, 7, none, x), ONWARD_EINVAL);
    assert_int_equal(onward_builder_add_address(b, 1, none, x), 0);
    assert_int_equal(onward_builder_add_address(b, 1, none, x), 0);
    assert_int_equal(onward_builder_source(b, &source), ONWARD_EINVAL);
    assert_int_equal(onward_builder_add_address(b, 2, none, x), 0);
    assert_int_equal(onward_builder_add_address(b, 2, none, x), ONWARD_ELIMIT);
    w.random_fails = true;
    assert_int_equal(onward_builder_source(b, &source), ONWARD_ERANDOM);
    w.random_fails = false;
    /* Parts. */
    assert_int_equal(onward_builder_add_part(b, NULL), ONWARD_EINVAL);
    part.place = 3;
    assert_int_equal(onward_builder_add_part(b, &part), ONWARD_EINVAL);
    part.place = 0;
    make_slow(&s, "a\r\n", 3, 9);
    part.source = &s.table;
    part.data = x;
    assert_int_equal(onward_builder_add_part(b, &part), ONWARD_EINVAL);
    part.data = none;
    part.type = ONWARD_STR("message/rfc822");
    assert_int_equal(onward_builder_add_part(b, &part), ONWARD_ECALLBACK);
    s.never_waits = true;
    s.data = "a\n\n";
    assert_int_equal(onward_builder_add_part(b, &part), ONWARD_ESYNTAX);
    s.data = "a\r\n";
    assert_int_equal(onward_builder_add_part(b, &part), 0);
    part.source = NULL;
    part.data = ONWARD_STR("no end");
    assert_int_equal(onward_builder_add_part(b, &part), ONWARD_ESYNTAX);
    part.type = none;
    part.content_id = ONWARD_STR("no-at");
    assert_int_equal(onward_builder_add_part(b, &part), ONWARD_ESYNTAX);
    part.content_id = none;
    part.description = ONWARD_STR("a\nb");
    assert_int_equal(onward_builder_add_part(b, &part), ONWARD_ESYNTAX);
    /* Texts. */
    assert_int_equal(onward_builder_set_text(b, ONWARD_STR("\xff")),
                     ONWARD_ESYNTAX);
    assert_int_equal(onward_builder_set_html(b, str_n("\0", 1)),
                     ONWARD_ESYNTAX);
    assert_int_equal(onward_builder_set_text(b, x), 0);
    assert_int_equal(onward_builder_set_text(b, x), ONWARD_ESTATE);
    /* Reports. */
    assert_int_equal(onward_builder_set_report(b, NULL), ONWARD_EINVAL);
    report.fields = ONWARD_STR("A: b");
    assert_int_equal(onward_builder_set_report(b, &report), ONWARD_ESYNTAX);
    report.fields = ONWARD_STR("A: b\n");
    assert_int_equal(onward_builder_set_report(b, &report), ONWARD_ESYNTAX);
    report.fields = ONWARD_STR("A: b\r\n");
    report.original = ONWARD_STR("x");
    assert_int_equal(onward_builder_set_report(b, &report), ONWARD_ESYNTAX);
    report.original = none;
    report.report_type = ONWARD_STR("a b");
    assert_int_equal(onward_builder_set_report(b, &report), ONWARD_ESYNTAX);
    report.report_type = ONWARD_STR("x");
    assert_int_equal(onward_builder_set_report(b, &report), 0);
    assert_int_equal(onward_builder_set_report(b, &report), ONWARD_ESTATE);
    /* After the end. */
    assert_int_equal(onward_builder_source(b, &source), 0);
    assert_int_equal(onward_builder_source(b, &source), 0);
    h = header_of(&w, "Message-ID: <a@b>\r\n\r\n");
    assert_int_equal(onward_builder_add_address(b, 1, none, x), ONWARD_ESTATE);
    assert_int_equal(onward_builder_set_subject(b, x), ONWARD_ESTATE);
    assert_int_equal(onward_builder_set_html(b, x), ONWARD_ESTATE);
    assert_int_equal(onward_builder_add_field(b, ONWARD_STR("X"), x),
                     ONWARD_ESTATE);
    part.description = none;
    assert_int_equal(onward_builder_add_part(b, &part), ONWARD_ESTATE);
    assert_int_equal(onward_builder_set_message_id(b, x), ONWARD_ESTATE);
    assert_int_equal(onward_builder_set_reply_to_message(b, h), ONWARD_ESTATE);
    onward_header_free(h);
    t_end(&w, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_source_that_waits),
        cmocka_unit_test(test_any_offset),
        cmocka_unit_test(test_a_source_that_fails),
        cmocka_unit_test(test_25_mib_need_little_memory),
        cmocka_unit_test(test_structures),
        cmocka_unit_test(test_a_boundary_that_is_in_the_text),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_200_references),
        cmocka_unit_test(test_max_bytes),
        cmocka_unit_test(test_lists_end),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
