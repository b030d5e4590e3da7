/*
 * The desk: open questions by token, a queue of tasks that are ready, and a
 * heap of deadlines. Nothing here can fail once the desk is made: queue and
 * heap live inside the tasks.
 */
#include "core/desk_shared.h"

enum { DEFAULT_RUN_STEPS = 1000 };

/* Tokens go to bindings whose numbers are doubles. */
#define LAST_TOKEN (((uint64_t)1 << 53) - 1)

struct onward_desk {
    struct onward_ctx *ctx;
    struct onward_core__table asks; /* open questions, by token */
    struct onward_core__task *first_ready, *last_ready;
    struct onward_core__task *heap; /* a pairing heap, earliest on top */
    uint64_t next_token;
    int64_t now_ms;
    size_t children; /* that hold the desk in memory */
    size_t run_steps;
    uint64_t log_id;
    bool is_running;
    bool is_dead; /* the host freed it */
};

_Static_assert(offsetof(struct onward_desk_opts, log_id) + sizeof(uint64_t) ==
                   sizeof(struct onward_desk_opts),
               "no tail padding");

int onward_desk_new(struct onward_ctx *ctx, const struct onward_desk_opts *opts,
                    struct onward_desk **desk)
{
    struct onward_desk_opts o;
    struct onward_desk *made;
    int err;

    if (ctx == NULL || desk == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err != 0)
        return err;
    made = onward_core__zalloc(ctx, sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    err = onward_core__table_init(&made->asks, ctx);
    if (err != 0) {
        onward_core__free(ctx, made);
        return err;
    }
    made->ctx = onward_ctx_ref(ctx);
    made->next_token = 1;
    made->run_steps = onward_core__limit(o.run_steps, DEFAULT_RUN_STEPS);
    made->log_id = o.log_id;
    *desk = made;
    return 0;
}

static void destroy_unused(struct onward_desk *desk)
{
    struct onward_ctx *ctx = desk->ctx;

    if (!desk->is_dead || desk->children != 0 || desk->is_running)
        return;
    onward_core__table_clear(&desk->asks);
    onward_core__free(ctx, desk);
    onward_ctx_free(ctx);
}

void onward_desk_free(struct onward_desk *desk)
{
    if (desk == NULL)
        return;
    ONWARD_ASSERT(!desk->is_dead);
    desk->is_dead = true;
    destroy_unused(desk);
}

void onward_core__desk_hold(struct onward_desk *desk)
{
    desk->children++;
}

void onward_core__desk_release(struct onward_desk *desk)
{
    ONWARD_ASSERT(desk->children != 0);
    desk->children--;
    destroy_unused(desk);
}

struct onward_ctx *onward_core__desk_ctx(const struct onward_desk *desk)
{
    return desk->ctx;
}

uint64_t onward_core__desk_log_id(const struct onward_desk *desk)
{
    return desk->log_id;
}

int64_t onward_core__desk_now(const struct onward_desk *desk)
{
    return desk->now_ms;
}

bool onward_core__desk_is_dead(const struct onward_desk *desk)
{
    return desk->is_dead;
}

/* ---- Questions --------------------------------------------------------- */

static uint64_t token_hash(const struct onward_desk *desk, uint64_t token)
{
    return onward_core__hash(desk->ctx, &token, sizeof(token));
}

int onward_core__ask_open(struct onward_desk *desk,
                          struct onward_core__ask *ask,
                          enum onward_core__ask_kind kind)
{
    if (desk->is_dead || desk->next_token > LAST_TOKEN)
        return ONWARD_ESTALE;
    onward_core__ask_close(ask);
    ask->desk = desk;
    ask->kind = kind;
    ask->token = desk->next_token++;
    onward_core__table_add(&desk->asks, &ask->node,
                           token_hash(desk, ask->token));
    desk->children++;
    return 0;
}

struct onward_core__ask *onward_core__ask_find(struct onward_desk *desk,
                                               uint64_t token,
                                               enum onward_core__ask_kind kind)
{
    struct onward_core__node *node;

    if (desk == NULL || desk->is_dead)
        return NULL;
    node = onward_core__table_find(&desk->asks, token_hash(desk, token));
    for (; node != NULL; node = onward_core__table_find_next(node)) {
        struct onward_core__ask *ask =
            ONWARD_CONTAINER(node, struct onward_core__ask, node);

        if (ask->token == token)
            return ask->kind == kind ? ask : NULL;
    }
    return NULL;
}

void onward_core__ask_close(struct onward_core__ask *ask)
{
    struct onward_desk *desk = ask->desk;

    if (desk == NULL)
        return;
    ask->desk = NULL;
    onward_core__table_remove(&desk->asks, &ask->node);
    onward_core__desk_release(desk);
}

/* ---- The ready queue --------------------------------------------------- */

static void queue_add(struct onward_core__task *task)
{
    struct onward_desk *desk = task->desk;

    task->is_ready = true;
    task->next = NULL;
    task->prev = desk->last_ready;
    if (desk->last_ready != NULL)
        desk->last_ready->next = task;
    else
        desk->first_ready = task;
    desk->last_ready = task;
}

static void queue_remove(struct onward_core__task *task)
{
    struct onward_desk *desk = task->desk;

    if (!task->is_ready)
        return;
    task->is_ready = false;
    if (task->prev != NULL)
        task->prev->next = task->next;
    else
        desk->first_ready = task->next;
    if (task->next != NULL)
        task->next->prev = task->prev;
    else
        desk->last_ready = task->prev;
    task->prev = task->next = NULL;
}

/* ---- The deadline heap ------------------------------------------------- */

/*
 * A pairing heap: child is the first of a node's children, sibling the next one
 * in that list, parent the node before it in the list or above it.
 */
static struct onward_core__task *meld(struct onward_core__task *a,
                                      struct onward_core__task *b)
{
    struct onward_core__task *top, *under;

