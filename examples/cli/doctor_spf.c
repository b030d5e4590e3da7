/*
 * onward doctor, SPF (RFC 7208): one record that parses, within the limits,
 * that says no at its end and covers the addresses mail leaves from. Whatever
 * is to be changed goes into one record, which stands behind each finding.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <onward/spf.h>

#include "doctor.h"

enum {
    RECORD_MAX = 4096,
    TERMS_MAX = 128,
    /* Of RFC 7208 section 4.6.4. */
    LOOKUPS_ALLOWED = 10,
    VOID_ALLOWED = 2,
    /* So far a record is followed to say how much too much it is. */
    LOOKUPS_COUNTED = 60
};

/* A record being mended. */
struct mending {
    char text[RECORD_MAX]; /* holds the terms */
    size_t used;
    const char *terms[TERMS_MAX];
    size_t count;
    bool is_changed, is_full;
    size_t egress_count; /* of d->egress: to be covered */
    size_t first;        /* finding of this examination */
};

struct tried {
    int result, reason;
    size_t lookups, void_lookups;
    char mechanism[200];
    char costs[400]; /* "include:a.example 4, mx 1" */
};

/* ---- Mending ----------------------------------------------------------- */

static bool is_modifier(const char *term, const char *name)
{
    size_t len = strlen(name);

    return strncasecmp(term, name, len) == 0 && term[len] == '=';
}

static const char *without_qualifier(const char *term)
{
    return strchr("+-~?", term[0]) != NULL && term[0] != '\0' ? term + 1 : term;
}

static bool is_all(const char *term)
{
    return strcasecmp(without_qualifier(term), "all") == 0;
}

static bool has_term(const struct mending *m, const char *term)
{
    for (size_t i = 0; i < m->count; i++) {
        if (strcasecmp(without_qualifier(m->terms[i]),
                       without_qualifier(term)) == 0)
            return true;
    }
    return false;
}

/* Mechanisms stand first, then all, then what a reader looks at last. */
static int rank(const char *term)
{
    if (is_modifier(term, "redirect") || is_modifier(term, "exp"))
        return 2;
    return is_all(term) ? 1 : 0;
}

static void add_term(struct mending *m, const char *term, size_t len)
{
    char *copy = m->text + m->used;
    size_t at = m->count;

    if (m->count == TERMS_MAX || len + 1 > sizeof(m->text) - m->used) {
        m->is_full = true;
        return;
    }
    memcpy(copy, term, len);
    copy[len] = '\0';
    m->used += len + 1;
    for (; at > 0 && rank(m->terms[at - 1]) > rank(copy); at--)
        m->terms[at] = m->terms[at - 1];
    m->terms[at] = copy;
    m->count++;
}

/* The terms of a record that are not there yet. */
static void add_record(struct mending *m, struct onward_str record)
{
    size_t at = record.len < 6 ? record.len : 6; /* "v=spf1" */

    while (at < record.len) {
        size_t from;
        char term[RECORD_MAX];

        while (at < record.len && record.data[at] == ' ')
            at++;
        from = at;
        while (at < record.len && record.data[at] != ' ')
            at++;
        if (at - from >= sizeof(term) || at == from)
            continue;
        memcpy(term, record.data + from, at - from);
        term[at - from] = '\0';
        if (!has_term(m, term))
            add_term(m, term, at - from);
    }
}

/* What remains says no to strangers, but leaves forgotten servers a chance:
 * DMARC decides on softfail. */
static void set_all(struct mending *m, const char *all)
{
    for (size_t i = 0; i < m->count; i++) {
        if (is_all(m->terms[i])) {
            m->terms[i] = all;
            return;
        }
    }
    add_term(m, all, strlen(all));
}

static void add_egress(struct mending *m, const struct onward_ip *ip)
{
    char text[ONWARD_IP_TEXT_MAX], term[ONWARD_IP_TEXT_MAX + 5];

    onward_ip_format(ip, text, sizeof(text));
    snprintf(term, sizeof(term), "ip%d:%s", ip->family, text);
    if (!has_term(m, term))
        add_term(m, term, strlen(term));
}

/* The one record to publish, behind all findings that ask for a change. */
static void hand_out(struct doctor *d, const struct mending *m,
                     const char *domain)
{
    char text[RECORD_MAX] = "v=spf1";
    size_t len = strlen(text);

    for (size_t i = 0; i < m->count && len < sizeof(text); i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, " %s",
                                m->terms[i]);
    if (!m->is_changed || m->is_full || len >= sizeof(text))
        return;
    for (size_t i = m->first; i < d->count; i++) {
        if (d->findings[i].fix != NULL)
            doctor_txt_at(d, i, domain, text);
    }
}

