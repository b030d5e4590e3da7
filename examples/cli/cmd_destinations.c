/*
 * onward destinations list, add, verify, revoke: where mail may be forwarded
 * to, where a forwarder keeps it, or several that share a Redis.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <onward/mime_builder.h>
#include <onward/smtp_common.h>

#include "cli.h"
#include "destinations.h"
#include "json.h"
#include "keeping.h"
#include "results.h"
#include "spool.h"
#include "style.h"
#include "world.h"

enum { LIFE_DAYS = 7, LIFE_DAYS_MAX = 365 };

struct destinations {
    const struct command *command;
    struct keeping keeping;
    const char *link, *from, *days;
    bool is_json;
    struct world world;
    const struct shelf *store; /* of keeping */
};

/* ---- The store --------------------------------------------------------- */

static int open_all(struct destinations *d)
{
    const struct world_choice choice = {0};
    int status = world_new_desk(d->command, &choice, &d->world);

    if (status < 0)
        status = keeping_find(&d->keeping, d->command);
    if (status < 0)
        status = keeping_open(&d->keeping, d->command, d->world.desk);
    d->store = &d->keeping.shelf;
    return status;
}

static int close_all(struct destinations *d, int status)
{
    keeping_close(&d->keeping);
    world_clear(&d->world);
    return status;
}

/* One line, as the forwarder writes it of its rules. */
static void audit(const struct destinations *d, struct onward_str address,
                  const struct destination *before,
                  enum destination_state after)
{
    FILE *log = keeping_audit(&d->keeping);

    if (log == NULL)
        return;
    destination_audit(log, "onward", address, before, after);
    if (log != stderr)
        fclose(log);
}

/* One operand, an address; -1 or the exit status. */
static int get_address(struct destinations *d, struct args args,
                       char address[DESTINATION_TEXT_MAX])
{
    if (args.count != 1)
        return cli_usage(d->command, "%d operands, expected one address",
                         args.count);
    if (!destination_name(d->world.ctx, args.items[0], address))
        return cli_usage(d->command, "\"%s\", expected local@domain",
                         args.items[0]);
    return -1;
}

/* ---- list -------------------------------------------------------------- */

static void print(void *user, struct onward_str address,
                  const struct destination *one)
{
    const struct destinations *d = user;
    struct json j = {0};
    char date[40];

    results_date(one->since_s, date, sizeof(date));
    if (!d->is_json) {
        results_put(address);
        printf(" %s since %s%s\n", destination_state_name(one->state), date,
               one->nonce[0] != '\0' ? ", a token is out" : "");
        return;
    }
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_str(&j, "address", address);
    json_text(&j, "state", destination_state_name(one->state));
    json_text(&j, "since", date);
    json_bool(&j, "token", one->nonce[0] != '\0');
    json_close(&j, '}');
    json_end(&j);
}

