/*
 * Values of a rules text: their types, their keys, and what is said when they
 * are not what was expected.
 */
#include "ruleset/ruleset_priv.h"

/* ---- Faults ------------------------------------------------------------ */

/* Copy as printable ASCII with a NUL; a cut text ends in "...". */
static void put_text(struct onward_ctx *ctx, char *out, size_t cap,
                     struct onward_str s)
{
    struct onward_buf escaped;

    onward_core__buf_init(&escaped, ctx, cap);
    if (onward_core__escape(&escaped, s, cap - 1) == 0) {
        memcpy(out, escaped.data, escaped.len);
        out[escaped.len] = '\0';
    }
    onward_core__buf_clear(&escaped);
}

static void put_path(struct onward_ctx *ctx,
                     struct onward_ruleset_fault *fault,
                     const struct onward_json *at)
{
    struct onward_buf path;
    size_t len;

    onward_core__buf_init(&path, ctx, 8192);
    if (onward_json__path(&path, at) == 0) {
        /* It is printable already; only its length is in question. */
        len =
            path.len < sizeof(fault->path) ? path.len : sizeof(fault->path) - 1;
        if (len > 0)
            memcpy(fault->path, path.data, len);
        if (len < path.len)
            memcpy(fault->path + len - 3, "...", 3);
        fault->path[len] = '\0';
    }
    onward_core__buf_clear(&path);
}

int onward_ruleset__fail(struct loader *l, const struct onward_json *at,
                         const char *found, const char *expected)
{
    struct onward_buf text;
    int err;

    l->has_fault = true;
    l->fault->line = at->line;
    put_path(l->ctx, l->fault, at);
    onward_core__buf_init(&text, l->ctx, 4096);
    err = onward_core__buf_add_text(&text, found);
    if (expected != NULL) {
        onward_core__buf_add_text(&text, ", expected ");
        err = onward_core__buf_add_text(&text, expected);
    }
    if (err == 0)
        put_text(l->ctx, l->fault->text, sizeof(l->fault->text),
                 onward_core__buf_str(&text));
    onward_core__buf_clear(&text);
    return err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
}

int onward_ruleset__fail_text(struct loader *l, size_t line, const char *text)
{
    l->has_fault = true;
    l->fault->line = line;
    put_text(l->ctx, l->fault->text, sizeof(l->fault->text),
             onward_str_of(text));
    return ONWARD_ESYNTAX;
}

/* ---- Types ------------------------------------------------------------- */

static const char *type_name(enum onward_json_type type)
{
    switch (type) {
    case ONWARD_JSON_NULL:
        return "null";
    case ONWARD_JSON_FALSE:
        return "false";
    case ONWARD_JSON_TRUE:
        return "true";
    case ONWARD_JSON_NUMBER:
        return "a number";
    case ONWARD_JSON_STRING:
        return "a string";
    case ONWARD_JSON_ARRAY:
        return "an array";
    case ONWARD_JSON_OBJECT:
        return "an object";
    }
    return "a value";
}

int onward_ruleset__want(struct loader *l, const struct onward_json *v,
                         enum onward_json_type type)
{
    if (v->type == type)
        return 0;
    return onward_ruleset__fail(l, v, type_name(v->type), type_name(type));
}

/* ---- Members ----------------------------------------------------------- */

static bool is_listed(const char *const *list, struct onward_str key)
{
    for (; *list != NULL; list++) {
        if (onward_core__str_eq(onward_str_of(*list), key))
            return true;
    }
    return false;
}

static int refuse_key(struct loader *l, const struct onward_json *member,
                      const char *const *known)
{
    struct onward_buf list;
    int err;

    onward_core__buf_init(&list, l->ctx, 1024);
    for (size_t i = 0; known[i] != NULL; i++) {
        if (i > 0)
            onward_core__buf_add_text(&list,
                                      known[i + 1] == NULL ? " or " : ", ");
        onward_core__buf_add_text(&list, known[i]);
    }
    err = onward_core__buf_add_byte(&list, '\0');
    if (err == 0)
        err = onward_ruleset__fail(l, member, "unknown key",
                                   (const char *)list.data);
    onward_core__buf_clear(&list);
    return err;
}

int onward_ruleset__check_keys(struct loader *l, const struct onward_json *v,
                               const char *const *known,
                               const char *const *ignored)
{
    int err = onward_ruleset__want(l, v, ONWARD_JSON_OBJECT);

    if (err != 0)
        return err;
    for (const struct onward_json *m = v->first; m != NULL; m = m->next) {
        if (!is_listed(known, m->key) && !is_listed(ignored, m->key))
            return refuse_key(l, m, known);
    }
    return 0;
}

