#include "handler_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- To the handler ---------------------------------------------------- */

static const char *dkim_word(const struct onward_verifier *v)
{
    struct onward_dkim_signature s = {.size = sizeof(s)};
    const char *first = "none";

    for (size_t i = 0; onward_verifier_dkim(v, i, &s) == 0; i++) {
        if (s.result == ONWARD_DKIM_PASS)
            return "pass";
        if (i == 0)
            first = onward_dkim_result_name((int)s.result);
    }
    return first;
}

static void put_verdict(struct json *j, const struct onward_verifier *v)
{
    const struct onward_spf_check *spf =
        onward_verifier_spf(v, ONWARD_SPF_MAIL_FROM);
    struct onward_arc_verdict arc = {.size = sizeof(arc)};

    json_open(j, "verdict", '{');
    json_text(j, "spf",
              spf == NULL
                  ? "none"
                  : onward_spf_result_name(onward_spf_check_result(spf)));
    json_text(j, "dkim", dkim_word(v));
    json_text(j, "dmarc",
              onward_dmarc_result_name(onward_verifier_dmarc_result(v)));
    json_text(j, "arc",
              onward_verifier_arc(v, &arc) == 0
                  ? onward_arc_result_name((int)arc.result)
                  : "none");
    json_str_or_null(j, "author_domain", onward_verifier_author_domain(v));
    json_close(j, '}');
}

void handler_write_event(struct json *j, const char *key,
                         struct onward_event *event)
{
    struct onward_str ticket = {0};

    (void)onward_event_ticket(event, &ticket, NULL);
    json_open(j, key, '{');
    json_number(j, "v", 1);
    json_str(j, "handler", onward_event_handler(event));
    json_str(j, "from", onward_event_from(event));
    json_str(j, "to", onward_event_to(event));
    json_number(j, "size", onward_event_source(event)->len);
    json_bool(j, "can_be_forwarded", onward_event_can_be_forwarded(event) == 1);
    json_bool(j, "can_be_replied",
              onward_event_can_be_replied(event, NULL) == 1);
    json_str_or_null(j, "ticket", ticket);
    put_verdict(j, onward_event_verifier(event));
    json_close(j, '}');
}

/* ---- From the handler -------------------------------------------------- */

/* One answer while it is followed. */
struct follow {
    struct onward_ctx *ctx;
    struct onward_event *event;
    const struct onward_binding *binding;
    size_t number; /* of the action */
    struct handler_step *step; /* NULL: one of a list */
    char *why;
    size_t why_size;
};

static int complain(struct follow *f, const char *what, const char *more)
{
    const char *colon = more[0] != '\0' ? ": " : "";

    if (f->step != NULL)
        snprintf(f->why, f->why_size, "%s%s%s", what, colon, more);
    else
        snprintf(f->why, f->why_size, "actions[%zu]: %s%s%s", f->number, what,
                 colon, more);
    return -1;
}

/* What the library says to an action: 1, 0 with a refusal, an error. */
static int judge(struct follow *f, const struct json_value *action, int ret,
                 const struct onward_refusal *refusal, size_t done)
{
    const struct json_value *optional = json_get(action, "optional");
    bool is_optional = optional != NULL && optional->truth;
    char more[400];

    if (f->step != NULL && ret == 0) {
        f->step->is_refused = true;
        f->step->refusal = *refusal;
        return -1;
    }
    if (f->step != NULL && ret == 1) {
        f->step->action = done;
        is_optional = true; /* it is told, and knows what to do */
    }
    if (ret == 1 && is_optional)
        (void)onward_event_forgive(f->event, done);
    if (ret == 1 || (ret == 0 && is_optional))
        return 0;
    if (ret < 0)
        return complain(f, onward_error_name(ret), onward_strerror(ret));
    snprintf(more, sizeof(more), "%s%s%s",
             onward_refusal_text((int)refusal->code),
             refusal->what[0] != '\0' ? ": " : "", refusal->what);
    return complain(f, onward_refusal_name((int)refusal->code), more);
}

/* A member that is a string, or absent: then out stays. */
static int get_text(struct follow *f, const struct json_value *v,
                    const char *key, struct onward_str *out)
{
    const struct json_value *member = json_get(v, key);

    if (member == NULL || member->type == JSON_NULL)
        return 0;
    if (member->type != JSON_STRING)
        return complain(f, key, "expected a string");
    *out = member->text;
    return 0;
}

