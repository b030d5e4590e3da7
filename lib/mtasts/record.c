/*
 * The TXT record at _mta-sts (RFC 8461 section 3.1), and the words for what is
 * wrong with records and policies.
 */
#include "mtasts/mtasts_priv.h"

_Static_assert(offsetof(struct onward_mtasts_fault, is_void) + sizeof(size_t) ==
                   sizeof(struct onward_mtasts_fault),
               "no tail padding");
_Static_assert(offsetof(struct onward_mtasts_record, id) +
                       sizeof(struct onward_str) ==
                   sizeof(struct onward_mtasts_record),
               "no tail padding");

enum { ID_MAX = 32, KEY_MAX = 32 };

static const char *const texts[] = {
    [ONWARD_MTASTS_FLAW_NONE] = "",
    [ONWARD_MTASTS_FLAW_TOO_LONG] = "more than 65536 octets",
    [ONWARD_MTASTS_FLAW_OCTET] = "an octet that may not stand here",
    [ONWARD_MTASTS_FLAW_NO_DELIMITER] =
        "expected a key and ':' (policy) or '=' (record)",
    [ONWARD_MTASTS_FLAW_KEY] =
        "expected a key: up to 32 letters, digits, '_', '-' and '.'",
    [ONWARD_MTASTS_FLAW_VALUE] = "expected a value of visible characters",
    [ONWARD_MTASTS_FLAW_VERSION] = "expected STSv1",
    [ONWARD_MTASTS_FLAW_MODE] = "expected none, testing or enforce",
    [ONWARD_MTASTS_FLAW_MAX_AGE] =
        "expected seconds, a number from 0 to 31557600",
    [ONWARD_MTASTS_FLAW_MX] =
        "expected one host name in A-labels, or '*.' and one",
    [ONWARD_MTASTS_FLAW_ID] = "expected 1 to 32 letters and digits",
    [ONWARD_MTASTS_FLAW_NO_VERSION] = "version is missing",
    [ONWARD_MTASTS_FLAW_NO_MODE] = "mode is missing",
    [ONWARD_MTASTS_FLAW_NO_MAX_AGE] = "max_age is missing",
    [ONWARD_MTASTS_FLAW_NO_MX] = "mx is missing, and the mode is not none",
    [ONWARD_MTASTS_FLAW_NO_ID] = "id is missing",
    [ONWARD_MTASTS_FLAW_SEVERAL] = "there is another record that begins so",
    [ONWARD_MTASTS_FLAW_REPEATED] =
        "this key stands here already: only the first counts",
    [ONWARD_MTASTS_FLAW_BLANK_LINE] = "a blank line",
    [ONWARD_MTASTS_FLAW_SHORT_LIFE] =
        "max_age is less than a day: an attacker has not long to wait",
};

int onward_mtasts__flaw(struct onward_mtasts_fault *fault,
                        enum onward_mtasts_flaw flaw, size_t offset)
{
    const struct onward_mtasts_fault out = {
        .size = sizeof(out),
        .flaw = flaw,
        .offset = offset,
        .text = texts[flaw],
        .is_void = flaw < ONWARD_MTASTS_FLAW_REPEATED,
    };

    if (fault != NULL)
        onward_core__out_store(fault, &out, sizeof(out));
    return ONWARD_ESYNTAX;
}

bool onward_mtasts__is_key(struct onward_str s)
{
    if (s.len == 0 || s.len > KEY_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) &&
            (i == 0 || (c != '_' && c != '-' && c != '.')))
            return false;
    }
    return true;
}

bool onward_mtasts__is_id(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!onward_ascii_is_alnum((unsigned char)s.data[i]))
            return false;
    }
    return s.len != 0 && s.len <= ID_MAX;
}

static size_t skip_wsp(struct onward_str s, size_t at)
{
    while (at < s.len && onward_ascii_is_wsp((unsigned char)s.data[at]))
        at++;
    return at;
}

/* Behind "v=STSv1" *WSP ";"; 0: it does not begin so. */
static size_t skip_version(struct onward_str text)
{
    const struct onward_str version = ONWARD_STR("v=STSv1");
    size_t at;

    if (!onward_core__str_starts(text, version))
        return 0;
    at = skip_wsp(text, version.len);
    return at < text.len && text.data[at] == ';' ? at + 1 : 0;
}

/* sts-ext-value: visible, without "=" and ";". The first that is not, or len.
 */
static size_t find_foreign(struct onward_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (c < 0x21 || c > 0x7e || c == '=' || c == ';')
            return i;
    }
    return value.len;
}

/* One sts-field from octet at to end, white space around it taken off. */
static int read_field(struct onward_str text, size_t at, size_t end,
                      bool is_lint, struct onward_mtasts_record *record,
                      struct onward_mtasts_fault *fault)
{
    struct onward_str field = onward_core__sub(text, at, end);
    size_t equals = onward_core__str_find(field, '=');
    struct onward_str key = onward_core__sub(field, 0, equals);
    struct onward_str value = onward_core__sub(field, equals + 1, field.len);
    bool is_id = onward_core__str_eq(key, ONWARD_STR("id"));
    size_t foreign = find_foreign(value);

    if (equals == field.len)
        return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_NO_DELIMITER, at);
    if (!onward_mtasts__is_key(key))
        return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_KEY, at);
    if (is_id && record->id.len == 0) {
        if (!onward_mtasts__is_id(value))
            return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_ID,
                                       at + equals + 1);
        record->id = value;
        return 0;
    }
    if (value.len == 0 || foreign < value.len)
        return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_VALUE,
                                   at + equals + 1 + foreign);
    if (is_id && is_lint)
        return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_REPEATED, at);
    return 0;
}

static int read_record(struct onward_str text, bool is_lint,
                       struct onward_mtasts_record *record,
                       struct onward_mtasts_fault *fault)
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
    if (record->id.len == 0)
        return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_NO_ID, text.len);
    return 0;
}

int onward_mtasts_record_parse(struct onward_str text,
                               struct onward_mtasts_record *record,
                               struct onward_mtasts_fault *fault)
{
    struct onward_mtasts_record out = {.size = sizeof(out)};
    int err = read_record(text, false, &out, fault);

    if (record == NULL)
        return ONWARD_EINVAL;
    return err != 0 ? err : onward_core__out_store(record, &out, sizeof(out));
}

int onward_mtasts_records_parse(const struct onward_str *records, size_t count,
                                struct onward_mtasts_record *record,
                                struct onward_mtasts_fault *fault)
{
    const struct onward_str *found = NULL;

    for (size_t i = 0; i < count; i++) {
        if (skip_version(records[i]) == 0)
            continue;
        if (found != NULL)
            return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_SEVERAL, 0);
        found = &records[i];
    }
    if (found == NULL)
        return ONWARD_ENOENT;
    return onward_mtasts_record_parse(*found, record, fault);
}

int onward_mtasts_record_lint(struct onward_str text,
                              struct onward_mtasts_fault *fault)
{
    struct onward_mtasts_record unused = {.size = sizeof(unused)};

    return read_record(text, true, &unused, fault);
}
