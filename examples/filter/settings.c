/* The keys that every filter has, and how their values are read. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "filter_priv.h"

static const char *const quarantine_words[] = {"accept", "hold", NULL};
static const char *const ways[] = {"tempfail", "accept", NULL};

/* ---- Values ------------------------------------------------------------ */

bool filter_read_network(const char *text, struct filter_network *network)
{
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    size_t bits = 0;

    if (onward_ip_parse((struct onward_str){text, len}, &network->ip) != 0)
        return false;
    network->bits = network->ip.family == 4 ? 32 : 128;
    if (slash == NULL)
        return true;
    for (const char *c = slash + 1; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || c - slash > 3)
            return false;
        bits = bits * 10 + (size_t)(*c - '0');
    }
    if (slash[1] == '\0' || bits > network->bits)
        return false;
    network->bits = bits;
    return true;
}

static const char *judge_internal(const char *value)
{
    struct filter_network network;

    return strcmp(value, "none") == 0 || filter_read_network(value, &network)
               ? NULL
               : "an address, a network as in 192.0.2.0/24, or none";
}

size_t filter_words(char *text, char **words, size_t max)
{
    size_t count = 0;
    char *save = NULL;

    for (char *word = strtok_r(text, " \t", &save); word != NULL;
         word = strtok_r(NULL, " \t", &save)) {
        if (count < max)
            words[count] = word;
        count++;
    }
    return count;
}

const char *filter_second(const char *row)
{
    row += strcspn(row, " \t");
    return row + strspn(row, " \t");
}

static const char *judge_pattern(const char *value)
{
    if (strcmp(value, "*") == 0)
        return NULL;
    if (strncmp(value, "*.", 2) == 0)
        value += 2;
    return config_host_name(value) == NULL ? NULL : "DOMAIN, *.DOMAIN or *";
}

bool filter_matches(const char *pattern, struct onward_str domain)
{
    size_t len = strlen(pattern);

    if (strcmp(pattern, "*") == 0)
        return true;
    if (pattern[0] == '*')
        return domain.len >= len &&
               strncasecmp(domain.data + (domain.len - (len - 1)), pattern + 1,
                           len - 1) == 0;
    return domain.len == len && strncasecmp(domain.data, pattern, len) == 0;
}

static const char *judge_key(const char *value)
{
    static const char expected[] =
        "DOMAIN SELECTOR FILE, as in example.com s1 example.com.pem";
    char *words[3];
    char *text = strdup(value);
    bool is_good = text != NULL && filter_words(text, words, 3) == 3 &&
                   config_host_name(words[0]) == NULL &&
                   config_selector(words[1]) == NULL;

    free(text);
    return is_good ? NULL : expected;
}

static const char *judge_key_for(const char *value)
{
    static const char expected[] =
        "AUTHOR-DOMAIN DOMAIN, as in *.example.com example.com";
    char *words[2];
    char *text = strdup(value);
    bool is_good = text != NULL && filter_words(text, words, 2) == 2 &&
                   judge_pattern(words[0]) == NULL &&
                   config_host_name(words[1]) == NULL;

    free(text);
    return is_good ? NULL : expected;
}

/* ---- The table --------------------------------------------------------- */

size_t filter_keys(struct filter_settings *s, struct config_key *keys)
{
    const struct config_key ours[] = {
        {.name = "hostname",
         .type = CONFIG_TEXT,
         .value = &s->hostname,
         .judge = config_host_name,
         .is_required = true},
        {.name = "authserv_id",
         .type = CONFIG_TEXT,
         .value = &s->authserv_id,
         .judge = config_authserv_id},
        {.name = "dns", .type = CONFIG_FILE, .value = &s->dns},
        {.name = "resolver",
         .type = CONFIG_TEXT,
         .value = &s->resolver,
         .judge = config_resolver},
        {.name = "resolver_anchor",
         .type = CONFIG_FILE,
         .value = &s->resolver_anchor},
        {.name = "internal",
         .type = CONFIG_LIST,
         .value = &s->internal,
         .judge = judge_internal},
        {.name = "verify", .type = CONFIG_YES_NO, .value = &s->verify},
        {.name = "trusted_sealer",
         .type = CONFIG_LIST,
         .value = &s->trusted_sealers,
         .judge = config_host_name},
        {.name = "enforce_dmarc",
         .type = CONFIG_YES_NO,
         .value = &s->enforce_dmarc},
        {.name = "dmarc_reject",
         .type = CONFIG_TEXT,
         .value = &s->dmarc_reject,
         .judge = config_dmarc_reject},
        {.name = "dmarc_quarantine",
         .type = CONFIG_CHOICE,
         .value = &s->dmarc_quarantine,
         .choices = quarantine_words},
        {.name = "allow_malformed",
         .type = CONFIG_YES_NO,
         .value = &s->allow_malformed},
        {.name = "temperror",
         .type = CONFIG_CHOICE,
         .value = &s->temperror,
         .choices = ways},
        {.name = "failure",
         .type = CONFIG_CHOICE,
         .value = &s->failure,
         .choices = ways},
        {.name = "dkim_key",
         .type = CONFIG_LIST,
         .value = &s->dkim_keys,
         .judge = judge_key,
         .words = 2},
        {.name = "dkim_for",
         .type = CONFIG_LIST,
         .value = &s->dkim_for,
         .judge = judge_key_for},
        {.name = "seal_key", .type = CONFIG_FILE, .value = &s->seal_key},
        {.name = "seal_domain",
         .type = CONFIG_TEXT,
         .value = &s->seal_domain,
         .judge = config_host_name},
        {.name = "seal_selector",
         .type = CONFIG_TEXT,
         .value = &s->seal_selector,
         .judge = config_selector},
        {.name = "srs_domain",
         .type = CONFIG_TEXT,
         .value = &s->srs_domain,
         .judge = config_host_name},
        {.name = "srs_secret", .type = CONFIG_FILE, .value = &s->srs_secret},
        {.name = "forward",
         .type = CONFIG_LIST,
         .value = &s->forward,
         .judge = judge_pattern},
    };
    const size_t count = sizeof(ours) / sizeof(ours[0]);

    _Static_assert(sizeof(ours) / sizeof(ours[0]) <= FILTER_KEYS,
                   "room for all keys");
    memcpy(keys, ours, sizeof(ours));
    s->verify = true;
    s->enforce_dmarc = true;
    return count;
}
