/*
 * From the rules that match to the decision: their actions, whether these can
 * be done, and what is said while it is not known which rules match.
 */
#include "ruleset/route_priv.h"
#include "ruleset/template_priv.h"

/* ---- Refusals ---------------------------------------------------------- */

void onward_ruleset__refuse(struct onward_ruleset__route *r,
                            enum onward_ruleset_reason reason, int code,
                            struct onward_str enhanced, struct onward_str text)
{
    struct onward_ruleset_decision *out = r->out;

    out->kind = ONWARD_RULESET_REJECT;
    out->reason = (int32_t)reason;
    out->reply_code = code;
    out->reply_enhanced = enhanced;
    out->reply_text = text;
    out->destination_count = 0;
    out->destinations = NULL;
    out->handler = (struct onward_str){0};
    out->actions = NULL;
    out->action_count = 0;
    out->group = 0;
    r->first = NULL;
    r->is_over = true;
    r->is_unknown = false;
}

/* While some rule is not known to match: a temporary refusal that may come is
 * said rather than a permanent one. */
static void may_refuse(struct onward_ruleset__route *r, int code,
                       struct onward_str enhanced, struct onward_str text)
{
    if (r->has_refusal && (r->refusal_code < 500 || code >= 500))
        return;
    r->has_refusal = true;
    r->refusal_code = code;
    r->refusal_enhanced = enhanced;
    r->refusal_text = text;
}

/* ---- Destinations ------------------------------------------------------ */

/* 1 verified, 0 not, negative: cannot be told now. */
static int ask_verified(struct onward_ruleset__route *r, unsigned flags,
                        struct onward_str text)
{
    int word = 0;

    if (r->facts->destination != NULL)
        word = r->facts->destination(r->facts->user, text.data, text.len);
    if (word < 0)
        return word;
    if (word != 0)
        return word == 1;
    if ((flags & ONWARD_RULESET__DESTINATION_TEMPLATE) != 0)
        return onward_ruleset__image_address(r->rs->image, text) ==
               ONWARD_RULESET_STATE_VERIFIED;
    return (flags & ONWARD_RULESET__DESTINATION_VERIFIED) != 0;
}

