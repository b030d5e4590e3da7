#define _GNU_SOURCE
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

struct reader {
    const char *path;
    struct config_key *keys;
    char *fault;
    size_t fault_size;
    size_t line;
    bool passes_others;
};

/* "FILE:LINE: what, expected what" */
static int wrong(struct reader *r, const char *what, const char *found,
                 const char *expected)
{
    snprintf(r->fault, r->fault_size, "%s:%zu: %s \"%s\", expected %s", r->path,
             r->line, what, found, expected);
    return -1;
}

static char *trim(char *s)
{
    size_t len;

    while (*s == ' ' || *s == '\t')
        s++;
    len = strlen(s);
    while (len > 0 &&
           (s[len - 1] == ' ' || s[len - 1] == '\t' || s[len - 1] == '\r'))
        s[--len] = '\0';
    return s;
}

static struct config_key *find(struct config_key *keys, const char *name)
{
    for (; keys->name != NULL; keys++) {
        if (strcmp(keys->name, name) == 0)
            return keys;
    }
    return NULL;
}

static char *resolve(const struct reader *r, const char *value)
{
    const char *slash = strrchr(r->path, '/');
    char *path = NULL;

    if (value[0] == '/' || slash == NULL)
        return strdup(value);
    if (asprintf(&path, "%.*s/%s", (int)(slash - r->path), r->path, value) < 0)
        return NULL;
    return path;
}

static int set_number(struct reader *r, const struct config_key *key,
                      const char *value)
{
    char expected[80];
    size_t number = 0;

    snprintf(expected, sizeof(expected), "a number from %zu to %zu", key->min,
             key->max);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || c - value > 15)
            return wrong(r, key->name, value, expected);
        number = number * 10 + (size_t)(*c - '0');
    }
    if (number < key->min || number > key->max)
        return wrong(r, key->name, value, expected);
    *(size_t *)key->value = number;
    return 0;
}

static int set_choice(struct reader *r, const struct config_key *key,
                      const char *value)
{
    char expected[200] = "one of";

    for (size_t i = 0; key->choices[i] != NULL; i++) {
        size_t len = strlen(expected);

        if (strcmp(key->choices[i], value) == 0) {
            *(size_t *)key->value = i;
            return 0;
        }
        snprintf(expected + len, sizeof(expected) - len, "%s %s",
                 i == 0 ? "" : ",", key->choices[i]);
    }
    return wrong(r, key->name, value, expected);
}

static int out_of_memory(struct reader *r)
{
    snprintf(r->fault, r->fault_size, "%s:%zu: out of memory", r->path,
             r->line);
    return -1;
}

/* An item as it is kept: its path, if it has one, as resolve() has it. */
static char *make_item(const struct reader *r, const struct config_key *key,
                       const char *value)
{
    const char *path = value;
    size_t room;
    char *resolved, *item;

    for (size_t i = 0; i < key->words; i++) {
        path += strcspn(path, " \t");
        path += strspn(path, " \t");
    }
    if (key->words == 0)
        return strdup(value);
    resolved = resolve(r, path);
    if (resolved == NULL)
        return NULL;
    room = (size_t)(path - value) + strlen(resolved) + 1;
    item = malloc(room);
    if (item != NULL)
        snprintf(item, room, "%.*s%s", (int)(path - value), value, resolved);
    free(resolved);
    return item;
}

static int set_list(struct reader *r, const struct config_key *key,
                    const char *value)
{
    struct config_list *list = key->value;
    char **items =
        realloc(list->items, (list->count + 1) * sizeof(*list->items));

    if (items == NULL)
        return out_of_memory(r);
    list->items = items;
    items[list->count] = make_item(r, key, value);
    if (items[list->count] == NULL)
        return out_of_memory(r);
    list->count++;
    return 0;
}

