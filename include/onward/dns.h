#ifndef ONWARD_DNS_H
#define ONWARD_DNS_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * DNS questions and answers (RFC 1035, RFC 2181, RFC 2308). The library never
 * speaks to a name server: a resolver joins equal questions, keeps a bounded
 * cache, and hands the rest to the host, by callback or by pulling. A resolver
 * belongs to its desk and so to one thread at a time.
 */

/** Record types that the library asks for. */
enum onward_dns_type {
    ONWARD_DNS_A = 1,
    ONWARD_DNS_NS = 2,
    ONWARD_DNS_CNAME = 5,
    ONWARD_DNS_SOA = 6,
    ONWARD_DNS_PTR = 12,
    ONWARD_DNS_MX = 15,
    ONWARD_DNS_TXT = 16,
    ONWARD_DNS_AAAA = 28,
    ONWARD_DNS_TLSA = 52
};

/** Flags of an answer. */
enum onward_dns_answer_flags {
    /** The host's resolver validated it by DNSSEC, over a path it trusts. */
    ONWARD_DNS_SECURE = 1
};

/** Why there is no answer. */
enum onward_dns_failure {
    ONWARD_DNS_SERVFAIL = 1,
    ONWARD_DNS_TIMEOUT = 2,
    ONWARD_DNS_BOGUS = 3,   /**< DNSSEC validation failed */
    ONWARD_DNS_REFUSED = 4, /**< also: the host did not want to ask */
    ONWARD_DNS_NODATA = 5,  /**< the name exists, without that type */
    ONWARD_DNS_NXDOMAIN = 6 /**< the name does not exist */
};

struct onward_resolver; /* opaque */

/** How a resolver asks its host. */
struct onward_resolver_host {
    size_t size;
    void *user;
    /**
     * Ask for name and type; answer by onward_dns_answer_wire(), _text() or
     * _error(), now or later. name is lower-case ASCII without a final dot,
     * borrowed for the call. Return 0, or a negative number when it cannot be
     * asked, which is answered as ONWARD_DNS_SERVFAIL.
     */
    int (*query)(void *user, uint64_t token, const char *name,
                 size_t name_len, uint32_t type);
    /** Nobody waits for that token any more; an answer to it is stale. May be
     * NULL. */
    void (*cancel)(void *user, uint64_t token);
};

#ifdef __cplusplus
}
#endif

#endif
