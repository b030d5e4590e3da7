/*
 * DNS replies as packets (RFC 1035 section 4), read as hostile: every length
 * is checked against the packet, and the time is linear in it.
 */
#include "dns/dns_priv.h"

enum { HEADER_LEN = 12, CLASS_IN = 1, RCODE_OK = 0, RCODE_NXDOMAIN = 3 };

struct wire {
    struct onward_dns__reply reply; /* the answer section */
    const uint8_t *packet;
    size_t len;
    size_t at;
    size_t left;
    size_t answers_at;
    size_t answer_count;
    uint8_t rdata[2 * ONWARD_DNS_NAME_MAX + 20]; /* with names uncompressed */
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* prefix octets, names names, suffix octets fill the rdata; expand them. */
static bool expand(struct wire *w, size_t at, size_t end, size_t prefix,
                   unsigned names, size_t suffix, struct onward_dns__rr *rr)
{
    struct onward_dns__name name;
    size_t out = 0;

    if (end - at < prefix)
        return false;
    memcpy(w->rdata, w->packet + at, prefix);
    at += prefix;
    out += prefix;
    for (; names != 0; names--) {
        if (!onward_dns__name_from_wire(w->packet, end, &at, &name))
            return false;
        memcpy(w->rdata + out, name.octets, name.len);
        out += name.len;
    }
    if (at > end || end - at != suffix)
        return false;
    memcpy(w->rdata + out, w->packet + at, suffix);
    rr->rdata = w->rdata;
    rr->rdata_len = out + suffix;
    return true;
}

static bool read_rdata(struct wire *w, size_t at, size_t end,
                       struct onward_dns__rr *rr)
{
    switch (rr->type) {
    case ONWARD_DNS_NS:
    case ONWARD_DNS_CNAME:
    case ONWARD_DNS_PTR:
        return expand(w, at, end, 0, 1, 0, rr);
    case ONWARD_DNS_MX:
        return expand(w, at, end, 2, 1, 0, rr);
    case ONWARD_DNS_SOA:
        return expand(w, at, end, 0, 2, 20, rr);
    default:
        rr->rdata = w->packet + at;
        rr->rdata_len = end - at;
        return onward_dns__rdata_is_valid(rr->type, rr->rdata, rr->rdata_len);
    }
}

/* The record at w->at. Records of another class get type 0. */
static bool read_rr(struct wire *w, struct onward_dns__rr *rr)
{
    const uint8_t *fixed;
    size_t rdata_len;

    if (!onward_dns__name_from_wire(w->packet, w->len, &w->at, &rr->owner) ||
        w->len - w->at < 10)
        return false;
    fixed = w->packet + w->at;
    w->at += 10;
    rr->type = get16(fixed);
    rr->ttl_s = get32(fixed + 4);
    if (rr->ttl_s > INT32_MAX) /* RFC 2181 section 8 */
        rr->ttl_s = 0;
    rdata_len = get16(fixed + 8);
    if (w->len - w->at < rdata_len)
        return false;
    if (get16(fixed + 2) != CLASS_IN)
        rr->type = 0;
    w->at += rdata_len;
    return read_rdata(w, w->at - rdata_len, w->at, rr);
}

static int next_answer(struct onward_dns__reply *reply,
                       struct onward_dns__rr *rr)
{
    struct wire *w = ONWARD_CONTAINER(reply, struct wire, reply);

