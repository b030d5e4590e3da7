/*
 * Our client session and our server session with a wire between them, in
 * memory, in the clear or under TLS.
 */
#ifndef ONWARD_TESTS_SMTP_PAIR_H
#define ONWARD_TESTS_SMTP_PAIR_H

#include "smtp/play.h"
#include "smtp/server_host.h"
#include "support/certs.h"

#define ACCEPTED "delivered final reply 250 2.0.0 Message accepted"

enum { T_BIG = 60000 };

/* Made once, as making them is slow: t_pair_certs() and _certs_free() are for
 * the group. leaf is mx.test by ca; big is text with many dots. */
struct t_pair_certs {
    struct t_cert *ca, *other_ca, *leaf;
    char *big;
};
extern struct t_pair_certs t_pair_certs;
int t_pair_certs_make(void **state);
int t_pair_certs_free(void **state);

struct t_pair {
    struct t_world world;
    struct t_server server;
    struct t_play client;
    struct onward_tls_config *server_tls, *client_tls;
};

struct t_pair_how {
    enum onward_tls_level level;
    const struct t_cert *trusted;
    const char *name; /* of the server, for TLS */
    bool defers;      /* the server's host answers later */
    size_t server_flags, server_mode, server_rcpts;
    size_t client_flags, chunk;
    const struct onward_str *tlsa; /* with ONWARD_TLS_DANE */
    size_t tlsa_count;
};

struct onward_tls_config *t_pair_config(struct t_world *w,
                                        enum onward_tls_role role,
                                        const struct t_cert *trusted);
struct t_pair *t_pair_new(const struct t_pair_how *how);
/* Carry at most step octets at a time (0: all) until nothing moves. */
void t_pair_settle(struct t_pair *e, size_t step);
void t_pair_free(struct t_pair *e);
void t_pair_assert(const struct t_pair *e, size_t i, const char *want);

#endif
