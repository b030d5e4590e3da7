/* The rooms of aggregate reports: report_row.c holds a row, report_words.c the
 * words that stand in one, report.c counts rows, report_write.c and
 * report_mail.c give the report out, report_read.c takes others' in. */
#ifndef ONWARD_DMARC_REPORT_PRIV_H
#define ONWARD_DMARC_REPORT_PRIV_H

#include <onward/dmarc_report.h>

#include "core/core_shared.h"
#include "core/text_shared.h"

/* ---- Rows -------------------------------------------------------------- */

struct onward_dmarc__auth {
    struct onward_dmarc__auth *next;
    struct onward_str domain, selector, scope, result, human_result;
};

struct onward_dmarc__reason {
    struct onward_dmarc__reason *next;
    struct onward_str type, comment;
};

struct onward_dmarc__auths {
    struct onward_dmarc__auth *first, **end;
    size_t count;
};

struct onward_dmarc_row {
    struct onward_ctx *ctx;
    struct onward_arena arena; /* of the facts' texts and the lists */
    struct onward_dmarc_row_facts facts;
    struct onward_dmarc__auths dkim, spf;
    struct onward_dmarc__reason *reasons, **reasons_end;
    size_t reason_count;
    size_t text_bytes; /* taken so far, of a limit */
};

/* ---- Words ------------------------------------------------------------- */

/* A word of a closed list, however it is written. */
struct onward_dmarc__word {
    size_t value; /* 0: not on the list */
    bool is_odd_case;
};

/* enum onward_dmarc_disposition. */
struct onward_dmarc__word
onward_dmarc__read_disposition(struct onward_str text);
/* The word as RFC 8601 sections 2.7.1 and 2.7.2 write it; NULL: none. */
const char *onward_dmarc__dkim_word(struct onward_str text);
const char *onward_dmarc__spf_word(struct onward_str text);
/* The word of PolicyOverrideType (RFC 9990 section 3.1.6), or of RFC 7489's
 * with is_old; NULL: none. */
const char *onward_dmarc__reason_word(struct onward_str text, bool is_old);

/* ---- Reports ----------------------------------------------------------- */

/* A row as it will be written, but for its count. */
struct onward_dmarc__entry {
    struct onward_core__node node;
    struct onward_dmarc__entry *next; /* in the order they came */
    struct onward_str head, tail;     /* around the count; one piece */
    uint64_t count;
};

struct onward_dmarc_report {
    struct onward_ctx *ctx;
    struct onward_arena texts; /* of the options */
    struct onward_arena rows;
    struct onward_core__table table;
    struct onward_dmarc__entry *first, **end;
    struct onward_buf scratch; /* the row that is looked at */
    struct onward_buf xml, line;
    struct onward_dmarc_report_opts opts;
    size_t row_bytes; /* of opts.max_bytes */
    struct onward_dmarc_record record;
    struct onward_str *destinations;
    size_t destination_count;
    uint64_t messages, lost;
};

/* Append text as the content of an element: never markup, always characters
 * that XML 1.0 allows; what is none, and controls, becomes U+FFFD. */
void onward_dmarc__xml_text(struct onward_buf *out, struct onward_str text);
/* "<name>text</name>"; with a line end. */
void onward_dmarc__xml_element(struct onward_buf *out, const char *name,
                               struct onward_str text);
/*
 * Append the row as a record element without its count, which goes to *count_at
 * in out. 0, ONWARD_ESYNTAX or what out says.
 */
ONWARD_USE_RESULT int
onward_dmarc__xml_record(struct onward_buf *out,
                         const struct onward_dmarc_row *row, size_t *count_at);

#endif
