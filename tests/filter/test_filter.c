/* What is done with a message, by the settings. */
#define _GNU_SOURCE
#include "filter_world.h"

#define BASE "hostname = mx.fwd.example\ndns = dns.txt\n"
#define SRS "srs_domain = fwd.example\nsrs_secret = srs.txt\n"
#define SEAL "seal_key = a.pem\nseal_domain = fwd.example\nseal_selector = s1\n"
#define SIGN "dkim_key = a.example s1 a.pem\n"

struct outcome {
    char text[4000];
    bool is_done;
};

/* One line for each thing that a decision says, values left out. */
static void note(struct outcome *o, const struct filter *f)
{
    const struct filter_decision *d = filter_decision(f);
    FILE *out = fmemopen(o->text, sizeof(o->text), "w");

    if (d->verdict != FILTER_ACCEPT)
        fprintf(out, "%u %s %s\n", d->reply.code, d->reply.enhanced,
                d->reply.text);
    else
        fprintf(out, "accept\n");
    if (d->verdict == FILTER_ACCEPT) {
        if (d->quarantine != NULL)
            fprintf(out, "hold %s\n", d->quarantine);
        for (size_t i = 0; i < d->cut_count; i++)
            fprintf(out, "cut %s %zu\n", d->cuts[i].name, d->cuts[i].nth);
        for (size_t i = 0; i < d->field_count; i++)
            fprintf(out, "put %s\n", d->fields[i].name);
        if (d->sender != NULL)
            fprintf(out, "sender %s\n", d->sender);
        for (size_t i = 0; i < d->rcpt_count; i++)
            fprintf(out, "rcpt %s %s\n", d->rcpts[i].from, d->rcpts[i].to);
    }
    fclose(out);
}

static void done(void *user, struct filter *f)
{
    struct outcome *o = user;

    assert_false(o->is_done);
    o->is_done = true;
    note(o, f);
}

/* ---- Rows -------------------------------------------------------------- */

#define A_MESSAGE "From: u@a.example\r\nSubject: x\r\n\r\nhello\r\n"

/* A set whose keys DNS does not give now. */
#define UNSURE_CHAIN                                                           \
    "ARC-Seal: i=1; cv=none; a=ed25519-sha256; d=t.example; s=s; "             \
    "t=1600000000;"                                                            \
    " b=" SIGNATURE "\r\n"                                                     \
    "ARC-Message-Signature: i=1; a=ed25519-sha256; c=relaxed/relaxed;"         \
    " d=t.example; s=s; h=from; "                                              \
    "bh=zS7KNTV0HyeorkDDGwxB1AV6enuRKzO5rthkhdHIRnY=; b=" SIGNATURE "\r\n"     \
    "ARC-Authentication-Results: i=1; t.example; none\r\n"
#define SIGNATURE                                                              \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"                         \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

