/*
 * May a message be sent by code, and to whom does it go? Everybody that the
 * message names has to be allowed, not only those that the envelope names: what
 * To and Cc promise would else be said in our name to people who never asked.
 */
#include "handler/binding_priv.h"

#include <onward/mime_parser.h>

#include "mime/mime_shared.h"
#include "ruleset/ruleset_shared.h"

_Static_assert(offsetof(struct onward_send_question, builder) +
                       sizeof(struct onward_builder *) ==
                   sizeof(struct onward_send_question),
               "no tail padding");

enum {
    MAX_RECIPIENTS = 50,
    MAX_ATTACHMENTS = 32,
    MAX_BYTES = 5 * 1024 * 1024,
    MAX_VERIFIED_BYTES = 25 * 1024 * 1024,
    SUBJECT_MAX = 998,
    NAMED_MAX = 1000, /* read of one field */
    ARENA_BYTES = 8 * 1024 * 1024
};

static const struct onward_str nothing;

struct named {
    struct named *next;
    struct onward_str text;
    struct onward_address__mailbox mailbox;
    int word; /* as facts have it: 1 verified, 2 not, 3 suppressed */
};

/* A question while it is answered. */
struct check {
    struct onward_send_question q;
    struct onward_send_facts facts;
    struct onward_arena *arena;
    struct onward_header *header; /* of the tree */
    struct named *named;          /* by To, Cc, Bcc and the envelope, once */
    size_t named_count;
    struct onward_handler__send *send;
    struct onward_refusal *refusal;
};

static int refuse(struct check *c, enum onward_refusal_code code,
                  struct onward_str what)
{
    return onward_handler__refuse(c->refusal, code, what);
}

/* ---- Fields ------------------------------------------------------------ */

/* Of a message that is handed in whole a sender's own fields count: what a
 * builder writes, and its MIME fields, are part of any message. */
static bool is_plain_field(struct onward_str name)
{
    static const char *const names[] = {"Date", "Message-ID", "MIME-Version",
                                        NULL};

    if (onward_handler__class_of(name) == ONWARD_FIELD__BUILDER ||
        onward_core__str_istarts(name, ONWARD_STR("Content-")))
        return true;
    for (size_t i = 0; names[i] != NULL; i++) {
        if (onward_core__str_ieq(name, onward_str_of(names[i])))
            return true;
    }
    return false;
}

/* 1, 0 or an error. */
static int check_fields(struct check *c)
{
    const struct onward_field_list_opts opts = {
        .size = sizeof(opts), .policy = ONWARD_FIELD_POLICY_SEND};
    struct onward_field_list *list = NULL;
    int ret = onward_field_list_new(c->arena->ctx, &opts, &list);

    if (ret != 0)
        return ret;
    ret = 1;
    for (size_t i = 0; i < c->header->count && ret == 1; i++) {
        struct onward_str name = onward_mime__name(c->header, i);
        struct onward_str text;

        if (is_plain_field(name))
            continue;
        ret = onward_header_text(c->header, i, &text) == 0
                  ? onward_field_list_add(list, name, text, c->refusal)
                  : ONWARD_ENOMEM;
    }
    onward_field_list_free(list);
    return ret;
}

static int check_subject(struct check *c)
{
    const struct onward_str name = ONWARD_STR("Subject");
    size_t i = onward_header_first(c->header, name);
    struct onward_str text;

    if (i == ONWARD_HEADER_NONE)
        return 1;
    if (onward_header_text(c->header, i, &text) != 0)
        return ONWARD_ENOMEM;
    if (text.len > SUBJECT_MAX)
        return refuse(c, ONWARD_REFUSAL_FIELD_TOO_LONG, name);
    return 1;
}

/* ---- Recipients -------------------------------------------------------- */

/* 0, ONWARD_ESYNTAX or ONWARD_ENOMEM. */
static int add_named(struct check *c,
                     const struct onward_address__mailbox *mailbox)
{
    struct named **at = &c->named;
    struct onward_str text;

    if (onward_handler__write_address(c->arena, mailbox, &text) != 0)
        return ONWARD_ENOMEM;
    for (; *at != NULL; at = &(*at)->next) {
        if (onward_core__str_eq((*at)->text, text))
            return 0;
    }
    *at = onward_core__arena_alloc(c->arena, sizeof(**at));
    if (*at == NULL)
        return ONWARD_ENOMEM;
    (*at)->text = text;
    (*at)->mailbox = *mailbox;
    c->named_count++;
    return 0;
}

