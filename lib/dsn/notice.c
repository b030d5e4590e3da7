/*
 * Reading notices (RFC 3464, RFC 6533): the machine's part is found in the tree
 * of the message, its groups are read as headers, field by field.
 */
#include <onward/mime_parser.h>

#include "dsn/dsn_priv.h"

_Static_assert(offsetof(struct onward_dsn_facts, reserved) + sizeof(size_t) ==
                   sizeof(struct onward_dsn_facts),
               "no tail padding");
_Static_assert(offsetof(struct onward_dsn_recipient, will_retry_until_s) +
                       sizeof(int64_t) ==
                   sizeof(struct onward_dsn_recipient),
               "no tail padding");
_Static_assert(offsetof(struct onward_dsn_parse_opts, allow_lf) +
                       sizeof(size_t) ==
                   sizeof(struct onward_dsn_parse_opts),
               "no tail padding");

enum {
    RECIPIENTS_DEFAULT = 1000,
    BYTES_DEFAULT = 4 * 1024 * 1024,
    MIME_DEPTH = 20
};

struct recipient {
    struct recipient *next;
    struct onward_dsn_recipient r;
};

struct onward_dsn_notice {
    struct onward_ctx *ctx;
    struct onward_arena arena;
    size_t max_recipients;
    size_t bytes_left; /* of what may yet be kept */
    struct onward_mime_tree *tree;
    struct onward_dsn_facts facts;
    struct recipient *first, *last;
    const struct recipient **list; /* facts.count of them */
    struct onward_header *group;   /* for one group after the other */
    struct onward_header *header;  /* of the original; NULL: none */
};

/* ---- Fields ------------------------------------------------------------ */

/* Of both kinds of group. */
enum field {
    FIELD_NONE,
    FIELD_ENVID,
    FIELD_REPORTING,
    FIELD_GATEWAY,
    FIELD_RECEIVED,
    FIELD_ARRIVAL,
    FIELD_ORIGINAL,
    FIELD_FINAL,
    FIELD_ACTION,
    FIELD_STATUS,
    FIELD_REMOTE,
    FIELD_DIAGNOSTIC,
    FIELD_LAST,
    FIELD_LOG_ID,
    FIELD_UNTIL,
    FIELDS
};

static const char *const field_names[FIELDS] = {
    [FIELD_NONE] = "",
    [FIELD_ENVID] = "Original-Envelope-Id",
    [FIELD_REPORTING] = "Reporting-MTA",
    [FIELD_GATEWAY] = "DSN-Gateway",
    [FIELD_RECEIVED] = "Received-From-MTA",
    [FIELD_ARRIVAL] = "Arrival-Date",
    [FIELD_ORIGINAL] = "Original-Recipient",
    [FIELD_FINAL] = "Final-Recipient",
    [FIELD_ACTION] = "Action",
    [FIELD_STATUS] = "Status",
    [FIELD_REMOTE] = "Remote-MTA",
    [FIELD_DIAGNOSTIC] = "Diagnostic-Code",
    [FIELD_LAST] = "Last-Attempt-Date",
    [FIELD_LOG_ID] = "Final-Log-ID",
    [FIELD_UNTIL] = "Will-Retry-Until",
};

static enum field find_field(struct onward_str name)
{
    for (int f = FIELD_NONE + 1; f < FIELDS; f++) {
        if (onward_core__str_ieq(name, onward_str_of(field_names[f])))
            return (enum field)f;
    }
    return FIELD_NONE;
}

/* What a group is read into: both when its fields are in one. */
struct group {
    struct onward_dsn_notice *n;
    struct onward_dsn_facts *facts;
    struct onward_dsn_recipient *r;
    size_t odd;
    bool seen[FIELDS];
};

/* Out of room is the sender's doing, out of memory the host's. */
static int spend(struct onward_dsn_notice *n, size_t bytes)
{
    if (bytes > n->bytes_left)
        return ONWARD_ELIMIT;
    n->bytes_left -= bytes;
    return 0;
}

static int keep(struct group *g, struct onward_str s, struct onward_str *out)
{
    int err = spend(g->n, s.len);

    if (err != 0)
        return err;
    return onward_core__arena_dup(&g->n->arena, s, out);
}

