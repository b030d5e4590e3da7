/* dkim_verify RECORDS <MESSAGE: which of its signatures hold? */
#include "host.h"

static void done(void *user, struct onward_dkim_verifier *verifier)
{
    struct onward_dkim_signature s = {.size = sizeof(s)};

    (void)user;
    for (size_t i = 0; onward_dkim_verifier_signature(verifier, i, &s) == 0;
         i++) {
        printf("dkim=%s d=%.*s s=%.*s", onward_dkim_result_name((int)s.result),
               (int)s.domain.len, s.domain.data, (int)s.selector.len,
               s.selector.data);
        if (s.key_bits != 0)
            printf(" (%zu-bit key)", s.key_bits);
        if (s.reason != 0)
            printf(" %s, %s", onward_dkim_reason_name((int)s.reason),
                   onward_dkim_reason_section((int)s.reason));
        puts("");
    }
    if (onward_dkim_verifier_count(verifier) == 0)
        puts("not signed");
}

int main(int argc, char **argv)
{
    struct onward_dkim_verifier_host waiter = {.size = sizeof(waiter),
                                               .done = done};
    struct onward_dkim_verifier *verifier = NULL;
    struct host host;
    char chunk[4096];
    size_t len;
    int err;

    if (argc != 2)
        return 2;
    err = host_open(&host, argv[1]);
    if (err == 0)
        err = onward_dkim_verifier_new(host.dns, NULL, &waiter, &verifier);
    while (err == 0 && (len = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        err = onward_dkim_verifier_feed(verifier, chunk, len);
    if (err == 0)
        err = onward_dkim_verifier_finish(verifier);
    if (err == 0)
        host_run(&host);
    onward_dkim_verifier_free(verifier);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
