/*
 * The actions of a rule, as the body that all rules with the same ones share.
 */
#include "ruleset/ruleset_priv.h"
#include "ruleset/template_priv.h"

enum { DESTINATIONS_MAX = 100, LINE_MAX_LEN = 400, FIELD_NAME_MAX = 100 };

static const char *const nothing[] = {NULL};

/* What the actions of one rule come to. */
struct reading {
    struct loader *l;
    const struct onward_ruleset__matchers *m;
    struct onward_buf *body;
    size_t count; /* of actions in the body */
    size_t deciding;
    bool is_final; /* one of them is to be the only one */
    bool goes_on;
};

/* ---- Parts ------------------------------------------------------------- */

/* The array "value", with its number of items. */
static int get_values(struct loader *l, const struct onward_json *v,
                      const struct onward_json **values)
{
    static const char *const known[] = {"type", "value", "comment", NULL};
    int err = onward_ruleset__check_keys(l, v, known, nothing);

    if (err != 0)
        return err;
    return onward_ruleset__require(l, v, "value", ONWARD_JSON_ARRAY, values);
}

static void begin(struct reading *r, enum onward_ruleset_kind kind)
{
    onward_core__buf_add_byte(r->body, (unsigned char)kind);
    r->count++;
}

/* "value" as a text, or as an array with one. */
static int get_name(struct reading *r, const struct onward_json *v,
                    const char *what, struct onward_str *name)
{
    const struct onward_json *m = onward_json__get(v, "value");
    int err;

    if (m != NULL && m->type == ONWARD_JSON_STRING) {
        static const char *const known[] = {"type", "value", "comment", NULL};

        err = onward_ruleset__check_keys(r->l, v, known, nothing);
    } else {
        err = get_values(r->l, v, &m);
        if (err == 0 && m->count != 1)
            err = onward_ruleset__fail(r->l, m, "not one item", what);
        if (err == 0) {
            m = m->first;
            err = onward_ruleset__want(r->l, m, ONWARD_JSON_STRING);
        }
    }
    if (err == 0 && m->text.len == 0)
        err = onward_ruleset__fail(r->l, m, "an empty string", what);
    if (err == 0)
        *name = m->text;
    return err;
}

/* ---- Forwarding -------------------------------------------------------- */

/* An address, or a template of one. */
static int read_target(struct reading *r, const struct onward_json *v,
                       unsigned *flags, struct onward_str *out)
{
    struct onward_ruleset__template_fault fault = {0};
    struct onward_buf made;
    int err = onward_ruleset__want(r->l, v, ONWARD_JSON_STRING);

    *flags = 0;
    if (err != 0 || !onward_ruleset__is_template(v->text))
        return err != 0 ? err : onward_ruleset__read_destination(r->l, v, out);
    *flags = ONWARD_RULESET__DESTINATION_TEMPLATE;
    onward_core__buf_init(&made, r->l->ctx,
                          ONWARD_RULESET__TEMPLATE_BYTES_MAX);
    err = onward_ruleset__template_compile(&made, v->text, &fault);
    if (err == ONWARD_ESYNTAX || err == ONWARD_ELIMIT)
        err = onward_ruleset__fail(r->l, v, fault.what, NULL);
    else if (err == 0 && onward_ruleset__template_captures(
                             onward_core__buf_str(&made)) >
                             r->m->capture_count)
        err = onward_ruleset__fail(r->l, v, "a capture that is not there",
                                   "those of the rule's first glob or regex on "
                                   "to");
    if (err == 0)
        err = onward_core__arena_dup(&r->l->draft.arena,
                                     onward_core__buf_str(&made), out);
    onward_core__buf_clear(&made);
    return err;
}

static int read_targets(struct reading *r, const struct onward_json *values)
{
    struct onward_str *seen = onward_core__arena_array(
        &r->l->draft.arena, values->count, sizeof(*seen));
    size_t count = 0;

    if (seen == NULL)
        return ONWARD_ENOMEM;
    onward_ruleset__put_number(r->body, values->count);
    for (const struct onward_json *m = values->first; m != NULL; m = m->next) {
        unsigned flags;
        int err = read_target(r, m, &flags, &seen[count]);

        if (err != 0)
            return err;
        for (size_t i = 0; i < count; i++) {
            if (onward_core__str_eq(seen[i], seen[count]))
                return onward_ruleset__fail(r->l, m,
                                            "an address for the second time",
                                            "each once");
        }
        onward_core__buf_add_byte(r->body, (unsigned char)flags);
        onward_ruleset__put_str(r->body, seen[count++]);
    }
    return 0;
}

