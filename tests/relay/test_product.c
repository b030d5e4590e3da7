/* What the forwarding service that we follow is seen to do, by the rows of the
 * list of its behaviour: each test is named for its row. */
#include "relay/post.h"

enum { WEEK_S = 7 * 86400 };

/* ---- Keys and messages --------------------------------------------------- */

static struct onward_signer *rsa_signer(struct t_post *x)
{
    struct onward_signer *signer = NULL;
    struct onward_key *key = NULL;
    size_t len;
    char *pem = t_read_file(t_data("key/rsa2048.pem"), &len);

    assert_non_null(pem);
    assert_int_equal(onward_key_from_pem(
                         x->w->ctx, (struct onward_str){pem, len}, NULL, &key),
                     0);
    assert_int_equal(onward_signer_new(x->desk, key, NULL, &signer), 0);
    onward_key_free(key);
    free(pem);
    return signer;
}

static void publish(struct t_post *x, const char *name,
                    struct onward_signer *signer)
{
    char text[1000], record[1200];

    assert_true(onward_dkim_record(onward_signer_public(signer), NULL, text,
                                   sizeof(text)) > 0);
    snprintf(record, sizeof(record), "%s TXT \"%.200s\" \"%s\"\n", name, text,
             strlen(text) > 200 ? text + 200 : "");
    assert_int_equal(
        onward_resolver_load(x->resolver, onward_str_of(record), NULL), 0);
}

static void signed_now(void *user, struct onward_dkim_signer *signer,
                       int status)
{
    (void)signer;
    assert_int_equal(status, 0);
    ++*(int *)user;
}

/* The message with a signature of d=domain s=s on top; free() it. */
static char *sign(struct t_post *x, struct onward_signer *key,
                  const char *domain, const char *message)
{
    const struct onward_dkim_signer_opts o = {.size = sizeof(o),
                                              .domain = onward_str_of(domain),
                                              .selector = ONWARD_STR("s")};
    struct onward_dkim_signer *signer = NULL;
    int done = 0;
    const struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = &done, .done = signed_now};
    struct onward_str field;
    size_t len = strlen(message);
    char *whole;

    assert_int_equal(onward_dkim_signer_new(key, &o, &host, &signer), 0);
    assert_int_equal(onward_dkim_signer_feed(signer, message, len), 0);
    assert_int_equal(onward_dkim_signer_finish(signer), 0);
    t_post_run(x);
    assert_int_equal(done, 1);
    field = onward_dkim_signer_field(signer);
    whole = malloc(field.len + len + 1);
    assert_non_null(whole);
    memcpy(whole, field.data, field.len);
    memcpy(whole + field.len, message, len + 1);
    onward_dkim_signer_free(signer);
    return whole;
}

/* ---- Fields of what was sent --------------------------------------------- */

/* The value of field number n of that name, without folds and blanks around
 * words doubled. */
static const char *field(const char *message, const char *name, int n)
{
    static char out[4096];
    size_t at = 0, name_len = strlen(name);
    const char *line = message;

    for (; line != NULL; line = strstr(line, "\r\n")) {
        if (line != message)
            line += 2;
        if (strncmp(line, name, name_len) == 0 && line[name_len] == ':' &&
            n-- == 0)
            break;
    }
    assert_non_null(line);
    for (line += name_len + 1; *line != '\0'; line++) {
        if (line[0] == '\r' && line[1] == '\n' && line[2] != ' ' &&
            line[2] != '\t')
            break;
        if (strchr(" \t\r\n", *line) == NULL)
            out[at++] = *line;
        else if (at > 0 && out[at - 1] != ' ')
            out[at++] = ' ';
        assert_true(at < sizeof(out) - 1);
    }
    out[at] = '\0';
    return out;
}

