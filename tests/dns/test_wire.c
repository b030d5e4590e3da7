/* Replies as packets: what they answer, and how hostile ones fail. */
#include "dns/asker.h"

#define Q "q.example"

static void begin(struct t_packet *p)
{
    t_packet_begin(p, Q, ONWARD_DNS_A, 0);
}

static void one_a(struct t_packet *p)
{
    begin(p);
    t_packet_a(p, Q, 60, 1);
}

static void compressed_owner(struct t_packet *p)
{
    begin(p);
    p->data[T_ANSWER + 1] = 1;
    t_packet_u16(p, 0xc00c);
    t_packet_u16(p, ONWARD_DNS_A);
    t_packet_u16(p, 1);
    t_packet_u32(p, 60);
    t_packet_u16(p, 4);
    t_packet_put(p, "\300\0\2\1", 4);
}

static void other_case(struct t_packet *p)
{
    t_packet_begin(p, "Q.eXAMPLE", ONWARD_DNS_A, 0);
    t_packet_a(p, "q.Example", 60, 1);
}

static void two_a_and_a_stranger(struct t_packet *p)
{
    begin(p);
    t_packet_a(p, Q, 60, 1);
    t_packet_a(p, "other.example", 60, 9);
    t_packet_a(p, Q, 50, 2);
}

static void other_class(struct t_packet *p)
{
    one_a(p);
    p->data[p->len - 4 - 7] = 3; /* CHAOS */
}

static void chain(struct t_packet *p)
{
    begin(p);
    /* in any order */
    t_packet_a(p, "c.example", 60, 1);
    t_packet_cname(p, "b.example", 40, "C.example");
    t_packet_cname(p, Q, 50, "b.example");
}

static void chain_n(struct t_packet *p, int n)
{
    char owner[40] = Q;
    char target[40];

    begin(p);
    for (int i = 1; i <= n; i++) {
        snprintf(target, sizeof(target), "c%d.example", i);
        t_packet_cname(p, owner, 60, target);
        memcpy(owner, target, sizeof(owner));
    }
    t_packet_a(p, owner, 60, 1);
}

static void chain_of_eight(struct t_packet *p)
{
    chain_n(p, 8);
}

static void chain_of_nine(struct t_packet *p)
{
    chain_n(p, 9);
}

static void chain_loop(struct t_packet *p)
{
    begin(p);
    t_packet_cname(p, Q, 60, "b.example");
    t_packet_cname(p, "b.example", 60, Q);
}

static void chain_and_nxdomain(struct t_packet *p)
{
    t_packet_begin(p, Q, ONWARD_DNS_A, 3);
    t_packet_cname(p, Q, 60, "b.example");
}

static void chain_and_soa(struct t_packet *p)
{
    begin(p);
    t_packet_cname(p, Q, 60, "b.example");
    t_packet_soa(p, "example", 60, 30);
}

static void nothing(struct t_packet *p)
{
    begin(p);
}

static void nothing_with_soa(struct t_packet *p)
{
    begin(p);
    t_packet_soa(p, "example", 60, 30);
}

static void foreign_soa(struct t_packet *p)
{
    begin(p);
    t_packet_soa(p, "b.example", 60, 30);
}

static void nxdomain(struct t_packet *p)
{
    t_packet_begin(p, Q, ONWARD_DNS_A, 3);
    t_packet_soa(p, "example", 20, 30);
}

static void nxdomain_with_records(struct t_packet *p)
{
    t_packet_begin(p, Q, ONWARD_DNS_A, 3);
    t_packet_a(p, Q, 60, 1);
}

static void servfail(struct t_packet *p)
{
    t_packet_begin(p, Q, ONWARD_DNS_A, 2);
}

static void refused(struct t_packet *p)
{
    t_packet_begin(p, Q, ONWARD_DNS_A, 5);
}

static void ttl_top_bit(struct t_packet *p)
{
    begin(p);
    t_packet_a(p, Q, 0x80000001u, 1);
}

static void additional(struct t_packet *p)
{
    size_t mark;

    one_a(p);
    mark = t_packet_rr(p, T_ADDITIONAL, "", 41, 0); /* OPT */
    t_packet_end(p, mark);
}

