#include "sign.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onward/dkim.h>

#include "host.h"

struct job {
    const char *path;
    struct onward_dkim_signer *signer;
    bool is_done;
    int status;
};

int sign_open(struct sign_world *world, const void *spki, size_t spki_len,
              const struct onward_signer_host *host)
{
    struct onward_pubkey *pub = NULL;
    int err;

    *world = (struct sign_world){.ctx = host_ctx_new(NULL)};
    if (world->ctx == NULL) {
        host_complain("sign", "no memory or no randomness");
        return -1;
    }
    err = onward_desk_new(world->ctx, NULL, &world->desk);
    if (err == 0)
        err = onward_pubkey_from_der(world->ctx, spki, spki_len, NULL, &pub);
    if (err == 0)
        err = onward_signer_new_host(world->desk, pub, host, NULL, &world->key);
    onward_pubkey_free(pub);
    if (err == 0)
        return 0;
    host_complain("sign", "the key: %s", onward_strerror(err));
    sign_close(world);
    return -1;
}

void sign_close(struct sign_world *world)
{
    onward_signer_free(world->key);
    onward_desk_free(world->desk);
    onward_ctx_free(world->ctx);
    *world = (struct sign_world){0};
}

static void done(void *user, struct onward_dkim_signer *signer, int status)
{
    struct job *job = user;

    (void)signer;
    job->is_done = true;
    job->status = status;
}

/* Only the start: the signature may come later. */
static void begin(struct sign_world *world, struct job *job, const char *domain,
                  const char *selector)
{
    const struct onward_dkim_signer_opts opts = {
        .size = sizeof(opts),
        .domain = onward_str_of(domain),
        .selector = onward_str_of(selector)};
    const struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = job, .done = done};
    size_t len;
    char *text = host_read_file(job->path, &len);

    if (text == NULL) {
        host_complain("sign", "%s: %s", job->path, strerror(errno));
        job->is_done = true;
        job->status = ONWARD_ENOENT;
        return;
    }
    job->status =
        onward_dkim_signer_new(world->key, &opts, &host, &job->signer);
    if (job->status == 0)
        job->status = onward_dkim_signer_feed(job->signer, text, len);
    if (job->status == 0)
        job->status = onward_dkim_signer_finish(job->signer);
    /* After an error of these, done does not come. */
    job->is_done = job->is_done || job->status != 0;
    free(text);
}

static bool are_done(const struct job *jobs, int count)
{
    for (int i = 0; i < count; i++) {
        if (!jobs[i].is_done)
            return false;
    }
    return true;
}

/* How long may we sleep? The desk knows when a question is past its time. */
static int left_ms(struct onward_desk *desk)
{
    int64_t deadline = onward_desk_deadline(desk);
    int64_t left = deadline - host_now_ms();

    if (deadline == ONWARD_NEVER)
        return -1;
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static int finish(struct job *job)
{
    struct onward_str field = {0};

    if (job->signer != NULL)
        field = onward_dkim_signer_field(job->signer);
    if (job->status == 0)
        fwrite(field.data, 1, field.len, stdout);
    else
        host_complain("sign", "%s: %s", job->path,
                      onward_strerror(job->status));
    onward_dkim_signer_free(job->signer);
    return job->status == 0 ? 0 : 1;
}

int sign_messages(struct sign_world *world, const char *domain,
                  const char *selector, int count, char **paths,
                  void (*wait)(void *user, int timeout_ms), void *user)
{
    struct job *jobs = calloc((size_t)count, sizeof(*jobs));
    int status = 0;

    if (jobs == NULL) {
        host_complain("sign", "no memory");
        return 1;
    }
    for (int i = 0; i < count; i++) {
        jobs[i].path = paths[i];
        begin(world, &jobs[i], domain, selector);
    }
    while (!are_done(jobs, count)) {
        if (onward_desk_run(world->desk, host_now_ms()) == 0 && wait != NULL &&
            !are_done(jobs, count))
            wait(user, left_ms(world->desk));
    }
    for (int i = 0; i < count; i++)
        status |= finish(&jobs[i]);
    free(jobs);
    return status;
}
