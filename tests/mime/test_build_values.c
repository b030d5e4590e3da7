/*
 * Values as they are written: encoded words by the properties that the vectors
 * name, names, file names, fields with a form of their own, texts.
 */
#include "support/json.h"

#include <onward/mime_parser.h>

#include "mime/built.h"

static struct onward_str str_n(const char *data, size_t len)
{
    return (struct onward_str){data, len};
}

static char *repeat(const char *text, size_t times)
{
    size_t len = strlen(text);
    char *out = malloc(len * times + 1);

    assert_non_null(out);
    for (size_t i = 0; i < times; i++)
        memcpy(out + i * len, text, len);
    out[len * times] = '\0';
    return out;
}

/* The header field of that name in a message, folds and all; NULL: none. */
static char *field_of(const char *message, const char *name)
{
    const char *at = message;
    size_t len = strlen(name);
    char *field;

    while (strncmp(at, name, len) != 0 || at[len] != ':') {
        at = strstr(at, "\r\n");
        if (at == NULL || strncmp(at, "\r\n\r\n", 4) == 0)
            return NULL;
        at += 2;
    }
    for (len = 0; strncmp(at + len, "\r\n", 2) != 0 || at[len + 2] == ' ' ||
                  at[len + 2] == '\t';)
        len++;
    field = calloc(1, len + 1);
    assert_non_null(field);
    memcpy(field, at, len);
    return field;
}

/* ---- Encoded words ----------------------------------------------------- */

static bool is_ascii(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] >= 0x80)
            return false;
    }
    return true;
}

static bool looks_encoded(struct onward_str s)
{
    for (size_t i = 0; i + 1 < s.len; i++) {
        if (s.data[i] == '=' && s.data[i + 1] == '?')
            return true;
    }
    return false;
}

/* One encoded word: its length, and that its text is whole characters. */
static void check_word(struct t_world *w, const char *from, size_t len)
{
    struct onward_text *text = NULL;

    assert_true(len <= 75);
    assert_int_equal(onward_words_decode(w->ctx, str_n(from, len),
                                         ONWARD_WORDS_UNSTRUCTURED, NULL,
                                         &text),
                     0);
    assert_int_equal(onward_text_notes(text) & ONWARD_TEXT_BAD_OCTETS, 0);
    onward_text_free(text);
}

/* The properties of the file, by their order. */
static void check_encoded(struct t_world *w, const char *field,
                          struct onward_str want)
{
    size_t name = strcspn(field, ":") + 1;
    struct onward_text *text = NULL;
    const char *line = field;
    struct onward_str got;
    bool has_words = false;

    for (;;) {
        size_t len = strcspn(line, "\r");
        const char *word = line;

        for (const char *c = line; c < line + len; c++)
            assert_true(((unsigned char)*c >= ' ' || *c == '\t') &&
                        (unsigned char)*c < 0x7f);
        while ((word = strstr(word, "=?")) != NULL && word < line + len) {
            size_t word_len = strcspn(word, " \t\r");

            assert_true(len <= 76);
            check_word(w, word, word_len);
            has_words = true;
            word += word_len;
        }
        assert_true(len <= 998);
        line += len;
        if (*line == '\0')
            break;
        assert_memory_equal(line, "\r\n", 2);
        line += 2;
        assert_true(*line == ' ' || *line == '\t');
    }
    assert_int_equal(
        onward_words_decode(w->ctx, onward_str_of(field + name),
                            ONWARD_WORDS_UNSTRUCTURED, NULL, &text),
        0);
    got = onward_text_str(text);
    if (got.len > 0 && got.data[0] == ' ' && got.len > want.len)
        got = str_n(got.data + 1, got.len - 1);
    t_assert_str_n(got, want.data, want.len);
    onward_text_free(text);
    if (is_ascii(want) && want.len < 900 && !looks_encoded(want))
        assert_false(has_words);
}

