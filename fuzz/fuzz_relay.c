/*
 * A transaction through the relay: reverse path and recipients on lines of
 * their own, then the message. Whatever comes, there is one valid reply; what
 * leaves is the message byte for byte below our fields, but for results that
 * claim to be ours; and nothing leaves that a policy refuses.
 */
#include "fuzz.h"

#include <onward/relay.h>

#include "authres/authres_shared.h"
#include "mime/mime_shared.h"
#include "smtp/smtp_shared.h"

static const char rules_text[] =
    "{\"version\":1,\"zones\":[{\"name\":\"example.com\","
    "\"settings\":{\"support_subaddress\":true},\"rules\":["
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"me@example.com\"}],\"actions\":[{\"type\":\"forward\",\"value\":"
    "[\"me@dest.example\",\"two@dest.example\"]}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"null@example.com\"}],\"actions\":[{\"type\":\"drop\"}]}],"
    "\"catch_all\":{\"enabled\":true,\"matchers\":[{\"type\":\"all\"}],"
    "\"actions\":[{\"type\":\"forward\",\"value\":[\"me@dest.example\"]}]}}],"
    "\"addresses\":["
    "{\"email\":\"me@dest.example\",\"verified\":true},"
    "{\"email\":\"two@dest.example\",\"verified\":true}]}";

static const char zone[] =
    "football.example.com TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
    "_dmarc.football.example.com TXT \"v=DMARC1; p=reject\"\n"
    "_dmarc.example.com TXT \"v=DMARC1; p=none\"\n"
    "brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; "
    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";

static const char received[] =
    "Received: from mail.a.example ([192.0.2.9])\r\n"
    "\tby mx.example.net with ESMTP; Sun, 13 Sep 2020 12:26:40 +0000\r\n";

struct post {
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_ruleset *rules;
    struct onward_srs *srs;
    struct onward_memstore *mem;
    struct onward_store *store;
    struct onward_signer *signer;
    struct onward_verifier *verifier;
    struct onward_relay *relay;
    struct onward_memory_source *memory;
    struct onward_str message;
    size_t asked, done;
    uint8_t flags;
};

static struct onward_str take_line(const uint8_t *data, size_t size, size_t *at)
{
    struct onward_str line = {(const char *)data + *at, 0};

    while (*at < size && data[*at] != '\n') {
        line.len++;
        (*at)++;
    }
    if (*at < size)
        (*at)++;
    return line;
}

/* ---- What leaves ------------------------------------------------------- */

/* Does our name stand in it? */
static bool names_us(struct onward_str value)
{
    for (size_t at = 0; at < value.len; at++) {
        if (onward_core__str_istarts(onward_core__sub(value, at, value.len),
                                     ONWARD_STR("mx.example.net")))
            return true;
    }
    return false;
}

static bool is_claim(const struct onward_header *h, size_t i)
{
    struct onward_arena scratch;
    int ret = 0;

    if (onward_core__str_ieq(onward_mime__name(h, i),
                             ONWARD_STR("Received-SPF")))
        return names_us(onward_mime__value(h, i));
    onward_core__arena_init(&scratch, fuzz_ctx(), 1 << 22);
    if (onward_core__str_ieq(onward_mime__name(h, i),
                             ONWARD_STR("Authentication-Results")))
        ret = onward_authres__claims_authserv_id(
            &scratch, onward_mime__value(h, i), ONWARD_STR("mx.example.net"));
    onward_core__arena_clear(&scratch);
    FUZZ_CHECK(ret >= 0);
    return ret == 1;
}

/* The message as it came, without what claims to be ours. */
static size_t kept(const struct post *x, char *out)
{
    const struct onward_header *h = onward_verifier_header(x->verifier);
    size_t len = 0;

    for (size_t i = 0; i < h->count; i++) {
        struct onward_str raw = onward_mime__raw(h, i);

        if (is_claim(h, i))
            continue;
        memcpy(out + len, raw.data, raw.len);
        len += raw.len;
    }
    memcpy(out + len, x->message.data + h->block.len,
           x->message.len - h->block.len);
    return len + x->message.len - h->block.len;
}

