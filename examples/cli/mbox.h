/*
 * An mbox file, taken apart: messages follow lines that begin with "From ",
 * behind an empty line (RFC 4155). Of lines that begin with ">From " and more
 * ">" one ">" is taken off, as most writers put one on.
 */
#ifndef MBOX_H
#define MBOX_H

#include <onward/core.h>

#include <stdbool.h>

struct mbox {
    struct onward_str rest;
    char *message; /* the one that mbox_next() gave */
};

/* file is borrowed; its lines end in CRLF or LF. */
void mbox_open(struct mbox *box, struct onward_str file);
/* The next message, borrowed until the next call. */
bool mbox_next(struct mbox *box, struct onward_str *message);
void mbox_close(struct mbox *box);

#endif