static int read_forwarding(struct reading *r, const struct onward_json *v,
                           enum onward_ruleset_kind kind)
{
    const struct onward_json *values;
    int err = get_values(r->l, v, &values);

    if (err != 0)
        return err;
    if (values->count == 0)
        return onward_ruleset__fail(r->l, values, "an empty array",
                                    "one address or more");
    if (values->count > DESTINATIONS_MAX)
        return onward_ruleset__fail(r->l, values, "too many addresses",
                                    "100 at most");
    begin(r, kind);
    r->deciding++;
    return read_targets(r, values);
}

static int read_forward(struct reading *r, const struct onward_json *v)
{
    return read_forwarding(r, v, ONWARD_RULESET_FORWARD);
}

static int read_failover(struct reading *r, const struct onward_json *v)
{
    return read_forwarding(r, v, ONWARD_RULESET_FAILOVER);
}

/* ---- By name ----------------------------------------------------------- */

static int read_named(struct reading *r, const struct onward_json *v,
                      enum onward_ruleset_kind kind, const char *what)
{
    struct onward_str name;
    int err = get_name(r, v, what, &name);

    if (err != 0)
        return err;
    begin(r, kind);
    onward_ruleset__put_str(r->body, name);
    r->deciding += onward_ruleset__decides(kind);
    return 0;
}

static int read_handler(struct reading *r, const struct onward_json *v)
{
    return read_named(r, v, ONWARD_RULESET_HANDLER, "the name of one handler");
}

static int read_webhook(struct reading *r, const struct onward_json *v)
{
    return read_named(r, v, ONWARD_RULESET_WEBHOOK, "the name of one webhook");
}

static int read_tag(struct reading *r, const struct onward_json *v)
{
    return read_named(r, v, ONWARD_RULESET_TAG, "one tag");
}

static int read_quarantine(struct reading *r, const struct onward_json *v)
{
    static const char *const known[] = {"type", "comment", NULL};
    int err;

    if (onward_json__get(v, "value") != NULL)
        return read_named(r, v, ONWARD_RULESET_QUARANTINE, "the name of one "
                                                           "place");
    err = onward_ruleset__check_keys(r->l, v, known, nothing);
    begin(r, ONWARD_RULESET_QUARANTINE);
    onward_ruleset__put_str(r->body, (struct onward_str){0});
    r->deciding++;
    return err;
}

/* ---- Fields ------------------------------------------------------------ */

/* X-* alone: what stands for the message, or for who vouches for it, is not for
 * rules to say. */
