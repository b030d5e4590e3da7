/*
 * onward doctor: what its examinations share. Each looks at one matter of a
 * domain and leaves findings; cmd_doctor.c prints them.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include <onward/dns.h>

#include "cli.h"
#include "https.h"
#include "options.h"
#include "world.h"

enum doctor_severity {
    DOCTOR_OK,      /* as it should be */
    DOCTOR_NOTE,    /* could be better, or is left to the reader */
    DOCTOR_WARNING, /* mail suffers at some receivers, or soon */
    DOCTOR_UNKNOWN, /* DNS or the policy host gave no answer */
    DOCTOR_ERROR    /* mail is lost or refused, or everybody may forge it */
};

/* Texts are malloc()ed; NULL: none. */
struct doctor_finding {
    enum doctor_severity severity;
    const char *check; /* "spf" */
    const char *code;  /* a stable word, "many-records" */
    char *name;        /* what it is about: a domain, a server, an address */
    char *found;
    char *fix;
    char *record; /* the line of a zone file to publish */
    char *file;   /* the text of a file to publish, with LF */
};

enum { DOCTOR_SERVERS = 64, DOCTOR_EGRESS = 16, DOCTOR_KEYS = 16 };

struct doctor_server {
    char *name;
    size_t preference;
    struct onward_ip ips[16];
    size_t ip_count;
};

/* A DKIM or ARC key that is to be published. */
struct doctor_key {
    const char *selector, *domain;
    const char *file; /* the private half; NULL: not known */
};

struct doctor {
    const struct command *command;
    struct world world;
    struct https https;
    const char *no_fetch; /* why MTA-STS policies cannot be fetched; NULL */
    int64_t time_s;
    const char *domain;
    /* What the forwarder's configuration says; NULL or 0: nothing. */
    const char *hostname, *srs_domain, *certificate;
    struct onward_ip egress[DOCTOR_EGRESS];
    size_t egress_count;
    struct doctor_key keys[DOCTOR_KEYS];
    size_t key_count;
    /* What the examination of MX leaves to the others. */
    struct doctor_server servers[DOCTOR_SERVERS];
    size_t server_count;
    bool is_null_mx;
    bool is_mx_secure;
    bool is_gone; /* the domain does not exist: the rest is silent */

    struct doctor_finding *findings;
    size_t count;
    int err; /* an error of the library, or ONWARD_ENOMEM; ends it all */
};

/* ---- Findings ---------------------------------------------------------- */

void doctor_find(struct doctor *d, enum doctor_severity severity,
                 const char *check, const char *code, const char *name,
                 const char *found, ...) __attribute__((format(printf, 6, 7)));
/* What to do about the last finding. */
void doctor_fix(struct doctor *d, const char *fix, ...)
    __attribute__((format(printf, 2, 3)));
/* The record that the last finding wants: "NAME. 3600 IN TYPE DATA". */
void doctor_record(struct doctor *d, const char *name, const char *type,
                   const char *data, ...) __attribute__((format(printf, 4, 5)));
/* The same for a TXT record of that text. */
void doctor_txt(struct doctor *d, const char *name, const char *text);
/* The same for finding i. */
void doctor_txt_at(struct doctor *d, size_t i, const char *name,
                   const char *text);

/* ---- Questions --------------------------------------------------------- */

/* NULL: d->err says why. Free it. */
struct onward_dns_lookup *doctor_ask(struct doctor *d, const char *name,
                                     uint32_t type);
/*
 * The TXT records at a name. false: there was no answer, and a finding says so.
 */
bool doctor_ask_txt(struct doctor *d, const char *check, const char *name,
                    struct onward_dns_lookup **txt);
/* Addresses of a host, both families; how many. *status: the worse of the two
 * answers, as enum onward_dns_status has them. */
size_t doctor_addresses(struct doctor *d, const char *host,
                        struct onward_ip *ips, size_t room, int *status);
/* Is it an address that the world can send to? Those that documentation uses
 * stand for such. */
bool doctor_is_public(const struct onward_ip *ip);
/* Run the desk until *is_done; false: d->err. */
bool doctor_run(struct doctor *d, const bool *is_done);

/* ---- Examinations, in this order --------------------------------------- */

void doctor_examine_mx(struct doctor *d);
void doctor_examine_egress(struct doctor *d);
/* The first egress_count of the egress addresses must be covered. */
void doctor_examine_spf(struct doctor *d, const char *domain,
                        size_t egress_count);
void doctor_examine_dkim(struct doctor *d);
void doctor_examine_dmarc(struct doctor *d);
void doctor_examine_mta_sts(struct doctor *d);
void doctor_examine_tlsrpt(struct doctor *d);
void doctor_examine_dane(struct doctor *d);

#endif
