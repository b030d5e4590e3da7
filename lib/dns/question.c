/*
 * The way of one question through a resolver: joined to its equals, answered
 * from what is loaded or cached, else given to the host; its CNAMEs, its
 * deadline, and how long the answer is kept.
 */
#include "dns/resolver_priv.h"

/* ---- Questions by name and type ---------------------------------------- */

static size_t write_key(const struct onward_dns__name *name, uint16_t type,
                        uint8_t key[2 + ONWARD_DNS_NAME_MAX])
{
    key[0] = (uint8_t)(type >> 8);
    key[1] = (uint8_t)type;
    memcpy(key + 2, name->octets, name->len);
    return 2 + name->len;
}

static struct onward_dns__entry *find_entry(const struct onward_resolver *r,
                                            const struct onward_dns__name *name,
                                            uint16_t type)
{
    uint8_t key[2 + ONWARD_DNS_NAME_MAX];
    size_t len = write_key(name, type, key);
    struct onward_core__node *n = onward_core__table_find(
        &r->entries, onward_core__hash(r->ctx, key, len));

    for (; n != NULL; n = onward_core__table_find_next(n)) {
        struct onward_dns__entry *entry =
            ONWARD_CONTAINER(n, struct onward_dns__entry, node);

        if (entry->key_len == len && memcmp(entry->key, key, len) == 0)
            return entry;
    }
    return NULL;
}

static struct onward_dns__entry *add_entry(struct onward_resolver *r,
                                           const struct onward_dns__name *name,
                                           uint16_t type)
{
    struct onward_dns__entry *entry =
        onward_core__zalloc(r->ctx, sizeof(*entry) + 2 + name->len);

    if (entry == NULL)
        return NULL;
    entry->resolver = r;
    entry->type = type;
    entry->key_len = write_key(name, type, entry->key);
    entry->ttl_s = UINT32_MAX;
    entry->is_secure = true;
    entry->place = ONWARD_DNS__TODO;
    onward_dns__link_init(&entry->link);
    onward_dns__link_init(&entry->due);
    onward_core__table_add(
        &r->entries, &entry->node,
        onward_core__hash(r->ctx, entry->key, entry->key_len));
    return entry;
}

void onward_dns__entry_name(const struct onward_dns__entry *entry,
                            struct onward_dns__name *name)
{
    if (entry->target != NULL) {
        *name = *entry->target;
        return;
    }
    name->len = entry->key_len - 2;
    memcpy(name->octets, entry->key + 2, name->len);
}

/* ---- Places ------------------------------------------------------------ */

static void let_go_answer(struct onward_dns__entry *entry)
{
    struct onward_resolver *r = entry->resolver;

    if (entry->answer == NULL)
        return;
    onward_dns__answer_set_keeper(entry->answer, NULL);
    onward_dns__answer_unref(entry->answer);
    entry->answer = NULL;
    r->cache_entries--;
    r->cache_bytes -= entry->bytes;
}

static void leave_flight(struct onward_dns__entry *entry)
{
    struct onward_resolver *r = entry->resolver;

    if (entry->place != ONWARD_DNS__FLIGHT)
        return;
    onward_core__ask_close(&entry->ask);
    r->in_flight--;
    if (!onward_dns__link_is_empty(&r->queued))
        onward_core__task_ready(&r->task);
}

static void go(struct onward_dns__entry *entry, enum onward_dns__place place)
{
    struct onward_resolver *r = entry->resolver;

    leave_flight(entry);
    entry->place = place;
    switch (place) {
    case ONWARD_DNS__TODO:
        onward_dns__link_move(&entry->link, &r->todo);
        onward_core__task_ready(&r->task);
        break;
    case ONWARD_DNS__QUEUED:
        onward_dns__link_move(&entry->link, &r->queued);
        break;
    case ONWARD_DNS__FLIGHT:
        onward_dns__link_move(&entry->link, &r->flight);
        r->in_flight++;
        break;
    case ONWARD_DNS__CACHED:
        onward_dns__link_move(&entry->link, r->cached.next);
        break;
    }
}

/* Give the answer to all who wait. Calls nobody: their tasks become ready. */
static void deliver(struct onward_dns__entry *entry,
                    const struct onward_dns__answer *answer)
{
    struct onward_dns__query *query = entry->first;

    entry->first = entry->last = NULL;
    while (query != NULL) {
        struct onward_dns__query *next = query->next;

        onward_dns__answer_ref(answer);
        query->answer = answer;
        query->entry = NULL;
        query->prev = query->next = NULL;
        onward_core__task_ready(query->task);
        query = next;
    }
}