static bool is_field_name(struct onward_str s)
{
    if (s.len < 3 || s.len > FIELD_NAME_MAX ||
        !onward_core__str_istarts(s, ONWARD_STR("X-")))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

static int read_add_field(struct reading *r, const struct onward_json *v)
{
    static const char *const known[] = {"type", "name", "value", "comment",
                                        NULL};
    const struct onward_json *name = NULL;
    const struct onward_json *value = NULL;
    int err = onward_ruleset__check_keys(r->l, v, known, nothing);

    if (err == 0)
        err =
            onward_ruleset__require(r->l, v, "name", ONWARD_JSON_STRING, &name);
    if (err == 0)
        err = onward_ruleset__require(r->l, v, "value", ONWARD_JSON_STRING,
                                      &value);
    if (err != 0)
        return err;
    if (!is_field_name(name->text))
        return onward_ruleset__fail(r->l, name, "a field that rules cannot add",
                                    "a name of letters, digits, - and _ that "
                                    "begins with X-");
    if (!onward_ruleset__is_line(value->text, LINE_MAX_LEN))
        return onward_ruleset__fail(r->l, value, "text that no field can hold",
                                    "1 to 400 printable ASCII characters");
    begin(r, ONWARD_RULESET_ADD_FIELD);
    onward_ruleset__put_str(r->body, name->text);
    onward_ruleset__put_str(r->body, value->text);
    return 0;
}

/* ---- Drop, reject, defer ----------------------------------------------- */

static int read_drop(struct reading *r, const struct onward_json *v)
{
    static const char *const known[] = {"type", "value", "comment", NULL};
    const struct onward_json *value = onward_json__get(v, "value");
    int err = onward_ruleset__check_keys(r->l, v, known, nothing);

    if (err != 0)
        return err;
    if (value != NULL && value->type != ONWARD_JSON_NULL && value->count != 0)
        return onward_ruleset__fail(r->l, value, "a value",
                                    "none for the action drop");
    if (value != NULL && value->type != ONWARD_JSON_NULL) {
        err = onward_ruleset__want(r->l, value, ONWARD_JSON_ARRAY);
        if (err != 0)
            return err;
    }
    begin(r, ONWARD_RULESET_DROP);
    r->deciding++;
    r->is_final = true;
    return 0;
}

/* class "." subject "." detail, of the code's class (RFC 3463 section 2). */
static bool is_enhanced(struct onward_str s, int64_t code)
{
    size_t parts = 0;
    size_t digits = 0;

    if (s.len < 5 || s.data[0] != (char)('0' + code / 100) || s.data[1] != '.')
        return false;
    for (size_t i = 2; i <= s.len; i++) {
        if (i < s.len && onward_ascii_is_digit((unsigned char)s.data[i])) {
            if (++digits > 3)
                return false;
            continue;
        }
        if (digits == 0 || (i < s.len && s.data[i] != '.'))
            return false;
        parts++;
        digits = 0;
    }
    return parts == 2;
}

static int read_code(struct loader *l, const struct onward_json *v,
                     int64_t max, const char *range, int64_t *code)
{
    const struct onward_json *m = onward_json__get(v, "code");
    int64_t value;
    int err;

    if (m == NULL)
        return 0;
    err = onward_ruleset__want(l, m, ONWARD_JSON_NUMBER);
    if (err != 0)
        return err;
    if (onward_json__int(m, &value) != 0 || value < 400 || value > max)
        return onward_ruleset__fail(l, m, "a number outside the range", range);
    *code = value;
    return 0;
}

static int read_reply(struct reading *r, const struct onward_json *v,
                      int64_t code, int64_t max, const char *range,
                      struct onward_str text)
{
    static const char *const known[] = {"type", "code",    "enhanced",
                                        "text", "comment", NULL};
    struct onward_str enhanced;
    struct loader *l = r->l;
    int err = onward_ruleset__check_keys(l, v, known, nothing);

    if (err == 0)
        err = read_code(l, v, max, range, &code);
    if (err != 0)
        return err;
    enhanced = code < 500 ? ONWARD_STR("4.7.1") : ONWARD_STR("5.7.1");
    err = onward_ruleset__get_string(l, v, "enhanced", &enhanced);
    if (err == 0)
        err = onward_ruleset__get_string(l, v, "text", &text);
    if (err != 0)
        return err;
    if (!is_enhanced(enhanced, code))
        return onward_ruleset__fail(l, onward_json__get(v, "enhanced"),
                                    "no enhanced code of that class",
                                    "one like 5.7.1");
    if (!onward_ruleset__is_line(text, LINE_MAX_LEN))
        return onward_ruleset__fail(l, onward_json__get(v, "text"),
                                    "text that no reply can hold",
                                    "1 to 400 printable ASCII characters");
    begin(r, ONWARD_RULESET_REJECT);
    onward_ruleset__put_number(r->body, (uint64_t)code);
    onward_ruleset__put_str(r->body, enhanced);
    onward_ruleset__put_str(r->body, text);
    r->deciding++;
    r->is_final = true;
    return 0;
}

static int read_reject(struct reading *r, const struct onward_json *v)
{
    return read_reply(r, v, 550, 599, "a reply code from 400 to 599",
                      ONWARD_STR("Rejected by the recipient's rules"));
}

static int read_defer(struct reading *r, const struct onward_json *v)
{
    return read_reply(r, v, 451, 499, "a reply code from 400 to 499",
                      ONWARD_STR("Deferred by the recipient's rules"));
}

/* ---- Going on ---------------------------------------------------------- */

static int read_going(struct reading *r, const struct onward_json *v,
                      bool goes_on)
{
    static const char *const known[] = {"type", "comment", NULL};

    r->goes_on = goes_on;
    return onward_ruleset__check_keys(r->l, v, known, nothing);
}

static int read_continue(struct reading *r, const struct onward_json *v)
{
    return read_going(r, v, true);
}

static int read_stop(struct reading *r, const struct onward_json *v)
{
    return read_going(r, v, false);
}

/* ---- All --------------------------------------------------------------- */

static int read_action(struct reading *r, const struct onward_json *v)
{
    static const struct {
        const char *type;
        int (*read)(struct reading *r, const struct onward_json *v);
    } types[] = {
        {"forward", read_forward},   {"worker", read_handler},
        {"handler", read_handler},   {"drop", read_drop},
        {"reject", read_reject},     {"defer", read_defer},
        {"failover", read_failover}, {"quarantine", read_quarantine},
        {"webhook", read_webhook},   {"add_field", read_add_field},
        {"tag", read_tag},           {"continue", read_continue},
        {"stop", read_stop},
    };
    const struct onward_json *type = NULL;
    int err = onward_ruleset__want(r->l, v, ONWARD_JSON_OBJECT);

    if (err == 0)
        err =
            onward_ruleset__require(r->l, v, "type", ONWARD_JSON_STRING, &type);
    if (err != 0)
        return err;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (onward_core__str_eq(type->text, onward_str_of(types[i].type)))
            return types[i].read(r, v);
    }
    return onward_ruleset__fail(
        r->l, type, "unknown action",
        "forward, failover, handler, worker, webhook, drop, reject, defer, "
        "quarantine, add_field, tag, continue or stop");
}

