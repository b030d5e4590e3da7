/*
 * Colour, where a person looks: on a terminal, unless NO_COLOR or TERM=dumb
 * says otherwise, and as --color has it. JSON never has any.
 */
#ifndef STYLE_H
#define STYLE_H

#include <stdbool.h>
#include <stdio.h>

enum style {
    STYLE_GOOD,  /* pass */
    STYLE_BAD,   /* fail, error */
    STYLE_WARN,  /* neither */
    STYLE_FAINT, /* what can be passed over */
    STYLE_HEAD   /* what a part begins with */
};

/* What --color takes; NULL at the end. */
extern const char *const style_words[];

/* Which of style_words was asked for; "auto" before. */
void style_choose(size_t word);
/* What switches it on; "" where there is no colour. */
const char *style_on(FILE *out, enum style style);
const char *style_off(FILE *out);
/* The word of a verdict, on standard output, in the colour it deserves. */
void style_verdict(const char *word);
/* "name: word" and the line's end, the word as above. */
void style_line(const char *name, const char *word);

#endif
