/* SRS0 and SRS1 addresses, written and read. */
#include "srs/srs_priv.h"

/* ---- Forward ----------------------------------------------------------- */

void onward_srs__put(struct onward_srs__writer *w, struct onward_str s)
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

int onward_srs__write_out(struct onward_srs__writer *w,
                          struct onward_str domain, char *out)
{
    if (w->is_full || w->len > ONWARD_SRS__LOCAL_MAX)
        return ONWARD_ELIMIT;
    onward_srs__put(w, ONWARD_STR("@"));
    onward_srs__put(w, domain);
    if (w->is_full)
        return ONWARD_ELIMIT;
    memcpy(out, w->data, w->len);
    out[w->len] = '\0';
    return (int)w->len;
}

void onward_srs__put_tag(const struct onward_srs *srs,
                         struct onward_srs__writer *w, const char *tag,
                         const struct onward_srs__covered *c)
{
    char separator = (char)srs->opts.separator;
    char hash[ONWARD_SRS__HASH_MAX];

    onward_srs__put(w, onward_str_of(tag));
    onward_srs__put(w, onward_core__str(&separator, 1));
    onward_srs__put(w, onward_srs__hash(srs, c, hash));
    onward_srs__put(w, ONWARD_STR("="));
}

static int forward_srs0(const struct onward_srs *srs,
                        const struct onward_srs__mailbox *m,
                        struct onward_str alias, char *out)
{
    struct onward_srs__covered c = {.count = 0};
    struct onward_srs__writer w = {.len = 0};
    char stamp[ONWARD_SRS__STAMP_LEN];

    onward_srs__write_stamp(srs, stamp);
    if (!onward_srs__cover(&c,
                           onward_core__str(stamp, ONWARD_SRS__STAMP_LEN)) ||
        !onward_srs__cover(&c, m->domain) || !onward_srs__cover(&c, m->local))
        return ONWARD_ELIMIT;
    onward_srs__put_tag(srs, &w, "SRS0", &c);
    onward_srs__put(&w, onward_core__str(stamp, ONWARD_SRS__STAMP_LEN));
    onward_srs__put(&w, ONWARD_STR("="));
    onward_srs__put(&w, m->domain);
    onward_srs__put(&w, ONWARD_STR("="));
    onward_srs__put(&w, m->local);
    return onward_srs__write_out(&w, alias, out);
}