/* ---- Trying ------------------------------------------------------------ */

static void done(void *user, struct onward_spf_check *check)
{
    (void)check;
    *(bool *)user = true;
}

static void copy(char *out, size_t room, struct onward_str text)
{
    snprintf(out, room, "%.*s", (int)text.len, text.data);
}

/* What each term of the record itself costs, with all that it includes. */
static void add_up(struct tried *t, const struct onward_spf_check *check)
{
    struct onward_spf_step step = {.size = sizeof(step)};
    size_t count = onward_spf_check_step_count(check), len = 0;

    for (size_t i = 0; i < count;) {
        struct onward_str term;
        size_t cost = 0;

        (void)onward_spf_check_step_at(check, i, &step);
        term = step.term;
        do {
            cost += step.lookup != 0;
            i++;
        } while (onward_spf_check_step_at(check, i, &step) == 0 &&
                 step.depth > 0);
        if (cost > 0 && len < sizeof(t->costs))
            len += (size_t)snprintf(t->costs + len, sizeof(t->costs) - len,
                                    "%s%.*s %zu", len == 0 ? "" : ", ",
                                    (int)term.len, term.data, cost);
    }
}

static bool try_ip(struct doctor *d, const char *domain,
                   const struct onward_ip *ip, struct tried *t)
{
    bool is_done = false;
    char sender[300];
    const struct onward_spf_opts opts = {
        .size = sizeof(opts),
        .client_ip = ip,
        .mail_from = {sender, 0},
        .helo = onward_str_of(d->hostname != NULL ? d->hostname : domain),
        .max_terms = LOOKUPS_COUNTED,
        .max_void = LOOKUPS_COUNTED,
    };
    struct onward_spf_opts with_sender = opts;
    const struct onward_spf_host host = {
        .size = sizeof(host), .user = &is_done, .done = done};
    struct onward_spf_check *check = NULL;
    int err;

    *t = (struct tried){0};
    if (d->err != 0)
        return false;
    snprintf(sender, sizeof(sender), "postmaster@%s", domain);
    with_sender.mail_from = onward_str_of(sender);
    err = onward_spf_check_new(d->world.resolver, &with_sender, &host, &check);
    if (err != 0)
        d->err = err;
    if (err == 0 && doctor_run(d, &is_done)) {
        t->result = onward_spf_check_result(check);
        t->reason = onward_spf_check_reason(check);
        t->lookups = onward_spf_check_lookups(check);
        t->void_lookups = onward_spf_check_void_lookups(check);
        copy(t->mechanism, sizeof(t->mechanism),
             onward_spf_check_mechanism(check));
        add_up(t, check);
    }
    onward_spf_check_free(check);
    return d->err == 0;
}

/* ---- What the record says ---------------------------------------------- */

static void examine_limits(struct doctor *d, const char *domain,
                           const struct tried *t)
{
    if (t->lookups > LOOKUPS_ALLOWED ||
        t->reason == ONWARD_SPF_REASON_TERM_LIMIT) {
        doctor_find(d, DOCTOR_ERROR, "spf", "many-lookups", domain,
                    "%s%zu terms that ask DNS, and %d are allowed (RFC 7208 "
                    "section 4.6.4): %s",
                    t->reason == ONWARD_SPF_REASON_TERM_LIMIT ? "more than "
                                                              : "",
                    t->lookups, LOOKUPS_ALLOWED, t->costs);
        doctor_fix(d, "Take out what you do not send through any more; write "
                      "a and mx as ip4: and ip6:; give the costliest include "
                      "a subdomain of its own to send from.");
    }
    if (t->void_lookups > VOID_ALLOWED ||
        t->reason == ONWARD_SPF_REASON_VOID_LIMIT) {
        doctor_find(d, DOCTOR_ERROR, "spf", "many-void", domain,
                    "%zu questions find nothing, and %d may (RFC 7208 section "
                    "4.6.4)",
                    t->void_lookups, VOID_ALLOWED);
        doctor_fix(d, "Take out the terms whose names do not exist: onward "
                      "spf check --trace shows them.");
    }
}

