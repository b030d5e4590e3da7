/*
 * One evaluation of check_host() (RFC 7208 section 4): a loop over phases, with
 * a frame for the domain and for each include. It never recurses: a peer's
 * includes make frames in the arena, at most max_terms of them.
 */
#include "spf/check_priv.h"

enum { ARENA_BYTES = 512 * 1024, EXPLANATION_MAX = 500 };

_Static_assert(offsetof(struct onward_spf_opts, timeout_ms) + sizeof(size_t) ==
                   sizeof(struct onward_spf_opts),
               "no tail padding");

static bool out_of_memory(struct onward_spf_check *c)
{
    onward_spf__end(c, ONWARD_SPF_TEMPERROR, ONWARD_SPF_REASON_MEMORY);
    return false;
}

static bool ended(struct onward_spf_check *c, enum onward_spf_result result,
                  enum onward_spf_reason reason)
{
    onward_spf__end(c, result, reason);
    return false;
}

/* ---- Records ----------------------------------------------------------- */

static bool fetch_record(struct onward_spf_check *c)
{
    return onward_spf__ask(c, c->frame->domain, ONWARD_DNS_TXT, PHASE_RECORD);
}

/* No record where one was needed: what that means depends on who sent us. */
static bool no_record(struct onward_spf_check *c)
{
    if (c->frame->is_redirected)
        return ended(c, ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_REDIRECT);
    if (c->frame->parent != NULL)
        return ended(c, ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_INCLUDE);
    return ended(c, ONWARD_SPF_NONE, ONWARD_SPF_REASON_NO_RECORD);
}

static bool step_record(struct onward_spf_check *c)
{
    struct onward_spf__question *q = c->question;

    if (!onward_spf__read_policy(c, q))
        return false;
    switch (q->policy) {
    case POLICY_UNREAD:
    case POLICY_NO_MEMORY:
        return out_of_memory(c);
    case POLICY_FAILED:
        return ended(c, ONWARD_SPF_TEMPERROR, ONWARD_SPF_REASON_DNS);
    case POLICY_NONE:
        return no_record(c);
    case POLICY_MANY:
        return ended(c, ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_MANY_RECORDS);
    case POLICY_BROKEN:
        c->mechanism = q->fault;
        return ended(c, ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_SYNTAX);
    case POLICY_READ:
        break;
    }
    c->frame->record = q->record;
    c->frame->term = q->record.first;
    c->phase = PHASE_TERM;
    return true;
}

/* ---- Matching ---------------------------------------------------------- */

static bool next_term(struct onward_spf_check *c)
{
    onward_spf__trace_outcome(c->frame, ONWARD_SPF_OUTCOME_NO_MATCH);
    c->frame->term = c->frame->term->next;
    c->phase = PHASE_TERM;
    return true;
}

/* The frame's result is known; inside an include it may be no match (5.2). */
static bool frame_result(struct onward_spf_check *c,
                         enum onward_spf_result result,
                         enum onward_spf_reason reason)
{
    while (c->frame->parent != NULL) {
        c->frame = c->frame->parent;
        if (result != ONWARD_SPF_PASS)
            return next_term(c);
        onward_spf__trace_outcome(c->frame, ONWARD_SPF_OUTCOME_MATCH);
        result = c->frame->term->qualifier;
        reason = ONWARD_SPF_REASON_MATCH;
    }
    if (reason == ONWARD_SPF_REASON_MATCH)
        c->mechanism = c->frame->term->text;
    return ended(c, result, reason);
}

static bool matched(struct onward_spf_check *c)
{
    onward_spf__trace_outcome(c->frame, ONWARD_SPF_OUTCOME_MATCH);
    return frame_result(c, c->frame->term->qualifier, ONWARD_SPF_REASON_MATCH);
}

/* RFC 7208 4.6.4: a limit over the whole check, includes and all. */
static bool count_term(struct onward_spf_check *c)
{
    if (c->lookups >= c->max_terms)
        return ended(c, ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_TERM_LIMIT);
    c->lookups++;
    if (c->frame->step != NULL)
        c->frame->step->facts.lookup = c->lookups;
    return true;
}

