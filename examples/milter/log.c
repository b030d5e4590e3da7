/* The log: a line of JSON for each message and each event. */
#include "log_line.h"
#include "milter.h"

int log_open(struct milter *m, char *fault, size_t fault_size)
{
    return log_line_open(&m->log, m->setup->settings.log, fault, fault_size);
}

void log_event(struct milter *m, const char *event, const char *detail)
{
    if (m->log != NULL)
        log_line_event(m->log, event, detail);
}

void log_message(struct milter *m, const struct filter *f, const char *id)
{
    struct json j;

    log_line_begin(&j, m->log, "message");
    json_text_or_null(&j, "id", id);
    filter_log(f, &j);
    log_line_end(&j);
}
