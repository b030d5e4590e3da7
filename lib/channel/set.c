/*
 * Sets: which of many channels the host must look at. A member keeps its
 * channel's deadline at the desk, and stands in a list while there is something
 * to see.
 */
#include "channel/channel_priv.h"

struct onward_channel__member {
    struct onward_core__task task; /* the channel's deadline */
    struct onward_channel_set *set;
    struct onward_channel *ch;
    void *user;
    struct onward_channel__member *next, *prev;           /* of the set */
    struct onward_channel__member *next_seen, *prev_seen; /* to look at */
    int64_t deadline_ms; /* at the desk; never after the channel's */
    bool is_listed;
};

struct onward_channel_set {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct onward_channel__member *members;
    struct onward_channel__member *first, *last; /* to look at */
};

int onward_channel_set_new(struct onward_desk *desk,
                           struct onward_channel_set **set)
{
    struct onward_channel_set *made;
    struct onward_ctx *ctx;

    if (desk == NULL || set == NULL)
        return ONWARD_EINVAL;
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    ctx = onward_core__desk_ctx(desk);
    made = onward_core__zalloc(ctx, sizeof(*made));
    if (made == NULL)
        return ONWARD_ENOMEM;
    made->ctx = ctx;
    made->desk = desk;
    onward_core__desk_hold(desk);
    *set = made;
    return 0;
}

void onward_channel_set_free(struct onward_channel_set *set)
{
    struct onward_desk *desk;

    if (set == NULL)
        return;
    desk = set->desk;
    while (set->members != NULL)
        onward_channel__member_free(set->members);
    onward_core__free(set->ctx, set);
    onward_core__desk_release(desk);
}

static void unlist(struct onward_channel__member *m)
{
    struct onward_channel_set *set = m->set;

    if (!m->is_listed)
        return;
    m->is_listed = false;
    if (m->prev_seen != NULL)
        m->prev_seen->next_seen = m->next_seen;
    else
        set->first = m->next_seen;
    if (m->next_seen != NULL)
        m->next_seen->prev_seen = m->prev_seen;
    else
        set->last = m->prev_seen;
    m->next_seen = m->prev_seen = NULL;
}

void onward_channel__member_touch(struct onward_channel__member *m)
{
    struct onward_channel_set *set = m->set;

    if (m->is_listed)
        return;
    m->is_listed = true;
    m->prev_seen = set->last;
    if (set->last != NULL)
        set->last->next_seen = m;
    else
        set->first = m;
    set->last = m;
}

/*
 * Deadlines move away with each octet of the peer. The one at the desk is left
 * behind then, and looked at again when it comes.
 */
void onward_channel__member_update(struct onward_channel__member *m)
{
    int64_t at_ms = onward_channel_deadline(m->ch);

    if (at_ms >= m->deadline_ms)
        return;
    m->deadline_ms = at_ms;
    onward_core__task_deadline(&m->task, at_ms);
}

static void deadline_came(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_channel__member *m =
        ONWARD_CONTAINER(task, struct onward_channel__member, task);

    m->deadline_ms = ONWARD_NEVER;
    if (onward_channel_deadline(m->ch) <= now_ms)
        onward_channel__member_touch(m);
    else
        onward_channel__member_update(m);
}

int onward_channel_set_add(struct onward_channel_set *set,
                           struct onward_channel *ch, void *user)
{
    struct onward_channel__member *m;

    if (set == NULL || ch == NULL ||
        (ch->desk != NULL && ch->desk != set->desk))
        return ONWARD_EINVAL;
    if (ch->member != NULL || onward_core__desk_is_dead(set->desk))
        return ONWARD_ESTATE;
    m = onward_core__zalloc(set->ctx, sizeof(*m));
    if (m == NULL)
        return ONWARD_ENOMEM;
    onward_core__task_init(&m->task, set->desk, deadline_came);
    m->set = set;
    m->ch = ch;
    m->user = user;
    m->deadline_ms = ONWARD_NEVER;
    m->next = set->members;
    if (m->next != NULL)
        m->next->prev = m;
    set->members = m;
    ch->member = m;
    onward_channel__member_touch(m);
    return 0;
}

void onward_channel__member_free(struct onward_channel__member *m)
{
    struct onward_channel_set *set = m->set;

    unlist(m);
    if (m->prev != NULL)
        m->prev->next = m->next;
    else
        set->members = m->next;
    if (m->next != NULL)
        m->next->prev = m->prev;
    m->ch->member = NULL;
    onward_core__task_clear(&m->task);
    onward_core__free(set->ctx, m);
}

void onward_channel_set_remove(struct onward_channel_set *set,
                               struct onward_channel *ch)
{
    if (ch->member != NULL && ch->member->set == set)
        onward_channel__member_free(ch->member);
}

int onward_channel_set_next(struct onward_channel_set *set, void **user)
{
    struct onward_channel__member *m = set->first;

    if (m == NULL)
        return 0;
    unlist(m);
    *user = m->user;
    /* What the host does not do now comes again with the deadline. */
    onward_channel__member_update(m);
    return 1;
}
