/* Counting, and bringing the counts to the store. */
#include "tlsrpt/collector_priv.h"

enum {
    MAX_DOMAINS = 10000,
    MAX_BYTES = 65536,
    SAVE_MS = 60000,
    KEEP_S = 864000,
    SEND_SPREAD_S = 4 * 3600
};

_Static_assert(offsetof(struct onward_tlsrpt_collector_opts, log_id) +
                       sizeof(uint64_t) ==
                   sizeof(struct onward_tlsrpt_collector_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_tlsrpt_collector_host, sent) +
                       sizeof(void (*)(void)) ==
                   sizeof(struct onward_tlsrpt_collector_host),
               "no tail padding");

/* ---- Names ------------------------------------------------------------- */

static size_t put(char *buf, size_t at, const char *text, size_t len)
{
    /* Domain, run and number leave room in a key. */
    if (len > ONWARD_STORE_KEY_MAX - at)
        len = ONWARD_STORE_KEY_MAX - at;
    if (len > 0)
        memcpy(buf + at, text, len);
    return at + len;
}

struct onward_str onward_tlsrpt__collector_key(const char *kind,
                                               int64_t begin_s,
                                               struct onward_str domain,
                                               const char *run,
                                               char buf[ONWARD_STORE_KEY_MAX])
{
    char digits[20];
    size_t at = put(buf, 0, "onward/tlsrpt/1/", 16), first = sizeof(digits);
    uint64_t value = (uint64_t)begin_s;

    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    at = put(buf, at, kind, strlen(kind));
    at = put(buf, at, "/", 1);
    at = put(buf, at, digits + first, sizeof(digits) - first);
    at = put(buf, at, "/", 1);
    at = put(buf, at, domain.data, domain.len);
    at = put(buf, at, "/", 1);
    if (run != NULL)
        at = put(buf, at, run, ONWARD_TLSRPT__RUN_LEN);
    return onward_core__str(buf, at);
}

int onward_tlsrpt__collector_report(struct onward_tlsrpt_collector *c,
                                    int64_t begin_s, struct onward_str domain,
                                    struct onward_tlsrpt_report **report)
{
    struct onward_tlsrpt_report_opts o = {.size = sizeof(o),
                                          .organization = c->opts.organization,
                                          .contact = c->opts.contact,
                                          .policy_domain = domain,
                                          .max_bytes = c->opts.max_bytes,
                                          .begin_s = begin_s};
    struct onward_buf id;
    int err;

    /* No other report of ours has it, nor one of another process. */
    onward_core__buf_init(&id, c->ctx, ONWARD_STORE_KEY_MAX);
    onward_core__buf_add_i64(&id, begin_s);
    onward_core__buf_add_byte(&id, '.');
    onward_core__buf_add(&id, c->run, sizeof(c->run));
    onward_core__buf_add_byte(&id, '.');
    err = onward_core__buf_add_str(&id, domain);
    o.report_id = onward_core__buf_str(&id);
    if (err == 0)
        err = onward_tlsrpt_report_new(c->ctx, &o, report);
    onward_core__buf_clear(&id);
    return err;
}

void onward_tlsrpt__collector_log(struct onward_tlsrpt_collector *c,
                                  const char *code, int err)
{
    onward_core__log(c->ctx, ONWARD_LOG_WARN, "tlsrpt", code, c->log_id,
                     onward_str_of(onward_error_name(err)));
}

int64_t onward_tlsrpt_send_time(int64_t now_s, uint32_t random)
{
    int64_t today_s = now_s - now_s % ONWARD_TLSRPT__DAY_S;

    return today_s + ONWARD_TLSRPT__DAY_S + 1 + random % SEND_SPREAD_S;
}

/* ---- Entries ----------------------------------------------------------- */

static int64_t today(const struct onward_tlsrpt_collector *c)
{
    int64_t now_s = onward_core__now_s(c->ctx);

    return now_s < 0 ? 0 : now_s - now_s % ONWARD_TLSRPT__DAY_S;
}

static struct onward_tlsrpt__entry *
find(const struct onward_tlsrpt_collector *c, uint64_t hash,
     struct onward_str domain, int64_t begin_s)
{
    struct onward_core__node *node = onward_core__table_find(&c->entries, hash);