static int set(struct reader *r, struct config_key *key, const char *value)
{
    if (key->line != 0 && key->type != CONFIG_LIST)
        return wrong(r, "a second", key->name, "each key once");
    key->line = r->line;
    if (value[0] == '\0')
        return wrong(r, key->name, value, "a value");
    if (key->judge != NULL && key->judge(value) != NULL)
        return wrong(r, key->name, value, key->judge(value));
    switch (key->type) {
    case CONFIG_TEXT:
        *(char **)key->value = strdup(value);
        return *(char **)key->value == NULL ? out_of_memory(r) : 0;
    case CONFIG_FILE:
        *(char **)key->value = resolve(r, value);
        return *(char **)key->value == NULL ? out_of_memory(r) : 0;
    case CONFIG_LIST:
        return set_list(r, key, value);
    case CONFIG_NUMBER:
        return set_number(r, key, value);
    case CONFIG_CHOICE:
        return set_choice(r, key, value);
    case CONFIG_YES_NO:
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
            return wrong(r, key->name, value, "yes or no");
        *(bool *)key->value = value[0] == 'y';
        return 0;
    }
    return -1;
}

static int read_line(struct reader *r, char *text)
{
    struct config_key *key;
    char *equals;
    char *name;

    text = trim(text);
    if (text[0] == '\0' || text[0] == '#')
        return 0;
    equals = strchr(text, '=');
    if (equals == NULL)
        return wrong(r, "line", text, "key = value");
    *equals = '\0';
    name = trim(text);
    key = find(r->keys, name);
    if (key == NULL && r->passes_others)
        return 0;
    if (key == NULL)
        return wrong(r, "unknown key", name, "a key of the manual page");
    return set(r, key, trim(equals + 1));
}

static size_t line_of(const char *text, const char *at)
{
    size_t line = 1;

    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

static int read_file(const char *path, struct config_key *keys,
                     bool passes_others, char *fault, size_t fault_size)
{
    struct reader r = {.path = path,
                       .keys = keys,
                       .fault = fault,
                       .fault_size = fault_size,
                       .passes_others = passes_others};
    size_t len;
    char *text = host_read_file(path, &len);
    const char *nul;
    int ret = 0;

    if (text == NULL) {
        snprintf(fault, fault_size, "%s: %s, expected a readable file", path,
                 strerror(errno));
        return -1;
    }
    nul = memchr(text, '\0', len);
    if (nul != NULL) {
        snprintf(fault, fault_size, "%s:%zu: a NUL octet, expected text", path,
                 line_of(text, nul));
        free(text);
        return -1;
    }
    for (char *line = text; line != NULL && ret == 0;) {
        char *end = strchr(line, '\n');

        r.line++;
        if (end != NULL)
            *end++ = '\0';
        ret = read_line(&r, line);
        line = end;
    }
    free(text);
    for (; keys->name != NULL && ret == 0; keys++) {
        if (keys->is_required && keys->line == 0) {
            snprintf(fault, fault_size,
                     "%s:%zu: end of file, expected the key \"%s\"", path,
                     r.line, keys->name);
            ret = -1;
        }
    }
    return ret;
}

int config_read(const char *path, struct config_key *keys, char *fault,
                size_t fault_size)
{
    return read_file(path, keys, false, fault, fault_size);
}

int config_read_some(const char *path, struct config_key *keys, char *fault,
                     size_t fault_size)
{
    return read_file(path, keys, true, fault, fault_size);
}

int config_wrong(struct config_fault *fault, int status, const char *format,
                 ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fault->text, fault->size, format, args);
    va_end(args);
    fault->status = status;
    return -1;
}

size_t config_line(const struct config_key *keys, const char *name)
{
    for (; keys->name != NULL; keys++) {
        if (strcmp(keys->name, name) == 0)
            return keys->line;
    }
    return 0;
}

void config_clear(struct config_key *keys)
{
    for (; keys->name != NULL; keys++) {
        struct config_list *list = keys->value;

        if (keys->line == 0)
            continue;
        if (keys->type == CONFIG_TEXT || keys->type == CONFIG_FILE) {
            free(*(char **)keys->value);
            *(char **)keys->value = NULL;
        }
        for (size_t i = 0; keys->type == CONFIG_LIST && i < list->count; i++)
            free(list->items[i]);
        if (keys->type == CONFIG_LIST) {
            free(list->items);
            *list = (struct config_list){0};
        }
        keys->line = 0;
    }
}
