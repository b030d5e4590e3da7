#include "support/support.h"

static const struct text_row {
    const char *name;
    const char *in;
    const char *want; /* as written back; NULL: refused */
    bool is_public;
} text_rows[] = {
    {"dotted quad", "192.0.2.1", "192.0.2.1", false},
    {"public quad", "8.8.4.4", "8.8.4.4", true},
    {"all ones", "255.255.255.255", "255.255.255.255", false},
    {"this host", "0.0.0.0", "0.0.0.0", false},
    {"loopback", "127.9.9.9", "127.9.9.9", false},
    {"just below private 10", "9.255.255.255", "9.255.255.255", true},
    {"private 10", "10.1.2.3", "10.1.2.3", false},
    {"carrier shared", "100.64.0.1", "100.64.0.1", false},
    {"past carrier shared", "100.128.0.1", "100.128.0.1", true},
    {"link-local", "169.254.169.254", "169.254.169.254", false},
    {"private 172", "172.31.255.255", "172.31.255.255", false},
    {"past private 172", "172.32.0.0", "172.32.0.0", true},
    {"private 192.168", "192.168.0.1", "192.168.0.1", false},
    {"benchmark", "198.19.0.1", "198.19.0.1", false},
    {"multicast", "224.0.0.1", "224.0.0.1", false},
    {"reserved", "240.0.0.1", "240.0.0.1", false},
    {"three parts", "1.2.3", NULL, false},
    {"five parts", "1.2.3.4.5", NULL, false},
    {"256", "1.2.3.256", NULL, false},
    {"leading zero", "1.2.3.04", NULL, false},
    {"empty part", "1..3.4", NULL, false},
    {"sign", "+1.2.3.4", NULL, false},
    {"blank", "1.2.3.4 ", NULL, false},
    {"empty", "", NULL, false},
    {"only dots", "...", NULL, false},
    /* RFC 4291 section 2.2 */
    {"rfc4291 full", "ABCD:EF01:2345:6789:ABCD:EF01:2345:6789",
     "abcd:ef01:2345:6789:abcd:ef01:2345:6789", false},
    {"rfc4291 zeros", "2001:DB8:0:0:8:800:200C:417A",
     "2001:db8::8:800:200c:417a", false},
    {"rfc4291 multicast", "FF01::101", "ff01::101", false},
    {"rfc4291 loopback", "::1", "::1", false},
    {"rfc4291 unspecified", "::", "::", false},
    {"rfc4291 quad", "0:0:0:0:0:0:13.1.68.3", "::d01:4403", false},
    {"rfc4291 mapped", "::FFFF:129.144.52.38", "::ffff:129.144.52.38", true},
    {"mapped private", "::ffff:10.0.0.1", "::ffff:10.0.0.1", false},
    /* RFC 5952 section 4 */
    {"rfc5952 one zero group stays", "2001:db8:0:1:1:1:1:1",
     "2001:db8:0:1:1:1:1:1", false},
    {"rfc5952 longest run", "2001:0:0:1:0:0:0:1", "2001:0:0:1::1", false},
    {"rfc5952 first of equal runs", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1",
     false},
    {"leading zeros", "2a00:0001:0002:0003:0004:0005:0006:0007",
     "2a00:1:2:3:4:5:6:7", true},
    {"double colon for one group", "2a00:1:2:3:4:5:6::", "2a00:1:2:3:4:5:6:0",
     true},
    {"tail of zeros", "2a00::", "2a00::", true},
    {"6to4 of a public address", "2002:808:404::1", "2002:808:404::1", true},
    {"6to4 of loopback", "2002:7f00:1::1", "2002:7f00:1::1", false},
    {"nat64 of a private address", "64:ff9b::a00:1", "64:ff9b::a00:1", false},
    {"nat64 of a public address", "64:ff9b::808:404", "64:ff9b::808:404", true},
    {"local nat64", "64:ff9b:1::808:404", "64:ff9b:1::808:404", false},
    {"teredo", "2001:0:1::1", "2001:0:1::1", false},
    {"link-local 6", "fe80::1", "fe80::1", false},
    {"unique local", "fd00::1", "fd00::1", false},
    {"compatible", "::8.8.4.4", "::808:404", false},
    {"documentation 3fff", "3fff:fff::1", "3fff:fff::1", false},
    {"nine groups", "1:2:3:4:5:6:7:8:9", NULL, false},
    {"eight groups and a gap", "1:2:3:4:5:6:7:8::", NULL, false},
    {"eight groups with a gap inside", "1:2:3:4::5:6:7:8", NULL, false},
    {"seven groups", "1:2:3:4:5:6:7", NULL, false},
    {"two gaps", "1::2::3", NULL, false},
    {"three colons", ":::", NULL, false},
    {"one colon", ":", NULL, false},
    {"leading colon", ":1:2:3:4:5:6:7", NULL, false},
    {"trailing colon", "1:2:3:4:5:6:7:", NULL, false},
    {"five digits", "12345::", NULL, false},
    {"no hex", "g::", NULL, false},
    {"zone", "fe80::1%eth0", NULL, false},
    {"prefix", "2001:db8::/32", NULL, false},
    {"brackets", "[::1]", NULL, false},
    {"quad not at the end", "::1.2.3.4:5", NULL, false},
    {"quad too late", "1:2:3:4:5:6:7:1.2.3.4", NULL, false},
    {"bad quad", "::ffff:1.2.3.256", NULL, false},
};

