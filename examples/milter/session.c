#define _GNU_SOURCE
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How far it is; each allows what table[] says. */
enum state {
    STATE_START = 1,   /* nothing was negotiated */
    STATE_NEW = 2,     /* no client yet */
    STATE_CLIENT = 4,  /* between messages */
    STATE_RCPTS = 8,   /* a message has a sender */
    STATE_HEADER = 16, /* and a field */
    STATE_BODY = 32,   /* and all of them */
    STATE_BUSY = 64    /* and all else: it is decided about */
};

enum {
    STATES_TALK =
        STATE_NEW | STATE_CLIENT | STATE_RCPTS | STATE_HEADER | STATE_BODY,
    STATES_SESSION = STATES_TALK & ~STATE_NEW
};

struct milter_session {
    struct milter_session_opts opts;
    struct milter_reader reader;
    struct milter_out out;
    enum state state;
    uint32_t protocol; /* as agreed on */

    struct onward_ip ip;
    char *helo; /* NULL: not said */

    bool is_authenticated; /* by the macros of the next MAIL */
    char id[64];           /* of the message, in the server's queue */
    struct filter *filter;
};

/* ---- Life -------------------------------------------------------------- */

struct milter_session *milter_session_new(const struct milter_session_opts *o)
{
    struct milter_session *s = calloc(1, sizeof(*s));

    if (s != NULL) {
        s->opts = *o;
        s->state = STATE_START;
    }
    return s;
}

/* All that belongs to one message. */
static void clear_message(struct milter_session *s)
{
    filter_free(s->filter);
    s->filter = NULL;
    s->is_authenticated = false;
    s->id[0] = '\0';
    if (s->state > STATE_CLIENT)
        s->state = STATE_CLIENT;
}

void milter_session_free(struct milter_session *s)
{
    if (s == NULL)
        return;
    clear_message(s);
    milter_reader_clear(&s->reader);
    milter_out_clear(&s->out);
    free(s->helo);
    free(s);
}

struct milter_out *milter_session_out(struct milter_session *s)
{
    return &s->out;
}

bool milter_session_is_busy(const struct milter_session *s)
{
    return s->state == STATE_BUSY;
}

bool milter_session_has_message(const struct milter_session *s)
{
    return s->filter != NULL;
}

/* ---- Decisions --------------------------------------------------------- */

static const char *value_of(const struct milter_session *s, const char *value)
{
    /* The server puts one there itself. */
    return (s->protocol & MILTER_LEADING_SPACE) == 0 && value[0] == ' '
               ? value + 1
               : value;
}

/* Fields are put at the very top, above the server's own Received: the last one
 * first. */
static void put_changes(struct milter_session *s,
                        const struct filter_decision *d)
{
    for (size_t i = 0; i < d->cut_count; i++)
        milter_put_field(&s->out, MILTER_CHANGE_HEADER,
                         (uint32_t)d->cuts[i].nth, d->cuts[i].name, "");
    for (size_t i = d->field_count; i > 0; i--)
        milter_put_field(&s->out, MILTER_INSERT_HEADER, 0,
                         d->fields[i - 1].name,
                         value_of(s, d->fields[i - 1].value));
    if (d->sender != NULL)
        milter_put_address(&s->out, MILTER_CHANGE_FROM, d->sender);
    for (size_t i = 0; i < d->rcpt_count; i++) {
        milter_put_address(&s->out, MILTER_DELETE_RCPT, d->rcpts[i].from);
        milter_put_address(&s->out, MILTER_ADD_RCPT, d->rcpts[i].to);
    }
    if (d->quarantine != NULL)
        milter_put_string(&s->out, MILTER_QUARANTINE, d->quarantine);
}

static void put_reply(struct milter_session *s, const struct filter_reply *r)
{
    milter_put_reply(&s->out, r->code, r->enhanced, r->text);
}

static void decided(void *user, struct filter *f)
{
    struct milter_session *s = user;
    const struct filter_decision *d = filter_decision(f);

    if (d->verdict == FILTER_ACCEPT) {
        put_changes(s, d);
        milter_put(&s->out, MILTER_CONTINUE);
    } else {
        put_reply(s, &d->reply);
    }
    s->opts.ended(s->opts.user, f, s->id);
    clear_message(s);
    s->opts.decided(s->opts.user);
}

/* ---- What the server says ---------------------------------------------- */

static const char malformed[] = "a frame that does not read";

static void go_on(struct milter_session *s, uint32_t unanswered)
{
    if ((s->protocol & unanswered) == 0)
        milter_put(&s->out, MILTER_CONTINUE);
}

static const char *negotiate(struct milter_session *s,
                             struct onward_str payload)
{
    const struct filter_settings *set = s->opts.settings;
    struct milter_options theirs;
    struct milter_options ours = {
        .version = MILTER_VERSION,
        .actions = MILTER_MAY_ADD_HEADERS | MILTER_MAY_CHANGE_HEADERS,
        .protocol = MILTER_NO_UNKNOWN | MILTER_NO_DATA |
                    MILTER_UNANSWERED_HEADER | MILTER_UNANSWERED_CONNECT |
                    MILTER_UNANSWERED_HELO | MILTER_UNANSWERED_END_HEADER |
                    MILTER_UNANSWERED_BODY | MILTER_LEADING_SPACE};

