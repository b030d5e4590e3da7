/* One message of the spool: read, and what became of it appended. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folders.h"

/* ---- Reading ----------------------------------------------------------- */

static int read_content(void *user, uint64_t offset, void *buf, size_t cap,
                        size_t *got)
{
    const struct spool_message *m = user;
    size_t len =
        cap < m->content.len - offset ? cap : (size_t)(m->content.len - offset);

    if (spool_read_all(m->fd, buf, len, (off_t)(m->content_at + offset)) != 0)
        return ONWARD_ECALLBACK;
    *got = len;
    return 0;
}

static int read_head(struct spool_message *m)
{
    unsigned char octets[SPOOL_HEAD];
    struct spool_head head;
    struct stat st;

    if (spool_read_all(m->fd, octets, sizeof(octets), 0) != 0 ||
        fstat(m->fd, &st) != 0)
        return -1;
    errno = EBADMSG;
    if (!spool_head_read(octets, &head) ||
        (uint64_t)st.st_size < SPOOL_HEAD + head.envelope_len ||
        (uint64_t)st.st_size - SPOOL_HEAD - head.envelope_len <
            head.content_len)
        return -1;
    m->octets = malloc(head.envelope_len + 1);
    if (m->octets == NULL ||
        spool_read_all(m->fd, m->octets, head.envelope_len, SPOOL_HEAD) != 0)
        return -1;
    errno = EBADMSG;
    if (spool_crc(0, m->octets, head.envelope_len) != head.envelope_crc)
        return -1;
    m->content_at = SPOOL_HEAD + head.envelope_len;
    m->content_crc = head.content_crc;
    m->content = (struct onward_source){.size = sizeof(m->content),
                                        .user = m,
                                        .len = head.content_len,
                                        .read = read_content};
    return spool_envelope_read((const unsigned char *)m->octets,
                               head.envelope_len, &m->envelope);
}

static bool apply(struct spool_message *m, const struct spool_record *r)
{
    if (r->rcpt == SIZE_MAX)
        m->is_held = r->is_held;
    else if (r->rcpt < m->envelope.rcpt_count)
        m->states[r->rcpt] = r->state;
    else
        return false;
    return true;
}

/*
 * The last record of a recipient counts. What is behind the last whole one was
 * being written when somebody was killed, or is: it says nothing, and the next
 * record goes over it.
 */
static int read_records(struct spool_message *m)
{
    unsigned char octets[SPOOL_RECORD_MAX];

    m->end = m->content_at + m->content.len;
    for (;;) {
        struct spool_record record;
        size_t size;
        ssize_t n = pread(m->fd, octets, sizeof(octets), (off_t)m->end);

        if (n < 0)
            return -1;
        size = spool_record_read(octets, (size_t)n, &record);
        if (size == 0 || !apply(m, &record))
            return 0;
        m->end += size;
    }
}

static int open_file(const struct spool *spool, const char *id)
{
    if (!spool_is_id(id)) {
        errno = ENOENT;
        return -1;
    }
    return openat(spool->folders[FOLDER_MESSAGES], id,
                  (spool->is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC |
                      O_NOFOLLOW);
}

static int read_all(struct spool_message *m)
{
    if (read_head(m) != 0)
        return -1;
    m->states = calloc(m->envelope.rcpt_count, sizeof(*m->states));
    if (m->states == NULL)
        return -1;
    m->is_held = m->envelope.hold != 0;
    return read_records(m);
}

struct spool_message *spool_read(struct spool *spool, const char *id)
{
    struct spool_message *m = calloc(1, sizeof(*m));
    int error;

    if (m == NULL)
        return NULL;
    m->fd = open_file(spool, id);
    if (m->fd >= 0) {
        strcpy(m->id, id);
        if (read_all(m) == 0)
            return m;
    }
    error = errno;
    spool_message_free(m);
    errno = error;
    return NULL;
}

void spool_message_free(struct spool_message *message)
{
    if (message == NULL)
        return;
    if (message->fd >= 0)
        close(message->fd);
    spool_envelope_clear(&message->envelope);
    free(message->states);
    free(message->octets);
    free(message);
}

int spool_check(const struct spool_message *message)
{
    const struct onward_source *c = &message->content;
    unsigned char piece[65536];
    uint32_t crc = 0;
    uint64_t at = 0;

    while (at < c->len) {
        size_t len =
            sizeof(piece) < c->len - at ? sizeof(piece) : (size_t)(c->len - at);

        if (spool_read_all(message->fd, piece, len,
                           (off_t)(message->content_at + at)) != 0)
            return -1;
        crc = spool_crc(crc, piece, len);
        at += len;
    }
    errno = EBADMSG;
    return crc == message->content_crc ? 0 : -1;
}

/* ---- Writing ----------------------------------------------------------- */

int spool_append(struct spool_message *message, size_t rcpt, bool must_last)
{
    unsigned char octets[SPOOL_RECORD_MAX];
    struct spool_record record = {.rcpt = rcpt, .is_held = message->is_held};
    size_t len;
    int error;

    if (rcpt != SIZE_MAX)
        record.state = message->states[rcpt];
    len = spool_record_write(&record, octets);
    /* Half a record that somebody left must not stand behind this one. */
    if (ftruncate(message->fd, (off_t)message->end) != 0)
        return -1;
    if (spool_write_all(message->fd, octets, len, (off_t)message->end) != 0) {
        error = errno;
        if (ftruncate(message->fd, (off_t)message->end) != 0)
            error = errno;
        errno = error;
        return -1;
    }
    message->end += len;
    return must_last ? fdatasync(message->fd) : 0;
}

const char *spool_origin_name(enum spool_origin origin)
{
    switch (origin) {
    case SPOOL_RELAYED:
        return "relayed";
    case SPOOL_NOTICE:
        return "notice";
    case SPOOL_MADE:
        return "made";
    case SPOOL_REPORT:
        return "report";
    }
    return "unknown";
}

bool spool_is_due(const struct spool_state *state, int64_t now_s)
{
    return state->fate == SPOOL_WAITING &&
           (state->next_s <= now_s || state->last_s > now_s);
}

int64_t spool_due(const struct spool_message *message, int64_t now_s)
{
    int64_t due = INT64_MAX;

    for (size_t i = 0; i < message->envelope.rcpt_count; i++) {
        const struct spool_state *s = &message->states[i];

        if (!spool_is_waiting(message, i))
            continue;
        if (spool_is_due(s, now_s))
            return 0;
        if (s->next_s < due)
            due = s->next_s;
    }
    return due;
}
