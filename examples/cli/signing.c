#include "signing.h"

#include "load.h"

static int read_key(const struct command *command, struct signing *s)
{
    struct load_fault fault;
    struct onward_key *key = load_key(s->world.ctx, s->key_file, &fault);
    int err;

    if (key == NULL)
        return cli_broken(command, "%s", fault.text);
    err = onward_signer_new(s->world.desk, key, NULL, &s->key);
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
    if (s->needs_resolver)
        status = world_new(command, &s->choice, &s->world);
    else
        status = world_new_desk(command, &s->choice, &s->world);
    if (status < 0)
        status = read_key(command, s);
    if (status < 0 &&
        message_read(command, path, s->is_raw, &s->message, &fault) != 0)
        status = cli_broken(command, "%s: %s, expected a readable message",
                            path, fault);
    return status;
}

void signing_end(struct signing *s)
{
    message_clear(&s->message);
    onward_signer_free(s->key);
    world_clear(&s->world);
}