/* "(comment)" and blanks at the end, or all behind the first word. */
static struct onward_str first_word(struct onward_str s)
{
    size_t end = 0;

    while (end < s.len && s.data[end] != ' ' && s.data[end] != '\t' &&
           s.data[end] != '(' && s.data[end] != ';')
        end++;
    return onward_core__sub(s, 0, end);
}

/* "type; value". */
static int take_typed(struct group *g, struct onward_str s,
                      struct onward_str *type, struct onward_str *value)
{
    size_t end = onward_core__str_find(s, ';');
    struct onward_str word =
        onward_core__str_trim(onward_core__sub(s, 0, end));
    bool has_type = end < s.len && word.len > 0;
    int err = 0;

    for (size_t i = 0; has_type && i < word.len; i++)
        has_type = onward_ascii_is_alnum((unsigned char)word.data[i]) ||
                   word.data[i] == '-' || word.data[i] == '_';
    if (!has_type) {
        g->odd |= ONWARD_DSN_ODDITY_NO_TYPE;
        return keep(g, s, value);
    }
    if (type != NULL)
        err = keep(g, word, type);
    if (err != 0)
        return err;
    return keep(
        g, onward_core__str_trim(onward_core__sub(s, end + 1, s.len)), value);
}

static int take_address(struct group *g, struct onward_str s,
                        struct onward_str *type, struct onward_str *address)
{
    struct onward_buf decoded;
    int err = take_typed(g, s, type, address);

    if (err != 0)
        return err;
    if (address->len > 2 && address->data[0] == '<' &&
        address->data[address->len - 1] == '>')
        *address = onward_core__sub(*address, 1, address->len - 1);
    if (!onward_core__str_ieq(*type, ONWARD_STR("utf-8")) ||
        onward_core__str_find(*address, '\\') == address->len)
        return 0;
    onward_core__buf_init(&decoded, g->n->ctx, SIZE_MAX);
    if (onward_dsn__add_decoded(&decoded, *address) && decoded.err == 0)
        err = keep(g, onward_core__buf_str(&decoded), address);
    if (err == 0)
        err = decoded.err;
    onward_core__buf_clear(&decoded);
    return err;
}

static int take_date(struct group *g, struct onward_str s, int64_t *unix_s)
{
    if (onward_core__parse_date_rfc5322(s, unix_s) != 0)
        g->odd |= ONWARD_DSN_ODDITY_DATE;
    return 0;
}

static int take_action(struct group *g, struct onward_str s)
{
    s = first_word(s);
    for (int a = ONWARD_DSN_FAILED; a < ONWARD_DSN__ACTIONS; a++) {
        if (onward_core__str_ieq(s, onward_str_of(onward_dsn_action_name(a))))
            g->r->action = (size_t)a;
    }
    return 0;
}

static int take_status(struct group *g, struct onward_str s)
{
    s = first_word(s);
    return onward_dsn__is_status(s) ? keep(g, s, &g->r->status) : 0;
}

static int take_message_field(struct group *g, enum field f,
                              struct onward_str s)
{
    struct onward_dsn_facts *o = g->facts;

    switch (f) {
    case FIELD_ENVID:
        return keep(g, s, &o->envid);
    case FIELD_REPORTING:
        return take_typed(g, s, &o->reporting_mta_type, &o->reporting_mta);
    case FIELD_GATEWAY:
        return take_typed(g, s, NULL, &o->gateway);
    case FIELD_RECEIVED:
        return take_typed(g, s, NULL, &o->received_from);
    case FIELD_ARRIVAL:
        return take_date(g, s, &o->arrival_s);
    default:
        return 0;
    }
}

static int take_recipient_field(struct group *g, enum field f,
                                struct onward_str s)
{
    struct onward_dsn_recipient *r = g->r;

