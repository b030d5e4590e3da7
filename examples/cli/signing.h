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

struct signing {
    const char *key_file, *domain, *selector;
    bool is_raw;
    bool needs_resolver; /* set before signing_begin() */
    struct world_choice choice;
    struct world world;
    struct onward_signer *key;
    struct message message;
};

#define SIGNING_OPTIONS(s)                                                     \
    {"key",                                                                    \
     OPTION_TEXT,                                                              \
     &(s)->key_file,                                                           \
     "FILE",                                                                   \
     "the private key in PEM: RSA or Ed25519",                                 \
     true,                                                                     \
     false},                                                                   \
        {"domain",                                                             \
         OPTION_TEXT,                                                          \
         &(s)->domain,                                                         \
         "DOMAIN",                                                             \
         "d=, the domain that signs",                                          \
         true,                                                                 \
         false},                                                               \
    {                                                                          \
        "selector", OPTION_TEXT, &(s)->selector, "NAME",                       \
            "s=, where the public key is published", true, false               \
    }
#define SIGNING_OPTION_RAW(s)                                                  \
    {                                                                          \
        "raw", OPTION_FLAG, &(s)->is_raw, NULL,                                \
            "take the message as it is, LF too", false, false                  \
    }
#define SIGNING_DETAILS                                                        \
    "The message is a file, or standard input. A file with LF and no CR is "   \
    "read as\nCRLF, and what is written has the line ends of the message.\n"

/*
 * Make what the options ask for and read the message. -1: go on; else the exit
 * status.
 */
int signing_begin(const struct command *command, struct signing *s,
                  const struct args *args);
void signing_end(struct signing *s);

#endif
