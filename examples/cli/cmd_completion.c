/*
 * onward completion: scripts by which bash and zsh complete the command line.
 * They are made from the tables that the commands themselves read, so they know
 * what --help knows.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "options.h"

enum shell { BASH, ZSH };

/* What stands for an argument, or an operand. */
enum kind { NOTHING, FILES, FOLDERS };

static enum kind kind_of(const char *what)
{
    static const char *const files[] = {"FILE", "MESSAGE", "DRAFT",
                                        "OLD",  "RULES",   "IMAGE"};

    if (what == NULL)
        return NOTHING;
    if (strcmp(what, "DIR") == 0 || strcmp(what, "FOLDER") == 0)
        return FOLDERS;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (strstr(what, files[i]) != NULL)
            return FILES;
    }
    return NOTHING;
}

/* "bash|zsh": words to choose from. */
static bool is_choice(const char *operands)
{
    return operands[0] != '\0' &&
           operands[strspn(operands, "abcdefghijklmnopqrstuvwxyz|")] == '\0';
}

static void each_option(const struct option *options,
                        void (*put)(const struct option *option))
{
    for (; options != NULL && options->name != NULL; options++)
        put(options);
}

/* Run it up to where it reads its options. */
static void visit(const struct command *command,
                  void (*put)(void *user, const struct option *options,
                              const struct option *common))
{
    const struct option_visitor visitor = {(void *)command, put};
    char *none[] = {NULL};
    const struct args args = {0, none, &visitor};

    (void)command->run(command, args);
}

/* The first word of each command, once; and the second ones of a first. */
static bool is_new(const struct command *const *commands, size_t i)
{
    size_t len = strcspn(commands[i]->name, " ");

    for (size_t k = 0; k < i; k++) {
        if (strcspn(commands[k]->name, " ") == len &&
            strncmp(commands[k]->name, commands[i]->name, len) == 0)
            return false;
    }
    return true;
}

static bool is_group(const struct command *command)
{
    return strchr(command->name, ' ') != NULL;
}

static bool is_in_group(const struct command *command, const char *group)
{
    size_t len = strcspn(group, " ");

    return strncmp(command->name, group, len) == 0 && command->name[len] == ' ';
}

/* ---- bash -------------------------------------------------------------- */

static void bash_name(const struct option *option)
{
    printf(" --%s", option->name);
}

static void bash_value(const struct option *option)
{
    enum kind kind = kind_of(option->argument);

    if (option->type == OPTION_FLAG)
        return;
    printf("        --%s)", option->name);
    if (option->type == OPTION_CHOICE) {
        const struct option_choice *choice = option->value;

        printf(" words='");
        for (size_t i = 0; choice->words[i] != NULL; i++)
            printf("%s%s", i == 0 ? "" : " ", choice->words[i]);
        printf("' take=words ;;\n");
    } else {
        printf(" take=%s ;;\n", kind == FILES     ? "files"
                                : kind == FOLDERS ? "folders"
                                                  : "nothing");
    }
}

static void bash_command(void *user, const struct option *options,
                         const struct option *common)
{
    const struct command *command = user;

    printf("    '%s')\n        options='", command->name);
    each_option(options, bash_name);
    each_option(common, bash_name);
    printf(" --help'\n");
    if (is_choice(command->operands)) {
        printf("        take=words words='");
        for (const char *c = command->operands; *c != '\0'; c++)
            putchar(*c == '|' ? ' ' : *c);
        puts("'");
    } else {
        printf("        take=%s\n",
               kind_of(command->operands) == FILES ? "files" : "nothing");
    }
    puts("        case $prev in");
    each_option(options, bash_value);
    each_option(common, bash_value);
    puts("        esac ;;");
}

static void print_bash(const struct command *const *commands, size_t count)
{
    fputs("# bash completion for onward(1), by: onward completion bash\n"
          "_onward()\n{\n"
          "    local cur prev command options='' take=nothing words=''\n"
          "    cur=${COMP_WORDS[COMP_CWORD]}\n"
          "    prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    # --option=value comes as three words.\n"
          "    if [ \"$cur\" = = ]; then\n"
          "        cur=''\n"
          "    elif [ \"$prev\" = = ]; then\n"
          "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
          "    fi\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W '--help --version",
          stdout);
    for (size_t i = 0; i < count; i++) {
        if (is_new(commands, i))
            printf(" %.*s", (int)strcspn(commands[i]->name, " "),
                   commands[i]->name);
    }
    fputs("' -- \"$cur\"))\n        return\n    fi\n"
          "    command=${COMP_WORDS[1]}\n"
          "    case $command in\n",
          stdout);
    for (size_t i = 0; i < count; i++) {
        int len = (int)strcspn(commands[i]->name, " ");

        if (!is_new(commands, i) || !is_group(commands[i]))
            continue;
        printf("    %.*s)\n        if [ \"$COMP_CWORD\" -eq 2 ]; then\n"
               "            COMPREPLY=($(compgen -W '",
               len, commands[i]->name);
        for (size_t k = 0; k < count; k++) {
            if (is_in_group(commands[k], commands[i]->name))
                printf("%s ", commands[k]->name + len + 1);
        }
        puts("' -- \"$cur\"))\n            return\n        fi\n"
             "        command=\"$command ${COMP_WORDS[2]}\" ;;");
    }
    puts("    esac\n    case $command in");
    for (size_t i = 0; i < count; i++)
        visit(commands[i], bash_command);
    fputs("    esac\n"
          "    case $take:$cur in\n"
          "    *:-*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
          "    words:*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
          "    files:*)\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
          "    folders:*)\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
          "    esac\n"
          "}\n"
          "complete -F _onward onward\n",
          stdout);
}

