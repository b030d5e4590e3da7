/*
 * The message as it leaves, sealed: fields on top, then an ARC set over them
 * and the body, then the host's DKIM signatures, none of which covers another.
 * The body leaves as it came, so what the verifier has hashed of it serves
 * here.
 */
#include "relay/relay_priv.h"

#include "key/key_shared.h"

/* ---- What to seal ------------------------------------------------------ */

static void sealed(void *user, struct onward_arc_sealer *sealer, int status)
{
    struct onward_relay *r = user;

    (void)sealer;
    r->seal_status = status;
    r->is_seal_done = true;
    onward_core__task_ready(&r->task);
}

static int begin(struct onward_relay *r)
{
    const struct onward_relay_opts *o = &r->opts;
    struct onward_arc_sealer_opts opts = {.size = sizeof(opts),
                                          .domain = o->seal_domain,
                                          .selector = o->seal_selector,
                                          .log_id = r->log_id,
                                          .expire_s = (int64_t)o->seal_expire_s,
                                          .listing = o->seal_listing,
                                          .omit_seal_time = o->omit_seal_time};
    const struct onward_arc_sealer_host host = {
        .size = sizeof(host), .user = r, .done = sealed};
    int err = onward_verifier_sealing(r->verifier, &opts);

    opts.authserv_id =
        o->authserv_id; /* the same, written as the host has it */
    return err != 0
               ? err
               : onward_arc_sealer_new(o->signer, &opts, &host, &r->sealer);
}

static int feed_sealer(struct onward_relay *r, struct onward_str text)
{
    return onward_arc_sealer_feed(r->sealer, text.data, text.len);
}

static int feed_signer(struct onward_relay *r, struct onward_str text)
{
    return onward_dkim_signer_feed(r->dkim, text.data, text.len);
}

/* The fields as they leave, and the empty line that ends them. */
static int feed_header(struct onward_relay *r,
                       int (*feed)(struct onward_relay *, struct onward_str))
{
    struct onward_mime__field field;
    size_t slot = onward_mime__edit_top(r->edit);

    for (; slot != ONWARD_HEADER_NONE;
         slot = onward_mime__edit_below(r->edit, slot)) {
        int err;

        (void)onward_mime__edit_field(r->edit, slot, &field);
        err = feed(r, field.raw);
        if (err != 0)
            return err;
    }
    return feed(r, ONWARD_STR("\r\n"));
}

/* ---- Fields on top ----------------------------------------------------- */

/* Where the lowest field of text begins. */
static size_t last_field(struct onward_str text)
{
    size_t at = text.len - 2;

    /* Back over lines until one that is no fold begins. */
    while (at > 0 && (text.data[at - 1] != '\n' ||
                      onward_ascii_is_wsp((unsigned char)text.data[at])))
        at--;
    return at;
}

static int put_fields(struct onward_relay *r, struct onward_str rest)
{
    int err = 0;

    while (rest.len > 2 && err == 0) {
        size_t at = last_field(rest);

        err = onward_mime__edit_add_raw(r->edit,
                                        onward_core__sub(rest, at, rest.len));
        rest = onward_core__sub(rest, 0, at);
    }
    return err;
}

/* ---- The stage --------------------------------------------------------- */

/* A message that can have no seal goes without: the chain above it is broken
 * already, or nobody could verify what we would say. */
static bool is_unsealable(int err)
{
    return err == ONWARD_ENOENT || err == ONWARD_ESYNTAX ||
           err == ONWARD_ELIMIT;
}

static bool fail(struct onward_relay *r, int err)
{
    enum onward_relay_reason reason = ONWARD_RELAY_REASON_SEAL;

    if (err == ONWARD_ENOMEM)
        reason = ONWARD_RELAY_REASON_MEMORY;
    if (!onward_relay__is_dead(r))
        onward_relay__fail(r, reason);
    return false;
}

/* The first step, up to the key. 0, ONWARD_ENOENT when no seal is wanted, or an
 * error. */