/* Out of all lists, and the memory. Nobody waits any more. */
static void destroy(struct onward_dns__entry *entry)
{
    struct onward_resolver *r = entry->resolver;

    leave_flight(entry);
    let_go_answer(entry);
    onward_dns__link_remove(&entry->link);
    onward_dns__link_remove(&entry->due);
    onward_core__table_remove(&r->entries, &entry->node);
    onward_core__free(r->ctx, entry->target);
    onward_core__free(r->ctx, entry);
}

uint64_t onward_dns__entry_drop(struct onward_dns__entry *entry)
{
    uint64_t token = entry->place == ONWARD_DNS__FLIGHT ? entry->ask.token : 0;

    deliver(entry, &onward_dns__answer_temp);
    destroy(entry);
    return token;
}

/* ---- The end of a question --------------------------------------------- */

static void evict(struct onward_resolver *r)
{
    while (r->cache_entries > r->opts.cache_entries ||
           r->cache_bytes > r->opts.cache_bytes) {
        /* Those that were just asked again are not in the list; they go
         * back to it. */
        if (onward_dns__link_is_empty(&r->cached))
            return;
        destroy(
            ONWARD_CONTAINER(r->cached.prev, struct onward_dns__entry, link));
    }
}

void onward_dns__entry_grow(struct onward_dns__entry *entry, size_t bytes)
{
    struct onward_resolver *r = entry->resolver;

    entry->bytes += bytes;
    r->cache_bytes += bytes;
    evict(r); /* maybe this entry; whoever asked holds the answer */
}

static int64_t after(int64_t now_ms, uint64_t ms)
{
    if (ms >= (uint64_t)(INT64_MAX - (now_ms < 0 ? 0 : now_ms)))
        return ONWARD_NEVER;
    return now_ms + (int64_t)ms;
}

/* Deliver; keep the answer for keep_s. Takes the caller's count of it. */
static void finish(struct onward_dns__entry *entry,
                   const struct onward_dns__answer *answer, size_t keep_s)
{
    struct onward_resolver *r = entry->resolver;

    deliver(entry, answer);
    if (keep_s == 0 || r->opts.cache_entries == 0) {
        onward_dns__answer_unref(answer);
        destroy(entry);
        return;
    }
    onward_dns__link_remove(&entry->due);
    onward_core__free(r->ctx, entry->target);
    entry->target = NULL;
    entry->answer = answer;
    onward_dns__answer_set_keeper(answer, entry);
    entry->bytes =
        sizeof(*entry) + entry->key_len + onward_dns__answer_bytes(answer);
    entry->expires_ms =
        after(onward_core__desk_now(r->desk), (uint64_t)keep_s * 1000);
    r->cache_entries++;
    r->cache_bytes += entry->bytes;
    go(entry, ONWARD_DNS__CACHED);
    evict(r);
}

void onward_dns__entry_fail(struct onward_dns__entry *entry,
                            const struct onward_dns__answer *answer)
{
    finish(entry, answer, entry->resolver->opts.failure_ttl_s);
}

static size_t keep_time(const struct onward_resolver *r,
                        const struct onward_dns__answer *answer, bool has_ttl)
{
    size_t most = r->opts.failure_ttl_s;

    if (answer->status == ONWARD_DNS__TEMP ||
        answer->status == ONWARD_DNS__BOGUS || !has_ttl)
        return most;
    most = answer->status == ONWARD_DNS__OK ? r->opts.ttl_max_s
                                            : r->opts.negative_ttl_max_s;
    return answer->ttl_s < most ? answer->ttl_s : most;
}

/* The reply ended in a CNAME: go on with the name that it points to. */
static int chase(struct onward_dns__entry *entry,
                 const struct onward_dns__found *found)
{
    if (entry->hops + found->hops > ONWARD_DNS_CNAME_MAX)
        return ONWARD_ELIMIT;
    if (entry->target == NULL)
        entry->target =
            onward_core__alloc(entry->resolver->ctx, sizeof(*entry->target));
    if (entry->target == NULL)
        return ONWARD_ENOMEM;
    *entry->target = found->name;
    entry->hops += found->hops;
    if (found->ttl_s < entry->ttl_s)
        entry->ttl_s = found->ttl_s;
    entry->is_secure = entry->is_secure && found->is_secure;
    go(entry, ONWARD_DNS__TODO);
    return 0;
}

int onward_dns__entry_conclude(struct onward_dns__entry *entry,
                               const struct onward_dns__found *found,
                               struct onward_dns__builder *b, bool may_cache)
{
    const struct onward_dns__answer *answer;
    struct onward_dns__found whole = *found;

