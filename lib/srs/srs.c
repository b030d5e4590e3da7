/*
 * SRS0 and SRS1 addresses, written and read. No I/O and no state but the
 * secrets; the context's clock gives the day.
 */
#include <onward/srs.h>

#include <stdatomic.h>

#include <nettle/base64.h>

#include "key/key_shared.h"

#define LOCAL_MAX 64
#define DOMAIN_MAX 255
#define STAMP_LEN 2
#define DAYS 1024 /* two characters of base32 */
#define HASH_TEXT_LEN BASE64_ENCODE_RAW_LENGTH(20)
/* The 28th character of the base64 text is always '=', our separator. */
#define HASH_LEN_MAX 27

struct secret {
    size_t len;
    char data[ONWARD_SRS_SECRET_MAX];
};

struct onward_srs {
    struct onward_ctx *ctx;
    atomic_size_t refs;
    struct onward_srs_opts opts; /* resolved, no 0 left but for flags */
    size_t count;
    struct secret secrets[];
};

/* ---- Life -------------------------------------------------------------- */

static size_t or_default(size_t given, size_t dflt)
{
    return given == 0 ? dflt : given;
}

static int load_opts(const struct onward_srs_opts *given,
                     struct onward_srs_opts *opts)
{
    int ret = onward_core__opts_load(opts, sizeof(*opts), given);

    if (ret != 0)
        return ret;
    opts->hash_len = or_default(opts->hash_len, 4);
    opts->hash_min = or_default(opts->hash_min, opts->hash_len);
    opts->max_age_days = or_default(opts->max_age_days, 21);
    opts->separator = or_default(opts->separator, '=');
    if (opts->hash_len > HASH_LEN_MAX || opts->hash_min < 2 ||
        opts->hash_min > opts->hash_len || opts->max_age_days > 1000 ||
        opts->always_rewrite > 1 || opts->allow_folded_hash > 1)
        return ONWARD_EINVAL;
    if (opts->separator != '=' && opts->separator != '+' &&
        opts->separator != '-')
        return ONWARD_EINVAL;
    return 0;
}

int onward_srs_new(struct onward_ctx *ctx, const struct onward_str *secrets,
                   size_t count, const struct onward_srs_opts *given,
                   struct onward_srs **out)
{
    struct onward_srs_opts opts;
    struct onward_srs *srs;
    int ret;

    if (ctx == NULL || out == NULL || secrets == NULL || count == 0 ||
        count > ONWARD_SRS_SECRETS_MAX)
        return ONWARD_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (secrets[i].len == 0 || secrets[i].len > ONWARD_SRS_SECRET_MAX)
            return ONWARD_EINVAL;
    }
    ret = load_opts(given, &opts);
    if (ret != 0)
        return ret;
    srs = onward_core__zalloc(ctx,
                              sizeof(*srs) + count * sizeof(srs->secrets[0]));
    if (srs == NULL)
        return ONWARD_ENOMEM;
    srs->ctx = onward_ctx_ref(ctx);
    atomic_init(&srs->refs, 1);
    srs->opts = opts;
    srs->count = count;
    for (size_t i = 0; i < count; i++) {
        srs->secrets[i].len = secrets[i].len;
        memcpy(srs->secrets[i].data, secrets[i].data, secrets[i].len);
    }
    *out = srs;
    return 0;
}

struct onward_srs *onward_srs_ref(struct onward_srs *srs)
{
    atomic_fetch_add_explicit(&srs->refs, 1, memory_order_relaxed);
    return srs;
}

void onward_srs_free(struct onward_srs *srs)
{
    struct onward_ctx *ctx;

    if (srs == NULL ||
        atomic_fetch_sub_explicit(&srs->refs, 1, memory_order_acq_rel) != 1)
        return;
    ctx = srs->ctx;
    onward_core__wipe(srs, sizeof(*srs) + srs->count * sizeof(struct secret));
    onward_core__free(ctx, srs);
    onward_ctx_free(ctx);
}

/* ---- Pieces ------------------------------------------------------------ */

struct mailbox {
    struct onward_str local, domain;
};

/* What may stand bare in a local part or a domain: atext and dots (RFC 5321
 * section 4.1.2), and UTF-8 (RFC 6531). A quoted string would end up in the
 * middle of the new local part, where it cannot stand. */
