/*
 * Reports of others, one file after the other: opened, unpacked, and named in
 * what is said of them.
 */
#ifndef INCOMING_H
#define INCOMING_H

#include "cli.h"
#include "unpack.h"

struct incoming {
    const struct command *command;
    const char *path;
    char name[512];  /* of the file, and of the member inside it */
    bool has_failed; /* this file; it was said why */
    int status;      /* of all of them */
};

/* A thing inside the file begins; member may be "". */
void incoming_name(struct incoming *in, const char *member);
/* The file cannot be taken: say why, behind its name. Gives 1, for the sink. */
int incoming_fail(struct incoming *in, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Open the file and give the sink what is in it. */
void incoming_read(struct incoming *in, struct onward_ctx *ctx,
                   const char *path, const struct unpack_sink *sink);

#endif
