/*
 * The server's dialogues, dialogues/server: each is played in step, whole,
 * octet by octet and cut in two at every octet, with answers by default, inside
 * the callbacks and deferred. Output, what the host was told and what it keeps
 * are the same each time.
 */
#include "smtp/dialogue.h"
#include "smtp/server_host.h"

enum { CUTS_MAX = 1500, TEXT_MAX = 1 << 17 };

/* ---- Options ----------------------------------------------------------- */

static const struct {
    const char *word;
    size_t flag;
} flags[] = {
    {"allow-bare-lf", ONWARD_SMTP_SERVER_ALLOW_BARE_LF},
    {"smtputf8", ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8},
    {"require-tls", ONWARD_SMTP_SERVER_REQUIRE_TLS},
    {"starttls", ONWARD_SMTP_SERVER_HOST_TLS},
    {"require-auth", ONWARD_SMTP_SERVER_REQUIRE_AUTH},
    {"unauthenticated", ONWARD_SMTP_SERVER_ALLOW_UNAUTHENTICATED},
    {"chunking", ONWARD_SMTP_SERVER_ALLOW_CHUNKING},
    {"binarymime", ONWARD_SMTP_SERVER_ALLOW_BINARYMIME},
    {"dsn", ONWARD_SMTP_SERVER_ALLOW_DSN},
    {"requiretls", ONWARD_SMTP_SERVER_ALLOW_REQUIRETLS},
    {"deliverby", ONWARD_SMTP_SERVER_ALLOW_DELIVERBY},
    {"limits", ONWARD_SMTP_SERVER_OFFER_LIMITS},
    {"clear-auth", ONWARD_SMTP_SERVER_ALLOW_CLEAR_AUTH},
    {"xclient", ONWARD_SMTP_SERVER_TRUST_XCLIENT},
    {"xforward", ONWARD_SMTP_SERVER_TRUST_XFORWARD},
    {"proxy", ONWARD_SMTP_SERVER_EXPECT_PROXY},
};

static size_t mechanisms_of(char *names)
{
    size_t set = 0;

    for (char *name = strtok(names, ","); name != NULL;
         name = strtok(NULL, ",")) {
        for (int bit = 1; bit <= ONWARD_SMTP_AUTH_SCRAM_SHA_256_PLUS; bit *= 2)
            set |=
                strcmp(onward_smtp_auth_name(bit), name) == 0 ? (size_t)bit : 0;
    }
    assert_true(set != 0);
    return set;
}

static void set_option(struct t_server *t, const char *word, char *value)
{
    struct onward_smtp_server_opts *o = &t->opts;
    const struct {
        const char *word;
        size_t *number;
    } numbers[] = {
        {"size", &o->message_bytes},
        {"line", &o->line_bytes},
        {"recipients", &o->recipients},
        {"errors", &o->errors},
        {"junk", &o->junk},
        {"attempts", &o->auth_attempts},
        {"session", &o->session_bytes},
    };

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(flags[i].word, word) == 0) {
            o->flags |= flags[i].flag;
            return;
        }
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(numbers[i].word, word) == 0) {
            *numbers[i].number = t_dialogue_number(value);
            return;
        }
    }
    if (strcmp(word, "mode") == 0 && strcmp(value, "lmtp") == 0)
        o->mode = ONWARD_SMTP_SERVER_MODE_LMTP;
    else if (strcmp(word, "mode") == 0 && strcmp(value, "submission") == 0)
        o->mode = ONWARD_SMTP_SERVER_MODE_SUBMISSION;
    else if (strcmp(word, "auth") == 0)
        o->auth_mechanisms = mechanisms_of(value);
    else if (strcmp(word, "one-answer") == 0)
        t->no_message_rcpt = true;
    else
        fail_msg("no such option: %s", word);
}

/* ---- Logins ------------------------------------------------------------ */

/* The examples of RFC 4616, RFC 4954, RFC 7628. */
static const struct {
    const char *name, *secret;
} users[] = {
    {"tim", "tanstaaftanstaaf"},
    {"test", "1234"},
    {"user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="},
};

static bool is(struct onward_str text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}

static void answer_scram(struct t_server *t, uint64_t token,
                         struct onward_str name)
{
    /* RFC 7677 section 3: salt, and pencil. */
    static const unsigned char salt[16] = {0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12,
                                           0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14,
                                           0x12, 0x36, 0xfa, 0x81};
    static struct onward_smtp_scram_keys keys; /* takes its time */
    struct onward_smtp_scram_credentials c = {
        .size = sizeof(c),
        .iterations = 4096,
        .salt = {(const char *)salt, sizeof(salt)},
        .stored_key = {(const char *)keys.stored_key, 32},
        .server_key = {(const char *)keys.server_key, 32}};

    if (keys.size == 0) {
        keys.size = sizeof(keys);
        assert_int_equal(onward_smtp_scram_derive(t->w->ctx,
                                                  ONWARD_STR("pencil"), c.salt,
                                                  4096, &keys),
                         0);
    }
    assert_int_equal(
        onward_smtp_auth_scram(t->desk, token, is(name, "user") ? &c : NULL),
        0);
}

