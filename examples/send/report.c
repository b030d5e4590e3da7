/* What became of it, for people and for programs. */
#define _GNU_SOURCE
#include <stdio.h>

#include "json.h"
#include "send.h"

static const char *fate_of(const struct onward_smtp_outcome *o)
{
    static const char *const words[] = {"not tried", "delivered", "temporary",
                                        "permanent"};

    return o->fate < sizeof(words) / sizeof(words[0]) ? words[o->fate]
                                                      : "unknown";
}

static const char *phase_of(const struct onward_smtp_outcome *o)
{
    static const char *const words[] = {
        "check", "greeting", "EHLO", "STARTTLS", "TLS",     "idle", "RSET",
        "MAIL",  "RCPT",     "DATA", "content",  "message", "QUIT", "AUTH"};

    return o->phase < sizeof(words) / sizeof(words[0]) ? words[o->phase]
                                                       : "unknown";
}

static const char *cause_of(const struct onward_smtp_outcome *o)
{
    static const char *const words[] = {
        "none",          "reply",         "lost",       "timeout",
        "deadline",      "protocol",      "tls",        "no-tls",
        "no-smtputf8",   "no-8bitmime",   "size",       "bare-newline",
        "recipients",    "source",        "canceled",   "memory",
        "no-binarymime", "no-requiretls", "unverified", "limit",
        "no-auth",       "auth"};

    return o->cause < sizeof(words) / sizeof(words[0]) ? words[o->cause]
                                                       : "unknown";
}

/* ---- JSON -------------------------------------------------------------- */

static void put_outcome(struct json *j, const struct onward_smtp_outcome *o)
{
    json_text(j, "fate", fate_of(o));
    json_text(j, "phase", phase_of(o));
    json_text(j, "cause", cause_of(o));
    json_number(j, "code", o->code);
    json_str_or_null(j, "enhanced", o->enhanced);
    json_str(j, "text", o->text);
    json_text_or_null(j, "tls_failure",
                      o->tls_failure == ONWARD_TLS_OK
                          ? NULL
                          : onward_tls_failure_name((int)o->tls_failure));
    json_bool(j, "dsn_left_out", (o->notes & ONWARD_SMTP_NOTE_NO_DSN) != 0);
}

static void put_server(struct json *j, const struct onward_smtp_client *client)
{
    static const struct {
        uint64_t bit;
        const char *keyword;
    } known[] = {{ONWARD_SMTP_EXT_PIPELINING, "PIPELINING"},
                 {ONWARD_SMTP_EXT_SIZE, "SIZE"},
                 {ONWARD_SMTP_EXT_8BITMIME, "8BITMIME"},
                 {ONWARD_SMTP_EXT_ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES"},
                 {ONWARD_SMTP_EXT_STARTTLS, "STARTTLS"},
                 {ONWARD_SMTP_EXT_SMTPUTF8, "SMTPUTF8"},
                 {ONWARD_SMTP_EXT_CHUNKING, "CHUNKING"},
                 {ONWARD_SMTP_EXT_BINARYMIME, "BINARYMIME"},
                 {ONWARD_SMTP_EXT_DSN, "DSN"},
                 {ONWARD_SMTP_EXT_AUTH, "AUTH"},
                 {ONWARD_SMTP_EXT_REQUIRETLS, "REQUIRETLS"},
                 {ONWARD_SMTP_EXT_LIMITS, "LIMITS"},
                 {ONWARD_SMTP_EXT_DELIVERBY, "DELIVERBY"}};
    uint64_t offered = onward_smtp_client_extensions(client);
    struct onward_tls_facts tls = {.size = sizeof(tls)};
    bool has_tls = onward_smtp_client_tls_facts(client, &tls) == 0;

    json_open(j, "offered", '[');
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (offered & known[i].bit)
            json_text(j, NULL, known[i].keyword);
    }
    json_close(j, ']');
    json_text_or_null(
        j, "auth",
        onward_smtp_auth_name(onward_smtp_client_auth_mechanism(client)));
    json_str_or_null(j, "tls", has_tls ? tls.version : (struct onward_str){0});
    json_str_or_null(j, "cipher",
                     has_tls ? tls.cipher : (struct onward_str){0});
    json_bool(j, "verified", has_tls && tls.is_verified == 1);
}

/* ---- Both -------------------------------------------------------------- */

static void print_line(const char *who, const struct onward_smtp_outcome *o)
{
    printf("%s: %s", who, fate_of(o));
    if (o->cause == ONWARD_SMTP_CAUSE_REPLY)
        printf(", %s was answered %zu", phase_of(o), o->code);
    else
        printf(", %s in %s", cause_of(o), phase_of(o));
    if (o->enhanced.len != 0)
        printf(" %.*s", (int)o->enhanced.len, o->enhanced.data);
    printf(" %.*s", (int)o->text.len, o->text.data);
    if (o->tls_failure != ONWARD_TLS_OK)
        printf(" (%s)", onward_tls_failure_text((int)o->tls_failure));
    putchar('\n');
}

bool report_print(const struct order *order,
                  const struct onward_smtp_client *client)
{
    struct json j = {0};
    bool is_all = true;

    if (order->is_json) {
        json_open(&j, NULL, '{');
        put_server(&j, client);
        json_open(&j, "rcpt", '[');
    }
    for (size_t i = 0; i < onward_smtp_client_rcpt_count(client); i++) {
        struct onward_smtp_outcome o = {.size = sizeof(o)};

        onward_smtp_client_outcome(client, i, &o);
        is_all = is_all && o.fate == ONWARD_SMTP_FATE_DELIVERED;
        if (order->is_json) {
            json_open(&j, NULL, '{');
            json_text(&j, "to", order->to.items[i]);
            put_outcome(&j, &o);
            json_close(&j, '}');
        } else {
            print_line(order->to.items[i], &o);
        }
    }
    if (order->is_json) {
        json_close(&j, ']');
        json_close(&j, '}');
        json_end(&j);
    }
    return is_all;
}
