/*
 * SMTP dialogues as scripts, played against a client session: what the server
 * says, what the client must say to it, and what is then told.
 */
#ifndef ONWARD_TESTS_SMTP_PLAY_H
#define ONWARD_TESTS_SMTP_PLAY_H

#include "support/support.h"

#include <onward/smtp_client.h>

/*
 * A script has one step a line:
 *
 *     S text       the server sends the text and CRLF
 *     C text       the client's next output is the text and CRLF
 *     R text       the same without CRLF; ~ stands for LF
 *     W text, X text    the server sends, the client says just these octets,
 *                  \xHH for any of them
 *     N            the client has no more output now
 *     DROP         what it said is not looked at: TLS
 *     EOF, CUT     the connection ends
 *     T ms         so much time passes
 *     MAIL n       give message n of the play; it is also given at the start if
 *                  the script has no such line
 *     QUIT, RELEASE, CANCEL    the host's calls
 *     TOLD word    ready, held, done, closed or starttls was told, next in line
 *     TLS word     the host's handshake: up, verified, or failed
 *     m: text      the outcome of the message; s: of the session; 0: of
 *                  recipient 0. See t_play_outcome.
 *     CLOSE        the channel wants to be closed
 */

struct t_play_mail {
    const char *from;
    const char *to; /* with blanks between them */
    struct onward_str text;
    size_t smtputf8, hold_dot, allow_unchecked, body, require_tls, ret;
    struct onward_str envid;
    size_t notify; /* of the first recipient, as orcpt */
    struct onward_str orcpt;
};

struct t_play {
    struct t_world *world;
    const struct t_play_mail *mails;
    /* How to cut: step is octets a feed and a drain (0: all); at is one more
     * cut at that octet of all that the server says. */
    size_t step, at;
    size_t fed; /* octets of the server so far */
    struct onward_smtp_client_opts opts;
    /* Set up by t_play_begin. */
    struct onward_desk *desk;
    struct onward_smtp_client *client;
    struct onward_channel *ch;
    int64_t now_ms;
    char out[1 << 16]; /* said by the client, not yet looked at */
    size_t out_len;
    char told[64][12];
    size_t told_count, told_seen;
    const struct t_play_mail *mail; /* the source reads from it */
    size_t
        source_waits; /* each read first says ONWARD_AGAIN; 2: answers late */
    bool source_ready;
    uint64_t source_token;
    size_t read_cap;     /* octets a read gives at most; 0: all */
    const char *free_at; /* word: free the client inside that callback */
    int error;           /* an allocation failed */
    bool is_starved;     /* by t_play_oom */
};

/* Takes p->opts; false when memory failed. */
bool t_play_begin(struct t_play *p);
int t_play_give(struct t_play *p, const struct t_play_mail *mail);
/* Let all happen that can; output is gathered. */
void t_play_settle(struct t_play *p);
void t_play_feed(struct t_play *p, const void *data, size_t len);
/* The script up to its end; fails the test, but returns false when memory
 * failed (and only then). */
bool t_play_script(struct t_play *p, const char *script);
void t_play_end(struct t_play *p);

/* Begin, script, end; and that for all cuts. */
void t_play_whole(const struct t_play *how, const char *script);
void t_play_all(const struct t_play *how, const char *script);

/* The script with the first allocation failing, the second, and so on; texts of
 * outcomes may then be missing, so outcomes are not looked at. */
void t_play_oom(const struct t_play *how, const char *script);

/* "delivered final reply 250 2.0.0 text". */
void t_play_outcome(const struct onward_smtp_client *client, size_t i,
                    char *text, size_t cap);

#endif
