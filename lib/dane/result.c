/*
 * What a look-up found, as its owner reads it, and the words for it.
 */
#include "dane/dane_priv.h"

int onward_dane_lookup_result(const struct onward_dane_lookup *lookup)
{
    return lookup == NULL ? ONWARD_DANE_RESULT_PENDING : (int)lookup->result;
}

int onward_dane_lookup_reason(const struct onward_dane_lookup *lookup)
{
    return lookup == NULL ? ONWARD_DANE_REASON_PENDING : (int)lookup->reason;
}

int onward_dane_lookup_failure(const struct onward_dane_lookup *lookup)
{
    switch (onward_dane_lookup_reason(lookup)) {
    case ONWARD_DANE_REASON_BAD_RECORDS:
        return ONWARD_TLS_TLSA_INVALID;
    case ONWARD_DANE_REASON_ADDRESS_BOGUS:
    case ONWARD_DANE_REASON_ALIAS_FAILED:
    case ONWARD_DANE_REASON_RECORDS_FAILED:
    case ONWARD_DANE_REASON_RECORDS_BOGUS:
        return ONWARD_TLS_DNSSEC_INVALID;
    default:
        return ONWARD_TLS_OK;
    }
}

/* Were secure records found? */
static bool has_answer(const struct onward_dane_lookup *lookup)
{
    int result = onward_dane_lookup_result(lookup);

    return result == ONWARD_DANE_RESULT_USABLE ||
           result == ONWARD_DANE_RESULT_UNUSABLE;
}

struct onward_str
onward_dane_lookup_base_domain(const struct onward_dane_lookup *lookup)
{
    if (!has_answer(lookup))
        return onward_core__str(NULL, 0);
    return lookup->bases[lookup->base_at];
}

struct onward_str
onward_dane_lookup_asked(const struct onward_dane_lookup *lookup)
{
    return lookup == NULL ? onward_core__str(NULL, 0) : lookup->asked;
}

size_t onward_dane_lookup_count(const struct onward_dane_lookup *lookup)
{
    return has_answer(lookup) ? lookup->record_count : 0;
}

struct onward_str
onward_dane_lookup_record(const struct onward_dane_lookup *lookup, size_t i)
{
    if (i >= onward_dane_lookup_count(lookup))
        return onward_core__str(NULL, 0);
    return lookup->records[i];
}

size_t onward_dane_lookup_answer_count(const struct onward_dane_lookup *lookup)
{
    return has_answer(lookup) ? lookup->tlsa.answer->count : 0;
}

struct onward_str
onward_dane_lookup_answer(const struct onward_dane_lookup *lookup, size_t i)
{
    if (i >= onward_dane_lookup_answer_count(lookup))
        return onward_core__str(NULL, 0);
    return lookup->tlsa.answer->records[i].data;
}

size_t onward_dane_lookup_name_count(const struct onward_dane_lookup *lookup)
{
    return has_answer(lookup) ? lookup->name_count : 0;
}

struct onward_str
onward_dane_lookup_name(const struct onward_dane_lookup *lookup, size_t i)
{
    if (i >= onward_dane_lookup_name_count(lookup))
        return onward_core__str(NULL, 0);
    return lookup->names[i];
}

int onward_dane_lookup_demand(const struct onward_dane_lookup *lookup,
                              struct onward_tls_demand *demand)
{
    struct onward_tls_demand out = {.size = sizeof(out)};

