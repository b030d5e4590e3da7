/*
 * Texts: damage and charsets for any cut, file names, flowed text, and the
 * fields with a form of their own.
 */
#include <onward/mime_text.h>

#include "core/core_shared.h"
#include "support/charsets.h"

#define S(literal) {literal, sizeof(literal) - 1}

static const struct onward_text_opts with_iconv = {.size = sizeof(with_iconv),
                                                   .charsets = &t_charsets};

/* ---- Decoders: A089 ---------------------------------------------------- */

static const struct {
    const char *name;
    int encoding;
    struct onward_str in, want;
    uint64_t damage;
} damaged[] = {
    {"junk", ONWARD_ENCODING_BASE64, S("Q-U*JD"), S("ABC"),
     ONWARD_DAMAGE_BASE64_JUNK},
    {"no padding", ONWARD_ENCODING_BASE64, S("QUI"), S("AB"),
     ONWARD_DAMAGE_BASE64_PADDING},
    {"one sign of two", ONWARD_ENCODING_BASE64, S("QQ="), S("A"),
     ONWARD_DAMAGE_BASE64_PADDING},
    {"a sign too many", ONWARD_ENCODING_BASE64, S("QUI=="), S("AB"),
     ONWARD_DAMAGE_BASE64_PADDING},
    {"sign at the start", ONWARD_ENCODING_BASE64, S("=QUJD"), S(""),
     ONWARD_DAMAGE_BASE64_PADDING | ONWARD_DAMAGE_BASE64_AFTER_END},
    {"padding inside", ONWARD_ENCODING_BASE64, S("QQ==\r\nQUJD"), S("A"),
     ONWARD_DAMAGE_BASE64_AFTER_END},
    {"bits left", ONWARD_ENCODING_BASE64, S("QR=="), S("A"),
     ONWARD_DAMAGE_BASE64_BITS},
    {"six bits left", ONWARD_ENCODING_BASE64, S("QUJDQ"), S("ABC"),
     ONWARD_DAMAGE_BASE64_PADDING},
    {"sound", ONWARD_ENCODING_BASE64, S(" QU\r\nI=\r\n"), S("AB"), 0},
    {"lone sign", ONWARD_ENCODING_QUOTED_PRINTABLE, S("a=b c"), S("a=b c"),
     ONWARD_DAMAGE_QP_ESCAPE},
    {"sign, blanks, text", ONWARD_ENCODING_QUOTED_PRINTABLE, S("a= \tb"),
     S("a= \tb"), ONWARD_DAMAGE_QP_ESCAPE},
    {"sign, blanks, CR, text", ONWARD_ENCODING_QUOTED_PRINTABLE, S("a= \rb"),
     S("a= \rb"), ONWARD_DAMAGE_QP_ESCAPE | ONWARD_DAMAGE_QP_RAW},
    {"sign before a sign", ONWARD_ENCODING_QUOTED_PRINTABLE, S("==41"),
     S("=A"), ONWARD_DAMAGE_QP_ESCAPE},
    {"half an escape", ONWARD_ENCODING_QUOTED_PRINTABLE, S("=4=41"), S("=4A"),
     ONWARD_DAMAGE_QP_ESCAPE},
    {"lower case", ONWARD_ENCODING_QUOTED_PRINTABLE, S("=4a=e9"),
     S("\x4a\xe9"), ONWARD_DAMAGE_QP_LOWER},
    {"blanks at the end", ONWARD_ENCODING_QUOTED_PRINTABLE,
     S("a \t\r\nb  \nc "), S("a\r\nb\nc"), ONWARD_DAMAGE_QP_BLANKS},
    {"blank before CR", ONWARD_ENCODING_QUOTED_PRINTABLE, S("a \rb"),
     S("a \rb"), ONWARD_DAMAGE_QP_RAW},
    {"soft break at the end", ONWARD_ENCODING_QUOTED_PRINTABLE, S("a= "),
     S("a"), ONWARD_DAMAGE_QP_CUT},
    {"raw octets", ONWARD_ENCODING_QUOTED_PRINTABLE, S("\xe9\x01"),
     S("\xe9\x01"), ONWARD_DAMAGE_QP_RAW},
    {"sound", ONWARD_ENCODING_QUOTED_PRINTABLE, S("a b=\r\n=3D\r\n"),
     S("a b=\r\n"), 0},
    {"uuencode", ONWARD_ENCODING_UUENCODE,
     S("text\r\nbegin 644 a\r\n#0V%T\r\n`\r\nend\r\n"), S("Cat"), 0},
    {"uuencode with a checksum", ONWARD_ENCODING_UUENCODE,
     S("begin 644 a\n#0V%TX\n`\nend\n"), S("Cat"), 0},
    {"uuencode without an end", ONWARD_ENCODING_UUENCODE,
     S("begin 644 a\n#0V%T"), S("Cat"), ONWARD_DAMAGE_UUENCODE},
    {"uuencode, short line", ONWARD_ENCODING_UUENCODE,
     S("begin 644 a\n#0V\n`\nend\n"), S("C`\0"), ONWARD_DAMAGE_UUENCODE},
};

