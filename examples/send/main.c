/* onward-send: the options. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "send.h"

const struct program send_program = {
    "onward-send", "HOST:PORT MESSAGE",
    "Bring a message to a server, and say what became of each recipient",
    "MESSAGE is a file, or - for standard input; its lines end as the system "
    "has it,\nor with CRLF under --raw. Exit status: 0 all delivered, 1 not "
    "all, 2 wrong usage,\n3 input or system error.\n",
    "onward-send --from a@example.com --to b@example.org "
    "mx.example.org:25 message.eml\n"
    "onward-send --lmtp --tls none --to bob 127.0.0.1:24 message.eml\n"
    "onward-send --implicit-tls --user me --password-file secret "
    "--from me@example.com --to b@example.org mail.example.com:465 m.eml\n"};

static const char *const tls_words[] = {"none", "may", "must", "verified",
                                        NULL};
static const size_t tls_levels[] = {ONWARD_TLS_NONE, ONWARD_TLS_OPPORTUNISTIC,
                                    ONWARD_TLS_ENCRYPTED, ONWARD_TLS_VERIFIED};
static const char *const body_words[] = {"unstated", "7bit", "8bitmime",
                                         "binarymime", NULL};
static const char *const ret_words[] = {"unstated", "full", "hdrs", NULL};

struct choices {
    struct option_choice tls, body, ret;
    struct option_list notify, auth;
    struct option_seconds timeout;
    const char *trust, *user, *password_file, *token_file, *envid;
    bool is_raw, is_lmtp, is_implicit, does_bdat, is_in_step, is_utf8;
    bool requires_tls, allows_clear_auth;
};

/* What is freed at the end, and wiped: secrets are among it. */
struct secret {
    char *text;
    size_t len;
};

/* ---- Files ------------------------------------------------------------- */

static char *read_file(const char *path, size_t *len)
{
    char *text = host_read_file(path, len);

    if (text == NULL)
        host_complain(send_program.name, "%s: %s", path, strerror(errno));
    return text;
}

/* The first line: editors add a line end. */
static int read_secret(const char *path, struct secret *secret,
                       struct onward_str *out)
{
    if (path == NULL)
        return 0;
    secret->text = read_file(path, &secret->len);
    if (secret->text == NULL)
        return SEND_BROKEN;
    *out = (struct onward_str){secret->text, strcspn(secret->text, "\r\n")};
    return 0;
}

/* LF to CRLF, where there is none before. */
static int read_message(struct order *order, const char *path, bool is_raw)
{
    size_t lines = 0, len = 0, at = 0;
    char *in = read_file(path, &len);
    char *out;

    if (in == NULL)
        return SEND_BROKEN;
    order->message = in;
    order->message_len = len;
    for (size_t i = 0; i < len; i++)
        lines += in[i] == '\n';
    if (is_raw || lines == 0)
        return 0;
    out = malloc(len + lines);
    if (out == NULL) {
        host_complain(send_program.name, "out of memory");
        return SEND_BROKEN;
    }
    for (size_t i = 0; i < len; i++) {
        if (in[i] == '\n' && (i == 0 || in[i - 1] != '\r'))
            out[at++] = '\r';
        out[at++] = in[i];
    }
    free(in);
    order->message = out;
    order->message_len = at;
    return 0;
}

/* ---- What the options mean --------------------------------------------- */

static int read_notify(struct order *order, const struct option_list *list)
{
    static const struct {
        const char *word;
        size_t bit;
    } words[] = {{"never", ONWARD_SMTP_NOTIFY_NEVER},
                 {"success", ONWARD_SMTP_NOTIFY_SUCCESS},
                 {"failure", ONWARD_SMTP_NOTIFY_FAILURE},
                 {"delay", ONWARD_SMTP_NOTIFY_DELAY}};

    for (size_t i = 0; i < list->count; i++) {
        size_t w = 0;

        while (w < 4 && strcmp(words[w].word, list->items[i]) != 0)
            w++;
        if (w == 4)
            return options_wrong(&send_program,
                                 "--notify \"%s\", expected never, success, "
                                 "failure or delay",
                                 list->items[i]);
        order->notify |= words[w].bit;
    }
    if ((order->notify & ONWARD_SMTP_NOTIFY_NEVER) != 0 &&
        order->notify != ONWARD_SMTP_NOTIFY_NEVER)
        return options_wrong(&send_program, "--notify never with another one, "
                                            "expected it alone");
    return OPTIONS_GO_ON;
}