static void test_encoded_words_keep_their_properties(void **state)
{
    struct t_vectors v = {0};
    size_t cases = 0;

    (void)state;
    if (!t_vectors_open(&v, "mime/encoded-words-encode.json"))
        skip();
    for (const struct onward_json *t =
             onward_json__get(v.root, "tests")->first;
         t != NULL; t = t->next) {
        struct onward_str want = t_member(t, "text");
        struct t_world w = {0};
        struct onward_builder *b = t_begin(&w, NULL);
        char *message, *field;

        print_message("%.*s\n", (int)t_member(t, "id").len,
                      t_member(t, "id").data);
        assert_int_equal(onward_builder_set_subject(b, want), 0);
        assert_int_equal(
            onward_builder_add_field(b, ONWARD_STR("Comments"), want), 0);
        message = t_message(b);
        for (int i = 0; i < 2; i++) {
            field = field_of(message, i == 0 ? "Subject" : "Comments");
            assert_non_null(field);
            check_encoded(&w, field, want);
            free(field);
        }
        free(message);
        t_end(&w, b);
        cases++;
    }
    assert_int_equal(cases, 16);
    t_vectors_close(&v);
}

/* ---- Names ------------------------------------------------------------- */

static void test_names(void **state)
{
    static const struct {
        const char *name, *written;
    } rows[] = {
        {"", " to@example.com"},
        {"  ", " to@example.com"},
        {"Al", " Al <to@example.com>"},
        {"J. Doe", " \"J. Doe\" <to@example.com>"},
        {"Doe, \"J\" \\", " \"Doe, \\\"J\\\" \\\\\" <to@example.com>"},
        {"a@example.net", " \"a@example.net\" <to@example.com>"},
        {"a  b", " \"a  b\" <to@example.com>"},
        {"Zo\u00eb, Z.", " =?UTF-8?Q?Zo=C3=AB=2C_Z=2E?= <to@example.com>"},
        {"=?utf-8?q?x?=",
         " =?UTF-8?Q?=3D=3Futf-8=3Fq=3Fx=3F=3D?= <to@example.com>"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct t_world w = {0};
        struct onward_builder *b = t_begin(&w, NULL);
        char *message, *field;

        print_message("%s\n", rows[i].name);
        assert_int_equal(onward_builder_add_address(
                             b, ONWARD_BUILDER_TO, onward_str_of(rows[i].name),
                             ONWARD_STR("to@example.com")),
                         0);
        message = t_message(b);
        field = field_of(message, "To");
        assert_string_equal(field + 3, rows[i].written);
        free(field);
        free(message);
        t_end(&w, b);
    }
}

/* ---- Addresses that are not ASCII -------------------------------------- */

static void test_international_addresses(void **state)
{
    static const struct {
        const char *address;
        size_t allow_utf8;
        int err;
        const char *written;
        uint64_t needs;
    } rows[] = {
        {"a@b\u00fccher.example", 0, 0, "a@xn--bcher-kva.example", 0},
        {"a@b\u00fccher.example", 1, 0, "a@b\u00fccher.example",
         ONWARD_BUILDER_NEEDS_SMTPUTF8},
        {"\u00fc@example.com", 0, ONWARD_ESYNTAX, NULL, 0},
        {"\u00fc@example.com", 1, 0, "\u00fc@example.com",
         ONWARD_BUILDER_NEEDS_SMTPUTF8},
        {"\"a b\"@example.com", 0, 0, "\"a b\"@example.com", 0},
        {"a@[192.0.2.1]", 0, 0, "a@[192.0.2.1]", 0},
        {"a@", 0, ONWARD_ESYNTAX, NULL, 0},
        {"a@example.com, b@example.com", 0, ONWARD_ESYNTAX, NULL, 0},
        {"\"a\\\r\nb\"@example.com", 0, ONWARD_ESYNTAX, NULL, 0},
        {"<a@example.com>", 0, ONWARD_ESYNTAX, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* In Bcc nothing of it is in the message; the envelope has it. */
        for (int role = ONWARD_BUILDER_TO; role <= ONWARD_BUILDER_BCC; role++) {
            const struct onward_builder_opts opts = {
                .size = sizeof(opts), .allow_utf8 = rows[i].allow_utf8};
            struct t_world w = {0};
            struct onward_builder *b = t_begin(&w, &opts);
            char *message;

            print_message("%s as %d\n", rows[i].address, role);
            assert_int_equal(
                onward_builder_add_address(b, role, ONWARD_STR(""),
                                           onward_str_of(rows[i].address)),
                rows[i].err);
            assert_int_equal(onward_builder_rcpt_count(b), rows[i].err == 0);
            if (rows[i].err == 0)
                t_assert_str(onward_builder_rcpt_at(b, 0), rows[i].written);
            message = t_message(b);
            assert_int_equal(onward_builder_needs(b), rows[i].needs);
            assert_int_equal(rows[i].err == 0 && role != ONWARD_BUILDER_BCC,
                             rows[i].written != NULL &&
                                 strstr(message, rows[i].written) != NULL);
            free(message);
            t_end(&w, b);
        }
    }
}

static void test_the_id_is_ascii(void **state)
{
    const struct onward_builder_opts opts = {.size = sizeof(opts),
                                             .allow_utf8 = 1};
    struct t_world w = {0};
    struct onward_builder *b = NULL;
    const struct onward_source *source;
    struct onward_str id;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_builder_new(w.ctx, &opts, &b), 0);
    assert_int_equal(
        onward_builder_add_address(b, ONWARD_BUILDER_FROM, ONWARD_STR(""),
                                   ONWARD_STR("a@b\u00fccher.example")),
        0);
    assert_int_equal(onward_builder_source(b, &source), 0);
    id = onward_builder_message_id(b);
    t_assert_str(str_n(id.data + 32, id.len - 32),
                 "@xn--bcher-kva.example");
    t_end(&w, b);
}

/* ---- File names and types ---------------------------------------------- */

static void check_part(const char *type, const char *name, size_t fallback)
{
    const struct onward_builder_opts opts = {.size = sizeof(opts),
                                             .allow_name_fallback = fallback};
    struct onward_builder_part file = {.size = sizeof(file),
                                       .type = onward_str_of(type),
                                       .file_name = onward_str_of(name),
                                       .data = ONWARD_STR("x")};
    struct onward_mime_part part = {.size = sizeof(part)};
    struct onward_mime_tree *tree = NULL;
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, &opts);
    char *message;

    assert_int_equal(onward_builder_add_part(b, &file), 0);
    message = t_message(b);
    assert_int_equal(onward_mime_tree_new(w.ctx, onward_str_of(message), NULL,
                                          &tree),
                     0);
    assert_int_equal(onward_mime_tree_count(tree), 2);
    assert_int_equal(onward_mime_tree_part(tree, 1, &part), 0);
    t_assert_str(part.name, name);
    /* The fallback is a form that RFC 2047 forbids, and what turns the order of
     * characters is told; nothing else is odd. */
    assert_true(fallback != 0 || strstr(name, "\u202e") != NULL ||
                onward_mime_tree_anomaly_count(tree) == 0);
    for (const char *line = message; *line != '\0';) {
        assert_true(strcspn(line, "\r") <= 78);
        line += strcspn(line, "\n") + 1;
    }
    onward_mime_tree_free(tree);
    free(message);
    t_end(&w, b);
}

