#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <libgen.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *state_path(const char *named, const char *fallback)
{
    const char *given = getenv("STATE_DIRECTORY");

    if (named != NULL)
        return strdup(named);
    /* Several stand with colons between. */
    if (given != NULL && given[0] == '/')
        return strndup(given, strcspn(given, ":"));
    return strdup(fallback);
}

static int wrong(const char *path, const char *why, char *fault,
                 size_t fault_size)
{
    snprintf(fault, fault_size,
             "%s: %s, expected a folder that we can write to; set \"state = "
             "FOLDER\"",
             path, why);
    return -1;
}

/* Can that user write there? Who we are is asked by access(2), which knows of
 * more than modes; another by the modes of what we would have made for it. */
static bool can_write(const char *path, const struct stat *st,
                      const struct passwd *pw)
{
    mode_t want = S_IWUSR | S_IXUSR;

    if (pw == NULL || geteuid() != 0)
        return access(path, W_OK | X_OK) == 0;
    if (st->st_uid == pw->pw_uid || pw->pw_uid == 0)
        return (st->st_mode & want) == want;
    if (st->st_gid == pw->pw_gid)
        return (st->st_mode & (want >> 3)) == want >> 3;
    return (st->st_mode & (want >> 6)) == want >> 6;
}

static int check_parent(const char *path, char *fault, size_t fault_size)
{
    char *copy = strdup(path);
    int ret = 0;

    if (copy == NULL)
        return wrong(path, "out of memory", fault, fault_size);
    if (access(dirname(copy), W_OK | X_OK) != 0)
        ret = wrong(path, strerror(errno), fault, fault_size);
    free(copy);
    return ret;
}

int state_check(const char *path, const char *user, char *fault,
                size_t fault_size)
{
    const struct passwd *pw = user == NULL ? NULL : getpwnam(user);
    struct stat st;

    if (stat(path, &st) != 0)
        return errno == ENOENT
                   ? check_parent(path, fault, fault_size)
                   : wrong(path, strerror(errno), fault, fault_size);
    if (!S_ISDIR(st.st_mode))
        return wrong(path, strerror(ENOTDIR), fault, fault_size);
    if (!can_write(path, &st, pw))
        return wrong(path, strerror(EACCES), fault, fault_size);
    return 0;
}

int state_make(const char *path, const char *user, char *fault,
               size_t fault_size)
{
    const struct passwd *pw = user == NULL ? NULL : getpwnam(user);

    if (mkdir(path, 0700) == 0) {
        if (pw != NULL && geteuid() == 0 &&
            chown(path, pw->pw_uid, pw->pw_gid) != 0)
            return wrong(path, strerror(errno), fault, fault_size);
    } else if (errno != EEXIST) {
        return wrong(path, strerror(errno), fault, fault_size);
    }
    return state_check(path, user, fault, fault_size);
}

char *state_folder(const char *path, const char *name, char *fault,
                   size_t fault_size)
{
    char *folder = NULL;

    if (asprintf(&folder, "%s/%s", path, name) < 0) {
        (void)wrong(path, "out of memory", fault, fault_size);
        return NULL;
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        (void)wrong(folder, strerror(errno), fault, fault_size);
    else if (state_check(folder, NULL, fault, fault_size) == 0)
        return folder;
    free(folder);
    return NULL;
}
