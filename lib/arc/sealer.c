/*
 * The sealer: a message streams in, and one more ARC set comes out once the key
 * has signed twice (RFC 8617 section 5.1). Tags stand in alphabetical order,
 * and b= has no fold inside: the seal covers the message signature as written.
 */
#include "arc/arc_shared.h"

#include "core/domain_shared.h"
#include "core/text_shared.h"
#include "key/key_shared.h"

enum {
    FIELD_MAX = 16384, /* octets of one field that we write */
    LINE_MAX_OCTETS = 998
};

/* A field with a place for its b=. */
struct field {
    struct onward_buf text; /* without final CRLF */
    size_t hole;            /* where the signature goes */
};

struct onward_arc_sealer {
    struct onward_ctx *ctx;
    struct onward_signer *key;
    struct onward_arc_sealer_host host;
    struct onward_core__guard guard;
    struct onward_core__task task;
    struct onward_key__signing signing;
    struct onward_dkim__intake intake;
    size_t body_index; /* unless the hash was given */
    bool has_body_hash;
    unsigned char body_hash[ONWARD_DKIM__HASH_SIZE];
    struct onward_arena arena;
    struct onward_arc__chain chain; /* as the message has it */
    struct onward_str domain, selector, authserv_id, results, fields;
    enum onward_arc_result chain_result;
    size_t chain_instances;
    size_t instance; /* of the new set */
    int64_t time_s, expire_s;
    size_t listing;
    bool omits_seal_time;
    uint64_t log_id;
    struct onward_buf aar;
    struct field ams, seal;
    struct onward_buf out;
    bool is_sealing; /* the second signature is under way */
    bool is_done;
    bool is_sealed;
};

/* ---- Options ----------------------------------------------------------- */

static bool is_authserv_id(struct onward_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c <= ' ' || c == 0x7f || memchr("\";()\\,", c, 6) != NULL)
            return false;
    }
    return s.len > 0;
}

/* Field text: lines that can be sent, and no way to begin a new field. */
static bool is_results(struct onward_str s)
{
    size_t line = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c == '\r') {
            if (i + 2 >= s.len || s.data[i + 1] != '\n' ||
                !onward_ascii_is_wsp((unsigned char)s.data[i + 2]))
                return false;
            i++;
            line = 0;
            continue;
        }
        if ((c < ' ' && c != '\t') || c == 0x7f || ++line > LINE_MAX_OCTETS - 8)
            return false;
    }
    return s.len > 0;
}

/* What covers the message must not cover what others add or take away (RFC
 * 8617 section 4.1.2). */
static bool is_fields(struct onward_str list)
{
    static const char *const forbidden[] = {
        "authentication-results", "arc-authentication-results",
        "arc-message-signature", "arc-seal"};
    struct onward_str rest = list;
    struct onward_str name;

    while (onward_dkim__list_next(&rest, &name)) {
        for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
            if (onward_core__str_ieq(name, onward_str_of(forbidden[i])))
                return false;
        }
    }
    return onward_dkim__is_list(list, (struct onward_str){0});
}

static int check_opts(const struct onward_arc_sealer_opts *o)
{
    const int64_t last = INT64_C(999999999999); /* 12 digits */

    if (o->reserved != 0 || o->chain_result < ONWARD_ARC_NONE ||
        o->chain_result > ONWARD_ARC_FAIL ||
        !onward_core__domain_is_dns_name(o->domain, 2) ||
        !onward_core__domain_is_dns_name(o->selector, 1) ||
        o->domain.len + o->selector.len + sizeof("._domainkey.") - 1 >
            ONWARD_DOMAIN_MAX)
        return ONWARD_EINVAL;
    if (!is_authserv_id(o->authserv_id))
        return ONWARD_EINVAL;
    if (o->results.len != 0 && !is_results(o->results))
        return ONWARD_EINVAL;
    if (o->fields.len != 0 && !is_fields(o->fields))
        return ONWARD_EINVAL;
    if (o->body_hash.len != 0 && o->body_hash.len != ONWARD_DKIM__HASH_SIZE)
        return ONWARD_EINVAL;
    if (o->time_s < 0 || o->time_s > last || o->expire_s < 0 ||
        o->expire_s > last - o->time_s)
        return ONWARD_EINVAL;
    if (o->listing > ONWARD_DKIM_LISTING_SERVICE)
        return ONWARD_EINVAL;
    return 0;
}