/* True: the rest can be judged. */
static bool examine_verdict(struct doctor *d, const char *domain,
                            const struct tried *t)
{
    if (t->result == ONWARD_SPF_TEMPERROR) {
        doctor_find(d, DOCTOR_UNKNOWN, "spf", "no-answer", domain,
                    "DNS gives no answer for %s",
                    t->mechanism[0] != '\0' ? t->mechanism : "the record");
        doctor_fix(d, "Look at the name servers of that name, and try "
                      "again.");
        return false;
    }
    if (t->result == ONWARD_SPF_PERMERROR &&
        t->reason != ONWARD_SPF_REASON_TERM_LIMIT &&
        t->reason != ONWARD_SPF_REASON_VOID_LIMIT) {
        doctor_find(d, DOCTOR_ERROR, "spf", "permerror", domain, "%s: %s",
                    t->mechanism, onward_spf_reason_text(t->reason));
        doctor_fix(d, "Correct or take out that term: until then the record "
                      "counts for nothing.");
        return false;
    }
    return true;
}

static void examine_strangers(struct doctor *d, struct mending *m,
                              const char *domain)
{
    /* Addresses that nobody has (RFC 1112 section 4, RFC 4291 section 2.4). */
    static const char *const nobody[] = {"240.0.0.1", "4000::1"};
    struct tried t;

    for (size_t i = 0; i < 2; i++) {
        struct onward_ip ip;

        (void)onward_ip_parse(onward_str_of(nobody[i]), &ip);
        if (!try_ip(d, domain, &ip, &t))
            return;
        if (i == 0) {
            if (!examine_verdict(d, domain, &t))
                return;
            examine_limits(d, domain, &t);
        }
        if (t.result == ONWARD_SPF_PASS) {
            doctor_find(d, DOCTOR_ERROR, "spf", "pass-all", domain,
                        "anybody may send: %s lets %s pass, which nobody has",
                        t.mechanism, nobody[i]);
            doctor_fix(d, "List the servers that send, and nobody else.");
            if (is_all(t.mechanism)) {
                set_all(m, "~all");
                m->is_changed = true;
            }
            return;
        }
    }
    if (t.result == ONWARD_SPF_NEUTRAL) {
        doctor_find(d, DOCTOR_WARNING, "spf", "neutral", domain,
                    "of addresses that are not listed the record says "
                    "nothing");
        doctor_fix(d, "End it with ~all, or -all.");
        set_all(m, "~all");
        m->is_changed = true;
    } else if (t.result == ONWARD_SPF_FAIL || t.result == ONWARD_SPF_SOFTFAIL) {
        doctor_find(d, DOCTOR_OK, "spf", "record", domain,
                    "one record, %zu of %d questions, strangers get %s",
                    t.lookups, LOOKUPS_ALLOWED,
                    onward_spf_result_name(t.result));
    }
}

static void examine_coverage(struct doctor *d, struct mending *m,
                             const char *domain)
{
    for (size_t i = 0; i < m->egress_count; i++) {
        char text[ONWARD_IP_TEXT_MAX];
        struct tried t;

        if (!try_ip(d, domain, &d->egress[i], &t))
            return;
        onward_ip_format(&d->egress[i], text, sizeof(text));
        if (t.result == ONWARD_SPF_PASS) {
            doctor_find(d, DOCTOR_OK, "spf", "egress", domain,
                        "%s may send: %s", text, t.mechanism);
        } else if (t.result != ONWARD_SPF_TEMPERROR &&
                   t.result != ONWARD_SPF_PERMERROR) {
            doctor_find(d, DOCTOR_ERROR, "spf", "egress-not-covered", domain,
                        "%s sends and is not in the record: %s", text,
                        onward_spf_result_name(t.result));
            doctor_fix(d, "Add the address.");
            add_egress(m, &d->egress[i]);
            m->is_changed = true;
        }
    }
}

static void examine_ptr(struct doctor *d, const struct mending *m,
                        const char *domain)
{
    for (size_t i = 0; i < m->count; i++) {
        const char *term = without_qualifier(m->terms[i]);

        if (strncasecmp(term, "ptr", 3) == 0 &&
            (term[3] == '\0' || term[3] == ':' || term[3] == '/')) {
            doctor_find(d, DOCTOR_WARNING, "spf", "ptr", domain,
                        "%s: slow, unreliable, and not to be used (RFC 7208 "
                        "section 5.5)",
                        m->terms[i]);
            doctor_fix(d, "Write the addresses as ip4: and ip6:.");
        }
    }
}

static void examine_one(struct doctor *d, struct mending *m, const char *domain,
                        struct onward_str record)
{
    struct onward_spf_fault fault = {.size = sizeof(fault)};
    int err = onward_spf_lint(d->world.ctx, record, &fault);

    if (err == ONWARD_ENOMEM) {
        d->err = err;
    } else if (err != 0) {
        doctor_find(d, DOCTOR_ERROR, "spf", "syntax", domain,
                    "octet %zu of \"%.*s\": %s", fault.offset, (int)record.len,
                    record.data, fault.text);
        doctor_fix(d, "Correct it: until then the record counts for nothing.");
    } else {
        add_record(m, record);
        examine_strangers(d, m, domain);
        examine_ptr(d, m, domain);
        examine_coverage(d, m, domain);
    }
}

