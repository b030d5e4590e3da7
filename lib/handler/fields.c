/*
 * Fields that code may put on a message: by name, by value, and how many. What
 * is in the list has been written already, folded and encoded, so nothing that
 * is done with it later can begin a new line.
 */
#include "handler/handler_shared.h"

#include <onward/mime_text.h>

#include "mime/mime_shared.h"

_Static_assert(offsetof(struct onward_field_list_opts, max_x_fields) +
                       sizeof(size_t) ==
                   sizeof(struct onward_field_list_opts),
               "no tail padding");

enum {
    NAME_BYTES = 100,
    VALUE_BYTES = 2048,
    MAX_BYTES = 16384,
    MAX_FIELDS = 20,
    MAX_X_FIELDS = 100,
    AROUND = 4, /* ": " and CRLF, as they are counted */
    TEXT_BYTES = 4 * 1024 * 1024
};

struct onward_field_list {
    struct onward_ctx *ctx;
    struct onward_field_list_opts opts;
    struct onward_buf text;
    struct onward_buf names; /* each with LF behind it */
    size_t bytes, count, x_count;
};

/* ---- Names ------------------------------------------------------------- */

static bool is_one_of(struct onward_str s, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (onward_core__str_ieq(s, onward_str_of(*list)))
            return true;
    }
    return false;
}

static bool starts_with_one_of(struct onward_str s, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (onward_core__str_istarts(s, onward_str_of(*list)))
            return true;
    }
    return false;
}

static const char *const allowed[] = {"In-Reply-To",
                                      "References",
                                      "List-Help",
                                      "List-Unsubscribe",
                                      "List-Unsubscribe-Post",
                                      "List-Subscribe",
                                      "List-Post",
                                      "List-Owner",
                                      "List-Archive",
                                      "List-Id",
                                      "Precedence",
                                      "Auto-Submitted",
                                      "Content-Language",
                                      "Keywords",
                                      "Comments",
                                      "Importance",
                                      "Priority",
                                      "Sensitivity",
                                      "Organization",
                                      "Require-Recipient-Valid-Since",
                                      "Expires",
                                      "Reply-By",
                                      "Archived-At",
                                      NULL};

static const char *const builders[] = {"From", "Sender", "Reply-To", "To",
                                       "Cc",   "Bcc",    "Subject",  NULL};

/* Written by the builder or by who carries the message. */
static const char *const platform[] = {"Date",
                                       "Message-ID",
                                       "MIME-Version",
                                       "Feedback-ID",
                                       "TLS-Required",
                                       "CFBL-Address",
                                       "CFBL-Feedback-ID",
                                       "X-Forwarded-To",
                                       "X-Forwarded-For",
                                       NULL};
static const char *const platform_starts[] = {"Content-", "TLS-Report-", NULL};

/* Where it was, and that it is genuine: a hop's word, never a sender's. What
 * filters write about authentication counts, whatever its first letter. */
static const char *const trace[] = {"Received",
                                    "Return-Path",
                                    "Delivered-To",
                                    "Received-SPF",
                                    "Authentication-Results",
                                    "DKIM-Signature",
                                    "DomainKey-Signature",
                                    "Original-Authentication-Results",
                                    "X-Original-To",
                                    "X-Received",
                                    "X-Authentication-Results",
                                    "X-Google-DKIM-Signature",
                                    NULL};
static const char *const trace_starts[] = {"ARC-", "Resent-", "X-ARC-",
                                           "X-Original-Authentication", NULL};

