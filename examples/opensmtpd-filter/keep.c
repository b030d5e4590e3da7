#define _GNU_SOURCE
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MEMORY = 65536 };

void keep_init(struct keep *k, const char *folder)
{
    *k = (struct keep){.folder = folder, .fd = -1};
}

void keep_clear(struct keep *k)
{
    free(k->mem);
    if (k->fd >= 0)
        close(k->fd);
    keep_init(k, k->folder);
}

/* Where the file system has none without a name, one that loses it at once. */
static int open_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char *path = NULL;

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    if (asprintf(&path, "%s/onward.XXXXXX", folder) < 0)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    free(path);
    return fd;
}

static int write_out(struct keep *k)
{
    size_t put = 0;

    if (k->fd < 0)
        k->fd = open_file(k->folder);
    while (k->fd >= 0 && put < k->mem_len) {
        ssize_t n = write(k->fd, k->mem + put, k->mem_len - put);

        if (n < 0 && errno != EINTR)
            return -1;
        put += n < 0 ? 0 : (size_t)n;
    }
    if (k->fd < 0)
        return -1;
    k->file_len += k->mem_len;
    k->mem_len = 0;
    return 0;
}

int keep_add(struct keep *k, const void *data, size_t len)
{
    const char *octets = data;

    if (k->mem == NULL)
        k->mem = malloc(MEMORY);
    if (k->mem == NULL)
        return -1;
    while (len > 0) {
        size_t part = MEMORY - k->mem_len;

        if (part == 0) {
            if (write_out(k) != 0)
                return -1;
            continue;
        }
        part = part < len ? part : len;
        memcpy(k->mem + k->mem_len, octets, part);
        k->mem_len += part;
        octets += part;
        len -= part;
    }
    return 0;
}

ssize_t keep_read(const struct keep *k, uint64_t at, void *out, size_t cap)
{
    ssize_t n;

    if (at >= k->file_len) {
        size_t from = (size_t)(at - k->file_len);
        size_t left = from < k->mem_len ? k->mem_len - from : 0;

        left = left < cap ? left : cap;
        if (left > 0)
            memcpy(out, k->mem + from, left);
        return (ssize_t)left;
    }
    if (cap > k->file_len - at)
        cap = (size_t)(k->file_len - at);
    do {
        n = pread(k->fd, out, cap, (off_t)at);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        errno = EIO; /* somebody has cut it */
    return n == 0 ? -1 : n;
}
