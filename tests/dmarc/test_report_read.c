/* Aggregate reports of others: as RFC 9990 and RFC 7489 have them, as some
 * reporters write them, and as an attacker might. */
#include <onward/dmarc_report.h>

#include "support/support.h"

/* What was read, as text: a line a row. */
struct world {
    struct t_world w;
    struct onward_dmarc_reader *reader;
    char got[20000];
    size_t len;
    int err; /* of the first call that failed */
    int gives_up, frees;
};

static void say(struct world *x, struct onward_str text, const char *after)
{
    int n = snprintf(x->got + x->len, sizeof(x->got) - x->len, "%.*s%s",
                     (int)text.len, text.data, after);

    assert_true(n >= 0 && (size_t)n < sizeof(x->got) - x->len);
    x->len += (size_t)n;
}

static void say_auth(struct world *x, const char *what,
                     const struct onward_dmarc_auth_facts *a)
{
    say(x, onward_str_of(what), "(");
    say(x, a->domain, ",");
    say(x, a->selector, ",");
    say(x, a->scope, ",");
    say(x, a->result, ",");
    say(x, a->human_result, ") ");
}

static int on_row(void *user, const struct onward_dmarc_row *row)
{
    struct world *x = user;
    struct onward_dmarc_auth_facts a = {.size = sizeof(a)};
    struct onward_dmarc_row_facts f = {.size = sizeof(f)};
    struct onward_str type, comment;
    char number[40];

    assert_int_equal(onward_dmarc_row_get(row, &f), 0);
    say(x, f.source_ip, " ");
    snprintf(number, sizeof(number), "%llu ", (unsigned long long)f.count);
    say(x, onward_str_of(number), "");
    say(x, onward_str_of(onward_dmarc_disposition_name((int)f.disposition)),
        " ");
    say(x, onward_str_of(f.is_dkim_aligned ? "D" : "d"), "");
    say(x, onward_str_of(f.is_spf_aligned ? "S " : "s "), "");
    say(x, f.header_from, " ");
    say(x, onward_str_of(f.has_envelope_from ? "<" : "("), "");
    say(x, f.envelope_from, "> ");
    say(x, f.envelope_to, " ");
    for (size_t i = 0; i < onward_dmarc_row_reason_count(row); i++) {
        onward_dmarc_row_reason(row, i, &type, &comment);
        say(x, type, ":");
        say(x, comment, " ");
    }
    for (size_t i = 0; onward_dmarc_row_dkim(row, i, &a) == 0; i++)
        say_auth(x, "dkim", &a);
    for (size_t i = 0; onward_dmarc_row_spf(row, i, &a) == 0; i++)
        say_auth(x, "spf", &a);
    say(x, (struct onward_str){0}, "\n");
    /* Not from inside. */
    assert_int_equal(onward_dmarc_reader_feed(x->reader, "x", 1),
                     ONWARD_ESTATE);
    if (x->frees)
        onward_dmarc_reader_free(x->reader);
    return x->gives_up ? -1 : 0;
}

static void open_reader(struct world *x,
                        const struct onward_dmarc_reader_opts *opts)
{
    const struct onward_dmarc_reader_host host = {
        .size = sizeof(host), .user = x, .row = on_row};

    x->len = 0;
    x->got[0] = '\0';
    x->err = onward_dmarc_reader_new(x->w.ctx, opts, &host, &x->reader);
    assert_int_equal(x->err, 0);
}

static void begin(struct world *x)
{
    memset(x, 0, sizeof(*x));
    t_world_init(&x->w);
}

static void feed(void *arg, const void *data, size_t len)
{
    struct world *x = arg;

    if (x->err == 0)
        x->err = onward_dmarc_reader_feed(x->reader, data, len);
}

static void finish(struct world *x)
{
    if (x->err == 0)
        x->err = onward_dmarc_reader_finish(x->reader);
}

static void end(struct world *x)
{
    onward_dmarc_reader_free(x->reader);
    t_world_clear(&x->w);
}

