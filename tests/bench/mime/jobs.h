/*
 * The jobs that every side of the MIME bench has: parse alone, and parse with
 * each leaf decoded, of three sizes.
 */
#ifndef ONWARD_BENCH_MIME_JOBS_H
#define ONWARD_BENCH_MIME_JOBS_H

#include "bench/worker.h"

static inline int bench_mime_serve(const char *folder, void (*parse)(void *),
                                   void (*decode)(void *))
{
    static const char *const sizes[] = {"10k", "1m", "25m"};
    static struct bench_message messages[3];
    static char names[6][20];
    struct bench_job jobs[6];

    for (size_t i = 0; i < 3; i++) {
        char file[20];

        snprintf(file, sizeof(file), "%s.eml", sizes[i]);
        messages[i].data = bench_read(folder, file, &messages[i].len);
        for (size_t d = 0; d < 2; d++) {
            struct bench_job *job = &jobs[i * 2 + d];

            snprintf(names[i * 2 + d], sizeof(names[0]), "%s-%s",
                     d == 0 ? "parse" : "decode", sizes[i]);
            job->name = names[i * 2 + d];
            job->run = d == 0 ? parse : decode;
            job->arg = &messages[i];
        }
    }
    return bench_serve(jobs, 6);
}

#endif
