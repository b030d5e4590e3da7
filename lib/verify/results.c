/*
 * What was found, as one Authentication-Results field (RFC 8601 2.2, 2.7): a
 * result for each DKIM signature, DMARC, each SPF identity and ARC, in the
 * order and with the properties that forwarders at large write, so that who
 * reads theirs reads ours.
 */
#include "verify/verify_priv.h"

static struct onward_str text(const char *s)
{
    return onward_str_of(s);
}

static void add(struct onward_authres_builder *b, const char *method,
                const char *result, struct onward_str reason, int *err)
{
    if (*err == 0)
        *err = onward_authres_builder_result(b, text(method), text(result),
                                             reason);
}

static void property(struct onward_authres_builder *b, const char *ptype,
                     const char *name, struct onward_str value, int *err)
{
    if (*err == 0 && value.len != 0)
        *err =
            onward_authres_builder_property(b, text(ptype), text(name), value);
}

/* Only what went wrong needs words. */
static struct onward_str spf_reason(const struct onward_spf_check *check)
{
    switch (onward_spf_check_result(check)) {
    case ONWARD_SPF_PENDING:
        return text(onward_spf_reason_text(ONWARD_SPF_REASON_TIMEOUT));
    case ONWARD_SPF_TEMPERROR:
    case ONWARD_SPF_PERMERROR:
        return text(onward_spf_reason_text(onward_spf_check_reason(check)));
    default:
        return onward_core__str("", 0);
    }
}

/* What the verifier could not wait for is not known. */
static const char *spf_result(const struct onward_spf_check *check)
{
    int result = onward_spf_check_result(check);

    return onward_spf_result_name(
        result == ONWARD_SPF_PENDING ? ONWARD_SPF_TEMPERROR : result);
}

static void add_iprev(struct onward_authres_builder *b,
                      const struct onward_verifier *v, struct onward_str ip,
                      int *err)
{
    static const char *const words[] = {"", "pass", "fail", "temperror",
                                        "permerror"};

    if (v->iprev == ONWARD_VERIFIER_IPREV_UNCHECKED || ip.len == 0)
        return;
    add(b, "iprev", words[v->iprev], onward_core__str("", 0), err);
    /* The name is a comment (RFC 8601 section 2.7.3). */
    if (*err == 0 && v->iprev_name.len != 0)
        *err = onward_authres_builder_comment(b, v->iprev_name);
    property(b, "policy", "iprev", ip, err);
}

/* Who sent, as the comment names it: HELO is checked as postmaster there (RFC
 * 7208 section 2.4). */
static void add_identity(struct onward_buf *out,
                         const struct onward_verifier *v, bool is_helo)
{
    if (is_helo)
        onward_core__buf_add_text(out, "postmaster@");
    onward_core__buf_add_str(out, is_helo ? v->helo : v->mail_from);
}

/* What a result means, for people (RFC 7208 section 9.1 has its like). What
 * went wrong has a reason instead. */
static void spf_comment(struct onward_authres_builder *b,
                        const struct onward_verifier *v,
                        const struct onward_spf_check *check, bool is_helo,
                        struct onward_str ip, int *err)
{
    static const struct words {
        const char *before, *after;
        bool has_ip;
    } words[] = {
        [ONWARD_SPF_NONE] = {"no SPF records found for ", "", false},
        [ONWARD_SPF_NEUTRAL] = {"domain of ", " says nothing of ", true},
        [ONWARD_SPF_PASS] = {"domain of ", " designates ", true},
        [ONWARD_SPF_FAIL] = {"domain of ", " does not designate ", true},
        [ONWARD_SPF_SOFTFAIL] = {"transitioning domain of ",
                                 " does not designate ", true},
    };
    int result = onward_spf_check_result(check);
    struct onward_buf out;

