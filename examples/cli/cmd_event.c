/*
 * onward event: the whole decision about one message, without a network: rules,
 * verdicts, handlers, and what would leave.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <onward/relay_event.h>

#include "binding.h"
#include "checking.h"
#include "cli.h"
#include "handler_exec.h"
#include "handler_json.h"
#include "host.h"
#include "json.h"
#include "load.h"
#include "loop.h"
#include "message.h"
#include "options.h"
#include "world.h"

enum { HANDLER_S = 30 };

struct eventing {
    struct world world;
    struct checking checking;
    struct message message;
    const char *from, *to, *rules, *handler;
    struct option_list fails; /* "ADDRESS=REPLY" */
    struct option_list sends; /* as binding_add() has them */
    const char *token_secret;
    struct onward_binding *binding;
    struct onward_token_minter *minter;
    bool allow_unauthenticated;
    struct onward_ruleset *ruleset;
    struct onward_verifier *verifier;
    struct onward_relay *relay;
    struct onward_memory_source *source;
    struct loop *loop;
    struct handler_exec *exec, *execs;
    uint64_t token;
    struct onward_event *event;
    char fault[512]; /* why the handler failed */
    bool is_done;
};

/* ---- The world that there is not --------------------------------------- */

static const char *reply_for(const struct eventing *e, struct onward_str to)
{
    for (size_t i = 0; i < e->fails.count; i++) {
        const char *sign = strchr(e->fails.items[i], '=');

        if (sign != NULL &&
            onward_str_equal(
                to, (struct onward_str){e->fails.items[i],
                                        (size_t)(sign - e->fails.items[i])}))
            return sign + 1;
    }
    return "250 2.0.0 OK";
}

/* "550 5.1.1 Nobody". */
static struct onward_smtp_reply parse_reply(const char *text)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    char *rest;
    size_t len;

    reply.code = strtoul(text, &rest, 10);
    rest += *rest == ' ';
    len = strcspn(rest, " ");
    if (strspn(rest, "0123456789.") == len) {
        reply.enhanced = (struct onward_str){rest, len};
        rest += len;
        rest += *rest == ' ';
    }
    reply.text = onward_str_of(rest);
    return reply;
}

static int deliver(void *user, uint64_t token, struct onward_relay *relay,
                   size_t index)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};
    struct eventing *e = user;
    struct onward_smtp_reply reply;

    if (onward_relay_delivery_at(relay, index, &d) != 0)
        return -1;
    reply = parse_reply(reply_for(e, d.recipient));
    return onward_relay_delivery_answer(e->world.desk, token, &reply) == 0 ? 0
                                                                           : -1;
}

static int submit(void *user, uint64_t token, struct onward_relay *relay,
                  size_t index)
{
    struct eventing *e = user;

    (void)relay;
    (void)index;
    return onward_relay_submission_answer(e->world.desk, token, 0);
}

static void done(void *user, struct onward_relay *relay)
{
    struct eventing *e = user;

    (void)relay;
    e->is_done = true;
}

/* ---- The handler ------------------------------------------------------- */

static void fail(struct eventing *e, const char *why)
{
    snprintf(e->fault, sizeof(e->fault), "%s", why);
    onward_event_fail(e->world.desk, e->token, onward_str_of(e->fault));
}

static void answered(void *user, struct onward_str output, const char *why)
{
    struct eventing *e = user;
    char text[512];

    e->exec = NULL;
    if (why != NULL)
        fail(e, why);
    else if (handler_apply(e->world.ctx, e->event, e->binding, output, text,
                           sizeof(text)) != 0)
        fail(e, text);
    else
        onward_event_done(e->world.desk, e->token);
}

static char *event_text(struct onward_event *event)
{
    char *text = NULL;
    size_t len = 0;
    struct json j = {.out = open_memstream(&text, &len)};

    if (j.out == NULL)
        return NULL;
    handler_write_event(&j, NULL, event);
    return fclose(j.out) == 0 ? text : NULL;
}

static char *copy(struct onward_str s)
{
    return s.len == 0 ? calloc(1, 1) : strndup(s.data, s.len);
}

