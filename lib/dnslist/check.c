/*
 * An address in several lists: all are asked for it at once, then the block
 * lists that have it for their reason. The verdict waits for every list, so
 * that it is the same for any order of answers; a timer ends the waiting.
 */
#include "core/desk_shared.h"
#include "core/text_shared.h"
#include "dns/dns_shared.h"
#include "dnslist/dnslist_priv.h"

enum {
    DEFAULT_TIMEOUT_MS = 10000,
    DEFAULT_LISTS = 32,
    REASON_MAX = 200,
    ZONES_MAX = 200, /* octets of all zones in the text */
    TEXT_MAX = 500,
    QUERY_MAX = 254, /* with its NUL */
    MEMORY_MAX = 1 << 20
};

_Static_assert(offsetof(struct onward_dnslist_opts, log_id) +
                       sizeof(uint64_t) ==
                   sizeof(struct onward_dnslist_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_dnslist_host, done) + sizeof(void *) ==
                   sizeof(struct onward_dnslist_host),
               "no tail padding");
_Static_assert(offsetof(struct onward_dnslist_hit, code) + 8 ==
                   sizeof(struct onward_dnslist_hit),
               "no tail padding");

struct list {
    struct list *next;
    int kind;
    struct onward_str zone, code;
    struct onward_dns__query address, text;
    bool has_it;
    unsigned char found[4];
    struct onward_str reason;
};

enum stage { STAGE_START, STAGE_ADDRESSES, STAGE_TEXTS, STAGE_DONE };

struct onward_dnslist {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_dnslist_host host;
    struct onward_core__task task, timer;
    struct onward_core__guard guard;
    struct onward_arena arena;
    struct onward_ip ip;
    size_t timeout_ms, max_lists, count;
    uint64_t log_id;
    enum stage stage;
    bool is_late;
    int verdict;
    struct list *first, **last;
    struct onward_str text;
};

/* ---- What is told ------------------------------------------------------ */

/* As one line of printable ASCII: others may have written it, and it goes into
 * a reply. */
static int set_reason(struct onward_dnslist *d, struct list *list,
                      struct onward_str raw)
{
    char line[REASON_MAX];
    size_t len = 0;

    for (size_t i = 0; i < raw.len && len < sizeof(line); i++) {
        unsigned char c = (unsigned char)raw.data[i];
        bool is_blank = c <= ' ';

        if (is_blank && (len == 0 || line[len - 1] == ' '))
            continue;
        line[len++] = is_blank ? ' ' : c > '~' ? '?' : (char)c;
    }
    return onward_core__arena_dup(
        &d->arena, onward_core__str_trim(onward_core__str(line, len)),
        &list->reason);
}

static void add_zones(const struct onward_dnslist *d, struct onward_buf *out)
{
    size_t begin = out->len;

    for (const struct list *l = d->first; l != NULL; l = l->next) {
        if (!l->has_it || l->kind != ONWARD_DNSLIST_BLOCK)
            continue;
        if (out->len > begin)
            onward_core__buf_add_text(out, ", ");
        if (l->zone.len > ZONES_MAX - (out->len - begin)) {
            onward_core__buf_add_text(out, "...");
            return;
        }
        onward_core__buf_add_str(out, l->zone);
    }
}

static int write_text(struct onward_dnslist *d)
{
    char address[ONWARD_IP_TEXT_MAX];
    struct onward_buf out;
    int err;

    onward_ip_format(&d->ip, address, sizeof(address));
    onward_core__buf_init(&out, d->ctx, TEXT_MAX);
    onward_core__buf_add_text(&out, address);
    onward_core__buf_add_text(&out, " found on one or more DNSBLs (");
    add_zones(d, &out);
    onward_core__buf_add_text(&out, ")");
    for (const struct list *l = d->first; l != NULL; l = l->next) {
        if (l->reason.len == 0)
            continue;
        onward_core__buf_add_text(&out, ": ");
        onward_core__buf_add_str(&out, l->reason);
        break;
    }
    err = out.err;
    if (err == 0)
        err = onward_core__arena_dup(&d->arena, onward_core__buf_str(&out),
                                     &d->text);
    onward_core__buf_clear(&out);
    return err;
}

/* ---- Steps ------------------------------------------------------------- */

static int ask(struct onward_dnslist *d, struct list *list,
               struct onward_dns__query *query, uint16_t type)
{
    char name[QUERY_MAX];
    int len = onward_dnslist_name(&d->ip, list->zone, name, sizeof(name));

    if (len < 0)
        return len;
    return onward_dns__ask(d->resolver, query,
                           onward_core__str(name, (size_t)len), type, &d->task);
}

/* A list that cannot be asked is as one that does not answer. */
static int start(struct onward_dnslist *d)
{
    int err = 0;

    d->stage = STAGE_ADDRESSES;
    for (struct list *l = d->first; l != NULL && err == 0; l = l->next)
        err = ask(d, l, &l->address, ONWARD_DNS_A);
    return err;
}