static void octets_behind(struct t_packet *p)
{
    one_a(p);
    t_packet_u32(p, 0);
}

/* ---- Hostile ----------------------------------------------------------- */

static void empty(struct t_packet *p)
{
    p->len = 0;
}

static void a_question(struct t_packet *p)
{
    one_a(p);
    p->data[2] &= 0x7f;
}

static void other_opcode(struct t_packet *p)
{
    one_a(p);
    p->data[2] |= 0x10;
}

static void cut_off(struct t_packet *p)
{
    one_a(p);
    p->data[2] |= 2;
}

static void no_question(struct t_packet *p)
{
    one_a(p);
    p->data[5] = 0;
}

static void other_name(struct t_packet *p)
{
    t_packet_begin(p, "r.example", ONWARD_DNS_A, 0);
    t_packet_a(p, Q, 60, 1);
}

static void other_type(struct t_packet *p)
{
    t_packet_begin(p, Q, ONWARD_DNS_MX, 0);
    t_packet_a(p, Q, 60, 1);
}

static void more_answers_said(struct t_packet *p)
{
    one_a(p);
    p->data[T_ANSWER + 1] = 2;
}

static void more_authority_said(struct t_packet *p)
{
    one_a(p);
    p->data[T_AUTHORITY] = 0xff;
}

static void more_additional_said(struct t_packet *p)
{
    one_a(p);
    p->data[T_ADDITIONAL] = 0xff;
    p->data[T_ADDITIONAL + 1] = 0xff;
}

static void rdata_past_end(struct t_packet *p)
{
    one_a(p);
    p->data[p->len - 5] = 5;
}

static void short_address(struct t_packet *p)
{
    one_a(p);
    p->data[p->len - 5] = 3;
    p->len--;
}

static void owner(struct t_packet *p, unsigned pointer)
{
    begin(p);
    p->data[T_ANSWER + 1] = 1;
    t_packet_u16(p, pointer);
    t_packet_u16(p, ONWARD_DNS_A);
    t_packet_u16(p, 1);
    t_packet_u32(p, 60);
    t_packet_u16(p, 4);
    t_packet_put(p, "\300\0\2\1", 4);
}

static void pointer_to_itself(struct t_packet *p)
{
    begin(p);
    owner(p, 0xc000u | (unsigned)p->len);
}

/* To a name that would be a good one, in the address. */
static void pointer_forward(struct t_packet *p)
{
    begin(p);
    owner(p, 0xc000u | (unsigned)(p->len + 12));
    memcpy(p->data + p->len - 4, "\2ab", 4);
}

static void pointer_past_end(struct t_packet *p)
{
    owner(p, 0xffff);
}

static void pointer_loop(struct t_packet *p)
{
    size_t at;

    begin(p);
    p->data[T_ANSWER + 1] = 1;
    at = p->len;
    t_packet_u8(p, 1);
    t_packet_u8(p, 'a');
    t_packet_u16(p, 0xc000u | (unsigned)at); /* to the label before */
    t_packet_u16(p, ONWARD_DNS_A);
    t_packet_u16(p, 1);
    t_packet_u32(p, 60);
    t_packet_u16(p, 4);
    t_packet_put(p, "\300\0\2\1", 4);
}

static void pointer_half(struct t_packet *p)
{
    begin(p);
    p->data[T_ANSWER + 1] = 1;
    t_packet_u8(p, 0xc0);
}

static void reserved_label(struct t_packet *p)
{
    one_a(p);
    p->data[p->len - 4 - 10 - 11] = 0x41;
}

/* A chain of pointers that only point: legal steps, too many of them. */
static void pointer_chain(struct t_packet *p)
{
    size_t mark;
    unsigned at = 0;

    begin(p);
    mark = t_packet_rr(p, T_ANSWER, "x.example", ONWARD_DNS_TXT, 60);
    t_packet_u8(p, 254);
    at = 12;
    for (int i = 0; i < 127; i++) {
        unsigned here = (unsigned)p->len;

        t_packet_u16(p, 0xc000u | at);
        at = here;
    }
    t_packet_u8(p, 2);
    t_packet_u16(p, 0xc000u | at);
    t_packet_end(p, mark);
    p->data[T_ANSWER + 1]++;
    t_packet_u16(p, 0xc000u | ((unsigned)p->len - 2));
    t_packet_u16(p, ONWARD_DNS_A);
    t_packet_u16(p, 1);
    t_packet_u32(p, 60);
    t_packet_u16(p, 4);
    t_packet_put(p, "\300\0\2\1", 4);
}

