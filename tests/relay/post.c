#include "relay/post.h"

const char t_post_plain[] = "From: Ann <ann@a.example>\r\n"
                            "To: me@example.com\r\n"
                            "Subject: hi\r\n"
                            "\r\n"
                            "Hello.\r\n"
                            ".\r\n"
                            "\r\n";

static const char rules_text[] =
    "{\"version\":1,\"zones\":[{\"name\":\"example.com\","
    "\"settings\":{\"support_subaddress\":true},\"rules\":["
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"me@example.com\"}],\"actions\":[{\"type\":\"forward\",\"value\":"
    "[\"me@dest.example\"]}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"alias@example.com\"}],\"actions\":[{\"type\":\"forward\",\"value\":"
    "[\"me@dest.example\"]}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"all@example.com\"}],\"actions\":[{\"type\":\"forward\",\"value\":"
    "[\"one@dest.example\",\"two@dest.example\",\"three@dest.example\"]}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"loop@example.com\"}],\"actions\":[{\"type\":\"forward\",\"value\":"
    "[\"loop@example.com\"]}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"gone@example.com\"}],\"actions\":[{\"type\":\"reject\",\"code\":521,"
    "\"enhanced\":\"5.1.6\",\"text\":\"Moved away\"}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"code@example.com\"}],\"actions\":[{\"type\":\"worker\",\"value\":"
    "[\"robot\"]}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"other@example.com\"}],\"actions\":[{\"type\":\"worker\",\"value\":"
    "[\"other\"]}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"more@example.com\"}],\"actions\":[{\"type\":\"worker\",\"value\":"
    "[\"robot\"]}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"new@example.com\"}],\"actions\":[{\"type\":\"forward\",\"value\":"
    "[\"new@dest.example\"]}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"slow@example.com\"}],\"actions\":[{\"type\":\"forward\",\"value\":"
    "[\"slow@dest.example\"]}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"null@example.com\"}],\"actions\":[{\"type\":\"drop\"}]},"
    "{\"matchers\":[{\"type\":\"literal\",\"field\":\"to\",\"value\":"
    "\"postmaster@mx.example.com\"}],\"actions\":[{\"type\":\"forward\","
    "\"value\":[\"me@dest.example\"]}]}"
    "]}],\"addresses\":["
    "{\"email\":\"me@dest.example\",\"verified\":true},"
    "{\"email\":\"one@dest.example\",\"verified\":true},"
    "{\"email\":\"two@dest.example\",\"verified\":true},"
    "{\"email\":\"three@dest.example\",\"verified\":true},"
    "{\"email\":\"loop@example.com\",\"verified\":true},"
    "{\"email\":\"code@example.com\",\"verified\":true},"
    "{\"email\":\"more@example.com\",\"verified\":true},"
    "{\"email\":\"other@example.com\",\"verified\":true},"
    "{\"email\":\"new@dest.example\",\"verified\":null}]}";

/* a: strict; n: asks for nothing; t: its SPF and DMARC cannot be known; s: its
 * SPF cannot; e: has neither. fwd.net and example.com are ours. */
static const char records[] =
    "a.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
    "_dmarc.a.example TXT \"v=DMARC1; p=reject\"\n"
    "n.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
    "_dmarc.n.example TXT \"v=DMARC1; p=none\"\n"
    "t.example TXT !SERVFAIL\n"
    "_dmarc.t.example TXT !SERVFAIL\n"
    "u.example TXT \"v=spf1 ip4:192.0.2.9 -all\"\n"
    "_dmarc.u.example TXT !SERVFAIL\n"
    "s.example TXT !SERVFAIL\n"
    "e.example A 192.0.2.77\n"
    "_dmarc.fwd.net TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.strict.fwd.net TXT \"v=DMARC1; p=none; aspf=s\"\n"
    "_dmarc.other.net TXT \"v=DMARC1; p=none\"\n"
    "_dmarc.broken.net TXT !SERVFAIL\n"
    "_dmarc.example.com TXT \"v=DMARC1; p=none\"\n";

/* ---- The host ---------------------------------------------------------- */