    if (found->is_chase)
        return chase(entry, found);
    if (entry->hops + found->hops > ONWARD_DNS_CNAME_MAX)
        return ONWARD_ELIMIT;
    if (whole.ttl_s > entry->ttl_s)
        whole.ttl_s = entry->ttl_s;
    if (whole.ttl_s == UINT32_MAX || !found->has_ttl)
        whole.ttl_s = found->status == ONWARD_DNS__OK ? whole.ttl_s : 0;
    whole.is_secure = found->is_secure && entry->is_secure;
    answer =
        onward_dns__builder_finish(b, &whole, entry->hops + found->hops != 0);
    if (answer == NULL)
        return ONWARD_ENOMEM;
    finish(entry, answer,
           may_cache ? keep_time(entry->resolver, answer, found->has_ttl) : 0);
    return 0;
}

/* ---- The steps of a question, inside onward_desk_run() ------------------ */

/* Loaded records have the first word. false: they do not know the name. */
static bool answer_from_records(struct onward_dns__entry *entry)
{
    struct onward_resolver *r = entry->resolver;
    struct onward_dns__builder b;
    struct onward_dns__found found;
    struct onward_dns__name name;
    int err;

    onward_dns__entry_name(entry, &name);
    onward_dns__builder_init(&b, r->ctx);
    err = onward_dns__records_find(&r->records, &name, entry->type,
                                   r->opts.allow_only_loaded != 0, &b, &found);
    if (err > 0)
        err = onward_dns__entry_conclude(entry, &found, &b, false) < 0 ? -1 : 1;
    onward_dns__builder_clear(&b);
    if (err < 0)
        onward_dns__entry_fail(entry, &onward_dns__answer_temp);
    return err != 0;
}

/* The target of a CNAME may have been asked for by its own name before. */
static bool answer_from_target(struct onward_dns__entry *entry, int64_t now_ms)
{
    struct onward_resolver *r = entry->resolver;
    const struct onward_dns__answer *answer;
    struct onward_dns__entry *other;
    uint32_t left_s;

    if (entry->target == NULL)
        return false;
    other = find_entry(r, entry->target, entry->type);
    if (other == NULL || other->answer == NULL || other->expires_ms <= now_ms)
        return false;
    if (other->answer->status == ONWARD_DNS__TEMP ||
        other->answer->status == ONWARD_DNS__BOGUS) {
        onward_dns__entry_fail(entry, other->answer);
        return true;
    }
    answer = onward_dns__answer_behind(r->ctx, other->answer, entry->ttl_s,
                                       entry->is_secure);
    if (answer == NULL) {
        onward_dns__entry_fail(entry, &onward_dns__answer_temp);
        return true;
    }
    /* No longer than the one that it was taken from. */
    left_s = (uint32_t)((other->expires_ms - now_ms) / 1000 < UINT32_MAX
                            ? (other->expires_ms - now_ms) / 1000
                            : UINT32_MAX);
    finish(entry, answer, left_s < answer->ttl_s ? left_s : answer->ttl_s);
    return true;
}

static void start_clock(struct onward_dns__entry *entry, int64_t now_ms)
{
    struct onward_resolver *r = entry->resolver;

    if (!onward_dns__link_is_empty(&entry->due))
        return;
    entry->deadline_ms = r->opts.timeout_ms == ONWARD_LIMIT_NONE
                             ? ONWARD_NEVER
                             : after(now_ms, r->opts.timeout_ms);
    onward_dns__link_move(&entry->due, &r->due);
}

static void step(struct onward_dns__entry *entry, int64_t now_ms)
{
    if (entry->answer != NULL) {
        if (now_ms < entry->expires_ms) {
            deliver(entry, entry->answer);
            go(entry, ONWARD_DNS__CACHED);
            return;
        }
        let_go_answer(entry);
        entry->hops = 0;
        entry->ttl_s = UINT32_MAX;
        entry->is_secure = true;
    }
    start_clock(entry, now_ms);
    if (answer_from_records(entry) || answer_from_target(entry, now_ms))
        return;
    go(entry, ONWARD_DNS__QUEUED);
}

struct onward_dns__entry *onward_dns__entry_send(struct onward_resolver *r,
                                                 char *text, size_t *text_len)
{
    struct onward_dns__entry *entry;
    struct onward_dns__name name;

    while (!onward_dns__link_is_empty(&r->queued) &&
           r->in_flight < r->opts.in_flight) {
        entry =
            ONWARD_CONTAINER(r->queued.next, struct onward_dns__entry, link);
        if (onward_core__ask_open(r->desk, &entry->ask, ONWARD_ASK_DNS) < 0) {
            onward_dns__entry_fail(entry, &onward_dns__answer_temp);
            continue;
        }
        go(entry, ONWARD_DNS__FLIGHT);
        onward_dns__entry_name(entry, &name);
        *text_len = onward_dns__name_to_text(name.octets, name.len, text);
        return entry;
    }
    return NULL;
}