static void long_name(struct t_packet *p)
{
    size_t mark;

    begin(p);
    mark = t_packet_rr(p, T_ANSWER, Q, ONWARD_DNS_CNAME, 60);
    for (int i = 0; i < 4; i++) {
        t_packet_u8(p, 63);
        for (int k = 0; k < 63; k++)
            t_packet_u8(p, 'a');
    }
    t_packet_u8(p, 0); /* 257 octets */
    t_packet_end(p, mark);
}

static void longest_name(struct t_packet *p)
{
    size_t mark;

    t_packet_begin(p, Q, ONWARD_DNS_A, 3);
    mark = t_packet_rr(p, T_ANSWER, Q, ONWARD_DNS_CNAME, 60);
    for (int i = 0; i < 4; i++) {
        int len = i == 3 ? 61 : 63;

        t_packet_u8(p, (unsigned)len);
        for (int k = 0; k < len; k++)
            t_packet_u8(p, 'a');
    }
    t_packet_u8(p, 0); /* 255 octets */
    t_packet_end(p, mark);
}

static void name_over_rdata(struct t_packet *p)
{
    size_t mark;

    begin(p);
    mark = t_packet_rr(p, T_ANSWER, Q, ONWARD_DNS_CNAME, 60);
    t_packet_name(p, "b.example");
    t_packet_end(p, mark);
    p->data[mark - 1]--;
    t_packet_u8(p, 0);
}

static void octets_in_rdata(struct t_packet *p)
{
    size_t mark;

    begin(p);
    mark = t_packet_rr(p, T_ANSWER, Q, ONWARD_DNS_CNAME, 60);
    t_packet_name(p, "b.example");
    t_packet_u8(p, 0);
    t_packet_end(p, mark);
}

static void text_rdata(struct t_packet *p, const char *rdata, size_t len)
{
    size_t mark;

    begin(p);
    mark = t_packet_rr(p, T_ANSWER, "x.example", ONWARD_DNS_TXT, 60);
    t_packet_put(p, rdata, len);
    t_packet_end(p, mark);
}

static void text_past_rdata(struct t_packet *p)
{
    text_rdata(p, "\3ab", 3);
}

static void text_without_strings(struct t_packet *p)
{
    text_rdata(p, "", 0);
}

static void soa_cut(struct t_packet *p)
{
    begin(p);
    t_packet_soa(p, "example", 60, 30);
    p->len--;
    p->data[p->len - 21 - 14 - 12]--;
}

static void too_long(struct t_packet *p)
{
    one_a(p);
    while (p->len < 65536)
        t_packet_u8(p, 0);
}

static void largest(struct t_packet *p)
{
    one_a(p);
    while (p->len < 65535)
        t_packet_u8(p, 0);
}

