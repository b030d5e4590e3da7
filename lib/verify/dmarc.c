/*
 * DMARC over all that was found: a check for each author domain, begun when the
 * header is complete, decided when SPF, DKIM and ARC are known.
 */
#include "verify/verify_priv.h"

void onward_verify__dmarc_clear(struct onward_verifier *v)
{
    v->dmarc = NULL;
    /* Questions are cancelled, and inside that the host may free us. */
    while (v->dmarc_count != 0)
        onward_dmarc_check_free(v->dmarcs[--v->dmarc_count]);
}

static void dmarc_done(void *user, struct onward_dmarc_check *check)
{
    struct onward_verifier *v = user;

    (void)check;
    onward_core__task_ready(&v->task);
}

int onward_verify__dmarc_begin(struct onward_verifier *v)
{
    const struct onward_dmarc_host host = {
        .size = sizeof(host), .user = v, .done = dmarc_done};
    struct onward_dmarc_opts o = {.size = sizeof(o),
                                  .reject_policy = v->dmarc_reject_policy,
                                  .discovery = v->dmarc_discovery};
    struct onward_verify__authors authors = {0};
    int err = onward_verify__find_authors(v, &authors);

    for (size_t i = 0; i < authors.count && err == 0; i++) {
        o.author_domain = authors.domains[i];
        err = onward_dmarc_check_new(v->resolver, &o, &host, &v->dmarcs[i]);
        if (err != 0)
            break;
        v->dmarc_count++;
        if (v->is_suspect)
            onward_dmarc_check_suspect(v->dmarcs[i]);
    }
    if (err == 0 && v->dmarc_count == 1) {
        v->dmarc = v->dmarcs[0];
        v->author_domain = authors.domains[0];
    }
    return err;
}

/* Does the newest seal of a passing chain come from a sealer that the host
 * trusts, and does its own record of DMARC say pass? 1, 0 or
 * ONWARD_ENOMEM: then a "no" would reject what it believes. */
static int is_trusted_forwarder(struct onward_verifier *v)
{
    struct onward_arc_verdict verdict = {.size = sizeof(verdict)};
    struct onward_arc_set set = {.size = sizeof(set)};
    struct onward_authres *results = NULL;
    bool is_listed = false, says_pass = false;
    int err;

    if (v->sealers == NULL || onward_verifier_arc(v, &verdict) != 0 ||
        verdict.result != ONWARD_ARC_PASS)
        return 0;
    if (onward_verifier_arc_set(v, verdict.instances, &set) != 0)
        return 0;
    for (const struct onward_verify__sealer *s = v->sealers; s != NULL;
         s = s->next)
        is_listed =
            is_listed || onward_core__str_ieq(s->domain, set.domain_ascii);
    /* From the sealed field, never from plain Authentication-Results. */
    if (!is_listed)
        return 0;
    err = onward_authres_parse(v->ctx, set.results, NULL, &results);
    if (err != 0)
        return err == ONWARD_ENOMEM ? err : 0;
    for (size_t i = 0; i < onward_authres_count(results); i++) {
        struct onward_str from = onward_authres_value(
            results, i, ONWARD_STR("header"), ONWARD_STR("from"));

        /* A pass of another author's domain says nothing of this one. */
        if (onward_core__str_eq(onward_authres_method(results, i),
                                ONWARD_STR("dmarc")) &&
            onward_core__str_eq(onward_authres_result(results, i),
                                ONWARD_STR("pass")) &&
            from.len != 0 && onward_core__str_ieq(from, v->author_domain))
            says_pass = true;
    }
    onward_authres_free(results);
    return says_pass;
}

/* The domain that SPF authenticated as MAIL FROM (RFC 9989 section 4.4). */
static int add_spf_identifier(struct onward_verifier *v,
                              struct onward_dmarc_check *check)
{
    const struct onward_spf_check *spf = v->spf_mail_from;
    int result = spf == NULL ? ONWARD_SPF_NONE : onward_spf_check_result(spf);

    if (result == ONWARD_SPF_PASS)
        return onward_dmarc_check_add_spf(check, onward_spf_check_domain(spf));
    if (result == ONWARD_SPF_TEMPERROR)
        return onward_dmarc_check_add_unknown_spf(check,
                                                  onward_spf_check_domain(spf));
    return 0;
}

bool onward_verify__dkim_counts(const struct onward_dkim_signature *s)
{
    return s->result == ONWARD_DKIM_PASS && s->is_test == 0;
}

static int add_identifiers(struct onward_verifier *v,
                           struct onward_dmarc_check *check)
{
    int err = add_spf_identifier(v, check);