    switch (f) {
    case FIELD_ORIGINAL:
        return take_address(g, s, &r->original_type, &r->original_recipient);
    case FIELD_FINAL:
        return take_address(g, s, &r->final_type, &r->final_recipient);
    case FIELD_ACTION:
        return take_action(g, s);
    case FIELD_STATUS:
        return take_status(g, s);
    case FIELD_REMOTE:
        return take_typed(g, s, NULL, &r->remote_mta);
    case FIELD_DIAGNOSTIC:
        return take_typed(g, s, &r->diagnostic_type, &r->diagnostic);
    case FIELD_LAST:
        return take_date(g, s, &r->last_attempt_s);
    case FIELD_LOG_ID:
        return keep(g, s, &r->log_id);
    case FIELD_UNTIL:
        return take_date(g, s, &r->will_retry_until_s);
    default:
        return 0;
    }
}

static int take_fields(struct group *g)
{
    struct onward_header *h = g->n->group;
    int err = 0;

    for (size_t i = 0; err == 0 && i < onward_header_count(h); i++) {
        enum field f = find_field(onward_header_name(h, i));
        struct onward_str text;

        if (onward_header_name(h, i).len == 0)
            g->odd |= ONWARD_DSN_ODDITY_LINE;
        if (f == FIELD_NONE)
            continue;
        if (g->seen[f]) {
            g->odd |= ONWARD_DSN_ODDITY_TWICE;
            continue;
        }
        g->seen[f] = true;
        err = onward_header_text(h, i, &text);
        if (err != 0)
            break;
        text = onward_core__str_trim(text);
        if (f < FIELD_ORIGINAL)
            err = g->facts != NULL ? take_message_field(g, f, text) : 0;
        else
            err = g->r != NULL ? take_recipient_field(g, f, text) : 0;
    }
    return err;
}

/* ---- Groups ------------------------------------------------------------ */

/* The fields up to an empty line; *s goes behind it. 1: a group, 0: none is
 * left. */
static int next_group(struct onward_dsn_notice *n, struct onward_str *s)
{
    size_t taken = 0;
    int err;

    while (s->len > 0 && (s->data[0] == '\r' || s->data[0] == '\n'))
        *s = onward_core__sub(*s, 1, s->len);
    if (s->len == 0)
        return 0;
    onward_mime__header_reset(n->group);
    /* What comes decoded out of base64 has any line ends. */
    n->group->allow_lf = true;
    err = onward_header_feed(n->group, s->data, s->len, &taken);
    if (err >= 0) {
        *s = onward_core__sub(*s, taken, s->len);
        err = onward_header_finish(n->group);
    }
    return err < 0 ? err : 1;
}

static bool has_recipient(const struct onward_header *h)
{
    return onward_header_first(h, ONWARD_STR("Final-Recipient")) !=
               ONWARD_HEADER_NONE ||
           onward_header_first(h, ONWARD_STR("Original-Recipient")) !=
               ONWARD_HEADER_NONE ||
           onward_header_first(h, ONWARD_STR("Action")) != ONWARD_HEADER_NONE;
}

static int add_recipient(struct onward_dsn_notice *n, struct group *g)
{
    struct recipient *kept;
    int err;

    if (n->facts.count == n->max_recipients)
        return ONWARD_ELIMIT;
    err = spend(n, sizeof(*kept));
    if (err != 0)
        return err;
    kept = onward_core__arena_alloc(&n->arena, sizeof(*kept));
    if (kept == NULL)
        return ONWARD_ENOMEM;
    kept->r.size = sizeof(kept->r);
    g->r = &kept->r;
    err = take_fields(g);
    if (err != 0)
        return err;
    if (kept->r.final_recipient.len == 0)
        g->odd |= ONWARD_DSN_ODDITY_NO_RECIPIENT;
    if (kept->r.action == ONWARD_DSN_UNKNOWN)
        g->odd |= ONWARD_DSN_ODDITY_ACTION;
    if (kept->r.status.len == 0)
        g->odd |= ONWARD_DSN_ODDITY_STATUS;
    kept->r.oddities = g->odd;
    if (n->last != NULL)
        n->last->next = kept;
    else
        n->first = kept;
    n->last = kept;
    n->facts.count++;
    return 0;
}

static int read_group(struct onward_dsn_notice *n, bool is_first)
{
    struct group g = {.n = n, .facts = is_first ? &n->facts : NULL};
    /* Without any such field it is text that lost its way: the start of a
     * delimiter, where the message was cut off. */
    bool is_recipient = has_recipient(n->group);
    int err;

    if (!is_first && !is_recipient) {
        n->facts.oddities |= ONWARD_DSN_ODDITY_NO_RECIPIENT;
        return 0;
    }

    if (is_first && is_recipient)
        g.odd = ONWARD_DSN_ODDITY_MERGED;
    err = is_recipient ? add_recipient(n, &g) : take_fields(&g);
    n->facts.oddities |= g.odd;
    return err;
}