static void test_file_names(void **state)
{
    char *long_ascii = repeat("abcdefghij-", 40);
    char *long_emoji = repeat("\U0001f4e7", 60);
    const char *names[] = {
        "a.txt",
        "a b.txt",
        "say \"x\" \\ y.txt",
        "..\\..\\etc/passwd",
        "=?UTF-8?Q?x?=",
        "a'b%41*c.txt",
        "tab\there",
        " blanks ",
        "\u202egpj.exe",
        "\u65e5\u672c\u8a9e.pdf",
        "e\u0301",
        ";=,",
        long_ascii,
        long_emoji,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        print_message("%s\n", names[i]);
        check_part("", names[i], 0);
        check_part("text/plain; charset=utf-8; name=\"other\"", names[i], 0);
        check_part("", names[i], 1);
    }
    free(long_ascii);
    free(long_emoji);
}

struct type_row {
    const char *type;
    int err;
    const char *written; /* behind "Content-Type: " */
};

static const struct type_row types[] = {
    {"", 0, "application/octet-stream\r\n"},
    {"Image/PNG", 0, "image/png\r\n"},
    {"text/calendar (a b); METHOD=request", 0,
     "text/calendar; method=request\r\n"},
    {"text/x; a=\"b;c\"", 0, "text/x; a=\"b;c\"\r\n"},
    {"text/x; a*=UTF-8''%C3%A9", 0, "text/x;\r\n a*=UTF-8''%C3%A9\r\n"},
    /* What is decoded may begin a line, too. */
    {"text/x; a*=UTF-8''x%0D%0ABcc:%20y", ONWARD_ESYNTAX, NULL},
    {"text/x; a=\"=?utf-8?q?x=0D=0AB:_y?=\"", ONWARD_ESYNTAX, NULL},
    {"text/x; a*=UTF-8''x%00", ONWARD_ESYNTAX, NULL},
    {"multipart/mixed; boundary=b", ONWARD_ESYNTAX, NULL},
    {"text", ONWARD_ESYNTAX, NULL},
    {"text/", ONWARD_ESYNTAX, NULL},
    {"t\u00e9xt/plain", ONWARD_ESYNTAX, NULL},
    {"text/x; aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa="
     "\u65e5\u672c\u8a9e",
     0, NULL},
    {"text/x; aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=b",
     ONWARD_ESYNTAX, NULL},
};