static const struct row {
    const char *name, *config;
    const char *client; /* NULL: not known */
    bool is_authenticated;
    const char *mail_from, *rcpt;
    const char *message;
    const char *want; /* the whole; what is above a rewritten sender's hash */
} rows[] = {
    {"what passes gets results", BASE, "192.0.2.9", false, "u@a.example",
     "v@b.example", A_MESSAGE, "accept\nput Authentication-Results\n"},
    {"what fails p=reject is refused", BASE, "192.0.2.8", false, "u@z.example",
     "v@b.example", A_MESSAGE,
     "550 5.7.1 Rejected as the DMARC policy of a.example asks for\n"},
    {"unless the policy is not enforced", BASE "enforce_dmarc = no\n",
     "192.0.2.8", false, "u@z.example", "v@b.example", A_MESSAGE,
     "accept\nput Authentication-Results\n"},
    {"RFC 9989 does not refuse for p=reject alone",
     BASE "dmarc_reject = rfc9989\ndmarc_quarantine = hold\n", "192.0.2.8",
     false, "u@z.example", "v@b.example", A_MESSAGE,
     "accept\nhold DMARC policy of the author's domain\n"
     "put Authentication-Results\n"},
    {"quarantine is for the host", BASE "dmarc_quarantine = hold\n",
     "192.0.2.8", false, "u@z.example", "v@b.example",
     "From: u@q.example\r\n\r\n",
     "accept\nhold DMARC policy of the author's domain\n"
     "put Authentication-Results\n"},
    {"or for nobody", BASE, "192.0.2.8", false, "u@z.example", "v@b.example",
     "From: u@q.example\r\n\r\n", "accept\nput Authentication-Results\n"},
    {"what cannot be known is deferred", BASE, "192.0.2.8", false,
     "u@z.example", "v@b.example", "From: u@t.example\r\n\r\n",
     "451 4.7.1 DMARC cannot be checked now\n"},
    {"or taken", BASE "temperror = accept\n", "192.0.2.8", false, "u@z.example",
     "v@b.example", "From: u@t.example\r\n\r\n",
     "accept\nput Authentication-Results\n"},
    {"no author", BASE, "192.0.2.9", false, "u@a.example", "v@b.example",
     "Subject: x\r\n\r\n",
     "550 5.7.1 Message must have exactly one author domain in From\n"},
    {"a header in two readings", BASE, "192.0.2.9", false, "u@a.example",
     "v@b.example", "From: u@a.example\r\nX: a\rb\r\n\r\n",
     "550 5.6.0 Message header is malformed\n"},
    {"may be let in", BASE "allow_malformed = yes\n", "192.0.2.9", false,
     "u@a.example", "v@b.example", "From: u@a.example\r\nX: a\rb\r\n\r\n",
     "accept\nput Authentication-Results\n"},
    {"a message without header", BASE "enforce_dmarc = no\n", "192.0.2.9",
     false, "", "v@b.example", "\r\n", "accept\nput Authentication-Results\n"},
    {"and without anything", BASE "enforce_dmarc = no\n", "192.0.2.9", false,
     "", "v@b.example", "", "accept\nput Authentication-Results\n"},
    {"a client that nobody knows", BASE "enforce_dmarc = no\n", NULL, false,
     "u@a.example", "v@b.example", A_MESSAGE,
     "accept\nput Authentication-Results\n"},

    {"forged results go, from below", BASE, "192.0.2.9", false, "u@a.example",
     "v@b.example",
     "Authentication-Results: MX.fwd.example (x);\r\n spf=pass\r\n"
     "From: u@a.example\r\nAuthentication-Results: other.example; none\r\n"
     "Received-SPF: pass (mx.fwd.example: really)\r\n"
     "authentication-results : \"mx.fwd.example\" 1; none\r\n\r\n",
     "accept\ncut Authentication-Results 3\ncut Authentication-Results 1\n"
     "cut Received-SPF 1\nput Authentication-Results\n"},
    {"by the name in authserv_id", BASE "authserv_id = fwd\n", "192.0.2.9",
     false, "u@a.example", "v@b.example",
     "Authentication-Results: mx.fwd.example; none\r\n"
     "Authentication-Results: fwd; none\r\nFrom: u@a.example\r\n\r\n",
     "accept\ncut Authentication-Results 2\nput Authentication-Results\n"},
    {"from ours too", BASE, "127.0.0.1", false, "u@a.example", "v@b.example",
     "Authentication-Results: mx.fwd.example; none\r\nFrom: "
     "u@a.example\r\n\r\n",
     "accept\ncut Authentication-Results 1\n"},
    {"and with verify = no", BASE "verify = no\n", "192.0.2.8", false,
     "u@a.example", "v@b.example",
     "Authentication-Results: mx.fwd.example; none\r\nFrom: "
     "u@a.example\r\n\r\n",
     "accept\ncut Authentication-Results 1\n"},

    {"a seal", BASE SEAL, "192.0.2.9", false, "u@a.example", "v@b.example",
     A_MESSAGE,
     "accept\nput ARC-Seal\nput ARC-Message-Signature\n"
     "put ARC-Authentication-Results\nput Authentication-Results\n"},
    {"no seal on a chain that has ended", BASE SEAL, "192.0.2.9", false,
     "u@a.example", "v@b.example",
     "ARC-Seal: i=1; cv=fail; a=rsa-sha256; d=x.example; s=s; b=AAAA\r\n"
     "ARC-Message-Signature: i=1; a=rsa-sha256; d=x.example; s=s; h=from;"
     " bh=AAAA; b=AAAA\r\n"
     "ARC-Authentication-Results: i=1; x.example; none\r\n" A_MESSAGE,
     "accept\nput Authentication-Results\n"},

    {"no seal over a chain that cannot be checked", BASE SEAL, "192.0.2.9",
     false, "u@a.example", "v@b.example", UNSURE_CHAIN A_MESSAGE,
     "451 4.4.3 ARC cannot be checked now\n"},
    {"or it goes on without", BASE SEAL "temperror = accept\n", "192.0.2.9",
     false, "u@a.example", "v@b.example", UNSURE_CHAIN A_MESSAGE,
     "accept\nput Authentication-Results\n"},

    {"ours is signed", BASE SIGN SEAL, "127.0.0.1", false, "u@a.example",
     "v@b.example", A_MESSAGE, "accept\nput DKIM-Signature\n"},
    {"so is what a user sends from anywhere", BASE SIGN, "203.0.113.7", true,
     "u@a.example", "v@b.example", A_MESSAGE, "accept\nput DKIM-Signature\n"},
    {"by each key of the domain", BASE SIGN SIGN, "::1", false, "u@a.example",
     "v@b.example", A_MESSAGE,
     "accept\nput DKIM-Signature\nput DKIM-Signature\n"},
    {"not for another author", BASE SIGN, "127.0.0.1", false, "u@a.example",
     "v@b.example", "From: u@c.example\r\n\r\n", "accept\n"},
    {"but for one below", BASE SIGN, "127.0.0.1", false, "u@a.example",
     "v@b.example", "From: u@y.x.A.example\r\n\r\n",
     "accept\nput DKIM-Signature\n"},
    {"or where a row says so", BASE SIGN "dkim_for = *.c.example a.example\n",
     "127.0.0.1", false, "u@a.example", "v@b.example",
     "From: u@x.C.example\r\n\r\n", "accept\nput DKIM-Signature\n"},
    {"such a row is not for the domain itself",
     BASE SIGN "dkim_for = *.c.example a.example\n", "127.0.0.1", false,
     "u@a.example", "v@b.example", "From: u@c.example\r\n\r\n", "accept\n"},
    {"or says all", BASE SIGN "dkim_for = * a.example\n", "127.0.0.1", false,
     "u@a.example", "v@b.example", "From: u@c.example\r\n\r\n",
     "accept\nput DKIM-Signature\n"},
    {"the first row decides",
     BASE SIGN "dkim_key = b.example s1 a.pem\ndkim_key = b.example s1 a.pem\n"
               "dkim_for = c.example a.example\ndkim_for = * b.example\n",
     "127.0.0.1", false, "", "v@b.example", "From: u@c.example\r\n\r\n",
     "accept\nput DKIM-Signature\n"},
    {"two authors", BASE SIGN, "127.0.0.1", false, "u@a.example", "v@b.example",
     "From: u@a.example, v@a.example\r\n\r\n", "accept\n"},
    {"two From fields", BASE SIGN, "127.0.0.1", false, "u@a.example",
     "v@b.example", "From: u@a.example\r\nFrom: u@a.example\r\n\r\n",
     "accept\n"},
    {"what cannot be signed goes as it is", BASE SIGN, "127.0.0.1", false,
     "u@a.example", "v@b.example", "From: u@a.example\r\nX: a\rb\r\n\r\n",
     "accept\n"},
    {"nothing is internal", BASE SIGN "internal = none\n", "127.0.0.1", false,
     "u@a.example", "v@b.example", A_MESSAGE,
     "550 5.7.1 Rejected as the DMARC policy of a.example asks for\n"},
    {"the edge of a network", BASE SIGN "internal = 192.0.2.8/31\n",
     "192.0.2.9", false, "u@a.example", "v@b.example", A_MESSAGE,
     "accept\nput DKIM-Signature\n"},
    {"and what is past it", BASE SIGN "internal = 192.0.2.10/31\n", "192.0.2.9",
     false, "u@a.example", "v@b.example", A_MESSAGE,
     "accept\nput Authentication-Results\n"},

    {"a sender is rewritten", BASE SRS "forward = b.example\n", "192.0.2.9",
     false, "u@a.example", "v@B.example", A_MESSAGE,
     "accept\nput Authentication-Results\nsender SRS0="},
    {"not for another recipient", BASE SRS "forward = *.b.example\n",
     "192.0.2.9", false, "u@a.example", "v@b.example", A_MESSAGE,
     "accept\nput Authentication-Results\n"},
    {"nor when it is ours", BASE SRS "forward = *\n", "127.0.0.1", false,
     "u@a.example", "v@b.example", A_MESSAGE, "accept\n"},
    {"nor of our own domain", BASE SRS "forward = *\n", "192.0.2.1", false,
     "u@fwd.example", "v@b.example", "From: u@a.example\r\n\r\n",
     "550 5.7.1 Rejected as the DMARC policy of a.example asks for\n"},
    {"nor the null path", BASE SRS "forward = *\n", "192.0.2.9", false, "",
     "v@b.example", "From: u@b.example\r\n\r\n",
     "accept\nput Authentication-Results\n"},
    {"nor one that is too long", BASE SRS "forward = *\n", "192.0.2.9", false,
     "0123456789012345678901234567890123456789012345678901234567@a.example",
     "v@b.example", A_MESSAGE, "accept\nput Authentication-Results\n"},
    {"nor where it would lend our name to a stranger", BASE SRS "forward = *\n",
     "192.0.2.9", false, "u@b.example", "v@b.example",
     "From: boss@fwd.example\r\n\r\n", "accept\nput Authentication-Results\n"},
    {"without checks it is rewritten all the same",
     BASE SRS "forward = *\nverify = no\n", "192.0.2.9", false, "u@a.example",
     "v@b.example", A_MESSAGE, "accept\nsender SRS0="},
};

