/*
 * Messages changed on their way: fields in their place, parts, footers, and
 * what the log says. Each result is read in pieces of several sizes.
 */
#include "support/support.h"

#include "mime/mime_shared.h"

#define MIME "MIME-Version: 1.0\r\n"
#define MIXED MIME "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define UTF8 MIME "Content-Type: text/plain; charset=utf-8\r\n"
#define QP "Content-Transfer-Encoding: quoted-printable\r\n"
#define EIGHT "Content-Transfer-Encoding: 8bit\r\n"

/* A source in memory that waits before each read when it is told to. */
struct text_source {
    const char *text;
    bool waits, is_ready;
};

static int read_text(void *user, uint64_t offset, void *buf, size_t cap,
                     size_t *got)
{
    struct text_source *s = user;
    size_t len = strlen(s->text) - (size_t)offset;

    if (s->waits && !s->is_ready)
        return ONWARD_AGAIN;
    s->is_ready = false;
    *got = len < cap ? len : cap;
    if (s->waits && *got > 7)
        *got = 7;
    memcpy(buf, s->text + offset, *got);
    return 0;
}

static void wait_text(void *user, uint64_t token)
{
    struct text_source *s = user;

    (void)token;
    s->is_ready = true;
}

struct set {
    struct text_source text;
    struct onward_source source;
    struct onward_header *header;
    struct onward_edit *edit;
};

static int open_set(struct t_world *w, const char *message, struct set *s)
{
    size_t taken;
    int err;

    *s = (struct set){.text.text = message};
    s->source = (struct onward_source){.size = sizeof(s->source),
                                       .user = &s->text,
                                       .len = strlen(message),
                                       .read = read_text,
                                       .wait = wait_text};
    err = onward_header_new(w->ctx, &s->header);
    if (err == 0)
        err = onward_header_feed(s->header, message, strlen(message), &taken);
    if (err >= 0)
        err = onward_header_finish(s->header);
    if (err == 0)
        err = onward_edit_new(w->ctx, &s->source, s->header, NULL, &s->edit);
    return err;
}

static void close_set(struct set *s)
{
    onward_edit_free(s->edit);
    onward_header_free(s->header);
}

/* The result, boundaries of ours as "=_"; free() it. */
static char *result(struct set *s, size_t step)
{
    const struct onward_source *table;
    char *text, *from, *to;
    size_t at = 0;

    assert_int_equal(onward_edit_source(s->edit, &table), 0);
    text = calloc(1, (size_t)table->len + 1);
    assert_non_null(text);
    while (at < table->len) {
        size_t got = 0;
        int err = table->read(table->user, at, text + at, step, &got);

        if (err == ONWARD_AGAIN) {
            table->wait(table->user, 1);
            continue;
        }
        assert_int_equal(err, 0);
        assert_true(got > 0 && got <= step && at + got <= table->len);
        at += got;
    }
    for (from = to = text; *from != '\0';) {
        bool is_stem = strncmp(from, "=_", 2) == 0;

        *to++ = *from++;
        if (is_stem) {
            *to++ = *from++;
            from += 21;
        }
    }
    *to = '\0';
    return text;
}

/* ---- Rows -------------------------------------------------------------- */

struct op {
    char what; /* d(rop), r(eplace part), f(ooter), h(tml), s(ubject), v(alue) */
    size_t i;
    const char *text;
    int err;
};

