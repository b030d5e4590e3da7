/* May a notice be sent (RFC 3461 section 4.1, RFC 3834 section 2, RFC 5321
 * section 4.5.5)? */
#include "dsn/dsn_priv.h"

_Static_assert(offsetof(struct onward_dsn_question, allow_automatic) +
                       sizeof(size_t) ==
                   sizeof(struct onward_dsn_question),
               "no tail padding");

bool onward_dsn__is_notify(size_t notify)
{
    return notify == ONWARD_SMTP_NOTIFY_NEVER ||
           (notify & ~(size_t)(ONWARD_DSN__NOTIFY_ALL -
                               ONWARD_SMTP_NOTIFY_NEVER)) == 0;
}

enum onward_dsn_unwanted onward_dsn__asked(size_t notify, size_t action)
{
    /* A relayed or expanded recipient counts as success (RFC 3461 sections
     * 5.2.2, 5.2.7.1). */
    size_t bit = action == ONWARD_DSN_FAILED    ? ONWARD_SMTP_NOTIFY_FAILURE
                 : action == ONWARD_DSN_DELAYED ? ONWARD_SMTP_NOTIFY_DELAY
                                                : ONWARD_SMTP_NOTIFY_SUCCESS;

    if (notify == ONWARD_SMTP_NOTIFY_NEVER)
        return ONWARD_DSN_NEVER;
    if (notify == 0 && bit != ONWARD_SMTP_NOTIFY_SUCCESS)
        return ONWARD_DSN_WANTED;
    return (notify & bit) != 0 ? ONWARD_DSN_WANTED : ONWARD_DSN_NOT_ASKED;
}

/* The first word of a field's value, comments before it left out. */
static struct onward_str first_word(struct onward_str value)
{
    size_t from = 0, to, depth = 0;

    for (; from < value.len; from++) {
        char c = value.data[from];

        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    for (to = from; to < value.len; to++) {
        char c = value.data[to];

        if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';' ||
            c == '(' || c == ',')
            break;
    }
    return onward_core__sub(value, from, to);
}

static bool is_one_of(struct onward_str s, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (onward_core__str_ieq(s, onward_str_of(*words)))
            return true;
    }
    return false;
}

static bool is_automatic_field(struct onward_str name, struct onward_str value)
{
    static const char *const bulk[] = {"bulk", "list", "junk", NULL};

    if (onward_core__str_istarts(name, ONWARD_STR("List-")))
        return true;
    if (onward_core__str_ieq(name, ONWARD_STR("Auto-Submitted")))
        return !onward_core__str_ieq(first_word(value), ONWARD_STR("no"));
    if (onward_core__str_ieq(name, ONWARD_STR("Precedence")))
        return is_one_of(first_word(value), bulk);
    return false;
}

static bool is_automatic_sender(struct onward_str reverse_path)
{
    static const char *const locals[] = {"mailer-daemon", "listserv",
                                         "majordomo", NULL};
    struct onward_str local = onward_core__sub(
        reverse_path, 0, onward_core__str_rfind(reverse_path, '@'));

    return local.len == 0 || is_one_of(local, locals) ||
           onward_core__str_istarts(local, ONWARD_STR("owner-")) ||
           onward_core__str_iends(local, ONWARD_STR("-request")) ||
           onward_core__str_iends(local, ONWARD_STR("-owner"));
}

int onward_dsn_is_automatic(const struct onward_header *original,
                            struct onward_str reverse_path)
{
    if (is_automatic_sender(reverse_path))
        return 1;
    for (size_t i = 0; original != NULL && i < onward_header_count(original);
         i++) {
        if (is_automatic_field(onward_header_name(original, i),
                               onward_header_value(original, i)))
            return 1;
    }
    return 0;
}

int onward_dsn_is_wanted(const struct onward_dsn_question *question,
                         int *unwanted)
{
    struct onward_dsn_question q;
    enum onward_dsn_unwanted why;
    int err;

    if (question == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&q, sizeof(q), question);
    if (err != 0)
        return err;
    if (q.action == ONWARD_DSN_UNKNOWN || q.action >= ONWARD_DSN__ACTIONS ||
        !onward_dsn__is_notify(q.notify))
        return ONWARD_EINVAL;
    if (q.reverse_path.len == 0)
        why = ONWARD_DSN_NULL_SENDER;
    else
        why = onward_dsn__asked(q.notify, q.action);
    /* Who asks for notices can take them. */
    if (why == ONWARD_DSN_WANTED && q.notify == 0 && q.allow_automatic == 0 &&
        q.original != NULL &&
        onward_dsn_is_automatic(q.original, q.reverse_path) == 1)
        why = ONWARD_DSN_AUTOMATIC;
    if (unwanted != NULL)
        *unwanted = (int)why;
    return why == ONWARD_DSN_WANTED ? 1 : 0;
}
