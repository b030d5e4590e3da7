/*
 * The words of results and reasons, where the standard has them, and the
 * structs that tell of a chain.
 */
#include "arc/arc_shared.h"

static const struct reason {
    const char *name;
    const char *section;
} reasons[] = {
    [ONWARD_ARC_REASON_NONE] = {"", "RFC 8617 5.2"},
    [ONWARD_ARC_REASON_TOO_MANY] = {"too-many", "RFC 8617 5.2"},
    [ONWARD_ARC_REASON_INSTANCE] = {"instance", "RFC 8617 4.2.1"},
    [ONWARD_ARC_REASON_DUPLICATE] = {"duplicate", "RFC 8617 5.2"},
    [ONWARD_ARC_REASON_GAP] = {"gap", "RFC 8617 5.2"},
    [ONWARD_ARC_REASON_CV] = {"cv", "RFC 8617 5.2"},
    [ONWARD_ARC_REASON_FAILED] = {"failed", "RFC 8617 5.2"},
    [ONWARD_ARC_REASON_MESSAGE] = {"message", "RFC 8617 5.2"},
    [ONWARD_ARC_REASON_SEAL] = {"seal", "RFC 8617 5.2"},
};

static const struct reason *find(int reason)
{
    const int count = (int)(sizeof(reasons) / sizeof(reasons[0]));

    return &reasons[reason < 0 || reason >= count ? 0 : reason];
}

const char *onward_arc_reason_name(int reason)
{
    return find(reason)->name;
}

const char *onward_arc_reason_section(int reason)
{
    return find(reason)->section;
}

const char *onward_arc_result_name(int result)
{
    switch (result) {
    case ONWARD_ARC_PASS:
        return "pass";
    case ONWARD_ARC_FAIL:
        return "fail";
    default:
        return "none";
    }
}

/* At most as many octets as the caller's struct has. */
static void copy_out(void *to, size_t to_size, const void *from,
                     size_t from_size)
{
    memset(to, 0, to_size);
    memcpy(to, from, to_size < from_size ? to_size : from_size);
}

int onward_arc__validate_verdict(const struct onward_arc__validate *v,
                                 struct onward_arc_verdict *verdict)
{
    const struct onward_arc_verdict out = {
        .size = verdict->size,
        .result = (size_t)v->result,
        .reason = (size_t)v->chain.reason,
        .signature_reason = (size_t)v->signature_reason,
        .instance = v->chain.instance,
        .instances = v->chain.count,
        .oldest_pass = v->oldest_pass,
        .has_oldest_pass = v->has_oldest_pass,
        .is_temporary = v->is_temporary,
        .detail = onward_str_of(v->chain.detail)};

    if (verdict->size < sizeof(verdict->size))
        return ONWARD_EINVAL;
    copy_out(verdict, verdict->size, &out, sizeof(out));
    return 0;
}

int onward_arc__validate_set(const struct onward_arc__validate *v,
                             size_t instance, struct onward_arc_set *set)
{
    struct onward_arc_set out = {.size = set->size, .instance = instance};
    const struct onward_arc__set *from;

    if (set->size < sizeof(set->size))
        return ONWARD_EINVAL;
    if (instance == 0 || instance > v->chain.count)
        return ONWARD_ENOENT;
    from = &v->chain.sets[instance - 1];
    out.results = from->results;
    if (from->seal != NULL) {
        const struct onward_dkim__signature *sig = &from->seal->sig;

        out.domain = sig->domain;
        out.domain_ascii = sig->domain_ascii;
        out.selector = sig->selector;
        out.cv = sig->cv;
        out.seal_result = (size_t)sig->verdict.result;
        out.has_time = sig->has_time;
        out.time_s = sig->time_s;
    }
    if (from->ams != NULL) {
        out.message_domain = from->ams->sig.domain;
        out.message_selector = from->ams->sig.selector;
        out.message_result = (size_t)from->ams->sig.verdict.result;
    }
    copy_out(set, set->size, &out, sizeof(out));
    return 0;
}
