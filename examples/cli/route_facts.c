#include "route_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Nothing was said: 0 for "not there", or "not known yet". */
static int absent(const struct route_facts *f)
{
    return f->is_whole ? 0 : ONWARD_AGAIN;
}

/* ---- Texts ------------------------------------------------------------- */

static int nth(const struct route_facts *f, const struct option_list *list,
               size_t index, struct onward_str *out)
{
    if (list->count == 0)
        return absent(f);
    if (index >= list->count)
        return 0;
    *out = onward_str_of(list->items[index]);
    return 1;
}

/* Value number index of "NAME<mark>VALUE" in the list. */
static int nth_named(const struct route_facts *f,
                     const struct option_list *list, char mark,
                     const char *name, size_t name_len, size_t index,
                     struct onward_str *out)
{
    if (list->count == 0)
        return absent(f);
    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];

        if (strncasecmp(item, name, name_len) != 0 || item[name_len] != mark ||
            index-- > 0)
            continue;
        item += name_len + 1;
        *out = onward_str_of(item + strspn(item, " "));
        return 1;
    }
    return 0;
}

static int text(void *user, size_t fact, const char *name, size_t name_len,
                size_t index, struct onward_str *out)
{
    const struct route_facts *f = user;

    switch ((enum onward_ruleset_fact)fact) {
    case ONWARD_RULESET_FACT_SENDER:
        if (f->from == NULL)
            return absent(f);
        *out = onward_str_of(f->from);
        return index == 0;
    case ONWARD_RULESET_FACT_HEADER:
        return nth_named(f, &f->headers, ':', name, name_len, index, out);
    case ONWARD_RULESET_FACT_VERDICT:
        return nth_named(f, &f->auth, '=', name, name_len, index, out);
    case ONWARD_RULESET_FACT_ATTACHMENT_NAME:
        return nth(f, &f->names, index, out);
    case ONWARD_RULESET_FACT_ATTACHMENT_TYPE:
        return nth(f, &f->types, index, out);
    case ONWARD_RULESET_FACT_SIZE:
    case ONWARD_RULESET_FACT_SCORE:
    case ONWARD_RULESET_FACT_TLS:
        break;
    }
    return 0;
}

/* ---- Numbers ----------------------------------------------------------- */

static bool read_number(const char *s, double factor, int64_t *out)
{
    char *end;
    double value;

    errno = 0;
    value = strtod(s, &end);
    if (errno != 0 || end == s || *end != '\0' || value < -1e12 || value > 1e12)
        return false;
    *out = (int64_t)(value * factor);
    return true;
}

static int number(void *user, size_t fact, int64_t *out)
{
    const struct route_facts *f = user;

    if (fact == ONWARD_RULESET_FACT_SIZE && f->size != NULL)
        return read_number(f->size, 1, out);
    if (fact == ONWARD_RULESET_FACT_SCORE && f->score != NULL)
        return read_number(f->score, 1000, out);
    if (fact == ONWARD_RULESET_FACT_TLS && f->tls.picked != 0) {
        *out = f->tls.picked == 1;
        return 1;
    }
    return absent(f);
}

static int client(void *user, struct onward_ip *out)
{
    const struct route_facts *f = user;

    if (f->ip.family == 0)
        return absent(f);
    *out = f->ip;
    return 1;
}

const char *route_facts_check(const struct route_facts *f)
{
    int64_t value;

    if (f->size != NULL && !read_number(f->size, 1, &value))
        return "--size is no number";
    if (f->score != NULL && !read_number(f->score, 1000, &value))
        return "--score is no number";
    return NULL;
}

struct onward_ruleset_facts route_facts_table(struct route_facts *f)
{
    return (struct onward_ruleset_facts){.size = sizeof(
                                             struct onward_ruleset_facts),
                                         .user = f,
                                         .text = text,
                                         .number = number,
                                         .client = client};
}
