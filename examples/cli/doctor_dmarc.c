/*
 * onward doctor, DMARC (RFC 9989): one record that asks for something and gets
 * its reports, also when these go elsewhere (RFC 9990 section 4). And TLSRPT
 * (RFC 8460), the other record that asks for reports.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onward/dmarc.h>
#include <onward/tlsrpt.h>

#include "doctor.h"

enum { TEXT_MAX = 2048, ADDRESSES_MAX = 10 };

/* ---- DMARC: finding the record ----------------------------------------- */

static void done(void *user, struct onward_dmarc_check *check)
{
    (void)check;
    *(bool *)user = true;
}

/* NULL: d->err says why. */
static struct onward_dmarc_check *walk(struct doctor *d)
{
    bool is_done = false;
    const struct onward_dmarc_opts opts = {
        .size = sizeof(opts), .author_domain = onward_str_of(d->domain)};
    const struct onward_dmarc_host host = {
        .size = sizeof(host), .user = &is_done, .done = done};
    struct onward_dmarc_check *check = NULL;
    int err = onward_dmarc_check_new(d->world.resolver, &opts, &host, &check);

    if (err == 0)
        err = onward_dmarc_check_finish(check, 0);
    if (err != 0)
        d->err = err;
    if (err == 0 && doctor_run(d, &is_done))
        return check;
    onward_dmarc_check_free(check);
    return NULL;
}

/* ---- DMARC: what it says ----------------------------------------------- */

/* The record with another p=; false: it has none. */
static bool with_policy(const char *record, const char *policy, char *out)
{
    for (const char *c = record; *c != '\0'; c++) {
        const char *value = c + 2;

        if ((c == record || strchr("; \t", c[-1]) != NULL) &&
            (c[0] == 'p' || c[0] == 'P') && c[1] == '=') {
            snprintf(out, TEXT_MAX, "%.*s%s%s", (int)(value - record), record,
                     policy, value + strcspn(value, "; \t"));
            return true;
        }
    }
    return false;
}

static void with_reports(const char *record, const char *domain, char *out)
{
    size_t len = strlen(record);

    while (len > 0 && strchr("; \t", record[len - 1]) != NULL)
        len--;
    snprintf(out, TEXT_MAX, "%.*s; rua=mailto:dmarc-reports@%s", (int)len,
             record, domain);
}

static void consent_done(void *user, struct onward_dmarc_destination *t)
{
    (void)t;
    *(bool *)user = true;
}

/* mailto:user@host!10m?x: the host. */
static void host_of(struct onward_str uri, char *out, size_t room)
{
    struct onward_str host = {0};

    for (size_t i = 0; i < uri.len; i++) {
        if (uri.data[i] == '@')
            host = (struct onward_str){uri.data + i + 1, uri.len - i - 1};
    }
    for (size_t i = 0; i < host.len; i++) {
        if (strchr("!?", host.data[i]) != NULL)
            host.len = i;
    }
    snprintf(out, room, "%.*s", (int)host.len, host.data);
}

/* Does the receiver want the reports (RFC 9990 section 4)? */
static void examine_address(struct doctor *d, const char *where,
                            const char *domain, struct onward_str uri)
{
    bool is_done = false;
    const struct onward_dmarc_destination_host host = {
        .size = sizeof(host), .user = &is_done, .done = consent_done};
    struct onward_dmarc_destination *t = NULL;
    char receiver[256], name[600];
    int err = onward_dmarc_destination_new(
        d->world.resolver, onward_str_of(domain), uri, &host, &t);

    host_of(uri, receiver, sizeof(receiver));
    if (err == ONWARD_ESYNTAX) {
        doctor_find(d, DOCTOR_WARNING, "dmarc", "report-address", where,
                    "%.*s is no address to send reports to", (int)uri.len,
                    uri.data);
        doctor_fix(d, "Correct it: mailto:USER@DOMAIN.");
    } else if (err != 0) {
        d->err = err;
    } else if (doctor_run(d, &is_done)) {
        switch (onward_dmarc_destination_consent(t)) {
        case ONWARD_DMARC_CONSENT_GIVEN:
            break;
        case ONWARD_DMARC_CONSENT_NONE:
            snprintf(name, sizeof(name), "%s._report._dmarc.%s", domain,
                     receiver);
            doctor_find(d, DOCTOR_WARNING, "dmarc", "no-consent", where,
                        "%s has not said that it takes reports on %s: none "
                        "is sent (RFC 9990 section 4)",
                        receiver, domain);
            doctor_fix(d, "Have this published there, or take reports at an "
                          "address of your own.");
            doctor_txt(d, name, "v=DMARC1");
            break;
        default:
            doctor_find(d, DOCTOR_UNKNOWN, "dmarc", "no-answer", where,
                        "DNS does not say whether %s takes reports", receiver);
            doctor_fix(d, "Try again later.");
            break;
        }
    }
    onward_dmarc_destination_free(t);
}