static int read_groups(struct onward_dsn_notice *n, struct onward_str s)
{
    bool is_first = true;
    int ret;

    while ((ret = next_group(n, &s)) == 1) {
        int err = read_group(n, is_first);

        if (err != 0) {
            ret = err;
            break;
        }
        is_first = false;
    }
    /* A group over a limit is as none; those before it stand. */
    if (ret == ONWARD_ELIMIT) {
        n->facts.oddities |= ONWARD_DSN_ODDITY_MANY;
        ret = 0;
    }
    if (n->facts.reporting_mta.len == 0)
        n->facts.oddities |= ONWARD_DSN_ODDITY_NO_MTA;
    if (n->facts.count == 0)
        n->facts.oddities |= ONWARD_DSN_ODDITY_EMPTY;
    return ret;
}

static int make_list(struct onward_dsn_notice *n)
{
    size_t i = 0;

    n->list = onward_core__alloc(n->ctx, (n->facts.count + 1) *
                                             sizeof(n->list[0]));
    if (n->list == NULL)
        return ONWARD_ENOMEM;
    for (const struct recipient *r = n->first; r != NULL; r = r->next)
        n->list[i++] = r;
    return 0;
}

/* ---- The parts --------------------------------------------------------- */

/* Part i; its type is known where a tree has it. */
static struct onward_mime_part part_at(const struct onward_dsn_notice *n,
                                       size_t i)
{
    struct onward_mime_part part = {.size = sizeof(part)};

    if (i == ONWARD_MIME_NONE || onward_mime_tree_part(n->tree, i, &part) != 0)
        part = (struct onward_mime_part){.parent = ONWARD_MIME_NONE};
    return part;
}

static bool is_type(const struct onward_mime_part *part, const char *type,
                    const char *subtype)
{
    return onward_core__str_eq(part->type, onward_str_of(type)) &&
           onward_core__str_eq(part->subtype, onward_str_of(subtype));
}

static bool is_global_status(const struct onward_mime_part *part)
{
    return is_type(part, "message", "global-delivery-status");
}

/* Is it in a message that came along? That one's notices are not ours. */
static bool is_returned(const struct onward_dsn_notice *n,
                        const struct onward_mime_part *part)
{
    size_t up = part->parent;

    while (up != ONWARD_MIME_NONE) {
        struct onward_mime_part above = part_at(n, up);

        if (above.kind == ONWARD_MIME_MESSAGE)
            return true;
        up = above.parent;
    }
    return false;
}

static size_t find_status(const struct onward_dsn_notice *n)
{
    for (size_t i = 0; i < onward_mime_tree_count(n->tree); i++) {
        struct onward_mime_part part = part_at(n, i);

        if ((is_type(&part, "message", "delivery-status") ||
             is_global_status(&part)) &&
            !is_returned(n, &part))
            return i;
    }
    return ONWARD_MIME_NONE;
}

static int read_header(struct onward_dsn_notice *n)
{
    struct onward_str s = n->facts.original;
    size_t taken = 0;
    int err = onward_header_new(n->ctx, &n->header);

    if (err != 0)
        return err;
    n->header->allow_lf = n->facts.is_header_only != 0;
    err = onward_header_feed(n->header, s.data, s.len, &taken);
    if (err >= 0)
        err = onward_header_finish(n->header);
    if (err >= 0)
        return 0;
    onward_header_free(n->header);
    n->header = NULL;
    return err == ONWARD_ENOMEM ? err : 0;
}

