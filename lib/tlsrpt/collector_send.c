/*
 * Reports of days that are over: rows are found page by page, those of one day
 * and domain joined, claimed, given to the host, and removed when it has sent
 * them. One report at a time, one step a question to the store.
 */
#include "tlsrpt/collector_priv.h"

enum {
    PAGE = 8, /* of full rows, which a store answers with at once */
    CLAIM_S = 3600
};

static struct onward_str rows_prefix(void)
{
    return ONWARD_STR("onward/tlsrpt/1/rows/");
}

/* ---- Finding ----------------------------------------------------------- */

/* BEGIN and DOMAIN of a key; false: it is no such key. */
static bool read_key(struct onward_str key, int64_t *begin_s,
                     struct onward_str *domain)
{
    struct onward_str rest = onward_core__sub(key, rows_prefix().len, key.len);
    size_t slash = onward_core__str_find(rest, '/');
    uint64_t begin;

    if (onward_core__parse_u64(onward_core__sub(rest, 0, slash), 18, &begin) !=
        0)
        return false;
    rest = onward_core__sub(rest, slash + 1, rest.len);
    slash = onward_core__str_find(rest, '/');
    *begin_s = (int64_t)begin;
    *domain = onward_core__sub(rest, 0, slash);
    return slash > 0 && slash < rest.len;
}

static void forget_report(struct onward_tlsrpt_collector *c)
{
    onward_tlsrpt_report_free(c->report);
    c->report = NULL;
    c->keys = NULL;
    onward_core__arena_reset(&c->keys_arena);
}

/* The next row of the page whose day is over. */
static bool was_given(const struct onward_tlsrpt_collector *c)
{
    return c->given_s == c->begin_s &&
           onward_core__str_eq(c->domain,
                               onward_core__str(c->given, c->given_len));
}

static int pick(struct onward_tlsrpt_collector *c)
{
    char key[ONWARD_STORE_KEY_MAX];

    forget_report(c);
    for (; c->at != NULL; c->at = c->at->next) {
        if (!read_key(c->at->key, &c->begin_s, &c->domain) ||
            c->begin_s > c->before_s - ONWARD_TLSRPT__DAY_S || was_given(c) ||
            c->domain.len > sizeof(c->given))
            continue;
        if (onward_tlsrpt__collector_report(c, c->begin_s, c->domain,
                                            &c->report) != 0)
            continue;
        memcpy(c->given, c->domain.data, c->domain.len);
        c->given_len = c->domain.len;
        c->given_s = c->begin_s;
        c->stage = ONWARD_TLSRPT__JOIN;
        return onward_store__walk(c->opts.store, &c->step,
                                  onward_tlsrpt__collector_key(
                                      "rows", c->begin_s, c->domain, NULL, key),
                                  onward_core__str("", 0), PAGE, &c->giver);
    }
    c->stage = c->cursor.len == 0 ? ONWARD_TLSRPT__END : ONWARD_TLSRPT__WALK;
    onward_store__query_clear(&c->walk);
    return 0;
}

static int ask_page(struct onward_tlsrpt_collector *c)
{
    return onward_store__walk(c->opts.store, &c->walk, rows_prefix(),
                              onward_core__buf_str(&c->cursor), PAGE,
                              &c->giver);
}

static int take_page(struct onward_tlsrpt_collector *c)
{
    if (c->walk.status != 0)
        return c->walk.status;
    onward_core__buf_reset(&c->cursor);
    c->at = c->walk.first;
    c->stage = ONWARD_TLSRPT__PICK;
    return onward_core__buf_add_str(&c->cursor, c->walk.cursor);
}

/* ---- One report -------------------------------------------------------- */

static int keep_key(struct onward_tlsrpt_collector *c,
                    const struct onward_store__item *item)
{
    struct onward_tlsrpt__key *key =
        onward_core__arena_alloc(&c->keys_arena, sizeof(*key));

    if (key == NULL)
        return ONWARD_ENOMEM;
    key->version = item->version;
    key->next = c->keys;
    c->keys = key;
    return onward_core__arena_dup(&c->keys_arena, item->key, &key->key);
}

static int join_one(struct onward_tlsrpt_collector *c,
                    const struct onward_store__item *item)
{
    struct onward_tlsrpt_report *rows = NULL;
    int err = onward_tlsrpt_report_load(c->ctx, NULL, item->value, &rows);

    if (err == ONWARD_ENOMEM)
        return err;
    /* What cannot be read counts as absent; its time will be over. */
    if (err != 0) {
        onward_tlsrpt__collector_log(c, "not-readable", err);
        return 0;
    }
    err = onward_tlsrpt__join(c->report, rows);
    onward_tlsrpt_report_free(rows);
    return err == 0 ? keep_key(c, item) : err;
}