struct decoding {
    struct t_world *world;
    size_t row;
    struct onward_decoder *decoder;
    struct onward_buf out;
};

static void decoding_begin(void *arg)
{
    struct decoding *d = arg;

    assert_int_equal(onward_decoder_new(d->world->ctx,
                                        damaged[d->row].encoding, &d->decoder),
                     0);
    onward_core__buf_init(&d->out, d->world->ctx, SIZE_MAX);
}

static void decoding_feed(void *arg, const void *data, size_t len)
{
    struct decoding *d = arg;
    unsigned char room[ONWARD_TEXT_ROOM];
    size_t at = 0;

    while (at < len) {
        size_t taken, put;

        assert_int_equal(onward_decoder_feed(d->decoder,
                                             (const char *)data + at, len - at,
                                             &taken, room, sizeof(room), &put),
                         0);
        onward_core__buf_add(&d->out, room, put);
        at += taken;
    }
}

static void decoding_end(void *arg)
{
    struct decoding *d = arg;
    unsigned char room[ONWARD_TEXT_ROOM];
    size_t put;

    assert_int_equal(
        onward_decoder_finish(d->decoder, room, sizeof(room), &put), 0);
    onward_core__buf_add(&d->out, room, put);
    if (!onward_core__str_eq(onward_core__buf_str(&d->out),
                             damaged[d->row].want) ||
        onward_decoder_damage(d->decoder) != damaged[d->row].damage)
        print_error("row %s: damage %d\n", damaged[d->row].name,
                    (int)onward_decoder_damage(d->decoder));
    t_assert_str_n(onward_core__buf_str(&d->out), damaged[d->row].want.data,
                   damaged[d->row].want.len);
    assert_int_equal(onward_decoder_damage(d->decoder),
                     damaged[d->row].damage);
    onward_core__buf_clear(&d->out);
    onward_decoder_free(d->decoder);
}

static void test_damage(void **state)
{
    static const struct t_cut cut = {decoding_begin, decoding_feed,
                                     decoding_end};
    struct t_world w = {0};
    struct decoding d = {.world = &w};

    (void)state;
    t_world_init(&w);
    for (d.row = 0; d.row < sizeof(damaged) / sizeof(damaged[0]); d.row++)
        t_cut_everywhere(&cut, &d, damaged[d.row].in.data,
                         damaged[d.row].in.len);
    t_world_clear(&w);
}

/* Runs of blanks that are longer than what is held stay. */
static void test_long_blanks(void **state)
{
    struct t_world w = {0};
    struct decoding d = {.world = &w};
    char in[300], room[600];
    size_t taken, put;

    (void)state;
    t_world_init(&w);
    memset(in, ' ', sizeof(in));
    in[299] = '\n';
    assert_int_equal(
        onward_decoder_new(w.ctx, ONWARD_ENCODING_QUOTED_PRINTABLE, &d.decoder),
        0);
    assert_int_equal(onward_decoder_feed(d.decoder, in, sizeof(in), &taken,
                                         room, sizeof(room), &put),
                     0);
    assert_int_equal(taken, 300);
    assert_int_equal(put, 300);
    assert_int_equal(onward_decoder_feed(d.decoder, in, 1, &taken, room,
                                         ONWARD_TEXT_ROOM - 1, &put),
                     ONWARD_EINVAL);
    onward_decoder_free(d.decoder);
    assert_int_equal(onward_decoder_new(w.ctx, 0, &d.decoder), ONWARD_EINVAL);
    t_world_clear(&w);
}