/* 1, 0 or ONWARD_ENOMEM. */
static int read_field(struct check *c, const char *name)
{
    size_t i = onward_header_first(c->header, onward_str_of(name));

    for (; i != ONWARD_HEADER_NONE; i = c->header->items[i].below) {
        struct onward_address__list list;
        int err = onward_address__parse_list(
            c->arena, onward_mime__value(c->header, i), NAMED_MAX, &list, NULL);

        if (err == ONWARD_ENOMEM)
            return err;
        if (err == ONWARD_ELIMIT)
            return refuse(c, ONWARD_REFUSAL_TOO_MANY_RECIPIENTS, nothing);
        if (err != 0)
            return refuse(c, ONWARD_REFUSAL_VALIDATION, onward_str_of(name));
        for (const struct onward_address__item *it = list.first; it != NULL;
             it = it->next) {
            if (c->named_count > NAMED_MAX)
                return refuse(c, ONWARD_REFUSAL_TOO_MANY_RECIPIENTS, nothing);
            err = add_named(c, &it->mailbox);
            if (err != 0)
                return err;
        }
    }
    return 1;
}

/* Those of Bcc, who stand in no field. 1, 0 or ONWARD_ENOMEM. */
static int read_builder(struct check *c)
{
    const struct onward_builder *b = c->q.builder;
    size_t count = b == NULL ? 0 : onward_builder_rcpt_count(b);

    for (size_t i = 0; i < count; i++) {
        struct onward_address__mailbox mailbox;
        struct onward_str text;
        int err = onward_handler__address(
            c->arena, onward_builder_rcpt_at(b, i), &mailbox, &text);

        if (err == 0)
            err = add_named(c, &mailbox);
        if (err == ONWARD_ENOMEM)
            return err;
        if (err != 0)
            return refuse(c, ONWARD_REFUSAL_VALIDATION, ONWARD_STR("Bcc"));
        if (c->named_count > NAMED_MAX)
            return refuse(c, ONWARD_REFUSAL_TOO_MANY_RECIPIENTS, nothing);
    }
    return 1;
}

/* The envelope: one address that was said, or the binding's, or all of the
 * message's. 1, 0 or ONWARD_ENOMEM. */
static int choose(struct check *c)
{
    struct onward_str one = c->q.to;
    struct onward_address__mailbox mailbox;
    struct onward_str text;
    size_t n = 0;
    int err;

    if (one.len == 0 && c->q.binding != NULL)
        one = c->q.binding->one;
    if (one.len != 0) {
        err = onward_handler__address(c->arena, one, &mailbox, &text);
        if (err == ONWARD_ENOMEM)
            return err;
        if (err != 0)
            return refuse(c, ONWARD_REFUSAL_VALIDATION, one);
        err = add_named(c, &mailbox);
        if (err != 0)
            return err;
    }
    if (c->named_count == 0)
        return refuse(c, ONWARD_REFUSAL_FIELD_MISSING, ONWARD_STR("To"));
    c->send->to_count = one.len != 0 ? 1 : c->named_count;
    c->send->to = onward_core__arena_array(c->arena, c->send->to_count,
                                           sizeof(*c->send->to));
    if (c->send->to == NULL)
        return ONWARD_ENOMEM;
    if (one.len != 0)
        c->send->to[0] = text;
    for (const struct named *it = c->named; it != NULL && one.len == 0;
         it = it->next)
        c->send->to[n++] = it->text;
    return 1;
}

/* ---- Who may ----------------------------------------------------------- */

/* The sender's domain has to be a zone: else it is somebody else's name. */
static int check_sender(struct check *c)
{
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_ruleset_router *router = NULL;
    struct onward_address__mailbox mailbox;
    struct onward_str text;
    int err = onward_handler__address(c->arena, c->send->from, &mailbox, &text);

    if (err != 0)
        return err == ONWARD_ENOMEM ? err
                                    : refuse(c, ONWARD_REFUSAL_FROM, nothing);
    c->send->from = text;
    if (!onward_handler__may_send_as(c->q.binding, text))
        return refuse(c, ONWARD_REFUSAL_SENDER_NOT_VERIFIED, text);
    err = onward_ruleset_router_new(c->arena->ctx, &router);
    if (err == 0)
        err = onward_ruleset__route(c->q.ruleset, router, &mailbox, NULL, NULL,
                                    &d);
    onward_ruleset_router_free(router);
    if (err == ONWARD_ENOMEM)
        return err;
    if (err != 0 || d.reason == ONWARD_RULESET_NO_ZONE ||
        d.reason == ONWARD_RULESET_ZONE_DISABLED)
        return refuse(c, ONWARD_REFUSAL_SENDER_DOMAIN, text);
    return 1;
}

/* What is known of a recipient: 1 verified, 2 not, 3 suppressed, negative. */
static int ask(struct check *c, const struct named *n)
{
    int word = 0;

    if (c->facts.recipient != NULL)
        word = c->facts.recipient(c->facts.user, n->text.data, n->text.len);
    if (word == 0)
        word = onward_ruleset__is_verified(c->q.ruleset, n->text) ? 1 : 2;
    return word;
}