static bool count_void(struct onward_spf_check *c)
{
    c->void_lookups++;
    if (c->frame->step != NULL)
        c->frame->step->facts.void_lookups++;
    if (c->void_lookups > c->max_void)
        return ended(c, ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_VOID_LIMIT);
    return true;
}

/* The answer to a term's question: usable? If not, all is said and *go says
 * whether to go on stepping. */
static bool usable(struct onward_spf_check *c, bool *go)
{
    const struct onward_dns__answer *answer = c->question->query.answer;

    *go = false;
    if (answer == NULL)
        return false;
    if (answer->status == ONWARD_DNS__OK)
        return true;
    if (answer->status == ONWARD_DNS__TEMP ||
        answer->status == ONWARD_DNS__BOGUS)
        *go = ended(c, ONWARD_SPF_TEMPERROR, ONWARD_SPF_REASON_DNS);
    else
        *go = count_void(c) && next_term(c);
    return false;
}

static bool step_a(struct onward_spf_check *c)
{
    bool go;

    if (!usable(c, &go))
        return go;
    if (onward_spf__answer_matches(c, c->question->query.answer,
                                   c->frame->term))
        return matched(c);
    return next_term(c);
}

static bool step_exists(struct onward_spf_check *c)
{
    bool go;

    return usable(c, &go) ? matched(c) : go;
}

/* The n-th record in order of preference; n is small (max_mx_names). */
static struct onward_str mx_in_order(const struct onward_dns__answer *answer,
                                     size_t n)
{
    for (size_t i = 0; i < answer->count; i++) {
        size_t before = 0;

        for (size_t j = 0; j < answer->count; j++) {
            uint16_t a = answer->records[j].preference;
            uint16_t b = answer->records[i].preference;

            before += a < b || (a == b && j < i);
        }
        if (before == n)
            return answer->records[i].data;
    }
    return onward_core__str("", 0);
}

static bool step_mx(struct onward_spf_check *c)
{
    const struct onward_dns__answer *answer = c->question->query.answer;
    bool go;

    if (!usable(c, &go))
        return go;
    if (answer->count > c->max_mx_names)
        return ended(c, ONWARD_SPF_PERMERROR, ONWARD_SPF_REASON_NAME_LIMIT);
    if (c->mx.queries == NULL) {
        c->mx.queries = onward_core__arena_array(&c->arena, c->max_mx_names,
                                                 sizeof(*c->mx.queries));
        c->mx.names = onward_core__arena_array(&c->arena, c->max_mx_names,
                                               sizeof(*c->mx.names));
        if (c->mx.queries == NULL || c->mx.names == NULL)
            return out_of_memory(c);
    }
    for (size_t i = 0; i < answer->count; i++)
        c->mx.names[i] = mx_in_order(answer, i);
    c->mx.count = answer->count;
    c->phase = PHASE_MX_HOSTS;
    return onward_spf__ask_hosts(c, &c->mx);
}

/* In order of preference, so that a match wins over a failure behind it. */
static bool step_mx_hosts(struct onward_spf_check *c)
{
    bool go = true, is_match = false;

    for (size_t i = 0; i < c->mx.count && go && !is_match; i++) {
        const struct onward_dns__answer *answer = c->mx.queries[i].answer;

        if (answer == NULL)
            return false;
        if (answer->status == ONWARD_DNS__TEMP ||
            answer->status == ONWARD_DNS__BOGUS)
            go = ended(c, ONWARD_SPF_TEMPERROR, ONWARD_SPF_REASON_DNS);
        else
            is_match = onward_spf__answer_matches(c, answer, c->frame->term);
    }
    if (!go)
        return false;
    for (size_t i = 0; i < c->mx.count; i++)
        onward_dns__query_clear(&c->mx.queries[i]);
    c->mx.count = 0;
    if (c->guard.is_dead)
        return false;
    return is_match ? matched(c) : next_term(c);
}

/* ptr, with the client's names at hand (5.5, erratum 4751). */
static bool match_ptr(struct onward_spf_check *c, struct onward_str target)
{
    for (size_t i = 0; i < c->validated_count; i++) {
        if (onward_core__domain_is_within(c->validated[i], target))
            return matched(c);
    }
    return next_term(c);
}

/* ---- Terms ------------------------------------------------------------- */

