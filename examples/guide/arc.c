/* arc KEY DOMAIN SELECTOR RECORDS MESSAGE: the message with one more ARC set:
 * what came with it is validated, what is found is sealed. */
#include "host.h"

struct hop {
    struct onward_arc_verdict verdict;
    struct onward_str fields;
};

static void validated(void *user, struct onward_arc_validator *validator)
{
    struct hop *hop = user;

    onward_arc_validator_verdict(validator, &hop->verdict);
}

static void sealed(void *user, struct onward_arc_sealer *sealer, int status)
{
    struct hop *hop = user;

    if (status == 0)
        hop->fields = onward_arc_sealer_fields(sealer);
}

static int validate(struct host *host, struct onward_str message,
                    struct hop *hop)
{
    struct onward_arc_validator_host waiter = {
        .size = sizeof(waiter), .user = hop, .done = validated};
    struct onward_arc_validator *validator = NULL;
    int err = onward_arc_validator_new(host->dns, NULL, &waiter, &validator);

    if (err == 0)
        err = onward_arc_validator_feed(validator, message.data, message.len);
    if (err == 0)
        err = onward_arc_validator_finish(validator);
    if (err == 0)
        host_run(host);
    onward_arc_validator_free(validator);
    return err;
}

int main(int argc, char **argv)
{
    struct hop hop = {.verdict.size = sizeof(hop.verdict)};
    struct onward_arc_sealer_opts opts = {.size = sizeof(opts)};
    struct onward_arc_sealer_host waiter = {
        .size = sizeof(waiter), .user = &hop, .done = sealed};
    struct onward_arc_sealer *sealer = NULL;
    struct onward_key *key = NULL;
    struct onward_signer *pen = NULL;
    struct onward_str message;
    struct host host;
    char results[64];
    int err;

    if (argc != 6)
        return 2;
    message = host_read(argv[5]);
    err = host_open(&host, argv[4]);
    if (err == 0)
        err = onward_key_from_pem(host.ctx, host_read(argv[1]), NULL, &key);
    if (err == 0)
        err = onward_signer_new(host.desk, key, NULL, &pen);
    if (err == 0)
        err = validate(&host, message, &hop);

    /* Say only what was verified here: SPF, DKIM and DMARC would stand here
     * too, as onward_verifier_authres() writes them. */
    snprintf(results, sizeof(results), "arc=%s",
             onward_arc_result_name((int)hop.verdict.result));
    opts.chain_result = hop.verdict.result;
    opts.chain_instances = hop.verdict.instances;
    opts.domain = onward_str_of(argv[2]);
    opts.selector = onward_str_of(argv[3]);
    opts.authserv_id = ONWARD_STR("mx.example.net");
    opts.results = onward_str_of(results);
    if (err == 0)
        err = onward_arc_sealer_new(pen, &opts, &waiter, &sealer);
    if (err == 0)
        err = onward_arc_sealer_feed(sealer, message.data, message.len);
    if (err == 0) /* ONWARD_ENOENT: the chain is broken already, send as is */
        err = onward_arc_sealer_finish(sealer);
    if (err == 0)
        host_run(&host);
    fwrite(hop.fields.data, 1, hop.fields.len, stdout);
    fwrite(message.data, 1, message.len, stdout);

    onward_arc_sealer_free(sealer);
    onward_signer_free(pen);
    onward_key_free(key);
    host_close(&host);
    return err == 0 || err == ONWARD_ENOENT ? 0 : 1;
}
