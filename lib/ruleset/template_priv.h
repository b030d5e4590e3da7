/*
 * Templates of addresses: "{user}@{sub}.example.net". Compiled to a few octets
 * that may stand in an image; like a pattern's program they are hostile each
 * time they are used.
 *
 * What is put in stays where it was put: it can bring no "@" of its own that
 * would end the local part, no quotes, line ends or second address. The local
 * part is put together as it is meant and then quoted anew where it must be;
 * what stands in the domain may have letters, digits, "-" and "." only; and the
 * whole is read by the parser of addresses before it is given out.
 */
#ifndef ONWARD_RULESET_TEMPLATE_PRIV_H
#define ONWARD_RULESET_TEMPLATE_PRIV_H

#include "core/core_shared.h"

enum {
    ONWARD_RULESET__TEMPLATE_TEXT_MAX = 512,
    /* Octets of a compiled one, at most. */
    ONWARD_RULESET__TEMPLATE_BYTES_MAX =
        8 + 2 * ONWARD_RULESET__TEMPLATE_TEXT_MAX
};

/* What can be put in. */
enum onward_ruleset__value {
    ONWARD_RULESET__LOCAL = 0, /* {local}: as meant, without quotes */
    ONWARD_RULESET__USER = 1,  /* {user}: in front of the separator */
    ONWARD_RULESET__TAG = 2,   /* {tag}: behind it */
    ONWARD_RULESET__DOMAIN = 3,
    ONWARD_RULESET__SUB = 4,     /* {sub}: the domain's labels in front of the
                                    zone's name, without the dot */
    ONWARD_RULESET__CAPTURE = 5, /* {0} to {9}: the pattern's captures */
    ONWARD_RULESET__VALUE_COUNT = 15
};

struct onward_ruleset__template_fault {
    size_t at;        /* octets of the text before what was refused */
    const char *what; /* static text, lower case, no final dot */
};

/* Is that text more than an address: has it something to be put in? Only then
 * it has to be compiled. */
bool onward_ruleset__is_template(struct onward_str text);

/*
 * Append the compiled template to out. `{{` and `}}` stand for the braces
 * themselves. 0, ONWARD_ESYNTAX or ONWARD_ELIMIT with fault saying why,
 * ONWARD_ENOMEM; on failure out holds what it held. fault is not NULL.
 */
ONWARD_USE_RESULT int
onward_ruleset__template_compile(struct onward_buf *out, struct onward_str text,
                                 struct onward_ruleset__template_fault *fault);

/* Look at all of it: 0, or ONWARD_ELIMIT when it is damaged. */
ONWARD_USE_RESULT int onward_ruleset__template_check(struct onward_str bytes);

/* How many captures it puts in: one more than the highest, 0 for none. */
size_t onward_ruleset__template_captures(struct onward_str bytes);

/*
 * Put the values in. The text, an address without brackets, stands in the
 * arena. 0, or
 *     ONWARD_ESYNTAX  the values make no address of it
 *     ONWARD_ELIMIT   it is too long (64 octets of local part, 254 of all), or
 *                     the template is damaged
 *     ONWARD_ENOMEM
 */
ONWARD_USE_RESULT int onward_ruleset__template_expand(
    struct onward_str bytes,
    const struct onward_str values[ONWARD_RULESET__VALUE_COUNT],
    struct onward_arena *arena, struct onward_str *text);

#endif
