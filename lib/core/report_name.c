#include "core/text_shared.h"

enum { UNIQUE_MAX = 64 };

static bool is_unique_id(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!onward_ascii_is_alnum((unsigned char)s.data[i]))
            return false;
    }
    return s.len <= UNIQUE_MAX;
}

int onward_core__report_name(struct onward_buf *out,
                             const struct onward_core__report_name *name)
{
    if (!is_unique_id(name->unique))
        return ONWARD_ESYNTAX;
    onward_core__buf_add_str(out, name->submitter);
    onward_core__buf_add_byte(out, '!');
    onward_core__buf_add_str(out, name->policy_domain);
    onward_core__buf_add_byte(out, '!');
    onward_core__buf_add_i64(out, name->begin_s);
    onward_core__buf_add_byte(out, '!');
    onward_core__buf_add_i64(out, name->end_s);
    if (name->unique.len != 0) {
        onward_core__buf_add_byte(out, '!');
        onward_core__buf_add_str(out, name->unique);
    }
    return onward_core__buf_add_text(out, name->extension);
}
