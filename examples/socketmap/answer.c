/*
 * What a request gets, in the words of socketmap_table(5): `OK VALUE`,
 * `NOTFOUND ` for no entry, `TEMP REASON` where Postfix has to ask again later,
 * `PERM REASON` where it never should have asked.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "socketmap.h"

enum { SERVERS_MAX = 16 }; /* of a domain that are looked at for DANE */

/* ---- The reply --------------------------------------------------------- */

static void finish(struct question *q)
{
    log_answer(q->server, q->map, q->key,
               (struct onward_str){q->reply, q->reply_len});
    q->done(q);
}

static void put(struct question *q, const char *text, size_t len)
{
    if (len > REPLY_MAX - q->reply_len)
        len = REPLY_MAX - q->reply_len;
    memcpy(q->reply + q->reply_len, text, len);
    q->reply_len += len;
}

static void reply(struct question *q, const char *word, const char *text)
{
    q->reply_len = 0;
    put(q, word, strlen(word));
    put(q, " ", 1);
    put(q, text, strlen(text));
    finish(q);
}

static void not_found(struct question *q)
{
    reply(q, "NOTFOUND", "");
}

/* ---- mta-sts ----------------------------------------------------------- */

static void drop_lookups(struct question *q)
{
    onward_dane_lookup_free(q->dane);
    q->dane = NULL;
    onward_dns_lookup_free(q->mx);
    q->mx = NULL;
    onward_mtasts_lookup_free(q->policy);
    q->policy = NULL;
}

/* Why there is no policy lies with us: there may be one in force, and whoever
 * can make us busy is not to switch it off. */
static bool is_our_fault(size_t reason)
{
    switch (reason) {
    case ONWARD_MTASTS_REASON_BUSY:
    case ONWARD_MTASTS_REASON_STORE:
    case ONWARD_MTASTS_REASON_CANCELED:
    case ONWARD_MTASTS_REASON_INTERNAL:
        return true;
    default:
        return false;
    }
}

static void begin_secure(struct question *q)
{
    q->reply_len = 0;
    put(q, "OK secure match=", 16);
}

static void put_name(struct question *q, struct onward_str name)
{
    if (q->reply[q->reply_len - 1] != '=')
        put(q, ":", 1);
    put(q, name.data, name.len);
}

static void finish_secure(struct question *q)
{
    put(q, " servername=hostname", 20);
    drop_lookups(q);
    finish(q);
}

/* Postfix has ".example.net" for "*.example.net". */
static void reply_patterns(struct question *q,
                           const struct onward_mtasts_policy *policy)
{
    struct onward_str rest = policy->text, pattern;

    begin_secure(q);
    while (onward_mtasts_mx_next(&rest, &pattern) == 1) {
        if (pattern.len > 0 && pattern.data[0] == '*') {
            pattern.data++;
            pattern.len--;
        }
        put_name(q, pattern);
    }
    finish_secure(q);
}

/*
 * The mail servers that are in the policy, by name: Postfix's ".example.net" is
 * for all names below, at any depth, where RFC 8461 section 4.1 wants one label
 * and the certificate of the server itself.
 */
static void reply_servers(struct question *q,
                          const struct onward_mtasts_policy *policy)
{
    size_t count = onward_dns_lookup_count(q->mx), found = 0;
    struct onward_str name = onward_str_of(q->key);

    begin_secure(q);
    /* Without MX records the domain itself is the server (RFC 5321 section
     * 5.1). */
    for (size_t i = 0; i < (count == 0 ? 1 : count); i++) {
        if (count != 0)
            name = onward_dns_lookup_data(q->mx, i);
        if (onward_mtasts_mx_matches(policy, name) != 1)
            continue;
        put_name(q, name);
        found++;
    }
    if (found > 0) {
        finish_secure(q);
        return;
    }
    drop_lookups(q);
    reply(q, "TEMP", "no mail server of the domain is in its policy");
}

static void reply_secure(struct question *q)
{
    struct onward_mtasts_verdict v = {.size = sizeof(v)};

    (void)onward_mtasts_lookup_verdict(q->policy, &v);
    if (q->setup->settings.exact)
        reply_servers(q, v.policy);
    else
        reply_patterns(q, v.policy);
}

static void reply_after(struct question *q, const char *word, const char *text)
{
    drop_lookups(q);
    reply(q, word, text);
}

static void ask_dane(struct question *q);

static void dane_done(void *user, struct onward_dane_lookup *lookup)
{
    struct question *q = user;
    int result = onward_dane_lookup_result(lookup);

    /* Records, or a question that failed: Postfix asks it again itself, and
     * uses no server for which DANE does not hold. */
    if (result != ONWARD_DANE_RESULT_NONE) {
        reply_after(q, "OK", "dane-only");
        return;
    }
    onward_dane_lookup_free(q->dane);
    q->dane = NULL;
    q->mx_at++;
    ask_dane(q);
}