static int copy_opts(struct onward_arc_sealer *s,
                     const struct onward_arc_sealer_opts *o)
{
    const struct {
        struct onward_str from;
        struct onward_str *to;
    } texts[] = {
        {o->domain, &s->domain},           {o->selector, &s->selector},
        {o->authserv_id, &s->authserv_id}, {o->results, &s->results},
        {o->fields, &s->fields},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int err = onward_core__arena_dup(&s->arena, texts[i].from, texts[i].to);

        if (err != 0)
            return err;
    }
    if (s->results.len == 0)
        s->results = ONWARD_STR("none");
    s->chain_result = (enum onward_arc_result)o->chain_result;
    s->chain_instances = o->chain_instances;
    s->time_s = o->time_s != 0 ? o->time_s : onward_core__now_s(s->ctx);
    s->expire_s = o->expire_s;
    s->listing = o->listing;
    s->omits_seal_time = o->omit_seal_time != 0;
    s->log_id = o->log_id != 0
                    ? o->log_id
                    : onward_core__desk_log_id(onward_key__signer_desk(s->key));
    return 0;
}

/* ---- Life -------------------------------------------------------------- */

static void run(struct onward_core__task *task, int64_t now_ms);

static void destroy(struct onward_arc_sealer *s)
{
    struct onward_ctx *ctx = s->ctx;

    onward_key__signing_clear(&s->signing);
    onward_core__task_clear(&s->task);
    onward_dkim__intake_clear(&s->intake);
    onward_core__buf_clear(&s->aar);
    onward_core__buf_clear(&s->ams.text);
    onward_core__buf_clear(&s->seal.text);
    onward_core__buf_clear(&s->out);
    onward_core__arena_clear(&s->arena);
    onward_key__signer_release(s->key);
    onward_core__free(ctx, s);
    onward_ctx_free(ctx);
}

static int make(struct onward_signer *key, struct onward_desk *desk,
                const struct onward_arc_sealer_opts *o,
                const struct onward_arc_sealer_host *h,
                struct onward_arc_sealer **sealer)
{
    struct onward_ctx *ctx = onward_core__desk_ctx(desk);
    struct onward_arc_sealer *s = onward_core__zalloc(ctx, sizeof(*s));
    int err;

    if (s == NULL)
        return ONWARD_ENOMEM;
    s->ctx = onward_ctx_ref(ctx);
    s->key = onward_key__signer_hold(key);
    s->host = *h;
    onward_core__task_init(&s->task, desk, run);
    onward_core__arena_init(&s->arena, ctx, onward_arc__arena_max(ctx));
    onward_core__buf_init(&s->aar, ctx, FIELD_MAX);
    onward_core__buf_init(&s->ams.text, ctx, FIELD_MAX);
    onward_core__buf_init(&s->seal.text, ctx, FIELD_MAX);
    onward_core__buf_init(&s->out, ctx, 3 * (size_t)FIELD_MAX);
    onward_dkim__intake_init(&s->intake, ctx, NULL, NULL);
    err = copy_opts(s, o);
    s->has_body_hash = o->body_hash.len != 0;
    if (s->has_body_hash)
        memcpy(s->body_hash, o->body_hash.data, sizeof(s->body_hash));
    else if (err == 0)
        err = onward_dkim__body_want(&s->intake.body, ONWARD_DKIM__RELAXED,
                                     false, 0, &s->body_index);
    if (err != 0) {
        destroy(s);
        return err;
    }
    *sealer = s;
    return 0;
}