static void run_row(struct filter_world *x, const struct row *row, size_t piece,
                    struct outcome *o)
{
    struct filter_envelope e = {.helo = ONWARD_STR("client.example"),
                                .mail_from = onward_str_of(row->mail_from),
                                .is_authenticated = row->is_authenticated};
    struct filter_reply reply;
    struct filter *f;
    size_t len = strlen(row->message);

    memset(o, 0, sizeof(*o));
    if (row->client != NULL)
        assert_int_equal(
            onward_ip_parse(onward_str_of(row->client), &e.client_ip), 0);
    f = filter_new(x->setup, &e, done, o);
    assert_non_null(f);
    assert_int_equal(filter_rcpt(f, onward_str_of(row->rcpt), &reply),
                     FILTER_ACCEPT);
    for (size_t at = 0; at < len; at += piece)
        filter_feed(f, row->message + at, piece < len - at ? piece : len - at);
    filter_finish(f);
    filter_world_run(x);
    assert_true(o->is_done);
    filter_free(f);
}

static void test_row(void **state)
{
    static const size_t pieces[] = {SIZE_MAX / 2, 1, 7};
    const struct row *row = *state;
    bool is_whole = row->want[strlen(row->want) - 1] == '\n';
    struct filter_world x;
    struct t_world w;
    struct outcome o;

    t_world_init(&w);
    if (!filter_world_begin(&x, &w, row->config))
        fail_msg("%s", x.fault);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        run_row(&x, row, pieces[i], &o);
        if (is_whole)
            assert_string_equal(o.text, row->want);
        else
            assert_memory_equal(o.text, row->want, strlen(row->want));
    }
    filter_world_end(&x);
    t_world_clear(&w);
}