static void mix(struct onward_ruleset__route *r, uint64_t value)
{
    r->group = (r->group ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    r->group ^= r->group >> 29;
}

/* What the domain has in front of the zone's name, without the dot. */
static struct onward_str sub_of(const struct onward_ruleset__route *r)
{
    size_t more = r->to->domain_ascii.len - r->zone.name.len;

    return onward_core__sub(r->to->domain_ascii, 0, more > 0 ? more - 1 : 0);
}

/* Its domain in lower-case A-labels, as destinations are compared. */
static int normalize(struct onward_ruleset__route *r, struct onward_str *text)
{
    struct onward_address__mailbox mailbox;
    struct onward_buf out;
    int err = onward_address__parse_mailbox(
        &r->router->arena, *text, ONWARD_ADDRESS_ALLOW_UTF8, &mailbox, NULL);

    if (err != 0 || mailbox.domain_ascii.len == 0)
        return err != 0 ? err : ONWARD_ESYNTAX;
    onward_core__buf_init(&out, r->router->ctx, 1024);
    err = onward_address__write(&out, &mailbox, ONWARD_ADDRESS_ASCII);
    if (err == 0)
        err = onward_core__arena_dup(&r->router->arena,
                                     onward_core__buf_str(&out), text);
    onward_core__buf_clear(&out);
    return err;
}

/* *text becomes what the template makes of this recipient. 1, or 0: refused. */
static int expand(struct onward_ruleset__route *r,
                  const struct onward_ruleset__rule *rule,
                  struct onward_str *text)
{
    struct onward_str values[ONWARD_RULESET__VALUE_COUNT] = {{0}};
    struct onward_str local_part = r->to->local_part;
    int err;

    values[ONWARD_RULESET__LOCAL] = local_part;
    values[ONWARD_RULESET__USER] = r->base.len > 0 ? r->base : local_part;
    if (r->base.len > 0)
        values[ONWARD_RULESET__TAG] =
            onward_core__sub(local_part, r->base.len + 1, local_part.len);
    values[ONWARD_RULESET__DOMAIN] = r->to->domain_ascii;
    values[ONWARD_RULESET__SUB] = sub_of(r);
    for (size_t i = 0; i < r->capture_count; i++)
        values[ONWARD_RULESET__CAPTURE + i] = r->captures[i];
    err = onward_ruleset__template_expand(*text, values, &r->router->arena,
                                          text);
    if (err == 0)
        err = normalize(r, text);
    if (err == ONWARD_ENOMEM)
        return err;
    if (err == 0) {
        mix(r, onward_core__siphash(r->rs->image->key, text->data, text->len));
        return 1;
    }
    onward_ruleset__tell(r, rule, "no-destination", (struct onward_str){0});
    onward_ruleset__refuse(
        r, ONWARD_RULESET_NO_DESTINATION, 550, ONWARD_STR("5.1.1"),
        ONWARD_STR("No destination can be made of this address"));
    return 0;
}

/* The texts of a forward. 1: all are there and verified; 0: refused. */
static int read_destinations(struct onward_ruleset__route *r,
                             const struct onward_ruleset__rule *rule,
                             struct onward_ruleset__deed *deed,
                             struct onward_ruleset_action *action)
{
    struct onward_str *list = onward_core__arena_array(
        &r->router->arena, deed->destination_count, sizeof(*list));

    if (list == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < deed->destination_count; i++) {
        unsigned flags = onward_ruleset__read_u8(&deed->destinations);
        int word;

        list[i] = onward_ruleset__read_str(&deed->destinations);
        if ((flags & ONWARD_RULESET__DESTINATION_TEMPLATE) != 0) {
            word = expand(r, rule, &list[i]);
            if (word != 1)
                return word;
        }
        word = ask_verified(r, flags, list[i]);
        /* All destinations or none: a part of them would look delivered while
         * a copy is missing. */
        if (word == 1)
            continue;
        onward_ruleset__tell(r, rule, word < 0 ? "not-now" : "not-verified",
                             list[i]);
        if (word < 0)
            onward_ruleset__refuse(
                r, ONWARD_RULESET_NOT_NOW, 451, ONWARD_STR("4.3.0"),
                ONWARD_STR("Destination cannot be checked now"));
        else
            onward_ruleset__refuse(
                r, ONWARD_RULESET_NOT_VERIFIED, 550, ONWARD_STR("5.2.1"),
                ONWARD_STR("Destination of this address is not verified"));
        return 0;
    }
    action->destinations = list;
    action->destination_count = deed->destination_count;
    return 1;
}

/* ---- Actions ----------------------------------------------------------- */

/* What goes on the wire or into a header is looked at again: an image may be
 * damaged. */
static bool is_sound(const struct onward_ruleset__deed *deed)
{
    switch (deed->kind) {
    case ONWARD_RULESET_REJECT:
        return onward_ruleset__is_line(deed->text, 400) &&
               onward_ruleset__is_line(deed->enhanced, 9);
    case ONWARD_RULESET_ADD_FIELD:
        return onward_ruleset__is_line(deed->name, 100) &&
               onward_ruleset__is_line(deed->value, 400);
    case ONWARD_RULESET_FORWARD:
    case ONWARD_RULESET_DROP:
    case ONWARD_RULESET_HANDLER:
    case ONWARD_RULESET_FAILOVER:
    case ONWARD_RULESET_QUARANTINE:
    case ONWARD_RULESET_WEBHOOK:
    case ONWARD_RULESET_NEED_MESSAGE:
    case ONWARD_RULESET_TAG:
        break;
    }
    return true;
}

static void add(struct onward_ruleset__route *r,
                struct onward_ruleset_action *action)
{
    if (r->first == NULL)
        r->first = action;
    else
        *r->last = action;
    /* The list is handed out to be read only; while it grows it is ours. */
    r->last = (struct onward_ruleset_action **)(uintptr_t)&action->next;
    r->out->action_count++;
}

/* 1 taken, 0 refused. */
static int add_action(struct onward_ruleset__route *r,
                      const struct onward_ruleset__rule *rule,
                      struct onward_ruleset__deed *deed)
{
    struct onward_ruleset_action *a =
        onward_core__arena_alloc(&r->router->arena, sizeof(*a));
    int ret = 1;

    if (a == NULL)
        return ONWARD_ENOMEM;
    if (!is_sound(deed))
        return ONWARD_ELIMIT;
    a->size = sizeof(*a);
    a->rule = rule->index;
    a->rule_name = rule->name;
    a->kind = (int32_t)deed->kind;
    a->name = deed->name;
    a->value = deed->value;
    a->reply_code = deed->code;
    a->reply_enhanced = deed->enhanced;
    a->reply_text = deed->text;
    if (deed->destination_count > 0)
        ret = read_destinations(r, rule, deed, a);
    /* No mail is refused and taken: a refusal stands alone. */
    if (ret == 1 && deed->kind == ONWARD_RULESET_REJECT) {
        r->first = NULL;
        r->out->action_count = 0;
        r->is_over = true;
    }
    if (ret == 1)
        add(r, a);
    return ret;
}

/* The decision is this rule's. */
static void note(struct onward_ruleset__route *r,
                 const struct onward_ruleset__rule *rule,
                 enum onward_ruleset_match match)
{
    r->out->rule = rule->index;
    r->out->rule_name = rule->name;
    r->out->match = (int32_t)match;
}

/* "drop" beside what keeps the mail says nothing. */
static const struct onward_ruleset_action *
first_deciding(const struct onward_ruleset__route *r)
{
    const struct onward_ruleset_action *drop = NULL;

    for (const struct onward_ruleset_action *a = r->first; a != NULL;
         a = a->next) {
        if (a->kind == ONWARD_RULESET_DROP)
            drop = drop == NULL ? a : drop;
        else if (onward_ruleset__decides((enum onward_ruleset_kind)a->kind))
            return a;
    }
    return drop;
}

static int take_actions(struct onward_ruleset__route *r,
                        const struct onward_ruleset__rule *rule,
                        enum onward_ruleset_match match)
{
    const struct onward_ruleset_action *before = first_deciding(r);
    struct onward_ruleset__body body;
    struct onward_ruleset__deed deed;
    int ret;

    if (before == NULL)
        note(r, rule, match);

    onward_ruleset__body_open(&body, &r->zone, rule);
    while ((ret = onward_ruleset__body_next(&body, &deed)) == 1) {
        ret = add_action(r, rule, &deed);
        if (ret == 0) /* refused, by this rule */
            note(r, rule, match);
        if (ret != 1)
            return ret;
    }
    if (first_deciding(r) != before)
        note(r, rule, match);
    /* Bodies are there once, so where one is says what it is. */
    mix(r, (uint64_t)(uintptr_t)rule->body);
    return ret;
}

/* Could the mail be taken by this rule, and how is it refused if not? */
static int weigh(struct onward_ruleset__route *r,
                 const struct onward_ruleset__rule *rule)
{
    struct onward_ruleset__body body;
    struct onward_ruleset__deed deed;
    int ret;

    onward_ruleset__body_open(&body, &r->zone, rule);
    while ((ret = onward_ruleset__body_next(&body, &deed)) == 1) {
        if (!is_sound(&deed))
            return ONWARD_ELIMIT;
        if (deed.kind == ONWARD_RULESET_REJECT)
            may_refuse(r, deed.code, deed.enhanced, deed.text);
        else if (onward_ruleset__decides(deed.kind))
            r->may_accept = true;
    }
    mix(r, (uint64_t)(uintptr_t)rule->at);
    return ret;
}

/* A condition on the address may have come out differently for another
 * recipient, in ways that the missing facts do not show. */
static void mix_address(struct onward_ruleset__route *r)
{
    struct onward_str local_part = r->to->local_part;

    mix(r, onward_core__siphash(r->rs->image->key, local_part.data,
                                local_part.len));
    mix(r, r->domain);
}

int onward_ruleset__take_unknown(struct onward_ruleset__route *r,
                                 const struct onward_ruleset__rule *rule)
{
    r->is_unknown = true;
    if ((rule->flags & ONWARD_RULESET__RULE_USES_TO) != 0)
        mix_address(r);
    return weigh(r, rule);
}

int onward_ruleset__take(struct onward_ruleset__route *r,
                         const struct onward_ruleset__rule *rule,
                         enum onward_ruleset_match match)
{
    int ret;

    ret = r->is_unknown ? weigh(r, rule) : take_actions(r, rule, match);
    if ((rule->flags & ONWARD_RULESET__RULE_GOES_ON) == 0)
        r->is_over = true;
    return ret;
}

/* ---- The end ----------------------------------------------------------- */

/* Mixing loses nothing of one body, which is what most decisions are. */
static uint64_t group_of(const struct onward_ruleset__route *r)
{
    return r->group == 0 ? 1 : r->group;
}

static void need_message(struct onward_ruleset__route *r)
{
    struct onward_ruleset_decision *out = r->out;

    /* What was taken before the first unknown rule may still stand. */
    if (first_deciding(r) != NULL)
        r->may_accept = true;
    if (!r->is_over)
        may_refuse(r, 550, ONWARD_STR("5.1.1"), ONWARD_STR("No such address"));
    if (!r->may_accept) {
        onward_ruleset__refuse(r, ONWARD_RULESET_RULE, r->refusal_code,
                               r->refusal_enhanced, r->refusal_text);
        return;
    }
    out->kind = ONWARD_RULESET_NEED_MESSAGE;
    out->reason = ONWARD_RULESET_UNKNOWN;
    out->rule = ONWARD_RULESET_NO_RULE;
    out->rule_name = (struct onward_str){0};
    out->match = ONWARD_RULESET_MATCH_NONE;
    out->action_count = 0;
    mix(r, (uint64_t)(uintptr_t)r->zone.data);
    out->group = group_of(r);
}

int onward_ruleset__conclude(struct onward_ruleset__route *r)
{
    struct onward_ruleset_decision *out = r->out;
    const struct onward_ruleset_action *a;

    if (out->kind == ONWARD_RULESET_REJECT)
        return 0; /* refused on the way */
    if (r->is_unknown) {
        need_message(r);
        return 0;
    }
    a = first_deciding(r);
    if (a == NULL) {
        onward_ruleset__tell(r, NULL, "no-address", (struct onward_str){0});
        out->rule = ONWARD_RULESET_NO_RULE;
        out->rule_name = (struct onward_str){0};
        out->match = ONWARD_RULESET_MATCH_NONE;
        onward_ruleset__refuse(r, ONWARD_RULESET_NO_ADDRESS, 550,
                               ONWARD_STR("5.1.1"),
                               ONWARD_STR("No such address"));
        return 0;
    }
    out->kind = a->kind;
    out->reason = ONWARD_RULESET_RULE;
    out->destination_count = a->destination_count;
    out->destinations = a->destinations;
    if (a->kind == ONWARD_RULESET_HANDLER)
        out->handler = a->name;
    out->reply_code = a->reply_code;
    out->reply_enhanced = a->reply_enhanced;
    out->reply_text = a->reply_text;
    out->actions = r->first;
    if (a->kind != ONWARD_RULESET_REJECT)
        out->group = group_of(r);
    return 0;
}