static int read_mechanisms(struct order *order, const struct option_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        int bit = 1;

        while (onward_smtp_auth_name(bit)[0] != '\0' &&
               strcasecmp(onward_smtp_auth_name(bit), list->items[i]) != 0)
            bit *= 2;
        if (onward_smtp_auth_name(bit)[0] == '\0')
            return options_wrong(&send_program,
                                 "--auth \"%s\", expected PLAIN, LOGIN, "
                                 "XOAUTH2, OAUTHBEARER, SCRAM-SHA-256 or "
                                 "SCRAM-SHA-256-PLUS",
                                 list->items[i]);
        order->login.mechanisms |= (size_t)bit;
    }
    return OPTIONS_GO_ON;
}

static int check(const struct order *order, const struct choices *c,
                 const struct args *args)
{
    bool has_secret = c->password_file != NULL || c->token_file != NULL;

    if (args->count != 2)
        return options_wrong(&send_program, "expected HOST:PORT and MESSAGE");
    if (order->to.count == 0)
        return options_wrong(&send_program, "no --to, expected --to ADDRESS");
    if (c->tls.picked == 0 && (c->is_implicit || c->requires_tls))
        return options_wrong(&send_program, "--tls none with TLS demanded, "
                                            "expected another --tls");
    if ((c->user != NULL) != has_secret ||
        (c->password_file != NULL && c->token_file != NULL))
        return options_wrong(&send_program, "expected --user and one of "
                                            "--password-file and --token-file, "
                                            "or none");
    if (order->orcpt.count > order->to.count)
        return options_wrong(&send_program, "more --orcpt than --to");
    return OPTIONS_GO_ON;
}