static void test_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct onward_builder_part part = {.size = sizeof(part),
                                           .type =
                                               onward_str_of(types[i].type)};
        struct onward_builder_report report = {
            .size = sizeof(report),
            .report_type = ONWARD_STR("x"),
            .fields_type = onward_str_of(types[i].type),
            .fields = ONWARD_STR("A: b\r\n")};
        struct t_world w = {0};
        struct onward_builder *b = t_begin(&w, NULL);
        char *message, want[512];

        print_message("%s\n", types[i].type);
        assert_int_equal(onward_builder_add_part(b, &part), types[i].err);
        assert_int_equal(onward_builder_set_report(b, &report), types[i].err);
        message = t_message(b);
        snprintf(want, sizeof(want), "Content-Type: %s",
                 types[i].written != NULL ? types[i].written : "");
        assert_non_null(strstr(message, want));
        free(message);
        t_end(&w, b);
    }
}

/* ---- Fields ------------------------------------------------------------ */

static void test_fields_with_a_form_stay(void **state)
{
    static const char url[] = "<https://example.com/?a=?b&c=";
    char *tail = repeat("0123456789", 90);
    char *much = repeat("0123456789", 97);
    char value[2048];
    struct t_world w = {0};
    struct onward_builder *b = t_begin(&w, NULL);
    char *message, *field;

    (void)state;
    snprintf(value, sizeof(value), "%s%s>,\t<mailto:u@example.com>", url, tail);
    assert_int_equal(onward_builder_add_field(b, ONWARD_STR("List-Unsubscribe"),
                                              onward_str_of(value)),
                     0);
    assert_int_equal(
        onward_builder_add_field(b, ONWARD_STR("List-Id"),
                                 ONWARD_STR("Zo\u00eb \u00e9 list <l.x.org>")),
        0);
    /* What can neither be broken nor encoded cannot be written. */
    assert_int_equal(onward_builder_add_field(b, ONWARD_STR("List-Help"),
                                              onward_str_of(much)),
                     ONWARD_ESYNTAX);
    assert_int_equal(onward_builder_add_field(b, ONWARD_STR("List-Help"),
                                              ONWARD_STR("<\u00e9>")),
                     ONWARD_ESYNTAX);
    message = t_message(b);
    field = field_of(message, "List-Unsubscribe");
    snprintf(value, sizeof(value),
             "List-Unsubscribe: %s%s>,\r\n\t<mailto:u@example.com>", url,
             tail);
    assert_string_equal(field, value);
    free(field);
    field = field_of(message, "List-Id");
    assert_string_equal(field,
                        "List-Id: =?UTF-8?Q?Zo=C3=AB_=C3=A9?= list <l.x.org>");
    free(field);
    free(message);
    free(tail);
    free(much);
    t_end(&w, b);
}