static int check_recipients(struct check *c)
{
    bool are_verified = true;

    for (struct named *n = c->named; n != NULL; n = n->next) {
        int word = ask(c, n);

        if (word < 0)
            return refuse(c, ONWARD_REFUSAL_NOT_NOW, n->text);
        if (word == 3)
            return refuse(c, ONWARD_REFUSAL_RECIPIENT_SUPPRESSED, n->text);
        are_verified = are_verified && word == 1;
        /* A list narrows what is verified, it makes nobody so. */
        if (!onward_handler__may_send_to(c->q.binding, n->text) ||
            (word != 1 && !c->q.allow_unverified))
            return refuse(c, ONWARD_REFUSAL_RECIPIENT_NOT_ALLOWED, n->text);
    }
    if (!are_verified && c->q.message.len > c->q.max_bytes)
        return refuse(c, ONWARD_REFUSAL_TOO_LARGE, nothing);
    return 1;
}

/* ---- The message ------------------------------------------------------- */

static size_t count_attachments(const struct onward_mime_tree *tree)
{
    struct onward_mime_part part = {.size = sizeof(part)};
    size_t count = 0;

    for (size_t i = 0; onward_mime_tree_part(tree, i, &part) == 0; i++) {
        if (part.kind != ONWARD_MIME_MULTIPART &&
            (onward_core__str_eq(part.disposition, ONWARD_STR("attachment")) ||
             part.name.len != 0))
            count++;
    }
    return count;
}

static int check_tree(struct check *c, struct onward_mime_tree *tree)
{
    int ret;

    if (onward_mime_tree_header(tree, 0, &c->header) != 0)
        return ONWARD_ENOMEM;
    if (onward_header_count_named(c->header, ONWARD_STR("From")) == 0)
        return refuse(c, ONWARD_REFUSAL_FIELD_MISSING, ONWARD_STR("From"));
    ret = onward_handler__check_message(c->arena, c->header, c->q.from,
                                        &c->send->from, c->refusal);
    if (ret == 1)
        ret = check_subject(c);
    if (ret == 1)
        ret = check_fields(c);
    if (ret == 1 && count_attachments(tree) > c->q.max_attachments)
        ret = refuse(c, ONWARD_REFUSAL_TOO_MANY_ATTACHMENTS, nothing);
    if (ret == 1)
        ret = read_field(c, "To");
    if (ret == 1)
        ret = read_field(c, "Cc");
    if (ret == 1)
        ret = read_field(c, "Bcc");
    if (ret == 1)
        ret = read_builder(c);
    if (ret == 1)
        ret = choose(c);
    if (ret == 1 && c->named_count > c->q.max_recipients)
        ret = refuse(c, ONWARD_REFUSAL_TOO_MANY_RECIPIENTS, nothing);
    if (ret == 1)
        ret = check_sender(c);
    return ret == 1 ? check_recipients(c) : ret;
}

static int load(struct check *c, const struct onward_send_question *question)
{
    int err = onward_core__opts_load(&c->q, sizeof(c->q), question);

    if (err == 0 && c->q.facts != NULL)
        err = onward_core__opts_load(&c->facts, sizeof(c->facts), c->q.facts);
    if (err == 0 && c->q.ruleset == NULL)
        err = ONWARD_EINVAL;
    c->q.max_recipients =
        onward_core__limit(c->q.max_recipients, MAX_RECIPIENTS);
    c->q.max_attachments =
        onward_core__limit(c->q.max_attachments, MAX_ATTACHMENTS);
    c->q.max_bytes = onward_core__limit(c->q.max_bytes, MAX_BYTES);
    c->q.max_verified_bytes =
        onward_core__limit(c->q.max_verified_bytes, MAX_VERIFIED_BYTES);
    return err;
}

int onward_handler__send_check(struct onward_arena *arena,
                               const struct onward_send_question *question,
                               struct onward_handler__send *send,
                               struct onward_refusal *refusal)
{
    struct check c = {.arena = arena, .send = send, .refusal = refusal};
    struct onward_mime_tree *tree = NULL;
    int ret = load(&c, question);

    if (ret != 0)
        return ret;
    if (c.q.message.len > c.q.max_verified_bytes)
        return refuse(&c, ONWARD_REFUSAL_TOO_LARGE, nothing);
    ret = onward_mime_tree_new(arena->ctx, c.q.message, NULL, &tree);
    if (ret == ONWARD_ENOMEM)
        return ret;
    if (ret != 0)
        return refuse(&c, ONWARD_REFUSAL_PARSE, nothing);
    ret = check_tree(&c, tree);
    onward_mime_tree_free(tree);
    return ret;
}

int onward_send_check(struct onward_ctx *ctx,
                      const struct onward_send_question *question,
                      struct onward_refusal *refusal)
{
    struct onward_handler__send send = {0};
    struct onward_arena arena;
    int ret;

    if (ctx == NULL || question == NULL || !onward_handler__can_refuse(refusal))
        return ONWARD_EINVAL;
    onward_core__arena_init(&arena, ctx, ARENA_BYTES);
    ret = onward_handler__send_check(&arena, question, &send, refusal);
    onward_core__arena_clear(&arena);
    return ret;
}
