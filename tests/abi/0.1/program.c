/*
 * A program of release 0.1, kept as it was: it checks SPF and DMARC of a
 * message from records in memory. It is compiled with the headers beside it
 * and must run with every later library of this soversion.
 */
#include <onward.h>
#include <stdio.h>
#include <string.h>

static int64_t now_s(void *user)
{
    (void)user;
    return 1600000000;
}

static int fill(void *user, void *data, size_t len)
{
    (void)user;
    memset(data, 5, len); /* a test's randomness */
    return 0;
}

static void done(void *user, struct onward_verifier *v)
{
    *(int *)user = onward_verifier_dmarc_result(v);
}

int main(void)
{
    static const char records[] =
        "a.example TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
        "_dmarc.a.example TXT \"v=DMARC1; p=reject\"\n";
    static const char message[] = "From: ann@a.example\r\n\r\nhello\r\n";
    const struct onward_clock clock = {.size = sizeof(clock), .now_s = now_s};
    const struct onward_random source = {.size = sizeof(source), .fill = fill};
    const struct onward_ctx_opts co = {
        .size = sizeof(co), .clock = &clock, .random = &source};
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    int result = 0;
    const struct onward_verifier_host host = {
        .size = sizeof(host), .user = &result, .done = done};
    struct onward_ip ip;
    struct onward_verifier_opts vo = {.size = sizeof(vo),
                                      .authserv_id = onward_str_of("b.example"),
                                      .client_ip = &ip,
                                      .helo = onward_str_of("a.example"),
                                      .mail_from =
                                          onward_str_of("ann@a.example")};
    struct onward_ctx *ctx = NULL;
    struct onward_desk *desk = NULL;
    struct onward_resolver *resolver = NULL;
    struct onward_verifier *v = NULL;

    if (onward_ip_parse(onward_str_of("192.0.2.1"), &ip) != 0 ||
        onward_ctx_new(&co, &ctx) != 0 ||
        onward_desk_new(ctx, NULL, &desk) != 0 ||
        onward_resolver_new(desk, &ro, NULL, &resolver) != 0 ||
        onward_resolver_load(resolver, onward_str_of(records), NULL) != 0 ||
        onward_verifier_new(resolver, &vo, &host, &v) != 0 ||
        onward_verifier_feed(v, message, strlen(message)) != 0 ||
        onward_verifier_finish(v) != 0)
        return 1;
    while (onward_desk_run(desk, 0) == 1)
        continue;
    onward_verifier_free(v);
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return result == ONWARD_DMARC_PASS ? 0 : 1;
}