static void examine_reports(struct doctor *d, const char *where,
                            const char *domain, const char *text,
                            const struct onward_dmarc_record *record)
{
    const struct onward_str lists[] = {record->rua, record->ruf};
    struct onward_str rest = record->rua, uri;
    char mended[TEXT_MAX];

    if (onward_dmarc_uri_next(&rest, &uri) != 1) {
        doctor_find(d, DOCTOR_WARNING, "dmarc", "no-reports", where,
                    "nobody reports what becomes of its mail (no rua)");
        doctor_fix(d, "Name a mailbox: onward dmarc report reads what comes.");
        with_reports(text, domain, mended);
        doctor_txt(d, where, mended);
    }
    for (size_t i = 0; i < 2 && d->err == 0; i++) {
        rest = lists[i];
        for (size_t k = 0;
             k < ADDRESSES_MAX && onward_dmarc_uri_next(&rest, &uri) == 1; k++)
            examine_address(d, where, domain, uri);
    }
}

static void examine_policy(struct doctor *d, const char *where,
                           const char *text, int policy,
                           const struct onward_dmarc_record *record)
{
    char mended[TEXT_MAX];

    if (policy == ONWARD_DMARC_POLICY_NONE && record->is_testing == 0) {
        doctor_find(d, DOCTOR_NOTE, "dmarc", "policy-none", where,
                    "p=none: mail that somebody forges is delivered");
        doctor_fix(d, "When the reports show that all of your own mail "
                      "passes, ask for more.");
        if (with_policy(text, "quarantine", mended))
            doctor_txt(d, where, mended);
        return;
    }
    if (record->is_testing != 0) {
        doctor_find(d, DOCTOR_NOTE, "dmarc", "testing", where,
                    "t=y: receivers do one step less than the policy says");
        doctor_fix(d, "When the reports show that all of your own mail "
                      "passes, take t=y out.");
        return;
    }
    doctor_find(d, DOCTOR_OK, "dmarc", "policy", where,
                "receivers are asked to %s what fails",
                onward_dmarc_policy_name(policy));
}

static void examine_found(struct doctor *d, struct onward_str text,
                          struct onward_str domain, int policy)
{
    struct onward_dmarc_record record = {.size = sizeof(record)};
    struct onward_dmarc_fault fault = {.size = sizeof(fault)};
    char *copy = strndup(text.data, text.len);
    char *at = strndup(domain.data, domain.len);
    char where[300];

    if (copy == NULL || at == NULL) {
        d->err = ONWARD_ENOMEM;
    } else if (onward_dmarc_record_parse(text, &record) == 0) {
        snprintf(where, sizeof(where), "_dmarc.%s", at);
        if (onward_dmarc_lint(text, &fault) == ONWARD_ESYNTAX) {
            doctor_find(d, DOCTOR_WARNING, "dmarc", "syntax", where,
                        "octet %zu of \"%s\": %s", fault.offset, copy,
                        fault.text);
            doctor_fix(d, "Correct it: that tag counts for nothing.");
        }
        examine_policy(d, where, copy, policy, &record);
        examine_reports(d, where, at, copy, &record);
    }
    free(copy);
    free(at);
}

/* At the domain itself: several, or what only looks like one. True: such is
 * there, and says why the walk finds nothing. */
static bool examine_own(struct doctor *d, const char *where)
{
    struct onward_dns_lookup *txt;
    struct onward_str text = {0};
    struct onward_dmarc_fault fault = {.size = sizeof(fault)};
    size_t count = 0, broken = 0;

    if (!doctor_ask_txt(d, "dmarc", where, &txt))
        return true;
    for (size_t i = 0; i < onward_dns_lookup_count(txt); i++) {
        struct onward_dmarc_fault found = {.size = sizeof(found)};
        int err = onward_dmarc_lint(onward_dns_lookup_data(txt, i), &found);

        if (err == ONWARD_ENOENT) {
            struct onward_str other = onward_dns_lookup_data(txt, i);

            doctor_find(d, DOCTOR_WARNING, "dmarc", "near-miss", where,
                        "\"%.*s\" is not taken for a DMARC record",
                        (int)other.len, other.data);
            doctor_fix(d, "Begin it with \"v=DMARC1;\", or delete it.");
            continue;
        }
        count++;
        if (err != 0 && found.is_void != 0) {
            broken++;
            fault = found;
            text = onward_dns_lookup_data(txt, i);
        }
    }
    if (count > 1) {
        doctor_find(d, DOCTOR_ERROR, "dmarc", "many-records", where,
                    "%zu DMARC records, and one may be: none of them counts",
                    count);
        doctor_fix(d, "Delete all but one.");
    } else if (broken > 0) {
        doctor_find(d, DOCTOR_ERROR, "dmarc", "void", where,
                    "octet %zu of \"%.*s\": %s", fault.offset, (int)text.len,
                    text.data, fault.text);
        doctor_fix(d, "Correct it: until then the record counts for nothing.");
    }
    onward_dns_lookup_free(txt);
    return count > 1 || broken > 0;
}

