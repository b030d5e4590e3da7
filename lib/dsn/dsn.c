/* A notice that is being made up: outcomes are checked and kept, then given to
 * the builder of messages. */
#include "address/address_shared.h"
#include "core/domain_shared.h"
#include "dsn/dsn_priv.h"

_Static_assert(offsetof(struct onward_dsn_opts, log_id) + sizeof(uint64_t) ==
                   sizeof(struct onward_dsn_opts),
               "no tail padding");
_Static_assert(offsetof(struct onward_dsn_outcome, will_retry_until_s) +
                       sizeof(int64_t) ==
                   sizeof(struct onward_dsn_outcome),
               "no tail padding");

enum {
    KEPT_MAX = 64 * 1024 * 1024,
    ORIGINAL_DEFAULT = 65536,
    RECIPIENTS_DEFAULT = 1000,
    ENVID_MAX = 998 - 32,
    ORCPT_MAX = 500 /* RFC 3461 section 4.2 */
};

static bool is_printable(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < ' ' || s.data[i] >= 0x7f)
            return false;
    }
    return true;
}

/* A domain, or an address in brackets (RFC 3464 section 2.2.2). */
static bool is_mta(struct onward_str s)
{
    if (s.len < 3 || s.len > ONWARD_DOMAIN_MAX || s.data[0] != '[')
        return onward_core__domain_is_hostname(s);
    for (size_t i = 1; i + 1 < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (!onward_ascii_is_alnum(c) && c != ':' && c != '.' && c != '-')
            return false;
    }
    return s.data[s.len - 1] == ']';
}

/* ---- Life -------------------------------------------------------------- */