static const struct row {
    const char *name, *in;
    struct op ops[5]; /* what is NUL behind the last */
    const char *want;
} rows[] = {
    {"a value", "A: b\r\nC: d\r\n e\r\n\r\nx", {{'v', 1, "f\r\n g", 0}},
     "A: b\r\nC: f\r\n g\r\n\r\nx"},
    {"a value, under the name as it is", "a : b\r\n\r\nx", {{'v', 0, "c", 0}},
     "a: c\r\n\r\nx"},
    {"no value that begins a line", "A: b\r\n\r\nx",
     {{'v', 0, "c\r\nBcc: x", ONWARD_ESYNTAX},
      {'v', 0, "c\n", ONWARD_ESYNTAX},
      {'v', 1, "c", ONWARD_ENOENT}},
     "A: b\r\n\r\nx"},
    {"subject", "Subject:  hello\r\n there\r\n\r\n", {{'s', 0, "[l]", 0}},
     "Subject: [l] hello\r\n there\r\n\r\n"},
    {"subject that has it", "Subject: Re: [l] x\r\n\r\n", {{'s', 0, "[l]", 0}},
     "Subject: Re: [l] x\r\n\r\n"},
    {"subject that has it, encoded", "Subject: =?utf-8?q?=5Bl=5D_=C3=A9?=\r\n\r\n",
     {{'s', 0, "[l]", 0}}, "Subject: =?utf-8?q?=5Bl=5D_=C3=A9?=\r\n\r\n"},
    {"subject, encoded", "Subject: =?iso-8859-1?q?=E9?=\r\n\r\n",
     {{'s', 0, "[l]", 0}}, "Subject: [l] =?iso-8859-1?q?=E9?=\r\n\r\n"},
    {"subject, both encoded: the blank goes inside",
     "Subject: =?iso-8859-1?q?=E9?=\r\n\r\n", {{'s', 0, "\u00fc", 0}},
     "Subject: =?UTF-8?Q?=C3=BC_?= =?iso-8859-1?q?=E9?=\r\n\r\n"},
    {"subject, prefix encoded", "Subject: x\r\n\r\n", {{'s', 0, "\u00e9", 0}},
     "Subject: =?UTF-8?B?w6k=?= x\r\n\r\n"},
    {"no subject", "A: b\r\n\r\n", {{'s', 0, "[l]", 0}},
     "Subject: [l]\r\nA: b\r\n\r\n"},
    {"empty subject", "Subject:\r\n\r\n", {{'s', 0, "[l]", 0}},
     "Subject: [l]\r\n\r\n"},
    {"a bad prefix", "Subject: x\r\n\r\n",
     {{'s', 0, "a\r\nB: c", ONWARD_ESYNTAX},
      {'s', 0, " ", ONWARD_ESYNTAX},
      {'s', 0, "\xff", ONWARD_ESYNTAX}},
     "Subject: x\r\n\r\n"},
    {"a long subject", "Subject: "
     "0123456789 0123456789 0123456789 0123456789 0123456789 01234567\r\n\r\n",
     {{'s', 0, "[list]", 0}},
     "Subject: [list]\r\n "
     "0123456789 0123456789 0123456789 0123456789 0123456789 01234567\r\n\r\n"},

    {"the first part", MIXED "p\r\n--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\ne",
     {{'d', 1, NULL, 0}}, MIXED "p\r\n--b\r\n\r\n2\r\n--b--\r\ne"},
    {"the last part", MIXED "p\r\n--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\ne",
     {{'d', 2, NULL, 0}}, MIXED "p\r\n--b\r\n\r\n1\r\n--b--\r\ne"},
    {"the middle and the last",
     MIXED "--b\r\n\r\n1\r\n--b \r\n\r\n2\r\n--b\r\n\r\n3\r\n--b--\r\n",
     {{'d', 2, NULL, 0}, {'d', 3, NULL, 0}},
     MIXED "--b\r\n\r\n1\r\n--b--\r\n"},
    {"the first two, downwards",
     MIXED "--b\r\n\r\n1\r\n--b \r\n\r\n2\r\n--b\r\n\r\n3\r\n--b--\r\n",
     {{'d', 1, NULL, 0}, {'d', 2, NULL, 0}, {'d', 1, NULL, 0}},
     MIXED "--b\r\n\r\n3\r\n--b--\r\n"},
    {"the first two, upwards",
     MIXED "--b\r\n\r\n1\r\n--b \r\n\r\n2\r\n--b\r\n\r\n3\r\n--b--\r\n",
     {{'d', 2, NULL, 0}, {'d', 1, NULL, 0}},
     MIXED "--b\r\n\r\n3\r\n--b--\r\n"},
    {"one has to stay", MIXED "--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\n",
     {{'d', 1, NULL, 0},
      {'d', 2, NULL, ONWARD_EINVAL},
      {'d', 0, NULL, ONWARD_EINVAL},
      {'d', 9, NULL, ONWARD_ENOENT}},
     MIXED "--b\r\n\r\n2\r\n--b--\r\n"},
    {"another part", MIXED "--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\n",
     {{'r', 1, "A: b\r\n\r\nnew", 0},
      {'r', 2, "x\r\n--b\r\n", ONWARD_ESYNTAX},
      {'r', 2, "x\ny", ONWARD_ESYNTAX},
      {'r', 1, "again", ONWARD_EINVAL}},
     MIXED "--b\r\nA: b\r\n\r\nnew\r\n--b\r\n\r\n2\r\n--b--\r\n"},
    {"a part of another one",
     MIXED "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
           "--c\r\n\r\n2\r\n--c\r\n\r\n3\r\n--c--\r\n--b--\r\n",
     {{'d', 3, NULL, 0}, {'d', 1, NULL, ONWARD_EINVAL}},
     MIXED "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
           "--c\r\n\r\n2\r\n--c--\r\n--b--\r\n"},

    {"footer behind the text", "A: b\r\n\r\nhello\r\n",
     {{'f', 0, "-- \nfoot", 0}}, "A: b\r\n\r\nhello\r\n-- \r\nfoot\r\n"},
    {"footer, twice, a line that does not end", "A: b\r\n\r\nhello",
     {{'f', 0, "x", 0}, {'f', 0, "y\r", 0}},
     "A: b\r\n\r\nhello\r\nx\r\ny\r\n"},
    {"footer, empty body", "A: b\r\n\r\n", {{'f', 0, "x", 0}},
     "A: b\r\n\r\nx\r\n"},
    {"footer in 8bit", UTF8 EIGHT "\r\n\u00e9\r\n", {{'f', 0, "\u00fc", 0}},
     UTF8 EIGHT "\r\n\u00e9\r\n\u00fc\r\n"},
    {"footer in quoted-printable", UTF8 QP "\r\n=C3=A9\r\n",
     {{'f', 0, "\u00fc=\nx ", 0}},
     UTF8 QP "\r\n=C3=A9\r\n=C3=BC=3D\r\nx=20\r\n"},
    {"footer as a part", MIXED "--b\r\n\r\n1\r\n--b--\r\ne",
     {{'f', 0, "x", 0}},
     MIXED "--b\r\n\r\n1\r\n--b\r\n"
           "Content-Type: text/plain; charset=utf-8\r\n"
           "Content-Disposition: inline\r\n"
           "Content-Transfer-Encoding: 7bit\r\n\r\nx\r\n\r\n--b--\r\ne"},
    {"footer that 7bit cannot hold", UTF8 "\r\nhello\r\n",
     {{'f', 0, "hello \u00fc\n", 0}, {'f', 0, "x", ONWARD_ESTATE}},
     "Content-Type: multipart/mixed; boundary=\"=_\"\r\n"
     MIME "\r\n--=_\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
     "hello\r\n\r\n--=_\r\n"
     "Content-Type: text/plain; charset=utf-8\r\n"
     "Content-Disposition: inline\r\n"
     "Content-Transfer-Encoding: quoted-printable\r\n\r\nhello =C3=BC\r\n"
     "\r\n--=_--\r\n"},
    {"HTML footer, no MIME", "A: b\r\n\r\nhello",
     {{'h', 0, "<p>", 0}},
     "Content-Type: multipart/mixed; boundary=\"=_\"\r\n"
     MIME "A: b\r\n\r\n--=_\r\n\r\nhello\r\n--=_\r\n"
     "Content-Type: text/html; charset=utf-8\r\n"
     "Content-Disposition: inline\r\n"
     "Content-Transfer-Encoding: 7bit\r\n\r\n<p>\r\n\r\n--=_--\r\n"},
    {"footer under soft line break", UTF8 QP "\r\nx=\r\n", {{'f', 0, "y", 0}},
     "Content-Type: multipart/mixed; boundary=\"=_\"\r\n"
     MIME "\r\n--=_\r\nContent-Type: text/plain; charset=utf-8\r\n" QP "\r\n"
     "x=\r\n\r\n--=_\r\n"
     "Content-Type: text/plain; charset=utf-8\r\n"
     "Content-Disposition: inline\r\n"
     "Content-Transfer-Encoding: 7bit\r\n\r\ny\r\n\r\n--=_--\r\n"},
    {"no footer without a body", "A: b\r\n", {{'f', 0, "x", ONWARD_EINVAL}},
     "A: b\r\n"},
    {"bad footers", "A: b\r\n\r\n",
     {{'f', 0, "", ONWARD_ESYNTAX}, {'f', 0, "\xff", ONWARD_ESYNTAX}},
     "A: b\r\n\r\n"},
};

