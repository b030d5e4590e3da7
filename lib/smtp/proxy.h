/*
 * The PROXY protocol of HAProxy, versions 1 and 2: what a proxy says first on a
 * connection about the client behind it.
 */
#ifndef ONWARD_SMTP_PROXY_H
#define ONWARD_SMTP_PROXY_H

#include "core/core_shared.h"

enum {
    ONWARD_SMTP__PROXY_V1_MAX = 107, /* octets of a line, CRLF included */
    ONWARD_SMTP__PROXY_V2_HEAD = 16
};

/* Zero-filled at the start. */
struct onward_smtp__proxy {
    unsigned char head[ONWARD_SMTP__PROXY_V1_MAX];
    size_t len;  /* in head */
    size_t rest; /* version 2: octets behind head that are skipped */
    /* The result. family 0: LOCAL, UNKNOWN or a family that is not IP. */
    struct onward_ip client_ip, local_ip;
    size_t client_port, local_port;
    bool is_local; /* the proxy speaks for itself (a health check) */
};

/*
 * Take octets, not one more than belongs to the header. 1: it is whole; 0: more
 * is needed; ONWARD_ESYNTAX: it is none. TLVs are skipped, never kept.
 */
ONWARD_USE_RESULT int onward_smtp__proxy_take(struct onward_smtp__proxy *p,
                                              const void *data, size_t len,
                                              size_t *taken);

#endif