static struct onward_dmarc_report_facts facts_of(const struct world *x)
{
    struct onward_dmarc_report_facts f = {.size = sizeof(f)};

    assert_int_equal(onward_dmarc_reader_facts(x->reader, &f), 0);
    return f;
}

/* ---- Whole reports ----------------------------------------------------- */

static const char rows_9990[] =
    "192.0.2.10 41 pass Ds a.example <>  "
    "dkim(a.example,s1,,pass,) "
    "dkim(esp.example,k,,fail,body hash did not verify) "
    "spf(mail.esp.example,,mfrom,softfail,) \n"
    "2001:db8::7 3 none ds news.a.example <list.example> b.example "
    "mailing_list:known list spf(list.example,,,pass,) \n";

static const char rows_7489[] =
    "198.51.100.4 7 none dS a.example (>  sampled_out: "
    "spf(a.example,,,pass,) spf(mx.a.example,,helo,hardfail,) \n";

static void check_9990(const struct world *x)
{
    struct onward_dmarc_report_facts f = facts_of(x);

    assert_int_equal(x->err, 0);
    assert_string_equal(x->got, rows_9990);
    assert_int_equal(f.schema, ONWARD_DMARC_SCHEMA_RFC9990);
    assert_int_equal(f.oddities, 0);
    assert_true(f.rows == 2);
    assert_true(f.begin_s == 1795132800 && f.end_s == 1795219199);
    t_assert_str(f.version, "1.0");
    t_assert_str(f.org_name, "Receiver & Sons");
    t_assert_str(f.email, "dmarc@receiver.example");
    t_assert_str(f.extra_contact_info, "https://receiver.example/dmarc");
    t_assert_str(f.report_id, "2026-11-21.a.example@receiver.example");
    t_assert_str(f.error, "rua= has a URI that cannot be read");
    t_assert_str(f.generator, "counter 1.2");
    t_assert_str(f.policy_domain, "a.example");
    assert_int_equal(f.policy, ONWARD_DMARC_POLICY_REJECT);
    assert_int_equal(f.subdomain_policy, ONWARD_DMARC_POLICY_QUARANTINE);
    assert_int_equal(f.nonexistent_policy, ONWARD_DMARC_POLICY_REJECT);
    assert_int_equal(f.is_dkim_strict, 1);
    assert_int_equal(f.is_spf_strict, 0);
    assert_int_equal(f.is_testing, 0);
    assert_int_equal(f.has_discovery, 1);
    assert_int_equal(f.discovery, ONWARD_DMARC_DISCOVERY_RFC9989);
    t_assert_str(f.failure_options, "1");
}

static void check_7489(const struct world *x)
{
    struct onward_dmarc_report_facts f = facts_of(x);

    assert_int_equal(x->err, 0);
    assert_string_equal(x->got, rows_7489);
    assert_int_equal(f.schema, ONWARD_DMARC_SCHEMA_RFC7489);
    assert_int_equal(f.oddities, ONWARD_DMARC_ODDITY_VERSION |
                                     ONWARD_DMARC_ODDITY_CASE |
                                     ONWARD_DMARC_ODDITY_VALUE);
    assert_int_equal(f.policy, ONWARD_DMARC_POLICY_NONE);
    assert_int_equal(f.nonexistent_policy, ONWARD_DMARC_POLICY_UNKNOWN);
    assert_int_equal(f.has_discovery, 0);
    t_assert_str(f.percent, "100");
}

static void cut_begin(void *arg)
{
    struct world *x = arg;

    onward_dmarc_reader_free(x->reader);
    open_reader(x, NULL);
}

static void cut_end_9990(void *arg)
{
    finish(arg);
    check_9990(arg);
}

static void cut_end_7489(void *arg)
{
    finish(arg);
    check_7489(arg);
}