static int apply(struct onward_edit *e, const struct op *op)
{
    struct onward_str text = onward_str_of(op->text == NULL ? "" : op->text);
    const struct onward_edit_footer footer = {
        .size = sizeof(footer), .text = text, .is_html = op->what == 'h'};

    switch (op->what) {
    case 'v':
        return onward_edit_replace(e, op->i, text);
    case 's':
        return onward_edit_prefix_subject(e, text);
    case 'd':
        return onward_edit_drop_part(e, op->i);
    case 'r':
        return onward_edit_replace_part(e, op->i, text);
    default:
        return onward_edit_add_footer(e, &footer);
    }
}

/* The log accounts for each octet. */
static void check_sum(struct set *s)
{
    const struct onward_source *table;
    uint64_t len = s->source.len;

    for (size_t i = 0; i < onward_edit_change_count(s->edit); i++) {
        struct onward_edit_change c = {.size = sizeof(c)};

        assert_int_equal(onward_edit_change_at(s->edit, i, &c), 0);
        len += c.added - c.removed;
    }
    assert_int_equal(onward_edit_source(s->edit, &table), 0);
    assert_int_equal(table->len, len);
}

static void check_row(const struct row *row, size_t step, bool waits)
{
    struct t_world w = {0};
    struct set s;
    char *got;
    int err;

    t_world_init(&w);
    assert_int_equal(open_set(&w, row->in, &s), 0);
    s.text.waits = waits;
    while ((err = onward_edit_read_parts(s.edit)) == ONWARD_AGAIN)
        s.text.is_ready = true;
    assert_int_equal(err, 0);
    for (const struct op *op = row->ops; op->what != '\0'; op++)
        assert_int_equal(apply(s.edit, op), op->err);
    check_sum(&s);
    got = result(&s, step);
    assert_string_equal(got, row->want);
    free(got);
    close_set(&s);
    t_world_clear(&w);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].name);
        for (size_t step = 1; step < 3000; step = step * 5 + 2) {
            check_row(&rows[i], step, false);
            check_row(&rows[i], step, true);
        }
    }
}