static int run_list(const struct command *command, struct args args)
{
    struct destinations d = {.command = command};
    struct option options[] = {
        KEEPING_OPTIONS(&d.keeping),
        {"json", OPTION_FLAG, &d.is_json, NULL, "print one JSON object a line",
         false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count > 0)
        return cli_usage(command, "\"%s\", expected no operand", args.items[0]);
    status = open_all(&d);
    if (status < 0)
        status = destination_each(d.store, print, &d) == 0
                     ? CLI_DONE
                     : cli_broken(command, "the store cannot be read");
    return close_all(&d, status);
}

/* ---- add --------------------------------------------------------------- */

static int build(struct destinations *d, struct onward_builder *b,
                 const char *address, const char *link)
{
    const struct onward_str none = {0};
    char text[ONWARD_TOKEN_TEXT_MAX + 1200];
    int err;

    snprintf(text, sizeof(text),
             "Somebody wants mail to be forwarded to\n\n    %s\n\n"
             "If that is your address, and you want it, open this page and "
             "confirm:\n\n    %s\n\n"
             "If not, do nothing: without you no mail will be forwarded.\n",
             address, link);
    err = onward_builder_add_address(b, ONWARD_BUILDER_FROM, none,
                                     onward_str_of(d->from));
    if (err == 0)
        err = onward_builder_add_address(b, ONWARD_BUILDER_TO, none,
                                         onward_str_of(address));
    if (err == 0)
        err = onward_builder_set_subject(
            b, ONWARD_STR("Please confirm your address"));
    if (err == 0)
        err = onward_builder_add_field(b, ONWARD_STR("Auto-Submitted"),
                                       ONWARD_STR("auto-generated"));
    return err == 0 ? onward_builder_set_text(b, onward_str_of(text)) : err;
}

/* The forwarder holds the lock of the spool, and is asked to look. */
static int put_into_spool(struct destinations *d, struct onward_builder *b,
                          const char *address)
{
    struct spool_rcpt rcpt = {.address = onward_str_of(address),
                              .notify = ONWARD_SMTP_NOTIFY_NEVER};
    /* From the null path: what comes back of it is for nobody. */
    const struct spool_envelope e = {.origin = SPOOL_MADE,
                                     .arrival_s = (int64_t)time(NULL),
                                     .rcpts = &rcpt,
                                     .rcpt_count = 1};
    const char *path = d->keeping.spool;
    char fault[600], id[SPOOL_ID_MAX];
    const struct onward_source *source;
    struct spool *spool = spool_open(path, SPOOL_LOOK, fault, sizeof(fault));
    int ret = -1;

    if (spool == NULL) {
        cli_broken(d->command, "%s", fault);
    } else if (onward_builder_source(b, &source) != 0 ||
               spool_new_id(id) != 0 || spool_put(spool, id, &e, source) != 0 ||
               spool_ask(spool, id, SPOOL_RETRY) != 0) {
        cli_broken(d->command, "%s: %s", path, strerror(errno));
    } else {
        ret = 0;
    }
    if (spool != NULL)
        spool_close(spool);
    return ret;
}

static int send_link(struct destinations *d, const char *address,
                     const char *link)
{
    struct onward_builder *b = NULL;
    int err = onward_builder_new(d->world.ctx, NULL, &b), status = CLI_DONE;

    if (err == 0)
        err = build(d, b, address, link);
    if (err == ONWARD_ESYNTAX)
        status = cli_usage(d->command, "--from \"%s\", expected local@domain",
                           d->from);
    else if (err != 0)
        status = cli_broken(d->command, "%s", onward_strerror(err));
    else if (put_into_spool(d, b, address) != 0)
        status = CLI_BROKEN;
    onward_builder_free(b);
    return status;
}

static void print_token(const struct destinations *d, const char *address,
                        const char *token, const char *link)
{
    struct json j = {0};

    if (!d->is_json) {
        puts(link != NULL ? link : token);
        return;
    }
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "address", address);
    json_text(&j, "token", token);
    json_text_or_null(&j, "link", link != NULL ? link : "");
    json_close(&j, '}');
    json_end(&j);
}

static void print_state(const struct destinations *d, const char *address,
                        enum destination_state state)
{
    struct json j = {0};

    if (!d->is_json) {
        printf("%s is ", address);
        style_verdict(destination_state_name(state));
        putchar('\n');
        return;
    }
    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "address", address);
    json_text(&j, "state", destination_state_name(state));
    json_close(&j, '}');
    json_end(&j);
}

static int add(struct destinations *d, const char *address, long days)
{
    const int64_t expires_s = (int64_t)time(NULL) + days * 86400;
    char token[ONWARD_TOKEN_TEXT_MAX];
    struct onward_str name = onward_str_of(address);
    struct destination before;
    char *link = NULL;
    int ret = destination_get(d->store, name, &before);
    int status = CLI_DONE;

    if (ret >= 0)
        ret =
            destination_invite(d->store, d->world.ctx, name, expires_s, token);
    if (ret == 0)
        return cli_broken(d->command, "%s is verified", address);
    if (ret < 0)
        return cli_broken(d->command, "the store cannot be used");
    audit(d, name, &before,
          before.state == 0 ? DESTINATION_PENDING : before.state);
    if (d->link == NULL) {
        print_token(d, address, token, NULL);
        return CLI_DONE;
    }
    if (asprintf(&link, "%.800s/verify/%s", d->link, token) < 0)
        return cli_broken(d->command, "out of memory");
    if (d->from != NULL)
        status = send_link(d, address, link);
    if (status == CLI_DONE)
        print_token(d, address, token, link);
    free(link);
    return status;
}

