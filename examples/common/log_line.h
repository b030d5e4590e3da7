/*
 * The log of a service: a line of JSON for each event, with its time.
 */
#ifndef LOG_LINE_H
#define LOG_LINE_H

#include <stddef.h>
#include <stdio.h>

#include "json.h"

/* Open the file in place of *log; NULL: standard error. -1: fault has one line,
 * and *log stays. */
int log_line_open(FILE **log, const char *path, char *fault, size_t fault_size);
void log_line_close(FILE **log);
/* An object that is open, with "time" and "event" in it. */
void log_line_begin(struct json *j, FILE *log, const char *event);
void log_line_end(struct json *j);
/* {"time":...,"event":EVENT,"detail":DETAIL}. */
void log_line_event(FILE *log, const char *event, const char *detail);

#endif
