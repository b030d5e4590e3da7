/*
 * Whose message is it? Exactly one From field, in which all mailboxes have one
 * domain, or no more than the host allows: anything else cannot pass DMARC.
 */
#include "verify/verify_priv.h"

enum { MAILBOXES_MAX = 100 };

static int no_author(struct onward_verifier *v, int reason)
{
    v->author_result = ONWARD_DMARC_PERMERROR;
    v->author_reason = reason;
    return 0;
}

/* Add a domain that is not there yet; false: too many. */
static bool add_domain(const struct onward_verifier *v,
                       struct onward_verify__authors *authors,
                       struct onward_str domain)
{
    for (size_t i = 0; i < authors->count; i++) {
        if (onward_core__str_eq(authors->domains[i], domain))
            return true;
    }
    if (authors->count == v->max_authors)
        return false;
    authors->domains[authors->count++] = domain;
    return true;
}

/* All domains of the field, in scratch. 0, ONWARD_ENOMEM, or 1 with the reason
 * why there is none that counts. */
static int read_domains(const struct onward_verifier *v,
                        struct onward_arena *scratch, struct onward_str value,
                        struct onward_verify__authors *authors, int *reason)
{
    struct onward_address__list list;
    int err =
        onward_address__parse_list(scratch, value, MAILBOXES_MAX, &list, NULL);

    if (err == ONWARD_ENOMEM)
        return err;
    *reason = ONWARD_DMARC_REASON_NO_AUTHOR;
    if (err != 0 || list.first == NULL)
        return 1;
    for (const struct onward_address__item *m = list.first; m != NULL;
         m = m->next) {
        if (m->mailbox.domain_ascii.len == 0)
            return 1;
        if (!add_domain(v, authors, m->mailbox.domain_ascii)) {
            *reason = ONWARD_DMARC_REASON_MANY_AUTHORS;
            return 1;
        }
    }
    return 0;
}

int onward_verify__find_authors(struct onward_verifier *v,
                                struct onward_verify__authors *authors)
{
    const struct onward_header *h = &v->intake.header;
    size_t item = onward_header_first(h, ONWARD_STR("From"));
    size_t most = onward_core__limits(v->ctx)->header_bytes;
    struct onward_arena scratch;
    int reason, err;

    if (item == ONWARD_HEADER_NONE)
        return no_author(v, ONWARD_DMARC_REASON_NO_AUTHOR);
    if (onward_header_count_named(h, ONWARD_STR("From")) > 1)
        return no_author(v, ONWARD_DMARC_REASON_MANY_AUTHORS);
    /* Room for all that one field can hold: a long From is a bad one, and must
     * not look like a lack of memory. */
    onward_core__arena_init(&scratch, v->ctx,
                            most > SIZE_MAX / 4 ? SIZE_MAX : 4 * most);
    err = read_domains(v, &scratch, onward_mime__value(h, item), authors,
                       &reason);
    for (size_t i = 0; i < authors->count && err == 0; i++)
        err = onward_core__arena_dup(&v->arena, authors->domains[i],
                                     &authors->domains[i]);
    onward_core__arena_clear(&scratch);
    if (err == 0)
        return 0;
    authors->count = 0;
    return err == 1 ? no_author(v, reason) : err;
}
