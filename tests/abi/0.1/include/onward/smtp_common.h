#ifndef ONWARD_SMTP_COMMON_H
#define ONWARD_SMTP_COMMON_H

#include <onward/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @file
 * What the SMTP server session and the SMTP client session share: replies
 * (RFC 5321 section 4.2, RFC 3463), extensions and body types.
 */

/**
 * A reply, in either direction. What a host hands in is checked and written by
 * the session, so no text can start a line of its own or carry a control.
 */
struct onward_smtp_reply {
    size_t size;
    size_t code; /**< 200 to 599 */
    /**
     * The enhanced status code, "5.7.1" (RFC 3463); its class is the first
     * digit of code. Empty: none was received; when sent, the class with
     * ".0.0".
     */
    struct onward_str enhanced;
    /**
     * Lines with LF between them, without codes. Empty: a stock text when
     * sent. Octets that do not belong into a reply are sent as \xHH.
     */
    struct onward_str text;
    /**
     * Hold the reply back for so long once its turn has come, to slow a client
     * down; at most the session's answer_ms. 0: at once. 0 in what is received.
     *
     * @since 0.1
     */
    size_t delay_ms;
};

/**
 * Service extensions, one bit each, in sets of uint64_t.
 *
 * @since 0.1
 */
enum onward_smtp_extension {
    ONWARD_SMTP_EXT_PIPELINING = 1,          /**< RFC 2920 */
    ONWARD_SMTP_EXT_SIZE = 2,                /**< RFC 1870 */
    ONWARD_SMTP_EXT_8BITMIME = 4,            /**< RFC 6152 */
    ONWARD_SMTP_EXT_ENHANCEDSTATUSCODES = 8, /**< RFC 2034 */
    ONWARD_SMTP_EXT_STARTTLS = 16,           /**< RFC 3207 */
    ONWARD_SMTP_EXT_SMTPUTF8 = 32,           /**< RFC 6531 */
    ONWARD_SMTP_EXT_CHUNKING = 64,           /**< RFC 3030 */
    ONWARD_SMTP_EXT_BINARYMIME = 128,        /**< RFC 3030 */
    ONWARD_SMTP_EXT_DSN = 256,               /**< RFC 3461 */
    ONWARD_SMTP_EXT_AUTH = 512,              /**< RFC 4954 */
    ONWARD_SMTP_EXT_REQUIRETLS = 1024,       /**< RFC 8689 */
    ONWARD_SMTP_EXT_LIMITS = 2048,           /**< RFC 9422 */
    ONWARD_SMTP_EXT_VRFY = 4096,             /**< RFC 5321 section 3.5 */
    ONWARD_SMTP_EXT_HELP = 8192,             /**< RFC 5321 section 4.1.1.8 */
    ONWARD_SMTP_EXT_DELIVERBY = 16384,       /**< RFC 2852 */
    ONWARD_SMTP_EXT_XCLIENT = 32768,         /**< of Postfix */
    ONWARD_SMTP_EXT_XFORWARD = 65536         /**< of Postfix */
};

/**
 * The BODY parameter of MAIL (RFC 6152, RFC 3030).
 *
 * @since 0.1
 */
enum onward_smtp_body {
    ONWARD_SMTP_BODY_UNSTATED = 0, /**< no BODY parameter: 7-bit */
    ONWARD_SMTP_BODY_7BIT = 1,
    ONWARD_SMTP_BODY_8BITMIME = 2,
    ONWARD_SMTP_BODY_BINARYMIME = 3
};

/**
 * The NOTIFY parameter of RCPT, a set (RFC 3461 section 4.1). NEVER stands
 * alone; 0: there was none, so it is the receiver's choice.
 *
 * @since 0.1
 */
enum onward_smtp_notify {
    ONWARD_SMTP_NOTIFY_NEVER = 1,
    ONWARD_SMTP_NOTIFY_SUCCESS = 2,
    ONWARD_SMTP_NOTIFY_FAILURE = 4,
    ONWARD_SMTP_NOTIFY_DELAY = 8
};

/**
 * The RET parameter of MAIL (RFC 3461 section 4.3): how much of the message
 * comes back in a failure report.
 *
 * @since 0.1
 */
enum onward_smtp_ret {
    ONWARD_SMTP_RET_UNSTATED = 0, /**< no RET parameter */
    ONWARD_SMTP_RET_FULL = 1,
    ONWARD_SMTP_RET_HDRS = 2
};

/**
 * The BY parameter of MAIL, a set (RFC 2852 section 4); 0: there was none.
 *
 * @since 0.1
 */
enum onward_smtp_by {
    ONWARD_SMTP_BY_NOTIFY = 1, /**< N: when late, deliver all the same, and
                                    report */
    ONWARD_SMTP_BY_RETURN = 2, /**< R: when late, do not deliver */
    ONWARD_SMTP_BY_TRACE = 4   /**< T: each relay reports too */
};

#ifdef __cplusplus
}
#endif

#endif
