/*
 * May a message be answered by a program, and by this answer (RFC 3834)? Two
 * lists of rules; the first that does not hold decides.
 */
#include "handler/handler_shared.h"
#include "handler/ticket_priv.h"

#include <onward/dmarc.h>
#include <onward/dsn.h>

#include "mime/mime_shared.h"

_Static_assert(offsetof(struct onward_reply_question, max_references) +
                       sizeof(size_t) ==
                   sizeof(struct onward_reply_question),
               "no tail padding");

enum { MAX_REFERENCES = 100, ARENA_BYTES = 1024 * 1024 };

/* A question while it is answered. */
struct check {
    struct onward_reply_question q;
    struct onward_str id; /* of the original */
    struct onward_arena arena;
    struct onward_refusal *refusal;
};

static const struct onward_str nothing;

static int refuse(struct check *c, enum onward_refusal_code code,
                  struct onward_str what)
{
    return onward_handler__refuse(c->refusal, code, what);
}

/* ---- What is answered -------------------------------------------------- */

/* What counts of Auto-Submitted, Precedence and their like: "auto-replied
 * (away); x=y" says auto-replied. */
static struct onward_str first_word(struct onward_str value)
{
    size_t from = 0, to;

    if (onward_address__read_cfws(value, &from, NULL) != 0)
        from = 0;
    to = from;
    while (to < value.len && value.data[to] != ';' && value.data[to] != '(' &&
           value.data[to] != ',' && (unsigned char)value.data[to] > ' ')
        to++;
    return onward_core__sub(value, from, to);
}

/* Has any field of that name another word than the one that means nothing? */
static bool has_other_word(const struct onward_header *h,
                           struct onward_str name, struct onward_str harmless)
{
    size_t i = onward_header_first(h, name);

    for (; i != ONWARD_HEADER_NONE; i = h->items[i].below) {
        if (!onward_core__str_ieq(first_word(onward_mime__value(h, i)),
                                  harmless))
            return true;
    }
    return false;
}

static bool is_bulk(const struct onward_header *h)
{
    size_t i = onward_header_first(h, ONWARD_STR("Precedence"));

    for (; i != ONWARD_HEADER_NONE; i = h->items[i].below) {
        struct onward_str word = first_word(onward_mime__value(h, i));

        if (onward_core__str_ieq(word, ONWARD_STR("bulk")) ||
            onward_core__str_ieq(word, ONWARD_STR("list")) ||
            onward_core__str_ieq(word, ONWARD_STR("junk")))
            return true;
    }
    return false;
}

static bool is_from_list(const struct onward_header *h)
{
    for (size_t i = 0; i < h->count; i++) {
        if (onward_core__str_istarts(onward_mime__name(h, i),
                                     ONWARD_STR("List-")))
            return true;
    }
    return false;
}

static enum onward_refusal_code find_automatic(const struct check *c)
{
    const struct onward_header *h = c->q.original;

    if (has_other_word(h, ONWARD_STR("Auto-Submitted"), ONWARD_STR("no")))
        return ONWARD_REFUSAL_REPLY_AUTO_SUBMITTED;
    if (has_other_word(h, ONWARD_STR("X-Auto-Response-Suppress"),
                       ONWARD_STR("none")))
        return ONWARD_REFUSAL_REPLY_SUPPRESSED;
    if (is_bulk(h))
        return ONWARD_REFUSAL_REPLY_PRECEDENCE;
    if (is_from_list(h))
        return ONWARD_REFUSAL_REPLY_LIST;
    if (onward_dsn_is_automatic(NULL, c->q.original_from) == 1)
        return ONWARD_REFUSAL_REPLY_ROBOT;
    return ONWARD_REFUSAL_NONE;
}

static enum onward_refusal_code find_chain(struct check *c)
{
    const struct onward_header *h = c->q.original;
    bool has_parent =
        onward_header_count_named(h, ONWARD_STR("In-Reply-To")) > 0;
    bool has_references =
        onward_header_count_named(h, ONWARD_STR("References")) > 0;

    if (has_parent != has_references)
        return ONWARD_REFUSAL_REPLY_CHAIN_SHAPE;
    if (onward_handler__count_ids(h, ONWARD_STR("References")) >
        onward_core__limit(c->q.max_references, MAX_REFERENCES))
        return ONWARD_REFUSAL_REPLY_CHAIN_LENGTH;
    c->id = onward_handler__one_id(h, ONWARD_STR("Message-ID"));
    return c->id.len == 0 ? ONWARD_REFUSAL_REPLY_NO_ORIGINAL_ID
                          : ONWARD_REFUSAL_NONE;
}

static int check_original(struct check *c)
{
    enum onward_refusal_code code;

    if (c->q.original_from.len == 0)
        return refuse(c, ONWARD_REFUSAL_REPLY_NULL_SENDER, nothing);
    if (c->q.dmarc_result != ONWARD_DMARC_PASS)
        return refuse(c, ONWARD_REFUSAL_REPLY_DMARC, nothing);
    if (c->q.is_answered)
        return refuse(c, ONWARD_REFUSAL_REPLY_TWICE, nothing);
    code = find_automatic(c);
    if (code == ONWARD_REFUSAL_NONE)
        code = find_chain(c);
    return code == ONWARD_REFUSAL_NONE ? 1 : refuse(c, code, nothing);
}

/* ---- The reply --------------------------------------------------------- */

