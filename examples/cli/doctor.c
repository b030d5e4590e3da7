#define _GNU_SOURCE
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Findings ---------------------------------------------------------- */

static char *text_of(struct doctor *d, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static char *text_of(struct doctor *d, const char *format, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, format, args) >= 0)
        return text;
    d->err = ONWARD_ENOMEM;
    return NULL;
}

void doctor_find(struct doctor *d, enum doctor_severity severity,
                 const char *check, const char *code, const char *name,
                 const char *found, ...)
{
    struct doctor_finding *more =
        realloc(d->findings, (d->count + 1) * sizeof(*more));
    struct doctor_finding *f;
    va_list args;

    if (more == NULL) {
        d->err = ONWARD_ENOMEM;
        return;
    }
    d->findings = more;
    f = &d->findings[d->count++];
    *f = (struct doctor_finding){
        .severity = severity, .check = check, .code = code};
    f->name = strdup(name);
    if (f->name == NULL)
        d->err = ONWARD_ENOMEM;
    va_start(args, found);
    f->found = text_of(d, found, args);
    va_end(args);
}

static struct doctor_finding *last(struct doctor *d)
{
    return d->count == 0 ? NULL : &d->findings[d->count - 1];
}

void doctor_fix(struct doctor *d, const char *fix, ...)
{
    struct doctor_finding *f = last(d);
    va_list args;

    if (f == NULL)
        return;
    va_start(args, fix);
    free(f->fix);
    f->fix = text_of(d, fix, args);
    va_end(args);
}

static void set_record(struct doctor *d, struct doctor_finding *f,
                       const char *name, const char *type, const char *data)
{
    free(f->record);
    if (asprintf(&f->record, "%s. 3600 IN %s %s", name, type, data) < 0) {
        f->record = NULL;
        d->err = ONWARD_ENOMEM;
    }
}

void doctor_record(struct doctor *d, const char *name, const char *type,
                   const char *data, ...)
{
    char *text;
    va_list args;

    va_start(args, data);
    text = text_of(d, data, args);
    va_end(args);
    if (text != NULL && last(d) != NULL)
        set_record(d, last(d), name, type, text);
    free(text);
}

void doctor_txt_at(struct doctor *d, size_t i, const char *name,
                   const char *text)
{
    size_t len = strlen(text);
    size_t room = len * 4 + (len / 255 + 1) * 4 + 1;
    char *strings = malloc(room);

    if (strings == NULL)
        d->err = ONWARD_ENOMEM;
    else if (i < d->count &&
             onward_dns_txt_strings(onward_str_of(text), strings, room) >= 0)
        set_record(d, &d->findings[i], name, "TXT", strings);
    free(strings);
}

void doctor_txt(struct doctor *d, const char *name, const char *text)
{
    if (d->count > 0)
        doctor_txt_at(d, d->count - 1, name, text);
}

/* ---- Questions --------------------------------------------------------- */

bool doctor_run(struct doctor *d, const bool *is_done)
{
    world_run(&d->world, is_done);
    if (!*is_done)
        d->err = ONWARD_ECANCELED;
    return *is_done;
}

static void done(void *user, struct onward_dns_lookup *lookup)
{
    (void)lookup;
    *(bool *)user = true;
}

struct onward_dns_lookup *doctor_ask(struct doctor *d, const char *name,
                                     uint32_t type)
{
    bool is_done = false;
    const struct onward_dns_lookup_host host = {
        .size = sizeof(host), .user = &is_done, .done = done};
    struct onward_dns_lookup *lookup = NULL;
    int err;

    if (d->err != 0)
        return NULL;
    err = onward_dns_lookup_new(d->world.resolver, onward_str_of(name), type,
                                &host, &lookup);
    if (err != 0)
        d->err = err;
    if (err == 0 && doctor_run(d, &is_done))
        return lookup;
    onward_dns_lookup_free(lookup);
    return NULL;
}

bool doctor_ask_txt(struct doctor *d, const char *check, const char *name,
                    struct onward_dns_lookup **txt)
{
    struct onward_dns_lookup *lookup = doctor_ask(d, name, ONWARD_DNS_TXT);
    int status = onward_dns_lookup_status(lookup);

    *txt = lookup;
    if (lookup == NULL)
        return false;
    if (status == ONWARD_DNS_STATUS_TEMP) {
        doctor_find(d, DOCTOR_UNKNOWN, check, "no-answer", name,
                    "DNS gives no answer for TXT");
        doctor_fix(d, "Look at the name servers of the domain, and try again.");
    } else if (status == ONWARD_DNS_STATUS_BOGUS) {
        doctor_find(d, DOCTOR_ERROR, check, "bogus", name,
                    "DNSSEC validation fails: who validates sees no record");
        doctor_fix(d, "Sign the zone anew, or take the DS record away.");
    } else {
        return true;
    }
    onward_dns_lookup_free(lookup);
    *txt = NULL;
    return false;
}

size_t doctor_addresses(struct doctor *d, const char *host,
                        struct onward_ip *ips, size_t room, int *status)
{
    static const uint32_t types[] = {ONWARD_DNS_A, ONWARD_DNS_AAAA};
    size_t count = 0;

    *status = 0;
    for (size_t t = 0; t < 2; t++) {
        struct onward_dns_lookup *lookup = doctor_ask(d, host, types[t]);
        int now = onward_dns_lookup_status(lookup);

        if (lookup != NULL && now > *status)
            *status = now;
        for (size_t i = 0; i < onward_dns_lookup_count(lookup) && count < room;
             i++) {
            struct onward_str octets = onward_dns_lookup_data(lookup, i);
            struct onward_ip ip = {.family = t == 0 ? 4 : 6};

            memcpy(ip.octets, octets.data,
                   octets.len < sizeof(ip.octets) ? octets.len
                                                  : sizeof(ip.octets));
            ips[count++] = ip;
        }
        onward_dns_lookup_free(lookup);
    }
    return count;
}

bool doctor_is_public(const struct onward_ip *ip)
{
    static const struct {
        int family;
        size_t len;
        uint8_t prefix[4];
    } documentation[] = {
        {4, 3, {192, 0, 2, 0}},
        {4, 3, {198, 51, 100, 0}},
        {4, 3, {203, 0, 113, 0}},
        {6, 4, {0x20, 0x01, 0x0d, 0xb8}},
    };

    for (size_t i = 0; i < sizeof(documentation) / sizeof(documentation[0]);
         i++) {
        if (ip->family == documentation[i].family &&
            memcmp(ip->octets, documentation[i].prefix, documentation[i].len) ==
                0)
            return true;
    }
    return onward_ip_is_public(ip) == 1;
}