/* ---- The log ----------------------------------------------------------- */

static const char signed_message[] =
    "Subject: top\r\nSubject: low\r\nA: b\r\n" MIXED
    "--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\n";

static void test_the_log(void **state)
{
    static const struct {
        size_t kind, item;
        uint64_t offset, removed, added;
        const char *name;
    } want[] = {
        {ONWARD_EDIT_FIELD_ADDED, SIZE_MAX, 0, 0, 6, "X"},
        {ONWARD_EDIT_FIELD_REPLACED, 0, 0, 14, 18, "Subject"},
        {ONWARD_EDIT_PART_DROPPED, 2, 106, 10, 0, ""},
        {ONWARD_EDIT_FIELD_CUT, 2, 28, 6, 0, "A"},
    };
    struct t_world w = {0};
    struct set s;
    struct onward_edit_change c = {.size = sizeof(c)};

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_set(&w, signed_message, &s), 0);
    assert_int_equal(onward_edit_drop_part(s.edit, 1), ONWARD_ESTATE);
    assert_int_equal(onward_edit_read_parts(s.edit), 0);
    assert_int_equal(onward_edit_cut(s.edit, 2), 0);
    assert_int_equal(onward_edit_cut(s.edit, 2), 0);
    assert_int_equal(
        onward_edit_add(s.edit, ONWARD_STR("X"), ONWARD_STR("y")), 0);
    assert_int_equal(onward_edit_prefix_subject(s.edit, ONWARD_STR("[l]")), 0);
    assert_int_equal(onward_edit_drop_part(s.edit, 2), 0);
    assert_int_equal(onward_edit_change_count(s.edit), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(onward_edit_change_at(s.edit, i, &c), 0);
        print_message("%zu\n", i);
        assert_int_equal(c.kind, want[i].kind);
        assert_int_equal(c.item, want[i].item);
        assert_int_equal(c.offset, want[i].offset);
        assert_int_equal(c.removed, want[i].removed);
        assert_int_equal(c.added, want[i].added);
        t_assert_str(c.name, want[i].name);
    }
    assert_int_equal(onward_edit_change_at(s.edit, 4, &c), ONWARD_ENOENT);
    close_set(&s);
    t_world_clear(&w);
}