    for (; node != NULL; node = onward_core__table_find_next(node)) {
        struct onward_tlsrpt__entry *e =
            ONWARD_CONTAINER(node, struct onward_tlsrpt__entry, node);

        if (e->report->opts.begin_s == begin_s &&
            onward_core__str_eq(e->report->opts.policy_domain, domain))
            return e;
    }
    return NULL;
}

static void drop(struct onward_tlsrpt_collector *c,
                 struct onward_tlsrpt__entry *e)
{
    onward_core__table_remove(&c->entries, &e->node);
    onward_tlsrpt_report_free(e->report);
    onward_core__free(c->ctx, e);
}

static int make(struct onward_tlsrpt_collector *c, uint64_t hash,
                struct onward_str domain, int64_t begin_s,
                struct onward_tlsrpt__entry **out)
{
    struct onward_tlsrpt__entry *e;
    int err;

    if (c->entries.count >= c->opts.max_domains)
        return ONWARD_ELIMIT;
    e = onward_core__zalloc(c->ctx, sizeof(*e));
    if (e == NULL)
        return ONWARD_ENOMEM;
    err = onward_tlsrpt__collector_report(c, begin_s, domain, &e->report);
    if (err != 0) {
        onward_core__free(c->ctx, e);
        return err;
    }
    onward_core__table_add(&c->entries, &e->node, hash);
    *out = e;
    return 0;
}

/* To the end of what is to be saved. */
static void queue(struct onward_tlsrpt_collector *c,
                  struct onward_tlsrpt__entry *e)
{
    if (e->is_unsaved)
        return;
    e->is_unsaved = true;
    e->next_unsaved = NULL;
    *c->unsaved_end = e;
    c->unsaved_end = &e->next_unsaved;
    c->unsaved_count++;
    if (c->is_timed)
        return;
    c->is_timed = true;
    onward_core__task_after(&c->timer, c->opts.save_ms);
}

int onward_tlsrpt_collector_add(struct onward_tlsrpt_collector *collector,
                                struct onward_str domain,
                                const struct onward_tlsrpt_session *session)
{
    struct onward_tlsrpt_collector *c = collector;
    struct onward_tlsrpt__entry *e;
    uint64_t hash;
    int err = 0;

    if (c == NULL || session == NULL)
        return ONWARD_EINVAL;
    if (c->is_freed || onward_core__desk_is_dead(c->desk))
        return ONWARD_ESTATE;
    hash = onward_core__hash(c->ctx, domain.data, domain.len);
    e = find(c, hash, domain, today(c));
    if (e == NULL)
        err = make(c, hash, domain, today(c), &e);
    if (err != 0)
        return err;
    err = onward_tlsrpt_report_add(e->report, session);
    if (e->report->policy_count > 0)
        queue(c, e);
    else if (!e->is_unsaved && c->saving != e)
        drop(c, e);
    return err;
}

/* ---- Saving ------------------------------------------------------------ */

static struct onward_tlsrpt__entry *
take_unsaved(struct onward_tlsrpt_collector *c)
{
    struct onward_tlsrpt__entry *e = c->unsaved;

    c->unsaved = e->next_unsaved;
    if (c->unsaved == NULL)
        c->unsaved_end = &c->unsaved;
    c->unsaved_count--;
    e->is_unsaved = false;
    return e;
}

/* Ask the store to take the next one. Without KEEP: whoever we deliver to has a
 * say in how much that is, and a report is worth less than what makes room. */
static int begin_save(struct onward_tlsrpt_collector *c)
{
    struct onward_tlsrpt__entry *e = take_unsaved(c);
    const struct onward_tlsrpt_report_opts *o = &e->report->opts;
    char key[ONWARD_STORE_KEY_MAX];
    struct onward_str bytes;
    int err = onward_tlsrpt_report_save(e->report, &bytes);

    c->saving = e;
    c->to_save--;
    if (err == 0)
        err = onward_store__put(
            c->opts.store, &c->save,
            onward_tlsrpt__collector_key("rows", o->begin_s, o->policy_domain,
                                         c->run, key),
            bytes, o->end_s + (int64_t)c->opts.keep_s, 0, 0, &c->saver);
    return err;
}

