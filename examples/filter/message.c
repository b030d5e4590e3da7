/* One message: from its envelope to the decision about it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_priv.h"

/* ---- The decision ------------------------------------------------------ */

/* The last thing that happens: the host may free us. */
static void decide(struct filter *f)
{
    f->is_decided = true;
    f->done(f->user, f);
}

static void refuse(struct filter *f, enum filter_verdict verdict, unsigned code,
                   const char *enhanced, const char *text)
{
    struct filter_decision *d = &f->decision;

    d->verdict = verdict;
    d->reply = (struct filter_reply){code, enhanced, text};
    decide(f);
}

/* What is not the message's fault. */
static void fail(struct filter *f)
{
    if (f->setup->settings->failure == FILTER_WAY_ACCEPT)
        decide(f);
    else
        refuse(f, FILTER_TEMPFAIL, 451, "4.3.0",
               "The message cannot be handled now");
}

/* What keeps us from a decision. Forged results that would stay in let no
 * setting through. */
static void give_up(struct filter *f)
{
    if (f->error == ONWARD_ELIMIT)
        refuse(f, FILTER_REJECT, 552, "5.3.4",
               "The header of the message is too long");
    else if (f->is_cut)
        fail(f);
    else
        refuse(f, FILTER_TEMPFAIL, 451, "4.3.0", "Out of memory");
}

void filter_signed(struct filter *f, int status)
{
    if (status != 0)
        fail(f);
    else
        decide(f);
}

/* ---- What has come to us ----------------------------------------------- */

static void seal(struct filter *f)
{
    int ret = filter_seal(f);

    if (ret == 1)
        return;
    if (ret == ONWARD_AGAIN &&
        f->setup->settings->temperror == FILTER_WAY_TEMPFAIL)
        refuse(f, FILTER_TEMPFAIL, 451, "4.4.3", "ARC cannot be checked now");
    else if (ret == 0 || ret == ONWARD_AGAIN)
        decide(f);
    else
        fail(f);
}

static void gain_known(void *user, struct onward_dmarc_check *check)
{
    struct filter *f = user;
    int result = onward_dmarc_check_result(check);

    if (result == ONWARD_DMARC_PASS || result == ONWARD_DMARC_TEMPERROR)
        f->decision.sender = NULL;
    seal(f);
}

/*
 * A sender in our domain must not give a message the alignment that it had not
 * when it came: who writes in our name to one whose mail we forward would pass
 * there. true: gain_known() will say.
 */
static bool check_gain(struct filter *f)
{
    const struct onward_dmarc_opts o = {
        .size = sizeof(o),
        .author_domain = onward_verifier_author_domain(f->verifier)};
    const struct onward_dmarc_host host = {
        .size = sizeof(host), .user = f, .done = gain_known};

    if (o.author_domain.len == 0 ||
        onward_verifier_dmarc_result(f->verifier) == ONWARD_DMARC_PASS)
        return false;
    if (onward_dmarc_check_new(f->setup->names.resolver, &o, &host, &f->gain) ==
            0 &&
        onward_dmarc_check_add_spf(
            f->gain, onward_str_of(f->setup->settings->srs_domain)) == 0 &&
        onward_dmarc_check_finish(f->gain, 0) == 0)
        return true;
    f->decision.sender = NULL;
    return false;
}

static void rewrite(struct filter *f)
{
    if (f->is_forwarded &&
        filter_rewrite(f->setup, onward_str_of(f->mail_from), f->sender) != 0)
        f->decision.sender = f->sender;
}

