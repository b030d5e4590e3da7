/*
 * Destinations: whose owner has said that mail may go there. Kept in the store
 * of the state folder, where the forwarder, `onward destinations` and others
 * see the same. An owner proves it by a token that was sent there: it is good
 * for once, until it expires or another one was made.
 */
#ifndef DESTINATIONS_H
#define DESTINATIONS_H

#include <stdbool.h>

#include <onward/token.h>

#include "lmdb_store.h"

/* Of an address, with its domain in A-labels, and NUL. */
#define DESTINATION_TEXT_MAX 330

enum destination_state {
    DESTINATION_PENDING = 1,
    DESTINATION_VERIFIED = 2,
    DESTINATION_REVOKED = 3
};

struct destination {
    enum destination_state state;
    int64_t since_s;
    char nonce[17]; /* of the token that counts; empty: none does */
    uint64_t version;
};

const char *destination_state_name(enum destination_state state);

/* As the store has it. false: no address. */
bool destination_name(struct onward_ctx *ctx, const char *text,
                      char out[DESTINATION_TEXT_MAX]);
/* 1; 0: nothing is known of it; -1: it cannot be told. */
int destination_get(struct lmdb_store *s, struct onward_str address,
                    struct destination *out);
/* As `destination` of struct onward_ruleset_facts: one that is revoked stays
 * so until it is verified anew. */
int destination_fact(struct lmdb_store *s, struct onward_str address);
/* 0 or -1. */
int destination_each(struct lmdb_store *s,
                     void (*visit)(void *user, struct onward_str address,
                                   const struct destination *d),
                     void *user);
/* A token for it; those before count no more. 1; 0: it is verified; -1. */
int destination_invite(struct lmdb_store *s, struct onward_ctx *ctx,
                       struct onward_str address, int64_t expires_s,
                       char token[ONWARD_TOKEN_TEXT_MAX]);
/*
 * Whose token is that? 1: it counts; 0: it is wrong, too old or used; -1: it
 * cannot be told. address is filled when 1. confirm: and that one is verified
 * from now on.
 */
int destination_redeem(struct lmdb_store *s, struct onward_ctx *ctx,
                       struct onward_str token, bool confirm,
                       char address[DESTINATION_TEXT_MAX]);
/* 0 or -1. */
int destination_revoke(struct lmdb_store *s, struct onward_str address);

#endif