static void test_text_row(void **state)
{
    const struct text_row *row = *state;
    struct onward_ip ip = {.family = 99}, again;
    char text[ONWARD_IP_TEXT_MAX];
    int len;

    if (row->want == NULL) {
        assert_int_equal(onward_ip_parse(onward_str_of(row->in), &ip),
                         ONWARD_ESYNTAX);
        assert_int_equal(ip.family, 99);
        return;
    }
    assert_int_equal(onward_ip_parse(onward_str_of(row->in), &ip), 0);
    len = onward_ip_format(&ip, text, sizeof(text));
    assert_int_equal(len, strlen(row->want));
    assert_string_equal(text, row->want);
    assert_int_equal(onward_ip_parse(onward_str_of(text), &again), 0);
    assert_memory_equal(&ip, &again, sizeof(ip));
    assert_int_equal(onward_ip_is_public(&ip), row->is_public);
}

static void test_format_says_what_it_cannot(void **state)
{
    struct onward_ip none = {0}, ip;
    char text[ONWARD_IP_TEXT_MAX] = "kept";

    (void)state;
    assert_int_equal(onward_ip_format(&none, text, sizeof(text)),
                     ONWARD_EINVAL);
    assert_int_equal(onward_ip_is_public(&none), 0);
    assert_int_equal(onward_ip_parse(ONWARD_STR("1.2.3.4"), &ip), 0);
    assert_int_equal(onward_ip_format(&ip, text, 7), ONWARD_ELIMIT);
    assert_string_equal(text, "kept");
    assert_int_equal(onward_ip_format(&ip, text, 8), 7);
    /* The longest text there is. */
    memset(&ip, 0xff, sizeof(ip));
    ip.family = 6;
    assert_int_equal(onward_ip_format(&ip, text, sizeof(text)), 39);
}

static void test_nul_inside_is_refused(void **state)
{
    struct onward_ip ip;

    (void)state;
    assert_int_equal(onward_ip_parse(ONWARD_STR("1.2.3.4\0"), &ip),
                     ONWARD_ESYNTAX);
    assert_int_equal(onward_ip_parse(ONWARD_STR("::1\0"), &ip), ONWARD_ESYNTAX);
}

int main(void)
{
    enum { ROWS = sizeof(text_rows) / sizeof(text_rows[0]) };
    struct CMUnitTest tests[ROWS + 2];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = text_rows[i].name,
                                       .test_func = test_text_row,
                                       .initial_state = (void *)&text_rows[i]};
    tests[ROWS] =
        (struct CMUnitTest)cmocka_unit_test(test_format_says_what_it_cannot);
    tests[ROWS + 1] =
        (struct CMUnitTest)cmocka_unit_test(test_nul_inside_is_refused);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
