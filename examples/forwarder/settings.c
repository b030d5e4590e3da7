/* The keys of the configuration: their values, their defaults. */
#define _GNU_SOURCE
#include <string.h>

#include "admit.h"
#include "dkim.h"
#include "forwarder.h"
#include "handlers.h"
#include "sending.h"
#include "webhook.h"

static const char *const relay_words[] = {"session", "spool", NULL};
static const char *const hash_words[] = {"sha256", "sha1", NULL};
static const char *const separator_words[] = {"=", "+", "-", NULL};
/* As enum onward_relay_overflow has them. */
static const char *const overflow_words[] = {"keep", "null", "sink", NULL};
static const char *const sender_words[] = {"null", "any", NULL};
static const char *const tls_levels[] = {"none", "opportunistic", "encrypted",
                                         "verified", NULL};

const char settings_separators[3] = {'=', '+', '-'};

/* ---- Values ------------------------------------------------------------ */

static const char *judge_smart_host(const char *value)
{
    size_t len = strlen(value);
    struct onward_ip ip;

    if (config_host_name(value) == NULL &&
        onward_ip_parse(onward_str_of(value), &ip) != 0)
        return NULL;
    if (len > 2 && value[0] == '[' && value[len - 1] == ']') {
        size_t skip = strncasecmp(value, "[IPv6:", 6) == 0 ? 6 : 1;

        if (onward_ip_parse((struct onward_str){value + skip, len - skip - 1},
                            &ip) == 0 &&
            (ip.family == 6) == (skip == 6))
            return NULL;
    }
    return "a host name, or an address as in [192.0.2.1] or [IPv6:2001:db8::1]";
}

/* As it goes into a report and into From. */
static const char *judge_contact(const char *value)
{
    const char *at = strrchr(value, '@');

    for (const char *c = value; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || strchr("<>()\",;:\\", *c) != NULL)
            at = NULL;
    }
    return at != NULL && at != value && config_host_name(at + 1) == NULL
               ? NULL
               : "an address, LOCAL@DOMAIN";
}

static const char *judge_dnslist(const char *value)
{
    return onward_dnslist_is_list(onward_str_of(value))
               ? NULL
               : "ZONE or ZONE=CODE, as in bl.example=127.0.0.[2..11]";
}

static const char *judge_limit(const char *value)
{
    size_t count, period_s;

    return admit_read_limit(value, &count, &period_s)
               ? NULL
               : "NUMBER/second, /minute, /hour or /day, as in 100/minute";
}

/* ---- The file ---------------------------------------------------------- */