/* ---- Charsets ---------------------------------------------------------- */

static const struct {
    const char *charset;
    struct onward_str in, want;
    uint64_t notes;
} charsets[] = {
    {"US-ASCII", S("a\xe9"), S("a\xef\xbf\xbd"), ONWARD_TEXT_BAD_OCTETS},
    {"utf8", S("a\xc3\xa9\xf0\x9f\x93\xa7"), S("a\xc3\xa9\xf0\x9f\x93\xa7"), 0},
    /* A084: overlong, surrogate and cut forms never pass as characters. */
    {"utf-8", S("\xc0\xaf"), S("\xef\xbf\xbd\xef\xbf\xbd"),
     ONWARD_TEXT_BAD_OCTETS},
    {"utf-8", S("\xed\xa0\x80"), S("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"),
     ONWARD_TEXT_BAD_OCTETS},
    {"utf-8", S("a\xe2\x82"), S("a\xef\xbf\xbd\xef\xbf\xbd"),
     ONWARD_TEXT_BAD_OCTETS},
    {"latin1", S("\xe9"), S("\xc3\xa9"), 0},
    {"iso-8859-15", S("\xa4"), S("\xe2\x82\xac"), 0},
    {"windows-1252", S("\x80\x81"), S("\xe2\x82\xac\xef\xbf\xbd"),
     ONWARD_TEXT_BAD_OCTETS},
    {"KOI8-R", S("\xc1"), S("\xd0\xb0"), 0},
    {"utf-16be", S("\0a\xd8\x3d\xdc\xe7"), S("a\xf0\x9f\x93\xa7"), 0},
    {"utf-16", S("\xff\xfe" "a\0"), S("a"), 0},
    {"utf-16", S("\0a"), S("a"), 0},
    {"utf-16le", S("\x3d\xd8" "a\0"), S("\xef\xbf\xbd" "a"),
     ONWARD_TEXT_BAD_OCTETS},
    {"utf-16le", S("a\0b"), S("a\xef\xbf\xbd"), ONWARD_TEXT_BAD_OCTETS},
    /* RFC 2152, section 5. */
    {"utf-7", S("A+ImIDkQ."), S("A\xe2\x89\xa2\xce\x91."), 0},
    {"utf-7", S("Hi Mom +Jjo-!"), S("Hi Mom \xe2\x98\xba!"), 0},
    {"utf-7", S("+ZeVnLIqe-"), S("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"), 0},
    {"utf-7", S("Item 3 is +AKM-1. 2+-2"), S("Item 3 is \xc2\xa3" "1. 2+2"), 0},
    {"Shift_JIS", S("\x93\xfa\x96\x7b"), S("\xe6\x97\xa5\xe6\x9c\xac"), 0},
    {"Shift_JIS", S("a\x93"), S("a\xef\xbf\xbd"), ONWARD_TEXT_BAD_OCTETS},
    {"EUC-KR", S("\xff" "a"), S("\xef\xbf\xbd" "a"), ONWARD_TEXT_BAD_OCTETS},
};

struct converting {
    struct t_world *world;
    size_t row;
    struct onward_converter *converter;
    struct onward_buf out;
};

static void converting_begin(void *arg)
{
    struct converting *c = arg;

    assert_int_equal(
        onward_converter_new(c->world->ctx,
                             onward_str_of(charsets[c->row].charset),
                             &t_charsets, &c->converter),
        0);
    onward_core__buf_init(&c->out, c->world->ctx, SIZE_MAX);
}

static void converting_feed(void *arg, const void *data, size_t len)
{
    struct converting *c = arg;
    unsigned char room[ONWARD_TEXT_ROOM];
    size_t at = 0;

    while (at < len) {
        size_t taken, put;

        assert_int_equal(
            onward_converter_feed(c->converter, (const char *)data + at,
                                  len - at, &taken, room, sizeof(room), &put),
            0);
        onward_core__buf_add(&c->out, room, put);
        at += taken;
    }
}