/* Exactly one id, that of the original? */
static int check_parent(struct check *c)
{
    const struct onward_str name = ONWARD_STR("In-Reply-To");
    struct onward_str id;

    if (onward_header_count_named(c->q.reply, name) == 0)
        return refuse(c, ONWARD_REFUSAL_REPLY_NO_IN_REPLY_TO, nothing);
    id = onward_handler__one_id(c->q.reply, name);
    if (!onward_core__str_eq(id, c->id))
        return refuse(c, ONWARD_REFUSAL_REPLY_IN_REPLY_TO, id);
    return 1;
}

/* Walks the ids of all fields of a name. */
struct walk {
    const struct onward_header *h;
    size_t item, at;
};

static struct walk begin(const struct onward_header *h, const char *name)
{
    return (struct walk){.h = h,
                         .item = onward_header_first(h, onward_str_of(name))};
}

static bool next(struct walk *w, struct onward_str *id)
{
    while (w->item != ONWARD_HEADER_NONE) {
        if (onward_handler__next_id(onward_mime__value(w->h, w->item), &w->at,
                                    id))
            return true;
        w->item = w->h->items[w->item].below;
        w->at = 0;
    }
    return false;
}

/* The original's References in their order, the first one not left out, and
 * its own id at the end. Of an original that is known by a ticket: that. */
static bool is_chain(struct check *c)
{
    struct walk ours = begin(c->q.reply, "References");
    struct walk theirs = {.item = ONWARD_HEADER_NONE};
    struct onward_str id, ref = {0}, last = {0};
    bool has_ref = false, is_first = true;

    if (c->q.original != NULL) {
        theirs = begin(c->q.original, "References");
        has_ref = next(&theirs, &ref);
    }
    for (bool more = next(&ours, &id); more; is_first = false) {
        last = id;
        more = next(&ours, &id);
        if (!more)
            break;
        if (c->q.original == NULL)
            continue;
        while (has_ref && !onward_core__str_eq(ref, last) && !is_first)
            has_ref = next(&theirs, &ref);
        if (!has_ref || !onward_core__str_eq(ref, last))
            return false;
        has_ref = next(&theirs, &ref);
    }
    /* Only the own id, where there was a chain: its beginning is missing. */
    if (is_first && c->q.original != NULL && has_ref)
        return false;
    return onward_core__str_eq(last, c->id);
}

static int check_people(struct check *c)
{
    struct onward_address__mailbox from, to;
    struct onward_str text;
    int ret =
        onward_handler__same(&c->arena, c->q.reply_to, c->q.original_from);

    if (ret < 0)
        return ret;
    if (ret == 0)
        return refuse(c, ONWARD_REFUSAL_REPLY_RECIPIENT, c->q.reply_to);
    ret = onward_handler__address(&c->arena, c->q.reply_from, &from, &text);
    if (ret == 0)
        ret = onward_handler__address(&c->arena, c->q.original_to, &to, &text);
    if (ret == ONWARD_ENOMEM)
        return ret;
    if (ret != 0 || from.domain_ascii.len == 0 ||
        !onward_core__str_eq(from.domain_ascii, to.domain_ascii))
        return refuse(c, ONWARD_REFUSAL_REPLY_DOMAIN, c->q.reply_from);
    return 1;
}

static int check_reply(struct check *c)
{
    int ret;

    if (c->q.reply_from.len == 0)
        return refuse(c, ONWARD_REFUSAL_FROM, nothing);
    ret = onward_handler__check_message(&c->arena, c->q.reply, c->q.reply_from,
                                        NULL, c->refusal);
    if (ret == 1)
        ret = check_parent(c);
    if (ret == 1 &&
        onward_header_count_named(c->q.reply, ONWARD_STR("References")) > 0 &&
        !is_chain(c))
        return refuse(c, ONWARD_REFUSAL_REPLY_REFERENCES, nothing);
    return ret == 1 ? check_people(c) : ret;
}

/* ---- Both -------------------------------------------------------------- */

static bool is_complete(const struct onward_reply_question *q)
{
    if (q->ticket == NULL &&
        (q->original == NULL || !onward_header_is_done(q->original)))
        return false;
    return q->reply == NULL || onward_header_is_done(q->reply);
}

static int run(struct check *c)
{
    int ret = 1;

    if (c->q.ticket == NULL) {
        ret = check_original(c);
    } else {
        const struct onward_ticket *t = c->q.ticket;

        c->q.original = NULL;
        c->q.original_from = t->sender;
        c->q.original_to = t->recipient;
        c->id = t->message_id;
        if (c->q.is_answered)
            return refuse(c, ONWARD_REFUSAL_REPLY_TWICE, nothing);
        if (onward_core__now_s(t->ctx) >= t->expires_s)
            return refuse(c, ONWARD_REFUSAL_TICKET_EXPIRED, nothing);
    }
    return ret == 1 && c->q.reply != NULL ? check_reply(c) : ret;
}

int onward_reply_check(const struct onward_reply_question *question,
                       struct onward_refusal *refusal)
{
    struct check c = {.refusal = refusal};
    int ret;

    if (question == NULL || !onward_handler__can_refuse(refusal))
        return ONWARD_EINVAL;
    ret = onward_core__opts_load(&c.q, sizeof(c.q), question);
    if (ret != 0)
        return ret;
    if (!is_complete(&c.q))
        return ONWARD_EINVAL;
    onward_core__arena_init(
        &c.arena, c.q.ticket != NULL ? c.q.ticket->ctx : c.q.original->ctx,
        ARENA_BYTES);
    ret = run(&c);
    onward_core__arena_clear(&c.arena);
    return ret;
}
