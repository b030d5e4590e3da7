/* The floor of DATA: look for each line end of 25 MiB with memchr(). */
#include "bench/worker.h"

static char *message;
static size_t message_len;

static void run(void *arg)
{
    const char *at = message, *end = message + message_len;
    size_t lines = 0;

    (void)arg;
    while (at != NULL && at < end) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at != NULL)
            at++;
        lines++;
    }
    if (lines != message_len / 78)
        bench_die("lines were lost");
}

int main(int argc, char **argv)
{
    static const struct bench_job jobs[] = {{"data-25m", run, NULL}};

    if (argc != 2)
        return 2;
    message = bench_read(argv[1], "message", &message_len);
    return bench_serve(jobs, 1);
}
