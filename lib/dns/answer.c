/*
 * Answers as evaluators see them: immutable, counted, one block of memory; and
 * how they are put together out of the records of a reply.
 */
#include "dns/dns_priv.h"

struct box {
    struct onward_ctx *ctx;
    size_t refs;
    size_t bytes;
    struct onward_dns__entry *keeper; /* NULL: not in the cache */
    struct onward_dns__memo *memo;
    struct onward_dns__answer answer;
};

struct item {
    size_t offset; /* in the builder's data */
    size_t len;
    size_t preference;
};

const struct onward_dns__answer onward_dns__answer_nxdomain = {
    .status = ONWARD_DNS__NXDOMAIN};
const struct onward_dns__answer onward_dns__answer_nodata = {
    .status = ONWARD_DNS__NODATA};
const struct onward_dns__answer onward_dns__answer_temp = {
    .status = ONWARD_DNS__TEMP};
const struct onward_dns__answer onward_dns__answer_bogus = {
    .status = ONWARD_DNS__BOGUS};

static struct box *box_of(const struct onward_dns__answer *answer)
{
    if (answer == NULL || answer == &onward_dns__answer_nxdomain ||
        answer == &onward_dns__answer_nodata ||
        answer == &onward_dns__answer_temp ||
        answer == &onward_dns__answer_bogus)
        return NULL;
    /* All others were made here, in memory that may be written. */
    return ONWARD_CONTAINER(answer, struct box, answer);
}

void onward_dns__answer_ref(const struct onward_dns__answer *answer)
{
    struct box *box = box_of(answer);

    if (box != NULL)
        box->refs++;
}

void onward_dns__answer_unref(const struct onward_dns__answer *answer)
{
    struct box *box = box_of(answer);

    if (box == NULL || --box->refs != 0)
        return;
    if (box->memo != NULL)
        box->memo->free(box->ctx, box->memo);
    onward_core__free(box->ctx, box);
}

size_t onward_dns__answer_bytes(const struct onward_dns__answer *answer)
{
    struct box *box = box_of(answer);

    return box == NULL ? 0 : box->bytes;
}

void onward_dns__answer_set_keeper(const struct onward_dns__answer *answer,
                                   struct onward_dns__entry *keeper)
{
    struct box *box = box_of(answer);

    if (box != NULL)
        box->keeper = keeper;
}

struct onward_dns__memo *
onward_dns__answer_memo(const struct onward_dns__answer *answer,
                        const void *kind)
{
    struct box *box = box_of(answer);

    if (box == NULL || box->memo == NULL || box->memo->kind != kind)
        return NULL;
    return box->memo;
}

bool onward_dns__answer_keep(const struct onward_dns__answer *answer,
                             struct onward_dns__memo *memo)
{
    struct box *box = box_of(answer);

    if (box == NULL || box->memo != NULL || box->keeper == NULL)
        return false;
    box->memo = memo;
    box->bytes += memo->bytes;
    onward_dns__entry_grow(box->keeper, memo->bytes);
    return true;
}

/* A block with room for count records and text_len octets behind it. */
static struct box *box_new(struct onward_ctx *ctx, size_t count,
                           size_t text_len, struct onward_dns__record **records,
                           char **text)
{
    struct box *box;
    size_t bytes;

    if (onward_size_mul(count, sizeof(struct onward_dns__record), &bytes) < 0 ||
        onward_size_add(bytes, sizeof(*box), &bytes) < 0 ||
        onward_size_add(bytes, text_len, &bytes) < 0)
        return NULL;
    box = onward_core__zalloc(ctx, bytes);
    if (box == NULL)
        return NULL;
    box->ctx = ctx;
    box->refs = 1;
    box->bytes = bytes;
    *records = (void *)(box + 1);
    *text = (char *)(*records + count);
    box->answer.records = *records;
    box->answer.count = count;
    return box;
}

void onward_dns__builder_init(struct onward_dns__builder *b,
                              struct onward_ctx *ctx)
{
    onward_core__buf_init(&b->data, ctx, ONWARD_DNS_ANSWER_MAX);
    onward_core__buf_init(&b->items, ctx, ONWARD_DNS_ANSWER_MAX);
}

void onward_dns__builder_clear(struct onward_dns__builder *b)
{
    onward_core__buf_clear(&b->data);
    onward_core__buf_clear(&b->items);
}

size_t onward_dns__builder_count(const struct onward_dns__builder *b)
{
    return b->items.len / sizeof(struct item);
}

/* The strings of a TXT record, joined without a separator (RFC 7208 3.3). */
static void add_strings(struct onward_buf *data, const uint8_t *rdata,
                        size_t len)
{
    for (size_t at = 0; at < len; at += 1u + rdata[at])
        onward_core__buf_add(data, rdata + at + 1, rdata[at]);
}

int onward_dns__builder_add(struct onward_dns__builder *b, uint16_t type,
                            const uint8_t *rdata, size_t len)
{
    char text[ONWARD_DNS_NAME_TEXT_MAX];
    struct item item = {.offset = b->data.len};
    size_t text_len;

    switch (type) {
    case ONWARD_DNS_TXT:
    case ONWARD_DNS_TYPE_SPF:
        add_strings(&b->data, rdata, len);
        break;
    case ONWARD_DNS_MX:
        item.preference = (size_t)rdata[0] << 8 | rdata[1];
        rdata += 2;
        len -= 2;
        /* fall through */
    case ONWARD_DNS_NS:
    case ONWARD_DNS_CNAME:
    case ONWARD_DNS_PTR:
        text_len = onward_dns__name_to_text(rdata, len, text);
        onward_core__buf_add(&b->data, text, text_len);
        break;
    default:
        onward_core__buf_add(&b->data, rdata, len);
        break;
    }
    item.len = b->data.len - item.offset;
    onward_core__buf_add(&b->items, &item, sizeof(item));
    return b->data.err != 0 ? b->data.err : b->items.err;
}