static void examine_none(struct doctor *d, const char *where)
{
    char text[TEXT_MAX];

    doctor_find(d, DOCTOR_ERROR, "dmarc", "none", where,
                "no DMARC record: large receivers refuse or junk bulk mail, "
                "and nobody reports who forges it");
    if (d->is_null_mx) {
        doctor_fix(d, "Ask to refuse everything: it sends no mail.");
        doctor_txt(d, where, "v=DMARC1; p=reject");
        return;
    }
    doctor_fix(d, "Begin with p=none, read the reports, then ask for more.");
    snprintf(text, sizeof(text),
             "v=DMARC1; p=none; rua=mailto:dmarc-reports@%s", d->domain);
    doctor_txt(d, where, text);
}

void doctor_examine_dmarc(struct doctor *d)
{
    char where[300];
    struct onward_dmarc_check *check;

    snprintf(where, sizeof(where), "_dmarc.%s", d->domain);
    if (examine_own(d, where) || d->err != 0)
        return;
    check = walk(d);
    if (check == NULL)
        return;
    switch (onward_dmarc_check_result(check)) {
    case ONWARD_DMARC_TEMPERROR:
        doctor_find(d, DOCTOR_UNKNOWN, "dmarc", "no-answer", where,
                    "DNS gives no answer on the way up from there");
        doctor_fix(d, "Look at the name servers above, and try again.");
        break;
    case ONWARD_DMARC_PERMERROR:
    case ONWARD_DMARC_NONE:
        examine_none(d, where);
        break;
    default:
        examine_found(d, onward_dmarc_check_record(check),
                      onward_dmarc_check_policy_domain(check),
                      onward_dmarc_check_policy(check));
        break;
    }
    onward_dmarc_check_free(check);
}

/* ---- TLSRPT ------------------------------------------------------------ */

void doctor_examine_tlsrpt(struct doctor *d)
{
    char where[300], text[TEXT_MAX];
    struct onward_dns_lookup *txt;
    struct onward_str record = {0};
    size_t count = 0;

    if (d->is_null_mx)
        return;
    snprintf(where, sizeof(where), "_smtp._tls.%s", d->domain);
    snprintf(text, sizeof(text), "v=TLSRPTv1; rua=mailto:tls-reports@%s",
             d->domain);
    if (!doctor_ask_txt(d, "tlsrpt", where, &txt))
        return;
    for (size_t i = 0; i < onward_dns_lookup_count(txt); i++) {
        struct onward_str found = onward_dns_lookup_data(txt, i);

        if (onward_tlsrpt_record_lint(found, NULL) != ONWARD_ENOENT) {
            record = found;
            count++;
        }
    }
    if (count == 0) {
        doctor_find(d, DOCTOR_NOTE, "tlsrpt", "none", where,
                    "nobody reports when TLS to your servers fails");
        doctor_fix(d, "Name a mailbox: onward tlsrpt report reads what comes.");
        doctor_txt(d, where, text);
    } else if (count > 1) {
        doctor_find(d, DOCTOR_ERROR, "tlsrpt", "many-records", where,
                    "%zu records, and one may be: none of them counts", count);
        doctor_fix(d, "Delete all but one.");
    } else {
        struct onward_tlsrpt_fault fault = {.size = sizeof(fault)};

        if (onward_tlsrpt_record_lint(record, &fault) == 0) {
            doctor_find(d, DOCTOR_OK, "tlsrpt", "record", where, "%.*s",
                        (int)record.len, record.data);
        } else {
            doctor_find(d, fault.is_void != 0 ? DOCTOR_ERROR : DOCTOR_WARNING,
                        "tlsrpt", fault.is_void != 0 ? "void" : "syntax", where,
                        "octet %zu of \"%.*s\": %s", fault.offset,
                        (int)record.len, record.data, fault.text);
            doctor_fix(d, "Correct it, for example so.");
            doctor_txt(d, where, text);
        }
    }
    onward_dns_lookup_free(txt);
}