static void test_any_cut(void **state)
{
    const struct t_cut new_form = {cut_begin, feed, cut_end_9990};
    const struct t_cut old_form = {cut_begin, feed, cut_end_7489};
    struct world x;
    size_t len;
    char *text;

    (void)state;
    begin(&x);
    text = t_read_file(t_data("dmarc/rfc9990.xml"), &len);
    assert_non_null(text);
    t_cut_everywhere(&new_form, &x, text, len);
    free(text);
    text = t_read_file(t_data("dmarc/rfc7489.xml"), &len);
    assert_non_null(text);
    t_cut_everywhere(&old_form, &x, text, len);
    free(text);
    end(&x);
}

/* The sample that comes with the standard. */
static void test_sample_of_the_standard(void **state)
{
    const char *path = t_conformance("../rfc/dmarc-2.0-aggregate-sample.xml");
    struct onward_dmarc_report_facts f;
    struct world x;
    size_t len;
    char *text;

    (void)state;
    if (path == NULL)
        skip();
    begin(&x);
    open_reader(&x, NULL);
    text = t_read_file(path, &len);
    assert_non_null(text);
    feed(&x, text, len);
    finish(&x);
    free(text);
    assert_int_equal(x.err, 0);
    f = facts_of(&x);
    assert_int_equal(f.oddities, 0);
    assert_int_equal(f.schema, ONWARD_DMARC_SCHEMA_RFC9990);
    t_assert_str(f.report_id, "3v98abbp8ya9n3va8yr8oa3ya");
    assert_string_equal(x.got, "192.0.2.123 123 pass Ds example.com "
                               "<example.com>  dkim(example.com,abc123,,pass,) "
                               "spf(example.com,,,fail,) \n");
    end(&x);
}

/* ---- What others write wrong ------------------------------------------- */

#define META                                                                   \
    "<report_metadata><org_name>o</org_name><email>e</email>"                  \
    "<report_id>i</report_id><date_range><begin>1</begin><end>2</end>"         \
    "</date_range></report_metadata>"
#define POLICY                                                                 \
    "<policy_published><domain>d</domain><p>none</p></policy_published>"
#define RECORD(ip, count, disposition, dkim, more)                             \
    "<record><row><source_ip>" ip "</source_ip><count>" count                  \
    "</count><policy_evaluated><disposition>" disposition                      \
    "</disposition><dkim>" dkim "</dkim><spf>fail</spf></policy_evaluated>"    \
    "</row><identifiers><header_from>d</header_from></identifiers>"            \
    "<auth_results>" more "</auth_results></record>"
#define GOOD RECORD("192.0.2.1", "1", "none", "fail", "")
#define GOOD_TEXT "192.0.2.1 1 none ds d (>  \n"
#define V "<version>1.0</version>"
#define NEW "<feedback xmlns='urn:ietf:params:xml:ns:dmarc-2.0'>"

