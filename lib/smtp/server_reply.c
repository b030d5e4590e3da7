/*
 * What the server session says: each reply on its way to the channel.
 */
#include "smtp/server_priv.h"

bool server_is_last(const struct onward_smtp_reply *reply)
{
    return reply->code == 421 || reply->code == 521;
}

void server_say_wire(struct onward_smtp_server *s, struct onward_buf *wire)
{
    int err = wire->err;

    if (err == 0) {
        server_trace_reply(s, onward_core__buf_str(wire));
        err =
            onward_channel__write_str(&s->channel, onward_core__buf_str(wire));
    }
    if (err < 0 && s->error == 0)
        s->error = err;
    onward_core__buf_clear(wire);
}

void server_say_reply(struct onward_smtp_server *s,
                      const struct onward_smtp_reply *reply, unsigned flags)
{
    struct onward_buf wire;

    if (reply->code / 100 == 5)
        s->error_count++;
    /* A client that asked for SMTPUTF8 can read it (RFC 6531 3.7.4). */
    if (server_txn(s)->params.is_smtputf8 &&
        (flags & ONWARD_SMTP__REPLY_ASCII) == 0)
        flags |= ONWARD_SMTP__REPLY_UTF8;
    onward_core__buf_init(&wire, s->ctx, ONWARD_LIMIT_NONE);
    (void)onward_smtp__reply_write(&wire, reply, flags); /* wire.err */
    server_say_wire(s, &wire);
}

int server_say(struct onward_smtp_server *s, size_t code, const char *enhanced,
               const char *text)
{
    const struct onward_smtp_reply reply = {.size = sizeof(reply),
                                            .code = code,
                                            .enhanced = onward_str_of(enhanced),
                                            .text = onward_str_of(text)};

    server_say_reply(s, &reply, 0);
    return SERVER_DONE;
}