static void converting_end(void *arg)
{
    struct converting *c = arg;
    unsigned char room[ONWARD_TEXT_ROOM];
    size_t put;

    assert_int_equal(
        onward_converter_finish(c->converter, room, sizeof(room), &put), 0);
    onward_core__buf_add(&c->out, room, put);
    t_assert_str_n(onward_core__buf_str(&c->out), charsets[c->row].want.data,
                   charsets[c->row].want.len);
    assert_int_equal(onward_converter_notes(c->converter),
                     charsets[c->row].notes);
    onward_core__buf_clear(&c->out);
    onward_converter_free(c->converter);
}

static void test_charsets(void **state)
{
    static const struct t_cut cut = {converting_begin, converting_feed,
                                     converting_end};
    struct t_world w = {0};
    struct converting c = {.world = &w};

    (void)state;
    t_world_init(&w);
    for (c.row = 0; c.row < sizeof(charsets) / sizeof(charsets[0]); c.row++)
        t_cut_everywhere(&cut, &c, charsets[c.row].in.data,
                         charsets[c.row].in.len);
    assert_int_equal(onward_converter_new(w.ctx, ONWARD_STR("x-none"), NULL,
                                          &c.converter),
                     ONWARD_ENOENT);
    assert_int_equal(onward_charset_is_built_in(ONWARD_STR("Latin1")), 1);
    assert_int_equal(onward_charset_is_built_in(ONWARD_STR("Big5")), 0);
    t_world_clear(&w);
}

/* ---- One text out of another ------------------------------------------- */

static int make_words(struct onward_ctx *ctx, struct onward_str in,
                      struct onward_text **text)
{
    return onward_words_decode(ctx, in, ONWARD_WORDS_NAME, &with_iconv, text);
}

static int make_flowed(struct onward_ctx *ctx, struct onward_str in,
                       struct onward_text **text)
{
    return onward_flowed_decode(ctx, in, 0, text);
}

static int make_delsp(struct onward_ctx *ctx, struct onward_str in,
                      struct onward_text **text)
{
    return onward_flowed_decode(ctx, in, 1, text);
}

static const struct {
    int (*make)(struct onward_ctx *ctx, struct onward_str in,
                struct onward_text **text);
    struct onward_str in, want;
    uint64_t notes;
} texts[] = {
    {make_words, S("\"Doe, John\" (work)"), S("Doe, John"), 0},
    {make_words, S("=?utf-8?q?=C3=A9?=\r\n  Doe (x)  Jr."),
     S("\xc3\xa9 Doe Jr."), 0},
    {make_words, S("\"a\\\"b\"c"), S("a\"bc"), 0},
    {make_words, S("(all comment)"), S(""), 0},
    {make_words, S("a\xe9"), S("a\xef\xbf\xbd"),
     ONWARD_TEXT_RAW_8BIT | ONWARD_TEXT_BAD_OCTETS},
    /* A083: told, so that nobody writes it raw. */
    {make_words, S("=?utf-8?q?a=0D=0Ab?="), S("a\r\nb"), ONWARD_TEXT_CONTROLS},
    /* A121 */
    {make_words, S("=?utf-8?q?a=E2=80=AEb?="), S("a\xe2\x80\xae" "b"),
     ONWARD_TEXT_INVISIBLE},
    {make_words, S("=?x-none?q?a?= b"), S("=?x-none?q?a?= b"),
     ONWARD_TEXT_UNKNOWN_CHARSET},
    /* RFC 3676 */
    {make_flowed, S("a \r\nb\r\nc\r\n"), S("a b\r\nc\r\n"),
     ONWARD_TEXT_CONTROLS},
    {make_delsp, S("a \r\nb\r\n"), S("ab\r\n"), ONWARD_TEXT_CONTROLS},
    {make_flowed, S("> a \n>b\n>> c \nd\n"), S("> a b\r\n>> c \r\nd\r\n"),
     ONWARD_TEXT_CONTROLS},
    {make_flowed, S(" From x \n  stuffed\n"), S("From x  stuffed\r\n"),
     ONWARD_TEXT_CONTROLS},
    {make_flowed, S("a \n-- \nb\n"), S("a \r\n-- \r\nb\r\n"),
     ONWARD_TEXT_CONTROLS},
    {make_flowed, S("a "), S("a \r\n"), ONWARD_TEXT_CONTROLS},
    /* A091 */
    {onward_safe_name, S("report.pdf"), S("report.pdf"), 0},
    {onward_safe_name, S("../../etc/passwd"), S("passwd"), 0},
    {onward_safe_name, S("C:\\dir\\x.exe"), S("x.exe"), 0},
    {onward_safe_name, S(".."), S("unnamed"), 0},
    {onward_safe_name, S("a/"), S("unnamed"), 0},
    {onward_safe_name, S(""), S("unnamed"), 0},
    {onward_safe_name, S("...bashrc. "), S("bashrc"), 0},
    {onward_safe_name, S("a\0b\nc\x7f.txt"), S("abc.txt"), 0},
    {onward_safe_name, S("a:b*c?<>|\""), S("a_b_c_____"), 0},
    {onward_safe_name, S("nul.txt"), S("_nul.txt"), 0},
    {onward_safe_name, S("COM1"), S("_COM1"), 0},
    {onward_safe_name, S("a\xe2\x80\xaegpj.exe"), S("agpj.exe"), 0},
    {onward_safe_name, S("\xe9.txt"), S("_.txt"), 0},
};

