/*
 * What the programs here share: messages from files get a DKIM-Signature by a
 * key that stands elsewhere. Each program brings the function that signs.
 */
#ifndef SIGN_H
#define SIGN_H

#include <onward/core.h>
#include <onward/key.h>

struct sign_world {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_signer *key;
};

/*
 * Make a signer whose questions go to host. spki is the public key, DER. 0, or
 * -1 with a word on standard error.
 */
int sign_open(struct sign_world *world, const void *spki, size_t spki_len,
              const struct onward_signer_host *host);
void sign_close(struct sign_world *world);

/*
 * Ask for the signatures of all messages, wait for them, print the fields in
 * the order of the messages. wait brings in answers that come later, and comes
 * back after timeout_ms (-1: for ever) at the latest; NULL when all answers
 * come inside the question. The exit status.
 */
int sign_messages(struct sign_world *world, const char *domain,
                  const char *selector, int count, char **paths,
                  void (*wait)(void *user, int timeout_ms), void *user);

#endif
