#define _GNU_SOURCE
#include "log_line.h"

#include <errno.h>
#include <string.h>
#include <time.h>

int log_line_open(FILE **log, const char *path, char *fault, size_t fault_size)
{
    FILE *f = path == NULL ? stderr : fopen(path, "ae");

    if (f == NULL) {
        snprintf(fault, fault_size, "%s: %s, expected a writable file", path,
                 strerror(errno));
        return -1;
    }
    log_line_close(log);
    *log = f;
    return 0;
}

void log_line_close(FILE **log)
{
    if (*log != NULL && *log != stderr)
        fclose(*log);
    *log = NULL;
}

void log_line_begin(struct json *j, FILE *log, const char *event)
{
    char text[32];
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    *j = (struct json){.out = log};
    json_open(j, NULL, '{');
    json_text(j, "time", text);
    json_text(j, "event", event);
}

void log_line_end(struct json *j)
{
    json_close(j, '}');
    json_end(j);
    /* A line that waits in memory is of no use to who looks for a fault. */
    fflush(j->out);
}

void log_line_event(FILE *log, const char *event, const char *detail)
{
    struct json j;

    log_line_begin(&j, log, event);
    json_text(&j, "detail", detail);
    log_line_end(&j);
}
