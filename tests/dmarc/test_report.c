/* Aggregate reports that we write (RFC 9990). The expected XML is written by
 * hand after RFC 9990 Appendix A; its schema judges what we write where it can
 * be had. */
#include <onward/dmarc_report.h>

#include "support/support.h"

/* ONWARD_STR() is no constant. */
#define S(literal)                                                             \
    {                                                                          \
        "" literal "", sizeof(literal) - 1                                     \
    }

struct world {
    struct t_world w;
    struct onward_dmarc_report *report;
    struct onward_dmarc_row *row;
};

static const struct onward_dmarc_report_opts good_opts = {
    .size = sizeof(good_opts),
    .begin_s = 1013662812,
    .end_s = 1013749130,
    .org_name = S("Receiver & <Sons>"),
    .email = S("dmarc@receiver.example"),
    .report_id = S("sample-ridtxt@example.com"),
    .receiver = S("mail.receiver.example"),
    .policy_domain = S("Example.COM"),
    .record = S("v=DMARC1; p=reject; sp=quarantine; adkim=s; "
                "rua=mailto:a@example.com,mailto:b@example.net!10m,"
                "https://example.com/,mailto:a@example.com,"
                "mailto:c@c.example,mailto:d@d.example,"
                "mailto:e@e.example,mailto:f@f.example"),
    .generator = S("counter 1"),
};

static void begin(struct world *x)
{
    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
    assert_int_equal(onward_dmarc_report_new(x->w.ctx, &good_opts, &x->report),
                     0);
    assert_int_equal(onward_dmarc_row_new(x->w.ctx, &x->row), 0);
}

static void end(struct world *x)
{
    onward_dmarc_row_free(x->row);
    onward_dmarc_report_free(x->report);
    t_world_clear(&x->w);
}

static int fill(struct onward_dmarc_row *row, const char *ip, uint64_t count)
{
    const struct onward_dmarc_row_facts f = {
        .size = sizeof(f),
        .disposition = ONWARD_DMARC_DISPOSITION_PASS,
        .count = count,
        .is_dkim_aligned = 1,
        .source_ip = onward_str_of(ip),
        .header_from = ONWARD_STR("example.com"),
        .has_envelope_from = 1,
        .envelope_to = ONWARD_STR("receiver.example")};
    const struct onward_dmarc_auth_facts dkim = {.size = sizeof(dkim),
                                                 .domain =
                                                     ONWARD_STR("example.com"),
                                                 .selector = ONWARD_STR("s1"),
                                                 .result = ONWARD_STR("pass")};
    const struct onward_dmarc_auth_facts helo = {
        .size = sizeof(helo),
        .domain = ONWARD_STR("mx.example.com"),
        .scope = ONWARD_STR("helo"),
        .result = ONWARD_STR("pass")};
    const struct onward_dmarc_auth_facts spf = {
        .size = sizeof(spf),
        .domain = ONWARD_STR("mx.example.com"),
        .scope = ONWARD_STR("mfrom"),
        .result = ONWARD_STR("softfail"),
        .human_result = ONWARD_STR("a]]>b \"quoted\"")};
    int err;

    onward_dmarc_row_reset(row);
    err = onward_dmarc_row_set(row, &f);
    if (err == 0)
        err = onward_dmarc_row_add_dkim(row, &dkim);
    if (err == 0)
        err = onward_dmarc_row_add_spf(row, &helo);
    if (err == 0)
        err = onward_dmarc_row_add_spf(row, &spf);
    return err;
}

