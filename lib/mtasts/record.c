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

enum { ID_MAX = 32 };

static const struct onward_str version = {.data = "v=STSv1",
                                          .len = sizeof("v=STSv1") - 1};

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

bool onward_mtasts__is_id(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!onward_ascii_is_alnum((unsigned char)s.data[i]))
            return false;
    }
    return s.len != 0 && s.len <= ID_MAX;
}

static int read_field(const struct onward_core__field *field, bool is_lint,
                      struct onward_mtasts_record *record,
                      struct onward_mtasts_fault *fault)
{
    /* sts-ext-value is visible, without "=" and ";". */
    size_t foreign = onward_core__record_find_foreign(field->value, '=', ';');
    bool is_id = onward_core__str_eq(field->name, ONWARD_STR("id"));

    if (field->value_at == 0)
        return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_NO_DELIMITER,
                                   field->at);
    if (!onward_core__record_is_name(field->name))
        return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_KEY, field->at);
    if (is_id && record->id.len == 0) {
        if (!onward_mtasts__is_id(field->value))
            return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_ID,
                                       field->value_at);
        record->id = field->value;
        return 0;
    }
    if (field->value.len == 0 || foreign < field->value.len)
        return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_VALUE,
                                   field->value_at + foreign);
    if (is_id && is_lint)
        return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_REPEATED,
                                   field->at);
    return 0;
}

static int read_record(struct onward_str text, bool is_lint,
                       struct onward_mtasts_record *record,
                       struct onward_mtasts_fault *fault)
{
    size_t at = onward_core__record_begin(text, version);
    struct onward_core__field field;

    if (at == 0)
        return ONWARD_ENOENT;
    while (onward_core__record_next(text, &at, &field)) {
        int err = read_field(&field, is_lint, record, fault);

        if (err != 0)
            return err;
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
    struct onward_str found;
    int err = onward_core__record_choose(records, count, version, &found);

    if (err == ONWARD_ESYNTAX)
        return onward_mtasts__flaw(fault, ONWARD_MTASTS_FLAW_SEVERAL, 0);
    return err != 0 ? err : onward_mtasts_record_parse(found, record, fault);
}

int onward_mtasts_record_lint(struct onward_str text,
                              struct onward_mtasts_fault *fault)
{
    struct onward_mtasts_record unused = {.size = sizeof(unused)};

    return read_record(text, true, &unused, fault);
}
