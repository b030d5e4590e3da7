/*
 * Who may bring mail: what is asked, in which order, and what is answered.
 *
 *     connect  421 4.7.0  its network has too many sessions
 *     MAIL     450 4.7.1  too much from its network, or from this sender
 *     RCPT     554 5.7.1  it is on a block list, and on no allow list
 *              450 4.2.1  too much for this recipient
 *              451 4.7.1  greylisting
 *     DATA     451 4.7.1  the same for the null path: who only asks whether an
 *                         address is there hears the truth at RCPT
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admit.h"

enum { BITS_4 = 32, BITS_6 = 64, GREYLIST_BITS_4 = 24, NETWORK_MAX = 60 };

/* What still has to be found out for a command, in this order. */
enum stage {
    STAGE_LISTS,
    STAGE_CLIENT,
    STAGE_SENDER,
    STAGE_RECIPIENT,
    STAGE_GREYLIST,
    STAGE_IN
};

/* A command that waits for it. */
struct question {
    struct question *next, **prev;
    struct admit *admit;
    uint64_t token;
    size_t index; /* of the recipient, or ADMIT_MAIL */
    enum stage stage;
    struct onward_throttle *throttle; /* what is being asked; NULL: nothing */
    bool is_role;                     /* postmaster@, abuse@ */
    struct onward_str sender, recipient; /* of the session, as long as this */
};

struct admit {
    struct admit *next, **prev; /* of the same slot of the forwarder */
    struct forwarder *fwd;
    const struct setup *setup;
    const struct onward_ip *ip;
    struct admit_host host;
    char network[NETWORK_MAX];
    struct onward_dnslist *lists; /* NULL: none is asked */
    struct question *questions;
    bool is_grey; /* a recipient of the null path has to wait */
};

static struct onward_smtp_reply grey_reply(void)
{
    return (struct onward_smtp_reply){
        .size = sizeof(struct onward_smtp_reply),
        .code = 451,
        .enhanced = ONWARD_STR("4.7.1"),
        .text = ONWARD_STR("we do not know you yet, come again later")};
}

/* ---- Questions --------------------------------------------------------- */

static void free_question(struct question *q)
{
    onward_throttle_free(q->throttle);
    *q->prev = q->next;
    if (q->next != NULL)
        q->next->prev = q->prev;
    free(q);
}

static void refuse(struct question *q, const struct onward_smtp_reply *reply)
{
    struct admit *a = q->admit;
    size_t index = q->index;

    onward_smtp_reply_answer(a->fwd->desk, q->token, reply);
    free_question(q);
    a->host.refused(a->host.user, index, reply);
}

static void let_in(struct question *q)
{
    const struct admit_host *host = &q->admit->host;
    uint64_t token = q->token;
    size_t index = q->index;

    free_question(q);
    if (index == ADMIT_MAIL)
        host->mail(host->user, token);
    else
        host->rcpt(host->user, token, index);
}

static void go_on(struct question *q);

/* ---- Lists ------------------------------------------------------------- */

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

static int ask_lists(struct admit *a)
{
    const struct settings *set = &a->setup->settings;
    const struct onward_dnslist_host host = {
        .size = sizeof(host), .user = a, .done = listed};
    const struct onward_dnslist_opts o = {
        .size = sizeof(o), .ip = a->ip, .max_lists = ONWARD_LIMIT_NONE};
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

/* true: on to the next; false: it waits, or was refused. */
static bool pass_lists(struct question *q)
{
    const struct onward_dnslist *lists = q->admit->lists;
    int verdict;

    if (lists == NULL || q->is_role)
        return true;
    verdict = onward_dnslist_result(lists);
    if (verdict == ONWARD_DNSLIST_PENDING)
        return false;
    if (verdict == ONWARD_DNSLIST_BLOCKED && q->index != ADMIT_MAIL) {
        const struct onward_smtp_reply reply = {.size = sizeof(reply),
                                                .code = 554,
                                                .enhanced = ONWARD_STR("5.7.1"),
                                                .text =
                                                    onward_dnslist_text(lists)};

        refuse(q, &reply);
        return false;
    }
    return true;
}

static bool is_allowed(const struct admit *a)
{
    return a->lists != NULL &&
           onward_dnslist_result(a->lists) == ONWARD_DNSLIST_ALLOWED;
}

/* ---- Limits and greylisting -------------------------------------------- */

bool admit_read_limit(const char *text, size_t *count, size_t *period_s)
{
    static const struct {
        const char *name;
        size_t seconds;
    } units[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}};
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9 || text[digits] != '/')
        return false;
    *count = strtoul(text, NULL, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits + 1, units[i].name) == 0) {
            *period_s = units[i].seconds;
            return *count > 0;
        }
    }
    return false;
}

