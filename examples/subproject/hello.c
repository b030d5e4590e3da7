/* hello ADDRESS: the sender that a forwarder in example.org would use for it,
 * and the way back. It shows that a project with libonward inside builds. */
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include <onward/srs.h>

static int64_t now_s(void *user)
{
    (void)user;
    return time(NULL);
}

static int fill(void *user, void *data, size_t len)
{
    (void)user;
    return getrandom(data, len, 0) == (ssize_t)len ? 0 : -1;
}

int main(int argc, char **argv)
{
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = now_s};
    const struct onward_random random = {.size = sizeof(random), .fill = fill};
    const struct onward_ctx_opts host = {
        .size = sizeof(host), .clock = &clock, .random = &random};
    const struct onward_str secret = ONWARD_STR("16 random octets");
    char there[ONWARD_SRS_TEXT_MAX], back[ONWARD_SRS_TEXT_MAX];
    struct onward_ctx *ctx = NULL;
    struct onward_srs *srs = NULL;
    int verdict = ONWARD_SRS_NONE;
    int err;

    if (argc != 2)
        return 2;
    err = onward_ctx_new(&host, &ctx);
    if (err == 0)
        err = onward_srs_new(ctx, &secret, 1, NULL, &srs);
    if (err == 0)
        err = onward_srs_forward(srs, onward_str_of(argv[1]),
                                 ONWARD_STR("example.org"), there,
                                 sizeof(there));
    if (err > 0)
        err = onward_srs_reverse(srs, onward_str_of(there), back, sizeof(back),
                                 &verdict);
    if (err > 0)
        printf("%s goes on as %s\nand bounces to %s\n", argv[1], there, back);
    else
        fprintf(stderr, "hello: %s\n", onward_strerror(err));
    onward_srs_free(srs);
    onward_ctx_free(ctx);
    return err > 0 && verdict == ONWARD_SRS_OK ? 0 : 1;
}