static struct onward_smtp_reply parse_reply(const char *text)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    size_t enhanced = strcspn(text + 4, " ");

    reply.code = (size_t)strtoul(text, NULL, 10);
    reply.enhanced = (struct onward_str){text + 4, enhanced};
    reply.text = onward_str_of(text + 4 + enhanced + 1);
    return reply;
}

static void free_relay(struct t_post *x)
{
    struct onward_relay *relay = x->relay;

    x->relay = NULL;
    onward_relay_free(relay);
}

static int deliver(void *user, uint64_t token, struct onward_relay *relay,
                   size_t index)
{
    struct t_post *x = user;

    assert_true(index < T_POST_MAX);
    assert_ptr_equal(relay, x->relay);
    x->tokens[index] = token;
    x->asked_count++;
    if (x->frees_in_deliver)
        free_relay(x);
    else if (x->answers[index] != NULL)
        assert_int_equal(t_post_answer(x, index, x->answers[index]), 0);
    if (x->frees_desk_in_deliver) {
        onward_desk_free(x->desk);
        x->desk = NULL;
    }
    return x->deliver_returns;
}

static void cancel(void *user, uint64_t token)
{
    struct t_post *x = user;

    assert_true(x->canceled_count < T_POST_MAX);
    x->canceled[x->canceled_count++] = token;
    if (x->frees_in_cancel)
        free_relay(x);
}

static void done(void *user, struct onward_relay *relay)
{
    struct t_post *x = user;

    assert_ptr_equal(relay, x->relay);
    x->done++;
    if (x->frees_in_done)
        free_relay(x);
}

static int handle(void *user, uint64_t token, struct onward_event *event)
{
    struct t_post *x = user;

    x->handled_count++;
    x->handler_token = token;
    x->event = event;
    assert_ptr_equal(onward_event_find(x->desk, token), event);
    return x->handler(x, token, event);
}

static void acted(void *user, struct onward_event *event, size_t action)
{
    struct t_post *x = user;

    x->acted_count++;
    if (x->acted != NULL)
        x->acted(x, event, action);
}

static int submit(void *user, uint64_t token, struct onward_relay *relay,
                  size_t index)
{
    struct t_post *x = user;

    assert_ptr_equal(relay, x->relay);
    assert_true(index < onward_relay_submission_count(relay));
    x->submitted_count++;
    x->submission_token = token;
    if (x->submit_returns == 0 && x->submit_status != ONWARD_AGAIN)
        assert_int_equal(
            onward_relay_submission_answer(x->desk, token, x->submit_status),
            0);
    return x->submit_returns;
}

static int may_send(void *user, struct onward_event *event, size_t kind,
                    const char *to, size_t len)
{
    struct t_post *x = user;

    assert_ptr_equal(event, x->event);
    assert_true(kind == ONWARD_RELAY_SUBMISSION_REPLY ||
                kind == ONWARD_RELAY_SUBMISSION_SEND);
    assert_true(len > 3 && memchr(to, '@', len) != NULL);
    return x->may_send;
}

static int is_verified(void *user, const char *address, size_t len)
{
    (void)user;
    return len == 17 && memcmp(address, "slow@dest.example", len) == 0 ? -1 : 0;
}

/* ---- Life -------------------------------------------------------------- */

static bool open_signer(struct t_post *x)
{
    unsigned char seed[32];
    struct onward_key *key = NULL;
    int err;

    memset(seed, 7, sizeof(seed));
    err = onward_key_from_ed25519_seed(x->w->ctx, seed, sizeof(seed), &key);
    if (err == 0)
        err = onward_signer_new(x->desk, key, NULL, &x->signer);
    onward_key_free(key);
    return err == 0;
}

