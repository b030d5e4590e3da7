/*
 * The signer: a message streams in, is hashed, and its DKIM-Signature fields
 * come out once the keys have signed (RFC 6376 section 5).
 */
#include "dkim/dkim_shared.h"

#include "core/domain_shared.h"
#include "core/text_shared.h"
#include "key/key_shared.h"

enum {
    FIELD_MAX = 16384, /* octets of a field that we write */
    PARTS_MAX = 8
};

/* One signature to be. What it signs is the message's, the rest its own. */
struct part {
    struct part *next;
    struct onward_signer *key;
    struct onward_key__signing signing;
    struct onward_buf field;
    struct onward_str domain, selector, identity, fields;
    enum onward_dkim__canon header_canon, body_canon;
    size_t body_index; /* unless the hash was given */
    bool has_body_hash;
    unsigned char body_hash[ONWARD_DKIM__HASH_SIZE];
    size_t listing;
    int64_t time_s, expire_s;
};

struct onward_dkim_signer {
    struct onward_ctx *ctx;
    struct onward_dkim_signer_host host;
    struct onward_core__guard guard;
    struct onward_core__task task;
    struct onward_dkim__intake intake;
    struct onward_dkim__line_ends line_ends;
    struct onward_arena arena;
    struct part *parts; /* at least one, in the order they were asked for */
    size_t count;
    struct onward_buf fields; /* all of them, once they are signed */
    uint64_t log_id;
    const char *problem;
    bool is_fed;
    bool is_done;
    bool is_signed;
};

/* ---- Options ----------------------------------------------------------- */

/* i=: we write no local-part that would need quoted-printable. */
static int check_identity(struct onward_str identity, struct onward_str domain)
{
    size_t at = onward_core__str_rfind(identity, '@');
    struct onward_str name = onward_core__sub(identity, at + 1, identity.len);

    for (size_t i = 0; i < identity.len; i++) {
        unsigned char c = (unsigned char)identity.data[i];

        if (c <= ' ' || c >= 0x7f || c == ';' || c == '=')
            return ONWARD_EINVAL;
    }
    if (at == identity.len || !onward_core__domain_is_dns_name(name, 1) ||
        !onward_core__domain_is_within(name, domain))
        return ONWARD_EINVAL;
    return 0;
}

static int check_opts(const struct onward_dkim_signer_opts *o)
{
    const int64_t last = INT64_C(999999999999); /* 12 digits */

    if (!onward_core__domain_is_dns_name(o->domain, 2) ||
        !onward_core__domain_is_dns_name(o->selector, 1))
        return ONWARD_EINVAL;
    if (o->listing > ONWARD_DKIM_LISTING_SERVICE)
        return ONWARD_EINVAL;
    if (o->body_hash.len != 0 &&
        (o->body_hash.len != ONWARD_DKIM__HASH_SIZE || o->use_simple_body))
        return ONWARD_EINVAL;
    if (o->domain.len + o->selector.len + sizeof("._domainkey.") - 1 >
        ONWARD_DOMAIN_MAX)
        return ONWARD_EINVAL;
    if (o->time_s < 0 || o->time_s > last || o->expire_s < 0 ||
        o->expire_s > last - o->time_s)
        return ONWARD_EINVAL;
    if (o->fields.len != 0 &&
        !onward_dkim__is_list(o->fields, ONWARD_STR("from")))
        return ONWARD_EINVAL;
    return o->identity.len == 0 ? 0 : check_identity(o->identity, o->domain);
}

static int copy_opts(struct onward_dkim_signer *s, struct part *part,
                     const struct onward_dkim_signer_opts *o)
{
    struct onward_arena *a = &s->arena;
    int err = onward_core__arena_dup(a, o->domain, &part->domain);

    if (err == 0)
        err = onward_core__arena_dup(a, o->selector, &part->selector);
    if (err == 0)
        err = onward_core__arena_dup(a, o->identity, &part->identity);
    if (err == 0)
        err = onward_core__arena_dup(a, o->fields, &part->fields);
    part->header_canon =
        o->use_simple_header ? ONWARD_DKIM__SIMPLE : ONWARD_DKIM__RELAXED;
    part->body_canon =
        o->use_simple_body ? ONWARD_DKIM__SIMPLE : ONWARD_DKIM__RELAXED;
    part->time_s = o->time_s != 0 ? o->time_s : onward_core__now_s(s->ctx);
    part->expire_s = o->expire_s;
    part->listing = o->listing;
    part->has_body_hash = o->body_hash.len != 0;
    if (part->has_body_hash)
        memcpy(part->body_hash, o->body_hash.data, sizeof(part->body_hash));
    return err;
}