/* Texts into the arena. */
static int keep_opts(struct onward_dsn *dsn)
{
    struct onward_dsn_opts *o = &dsn->opts;
    struct onward_str *texts[] = {&o->reporting_mta, &o->reverse_path,
                                  &o->from,          &o->from_name,
                                  &o->envid,         &o->received_from};
    int err = 0;

    for (size_t i = 0; err == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
        err = onward_core__arena_dup(&dsn->arena, *texts[i], texts[i]);
    o->max_original = onward_core__limit(o->max_original, ORIGINAL_DEFAULT);
    o->max_recipients =
        onward_core__limit(o->max_recipients, RECIPIENTS_DEFAULT);
    return err;
}

int onward_dsn_new(struct onward_ctx *ctx, const struct onward_dsn_opts *opts,
                   struct onward_dsn **out)
{
    struct onward_dsn_opts o;
    struct onward_dsn *dsn;
    int err;

    if (ctx == NULL || opts == NULL || out == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err != 0)
        return err;
    if (o.reverse_path.len == 0 || o.ret > ONWARD_SMTP_RET_HDRS)
        return ONWARD_EINVAL;
    if (!onward_core__domain_is_hostname(o.reporting_mta) ||
        (o.received_from.len > 0 && !is_mta(o.received_from)) ||
        !is_printable(o.envid) || o.envid.len > ENVID_MAX)
        return ONWARD_ESYNTAX;
    dsn = onward_core__zalloc(ctx, sizeof(*dsn));
    if (dsn == NULL)
        return ONWARD_ENOMEM;
    dsn->ctx = onward_ctx_ref(ctx);
    dsn->opts = o;
    onward_core__arena_init(&dsn->arena, ctx, KEPT_MAX);
    err = keep_opts(dsn);
    if (err != 0) {
        onward_dsn_free(dsn);
        return err;
    }
    *out = dsn;
    return 0;
}

void onward_dsn_free(struct onward_dsn *dsn)
{
    struct onward_ctx *ctx;

    if (dsn == NULL)
        return;
    ctx = dsn->ctx;
    onward_core__arena_clear(&dsn->arena);
    onward_core__free(ctx, dsn);
    onward_ctx_free(ctx);
}

/* ---- Outcomes ---------------------------------------------------------- */

static bool is_status_of(struct onward_str status, size_t action)
{
    if (!onward_dsn__is_status(status))
        return false;
    if (action == ONWARD_DSN_FAILED)
        return status.data[0] != '2'; /* 4: given up at last */
    return status.data[0] == (action == ONWARD_DSN_DELAYED ? '4' : '2');
}

/* "type;address", the type an atom. */
static bool is_orcpt(struct onward_str s)
{
    size_t end = onward_core__str_find(s, ';');

    for (size_t i = 0; i < end; i++) {
        if (!onward_ascii_is_alnum((unsigned char)s.data[i]) &&
            s.data[i] != '-' && s.data[i] != '_')
            return false;
    }
    return end > 0 && end + 1 < s.len;
}

/* 0, ONWARD_ESYNTAX or ONWARD_ENOMEM. */
static int check_recipient(struct onward_ctx *ctx, struct onward_str address)
{
    struct onward_address__mailbox mailbox;
    struct onward_arena arena;
    int err;

    onward_core__arena_init(&arena, ctx, 64 * 1024);
    err = onward_address__parse_mailbox(
        &arena, address,
        ONWARD_ADDRESS_ALLOW_UTF8 | ONWARD_ADDRESS_ALLOW_POSTMASTER, &mailbox,
        NULL);
    onward_core__arena_clear(&arena);
    return err == 0 || err == ONWARD_ENOMEM ? err : ONWARD_ESYNTAX;
}

static int check(struct onward_dsn *dsn, const struct onward_dsn_outcome *o)
{
    if (o->action == ONWARD_DSN_UNKNOWN || o->action >= ONWARD_DSN__ACTIONS ||
        !onward_dsn__is_notify(o->notify) || o->reserved != 0)
        return ONWARD_EINVAL;
    if (!is_status_of(o->status, o->action) ||
        (o->orcpt.len > 0 && !is_orcpt(o->orcpt)) ||
        (o->remote_mta.len > 0 && !is_mta(o->remote_mta)))
        return ONWARD_ESYNTAX;
    return check_recipient(dsn->ctx, o->recipient);
}

static int keep(struct onward_dsn *dsn, struct onward_dsn_outcome *o)
{
    struct onward_str *texts[] = {&o->recipient, &o->orcpt,      &o->status,
                                  &o->remote_mta, &o->diagnostic, &o->log_id};
    int err = 0;

    o->orcpt = onward_core__sub(o->orcpt, 0, ORCPT_MAX);
    /* One more than is written, so that it is known to be cut. */
    o->diagnostic =
        onward_core__sub(o->diagnostic, 0, ONWARD_DSN__TEXT_MAX + 1);
    o->log_id = onward_core__sub(o->log_id, 0, ONWARD_DSN__TEXT_MAX + 1);
    for (size_t i = 0; err == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
        err = onward_core__arena_dup(&dsn->arena, *texts[i], texts[i]);
    return err;
}

int onward_dsn_add(struct onward_dsn *dsn,
                   const struct onward_dsn_outcome *outcome)
{
    struct onward_dsn__outcome *kept;
    struct onward_dsn_outcome o;
    int err;

    if (outcome == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), outcome);
    if (err == 0)
        err = check(dsn, &o);
    if (err != 0)
        return err;
    if (dsn->is_built)
        return ONWARD_ESTATE;
    if (onward_dsn__asked(o.notify, o.action) != ONWARD_DSN_WANTED)
        return 0;
    if (dsn->count == dsn->opts.max_recipients)
        return ONWARD_ELIMIT;
    kept = onward_core__arena_alloc(&dsn->arena, sizeof(*kept));
    if (kept == NULL)
        return ONWARD_ENOMEM;
    err = keep(dsn, &o);
    if (err != 0)
        return err;
    kept->o = o;
    kept->is_utf8 =
        !onward_core__is_ascii(o.recipient) ||
        onward_core__str_istarts(o.orcpt, ONWARD_STR("utf-8;"));
    if (dsn->last != NULL)
        dsn->last->next = kept;
    else
        dsn->first = kept;
    dsn->last = kept;
    dsn->count++;
    dsn->counts[o.action]++;
    dsn->has_utf8 = dsn->has_utf8 || kept->is_utf8;
    return 1;
}

size_t onward_dsn_count(const struct onward_dsn *dsn)
{
    return dsn->count;
}

int onward_dsn_set_original(struct onward_dsn *dsn,
                            const struct onward_source *original)
{
    struct onward_source source;
    int err;

    if (original == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&source, sizeof(source), original);
    if (err != 0)
        return err;
    if (source.read == NULL)
        return ONWARD_EINVAL;
    if (dsn->is_built)
        return ONWARD_ESTATE;
    dsn->original = source;
    return 0;
}

/* ---- The message ------------------------------------------------------- */

static int add_author(const struct onward_dsn *dsn, struct onward_builder *b)
{
    struct onward_str name = dsn->opts.from_name;
    struct onward_buf daemon;
    int err;

    if (name.len == 0)
        name = ONWARD_STR("Mail Delivery System");
    if (dsn->opts.from.len > 0)
        return onward_builder_add_address(b, ONWARD_BUILDER_FROM, name,
                                          dsn->opts.from);
    onward_core__buf_init(&daemon, dsn->ctx, SIZE_MAX);
    onward_core__buf_add_text(&daemon, "MAILER-DAEMON@");
    err = onward_core__buf_add_str(&daemon, dsn->opts.reporting_mta);
    if (err == 0)
        err = onward_builder_add_address(b, ONWARD_BUILDER_FROM, name,
                                         onward_core__buf_str(&daemon));
    onward_core__buf_clear(&daemon);
    return err;
}

static int add_texts(const struct onward_dsn *dsn,
                     const struct onward_dsn__original *original,
                     struct onward_builder *b)
{
    bool is_global = dsn->opts.allow_utf8 != 0 &&
                     (dsn->has_utf8 || original->is_global);
    struct onward_builder_report report = {
        .size = sizeof(report),
        .report_type = ONWARD_STR("delivery-status"),
        .fields_type = is_global ? ONWARD_STR("message/global-delivery-status")
                                 : ONWARD_STR("message/delivery-status"),
        .original = onward_core__buf_str(&original->octets),
        .is_header_only = original->is_header_only,
        .is_global = is_global,
    };
    struct onward_buf out;
    int err;

    onward_core__buf_init(&out, dsn->ctx, KEPT_MAX);
    onward_dsn__write_text(dsn, original, &out);
    err = out.err;
    if (err == 0)
        err = onward_builder_set_text(b, onward_core__buf_str(&out));
    onward_core__buf_reset(&out);
    onward_dsn__write_fields(dsn, is_global, &out);
    report.fields = onward_core__buf_str(&out);
    if (err == 0)
        err = out.err;
    if (err == 0)
        err = onward_builder_set_report(b, &report);
    onward_core__buf_clear(&out);
    return err;
}

static int fill(const struct onward_dsn *dsn,
                const struct onward_dsn__original *original,
                struct onward_builder *b)
{
    int err = add_author(dsn, b);

    if (err == 0)
        err = onward_builder_add_address(b, ONWARD_BUILDER_TO, ONWARD_STR(""),
                                         dsn->opts.reverse_path);
    if (err == 0)
        err = onward_builder_set_subject(b, onward_dsn__subject(dsn));
    /* Nobody's vacation may answer it (RFC 3834 section 5.2). */
    if (err == 0)
        err = onward_builder_add_field(b, ONWARD_STR("Auto-Submitted"),
                                       ONWARD_STR("auto-replied"));
    if (err == 0)
        err = add_texts(dsn, original, b);
    return err;
}

int onward_dsn_build(struct onward_dsn *dsn, struct onward_builder **builder)
{
    const struct onward_builder_opts opts = {
        .size = sizeof(opts),
        .id_domain = dsn->opts.reporting_mta,
        .date_s = dsn->opts.date_s,
        .allow_8bit = dsn->opts.allow_8bit | dsn->opts.allow_utf8,
        .allow_utf8 = dsn->opts.allow_utf8,
        .log_id = dsn->opts.log_id,
    };
    struct onward_dsn__original original;
    struct onward_builder *b = NULL;
    int err;

    if (dsn->is_built || dsn->count == 0)
        return ONWARD_ESTATE;
    err = onward_dsn__read_original(dsn, &original);
    if (err == 0)
        err = onward_builder_new(dsn->ctx, &opts, &b);
    if (err == 0)
        err = fill(dsn, &original, b);
    onward_core__buf_clear(&original.octets);
    if (err != 0) {
        onward_builder_free(b);
        return err;
    }
    dsn->is_built = true;
    *builder = b;
    return 0;
}