static bool is_bare(struct onward_str s, const char *others)
{
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) && c < 0x80 &&
            (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return true;
}

static bool is_domain(struct onward_str s)
{
    return s.len <= DOMAIN_MAX && is_bare(s, "-._");
}

static bool is_local(struct onward_str s)
{
    return is_bare(s, "!#$%&'*+-/=?^_`{|}~.");
}

/* At the last @: an earlier one is in a quoted local part, refused later. */
static bool split_mailbox(struct onward_str address, struct mailbox *out)
{
    size_t at = onward_core__str_rfind(address, '@');

    if (at >= address.len)
        return false;
    out->local = onward_core__sub(address, 0, at);
    out->domain = onward_core__sub(address, at + 1, address.len);
    return is_domain(out->domain);
}

/* Up to the next '='; *rest moves past it. */
static bool take_field(struct onward_str *rest, struct onward_str *field)
{
    size_t end = onward_core__str_find(*rest, '=');

    if (end >= rest->len)
        return false;
    *field = onward_core__sub(*rest, 0, end);
    *rest = onward_core__sub(*rest, end + 1, rest->len);
    return true;
}

static bool is_separator(char c)
{
    return c == '=' || c == '+' || c == '-';
}

/* "SRS0" or "SRS1" in any case and a separator. */
static bool has_tag(struct onward_str local, const char *tag)
{
    return local.len > 4 &&
           onward_core__str_istarts(local, onward_str_of(tag)) &&
           is_separator(local.data[4]);
}

/* What follows "SRS1=": hash, host, and the first host's local part without
 * its four letters, which begins with the separator that it had. */
struct srs1 {
    struct onward_str hash, host, rest;
};

static bool split_srs1(struct onward_str local, struct srs1 *out)
{
    out->rest = onward_core__sub(local, 5, local.len);
    return take_field(&out->rest, &out->hash) &&
           take_field(&out->rest, &out->host) && is_domain(out->host) &&
           out->rest.len > 1 && is_separator(out->rest.data[0]) &&
           is_local(out->rest);
}

struct srs0 {
    struct onward_str hash, stamp, domain, local;
};

static bool split_srs0(struct onward_str local, struct srs0 *out)
{
    out->local = onward_core__sub(local, 5, local.len);
    return take_field(&out->local, &out->hash) &&
           take_field(&out->local, &out->stamp) &&
           take_field(&out->local, &out->domain) && is_domain(out->domain) &&
           is_local(out->local);
}

/* ---- Day stamps -------------------------------------------------------- */

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static unsigned today(const struct onward_srs *srs)
{
    int64_t now_s = onward_core__now_s(srs->ctx);

    return now_s < 0 ? 0 : (unsigned)(now_s / 86400 % DAYS);
}

static void write_stamp(unsigned day, char out[STAMP_LEN])
{
    out[0] = base32[day >> 5 & 31];
    out[1] = base32[day & 31];
}

static int digit_of(char c)
{
    unsigned char low = onward_ascii_lower((unsigned char)c);

    if (low >= 'a' && low <= 'z')
        return low - 'a';
    if (low >= '2' && low <= '7')
        return low - '2' + 26;
    return -1;
}

static bool read_stamp(struct onward_str stamp, unsigned *day)
{
    int high, low;

    if (stamp.len != STAMP_LEN)
        return false;
    high = digit_of(stamp.data[0]);
    low = digit_of(stamp.data[1]);
    if (high < 0 || low < 0)
        return false;
    *day = (unsigned)(high << 5 | low);
    return true;
}

/* ---- Hashes ------------------------------------------------------------ */

/* Fields that a hash covers, in lower case: mailers fold both halves. */
struct covered {
    size_t len;
    char data[LOCAL_MAX + DOMAIN_MAX + STAMP_LEN + 2];
};

static bool cover(struct covered *c, struct onward_str field)
{
    if (field.len > sizeof(c->data) - c->len)
        return false;
    for (size_t i = 0; i < field.len; i++)
        c->data[c->len++] =
            (char)onward_ascii_lower((unsigned char)field.data[i]);
    return true;
}

