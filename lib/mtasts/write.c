/*
 * What a domain publishes: the policy file and the text of its TXT record.
 */
#include "mtasts/mtasts_priv.h"

_Static_assert(offsetof(struct onward_mtasts_policy_opts, mx_count) +
                       sizeof(size_t) ==
                   sizeof(struct onward_mtasts_policy_opts),
               "no tail padding");

enum { WEEK_S = 604800 };

/* Into the caller's octets; past cap it only counts. */
struct writer {
    char *out;
    size_t cap, len;
};

static void put(struct writer *w, struct onward_str s)
{
    if (w->len <= w->cap && s.len <= w->cap - w->len && s.len != 0)
        memcpy(w->out + w->len, s.data, s.len);
    w->len += s.len;
}

static void put_number(struct writer *w, size_t number)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    put(w, onward_core__str(digits + at, sizeof(digits) - at));
}

static int finish(const struct writer *w)
{
    if (w->len > w->cap || w->len > ONWARD_MTASTS_POLICY_MAX)
        return ONWARD_ELIMIT;
    return (int)w->len;
}

int onward_mtasts_policy_write(const struct onward_mtasts_policy_opts *opts,
                               char *out, size_t cap)
{
    struct writer w = {.out = out, .cap = cap};
    struct onward_mtasts_policy_opts o;
    int err;

    if (opts == NULL || out == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err != 0)
        return err;
    if (o.mode < ONWARD_MTASTS_MODE_NONE ||
        o.mode > ONWARD_MTASTS_MODE_ENFORCE ||
        (o.mx_count != 0 && o.mx == NULL) ||
        (o.mx_count == 0 && o.mode != ONWARD_MTASTS_MODE_NONE))
        return ONWARD_EINVAL;
    o.max_age_s = onward_core__limit(o.max_age_s, WEEK_S);
    if (o.max_age_s > ONWARD_MTASTS_MAX_AGE_MAX)
        return ONWARD_ESYNTAX;
    put(&w, ONWARD_STR("version: STSv1\r\nmode: "));
    put(&w, onward_str_of(onward_mtasts_mode_name((int)o.mode)));
    put(&w, ONWARD_STR("\r\n"));
    for (size_t i = 0; i < o.mx_count; i++) {
        if (!onward_mtasts__is_pattern(o.mx[i]))
            return ONWARD_ESYNTAX;
        put(&w, ONWARD_STR("mx: "));
        put(&w, o.mx[i]);
        put(&w, ONWARD_STR("\r\n"));
    }
    put(&w, ONWARD_STR("max_age: "));
    put_number(&w, o.max_age_s);
    put(&w, ONWARD_STR("\r\n"));
    return finish(&w);
}

int onward_mtasts_record_write(struct onward_str id, char *out, size_t cap)
{
    struct writer w = {.out = out, .cap = cap};

    if (out == NULL)
        return ONWARD_EINVAL;
    if (!onward_mtasts__is_id(id))
        return ONWARD_ESYNTAX;
    put(&w, ONWARD_STR("v=STSv1; id="));
    put(&w, id);
    put(&w, ONWARD_STR(";"));
    return finish(&w);
}