static int on_auth(void *user, uint64_t token,
                   const struct onward_smtp_auth_request *r)
{
    struct t_server *t = user;
    struct onward_str name = r->authentication_id;
    struct onward_str secret =
        r->password.data != NULL ? r->password : r->token;

    t_server_note(t, "auth %s %.*s", onward_smtp_auth_name((int)r->mechanism),
                  (int)name.len, name.data);
    if (r->authorization_id.len > 0)
        t_server_note(t, " as %.*s", (int)r->authorization_id.len,
                      r->authorization_id.data);
    t_server_note(t, "\n");
    if (is(name, "fail"))
        return -1;
    if (r->kind == ONWARD_SMTP_AUTH_ASK_SCRAM) {
        answer_scram(t, token, name);
        return ONWARD_SMTP_HANDLED;
    }
    if (is(name, "busy"))
        return t_server_decide(t, token, 454, "4.7.0", "Ask me later");
    if (is(name, "gone"))
        return t_server_decide(t, token, 421, "4.3.0", "Go away");
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        if (is(name, users[i].name) && is(secret, users[i].secret))
            return t_server_decide(t, token, 235, "2.7.0",
                                   "Authentication succeeded");
    }
    return t_server_decide(t, token, 0, "", "");
}

static void on_auth_done(void *user, const struct onward_smtp_auth_request *r,
                         int is_accepted)
{
    (void)r;
    t_server_note(user, "auth %s\n", is_accepted ? "yes" : "no");
}

/* ---- One play ---------------------------------------------------------- */

struct text {
    char octets[TEXT_MAX];
    size_t len;
};

/* Also the state of the callbacks, which get its first member. */
struct play {
    struct t_server t;
    const struct t_dialogue *d;
    bool in_step;
    size_t step, at; /* octets a piece, 0: all; one cut there, 0: none */
    size_t fed;
    struct text said;                 /* by the client, not yet fed */
    struct text out, events, message; /* as they shall be */
    struct text kept;                 /* what the host became responsible for */
    const struct t_line *line;
    bool has_events;
};

static void add(struct text *text, const void *data, size_t len)
{
    assert_true(len <= sizeof(text->octets) - text->len);
    memcpy(text->octets + text->len, data, len);
    text->len += len;
}

static void on_reset(void *user, int why)
{
    struct play *p = user;
    const struct t_server *t = &p->t;

    if (why == ONWARD_SMTP_RESET_DONE)
        add(&p->kept, t->message + t->message_start,
            t->message_len - t->message_start);
}

/* As it shall be, where T_ANYTHING fits the rest of a line. */
static bool fits(const char *got, size_t len, const struct text *want)
{
    size_t at = 0;

    for (size_t i = 0; i < want->len; i++) {
        if (want->octets[i] == T_ANYTHING) {
            while (at < len && got[at] != '\r')
                at++;
            continue;
        }
        if (at == len || got[at++] != want->octets[i])
            return false;
    }
    return at == len;
}

static void compare(struct play *p, const char *what, const char *got,
                    size_t len, const struct text *want)
{
    if (fits(got, len, want))
        return;
    print_error("%s\n---- is\n%.*s\n---- should be\n%.*s\n----\n", what,
                (int)len, got, (int)want->len, want->octets);
    print_error("in step %d, step %zu, cut at %zu, deferred %d, inside %d\n",
                p->in_step, p->step, p->at, p->t.defers, p->t.answers_now);
    t_dialogue_fail(p->d, p->line, what);
}

static void check(struct play *p)
{
    compare(p, "replies", p->t.out, p->t.out_len, &p->out);
    if (p->has_events)
        compare(p, "events", p->t.events, p->t.events_len, &p->events);
}

static void feed(struct play *p)
{
    const char *data = p->said.octets;
    size_t len = p->said.len;

    while (len > 0) {
        size_t n = p->step == 0 || len < p->step ? len : p->step;

        if (p->at > p->fed && p->at - p->fed < n)
            n = p->at - p->fed;
        t_server_feed(&p->t, data, n);
        p->fed += n;
        data += n;
        len -= n;
    }
    p->said.len = 0;
}

static void end_handshake(struct play *p)
{
    const struct onward_tls_facts facts = {.size = sizeof(facts),
                                           .version = ONWARD_STR("TLS1.3")};

    assert_int_equal(onward_smtp_server_tls_done(p->t.session, &facts), 0);
    t_server_feed(&p->t, NULL, 0);
}