static void hash_text(const struct secret *secret, const struct covered *c,
                      char out[HASH_TEXT_LEN])
{
    struct onward_str part = onward_core__str(c->data, c->len);
    uint8_t mac[20];

    onward_key__hmac_sha1(onward_core__str(secret->data, secret->len), &part, 1,
                          mac);
    base64_encode_raw(out, sizeof(mac), mac);
}

static void fold(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = (char)onward_ascii_lower((unsigned char)text[i]);
}

/* The given hash may be a prefix as short as hash_min (a longer one was cut
 * on the way), or longer than ours (signed before hash_len was lowered). All
 * secrets are tried, so that the time does not tell which one fits. */
static bool check_hash(const struct onward_srs *srs, struct onward_str given,
                       const struct covered *c)
{
    char want[HASH_TEXT_LEN], got[HASH_LEN_MAX];
    bool fits = false;

    if (given.len < srs->opts.hash_min || given.len > HASH_LEN_MAX)
        return false;
    memcpy(got, given.data, given.len);
    if (srs->opts.allow_folded_hash)
        fold(got, given.len);
    for (size_t i = 0; i < srs->count; i++) {
        hash_text(&srs->secrets[i], c, want);
        if (srs->opts.allow_folded_hash)
            fold(want, sizeof(want));
        fits |= onward_core__equal_secret(want, got, given.len);
    }
    return fits;
}

/* ---- Forward ----------------------------------------------------------- */

/* The new address, in room that the caller has measured. */
struct writer {
    char data[ONWARD_SRS_TEXT_MAX];
    size_t len;
    bool is_full;
};

static void put(struct writer *w, struct onward_str s)
{
    /* one octet stays for the NUL */
    if (s.len >= sizeof(w->data) - w->len) {
        w->is_full = true;
        return;
    }
    if (s.len != 0)
        memcpy(w->data + w->len, s.data, s.len);
    w->len += s.len;
}

static int write_out(struct writer *w, struct onward_str domain, char *out)
{
    if (w->is_full || w->len > LOCAL_MAX)
        return ONWARD_ELIMIT;
    put(w, ONWARD_STR("@"));
    put(w, domain);
    if (w->is_full)
        return ONWARD_ELIMIT;
    memcpy(out, w->data, w->len);
    out[w->len] = '\0';
    return (int)w->len;
}

static void put_tag(const struct onward_srs *srs, struct writer *w,
                    const char *tag, const struct covered *c)
{
    char separator = (char)srs->opts.separator;
    char hash[HASH_TEXT_LEN];

    hash_text(&srs->secrets[0], c, hash);
    put(w, onward_str_of(tag));
    put(w, onward_core__str(&separator, 1));
    put(w, onward_core__str(hash, srs->opts.hash_len));
    put(w, ONWARD_STR("="));
}

static int forward_srs0(const struct onward_srs *srs, const struct mailbox *m,
                        struct onward_str alias, char *out)
{
    struct covered c = {.len = 0};
    struct writer w = {.len = 0};
    char stamp[STAMP_LEN];

    write_stamp(today(srs), stamp);
    if (!cover(&c, onward_core__str(stamp, STAMP_LEN)) ||
        !cover(&c, m->domain) || !cover(&c, m->local))
        return ONWARD_ELIMIT;
    put_tag(srs, &w, "SRS0", &c);
    put(&w, onward_core__str(stamp, STAMP_LEN));
    put(&w, ONWARD_STR("="));
    put(&w, m->domain);
    put(&w, ONWARD_STR("="));
    put(&w, m->local);
    return write_out(&w, alias, out);
}

static int forward_srs1(const struct onward_srs *srs, struct onward_str host,
                        struct onward_str rest, struct onward_str alias,
                        char *out)
{
    struct covered c = {.len = 0};
    struct writer w = {.len = 0};

    if (!cover(&c, host) || !cover(&c, rest))
        return ONWARD_ELIMIT;
    put_tag(srs, &w, "SRS1", &c);
    put(&w, host);
    put(&w, ONWARD_STR("="));
    put(&w, rest);
    return write_out(&w, alias, out);
}

static int give_back(struct onward_str address, char *out)
{
    if (address.len >= ONWARD_SRS_TEXT_MAX)
        return ONWARD_ELIMIT;
    if (address.len != 0)
        memcpy(out, address.data, address.len);
    out[address.len] = '\0';
    return (int)address.len;
}

