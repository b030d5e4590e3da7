#define _GNU_SOURCE
#include "checking.h"

#include <unistd.h>

static void done(void *user, struct onward_verifier *verifier)
{
    bool *is_done = user;

    (void)verifier;
    *is_done = true;
}

int checking_run(struct world *world, const struct checking *checking,
                 struct onward_str message, struct onward_verifier **verifier)
{
    char host_name[256] = "localhost";
    bool is_done = false;
    const struct onward_verifier_host host = {
        .size = sizeof(host), .user = &is_done, .done = done};
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

    if (checking->authserv_id == NULL) {
        gethostname(host_name, sizeof(host_name) - 1);
        opts.authserv_id = onward_str_of(host_name);
    }
    opts.receiver = opts.authserv_id;
    err = onward_verifier_new(world->resolver, &opts, &host, &v);
    if (err == 0)
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