/* ---- Rewritten senders that come back ---------------------------------- */

static const char *x_client; /* NULL: nobody knows */

static enum filter_verdict rcpt(struct filter_world *x, const char *mail_from,
                                const char *address, struct outcome *o)
{
    struct filter_envelope e = {.mail_from = onward_str_of(mail_from)};
    struct filter_reply reply = {0};
    enum filter_verdict verdict;
    struct filter *f;

    if (x_client != NULL)
        assert_int_equal(onward_ip_parse(onward_str_of(x_client), &e.client_ip),
                         0);
    memset(o, 0, sizeof(*o));
    f = filter_new(x->setup, &e, done, o);
    assert_non_null(f);
    verdict = filter_rcpt(f, onward_str_of(address), &reply);
    if (verdict == FILTER_ACCEPT)
        note(o, f);
    else
        snprintf(o->text, sizeof(o->text), "%u %s", reply.code, reply.text);
    filter_free(f);
    return verdict;
}

static void test_bounces_come_back(void **state)
{
    struct filter_world x;
    struct t_world w;
    struct outcome o;
    char sender[ONWARD_SRS_TEXT_MAX], want[800];

    (void)state;
    t_world_init(&w);
    assert_true(filter_world_begin(&x, &w, BASE SRS "forward = *\n"));
    assert_true(filter_srs_sender(x.setup, ONWARD_STR("u@a.example"),
                                  ONWARD_STR("v@b.example"), sender) > 0);
    assert_int_equal(rcpt(&x, "", sender, &o), FILTER_ACCEPT);
    snprintf(want, sizeof(want), "accept\nrcpt %s u@a.example\n", sender);
    assert_string_equal(o.text, want);

    /* Of our own making, too. */
    x_client = "127.0.0.1";
    assert_int_equal(rcpt(&x, "", sender, &o), FILTER_ACCEPT);
    assert_string_equal(o.text, want);
    x_client = NULL;

    assert_int_equal(rcpt(&x, "v@b.example", sender, &o), FILTER_REJECT);
    assert_string_equal(o.text, "550 Rewritten senders take bounces only");
    sender[5] ^= 1;
    assert_int_equal(rcpt(&x, "", sender, &o), FILTER_REJECT);
    assert_string_equal(o.text, "550 This rewritten sender is not ours");
    sender[5] ^= 1;
    w.now_s += 40 * 86400;
    assert_int_equal(rcpt(&x, "", sender, &o), FILTER_REJECT);
    assert_string_equal(o.text, "550 This rewritten sender is too old");

    assert_int_equal(rcpt(&x, "", "postmaster@fwd.example", &o), FILTER_ACCEPT);
    assert_string_equal(o.text, "accept\n");
    assert_int_equal(rcpt(&x, "", "SRS0=x=y=a.example=u@b.example", &o),
                     FILTER_ACCEPT);
    assert_string_equal(o.text, "accept\n");
    filter_world_end(&x);
    t_world_clear(&w);
}