    if (milter_read_options(payload, &theirs) != 0)
        return malformed;
    if (set->srs_domain != NULL)
        ours.actions |= MILTER_MAY_CHANGE_FROM | MILTER_MAY_ADD_RCPT |
                        MILTER_MAY_DELETE_RCPT;
    if (set->dmarc_quarantine != 0)
        ours.actions |= MILTER_MAY_QUARANTINE;
    /* Nobody has spoken another since Sendmail 8.11; what a version below ours
     * lacks is missing in its bits. */
    if (theirs.version < 2)
        return "a server that speaks no version of the protocol that we know";
    if ((ours.actions & ~theirs.actions) != 0)
        return "a server that does not let us change what the settings want";
    if (theirs.version < ours.version)
        ours.version = theirs.version;
    ours.protocol &= theirs.protocol;
    s->protocol = ours.protocol;
    milter_put_options(&s->out, &ours);
    s->state = STATE_NEW;
    return NULL;
}

static const char *take_macros(struct milter_session *s,
                               struct onward_str payload)
{
    struct onward_str value;
    int ret = milter_read_macro(payload, "i", &value);

    if (ret < 0)
        return malformed;
    if (ret == 1)
        snprintf(s->id, sizeof(s->id), "%.*s",
                 (int)(value.len < sizeof(s->id) ? value.len : sizeof(s->id)),
                 value.data);
    if (payload.data[0] == MILTER_MAIL)
        s->is_authenticated =
            (milter_read_macro(payload, "auth_authen", &value) == 1 &&
             value.len != 0) ||
            (milter_read_macro(payload, "auth_type", &value) == 1 &&
             value.len != 0);
    return NULL;
}

static const char *take_connect(struct milter_session *s,
                                struct onward_str payload)
{
    struct milter_client client;

    if (milter_read_connect(payload, &client) != 0)
        return malformed;
    s->ip = client.ip;
    s->state = STATE_CLIENT;
    go_on(s, MILTER_UNANSWERED_CONNECT);
    return NULL;
}

static const char *take_helo(struct milter_session *s,
                             struct onward_str payload)
{
    struct onward_str helo;

    if (milter_read_strings(payload, &helo, 1) != 1)
        return malformed;
    free(s->helo);
    s->helo = strndup(helo.data, helo.len);
    if (s->helo == NULL)
        return "no memory";
    go_on(s, MILTER_UNANSWERED_HELO);
    return NULL;
}

static const char *take_mail(struct milter_session *s,
                             struct onward_str payload)
{
    struct filter_envelope e = {.client_ip = s->ip,
                                .helo = onward_str_of(s->helo),
                                .is_authenticated = s->is_authenticated};
    struct onward_str sender;

    if (milter_read_strings(payload, &sender, 1) < 1)
        return malformed;
    e.mail_from = milter_read_address(sender);
    s->filter = filter_new(s->opts.setup, &e, decided, s);
    if (s->filter == NULL) {
        milter_put(&s->out, MILTER_TEMPFAIL);
        return NULL;
    }
    s->state = STATE_RCPTS;
    milter_put(&s->out, MILTER_CONTINUE);
    return NULL;
}

static const char *take_rcpt(struct milter_session *s,
                             struct onward_str payload)
{
    struct filter_reply reply;
    struct onward_str rcpt;

    if (milter_read_strings(payload, &rcpt, 1) < 1)
        return malformed;
    rcpt = milter_read_address(rcpt);
    if (filter_rcpt(s->filter, rcpt, &reply) == FILTER_ACCEPT)
        milter_put(&s->out, MILTER_CONTINUE);
    else
        put_reply(s, &reply);
    return NULL;
}

static bool is_fold(struct onward_str value, size_t at)
{
    return at + 1 < value.len &&
           (value.data[at + 1] == ' ' || value.data[at + 1] == '\t');
}

/*
 * A value as it was on the wire. Folds have come as LF. Any other LF is no line
 * end of the message, and stays the fault that it is.
 */
static void feed_value(struct filter *f, struct onward_str value)
{
    size_t from = 0;

    for (size_t at = 0; at < value.len; at++) {
        if (value.data[at] != '\n' || !is_fold(value, at) ||
            (at > 0 && value.data[at - 1] == '\r'))
            continue;
        filter_feed(f, value.data + from, at - from);
        filter_feed(f, "\r", 1);
        from = at;
    }
    filter_feed(f, value.data + from, value.len - from);
    filter_feed(f, "\r\n", 2);
}

static bool is_name(struct onward_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == ':' || name.data[i] == '\r' || name.data[i] == '\n')
            return false;
    }
    return name.len != 0;
}

