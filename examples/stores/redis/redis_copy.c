#include "redis_copy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BUCKETS = 65536, OVERHEAD = 80 };

struct entry {
    struct entry *next;          /* in its bucket */
    struct entry *newer, *older; /* by last use */
    uint64_t version;
    int64_t expires_s;
    size_t key_len, value_len;
    char octets[];
};

struct redis_copy {
    size_t max_bytes, bytes;
    uint64_t seed;
    struct entry *newest, *oldest;
    struct entry *buckets[BUCKETS];
};

struct redis_copy *redis_copy_new(size_t max_bytes)
{
    struct redis_copy *copy = calloc(1, sizeof(*copy));

    if (copy == NULL)
        return NULL;
    copy->max_bytes = max_bytes;
    if (getrandom(&copy->seed, sizeof(copy->seed), 0) < 0)
        copy->seed = (uint64_t)(uintptr_t)copy;
    return copy;
}

/* FNV-1a from a start that nobody knows; a long chain would cost time, never a
 * wrong answer. */
static size_t bucket_of(const struct redis_copy *copy, struct onward_str key)
{
    uint64_t hash = 14695981039346656037u ^ copy->seed;

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 1099511628211u;
    return (size_t)(hash >> 32) % BUCKETS;
}

static struct entry **find(struct redis_copy *copy, struct onward_str key)
{
    struct entry **at = &copy->buckets[bucket_of(copy, key)];

    while (*at != NULL && ((*at)->key_len != key.len ||
                           memcmp((*at)->octets, key.data, key.len) != 0))
        at = &(*at)->next;
    return at;
}

static void unlink_use(struct redis_copy *copy, struct entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &copy->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &copy->oldest) = e->newer;
}

static void link_use(struct redis_copy *copy, struct entry *e)
{
    e->newer = NULL;
    e->older = copy->newest;
    *(copy->newest != NULL ? &copy->newest->newer : &copy->oldest) = e;
    copy->newest = e;
}

static size_t bytes_of(const struct entry *e)
{
    return OVERHEAD + e->key_len + e->value_len;
}

static void drop(struct redis_copy *copy, struct entry **at)
{
    struct entry *e = *at;

    *at = e->next;
    unlink_use(copy, e);
    copy->bytes -= bytes_of(e);
    free(e);
}

static struct onward_str key_of(const struct entry *e)
{
    return (struct onward_str){e->octets, e->key_len};
}

void redis_copy_remove(struct redis_copy *copy, struct onward_str key)
{
    struct entry **at = find(copy, key);

    if (*at != NULL)
        drop(copy, at);
}

void redis_copy_put(struct redis_copy *copy, struct onward_str key,
                    const struct redis_known *known)
{
    struct entry *e, **at;
    size_t bytes = OVERHEAD + key.len + known->value.len;

    redis_copy_remove(copy, key);
    if (bytes > copy->max_bytes)
        return;
    while (copy->bytes > copy->max_bytes - bytes)
        drop(copy, find(copy, key_of(copy->oldest)));
    e = malloc(sizeof(*e) + key.len + known->value.len);
    if (e == NULL)
        return;
    e->version = known->version;
    e->expires_s = known->expires_s;
    e->key_len = key.len;
    e->value_len = known->value.len;
    memcpy(e->octets, key.data, key.len);
    if (known->value.len != 0)
        memcpy(e->octets + key.len, known->value.data, known->value.len);
    at = &copy->buckets[bucket_of(copy, key)];
    e->next = *at;
    *at = e;
    link_use(copy, e);
    copy->bytes += bytes;
}

int redis_copy_get(struct redis_copy *copy, struct onward_str key,
                   struct redis_known *known)
{
    struct entry *e = *find(copy, key);

    if (e == NULL)
        return 0;
    unlink_use(copy, e);
    link_use(copy, e);
    known->value.data = e->octets + e->key_len;
    known->value.len = e->value_len;
    known->version = e->version;
    known->expires_s = e->expires_s;
    return 1;
}

void redis_copy_free(struct redis_copy *copy)
{
    if (copy == NULL)
        return;
    while (copy->oldest != NULL)
        drop(copy, find(copy, key_of(copy->oldest)));
    free(copy);
}