/* ---- Settings ---------------------------------------------------------- */

static const struct bad {
    const char *name, *config, *fault;
} bads[] = {
    {"sign without a file", BASE "dkim_key = a.example s1\n",
     ":3: dkim_key \"a.example s1\", expected DOMAIN SELECTOR FILE"},
    {"sign with a file that is not there",
     BASE "dkim_key = a.example s1 no.pem\n",
     "no.pem: No such file or directory"},
    {"dkim_for a domain without a key", BASE SIGN "dkim_for = * b.example\n",
     ":4: dkim_for \"* b.example\", expected dkim_key for that domain"},
    {"internal and none", BASE "internal = none\ninternal = ::1\n",
     ":4: internal \"none\", expected it alone, or networks"},
    {"a network that is none", BASE "internal = 192.0.2.0/33\n",
     ":3: internal \"192.0.2.0/33\", expected an address"},
    {"a network without length", BASE "internal = 192.0.2.0/\n",
     ":3: internal \"192.0.2.0/\", expected an address"},
    {"forward without a domain for senders", BASE "forward = *\n",
     ":3: forward \"*\", expected srs_domain beside it"},
    {"half a seal", BASE "seal_domain = a.example\n",
     ":3: seal_domain alone, expected seal_key, seal_domain and"},
    {"a seal over nothing", BASE "verify = no\n" SEAL,
     "expected verify = yes: a seal says what was found"},
    {"two sources of records", BASE "resolver = ::1\n",
     ":3: resolver \"::1\", expected either resolver or dns"},
    {"another word", BASE "temperror = reject\n",
     ":3: temperror \"reject\", expected one of tempfail, accept"},
};

