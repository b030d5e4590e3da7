/*
 * Messages from files: what is checked has CRLF, what is written back has the
 * line ends that it came with.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <onward/core.h>

#include "cli.h"

struct message {
    const char *path; /* "-": standard input */
    char *file;       /* as read */
    size_t file_len;
    char *converted;        /* with CRLF; NULL: as read */
    struct onward_str wire; /* what to check, borrowed from this */
};

/*
 * Read one. A file with LF and no CR is taken as CRLF, unless is_raw. Mixed
 * line ends are kept as they are, and a word about them goes to standard error.
 * 0, or -1 and fault (a short text with the file's name) says why.
 */
int message_read(const struct command *command, const char *path, bool is_raw,
                 struct message *message, const char **fault);
/* A copy with a CR before every LF; free() it. NULL: no memory. */
char *message_add_cr(const char *in, size_t in_len, size_t *out_len);
/* Write fields (CRLF) and below them the message, in its own line ends. */
void message_write(const struct message *message, struct onward_str fields);
void message_clear(struct message *message);

#endif
