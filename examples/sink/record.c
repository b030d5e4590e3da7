/*
 * What is kept: FOLDER/000001.eml with the octets of the message, and a line
 * in FOLDER/messages.jsonl with what SMTP said around it. Both are written
 * before the client hears 250.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "sink.h"

enum { PATH_LIMIT = 4096 };

static int path_of(const struct sink *sink, size_t serial, const char *end,
                   char path[PATH_LIMIT])
{
    int len =
        snprintf(path, PATH_LIMIT, "%s/%06zu.%s", sink->folder, serial, end);

    if (len > 0 && len < PATH_LIMIT)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

int record_open(struct sink *sink)
{
    char path[PATH_LIMIT];
    int len = snprintf(path, sizeof(path), "%s/messages.jsonl", sink->folder);

    if (len < 0 || len >= PATH_LIMIT) {
        errno = ENAMETOOLONG;
        return -1;
    }
    sink->log = fopen(path, "ae");
    if (sink->log == NULL)
        return -1;
    /* Keep what an earlier run has left. */
    while (path_of(sink, sink->serial + 1, "eml", path) == 0 &&
           access(path, F_OK) == 0)
        sink->serial++;
    return 0;
}

FILE *record_begin(struct sink *sink, size_t serial)
{
    char path[PATH_LIMIT];

    return path_of(sink, serial, "part", path) == 0 ? fopen(path, "we") : NULL;
}

void record_drop(struct sink *sink, size_t serial, FILE *file)
{
    char path[PATH_LIMIT];

    fclose(file);
    if (path_of(sink, serial, "part", path) == 0)
        unlink(path);
}

/* ---- The line of JSON -------------------------------------------------- */

static void put_session(struct json *j, const struct onward_smtp_server *server,
                        size_t mode)
{
    static const char *const modes[] = {"smtp", "lmtp", "submission"};
    const struct onward_tls_facts *tls = onward_smtp_server_tls(server);
    int mechanism = onward_smtp_server_auth_mechanism(server);
    char address[ONWARD_IP_TEXT_MAX] = "";
    struct onward_ip ip;

    onward_smtp_server_client_ip(server, &ip);
    onward_ip_format(&ip, address, sizeof(address));
    json_text(j, "mode", modes[mode]);
    json_text(j, "client", address);
    json_str(j, "helo", onward_smtp_server_helo(server));
    json_bool(j, "esmtp", onward_smtp_server_is_esmtp(server) == 1);
    json_text_or_null(j, "auth", onward_smtp_auth_name(mechanism));
    json_str_or_null(j, "user", onward_smtp_server_authentication_id(server));
    json_str_or_null(j, "tls",
                     tls == NULL ? (struct onward_str){0} : tls->version);
    json_str_or_null(j, "cipher",
                     tls == NULL ? (struct onward_str){0} : tls->cipher);
}

static void put_mail(struct json *j, const struct onward_smtp_server *server)
{
    static const char *const bodies[] = {"", "7BIT", "8BITMIME", "BINARYMIME"};
    static const char *const rets[] = {"", "FULL", "HDRS"};
    int64_t seconds;
    int by = onward_smtp_server_mail_by(server, &seconds);

    json_open(j, "mail", '{');
    json_str(j, "from", onward_smtp_server_mail_address(server));
    json_number(j, "size", onward_smtp_server_mail_size(server));
    json_text_or_null(j, "body", bodies[onward_smtp_server_mail_body(server)]);
    json_bool(j, "smtputf8", onward_smtp_server_mail_smtputf8(server) == 1);
    json_bool(j, "requiretls",
              onward_smtp_server_mail_requires_tls(server) == 1);
    json_text_or_null(j, "ret", rets[onward_smtp_server_mail_ret(server)]);
    json_str_or_null(j, "envid", onward_smtp_server_mail_envid(server));
    json_str_or_null(j, "auth", onward_smtp_server_mail_auth(server));
    json_bool(j, "deliverby", by != 0);
    json_close(j, '}');
}

static void put_recipient(struct json *j,
                          const struct onward_smtp_server *server, size_t i)
{
    static const struct {
        int bit;
        const char *word;
    } words[] = {{ONWARD_SMTP_NOTIFY_NEVER, "NEVER"},
                 {ONWARD_SMTP_NOTIFY_SUCCESS, "SUCCESS"},
                 {ONWARD_SMTP_NOTIFY_FAILURE, "FAILURE"},
                 {ONWARD_SMTP_NOTIFY_DELAY, "DELAY"}};
    int notify = onward_smtp_server_rcpt_notify(server, i);

    json_open(j, NULL, '{');
    json_str(j, "to", onward_smtp_server_rcpt_address(server, i));
    json_open(j, "notify", '[');
    for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
        if (notify & words[w].bit)
            json_text(j, NULL, words[w].word);
    }
    json_close(j, ']');
    json_str_or_null(j, "orcpt", onward_smtp_server_rcpt_orcpt(server, i));
    json_close(j, '}');
}

static int put_line(struct sink *sink, const struct onward_smtp_server *server,
                    size_t serial)
{
    struct json j = {.out = sink->log};
    char file[32];

    snprintf(file, sizeof(file), "%06zu.eml", serial);
    json_open(&j, NULL, '{');
    json_text(&j, "file", file);
    put_session(&j, server, sink->mode);
    put_mail(&j, server);
    json_open(&j, "rcpt", '[');
    for (size_t i = 0; i < onward_smtp_server_rcpt_count(server); i++) {
        if (onward_smtp_server_rcpt_accepted(server, i) == 1 &&
            !session_refuses(sink, onward_smtp_server_rcpt_address(server, i)))
            put_recipient(&j, server, i);
    }
    json_close(&j, ']');
    json_number(&j, "octets", onward_smtp_server_message_size(server));
    json_close(&j, '}');
    json_end(&j);
    return fflush(sink->log) == 0 && !ferror(sink->log) ? 0 : -1;
}

int record_end(struct sink *sink, const struct onward_smtp_server *server,
               size_t serial, FILE *file)
{
    char part[PATH_LIMIT], whole[PATH_LIMIT];
    int is_bad = ferror(file);

    is_bad |= fclose(file) != 0;
    if (path_of(sink, serial, "part", part) != 0 ||
        path_of(sink, serial, "eml", whole) != 0)
        return -1;
    if (is_bad || rename(part, whole) != 0) {
        unlink(part);
        return -1;
    }
    return put_line(sink, server, serial);
}
