#include "ruleset/rules.h"

#include <strings.h>

struct onward_ruleset *rules_load(struct onward_ctx *ctx, const char *text)
{
    struct onward_ruleset_fault fault = {.size = sizeof(fault)};
    struct onward_ruleset *rs = NULL;
    int ret = onward_ruleset_new(ctx, onward_str_of(text), NULL, &fault, &rs);

    if (ret != 0)
        print_error("%zu: %s: %s\n", fault.line, fault.path, fault.text);
    assert_int_equal(ret, 0);
    return rs;
}

/* ---- Facts ------------------------------------------------------------- */

static int absent(const struct rules_facts *f)
{
    return f->is_whole ? 0 : ONWARD_AGAIN;
}

/* Item number index of "a|b|c" that begins with prefix; 0: none. */
static int item(const char *list, const char *prefix, size_t prefix_len,
                size_t index, struct onward_str *out)
{
    while (*list != '\0') {
        size_t len = strcspn(list, "|");

        if (strncasecmp(list, prefix, prefix_len) == 0 && index-- == 0) {
            *out = (struct onward_str){list + prefix_len, len - prefix_len};
            return 1;
        }
        list += len + (list[len] == '|');
    }
    return 0;
}

static int text(void *user, size_t fact, const char *name, size_t name_len,
                size_t index, struct onward_str *out)
{
    struct rules_facts *f = user;
    char prefix[128];
    const char *list;

    if (f->failing != 0)
        return f->failing;
    switch (fact) {
    case ONWARD_RULESET_FACT_SENDER:
        if (f->sender == NULL)
            return absent(f);
        *out = onward_str_of(f->sender);
        return index == 0;
    case ONWARD_RULESET_FACT_HEADER:
        list = f->header;
        snprintf(prefix, sizeof(prefix), "%.*s: ", (int)name_len, name);
        break;
    case ONWARD_RULESET_FACT_VERDICT:
        list = f->auth;
        snprintf(prefix, sizeof(prefix), "%.*s=", (int)name_len, name);
        break;
    case ONWARD_RULESET_FACT_ATTACHMENT_NAME:
        list = f->names;
        prefix[0] = '\0';
        break;
    default:
        assert_int_equal(fact, ONWARD_RULESET_FACT_ATTACHMENT_TYPE);
        list = f->types;
        prefix[0] = '\0';
    }
    return list == NULL ? absent(f)
                        : item(list, prefix, strlen(prefix), index, out);
}

static int number(void *user, size_t fact, int64_t *out)
{
    struct rules_facts *f = user;
    int64_t value = fact == ONWARD_RULESET_FACT_SIZE    ? f->size
                    : fact == ONWARD_RULESET_FACT_SCORE ? f->score
                                                        : f->tls;

    if (f->failing != 0)
        return f->failing;
    if (value == -1)
        return absent(f);
    *out = value;
    return 1;
}

static int client(void *user, struct onward_ip *out)
{
    struct rules_facts *f = user;

    if (f->failing != 0)
        return f->failing;
    if (f->client == NULL)
        return absent(f);
    assert_int_equal(onward_ip_parse(onward_str_of(f->client), out), 0);
    return 1;
}

struct onward_ruleset_facts rules_facts(struct rules_facts *f)
{
    return (struct onward_ruleset_facts){.size = sizeof(
                                             struct onward_ruleset_facts),
                                         .user = f,
                                         .text = text,
                                         .number = number,
                                         .client = client};
}

/* ---- Decisions --------------------------------------------------------- */

static size_t put(char *out, size_t cap, size_t len, const char *before,
                  struct onward_str s)
{
    int more = snprintf(out + len, cap - len, "%s%.*s", before, (int)s.len,
                        s.data == NULL ? "" : s.data);

    return len + (size_t)more;
}

static size_t put_action(char *out, size_t cap, size_t len,
                         const struct onward_ruleset_action *a)
{
    char code[16];

    for (size_t i = 0; i < a->destination_count; i++)
        len = put(out, cap, len, " ", a->destinations[i]);
    if (a->name.len > 0)
        len = put(out, cap, len, " ", a->name);
    if (a->value.len > 0)
        len = put(out, cap, len, ": ", a->value);
    if (a->kind == ONWARD_RULESET_REJECT) {
        snprintf(code, sizeof(code), " %d ", (int)a->reply_code);
        len = put(out, cap, len, code, a->reply_enhanced);
        len = put(out, cap, len, " ", a->reply_text);
    }
    return len;
}

static void print(const struct onward_ruleset_decision *d, char *out,
                  size_t cap)
{
    static const char *const matches[] = {"none", "exact", "base", "catch-all",
                                          "pattern"};
    struct onward_ruleset_action own = {
        .destination_count = d->destination_count,
        .destinations = d->destinations,
        .name = d->handler,
        .reply_enhanced = d->reply_enhanced,
        .reply_text = d->reply_text,
        .kind = d->kind,
        .reply_code = d->reply_code};
    size_t len = 0;
    size_t count = 0;

    len = put(out, cap, len, "", onward_str_of(onward_ruleset_kind_name(d->kind)));
    len = put(out, cap, len, " ",
              onward_str_of(onward_ruleset_reason_name(d->reason)));
    len = put(out, cap, len, " ", onward_str_of(matches[d->match]));
    len = put(out, cap, len, " ", d->zone);
    len = put(out, cap, len, "/", d->rule_name);
    len = put_action(out, cap, len, &own);
    for (const struct onward_ruleset_action *a = d->actions; a != NULL;
         a = a->next) {
        count++;
        if (d->action_count == 1 && a->kind == d->kind &&
            (a->kind != ONWARD_RULESET_QUARANTINE &&
             a->kind != ONWARD_RULESET_WEBHOOK))
            continue;
        len = put(out, cap, len, " + ",
                  onward_str_of(onward_ruleset_kind_name(a->kind)));
        len = put_action(out, cap, len, a);
    }
    assert_int_equal(count, d->action_count);
    assert_true((d->kind == ONWARD_RULESET_REJECT) == (d->group == 0));
}

void rules_decide(struct onward_ctx *ctx, const struct onward_ruleset *rs,
                  const char *to, const struct onward_ruleset_facts *facts,
                  char *out, size_t cap)
{
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_ruleset_router *router;
    struct onward_mailbox *mailbox;
    int ret;

    assert_int_equal(onward_mailbox_parse(ctx, onward_str_of(to),
                                          ONWARD_MAILBOX_ALLOW_UTF8, &mailbox),
                     0);
    assert_int_equal(onward_ruleset_router_new(ctx, &router), 0);
    ret = onward_ruleset_route(rs, router, mailbox, facts, NULL, &d);
    if (ret == 0)
        print(&d, out, cap);
    else
        snprintf(out, cap, "error %d", ret);
    onward_ruleset_router_free(router);
    onward_mailbox_free(mailbox);
}
