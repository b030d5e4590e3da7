#include "dns/asker.h"

static int note_query(void *user, uint64_t token, const char *name,
                      size_t name_len, uint32_t type)
{
    struct t_asker *a = user;
    struct t_asked *asked = &a->asked[a->asked_count];

    assert_true(a->asked_count < T_ASKED_MAX);
    assert_true(name_len < sizeof(asked->name));
    a->asked_count++;
    asked->token = token;
    asked->type = type;
    memcpy(asked->name, name, name_len);
    asked->name[name_len] = '\0';
    if (a->in_query != NULL)
        a->in_query(a, token);
    /* still readable, whatever was freed inside */
    assert_memory_equal(asked->name, name, name_len);
    return a->query_returns;
}

static void note_cancel(void *user, uint64_t token)
{
    struct t_asker *a = user;

    assert_true(a->canceled_count < T_ASKED_MAX);
    a->canceled[a->canceled_count++] = token;
}

static void note_done(void *user, struct onward_dns_lookup *lookup)
{
    struct t_asker *a = user;

    assert_int_not_equal(onward_dns_lookup_status(lookup),
                         ONWARD_DNS_STATUS_PENDING);
    a->done_count++;
    if (a->in_done != NULL)
        a->in_done(a, lookup);
}

void t_asker_lookup_host(struct t_asker *a, struct onward_dns_lookup_host *h)
{
    *h = (struct onward_dns_lookup_host){
        .size = sizeof(*h), .user = a, .done = note_done};
}

void t_asker_resolver_host(struct t_asker *a, struct onward_resolver_host *h)
{
    *h = (struct onward_resolver_host){.size = sizeof(*h),
                                       .user = a,
                                       .query = note_query,
                                       .cancel = note_cancel};
}

void t_asker_init(struct t_asker *a, const struct onward_resolver_opts *opts)
{
    struct onward_resolver_host host;

    memset(a, 0, sizeof(*a));
    a->now_ms = 1000000;
    t_world_init(&a->w);
    t_asker_resolver_host(a, &host);
    assert_int_equal(onward_desk_new(a->w.ctx, NULL, &a->desk), 0);
    assert_int_equal(onward_resolver_new(a->desk, opts, &host, &a->resolver),
                     0);
}

void t_asker_init_loaded(struct t_asker *a, const char *records)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .allow_only_loaded = 1};
    struct onward_dns_fault fault = {.size = sizeof(fault)};

    t_asker_init(a, &opts);
    if (onward_resolver_load(a->resolver, onward_str_of(records), &fault) < 0) {
        print_error("line %zu: %.*s\n", fault.line, (int)fault.text.len,
                    fault.text.data);
        fail();
    }
}

void t_asker_clear(struct t_asker *a)
{
    onward_resolver_free(a->resolver);
    onward_desk_free(a->desk);
    t_world_clear(&a->w);
}

void t_asker_run(struct t_asker *a)
{
    int r;

    do {
        r = onward_desk_run(a->desk, a->now_ms);
        assert_true(r >= 0);
    } while (r > 0);
}

struct onward_dns_lookup *t_asker_ask(struct t_asker *a, const char *name,
                                      uint32_t type)
{
    struct onward_dns_lookup *lookup = NULL;
    struct onward_dns_lookup_host host;

    t_asker_lookup_host(a, &host);
    assert_int_equal(onward_dns_lookup_new(a->resolver, onward_str_of(name),
                                           type, &host, &lookup),
                     0);
    return lookup;
}

struct onward_dns_lookup *t_asker_get(struct t_asker *a, const char *name,
                                      uint32_t type)
{
    struct onward_dns_lookup *lookup = t_asker_ask(a, name, type);

    t_asker_run(a);
    assert_int_not_equal(onward_dns_lookup_status(lookup),
                         ONWARD_DNS_STATUS_PENDING);
    return lookup;
}