bool t_post_open_in(struct t_post *x, struct t_world *w)
{
    const struct onward_resolver_opts o = {.size = sizeof(o),
                                           .allow_only_loaded = 1};
    const struct onward_str secret = ONWARD_STR("tops3cr3t");

    *x = (struct t_post){.w = w, .client_ip = "192.0.2.9"};
    if (onward_desk_new(w->ctx, NULL, &x->desk) != 0 ||
        onward_resolver_new(x->desk, &o, NULL, &x->resolver) != 0 ||
        onward_resolver_load(x->resolver, onward_str_of(records), NULL) != 0 ||
        onward_ruleset_new(w->ctx, onward_str_of(rules_text), NULL, NULL,
                           &x->rules) != 0 ||
        onward_srs_new(w->ctx, &secret, 1, NULL, &x->srs) != 0 ||
        onward_memstore_new(w->ctx, NULL, &x->mem) != 0 ||
        onward_memstore_open(x->mem, x->desk, NULL, &x->store) != 0 ||
        !open_signer(x))
        return false;
    x->facts = (struct onward_ruleset_facts){
        .size = sizeof(x->facts), .user = x, .destination = is_verified};
    x->opts =
        (struct onward_relay_opts){.size = sizeof(x->opts),
                                   .resolver = x->resolver,
                                   .ruleset = x->rules,
                                   .facts = &x->facts,
                                   .srs = x->srs,
                                   .store = x->store,
                                   .signer = x->signer,
                                   .hostname = ONWARD_STR("mx.example.com"),
                                   .authserv_id = ONWARD_STR("mx.example.com"),
                                   .srs_domain = ONWARD_STR("fwd.net"),
                                   .seal_domain = ONWARD_STR("example.com"),
                                   .seal_selector = ONWARD_STR("arc")};
    return true;
}

void t_post_open(struct t_post *x)
{
    static struct t_world world; /* x is overwritten whole */

    memset(&world, 0, sizeof(world));
    t_world_init(&world);
    assert_true(t_post_open_in(x, &world));
    x->owns_world = true;
}

void t_post_reset(struct t_post *x)
{
    free_relay(x);
    onward_memory_source_free(x->memory);
    x->memory = NULL;
    onward_verifier_free(x->verifier);
    x->verifier = NULL;
    x->asked_count = x->canceled_count = 0;
    x->done = 0;
    free(x->sent);
    x->sent = NULL;
}

void t_post_close(struct t_post *x)
{
    struct t_world *w = x->w;

    t_post_reset(x);
    onward_signer_free(x->signer);
    onward_store_free(x->store);
    onward_memstore_free(x->mem);
    onward_srs_free(x->srs);
    onward_ruleset_free(x->rules);
    onward_resolver_free(x->resolver);
    onward_desk_free(x->desk);
    if (x->owns_world)
        t_world_clear(w);
}

/* ---- A transaction ----------------------------------------------------- */

int t_post_mail(struct t_post *x, const char *from)
{
    const struct onward_relay_envelope envelope = {
        .size = sizeof(envelope),
        .reverse_path = onward_str_of(from),
        .smtputf8 = x->smtputf8,
        .require_tls = x->require_tls};
    const struct onward_relay_host host = {
        .size = sizeof(host),
        .user = x,
        .deliver = deliver,
        .cancel = cancel,
        .done = done,
        .handle = x->handler == NULL ? NULL : handle,
        .acted = acted,
        .submit = x->takes_submissions ? submit : NULL,
        .may_send = may_send};
    struct onward_verifier_opts v = {.size = sizeof(v),
                                     .authserv_id = x->opts.authserv_id,
                                     .helo = ONWARD_STR("mail.a.example"),
                                     .mail_from = onward_str_of(from),
                                     .dmarc_reject_policy =
                                         ONWARD_DMARC_REJECT_SERVICE};
    struct onward_ip ip;
    int err;

    assert_int_equal(onward_ip_parse(onward_str_of(x->client_ip), &ip), 0);
    v.client_ip = &ip;
    err = onward_verifier_new(x->resolver, &v, NULL, &x->verifier);
    if (err == 0)
        err = onward_relay_new(x->desk, &x->opts, &envelope, &host, &x->relay);
    return err;
}