static void act(struct play *p, const struct t_line *line)
{
    if (strcmp(line->word, "T") == 0) {
        t_server_tick(&p->t, (int64_t)t_dialogue_number(line->text));
    } else if (strcmp(line->word, "EOF") == 0) {
        t_server_eof(&p->t, ONWARD_EOF_CLEAN);
    } else if (strcmp(line->word, "CUT") == 0) {
        t_server_eof(&p->t, ONWARD_EOF_CUT);
    } else if (strcmp(line->word, "TLS") == 0) {
        end_handshake(p);
    } else if (strcmp(line->word, "SHUTDOWN") == 0) {
        onward_smtp_server_shutdown(p->t.session);
        t_server_feed(&p->t, NULL, 0);
    } else if (strcmp(line->word, "CLOSE") == 0) {
        assert_int_equal(onward_channel_wants(p->t.channel), ONWARD_WANT_CLOSE);
    } else {
        t_dialogue_fail(p->d, line, "no such word");
    }
}

static void expect(struct play *p, const struct t_line *line)
{
    struct text *want = line->word[0] == 'S'   ? &p->out
                        : line->word[0] == 'E' ? &p->events
                                               : &p->message;

    for (size_t i = 0; i < line->times; i++) {
        add(want, line->text, line->len);
        if (line->word[0] == 'E')
            add(want, "\n", 1);
    }
}

static bool is_word(const struct t_line *line, const char *letters)
{
    return line->word[1] == '\0' && strchr(letters, line->word[0]) != NULL;
}

static void play_lines(struct play *p)
{
    bool has_expected = false;

    for (size_t i = 0; i < p->d->count; i++) {
        const struct t_line *line = &p->d->lines[i];

        if (is_word(line, "SEM")) {
            if (p->in_step)
                feed(p);
            expect(p, line);
            has_expected = true;
            p->line = line;
            continue;
        }
        if (p->in_step && has_expected)
            check(p);
        has_expected = false;
        p->line = line;
        if (is_word(line, "C")) {
            for (size_t n = 0; n < line->times; n++)
                add(&p->said, line->text, line->len);
        } else {
            feed(p);
            act(p, line);
        }
    }
    feed(p);
}

/* The host's log and what it keeps are the same in all plays; the first one is
 * remembered. */
static void check_end(struct play *p, bool is_first)
{
    static struct text events, kept;

    check(p);
    if (is_first) {
        events.len = kept.len = 0;
        add(&events, p->t.events, p->t.events_len);
        add(&kept, p->kept.octets, p->kept.len);
    }
    compare(p, "another event log", p->t.events, p->t.events_len, &events);
    compare(p, "another message", p->kept.octets, p->kept.len, &kept);
    compare(p, "message", p->kept.octets, p->kept.len, &p->message);
}

static void begin(struct play *p, struct t_world *w)
{
    const char *options = p->d->options;
    char word[256], *value;

    t_server_prepare(&p->t, w);
    p->t.auth = on_auth;
    p->t.auth_done = on_auth_done;
    p->t.on_reset = on_reset;
    p->t.in_words = true;
    p->t.opts.message_bytes = 1000;
    p->t.opts.scram_iterations = 4096;
    while (t_dialogue_word(&options, word, sizeof(word), &value))
        set_option(&p->t, word, value);
    for (size_t i = 0; i < p->d->count; i++)
        p->has_events = p->has_events || is_word(&p->d->lines[i], "E");
    assert_int_equal(t_server_start(&p->t), 0);
    t_server_feed(&p->t, NULL, 0);
}

/* ---- All plays of a dialogue ------------------------------------------- */

struct way {
    const struct t_dialogue *d;
    struct t_world *w;
    bool in_step, defers, answers_now, is_first;
};

/* Returns the octets that the client said. */
static size_t play(const struct way *way, size_t step, size_t at)
{
    static struct play p; /* big */

    memset(&p.t, 0, sizeof(p.t));
    p.said.len = p.out.len = p.events.len = p.message.len = p.kept.len = 0;
    p.d = way->d;
    p.in_step = way->in_step;
    p.step = step;
    p.at = at;
    p.fed = 0;
    p.has_events = false;
    p.line = NULL;
    p.t.defers = way->defers;
    p.t.answers_now = way->answers_now;
    begin(&p, way->w);
    play_lines(&p);
    check_end(&p, way->is_first);
    t_server_stop(&p.t);
    return p.fed;
}

static void play_all(struct way way)
{
    size_t len, stride;

    way.in_step = true;
    len = play(&way, 0, 0);
    way.is_first = way.in_step = false;
    play(&way, 0, 0);
    play(&way, 1, 0);
    play(&way, 7, 0);
    /* Of what is very long not each octet. */
    stride = len / CUTS_MAX + 1;
    for (size_t at = 1; at < len; at += stride)
        play(&way, 0, at);
}

static void test_dialogue(void **state)
{
    struct t_dialogue d;
    struct t_world w;
    struct way way = {.d = &d, .w = &w, .is_first = true};

    t_world_init(&w);
    t_dialogue_load(&d, *state);
    play_all(way);
    way.is_first = false;
    way.answers_now = true;
    play_all(way);
    way.defers = true;
    play_all(way);
    t_dialogue_clear(&d);
    t_world_clear(&w);
}

int main(void)
{
    return t_dialogues_run(ONWARD_TEST_DIALOGUES "/server", test_dialogue, 264);
}
