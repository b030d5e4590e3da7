/*
 * One side of a benchmark as a program of its own: bench.py starts it, writes
 * `JOB MILLISECONDS` lines and reads `OPERATIONS NANOSECONDS` lines. Time is
 * the CPU time of this process, so that other programs of the machine count as
 * little as they can.
 */
#ifndef ONWARD_BENCH_WORKER_H
#define ONWARD_BENCH_WORKER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_job {
    const char *name;
    /* One operation; it must look at its result and call bench_die() when it
     * is not the right one. */
    void (*run)(void *arg);
    void *arg;
};

/* Answer questions until the end of standard input; the exit status. */
int bench_serve(const struct bench_job *jobs, size_t count);
/* Tell why and end with status 1. */
_Noreturn void bench_die(const char *what);
/* A whole file of the folder of messages, NUL added; ends the program when it
 * is not there. */
char *bench_read(const char *folder, const char *name, size_t *len);

/* What every side is told to read. */
struct bench_message {
    char *data;
    size_t len;
};

/* Octets handed over at a time, as a milter or a relay does. */
#define BENCH_CHUNK 65536

#endif
