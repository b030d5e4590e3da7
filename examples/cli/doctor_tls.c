/*
 * onward doctor, the way in: MTA-STS (RFC 8461), whose record, policy and mail
 * servers have to agree, and DANE (RFC 7672), where the zone is signed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <onward/dane.h>
#include <onward/mtasts.h>

#include "doctor.h"
#include "host.h"

enum { POLICY_ROOM = 8192 };

/* ---- MTA-STS: what to publish ------------------------------------------ */

/* A new id each second, as RFC 8461 section 3.1 shows it. */
static void suggest_record(struct doctor *d, const char *where)
{
    time_t now = (time_t)d->time_s;
    char id[33] = "1", text[80];
    struct tm tm;
    int len;

    if (gmtime_r(&now, &tm) != NULL &&
        strftime(id, sizeof(id), "%Y%m%d%H%M%SZ", &tm) == 0)
        snprintf(id, sizeof(id), "1");
    len = onward_mtasts_record_write(onward_str_of(id), text, sizeof(text) - 1);
    if (len < 0)
        return;
    text[len] = '\0';
    doctor_txt(d, where, text);
}

/* The policy with all servers of MX, behind the last finding. */
static void suggest_policy(struct doctor *d, size_t mode)
{
    struct onward_str mx[DOCTOR_SERVERS];
    struct onward_mtasts_policy_opts opts = {.size = sizeof(opts),
                                             .mode = mode,
                                             .mx = mx,
                                             .mx_count = d->server_count};
    char text[POLICY_ROOM];
    size_t out = 0;
    int len;

    if (d->count == 0 || d->server_count == 0)
        return;
    for (size_t i = 0; i < d->server_count; i++)
        mx[i] = onward_str_of(d->servers[i].name);
    len = onward_mtasts_policy_write(&opts, text, sizeof(text));
    if (len < 0)
        return; /* a name that can be none */
    for (size_t i = 0; i < (size_t)len; i++) {
        if (text[i] != '\r')
            text[out++] = text[i];
    }
    free(d->findings[d->count - 1].file);
    d->findings[d->count - 1].file = strndup(text, out);
    if (d->findings[d->count - 1].file == NULL)
        d->err = ONWARD_ENOMEM;
}

/* ---- MTA-STS: the policy ----------------------------------------------- */

static bool matches_a_server(const struct doctor *d, struct onward_str pattern)
{
    for (size_t i = 0; i < d->server_count; i++) {
        if (onward_mtasts_pattern_matches(pattern,
                                          onward_str_of(d->servers[i].name)))
            return true;
    }
    return false;
}

static void examine_servers(struct doctor *d, const char *host,
                            const char *where,
                            const struct onward_mtasts_policy *policy)
{
    bool is_enforced = policy->mode == ONWARD_MTASTS_MODE_ENFORCE;
    struct onward_str rest = policy->text, pattern;

    for (size_t i = 0; i < d->server_count; i++) {
        if (onward_mtasts_mx_matches(policy, onward_str_of(d->servers[i].name)))
            continue;
        doctor_find(d, is_enforced ? DOCTOR_ERROR : DOCTOR_WARNING, "mta-sts",
                    "server-not-in-policy", d->servers[i].name,
                    "a server of MX that is not in the policy: %s",
                    is_enforced ? "nothing is delivered there"
                                : "it counts as a failure in reports");
        doctor_fix(d, "Put it into the policy at %s, then publish a new id.",
                   host);
        suggest_policy(d, policy->mode);
        suggest_record(d, where);
    }
    while (onward_mtasts_mx_next(&rest, &pattern) == 1) {
        if (matches_a_server(d, pattern))
            continue;
        doctor_find(d, DOCTOR_NOTE, "mta-sts", "idle-pattern", host,
                    "mx: %.*s is no server of MX", (int)pattern.len,
                    pattern.data);
        doctor_fix(d, "Take it out when no server of that name will come.");
    }
}

