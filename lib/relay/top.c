/*
 * Fields that one copy has and another has not, above the message that all
 * copies share: what a handler puts there, what a rule does, and where the copy
 * was forwarded. No signature of ours covers them.
 */
#include "relay/relay_priv.h"

enum { TOP_MAX = 65536 };

static int read_top(void *user, uint64_t offset, void *buf, size_t cap,
                    size_t *got)
{
    const struct onward_relay__top *top = user;
    size_t at;

    if (offset >= top->fields.len)
        return top->below.read(top->below.user, offset - top->fields.len, buf,
                               cap, got);
    at = (size_t)offset;
    *got = cap < top->fields.len - at ? cap : top->fields.len - at;
    memcpy(buf, top->fields.data + at, *got);
    return 0;
}

static void wait_below(void *user, uint64_t token)
{
    const struct onward_relay__top *top = user;

    top->below.wait(top->below.user, token);
}

static void add_forwarded(struct onward_buf *out,
                          const struct onward_relay__destination *d)
{
    onward_core__buf_add_text(out, "X-Forwarded-To: ");
    onward_core__buf_add_str(out, d->recipient);
    onward_core__buf_add_text(out, "\r\nX-Forwarded-For: ");
    onward_core__buf_add_str(out, d->rcpt);
    /* Two addresses can be too long for a line (RFC 5322 section 2.1.1). */
    onward_core__buf_add_text(out, "\r\n ");
    onward_core__buf_add_str(out, d->recipient);
    onward_core__buf_add_text(out, "\r\n");
}

int onward_relay__write_top(struct onward_relay *r,
                            struct onward_relay__destination *d)
{
    struct onward_relay__top *top = &d->top;
    struct onward_buf out;
    int err;

    onward_core__buf_init(&out, r->ctx, TOP_MAX);
    if (r->opts.add_forwarded && r->way == ONWARD_RELAY__RULES)
        add_forwarded(&out, d);
    onward_core__buf_add_str(&out, r->rule_fields);
    err = onward_core__buf_add_str(&out, d->fields);
    if (err == 0)
        err = onward_core__arena_dup(&r->arena, onward_core__buf_str(&out),
                                     &top->fields);
    onward_core__buf_clear(&out);
    if (err != 0)
        return ONWARD_ENOMEM;
    top->below = *r->edited;
    top->table = *r->edited;
    top->table.user = top;
    top->table.len += top->fields.len;
    top->table.read = read_top;
    if (top->below.wait != NULL)
        top->table.wait = wait_below;
    return 0;
}

const struct onward_source *
onward_relay__top_source(const struct onward_relay *r,
                         const struct onward_relay__destination *d)
{
    return d->top.fields.len != 0 ? &d->top.table : r->edited;
}
