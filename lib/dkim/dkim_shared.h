/*
 * What arc and verify use of dkim: tag lists, canonical forms, the body hash
 * set, signature fields and key records.
 */
#ifndef ONWARD_DKIM_SHARED_H
#define ONWARD_DKIM_SHARED_H

#include <nettle/sha2.h>

#include <onward/dkim.h>

#include "core/core_shared.h"
#include "dns/dns_shared.h"
#include "mime/mime_shared.h"

enum {
    ONWARD_DKIM__HASH_SIZE = SHA256_DIGEST_SIZE,
    ONWARD_DKIM__TAGS_MAX = 64,
    ONWARD_DKIM__BODY_HASHES_MAX = 16,
    ONWARD_DKIM__KEY_RECORDS_MAX = 4 /* tried, of one name */
};

/* ---- Tag lists (RFC 6376 section 3.2) ---------------------------------- */

struct onward_dkim__tag {
    struct onward_str name;
    struct onward_str value; /* without the FWS around it */
    struct onward_str raw;   /* all between "=" and ";" or the end */
};

/* Borrows the text it was parsed from. */
struct onward_dkim__tags {
    size_t count;
    struct onward_dkim__tag items[ONWARD_DKIM__TAGS_MAX];
};

/*
 * Parse a tag list. 0, ONWARD_ESYNTAX (also: no tag at all, a tag twice) or
 * ONWARD_ELIMIT (more than ONWARD_DKIM__TAGS_MAX). *fault_at is the offset
 * where it went wrong. Linear.
 */
ONWARD_USE_RESULT int onward_dkim__tags_parse(struct onward_str text,
                                              struct onward_dkim__tags *tags,
                                              size_t *fault_at);
/* NULL when there is none. Names are case-sensitive. */
const struct onward_dkim__tag *
onward_dkim__tags_find(const struct onward_dkim__tags *tags, const char *name);
/* The next item of a list parted by colons, FWS around it taken off; an empty
 * text has one empty item. rest is a copy of the list to begin with; its data
 * must not be NULL then. */
bool onward_dkim__list_next(struct onward_str *rest, struct onward_str *item);
/* Does it hold name, octet for octet? */
bool onward_dkim__list_has(struct onward_str list, const char *name);
/* Copy text without its white space; out has room for text.len octets. */
size_t onward_dkim__strip_fws(char *out, struct onward_str text);

/* ---- Canonical forms (RFC 6376 section 3.4) ---------------------------- */

enum onward_dkim__canon { ONWARD_DKIM__SIMPLE = 0, ONWARD_DKIM__RELAXED = 1 };

/* Where canonical octets go, in pieces of any length but 0. */
struct onward_dkim__sink {
    void (*emit)(void *user, const void *data, size_t len);
    void *user;
};

/*
 * One field, from its name up to but not including its final CRLF. hole is a
 * part of field that is left out (the value of b=), or empty. No final CRLF is
 * emitted.
 */
void onward_dkim__canon_header(enum onward_dkim__canon canon,
                               struct onward_str field, struct onward_str hole,
                               const struct onward_dkim__sink *sink);

/* A body on its way to its canonical form. Zero-filled but for canon, sink. */
struct onward_dkim__canon_body {
    enum onward_dkim__canon canon;
    struct onward_dkim__sink sink;
    uint64_t octets;    /* emitted so far */
    uint64_t line_ends; /* held back: maybe the empty lines at the end */
    bool has_wsp;       /* held back: white space, maybe at a line's end */
    bool has_cr;        /* held back: CR, maybe of a CRLF */
};

/* Any cuts give the same octets. CR and LF alone are ordinary octets. */
void onward_dkim__canon_body_feed(struct onward_dkim__canon_body *b,
                                  const void *data, size_t len);
void onward_dkim__canon_body_finish(struct onward_dkim__canon_body *b);

/* ---- The body hash set ------------------------------------------------- */

struct onward_dkim__body_hash {
    enum onward_dkim__canon canon;
    bool has_limit; /* l= */
    uint64_t limit;
    uint64_t left;
    struct sha256_ctx sha;
    unsigned char digest[ONWARD_DKIM__HASH_SIZE];
};

/*
 * All distinct body hashes of a message, from one reading. Ask with _want
 * before the first octet, feed, finish, then read the digests. It holds no
 * memory of its own and must not move once initialised.
 */
