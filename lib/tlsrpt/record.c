/* The TXT record at _smtp._tls (RFC 8460 section 3). */
#include "core/record_shared.h"
#include "tlsrpt/tlsrpt_priv.h"

_Static_assert(offsetof(struct onward_tlsrpt_fault, is_void) + sizeof(size_t) ==
                   sizeof(struct onward_tlsrpt_fault),
               "no tail padding");

static const struct onward_str version = {.data = "v=TLSRPTv1",
                                          .len = sizeof("v=TLSRPTv1") - 1};

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
    struct onward_str to =
        onward_core__sub(uri, 7, onward_core__str_find(uri, '?'));
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
        struct onward_str uri =
            onward_core__str_trim(onward_core__sub(list, at, end));
        size_t from = uri.len == 0 ? end : (size_t)(uri.data - list.data);
        size_t foreign = onward_core__record_find_foreign(uri, '!', ';');

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

static int read_field(const struct onward_core__field *field, bool is_lint,
                      struct onward_tlsrpt_record *record,
                      struct onward_tlsrpt_fault *fault)
{
    size_t foreign = onward_core__record_find_foreign(field->value, '=', ';');

    if (field->value_at == 0)
        return flaw_at(fault, ONWARD_TLSRPT_FLAW_NO_EQUALS, field->at);
    if (!onward_core__record_is_name(field->name))
        return flaw_at(fault, ONWARD_TLSRPT_FLAW_NAME, field->at);
    if (onward_core__str_eq(field->name, ONWARD_STR("rua"))) {
        if (record->rua.data == NULL) {
            record->rua = field->value;
            return check_rua(field->value, field->value_at, is_lint, fault);
        }
        return is_lint ? flaw_at(fault, ONWARD_TLSRPT_FLAW_REPEATED, field->at)
                       : 0;
    }
    if (field->value.len == 0 || foreign < field->value.len)
        return flaw_at(fault, ONWARD_TLSRPT_FLAW_VALUE,
                       field->value_at + foreign);
    return 0;
}

static int read_record(struct onward_str text, bool is_lint,
                       struct onward_tlsrpt_record *record,
                       struct onward_tlsrpt_fault *fault)
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
    struct onward_str found;
    int err = onward_core__record_choose(records, count, version, &found);

    if (err == ONWARD_ESYNTAX)
        return flaw_at(fault, ONWARD_TLSRPT_FLAW_SEVERAL, 0);
    return err != 0 ? err : onward_tlsrpt_record_parse(found, record, fault);
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
