/*
 * What the higher floors use of core: memory, buffers, arenas, hash tables,
 * options, limits, ASCII and the log. The desk is in desk_shared.h, text forms
 * (base64, dates, numbers) in text_shared.h, names in domain_shared.h, JSON in
 * json_shared.h.
 */
#ifndef ONWARD_CORE_SHARED_H
#define ONWARD_CORE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <onward/core.h>

#include "core/compiler.h"

/* ---- Context: memory, clock, randomness, log --------------------------- */

/* NULL when there is no memory or bytes is 0. */
void *onward_core__alloc(struct onward_ctx *ctx, size_t bytes);
/* The same, filled with zeros: for structs. */
void *onward_core__zalloc(struct onward_ctx *ctx, size_t bytes);
void *onward_core__realloc(struct onward_ctx *ctx, void *block, size_t bytes);
/* block may be NULL. */
void onward_core__free(struct onward_ctx *ctx, void *block);

int64_t onward_core__now_s(struct onward_ctx *ctx);
/* 0 or ONWARD_ERANDOM; on failure the octets are zero. */
ONWARD_USE_RESULT int onward_core__random(struct onward_ctx *ctx, void *data,
                                          size_t len);
const struct onward_limits *
onward_core__limits(const struct onward_ctx *ctx); /* resolved, no 0 left */
/*
 * Tell the host. module and code are static text; detail may be raw peer
 * octets: it is escaped and capped here.
 */
void onward_core__log(struct onward_ctx *ctx, enum onward_log_level level,
                      const char *module, const char *code, uint64_t log_id,
                      struct onward_str detail);
/* Is anybody listening? For those who make up a detail. */
bool onward_core__has_log(const struct onward_ctx *ctx);

/*
 * Copy options from a caller built against an older or a newer header. A field
 * the caller does not know stays 0, its default. A field we do not know must be
 * 0: ignoring a default is safe, ignoring a choice is not. src NULL: all 0, and
 * the first field (size) is set to dst_size.
 */
ONWARD_USE_RESULT int onward_core__opts_load(void *dst, size_t dst_size,
                                             const void *src);

/*
 * Give a struct to a caller built against an older or a newer header: as much
 * as dst->size says there is room for, the rest of it zeroed, size kept.
 * ONWARD_EINVAL when that size cannot be.
 */
int onward_core__out_store(void *dst, const void *src, size_t src_size);

/* A limit from options: 0 is dflt, ONWARD_LIMIT_ZERO is 0. */
static inline size_t onward_core__limit(size_t given, size_t dflt)
{
    if (given == 0)
        return dflt;
    return given == ONWARD_LIMIT_ZERO ? 0 : given;
}

/* ---- Checked sizes ----------------------------------------------------- */

/* 0 or ONWARD_ELIMIT; *sum is untouched on overflow. */
static inline ONWARD_USE_RESULT int onward_size_add(size_t a, size_t b,
                                                    size_t *sum)
{
    if (b > SIZE_MAX - a)
        return ONWARD_ELIMIT;
    *sum = a + b;
    return 0;
}

static inline ONWARD_USE_RESULT int onward_size_mul(size_t a, size_t b,
                                                    size_t *product)
{
    if (a != 0 && b > SIZE_MAX / a)
        return ONWARD_ELIMIT;
    *product = a * b;
    return 0;
}

/* ---- ASCII, without a locale ------------------------------------------- */