static void test_what_breaks(void **state)
{
    static const struct {
        const char *name, *fields;
        struct op op;
        uint64_t body_len;
        bool is_broken;
    } rows2[] = {
        {"another field", "A:subject", {'+', 0, "X", 0}, UINT64_MAX, false},
        {"one more of a signed name", "A", {'+', 0, "A", 0}, UINT64_MAX, false},
        {"one more, forbidden", "A: a", {'+', 0, "A", 0}, UINT64_MAX, true},
        {"a field that is not signed", "A", {'s', 0, "[l]", 0}, UINT64_MAX,
         false},
        {"the upper one is not signed", "Subject", {'s', 0, "[l]", 0},
         UINT64_MAX, false},
        {"both are", "subject:SUBJECT", {'s', 0, "[l]", 0}, UINT64_MAX, true},
        {"the lower one is", "Subject", {'v', 1, "x", 0}, UINT64_MAX, true},
        {"cut", "a:b", {'c', 2, NULL, 0}, UINT64_MAX, true},
        {"cut, not signed", "Subject", {'c', 2, NULL, 0}, UINT64_MAX, false},
        {"the body", "", {'d', 1, NULL, 0}, UINT64_MAX, true},
        {"the body behind what is signed", "", {'d', 2, NULL, 0}, 8, false},
        {"the body in what is signed", "", {'d', 2, NULL, 0}, 9, true},
        {"a footer", "", {'f', 0, "x", 0}, UINT64_MAX, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows2) / sizeof(rows2[0]); i++) {
        const struct op *op = &rows2[i].op;
        struct onward_edit_signature signature = {
            .size = sizeof(signature),
            .fields = onward_str_of(rows2[i].fields),
            .body_len = rows2[i].body_len,
            .has_body_len = rows2[i].body_len != UINT64_MAX};
        struct t_world w = {0};
        struct set s;

        print_message("%s\n", rows2[i].name);
        t_world_init(&w);
        assert_int_equal(open_set(&w, signed_message, &s), 0);
        assert_int_equal(onward_edit_read_parts(s.edit), 0);
        assert_int_equal(onward_edit_add_signature(s.edit, &signature), 0);
        assert_true(onward_edit_broken_by(s.edit, 0) == ONWARD_HEADER_NONE);
        if (op->what == '+')
            assert_int_equal(onward_edit_add(s.edit, onward_str_of(op->text),
                                             ONWARD_STR("y")),
                             0);
        else if (op->what == 'c')
            assert_int_equal(onward_edit_cut(s.edit, op->i), 0);
        else
            assert_int_equal(apply(s.edit, op), 0);
        assert_int_equal(onward_edit_broken_by(s.edit, 0),
                         rows2[i].is_broken ? 0 : ONWARD_HEADER_NONE);
        assert_true(onward_edit_broken_by(s.edit, 1) == ONWARD_HEADER_NONE);
        assert_int_equal(onward_edit_add_signature(s.edit, NULL),
                         ONWARD_EINVAL);
        close_set(&s);
        t_world_clear(&w);
    }
}

/* ---- Memory ------------------------------------------------------------ */

static bool edit_one(struct t_world *w, void *arg)
{
    static const struct op ops[] = {{'s', 0, "\u00e9", 0},
                                    {'d', 1, NULL, 0},
                                    {'h', 0, "\u00fc", 0}};
    const struct onward_edit_signature signature = {
        .size = sizeof(signature), .fields = ONWARD_STR("a:b")};
    const struct onward_source *table;
    struct set s;
    int err = open_set(w, signed_message, &s);

    (void)arg;
    if (err == 0)
        err = onward_edit_add_signature(s.edit, &signature);
    if (err == 0)
        err = onward_edit_read_parts(s.edit);
    for (size_t i = 0; err == 0 && i < 3; i++)
        err = apply(s.edit, &ops[i]);
    if (err == 0)
        err = onward_edit_source(s.edit, &table);
    assert_true(err == 0 || err == ONWARD_ENOMEM);
    close_set(&s);
    return err == 0;
}

static void test_without_memory(void **state)
{
    (void)state;
    t_oom_sweep(edit_one, NULL);
}

/* A boundary that can be guessed would let a message forge the footer's place
 * (A125). */
static void test_without_randomness(void **state)
{
    const struct op footer = {'h', 0, "<p>", 0};
    struct t_world w;
    struct set s;

    (void)state;
    t_world_init(&w);
    assert_int_equal(open_set(&w, "A: b\r\n\r\nhello", &s), 0);
    assert_int_equal(onward_edit_read_parts(s.edit), 0);
    w.random_fails = true;
    assert_int_equal(apply(s.edit, &footer), ONWARD_ERANDOM);
    close_set(&s);
    t_world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_the_log),
        cmocka_unit_test(test_what_breaks),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_without_randomness),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
