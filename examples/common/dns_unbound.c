#define _GNU_SOURCE
#include "dns_unbound.h"

#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <unistd.h>

/* Where Debian's dns-root-data keeps the anchor of the root zone. */
#define ROOT_ANCHOR "/usr/share/dns/root.key"

struct unbound_dns {
    struct ub_ctx *ub;
    struct onward_desk *desk;
    struct onward_resolver_host host;
    struct asked *asked;
};

/* One question under way. */
struct asked {
    struct asked *prev, *next;
    struct unbound_dns *dns;
    uint64_t token;
    int async_id;
};

static void forget(struct asked *a)
{
    if (a->prev != NULL)
        a->prev->next = a->next;
    else
        a->dns->asked = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
    free(a);
}

static void answered(void *user, int error, struct ub_result *result)
{
    struct asked *a = user;
    struct onward_desk *desk = a->dns->desk;
    uint64_t token = a->token;

    forget(a);
    /* A late answer is stale, which is no concern of ours. */
    if (error != 0 || result == NULL) {
        onward_dns_answer_error(desk, token, ONWARD_DNS_SERVFAIL);
    } else if (result->bogus) {
        onward_dns_answer_error(desk, token, ONWARD_DNS_BOGUS);
    } else if (result->answer_packet == NULL) {
        onward_dns_answer_error(desk, token, ONWARD_DNS_SERVFAIL);
    } else {
        onward_dns_answer_wire(desk, token, result->answer_packet,
                               (size_t)result->answer_len,
                               result->secure ? ONWARD_DNS_SECURE : 0);
    }
    ub_resolve_free(result);
}

static int query(void *user, uint64_t token, const char *name, size_t name_len,
                 uint32_t type)
{
    struct unbound_dns *dns = user;
    struct asked *a = calloc(1, sizeof(*a));
    char *text = strndup(name, name_len);
    int error = -1;

    if (a != NULL && text != NULL) {
        a->dns = dns;
        a->token = token;
        a->next = dns->asked;
        if (dns->asked != NULL)
            dns->asked->prev = a;
        dns->asked = a;
        error = ub_resolve_async(dns->ub, text, (int)type, 1 /* IN */, a,
                                 answered, &a->async_id);
        if (error != 0)
            forget(a);
    } else {
        free(a);
    }
    free(text);
    return error == 0 ? 0 : -1;
}

static void cancel(void *user, uint64_t token)
{
    struct unbound_dns *dns = user;

    for (struct asked *a = dns->asked; a != NULL; a = a->next) {
        if (a->token == token) {
            ub_cancel(dns->ub, a->async_id);
            forget(a);
            return;
        }
    }
}

struct unbound_dns *unbound_dns_new(struct onward_desk *desk,
                                    const char *server, const char *anchor)
{
    struct unbound_dns *dns = calloc(1, sizeof(*dns));
    int error = 0;

    if (dns == NULL)
        return NULL;
    dns->desk = desk;
    dns->host = (struct onward_resolver_host){.size = sizeof(dns->host),
                                              .user = dns,
                                              .query = query,
                                              .cancel = cancel};
    dns->ub = ub_ctx_create();
    if (dns->ub == NULL) {
        free(dns);
        return NULL;
    }
    ub_ctx_async(dns->ub, 1);
    if (server != NULL)
        error = ub_ctx_set_fwd(dns->ub, server);
    else
        ub_ctx_resolvconf(dns->ub, NULL);
    /* What is in the file libunbound reads with the first question. */
    if (anchor != NULL)
        error |= access(anchor, R_OK) != 0 ||
                 ub_ctx_add_ta_file(dns->ub, anchor) != 0;
    else if (access(ROOT_ANCHOR, R_OK) == 0)
        ub_ctx_add_ta_file(dns->ub, ROOT_ANCHOR);
    if (error != 0) {
        unbound_dns_free(dns);
        return NULL;
    }
    return dns;
}

void unbound_dns_free(struct unbound_dns *dns)
{
    if (dns == NULL)
        return;
    while (dns->asked != NULL) {
        ub_cancel(dns->ub, dns->asked->async_id);
        forget(dns->asked);
    }
    ub_ctx_delete(dns->ub);
    free(dns);
}

const struct onward_resolver_host *
unbound_dns_host(const struct unbound_dns *dns)
{
    return &dns->host;
}

int unbound_dns_fd(const struct unbound_dns *dns)
{
    return ub_fd(dns->ub);
}

void unbound_dns_ready(struct unbound_dns *dns)
{
    ub_process(dns->ub);
}