static void tell_to_wait(struct question *q)
{
    static const struct {
        size_t code;
        const char *enhanced, *what;
    } words[] = {
        [STAGE_CLIENT] = {450, "4.7.1", "too much mail from your network"},
        [STAGE_SENDER] = {450, "4.7.1", "too much mail from this sender"},
        [STAGE_RECIPIENT] = {450, "4.2.1", "too much mail for this address"},
    };
    char text[120];
    struct onward_smtp_reply reply = {.size = sizeof(reply)};

    if (q->stage == STAGE_GREYLIST && q->sender.len == 0) {
        q->admit->is_grey = true;
        let_in(q);
        return;
    }
    if (q->stage == STAGE_GREYLIST) {
        reply = grey_reply();
        refuse(q, &reply);
        return;
    }
    snprintf(text, sizeof(text), "%s, come again in %lld s",
             words[q->stage].what,
             (long long)onward_throttle_wait_s(q->throttle));
    reply.code = words[q->stage].code;
    reply.enhanced = onward_str_of(words[q->stage].enhanced);
    reply.text = onward_str_of(text);
    refuse(q, &reply);
}

static void throttled(void *user, struct onward_throttle *throttle)
{
    struct question *q = user;

    if (onward_throttle_result(throttle) == ONWARD_THROTTLE_WAIT) {
        tell_to_wait(q);
        return;
    }
    onward_throttle_free(throttle);
    q->throttle = NULL;
    q->stage++;
    go_on(q);
}

/* true: it is asked; false: there is no such limit, or it cannot be asked. */
static bool ask_rate(struct question *q, const char *name, const char *limit,
                     struct onward_str key)
{
    const struct onward_throttle_host host = {
        .size = sizeof(host), .user = q, .done = throttled};
    struct onward_throttle_rate_opts o = {.size = sizeof(o),
                                          .store = q->admit->fwd->store,
                                          .name = onward_str_of(name),
                                          .key = key};

    return limit != NULL && admit_read_limit(limit, &o.count, &o.period_s) &&
           onward_throttle_rate(&o, &host, &q->throttle) == 0;
}

/* Large senders try again from another machine next door. */
static bool ask_greylist(struct question *q)
{
    const struct onward_throttle_host host = {
        .size = sizeof(host), .user = q, .done = throttled};
    char network[NETWORK_MAX];
    struct onward_throttle_greylist_opts o = {
        .size = sizeof(o),
        .store = q->admit->fwd->store,
        .sender = q->sender,
        .recipient = q->recipient,
        .delay_s = q->admit->setup->settings.greylist_s};

    if (o.delay_s == 0 || q->is_role || is_allowed(q->admit) ||
        onward_throttle_network(q->admit->ip, GREYLIST_BITS_4, BITS_6, network,
                                sizeof(network)) < 0)
        return false;
    o.client = onward_str_of(network);
    return onward_throttle_greylist(&o, &host, &q->throttle) == 0;
}

/* ---- The way in -------------------------------------------------------- */

