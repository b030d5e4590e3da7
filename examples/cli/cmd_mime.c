/* onward mime parse: the structure of messages, their fields, their parts as
 * files. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <onward/mime_parser.h>

#include "charsets.h"
#include "cli.h"
#include "json.h"
#include "mbox.h"
#include "message.h"
#include "options.h"
#include "progress.h"
#include "results.h"
#include "world.h"

struct parsing {
    const struct command *command;
    struct world world;
    const char *field;   /* --header */
    const char *extract; /* --extract */
    int folder;          /* open, with --extract */
    bool is_json, is_raw, is_mbox;
    bool names_files;
};

/* One message of a file. */
struct item {
    const char *path;
    size_t number; /* in an mbox, from 1; 0: a file of its own */
    struct onward_str wire;
};

/* ---- Parts as files ---------------------------------------------------- */

static bool write_all(int fd, struct onward_str body)
{
    while (body.len > 0) {
        ssize_t put = write(fd, body.data, body.len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        body.data += put;
        body.len -= (size_t)put;
    }
    return true;
}

/* A new file in the folder: "name", or "2-name" and so on where that is taken.
 * Nothing that is there is opened, so no link leads elsewhere. */
static int create(const struct parsing *p, const char *name, char *used,
                  size_t cap)
{
    for (unsigned i = 1; i < 10000; i++) {
        int fd;

        if (i == 1)
            snprintf(used, cap, "%s", name);
        else
            snprintf(used, cap, "%u-%s", i, name);
        fd = openat(p->folder, used,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* Write part i, which is a leaf. The name it got goes to used. */
static int extract(const struct parsing *p, const struct item *item,
                   struct onward_mime_tree *tree, size_t i,
                   const struct onward_mime_part *part, char *used, size_t cap)
{
    struct onward_text *safe = NULL;
    struct onward_str body;
    char name[300];
    int fd;
    int err = onward_mime_tree_body(tree, i, &body);

    if (err == 0 && part->name.len > 0)
        err = onward_safe_name(p->world.ctx, part->name, &safe);
    if (err != 0)
        return cli_broken(p->command, "%s: %s", item->path,
                          onward_strerror(err));
    if (safe != NULL)
        snprintf(name, sizeof(name), "%.*s", (int)onward_text_str(safe).len,
                 onward_text_str(safe).data);
    else
        snprintf(name, sizeof(name), "part-%zu.%s", i,
                 onward_str_equal(part->type, ONWARD_STR("text")) ? "txt"
                                                                  : "bin");
    onward_text_free(safe);
    fd = create(p, name, used, cap);
    if (fd < 0)
        return cli_broken(p->command, "%s/%s: %s", p->extract, used,
                          strerror(errno));
    if (!write_all(fd, body)) {
        close(fd);
        return cli_broken(p->command, "%s/%s: %s", p->extract, used,
                          strerror(errno));
    }
    close(fd);
    return CLI_DONE;
}

/* ---- For people -------------------------------------------------------- */

static const char *const kinds[] = {
    [ONWARD_MIME_LEAF] = "leaf",
    [ONWARD_MIME_MULTIPART] = "multipart",
    [ONWARD_MIME_MESSAGE] = "message",
    [ONWARD_MIME_UNREAD] = "unread",
};

static bool is_leaf(const struct onward_mime_part *part)
{
    return part->kind == ONWARD_MIME_LEAF || part->kind == ONWARD_MIME_UNREAD;
}

static void print_part(const struct onward_mime_part *part, const char *file)
{
    printf("%*s%zu ", (int)(part->depth < 40 ? part->depth * 2 : 80), "",
           part->index);
    results_put(part->type);
    putchar('/');
    results_put(part->subtype);
    if (is_leaf(part)) {
        printf(" %llu", (unsigned long long)part->decoded_len);
        printf(" %s", onward_encoding_name(part->encoding));
    }
    if (part->charset.len > 0) {
        fputs(" charset=", stdout);
        results_put(part->charset);
    }
    if (part->disposition.len > 0) {
        putchar(' ');
        results_put(part->disposition);
    }
    if (part->name.len > 0) {
        fputs(" \"", stdout);
        results_put(part->name);
        putchar('"');
    }
    if (part->kind == ONWARD_MIME_UNREAD)
        fputs(" unread", stdout);
    if (file != NULL)
        printf(" -> %s", file);
    putchar('\n');
}

static void print_anomaly(const struct onward_mime_anomaly *a)
{
    printf("%s %s at %llu in part %zu\n",
           a->severity == ONWARD_HEADER_MALFORMED ? "malformed:" : "odd:",
           onward_mime_anomaly_name(a->code), (unsigned long long)a->offset,
           a->part);
}

/* ---- For programs ------------------------------------------------------ */

static void json_part(struct json *j, const struct onward_mime_part *part,
                      const char *file)
{
    json_open(j, NULL, '{');
    json_number(j, "part", part->index);
    if (part->parent == ONWARD_MIME_NONE)
        json_null(j, "parent");
    else
        json_number(j, "parent", part->parent);
    json_number(j, "depth", part->depth);
    json_text(j, "kind", kinds[part->kind]);
    json_str(j, "type", part->type);
    json_str(j, "subtype", part->subtype);
    json_text(j, "encoding", onward_encoding_name(part->encoding));
    json_str_or_null(j, "charset", part->charset);
    json_str_or_null(j, "disposition", part->disposition);
    json_str_or_null(j, "name", part->name);
    json_str_or_null(j, "content_id", part->content_id);
    json_str_or_null(j, "report_type", part->report_type);
    json_number(j, "offset", part->offset);
    json_number(j, "body_offset", part->body_offset);
    json_number(j, "end", part->end);
    if (is_leaf(part))
        json_number(j, "decoded", part->decoded_len);
    else
        json_null(j, "decoded");
    json_text_or_null(j, "file", file);
    json_close(j, '}');
}

static void json_anomaly(struct json *j, const struct onward_mime_anomaly *a)
{
    json_open(j, NULL, '{');
    json_text(j, "code", onward_mime_anomaly_name(a->code));
    json_text(j, "severity",
              a->severity == ONWARD_HEADER_MALFORMED ? "malformed" : "odd");
    json_number(j, "offset", a->offset);
    json_number(j, "part", a->part);
    json_number(j, "detail", a->detail);
    json_close(j, '}');
}

/* ---- One message ------------------------------------------------------- */

static struct onward_text_opts text_opts(void)
{
    return (struct onward_text_opts){.size = sizeof(struct onward_text_opts),
                                     .charsets = &iconv_charsets};
}

/* The decoded values of every field of that name in the message's header. */
static int print_field(const struct parsing *p, struct json *j,
                       struct onward_mime_tree *tree)
{
    const struct onward_text_opts opts = text_opts();
    struct onward_header *header = NULL;
    size_t i;
    int err = onward_mime_tree_header(tree, 0, &header);

    if (err != 0) /* it was not read: there is no such field */
        return err == ONWARD_ENOENT ? 0 : err;
    for (i = onward_header_first(header, onward_str_of(p->field));
         i != ONWARD_HEADER_NONE; i = onward_header_below(header, i)) {
        struct onward_text *text = NULL;

        err = onward_words_decode(p->world.ctx, onward_header_value(header, i),
                                  ONWARD_WORDS_PHRASE, &opts, &text);
        if (err != 0)
            return err;
        if (p->is_json) {
            json_str(j, NULL, onward_text_str(text));
        } else {
            results_put(onward_text_str(text));
            putchar('\n');
        }
        onward_text_free(text);
    }
    return 0;
}

static int walk(const struct parsing *p, const struct item *item,
                struct json *j, struct onward_mime_tree *tree)
{
    int status = CLI_DONE;

    for (size_t i = 0; i < onward_mime_tree_count(tree); i++) {
        struct onward_mime_part part = {.size = sizeof(part)};
        char file[320] = "";
        int one = CLI_DONE;

        onward_mime_tree_part(tree, i, &part);
        if (p->extract != NULL && is_leaf(&part))
            one = extract(p, item, tree, i, &part, file, sizeof(file));
        if (one > status)
            status = one;
        if (one != CLI_DONE)
            file[0] = '\0';
        if (p->is_json)
            json_part(j, &part, file[0] != '\0' ? file : NULL);
        else
            print_part(&part, file[0] != '\0' ? file : NULL);
    }
    return status;
}

static void list_anomalies(const struct parsing *p, struct json *j,
                           struct onward_mime_tree *tree)
{
    for (size_t i = 0; i < onward_mime_tree_anomaly_count(tree); i++) {
        struct onward_mime_anomaly a = {.size = sizeof(a)};

        onward_mime_tree_anomaly_at(tree, i, &a);
        if (p->is_json)
            json_anomaly(j, &a);
        else
            print_anomaly(&a);
    }
}

static void begin(const struct parsing *p, const struct item *item,
                  struct json *j)
{
    if (p->is_json) {
        json_open(j, NULL, '{');
        json_number(j, "v", 1);
        json_text(j, "file", item->path);
        if (item->number > 0)
            json_number(j, "message", item->number);
        json_number(j, "octets", item->wire.len);
    } else if (item->number > 0) {
        printf("%s message %zu:\n", item->path, item->number);
    } else if (p->names_files) {
        printf("%s:\n", item->path);
    }
}

static int show(const struct parsing *p, const struct item *item,
                struct onward_mime_tree *tree)
{
    struct json j = {0};
    int status = CLI_DONE;
    int err = 0;

    begin(p, item, &j);
    if (p->field != NULL) {
        if (p->is_json)
            json_open(&j, "values", '[');
        err = print_field(p, &j, tree);
        if (p->is_json)
            json_close(&j, ']');
    } else {
        if (p->is_json)
            json_open(&j, "parts", '[');
        status = walk(p, item, &j, tree);
        if (p->is_json) {
            json_close(&j, ']');
            json_open(&j, "anomalies", '[');
        }
        list_anomalies(p, &j, tree);
        if (p->is_json)
            json_close(&j, ']');
    }
    if (p->is_json) {
        json_close(&j, '}');
        json_end(&j);
    }
    if (err != 0)
        return cli_broken(p->command, "%s: %s", item->path,
                          onward_strerror(err));
    return status;
}

static int parse(const struct parsing *p, const struct item *item)
{
    const struct onward_text_opts text = text_opts();
    const struct onward_mime_opts opts = {.size = sizeof(opts),
                                          .flags = ONWARD_MIME_DECODE |
                                                   ONWARD_MIME_CHECK_BODIES |
                                                   ONWARD_MIME_ALLOW_UUENCODE,
                                          .text = &text};
    struct onward_mime_tree *tree = NULL;
    int status;
    int err = onward_mime_tree_new(p->world.ctx, item->wire, &opts, &tree);

    if (err != 0)
        return cli_broken(p->command, "%s: %s", item->path,
                          onward_strerror(err));
    status = show(p, item, tree);
    onward_mime_tree_free(tree);
    return status;
}

/* ---- The command ------------------------------------------------------- */

static int parse_mbox(const struct parsing *p, const struct message *message)
{
    struct item item = {.path = message->path};
    struct mbox box;
    struct onward_str one;
    struct progress progress;
    int status = CLI_DONE;

    mbox_open(&box, message->wire);
    progress_begin(&progress, "reading the mbox", NULL, message->wire.len,
                   PROGRESS_OCTETS, false);
    while (mbox_next(&box, &one)) {
        int got;

        item.number++;
        item.wire = one;
        got = parse(p, &item);
        if (got > status)
            status = got;
        progress_at(&progress, message->wire.len - box.rest.len);
    }
    progress_end(&progress);
    mbox_close(&box);
    if (item.number == 0)
        return cli_broken(p->command,
                          "%s: no line that begins with \"From \", expected "
                          "an mbox",
                          message->path);
    return status;
}

static int parse_file(void *user, const char *path)
{
    const struct parsing *p = user;
    struct message message;
    const char *fault = NULL;
    int status;

    if (message_read(p->command, path, p->is_raw, &message, &fault) != 0)
        return cli_broken(p->command, "%s: %s, expected a readable message",
                          path, fault);
    if (p->is_mbox) {
        status = parse_mbox(p, &message);
    } else {
        const struct item item = {.path = path, .wire = message.wire};

        status = parse(p, &item);
    }
    message_clear(&message);
    return status;
}

static int open_folder(struct parsing *p)
{
    if (p->extract == NULL)
        return -1;
    p->folder = open(p->extract, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->folder < 0)
        return cli_broken(p->command, "%s: %s, expected a folder", p->extract,
                          strerror(errno));
    return -1;
}

static int run(const struct command *command, struct args args)
{
    struct world_choice choice = {0};
    struct parsing p = {.command = command, .folder = -1};
    struct option options[] = {
        {"header", OPTION_TEXT, &p.field, "NAME",
         "print the decoded values of this field instead", false, false},
        {"extract", OPTION_TEXT, &p.extract, "DIR",
         "write parts that are no multipart into this folder,\n"
         "decoded, under safe names; nothing is overwritten",
         false, false},
        {"json", OPTION_FLAG, &p.is_json, NULL, "print one JSON object a line",
         false, false},
        {"mbox", OPTION_FLAG, &p.is_mbox, NULL,
         "files hold many messages, in mbox form", false, false},
        {"raw", OPTION_FLAG, &p.is_raw, NULL,
         "take messages as they are, LF too", false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    p.names_files = args.count > 1;
    status = world_new_ctx(command, &choice, &p.world);
    if (status < 0)
        status = open_folder(&p);
    if (status < 0)
        status = cli_each(args, parse_file, &p);
    if (p.folder >= 0)
        close(p.folder);
    world_clear(&p.world);
    return status;
}

const struct command command_mime_parse = {
    .name = "mime parse",
    .operands = "[MESSAGE]...",
    .summary = "Show the parts of messages, and write them to files",
    .details =
        "One part a line: its number, type, decoded size, encoding, name; then "
        "what is\nwrong with the message, malformed where other readers may "
        "see other parts.\nMessages are files, or standard input. A file with "
        "LF and no CR is read as CRLF.\n",
    .examples = "onward mime parse message.eml\n"
                "onward mime parse --json < message.eml\n"
                "onward mime parse --header Subject message.eml signed.eml\n"
                "onward mime parse --extract . message.eml\n",
    .run = run,
};
