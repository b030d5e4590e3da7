/*
 * What stands behind "MAIL FROM:" and "RCPT TO:": a path, read by the one
 * parser of addresses, and ESMTP parameters (RFC 5321 section 4.1.2).
 */
#include "smtp/server_priv.h"

#include "core/text_shared.h"

static const struct onward_smtp_reply no_room =
    SERVER_REPLY(452, "4.5.3", "Too many recipients, or no room now");

/* ---- The path ---------------------------------------------------------- */

static const struct onward_smtp_reply *
refuse_path(enum onward_address__fault_kind fault, enum server_path_kind kind)
{
    static const struct onward_smtp_reply syntax[] = {
        [SERVER_REVERSE_PATH] =
            SERVER_REPLY(501, "5.1.7", "Bad sender address syntax"),
        [SERVER_FORWARD_PATH] =
            SERVER_REPLY(501, "5.1.3", "Bad recipient address syntax"),
    };
    static const struct onward_smtp_reply domain[] = {
        [SERVER_REVERSE_PATH] =
            SERVER_REPLY(553, "5.1.8", "No such domain can be"),
        [SERVER_FORWARD_PATH] =
            SERVER_REPLY(553, "5.1.2", "No such domain can be"),
    };
    static const struct onward_smtp_reply utf8 = SERVER_REPLY(
        553, "5.6.7", "Addresses that are not ASCII are not taken");
    static const struct onward_smtp_reply invisible =
        SERVER_REPLY(553, "5.6.7", "Invisible characters in an address");

    switch (fault) {
    case ONWARD_ADDRESS_FAULT_NONE:
    case ONWARD_ADDRESS_FAULT_SYNTAX:
    case ONWARD_ADDRESS_FAULT_LENGTH:
        break;
    case ONWARD_ADDRESS_FAULT_UTF8:
        return &utf8;
    case ONWARD_ADDRESS_FAULT_FORBIDDEN:
        return &invisible;
    case ONWARD_ADDRESS_FAULT_DOMAIN:
        return &domain[kind];
    }
    return &syntax[kind];
}

/* Behind "<" and the source route of a path that was read well. */
static size_t mailbox_start(struct onward_str text)
{
    size_t at = 1;

    while (text.data[at] == '@') {
        bool is_literal = text.data[at + 1] == '[';

        while (text.data[at] != ']' && is_literal)
            at++;
        while (text.data[at] != ',' && text.data[at] != ':')
            at++;
        at++;
    }
    return at;
}

const struct onward_smtp_reply *server_path_parse(struct onward_smtp_server *s,
                                                  struct onward_str args,
                                                  enum server_path_kind kind,
                                                  struct server_path *path,
                                                  struct onward_str *rest)
{
    struct onward_address__fault fault = {.kind = ONWARD_ADDRESS_FAULT_NONE};
    unsigned flags = kind == SERVER_REVERSE_PATH
                         ? (unsigned)ONWARD_ADDRESS_REVERSE_PATH
                         : (unsigned)ONWARD_ADDRESS_FORWARD_PATH;
    size_t taken = 0, start;
    int err;

    if ((server_extensions(s) & ONWARD_SMTP_EXT_SMTPUTF8) != 0 && s->is_esmtp)
        flags |= (unsigned)ONWARD_ADDRESS_ALLOW_UTF8;
    /* The parts of the mailbox point into what was parsed. */
    if (onward_core__arena_dup(&s->txn->arena, args, &args) < 0)
        return &no_room;
    err = onward_address__parse_path(&s->txn->arena, args, flags,
                                     &path->mailbox, &taken, &fault);
    if (err == ONWARD_ENOMEM)
        return &no_room;
    if (err < 0)
        return refuse_path(fault.kind, kind);
    path->text = onward_core__sub(args, 0, taken);
    start = mailbox_start(path->text);
    path->address = onward_core__sub(path->text, start, taken - 1);
    *rest = onward_core__sub(args, taken, args.len);
    return NULL;
}

/* ---- Parameters -------------------------------------------------------- */

static const struct onward_smtp_reply bad_syntax =
    SERVER_REPLY(501, "5.5.4", "Bad parameter syntax");
static const struct onward_smtp_reply not_known =
    SERVER_REPLY(555, "5.5.4", "Parameter not recognized");

/* (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool is_keyword(struct onward_str word)
{
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.data[i];

        if (!onward_ascii_is_alnum(c) && (c != '-' || i == 0))
            return false;
    }
    return word.len > 0;
}

/* 1*(%d33-60 / %d62-126), and UTF-8 with SMTPUTF8 (RFC 6531 section 3.3). */
static bool is_value(struct onward_str word, bool allow_utf8)
{
    if (!allow_utf8 && !onward_core__is_ascii(word))
        return false;
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.data[i];

        if (c <= ' ' || c == '=' || c == 0x7f)
            return false;
    }
    return word.len > 0 && onward_core__is_utf8(word);
}

static const struct onward_smtp_reply *
take_one(const struct onward_smtp_server *s, struct onward_str word,
         const struct server_param *table, size_t count,
         struct server_params *params, uint64_t *seen)
{
    size_t name_len = onward_core__str_find(word, '=');
    struct onward_str name = onward_core__sub(word, 0, name_len);
    struct onward_str value = onward_core__str(NULL, 0);
    int err;

    if (!is_keyword(name))
        return &bad_syntax;
    if (name_len < word.len) {
        value = onward_core__sub(word, name_len + 1, word.len);
        /* AUTH=<> and its like hold no second "=" either. */
        if (!is_value(value, s->is_esmtp && (params->offered &
                                             ONWARD_SMTP_EXT_SMTPUTF8) != 0))
            return &bad_syntax;
    }
    for (size_t i = 0; i < count; i++) {
        if (!onward_core__str_ieq(name, onward_str_of(table[i].keyword)))
            continue;
        /* What was not offered is not known (RFC 5321 section 4.1.1.11). */
        if (!s->is_esmtp || (params->offered & table[i].extension) == 0)
            return &not_known;
        err = (*seen & (uint64_t)1 << i) != 0 ? ONWARD_ESYNTAX
                                              : table[i].take(value, params);
        if (err < 0)
            return err == ONWARD_ENOMEM ? &no_room : &bad_syntax;
        *seen |= (uint64_t)1 << i;
        return NULL;
    }
    return &not_known;
}

const struct onward_smtp_reply *
server_params_parse(const struct onward_smtp_server *s, struct onward_str in,
                    const struct server_param *table, size_t count,
                    struct server_params *params)
{
    const struct onward_smtp_reply *refusal = NULL;
    uint64_t seen = 0;

    while (in.len > 0 && refusal == NULL) {
        size_t end;

        if (in.data[0] != ' ')
            return &bad_syntax;
        in = onward_core__sub(in, 1, in.len);
        end = onward_core__str_find(in, ' ');
        refusal = take_one(s, onward_core__sub(in, 0, end), table, count,
                           params, &seen);
        in = onward_core__sub(in, end, in.len);
    }
    return refusal;
}