static bool start_include(struct onward_spf_check *c, struct onward_str target)
{
    struct onward_spf__frame *frame =
        onward_core__arena_alloc(&c->arena, sizeof(*frame));

    if (frame == NULL)
        return out_of_memory(c);
    frame->parent = c->frame;
    frame->domain = target;
    c->frame = frame;
    return fetch_record(c);
}

/* A term that asks the DNS. %{p} and ptr need the client's names first. */
static bool start_lookup(struct onward_spf_check *c)
{
    struct onward_spf__term *term = c->frame->term;
    uint16_t type = onward_spf__type_of(c, term->mechanism);
    struct onward_str target;

    if (!c->has_names && (term->mechanism == MECHANISM_PTR ||
                          onward_spf__macro_uses(term->domain_spec, 'p'))) {
        /* Over the limit, nothing is asked, not even for the names. */
        if (c->lookups >= c->max_terms)
            return count_term(c);
        return onward_spf__start_names(c, PHASE_TERM);
    }
    if (!count_term(c))
        return false;
    if (onward_spf__never_matches(c, term->domain_spec))
        return next_term(c);
    if (onward_spf__target(c, c->frame->domain, term->domain_spec, &target) !=
        0)
        return out_of_memory(c);
    if (c->frame->step != NULL)
        c->frame->step->facts.target = target;
    switch (term->mechanism) {
    case MECHANISM_INCLUDE:
        return start_include(c, target);
    case MECHANISM_A:
        return onward_spf__ask(c, target, type, PHASE_A);
    case MECHANISM_MX:
        return onward_spf__ask(c, target, type, PHASE_MX);
    case MECHANISM_EXISTS:
        return onward_spf__ask(c, target, type, PHASE_EXISTS);
    case MECHANISM_PTR:
        /* Names that lead elsewhere are an answer, if no good one. */
        if (c->is_names_void && !count_void(c))
            return false;
        return match_ptr(c, target);
    case MECHANISM_ALL:
    case MECHANISM_IP4:
    case MECHANISM_IP6:
        break;
    }
    return next_term(c);
}

/* Nothing matched: redirect=, or the default (4.7, 6.1). */
static bool after_terms(struct onward_spf_check *c)
{
    struct onward_spf__frame *frame = c->frame;
    struct onward_str spec = frame->record.redirect;
    struct onward_str target;

    if (spec.len == 0 || frame->record.has_all)
        return frame_result(c, ONWARD_SPF_NEUTRAL, ONWARD_SPF_REASON_DEFAULT);
    onward_spf__trace(c, frame->record.redirect_text);
    if (!c->has_names && onward_spf__macro_uses(spec, 'p')) {
        if (c->lookups >= c->max_terms)
            return count_term(c);
        return onward_spf__start_names(c, PHASE_TERM);
    }
    if (!count_term(c))
        return false;
    if (onward_spf__target(c, frame->domain, spec, &target) != 0)
        return out_of_memory(c);
    if (frame->step != NULL)
        frame->step->facts.target = target;
    onward_spf__trace_outcome(frame, ONWARD_SPF_OUTCOME_FOLLOWED);
    frame->domain = target;
    frame->is_redirected = true;
    frame->record = (struct onward_spf__record){0};
    return fetch_record(c);
}

static bool step_term(struct onward_spf_check *c)
{
    struct onward_spf__term *term = c->frame->term;

    if (term == NULL)
        return after_terms(c);
    onward_spf__trace(c, term->text);
    switch (term->mechanism) {
    case MECHANISM_ALL:
        return matched(c);
    case MECHANISM_IP4:
    case MECHANISM_IP6:
        if (onward_spf__ip_within(&c->ip, &term->ip,
                                  c->ip.family == 4 ? term->cidr4
                                                    : term->cidr6))
            return matched(c);
        return next_term(c);
    case MECHANISM_INCLUDE:
    case MECHANISM_A:
    case MECHANISM_MX:
    case MECHANISM_PTR:
    case MECHANISM_EXISTS:
        return start_lookup(c);
    }
    return false;
}

/* ---- The end, and the explanation -------------------------------------- */

static void finish(struct onward_spf_check *c)
{
    onward_spf__clear_queries(c);
    onward_core__task_deadline(&c->task, ONWARD_NEVER);
    c->phase = PHASE_DONE;
}

