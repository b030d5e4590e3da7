/* The keys that sign what leaves, by DKIM: dkim_key and dkim_domain of the
 * configuration. */
#ifndef DKIM_H
#define DKIM_H

#include "forwarder.h"

struct dkim_keys;

/* For settings: DOMAIN SELECTOR FILE. */
const char *dkim_judge(const char *value);
/* Read all of them. 0, or -1 with a line in fault. */
int dkim_open(struct forwarder *fwd, struct setup *setup, char *fault,
              size_t fault_size);
void dkim_close(struct dkim_keys *keys);
/* Is there a key of that domain itself? */
bool dkim_has(const struct dkim_keys *keys, const char *domain);

/* A message with its signatures on top. below is borrowed, fields too. */
struct dkim_signed {
    const struct onward_source *below;
    struct onward_str fields;
    struct onward_source table; /* to read it by, once they are there */
};

void dkim_put_on_top(struct dkim_signed *message, struct onward_str fields);
/* Does a key sign for that domain: its own, or one above it? */
bool dkim_signs_for(const struct setup *setup, const char *domain);

/* Have a relay sign its copies for the domain that the message came to; between
 * its start and the desk's next turn. 0 or -1. */
int dkim_sign_copies(const struct setup *setup, struct onward_relay *relay);
/*
 * Begin to sign a message that is ours, for the domain of its author. 1: host
 * will hear of it; 0: there is no key for that; -1: it cannot be signed now.
 */
int dkim_sign_ours(const struct setup *setup, struct onward_str address,
                   const struct onward_source *content,
                   const struct onward_dkim_signer_host *host,
                   struct onward_dkim_signer **signer);

#endif
