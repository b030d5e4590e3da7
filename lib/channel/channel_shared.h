/*
 * The channel as engines see it. An engine embeds a struct onward_channel, is
 * called through onward_channel_ops, and writes, pauses, closes and sets
 * timeouts with the functions here. A filter (TLS) goes below the engine.
 *
 * The shape of an engine:
 *
 *     struct onward_smtp_server {
 *         struct onward_channel channel;
 *         ...
 *     };
 *     onward_channel__init(&s->channel, ctx, desk, &ops, s, NULL);
 *
 *     void onward_smtp_server_free(struct onward_smtp_server *s)
 *     {
 *         if (s != NULL && onward_channel__free_begin(&s->channel))
 *             server_destroy(s);
 *     }
 *     static void server_destroy(void *engine)   // also ops.destroy
 *     {
 *         onward_channel__clear(&s->channel);
 *         ... onward_core__free(ctx, s);
 *     }
 *
 * Around a host callback that runs outside of the channel's own calls (in a
 * desk task) the engine uses onward_channel__enter() and _leave(), so that the
 * host may free it there too.
 */
#ifndef ONWARD_CHANNEL_SHARED_H
#define ONWARD_CHANNEL_SHARED_H

#include <onward/channel.h>

#include "core/core_shared.h"
#include "core/desk_shared.h"

struct onward_desk;

/*
 * What the channel calls in its engine, never one inside another. A negative
 * return ends the engine: the output is still written, then CLOSE. Return 0
 * when the engine was freed inside (channel.guard.is_dead).
 */
struct onward_channel_ops {
    /*
     * Plaintext from the peer; len is never 0. Take all of it, and keep an
     * unfinished line: less only after __pause, __close or __plug, and then
     * *taken says where it stopped. What is not taken after __plug is given to
     * the filter as early input; the rest comes again after __resume.
     */
    int (*feed)(void *engine, const unsigned char *data, size_t len,
                size_t *taken);
    /* No more input. Once for each kind at most: a cut may follow a clean end.
     * After a cut nothing can be written, and the channel closes. */
    int (*eof)(void *engine, enum onward_eof kind);
    /* The timeout has passed; it is off until it is set again. */
    int (*timeout)(void *engine, int64_t now_ms);
    /* Output fell to the low water mark after __write had returned 1: go on
     * producing. NULL: the engine never looks. */
    int (*drained)(void *engine);
    /*
     * The filter is up (status 0), from now on __write is safe under it; or
     * the handshake failed (negative; ask the filter why), nothing more can
     * be written and the channel closes. Once for each __plug. NULL when the
     * engine never plugs.
     */
    int (*secured)(void *engine, int status);
    /* The engine was freed inside a callback: release its memory now. */
    void (*destroy)(void *engine);
};

/* What a step of a filter gave. */
enum onward_channel__event {
    ONWARD_FILTER_MORE = 0, /* all input taken, nothing to give */
    ONWARD_FILTER_UP,       /* the handshake is done; once */
    ONWARD_FILTER_PLAIN,    /* *got octets of plaintext in buf */
    ONWARD_FILTER_END       /* the peer ended cleanly (close_notify) */
};

/* Why the channel gives a filter up. */
enum onward_channel__filter_end {
    ONWARD_FILTER_EARLY = 1, /* input that the peer sent before it could have
                                seen our last plaintext or first flight */
    ONWARD_FILTER_LOST       /* the connection ended */
};

/* A filter below the engine. It gives the channel its ciphertext with
 * onward_channel__put(). */
struct onward_channel_filter_ops {
    /* The first flight, if it is ours. 0 or an error. */
    int (*start)(void *filter, struct onward_channel *ch);
    /*
     * Go on with the ciphertext at data (borrowed, may be empty); one event,
     * or a negative error. *taken is always set; *got with PLAIN only.
     */
    int (*step)(void *filter, struct onward_channel *ch,
                const unsigned char *data, size_t len, size_t *taken,
                unsigned char *buf, size_t cap, size_t *got);
    /* Plaintext of the engine; all of it. Only while up. */
    int (*write)(void *filter, struct onward_channel *ch, const void *data,
                 size_t len);
    /* Say goodbye (close_notify), as far as possible. */
    void (*finish)(void *filter, struct onward_channel *ch);
    /* Not called again but for free. */
    void (*give_up)(void *filter, enum onward_channel__filter_end why);
    void (*free)(void *filter);
};

/* Bounds of the output, in octets as they go to the peer. 0: the default. */
struct onward_channel_bounds {
    size_t out_max;  /* 131072: beyond it __write gives ONWARD_ELIMIT */
    size_t out_high; /* 32768: from here on __write returns 1 */
    size_t out_low;  /* 8192: here `drained` is called */
    /*
     * False (servers): no input is taken while the output is at out_high, so a
     * peer that does not read its replies cannot make us hold more of them.
     * True (clients): replies are read meanwhile, else two full pipes would
     * wait for each other (RFC 2920 section 3.1).
     */
    bool reads_while_full;
    /* Of these there are very many, most of them idle. */
    bool is_small;
};

/* Embedded in an engine; its fields are the channel's own, but for guard. */
struct onward_channel {
    struct onward_ctx *ctx;
    struct onward_desk *desk; /* may be NULL; only its clock is read */
    const struct onward_channel_ops *ops;
    void *engine;
    struct onward_core__guard guard; /* of the whole engine */
    struct onward_channel_bounds bounds;

