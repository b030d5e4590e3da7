/*
 * The client's dialogues, dialogues/client: each is played whole, octet by
 * octet and cut at every octet of what the server says, with a message that is
 * there and with one that comes an octet at a time.
 */
#include "smtp/dialogue.h"
#include "smtp/play.h"

enum { MAILS_MAX = 8, SCRIPT_MAX = 1 << 18 };

/* One dialogue in the terms of play.h. */
struct part {
    const struct t_dialogue *d;
    struct t_play play;
    struct t_play_mail mails[MAILS_MAX];
    struct onward_smtp_client_login login;
    struct onward_tls_demand demand;
    struct onward_str name; /* of the server */
    size_t mail_count;
    char script[SCRIPT_MAX];
    size_t script_len;
    /* What the options and mails point to. */
    char words[8192];
    size_t words_len;
    char texts[1 << 18];
    size_t texts_len;
    bool is_at_once;
};

static const char *keep(struct part *p, const char *text)
{
    char *kept = p->words + p->words_len;
    size_t len = strlen(text) + 1;

    assert_true(len <= sizeof(p->words) - p->words_len);
    memcpy(kept, text, len);
    p->words_len += len;
    return kept;
}

static struct onward_str keep_str(struct part *p, const char *text)
{
    return onward_str_of(keep(p, text));
}

/* ---- The options ------------------------------------------------------- */

static void set_tls(struct part *p, const char *value)
{
    static const char *const levels[] = {
        [ONWARD_TLS_NONE] = "none",
        [ONWARD_TLS_OPPORTUNISTIC] = "opportunistic",
        [ONWARD_TLS_ENCRYPTED] = "encrypted",
        [ONWARD_TLS_VERIFIED] = "verified",
    };

    p->demand.size = sizeof(p->demand);
    p->demand.level = SIZE_MAX;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (levels[i] != NULL && strcmp(levels[i], value) == 0)
            p->demand.level = i;
    }
    assert_true(p->demand.level != SIZE_MAX);
    p->name = ONWARD_STR("mx.example");
    p->demand.names = &p->name;
    p->demand.name_count = 1;
    p->play.opts.tls_demand = &p->demand;
    p->play.opts.flags |= ONWARD_SMTP_CLIENT_HOST_TLS;
}

static bool set_login(struct part *p, const char *word, const char *value)
{
    struct onward_smtp_client_login *login = &p->login;

    if (strcmp(word, "user") == 0)
        login->user = keep_str(p, value);
    else if (strcmp(word, "password") == 0)
        login->password = keep_str(p, value);
    else if (strcmp(word, "token") == 0)
        login->token = keep_str(p, value);
    else if (strcmp(word, "as") == 0)
        login->authorization_id = keep_str(p, value);
    else if (strcmp(word, "clear-auth") == 0)
        login->allow_clear = 1;
    else
        return false;
    login->size = sizeof(*login);
    p->play.opts.login = login;
    return true;
}

static void set_option(struct part *p, const char *word, const char *value)
{
    struct onward_smtp_client_opts *o = &p->play.opts;
    const struct {
        const char *word;
        size_t flag;
    } flags[] = {
        {"lmtp", ONWARD_SMTP_CLIENT_LMTP},
        {"prefer-bdat", ONWARD_SMTP_CLIENT_PREFER_BDAT},
        {"in-step", ONWARD_SMTP_CLIENT_IN_STEP},
    };

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(flags[i].word, word) == 0) {
            o->flags |= flags[i].flag;
            return;
        }
    }
    if (strcmp(word, "repair") == 0)
        o->allow_bare_newline_repair = 1;
    else if (strcmp(word, "chunk") == 0)
        o->chunk_bytes = t_dialogue_number(value);
    else if (strcmp(word, "tls") == 0)
        set_tls(p, value);
    else if (strcmp(word, "at-once") == 0)
        p->is_at_once = true;
    else if (!set_login(p, word, value))
        fail_msg("no such option: %s", word);
}

/* ---- The messages ------------------------------------------------------ */

