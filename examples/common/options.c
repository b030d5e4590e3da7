#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "style.h"

enum { HELP_COLUMN = 24 };

int options_wrong(const struct program *program, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "%s%s:%s ", style_on(stderr, STYLE_BAD), program->name,
            style_off(stderr));
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry: %s --help\n", program->name);
    return OPTIONS_WRONG;
}

static void print_option(const char *name, const char *argument,
                         const char *help)
{
    int width = printf("  --%s%s%s", name, argument != NULL ? " " : "",
                       argument != NULL ? argument : "");

    if (width >= HELP_COLUMN) {
        putchar('\n');
        width = 0;
    }
    printf("%*s", HELP_COLUMN - width, "");
    for (const char *c = help; *c != '\0'; c++) {
        putchar(*c);
        if (*c == '\n')
            printf("%*s", HELP_COLUMN, "");
    }
    putchar('\n');
}

static void print_help(const struct program *program,
                       const struct option *options)
{
    printf("Usage: %s [OPTION]...%s%s\n\n%s.\n", program->name,
           program->operands[0] != '\0' ? " " : "", program->operands,
           program->summary);
    if (program->details[0] != '\0')
        printf("\n%s", program->details);
    puts("\nOptions:");
    for (; options->name != NULL; options++)
        print_option(options->name, options->argument, options->help);
    for (options = program->common; options != NULL && options->name != NULL;
         options++)
        print_option(options->name, options->argument, options->help);
    print_option("help", NULL, "print this");
    printf("\nExamples:\n");
    for (const char *line = program->examples; *line != '\0';) {
        const char *end = strchr(line, '\n');

        printf("  %.*s\n", (int)(end - line), line);
        line = end + 1;
    }
}

static struct option *find(struct option *options, const char *name, size_t len)
{
    for (; options->name != NULL; options++) {
        if (strlen(options->name) == len &&
            strncmp(options->name, name, len) == 0)
            return options;
    }
    return NULL;
}

static bool read_seconds(const char *text, int64_t *s)
{
    int64_t value = 0;

    /* 15 digits: far beyond any date, far below an overflow. */
    if (text[0] == '\0' || strlen(text) > 15)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (*text - '0');
    }
    *s = value;
    return true;
}

static int add(const struct program *program, struct option *option,
               const char *value)
{
    struct option_list *list = option->value;
    size_t max = list->max != 0 ? list->max : OPTION_LIST_MAX;

    if (list->count == max && max == 1)
        return options_wrong(program, "--%s twice, expected it once",
                             option->name);
    if (list->count == max)
        return options_wrong(program, "--%s %zu times, expected it %zu times",
                             option->name, max + 1, max);
    option->is_given = true;
    list->items[list->count++] = value;
    return OPTIONS_GO_ON;
}

static int pick(const struct program *program, const struct option *option,
                const char *value)
{
    struct option_choice *choice = option->value;
    char expected[256] = "";
    size_t len = 0;

    for (size_t i = 0; choice->words[i] != NULL; i++) {
        if (strcmp(choice->words[i], value) == 0) {
            choice->picked = i;
            return OPTIONS_GO_ON;
        }
        len += (size_t)snprintf(expected + len, sizeof(expected) - len, "%s%s",
                                i == 0                         ? ""
                                : choice->words[i + 1] == NULL ? " or "
                                                               : ", ",
                                choice->words[i]);
        if (len >= sizeof(expected))
            len = sizeof(expected) - 1;
    }
    return options_wrong(program, "--%s \"%s\", expected %s", option->name,
                         value, expected);
}

static int set(const struct program *program, struct option *option,
               const char *value)
{
    if (option->type == OPTION_LIST)
        return add(program, option, value);
    if (option->is_given)
        return options_wrong(program, "--%s twice, expected it once",
                             option->name);
    option->is_given = true;
    switch (option->type) {
    case OPTION_FLAG:
        *(bool *)option->value = true;
        return OPTIONS_GO_ON;
    case OPTION_TEXT:
        *(const char **)option->value = value;
        return OPTIONS_GO_ON;
    case OPTION_LIST:
        break; /* above */
    case OPTION_IP:
        if (onward_ip_parse(onward_str_of(value), option->value) != 0)
            return options_wrong(
                program, "--%s \"%s\", expected an IPv4 or IPv6 address",
                option->name, value);
        return OPTIONS_GO_ON;
    case OPTION_SECONDS: {
        struct option_seconds *seconds = option->value;

        if (!read_seconds(value, &seconds->s))
            return options_wrong(
                program, "--%s \"%s\", expected %s", option->name, value,
                strcmp(option->argument, "UNIX") == 0 ? "Unix seconds"
                                                      : "seconds");
        seconds->is_given = true;
        return OPTIONS_GO_ON;
    }
    case OPTION_CHOICE:
        return pick(program, option, value);
    }
    return OPTIONS_WRONG;
}

/* One option and, when it is a word of its own, its value. */
static int read_option(const struct program *program, struct option *options,
                       struct args *in, int *at)
{
    const char *name = in->items[*at] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    struct option *option = find(options, name, len);
    const char *value = equals != NULL ? equals + 1 : NULL;

    if (option == NULL && program->common != NULL)
        option = find(program->common, name, len);
    if (option == NULL)
        return options_wrong(
            program, "unknown option \"--%.*s\", expected one of --help",
            (int)len, name);
    if (option->type == OPTION_FLAG && value != NULL)
        return options_wrong(program, "--%s=%s, expected no value",
                             option->name, value);
    if (option->type != OPTION_FLAG && value == NULL) {
        if (*at + 1 == in->count)
            return options_wrong(program, "--%s without a value, expected %s",
                                 option->name, option->argument);
        value = in->items[++*at];
    }
    return set(program, option, value);
}

static bool asks_for_help(const struct args *args)
{
    for (int i = 0; i < args->count; i++) {
        if (strcmp(args->items[i], "--") == 0)
            return false;
        if (strcmp(args->items[i], "--help") == 0 ||
            strcmp(args->items[i], "-h") == 0)
            return true;
    }
    return false;
}

int options_read(const struct program *program, struct option *options,
                 struct args *args)
{
    bool is_open = true;
    int operands = 0;

    if (args->visitor != NULL) {
        args->visitor->visit(args->visitor->user, options, program->common);
        return OPTIONS_DONE;
    }
    if (asks_for_help(args)) {
        print_help(program, options);
        return OPTIONS_DONE;
    }
    for (int i = 0; i < args->count; i++) {
        char *word = args->items[i];

        if (is_open && strcmp(word, "--") == 0) {
            is_open = false;
        } else if (is_open && word[0] == '-' && word[1] != '\0') {
            int status;

            if (word[1] != '-')
                return options_wrong(program,
                                     "unknown option \"%s\", expected one of "
                                     "--help",
                                     word);
            status = read_option(program, options, args, &i);
            if (status >= 0)
                return status;
        } else {
            /* Behind what was read: never beyond i. */
            args->items[operands++] = word;
        }
    }
    args->count = operands;
    for (; options->name != NULL; options++) {
        if (options->is_required && !options->is_given)
            return options_wrong(program, "no --%s, expected --%s %s",
                                 options->name, options->name,
                                 options->argument);
    }
    return OPTIONS_GO_ON;
}