static void check_sent(const struct post *x, const struct onward_source *source)
{
    static char sent[1 << 20], want[1 << 17];
    size_t want_len = kept(x, want);
    size_t len = 0;

    FUZZ_CHECK(source->len <= sizeof(sent));
    while (len < source->len) {
        size_t got = 0;

        FUZZ_CHECK(source->read(source->user, len, sent + len, 977, &got) == 0);
        FUZZ_CHECK(got != 0);
        len += got;
    }
    FUZZ_CHECK(len > want_len + sizeof(received) - 1);
    FUZZ_CHECK(memcmp(sent + len - want_len, want, want_len) == 0);
    FUZZ_CHECK(memcmp(sent + len - want_len - (sizeof(received) - 1), received,
                      sizeof(received) - 1) == 0);
    /* No line of ours is empty or lacks its CRLF. */
    for (size_t i = 0; i < len - want_len; i++) {
        if (sent[i] == '\n')
            FUZZ_CHECK(i > 1 && sent[i - 1] == '\r' && sent[i - 2] != '\n');
    }
}

static int deliver(void *user, uint64_t token, struct onward_relay *relay,
                   size_t index)
{
    struct post *x = user;
    struct onward_relay_delivery d = {.size = sizeof(d)};
    const struct onward_smtp_reply reply = {
        .size = sizeof(reply),
        .code = (x->flags & 4) != 0 && index == 1 ? 452 : 250};

    x->asked++;
    FUZZ_CHECK(onward_relay_delivery_at(relay, index, &d) == 0);
    FUZZ_CHECK(onward_verifier_dmarc_disposition(x->verifier) !=
               ONWARD_DMARC_POLICY_REJECT);
    if (d.reverse_path.len != 0)
        FUZZ_CHECK(onward_core__str_iends(d.reverse_path,
                                          ONWARD_STR("@fwd.example.net")));
    check_sent(x, d.source);
    FUZZ_CHECK(onward_relay_delivery_answer(x->desk, token, &reply) == 0);
    return 0;
}

static void done(void *user, struct onward_relay *relay)
{
    struct onward_relay_summary summary = {.size = sizeof(summary)};
    struct post *x = user;
    struct onward_smtp_reply reply = {.size = sizeof(reply)}, loaded;

    x->done++;
    FUZZ_CHECK(onward_relay_reply(relay, &reply) == 0);
    FUZZ_CHECK(onward_relay_summarize(relay, &summary) == 0);
    FUZZ_CHECK(onward_smtp__reply_load(&loaded, &reply) == 0);
    if (reply.code == 250)
        FUZZ_CHECK(onward_relay_reason(relay) ==
                       ONWARD_RELAY_REASON_DELIVERED ||
                   onward_relay_reason(relay) == ONWARD_RELAY_REASON_DROP);
}

/* ---- The office -------------------------------------------------------- */

static void open_all(struct post *x)
{
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    const struct onward_str secret = ONWARD_STR("tops3cr3t");
    unsigned char seed[32] = {7};
    struct onward_key *key = NULL;

    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &x->desk) == 0);
    FUZZ_CHECK(onward_resolver_new(x->desk, &ro, NULL, &x->resolver) == 0);
    FUZZ_CHECK(onward_resolver_load(x->resolver, onward_str_of(zone), NULL) ==
               0);
    FUZZ_CHECK(onward_ruleset_new(fuzz_ctx(), onward_str_of(rules_text), NULL,
                                  NULL, &x->rules) == 0);
    FUZZ_CHECK(onward_srs_new(fuzz_ctx(), &secret, 1, NULL, &x->srs) == 0);
    FUZZ_CHECK(onward_memstore_new(fuzz_ctx(), NULL, &x->mem) == 0);
    FUZZ_CHECK(onward_memstore_open(x->mem, x->desk, NULL, &x->store) == 0);
    FUZZ_CHECK(onward_key_from_ed25519_seed(fuzz_ctx(), seed, sizeof(seed),
                                            &key) == 0);
    FUZZ_CHECK(onward_signer_new(x->desk, key, NULL, &x->signer) == 0);
    onward_key_free(key);
}

