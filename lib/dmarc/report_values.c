/*
 * What the texts of a report mean, element by element. What others write wrong
 * is read as far as it can be, and noted.
 */
#include "core/text_shared.h"
#include "dmarc/report_read_priv.h"

void onward_dmarc__note(struct onward_dmarc_reader *r,
                        enum onward_dmarc_oddity oddity)
{
    r->facts.oddities |= (size_t)oddity;
}

/* ---- The values of slots ----------------------------------------------- */

struct onward_str onward_dmarc__slot_text(const struct onward_dmarc_reader *r,
                                          enum slot slot)
{
    return onward_core__str_trim_crlf(onward_core__buf_str(&r->slots[slot]));
}

/* What stands where it must. */
static struct onward_str need(struct onward_dmarc_reader *r, enum slot slot)
{
    struct onward_str text = onward_dmarc__slot_text(r, slot);

    if (text.len == 0)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_MISSING);
    return text;
}

/* A word of a list, or else dflt: 1 for the first of words. */
static size_t word(struct onward_dmarc_reader *r, struct onward_str text,
                   const char *const *words, size_t dflt)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        struct onward_str one = onward_str_of(words[i]);

        if (!onward_core__str_ieq(text, one))
            continue;
        if (!onward_core__str_eq(text, one))
            onward_dmarc__note(r, ONWARD_DMARC_ODDITY_CASE);
        return i + 1;
    }
    if (text.len != 0)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_VALUE);
    return dflt;
}

static int64_t seconds(struct onward_dmarc_reader *r, enum slot slot)
{
    struct onward_str text = need(r, slot);
    uint64_t value = 0;

    if (text.len == 0)
        return 0;
    if (onward_core__parse_u64(text, 18, &value) != 0) {
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_VALUE);
        return 0;
    }
    return (int64_t)value;
}

/* A word of DKIM's or SPF's results stays as it is, but in lower case. */
static struct onward_str result(struct onward_dmarc_reader *r,
                                const char *(*find)(struct onward_str))
{
    struct onward_str text = need(r, SLOT_RESULT);
    const char *found = find(text);

    if (found == NULL) {
        if (text.len != 0)
            onward_dmarc__note(r, ONWARD_DMARC_ODDITY_VALUE);
        return text;
    }
    if (!onward_core__str_eq(text, onward_str_of(found)))
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_CASE);
    return onward_str_of(found);
}

/* ---- What is complete -------------------------------------------------- */

/* A row's limit is no reason to give the report up. */
static void added(struct onward_dmarc_reader *r, int err)
{
    if (err == ONWARD_ELIMIT)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_MANY);
    else if (err != 0)
        onward_dmarc__reader_stop(r, err, NULL);
}

void onward_dmarc__end_auth(struct onward_dmarc_reader *r, bool is_dkim)
{
    struct onward_dmarc_auth_facts auth = {.size = sizeof(auth)};

    auth.domain = need(r, SLOT_DOMAIN);
    auth.human_result = onward_dmarc__slot_text(r, SLOT_HUMAN);
    auth.result =
        result(r, is_dkim ? onward_dmarc__dkim_word : onward_dmarc__spf_word);
    if (is_dkim) {
        auth.selector = onward_dmarc__slot_text(r, SLOT_SELECTOR);
        if (auth.selector.len == 0 &&
            r->facts.schema == ONWARD_DMARC_SCHEMA_RFC9990)
            onward_dmarc__note(r, ONWARD_DMARC_ODDITY_MISSING);
        added(r, onward_dmarc_row_add_dkim(r->row, &auth));
    } else {
        auth.scope = onward_dmarc__slot_text(r, SLOT_SCOPE);
        added(r, onward_dmarc_row_add_spf(r->row, &auth));
    }
}

void onward_dmarc__end_reason(struct onward_dmarc_reader *r)
{
    struct onward_str type = need(r, SLOT_TYPE);
    bool is_old = r->facts.schema != ONWARD_DMARC_SCHEMA_RFC9990;
    const char *found = onward_dmarc__reason_word(type, is_old);

    if (found == NULL) {
        if (type.len != 0)
            onward_dmarc__note(r, ONWARD_DMARC_ODDITY_VALUE);
    } else if (!onward_core__str_eq(type, onward_str_of(found))) {
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_CASE);
        type = onward_str_of(found);
    }
    added(r, onward_dmarc_row_add_reason(
                 r->row, type, onward_dmarc__slot_text(r, SLOT_COMMENT)));
}

static void fill_row(struct onward_dmarc_reader *r,
                     struct onward_dmarc_row_facts *f)
{
    static const char *const results[] = {"pass", "fail", NULL};
    struct onward_str count = need(r, SLOT_COUNT);
    struct onward_str disposition = need(r, SLOT_DISPOSITION);
    struct onward_dmarc__word read =
        onward_dmarc__read_disposition(disposition);
    struct onward_ip ip;

