#include "echo.h"

static void destroy(void *engine)
{
    struct t_echo *e = engine;
    struct onward_ctx *ctx = e->ctx;

    if (e->gone != NULL)
        *e->gone = true;
    onward_channel__clear(&e->channel);
    onward_core__buf_clear(&e->line);
    onward_core__buf_clear(&e->seen);
    onward_tls_config_free(e->config);
    onward_core__free(ctx, e);
    onward_ctx_free(ctx);
}

int t_echo_plug(struct t_echo *e)
{
    return onward_tls__plug(&e->channel, e->config, e->demand, &e->tls);
}

static int note(struct t_echo *e, const char *what, struct onward_str text)
{
    onward_core__buf_add_text(&e->seen, what);
    onward_core__buf_add_str(&e->seen, text);
    return onward_core__buf_add_byte(&e->seen, '\n');
}

int t_echo_send(struct t_echo *e, const char *text)
{
    return onward_channel__write(&e->channel, text, strlen(text));
}

static int act(struct t_echo *e, struct onward_str line)
{
    int ret = note(e, "line ", line);

    if (ret < 0)
        return ret;
    if (e->hook != NULL)
        e->hook(e, line);
    if (e->free_at != NULL &&
        onward_core__str_eq(line, onward_str_of(e->free_at))) {
        /* As a host's callback would. */
        t_echo_free(e);
        return 0;
    }
    if (onward_core__str_eq(line, ONWARD_STR("PAUSE")) &&
        e->role == T_ECHO_SERVER)
        onward_channel__pause(&e->channel);
    if (onward_core__str_eq(line, ONWARD_STR("FAIL")))
        return e->fail_with;
    if (onward_core__str_eq(line, ONWARD_STR("BYE"))) {
        onward_channel__close(&e->channel);
        return 0;
    }
    if (onward_core__str_eq(line, ONWARD_STR("READY")) && e->config != NULL)
        return t_echo_plug(e);
    if (e->role == T_ECHO_CLIENT)
        return 0;
    if (onward_core__str_eq(line, ONWARD_STR("STARTTLS")) &&
        e->config != NULL) {
        ret = t_echo_send(e, "READY\n");
        return ret < 0 ? ret : t_echo_plug(e);
    }
    ret = onward_core__buf_add_byte(&e->line, '\n');
    if (ret == 0)
        ret = onward_channel__write(&e->channel, e->line.data, e->line.len);
    return ret < 0 ? ret : 0;
}

static int feed(void *engine, const unsigned char *data, size_t len,
                size_t *taken)
{
    struct t_echo *e = engine;
    const struct onward_channel_filter_ops *filter = e->channel.filter_ops;

    assert_true(len > 0);
    for (*taken = 0; *taken < len;) {
        unsigned char c = data[(*taken)++];
        int ret;

        if (c != '\n') {
            ret = onward_core__buf_add_byte(&e->line, c);
            if (ret < 0)
                return ret;
            continue;
        }
        ret = act(e, onward_core__buf_str(&e->line));
        if (onward_channel__is_dead(&e->channel))
            return 0;
        onward_core__buf_reset(&e->line);
        if (ret < 0)
            return ret;
        if (e->channel.is_paused || onward_channel__is_closing(&e->channel) ||
            e->channel.filter_ops != filter ||
            onward_channel__is_full(&e->channel))
            return 0;
    }
    return 0;
}

static int on_eof(void *engine, enum onward_eof kind)
{
    struct t_echo *e = engine;

    e->eof = (int)kind;
    if (kind == ONWARD_EOF_CLEAN)
        onward_channel__close(&e->channel);
    return note(e, "eof ",
                kind == ONWARD_EOF_CLEAN ? ONWARD_STR("clean")
                                         : ONWARD_STR("cut"));
}

static int on_timeout(void *engine, int64_t now_ms)
{
    struct t_echo *e = engine;

    (void)now_ms;
    e->timeouts++;
    return 0;
}

static int on_drained(void *engine)
{
    struct t_echo *e = engine;

    e->drains++;
    while (e->burst > 0) {
        size_t n = e->burst < 100 ? e->burst : 100;
        char block[100];
        int ret;

        memset(block, 'x', sizeof(block));
        ret = onward_channel__write(&e->channel, block, n);
        if (ret < 0)
            return ret;
        e->burst -= n;
        if (ret == 1)
            break;
    }
    return 0;
}

static int on_secured(void *engine, int status)
{
    struct t_echo *e = engine;

    e->secured = status == 0 ? 1 : status;
    return note(e, "secured ",
                status == 0 ? ONWARD_STR("yes") : ONWARD_STR("no"));
}

static const struct onward_channel_ops ops = {
    .feed = feed,
    .eof = on_eof,
    .timeout = on_timeout,
    .drained = on_drained,
    .secured = on_secured,
    .destroy = destroy,
};

struct t_echo *t_echo_new(struct onward_ctx *ctx, enum t_echo_role role,
                          struct onward_tls_config *config,
                          const struct onward_tls_demand *demand)
{
    const struct onward_channel_bounds bounds = {
        .out_max = 65536,
        .out_high = 4096,
        .out_low = 512,
        .reads_while_full = role == T_ECHO_CLIENT,
    };
    struct t_echo *e = onward_core__zalloc(ctx, sizeof(*e));

    if (e == NULL)
        return NULL;
    e->ctx = onward_ctx_ref(ctx);
    e->role = role;
    e->config = config == NULL ? NULL : onward_tls_config_ref(config);
    e->demand = demand;
    onward_core__buf_init(&e->line, ctx, 8192);
    onward_core__buf_init(&e->seen, ctx, 65536);
    onward_channel__init(&e->channel, ctx, NULL, &ops, e, &bounds);
    return e;
}

void t_echo_free(struct t_echo *e)
{
    if (e != NULL && onward_channel__free_begin(&e->channel))
        destroy(e);
}