int onward_srs_forward(const struct onward_srs *srs, struct onward_str sender,
                       struct onward_str alias, char *out, size_t cap)
{
    struct mailbox m, own = {.domain = alias};
    struct srs1 inner;

    if (srs == NULL || out == NULL || cap < ONWARD_SRS_TEXT_MAX ||
        (onward_core__str_find(alias, '@') < alias.len
             ? !split_mailbox(alias, &own)
             : !is_domain(alias)))
        return ONWARD_EINVAL;
    if (sender.len == 0)
        return give_back(sender, out);
    if (!split_mailbox(sender, &m))
        return ONWARD_ESYNTAX;
    if (!srs->opts.always_rewrite && onward_core__str_ieq(m.domain, own.domain))
        return give_back(sender, out);
    if (!is_local(m.local))
        return ONWARD_ESYNTAX;
    /* A bare "SRS0=" is an odd plain address: there is no rest to carry. */
    if (has_tag(m.local, "SRS0") && m.local.len > 5)
        return forward_srs1(srs, m.domain,
                            onward_core__sub(m.local, 4, m.local.len),
                            own.domain, out);
    if (has_tag(m.local, "SRS1") && split_srs1(m.local, &inner))
        return forward_srs1(srs, inner.host, inner.rest, own.domain, out);
    return forward_srs0(srs, &m, own.domain, out);
}

/* ---- Reverse ----------------------------------------------------------- */

static int reverse_srs0(const struct onward_srs *srs, struct onward_str local,
                        struct writer *w)
{
    struct covered c = {.len = 0};
    struct srs0 parts;
    unsigned day;

    if (!split_srs0(local, &parts) || !read_stamp(parts.stamp, &day) ||
        !cover(&c, parts.stamp) || !cover(&c, parts.domain) ||
        !cover(&c, parts.local))
        return ONWARD_SRS_MALFORMED;
    if (!check_hash(srs, parts.hash, &c))
        return ONWARD_SRS_FORGED;
    /* Days count in a circle: tomorrow is 1023 days ago. */
    if ((today(srs) + DAYS - day) % DAYS > srs->opts.max_age_days)
        return ONWARD_SRS_EXPIRED;
    put(w, parts.local);
    put(w, ONWARD_STR("@"));
    put(w, parts.domain);
    return ONWARD_SRS_OK;
}

/* The first host judges the age; here only the way is checked. */
static int reverse_srs1(const struct onward_srs *srs, struct onward_str local,
                        struct writer *w)
{
    struct covered c = {.len = 0};
    struct srs1 parts;

    if (!split_srs1(local, &parts) || !cover(&c, parts.host) ||
        !cover(&c, parts.rest))
        return ONWARD_SRS_MALFORMED;
    if (!check_hash(srs, parts.hash, &c))
        return ONWARD_SRS_FORGED;
    put(w, ONWARD_STR("SRS0"));
    put(w, parts.rest);
    put(w, ONWARD_STR("@"));
    put(w, parts.host);
    return ONWARD_SRS_OK;
}

int onward_srs_reverse(const struct onward_srs *srs, struct onward_str address,
                       char *out, size_t cap, int *verdict)
{
    struct writer w = {.len = 0};
    struct mailbox m;

    if (srs == NULL || out == NULL || verdict == NULL ||
        cap < ONWARD_SRS_TEXT_MAX)
        return ONWARD_EINVAL;
    if (!split_mailbox(address, &m))
        *verdict = ONWARD_SRS_NONE;
    else if (has_tag(m.local, "SRS0"))
        *verdict = reverse_srs0(srs, m.local, &w);
    else if (has_tag(m.local, "SRS1"))
        *verdict = reverse_srs1(srs, m.local, &w);
    else
        *verdict = ONWARD_SRS_NONE;
    if (w.is_full)
        *verdict = ONWARD_SRS_MALFORMED;
    if (*verdict != ONWARD_SRS_OK)
        return 0;
    memcpy(out, w.data, w.len);
    out[w.len] = '\0';
    return (int)w.len;
}

const char *onward_srs_verdict_name(int verdict)
{
    static const char *const names[] = {"ok", "none", "malformed", "forged",
                                        "expired"};

    if (verdict < 0 || (size_t)verdict >= sizeof(names) / sizeof(names[0]))
        return "unknown";
    return names[verdict];
}
