/*
 * One message that a mail server lends us: what to check, what to change,
 * whether to take it. How the server speaks is another's: onward-milter stands
 * on this.
 *
 *     struct filter_settings   keys of a configuration file
 *     struct filter_setup      what they name, loaded; shared by messages
 *     struct filter            one message
 *
 * Mail is *ours* when its client has authenticated, or its address is one of
 * `internal`: it is signed by DKIM, for the domain of its author. All other
 * mail has *come to us*: it is verified (SPF, DKIM, ARC, DMARC), the results
 * are put on top, DMARC's policy is followed, it is sealed by ARC, and where it
 * goes on to somebody else its sender is rewritten (SRS). Fields of either that
 * claim results of ours are cut.
 *
 * In the life of a message:
 *
 *     MAIL     filter_new()
 *     RCPT     filter_rcpt(), for each
 *     octets   filter_feed(): header, empty line, body; CRLF ends lines
 *     the dot  filter_finish(); done comes at once, or inside onward_desk_run()
 *     then     filter_decision(), filter_free()
 *
 * The body is hashed as it passes and not kept. Free it at any time: a message
 * that is given up leaves nothing behind. Everything here belongs to one
 * thread, that of the desk.
 *
 * A host runs the desk after each turn of its loop:
 *
 *     loop_turn(loop, ...); onward_desk_run(desk, host_now_ms());
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include <onward.h>

#include "config.h"
#include "json.h"
#include "loop.h"
#include "resolve.h"
#include "service.h"

/* ---- Settings (settings.c) --------------------------------------------- */

enum { FILTER_KEYS = 22 };

/* What may stand for a decision that cannot be made. */
enum filter_way { FILTER_WAY_TEMPFAIL = 0, FILTER_WAY_ACCEPT = 1 };

/* As read; the manual pages say what each key means. */
struct filter_settings {
    char *hostname, *authserv_id; /* NULL: hostname */
    char *dns, *resolver, *resolver_anchor;
    struct config_list internal; /* ADDRESS, ADDRESS/LENGTH or "none" */
    bool verify, enforce_dmarc, allow_malformed;
    char *dmarc_reject; /* NULL: "service" */
    struct config_list trusted_sealers;
    size_t dmarc_quarantine;      /* 0: accept, 1: hold */
    size_t temperror, failure;    /* enum filter_way */
    struct config_list dkim_keys; /* DOMAIN SELECTOR FILE */
    struct config_list dkim_for;  /* AUTHOR-DOMAIN DOMAIN */
    char *seal_key, *seal_domain, *seal_selector;
    char *srs_domain, *srs_secret;
    struct config_list forward; /* DOMAIN, "*.DOMAIN" or "*" */
};

/*
 * Put our keys, and defaults, at the start of a program's own table, which has
 * room for FILTER_KEYS and its own behind them. Returns how many it put.
 */
size_t filter_keys(struct filter_settings *s, struct config_key *keys);

/* ---- Setup (setup.c) --------------------------------------------------- */

struct filter_setup;

/* What the program brings. All of it outlives the setup. */
struct filter_setup_opts {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    struct loop *loop; /* wakes us when libunbound has an answer */
    const struct filter_settings *settings;
    const struct config_key *keys; /* as config_read() left them */
    const char *path;              /* of the file, for faults */
};

/*
 * Load what the settings name. NULL: fault has one line, *status EXIT_CONFIG
 * or EXIT_UNUSABLE. It must outlive its messages, and the settings must outlive
 * it: a program that reloads counts who has them.
 */
struct filter_setup *filter_setup_new(const struct filter_setup_opts *o,
                                      char *fault, size_t fault_size,
                                      int *status);
void filter_setup_free(struct filter_setup *setup);

/* ---- Senders (srs.c) --------------------------------------------------- */

/*
 * For a host that has to name the sender before it knows the message:
 * filter_new() and a decision do this by themselves.
 *
 * The sender as it leaves, for a message with that recipient; 0: as it came.
 * out has room for ONWARD_SRS_TEXT_MAX octets. Whether the message would gain
 * DMARC by it is only known with the message, see struct filter_decision.
 */
size_t filter_srs_sender(const struct filter_setup *setup,
                         struct onward_str sender, struct onward_str rcpt,
                         char *out);

/* ---- One message (message.c) ------------------------------------------- */

struct filter;

/* What MAIL and the connection said; borrowed for the call. */
struct filter_envelope {
    struct onward_ip client_ip; /* family 0: none is known */
    struct onward_str helo;
    struct onward_str mail_from; /* no brackets; empty: the null path */
    bool is_authenticated;       /* by AUTH, or as a user of this machine */
};

enum filter_verdict { FILTER_ACCEPT, FILTER_REJECT, FILTER_TEMPFAIL };

/* For the client: printable ASCII. */
struct filter_reply {
    unsigned code;        /* 550, 451 */
    const char *enhanced; /* "5.7.1" */
    const char *text;
};

/* A field of the message that goes, with its folds. */
struct filter_cut {
    size_t item; /* of the header as it came, 0 is the top */
    size_t nth;  /* among the fields of that name, 1 is the top */
    const char *name;
};

/* A field that is put on top: `NAME:VALUE` CR LF are its octets. */
struct filter_field {
    const char *name;
    const char *value; /* with the blank it begins with; folds are CR LF WSP */
};

/* A recipient that becomes another: a bounce to a rewritten sender of ours. */
struct filter_recipient {
    const char *from; /* as filter_rcpt() was given it */
    const char *to;
};

struct filter_decision {
    enum filter_verdict verdict;
    struct filter_reply reply; /* unless it is FILTER_ACCEPT */
    /* All that follows is for FILTER_ACCEPT. */
    const char *quarantine; /* why it should be put apart; NULL: it need not */
    const struct filter_cut *cuts; /* from the lowest up, so that the numbers of
                                      the others hold while they are cut */
    size_t cut_count;
    const struct filter_field *fields; /* the topmost first */
    size_t field_count;
    const char *sender; /* rewritten; NULL: as it came */
    const struct filter_recipient *rcpts;
    size_t rcpt_count;
};

/*
 * Begin with a message. done: the decision is there; once, inside
 * filter_finish() or onward_desk_run(), and it may free the filter. NULL: no
 * memory, answer 451.
 */
struct filter *filter_new(struct filter_setup *setup,
                          const struct filter_envelope *envelope,
                          void (*done)(void *user, struct filter *f),
                          void *user);
void filter_free(struct filter *f);

/*
 * A recipient, no brackets. FILTER_ACCEPT, or reply says how to refuse it; its
 * text is static. One that was refused does not count.
 */
enum filter_verdict filter_rcpt(struct filter *f, struct onward_str address,
                                struct filter_reply *reply);

/* The next octets, cut anywhere. What goes wrong is in the decision. */
void filter_feed(struct filter *f, const void *data, size_t len);
/* The message is whole. done may have freed f when this returns. */
void filter_finish(struct filter *f);

/* From done on, until filter_free(). */
const struct filter_decision *filter_decision(const struct filter *f);
/* The header as it came, whose items the cuts are, for a host that writes the
 * message anew; with a decision that is FILTER_ACCEPT. */
const struct onward_header *filter_header(const struct filter *f);
/* Members for a line of log, in an object that is open: what was found and
 * done. Any time. */
void filter_log(const struct filter *f, struct json *j);

#endif
