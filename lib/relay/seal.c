/*
 * The message as it leaves, sealed: fields on top, then an ARC set over them
 * and the body. The body leaves as it came, so what the verifier has hashed of
 * it serves here.
 */
#include "relay/relay_priv.h"

/* ---- What to seal ------------------------------------------------------ */

/* The results behind the authserv-id, which may be a quoted string. */
static struct onward_str results_of(struct onward_str authres)
{
    bool is_quoted = false;

    for (size_t i = 0; i < authres.len; i++) {
        if (authres.data[i] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && authres.data[i] == '\\')
            i++;
        else if (!is_quoted && authres.data[i] == ';')
            return onward_core__str_trim_crlf(
                onward_core__sub(authres, i + 1, authres.len));
    }
    return onward_core__sub(authres, 0, 0);
}

static void sealed(void *user, struct onward_arc_sealer *sealer, int status)
{
    struct onward_relay *r = user;

    (void)sealer;
    r->seal_status = status;
    r->is_seal_done = true;
    onward_core__task_ready(&r->task);
}

static int begin(struct onward_relay *r, const struct onward_arc_verdict *chain)
{
    const struct onward_relay_opts *o = &r->opts;
    struct onward_str results =
        results_of(onward_verifier_authres(r->verifier));
    const struct onward_str body_hash = onward_verifier_body_hash(r->verifier);
    const struct onward_arc_sealer_opts opts = {.size = sizeof(opts),
                                                .chain_result = chain->result,
                                                .chain_instances =
                                                    chain->instances,
                                                .domain = o->seal_domain,
                                                .selector = o->seal_selector,
                                                .authserv_id = o->authserv_id,
                                                .results = results,
                                                .body_hash = body_hash,
                                                .log_id = r->log_id};
    const struct onward_arc_sealer_host host = {
        .size = sizeof(host), .user = r, .done = sealed};

    return onward_arc_sealer_new(o->signer, &opts, &host, &r->sealer);
}

/* The fields as they leave, and the empty line that ends them. */
static int feed_header(struct onward_relay *r)
{
    struct onward_mime__field field;
    size_t slot = onward_mime__edit_top(r->edit);

    for (; slot != ONWARD_HEADER_NONE;
         slot = onward_mime__edit_below(r->edit, slot)) {
        int err;

        (void)onward_mime__edit_field(r->edit, slot, &field);
        err = onward_arc_sealer_feed(r->sealer, field.raw.data, field.raw.len);
        if (err != 0)
            return err;
    }
    return onward_arc_sealer_feed(r->sealer, "\r\n", 2);
}

/* ---- The set on top ---------------------------------------------------- */

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

static int put_set(struct onward_relay *r)
{
    struct onward_str rest = onward_arc_sealer_fields(r->sealer);
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

static bool finish(struct onward_relay *r)
{
    int err = onward_edit_source(r->edit, &r->edited);

    return err == 0 ? true : fail(r, err);
}

/* The first step, up to the key. 0, ONWARD_ENOENT when no seal is wanted, or an
 * error. */
static int prepare(struct onward_relay *r)
{
    struct onward_arc_verdict chain = {.size = sizeof(chain)};
    int err = onward_relay__write_fields(r);

    if (err != 0)
        return err == ONWARD_ENOMEM ? err : ONWARD_EINVAL;
    if (r->opts.signer == NULL)
        return ONWARD_ENOENT;
    err = onward_verifier_arc(r->verifier, &chain);
    if (err == 0 && chain.is_temporary) {
        onward_relay__end(r, ONWARD_RELAY_REASON_CHAIN, 451,
                          ONWARD_STR("4.4.3"),
                          ONWARD_STR("ARC cannot be checked now"));
        return ONWARD_AGAIN;
    }
    if (err == 0)
        err = begin(r, &chain);
    if (err == 0)
        err = feed_header(r);
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
        return finish(r);
    if (err == 0 && !r->is_seal_done)
        return false;
    if (err == 0)
        err = r->seal_status;
    if (err == 0)
        err = put_set(r);
    return err == 0 ? finish(r) : fail(r, err);
}
