/*
 * The chain as it stands in a header: ARC fields sorted into sets, and whether
 * the sets make a chain (RFC 8617 section 5.2 steps 1 to 3).
 */
#include "arc/arc_shared.h"

/* The three fields of a set. */
static const struct field {
    const char *name;
    bool is_signature;
    enum onward_dkim__kind kind; /* when it is one */
} fields[] = {
    {"ARC-Authentication-Results", false, ONWARD_DKIM__AMS},
    {"ARC-Message-Signature", true, ONWARD_DKIM__AMS},
    {"ARC-Seal", true, ONWARD_DKIM__AS},
};

/* The first thing found stays. */
static void refuse(struct onward_arc__chain *chain,
                   enum onward_arc_reason reason, size_t instance,
                   const char *detail)
{
    if (chain->reason != ONWARD_ARC_REASON_NONE)
        return;
    chain->reason = reason;
    chain->instance = instance;
    chain->detail = detail;
}

/* ---- AAR --------------------------------------------------------------- */

/* Past a comment that begins at `at`; at the end when it is not closed. */
static size_t skip_comment(struct onward_str s, size_t at)
{
    size_t depth = 0;

    for (; at < s.len; at++) {
        if (s.data[at] == '\\')
            at++;
        else if (s.data[at] == '(')
            depth++;
        else if (s.data[at] == ')' && --depth == 0)
            return at + 1;
    }
    return s.len;
}

static size_t skip_cfws(struct onward_str s, size_t at)
{
    while (at < s.len) {
        if (s.data[at] == '(')
            at = skip_comment(s, at);
        else if (onward_ascii_is_wsp((unsigned char)s.data[at]) ||
                 s.data[at] == '\r' || s.data[at] == '\n')
            at++;
        else
            break;
    }
    return at;
}

unsigned onward_arc__parse_aar(struct onward_str value,
                               struct onward_str *results)
{
    size_t at = skip_cfws(value, 0);
    size_t digits;
    unsigned instance;

    *results = (struct onward_str){0};
    if (at == value.len || value.data[at] != 'i')
        return 0;
    at = skip_cfws(value, at + 1);
    if (at >= value.len || value.data[at] != '=')
        return 0;
    digits = at = skip_cfws(value, at + 1);
    while (at < value.len &&
           onward_ascii_is_digit((unsigned char)value.data[at]))
        at++;
    instance = onward_dkim__parse_instance(onward_core__sub(value, digits, at));
    at = skip_cfws(value, at);
    if (at >= value.len || value.data[at] != ';')
        return 0;
    *results =
        onward_core__str_trim_crlf(onward_core__sub(value, at + 1, value.len));
    return instance;
}

/* ---- Sorting ----------------------------------------------------------- */

/* The set of an instance that was read; NULL when it was not. */
static struct onward_arc__set *set_of(struct onward_arc__chain *chain,
                                      unsigned instance)
{
    if (instance == 0) {
        refuse(chain, ONWARD_ARC_REASON_INSTANCE, 0,
               "a field has no instance from 1 to 50");
        return NULL;
    }
    if (instance > chain->count)
        chain->count = instance;
    return &chain->sets[instance - 1];
}

static void take_aar(struct onward_arc__chain *chain,
                     const struct onward_header *header, size_t item)
{
    struct onward_str results;
    unsigned instance =
        onward_arc__parse_aar(onward_mime__value(header, item), &results);
    struct onward_arc__set *set = set_of(chain, instance);

    if (set == NULL)
        return;
    if (set->aar != ONWARD_HEADER_NONE) {
        refuse(chain, ONWARD_ARC_REASON_DUPLICATE, instance,
               "a set has its results twice");
        return;
    }
    set->aar = item;
    set->results = results;
}

static int take_signature(struct onward_arena *arena,
                          struct onward_arc__chain *chain,
                          enum onward_dkim__kind kind,
                          const struct onward_header *header, size_t item,
                          const struct onward_dkim__policy *policy)
{
    struct onward_dkim__check *check =
        onward_core__arena_alloc(arena, sizeof(*check));
    struct onward_dkim__check **place;
    struct onward_arc__set *set;
    int err;

    if (check == NULL)
        return ONWARD_ENOMEM;
    err = onward_dkim__signature_parse(arena, kind, header, item, policy,
                                       &check->sig);
    if (err != 0)
        return err;
    set = set_of(chain, check->sig.instance);
    if (set == NULL)
        return 0;
    place = kind == ONWARD_DKIM__AMS ? &set->ams : &set->seal;
    if (*place != NULL)
        refuse(chain, ONWARD_ARC_REASON_DUPLICATE, check->sig.instance,
               "a set has a signature twice");
    else
        *place = check;
    return 0;
}

