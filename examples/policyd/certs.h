/*
 * Certificates and their keys, found by the name that a client asks for.
 */
#ifndef CERTS_H
#define CERTS_H

#include <stddef.h>

#include <gnutls/abstract.h>

struct certs;

/*
 * From one chain and key for all who ask for no name that there is (both may be
 * NULL), and from a folder (may be NULL): NAME/fullchain.pem and
 * NAME/privkey.pem in it are for the host NAME, or with NAME "_.example.com"
 * for all hosts right below example.com. NULL: fault has one line.
 */
struct certs *certs_new(const char *chain, const char *key, const char *folder,
                        char *fault, size_t fault_size);
void certs_free(struct certs *certs);
/* How many there are. */
size_t certs_count(const struct certs *certs);

/* The chain and key for a name, which may be empty; they live as long as certs.
 * 0, or -1: there is none. */
int certs_find(const struct certs *certs, const char *name,
               gnutls_pcert_st **chain, unsigned *count, gnutls_privkey_t *key);

#endif