static void examine_policy(struct doctor *d, const char *host,
                           const char *where,
                           const struct onward_mtasts_policy *policy)
{
    struct onward_mtasts_fault fault = {.size = sizeof(fault)};

    if (onward_mtasts_policy_lint(policy->text, &fault) == ONWARD_ESYNTAX) {
        doctor_find(d, DOCTOR_WARNING, "mta-sts", "policy-weak", host,
                    "octet %zu: %s", fault.offset, fault.text);
        doctor_fix(d, "Change it, then publish a new id.");
        suggest_policy(d, policy->mode);
        suggest_record(d, where);
    }
    if (policy->mode == ONWARD_MTASTS_MODE_ENFORCE) {
        doctor_find(d, DOCTOR_OK, "mta-sts", "enforce", host,
                    "TLS is enforced, for %zu s", policy->max_age_s);
    } else {
        doctor_find(d, DOCTOR_NOTE, "mta-sts",
                    onward_mtasts_mode_name((int)policy->mode), host,
                    "mode %s: mail is delivered without TLS too",
                    onward_mtasts_mode_name((int)policy->mode));
        doctor_fix(d, "When TLS reports show no failures, enforce it; then "
                      "publish a new id.");
        suggest_policy(d, ONWARD_MTASTS_MODE_ENFORCE);
        suggest_record(d, where);
    }
    if (policy->mode != ONWARD_MTASTS_MODE_NONE)
        examine_servers(d, host, where, policy);
}

static bool is_unanswered(size_t reason)
{
    return reason == ONWARD_MTASTS_REASON_DNS ||
           reason == ONWARD_MTASTS_REASON_HOST_DNS;
}

static void examine_verdict(struct doctor *d, const char *host,
                            const char *where,
                            const struct onward_mtasts_verdict *v)
{
    char more[80] = "";

    if (v->policy != NULL) {
        examine_policy(d, host, where, v->policy);
        return;
    }
    if (v->reason == ONWARD_MTASTS_REASON_STATUS)
        snprintf(more, sizeof(more), ": %zu", v->http_status);
    else if (v->reason == ONWARD_MTASTS_REASON_BAD_POLICY)
        snprintf(more, sizeof(more), ": octet %zu", v->offset);
    else if (v->tls_failure != 0)
        snprintf(more, sizeof(more), ": %s",
                 onward_tls_failure_text((int)v->tls_failure));
    doctor_find(d, is_unanswered(v->reason) ? DOCTOR_UNKNOWN : DOCTOR_ERROR,
                "mta-sts", onward_mtasts_reason_name((int)v->reason), host,
                "the record announces a policy, and senders do not get it: "
                "%s%s",
                onward_mtasts_reason_text((int)v->reason), more);
    if (v->reason == ONWARD_MTASTS_REASON_NO_HOST) {
        doctor_fix(d, "Publish the address of the server that gives the "
                      "policy out: onward-policyd does.");
    } else {
        doctor_fix(d,
                   "Serve this as text/plain at https://%s/.well-known/"
                   "mta-sts.txt, with a certificate for that name and "
                   "without a redirect.",
                   host);
        suggest_policy(d, ONWARD_MTASTS_MODE_TESTING);
    }
}

static void done(void *user, struct onward_mtasts_lookup *lookup)
{
    (void)lookup;
    *(bool *)user = true;
}

static void fetch(struct doctor *d, const char *host, const char *where)
{
    bool is_done = false;
    const struct onward_mtasts_lookup_host h = {
        .size = sizeof(h), .user = &is_done, .done = done};
    struct onward_mtasts_verdict verdict = {.size = sizeof(verdict)};
    struct onward_mtasts_lookup *lookup = NULL;
    int err = onward_mtasts_lookup_new(d->https.mtasts,
                                       onward_str_of(d->domain), &h, &lookup);

    if (err == 0)
        https_run(&d->https, &d->world, &is_done);
    if (err == 0 && !is_done)
        err = ONWARD_ECANCELED;
    if (err != 0)
        d->err = err;
    else if (onward_mtasts_lookup_verdict(lookup, &verdict) == 0)
        examine_verdict(d, host, where, &verdict);
    onward_mtasts_lookup_free(lookup);
}