    if (*err != 0 || result < ONWARD_SPF_NONE || result > ONWARD_SPF_SOFTFAIL)
        return;
    onward_core__buf_init(&out, v->ctx, 8192);
    onward_core__buf_add_str(&out, v->authserv_id);
    onward_core__buf_add_text(&out, ": ");
    if (onward_spf_check_reason(check) == ONWARD_SPF_REASON_NO_DOMAIN) {
        onward_core__buf_add_text(
            &out, onward_spf_reason_text(ONWARD_SPF_REASON_NO_DOMAIN));
    } else {
        onward_core__buf_add_text(&out, words[result].before);
        add_identity(&out, v, is_helo);
        onward_core__buf_add_text(&out, words[result].after);
    }
    if (words[result].has_ip) {
        onward_core__buf_add_str(&out, ip.len != 0 ? ip : text("the client"));
        onward_core__buf_add_text(&out, " as permitted sender");
    }
    *err = out.err == ONWARD_ELIMIT
               ? 0 /* a name of kilobytes: it does without */
               : out.err;
    if (out.err == 0)
        *err = onward_authres_builder_comment(b, onward_core__buf_str(&out));
    onward_core__buf_clear(&out);
}

static void add_spf_identity(struct onward_authres_builder *b,
                             const struct onward_verifier *v,
                             const struct onward_spf_check *check, bool is_helo,
                             struct onward_str ip, int *err)
{
    add(b, "spf", spf_result(check), spf_reason(check), err);
    spf_comment(b, v, check, is_helo, ip, err);
    if (is_helo)
        property(b, "smtp", "helo", v->helo, err);
    else
        property(b, "smtp", "mailfrom", v->mail_from, err);
}

static void add_spf(struct onward_authres_builder *b,
                    const struct onward_verifier *v, struct onward_str ip,
                    int *err)
{
    const struct onward_spf_check *helo = v->spf_helo;

    /* The null reverse-path was checked as postmaster@HELO (RFC 7208 section
     * 2.4); RFC 8601 section 2.7.2 names that by smtp.helo. */
    if (v->mail_from.len == 0)
        helo = v->spf_mail_from;
    if (helo != NULL && v->helo.len != 0)
        add_spf_identity(b, v, helo, true, ip, err);
    if (v->spf_mail_from != NULL && v->mail_from.len != 0)
        add_spf_identity(b, v, v->spf_mail_from, false, ip, err);
}

static void add_dkim(struct onward_authres_builder *b,
                     const struct onward_verifier *v, int *err)
{
    size_t count = onward_verifier_dkim_count(v);

    if (count == 0 && (v->results & ONWARD_VERIFIER_RESULTS_DKIM_NONE) != 0)
        add(b, "dkim", "none", onward_core__str("", 0), err);
    for (size_t i = 0; i < count; i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        if (onward_verifier_dkim(v, i, &s) != 0)
            continue;
        if (s.result == ONWARD_DKIM_PENDING)
            add(b, "dkim", "temperror", ONWARD_STR("key did not come in time"),
                err);
        else
            add(b, "dkim", onward_dkim_result_name((int)s.result),
                s.result == ONWARD_DKIM_PASS ? onward_core__str("", 0)
                                             : s.detail,
                err);
        /* As A-labels: a U-label would make the message need SMTPUTF8. */
        property(b, "header", "d", s.domain_ascii, err);
        property(b, "header", "s", s.selector, err);
        property(b, "header", "b", s.header_b, err);
        if ((v->results & ONWARD_VERIFIER_RESULTS_DKIM_DETAIL) != 0) {
            property(b, "header", "a", s.algorithm_text, err);
            property(b, "header", "i", s.identity, err);
        }
    }
}