    f->source_ip = need(r, SLOT_SOURCE_IP);
    if (f->source_ip.len != 0 && onward_ip_parse(f->source_ip, &ip) != 0)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_VALUE);
    if (count.len != 0 && onward_core__parse_u64(count, 20, &f->count) != 0)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_VALUE);
    f->disposition = read.value;
    if (read.is_odd_case)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_CASE);
    if (read.value == 0 && disposition.len != 0)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_VALUE);
    f->is_dkim_aligned = word(r, need(r, SLOT_DKIM_ALIGNED), results, 2) == 1;
    f->is_spf_aligned = word(r, need(r, SLOT_SPF_ALIGNED), results, 2) == 1;
    f->header_from = need(r, SLOT_HEADER_FROM);
    f->envelope_from = onward_dmarc__slot_text(r, SLOT_ENVELOPE_FROM);
    f->has_envelope_from = r->has[SLOT_ENVELOPE_FROM];
    f->envelope_to = onward_dmarc__slot_text(r, SLOT_ENVELOPE_TO);
}

void onward_dmarc__end_record(struct onward_dmarc_reader *r)
{
    struct onward_dmarc_row_facts f = {.size = sizeof(f)};
    int err;

    fill_row(r, &f);
    err = onward_dmarc_row_set(r->row, &f);
    if (err == ONWARD_ELIMIT) {
        /* The results took the room of all texts: the facts matter more. */
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_MANY);
        onward_dmarc_row_reset(r->row);
        err = onward_dmarc_row_set(r->row, &f);
    }
    if (err != 0) {
        onward_dmarc__reader_stop(r, err, NULL);
        return;
    }
    if (r->facts.rows == r->max_rows) {
        onward_dmarc__reader_stop(r, ONWARD_ELIMIT,
                                  "more records than allowed");
        return;
    }
    r->facts.rows++;
    onward_core__guard_enter(&r->guard);
    err = r->host.row(r->host.user, r->row);
    onward_core__guard_leave(&r->guard);
    if (r->guard.is_dead)
        onward_dmarc__reader_stop(r, ONWARD_ECANCELED, NULL);
    else if (err < 0)
        onward_dmarc__reader_stop(r, ONWARD_ECALLBACK, NULL);
}

void onward_dmarc__end_version(struct onward_dmarc_reader *r)
{
    if (!onward_core__str_eq(onward_dmarc__slot_text(r, SLOT_VERSION),
                             ONWARD_STR("1.0")))
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_VERSION);
}

void onward_dmarc__end_metadata(struct onward_dmarc_reader *r)
{
    need(r, SLOT_ORG_NAME);
    need(r, SLOT_EMAIL);
    need(r, SLOT_REPORT_ID);
    r->facts.begin_s = seconds(r, SLOT_BEGIN);
    r->facts.end_s = seconds(r, SLOT_END);
}

void onward_dmarc__end_policy(struct onward_dmarc_reader *r)
{
    static const char *const policies[] = {"none", "quarantine", "reject",
                                           NULL};
    static const char *const modes[] = {"r", "s", NULL};
    static const char *const answers[] = {"n", "y", NULL};
    static const char *const methods[] = {"treewalk", "psl", NULL};
    struct onward_dmarc_report_facts *f = &r->facts;
    size_t method =
        word(r, onward_dmarc__slot_text(r, SLOT_DISCOVERY), methods, 0);

    need(r, SLOT_POLICY_DOMAIN);
    f->policy = word(r, need(r, SLOT_P), policies, 0);
    f->subdomain_policy =
        word(r, onward_dmarc__slot_text(r, SLOT_SP), policies, 0);
    f->nonexistent_policy =
        word(r, onward_dmarc__slot_text(r, SLOT_NP), policies, 0);
    f->is_dkim_strict =
        word(r, onward_dmarc__slot_text(r, SLOT_ADKIM), modes, 1) == 2;
    f->is_spf_strict =
        word(r, onward_dmarc__slot_text(r, SLOT_ASPF), modes, 1) == 2;
    f->is_testing =
        word(r, onward_dmarc__slot_text(r, SLOT_TESTING), answers, 1) == 2;
    f->has_discovery = method != 0;
    f->discovery = method == 2 ? ONWARD_DMARC_DISCOVERY_RFC7489
                               : ONWARD_DMARC_DISCOVERY_RFC9989;
}

/* The whole report: is what must be there there? */
void onward_dmarc__end_feedback(struct onward_dmarc_reader *r)
{
    if (!r->has[SLOT_REPORT_ID] || !r->has[SLOT_POLICY_DOMAIN] ||
        r->facts.rows == 0)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_MISSING);
    /* RFC 9990 section 3.1.1.2 lets it out; RFC 7489 Appendix C does not. */
    if (!r->has[SLOT_VERSION] && r->facts.schema != ONWARD_DMARC_SCHEMA_RFC9990)
        onward_dmarc__note(r, ONWARD_DMARC_ODDITY_VERSION);
}
