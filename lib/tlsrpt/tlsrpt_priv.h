/*
 * The rooms of TLS reports: report.c holds and counts, keep.c is its bytes in a
 * store, write.c and read.c its JSON, mail.c how it travels; collector.c and
 * collector_send.c make one a day and domain.
 */
#ifndef ONWARD_TLSRPT_PRIV_H
#define ONWARD_TLSRPT_PRIV_H

#include <onward/tlsrpt.h>

#include "core/core_shared.h"
#include "core/text_shared.h"

enum { ONWARD_TLSRPT__TEXTS = 7 }; /* of a row */

/* One row; texts[] in the order of struct onward_tlsrpt_failure. */
struct onward_tlsrpt__row {
    struct onward_tlsrpt__row *next;
    uint64_t hash;
    uint64_t count;
    struct onward_str texts[ONWARD_TLSRPT__TEXTS];
};

struct onward_tlsrpt__policy {
    struct onward_tlsrpt__policy *next;
    size_t type;
    uint64_t successes, failures;
    struct onward_str domain, text, mx; /* lines end in LF */
    struct onward_tlsrpt__row *first, *last;
    size_t row_count;
};

struct onward_tlsrpt_report {
    struct onward_ctx *ctx;
    struct onward_arena arena;
    struct onward_tlsrpt_report_opts opts; /* texts in the arena */
    struct onward_tlsrpt__policy *first, *last;
    size_t policy_count, row_count;
    size_t bytes_left;
    size_t oddities;
    uint64_t lost;
    struct onward_buf out; /* what was given out last */
};

/* Empty, with resolved limits; texts of opts are not kept. opts may be NULL. */
ONWARD_USE_RESULT int
onward_tlsrpt__make(struct onward_ctx *ctx,
                    const struct onward_tlsrpt_report_opts *opts,
                    struct onward_tlsrpt_report **report);
/* A copy of s; 0, ONWARD_ELIMIT (max_bytes) or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_tlsrpt__keep(struct onward_tlsrpt_report *r,
                                          struct onward_str s,
                                          struct onward_str *out);
/* A new one at the end, texts copied. 0, ONWARD_ELIMIT or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_tlsrpt__add_policy(struct onward_tlsrpt_report *r,
                          const struct onward_tlsrpt__policy *policy,
                          struct onward_tlsrpt__policy **out);
ONWARD_USE_RESULT int
onward_tlsrpt__add_row(struct onward_tlsrpt_report *r,
                       struct onward_tlsrpt__policy *policy,
                       const struct onward_tlsrpt__row *row);
/* Add what another report of the same domain and day has counted; what is over
 * a limit is in lost. 0 or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_tlsrpt__join(struct onward_tlsrpt_report *into,
                    const struct onward_tlsrpt_report *from);
/* The first line off *rest, without its end; false: none is left. */
bool onward_tlsrpt__next_line(struct onward_str *rest, struct onward_str *line);
uint64_t onward_tlsrpt__plus(uint64_t a, uint64_t b);
/* 0, ONWARD_EINVAL or ONWARD_ESYNTAX: what onward_tlsrpt_report_new() takes. */
int onward_tlsrpt__check(const struct onward_tlsrpt_report_opts *opts);
/* Can it be sent: made from options, not read? */
bool onward_tlsrpt__is_ours(const struct onward_tlsrpt_report *r);

#endif
