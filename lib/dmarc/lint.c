/*
 * Judging a record for its owner: what the evaluation passes over in silence is
 * a fault here.
 */
#include "dmarc/dmarc_priv.h"

_Static_assert(offsetof(struct onward_dmarc_fault, is_void) + sizeof(size_t) ==
                   sizeof(struct onward_dmarc_fault),
               "no tail padding");

struct linter {
    struct onward_str text;
    struct onward_dmarc_fault fault;
};

static int wrong(struct linter *l, const char *at, const char *what)
{
    l->fault.offset = (size_t)(at - l->text.data);
    l->fault.text = what;
    return ONWARD_ESYNTAX;
}

static bool is_one_of(struct onward_str value, const char *letters)
{
    unsigned char c;

    if (value.len != 1)
        return false;
    c = onward_ascii_lower((unsigned char)value.data[0]);
    return c != '\0' && strchr(letters, c) != NULL;
}

/* Each item of rua= and ruf= must be an address that reports can go to. */
static int check_uris(struct linter *l, struct onward_str list)
{
    if (list.len == 0)
        return wrong(l, list.data, "expected a mailto: URI");
    while (list.len != 0) {
        size_t comma = onward_core__str_find(list, ',');
        struct onward_str item =
            onward_core__str_trim(onward_core__sub(list, 0, comma));
        struct onward_str rest = item, uri;

        if (onward_dmarc_uri_next(&rest, &uri) != 1)
            return wrong(l, item.data,
                         "expected a mailto: URI of visible ASCII with an "
                         "address");
        if (uri.len != item.len)
            return wrong(l, item.data + uri.len,
                         "a size limit behind '!' is obsolete");
        if (comma + 1 == list.len)
            return wrong(l, list.data + comma, "expected a URI behind ','");
        list = onward_core__sub(list, comma + 1, list.len);
    }
    return 0;
}

static int check_value(struct linter *l, enum onward_dmarc__tag tag,
                       struct onward_str value)
{
    uint64_t number;

    switch (tag) {
    case TAG_P:
    case TAG_SP:
    case TAG_NP:
        if (onward_dmarc__read_policy(value) == ONWARD_DMARC_POLICY_UNKNOWN)
            return wrong(l, value.data, "expected none, quarantine or reject");
        return 0;
    case TAG_PSD:
        return is_one_of(value, "ynu")
                   ? 0
                   : wrong(l, value.data, "expected y, n or u");
    case TAG_T:
        return is_one_of(value, "yn") ? 0
                                      : wrong(l, value.data, "expected y or n");
    case TAG_ADKIM:
    case TAG_ASPF:
        return is_one_of(value, "rs") ? 0
                                      : wrong(l, value.data, "expected r or s");
    case TAG_FO:
        return onward_dmarc__are_failure_options(value)
                   ? 0
                   : wrong(l, value.data,
                           "expected 0, 1, d and s with ':' between, each "
                           "once, 0 and 1 not together");
    case TAG_RUA:
    case TAG_RUF:
        return check_uris(l, value);
    case TAG_PCT:
        return onward_core__parse_u64(value, 3, &number) == 0 && number <= 100
                   ? 0
                   : wrong(l, value.data, "expected a number from 0 to 100");
    case TAG_V:
    case TAG_COUNT:
        break;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < 0x20 || value.data[i] > 0x7e)
            return wrong(l, value.data + i, "expected visible ASCII");
    }
    return 0;
}

/* One part between semicolons. */
static int check_part(struct linter *l, struct onward_str part, unsigned *seen)
{
    struct onward_str name, value;
    enum onward_dmarc__tag tag;

    if (!onward_dmarc__split_tag(part, &name, &value))
        return wrong(l, onward_core__str_trim(part).data,
                     "expected a tag of letters, '=' and a value");
    if (value.len == 0) /* behind the equals sign, for offsets */
        value.data = part.data + onward_core__str_find(part, '=') + 1;
    tag = onward_dmarc__tag_of(name);
    if (tag < TAG_COUNT && (*seen & 1u << tag) != 0) {
        l->fault.is_void = 1;
        return wrong(l, name.data, "this tag stands here already");
    }
    if (tag < TAG_COUNT)
        *seen |= 1u << tag;
    return check_value(l, tag, value);
}

static int check_all(struct linter *l)
{
    struct onward_str rest = l->text;
    unsigned seen = 0;

    while (rest.len != 0) {
        size_t end = onward_core__str_find(rest, ';');
        struct onward_str part = onward_core__sub(rest, 0, end);
        int err;

        rest = onward_core__sub(rest, end + 1, rest.len);
        /* White space may follow the last semicolon. */
        if (rest.len == 0 && onward_core__str_trim(part).len == 0)
            break;
        err = check_part(l, part, &seen);
        if (err != 0)
            return err;
    }
    if ((seen & (1u << TAG_P | 1u << TAG_RUA)) != 0)
        return 0;
    l->fault.is_void = 1;
    return wrong(l, l->text.data + l->text.len,
                 "p= is missing, and without rua= nothing is asked for");
}

int onward_dmarc_lint(struct onward_str text, struct onward_dmarc_fault *fault)
{
    struct linter l = {.text = text, .fault = {.size = sizeof(l.fault)}};
    size_t end = onward_core__str_find(text, ';');
    int err;

    if (!onward_dmarc__is_version(onward_core__sub(text, 0, end)))
        return ONWARD_ENOENT;
    err = check_all(&l);
    if (err != 0 && fault != NULL)
        onward_core__out_store(fault, &l.fault, sizeof(l.fault));
    return err;
}
