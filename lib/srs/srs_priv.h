/*
 * The rewriter inside: srs.c owns it, parts.c takes addresses apart, tag.c has
 * stamps and hashes, rewrite.c the way there and back, kept.c the senders that
 * do not fit.
 */
#ifndef ONWARD_SRS_PRIV_H
#define ONWARD_SRS_PRIV_H

#include <onward/srs.h>

#include <stdatomic.h>

#include "key/key_shared.h"

enum {
    ONWARD_SRS__LOCAL_MAX = 64,
    ONWARD_SRS__DOMAIN_MAX = 255,
    ONWARD_SRS__STAMP_LEN = 2,
    /* The 28th character of the base64 text of SHA-1 is '=', our separator. */
    ONWARD_SRS__HASH_MAX = 27,
    ONWARD_SRS__ID_LEN = 16 /* of a sender that is kept, in base32 */
};

struct onward_srs__secret {
    size_t len;
    char data[ONWARD_SRS_SECRET_MAX];
};

struct onward_srs {
    struct onward_ctx *ctx;
    atomic_size_t refs;
    struct onward_srs_opts opts; /* resolved, no 0 left but for flags */
    size_t count;
    struct onward_srs__secret secrets[];
};

/* ---- Parts (parts.c) --------------------------------------------------- */

struct onward_srs__mailbox {
    struct onward_str local, domain;
};

bool onward_srs__is_domain(struct onward_str s);
/* Can it stand bare inside of another local part? */
bool onward_srs__is_local(struct onward_str s);
/* At the last "@"; the domain is one. */
bool onward_srs__split(struct onward_str address,
                       struct onward_srs__mailbox *out);
/* "SRS0" or "SRS1" in any case and a separator. */
bool onward_srs__has_tag(struct onward_str local, const char *tag);

/* What follows "SRS1=": hash, host, and the first host's local part without
 * its four letters, which begins with the separator that it had. */
struct onward_srs__srs1 {
    struct onward_str hash, host, rest;
};

/* domain is empty for a sender that is kept: local is its id then. */
struct onward_srs__srs0 {
    struct onward_str hash, stamp, domain, local;
};

bool onward_srs__split_srs1(struct onward_str local,
                            struct onward_srs__srs1 *out);
bool onward_srs__split_srs0(struct onward_str local,
                            struct onward_srs__srs0 *out);

/* ---- Stamps and hashes (tag.c) ----------------------------------------- */

/* "A" to "7" for 0 to 31. */
char onward_srs__base32(unsigned digit);

void onward_srs__write_stamp(const struct onward_srs *srs,
                             char out[ONWARD_SRS__STAMP_LEN]);
/* How many days ago; false: no stamp. One in the future was long ago. */
bool onward_srs__stamp_age(const struct onward_srs *srs,
                           struct onward_str stamp, unsigned *age_days);

/* Fields that a hash covers, in lower case: mailers fold both halves. Behind
 * each stands a NUL. */
struct onward_srs__covered {
    size_t count;
    size_t ends[4];
    char data[ONWARD_SRS__LOCAL_MAX + ONWARD_SRS__DOMAIN_MAX +
              ONWARD_SRS__STAMP_LEN + 6];
};

bool onward_srs__cover(struct onward_srs__covered *c, struct onward_str field);
/* The first hash_len characters of the one that signs. */
struct onward_str onward_srs__hash(const struct onward_srs *srs,
                                   const struct onward_srs__covered *c,
                                   char out[ONWARD_SRS__HASH_MAX]);
bool onward_srs__check_hash(const struct onward_srs *srs,
                            struct onward_str given,
                            const struct onward_srs__covered *c);

/* ---- Writing (rewrite.c) ----------------------------------------------- */

/* The new address, in room that the caller has measured. */
struct onward_srs__writer {
    char data[ONWARD_SRS_TEXT_MAX];
    size_t len;
    bool is_full;
};

void onward_srs__put(struct onward_srs__writer *w, struct onward_str s);
/* "SRS0=", the hash and "=". */
void onward_srs__put_tag(const struct onward_srs *srs,
                         struct onward_srs__writer *w, const char *tag,
                         const struct onward_srs__covered *c);
/* With its domain and a NUL to out: the length, or ONWARD_ELIMIT. */
int onward_srs__write_out(struct onward_srs__writer *w,
                          struct onward_str domain, char *out);
/* Of "fwd.example.net" or "x@fwd.example.net"; false: no domain. */
bool onward_srs__alias_domain(struct onward_str alias, struct onward_str *out);

/* ---- Kept senders (kept.c) --------------------------------------------- */

/* Writes the key of an id. ONWARD_SRS_KEPT, or ONWARD_SRS_MALFORMED. */
int onward_srs__reverse_kept(const struct onward_srs__srs0 *parts,
                             struct onward_srs__writer *w);

#endif
