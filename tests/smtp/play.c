#include "smtp/play.h"

/* ---- The message ------------------------------------------------------- */

static int source_read(void *user, uint64_t offset, void *buf, size_t cap,
                       size_t *got)
{
    struct t_play *p = user;
    struct onward_str text = p->mail->text;
    size_t n = text.len - (size_t)offset;

    assert_true(offset < text.len);
    if (p->source_waits != 0 && !p->source_ready)
        return ONWARD_AGAIN;
    p->source_ready = false;
    if (n > cap)
        n = cap;
    if (p->read_cap != 0 && n > p->read_cap)
        n = p->read_cap;
    memcpy(buf, text.data + offset, n);
    *got = n;
    return 0;
}

static void source_wait(void *user, uint64_t token)
{
    struct t_play *p = user;

    p->source_token = token;
    if (p->source_waits == 1) {
        p->source_ready = true;
        assert_int_equal(onward_source_answer(p->desk, token), 0);
    }
}

static int add_rcpts(struct t_play *p, const struct t_play_mail *mail)
{
    const char *to = mail->to;
    int count = 0;

    while (*to != '\0') {
        size_t n = strcspn(to, " ");
        struct onward_smtp_rcpt rcpt = {.size = sizeof(rcpt),
                                        .path = {.data = to, .len = n}};
        int err;

        if (count == 0) {
            rcpt.notify = mail->notify;
            rcpt.orcpt = mail->orcpt;
        }
        err = onward_smtp_client_add_rcpt(p->client, &rcpt);

        if (err < 0)
            return err;
        assert_int_equal(err, count++);
        to += n + (to[n] == ' ');
    }
    return 0;
}

int t_play_give(struct t_play *p, const struct t_play_mail *mail)
{
    struct onward_smtp_envelope envelope = {
        .size = sizeof(envelope),
        .reverse_path = onward_str_of(mail->from),
        .smtputf8 = mail->smtputf8,
        .hold_dot = mail->hold_dot,
        .allow_unchecked = mail->allow_unchecked,
        .body = mail->body,
        .require_tls = mail->require_tls,
        .ret = mail->ret,
        .envid = mail->envid};
    struct onward_source source = {.size = sizeof(source),
                                   .user = p,
                                   .len = mail->text.len,
                                   .read = source_read,
                                   .wait = source_wait};
    int err = add_rcpts(p, mail);

    p->mail = mail;
    if (err == 0)
        err = onward_smtp_client_send(p->client, &envelope, &source);
    return err;
}

/* ---- What is told ------------------------------------------------------ */

static void tell(struct t_play *p, struct onward_smtp_client *client,
                 const char *word)
{
    assert_ptr_equal(client, p->client);
    assert_true(p->told_count < 64);
    snprintf(p->told[p->told_count++], sizeof(p->told[0]), "%s", word);
    if (p->free_at != NULL && strcmp(p->free_at, word) == 0) {
        onward_smtp_client_free(client);
        p->client = NULL;
    }
}

static void on_ready(void *user, struct onward_smtp_client *client)
{
    tell(user, client, "ready");
}

static void on_held(void *user, struct onward_smtp_client *client)
{
    tell(user, client, "held");
}

static void on_done(void *user, struct onward_smtp_client *client)
{
    tell(user, client, "done");
}

static void on_closed(void *user, struct onward_smtp_client *client)
{
    tell(user, client, "closed");
}

static void on_starttls(void *user, struct onward_smtp_client *client)
{
    tell(user, client, "starttls");
}

/* ---- Playing ----------------------------------------------------------- */

static struct onward_tls_demand no_tls = {.size = sizeof(no_tls),
                                          .level = ONWARD_TLS_NONE};

/* The first error that memory made sticks; no other may come. */
static bool went_well(struct t_play *p, int err)
{
    if (err >= 0)
        return true;
    if (err != ONWARD_ENOMEM || p->world->failed == 0) {
        print_error("%s\n", onward_error_name(err));
        fail();
    }
    p->error = err;
    return false;
}

bool t_play_begin(struct t_play *p)
{
    struct onward_smtp_client_host host = {.size = sizeof(host),
                                           .user = p,
                                           .ready = on_ready,
                                           .held = on_held,
                                           .done = on_done,
                                           .closed = on_closed,
                                           .starttls_ready = on_starttls};

    p->opts.size = sizeof(p->opts);
    if (p->opts.ehlo_name.len == 0)
        p->opts.ehlo_name = ONWARD_STR("client.example");
    if (p->opts.tls_demand == NULL)
        p->opts.tls_demand = &no_tls;
    p->now_ms = 1000;
    if (!went_well(p, onward_desk_new(p->world->ctx, NULL, &p->desk)) ||
        !went_well(
            p, onward_smtp_client_new(p->desk, &p->opts, &host, &p->client)))
        return false;
    p->ch = onward_smtp_client_channel(p->client);
    return went_well(p, onward_channel_tick(p->ch, p->now_ms));
}

