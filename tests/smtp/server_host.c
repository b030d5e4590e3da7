#include "smtp/server_host.h"

void t_server_note(struct t_server *t, const char *format, ...)
{
    size_t room = sizeof(t->events) - t->events_len;
    va_list args;
    int n;

    if (t->quiet)
        return;
    va_start(args, format);
    n = vsnprintf(t->events + t->events_len, room, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < room);
    t->events_len += (size_t)n;
}

/* May free or pause the session. True: it is gone. */
static bool passes(struct t_server *t, int callback)
{
    if (t->pause_in == callback)
        onward_smtp_server_pause(t->session);
    if (t->free_in == callback && t->free_at-- <= 0) {
        onward_smtp_server_free(t->session);
        t->session = NULL;
        return true;
    }
    return false;
}

int t_server_decide(struct t_server *t, uint64_t token, size_t code,
                    const char *enhanced, const char *text)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply),
                                      .code = code,
                                      .enhanced = onward_str_of(enhanced),
                                      .text = onward_str_of(text)};

    if (t->defers) {
        assert_true(t->token_count < T_TOKENS);
        t->tokens[t->token_count] = token;
        t->answers[t->token_count++] = reply;
        return ONWARD_SMTP_HANDLED;
    }
    if (code == 0 && !t->answers_now)
        return ONWARD_SMTP_DEFAULT;
    assert_int_equal(
        onward_smtp_reply_answer(t->desk, token, code == 0 ? NULL : &reply), 0);
    /* A second answer is late. */
    assert_int_equal(onward_smtp_reply_answer(t->desk, token, NULL),
                     ONWARD_ESTALE);
    return ONWARD_SMTP_HANDLED;
}

/* The local part says what to answer; "silent" is never answered. */
static int decide_by(struct t_server *t, uint64_t token, struct onward_str who)
{
    if (who.len == 2 && memcmp(who.data, "no", 2) == 0)
        return t_server_decide(t, token, 550, "5.1.1", "No such user");
    if (who.len == 4 && memcmp(who.data, "busy", 4) == 0)
        return t_server_decide(t, token, 451, "4.2.0", "Come again");
    if (who.len == 4 && memcmp(who.data, "gone", 4) == 0)
        return t_server_decide(t, token, 421, "4.3.0", "Go away");
    if (who.len == 4 && memcmp(who.data, "fail", 4) == 0)
        return -1;
    if (who.len == 6 && memcmp(who.data, "silent", 6) == 0)
        return ONWARD_SMTP_HANDLED;
    return t_server_decide(t, token, 0, "", "");
}

/* Of a client whose address is known. */
static void say_client(struct t_server *t)
{
    char text[ONWARD_IP_TEXT_MAX];
    struct onward_ip ip;

    onward_smtp_server_client_ip(t->session, &ip);
    if (ip.family != 0 && onward_ip_format(&ip, text, sizeof(text)) >= 0)
        t_server_note(t, " %s %zu", text,
                      onward_smtp_server_client_port(t->session));
}

static int host_connect(void *user, uint64_t token)
{
    struct t_server *t = user;

    t_server_note(t, "connect");
    if (t->in_words)
        say_client(t);
    t_server_note(t, "\n");
    if (passes(t, T_CONNECT))
        return 0;
    return t_server_decide(t, token, 0, "", "");
}

static int host_helo(void *user, uint64_t token, int is_ehlo, const char *name,
                     size_t name_len)
{
    struct t_server *t = user;
    struct onward_str who = {name, name_len};

    t_server_note(t, "%s %.*s\n", is_ehlo ? "ehlo" : "helo", (int)name_len, name);
    if (passes(t, T_HELO))
        return 0;
    return decide_by(t, token, who);
}

static void note_text(struct t_server *t, const char *name,
                      struct onward_str text)
{
    if (text.data != NULL)
        t_server_note(t, " %s [%.*s]", name, (int)text.len, text.data);
}

static void note_number(struct t_server *t, const char *name, long long n)
{
    if (n != 0)
        t_server_note(t, " %s %lld", name, n);
}

/* ---- In words ---------------------------------------------------------- */

static const char *const bodies[] = {"", " BODY=7BIT", " BODY=8BITMIME",
                                     " BODY=BINARYMIME"};