static const char head_want[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n"
    "<version>1.0</version>\n"
    "<report_metadata>\n"
    "<org_name>Receiver &amp; &lt;Sons&gt;</org_name>\n"
    "<email>dmarc@receiver.example</email>\n"
    "<report_id>sample-ridtxt@example.com</report_id>\n"
    "<date_range>\n<begin>1013662812</begin>\n<end>1013749130</end>\n"
    "</date_range>\n"
    "<generator>counter 1</generator>\n"
    "</report_metadata>\n"
    "<policy_published>\n"
    "<domain>example.com</domain>\n"
    "<discovery_method>treewalk</discovery_method>\n"
    "<p>reject</p>\n<sp>quarantine</sp>\n<np>quarantine</np>\n<fo>0</fo>\n"
    "<adkim>s</adkim>\n<aspf>r</aspf>\n<testing>n</testing>\n"
    "</policy_published>\n";

static const char record_want[] =
    "<record>\n<row>\n<source_ip>192.0.2.1</source_ip>\n<count>7</count>\n"
    "<policy_evaluated>\n<disposition>pass</disposition>\n<dkim>pass</dkim>\n"
    "<spf>fail</spf>\n</policy_evaluated>\n</row>\n"
    "<identifiers>\n<header_from>example.com</header_from>\n"
    "<envelope_from></envelope_from>\n"
    "<envelope_to>receiver.example</envelope_to>\n</identifiers>\n"
    "<auth_results>\n<dkim>\n<domain>example.com</domain>\n"
    "<selector>s1</selector>\n<result>pass</result>\n</dkim>\n"
    "<spf>\n<domain>mx.example.com</domain>\n<scope>mfrom</scope>\n"
    "<result>softfail</result>\n"
    "<human_result>a]]&gt;b \"quoted\"</human_result>\n</spf>\n"
    "</auth_results>\n</record>\n";

static void test_equal_rows_become_one(void **state)
{
    struct onward_str xml = {0};
    char want[4096];
    struct world x;

    (void)state;
    begin(&x);
    assert_int_equal(onward_dmarc_report_xml(x.report, &xml), ONWARD_ESTATE);
    assert_int_equal(fill(x.row, "192.0.2.1", 0), 0);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), 0);
    assert_int_equal(fill(x.row, "192.0.2.1", 6), 0);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), 0);
    assert_int_equal(onward_dmarc_report_row_count(x.report), 1);
    assert_true(onward_dmarc_report_message_count(x.report) == 7);
    assert_int_equal(onward_dmarc_report_xml(x.report, &xml), 0);
    snprintf(want, sizeof(want), "%s%s</feedback>\n", head_want, record_want);
    t_assert_str(xml, want);
    end(&x);
}

/* One source, written in several ways, is one row. */
static void test_addresses_have_one_form(void **state)
{
    static const char *const forms[] = {"2001:db8::1", "2001:DB8:0:0:0:0:0:1",
                                        "2001:db8::0:1"};
    struct world x;

    (void)state;
    begin(&x);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fill(x.row, forms[i], 1), 0);
        assert_int_equal(onward_dmarc_report_add(x.report, x.row), 0);
    }
    assert_int_equal(onward_dmarc_report_row_count(x.report), 1);
    assert_int_equal(fill(x.row, "2001:db8::2", 1), 0);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), 0);
    assert_int_equal(onward_dmarc_report_row_count(x.report), 2);
    end(&x);
}

/* ---- Text -------------------------------------------------------------- */

static const struct text_row {
    const char *name;
    struct onward_str in;
    const char *want;
} text_rows[] = {
    {"markup", S("</domain><p>&amp;"), "&lt;/domain&gt;&lt;p&gt;&amp;amp;"},
    {"controls, NUL and DEL", S("a\0b\x1b\x7f\r"),
     "a\xef\xbf\xbd"
     "b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"UTF-8 stays", S("\xc3\xbc\xf0\x9f\x93\xa7"), "\xc3\xbc\xf0\x9f\x93\xa7"},
    {"what is no UTF-8", S("\xff\xc3"), "\xef\xbf\xbd\xef\xbf\xbd"},
    {"overlong, surrogate", S("\xc0\xbcz\xed\xa0\x80"),
     "\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"U+FFFE and C1", S("\xef\xbf\xbe\xc2\x85"), "\xef\xbf\xbd\xef\xbf\xbd"},
};

static void test_text_row(void **state)
{
    const struct text_row *row = *state;
    struct onward_dmarc_auth_facts spf = {.size = sizeof(spf),
                                          .domain = ONWARD_STR("d"),
                                          .result = ONWARD_STR("PASS"),
                                          .human_result = row->in};
    struct onward_dmarc_row_facts f = {.size = sizeof(f),
                                       .disposition = 1,
                                       .source_ip = ONWARD_STR("192.0.2.1"),
                                       .header_from = ONWARD_STR("d")};
    struct onward_str xml;
    char want[256], *copy;
    struct world x;

    begin(&x);
    assert_int_equal(onward_dmarc_row_set(x.row, &f), 0);
    assert_int_equal(onward_dmarc_row_add_spf(x.row, &spf), 0);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), 0);
    assert_int_equal(onward_dmarc_report_xml(x.report, &xml), 0);
    copy = calloc(1, xml.len + 1);
    memcpy(copy, xml.data, xml.len);
    snprintf(want, sizeof(want),
             "<result>pass</result>\n<human_result>%s</human_result>\n",
             row->want);
    assert_non_null(strstr(copy, want));
    free(copy);
    end(&x);
}