/* "host:port" or "[2001:db8::1]:port", cut in place. */
static int read_server(struct order *order, char *text)
{
    char *colon = strrchr(text, ':');

    if (colon == NULL || colon == text || colon[1] == '\0')
        return options_wrong(&send_program, "\"%s\", expected HOST:PORT", text);
    order->port = colon + 1;
    *colon = '\0';
    order->host = text;
    if (text[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        order->host = text + 1;
    }
    if (order->tls_name == NULL)
        order->tls_name = order->host;
    return OPTIONS_GO_ON;
}

static void set_flags(struct order *order, const struct choices *c)
{
    if (c->is_lmtp)
        order->flags |= ONWARD_SMTP_CLIENT_LMTP;
    if (c->is_implicit)
        order->flags |= ONWARD_SMTP_CLIENT_IMPLICIT_TLS;
    if (c->does_bdat)
        order->flags |= ONWARD_SMTP_CLIENT_PREFER_BDAT;
    if (c->is_in_step)
        order->flags |= ONWARD_SMTP_CLIENT_IN_STEP;
}

static int apply(struct order *order, const struct choices *c, char **operands)
{
    int status = read_notify(order, &c->notify);

    if (status == OPTIONS_GO_ON)
        status = read_mechanisms(order, &c->auth);
    if (status == OPTIONS_GO_ON)
        status = read_server(order, operands[0]);
    if (status != OPTIONS_GO_ON)
        return status;
    set_flags(order, c);
    if (c->timeout.is_given)
        order->timeout_s = c->timeout.s > 3600 ? 3600 : (size_t)c->timeout.s;
    order->envelope = (struct onward_smtp_envelope){
        .size = sizeof(order->envelope),
        .reverse_path = onward_str_of(order->from),
        .smtputf8 = c->is_utf8,
        .body = c->body.picked,
        .require_tls = c->requires_tls,
        .ret = c->ret.picked,
        .envid = onward_str_of(c->envid == NULL ? "" : c->envid)};
    order->demand.level = tls_levels[c->tls.picked];
    if (c->user != NULL) {
        order->login.size = sizeof(order->login);
        order->login.user = onward_str_of(c->user);
        order->login.allow_clear = c->allows_clear_auth;
    }
    return OPTIONS_GO_ON;
}

/* ---- The program ------------------------------------------------------- */

static int run(struct order *order, const struct choices *c, const char *path)
{
    const struct onward_str name = onward_str_of(order->tls_name);
    struct secret password = {0}, token = {0};
    int status =
        read_secret(c->password_file, &password, &order->login.password);

    order->demand.size = sizeof(order->demand);
    order->demand.names = &name;
    order->demand.name_count = 1;
    if (status == 0)
        status = read_secret(c->token_file, &token, &order->login.token);
    if (status == 0 && c->trust != NULL) {
        order->trust = read_file(c->trust, &order->trust_len);
        status = order->trust == NULL ? SEND_BROKEN : 0;
    }
    if (status == 0)
        status = read_message(order, path,
                              c->is_raw || c->body.picked ==
                                               ONWARD_SMTP_BODY_BINARYMIME);
    if (status == 0)
        status = send_order(order);
    if (password.text != NULL)
        explicit_bzero(password.text, password.len);
    if (token.text != NULL)
        explicit_bzero(token.text, token.len);
    free(password.text);
    free(token.text);
    free(order->trust);
    free(order->message);
    return status;
}

int main(int argc, char **argv)
{
    struct order order = {.from = "", .ehlo = "send.example", .timeout_s = 60};
    struct choices c = {
        .tls = {tls_words, 3}, .body = {body_words, 0}, .ret = {ret_words, 0}};
    struct option options[] = {
        {"from", OPTION_TEXT, &order.from, "ADDRESS",
         "the sender; without it <>"},
        {"to", OPTION_LIST, &order.to, "ADDRESS",
         "a recipient; again for more"},
        {"ehlo", OPTION_TEXT, &order.ehlo, "NAME", "our name (send.example)"},
        {"tls", OPTION_CHOICE, &c.tls, "LEVEL",
         "none, may, must (any certificate) or verified,\nwhich is the "
         "default"},
        {"implicit-tls", OPTION_FLAG, &c.is_implicit, NULL,
         "TLS first of all, no STARTTLS"},
        {"trust", OPTION_TEXT, &c.trust, "FILE",
         "authorities that are trusted, in PEM"},
        {"tls-name", OPTION_TEXT, &order.tls_name, "HOST",
         "the name in the certificate; without it HOST"},
        {"user", OPTION_TEXT, &c.user, "NAME", "log in"},
        {"password-file", OPTION_TEXT, &c.password_file, "FILE",
         "its first line is the password"},
        {"token-file", OPTION_TEXT, &c.token_file, "FILE",
         "its first line is the OAuth token"},
        {"auth", OPTION_LIST, &c.auth, "MECHANISM",
         "use no others; again for more"},
        {"clear-auth", OPTION_FLAG, &c.allows_clear_auth, NULL,
         "show password or token without TLS too"},
        {"lmtp", OPTION_FLAG, &c.is_lmtp, NULL, "speak LMTP"},
        {"bdat", OPTION_FLAG, &c.does_bdat, NULL, "BDAT where it is offered"},
        {"in-step", OPTION_FLAG, &c.is_in_step, NULL, "do not pipeline"},
        {"body", OPTION_CHOICE, &c.body, "TYPE",
         "unstated, 7bit, 8bitmime or binarymime"},
        {"raw", OPTION_FLAG, &c.is_raw, NULL, "take line ends as they are"},
        {"smtputf8", OPTION_FLAG, &c.is_utf8, NULL, "SMTPUTF8 is needed"},
        {"require-tls", OPTION_FLAG, &c.requires_tls, NULL,
         "REQUIRETLS: TLS all the way"},
        {"notify", OPTION_LIST, &c.notify, "EVENT",
         "never, success, failure, delay; again for more"},
        {"orcpt", OPTION_LIST, &order.orcpt, "TYPE;ADDRESS",
         "of each --to in turn"},
        {"ret", OPTION_CHOICE, &c.ret, "PART",
         "what a report shall hold: full or hdrs"},
        {"envid", OPTION_TEXT, &c.envid, "ID", "told in reports"},
        {"timeout", OPTION_SECONDS, &c.timeout, "SECONDS", "for all (60)"},
        {"json", OPTION_FLAG, &order.is_json, NULL, "outcomes as JSON"},
        OPTIONS_END};
    struct args args = {argc - 1, argv + 1};
    int status = options_read(&send_program, options, &args);

    if (status == OPTIONS_GO_ON)
        status = check(&order, &c, &args);
    if (status == OPTIONS_GO_ON)
        status = apply(&order, &c, args.items);
    return status == OPTIONS_GO_ON ? run(&order, &c, args.items[1]) : status;
}