static const struct row {
    const char *title;
    void (*build)(struct t_packet *p);
    int want_ret;
    const char *want;
    uint32_t want_ttl_s;
} rows[] = {
    {"one address", one_a, 0, "OK 192.0.2.1", 60},
    {"compressed owner", compressed_owner, 0, "OK 192.0.2.1", 60},
    {"another letter case", other_case, 0, "OK 192.0.2.1", 60},
    {"foreign owner is left out", two_a_and_a_stranger, 0,
     "OK 192.0.2.1 192.0.2.2", 50},
    {"another class is left out", other_class, 0, "NODATA", 0},
    {"aliases in any order", chain, 0, "OK 192.0.2.1", 40},
    {"eight aliases", chain_of_eight, 0, "OK 192.0.2.1", 60},
    {"nine aliases", chain_of_nine, ONWARD_ELIMIT, "TEMP", 0},
    {"alias loop", chain_loop, ONWARD_ELIMIT, "TEMP", 0},
    {"alias to nothing", chain_and_nxdomain, 0, "NXDOMAIN", 0},
    {"alias and no data", chain_and_soa, 0, "NODATA", 30},
    {"no data", nothing, 0, "NODATA", 0},
    {"no data with SOA", nothing_with_soa, 0, "NODATA", 30},
    {"a SOA beside the name", foreign_soa, 0, "NODATA", 0},
    {"no such name", nxdomain, 0, "NXDOMAIN", 20},
    {"no such name, yet records", nxdomain_with_records, ONWARD_ESYNTAX, "TEMP",
     0},
    {"servfail", servfail, 0, "TEMP", 0},
    {"refused", refused, 0, "TEMP", 0},
    {"ttl with the top bit is 0", ttl_top_bit, 0, "OK 192.0.2.1", 0},
    {"additional section", additional, 0, "OK 192.0.2.1", 60},
    {"octets behind", octets_behind, 0, "OK 192.0.2.1", 60},
    {"name of 255 octets", longest_name, 0, "NXDOMAIN", 0},
    {"largest packet", largest, 0, "OK 192.0.2.1", 60},
    {"one octet more", too_long, ONWARD_ELIMIT, "TEMP", 0},
    {"empty packet", empty, ONWARD_ESYNTAX, "TEMP", 0},
    {"not a reply", a_question, ONWARD_ESYNTAX, "TEMP", 0},
    {"another opcode", other_opcode, ONWARD_ESYNTAX, "TEMP", 0},
    {"cut off", cut_off, ONWARD_ESYNTAX, "TEMP", 0},
    {"no question", no_question, ONWARD_ESYNTAX, "TEMP", 0},
    {"another name asked", other_name, ONWARD_ESYNTAX, "TEMP", 0},
    {"another type asked", other_type, ONWARD_ESYNTAX, "TEMP", 0},
    {"more answers said", more_answers_said, ONWARD_ESYNTAX, "TEMP", 0},
    {"more authority said", more_authority_said, ONWARD_ESYNTAX, "TEMP", 0},
    {"more additional said", more_additional_said, ONWARD_ESYNTAX, "TEMP", 0},
    {"rdata past the end", rdata_past_end, ONWARD_ESYNTAX, "TEMP", 0},
    {"short address", short_address, ONWARD_ESYNTAX, "TEMP", 0},
    {"pointer to itself", pointer_to_itself, ONWARD_ESYNTAX, "TEMP", 0},
    {"pointer forward", pointer_forward, ONWARD_ESYNTAX, "TEMP", 0},
    {"pointer past the end", pointer_past_end, ONWARD_ESYNTAX, "TEMP", 0},
    {"pointer loop", pointer_loop, ONWARD_ESYNTAX, "TEMP", 0},
    {"half a pointer", pointer_half, ONWARD_ESYNTAX, "TEMP", 0},
    {"reserved label type", reserved_label, ONWARD_ESYNTAX, "TEMP", 0},
    {"chain of pointers", pointer_chain, ONWARD_ESYNTAX, "TEMP", 0},
    {"name over 255 octets", long_name, ONWARD_ESYNTAX, "TEMP", 0},
    {"name over its rdata", name_over_rdata, ONWARD_ESYNTAX, "TEMP", 0},
    {"octets behind a name", octets_in_rdata, ONWARD_ESYNTAX, "TEMP", 0},
    {"string past its rdata", text_past_rdata, ONWARD_ESYNTAX, "TEMP", 0},
    {"text without strings", text_without_strings, ONWARD_ESYNTAX, "TEMP", 0},
    {"SOA cut off", soa_cut, ONWARD_ESYNTAX, "TEMP", 0},
};

static struct t_packet packet; /* too large for the stack of a test */