/* The part behind the machine's. */
static int read_original(struct onward_dsn_notice *n, size_t status)
{
    size_t i = part_at(n, status).next;

    for (; i != ONWARD_MIME_NONE; i = part_at(n, i).next) {
        struct onward_mime_part part = part_at(n, i);
        bool is_header = is_type(&part, "text", "rfc822-headers") ||
                         is_type(&part, "message", "rfc822-headers") ||
                         is_type(&part, "message", "global-headers");
        int err;

        if (!is_header && !is_type(&part, "message", "rfc822") &&
            !is_type(&part, "message", "global"))
            continue;
        n->facts.is_header_only = is_header;
        err = onward_mime_tree_body(n->tree, i, &n->facts.original);
        if (err != 0)
            return err;
        return n->facts.original.len > 0 ? read_header(n) : 0;
    }
    return 0;
}

static int read_notice(struct onward_dsn_notice *n)
{
    size_t at = find_status(n);
    struct onward_mime_part status, report;
    struct onward_str body;
    int err;

    if (at == ONWARD_MIME_NONE)
        return ONWARD_ENOENT;
    status = part_at(n, at);
    report = part_at(n, status.parent);
    if (status.parent == ONWARD_MIME_NONE ||
        !is_type(&report, "multipart", "report") ||
        !onward_core__str_eq(report.report_type,
                             ONWARD_STR("delivery-status")))
        n->facts.oddities |= ONWARD_DSN_ODDITY_NO_REPORT;
    n->facts.is_global = is_global_status(&status);
    err = onward_mime_tree_body(n->tree, at, &body);
    if (err == 0)
        err = onward_header_new(n->ctx, &n->group);
    if (err == 0)
        err = read_groups(n, body);
    if (err == 0)
        err = make_list(n);
    return err == 0 ? read_original(n, at) : err;
}

int onward_dsn_parse(struct onward_ctx *ctx, struct onward_str message,
                     const struct onward_dsn_parse_opts *opts,
                     struct onward_dsn_notice **notice)
{
    struct onward_mime_opts mime = {.size = sizeof(mime),
                                    .max_depth = MIME_DEPTH};
    struct onward_dsn_parse_opts o;
    struct onward_dsn_notice *n;
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err != 0)
        return err;
    if (ctx == NULL || notice == NULL)
        return ONWARD_EINVAL;
    n = onward_core__zalloc(ctx, sizeof(*n));
    if (n == NULL)
        return ONWARD_ENOMEM;
    n->ctx = onward_ctx_ref(ctx);
    n->max_recipients =
        onward_core__limit(o.max_recipients, RECIPIENTS_DEFAULT);
    n->bytes_left = onward_core__limit(o.max_bytes, BYTES_DEFAULT);
    n->facts.size = sizeof(n->facts);
    onward_core__arena_init(&n->arena, ctx, SIZE_MAX);
    if (o.allow_lf != 0)
        mime.flags = ONWARD_MIME_ALLOW_LF;
    err = onward_mime_tree_new(ctx, message, &mime, &n->tree);
    if (err == 0)
        err = read_notice(n);
    if (err != 0) {
        onward_dsn_notice_free(n);
        return err;
    }
    *notice = n;
    return 0;
}

void onward_dsn_notice_free(struct onward_dsn_notice *n)
{
    struct onward_ctx *ctx;

    if (n == NULL)
        return;
    ctx = n->ctx;
    onward_header_free(n->header);
    onward_header_free(n->group);
    onward_mime_tree_free(n->tree);
    onward_core__free(ctx, n->list);
    onward_core__arena_clear(&n->arena);
    onward_core__free(ctx, n);
    onward_ctx_free(ctx);
}

/* ---- What was read ----------------------------------------------------- */

int onward_dsn_notice_facts(const struct onward_dsn_notice *n,
                            struct onward_dsn_facts *facts)
{
    if (facts == NULL)
        return ONWARD_EINVAL;
    return onward_core__out_store(facts, &n->facts, sizeof(n->facts));
}

int onward_dsn_notice_recipient(const struct onward_dsn_notice *n, size_t i,
                                struct onward_dsn_recipient *recipient)
{
    if (recipient == NULL)
        return ONWARD_EINVAL;
    if (i >= n->facts.count)
        return ONWARD_ENOENT;
    return onward_core__out_store(recipient, &n->list[i]->r,
                                  sizeof(n->list[i]->r));
}

int onward_dsn_notice_header(const struct onward_dsn_notice *n,
                             struct onward_header **header)
{
    if (n->header == NULL)
        return ONWARD_ENOENT;
    *header = n->header;
    return 0;
}
