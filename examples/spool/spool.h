/*
 * A spool: messages that wait, one file each, and what became of their
 * recipients so far. The forwarder works on it; `onward queue` looks at it and
 * asks for changes, with or without a forwarder that runs.
 *
 *     DIR/lock           held by who works on the spool
 *     DIR/messages/ID    a message, whole
 *     DIR/new/ID         one that is being written: what a kill leaves here
 *                        was never accepted, and is swept away
 *     DIR/damaged/ID     a file that cannot be read; kept for a person
 *     DIR/requests/ID.WHAT  retry, hold, release or delete: asked for by
 *                        somebody who does not hold the lock
 *
 * A message is written under new/, synced, linked into messages/, the folder is
 * synced, and only then it counts. It never changes after that: what becomes of
 * it is appended, in records with a checksum each, so that a kill in the middle
 * leaves the state before. format.c has the octets, message.c one file,
 * spool.c the folders, request.c the requests.
 *
 * All that waits here waits for the disk: callers are stopped meanwhile.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <onward/core.h>
#include <onward/mime.h>

enum {
    SPOOL_ID_MAX = 64,            /* of an id, its NUL too */
    SPOOL_RCPTS_MAX = 1000,       /* of a message */
    SPOOL_ENVELOPE_MAX = 1 << 20, /* octets */
    SPOOL_RECORD_MAX = 2048,
    SPOOL_TEXT_MAX = 520 /* of what a server said, its NUL too */
};

/* ---- What a file holds ------------------------------------------------- */

/* Where a copy goes. */
struct spool_rcpt {
    struct onward_str address; /* for RCPT */
    struct onward_str domain;  /* of the plan: A-labels or a literal; empty:
                                * that of the address */
    struct onward_str orcpt;   /* to pass on */
    size_t notify;             /* to pass on: enum onward_smtp_notify */
    size_t is_heir; /* 1: only when the one before it does not take it */
};

/* Whom the sender wrote to: a notice speaks of these, not of where we forward
 * to. None: it speaks of the recipients. */
struct spool_name {
    struct onward_str address, orcpt;
    size_t notify;
};

/* Why there is a message; for people. Numbers are in files. */
enum spool_origin {
    SPOOL_RELAYED = 1, /* mail of others, on its way */
    SPOOL_NOTICE = 2,  /* a delivery status notification */
    SPOOL_MADE = 3,    /* written by a handler */
    SPOOL_REPORT = 4   /* on TLS */
};

/* What goes before the octets of a message. */
struct spool_envelope {
    enum spool_origin origin;
    struct onward_str reverse_path; /* empty: null */
    /* Who is told of failures; empty: nobody may be. */
    struct onward_str notice_path;
    struct onward_str envid;
    struct onward_str received_from; /* a name or [address]; may be empty */
    struct onward_str log_id;        /* of the session or message it is of */
    size_t ret;                      /* enum onward_smtp_ret */
    size_t body;                     /* enum onward_smtp_body */
    size_t smtputf8;
    size_t require_tls;  /* RFC 8689 */
    size_t tls_optional; /* the same: TLS-Required: No */
    int64_t arrival_s;   /* Unix seconds */
    int64_t hold;        /* 1: not before somebody says so */
    /* Of a quarantine; empty: it is in none. */
    struct onward_str place;
    size_t has_no_way; /* 1: rcpts are whom it was for, nobody knows where to */
    struct spool_rcpt *rcpts;
    size_t rcpt_count;
    struct spool_name *names;
    size_t name_count;
};

/* How far a recipient has come. Numbers are in files. */
enum spool_fate {
    SPOOL_WAITING = 0,
    SPOOL_DELIVERED = 1,
    SPOOL_FAILED = 2 /* and whoever may be told was */
};

struct spool_state {
    enum spool_fate fate;
    uint32_t attempts;
    bool is_delay_told;
    int64_t last_s, next_s; /* 0: not yet; at once */
    uint32_t code;          /* of the last reply */
    char enhanced[16], text[SPOOL_TEXT_MAX], host[260];
};

/* One message that was read. */
struct spool_message {
    char id[SPOOL_ID_MAX];
    struct spool_envelope envelope; /* texts are in octets */
    struct spool_state *states;     /* one for each recipient */
    bool is_held;
    struct onward_source content; /* read from the file */
    /* Of message.c. */
    int fd;
    char *octets;
    uint64_t content_at, end; /* end: of the last whole record */
    uint32_t content_crc;
};

/* A word for it, "notice"; for logs. */
const char *spool_origin_name(enum spool_origin origin);

/* ---- format.c: the octets; no system below it -------------------------- */

/*
 * A file, all numbers little-endian:
 *
 *      0  4  "oMSG"
 *      4  4  version, 1
 *      8  4  E, octets of the envelope
 *     12  4  CRC-32 of the envelope
 *     16  8  C, octets of the content
 *     24  4  CRC-32 of the content
 *     28  4  CRC-32 of the 28 octets before
 *     32  E  envelope: fields
 *   32+E  C  content
 *            records: "oREC", length, CRC-32 of the fields, fields
 *
 * A field is a tag and a length of two octets each, and its value. Version 1
 * has no tags but these; a file with others is damaged.
 */
enum { SPOOL_HEAD = 32, SPOOL_RECORD_HEAD = 12 };

/* Of the file's first 32 octets. */
struct spool_head {
    uint32_t envelope_len, envelope_crc, content_crc;
    uint64_t content_len;
};

/* What a record says: of recipient rcpt, or of the message. */
struct spool_record {
    size_t rcpt; /* SIZE_MAX: the message */
    struct spool_state state;
    bool is_held; /* of the message */
};

