#include "signing.h"

#include "load.h"

size_t signing_count(const struct signing *s)
{
    size_t count = s->key_files.count;

    if (s->domains.count > count)
        count = s->domains.count;
    return s->selectors.count > count ? s->selectors.count : count;
}

static size_t at(const struct option_list *list, size_t i)
{
    return list->count == 1 ? 0 : i;
}

struct onward_signer *signing_key(const struct signing *s, size_t i)
{
    return s->keys[at(&s->key_files, i)];
}

const char *signing_key_file(const struct signing *s, size_t i)
{
    return s->key_files.items[at(&s->key_files, i)];
}

const char *signing_domain(const struct signing *s, size_t i)
{
    return s->domains.items[at(&s->domains, i)];
}

const char *signing_selector(const struct signing *s, size_t i)
{
    return s->selectors.items[at(&s->selectors, i)];
}

static int check_counts(const struct command *command, const struct signing *s)
{
    const struct row {
        const char *name;
        size_t count;
    } rows[] = {{"key", s->key_files.count},
                {"domain", s->domains.count},
                {"selector", s->selectors.count}};
    size_t count = signing_count(s);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].count > SIGNING_MAX)
            return cli_usage(command, "--%s %zu times, expected it %d times",
                             rows[i].name, rows[i].count, SIGNING_MAX);
        if (rows[i].count != 1 && rows[i].count != count)
            return cli_usage(command,
                             "--%s %zu times, expected it once or %zu times",
                             rows[i].name, rows[i].count, count);
    }
    return -1;
}

static int read_key(const struct command *command, struct signing *s, size_t i)
{
    struct load_fault fault;
    struct onward_key *key =
        load_key(s->world.ctx, s->key_files.items[i], &fault);
    int err;

    if (key == NULL)
        return cli_broken(command, "%s", fault.text);
    err = onward_signer_new(s->world.desk, key, NULL, &s->keys[i]);
    onward_key_free(key);
    return err != 0 ? cli_broken(command, "%s", onward_strerror(err)) : -1;
}

int signing_begin(const struct command *command, struct signing *s,
                  const struct args *args)
{
    const char *path = args->count == 0 ? "-" : args->items[0];
    const char *fault = NULL;
    int status;

    if (args->count > 1)
        return cli_usage(command, "\"%s\", expected one message",
                         args->items[1]);
    status = check_counts(command, s);
    if (status >= 0)
        return status;
    if (s->needs_resolver)
        status = world_new(command, &s->choice, &s->world);
    else
        status = world_new_desk(command, &s->choice, &s->world);
    for (size_t i = 0; i < s->key_files.count && status < 0; i++)
        status = read_key(command, s, i);
    if (status < 0 &&
        message_read(command, path, s->is_raw, &s->message, &fault) != 0)
        status = cli_broken(command, "%s: %s, expected a readable message",
                            path, fault);
    return status;
}

void signing_end(struct signing *s)
{
    message_clear(&s->message);
    for (size_t i = 0; i < SIGNING_MAX; i++)
        onward_signer_free(s->keys[i]);
    world_clear(&s->world);
}
