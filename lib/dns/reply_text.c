/*
 * A reply as text: the lines of `dig +noall +answer`, read once into an arena,
 * then treated as the answer section of a packet is.
 */
#include "dns/dns_priv.h"

enum { TEXT_MEMORY_MAX = 1 << 20 };

struct text_rr {
    struct text_rr *next;
    struct onward_str owner, rdata;
    uint32_t ttl_s;
    uint16_t type;
};

struct text_reply {
    struct onward_dns__reply reply;
    struct text_rr *first, **last;
    const struct text_rr *at;
};

static int next_rr(struct onward_dns__reply *reply, struct onward_dns__rr *rr)
{
    struct text_reply *t = ONWARD_CONTAINER(reply, struct text_reply, reply);
    const struct text_rr *at = t->at;

    if (at == NULL)
        return 0;
    t->at = at->next;
    memcpy(rr->owner.octets, at->owner.data, at->owner.len);
    rr->owner.len = at->owner.len;
    rr->type = at->type;
    rr->ttl_s = at->ttl_s;
    rr->rdata = (const uint8_t *)at->rdata.data;
    rr->rdata_len = at->rdata.len;
    return 1;
}

static void rewind_rr(struct onward_dns__reply *reply)
{
    struct text_reply *t = ONWARD_CONTAINER(reply, struct text_reply, reply);

    t->at = t->first;
}

static int keep(struct text_reply *t, struct onward_arena *arena,
                const struct onward_dns__line *line)
{
    struct text_rr *rr = onward_core__arena_alloc(arena, sizeof(*rr));

    if (rr == NULL ||
        onward_core__arena_dup(
            arena, onward_core__str(line->owner.octets, line->owner.len),
            &rr->owner) < 0 ||
        onward_core__arena_dup(arena, onward_core__buf_str(&line->rdata),
                               &rr->rdata) < 0)
        return ONWARD_ENOMEM;
    rr->type = line->type;
    rr->ttl_s = line->ttl_s;
    *t->last = rr;
    t->last = &rr->next;
    return 0;
}

static int read_lines(struct text_reply *t, struct onward_arena *arena,
                      struct onward_dns__line *line, struct onward_str text)
{
    struct onward_str one;

    while (onward_dns__line_next(&text, &one)) {
        int r = onward_dns__line_parse(line, one);

        if (r == ONWARD_ENOENT) /* an RRSIG or a DNAME beside what we asked */
            continue;
        if (r > 0 && line->mark != ONWARD_DNS__MARK_NONE)
            r = ONWARD_ESYNTAX;
        if (r > 0)
            r = keep(t, arena, line);
        if (r < 0)
            return r;
    }
    return 0;
}

int onward_dns__read_text(struct onward_ctx *ctx, struct onward_str text,
                          const struct onward_dns__name *name, uint16_t type,
                          struct onward_dns__builder *b,
                          struct onward_dns__found *found)
{
    struct text_reply t = {.reply = {.next = next_rr, .rewind = rewind_rr}};
    struct onward_dns__line line;
    struct onward_arena arena;
    int r;

    /* No reply is longer on the wire; as text, each octet takes four. */
    if (text.len > 4 * (size_t)ONWARD_DNS_REPLY_MAX)
        return ONWARD_ELIMIT;
    t.last = &t.first;
    onward_core__arena_init(&arena, ctx, TEXT_MEMORY_MAX);
    onward_dns__line_init(&line, ctx);
    r = read_lines(&t, &arena, &line, text);
    if (r == 0)
        r = onward_dns__reply_collect(&t.reply, name, type, b, found);
    onward_dns__line_clear(&line);
    onward_core__arena_clear(&arena);
    if (r < 0)
        return r;
    if (found->status == ONWARD_DNS__NODATA)
        found->is_chase = found->hops != 0;
    found->has_ttl = found->status == ONWARD_DNS__OK;
    return 0;
}
