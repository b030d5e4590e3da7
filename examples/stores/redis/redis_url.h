/*
 * redis://HOST[:PORT][/DB]
 */
#ifndef REDIS_URL_H
#define REDIS_URL_H

#include <stddef.h>
#include <sys/socket.h>

/* 0, or -1 with one line in fault. Looks up the name, and waits for that. */
int redis_url_find(const char *url, struct sockaddr_storage *address,
                   socklen_t *address_len, size_t *db, char *fault,
                   size_t fault_size);

#endif