static int read_all(struct reading *r, const struct onward_json *array)
{
    for (const struct onward_json *m = array->first; m != NULL; m = m->next) {
        int err = read_action(r, m);

        if (err != 0)
            return err;
        if (r->is_final && r->deciding > 1)
            return onward_ruleset__fail(
                r->l, m, "a second action that decides",
                "drop, reject and defer without another");
    }
    if (r->deciding == 0 && !r->goes_on)
        return onward_ruleset__fail(r->l, array, "actions that decide nothing",
                                    "continue, or an action that does");
    return 0;
}

/* The number of actions comes first, and is known last. */
static int keep_body(struct reading *r)
{
    struct onward_buf whole;
    int err;

    onward_core__buf_init(&whole, r->l->ctx, SIZE_MAX);
    onward_ruleset__put_number(&whole, r->count);
    err = onward_core__buf_add_str(&whole, onward_core__buf_str(r->body));
    if (err == 0) {
        r->m->rule->body = onward_ruleset__draft_body(
            &r->l->draft, onward_core__buf_str(&whole));
        err = r->m->rule->body == NULL ? ONWARD_ENOMEM : 0;
    }
    onward_core__buf_clear(&whole);
    if (r->goes_on)
        r->m->rule->flags |= ONWARD_RULESET__RULE_GOES_ON;
    return err;
}

int onward_ruleset__read_actions(struct loader *l, const struct onward_json *v,
                                 const struct onward_ruleset__matchers *m)
{
    bool is_all = (l->draft.flags & ONWARD_RULESET__ZONE_ALL) != 0;
    const struct onward_json *array = NULL;
    struct onward_buf body;
    struct reading r = {.l = l, .m = m, .body = &body, .goes_on = is_all};
    int err =
        onward_ruleset__require(l, v, "actions", ONWARD_JSON_ARRAY, &array);

    if (err != 0)
        return err;
    if (array->count == 0)
        return onward_ruleset__fail(l, array, "an empty array",
                                    "one action or more");
    onward_core__buf_init(&body, l->ctx, SIZE_MAX);
    err = read_all(&r, array);
    if (err == 0)
        err = body.err;
    if (err == 0)
        err = keep_body(&r);
    onward_core__buf_clear(&body);
    return err;
}
