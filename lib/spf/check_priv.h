/* The inside of one check, shared by its rooms: check.c walks the terms,
 * lookup.c asks for what they need, result.c says how it ended. */
#ifndef ONWARD_SPF_CHECK_PRIV_H
#define ONWARD_SPF_CHECK_PRIV_H

#include "spf/spf_priv.h"

/* What the check waits for, or does next. */
enum onward_spf__phase {
    PHASE_START,
    PHASE_RECORD,    /* TXT of the frame's domain */
    PHASE_TERM,      /* the frame's next term */
    PHASE_A,         /* addresses of a term's domain */
    PHASE_EXISTS,    /* any A of a term's domain */
    PHASE_MX,        /* MX of a term's domain */
    PHASE_MX_HOSTS,  /* addresses of all of them */
    PHASE_PTR,       /* names of the client, for ptr and %{p} */
    PHASE_PTR_HOSTS, /* addresses of these names */
    PHASE_EXP,       /* TXT with the explanation */
    PHASE_DONE
};

/* A domain whose record is evaluated: the first, or one inside an include. */
struct onward_spf__frame {
    struct onward_spf__frame *parent;
    struct onward_str domain;
    struct onward_spf__record record;
    struct onward_spf__term *term; /* the one that is evaluated */
    bool is_redirected;
};

/* Host names and the questions for their addresses. */
struct onward_spf__hosts {
    struct onward_dns__query *queries;
    struct onward_str *names;
    size_t count; /* at most limits.max_names */
};

struct onward_spf_check {
    struct onward_ctx *ctx;
    struct onward_resolver *resolver;
    struct onward_spf_host host;
    struct onward_core__guard guard;
    struct onward_core__task task;
    struct onward_arena arena;

    struct onward_ip ip;
    struct onward_str domain; /* of the identity, as given */
    struct onward_spf__macro_values values;
    size_t max_terms, max_void, max_names, timeout_ms;

    enum onward_spf__phase phase;
    enum onward_spf__phase after_names; /* where PHASE_PTR came from */
    struct onward_spf__frame *frame;
    struct onward_dns__query query;
    struct onward_spf__hosts mx, ptr;
    bool asks_exp;  /* the question for the explanation is out */
    bool has_names; /* the client's validated names are known */
    struct onward_str *validated;
    size_t validated_count;
    int64_t deadline_ms;

    enum onward_spf_result result;
    enum onward_spf_reason reason;
    struct onward_str mechanism, explanation;
    struct onward_str exp_macro; /* the explanation before its macros */
    size_t lookups, void_lookups;
};

/* End with a result; the explanation, if one is due, comes before `done`. */
void onward_spf__end(struct onward_spf_check *c, enum onward_spf_result result,
                     enum onward_spf_reason reason);

/*
 * Expand a domain-spec against the frame; empty: the frame's domain. Cuts left
 * labels over 253 octets (RFC 7208 7.3). 0 or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_spf__target(struct onward_spf_check *c,
                                         struct onward_str spec,
                                         struct onward_str *target);
/* Ask the check's one main question. On failure the check has ended. */
bool onward_spf__ask(struct onward_spf_check *c, struct onward_str name,
                     uint16_t type, enum onward_spf__phase phase);
/* Ask for the addresses of all names at once; false: the check has ended. */
bool onward_spf__ask_hosts(struct onward_spf_check *c,
                           struct onward_spf__hosts *hosts);
/* Let go of all questions. */
void onward_spf__clear_queries(struct onward_spf_check *c);
/* Does one of the addresses fall into the client's network? */
bool onward_spf__answer_matches(const struct onward_spf_check *c,
                                const struct onward_dns__answer *answer,
                                const struct onward_spf__term *term);
/* PHASE_PTR and PHASE_PTR_HOSTS; true: go on stepping. */
bool onward_spf__start_names(struct onward_spf_check *c,
                             enum onward_spf__phase after);
bool onward_spf__step_ptr(struct onward_spf_check *c);
bool onward_spf__step_ptr_hosts(struct onward_spf_check *c);
/* %{p} for a domain (RFC 7208 7.3). */
struct onward_str onward_spf__best_name(const struct onward_spf_check *c,
                                        struct onward_str domain);

#endif
