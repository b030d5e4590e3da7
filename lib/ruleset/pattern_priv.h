/*
 * Patterns of rules: globs and regular expressions, compiled to a small program
 * of octets that may stand in an image that was mapped from a file.
 *
 * A program is hostile input each time it runs: all it points to is checked
 * when it is followed, and it takes at most one step for each pair of an
 * instruction and an octet of the subject. Nothing backtracks or calls itself;
 * the memory for a run is known beforehand and is the caller's.
 *
 * A pattern sees octets. Outside of ASCII, a character in a regular expression
 * stands for its UTF-8 octets, and can be repeated as one; "." and "?" take one
 * octet. Case is folded for ASCII only.
 *
 * Globs: `*` any octets, as few as will do, `?` one, `[a-z]` `[!a-z]` `[^a-z]`
 * one of a class, `\` takes the next octet as it is. The whole subject has to
 * match. Each of the first nine `*` `?` and classes is a capture.
 *
 * Regular expressions: `.` (not LF), classes with ranges, \d \w \s \D \W \S,
 * \t \n \r \f \v \xHH, `* + ? {m} {m,} {m,n}` and the same with `?` behind for
 * as few as will do, `|`, `( )` captures, `(?: )`, `^` `$` (start and end of
 * the subject, nothing else), \b \B, and `(?i)` at the start. Of several
 * matches the leftmost counts, and there the one that Perl and RE2 find first.
 * What has no meaning here is refused: back references, looking around,
 * possessive repetition, names, [:alpha:].
 */
#ifndef ONWARD_RULESET_PATTERN_PRIV_H
#define ONWARD_RULESET_PATTERN_PRIV_H

#include "core/core_shared.h"

enum {
    ONWARD_RULESET__PATTERN_TEXT_MAX = 1024,
    ONWARD_RULESET__PATTERN_INSTS_MAX = 1024, /* what a text expands to */
    ONWARD_RULESET__PATTERN_CLASSES_MAX = 64, /* different ones */
    ONWARD_RULESET__PATTERN_DEPTH_MAX = 32,   /* groups in groups */
    ONWARD_RULESET__PATTERN_CAPTURES = 10,    /* 0 is the whole match */
    /* Octets of a program, at most. */
    ONWARD_RULESET__PATTERN_BYTES_MAX = 16 +
                                        4 * ONWARD_RULESET__PATTERN_INSTS_MAX +
                                        32 * ONWARD_RULESET__PATTERN_CLASSES_MAX
};

enum onward_ruleset__pattern_kind {
    ONWARD_RULESET__GLOB = 1,
    ONWARD_RULESET__REGEX = 2
};

/* Add them up. */
enum onward_ruleset__pattern_flag {
    ONWARD_RULESET__FOLD = 1, /* without regard to ASCII case */
    /* The whole subject has to match, not some part of it; always so for a
     * glob. */
    ONWARD_RULESET__WHOLE = 2
};

struct onward_ruleset__pattern_fault {
    size_t at;        /* octets of the text before what was refused */
    const char *what; /* static text, lower case, no final dot */
};

/*
 * Append the program to out, which may hold other things already. 0, or
 * ONWARD_ESYNTAX, ONWARD_ELIMIT (too long, too deep, too many captures; or out
 * is full) with fault saying why, ONWARD_ENOMEM. On failure out holds what it
 * held. fault is not NULL.
 */
ONWARD_USE_RESULT int
onward_ruleset__pattern_compile(struct onward_buf *out,
                                enum onward_ruleset__pattern_kind kind,
                                struct onward_str text, unsigned flags,
                                struct onward_ruleset__pattern_fault *fault);

/*
 * Look at all of a program: 0, or ONWARD_ELIMIT when running it could fail for
 * its own sake. Not needed before a run.
 */
ONWARD_USE_RESULT int onward_ruleset__pattern_check(struct onward_str program);

/* How many captures a match gives, the whole match (0) included: 1 to
 * ONWARD_RULESET__PATTERN_CAPTURES; 0 when that is no program. */
size_t onward_ruleset__pattern_captures(struct onward_str program);

/*
 * Octets of scratch that a run needs, with the first `want` captures; 0 when
 * that is no program. 16 for each instruction, and 16 more for each capture
 * that is wanted.
 */
size_t onward_ruleset__pattern_scratch(struct onward_str program, size_t want);

/*
 * Match. program stands at any address; all of it is read as hostile.
 * captures has room for `want` (0: is it a match at all? which is faster):
 * written for a match only; data is NULL for a capture that took no part, and
 * for those the program does not have. scratch is aligned for uint32_t.
 *
 * 1 a match, 0 none, or ONWARD_ELIMIT: the program is damaged, scratch too
 * small, or the subject over 2^31 octets.
 */
ONWARD_USE_RESULT int onward_ruleset__pattern_run(struct onward_str program,
                                                  struct onward_str subject,
                                                  struct onward_str *captures,
                                                  size_t want, void *scratch,
                                                  size_t scratch_len);

/* ---- Programs ---------------------------------------------------------- */

/*
 * A program:
 *
 *     0   4  "owpt"
 *     4   1  version: 1
 *     5   1  captures, the whole match included
 *     6   2  instructions (little-endian, as all numbers)
 *     8   2  classes
 *    10   6  0
 *    16      instructions, 4 octets each: op, arg, x (2 octets)
 *            classes, 32 octets each: bit (c & 7) of octet (c >> 3)
 *
 * The run begins at instruction 0.
 */
enum {
    ONWARD_RULESET__PATTERN_HEAD = 16,
    ONWARD_RULESET__PATTERN_INST = 4,
    ONWARD_RULESET__PATTERN_CLASS = 32,
    ONWARD_RULESET__PATTERN_VERSION = 1
};

enum onward_ruleset__op {
    ONWARD_RULESET__OP_MATCH = 1,
    ONWARD_RULESET__OP_CHAR = 2,  /* the octet arg */
    ONWARD_RULESET__OP_FOLD = 3,  /* the letter arg (lower case), any case */
    ONWARD_RULESET__OP_ANY = 4,   /* any octet */
    ONWARD_RULESET__OP_CLASS = 5, /* one in class x */
    ONWARD_RULESET__OP_JUMP = 6,  /* to x */
    ONWARD_RULESET__OP_SPLIT = 7, /* to the next; if that fails to x */
    ONWARD_RULESET__OP_SPLIT_FAR = 8, /* to x; if that fails to the next */
    ONWARD_RULESET__OP_SAVE = 9,      /* the place in slot arg */
    ONWARD_RULESET__OP_START = 10,    /* only at the start of the subject */
    ONWARD_RULESET__OP_END = 11,
    ONWARD_RULESET__OP_WORD = 12, /* only between \w and \W */
    ONWARD_RULESET__OP_NOT_WORD = 13
};

/* A program whose head is right: what it has is inside. */
struct onward_ruleset__program {
    const unsigned char *insts, *classes;
    size_t inst_count, class_count, capture_count;
};

bool onward_ruleset__program_open(struct onward_str bytes,
                                  struct onward_ruleset__program *program);

/* [A-Za-z0-9_] */
static inline bool onward_ruleset__is_word(unsigned char c)
{
    return onward_ascii_is_alnum(c) || c == '_';
}

#endif
