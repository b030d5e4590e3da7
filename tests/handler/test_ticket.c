/* Tickets for a reply later. */
#include <onward/dmarc.h>
#include <onward/handler.h>

#include "support/support.h"

#define REPLY                                                                  \
    "From: robot@example.com\r\nMessage-ID: <two@example.com>\r\n"             \
    "In-Reply-To: <one@a.example>\r\n"

struct bench {
    struct t_world w;
    struct onward_token_minter *minter;
    char text[ONWARD_TICKET_TEXT_MAX];
    int len;
};

static void open_bench(struct bench *b)
{
    const struct onward_str secret = ONWARD_STR("0123456789abcdef");

    t_world_init(&b->w);
    assert_int_equal(onward_token_minter_new(b->w.ctx, &secret, 1, &b->minter),
                     0);
    b->len = onward_ticket_mint(b->minter, ONWARD_STR("one@a.example"),
                                ONWARD_STR("ann@a.example"),
                                ONWARD_STR("me@example.com"), b->w.now_s + 100,
                                b->text, sizeof(b->text));
    assert_true(b->len > 0);
}

static void close_bench(struct bench *b)
{
    onward_token_minter_free(b->minter);
    t_world_clear(&b->w);
}

static int open_ticket(struct bench *b, struct onward_str text,
                       struct onward_ticket **ticket)
{
    struct onward_refusal why = {.size = sizeof(why)};
    int ret = onward_ticket_open(b->w.ctx, b->minter, text, ticket, &why);

    return ret == 0 ? (int)why.code : ret == 1 ? 0 : ret;
}

static int reply(struct bench *b, const struct onward_ticket *ticket,
                 const char *lines, const char *to, size_t is_answered)
{
    struct onward_refusal why = {.size = sizeof(why)};
    struct onward_header *h = NULL;
    struct onward_reply_question q = {.size = sizeof(q),
                                      .ticket = ticket,
                                      .is_answered = is_answered,
                                      .reply_from =
                                          ONWARD_STR("robot@example.com"),
                                      .reply_to = onward_str_of(to)};
    size_t taken;
    int ret;

    assert_int_equal(onward_header_new(b->w.ctx, &h), 0);
    assert_true(onward_header_feed(h, lines, strlen(lines), &taken) >= 0);
    assert_int_equal(onward_header_finish(h), 0);
    q.reply = h;
    ret = onward_reply_check(&q, &why);
    onward_header_free(h);
    return ret == 1 ? 0 : (int)why.code;
}

static void test_a_reply_by_ticket(void **state)
{
    struct onward_ticket *t = NULL;
    struct bench b;

    (void)state;
    open_bench(&b);
    assert_int_equal(open_ticket(&b, onward_str_of(b.text), &t), 0);
    assert_int_equal(reply(&b, t, REPLY, "ann@a.example", 0), 0);
    assert_int_equal(reply(&b, t, REPLY "References: <one@a.example>\r\n",
                           "ann@a.example", 0),
                     0);
    assert_int_equal(
        reply(&b, t, REPLY "References: <x@a.example>\r\n", "ann@a.example", 0),
        ONWARD_REFUSAL_REPLY_REFERENCES);
    assert_int_equal(reply(&b, t, REPLY, "eve@a.example", 0),
                     ONWARD_REFUSAL_REPLY_RECIPIENT);
    assert_int_equal(reply(&b, t, REPLY, "ann@a.example", 1),
                     ONWARD_REFUSAL_REPLY_TWICE);
    assert_int_equal(reply(&b, t, "From: robot@example.com\r\n", "a@b", 0),
                     ONWARD_REFUSAL_NO_MESSAGE_ID);
    /* It ends while it is open, too. */
    b.w.now_s += 100;
    assert_int_equal(reply(&b, t, REPLY, "ann@a.example", 0),
                     ONWARD_REFUSAL_TICKET_EXPIRED);
    onward_ticket_free(t);
    t = NULL;
    b.w.now_s += 1; /* the token is good until then */
    assert_int_equal(open_ticket(&b, onward_str_of(b.text), &t),
                     ONWARD_REFUSAL_TICKET_EXPIRED);
    assert_null(t);
    close_bench(&b);
}

