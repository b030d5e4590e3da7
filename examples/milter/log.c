/* The log: a line of JSON for each message and each event. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <time.h>

#include "milter.h"

int log_open(struct milter *m, char *fault, size_t fault_size)
{
    const char *path = m->setup->settings.log;
    FILE *f = path == NULL ? stderr : fopen(path, "ae");

    if (f == NULL) {
        snprintf(fault, fault_size, "%s: %s, expected a writable file", path,
                 strerror(errno));
        return -1;
    }
    log_close(m);
    m->log = f;
    return 0;
}

void log_close(struct milter *m)
{
    if (m->log != NULL && m->log != stderr)
        fclose(m->log);
    m->log = NULL;
}

static void begin(struct json *j, const struct milter *m, const char *event)
{
    char text[32];
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    *j = (struct json){.out = m->log};
    json_open(j, NULL, '{');
    json_text(j, "time", text);
    json_text(j, "event", event);
}

static void end(struct json *j)
{
    json_close(j, '}');
    json_end(j);
    fflush(j->out);
}

void log_event(struct milter *m, const char *event, const char *detail)
{
    struct json j;

    if (m->log == NULL)
        return;
    begin(&j, m, event);
    json_text(&j, "detail", detail);
    end(&j);
}

void log_message(struct milter *m, const struct filter *f, const char *id)
{
    struct json j;

    begin(&j, m, "message");
    json_text_or_null(&j, "id", id);
    filter_log(f, &j);
    end(&j);
}
