/* What a message adds to an aggregate report of DMARC (RFC 9990). */
#include "verify/verify_priv.h"

enum { WORDS_MAX = 256 }; /* octets of a text for people */

/* The order of RFC 9990 section 3.1.3. */
enum rank { STRICT, RELAXED, OTHER_PASS, NO_PASS, RANKS };

static enum rank rank_of(const struct onward_dmarc_check *check,
                         const struct onward_dkim_signature *s)
{
    if (s->result != ONWARD_DKIM_PASS)
        return NO_PASS;
    if (onward_core__str_ieq(s->domain_ascii,
                             onward_dmarc_check_author_domain(check)))
        return STRICT;
    return onward_core__domain_is_within(s->domain_ascii,
                                         onward_dmarc_check_org_domain(check))
               ? RELAXED
               : OTHER_PASS;
}

static struct onward_str words(struct onward_str text)
{
    return onward_core__sub(text, 0, WORDS_MAX);
}

static int add_signature(struct onward_dmarc_row *row,
                         const struct onward_dkim_signature *s)
{
    struct onward_dmarc_auth_facts auth = {.size = sizeof(auth)};
    size_t result = s->result;

    auth.domain = s->domain_ascii.len != 0 ? s->domain_ascii : words(s->domain);
    auth.selector = words(s->selector);
    if (result != ONWARD_DKIM_PASS)
        auth.human_result = words(s->detail);
    if (result == ONWARD_DKIM_PENDING) {
        result = ONWARD_DKIM_TEMPERROR;
        auth.human_result = ONWARD_STR("key did not come in time");
    }
    auth.result = onward_str_of(onward_dkim_result_name((int)result));
    return onward_dmarc_row_add_dkim(row, &auth);
}

static int add_dkim(const struct onward_verifier *v,
                    const struct onward_dmarc_check *check,
                    struct onward_dmarc_row *row)
{
    size_t count = onward_verifier_dkim_count(v);
    int err = 0;

    for (int rank = STRICT; rank < RANKS; rank++) {
        for (size_t i = 0; i < count && err == 0; i++) {
            struct onward_dkim_signature s = {.size = sizeof(s)};

            if (onward_verifier_dkim(v, i, &s) == 0 &&
                (int)rank_of(check, &s) == rank)
                err = add_signature(row, &s);
        }
    }
    /* Full: what matters less is left out. */
    return err == ONWARD_ELIMIT ? 0 : err;
}

static int add_spf(const struct onward_verifier *v,
                   struct onward_dmarc_row *row)
{
    struct onward_dmarc_auth_facts auth = {.size = sizeof(auth)};
    const struct onward_spf_check *c = v->spf_mail_from;
    int result, reason;

    if (c == NULL)
        return 0;
    result = onward_spf_check_result(c);
    reason = onward_spf_check_reason(c);
    if (result == ONWARD_SPF_PENDING) {
        result = ONWARD_SPF_TEMPERROR;
        reason = ONWARD_SPF_REASON_TIMEOUT;
    }
    auth.domain = words(onward_spf_check_domain(c));
    auth.scope = ONWARD_STR("mfrom");
    auth.result = onward_str_of(onward_spf_result_name(result));
    if (result == ONWARD_SPF_TEMPERROR || result == ONWARD_SPF_PERMERROR)
        auth.human_result = onward_str_of(onward_spf_reason_text(reason));
    return onward_dmarc_row_add_spf(row, &auth);
}

/* RFC 9990 section 3.1.1.9: "pass" is a pass under a policy that would have
 * been enforced. */
static size_t disposition_of(const struct onward_dmarc_check *check)
{
    int disposition = onward_dmarc_check_disposition(check);

    if (onward_dmarc_check_result(check) == ONWARD_DMARC_PASS &&
        onward_dmarc_check_policy(check) > ONWARD_DMARC_POLICY_NONE)
        return ONWARD_DMARC_DISPOSITION_PASS;
    return (size_t)disposition;
}

static int add_facts(const struct onward_verifier *v,
                     const struct onward_dmarc_check *check,
                     struct onward_str envelope_to,
                     struct onward_dmarc_row *row)
{
    struct onward_dmarc_row_facts f = {.size = sizeof(f)};
    char address[ONWARD_IP_TEXT_MAX];
    int len = onward_ip_format(&v->client_ip, address, sizeof(address));

    if (len < 0)
        return ONWARD_ENOENT;
    f.source_ip = onward_core__str(address, (size_t)len);
    f.count = 1;
    f.disposition = disposition_of(check);
    f.is_dkim_aligned = onward_dmarc_check_is_dkim_aligned(check) != 0;
    f.is_spf_aligned = onward_dmarc_check_is_spf_aligned(check) != 0;
    f.header_from = onward_dmarc_check_author_domain(check);
    f.envelope_from = onward_core__sub(
        v->mail_from, onward_core__str_rfind(v->mail_from, '@') + 1,
        v->mail_from.len);
    f.envelope_from = words(f.envelope_from);
    f.has_envelope_from = 1;
    f.envelope_to = envelope_to;
    return onward_dmarc_row_set(row, &f);
}

static int add_override(const struct onward_dmarc_check *check,
                        struct onward_dmarc_row *row)
{
    int override = onward_dmarc_check_override(check);
    struct onward_str comment = {0};

    /* The record is known, the alignment is not: done was nothing. */
    if (onward_dmarc_check_result(check) == ONWARD_DMARC_TEMPERROR)
        return onward_dmarc_row_add_reason(
            row, ONWARD_STR("other"),
            onward_str_of(
                onward_dmarc_reason_text(onward_dmarc_check_reason(check))));
    if (override == ONWARD_DMARC_OVERRIDE_NONE)
        return 0;
    if (override == ONWARD_DMARC_OVERRIDE_LOCAL_POLICY)
        comment = ONWARD_STR("p=reject alone is quarantined "
                             "(RFC 9989 section 7.4)");
    return onward_dmarc_row_add_reason(
        row, onward_str_of(onward_dmarc_override_name(override)), comment);
}

int onward_verifier_report_row(const struct onward_verifier *verifier,
                               size_t author, struct onward_str envelope_to,
                               struct onward_dmarc_row *row)
{
    const struct onward_dmarc_check *check;
    int err;

    if (row == NULL)
        return ONWARD_EINVAL;
    if (!verifier->is_done)
        return ONWARD_ESTATE;
    check = onward_verifier_dmarc_at(verifier, author);
    /* Without a policy nobody asked for a report; without an answer from DNS
     * nobody knows. */
    if (check == NULL || !verifier->has_client ||
        onward_dmarc_check_record(check).len == 0)
        return ONWARD_ENOENT;
    onward_dmarc_row_reset(row);
    err = add_facts(verifier, check, envelope_to, row);
    if (err == 0)
        err = add_override(check, row);
    if (err == 0)
        err = add_dkim(verifier, check, row);
    if (err == 0)
        err = add_spf(verifier, row);
    return err;
}