static int run_add(const struct command *command, struct args args)
{
    struct destinations d = {.command = command};
    struct option options[] = {
        KEEPING_OPTIONS(&d.keeping),
        {"link", OPTION_TEXT, &d.link, "URL", "make a link, URL/verify/TOKEN",
         false, false},
        {"from", OPTION_TEXT, &d.from, "ADDRESS",
         "send the link there, in this one's name, through the\n"
         "forwarder's spool",
         false, false},
        {"days", OPTION_TEXT, &d.days, "NUMBER",
         "that the token is good for; default: 7", false, false},
        {"json", OPTION_FLAG, &d.is_json, NULL, "print one JSON object", false,
         false},
        OPTIONS_END,
    };
    char address[DESTINATION_TEXT_MAX], *end = NULL;
    int status = cli_options(command, options, &args);
    long days = LIFE_DAYS;

    if (status >= 0)
        return status;
    if (d.days != NULL)
        days = strtol(d.days, &end, 10);
    if (days < 1 || days > LIFE_DAYS_MAX || (end != NULL && *end != '\0'))
        return cli_usage(command, "--days \"%s\", expected 1 to %d", d.days,
                         LIFE_DAYS_MAX);
    if (d.from != NULL && d.link == NULL)
        return cli_usage(command, "--from alone, expected --link beside it");
    status = open_all(&d);
    if (status < 0)
        status = get_address(&d, args, address);
    if (status < 0)
        status = add(&d, address, days);
    return close_all(&d, status);
}

/* ---- verify, revoke ---------------------------------------------------- */

static int run_verify(const struct command *command, struct args args)
{
    struct destinations d = {.command = command};
    struct option options[] = {
        KEEPING_OPTIONS(&d.keeping),
        {"json", OPTION_FLAG, &d.is_json, NULL, "print one JSON object", false,
         false},
        OPTIONS_END,
    };
    char address[DESTINATION_TEXT_MAX];
    struct destination before;
    int ret, status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 1)
        return cli_usage(command, "%d operands, expected one token",
                         args.count);
    status = open_all(&d);
    if (status < 0) {
        ret = destination_redeem(d.store, d.world.ctx,
                                 onward_str_of(args.items[0]), true, address,
                                 &before);
        if (ret == 1) {
            audit(&d, onward_str_of(address), &before, DESTINATION_VERIFIED);
            print_state(&d, address, DESTINATION_VERIFIED);
        }
        status = ret == 1   ? CLI_DONE
                 : ret == 0 ? cli_broken(command,
                                         "the token is wrong, too old or used")
                            : cli_broken(command, "the store cannot be used");
    }
    return close_all(&d, status);
}

static int run_revoke(const struct command *command, struct args args)
{
    struct destinations d = {.command = command};
    struct option options[] = {
        KEEPING_OPTIONS(&d.keeping),
        {"json", OPTION_FLAG, &d.is_json, NULL, "print one JSON object", false,
         false},
        OPTIONS_END,
    };
    char address[DESTINATION_TEXT_MAX];
    struct destination before;
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    status = open_all(&d);
    if (status < 0)
        status = get_address(&d, args, address);
    if (status < 0) {
        struct onward_str name = onward_str_of(address);

        status = destination_get(d.store, name, &before) >= 0 &&
                         destination_revoke(d.store, name) == 0
                     ? CLI_DONE
                     : cli_broken(command, "the store cannot be used");
        if (status == CLI_DONE) {
            audit(&d, name, &before, DESTINATION_REVOKED);
            print_state(&d, address, DESTINATION_REVOKED);
        }
    }
    return close_all(&d, status);
}

#define WHERE                                                                  \
    "The state folder is that of onward-forwarder(8), by default "             \
    "$STATE_DIRECTORY, else\n" KEEPING_STATE                                   \
    "; the forwarder sees the change at once.\n"                               \
    "Forwarders that share a Redis see it within two seconds: name the "       \
    "configuration of one.\nWith it changes are told in its log, too.\n"

const struct command command_destinations_add = {
    .name = "destinations add",
    .operands = "ADDRESS",
    .summary = "Make a token by which an owner agrees",
    .details = WHERE "Printed is the token, or the link; an older one does not "
                     "count any more.\n",
    .examples = "onward destinations add --state state me@example.net\n",
    .run = run_add,
};

const struct command command_destinations_list = {
    .name = "destinations list",
    .operands = "",
    .summary = "List destinations, and whether they are verified",
    .details = "Those that only the rules know are not in it.\n" WHERE,
    .examples = "onward destinations list --state state\n"
                "onward destinations list --state state --json\n",
    .run = run_list,
};

const struct command command_destinations_verify = {
    .name = "destinations verify",
    .operands = "TOKEN",
    .summary = "Take a destination as verified, by its token",
    .details = WHERE,
    .examples = "onward destinations verify --state state "
                "$(onward destinations add --state state you@example.net)\n",
    .run = run_verify,
};

const struct command command_destinations_revoke = {
    .name = "destinations revoke",
    .operands = "ADDRESS",
    .summary = "Forward nothing there, whatever the rules say",
    .details = WHERE,
    .examples = "onward destinations revoke --state state me@example.net\n",
    .run = run_revoke,
};