/* ---- Reasons ----------------------------------------------------------- */

static const struct reason_row {
    const char *name, *type, *comment, *want;
} reason_rows[] = {
    {"local policy", "local_policy", "why",
     "<type>local_policy</type>\n<comment>why</comment>\n"},
    {"test mode", "policy_test_mode", "", "<type>policy_test_mode</type>\n<"},
    {"RFC 9990 has no sampled_out", "sampled_out", "",
     "<type>other</type>\n<comment>sampled_out</comment>\n"},
    {"nor forwarded", "forwarded", "x",
     "<type>other</type>\n<comment>forwarded: x</comment>\n"},
};

static void test_reason_row(void **state)
{
    const struct reason_row *row = *state;
    struct onward_str xml;
    struct world x;
    char *copy;

    begin(&x);
    assert_int_equal(fill(x.row, "192.0.2.1", 1), 0);
    assert_int_equal(onward_dmarc_row_add_reason(x.row,
                                                 onward_str_of(row->type),
                                                 onward_str_of(row->comment)),
                     0);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), 0);
    assert_int_equal(onward_dmarc_report_xml(x.report, &xml), 0);
    copy = calloc(1, xml.len + 1);
    memcpy(copy, xml.data, xml.len);
    assert_non_null(strstr(copy, row->want));
    free(copy);
    end(&x);
}

/* ---- Limits and errors ------------------------------------------------- */

static void test_limits(void **state)
{
    struct onward_dmarc_report_opts o = good_opts;
    struct onward_dmarc_report *few = NULL, *small = NULL;
    struct onward_str xml;
    char ip[20], *copy;
    struct world x;
    size_t peak;

    (void)state;
    begin(&x);
    o.max_rows = 3;
    assert_int_equal(onward_dmarc_report_new(x.w.ctx, &o, &few), 0);
    for (int i = 0; i < 5; i++) {
        snprintf(ip, sizeof(ip), "192.0.2.%d", i);
        assert_int_equal(fill(x.row, ip, 2), 0);
        assert_int_equal(onward_dmarc_report_add(few, x.row),
                         i < 3 ? 0 : ONWARD_ELIMIT);
    }
    /* Those that are there still count. */
    assert_int_equal(fill(x.row, "192.0.2.1", 2), 0);
    assert_int_equal(onward_dmarc_report_add(few, x.row), 0);
    assert_true(onward_dmarc_report_message_count(few) == 8);
    assert_true(onward_dmarc_report_lost_count(few) == 4);
    assert_int_equal(onward_dmarc_report_xml(few, &xml), 0);
    copy = calloc(1, xml.len + 1);
    memcpy(copy, xml.data, xml.len);
    assert_non_null(strstr(copy, "<error>messages not counted: 4</error>\n"));
    free(copy);
    onward_dmarc_report_free(few);

    /* Memory stays near its bound, whatever comes. */
    o.max_rows = 0;
    o.max_bytes = 100000;
    assert_int_equal(onward_dmarc_report_new(x.w.ctx, &o, &small), 0);
    peak = x.w.live_bytes;
    for (int i = 0; i < 1000; i++) {
        snprintf(ip, sizeof(ip), "192.0.%d.%d", i / 250, i % 250);
        assert_int_equal(fill(x.row, ip, 1), 0);
        onward_dmarc_report_add(small, x.row);
    }
    assert_true(onward_dmarc_report_lost_count(small) > 800);
    assert_true(onward_dmarc_report_message_count(small) > 50);
    assert_true(x.w.peak_bytes - peak < 300000);
    onward_dmarc_report_free(small);
    end(&x);
}