static const struct odd_row {
    const char *name, *xml, *got;
    int oddities;
    size_t schema;
} odd_rows[] = {
    {"the least of RFC 9990", NEW META POLICY GOOD "</feedback>", GOOD_TEXT, 0,
     2},
    {"the least of RFC 7489", "<feedback>" V META POLICY GOOD "</feedback>",
     GOOD_TEXT, 0, 1},
    {"namespace of RFC 7489",
     "<feedback xmlns='http://dmarc.org/dmarc-xml/0.1'>" V META POLICY GOOD
     "</feedback>",
     GOOD_TEXT, 0, 1},
    {"with a prefix",
     "<a:feedback xmlns:a='urn:ietf:params:xml:ns:dmarc-2.0'><a:version>1.0"
     "</a:version>" META POLICY GOOD "</a:feedback>",
     GOOD_TEXT, 0, 2},
    {"another namespace",
     "<feedback xmlns='urn:x'>" V META POLICY GOOD "</feedback>", GOOD_TEXT,
     ONWARD_DMARC_ODDITY_NAMESPACE, 0},
    {"no version", "<feedback>" META POLICY GOOD "</feedback>", GOOD_TEXT,
     ONWARD_DMARC_ODDITY_VERSION, 1},
    {"version 2", NEW "<version>2</version>" META POLICY GOOD "</feedback>",
     GOOD_TEXT, ONWARD_DMARC_ODDITY_VERSION, 2},
    {"white space first",
     " \r\n\t<?xml version='1.0'?>" NEW META POLICY GOOD "</feedback>\n\n",
     GOOD_TEXT, ONWARD_DMARC_ODDITY_LEADING, 2},
    {"an element nobody knows",
     NEW META POLICY "<odd><record><row/></record></odd>" GOOD "</feedback>",
     GOOD_TEXT, ONWARD_DMARC_ODDITY_ELEMENT, 2},
    {"an extension is none of ours",
     NEW
     "<extension><x/></extension><q:record xmlns:q='u'><row/></q:record>" META
         POLICY GOOD "</feedback>",
     GOOD_TEXT, 0, 2},
    {"capitals",
     NEW META POLICY RECORD("192.0.2.1", "1", "Quarantine", "PASS",
                            "<spf><domain>d</domain><result>SoftFail</result>"
                            "</spf>") "</feedback>",
     "192.0.2.1 1 quarantine Ds d (>  spf(d,,,softfail,) \n",
     ONWARD_DMARC_ODDITY_CASE, 2},
    {"white space around texts",
     NEW META POLICY RECORD("\n 192.0.2.1 ", " 1\n", "\tnone", "fail",
                            "") "</feedback>",
     GOOD_TEXT, 0, 2},
    {"CDATA and references",
     NEW META POLICY RECORD("192.0.2.<![CDATA[1]]>", "&#x31;", "none", "fail",
                            "") "</feedback>",
     GOOD_TEXT, 0, 2},
    {"other words",
     NEW META POLICY RECORD("192.0.2.1", "1", "delivered", "maybe",
                            "") "</feedback>",
     "192.0.2.1 1  ds d (>  \n", ONWARD_DMARC_ODDITY_VALUE, 2},
    {"a count that is none",
     NEW META POLICY RECORD("192.0.2.1", "-1", "none", "fail",
                            "") "</feedback>",
     "192.0.2.1 0 none ds d (>  \n", ONWARD_DMARC_ODDITY_VALUE, 2},
    {"a count past 64 bit",
     NEW META POLICY RECORD("192.0.2.1", "18446744073709551616", "none", "fail",
                            "") "</feedback>",
     "192.0.2.1 0 none ds d (>  \n", ONWARD_DMARC_ODDITY_VALUE, 2},
    {"no address",
     NEW META POLICY RECORD("host.example", "1", "none", "fail",
                            "") "</feedback>",
     "host.example 1 none ds d (>  \n", ONWARD_DMARC_ODDITY_VALUE, 2},
    {"no selector (RFC 9990)",
     NEW META POLICY RECORD("192.0.2.1", "1", "none", "fail",
                            "<dkim><domain>d</domain><result>pass</result>"
                            "</dkim>") "</feedback>",
     "192.0.2.1 1 none ds d (>  dkim(d,,,pass,) \n",
     ONWARD_DMARC_ODDITY_MISSING, 2},
    {"no selector (RFC 7489)",
     "<feedback>" V META POLICY RECORD("192.0.2.1", "1", "none", "fail",
                                       "<dkim><domain>d</domain><result>pass"
                                       "</result></dkim>") "</feedback>",
     "192.0.2.1 1 none ds d (>  dkim(d,,,pass,) \n", 0, 1},
    {"an empty record", NEW META POLICY "<record/></feedback>",
     " 0  ds  (>  \n", ONWARD_DMARC_ODDITY_MISSING, 2},
    {"nothing leaks into the next",
     NEW META POLICY RECORD(
         "192.0.2.1", "5", "reject", "pass",
         "<dkim><domain>d</domain><selector>s</selector>"
         "<result>pass</result></dkim>") "<record><row>"
                                         "</row></record></feedback>",
     "192.0.2.1 5 reject Ds d (>  dkim(d,s,,pass,) \n 0  ds  (>  \n",
     ONWARD_DMARC_ODDITY_MISSING, 2},
    {"no record", NEW META POLICY "</feedback>", "",
     ONWARD_DMARC_ODDITY_MISSING, 2},
    {"no policy", NEW META GOOD "</feedback>", GOOD_TEXT,
     ONWARD_DMARC_ODDITY_MISSING, 2},
    {"an element twice",
     NEW META POLICY
     "<record><row><source_ip>192.0.2.9</source_ip><source_ip>"
     "192.0.2.1</source_ip><count>1</count><policy_evaluated><disposition>none"
     "</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>"
     "<identifiers><header_from>d</header_from></identifiers></record>"
     "</feedback>",
     GOOD_TEXT, ONWARD_DMARC_ODDITY_TWICE, 2},
    {"rows before the head", NEW GOOD POLICY META "</feedback>", GOOD_TEXT, 0,
     2},
    {"Latin 1",
     "<?xml version='1.0' encoding='ISO-8859-1'?>" NEW META POLICY RECORD(
         "192.0.2.1", "1", "none", "fail",
         "<spf><domain>\xfc</domain><result>none</result></spf>") "</feedback>",
     "192.0.2.1 1 none ds d (>  spf(\xc3\xbc,,,none,) \n", 0, 2},
};

