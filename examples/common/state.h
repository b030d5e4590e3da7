/*
 * The folder in which a program keeps what must outlast it.
 */
#ifndef STATE_H
#define STATE_H

#include <stddef.h>

/*
 * Which it is: that of the configuration (NULL: none is named there), else the
 * first of $STATE_DIRECTORY, which systemd sets, else the fallback. free() it.
 */
char *state_path(const char *named, const char *fallback);

/*
 * Could it be used, or made, by that user (NULL: by who we are)? Changes
 * nothing. 0, or -1 with one line in fault, which says what to set.
 */
int state_check(const char *path, const char *user, char *fault,
                size_t fault_size);
/* Make it, for its user alone, when the folder above it exists; and check it.
 * As root, before we become that user. */
int state_make(const char *path, const char *user, char *fault,
               size_t fault_size);

/* A folder below it, made by who we are. free() it; NULL: see fault. */
char *state_folder(const char *path, const char *name, char *fault,
                   size_t fault_size);

#endif
