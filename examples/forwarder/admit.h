/*
 * Who may bring mail: each session has an admission, which knows its client and
 * is asked at MAIL, RCPT and DATA before anything else is. What it has to look
 * up it looks up without making others wait; what it cannot look up keeps
 * nobody out.
 */
#ifndef ADMIT_H
#define ADMIT_H

#include "forwarder.h"

/* Of what a client is told to wait; index is that of the recipient. */
#define ADMIT_MAIL SIZE_MAX

/* All run later, from the desk, or inside the admit_ function of the command.
 * Each question ends in one of them or in admit_reset(). */
struct admit_host {
    void *user;
    /* It may come in: answer it. */
    void (*mail)(void *user, uint64_t token);
    void (*rcpt)(void *user, uint64_t token, size_t index);
    /* It was answered so; for the log. */
    void (*refused)(void *user, size_t index,
                    const struct onward_smtp_reply *reply);
};

/* setup and ip must outlive it. NULL: no memory. */
struct admit *admit_new(struct forwarder *fwd, const struct setup *setup,
                        const struct onward_ip *ip,
                        const struct admit_host *host);
void admit_free(struct admit *admit);
/* Has its network as many sessions as it may have, others than this? */
bool admit_is_crowded(const struct admit *admit);

void admit_mail(struct admit *admit, uint64_t token, struct onward_str sender);
void admit_rcpt(struct admit *admit, uint64_t token, size_t index,
                struct onward_str sender, struct onward_str recipient);
/* May the message come? false: *reply says when. */
bool admit_data(const struct admit *admit, struct onward_smtp_reply *reply);
/* The transaction is gone: who waits, waits no more. */
void admit_reset(struct admit *admit);

/* "100/minute": how much in how long. false: no limit can be written so. */
bool admit_read_limit(const char *text, size_t *count, size_t *period_s);

#endif
