/*
 * Exchanges: lines that belong to a command which has begun, as those behind
 * AUTH do (RFC 4954 section 4).
 */
#include "smtp/server_priv.h"

void server_exchange_begin(struct onward_smtp_server *s,
                           const struct server_exchange *exchange)
{
    server_exchange_end(s);
    s->exchange = exchange;
}

void server_exchange_end(struct onward_smtp_server *s)
{
    const struct server_exchange *exchange = s->exchange;

    s->exchange = NULL;
    if (exchange != NULL && exchange->ended != NULL)
        exchange->ended(s);
}
