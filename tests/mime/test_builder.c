/*
 * Messages that are built: whole texts, from any offset, and what is refused.
 */
#include "mime/built.h"

#define HEAD                                                                   \
    "Date: Sun, 13 Sep 2020 12:26:40 +0000\r\n"                                \
    "From: Al <a@example.com>\r\n"
#define ID "Message-ID: <1@example.com>\r\n"

static void expect(struct onward_builder *b, const char *want)
{
    const struct onward_source *source;
    static char text[65536], again[65536];

    assert_int_equal(onward_builder_source(b, &source), 0);
    t_read_source(source, text, sizeof(text));
    assert_string_equal(text, want);
    for (size_t step = 1; step < 200; step += 13) {
        t_read_source(source, again, step);
        assert_string_equal(text, again);
    }
}

/* ---- Fields ------------------------------------------------------------ */

struct subject_row {
    const char *name, *text, *written;
};

static const struct subject_row subjects[] = {
    {"plain", "hello there", " hello there"},
    {"empty", "", ""},
    {"not ASCII", "caf\u00e9", " =?UTF-8?Q?caf=C3=A9?="},
    {"only the words that need it", "a b\u00e9 c d",
     " a =?UTF-8?Q?b=C3=A9?= c d"},
    {"looks encoded", "=?x?", " =?UTF-8?B?PT94Pw==?="},
    {"blank at the end", "a b ", " a =?UTF-8?Q?b_?="},
    {"blank at the start", " a b", " =?UTF-8?Q?_a?= b"},
    {"long, at its blanks",
     "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 012345",
     " 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\r\n "
     "012345"},
    {"Japanese, in base64", "\u65e5\u672c", " =?UTF-8?B?5pel5pys?="},
};

static void test_subjects(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        const struct subject_row *row = &subjects[i];
        struct t_world w = {0};
        struct onward_builder *b = t_begin(&w, NULL);
        char want[4096];

        print_message("%s\n", row->name);
        assert_int_equal(
            onward_builder_set_subject(b, onward_str_of(row->text)), 0);
        snprintf(want, sizeof(want),
                 HEAD ID "Subject:%s\r\nMIME-Version: 1.0\r\n"
                         "Content-Type: text/plain; charset=utf-8\r\n"
                         "Content-Transfer-Encoding: 7bit\r\n\r\n",
                 row->written);
        expect(b, want);
        t_end(&w, b);
    }
}

/* ---- Structure --------------------------------------------------------- */

static void test_text_alone(void **state)
{
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);

    (void)state;
    assert_int_equal(onward_builder_set_text(b, ONWARD_STR("one\ntwo\r\r\nx")),
                     0);
    expect(b, HEAD ID "MIME-Version: 1.0\r\n"
                      "Content-Type: text/plain; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: 7bit\r\n\r\n"
                      "one\r\ntwo\r\n\r\nx\r\n");
    t_end(&w, b);
}

static void test_bcc_is_for_the_envelope_alone(void **state)
{
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);
    static const struct {
        int role;
        const char *address;
    } rows[] = {{ONWARD_BUILDER_TO, "b@example.com"},
                {ONWARD_BUILDER_BCC, "secret@example.com"},
                {ONWARD_BUILDER_CC, "b@example.com"}};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            onward_builder_add_address(b, rows[i].role, ONWARD_STR(""),
                                       onward_str_of(rows[i].address)),
            0);
    expect(b, HEAD "To: b@example.com\r\nCc: b@example.com\r\n" ID
                   "MIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Transfer-Encoding: 7bit\r\n\r\n");
    assert_int_equal(onward_builder_rcpt_count(b), 2);
    t_assert_str(onward_builder_rcpt_at(b, 0), "b@example.com");
    t_assert_str(onward_builder_rcpt_at(b, 1), "secret@example.com");
    t_assert_str(onward_builder_mail_from(b), "a@example.com");
    t_end(&w, b);
}

/* ---- What is refused --------------------------------------------------- */

static void test_no_value_begins_a_line(void **state)
{
    static const char bad[][8] = {"a\rb", "a\nb", "a\r\nb", "a\x7f", "\xff"};
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);

    (void)state;
    for (size_t i = 0; i <= 5; i++) {
        struct onward_str v =
            i == 5 ? (struct onward_str){"a\0b", 3} : onward_str_of(bad[i]);
        struct onward_builder_part part = {.size = sizeof(part)};

        assert_int_equal(onward_builder_set_subject(b, v), ONWARD_ESYNTAX);
        assert_int_equal(onward_builder_add_field(b, ONWARD_STR("X-A"), v),
                         ONWARD_ESYNTAX);
        assert_int_equal(onward_builder_add_field(b, v, ONWARD_STR("a")),
                         ONWARD_ESYNTAX);
        assert_int_equal(
            onward_builder_add_address(b, ONWARD_BUILDER_TO, v,
                                       ONWARD_STR("a@example.com")),
            ONWARD_ESYNTAX);
        assert_int_equal(
            onward_builder_add_address(b, ONWARD_BUILDER_TO, ONWARD_STR(""), v),
            ONWARD_ESYNTAX);
        assert_int_equal(onward_builder_set_message_id(b, v), ONWARD_ESYNTAX);
        part.file_name = v;
        assert_int_equal(onward_builder_add_part(b, &part), ONWARD_ESYNTAX);
        part.file_name = ONWARD_STR("");
        part.type = v;
        assert_int_equal(onward_builder_add_part(b, &part), ONWARD_ESYNTAX);
    }
    t_end(&w, b);
}