static void test_row_limits(void **state)
{
    static char big[ONWARD_DMARC_ROW_TEXT_MAX + 1];
    struct onward_dmarc_auth_facts a = {.size = sizeof(a),
                                        .domain = ONWARD_STR("d"),
                                        .result = ONWARD_STR("pass")};
    struct onward_dmarc_row_facts f = {.size = sizeof(f)};
    const struct onward_str type = ONWARD_STR("other");
    struct onward_str got, comment;
    struct world x;

    (void)state;
    memset(big, 'a', sizeof(big));
    begin(&x);
    for (int i = 0; i <= ONWARD_DMARC_ROW_DKIM_MAX; i++)
        assert_int_equal(onward_dmarc_row_add_dkim(x.row, &a),
                         i < ONWARD_DMARC_ROW_DKIM_MAX ? 0 : ONWARD_ELIMIT);
    for (int i = 0; i <= ONWARD_DMARC_ROW_SPF_MAX; i++)
        assert_int_equal(onward_dmarc_row_add_spf(x.row, &a),
                         i < ONWARD_DMARC_ROW_SPF_MAX ? 0 : ONWARD_ELIMIT);
    for (int i = 0; i <= ONWARD_DMARC_ROW_REASONS_MAX; i++)
        assert_int_equal(onward_dmarc_row_add_reason(x.row, type, type),
                         i < ONWARD_DMARC_ROW_REASONS_MAX ? 0 : ONWARD_ELIMIT);
    assert_int_equal(onward_dmarc_row_dkim_count(x.row), 100);
    assert_int_equal(onward_dmarc_row_dkim(x.row, 99, &a), 0);
    assert_int_equal(onward_dmarc_row_dkim(x.row, 100, &a), ONWARD_ENOENT);
    onward_dmarc_row_reason(x.row, 15, &got, &comment);
    t_assert_str(got, "other");
    onward_dmarc_row_reason(x.row, 16, &got, NULL);
    t_assert_str(got, "");
    onward_dmarc_row_reset(x.row);
    assert_int_equal(onward_dmarc_row_dkim_count(x.row), 0);

    a.human_result = (struct onward_str){big, sizeof(big)};
    assert_int_equal(onward_dmarc_row_add_dkim(x.row, &a), ONWARD_ELIMIT);
    f.header_from = a.human_result;
    assert_int_equal(onward_dmarc_row_set(x.row, &f), ONWARD_ELIMIT);
    f.header_from.len = 0;
    f.disposition = 5;
    assert_int_equal(onward_dmarc_row_set(x.row, &f), ONWARD_EINVAL);
    assert_int_equal(onward_dmarc_row_set(x.row, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_dmarc_row_add_spf(x.row, NULL), ONWARD_EINVAL);
    assert_int_equal(onward_dmarc_row_new(NULL, &x.row), ONWARD_EINVAL);
    /* All texts together have a bound as well. */
    a.human_result.len = ONWARD_DMARC_ROW_TEXT_MAX;
    a.domain = a.selector = a.human_result;
    for (int i = 0; i < ONWARD_DMARC_ROW_DKIM_MAX; i++)
        (void)onward_dmarc_row_add_dkim(x.row, &a);
    assert_true(onward_dmarc_row_dkim_count(x.row) < 30);
    assert_true(x.w.peak_bytes < 2 * 1024 * 1024);
    end(&x);
}

static void test_bad_rows(void **state)
{
    struct onward_dmarc_auth_facts a = {.size = sizeof(a),
                                        .domain = ONWARD_STR("d"),
                                        .result = ONWARD_STR("hardfail")};
    struct onward_dmarc_row_facts f = {.size = sizeof(f)};
    struct world x;

    (void)state;
    begin(&x);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), ONWARD_EINVAL);
    f.disposition = ONWARD_DMARC_DISPOSITION_NONE;
    f.header_from = ONWARD_STR("d");
    assert_int_equal(onward_dmarc_row_set(x.row, &f), 0);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), ONWARD_ESYNTAX);
    f.source_ip = ONWARD_STR("192.0.2.1");
    f.header_from.len = 0;
    assert_int_equal(onward_dmarc_row_set(x.row, &f), 0);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), ONWARD_ESYNTAX);
    f.header_from.len = 1;
    assert_int_equal(onward_dmarc_row_set(x.row, &f), 0);
    assert_int_equal(onward_dmarc_row_add_spf(x.row, &a), 0);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), ONWARD_ESYNTAX);
    onward_dmarc_row_reset(x.row);
    assert_int_equal(onward_dmarc_row_set(x.row, &f), 0);
    a.result = ONWARD_STR("softfail"); /* is none of DKIM */
    assert_int_equal(onward_dmarc_row_add_dkim(x.row, &a), 0);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), ONWARD_ESYNTAX);
    assert_int_equal(onward_dmarc_report_row_count(x.report), 0);
    end(&x);
}