static void test_odd_row(void **state)
{
    const struct odd_row *row = *state;
    struct onward_dmarc_report_facts f;
    struct world x;

    begin(&x);
    open_reader(&x, NULL);
    feed(&x, row->xml, strlen(row->xml));
    finish(&x);
    assert_int_equal(x.err, 0);
    assert_string_equal(x.got, row->got);
    f = facts_of(&x);
    assert_int_equal(f.oddities, row->oddities);
    assert_int_equal(f.schema, row->schema);
    end(&x);
}

/* ---- What cannot be read ----------------------------------------------- */

static const struct bad_row {
    const char *name, *xml;
    int err;
    size_t line, column; /* column 0: wherever expat notices */
    const char *text;
} bad_rows[] = {
    {"nothing", "", ONWARD_ESYNTAX, 1, 1, "expected an element"},
    {"white space", " \n ", ONWARD_ESYNTAX, 2, 2, "expected an element"},
    {"no XML", "hello", ONWARD_ESYNTAX, 1, 1, "not well-formed XML"},
    {"another root", "\n <html><feedback/></html>", ONWARD_ESYNTAX, 2, 2,
     "expected the element feedback"},
    {"another root, empty", "<html/>", ONWARD_ESYNTAX, 1, 1,
     "expected the element feedback"},
    {"cut off", NEW "\n<version>1.0", ONWARD_ESYNTAX, 2, 13,
     "the report is cut off"},
    {"cut in a tag", NEW "\n<versi", ONWARD_ESYNTAX, 2, 1,
     "the report is cut off"},
    {"crossed tags", "<feedback><version></feedback>", ONWARD_ESYNTAX, 1, 22,
     "an end tag without its start tag"},
    {"two reports", "<feedback/><feedback/>", ONWARD_ESYNTAX, 1, 12,
     "something behind the report's end"},
    {"DOCTYPE", "<?xml version='1.0'?>\n<!DOCTYPE feedback><feedback/>",
     ONWARD_ESYNTAX, 2, 0, "a DOCTYPE, which no report has"},
    {"entities that grow",
     "<!DOCTYPE f [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>"
     "]><feedback><version>&b;</version></feedback>",
     ONWARD_ESYNTAX, 1, 0, "a DOCTYPE, which no report has"},
    {"an entity that names a file",
     "<!DOCTYPE f SYSTEM 'file:///etc/passwd'><feedback/>", ONWARD_ESYNTAX, 1,
     0, "a DOCTYPE, which no report has"},
    {"an entity from nowhere", "<feedback>&x;</feedback>", ONWARD_ESYNTAX, 1,
     11, "an entity that is not defined"},
    {"no UTF-8", "<feedback>\xff</feedback>", ONWARD_ESYNTAX, 1, 11,
     "not well-formed XML"},
    {"an unknown encoding",
     "<?xml version='1.0' encoding='x-none'?><feedback/>", ONWARD_ESYNTAX, 1,
     31, "an encoding that is not known"},
    {"a prefix of nobody", "<a:feedback/>", ONWARD_ESYNTAX, 1, 1,
     "a prefix without its namespace"},
};

