/*
 * Connections to policy hosts (MTA-STS): the library says where to connect, and
 * here are the sockets, in a loop.
 */
#ifndef FETCHES_H
#define FETCHES_H

#include <stdbool.h>
#include <stdint.h>

#include <onward/mtasts.h>

#include "conn.h"

struct fetch;

/* What one onward_mtasts gets its connections by. All is borrowed. */
struct fetcher {
    struct onward_desk *desk;
    struct loop *loop;
    struct conn_list *conns;
    struct fetch **list; /* NULL in it at first; several may share it */
    size_t port;         /* of policy hosts */
};

/* Fill the table for onward_mtasts_new(). fetcher must outlive the handle. */
void fetcher_host(struct fetcher *fetcher, bool allow_private_addresses,
                  struct onward_mtasts_host *host);
/* End those of that fetcher; after onward_mtasts_free(). */
void fetcher_close(struct fetcher *fetcher);
/* When fetches_time() has something to do, or ONWARD_NEVER. */
int64_t fetches_deadline(const struct fetch *list);
/* Go on to the next address where one does not answer. */
void fetches_time(struct fetch *list, int64_t now_ms);

#endif
