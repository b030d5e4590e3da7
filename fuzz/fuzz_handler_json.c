/*
 * A handler's answer. Whatever it says, there is one valid reply; copies go to
 * verified destinations alone, are the message octet by octet below what was
 * put on top, and have no trace field that is not ours; replies go to the
 * sender, are marked as automatic, and every reader sees the same fields.
 */
#include "fuzz.h"

#include <onward/relay_event.h>

#include "handler_json.h"
#include "mime/mime_shared.h"

static const char rules_text[] =
    "{\"version\":1,\"zones\":[{\"name\":\"example.com\",\"rules\":["
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"code@example.com\"}],\"actions\":[{\"type\":\"handler\",\"value\":"
    "[\"robot\"]}]}]}],\"addresses\":["
    "{\"email\":\"me@dest.example\",\"verified\":true},"
    "{\"email\":\"two@dest.example\",\"verified\":true}]}";

static const char zone[] = "a.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
                           "_dmarc.a.example TXT \"v=DMARC1; p=reject\"\n";

static const char message[] = "From: ann@a.example\r\n"
                              "Message-ID: <one@a.example>\r\n"
                              "\r\nHello.\r\n";

static const char received[] = "Received: from mail.a.example\r\n"
                               "\tby mx.example.net; Sun, 13 Sep 2020 "
                               "12:26:40 +0000\r\n";

struct post {
    struct onward_desk *desk;
    struct onward_resolver *resolver;
    struct onward_ruleset *rules;
    struct onward_verifier *verifier;
    struct onward_memory_source *memory;
    struct onward_relay *relay;
    struct onward_str answer;
    int done;
};

/* ---- The host ---------------------------------------------------------- */

static int deliver(void *user, uint64_t token, struct onward_relay *relay,
                   size_t index)
{
    static const struct onward_smtp_reply ok = {.size = sizeof(ok),
                                                .code = 250};
    struct post *p = user;

    (void)relay;
    (void)index;
    FUZZ_CHECK(onward_relay_delivery_answer(p->desk, token, &ok) == 0);
    return 0;
}

static int submit(void *user, uint64_t token, struct onward_relay *relay,
                  size_t index)
{
    struct post *p = user;

    (void)relay;
    (void)index;
    FUZZ_CHECK(onward_relay_submission_answer(p->desk, token, 0) == 0);
    return 0;
}

static void done(void *user, struct onward_relay *relay)
{
    (void)relay;
    ((struct post *)user)->done++;
}

static int handle(void *user, uint64_t token, struct onward_event *event)
{
    struct post *p = user;
    char why[512];

    if (handler_apply(fuzz_ctx(), event, NULL, p->answer, why, sizeof(why)) ==
        0)
        return onward_event_done(p->desk, token);
    FUZZ_CHECK(strlen(why) > 0);
    return onward_event_fail(p->desk, token, onward_str_of(why));
}

/* ---- What leaves ------------------------------------------------------- */

static char *read_all(const struct onward_source *source, size_t *len)
{
    char *text = malloc((size_t)source->len + 1);
    size_t at = 0, got = 0;

    FUZZ_CHECK(text != NULL);
    while (at < source->len) {
        FUZZ_CHECK(source->read(source->user, at, text + at,
                                (size_t)source->len - at, &got) == 0);
        at += got;
    }
    *len = at;
    return text;
}

static size_t count(const struct onward_header *h, const char *name)
{
    return onward_header_count_named(h, onward_str_of(name));
}

/* The header of it, read anew. */
static struct onward_header *parse(const char *text, size_t len)
{
    struct onward_header *h = NULL;
    size_t taken;

    FUZZ_CHECK(onward_header_new(fuzz_ctx(), &h) == 0);
    FUZZ_CHECK(onward_header_feed(h, text, len, &taken) >= 0);
    FUZZ_CHECK(onward_header_finish(h) == 0);
    FUZZ_CHECK(!onward_header_is_malformed(h));
    return h;
}

static void check_copies(const struct post *p)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};

    for (size_t i = 0; onward_relay_delivery_at(p->relay, i, &d) == 0; i++) {
        struct onward_header *h;
        size_t len;
        char *text;

        FUZZ_CHECK(
            onward_str_equal(d.recipient, ONWARD_STR("me@dest.example")) ||
            onward_str_equal(d.recipient, ONWARD_STR("two@dest.example")));
        text = read_all(d.source, &len);
        FUZZ_CHECK(len > sizeof(message) - 1 &&
                   memcmp(text + len - (sizeof(message) - 1), message,
                          sizeof(message) - 1) == 0);
        h = parse(text, len);
        FUZZ_CHECK(count(h, "Received") == 1);
        FUZZ_CHECK(count(h, "Authentication-Results") == 1);
        FUZZ_CHECK(count(h, "Delivered-To") == 1);
        FUZZ_CHECK(count(h, "DKIM-Signature") == 0);
        FUZZ_CHECK(count(h, "From") == 1 && count(h, "Message-ID") == 1);
        onward_header_free(h);
        free(text);
    }
}

