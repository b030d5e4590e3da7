/*
 * What handlers may write. A binding narrows to whom and as whom; limits count
 * what one handler writes, and what goes to one address, in buckets of this
 * process: they are there against code that has run wild, and a restart is what
 * ends that.
 */
#define _GNU_SOURCE
#include "sending.h"

#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "binding.h"
#include "host.h"

struct sending {
    struct sending *next;
    char *name;
    struct onward_binding *binding;
};

/* ---- Bindings ---------------------------------------------------------- */

static const char *line_of(const char *value)
{
    value += strcspn(value, " \t");
    return value + strspn(value, " \t");
}

const char *sending_judge(const char *value)
{
    return binding_is_line(line_of(value))
               ? NULL
               : "NAME to ADDRESS, NAME only ADDRESS or NAME from ADDRESS";
}

static struct sending *find(struct sending *list, struct onward_str name)
{
    while (list != NULL && !onward_str_equal(onward_str_of(list->name), name))
        list = list->next;
    return list;
}

static struct sending *add(struct setup *setup, struct onward_str name)
{
    struct sending *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->name = strndup(name.data, name.len);
    s->next = setup->sendings;
    setup->sendings = s;
    return s->name == NULL ? NULL : s;
}

static bool is_handler(const struct settings *set, struct onward_str name)
{
    for (size_t i = 0; i < set->handlers.count; i++) {
        const char *item = set->handlers.items[i];

        if (onward_str_equal((struct onward_str){item, strcspn(item, " \t")},
                             name))
            return true;
    }
    return false;
}

int sending_open(struct forwarder *fwd, struct setup *setup, const char **item,
                 const char **expected)
{
    const struct config_list *list = &setup->settings.handler_sends;

    for (size_t i = 0; i < list->count; i++) {
        struct onward_str name = {list->items[i],
                                  strcspn(list->items[i], " \t")};
        struct sending *s = find(setup->sendings, name);

        *item = list->items[i];
        *expected = "a handler of that name";
        if (!is_handler(&setup->settings, name))
            return -1;
        *expected = "memory for it";
        if (s == NULL)
            s = add(setup, name);
        if (s == NULL)
            return -1;
        *expected = binding_add(fwd->ctx, line_of(list->items[i]), &s->binding);
        if (*expected != NULL)
            return -1;
    }
    return 0;
}

void sending_close(struct sending *s)
{
    while (s != NULL) {
        struct sending *next = s->next;

        onward_binding_free(s->binding);
        free(s->name);
        free(s);
        s = next;
    }
}

const struct onward_binding *sending_binding(const struct setup *setup,
                                             struct onward_str handler)
{
    const struct sending *s = find(setup->sendings, handler);

    return s == NULL ? NULL : s->binding;
}

/* ---- Limits ------------------------------------------------------------ */

enum { BUCKETS = 4096, PROBES = 8 };

struct bucket {
    uint64_t key; /* 0: none */
    double tokens;
    int64_t filled_ms;
};

struct sending_counts {
    struct bucket buckets[BUCKETS];
};

/* FNV-1a, case folded; another's bucket is met by one in 2^64. */
static uint64_t key_of(char kind, struct onward_str text)
{
    uint64_t hash = 0xcbf29ce484222325u ^ (unsigned char)kind;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c >= 'A' && c <= 'Z')
            c = (unsigned char)(c + 32);
        hash = (hash ^ c) * 0x100000001b3u;
    }
    return hash == 0 ? 1 : hash;
}

/* Its bucket; when there is no room that of who has used the least. */
static struct bucket *find_bucket(struct sending_counts *counts, uint64_t key,
                                  double full)
{
    struct bucket *best = NULL;

    for (size_t i = 0; i < PROBES; i++) {
        struct bucket *b = &counts->buckets[(key + i) % BUCKETS];

        if (b->key == key)
            return b;
        if (best == NULL ||
            (best->key != 0 && (b->key == 0 || b->tokens > best->tokens)))
            best = b;
    }
    *best =
        (struct bucket){.key = key, .tokens = full, .filled_ms = host_now_ms()};
    return best;
}

/* 0 there is one; else what may_send says. *bucket: to take it from. */
static int look(struct sending_counts *counts, const char *limit, char kind,
                struct onward_str whose, struct bucket **bucket)
{
    size_t count, period_s;
    int64_t now_ms = host_now_ms();
    struct bucket *b;

    *bucket = NULL;
    if (limit == NULL || !admit_read_limit(limit, &count, &period_s))
        return 0;
    b = find_bucket(counts, key_of(kind, whose), (double)count);
    b->tokens += (double)(now_ms - b->filled_ms) * (double)count /
                 ((double)period_s * 1000);
    if (b->tokens > (double)count)
        b->tokens = (double)count;
    b->filled_ms = now_ms;
    *bucket = b;
    if (b->tokens >= 1)
        return 0;
    return period_s >= 86400 ? 2 : 1;
}

int sending_may(struct forwarder *fwd, const struct setup *setup,
                const struct onward_event *event, struct onward_str to)
{
    struct bucket *one, *other;
    int ret;

    if (fwd->sending_counts == NULL)
        fwd->sending_counts = calloc(1, sizeof(*fwd->sending_counts));
    if (fwd->sending_counts == NULL)
        return -1;
    ret = look(fwd->sending_counts, setup->settings.limit_handler, 'h',
               onward_event_handler(event), &one);
    if (ret == 0)
        ret = look(fwd->sending_counts, setup->settings.limit_handler_recipient,
                   'r', to, &other);
    if (ret != 0)
        return ret;
    if (one != NULL)
        one->tokens -= 1;
    if (other != NULL)
        other->tokens -= 1;
    return 0;
}

void sending_counts_free(struct sending_counts *counts)
{
    free(counts);
}