/* ---- MTA-STS: the record ----------------------------------------------- */

/* True: there is one that senders take. */
static bool examine_record(struct doctor *d, const char *where,
                           const struct onward_dns_lookup *txt)
{
    struct onward_mtasts_fault fault = {.size = sizeof(fault)};
    struct onward_str record = {0};
    size_t count = 0;

    for (size_t i = 0; i < onward_dns_lookup_count(txt); i++) {
        struct onward_str text = onward_dns_lookup_data(txt, i);

        if (onward_mtasts_record_lint(text, NULL) != ONWARD_ENOENT) {
            record = text;
            count++;
        }
    }
    if (count == 0) {
        doctor_find(d, DOCTOR_NOTE, "mta-sts", "none", where,
                    "no MTA-STS: who sits between can have mail sent without "
                    "TLS");
        doctor_fix(d,
                   "Serve this as text/plain at https://mta-sts.%s/"
                   ".well-known/mta-sts.txt, then publish the record; "
                   "onward-policyd serves it.",
                   d->domain);
        suggest_policy(d, ONWARD_MTASTS_MODE_TESTING);
        suggest_record(d, where);
        return false;
    }
    if (count > 1) {
        doctor_find(d, DOCTOR_ERROR, "mta-sts", "many-records", where,
                    "%zu records, and one may be: none of them counts (RFC "
                    "8461 section 3.1)",
                    count);
        doctor_fix(d, "Delete them and publish one.");
        suggest_record(d, where);
        return false;
    }
    if (onward_mtasts_record_lint(record, &fault) == ONWARD_ESYNTAX) {
        doctor_find(d, fault.is_void != 0 ? DOCTOR_ERROR : DOCTOR_WARNING,
                    "mta-sts", fault.is_void != 0 ? "void" : "syntax", where,
                    "octet %zu of \"%.*s\": %s", fault.offset, (int)record.len,
                    record.data, fault.text);
        doctor_fix(d, "Correct it.");
        suggest_record(d, where);
        return fault.is_void == 0;
    }
    return true;
}

void doctor_examine_mta_sts(struct doctor *d)
{
    char where[300], host[300];
    struct onward_dns_lookup *txt;

    if (d->is_null_mx)
        return;
    snprintf(where, sizeof(where), "_mta-sts.%s", d->domain);
    snprintf(host, sizeof(host), "mta-sts.%s", d->domain);
    if (!doctor_ask_txt(d, "mta-sts", where, &txt))
        return;
    if (examine_record(d, where, txt)) {
        if (d->no_fetch == NULL) {
            fetch(d, host, where);
        } else {
            doctor_find(d, DOCTOR_NOTE, "mta-sts", "not-fetched", host,
                        "the policy was not fetched: %s", d->no_fetch);
            doctor_fix(d, "Give it with --policy, or its server with "
                          "--connect, and --trust.");
        }
    }
    onward_dns_lookup_free(txt);
}

/* ---- DANE -------------------------------------------------------------- */

static void dane_done(void *user, struct onward_dane_lookup *lookup)
{
    (void)lookup;
    *(bool *)user = true;
}

static void suggest_tlsa(struct doctor *d, const struct doctor_server *s)
{
    char name[300], text[200];
    size_t len = 0;
    char *pem;

    if (d->certificate == NULL || d->hostname == NULL ||
        strcasecmp(s->name, d->hostname) != 0)
        return;
    pem = host_read_file(d->certificate, &len);
    if (pem == NULL)
        return;
    snprintf(name, sizeof(name), "_25._tcp.%s", s->name);
    if (onward_dane_record_write(d->world.ctx, 3, 1, 1,
                                 (struct onward_str){pem, len}, text,
                                 sizeof(text)) > 0)
        doctor_record(d, name, "TLSA", "%s", text);
    free(pem);
}

