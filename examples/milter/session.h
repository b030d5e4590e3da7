/*
 * One connection of a mail server, as a machine between octets: what it says
 * goes into a filter, the filter's decision comes out as answers. It knows no
 * sockets.
 *
 * A connection carries sessions one after the other, and each of these
 * messages; a message that is aborted, or refused, leaves nothing to the next.
 */
#ifndef MILTER_SESSION_H
#define MILTER_SESSION_H

#include "codec.h"
#include "filter.h"

struct milter_session;

struct milter_session_opts {
    struct filter_setup *setup; /* both must outlive it */
    const struct filter_settings *settings;
    void *user;
    /* A decision has been made: there are answers, and more can be read. Inside
     * milter_session_feed() or onward_desk_run(). */
    void (*decided)(void *user);
    /* For the log: a message that has come to its end; id may be empty. */
    void (*ended)(void *user, const struct filter *f, const char *id);
};

/* NULL: no memory. */
struct milter_session *milter_session_new(const struct milter_session_opts *o);
void milter_session_free(struct milter_session *s);

/*
 * Take the next octets; taken says how many, less than len when a message has
 * to be decided first: give the rest again after `decided`. NULL: go on; else
 * why the connection has to end now, "" when the server has said so.
 */
const char *milter_session_feed(struct milter_session *s, const void *data,
                                size_t len, size_t *taken);
/* What is to be sent; the caller moves `at`, and empties it. */
struct milter_out *milter_session_out(struct milter_session *s);
/* Does it wait for a decision? Then it takes no octets. */
bool milter_session_is_busy(const struct milter_session *s);
/* Is there a message that has begun? */
bool milter_session_has_message(const struct milter_session *s);

#endif