/* ---- zsh --------------------------------------------------------------- */

/* The first line of a text, as it may stand inside '...' of _arguments. */
static void zsh_text(const char *text)
{
    for (; *text != '\0' && *text != '\n'; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", *text) != NULL)
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void zsh_option(const struct option *option)
{
    printf(" \\\n        '%s--%s%s[", option->type == OPTION_LIST ? "*" : "",
           option->name, option->type == OPTION_FLAG ? "" : "=");
    zsh_text(option->help);
    putchar(']');
    if (option->type != OPTION_FLAG) {
        putchar(':');
        zsh_text(option->argument);
        putchar(':');
    }
    if (option->type == OPTION_CHOICE) {
        const struct option_choice *choice = option->value;

        for (size_t i = 0; choice->words[i] != NULL; i++)
            printf("%s%s", i == 0 ? "(" : " ", choice->words[i]);
        putchar(')');
    } else if (kind_of(option->argument) != NOTHING) {
        fputs(kind_of(option->argument) == FILES ? "_files" : "_files -/",
              stdout);
    }
    putchar('\'');
}

static void zsh_command(void *user, const struct option *options,
                        const struct option *common)
{
    const struct command *command = user;

    printf("    '%s')\n        _arguments -s", command->name);
    each_option(options, zsh_option);
    each_option(common, zsh_option);
    fputs(" \\\n        '--help[print options and examples]'", stdout);
    if (is_choice(command->operands)) {
        printf(" \\\n        '1:");
        zsh_text(command->operands);
        fputs(":(", stdout);
        for (const char *c = command->operands; *c != '\0'; c++)
            putchar(*c == '|' ? ' ' : *c);
        fputs(")'", stdout);
    } else if (command->operands[0] != '\0') {
        printf(" \\\n        '*:");
        zsh_text(command->operands);
        printf(":%s'", kind_of(command->operands) == FILES ? "_files" : "");
    }
    puts(" ;;");
}

/* "name:summary" */
static void zsh_described(const char *name, size_t len, const char *summary)
{
    printf(" \\\n        '%.*s:", (int)len, name);
    zsh_text(summary);
    putchar('\'');
}

static void print_zsh(const struct command *const *commands, size_t count)
{
    fputs("#compdef onward\n"
          "# zsh completion for onward(1), by: onward completion zsh\n"
          "_onward()\n{\n"
          "    local command\n"
          "    local -a list\n"
          "    list=(",
          stdout);
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(commands[i]->name, " ");

        if (is_new(commands, i))
            zsh_described(commands[i]->name, len,
                          is_group(commands[i]) ? "several commands"
                                                : commands[i]->summary);
    }
    fputs(")\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe command list\n"
          "        _arguments '--help[print the commands]' "
          "'--version[print the version]'\n"
          "        return\n"
          "    fi\n"
          "    command=$words[2]\n"
          "    shift words\n"
          "    (( CURRENT -= 1 ))\n"
          "    case $command in\n",
          stdout);
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(commands[i]->name, " ");

        if (!is_new(commands, i) || !is_group(commands[i]))
            continue;
        printf("    %.*s)\n        list=(", (int)len, commands[i]->name);
        for (size_t k = 0; k < count; k++) {
            const char *name = commands[k]->name + len + 1;

            if (is_in_group(commands[k], commands[i]->name))
                zsh_described(name, strlen(name), commands[k]->summary);
        }
        puts(")\n        if (( CURRENT == 2 )); then\n"
             "            _describe command list\n            return\n"
             "        fi\n"
             "        command=\"$command $words[2]\"\n"
             "        shift words\n        (( CURRENT -= 1 )) ;;");
    }
    puts("    esac\n    case $command in");
    for (size_t i = 0; i < count; i++)
        visit(commands[i], zsh_command);
    fputs("    esac\n"
          "}\n"
          "# Sourced: tell zsh; found in fpath: it has been told.\n"
          "if [[ $funcstack[1] = _onward ]]; then\n"
          "    _onward \"$@\"\n"
          "else\n"
          "    compdef _onward onward\n"
          "fi\n",
          stdout);
}

static int run(const struct command *command, struct args args)
{
    static const char *const shells[] = {"bash", "zsh"};
    const struct command *const *commands;
    size_t count;
    struct option options[] = {OPTIONS_END};
    int status = cli_options(command, options, &args);

    if (status >= 0)
        return status;
    if (args.count != 1)
        return cli_usage(command, "%d operands, expected bash or zsh",
                         args.count);
    commands = cli_commands(&count);
    if (strcmp(args.items[0], shells[BASH]) == 0)
        print_bash(commands, count);
    else if (strcmp(args.items[0], shells[ZSH]) == 0)
        print_zsh(commands, count);
    else
        return cli_usage(command, "\"%s\", expected bash or zsh",
                         args.items[0]);
    return CLI_DONE;
}

const struct command command_completion = {
    .name = "completion",
    .operands = "bash|zsh",
    .summary = "Print what makes a shell complete commands and options",
    .details = "It is installed where these shells look; else source it.\n",
    .examples = "onward completion bash\n"
                "onward completion zsh\n",
    .run = run,
};
