/* What a request gets. Nothing of it is kept, and nothing is done. */
#include <stdio.h>
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

/* ---- Destinations ------------------------------------------------------ */

static void escape(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; *text != '\0' && n + 8 < size; text++) {
        if (strchr("<>&\"'", *text) != NULL)
            n += (size_t)snprintf(out + n, size - n, "&#%d;", *text);
        else
            out[n++] = *text;
    }
    out[n] = '\0';
}

static struct answer make_page(char page[PAGE_MAX], unsigned status,
                               const char *before, const char *address,
                               const char *behind)
{
    char safe[PAGE_MAX / 2];
    int len;

    escape(address, safe, sizeof(safe));
    len = snprintf(page, PAGE_MAX,
                   "<!DOCTYPE html>\n<html lang=\"en\">"
                   "<meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width\">"
                   "<title>Confirm an address</title>\n<p>%s<b>%s</b>%s\n",
                   before, safe, behind);
    return (struct answer){
        .status = status, .body = {page, (size_t)len}, .is_private = true};
}

/* GET shows, as programs that look at mail open links too; POST confirms. */
static struct answer verify(const struct setup *setup,
                            const struct shelf *store, char page[PAGE_MAX],
                            const char *method, const char *token,
                            struct verified *verified)
{
    bool is_post = strcmp(method, "POST") == 0;
    char home[DESTINATION_HOME_MAX], address[DESTINATION_TEXT_MAX];
    struct destination before;
    struct answer a;
    int ret;

    if (!is_post && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        a = plain(405, "expected GET or POST\n");
        a.allow = "GET, HEAD, POST";
        return a;
    }
    /* A folder that has become a copy since we started: nobody would hear of
     * the change. */
    ret = store->lmdb != NULL && destination_home(store->lmdb, home) != 0
              ? -1
              : destination_redeem(store, setup->ctx, onward_str_of(token),
                                   is_post, address, &before);
    if (ret < 0)
        return plain(503, "not now, try again later\n");
    if (ret == 0)
        return make_page(page, 410, "This link is wrong, too old or used.", "",
                         "");
    if (is_post) {
        memcpy(verified->address, address, sizeof(verified->address));
        verified->before = before;
    }
    if (is_post)
        return make_page(page, 200, "", address,
                         " is confirmed. Mail can be forwarded there.");
    return make_page(page, 200, "May mail be forwarded to ", address,
                     "?\n<form method=\"post\"><button>Yes, it is my address"
                     "</button></form>");
}

/* ---- All of them ------------------------------------------------------- */

/* What can be asked for. */
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
                        const struct shelf *store, char page[PAGE_MAX],
                        const char *method, const char *host, const char *path,
                        struct verified *verified)
{
    const size_t skip = strlen(VERIFY_PATH);
    char name[HOST_MAX + 1];

    if (!get_name(host, name))
        return plain(400, "expected the field Host\n");
    if (store != NULL && strncmp(path, VERIFY_PATH, skip) == 0)
        return verify(setup, store, page, method, path + skip, verified);
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
