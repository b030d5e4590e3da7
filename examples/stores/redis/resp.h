/*
 * RESP2, the protocol of Redis: replies taken apart as they come, commands
 * written. The other side may be anything that listens there.
 */
#ifndef RESP_H
#define RESP_H

#include <stddef.h>
#include <stdint.h>

#include <onward/core.h>

enum {
    RESP_BULK_MAX = 2 << 20, /* octets of one string */
    RESP_BYTES_MAX = 4 << 20 /* of one reply */
};

enum resp_type { RESP_NIL, RESP_TEXT, RESP_ERROR, RESP_NUMBER, RESP_ARRAY };

struct resp_value {
    enum resp_type type;
    struct onward_str text; /* borrowed from the input */
    int64_t number;         /* of a number; of an array how many */
};

/* A reply: an array's items follow it. Arrays do not stand in arrays. */
struct resp_reply {
    struct resp_value *values;
    size_t count, room;
};

/* No more than that many octets are needed before it is worth to look again;
 * see resp_read(). */
enum { RESP_BROKEN = -1 };

/*
 * One reply at the beginning of data. The octets that it takes; 0: there is
 * not all of it, and *want octets at least are needed; RESP_BROKEN: no reply
 * will ever come of it, or no memory.
 */
int64_t resp_read(struct onward_str data, struct resp_reply *reply,
                  size_t *want);
void resp_clear(struct resp_reply *reply);

/* Octets to send, grown as needed. */
struct resp_out {
    char *data;
    size_t len, room;
    int has_failed; /* there was no memory */
};

/* Begin a command of that many words, then give them. */
void resp_command(struct resp_out *out, size_t words);
void resp_word(struct resp_out *out, const void *data, size_t len);
void resp_text(struct resp_out *out, const char *text);
void resp_number(struct resp_out *out, int64_t number);

#endif
