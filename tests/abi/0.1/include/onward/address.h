#ifndef ONWARD_ADDRESS_H
#define ONWARD_ADDRESS_H

#include <onward/core.h>

/** @file
 * Mail addresses: one mailbox as SMTP has it (RFC 5321 section 4.1.2, RFC
 * 6531), and the address lists of header fields (RFC 5322 sections 3.4 and 4.4,
 * RFC 6532, RFC 6854).
 *
 * There is one parser, and it is strict: what it refuses, no module of this
 * library reads another way. It accepts the obsolete forms of RFC 5322, because
 * they have one meaning, and refuses all text that it cannot account for,
 * control characters, and invisible characters inside an address.
 *
 * Threads: an object may be read by several threads once it is made.
 */

#ifdef __cplusplus
extern "C" {
#endif

/* ---- One mailbox ------------------------------------------------------- */

/** A mailbox, read and checked. */
struct onward_mailbox; /* opaque */

/** For onward_mailbox_parse() and onward_mailbox_equal(); add them up. */
enum onward_mailbox_flag {
    /** Take UTF-8 local parts and U-label domains (RFC 6531). */
    ONWARD_MAILBOX_ALLOW_UTF8 = 1,
    /** Compare local parts without regard to ASCII case. */
    ONWARD_MAILBOX_FOLD_LOCAL = 2
};

/**
 * Read an address as it stands in an SMTP command, without the angle brackets:
 * `user@example.com`, `"a b"@example.com`, `user@[192.0.2.1]`,
 * `user@[IPv6:2001:db8::1]`.
 *
 * @param ctx      kept alive by the mailbox.
 * @param text     copied. All of it must be the address: no blanks, comments or
 *                 display names.
 * @param flags    of enum onward_mailbox_flag; others are ignored.
 * @param mailbox  out: free with onward_mailbox_free(). Untouched on failure.
 * @return 0, or
 *         ONWARD_ESYNTAX  not such an address; also one that needs
 *                         ONWARD_MAILBOX_ALLOW_UTF8 when it was not given
 *         ONWARD_ELIMIT   local part over 64 octets, domain over 255, or the
 *                         whole over 254 (RFC 5321 section 4.5.3.1)
 *         ONWARD_ENOMEM   out of memory
 * @note Calls no callback but the allocator.
 * @since 0.1
 */
ONWARD_API int onward_mailbox_parse(struct onward_ctx *ctx,
                                    struct onward_str text, uint64_t flags,
                                    struct onward_mailbox **mailbox);

/**
 * @param mailbox  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_mailbox_free(struct onward_mailbox *mailbox);

/**
 * The local part as it is meant: quotes and backslashes taken off, case kept.
 * It may hold blanks, `@` and `>`; to write an address use
 * onward_mailbox_text().
 *
 * @return borrowed from mailbox.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_mailbox_local_part(const struct onward_mailbox *mailbox);

/**
 * The domain as written, an address literal with its brackets.
 *
 * @return borrowed from mailbox.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_mailbox_domain(const struct onward_mailbox *mailbox);

/**
 * The domain in lower-case A-labels (RFC 5890): the form to look up and to
 * compare.
 *
 * @return borrowed from mailbox; empty for an address literal.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_mailbox_domain_ascii(const struct onward_mailbox *mailbox);

/**
 * The domain in lower-case U-labels (RFC 5890), for people to read: A-labels
 * decoded, all else as onward_mailbox_domain_ascii() has it. Which scripts may
 * be shown together is for the caller to judge.
 *
 * @return borrowed from mailbox, UTF-8; empty for an address literal.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_mailbox_domain_unicode(const struct onward_mailbox *mailbox);

/**
 * The address of an address literal.
 *
 * @param ip  out; untouched when there is none.
 * @return 1, or 0 when the domain is a name.
 * @since 0.1
 */
ONWARD_API int onward_mailbox_literal(const struct onward_mailbox *mailbox,
                                      struct onward_ip *ip);

/**
 * Does it need SMTPUTF8 on its way (RFC 6531)?
 *
 * @return 1 when local part or domain as written is not ASCII, else 0.
 * @since 0.1
 */
ONWARD_API int onward_mailbox_is_utf8(const struct onward_mailbox *mailbox);

/**
 * The address, quoted anew and only where it must be (RFC 5321 section 4.1.2):
 * `"abc"@example.com` reads `abc@example.com`.
 *
 * @return borrowed from mailbox.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_mailbox_text(const struct onward_mailbox *mailbox);

/**
 * Do two name the same mailbox? Domains compare by their A-labels, local parts
 * octet for octet unless ONWARD_MAILBOX_FOLD_LOCAL is given: only the host of a
 * mailbox knows whether case matters there (RFC 5321 section 2.4).
 *
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int onward_mailbox_equal(const struct onward_mailbox *a,
                                    const struct onward_mailbox *b,
                                    uint64_t flags);

/* ---- The addresses of a header field ----------------------------------- */

/** The mailboxes of a From, Sender, Reply-To, To, Cc or Bcc field. */
struct onward_address_list; /* opaque */

struct onward_address_list_opts {
    size_t size;
    size_t max_mailboxes; /**< default 1000 */
};

/**
 * Read the body of an address field: mailboxes and groups, with comments (at
 * most 16 deep), folds, and the obsolete forms of RFC 5322 section 4.4. Of an
 * obsolete route the mailbox at its end counts.
 *
 * A field that does not follow the grammar is no error: the list is then empty,
 * and onward_address_list_fault() says where and why.
 *
 * @param ctx   kept alive by the list.
 * @param body  what follows the colon of the field, without the last CRLF;
 *              copied.
 * @param opts  borrowed for this call; NULL: all defaults.
 * @param list  out: free with onward_address_list_free(). Untouched on failure.
 * @return 0, or
 *         ONWARD_ELIMIT   more than max_mailboxes
 *         ONWARD_EINVAL, ONWARD_EVERSION  opts that this release cannot read
 *         ONWARD_ENOMEM   out of memory
 * @note Calls no callback but the allocator. Cost: linear in body.
 * @since 0.1
 */
ONWARD_API int
onward_address_list_parse(struct onward_ctx *ctx, struct onward_str body,
                          const struct onward_address_list_opts *opts,
                          struct onward_address_list **list);

/**
 * @param list  may be NULL.
 * @since 0.1
 */
ONWARD_API void onward_address_list_free(struct onward_address_list *list);

/**
 * Why the field is malformed.
 *
 * @param offset  out, when the field is malformed: octets of body before the
 *                first that could not be read. May be NULL.
 * @return static text ending in NUL; NULL when the field is well-formed.
 * @since 0.1
 */
ONWARD_API const char *
onward_address_list_fault(const struct onward_address_list *list,
                          size_t *offset);

/**
 * How many mailboxes, those in groups included.
 *
 * @return 0 for a malformed field too, and for `undisclosed:;`.
 * @since 0.1
 */
ONWARD_API size_t
onward_address_list_count(const struct onward_address_list *list);

/**
 * Mailbox i, 0 being the first.
 *
 * @return borrowed from list; NULL if i is not below
 *         onward_address_list_count().
 * @since 0.1
 */
ONWARD_API const struct onward_mailbox *
onward_address_list_mailbox(const struct onward_address_list *list, size_t i);

/**
 * The display name of mailbox i as written: quotes, comments, folds and encoded
 * words are still in it.
 *
 * @return borrowed from list; empty when there is none or no mailbox i.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_address_list_display_name(const struct onward_address_list *list,
                                 size_t i);

/**
 * The name, as written, of the group that mailbox i is in.
 *
 * @return borrowed from list; empty when it is in none or there is no mailbox
 *         i.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_address_list_group(const struct onward_address_list *list, size_t i);

#ifdef __cplusplus
}
#endif

#endif
