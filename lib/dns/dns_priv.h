/*
 * The rooms of dns among themselves: names, records as they are held inside,
 * replies as a stream of records, answers being built, loaded records.
 */
#ifndef ONWARD_DNS_PRIV_H
#define ONWARD_DNS_PRIV_H

#include "core/domain_shared.h"
#include "dns/dns_shared.h"

enum {
    ONWARD_DNS_NAME_MAX = 255,       /* octets on the wire (RFC 1035 2.3.4) */
    ONWARD_DNS_NAME_TEXT_MAX = 1024, /* every octet as \DDD, and dots */
    ONWARD_DNS_CNAME_MAX = 8,        /* followed for one question */
    ONWARD_DNS_REPLY_MAX = 65535,
    ONWARD_DNS_ANSWER_MAX = 262144, /* octets that one answer may decode to */
    ONWARD_DNS_RDATA_MAX = 65535,
    ONWARD_DNS_TYPE_SPF = 99,
    ONWARD_DNS_TYPE_ANY = 255
};

/* ---- Names ------------------------------------------------------------- */

/* Wire form, uncompressed, lower case; the root is one zero octet. */
struct onward_dns__name {
    size_t len;
    uint8_t octets[ONWARD_DNS_NAME_MAX];
};

/* Text with or without final dot, \DDD and \X understood; "." is the root.
 * false: empty, or a label or the name is too long or empty. */
bool onward_dns__name_from_text(struct onward_str text,
                                struct onward_dns__name *name);
/* The octets written; no final dot, the root is "". */
size_t onward_dns__name_to_text(const uint8_t *octets, size_t len,
                                char text[ONWARD_DNS_NAME_TEXT_MAX]);
/* \DDD or \X at the backslash text.data[*at]; *at goes behind it. */
bool onward_dns__unescape(struct onward_str text, size_t *at, uint8_t *octet);
/* A name in a packet, pointers followed, from *at, which goes behind it. */
bool onward_dns__name_from_wire(const uint8_t *packet, size_t len, size_t *at,
                                struct onward_dns__name *name);
bool onward_dns__name_eq(const struct onward_dns__name *a,
                         const struct onward_dns__name *b);
/* Is name equal to parent or below it? */
bool onward_dns__name_is_within(const struct onward_dns__name *name,
                                const struct onward_dns__name *parent);

/* ---- Records ----------------------------------------------------------- */

/* rdata is wire form with names uncompressed and in lower case. */
struct onward_dns__rr {
    struct onward_dns__name owner;
    uint16_t type;
    uint32_t ttl_s;
    const uint8_t *rdata;
    size_t rdata_len;
};

/* Does rdata have the shape of its type? Types we do not know have any. */
bool onward_dns__rdata_is_valid(uint16_t type, const uint8_t *rdata,
                                size_t len);

/* Records of a reply in any form, read as often as rewound. */
struct onward_dns__reply {
    /* 1 with a record, 0 at the end, or a negative error. */
    int (*next)(struct onward_dns__reply *reply, struct onward_dns__rr *rr);
    void (*rewind)(struct onward_dns__reply *reply);
};

/* ---- Answers ----------------------------------------------------------- */

/* For what needs no memory. */
extern const struct onward_dns__answer onward_dns__answer_nxdomain;
extern const struct onward_dns__answer onward_dns__answer_nodata;
extern const struct onward_dns__answer onward_dns__answer_temp;
extern const struct onward_dns__answer onward_dns__answer_bogus;

/* Counted; the constants above may be given too. */
void onward_dns__answer_ref(const struct onward_dns__answer *answer);
void onward_dns__answer_unref(const struct onward_dns__answer *answer);
/* Octets of memory behind it. */
size_t onward_dns__answer_bytes(const struct onward_dns__answer *answer);
/* Which entry keeps the answer in the cache; NULL: none (any more). */
void onward_dns__answer_set_keeper(const struct onward_dns__answer *answer,
                                   struct onward_dns__entry *keeper);
/* question.c: the answer of a cached entry takes more octets now. */
void onward_dns__entry_grow(struct onward_dns__entry *entry, size_t bytes);

/* What reading a reply came to. */
struct onward_dns__found {
    enum onward_dns__status status;
    bool is_secure;
    bool is_chase; /* ends in a CNAME: name is to be asked for */
    unsigned hops; /* CNAMEs followed */
    uint32_t ttl_s;
    bool has_ttl; /* false: a negative answer that must not be kept */
    struct onward_dns__name name; /* behind the CNAMEs */
};

struct onward_dns__builder {
    struct onward_buf data;
    struct onward_buf items;
};