/* Its TXT record may have been asked as a policy: then once more. */
static void ask_explanation(struct onward_spf_check *c, struct onward_str name)
{
    struct onward_spf__question *q =
        onward_core__arena_alloc(&c->arena, sizeof(*q));

    if (q == NULL) {
        finish(c);
        return;
    }
    q->next = c->questions;
    c->questions = c->question = q;
    c->phase = PHASE_EXP;
    c->asks_exp = true;
    if (onward_dns__ask(c->resolver, &q->query, name, ONWARD_DNS_TXT,
                        &c->task) != 0)
        finish(c);
}

void onward_spf__end(struct onward_spf_check *c, enum onward_spf_result result,
                     enum onward_spf_reason reason)
{
    struct onward_str spec = {0};
    struct onward_str target;

    c->result = result;
    c->reason = reason;
    for (struct onward_spf__frame *f = c->frame; f != NULL; f = f->parent)
        onward_spf__trace_outcome(f, ONWARD_SPF_OUTCOME_ERROR);
    if (c->frame != NULL)
        spec = c->frame->record.exp;
    /* Only a fail that the policy itself states has an explanation (6.2). */
    if (result != ONWARD_SPF_FAIL || reason != ONWARD_SPF_REASON_MATCH ||
        spec.len == 0) {
        finish(c);
        return;
    }
    if (!c->has_names && onward_spf__macro_uses(spec, 'p')) {
        (void)onward_spf__start_names(c, PHASE_EXP);
        return;
    }
    if (onward_spf__never_matches(c, spec) ||
        onward_spf__target(c, c->frame->domain, spec, &target) != 0) {
        finish(c);
        return;
    }
    ask_explanation(c, target);
}

/* One printable line of bounded length, or nothing. */
static void keep_explanation(struct onward_spf_check *c,
                             struct onward_str macro)
{
    struct onward_buf text;

    c->values.domain = c->frame->domain;
    c->values.validated = onward_spf__best_name(c, c->frame->domain);
    onward_core__buf_init(&text, c->ctx, EXPLANATION_MAX);
    if (onward_spf__macro_expand(&text, macro, MACRO_EXPLANATION, &c->values) ==
        0) {
        bool is_safe = true;

        for (size_t i = 0; i < text.len; i++)
            is_safe = is_safe && text.data[i] >= 0x20 && text.data[i] < 0x7f;
        if (is_safe &&
            onward_core__arena_dup(&c->arena, onward_core__buf_str(&text),
                                   &c->explanation) != 0)
            c->explanation = onward_core__str("", 0);
    }
    onward_core__buf_clear(&text);
}

static bool step_exp(struct onward_spf_check *c)
{
    const struct onward_dns__answer *answer;

    if (c->exp_macro.len != 0) {
        keep_explanation(c, c->exp_macro);
        finish(c);
        return false;
    }
    if (!c->asks_exp) {
        /* Back from the client's names, which exp= needs. */
        onward_spf__end(c, c->result, c->reason);
        return false;
    }
    answer = c->question->query.answer;
    if (answer == NULL)
        return false;
    /* Any trouble: as if there were no exp= (6.2). */
    if (answer->status != ONWARD_DNS__OK || answer->count != 1 ||
        onward_core__arena_dup(&c->arena, answer->records[0].data,
                               &c->exp_macro) != 0 ||
        c->exp_macro.len == 0) {
        finish(c);
        return false;
    }
    if (!c->has_names && onward_spf__macro_uses(c->exp_macro, 'p'))
        return onward_spf__start_names(c, PHASE_EXP);
    return true;
}

/* ---- The loop ---------------------------------------------------------- */

static bool start(struct onward_spf_check *c)
{
    struct onward_str ascii;
    int err = onward_core__domain_to_ascii(&c->arena, c->domain, &ascii);

    if (err == ONWARD_ENOMEM)
        return out_of_memory(c);
    /* RFC 7208 4.3: no multi-label domain name, no result. */
    if (err != 0 || !onward_core__domain_is_dns_name(ascii, 2))
        return ended(c, ONWARD_SPF_NONE, ONWARD_SPF_REASON_NO_DOMAIN);
    c->frame = onward_core__arena_alloc(&c->arena, sizeof(*c->frame));
    if (c->frame == NULL)
        return out_of_memory(c);
    c->frame->domain = ascii;
    c->values.sender_domain = ascii;
    return fetch_record(c);
}