static void gather(struct t_play *p)
{
    for (;;) {
        struct onward_str out;
        size_t n;

        if (p->client == NULL)
            return;
        out = onward_channel_peek(p->ch);
        n = p->step == 0 || out.len < p->step ? out.len : p->step;
        if (n == 0)
            return;
        assert_true(n <= sizeof(p->out) - p->out_len);
        memcpy(p->out + p->out_len, out.data, n);
        p->out_len += n;
        went_well(p, onward_channel_drain(p->ch, n));
    }
}

/* What fails inside the desk's run is told by the outcome alone. */
static void notice_starving(struct t_play *p)
{
    struct onward_smtp_outcome o = {.size = sizeof(o)};

    if (p->client == NULL || p->world->failed == 0)
        return;
    assert_int_equal(
        onward_smtp_client_outcome(p->client, ONWARD_SMTP_SESSION, &o), 0);
    if (o.cause == ONWARD_SMTP_CAUSE_MEMORY)
        p->error = ONWARD_ENOMEM;
}

void t_play_settle(struct t_play *p)
{
    int more = 1;

    while (more == 1 && p->client != NULL) {
        more = onward_desk_run(p->desk, p->now_ms);
        gather(p);
    }
    notice_starving(p);
}

static void feed_piece(struct t_play *p, const char *data, size_t len)
{
    size_t taken = 0;

    if (p->client == NULL)
        return;
    if (went_well(p, onward_channel_feed(p->ch, data, len, &taken)))
        assert_int_equal(taken, len);
    p->fed += len;
    /* Some hosts run the desk at each turn, some later. */
    if (p->step != 0)
        t_play_settle(p);
}

void t_play_feed(struct t_play *p, const void *data, size_t len)
{
    const char *octets = data;

    while (len != 0) {
        size_t n = p->step == 0 || len < p->step ? len : p->step;

        if (p->at > p->fed && p->at - p->fed < n)
            n = p->at - p->fed;
        feed_piece(p, octets, n);
        octets += n;
        len -= n;
    }
}

/* ---- Outcomes ---------------------------------------------------------- */

static const char *const fates[] = {"not-tried", "delivered", "temporary",
                                    "permanent"};
static const char *const phases[] = {
    "check", "greeting", "ehlo", "starttls", "tls",   "idle", "rset",
    "mail",  "rcpt",     "data", "content",  "final", "quit", "auth"};
static const char *const causes[] = {
    "none",     "reply",        "lost",          "timeout",    "deadline",
    "protocol", "tls",          "no-tls",        "no-utf8",    "no-8bit",
    "size",     "bare-newline", "recipients",    "source",     "canceled",
    "memory",   "no-binary",    "no-requiretls", "unverified", "limit", "no-auth",
    "auth"};

void t_play_outcome(const struct onward_smtp_client *client, size_t i,
                    char *text, size_t cap)
{
    struct onward_smtp_outcome o = {.size = sizeof(o)};
    int len;

    assert_int_equal(onward_smtp_client_outcome(client, i, &o), 0);
    len = snprintf(text, cap, "%s %s %s", fates[o.fate], phases[o.phase],
                   causes[o.cause]);
    if (o.code != 0)
        len += snprintf(text + len, cap - (size_t)len, " %zu", o.code);
    if (o.enhanced.len != 0)
        len += snprintf(text + len, cap - (size_t)len, " %.*s",
                        (int)o.enhanced.len, o.enhanced.data);
    if (o.tls_failure != 0)
        len += snprintf(text + len, cap - (size_t)len, " tls:%s",
                        onward_tls_failure_name((int)o.tls_failure));
    if ((o.notes & ONWARD_SMTP_NOTE_NO_DSN) != 0)
        len += snprintf(text + len, cap - (size_t)len, " no-dsn");
    /* Our own texts may change. */
    if (o.text.len != 0 && o.code != 0)
        snprintf(text + len, cap - (size_t)len, " %.*s", (int)o.text.len,
                 o.text.data);
}

static void check_outcome(struct t_play *p, size_t i, const char *want)
{
    char text[1024];

    if (p->is_starved)
        return;
    t_play_outcome(p->client, i, text, sizeof(text));
    assert_string_equal(text, want);
}