static const struct opts_row {
    const char *name;
    size_t offset; /* of the text */
    struct onward_str text;
    int want;
} opts_rows[] = {
#define AT(member) offsetof(struct onward_dmarc_report_opts, member)
    {"no org_name", AT(org_name), {0}, ONWARD_EINVAL},
    {"no email", AT(email), {0}, ONWARD_EINVAL},
    {"no receiver", AT(receiver), {0}, ONWARD_EINVAL},
    {"no record", AT(record), {0}, ONWARD_EINVAL},
    {"record of something else", AT(record), S("v=spf1 -all"), ONWARD_ESYNTAX},
    {"report_id with a space", AT(report_id), S("a b"), ONWARD_ESYNTAX},
    {"report_id with a header", AT(report_id), S("a\r\nBcc:x"), ONWARD_ESYNTAX},
    {"report_id with two at", AT(report_id), S("a@b@c"), ONWARD_ESYNTAX},
    {"report_id with empty atom", AT(report_id), S("a..b"), ONWARD_ESYNTAX},
    {"receiver with a slash", AT(receiver), S("../x"), ONWARD_ESYNTAX},
    {"policy_domain with a line end", AT(policy_domain), S("example.com\r\n"),
     ONWARD_ESYNTAX},
    {"policy_domain with U-labels", AT(policy_domain),
     S("b\xc3\xbc"
       "cher.example"),
     0},
};

static void test_opts_row(void **state)
{
    const struct opts_row *row = *state;
    struct onward_dmarc_report_opts o = good_opts;
    struct onward_dmarc_report *report = NULL;
    struct world x;

    begin(&x);
    memcpy((char *)&o + row->offset, &row->text, sizeof(row->text));
    assert_int_equal(onward_dmarc_report_new(x.w.ctx, &o, &report), row->want);
    assert_true((report != NULL) == (row->want == 0));
    onward_dmarc_report_free(report);
    end(&x);
}

static void test_span_and_writer(void **state)
{
    struct onward_dmarc_report_host host = {.size = sizeof(host)};
    struct onward_dmarc_report_opts o = good_opts;
    struct onward_dmarc_report *report = NULL;
    struct world x;

    (void)state;
    begin(&x);
    o.end_s = o.begin_s - 1;
    assert_int_equal(onward_dmarc_report_new(x.w.ctx, &o, &report),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dmarc_report_write(x.report, &host), ONWARD_EINVAL);
    assert_int_equal(onward_dmarc_report_write(x.report, NULL), ONWARD_EINVAL);
    end(&x);
}

struct sink {
    size_t calls, fails_at, largest;
};

static int sink_write(void *user, const void *data, size_t len)
{
    struct sink *s = user;

    (void)data;
    if (len > s->largest)
        s->largest = len;
    return ++s->calls == s->fails_at ? -1 : 0;
}

static void test_writer_gives_up(void **state)
{
    struct sink sink = {0};
    const struct onward_dmarc_report_host host = {
        .size = sizeof(host), .user = &sink, .write = sink_write};
    struct world x;
    size_t calls;

    (void)state;
    begin(&x);
    assert_int_equal(fill(x.row, "192.0.2.1", 1), 0);
    assert_int_equal(onward_dmarc_report_add(x.report, x.row), 0);
    assert_int_equal(onward_dmarc_report_write(x.report, &host), 0);
    calls = sink.calls;
    assert_true(calls > 1 && sink.largest < 4096);
    for (size_t i = 1; i <= calls; i++) {
        sink = (struct sink){.fails_at = i};
        assert_int_equal(onward_dmarc_report_write(x.report, &host),
                         ONWARD_ECALLBACK);
        assert_int_equal(sink.calls, i);
    }
    end(&x);
}

/* ---- Mail -------------------------------------------------------------- */

