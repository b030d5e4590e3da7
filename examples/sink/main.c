/* onward-sink: options, the listening socket, the loop. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "endpoint.h"
#include "host.h"
#include "sink.h"

enum { EXIT_BROKEN = 3, DRAIN_MS = 5000 };

static const struct program program = {
    "onward-sink", "", "Take mail over SMTP, submission or LMTP, and keep it",
    "Prints \"ready ADDRESS:PORT\", then writes to the folder, for each "
    "message:\nits octets to 000001.eml and so on, its envelope to a line of "
    "messages.jsonl.\nEnds at SIGTERM. Nothing is ever sent on.\n",
    "onward-sink --folder mail --listen 127.0.0.1:2525\n"
    "onward-sink --folder mail --mode lmtp --refuse nobody@example.com\n"
    "onward-sink --folder mail --mode submission --tls implicit "
    "--certificate c.pem --key k.pem --user me:secret\n"};

static const char *const mode_words[] = {"smtp", "lmtp", "submission", NULL};
enum tls_mode { TLS_NONE, TLS_OFFER, TLS_REQUIRE, TLS_IMPLICIT };
static const char *const tls_words[] = {"none", "offer", "require", "implicit",
                                        NULL};

static const struct {
    const char *keyword;
    size_t flag;
} extensions[] = {{"SMTPUTF8", ONWARD_SMTP_SERVER_ALLOW_SMTPUTF8},
                  {"CHUNKING", ONWARD_SMTP_SERVER_ALLOW_CHUNKING},
                  {"BINARYMIME", ONWARD_SMTP_SERVER_ALLOW_BINARYMIME},
                  {"DSN", ONWARD_SMTP_SERVER_ALLOW_DSN},
                  {"REQUIRETLS", ONWARD_SMTP_SERVER_ALLOW_REQUIRETLS},
                  {"DELIVERBY", ONWARD_SMTP_SERVER_ALLOW_DELIVERBY},
                  {"LIMITS", ONWARD_SMTP_SERVER_OFFER_LIMITS}};

struct choices {
    const char *listen, *certificate, *key;
    struct option_choice mode, tls;
    struct option_list without, users, tokens;
    bool allows_clear_auth, requires_auth, has_trace;
};

/* ---- Checking the options ---------------------------------------------- */

static int read_extensions(struct sink *sink, const struct option_list *without)
{
    enum { COUNT = sizeof(extensions) / sizeof(extensions[0]) };
    size_t e;

    for (e = 0; e < COUNT; e++)
        sink->flags |= extensions[e].flag;
    for (size_t i = 0; i < without->count; i++) {
        for (e = 0; e < COUNT; e++) {
            if (strcasecmp(extensions[e].keyword, without->items[i]) == 0)
                break;
        }
        if (e == COUNT)
            return options_wrong(&program,
                                 "--without \"%s\", expected SMTPUTF8, "
                                 "CHUNKING, BINARYMIME, DSN, REQUIRETLS, "
                                 "DELIVERBY or LIMITS",
                                 without->items[i]);
        sink->flags &= ~extensions[e].flag;
    }
    return OPTIONS_GO_ON;
}

static int apply(struct sink *sink, const struct choices *c,
                 const struct args *args)
{
    bool has_tls = c->tls.picked != TLS_NONE;
    bool has_users = c->users.count + c->tokens.count != 0;

    if (args->count != 0)
        return options_wrong(&program, "\"%s\", expected options only",
                             args->items[0]);
    if (has_tls != (c->certificate != NULL) || has_tls != (c->key != NULL))
        return options_wrong(&program, "expected --certificate and --key with "
                                       "--tls, and only with it");
    if (!has_users && (c->requires_auth ||
                       c->mode.picked == ONWARD_SMTP_SERVER_MODE_SUBMISSION))
        return options_wrong(&program, "nobody could log in, expected --user "
                                       "or --token");
    sink->mode = c->mode.picked;
    if (c->tls.picked == TLS_REQUIRE)
        sink->flags |= ONWARD_SMTP_SERVER_REQUIRE_TLS;
    if (c->tls.picked == TLS_IMPLICIT)
        sink->flags |= ONWARD_SMTP_SERVER_IMPLICIT_TLS;
    if (c->allows_clear_auth)
        sink->flags |= ONWARD_SMTP_SERVER_ALLOW_CLEAR_AUTH;
    if (c->requires_auth)
        sink->flags |= ONWARD_SMTP_SERVER_REQUIRE_AUTH;
    if (c->has_trace)
        sink->flags |= ONWARD_SMTP_SERVER_TRACE;
    return read_extensions(sink, &c->without);
}

