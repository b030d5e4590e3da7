/* onward mime edit: a message with fields and parts changed, and what breaks by
 * it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onward/mime.h>

#include "cli.h"
#include "host.h"
#include "json.h"
#include "message.h"
#include "options.h"
#include "results.h"
#include "world.h"

enum { SIGNATURES = 64 };

struct editing {
    const struct command *command;
    struct world world;
    struct option_list added, replaced, removed, dropped;
    const char *prefix, *footer, *html_footer;
    bool is_signed, is_dry, is_raw, is_json;
    struct message message;
    struct onward_memory_source *memory;
    struct onward_header *header;
    struct onward_edit *edit;
    struct onward_str signatures[SIGNATURES]; /* their fields, unfolded */
    size_t signature_count;
};

static int broken(const struct editing *e, int err)
{
    return cli_broken(e->command, "%s: %s", e->message.path,
                      onward_strerror(err));
}

/* ---- Signatures -------------------------------------------------------- */

/* The value of a tag of DKIM-Signature; empty: none. */
static struct onward_str tag(struct onward_str field, char name)
{
    size_t at = 0;

    while (at < field.len) {
        const char *end = memchr(field.data + at, ';', field.len - at);
        size_t to = end == NULL ? field.len : (size_t)(end - field.data);
        size_t from = at;

        while (from < to && strchr(" \t", field.data[from]) != NULL)
            from++;
        if (from < to && field.data[from] == name) {
            from++;
            while (from < to && strchr(" \t", field.data[from]) != NULL)
                from++;
            if (from < to && field.data[from] == '=')
                return (struct onward_str){field.data + from + 1,
                                           to - from - 1};
        }
        at = to + 1;
    }
    return (struct onward_str){0};
}

static int add_signature(struct editing *e, size_t item)
{
    struct onward_edit_signature signature = {.size = sizeof(signature)};
    struct onward_str field, len;
    int err = onward_header_text(e->header, item, &field);

    if (err != 0 || e->signature_count == SIGNATURES)
        return err;
    signature.fields = tag(field, 'h');
    len = tag(field, 'l');
    for (size_t i = 0; i < len.len && i < 18; i++) {
        if (len.data[i] >= '0' && len.data[i] <= '9')
            signature.body_len =
                signature.body_len * 10 + (uint64_t)(len.data[i] - '0');
    }
    signature.has_body_len = len.len > 0;
    e->signatures[e->signature_count++] = field;
    return onward_edit_add_signature(e->edit, &signature);
}

static int add_signatures(struct editing *e, const char *name)
{
    int err = 0;

    for (size_t i = onward_header_first(e->header, onward_str_of(name));
         err == 0 && i != ONWARD_HEADER_NONE;
         i = onward_header_below(e->header, i))
        err = add_signature(e, i);
    return err;
}

/* ---- Changes ----------------------------------------------------------- */

static int split(const struct editing *e, const char *option, const char *text,
                 struct onward_str *name, struct onward_str *value)
{
    const char *colon = strchr(text, ':');

    if (colon == NULL)
        return cli_usage(e->command, "--%s \"%s\", expected NAME:VALUE", option,
                         text);
    *name = (struct onward_str){text, (size_t)(colon - text)};
    *value = onward_str_of(colon + 1 + strspn(colon + 1, " \t"));
    return -1;
}

static int bad_field(const struct editing *e, const char *option,
                     struct onward_str name)
{
    return cli_usage(e->command,
                     "--%s \"%.*s\", expected a name of visible ASCII and a "
                     "value of one line of at most 998 octets",
                     option, (int)name.len, name.data);
}

static int add_field(struct editing *e, const char *text)
{
    struct onward_str name, value;
    int status = split(e, "add", text, &name, &value);
    int err;

    if (status >= 0)
        return status;
    err = onward_edit_add(e->edit, name, value);
    if (err == ONWARD_ESYNTAX)
        return bad_field(e, "add", name);
    return err == 0 ? -1 : broken(e, err);
}

static int replace_field(struct editing *e, const char *text)
{
    struct onward_str name, value;
    int status = split(e, "replace", text, &name, &value);
    size_t item;
    int err;

    if (status >= 0)
        return status;
    item = onward_header_first(e->header, name);
    if (item == ONWARD_HEADER_NONE)
        return cli_broken(e->command, "%s: no %.*s, expected one to replace",
                          e->message.path, (int)name.len, name.data);
    err = onward_edit_replace(e->edit, item, value);
    if (err == ONWARD_ESYNTAX)
        return bad_field(e, "replace", name);
    return err == 0 ? -1 : broken(e, err);
}

