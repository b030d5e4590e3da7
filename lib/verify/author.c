/*
 * Whose message is it? Exactly one From field, in which all mailboxes have one
 * domain: anything else cannot pass DMARC.
 */
#include "verify/verify_priv.h"

enum { MAILBOXES_MAX = 100 };

static int no_author(struct onward_verifier *v, int reason)
{
    v->author_result = ONWARD_DMARC_PERMERROR;
    v->author_reason = reason;
    return 0;
}

int onward_verify__find_author(struct onward_verifier *v)
{
    const struct onward_header *h = &v->intake.header;
    size_t item = onward_header_first(h, ONWARD_STR("From"));
    struct onward_address__list list;
    struct onward_str domain = {0};
    int err;

    if (item == ONWARD_HEADER_NONE)
        return no_author(v, ONWARD_DMARC_REASON_NO_AUTHOR);
    if (onward_header_count_named(h, ONWARD_STR("From")) > 1)
        return no_author(v, ONWARD_DMARC_REASON_MANY_AUTHORS);
    err = onward_address__parse_list(&v->arena, onward_mime__value(h, item),
                                     MAILBOXES_MAX, &list, NULL);
    if (err == ONWARD_ENOMEM)
        return err;
    if (err != 0)
        return no_author(v, ONWARD_DMARC_REASON_NO_AUTHOR);
    for (const struct onward_address__item *m = list.first; m != NULL;
         m = m->next) {
        if (m->mailbox.domain_ascii.len == 0)
            return no_author(v, ONWARD_DMARC_REASON_NO_AUTHOR);
        if (domain.len != 0 &&
            !onward_core__str_eq(domain, m->mailbox.domain_ascii))
            return no_author(v, ONWARD_DMARC_REASON_MANY_AUTHORS);
        domain = m->mailbox.domain_ascii;
    }
    if (domain.len == 0)
        return no_author(v, ONWARD_DMARC_REASON_NO_AUTHOR);
    return onward_core__arena_dup(&v->arena, domain, &v->author_domain);
}