    for (size_t i = 0; i < v->dkim.count && err == 0; i++) {
        struct onward_dkim_signature s = {.size = sizeof(s)};

        if (onward_dkim__verify_signature(&v->dkim, i, &s) != 0 ||
            s.is_from_exposed != 0)
            continue;
        if (onward_verify__dkim_counts(&s))
            err = onward_dmarc_check_add_dkim(check, s.domain_ascii);
        else if (s.result == ONWARD_DKIM_TEMPERROR)
            err = onward_dmarc_check_add_unknown_dkim(check, s.domain_ascii);
    }
    return err;
}

int onward_verify__dmarc_decide(struct onward_verifier *v)
{
    int trusted;

    if (v->dmarc_count == 0)
        return 0;
    trusted = is_trusted_forwarder(v);
    if (trusted < 0)
        return trusted;
    v->is_trusted_forwarder = trusted != 0;
    for (size_t i = 0; i < v->dmarc_count; i++) {
        int err = add_identifiers(v, v->dmarcs[i]);

        if (err == 0)
            err = onward_dmarc_check_finish(v->dmarcs[i], trusted);
        if (err != 0)
            return err;
    }
    return 0;
}

/* DMARC cannot be told: there is no verdict that anybody may trust. A message
 * without a single author needs none to be wrong. */
void onward_verify__dmarc_give_up(struct onward_verifier *v, int reason)
{
    if (v->dmarc_count == 0)
        return;
    v->author_result = ONWARD_DMARC_TEMPERROR;
    v->author_reason = reason;
    onward_verify__dmarc_clear(v);
}

/* What comes first decides: a refusal, then what is not known, then what fails
 * less; a pass only when all pass (RFC 9989 section 11.5). */
static int strictness(const struct onward_dmarc_check *check)
{
    static const int of_result[] = {
        [ONWARD_DMARC_NONE] = 1,      [ONWARD_DMARC_PASS] = 0,
        [ONWARD_DMARC_FAIL] = 3,      [ONWARD_DMARC_TEMPERROR] = 5,
        [ONWARD_DMARC_PERMERROR] = 2,
    };
    int disposition = onward_dmarc_check_disposition(check);

    if (disposition == ONWARD_DMARC_POLICY_REJECT)
        return 6;
    if (disposition == ONWARD_DMARC_POLICY_QUARANTINE)
        return 4;
    return of_result[onward_dmarc_check_result(check)];
}

bool onward_verify__dmarc_known(struct onward_verifier *v)
{
    for (size_t i = 0; i < v->dmarc_count; i++) {
        if (onward_dmarc_check_result(v->dmarcs[i]) == ONWARD_DMARC_PENDING)
            return false;
    }
    for (size_t i = 0; i < v->dmarc_count; i++) {
        if (v->dmarc == NULL || strictness(v->dmarcs[i]) > strictness(v->dmarc))
            v->dmarc = v->dmarcs[i];
    }
    if (v->dmarc != NULL)
        v->author_domain = onward_dmarc_check_author_domain(v->dmarc);
    return true;
}

const struct onward_dmarc_check *
onward_verifier_dmarc(const struct onward_verifier *verifier)
{
    return verifier->dmarc;
}

size_t onward_verifier_author_count(const struct onward_verifier *verifier)
{
    return verifier->dmarc_count;
}

const struct onward_dmarc_check *
onward_verifier_dmarc_at(const struct onward_verifier *verifier, size_t i)
{
    return i < verifier->dmarc_count ? verifier->dmarcs[i] : NULL;
}

void onward_verifier_suspect(struct onward_verifier *verifier)
{
    verifier->is_suspect = true;
    for (size_t i = 0; i < verifier->dmarc_count; i++)
        onward_dmarc_check_suspect(verifier->dmarcs[i]);
}

int onward_verifier_dmarc_result(const struct onward_verifier *verifier)
{
    if (!verifier->is_done && !verifier->is_decided)
        return ONWARD_DMARC_PENDING;
    return verifier->dmarc != NULL ? onward_dmarc_check_result(verifier->dmarc)
                                   : verifier->author_result;
}

int onward_verifier_dmarc_reason(const struct onward_verifier *verifier)
{
    return verifier->dmarc != NULL ? onward_dmarc_check_reason(verifier->dmarc)
                                   : verifier->author_reason;
}

int onward_verifier_dmarc_disposition(const struct onward_verifier *verifier)
{
    if (verifier->dmarc != NULL)
        return onward_dmarc_check_disposition(verifier->dmarc);
    if (verifier->author_result != ONWARD_DMARC_PERMERROR ||
        verifier->allow_no_author)
        return ONWARD_DMARC_POLICY_NONE;
    return ONWARD_DMARC_POLICY_REJECT;
}

struct onward_str
onward_verifier_author_domain(const struct onward_verifier *verifier)
{
    return verifier->author_domain;
}
