#include "core/core_shared.h"

/* Runs of 2^i items wait in runs[i] for another of their length. */
enum { RUNS = sizeof(size_t) * 8 };

static void *next_of(const void *item, size_t next_at)
{
    void *next;

    memcpy(&next, (const char *)item + next_at, sizeof(next));
    return next;
}

static void set_next(void *item, size_t next_at, void *next)
{
    memcpy((char *)item + next_at, &next, sizeof(next));
}

/* Two sorted lists; of equal items those of a stand first. */
static void *merge(void *a, void *b, size_t next_at,
                   bool (*is_after)(const void *a, const void *b))
{
    void *first = NULL, *last = NULL;

    while (a != NULL && b != NULL) {
        void **less = is_after(a, b) ? &b : &a;
        void *item = *less;

        *less = next_of(item, next_at);
        if (last == NULL)
            first = item;
        else
            set_next(last, next_at, item);
        last = item;
    }
    if (last == NULL)
        return a != NULL ? a : b;
    set_next(last, next_at, a != NULL ? a : b);
    return first;
}

void *onward_core__list_sort(void *list, size_t next_at,
                             bool (*is_after)(const void *a, const void *b))
{
    void *runs[RUNS] = {0};
    void *sorted = NULL;

    while (list != NULL) {
        void *run = list;
        size_t i = 0;

        list = next_of(run, next_at);
        set_next(run, next_at, NULL);
        for (; runs[i] != NULL; i++) {
            run = merge(runs[i], run, next_at, is_after);
            runs[i] = NULL;
        }
        runs[i] = run;
    }
    for (size_t i = 0; i < RUNS; i++)
        sorted = merge(runs[i], sorted, next_at, is_after);
    return sorted;
}