static int start(struct post *x, struct onward_str from)
{
    const struct onward_relay_opts o = {
        .size = sizeof(o),
        .resolver = x->resolver,
        .ruleset = x->rules,
        .srs = x->srs,
        .store = (x->flags & 1) != 0 ? x->store : NULL,
        .signer = (x->flags & 2) != 0 ? x->signer : NULL,
        .hostname = ONWARD_STR("mx.example.net"),
        .authserv_id = ONWARD_STR("mx.example.net"),
        .srs_domain = ONWARD_STR("fwd.example.net"),
        .seal_domain = ONWARD_STR("example.net"),
        .seal_selector = ONWARD_STR("arc"),
        .allow_unauthenticated = (x->flags & 8) != 0,
        .allow_malformed = (x->flags & 16) != 0};
    const struct onward_relay_envelope e = {.size = sizeof(e),
                                            .reverse_path = from,
                                            .smtputf8 = (x->flags & 32) != 0};
    const struct onward_relay_host host = {
        .size = sizeof(host), .user = x, .deliver = deliver, .done = done};
    struct onward_verifier_opts v = {.size = sizeof(v),
                                     .authserv_id =
                                         ONWARD_STR("mx.example.net"),
                                     .helo = ONWARD_STR("mail.a.example"),
                                     .mail_from = from};
    struct onward_ip ip;

    FUZZ_CHECK(onward_ip_parse(ONWARD_STR("192.0.2.9"), &ip) == 0);
    v.client_ip = &ip;
    FUZZ_CHECK(onward_verifier_new(x->resolver, &v, NULL, &x->verifier) == 0);
    return onward_relay_new(x->desk, &o, &e, &host, &x->relay);
}

static void run(struct post *x)
{
    while (onward_desk_run(x->desk, 0) == 1)
        continue;
}

static void rcpt(struct post *x, struct onward_str address)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply)}, loaded;
    int ret = onward_relay_rcpt(x->relay, address, &reply);

    FUZZ_CHECK(ret == 0 || ret == 1);
    FUZZ_CHECK(onward_smtp__reply_load(&loaded, &reply) == 0);
    FUZZ_CHECK((reply.code < 300) == (ret == 1));
}

static void send_message(struct post *x)
{
    int err;

    FUZZ_CHECK(onward_memory_source_new(fuzz_ctx(), x->message.data,
                                        x->message.len, &x->memory) == 0);
    err = onward_verifier_feed(x->verifier, x->message.data, x->message.len);
    if (err == 0)
        err = onward_verifier_finish(x->verifier);
    run(x);
    if (err != 0 || onward_relay_rcpt_count(x->relay) == 0)
        return;
    FUZZ_CHECK(onward_relay_start(
                   x->relay, x->verifier, onward_memory_source_table(x->memory),
                   onward_core__str(received, sizeof(received) - 1)) == 0);
    run(x);
    FUZZ_CHECK(x->done == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct post x = {0};
    size_t at = 1;
    struct onward_str from, first, second;

    if (size == 0 || size > 65536)
        return 0;
    x.flags = data[0];
    from = take_line(data, size, &at);
    first = take_line(data, size, &at);
    second = take_line(data, size, &at);
    x.message = onward_core__str(data + at, size - at);
    open_all(&x);
    if (start(&x, from) == 0) {
        rcpt(&x, first);
        rcpt(&x, second);
        send_message(&x);
    }
    onward_relay_free(x.relay);
    onward_verifier_free(x.verifier);
    onward_memory_source_free(x.memory);
    onward_signer_free(x.signer);
    onward_store_free(x.store);
    onward_memstore_free(x.mem);
    onward_srs_free(x.srs);
    onward_ruleset_free(x.rules);
    onward_resolver_free(x.resolver);
    onward_desk_free(x.desk);
    return 0;
}