void onward_dns__builder_init(struct onward_dns__builder *b,
                              struct onward_ctx *ctx);
void onward_dns__builder_clear(struct onward_dns__builder *b);
size_t onward_dns__builder_count(const struct onward_dns__builder *b);
/* One valid record. 0, ONWARD_ELIMIT or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_dns__builder_add(struct onward_dns__builder *b,
                                              uint16_t type,
                                              const uint8_t *rdata, size_t len);
/* The answer with one count; NULL: no memory. has_cname: hops or more before */
const struct onward_dns__answer *
onward_dns__builder_finish(struct onward_dns__builder *b,
                           const struct onward_dns__found *found,
                           bool has_cname);
/* A copy of answer as the end of a chain of CNAMEs; NULL: no memory. */
const struct onward_dns__answer *
onward_dns__answer_behind(struct onward_ctx *ctx,
                          const struct onward_dns__answer *answer,
                          uint32_t ttl_s, bool is_secure);

/*
 * Find the records of name and type in a reply, through its CNAMEs. Fills
 * status (OK or NODATA), hops, name, ttl_s; the records are in b.
 */
ONWARD_USE_RESULT int
onward_dns__reply_collect(struct onward_dns__reply *reply,
                          const struct onward_dns__name *name, uint16_t type,
                          struct onward_dns__builder *b,
                          struct onward_dns__found *found);

/* ---- The forms of a reply ---------------------------------------------- */

ONWARD_USE_RESULT int onward_dns__read_wire(const void *packet, size_t len,
                                            const struct onward_dns__name *name,
                                            uint16_t type,
                                            struct onward_dns__builder *b,
                                            struct onward_dns__found *found);
ONWARD_USE_RESULT int onward_dns__read_text(struct onward_ctx *ctx,
                                            struct onward_str text,
                                            const struct onward_dns__name *name,
                                            uint16_t type,
                                            struct onward_dns__builder *b,
                                            struct onward_dns__found *found);

/* ---- Lines of records -------------------------------------------------- */

enum onward_dns__mark {
    ONWARD_DNS__MARK_NONE,
    ONWARD_DNS__MARK_SERVFAIL,
    ONWARD_DNS__MARK_TIMEOUT,
    ONWARD_DNS__MARK_NODATA,
    ONWARD_DNS__MARK_BOGUS,
    ONWARD_DNS__MARK_SECURE
};

struct onward_dns__line {
    struct onward_str rest; /* not read yet */
    struct onward_dns__name owner;
    uint16_t type;
    uint32_t ttl_s;
    enum onward_dns__mark mark; /* or else: */
    struct onward_buf rdata;
    char fault[200]; /* ends in NUL */
};

void onward_dns__line_init(struct onward_dns__line *line,
                           struct onward_ctx *ctx);
void onward_dns__line_clear(struct onward_dns__line *line);
/*
 * 1 a record or mark, 0 nothing on it. ONWARD_ESYNTAX: a fault; ONWARD_ENOENT:
 * a type we have no name for, also a fault; ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_dns__line_parse(struct onward_dns__line *line,
                                             struct onward_str text);
/* Cut the next line off text, without its end; false at the end. */
bool onward_dns__line_next(struct onward_str *text, struct onward_str *line);
/* The rdata of a record, from line->rest into line->rdata (rdata_text.c). */
ONWARD_USE_RESULT int onward_dns__line_rdata(struct onward_dns__line *line);
/* The next word of a line; empty at its end or a comment. */
struct onward_str onward_dns__line_word(struct onward_dns__line *line);
/* Says what is there and what was expected; returns ONWARD_ESYNTAX. */
int onward_dns__line_fault(struct onward_dns__line *line, const char *what,
                           struct onward_str found, const char *expected);

/* ---- Loaded records ---------------------------------------------------- */

struct onward_dns__records {
    struct onward_arena arena;
    struct onward_core__table nodes; /* by name */
};

ONWARD_USE_RESULT int
onward_dns__records_init(struct onward_dns__records *records,
                         struct onward_ctx *ctx);
void onward_dns__records_clear(struct onward_dns__records *records);
ONWARD_USE_RESULT int
onward_dns__records_add(struct onward_dns__records *records,
                        const struct onward_dns__line *line);
/* 1 with the answer in found and b; 0 when the name is not here: found is then
 * NXDOMAIN; ONWARD_ELIMIT or ONWARD_ENOMEM. is_alone: nobody else to ask. */
ONWARD_USE_RESULT int
onward_dns__records_find(const struct onward_dns__records *records,
                         const struct onward_dns__name *name, uint16_t type,
                         bool is_alone, struct onward_dns__builder *b,
                         struct onward_dns__found *found);

#endif
