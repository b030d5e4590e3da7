/*
 * What clients of smtpd do, and what becomes of their messages. A message is
 * kept until it is whole and decided: its results go on top. One that is
 * refused is not given back; smtpd asks once more before it takes it, and is
 * told then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "keep.h"
#include "smtpd_filter.h"

enum state {
    NOTHING, /* no message */
    RECEIVING,
    DECIDING, /* it is whole */
    DECIDED,
    FAILED /* of us: it is to come again */
};

struct session {
    struct session *next;
    struct program *p;
    uint64_t id, token;
    struct onward_ip ip;
    bool is_local, is_authenticated;
    char *helo;

    /* The message. */
    enum state state;
    struct setup *setup; /* held while there is one */
    struct filter *filter;
    struct keep keep;
};

/* ---- Sessions ---------------------------------------------------------- */

static struct session **find(struct program *p, uint64_t id)
{
    struct session **at = &p->sessions[id % SESSION_BUCKETS];

    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static void end_message(struct session *s)
{
    filter_free(s->filter);
    s->filter = NULL;
    keep_clear(&s->keep);
    setup_free(s->setup);
    s->setup = NULL;
    s->state = NOTHING;
}

static void end_session(struct session **at)
{
    struct session *s = *at;

    if (s == NULL)
        return;
    end_message(s);
    *at = s->next;
    free(s->helo);
    free(s);
}

void session_free_all(struct program *p)
{
    for (size_t i = 0; i < SESSION_BUCKETS; i++) {
        while (p->sessions[i] != NULL)
            end_session(&p->sessions[i]);
    }
}

/* ---- Answers ----------------------------------------------------------- */

static void say_result(struct program *p, const struct line *line,
                       const char *result)
{
    fprintf(p->out, "filter-result|%016" PRIx64 "|%016" PRIx64 "|%s\n",
            line->session, line->token, result);
}

static void begin_data_line(const struct session *s)
{
    fprintf(s->p->out, "filter-dataline|%016" PRIx64 "|%016" PRIx64 "|", s->id,
            s->token);
}

/* Octets with CRLF, cut anywhere, to lines: smtpd wants them as they stand in
 * SMTP, with a "." before each that begins with one. */
struct lines {
    const struct session *s;
    bool is_inside, has_cr;
};

static void put_octet(struct lines *l, char c)
{
    FILE *out = l->s->p->out;

    if (!l->is_inside) {
        begin_data_line(l->s);
        l->is_inside = true;
        if (c == '.')
            putc('.', out);
    }
    if (l->has_cr && c != '\n')
        putc('\r', out);
    l->has_cr = c == '\r';
    if (l->has_cr)
        return;
    putc(c, out);
    if (c == '\n')
        l->is_inside = false;
}

static void put_octets(struct lines *l, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        put_octet(l, data[i]);
}

static void say_end(const struct session *s)
{
    begin_data_line(s);
    fputs(".\n", s->p->out);
}

/* ---- A message that is decided ----------------------------------------- */

static bool is_cut(const struct filter_decision *d, size_t item)
{
    for (size_t i = 0; i < d->cut_count; i++) {
        if (d->cuts[i].item == item)
            return true;
    }
    return false;
}

static void put_header(struct lines *l, const struct filter *f)
{
    const struct filter_decision *d = filter_decision(f);
    const struct onward_header *h = filter_header(f);

    /* OpenSMTPD's own mark, which its users sort by. */
    if (d->quarantine != NULL)
        put_octets(l, "X-Spam: yes\r\n", 13);
    for (size_t i = 0; i < d->field_count; i++) {
        put_octets(l, d->fields[i].name, strlen(d->fields[i].name));
        put_octets(l, ":", 1);
        put_octets(l, d->fields[i].value, strlen(d->fields[i].value));
        put_octets(l, "\r\n", 2);
    }
    for (size_t i = 0; i < onward_header_count(h); i++) {
        struct onward_str raw = onward_header_raw(h, i);

        if (!is_cut(d, i))
            put_octets(l, raw.data, raw.len);
    }
}

/* From the empty line on. 0, or -1: a part of it cannot be read any more. */
static int put_body(struct lines *l, const struct session *s)
{
    uint64_t at = onward_header_block(filter_header(s->filter)).len;
    char part[8192];
    ssize_t n;

    while ((n = keep_read(&s->keep, at, part, sizeof(part))) > 0) {
        put_octets(l, part, (size_t)n);
        at += (uint64_t)n;
    }
    return (int)n;
}

static void give_back(struct session *s)
{
    struct lines l = {.s = s};

    put_header(&l, s->filter);
    if (put_body(&l, s) != 0) {
        log_event(s->p, "cannot-keep", strerror(errno));
        s->state = FAILED;
        if (l.is_inside)
            put_octets(&l, "\r\n", 2);
    }
}

/* What was refused comes to its end as an empty message: smtpd asks before it
 * takes it. */
static void decided(void *user, struct filter *f)
{
    struct session *s = user;

    s->state = DECIDED;
    if (filter_decision(f)->verdict == FILTER_ACCEPT)
        give_back(s);
    say_end(s);
    log_message(s->p, f, s->id);
}

/* ---- What smtpd asks --------------------------------------------------- */

static void fail(struct session *s, const char *why)
{
    log_event(s->p, "cannot-keep", why);
    s->state = FAILED;
    filter_free(s->filter);
    s->filter = NULL;
    keep_clear(&s->keep);
}

static void on_data_line(struct program *p, const struct line *line)
{
    struct session *s = *find(p, line->session);
    struct onward_str text = line->rest;
    bool is_end = line_is(text, ".");

    if (s == NULL || s->state != RECEIVING) {
        /* Nothing of it is known, or it has failed: refused at its commit. */
        if (is_end)
            fprintf(p->out, "filter-dataline|%016" PRIx64 "|%016" PRIx64 "|.\n",
                    line->session, line->token);
        return;
    }
    s->token = line->token;
    if (is_end) {
        s->state = DECIDING;
        filter_finish(s->filter);
        return;
    }
    /* The client doubled a dot in front, so that no line is the end mark (RFC
     * 5321 section 4.5.2); a lone one does not get here. */
    if (text.len > 0 && text.data[0] == '.') {
        text.data++;
        text.len--;
    }
    if (keep_add(&s->keep, text.data, text.len) != 0 ||
        keep_add(&s->keep, "\r\n", 2) != 0) {
        fail(s, strerror(errno));
        return;
    }
    filter_feed(s->filter, text.data, text.len);
    filter_feed(s->filter, "\r\n", 2);
}

static void on_commit(struct program *p, const struct line *line)
{
    struct session *s = *find(p, line->session);
    const struct filter_decision *d;
    char text[700];

    if (s == NULL || s->state != DECIDED) {
        say_result(p, line,
                   "reject|451 4.3.0 The message cannot be handled now");
    } else {
        d = filter_decision(s->filter);
        if (d->verdict == FILTER_ACCEPT) {
            say_result(p, line, "proceed");
        } else {
            snprintf(text, sizeof(text), "reject|%u %s %s", d->reply.code,
                     d->reply.enhanced, d->reply.text);
            say_result(p, line, text);
        }
    }
    if (s != NULL)
        end_message(s);
}

/* ---- What smtpd tells -------------------------------------------------- */

/* NAME|RESULT|CLIENT|SERVER, where the name is what the client's DNS says. */
static void on_connect(struct program *p, const struct line *line)
{
    struct session **at = find(p, line->session);
    struct onward_str from = line_back(line->rest, 2);
    struct session *s;

    end_session(at); /* it was told twice; the newer one counts */
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return; /* its messages are refused for now */
    s->p = p;
    s->id = line->session;
    keep_init(&s->keep, NULL);
    line_address(from, &s->ip, &s->is_local);
    at = find(p, line->session);
    s->next = *at;
    *at = s;
}

/* METHOD|NAME */
static void on_identify(struct session *s, const struct line *line)
{
    struct onward_str rest = line->rest, method;

    (void)line_next(&rest, &method);
    free(s->helo);
    s->helo = rest.len == 0 ? NULL : strndup(rest.data, rest.len);
}

static void on_auth(struct session *s, const struct line *line)
{
    s->is_authenticated = line_is_authenticated(line->rest, line->minor);
}

/* ID|RESULT|ADDRESS */
static bool read_path(const struct line *line, struct onward_str *address)
{
    struct onward_str id, result;

    *address = line->rest;
    return line_next(address, &id) && line_next(address, &result) &&
           line_is(result, "ok");
}

static void on_mail(struct session *s, const struct line *line)
{
    struct filter_envelope e = {
        .client_ip = s->ip,
        .helo = onward_str_of(s->helo == NULL ? "" : s->helo),
        .is_authenticated = s->is_local || s->is_authenticated};

    if (!read_path(line, &e.mail_from))
        return;
    end_message(s);
    s->setup = setup_ref(s->p->setup);
    keep_init(&s->keep, s->setup->settings.temporary);
    s->filter = filter_new(s->setup->filter, &e, decided, s);
    s->state = s->filter == NULL ? FAILED : RECEIVING;
}

/* Without SRS, which is smtpd's own, none is refused or changed. */
static void on_rcpt(struct session *s, const struct line *line)
{
    struct onward_str address;
    struct filter_reply reply;

    if (s->state == RECEIVING && read_path(line, &address))
        (void)filter_rcpt(s->filter, address, &reply);
}

static void on_end(struct session *s, const struct line *line)
{
    (void)line;
    end_message(s);
}

static const struct report {
    const char *name;
    void (*hear)(struct session *s, const struct line *line);
} reports[] = {
    {"link-identify", on_identify}, {"link-auth", on_auth},
    {"tx-mail", on_mail},           {"tx-rcpt", on_rcpt},
    {"tx-rollback", on_end},        {"tx-reset", on_end},
};

static void on_report(struct program *p, const struct line *line)
{
    struct session **at;

    if (line_is(line->name, "link-connect")) {
        on_connect(p, line);
        return;
    }
    at = find(p, line->session);
    if (*at == NULL)
        return;
    if (line_is(line->name, "link-disconnect")) {
        end_session(at);
        return;
    }
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        if (line_is(line->name, reports[i].name))
            reports[i].hear(*at, line);
    }
}

void session_line(struct program *p, const struct line *line)
{
    if (line->kind == LINE_REPORT)
        on_report(p, line);
    else if (line_is(line->name, "data-line"))
        on_data_line(p, line);
    else if (line_is(line->name, "commit"))
        on_commit(p, line);
    else
        say_result(p, line, "proceed"); /* not ours to judge, and it waits */
}