/* Give it from memory of its own, so that reading past it is seen. */
static int answer(struct t_asker *a, uint64_t token, uint64_t flags)
{
    unsigned char *copy = malloc(packet.len + 1);
    int r;

    assert_non_null(copy);
    memcpy(copy + 1, packet.data, packet.len);
    r = onward_dns_answer_wire(a->desk, token, copy + 1, packet.len, flags);
    free(copy);
    return r;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct onward_dns_lookup *lookup;
    struct t_asker a;
    char *text;

    t_asker_init(&a, NULL);
    lookup = t_asker_ask(&a, Q, ONWARD_DNS_A);
    t_asker_run(&a);
    assert_int_equal(a.asked_count, 1);
    row->build(&packet);
    assert_int_equal(answer(&a, a.asked[0].token, 0), row->want_ret);
    assert_int_equal(answer(&a, a.asked[0].token, 0), ONWARD_ESTALE);
    t_asker_run(&a);
    text = t_lookup_text(lookup, ONWARD_DNS_A);
    assert_string_equal(text, row->want);
    assert_int_equal(onward_dns_lookup_ttl_s(lookup), row->want_ttl_s);
    assert_int_equal(a.done_count, 1);
    free(text);
    onward_dns_lookup_free(lookup);
    t_asker_clear(&a);
}

/* Every packet cut short anywhere is an error, never another answer. */
static void test_cut_short(void **state)
{
    struct onward_dns_lookup *lookup;
    size_t whole;
    struct t_asker a;

    (void)state;
    chain_of_eight(&packet);
    t_packet_soa(&packet, "example", 60, 30);
    whole = packet.len;
    for (size_t len = 0; len < whole; len++) {
        t_asker_init(&a, NULL);
        lookup = t_asker_ask(&a, Q, ONWARD_DNS_A);
        t_asker_run(&a);
        packet.len = len;
        assert_int_equal(answer(&a, a.asked[0].token, 0), ONWARD_ESYNTAX);
        onward_dns_lookup_free(lookup);
        t_asker_clear(&a);
    }
}

static struct onward_dns_lookup *get(struct t_asker *a, uint32_t type,
                                     uint64_t flags, int want_ret)
{
    struct onward_dns_lookup *lookup;

    t_asker_init(a, NULL);
    lookup = t_asker_ask(a, Q, type);
    t_asker_run(a);
    assert_int_equal(answer(a, a->asked[0].token, flags), want_ret);
    t_asker_run(a);
    return lookup;
}

static void put_away(struct t_asker *a, struct onward_dns_lookup *lookup)
{
    onward_dns_lookup_free(lookup);
    t_asker_clear(a);
}

static void test_text(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;
    size_t mark;

    (void)state;
    t_packet_begin(&packet, Q, ONWARD_DNS_TXT, 0);
    mark = t_packet_rr(&packet, T_ANSWER, Q, ONWARD_DNS_TXT, 60);
    t_packet_put(&packet, "\3v=s\0\4pf1\0", 10);
    t_packet_end(&packet, mark);
    lookup = get(&a, ONWARD_DNS_TXT, ONWARD_DNS_SECURE, 0);
    assert_int_equal(onward_dns_lookup_count(lookup), 1);
    t_assert_str_n(onward_dns_lookup_data(lookup, 0), "v=spf1\0", 7);
    assert_int_equal(onward_dns_lookup_is_secure(lookup), 1);
    put_away(&a, lookup);
}

static void test_mx(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;
    size_t mark;
    char *text;

    (void)state;
    t_packet_begin(&packet, Q, ONWARD_DNS_MX, 0);
    mark = t_packet_rr(&packet, T_ANSWER, Q, ONWARD_DNS_MX, 60);
    t_packet_u16(&packet, 10);
    t_packet_put(&packet, "\2MX\300\014", 5);
    t_packet_end(&packet, mark);
    mark = t_packet_rr(&packet, T_ANSWER, Q, ONWARD_DNS_MX, 60);
    t_packet_put(&packet, "\377\377\0", 3);
    t_packet_end(&packet, mark);
    mark = t_packet_rr(&packet, T_ANSWER, Q, ONWARD_DNS_MX, 60);
    t_packet_put(&packet, "\0\0\4a.b\0\300\014", 9);
    t_packet_end(&packet, mark);
    lookup = get(&a, ONWARD_DNS_MX, 0, 0);
    text = t_lookup_text(lookup, ONWARD_DNS_MX);
    assert_string_equal(text,
                        "OK 10:mx.q.example 65535: 0:a\\046b\\000.q.example");
    free(text);
    put_away(&a, lookup);
}

