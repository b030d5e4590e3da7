/* The folders of a spool, and the way of a file into them and out. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "folders.h"

static const char *const names[FOLDERS] = {"messages", "new", "damaged",
                                           "requests"};

/* ---- Octets ------------------------------------------------------------ */

int spool_write_all(int fd, const void *data, size_t len, off_t at)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENOSPC;
            return -1;
        }
        p += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int spool_read_all(int fd, void *data, size_t len, off_t at)
{
    char *p = data;

    while (len > 0) {
        ssize_t n = pread(fd, p, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = EBADMSG;
            return -1;
        }
        p += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* ---- Opening ----------------------------------------------------------- */

static int no_spool(const char *path, char *fault, size_t fault_size,
                    const char *expected)
{
    int error = errno;

    snprintf(fault, fault_size, "%s: %s, expected %s", path,
             error == EWOULDBLOCK ? "in use" : strerror(error), expected);
    errno = error;
    return -1;
}

/* A link that the spool's owner put there must not lead root, who looks after
 * the queue, out of the spool: to sweep another folder, or give a file away. */
static int open_folder(struct spool *s, int root, enum spool_folder f,
                       bool make)
{
    if (make && mkdirat(root, names[f], 0700) == 0) {
        if (fchownat(root, names[f], s->owner, s->group, AT_SYMLINK_NOFOLLOW) !=
            0)
            return -1;
    } else if (make && errno != EEXIST) {
        return -1;
    }
    s->folders[f] =
        openat(root, names[f], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return s->folders[f] < 0 ? -1 : 0;
}

static int open_folders(struct spool *s, int root, bool make)
{
    for (int f = 0; f < FOLDERS; f++) {
        if (open_folder(s, root, (enum spool_folder)f, make) != 0)
            return -1;
    }
    /* What was made is there after a power cut. */
    return make ? fsync(root) : 0;
}

static int take_lock(struct spool *s, int root)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;

    s->lock = openat(root, "lock", flags | O_CREAT | O_EXCL, 0600);
    /* Only what was made here is given to the owner of the spool. */
    if (s->lock >= 0 && fchown(s->lock, s->owner, s->group) != 0)
        return -1;
    if (s->lock < 0 && errno == EEXIST)
        s->lock = openat(root, "lock", flags);
    if (s->lock < 0)
        return -1;
    return flock(s->lock, LOCK_EX | LOCK_NB);
}

/* Not accepted when somebody was killed: whoever sent it sends it again. */
static bool sweep_one(void *user, const char *name)
{
    const struct spool *s = user;

    unlinkat(s->folders[FOLDER_NEW], name, 0);
    return true;
}

/* As who may make folders. */
static int make_root(const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return -1;
}

static int set_up(struct spool *s, const char *path, enum spool_use use,
                  char *fault, size_t fault_size)
{
    bool make = use == SPOOL_WORK;
    int root =
        make ? make_root(path) : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    int ret = -1;

    if (root < 0 || fstat(root, &st) != 0) {
        no_spool(path, fault, fault_size,
                 make ? "a folder to write to" : "a spool");
    } else {
        s->owner = st.st_uid;
        s->group = st.st_gid;
        if (make && take_lock(s, root) != 0)
            no_spool(path, fault, fault_size,
                     errno == EWOULDBLOCK ? "a spool that nobody else works on"
                                          : "a folder to write to");
        else if (open_folders(s, root, make) != 0)
            no_spool(path, fault, fault_size, "a spool");
        else
            ret = make ? spool_each_name(s, FOLDER_NEW, sweep_one, s) : 0;
    }
    if (root >= 0)
        close(root);
    return ret;
}

struct spool *spool_open(const char *path, enum spool_use use, char *fault,
                         size_t fault_size)
{
    struct spool *s = calloc(1, sizeof(*s));
    int error;

    if (s == NULL) {
        snprintf(fault, fault_size, "out of memory");
        return NULL;
    }
    s->lock = s->watch = -1;
    for (int f = 0; f < FOLDERS; f++)
        s->folders[f] = -1;
    s->is_read_only = use == SPOOL_LOOK;
    if (set_up(s, path, use, fault, fault_size) == 0)
        return s;
    error = errno;
    spool_close(s);
    errno = error;
    return NULL;
}

void spool_close(struct spool *spool)
{
    if (spool == NULL)
        return;
    for (int f = 0; f < FOLDERS; f++) {
        if (spool->folders[f] >= 0)
            close(spool->folders[f]);
    }
    if (spool->watch >= 0)
        close(spool->watch);
    if (spool->lock >= 0)
        close(spool->lock);
    free(spool);
}

/* ---- A message in ------------------------------------------------------ */

int spool_new_id(char id[SPOOL_ID_MAX])
{
    struct timespec now;
    uint32_t random;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -1;
    snprintf(id, SPOOL_ID_MAX, "%014llx-%08x",
             (unsigned long long)now.tv_sec * 1000000 +
                 (unsigned long long)now.tv_nsec / 1000,
             random);
    return 0;
}

/* As much as fits, from there on; a source may give little at a time. 0 when it
 * could not be read. */
static size_t fill(const struct onward_source *content, uint64_t at, char *out,
                   size_t cap)
{
    size_t len = 0, got;

    for (; len < cap && at + len < content->len; len += got) {
        got = 0;
        if (content->read(content->user, at + len, out + len, cap - len,
                          &got) != 0 ||
            got == 0 || got > cap - len || got > content->len - at - len)
            return 0;
    }
    return len;
}

static int write_content(int fd, const struct onward_source *content, off_t at,
                         uint32_t *crc)
{
    char piece[65536];
    uint64_t done = 0;

    while (done < content->len) {
        size_t len = fill(content, done, piece, sizeof(piece));

        if (len == 0) {
            errno = EIO;
            return -1;
        }
        if (spool_write_all(fd, piece, len, at + (off_t)done) != 0)
            return -1;
        *crc = spool_crc(*crc, piece, len);
        done += len;
    }
    return 0;
}

/* The head comes last: without it the file is nothing. */
static int write_file(int fd, const unsigned char *envelope, size_t len,
                      const struct onward_source *content)
{
    struct spool_head head = {.envelope_len = (uint32_t)len,
                              .envelope_crc = spool_crc(0, envelope, len),
                              .content_len = content->len};
    unsigned char octets[SPOOL_HEAD];

    if (spool_write_all(fd, envelope, len, SPOOL_HEAD) != 0 ||
        write_content(fd, content, SPOOL_HEAD + (off_t)len,
                      &head.content_crc) != 0)
        return -1;
    spool_head_write(&head, octets);
    if (spool_write_all(fd, octets, sizeof(octets), 0) != 0)
        return -1;
    /* Never again after a failure: the kernel may have dropped what it could
     * not write, and says so once. */
    return fsync(fd);
}

/* Into messages/, to stay; never over another one. */
static int publish(const struct spool *s, const char *id)
{
    int error;

    if (linkat(s->folders[FOLDER_NEW], id, s->folders[FOLDER_MESSAGES], id,
               0) != 0)
        return -1;
    if (fsync(s->folders[FOLDER_MESSAGES]) == 0)
        return 0;
    error = errno;
    unlinkat(s->folders[FOLDER_MESSAGES], id, 0);
    errno = error;
    return -1;
}

int spool_put(struct spool *spool, const char *id,
              const struct spool_envelope *envelope,
              const struct onward_source *content)
{
    size_t len;
    unsigned char *octets = spool_envelope_write(envelope, &len);
    int fd, ret = -1, error;

    if (octets == NULL)
        return -1;
    fd = openat(spool->folders[FOLDER_NEW], id,
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        ret = write_file(fd, octets, len, content);
        error = errno;
        close(fd);
        errno = error;
        if (ret == 0)
            ret = publish(spool, id);
        error = errno;
        /* One that stays is swept when the spool is opened again. */
        unlinkat(spool->folders[FOLDER_NEW], id, 0);
        errno = error;
    }
    error = errno;
    free(octets);
    errno = error;
    return ret;
}

bool spool_has(struct spool *spool, const char *id)
{
    return faccessat(spool->folders[FOLDER_MESSAGES], id, F_OK, 0) == 0;
}

/* ---- And out ----------------------------------------------------------- */

int spool_remove(struct spool *spool, const char *id)
{
    if (unlinkat(spool->folders[FOLDER_MESSAGES], id, 0) != 0)
        return -1;
    return fsync(spool->folders[FOLDER_MESSAGES]);
}

int spool_set_aside(struct spool *spool, const char *id)
{
    if (renameat(spool->folders[FOLDER_MESSAGES], id,
                 spool->folders[FOLDER_DAMAGED], id) != 0)
        return -1;
    return fsync(spool->folders[FOLDER_DAMAGED]) |
           fsync(spool->folders[FOLDER_MESSAGES]);
}

/* ---- All of them ------------------------------------------------------- */

int spool_each_name(const struct spool *spool, enum spool_folder folder,
                    bool (*visit)(void *user, const char *name), void *user)
{
    int fd =
        openat(spool->folders[folder], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    int error;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        if (entry->d_name[0] != '.' && !visit(user, entry->d_name))
            break;
    }
    error = entry == NULL ? errno : 0;
    closedir(dir);
    errno = error;
    return error == 0 ? 0 : -1;
}

struct visiting {
    bool (*visit)(void *user, const char *id);
    void *user;
};

/* A file of another name is not ours. */
static bool visit_id(void *user, const char *name)
{
    const struct visiting *v = user;

    return !spool_is_id(name) || v->visit(v->user, name);
}

int spool_each(struct spool *spool, bool (*visit)(void *user, const char *id),
               void *user)
{
    struct visiting v = {visit, user};

    return spool_each_name(spool, FOLDER_MESSAGES, visit_id, &v);
}
