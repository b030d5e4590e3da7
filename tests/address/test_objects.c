#include "support/support.h"

#include <onward/address.h>

static void test_mailbox(void **state)
{
    struct onward_mailbox *a = NULL, *b = NULL, *c = NULL;
    struct onward_ip ip = {.family = 99};
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_mailbox_parse(w.ctx, ONWARD_STR("\"A@b\"@Example.COM"), 0, &a),
        0);
    t_assert_str(onward_mailbox_local_part(a), "A@b");
    t_assert_str(onward_mailbox_domain(a), "Example.COM");
    t_assert_str(onward_mailbox_domain_ascii(a), "example.com");
    t_assert_str(onward_mailbox_text(a), "\"A@b\"@Example.COM");
    assert_int_equal(onward_mailbox_is_utf8(a), 0);
    assert_int_equal(onward_mailbox_literal(a, &ip), 0);
    assert_int_equal(ip.family, 99);

    assert_int_equal(
        onward_mailbox_parse(w.ctx, ONWARD_STR("\"a@b\"@example.com"), 0, &b),
        0);
    assert_int_equal(onward_mailbox_equal(a, b, 0), 0);
    assert_int_equal(onward_mailbox_equal(a, b, ONWARD_MAILBOX_FOLD_LOCAL), 1);
    onward_mailbox_free(b);

    assert_int_equal(
        onward_mailbox_parse(w.ctx, ONWARD_STR("a@[192.0.2.7]"), 0, &c), 0);
    assert_int_equal(onward_mailbox_literal(c, &ip), 1);
    assert_int_equal(ip.octets[3], 7);
    t_assert_str(onward_mailbox_domain_ascii(c), "");
    onward_mailbox_free(c);
    onward_mailbox_free(NULL);

    /* The context may go first. */
    onward_ctx_free(w.ctx);
    w.ctx = NULL;
    onward_mailbox_free(a);
    t_world_clear(&w);
}

/* RFC 6531 and RFC 5891: both spellings of a domain are one mailbox, a local
 * part is compared as its octets. */
static void test_two_spellings(void **state)
{
    struct onward_mailbox *u = NULL, *a = NULL, *other = NULL;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_mailbox_parse(w.ctx, ONWARD_STR("j\xc3\xb6@B\xc3\xbc"
                                               "cher.example"),
                             ONWARD_MAILBOX_ALLOW_UTF8, &u),
        0);
    assert_int_equal(
        onward_mailbox_parse(w.ctx,
                             ONWARD_STR("j\xc3\xb6@xn--bcher-kva.EXAMPLE"),
                             ONWARD_MAILBOX_ALLOW_UTF8, &a),
        0);
    assert_int_equal(
        onward_mailbox_parse(w.ctx, ONWARD_STR("jo@xn--bcher-kva.example"), 0,
                             &other),
        0);
    t_assert_str(onward_mailbox_domain_ascii(u), "xn--bcher-kva.example");
    t_assert_str(onward_mailbox_domain_unicode(u), "b\xc3\xbc" "cher.example");
    t_assert_str(onward_mailbox_domain_unicode(a), "b\xc3\xbc" "cher.example");
    assert_int_equal(onward_mailbox_equal(u, a, 0), 1);
    assert_int_equal(onward_mailbox_equal(u, other, 0), 0);
    onward_mailbox_free(u);
    onward_mailbox_free(a);
    onward_mailbox_free(other);
    t_world_clear(&w);
}

static void test_mailbox_errors(void **state)
{
    struct onward_mailbox *m = NULL;
    char longer[400];
    struct t_world w;

    (void)state;
    memset(longer, 'a', sizeof(longer));
    t_world_init(&w);
    assert_int_equal(
        onward_mailbox_parse(w.ctx, ONWARD_STR("<a@b.example>"), 0, &m),
        ONWARD_ESYNTAX);
    assert_int_equal(
        onward_mailbox_parse(w.ctx, ONWARD_STR("a@b.example "), 0, &m),
        ONWARD_ESYNTAX);
    assert_int_equal(onward_mailbox_parse(w.ctx, ONWARD_STR(""), 0, &m),
                     ONWARD_ESYNTAX);
    assert_int_equal(
        onward_mailbox_parse(w.ctx, ONWARD_STR("postmaster"), 0, &m),
        ONWARD_ESYNTAX);
    assert_int_equal(
        onward_mailbox_parse(w.ctx, (struct onward_str){longer, sizeof(longer)},
                             0, &m),
        ONWARD_ELIMIT);
    assert_int_equal(
        onward_mailbox_parse(w.ctx, ONWARD_STR("\xc3\xb8@b.example"), 0, &m),
        ONWARD_ESYNTAX);
    assert_null(m);
    assert_int_equal(onward_mailbox_parse(w.ctx,
                                          ONWARD_STR("\xc3\xb8@b.example"),
                                          ONWARD_MAILBOX_ALLOW_UTF8, &m),
                     0);
    assert_int_equal(onward_mailbox_is_utf8(m), 1);
    onward_mailbox_free(m);
    t_world_clear(&w);
}

