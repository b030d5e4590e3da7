/* The TXT record at _smtp._tls (RFC 8460 section 3). */
#include "tlsrpt/tlsrpt_priv.h"

_Static_assert(offsetof(struct onward_tlsrpt_fault, is_void) + sizeof(size_t) ==
                   sizeof(struct onward_tlsrpt_fault),
               "no tail padding");

enum { NAME_MAX = 32 };

static const char *const texts[] = {
    [ONWARD_TLSRPT_FLAW_NONE] = "",
    [ONWARD_TLSRPT_FLAW_NO_EQUALS] = "expected a name and '='",
    [ONWARD_TLSRPT_FLAW_NAME] =
        "expected a name: a letter or digit, and at most 31 letters, digits, "
        "'_', '-' and '.'",
    [ONWARD_TLSRPT_FLAW_VALUE] = "expected a value of visible characters",
    [ONWARD_TLSRPT_FLAW_URI] =
        "expected a URI of visible characters; ',' '!' and ';' are escaped in "
        "it",
    [ONWARD_TLSRPT_FLAW_SCHEME] = "expected a mailto: or https: URI",
    [ONWARD_TLSRPT_FLAW_NO_RUA] = "rua is missing",
    [ONWARD_TLSRPT_FLAW_SEVERAL] = "there is another record that begins so",
    [ONWARD_TLSRPT_FLAW_REPEATED] =
        "rua stands here already: only the first counts",
    [ONWARD_TLSRPT_FLAW_OTHER_SCHEME] =
        "neither mailto: nor https: this URI is left out",
    [ONWARD_TLSRPT_FLAW_MAILBOX] = "expected local@domain behind mailto:",
};

static int flaw_at(struct onward_tlsrpt_fault *fault,
                   enum onward_tlsrpt_flaw flaw, size_t offset)
{
    const struct onward_tlsrpt_fault out = {
        .size = sizeof(out),
        .flaw = flaw,
        .offset = offset,
        .text = texts[flaw],
        .is_void = flaw < ONWARD_TLSRPT_FLAW_REPEATED,
    };

    if (fault != NULL)
        onward_core__out_store(fault, &out, sizeof(out));
    return ONWARD_ESYNTAX;
}

static size_t skip_wsp(struct onward_str s, size_t at)
{
    while (at < s.len && onward_ascii_is_wsp((unsigned char)s.data[at]))
        at++;
    return at;
}

/* Behind "v=TLSRPTv1" *WSP ";"; 0: it does not begin so. */
static size_t skip_version(struct onward_str text)
{
    const struct onward_str version = ONWARD_STR("v=TLSRPTv1");
    size_t at;

    if (!onward_core__str_starts(text, version))
        return 0;
    at = skip_wsp(text, version.len);
    return at < text.len && text.data[at] == ';' ? at + 1 : 0;
}

static bool is_name(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) &&
            (i == 0 || (c != '_' && c != '-' && c != '.')))
            return false;
    }
    return s.len > 0 && s.len <= NAME_MAX;
}

/* The first octet that may not stand in a value, or its length. */
static size_t find_foreign(struct onward_str s, char also, char and_also)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] >= 0x7f || s.data[i] == also ||
            s.data[i] == and_also)
            return i;
    }
    return s.len;
}

static bool is_mailto(struct onward_str uri)
{
    return onward_core__str_istarts(uri, ONWARD_STR("mailto:"));
}

static bool is_usable(struct onward_str uri)
{
    return (is_mailto(uri) && uri.len > 7) ||
           (onward_core__str_istarts(uri, ONWARD_STR("https://")) &&
            uri.len > 8);
}

static bool has_mailbox(struct onward_str uri)
{
    struct onward_str to = onward_core__sub(
        uri, 7, onward_core__str_find(uri, '?'));
    size_t at = onward_core__str_rfind(to, '@');

    return at > 0 && at + 1 < to.len;
}

/* The list of rua; base is where it begins in the record. */
static int check_rua(struct onward_str list, size_t base, bool is_lint,
                     struct onward_tlsrpt_fault *fault)
{
    bool is_any = false;

    for (size_t at = 0;;) {
        size_t end = at + onward_core__str_find(
                              onward_core__sub(list, at, list.len), ',');
        size_t from = skip_wsp(list, at);
        struct onward_str uri =
            onward_core__str_trim(onward_core__sub(list, from, end));
        size_t foreign = find_foreign(uri, '!', ';');

        if (uri.len == 0 || foreign < uri.len)
            return flaw_at(fault, ONWARD_TLSRPT_FLAW_URI,
                           base + from + foreign);
        if (is_usable(uri))
            is_any = true;
        else if (is_lint)
            return flaw_at(fault, ONWARD_TLSRPT_FLAW_OTHER_SCHEME, base + from);
        if (is_lint && is_mailto(uri) && !has_mailbox(uri))
            return flaw_at(fault, ONWARD_TLSRPT_FLAW_MAILBOX, base + from + 7);
        if (end >= list.len)
            break;
        at = end + 1;
    }
    return is_any ? 0 : flaw_at(fault, ONWARD_TLSRPT_FLAW_SCHEME, base);
}

