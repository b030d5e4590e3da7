/*
 * Who may bring mail: each session has an admission, which knows its client and
 * is asked at MAIL and RCPT before anything else is. What it has to look up it
 * looks up without making others wait; what it cannot look up keeps nobody out.
 */
#ifndef ADMIT_H
#define ADMIT_H

#include "forwarder.h"

struct admit;

/* All but free() run from the desk, later; each question ends in one of them or
 * in admit_reset(). */
struct admit_host {
    void *user;
    /* It may come in: answer it. */
    void (*mail)(void *user, uint64_t token);
    void (*rcpt)(void *user, uint64_t token, size_t index);
    /* It was answered so; index is ADMIT_MAIL or of the recipient. */
    void (*refused)(void *user, size_t index,
                    const struct onward_smtp_reply *reply);
};

#define ADMIT_MAIL SIZE_MAX

/* setup and ip must outlive it. NULL: no memory. */
struct admit *admit_new(struct forwarder *fwd, const struct setup *setup,
                        const struct onward_ip *ip,
                        const struct admit_host *host);
void admit_free(struct admit *admit);

/* true: it may come in, now; false: see struct admit_host. */
bool admit_rcpt(struct admit *admit, uint64_t token, size_t index,
                struct onward_str address);
/* The transaction is gone: who waits, waits no more. */
void admit_reset(struct admit *admit);

#endif