    struct onward_buf out;
    size_t out_start;        /* octets of out already written */
    struct onward_buf held;  /* read by pump, not yet taken */
    struct onward_buf plain; /* out of the filter, not yet taken */

    const struct onward_channel_filter_ops *filter_ops; /* NULL: none */
    void *filter;
    struct onward_channel__member *member; /* of a set; NULL: in none */

    int64_t now_ms;
    int64_t timeout_ms;  /* for a clock that is not known yet */
    int64_t deadline_ms; /* ONWARD_NEVER: none */
    int error;           /* what ended the engine; 0 */
    int eof_kind;        /* enum onward_eof told by the host; 0 */
    int eof_told;        /* the same, as ops->eof was called */
    bool has_now;
    bool is_paused;
    bool is_closing;   /* no input, close when written */
    bool is_secured;   /* the filter is up */
    bool is_unseen;    /* output that was never peeked */
    bool is_early;     /* input now is too early for the filter */
    bool was_high;     /* __write returned 1, drained not called yet */
    bool filter_ended; /* failed, or the peer said goodbye */
    bool filter_ready; /* its step may give more without new input */
    bool is_in_call;   /* of the host, who looks at it afterwards */
};

/* bounds NULL: all defaults. Takes no memory and cannot fail. The channel
 * keeps no reference to ctx or desk: the engine does. */
void onward_channel__init(struct onward_channel *ch, struct onward_ctx *ctx,
                          struct onward_desk *desk,
                          const struct onward_channel_ops *ops, void *engine,
                          const struct onward_channel_bounds *bounds);
/* Free what the channel holds, the filter too. Harmless when zero-filled. */
void onward_channel__clear(struct onward_channel *ch);
/*
 * The host frees the engine. True: do it now. False: a callback is running;
 * from now on no op is called, and ops->destroy comes at its end.
 */
ONWARD_USE_RESULT bool onward_channel__free_begin(struct onward_channel *ch);
/* Around host callbacks. leave: true when the engine was freed meanwhile and
 * is gone; touch nothing of it. */
void onward_channel__enter(struct onward_channel *ch);
ONWARD_USE_RESULT bool onward_channel__leave(struct onward_channel *ch);
static inline bool onward_channel__is_dead(const struct onward_channel *ch)
{
    return ch->guard.is_dead;
}
/* Is a call of this channel (or of its engine) running? Public functions of
 * an engine that may not be called in its callbacks answer ONWARD_ESTATE. */
static inline bool onward_channel__is_busy(const struct onward_channel *ch)
{
    return ch->guard.depth > 0;
}

/*
 * Send plaintext. 0; 1 when the output is at the high water mark now: stop
 * until ops->drained; ONWARD_ELIMIT above out_max, ONWARD_ENOMEM,
 * ONWARD_ECRYPTO; ONWARD_ESTATE after __close, a cut, or under a filter whose
 * handshake is not done.
 */
int onward_channel__write(struct onward_channel *ch, const void *data,
                          size_t len);
static inline int onward_channel__write_str(struct onward_channel *ch,
                                            struct onward_str s)
{
    return onward_channel__write(ch, s.data, s.len);
}
/* Octets that wait to be written, and what fits before ONWARD_ELIMIT. */
size_t onward_channel__out_len(const struct onward_channel *ch);
size_t onward_channel__out_room(const struct onward_channel *ch);
bool onward_channel__is_full(const struct onward_channel *ch);

/* From now on input and output that the channel keeps are wiped when they go:
 * a password is among them. */
void onward_channel__mark_secret(struct onward_channel *ch);

/* Take no input until __resume; neither calls the engine. */
void onward_channel__pause(struct onward_channel *ch);
void onward_channel__resume(struct onward_channel *ch);
/* Write what there is (and close_notify), then want CLOSE; input is dropped. No
 * op but destroy is called any more: when a timeout passes first, the channel
 * aborts by itself. */
void onward_channel__close(struct onward_channel *ch);
/* Throw the output away and want CLOSE at once. */
void onward_channel__abort(struct onward_channel *ch);
bool onward_channel__is_closing(const struct onward_channel *ch);

/* Call ops->timeout in timeout_ms from now; ONWARD_NEVER: never. Before the
 * host has told a time, from the first time that it tells. */
void onward_channel__set_timeout(struct onward_channel *ch, int64_t timeout_ms);
/* The same at a time of the host's clock (the desk's too). */
void onward_channel__set_deadline(struct onward_channel *ch, int64_t at_ms);
/* The time last told, here or at the desk; 0 before. */
int64_t onward_channel__now(const struct onward_channel *ch);

/*
 * Put a filter below the engine, for the rest of the channel's life. Output
 * written before stays plaintext. Input from before the host has looked at
 * that output (and at the filter's first flight) is early: it came before the
 * peer could have seen it, so the handshake fails; that holds for
 * the rest of the current feed and for later ones. On failure the filter is
 * freed. Once in a channel's life.
 */
ONWARD_USE_RESULT int
onward_channel__plug(struct onward_channel *ch,
                     const struct onward_channel_filter_ops *ops, void *filter);
/* Output that the host was not shown yet, so the peer cannot have seen. */
bool onward_channel__is_unseen(const struct onward_channel *ch);
/* Is a filter up? */
bool onward_channel__is_secured(const struct onward_channel *ch);

/* For filters: ciphertext to the peer. 0, ONWARD_ELIMIT or ONWARD_ENOMEM. */
int onward_channel__put(struct onward_channel *ch, const void *data,
                        size_t len);

#endif