static int prepare(struct onward_relay *r)
{
    int err = onward_relay__write_fields(r);

    if (err != 0)
        return err == ONWARD_ENOMEM ? err : ONWARD_EINVAL;
    if (r->opts.signer == NULL)
        return ONWARD_ENOENT;
    err = begin(r);
    if (err == ONWARD_AGAIN)
        onward_relay__end(r, ONWARD_RELAY_REASON_CHAIN, 451,
                          ONWARD_STR("4.4.3"),
                          ONWARD_STR("ARC cannot be checked now"));
    if (err == 0)
        err = feed_header(r, feed_sealer);
    return err == 0 ? onward_arc_sealer_finish(r->sealer) : err;
}

bool onward_relay__seal(struct onward_relay *r)
{
    int err = 0;

    if (r->sealer == NULL)
        err = prepare(r);
    if (onward_relay__is_dead(r) || err == ONWARD_AGAIN)
        return false;
    if (is_unsealable(err))
        return true;
    if (err == 0 && !r->is_seal_done)
        return false;
    if (err == 0)
        err = r->seal_status;
    if (err == 0)
        err = put_fields(r, onward_arc_sealer_fields(r->sealer));
    return err == 0 ? true : fail(r, err);
}

/* ---- DKIM -------------------------------------------------------------- */

static void signed_all(void *user, struct onward_dkim_signer *signer,
                       int status)
{
    struct onward_relay *r = user;

    (void)signer;
    r->sign_status = status;
    r->is_sign_done = true;
    onward_core__task_ready(&r->task);
}

int onward_relay_add_signature(struct onward_relay *relay,
                               struct onward_signer *key,
                               const struct onward_dkim_signer_opts *opts)
{
    const struct onward_dkim_signer_host host = {
        .size = sizeof(host), .user = relay, .done = signed_all};
    struct onward_dkim_signer_opts o;
    int err;

    if (key == NULL || opts == NULL)
        return ONWARD_EINVAL;
    err = onward_core__opts_load(&o, sizeof(o), opts);
    if (err != 0)
        return err;
    if (o.use_simple_body || o.body_hash.len != 0 || o.log_id != 0 ||
        onward_key__signer_desk(key) != relay->desk)
        return ONWARD_EINVAL;
    if (relay->stage != ONWARD_RELAY__CHECK || onward_relay__is_dead(relay))
        return ONWARD_ESTATE;
    o.body_hash = onward_verifier_body_hash(relay->verifier);
    if (relay->dkim_count == ONWARD_RELAY__SIGNATURES_MAX)
        return ONWARD_ELIMIT;
    err = onward_core__arena_dup(&relay->arena, o.domain,
                                 &relay->dkim_domains[relay->dkim_count]);
    if (err != 0)
        return err;
    if (relay->dkim != NULL) {
        err = onward_dkim_signer_add(relay->dkim, key, &o);
    } else {
        o.log_id = relay->log_id;
        err = onward_dkim_signer_new(key, &o, &host, &relay->dkim);
    }
    if (err == 0)
        relay->dkim_count++;
    return err;
}

bool onward_relay__sign(struct onward_relay *r)
{
    int err = 0;

    if (r->dkim != NULL && !r->is_signing) {
        r->is_signing = true;
        err = feed_header(r, feed_signer);
        if (err == 0)
            err = onward_dkim_signer_finish(r->dkim);
        if (onward_relay__is_dead(r))
            return false;
        /* What cannot be signed goes without, as it came. */
        r->is_sign_done = r->is_sign_done || is_unsealable(err);
        if (is_unsealable(err))
            err = 0;
    }
    if (err == 0 && r->dkim != NULL && !r->is_sign_done)
        return false;
    if (err == 0)
        err = r->sign_status;
    if (err == 0 && r->dkim != NULL)
        err = put_fields(r, onward_dkim_signer_field(r->dkim));
    if (err == 0)
        err = onward_edit_source(r->edit, &r->edited);
    return err == 0 ? true : fail(r, err);
}
