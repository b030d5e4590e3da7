/* explain IP SENDER RECORDS <MESSAGE: everything about it, as JSON. */
#include "host.h"

int main(int argc, char **argv)
{
    struct onward_ip ip;
    struct onward_verifier_opts facts = {.size = sizeof(facts),
                                         .authserv_id =
                                             ONWARD_STR("mx.example.net"),
                                         .client_ip = &ip};
    struct onward_verifier *v = NULL;
    struct onward_str json = {0};
    struct host host;
    char chunk[4096];
    size_t len;
    int err;

    if (argc != 4 || onward_ip_parse(onward_str_of(argv[1]), &ip) != 0)
        return 2;
    facts.mail_from = onward_str_of(argv[2]);
    err = host_open(&host, argv[3]);
    if (err == 0) /* at MAIL already: SPF is at work while the message comes */
        err = onward_verifier_new(host.dns, &facts, NULL, &v);
    if (err == 0) /* the word of this sealer counts, if its chain holds */
        err = onward_verifier_trust_sealer(v, ONWARD_STR("lists.example.org"));
    while (err == 0 && (len = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        err = onward_verifier_feed(v, chunk, len);
    if (err == 0)
        err = onward_verifier_finish(v);
    if (err == 0)
        host_run(&host);
    if (err == 0)
        err = onward_verifier_explain(v, &json);
    if (err == 0)
        printf("%.*s\n", (int)json.len, json.data);

    /* 550 5.7.1, deliver to the junk folder, or take it. */
    if (err == 0 &&
        onward_verifier_dmarc_disposition(v) == ONWARD_DMARC_POLICY_REJECT)
        err = 1;
    onward_verifier_free(v);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
