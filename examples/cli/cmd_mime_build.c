/* onward mime build: a message from texts and files. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <onward/address.h>
#include <onward/mime_builder.h>

#include "cli.h"
#include "host.h"
#include "message.h"
#include "options.h"
#include "world.h"

enum { ROLES = 6, FILES = 2 * OPTION_LIST_MAX };

/* A file that is attached: read when the message is. */
struct file {
    struct onward_source source;
    int fd;
};

struct building {
    const struct command *command;
    struct world world;
    struct world_choice choice;
    struct option_list roles[ROLES]; /* by enum onward_builder_role - 1 */
    struct option_list attached, inlined, fields;
    const char *subject, *text, *html, *original, *message_id, *envelope;
    bool is_utf8, is_8bit, is_lf, is_fallback;
    struct onward_builder *builder;
    struct file files[FILES];
    size_t file_count;
};

static const char *const role_names[ROLES] = {"from", "sender", "reply-to",
                                              "to",   "cc",     "bcc"};

/* ---- Addresses --------------------------------------------------------- */

static int add_mailbox(struct building *g, int role,
                       const struct onward_address_list *list, size_t i)
{
    const struct onward_mailbox *mailbox =
        onward_address_list_mailbox(list, i);
    struct onward_text *name = NULL;
    int err = onward_words_decode(
        g->world.ctx, onward_address_list_display_name(list, i),
        ONWARD_WORDS_NAME, NULL, &name);

    if (err == 0)
        err = onward_builder_add_address(g->builder, role,
                                         onward_text_str(name),
                                         onward_mailbox_text(mailbox));
    onward_text_free(name);
    return err;
}

static int add_addresses(struct building *g, int role, const char *text)
{
    struct onward_address_list *list = NULL;
    int err = onward_address_list_parse(g->world.ctx, onward_str_of(text), NULL,
                                        &list);
    size_t count = err == 0 ? onward_address_list_count(list) : 0;

    if (err == 0 && count == 0)
        err = ONWARD_ESYNTAX;
    for (size_t i = 0; err == 0 && i < count; i++)
        err = add_mailbox(g, role, list, i);
    onward_address_list_free(list);
    if (err == ONWARD_ESYNTAX)
        return cli_usage(g->command,
                         "--%s \"%s\", expected addresses such as "
                         "\"Bob <bob@example.net>\"%s",
                         role_names[role - 1], text,
                         g->is_utf8 ? "" : ", in ASCII without --utf8");
    if (err != 0)
        return cli_usage(g->command, "--%s \"%s\": %s", role_names[role - 1],
                         text, onward_strerror(err));
    return -1;
}

/* ---- Files ------------------------------------------------------------- */

