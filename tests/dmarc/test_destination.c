/* Where reports may go: the receiver's consent (RFC 9990 section 4). */
#include <onward/dmarc.h>

#include "support/support.h"

#define GIVEN ONWARD_DMARC_CONSENT_GIVEN
#define REFUSED ONWARD_DMARC_CONSENT_NONE
#define TEMPERROR ONWARD_DMARC_CONSENT_TEMPERROR

struct world {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    int done;
    bool frees;
};

static void begin(struct world *x, const char *zone)
{
    const struct onward_resolver_opts o = {.size = sizeof(o),
                                           .allow_only_loaded = 1};

    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    assert_int_equal(onward_desk_new(x->w.ctx, NULL, &x->desk), 0);
    assert_int_equal(onward_resolver_new(x->desk, &o, NULL, &x->resolver), 0);
    assert_int_equal(
        onward_resolver_load(x->resolver, onward_str_of(zone), NULL), 0);
}

static void end(struct world *x)
{
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    t_world_clear(&x->w);
}

static void count_done(void *user, struct onward_dmarc_destination *d)
{
    struct world *x = user;

    x->done++;
    if (x->frees)
        onward_dmarc_destination_free(d);
}

/* RFC 9990 section 4 has blue.example.com and red.example.net. */
#define BLUE "_dmarc.blue.example.com TXT \"v=DMARC1; p=none\"\n"
#define ASK "blue.example.com._report._dmarc.red.example.net "

static const struct row {
    const char *name, *zone, *uri;
    int consent;
    const char *to;
} rows[] = {
    {"RFC 9990: the receiver wants them", BLUE ASK "TXT \"v=DMARC1\"",
     "mailto:reports@red.example.net", GIVEN, "mailto:reports@red.example.net"},
    {"a semicolon more", BLUE ASK "TXT \"v=DMARC1;\"",
     "mailto:reports@red.example.net", GIVEN, "mailto:reports@red.example.net"},
    {"it names another address",
     BLUE ASK "TXT \"v=DMARC1; rua=mailto:x@red.example.net\"",
     "mailto:reports@red.example.net", GIVEN, "mailto:x@red.example.net"},
    {"another host spoils both",
     BLUE ASK "TXT \"v=DMARC1; rua=mailto:x@victim.example\"",
     "mailto:reports@red.example.net", REFUSED, ""},
    {"wants all by a wildcard",
     BLUE "*._report._dmarc.red.example.net TXT \"v=DMARC1\"",
     "mailto:reports@red.example.net", GIVEN, "mailto:reports@red.example.net"},
    {"says nothing", BLUE, "mailto:reports@red.example.net", REFUSED, ""},
    {"says something else", BLUE ASK "TXT \"hello\"",
     "mailto:reports@red.example.net", REFUSED, ""},
    {"several records", BLUE ASK "TXT \"hello\"\n" ASK "TXT \"v=DMARC1\"",
     "mailto:reports@red.example.net", GIVEN, "mailto:reports@red.example.net"},
    {"the look-up fails", BLUE ASK "TXT !SERVFAIL",
     "mailto:reports@red.example.net", TEMPERROR, ""},
    {"forged", BLUE ASK "TXT !BOGUS", "mailto:reports@red.example.net",
     TEMPERROR, ""},
    {"the domain itself", "", "mailto:reports@BLUE.example.com?subject=x",
     GIVEN, "mailto:reports@BLUE.example.com?subject=x"},
    {"the same organization",
     "_dmarc.example.com TXT \"v=DMARC1; p=none\"\n" BLUE,
     "mailto:r@mail.example.com", GIVEN, "mailto:r@mail.example.com"},
    {"whose organization is not known",
     "_dmarc.example.com TXT !SERVFAIL\n" BLUE, "mailto:r@mail.example.com",
     TEMPERROR, ""},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dmarc_destination *d = NULL;
    struct world x;
    struct onward_dmarc_destination_host host = {
        .size = sizeof(host), .user = &x, .done = count_done};

    begin(&x, row->zone);
    assert_int_equal(
        onward_dmarc_destination_new(x.resolver, ONWARD_STR("blue.example.com"),
                                     onward_str_of(row->uri), &host, &d),
        0);
    assert_int_equal(onward_dmarc_destination_consent(d),
                     ONWARD_DMARC_CONSENT_PENDING);
    t_assert_str(onward_dmarc_destination_uri(d), "");
    while (onward_desk_run(x.desk, 0) == 1)
        continue;
    assert_int_equal(x.done, 1);
    assert_int_equal(onward_dmarc_destination_consent(d), row->consent);
    t_assert_str(onward_dmarc_destination_uri(d), row->to);
    onward_dmarc_destination_free(d);
    end(&x);
}

