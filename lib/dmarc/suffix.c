/*
 * Organizational domains as RFC 7489 section 3.2 has them: by the public suffix
 * list that libpsl was built with. RFC 9989 needs no list.
 */
#include <libpsl.h>

#include "dmarc/dmarc_priv.h"

struct onward_str onward_dmarc__suffix_org(struct onward_str domain)
{
    char name[ONWARD_DOMAIN_MAX + 1];
    const psl_ctx_t *list = psl_builtin(); /* constant data, no file */
    const char *org;

    if (domain.len == 0 || domain.len >= sizeof(name) || list == NULL)
        return domain;
    memcpy(name, domain.data, domain.len);
    name[domain.len] = '\0';
    org = psl_registrable_domain(list, name);
    if (org == NULL)
        return domain;
    return onward_core__sub(domain, (size_t)(org - name), domain.len);
}