/* The domain is somebody's word: what has no place in a reply is replaced. */
static const char *policy_text(struct filter *f)
{
    struct onward_str author = onward_verifier_author_domain(f->verifier);

    if (author.len == 0)
        return "Message must have exactly one author domain in From";
    snprintf(f->text, sizeof(f->text),
             "Rejected as the DMARC policy of %.*s asks for",
             (int)(author.len < 256 ? author.len : 256), author.data);
    for (char *c = f->text; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
    return f->text;
}

/* true: it was refused. */
static bool enforce(struct filter *f)
{
    const struct filter_settings *s = f->setup->settings;

    if (!s->allow_malformed &&
        onward_header_is_malformed(onward_verifier_header(f->verifier))) {
        refuse(f, FILTER_REJECT, 550, "5.6.0", "Message header is malformed");
        return true;
    }
    if (!s->enforce_dmarc)
        return false;
    switch (onward_verifier_advice(f->verifier)) {
    case ONWARD_VERIFIER_ADVICE_REJECT:
        refuse(f, FILTER_REJECT, 550, "5.7.1", policy_text(f));
        return true;
    case ONWARD_VERIFIER_ADVICE_DEFER:
        if (s->temperror == FILTER_WAY_ACCEPT)
            return false;
        refuse(f, FILTER_TEMPFAIL, 451, "4.7.1", "DMARC cannot be checked now");
        return true;
    case ONWARD_VERIFIER_ADVICE_QUARANTINE:
        if (s->dmarc_quarantine != 0)
            f->decision.quarantine = "DMARC policy of the author's domain";
        return false;
    default:
        return false;
    }
}

static void verified(void *user, struct onward_verifier *verifier)
{
    struct onward_str results = onward_verifier_authres(verifier);
    struct filter *f = user;

    if (enforce(f))
        return;
    if (filter_cut_claims(f) != 0) {
        give_up(f);
        return;
    }
    /* Empty: there was no memory to write it. */
    if (results.len == 0 ||
        filter_put_field(f, "Authentication-Results", results) != 0) {
        fail(f);
        return;
    }
    rewrite(f);
    if (f->decision.sender == NULL || !check_gain(f))
        seal(f);
}

static int begin_verifier(struct filter *f, const struct filter_envelope *e)
{
    const struct filter_settings *s = f->setup->settings;
    const struct onward_verifier_host host = {
        .size = sizeof(host), .user = f, .done = verified};
    const struct onward_verifier_opts o = {
        .size = sizeof(o),
        .authserv_id = f->setup->authserv_id,
        .client_ip = e->client_ip.family == 0 ? NULL : &e->client_ip,
        .helo = e->helo,
        .mail_from = e->mail_from,
        .receiver = onward_str_of(s->hostname),
        .dmarc_reject_policy = config_dmarc_reject_policy(s->dmarc_reject)};
    int err =
        onward_verifier_new(f->setup->names.resolver, &o, &host, &f->verifier);

    for (size_t i = 0; i < s->trusted_sealers.count && err == 0; i++)
        err = onward_verifier_trust_sealer(
            f->verifier, onward_str_of(s->trusted_sealers.items[i]));
    return err;
}

/* ---- A message --------------------------------------------------------- */

struct filter *filter_new(struct filter_setup *setup,
                          const struct filter_envelope *envelope,
                          void (*done)(void *user, struct filter *f),
                          void *user)
{
    struct filter *f = calloc(1, sizeof(*f));
    char client[ONWARD_IP_TEXT_MAX] = "";
    int err = 0;

    if (f == NULL)
        return NULL;
    f->setup = setup;
    f->done = done;
    f->user = user;
    f->is_ours = envelope->is_authenticated ||
                 filter_is_internal(setup, &envelope->client_ip);
    f->mail_from =
        strndup(envelope->mail_from.len == 0 ? "" : envelope->mail_from.data,
                envelope->mail_from.len);
    onward_ip_format(&envelope->client_ip, client, sizeof(client));
    f->client = strdup(client);
    if (f->mail_from == NULL || f->client == NULL)
        err = ONWARD_ENOMEM;
    else if (!f->is_ours && setup->settings->verify)
        err = begin_verifier(f, envelope);
    else
        err = onward_header_new(setup->ctx, &f->own);
    if (err == 0)
        return f;
    filter_free(f);
    return NULL;
}

void filter_free(struct filter *f)
{
    if (f == NULL)
        return;
    onward_dmarc_check_free(f->gain);
    onward_arc_sealer_free(f->sealer);
    onward_dkim_signer_free(f->signer);
    onward_verifier_free(f->verifier);
    onward_header_free(f->own);
    filter_clear_changes(f);
    free(f->mail_from);
    free(f->client);
    free(f);
}

enum filter_verdict filter_rcpt(struct filter *f, struct onward_str address,
                                struct filter_reply *reply)
{
    /* Ours too: a bounce of this server's own making finds back the same way. */
    enum filter_verdict verdict = filter_return(f, address, reply);

    if (verdict == FILTER_ACCEPT && !f->is_ours)
        f->is_forwarded |= filter_is_forwarded(f->setup, address);
    return verdict;
}

/* The header is whole: what is to be cut, and who signs. */
static void end_header(struct filter *f)
{
    int ret = filter_cut_claims(f);

    f->error = ret == 0 ? 0 : ONWARD_ENOMEM;
    if (f->error == 0 && f->is_ours) {
        ret = filter_sign_begin(f);
        f->error = ret < 0 ? ret : 0;
    }
}

static void feed_own(struct filter *f, const char *data, size_t len)
{
    size_t taken = 0;

    if (!onward_header_is_done(f->own)) {
        int ret = onward_header_feed(f->own, data, len, &taken);

        if (ret < 0)
            f->error = ret;
        else if (ret == 1)
            end_header(f);
        data += taken;
        len -= taken;
    }
    if (f->error == 0 && f->signer != NULL && len > 0)
        f->error = onward_dkim_signer_feed(f->signer, data, len);
}

void filter_feed(struct filter *f, const void *data, size_t len)
{
    if (f->error != 0 || f->is_finished)
        return;
    if (f->verifier != NULL)
        f->error = onward_verifier_feed(f->verifier, data, len);
    else if (len > 0)
        feed_own(f, data, len);
}

/* The same as filter_sign_finish(). */
static int finish_own(struct filter *f)
{
    if (!onward_header_is_done(f->own)) {
        f->error = onward_header_finish(f->own);
        if (f->error == 0)
            end_header(f);
        if (f->error != 0)
            return f->error;
    }
    if (!f->is_ours)
        rewrite(f);
    return f->signer == NULL ? 0 : filter_sign_finish(f);
}

void filter_finish(struct filter *f)
{
    int ret = f->error;

    f->is_finished = true;
    if (ret == 0 && f->verifier != NULL)
        ret = onward_verifier_finish(f->verifier) == 0 ? 1 : ONWARD_ENOMEM;
    else if (ret == 0)
        ret = finish_own(f);
    if (ret == 0) {
        decide(f);
    } else if (ret < 0) {
        f->error = ret;
        give_up(f);
    }
}

const struct filter_decision *filter_decision(const struct filter *f)
{
    return &f->decision;
}
