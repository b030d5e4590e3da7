/* dkim_sign KEY DOMAIN SELECTOR MESSAGE: the message with a signature on top.
 */
#include "host.h"

static void done(void *user, struct onward_dkim_signer *signer, int status)
{
    struct onward_str *field = user;

    if (status == 0) /* borrowed until the signer is freed */
        *field = onward_dkim_signer_field(signer);
}

int main(int argc, char **argv)
{
    struct onward_str field = {0}, pem, message;
    struct onward_dkim_signer_opts opts = {.size = sizeof(opts)};
    struct onward_dkim_signer_host waiter = {
        .size = sizeof(waiter), .user = &field, .done = done};
    struct onward_key_fault fault = {.size = sizeof(fault)};
    struct onward_key *key = NULL;
    struct onward_signer *pen = NULL;
    struct onward_dkim_signer *signer = NULL;
    struct host host;
    int err;

    if (argc != 5)
        return 2;
    pem = host_read(argv[1]);
    opts.domain = onward_str_of(argv[2]);
    opts.selector = onward_str_of(argv[3]);
    message = host_read(argv[4]);

    err = host_open(&host, NULL);
    if (err == 0)
        err = onward_key_from_pem(host.ctx, pem, &fault, &key);
    if (err == ONWARD_ESYNTAX)
        fprintf(stderr, "%s: octet %zu: %s\n", argv[1], fault.offset,
                fault.text);
    if (err == 0) /* a key is for all threads, a signer for this desk */
        err = onward_signer_new(host.desk, key, NULL, &pen);
    if (err == 0)
        err = onward_dkim_signer_new(pen, &opts, &waiter, &signer);
    if (err == 0)
        err = onward_dkim_signer_feed(signer, message.data, message.len);
    if (err == 0)
        err = onward_dkim_signer_finish(signer);
    if (err == ONWARD_ESYNTAX && signer != NULL)
        fprintf(stderr, "%s: %s\n", argv[4],
                onward_dkim_signer_fault(signer).data);
    if (err == 0)
        host_run(&host);
    fwrite(field.data, 1, field.len, stdout);
    if (field.len != 0)
        fwrite(message.data, 1, message.len, stdout);

    onward_dkim_signer_free(signer);
    onward_signer_free(pen);
    onward_key_free(key);
    host_close(&host);
    return field.len != 0 ? 0 : 1;
}