static size_t notify_of(const char *words)
{
    static const char *const names[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
    size_t set = 0;

    for (size_t i = 0; i < 4; i++)
        set |= strstr(words, names[i]) != NULL ? (size_t)1 << i : 0;
    assert_true(set != 0);
    return set;
}

static void set_body(struct t_play_mail *mail, const char *value)
{
    mail->body = strcmp(value, "7BIT") == 0       ? ONWARD_SMTP_BODY_7BIT
                 : strcmp(value, "8BITMIME") == 0 ? ONWARD_SMTP_BODY_8BITMIME
                                                  : ONWARD_SMTP_BODY_BINARYMIME;
}

static void set_mail(struct part *p, struct t_play_mail *mail, const char *word,
                     char *value)
{
    if (strcmp(word, "from") == 0) {
        mail->from = keep(p, value);
    } else if (strcmp(word, "to") == 0) {
        for (char *c = value; *c != '\0'; c++)
            *c = *c == ',' ? ' ' : *c;
        mail->to = keep(p, value);
    } else if (strcmp(word, "smtputf8") == 0) {
        mail->smtputf8 = 1;
    } else if (strcmp(word, "hold") == 0) {
        mail->hold_dot = 1;
    } else if (strcmp(word, "unchecked") == 0) {
        mail->allow_unchecked = 1;
    } else if (strcmp(word, "requiretls") == 0) {
        mail->require_tls = 1;
    } else if (strcmp(word, "body") == 0) {
        set_body(mail, value);
    } else if (strcmp(word, "ret") == 0) {
        mail->ret = strcmp(value, "FULL") == 0 ? ONWARD_SMTP_RET_FULL
                                               : ONWARD_SMTP_RET_HDRS;
    } else if (strcmp(word, "envid") == 0) {
        mail->envid = keep_str(p, value);
    } else if (strcmp(word, "notify") == 0) {
        mail->notify = notify_of(value);
    } else if (strcmp(word, "orcpt") == 0) {
        mail->orcpt = keep_str(p, value);
    } else {
        fail_msg("no such word of a mail: %s", word);
    }
}

static void begin_mail(struct part *p, const struct t_line *line)
{
    struct t_play_mail *mail = &p->mails[p->mail_count++];
    const char *words = line->text;
    char word[1024], *value;

    assert_true(p->mail_count <= MAILS_MAX);
    *mail = (struct t_play_mail){.from = ""};
    mail->text.data = p->texts + p->texts_len;
    while (t_dialogue_word(&words, word, sizeof(word), &value))
        set_mail(p, mail, word, value);
    assert_non_null(mail->to);
    p->play.mails = p->mails;
}

static void add_text(struct part *p, const struct t_line *line)
{
    assert_true(p->mail_count > 0);
    for (size_t i = 0; i < line->times; i++) {
        assert_true(line->len <= sizeof(p->texts) - p->texts_len);
        memcpy(p->texts + p->texts_len, line->text, line->len);
        p->texts_len += line->len;
        p->mails[p->mail_count - 1].text.len += line->len;
    }
}

/* ---- The script -------------------------------------------------------- */

static void add_step(struct part *p, const char *step, const char *rest)
{
    int n = snprintf(p->script + p->script_len,
                     sizeof(p->script) - p->script_len, "%s%s\n", step, rest);

    assert_true(n > 0 && (size_t)n < sizeof(p->script) - p->script_len);
    p->script_len += (size_t)n;
}

/* Any octets, as W and X have them. */
static void add_octets(struct part *p, const char *step,
                       const struct t_line *line)
{
    char text[1 << 15];
    size_t len = 0;

    for (size_t i = 0; i < line->len; i++) {
        unsigned char c = (unsigned char)line->text[i];

        assert_true(len + 5 < sizeof(text));
        if (c > ' ' && c < 0x7f && c != '\\')
            text[len++] = (char)c;
        else
            len += (size_t)snprintf(text + len, 5, "\\x%02X", c);
    }
    text[len] = '\0';
    for (size_t i = 0; i < line->times; i++)
        add_step(p, step, text);
}

static void add_event(struct part *p, const struct t_line *line)
{
    const char *text = line->text;

    if (strncmp(text, "message: ", 9) == 0)
        add_step(p, "m: ", text + 9);
    else if (strncmp(text, "session: ", 9) == 0)
        add_step(p, "s: ", text + 9);
    else if (text[0] >= '0' && text[0] <= '9' && text[1] == ':')
        add_step(p, "", text);
    else
        add_step(p, "TOLD ", text);
}

/* A word of the file, and the step that it is. */
static const struct {
    const char *word, *step;
} steps[] = {
    {"T", "T "},          {"EOF", "EOF"},    {"CUT", "CUT"},
    {"CLOSE", "CLOSE"},   {"QUIT", "QUIT"},  {"RELEASE", "RELEASE"},
    {"CANCEL", "CANCEL"}, {"MAIL", "MAIL "}, {"TLS", "TLS "},
    {"SILENCE", "N"},
};

static void add_line(struct part *p, const struct t_line *line)
{
    if (strcmp(line->word, "mail") == 0) {
        begin_mail(p, line);
    } else if (strcmp(line->word, "M") == 0) {
        add_text(p, line);
    } else if (strcmp(line->word, "S") == 0) {
        add_octets(p, "W ", line);
    } else if (strcmp(line->word, "C") == 0) {
        add_octets(p, "X ", line);
    } else if (strcmp(line->word, "E") == 0) {
        add_event(p, line);
    } else {
        size_t i = 0;

        while (i < sizeof(steps) / sizeof(steps[0]) &&
               strcmp(steps[i].word, line->word) != 0)
            i++;
        if (i == sizeof(steps) / sizeof(steps[0]))
            t_dialogue_fail(p->d, line, "no such word");
        add_step(p, steps[i].step, line->text);
    }
}

static void test_dialogue(void **state)
{
    static struct part p; /* big */
    struct t_dialogue d;
    const char *options;
    char word[256], *value;

    memset(&p, 0, sizeof(p));
    t_dialogue_load(&d, *state);
    p.d = &d;
    options = d.options;
    while (t_dialogue_word(&options, word, sizeof(word), &value))
        set_option(&p, word, value);
    for (size_t i = 0; i < d.count; i++)
        add_line(&p, &d.lines[i]);
    assert_true(p.mail_count > 0);
    if (p.is_at_once) {
        t_play_whole(&p.play, p.script);
    } else {
        t_play_all(&p.play, p.script);
        p.play.source_waits = 1;
        p.play.read_cap = 1;
        t_play_all(&p.play, p.script);
    }
    t_dialogue_clear(&d);
}

int main(void)
{
    return t_dialogues_run(ONWARD_TEST_DIALOGUES "/client", test_dialogue, 130);
}
