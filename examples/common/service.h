/*
 * What a program that runs all the time does beside its work: listen, say that
 * it does, become a user, be told to end.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <stddef.h>

#include "endpoint.h"

/* A socket that listens there; address gets it with the real port. -1: fault
 * has one line. */
int service_listen(const char *text, char address[ENDPOINT_MAX], char *fault,
                   size_t fault_size);
/* sd_notify(3). */
void service_tell_systemd(const char *state);
/* Become that user, if we are root. 0, or -1 with one line. */
int service_drop_root(const char *user, char *fault, size_t fault_size);

#endif