/* Each octet changed, each cut, and what was minted for something else. */
static void test_hostile_tickets(void **state)
{
    const struct onward_token_opts other = {
        .size = sizeof(other), .purpose = ONWARD_STR("something else")};
    const struct onward_token_opts same = {
        .size = sizeof(same), .purpose = ONWARD_STR("onward reply ticket")};
    static const struct {
        const char *payload;
        size_t len;
    } payloads[] = {
        {"", 0},
        {"rtkt\1\0\0", 7},
        {"rtkt\2\0\0\0\1\0a\1\0b\1\0c", 17},
        {"rtkx\1\0\0\0\1\0a\1\0b\1\0c", 17},
        {"rtkt\1\0\0\0\1\0a\1\0b\2\0c", 17},
        {"rtkt\1\0\0\0\1\0a\1\0b\0\0", 16},
        {"rtkt\1\0\0\0\1\0a\1\0b\1\0cx", 18},
        {"rtkt\1\0\0\0\377\377a\1\0b\1\0c", 17},
    };
    struct onward_ticket *t = NULL;
    char forged[ONWARD_TOKEN_TEXT_MAX];
    struct bench b;
    int len;

    (void)state;
    open_bench(&b);
    for (int i = 0; i < b.len; i++) {
        char was = b.text[i];

        b.text[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(open_ticket(&b, onward_str_of(b.text), &t),
                         ONWARD_REFUSAL_TICKET_INVALID);
        b.text[i] = was;
        assert_int_equal(
            open_ticket(&b, (struct onward_str){b.text, (size_t)i}, &t),
            ONWARD_REFUSAL_TICKET_INVALID);
    }
    assert_true(onward_token_mint(b.minter, &other, ONWARD_STR("x"),
                                  b.w.now_s + 9, forged, sizeof(forged)) > 0);
    assert_int_equal(open_ticket(&b, onward_str_of(forged), &t),
                     ONWARD_REFUSAL_TICKET_INVALID);
    /* Signed by us, with something else in it. */
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        len = onward_token_mint(
            b.minter, &same,
            (struct onward_str){payloads[i].payload, payloads[i].len},
            b.w.now_s + 9, forged, sizeof(forged));
        assert_true(len > 0);
        assert_int_equal(open_ticket(&b, onward_str_of(forged), &t),
                         ONWARD_REFUSAL_TICKET_INVALID);
    }
    /* One that never ends is none of ours. */
    assert_true(onward_token_mint(
                    b.minter, &same,
                    (struct onward_str){"rtkt\1\0\0\0\1\0a\1\0b\1\0c", 17}, 0,
                    forged, sizeof(forged)) > 0);
    assert_int_equal(open_ticket(&b, onward_str_of(forged), &t),
                     ONWARD_REFUSAL_TICKET_INVALID);
    assert_null(t);
    close_bench(&b);
}

static void test_contract(void **state)
{
    const struct onward_str a = ONWARD_STR("a@b"), none = {0};
    static char long_id[902];
    struct onward_ticket *t = NULL;
    char out[ONWARD_TICKET_TEXT_MAX], key[ONWARD_TICKET_KEY_MAX];
    struct bench b;

    (void)state;
    open_bench(&b);
    memset(long_id, 'a', 901);
    assert_int_equal(onward_ticket_mint(NULL, a, a, a, 1, out, sizeof(out)),
                     ONWARD_EINVAL);
    assert_int_equal(
        onward_ticket_mint(b.minter, none, a, a, 1, out, sizeof(out)),
        ONWARD_EINVAL);
    assert_int_equal(onward_ticket_mint(b.minter, a, a, a, 0, out, sizeof(out)),
                     ONWARD_EINVAL);
    assert_int_equal(onward_ticket_mint(b.minter, a, a, a, 1, out, 100),
                     ONWARD_EINVAL);
    assert_int_equal(onward_ticket_mint(b.minter, onward_str_of(long_id), a, a,
                                        1, out, sizeof(out)),
                     ONWARD_ELIMIT);
    assert_int_equal(onward_ticket_mint(b.minter, a, onward_str_of(long_id), a,
                                        1, out, sizeof(out)),
                     ONWARD_ELIMIT);
    long_id[900] = '\0';
    assert_true(onward_ticket_mint(b.minter, onward_str_of(long_id), a, a, 9,
                                   out, sizeof(out)) > 0);
    assert_int_equal(onward_ticket_open(NULL, b.minter, a, &t, NULL),
                     ONWARD_EINVAL);
    assert_int_equal(onward_ticket_open(b.w.ctx, NULL, a, &t, NULL),
                     ONWARD_EINVAL);
    assert_int_equal(open_ticket(&b, onward_str_of(b.text), &t), 0);
    assert_int_equal(onward_ticket_key(t, key, 10), ONWARD_EINVAL);
    onward_ticket_free(t);
    onward_ticket_free(NULL);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reply_by_ticket),
        cmocka_unit_test(test_hostile_tickets),
        cmocka_unit_test(test_contract),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