int t_post_rcpt(struct t_post *x, const char *to)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    int ret = onward_relay_rcpt(x->relay, onward_str_of(to), &reply);

    snprintf(x->reply, sizeof(x->reply), "%s", onward_error_name(ret));
    if (ret >= 0)
        snprintf(x->reply, sizeof(x->reply), "%zu %.*s %.*s", reply.code,
                 (int)reply.enhanced.len, reply.enhanced.data,
                 (int)reply.text.len, reply.text.data);
    return ret;
}

void t_post_run(struct t_post *x)
{
    while (x->desk != NULL && onward_desk_run(x->desk, x->now_ms) == 1)
        continue;
}

int t_post_data(struct t_post *x, const char *message)
{
    return t_post_data_n(x, message, strlen(message));
}

int t_post_data_n(struct t_post *x, const char *message, size_t len)
{
    const struct onward_source *source;
    int err = onward_memory_source_new(x->w->ctx, message, len, &x->memory);

    if (err == 0)
        err = onward_verifier_feed(x->verifier, message, len);
    if (err == 0)
        err = onward_verifier_finish(x->verifier);
    if (err != 0)
        return err;
    t_post_run(x);
    assert_int_equal(onward_verifier_is_done(x->verifier), 1);
    source =
        x->source != NULL ? x->source : onward_memory_source_table(x->memory);
    err = onward_relay_start(x->relay, x->verifier, source,
                             ONWARD_STR(T_POST_RECEIVED));
    for (int i = 0; i < 2 && err == 0 && x->dkim != NULL; i++)
        err = onward_relay_add_signature(x->relay, x->signer, x->dkim);
    if (err == 0)
        t_post_run(x);
    return err;
}

const char *t_post_reply(struct t_post *x)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply)};

    if (x->relay == NULL)
        return "freed";
    if (onward_relay_reply(x->relay, &reply) != 0)
        return "pending";
    snprintf(x->reply, sizeof(x->reply), "%zu %.*s %.*s", reply.code,
             (int)reply.enhanced.len,
             reply.enhanced.len == 0 ? "" : reply.enhanced.data,
             (int)reply.text.len, reply.text.len == 0 ? "" : reply.text.data);
    return x->reply;
}

const char *t_post_send(struct t_post *x, const char *from, const char *to,
                        const char *message)
{
    t_post_reset(x);
    assert_int_equal(t_post_mail(x, from), 0);
    if (t_post_rcpt(x, to) != 1)
        return x->reply;
    assert_int_equal(t_post_data(x, message), 0);
    return t_post_reply(x);
}

int t_post_answer(struct t_post *x, size_t index, const char *text)
{
    const struct onward_smtp_reply reply = parse_reply(text);

    return onward_relay_delivery_answer(x->desk, x->tokens[index], &reply);
}

static const char *read_all(struct t_post *x,
                            const struct onward_source *source)
{
    uint64_t at = 0;

    assert_non_null(source);
    free(x->sent);
    x->sent = malloc((size_t)source->len + 1);
    assert_non_null(x->sent);
    while (at < source->len) {
        size_t got = 0;

        assert_int_equal(source->read(source->user, at, x->sent + at, 11, &got),
                         0);
        assert_in_range(got, 1, 11);
        at += got;
    }
    x->sent[at] = '\0';
    return x->sent;
}

const char *t_post_sent_to(struct t_post *x, size_t index)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};

    assert_int_equal(onward_relay_delivery_at(x->relay, index, &d), 0);
    return read_all(x, d.source);
}

const char *t_post_sent(struct t_post *x)
{
    return t_post_sent_to(x, 0);
}

const char *t_post_submitted(struct t_post *x, size_t index)
{
    struct onward_relay_submission s = {.size = sizeof(s)};

    assert_int_equal(onward_relay_submission_at(x->relay, index, &s), 0);
    return read_all(x, s.source);
}

const char *t_post_fate(struct t_post *x, size_t i)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};

    assert_int_equal(onward_relay_delivery_at(x->relay, i, &d), 0);
    snprintf(x->reply, sizeof(x->reply), "%.*s %s", (int)d.recipient.len,
             d.recipient.data, onward_relay_fate_name((int)d.fate));
    return x->reply;
}