static int read_options(struct sink *sink, struct choices *c, struct args *args)
{
    struct option options[] = {
        {"folder", OPTION_TEXT, &sink->folder, "DIR", "where to keep messages",
         .is_required = true},
        {"listen", OPTION_TEXT, &c->listen, "ADDRESS:PORT",
         "default 127.0.0.1:0, which is a free port"},
        {"name", OPTION_TEXT, &sink->name, "HOST", "our name (sink.example)"},
        {"mode", OPTION_CHOICE, &c->mode, "MODE", "smtp, lmtp or submission"},
        {"tls", OPTION_CHOICE, &c->tls, "WHEN",
         "none, offer (STARTTLS), require (nothing\nbefore it) or implicit"},
        {"certificate", OPTION_TEXT, &c->certificate, "FILE",
         "our chain, in PEM"},
        {"key", OPTION_TEXT, &c->key, "FILE", "its private key, in PEM"},
        {"user", OPTION_LIST, &c->users, "NAME:PASSWORD",
         "who may log in, by PLAIN, LOGIN and SCRAM"},
        {"token", OPTION_LIST, &c->tokens, "NAME:TOKEN",
         "the same, by XOAUTH2 and OAUTHBEARER"},
        {"clear-auth", OPTION_FLAG, &c->allows_clear_auth, NULL,
         "offer mechanisms that show secrets without\nTLS too"},
        {"require-auth", OPTION_FLAG, &c->requires_auth, NULL,
         "no mail before it; submission has that anyway"},
        {"refuse", OPTION_LIST, &sink->refused, "ADDRESS",
         "550 for this recipient; with LMTP after the\nmessage"},
        {"without", OPTION_LIST, &c->without, "KEYWORD",
         "do not offer this extension"},
        {"trace", OPTION_FLAG, &c->has_trace, NULL,
         "commands and replies on standard error"},
        OPTIONS_END};
    int status = options_read(&program, options, args);

    return status == OPTIONS_GO_ON ? apply(sink, c, args) : status;
}

/* ---- Starting ---------------------------------------------------------- */

static void library_log(void *user, const struct onward_log_event *e)
{
    (void)user;
    if (e->level <= ONWARD_LOG_WARN || strcmp(e->code, "command") == 0 ||
        strcmp(e->code, "reply") == 0)
        fprintf(stderr, "%s %s %.*s\n", e->module, e->code, (int)e->detail.len,
                e->detail.data);
}

static int broken(const char *what, const char *why)
{
    host_complain("onward-sink", "%s: %s", what, why);
    return EXIT_BROKEN;
}

static int load_identity(struct sink *sink, const struct choices *c)
{
    struct onward_str chain = {0}, key = {0};
    const struct onward_tls_config_opts o = {.size = sizeof(o),
                                             .role = ONWARD_TLS_SERVER,
                                             .chain_pem = &chain,
                                             .key_pem = &key,
                                             .identity_count = 1,
                                             .allow_tickets = 1};
    char *chain_text = host_read_file(c->certificate, &chain.len);
    char *key_text;
    int err;

    if (chain_text == NULL)
        return broken(c->certificate, strerror(errno));
    key_text = host_read_file(c->key, &key.len);
    if (key_text == NULL) {
        free(chain_text);
        return broken(c->key, strerror(errno));
    }
    chain.data = chain_text;
    key.data = key_text;
    err = onward_tls_config_new(sink->ctx, &o, &sink->tls);
    explicit_bzero(key_text, key.len);
    free(key_text);
    free(chain_text);
    return err == 0 ? 0 : broken(c->certificate, onward_strerror(err));
}

static int load(struct sink *sink, const struct choices *c)
{
    const struct onward_log log = {.size = sizeof(log), .event = library_log};
    const char *fault = NULL;

    sink->loop = loop_new();
    sink->ctx = host_ctx_new(&log);
    if (sink->loop == NULL || sink->ctx == NULL ||
        onward_desk_new(sink->ctx, NULL, &sink->desk) != 0 ||
        conn_list_open(&sink->conns, sink->desk) != 0)
        return broken("start", "out of memory");
    if (users_read(sink->ctx, &c->users, true, &sink->passwords, &fault) != 0 ||
        users_read(sink->ctx, &c->tokens, false, &sink->tokens, &fault) != 0)
        return options_wrong(&program, "\"%s\", expected NAME:SECRET",
                             fault == NULL ? "" : fault);
    sink->password_count = c->users.count;
    sink->token_count = c->tokens.count;
    if (c->tls.picked != TLS_NONE && load_identity(sink, c) != 0)
        return EXIT_BROKEN;
    if (record_open(sink) != 0)
        return broken(sink->folder, strerror(errno));
    return 0;
}