static void add_arc(struct onward_authres_builder *b,
                    const struct onward_verifier *v, struct onward_str ip,
                    int *err)
{
    struct onward_arc_verdict a = {.size = sizeof(a)};

    if (onward_verifier_arc(v, &a) != 0)
        return;
    if (a.result == ONWARD_ARC_PENDING) {
        /* ARC knows no temperror (RFC 8617 section 5.2.1). */
        add(b, "arc", "fail", ONWARD_STR("key did not come in time"), err);
        property(b, "smtp", "remote-ip", ip, err);
        return;
    }
    add(b, "arc", onward_arc_result_name((int)a.result),
        a.result == ONWARD_ARC_FAIL ? a.detail : onward_core__str("", 0), err);
    /* RFC 8617 section 10.2: who brought it here. */
    property(b, "smtp", "remote-ip", ip, err);
    if (a.result == ONWARD_ARC_PASS) {
        struct onward_arc_set set = {.size = sizeof(set)};
        struct onward_buf oldest;

        if (onward_verifier_arc_set(v, a.instances, &set) == 0)
            property(b, "header", "d", set.domain_ascii, err);
        if (!a.has_oldest_pass)
            return;
        /* header.oldest-pass is what RFC 8617 section 5.2 registers. */
        onward_core__buf_init(&oldest, v->ctx, 20);
        onward_core__buf_add_u64(&oldest, a.oldest_pass);
        property(b, "header", "oldest-pass", onward_core__buf_str(&oldest),
                 err);
        onward_core__buf_clear(&oldest);
    }
}

static void add_dmarc(struct onward_authres_builder *b,
                      const struct onward_verifier *v, int *err)
{
    int result = onward_verifier_dmarc_result(v);
    int reason = onward_verifier_dmarc_reason(v);
    bool is_plain = result == ONWARD_DMARC_PASS || result == ONWARD_DMARC_NONE;

    add(b, "dmarc", onward_dmarc_result_name(result),
        is_plain ? onward_core__str("", 0)
                 : text(onward_dmarc_reason_text(reason)),
        err);
    property(b, "header", "from", v->author_domain, err);
    if (v->dmarc != NULL)
        property(
            b, "policy", "dmarc",
            text(onward_dmarc_policy_name(onward_dmarc_check_policy(v->dmarc))),
            err);
}

int onward_verify__write_results(struct onward_verifier *v)
{
    struct onward_authres_builder *b = NULL;
    struct onward_str value, ip = {0};
    char address[ONWARD_IP_TEXT_MAX];
    int err = onward_authres_builder_new(v->ctx, v->authserv_id, &b);

    if (err != 0)
        return err;
    if (v->has_client && !v->omit_remote_ip) {
        int len = onward_ip_format(&v->client_ip, address, sizeof(address));

        ip = onward_core__str(address, len > 0 ? (size_t)len : 0);
    }
    add_iprev(b, v, ip, &err);
    add_dkim(b, v, &err);
    add_dmarc(b, v, &err);
    add_spf(b, v, ip, &err);
    add_arc(b, v, ip, &err);
    if (err == 0)
        err = onward_authres_builder_value(b, &value);
    if (err == 0)
        err = onward_core__buf_add_str(&v->authres, value);
    onward_authres_builder_free(b);
    return err;
}

/* The results behind the authserv-id, which may be a quoted string. */
static struct onward_str results_of(struct onward_str authres)
{
    bool is_quoted = false;

    for (size_t i = 0; i < authres.len; i++) {
        if (authres.data[i] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && authres.data[i] == '\\')
            i++;
        else if (!is_quoted && authres.data[i] == ';')
            return onward_core__str_trim_crlf(
                onward_core__sub(authres, i + 1, authres.len));
    }
    return onward_core__sub(authres, 0, 0);
}

int onward_verifier_sealing(const struct onward_verifier *verifier,
                            struct onward_arc_sealer_opts *opts)
{
    struct onward_arc_verdict chain = {.size = sizeof(chain)};
    int err;

    if (opts == NULL || opts->size < sizeof(*opts))
        return ONWARD_EINVAL;
    if (!verifier->is_done)
        return ONWARD_ESTATE;
    err = onward_verifier_arc(verifier, &chain);
    if (err != 0)
        return err;
    if (chain.is_temporary != 0 || chain.result == ONWARD_ARC_PENDING)
        return ONWARD_AGAIN;
    opts->chain_result = chain.result;
    opts->chain_instances = chain.instances;
    opts->authserv_id = verifier->authserv_id;
    opts->results = results_of(onward_core__buf_str(&verifier->authres));
    opts->body_hash = onward_verifier_body_hash(verifier);
    return 0;
}
