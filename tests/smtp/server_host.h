/*
 * A host of a server session that writes down what happens: replies, events,
 * the message. What it answers depends on the local part of an address or on
 * the text of the message, so that a dialogue reads on its own.
 */
#ifndef ONWARD_TESTS_SERVER_HOST_H
#define ONWARD_TESTS_SERVER_HOST_H

#include "support/support.h"

#include <onward/smtp_server.h>

enum { T_TOKENS = 64 };

/* Callbacks, for counting and for freeing inside. */
enum t_callback {
    T_CONNECT = 1,
    T_HELO,
    T_MAIL,
    T_RCPT,
    T_DATA,
    T_MESSAGE_DATA,
    T_MESSAGE_END,
    T_VRFY,
    T_RESET,
    T_STARTTLS_READY,
    T_SECURED,
    T_CLOSE,
    T_MESSAGE_RCPT /* LMTP alone */
};

struct t_server {
    struct t_world *w;
    struct onward_desk *desk;
    struct onward_smtp_server *session;
    struct onward_channel *channel;
    struct onward_smtp_server_opts opts;
    bool no_connect; /* greet at once */
    bool no_message_rcpt;
    bool in_words; /* events as people write them, for dialogues */
    bool quiet;    /* no events at all */
    void (*on_reset)(void *user, int why); /* called too; may be NULL */
    bool defers;      /* keep tokens, answer in t_server_settle() */
    bool answers_now; /* answer inside the callback, not by default */
    int free_in;      /* enum t_callback; frees there */
    int free_at;      /* the n-th time; 0: the first */
    int pause_in;     /* enum t_callback; pauses there */
    int64_t now_ms;
    uint64_t tokens[T_TOKENS];
    struct onward_smtp_reply answers[T_TOKENS]; /* code 0: default */
    size_t token_count;
    char out[65536];
    size_t out_len;
    /* Of AUTH; user is the struct. NULL: the session has no such callback. */
    int (*auth)(void *user, uint64_t token,
                const struct onward_smtp_auth_request *request);
    void (*auth_done)(void *user,
                      const struct onward_smtp_auth_request *request,
                      int is_accepted);
    char events[16384];
    size_t events_len;
    char message[65536];
    size_t message_len;
    size_t message_start; /* of the transaction */
    size_t reset_count, close_count;
    size_t message_code; /* told in the last reset; 0: none */
    int close_status;
};

/*
 * Answer now, later, or by default (code 0), as t says; what a callback then
 * returns.
 */
int t_server_decide(struct t_server *t, uint64_t token, size_t code,
                    const char *enhanced, const char *text);
/* Fill in what a test does not; w and opts may be set before. */
void t_server_prepare(struct t_server *t, struct t_world *w);
/* Make desk (if there is none) and session; what the calls return. */
int t_server_start(struct t_server *t);
/* Feed all, drain all, run the desk, answer what was deferred, until nothing
 * moves. */
void t_server_feed(struct t_server *t, const void *data, size_t len);
void t_server_say(struct t_server *t, const char *text);
/* The same without answering. Returns what was taken. */
size_t t_server_feed_only(struct t_server *t, const void *data, size_t len);
void t_server_drain(struct t_server *t);
void t_server_tick(struct t_server *t, int64_t by_ms);
void t_server_eof(struct t_server *t, int kind);
/* Answer token i, which goes out of the list. */
int t_server_answer(struct t_server *t, size_t i);
/* Free session and desk. */
void t_server_stop(struct t_server *t);
/* Write down what happened. */
void t_server_note(struct t_server *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Forget output and events. */
void t_server_forget(struct t_server *t);
void t_server_assert_out(struct t_server *t, const char *want);
void t_server_assert_events(struct t_server *t, const char *want);

#endif