/* ---- Serving ----------------------------------------------------------- */

/* Both a listening socket and signals are one watch that leads to the sink. */
struct source {
    struct loop_watch watch;
    struct sink *sink;
};

static void accept_one(struct loop_watch *watch, uint32_t events)
{
    const struct source *source = (struct source *)(void *)watch;
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct onward_ip ip;
    size_t port;
    int on = 1;
    int fd = accept4(watch->fd, (struct sockaddr *)&sa, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)events;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    endpoint_from(&sa, &ip, &port);
    session_open(source->sink, fd, &ip, port);
}

static void signalled(struct loop_watch *watch, uint32_t events)
{
    const struct source *source = (struct source *)(void *)watch;
    struct signalfd_siginfo info;

    (void)events;
    if (read(watch->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    source->sink->is_draining = true;
    session_shutdown_all(source->sink);
}

static int listen_at(struct source *source, const char *text)
{
    struct sockaddr_storage sa;
    struct onward_ip ip;
    char address[ENDPOINT_MAX];
    socklen_t len;
    size_t port;
    int on = 1;

    if (!endpoint_parse(text, &ip, &port))
        return options_wrong(&program, "--listen \"%s\", expected ADDRESS:PORT",
                             text);
    len = endpoint_to(&ip, port, &sa);
    source->watch.fd =
        socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(source->watch.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(source->watch.fd, (struct sockaddr *)&sa, len) != 0 ||
        listen(source->watch.fd, 512) != 0 ||
        getsockname(source->watch.fd, (struct sockaddr *)&sa, &len) != 0 ||
        loop_add(source->sink->loop, &source->watch, EPOLLIN) != 0)
        return broken(text, strerror(errno));
    endpoint_from(&sa, &ip, &port);
    endpoint_write(&ip, port, address, sizeof(address));
    printf("ready %s\n", address);
    fflush(stdout);
    return 0;
}

static int catch_signals(struct source *source)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    source->watch.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return source->watch.fd < 0
               ? -1
               : loop_add(source->sink->loop, &source->watch, EPOLLIN);
}

/* What the desk decides may be written at once, and what is written may wake
 * the desk: until both are quiet. */
static void run(struct sink *sink, struct source *listener)
{
    int64_t give_up = ONWARD_NEVER;

    while (!sink->is_draining || sink->sessions != NULL) {
        int64_t now = host_now_ms();
        int64_t at = onward_desk_deadline(sink->desk);

        if (sink->is_draining && give_up == ONWARD_NEVER) {
            loop_remove(sink->loop, &listener->watch);
            give_up = now + DRAIN_MS;
        }
        if (now >= give_up)
            return;
        if (at > now + 1000)
            at = now + 1000;
        loop_turn(sink->loop, conn_list_is_busy(&sink->conns) || at <= now
                                  ? 0
                                  : (int)(at - now));
        do {
            now = host_now_ms();
            onward_desk_run(sink->desk, now);
            conn_list_refresh(&sink->conns);
        } while (onward_desk_deadline(sink->desk) <= now);
    }
}

static void tear_down(struct sink *sink)
{
    session_free_all(sink);
    if (sink->log != NULL)
        fclose(sink->log);
    conn_list_close(&sink->conns);
    onward_tls_config_free(sink->tls);
    if (sink->desk != NULL)
        onward_desk_free(sink->desk);
    onward_ctx_free(sink->ctx);
    loop_free(sink->loop);
    free(sink->passwords);
    free(sink->tokens);
}

int main(int argc, char **argv)
{
    struct sink sink = {.name = "sink.example"};
    struct choices c = {.listen = "127.0.0.1:0",
                        .mode = {mode_words, ONWARD_SMTP_SERVER_MODE_SMTP},
                        .tls = {tls_words, TLS_NONE}};
    struct source listener = {.watch = {.fd = -1, .ready = accept_one},
                              .sink = &sink};
    struct source signals = {.watch = {.fd = -1, .ready = signalled},
                             .sink = &sink};
    struct args args = {argc - 1, argv + 1};
    int status = read_options(&sink, &c, &args);

    if (status != OPTIONS_GO_ON)
        return status;
    status = load(&sink, &c);
    if (status == 0 && catch_signals(&signals) != 0)
        status = broken("signals", strerror(errno));
    if (status == 0)
        status = listen_at(&listener, c.listen);
    if (status == 0)
        run(&sink, &listener);
    tear_down(&sink);
    if (listener.watch.fd >= 0)
        close(listener.watch.fd);
    if (signals.watch.fd >= 0)
        close(signals.watch.fd);
    return status;
}
