#define _GNU_SOURCE
#include "redis_url.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "redis_store.h"

enum { PORT_MAX = 65535, DB_MAX = 999999 };

struct url {
    char host[256];
    size_t port, db;
};

/* Digits, one at least, up to one of the octets in ends; NULL: none. */
static const char *number(const char *text, size_t max, size_t *out)
{
    size_t value = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (size_t)(*at - '0');
        if (value > max)
            return NULL;
    }
    *out = value;
    return at == text ? NULL : at;
}

static bool parse(const char *text, struct url *url)
{
    static const char scheme[] = "redis://";
    const char *end;
    size_t len;

    *url = (struct url){.port = 6379};
    if (strncmp(text, scheme, sizeof(scheme) - 1) != 0)
        return false;
    text += sizeof(scheme) - 1;
    if (*text == '[') {
        end = strchr(++text, ']');
        len = end == NULL ? 0 : (size_t)(end - text);
        if (strspn(text, "0123456789abcdefABCDEF:.") != len)
            return false;
        end += len == 0 ? 0 : 1;
    } else {
        len = strcspn(text, ":/");
        end = text + len;
    }
    if (len == 0 || len >= sizeof(url->host) || memchr(text, '@', len) ||
        memchr(text, ' ', len))
        return false;
    memcpy(url->host, text, len);
    if (*end == ':')
        end = number(end + 1, PORT_MAX, &url->port);
    if (end != NULL && *end == '/' && end[1] != '\0')
        end = number(end + 1, DB_MAX, &url->db);
    else if (end != NULL && *end == '/')
        end++;
    return end != NULL && *end == '\0' && url->port != 0;
}

bool redis_store_judge(const char *text)
{
    struct url url;

    return parse(text, &url);
}

int redis_url_find(const char *text, struct sockaddr_storage *address,
                   socklen_t *address_len, size_t *db, char *fault,
                   size_t fault_size)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct url url;
    char port[16];
    int err;

    if (!parse(text, &url)) {
        snprintf(fault, fault_size, "%s, expected redis://HOST[:PORT][/DB]",
                 text);
        return -1;
    }
    snprintf(port, sizeof(port), "%zu", url.port);
    err = getaddrinfo(url.host, port, &hints, &found);
    if (err != 0) {
        snprintf(fault, fault_size, "%s: %s", text, gai_strerror(err));
        return -1;
    }
    memcpy(address, found->ai_addr, found->ai_addrlen);
    *address_len = found->ai_addrlen;
    *db = url.db;
    freeaddrinfo(found);
    return 0;
}
