#define _GNU_SOURCE
#include "certs.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { CHAIN_MAX = 16, NAME_MAX_LEN = 255 };

struct cert {
    char *name; /* "" for all */
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
};

struct certs {
    struct cert *items; /* by name */
    size_t count, room;
};

struct reader {
    struct certs *certs;
    char *fault;
    size_t fault_size;
};

static int wrong(const struct reader *r, const char *path, const char *what)
{
    snprintf(r->fault, r->fault_size, "%s: %s", path, what);
    return -1;
}

static void clear(struct cert *cert)
{
    for (unsigned i = 0; i < cert->count; i++)
        gnutls_pcert_deinit(&cert->chain[i]);
    if (cert->key != NULL)
        gnutls_privkey_deinit(cert->key);
    free(cert->name);
}

/* ---- Files ------------------------------------------------------------- */

static int read_chain(const struct reader *r, const char *path,
                      struct cert *cert)
{
    unsigned count = CHAIN_MAX;
    gnutls_datum_t pem;
    size_t len;
    char *text = host_read_file(path, &len);
    int err;

    if (text == NULL)
        return wrong(r, path, strerror(errno));
    pem.data = (unsigned char *)text;
    pem.size = (unsigned)len;
    err = gnutls_pcert_list_import_x509_raw(
        cert->chain, &count, &pem, GNUTLS_X509_FMT_PEM,
        GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    free(text);
    if (err < 0)
        return wrong(r, path,
                     "no readable certificates, expected a chain in PEM, the "
                     "host's own first");
    cert->count = count;
    return 0;
}

static int read_key(const struct reader *r, const char *path, struct cert *cert)
{
    gnutls_datum_t pem;
    size_t len;
    char *text = host_read_file(path, &len);
    int err;

    if (text == NULL)
        return wrong(r, path, strerror(errno));
    pem.data = (unsigned char *)text;
    pem.size = (unsigned)len;
    err = gnutls_privkey_init(&cert->key);
    if (err == 0)
        err = gnutls_privkey_import_x509_raw(cert->key, &pem,
                                             GNUTLS_X509_FMT_PEM, NULL, 0);
    explicit_bzero(text, len);
    free(text);
    return err == 0 ? 0
                    : wrong(r, path,
                            "no readable key, expected a private key in PEM "
                            "without a password");
}

static bool fits(const struct cert *cert)
{
    unsigned char of_chain[64], of_key[64];
    size_t chain_len = sizeof(of_chain), key_len = sizeof(of_key);
    gnutls_pubkey_t public = NULL;
    bool is_same = gnutls_pubkey_init(&public) == 0 &&
                   gnutls_pubkey_import_privkey(public, cert->key, 0, 0) == 0 &&
                   gnutls_pubkey_get_key_id(public, 0, of_key, &key_len) == 0 &&
                   gnutls_pubkey_get_key_id(cert->chain[0].pubkey, 0, of_chain,
                                            &chain_len) == 0 &&
                   chain_len == key_len &&
                   memcmp(of_chain, of_key, key_len) == 0;

    if (public != NULL)
        gnutls_pubkey_deinit(public);
    return is_same;
}

static void fold(char *name)
{
    for (; *name != '\0'; name++) {
        if (*name >= 'A' && *name <= 'Z')
            *name = (char)(*name - 'A' + 'a');
    }
}

static int add(const struct reader *r, const char *name, const char *chain,
               const char *key)
{
    struct certs *certs = r->certs;
    struct cert cert = {.name = strdup(name)};
    int ret = cert.name == NULL ? wrong(r, chain, "out of memory") : 0;

    if (ret == 0 && certs->count == certs->room) {
        size_t room = certs->room == 0 ? 8 : certs->room * 2;
        struct cert *items = realloc(certs->items, room * sizeof(*items));

        if (items == NULL) {
            ret = wrong(r, chain, "out of memory");
        } else {
            certs->items = items;
            certs->room = room;
        }
    }
    if (ret == 0)
        ret = read_chain(r, chain, &cert);
    if (ret == 0)
        ret = read_key(r, key, &cert);
    if (ret == 0 && !fits(&cert))
        ret = wrong(r, key, "another key, expected that of the certificate");
    if (ret != 0) {
        clear(&cert);
        return -1;
    }
    fold(cert.name);
    certs->items[certs->count++] = cert;
    return 0;
}

static int add_folder(const struct reader *r, const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int ret = 0;

    if (dir == NULL)
        return wrong(r, folder, strerror(errno));
    while (ret == 0 && (entry = readdir(dir)) != NULL) {
        char *chain = NULL, *key = NULL;

        /* Beside the folders there may be files: certbot has a README. */
        if (entry->d_name[0] == '.' || entry->d_type == DT_REG)
            continue;
        if (asprintf(&chain, "%s/%s/fullchain.pem", folder, entry->d_name) < 0)
            chain = NULL;
        if (asprintf(&key, "%s/%s/privkey.pem", folder, entry->d_name) < 0)
            key = NULL;
        ret = chain == NULL || key == NULL ? wrong(r, folder, "out of memory")
                                           : add(r, entry->d_name, chain, key);
        free(chain);
        free(key);
    }
    closedir(dir);
    return ret;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct cert *)a)->name,
                  ((const struct cert *)b)->name);
}

struct certs *certs_new(const char *chain, const char *key, const char *folder,
                        char *fault, size_t fault_size)
{
    struct certs *certs = calloc(1, sizeof(*certs));
    const struct reader r = {
        .certs = certs, .fault = fault, .fault_size = fault_size};
    int ret = certs == NULL ? wrong(&r, "certificates", "out of memory") : 0;

    if (ret == 0 && chain != NULL)
        ret = add(&r, "", chain, key);
    if (ret == 0 && folder != NULL)
        ret = add_folder(&r, folder);
    if (ret == 0 && certs->count == 0)
        ret = wrong(&r, folder == NULL ? "" : folder,
                    "no certificate, expected NAME/fullchain.pem and "
                    "NAME/privkey.pem in it");
    if (ret != 0) {
        certs_free(certs);
        return NULL;
    }
    qsort(certs->items, certs->count, sizeof(certs->items[0]), by_name);
    return certs;
}

void certs_free(struct certs *certs)
{
    if (certs == NULL)
        return;
    for (size_t i = 0; i < certs->count; i++)
        clear(&certs->items[i]);
    free(certs->items);
    free(certs);
}

size_t certs_count(const struct certs *certs)
{
    return certs->count;
}

/* ---- Names ------------------------------------------------------------- */

static struct cert *look(const struct certs *certs, const char *name)
{
    struct cert wanted = {.name = (char *)(uintptr_t)name};

    return bsearch(&wanted, certs->items, certs->count, sizeof(wanted),
                   by_name);
}

int certs_find(const struct certs *certs, const char *name,
               gnutls_pcert_st **chain, unsigned *count, gnutls_privkey_t *key)
{
    char text[NAME_MAX_LEN + 2] = "";
    struct cert *cert = NULL;

    if (strlen(name) <= NAME_MAX_LEN) {
        const char *dot;

        strcpy(text, name);
        fold(text);
        cert = look(certs, text);
        dot = strchr(text, '.');
        /* One whole label may differ, as certificates have it. */
        if (cert == NULL && dot != NULL && dot != text) {
            char wild[NAME_MAX_LEN + 2] = "_";

            strcat(wild, dot);
            cert = look(certs, wild);
        }
    }
    if (cert == NULL)
        cert = look(certs, "");
    if (cert == NULL)
        return -1;
    *chain = cert->chain;
    *count = cert->count;
    *key = cert->key;
    return 0;
}
