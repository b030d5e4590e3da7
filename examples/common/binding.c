#include "binding.h"

#include <string.h>

static const struct {
    const char *word;
    int (*add)(struct onward_binding *binding, struct onward_str address);
} words[] = {{"to", onward_binding_allow_destination},
             {"only", onward_binding_set_destination},
             {"from", onward_binding_allow_sender}};

enum { WORDS = sizeof(words) / sizeof(words[0]) };

/* Which word it is, and its address; WORDS: none. */
static size_t find(const char *line, struct onward_str *address)
{
    size_t len = strcspn(line, " \t");
    size_t i = 0;

    *address = onward_str_of(line + len + strspn(line + len, " \t"));
    while (i < WORDS && (strlen(words[i].word) != len ||
                         memcmp(words[i].word, line, len) != 0))
        i++;
    return address->len > 0 ? i : WORDS;
}

bool binding_is_line(const char *line)
{
    struct onward_str address;

    return find(line, &address) < WORDS &&
           memchr(address.data, '@', address.len) != NULL;
}

const char *binding_add(struct onward_ctx *ctx, const char *line,
                        struct onward_binding **binding)
{
    struct onward_str address;
    size_t i = find(line, &address);
    int err = 0;

    if (i == WORDS)
        return "to, only or from, and an address";
    if (*binding == NULL)
        err = onward_binding_new(ctx, binding);
    if (err == 0)
        err = words[i].add(*binding, address);
    switch (err) {
    case 0:
        return NULL;
    case ONWARD_ESYNTAX:
        return "an address, LOCAL@DOMAIN";
    case ONWARD_ESTATE:
        return "only once, and not beside to";
    default:
        return "memory for it";
    }
}