static void test_bad_row(void **state)
{
    const struct bad_row *row = *state;
    struct onward_dmarc_report_fault f = {.size = sizeof(f)};
    struct world x;

    begin(&x);
    open_reader(&x, NULL);
    assert_int_equal(onward_dmarc_reader_fault(x.reader, &f), ONWARD_ENOENT);
    feed(&x, row->xml, strlen(row->xml));
    finish(&x);
    assert_int_equal(x.err, row->err);
    assert_int_equal(onward_dmarc_reader_fault(x.reader, &f), 0);
    assert_string_equal(f.text, row->text);
    assert_int_equal(f.line, row->line);
    if (row->column != 0)
        assert_int_equal(f.column, row->column);
    assert_true(f.offset <= strlen(row->xml));
    assert_int_equal(onward_dmarc_reader_feed(x.reader, "x", 1), ONWARD_ESTATE);
    assert_int_equal(onward_dmarc_reader_finish(x.reader), ONWARD_ESTATE);
    end(&x);
}

/* ---- Limits ------------------------------------------------------------ */

static void feed_times(struct world *x, const char *text, int times)
{
    for (int i = 0; i < times; i++)
        feed(x, text, strlen(text));
}

static void expect_limit(struct world *x, const char *text)
{
    struct onward_dmarc_report_fault f = {.size = sizeof(f)};

    assert_int_equal(x->err, ONWARD_ELIMIT);
    assert_int_equal(onward_dmarc_reader_fault(x->reader, &f), 0);
    assert_string_equal(f.text, text);
    onward_dmarc_reader_free(x->reader);
    x->reader = NULL;
}

static void test_limits(void **state)
{
    struct onward_dmarc_reader_opts o = {.size = sizeof(o)};
    struct onward_dmarc_reader_host host = {.size = sizeof(host)};
    struct onward_dmarc_report_facts f;
    struct world x;

    (void)state;
    begin(&x);
    open_reader(&x, NULL);
    feed(&x, NEW, strlen(NEW));
    feed_times(&x, "<x>", 100000);
    expect_limit(&x, "elements nested too deeply");

    o.max_rows = 2;
    open_reader(&x, &o);
    feed(&x, NEW META POLICY, strlen(NEW META POLICY));
    feed_times(&x, GOOD, 3);
    expect_limit(&x, "more records than allowed");
    assert_string_equal(x.got, GOOD_TEXT GOOD_TEXT);

    o.max_rows = 0;
    o.max_bytes = strlen(NEW META POLICY GOOD "</feedback>");
    open_reader(&x, &o);
    feed(&x, NEW META POLICY GOOD "</feedback>", o.max_bytes);
    assert_int_equal(x.err, 0);
    feed(&x, "\n", 1);
    expect_limit(&x, "longer than allowed");
    o.max_bytes--;
    open_reader(&x, &o);
    feed(&x, NEW META POLICY GOOD "</feedback>", o.max_bytes + 1);
    expect_limit(&x, "longer than allowed");

    /* One tag, one comment that never ends: expat keeps it whole. */
    open_reader(&x, NULL);
    feed(&x, "<feedback a='", 13);
    feed_times(&x, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 3000);
    expect_limit(&x, "a tag or comment longer than allowed");
    open_reader(&x, NULL);
    feed(&x, "<feedback><!-- ", 15);
    feed_times(&x, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 3000);
    expect_limit(&x, "a tag or comment longer than allowed");

    /* A text without end is cut, and reading goes on. */
    open_reader(&x, NULL);
    feed(&x, "<feedback><report_metadata><org_name>",
         strlen("<feedback><report_metadata><org_name>"));
    feed_times(&x, "\xc3\xbc\xe2\x82\xac", 300000);
    feed(&x, "</org_name></report_metadata></feedback>",
         strlen("</org_name></report_metadata></feedback>"));
    finish(&x);
    assert_int_equal(x.err, 0);
    f = facts_of(&x);
    assert_true(f.oddities & ONWARD_DMARC_ODDITY_LONG);
    assert_true(f.org_name.len <= 4096 && f.org_name.len > 4090);
    assert_memory_equal(f.org_name.data + f.org_name.len / 5 * 5 - 5,
                        "\xc3\xbc\xe2\x82\xac", 5);
    onward_dmarc_reader_free(x.reader);
    x.reader = NULL;
    assert_true(x.w.peak_bytes < 1024 * 1024);

    o.max_bytes = 0;
    o.max_depth = 65;
    host.row = on_row;
    assert_int_equal(onward_dmarc_reader_new(x.w.ctx, &o, &host, &x.reader),
                     ONWARD_EINVAL);
    host.row = NULL;
    assert_int_equal(onward_dmarc_reader_new(x.w.ctx, NULL, &host, &x.reader),
                     ONWARD_EINVAL);
    assert_int_equal(onward_dmarc_reader_new(x.w.ctx, NULL, NULL, &x.reader),
                     ONWARD_EINVAL);
    host.row = on_row;
    x.w.random_fails = true;
    assert_int_equal(onward_dmarc_reader_new(x.w.ctx, NULL, &host, &x.reader),
                     ONWARD_ERANDOM);
    end(&x);
}