static int remove_fields(struct editing *e, const char *name)
{
    size_t i = onward_header_first(e->header, onward_str_of(name));

    for (; i != ONWARD_HEADER_NONE; i = onward_header_below(e->header, i)) {
        int err = onward_edit_cut(e->edit, i);

        if (err != 0)
            return broken(e, err);
    }
    return -1;
}

static int drop_part(struct editing *e, const char *text)
{
    size_t part = 0;
    int err = ONWARD_ENOENT;

    if (text[0] != '\0' && strlen(text) < 9 &&
        strspn(text, "0123456789") == strlen(text)) {
        part = strtoul(text, NULL, 10);
        err = onward_edit_drop_part(e->edit, part);
    }
    if (err == ONWARD_ENOENT)
        return cli_usage(e->command,
                         "--drop-part \"%s\", expected the number of a part "
                         "that onward mime parse lists",
                         text);
    if (err == ONWARD_EINVAL)
        return cli_usage(e->command,
                         "--drop-part %s, expected a part of a multipart in "
                         "which another one stays, not inside of one that "
                         "goes",
                         text);
    return err == 0 ? -1 : broken(e, err);
}

static int add_footer(struct editing *e, const char *path, bool is_html)
{
    struct onward_edit_footer footer = {.size = sizeof(footer),
                                        .is_html = is_html};
    char *text;
    size_t len;
    int err;

    if (path == NULL)
        return -1;
    text = host_read_file(path, &len);
    if (text == NULL)
        return cli_broken(e->command, "%s: %s", path, strerror(errno));
    footer.text = (struct onward_str){text, len};
    err = onward_edit_add_footer(e->edit, &footer);
    free(text);
    if (err == ONWARD_ESYNTAX)
        return cli_broken(e->command,
                          "%s: expected text in UTF-8, not empty, without NUL",
                          path);
    if (err == ONWARD_EINVAL)
        return cli_broken(e->command,
                          "%s: no place for a footer, expected a message with "
                          "a body that is not changed there",
                          e->message.path);
    return err == 0 ? -1 : broken(e, err);
}

static int apply_list(struct editing *e, const struct option_list *list,
                      int (*change)(struct editing *e, const char *text))
{
    int status = -1;

    for (size_t i = 0; status < 0 && i < list->count; i++)
        status = change(e, list->items[i]);
    return status;
}

static int apply(struct editing *e)
{
    int status = apply_list(e, &e->replaced, replace_field);

    if (status < 0)
        status = apply_list(e, &e->removed, remove_fields);
    if (status < 0 && e->prefix != NULL) {
        int err = onward_edit_prefix_subject(e->edit, onward_str_of(e->prefix));

        if (err == ONWARD_ESYNTAX)
            return cli_usage(e->command,
                             "--subject-prefix, expected one line of text in "
                             "UTF-8");
        status = err == 0 ? -1 : broken(e, err);
    }
    if (status < 0)
        status = apply_list(e, &e->dropped, drop_part);
    if (status < 0)
        status = add_footer(e, e->footer, false);
    if (status < 0)
        status = add_footer(e, e->html_footer, true);
    return status < 0 ? apply_list(e, &e->added, add_field) : status;
}

/* ---- The log ----------------------------------------------------------- */

static const char *const kinds[] = {
    [ONWARD_EDIT_FIELD_ADDED] = "add field",
    [ONWARD_EDIT_FIELD_CUT] = "remove field",
    [ONWARD_EDIT_FIELD_REPLACED] = "replace field",
    [ONWARD_EDIT_PART_DROPPED] = "drop part",
    [ONWARD_EDIT_PART_REPLACED] = "replace part",
    [ONWARD_EDIT_PART_ADDED] = "add part to",
    [ONWARD_EDIT_TEXT_EXTENDED] = "extend text of",
    [ONWARD_EDIT_WRAPPED] = "wrap",
};

