#include "pair.h"

static bool move(struct t_pair *p, struct t_echo *from, struct t_echo *to)
{
    struct onward_str out;
    size_t taken, len;
    int ret;

    if (from == NULL || to == NULL)
        return false;
    out = onward_channel_peek(&from->channel);
    len = out.len;
    if (p->chunk > 0 && len > p->chunk)
        len = p->chunk;
    if (len == 0 || (onward_channel_wants(&to->channel) &
                     (ONWARD_WANT_READ | ONWARD_WANT_CLOSE)) == 0)
        return false;
    ret = onward_channel_feed(&to->channel, out.data, len, &taken);
    if (ret < 0 && p->error == 0)
        p->error = ret;
    p->moved += taken;
    ret = onward_channel_drain(&from->channel, taken);
    if (ret < 0 && p->error == 0)
        p->error = ret;
    return taken > 0;
}

void t_pair_run(struct t_pair *p)
{
    bool goes_on = true;

    while (goes_on) {
        goes_on = move(p, p->client, p->server);
        goes_on = move(p, p->server, p->client) || goes_on;
    }
}

void t_pair_free(struct t_pair *p)
{
    t_echo_free(p->client);
    t_echo_free(p->server);
    p->client = NULL;
    p->server = NULL;
}