/* All fields of one name; more of them than there can be sets cost nothing. */
static int take_all(struct onward_arena *arena, struct onward_arc__chain *chain,
                    const struct field *field,
                    const struct onward_header *header,
                    const struct onward_dkim__policy *policy)
{
    size_t item = onward_header_first(header, onward_str_of(field->name));
    int err = 0;

    for (size_t n = 0; item != ONWARD_HEADER_NONE && err == 0; n++) {
        chain->has_fields = true;
        if (n == ONWARD_ARC__SETS_MAX) {
            refuse(chain, ONWARD_ARC_REASON_TOO_MANY, 0, "above 50 sets");
            break;
        }
        if (field->is_signature)
            err =
                take_signature(arena, chain, field->kind, header, item, policy);
        else
            take_aar(chain, header, item);
        item = header->items[item].below;
    }
    return err;
}

/* ---- Structure --------------------------------------------------------- */

static void check_structure(struct onward_arc__chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        const struct onward_arc__set *set = &chain->sets[i];
        struct onward_str want =
            i == 0 ? ONWARD_STR("none") : ONWARD_STR("pass");

        if (set->aar == ONWARD_HEADER_NONE || set->ams == NULL ||
            set->seal == NULL)
            refuse(chain, ONWARD_ARC_REASON_GAP, i + 1,
                   "a set is not complete");
        else if (!onward_core__str_eq(set->seal->sig.cv, want))
            refuse(chain, ONWARD_ARC_REASON_CV, i + 1,
                   i == 0 ? "cv= of the first set is not none"
                          : "cv= is not pass");
    }
}

static bool has_fields(const struct onward_header *header)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (onward_header_count_named(header, onward_str_of(fields[i].name)) >
            0)
            return true;
    }
    return false;
}

int onward_arc__collect(struct onward_arena *arena,
                        const struct onward_header *header,
                        const struct onward_dkim__policy *policy,
                        struct onward_arc__chain *chain)
{
    const struct onward_dkim__check *newest;
    int err = 0;

    memset(chain, 0, sizeof(*chain));
    chain->detail = "";
    if (!has_fields(header))
        return 0;
    chain->sets = onward_core__arena_array(arena, ONWARD_ARC__SETS_MAX,
                                           sizeof(*chain->sets));
    if (chain->sets == NULL)
        return ONWARD_ENOMEM;
    for (size_t i = 0; i < ONWARD_ARC__SETS_MAX; i++)
        chain->sets[i].aar = ONWARD_HEADER_NONE;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && err == 0; i++)
        err = take_all(arena, chain, &fields[i], header, policy);
    if (err != 0 || chain->count == 0)
        return err;
    newest = chain->sets[chain->count - 1].seal;
    if (newest != NULL &&
        onward_core__str_eq(newest->sig.cv, ONWARD_STR("fail"))) {
        chain->ends_in_fail = true;
        chain->reason = ONWARD_ARC_REASON_NONE; /* step 2 comes first */
        refuse(chain, ONWARD_ARC_REASON_FAILED, chain->count,
               "the newest seal says cv=fail");
    }
    check_structure(chain);
    return 0;
}

size_t onward_arc__arena_max(struct onward_ctx *ctx)
{
    size_t header = onward_core__limits(ctx)->header_bytes;
    const size_t fixed = 262144; /* 150 fields, their names and hashes */

    return header > (SIZE_MAX - fixed) / 3 ? SIZE_MAX : header * 3 + fixed;
}

void onward_arc__hash_set(struct sha256_ctx *sha,
                          const struct onward_header *header,
                          const struct onward_arc__set *set)
{
    const struct onward_str no_hole = {0};

    onward_dkim__hash_field(sha, ONWARD_DKIM__RELAXED,
                            onward_dkim__field(header, set->aar), no_hole,
                            true);
    onward_dkim__hash_field(sha, ONWARD_DKIM__RELAXED, set->ams->sig.field,
                            no_hole, true);
}