/* ---- Life -------------------------------------------------------------- */

static void run(struct onward_core__task *task, int64_t now_ms);

static void free_part(struct onward_ctx *ctx, struct part *part)
{
    onward_key__signing_clear(&part->signing);
    onward_core__buf_clear(&part->field);
    onward_key__signer_release(part->key);
    onward_core__free(ctx, part);
}

static void destroy(struct onward_dkim_signer *s)
{
    struct onward_ctx *ctx = s->ctx;

    while (s->parts != NULL) {
        struct part *part = s->parts;

        s->parts = part->next;
        free_part(ctx, part);
    }
    onward_core__task_clear(&s->task);
    onward_dkim__intake_clear(&s->intake);
    onward_core__buf_clear(&s->fields);
    onward_core__arena_clear(&s->arena);
    onward_core__free(ctx, s);
    onward_ctx_free(ctx);
}

static int add_part(struct onward_dkim_signer *s, struct onward_signer *key,
                    const struct onward_dkim_signer_opts *opts)
{
    struct part **end = &s->parts;
    struct part *part = onward_core__zalloc(s->ctx, sizeof(*part));
    int err;

    if (part == NULL)
        return ONWARD_ENOMEM;
    part->key = onward_key__signer_hold(key);
    onward_core__buf_init(&part->field, s->ctx, FIELD_MAX);
    err = copy_opts(s, part, opts);
    if (err == 0 && !part->has_body_hash)
        err = onward_dkim__body_want(&s->intake.body, part->body_canon, false,
                                     0, &part->body_index);
    if (err != 0) {
        free_part(s->ctx, part);
        return err;
    }
    while (*end != NULL)
        end = &(*end)->next;
    *end = part;
    s->count++;
    return 0;
}

int onward_dkim_signer_new(struct onward_signer *key,
                           const struct onward_dkim_signer_opts *opts,
                           const struct onward_dkim_signer_host *host,
                           struct onward_dkim_signer **signer)
{
    struct onward_desk *desk = onward_key__signer_desk(key);
    struct onward_ctx *ctx = onward_core__desk_ctx(desk);
    struct onward_dkim_signer_opts o;
    struct onward_dkim_signer_host h;
    struct onward_dkim_signer *s;
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err == 0)
        err = h.done == NULL ? ONWARD_EINVAL : check_opts(&o);
    if (err == 0 && onward_core__desk_is_dead(desk))
        err = ONWARD_ESTATE;
    if (err != 0)
        return err;
    s = onward_core__zalloc(ctx, sizeof(*s));
    if (s == NULL)
        return ONWARD_ENOMEM;
    s->ctx = onward_ctx_ref(ctx);
    s->host = h;
    s->log_id = o.log_id != 0 ? o.log_id : onward_core__desk_log_id(desk);
    onward_core__task_init(&s->task, desk, run);
    onward_core__arena_init(&s->arena, ctx, 65536);
    onward_core__buf_init(&s->fields, ctx, PARTS_MAX * (size_t)FIELD_MAX);
    onward_dkim__intake_init(&s->intake, ctx, NULL, NULL);
    err = add_part(s, key, &o);
    if (err != 0) {
        destroy(s);
        return err;
    }
    *signer = s;
    return 0;
}

int onward_dkim_signer_add(struct onward_dkim_signer *signer,
                           struct onward_signer *key,
                           const struct onward_dkim_signer_opts *opts)
{
    struct onward_dkim_signer_opts o;
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err == 0)
        err = check_opts(&o);
    if (err == 0 &&
        (onward_key__signer_desk(key) != signer->task.desk || o.log_id != 0))
        err = ONWARD_EINVAL;
    if (err == 0 &&
        (signer->is_fed || onward_core__desk_is_dead(signer->task.desk)))
        err = ONWARD_ESTATE;
    if (err == 0 && signer->count == PARTS_MAX)
        err = ONWARD_ELIMIT;
    return err != 0 ? err : add_part(signer, key, &o);
}

