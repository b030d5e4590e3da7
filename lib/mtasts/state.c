/*
 * What stands in the store, little-endian, read as if an enemy had put it
 * there.
 *
 * A policy at onward/mtasts/1/p/DOMAIN:
 *
 *     4    "OMtp"
 *     4    the version of this form, 1
 *     8    when it was fetched, seconds since 1970
 *     1+n  the id of the record, its length first
 *     4+n  the policy as it was fetched (TLS reports quote it), its length
 * first
 *
 * A failed fetch at onward/mtasts/1/f/DOMAIN:
 *
 *     4    "OMtf"
 *     4    the version of this form, 1
 *     8    when it failed
 *     1    enum onward_mtasts_reason
 *     1    enum onward_tls_failure
 *     2    the status of HTTP
 *     1+n  the id that it was for, its length first
 */
#include "mtasts/mtasts_priv.h"

enum {
    VERSION = 1,
    HEAD_LEN = 16,
    /* A clock that was wrong, and was put right, is not to end a policy; one
     * from further ahead than any can last was made up. */
    AHEAD_MAX_S = ONWARD_MTASTS_MAX_AGE_MAX
};

static const char policy_kind[4] = {'O', 'M', 't', 'p'};
static const char mark_kind[4] = {'O', 'M', 't', 'f'};

