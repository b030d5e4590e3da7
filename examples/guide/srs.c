/* srs SENDER...: rewrite each for the next hop, and take its bounce back. */
#include "host.h"

#define OURS "fwd.example.net"

/* The sender that a store would keep; here there is room for one. */
static struct onward_srs_kept kept = {.size = sizeof(kept)};

/* 0 or more: the length of what stands in out. */
static int rewrite(const struct onward_srs *srs, const char *sender, char *out,
                   size_t cap)
{
    const struct onward_str from = onward_str_of(sender);
    int len = onward_srs_forward(srs, from, ONWARD_STR(OURS), out, cap);

    /* Over 64 octets, or quoted: then the address is a key only. */
    if (len == ONWARD_ELIMIT || len == ONWARD_ESYNTAX)
        len = onward_srs_keep(srs, from, ONWARD_STR(OURS), out, cap, &kept);
    return len;
}

/* Where a bounce to that address goes. */
static int turn_back(const struct onward_srs *srs, const char *address,
                     char *out, size_t cap)
{
    int verdict, len;

    len = onward_srs_reverse(srs, onward_str_of(address), out, cap, &verdict);
    if (len > 0 && verdict == ONWARD_SRS_KEPT) {
        struct onward_str value = {kept.value, kept.value_len};

        printf("  the store has it at %s\n", out);
        return onward_srs_kept_sender(srs, value, out, cap);
    }
    if (verdict != ONWARD_SRS_OK)
        printf("  %s\n", onward_srs_verdict_name(verdict));
    return len;
}

int main(int argc, char **argv)
{
    const struct onward_str secret = ONWARD_STR("16 random octets");
    char there[ONWARD_SRS_TEXT_MAX], back[ONWARD_SRS_TEXT_MAX];
    struct onward_srs *srs = NULL;
    struct host host;
    int err;

    err = host_open(&host, NULL);
    if (err == 0)
        err = onward_srs_new(host.ctx, &secret, 1, NULL, &srs);
    for (int i = 1; err == 0 && i < argc; i++) {
        err = rewrite(srs, argv[i], there, sizeof(there));
        if (err < 0)
            break;
        printf("%s\n  leaves as %s\n", argv[i], there);
        err = turn_back(srs, there, back, sizeof(back));
        if (err > 0)
            printf("  bounces go to %s\n", back);
        err = err > 0 ? 0 : err;
    }
    if (err != 0)
        fprintf(stderr, "srs: %s\n", onward_strerror(err));
    onward_srs_free(srs);
    host_close(&host);
    return err == 0 ? 0 : 1;
}