/* The examples of RFC 9990 section 3.5.2. */
static void test_file_name_and_subject(void **state)
{
    struct onward_str text = {0};
    struct world x;

    (void)state;
    begin(&x);
    assert_int_equal(
        onward_dmarc_report_file_name(x.report, ONWARD_STR(""), 1, &text), 0);
    t_assert_str(text, "mail.receiver.example!example.com!1013662812!"
                       "1013749130.xml.gz");
    assert_int_equal(
        onward_dmarc_report_file_name(x.report, ONWARD_STR("a7"), 0, &text), 0);
    t_assert_str(text, "mail.receiver.example!example.com!1013662812!"
                       "1013749130!a7.xml");
    assert_int_equal(
        onward_dmarc_report_file_name(x.report, ONWARD_STR("../a"), 0, &text),
        ONWARD_ESYNTAX);
    assert_int_equal(onward_dmarc_report_subject(x.report, &text), 0);
    t_assert_str(text, "Report Domain: example.com\r\n"
                       " Submitter: mail.receiver.example\r\n"
                       " Report-ID: <sample-ridtxt@example.com>");
    end(&x);
}

/* A076: a record may name many; five are told, each once, in its order. */
static void test_destinations_are_capped(void **state)
{
    static const char *const want[] = {
        "mailto:a@example.com", "mailto:b@example.net", "mailto:c@c.example",
        "mailto:d@d.example",   "mailto:e@e.example",   ""};
    struct onward_dmarc_report_opts o = good_opts;
    struct onward_dmarc_report *one = NULL;
    struct world x;

    (void)state;
    begin(&x);
    for (size_t i = 0; i < 6; i++)
        t_assert_str(onward_dmarc_report_destination(x.report, i), want[i]);
    o.max_destinations = 1;
    assert_int_equal(onward_dmarc_report_new(x.w.ctx, &o, &one), 0);
    t_assert_str(onward_dmarc_report_destination(one, 0), want[0]);
    t_assert_str(onward_dmarc_report_destination(one, 1), "");
    onward_dmarc_report_free(one);
    end(&x);
}

static const struct uri_row {
    const char *name, *uri, *want; /* NULL: refused */
} uri_rows[] = {
    {"plain", "mailto:reports@example.com", "reports@example.com"},
    {"in capitals", "MAILTO:Reports@Example.com", "Reports@Example.com"},
    {"percent signs", "mailto:a%2Bb%25@example.com", "a+b%@example.com"},
    {"its header fields are dropped",
     "mailto:a@example.com?subject=x&bcc=victim@example.net", "a@example.com"},
    {"quoted", "mailto:%22a%20b%22@example.com", NULL},
    {"a line end", "mailto:a%0d%0aBcc:b@example.com", NULL},
    {"a NUL", "mailto:a%00@example.com", NULL},
    {"two addresses", "mailto:a@example.com,b@example.net", NULL},
    {"two addresses, hidden", "mailto:a@example.com%2cb@example.net", NULL},
    {"a name", "mailto:a<b@example.com>", NULL},
    {"another host, hidden", "mailto:a@evil.example%3fx@example.com", NULL},
    {"the host, hidden", "mailto:a%40example.com", NULL},
    {"half a percent", "mailto:a%4@example.com", NULL},
    {"at the end", "mailto:a@example.com%2", NULL},
    {"a literal", "mailto:a@[192.0.2.1]", NULL},
    {"nothing", "mailto:", NULL},
    {"8 bit", "mailto:\xc3\xbc@example.com", NULL},
    {"8 bit, hidden", "mailto:%c3%bc@example.com", NULL},
    {"no mailto", "https://example.com/", NULL},
};

static void test_uri_row(void **state)
{
    const struct uri_row *row = *state;
    char text[ONWARD_DMARC_MAILBOX_MAX] = "kept";
    struct world x;
    int ret;

    begin(&x);
    ret = onward_dmarc_uri_mailbox(x.w.ctx, onward_str_of(row->uri), text,
                                   sizeof(text));
    assert_int_equal(ret, row->want != NULL ? (int)strlen(row->want)
                                            : ONWARD_ESYNTAX);
    assert_string_equal(text, row->want != NULL ? row->want : "kept");
    if (row->want != NULL)
        assert_int_equal(onward_dmarc_uri_mailbox(x.w.ctx,
                                                  onward_str_of(row->uri), text,
                                                  strlen(row->want)),
                         ONWARD_ELIMIT);
    end(&x);
}

/* ---- The schema, memory ------------------------------------------------ */