/* ---- None, or too many ------------------------------------------------- */

static void examine_none(struct doctor *d, struct mending *m,
                         const char *domain)
{
    bool is_silent = d->is_null_mx && m->egress_count == 0;

    doctor_find(d, DOCTOR_ERROR, "spf", "none", domain,
                "no SPF record: large receivers refuse or junk its mail, and "
                "anybody may send as it");
    if (is_silent) {
        doctor_fix(d, "Say that it sends no mail.");
    } else if (m->egress_count > 0) {
        doctor_fix(d, "Say which addresses send for it.");
    } else {
        doctor_fix(d, "Say which servers send for it: here, those that take "
                      "its mail.");
        add_term(m, "mx", 2);
    }
    for (size_t i = 0; i < m->egress_count; i++)
        add_egress(m, &d->egress[i]);
    set_all(m, is_silent ? "-all" : "~all");
    m->is_changed = true;
}

static void examine_many(struct doctor *d, struct mending *m,
                         const char *domain,
                         const struct onward_dns_lookup *txt, size_t count)
{
    bool has_all = false;

    doctor_find(d, DOCTOR_ERROR, "spf", "many-records", domain,
                "%zu SPF records, and one may be: none of them counts (RFC "
                "7208 section 4.5)",
                count);
    doctor_fix(d, "Delete them and publish one.");
    for (size_t i = 0; i < onward_dns_lookup_count(txt); i++) {
        struct onward_str record = onward_dns_lookup_data(txt, i);

        if (onward_spf_lint(d->world.ctx, record, NULL) == 0)
            add_record(m, record);
    }
    for (size_t i = 0; i < m->egress_count; i++)
        add_egress(m, &d->egress[i]);
    for (size_t i = 0; i < m->count; i++)
        has_all = has_all || is_all(m->terms[i]);
    /* A redirect that stood alone would be lost behind the all of another. */
    for (size_t i = 0; i < m->count; i++) {
        if (is_modifier(m->terms[i], "redirect"))
            return;
    }
    if (!has_all)
        set_all(m, "~all");
    m->is_changed = true;
}

/* "v=spf1ip4:..." and the like, which no receiver reads. */
static void examine_near_misses(struct doctor *d, const char *domain,
                                const struct onward_dns_lookup *txt)
{
    for (size_t i = 0; i < onward_dns_lookup_count(txt); i++) {
        struct onward_str text = onward_dns_lookup_data(txt, i);
        size_t skip = 0;

        while (skip < text.len && strchr(" \t\"'", text.data[skip]) != NULL)
            skip++;
        if (text.len - skip < 5 ||
            (strncasecmp(text.data + skip, "v=spf", 5) != 0 &&
             strncasecmp(text.data + skip, "spf1 ", 5) != 0 &&
             strncasecmp(text.data + skip, "v:spf", 5) != 0) ||
            onward_spf_lint(d->world.ctx, text, NULL) != ONWARD_ENOENT)
            continue;
        doctor_find(d, DOCTOR_WARNING, "spf", "near-miss", domain,
                    "\"%.*s\" is not taken for an SPF record", (int)text.len,
                    text.data);
        doctor_fix(d, "Begin it with \"v=spf1\" and a space.");
    }
}

void doctor_examine_spf(struct doctor *d, const char *domain,
                        size_t egress_count)
{
    struct onward_dns_lookup *txt;
    struct mending *m;
    struct onward_str record = {0};
    size_t count = 0;

    if (!doctor_ask_txt(d, "spf", domain, &txt))
        return;
    m = calloc(1, sizeof(*m));
    if (m == NULL) {
        d->err = ONWARD_ENOMEM;
        onward_dns_lookup_free(txt);
        return;
    }
    examine_near_misses(d, domain, txt);
    m->first = d->count;
    m->egress_count = egress_count;
    for (size_t i = 0; i < onward_dns_lookup_count(txt); i++) {
        struct onward_str text = onward_dns_lookup_data(txt, i);

        if (onward_spf_lint(d->world.ctx, text, NULL) != ONWARD_ENOENT) {
            record = text;
            count++;
        }
    }
    if (count == 0)
        examine_none(d, m, domain);
    else if (count == 1)
        examine_one(d, m, domain, record);
    else
        examine_many(d, m, domain, txt, count);
    hand_out(d, m, domain);
    free(m);
    onward_dns_lookup_free(txt);
}