int onward_arc_sealer_new(struct onward_signer *key,
                          const struct onward_arc_sealer_opts *opts,
                          const struct onward_arc_sealer_host *host,
                          struct onward_arc_sealer **sealer)
{
    struct onward_desk *desk = onward_key__signer_desk(key);
    struct onward_arc_sealer_opts o;
    struct onward_arc_sealer_host h;
    int err = onward_core__opts_load(&o, sizeof(o), opts);

    if (err == 0)
        err = onward_core__opts_load(&h, sizeof(h), host);
    if (err == 0)
        err = h.done == NULL ? ONWARD_EINVAL : check_opts(&o);
    if (err == 0 && onward_core__desk_is_dead(desk))
        err = ONWARD_ESTATE;
    return err != 0 ? err : make(key, desk, &o, &h, sealer);
}

void onward_arc_sealer_free(struct onward_arc_sealer *sealer)
{
    if (sealer == NULL || sealer->guard.is_dead)
        return;
    sealer->guard.is_dead = true;
    if (sealer->guard.depth == 0)
        destroy(sealer);
}

int onward_arc_sealer_feed(struct onward_arc_sealer *sealer, const void *data,
                           size_t len)
{
    return onward_dkim__intake_feed(&sealer->intake, data, len, NULL);
}

/* ---- Which set --------------------------------------------------------- */

/* Does the chain in the message agree with what the host found? */
static int choose_instance(struct onward_arc_sealer *s)
{
    const struct onward_arc__chain *chain = &s->chain;

    if (chain->ends_in_fail)
        return ONWARD_ENOENT;
    switch (s->chain_result) {
    case ONWARD_ARC_NONE:
        if (chain->has_fields)
            return ONWARD_EINVAL;
        break;
    case ONWARD_ARC_PASS:
        if (chain->reason != ONWARD_ARC_REASON_NONE || chain->count == 0 ||
            chain->count != s->chain_instances)
            return ONWARD_EINVAL;
        break;
    case ONWARD_ARC_FAIL:
        if (!chain->has_fields)
            return ONWARD_EINVAL;
        break;
    case ONWARD_ARC_PENDING:
        return ONWARD_EINVAL;
    }
    if (chain->count == ONWARD_ARC__SETS_MAX)
        return ONWARD_ELIMIT;
    s->instance = chain->count + 1;
    return 0;
}

/* ---- Writing ----------------------------------------------------------- */

static void write_aar(struct onward_arc_sealer *s)
{
    onward_core__buf_add_text(&s->aar, "ARC-Authentication-Results: i=");
    onward_core__buf_add_u64(&s->aar, s->instance);
    onward_core__buf_add_text(&s->aar, "; ");
    onward_core__buf_add_str(&s->aar, s->authserv_id);
    onward_core__buf_add_text(&s->aar, ";\r\n ");
    onward_core__buf_add_str(&s->aar, s->results);
}

/* Name, a= and the place of b=, which stands on a line of its own. */
static void begin_field(struct onward_arc_sealer *s, struct field *f,
                        const char *name, struct onward_dkim__writer *w)
{
    uint32_t type = onward_pubkey_type(onward_signer_public(s->key));

    *w = (struct onward_dkim__writer){.out = &f->text};
    onward_dkim__write_name(w, name);
    onward_dkim__write_tag(w, "a", onward_dkim__algorithm_name(type));
    onward_core__buf_add_text(&f->text, ";\r\n b=");
    f->hole = f->text.len;
    w->column = LINE_MAX_OCTETS; /* so the next tag begins a line */
}

