/* The cdb format that Postfix reads, by the library that it reads it with. */
#define _POSIX_C_SOURCE 200809L
#include <cdb.h>
#include <fcntl.h>
#include <unistd.h>

#include "bench/route/data.h"

static struct cdb cdb;

static void put(void *user, const char *key, size_t key_len, const char *value,
                size_t value_len)
{
    if (cdb_make_add(user, key, (unsigned)key_len, value,
                     (unsigned)value_len) != 0)
        bench_die("cdb_make_add");
}

static int find(void *map, const char *key, size_t len)
{
    (void)map;
    return cdb_find(&cdb, key, (unsigned)len) > 0 ? (int)cdb_datalen(&cdb) : -1;
}

int main(int argc, char **argv)
{
    const struct pairs pairs = {NULL, find};
    struct cdb_make make;
    char path[4096];
    int fd;

    if (argc != 2)
        bench_die("cdb FOLDER");
    snprintf(path, sizeof(path), "%s/rules.cdb", argv[1]);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || cdb_make_start(&make, fd) != 0)
        bench_die(path);
    each_pair(&make, put);
    if (cdb_make_finish(&make) != 0 || cdb_init(&cdb, fd) != 0)
        bench_die(path);
    return serve_pairs(&pairs);
}