/* The next server of the domain; none is left: DANE has nothing to say. */
static void ask_dane(struct question *q)
{
    const struct onward_dane_lookup_host host = {
        .size = sizeof(host), .user = q, .done = dane_done};
    struct onward_dane_opts o = {.size = sizeof(o),
                                 .origin = ONWARD_DANE_MX_SECURE,
                                 .next_hop = onward_str_of(q->key)};

    if (q->mx_at >= onward_dns_lookup_count(q->mx) || q->mx_at >= SERVERS_MAX) {
        reply_secure(q);
        return;
    }
    o.host = onward_dns_lookup_data(q->mx, q->mx_at);
    if (onward_dane_lookup_new(q->setup->resolve.resolver, &o, &host,
                               &q->dane) != 0)
        reply_after(q, "TEMP", "out of memory");
}

static void mx_done(void *user, struct onward_dns_lookup *lookup)
{
    struct question *q = user;

    switch (onward_dns_lookup_status(lookup)) {
    case ONWARD_DNS_STATUS_OK:
        /* DANE begins with servers that DNSSEC vouches for. */
        if (q->setup->settings.dane && onward_dns_lookup_is_secure(lookup) == 1)
            ask_dane(q);
        else
            reply_secure(q);
        return;
    case ONWARD_DNS_STATUS_NODATA:
    case ONWARD_DNS_STATUS_NXDOMAIN:
        reply_secure(q);
        return;
    default:
        reply_after(q, "TEMP", "the mail servers cannot be looked up");
    }
}

static void ask_mx(struct question *q)
{
    const struct onward_dns_lookup_host host = {
        .size = sizeof(host), .user = q, .done = mx_done};

    q->mx_at = 0;
    if (onward_dns_lookup_new(q->setup->resolve.resolver, onward_str_of(q->key),
                              ONWARD_DNS_MX, &host, &q->mx) != 0)
        reply_after(q, "TEMP", "out of memory");
}

static void policy_done(void *user, struct onward_mtasts_lookup *lookup)
{
    struct question *q = user;
    struct onward_mtasts_verdict v = {.size = sizeof(v)};

    (void)onward_mtasts_lookup_verdict(lookup, &v);
    if (v.policy == NULL && is_our_fault(v.reason))
        reply_after(q, "TEMP", onward_mtasts_reason_text((int)v.reason));
    else if (v.policy == NULL || v.policy->mode != ONWARD_MTASTS_MODE_ENFORCE)
        reply_after(q, "NOTFOUND", "");
    else if (q->setup->settings.dane || q->setup->settings.exact)
        ask_mx(q);
    else
        reply_secure(q);
}

/*
 * Postfix asks for the next hop as it has it: `example.com`, and then its
 * parents, `.com`; or `[host]`, `host:port`, `[192.0.2.1]:587`, which an
 * operator wrote and for which no policy speaks (RFC 8461 section 3.4 is about
 * domains).
 */
static void ask_mta_sts(struct question *q)
{
    const struct onward_mtasts_lookup_host host = {
        .size = sizeof(host), .user = q, .done = policy_done};

    if (q->setup->mtasts == NULL) {
        reply(q, "PERM", "mta_sts = no");
        return;
    }
    if (q->key[0] == '.' || q->key[0] == '\0' ||
        strpbrk(q->key, "[]:@ ") != NULL) {
        not_found(q);
        return;
    }
    if (onward_mtasts_lookup_new(q->setup->mtasts, onward_str_of(q->key), &host,
                                 &q->policy) != 0)
        reply(q, "TEMP", "out of memory");
}

/* ---- SRS --------------------------------------------------------------- */

/* Behind the last "@", when there is something on both sides; else NULL.
 * Postfix asks for `@domain` and `user` too. */
static const char *domain_of(const char *address)
{
    const char *at = strrchr(address, '@');

    return at == NULL || at == address || at[1] == '\0' ? NULL : at + 1;
}

static bool is_local(const struct setup *setup, const char *domain)
{
    const struct config_list *list = &setup->settings.local_domains;
    size_t len = strlen(domain);

    if (strcasecmp(domain, setup->settings.srs_domain) == 0)
        return true;
    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];

        if (item[0] != '*') {
            if (strcasecmp(domain, item) == 0)
                return true;
            continue;
        }
        item++;
        if (len > strlen(item) &&
            strcasecmp(domain + len - strlen(item), item) == 0)
            return true;
    }
    return false;
}

