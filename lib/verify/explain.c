/*
 * Why each part came out as it did, as one JSON object: for logs, support, and
 * people who want to know. Texts of peers are in it, bounded and escaped.
 */
#include "core/json_shared.h"
#include "verify/verify_priv.h"

enum { EXPLAIN_BYTES = 64 * 1024, TEXT_MAX = 256 };

static void put(struct onward_json_writer *w, const char *key,
                struct onward_str value)
{
    onward_json__key(w, key);
    onward_json__string(w, onward_core__sub(value, 0, TEXT_MAX));
}

static void put_text(struct onward_json_writer *w, const char *key,
                     const char *value)
{
    put(w, key, onward_str_of(value));
}

static void put_number(struct onward_json_writer *w, const char *key,
                       size_t value)
{
    onward_json__key(w, key);
    onward_json__number(w, (int64_t)value);
}

static void put_bool(struct onward_json_writer *w, const char *key, bool value)
{
    onward_json__key(w, key);
    onward_json__bool(w, value);
}

/* ---- SPF --------------------------------------------------------------- */

static void put_steps(struct onward_json_writer *w,
                      const struct onward_spf_check *c)
{
    onward_json__key(w, "steps");
    onward_json__open_array(w);
    for (size_t i = 0; i < onward_spf_check_step_count(c); i++) {
        struct onward_spf_step s = {.size = sizeof(s)};

        if (onward_spf_check_step_at(c, i, &s) != 0)
            break;
        onward_json__open_object(w);
        put(w, "domain", s.domain);
        put_number(w, "offset", s.offset);
        put_number(w, "depth", s.depth);
        put(w, "term", s.term);
        put(w, "target", s.target);
        put_text(w, "outcome", onward_spf_outcome_name((int)s.outcome));
        put_number(w, "lookup", s.lookup);
        put_number(w, "void_lookups", s.void_lookups);
        onward_json__close_object(w);
    }
    onward_json__close_array(w);
}

static void put_spf(struct onward_json_writer *w, const char *key,
                    const struct onward_spf_check *c, bool with_steps)
{
    int result = onward_spf_check_result(c);
    int reason = onward_spf_check_reason(c);

    if (result == ONWARD_SPF_PENDING) {
        result = ONWARD_SPF_TEMPERROR; /* as Authentication-Results have it */
        reason = ONWARD_SPF_REASON_TIMEOUT;
    }
    onward_json__key(w, key);
    onward_json__open_object(w);
    put_text(w, "result", onward_spf_result_name(result));
    put_text(w, "reason", onward_spf_reason_name(reason));
    put_text(w, "text", onward_spf_reason_text(reason));
    put(w, "domain", onward_spf_check_domain(c));
    put(w, "mechanism", onward_spf_check_mechanism(c));
    put(w, "explanation", onward_spf_check_explanation(c));
    put_number(w, "lookups", onward_spf_check_lookups(c));
    put_number(w, "void_lookups", onward_spf_check_void_lookups(c));
    if (with_steps)
        put_steps(w, c);
    onward_json__close_object(w);
}

/* ---- DKIM and ARC ------------------------------------------------------ */

static void put_signature(struct onward_json_writer *w,
                          const struct onward_verifier *v, size_t i)
{
    struct onward_dkim_signature s = {.size = sizeof(s)};

    if (onward_verifier_dkim(v, i, &s) != 0)
        return;
    onward_json__open_object(w);
    put_text(w, "result",
             s.result == ONWARD_DKIM_PENDING
                 ? "temperror"
                 : onward_dkim_result_name((int)s.result));
    put_text(w, "reason", onward_dkim_reason_name((int)s.reason));
    put(w, "text", s.detail);
    put(w, "d", s.domain_ascii);
    put(w, "s", s.selector);
    put(w, "i", s.identity);
    put(w, "a", s.algorithm_text);
    put(w, "b", s.header_b);
    put(w, "exposed_fields", s.exposed_fields);
    put(w, "changed_fields", s.changed_fields);
    put_number(w, "key_bits", s.key_bits);
    put_bool(w, "test", s.is_test != 0);
    /* What DMARC looked at. */
    put_bool(w, "counts",
             onward_verify__dkim_counts(&s) && s.is_from_exposed == 0);
    onward_json__close_object(w);
}

static void put_dkim(struct onward_json_writer *w,
                     const struct onward_verifier *v)
{
    onward_json__key(w, "dkim");
    onward_json__open_array(w);
    for (size_t i = 0; i < onward_verifier_dkim_count(v); i++)
        put_signature(w, v, i);
    onward_json__close_array(w);
}