    /* What comes behind the records is not for DANE alone. */
    if (lookup == NULL || demand == NULL ||
        demand->size < offsetof(struct onward_tls_demand, pkix_names))
        return ONWARD_EINVAL;
    switch (lookup->result) {
    case ONWARD_DANE_RESULT_PENDING:
    case ONWARD_DANE_RESULT_FAILED:
        return ONWARD_ESTATE;
    case ONWARD_DANE_RESULT_NONE:
        out.level = ONWARD_TLS_OPPORTUNISTIC;
        /* A literal is no name to ask for. */
        out.names = &lookup->name;
        out.name_count = lookup->name.len > 0 ? 1 : 0;
        break;
    case ONWARD_DANE_RESULT_USABLE:
    case ONWARD_DANE_RESULT_UNUSABLE:
        out.level =
            lookup->record_count > 0 ? ONWARD_TLS_DANE : ONWARD_TLS_ENCRYPTED;
        out.names = lookup->names;
        out.name_count = lookup->name_count;
        out.server_name = lookup->bases[lookup->base_at];
        out.tlsa = lookup->record_count > 0 ? lookup->records : NULL;
        out.tlsa_count = lookup->record_count;
        break;
    }
    return onward_core__out_store(demand, &out, sizeof(out));
}

/* ---- Words ------------------------------------------------------------- */

static const char *const result_names[] = {
    [ONWARD_DANE_RESULT_PENDING] = "pending",
    [ONWARD_DANE_RESULT_NONE] = "none",
    [ONWARD_DANE_RESULT_USABLE] = "usable",
    [ONWARD_DANE_RESULT_UNUSABLE] = "unusable",
    [ONWARD_DANE_RESULT_FAILED] = "failed",
};

static const struct words {
    const char *name;
    const char *text;
} reasons[] = {
    [ONWARD_DANE_REASON_PENDING] = {"pending", "Not known yet"},
    [ONWARD_DANE_REASON_RECORDS] = {"records",
                                    "The server publishes TLSA records"},
    [ONWARD_DANE_REASON_NO_RECORDS] = {"no-records",
                                       "The server publishes no TLSA records"},
    [ONWARD_DANE_REASON_INSECURE_RECORDS] =
        {"insecure-records", "The TLSA records are not secured by DNSSEC"},
    [ONWARD_DANE_REASON_INSECURE_HOST] =
        {"insecure-host", "The server's address is not secured by DNSSEC"},
    [ONWARD_DANE_REASON_INSECURE_MX] =
        {"insecure-mx", "The MX record is not secured by DNSSEC"},
    [ONWARD_DANE_REASON_LITERAL] = {"literal",
                                    "An address has no TLSA records"},
    [ONWARD_DANE_REASON_BAD_RECORDS] =
        {"bad-records", "None of the server's TLSA records is usable for SMTP"},
    [ONWARD_DANE_REASON_NO_ADDRESS] = {"no-address",
                                       "The server has no address"},
    [ONWARD_DANE_REASON_ADDRESS_FAILED] =
        {"address-failed", "The server's address cannot be looked up now"},
    [ONWARD_DANE_REASON_ADDRESS_BOGUS] =
        {"address-bogus", "The server's address fails DNSSEC validation"},
    [ONWARD_DANE_REASON_ALIAS_FAILED] =
        {"alias-failed", "The server's CNAME cannot be looked up now"},
    [ONWARD_DANE_REASON_RECORDS_FAILED] =
        {"records-failed", "The TLSA records cannot be looked up now"},
    [ONWARD_DANE_REASON_RECORDS_BOGUS] =
        {"records-bogus", "The TLSA records fail DNSSEC validation"},
    [ONWARD_DANE_REASON_BAD_HOST] = {"bad-host", "That is no host name"},
    [ONWARD_DANE_REASON_INTERNAL] = {"internal",
                                     "The look-up failed on our own side"},
};

const char *onward_dane_result_name(int result)
{
    if (result < 0 ||
        (size_t)result >= sizeof(result_names) / sizeof(result_names[0]))
        return "unknown";
    return result_names[result];
}

static const struct words *words_of(int reason)
{
    static const struct words unknown = {"unknown", "Unknown reason"};

    if (reason < 0 || (size_t)reason >= sizeof(reasons) / sizeof(reasons[0]))
        return &unknown;
    return &reasons[reason];
}

const char *onward_dane_reason_name(int reason)
{
    return words_of(reason)->name;
}

const char *onward_dane_reason_text(int reason)
{
    return words_of(reason)->text;
}
