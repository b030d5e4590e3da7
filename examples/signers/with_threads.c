/*
 * DKIM signatures made by threads, while the thread of the desk goes on with
 * its mail. A question is put on a list; a thread takes it, signs, puts the
 * answer on another list and wakes the desk; the desk's own thread brings the
 * answer in, as nothing of the library may be called from another one.
 *
 *     with-threads THREADS KEY.pem DOMAIN SELECTOR MESSAGE...
 */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gnutls_key.h"
#include "host.h"
#include "sign.h"

enum { THREADS_MAX = 64 };

/* A question, and later its answer: a copy, for the question is only lent. */
struct work {
    struct work *next;
    uint64_t token;
    size_t type;
    unsigned char digest[ONWARD_KEY_DIGEST_LEN];
    unsigned char signature[ONWARD_KEY_SIGNATURE_MAX];
    size_t len;
    int err;
};

struct list {
    struct work *first;
    struct work **end;
};

struct pool {
    pthread_mutex_t lock; /* over todo, answered, is_over */
    pthread_cond_t wake;
    struct list todo, answered;
    bool is_over;
    int event; /* readable: there are answers */
    const char *path;
    size_t count;
    pthread_t threads[THREADS_MAX];
    struct sign_world world;
};

static void push(struct list *list, struct work *work)
{
    work->next = NULL;
    *list->end = work;
    list->end = &work->next;
}

static struct work *pop(struct list *list)
{
    struct work *work = list->first;

    if (work != NULL) {
        list->first = work->next;
        if (list->first == NULL)
            list->end = &list->first;
    }
    return work;
}

static void clear(struct list *list)
{
    for (struct work *w = pop(list); w != NULL; w = pop(list))
        free(w);
}

/* ---- In the threads ---------------------------------------------------- */

static struct work *take(struct pool *pool)
{
    struct work *work = NULL;

    pthread_mutex_lock(&pool->lock);
    while (!pool->is_over && (work = pop(&pool->todo)) == NULL)
        pthread_cond_wait(&pool->wake, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    return work;
}

static void give(struct pool *pool, struct work *work)
{
    const uint64_t one = 1;

    pthread_mutex_lock(&pool->lock);
    push(&pool->answered, work);
    pthread_mutex_unlock(&pool->lock);
    if (write(pool->event, &one, sizeof(one)) < 0)
        host_complain("with-threads", "the desk cannot be woken");
}

/* Each thread has the key for itself: GnuTLS wants one thread an object. */
static void *serve(void *user)
{
    struct pool *pool = user;
    gnutls_privkey_t key = NULL;
    int broken = gnutls_key_load(pool->path, &key);
    struct work *work;

    while ((work = take(pool)) != NULL) {
        work->err = broken != 0 ? broken
                                : gnutls_key_sign(key, work->type, work->digest,
                                                  sizeof(work->digest),
                                                  work->signature, &work->len);
        give(pool, work);
    }
    gnutls_privkey_deinit(key);
    return NULL;
}

/* ---- In the thread of the desk ------------------------------------------ */

static int sign(void *user, const struct onward_sign_question *q)
{
    struct pool *pool = user;
    struct work *work = calloc(1, sizeof(*work));

    if (work == NULL || q->digest_len != sizeof(work->digest)) {
        free(work);
        return -1;
    }
    work->token = q->token;
    work->type = q->type;
    memcpy(work->digest, q->digest, q->digest_len);
    pthread_mutex_lock(&pool->lock);
    push(&pool->todo, work);
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    return 0;
}

/* Nobody waits any more. What a thread has begun ends as a stale answer. */
static void cancel(void *user, uint64_t token)
{
    struct pool *pool = user;
    struct list kept = {.end = &kept.first};
    struct work *work;

    pthread_mutex_lock(&pool->lock);
    while ((work = pop(&pool->todo)) != NULL) {
        if (work->token == token)
            free(work);
        else
            push(&kept, work);
    }
    if (kept.first != NULL) {
        pool->todo.first = kept.first;
        pool->todo.end = kept.end;
    }
    pthread_mutex_unlock(&pool->lock);
}

static void bring_in(struct pool *pool)
{
    struct onward_desk *desk = pool->world.desk;
    struct list answers;
    struct work *work;

    pthread_mutex_lock(&pool->lock);
    answers = pool->answered;
    pool->answered = (struct list){.end = &pool->answered.first};
    pthread_mutex_unlock(&pool->lock);
    if (answers.first == NULL)
        return;
    while ((work = pop(&answers)) != NULL) {
        /* A stale one is no news, and one that does not verify is told to the
         * object that waits. */
        if (work->err == 0)
            (void)onward_sign_answer(desk, work->token, work->signature,
                                     work->len);
        else
            (void)onward_sign_answer_error(desk, work->token, ONWARD_ECALLBACK);
        free(work);
    }
}

static void wait(void *user, int timeout_ms)
{
    struct pool *pool = user;
    struct pollfd fd = {.fd = pool->event, .events = POLLIN};
    uint64_t count;

    if (poll(&fd, 1, timeout_ms) > 0 &&
        read(pool->event, &count, sizeof(count)) > 0)
        bring_in(pool);
}

/* ---- Life -------------------------------------------------------------- */

static bool pool_start(struct pool *pool, size_t count)
{
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->todo.end = &pool->todo.first;
    pool->answered.end = &pool->answered.first;
    pool->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->event < 0)
        return false;
    while (pool->count < count &&
           pthread_create(&pool->threads[pool->count], NULL, serve, pool) == 0)
        pool->count++;
    return pool->count != 0;
}

static void pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->is_over = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    clear(&pool->todo);
    clear(&pool->answered);
    if (pool->event >= 0)
        close(pool->event);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
}

/* The public half, which the desk checks the answers with. */
static int open_desk(struct pool *pool)
{
    const struct onward_signer_host host = {
        .size = sizeof(host), .user = pool, .sign = sign, .cancel = cancel};
    gnutls_privkey_t key = NULL;
    gnutls_datum_t spki = {0};
    int err = gnutls_key_load(pool->path, &key);
    int ret = -1;

    if (err == 0)
        err = gnutls_key_public(key, &spki);
    if (err != 0)
        host_complain("with-threads", "%s: %s", pool->path,
                      gnutls_strerror(err));
    else
        ret = sign_open(&pool->world, spki.data, spki.size, &host);
    gnutls_free(spki.data);
    gnutls_privkey_deinit(key);
    return ret;
}

int main(int argc, char **argv)
{
    static struct pool pool;
    long threads = argc < 6 ? 0 : strtol(argv[1], NULL, 10);
    int status = 1;

    if (threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr,
                "usage: %s THREADS KEY.pem DOMAIN SELECTOR MESSAGE...\n",
                argv[0]);
        return 2;
    }
    pool.path = argv[2];
    if (open_desk(&pool) != 0)
        return 1;
    if (pool_start(&pool, (size_t)threads))
        status = sign_messages(&pool.world, argv[3], argv[4], argc - 5,
                               argv + 5, wait, &pool);
    else
        host_complain("with-threads", "no threads");
    /* The desk first: it may still cancel. Then nobody asks any more. */
    sign_close(&pool.world);
    pool_stop(&pool);
    return status;
}
