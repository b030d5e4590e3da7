#define _GNU_SOURCE
#include "resolve.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

static void ready(struct loop_watch *watch, uint32_t events)
{
    struct resolve *r =
        (struct resolve *)(void *)((char *)watch -
                                   offsetof(struct resolve, watch));

    (void)events;
    unbound_dns_ready(r->dns);
}

static int start_unbound(struct resolve *r, struct onward_desk *desk,
                         const struct resolve_opts *o, char *fault,
                         size_t fault_size)
{
    if (o->anchor != NULL && access(o->anchor, R_OK) != 0) {
        snprintf(fault, fault_size, "%s: %s, expected a readable file",
                 o->anchor, strerror(errno));
        return RESOLVE_WRONG;
    }
    r->dns = unbound_dns_new(desk, o->server, o->anchor);
    if (r->dns == NULL) {
        snprintf(fault, fault_size, "libunbound cannot be used");
        return RESOLVE_UNUSABLE;
    }
    r->watch.fd = unbound_dns_fd(r->dns);
    r->watch.ready = ready;
    if (loop_add(r->loop, &r->watch, EPOLLIN) != 0) {
        r->watch.fd = -1;
        snprintf(fault, fault_size, "libunbound: %s", strerror(errno));
        return RESOLVE_UNUSABLE;
    }
    return 0;
}

int resolve_open(struct resolve *r, struct onward_desk *desk, struct loop *loop,
                 const struct resolve_opts *o, char *fault, size_t fault_size)
{
    const struct onward_resolver_opts opts = {
        .size = sizeof(opts), .allow_only_loaded = o->records != NULL};
    struct load_fault why;
    int err;

    *r = (struct resolve){.loop = loop, .watch = {.fd = -1}};
    if (o->records == NULL) {
        err = start_unbound(r, desk, o, fault, fault_size);
        if (err != 0)
            return err;
    }
    err = onward_resolver_new(desk, &opts,
                              r->dns == NULL ? NULL : unbound_dns_host(r->dns),
                              &r->resolver);
    if (err != 0) {
        snprintf(fault, fault_size, "resolver: %s", onward_strerror(err));
        return RESOLVE_UNUSABLE;
    }
    if (o->records != NULL &&
        load_records(r->resolver, o->records, &why) != 0) {
        snprintf(fault, fault_size, "%s", why.text);
        return RESOLVE_WRONG;
    }
    return 0;
}

void resolve_close(struct resolve *r)
{
    onward_resolver_free(r->resolver);
    if (r->dns != NULL && r->watch.fd >= 0)
        loop_remove(r->loop, &r->watch);
    unbound_dns_free(r->dns);
    *r = (struct resolve){.watch = {.fd = -1}};
}
