/*
 * Files that the library parses: keys, rules, DNS records, SRS secrets. Every
 * fault is said as FILE:LINE: what, expected what.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>

#include <onward/dns.h>
#include <onward/key.h>
#include <onward/ruleset.h>
#include <onward/srs.h>
#include <onward/token.h>

/* Why a file was not taken: one line. */
struct load_fault {
    char text[1024];
};

/* A private key in PEM. NULL: see fault. What was read is wiped. */
struct onward_key *load_key(struct onward_ctx *ctx, const char *path,
                            struct load_fault *fault);
/* Rules in JSON, or an image of them, which is mapped. NULL: see fault. */
struct onward_ruleset *load_rules(struct onward_ctx *ctx, const char *path,
                                  struct load_fault *fault);
/* Look at every octet of an image; a file that is none is no fault. 0, or -1:
 * see fault. */
int load_check_image(struct onward_ctx *ctx, const char *path,
                     struct load_fault *fault);
/* DNS records. 0, or -1: see fault. */
int load_records(struct onward_resolver *resolver, const char *path,
                 struct load_fault *fault);
/*
 * SRS secrets, one a line: the first signs, all verify. opts may be NULL. NULL:
 * see fault. What was read is wiped.
 */
struct onward_srs *load_srs(struct onward_ctx *ctx, const char *path,
                            const struct onward_srs_opts *opts,
                            struct load_fault *fault);

/* Secrets of tokens in the same form, of 16 octets or more. NULL: see fault. */
struct onward_token_minter *load_minter(struct onward_ctx *ctx,
                                        const char *path,
                                        struct load_fault *fault);

#endif