static const char *const rets[] = {"", " RET=FULL", " RET=HDRS"};
static const char *const notifies[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
static const char *const resets[] = {"",     "done", "refused", "rset",
                                     "helo", "tls",  "closed"};

static void say_text(struct t_server *t, const char *name,
                     struct onward_str text)
{
    if (text.data != NULL)
        t_server_note(t, " %s=%.*s", name, (int)text.len, text.data);
}

/* As a client would write it, what it did not say left out. */
static void say_mail(struct t_server *t)
{
    struct onward_smtp_server *s = t->session;
    struct onward_str address = onward_smtp_server_mail_address(s);
    int64_t seconds = 0;
    int by = onward_smtp_server_mail_by(s, &seconds);

    t_server_note(t, "mail <%.*s>", (int)address.len, address.data);
    if (onward_smtp_server_mail_size(s) != 0)
        t_server_note(t, " SIZE=%llu",
                      (unsigned long long)onward_smtp_server_mail_size(s));
    t_server_note(t, "%s%s%s", bodies[onward_smtp_server_mail_body(s)],
                  onward_smtp_server_mail_smtputf8(s) ? " SMTPUTF8" : "",
                  rets[onward_smtp_server_mail_ret(s)]);
    say_text(t, "ENVID", onward_smtp_server_mail_envid(s));
    if (onward_smtp_server_mail_requires_tls(s))
        t_server_note(t, " REQUIRETLS");
    if (by != 0)
        t_server_note(t, " BY=%lld;%s%s", (long long)seconds,
                      (by & ONWARD_SMTP_BY_NOTIFY) != 0 ? "N" : "R",
                      (by & ONWARD_SMTP_BY_TRACE) != 0 ? "T" : "");
    say_text(t, "AUTH", onward_smtp_server_mail_auth(s));
    t_server_note(t, "\n");
}

static void say_rcpt(struct t_server *t, size_t index)
{
    struct onward_str address =
        onward_smtp_server_rcpt_address(t->session, index);
    int notify = onward_smtp_server_rcpt_notify(t->session, index);
    bool first = true;

    t_server_note(t, "rcpt <%.*s>", (int)address.len, address.data);
    for (size_t i = 0; i < 4; i++) {
        if ((notify >> i & 1) != 0)
            t_server_note(t, "%s%s", first ? " NOTIFY=" : ",", notifies[i]);
        first = first && (notify >> i & 1) == 0;
    }
    say_text(t, "ORCPT", onward_smtp_server_rcpt_orcpt(t->session, index));
    t_server_note(t, "\n");
}

/* ---- What is asked ----------------------------------------------------- */

/* What only some clients say. */
static void note_mail_extras(struct t_server *t)
{
    int64_t seconds = 4711;
    int by = onward_smtp_server_mail_by(t->session, &seconds);

    note_number(t, "ret", onward_smtp_server_mail_ret(t->session));
    note_text(t, "envid", onward_smtp_server_mail_envid(t->session));
    note_number(t, "requiretls",
                onward_smtp_server_mail_requires_tls(t->session));
    note_number(t, "by", by);
    note_number(t, "in", seconds);
    note_text(t, "auth", onward_smtp_server_mail_auth(t->session));
    t_server_note(t, "\n");
}

static int host_mail(void *user, uint64_t token)
{
    struct t_server *t = user;
    struct onward_str a = onward_smtp_server_mail_address(t->session);

    if (t->in_words) {
        say_mail(t);
    } else {
        t_server_note(
            t, "mail [%.*s] size %llu body %d utf8 %d", (int)a.len, a.data,
            (unsigned long long)onward_smtp_server_mail_size(t->session),
            onward_smtp_server_mail_body(t->session),
            onward_smtp_server_mail_smtputf8(t->session));
        note_mail_extras(t);
    }
    assert_int_equal(onward_smtp_server_has_mail(t->session), 1);
    if (passes(t, T_MAIL))
        return 0;
    return decide_by(t, token, onward_smtp_server_mail_local_part(t->session));
}

static int host_rcpt(void *user, uint64_t token, size_t index)
{
    struct t_server *t = user;
    struct onward_str a = onward_smtp_server_rcpt_address(t->session, index);

    assert_int_equal(index + 1, onward_smtp_server_rcpt_count(t->session));
    if (t->in_words) {
        say_rcpt(t, index);
    } else {
        t_server_note(t, "rcpt %zu [%.*s]", index, (int)a.len, a.data);
        note_number(t, "notify",
                    onward_smtp_server_rcpt_notify(t->session, index));
        note_text(t, "orcpt", onward_smtp_server_rcpt_orcpt(t->session, index));
        t_server_note(t, "\n");
    }
    if (passes(t, T_RCPT))
        return 0;
    return decide_by(t, token,
                     onward_smtp_server_rcpt_local_part(t->session, index));
}

static int host_data(void *user, uint64_t token)
{
    struct t_server *t = user;

    t_server_note(t, "data\n");
    if (passes(t, T_DATA))
        return 0;
    return t_server_decide(t, token, 0, "", "");
}

static int host_message_data(void *user, const void *data, size_t len)
{
    struct t_server *t = user;

    assert_true(len > 0 && len <= sizeof(t->message) - t->message_len);
    memcpy(t->message + t->message_len, data, len);
    t->message_len += len;
    if (passes(t, T_MESSAGE_DATA))
        return 0;
    return len == 5 && memcmp(data, "FAIL!", 5) == 0 ? -1 : 0;
}

static bool says(const struct t_server *t, const char *word)
{
    size_t len = strlen(word);

    return t->message_len - t->message_start >= len &&
           memcmp(t->message + t->message_start, word, len) == 0;
}

static int host_message_end(void *user, uint64_t token)
{
    struct t_server *t = user;

    t_server_note(t, "end %zu\n", t->message_len - t->message_start);
    assert_int_equal(onward_smtp_server_message_size(t->session),
                     t->message_len - t->message_start);
    if (passes(t, T_MESSAGE_END))
        return 0;
    if (says(t, "REJECT"))
        return t_server_decide(t, token, 550, "5.7.1", "Not wanted\nnot at all");
    if (says(t, "DEFER"))
        return t_server_decide(t, token, 450, "", "");
    return t_server_decide(t, token, 0, "", "");
}

/* LMTP: by the local part once more, "quota" refuses only now. */
static int host_message_rcpt(void *user, uint64_t token, size_t index)
{
    struct t_server *t = user;
    struct onward_str who =
        onward_smtp_server_rcpt_local_part(t->session, index);

    t_server_note(t, "end %zu for %zu\n", t->message_len - t->message_start, index);
    assert_int_equal(onward_smtp_server_rcpt_accepted(t->session, index), 1);
    if (passes(t, T_MESSAGE_RCPT))
        return 0;
    if (who.len == 5 && memcmp(who.data, "quota", 5) == 0)
        return t_server_decide(t, token, 452, "4.2.2", "Mailbox full");
    return decide_by(t, token, who);
}

static int host_vrfy(void *user, uint64_t token, const char *text, size_t len)
{
    struct t_server *t = user;
    struct onward_str who = {text, len};

    t_server_note(t, "vrfy [%.*s]\n", (int)len, text);
    if (passes(t, T_VRFY))
        return 0;
    if (len == 4 && memcmp(text, "full", 4) == 0)
        return t_server_decide(t, token, 250, "2.1.5",
                               "J\xc3\xb8rn <j\xc3\xb8rn@mx.test>");
    return decide_by(t, token, who);
}

static void host_reset(void *user, int why)
{
    struct t_server *t = user;
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    int ret = onward_smtp_server_message_reply(t->session, &reply);

    /* A message that was answered, and nothing else. */
    assert_int_equal(ret, why == ONWARD_SMTP_RESET_DONE ||
                                  why == ONWARD_SMTP_RESET_REFUSED
                              ? 0
                              : ONWARD_ESTATE);
    t->message_code = reply.code;
    t->reset_count++;
    if (t->on_reset != NULL)
        t->on_reset(t, why);
    t->message_start = t->message_len;
    if (t->in_words)
        t_server_note(t, "reset %s\n", resets[why]);
    else
        t_server_note(t, "reset %d\n", why);
    passes(t, T_RESET);
}

static void host_starttls_ready(void *user)
{
    struct t_server *t = user;

    t_server_note(t, "starttls\n");
    passes(t, T_STARTTLS_READY);
}

static void host_secured(void *user)
{
    struct t_server *t = user;

    t_server_note(t, "secured\n");
    passes(t, T_SECURED);
}

static void host_closed(void *user, int status)
{
    struct t_server *t = user;

    t->close_count++;
    t->close_status = status;
    t_server_note(t, "close %s\n", onward_error_name(status));
    passes(t, T_CLOSE);
}

void t_server_prepare(struct t_server *t, struct t_world *w)
{
    t->w = w;
    t->opts.size = sizeof(t->opts);
    if (t->opts.hostname.len == 0)
        t->opts.hostname = ONWARD_STR("mx.test");
    t->now_ms = 1000;
}

int t_server_start(struct t_server *t)
{
    const struct onward_smtp_server_host host = {
        .size = sizeof(host),
        .user = t,
        .connect = t->no_connect ? NULL : host_connect,
        .helo = host_helo,
        .mail = host_mail,
        .rcpt = host_rcpt,
        .data = host_data,
        .message_data = host_message_data,
        .message_end = host_message_end,
        .vrfy = host_vrfy,
        .reset = host_reset,
        .starttls_ready = host_starttls_ready,
        .secured = host_secured,
        .closed = host_closed,
        .auth = t->auth,
        .auth_done = t->auth_done,
        .message_rcpt = t->no_message_rcpt ? NULL : host_message_rcpt,
    };
    int err = 0;

    t->session = NULL;
    if (t->desk == NULL)
        err = onward_desk_new(t->w->ctx, NULL, &t->desk);
    if (err == 0)
        err = onward_smtp_server_new(t->desk, &t->opts, &host, &t->session);
    if (err == 0) {
        t->channel = onward_smtp_server_channel(t->session);
        onward_channel_tick(t->channel, t->now_ms);
    }
    return err;
}

void t_server_drain(struct t_server *t)
{
    while (t->session != NULL) {
        struct onward_str out = onward_channel_peek(t->channel);

        if (out.len == 0)
            return;
        assert_true(out.len <= sizeof(t->out) - t->out_len);
        memcpy(t->out + t->out_len, out.data, out.len);
        t->out_len += out.len;
        onward_channel_drain(t->channel, out.len);
    }
}

size_t t_server_feed_only(struct t_server *t, const void *data, size_t len)
{
    size_t taken = 0;

    if (t->session == NULL)
        return len;
    onward_channel_feed(t->channel, data, len, &taken);
    return taken;
}

int t_server_answer(struct t_server *t, size_t i)
{
    struct onward_smtp_reply reply = t->answers[i];
    uint64_t token = t->tokens[i];

    assert_true(i < t->token_count);
    t->token_count--;
    for (; i < t->token_count; i++) {
        t->answers[i] = t->answers[i + 1];
        t->tokens[i] = t->tokens[i + 1];
    }
    return onward_smtp_reply_answer(t->desk, token,
                                    reply.code == 0 ? NULL : &reply);
}

static void run_desk(struct t_server *t)
{
    while (onward_desk_run(t->desk, t->now_ms) == 1)
        ;
}

/* The last question first: the session puts the replies into order. */
static bool answer_all(struct t_server *t)
{
    bool any = t->token_count > 0;

    while (t->token_count > 0)
        t_server_answer(t, t->token_count - 1);
    return any;
}

void t_server_feed(struct t_server *t, const void *data, size_t len)
{
    const char *octets = data;
    bool moves = true;

    while (moves) {
        size_t before = t->out_len, taken;

        run_desk(t);
        t_server_drain(t);
        taken = t_server_feed_only(t, octets, len);
        octets += taken;
        len -= taken;
        t_server_drain(t);
        moves = answer_all(t) || taken > 0 || t->out_len != before;
    }
}

void t_server_say(struct t_server *t, const char *text)
{
    t_server_feed(t, text, strlen(text));
}

void t_server_tick(struct t_server *t, int64_t by_ms)
{
    t->now_ms += by_ms;
    if (t->session != NULL)
        onward_channel_tick(t->channel, t->now_ms);
    t_server_feed(t, NULL, 0);
}

void t_server_eof(struct t_server *t, int kind)
{
    if (t->session != NULL)
        onward_channel_eof(t->channel, kind);
    t_server_feed(t, NULL, 0);
}

void t_server_stop(struct t_server *t)
{
    onward_smtp_server_free(t->session);
    onward_desk_free(t->desk);
    t->session = NULL;
    t->desk = NULL;
    t->token_count = 0;
}

void t_server_forget(struct t_server *t)
{
    t->out_len = 0;
    t->events_len = 0;
    t->message_len = 0;
    t->message_start = 0;
}

void t_server_assert_out(struct t_server *t, const char *want)
{
    struct onward_str got = {t->out, t->out_len};

    t_assert_str(got, want);
}

void t_server_assert_events(struct t_server *t, const char *want)
{
    struct onward_str got = {t->events, t->events_len};

    t_assert_str(got, want);
}