static void print_change(FILE *out, const struct onward_edit_change *c)
{
    fprintf(out, "%s ", kinds[c->kind]);
    if (c->kind <= ONWARD_EDIT_FIELD_REPLACED)
        fprintf(out, "%.*s", (int)c->name.len, c->name.data);
    else
        fprintf(out, "%zu", c->item);
    fprintf(out, " at %llu: -%llu +%llu\n", (unsigned long long)c->offset,
            (unsigned long long)c->removed, (unsigned long long)c->added);
}

static void print_log(const struct editing *e)
{
    for (size_t i = 0; i < onward_edit_change_count(e->edit); i++) {
        struct onward_edit_change c = {.size = sizeof(c)};

        onward_edit_change_at(e->edit, i, &c);
        printf("%zu ", i + 1);
        print_change(stdout, &c);
    }
    for (size_t i = 0; i < e->signature_count; i++) {
        size_t by = onward_edit_broken_by(e->edit, i);

        fputs("signature d=", stdout);
        results_put(tag(e->signatures[i], 'd'));
        fputs(" s=", stdout);
        results_put(tag(e->signatures[i], 's'));
        if (by == ONWARD_HEADER_NONE)
            puts(" stays");
        else
            printf(" breaks by %zu\n", by + 1);
    }
}

static void json_change(struct json *j, const struct onward_edit_change *c)
{
    json_open(j, NULL, '{');
    json_text(j, "kind", kinds[c->kind]);
    if (c->kind <= ONWARD_EDIT_FIELD_REPLACED) {
        json_str(j, "field", c->name);
        json_null(j, "part");
    } else {
        json_null(j, "field");
        json_number(j, "part", c->item);
    }
    json_number(j, "offset", c->offset);
    json_number(j, "removed", c->removed);
    json_number(j, "added", c->added);
    json_close(j, '}');
}