static int check_keys(struct follow *f, const struct json_value *v,
                      const char *const *keys)
{
    for (const struct json_value *m = v->first; m != NULL; m = m->next) {
        size_t i = 0;

        while (keys[i] != NULL &&
               !onward_str_equal(m->key, onward_str_of(keys[i])))
            i++;
        if (keys[i] == NULL)
            return complain(f, m->key.data, "an unknown member");
    }
    return 0;
}

/* ---- Reject, forward --------------------------------------------------- */

static int do_reject(struct follow *f, const struct json_value *action)
{
    static const char *const keys[] = {"action", "code", "enhanced", "text",
                                       NULL};
    const struct json_value *code = json_get(action, "code");
    struct onward_smtp_reply reply = {.size = sizeof(reply)};

    if (check_keys(f, action, keys) != 0 ||
        get_text(f, action, "enhanced", &reply.enhanced) != 0 ||
        get_text(f, action, "text", &reply.text) != 0)
        return -1;
    if (code != NULL) {
        if (code->type != JSON_NUMBER || !(code->number >= 400) ||
            !(code->number < 600) ||
            code->number != (double)(size_t)code->number)
            return complain(f, "code", "expected 400 to 599");
        reply.code = (size_t)code->number;
    }
    if (onward_event_set_reject(f->event, &reply) != 1)
        return complain(f, "reject", "expected code and enhanced that fit");
    if (f->step != NULL)
        f->step->is_over = true;
    return 0;
}

static int read_fields(struct follow *f, const struct json_value *action,
                       size_t policy, struct onward_field_list **list)
{
    const struct onward_field_list_opts opts = {.size = sizeof(opts),
                                                .policy = policy};
    const struct json_value *fields = json_get(action, "fields");
    struct onward_refusal refusal = {.size = sizeof(refusal)};
    int ret = 1;

    if (fields == NULL || fields->type == JSON_NULL)
        return 0;
    if (fields->type != JSON_OBJECT)
        return complain(f, "fields", "expected an object");
    if (onward_field_list_new(f->ctx, &opts, list) != 0)
        return complain(f, "fields", "no memory");
    for (const struct json_value *m = fields->first; m != NULL && ret == 1;
         m = m->next) {
        if (m->type != JSON_STRING)
            return complain(f, "fields", "expected strings");
        ret = onward_field_list_add(*list, m->key, m->text, &refusal);
    }
    /* A field that may not be is a mistake, whatever the forward is. */
    return ret == 1 ? 0 : judge(f, NULL, ret, &refusal, 0);
}

static int do_forward(struct follow *f, const struct json_value *action)
{
    static const char *const keys[] = {"action", "to", "fields", "optional",
                                       NULL};
    struct onward_refusal refusal = {.size = sizeof(refusal)};
    struct onward_field_list *list = NULL;
    struct onward_str to = {0};
    size_t done = 0;
    int ret = check_keys(f, action, keys);

    if (ret == 0)
        ret = get_text(f, action, "to", &to);
    if (ret == 0)
        ret = read_fields(f, action, ONWARD_FIELD_POLICY_X, &list);
    if (ret == 0) {
        ret = onward_event_forward(f->event, to, list, &done, &refusal);
        ret = judge(f, action, ret, &refusal, done);
    }
    onward_field_list_free(list);
    return ret;
}

/* ---- Reply, send ------------------------------------------------------- */

/* With CRLF at each line's end, as programs print LF. free() it. */
static char *with_crlf(struct onward_str raw, size_t *len)
{
    char *out = malloc(2 * raw.len + 1);
    size_t n = 0;

    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] == '\n' && (i == 0 || raw.data[i - 1] != '\r'))
            out[n++] = '\r';
        out[n++] = raw.data[i];
    }
    *len = n;
    return out;
}

static int add_addresses(struct follow *f, struct onward_builder *b, int role,
                         const struct json_value *v)
{
    const struct onward_str no_name = {0};
    const struct json_value *one = v;
    bool is_list = v != NULL && v->type == JSON_ARRAY;

    if (v == NULL || v->type == JSON_NULL)
        return 0;
    for (one = is_list ? v->first : v; one != NULL;
         one = is_list ? one->next : NULL) {
        struct onward_str address = one->text, name = no_name;

        if (one->type == JSON_OBJECT) {
            address = no_name;
            if (get_text(f, one, "email", &address) != 0 ||
                get_text(f, one, "name", &name) != 0)
                return -1;
        } else if (one->type != JSON_STRING) {
            return complain(f, "message", "expected addresses");
        }
        if (onward_builder_add_address(b, role, name, address) != 0)
            return complain(f, "message", "an address that cannot be written");
    }
    return 0;
}