void settings_begin(struct settings *s)
{
    const struct config_key keys[] = {
        {.name = "listen",
         .type = CONFIG_LIST,
         .value = &s->listen,
         .judge = service_judge_listen,
         .is_required = true},
        {.name = "hostname",
         .type = CONFIG_TEXT,
         .value = &s->hostname,
         .judge = config_host_name,
         .is_required = true},
        {.name = "authserv_id",
         .type = CONFIG_TEXT,
         .value = &s->authserv_id,
         .judge = config_authserv_id},
        {.name = "rules",
         .type = CONFIG_FILE,
         .value = &s->rules,
         .is_required = true},
        {.name = "dns", .type = CONFIG_FILE, .value = &s->dns},
        {.name = "resolver",
         .type = CONFIG_TEXT,
         .value = &s->resolver,
         .judge = config_resolver},
        {.name = "resolver_anchor",
         .type = CONFIG_FILE,
         .value = &s->resolver_anchor},
        {.name = "tls_certificate",
         .type = CONFIG_FILE,
         .value = &s->tls_certificate},
        {.name = "tls_key", .type = CONFIG_FILE, .value = &s->tls_key},
        {.name = "require_tls",
         .type = CONFIG_YES_NO,
         .value = &s->require_tls},
        {.name = "smtputf8", .type = CONFIG_YES_NO, .value = &s->smtputf8},
        {.name = "srs_domain",
         .type = CONFIG_TEXT,
         .value = &s->srs_domain,
         .judge = config_host_name},
        {.name = "srs_secret", .type = CONFIG_FILE, .value = &s->srs_secret},
        {.name = "srs_hash",
         .type = CONFIG_CHOICE,
         .value = &s->srs_hash,
         .choices = hash_words},
        {.name = "srs_hash_length",
         .type = CONFIG_NUMBER,
         .value = &s->srs_hash_length,
         .min = 2,
         .max = 27},
        {.name = "srs_hash_min",
         .type = CONFIG_NUMBER,
         .value = &s->srs_hash_min,
         .min = 2,
         .max = 27},
        {.name = "srs_max_age_days",
         .type = CONFIG_NUMBER,
         .value = &s->srs_max_age_days,
         .min = 1,
         .max = 1000},
        {.name = "srs_separator",
         .type = CONFIG_CHOICE,
         .value = &s->srs_separator,
         .choices = separator_words},
        {.name = "srs_always_rewrite",
         .type = CONFIG_YES_NO,
         .value = &s->srs_always},
        {.name = "srs_refuse_sha1",
         .type = CONFIG_YES_NO,
         .value = &s->srs_refuse_sha1},
        {.name = "srs_folded_hash",
         .type = CONFIG_YES_NO,
         .value = &s->srs_folded_hash},
        {.name = "srs_overflow",
         .type = CONFIG_CHOICE,
         .value = &s->srs_overflow,
         .choices = overflow_words},
        {.name = "srs_sink",
         .type = CONFIG_TEXT,
         .value = &s->srs_sink,
         .judge = judge_contact},
        {.name = "srs_senders",
         .type = CONFIG_CHOICE,
         .value = &s->srs_senders,
         .choices = sender_words},
        {.name = "seal_key", .type = CONFIG_FILE, .value = &s->seal_key},
        {.name = "seal_domain",
         .type = CONFIG_TEXT,
         .value = &s->seal_domain,
         .judge = config_host_name},
        {.name = "seal_selector",
         .type = CONFIG_TEXT,
         .value = &s->seal_selector,
         .judge = config_selector},
        {.name = "dkim_key",
         .type = CONFIG_LIST,
         .value = &s->dkim_keys,
         .judge = dkim_judge,
         .words = 2},
        {.name = "dkim_domain",
         .type = CONFIG_TEXT,
         .value = &s->dkim_domain,
         .judge = config_host_name},
        {.name = "token_secret",
         .type = CONFIG_FILE,
         .value = &s->token_secret},
        {.name = "ticket_life_s",
         .type = CONFIG_NUMBER,
         .value = &s->ticket_life_s,
         .min = 60,
         .max = 2592000},
        {.name = "reverse_alias",
         .type = CONFIG_LIST,
         .value = &s->reverse_aliases,
         .judge = config_host_name},
        {.name = "trusted_sealer",
         .type = CONFIG_LIST,
         .value = &s->trusted_sealers,
         .judge = config_host_name},
        {.name = "out_port",
         .type = CONFIG_NUMBER,
         .value = &s->out_port,
         .min = 1,
         .max = 65535},
        {.name = "out_tls",
         .type = CONFIG_CHOICE,
         .value = &s->out_tls,
         .choices = tls_levels},
        {.name = "mta_sts", .type = CONFIG_YES_NO, .value = &s->mta_sts},
        {.name = "dane", .type = CONFIG_YES_NO, .value = &s->dane},
        {.name = "tls_reports",
         .type = CONFIG_YES_NO,
         .value = &s->tls_reports},
        {.name = "tls_report_at_once",
         .type = CONFIG_YES_NO,
         .value = &s->tls_report_at_once},
        {.name = "tls_report_contact",
         .type = CONFIG_TEXT,
         .value = &s->tls_report_contact,
         .judge = judge_contact},
        {.name = "policy_port",
         .type = CONFIG_NUMBER,
         .value = &s->policy_port,
         .min = 1,
         .max = 65535},
        {.name = "out_trust", .type = CONFIG_FILE, .value = &s->out_trust},
        {.name = "smart_host",
         .type = CONFIG_TEXT,
         .value = &s->smart_host,
         .judge = judge_smart_host},
        {.name = "allow_private_addresses",
         .type = CONFIG_YES_NO,
         .value = &s->allow_private_addresses},
        {.name = "allow_unauthenticated",
         .type = CONFIG_YES_NO,
         .value = &s->allow_unauthenticated},
        {.name = "dmarc_reject",
         .type = CONFIG_TEXT,
         .value = &s->dmarc_reject,
         .judge = config_dmarc_reject},
        {.name = "enforce_dmarc",
         .type = CONFIG_YES_NO,
         .value = &s->enforce_dmarc},
        {.name = "dnsbl",
         .type = CONFIG_LIST,
         .value = &s->dnsbl,
         .judge = judge_dnslist},
        {.name = "dnswl",
         .type = CONFIG_LIST,
         .value = &s->dnswl,
         .judge = judge_dnslist},
        {.name = "limit_client",
         .type = CONFIG_TEXT,
         .value = &s->limit_client,
         .judge = judge_limit},
        {.name = "limit_sender",
         .type = CONFIG_TEXT,
         .value = &s->limit_sender,
         .judge = judge_limit},
        {.name = "limit_recipient",
         .type = CONFIG_TEXT,
         .value = &s->limit_recipient,
         .judge = judge_limit},
        {.name = "max_sessions_client",
         .type = CONFIG_NUMBER,
         .value = &s->max_sessions_client,
         .max = 100000},
        {.name = "greylist",
         .type = CONFIG_NUMBER,
         .value = &s->greylist_s,
         .max = 86400},
        {.name = "webhook",
         .type = CONFIG_LIST,
         .value = &s->webhooks,
         .judge = webhook_judge},
        {.name = "webhook_secret",
         .type = CONFIG_FILE,
         .value = &s->webhook_secret},
        {.name = "webhook_trust",
         .type = CONFIG_FILE,
         .value = &s->webhook_trust},
        {.name = "webhook_timeout_s",
         .type = CONFIG_NUMBER,
         .value = &s->webhook_timeout_s,
         .min = 1,
         .max = 25},
        {.name = "handler",
         .type = CONFIG_LIST,
         .value = &s->handlers,
         .judge = handler_judge},
        {.name = "handler_send",
         .type = CONFIG_LIST,
         .value = &s->handler_sends,
         .judge = sending_judge},
        {.name = "limit_handler",
         .type = CONFIG_TEXT,
         .value = &s->limit_handler,
         .judge = judge_limit},
        {.name = "limit_handler_recipient",
         .type = CONFIG_TEXT,
         .value = &s->limit_handler_recipient,
         .judge = judge_limit},
        {.name = "handler_timeout_s",
         .type = CONFIG_NUMBER,
         .value = &s->handler_timeout_s,
         .min = 1,
         .max = 50},
        {.name = "max_message_bytes",
         .type = CONFIG_NUMBER,
         .value = &s->max_message_bytes,
         .min = 1024,
         .max = 1073741824},
        {.name = "max_sessions",
         .type = CONFIG_NUMBER,
         .value = &s->max_sessions,
         .min = 1,
         .max = 100000},
        {.name = "message_memory_bytes",
         .type = CONFIG_NUMBER,
         .value = &s->message_memory_bytes,
         .min = 1048576,
         .max = 1099511627776},
        {.name = "ledger_entries",
         .type = CONFIG_NUMBER,
         .value = &s->ledger_entries,
         .min = 1000,
         .max = 100000000},
        {.name = "ledger_life_s",
         .type = CONFIG_NUMBER,
         .value = &s->ledger_life_s,
         .min = 60,
         .max = 2592000},
        {.name = "state", .type = CONFIG_FILE, .value = &s->state},
        {.name = "store",
         .type = CONFIG_TEXT,
         .value = &s->store,
         .judge = storage_judge},
        {.name = "store_bytes",
         .type = CONFIG_NUMBER,
         .value = &s->store_bytes,
         .min = 1048576,
         .max = 1099511627776},
        {.name = "drain_s",
         .type = CONFIG_NUMBER,
         .value = &s->drain_s,
         .max = 3600},
        {.name = "command_timeout_s",
         .type = CONFIG_NUMBER,
         .value = &s->command_timeout_s,
         .min = 1,
         .max = 3600},
        {.name = "delivery_timeout_s",
         .type = CONFIG_NUMBER,
         .value = &s->delivery_timeout_s,
         .min = 1,
         .max = 3600},
        {.name = "user",
         .type = CONFIG_TEXT,
         .value = &s->user,
         .judge = service_judge_user},
        {.name = "log", .type = CONFIG_FILE, .value = &s->log},
        {.name = "log_subject",
         .type = CONFIG_YES_NO,
         .value = &s->log_subject},
        {.name = "spool", .type = CONFIG_FILE, .value = &s->spool},
        {.name = "relay",
         .type = CONFIG_CHOICE,
         .value = &s->relay,
         .choices = relay_words},
        {.name = "spool_bytes",
         .type = CONFIG_NUMBER,
         .value = &s->spool_bytes,
         .min = 1048576,
         .max = SIZE_MAX},
        {.name = "queue_life_s",
         .type = CONFIG_NUMBER,
         .value = &s->queue_life_s,
         .min = 1,
         .max = 2592000},
        {.name = "queue_delay_s",
         .type = CONFIG_NUMBER,
         .value = &s->queue_delay_s,
         .min = 1,
         .max = 2592000},
        {.name = "queue_deliveries",
         .type = CONFIG_NUMBER,
         .value = &s->queue_deliveries,
         .min = 1,
         .max = 10000},
        {.name = "quarantine_life_s",
         .type = CONFIG_NUMBER,
         .value = &s->quarantine_life_s,
         .min = 1,
         .max = 1209600},
        {.name = "quarantine_bytes",
         .type = CONFIG_NUMBER,
         .value = &s->quarantine_bytes,
         .min = 1048576,
         .max = SIZE_MAX},
        {.name = NULL},
    };

    _Static_assert(sizeof(keys) <= sizeof(s->keys), "room for all keys");
    memcpy(s->keys, keys, sizeof(keys));
    s->smtputf8 = true;
    s->log_subject = true;
    s->webhook_timeout_s = 15;
    s->handler_timeout_s = 30;
    s->enforce_dmarc = true;
    s->mta_sts = true;
    s->dane = true;
    s->tls_reports = true;
    s->policy_port = 443;
    s->out_port = 25;
    s->out_tls = 1;
    s->max_message_bytes = 26214400;
    s->message_memory_bytes = 1073741824;
    s->ledger_entries = 500000;
    s->ledger_life_s = 432000;
    s->store_bytes = 1073741824;
    s->max_sessions = 1000;
    s->drain_s = 30;
    s->command_timeout_s = 300;
    s->delivery_timeout_s = 540;
    s->spool_bytes = 2147483648;
    s->queue_life_s = 432000;
    s->queue_delay_s = 14400;
    s->queue_deliveries = 20;
    s->ticket_life_s = 2592000;
    s->srs_folded_hash = true;
    s->quarantine_life_s = 1209600;
    s->quarantine_bytes = 1073741824;
}