static int handle(void *user, uint64_t token, struct onward_event *event)
{
    struct eventing *e = user;
    char *texts[4] = {copy(onward_event_from(event)),
                      copy(onward_event_to(event)),
                      copy(onward_event_handler(event)), event_text(event)};
    const struct handler_exec_opts o = {.loop = e->loop,
                                        .command = e->handler,
                                        .from = texts[0],
                                        .to = texts[1],
                                        .handler = texts[2],
                                        .event = texts[3],
                                        .source = onward_event_source(event),
                                        .output_max = HANDLER_OUTPUT_MAX,
                                        .list = &e->execs,
                                        .done = answered,
                                        .user = e};

    e->token = token;
    e->event = event;
    if (e->handler != NULL && texts[0] != NULL && texts[1] != NULL &&
        texts[2] != NULL && texts[3] != NULL)
        e->exec = handler_exec_start(&o);
    for (size_t i = 0; i < 4; i++)
        free(texts[i]);
    if (e->handler == NULL)
        return ONWARD_ENOENT;
    return e->exec != NULL ? 0 : -1;
}

/* Its time is up. */
static void cancel(void *user, uint64_t token)
{
    struct eventing *e = user;

    if (e->exec == NULL || token != e->token)
        return;
    snprintf(e->fault, sizeof(e->fault), "took longer than %d seconds",
             HANDLER_S);
    handler_exec_cancel(e->exec);
    e->exec = NULL;
}

/* ---- The transaction --------------------------------------------------- */

static int make_relay(struct eventing *e)
{
    const struct onward_relay_host host = {.size = sizeof(host),
                                           .user = e,
                                           .deliver = deliver,
                                           .cancel = cancel,
                                           .done = done,
                                           .handle = handle,
                                           .submit = submit};
    const struct onward_relay_opts o = {
        .size = sizeof(o),
        .resolver = e->world.resolver,
        .ruleset = e->ruleset,
        .hostname = onward_str_of(e->checking.authserv_id),
        .authserv_id = onward_str_of(e->checking.authserv_id),
        .handler_timeout_ms = HANDLER_S * 1000,
        .minter = e->minter,
        .allow_unauthenticated = e->allow_unauthenticated};
    const struct onward_relay_envelope envelope = {.size = sizeof(envelope),
                                                   .reverse_path =
                                                       onward_str_of(e->from),
                                                   .smtputf8 = 1};

    return onward_relay_new(e->world.desk, &o, &envelope, &host, &e->relay);
}

static int start(struct eventing *e)
{
    static const char received[] = "Received: by onward event\r\n";
    int err =
        checking_run(&e->world, &e->checking, e->message.wire, &e->verifier);

    if (err == 0)
        err = onward_memory_source_new(e->world.ctx, e->message.wire.data,
                                       e->message.wire.len, &e->source);
    if (err == 0)
        err = onward_relay_start(e->relay, e->verifier,
                                 onward_memory_source_table(e->source),
                                 onward_str_of(received));
    return err;
}

/* The desk and the handler's pipes in turn. */
static void turn(struct eventing *e)
{
    while (!e->is_done) {
        int more = onward_desk_run(e->world.desk, host_now_ms());
        int64_t wait = onward_desk_deadline(e->world.desk);

        if (e->is_done)
            break;
        if (e->exec == NULL && more == 0) /* DNS that is asked of a resolver */
            world_run(&e->world, &e->is_done);
        if (wait != ONWARD_NEVER)
            wait -= host_now_ms();
        loop_turn(e->loop, more != 0 || wait < 0 ? 0
                           : wait > 1000         ? 1000
                                                 : (int)wait);
    }
}

/* ---- The outcome ------------------------------------------------------- */

static char *read_all(const struct onward_source *source, size_t *len)
{
    char *text = malloc((size_t)source->len + 1);
    size_t at = 0, got = 0;

    while (text != NULL && at < source->len) {
        if (source->read(source->user, at, text + at, (size_t)source->len - at,
                         &got) != 0 ||
            got == 0)
            break;
        at += got;
    }
    *len = at;
    return text;
}