/* ---- Scripts ----------------------------------------------------------- */

static void expect_octets(struct t_play *p, const char *want, size_t len,
                          size_t end)
{
    if (p->out_len < len + end || memcmp(p->out, want, len) != 0 ||
        memcmp(p->out + len, "\r\n", end) != 0) {
        print_error("client said \"%.*s\"\nwant        \"%.*s\"\n",
                    (int)p->out_len, p->out, (int)len, want);
        fail();
    }
    p->out_len -= len + end;
    memmove(p->out, p->out + len + end, p->out_len);
}

static void expect_output(struct t_play *p, const char *want, size_t end)
{
    expect_octets(p, want, strlen(want), end);
}

/* \xHH is an octet, the rest stands for itself; returns the length. */
static size_t unescape(const char *text, char *out, size_t cap)
{
    size_t len = 0;

    for (; *text != '\0'; text++) {
        char hex[3] = "";

        assert_true(len < cap);
        if (text[0] != '\\' || text[1] != 'x') {
            out[len++] = *text;
            continue;
        }
        memcpy(hex, text + 2, 2);
        out[len++] = (char)strtol(hex, NULL, 16);
        text += 3;
    }
    return len;
}

static void expect_escaped(struct t_play *p, const char *want)
{
    char raw[8192];

    expect_octets(p, raw, unescape(want, raw, sizeof(raw)), 0);
}

static void expect_raw(struct t_play *p, const char *want)
{
    char raw[256];
    size_t len = strlen(want);

    assert_true(len < sizeof(raw));
    for (size_t i = 0; i <= len; i++)
        raw[i] = want[i] == '~' ? '\n' : want[i];
    expect_output(p, raw, 0);
}

static void expect_silence(struct t_play *p)
{
    if (p->out_len != 0) {
        print_error("client said \"%.*s\"\nwant        nothing\n",
                    (int)p->out_len, p->out);
        fail();
    }
}

static void expect_told(struct t_play *p, const char *word)
{
    if (p->told_seen == p->told_count) {
        print_error("want told %s\n", word);
        fail();
    }
    assert_string_equal(p->told[p->told_seen++], word);
}

static void pass_time(struct t_play *p, const char *ms)
{
    p->now_ms += strtol(ms, NULL, 10);
    if (p->client != NULL)
        went_well(p, onward_channel_tick(p->ch, p->now_ms));
}

static bool starts(const char *line, const char *with, const char **rest)
{
    size_t n = strlen(with);

    if (strncmp(line, with, n) != 0)
        return false;
    *rest = line + n;
    return true;
}

static void end_handshake(struct t_play *p, const char *how)
{
    struct onward_tls_facts facts = {.size = sizeof(facts),
                                     .version = ONWARD_STR("TLS1.3"),
                                     .is_verified = strcmp(how, "up") != 0};

    if (!facts.is_verified)
        facts.cert_failure = ONWARD_TLS_EXPIRED;
    went_well(
        p, strcmp(how, "failed") == 0
               ? onward_smtp_client_tls_failed(p->client, ONWARD_TLS_NO_COMMON)
               : onward_smtp_client_tls_done(p->client, &facts));
}

static void play_line(struct t_play *p, const char *line)
{
    const char *rest = "";

    if (starts(line, "C ", &rest))
        expect_output(p, rest, 2);
    else if (starts(line, "R ", &rest))
        expect_raw(p, rest);
    else if (starts(line, "X ", &rest))
        expect_escaped(p, rest);
    else if (strcmp(line, "N") == 0)
        expect_silence(p);
    else if (strcmp(line, "DROP") == 0)
        p->out_len = 0;
    else if (starts(line, "TOLD ", &rest))
        expect_told(p, rest);
    else if (starts(line, "m: ", &rest))
        check_outcome(p, ONWARD_SMTP_MESSAGE, rest);
    else if (starts(line, "s: ", &rest))
        check_outcome(p, ONWARD_SMTP_SESSION, rest);
    else if (line[0] >= '0' && line[0] <= '9')
        check_outcome(p, (size_t)(line[0] - '0'), line + 3);
    else if (strcmp(line, "CLOSE") == 0)
        assert_int_equal(onward_channel_wants(p->ch), ONWARD_WANT_CLOSE);
    else if (starts(line, "T ", &rest))
        pass_time(p, rest);
    else if (strcmp(line, "EOF") == 0)
        went_well(p, onward_channel_eof(p->ch, ONWARD_EOF_CLEAN));
    else if (strcmp(line, "CUT") == 0)
        went_well(p, onward_channel_eof(p->ch, ONWARD_EOF_CUT));
    else if (starts(line, "MAIL ", &rest))
        went_well(p, t_play_give(p, &p->mails[rest[0] - '0']));
    else if (starts(line, "TLS ", &rest))
        end_handshake(p, rest);
    else if (strcmp(line, "QUIT") == 0)
        went_well(p, onward_smtp_client_quit(p->client));
    else if (strcmp(line, "RELEASE") == 0)
        went_well(p, onward_smtp_client_release(p->client));
    else if (strcmp(line, "CANCEL") == 0)
        went_well(p, onward_smtp_client_cancel(p->client));
    else
        fail_msg("no such step: %s", line);
    t_play_settle(p);
}