char *t_lookup_text(const struct onward_dns_lookup *lookup, uint32_t type)
{
    static const char *const names[] = {"PENDING",  "OK",   "NODATA",
                                        "NXDOMAIN", "TEMP", "BOGUS"};
    char *text = malloc(70000);
    size_t at;

    assert_non_null(text);
    at = (size_t)sprintf(text, "%s", names[onward_dns_lookup_status(lookup)]);
    for (size_t i = 0; i < onward_dns_lookup_count(lookup); i++) {
        struct onward_str data = onward_dns_lookup_data(lookup, i);
        struct onward_ip ip = {.family = type == ONWARD_DNS_A ? 4 : 6};

        text[at++] = ' ';
        if (type == ONWARD_DNS_A || type == ONWARD_DNS_AAAA) {
            assert_int_equal(data.len, ip.family == 4 ? 4 : 16);
            memcpy(ip.octets, data.data, data.len);
            at += (size_t)onward_ip_format(&ip, text + at, 64);
            continue;
        }
        if (type == ONWARD_DNS_MX)
            at += (size_t)sprintf(
                text + at,
                "%u:", (unsigned)onward_dns_lookup_preference(lookup, i));
        if (type == ONWARD_DNS_TLSA || type == 65280) {
            for (size_t k = 0; k < data.len; k++)
                at += (size_t)sprintf(text + at, "%02x",
                                      (unsigned char)data.data[k]);
            continue;
        }
        memcpy(text + at, data.data, data.len);
        at += data.len;
    }
    text[at] = '\0';
    return text;
}

/* ---- Packets ----------------------------------------------------------- */

void t_packet_put(struct t_packet *p, const void *data, size_t len)
{
    assert_true(sizeof(p->data) - p->len >= len);
    memcpy(p->data + p->len, data, len);
    p->len += len;
}

void t_packet_u8(struct t_packet *p, unsigned value)
{
    unsigned char octet = (unsigned char)value;

    t_packet_put(p, &octet, 1);
}

void t_packet_u16(struct t_packet *p, unsigned value)
{
    t_packet_u8(p, value >> 8 & 0xff);
    t_packet_u8(p, value & 0xff);
}

void t_packet_u32(struct t_packet *p, uint32_t value)
{
    t_packet_u16(p, (unsigned)(value >> 16));
    t_packet_u16(p, (unsigned)(value & 0xffff));
}

void t_packet_name(struct t_packet *p, const char *name)
{
    while (*name != '\0') {
        size_t len = strcspn(name, ".");

        t_packet_u8(p, (unsigned)len);
        t_packet_put(p, name, len);
        name += len;
        if (*name == '.')
            name++;
    }
    t_packet_u8(p, 0);
}

void t_packet_begin(struct t_packet *p, const char *name, uint32_t type,
                    unsigned rcode)
{
    p->len = 0;
    t_packet_u16(p, 0x1234);
    t_packet_u16(p, 0x8180 | rcode);
    t_packet_u16(p, 1);
    t_packet_u16(p, 0);
    t_packet_u16(p, 0);
    t_packet_u16(p, 0);
    t_packet_name(p, name);
    t_packet_u16(p, type);
    t_packet_u16(p, 1);
}

size_t t_packet_rr(struct t_packet *p, int section, const char *owner,
                   uint32_t type, uint32_t ttl_s)
{
    unsigned count = (unsigned)(p->data[section] << 8 | p->data[section + 1]);

    count++;
    p->data[section] = (unsigned char)(count >> 8);
    p->data[section + 1] = (unsigned char)count;
    t_packet_name(p, owner);
    t_packet_u16(p, type);
    t_packet_u16(p, 1);
    t_packet_u32(p, ttl_s);
    t_packet_u16(p, 0);
    return p->len;
}

void t_packet_end(struct t_packet *p, size_t mark)
{
    size_t len = p->len - mark;

    p->data[mark - 2] = (unsigned char)(len >> 8);
    p->data[mark - 1] = (unsigned char)len;
}

void t_packet_a(struct t_packet *p, const char *owner, uint32_t ttl_s,
                unsigned last_octet)
{
    size_t mark = t_packet_rr(p, T_ANSWER, owner, ONWARD_DNS_A, ttl_s);

    t_packet_put(p, "\300\0\2", 3);
    t_packet_u8(p, last_octet);
    t_packet_end(p, mark);
}

void t_packet_cname(struct t_packet *p, const char *owner, uint32_t ttl_s,
                    const char *target)
{
    size_t mark = t_packet_rr(p, T_ANSWER, owner, ONWARD_DNS_CNAME, ttl_s);

    t_packet_name(p, target);
    t_packet_end(p, mark);
}

void t_packet_soa(struct t_packet *p, const char *owner, uint32_t ttl_s,
                  uint32_t minimum)
{
    size_t mark = t_packet_rr(p, T_AUTHORITY, owner, ONWARD_DNS_SOA, ttl_s);

    t_packet_name(p, "ns.example");
    t_packet_name(p, "host.example");
    for (int i = 0; i < 4; i++)
        t_packet_u32(p, 1);
    t_packet_u32(p, minimum);
    t_packet_end(p, mark);
}