/* One step; false: wait, or done. */
static bool step(struct onward_spf_check *c)
{
    switch (c->phase) {
    case PHASE_START:
        return start(c);
    case PHASE_RECORD:
        return step_record(c);
    case PHASE_TERM:
        return step_term(c);
    case PHASE_A:
        return step_a(c);
    case PHASE_EXISTS:
        return step_exists(c);
    case PHASE_MX:
        return step_mx(c);
    case PHASE_MX_HOSTS:
        return step_mx_hosts(c);
    case PHASE_PTR:
        return onward_spf__step_ptr(c);
    case PHASE_PTR_HOSTS:
        return onward_spf__step_ptr_hosts(c);
    case PHASE_EXP:
        return step_exp(c);
    case PHASE_DONE:
        return false;
    }
    return false;
}

static void destroy(struct onward_spf_check *c)
{
    struct onward_ctx *ctx = c->ctx;
    struct onward_resolver *resolver = c->resolver;

    onward_spf__clear_policies(c);
    onward_core__arena_clear(&c->arena);
    onward_core__free(ctx, c);
    onward_dns__resolver_release(resolver);
    onward_ctx_free(ctx);
}

/* For whoever counts them. */
static void log_result(const struct onward_spf_check *c)
{
    struct onward_buf detail;

    if (!onward_core__has_log(c->ctx))
        return;
    onward_core__buf_init(&detail, c->ctx, 1024);
    onward_core__buf_add_text(&detail, c->is_helo ? "helo=" : "mailfrom=");
    onward_core__buf_add_str(&detail, c->domain);
    onward_core__buf_add_text(&detail, " ");
    onward_core__buf_add_text(&detail, onward_spf_reason_name((int)c->reason));
    onward_core__log(c->ctx, ONWARD_LOG_INFO, "spf",
                     onward_spf_result_name((int)c->result),
                     onward_core__desk_log_id(onward_dns__desk(c->resolver)),
                     onward_core__buf_str(&detail));
    onward_core__buf_clear(&detail);
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_spf_check *c =
        ONWARD_CONTAINER(task, struct onward_spf_check, task);

    if (c->phase == PHASE_DONE)
        return;
    if (c->phase == PHASE_START) {
        c->deadline_ms = c->timeout_ms > (size_t)(INT64_MAX - now_ms)
                             ? ONWARD_NEVER
                             : now_ms + (int64_t)c->timeout_ms;
        onward_core__task_deadline(&c->task, c->deadline_ms);
    }
    /* A question that is not needed any more is cancelled inside, and the host
     * may free us there. */
    onward_core__guard_enter(&c->guard);
    while (step(c))
        continue;
    if (c->phase != PHASE_DONE && c->result == ONWARD_SPF_PENDING)
        onward_spf__look_ahead(c);
    if (c->phase != PHASE_DONE && now_ms >= c->deadline_ms) {
        /* RFC 7208 4.6.4: a fail waiting for its words stays a fail. */
        if (c->result == ONWARD_SPF_PENDING) {
            c->result = ONWARD_SPF_TEMPERROR;
            c->reason = ONWARD_SPF_REASON_TIMEOUT;
        }
        finish(c);
    }
    if (c->phase == PHASE_DONE && !c->guard.is_dead) {
        log_result(c);
        if (c->host.done != NULL)
            c->host.done(c->host.user, c);
    }
    if (onward_core__guard_leave(&c->guard))
        destroy(c);
}

/* ---- Life -------------------------------------------------------------- */