static void test_bad(void **state)
{
    const struct bad *bad = *state;
    struct filter_world x;
    struct t_world w;

    t_world_init(&w);
    assert_false(filter_world_begin(&x, &w, bad->config));
    if (strstr(x.fault, bad->fault) == NULL)
        fail_msg("\"%s\", wanted \"%s\"", x.fault, bad->fault);
    assert_true(x.status == EXIT_CONFIG || x.status == EXIT_UNUSABLE);
    filter_world_end(&x);
    t_world_clear(&w);
}

/* ---- Limits and memory ------------------------------------------------- */

static void test_header_too_long(void **state)
{
    static char field[4096];
    static const char *const clients[] = {"192.0.2.9", "127.0.0.1"};
    struct filter_world x;
    struct t_world w;
    struct outcome o;

    (void)state;
    t_world_init(&w);
    assert_true(filter_world_begin(&x, &w, BASE SIGN));
    memset(field, 'x', sizeof(field));
    memcpy(field, "X: ", 3);
    memcpy(field + sizeof(field) - 2, "\r\n", 2);
    for (size_t n = 0; n < 2; n++) {
        struct filter_envelope e = {.mail_from = ONWARD_STR("u@a.example")};
        struct filter *f;

        memset(&o, 0, sizeof(o));
        assert_int_equal(
            onward_ip_parse(onward_str_of(clients[n]), &e.client_ip), 0);
        f = filter_new(x.setup, &e, done, &o);
        for (size_t i = 0; i < 100; i++)
            filter_feed(f, field, sizeof(field));
        filter_finish(f);
        filter_world_run(&x);
        assert_string_equal(
            o.text, "552 5.3.4 The header of the message is too long\n");
        filter_free(f);
    }
    filter_world_end(&x);
    t_world_clear(&w);
}

/* A message that is given up at each point leaves nothing behind. */
static void test_given_up(void **state)
{
    const char *message = A_MESSAGE;
    struct filter_world x;
    struct t_world w;
    struct outcome o;

    (void)state;
    t_world_init(&w);
    assert_true(filter_world_begin(&x, &w, BASE SEAL SIGN));
    for (size_t n = 0; n < 2 * strlen(message) + 2; n++) {
        struct filter_envelope e = {.mail_from = ONWARD_STR("u@z.example"),
                                    .is_authenticated = n % 2 == 1};
        struct filter *f = filter_new(x.setup, &e, done, &o);

        memset(&o, 0, sizeof(o));
        filter_feed(f, message, n / 2);
        if (n / 2 == strlen(message))
            filter_finish(f);
        else
            filter_world_run(&x);
        filter_free(f);
    }
    filter_world_run(&x);
    filter_world_end(&x);
    t_world_clear(&w);
}

static bool scenario(struct t_world *w, void *arg)
{
    const struct row *row = arg;
    struct filter_envelope e = {.mail_from = onward_str_of(row->mail_from),
                                .is_authenticated = row->is_authenticated};
    struct filter_reply reply;
    struct filter *f = NULL;
    struct filter_world x;
    struct outcome o;
    bool ok;

    memset(&o, 0, sizeof(o));
    ok = filter_world_begin(&x, w, row->config);
    if (ok) {
        if (row->client != NULL)
            assert_int_equal(
                onward_ip_parse(onward_str_of(row->client), &e.client_ip), 0);
        filter_world_watch(w);
        f = filter_new(x.setup, &e, done, &o);
    }
    if (f != NULL) {
        filter_rcpt(f, onward_str_of(row->rcpt), &reply);
        filter_feed(f, row->message, strlen(row->message));
        filter_finish(f);
        filter_world_run(&x);
        /* It always ends. What cannot be done is deferred; less than all is
         * done only where that is the careful choice (row->name has it). */
        assert_true(o.is_done);
        ok = strncmp(o.text, row->want, strlen(row->want)) == 0;
        if (!ok && strncmp(o.text, "451 4.", 6) != 0 &&
            strcmp(o.text, row->name) != 0)
            fail_msg("%s", o.text);
        filter_free(f);
    } else {
        ok = false;
    }
    filter_world_watch(NULL);
    filter_world_end(&x);
    return ok;
}

