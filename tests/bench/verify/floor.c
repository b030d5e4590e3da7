/*
 * The floor: the operations of Nettle and GMP that a job cannot avoid, with
 * nothing around them. Keys are read before. A verification is one RSA
 * verification, SHA-256 of the body as it lies there and of the signed header.
 * A signature is the RSA root with a blinding pair that is kept (two products
 * to use it, two squares to renew it), and the check with the public exponent.
 */
#include <nettle/asn1.h>
#include <nettle/base64.h>
#include <nettle/rsa.h>
#include <nettle/sha2.h>

#include "bench/worker.h"

static struct rsa_public_key pub;
static struct rsa_private_key key;
static mpz_t blind, unblind, signature, padded;
static uint8_t digest[SHA256_DIGEST_SIZE];
static struct bench_message messages[3];

enum { HEADER = 640 /* octets that one signature hashes of the header */ };

/* ---- Keys -------------------------------------------------------------- */

/* PKCS#8: what holds RSAPrivateKey is its last element, an OCTET STRING. */
static void read_key(const char *folder)
{
    size_t len, der_len;
    char *pem = bench_read(folder, "key.pem", &len);
    char *from = strchr(pem, '\n');
    char *end = from == NULL ? NULL : strstr(from, "-----END");
    uint8_t *der = malloc(len);
    struct base64_decode_ctx base64;
    struct asn1_der_iterator i, seq;

    if (der == NULL || end == NULL)
        bench_die("no key");
    base64_decode_init(&base64);
    if (!base64_decode_update(&base64, &der_len, der, (size_t)(end - from),
                              from))
        bench_die("no base64");
    if (asn1_der_iterator_first(&i, der_len, der) !=
            ASN1_ITERATOR_CONSTRUCTED ||
        asn1_der_decode_constructed(&i, &seq) != ASN1_ITERATOR_PRIMITIVE ||
        asn1_der_iterator_next(&seq) != ASN1_ITERATOR_CONSTRUCTED ||
        asn1_der_iterator_next(&seq) != ASN1_ITERATOR_PRIMITIVE)
        bench_die("no PKCS#8");
    rsa_public_key_init(&pub);
    rsa_private_key_init(&key);
    if (!rsa_keypair_from_der(&pub, &key, 4096, seq.length, seq.data))
        bench_die("no RSA key");
    free(der);
    free(pem);
}

static void set_up(void)
{
    mpz_init_set_ui(unblind, 4711);
    mpz_init(blind);
    mpz_init(signature);
    mpz_init(padded);
    memset(digest, 7, sizeof(digest));
    if (!rsa_sha256_sign_digest(&key, digest, signature))
        bench_die("cannot sign");
    mpz_powm(padded, signature, pub.e, pub.n);
    mpz_powm(blind, unblind, pub.e, pub.n);
    mpz_invert(unblind, unblind, pub.n);
}

/* ---- Operations -------------------------------------------------------- */

static void verify_rsa(void)
{
    if (!rsa_sha256_verify_digest(&pub, digest, signature))
        bench_die("floor: does not verify");
}

static void hash(const void *data, size_t len)
{
    struct sha256_ctx sha;
    uint8_t out[SHA256_DIGEST_SIZE];

    sha256_init(&sha);
    sha256_update(&sha, len, data);
    sha256_digest(&sha, sizeof(out), out);
}

static void sign_rsa(void)
{
    mpz_t m, s, check;

    mpz_init(m);
    mpz_init(s);
    mpz_init(check);
    mpz_mul(m, padded, blind);
    mpz_mod(m, m, pub.n);
    rsa_compute_root(&key, s, m);
    mpz_mul(s, s, unblind);
    mpz_mod(s, s, pub.n);
    mpz_mul(blind, blind, blind);
    mpz_mod(blind, blind, pub.n);
    mpz_mul(unblind, unblind, unblind);
    mpz_mod(unblind, unblind, pub.n);
    mpz_powm(check, s, pub.e, pub.n);
    if (mpz_cmp(check, padded) != 0)
        bench_die("floor: signature is wrong");
    mpz_clear(m);
    mpz_clear(s);
    mpz_clear(check);
}

/* ---- Jobs -------------------------------------------------------------- */

static void verify(void *arg)
{
    const struct bench_message *m = arg;

    hash(m->data + HEADER, m->len - HEADER);
    hash(m->data, HEADER);
    verify_rsa();
}

static void sign(void *arg)
{
    const struct bench_message *m = arg;

    hash(m->data + HEADER, m->len - HEADER);
    hash(m->data, HEADER);
    sign_rsa();
}

/* Two RSA signatures, three verifications, one pass of hashing. */
static void hop(void *arg)
{
    const struct bench_message *m = arg;

    hash(m->data + HEADER, m->len - HEADER);
    for (int i = 0; i < 3; i++) {
        hash(m->data, HEADER);
        verify_rsa();
    }
    for (int i = 0; i < 2; i++) {
        hash(m->data, HEADER);
        sign_rsa();
    }
}

/* What a library gets that calls Nettle as its manual says: blinded anew for
 * each signature. */
static void no_random(void *user, size_t len, uint8_t *out)
{
    static uint8_t state;

    (void)user;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(state = (uint8_t)(state * 5 + 1));
}

static void sign_tr(void *arg)
{
    const struct bench_message *m = arg;
    mpz_t s;

    hash(m->data + HEADER, m->len - HEADER);
    hash(m->data, HEADER);
    mpz_init(s);
    if (!rsa_sha256_sign_digest_tr(&pub, &key, NULL, no_random, digest, s))
        bench_die("floor: cannot sign");
    mpz_clear(s);
}

int main(int argc, char **argv)
{
    const struct bench_job jobs[] = {
        {"verify-2k", verify, &messages[0]},
        {"verify-50k", verify, &messages[1]},
        {"verify-5m", verify, &messages[2]},
        {"sign-2k", sign, &messages[0]},
        {"sign-tr-2k", sign_tr, &messages[0]},
        {"hop-2k", hop, &messages[0]},
        {"hop-50k", hop, &messages[1]},
        {"hop-5m", hop, &messages[2]},
    };
    static const char *const files[] = {"signed-2k", "signed-50k", "signed-5m"};

    if (argc != 2)
        bench_die("usage: bench_verify_floor FOLDER");
    for (size_t i = 0; i < 3; i++)
        messages[i].data = bench_read(argv[1], files[i], &messages[i].len);
    read_key(argv[1]);
    set_up();
    return bench_serve(jobs, sizeof(jobs) / sizeof(jobs[0]));
}
