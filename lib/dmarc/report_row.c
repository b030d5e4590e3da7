/* A row of a report: what was seen of messages that are alike. */
#include "dmarc/report_priv.h"

enum {
    /* All texts of a row: room for the lists at their limits with texts of the
     * usual length, not with every text at its own limit. */
    TEXT_BYTES = 256 * 1024,
    /* More than that can become with what is around it: what fails is memory.
     */
    ARENA_BYTES = 4 * TEXT_BYTES
};

static void lists_init(struct onward_dmarc_row *row)
{
    row->dkim = (struct onward_dmarc__auths){.end = &row->dkim.first};
    row->spf = (struct onward_dmarc__auths){.end = &row->spf.first};
    row->reasons = NULL;
    row->reasons_end = &row->reasons;
    row->reason_count = 0;
    row->text_bytes = 0;
    row->facts = (struct onward_dmarc_row_facts){.size = sizeof(row->facts)};
}

int onward_dmarc_row_new(struct onward_ctx *ctx, struct onward_dmarc_row **row)
{
    struct onward_dmarc_row *r;

    if (ctx == NULL || row == NULL)
        return ONWARD_EINVAL;
    r = onward_core__zalloc(ctx, sizeof(*r));
    if (r == NULL)
        return ONWARD_ENOMEM;
    r->ctx = onward_ctx_ref(ctx);
    onward_core__arena_init(&r->arena, ctx, ARENA_BYTES);
    lists_init(r);
    *row = r;
    return 0;
}

void onward_dmarc_row_free(struct onward_dmarc_row *row)
{
    struct onward_ctx *ctx;

    if (row == NULL)
        return;
    ctx = row->ctx;
    onward_core__arena_clear(&row->arena);
    onward_core__free(ctx, row);
    onward_ctx_free(ctx);
}

void onward_dmarc_row_reset(struct onward_dmarc_row *row)
{
    onward_core__arena_reset(&row->arena);
    lists_init(row);
}

/* Is there room for these texts? Then it is taken. */
static int take_room(struct onward_dmarc_row *row,
                     const struct onward_str *texts, size_t count)
{
    size_t sum = 64; /* what holds them */

    for (size_t i = 0; i < count; i++) {
        if (texts[i].len > ONWARD_DMARC_ROW_TEXT_MAX)
            return ONWARD_ELIMIT;
        sum += texts[i].len + 32;
    }
    if (sum > TEXT_BYTES - row->text_bytes)
        return ONWARD_ELIMIT;
    row->text_bytes += sum;
    return 0;
}

static int dup_all(struct onward_dmarc_row *row, struct onward_str *texts,
                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int err = onward_core__arena_dup(&row->arena, texts[i], &texts[i]);

        if (err != 0)
            return err;
    }
    return 0;
}

int onward_dmarc_row_set(struct onward_dmarc_row *row,
                         const struct onward_dmarc_row_facts *facts)
{
    struct onward_dmarc_row_facts f;
    struct onward_str texts[4];
    int err;

    if (facts == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&f, sizeof(f), facts);
    if (err != 0)
        return err;
    if (f.disposition > ONWARD_DMARC_DISPOSITION_PASS || f.reserved != 0)
        return ONWARD_EINVAL;
    texts[0] = f.source_ip;
    texts[1] = f.header_from;
    texts[2] = f.envelope_from;
    texts[3] = f.envelope_to;
    err = take_room(row, texts, 4);
    if (err == 0)
        err = dup_all(row, texts, 4);
    if (err != 0)
        return err;
    f.source_ip = texts[0];
    f.header_from = texts[1];
    f.envelope_from = texts[2];
    f.envelope_to = texts[3];
    f.size = sizeof(f);
    row->facts = f;
    return 0;
}

