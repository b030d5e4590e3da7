/* What `onward verify` and `onward seal` share: a message is verified. */
#ifndef CHECKING_H
#define CHECKING_H

#include <onward/verify.h>

#include "options.h"
#include "world.h"

struct checking {
    struct onward_ip ip;
    const char *helo, *mail_from, *authserv_id;
    struct option_list trusted_sealers;
};

#define CHECKING_OPTIONS(c, id_is_required)                                    \
    {"ip",                                                                     \
     OPTION_IP,                                                                \
     &(c)->ip,                                                                 \
     "ADDRESS",                                                                \
     "the SMTP client's address; without it there is no SPF",                  \
     false,                                                                    \
     false},                                                                   \
        {"helo",                                                               \
         OPTION_TEXT,                                                          \
         &(c)->helo,                                                           \
         "NAME",                                                               \
         "what the client said in EHLO or HELO",                               \
         false,                                                                \
         false},                                                               \
        {"mail-from",                                                          \
         OPTION_TEXT,                                                          \
         &(c)->mail_from,                                                      \
         "SENDER",                                                             \
         "the envelope sender; empty for the null reverse-path",               \
         false,                                                                \
         false},                                                               \
        {"trust-sealer",                                                       \
         OPTION_LIST,                                                          \
         &(c)->trusted_sealers,                                                \
         "DOMAIN",                                                             \
         "believe ARC sets sealed by this domain: what passed DMARC\n"         \
         "there is not to be refused here; may be given again",                \
         false,                                                                \
         false},                                                               \
    {                                                                          \
        "authserv-id", OPTION_TEXT, &(c)->authserv_id, "NAME",                 \
            (id_is_required) ? "who checks, in the results"                    \
                             : "who checks, in the results; default: this "    \
                               "host",                                         \
            id_is_required, false                                              \
    }

/* Are the options good for a verifier? -1: go on; else the exit status. */
int checking_test(const struct command *command, struct world *world,
                  const struct checking *checking);
/*
 * Verify one message. 0 and *verifier, which onward_verifier_free() frees, or
 * an error of the library.
 */
int checking_run(struct world *world, const struct checking *checking,
                 struct onward_str message, struct onward_verifier **verifier);

#endif
