/*
 * Octets that the host lends: how a message is pulled, how a puller waits, and
 * a source over a copy in memory.
 */
#include "mime/mime_priv.h"

_Static_assert(offsetof(struct onward_source, wait) +
                       sizeof(((struct onward_source *)0)->wait) ==
                   sizeof(struct onward_source),
               "no tail padding");

/* ---- Pulling ----------------------------------------------------------- */

int onward_mime__pull_init(struct onward_mime__pull *pull,
                           const struct onward_source *source,
                           struct onward_desk *desk,
                           struct onward_core__task *task)
{
    struct onward_source copy;
    int err = onward_core__opts_load(&copy, sizeof(copy), source);

    if (err != 0)
        return err;
    if (copy.read == NULL)
        return ONWARD_EINVAL;
    memset(pull, 0, sizeof(*pull));
    pull->source = copy;
    pull->desk = desk;
    pull->task = task;
    return 0;
}

/* The source has nothing yet: take a token and leave it with the host. */
static int start_waiting(struct onward_mime__pull *pull)
{
    int err;

    if (pull->source.wait == NULL || pull->task == NULL)
        return ONWARD_ECALLBACK;
    err = onward_core__ask_open(pull->desk, &pull->ask, ONWARD_ASK_SOURCE);
    if (err != 0)
        return err;
    pull->source.wait(pull->source.user, pull->ask.token);
    return ONWARD_AGAIN;
}

int onward_mime__pull(struct onward_mime__pull *pull, uint64_t offset,
                      void *buf, size_t cap, size_t *got)
{
    size_t n = 0;
    int err;

    if (pull->ask.desk != NULL)
        return ONWARD_AGAIN;
    if (offset >= pull->source.len || cap == 0) {
        *got = 0;
        return 0;
    }
    if (cap > pull->source.len - offset)
        cap = (size_t)(pull->source.len - offset);
    err = pull->source.read(pull->source.user, offset, buf, cap, &n);
    if (err == ONWARD_AGAIN)
        return start_waiting(pull);
    /* A source that ends early would pass half a message on as a whole one. */
    if (err < 0 || n == 0 || n > cap)
        return ONWARD_ECALLBACK;
    *got = n;
    return 0;
}

void onward_mime__pull_clear(struct onward_mime__pull *pull)
{
    onward_core__ask_close(&pull->ask);
}

int onward_source_answer(struct onward_desk *desk, uint64_t token)
{
    struct onward_core__ask *ask =
        onward_core__ask_find(desk, token, ONWARD_ASK_SOURCE);
    struct onward_mime__pull *pull;

    if (ask == NULL)
        return ONWARD_ESTALE;
    pull = ONWARD_CONTAINER(ask, struct onward_mime__pull, ask);
    onward_core__ask_close(ask);
    onward_core__task_ready(pull->task);
    return 0;
}

/* ---- In memory --------------------------------------------------------- */

struct onward_memory_source {
    struct onward_ctx *ctx;
    struct onward_source table;
    char *data;
};

static int memory_read(void *user, uint64_t offset, void *buf, size_t cap,
                       size_t *got)
{
    const struct onward_memory_source *m = user;
    size_t left = (size_t)(m->table.len - offset);
    size_t n = cap < left ? cap : left;

    memcpy(buf, m->data + (size_t)offset, n);
    *got = n;
    return 0;
}

int onward_memory_source_new(struct onward_ctx *ctx, const void *data,
                             size_t len, struct onward_memory_source **memory)
{
    struct onward_memory_source *m = onward_core__zalloc(ctx, sizeof(*m));

    if (m == NULL)
        return ONWARD_ENOMEM;
    m->ctx = onward_ctx_ref(ctx);
    if (len > 0) {
        m->data = onward_core__alloc(ctx, len);
        if (m->data == NULL) {
            onward_memory_source_free(m);
            return ONWARD_ENOMEM;
        }
        memcpy(m->data, data, len);
    }
    m->table = (struct onward_source){.size = sizeof(m->table),
                                      .user = m,
                                      .len = len,
                                      .read = memory_read};
    *memory = m;
    return 0;
}

const struct onward_source *
onward_memory_source_table(const struct onward_memory_source *memory)
{
    return &memory->table;
}

void onward_memory_source_free(struct onward_memory_source *memory)
{
    struct onward_ctx *ctx;

    if (memory == NULL)
        return;
    ctx = memory->ctx;
    onward_core__free(ctx, memory->data);
    onward_core__free(ctx, memory);
    onward_ctx_free(ctx);
}