static const char *take_header(struct milter_session *s,
                               struct onward_str payload)
{
    struct onward_str strings[2];

    if (milter_read_strings(payload, strings, 2) != 2 || !is_name(strings[0]))
        return malformed;
    filter_feed(s->filter, strings[0].data, strings[0].len);
    /* Without the flag one blank was taken off. */
    if ((s->protocol & MILTER_LEADING_SPACE) != 0)
        filter_feed(s->filter, ":", 1);
    else
        filter_feed(s->filter, ": ", 2);
    feed_value(s->filter, strings[1]);
    s->state = STATE_HEADER;
    go_on(s, MILTER_UNANSWERED_HEADER);
    return NULL;
}

static const char *take_end_header(struct milter_session *s,
                                   struct onward_str payload)
{
    (void)payload;
    filter_feed(s->filter, "\r\n", 2);
    s->state = STATE_BODY;
    go_on(s, MILTER_UNANSWERED_END_HEADER);
    return NULL;
}

static const char *take_body(struct milter_session *s,
                             struct onward_str payload)
{
    filter_feed(s->filter, payload.data, payload.len);
    go_on(s, MILTER_UNANSWERED_BODY);
    return NULL;
}

static const char *take_end(struct milter_session *s, struct onward_str payload)
{
    if (payload.len != 0 && s->state != STATE_BODY)
        return malformed;
    filter_feed(s->filter, payload.data, payload.len);
    s->state = STATE_BUSY;
    filter_finish(s->filter);
    return NULL;
}

static const char *take_abort(struct milter_session *s,
                              struct onward_str payload)
{
    (void)payload;
    clear_message(s);
    return NULL;
}

static const char *take_quit(struct milter_session *s,
                             struct onward_str payload)
{
    (void)s, (void)payload;
    return "";
}

static const char *take_quit_new(struct milter_session *s,
                                 struct onward_str payload)
{
    (void)payload;
    clear_message(s);
    free(s->helo);
    s->helo = NULL;
    s->ip = (struct onward_ip){0};
    s->state = STATE_NEW;
    return NULL;
}

/* DATA, and commands that the server does not know. */
static const char *take_nothing(struct milter_session *s,
                                struct onward_str payload)
{
    (void)payload;
    milter_put(&s->out, MILTER_CONTINUE);
    return NULL;
}

/* ---- Frames ------------------------------------------------------------ */

/* Who says that, when, and whether with anything. */
static const struct {
    unsigned char command;
    bool is_bare;
    unsigned states;
    const char *(*take)(struct milter_session *s, struct onward_str payload);
} table[] = {
    {MILTER_NEGOTIATE, false, STATE_START, negotiate},
    {MILTER_MACRO, false, STATES_TALK, take_macros},
    {MILTER_CONNECT, false, STATE_NEW, take_connect},
    {MILTER_HELO, false, STATE_CLIENT, take_helo},
    {MILTER_MAIL, false, STATE_CLIENT, take_mail},
    {MILTER_RCPT, false, STATE_RCPTS, take_rcpt},
    {MILTER_DATA, true, STATE_RCPTS, take_nothing},
    {MILTER_HEADER, false, STATE_RCPTS | STATE_HEADER, take_header},
    {MILTER_END_HEADER, true, STATE_RCPTS | STATE_HEADER, take_end_header},
    {MILTER_BODY, false, STATE_BODY, take_body},
    {MILTER_END_BODY, false, STATE_RCPTS | STATE_HEADER | STATE_BODY, take_end},
    {MILTER_ABORT, true, STATES_TALK, take_abort},
    {MILTER_QUIT, true, STATE_START | STATES_TALK, take_quit},
    {MILTER_QUIT_NEW, true, STATES_TALK, take_quit_new},
    {MILTER_UNKNOWN, false, STATES_SESSION, take_nothing},
};

static const char *take_frame(struct milter_session *s,
                              const struct milter_frame *frame)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].command != frame->command)
            continue;
        if ((table[i].states & (unsigned)s->state) == 0)
            return "a command at the wrong time";
        if (table[i].is_bare && frame->payload.len != 0)
            return malformed;
        return table[i].take(s, frame->payload);
    }
    return "an unknown command";
}

const char *milter_session_feed(struct milter_session *s, const void *data,
                                size_t len, size_t *taken)
{
    const char *at = data;
    const char *why = NULL;

    *taken = 0;
    while (*taken < len && why == NULL && !milter_session_is_busy(s)) {
        struct milter_frame frame;
        size_t n = 0;
        int ret = milter_reader_feed(&s->reader, at + *taken, len - *taken, &n,
                                     &frame);

        if (ret < 0)
            return ret == ONWARD_ENOMEM ? "no memory"
                                        : "a frame of no length, or too long";
        *taken += n;
        if (ret == 1)
            why = take_frame(s, &frame);
        if (s->out.has_failed)
            why = "no memory";
    }
    return why;
}
