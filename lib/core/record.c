#include "core/record_shared.h"

enum { NAME_LEN_MAX = 32 };

static size_t skip_wsp(struct onward_str s, size_t at)
{
    while (at < s.len && onward_ascii_is_wsp((unsigned char)s.data[at]))
        at++;
    return at;
}

size_t onward_core__record_begin(struct onward_str record,
                                 struct onward_str version)
{
    size_t at;

    if (!onward_core__str_starts(record, version))
        return 0;
    at = skip_wsp(record, version.len);
    return at < record.len && record.data[at] == ';' ? at + 1 : 0;
}

int onward_core__record_choose(const struct onward_str *records, size_t count,
                               struct onward_str version,
                               struct onward_str *found)
{
    bool is_found = false;

    for (size_t i = 0; i < count; i++) {
        if (onward_core__record_begin(records[i], version) == 0)
            continue;
        if (is_found)
            return ONWARD_ESYNTAX;
        *found = records[i];
        is_found = true;
    }
    return is_found ? 0 : ONWARD_ENOENT;
}

bool onward_core__record_next(struct onward_str record, size_t *at,
                              struct onward_core__field *field)
{
    size_t from = skip_wsp(record, *at);
    struct onward_str rest = onward_core__sub(record, from, record.len);
    size_t stop = from + onward_core__str_find(rest, ';');
    struct onward_str text =
        onward_core__str_trim(onward_core__sub(record, from, stop));
    size_t equals = onward_core__str_find(text, '=');

    if (from >= record.len)
        return false;
    field->at = from;
    field->value_at = equals < text.len ? from + equals + 1 : 0;
    field->name = onward_core__sub(text, 0, equals);
    field->value = onward_core__sub(text, equals + 1, text.len);
    *at = stop + 1;
    return true;
}

bool onward_core__record_is_name(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) &&
            (i == 0 || (c != '_' && c != '-' && c != '.')))
            return false;
    }
    return s.len > 0 && s.len <= NAME_LEN_MAX;
}

size_t onward_core__record_find_foreign(struct onward_str s, char one,
                                        char other)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c <= ' ' || c >= 0x7f || s.data[i] == one || s.data[i] == other)
            return i;
    }
    return s.len;
}
