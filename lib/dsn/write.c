/* The two texts of a notice: for machines (RFC 3464 section 2), and for people.
 * What peers have said is made printable here. */
#include "dsn/dsn_priv.h"

enum { WRAP = 76 };

static const int order[] = {ONWARD_DSN_FAILED, ONWARD_DSN_DELAYED,
                            ONWARD_DSN_DELIVERED, ONWARD_DSN_RELAYED,
                            ONWARD_DSN_EXPANDED};

enum { ORDER = sizeof(order) / sizeof(order[0]) };

/* ---- For machines ------------------------------------------------------ */

static void add_line(struct onward_buf *out, const char *name,
                     struct onward_str value)
{
    onward_core__buf_add_text(out, name);
    onward_core__buf_add_str(out, value);
    onward_core__buf_add_text(out, "\r\n");
}

static void add_date(struct onward_buf *out, const char *name, int64_t unix_s)
{
    if (unix_s == 0)
        return;
    onward_core__buf_add_text(out, name);
    onward_core__date_rfc5322(out, unix_s);
    onward_core__buf_add_text(out, "\r\n");
}

/* Words, a line end with `indent` put before one that would be past the
 * margin; column is where the text begins. */
static void add_wrapped(struct onward_buf *out, struct onward_str s,
                        const char *indent, size_t column)
{
    size_t at = 0;

    while (at < s.len) {
        size_t end = at;

        while (end < s.len && s.data[end] == ' ')
            end++;
        while (end < s.len && s.data[end] != ' ')
            end++;
        /* The blank before the word is in the indent. */
        if (at > 0 && column + (end - at) > WRAP) {
            while (at < end && s.data[at] == ' ')
                at++;
            if (at == end)
                return;
            onward_core__buf_add_text(out, indent);
            column = strlen(indent);
        }
        onward_core__buf_add_str(out, onward_core__sub(s, at, end));
        column += end - at;
        at = end;
    }
}

/* A peer's text: one that a fold could end in the middle is none. */
static void add_peer_text(struct onward_buf *out, const char *name,
                          struct onward_str value)
{
    struct onward_buf clean;

    if (value.len == 0)
        return;
    onward_core__buf_init(&clean, out->ctx, SIZE_MAX);
    onward_dsn__add_clean(&clean, value);
    onward_core__buf_add_text(out, name);
    add_wrapped(out, onward_core__str_trim(onward_core__buf_str(&clean)),
                "\r\n ", strlen(name));
    onward_core__buf_add_text(out, "\r\n");
    if (clean.err != 0)
        out->err = clean.err;
    onward_core__buf_clear(&clean);
}

static void add_final(struct onward_buf *out, struct onward_str address,
                      bool is_global)
{
    bool is_utf8 = !onward_core__is_ascii(address);

    onward_core__buf_add_text(out, is_utf8 ? "Final-Recipient: utf-8; "
                                           : "Final-Recipient: rfc822; ");
    if (is_utf8 && !is_global)
        onward_dsn__add_encoded(out, address);
    else
        onward_core__buf_add_str(out, address);
    onward_core__buf_add_text(out, "\r\n");
}

static void add_original(struct onward_buf *out, struct onward_str orcpt,
                         bool is_global)
{
    size_t end = onward_core__str_find(orcpt, ';');
    struct onward_str type = onward_core__sub(orcpt, 0, end);
    struct onward_str address = onward_core__sub(orcpt, end + 1, orcpt.len);

    if (orcpt.len == 0)
        return;
    onward_core__buf_add_text(out, "Original-Recipient: ");
    onward_core__buf_add_str(out, type);
    onward_core__buf_add_text(out, "; ");
    /* What is not of that form is copied (RFC 6533 section 3). */
    if (!is_global || !onward_core__str_ieq(type, ONWARD_STR("utf-8")) ||
        !onward_dsn__add_decoded(out, address))
        onward_dsn__add_clean(out, address);
    onward_core__buf_add_text(out, "\r\n");
}

static void add_group(struct onward_buf *out,
                      const struct onward_dsn_outcome *o, bool is_global)
{
    onward_core__buf_add_text(out, "\r\n");
    add_original(out, o->orcpt, is_global);
    add_final(out, o->recipient, is_global);
    add_line(out, "Action: ",
             onward_str_of(onward_dsn_action_name((int)o->action)));
    add_line(out, "Status: ", o->status);
    if (o->remote_mta.len > 0)
        add_line(out, "Remote-MTA: dns; ", o->remote_mta);
    add_peer_text(out, "Diagnostic-Code: smtp; ", o->diagnostic);
    add_date(out, "Last-Attempt-Date: ", o->last_attempt_s);
    add_peer_text(out, "Final-Log-ID: ", o->log_id);
    if (o->action == ONWARD_DSN_DELAYED)
        add_date(out, "Will-Retry-Until: ", o->will_retry_until_s);
}