static void write_ams(struct onward_arc_sealer *s, struct onward_str fields)
{
    const unsigned char *body_hash =
        s->has_body_hash
            ? s->body_hash
            : onward_dkim__body_digest(&s->intake.body, s->body_index);
    struct onward_dkim__writer w;

    begin_field(s, &s->ams, "ARC-Message-Signature", &w);
    onward_dkim__write_tag_base64(&w, "bh", body_hash, ONWARD_DKIM__HASH_SIZE);
    onward_dkim__write_tag(&w, "c", ONWARD_STR("relaxed/relaxed"));
    onward_dkim__write_tag(&w, "d", s->domain);
    onward_dkim__write_tag_list(&w, "h", fields);
    onward_dkim__write_tag_int(&w, "i", (int64_t)s->instance);
    onward_dkim__write_tag(&w, "s", s->selector);
    onward_dkim__write_tag_int(&w, "t", s->time_s);
    if (s->expire_s > 0)
        onward_dkim__write_tag_int(&w, "x", s->time_s + s->expire_s);
}

static void write_seal(struct onward_arc_sealer *s)
{
    struct onward_dkim__writer w;

    begin_field(s, &s->seal, "ARC-Seal", &w);
    onward_dkim__write_tag(
        &w, "cv", onward_str_of(onward_arc_result_name((int)s->chain_result)));
    onward_dkim__write_tag(&w, "d", s->domain);
    onward_dkim__write_tag_int(&w, "i", (int64_t)s->instance);
    onward_dkim__write_tag(&w, "s", s->selector);
    if (!s->omits_seal_time)
        onward_dkim__write_tag_int(&w, "t", s->time_s);
}

/* Put the signature that came into its place. */
static int fill_hole(struct onward_arc_sealer *s, struct field *f)
{
    struct onward_buf whole;
    struct onward_str text = onward_core__buf_str(&f->text);

    onward_core__buf_init(&whole, s->ctx, FIELD_MAX);
    onward_core__buf_add_str(&whole, onward_core__sub(text, 0, f->hole));
    onward_core__base64_encode(&whole, s->signing.signature, s->signing.len);
    onward_core__buf_add_str(&whole, onward_core__sub(text, f->hole, text.len));
    onward_core__buf_clear(&f->text);
    f->text = whole;
    return whole.err;
}

/* ---- Signing ----------------------------------------------------------- */

static int sign_message(struct onward_arc_sealer *s)
{
    unsigned char digest[ONWARD_DKIM__HASH_SIZE];
    struct onward_str fields = s->fields;
    struct onward_buf list;
    struct sha256_ctx sha;
    int err = 0;

    onward_core__buf_init(&list, s->ctx, FIELD_MAX);
    if (fields.len == 0) {
        err = onward_dkim__list(&s->intake.header, s->listing, true, &list);
        fields = onward_core__buf_str(&list);
    }
    if (err == 0) {
        write_aar(s);
        write_ams(s, fields);
        err = s->aar.err != 0 ? s->aar.err : s->ams.text.err;
    }
    sha256_init(&sha);
    if (err == 0)
        err = onward_dkim__hash_fields(&sha, ONWARD_DKIM__RELAXED,
                                       &s->intake.header, fields,
                                       ONWARD_HEADER_NONE);
    onward_core__buf_clear(&list);
    if (err != 0)
        return err;
    onward_dkim__hash_field(&sha, ONWARD_DKIM__RELAXED,
                            onward_core__buf_str(&s->ams.text),
                            (struct onward_str){0}, false);
    sha256_digest(&sha, sizeof(digest), digest);
    return onward_key__sign(s->key, &s->signing, digest, &s->task);
}

/* All sets, the new one last; after a failure the new one alone (RFC 8617
 * sections 5.1.1 and 5.1.2). */
