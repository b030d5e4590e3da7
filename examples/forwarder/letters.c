/*
 * What handlers write, on its way into the spool: signed by DKIM for the domain
 * of its author, where there is a key; then kept. Only then the relay hears
 * that it is safe.
 */
#include "letters.h"

#include <stdlib.h>

#include "dkim.h"
#include "kept.h"

struct letter {
    struct letter *next, **prev;
    struct session *session;
    const struct onward_relay *relay;
    size_t index;
    uint64_t token;
    struct onward_dkim_signer *signer;
    struct dkim_signed out;
};

static void free_letter(struct letter *l)
{
    *l->prev = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
    onward_dkim_signer_free(l->signer);
    free(l);
}

static void signed_it(void *user, struct onward_dkim_signer *signer, int status)
{
    struct letter *l = user;
    struct onward_desk *desk = session_forwarder(l->session)->desk;
    int ret = status;

    if (ret == 0) {
        dkim_put_on_top(&l->out, onward_dkim_signer_field(signer));
        ret = kept_submission(l->session, l->relay, l->index, &l->out.table);
    }
    onward_relay_submission_answer(desk, l->token, ret == 0 ? 0 : -1);
    free_letter(l);
}

static struct letter *add(struct session *session, uint64_t token,
                          const struct onward_relay *relay, size_t index)
{
    struct forwarder *fwd = session_forwarder(session);
    struct letter *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->session = session;
    l->token = token;
    l->relay = relay;
    l->index = index;
    l->next = fwd->letters;
    l->prev = &fwd->letters;
    if (l->next != NULL)
        l->next->prev = &l->next;
    fwd->letters = l;
    return l;
}

int letter_keep(struct session *session, uint64_t token,
                const struct onward_relay *relay, size_t index)
{
    struct onward_relay_submission s = {.size = sizeof(s)};
    struct letter *l;
    int ret = onward_relay_submission_at(relay, index, &s);

    if (ret == 0 && s.kind == ONWARD_RELAY_SUBMISSION_QUARANTINE) {
        ret = kept_apart(session, relay, index);
        return ret != 0 ? -1
                        : onward_relay_submission_answer(
                              session_forwarder(session)->desk, token, 0);
    }
    l = ret == 0 ? add(session, token, relay, index) : NULL;
    if (l == NULL)
        return -1;
    l->out.below = s.source;
    {
        const struct onward_dkim_signer_host host = {
            .size = sizeof(host), .user = l, .done = signed_it};

        ret = dkim_sign_ours(session_setup(session), s.reverse_path, s.source,
                             &host, &l->signer);
    }
    if (ret == 1)
        return 0;
    free_letter(l);
    if (ret == 0)
        ret = kept_submission(session, relay, index, s.source);
    return ret != 0 ? -1
                    : onward_relay_submission_answer(
                          session_forwarder(session)->desk, token, 0);
}

void letter_cancel(struct forwarder *fwd, uint64_t token)
{
    struct letter *l = fwd->letters;

    while (l != NULL && l->token != token)
        l = l->next;
    if (l != NULL)
        free_letter(l);
}
