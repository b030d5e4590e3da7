/* token ADDRESS: a link that proves who reads mail at that address. */
#include "host.h"

static const struct onward_token_opts opts = {
    .size = sizeof(opts),
    .purpose = {"verify destination", 18},
    .form = ONWARD_TOKEN_BASE32, /* somebody may have to type it */
};

static void look(const struct onward_token_minter *minter, const char *text)
{
    char address[320];
    int verdict;
    int len = onward_token_check(minter, &opts, onward_str_of(text), address,
                                 sizeof(address), NULL, &verdict);

    if (len > 0)
        printf("%s: %.*s\n", onward_token_verdict_name(verdict), len, address);
    else
        printf("%s\n", onward_token_verdict_name(verdict));
}

int main(int argc, char **argv)
{
    /* The first signs; the second is still read. */
    const struct onward_str secrets[] = {ONWARD_STR("16 random octets"),
                                         ONWARD_STR("16 of last month")};
    struct onward_token_minter *minter = NULL;
    char text[ONWARD_TOKEN_TEXT_MAX];
    struct host host;
    int err;

    if (argc != 2)
        return 2;
    err = host_open(&host, NULL);
    if (err == 0)
        err = onward_token_minter_new(host.ctx, secrets, 2, &minter);
    if (err == 0)
        err =
            onward_token_mint(minter, &opts, onward_str_of(argv[1]),
                              host_now_s(NULL) + 2 * 86400, text, sizeof(text));
    if (err > 0) {
        printf("https://mail.example.com/verify/%.8s...\n", text);
        look(minter, text);
        /* Somebody tries another one. */
        text[20] = text[20] == 'a' ? 'b' : 'a';
        look(minter, text);
        look(minter, "nonsense!");
    }
    onward_token_minter_free(minter);
    host_close(&host);
    return err > 0 ? 0 : 1;
}
