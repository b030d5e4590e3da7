/*
 * A message that waits for the word on it: the first part of it in memory, a
 * longer one in a file without a name.
 */
#ifndef KEEP_H
#define KEEP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct keep {
    const char *folder; /* for files; set before */
    char *mem;          /* all, or what is not in the file yet */
    size_t mem_len;
    uint64_t file_len;
    int fd; /* -1: none */
};

/* Nothing in it; before everything else. */
void keep_init(struct keep *k, const char *folder);
/* 0, or -1 with errno: it can only be cleared. */
int keep_add(struct keep *k, const void *data, size_t len);
/* Up to cap octets from there on. 0: there are none. -1: errno. */
ssize_t keep_read(const struct keep *k, uint64_t at, void *out, size_t cap);
/* Empty again. */
void keep_clear(struct keep *k);

#endif
