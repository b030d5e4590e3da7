#include "endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool endpoint_parse(const char *text, struct onward_ip *ip, size_t *port)
{
    const char *colon = strrchr(text, ':');
    const char *begin = text, *end = colon;
    size_t number = 0;

    if (colon == NULL || colon == text || colon[1] == '\0')
        return false;
    if (text[0] == '[') {
        begin++;
        end--;
        if (end <= begin || *end != ']')
            return false;
    }
    for (const char *c = colon + 1; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || c - colon > 5)
            return false;
        number = number * 10 + (size_t)(*c - '0');
    }
    *port = number;
    if (number > 65535 ||
        onward_ip_parse((struct onward_str){begin, (size_t)(end - begin)},
                        ip) != 0)
        return false;
    return (text[0] == '[') == (ip->family == 6);
}

void endpoint_write(const struct onward_ip *ip, size_t port, char *text,
                    size_t cap)
{
    char address[ONWARD_IP_TEXT_MAX] = "";

    onward_ip_format(ip, address, sizeof(address));
    snprintf(text, cap, ip->family == 6 ? "[%s]:%zu" : "%s:%zu", address, port);
}

socklen_t endpoint_to(const struct onward_ip *ip, size_t port,
                      struct sockaddr_storage *sa)
{
    struct sockaddr_in *in = (struct sockaddr_in *)sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;

    memset(sa, 0, sizeof(*sa));
    if (ip->family == 4) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        memcpy(&in->sin_addr, ip->octets, 4);
        return sizeof(*in);
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    memcpy(&in6->sin6_addr, ip->octets, 16);
    return sizeof(*in6);
}

void endpoint_from(const struct sockaddr_storage *sa, struct onward_ip *ip,
                   size_t *port)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

    memset(ip, 0, sizeof(*ip));
    if (sa->ss_family == AF_INET) {
        ip->family = 4;
        memcpy(ip->octets, &in->sin_addr, 4);
        *port = ntohs(in->sin_port);
    } else {
        ip->family = 6;
        memcpy(ip->octets, &in6->sin6_addr, 16);
        *port = ntohs(in6->sin6_port);
    }
}