static bool is_open(const struct onward_dnslist *d,
                    const struct onward_dns__query *query)
{
    return !d->is_late && query->entry != NULL && query->answer == NULL;
}

static void judge_list(const struct onward_dnslist *d, struct list *list)
{
    const struct onward_dns__answer *answer = list->address.answer;

    if (answer == NULL || answer->status != ONWARD_DNS__OK) {
        if (answer == NULL || answer->status == ONWARD_DNS__TEMP ||
            answer->status == ONWARD_DNS__BOGUS)
            onward_core__log(d->ctx, ONWARD_LOG_INFO, "dnslist", "no-answer",
                             d->log_id, list->zone);
        return;
    }
    for (size_t i = 0; i < answer->count && !list->has_it; i++) {
        struct onward_str address = answer->records[i].data;

        if (!onward_dnslist__counts(list->kind, list->code, address))
            continue;
        list->has_it = true;
        memcpy(list->found, address.data, sizeof(list->found));
    }
}

static int judge_addresses(struct onward_dnslist *d)
{
    int err = 0;

    for (const struct list *l = d->first; l != NULL; l = l->next) {
        if (is_open(d, &l->address))
            return 0;
    }
    d->verdict = ONWARD_DNSLIST_NONE;
    for (struct list *l = d->first; l != NULL; l = l->next) {
        judge_list(d, l);
        if (l->has_it && l->kind == ONWARD_DNSLIST_ALLOW)
            d->verdict = ONWARD_DNSLIST_ALLOWED;
        else if (l->has_it && d->verdict == ONWARD_DNSLIST_NONE)
            d->verdict = ONWARD_DNSLIST_BLOCKED;
    }
    if (d->verdict != ONWARD_DNSLIST_BLOCKED) {
        d->stage = STAGE_DONE;
        return 0;
    }
    d->stage = STAGE_TEXTS;
    for (struct list *l = d->first; l != NULL && !d->is_late && err == 0;
         l = l->next) {
        if (l->has_it)
            err = ask(d, l, &l->text, ONWARD_DNS_TXT);
    }
    return err;
}

static int judge_texts(struct onward_dnslist *d)
{
    int err = 0;

    for (const struct list *l = d->first; l != NULL; l = l->next) {
        if (is_open(d, &l->text))
            return 0;
    }
    d->stage = STAGE_DONE;
    for (struct list *l = d->first; l != NULL && err == 0; l = l->next) {
        const struct onward_dns__answer *answer = l->text.answer;

        if (answer != NULL && answer->status == ONWARD_DNS__OK)
            err = set_reason(d, l, answer->records[0].data);
    }
    return err == 0 ? write_text(d) : err;
}

static int advance(struct onward_dnslist *d)
{
    int err = 0;

    if (d->stage == STAGE_START)
        err = start(d);
    if (err == 0 && d->stage == STAGE_ADDRESSES)
        err = judge_addresses(d);
    if (err == 0 && d->stage == STAGE_TEXTS)
        err = judge_texts(d);
    return err;
}

static void let_go(struct onward_dnslist *d)
{
    onward_core__task_clear(&d->task);
    onward_core__task_clear(&d->timer);
    for (struct list *l = d->first; l != NULL; l = l->next) {
        onward_dns__query_clear(&l->address);
        onward_dns__query_clear(&l->text);
    }
}

static void destroy(struct onward_dnslist *d)
{
    struct onward_resolver *resolver = d->resolver;

    onward_core__arena_clear(&d->arena);
    onward_core__free(d->ctx, d);
    onward_dns__resolver_release(resolver);
}

static void step(struct onward_dnslist *d)
{
    if (d->stage == STAGE_DONE)
        return;
    /* Without memory nothing is known, and who is not known is not blocked. */
    if (advance(d) < 0) {
        d->stage = STAGE_DONE;
        d->verdict = ONWARD_DNSLIST_NONE;
        for (struct list *l = d->first; l != NULL; l = l->next)
            l->has_it = false;
    }
    if (d->stage != STAGE_DONE)
        return;
    /* Cancelling calls the resolver's host, which may free us. */
    onward_core__guard_enter(&d->guard);
    let_go(d);
    if (!d->guard.is_dead)
        d->host.done(d->host.user, d);
    if (onward_core__guard_leave(&d->guard))
        destroy(d);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    (void)now_ms;
    step(ONWARD_CONTAINER(task, struct onward_dnslist, task));
}

static void time_out(struct onward_core__task *timer, int64_t now_ms)
{
    struct onward_dnslist *d =
        ONWARD_CONTAINER(timer, struct onward_dnslist, timer);

    (void)now_ms;
    d->is_late = true;
    step(d);
}

/* ---- Life -------------------------------------------------------------- */