static void json_source(struct json *j, const char *key,
                        const struct onward_source *source)
{
    size_t len = 0;
    char *text = source == NULL ? NULL : read_all(source, &len);

    if (text == NULL)
        json_null(j, key);
    else
        json_str(j, key, (struct onward_str){text, len});
    free(text);
}

static void json_reply(struct json *j, const char *key,
                       const struct onward_smtp_reply *reply)
{
    json_open(j, key, '{');
    json_number(j, "code", reply->code);
    json_str(j, "enhanced", reply->enhanced);
    json_str(j, "text", reply->text);
    json_close(j, '}');
}

static void put_forwards(struct json *j, const struct onward_relay *relay)
{
    struct onward_relay_delivery d = {.size = sizeof(d)};

    json_open(j, "forwards", '[');
    for (size_t i = 0; onward_relay_delivery_at(relay, i, &d) == 0; i++) {
        const struct onward_smtp_reply reply = {.size = sizeof(reply),
                                                .code = d.reply_code,
                                                .enhanced = d.reply_enhanced,
                                                .text = d.reply_text};

        json_open(j, NULL, '{');
        json_str(j, "from", d.reverse_path);
        json_str(j, "to", d.recipient);
        json_text(j, "fate", onward_relay_fate_name((int)d.fate));
        json_reply(j, "reply", &reply);
        json_source(j, "raw", d.source);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_letters(struct json *j, const char *key,
                        const struct onward_relay *relay, size_t kind)
{
    struct onward_relay_submission s = {.size = sizeof(s)};

    json_open(j, key, '[');
    for (size_t i = 0; onward_relay_submission_at(relay, i, &s) == 0; i++) {
        if (s.kind != kind)
            continue;
        json_open(j, NULL, '{');
        json_str(j, "from", s.reverse_path);
        json_open(j, "to", '[');
        for (size_t n = 0; n < s.rcpt_count; n++)
            json_str(j, NULL, onward_relay_submission_rcpt(relay, i, n));
        json_close(j, ']');
        json_str_or_null(j, "messageId", s.message_id);
        if (kind == ONWARD_RELAY_SUBMISSION_QUARANTINE)
            json_str_or_null(j, "place", s.place);
        json_source(j, "raw", s.source);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_actions(struct json *j, const struct onward_event *event)
{
    static const char *const kinds[] = {"", "forward", "reply", "send"};
    static const char *const states[] = {"pending", "done", "before", "failed"};
    struct onward_event_action a = {.size = sizeof(a)};

    json_open(j, "actions", '[');
    for (size_t i = 0; onward_event_action_at(event, i, &a) == 0; i++) {
        json_open(j, NULL, '{');
        json_text(j, "action", kinds[a.kind]);
        json_str(j, "to", a.to);
        json_text(j, "state", states[a.state]);
        json_text_or_null(j, "error", onward_refusal_name((int)a.refusal));
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_ticket(struct json *j, struct onward_event *event)
{
    struct onward_str ticket = {0};

    (void)onward_event_ticket(event, &ticket, NULL);
    json_str_or_null(j, "ticket", ticket);
}

static void put_events(struct json *j, const struct eventing *e)
{
    static const char *const states[] = {"waiting", "open", "answered",
                                         "failed",  "late", "absent"};

    json_open(j, "events", '[');
    for (size_t i = 0; i < onward_relay_event_count(e->relay); i++) {
        struct onward_event *event = onward_relay_event_at(e->relay, i);
        struct onward_str why = onward_event_failure(event);

        json_open(j, NULL, '{');
        json_str(j, "handler", onward_event_handler(event));
        json_str(j, "to", onward_event_to(event));
        json_text(j, "state", states[onward_event_state(event)]);
        put_ticket(j, event);
        if (why.len == 0)
            why = onward_str_of(e->fault);
        json_str_or_null(j, "error", why);
        put_actions(j, event);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_summary(struct json *j, const struct onward_relay *relay)
{
    struct onward_relay_summary s = {.size = sizeof(s)};

    if (relay == NULL || onward_relay_summarize(relay, &s) != 0)
        return;
    json_str_or_null(j, "action", s.action);
    json_str_or_null(j, "messageId", s.message_id);
    json_str_or_null(j, "subject", s.subject);
    json_str_or_null(j, "spf", s.spf);
    json_str_or_null(j, "dkim", s.dkim);
    json_str_or_null(j, "dmarc", s.dmarc);
    json_str_or_null(j, "arc", s.arc);
    json_bool(j, "isNDR", s.is_ndr != 0);
    json_open(j, "tags", '[');
    for (size_t i = 0; i < s.tag_count; i++)
        json_str(j, NULL, onward_relay_tag(relay, i));
    json_close(j, ']');
}

/* reply: of RCPT, or of the message. */
static void print(const struct eventing *e,
                  const struct onward_smtp_reply *reply)
{
    struct onward_relay_summary s = {.size = sizeof(s)};
    int status = reply->code >= 500 ? ONWARD_RELAY_STATUS_REJECTED
                                    : ONWARD_RELAY_STATUS_ERROR;
    struct json j = {0};

    if (e->is_done && onward_relay_summarize(e->relay, &s) == 0)
        status = (int)s.status;
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "file", e->message.path);
    json_text(&j, "from", e->from);
    json_text(&j, "to", e->to);
    json_text(&j, "outcome", onward_relay_status_name(status));
    if (reply->code >= 400)
        json_str(&j, "rejectReason", reply->text);
    else
        json_null(&j, "rejectReason");
    json_text(&j, "reason",
              e->is_done
                  ? onward_relay_reason_name(onward_relay_reason(e->relay))
                  : "rcpt");
    json_reply(&j, "reply", reply);
    put_forwards(&j, e->relay);
    put_letters(&j, "replies", e->relay, ONWARD_RELAY_SUBMISSION_REPLY);
    put_letters(&j, "sends", e->relay, ONWARD_RELAY_SUBMISSION_SEND);
    put_letters(&j, "quarantine", e->relay, ONWARD_RELAY_SUBMISSION_QUARANTINE);
    put_events(&j, e);
    put_summary(&j, e->relay);
    json_close(&j, '}');
    json_end(&j);
}

/* ---- The command ------------------------------------------------------- */

static int decide(const struct command *command, struct eventing *e)
{
    struct onward_smtp_reply reply = {.size = sizeof(reply)};
    int err = make_relay(e);

    if (err == ONWARD_ESYNTAX)
        return cli_usage(command, "--from \"%s\", expected local@domain",
                         e->from);
    if (err == ONWARD_EINVAL)
        return cli_usage(command, "--authserv-id \"%s\", expected a host name",
                         e->checking.authserv_id);
    if (err == 0)
        err = onward_relay_rcpt(e->relay, onward_str_of(e->to), &reply);
    if (err == 0) {
        print(e, &reply);
        return CLI_NOT_PASS;
    }
    if (err == 1)
        err = start(e);
    if (err != 0)
        return cli_broken(command, "%s: %s", e->message.path,
                          onward_strerror(err));
    turn(e);
    onward_relay_reply(e->relay, &reply);
    print(e, &reply);
    return reply.code < 300 ? CLI_DONE : CLI_NOT_PASS;
}

static int open_message(const struct command *command, struct eventing *e,
                        const char *path)
{
    struct load_fault load_fault;
    const char *fault = NULL;

    if (message_read(command, path, false, &e->message, &fault) != 0)
        return cli_broken(command, "%s", fault);
    e->ruleset = load_rules(e->world.ctx, e->rules, &load_fault);
    if (e->ruleset == NULL)
        return cli_broken(command, "%s", load_fault.text);
    for (size_t i = 0; i < e->sends.count; i++) {
        const char *expected =
            binding_add(e->world.ctx, e->sends.items[i], &e->binding);

        if (expected != NULL)
            return cli_usage(command, "--send \"%s\", expected %s",
                             e->sends.items[i], expected);
    }
    if (e->token_secret != NULL) {
        e->minter = load_minter(e->world.ctx, e->token_secret, &load_fault);
        if (e->minter == NULL)
            return cli_broken(command, "%s", load_fault.text);
    }
    e->loop = loop_new();
    return e->loop == NULL ? cli_broken(command, "no event loop") : -1;
}

static void clear(struct eventing *e)
{
    onward_relay_free(e->relay);
    handler_exec_end_all(&e->execs);
    onward_memory_source_free(e->source);
    onward_verifier_free(e->verifier);
    onward_ruleset_free(e->ruleset);
    onward_binding_free(e->binding);
    onward_token_minter_free(e->minter);
    loop_free(e->loop);
    message_clear(&e->message);
    world_clear(&e->world);
}

static int run(const struct command *command, struct args args)
{
    struct world_choice choice = {0};
    struct eventing e = {.from = "",
                         .checking = {.authserv_id = "onward.test"}};
    bool does_check = false, is_json = false; /* it is JSON in any case */
    struct option options[] = {
        {"from", OPTION_TEXT, &e.from, "SENDER",
         "the envelope sender; default: the null reverse-path", false, false},
        {"to", OPTION_TEXT, &e.to, "RECIPIENT", "the envelope recipient", true,
         false},
        {"rules", OPTION_TEXT, &e.rules, "FILE", "the rules, in JSON", true,
         false},
        {"handler", OPTION_TEXT, &e.handler, "COMMAND",
         "runs for rules that name a handler, by sh -c", false, false},
        {"fail", OPTION_LIST, &e.fails, "ADDRESS=REPLY",
         "what the next hop of this destination says, \"550 5.1.1 No\";\n"
         "otherwise all is taken; may be given again",
         false, false},
        {"send", OPTION_LIST, &e.sends, "WORD ADDRESS",
         "what the handler may send: \"to ADDRESS\", \"only ADDRESS\",\n"
         "\"from ADDRESS\"; may be given again. Default: to all that are "
         "verified",
         false, false},
        {"token-secret", OPTION_TEXT, &e.token_secret, "FILE",
         "secrets that sign tickets for a later reply, one a line", false,
         false},
        {"allow-unauthenticated", OPTION_FLAG, &e.allow_unauthenticated, NULL,
         "take mail that neither SPF nor DKIM authenticates", false, false},
        {"ip", OPTION_IP, &e.checking.ip, "ADDRESS",
         "the SMTP client's address; without it there is no SPF", false, false},
        {"helo", OPTION_TEXT, &e.checking.helo, "NAME",
         "what the client said in EHLO or HELO", false, false},
        {"authserv-id", OPTION_TEXT, &e.checking.authserv_id, "NAME",
         "our host name, also in the results; default: onward.test", false,
         false},
        WORLD_OPTIONS_DNS(&choice),
        WORLD_OPTION_TIME(&choice),
        {"json", OPTION_FLAG, &is_json, NULL,
         "print one JSON object, as is done without it", false, false},
        {"check", OPTION_FLAG, &does_check, NULL,
         "exit with 1 when the message is not taken", false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    signal(SIGPIPE, SIG_IGN); /* a handler need not read all of it */
    if (args.count != 1)
        return cli_usage(command, "%d files, expected one", args.count);
    e.checking.mail_from = e.from;
    status = world_new(command, &choice, &e.world);
    if (status >= 0)
        return status;
    status = open_message(command, &e, args.items[0]);
    if (status < 0)
        status = decide(command, &e);
    clear(&e);
    return status == CLI_NOT_PASS && !does_check ? CLI_DONE : status;
}

const struct command command_event = {
    .name = "event",
    .operands = "MESSAGE",
    .summary = "What becomes of a message, handlers and all",
    .details =
        "Nothing leaves: next hops and the spool are played. One JSON object "
        "is\nprinted; doc/handlers.md has what a handler reads and answers.\n",
    .examples =
        "onward event --from alice@example.com --to me@example.com "
        "--rules rules.json --dns zone.txt --ip 192.0.2.1 message.eml\n"
        "onward event --from alice@example.com --to tickets@example.com "
        "--rules rules.json --dns zone.txt --ip 192.0.2.1 "
        "--handler 'echo \"{}\"' message.eml\n",
    .run = run,
};