static bool is_x_name(struct onward_str name)
{
    if (name.len < 3 || !onward_core__str_istarts(name, ONWARD_STR("X-")))
        return false;
    for (size_t i = 2; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];

        if (!onward_ascii_is_alnum(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

enum onward_handler__field_class
onward_handler__class_of(struct onward_str name)
{
    if (is_one_of(name, trace) || starts_with_one_of(name, trace_starts))
        return ONWARD_FIELD__TRACE;
    if (is_one_of(name, allowed))
        return ONWARD_FIELD__ALLOWED;
    if (is_one_of(name, platform) || starts_with_one_of(name, platform_starts))
        return ONWARD_FIELD__PLATFORM;
    if (is_x_name(name))
        return ONWARD_FIELD__X;
    if (is_one_of(name, builders))
        return ONWARD_FIELD__BUILDER;
    return ONWARD_FIELD__OTHER;
}

/* ---- Values ------------------------------------------------------------ */

/* "<https:...>, <mailto:...>" and nothing else (RFC 2369 section 2). */
static bool is_uri_list(struct onward_str value, bool needs_https)
{
    bool has_https = false;
    size_t at = 0, count = 0;

    while (at < value.len) {
        struct onward_str item;
        size_t end;

        if (value.data[at] == ' ' || value.data[at] == '\t') {
            at++;
            continue;
        }
        if (count > 0 && value.data[at++] != ',')
            return false;
        while (at < value.len &&
               onward_ascii_is_wsp((unsigned char)value.data[at]))
            at++;
        if (at == value.len || value.data[at] != '<')
            return false;
        end = at + onward_core__str_find(onward_core__sub(value, at, value.len),
                                         '>');
        if (end == value.len)
            return false;
        item = onward_core__sub(value, at + 1, end);
        if (onward_core__str_istarts(item, ONWARD_STR("https://")))
            has_https = true;
        else if (!onward_core__str_istarts(item, ONWARD_STR("mailto:")) ||
                 item.len < 8)
            return false;
        if (onward_core__str_find(item, '<') != item.len ||
            onward_core__str_find(item, ' ') != item.len)
            return false;
        at = end + 1;
        count++;
    }
    return count > 0 && (has_https || !needs_https);
}

bool onward_handler__is_value(struct onward_str name, struct onward_str value)
{
    static const char *const bulk[] = {"bulk", "list", "junk", NULL};
    static const char *const uris[] = {"List-Help",      "List-Unsubscribe",
                                       "List-Subscribe", "List-Owner",
                                       "List-Archive",   NULL};

    if (onward_core__str_ieq(name, ONWARD_STR("List-Unsubscribe-Post")))
        return onward_core__str_eq(value,
                                   ONWARD_STR("List-Unsubscribe=One-Click"));
    if (onward_core__str_ieq(name, ONWARD_STR("Precedence")))
        return is_one_of(value, bulk);
    if (is_one_of(name, uris))
        return is_uri_list(value, false);
    return true;
}

/* ---- The list ---------------------------------------------------------- */

int onward_field_list_new(struct onward_ctx *ctx,
                          const struct onward_field_list_opts *opts,
                          struct onward_field_list **list)
{
    struct onward_field_list_opts o;
    struct onward_field_list *l;
    int err;

    if (ctx == NULL || opts == NULL || list == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err != 0)
        return err;
    if (o.policy != ONWARD_FIELD_POLICY_X &&
        o.policy != ONWARD_FIELD_POLICY_SEND)
        return ONWARD_EINVAL;
    l = onward_core__zalloc(ctx, sizeof(*l));
    if (l == NULL)
        return ONWARD_ENOMEM;
    o.name_bytes = onward_core__limit(o.name_bytes, NAME_BYTES);
    o.value_bytes = onward_core__limit(o.value_bytes, VALUE_BYTES);
    o.max_bytes = onward_core__limit(o.max_bytes, MAX_BYTES);
    o.max_fields = onward_core__limit(o.max_fields, MAX_FIELDS);
    o.max_x_fields = onward_core__limit(o.max_x_fields, MAX_X_FIELDS);
    l->ctx = onward_ctx_ref(ctx);
    l->opts = o;
    onward_core__buf_init(&l->text, ctx, TEXT_BYTES);
    onward_core__buf_init(&l->names, ctx, TEXT_BYTES);
    *list = l;
    return 0;
}

void onward_field_list_free(struct onward_field_list *list)
{
    struct onward_ctx *ctx;

    if (list == NULL)
        return;
    ctx = list->ctx;
    onward_core__buf_clear(&list->text);
    onward_core__buf_clear(&list->names);
    onward_core__free(ctx, list);
    onward_ctx_free(ctx);
}

static bool has_name(const struct onward_field_list *l, struct onward_str name)
{
    struct onward_str rest = onward_core__buf_str(&l->names);

    while (rest.len > 0) {
        size_t end = onward_core__str_find(rest, '\n');

        if (onward_core__str_ieq(onward_core__sub(rest, 0, end), name))
            return true;
        rest = onward_core__sub(rest, end + 1, rest.len);
    }
    return false;
}

/* Does a one-click field have the URI that it speaks of (RFC 8058 section 3.1)?
 */
static bool lacks_https(const struct onward_field_list *l,
                        struct onward_str name)
{
    return onward_core__str_ieq(name, ONWARD_STR("List-Unsubscribe-Post")) &&
           !has_name(l, ONWARD_STR("List-Unsubscribe"));
}

static enum onward_refusal_code check_name(const struct onward_field_list *l,
                                           struct onward_str name)
{
    enum onward_handler__field_class class = onward_handler__class_of(name);

    if (!onward_mime__is_field_name(name))
        return ONWARD_REFUSAL_FIELD_NAME;
    if (name.len > l->opts.name_bytes)
        return ONWARD_REFUSAL_FIELD_TOO_LONG;
    if (onward_core__str_istarts(name, ONWARD_STR("X-")) &&
        class == ONWARD_FIELD__OTHER)
        return ONWARD_REFUSAL_FIELD_NAME;
    if (class == ONWARD_FIELD__X)
        return ONWARD_REFUSAL_NONE;
    if (l->opts.policy == ONWARD_FIELD_POLICY_SEND) {
        if (class == ONWARD_FIELD__ALLOWED)
            return ONWARD_REFUSAL_NONE;
        if (class == ONWARD_FIELD__BUILDER)
            return ONWARD_REFUSAL_FIELD_USE_API;
    }
    return ONWARD_REFUSAL_FIELD_NOT_ALLOWED;
}

static enum onward_refusal_code check(const struct onward_field_list *l,
                                      struct onward_str name,
                                      struct onward_str value)
{
    enum onward_refusal_code code = check_name(l, name);
    bool is_x = onward_handler__class_of(name) == ONWARD_FIELD__X;

    if (code != ONWARD_REFUSAL_NONE)
        return code;
    if (value.len > l->opts.value_bytes)
        return ONWARD_REFUSAL_FIELD_TOO_LONG;
    if (onward_core__str_trim(value).len == 0 ||
        !onward_mime__is_writable(value) ||
        !onward_handler__is_value(name, value) || lacks_https(l, name))
        return ONWARD_REFUSAL_FIELD_VALUE;
    if (has_name(l, name))
        return ONWARD_REFUSAL_FIELD_TWICE;
    if (is_x ? l->x_count >= l->opts.max_x_fields
             : l->count - l->x_count >= l->opts.max_fields)
        return ONWARD_REFUSAL_FIELDS_TOO_MANY;
    if (l->bytes + name.len + value.len + AROUND > l->opts.max_bytes)
        return ONWARD_REFUSAL_FIELDS_TOO_LARGE;
    return ONWARD_REFUSAL_NONE;
}

/* 0, ONWARD_ESYNTAX or ONWARD_ENOMEM; the list is as before but for 0. */
static int append(struct onward_field_list *l, struct onward_str name,
                  struct onward_str value)
{
    size_t len = l->text.len, names_len = l->names.len;
    int err = onward_mime__write_field(&l->text, name, value,
                                       onward_handler__class_of(name) !=
                                           ONWARD_FIELD__X);

    if (err == 0)
        err = onward_core__buf_add_str(&l->names, name);
    if (err == 0)
        err = onward_core__buf_add_byte(&l->names, '\n');
    if (err == 0)
        return 0;
    l->text.len = len;
    l->names.len = names_len;
    l->text.err = l->names.err = 0;
    return err == ONWARD_ESYNTAX ? err : ONWARD_ENOMEM;
}

int onward_field_list_add(struct onward_field_list *list,
                          struct onward_str name, struct onward_str value,
                          struct onward_refusal *refusal)
{
    enum onward_refusal_code code;
    int err;

    if (!onward_handler__can_refuse(refusal))
        return ONWARD_EINVAL;
    value = onward_core__str_trim(value);
    code = check(list, name, value);
    if (code != ONWARD_REFUSAL_NONE)
        return onward_handler__refuse(refusal, code, name);
    err = append(list, name, value);
    if (err == ONWARD_ESYNTAX)
        return onward_handler__refuse(refusal, ONWARD_REFUSAL_FIELD_VALUE,
                                      name);
    if (err != 0)
        return err;
    list->bytes += name.len + value.len + AROUND;
    list->count++;
    if (onward_handler__class_of(name) == ONWARD_FIELD__X)
        list->x_count++;
    return 1;
}

size_t onward_field_list_count(const struct onward_field_list *list)
{
    return list->count;
}

struct onward_str onward_field_list_text(const struct onward_field_list *list)
{
    return onward_core__buf_str(&list->text);
}

enum onward_field_policy
onward_handler__policy(const struct onward_field_list *list)
{
    return (enum onward_field_policy)list->opts.policy;
}