static void put_number(unsigned char *out, uint64_t value, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        out[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_number(struct onward_str s, size_t at, size_t octets)
{
    uint64_t value = 0;

    for (size_t i = octets; i-- > 0;)
        value = value << 8 | (unsigned char)s.data[at + i];
    return value;
}

static void put_head(unsigned char *out, const char *kind, int64_t when_s)
{
    memcpy(out, kind, 4);
    put_number(out + 4, VERSION, 4);
    put_number(out + 8, (uint64_t)when_s, 8);
}

static int get_head(struct onward_str value, const char *kind, int64_t *when_s)
{
    uint64_t when;

    if (value.len < HEAD_LEN || memcmp(value.data, kind, 4) != 0)
        return ONWARD_ESYNTAX;
    if (get_number(value, 4, 4) != VERSION)
        return ONWARD_EVERSION;
    when = get_number(value, 8, 8);
    /* Room to add to it. */
    if (when > (uint64_t)INT64_MAX / 2)
        return ONWARD_ESYNTAX;
    *when_s = (int64_t)when;
    return 0;
}

struct onward_str onward_mtasts__key(enum onward_mtasts__key key,
                                     struct onward_str domain, char *text)
{
    static const char prefix[] = "onward/mtasts/1/";
    size_t len = sizeof(prefix) - 1;

    memcpy(text, prefix, len);
    text[len++] = key == ONWARD_MTASTS__POLICY_KEY ? 'p' : 'f';
    text[len++] = '/';
    if (domain.len > ONWARD_STORE_KEY_MAX - len)
        domain.len = ONWARD_STORE_KEY_MAX - len;
    memcpy(text + len, domain.data, domain.len);
    return onward_core__str(text, len + domain.len);
}

/* ---- Policies ---------------------------------------------------------- */

int onward_mtasts__kept_new(struct onward_ctx *ctx, struct onward_str id,
                            struct onward_str text, int64_t fetched_s,
                            struct onward_mtasts_fault *fault,
                            struct onward_mtasts__kept **kept)
{
    struct onward_mtasts_policy policy = {.size = sizeof(policy)};
    struct onward_mtasts__kept *made;
    int err = onward_mtasts_policy_parse(text, &policy, fault);

    if (err != 0)
        return err;
    made = onward_core__zalloc(ctx, sizeof(*made) + id.len + text.len);
    if (made == NULL)
        return ONWARD_ENOMEM;
    memcpy(made->data, id.data, id.len);
    memcpy(made->data + id.len, text.data, text.len);
    made->ctx = ctx;
    made->refs = 1;
    made->fetched_s = fetched_s;
    made->id = onward_core__str(made->data, id.len);
    made->policy = policy;
    made->policy.text = onward_core__str(made->data + id.len, text.len);
    *kept = made;
    return 0;
}

struct onward_mtasts__kept *
onward_mtasts__kept_ref(struct onward_mtasts__kept *kept)
{
    if (kept != NULL)
        kept->refs++;
    return kept;
}

void onward_mtasts__kept_free(struct onward_mtasts__kept *kept)
{
    if (kept != NULL && --kept->refs == 0)
        onward_core__free(kept->ctx, kept);
}

int64_t onward_mtasts__kept_expires_s(const struct onward_mtasts__kept *kept)
{
    return kept->fetched_s + (int64_t)kept->policy.max_age_s;
}

bool onward_mtasts__kept_is_due(const struct onward_mtasts__kept *kept,
                                int64_t now_s, size_t refresh_s)
{
    int64_t age_s = now_s - kept->fetched_s;

    return age_s < 0 || age_s >= (int64_t)refresh_s ||
           age_s >= (int64_t)(kept->policy.max_age_s / 2);
}

int onward_mtasts__kept_write(struct onward_buf *out,
                              const struct onward_mtasts__kept *kept)
{
    unsigned char head[HEAD_LEN], len[4];

    put_head(head, policy_kind, kept->fetched_s);
    put_number(len, kept->policy.text.len, sizeof(len));
    onward_core__buf_add(out, head, sizeof(head));
    onward_core__buf_add_byte(out, (unsigned char)kept->id.len);
    onward_core__buf_add_str(out, kept->id);
    onward_core__buf_add(out, len, sizeof(len));
    return onward_core__buf_add_str(out, kept->policy.text);
}

/* An id at octet `at`, its length first; false: cut off, or none. */
static bool get_id(struct onward_str value, size_t at, struct onward_str *id)
{
    size_t len;

    if (at >= value.len)
        return false;
    len = (unsigned char)value.data[at];
    *id = onward_core__sub(value, at + 1, at + 1 + len);
    return id->len == len && onward_mtasts__is_id(*id);
}

int onward_mtasts__kept_read(struct onward_ctx *ctx, struct onward_str value,
                             int64_t now_s, struct onward_mtasts__kept **kept)
{
    struct onward_mtasts__kept *made;
    struct onward_str id, text;
    int64_t fetched_s;
    size_t at;
    int err = get_head(value, policy_kind, &fetched_s);

    if (err != 0)
        return err;
    if (!get_id(value, HEAD_LEN, &id))
        return ONWARD_ESYNTAX;
    at = HEAD_LEN + 1 + id.len;
    if (value.len - at < 4)
        return ONWARD_ESYNTAX;
    text = onward_core__sub(value, at + 4, value.len);
    if (get_number(value, at, 4) != text.len)
        return ONWARD_ESYNTAX;
    if (fetched_s > now_s + AHEAD_MAX_S)
        return ONWARD_ENOENT;
    err = onward_mtasts__kept_new(ctx, id, text, fetched_s, NULL, &made);
    if (err != 0)
        return err;
    if (onward_mtasts__kept_expires_s(made) <= now_s) {
        onward_mtasts__kept_free(made);
        return ONWARD_ENOENT;
    }
    *kept = made;
    return 0;
}

/* ---- Failures ---------------------------------------------------------- */

size_t onward_mtasts__mark_write(unsigned char out[ONWARD_MTASTS__MARK_MAX],
                                 const struct onward_mtasts__mark *mark)
{
    put_head(out, mark_kind, mark->failed_s);
    out[HEAD_LEN] = (unsigned char)mark->reason;
    out[HEAD_LEN + 1] = (unsigned char)mark->tls_failure;
    put_number(out + HEAD_LEN + 2, mark->http_status, 2);
    out[HEAD_LEN + 4] = (unsigned char)mark->id_len;
    memcpy(out + HEAD_LEN + 5, mark->id, mark->id_len);
    return HEAD_LEN + 5 + mark->id_len;
}

int onward_mtasts__mark_read(struct onward_str value,
                             struct onward_mtasts__mark *mark)
{
    struct onward_mtasts__mark out = {0};
    struct onward_str id;
    int err = get_head(value, mark_kind, &out.failed_s);

    if (err != 0)
        return err;
    if (!get_id(value, HEAD_LEN + 4, &id) || value.len != HEAD_LEN + 5 + id.len)
        return ONWARD_ESYNTAX;
    out.reason = (enum onward_mtasts_reason)(unsigned char)value.data[HEAD_LEN];
    out.tls_failure = (unsigned char)value.data[HEAD_LEN + 1];
    out.http_status = (size_t)get_number(value, HEAD_LEN + 2, 2);
    if (out.reason == ONWARD_MTASTS_REASON_NONE ||
        out.reason > ONWARD_MTASTS_REASON_INTERNAL ||
        out.tls_failure > ONWARD_TLS_INTERNAL)
        return ONWARD_ESYNTAX;
    out.id_len = id.len;
    memcpy(out.id, id.data, id.len);
    *mark = out;
    return 0;
}