static void test_many_results(void **state)
{
    static const char dkim[] = "<dkim><domain>d</domain><selector>s</selector>"
                               "<result>pass</result></dkim>";
    struct onward_dmarc_report_facts f;
    struct world x;

    (void)state;
    begin(&x);
    open_reader(&x, NULL);
    feed(&x, NEW META POLICY "<record><row><source_ip>192.0.2.1</source_ip>",
         strlen(NEW META POLICY "<record><row><source_ip>192.0.2.1"
                                "</source_ip>"));
    feed(&x, "</row><auth_results>", 20);
    feed_times(&x, dkim, 100000);
    feed(&x, "</auth_results></record></feedback>", 35);
    finish(&x);
    assert_int_equal(x.err, 0);
    f = facts_of(&x);
    assert_true(f.oddities & ONWARD_DMARC_ODDITY_MANY);
    assert_true(strlen(x.got) < 3000);
    assert_true(x.w.peak_bytes < 1024 * 1024);
    end(&x);
}

/* ---- The host ---------------------------------------------------------- */

static void test_host_gives_up_or_frees(void **state)
{
    static const char xml[] = NEW META POLICY GOOD GOOD "</feedback>";
    struct world x;

    (void)state;
    begin(&x);
    x.gives_up = 1;
    open_reader(&x, NULL);
    feed(&x, xml, strlen(xml));
    assert_int_equal(x.err, ONWARD_ECALLBACK);
    assert_string_equal(x.got, GOOD_TEXT);
    assert_int_equal(onward_dmarc_reader_feed(x.reader, "x", 1), ONWARD_ESTATE);
    onward_dmarc_reader_free(x.reader);
    x.gives_up = 0;
    x.frees = 1;
    open_reader(&x, NULL);
    feed(&x, xml, strlen(xml));
    assert_int_equal(x.err, ONWARD_ECANCELED);
    assert_string_equal(x.got, GOOD_TEXT);
    x.reader = NULL;
    onward_dmarc_reader_free(NULL);
    end(&x);
}

/* ---- What is read can be written, and read again ----------------------- */

struct copy {
    struct onward_dmarc_report *report;
    int err;
};

static int copy_row(void *user, const struct onward_dmarc_row *row)
{
    struct copy *c = user;

    c->err = onward_dmarc_report_add(c->report, row);
    return c->err;
}

static bool read_with(struct onward_ctx *ctx,
                      const struct onward_dmarc_reader_host *host,
                      struct onward_str xml)
{
    struct onward_dmarc_reader *reader = NULL;
    bool ok = onward_dmarc_reader_new(ctx, NULL, host, &reader) == 0 &&
              onward_dmarc_reader_feed(reader, xml.data, xml.len) == 0 &&
              onward_dmarc_reader_finish(reader) == 0;

    onward_dmarc_reader_free(reader);
    return ok;
}

