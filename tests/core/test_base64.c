#include "support/support.h"

#include "core/text_shared.h"

/* In tables; NULs inside count. */
#define T(literal)                                                             \
    {                                                                          \
        literal, sizeof(literal) - 1                                           \
    }

/* want NULL: refused */
static const struct row {
    const char *name;
    struct onward_str text;
    bool allow_unpadded;
    const char *want;
    size_t want_len;
    bool is_canonical; /* writes back as text */
} rows[] = {
    /* RFC 4648 section 10 */
    {"rfc4648 empty", T(""), false, "", 0, true},
    {"rfc4648 f", T("Zg=="), false, "f", 1, true},
    {"rfc4648 fo", T("Zm8="), false, "fo", 2, true},
    {"rfc4648 foo", T("Zm9v"), false, "foo", 3, true},
    {"rfc4648 foob", T("Zm9vYg=="), false, "foob", 4, true},
    {"rfc4648 fooba", T("Zm9vYmE="), false, "fooba", 5, true},
    {"rfc4648 foobar", T("Zm9vYmFy"), false, "foobar", 6, true},
    /* RFC 4648 section 9 */
    {"rfc4648 six octets", T("FPucA9l+"), false, "\x14\xfb\x9c\x03\xd9\x7e", 6,
     true},
    {"rfc4648 five octets", T("FPucA9k="), false, "\x14\xfb\x9c\x03\xd9", 5,
     true},
    {"rfc4648 four octets", T("FPucAw=="), false, "\x14\xfb\x9c\x03", 4, true},
    {"first and last letter", T("AAAA////"), false, "\0\0\0\xff\xff\xff", 6,
     true},
    {"folded", T("Zm9v\r\n YmFy"), false, "foobar", 6, false},
    {"blank inside a group", T("Zm\t9v Y mFy"), false, "foobar", 6, false},
    {"blank before padding", T(" Zg = = \r\n"), false, "f", 1, false},
    {"only blanks", T(" \r\n\t"), false, "", 0, false},
    {"unpadded, allowed", T("Zm8"), true, "fo", 2, false},
    {"padded, allowed unpadded", T("Zm8="), true, "fo", 2, true},
    {"unpadded", T("Zm8"), false, NULL, 0, false},
    {"half padded", T("Zg="), true, NULL, 0, false},
    {"one character", T("Z"), true, NULL, 0, false},
    {"one over a group", T("Zm9vY"), true, NULL, 0, false},
    {"too much padding", T("Zm9v="), false, NULL, 0, false},
    {"three pads", T("Zg==="), false, NULL, 0, false},
    {"only padding", T("===="), false, NULL, 0, false},
    {"text behind padding", T("Zg==Zg=="), false, NULL, 0, false},
    {"bits left over, two", T("Zh=="), false, NULL, 0, false},
    {"bits left over, three", T("Zm9="), false, NULL, 0, false},
    {"foreign character", T("Zm9v-mFy"), false, NULL, 0, false},
    {"NUL", T("Zm9v\0mFy"), false, NULL, 0, false},
    {"octet above 127", T("Zm9v\xc3mFy"), false, NULL, 0, false},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_buf out;
    struct t_world w;

    t_world_init(&w);
    onward_core__buf_init(&out, w.ctx, 4096);
    onward_core__buf_add_text(&out, "kept");
    if (row->want == NULL) {
        assert_int_equal(
            onward_core__base64_decode(&out, row->text, row->allow_unpadded),
            ONWARD_ESYNTAX);
        t_assert_str(onward_core__buf_str(&out), "kept");
        assert_int_equal(out.err, 0);
    } else {
        assert_int_equal(
            onward_core__base64_decode(&out, row->text, row->allow_unpadded),
            0);
        onward_core__buf_consume(&out, 4);
        t_assert_str_n(onward_core__buf_str(&out), row->want, row->want_len);
    }
    onward_core__buf_reset(&out);
    if (row->is_canonical) {
        assert_int_equal(
            onward_core__base64_encode(&out, row->want, row->want_len), 0);
        t_assert_str_n(onward_core__buf_str(&out), row->text.data,
                       row->text.len);
        assert_int_equal(onward_core__base64_encoded_len(row->want_len),
                         row->text.len);
    }
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

/* Every length and every octet, so that each table entry is read. */
static void test_round_trip(void **state)
{
    unsigned char data[300];
    struct onward_buf text, back;
    struct t_world w;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 167 + 13);
    t_world_init(&w);
    onward_core__buf_init(&text, w.ctx, 4096);
    onward_core__buf_init(&back, w.ctx, 4096);
    for (size_t len = 0; len <= sizeof(data); len++) {
        onward_core__buf_reset(&text);
        onward_core__buf_reset(&back);
        assert_int_equal(onward_core__base64_encode(&text, data, len), 0);
        assert_int_equal(onward_core__base64_decode(
                             &back, onward_core__buf_str(&text), false),
                         0);
        t_assert_str_n(onward_core__buf_str(&back), data, len);
    }
    onward_core__buf_clear(&text);
    onward_core__buf_clear(&back);
    t_world_clear(&w);
}

