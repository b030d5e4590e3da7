/*
 * How far long work has come: one line on standard error, where that is a
 * terminal, taken off again at the end. No escapes, so NO_COLOR does not mind.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Work from here on is worth a line. */
enum {
    PROGRESS_FILES = 20,
    PROGRESS_MESSAGES = 200,
    PROGRESS_OCTETS = 1048576
};

struct progress {
    const char *what; /* "reading reports" */
    const char *unit; /* "files"; NULL: octets */
    uint64_t total;   /* 0: nobody knows */
    int64_t last_ms;
    int width; /* of what stands there */
    bool is_on;
};

/*
 * Shown when there is at least so much to do, and the results do not go to a
 * terminal, where they show it themselves, or come at the end only.
 */
void progress_begin(struct progress *p, const char *what, const char *unit,
                    uint64_t total, uint64_t least, bool is_silent);
/* Cheap: it draws ten times a second at most. */
void progress_at(struct progress *p, uint64_t done);
void progress_end(struct progress *p);
/* Something else goes to standard error: make room. */
void progress_hide(void);

#endif
