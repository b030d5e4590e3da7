#ifndef ONWARD_CHANNEL_H
#define ONWARD_CHANNEL_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * The one shape of every connection: octets in, octets out, a deadline. Every
 * byte engine (SMTP server session, SMTP client session, policy fetch) lends
 * one channel for its whole life; TLS happens inside it, so the pointer and
 * these calls stay the same over STARTTLS.
 *
 * The host owns the socket and the clock. In each turn of its loop it tells
 * the time (onward_channel_tick()), then moves octets: either with
 * onward_channel_pump(), or by hand with feed, peek and drain. Afterwards, and
 * after each onward_desk_run(), it looks at wants and deadline.
 *
 * A channel belongs to the thread of its engine. Callbacks of the engine may
 * run inside feed, drain, tick, eof and pump. Inside such a callback the
 * engine may be freed, and onward_channel_wants() and
 * onward_channel_deadline() may be called; every other call on the channel
 * gives ONWARD_ESTATE. A channel is freed with its engine; a call inside which
 * that happened returns ONWARD_ECANCELED, and the pointer is gone.
 *
 * The error that ends an engine is returned once, by the call in which it
 * happened. From then on the channel writes what is left, drops what comes in,
 * and wants to be closed.
 */

/** One connection. Borrowed from its engine until the engine is freed. */
struct onward_channel;

/** How the input ended. */
enum onward_eof {
    ONWARD_EOF_CLEAN = 1, /**< the peer said so: FIN, close_notify */
    ONWARD_EOF_CUT = 2    /**< reset, error, or TLS without close_notify */
};

/** Flags of onward_channel_wants(). */
enum onward_channel_want {
    ONWARD_WANT_READ = 1,  /**< feed what the peer sends */
    ONWARD_WANT_WRITE = 2, /**< onward_channel_peek() has octets */
    ONWARD_WANT_CLOSE = 4  /**< all is done: close the connection */
};

/**
 * How onward_channel_pump() reaches the socket. Called inside it only. Neither
 * function may block: a peer may wait for us to write before it sends.
 */
struct onward_channel_io {
    size_t size;
    void *user;
    /**
     * Read up to cap octets (cap is never 0).
     *
     * @return 0 with *got > 0; 0 with *got == 0 at the end of the input;
     *         ONWARD_AGAIN when it would block; any other negative value is an
     *         error of the connection.
     */
    int (*read)(void *user, void *buf, size_t cap, size_t *got);
    /**
     * Write up to len octets (len is never 0).
     *
     * @return 0 with *put > 0; 0 with *put == 0 when the peer takes no more;
     *         ONWARD_AGAIN when it would block; any other negative value is an
     *         error of the connection.
     */
    int (*write)(void *user, const void *data, size_t len, size_t *put);
    /**
     * 1: a read that gives less than cap has given all there is for now, as
     * recv(2) on a stream does. It is not asked again before the host pumps
     * anew: one system call less for each command of a peer.
     */
    size_t is_short_last;
};

/**
 * Hand over octets from the peer.
 *
 * Cut the input where you like, single octets included: what happens does not
 * depend on the cuts. Fewer octets than len are taken when the engine is
 * paused (it waits for an answer, or for its output to be read): keep the rest
 * and feed it again when onward_channel_wants() says READ.
 *
 * @param data   borrowed for this call only; may be NULL when len is 0.
 * @param taken  out, also on failure: octets taken, at most len.
 * @return 0, or
 *         ONWARD_ESTATE  called inside a callback of this channel
 *         ONWARD_ENOMEM  out of memory
 *         or the error that ended the engine. Octets that come after the
 *         engine has decided to close are taken and dropped.
 * @note Callbacks of the engine may run.
 * @since 0.1
 */
ONWARD_API int onward_channel_feed(struct onward_channel *ch, const void *data,
                                   size_t len, size_t *taken);

/**
 * The octets to write to the peer, all in one piece.
 *
 * @return borrowed until the next call on the channel, its engine or the desk
 *         other than wants and deadline; empty when there are none, and inside
 *         a callback of this channel.
 * @since 0.1
 */
ONWARD_API struct onward_str onward_channel_peek(struct onward_channel *ch);

/**
 * The first n of the octets that onward_channel_peek() gave were written.
 *
 * @return 0, or
 *         ONWARD_EINVAL  n is more than there is; nothing was drained
 *         ONWARD_ESTATE  called inside a callback of this channel
 *         or the error that ended the engine.
 * @note The engine may produce more octets, and its callbacks may run.
 * @since 0.1
 */
ONWARD_API int onward_channel_drain(struct onward_channel *ch, size_t n);

/**
 * What the channel wants from the host now.
 *
 * @return flags of enum onward_channel_want; 0 when it waits for an answer at
 *         the desk or for its deadline only. CLOSE stands alone.
 * @since 0.1
 */
ONWARD_API int onward_channel_wants(const struct onward_channel *ch);

/**
 * Octets of the peer that the channel has read and its engine has not looked at
 * yet, as it waits for something. A peer that ends its side and has some here
 * may be waiting for answers: a mail client that sends QUIT behind its message,
 * say.
 *
 * @return octets, of the wire or decrypted; 0 when there are none. What was not
 *         read yet, by onward_channel_pump() or the host, does not count.
 * @since 0.1
 */
ONWARD_API size_t onward_channel_unread(const struct onward_channel *ch);