/* Next line of the script, without its end; NULL at the end. */
static const char *next_line(const char **script, char *line, size_t cap)
{
    size_t n = strcspn(*script, "\n");

    if (**script == '\0')
        return NULL;
    assert_true(n < cap);
    memcpy(line, *script, n);
    line[n] = '\0';
    *script += n + ((*script)[n] == '\n');
    return line;
}

/* What the server says in consecutive lines comes in one piece. */
static void say(struct t_play *p, char *said, size_t *len)
{
    if (*len == 0)
        return;
    expect_silence(p);
    t_play_feed(p, said, *len);
    *len = 0;
    t_play_settle(p);
}

bool t_play_script(struct t_play *p, const char *script)
{
    char line[16384], said[65536];
    size_t said_len = 0;

    if (p->mails != NULL && strncmp(script, "MAIL ", 5) != 0 &&
        strstr(script, "\nMAIL ") == NULL)
        went_well(p, t_play_give(p, &p->mails[0]));
    t_play_settle(p);
    while (p->error == 0 && p->client != NULL &&
           next_line(&script, line, sizeof(line)) != NULL) {
        if (line[0] == 'S' && (line[1] == ' ' || line[1] == '\0')) {
            int n = snprintf(said + said_len, sizeof(said) - said_len, "%s\r\n",
                             line[1] == '\0' ? "" : line + 2);

            said_len += (size_t)n;
            assert_true(said_len < sizeof(said));
            continue;
        }
        if (line[0] == 'W' && line[1] == ' ') {
            said_len += unescape(line + 2, said + said_len,
                                 sizeof(said) - said_len);
            continue;
        }
        say(p, said, &said_len);
        if (p->error == 0 && p->client != NULL)
            play_line(p, line);
    }
    if (p->error == 0)
        say(p, said, &said_len);
    if (p->error != 0)
        return false;
    expect_silence(p);
    if (p->client != NULL)
        assert_int_equal(p->told_seen, p->told_count);
    return true;
}

void t_play_end(struct t_play *p)
{
    onward_smtp_client_free(p->client);
    if (p->desk != NULL)
        onward_desk_free(p->desk);
    p->client = NULL;
    p->desk = NULL;
}

static size_t play_once(const struct t_play *how, const char *script,
                        size_t step, size_t at)
{
    struct t_play *p = malloc(sizeof(*p));
    struct t_world w;
    size_t fed;

    assert_non_null(p);
    *p = *how;
    p->world = &w;
    p->step = step;
    p->at = at;
    t_world_init(&w);
    assert_true(t_play_begin(p));
    assert_true(t_play_script(p, script));
    t_play_end(p);
    t_world_clear(&w);
    fed = p->fed;
    free(p);
    return fed;
}

void t_play_whole(const struct t_play *how, const char *script)
{
    play_once(how, script, 0, 0);
}

void t_play_all(const struct t_play *how, const char *script)
{
    size_t fed = play_once(how, script, 0, 0);

    play_once(how, script, 1, 0);
    play_once(how, script, 3, 0);
    for (size_t at = 1; at < fed && fed <= 4096; at++)
        play_once(how, script, 0, at);
}

struct starving {
    const struct t_play *how;
    const char *script;
};

static bool starve(struct t_world *w, void *arg)
{
    const struct starving *s = arg;
    struct t_play *p = malloc(sizeof(*p));
    bool got_through;

    assert_non_null(p);
    *p = *s->how;
    p->world = w;
    p->is_starved = true;
    got_through = t_play_begin(p) && t_play_script(p, s->script);
    t_play_end(p);
    free(p);
    return got_through;
}

void t_play_oom(const struct t_play *how, const char *script)
{
    struct starving s = {how, script};

    t_oom_sweep(starve, &s);
}
