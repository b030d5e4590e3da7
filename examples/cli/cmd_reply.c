/*
 * onward reply: a message that a handler was asked about is answered later,
 * with the ticket that its event had. Once: the ledger of the forwarder knows.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <onward/handler.h>

#include "cli.h"
#include "host.h"
#include "json.h"
#include "keeping.h"
#include "load.h"
#include "message.h"
#include "options.h"
#include "spool.h"
#include "world.h"

struct replying {
    const struct command *command;
    struct world world;
    struct keeping keeping;
    const char *ticket_file, *secrets;
    bool is_json;
    struct message message;
    struct onward_token_minter *minter;
    struct onward_ticket *ticket;
    struct onward_header *header;
    struct onward_address_list *from;
    struct onward_str author;
};

static int refused(const struct replying *r, const char *what,
                   const struct onward_refusal *refusal)
{
    return cli_broken(r->command, "%s: %s: %s", what,
                      onward_refusal_name((int)refusal->code),
                      onward_refusal_text((int)refusal->code));
}

/* A file with the ticket and nothing else but white space behind it. */
static int open_ticket(struct replying *r)
{
    struct onward_refusal refusal = {.size = sizeof(refusal)};
    size_t len = 0;
    char *text = host_read_file(r->ticket_file, &len);
    int ret;

    if (text == NULL)
        return cli_broken(r->command, "%s: %s, expected a ticket",
                          r->ticket_file, strerror(errno));
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
        len--;
    ret = onward_ticket_open(r->world.ctx, r->minter,
                             (struct onward_str){text, len}, &r->ticket,
                             &refusal);
    free(text);
    if (ret == 1)
        return -1;
    return ret == 0 ? refused(r, r->ticket_file, &refusal)
                    : cli_broken(r->command, "%s", onward_strerror(ret));
}

static int read_reply(struct replying *r)
{
    const struct onward_str auto_replied = ONWARD_STR("Auto-Submitted");
    const struct onward_mailbox *author;
    size_t taken = 0, i;
    int err = onward_header_new(r->world.ctx, &r->header);

    if (err == 0)
        err = onward_header_feed(r->header, r->message.wire.data,
                                 r->message.wire.len, &taken);
    if (err >= 0)
        err = onward_header_finish(r->header);
    i = err < 0 ? ONWARD_HEADER_NONE
                : onward_header_first(r->header, ONWARD_STR("From"));
    if (i != ONWARD_HEADER_NONE)
        err = onward_address_list_parse(
            r->world.ctx, onward_header_value(r->header, i), NULL, &r->from);
    if (err < 0)
        return cli_broken(r->command, "%s: %s", r->message.path,
                          onward_strerror(err));
    author = onward_address_list_count(r->from) == 1
                 ? onward_address_list_mailbox(r->from, 0)
                 : NULL;
    if (author == NULL)
        return cli_broken(r->command, "%s: expected one author in From",
                          r->message.path);
    /* It is said by its header, which may be signed already. */
    if (onward_header_count_named(r->header, auto_replied) != 1)
        return cli_broken(r->command,
                          "%s: expected Auto-Submitted: auto-replied",
                          r->message.path);
    r->author = onward_mailbox_text(author);
    return -1;
}

static int check(struct replying *r)
{
    const struct onward_reply_question q = {
        .size = sizeof(q),
        .ticket = r->ticket,
        .reply = r->header,
        .reply_from = r->author,
        .reply_to = onward_ticket_sender(r->ticket)};
    struct onward_refusal refusal = {.size = sizeof(refusal)};
    int ret = onward_reply_check(&q, &refusal);

    if (ret == 1)
        return -1;
    return ret == 0 ? refused(r, r->message.path, &refusal)
                    : cli_broken(r->command, "%s", onward_strerror(ret));
}

/* Whoever comes second has not answered it. */
static int claim(struct replying *r)
{
    char key[ONWARD_TICKET_KEY_MAX];
    int len = onward_ticket_key(r->ticket, key, sizeof(key));
    const struct lmdb_item item = {
        .key = {key, len < 0 ? 0 : (size_t)len},
        .value = ONWARD_STR("onward reply"),
        .expires_s = onward_ticket_expires_s(r->ticket) + 86400,
        .flags = ONWARD_STORE_KEEP | ONWARD_STORE_IF_ABSENT};
    int ret = len < 0 ? -1 : shelf_write(&r->keeping.shelf, &item);

    if (ret == 1)
        return -1;
    return cli_broken(r->command, ret == 0 ? "the message was answered before"
                                           : "the store cannot be written to");
}

