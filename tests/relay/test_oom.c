/* One whole forward, with each of its allocations failing once, and with all
 * after it: verified, routed, sealed, delivered, entered in the ledger. */
#include "relay/post.h"

struct wish {
    const char *to, *top; /* what then stands on top */
    const struct onward_dkim_signer_opts *dkim;
};

/* The message as it comes: signed results are not needed, SPF passes. */
static bool forward(struct t_world *w, void *arg)
{
    const struct wish *wish = arg;
    struct t_post x;
    bool is_through = false;

    if (t_post_open_in(&x, w)) {
        x.answers[0] = x.answers[1] = x.answers[2] = "250 2.0.0 OK";
        x.dkim = wish->dkim;
        if (t_post_mail(&x, "ann@a.example") == 0 &&
            t_post_rcpt(&x, wish->to) == 1 &&
            t_post_data(&x, t_post_plain) == 0) {
            const char *reply = t_post_reply(&x);

            /* Never 2yz with anything left, never a failure for good. */
            assert_int_equal(x.done, 1);
            assert_true(reply[0] == '2' || reply[0] == '4');
            is_through = reply[0] == '2';
            for (size_t i = 0; is_through && i < x.asked_count; i++)
                assert_non_null(strstr(t_post_fate(&x, i), " delivered"));
            if (is_through) {
                const char *sent = t_post_sent(&x);
                size_t sent_len = strlen(sent), len = strlen(t_post_plain);

                assert_int_equal(x.asked_count,
                                 onward_relay_delivery_count(x.relay));
                assert_memory_equal(sent, wish->top, strlen(wish->top));
                assert_string_equal(sent + sent_len - len, t_post_plain);
            }
        }
    }
    t_post_close(&x);
    return is_through;
}

static void test_one_destination(void **state)
{
    struct wish wish = {"me@example.com", "ARC-Seal: ", NULL};

    (void)state;
    t_oom_sweep(forward, &wish);
}

static void test_three_destinations(void **state)
{
    struct wish wish = {"all@example.com", "ARC-Seal: ", NULL};

    (void)state;
    t_oom_sweep(forward, &wish);
}

static void test_signed(void **state)
{
    const struct onward_dkim_signer_opts o = {.size = sizeof(o),
                                              .domain =
                                                  ONWARD_STR("example.com"),
                                              .selector = ONWARD_STR("s")};
    struct wish wish = {"me@example.com", "DKIM-Signature: ", &o};

    (void)state;
    t_oom_sweep(forward, &wish);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_destination),
        cmocka_unit_test(test_three_destinations),
        cmocka_unit_test(test_signed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
