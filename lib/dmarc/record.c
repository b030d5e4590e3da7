/*
 * DMARC records (RFC 9989 4.7, 4.8): a wrong value falls back to its default,
 * a wrong beginning or a tag given twice voids the record.
 */
#include "dmarc/dmarc_priv.h"

_Static_assert(offsetof(struct onward_dmarc_record, percent) + sizeof(size_t) ==
                   sizeof(struct onward_dmarc_record),
               "no tail padding");

/* One part between semicolons: tag, equals, value, white space trimmed. */
bool onward_dmarc__split_tag(struct onward_str part, struct onward_str *tag,
                             struct onward_str *value)
{
    size_t equals = onward_core__str_find(part, '=');

    if (equals == part.len)
        return false;
    *tag = onward_core__str_trim(onward_core__sub(part, 0, equals));
    *value =
        onward_core__str_trim(onward_core__sub(part, equals + 1, part.len));
    if (tag->len == 0)
        return false;
    for (size_t i = 0; i < tag->len; i++) {
        if (!onward_ascii_is_alpha((unsigned char)tag->data[i]))
            return false;
    }
    return true;
}

size_t onward_dmarc__read_policy(struct onward_str value)
{
    if (onward_core__str_ieq(value, ONWARD_STR("none")))
        return ONWARD_DMARC_POLICY_NONE;
    if (onward_core__str_ieq(value, ONWARD_STR("quarantine")))
        return ONWARD_DMARC_POLICY_QUARANTINE;
    if (onward_core__str_ieq(value, ONWARD_STR("reject")))
        return ONWARD_DMARC_POLICY_REJECT;
    return ONWARD_DMARC_POLICY_UNKNOWN;
}

/* dmarc-fo: each of 0, 1, d, s once, 0 and 1 not together. */
bool onward_dmarc__are_failure_options(struct onward_str value)
{
    unsigned seen = 0;

    for (size_t i = 0; i < value.len; i++) {
        const char *all = "01ds";
        char c = (char)onward_ascii_lower((unsigned char)value.data[i]);
        const char *at = c == '\0' ? NULL : strchr(all, c);

        if (i % 2 == 1) {
            if (c != ':')
                return false;
            continue;
        }
        if (at == NULL || (seen & 1u << (at - all)) != 0)
            return false;
        seen |= 1u << (at - all);
    }
    return value.len % 2 == 1 && (seen & 3u) != 3u;
}

enum onward_dmarc__tag onward_dmarc__tag_of(struct onward_str name)
{
    static const char *const names[TAG_COUNT] = {"v",   "p",   "sp",    "np",
                                                 "psd", "t",   "adkim", "aspf",
                                                 "fo",  "rua", "ruf",   "pct"};
    size_t i = 0;

    while (i < TAG_COUNT &&
           !onward_core__str_ieq(name, onward_str_of(names[i])))
        i++;
    return (enum onward_dmarc__tag)i;
}

static void take_tag(struct onward_dmarc_record *r, enum onward_dmarc__tag tag,
                     struct onward_str value)
{
    char letter = value.len != 1
                      ? '\0'
                      : (char)onward_ascii_lower((unsigned char)value.data[0]);
    size_t policy = onward_dmarc__read_policy(value);
    uint64_t percent;

    switch (tag) {
    case TAG_P:
        r->is_policy_valid = policy != ONWARD_DMARC_POLICY_UNKNOWN;
        if (r->is_policy_valid)
            r->policy = policy;
        break;
    case TAG_SP:
        r->subdomain_policy = policy;
        r->is_subdomain_bad |= policy == ONWARD_DMARC_POLICY_UNKNOWN;
        break;
    case TAG_NP:
        r->nonexistent_policy = policy;
        r->is_subdomain_bad |= policy == ONWARD_DMARC_POLICY_UNKNOWN;
        break;
    case TAG_PSD:
        if (letter == 'y' || letter == 'n')
            r->psd = (size_t)letter;
        break;
    case TAG_T:
        r->is_testing = letter == 'y';
        break;
    case TAG_ADKIM:
        r->is_dkim_strict = letter == 's';
        break;
    case TAG_ASPF:
        r->is_spf_strict = letter == 's';
        break;
    case TAG_FO:
        if (onward_dmarc__are_failure_options(value))
            r->failure_options = value;
        break;
    case TAG_RUA:
        r->rua = value;
        break;
    case TAG_RUF:
        r->ruf = value;
        break;
    case TAG_PCT:
        if (onward_core__parse_u64(value, 3, &percent) == 0 && percent <= 100)
            r->percent = (size_t)percent;
        break;
    case TAG_V:
    case TAG_COUNT:
        break;
    }
}

/* dmarc-version: "v", white space, "=", white space, exactly "DMARC1". */
bool onward_dmarc__is_version(struct onward_str part)
{
    struct onward_str tag, value;

    return part.len != 0 && part.data[0] == 'v' &&
           onward_dmarc__split_tag(part, &tag, &value) && tag.len == 1 &&
           onward_core__str_eq(value, ONWARD_STR("DMARC1"));
}

int onward_dmarc_record_parse(struct onward_str text,
                              struct onward_dmarc_record *record)
{
    struct onward_dmarc_record r = {
        .size = sizeof(r),
        .policy = ONWARD_DMARC_POLICY_NONE,
        .psd = 'u',
        .failure_options = ONWARD_STR("0"),
        .percent = 100,
    };
    unsigned seen = 0;
    bool is_first = true;

    if (record == NULL)
        return ONWARD_EINVAL;
    while (is_first || text.len != 0) {
        size_t end = onward_core__str_find(text, ';');
        struct onward_str part = onward_core__sub(text, 0, end);
        struct onward_str name, value;
        enum onward_dmarc__tag tag;

        text = onward_core__sub(text, end + 1, text.len);
        if (is_first && !onward_dmarc__is_version(part))
            return ONWARD_ENOENT;
        is_first = false;
        if (!onward_dmarc__split_tag(part, &name, &value))
            continue; /* a syntax error is discarded (4.8) */
        tag = onward_dmarc__tag_of(name);
        if (tag == TAG_COUNT)
            continue;
        /* A record that says two things is no record. */
        if ((seen & 1u << tag) != 0)
            return ONWARD_ENOENT;
        seen |= 1u << tag;
        take_tag(&r, tag, value);
    }
    return onward_core__out_store(record, &r, sizeof(r));
}

int onward_dmarc_uri_next(struct onward_str *list, struct onward_str *uri)
{
    while (list->len != 0) {
        size_t comma = onward_core__str_find(*list, ',');
        struct onward_str item =
            onward_core__str_trim(onward_core__sub(*list, 0, comma));
        size_t size_mark = onward_core__str_find(item, '!');
        bool is_visible = true;

        *list = onward_core__sub(*list, comma + 1, list->len);
        item.len = size_mark;
        for (size_t i = 0; i < item.len; i++)
            is_visible =
                is_visible && item.data[i] > 0x20 && item.data[i] < 0x7f;
        if (is_visible &&
            onward_core__str_istarts(item, ONWARD_STR("mailto:")) &&
            onward_core__str_find(item, '@') < item.len) {
            *uri = item;
            return 1;
        }
    }
    return 0;
}