struct onward_dkim__body {
    struct onward_dkim__canon_body forms[2]; /* by enum onward_dkim__canon */
    bool is_wanted[2];
    bool is_finished;
    uint64_t octets; /* fed */
    size_t count;
    struct onward_dkim__body_hash hashes[ONWARD_DKIM__BODY_HASHES_MAX];
};

void onward_dkim__body_init(struct onward_dkim__body *body);
/*
 * Ask for the SHA-256 of a form, of all of it or of its first limit octets. 0,
 * ONWARD_ELIMIT (too many different ones) or ONWARD_ESTATE (too late).
 */
ONWARD_USE_RESULT int onward_dkim__body_want(struct onward_dkim__body *body,
                                             enum onward_dkim__canon canon,
                                             bool has_limit, uint64_t limit,
                                             size_t *index);
void onward_dkim__body_feed(struct onward_dkim__body *body, const void *data,
                            size_t len);
void onward_dkim__body_finish(struct onward_dkim__body *body);
/* ONWARD_DKIM__HASH_SIZE octets; after _finish. */
const unsigned char *
onward_dkim__body_digest(const struct onward_dkim__body *body, size_t index);
/* Octets of the whole body in that form, if a hash of it was asked for. */
uint64_t onward_dkim__body_octets(const struct onward_dkim__body *body,
                                  enum onward_dkim__canon canon);

/* ---- A message as it streams in ---------------------------------------- */

/* Must not move once initialised. */
struct onward_dkim__intake {
    struct onward_header header;
    struct onward_dkim__body body;
    int (*begin)(void *user);
    void *user;
    bool is_begun;  /* the header is complete */
    bool is_closed; /* finished or failed: takes no more octets */
};

/* begin runs once, when the header is complete and before the first octet of
 * the body is hashed; its error fails the intake. May be NULL. */
void onward_dkim__intake_init(struct onward_dkim__intake *in,
                              struct onward_ctx *ctx, int (*begin)(void *user),
                              void *user);
void onward_dkim__intake_clear(struct onward_dkim__intake *in);
/* *body is the part of data that is of the body; may be NULL. 0; ONWARD_ESTATE
 * after _finish or an error; or what the header or begin gave. */
ONWARD_USE_RESULT int onward_dkim__intake_feed(struct onward_dkim__intake *in,
                                               const void *data, size_t len,
                                               struct onward_str *body);
ONWARD_USE_RESULT int
onward_dkim__intake_finish(struct onward_dkim__intake *in);

/* ---- Key records (RFC 6376 section 3.6.1) ------------------------------ */

/* A verdict while it is made: result PENDING is "nothing against it so far".
 * detail is static text. */
struct onward_dkim__verdict {
    enum onward_dkim_result result;
    enum onward_dkim_reason reason;
    const char *detail;
};

struct onward_dkim__key {
    struct onward_dkim__verdict verdict; /* PENDING: fit for use */
    struct onward_pubkey *pub;           /* counted; NULL when not read */
    size_t bits;                         /* of a key whose size is refused */
    size_t fault_at; /* offset in the record, when refused */
    bool is_record;  /* a key record, good or bad */
    bool is_test;    /* t=y */
    bool is_strict;  /* t=s */
};

/*
 * Read one TXT record. What is wrong with it is its verdict; 0 or
 * ONWARD_ENOMEM. Undo with onward_dkim__key_clear().
 */
ONWARD_USE_RESULT int onward_dkim__key_parse(struct onward_ctx *ctx,
                                             struct onward_str record,
                                             struct onward_dkim__key *key);
void onward_dkim__key_clear(struct onward_dkim__key *key);
/*
 * The key in record i of an answer. A name has one record as a rule: then what
 * was read is kept with the cached answer, and read once for all signatures.
 * *key is borrowed from the answer, or is room, which the caller clears in any
 * case. 0 or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_dkim__key_of(
    struct onward_ctx *ctx, const struct onward_dns__answer *answer, size_t i,
    struct onward_dkim__key *room, const struct onward_dkim__key **key);

/* ---- Signature fields -------------------------------------------------- */

enum onward_dkim__kind {
    ONWARD_DKIM__DKIM, /* DKIM-Signature */
    ONWARD_DKIM__AMS,  /* ARC-Message-Signature (RFC 8617 section 4.1.2) */
    ONWARD_DKIM__AS    /* ARC-Seal (RFC 8617 section 4.1.3) */
};