    if (a == NULL || b == NULL)
        return a == NULL ? b : a;
    top = a->deadline_ms <= b->deadline_ms ? a : b;
    under = top == a ? b : a;
    under->parent = top;
    under->sibling = top->child;
    if (top->child != NULL)
        top->child->parent = under;
    top->child = under;
    top->parent = NULL;
    top->sibling = NULL;
    return top;
}

/* Two passes, without recursion: pair from the left, then meld from the right.
 */
static struct onward_core__task *meld_list(struct onward_core__task *list)
{
    struct onward_core__task *pairs = NULL;
    struct onward_core__task *top = NULL;

    while (list != NULL) {
        struct onward_core__task *a = list;
        struct onward_core__task *b = a->sibling;

        list = b == NULL ? NULL : b->sibling;
        a->sibling = a->parent = NULL;
        if (b != NULL)
            b->sibling = b->parent = NULL;
        a = meld(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    while (pairs != NULL) {
        struct onward_core__task *next = pairs->sibling;

        pairs->sibling = NULL;
        top = meld(top, pairs);
        pairs = next;
    }
    return top;
}

static void heap_remove(struct onward_core__task *task)
{
    struct onward_desk *desk = task->desk;
    struct onward_core__task *rest;

    if (!task->has_deadline)
        return;
    task->has_deadline = false;
    rest = meld_list(task->child);
    if (task == desk->heap) {
        desk->heap = rest;
    } else {
        if (task->parent->child == task)
            task->parent->child = task->sibling;
        else
            task->parent->sibling = task->sibling;
        if (task->sibling != NULL)
            task->sibling->parent = task->parent;
        desk->heap = meld(desk->heap, rest);
    }
    task->child = task->sibling = task->parent = NULL;
}

static void heap_add(struct onward_core__task *task, int64_t at_ms)
{
    task->has_deadline = true;
    task->deadline_ms = at_ms;
    task->child = task->sibling = task->parent = NULL;
    task->desk->heap = meld(task->desk->heap, task);
}

/* ---- Tasks ------------------------------------------------------------- */

void onward_core__task_init(struct onward_core__task *task,
                            struct onward_desk *desk,
                            void (*run)(struct onward_core__task *task,
                                        int64_t now_ms))
{
    *task = (struct onward_core__task){.desk = desk, .run = run};
    onward_core__desk_hold(desk);
}

void onward_core__task_clear(struct onward_core__task *task)
{
    struct onward_desk *desk = task->desk;

    if (desk == NULL)
        return;
    queue_remove(task);
    heap_remove(task);
    task->desk = NULL;
    onward_core__desk_release(desk);
}

void onward_core__task_ready(struct onward_core__task *task)
{
    if (task->desk != NULL && !task->is_ready)
        queue_add(task);
}

void onward_core__task_deadline(struct onward_core__task *task, int64_t at_ms)
{
    if (task->desk == NULL)
        return;
    heap_remove(task);
    if (at_ms != ONWARD_NEVER)
        heap_add(task, at_ms);
}

void onward_core__task_after(struct onward_core__task *task, size_t after_ms)
{
    if (task->desk == NULL)
        return;
    onward_core__task_deadline(task, ONWARD_NEVER);
    queue_remove(task);
    if (after_ms == ONWARD_LIMIT_NONE)
        return;
    task->after_ms = after_ms == 0 ? 1 : after_ms;
    queue_add(task);
}

/* ---- Running ----------------------------------------------------------- */

static void start_clock(struct onward_core__task *task)
{
    int64_t now_ms = task->desk->now_ms;
    size_t after_ms = task->after_ms;

    task->after_ms = 0;
    if (after_ms < (uint64_t)(ONWARD_NEVER - now_ms))
        heap_add(task, now_ms + (int64_t)after_ms);
}

static struct onward_core__task *next_task(struct onward_desk *desk)
{
    struct onward_core__task *task = desk->heap;

    /* Deadlines first: a flood of answers must not put off a time-out. */
    if (task != NULL && task->deadline_ms <= desk->now_ms) {
        heap_remove(task);
        queue_remove(task);
        return task;
    }
    for (;;) {
        task = desk->first_ready;
        if (task == NULL)
            return NULL;
        queue_remove(task);
        if (task->after_ms == 0)
            return task;
        start_clock(task);
    }
}

static bool has_more(const struct onward_desk *desk)
{
    return desk->first_ready != NULL ||
           (desk->heap != NULL && desk->heap->deadline_ms <= desk->now_ms);
}

int onward_desk_run(struct onward_desk *desk, int64_t now_ms)
{
    bool more;

    if (desk->is_running || desk->is_dead)
        return ONWARD_ESTATE;
    if (now_ms > desk->now_ms)
        desk->now_ms = now_ms;
    desk->is_running = true;
    for (size_t step = 0; step < desk->run_steps && !desk->is_dead; step++) {
        struct onward_core__task *task = next_task(desk);

        if (task == NULL)
            break;
        task->run(task, desk->now_ms);
    }
    desk->is_running = false;
    more = !desk->is_dead && has_more(desk);
    destroy_unused(desk);
    return more;
}

int64_t onward_desk_deadline(const struct onward_desk *desk)
{
    if (desk->is_dead)
        return ONWARD_NEVER;
    if (has_more(desk))
        return desk->now_ms;
    return desk->heap == NULL ? ONWARD_NEVER : desk->heap->deadline_ms;
}