void onward_dkim_signer_free(struct onward_dkim_signer *signer)
{
    if (signer == NULL || signer->guard.is_dead)
        return;
    signer->guard.is_dead = true;
    if (signer->guard.depth == 0)
        destroy(signer);
}

/* ---- The message ------------------------------------------------------- */

int onward_dkim_signer_feed(struct onward_dkim_signer *signer, const void *data,
                            size_t len)
{
    struct onward_str body = {0};
    int err;

    signer->is_fed = true;
    err = onward_dkim__intake_feed(&signer->intake, data, len, &body);
    if (err == 0 && body.len != 0)
        onward_dkim__line_ends_feed(&signer->line_ends, body.data, body.len);
    return err;
}

/* The field up to and with "b=". */
static int write_field(struct part *part, const struct onward_dkim__body *body,
                       struct onward_str fields)
{
    static const char *const forms[] = {"simple/simple", "simple/relaxed",
                                        "relaxed/simple", "relaxed/relaxed"};
    const unsigned char *body_hash =
        part->has_body_hash ? part->body_hash
                            : onward_dkim__body_digest(body, part->body_index);
    struct onward_dkim__writer w = {.out = &part->field};
    uint32_t type = onward_pubkey_type(onward_signer_public(part->key));

    onward_dkim__write_name(&w, "DKIM-Signature");
    onward_dkim__write_tag(&w, "v", ONWARD_STR("1"));
    onward_dkim__write_tag(&w, "a", onward_dkim__algorithm_name(type));
    onward_dkim__write_tag(
        &w, "c",
        onward_str_of(
            forms[2 * (int)part->header_canon + (int)part->body_canon]));
    onward_dkim__write_tag(&w, "d", part->domain);
    onward_dkim__write_tag(&w, "s", part->selector);
    if (part->identity.len > 0)
        onward_dkim__write_tag(&w, "i", part->identity);
    onward_dkim__write_tag_int(&w, "t", part->time_s);
    if (part->expire_s > 0)
        onward_dkim__write_tag_int(&w, "x", part->time_s + part->expire_s);
    onward_dkim__write_tag_list(&w, "h", fields);
    onward_dkim__write_tag_base64(&w, "bh", body_hash, ONWARD_DKIM__HASH_SIZE);
    /* b= begins a line of its own, and fills the lines after it. */
    onward_core__buf_add_text(&part->field, ";\r\n b=");
    return part->field.err;
}

/* b= itself is not signed, so it can be folded anywhere. */
static int write_signature(struct onward_dkim_signer *s, struct part *part)
{
    const size_t width = 68;
    struct onward_buf text;

    onward_core__buf_init(&text, s->ctx, FIELD_MAX);
    onward_core__base64_encode(&text, part->signing.signature,
                               part->signing.len);
    onward_core__buf_add_str(&s->fields, onward_core__buf_str(&part->field));
    for (size_t at = 0; at < text.len; at += width) {
        if (at > 0)
            onward_core__buf_add_text(&s->fields, "\r\n ");
        onward_core__buf_add_str(
            &s->fields,
            onward_core__sub(onward_core__buf_str(&text), at, at + width));
    }
    onward_core__buf_add_text(&s->fields, "\r\n");
    if (text.err != 0 && s->fields.err == 0)
        s->fields.err = text.err;
    onward_core__buf_clear(&text);
    return s->fields.err;
}

static int hash_header(struct onward_dkim_signer *s, struct part *part,
                       struct onward_str fields, unsigned char *digest)
{
    struct sha256_ctx sha;
    int err;

    sha256_init(&sha);
    err = onward_dkim__hash_fields(&sha, part->header_canon, &s->intake.header,
                                   fields, ONWARD_HEADER_NONE);
    if (err != 0)
        return err;
    onward_dkim__hash_field(&sha, part->header_canon,
                            onward_core__buf_str(&part->field),
                            (struct onward_str){0}, false);
    sha256_digest(&sha, ONWARD_DKIM__HASH_SIZE, digest);
    return 0;
}