/* A sender that SRS cannot hold: the store has it, the address a key. */
static void keep_sender(struct question *q, char out[ONWARD_SRS_TEXT_MAX])
{
    const struct setup *setup = q->setup;
    struct onward_srs_kept kept = {.size = sizeof(kept)};
    int len = onward_srs_keep(setup->srs, onward_str_of(q->key),
                              onward_str_of(setup->settings.srs_domain), out,
                              ONWARD_SRS_TEXT_MAX, &kept);
    const struct lmdb_item item = {.key = {kept.key, kept.key_len},
                                   .value = {kept.value, kept.value_len},
                                   .expires_s = kept.expires_s,
                                   .flags = ONWARD_STORE_KEEP};

    if (len == ONWARD_ESYNTAX || len == ONWARD_ELIMIT) {
        not_found(q);
    } else if (len < 0) {
        reply(q, "TEMP", onward_strerror(len));
    } else if (lmdb_store_write(q->server->store, &item) != 1) {
        reply(q, "TEMP", "the store cannot be written to");
    } else {
        reply(q, "OK", out);
    }
}

static void ask_forward(struct question *q)
{
    const struct setup *setup = q->setup;
    const char *domain = domain_of(q->key);
    char out[ONWARD_SRS_TEXT_MAX];
    int len;

    if (setup->srs == NULL) {
        reply(q, "PERM", "there is no srs_domain");
        return;
    }
    if (domain == NULL || is_local(setup, domain)) {
        not_found(q);
        return;
    }
    len = onward_srs_forward(setup->srs, onward_str_of(q->key),
                             onward_str_of(setup->settings.srs_domain), out,
                             sizeof(out));
    if (len == ONWARD_ESYNTAX || len == ONWARD_ELIMIT)
        keep_sender(q, out);
    else if (len < 0)
        reply(q, "TEMP", onward_strerror(len));
    else
        reply(q, "OK", out);
}

/* What was kept for that key. */
static void give_kept(struct question *q, struct onward_str key)
{
    char value[sizeof(((struct onward_srs_kept *)NULL)->value)];
    char out[ONWARD_SRS_TEXT_MAX];
    struct lmdb_item item = {.key = key};
    int ret = lmdb_store_read(q->server->store, &item, value, sizeof(value));

    if (ret < 0)
        reply(q, "TEMP", "the store cannot be read");
    else if (ret == 0 || onward_srs_kept_sender(q->setup->srs, item.value, out,
                                                sizeof(out)) < 0)
        not_found(q);
    else
        reply(q, "OK", out);
}

static void ask_reverse(struct question *q)
{
    const struct setup *setup = q->setup;
    const char *domain = domain_of(q->key);
    char out[ONWARD_SRS_TEXT_MAX];
    int verdict = ONWARD_SRS_NONE, len;

    if (setup->srs == NULL) {
        reply(q, "PERM", "there is no srs_domain");
        return;
    }
    if (domain == NULL || strcasecmp(domain, setup->settings.srs_domain) != 0) {
        not_found(q);
        return;
    }
    len = onward_srs_reverse(setup->srs, onward_str_of(q->key), out,
                             sizeof(out), &verdict);
    if (len < 0)
        reply(q, "TEMP", onward_strerror(len));
    else if (verdict == ONWARD_SRS_OK)
        reply(q, "OK", out);
    else if (verdict == ONWARD_SRS_KEPT)
        give_kept(q, (struct onward_str){out, (size_t)len});
    else
        not_found(q); /* forged, too old, or no such address: it is nobody's */
}

/* ---- All of them ------------------------------------------------------- */

static const struct map {
    const char *name;
    void (*ask)(struct question *q);
} maps[] = {
    {"mta-sts", ask_mta_sts},
    {"srs-forward", ask_forward},
    {"srs-reverse", ask_reverse},
};

/* Controls have no place in what is looked up, and a NUL would end it early. */
static bool is_clean(struct onward_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            return false;
    }
    return true;
}

void question_ask(struct question *q, struct onward_str text)
{
    const char *blank = memchr(text.data, ' ', text.len);
    size_t name = blank == NULL ? text.len : (size_t)(blank - text.data);

    q->reply = malloc(REPLY_MAX);
    q->setup = q->server->setup;
    q->setup->clients++;
    q->map[0] = q->key[0] = '\0';
    if (q->reply == NULL) {
        q->done(q);
        return;
    }
    if (blank == NULL || name >= sizeof(q->map) || !is_clean(text) ||
        text.len - name > sizeof(q->key)) {
        reply(q, "PERM", "expected a map, a blank and a key");
        return;
    }
    memcpy(q->map, text.data, name);
    q->map[name] = '\0';
    memcpy(q->key, blank + 1, text.len - name - 1);
    q->key[text.len - name - 1] = '\0';
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        if (strcmp(maps[i].name, q->map) == 0) {
            maps[i].ask(q);
            return;
        }
    }
    reply(q, "PERM", "expected the map mta-sts, srs-forward or srs-reverse");
}

void question_clear(struct question *q)
{
    drop_lookups(q);
    free(q->reply);
    q->reply = NULL;
    q->reply_len = 0;
    if (q->setup == NULL)
        return;
    q->setup->clients--;
    if (q->setup->is_replaced && q->setup->clients == 0)
        setup_free(q->setup);
    q->setup = NULL;
}