static void check_letters(const struct post *p)
{
    struct onward_relay_submission s = {.size = sizeof(s)};
    size_t replies = 0;

    for (size_t i = 0; onward_relay_submission_at(p->relay, i, &s) == 0; i++) {
        size_t len;
        char *text = read_all(s.source, &len);
        struct onward_header *h = parse(text, len);

        FUZZ_CHECK(count(h, "Received") == 0 && count(h, "Bcc") == 0);
        FUZZ_CHECK(count(h, "From") == 1 && count(h, "Message-ID") == 1);
        FUZZ_CHECK(s.rcpt_count > 0);
        if (s.kind == ONWARD_RELAY_SUBMISSION_REPLY) {
            replies++;
            FUZZ_CHECK(count(h, "Auto-Submitted") == 1);
            FUZZ_CHECK(
                onward_str_equal(onward_relay_submission_rcpt(p->relay, i, 0),
                                 ONWARD_STR("ann@a.example")));
        }
        onward_header_free(h);
        free(text);
    }
    FUZZ_CHECK(replies <= 1);
}

/* ---- The transaction --------------------------------------------------- */

static void make(struct post *p)
{
    const struct onward_resolver_opts ro = {.size = sizeof(ro),
                                            .allow_only_loaded = 1};
    const struct onward_relay_host host = {.size = sizeof(host),
                                           .user = p,
                                           .deliver = deliver,
                                           .done = done,
                                           .handle = handle,
                                           .submit = submit};
    const struct onward_relay_envelope envelope = {
        .size = sizeof(envelope), .reverse_path = ONWARD_STR("ann@a.example")};
    struct onward_relay_opts o = {.size = sizeof(o),
                                  .hostname = ONWARD_STR("mx.example.net"),
                                  .authserv_id = ONWARD_STR("mx.example.net")};
    struct onward_verifier_opts v = {.size = sizeof(v),
                                     .authserv_id = o.authserv_id,
                                     .mail_from = envelope.reverse_path};
    struct onward_ip ip;

    FUZZ_CHECK(onward_ip_parse(ONWARD_STR("192.0.2.9"), &ip) == 0);
    v.client_ip = &ip;
    FUZZ_CHECK(onward_desk_new(fuzz_ctx(), NULL, &p->desk) == 0);
    FUZZ_CHECK(onward_resolver_new(p->desk, &ro, NULL, &p->resolver) == 0);
    FUZZ_CHECK(onward_resolver_load(p->resolver, onward_str_of(zone), NULL) ==
               0);
    FUZZ_CHECK(onward_ruleset_new(fuzz_ctx(), onward_str_of(rules_text), NULL,
                                  NULL, &p->rules) == 0);
    o.resolver = p->resolver;
    o.ruleset = p->rules;
    FUZZ_CHECK(onward_verifier_new(p->resolver, &v, NULL, &p->verifier) == 0);
    FUZZ_CHECK(onward_relay_new(p->desk, &o, &envelope, &host, &p->relay) == 0);
    FUZZ_CHECK(onward_memory_source_new(fuzz_ctx(), message,
                                        sizeof(message) - 1, &p->memory) == 0);
}

static void run(struct post *p)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply)};

    FUZZ_CHECK(onward_relay_rcpt(p->relay, ONWARD_STR("code@example.com"),
                                 &reply) == 1);
    FUZZ_CHECK(
        onward_verifier_feed(p->verifier, message, sizeof(message) - 1) == 0);
    FUZZ_CHECK(onward_verifier_finish(p->verifier) == 0);
    while (onward_desk_run(p->desk, 1) == 1)
        continue;
    FUZZ_CHECK(onward_relay_start(p->relay, p->verifier,
                                  onward_memory_source_table(p->memory),
                                  onward_str_of(received)) == 0);
    while (onward_desk_run(p->desk, 1) == 1)
        continue;
    FUZZ_CHECK(p->done == 1);
    FUZZ_CHECK(onward_relay_reply(p->relay, &reply) == 0);
    FUZZ_CHECK(reply.code == 250 || (reply.code >= 400 && reply.code < 600));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct post p = {.answer = {(const char *)data, size}};

    make(&p);
    run(&p);
    check_copies(&p);
    check_letters(&p);
    onward_relay_free(p.relay);
    onward_memory_source_free(p.memory);
    onward_verifier_free(p.verifier);
    onward_ruleset_free(p.rules);
    onward_resolver_free(p.resolver);
    onward_desk_free(p.desk);
    return 0;
}
