/* key: make an Ed25519 key and the DNS record that publishes it. */
#include "host.h"

int main(void)
{
    struct onward_key *key = NULL;
    struct host host;
    char pem[4096], record[1000], strings[4100];
    int len = 0, err = host_open(&host, NULL);

    if (err == 0)
        err = onward_key_generate(host.ctx, ONWARD_KEY_ED25519, 0, &key);
    if (err == 0)
        err = onward_key_to_pem(key, pem, sizeof(pem));
    if (err > 0)
        err = len = onward_dkim_record(onward_key_public(key), NULL, record,
                                       sizeof(record));
    if (err > 0)
        err = onward_dns_txt_strings((struct onward_str){record, (size_t)len},
                                     strings, sizeof(strings));
    if (err > 0)
        printf("%ssel._domainkey.example.com. IN TXT %s\n", pem, strings);
    onward_key_free(key); /* wiped with its last owner */
    host_close(&host);
    return err > 0 ? 0 : 1;
}