/* Small on the wire, large when read: 5000 names of 1000 octets as text. */
static void test_amplified(void **state)
{
    struct onward_dns_lookup *lookup;
    struct t_asker a;
    unsigned at = 0;

    (void)state;
    t_packet_begin(&packet, Q, ONWARD_DNS_NS, 0);
    for (int i = 0; i < 5000; i++) {
        size_t mark;

        packet.data[T_ANSWER] = (unsigned char)((i + 1) >> 8);
        packet.data[T_ANSWER + 1] = (unsigned char)(i + 1);
        t_packet_u16(&packet, 0xc00c);
        t_packet_u16(&packet, ONWARD_DNS_NS);
        t_packet_u16(&packet, 1);
        t_packet_u32(&packet, 60);
        t_packet_u16(&packet, 0);
        mark = packet.len;
        if (i == 0) {
            at = (unsigned)packet.len;
            for (int k = 0; k < 3; k++) {
                t_packet_u8(&packet, 63);
                for (int n = 0; n < 63; n++)
                    t_packet_u8(&packet, 0);
            }
            t_packet_u8(&packet, 0);
        } else {
            t_packet_u16(&packet, 0xc000u | at);
        }
        t_packet_end(&packet, mark);
        if (packet.len > 65000)
            break;
    }
    lookup = get(&a, ONWARD_DNS_NS, 0, ONWARD_ELIMIT);
    assert_int_equal(onward_dns_lookup_status(lookup), ONWARD_DNS_STATUS_TEMP);
    assert_true(a.w.peak_bytes < 2u << 20);
    assert_string_equal(a.w.last_log, "dns reply-too-much q.example");
    put_away(&a, lookup);
}

/* ---- Text replies ------------------------------------------------------ */

static const struct text_row {
    const char *title;
    const char *text;
    int want_ret;
    const char *want;
} text_rows[] = {
    {"dig lines",
     "q.example.\t\t300\tIN\tA\t192.0.2.1\nq.example. 60 IN A 192.0.2.2\n", 0,
     "OK 192.0.2.1 192.0.2.2"},
    {"no last line end", "q.example. 300 IN A 192.0.2.1", 0, "OK 192.0.2.1"},
    {"with an alias and its signature",
     "q.example. 300 IN CNAME b.example.\n"
     "q.example. 300 IN RRSIG CNAME 8 2 300 20300101000000 20200101000000 1 "
     "example. abcd=\n"
     "b.example. 300 IN A 192.0.2.1\n",
     0, "OK 192.0.2.1"},
    {"nothing", "", 0, "NODATA"},
    {"a comment", "; nothing\n", 0, "NODATA"},
    {"another name", "r.example. 300 IN A 192.0.2.1\n", 0, "NODATA"},
    {"broken line", "q.example. 300 IN A 192.0.2\n", ONWARD_ESYNTAX, "TEMP"},
    {"a mark", "q.example. A !SECURE\n", ONWARD_ESYNTAX, "TEMP"},
};

static void test_text_row(void **state)
{
    const struct text_row *row = *state;
    struct onward_dns_lookup *lookup;
    struct t_asker a;
    char *text;

    t_asker_init(&a, NULL);
    lookup = t_asker_ask(&a, Q, ONWARD_DNS_A);
    t_asker_run(&a);
    assert_int_equal(onward_dns_answer_text(a.desk, a.asked[0].token,
                                            onward_str_of(row->text),
                                            ONWARD_DNS_SECURE),
                     row->want_ret);
    t_asker_run(&a);
    text = t_lookup_text(lookup, ONWARD_DNS_A);
    assert_string_equal(text, row->want);
    assert_int_equal(onward_dns_lookup_is_secure(lookup), row->want_ret == 0);
    free(text);
    put_away(&a, lookup);
}

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + COUNT(text_rows) + 4];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[n++] = (struct CMUnitTest){.name = rows[i].title,
                                         .test_func = test_row,
                                         .initial_state = (void *)&rows[i]};
    for (size_t i = 0; i < COUNT(text_rows); i++)
        tests[n++] =
            (struct CMUnitTest){.name = text_rows[i].title,
                                .test_func = test_text_row,
                                .initial_state = (void *)&text_rows[i]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_cut_short);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_text);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_mx);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_amplified);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