/**
 * When to call onward_channel_tick() at the latest.
 *
 * @return milliseconds of the host's clock; ONWARD_NEVER when there is no
 *         deadline. A time that has passed (0 before the first tick) means at
 *         once.
 * @since 0.1
 */
ONWARD_API int64_t onward_channel_deadline(const struct onward_channel *ch);

/**
 * Tell the time. For the channel time stands still between two ticks, so tell
 * it before feed and pump, and when the deadline comes.
 *
 * @param now_ms  as for onward_desk_run(): one origin for the desk and all its
 *                channels. An earlier value than the last counts as the last.
 * @return 0, ONWARD_ESTATE (inside a callback of this channel), or the error
 *         that ended the engine.
 * @note Callbacks of the engine may run.
 * @since 0.1
 */
ONWARD_API int onward_channel_tick(struct onward_channel *ch, int64_t now_ms);

/**
 * Tell that no more octets come from the peer. First feed all that did come;
 * after ONWARD_EOF_CUT nothing can be written either. Each kind counts once,
 * and nothing after a cut. Under TLS an end without close_notify is a cut,
 * whatever kind says.
 *
 * @param kind  enum onward_eof.
 * @return 0, ONWARD_EINVAL (no such kind), ONWARD_ESTATE (inside a callback of
 *         this channel), or the error that ended the engine.
 * @note Callbacks of the engine may run. When the engine is paused, a clean
 *       end is told to it once it has taken the rest of the input.
 * @since 0.1
 */
ONWARD_API int onward_channel_eof(struct onward_channel *ch, int kind);

/**
 * Move octets both ways until both sides would block, the channel wants no
 * more, or a fair share was done. Does all of feed, peek, drain and eof for
 * the host; what the engine does not take is kept here, at most one read.
 *
 * @param io  borrowed for this call.
 * @return 1 when more could be done at once, 0 when not: wait for what
 *         onward_channel_wants() says; or
 *         ONWARD_EINVAL     a callback is missing, or gave a count above what
 *                           it was given
 *         ONWARD_EVERSION   io has a field that this release does not know
 *         ONWARD_ESTATE     called inside a callback of this channel
 *         ONWARD_ECALLBACK  read or write failed: the engine was told
 *                           ONWARD_EOF_CUT
 *         ONWARD_ECANCELED  the engine was freed inside
 *         or the error that ended the engine.
 * @note Callbacks of the engine may run. Does not tell the time.
 * @since 0.1
 */
ONWARD_API int onward_channel_pump(struct onward_channel *ch,
                                   const struct onward_channel_io *io);

/* ---- Many channels ----------------------------------------------------- */

/**
 * Tells a host with many channels which of them to look at, so that a turn of
 * its loop costs what happens in it, not what it holds. Without a set a host
 * asks each channel after each onward_desk_run().
 *
 *     onward_channel_set_add(set, channel, conn);
 *     ...
 *     while (onward_desk_run(desk, now_ms) == 1)
 *         continue;
 *     while (onward_channel_set_next(set, &user) == 1)
 *         tick and pump the channel of user, then look at its wants;
 *     wait for sockets, and at most until onward_desk_deadline(desk)
 *
 * A set belongs to one desk, and so to one thread at a time.
 */
struct onward_channel_set;

/**
 * Make an empty set.
 *
 * @param desk  kept in memory by the set.
 * @param set   out: free with onward_channel_set_free().
 * @return 0, ONWARD_EINVAL (desk or set is NULL), ONWARD_ESTATE (the desk was
 *         freed) or ONWARD_ENOMEM.
 * @since 0.1
 */
ONWARD_API int onward_channel_set_new(struct onward_desk *desk,
                                      struct onward_channel_set **set);

/**
 * Free the set; the channels go on without it.
 *
 * @param set  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_channel_set_free(struct onward_channel_set *set);

/**
 * Watch a channel until its engine is freed, or the set. From now on its
 * deadline is one of the desk's, and onward_channel_set_next() gives it
 * - when its deadline has come in onward_desk_run(): tick it;
 * - when what it wants may have changed otherwise than by the host's own feed,
 *   drain, tick, eof or pump of it: by an answer at the desk, say, or by a call
 *   on its engine. Also once at the start.
 *
 * @param ch    of an engine of the set's desk.
 * @param user  given back by onward_channel_set_next(); never looked at.
 * @return 0, or
 *         ONWARD_EINVAL  set or ch is NULL, or of another desk
 *         ONWARD_ESTATE  ch is in a set, or the desk was freed
 *         ONWARD_ENOMEM  out of memory
 * @since 0.1
 */
ONWARD_API int onward_channel_set_add(struct onward_channel_set *set,
                                      struct onward_channel *ch, void *user);

/**
 * Watch it no longer. Freeing the engine does that too.
 *
 * @param ch  harmless when it is not in the set.
 * @since 0.1
 */
ONWARD_API void onward_channel_set_remove(struct onward_channel_set *set,
                                          struct onward_channel *ch);

/**
 * The next channel to look at. Each stands here once, however much happened to
 * it; look at it then as a whole.
 *
 * @param user  out: as given to onward_channel_set_add().
 * @return 1 with a channel, 0 when there is none.
 * @note Calls no callback. Allowed inside all callbacks.
 * @since 0.1
 */
ONWARD_API int onward_channel_set_next(struct onward_channel_set *set,
                                       void **user);

#ifdef __cplusplus
}
#endif

#endif