const struct onward_dns__answer *
onward_dns__builder_finish(struct onward_dns__builder *b,
                           const struct onward_dns__found *found,
                           bool has_cname)
{
    char name[ONWARD_DNS_NAME_TEXT_MAX];
    size_t name_len =
        onward_dns__name_to_text(found->name.octets, found->name.len, name);
    size_t count = onward_dns__builder_count(b);
    struct onward_dns__record *records;
    struct box *box;
    char *text;

    box = box_new(b->data.ctx, count, b->data.len + name_len, &records, &text);
    if (box == NULL)
        return NULL;
    if (b->data.len != 0)
        memcpy(text, b->data.data, b->data.len);
    memcpy(text + b->data.len, name, name_len);
    for (size_t i = 0; i < count; i++) {
        struct item item;

        memcpy(&item, b->items.data + i * sizeof(item), sizeof(item));
        records[i].data = onward_core__str(text + item.offset, item.len);
        records[i].preference = (uint16_t)item.preference;
    }
    box->answer.status = found->status;
    box->answer.is_secure = found->is_secure;
    box->answer.has_cname = has_cname;
    box->answer.ttl_s = found->ttl_s;
    box->answer.canonical = onward_core__str(text + b->data.len, name_len);
    return &box->answer;
}

const struct onward_dns__answer *
onward_dns__answer_behind(struct onward_ctx *ctx,
                          const struct onward_dns__answer *answer,
                          uint32_t ttl_s, bool is_secure)
{
    size_t text_len = answer->canonical.len;
    struct onward_dns__record *records;
    struct box *box;
    char *text;

    for (size_t i = 0; i < answer->count; i++)
        text_len += answer->records[i].data.len;
    box = box_new(ctx, answer->count, text_len, &records, &text);
    if (box == NULL)
        return NULL;
    for (size_t i = 0; i < answer->count; i++) {
        struct onward_str data = answer->records[i].data;

        memcpy(text, data.data, data.len);
        records[i].data = onward_core__str(text, data.len);
        records[i].preference = answer->records[i].preference;
        text += data.len;
    }
    if (answer->canonical.len != 0)
        memcpy(text, answer->canonical.data, answer->canonical.len);
    box->answer.canonical = onward_core__str(text, answer->canonical.len);
    box->answer.status = answer->status;
    box->answer.is_secure = is_secure && answer->is_secure;
    box->answer.has_cname = true;
    box->answer.ttl_s = ttl_s < answer->ttl_s ? ttl_s : answer->ttl_s;
    return &box->answer;
}

static void name_of_rdata(const struct onward_dns__rr *rr,
                          struct onward_dns__name *name)
{
    memcpy(name->octets, rr->rdata, rr->rdata_len);
    name->len = rr->rdata_len;
}

static void least(uint32_t *ttl_s, uint32_t other)
{
    if (other < *ttl_s)
        *ttl_s = other;
}

/* One pass: the records of found->name, or its CNAME. */
static int collect_at(struct onward_dns__reply *reply, uint16_t type,
                      struct onward_dns__builder *b,
                      struct onward_dns__found *found,
                      struct onward_dns__name *target, bool *has_target)
{
    struct onward_dns__rr rr;
    uint32_t cname_ttl_s = 0;
    int r;

    *has_target = false;
    reply->rewind(reply);
    while ((r = reply->next(reply, &rr)) > 0) {
        if (!onward_dns__name_eq(&rr.owner, &found->name))
            continue;
        if (rr.type == type) {
            r = onward_dns__builder_add(b, type, rr.rdata, rr.rdata_len);
            if (r < 0)
                return r;
            least(&found->ttl_s, rr.ttl_s);
        } else if (rr.type == ONWARD_DNS_CNAME && !*has_target) {
            name_of_rdata(&rr, target);
            cname_ttl_s = rr.ttl_s;
            *has_target = true;
        }
    }
    if (r < 0)
        return r;
    if (onward_dns__builder_count(b) != 0)
        *has_target = false;
    else if (*has_target)
        least(&found->ttl_s, cname_ttl_s);
    return 0;
}

int onward_dns__reply_collect(struct onward_dns__reply *reply,
                              const struct onward_dns__name *name,
                              uint16_t type, struct onward_dns__builder *b,
                              struct onward_dns__found *found)
{
    struct onward_dns__name target;
    bool has_target;
    int r;

    found->name = *name;
    found->ttl_s = UINT32_MAX;
    found->hops = 0;
    for (;;) {
        r = collect_at(reply, type, b, found, &target, &has_target);
        if (r < 0)
            return r;
        if (!has_target)
            break;
        if (++found->hops > ONWARD_DNS_CNAME_MAX)
            return ONWARD_ELIMIT;
        found->name = target;
    }
    found->status =
        onward_dns__builder_count(b) != 0 ? ONWARD_DNS__OK : ONWARD_DNS__NODATA;
    return 0;
}
