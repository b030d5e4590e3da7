#ifndef ONWARD_DNSLIST_H
#define ONWARD_DNSLIST_H

#include <onward/core.h>
#include <onward/dns.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * Is a client on a list? Lists of addresses in the DNS (RFC 5782): those who
 * are on a block list are not to be heard, unless they are on an allow list.
 *
 * All lists are asked at once, then the block lists that have the address are
 * asked why (TXT). What is decided does not depend on the order of the answers,
 * and a list that does not answer, or answers what is no answer, blocks nobody:
 * outside of 127.0.0.0/8, as from a domain that was given up, and
 * 127.255.255.0/24, by which lists say that they are not to be asked so.
 *
 * A list is written as Postfix has it, `zone` or `zone=code`:
 *
 *     bl.example                      any code
 *     bl.example=127.0.0.2            this one
 *     bl.example=127.0.0.[2..11;17]   these
 *     list.example=127.0.[0..255].[1..3]
 *
 * A question belongs to one thread at a time, that of its desk.
 */

/** What a list is for. @since 0.1 */
enum onward_dnslist_kind {
    ONWARD_DNSLIST_BLOCK = 1,
    /** Without a code of its own 127.0.0.255 does not count here: by that a
     * large allow list says that it is not to be asked so. */
    ONWARD_DNSLIST_ALLOW = 2
};

/** What came of it. @since 0.1 */
enum onward_dnslist_verdict {
    ONWARD_DNSLIST_PENDING = 0,
    ONWARD_DNSLIST_NONE = 1,    /**< on none, as far as is known */
    ONWARD_DNSLIST_BLOCKED = 2, /**< on a block list, and on no allow list */
    ONWARD_DNSLIST_ALLOWED = 3  /**< on an allow list */
};

/** One address and the lists it is looked up in. Opaque. */
struct onward_dnslist;

struct onward_dnslist_opts {
    size_t size;
    const struct onward_ip *ip; /**< copied. Required */
    /** What has not answered by then counts as not answering; default 10000. */
    size_t timeout_ms;
    size_t max_lists; /**< default 32 */
    uint64_t log_id;  /**< 0: the desk's */
};

struct onward_dnslist_host {
    size_t size;
    void *user;
    /** The verdict is there. Once, inside onward_desk_run(), never after
     * onward_dnslist_free(), which is allowed in here. */
    void (*done)(void *user, struct onward_dnslist *dnslist);
};

/**
 * Begin a question. Add the lists before the next onward_desk_run(), which
 * asks; without any the verdict is ONWARD_DNSLIST_NONE.
 *
 * @param resolver  its memory is kept until onward_dnslist_free().
 * @param opts      borrowed for this call. An IPv4-mapped address is looked up
 *                  as the IPv4 address it is.
 * @param host      borrowed for this call; done is required.
 * @param dnslist   out: free with onward_dnslist_free().
 * @return 0, ONWARD_EINVAL, ONWARD_EVERSION, ONWARD_ENOMEM, or
 *         ONWARD_ESTATE  the desk was freed
 * @since 0.1
 */
ONWARD_API int onward_dnslist_new(struct onward_resolver *resolver,
                                  const struct onward_dnslist_opts *opts,
                                  const struct onward_dnslist_host *host,
                                  struct onward_dnslist **dnslist);

/**
 * Look it up in one more list.
 *
 * @param kind  enum onward_dnslist_kind.
 * @param list  `zone` or `zone=code`, the zone in A-labels; copied.
 * @return 0, or
 *         ONWARD_ESYNTAX  no such list
 *         ONWARD_EINVAL   no such kind
 *         ONWARD_ELIMIT   more than max_lists
 *         ONWARD_ESTATE   the lists were asked already
 *         ONWARD_ENOMEM   out of memory
 *         After any of them the others are asked all the same.
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int onward_dnslist_add(struct onward_dnslist *dnslist, int kind,
                                  struct onward_str list);

/**
 * Give the question up, or the answer back. Allowed inside any callback.
 *
 * @param dnslist  may be NULL.
 * @note May call cancel of the resolver's host table.
 * @since 0.1
 */
ONWARD_API void onward_dnslist_free(struct onward_dnslist *dnslist);

/** @return enum onward_dnslist_verdict. @since 0.1 */
ONWARD_API int onward_dnslist_result(const struct onward_dnslist *dnslist);

/** One list that has the address; the caller sets size. Texts are borrowed
 * until onward_dnslist_free(). */
struct onward_dnslist_hit {
    size_t size;
    size_t kind;            /**< enum onward_dnslist_kind */
    struct onward_str zone; /**< as it was added, without the code */
    /** Its TXT record as one line of at most 200 octets of printable ASCII;
     * empty when there is none, and for an allow list. */
    struct onward_str reason;
    uint8_t code[8]; /**< four octets, "127.0.0.2"; then zeros */
};

/** @return how many lists have it; 0 before the verdict. @since 0.1 */
ONWARD_API size_t
onward_dnslist_hit_count(const struct onward_dnslist *dnslist);

/**
 * List i that has it, in the order in which they were added.
 *
 * @param hit  out: at most hit->size octets are written.
 * @return 0, ONWARD_ENOENT or ONWARD_EINVAL (size).
 * @since 0.1
 */
ONWARD_API int onward_dnslist_hit_at(const struct onward_dnslist *dnslist,
                                     size_t i, struct onward_dnslist_hit *hit);

/**
 * What to tell a client that is blocked, behind 554 5.7.1:
 *
 *     192.0.2.1 found on one or more DNSBLs (bl.example): see https://...
 *
 * with the zones of all lists that have it, and the reason of the first that
 * gives one.
 *
 * @return printable ASCII, at most 500 octets, borrowed until
 *         onward_dnslist_free(); empty unless the verdict is
 *         ONWARD_DNSLIST_BLOCKED.
 * @since 0.1
 */
ONWARD_API struct onward_str
onward_dnslist_text(const struct onward_dnslist *dnslist);

/* ---- Parts ------------------------------------------------------------- */

/**
 * Can this be a list?
 *
 * @param list  as for onward_dnslist_add().
 * @return 1 or 0.
 * @since 0.1
 */
ONWARD_API int onward_dnslist_is_list(struct onward_str list);

/**
 * The name to ask about an address in a zone (RFC 5782 sections 2.1 and 2.4):
 * the octets, or the hex digits, of the address from the last to the first.
 *
 * @param zone  in A-labels.
 * @param name  room for cap octets; gets the name and a NUL.
 * @param cap   254 is always enough.
 * @return the length without the NUL, or
 *         ONWARD_EINVAL  no such family
 *         ONWARD_ELIMIT  the name would be no DNS name, or cap is too small;
 *                        name is untouched
 * @since 0.1
 */
ONWARD_API int onward_dnslist_name(const struct onward_ip *ip,
                                   struct onward_str zone, char *name,
                                   size_t cap);

/**
 * A stable lower-case word for a verdict, "blocked", for logs.
 *
 * @return static text ending in NUL, never NULL, "unknown" for a foreign
 *         number.
 * @since 0.1
 */
ONWARD_API const char *onward_dnslist_verdict_name(int verdict);

#ifdef __cplusplus
}
#endif

#endif