static bool copy_report(struct onward_ctx *ctx, struct onward_str in,
                        struct onward_dmarc_report **out)
{
    const struct onward_dmarc_report_opts o = {
        .size = sizeof(o),
        .org_name = ONWARD_STR("o"),
        .email = ONWARD_STR("e"),
        .report_id = ONWARD_STR("i"),
        .receiver = ONWARD_STR("r.example"),
        .policy_domain = ONWARD_STR("a.example"),
        .record = ONWARD_STR("v=DMARC1; p=none")};
    struct copy c = {0};
    struct onward_dmarc_reader_host host = {
        .size = sizeof(host), .user = &c, .row = copy_row};

    if (onward_dmarc_report_new(ctx, &o, &c.report) != 0)
        return false;
    if (!read_with(ctx, &host, in)) {
        onward_dmarc_report_free(c.report);
        return false;
    }
    *out = c.report;
    return true;
}

static void test_what_is_read_can_be_written(void **state)
{
    struct onward_dmarc_report *copy = NULL;
    struct onward_str xml = {0};
    struct world x;
    char *text;
    size_t len;

    (void)state;
    begin(&x);
    text = t_read_file(t_data("dmarc/rfc9990.xml"), &len);
    assert_non_null(text);
    assert_true(copy_report(x.w.ctx, (struct onward_str){text, len}, &copy));
    assert_int_equal(onward_dmarc_report_xml(copy, &xml), 0);
    open_reader(&x, NULL);
    feed(&x, xml.data, xml.len);
    finish(&x);
    assert_int_equal(x.err, 0);
    assert_int_equal(facts_of(&x).oddities, 0);
    /* A scope that was not told is the only one that there is. */
    assert_non_null(strstr(x.got, "spf(list.example,,mfrom,pass,)"));
    assert_non_null(strstr(x.got, "mailing_list:known list"));
    assert_non_null(strstr(x.got, "192.0.2.10 41 pass Ds a.example <>  "
                                  "dkim(a.example,s1,,pass,) dkim("));
    onward_dmarc_report_free(copy);
    free(text);
    end(&x);
}

static bool scenario(struct t_world *w, void *arg)
{
    struct onward_dmarc_report *copy = NULL;
    bool ok = copy_report(w->ctx, *(struct onward_str *)arg, &copy);

    onward_dmarc_report_free(ok ? copy : NULL);
    return ok;
}

static void test_out_of_memory(void **state)
{
    struct onward_str xml;
    size_t len;
    char *text;

    (void)state;
    text = t_read_file(t_data("dmarc/rfc9990.xml"), &len);
    assert_non_null(text);
    xml = (struct onward_str){text, len};
    t_oom_sweep(scenario, &xml);
    free(text);
}

/* ---- Main -------------------------------------------------------------- */

static void test_no_reader(void **state)
{
    struct onward_dmarc_reader *reader = NULL;

    (void)state;
    assert_int_equal(onward_dmarc_reader_new(NULL, NULL, NULL, &reader),
                     ONWARD_ENOENT);
    assert_null(reader);
    onward_dmarc_reader_free(reader);
}

static bool has_reader(void)
{
    return onward_dmarc_reader_new(NULL, NULL, NULL, NULL) != ONWARD_ENOENT;
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
    static const struct CMUnitTest none[] = {
        cmocka_unit_test(test_no_reader),
    };
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(test_any_cut),
        cmocka_unit_test(test_sample_of_the_standard),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_results),
        cmocka_unit_test(test_host_gives_up_or_frees),
        cmocka_unit_test(test_what_is_read_can_be_written),
        cmocka_unit_test(test_out_of_memory),
    };
    struct CMUnitTest tests[COUNT(plain) + COUNT(odd_rows) + COUNT(bad_rows)];
    size_t n = COUNT(plain);

    if (!has_reader())
        return cmocka_run_group_tests(none, NULL, NULL);
    memcpy(tests, plain, sizeof(plain));
    ROWS(odd_rows, test_odd_row);
    ROWS(bad_rows, test_bad_row);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