static bool ask_stage(struct question *q)
{
    const struct settings *set = &q->admit->setup->settings;
    const bool is_mail = q->index == ADMIT_MAIL;

    switch (q->stage) {
    case STAGE_CLIENT:
        return is_mail && !is_allowed(q->admit) &&
               ask_rate(q, "client", set->limit_client,
                        onward_str_of(q->admit->network));
    case STAGE_SENDER:
        /* All that is returned in the world has the same null path. */
        return is_mail && q->sender.len > 0 &&
               ask_rate(q, "sender", set->limit_sender, q->sender);
    case STAGE_RECIPIENT:
        return !is_mail && !q->is_role &&
               ask_rate(q, "recipient", set->limit_recipient, q->recipient);
    case STAGE_GREYLIST:
        return !is_mail && ask_greylist(q);
    case STAGE_LISTS:
    case STAGE_IN:
        break;
    }
    return false;
}

/* As far as it goes without waiting; q may be gone after it. */
static void go_on(struct question *q)
{
    if (q->stage == STAGE_LISTS) {
        if (!pass_lists(q))
            return;
        q->stage++;
    }
    for (; q->stage != STAGE_IN; q->stage++) {
        if (ask_stage(q))
            return;
    }
    let_in(q);
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

void admit_mail(struct admit *a, uint64_t token, struct onward_str sender)
{
    struct question *q = new_question(a, token, ADMIT_MAIL);

    if (q == NULL) {
        a->host.mail(a->host.user, token);
        return;
    }
    q->sender = sender;
    /* Who is on an allow list may bring more; else the lists are for RCPT. */
    if (a->setup->settings.limit_client == NULL ||
        a->setup->settings.dnswl.count == 0)
        q->stage = STAGE_CLIENT;
    go_on(q);
}

void admit_rcpt(struct admit *a, uint64_t token, size_t index,
                struct onward_str sender, struct onward_str recipient)
{
    struct question *q = new_question(a, token, index);

    if (q == NULL) {
        a->host.rcpt(a->host.user, token, index);
        return;
    }
    q->sender = sender;
    q->recipient = recipient;
    q->is_role = is_role(recipient);
    go_on(q);
}

bool admit_data(const struct admit *a, struct onward_smtp_reply *reply)
{
    if (a->is_grey)
        *reply = grey_reply();
    return !a->is_grey;
}

/* ---- Life -------------------------------------------------------------- */

static struct admit **slot_of(struct forwarder *fwd, const char *network)
{
    size_t hash = 5381;

    for (; *network != '\0'; network++)
        hash = hash * 33 + (unsigned char)*network;
    return &fwd->admits[hash % (sizeof(fwd->admits) / sizeof(fwd->admits[0]))];
}

bool admit_is_crowded(const struct admit *a)
{
    const size_t most = a->setup->settings.max_sessions_client;
    size_t count = 0;

    for (const struct admit *b = *slot_of(a->fwd, a->network);
         b != NULL && most != 0 && count <= most; b = b->next)
        count += strcmp(a->network, b->network) == 0;
    return count > most && most != 0;
}

void admit_reset(struct admit *a)
{
    if (a == NULL)
        return;
    a->is_grey = false;
    while (a->questions != NULL)
        free_question(a->questions);
}

struct admit *admit_new(struct forwarder *fwd, const struct setup *setup,
                        const struct onward_ip *ip,
                        const struct admit_host *host)
{
    struct admit *a = calloc(1, sizeof(*a));
    struct admit **slot;

    if (a == NULL)
        return NULL;
    a->fwd = fwd;
    a->setup = setup;
    a->ip = ip;
    a->host = *host;
    onward_throttle_network(ip, BITS_4, BITS_6, a->network, sizeof(a->network));
    slot = slot_of(fwd, a->network);
    a->next = *slot;
    a->prev = slot;
    if (a->next != NULL)
        a->next->prev = &a->next;
    *slot = a;
    if (ask_lists(a) != 0) {
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
    *a->prev = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
    free(a);
}