static void test_texts(void **state)
{
    struct t_world w = {0};

    (void)state;
    t_world_init(&w);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct onward_text *text = NULL;

        assert_int_equal(texts[i].make(w.ctx, texts[i].in, &text), 0);
        t_assert_str_n(onward_text_str(text), texts[i].want.data,
                       texts[i].want.len);
        if (onward_text_notes(text) != texts[i].notes)
            print_error("text %d\n", (int)i);
        assert_int_equal(onward_text_notes(text), texts[i].notes);
        onward_text_free(text);
    }
    t_world_clear(&w);
}

static void test_long_name(void **state)
{
    struct t_world w = {0};
    struct onward_text *text = NULL;
    char name[1000];

    (void)state;
    t_world_init(&w);
    for (size_t i = 0; i < sizeof(name); i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    memcpy(name + sizeof(name) - 4, ".pdf", 4);
    assert_int_equal(
        onward_safe_name(w.ctx, onward_core__str(name, sizeof(name)), &text),
        0);
    assert_true(onward_text_str(text).len <= 200);
    assert_memory_equal(
        onward_text_str(text).data + onward_text_str(text).len - 6,
        "\xc3\xa9.pdf", 6);
    onward_text_free(text);
    t_world_clear(&w);
}

static void test_text_limit(void **state)
{
    struct onward_text_opts opts = {.size = sizeof(opts), .max_bytes = 3};
    struct t_world w = {0};
    struct onward_text *text = NULL;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_words_decode(w.ctx, ONWARD_STR("abc"),
                                         ONWARD_WORDS_UNSTRUCTURED, &opts,
                                         &text),
                     0);
    onward_text_free(text);
    assert_int_equal(onward_words_decode(w.ctx, ONWARD_STR("abcd"),
                                         ONWARD_WORDS_UNSTRUCTURED, &opts,
                                         &text),
                     ONWARD_ELIMIT);
    assert_int_equal(onward_words_decode(w.ctx, ONWARD_STR("a"), 9, NULL,
                                         &text),
                     ONWARD_EINVAL);
    opts.max_bytes = 0;
    opts.raw_charset = "windows-1251";
    assert_int_equal(onward_words_decode(w.ctx, ONWARD_STR("\xef"),
                                         ONWARD_WORDS_UNSTRUCTURED, &opts,
                                         &text),
                     0);
    t_assert_str(onward_text_str(text), "\xd0\xbf");
    onward_text_free(text);
    t_world_clear(&w);
}

/* ---- Fields ------------------------------------------------------------ */

