/*
 * Addresses with ports: as people write them, and as the system has them.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include <onward/core.h>

enum { ENDPOINT_MAX = 128 }; /* of the text, its NUL too; unix:PATH fits */

/* "192.0.2.1:25", "[2001:db8::1]:25" to an address; false: it is none. */
bool endpoint_parse(const char *text, struct onward_ip *ip, size_t *port);
void endpoint_write(const struct onward_ip *ip, size_t port, char *text,
                    size_t cap);
/* The length of what is in sa. */
socklen_t endpoint_to(const struct onward_ip *ip, size_t port,
                      struct sockaddr_storage *sa);
void endpoint_from(const struct sockaddr_storage *sa, struct onward_ip *ip,
                   size_t *port);

#endif