/* Records in a zone that is not signed: they look like protection. */
static void examine_unsigned(struct doctor *d, const struct doctor_server *s)
{
    char name[300];
    struct onward_dns_lookup *tlsa;

    snprintf(name, sizeof(name), "_25._tcp.%s", s->name);
    tlsa = doctor_ask(d, name, ONWARD_DNS_TLSA);
    if (onward_dns_lookup_status(tlsa) == ONWARD_DNS_STATUS_OK) {
        doctor_find(d, DOCTOR_WARNING, "dane", "unsigned", name,
                    "TLSA records in a zone that is not validated count for "
                    "nothing");
        doctor_fix(d, "Sign the zone by DNSSEC, or ask a resolver that "
                      "validates.");
    }
    onward_dns_lookup_free(tlsa);
}

static void examine_dane(struct doctor *d, const struct doctor_server *s,
                         const struct onward_dane_lookup *l)
{
    int reason = onward_dane_lookup_reason(l);
    const char *code = onward_dane_reason_name(reason);
    const char *text = onward_dane_reason_text(reason);

    switch (onward_dane_lookup_result(l)) {
    case ONWARD_DANE_RESULT_USABLE:
        if (d->is_mx_secure) {
            doctor_find(d, DOCTOR_OK, "dane", code, s->name,
                        "%zu TLSA records vouch for its certificate",
                        onward_dane_lookup_count(l));
        } else {
            doctor_find(d, DOCTOR_WARNING, "dane", "insecure-mx", s->name,
                        "TLSA records, and the MX record that leads there is "
                        "not validated: anybody can lead elsewhere");
            doctor_fix(d, "Sign %s by DNSSEC.", d->domain);
        }
        break;
    case ONWARD_DANE_RESULT_UNUSABLE:
        doctor_find(d, DOCTOR_ERROR, "dane", code, s->name,
                    "%s: senders take any certificate", text);
        doctor_fix(d, "Publish what onward dane record --cert FILE %s prints.",
                   s->name);
        suggest_tlsa(d, s);
        break;
    case ONWARD_DANE_RESULT_FAILED:
        doctor_find(d, DOCTOR_ERROR, "dane", code, s->name,
                    "%s: who uses DANE does not deliver there", text);
        doctor_fix(d,
                   "Have the name servers answer for _25._tcp.%s, also "
                   "that there is nothing.",
                   s->name);
        break;
    default:
        if (reason == ONWARD_DANE_REASON_NO_RECORDS) {
            doctor_find(d, DOCTOR_NOTE, "dane", code, s->name,
                        "its zone is signed, and no TLSA record says which "
                        "certificate it has");
            doctor_fix(d,
                       "Publish what onward dane record --cert FILE %s "
                       "prints.",
                       s->name);
            suggest_tlsa(d, s);
        } else if (reason == ONWARD_DANE_REASON_INSECURE_HOST ||
                   reason == ONWARD_DANE_REASON_INSECURE_RECORDS) {
            examine_unsigned(d, s);
        }
        break;
    }
}

void doctor_examine_dane(struct doctor *d)
{
    for (size_t i = 0; i < d->server_count && d->err == 0; i++) {
        const struct doctor_server *s = &d->servers[i];
        bool is_done = false;
        const struct onward_dane_opts opts = {
            .size = sizeof(opts),
            .host = onward_str_of(s->name),
            .port = 25,
            .origin = d->is_mx_secure ? ONWARD_DANE_MX_SECURE
                                      : ONWARD_DANE_MX_INSECURE,
            .next_hop = onward_str_of(d->domain)};
        const struct onward_dane_lookup_host host = {
            .size = sizeof(host), .user = &is_done, .done = dane_done};
        struct onward_dane_lookup *l = NULL;
        int err;

        if (s->ip_count == 0)
            continue; /* said by the examination of MX */
        err = onward_dane_lookup_new(d->world.resolver, &opts, &host, &l);
        if (err != 0)
            d->err = err;
        if (err == 0 && doctor_run(d, &is_done))
            examine_dane(d, s, l);
        onward_dane_lookup_free(l);
    }
}