    if (w->left == 0)
        return 0;
    w->left--;
    return read_rr(w, rr) ? 1 : ONWARD_ESYNTAX;
}

static void rewind_answers(struct onward_dns__reply *reply)
{
    struct wire *w = ONWARD_CONTAINER(reply, struct wire, reply);

    w->at = w->answers_at;
    w->left = w->answer_count;
}

/* Is it a whole reply to this question? Goes behind the question. */
static bool read_head(struct wire *w, const struct onward_dns__name *name,
                      uint16_t type)
{
    const uint8_t *p = w->packet;
    struct onward_dns__name asked;

    if (w->len < HEADER_LEN)
        return false;
    /* A reply (QR) to a standard query (opcode 0), not cut off (TC). */
    if ((p[2] & 0x80) == 0 || (p[2] & 0x78) != 0 || (p[2] & 0x02) != 0)
        return false;
    if (get16(p + 4) != 1)
        return false;
    w->at = HEADER_LEN;
    if (!onward_dns__name_from_wire(p, w->len, &w->at, &asked) ||
        w->len - w->at < 4)
        return false;
    w->at += 4;
    return onward_dns__name_eq(&asked, name) && get16(p + w->at - 4) == type &&
           get16(p + w->at - 2) == CLASS_IN;
}

/*
 * The rest of the packet behind the answers: all of it must be records. A SOA
 * at or above the name says how long a negative answer may be kept (RFC 2308
 * section 5).
 */
static bool read_tail(struct wire *w, const struct onward_dns__name *name,
                      bool *has_soa, uint32_t *negative_ttl_s)
{
    size_t authority = get16(w->packet + 8);
    size_t count = authority + get16(w->packet + 10);
    struct onward_dns__rr rr;

    *has_soa = false;
    for (size_t i = 0; i < count; i++) {
        uint32_t minimum;

        if (!read_rr(w, &rr))
            return false;
        if (i >= authority || *has_soa || rr.type != ONWARD_DNS_SOA ||
            !onward_dns__name_is_within(name, &rr.owner))
            continue;
        minimum = get32(rr.rdata + rr.rdata_len - 4);
        *negative_ttl_s = minimum < rr.ttl_s ? minimum : rr.ttl_s;
        *has_soa = true;
    }
    return true;
}

static int judge_rcode(struct wire *w, struct onward_dns__builder *b,
                       bool has_soa, uint32_t negative_ttl_s,
                       struct onward_dns__found *found)
{
    unsigned rcode = w->packet[3] & 0x0f;

    if (rcode != RCODE_OK && rcode != RCODE_NXDOMAIN) {
        found->status = ONWARD_DNS__TEMP;
        return 0;
    }
    found->has_ttl = true;
    if (onward_dns__builder_count(b) != 0)
        return rcode == RCODE_OK ? 0 : ONWARD_ESYNTAX;
    if (rcode == RCODE_OK && found->hops != 0 && !has_soa) {
        /* The server knows no more than the alias: ask for its target. */
        found->is_chase = true;
        return 0;
    }
    /* NXDOMAIN is about the end of the chain (RFC 2308 section 2.1). */
    if (rcode == RCODE_NXDOMAIN)
        found->status = ONWARD_DNS__NXDOMAIN;
    found->has_ttl = has_soa;
    if (!has_soa)
        negative_ttl_s = 0;
    if (negative_ttl_s < found->ttl_s)
        found->ttl_s = negative_ttl_s;
    return 0;
}

int onward_dns__read_wire(const void *packet, size_t len,
                          const struct onward_dns__name *name, uint16_t type,
                          struct onward_dns__builder *b,
                          struct onward_dns__found *found)
{
    struct wire w = {.reply = {.next = next_answer, .rewind = rewind_answers},
                     .packet = packet,
                     .len = len};
    uint32_t negative_ttl_s = 0;
    bool has_soa;
    int r;

    if (len > ONWARD_DNS_REPLY_MAX)
        return ONWARD_ELIMIT;
    if (!read_head(&w, name, type))
        return ONWARD_ESYNTAX;
    w.answers_at = w.at;
    w.answer_count = get16(w.packet + 6);
    r = onward_dns__reply_collect(&w.reply, name, type, b, found);
    if (r < 0)
        return r;
    /* The last pass over the answers ended behind them. */
    if (!read_tail(&w, &found->name, &has_soa, &negative_ttl_s))
        return ONWARD_ESYNTAX;
    return judge_rcode(&w, b, has_soa, negative_ttl_s, found);
}
