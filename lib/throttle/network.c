/* A client's network, as the key that it is counted by. */
#include "throttle/throttle_priv.h"

enum { TEXT_MAX = ONWARD_IP_TEXT_MAX + 4 };

static bool is_mapped(const struct onward_ip *ip)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

    return ip->family == 6 && memcmp(ip->octets, prefix, sizeof(prefix)) == 0;
}

static size_t add_number(char *text, size_t at, size_t value)
{
    if (value >= 100)
        text[at++] = (char)('0' + value / 100);
    if (value >= 10)
        text[at++] = (char)('0' + value / 10 % 10);
    text[at++] = (char)('0' + value % 10);
    text[at] = '\0';
    return at;
}

int onward_throttle_network(const struct onward_ip *ip, size_t bits_4,
                            size_t bits_6, char *text, size_t cap)
{
    struct onward_ip network;
    char made[TEXT_MAX];
    size_t bits, len;
    int ret;

    if (ip == NULL || text == NULL || bits_4 > 32 || bits_6 > 128)
        return ONWARD_EINVAL;
    network = *ip;
    if (is_mapped(ip)) {
        network = (struct onward_ip){.family = 4};
        memcpy(network.octets, ip->octets + 12, 4);
    }
    bits = network.family == 4 ? bits_4 : bits_6;
    for (size_t i = 0; i < sizeof(network.octets); i++) {
        size_t keep = bits < 8 * i ? 0 : bits - 8 * i;

        if (keep < 8)
            network.octets[i] &= (uint8_t)(0xff00U >> keep);
    }
    ret = onward_ip_format(&network, made, ONWARD_IP_TEXT_MAX);
    if (ret < 0)
        return ret;
    len = (size_t)ret;
    made[len++] = '/';
    len = add_number(made, len, bits);
    if (cap < len + 1)
        return ONWARD_ELIMIT;
    memcpy(text, made, len + 1);
    return (int)len;
}