uint32_t spool_crc(uint32_t before, const void *data, size_t len);
void spool_head_write(const struct spool_head *head,
                      unsigned char out[SPOOL_HEAD]);
bool spool_head_read(const unsigned char in[SPOOL_HEAD],
                     struct spool_head *head);
/* malloc()ed; NULL: no memory, or (errno EINVAL) past a limit. */
unsigned char *spool_envelope_write(const struct spool_envelope *envelope,
                                    size_t *len);
/* Texts stay in `in`; the lists are malloc()ed: spool_envelope_clear(). 0, or
 * -1 with errno: EBADMSG (damaged) or ENOMEM. */
int spool_envelope_read(const unsigned char *in, size_t len,
                        struct spool_envelope *envelope);
void spool_envelope_clear(struct spool_envelope *envelope);
/* How many octets were written. */
size_t spool_record_write(const struct spool_record *record,
                          unsigned char out[SPOOL_RECORD_MAX]);
/* The octets of a whole record at the front; 0: none. */
size_t spool_record_read(const unsigned char *in, size_t len,
                         struct spool_record *record);
/* Where a copy goes: domain, or that of the address. */
struct onward_str spool_domain(const struct spool_rcpt *rcpt);
/* Is it a name that spool_new_id() could have made, or one derived of it? */
bool spool_is_id(const char *text);

/* ---- spool.c ----------------------------------------------------------- */

struct spool;

/* Who opens it. */
enum spool_use {
    SPOOL_LOOK, /* reads, and asks for changes */
    SPOOL_WORK  /* makes what is missing, locks, sweeps */
};

/* NULL: one line in fault, and errno; EWOULDBLOCK: somebody works on it. */
struct spool *spool_open(const char *path, enum spool_use use, char *fault,
                         size_t fault_size);
void spool_close(struct spool *spool);

/* An id that is not there: time and random octets. 0 or -1. */
int spool_new_id(char id[SPOOL_ID_MAX]);
/*
 * Keep a message: 0 when it is on the disk to stay; -1 with errno, and it is
 * not there (EEXIST: one of that id was before). The source never says AGAIN.
 */
int spool_put(struct spool *spool, const char *id,
              const struct spool_envelope *envelope,
              const struct onward_source *content);
bool spool_has(struct spool *spool, const char *id);
/* It is done with. 0 or -1 with errno. */
int spool_remove(struct spool *spool, const char *id);
/* Put a file that cannot be read out of the way. */
int spool_set_aside(struct spool *spool, const char *id);
/* All ids, in no order; stops when visit returns false. 0 or -1 with errno. */
int spool_each(struct spool *spool, bool (*visit)(void *user, const char *id),
               void *user);

/* ---- message.c --------------------------------------------------------- */

/* Read all but the content. NULL with errno: ENOENT, EBADMSG (damaged), and
 * what the system says. */
struct spool_message *spool_read(struct spool *spool, const char *id);
void spool_message_free(struct spool_message *message);
/* Is the content as it was written? 0, or -1 with errno. */
int spool_check(const struct spool_message *message);
/*
 * Keep what became of a recipient, or (SIZE_MAX) whether the message is held:
 * the states of message as they are now. must_last: it is on the disk to stay
 * when this returns. 0, or -1 with errno: the file says what it said.
 */
int spool_append(struct spool_message *message, size_t rcpt, bool must_last);
/* When is the next attempt due? Unix seconds, 0 where spool_is_due(); INT64_MAX:
 * nobody waits. */
int64_t spool_due(const struct spool_message *message, int64_t now_s);
/* Of a recipient: is it to be tried? One that was last tried in the future was
 * tried by a clock that was wrong: it does not wait for that time. */
bool spool_is_due(const struct spool_state *state, int64_t now_s);

/* ---- chain.c ----------------------------------------------------------- */

/* Is there something to do for a recipient, now or later? Not before the turn
 * of an heir, and not once another of its list has the message. */
bool spool_is_waiting(const struct spool_message *message, size_t rcpt);
/* Is there another one of its list that may still take it? */
bool spool_has_others(const struct spool_message *message, size_t rcpt);

/* ---- request.c --------------------------------------------------------- */

enum spool_what {
    SPOOL_NOTHING,
    SPOOL_RETRY,   /* at once, also when it is held */
    SPOOL_HOLD,    /* not until it is released */
    SPOOL_RELEASE, /* in its time again */
    SPOOL_DELETE   /* and nobody is told */
};

const char *spool_what_name(enum spool_what what);
/* Ask who holds the lock. 0 or -1 with errno. */
int spool_ask(struct spool *spool, const char *id, enum spool_what what);
/* Is that still to be seen to? */
bool spool_is_asked(struct spool *spool, const char *id, enum spool_what what);
/* A request; 1, 0 (there is none) or -1 with errno. */
int spool_next_request(struct spool *spool, char id[SPOOL_ID_MAX],
                       enum spool_what *what);
/* It was seen to: who asked waits for that. Not before: a kill between the two
 * must not forget it, and doing it again does no harm. 0 or -1 with errno: then
 * it would come again without end. */
int spool_end_request(struct spool *spool, const char *id,
                      enum spool_what what);
/* Retry, hold or release one that is open here. 0 or -1 with errno. */
int spool_change(struct spool_message *message, enum spool_what what);
/* Do what was asked for, as who holds the lock and has no message open. 0 or
 * -1 with errno. */
int spool_do(struct spool *spool, const char *id, enum spool_what what);
/* A descriptor of inotify(7), readable when there may be a request; -1: none,
 * and one has to look now and then. It is the spool's. */
int spool_request_fd(struct spool *spool);

#endif