static void print_json(const struct editing *e)
{
    struct json j = {0};

    json_open(&j, NULL, '{');
    json_number(&j, "v", 1);
    json_text(&j, "file", e->message.path);
    json_open(&j, "changes", '[');
    for (size_t i = 0; i < onward_edit_change_count(e->edit); i++) {
        struct onward_edit_change c = {.size = sizeof(c)};

        onward_edit_change_at(e->edit, i, &c);
        json_change(&j, &c);
    }
    json_close(&j, ']');
    json_open(&j, "signatures", '[');
    for (size_t i = 0; i < e->signature_count; i++) {
        size_t by = onward_edit_broken_by(e->edit, i);

        json_open(&j, NULL, '{');
        json_str(&j, "d", tag(e->signatures[i], 'd'));
        json_str(&j, "s", tag(e->signatures[i], 's'));
        if (by == ONWARD_HEADER_NONE)
            json_null(&j, "broken_by");
        else
            json_number(&j, "broken_by", by + 1);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    json_end(&j);
}

/* A signature that breaks: the message stays unwritten. */
static int check_signatures(const struct editing *e)
{
    for (size_t i = 0; i < e->signature_count; i++) {
        size_t by = onward_edit_broken_by(e->edit, i);
        struct onward_str d = tag(e->signatures[i], 'd');

        if (by != ONWARD_HEADER_NONE)
            return cli_broken(e->command,
                              "%s: change %zu breaks the signature of %.*s, "
                              "nothing written; see --dry-run",
                              e->message.path, by + 1, (int)d.len, d.data);
    }
    return -1;
}

static int write_result(struct editing *e)
{
    static char chunk[65536];
    const struct onward_source *source;
    int err = onward_edit_source(e->edit, &source);

    for (uint64_t at = 0; err == 0 && at < source->len;) {
        size_t got = 0;

        err = source->read(source->user, at, chunk, sizeof(chunk), &got);
        if (err == 0 && e->message.converted == NULL)
            fwrite(chunk, 1, got, stdout);
        for (size_t i = 0; err == 0 && e->message.converted != NULL && i < got;
             i++) {
            if (chunk[i] != '\r')
                putchar(chunk[i]);
        }
        at += got;
    }
    return err == 0 ? CLI_DONE : broken(e, err);
}

static int open_message(struct editing *e, const char *path)
{
    const char *fault = NULL;
    size_t taken;
    int err;

    if (message_read(e->command, path, e->is_raw, &e->message, &fault) != 0)
        return cli_broken(e->command, "%s: %s, expected a readable message",
                          path, fault);
    err = onward_memory_source_new(e->world.ctx, e->message.wire.data,
                                   e->message.wire.len, &e->memory);
    if (err == 0)
        err = onward_header_new(e->world.ctx, &e->header);
    if (err == 0)
        err = onward_header_feed(e->header, e->message.wire.data,
                                 e->message.wire.len, &taken);
    if (err >= 0)
        err = onward_header_finish(e->header);
    if (err == 0)
        err =
            onward_edit_new(e->world.ctx, onward_memory_source_table(e->memory),
                            e->header, NULL, &e->edit);
    if (err == 0)
        err = onward_edit_read_parts(e->edit);
    if (err == 0 && e->is_signed)
        err = add_signatures(e, "DKIM-Signature");
    if (err == 0 && e->is_signed)
        err = add_signatures(e, "ARC-Message-Signature");
    return err == 0 ? -1 : broken(e, err);
}

static int edit(struct editing *e, const struct args *args)
{
    const struct world_choice choice = {0};
    int status = world_new_ctx(e->command, &choice, &e->world);

    if (status < 0 && args->count > 1)
        status = cli_usage(e->command, "\"%s\", expected one message",
                           args->items[1]);
    if (status < 0)
        status = open_message(e, args->count == 1 ? args->items[0] : "-");
    if (status < 0)
        status = apply(e);
    if (status < 0 && e->is_dry) {
        if (e->is_json)
            print_json(e);
        else
            print_log(e);
        return CLI_DONE;
    }
    if (status < 0)
        status = check_signatures(e);
    return status < 0 ? write_result(e) : status;
}

static int run(const struct command *command, struct args args)
{
    struct editing e = {.command = command};
    struct option options[] = {
        {"add", OPTION_LIST, &e.added, "NAME:VALUE",
         "put a field on top of all", false, false},
        {"replace", OPTION_LIST, &e.replaced, "NAME:VALUE",
         "another value for the topmost field of that name", false, false},
        {"remove", OPTION_LIST, &e.removed, "NAME",
         "take all fields of that name away", false, false},
        {"subject-prefix", OPTION_TEXT, &e.prefix, "TEXT",
         "put this before the subject, unless it is there", false, false},
        {"drop-part", OPTION_LIST, &e.dropped, "NUMBER",
         "take a part out, by its number in onward mime parse", false, false},
        {"footer", OPTION_TEXT, &e.footer, "FILE",
         "put this text under the message", false, false},
        {"html-footer", OPTION_TEXT, &e.html_footer, "FILE",
         "the same with HTML, as a part", false, false},
        {"signed", OPTION_FLAG, &e.is_signed, NULL,
         "write nothing when a DKIM or ARC signature breaks", false, false},
        {"dry-run", OPTION_FLAG, &e.is_dry, NULL,
         "print what would be changed instead, and with\n"
         "--signed what breaks",
         false, false},
        {"raw", OPTION_FLAG, &e.is_raw, NULL,
         "take the message as it is, LF too", false, false},
        {"json", OPTION_FLAG, &e.is_json, NULL,
         "print what --dry-run prints as one JSON object", false, false},
        OPTIONS_END,
    };
    int status = cli_options(command, options, &args);

    if (status < 0 && e.is_json && !e.is_dry)
        status = cli_usage(command, "--json alone, expected --dry-run beside "
                                    "it");
    if (status < 0)
        status = edit(&e, &args);
    onward_edit_free(e.edit);
    onward_header_free(e.header);
    onward_memory_source_free(e.memory);
    message_clear(&e.message);
    world_clear(&e.world);
    return status;
}

const struct command command_mime_edit = {
    .name = "mime edit",
    .operands = "[MESSAGE]",
    .summary = "Change fields and parts of a message, and nothing else",
    .details =
        "The message goes to standard output, in the line ends that it came "
        "with. Each\nline of --dry-run is a change: where it is in the "
        "message with CRLF, and how many\noctets go and come.\n",
    .examples = "onward mime edit --subject-prefix '[list]' --footer zone.txt "
                "message.eml\n"
                "onward mime edit --add 'X-Seen: yes' --remove Received "
                "--replace 'To: list@example.net' < message.eml\n"
                "onward mime edit --signed --dry-run --subject-prefix '[list]' "
                "signed.eml --json\n",
    .run = run,
};
