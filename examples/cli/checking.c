#define _GNU_SOURCE
#include "checking.h"

#include <unistd.h>

static void done(void *user, struct onward_verifier *verifier)
{
    bool *is_done = user;

    (void)verifier;
    *is_done = true;
}

/* A verifier, and *sealer: which of the trusted sealers is no domain, or NULL.
 */
static int begin(struct world *world, const struct checking *checking,
                 bool *is_done, const char **sealer,
                 struct onward_verifier **verifier)
{
    char host_name[256] = "localhost";
    const struct onward_verifier_host host = {
        .size = sizeof(host), .user = is_done, .done = done};
    struct onward_verifier_opts opts = {
        .size = sizeof(opts),
        .client_ip = checking->ip.family != 0 ? &checking->ip : NULL,
        .helo = onward_str_of(checking->helo),
        .mail_from = onward_str_of(checking->mail_from),
        .authserv_id = onward_str_of(checking->authserv_id),
        /* What the owner asks for; whether to follow is not our question. */
        .dmarc_reject_policy = ONWARD_DMARC_REJECT_SERVICE};
    struct onward_verifier *v = NULL;
    int err;

    *sealer = NULL;
    if (checking->authserv_id == NULL) {
        gethostname(host_name, sizeof(host_name) - 1);
        opts.authserv_id = onward_str_of(host_name);
    }
    opts.receiver = opts.authserv_id;
    err = onward_verifier_new(world->resolver, &opts, &host, &v);
    for (size_t i = 0; i < checking->trusted_sealers.count && err == 0; i++) {
        const char *domain = checking->trusted_sealers.items[i];

        err = onward_verifier_trust_sealer(v, onward_str_of(domain));
        if (err == ONWARD_ESYNTAX)
            *sealer = domain;
    }
    if (err == 0)
        *verifier = v;
    else
        onward_verifier_free(v);
    return err;
}

int checking_test(const struct command *command, struct world *world,
                  const struct checking *checking)
{
    struct onward_verifier *v = NULL;
    const char *sealer;
    bool is_done = false;
    int err = begin(world, checking, &is_done, &sealer, &v);

    onward_verifier_free(v);
    if (sealer != NULL)
        return cli_usage(
            command, "--trust-sealer \"%s\", expected a domain name", sealer);
    if (err == ONWARD_EINVAL)
        return cli_usage(command,
                         "--authserv-id \"%s\", expected a name without "
                         "control characters",
                         checking->authserv_id);
    return err == 0 ? -1 : cli_broken(command, "%s", onward_strerror(err));
}

int checking_run(struct world *world, const struct checking *checking,
                 struct onward_str message, struct onward_verifier **verifier)
{
    struct onward_verifier *v = NULL;
    const char *sealer;
    bool is_done = false;
    int err = begin(world, checking, &is_done, &sealer, &v);

    if (err != 0)
        return err;
    err = onward_verifier_feed(v, message.data, message.len);
    if (err == 0)
        err = onward_verifier_finish(v);
    if (err == 0)
        world_run(world, &is_done);
    if (err == 0 && !is_done)
        err = ONWARD_ECANCELED;
    if (err != 0)
        onward_verifier_free(v);
    else
        *verifier = v;
    return err;
}
