/* The loop of a worker, and reading files. */
#define _POSIX_C_SOURCE 200809L
#include "bench/worker.h"

#include <time.h>

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void bench_die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static void measure(const struct bench_job *job, int64_t ms)
{
    int64_t start = cpu_ns(), now = start;
    uint64_t count = 0;
    /* Asking the time costs as much as a short operation: ask seldom. */
    uint64_t batch = 1;

    while (now - start < ms * 1000000) {
        int64_t before = now;

        for (uint64_t i = 0; i < batch; i++)
            job->run(job->arg);
        count += batch;
        now = cpu_ns();
        if (now - before < 1000000)
            batch *= 2;
    }
    printf("%llu %lld\n", (unsigned long long)count, (long long)(now - start));
    fflush(stdout);
}

int bench_serve(const struct bench_job *jobs, size_t count)
{
    char line[200], name[100];
    long long ms;

    while (fgets(line, sizeof(line), stdin) != NULL) {
        size_t i = 0;

        if (sscanf(line, "%99s %lld", name, &ms) != 2)
            bench_die("expected JOB MILLISECONDS");
        while (i < count && strcmp(jobs[i].name, name) != 0)
            i++;
        if (i == count)
            bench_die("no such job");
        measure(&jobs[i], ms);
    }
    return 0;
}

char *bench_read(const char *folder, const char *name, size_t *len)
{
    char path[4096];
    char *data;
    FILE *file;
    long size;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 ||
        (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0)
        bench_die(path);
    data = malloc((size_t)size + 1);
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size)
        bench_die(path);
    fclose(file);
    data[size] = '\0';
    *len = (size_t)size;
    return data;
}
