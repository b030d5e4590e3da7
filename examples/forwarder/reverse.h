/*
 * Reverse aliases: who gets mail through an address of ours answers through us,
 * and shows that address alone.
 */
#ifndef REVERSE_H
#define REVERSE_H

#include "forwarder.h"

/* Of one message: a copy that gets such an address, or mail to one. */
struct reverse;

/*
 * RCPT. 1: it is such an address, and taken; 0: refused; -1: it is none, the
 * rules know. *reverse is made when it is taken.
 */
int reverse_rcpt(struct session *session, struct reverse **reverse,
                 struct onward_str address, struct onward_smtp_reply *reply);
/* Is it mail to such an address? */
bool reverse_is_answer(const struct reverse *reverse);
/* The message is whole and verified: send it on as its author's alias; the
 * session hears by session_answer(). */
void reverse_take(struct reverse *reverse, const struct onward_source *source);

/*
 * Give a message that is about to be forwarded such an address for its author.
 * 1: session_go_on() is called when that is kept; 0: it gets none; -1: it
 * cannot be kept now.
 */
int reverse_begin(struct session *session, struct reverse **reverse);
/* The relay has begun: put it into the copies. 0 or -1. */
int reverse_edit(struct reverse *reverse, struct onward_relay *relay);

/* May be NULL. */
void reverse_free(struct reverse *reverse);

#endif
