/*
 * XCLIENT and XFORWARD (Postfix's XCLIENT_README and XFORWARD_README): a
 * trusted peer says for whom it speaks. XCLIENT begins the session anew in the
 * name of that client; XFORWARD is for the log alone. Values pass the same
 * checks as those of a live client, and without trust nothing is even read.
 */
#include "smtp/server_priv.h"

#include "core/text_shared.h"

enum { VALUE_MAX = 255 };

/* What XCLIENT has said, all of it or nothing is put into effect. */
struct xclient {
    struct onward_arena *arena;
    struct onward_str name, helo, login;
    struct onward_ip ip, local_ip;
    size_t port, local_port;
    bool has_name, has_ip, has_port, has_helo, has_login, has_proto;
    bool is_esmtp;
};

/* "[UNAVAILABLE]" and "[TEMPUNAVAIL]": there is none. */
static bool is_none(struct onward_str value)
{
    return onward_core__str_ieq(value, ONWARD_STR("[UNAVAILABLE]")) ||
           onward_core__str_ieq(value, ONWARD_STR("[TEMPUNAVAIL]"));
}

/* An address; IPv6 has a prefix. */
static int take_ip(struct onward_str value, struct onward_ip *ip)
{
    bool has_prefix = onward_core__str_istarts(value, ONWARD_STR("IPV6:"));

    *ip = (struct onward_ip){.family = 0};
    if (is_none(value))
        return 0;
    if (onward_ip_parse(onward_core__sub(value, has_prefix ? 5 : 0, value.len),
                        ip) < 0 ||
        (ip->family == 6) != has_prefix)
        return ONWARD_ESYNTAX;
    return 0;
}

static int take_port(struct onward_str value, size_t *port)
{
    uint64_t number = 0;

    if (!is_none(value) &&
        (onward_core__parse_u64(value, 5, &number) < 0 || number > 65535))
        return ONWARD_ESYNTAX;
    *port = (size_t)number;
    return 0;
}

static int take_proto(struct onward_str value, struct xclient *x)
{
    x->has_proto = true;
    x->is_esmtp = onward_core__str_ieq(value, ONWARD_STR("ESMTP"));
    return x->is_esmtp || onward_core__str_ieq(value, ONWARD_STR("SMTP"))
               ? 0
               : ONWARD_ESYNTAX;
}

/* A name as EHLO takes it; empty where there is none. */
static int take_name(struct onward_str value, struct onward_str *name)
{
    if (is_none(value))
        value = onward_core__str(NULL, 0);
    else if (!server_is_helo_name(value))
        return ONWARD_ESYNTAX;
    *name = value;
    return 0;
}

static int take_attribute(struct onward_str name, struct onward_str value,
                          struct xclient *x)
{
    if (onward_core__str_ieq(name, ONWARD_STR("NAME"))) {
        x->has_name = true;
        return take_name(value, &x->name);
    }
    if (onward_core__str_ieq(name, ONWARD_STR("HELO"))) {
        x->has_helo = true;
        return take_name(value, &x->helo);
    }
    if (onward_core__str_ieq(name, ONWARD_STR("ADDR"))) {
        x->has_ip = true;
        return take_ip(value, &x->ip);
    }
    if (onward_core__str_ieq(name, ONWARD_STR("PORT"))) {
        x->has_port = true;
        return take_port(value, &x->port);
    }
    if (onward_core__str_ieq(name, ONWARD_STR("DESTADDR")))
        return take_ip(value, &x->local_ip);
    if (onward_core__str_ieq(name, ONWARD_STR("DESTPORT")))
        return take_port(value, &x->local_port);
    if (onward_core__str_ieq(name, ONWARD_STR("PROTO")))
        return take_proto(value, x);
    if (onward_core__str_ieq(name, ONWARD_STR("LOGIN"))) {
        x->has_login = true;
        x->login = is_none(value) ? onward_core__str(NULL, 0) : value;
        return 0;
    }
    return ONWARD_ESYNTAX;
}

/* The next "name=xtext" of args, decoded. 0, ONWARD_ESYNTAX, ONWARD_ENOMEM. */
static int next_attribute(struct onward_arena *arena, struct onward_str *args,
                          struct onward_str *name, struct onward_str *value)
{
    size_t end = onward_core__str_find(*args, ' ');
    struct onward_str word = onward_core__sub(*args, 0, end);
    size_t name_len = onward_core__str_find(word, '=');

    *args = onward_core__sub(*args, end + 1, args->len);
    *name = onward_core__sub(word, 0, name_len);
    word = onward_core__sub(word, name_len + 1, word.len);
    if (name->len == 0 || word.len == 0 || word.len > VALUE_MAX)
        return ONWARD_ESYNTAX;
    return server_xtext(arena, word, value);
}

