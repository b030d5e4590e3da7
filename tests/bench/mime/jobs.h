/*
 * The jobs that the sides of the MIME bench have: parse alone, parse with each
 * leaf decoded, of three sizes and of a text in quoted-printable; build a
 * message around a file, of two sizes.
 */
#ifndef ONWARD_BENCH_MIME_JOBS_H
#define ONWARD_BENCH_MIME_JOBS_H

#include "bench/worker.h"

/* What a side can do; build is NULL when it cannot. */
struct bench_mime_side {
    void (*parse)(void *message);
    void (*decode)(void *message);
    void (*build)(void *file);
};

/* What the built message says besides the file. */
#define BENCH_MIME_FROM_NAME "J\xc3\xb6rg M\xc3\xbcller"
#define BENCH_MIME_FROM "joerg@example.com"
#define BENCH_MIME_TO "anna@example.net"
#define BENCH_MIME_SUBJECT                                                     \
    "Gr\xc3\xbc\xc3\x9f"                                                       \
    "e, and the figures of May"
#define BENCH_MIME_FILE_NAME "figures.bin"
#define BENCH_MIME_LINE                                                        \
    "This is a line of a plain text with some words in it.\n"
#define BENCH_MIME_LINES5                                                      \
    BENCH_MIME_LINE BENCH_MIME_LINE BENCH_MIME_LINE BENCH_MIME_LINE            \
        BENCH_MIME_LINE
#define BENCH_MIME_TEXT BENCH_MIME_LINES5 BENCH_MIME_LINES5 BENCH_MIME_LINES5

/* Is that the length of a message that holds the file? */
static inline void bench_mime_check_built(const struct bench_message *file,
                                          size_t len)
{
    if (len < file->len / 57 * 78 + sizeof(BENCH_MIME_TEXT) ||
        len > file->len / 57 * 78 + 4096)
        bench_die("built");
}

static inline int bench_mime_serve(const char *folder,
                                   const struct bench_mime_side *side)
{
    static const struct {
        const char *file;
        int is_message;
    } inputs[] = {
        {"10k.eml", 1},  {"1m.eml", 1}, {"25m.eml", 1},
        {"html.eml", 1}, {"4k.bin", 0}, {"1m.bin", 0},
    };
    static struct bench_message files[6];
    static char names[12][20];
    struct bench_job jobs[12];
    size_t count = 0;

    for (size_t i = 0; i < 6; i++) {
        int size = (int)strcspn(inputs[i].file, ".");

        files[i].data = bench_read(folder, inputs[i].file, &files[i].len);
        for (size_t which = 0; which < 2; which++) {
            struct bench_job *job = &jobs[count];
            const char *verb = which == 0 ? "parse" : "decode";

            job->run = which == 0 ? side->parse : side->decode;
            if (inputs[i].is_message == 0) {
                job->run = which == 0 ? side->build : NULL;
                verb = "build";
            }
            if (job->run == NULL)
                continue;
            snprintf(names[count], sizeof(names[0]), "%s-%.*s", verb, size,
                     inputs[i].file);
            job->name = names[count++];
            job->arg = &files[i];
        }
    }
    return bench_serve(jobs, count);
}

#endif
