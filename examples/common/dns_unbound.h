/*
 * DNS for the programs: libunbound, which validates DNSSEC, as the host of a
 * resolver.
 */
#ifndef UNBOUND_DNS_H
#define UNBOUND_DNS_H

#include <onward/dns.h>

struct unbound_dns;

/*
 * server: the address of a recursive resolver ("192.0.2.53", "::1@5353"), or
 * NULL for those of /etc/resolv.conf. anchor: a file of DS or DNSKEY records,
 * which are believed instead of those of the root zone; NULL: Debian's file of
 * these, if it is there. NULL: out of memory, no such address, or a file that
 * cannot be read.
 */
struct unbound_dns *unbound_dns_new(struct onward_desk *desk,
                                    const char *server, const char *anchor);
void unbound_dns_free(struct unbound_dns *dns);
/* The table for onward_resolver_new(); lives as long as dns. */
const struct onward_resolver_host *
unbound_dns_host(const struct unbound_dns *dns);
/* Readable when there are answers; then call unbound_dns_ready(). */
int unbound_dns_fd(const struct unbound_dns *dns);
void unbound_dns_ready(struct unbound_dns *dns);

#endif
