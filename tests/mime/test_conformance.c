/*
 * The vectors for encoded words, parameters and transfer encodings, where they
 * are at hand. The first answer of each is ours, with no other.
 */
#include <onward/mime_text.h>

#include "support/charsets.h"
#include "support/json.h"

static const struct onward_text_opts opts = {.size = sizeof(opts),
                                             .charsets = &t_charsets};

static size_t faults;

static void fault(const struct onward_json *test, struct onward_str got)
{
    struct onward_str id = t_member(test, "id");

    fprintf(stderr, "%.*s: got \"%.*s\"\n", (int)id.len, id.data, (int)got.len,
            got.data);
    faults++;
}

/* ---- Encoded words ----------------------------------------------------- */

static int place_of(struct onward_str context)
{
    if (onward_core__str_eq(context, ONWARD_STR("comment")))
        return ONWARD_WORDS_COMMENT;
    if (onward_core__str_eq(context, ONWARD_STR("phrase")))
        return ONWARD_WORDS_PHRASE;
    return ONWARD_WORDS_UNSTRUCTURED;
}

static void test_words(void **state)
{
    struct t_vectors v = {0};
    size_t cases = 0;

    (void)state;
    faults = 0;
    if (!t_vectors_open(&v, "mime/encoded-words.json"))
        return;
    for (const struct onward_json *t =
             onward_json__get(v.root, "tests")->first;
         t != NULL; t = t->next) {
        struct onward_text *text = NULL;

        assert_int_equal(
            onward_words_decode(v.world.ctx, t_member(t, "input"),
                                place_of(t_member(t, "context")), &opts, &text),
            0);
        if (!onward_core__str_eq(onward_text_str(text),
                                 t_member(t, "decoded")))
            fault(t, onward_text_str(text));
        onward_text_free(text);
        cases++;
    }
    assert_int_equal(cases, 58);
    t_vectors_close(&v);
    assert_int_equal(faults, 0);
}

/* ---- Parameters -------------------------------------------------------- */

static void check_params(const struct onward_json *t,
                         const struct onward_params *params)
{
    const struct onward_json *want = onward_json__get(t, "params");
    size_t count = 0;

    if (!onward_core__str_ieq(onward_params_value(params),
                              t_member(t, "value")))
        fault(t, onward_params_value(params));
    for (const struct onward_json *p = want->first; p != NULL; p = p->next) {
        size_t i = onward_params_find(params, p->key);

        count++;
        if (!onward_core__str_eq(onward_params_text(params, i), p->text))
            fault(t, onward_params_text(params, i));
    }
    if (onward_params_count(params) != count)
        fault(t, ONWARD_STR("another number of parameters"));
}

static void test_params(void **state)
{
    struct t_vectors v = {0};
    size_t cases = 0;

    (void)state;
    faults = 0;
    if (!t_vectors_open(&v, "mime/parameters.json"))
        return;
    for (const struct onward_json *t =
             onward_json__get(v.root, "tests")->first;
         t != NULL; t = t->next) {
        struct onward_params *params = NULL;

        assert_int_equal(onward_params_parse(v.world.ctx, t_member(t, "input"),
                                             &opts, &params),
                         0);
        check_params(t, params);
        onward_params_free(params);
        cases++;
    }
    assert_int_equal(cases, 42);
    t_vectors_close(&v);
    assert_int_equal(faults, 0);
}

/* ---- Transfer encodings ------------------------------------------------ */

/* Decode in pieces of step octets, with an output no larger than must be. */
static void decode(struct onward_ctx *ctx, int encoding, struct onward_str in,
                   size_t step, struct onward_buf *out)
{
    struct onward_decoder *d = NULL;
    unsigned char room[ONWARD_TEXT_ROOM];
    size_t put;

    assert_int_equal(onward_decoder_new(ctx, encoding, &d), 0);
    for (size_t at = 0; at < in.len;) {
        size_t len = in.len - at < step ? in.len - at : step, taken;

        assert_int_equal(onward_decoder_feed(d, in.data + at, len, &taken, room,
                                             sizeof(room), &put),
                         0);
        assert_true(taken > 0 || put > 0);
        onward_core__buf_add(out, room, put);
        at += taken;
    }
    assert_int_equal(onward_decoder_finish(d, room, sizeof(room), &put), 0);
    onward_core__buf_add(out, room, put);
    onward_decoder_free(d);
}

static void check_codec(struct t_vectors *v, const struct onward_json *t,
                        size_t step)
{
    struct onward_buf in, out, hex;

    onward_core__buf_init(&in, v->world.ctx, 1 << 20);
    onward_core__buf_init(&out, v->world.ctx, 1 << 20);
    onward_core__buf_init(&hex, v->world.ctx, 1 << 20);
    t_add_octets(&in, t_member(t, "encoded"));
    decode(v->world.ctx, onward_encoding_of(t_member(t, "codec")),
           onward_core__buf_str(&in), step, &out);
    for (size_t i = 0; i < out.len; i++) {
        char text[3];

        snprintf(text, sizeof(text), "%02x", out.data[i]);
        onward_core__buf_add_text(&hex, text);
    }
    if (!onward_core__str_eq(onward_core__buf_str(&hex),
                             t_member(t, "decoded_hex")))
        fault(t, onward_core__buf_str(&hex));
    onward_core__buf_clear(&in);
    onward_core__buf_clear(&out);
    onward_core__buf_clear(&hex);
}

static void test_codecs(void **state)
{
    struct t_vectors v = {0};
    size_t cases = 0;

    (void)state;
    faults = 0;
    if (!t_vectors_open(&v, "mime/codecs.json"))
        return;
    for (const struct onward_json *t =
             onward_json__get(v.root, "tests")->first;
         t != NULL; t = t->next, cases++) {
        check_codec(&v, t, SIZE_MAX);
        for (size_t step = 1; step < 8; step++)
            check_codec(&v, t, step);
    }
    assert_int_equal(cases, 35);
    t_vectors_close(&v);
    assert_int_equal(faults, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_codecs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