static void print(const struct replying *r, const char *id)
{
    struct json j = {0};

    if (!r->is_json) {
        printf("%s\n", id);
        return;
    }
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "id", id);
    json_str(&j, "from", r->author);
    json_str(&j, "to", onward_ticket_sender(r->ticket));
    json_close(&j, '}');
    json_end(&j);
}

static int put_into_spool(struct replying *r)
{
    struct spool_rcpt rcpt = {.address = onward_ticket_sender(r->ticket)};
    /* That it fails is told to nobody: a program wrote it. */
    const struct spool_envelope e = {.origin = SPOOL_MADE,
                                     .reverse_path = r->author,
                                     .arrival_s = (int64_t)time(NULL),
                                     .rcpts = &rcpt,
                                     .rcpt_count = 1};
    char fault[600], id[SPOOL_ID_MAX];
    struct onward_memory_source *source = NULL;
    struct spool *spool =
        spool_open(r->keeping.spool, SPOOL_LOOK, fault, sizeof(fault));
    int status = CLI_DONE;

    if (spool == NULL)
        return cli_broken(r->command, "%s", fault);
    if (spool_new_id(id) != 0 ||
        onward_memory_source_new(r->world.ctx, r->message.wire.data,
                                 r->message.wire.len, &source) != 0 ||
        spool_put(spool, id, &e, onward_memory_source_table(source)) != 0 ||
        spool_ask(spool, id, SPOOL_RETRY) != 0)
        status =
            cli_broken(r->command, "%s: %s", r->keeping.spool, strerror(errno));
    else
        print(r, id);
    onward_memory_source_free(source);
    spool_close(spool);
    return status;
}

static int open_all(struct replying *r, struct args args)
{
    const struct world_choice choice = {0};
    struct load_fault load_fault;
    const char *fault = NULL;
    int status = world_new_desk(r->command, &choice, &r->world);

    if (status >= 0)
        return status;
    r->minter = load_minter(r->world.ctx, r->secrets, &load_fault);
    if (r->minter == NULL)
        return cli_broken(r->command, "%s", load_fault.text);
    if (message_read(r->command, args.items[0], false, &r->message, &fault) !=
        0)
        return cli_broken(r->command, "%s", fault);
    return -1;
}

/* The claim last: what cannot be sent must not count as answered. */
static int reply(struct replying *r, struct args args)
{
    int status = open_all(r, args);

    if (status < 0)
        status = open_ticket(r);
    if (status < 0)
        status = read_reply(r);
    if (status < 0)
        status = check(r);
    if (status < 0)
        status = keeping_find(&r->keeping, r->command);
    if (status < 0)
        status = keeping_open(&r->keeping, r->command, r->world.desk);
    if (status < 0)
        status = claim(r);
    return status < 0 ? put_into_spool(r) : status;
}

static int run(const struct command *command, struct args args)
{
    struct replying r = {.command = command};
    struct option options[] = {
        {"ticket", OPTION_TEXT, &r.ticket_file, "FILE",
         "the ticket of the event", true, false},
        {"token-secret", OPTION_TEXT, &r.secrets, "FILE",
         "the secrets of the forwarder that gave it", true, false},
        KEEPING_OPTIONS(&r.keeping),
        {"json", OPTION_FLAG, &r.is_json, NULL, "print one JSON object", false,
         false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 1)
        return cli_usage(command, "%d messages, expected one", args.count);
    status = reply(&r, args);
    keeping_close(&r.keeping);
    onward_address_list_free(r.from);
    onward_header_free(r.header);
    onward_ticket_free(r.ticket);
    onward_token_minter_free(r.minter);
    message_clear(&r.message);
    world_clear(&r.world);
    return status;
}

const struct command command_reply = {
    .name = "reply",
    .operands = "MESSAGE",
    .summary = "Answer a message later, with the ticket that a handler got",
    .details =
        "Once for each ticket, to whom it names; the answer goes through the "
        "spool of the\nforwarder as it is, so sign it before. It has "
        "Auto-Submitted: auto-replied, and\nIn-Reply-To with the id of what it "
        "answers. Its id in the spool is printed.\n",
    .examples = "onward reply --ticket ticket.txt --token-secret tokens.txt "
                "--state state answer.eml\n",
    .run = run,
};