/* Policy over signatures and keys, all resolved. */
struct onward_dkim__policy {
    size_t max_signed_fields;
    size_t min_rsa_bits;
    size_t max_rsa_bits;
    int64_t clock_skew_s;
    int64_t now_s;
    uint64_t log_id;
    bool allow_partial_body;
};

/* One signature field. Text is borrowed from the header or the arena. */
struct onward_dkim__signature {
    enum onward_dkim__kind kind;
    struct onward_dkim__verdict verdict;
    size_t item;             /* in the header */
    struct onward_str field; /* raw, without the final CRLF */
    struct onward_str hole;  /* the raw value of b= */
    struct onward_str domain, domain_ascii, selector, identity;
    struct onward_str algorithm_text;
    struct onward_str b_text;        /* base64 without white space */
    struct onward_str b;             /* octets */
    struct onward_str signed_fields; /* h= as written */
    struct onward_str copied_fields; /* z= as written; DKIM only */
    struct onward_str cv;            /* AS only */
    struct onward_str key_name;      /* what to ask DNS */
    uint32_t algorithm;              /* enum onward_key_type; 0 unknown */
    enum onward_dkim__canon header_canon, body_canon;
    bool has_limit, has_time, has_expiry;
    bool is_identity_below; /* i= is in a domain below d= */
    uint64_t limit;         /* l= */
    int64_t time_s, expiry_s;
    unsigned instance; /* ARC: 1 to 50; 0 when not readable */
    unsigned char body_hash[ONWARD_DKIM__HASH_SIZE]; /* bh= */
};

/*
 * Read a signature field; its verdict says what is wrong. Even then what could
 * be read is set. 0 or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int
onward_dkim__signature_parse(struct onward_arena *arena,
                             enum onward_dkim__kind kind,
                             const struct onward_header *header, size_t item,
                             const struct onward_dkim__policy *policy,
                             struct onward_dkim__signature *sig);
/* ARC's i=: 1 to 50 without sign, blanks or leading zero, else 0. */
unsigned onward_dkim__parse_instance(struct onward_str s);

/* ---- Header hashes ----------------------------------------------------- */

/*
 * Add the fields of a list (h=) to a hash, the lowest of a name first; `own` is
 * the item of the signature itself, never taken, or ONWARD_HEADER_NONE. Linear
 * in header octets and list items. 0 or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int
onward_dkim__hash_fields(struct sha256_ctx *sha, enum onward_dkim__canon canon,
                         const struct onward_header *header,
                         struct onward_str fields, size_t own);
/* Add one field (raw, without its final CRLF) with its hole left out. */
void onward_dkim__hash_field(struct sha256_ctx *sha,
                             enum onward_dkim__canon canon,
                             struct onward_str field, struct onward_str hole,
                             bool with_crlf);
/* Raw item i without its final CRLF. */
struct onward_str onward_dkim__field(const struct onward_header *header,
                                     size_t i);

/* ---- One signature with its key ---------------------------------------- */

struct onward_dkim__check {
    struct onward_dkim__signature sig;
    struct onward_dns__query query;
    size_t body_index;        /* in the body hash set, unless kind is AS */
    uint64_t unsigned_octets; /* of the canonical body, behind l= */
    size_t key_bits;
    bool is_secure;
    bool is_test;
};

/*
 * Register the body hash and ask for the key, unless the verdict is known. 0,
 * ONWARD_ENOMEM or ONWARD_ESTATE.
 */
ONWARD_USE_RESULT int onward_dkim__check_begin(struct onward_dkim__check *check,
                                               struct onward_dkim__body *body,
                                               struct onward_resolver *resolver,
                                               struct onward_core__task *task);
/* Compare the body hash and l=; the body must be finished. */
void onward_dkim__check_body(struct onward_dkim__check *check,
                             const struct onward_dkim__body *body);
/* The answer is there (or the verdict is known). */
bool onward_dkim__check_has_key(const struct onward_dkim__check *check);
/*
 * Judge the signature over digest by the keys that came. Sets the verdict;
 * lets the answer go.
 */
void onward_dkim__check_key(struct onward_dkim__check *check,
                            struct onward_ctx *ctx, const unsigned char *digest,
                            const struct onward_dkim__policy *policy);
void onward_dkim__check_clear(struct onward_dkim__check *check);

/* ---- All DKIM signatures of a message ---------------------------------- */

