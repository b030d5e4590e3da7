#ifndef ONWARD_TLSRPT_COLLECTOR_H
#define ONWARD_TLSRPT_COLLECTOR_H

#include <onward/store.h>
#include <onward/tlsrpt.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * The TLS reports that we write (RFC 8460): sessions are counted by domain and
 * day, what was counted is kept in a store, and when the day is over the report
 * to each domain is handed to the host, who asks for the domain's record and
 * sends it (onward_tlsrpt_records_parse(), onward_tlsrpt_report_mail()).
 *
 * Several collectors may share a store: each keeps rows of its own, one of them
 * gives the reports, with the rows of all. Days are those of UTC.
 * Rows are put without ONWARD_STORE_KEEP: a store that is full lets them go
 * before what mail goes by.
 *
 * A collector belongs to the desk of its store, and so to one thread at a time.
 */

/** Counts of a desk. Opaque. */
struct onward_tlsrpt_collector;

struct onward_tlsrpt_collector_opts {
    size_t size;
    struct onward_store *store;     /**< kept alive. Required */
    struct onward_str organization; /**< who reports. Required */
    struct onward_str contact;      /**< its address. Required */
    size_t max_domains; /**< of which there are counts at once; default 10000 */
    size_t max_bytes;   /**< of the texts for a domain; default 65536 */
    /** How long counts stand in memory alone, where a crash loses them;
     * default 60000. */
    size_t save_ms;
    /** How long they wait in the store for their report; default 864000. */
    size_t keep_s;
    uint64_t log_id; /**< 0: the desk's */
};

struct onward_tlsrpt_collector_host {
    size_t size;
    void *user;
    /**
     * The report of a day to a domain: send it, and answer by
     * onward_tlsrpt_collector_answer(), now or later. The next one comes after
     * that. Runs inside onward_desk_run(); may free the collector. Required.
     *
     * @param report  may be asked for its JSON and its mail; the collector's,
     *                until the answer.
     */
    void (*report)(void *user, uint64_t token,
                   struct onward_tlsrpt_report *report);
    /** All reports of onward_tlsrpt_collector_send() were given, or the store
     * fails: err is 0 or its error. Inside onward_desk_run(); may free the
     * collector. May be NULL. */
    void (*sent)(void *user, int err);
};

/**
 * Make a collector.
 *
 * @param opts       borrowed for this call; texts are copied.
 * @param host       borrowed for this call.
 * @param collector  out: free with onward_tlsrpt_collector_free().
 * @return 0, or
 *         ONWARD_EINVAL   something required is missing
 *         ONWARD_ESYNTAX  contact is no address that a report may have
 *         ONWARD_ESTATE   the desk was freed
 *         ONWARD_ERANDOM  no randomness for the name of its rows
 *         ONWARD_EVERSION, ONWARD_ENOMEM
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_collector_new(const struct onward_tlsrpt_collector_opts *opts,
                            const struct onward_tlsrpt_collector_host *host,
                            struct onward_tlsrpt_collector **collector);

/**
 * End it; what was not saved is lost. Allowed inside any callback.
 *
 * @param collector  may be NULL.
 * @since 0.1
 */
ONWARD_API void
onward_tlsrpt_collector_free(struct onward_tlsrpt_collector *collector);

/**
 * Count sessions of today, as the context's clock has it: what tls_result of
 * struct onward_egress_host is told.
 *
 * @param domain   whose record of RFC 8460 says where the report goes;
 *                 A-labels, in lower case.
 * @param session  borrowed for this call.
 * @return as onward_tlsrpt_report_add(), or
 *         ONWARD_ESYNTAX  no such domain
 *         ONWARD_ELIMIT   more than max_domains, too
 *         ONWARD_ESTATE   the desk was freed
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_collector_add(struct onward_tlsrpt_collector *collector,
                            struct onward_str domain,
                            const struct onward_tlsrpt_session *session);

/**
 * Bring what stands in memory to the store now: before the process ends.
 * onward_tlsrpt_collector_unsaved() says when it is there.
 *
 * @return 0 or ONWARD_ESTATE (the desk was freed).
 * @note Calls no callback; the store is asked inside onward_desk_run().
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_collector_save(struct onward_tlsrpt_collector *collector);

/** @return how many domains have counts that are not in the store yet.
 * @since 0.1 */
ONWARD_API size_t
onward_tlsrpt_collector_unsaved(const struct onward_tlsrpt_collector *collector);

/**
 * Give the reports of all days that ended before a moment, those too of days
 * on which nothing of us ran. What the host sends is removed; what it does not
 * comes again with a later call.
 *
 * A report that another collector of the store has begun is left to it for an
 * hour.
 *
 * @param before_s  Unix seconds; of what is later than now, now.
 * @return 0: `sent` will come; ONWARD_ESTATE: under way, or the desk was freed.
 * @note Calls no callback.
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_collector_send(struct onward_tlsrpt_collector *collector,
                             int64_t before_s);

/**
 * The same, but only to be looked at: nothing is saved, claimed or removed,
 * whatever the answers. What other collectors have not saved yet is not seen.
 *
 * @return as onward_tlsrpt_collector_send().
 * @since 0.1
 */
ONWARD_API int
onward_tlsrpt_collector_look(struct onward_tlsrpt_collector *collector,
                             int64_t before_s);

/** What became of a report. */
enum onward_tlsrpt_answer {
    ONWARD_TLSRPT_SENT = 1,   /**< or nobody wants it: forget it */
    ONWARD_TLSRPT_NOT_NOW = 2 /**< it is to come again with a later call */
};

/**
 * Answer `report`.
 *
 * @param answer  enum onward_tlsrpt_answer.
 * @return 0, ONWARD_ESTALE (nobody waits for that token) or ONWARD_EINVAL.
 * @note Calls no callback; allowed inside report.
 * @since 0.1
 */
ONWARD_API int onward_tlsrpt_collector_answer(struct onward_desk *desk,
                                              uint64_t token, int answer);

/**
 * When to send next: after the next midnight of UTC, spread over four hours, so
 * that not all reports of the world come at once (RFC 8460 section 4.1).
 *
 * @param now_s   Unix seconds.
 * @param random  any number that others do not have too.
 * @return Unix seconds.
 * @since 0.1
 */
ONWARD_API int64_t onward_tlsrpt_send_time(int64_t now_s, uint32_t random);

#ifdef __cplusplus
}
#endif

#endif