static struct onward_str copy_of(struct onward_smtp_server *s,
                                 struct onward_str text)
{
    char *copy;

    if (text.len == 0)
        return onward_core__str(NULL, 0);
    copy = onward_core__alloc(s->ctx, text.len);
    if (copy == NULL) {
        s->error = ONWARD_ENOMEM;
        return onward_core__str(NULL, 0);
    }
    memcpy(copy, text.data, text.len);
    return onward_core__str(copy, text.len);
}

/* Another client speaks from now on. */
static void become(struct onward_smtp_server *s, const struct xclient *x)
{
    struct server_peer *peer = server_peer(s);

    if (peer == NULL)
        return;
    server_forget(s);
    if (server_is_over(s))
        return;
    if (x->has_name) {
        onward_core__free(s->ctx, (void *)(uintptr_t)peer->name.data);
        peer->name = copy_of(s, x->name);
        s->client_name_len = 0;
    }
    if (x->has_ip)
        s->client_ip = x->ip;
    if (x->has_port)
        s->client_port = (uint16_t)x->port;
    if (x->local_ip.family != 0)
        peer->local_ip = x->local_ip;
    if (x->local_port != 0)
        peer->local_port = x->local_port;
    if (x->has_helo)
        s->helo = copy_of(s, x->helo);
    if (x->has_proto)
        s->is_esmtp = x->is_esmtp;
    if (x->has_login && x->login.len > 0)
        server_login_set(s, x->login, onward_core__str(NULL, 0));
    if (s->error == 0)
        server_greet(s);
}

/* Said first, for both. True: it may go on. */
static bool may(struct onward_smtp_server *s, size_t flag,
                struct onward_str args)
{
    if ((s->flags & flag) == 0)
        server_say(s, 550, "5.7.0", "Not trusted");
    else if (server_txn(s)->is_open)
        server_say(s, 503, "5.5.1", "A transaction is open");
    else if (args.len == 0)
        server_say(s, 501, "5.5.4", "Syntax: attribute=value ...");
    else
        return true;
    return false;
}

int server_cmd_xclient(struct onward_smtp_server *s, struct onward_str args)
{
    struct onward_arena arena;
    struct xclient x = {.arena = &arena};
    int err = 0;

    if (!may(s, ONWARD_SMTP_SERVER_TRUST_XCLIENT, args))
        return SERVER_DONE;
    onward_core__arena_init(&arena, s->ctx, s->limits.session_bytes);
    while (args.len > 0 && err == 0) {
        struct onward_str name, value;

        err = next_attribute(&arena, &args, &name, &value);
        if (err == 0)
            err = take_attribute(name, value, &x);
    }
    if (err < 0)
        server_say(s, err == ONWARD_ENOMEM ? 452 : 501,
                   err == ONWARD_ENOMEM ? "4.3.0" : "5.5.4", "Bad attribute");
    else
        become(s, &x);
    onward_core__arena_clear(&arena);
    return SERVER_DONE;
}

/* ---- XFORWARD ---------------------------------------------------------- */

int server_cmd_xforward(struct onward_smtp_server *s, struct onward_str args)
{
    static const char *const names[SERVER_FORWARDED] = {
        "NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"};
    struct onward_str values[SERVER_FORWARDED] = {{.data = NULL}};
    bool is_given[SERVER_FORWARDED] = {false};
    struct onward_arena arena;
    struct server_peer *peer;
    int err = 0;

    if (!may(s, ONWARD_SMTP_SERVER_TRUST_XFORWARD, args))
        return SERVER_DONE;
    onward_core__arena_init(&arena, s->ctx, s->limits.session_bytes);
    while (args.len > 0 && err == 0) {
        struct onward_str name, value;
        size_t i = 0;

        err = next_attribute(&arena, &args, &name, &value);
        while (err == 0 && i < SERVER_FORWARDED &&
               !onward_core__str_ieq(name, onward_str_of(names[i])))
            i++;
        if (err == 0 && i == SERVER_FORWARDED)
            err = ONWARD_ESYNTAX;
        if (err == 0) {
            values[i] = is_none(value) ? onward_core__str(NULL, 0) : value;
            is_given[i] = true;
        }
    }
    peer = err == 0 ? server_peer(s) : NULL;
    for (size_t i = 0; peer != NULL && i < SERVER_FORWARDED; i++) {
        if (!is_given[i])
            continue;
        onward_core__free(s->ctx, (void *)(uintptr_t)peer->forwarded[i].data);
        peer->forwarded[i] = copy_of(s, values[i]);
    }
    onward_core__arena_clear(&arena);
    if (err < 0)
        return server_say(s, err == ONWARD_ENOMEM ? 452 : 501,
                          err == ONWARD_ENOMEM ? "4.3.0" : "5.5.4",
                          "Bad attribute");
    return server_say(s, 250, "2.0.0", "OK");
}