int onward_dnslist_new(struct onward_resolver *resolver,
                       const struct onward_dnslist_opts *opts,
                       const struct onward_dnslist_host *host,
                       struct onward_dnslist **dnslist)
{
    struct onward_dnslist_opts o;
    struct onward_dnslist_host h;
    struct onward_dnslist *d;
    struct onward_desk *desk;
    int err;

    if (resolver == NULL || opts == NULL || host == NULL || dnslist == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err < 0)
        return err;
    if (h.done == NULL || o.ip == NULL ||
        (o.ip->family != 4 && o.ip->family != 6))
        return ONWARD_EINVAL;
    desk = onward_dns__desk(resolver);
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    d = onward_core__zalloc(onward_core__desk_ctx(desk), sizeof(*d));
    if (d == NULL)
        return ONWARD_ENOMEM;
    d->ctx = onward_core__desk_ctx(desk);
    d->resolver = resolver;
    d->host = h;
    d->ip = *o.ip;
    d->timeout_ms = onward_core__limit(o.timeout_ms, DEFAULT_TIMEOUT_MS);
    d->max_lists = onward_core__limit(o.max_lists, DEFAULT_LISTS);
    d->log_id = o.log_id != 0 ? o.log_id : onward_core__desk_log_id(desk);
    d->last = &d->first;
    onward_dns__resolver_hold(resolver);
    onward_core__arena_init(&d->arena, d->ctx, MEMORY_MAX);
    onward_core__task_init(&d->task, desk, run);
    onward_core__task_init(&d->timer, desk, time_out);
    onward_core__task_ready(&d->task);
    onward_core__task_after(&d->timer, d->timeout_ms);
    *dnslist = d;
    return 0;
}

int onward_dnslist_add(struct onward_dnslist *d, int kind,
                       struct onward_str text)
{
    struct onward_str zone, code;
    struct list *list;
    int err;

    if (d == NULL ||
        (kind != ONWARD_DNSLIST_BLOCK && kind != ONWARD_DNSLIST_ALLOW))
        return ONWARD_EINVAL;
    if (d->stage != STAGE_START)
        return ONWARD_ESTATE;
    if (!onward_dnslist__split(text, &zone, &code))
        return ONWARD_ESYNTAX;
    if (d->count >= d->max_lists)
        return ONWARD_ELIMIT;
    list = onward_core__arena_alloc(&d->arena, sizeof(*list));
    if (list == NULL)
        return ONWARD_ENOMEM;
    list->kind = kind;
    err = onward_core__arena_dup(&d->arena, zone, &list->zone);
    if (err == 0)
        err = onward_core__arena_dup(&d->arena, code, &list->code);
    if (err < 0)
        return err;
    *d->last = list;
    d->last = &list->next;
    d->count++;
    return 0;
}

void onward_dnslist_free(struct onward_dnslist *d)
{
    if (d == NULL || d->guard.is_dead)
        return;
    d->guard.is_dead = true;
    onward_core__guard_enter(&d->guard);
    let_go(d);
    if (onward_core__guard_leave(&d->guard))
        destroy(d);
}

/* ---- What came of it --------------------------------------------------- */

int onward_dnslist_result(const struct onward_dnslist *d)
{
    return d == NULL || d->stage != STAGE_DONE ? ONWARD_DNSLIST_PENDING
                                               : d->verdict;
}

static const struct list *hit(const struct onward_dnslist *d, size_t i)
{
    const struct list *l =
        d == NULL || d->stage != STAGE_DONE ? NULL : d->first;

    for (; l != NULL; l = l->next) {
        if (l->has_it && i-- == 0)
            break;
    }
    return l;
}

size_t onward_dnslist_hit_count(const struct onward_dnslist *d)
{
    size_t count = 0;

    while (hit(d, count) != NULL)
        count++;
    return count;
}

int onward_dnslist_hit_at(const struct onward_dnslist *d, size_t i,
                          struct onward_dnslist_hit *out)
{
    const struct list *list = hit(d, i);
    struct onward_dnslist_hit h = {.size = sizeof(h)};

    if (list == NULL)
        return ONWARD_ENOENT;
    h.kind = (size_t)list->kind;
    h.zone = list->zone;
    h.reason = list->reason;
    memcpy(h.code, list->found, sizeof(list->found));
    return onward_core__out_store(out, &h, sizeof(h));
}

struct onward_str onward_dnslist_text(const struct onward_dnslist *d)
{
    return onward_dnslist_result(d) == ONWARD_DNSLIST_BLOCKED
               ? d->text
               : onward_core__str(NULL, 0);
}

const char *onward_dnslist_verdict_name(int verdict)
{
    switch (verdict) {
    case ONWARD_DNSLIST_PENDING:
        return "pending";
    case ONWARD_DNSLIST_NONE:
        return "none";
    case ONWARD_DNSLIST_BLOCKED:
        return "blocked";
    case ONWARD_DNSLIST_ALLOWED:
        return "allowed";
    }
    return "unknown";
}