void onward_dsn__write_fields(const struct onward_dsn *dsn, bool is_global,
                              struct onward_buf *out)
{
    if (dsn->opts.envid.len > 0)
        add_line(out, "Original-Envelope-Id: ", dsn->opts.envid);
    add_line(out, "Reporting-MTA: dns; ", dsn->opts.reporting_mta);
    if (dsn->opts.received_from.len > 0)
        add_line(out, "Received-From-MTA: dns; ", dsn->opts.received_from);
    add_date(out, "Arrival-Date: ", dsn->opts.arrival_s);
    for (const struct onward_dsn__outcome *i = dsn->first; i != NULL;
         i = i->next)
        add_group(out, &i->o, is_global);
}

/* ---- For people -------------------------------------------------------- */

static const struct {
    const char *subject, *text;
} words[ONWARD_DSN__ACTIONS] = {
    [ONWARD_DSN_FAILED] = {"Undelivered mail",
                           "Your message could not be delivered to:"},
    [ONWARD_DSN_DELAYED] =
        {"Delayed mail",
         "Your message has not yet been delivered to those below. It is still "
         "being\ntried: you need not send it again."},
    [ONWARD_DSN_DELIVERED] = {"Delivered mail",
                              "Your message was delivered to:"},
    [ONWARD_DSN_RELAYED] =
        {"Relayed mail",
         "Your message was handed on for those below, to servers that may not "
         "tell\nwhether they deliver it."},
    [ONWARD_DSN_EXPANDED] =
        {"Expanded mail",
         "Your message was delivered to these addresses, which stand for "
         "several\nothers, and goes on to those."},
};

struct onward_str onward_dsn__subject(const struct onward_dsn *dsn)
{
    for (size_t i = 0; i < ORDER; i++) {
        if (dsn->counts[order[i]] > 0)
            return onward_str_of(words[order[i]].subject);
    }
    return ONWARD_STR("");
}

static void add_person_line(struct onward_buf *out,
                            const struct onward_dsn_outcome *o)
{
    struct onward_buf line;

    onward_core__buf_init(&line, out->ctx, SIZE_MAX);
    if (o->remote_mta.len > 0) {
        onward_core__buf_add_str(&line, o->remote_mta);
        onward_core__buf_add_text(&line, o->diagnostic.len > 0 ? " said: "
                                                               : ", ");
    }
    if (o->diagnostic.len > 0) {
        onward_dsn__add_clean(&line, o->diagnostic);
    } else {
        onward_core__buf_add_text(&line, "status ");
        onward_core__buf_add_str(&line, o->status);
    }
    onward_core__buf_add_text(out, "    ");
    add_wrapped(out, onward_core__buf_str(&line), "\n    ", 4);
    onward_core__buf_add_text(out, "\n");
    if (o->will_retry_until_s != 0 && o->action == ONWARD_DSN_DELAYED) {
        onward_core__buf_add_text(out, "    tried until ");
        onward_core__date_rfc5322(out, o->will_retry_until_s);
        onward_core__buf_add_text(out, "\n");
    }
    if (line.err != 0)
        out->err = line.err;
    onward_core__buf_clear(&line);
}

static void add_person(struct onward_buf *out,
                       const struct onward_dsn_outcome *o)
{
    onward_core__buf_add_text(out, "\n<");
    /* What is not seen, or turns the order of what is, would let an address
     * look like another. */
    if (onward_core__has_invisible(o->recipient))
        onward_dsn__add_encoded(out, o->recipient);
    else
        onward_core__buf_add_str(out, o->recipient);
    onward_core__buf_add_text(out, ">\n");
    add_person_line(out, o);
}

void onward_dsn__write_text(const struct onward_dsn *dsn,
                            const struct onward_dsn__original *original,
                            struct onward_buf *out)
{
    onward_core__buf_add_text(out, "This is the mail system of ");
    onward_core__buf_add_str(out, dsn->opts.reporting_mta);
    onward_core__buf_add_text(out, ".\n");
    for (size_t i = 0; i < ORDER; i++) {
        if (dsn->counts[order[i]] == 0)
            continue;
        onward_core__buf_add_text(out, "\n");
        onward_core__buf_add_text(out, words[order[i]].text);
        onward_core__buf_add_text(out, "\n");
        for (const struct onward_dsn__outcome *o = dsn->first; o != NULL;
             o = o->next) {
            if (o->o.action == (size_t)order[i])
                add_person(out, &o->o);
        }
    }
    if (original->octets.len > 0)
        onward_core__buf_add_text(out, original->is_header_only
                                           ? "\nThe header of your message "
                                             "comes with this one.\n"
                                           : "\nYour message comes with this "
                                             "one.\n");
}