static void test_fields_of_the_builder(void **state)
{
    static const char *const names[] = {"From", "subject",      "BCC",
                                        "Date", "Content-Type", "mime-version"};
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(onward_builder_add_field(b, onward_str_of(names[i]),
                                                  ONWARD_STR("x")),
                         ONWARD_EINVAL);
    t_end(&w, b);
}

/* ---- Memory ------------------------------------------------------------ */

static bool build_one(struct t_world *w, void *arg)
{
    struct onward_builder_part part = {.size = sizeof(part),
                                       .file_name = ONWARD_STR("a.bin"),
                                       .data = ONWARD_STR("abc")};
    const struct onward_source *source;
    struct onward_builder *b = NULL;
    int err = onward_builder_new(w->ctx, NULL, &b);

    (void)arg;
    if (err == 0)
        err = onward_builder_add_address(b, ONWARD_BUILDER_FROM,
                                         ONWARD_STR("\u00c4"),
                                         ONWARD_STR("a@example.com"));
    if (err == 0)
        err = onward_builder_add_address(b, ONWARD_BUILDER_TO, ONWARD_STR(""),
                                         ONWARD_STR("b@example.com"));
    if (err == 0)
        err = onward_builder_set_text(b, ONWARD_STR("\u65e5\u672c"));
    if (err == 0)
        err = onward_builder_set_html(b, ONWARD_STR("<p>"));
    if (err == 0)
        err = onward_builder_add_part(b, &part);
    if (err == 0)
        err = onward_builder_source(b, &source);
    assert_true(err == 0 || err == ONWARD_ENOMEM);
    onward_builder_free(b);
    return err == 0;
}

static void test_without_memory(void **state)
{
    (void)state;
    t_oom_sweep(build_one, NULL);
}

/* ---- A builder of others ----------------------------------------------- */

/* The weak spots of the one that users come from: a subject that is one encoded
 * word of any length, 7bit over UTF-8, no folds, no RFC 2231, Bcc in the
 * message, ids that can be guessed, base64 that the caller has to make. */
static void test_row_84_none_of_its_weak_spots(void **state)
{
    static const char file[] = "\u00fcbersicht.pdf";
    struct onward_builder_part part = {.size = sizeof(part),
                                       .type = ONWARD_STR("application/pdf"),
                                       .file_name = {file, sizeof(file) - 1},
                                       .data = ONWARD_STR("%PDF-")};
    const struct onward_source *source;
    static char text[65536];
    struct t_world w = {0};
    struct onward_builder *b = NULL;
    char subject[2000] = "";

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_builder_new(w.ctx, NULL, &b), 0);
    for (size_t i = 0; i < 200; i++)
        strcat(subject, "caf\u00e9 ");
    subject[strlen(subject) - 1] = '\0';
    assert_int_equal(onward_builder_add_address(b, ONWARD_BUILDER_FROM,
                                                ONWARD_STR(""),
                                                ONWARD_STR("a@example.com")),
                     0);
    assert_int_equal(
        onward_builder_add_address(b, ONWARD_BUILDER_BCC, ONWARD_STR(""),
                                   ONWARD_STR("hidden@example.com")),
        0);
    assert_int_equal(onward_builder_set_subject(b, onward_str_of(subject)), 0);
    assert_int_equal(onward_builder_set_text(b, ONWARD_STR("gr\u00fcn")), 0);
    assert_int_equal(onward_builder_add_part(b, &part), 0);

    w.random_fails = true;
    assert_int_equal(onward_builder_source(b, &source), ONWARD_ERANDOM);
    w.random_fails = false;
    assert_int_equal(onward_builder_source(b, &source), 0);
    t_read_source(source, text, sizeof(text));

    for (const char *line = text; *line != '\0';) {
        const char *next = strstr(line, "\r\n");

        assert_non_null(next);
        assert_true(next - line <= 78);
        line = next + 2;
    }
    assert_null(strstr(text, "hidden"));
    assert_null(strstr(text, "Content-Transfer-Encoding: 7bit"));
    assert_non_null(strstr(text, "\r\ngr=C3=BCn\r\n"));
    assert_non_null(strstr(text, "filename*=UTF-8''%C3%BCbersicht.pdf"));
    assert_non_null(strstr(text, "\r\nJVBERi0=\r\n"));
    onward_builder_free(b);
    t_world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_84_none_of_its_weak_spots),
        cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_text_alone),
        cmocka_unit_test(test_bcc_is_for_the_envelope_alone),
        cmocka_unit_test(test_no_value_begins_a_line),
        cmocka_unit_test(test_fields_of_the_builder),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
