/* The rooms of spf: the record's parser, macro expansion, the check. */
#ifndef ONWARD_SPF_PRIV_H
#define ONWARD_SPF_PRIV_H

#include <onward/spf.h>

#include "core/domain_shared.h"
#include "core/text_shared.h"
#include "dns/dns_shared.h"

enum onward_spf__mechanism {
    MECHANISM_ALL,
    MECHANISM_INCLUDE,
    MECHANISM_A,
    MECHANISM_MX,
    MECHANISM_PTR,
    MECHANISM_IP4,
    MECHANISM_IP6,
    MECHANISM_EXISTS
};

/* One directive (RFC 7208 4.6.1). */
struct onward_spf__term {
    struct onward_spf__term *next;
    enum onward_spf__mechanism mechanism;
    enum onward_spf_result qualifier; /* the result when it matches */
    struct onward_str text;           /* as written */
    struct onward_str domain_spec;    /* empty: the current domain */
    struct onward_ip ip;              /* of ip4 and ip6 */
    unsigned cidr4, cidr6;            /* prefix lengths */
};

struct onward_spf__record {
    struct onward_str text;
    struct onward_spf__term *first;
    struct onward_str redirect; /* domain-spec; empty: none */
    struct onward_str redirect_text;
    struct onward_str exp;
    bool has_all;
};

/* Is it an SPF record (RFC 7208 4.5)? */
bool onward_spf__is_record(struct onward_str text);
/*
 * Parse a whole record into the arena; text must live as long as it. 0,
 * ONWARD_ESYNTAX (fault: offset and what) or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_spf__parse(struct onward_arena *arena,
                                        struct onward_str text,
                                        struct onward_spf__record *record,
                                        struct onward_spf_fault *fault);

/*
 * A parsed policy. Counted, as it may be kept with the DNS answer and used by
 * several checks of the resolver's thread.
 */
struct onward_spf__kept {
    struct onward_dns__memo memo;
    struct onward_ctx *ctx;
    size_t refs;
    struct onward_arena arena; /* the text and its terms */
    struct onward_spf__record record;
};

void onward_spf__kept_release(struct onward_spf__kept *kept); /* may be NULL */

/* Where a macro-string is used: c, r and t are for explanations only. */
enum onward_spf__macro_use { MACRO_DOMAIN, MACRO_EXPLANATION };

/* What the letters stand for (RFC 7208 7.2). */
struct onward_spf__macro_values {
    struct onward_str sender, local, sender_domain, domain, helo, receiver;
    struct onward_str validated; /* %{p} */
    const struct onward_ip *ip;
    int64_t now_s;
};

/*
 * One step through a macro-string: the length of the macro or literal at its
 * start, 0 when it is malformed. letter: the lower-case macro letter, or 0.
 */
size_t onward_spf__macro_token(struct onward_str s,
                               enum onward_spf__macro_use use,
                               unsigned char *letter);
/* Does a well-formed macro-string use that letter? */
bool onward_spf__macro_uses(struct onward_str s, unsigned char letter);
/* Append the expansion; 0, ONWARD_ESYNTAX, or the buffer's error. */
ONWARD_USE_RESULT int
onward_spf__macro_expand(struct onward_buf *out, struct onward_str s,
                         enum onward_spf__macro_use use,
                         const struct onward_spf__macro_values *values);
/* Append dotted quad or dotted nibbles, as %{i} has it. */
int onward_spf__add_dotted_ip(struct onward_buf *out,
                              const struct onward_ip *ip);

/* Do the first `prefix` bits agree? Families must be the same. */
bool onward_spf__ip_within(const struct onward_ip *ip,
                           const struct onward_ip *net, unsigned prefix);

#endif