static void test_dates(void **state)
{
    int64_t at = 4711;
    int32_t east = 4711;

    (void)state;
    assert_int_equal(
        onward_date_parse(ONWARD_STR(" Fri, 21 Nov 1997 09:55:06 -0600"), &at,
                          &east),
        0);
    assert_int_equal(at, 880127706);
    assert_int_equal(east, -360);
    /* RFC 5322, appendix A.5 and A.6.2 */
    assert_int_equal(
        onward_date_parse(ONWARD_STR("Thu,\r\n      13\r\n        Feb\r\n"
                                     "          1969\r\n      23:32\r\n"
                                     "               -0330 (Newfoundland "
                                     "Time)"),
                          &at, &east),
        0);
    assert_int_equal(at, -27723480);
    assert_int_equal(
        onward_date_parse(ONWARD_STR("21 Nov 97 09:55:06 GMT"), &at, NULL), 0);
    assert_int_equal(at, 880106106);
    assert_int_equal(onward_date_parse(ONWARD_STR("31 Feb 2020 00:00 +0000"),
                                       &at, &east),
                     ONWARD_ESYNTAX);
    assert_int_equal(at, 880106106);
}

static void test_angles(void **state)
{
    struct t_world w = {0};
    struct onward_angle_list *list = NULL;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_angle_list_parse(
            w.ctx,
            ONWARD_STR(" <mailto:l@h?subject=a\r\n b> (<no>), \"<q>\" <http:x>"
                       " tail, <open"),
            &list),
        0);
    assert_int_equal(onward_angle_list_count(list), 3);
    t_assert_str(onward_angle_list_item(list, 0), "mailto:l@h?subject=ab");
    t_assert_str(onward_angle_list_words(list, 0), "");
    t_assert_str(onward_angle_list_item(list, 1), "http:x");
    t_assert_str(onward_angle_list_words(list, 1), "\"<q>\"");
    t_assert_str(onward_angle_list_item(list, 2), "open");
    t_assert_str(onward_angle_list_words(list, 2), "tail");
    t_assert_str(onward_angle_list_item(list, 3), "");
    assert_int_equal(onward_angle_list_notes(list), ONWARD_TEXT_LOOSE);
    onward_angle_list_free(list);
    assert_int_equal(
        onward_angle_list_parse(w.ctx, ONWARD_STR(" NO (closed)"), &list), 0);
    assert_int_equal(onward_angle_list_count(list), 0);
    t_assert_str(onward_angle_list_words(list, 0), "NO");
    onward_angle_list_free(list);
    t_world_clear(&w);
}

static void test_received(void **state)
{
    /* RFC 5321, appendix D.3, with a comment */
    static const char text[] =
        " from bar.com (bar.com [192.0.2.1]\r\n (x)) by foo.com (Postfix)\r\n"
        "\twith ESMTP id 123 for <Jones@XYZ.COM> ; Thu, 21 May 1998"
        " 05:33:29 -0700";
    static const char *const want[] = {
        "",        "bar.com", "bar.com [192.0.2.1]\r\n (x)", "foo.com",
        "Postfix", "",        "ESMTP",                       "123",
        "Jones@XYZ.COM", "Thu, 21 May 1998 05:33:29 -0700"};
    struct t_world w = {0};
    struct onward_received *r = NULL;

    (void)state;
    t_world_init(&w);
    assert_int_equal(onward_received_parse(w.ctx, onward_str_of(text), &r), 0);
    for (int i = ONWARD_RECEIVED_FROM; i <= ONWARD_RECEIVED_DATE; i++)
        t_assert_str(onward_received_part(r, i), want[i]);
    assert_int_equal(onward_received_notes(r), 0);
    onward_received_free(r);
    assert_int_equal(
        onward_received_parse(
            w.ctx, ONWARD_STR("(qmail 1 invoked by uid 2); from a from b by"),
            &r),
        0);
    onward_received_free(r);
    assert_int_equal(
        onward_received_parse(w.ctx, ONWARD_STR("from a from b by (x"), &r), 0);
    t_assert_str(onward_received_part(r, ONWARD_RECEIVED_FROM), "a");
    t_assert_str(onward_received_part(r, 77), "");
    assert_int_equal(onward_received_notes(r),
                     ONWARD_TEXT_LOOSE | ONWARD_TEXT_DUPLICATE);
    onward_received_free(r);
    t_world_clear(&w);
}

/* ---- A090, A082: cost follows the octets ------------------------------- */