static void test_ceiling_counts_octets_not_blanks(void **state)
{
    struct onward_buf out;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&out, w.ctx, 6);
    assert_int_equal(
        onward_core__base64_decode(
            &out, ONWARD_STR("Z m 9 v \r\n\t Y m F y \r\n\t\t"), false),
        0);
    t_assert_str(onward_core__buf_str(&out), "foobar");
    assert_int_equal(
        onward_core__base64_decode(&out, ONWARD_STR("Zg=="), false),
        ONWARD_ELIMIT);
    onward_core__buf_clear(&out);
    onward_core__buf_init(&out, w.ctx, 7);
    assert_int_equal(onward_core__base64_encode(&out, "abcd", 4),
                     ONWARD_ELIMIT);
    onward_core__buf_clear(&out);
    t_world_clear(&w);
}

static void test_run_stops_at_the_first_odd_group(void **state)
{
    unsigned char out[12];

    (void)state;
    assert_int_equal(onward_core__base64_run(out, "Zm9vYmFyZg==", 12), 8);
    assert_memory_equal(out, "foobar", 6);
    assert_int_equal(onward_core__base64_run(out, "Zm9vYmFyZm9v\r\n", 14), 12);
    assert_memory_equal(out, "foobarfoo", 9);
    assert_int_equal(onward_core__base64_run(out, "Zm9", 3), 0);
    assert_int_equal(onward_core__base64_run(out, "\r\nZm9v", 6), 0);
}

/* The alphabet of RFC 4648, in its order. */
static int value_of(unsigned char c)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(letters, c);

    return at == NULL ? -1 : (int)(at - letters);
}

/* Each octet in each place, of blocks that fill wide registers and of what is
 * left behind them: decoded up to its group when it is foreign, and no octet is
 * written behind the room. */
static void test_run_with_each_octet_in_each_place(void **state)
{
    enum { LEN = 56, ROOM = LEN / 4 * 3 };
    unsigned char text[LEN], out[ROOM + 16];

    (void)state;
    for (size_t place = 0; place < LEN; place++) {
        for (unsigned c = 0; c < 256; c++) {
            int value = value_of((unsigned char)c);
            size_t group = place / 4, taken;
            uint32_t want = 0, bits;

            memset(text, 'A', sizeof(text));
            memset(out, 0xee, sizeof(out));
            text[place] = (unsigned char)c;
            taken = onward_core__base64_run(out, text, LEN);
            if (value > 0)
                want = (uint32_t)value << (18 - 6 * (place % 4));
            assert_int_equal(taken, value < 0 ? group * 4 : LEN);
            for (size_t i = ROOM; i < sizeof(out); i++)
                assert_int_equal(out[i], 0xee);
            for (size_t i = 0; i < taken / 4; i++) {
                bits = (uint32_t)out[i * 3] << 16 |
                       (uint32_t)out[i * 3 + 1] << 8 | out[i * 3 + 2];
                assert_int_equal(bits, i == group ? want : 0);
            }
        }
    }
}

/* Every length, each in room of just its size. */
static void test_run_with_exact_room(void **state)
{
    char text[121];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "Zm9v"[i % 4];
    for (size_t len = 0; len < sizeof(text); len++) {
        size_t room = len / 4 * 3;
        unsigned char *out = malloc(room + 1);

        assert_non_null(out);
        out[room] = 0xee;
        assert_int_equal(onward_core__base64_run(out, text, len), len / 4 * 4);
        for (size_t i = 0; i < room; i++)
            assert_int_equal(out[i], "foo"[i % 3]);
        assert_int_equal(out[room], 0xee);
        free(out);
    }
}

/* All pairs of letters, against the alphabet itself. */
static void test_every_twelve_bits_are_written(void **state)
{
    unsigned char in[9] = {0}, out[12];

    (void)state;
    for (unsigned v = 0; v < 4096; v++) {
        /* The same three octets in the wide loop and in the one behind it. */
        for (size_t i = 0; i < 9; i += 3) {
            in[i] = (unsigned char)(v >> 4);
            in[i + 1] = (unsigned char)(v << 4 | v >> 8);
            in[i + 2] = (unsigned char)v;
        }
        assert_int_equal(onward_core__base64_write(out, in, 9), 12);
        for (size_t i = 0; i < 12; i += 2) {
            assert_int_equal(value_of(out[i]), v >> 6);
            assert_int_equal(value_of(out[i + 1]), v & 63);
        }
    }
}

static bool encode_and_decode(struct t_world *w, void *arg)
{
    struct onward_buf text, back;
    bool done;

    (void)arg;
    onward_core__buf_init(&text, w->ctx, 4096);
    onward_core__buf_init(&back, w->ctx, 4096);
    done = onward_core__base64_encode(&text, "some octets", 11) == 0 &&
           onward_core__base64_decode(&back, onward_core__buf_str(&text),
                                      false) == 0 &&
           back.len == 11;
    onward_core__buf_clear(&text);
    onward_core__buf_clear(&back);
    return done;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(encode_and_decode, NULL);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_ceiling_counts_octets_not_blanks),
        cmocka_unit_test(test_run_stops_at_the_first_odd_group),
        cmocka_unit_test(test_run_with_each_octet_in_each_place),
        cmocka_unit_test(test_run_with_exact_room),
        cmocka_unit_test(test_every_twelve_bits_are_written),
        cmocka_unit_test(test_no_memory),
    };
    struct CMUnitTest tests[ROWS + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = test_row,
                                       .initial_state = (void *)&rows[i]};
    memcpy(tests + ROWS, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
