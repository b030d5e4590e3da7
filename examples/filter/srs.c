/* Senders that are rewritten, and those that come back. */
#define _GNU_SOURCE
#include <string.h>

#include "filter_priv.h"

static struct onward_str domain_of(struct onward_str address)
{
    const char *at =
        address.len == 0 ? NULL : memrchr(address.data, '@', address.len);

    if (at == NULL)
        return (struct onward_str){0};
    at++;
    return (struct onward_str){at, address.len - (size_t)(at - address.data)};
}

bool filter_is_forwarded(const struct filter_setup *setup,
                         struct onward_str rcpt)
{
    const struct config_list *list = &setup->settings->forward;

    for (size_t i = 0; setup->srs != NULL && i < list->count; i++) {
        if (filter_matches(list->items[i], domain_of(rcpt)))
            return true;
    }
    return false;
}

size_t filter_rewrite(const struct filter_setup *setup,
                      struct onward_str sender, char *out)
{
    int len =
        setup->srs == NULL
            ? 0
            : onward_srs_forward(setup->srs, sender,
                                 onward_str_of(setup->settings->srs_domain),
                                 out, ONWARD_SRS_TEXT_MAX);

    if (len <= 0 || ((size_t)len == sender.len &&
                     memcmp(out, sender.data, sender.len) == 0))
        return 0;
    return (size_t)len;
}

size_t filter_srs_sender(const struct filter_setup *setup,
                         struct onward_str sender, struct onward_str rcpt,
                         char *out)
{
    return filter_is_forwarded(setup, rcpt) ? filter_rewrite(setup, sender, out)
                                            : 0;
}

static enum filter_verdict refuse(struct filter_reply *reply, const char *text)
{
    *reply = (struct filter_reply){550, "5.7.1", text};
    return FILTER_REJECT;
}

enum filter_verdict filter_return(struct filter *f, struct onward_str address,
                                  struct filter_reply *reply)
{
    const struct filter_setup *setup = f->setup;
    char out[ONWARD_SRS_TEXT_MAX];
    int verdict = ONWARD_SRS_NONE;

    if (setup->srs == NULL ||
        !filter_matches(setup->settings->srs_domain, domain_of(address)))
        return FILTER_ACCEPT;
    if (onward_srs_reverse(setup->srs, address, out, sizeof(out), &verdict) < 0)
        return FILTER_ACCEPT;
    switch (verdict) {
    case ONWARD_SRS_OK:
        break;
    case ONWARD_SRS_MALFORMED:
    case ONWARD_SRS_FORGED:
        return refuse(reply, "This rewritten sender is not ours");
    case ONWARD_SRS_EXPIRED:
        return refuse(reply, "This rewritten sender is too old");
    default: /* no such address, or one whose sender another of ours keeps */
        return FILTER_ACCEPT;
    }
    /* Who has seen such an address could else send through us as long as it
     * lives. */
    if (f->mail_from[0] != '\0')
        return refuse(reply, "Rewritten senders take bounces only");
    if (filter_put_rcpt(f, address, out) == 0)
        return FILTER_ACCEPT;
    *reply = (struct filter_reply){451, "4.3.0", "Out of memory"};
    return FILTER_TEMPFAIL;
}