static void put_arc(struct onward_json_writer *w,
                    const struct onward_verifier *v)
{
    struct onward_arc_verdict a = {.size = sizeof(a)};
    struct onward_arc_set set = {.size = sizeof(set)};

    onward_json__key(w, "arc");
    if (onward_verifier_arc(v, &a) != 0) {
        onward_json__null(w);
        return;
    }
    onward_json__open_object(w);
    put_text(w, "result",
             a.result == ONWARD_ARC_PENDING
                 ? "fail"
                 : onward_arc_result_name((int)a.result));
    put_text(w, "reason", onward_arc_reason_name((int)a.reason));
    put(w, "text", a.detail);
    put_number(w, "instances", a.instances);
    put_number(w, "instance", a.instance);
    if (a.instances != 0 && onward_verifier_arc_set(v, a.instances, &set) == 0)
        put(w, "sealer", set.domain_ascii);
    put_bool(w, "trusted", v->is_trusted_forwarder);
    onward_json__close_object(w);
}

/* ---- DMARC ------------------------------------------------------------- */

static void put_check(struct onward_json_writer *w,
                      const struct onward_dmarc_check *c)
{
    int reason = onward_dmarc_check_reason(c);

    onward_json__open_object(w);
    put_text(w, "result",
             onward_dmarc_result_name(onward_dmarc_check_result(c)));
    put_text(w, "reason", onward_dmarc_reason_name(reason));
    put_text(w, "text", onward_dmarc_reason_text(reason));
    put(w, "author_domain", onward_dmarc_check_author_domain(c));
    put(w, "org_domain", onward_dmarc_check_org_domain(c));
    put(w, "policy_domain", onward_dmarc_check_policy_domain(c));
    put(w, "record", onward_dmarc_check_record(c));
    put_text(w, "policy",
             onward_dmarc_policy_name(onward_dmarc_check_policy(c)));
    put_text(w, "disposition",
             onward_dmarc_policy_name(onward_dmarc_check_disposition(c)));
    put_text(w, "override",
             onward_dmarc_override_name(onward_dmarc_check_override(c)));
    put_bool(w, "spf_aligned", onward_dmarc_check_is_spf_aligned(c) != 0);
    put_bool(w, "dkim_aligned", onward_dmarc_check_is_dkim_aligned(c) != 0);
    onward_json__close_object(w);
}

static void put_dmarc(struct onward_json_writer *w,
                      const struct onward_verifier *v)
{
    int reason = onward_verifier_dmarc_reason(v);

    onward_json__key(w, "dmarc");
    onward_json__open_object(w);
    put_text(w, "result",
             onward_dmarc_result_name(onward_verifier_dmarc_result(v)));
    put_text(w, "reason", onward_dmarc_reason_name(reason));
    put_text(w, "text", onward_dmarc_reason_text(reason));
    put_text(w, "disposition",
             onward_dmarc_policy_name(onward_verifier_dmarc_disposition(v)));
    put(w, "author_domain", v->author_domain);
    onward_json__key(w, "authors");
    onward_json__open_array(w);
    for (size_t i = 0; i < v->dmarc_count; i++)
        put_check(w, v->dmarcs[i]);
    onward_json__close_array(w);
    onward_json__close_object(w);
}

/* ---- All of it --------------------------------------------------------- */

static int write_all(struct onward_verifier *v, bool with_steps)
{
    struct onward_json_writer w = {.out = &v->explanation};

    onward_core__buf_reset(&v->explanation);
    onward_json__open_object(&w);
    put_number(&w, "v", 1);
    put_bool(&w, "authenticated", onward_verifier_is_authenticated(v) != 0);
    onward_json__key(&w, "spf");
    if (v->spf_mail_from == NULL || v->spf_helo == NULL) {
        onward_json__null(&w);
    } else {
        onward_json__open_object(&w);
        put_spf(&w, "mailfrom", v->spf_mail_from, with_steps);
        put_spf(&w, "helo", v->spf_helo, with_steps);
        onward_json__close_object(&w);
    }
    put_dkim(&w, v);
    put_arc(&w, v);
    put_dmarc(&w, v);
    onward_json__close_object(&w);
    return v->explanation.err;
}

int onward_verifier_explain(struct onward_verifier *verifier,
                            struct onward_str *json)
{
    int err;

    if (json == NULL)
        return ONWARD_EINVAL;
    if (!verifier->is_done)
        return ONWARD_ESTATE;
    onward_core__buf_clear(&verifier->explanation);
    onward_core__buf_init(&verifier->explanation, verifier->ctx, EXPLAIN_BYTES);
    err = write_all(verifier, true);
    if (err == ONWARD_ELIMIT)
        err = write_all(verifier, false);
    if (err == 0)
        *json = onward_core__buf_str(&verifier->explanation);
    return err;
}
