/*
 * Destinations: whose owner has said that mail may go there. Kept in the store
 * of the state folder, or in the Redis that forwarders share, where the
 * forwarder, `onward destinations` and others see the same. An owner proves it
 * by a token that was sent there: it is good for once, until it expires or
 * another one was made.
 *
 * Forwarders that share a Redis each have a copy in the state folder, which
 * follows it: they must not wait for an answer at each recipient.
 */
#ifndef DESTINATIONS_H
#define DESTINATIONS_H

#include <stdbool.h>
#include <stdio.h>

#include <onward/token.h>

#include "shelf.h"

/* Keys. */
#define DESTINATION_PREFIX "onward/destination/1/"
#define DESTINATION_SECRET "onward/destination-secret/1/"
/* Changes with each of them, in Redis. */
#define DESTINATION_SERIAL "onward/destination-serial/1/"
/* In a state folder: the URL of the Redis of which it has a copy. */
#define DESTINATION_HOME "onward/destination-home/1/"
#define DESTINATION_HOME_MAX 1000

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
int destination_get(const struct shelf *s, struct onward_str address,
                    struct destination *out);
/* As `destination` of struct onward_ruleset_facts: one that is revoked stays
 * so until it is verified anew. */
int destination_fact(const struct shelf *s, struct onward_str address);
/* Of a key and a value as they are kept. false: no such pair. */
bool destination_read(struct onward_str key, struct onward_str value,
                      struct onward_str *address, struct destination *d);
/* 0 or -1. */
int destination_each(const struct shelf *s,
                     void (*visit)(void *user, struct onward_str address,
                                   const struct destination *d),
                     void *user);
/* A token for it; those before count no more. 1; 0: it is verified; -1. */
int destination_invite(const struct shelf *s, struct onward_ctx *ctx,
                       struct onward_str address, int64_t expires_s,
                       char token[ONWARD_TOKEN_TEXT_MAX]);
/*
 * Whose token is that? 1: it counts; 0: it is wrong, too old or used; -1: it
 * cannot be told. When 1, address is filled, and before (which may be NULL)
 * with what was known of it. confirm: and that one is verified from now on.
 */
int destination_redeem(const struct shelf *s, struct onward_ctx *ctx,
                       struct onward_str token, bool confirm,
                       char address[DESTINATION_TEXT_MAX],
                       struct destination *before);
/* 0 or -1. */
int destination_revoke(const struct shelf *s, struct onward_str address);

/* Of which Redis does that folder have a copy? 1; 0: of none, what is there
 * counts; -1. */
int destination_home(struct lmdb_store *s, char url[DESTINATION_HOME_MAX]);
/* "": of none. Negative: not done. */
int destination_set_home(struct lmdb_store *s, const char *url);

/* A line of the audit log, as the forwarder writes it of its rules. before:
 * all 0, it was not known. */
void destination_audit(FILE *out, const char *by, struct onward_str address,
                       const struct destination *before,
                       enum destination_state after);

#endif
