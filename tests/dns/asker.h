/* A desk, a resolver and lookups, as the tests of dns use them. */
#ifndef ONWARD_TESTS_DNS_ASKER_H
#define ONWARD_TESTS_DNS_ASKER_H

#include <onward/dns.h>

#include "support/support.h"

enum { T_ASKED_MAX = 64 };

struct t_asked {
    uint64_t token;
    uint32_t type;
    char name[300];
};

struct t_asker {
    struct t_world w;
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    int64_t now_ms;
    struct t_asked asked[T_ASKED_MAX]; /* what the host was asked, in order */
    size_t asked_count;
    uint64_t canceled[T_ASKED_MAX];
    size_t canceled_count;
    size_t done_count;
    int query_returns;
    void (*in_query)(struct t_asker *a, uint64_t token);
    void (*in_done)(struct t_asker *a, struct onward_dns_lookup *lookup);
};

/* With a host that notes what it is asked. opts may be NULL. */
void t_asker_init(struct t_asker *a, const struct onward_resolver_opts *opts);
/* Answers from these records alone. */
void t_asker_init_loaded(struct t_asker *a, const char *records);
void t_asker_clear(struct t_asker *a);
/* Until nothing is ready. */
void t_asker_run(struct t_asker *a);
struct onward_dns_lookup *t_asker_ask(struct t_asker *a, const char *name,
                                      uint32_t type);
/* Ask and run; the answer must be there. */
struct onward_dns_lookup *t_asker_get(struct t_asker *a, const char *name,
                                      uint32_t type);
void t_asker_lookup_host(struct t_asker *a, struct onward_dns_lookup_host *h);
void t_asker_resolver_host(struct t_asker *a, struct onward_resolver_host *h);

/* "OK 192.0.2.1 192.0.2.2", "NXDOMAIN": a lookup in one line. free() it. */
char *t_lookup_text(const struct onward_dns_lookup *lookup, uint32_t type);

/* Packets, put together by hand. */
struct t_packet {
    unsigned char data[70000];
    size_t len;
};

enum { T_ANSWER = 6, T_AUTHORITY = 8, T_ADDITIONAL = 10 };

/* Header (QR, RD, RA, that rcode) and question. */
void t_packet_begin(struct t_packet *p, const char *name, uint32_t type,
                    unsigned rcode);
void t_packet_u8(struct t_packet *p, unsigned value);
void t_packet_u16(struct t_packet *p, unsigned value);
void t_packet_u32(struct t_packet *p, uint32_t value);
void t_packet_name(struct t_packet *p, const char *name);
void t_packet_put(struct t_packet *p, const void *data, size_t len);
/* One more record in that section: owner, type, class IN, TTL; then its rdata
 * is put, then t_packet_end() fills in the length. Returns the mark for it. */
size_t t_packet_rr(struct t_packet *p, int section, const char *owner,
                   uint32_t type, uint32_t ttl_s);
void t_packet_end(struct t_packet *p, size_t mark);
void t_packet_a(struct t_packet *p, const char *owner, uint32_t ttl_s,
                unsigned last_octet); /* 192.0.2.last_octet */
void t_packet_cname(struct t_packet *p, const char *owner, uint32_t ttl_s,
                    const char *target);
void t_packet_soa(struct t_packet *p, const char *owner, uint32_t ttl_s,
                  uint32_t minimum);

#endif