static inline unsigned char onward_ascii_lower(unsigned char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static inline bool onward_ascii_is_alpha(unsigned char c)
{
    c = onward_ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

static inline bool onward_ascii_is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static inline bool onward_ascii_is_alnum(unsigned char c)
{
    return onward_ascii_is_alpha(c) || onward_ascii_is_digit(c);
}

/* 0 to 15, or -1 when c is no hex digit. */
static inline int onward_ascii_hex(unsigned char c)
{
    if (onward_ascii_is_digit(c))
        return c - '0';
    c = onward_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline bool onward_ascii_is_wsp(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/*
 * Are the eight octets at p all of `low` to "~"? For loops over text that is
 * plain as a rule; low is at least 1.
 */
static inline bool onward_ascii_is_plain8(const void *p, unsigned char low)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word, del;

    memcpy(&word, p, sizeof(word));
    del = word ^ (ones * 0x7f);
    /* Bit 7: set in the word itself, or borrowed by what is below low, or by
     * DEL made 0. A borrow that runs on only says no once too often. */
    return ((word | (word - ones * low) | (del - ones)) & (ones << 7)) == 0;
}

/* ---- Slices ------------------------------------------------------------ */

static inline struct onward_str onward_core__str(const void *data, size_t len)
{
    return (struct onward_str){.data = (const char *)data, .len = len};
}

/* From octet `from` up to but not including `to`; both are clamped. */
static inline struct onward_str onward_core__sub(struct onward_str s,
                                                 size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from >= to)
        return onward_core__str(s.data, 0);
    return onward_core__str(s.data + from, to - from);
}

static inline bool onward_core__str_eq(struct onward_str a, struct onward_str b)
{
    /* Most unequal texts differ in the first octet: no call for those. */
    return a.len == b.len &&
           (a.len == 0 ||
            (a.data[0] == b.data[0] && memcmp(a.data, b.data, a.len) == 0));
}

/* Equal but for ASCII case. */
bool onward_core__str_ieq(struct onward_str a, struct onward_str b);
bool onward_core__str_starts(struct onward_str s, struct onward_str prefix);
bool onward_core__str_istarts(struct onward_str s, struct onward_str prefix);
bool onward_core__str_iends(struct onward_str s, struct onward_str suffix);
/* SP and HTAB off both ends; with crlf also CR and LF. */
struct onward_str onward_core__str_trim(struct onward_str s);
struct onward_str onward_core__str_trim_crlf(struct onward_str s);
/* Offset of the first / last octet c, or s.len. */
size_t onward_core__str_find(struct onward_str s, unsigned char c);
size_t onward_core__str_rfind(struct onward_str s, unsigned char c);
/* Order of octets, shorter first when one is the start of the other. */
int onward_core__str_cmp(struct onward_str a, struct onward_str b);

/* ---- Secrets ----------------------------------------------------------- */

/* Equal? In time that depends on len alone. */
bool onward_core__equal_secret(const void *a, const void *b, size_t len);
/* A store that the compiler cannot drop. */
void onward_core__wipe(void *data, size_t len);

/* ---- Growing buffers --------------------------------------------------- */

/*
 * Octets that grow up to a ceiling. The first failure sticks: later appends do
 * nothing and return it, so a writer may append many pieces and look once.
 */
struct onward_buf {
    struct onward_ctx *ctx;
    unsigned char *data;
    size_t len;
    size_t cap;
    size_t max;
    int err;
    bool is_secret; /* set after _init: what is given back is wiped before */
};

void onward_core__buf_init(struct onward_buf *b, struct onward_ctx *ctx,
                           size_t max);
/* Free the memory; the buffer can be used again. */
void onward_core__buf_clear(struct onward_buf *b);
/* Forget the content and the error, keep the memory. */
void onward_core__buf_reset(struct onward_buf *b);
/* Room for `more` octets after len; 0, ONWARD_ELIMIT or ONWARD_ENOMEM. */
int onward_core__buf_reserve(struct onward_buf *b, size_t more);
int onward_core__buf_add(struct onward_buf *b, const void *data, size_t len);
int onward_core__buf_add_str(struct onward_buf *b, struct onward_str s);
/* text ends in NUL. */
int onward_core__buf_add_text(struct onward_buf *b, const char *text);
int onward_core__buf_add_byte(struct onward_buf *b, unsigned char byte);
/* In decimal. */
int onward_core__buf_add_u64(struct onward_buf *b, uint64_t value);
int onward_core__buf_add_i64(struct onward_buf *b, int64_t value);
/* Take octets off the front. */
void onward_core__buf_consume(struct onward_buf *b, size_t n);

static inline struct onward_str onward_core__buf_str(const struct onward_buf *b)
{
    return onward_core__str(b->data, b->len);
}

/* ---- Arenas ------------------------------------------------------------ */

struct onward_core__chunk;

/* Small pieces that are freed in one step. max bounds all of them together. */
struct onward_arena {
    struct onward_ctx *ctx;
    struct onward_core__chunk *chunks;
    size_t used; /* octets taken from the allocator */
    size_t max;
    size_t first; /* set after _init: octets of the first chunk; 0: 512 */
};

void onward_core__arena_init(struct onward_arena *a, struct onward_ctx *ctx,
                             size_t max);
/* Free all; the arena can be used again. */
void onward_core__arena_clear(struct onward_arena *a);
/* The same for an arena that holds secrets: wiped before. */
void onward_core__arena_wipe(struct onward_arena *a);
/* Free all but one chunk of ordinary size, so that the next use is cheap. */
void onward_core__arena_reset(struct onward_arena *a);
/* Zero-filled and aligned for any type; NULL: no memory, or over max. */
void *onward_core__arena_alloc(struct onward_arena *a, size_t bytes);
/* An array of count items of item_size; NULL also on overflow. */
void *onward_core__arena_array(struct onward_arena *a, size_t count,
                               size_t item_size);
/* A copy of s in the arena; 0 or ONWARD_ENOMEM. Empty s copies to empty. */
ONWARD_USE_RESULT int onward_core__arena_dup(struct onward_arena *a,
                                             struct onward_str s,
                                             struct onward_str *out);

/* ---- Lists ------------------------------------------------------------- */

/*
 * Sort a list of items that are linked by a pointer at offset next_at of each;
 * its new head. Equal items keep their order. In n log n, without memory of its
 * own.
 */
void *onward_core__list_sort(void *list, size_t next_at,
                             bool (*is_after)(const void *a, const void *b));

/* ---- Hash tables ------------------------------------------------------- */

/* SipHash-2-4, keyed at random for each context: safe over peer data. */
uint64_t onward_core__hash(const struct onward_ctx *ctx, const void *data,
                           size_t len);
/* The same over the lower-cased octets. */
uint64_t onward_core__hash_lower(const struct onward_ctx *ctx, const void *data,
                                 size_t len);
/* SipHash-2-4 with a key of the caller's: for what outlasts the context. */
uint64_t onward_core__siphash(const uint64_t key[2], const void *data,
                              size_t len);
uint64_t onward_core__siphash_lower(const uint64_t key[2], const void *data,
                                    size_t len);

/* Put one in each item; the table finds by hash, the caller compares. */
struct onward_core__node {
    struct onward_core__node *next;
    uint64_t hash;
};

struct onward_core__table {
    struct onward_ctx *ctx;
    struct onward_core__node **slots;
    size_t slot_count; /* a power of two */
    size_t count;
};

/* 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_core__table_init(struct onward_core__table *t,
                                              struct onward_ctx *ctx);
/* Frees the slots; the items are the caller's. */
void onward_core__table_clear(struct onward_core__table *t);
/* Never fails: where there is no memory to grow, chains get longer. */
void onward_core__table_add(struct onward_core__table *t,
                            struct onward_core__node *node, uint64_t hash);
void onward_core__table_remove(struct onward_core__table *t,
                               struct onward_core__node *node);
/* The first node of that hash, and the next one after it; NULL at the end. */
struct onward_core__node *
onward_core__table_find(const struct onward_core__table *t, uint64_t hash);
struct onward_core__node *
onward_core__table_find_next(const struct onward_core__node *node);
/* Any node, for emptying a table; NULL when there is none. */
struct onward_core__node *
onward_core__table_any(const struct onward_core__table *t);

#endif
