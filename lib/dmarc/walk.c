/*
 * The DNS tree walk (RFC 9989 4.10) and what follows from it: the
 * organizational domain (4.10.2) and the records of policy discovery (4.10.1).
 */
#include "dmarc/dmarc_priv.h"

/* The walk's names: the start; its parent, or seven labels of a long name; then
 * one label less at a time, down to the last. */
static void list_names(struct onward_dmarc__walk *walk)
{
    struct onward_str name = walk->domain;
    size_t labels = onward_core__domain_label_count(name);

    walk->count = 0;
    if (walk->is_legacy) {
        struct onward_str org = onward_dmarc__suffix_org(name);

        walk->stops[walk->count++].domain = name;
        if (org.len != name.len)
            walk->stops[walk->count++].domain = org;
        return;
    }
    while (name.len != 0 && walk->count < ONWARD_DMARC__WALK_MAX) {
        walk->stops[walk->count++].domain = name;
        if (walk->count == 1 && labels >= ONWARD_DMARC__WALK_MAX)
            name = onward_core__domain_last_labels(name,
                                                   ONWARD_DMARC__WALK_MAX - 1);
        else
            name = onward_core__domain_parent(name);
    }
}

int onward_dmarc__walk_start(struct onward_dmarc__walk *walk,
                             struct onward_resolver *resolver,
                             struct onward_core__task *task)
{
    static const char prefix[] = "_dmarc.";
    char name[sizeof(prefix) + ONWARD_DOMAIN_MAX];

    list_names(walk);
    memcpy(name, prefix, sizeof(prefix) - 1);
    for (size_t i = 0; i < walk->count; i++) {
        struct onward_dmarc__stop *stop = &walk->stops[i];
        int err;

        memcpy(name + sizeof(prefix) - 1, stop->domain.data, stop->domain.len);
        err = onward_dns__ask(
            resolver, &stop->query,
            onward_core__str(name, sizeof(prefix) - 1 + stop->domain.len),
            ONWARD_DNS_TXT, task);
        if (err != 0)
            return err;
    }
    return 0;
}

void onward_dmarc__walk_clear(struct onward_dmarc__walk *walk)
{
    for (size_t i = 0; i < walk->count; i++)
        onward_dns__query_clear(&walk->stops[i].query);
}

/* The one valid record of an answer; two are as good as none (4.10). */
static bool only_record(const struct onward_dns__answer *answer,
                        struct onward_str *text,
                        struct onward_dmarc_record *record)
{
    struct onward_dmarc_record r = {.size = sizeof(r)};
    size_t found = 0;

    for (size_t i = 0; i < answer->count; i++) {
        if (onward_dmarc_record_parse(answer->records[i].data, &r) == 0) {
            *text = answer->records[i].data;
            *record = r;
            found++;
        }
    }
    return found == 1;
}

/* The name one label below `parent` on the way to `start`. */
static struct onward_str one_below(struct onward_str start,
                                   struct onward_str parent)
{
    return onward_core__domain_last_labels(
        start, onward_core__domain_label_count(parent) + 1);
}

/* The record that the walk has at a name. */
static struct onward_str record_at(const struct onward_dmarc__walk *walk,
                                   struct onward_str domain)
{
    for (size_t i = 0; i < walk->count; i++) {
        struct onward_dmarc_record r = {.size = sizeof(r)};
        struct onward_str text = {0};
        const struct onward_dns__answer *answer = walk->stops[i].query.answer;

        if (answer != NULL &&
            onward_core__str_ieq(walk->stops[i].domain, domain) &&
            only_record(answer, &text, &r))
            return text;
    }
    return onward_core__str("", 0);
}

enum onward_dmarc__walk_state
onward_dmarc__walk_look(const struct onward_dmarc__walk *walk,
                        struct onward_dmarc__found *found)
{
    struct onward_str shortest = {0};
    struct onward_str org = {0};

    *found = (struct onward_dmarc__found){.org_domain = walk->domain};
    for (size_t i = 0; i < walk->count && org.len == 0; i++) {
        const struct onward_dmarc__stop *stop = &walk->stops[i];
        const struct onward_dns__answer *answer = stop->query.answer;
        struct onward_dmarc_record r = {.size = sizeof(r)};
        struct onward_str text = {0};

        if (answer == NULL)
            return WALK_PENDING;
        if (answer->status == ONWARD_DNS__TEMP ||
            answer->status == ONWARD_DNS__BOGUS)
            return WALK_FAILED;
        if (!only_record(answer, &text, &r))
            continue;
        if (i == 0)
            found->own = text;
        shortest = stop->domain;
        if (walk->is_legacy)
            continue;
        if (r.psd == 'n') {
            org = stop->domain;
        } else if (r.psd == 'y' && i == 0) {
            org = stop->domain; /* the walk stops at its own start */
        } else if (r.psd == 'y') {
            org = one_below(walk->domain, stop->domain);
            found->psd = text;
            found->psd_domain = stop->domain;
        }
    }
    if (walk->is_legacy)
        org = onward_dmarc__suffix_org(walk->domain);
    if (org.len == 0)
        org = shortest;
    if (org.len == 0)
        return WALK_DONE;
    found->org_domain = org;
    found->org = record_at(walk, org);
    return WALK_DONE;
}