/* Neither covers another's field, so that each stands alone. */
static int sign(struct onward_dkim_signer *s, struct part *part)
{
    unsigned char digest[ONWARD_DKIM__HASH_SIZE];
    struct onward_str fields = part->fields;
    struct onward_buf list;
    int err = 0;

    onward_core__buf_init(&list, s->ctx, FIELD_MAX);
    if (fields.len == 0) {
        err = onward_dkim__list(&s->intake.header, part->listing, false, &list);
        fields = onward_core__buf_str(&list);
    }
    if (err == 0)
        err = write_field(part, &s->intake.body, fields);
    if (err == 0)
        err = hash_header(s, part, fields, digest);
    onward_core__buf_clear(&list);
    if (err != 0)
        return err;
    return onward_key__sign(part->key, &part->signing, digest, &s->task);
}

/* All questions go out before the first answer is waited for. */
static int sign_all(struct onward_dkim_signer *s)
{
    for (struct part *part = s->parts; part != NULL; part = part->next) {
        int err = sign(s, part);

        if (err != 0) {
            s->is_done = true; /* what was asked before says nothing more */
            return err;
        }
        if (s->guard.is_dead)
            return 0;
    }
    return 0;
}

static int finish(struct onward_dkim_signer *s)
{
    int err = onward_dkim__intake_finish(&s->intake);

    if (err != 0)
        return err;
    onward_dkim__line_ends_finish(&s->line_ends);
    s->problem =
        onward_dkim__signing_problem(&s->intake.header, s->line_ends.is_bare);
    if (s->problem != NULL) {
        onward_core__log(s->ctx, ONWARD_LOG_WARN, "dkim", "not-signed",
                         s->log_id, onward_str_of(s->problem));
        return ONWARD_ESYNTAX;
    }
    return sign_all(s);
}

int onward_dkim_signer_finish(struct onward_dkim_signer *signer)
{
    int err;

    signer->is_fed = true;
    /* The host that signs is asked inside, and may free us there. */
    onward_core__guard_enter(&signer->guard);
    err = finish(signer);
    if (onward_core__guard_leave(&signer->guard))
        destroy(signer);
    return err;
}

/* ONWARD_AGAIN: some are pending, and none has failed. */
static int status_of_all(const struct onward_dkim_signer *s)
{
    int status = 0;

    for (const struct part *part = s->parts; part != NULL; part = part->next) {
        if (part->signing.status == ONWARD_AGAIN)
            status = ONWARD_AGAIN;
        else if (part->signing.status != 0)
            return part->signing.status;
    }
    return status;
}

static int write_all(struct onward_dkim_signer *s)
{
    int status = 0;

    for (struct part *part = s->parts; part != NULL && status == 0;
         part = part->next)
        status = write_signature(s, part);
    return status;
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_dkim_signer *s =
        ONWARD_CONTAINER(task, struct onward_dkim_signer, task);
    int status = s->is_done ? ONWARD_AGAIN : status_of_all(s);

    (void)now_ms;
    if (status == ONWARD_AGAIN)
        return;
    if (status == 0)
        status = write_all(s);
    s->is_done = true;
    s->is_signed = status == 0;
    onward_core__guard_enter(&s->guard);
    /* After a failure others may be pending: their hosts hear of it here. */
    for (struct part *part = s->parts; part != NULL; part = part->next)
        onward_key__signing_clear(&part->signing);
    if (!s->guard.is_dead)
        s->host.done(s->host.user, s, status);
    if (onward_core__guard_leave(&s->guard))
        destroy(s);
}

struct onward_str
onward_dkim_signer_fault(const struct onward_dkim_signer *signer)
{
    return onward_str_of(signer->problem);
}

struct onward_str
onward_dkim_signer_field(const struct onward_dkim_signer *signer)
{
    if (!signer->is_signed)
        return (struct onward_str){0};
    return onward_core__buf_str(&signer->fields);
}