static int add(struct onward_dmarc_row *row, struct onward_dmarc__auths *list,
               size_t max, const struct onward_dmarc_auth_facts *auth,
               bool is_dkim)
{
    struct onward_dmarc_auth_facts f;
    struct onward_dmarc__auth *a;
    struct onward_str texts[4];
    int err;

    if (auth == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&f, sizeof(f), auth);
    if (err != 0)
        return err;
    if (list->count == max)
        return ONWARD_ELIMIT;
    texts[0] = f.domain;
    texts[1] = is_dkim ? f.selector : f.scope;
    texts[2] = f.result;
    texts[3] = f.human_result;
    err = take_room(row, texts, 4);
    if (err != 0)
        return err;
    a = onward_core__arena_alloc(&row->arena, sizeof(*a));
    if (a == NULL || dup_all(row, texts, 4) != 0)
        return ONWARD_ENOMEM;
    a->domain = texts[0];
    *(is_dkim ? &a->selector : &a->scope) = texts[1];
    a->result = texts[2];
    a->human_result = texts[3];
    *list->end = a;
    list->end = &a->next;
    list->count++;
    return 0;
}

int onward_dmarc_row_add_dkim(struct onward_dmarc_row *row,
                              const struct onward_dmarc_auth_facts *auth)
{
    return add(row, &row->dkim, ONWARD_DMARC_ROW_DKIM_MAX, auth, true);
}

int onward_dmarc_row_add_spf(struct onward_dmarc_row *row,
                             const struct onward_dmarc_auth_facts *auth)
{
    return add(row, &row->spf, ONWARD_DMARC_ROW_SPF_MAX, auth, false);
}

int onward_dmarc_row_add_reason(struct onward_dmarc_row *row,
                                struct onward_str type,
                                struct onward_str comment)
{
    struct onward_str texts[2] = {type, comment};
    struct onward_dmarc__reason *r;
    int err;

    if (row->reason_count == ONWARD_DMARC_ROW_REASONS_MAX)
        return ONWARD_ELIMIT;
    err = take_room(row, texts, 2);
    if (err != 0)
        return err;
    r = onward_core__arena_alloc(&row->arena, sizeof(*r));
    if (r == NULL || dup_all(row, texts, 2) != 0)
        return ONWARD_ENOMEM;
    r->type = texts[0];
    r->comment = texts[1];
    *row->reasons_end = r;
    row->reasons_end = &r->next;
    row->reason_count++;
    return 0;
}

/* ---- Reading it -------------------------------------------------------- */

int onward_dmarc_row_get(const struct onward_dmarc_row *row,
                         struct onward_dmarc_row_facts *facts)
{
    return onward_core__out_store(facts, &row->facts, sizeof(row->facts));
}

static int look(const struct onward_dmarc__auths *list, size_t i,
                struct onward_dmarc_auth_facts *auth)
{
    const struct onward_dmarc__auth *a = list->first;
    struct onward_dmarc_auth_facts f;

    if (i >= list->count)
        return ONWARD_ENOENT;
    while (i-- != 0)
        a = a->next;
    f = (struct onward_dmarc_auth_facts){.size = sizeof(f),
                                         .domain = a->domain,
                                         .selector = a->selector,
                                         .scope = a->scope,
                                         .result = a->result,
                                         .human_result = a->human_result};
    return onward_core__out_store(auth, &f, sizeof(f));
}

size_t onward_dmarc_row_dkim_count(const struct onward_dmarc_row *row)
{
    return row->dkim.count;
}

int onward_dmarc_row_dkim(const struct onward_dmarc_row *row, size_t i,
                          struct onward_dmarc_auth_facts *auth)
{
    return look(&row->dkim, i, auth);
}

size_t onward_dmarc_row_spf_count(const struct onward_dmarc_row *row)
{
    return row->spf.count;
}

int onward_dmarc_row_spf(const struct onward_dmarc_row *row, size_t i,
                         struct onward_dmarc_auth_facts *auth)
{
    return look(&row->spf, i, auth);
}

size_t onward_dmarc_row_reason_count(const struct onward_dmarc_row *row)
{
    return row->reason_count;
}

void onward_dmarc_row_reason(const struct onward_dmarc_row *row, size_t i,
                             struct onward_str *type,
                             struct onward_str *comment)
{
    const struct onward_dmarc__reason *r = row->reasons;

    while (r != NULL && i-- != 0)
        r = r->next;
    *type = r != NULL ? r->type : onward_core__str("", 0);
    if (comment != NULL)
        *comment = r != NULL ? r->comment : onward_core__str("", 0);
}
