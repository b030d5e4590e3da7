/* What one process found, taken up by another. */
#include <onward/arc.h>

#include "support/support.h"

static const char hash[] = "0123456789abcdef0123456789ABCDEF";

static struct onward_arc_sealer_opts facts(void)
{
    struct onward_arc_sealer_opts o = {.size = sizeof(o),
                                       .chain_result = ONWARD_ARC_PASS,
                                       .chain_instances = 3};

    o.authserv_id = ONWARD_STR("mx.b.example");
    o.results = ONWARD_STR("spf=pass smtp.mailfrom=a.example;\r\n arc=pass");
    o.body_hash = (struct onward_str){hash, 32};
    return o;
}

static void test_it_comes_back(void **state)
{
    struct onward_arc_sealer_opts got = {
        .size = sizeof(got), .domain = ONWARD_STR("kept"), .time_s = 7};
    struct onward_arc_sealer_opts o = facts();
    char out[200];
    int len = onward_arc_state_write(&o, out, sizeof(out));

    (void)state;
    assert_true(len > 0);
    assert_int_equal(
        onward_arc_state_read((struct onward_str){out, (size_t)len}, &got), 0);
    assert_int_equal(got.chain_result, ONWARD_ARC_PASS);
    assert_int_equal(got.chain_instances, 3);
    t_assert_str(got.authserv_id, "mx.b.example");
    t_assert_str(got.results, "spf=pass smtp.mailfrom=a.example;\r\n arc=pass");
    t_assert_str(got.body_hash, hash);
    t_assert_str(got.domain, "kept");
    assert_int_equal(got.time_s, 7);
}

static void test_with_nothing_in_it(void **state)
{
    struct onward_arc_sealer_opts got = {.size = sizeof(got)};
    struct onward_arc_sealer_opts o = facts();
    char out[200];
    int len;

    (void)state;
    o.chain_result = ONWARD_ARC_NONE;
    o.chain_instances = 0;
    o.results.len = o.body_hash.len = 0;
    len = onward_arc_state_write(&o, out, sizeof(out));
    assert_true(len > 0);
    assert_int_equal(onward_arc_state_write(&o, out, (size_t)len - 1),
                     ONWARD_ELIMIT);
    assert_int_equal(onward_arc_state_write(&o, out, (size_t)len), len);
    assert_int_equal(
        onward_arc_state_read((struct onward_str){out, (size_t)len}, &got), 0);
    assert_int_equal(got.chain_result, ONWARD_ARC_NONE);
    assert_int_equal(got.results.len, 0);
    assert_int_equal(got.body_hash.len, 0);
}

/* Each cut, and each octet too many, is seen. */
static void test_hostile_octets(void **state)
{
    struct onward_arc_sealer_opts got = {.size = sizeof(got)};
    struct onward_arc_sealer_opts o = facts();
    char out[200];
    int len = onward_arc_state_write(&o, out, sizeof(out) - 1);
    struct onward_str whole = {out, (size_t)len};

    (void)state;
    assert_true(len > 0);
    for (size_t n = 0; n < whole.len; n++)
        assert_int_equal(
            onward_arc_state_read((struct onward_str){out, n}, &got),
            ONWARD_ESYNTAX);
    out[len] = 0;
    assert_int_equal(
        onward_arc_state_read((struct onward_str){out, whole.len + 1}, &got),
        ONWARD_ESYNTAX);
    out[0] = 'o';
    assert_int_equal(onward_arc_state_read(whole, &got), ONWARD_ESYNTAX);
    out[0] = 'O';
    out[4] = 2;
    assert_int_equal(onward_arc_state_read(whole, &got), ONWARD_EVERSION);
    out[4] = 1;
    /* A chain that cannot be: pending, none with sets, pass without, 51. */
    out[5] = ONWARD_ARC_PENDING;
    assert_int_equal(onward_arc_state_read(whole, &got), ONWARD_ESYNTAX);
    out[5] = 4;
    assert_int_equal(onward_arc_state_read(whole, &got), ONWARD_ESYNTAX);
    out[5] = ONWARD_ARC_NONE;
    assert_int_equal(onward_arc_state_read(whole, &got), ONWARD_ESYNTAX);
    out[5] = ONWARD_ARC_PASS;
    out[6] = 0;
    assert_int_equal(onward_arc_state_read(whole, &got), ONWARD_ESYNTAX);
    out[6] = 51;
    assert_int_equal(onward_arc_state_read(whole, &got), ONWARD_ESYNTAX);
    out[6] = 3;
    out[7] = 31;
    assert_int_equal(onward_arc_state_read(whole, &got), ONWARD_ESYNTAX);
    out[7] = 32;
    out[8] = (char)0xff;
    assert_int_equal(onward_arc_state_read(whole, &got), ONWARD_ESYNTAX);
    assert_int_equal(got.chain_instances, 0); /* untouched */
    out[8] = 0;
    assert_int_equal(onward_arc_state_read(whole, &got), 0);
}

static void test_bad_calls(void **state)
{
    static char big[65536];
    struct onward_arc_sealer_opts o[6] = {facts(), facts(), facts(),
                                          facts(), facts(), facts()};
    struct onward_arc_sealer_opts small = {.size = sizeof(small) - 1};
    char out[400];

    (void)state;
    o[0].chain_result = ONWARD_ARC_PENDING;
    o[1].chain_instances = 0;
    o[2].authserv_id.len = 0;
    o[3].body_hash.len = 31;
    o[4].chain_instances = 51;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(onward_arc_state_write(&o[i], out, sizeof(out)),
                         ONWARD_EINVAL);
    o[5].results = (struct onward_str){big, sizeof(big)};
    assert_int_equal(onward_arc_state_write(&o[5], out, sizeof(out)),
                     ONWARD_ELIMIT);
    assert_int_equal(onward_arc_state_write(NULL, out, sizeof(out)),
                     ONWARD_EINVAL);
    assert_int_equal(onward_arc_state_write(&o[5], NULL, 0), ONWARD_EINVAL);
    assert_int_equal(onward_arc_state_read(ONWARD_STR("x"), &small),
                     ONWARD_EINVAL);
    assert_int_equal(onward_arc_state_read(ONWARD_STR("x"), NULL),
                     ONWARD_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_comes_back),
        cmocka_unit_test(test_with_nothing_in_it),
        cmocka_unit_test(test_hostile_octets),
        cmocka_unit_test(test_bad_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