static void test_list(void **state)
{
    struct onward_address_list *list = NULL;
    size_t offset = 4711;
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_address_list_parse(
            w.ctx, ONWARD_STR("Friends: \"J. Doe\" <j@x.test>; , k@y.test"),
            NULL, &list),
        0);
    assert_null(onward_address_list_fault(list, &offset));
    assert_int_equal(offset, 4711);
    assert_int_equal(onward_address_list_count(list), 2);
    t_assert_str(onward_address_list_group(list, 0), "Friends");
    t_assert_str(onward_address_list_display_name(list, 0), "\"J. Doe\"");
    t_assert_str(onward_mailbox_text(onward_address_list_mailbox(list, 0)),
                 "j@x.test");
    t_assert_str(onward_address_list_group(list, 1), "");
    t_assert_str(onward_address_list_display_name(list, 1), "");
    t_assert_str(onward_mailbox_text(onward_address_list_mailbox(list, 1)),
                 "k@y.test");
    assert_null(onward_address_list_mailbox(list, 2));
    t_assert_str(onward_address_list_display_name(list, 2), "");
    t_assert_str(onward_address_list_group(list, 2), "");
    onward_address_list_free(list);
    onward_address_list_free(NULL);

    assert_int_equal(onward_address_list_parse(w.ctx, ONWARD_STR("j@x.test, k"),
                                               NULL, &list),
                     0);
    assert_string_equal(onward_address_list_fault(list, &offset),
                        "text without an address");
    assert_int_equal(offset, 10);
    assert_int_equal(onward_address_list_count(list), 0);
    onward_address_list_free(list);
    t_world_clear(&w);
}

static void test_list_errors(void **state)
{
    struct onward_address_list_opts opts = {.size = sizeof(opts),
                                            .max_mailboxes = 1};
    struct onward_address_list *list = NULL;
    size_t later[3] = {sizeof(later), 0, 1};
    struct t_world w;

    (void)state;
    t_world_init(&w);
    assert_int_equal(
        onward_address_list_parse(w.ctx, ONWARD_STR("a@x.test"), &opts, &list),
        0);
    onward_address_list_free(list);
    list = NULL;
    assert_int_equal(onward_address_list_parse(
                         w.ctx, ONWARD_STR("a@x.test,b@x.test"), &opts, &list),
                     ONWARD_ELIMIT);
    assert_int_equal(onward_address_list_parse(w.ctx, ONWARD_STR("a@x.test"),
                                               (const void *)later, &list),
                     ONWARD_EVERSION);
    opts.size = 1;
    assert_int_equal(
        onward_address_list_parse(w.ctx, ONWARD_STR("a@x.test"), &opts, &list),
        ONWARD_EINVAL);
    assert_null(list);
    t_world_clear(&w);
}

static bool make_both(struct t_world *w, void *arg)
{
    struct onward_address_list *list = NULL;
    struct onward_mailbox *mailbox = NULL;
    int ret;

    (void)arg;
    ret = onward_mailbox_parse(w->ctx, ONWARD_STR("\"a b\"@example.com"), 0,
                               &mailbox);
    assert_true(ret == 0 || ret == ONWARD_ENOMEM);
    if (ret == 0)
        ret = onward_address_list_parse(
            w->ctx, ONWARD_STR("g: \"a\".b @ c.test; , d@e.test"), NULL, &list);
    assert_true(ret == 0 || ret == ONWARD_ENOMEM);
    onward_mailbox_free(mailbox);
    onward_address_list_free(list);
    return ret == 0;
}

static void test_no_memory(void **state)
{
    (void)state;
    t_oom_sweep(make_both, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mailbox),
        cmocka_unit_test(test_two_spellings),   cmocka_unit_test(test_mailbox_errors),
        cmocka_unit_test(test_list),      cmocka_unit_test(test_list_errors),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
