/*
 * The milter protocol, version 6, as octets: frames of `length command payload`
 * that come in any pieces, what stands in them, and the answers. Nothing here
 * knows what is done with a message.
 *
 * Nobody has written it down but in its two implementations, Sendmail's
 * libmilter and Postfix. Strict: what does not read to its last octet is
 * refused, and the one who reads has no better answer to that than to hang up.
 */
#ifndef MILTER_CODEC_H
#define MILTER_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <onward/core.h>

/* What the mail server says. */
enum milter_command {
    MILTER_NEGOTIATE = 'O',
    MILTER_MACRO = 'D',
    MILTER_CONNECT = 'C',
    MILTER_HELO = 'H',
    MILTER_MAIL = 'M',
    MILTER_RCPT = 'R',
    MILTER_DATA = 'T',
    MILTER_HEADER = 'L',
    MILTER_END_HEADER = 'N',
    MILTER_BODY = 'B',
    MILTER_END_BODY = 'E',
    MILTER_ABORT = 'A',
    MILTER_QUIT = 'Q',
    MILTER_QUIT_NEW = 'K', /* a new session over the same connection */
    MILTER_UNKNOWN = 'U'
};

/* What we say. */
enum milter_answer {
    MILTER_ADD_RCPT = '+',
    MILTER_DELETE_RCPT = '-',
    MILTER_CHANGE_FROM = 'e',
    MILTER_INSERT_HEADER = 'i',
    MILTER_CHANGE_HEADER = 'm',
    MILTER_QUARANTINE = 'q',
    MILTER_REPLY = 'y',
    MILTER_CONTINUE = 'c',
    MILTER_TEMPFAIL = 't'
};

/* Actions that a filter may take, as bits. */
enum milter_action {
    MILTER_MAY_ADD_HEADERS = 0x01,
    MILTER_MAY_ADD_RCPT = 0x04,
    MILTER_MAY_DELETE_RCPT = 0x08,
    MILTER_MAY_CHANGE_HEADERS = 0x10,
    MILTER_MAY_QUARANTINE = 0x20,
    MILTER_MAY_CHANGE_FROM = 0x40
};

/* What need not be said or answered, as bits. */
enum milter_protocol {
    MILTER_NO_UNKNOWN = 0x100,
    MILTER_NO_DATA = 0x200,
    MILTER_UNANSWERED_HEADER = 0x80,
    MILTER_UNANSWERED_CONNECT = 0x1000,
    MILTER_UNANSWERED_HELO = 0x2000,
    MILTER_UNANSWERED_END_HEADER = 0x40000,
    MILTER_UNANSWERED_BODY = 0x80000,
    /* Values of fields keep the blank behind the colon. */
    MILTER_LEADING_SPACE = 0x100000
};

enum {
    MILTER_VERSION = 6,
    /* Of a frame without its length. Fields and pieces of a body are the
     * longest: Postfix cuts both above 100 KB. */
    MILTER_FRAME_MAX = 1048576
};

/* ---- Frames ------------------------------------------------------------ */

struct milter_frame {
    unsigned char command;
    struct onward_str payload;
};

/* All 0 at the start. */
struct milter_reader {
    char *data;
    size_t len, cap;
    bool is_read; /* the frame in it was given out */
};

/*
 * Take octets up to the end of one frame; taken says how many. 1: frame is
 * whole, borrowed until the next call; 0: all was taken, more is needed; or
 * ONWARD_ELIMIT (a length of 0, or above MILTER_FRAME_MAX) or ONWARD_ENOMEM.
 * Memory grows with what has come, not with what was announced.
 */
int milter_reader_feed(struct milter_reader *r, const void *data, size_t len,
                       size_t *taken, struct milter_frame *frame);
void milter_reader_clear(struct milter_reader *r);

/* ---- Payloads: 0, or ONWARD_ESYNTAX and nothing was written ------------ */

struct milter_options {
    uint32_t version, actions, protocol;
};

/* What follows the three numbers is left to later versions. */
int milter_read_options(struct onward_str payload, struct milter_options *out);

struct milter_client {
    struct onward_str name;
    struct onward_ip ip; /* family 0: a socket of this machine, or not known */
};

int milter_read_connect(struct onward_str payload, struct milter_client *out);

/*
 * Strings that each end in NUL; the last octet of the payload must be one. The
 * first `max` of them are written. How many there are, or ONWARD_ESYNTAX.
 */
int milter_read_strings(struct onward_str payload, struct onward_str *strings,
                        size_t max);

/*
 * The value of a macro in a payload of MILTER_MACRO, "i" or "{auth_authen}",
 * with or without the braces: 1; 0: it is not there; or ONWARD_ESYNTAX.
 */
int milter_read_macro(struct onward_str payload, const char *name,
                      struct onward_str *value);

/* An address of MAIL or RCPT without its brackets. */
struct onward_str milter_read_address(struct onward_str text);

/* ---- Answers ----------------------------------------------------------- */

/* Octets to be sent; all 0 at the start. */
struct milter_out {
    char *data;
    size_t at, len, cap; /* what is sent begins at `at` */
    bool has_failed;     /* no memory: nothing of it is to be sent any more */
};

void milter_out_clear(struct milter_out *out);
void milter_put(struct milter_out *out, enum milter_answer answer);
void milter_put_string(struct milter_out *out, enum milter_answer answer,
                       const char *text);
/* With the brackets around it. */
void milter_put_address(struct milter_out *out, enum milter_answer answer,
                        const char *address);
/* index as the protocol has it. Folds of value are CR LF; in the frame LF. */
void milter_put_field(struct milter_out *out, enum milter_answer answer,
                      uint32_t index, const char *name, const char *value);
/* "550 5.7.1 text": a per cent sign is doubled. */
void milter_put_reply(struct milter_out *out, unsigned code,
                      const char *enhanced, const char *text);
void milter_put_options(struct milter_out *out,
                        const struct milter_options *options);

#endif
