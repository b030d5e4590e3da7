/* What `onward sign` and `onward seal` share: a key, a message, their output.
 */
#ifndef SIGNING_H
#define SIGNING_H

#include <stdbool.h>

#include <onward/key.h>

#include "cli.h"
#include "message.h"
#include "options.h"
#include "world.h"

enum { SIGNING_MAX = 8 };

/*
 * Number i of each list belongs to signature i; what is given once is for all
 * of them.
 */
struct signing {
    struct option_list key_files, domains, selectors;
    struct option_seconds expire;
    bool is_raw;
    bool needs_resolver; /* set before signing_begin() */
    struct world_choice choice;
    struct world world;
    struct onward_signer *keys[SIGNING_MAX]; /* by key file */
    struct message message;
};

#define SIGNING_OPTIONS(s)                                                     \
    {"key",                                                                    \
     OPTION_LIST,                                                              \
     &(s)->key_files,                                                          \
     "FILE",                                                                   \
     "the private key in PEM: RSA or Ed25519",                                 \
     true,                                                                     \
     false},                                                                   \
        {"domain",                                                             \
         OPTION_LIST,                                                          \
         &(s)->domains,                                                        \
         "DOMAIN",                                                             \
         "d=, the domain that signs",                                          \
         true,                                                                 \
         false},                                                               \
    {                                                                          \
        "selector", OPTION_LIST, &(s)->selectors, "NAME",                      \
            "s=, where the public key is published", true, false               \
    }
#define SIGNING_OPTION_EXPIRE(s)                                               \
    {                                                                          \
        "expire", OPTION_SECONDS, &(s)->expire, "SECONDS",                     \
            "x=, so long after t= the signature is void; not written\n"        \
            "by default",                                                      \
            false, false                                                       \
    }
#define SIGNING_OPTION_RAW(s)                                                  \
    {                                                                          \
        "raw", OPTION_FLAG, &(s)->is_raw, NULL,                                \
            "take the message as it is, LF too", false, false                  \
    }
#define SIGNING_DETAILS                                                        \
    "The message is a file, or standard input. A file with LF and no CR is "   \
    "read as\nCRLF, and what is written has the line ends of the message.\n"

/* How many signatures the options ask for. */
size_t signing_count(const struct signing *s);
/* What is for signature i. */
struct onward_signer *signing_key(const struct signing *s, size_t i);
const char *signing_key_file(const struct signing *s, size_t i);
const char *signing_domain(const struct signing *s, size_t i);
const char *signing_selector(const struct signing *s, size_t i);

/*
 * Make what the options ask for and read the message. -1: go on; else the exit
 * status.
 */
int signing_begin(const struct command *command, struct signing *s,
                  const struct args *args);
void signing_end(struct signing *s);

#endif