/* The store has it, or not: then the next round tries again. */
static void end_save(struct onward_tlsrpt_collector *c, int err)
{
    struct onward_tlsrpt__entry *e = c->saving;

    c->saving = NULL;
    onward_store__query_clear(&c->save);
    if (err != 0) {
        onward_tlsrpt__collector_log(c, "not-saved", err);
        c->save_err = err;
        c->to_save = 0;
        queue(c, e);
    } else if (!e->is_unsaved && e->report->opts.begin_s != today(c)) {
        drop(c, e);
    }
}

/* false: the store has to answer first, or the host has freed us. */
static bool save_all(struct onward_tlsrpt_collector *c)
{
    if (c->saving != NULL) {
        if (c->save.status == ONWARD_AGAIN)
            return false;
        end_save(c, c->save.status);
    }
    while (c->to_save > 0 && c->unsaved != NULL) {
        int err = begin_save(c);

        if (err == 0 || c->guard.is_dead)
            return false;
        end_save(c, err);
    }
    return true;
}

static void run_saver(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_tlsrpt_collector *c =
        ONWARD_CONTAINER(task, struct onward_tlsrpt_collector, saver);

    (void)now_ms;
    onward_core__guard_enter(&c->guard);
    if (save_all(c) && c->stage == ONWARD_TLSRPT__SAVE)
        onward_core__task_ready(&c->giver);
    onward_tlsrpt__collector_leave(c);
}

/* What is full of days gone by makes room: what is saved of them goes. */
static void sweep(struct onward_tlsrpt_collector *c)
{
    int64_t begin_s = today(c);

    for (size_t i = 0; i < c->entries.slot_count; i++) {
        struct onward_core__node *node = c->entries.slots[i], *next;

        for (; node != NULL; node = next) {
            struct onward_tlsrpt__entry *e =
                ONWARD_CONTAINER(node, struct onward_tlsrpt__entry, node);

            next = node->next;
            if (!e->is_unsaved && e != c->saving &&
                e->report->opts.begin_s != begin_s)
                drop(c, e);
        }
    }
}

static void start_saving(struct onward_tlsrpt_collector *c)
{
    c->to_save = c->unsaved_count;
    c->save_err = 0;
    onward_core__task_ready(&c->saver);
}

static void run_timer(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_tlsrpt_collector *c =
        ONWARD_CONTAINER(task, struct onward_tlsrpt_collector, timer);

    (void)now_ms;
    c->is_timed = false;
    sweep(c);
    start_saving(c);
}

int onward_tlsrpt_collector_save(struct onward_tlsrpt_collector *collector)
{
    if (collector == NULL)
        return ONWARD_EINVAL;
    if (collector->is_freed || onward_core__desk_is_dead(collector->desk))
        return ONWARD_ESTATE;
    start_saving(collector);
    return 0;
}

size_t
onward_tlsrpt_collector_unsaved(const struct onward_tlsrpt_collector *collector)
{
    return collector == NULL
               ? 0
               : collector->unsaved_count + (collector->saving != NULL);
}

/* ---- Life -------------------------------------------------------------- */

static int check(struct onward_tlsrpt_collector_opts *o,
                 const struct onward_tlsrpt_collector_host *h)
{
    const struct onward_tlsrpt_report_opts report = {
        .organization = o->organization,
        .contact = o->contact,
        .report_id = ONWARD_STR("1"),
        .policy_domain = ONWARD_STR("example.com")};

    if (o->store == NULL || h->report == NULL || o->organization.len == 0 ||
        o->contact.len == 0)
        return ONWARD_EINVAL;
    o->max_domains = onward_core__limit(o->max_domains, MAX_DOMAINS);
    o->max_bytes = onward_core__limit(o->max_bytes, MAX_BYTES);
    o->save_ms = onward_core__limit(o->save_ms, SAVE_MS);
    o->keep_s = onward_core__limit(o->keep_s, KEEP_S);
    if (o->keep_s > INT32_MAX)
        o->keep_s = INT32_MAX;
    return onward_tlsrpt__check(&report);
}