static void test_long_words(void **state)
{
    static const size_t lengths[] = {70, 77, 78, 899, 900, 901, 997, 998, 5000};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct t_world w = {0};
        struct onward_builder *b = t_begin(&w, NULL);
        char *word = repeat("x", lengths[i]);
        char *message, *field;

        assert_int_equal(onward_builder_set_subject(b, onward_str_of(word)), 0);
        message = t_message(b);
        field = field_of(message, "Subject");
        check_encoded(&w, field, onward_str_of(word));
        free(field);
        free(message);
        free(word);
        t_end(&w, b);
    }
}

/* ---- Texts ------------------------------------------------------------- */

/* 75 columns in quoted-printable, behind which the line must break. */
#define X23 "xxxxxxxxxxxxxxxxxxxxxxx"
#define FULL_LINE "\u00e9" X23 X23 X23
#define FULL_LINE_QP "=C3=A9" X23 X23 X23 "=\r\n"

static void test_texts(void **state)
{
    char *near = repeat("x", 998), *over = repeat("x", 999);
    const struct {
        const char *text;
        size_t allow_8bit;
        const char *encoding, *body;
    } rows[] = {
        {"", 0, "7bit", ""},
        {"a", 0, "7bit", "a\r\n"},
        {"a\rb\nc\r\nd\n\re\r", 0, "7bit", "a\r\nb\r\nc\r\nd\r\n\r\ne\r\n"},
        {".\n..\n", 0, "7bit", ".\r\n..\r\n"},
        {"From me\nFrom\nFor\n", 0, "quoted-printable",
         "=46rom me\r\nFrom\r\nFor\r\n"},
        {"caf\u00e9 \n.\n", 0, "quoted-printable", "caf=C3=A9=20\r\n=2E\r\n"},
        {FULL_LINE "From me", 0, "quoted-printable",
         FULL_LINE_QP "=46rom me\r\n"},
        {FULL_LINE ".\n" FULL_LINE ".x", 0, "quoted-printable",
         "=C3=A9" X23 X23 X23 ".\r\n" FULL_LINE_QP "=2Ex\r\n"},
        {"caf\u00e9", 1, "8bit", "caf\u00e9\r\n"},
        {"-- \nx", 0, "7bit", "-- \r\nx\r\n"},
        {"a\x1b[1mb", 1, "quoted-printable", "a=1B[1mb\r\n"},
        {"\u65e5\u672c", 0, "base64", "5pel5pysDQo=\r\n"},
        {near, 0, "7bit", NULL},
        {over, 0, "quoted-printable", NULL},
        {over, 1, "quoted-printable", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct onward_builder_opts opts = {
            .size = sizeof(opts), .allow_8bit = rows[i].allow_8bit};
        struct t_world w = {0};
        struct onward_builder *b = t_begin(&w, &opts);
        char *message, *field;

        print_message("%.40s\n", rows[i].text);
        assert_int_equal(
            onward_builder_set_text(b, onward_str_of(rows[i].text)), 0);
        message = t_message(b);
        field = field_of(message, "Content-Transfer-Encoding");
        assert_string_equal(strchr(field, ' ') + 1, rows[i].encoding);
        if (rows[i].body != NULL)
            assert_string_equal(strstr(message, "\r\n\r\n") + 4, rows[i].body);
        free(field);
        free(message);
        t_end(&w, b);
    }
    free(near);
    free(over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoded_words_keep_their_properties),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_international_addresses),
        cmocka_unit_test(test_the_id_is_ascii),
        cmocka_unit_test(test_file_names),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_fields_with_a_form_stay),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