int onward_ruleset__get_bool(struct loader *l, const struct onward_json *v,
                             const char *key, bool *out)
{
    const struct onward_json *m = onward_json__get(v, key);

    if (m == NULL)
        return 0;
    if (m->type != ONWARD_JSON_TRUE && m->type != ONWARD_JSON_FALSE)
        return onward_ruleset__fail(l, m, type_name(m->type), "true or false");
    *out = m->type == ONWARD_JSON_TRUE;
    return 0;
}

int onward_ruleset__get_string(struct loader *l, const struct onward_json *v,
                               const char *key, struct onward_str *out)
{
    const struct onward_json *m = onward_json__get(v, key);
    int err;

    if (m == NULL)
        return 0;
    err = onward_ruleset__want(l, m, ONWARD_JSON_STRING);
    if (err == 0)
        *out = m->text;
    return err;
}

int onward_ruleset__require(struct loader *l, const struct onward_json *v,
                            const char *key, enum onward_json_type type,
                            const struct onward_json **out)
{
    const struct onward_json *m = onward_json__get(v, key);
    struct onward_buf found;
    int err;

    if (m != NULL) {
        *out = m;
        return onward_ruleset__want(l, m, type);
    }
    onward_core__buf_init(&found, l->ctx, 128);
    onward_core__buf_add_text(&found, "no key \"");
    onward_core__buf_add_text(&found, key);
    onward_core__buf_add_byte(&found, '"');
    err = onward_core__buf_add_byte(&found, '\0');
    if (err == 0)
        err = onward_ruleset__fail(l, v, (const char *)found.data,
                                   type_name(type));
    onward_core__buf_clear(&found);
    return err;
}

int onward_ruleset__unwrap(struct loader *l, const struct onward_json *v,
                           const struct onward_json **out)
{
    static const char *const known[] = {"success", "errors",      "messages",
                                        "result",  "result_info", NULL};
    static const char *const ignored[] = {NULL};
    const struct onward_json *success = onward_json__get(v, "success");
    int err;

    *out = v;
    if (success == NULL || onward_json__get(v, "result") == NULL)
        return 0;
    err = onward_ruleset__check_keys(l, v, known, ignored);
    if (err != 0)
        return err;
    *out = onward_json__get(v, "result");
    /* What a failed request returned is not what the account holds. */
    return onward_ruleset__want(l, success, ONWARD_JSON_TRUE);
}

/* ---- Addresses --------------------------------------------------------- */

int onward_ruleset__mailbox(struct loader *l, const struct onward_json *v,
                            struct onward_address__mailbox *mailbox)
{
    const struct onward_str expected = onward_core__str("expected ", 9);
    struct onward_address__fault fault = {.what = "not an address"};
    int err = onward_ruleset__want(l, v, ONWARD_JSON_STRING);

    if (err != 0)
        return err;
    err = onward_address__parse_mailbox(
        &l->draft.arena, v->text, ONWARD_ADDRESS_ALLOW_UTF8, mailbox, &fault);
    if (err == 0 || err == ONWARD_ENOMEM)
        return err;
    /* The parser says what it missed, or what it found. */
    if (onward_core__str_starts(onward_str_of(fault.what), expected))
        return onward_ruleset__fail(l, v, "not an address",
                                    fault.what + expected.len);
    return onward_ruleset__fail(l, v, fault.what, "an address");
}

int onward_ruleset__read_destination(struct loader *l,
                                     const struct onward_json *v,
                                     struct onward_str *out)
{
    struct onward_address__mailbox mailbox;
    struct onward_buf text;
    int err = onward_ruleset__mailbox(l, v, &mailbox);

    if (err != 0)
        return err;
    if (mailbox.domain_ascii.len == 0)
        return onward_ruleset__fail(l, v, "an address literal",
                                    "an address with a domain");
    onward_core__buf_init(&text, l->ctx, 1024);
    err = onward_address__write(&text, &mailbox, ONWARD_ADDRESS_ASCII);
    if (err == 0)
        err = onward_core__arena_dup(&l->draft.arena,
                                     onward_core__buf_str(&text), out);
    onward_core__buf_clear(&text);
    return err;
}

int onward_ruleset__read_domain(struct loader *l, const struct onward_json *v,
                                struct onward_str text, struct onward_str *out)
{
    int err = onward_core__domain_to_ascii(&l->draft.arena, text, out);

    if (err == ONWARD_ESYNTAX ||
        (err == 0 && (out->len == 0 || out->len > ONWARD_DOMAIN_MAX)))
        return onward_ruleset__fail(l, v, "not a domain", "a domain name");
    return err;
}

bool onward_ruleset__is_line(struct onward_str s, size_t max)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < ' ' || s.data[i] > '~')
            return false;
    }
    return s.len > 0 && s.len <= max;
}
