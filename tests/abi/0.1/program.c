/*
 * A program of release 0.1, kept as it was: it checks SPF and DMARC of a
 * message from records in memory, signs one, asks rules for the way of an
 * address, greets as a server, and rewrites a sender. It is compiled with the
 * headers beside it and must run with every later library of this soversion:
 * options and callback tables that are no longer than its own go in, and
 * structs that it has allocated are filled.
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

static void signed_(void *user, struct onward_dkim_signer *signer, int status)
{
    struct onward_str field = onward_dkim_signer_field(signer);

    *(int *)user = status == 0 && field.len > 16 &&
                   memcmp(field.data, "DKIM-Signature: ", 16) == 0;
}

static int sign(struct onward_ctx *ctx, struct onward_desk *desk)
{
    static const unsigned char seed[32] = {1};
    static const char message[] = "From: ann@a.example\r\n\r\nhello\r\n";
    const struct onward_dkim_signer_opts so = {.size = sizeof(so),
                                               .domain =
                                                   onward_str_of("a.example"),
                                               .selector = onward_str_of("s")};
    int is_signed = 0;
    const struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = &is_signed, .done = signed_};
    struct onward_key *key = NULL;
    struct onward_signer *pen = NULL;
    struct onward_dkim_signer *signer = NULL;
    int err = onward_key_from_ed25519_seed(ctx, seed, sizeof(seed), &key);

    if (err == 0)
        err = onward_signer_new(desk, key, NULL, &pen);
    if (err == 0)
        err = onward_dkim_signer_new(pen, &so, &host, &signer);
    if (err == 0)
        err = onward_dkim_signer_feed(signer, message, strlen(message));
    if (err == 0)
        err = onward_dkim_signer_finish(signer);
    while (err == 0 && onward_desk_run(desk, 0) == 1)
        continue;
    onward_dkim_signer_free(signer);
    onward_signer_free(pen);
    onward_key_free(key);
    return is_signed;
}

static int route(struct onward_ctx *ctx)
{
    static const char rules[] =
        "{\"version\": 1, \"zones\": [{\"name\": \"z.example\", "
        "\"catch_all\": {\"matchers\": [{\"type\": \"all\"}], "
        "\"actions\": [{\"type\": \"forward\", \"value\": "
        "[\"ann@a.example\"]}]}}], \"addresses\": "
        "[{\"email\": \"ann@a.example\", \"verified\": true}]}";
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_ruleset_router *router = NULL;
    struct onward_ruleset *rs = NULL;
    struct onward_mailbox *to = NULL;
    int is_good = 0;

    if (onward_ruleset_new(ctx, onward_str_of(rules), NULL, NULL, &rs) == 0 &&
        onward_ruleset_router_new(ctx, &router) == 0 &&
        onward_mailbox_parse(ctx, onward_str_of("me@z.example"), 0, &to) == 0 &&
        onward_ruleset_route(rs, router, to, NULL, NULL, &d) == 0)
        is_good = d.kind == ONWARD_RULESET_FORWARD &&
                  d.destination_count == 1 &&
                  onward_str_equal(d.destinations[0],
                                   onward_str_of("ann@a.example")) &&
                  d.actions != NULL && d.action_count == 1;
    onward_mailbox_free(to);
    onward_ruleset_router_free(router);
    onward_ruleset_free(rs);
    return is_good;
}

static int mail(void *user, uint64_t token)
{
    (void)user;
    (void)token;
    return 0;
}

static int rcpt(void *user, uint64_t token, size_t index)
{
    (void)index;
    return mail(user, token);
}

static int data(void *user, const void *octets, size_t len)
{
    (void)octets;
    (void)len;
    return mail(user, 0);
}

static int greet(struct onward_desk *desk)
{
    const struct onward_smtp_server_opts so = {
        .size = sizeof(so), .hostname = onward_str_of("mx.z.example")};
    const struct onward_smtp_server_host host = {.size = sizeof(host),
                                                 .mail = mail,
                                                 .rcpt = rcpt,
                                                 .message_data = data,
                                                 .message_end = mail};
    struct onward_smtp_server *server = NULL;
    struct onward_str out;
    int is_good = 0;

    if (onward_smtp_server_new(desk, &so, &host, &server) == 0) {
        out = onward_channel_peek(onward_smtp_server_channel(server));
        is_good = out.len > 16 && memcmp(out.data, "220 mx.z.example", 16) == 0;
    }
    onward_smtp_server_free(server);
    return is_good;
}

static int rewrite(struct onward_ctx *ctx)
{
    const struct onward_str secret = onward_str_of("sixteen octets..");
    const struct onward_str quoted = onward_str_of("\"a b\"@a.example");
    const struct onward_str alias = onward_str_of("z.example");
    struct onward_srs_kept kept = {.size = sizeof(kept)};
    char there[ONWARD_SRS_TEXT_MAX], back[ONWARD_SRS_TEXT_MAX];
    struct onward_srs *srs = NULL;
    int verdict = ONWARD_SRS_NONE, is_good = 0;

    if (onward_srs_new(ctx, &secret, 1, NULL, &srs) == 0 &&
        onward_srs_keep(srs, quoted, alias, there, sizeof(there), &kept) > 0 &&
        onward_srs_reverse(srs, onward_str_of(there), back, sizeof(back),
                           &verdict) > 0)
        is_good = verdict == ONWARD_SRS_KEPT && kept.key_len == strlen(back) &&
                  memcmp(kept.key, back, kept.key_len) == 0;
    onward_srs_free(srs);
    return is_good;
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
    if (!sign(ctx, desk) || !route(ctx) || !greet(desk) || !rewrite(ctx))
        result = ONWARD_DMARC_FAIL;
    onward_resolver_free(resolver);
    onward_desk_free(desk);
    onward_ctx_free(ctx);
    return result == ONWARD_DMARC_PASS ? 0 : 1;
}