static int forward_srs1(const struct onward_srs *srs, struct onward_str host,
                        struct onward_str rest, struct onward_str alias,
                        char *out)
{
    struct onward_srs__covered c = {.count = 0};
    struct onward_srs__writer w = {.len = 0};

    if (!onward_srs__cover(&c, host) || !onward_srs__cover(&c, rest))
        return ONWARD_ELIMIT;
    onward_srs__put_tag(srs, &w, "SRS1", &c);
    onward_srs__put(&w, host);
    onward_srs__put(&w, ONWARD_STR("="));
    onward_srs__put(&w, rest);
    return onward_srs__write_out(&w, alias, out);
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

bool onward_srs__alias_domain(struct onward_str alias, struct onward_str *out)
{
    struct onward_srs__mailbox m;

    if (onward_core__str_find(alias, '@') < alias.len) {
        *out =
            onward_srs__split(alias, &m) ? m.domain : onward_core__str(NULL, 0);
        return out->len > 0;
    }
    *out = alias;
    return onward_srs__is_domain(alias);
}

int onward_srs_forward(const struct onward_srs *srs, struct onward_str sender,
                       struct onward_str alias, char *out, size_t cap)
{
    struct onward_srs__srs1 inner;
    struct onward_srs__mailbox m;
    struct onward_str domain;

    if (srs == NULL || out == NULL || cap < ONWARD_SRS_TEXT_MAX ||
        !onward_srs__alias_domain(alias, &domain))
        return ONWARD_EINVAL;
    if (sender.len == 0)
        return give_back(sender, out);
    if (!onward_srs__split(sender, &m))
        return ONWARD_ESYNTAX;
    if (!srs->opts.always_rewrite && onward_core__str_ieq(m.domain, domain))
        return give_back(sender, out);
    if (!onward_srs__is_local(m.local))
        return ONWARD_ESYNTAX;
    /* A bare "SRS0=" is an odd plain address: there is no rest to carry. */
    if (onward_srs__has_tag(m.local, "SRS0") && m.local.len > 5)
        return forward_srs1(srs, m.domain,
                            onward_core__sub(m.local, 4, m.local.len), domain,
                            out);
    if (onward_srs__has_tag(m.local, "SRS1") &&
        onward_srs__split_srs1(m.local, &inner))
        return forward_srs1(srs, inner.host, inner.rest, domain, out);
    return forward_srs0(srs, &m, domain, out);
}

/* ---- Reverse ----------------------------------------------------------- */

static int reverse_srs0(const struct onward_srs *srs, struct onward_str local,
                        struct onward_srs__writer *w)
{
    struct onward_srs__covered c = {.count = 0};
    struct onward_srs__srs0 parts;
    unsigned age_days;

    if (!onward_srs__split_srs0(local, &parts) ||
        !onward_srs__stamp_age(srs, parts.stamp, &age_days) ||
        !onward_srs__cover(&c, parts.stamp) ||
        !onward_srs__cover(&c, parts.domain) ||
        !onward_srs__cover(&c, parts.local))
        return ONWARD_SRS_MALFORMED;
    if (!onward_srs__check_hash(srs, parts.hash, &c))
        return ONWARD_SRS_FORGED;
    if (age_days > srs->opts.max_age_days)
        return ONWARD_SRS_EXPIRED;
    if (parts.domain.len == 0)
        return onward_srs__reverse_kept(&parts, w);
    onward_srs__put(w, parts.local);
    onward_srs__put(w, ONWARD_STR("@"));
    onward_srs__put(w, parts.domain);
    return ONWARD_SRS_OK;
}

/* The first host judges the age; here only the way is checked. */
static int reverse_srs1(const struct onward_srs *srs, struct onward_str local,
                        struct onward_srs__writer *w)
{
    struct onward_srs__covered c = {.count = 0};
    struct onward_srs__srs1 parts;

    if (!onward_srs__split_srs1(local, &parts) ||
        !onward_srs__cover(&c, parts.host) ||
        !onward_srs__cover(&c, parts.rest))
        return ONWARD_SRS_MALFORMED;
    if (!onward_srs__check_hash(srs, parts.hash, &c))
        return ONWARD_SRS_FORGED;
    onward_srs__put(w, ONWARD_STR("SRS0"));
    onward_srs__put(w, parts.rest);
    onward_srs__put(w, ONWARD_STR("@"));
    onward_srs__put(w, parts.host);
    return ONWARD_SRS_OK;
}

int onward_srs_reverse(const struct onward_srs *srs, struct onward_str address,
                       char *out, size_t cap, int *verdict)
{
    struct onward_srs__writer w = {.len = 0};
    struct onward_srs__mailbox m;

    if (srs == NULL || out == NULL || verdict == NULL ||
        cap < ONWARD_SRS_TEXT_MAX)
        return ONWARD_EINVAL;
    if (!onward_srs__split(address, &m))
        *verdict = ONWARD_SRS_NONE;
    else if (onward_srs__has_tag(m.local, "SRS0"))
        *verdict = reverse_srs0(srs, m.local, &w);
    else if (onward_srs__has_tag(m.local, "SRS1"))
        *verdict = reverse_srs1(srs, m.local, &w);
    else
        *verdict = ONWARD_SRS_NONE;
    if (w.is_full)
        *verdict = ONWARD_SRS_MALFORMED;
    if (*verdict != ONWARD_SRS_OK && *verdict != ONWARD_SRS_KEPT)
        return 0;
    memcpy(out, w.data, w.len);
    out[w.len] = '\0';
    return (int)w.len;
}
