/*
 * The DKIM and ARC of the library as a filter, for dkim_peers.py:
 *
 *     dkim_tool sign KEY.pem DOMAIN SELECTOR CANON    < message > fields
 *     dkim_tool seal KEY.pem DOMAIN SELECTOR ZONE     < message > fields
 *     dkim_tool verify ZONE                           < message > verdicts
 *     dkim_tool arc ZONE                              < message > verdict
 *
 * ZONE is a file of records as dig prints them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <onward/arc.h>
#include <onward/dkim.h>

static char message[1 << 22];
static size_t message_len;
static struct onward_desk *desk;
static int done_status = 1;

static int64_t now_s(void *user)
{
    (void)user;
    return (int64_t)time(NULL);
}

static int fill(void *user, void *data, size_t len)
{
    FILE *f = fopen("/dev/urandom", "rb");
    size_t got = f == NULL ? 0 : fread(data, 1, len, f);

    (void)user;
    if (f != NULL)
        fclose(f);
    return got == len ? 0 : -1;
}

static void must(int err, const char *what)
{
    if (err == 0)
        return;
    fprintf(stderr, "%s: %s\n", what, onward_strerror(err));
    exit(2);
}

static size_t read_file(const char *path, char *data, size_t cap)
{
    FILE *f = path == NULL ? stdin : fopen(path, "rb");
    size_t len = f == NULL ? 0 : fread(data, 1, cap, f);

    if (f == NULL || len == cap) {
        fprintf(stderr, "cannot read %s\n", path == NULL ? "stdin" : path);
        exit(2);
    }
    fclose(f);
    return len;
}

static void run(void)
{
    while (onward_desk_run(desk, 0) == 1)
        continue;
}

static void verified(void *user, struct onward_dkim_verifier *verifier)
{
    (void)user;
    (void)verifier;
    done_status = 0;
}

static void validated(void *user, struct onward_arc_validator *validator)
{
    (void)user;
    (void)validator;
    done_status = 0;
}

static void signed_now(void *user, struct onward_dkim_signer *signer,
                       int status)
{
    (void)user;
    (void)signer;
    done_status = status;
}

static void sealed(void *user, struct onward_arc_sealer *sealer, int status)
{
    (void)user;
    (void)sealer;
    done_status = status;
}

static struct onward_resolver *load_zone(const char *path)
{
    static char zone[65536];
    struct onward_resolver_opts opts = {.size = sizeof(opts),
                                        .allow_only_loaded = 1};
    struct onward_resolver *resolver;
    size_t len = read_file(path, zone, sizeof(zone));

    must(onward_resolver_new(desk, &opts, NULL, &resolver), "resolver");
    must(onward_resolver_load(resolver, (struct onward_str){zone, len}, NULL),
         "zone");
    return resolver;
}

static struct onward_signer *load_key(struct onward_ctx *ctx, const char *path)
{
    static char pem[16384];
    struct onward_signer *signer;
    struct onward_key *key;
    size_t len = read_file(path, pem, sizeof(pem));

    must(onward_key_from_pem(ctx, (struct onward_str){pem, len}, NULL, &key),
         "key");
    must(onward_signer_new(desk, key, NULL, &signer), "signer");
    onward_key_free(key);
    return signer;
}

static void print_field(struct onward_str field)
{
    must(done_status, "signature");
    fwrite(field.data, 1, field.len, stdout);
}

static void sign(struct onward_signer *key, char **argv)
{
    struct onward_dkim_signer_opts opts = {
        .size = sizeof(opts),
        .domain = onward_str_of(argv[3]),
        .selector = onward_str_of(argv[4]),
        .use_simple_header = strncmp(argv[5], "simple/", 7) == 0,
        .use_simple_body = strstr(argv[5], "/simple") != NULL};
    struct onward_dkim_signer_host host = {.size = sizeof(host),
                                           .done = signed_now};
    struct onward_dkim_signer *s;

    must(onward_dkim_signer_new(key, &opts, &host, &s), "sign");
    must(onward_dkim_signer_feed(s, message, message_len), "sign");
    must(onward_dkim_signer_finish(s), "sign");
    run();
    print_field(onward_dkim_signer_field(s));
    onward_dkim_signer_free(s);
}

static struct onward_arc_verdict validate(const char *zone)
{
    struct onward_arc_verdict verdict = {.size = sizeof(verdict)};
    struct onward_arc_validator_host host = {.size = sizeof(host),
                                             .done = validated};
    struct onward_resolver *resolver = load_zone(zone);
    struct onward_arc_validator *v;

    must(onward_arc_validator_new(resolver, NULL, &host, &v), "arc");
    must(onward_arc_validator_feed(v, message, message_len), "arc");
    must(onward_arc_validator_finish(v), "arc");
    run();
    must(done_status, "arc");
    must(onward_arc_validator_verdict(v, &verdict), "arc");
    onward_arc_validator_free(v);
    onward_resolver_free(resolver);
    return verdict;
}

static void seal(struct onward_signer *key, char **argv)
{
    struct onward_arc_verdict verdict = validate(argv[5]);
    struct onward_arc_sealer_opts opts = {
        .size = sizeof(opts),
        .chain_result = verdict.result,
        .chain_instances = verdict.instances,
        .domain = onward_str_of(argv[3]),
        .selector = onward_str_of(argv[4]),
        .authserv_id = ONWARD_STR("mx.example.org"),
        .results =
            ONWARD_STR("spf=pass smtp.mailfrom=a@example.org;\r\n\tarc=none")};
    struct onward_arc_sealer_host host = {.size = sizeof(host), .done = sealed};
    struct onward_arc_sealer *s;

    done_status = 1;
    must(onward_arc_sealer_new(key, &opts, &host, &s), "seal");
    must(onward_arc_sealer_feed(s, message, message_len), "seal");
    must(onward_arc_sealer_finish(s), "seal");
    run();
    print_field(onward_arc_sealer_fields(s));
    onward_arc_sealer_free(s);
}

static void verify(const char *zone)
{
    struct onward_dkim_verifier_host host = {.size = sizeof(host),
                                             .done = verified};
    struct onward_resolver *resolver = load_zone(zone);
    struct onward_dkim_verifier *v;

    must(onward_dkim_verifier_new(resolver, NULL, &host, &v), "verify");
    must(onward_dkim_verifier_feed(v, message, message_len), "verify");
    must(onward_dkim_verifier_finish(v), "verify");
    run();
    must(done_status, "verify");
    for (size_t i = 0; i < onward_dkim_verifier_count(v); i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        must(onward_dkim_verifier_signature(v, i, &s), "verify");
        printf("%s %s\n", onward_dkim_result_name((int)s.result),
               onward_dkim_reason_name((int)s.reason));
    }
    onward_dkim_verifier_free(v);
    onward_resolver_free(resolver);
}

static void keyed(struct onward_ctx *ctx, char **argv)
{
    struct onward_signer *signer = load_key(ctx, argv[2]);

    if (strcmp(argv[1], "sign") == 0)
        sign(signer, argv);
    else
        seal(signer, argv);
    onward_signer_free(signer);
}

int main(int argc, char **argv)
{
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = now_s};
    const struct onward_random source = {.size = sizeof(source), .fill = fill};
    const struct onward_ctx_opts opts = {
        .size = sizeof(opts), .clock = &clock, .random = &source};
    struct onward_ctx *ctx;

    must(onward_ctx_new(&opts, &ctx), "context");
    must(onward_desk_new(ctx, NULL, &desk), "desk");
    message_len = read_file(NULL, message, sizeof(message));
    if (argc == 6) {
        keyed(ctx, argv);
    } else if (argc == 3 && strcmp(argv[1], "verify") == 0) {
        verify(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "arc") == 0) {
        struct onward_arc_verdict v = validate(argv[2]);

        printf("%s %s\n", onward_arc_result_name((int)v.result),
               onward_arc_reason_name((int)v.reason));
    } else {
        fprintf(stderr, "see the head of dkim_tool.c\n");
        return 2;
    }
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return 0;
}