/* The identity's parts (RFC 7208 2.3, 2.4, 4.1). */
static int load_identity(struct onward_spf_check *c,
                         const struct onward_spf_opts *o)
{
    struct onward_spf__macro_values *v = &c->values;
    struct onward_str sender = o->mail_from;
    struct onward_buf whole;
    size_t at;
    int err;

    if (o->identity == ONWARD_SPF_HELO)
        sender = onward_core__str("", 0);
    at = onward_core__str_rfind(sender, '@');
    v->local = at < sender.len ? onward_core__sub(sender, 0, at)
                               : onward_core__str("", 0);
    c->domain =
        at < sender.len ? onward_core__sub(sender, at + 1, sender.len) : sender;
    if (sender.len == 0)
        c->domain = o->helo;
    if (v->local.len == 0)
        v->local = ONWARD_STR("postmaster");
    onward_core__buf_init(&whole, c->ctx, ONWARD_LIMIT_NONE);
    onward_core__buf_add_str(&whole, v->local);
    onward_core__buf_add_byte(&whole, '@');
    onward_core__buf_add_str(&whole, c->domain);
    err = whole.err;
    if (err == 0)
        err = onward_core__arena_dup(&c->arena, onward_core__buf_str(&whole),
                                     &v->sender);
    onward_core__buf_clear(&whole);
    if (err == 0)
        err = onward_core__arena_dup(&c->arena, v->local, &v->local);
    if (err == 0)
        err = onward_core__arena_dup(&c->arena, c->domain, &c->domain);
    if (err == 0)
        err = onward_core__arena_dup(&c->arena, o->helo, &v->helo);
    if (err == 0)
        err = onward_core__arena_dup(&c->arena, o->receiver, &v->receiver);
    if (err == 0)
        err = onward_core__arena_dup(&c->arena, o->mail_from, &c->reverse_path);
    return err;
}

/* An IPv4-mapped address is an IPv4 client (RFC 7208 5). */
static struct onward_ip client_address(const struct onward_ip *ip)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct onward_ip plain = {.family = 4};

    if (ip->family != 6 || memcmp(ip->octets, mapped, sizeof(mapped)) != 0)
        return *ip;
    memcpy(plain.octets, ip->octets + 12, 4);
    return plain;
}

int onward_spf_check_new(struct onward_resolver *resolver,
                         const struct onward_spf_opts *opts,
                         const struct onward_spf_host *host,
                         struct onward_spf_check **check)
{
    struct onward_spf_opts o;
    struct onward_spf_host h;
    struct onward_spf_check *c;
    struct onward_desk *desk;
    struct onward_ctx *ctx;
    int err;

    if (resolver == NULL || opts == NULL || check == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err != 0)
        return err;
    if (o.client_ip == NULL || o.identity > ONWARD_SPF_HELO ||
        (o.client_ip->family != 4 && o.client_ip->family != 6))
        return ONWARD_EINVAL;
    desk = onward_dns__desk(resolver);
    if (onward_core__desk_is_dead(desk))
        return ONWARD_ESTATE;
    ctx = onward_core__desk_ctx(desk);
    c = onward_core__zalloc(ctx, sizeof(*c));
    if (c == NULL)
        return ONWARD_ENOMEM;
    c->ctx = onward_ctx_ref(ctx);
    c->resolver = resolver;
    onward_dns__resolver_hold(resolver);
    onward_core__arena_init(&c->arena, ctx, ARENA_BYTES);
    c->host = h;
    c->ip = client_address(o.client_ip);
    c->is_helo = o.identity == ONWARD_SPF_HELO;
    c->values.ip = &c->ip;
    c->values.now_s = onward_core__now_s(ctx);
    c->max_terms = onward_core__limit(o.max_terms, 10);
    c->max_void = onward_core__limit(o.max_void, 2);
    c->max_mx_names = onward_core__limit(o.max_mx_names, 10);
    c->max_ptr_names = onward_core__limit(o.max_ptr_names, 10);
    c->timeout_ms = onward_core__limit(o.timeout_ms, 20000);
    err = load_identity(c, &o);
    if (err != 0) {
        destroy(c);
        return err;
    }
    onward_core__task_init(&c->task, desk, run);
    onward_core__task_ready(&c->task);
    *check = c;
    return 0;
}

void onward_spf_check_free(struct onward_spf_check *check)
{
    if (check == NULL || check->guard.is_dead)
        return;
    check->guard.is_dead = true;
    check->phase = PHASE_DONE;
    /* Cancels, and whatever the host frees there may want to free us too. */
    onward_core__guard_enter(&check->guard);
    onward_spf__clear_queries(check);
    onward_core__task_clear(&check->task);
    if (onward_core__guard_leave(&check->guard))
        destroy(check);
}
