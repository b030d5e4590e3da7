/* verify IP SENDER RECORDS <MESSAGE: is this mail who it says it is? */
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include <onward.h>

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
    /* What the library cannot know by itself comes from its host. */
    struct onward_clock clock = {.size = sizeof(clock), .now_s = now_s};
    struct onward_random random = {.size = sizeof(random), .fill = fill};
    struct onward_ctx_opts host = {
        .size = sizeof(host), .clock = &clock, .random = &random};
    /* DNS from a file, as `dig +noall +answer` prints it. */
    struct onward_resolver_opts offline = {.size = sizeof(offline),
                                           .allow_only_loaded = 1};
    struct onward_ip ip;
    struct onward_verifier_opts facts = {.size = sizeof(facts),
                                         .authserv_id =
                                             ONWARD_STR("mx.example.net"),
                                         .client_ip = &ip};
    struct onward_ctx *ctx = NULL;
    struct onward_desk *desk = NULL;
    struct onward_resolver *dns = NULL;
    struct onward_verifier *v = NULL;
    static char records[65536], chunk[4096];
    FILE *file = argc == 4 ? fopen(argv[3], "r") : NULL;
    struct onward_str text, authres = {0};
    size_t len;
    int err;

    if (file == NULL || onward_ip_parse(onward_str_of(argv[1]), &ip) != 0)
        return 2;
    facts.mail_from = onward_str_of(argv[2]);
    text =
        (struct onward_str){records, fread(records, 1, sizeof(records), file)};
    fclose(file);

    err = onward_ctx_new(&host, &ctx);
    if (err == 0)
        err = onward_desk_new(ctx, NULL, &desk);
    if (err == 0)
        err = onward_resolver_new(desk, &offline, NULL, &dns);
    if (err == 0)
        err = onward_resolver_load(dns, text, NULL);
    if (err == 0)
        err = onward_verifier_new(dns, &facts, NULL, &v);
    while (err == 0 && (len = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        err = onward_verifier_feed(v, chunk, len);
    if (err == 0)
        err = onward_verifier_finish(v);
    while (err == 0 && onward_desk_run(desk, 0) == 1)
        continue; /* a live host would wait here for its DNS answers */

    if (err == 0) {
        authres = onward_verifier_authres(v);
        printf("Authentication-Results: %.*s\n", (int)authres.len,
               authres.data);
        err = onward_verifier_dmarc_result(v) == ONWARD_DMARC_PASS ? 0 : 1;
    } else {
        fprintf(stderr, "verify: %s\n", onward_strerror(err));
    }
    onward_verifier_free(v); /* in any order, and NULL is fine */
    onward_resolver_free(dns);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return err == 0 ? 0 : 1;
}