static int name_run(struct onward_tlsrpt_collector *c)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char octets[ONWARD_TLSRPT__RUN_LEN / 2];
    int err = onward_core__random(c->ctx, octets, sizeof(octets));

    for (size_t i = 0; err == 0 && i < sizeof(octets); i++) {
        c->run[2 * i] = digits[octets[i] >> 4];
        c->run[2 * i + 1] = digits[octets[i] & 15];
    }
    return err;
}

static int fill(struct onward_tlsrpt_collector *c)
{
    struct onward_str organization = c->opts.organization;
    struct onward_str contact = c->opts.contact;
    int err = name_run(c);

    if (err == 0)
        err = onward_core__arena_dup(&c->arena, organization,
                                     &c->opts.organization);
    if (err == 0)
        err = onward_core__arena_dup(&c->arena, contact, &c->opts.contact);
    return err == 0 ? onward_core__table_init(&c->entries, c->ctx) : err;
}

int onward_tlsrpt_collector_new(const struct onward_tlsrpt_collector_opts *opts,
                                const struct onward_tlsrpt_collector_host *host,
                                struct onward_tlsrpt_collector **collector)
{
    struct onward_tlsrpt_collector_opts o;
    struct onward_tlsrpt_collector_host h;
    struct onward_tlsrpt_collector *c;
    int err;

    if (opts == NULL || host == NULL || collector == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err == 0)
        err = check(&o, &h);
    if (err != 0)
        return err;
    if (onward_core__desk_is_dead(onward_store__desk(o.store)))
        return ONWARD_ESTATE;
    c = onward_core__zalloc(onward_core__desk_ctx(onward_store__desk(o.store)),
                            sizeof(*c));
    if (c == NULL)
        return ONWARD_ENOMEM;
    c->desk = onward_store__desk(o.store);
    c->ctx = onward_core__desk_ctx(c->desk);
    c->opts = o;
    c->host = h;
    c->log_id = o.log_id != 0 ? o.log_id : onward_core__desk_log_id(c->desk);
    c->unsaved_end = &c->unsaved;
    onward_core__desk_hold(c->desk);
    (void)onward_store__hold(o.store);
    onward_core__arena_init(&c->arena, c->ctx, SIZE_MAX);
    onward_core__arena_init(&c->keys_arena, c->ctx, SIZE_MAX);
    onward_core__buf_init(&c->cursor, c->ctx, 4 * ONWARD_STORE_KEY_MAX);
    onward_core__task_init(&c->timer, c->desk, run_timer);
    onward_core__task_init(&c->saver, c->desk, run_saver);
    onward_core__task_init(&c->giver, c->desk, onward_tlsrpt__giver_run);
    err = fill(c);
    if (err != 0) {
        onward_tlsrpt_collector_free(c);
        return err;
    }
    *collector = c;
    return 0;
}

static void destroy(struct onward_tlsrpt_collector *c)
{
    struct onward_desk *desk = c->desk;

    onward_core__arena_clear(&c->arena);
    onward_core__arena_clear(&c->keys_arena);
    onward_core__buf_clear(&c->cursor);
    onward_store__release(c->opts.store);
    onward_core__free(c->ctx, c);
    onward_core__desk_release(desk);
}

void onward_tlsrpt__collector_leave(struct onward_tlsrpt_collector *c)
{
    if (onward_core__guard_leave(&c->guard))
        destroy(c);
}

void onward_tlsrpt_collector_free(struct onward_tlsrpt_collector *collector)
{
    struct onward_tlsrpt_collector *c = collector;

    if (c == NULL || c->is_freed)
        return;
    c->is_freed = true;
    c->guard.is_dead = true;
    onward_core__guard_enter(&c->guard);
    onward_core__task_clear(&c->timer);
    onward_core__task_clear(&c->saver);
    onward_core__task_clear(&c->giver);
    onward_store__query_clear(&c->save);
    onward_tlsrpt__giver_clear(c);
    while (c->entries.count > 0)
        drop(c, ONWARD_CONTAINER(onward_core__table_any(&c->entries),
                                 struct onward_tlsrpt__entry, node));
    onward_core__table_clear(&c->entries);
    onward_tlsrpt__collector_leave(c);
}
