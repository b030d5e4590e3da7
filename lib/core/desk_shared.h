/*
 * The desk as the modules see it: tokens for questions, a ready queue, and
 * deadlines; and the guard that lets a host free objects inside callbacks.
 */
#ifndef ONWARD_DESK_SHARED_H
#define ONWARD_DESK_SHARED_H

#include "core/core_shared.h"

/* What a token asks for; an answer of another kind is stale. */
enum onward_core__ask_kind {
    ONWARD_ASK_DNS = 1,
    ONWARD_ASK_STORE,
    ONWARD_ASK_SIGN,
    ONWARD_ASK_REPLY,
    ONWARD_ASK_AUTH,
    ONWARD_ASK_RULE,
    ONWARD_ASK_HANDLER,
    ONWARD_ASK_CONNECT,
    ONWARD_ASK_SOURCE,
    ONWARD_ASK_DELIVERY,
    ONWARD_ASK_SUBMISSION,
    ONWARD_ASK_REPORT
};

/* An open question, inside the object that asks. Zero-filled is closed. */
struct onward_core__ask {
    struct onward_core__node node;
    struct onward_desk *desk; /* NULL when closed */
    uint64_t token;
    enum onward_core__ask_kind kind;
};

/* Take a token. 0, or ONWARD_ESTATE when the desk was freed. */
ONWARD_USE_RESULT int onward_core__ask_open(struct onward_desk *desk,
                                            struct onward_core__ask *ask,
                                            enum onward_core__ask_kind kind);
/* The open question of that token and kind, still open; NULL: stale. */
struct onward_core__ask *onward_core__ask_find(struct onward_desk *desk,
                                               uint64_t token,
                                               enum onward_core__ask_kind kind);
/* From now on the token is stale. Closing twice is harmless. */
void onward_core__ask_close(struct onward_core__ask *ask);

/*
 * Something that onward_desk_run() calls: when it was made ready, or when its
 * deadline came. Lives inside the object that it drives.
 */
struct onward_core__task {
    struct onward_desk *desk;
    /* May free the object that holds the task. */
    void (*run)(struct onward_core__task *task, int64_t now_ms);
    struct onward_core__task *prev, *next;              /* ready queue */
    struct onward_core__task *child, *sibling, *parent; /* deadline heap */
    int64_t deadline_ms;
    size_t after_ms; /* is_ready for the deadline to be set only; else 0 */
    bool is_ready;
    bool has_deadline;
};

/* Holds the desk in memory until onward_core__task_clear(). */
void onward_core__task_init(struct onward_core__task *task,
                            struct onward_desk *desk,
                            void (*run)(struct onward_core__task *task,
                                        int64_t now_ms));
/* Out of queue and heap, desk let go. Harmless when zero-filled or cleared. */
void onward_core__task_clear(struct onward_core__task *task);
/* Run at the next onward_desk_run(); once, however often it is said. */
void onward_core__task_ready(struct onward_core__task *task);
/* Run at at_ms (ONWARD_NEVER: no deadline). A deadline fires once. */
void onward_core__task_deadline(struct onward_core__task *task, int64_t at_ms);
/*
 * Run after_ms from now; ONWARD_LIMIT_NONE: never. For a task that is nothing
 * but a timer. What "now" is the desk hears in onward_desk_run() alone: outside
 * of it the last time it heard may be an hour old, or none, and so the clock
 * starts at its next run.
 */
void onward_core__task_after(struct onward_core__task *task, size_t after_ms);

/* The desk in memory for a child that has no task. */
void onward_core__desk_hold(struct onward_desk *desk);
void onward_core__desk_release(struct onward_desk *desk);
struct onward_ctx *onward_core__desk_ctx(const struct onward_desk *desk);
uint64_t onward_core__desk_log_id(const struct onward_desk *desk);
/* now_ms of the last run; 0 before the first. */
int64_t onward_core__desk_now(const struct onward_desk *desk);
/* Did the host free it? Then nothing may fire. */
bool onward_core__desk_is_dead(const struct onward_desk *desk);

/*
 * The guard of an object whose callbacks may free it: enter before the
 * callback, leave after. onward_X_free() on a guarded object sets is_dead,
 * detaches the object from desk and peers, and leaves the memory to the
 * outermost leave, which says so.
 *
 *     onward_core__guard_enter(&x->guard);
 *     x->host.done(x->host.user, ...);
 *     if (onward_core__guard_leave(&x->guard))
 *         destroy(x);          // the host freed x inside
 *
 * A function that has more to do after a callback asks guard.is_dead first.
 */
struct onward_core__guard {
    int depth;
    bool is_dead;
};

static inline void onward_core__guard_enter(struct onward_core__guard *g)
{
    g->depth++;
}

static inline bool onward_core__guard_leave(struct onward_core__guard *g)
{
    g->depth--;
    return g->depth == 0 && g->is_dead;
}

#endif
