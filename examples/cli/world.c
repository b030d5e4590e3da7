#include "world.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "dns_unbound.h"
#include "host.h"
#include "load.h"

int world_new_ctx(const struct command *command,
                  const struct world_choice *choice, struct world *world)
{
    *world = (struct world){.time_s = choice->time.s};
    world->ctx = choice->time.is_given ? host_ctx_new_at(NULL, &world->time_s)
                                       : host_ctx_new(NULL);
    if (world->ctx == NULL)
        return cli_broken(command, "no memory, or no random numbers");
    return -1;
}

int world_new_desk(const struct command *command,
                   const struct world_choice *choice, struct world *world)
{
    int status = world_new_ctx(command, choice, world);

    if (status < 0 && onward_desk_new(world->ctx, NULL, &world->desk) != 0)
        status = cli_broken(command, "%s", onward_strerror(ONWARD_ENOMEM));
    return status;
}

static int add_resolver(const struct command *command,
                        const struct world_choice *choice, struct world *world)
{
    struct onward_resolver_opts opts = {.size = sizeof(opts)};
    const struct onward_resolver_host *host = NULL;
    struct load_fault fault;

    if (choice->dns != NULL) {
        opts.allow_only_loaded = 1;
    } else {
        if (choice->anchor != NULL && access(choice->anchor, R_OK) != 0)
            return cli_usage(command,
                             "--anchor \"%s\", expected a readable file",
                             choice->anchor);
        world->unbound = unbound_dns_new(world->desk, choice->resolver,
                                         choice->anchor);
        if (world->unbound == NULL && choice->resolver != NULL)
            return cli_usage(command,
                             "--resolver \"%s\", expected the address of a "
                             "resolver",
                             choice->resolver);
        if (world->unbound == NULL)
            return cli_broken(command, "libunbound could not be started");
        host = unbound_dns_host(world->unbound);
    }
    if (onward_resolver_new(world->desk, &opts, host, &world->resolver) != 0)
        return cli_broken(command, "%s", onward_strerror(ONWARD_ENOMEM));
    if (choice->dns != NULL &&
        load_records(world->resolver, choice->dns, &fault) != 0)
        return cli_broken(command, "%s", fault.text);
    return -1;
}

int world_new(const struct command *command, const struct world_choice *choice,
              struct world *world)
{
    int status;

    *world = (struct world){0};
    if (choice->dns != NULL && choice->resolver != NULL)
        return cli_usage(command,
                         "--dns and --resolver, expected one of the two");
    if (choice->dns != NULL && choice->anchor != NULL)
        return cli_usage(command,
                         "--dns and --anchor, expected one of the two");
    status = world_new_desk(command, choice, world);
    return status < 0 ? add_resolver(command, choice, world) : status;
}

/* False: nothing will ever come. */
static bool wait(struct world *world)
{
    int64_t deadline = onward_desk_deadline(world->desk);
    int64_t left = deadline - host_now_ms();
    int timeout = left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
    struct pollfd fd = {.fd = -1, .events = POLLIN};

    if (deadline == ONWARD_NEVER && world->unbound == NULL)
        return false;
    if (world->unbound != NULL)
        fd.fd = unbound_dns_fd(world->unbound);
    if (poll(&fd, 1, deadline == ONWARD_NEVER ? -1 : timeout) > 0)
        unbound_dns_ready(world->unbound);
    return true;
}

void world_run(struct world *world, const bool *is_done)
{
    for (;;) {
        int more = onward_desk_run(world->desk, host_now_ms());

        if (*is_done || more < 0 || (more == 0 && !wait(world)))
            return;
    }
}

void world_clear(struct world *world)
{
    /* The resolver gives up its questions, so unbound goes behind it. */
    onward_resolver_free(world->resolver);
    unbound_dns_free(world->unbound);
    onward_desk_free(world->desk);
    onward_ctx_free(world->ctx);
    *world = (struct world){0};
}