static void test_no_memory(void **state)
{
    static const struct row more[] = {
        /* Whether the sender could lend our name is not known. */
        {"accept\ncut Authentication-Results 1\nput ARC-Seal\n"
         "put ARC-Message-Signature\nput ARC-Authentication-Results\n"
         "put Authentication-Results\n",
         BASE SEAL SRS "forward = *\n", "192.0.2.9", false, "u@a.example",
         "v@b.example",
         "Authentication-Results: mx.fwd.example; none\r\n" A_MESSAGE,
         "accept\ncut Authentication-Results 1\nput ARC-Seal\n"
         "put ARC-Message-Signature\nput ARC-Authentication-Results\n"
         "put Authentication-Results\nsender SRS0="},
        {"", BASE SIGN, "127.0.0.1", false, "u@a.example", "v@b.example",
         A_MESSAGE, "accept\nput DKIM-Signature\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        t_oom_sweep(scenario, (void *)(uintptr_t)&more[i]);
}

/* With failure = accept whatever is missing is missing on top: forged results
 * never stay. */
static bool careless(struct t_world *w, void *arg)
{
    struct filter_envelope e = {.mail_from = ONWARD_STR("u@a.example"),
                                .is_authenticated = arg != NULL};
    static const char message[] =
        "Authentication-Results: mx.fwd.example; none\r\n" A_MESSAGE;
    struct filter *f = NULL;
    struct filter_world x;
    struct outcome o;
    bool ok = filter_world_begin(&x, w, BASE SEAL SIGN "failure = accept\n");

    memset(&o, 0, sizeof(o));
    assert_int_equal(onward_ip_parse(ONWARD_STR("192.0.2.9"), &e.client_ip), 0);
    if (ok) {
        filter_world_watch(w);
        f = filter_new(x.setup, &e, done, &o);
    }
    if (f != NULL) {
        filter_feed(f, message, sizeof(message) - 1);
        filter_finish(f);
        filter_world_run(&x);
        assert_true(o.is_done);
        ok = strstr(o.text, arg != NULL ? "put DKIM" : "put ARC-Seal") != NULL;
        assert_true(strncmp(o.text, "451", 3) == 0 ||
                    strstr(o.text, "cut Authentication-Results 1\n") != NULL);
        /* A set is whole, or not there. */
        assert_true((strstr(o.text, "put ARC-Seal") == NULL) ==
                    (strstr(o.text, "put ARC-Auth") == NULL));
        filter_free(f);
    } else {
        ok = false;
    }
    filter_world_watch(NULL);
    filter_world_end(&x);
    return ok;
}

static void test_no_memory_and_careless(void **state)
{
    (void)state;
    t_oom_sweep(careless, NULL);
    t_oom_sweep(careless, (void *)(uintptr_t) "ours");
}

int main(void)
{
    enum {
        ROWS = sizeof(rows) / sizeof(rows[0]),
        BADS = sizeof(bads) / sizeof(bads[0])
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(test_bounces_come_back),
        cmocka_unit_test(test_header_too_long),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_memory_and_careless),
    };
    struct CMUnitTest tests[ROWS + BADS + sizeof(more) / sizeof(more[0])];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = test_row,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    for (size_t i = 0; i < BADS; i++)
        tests[ROWS + i] =
            (struct CMUnitTest){.name = bads[i].name,
                                .test_func = test_bad,
                                .initial_state = (void *)(uintptr_t)&bads[i]};
    memcpy(tests + ROWS + BADS, more, sizeof(more));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