/* One field from octet at to end, white space around it taken off. */
static int read_field(struct onward_str text, size_t at, size_t end,
                      bool is_lint, struct onward_tlsrpt_record *record,
                      struct onward_tlsrpt_fault *fault)
{
    struct onward_str field = onward_core__sub(text, at, end);
    size_t equals = onward_core__str_find(field, '=');
    struct onward_str name = onward_core__sub(field, 0, equals);
    struct onward_str value = onward_core__sub(field, equals + 1, field.len);
    size_t base = at + equals + 1, foreign;

    if (equals == field.len)
        return flaw_at(fault, ONWARD_TLSRPT_FLAW_NO_EQUALS, at);
    if (!is_name(name))
        return flaw_at(fault, ONWARD_TLSRPT_FLAW_NAME, at);
    if (onward_core__str_eq(name, ONWARD_STR("rua"))) {
        if (record->rua.data == NULL) {
            record->rua = value;
            return check_rua(value, base, is_lint, fault);
        }
        return is_lint ? flaw_at(fault, ONWARD_TLSRPT_FLAW_REPEATED, at) : 0;
    }
    foreign = find_foreign(value, '=', ';');
    if (value.len == 0 || foreign < value.len)
        return flaw_at(fault, ONWARD_TLSRPT_FLAW_VALUE, base + foreign);
    return 0;
}

static int read_record(struct onward_str text, bool is_lint,
                       struct onward_tlsrpt_record *record,
                       struct onward_tlsrpt_fault *fault)
{
    size_t at = skip_version(text);

    if (at == 0)
        return ONWARD_ENOENT;
    for (;;) {
        size_t end, stop;
        int err;

        at = skip_wsp(text, at);
        /* One delimiter may stand behind the last field. */
        if (at == text.len)
            break;
        stop = at +
               onward_core__str_find(onward_core__sub(text, at, text.len), ';');
        end = stop;
        while (end > at &&
               onward_ascii_is_wsp((unsigned char)text.data[end - 1]))
            end--;
        err = read_field(text, at, end, is_lint, record, fault);
        if (err != 0)
            return err;
        if (stop == text.len)
            break;
        at = stop + 1;
    }
    if (record->rua.data == NULL)
        return flaw_at(fault, ONWARD_TLSRPT_FLAW_NO_RUA, text.len);
    return 0;
}

int onward_tlsrpt_record_parse(struct onward_str text,
                               struct onward_tlsrpt_record *record,
                               struct onward_tlsrpt_fault *fault)
{
    struct onward_tlsrpt_record out = {.size = sizeof(out)};
    int err;

    if (record == NULL)
        return ONWARD_EINVAL;
    err = read_record(text, false, &out, fault);
    return err != 0 ? err : onward_core__out_store(record, &out, sizeof(out));
}

int onward_tlsrpt_records_parse(const struct onward_str *records, size_t count,
                                struct onward_tlsrpt_record *record,
                                struct onward_tlsrpt_fault *fault)
{
    const struct onward_str *found = NULL;

    for (size_t i = 0; i < count; i++) {
        if (skip_version(records[i]) == 0)
            continue;
        if (found != NULL)
            return flaw_at(fault, ONWARD_TLSRPT_FLAW_SEVERAL, 0);
        found = &records[i];
    }
    if (found == NULL)
        return ONWARD_ENOENT;
    return onward_tlsrpt_record_parse(*found, record, fault);
}

int onward_tlsrpt_record_lint(struct onward_str text,
                              struct onward_tlsrpt_fault *fault)
{
    struct onward_tlsrpt_record unused = {.size = sizeof(unused)};

    return read_record(text, true, &unused, fault);
}

int onward_tlsrpt_rua_next(struct onward_str *rest, struct onward_str *uri)
{
    while (rest->len > 0) {
        size_t end = onward_core__str_find(*rest, ',');
        struct onward_str next =
            onward_core__str_trim(onward_core__sub(*rest, 0, end));

        *rest = onward_core__sub(*rest, end + 1, rest->len);
        if (is_usable(next)) {
            *uri = next;
            return 1;
        }
    }
    return 0;
}
