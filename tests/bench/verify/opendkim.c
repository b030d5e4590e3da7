/* The peer for DKIM: libopendkim, its key record from memory. */
#define _DEFAULT_SOURCE /* its header says u_char */
#include <stdbool.h>
#include <sys/types.h>

#include <dkim.h>

#include "bench/worker.h"

static DKIM_LIB *lib;
static char *record;
static struct bench_message messages[3];

static DKIM_CBSTAT look_up(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *buf,
                           size_t len)
{
    (void)dkim;
    (void)sig;
    snprintf((char *)buf, len, "%s", record);
    return DKIM_CBSTAT_CONTINUE;
}

static void verify(void *arg)
{
    const struct bench_message *m = arg;
    DKIM_STAT status;
    DKIM *dkim =
        dkim_verify(lib, (const unsigned char *)"bench", NULL, &status);

    for (size_t at = 0; status == DKIM_STAT_OK && at < m->len;
         at += BENCH_CHUNK)
        status =
            dkim_chunk(dkim, (unsigned char *)m->data + at,
                       m->len - at < BENCH_CHUNK ? m->len - at : BENCH_CHUNK);
    if (status == DKIM_STAT_OK)
        status = dkim_chunk(dkim, NULL, 0);
    if (status == DKIM_STAT_OK)
        status = dkim_eom(dkim, NULL);
    if (status != DKIM_STAT_OK)
        bench_die(dkim_getresultstr(status));
    dkim_free(dkim);
}

int main(int argc, char **argv)
{
    const struct bench_job jobs[] = {
        {"verify-2k", verify, &messages[0]},
        {"verify-50k", verify, &messages[1]},
        {"verify-5m", verify, &messages[2]},
    };
    static const char *const files[] = {"signed-2k", "signed-50k", "signed-5m"};
    size_t len;

    if (argc != 2)
        bench_die("usage: bench_verify_opendkim FOLDER");
    for (size_t i = 0; i < 3; i++)
        messages[i].data = bench_read(argv[1], files[i], &messages[i].len);
    record = bench_read(argv[1], "key.txt", &len);
    lib = dkim_init(NULL, NULL);
    if (lib == NULL || dkim_set_key_lookup(lib, look_up) != DKIM_STAT_OK)
        bench_die("dkim_init");
    return bench_serve(jobs, sizeof(jobs) / sizeof(jobs[0]));
}
