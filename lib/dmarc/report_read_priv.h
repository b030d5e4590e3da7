/*
 * The reader of reports, from the inside: report_read.c follows the XML and
 * fills slots, report_values.c says what they mean.
 */
#ifndef ONWARD_DMARC_REPORT_READ_PRIV_H
#define ONWARD_DMARC_REPORT_READ_PRIV_H

#include <expat.h>

#include "core/desk_shared.h"
#include "dmarc/report_priv.h"

enum { DEPTH_CEILING = 64 };

/* Elements that hold others. */
enum place {
    PLACE_NONE, /* above the root */
    PLACE_FEEDBACK,
    PLACE_METADATA,
    PLACE_RANGE,
    PLACE_POLICY,
    PLACE_RECORD,
    PLACE_ROW,
    PLACE_EVALUATED,
    PLACE_REASON,
    PLACE_IDENTIFIERS,
    PLACE_RESULTS,
    PLACE_DKIM,
    PLACE_SPF,
    PLACE_EXTENSION,
    PLACE_TEXT, /* an element with a slot */
    PLACE_COUNT
};

/* Elements that hold text. */
enum slot {
    SLOT_NONE,
    SLOT_VERSION,
    SLOT_ORG_NAME,
    SLOT_EMAIL,
    SLOT_CONTACT,
    SLOT_REPORT_ID,
    SLOT_BEGIN,
    SLOT_END,
    SLOT_ERROR,
    SLOT_GENERATOR,
    SLOT_POLICY_DOMAIN,
    SLOT_DISCOVERY,
    SLOT_P,
    SLOT_SP,
    SLOT_NP,
    SLOT_FO,
    SLOT_ADKIM,
    SLOT_ASPF,
    SLOT_TESTING,
    SLOT_PCT,
    SLOT_RECORD, /* the first of a record */
    SLOT_SOURCE_IP = SLOT_RECORD,
    SLOT_COUNT,
    SLOT_DISPOSITION,
    SLOT_DKIM_ALIGNED,
    SLOT_SPF_ALIGNED,
    SLOT_HEADER_FROM,
    SLOT_ENVELOPE_FROM,
    SLOT_ENVELOPE_TO,
    SLOT_REASON, /* the first of a reason */
    SLOT_TYPE = SLOT_REASON,
    SLOT_COMMENT,
    SLOT_AUTH, /* the first of a result */
    SLOT_DOMAIN = SLOT_AUTH,
    SLOT_SELECTOR,
    SLOT_SCOPE,
    SLOT_RESULT,
    SLOT_HUMAN,
    SLOTS
};

struct onward_dmarc_reader {
    struct onward_ctx *ctx;
    struct onward_dmarc_reader_host host;
    struct onward_core__guard guard;
    XML_Parser parser;
    struct onward_dmarc_row *row;
    struct onward_buf slots[SLOTS];
    bool has[SLOTS];

    size_t max_bytes, max_rows, max_depth;
    uint64_t taken;        /* octets, those before the XML included */
    uint64_t event_end;    /* of the XML: behind what expat has told */
    size_t skipped, lines; /* white space before the XML */
    size_t column;
    bool is_begun, is_fed, is_finished, is_root_seen;

    enum place places[DEPTH_CEILING]; /* of the open elements that we
                                                       know */
    enum slot slot;                   /* the one that is open */
    size_t depth;                     /* of those */
    size_t ignored;                   /* elements open within one we do not */
    char ns[128];                     /* of the root */
    size_t ns_len;

    struct onward_dmarc_report_facts facts;
    struct onward_dmarc_report_fault fault;
    int err; /* sticks */
};

/* Inside one of expat's callbacks: no more of them. text is static. */
void onward_dmarc__reader_stop(struct onward_dmarc_reader *r, int err,
                               const char *text);

/* ---- report_values.c --------------------------------------------------- */

struct onward_str onward_dmarc__slot_text(const struct onward_dmarc_reader *r,
                                          enum slot slot);
void onward_dmarc__note(struct onward_dmarc_reader *r,
                        enum onward_dmarc_oddity oddity);

/* An element has ended, and its slots are filled. */
void onward_dmarc__end_version(struct onward_dmarc_reader *r);
void onward_dmarc__end_metadata(struct onward_dmarc_reader *r);
void onward_dmarc__end_policy(struct onward_dmarc_reader *r);
void onward_dmarc__end_reason(struct onward_dmarc_reader *r);
void onward_dmarc__end_auth(struct onward_dmarc_reader *r, bool is_dkim);
/* Gives the host its row. */
void onward_dmarc__end_record(struct onward_dmarc_reader *r);
void onward_dmarc__end_feedback(struct onward_dmarc_reader *r);

#endif
