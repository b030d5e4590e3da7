/*
 * Dialogues as files: what is said, who says it, and what the host is told, to
 * be read by people who run mail. dialogues/README says how they are written.
 */
#ifndef ONWARD_TESTS_SMTP_DIALOGUE_H
#define ONWARD_TESTS_SMTP_DIALOGUE_H

#include "support/support.h"

/* In what the server shall say: whatever it likes, up to the end of the line.
 * No reply has such an octet. */
#define T_ANYTHING '\001'

struct t_line {
    char word[16]; /* before the colon, "C" */
    size_t times;  /* C*100: a hundred times; else 1 */
    char *text;    /* escapes read; CRLF at its end where lines have one */
    size_t len;
    bool is_open; /* a backslash at its end: no CRLF */
    size_t number;
};

struct t_dialogue {
    const char *path;
    char options[256];
    struct t_line *lines;
    size_t count;
};

/* Fails the test when the file is not as it should be. */
void t_dialogue_load(struct t_dialogue *d, const char *path);
void t_dialogue_clear(struct t_dialogue *d);
/* Say where a test fails, and fail. */
void t_dialogue_fail(const struct t_dialogue *d, const struct t_line *line,
                     const char *why);

/*
 * The next of words with blanks between them; "name=value" is cut in two, value
 * is "" where there is none. False: no more. Texts are in buf.
 */
bool t_dialogue_word(const char **words, char *buf, size_t cap, char **value);

/* Is there a number? It stands in value. */
size_t t_dialogue_number(const char *value);

/* Each file of folder (its name ends in ".txt") as a test of its own, which
 * gets the path as its state; what main() returns. At least that many. */
int t_dialogues_run(const char *folder, void (*test)(void **state),
                    size_t at_least);

#endif