static int give(struct onward_tlsrpt_collector *c)
{
    int err;

    c->stage = ONWARD_TLSRPT__GIVE;
    c->answer = 0;
    err = onward_core__ask_open(c->desk, &c->ask, ONWARD_ASK_REPORT);
    if (err != 0)
        return err;
    onward_core__guard_enter(&c->guard);
    c->host.report(c->host.user, c->ask.token, c->report);
    onward_core__guard_leave(&c->guard);
    return 0;
}

/* A page of rows of the same day and domain. */
static int join(struct onward_tlsrpt_collector *c)
{
    char key[ONWARD_STORE_KEY_MAX];
    int err = c->step.status;

    for (const struct onward_store__item *i = c->step.first;
         err == 0 && i != NULL; i = i->next)
        err = join_one(c, i);
    if (err != 0)
        return err;
    if (c->step.cursor.len > 0) {
        struct onward_str cursor;

        err = onward_core__arena_dup(&c->keys_arena, c->step.cursor, &cursor);
        onward_store__query_clear(&c->step);
        return err != 0 ? err
                        : onward_store__walk(
                              c->opts.store, &c->step,
                              onward_tlsrpt__collector_key(
                                  "rows", c->begin_s, c->domain, NULL, key),
                              cursor, PAGE, &c->giver);
    }
    onward_store__query_clear(&c->step);
    if (c->keys == NULL) {
        c->at = c->at->next;
        c->stage = ONWARD_TLSRPT__PICK;
        return 0;
    }
    if (c->is_look)
        return give(c);
    c->stage = ONWARD_TLSRPT__CLAIM;
    return onward_store__put(
        c->opts.store, &c->step,
        onward_tlsrpt__collector_key("claim", c->begin_s, c->domain, NULL, key),
        onward_core__str(c->run, sizeof(c->run)),
        onward_core__now_s(c->ctx) + CLAIM_S, 0,
        ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT, &c->giver);
}

/* It is ours to give, or another's. */
static int claimed(struct onward_tlsrpt_collector *c)
{
    bool is_ours = c->step.is_done;
    int err = c->step.status;

    onward_store__query_clear(&c->step);
    if (err != 0)
        return err;
    if (is_ours)
        return give(c);
    c->at = c->at->next;
    c->stage = ONWARD_TLSRPT__PICK;
    return 0;
}

/* Its rows go, or its claim. */
static int answered(struct onward_tlsrpt_collector *c)
{
    if (c->answer == 0)
        return 0;
    c->stage = c->answer == ONWARD_TLSRPT_SENT ? ONWARD_TLSRPT__REMOVE
                                               : ONWARD_TLSRPT__UNCLAIM;
    if (c->is_look) {
        c->at = c->at->next;
        c->stage = ONWARD_TLSRPT__PICK;
    }
    return 0;
}

static int remove_row(struct onward_tlsrpt_collector *c)
{
    struct onward_tlsrpt__key *key = c->keys;

    if (key == NULL) {
        c->at = c->at->next;
        c->stage = ONWARD_TLSRPT__PICK;
        return 0;
    }
    c->keys = key->next;
    /* Rows that have grown meanwhile make another report. */
    return onward_store__remove(c->opts.store, &c->step, key->key, key->version,
                                &c->giver);
}

static int unclaim(struct onward_tlsrpt_collector *c)
{
    char key[ONWARD_STORE_KEY_MAX];

    c->keys = NULL;
    c->stage = ONWARD_TLSRPT__REMOVE;
    return onward_store__remove(
        c->opts.store, &c->step,
        onward_tlsrpt__collector_key("claim", c->begin_s, c->domain, NULL, key),
        0, &c->giver);
}

/* ---- The way ----------------------------------------------------------- */

static bool is_idle(const struct onward_store__query *query)
{
    return query->op == ONWARD_STORE__IDLE;
}