static int sign_seal(struct onward_arc_sealer *s)
{
    const struct onward_str no_hole = {0};
    unsigned char digest[ONWARD_DKIM__HASH_SIZE];
    struct sha256_ctx sha;

    write_seal(s);
    if (s->seal.text.err != 0)
        return s->seal.text.err;
    sha256_init(&sha);
    for (size_t i = 0; i < s->chain.count && s->chain_result == ONWARD_ARC_PASS;
         i++) {
        const struct onward_arc__set *set = &s->chain.sets[i];

        onward_arc__hash_set(&sha, &s->intake.header, set);
        onward_dkim__hash_field(&sha, ONWARD_DKIM__RELAXED,
                                set->seal->sig.field, no_hole, true);
    }
    onward_dkim__hash_field(&sha, ONWARD_DKIM__RELAXED,
                            onward_core__buf_str(&s->aar), no_hole, true);
    onward_dkim__hash_field(&sha, ONWARD_DKIM__RELAXED,
                            onward_core__buf_str(&s->ams.text), no_hole, true);
    onward_dkim__hash_field(&sha, ONWARD_DKIM__RELAXED,
                            onward_core__buf_str(&s->seal.text), no_hole,
                            false);
    sha256_digest(&sha, sizeof(digest), digest);
    s->is_sealing = true;
    return onward_key__sign(s->key, &s->signing, digest, &s->task);
}

static int finish(struct onward_arc_sealer *s)
{
    /* Only what stands in the chain is read here; keys were judged before. */
    const struct onward_dkim__policy policy = {.max_signed_fields = SIZE_MAX};
    int err = onward_dkim__intake_finish(&s->intake);

    if (err != 0)
        return err;
    if (onward_header_is_malformed(&s->intake.header))
        return ONWARD_ESYNTAX;
    err = onward_arc__collect(&s->arena, &s->intake.header, &policy, &s->chain);
    if (err == 0)
        err = choose_instance(s);
    if (err == 0)
        return sign_message(s);
    onward_core__log(s->ctx, ONWARD_LOG_WARN, "arc", "not-sealed", s->log_id,
                     onward_str_of(onward_error_name(err)));
    return err;
}

int onward_arc_sealer_finish(struct onward_arc_sealer *sealer)
{
    int err;

    /* The host that signs is asked inside, and may free us there. */
    onward_core__guard_enter(&sealer->guard);
    err = finish(sealer);
    if (onward_core__guard_leave(&sealer->guard))
        destroy(sealer);
    return err;
}

static int write_out(struct onward_arc_sealer *s)
{
    struct onward_str fields[] = {onward_core__buf_str(&s->seal.text),
                                  onward_core__buf_str(&s->ams.text),
                                  onward_core__buf_str(&s->aar)};

    for (size_t i = 0; i < 3; i++) {
        onward_core__buf_add_str(&s->out, fields[i]);
        onward_core__buf_add_text(&s->out, "\r\n");
    }
    return s->out.err;
}

/* A signature came, or will not. ONWARD_AGAIN: the next one is under way. */
static int go_on(struct onward_arc_sealer *s)
{
    int err = s->signing.status;

    if (err == 0)
        err = fill_hole(s, s->is_sealing ? &s->seal : &s->ams);
    if (err != ONWARD_AGAIN)
        onward_key__signing_clear(&s->signing);
    if (err != 0)
        return err;
    if (s->is_sealing)
        return write_out(s);
    err = sign_seal(s);
    return err == 0 ? ONWARD_AGAIN : err;
}

static void run(struct onward_core__task *task, int64_t now_ms)
{
    struct onward_arc_sealer *s =
        ONWARD_CONTAINER(task, struct onward_arc_sealer, task);
    int status;

    (void)now_ms;
    if (s->is_done)
        return;
    onward_core__guard_enter(&s->guard);
    status = go_on(s);
    if (status != ONWARD_AGAIN) {
        s->is_done = true;
        s->is_sealed = status == 0;
        if (!s->guard.is_dead)
            s->host.done(s->host.user, s, status);
    }
    if (onward_core__guard_leave(&s->guard))
        destroy(s);
}

struct onward_str
onward_arc_sealer_fields(const struct onward_arc_sealer *sealer)
{
    if (!sealer->is_sealed)
        return (struct onward_str){0};
    return onward_core__buf_str(&sealer->out);
}