/* The host may do anything inside: nothing of before is looked at after. */
static void ask_host(struct onward_resolver *r)
{
    char text[ONWARD_DNS_NAME_TEXT_MAX];
    struct onward_dns__entry *entry;
    struct onward_core__ask *ask;
    size_t text_len;
    uint64_t token;

    entry = onward_dns__entry_send(r, text, &text_len);
    if (entry == NULL)
        return;
    token = entry->ask.token;
    if (r->host.query(r->host.user, token, text, text_len, entry->type) >= 0)
        return;
    ask = onward_core__ask_find(r->desk, token, ONWARD_ASK_DNS);
    if (ask != NULL)
        onward_dns__entry_fail(
            ONWARD_CONTAINER(ask, struct onward_dns__entry, ask),
            &onward_dns__answer_temp);
}

static void time_out(struct onward_dns__entry *entry)
{
    struct onward_resolver *r = entry->resolver;
    uint64_t token = entry->place == ONWARD_DNS__FLIGHT ? entry->ask.token : 0;

    onward_dns__entry_fail(entry, &onward_dns__answer_temp);
    if (token != 0 && r->host.cancel != NULL)
        r->host.cancel(r->host.user, token);
}

static struct onward_dns__entry *first_due(struct onward_resolver *r)
{
    if (onward_dns__link_is_empty(&r->due))
        return NULL;
    return ONWARD_CONTAINER(r->due.next, struct onward_dns__entry, due);
}

void onward_dns__resolver_run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_resolver *r =
        ONWARD_CONTAINER(task, struct onward_resolver, task);
    struct onward_dns__entry *due;

    onward_dns__resolver_hold(r);
    while (!r->is_dead && (due = first_due(r)) != NULL &&
           due->deadline_ms <= now_ms)
        time_out(due);
    while (!r->is_dead && !onward_dns__link_is_empty(&r->todo))
        step(ONWARD_CONTAINER(r->todo.next, struct onward_dns__entry, link),
             now_ms);
    while (!r->is_dead && r->host.query != NULL &&
           !onward_dns__link_is_empty(&r->queued) &&
           r->in_flight < r->opts.in_flight)
        ask_host(r);
    if (!r->is_dead) {
        due = first_due(r);
        onward_core__task_deadline(task, due == NULL ? ONWARD_NEVER
                                                     : due->deadline_ms);
    }
    onward_dns__resolver_release(r);
}

/* ---- What evaluators call ---------------------------------------------- */

int onward_dns__ask(struct onward_resolver *resolver,
                    struct onward_dns__query *query, struct onward_str name,
                    uint16_t type, struct onward_core__task *task)
{
    struct onward_dns__name wire;
    struct onward_dns__entry *entry;

    ONWARD_ASSERT(query->entry == NULL && query->answer == NULL);
    if (resolver->is_dead || onward_core__desk_is_dead(resolver->desk))
        return ONWARD_ESTATE;
    query->task = task;
    if (!onward_dns__name_from_text(name, &wire)) {
        query->answer = &onward_dns__answer_nxdomain;
        onward_core__task_ready(task);
        return 0;
    }
    entry = find_entry(resolver, &wire, type);
    if (entry == NULL)
        entry = add_entry(resolver, &wire, type);
    if (entry == NULL)
        return ONWARD_ENOMEM;
    query->entry = entry;
    query->prev = entry->last;
    query->next = NULL;
    if (entry->last != NULL)
        entry->last->next = query;
    else
        entry->first = query;
    entry->last = query;
    if (query->prev == NULL)
        go(entry, ONWARD_DNS__TODO);
    return 0;
}

static void unlink_query(struct onward_dns__entry *entry,
                         struct onward_dns__query *query)
{
    if (query->prev != NULL)
        query->prev->next = query->next;
    else
        entry->first = query->next;
    if (query->next != NULL)
        query->next->prev = query->prev;
    else
        entry->last = query->prev;
}

void onward_dns__query_clear(struct onward_dns__query *query)
{
    struct onward_dns__entry *entry = query->entry;
    struct onward_resolver *r;
    uint64_t token;

    onward_dns__answer_unref(query->answer);
    if (entry != NULL)
        unlink_query(entry, query);
    memset(query, 0, sizeof(*query));
    if (entry == NULL || entry->first != NULL)
        return;
    if (entry->answer != NULL) {
        go(entry, ONWARD_DNS__CACHED);
        return;
    }
    r = entry->resolver;
    token = onward_dns__entry_drop(entry);
    if (token == 0 || r->host.cancel == NULL ||
        onward_core__desk_is_dead(r->desk))
        return;
    onward_dns__resolver_hold(r);
    r->host.cancel(r->host.user, token);
    onward_dns__resolver_release(r);
}