/* As far as it goes without an answer. */
static int step(struct onward_tlsrpt_collector *c)
{
    switch (c->stage) {
    case ONWARD_TLSRPT__SAVE:
        c->stage = ONWARD_TLSRPT__WALK;
        return c->save_err;
    case ONWARD_TLSRPT__WALK:
        return is_idle(&c->walk) ? ask_page(c) : take_page(c);
    case ONWARD_TLSRPT__PICK:
        return pick(c);
    case ONWARD_TLSRPT__JOIN:
        return join(c);
    case ONWARD_TLSRPT__CLAIM:
        return claimed(c);
    case ONWARD_TLSRPT__GIVE:
        return answered(c);
    case ONWARD_TLSRPT__REMOVE:
        /* One that is gone already, or changed, is no failure. */
        onward_store__query_clear(&c->step);
        return remove_row(c);
    case ONWARD_TLSRPT__UNCLAIM:
        return unclaim(c);
    case ONWARD_TLSRPT__IDLE:
    case ONWARD_TLSRPT__END:
        break;
    }
    return 0;
}

static bool has_to_wait(const struct onward_tlsrpt_collector *c)
{
    return (!is_idle(&c->walk) && c->walk.status == ONWARD_AGAIN) ||
           (!is_idle(&c->step) && c->step.status == ONWARD_AGAIN) ||
           (c->stage == ONWARD_TLSRPT__GIVE && c->answer == 0) ||
           c->stage == ONWARD_TLSRPT__IDLE;
}

static void end(struct onward_tlsrpt_collector *c, int err)
{
    onward_tlsrpt__giver_clear(c);
    if (err != 0)
        onward_tlsrpt__collector_log(c, "not-sent", err);
    if (c->host.sent == NULL)
        return;
    onward_core__guard_enter(&c->guard);
    c->host.sent(c->host.user, err);
    onward_core__guard_leave(&c->guard);
}

void onward_tlsrpt__giver_run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_tlsrpt_collector *c =
        ONWARD_CONTAINER(task, struct onward_tlsrpt_collector, giver);

    (void)now_ms;
    onward_core__guard_enter(&c->guard);
    while (!c->guard.is_dead && !has_to_wait(c)) {
        int err = c->stage == ONWARD_TLSRPT__END ? 0 : step(c);

        if (c->guard.is_dead)
            break;
        if (err != 0 || c->stage == ONWARD_TLSRPT__END) {
            end(c, err);
            break;
        }
    }
    onward_tlsrpt__collector_leave(c);
}

void onward_tlsrpt__giver_clear(struct onward_tlsrpt_collector *c)
{
    onward_core__ask_close(&c->ask);
    onward_store__query_clear(&c->step);
    onward_store__query_clear(&c->walk);
    c->at = NULL;
    c->stage = ONWARD_TLSRPT__IDLE;
    forget_report(c);
}

static int begin(struct onward_tlsrpt_collector *c, int64_t before_s,
                 bool is_look)
{
    int64_t now_s;

    if (c == NULL)
        return ONWARD_EINVAL;
    if (c->is_freed || c->stage != ONWARD_TLSRPT__IDLE ||
        onward_core__desk_is_dead(c->desk))
        return ONWARD_ESTATE;
    now_s = onward_core__now_s(c->ctx);
    c->before_s = before_s < now_s ? before_s : now_s;
    c->given_len = 0;
    c->is_look = is_look;
    onward_core__buf_reset(&c->cursor);
    return 0;
}

int onward_tlsrpt_collector_send(struct onward_tlsrpt_collector *collector,
                                 int64_t before_s)
{
    int err = begin(collector, before_s, false);

    if (err != 0)
        return err;
    collector->stage = ONWARD_TLSRPT__SAVE;
    /* The saver wakes the giver. */
    return onward_tlsrpt_collector_save(collector);
}

int onward_tlsrpt_collector_look(struct onward_tlsrpt_collector *collector,
                                 int64_t before_s)
{
    int err = begin(collector, before_s, true);

    if (err != 0)
        return err;
    collector->stage = ONWARD_TLSRPT__WALK;
    onward_core__task_ready(&collector->giver);
    return 0;
}

int onward_tlsrpt_collector_answer(struct onward_desk *desk, uint64_t token,
                                   int answer)
{
    struct onward_core__ask *ask;
    struct onward_tlsrpt_collector *c;

    if (desk == NULL || answer < ONWARD_TLSRPT_SENT ||
        answer > ONWARD_TLSRPT_NOT_NOW)
        return ONWARD_EINVAL;
    ask = onward_core__ask_find(desk, token, ONWARD_ASK_REPORT);
    if (ask == NULL)
        return ONWARD_ESTALE;
    c = ONWARD_CONTAINER(ask, struct onward_tlsrpt_collector, ask);
    onward_core__ask_close(ask);
    c->answer = answer;
    onward_core__task_ready(&c->giver);
    return 0;
}
