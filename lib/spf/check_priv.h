/* The inside of one check, shared by its rooms: check.c walks the terms,
 * lookup.c asks for what they need, ahead.c asks early, trace.c remembers what
 * was done, result.c says how it ended. */
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

/* What a domain's TXT answer is as a policy. */
enum onward_spf__policy {
    POLICY_UNREAD,
    POLICY_READ,
    POLICY_NONE,
    POLICY_MANY,
    POLICY_BROKEN,
    POLICY_FAILED, /* the look-up */
    POLICY_NO_MEMORY
};

/* One question; equal ones of a check are asked once, early or when due. */
struct onward_spf__question {
    struct onward_spf__question *next;
    struct onward_str name;
    struct onward_dns__query query;
    struct onward_spf__kept *kept;    /* counted; of POLICY_READ */
    struct onward_spf__record record; /* in kept */
    struct onward_str fault;          /* the term that makes it BROKEN */
    enum onward_spf__policy policy;
    uint16_t type;
};

/* One line of the trace. */
struct onward_spf__step {
    struct onward_spf__step *next;
    struct onward_spf_step facts;
};

/* A domain whose record is evaluated: the first, or one inside an include. */
struct onward_spf__frame {
    struct onward_spf__frame *parent;
    struct onward_str domain;
    struct onward_spf__question *question; /* where its record is, or will be */
    struct onward_spf__record record;
    struct onward_spf__term *term; /* the one that is evaluated */
    struct onward_spf__step *step; /* its line in the trace; may be NULL */
    bool is_redirected;
};

/*
 * The walk that asks ahead. It goes the way that the evaluation would go if no
 * term matched that needs the DNS, so it counts at least as many terms as the
 * evaluation: what it asks is never behind the term limit.
 */
struct onward_spf__ahead {
    struct onward_spf__frame *frame;
    size_t terms;
    bool is_over;
};

/* Host names and the questions for their addresses. */
struct onward_spf__hosts {
    struct onward_dns__query *queries;
    struct onward_str *names;
    size_t count;
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
    struct onward_str reverse_path;
    bool is_helo;
    struct onward_spf__macro_values values;
    size_t max_terms, max_void, max_mx_names, max_ptr_names, timeout_ms;

    enum onward_spf__phase phase;
    enum onward_spf__phase after_names; /* where PHASE_PTR came from */
    struct onward_spf__frame *frame;
    struct onward_spf__ahead ahead;
    struct onward_spf__question *questions;
    struct onward_spf__question *question; /* the one that is waited for */
    size_t policy_bytes;                   /* that this check had parsed */
    struct onward_spf__hosts mx, ptr;
    bool asks_exp;      /* the question for the explanation is out */
    bool has_names;     /* the client's validated names are known */
    bool is_names_void; /* it has no names at all */
    struct onward_str *validated;
    size_t validated_count;
    int64_t deadline_ms;

    enum onward_spf_result result;
    enum onward_spf_reason reason;
    struct onward_str mechanism, explanation;
    struct onward_str exp_macro; /* the explanation before its macros */
    size_t lookups, void_lookups;
    struct onward_spf__step *first_step, *last_step;
    size_t step_count;
};

/* End with a result; the explanation, if one is due, comes before `done`. */
void onward_spf__end(struct onward_spf_check *c, enum onward_spf_result result,
                     enum onward_spf_reason reason);

/*
 * Expand a domain-spec against the domain of its record; empty: that domain.
 * Cuts left labels over 253 octets (RFC 7208 7.3). 0 or ONWARD_ENOMEM.
 */
ONWARD_USE_RESULT int onward_spf__target(struct onward_spf_check *c,
                                         struct onward_str domain,
                                         struct onward_str spec,
                                         struct onward_str *target);
/* RFC 8616 4: a local part that has no form in the DNS, in a domain-spec. */
bool onward_spf__never_matches(const struct onward_spf_check *c,
                               struct onward_str spec);
/* The question a term asks; 0: none of its own. */
uint16_t onward_spf__type_of(const struct onward_spf_check *c,
                             enum onward_spf__mechanism mechanism);
/* Ask, unless that is asked already. NULL: no memory. */
struct onward_spf__question *onward_spf__put(struct onward_spf_check *c,
                                             struct onward_str name,
                                             uint16_t type);
/* Ask what the check waits for next. On failure the check has ended. */
bool onward_spf__ask(struct onward_spf_check *c, struct onward_str name,
                     uint16_t type, enum onward_spf__phase phase);
/* Read a TXT answer as a policy, once; false: it is not there yet. */
bool onward_spf__read_policy(struct onward_spf_check *c,
                             struct onward_spf__question *q);
/* The question for the client's names; NULL: no memory. */
struct onward_spf__question *onward_spf__put_names(struct onward_spf_check *c);
/* Ask early all that can be known by now. */
void onward_spf__look_ahead(struct onward_spf_check *c);
/* A line of the trace for the term that is evaluated, or for redirect=. */
void onward_spf__trace(struct onward_spf_check *c, struct onward_str term);
/* What became of it. */
void onward_spf__trace_outcome(struct onward_spf__frame *frame,
                               enum onward_spf_outcome outcome);
/* Ask for the addresses of all names at once; false: the check has ended. */
bool onward_spf__ask_hosts(struct onward_spf_check *c,
                           struct onward_spf__hosts *hosts);
/* Let go of all questions. */
void onward_spf__clear_queries(struct onward_spf_check *c);
/* Let go of all policies: what was read of them is gone. */
void onward_spf__clear_policies(struct onward_spf_check *c);
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