static int add_texts(struct follow *f, struct onward_builder *b,
                     const struct json_value *m)
{
    static const struct {
        const char *key;
        int (*set)(struct onward_builder *b, struct onward_str text);
    } texts[] = {{"subject", onward_builder_set_subject},
                 {"text", onward_builder_set_text},
                 {"html", onward_builder_set_html}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct onward_str text = {0};

        if (get_text(f, m, texts[i].key, &text) != 0)
            return -1;
        if (text.data != NULL && texts[i].set(b, text) != 0)
            return complain(f, texts[i].key, "cannot be written");
    }
    return 0;
}

/* By the list first, which knows what may be, and in which form. */
static int add_fields(struct follow *f, struct onward_builder *b,
                      const struct json_value *m)
{
    const struct json_value *fields = json_get(m, "fields");
    struct onward_field_list *list = NULL;
    int ret = read_fields(f, m, ONWARD_FIELD_POLICY_SEND, &list);

    for (const struct json_value *v = fields == NULL ? NULL : fields->first;
         v != NULL && ret == 0; v = v->next) {
        if (onward_builder_add_field(b, v->key, v->text) != 0)
            ret = complain(f, "fields", "one that cannot be written");
    }
    onward_field_list_free(list);
    return ret;
}

static int build(struct follow *f, const struct json_value *m,
                 struct onward_builder **builder)
{
    static const char *const keys[] = {"from",     "to",      "cc",   "bcc",
                                       "reply_to", "subject", "text", "html",
                                       "fields",   NULL};
    static const struct {
        const char *key;
        int role;
    } people[] = {{"from", ONWARD_BUILDER_FROM},
                  {"to", ONWARD_BUILDER_TO},
                  {"cc", ONWARD_BUILDER_CC},
                  {"bcc", ONWARD_BUILDER_BCC},
                  {"reply_to", ONWARD_BUILDER_REPLY_TO}};
    int ret;

    if (m->type != JSON_OBJECT)
        return complain(f, "message", "expected an object");
    if (onward_builder_new(f->ctx, NULL, builder) != 0)
        return complain(f, "message", "no memory");
    ret = check_keys(f, m, keys);
    for (size_t i = 0; i < 5 && ret == 0; i++)
        ret = add_addresses(f, *builder, people[i].role,
                            json_get(m, people[i].key));
    if (ret == 0)
        ret = add_texts(f, *builder, m);
    return ret == 0 ? add_fields(f, *builder, m) : ret;
}

static int do_write(struct follow *f, const struct json_value *action,
                    bool is_reply)
{
    static const char *const keys[] = {"action", "raw",      "message", "from",
                                       "to",     "optional", NULL};
    struct onward_event_message m = {.size = sizeof(m)};
    struct onward_refusal refusal = {.size = sizeof(refusal)};
    const struct json_value *message = json_get(action, "message");
    struct onward_str raw = {0};
    char *octets = NULL;
    size_t done = 0;
    int ret = check_keys(f, action, keys);

    if (ret == 0)
        ret = get_text(f, action, "from", &m.from);
    if (ret == 0)
        ret = get_text(f, action, "to", &m.to);
    if (ret == 0)
        ret = get_text(f, action, "raw", &raw);
    if (ret == 0 && (raw.len != 0) == (message != NULL))
        ret = complain(f, "raw, message", "expected one of them");
    if (ret == 0 && message != NULL)
        ret = build(f, message, &m.builder);
    if (ret == 0 && raw.len != 0) {
        octets = with_crlf(raw, &m.data.len);
        m.data.data = octets;
        if (octets == NULL)
            ret = complain(f, "raw", "no memory");
    }
    if (ret == 0) {
        ret = is_reply ? onward_event_reply(f->event, &m, &done, &refusal)
                       : onward_event_send(f->event, f->binding, &m, &done,
                                           &refusal);
        ret = judge(f, action, ret, &refusal, done);
    }
    onward_builder_free(m.builder);
    free(octets);
    return ret;
}