/* Text made of a signature for whoever asks; in the arena. */
struct onward_dkim__facts {
    struct onward_str signed_fields;  /* lower case, no white space */
    struct onward_str exposed_fields; /* the same form */
    struct onward_str copied_fields;  /* z= without white space */
    struct onward_str changed_fields; /* as signed_fields */
    struct onward_str header_b;
    struct onward_str digest; /* hexadecimal */
    bool is_from_exposed;
};

/* Zero-filled is idle. Must not move between _begin and _clear. */
struct onward_dkim__verify {
    struct onward_ctx *ctx;
    const struct onward_header *header;
    struct onward_dkim__body *body;
    struct onward_dkim__policy policy;
    struct onward_arena arena;
    struct onward_dkim__check *checks;
    struct onward_dkim__facts *facts; /* as many as checks */
    size_t count;
    size_t skipped; /* fields past max_signatures */
    bool is_body_done;
    bool is_done;
};

/* Options as the host gave them (NULL: defaults), resolved; max_signatures out
 * apart. 0, ONWARD_EINVAL or ONWARD_EVERSION. */
ONWARD_USE_RESULT int onward_dkim__policy_load(
    struct onward_ctx *ctx, const struct onward_dkim_verifier_opts *opts,
    struct onward_dkim__policy *policy, size_t *max_signatures);
/*
 * The header is complete: read the signatures, register their body hashes, ask
 * for their keys; task is made ready when one comes. header and body must
 * outlive it. 0, ONWARD_ENOMEM or ONWARD_ESTATE: clear it then.
 */
ONWARD_USE_RESULT int onward_dkim__verify_begin(
    struct onward_dkim__verify *v, const struct onward_header *header,
    struct onward_dkim__body *body, const struct onward_dkim__policy *policy,
    size_t max_signatures, struct onward_resolver *resolver,
    struct onward_core__task *task);
/*
 * Go on, inside the task: true when all results are known. Before
 * body->is_finished it does nothing.
 */
bool onward_dkim__verify_step(struct onward_dkim__verify *v);
/* As onward_dkim_verifier_signature(). */
int onward_dkim__verify_signature(const struct onward_dkim__verify *v, size_t i,
                                  struct onward_dkim_signature *signature);
void onward_dkim__verify_clear(struct onward_dkim__verify *v);

/* ---- Writing signature fields ------------------------------------------ */

/*
 * Writes "Name: tag=value; tag=value", folded between tags at 78 columns where
 * that can be done. In the relaxed form a fold is the one SP that stands there
 * without it.
 */
struct onward_dkim__writer {
    struct onward_buf *out;
    size_t column;
    bool has_tag;
};

/* name with its colon and one SP. */
void onward_dkim__write_name(struct onward_dkim__writer *w, const char *name);
void onward_dkim__write_tag(struct onward_dkim__writer *w, const char *tag,
                            struct onward_str value);
void onward_dkim__write_tag_int(struct onward_dkim__writer *w, const char *tag,
                                int64_t value);
void onward_dkim__write_tag_base64(struct onward_dkim__writer *w,
                                   const char *tag, const void *data,
                                   size_t len);
/* A list parted by colons, folded behind them. */
void onward_dkim__write_tag_list(struct onward_dkim__writer *w, const char *tag,
                                 struct onward_str list);
/* "rsa-sha256", for an enum onward_key_type. */
struct onward_str onward_dkim__algorithm_name(uint32_t type);

/*
 * Append the names that our signatures list, by enum onward_dkim_listing; of
 * an ARC-Message-Signature with is_ams. 0, ONWARD_ELIMIT (a message made of a
 * thousand To fields) or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_dkim__list(const struct onward_header *header,
                                        size_t listing, bool is_ams,
                                        struct onward_buf *out);
/* Field names parted by colons, `required` (unless empty) among them? */
bool onward_dkim__is_list(struct onward_str list, struct onward_str required);

/* What is wrong with a message that is to be signed (NULL: nothing): static
 * text. is_bare: a CR or LF of its own was seen in the body. */
const char *onward_dkim__signing_problem(const struct onward_header *header,
                                         bool is_bare);

/* Watches a stream for CR and LF that are not CRLF. Zero-filled to begin. */
struct onward_dkim__line_ends {
    bool has_cr; /* the last octet */
    bool is_bare;
};
void onward_dkim__line_ends_feed(struct onward_dkim__line_ends *l,
                                 const void *data, size_t len);
void onward_dkim__line_ends_finish(struct onward_dkim__line_ends *l);

#endif
