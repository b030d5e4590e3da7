#include "mbox.h"

#include <stdlib.h>
#include <string.h>

static bool is_from(struct onward_str s)
{
    return s.len >= 5 && memcmp(s.data, "From ", 5) == 0;
}

/* Octets of the first line, its line end included. */
static size_t line_len(struct onward_str s)
{
    const char *lf = s.len > 0 ? memchr(s.data, '\n', s.len) : NULL;

    return lf == NULL ? s.len : (size_t)(lf - s.data) + 1;
}

static struct onward_str behind(struct onward_str s, size_t n)
{
    return (struct onward_str){s.data + n, s.len - n};
}

static bool is_empty_line(struct onward_str line)
{
    return (line.len == 1 && line.data[0] == '\n') ||
           (line.len == 2 && line.data[0] == '\r');
}

void mbox_open(struct mbox *box, struct onward_str file)
{
    *box = (struct mbox){.rest = file};
    while (box->rest.len > 0 && !is_from(box->rest))
        box->rest = behind(box->rest, line_len(box->rest));
}

/* ">From ", ">>From " and so on. */
static bool is_quoted(struct onward_str line)
{
    struct onward_str s = line;

    while (s.len > 0 && s.data[0] == '>')
        s = behind(s, 1);
    return s.len < line.len && is_from(s);
}

bool mbox_next(struct mbox *box, struct onward_str *message)
{
    size_t len = 0, last_empty = 0;
    bool was_empty = false;

    free(box->message);
    box->message = NULL;
    if (box->rest.len == 0)
        return false;
    box->rest = behind(box->rest, line_len(box->rest)); /* the From line */
    box->message = malloc(box->rest.len + 1);
    if (box->message == NULL)
        return false;
    while (box->rest.len > 0) {
        struct onward_str line = {box->rest.data, line_len(box->rest)};

        if (was_empty && is_from(line))
            break;
        box->rest = behind(box->rest, line.len);
        was_empty = is_empty_line(line);
        last_empty = was_empty ? line.len : 0;
        if (is_quoted(line))
            line = behind(line, 1);
        memcpy(box->message + len, line.data, line.len);
        len += line.len;
    }
    /* The empty line before a From line is the mbox's. */
    *message = (struct onward_str){box->message, len - last_empty};
    return true;
}

void mbox_close(struct mbox *box)
{
    free(box->message);
    box->message = NULL;
}
