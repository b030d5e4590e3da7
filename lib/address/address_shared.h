/*
 * The one parser of mailboxes, as the higher floors use it: values in an arena
 * of the caller. Every text of a result points into the parsed text or into the
 * arena, so both must outlive it.
 */
#ifndef ONWARD_ADDRESS_SHARED_H
#define ONWARD_ADDRESS_SHARED_H

#include <onward/address.h>

#include "core/core_shared.h"

enum {
    ONWARD_ADDRESS_LOCAL_MAX = 64, /* RFC 5321 section 4.5.3.1, as written */
    ONWARD_ADDRESS_DOMAIN_MAX = 255,
    ONWARD_ADDRESS_PATH_MAX = 256, /* with the angle brackets */
    ONWARD_ADDRESS_COMMENT_DEPTH_MAX = 16
};

struct onward_address__mailbox {
    struct onward_str local_part;   /* quotes and backslashes taken off */
    struct onward_str domain;       /* as written; no blanks, no comments */
    struct onward_str domain_ascii; /* lower-case A-labels; empty: a literal */
    struct onward_ip literal;       /* family 0: none, or not an IP address */
    bool is_null;                   /* "<>": all else is empty */
    bool is_bare_postmaster;        /* "<Postmaster>": the domain is empty */
    bool is_utf8; /* local part or domain as written is not ASCII */
};

/* What a caller may want to answer differently. */
enum onward_address__fault_kind {
    ONWARD_ADDRESS_FAULT_NONE,
    ONWARD_ADDRESS_FAULT_SYNTAX,    /* 501 5.1.7, 5.1.3 */
    ONWARD_ADDRESS_FAULT_LENGTH,    /* 501 */
    ONWARD_ADDRESS_FAULT_UTF8,      /* needs SMTPUTF8: 553 5.6.7 */
    ONWARD_ADDRESS_FAULT_FORBIDDEN, /* invisible or bidi characters: 553 */
    ONWARD_ADDRESS_FAULT_DOMAIN     /* no such domain can be: 553 5.1.2 */
};

struct onward_address__fault {
    enum onward_address__fault_kind kind;
    size_t at;        /* octets before the one that was refused */
    const char *what; /* static text, lower case, no final dot */
};

/* For the parsers below; add them up. */
enum onward_address__flag {
    ONWARD_ADDRESS_ALLOW_UTF8 = 1,       /* RFC 6531 */
    ONWARD_ADDRESS_ALLOW_NULL = 2,       /* "<>", of MAIL */
    ONWARD_ADDRESS_ALLOW_POSTMASTER = 4, /* "<Postmaster>", of RCPT */
    ONWARD_ADDRESS_REVERSE_PATH = ONWARD_ADDRESS_ALLOW_NULL,
    ONWARD_ADDRESS_FORWARD_PATH = ONWARD_ADDRESS_ALLOW_POSTMASTER
};

/*
 * A path with its angle brackets at the start of text (RFC 5321 section 4.1.2);
 * a source route is read and forgotten. The text ends behind the path, or goes
 * on with SP: parameters, from text.data + *taken on. 0, or ONWARD_ESYNTAX,
 * ONWARD_ELIMIT (fault says why), ONWARD_ENOMEM. fault may be NULL.
 */
ONWARD_USE_RESULT int
onward_address__parse_path(struct onward_arena *arena, struct onward_str text,
                           unsigned flags,
                           struct onward_address__mailbox *mailbox,
                           size_t *taken, struct onward_address__fault *fault);

/* The same for an address alone, without brackets: all of text. */
ONWARD_USE_RESULT int
onward_address__parse_mailbox(struct onward_arena *arena,
                              struct onward_str text, unsigned flags,
                              struct onward_address__mailbox *mailbox,
                              struct onward_address__fault *fault);

/* One mailbox of a header field. */
struct onward_address__item {
    struct onward_address__item *next;
    struct onward_address__mailbox mailbox;
    struct onward_str display_name; /* as written */
    struct onward_str group;        /* as written; empty: in none */
};

struct onward_address__list {
    struct onward_address__item *first; /* in the order of the field */
    size_t count;
};

/*
 * The body of an address field (RFC 5322 section 3.4). 0, ONWARD_ESYNTAX
 * (malformed: fault says where; the list is empty), ONWARD_ELIMIT (more than
 * max_mailboxes), ONWARD_ENOMEM. fault may be NULL.
 */
ONWARD_USE_RESULT int onward_address__parse_list(
    struct onward_arena *arena, struct onward_str body, size_t max_mailboxes,
    struct onward_address__list *list, struct onward_address__fault *fault);

/*
 * For other structured fields: move *at over the comments and folds there, or
 * over the quoted string whose opening quote is there. 0, or ONWARD_ESYNTAX and
 * *at untouched: no end, control characters, a line end that is no fold,
 * comments nested over 16. fault may be NULL.
 */
ONWARD_USE_RESULT int
onward_address__read_cfws(struct onward_str text, size_t *at,
                          struct onward_address__fault *fault);
ONWARD_USE_RESULT int
onward_address__read_quoted_string(struct onward_str text, size_t *at,
                                   struct onward_address__fault *fault);

enum onward_address__form {
    ONWARD_ADDRESS_AS_WRITTEN, /* the domain as written */
    ONWARD_ADDRESS_ASCII       /* the domain in lower-case A-labels */
};

/* Append the address without brackets, quoted where it must be; nothing for the
 * null path. */
int onward_address__write(struct onward_buf *out,
                          const struct onward_address__mailbox *mailbox,
                          enum onward_address__form form);
/* Can a local part stand without quotes (RFC 5321 section 4.1.2: Dot-string)?
 * Octets above 127 may be in it. */
bool onward_address__is_dot_string(struct onward_str s);
/* Append only the local part, quoted where it must be. */
int onward_address__write_local_part(struct onward_buf *out,
                                     struct onward_str local_part);

/* Domains by their A-labels, local parts octet for octet unless fold_local. */
bool onward_address__equal(const struct onward_address__mailbox *a,
                           const struct onward_address__mailbox *b,
                           bool fold_local);

/* The value inside a public mailbox. */
const struct onward_address__mailbox *
onward_address__value(const struct onward_mailbox *mailbox);

#endif