/* The tag's value, blanks taken out of it. */
static const char *tag(const char *value, const char *name)
{
    static char out[2048];
    size_t at = 0, name_len = strlen(name);

    for (; value != NULL; value = strchr(value, ';')) {
        value += strspn(value, "; ");
        if (strncmp(value, name, name_len) == 0 && value[name_len] == '=')
            break;
    }
    if (value == NULL)
        return "none";
    for (value += name_len + 1; *value != '\0' && *value != ';'; value++) {
        if (*value != ' ')
            out[at++] = *value;
        assert_true(at < sizeof(out) - 1);
    }
    out[at] = '\0';
    return out;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* ---- 57: SPF or DKIM must pass to be forwarded --------------------------- */

static void test_row_57_spf_or_dkim_must_pass(void **state)
{
    static const char message[] = "From: bob@n.example\r\n\r\nHello.\r\n";
    struct t_post x;
    char *whole;

    (void)state;
    t_post_open(&x);
    publish(&x, "s._domainkey.e.example", x.signer);
    x.answers[0] = "250 2.0.0 Taken";
    whole = sign(&x, x.signer, "e.example", message);
    /* SPF alone, of any domain. */
    assert_string_equal(
        t_post_send(&x, "bob@n.example", "me@example.com", message),
        "250 2.0.0 Taken");
    /* DKIM alone, of any domain. */
    x.client_ip = "192.0.2.10";
    assert_string_equal(
        t_post_send(&x, "bob@n.example", "alias@example.com", whole),
        "250 2.0.0 Taken");
    /* Neither; a signature that does not verify is none. */
    assert_string_equal(
        t_post_send(&x, "bob@n.example", "me@example.com", message),
        "550 5.7.26 Message passes neither SPF nor DKIM");
    whole[strlen(whole) - 4] = '!';
    assert_string_equal(
        t_post_send(&x, "bob@n.example", "me@example.com", whole),
        "550 5.7.26 Message passes neither SPF nor DKIM");
    /* It can be turned off. */
    x.opts.allow_unauthenticated = 1;
    t_post_send(&x, "bob@n.example", "all@example.com", whole);
    assert_int_equal(x.asked_count, 3);
    free(whole);
    t_post_close(&x);
}

/* ---- 58: DMARC ------------------------------------------------------------
 */

static void test_row_58_dmarc_is_enforced(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.answers[0] = "250 2.0.0 Taken";
    assert_string_equal(
        t_post_send(&x, "bob@n.example", "me@example.com",
                    "From: ann@a.example\r\n\r\nHello.\r\n"),
        "550 5.7.1 Rejected as the DMARC policy of a.example asks for");
    t_post_close(&x);
}

/* The service calls this dmarc=none. We call it fail, as RFC 8601 section 2.7.1
 * has it: none is for a domain without a policy. */
static void test_row_58_unaligned_under_none_is_forwarded_as_fail(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.answers[0] = "250 2.0.0 Taken";
    assert_string_equal(t_post_send(&x, "ann@a.example", "me@example.com",
                                    "From: bob@n.example\r\n\r\nHello.\r\n"),
                        "250 2.0.0 Taken");
    assert_non_null(
        strstr(field(t_post_sent(&x), "ARC-Authentication-Results", 0),
               "; dmarc=fail reason=\"no aligned identifier passed\" "
               "header.from=n.example policy.dmarc=none;"));
    t_post_close(&x);
}

/* ---- 66, 67: DKIM on a forward ------------------------------------------- */

static const char plain[] = "Received: from somewhere\r\n"
                            "To: me@example.com\r\n"
                            "Message-ID: <1@a.example>\r\n"
                            "Subject: hi\r\n"
                            "From: Ann <ann@a.example>\r\n"
                            "Date: Fri, 11 Jul 2025 21:00:00 +0000\r\n"
                            "MIME-Version: 1.0\r\n"
                            "Content-Type: text/plain\r\n"
                            "Feedback-ID: x\r\n"
                            "\r\n"
                            "Hello.\r\n";

static int add(struct t_post *x, struct onward_signer *key, const char *domain)
{
    const struct onward_dkim_signer_opts o = {.size = sizeof(o),
                                              .domain = onward_str_of(domain),
                                              .selector = ONWARD_STR("cf"),
                                              .expire_s = WEEK_S,
                                              .listing =
                                                  ONWARD_DKIM_LISTING_SERVICE};

    return onward_relay_add_signature(x->relay, key, &o);
}

/* As t_post_send(), with two signatures asked for. */
static void forward_signed(struct t_post *x, struct onward_signer *key,
                           const char *message)
{
    size_t len = strlen(message);

    t_post_reset(x);
    assert_int_equal(t_post_mail(x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(x, "me@example.com"), 1);
    assert_int_equal(add(x, key, "service.example"), ONWARD_ESTATE);
    assert_int_equal(
        onward_memory_source_new(x->w->ctx, message, len, &x->memory), 0);
    assert_int_equal(onward_verifier_feed(x->verifier, message, len), 0);
    assert_int_equal(onward_verifier_finish(x->verifier), 0);
    t_post_run(x);
    assert_int_equal(onward_relay_start(x->relay, x->verifier,
                                        onward_memory_source_table(x->memory),
                                        ONWARD_STR(T_POST_RECEIVED)),
                     0);
    assert_int_equal(add(x, key, "service.example"), 0);
    assert_int_equal(add(x, key, "example.com"), 0);
    t_post_run(x);
    if (x->asked_count > 0)
        assert_int_equal(add(x, key, "example.org"), ONWARD_ESTATE);
}

/* DKIM of what was sent: "pass service.example, ...". */
static void check_signatures(struct t_post *x, const char *const *want,
                             size_t count)
{
    const struct onward_verifier_opts o = {
        .size = sizeof(o), .authserv_id = ONWARD_STR("mx.dest.example")};
    struct onward_arc_verdict chain = {.size = sizeof(chain)};
    struct onward_verifier *v = NULL;
    char got[300];

    assert_int_equal(onward_verifier_new(x->resolver, &o, NULL, &v), 0);
    assert_int_equal(onward_verifier_feed(v, x->sent, strlen(x->sent)), 0);
    assert_int_equal(onward_verifier_finish(v), 0);
    t_post_run(x);
    assert_int_equal(onward_verifier_dkim_count(v), count);
    for (size_t i = 0; i < count; i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        assert_int_equal(onward_verifier_dkim(v, i, &s), 0);
        snprintf(got, sizeof(got), "%s %.*s %.*s",
                 onward_dkim_result_name((int)s.result), (int)s.domain.len,
                 s.domain.data, (int)s.algorithm_text.len,
                 s.algorithm_text.data);
        assert_string_equal(got, want[i]);
    }
    assert_int_equal(onward_verifier_arc(v, &chain), 0);
    assert_int_equal(chain.result, ONWARD_ARC_PASS);
    onward_verifier_free(v);
}

static void test_row_66_two_signatures_on_a_forward(void **state)
{
    static const char *const want[] = {"pass service.example rsa-sha256",
                                       "pass example.com rsa-sha256",
                                       "pass a.example ed25519-sha256"};
    struct onward_signer *key;
    struct t_post x;
    char *original;

    (void)state;
    t_post_open(&x);
    key = rsa_signer(&x);
    publish(&x, "cf._domainkey.service.example", key);
    publish(&x, "cf._domainkey.example.com", key);
    publish(&x, "s._domainkey.a.example", x.signer);
    publish(&x, "arc._domainkey.example.com", x.signer);
    original = sign(&x, x.signer, "a.example", plain);
    forward_signed(&x, key, original);
    assert_int_equal(x.asked_count, 1);
    t_post_sent(&x);
    assert_memory_equal(x.sent, "DKIM-Signature: ", 16);
    assert_true(strstr(x.sent, "\nARC-Seal:") <
                strstr(x.sent, "\nAuthentication-Results:"));
    for (int i = 0; i < 2; i++) {
        const char *value = field(x.sent, "DKIM-Signature", i);
        long long time;

        assert_string_equal(tag(value, "s"), "cf");
        assert_string_equal(tag(value, "a"), "rsa-sha256");
        assert_string_equal(tag(value, "c"), "relaxed/relaxed");
        time = strtoll(tag(value, "t"), NULL, 10);
        assert_int_equal(strtoll(tag(value, "x"), NULL, 10), time + WEEK_S);
    }
    /* The original is kept, octet for octet, and all of it verifies. */
    assert_string_equal(x.sent + strlen(x.sent) - strlen(original), original);
    check_signatures(&x, want, 3);
    free(original);
    onward_signer_free(key);
    t_post_close(&x);
}

static int refuse_to_sign(void *user,
                          const struct onward_sign_question *question)
{
    (void)user;
    (void)question;
    return -1;
}

static void test_row_66_a_key_that_fails_defers(void **state)
{
    const struct onward_signer_host host = {.size = sizeof(host),
                                            .sign = refuse_to_sign};
    struct onward_signer *key = NULL;
    struct t_post x;

    (void)state;
    t_post_open(&x);
    assert_int_equal(onward_signer_new_host(x.desk,
                                            onward_signer_public(x.signer),
                                            &host, NULL, &key),
                     0);
    forward_signed(&x, key, plain);
    assert_string_equal(t_post_reply(&x),
                        "451 4.3.0 Local error, try again later");
    assert_int_equal(onward_relay_reason(x.relay), ONWARD_RELAY_REASON_SEAL);
    assert_int_equal(x.asked_count, 0);
    onward_signer_free(key);
    t_post_close(&x);
}

static void test_row_66_what_is_no_wish_for_a_signature(void **state)
{
    struct onward_dkim_signer_opts o[5];
    struct onward_signer *foreign = NULL;
    struct onward_desk *desk = NULL;
    struct onward_key *key = NULL;
    unsigned char seed[32] = {1};
    struct t_post x;

    (void)state;
    t_post_open(&x);
    for (size_t i = 0; i < 5; i++)
        o[i] =
            (struct onward_dkim_signer_opts){.size = sizeof(o[i]),
                                             .domain = ONWARD_STR("a.example"),
                                             .selector = ONWARD_STR("s")};
    o[0].use_simple_body = 1;
    o[1].body_hash = ONWARD_STR("0123456789abcdef0123456789abcdef");
    o[2].log_id = 1;
    o[3].selector.len = 0;
    assert_int_equal(onward_desk_new(x.w->ctx, NULL, &desk), 0);
    assert_int_equal(onward_key_from_ed25519_seed(x.w->ctx, seed, 32, &key), 0);
    assert_int_equal(onward_signer_new(desk, key, NULL, &foreign), 0);
    assert_int_equal(t_post_mail(&x, "ann@a.example"), 0);
    assert_int_equal(t_post_rcpt(&x, "me@example.com"), 1);
    assert_int_equal(
        onward_memory_source_new(x.w->ctx, plain, strlen(plain), &x.memory), 0);
    assert_int_equal(onward_verifier_feed(x.verifier, plain, strlen(plain)), 0);
    assert_int_equal(onward_verifier_finish(x.verifier), 0);
    t_post_run(&x);
    assert_int_equal(onward_relay_start(x.relay, x.verifier,
                                        onward_memory_source_table(x.memory),
                                        ONWARD_STR(T_POST_RECEIVED)),
                     0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(onward_relay_add_signature(x.relay, x.signer, &o[i]),
                         ONWARD_EINVAL);
    assert_int_equal(onward_relay_add_signature(x.relay, foreign, &o[4]),
                     ONWARD_EINVAL);
    assert_int_equal(onward_relay_add_signature(x.relay, NULL, &o[4]),
                     ONWARD_EINVAL);
    assert_int_equal(onward_relay_add_signature(x.relay, x.signer, NULL),
                     ONWARD_EINVAL);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(onward_relay_add_signature(x.relay, x.signer, &o[4]),
                         0);
    assert_int_equal(onward_relay_add_signature(x.relay, x.signer, &o[4]),
                     ONWARD_ELIMIT);
    t_post_run(&x);
    assert_int_equal(x.asked_count, 1);
    assert_int_equal(count_of(t_post_sent(&x), "DKIM-Signature:"), 8);
    onward_signer_free(foreign);
    onward_key_free(key);
    onward_desk_free(desk);
    t_post_close(&x);
}

/* Two From fields that the host lets in: nobody vouches for them. */
static void test_row_66_what_cannot_be_signed_goes_without(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    x.opts.allow_dmarc_reject = 1;
    forward_signed(&x, x.signer,
                   "From: a@a.example\r\nFrom: b@b.example\r\n\r\nHello.\r\n");
    assert_int_equal(x.asked_count, 1);
    assert_int_equal(count_of(t_post_sent(&x), "DKIM-Signature:"), 0);
    t_post_close(&x);
}

#define TAIL                                                                   \
    "reply-to:cc:resent-date:resent-from:resent-to:resent-cc:in-reply-to:"     \
    "references:list-id:list-help:list-unsubscribe:list-unsubscribe-post:"     \
    "list-subscribe:list-post:list-owner:list-archive"

static void test_row_67_the_signed_fields(void **state)
{
    struct t_post x;

    (void)state;
    t_post_open(&x);
    forward_signed(&x, x.signer, plain);
    t_post_sent(&x);
    assert_string_equal(tag(field(x.sent, "DKIM-Signature", 0), "h"),
                        "To:Subject:From:Date:Feedback-ID:" TAIL);
    /* Each as often as it occurs, and nothing twice in the tail. */
    forward_signed(&x, x.signer,
                   "Cc: c@c.example\r\nFrom: a@a.example\r\n"
                   "cc: d@d.example\r\nList-Id: <l>\r\n\r\nHello.\r\n");
    t_post_sent(&x);
    assert_string_equal(
        tag(field(x.sent, "DKIM-Signature", 0), "h"),
        "Cc:From:cc:List-Id:to:subject:date:feedback-id:reply-to:resent-date:"
        "resent-from:resent-to:resent-cc:in-reply-to:references:list-help:"
        "list-unsubscribe:list-unsubscribe-post:list-subscribe:list-post:"
        "list-owner:list-archive");
    t_post_close(&x);
}

/* ---- 68: the ARC set ------------------------------------------------------
 */

static void test_row_68_the_arc_set(void **state)
{
    struct t_post x;
    const char *value;
    long long time;

    (void)state;
    t_post_open(&x);
    x.opts.seal_expire_s = WEEK_S;
    x.opts.seal_listing = ONWARD_DKIM_LISTING_SERVICE;
    x.opts.omit_seal_time = 1;
    publish(&x, "arc._domainkey.example.com", x.signer);
    t_post_send(&x, "ann@a.example", "me@example.com", plain);
    t_post_sent(&x);
    value = field(x.sent, "ARC-Message-Signature", 0);
    assert_string_equal(tag(value, "i"), "1");
    assert_string_equal(tag(value, "d"), "example.com");
    assert_string_equal(tag(value, "s"), "arc");
    assert_string_equal(tag(value, "c"), "relaxed/relaxed");
    assert_string_equal(
        tag(value, "h"),
        "To:Subject:From:Date:reply-to:cc:resent-date:resent-from:resent-to:"
        "resent-cc:in-reply-to:references:list-id:list-help:list-subscribe:"
        "list-post:list-owner:list-archive");
    time = strtoll(tag(value, "t"), NULL, 10);
    assert_true(time > 0);
    assert_int_equal(strtoll(tag(value, "x"), NULL, 10), time + WEEK_S);
    value = field(x.sent, "ARC-Seal", 0);
    assert_string_equal(tag(value, "t"), "none");
    assert_string_equal(tag(value, "x"), "none");
    assert_string_equal(tag(value, "cv"), "none");
    assert_memory_equal(field(x.sent, "ARC-Authentication-Results", 0),
                        "i=1; mx.example.com; ", 21);
    check_signatures(&x, NULL, 0);
    t_post_close(&x);
}

/* ---- 69: the results ------------------------------------------------------
 */

static const char *id_less(const char *value, const char *start)
{
    assert_memory_equal(value, start, strlen(start));
    return value + strlen(start);
}

static void test_row_69_the_results_are_those(void **state)
{
    char want[1000], b[9] = "";
    struct t_post x;
    char *whole;

    (void)state;
    t_post_open(&x);
    publish(&x, "s._domainkey.a.example", x.signer);
    whole = sign(&x, x.signer, "a.example", plain);
    memcpy(b, tag(field(whole, "DKIM-Signature", 0), "b"), 8);
    t_post_send(&x, "ann@a.example", "me@example.com", whole);
    t_post_sent(&x);
    snprintf(want, sizeof(want),
             "dkim=pass header.d=a.example header.s=s header.b=%s%s%s; "
             "dmarc=pass header.from=a.example policy.dmarc=reject; "
             "spf=none (mx.example.com: no SPF records found for "
             "postmaster@mail.a.example) smtp.helo=mail.a.example; "
             "spf=pass (mx.example.com: domain of ann@a.example designates "
             "192.0.2.9 as permitted sender) smtp.mailfrom=ann@a.example; "
             "arc=none smtp.remote-ip=192.0.2.9",
             strpbrk(b, "/=") != NULL ? "\"" : "", b,
             strpbrk(b, "/=") != NULL ? "\"" : "");
    assert_string_equal(id_less(field(x.sent, "ARC-Authentication-Results", 0),
                                "i=1; mx.example.com; "),
                        want);
    assert_string_equal(
        id_less(field(x.sent, "Authentication-Results", 0), "mx.example.com; "),
        want);
    /* Unsigned: there is no dkim= then. */
    t_post_send(&x, "ann@a.example", "alias@example.com", plain);
    t_post_sent(&x);
    assert_string_equal(id_less(field(x.sent, "ARC-Authentication-Results", 0),
                                "i=1; mx.example.com; "),
                        strchr(want, ';') + 2);
    free(whole);
    t_post_close(&x);
}

/* ---- 82: whom a consumer may believe --------------------------------------
 */

static struct onward_authres *trusted(struct t_post *x, const char *message,
                                      const char *id, int want)
{
    struct onward_authres *results = NULL;
    struct onward_header *h = NULL;
    size_t taken;

    assert_int_equal(onward_header_new(x->w->ctx, &h), 0);
    assert_true(onward_header_feed(h, message, strlen(message), &taken) >= 0);
    assert_int_equal(onward_header_finish(h), 0);
    assert_int_equal(onward_authres_trusted(h, onward_str_of(id), &results),
                     want);
    onward_header_free(h);
    return results;
}

static void test_row_82_the_topmost_of_our_own_name(void **state)
{
    static const struct row {
        const char *header;
        const char *result; /* of its first method; NULL: none to trust */
    } rows[] = {
        {"A: b\r\n\r\n", NULL},
        {"Authentication-Results: mx.example.com; spf=pass\r\n\r\n", "pass"},
        {"Authentication-Results: mx.other.example; spf=pass\r\n"
         "Authentication-Results: MX.Example.COM; spf=fail\r\n"
         "Authentication-Results: mx.example.com; spf=pass\r\n\r\n",
         "fail"},
        /* Only somebody else's word, or none that is for consumers. */
        {"Authentication-Results: mx.other.example; spf=pass\r\n\r\n", NULL},
        {"ARC-Authentication-Results: i=1; mx.example.com; spf=pass\r\n\r\n",
         NULL},
        /* What may be taken for ours and is not hides what is below it. */
        {"Authentication-Results: mx.example.com:25; spf=fail\r\n"
         "Authentication-Results: mx.example.com; spf=pass\r\n\r\n",
         NULL},
        /* What cannot be read does, too. */
        {"Authentication-Results: (mx.example.com; spf=fail\r\n"
         "Authentication-Results: mx.example.com; spf=pass\r\n\r\n",
         NULL},
        {"Authentication-Results: mx.example.com 2; spf=fail\r\n"
         "Authentication-Results: mx.example.com; spf=pass\r\n\r\n",
         NULL},
    };
    struct t_post x;

    (void)state;
    t_post_open(&x);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct onward_authres *got =
            trusted(&x, rows[i].header, "mx.example.com",
                    rows[i].result == NULL ? ONWARD_ENOENT : 0);

        if (rows[i].result != NULL)
            t_assert_str(onward_authres_result(got, 0), rows[i].result);
        onward_authres_free(got);
    }
    assert_null(trusted(&x, "A: b\r\n\r\n", "", ONWARD_EINVAL));
    t_post_close(&x);
}

/* What the relay lets out has one of its own name, its own, whatever came. */
static void test_row_82_the_relay_writes_it(void **state)
{
    static const char forged[] =
        "Authentication-Results: mx.example.com; dkim=pass header.d=x\r\n"
        "ARC-Authentication-Results: i=1; mx.example.com; dkim=pass\r\n"
        "From: bob@n.example\r\n"
        "Authentication-Results: \"MX.example.com\"; dkim=pass header.d=x\r\n"
        "\r\nHello.\r\n";
    struct onward_authres *got;
    struct t_post x;

    (void)state;
    t_post_open(&x);
    t_post_send(&x, "bob@n.example", "me@example.com", forged);
    assert_int_equal(x.asked_count, 1);
    got = trusted(&x, t_post_sent(&x), "mx.example.com", 0);
    t_assert_str(onward_authres_method(got, 0), "dmarc");
    t_assert_str(onward_authres_result(got, 0), "pass");
    onward_authres_free(got);
    assert_int_equal(count_of(x.sent, "\nAuthentication-Results:"), 1);
    assert_null(strstr(x.sent, "header.d=x"));
    t_post_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_57_spf_or_dkim_must_pass),
        cmocka_unit_test(test_row_58_dmarc_is_enforced),
        cmocka_unit_test(test_row_58_unaligned_under_none_is_forwarded_as_fail),
        cmocka_unit_test(test_row_66_two_signatures_on_a_forward),
        cmocka_unit_test(test_row_66_a_key_that_fails_defers),
        cmocka_unit_test(test_row_66_what_is_no_wish_for_a_signature),
        cmocka_unit_test(test_row_66_what_cannot_be_signed_goes_without),
        cmocka_unit_test(test_row_67_the_signed_fields),
        cmocka_unit_test(test_row_68_the_arc_set),
        cmocka_unit_test(test_row_69_the_results_are_those),
        cmocka_unit_test(test_row_82_the_topmost_of_our_own_name),
        cmocka_unit_test(test_row_82_the_relay_writes_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