/* With everything that a row can have, nasty texts too. */
static void test_schema(void **state)
{
    const char *schema = t_conformance("../rfc/dmarc-2.0-aggregate.xsd");
    const struct onward_dmarc_auth_facts nasty = {
        .size = sizeof(nasty),
        .domain = ONWARD_STR("<&>\"'\x01\xff"),
        .result = ONWARD_STR("Permerror"),
        .human_result = ONWARD_STR("]]><!DOCTYPE x>")};
    static const char *const types[] = {"local_policy", "policy_test_mode",
                                        "trusted_forwarder", "sampled_out"};
    struct onward_dmarc_report_opts o = good_opts;
    struct onward_dmarc_report *full = NULL;
    static const char path[] = "test_dmarc_report.xml"; /* where it runs */
    char command[512];
    struct onward_str xml;
    struct world x;
    FILE *file;

    (void)state;
    if (schema == NULL || system("xmllint --version 2>/dev/null") != 0)
        skip();
    begin(&x);
    o.extra_contact_info = o.error = nasty.human_result;
    o.discovery = ONWARD_DMARC_DISCOVERY_RFC7489;
    o.record = ONWARD_STR("v=DMARC1; rua=mailto:a@b.example; fo=1:d:s; t=y");
    assert_int_equal(onward_dmarc_report_new(x.w.ctx, &o, &full), 0);
    assert_int_equal(fill(x.row, "192.0.2.1", 1), 0);
    assert_int_equal(onward_dmarc_report_add(full, x.row), 0);
    assert_int_equal(fill(x.row, "2001:db8::1", UINT64_MAX), 0);
    assert_int_equal(onward_dmarc_row_add_dkim(x.row, &nasty), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(onward_dmarc_row_add_reason(x.row,
                                                     onward_str_of(types[i]),
                                                     nasty.human_result),
                         0);
    assert_int_equal(onward_dmarc_report_add(full, x.row), 0);
    assert_int_equal(onward_dmarc_report_xml(full, &xml), 0);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(xml.data, 1, xml.len, file), xml.len);
    assert_int_equal(fclose(file), 0);
    snprintf(command, sizeof(command),
             "xmllint --nonet --noout --schema '%s' %s 2>&1", schema, path);
    assert_int_equal(system(command), 0);
    remove(path);
    onward_dmarc_report_free(full);
    end(&x);
}

static bool scenario(struct t_world *w, void *arg)
{
    struct onward_dmarc_report *report = NULL;
    struct onward_dmarc_row *row = NULL;
    struct onward_str text;
    char mailbox[ONWARD_DMARC_MAILBOX_MAX];
    bool ok;

    (void)arg;
    ok = onward_dmarc_report_new(w->ctx, &good_opts, &report) == 0 &&
         onward_dmarc_row_new(w->ctx, &row) == 0 &&
         fill(row, "192.0.2.1", 1) == 0 &&
         onward_dmarc_report_add(report, row) == 0 &&
         fill(row, "192.0.2.2", 1) == 0 &&
         onward_dmarc_report_add(report, row) == 0 &&
         onward_dmarc_report_xml(report, &text) == 0 &&
         onward_dmarc_report_subject(report, &text) == 0 &&
         onward_dmarc_uri_mailbox(w->ctx, ONWARD_STR("mailto:a@b.example"),
                                  mailbox, sizeof(mailbox)) > 0;
    onward_dmarc_row_free(row);
    onward_dmarc_report_free(report);
    return ok;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    t_oom_sweep(scenario, NULL);
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ROWS(rows, test)                                                       \
    for (size_t i = 0; i < COUNT(rows); i++)                                   \
        tests[n++] = (struct CMUnitTest)                                       \
        {                                                                      \
            .name = (rows)[i].name, .test_func = test,                         \
            .initial_state = (void *)(uintptr_t) & (rows)[i],                  \
        }

int main(void)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(test_equal_rows_become_one),
        cmocka_unit_test(test_addresses_have_one_form),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_row_limits),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_span_and_writer),
        cmocka_unit_test(test_writer_gives_up),
        cmocka_unit_test(test_file_name_and_subject),
        cmocka_unit_test(test_destinations_are_capped),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_out_of_memory),
    };
    struct CMUnitTest tests[COUNT(plain) + COUNT(text_rows) +
                            COUNT(reason_rows) + COUNT(opts_rows) +
                            COUNT(uri_rows)];
    size_t n = COUNT(plain);

    memcpy(tests, plain, sizeof(plain));
    ROWS(text_rows, test_text_row);
    ROWS(reason_rows, test_reason_row);
    ROWS(opts_rows, test_opts_row);
    ROWS(uri_rows, test_uri_row);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