static int read_file(void *user, uint64_t offset, void *buf, size_t cap,
                     size_t *got)
{
    const struct file *f = user;
    ssize_t n;

    do {
        n = pread(f->fd, buf, cap, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) /* also shorter than it was */
        return ONWARD_ECALLBACK;
    *got = (size_t)n;
    return 0;
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {".txt", "text/plain"},       {".html", "text/html"},
        {".csv", "text/csv"},         {".ics", "text/calendar"},
        {".md", "text/markdown"},     {".pdf", "application/pdf"},
        {".json", "application/json"}, {".xml", "application/xml"},
        {".zip", "application/zip"},  {".gz", "application/gzip"},
        {".png", "image/png"},        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},      {".gif", "image/gif"},
        {".webp", "image/webp"},      {".svg", "image/svg+xml"},
        {".mp3", "audio/mpeg"},       {".mp4", "video/mp4"},
        {".eml", "message/rfc822"},
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcasecmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

static int broken(const struct building *g, const char *path, const char *why)
{
    return cli_broken(g->command, "%s: %s", path, why);
}

static int open_file(struct building *g, const char *path, struct file **file)
{
    struct file *f = &g->files[g->file_count];
    struct stat stat;

    f->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0)
        return broken(g, path, strerror(errno));
    g->file_count++;
    if (fstat(f->fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        return broken(g, path, "no regular file, expected one");
    f->source = (struct onward_source){.size = sizeof(f->source),
                                       .user = f,
                                       .len = (uint64_t)stat.st_size,
                                       .read = read_file};
    *file = f;
    return -1;
}

/* A message goes with CRLF, as it is otherwise. */
static int add_message(struct building *g, const char *path,
                       struct onward_builder_part *part)
{
    struct message message;
    const char *fault = NULL;
    int err;

    if (message_read(g->command, path, false, &message, &fault) != 0)
        return broken(g, path, fault);
    part->data = message.wire;
    err = onward_builder_add_part(g->builder, part);
    message_clear(&message);
    if (err == ONWARD_ESYNTAX)
        return broken(g, path,
                      "cannot stand in a message as it is, expected lines of "
                      "at most 998 octets that end in CRLF, the last one too");
    return err == 0 ? -1 : broken(g, path, onward_strerror(err));
}

/* "FILE" or "FILE:TYPE". */
static int add_file(struct building *g, const char *option, const char *text,
                    struct onward_builder_part *part)
{
    const char *colon = strrchr(text, ':'), *name;
    char *path = strdup(text);
    struct file *file = NULL;
    int status;
    int err;

    if (path == NULL)
        return broken(g, text, strerror(ENOMEM));
    part->type = onward_str_of(type_of(path));
    if (colon != NULL && strchr(colon, '/') != NULL) {
        path[colon - text] = '\0';
        part->type = onward_str_of(colon + 1);
    }
    name = strrchr(path, '/');
    part->file_name = onward_str_of(name == NULL ? path : name + 1);
    if (part->type.len >= 8 && strncasecmp(part->type.data, "message/", 8) == 0) {
        status = add_message(g, path, part);
        free(path);
        return status;
    }
    status = open_file(g, path, &file);
    if (status < 0) {
        part->source = &file->source;
        err = onward_builder_add_part(g->builder, part);
        if (err == ONWARD_ESYNTAX)
            status = cli_usage(g->command,
                               "--%s \"%s\", expected a file with a name in "
                               "UTF-8, and a type such as text/csv",
                               option, text);
        else if (err != 0)
            status = broken(g, path, onward_strerror(err));
    }
    free(path);
    return status;
}

/* "CID=FILE". */
static int add_inline(struct building *g, const char *text)
{
    struct onward_builder_part part = {.size = sizeof(part),
                                       .place = ONWARD_BUILDER_INLINE};
    const char *equals = strchr(text, '=');

    if (equals == NULL || memchr(text, '@', (size_t)(equals - text)) == NULL)
        return cli_usage(g->command,
                         "--inline \"%s\", expected ID@DOMAIN=FILE", text);
    part.content_id = (struct onward_str){text, (size_t)(equals - text)};
    return add_file(g, "inline", equals + 1, &part);
}

static int add_field(struct building *g, const char *text)
{
    const char *colon = strchr(text, ':');
    struct onward_str value;
    int err;

    if (colon == NULL)
        return cli_usage(g->command, "--field \"%s\", expected NAME:VALUE",
                         text);
    value = onward_str_of(colon + 1 + strspn(colon + 1, " \t"));
    err = onward_builder_add_field(
        g->builder, (struct onward_str){text, (size_t)(colon - text)}, value);
    if (err == ONWARD_EINVAL)
        return cli_usage(g->command,
                         "--field \"%.*s\", expected a field that no other "
                         "option writes",
                         (int)(colon - text), text);
    if (err == ONWARD_ESYNTAX)
        return cli_usage(g->command,
                         "--field \"%.*s\", expected a name of visible ASCII "
                         "and a value of one line in UTF-8",
                         (int)(colon - text), text);
    return err == 0 ? -1 : broken(g, "--field", onward_strerror(err));
}

static int set_form(struct building *g, const char *path,
                    int (*set)(struct onward_builder *builder,
                               struct onward_str text))
{
    size_t len = 0;
    char *file;
    int err;

    if (path == NULL)
        return -1;
    file = host_read_file(path, &len);
    if (file == NULL)
        return broken(g, path, strerror(errno));
    err = set(g->builder, (struct onward_str){file, len});
    free(file);
    if (err == ONWARD_ESYNTAX)
        return broken(g, path, "expected text in UTF-8, without NUL");
    return err == 0 ? -1 : broken(g, path, onward_strerror(err));
}

static int set_original(struct building *g)
{
    struct onward_header *header = NULL;
    struct message message;
    const char *fault = NULL;
    size_t taken;
    int err;

    if (g->original == NULL)
        return -1;
    if (message_read(g->command, g->original, false, &message, &fault) != 0)
        return broken(g, g->original, fault);
    err = onward_header_new(g->world.ctx, &header);
    if (err == 0)
        err = onward_header_feed(header, message.wire.data, message.wire.len,
                                 &taken);
    if (err >= 0)
        err = onward_header_finish(header);
    if (err == 0)
        err = onward_builder_set_reply_to_message(g->builder, header);
    onward_header_free(header);
    message_clear(&message);
    return err == 0 ? -1 : broken(g, g->original, onward_strerror(err));
}

/* ---- The message ------------------------------------------------------- */

static int say_lists(struct building *g)
{
    struct onward_builder_part attached = {.size = sizeof(attached)};
    int status = -1;

    for (int i = 0; i < ROLES; i++)
        for (size_t k = 0; status < 0 && k < g->roles[i].count; k++)
            status = add_addresses(g, i + 1, g->roles[i].items[k]);
    for (size_t k = 0; status < 0 && k < g->inlined.count; k++)
        status = add_inline(g, g->inlined.items[k]);
    for (size_t k = 0; status < 0 && k < g->attached.count; k++) {
        attached = (struct onward_builder_part){.size = sizeof(attached)};
        status = add_file(g, "attach", g->attached.items[k], &attached);
    }
    for (size_t k = 0; status < 0 && k < g->fields.count; k++)
        status = add_field(g, g->fields.items[k]);
    return status;
}

static int say(struct building *g)
{
    int status = say_lists(g);

    if (status < 0 && g->subject != NULL &&
        onward_builder_set_subject(g->builder, onward_str_of(g->subject)) != 0)
        status = cli_usage(g->command,
                           "--subject, expected one line of text in UTF-8");
    if (status < 0 && g->message_id != NULL &&
        onward_builder_set_message_id(g->builder,
                                      onward_str_of(g->message_id)) != 0)
        status = cli_usage(g->command, "--message-id \"%s\", expected ID@DOMAIN",
                           g->message_id);
    if (status < 0)
        status = set_form(g, g->text, onward_builder_set_text);
    if (status < 0)
        status = set_form(g, g->html, onward_builder_set_html);
    return status < 0 ? set_original(g) : status;
}

static int write_message(struct building *g, const struct onward_source *source)
{
    static char chunk[65536];
    uint64_t at = 0;

    while (at < source->len) {
        size_t got = 0;

        if (source->read(source->user, at, chunk, sizeof(chunk), &got) != 0)
            return cli_broken(g->command,
                              "a file cannot be read any more, the message is "
                              "cut");
        for (size_t i = 0; i < got; i++) {
            if (!g->is_lf || chunk[i] != '\r') /* no CR stands alone */
                putchar_unlocked(chunk[i]);
        }
        at += got;
    }
    return CLI_DONE;
}

static int write_envelope(struct building *g)
{
    uint64_t needs = onward_builder_needs(g->builder);
    struct onward_str s = onward_builder_mail_from(g->builder);
    FILE *out;

    if (g->envelope == NULL)
        return CLI_DONE;
    out = fopen(g->envelope, "we");
    if (out == NULL)
        return broken(g, g->envelope, strerror(errno));
    fprintf(out, "from %.*s\n", (int)s.len, s.data);
    for (size_t i = 0; i < onward_builder_rcpt_count(g->builder); i++) {
        s = onward_builder_rcpt_at(g->builder, i);
        fprintf(out, "to %.*s\n", (int)s.len, s.data);
    }
    if ((needs & ONWARD_BUILDER_NEEDS_8BITMIME) != 0)
        fputs("needs 8BITMIME\n", out);
    if ((needs & ONWARD_BUILDER_NEEDS_SMTPUTF8) != 0)
        fputs("needs SMTPUTF8\n", out);
    if (fclose(out) != 0)
        return broken(g, g->envelope, strerror(errno));
    return CLI_DONE;
}

static int build(struct building *g)
{
    const struct onward_builder_opts opts = {
        .size = sizeof(opts),
        .allow_8bit = g->is_8bit,
        .allow_utf8 = g->is_utf8,
        .allow_name_fallback = g->is_fallback};
    const struct onward_source *source = NULL;
    int status = world_new_ctx(g->command, &g->choice, &g->world);
    int err;

    if (status >= 0)
        return status;
    err = onward_builder_new(g->world.ctx, &opts, &g->builder);
    if (err != 0)
        return cli_broken(g->command, "%s", onward_strerror(err));
    status = say(g);
    if (status >= 0)
        return status;
    err = onward_builder_source(g->builder, &source);
    if (err == ONWARD_EINVAL)
        return cli_usage(g->command,
                         "several authors, expected --sender too");
    if (err != 0)
        return cli_broken(g->command, "%s", onward_strerror(err));
    status = write_envelope(g);
    return status == CLI_DONE ? write_message(g, source) : status;
}

static int run(const struct command *command, struct args args)
{
    struct building g = {.command = command, .roles[1].max = 1};
    struct option options[] = {
        {"from", OPTION_LIST, &g.roles[0], "ADDRESS",
         "an author, \"Al <al@example.com>\"; the envelope's sender", true,
         false},
        {"sender", OPTION_LIST, &g.roles[1], "ADDRESS",
         "who sends for several authors", false, false},
        {"reply-to", OPTION_LIST, &g.roles[2], "ADDRESS",
         "where answers shall go", false, false},
        {"to", OPTION_LIST, &g.roles[3], "ADDRESS",
         "a recipient; several with commas, or again", false, false},
        {"cc", OPTION_LIST, &g.roles[4], "ADDRESS", "one more", false, false},
        {"bcc", OPTION_LIST, &g.roles[5], "ADDRESS",
         "a recipient of the envelope alone", false, false},
        {"subject", OPTION_TEXT, &g.subject, "TEXT", "what it is about", false,
         false},
        {"text", OPTION_TEXT, &g.text, "FILE",
         "the text, in UTF-8; - is standard input", false, false},
        {"html", OPTION_TEXT, &g.html, "FILE", "the same text as HTML", false,
         false},
        {"attach", OPTION_LIST, &g.attached, "FILE[:TYPE]",
         "a file; without a type, that of its name's ending", false, false},
        {"inline", OPTION_LIST, &g.inlined, "CID=FILE[:TYPE]",
         "a picture that the HTML shows as cid:CID", false, false},
        {"field", OPTION_LIST, &g.fields, "NAME:VALUE", "one more field",
         false, false},
        {"reply-to-message", OPTION_TEXT, &g.original, "FILE",
         "answer this message: In-Reply-To and References", false, false},
        {"message-id", OPTION_TEXT, &g.message_id, "ID",
         "without brackets; made by default", false, false},
        {"envelope", OPTION_TEXT, &g.envelope, "FILE",
         "write sender, recipients and what the path must\n"
         "take into this file",
         false, false},
        {"utf8", OPTION_FLAG, &g.is_utf8, NULL,
         "the path takes SMTPUTF8: header in UTF-8", false, false},
        {"8bit", OPTION_FLAG, &g.is_8bit, NULL,
         "the path takes 8BITMIME: texts as they are", false, false},
        {"name-fallback", OPTION_FLAG, &g.is_fallback, NULL,
         "file names also as programs before RFC 2231 read them", false,
         false},
        {"lf", OPTION_FLAG, &g.is_lf, NULL, "end lines in LF", false, false},
        WORLD_OPTION_TIME(&g.choice),
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status < 0 && args.count > 0)
        status = cli_usage(command, "\"%s\", expected options alone",
                           args.items[0]);
    if (status < 0)
        status = build(&g);
    onward_builder_free(g.builder);
    for (size_t i = 0; i < g.file_count; i++)
        close(g.files[i].fd);
    world_clear(&g.world);
    return status;
}

const struct command command_mime_build = {
    .name = "mime build",
    .operands = "",
    .summary = "Write a message from texts and files",
    .details =
        "The message goes to standard output, with CRLF. What is not ASCII is "
        "encoded;\nfiles are read while it is written. A message/rfc822 is "
        "attached as it is.\n",
    .examples =
        "onward mime build --from 'Al <al@example.com>' --to bob@example.net "
        "--subject Lunch --text message.eml\n"
        "onward mime build --from al@example.com --to 'Zoe <z@example.net>' "
        "--text message.eml --attach zone.txt --attach rules.json:text/plain "
        "--envelope envelope.txt\n"
        "onward mime build --from al@example.com --reply-to-message message.eml "
        "--field 'List-Id: <l.example.com>' --text - < zone.txt\n",
    .run = run,
};