/* A076: what would end a header field is no address. */
static void test_addresses_of_a_record(void **state)
{
    struct onward_str list = ONWARD_STR(
        "mailto:a@x.example\r\nBcc: b@x.example, https://x.example/@, "
        "mailto:nobody, mailto:c d@x.example, mailto:\xc3\xa9@x.example,, "
        "MAILTO:e@x.example!10m , mailto:f@x.example");
    struct onward_str uri;

    (void)state;
    assert_int_equal(onward_dmarc_uri_next(&list, &uri), 1);
    t_assert_str(uri, "MAILTO:e@x.example");
    assert_int_equal(onward_dmarc_uri_next(&list, &uri), 1);
    t_assert_str(uri, "mailto:f@x.example");
    assert_int_equal(onward_dmarc_uri_next(&list, &uri), 0);
}

static void test_life(void **state)
{
    struct onward_dmarc_destination *d = NULL;
    const struct onward_str blue = ONWARD_STR("blue.example.com");
    const struct onward_str red = ONWARD_STR("mailto:r@red.example.net");
    struct world x;
    struct onward_dmarc_destination_host host = {
        .size = sizeof(host), .user = &x, .done = count_done};

    (void)state;
    begin(&x, BLUE);
    x.frees = true;
    assert_int_equal(
        onward_dmarc_destination_new(x.resolver, blue, red, &host, &d), 0);
    while (onward_desk_run(x.desk, 0) == 1)
        continue;
    assert_int_equal(x.done, 1);
    assert_int_equal(
        onward_dmarc_destination_new(x.resolver, blue, red, &host, &d), 0);
    onward_dmarc_destination_free(d);
    onward_dmarc_destination_free(NULL);
    d = NULL;
    assert_int_equal(onward_dmarc_destination_new(NULL, blue, red, &host, &d),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dmarc_destination_new(
                         x.resolver, blue, ONWARD_STR("https://e"), NULL, &d),
                     ONWARD_ESYNTAX);
    assert_int_equal(onward_dmarc_destination_new(x.resolver, blue,
                                                  ONWARD_STR("mailto:a@b c"),
                                                  NULL, &d),
                     ONWARD_ESYNTAX);
    assert_int_equal(onward_dmarc_destination_new(x.resolver, ONWARD_STR("a b"),
                                                  red, NULL, &d),
                     ONWARD_ESYNTAX);
    onward_desk_free(x.desk);
    assert_int_equal(
        onward_dmarc_destination_new(x.resolver, blue, red, NULL, &d),
        ONWARD_ESTATE);
    assert_null(d);
    onward_resolver_free(x.resolver);
    assert_int_equal(x.done, 1);
    t_world_clear(&x.w);
}

static bool whole(struct t_world *w, void *arg)
{
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    struct onward_dmarc_destination *d = NULL;
    struct onward_resolver *resolver = NULL;
    struct onward_desk *desk = NULL;
    bool ok = false;

    (void)arg;
    if (onward_desk_new(w->ctx, NULL, &desk) == 0 &&
        onward_resolver_new(desk, &ro, NULL, &resolver) == 0 &&
        onward_resolver_load(resolver,
                             ONWARD_STR(BLUE ASK
                                        "TXT \"v=DMARC1; "
                                        "rua=mailto:x@red.example.net\""),
                             NULL) == 0 &&
        onward_dmarc_destination_new(resolver, ONWARD_STR("blue.example.com"),
                                     ONWARD_STR("mailto:r@red.example.net"),
                                     NULL, &d) == 0) {
        while (onward_desk_run(desk, 0) == 1)
            continue;
        ok = onward_dmarc_destination_consent(d) == GIVEN;
        if (!ok)
            assert_int_equal(onward_dmarc_destination_consent(d), TEMPERROR);
    }
    onward_dmarc_destination_free(d);
    onward_resolver_free(resolver);
    if (desk != NULL)
        onward_desk_free(desk);
    return ok;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(whole, NULL);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[3 + ROWS] = {
        cmocka_unit_test(test_addresses_of_a_record),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_out_of_memory),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[3 + i] = (struct CMUnitTest){
            .name = rows[i].name,
            .test_func = test_row,
            .initial_state = (void *)(uintptr_t)&rows[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