/* ---- All of them ------------------------------------------------------- */

static int do_action(struct follow *f, const struct json_value *action)
{
    struct onward_str word = {0};

    if (action->type != JSON_OBJECT)
        return complain(f, "expected an object", "");
    if (get_text(f, action, "action", &word) != 0)
        return -1;
    if (onward_str_equal(word, ONWARD_STR("reject")))
        return do_reject(f, action);
    if (onward_str_equal(word, ONWARD_STR("forward")))
        return do_forward(f, action);
    if (onward_str_equal(word, ONWARD_STR("reply")))
        return do_write(f, action, true);
    if (onward_str_equal(word, ONWARD_STR("send")))
        return do_write(f, action, false);
    return complain(f, "action", "expected reject, forward, reply or send");
}

int handler_begin_step(struct onward_ctx *ctx, struct onward_event *event,
                       const struct onward_binding *binding,
                       const struct json_value *action,
                       struct handler_step *step, char *why, size_t why_size)
{
    struct follow f = {.ctx = ctx,
                       .event = event,
                       .binding = binding,
                       .step = step,
                       .why = why,
                       .why_size = why_size};

    *step = (struct handler_step){0};
    return do_action(&f, action) == 0 || step->is_refused ? 0 : -1;
}

static void put_refusal(struct json *j, size_t code, const char *what)
{
    json_text(j, "refusal", onward_refusal_name((int)code));
    json_text(j, "text", onward_refusal_text((int)code));
    json_text(j, "what", what);
}

void handler_write_outcome(struct json *j, struct onward_event *event,
                           const struct handler_step *step)
{
    struct onward_event_action a = {.size = sizeof(a)};

    if (step->is_refused) {
        json_text(j, "state", "refused");
        put_refusal(j, step->refusal.code, step->refusal.what);
        return;
    }
    if (step->is_over ||
        onward_event_action_at(event, step->action, &a) != 0) {
        json_text(j, "state", "done");
        return;
    }
    json_text(j, "state",
              a.state == ONWARD_EVENT_DONE     ? "done"
              : a.state == ONWARD_EVENT_BEFORE ? "before"
                                               : "failed");
    json_str_or_null(j, "message_id", a.message_id);
    if (a.state == ONWARD_EVENT_FAILED)
        put_refusal(j, a.refusal, "");
    if (a.reply_code != 0) {
        json_open(j, "reply", '{');
        json_number(j, "code", a.reply_code);
        json_str(j, "enhanced", a.reply_enhanced);
        json_str(j, "text", a.reply_text);
        json_close(j, '}');
    }
}

static int follow_all(struct follow *f, const struct json_value *root)
{
    const struct json_value *actions = json_get(root, "actions");
    const struct json_value *error = json_get(root, "error");

    if (error != NULL && error->type != JSON_NULL) {
        snprintf(f->why, f->why_size, "says: %.*s", (int)error->text.len,
                 error->type == JSON_STRING ? error->text.data : "");
        return -1;
    }
    if (root->type != JSON_OBJECT ||
        (actions != NULL && actions->type != JSON_ARRAY)) {
        snprintf(f->why, f->why_size,
                 "expected an object with \"actions\", a list");
        return -1;
    }
    for (const struct json_value *a = actions == NULL ? NULL : actions->first;
         a != NULL; a = a->next, f->number++) {
        if (do_action(f, a) != 0)
            return -1;
    }
    return 0;
}

int handler_follow(struct onward_ctx *ctx, struct onward_event *event,
                   const struct onward_binding *binding,
                   const struct json_value *answer, char *why, size_t why_size)
{
    struct follow f = {.ctx = ctx,
                       .event = event,
                       .binding = binding,
                       .why = why,
                       .why_size = why_size};

    return follow_all(&f, answer);
}

int handler_apply(struct onward_ctx *ctx, struct onward_event *event,
                  const struct onward_binding *binding, struct onward_str text,
                  char *why, size_t why_size)
{
    struct json_document *d;
    int ret;

    while (text.len > 0 &&
           memchr(" \t\r\n", text.data[text.len - 1], 4) != NULL)
        text.len--;
    if (text.len == 0)
        return 0; /* nothing to do is an answer, too */
    d = json_read(text, why, why_size);
    if (d == NULL)
        return -1;
    ret = handler_follow(ctx, event, binding, json_root(d), why, why_size);
    json_free(d);
    return ret;
}
