/*
 * onward: email authentication and routing from the command line. This file
 * finds the subcommand; each has a file of its own.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <onward/core.h>

#include "cli.h"
#include "progress.h"
#include "style.h"

static const struct command *const commands[] = {
    &command_doctor,
    &command_verify,
    &command_explain,
    &command_sign,
    &command_seal,
    &command_keygen,
    &command_lint_spf,
    &command_lint_dkim,
    &command_lint_dmarc,
    &command_lint_mta_sts,
    &command_spf_check,
    &command_dmarc_check,
    &command_dmarc_report,
    &command_mta_sts_check,
    &command_mta_sts_parse,
    &command_mta_sts_publish,
    &command_route,
    &command_rules_compile,
    &command_rules_check,
    &command_rules_diff,
    &command_event,
    &command_srs_forward,
    &command_srs_reverse,
    &command_mime_parse,
    &command_mime_build,
    &command_mime_edit,
    &command_egress,
    &command_dane_check,
    &command_dane_record,
    &command_dsn_parse,
    &command_lint_tlsrpt,
    &command_tlsrpt_report,
    &command_tlsrpt_send,
    &command_queue_list,
    &command_queue_show,
    &command_queue_retry,
    &command_queue_hold,
    &command_queue_release,
    &command_queue_delete,
    &command_quarantine_list,
    &command_quarantine_show,
    &command_quarantine_release,
    &command_quarantine_delete,
    &command_reply,
    &command_destinations_add,
    &command_destinations_list,
    &command_destinations_verify,
    &command_destinations_revoke,
    &command_completion,
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

__attribute__((format(printf, 2, 0))) static void
complain(const struct command *command, const char *format, va_list args)
{
    fflush(stdout);
    progress_hide();
    fprintf(stderr, "%sonward %s:%s ", style_on(stderr, STYLE_BAD),
            command->name, style_off(stderr));
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void cli_note(const struct command *command, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain(command, format, args);
    va_end(args);
}

int cli_broken(const struct command *command, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain(command, format, args);
    va_end(args);
    return CLI_BROKEN;
}

int cli_usage(const struct command *command, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain(command, format, args);
    va_end(args);
    fprintf(stderr, "Try: onward %s --help\n", command->name);
    return CLI_USAGE;
}

int cli_each(struct args args, int (*one)(void *user, const char *path),
             void *user)
{
    int highest = CLI_DONE;
    struct progress progress;

    if (args.count == 0)
        return one(user, "-");
    progress_begin(&progress, "reading", "files", (uint64_t)args.count,
                   PROGRESS_FILES, false);
    for (int i = 0; i < args.count; i++) {
        int status = one(user, args.items[i]);

        highest = status > highest ? status : highest;
        progress_at(&progress, (uint64_t)i + 1);
    }
    progress_end(&progress);
    return highest;
}

int cli_options(const struct command *command, struct option *options,
                struct args *args)
{
    struct option_choice colour = {.words = style_words};
    struct option common[] = {
        {"color", OPTION_CHOICE, &colour, "WHEN",
         "colour the output: auto (the default: on a terminal, unless\n"
         "NO_COLOR is set), always or never; JSON has none",
         false, false},
        OPTIONS_END,
    };
    char name[32];
    const struct program program = {.name = name,
                                    .operands = command->operands,
                                    .summary = command->summary,
                                    .details = command->details,
                                    .examples = command->examples,
                                    .common = common};
    int status;

    snprintf(name, sizeof(name), "onward %s", command->name);
    status = options_read(&program, options, args);
    if (status < 0)
        style_choose(colour.picked);
    return status;
}

const struct command *const *cli_commands(size_t *count)
{
    *count = COMMANDS;
    return commands;
}

bool cli_port(const char *text, size_t *port)
{
    size_t value = 0;

    if (text == NULL)
        return true;
    if (*text == '\0' || strlen(text) > 5 ||
        text[strspn(text, "0123456789")] != '\0')
        return false;
    for (; *text != '\0'; text++)
        value = value * 10 + (size_t)(*text - '0');
    *port = value;
    return value > 0 && value <= 65535;
}

static void print_help(FILE *out)
{
    fputs("Usage: onward COMMAND [OPTION]... [ARGUMENT]...\n\n"
          "Check, sign, seal and route email.\n\nCommands:\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-20s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nOptions:\n"
          "  --help        print this; behind a command: its options and "
          "examples\n"
          "  --version     print the version of the library\n\n"
          "Exit status: 0 done, 1 with --check where a result is not pass,\n"
          "2 wrong usage, 3 input or system error; doctor has more.\n",
          out);
}

/* How many words of the command line are the name of this command; 0: none. */
static int matches(const struct command *command, int argc, char **argv)
{
    const char *space = strchr(command->name, ' ');
    size_t first;

    if (space == NULL)
        return strcmp(argv[1], command->name) == 0 ? 1 : 0;
    first = (size_t)(space - command->name);
    if (strlen(argv[1]) != first ||
        strncmp(argv[1], command->name, first) != 0 || argc < 3 ||
        strcmp(argv[2], space + 1) != 0)
        return 0;
    return 2;
}

/* What was written must have arrived: a full disk is no success. */
static int finish(int status)
{
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "%sonward:%s standard output: %s\n",
                style_on(stderr, STYLE_BAD), style_off(stderr),
                errno != 0 ? strerror(errno) : "could not be written");
        return CLI_BROKEN;
    }
    return status;
}

/* "spf" without its second word: say which there are. */
static int unknown(int argc, char **argv)
{
    const char *before = "expected ";

    fprintf(stderr, "%sonward:%s no command \"%s%s%s\", ",
            style_on(stderr, STYLE_BAD), style_off(stderr), argv[1],
            argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
    for (size_t i = 0; i < COMMANDS; i++) {
        size_t len = strlen(argv[1]);

        if (strncmp(commands[i]->name, argv[1], len) == 0 &&
            commands[i]->name[len] == ' ') {
            fprintf(stderr, "%s%s", before, commands[i]->name);
            before = " or ";
        }
    }
    if (before[0] == 'e')
        fputs("expected one that onward --help lists", stderr);
    fputc('\n', stderr);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return finish(CLI_DONE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("onward %s\n", onward_version());
        return finish(CLI_DONE);
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        int words = matches(commands[i], argc, argv);

        if (words > 0) {
            struct args args = {argc - 1 - words, argv + 1 + words, NULL};

            return finish(commands[i]->run(commands[i], args));
        }
    }
    return unknown(argc, argv);
}