static void test_sections(void **state)
{
    struct t_world w = {0};
    struct onward_params *p = NULL;
    struct onward_buf in;

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&in, w.ctx, SIZE_MAX);
    onward_core__buf_add_text(&in, "a/b");
    for (unsigned i = 0; i < 10000; i++) {
        onward_core__buf_add_text(&in, ";n*");
        onward_core__buf_add_u64(&in, i);
        onward_core__buf_add_text(&in, "=x");
    }
    assert_int_equal(
        onward_params_parse(w.ctx, onward_core__buf_str(&in), NULL, &p), 0);
    assert_int_equal(onward_params_count(p), 1);
    assert_int_equal(onward_params_text(p, 0).len, 256);
    assert_int_equal(onward_params_notes(p, SIZE_MAX), ONWARD_TEXT_SECTIONS);
    onward_params_free(p);
    onward_core__buf_clear(&in);

    w.peak_bytes = w.live_bytes;
    assert_int_equal(
        onward_params_parse(w.ctx,
                            ONWARD_STR("a/b; n*0=a; n*0=b; n*1=c; n*4000000000"
                                       "=d; n*9999=e"),
                            NULL, &p),
        0);
    assert_true(w.peak_bytes - w.live_bytes < 8192);
    t_assert_str(onward_params_text(p, 0), "ac");
    assert_int_equal(onward_params_notes(p, 0), ONWARD_TEXT_SECTIONS);
    onward_params_free(p);
    t_world_clear(&w);
}

static void test_many_words(void **state)
{
    struct t_world w = {0};
    struct onward_text *text = NULL;
    struct onward_buf in;

    (void)state;
    t_world_init(&w);
    onward_core__buf_init(&in, w.ctx, SIZE_MAX);
    for (unsigned i = 0; i < 100000; i++)
        onward_core__buf_add_text(&in, "=?");
    for (int place = 1; place <= 4; place++) {
        assert_int_equal(onward_words_decode(w.ctx, onward_core__buf_str(&in),
                                             place, NULL, &text),
                         0);
        assert_int_equal(onward_text_str(text).len, 200000);
        onward_text_free(text);
    }
    onward_core__buf_clear(&in);
    t_world_clear(&w);
}

/* ---- Out of memory ----------------------------------------------------- */

static bool scenario(struct t_world *w, void *arg)
{
    struct onward_text *words = NULL, *name = NULL, *flowed = NULL;
    struct onward_params *params = NULL;
    struct onward_angle_list *list = NULL;
    struct onward_received *received = NULL;
    bool ok;

    (void)arg;
    ok = onward_words_decode(w->ctx,
                             ONWARD_STR("=?big5?b?pKSk5Q==?= =?utf-8?q?a?= x"),
                             ONWARD_WORDS_PHRASE, &with_iconv, &words) == 0 &&
         onward_safe_name(w->ctx, ONWARD_STR("a/b"), &name) == 0 &&
         onward_flowed_decode(w->ctx, ONWARD_STR("a \nb"), 0, &flowed) == 0 &&
         onward_params_parse(w->ctx,
                             ONWARD_STR("a/b; c=d; n*0*=utf-8''%C3; n*1*=%A9; "
                                        "x=\"=?utf-8?q?=C3=A9?=\""),
                             &with_iconv, &params) == 0 &&
         onward_angle_list_parse(w->ctx, ONWARD_STR("a <b> <c>"), &list) ==
             0 &&
         onward_received_parse(w->ctx, ONWARD_STR("from a; b"), &received) ==
             0;
    onward_text_free(words);
    onward_text_free(name);
    onward_text_free(flowed);
    onward_params_free(params);
    onward_angle_list_free(list);
    onward_received_free(received);
    return ok;
}

static void test_memory(void **state)
{
    (void)state;
    t_oom_sweep(scenario, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage),     cmocka_unit_test(test_long_blanks),
        cmocka_unit_test(test_charsets),   cmocka_unit_test(test_texts),
        cmocka_unit_test(test_long_name),  cmocka_unit_test(test_text_limit),
        cmocka_unit_test(test_dates),      cmocka_unit_test(test_angles),
        cmocka_unit_test(test_received),   cmocka_unit_test(test_sections),
        cmocka_unit_test(test_many_words), cmocka_unit_test(test_text_limit),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
