/* verify RECORDS <MESSAGE: is this mail who it says it is? */
#include <onward_posix.h>

int main(int argc, char **argv)
{
    struct onward_verifier_opts me = {
        .size = sizeof(me), .authserv_id = ONWARD_STR("mx.example.net")};
    struct onward_posix host;
    struct onward_verifier *v = NULL;
    char chunk[4096];
    size_t len;
    int err = onward_posix_open(&host, argc > 1 ? argv[1] : NULL);

    if (err == 0)
        err = onward_verifier_new(host.dns, &me, NULL, &v);
    while (err == 0 && (len = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        err = onward_verifier_feed(v, chunk, len);
    if (err == 0)
        err = onward_verifier_finish(v);
    if (err == 0) {
        onward_posix_run(&host); /* until the verdict is there */
        struct onward_str results = onward_verifier_authres(v);
        printf("Authentication-Results: %.*s\n", (int)results.len,
               results.data);
        err = onward_verifier_dmarc_result(v) == ONWARD_DMARC_PASS ? 0 : 1;
    }
    onward_verifier_free(v);
    onward_posix_close(&host);
    return err == 0 ? 0 : 1;
}
