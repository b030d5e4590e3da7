/*
 * The inside of a filter: settings.c has the keys, setup.c loads what they
 * name, message.c follows one message, sign.c has it sealed or signed,
 * changes.c collects what is to be changed, srs.c rewrites senders, log.c tells
 * what was found and done.
 */
#ifndef FILTER_PRIV_H
#define FILTER_PRIV_H

#include "filter.h"

/* One of dkim_key. */
struct filter_key {
    const char *domain, *selector; /* in text */
    char *text;
    struct onward_signer *signer;
};

struct filter_network {
    struct onward_ip ip;
    size_t bits;
};

struct filter_setup {
    struct onward_ctx *ctx;
    struct onward_desk *desk;
    const struct filter_settings *settings;
    struct onward_str authserv_id;
    struct resolve names;
    struct filter_key *keys;
    size_t key_count;
    struct filter_network *networks;
    size_t network_count;
    struct onward_signer *sealer;
    struct onward_srs *srs;
};

struct filter {
    struct filter_setup *setup;
    void (*done)(void *user, struct filter *f);
    void *user;
    char *mail_from, *client;
    bool is_ours, is_forwarded;

    /* The header is the verifier's, or our own. */
    struct onward_verifier *verifier;
    struct onward_header *own;
    struct onward_dkim_signer *signer;
    struct onward_arc_sealer *sealer;
    struct onward_dmarc_check *gain;

    bool is_finished, is_decided;
    bool is_cut; /* what claims to be ours is on the list */
    /* Why there is no more to look at; 0: there is. */
    int error;
    const char *signed_by, *unsigned_why; /* for the log */
    bool is_sealed;
    struct filter_decision decision;
    /* What decision points to. */
    struct filter_cut *cuts;
    struct filter_field *fields;
    struct filter_recipient *rcpts;
    char sender[ONWARD_SRS_TEXT_MAX];
    char text[400]; /* of the reply */
};

/* ---- settings.c -------------------------------------------------------- */

/* ADDRESS or ADDRESS/LENGTH; false: it is none. */
bool filter_read_network(const char *text, struct filter_network *network);
/* Does "DOMAIN", "*.DOMAIN" or "*" take that domain? */
bool filter_matches(const char *pattern, struct onward_str domain);
/* A row of words, cut in place. How many there are, at most max. */
size_t filter_words(char *text, char **words, size_t max);

/* The second word of a row. */
const char *filter_second(const char *row);

/* ---- setup.c ----------------------------------------------------------- */

bool filter_has_key(const struct filter_setup *setup, struct onward_str domain);

bool filter_is_internal(const struct filter_setup *setup,
                        const struct onward_ip *ip);

/* ---- changes.c --------------------------------------------------------- */

/* Cut what claims to be ours. 0 or -1: no memory. */
int filter_cut_claims(struct filter *f);
/* Put fields, each with its CRLF, on top: above those that are there. 0 or -1:
 * no memory. */
int filter_put_fields(struct filter *f, struct onward_str fields);
/* The same of one that has no line end yet. */
int filter_put_field(struct filter *f, const char *name,
                     struct onward_str value);
int filter_put_rcpt(struct filter *f, struct onward_str from, const char *to);
void filter_clear_changes(struct filter *f);
/*
 * The header as it leaves, and the empty line behind it, to one who takes
 * octets. 0, or what feed has returned.
 */
int filter_feed_header(const struct filter *f,
                       int (*feed)(void *user, const void *data, size_t len),
                       void *user);

/* ---- sign.c ------------------------------------------------------------ */

/*
 * Begin to sign a message of ours, whose header is there. 1: octets of the body
 * go to f->signer; 0: it is not to be signed; negative: it cannot be now.
 */
int filter_sign_begin(struct filter *f);
/* The body is whole. 1: filter_signed() will be called, with the fields put; 0:
 * it goes without; negative: an error. */
int filter_sign_finish(struct filter *f);
/* The same for a seal of a message that came to us. */
int filter_seal(struct filter *f);

/* ---- srs.c ------------------------------------------------------------- */

bool filter_is_forwarded(const struct filter_setup *setup,
                         struct onward_str rcpt);
/* Room for ONWARD_SRS_TEXT_MAX; 0: as it came. */
size_t filter_rewrite(const struct filter_setup *setup,
                      struct onward_str sender, char *out);
/* Take a recipient that is a rewritten sender of ours back to what it was. */
enum filter_verdict filter_return(struct filter *f, struct onward_str address,
                                  struct filter_reply *reply);

/* ---- message.c --------------------------------------------------------- */

/* The signatures or the seal are there, or an error. */
void filter_signed(struct filter *f, int status);

#endif
