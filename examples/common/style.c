#define _GNU_SOURCE
#include "style.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AUTO, ALWAYS, NEVER };

const char *const style_words[] = {"auto", "always", "never", NULL};

static size_t chosen = AUTO;

void style_choose(size_t word)
{
    chosen = word;
}

static bool has_colour(FILE *out)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    if (chosen != AUTO)
        return chosen == ALWAYS;
    return (no == NULL || no[0] == '\0') && term != NULL && term[0] != '\0' &&
           strcmp(term, "dumb") != 0 && isatty(fileno(out)) == 1;
}

const char *style_on(FILE *out, enum style style)
{
    static const char *const codes[] = {
        [STYLE_GOOD] = "\033[32m", [STYLE_BAD] = "\033[1;31m",
        [STYLE_WARN] = "\033[33m", [STYLE_FAINT] = "\033[2m",
        [STYLE_HEAD] = "\033[1m",
    };

    return has_colour(out) ? codes[style] : "";
}

const char *style_off(FILE *out)
{
    return has_colour(out) ? "\033[0m" : "";
}

void style_verdict(const char *word)
{
    static const struct {
        const char *word;
        enum style style;
    } words[] = {
        {"pass", STYLE_GOOD},      {"ok", STYLE_GOOD},
        {"found", STYLE_GOOD},     {"policy", STYLE_GOOD},
        {"usable", STYLE_GOOD},    {"fail", STYLE_BAD},
        {"permerror", STYLE_BAD},  {"error", STYLE_BAD},
        {"reject", STYLE_BAD},     {"failed", STYLE_BAD},
        {"no fault", STYLE_GOOD},  {"forward", STYLE_GOOD},
        {"delivered", STYLE_GOOD}, {"added", STYLE_GOOD},
        {"verified", STYLE_GOOD},  {"deleted", STYLE_BAD},
        {"revoked", STYLE_BAD},    {"changed", STYLE_WARN},
        {"drop", STYLE_WARN},      {"waiting", STYLE_WARN},
        {"softfail", STYLE_WARN},  {"temperror", STYLE_WARN},
        {"warning", STYLE_WARN},   {"unknown", STYLE_WARN},
        {"unusable", STYLE_WARN},  {"neutral", STYLE_FAINT},
        {"none", STYLE_FAINT},     {"note", STYLE_FAINT},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, word) == 0) {
            printf("%s%s%s", style_on(stdout, words[i].style), word,
                   style_off(stdout));
            return;
        }
    }
    fputs(word, stdout);
}

void style_line(const char *name, const char *word)
{
    printf("%s: ", name);
    style_verdict(word);
    putchar('\n');
}
