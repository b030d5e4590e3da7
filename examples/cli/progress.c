#define _GNU_SOURCE
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

enum { EVERY_MS = 100 };

/* The one whose line stands there. */
static struct progress *shown;

static bool is_terminal(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) == 1 && term != NULL && term[0] != '\0' &&
           strcmp(term, "dumb") != 0;
}

void progress_begin(struct progress *p, const char *what, const char *unit,
                    uint64_t total, uint64_t least, bool is_silent)
{
    *p = (struct progress){.what = what, .unit = unit, .total = total};
    p->is_on = (total == 0 || total >= least) && is_terminal(2) &&
               (is_silent || isatty(1) == 0);
    if (total != 0)
        progress_at(p, 0);
}

/* What is to be said; its width. */
static int write_line(const struct progress *p, uint64_t done, char *line,
                      size_t room)
{
    int len;

    if (p->total == 0)
        len = snprintf(line, room, "%s: %" PRIu64 " KB", p->what, done / 1000);
    else if (p->unit == NULL)
        len = snprintf(line, room, "%s: %u%%", p->what,
                       (unsigned)(done * 100 / p->total));
    else
        len = snprintf(line, room, "%s: %" PRIu64 " of %" PRIu64 " %s", p->what,
                       done, p->total, p->unit);
    return len < 0 ? 0 : len >= (int)room ? (int)room - 1 : len;
}

void progress_at(struct progress *p, uint64_t done)
{
    char line[79];
    int64_t now;
    int width;

    if (!p->is_on)
        return;
    now = host_now_ms();
    if (p->width > 0 && now - p->last_ms < EVERY_MS)
        return;
    width = write_line(p, done, line, sizeof(line));
    fprintf(stderr, "\r%s%*s", line, p->width > width ? p->width - width : 0,
            "");
    fflush(stderr);
    p->width = width;
    p->last_ms = now;
    shown = p;
}

void progress_hide(void)
{
    if (shown == NULL)
        return;
    fprintf(stderr, "\r%*s\r", shown->width, "");
    fflush(stderr);
    shown->width = 0;
    shown = NULL;
}

void progress_end(struct progress *p)
{
    if (shown == p)
        progress_hide();
    p->is_on = false;
}
