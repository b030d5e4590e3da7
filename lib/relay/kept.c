/*
 * Senders that the store keeps: what does not fit into a rewritten address is
 * put there before the message leaves, and looked up when it bounces.
 */
#include "relay/relay_priv.h"

/* The store failed: without the entry, no bounce could come back; without an
 * answer, this one cannot. */
static bool fail(struct onward_relay *r, const char *what, int err)
{
    onward_core__log(r->ctx, ONWARD_LOG_ERROR, "relay", what, r->log_id,
                     onward_str_of(onward_error_name(err)));
    onward_relay__fail(r, err == ONWARD_ENOMEM ? ONWARD_RELAY_REASON_MEMORY
                                               : ONWARD_RELAY_REASON_STORE);
    return false;
}

/* ---- There ------------------------------------------------------------- */

static int ask_put(struct onward_relay *r)
{
    const struct onward_srs_kept *k = r->kept;

    return onward_store__put(r->opts.store, &r->kept_query,
                             onward_core__str(k->key, k->key_len),
                             onward_core__str(k->value, k->value_len),
                             k->expires_s, 0, ONWARD_STORE_KEEP, &r->task);
}

static bool finish_put(struct onward_relay *r)
{
    const int err = r->kept_query.status;

    if (err == ONWARD_AGAIN)
        return false;
    onward_store__query_clear(&r->kept_query);
    return err == 0 || fail(r, "sender-put", err);
}

/* ---- Back -------------------------------------------------------------- */

static bool set_destination(struct onward_relay *r)
{
    char out[ONWARD_SRS_TEXT_MAX];
    bool is_new;
    size_t index;
    int ret = onward_srs_kept_sender(r->opts.srs, r->kept_query.value, out,
                                     sizeof(out));

    if (ret < 0)
        return fail(r, "sender-value", ret);
    ret = onward_relay__add_destination(r, onward_core__str(out, (size_t)ret),
                                        &index, &is_new);
    return ret == 0 || fail(r, "sender-value", ret);
}

static bool finish_get(struct onward_relay *r)
{
    const int err = r->kept_query.status;
    bool goes_on;

    if (err == ONWARD_AGAIN)
        return false;
    if (err == ONWARD_ENOENT) {
        onward_relay__end(r, ONWARD_RELAY_REASON_SENDER, 550,
                          ONWARD_STR("5.1.1"),
                          ONWARD_STR("The sender behind this address is not "
                                     "known any more"));
        return false;
    }
    goes_on = err == 0 ? set_destination(r) : fail(r, "sender-get", err);
    onward_store__query_clear(&r->kept_query);
    return goes_on;
}

/* ---- Both -------------------------------------------------------------- */

bool onward_relay__keep(struct onward_relay *r)
{
    int err;

    if (r->kept == NULL && r->kept_key.len == 0)
        return true;
    if (r->kept_query.store != NULL)
        return r->kept != NULL ? finish_put(r) : finish_get(r);
    err = r->kept != NULL ? ask_put(r)
                          : onward_store__get(r->opts.store, &r->kept_query,
                                              r->kept_key, &r->task);
    if (onward_relay__is_dead(r))
        return false;
    return err == 0 ? false : fail(r, "sender", err);
}
