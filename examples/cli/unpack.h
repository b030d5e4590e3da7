/*
 * What is inside a file that may be packed: gzip, zip, a mail with attachments,
 * or the thing itself. Nothing is trusted: what comes out is given on in
 * pieces, and who takes it says when it is too much.
 */
#ifndef UNPACK_H
#define UNPACK_H

#include <onward/core.h>

struct unpack_sink {
    void *user;
    /* A thing begins; name is that inside the archive, or "". 0, or stop. */
    int (*begin)(void *user, const char *name);
    int (*take)(void *user, const void *data, size_t len);
    /* It is complete. */
    int (*end)(void *user);
};

/* 0; what the sink returned; or -1, and fault says why: static text. */
int unpack(struct onward_ctx *ctx, struct onward_str file,
           const struct unpack_sink *sink, const char **fault);

#endif
