/* What a request gets. Nothing of it is kept, and nothing is done. */
#include <string.h>
#include <strings.h>

#include "policyd.h"

enum { HOST_MAX = 255 };

static const char policy_label[] = "mta-sts.";

static struct answer plain(unsigned status, const char *text)
{
    return (struct answer){.status = status, .body = onward_str_of(text)};
}

/* The name in a Host field, without port and final dot. False: it is none. */
static bool get_name(const char *host, char name[HOST_MAX + 1])
{
    size_t len = host == NULL ? 0 : strcspn(host, ":");

    if (len > 0 && host[len] == ':' &&
        host[len + 1 + strspn(host + len + 1, "0123456789")] != '\0')
        return false;
    if (len > 0 && host[len - 1] == '.')
        len--;
    if (len == 0 || len > HOST_MAX)
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    return true;
}

/* Do the rules take mail for that domain? */
static bool is_ours(const struct setup *setup,
                    struct onward_ruleset_router *router, const char *domain)
{
    struct onward_ruleset_decision d = {.size = sizeof(d)};
    struct onward_mailbox *to = NULL;
    char text[HOST_MAX + 16];
    bool is_one;
    int err;

    snprintf(text, sizeof(text), "postmaster@%s", domain);
    err = onward_mailbox_parse(setup->ctx, onward_str_of(text), 0, &to);
    if (err == 0)
        err = onward_ruleset_route(setup->ruleset, router, to, NULL, NULL, &d);
    is_one = err == 0 && d.reason != ONWARD_RULESET_NO_ZONE &&
             d.reason != ONWARD_RULESET_ZONE_DISABLED;
    onward_mailbox_free(to);
    onward_ruleset_router_reset(router);
    return is_one;
}

/* RFC 8461 section 3.2: the policy, or nothing; never a redirect. */
static struct answer give_policy(const struct setup *setup,
                                 struct onward_ruleset_router *router,
                                 const char *host)
{
    size_t skip = sizeof(policy_label) - 1;

    if (strncasecmp(host, policy_label, skip) != 0 ||
        !is_ours(setup, router, host + skip))
        return plain(404, "no such domain\n");
    return (struct answer){.status = 200,
                           .body = {setup->policy, setup->policy_len}};
}

/* What can be asked for. A page that has something behind its path, or takes a
 * POST, gets a row here. */
static const struct page {
    const char *path;
    struct answer (*give)(const struct setup *setup,
                          struct onward_ruleset_router *router,
                          const char *host);
} pages[] = {
    {"/.well-known/mta-sts.txt", give_policy},
};

struct answer answer_to(const struct setup *setup,
                        struct onward_ruleset_router *router,
                        const char *method, const char *host, const char *path)
{
    char name[HOST_MAX + 1];

    if (!get_name(host, name))
        return plain(400, "expected the field Host\n");
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        struct answer a;

        if (strcmp(path, pages[i].path) != 0)
            continue;
        if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
            return pages[i].give(setup, router, name);
        a = plain(405, "expected GET\n");
        a.allow = "GET, HEAD";
        return a;
    }
    return plain(404, "no such page\n");
}
