/* Who may bring mail: what is asked, in which order, and what is answered. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admit.h"

/* What still has to be found out for a command. */
enum stage { STAGE_LISTS, STAGE_IN };

/* A command that waits for it. */
struct question {
    struct question *next, **prev;
    struct admit *admit;
    uint64_t token;
    size_t index; /* of the recipient, or ADMIT_MAIL */
    enum stage stage;
    bool is_role; /* postmaster@, abuse@ */
};

struct admit {
    struct forwarder *fwd;
    const struct setup *setup;
    struct admit_host host;
    struct onward_dnslist *lists; /* NULL: none is asked */
    struct question *questions;
};

static void free_question(struct question *q)
{
    *q->prev = q->next;
    if (q->next != NULL)
        q->next->prev = q->prev;
    free(q);
}

static void refuse(struct question *q, size_t code, const char *enhanced,
                   struct onward_str text)
{
    const struct onward_smtp_reply reply = {.size = sizeof(reply),
                                            .code = code,
                                            .enhanced = onward_str_of(enhanced),
                                            .text = text};
    struct admit *a = q->admit;
    size_t index = q->index;

    onward_smtp_reply_answer(a->fwd->desk, q->token, &reply);
    free_question(q);
    a->host.refused(a->host.user, index, &reply);
}

/* ---- Lists ------------------------------------------------------------- */

static void go_on(struct question *q);

/* The lists have said what they know: on with those who waited for it. */
static void listed(void *user, struct onward_dnslist *lists)
{
    struct admit *a = user;
    struct question *q = a->questions, *next;

    (void)lists;
    for (; q != NULL; q = next) {
        next = q->next;
        if (q->stage == STAGE_LISTS)
            go_on(q);
    }
}

static int ask_lists(struct admit *a, const struct onward_ip *ip)
{
    const struct settings *set = &a->setup->settings;
    const struct onward_dnslist_host host = {
        .size = sizeof(host), .user = a, .done = listed};
    const struct onward_dnslist_opts o = {
        .size = sizeof(o), .ip = ip, .max_lists = ONWARD_LIMIT_NONE};
    int err;

    if (set->dnsbl.count + set->dnswl.count == 0)
        return 0;
    err = onward_dnslist_new(a->setup->resolver, &o, &host, &a->lists);
    for (size_t i = 0; i < set->dnsbl.count && err == 0; i++)
        err = onward_dnslist_add(a->lists, ONWARD_DNSLIST_BLOCK,
                                 onward_str_of(set->dnsbl.items[i]));
    for (size_t i = 0; i < set->dnswl.count && err == 0; i++)
        err = onward_dnslist_add(a->lists, ONWARD_DNSLIST_ALLOW,
                                 onward_str_of(set->dnswl.items[i]));
    return err;
}

/* Whoever was blocked by mistake must be able to say so (RFC 5321 section
 * 4.5.1, RFC 2142). */
static bool is_role(struct onward_str address)
{
    static const char *const roles[] = {"postmaster", "abuse"};

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        size_t len = strlen(roles[i]);

        if (address.len >= len &&
            strncasecmp(address.data, roles[i], len) == 0 &&
            (address.len == len || address.data[len] == '@'))
            return true;
    }
    return false;
}

/* ---- The way in -------------------------------------------------------- */

/* As far as it goes without waiting; q may be gone after it. */
static void go_on(struct question *q)
{
    const struct admit_host *host = &q->admit->host;
    struct onward_dnslist *lists = q->admit->lists;
    uint64_t token = q->token;
    size_t index = q->index;
    int verdict;

    if (q->stage == STAGE_LISTS && lists != NULL && !q->is_role) {
        verdict = onward_dnslist_result(lists);
        if (verdict == ONWARD_DNSLIST_PENDING)
            return;
        if (verdict == ONWARD_DNSLIST_BLOCKED) {
            refuse(q, 554, "5.7.1", onward_dnslist_text(lists));
            return;
        }
    }
    free_question(q);
    host->rcpt(host->user, token, index);
}

static struct question *new_question(struct admit *a, uint64_t token,
                                     size_t index)
{
    struct question *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return NULL;
    q->admit = a;
    q->token = token;
    q->index = index;
    q->next = a->questions;
    q->prev = &a->questions;
    if (q->next != NULL)
        q->next->prev = &q->next;
    a->questions = q;
    return q;
}

bool admit_rcpt(struct admit *a, uint64_t token, size_t index,
                struct onward_str address)
{
    struct question *q;

    if (a->lists == NULL)
        return true;
    q = new_question(a, token, index);
    if (q == NULL)
        return true;
    q->is_role = is_role(address);
    go_on(q);
    return false;
}

/* ---- Life -------------------------------------------------------------- */

void admit_reset(struct admit *a)
{
    while (a != NULL && a->questions != NULL)
        free_question(a->questions);
}

struct admit *admit_new(struct forwarder *fwd, const struct setup *setup,
                        const struct onward_ip *ip,
                        const struct admit_host *host)
{
    struct admit *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->fwd = fwd;
    a->setup = setup;
    a->host = *host;
    if (ask_lists(a, ip) != 0) {
        admit_free(a);
        return NULL;
    }
    return a;
}

void admit_free(struct admit *a)
{
    if (a == NULL)
        return;
    admit_reset(a);
    onward_dnslist_free(a->lists);
    free(a);
}
