/* What the files of the spool share; nobody else needs it. */
#ifndef SPOOL_FOLDERS_H
#define SPOOL_FOLDERS_H

#include <sys/types.h>

#include "spool.h"

enum spool_folder {
    FOLDER_MESSAGES,
    FOLDER_NEW,
    FOLDER_DAMAGED,
    FOLDER_REQUESTS,
    FOLDERS
};

struct spool {
    int lock;             /* -1: not held */
    int folders[FOLDERS]; /* descriptors */
    int watch;            /* inotify(7); -1: none */
    bool is_read_only;    /* may not be written by this user */
    uid_t owner;          /* of the spool: what root makes in it is given */
    gid_t group;
};

/* All octets, or -1 with errno; less than all is ENOSPC. */
int spool_write_all(int fd, const void *data, size_t len, off_t at);
/* Exactly len octets; EBADMSG when there are less. */
int spool_read_all(int fd, void *data, size_t len, off_t at);
/* The names in a folder; stops when visit returns false. */
int spool_each_name(const struct spool *spool, enum spool_folder folder,
                    bool (*visit)(void *user, const char *name), void *user);

#endif
