/*
 * The checks as relay uses them: over texts in its own arenas.
 */
#ifndef ONWARD_HANDLER_SHARED_H
#define ONWARD_HANDLER_SHARED_H

#include <onward/handler.h>

#include "address/address_shared.h"
#include "core/core_shared.h"

/* Fill out, which may be NULL; what may be any octets. 0, for return. */
int onward_handler__refuse(struct onward_refusal *out,
                           enum onward_refusal_code code,
                           struct onward_str what);
/* Is size what a caller can have set? */
bool onward_handler__can_refuse(const struct onward_refusal *out);

/* ---- Ids --------------------------------------------------------------- */

/* Does the id stand at *at of a field's value, comments and folds passed over?
 * It is borrowed without its brackets. false: there is no more, or no id. */
bool onward_handler__next_id(struct onward_str value, size_t *at,
                             struct onward_str *id);
/* Ids in all fields of that name. */
size_t onward_handler__count_ids(const struct onward_header *h,
                                 struct onward_str name);
/* The one id of the one field of that name; empty: there is none, or several.
 */
struct onward_str onward_handler__one_id(const struct onward_header *h,
                                         struct onward_str name);
/*
 * Append the References of an answer to a message: its own, and its id (RFC
 * 5322 section 3.6.4), folded, of at most max ids: the first and the last ones.
 */
int onward_handler__write_references(struct onward_buf *out,
                                     const struct onward_header *original,
                                     size_t max);

/* ---- Fields ------------------------------------------------------------ */

/* Who writes a field of this name? */
enum onward_handler__field_class {
    ONWARD_FIELD__X,        /* anybody */
    ONWARD_FIELD__ALLOWED,  /* a sender may */
    ONWARD_FIELD__BUILDER,  /* a sender, through the builder */
    ONWARD_FIELD__PLATFORM, /* who carries it */
    ONWARD_FIELD__TRACE,    /* the same, and it says where it was, or that it
                               is genuine */
    ONWARD_FIELD__OTHER
};
enum onward_handler__field_class
onward_handler__class_of(struct onward_str name);
/* May a field of such a name have this value, unfolded? */
bool onward_handler__is_value(struct onward_str name, struct onward_str value);

enum onward_field_policy
onward_handler__policy(const struct onward_field_list *list);

/* ---- Messages that are handed in --------------------------------------- */

/*
 * What replies and messages that are sent have in common: well-formed, no trace
 * field, one author who is from, a Message-ID. arena is for scratch. 1, 0 or an
 * error. from empty: any one author; author (may be NULL) is in the arena, its
 * domain in A-labels.
 */
ONWARD_USE_RESULT int
onward_handler__check_message(struct onward_arena *arena,
                              const struct onward_header *message,
                              struct onward_str from, struct onward_str *author,
                              struct onward_refusal *refusal);
/* Same address? Domains fold, local parts do not. 1, 0 (also when one is no
 * address) or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int onward_handler__same(struct onward_arena *arena,
                                           struct onward_str a,
                                           struct onward_str b);
/* The form in which addresses are compared and written. 0, ONWARD_ESYNTAX,
 * ONWARD_ELIMIT or ONWARD_ENOMEM. */
ONWARD_USE_RESULT int
onward_handler__write_address(struct onward_arena *arena,
                              const struct onward_address__mailbox *mailbox,
                              struct onward_str *text);
ONWARD_USE_RESULT int
onward_handler__address(struct onward_arena *arena, struct onward_str in,
                        struct onward_address__mailbox *mailbox,
                        struct onward_str *text);

/* ---- Once only --------------------------------------------------------- */

/* Where the ledger remembers that a message was answered. It is known by what
 * is answered, not by its octets: it may come by two ways, and the answer may
 * come later, by a ticket. key has room for ONWARD_TICKET_KEY_MAX; returns the
 * length. */
size_t onward_handler__reply_key(char *key, struct onward_str message_id,
                                 struct onward_str sender,
                                 struct onward_str recipient);

/* ---- Sending ----------------------------------------------------------- */

/* Who gets a message that passed. */
struct onward_handler__send {
    struct onward_str from;
    struct onward_str *to; /* each once */
    size_t to_count;
};

/* onward_send_check() that keeps what it found, in arena. */
ONWARD_USE_RESULT int onward_handler__send_check(
    struct onward_arena *arena, const struct onward_send_question *question,
    struct onward_handler__send *send, struct onward_refusal *refusal);

#endif
